package chat

import "maps"

// EventKind says what happened.
type EventKind string

// The kinds of event, by the names that the SDKs give them.
const (
	MessageReceived         EventKind = "chatMessageReceived"
	MessageEdited           EventKind = "chatMessageEdited"
	MessageDeleted          EventKind = "chatMessageDeleted"
	TypingReceived          EventKind = "typingIndicatorReceived"
	ReadReceiptReceived     EventKind = "readReceiptReceived"
	ThreadCreated           EventKind = "chatThreadCreated"
	ThreadPropertiesUpdated EventKind = "chatThreadPropertiesUpdated"
	ThreadDeleted           EventKind = "chatThreadDeleted"
	ParticipantsAdded       EventKind = "participantsAdded"
	ParticipantsRemoved     EventKind = "participantsRemoved"
)

// EventKinds returns all kinds that clients get. A protocol has a form for each of them.
func EventKinds() []EventKind {
	return []EventKind{
		MessageReceived, MessageEdited, MessageDeleted, TypingReceived, ReadReceiptReceived,
		ThreadCreated, ThreadPropertiesUpdated, ThreadDeleted, ParticipantsAdded, ParticipantsRemoved,
	}
}

// IdentityEnded tells the servers, and no client, that the tokens of a user are no longer valid. It is journaled, since the
// journal reaches every server.
const IdentityEnded EventKind = "identityEnded"

// Position is a place in the journal: that of an event, or one up to which a reader has read. Later events have greater ones;
// there may be gaps. 0 is before the first.
type Position int64

// Event is what subscribers get. It is journaled in the transaction of its change; in one thread the order
// of positions is the order of commits.
//
// It goes to the participants of the thread at the roster version Roster: also to the one who caused it, and to a participant
// whom it removed.
type Event struct {
	Position Position // in the journal; 0 before it is there
	Kind     EventKind
	ThreadID ThreadID
	Key      ThreadKey
	Roster   RosterVersion
	At       Time
	Version  int64

	Actor     Identity // who did it; empty for the service itself
	ActorName string

	Message      *Message      // messages; for a deleted one the tombstone
	Receipt      *ReadReceipt  // read receipts
	Properties   *Properties   // thread created, properties updated
	Participants []Participant // thread created, participants added or removed
}

// Properties are what a thread is called and marked with.
type Properties struct {
	Topic     string
	Metadata  map[string]string
	Retention Retention
	TextOnly  bool
}

func propertiesOf(t *Thread) *Properties {
	return &Properties{Topic: t.Topic, Metadata: t.Metadata, Retention: t.Retention, TextOnly: t.TextOnly}
}

// eventsOf derives the events of a change. Nothing else makes events, so that what subscribers get cannot
// differ from what was done. System messages have no events of their own: the event of what they report says it.
func eventsOf(c *Change) []Event {
	var out []Event
	add := func(kind EventKind, roster RosterVersion, fill func(*Event)) {
		e := Event{
			Kind: kind, ThreadID: c.Thread.ID, Key: c.Thread.Key, Roster: roster, At: c.At, Version: c.Version,
			Actor: c.Actor, ActorName: c.ActorName,
		}
		fill(&e)
		out = append(out, e)
	}
	t := &c.Thread
	if c.Before.Roster == 0 { // a new thread: one event has it all
		add(ThreadCreated, t.Roster, func(e *Event) { e.Properties, e.Participants = propertiesOf(t), c.Join })
		return out
	}
	if len(c.Join) > 0 {
		add(ParticipantsAdded, t.Roster, func(e *Event) { e.Participants = c.Join })
	}
	if len(c.Leave) > 0 { // also for those who left, so under the roster before
		add(ParticipantsRemoved, c.Before.Roster, func(e *Event) { e.Participants = c.Leave })
	}
	if t.Topic != c.Before.Topic || !maps.Equal(t.Metadata, c.Before.Metadata) || t.Retention != c.Before.Retention || t.TextOnly != c.Before.TextOnly {
		add(ThreadPropertiesUpdated, t.Roster, func(e *Event) { e.Properties = propertiesOf(t) })
	}
	for i := range c.Append {
		if m := &c.Append[i]; m.Type.User() {
			add(MessageReceived, t.Roster, func(e *Event) { e.Message = m })
		}
	}
	for i := range c.Replace {
		m, kind := &c.Replace[i], MessageEdited
		if m.DeletedOn != 0 {
			kind = MessageDeleted
		}
		add(kind, t.Roster, func(e *Event) { e.Message = m })
	}
	if c.Receipt != nil {
		add(ReadReceiptReceived, t.Roster, func(e *Event) { e.Receipt = c.Receipt })
	}
	if t.DeletedOn != 0 && c.Before.DeletedOn == 0 {
		add(ThreadDeleted, t.Roster, func(*Event) {})
	}
	return out
}

// typingEvent is the one event without a change: nothing is kept of it.
func typingEvent(t *Thread, actor Identity, name string, now Time) Event {
	at := t.moment(now)
	return Event{
		Kind: TypingReceived, ThreadID: t.ID, Key: t.Key, Roster: t.Roster, At: at, Version: int64(at),
		Actor: actor, ActorName: name,
	}
}

// EndOf is the event of an identity whose tokens were revoked, or that was deleted.
func EndOf(user Identity, now Time) Event {
	return Event{Kind: IdentityEnded, At: now, Version: int64(now), Actor: user}
}

// VisibleTo reports whether a participant may get the event: one about a message is not for participants whose history hides
// the message.
func (e *Event) VisibleTo(p *Participant) bool {
	var id MessageID
	switch {
	case e.Message != nil:
		id = e.Message.ID
	case e.Receipt != nil:
		id = e.Receipt.MessageID
	default:
		return true
	}
	return id >= MessageID(p.ShareFrom)
}
