package chat

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"slices"
)

// Image is a picture that was uploaded to a thread, to be attached to messages.
type Image struct {
	ID    string
	Name  string
	Type  string // media type
	Owner Identity
	On    Time
	Bytes []byte
}

var imageTypes = []string{"image/png", "image/jpeg", "image/gif", "image/bmp", "image/webp"}

// newImage takes a picture of a type that browsers show, told by its bytes. The id has the form that recorded ids have
// (example of the specification, 2024-03-15-preview).
func newImage(owner Identity, name string, bytes []byte, now Time) (*Image, error) {
	if len(bytes) > MaxImageBytes {
		return nil, &Error{Kind: TooLarge, Reason: "image over the limit"}
	}
	if err := checkText("image name", name, MaxNameBytes); err != nil {
		return nil, err
	}
	kind := http.DetectContentType(bytes)
	if !slices.Contains(imageTypes, kind) {
		return nil, badRequest("The image type is not supported.", "content is %s", kind)
	}
	var b [16]byte
	rand.Read(b[:])
	return &Image{ID: "0-cd-d1-" + hex.EncodeToString(b[:]), Name: name, Type: kind, Owner: owner, On: now, Bytes: bytes}, nil
}
