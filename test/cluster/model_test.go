//go:build unix

package cluster_test

import (
	"fmt"

	"github.com/chatd/chatd/client"
)

// model is the state that follows from the journal, which one observer reads completely at the end of the test. What clients know
// and what REST answers is compared with it.
type model struct {
	operations map[string]int    // how often each happened
	ids        map[string]string // of messages, by the operation
	threads    map[string]*threadModel
	due        map[string][]digest // the events that each user has to receive
	wrong      []string            // contradictions in the journal
	position   int64
	events     int
}

// threadModel is what the journal says of a thread.
type threadModel struct {
	present  map[string]string          // name by user
	most     int                        // participants at the same time
	messages map[string]*client.Message // by id, as last sent, edited or deleted
	read     map[string]string          // message by reader
	sequence int64
	last     int64
}

func newModel() *model {
	return &model{operations: map[string]int{}, ids: map[string]string{}, threads: map[string]*threadModel{}, due: map[string][]digest{}}
}

func (x *model) wrongf(format string, args ...any) {
	x.wrong = append(x.wrong, fmt.Sprintf(format, args...))
}

// happen takes the next event.
func (x *model) apply(e *client.Event) {
	m := digestOf(e)
	if m.position <= x.position {
		x.wrongf("position %d follows on %d", m.position, x.position)
	}
	x.position = m.position
	x.events++
	r := x.threads[e.ThreadID]
	if r == nil {
		r = &threadModel{present: map[string]string{}, messages: map[string]*client.Message{}, read: map[string]string{}}
		x.threads[e.ThreadID] = r
		if e.Kind != client.ThreadCreated {
			x.wrongf("thread %s begins with %s", e.ThreadID, e.Kind)
		}
	}
	switch e.Kind {
	case client.ThreadCreated:
		x.operations["create "+e.Thread.Topic]++
		r.enter(x, e.Participants)
	case client.ParticipantsAdded:
		for _, p := range e.Participants {
			x.operations["add "+p.DisplayName]++
		}
		r.enter(x, e.Participants)
	case client.MessageReceived:
		x.operations["send "+e.Message.Content.Message]++
		x.ids["send "+e.Message.Content.Message] = e.Message.ID
		sequence, id := number(e.Message.SequenceID), number(e.Message.ID)
		if sequence <= r.sequence || id <= r.last {
			x.wrongf("%s: message %d, sequence id %d, follows on %d, %d", e.ThreadID, id, sequence, r.last, r.sequence)
		}
		r.sequence, r.last = sequence, id
		r.messages[e.Message.ID] = e.Message
	case client.MessageEdited:
		x.operations["edit "+e.Message.Content.Message]++
		r.change(x, e.Message)
	case client.MessageDeleted:
		x.operations["delete "+e.ThreadID+" "+e.Message.ID]++
		r.change(x, e.Message)
	case client.ReadReceiptReceived:
		reader, id := e.Receipt.SenderID, e.Receipt.ChatMessageID
		x.operations["read "+e.ThreadID+" "+reader+" "+id]++
		if number(id) <= number(r.read[reader]) {
			x.wrongf("%s: %s read %s after %s", e.ThreadID, reader, id, r.read[reader])
		}
		r.read[reader] = id
	}
	for user := range r.present {
		x.due[user] = append(x.due[user], m)
	}
	if e.Kind == client.ParticipantsRemoved { // a removed participant receives this event too
		for _, p := range e.Participants {
			name, was := r.present[p.ID]
			if !was {
				x.wrongf("%s: %s is removed and was not there", e.ThreadID, p.ID)
			}
			x.operations["remove "+name]++
			delete(r.present, p.ID)
		}
	}
}

func (r *threadModel) enter(x *model, who []client.Participant) {
	for _, p := range who {
		if name, there := r.present[p.ID]; there {
			x.wrongf("%s is added and was there as %s", p.DisplayName, name)
		}
		r.present[p.ID] = p.DisplayName
	}
	r.most = max(r.most, len(r.present))
}

func (r *threadModel) change(x *model, m *client.Message) {
	before := r.messages[m.ID]
	switch {
	case before == nil:
		x.wrongf("message %s is changed and was not sent", m.ID)
	case number(m.Version) <= number(before.Version):
		x.wrongf("message %s: version %s follows on %s", m.ID, m.Version, before.Version)
	case !before.DeletedOn.IsZero():
		x.wrongf("message %s is changed and was deleted", m.ID)
	}
	r.messages[m.ID] = m
}
