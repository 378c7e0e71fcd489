package store_test

import (
	"cmp"
	"maps"
	"slices"

	"github.com/chatd/chatd/internal/chat"
)

// reference is chat as one would write it down on paper: threads in a slice, all in memory, no thought of speed. Its methods
// return what an operation has to answer, and note the events. The machine compares that with the service.
type reference struct {
	now    chat.Time
	users  []chat.Identity // who exist
	all    []*refThread    // in the order of creation; purged ones are gone
	tokens map[token]chat.Creation
	events []chat.Event // that were not compared yet
}

type token struct {
	creator chat.Identity
	text    string
}

type refThread struct {
	chat.Thread
	messages []chat.Message
	stays    []chat.Participant           // in the order of joining, ended ones too
	receipts []chat.ReadReceipt           // newest first
	left     map[chat.Identity]*refThread // as those who left it last saw it
}

// as returns the thread as a participant sees it: as it is, or as it was when they left.
func (r *refThread) as(who chat.Identity) *refThread {
	if s := r.stay(who); s != nil && s.Left != 0 {
		return r.left[who]
	}
	return r
}

// stay returns the latest stay of a user, nil when there was none.
func (r *refThread) stay(who chat.Identity) *chat.Participant {
	for i := len(r.stays) - 1; i >= 0; i-- {
		if r.stays[i].Identity == who {
			return &r.stays[i]
		}
	}
	return nil
}

func (r *refThread) isPresent(who chat.Identity) bool {
	s := r.stay(who)
	return s != nil && s.Left == 0
}

func (r *refThread) present() []chat.Participant {
	var out []chat.Participant
	for _, s := range r.stays {
		if s.Left == 0 {
			out = append(out, s)
		}
	}
	return out
}

func (r *refThread) message(id chat.MessageID) *chat.Message {
	for i := range r.messages {
		if r.messages[i].ID == id {
			return &r.messages[i]
		}
	}
	return nil
}

// visible reports whether a message is within the latest stay of a user.
func (r *refThread) visible(who chat.Identity, id chat.MessageID) bool {
	s := r.stay(who)
	return int64(id) >= int64(s.ShareFrom) && (s.Left == 0 || id <= s.Until)
}

// refusal is the kind of error of an operation; accepted stands for none.
type refusal = chat.ErrorKind

const accepted refusal = -1

// find returns a thread, and whether a user may act in it: as a reader, who took part once, or as a member.
func (w *reference) find(id chat.ThreadID, who chat.Identity, member bool) (*refThread, refusal) {
	for _, r := range w.all {
		if r.ID != id {
			continue
		}
		switch s := r.stay(who); {
		case r.DeletedOn != 0:
			return nil, chat.NotFound
		case s == nil, member && s.Left != 0:
			return nil, chat.Forbidden
		}
		return r, accepted
	}
	return nil, chat.NotFound
}

// moment is the time of what happens to a thread now: the clock may go back, the times of a thread do not.
func (w *reference) moment(r *refThread) chat.Time { return max(w.now, r.LastOn) }

func (r *refThread) next(at chat.Time) chat.MessageID {
	if len(r.messages) == 0 {
		return chat.MessageID(at)
	}
	return max(chat.MessageID(at), r.messages[len(r.messages)-1].ID+1)
}

// addMessage gives a message the next number, and as its id the time or the millisecond after the last id.
func (w *reference) addMessage(r *refThread, at chat.Time, m chat.Message) chat.Message {
	m.Seq = int64(len(r.messages)) + 1
	m.ID = r.next(at)
	m.Version = int64(m.ID)
	r.messages = append(r.messages, m)
	r.Seq, r.LastID, r.LastOn = m.Seq, m.ID, chat.Time(m.ID)
	return m
}

func (w *reference) addEvent(r *refThread, at chat.Time, e chat.Event, actor chat.Identity, name string) {
	e.ThreadID, e.At, e.Actor, e.ActorName = r.ID, at, actor, name
	if e.Roster == 0 {
		e.Roster = r.Roster
	}
	if e.Version == 0 {
		e.Version = int64(at)
	}
	w.events = append(w.events, e)
}

func (r *refThread) properties() *chat.Properties {
	return &chat.Properties{Topic: r.Topic, Metadata: r.Metadata, Retention: r.Retention, TextOnly: r.TextOnly}
}

