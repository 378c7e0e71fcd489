package chat

import "maps"

// NewThread is what a thread is created from.
type NewThread struct {
	ID           ThreadID // of a thread without a token; the Service gives one where it is empty
	Topic        string
	Participants []NewParticipant
	Metadata     map[string]string
	Retention    Retention
	TextOnly     bool
	Token        string // idempotency token; empty for none
}

// ThreadUpdate changes properties; what is nil stays as it is. Metadata merges key by key, after ClearMetadata, and an
// empty value removes its key (recordings of the JavaScript suite, 2023-11-15-preview).
type ThreadUpdate struct {
	Topic         *string
	ClearMetadata bool // removes all keys that the thread has
	Metadata      map[string]string
	Retention     *Retention
	TextOnly      *bool
}

// createThread makes the thread with the creator as its first participant. checkFirst has accepted the others. known holds
// the users that exist; those missing there are left out and reported. A new thread holds two system messages (102 recorded lists): who is in
// it, then what it is called.
func createThread(creator Identity, in NewThread, known map[Identity]bool, now Time) (*Change, []InvalidParticipant, error) {
	if err := checkProperties(&in.Topic, in.Metadata, in.Retention); err != nil {
		return nil, nil, err
	}
	if in.Topic == "" {
		return nil, nil, badRequest("The thread has no topic.")
	}
	if err := checkText("idempotency token", in.Token, MaxTokenBytes); err != nil {
		return nil, nil, err
	}
	t := Thread{
		ID: in.ID, Topic: in.Topic, CreatedBy: creator, CreatedOn: now,
		Metadata: keep(in.Metadata), Retention: in.Retention, TextOnly: in.TextOnly,
	}
	if in.Token != "" {
		t.ID = threadIDFor(creator, in.Token)
	}
	caller := NewParticipant{Identity: creator}
	for _, p := range in.Participants {
		if p.Identity == creator {
			caller = p
			break
		}
	}
	known = maps.Clone(known)
	if known == nil {
		known = map[Identity]bool{}
	}
	known[creator] = true
	join, invalid := admit(append([]NewParticipant{caller}, in.Participants...), known, nil, 1, t.nextID(now))

	c := begin(&Thread{}, creator, caller.DisplayName, now)
	c.Thread = t
	c.enter(join)
	c.say(Message{Type: ParticipantAdded, Content: Content{Participants: join, Initiator: creator}})
	c.say(Message{Type: TopicUpdated, Content: Content{Topic: t.Topic, Initiator: creator}})
	return c.done(), invalid, nil
}

// updateThread changes properties. A topic that is the present one changes nothing.
func updateThread(a *Access, actor Identity, in ThreadUpdate, now Time) (*Change, error) {
	if err := a.member(actor); err != nil {
		return nil, err
	}
	retention := Retention{}
	if in.Retention != nil {
		retention = *in.Retention
	}
	if err := checkProperties(in.Topic, nil, retention); err != nil {
		return nil, err
	}
	c := begin(&a.Thread, actor, a.Stay.DisplayName, now)
	if in.Retention != nil {
		c.Thread.Retention = retention
	}
	if in.TextOnly != nil {
		c.Thread.TextOnly = *in.TextOnly
	}
	if in.ClearMetadata {
		c.Thread.Metadata = nil
	}
	if in.Metadata != nil {
		c.Thread.Metadata = merge(c.Thread.Metadata, in.Metadata)
		if err := checkMetadata(c.Thread.Metadata); err != nil {
			return nil, err
		}
	}
	if in.Topic != nil && *in.Topic != a.Thread.Topic {
		if *in.Topic == "" {
			return nil, badRequest("The topic is empty.")
		}
		c.Thread.Topic = *in.Topic
		c.say(Message{Type: TopicUpdated, Content: Content{Topic: *in.Topic, Initiator: actor}})
	}
	if c.done(); len(c.Events) == 0 {
		return nil, nil
	}
	return c, nil
}

// deleteThread is allowed to every participant: there is no owner role (concepts page of ACS Chat). Deleting it again is
// too, and changes nothing (recordings of the Python suite, 2020-11-01-preview3 and 2021-09-07); others do not learn that it
// was there.
func deleteThread(a *Access, actor Identity, now Time) (*Change, error) {
	deleted := a.Thread.DeletedOn != 0
	if err := a.member(actor); err != nil {
		if deleted {
			err = errDeleted()
		}
		return nil, err
	}
	if deleted {
		return nil, nil
	}
	c := begin(&a.Thread, actor, a.Stay.DisplayName, now)
	c.Thread.DeletedOn = c.At
	return c.done(), nil
}

// expireThread deletes a thread whose retention has ended; the service does it. nil when there is nothing to do.
func expireThread(t *Thread, now Time) *Change {
	if due := t.ExpiresOn(); due == 0 || due > now {
		return nil
	}
	c := begin(t, "", "", now)
	c.Thread.DeletedOn = c.At
	return c.done()
}

func checkProperties(topic *string, metadata map[string]string, r Retention) error {
	if topic != nil {
		if err := checkText("topic", *topic, MaxTopicBytes); err != nil {
			return err
		}
	}
	if err := checkMetadata(metadata); err != nil {
		return err
	}
	return checkRetention(r)
}

// keep returns the metadata without keys of empty value, nil when nothing is left.
func keep(metadata map[string]string) map[string]string { return merge(nil, metadata) }

// merge lays patch over old key by key; an empty value removes its key (recorded by the Android suite: "tags":"" and
// the key is gone).
func merge(old, patch map[string]string) map[string]string {
	out := make(map[string]string, len(old)+len(patch))
	maps.Copy(out, old)
	for k, v := range patch {
		if v == "" {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
