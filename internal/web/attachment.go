package web

import "github.com/chatd/chatd/internal/chat"

// Attachment is an attachment of a message, in requests, answers and events.
type Attachment struct {
	ID         string `json:"id"`
	Type       string `json:"attachmentType"`
	Name       string `json:"name,omitempty"`
	URL        string `json:"url,omitempty"`
	PreviewURL string `json:"previewUrl,omitempty"`
}

// Attachments returns attachments as clients see them: uploaded images have the addresses at which the client finds their
// views. The slice is never nil.
func Attachments(in []chat.Attachment, address func(image, view string) string) []Attachment {
	out := make([]Attachment, len(in))
	for i, a := range in {
		out[i] = Attachment(a)
		if a.Type == chat.AttachedImage && a.URL == "" {
			out[i].URL, out[i].PreviewURL = address(a.ID, "original"), address(a.ID, "small")
		}
	}
	return out
}