// checkNew sorts participants to be added. Those who are present or were named before are ignored.
func (w *reference) checkNew(r *refThread, in []chat.NewParticipant) (join []chat.Participant, invalid []chat.InvalidParticipant) {
	named := map[chat.Identity]bool{}
	for _, p := range in {
		if named[p.Identity] || r.isPresent(p.Identity) {
			continue
		}
		named[p.Identity] = true
		if slices.Contains(w.users, p.Identity) {
			join = append(join, chat.Participant{
				Identity: p.Identity, DisplayName: p.DisplayName, ShareFrom: min(p.ShareFrom, chat.Time(r.next(w.moment(r)))), Metadata: patched(nil, p.Metadata), Roles: p.Roles,
				Joined: r.Roster + 1,
			})
		} else {
			invalid = append(invalid, chat.InvalidParticipant{Identity: p.Identity, Code: "403", Message: "Permissions check failed"})
		}
	}
	return join, invalid
}

// malformed is an id that no request may hold (the CLI suite's own).
const malformed = chat.Identity("8:acs:fakeid")

func anyMalformed(in []chat.NewParticipant) bool {
	return slices.ContainsFunc(in, func(p chat.NewParticipant) bool { return p.Identity == malformed })
}

// patched lays a patch over metadata, key by key; an empty value removes its key.
func patched(old, patch map[string]string) map[string]string {
	out := maps.Clone(old)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, patch)
	maps.DeleteFunc(out, func(_, v string) bool { return v == "" })
	if len(out) == 0 {
		return nil
	}
	return out
}

func (w *reference) create(creator chat.Identity, in chat.NewThread, id chat.ThreadID) (chat.Creation, refusal) {
	if anyMalformed(in.Participants) || in.Topic == "" {
		return chat.Creation{}, chat.Invalid
	}
	if first, again := w.tokens[token{creator, in.Token}]; again && in.Token != "" {
		return first, accepted
	}
	r := &refThread{Thread: chat.Thread{
		ID: id, Topic: in.Topic, CreatedBy: creator, CreatedOn: w.now, Metadata: patched(nil, in.Metadata), Retention: in.Retention,
		TextOnly: in.TextOnly,
	}}
	created := r.Thread
	own := chat.NewParticipant{Identity: creator} // comes first, as they described themselves, if they did
	if i := slices.IndexFunc(in.Participants, func(p chat.NewParticipant) bool { return p.Identity == creator }); i >= 0 {
		own = in.Participants[i]
	}
	join, invalid := w.checkNew(r, append([]chat.NewParticipant{own}, in.Participants...))
	r.Roster, r.Present, r.stays = 1, len(join), join
	w.addMessage(r, w.now, chat.Message{Type: chat.ParticipantAdded, Content: chat.Content{Participants: slices.Clone(join), Initiator: creator}})
	w.addMessage(r, w.now, chat.Message{Type: chat.TopicUpdated, Content: chat.Content{Topic: r.Topic, Initiator: creator}})
	w.all = append(w.all, r)
	w.addEvent(r, w.now, chat.Event{Kind: chat.ThreadCreated, Properties: r.properties(), Participants: slices.Clone(join)}, creator, own.DisplayName)
	answer := chat.Creation{Thread: created, Invalid: invalid}
	if in.Token != "" {
		w.tokens[token{creator, in.Token}] = answer
	}
	return answer, accepted
}

func (w *reference) change(actor chat.Identity, id chat.ThreadID, in chat.ThreadUpdate) refusal {
	r, no := w.find(id, actor, true)
	if no != accepted {
		return no
	}
	if in.Topic != nil && *in.Topic == "" {
		return chat.Invalid
	}
	before, at := *r.properties(), w.moment(r)
	r.Metadata = patched(r.Metadata, in.Metadata)
	if in.Retention != nil {
		r.Retention = *in.Retention
	}
	if in.TextOnly != nil {
		r.TextOnly = *in.TextOnly
	}
	if in.Topic != nil && *in.Topic != r.Topic {
		r.Topic = *in.Topic
		w.addMessage(r, at, chat.Message{Type: chat.TopicUpdated, Content: chat.Content{Topic: r.Topic, Initiator: actor}})
	}
	if after := r.properties(); after.Topic != before.Topic || !maps.Equal(after.Metadata, before.Metadata) ||
		after.Retention != before.Retention || after.TextOnly != before.TextOnly {
		w.addEvent(r, at, chat.Event{Kind: chat.ThreadPropertiesUpdated, Properties: after}, actor, r.stay(actor).DisplayName)
	}
	return accepted
}

