//go:build unix

package cluster_test

import (
	"fmt"

	"github.com/chatd/chatd/client"
)

// truth is the model: what happened, as the journal tells it to an observer who reads it all in the end.
type truth struct {
	deeds    map[string]int    // how often each happened
	ids      map[string]string // of messages, by the deed
	rooms    map[string]*room
	due      map[string][]mark // what each user is to be told
	wrong    []string          // what cannot be
	position int64
	events   int
}

// room is a thread.
type room struct {
	present  map[string]string // name by user
	most     int               // participants there have been
	said     map[string]*client.Message
	read     map[string]string // message by reader
	sequence int64
	last     int64
}

func newTruth() *truth {
	return &truth{deeds: map[string]int{}, ids: map[string]string{}, rooms: map[string]*room{}, due: map[string][]mark{}}
}

func (x *truth) wrongf(format string, args ...any) {
	x.wrong = append(x.wrong, fmt.Sprintf(format, args...))
}

// happen takes the next event.
func (x *truth) happen(e *client.Event) {
	m := markOf(e)
	if m.position <= x.position {
		x.wrongf("position %d follows on %d", m.position, x.position)
	}
	x.position = m.position
	x.events++
	r := x.rooms[e.ThreadID]
	if r == nil {
		r = &room{present: map[string]string{}, said: map[string]*client.Message{}, read: map[string]string{}}
		x.rooms[e.ThreadID] = r
		if e.Kind != client.ThreadCreated {
			x.wrongf("thread %s begins with %s", e.ThreadID, e.Kind)
		}
	}
	switch e.Kind {
	case client.ThreadCreated:
		x.deeds["create "+e.Thread.Topic]++
		r.enter(x, e.Participants)
	case client.ParticipantsAdded:
		for _, p := range e.Participants {
			x.deeds["add "+p.DisplayName]++
		}
		r.enter(x, e.Participants)
	case client.MessageReceived:
		x.deeds["send "+e.Message.Content.Message]++
		x.ids["send "+e.Message.Content.Message] = e.Message.ID
		sequence, id := number(e.Message.SequenceID), number(e.Message.ID)
		if sequence <= r.sequence || id <= r.last {
			x.wrongf("%s: message %d, sequence id %d, follows on %d, %d", e.ThreadID, id, sequence, r.last, r.sequence)
		}
		r.sequence, r.last = sequence, id
		r.said[e.Message.ID] = e.Message
	case client.MessageEdited:
		x.deeds["edit "+e.Message.Content.Message]++
		r.change(x, e.Message)
	case client.MessageDeleted:
		x.deeds["delete "+e.ThreadID+" "+e.Message.ID]++
		r.change(x, e.Message)
	case client.ReadReceiptReceived:
		reader, id := e.Receipt.SenderID, e.Receipt.ChatMessageID
		x.deeds["read "+e.ThreadID+" "+reader+" "+id]++
		if number(id) <= number(r.read[reader]) {
			x.wrongf("%s: %s read %s after %s", e.ThreadID, reader, id, r.read[reader])
		}
		r.read[reader] = id
	}
	for user := range r.present {
		x.due[user] = append(x.due[user], m)
	}
	if e.Kind == client.ParticipantsRemoved { // who goes hears of it
		for _, p := range e.Participants {
			name, was := r.present[p.ID]
			if !was {
				x.wrongf("%s: %s is removed and was not there", e.ThreadID, p.ID)
			}
			x.deeds["remove "+name]++
			delete(r.present, p.ID)
		}
	}
}

func (r *room) enter(x *truth, who []client.Participant) {
	for _, p := range who {
		if name, there := r.present[p.ID]; there {
			x.wrongf("%s is added and was there as %s", p.DisplayName, name)
		}
		r.present[p.ID] = p.DisplayName
	}
	r.most = max(r.most, len(r.present))
}

func (r *room) change(x *truth, m *client.Message) {
	before := r.said[m.ID]
	switch {
	case before == nil:
		x.wrongf("message %s is changed and was not sent", m.ID)
	case number(m.Version) <= number(before.Version):
		x.wrongf("message %s: version %s follows on %s", m.ID, m.Version, before.Version)
	case !before.DeletedOn.IsZero():
		x.wrongf("message %s is changed and was deleted", m.ID)
	}
	r.said[m.ID] = m
}
