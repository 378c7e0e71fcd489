package httpapi

import (
	"net/http"
	"slices"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// Images can be uploaded in 2024-03-15-preview and 2024-06-05-preview only (API descriptions of these versions).

// imageModel is the answer to an upload. The client puts the id into an attachment of a message.
type imageModel struct {
	ID   string `json:"id"`
	Type string `json:"attachmentType"`
	Name string `json:"name,omitempty"`
}

// uploadImage takes the bytes as they are, and finds their type in them: a claimed one could make a browser run them as a page.
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

// imageType returns the media type of an image by its first bytes. The standard library does not know HEIC, which phones make: it
// is an ISO base media file of one of these brands (ISO/IEC 23008-12).
func imageType(bytes []byte) string {
	if len(bytes) >= 12 && slices.Contains([]string{"ftypheic", "ftypheix", "ftypmif1"}, string(bytes[4:12])) {
		return "image/heic"
	}
	return http.DetectContentType(bytes)
}

// getImage returns the same bytes for every view, since chatd makes no smaller images.
func (s *server) getImage(c *call) (reply, error) {
	switch c.param("view") {
	case "original", "small", "large":
	default:
		return reply{}, invalid("The view of an image is original, small or large.")
	}
	if err := c.memory.reserve(c, imageSize); err != nil {
		return reply{}, err
	}
	image, err := s.Chat.GetImage(c, c.user(), c.thread(), c.param("image"))
	if err != nil {
		return reply{}, err
	}
	return ok(file{image.Type, image.Bytes})
}

// deleteImage works for the user who uploaded the image.
func (s *server) deleteImage(c *call) (reply, error) {
	return noBody(http.StatusNoContent, s.Chat.DeleteImage(c, c.user(), c.thread(), c.param("image")))
}

// imageAddress returns the URL of an image of the call's thread. Clients call it as it is, so it includes a version (quickstart
// "Enable inline image support" of the ACS documentation).
func (c *call) imageAddress(image, view string) string {
	return c.links.base(c.r) + web.ImagePath(c.thread(), image, view) + "?api-version=" + string(withImages(c.version))
}