func (w *reference) deleteThread(actor chat.Identity, id chat.ThreadID) refusal {
	if slices.ContainsFunc(w.all, func(r *refThread) bool { return r.ID == id && r.DeletedOn != 0 && r.isPresent(actor) }) {
		return accepted // again
	}
	r, no := w.find(id, actor, true)
	if no == accepted {
		r.DeletedOn = w.moment(r)
		w.addEvent(r, r.DeletedOn, chat.Event{Kind: chat.ThreadDeleted}, actor, r.stay(actor).DisplayName)
	}
	return no
}

const day = chat.Time(24 * 60 * 60 * 1000)

func (w *reference) sweep(keep chat.Time) {
	for _, r := range w.all {
		if r.DeletedOn == 0 && r.Retention.Kind == chat.RetentionCreationDate && r.CreatedOn+chat.Time(r.Retention.Days)*day <= w.now {
			r.DeletedOn = w.moment(r)
			w.addEvent(r, r.DeletedOn, chat.Event{Kind: chat.ThreadDeleted}, "", "")
		}
	}
	w.all = slices.DeleteFunc(w.all, func(r *refThread) bool {
		purged := r.DeletedOn != 0 && r.DeletedOn < w.now-keep
		if purged {
			maps.DeleteFunc(w.tokens, func(_ token, c chat.Creation) bool { return c.Thread.ID == r.ID })
		}
		return purged
	})
}

func (w *reference) add(actor chat.Identity, id chat.ThreadID, in []chat.NewParticipant) ([]chat.InvalidParticipant, refusal) {
	if anyMalformed(in) {
		return nil, chat.Invalid
	}
	r, no := w.find(id, actor, true)
	if no != accepted {
		return nil, no
	}
	join, invalid := w.checkNew(r, in)
	if at := w.moment(r); len(join) > 0 {
		r.Roster++
		r.Present += len(join)
		r.stays = append(r.stays, join...)
		w.addMessage(r, at, chat.Message{Type: chat.ParticipantAdded, Content: chat.Content{Participants: slices.Clone(join), Initiator: actor}})
		w.addEvent(r, at, chat.Event{Kind: chat.ParticipantsAdded, Participants: slices.Clone(join)}, actor, r.stay(actor).DisplayName)
	}
	return invalid, accepted
}

func (w *reference) remove(actor chat.Identity, id chat.ThreadID, who chat.Identity) refusal {
	r, no := w.find(id, actor, true)
	switch {
	case no == chat.NotFound:
		return no
	case who == malformed:
		return chat.Invalid
	case no != accepted || !r.isPresent(who):
		return no
	}
	at, name, left := w.moment(r), r.stay(actor).DisplayName, r.stay(who)
	m := w.addMessage(r, at, chat.Message{Type: chat.ParticipantRemoved, Content: chat.Content{Participants: []chat.Participant{*left}, Initiator: actor}})
	before := r.Roster
	r.Roster++
	r.Present--
	left.Left, left.Until = r.Roster, m.ID
	if r.left == nil {
		r.left = map[chat.Identity]*refThread{}
	}
	r.left[who] = &refThread{Thread: r.Thread, messages: slices.Clone(r.messages)}
	w.addEvent(r, at, chat.Event{Kind: chat.ParticipantsRemoved, Roster: before, Participants: []chat.Participant{*left}}, actor, name)
	return accepted
}

func (w *reference) alter(actor chat.Identity, id chat.ThreadID, in chat.ParticipantUpdate) refusal {
	r, no := w.find(id, actor, true)
	switch {
	case no == chat.NotFound:
		return no
	case in.Identity == malformed:
		return chat.Invalid
	case no != accepted:
		return no
	case !r.isPresent(in.Identity):
		return chat.NotFound
	}
	stay := r.stay(in.Identity)
	if in.DisplayName != nil {
		stay.DisplayName = *in.DisplayName
	}
	if in.Roles != nil {
		stay.Roles = in.Roles
	}
	return accepted
}

// threads returns what a user takes or took part in, latest message first; of two at one time, the newer thread first.
func (w *reference) threads(actor chat.Identity, since chat.Time) []chat.ThreadItem {
	var out []chat.ThreadItem
	for _, r := range slices.Backward(w.all) {
		if r.stay(actor) == nil {
			continue
		}
		if seen := r.as(actor); seen.LastOn >= since {
			out = append(out, chat.ThreadItem{ID: r.ID, Topic: seen.Topic, DeletedOn: r.DeletedOn, LastOn: seen.LastOn})
		}
	}
	slices.SortStableFunc(out, func(a, b chat.ThreadItem) int { return cmp.Compare(b.LastOn, a.LastOn) })
	return out
}
