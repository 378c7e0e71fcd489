package chat

// NewMessage is what a participant sends.
type NewMessage struct {
	Type       MessageType // empty for text
	Content    string
	SenderName string
	Metadata   map[string]string
	High       bool
	// Attachments are files elsewhere, or images that were uploaded to the thread before.
	Attachments []Attachment
}

// MessageUpdate changes a message; what is nil stays, metadata merges key by key, after ClearMetadata.
type MessageUpdate struct {
	Content       *string
	ClearMetadata bool // removes all keys that the message has
	Metadata      map[string]string
	Attachments   []Attachment
	High          *bool
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
		return nil, badRequest("Messages of type %.40q cannot be sent.", in.Type)
	}
	if in.Content == "" && len(in.Attachments) == 0 {
		return nil, badRequest("The message has no content.")
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
	if err := checkAttachments(&a.Thread, in.Type, in.Attachments); err != nil {
		return nil, err
	}
	return &Post{Thread: a.Thread, At: now, Message: Message{
		Type: in.Type, Content: Content{Text: in.Content, Attachments: in.Attachments}, Sender: sender, SenderName: in.SenderName,
		Metadata: keep(in.Metadata), High: in.High,
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
		return forbidden("The message was sent by somebody else.")
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
	if in.Content == nil && !in.ClearMetadata && in.Metadata == nil && in.Attachments == nil && in.High == nil {
		return nil, nil
	}
	edited := *m
	if in.Content != nil {
		if *in.Content == "" {
			return nil, badRequest("The content is empty.")
		}
		if err := checkContent(*in.Content); err != nil {
			return nil, err
		}
		edited.Content.Text = *in.Content
	}
	if in.ClearMetadata {
		edited.Metadata = nil
	}
	if in.Metadata != nil {
		edited.Metadata = merge(edited.Metadata, in.Metadata)
		if err := checkMetadata(edited.Metadata); err != nil {
			return nil, err
		}
	}
	if in.Attachments != nil {
		if err := checkAttachments(&a.Thread, m.Type, in.Attachments); err != nil {
			return nil, err
		}
		edited.Content.Attachments = in.Attachments
	}
	if in.High != nil {
		edited.High = *in.High
	}
	c := begin(&a.Thread, actor, m.SenderName, now)
	edited.EditedOn = max(c.At, m.EditedOn)
	return c.replace(edited), nil
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
	c := begin(&a.Thread, actor, m.SenderName, now)
	gone := *m
	gone.Content, gone.Metadata, gone.DeletedOn = Content{}, nil, max(c.At, m.EditedOn)
	return c.replace(gone), nil
}

// replace puts another version of a message in the place of the one before.
func (c *Change) replace(m Message) *Change {
	m.Version = max(int64(c.At), m.Version+1)
	c.Version, c.Replace = m.Version, []Message{m}
	return c.done()
}

// checkAttachments bounds what is attached; a thread whose messaging policy is text only takes neither attachments nor html.
func checkAttachments(t *Thread, kind MessageType, attached []Attachment) error {
	if t.TextOnly && (len(attached) > 0 || kind == HTML) {
		return errTextOnly()
	}
	if len(attached) > MaxAttachments {
		return badRequest("The message has %d attachments, at most %d are allowed.", len(attached), MaxAttachments)
	}
	for _, a := range attached {
		if a.ID == "" || (a.Type != AttachedImage && a.Type != AttachedFile) {
			return badRequest("An attachment has no id, or its type %.40q is not known.", a.Type)
		}
		if err := checkSize("attachment", len(a.ID)+len(a.Name)+len(a.URL)+len(a.PreviewURL), 2*MaxAddressBytes); err != nil {
			return err
		}
	}
	return nil
}
