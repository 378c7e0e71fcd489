package chat

// NewMessage is what a participant sends.
type NewMessage struct {
	Type       MessageType // empty for text
	Content    string
	SenderName string
	Metadata   map[string]string
}

// MessageUpdate changes a message; a nil content stays, metadata merges key by key.
type MessageUpdate struct {
	Content  *string
	Metadata map[string]string
}

// post decides on a message: everything but its place in the thread.
func post(a *Access, sender Identity, in NewMessage, now Time) (*Post, error) {
	if err := a.member(sender); err != nil {
		return nil, err
	}
	if in.Type == "" {
		in.Type = Text
	}
	if !in.Type.User() {
		return nil, badRequest("", "message type %q cannot be sent", in.Type)
	}
	if in.Content == "" {
		return nil, badRequest("", "no content")
	}
	if err := checkContent(in.Content); err != nil {
		return nil, err
	}
	if err := checkText("sender display name", in.SenderName, MaxNameBytes); err != nil {
		return nil, err
	}
	if err := checkMetadata(in.Metadata); err != nil {
		return nil, err
	}
	return &Post{Thread: a.Thread, At: now, Message: Message{
		Type: in.Type, Content: Content{Text: in.Content}, Sender: sender, SenderName: in.SenderName, Metadata: keep(in.Metadata),
	}}, nil
}

// own refuses a message that the actor did not write or cannot see. That others' messages are read-only is documented
// (concepts page of ACS Chat); system messages are nobody's.
func own(a *Access, actor Identity, m *Message) error {
	if err := a.member(actor); err != nil {
		return err
	}
	if !a.sees(m.ID) {
		return notFound("message is outside the history of the participant")
	}
	if m.Sender != actor {
		return forbidden("message of somebody else")
	}
	return nil
}

// updateMessage edits a message: same id and sequence number, a new version. {} changes nothing but succeeds
// (recordings of the CLI suite).
func updateMessage(a *Access, actor Identity, m *Message, in MessageUpdate, now Time) (*Change, error) {
	if err := own(a, actor, m); err != nil {
		return nil, err
	}
	if m.DeletedOn != 0 {
		return nil, notFound("message is deleted")
	}
	if in.Content == nil && in.Metadata == nil {
		return nil, nil
	}
	edited := *m
	if in.Content != nil {
		if *in.Content == "" {
			return nil, badRequest("", "empty content")
		}
		if err := checkContent(*in.Content); err != nil {
			return nil, err
		}
		edited.Content.Text = *in.Content
	}
	if in.Metadata != nil {
		edited.Metadata = merge(m.Metadata, in.Metadata)
		if err := checkMetadata(edited.Metadata); err != nil {
			return nil, err
		}
	}
	edited.EditedOn = now
	return replace(a, actor, m, edited, now), nil
}

// deleteMessage leaves a tombstone: no content, no metadata, the same id and sequence number (recordings of the CLI
// suite). Deleting it again changes nothing.
func deleteMessage(a *Access, actor Identity, m *Message, now Time) (*Change, error) {
	if err := own(a, actor, m); err != nil {
		return nil, err
	}
	if m.DeletedOn != 0 {
		return nil, nil
	}
	gone := *m
	gone.Content, gone.Metadata, gone.DeletedOn = Content{}, nil, now
	return replace(a, actor, m, gone, now), nil
}

func replace(a *Access, actor Identity, old *Message, m Message, now Time) *Change {
	c := begin(&a.Thread, actor, old.SenderName, now)
	m.Version = max(int64(now), old.Version+1)
	c.Version = m.Version
	c.Replace = []Message{m}
	return c.done()
}
