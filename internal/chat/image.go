package chat

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
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

	Roster int64 // roster version of the thread at the upload

	Bytes []byte // empty when it was deleted
}

func (i *Image) deleted() bool { return len(i.Bytes) == 0 }

// imageTypes are those that @azure/communication-chat 1.6.0-beta.7 names, and BMP.
var imageTypes = []string{"image/png", "image/jpeg", "image/gif", "image/bmp", "image/webp", heic}

const heic = "image/heic"

// imageType tells the type of an image by its bytes. HEIC, which telephones make, is unknown to the standard library: it is
// an ISO base media file of one of these brands (ISO/IEC 23008-12).
func imageType(bytes []byte) string {
	if len(bytes) >= 12 && slices.Contains([]string{"ftypheic", "ftypheix", "ftypmif1"}, string(bytes[4:12])) {
		return heic
	}
	return http.DetectContentType(bytes)
}

// newImage takes a picture of a type that browsers show, told by its bytes. The id has the form that recorded ids have
// (example of the specification, 2024-03-15-preview).
func newImage(owner Identity, name string, bytes []byte, now Time) (*Image, error) {
	if len(bytes) > MaxImageBytes {
		return nil, &Error{Kind: TooLarge, Message: fmt.Sprintf("The image is larger than %d bytes.", MaxImageBytes)}
	}
	if err := checkText("image name", name, MaxNameBytes); err != nil {
		return nil, err
	}
	kind := imageType(bytes)
	if !slices.Contains(imageTypes, kind) {
		return nil, &Error{Kind: Invalid, Message: "The image type is not supported.", Reason: "content is " + kind}
	}
	var b [16]byte
	rand.Read(b[:])
	return &Image{ID: "0-cd-d1-" + hex.EncodeToString(b[:]), Name: name, Type: kind, Owner: owner, On: now, Bytes: bytes}, nil
}
