package chat

import (
	"fmt"
	"io"
	"slices"
)

// Image is a picture that was uploaded to a thread, to be attached to messages.
type Image struct {
	ID    string
	Name  string
	Type  string // media type
	Owner Identity
	On    Time

	Roster RosterVersion // of the thread at the upload

	Bytes []byte // empty when it was deleted
}

func (i *Image) deleted() bool { return len(i.Bytes) == 0 }

// imageTypes are those that @azure/communication-chat 1.6.0-beta.7 names, and BMP.
var imageTypes = []string{"image/png", "image/jpeg", "image/gif", "image/bmp", "image/webp", "image/heic"}

// NewImage is a picture to be uploaded.
type NewImage struct {
	Name  string
	Type  string // media type, as the bytes show it
	Bytes []byte
}

// newImageID returns an id of the form that recorded ids have (example of the specification, 2024-03-15-preview).
func newImageID(random io.Reader) string { return "0-cd-d1-" + randomHex(random, 16) }

// newImage takes a picture of a type that browsers show.
func newImage(owner Identity, id string, in NewImage, now Time) (*Image, error) {
	if len(in.Bytes) > MaxImageBytes {
		return nil, &Error{Kind: TooLarge, Message: fmt.Sprintf("The image is larger than %d bytes.", MaxImageBytes)}
	}
	if err := checkText("image name", in.Name, MaxNameBytes); err != nil {
		return nil, err
	}
	if !slices.Contains(imageTypes, in.Type) {
		return nil, &Error{Kind: Invalid, Message: "The image type is not supported.", Reason: "content is " + in.Type}
	}
	return &Image{ID: id, Name: in.Name, Type: in.Type, Owner: owner, On: now, Bytes: in.Bytes}, nil
}
