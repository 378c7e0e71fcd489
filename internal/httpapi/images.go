package httpapi

import (
	"net/http"
	"slices"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// Images are part of 2024-03-15-preview and 2024-06-05-preview only (specification folders of these versions).

type imageModel struct {
	ID   string `json:"id"`
	Type string `json:"attachmentType"`
	Name string `json:"name,omitempty"`
}

// uploadImage takes the bytes as they are; their kind is told by themselves.
func (s *server) uploadImage(c *call) (reply, error) {
	if len(c.body) == 0 {
		return reply{}, invalid("The image is missing.")
	}
	image, err := s.Chat.UploadImage(c, c.user(), c.thread(), chat.NewImage{Name: c.header("image-filename"), Type: imageType(c.body), Bytes: c.body})
	if err != nil {
		return reply{}, err
	}
	location := "/chat/threads/" + string(c.thread()) + "/images/" + image.ID // relative, as specified
	return reply{http.StatusCreated, location, imageModel{image.ID, chat.AttachedImage, image.Name}}, nil
}

// imageType tells the type of an image by its bytes. HEIC, which telephones make, is unknown to the standard library: it is
// an ISO base media file of one of these brands (ISO/IEC 23008-12).
func imageType(bytes []byte) string {
	if len(bytes) >= 12 && slices.Contains([]string{"ftypheic", "ftypheix", "ftypmif1"}, string(bytes[4:12])) {
		return "image/heic"
	}
	return http.DetectContentType(bytes)
}

// raw is a body that is not JSON.
type raw struct {
	contentType string
	bytes       []byte
}

// getImage returns the same bytes for every view: chatd makes no smaller ones.
func (s *server) getImage(c *call) (reply, error) {
	switch c.param("view") {
	case "original", "small", "large":
	default:
		return reply{}, invalid("The view of an image is original, small or large.")
	}
	if err := c.held.grow(c, wholeFile); err != nil {
		return reply{}, err
	}
	image, err := s.Chat.GetImage(c, c.user(), c.thread(), c.param("image"))
	if err != nil {
		return reply{}, err
	}
	return ok(raw{image.Type, image.Bytes})
}

func (s *server) deleteImage(c *call) (reply, error) {
	return done(http.StatusNoContent, s.Chat.DeleteImage(c, c.user(), c.thread(), c.param("image")))
}

func fromAttachments(in []web.Attachment) []chat.Attachment {
	if in == nil {
		return nil
	}
	out := make([]chat.Attachment, len(in))
	for i, a := range in {
		out[i] = chat.Attachment(a)
	}
	return out
}

// imageAddress is where an image of the call's thread is. Clients call it as it is, so it names a version (quickstart
// "Enable inline image support" of the ACS documentation).
func (c *call) imageAddress(image, view string) string {
	return c.links.base(c.r) + web.ImagePath(c.thread(), image, view) + "?api-version=" + string(withImages(c.version))
}
