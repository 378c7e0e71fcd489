package chat

// Change is everything that one request does to one thread. Rules make it, the store applies it in one
// transaction. Before and Thread are the thread as it was (zero when it is created) and as it will be.
type Change struct {
	Actor     Identity // who did it; empty for the service itself
	ActorName string
	At        Time
	Before    Thread
	Thread    Thread
	Join      []Participant
	Leave     []Participant // their stays as they end
	Alter     []Participant // stays that go on, with another name or other roles
	Append    []Message     // ids and sequence given
	Replace   []Message     // edits and tombstones
	Receipt   *ReadReceipt
	Version   int64   // of what was done, as listeners see it
	Events    []Event // set by eventsOf, never by a rule
}

// begin starts a change of a thread. Its time, At, is the time of all that it does.
func begin(t *Thread, actor Identity, name string, now Time) *Change {
	return &Change{Actor: actor, ActorName: name, At: t.moment(now), Before: *t, Thread: *t}
}

// enter lets participants in, as one change of the roster.
func (c *Change) enter(join []Participant) {
	c.Thread.Roster++
	c.Thread.Present += len(join)
	c.Join = join
}

// say appends a message to the thread: it gets the thread's next id and sequence number.
func (c *Change) say(m Message) {
	c.Thread.Seq++
	m.ID = c.Thread.nextID(c.At)
	m.Seq, m.Version = c.Thread.Seq, int64(m.ID)
	c.Thread.LastID, c.Thread.LastOn = m.ID, Time(m.ID)
	c.Append = append(c.Append, m)
}

// done completes the change with its events.
func (c *Change) done() *Change {
	if c.Version == 0 {
		c.Version = int64(c.At)
	}
	c.Events = eventsOf(c)
	return c
}

// Post is a user message on its way into a thread. Everything is decided but its place: the store gives id and
// sequence number when it applies the post, so that many posts fit into one statement. The decision holds for one
// roster version and one messaging policy of a thread that is not deleted; otherwise the store answers ErrStale.
type Post struct {
	Thread  Thread // as it was when the decision was made; Key, Roster and TextOnly are the condition
	Message Message
	At      Time
}

// Place completes the post: the message at its place and the events that follow.
func (p *Post) Place(seq int64, id MessageID) (Message, []Event) {
	c := begin(&p.Thread, p.Message.Sender, p.Message.SenderName, p.At)
	m := p.Message
	m.ID, m.Seq, m.Version = id, seq, int64(id)
	c.At = m.CreatedOn()
	c.Append = []Message{m}
	c.Version = m.Version
	return m, c.done().Events
}
