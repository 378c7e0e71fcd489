package chat

import "fmt"

// Limits of the service (service-limits and concepts pages of ACS). Where the answer to a broken limit is not
// publicly known, docs/fidelity.md says what was chosen.
const (
	MaxParticipants        = 250       // in one thread
	MaxParticipantsPerCall = 200       // in one create or add
	MaxMessageBytes        = 28 * 1024 // of content
	MaxTopicBytes          = 28 * 1024 // a topic becomes the content of a system message
	MaxMetadataBytes       = 1024      // keys and values together
	MaxNameBytes           = 1024      // of a display name; not documented
	MaxReceiptParticipants = 20        // threads with more keep no receipts
	MaxTokenBytes          = 1024      // of an idempotency token; not documented

	MaxAttachments  = 10       // of one message; not documented
	MaxImageBytes   = 10 << 20 // of an uploaded image; not documented
	MaxAddressBytes = 2048     // of an attachment's address; not documented

	MinRetentionDays = 30
	MaxRetentionDays = 90
)

// PageLimit is the size of a page that a client gets when it asks for none, and the most it gets.
type PageLimit struct{ Default, Max int }

// Page sizes. Those of messages and threads are documented or seen; the others are not.
var (
	ThreadPage      = PageLimit{100, 100}
	MessagePage     = PageLimit{100, 200}
	ParticipantPage = PageLimit{100, 100}
	ReceiptPage     = PageLimit{100, 100}
)

// checkMetadata enforces the limit of a metadata map. Empty values count: they are sent too.
func checkMetadata(metadata map[string]string) error {
	size := 0
	for k, v := range metadata {
		size += len(k) + len(v)
	}
	return checkSize("metadata", size, MaxMetadataBytes)
}

func checkText(what, text string, limit int) error { return checkSize(what, len(text), limit) }

func checkSize(what string, size, limit int) error {
	if size > limit {
		return badRequest("The %s has %d bytes, at most %d are allowed.", what, size, limit)
	}
	return nil
}

func checkContent(content string) error {
	if len(content) > MaxMessageBytes {
		return &Error{Kind: TooLarge, Code: "MessageSizeTooBig", Message: fmt.Sprintf("The content has %d bytes, at most %d are allowed.", len(content), MaxMessageBytes)}
	}
	return nil
}

func checkRetention(r Retention) error {
	switch r.Kind {
	case "", RetentionNone:
		return nil
	case RetentionCreationDate:
		if r.Days < MinRetentionDays || r.Days > MaxRetentionDays {
			return badRequest("deleteThreadAfterDays is %d, want %d to %d.", r.Days, MinRetentionDays, MaxRetentionDays)
		}
		return nil
	default:
		return badRequest("The kind of retention policy %.40q is not known.", r.Kind)
	}
}
