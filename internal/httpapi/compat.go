package httpapi

import "github.com/chatd/chatd/internal/chat"

// downgradable is a reply whose look depends on the version. Handlers return everything that any version has.
type downgradable interface {
	// at returns the reply as it looks in a version.
	at(v Version) any
}

// jsonAppender is a reply that writes itself, as a version has it.
type jsonAppender interface {
	appendJSON(to []byte, version Version) []byte
}

// oldRequest is a request of an older shape.
type oldRequest[T any] interface {
	// upgrade returns what it means in the newest shape.
	upgrade() T
}

// reshaped is a request that had older shapes.
type reshaped[T any] interface {
	// oldShape returns what to decode the body of a version into; nil for the newest shape.
	oldShape(v Version) oldRequest[T]
}

// trimmed is a request of which older versions knew less.
type trimmed interface {
	// trim drops what the version did not know and ignored.
	trim(v Version)
}

func (l list[T]) at(v Version) any {
	if _, ok := any(*new(T)).(downgradable); !ok {
		return l
	}
	out := list[any]{Value: make([]any, len(l.Value)), NextLink: l.NextLink}
	for i := range l.Value {
		out.Value[i] = any(l.Value[i]).(downgradable).at(v)
	}
	return out
}

func (t threadModel) at(v Version) any {
	if !v.has(threadMetadata) {
		t.Metadata = nil
	}
	if !v.has(retentionPolicy) {
		t.RetentionPolicy = nil
	}
	if !v.has(messagingPolicy) {
		t.MessagingPolicy = nil
	}
	if v.has(flatIDs) {
		return t.flat()
	}
	return t
}

func (r createThreadReply) at(v Version) any {
	if v.has(nestedErrors) {
		return nestedCreateReply{r.ChatThread.at(v), nestErrors(r.InvalidParticipants)}
	}
	r.ChatThread = r.ChatThread.at(v).(threadModel)
	return r
}

func (r addParticipantsReply) at(v Version) any {
	if v.has(nestedErrors) {
		return nestedAddReply{nestErrors(r.InvalidParticipants)}
	}
	return r
}

func (p participantModel) at(v Version) any {
	if !v.has(threadMetadata) {
		p.Metadata = nil
	}
	if !v.has(roles) {
		p.RoleIDs = nil
	}
	if v.has(flatIDs) {
		return p.flat()
	}
	return p
}

func (r receiptModel) at(v Version) any {
	if v.has(flatIDs) {
		return r.flat()
	}
	return r
}

// trimThread drops what a version did not know of the properties of a thread.
func trimThread[M, R, P any](v Version, metadata *M, r *R, p *P) {
	clearUnless(v.has(threadMetadata), metadata)
	clearUnless(v.has(retentionPolicy), r)
	clearUnless(v.has(messagingPolicy), p)
}

// clearUnless makes a field that a version does not have absent.
func clearUnless[T any](has bool, field *T) {
	if !has {
		*field = *new(T)
	}
}

func trimParticipants(v Version, in []participantModel) {
	for i := range in {
		if !v.has(threadMetadata) {
			in[i].Metadata = nil
		}
		if !v.has(roles) {
			in[i].RoleIDs = nil
		}
	}
}

func (in *createThreadRequest) trim(v Version) {
	trimThread(v, &in.Metadata, &in.RetentionPolicy, &in.MessagingPolicy)
	trimParticipants(v, in.Participants)
}

func (in *updateThreadRequest) trim(v Version) {
	trimThread(v, &in.Metadata, &in.RetentionPolicy, &in.MessagingPolicy)
}

func (in *addParticipantsRequest) trim(v Version) { trimParticipants(v, in.Participants) }

// trimMessage drops what a version did not know of a message.
func trimMessage[M, A any](v Version, metadata *M, attachments *A) {
	clearUnless(v.has(messageMetadata), metadata)
	clearUnless(v.has(sentAttachments), attachments)
}

func (in *sendMessageRequest) trim(v Version) { trimMessage(v, &in.Metadata, &in.Attachments) }

func (in *updateMessageRequest) trim(v Version) { trimMessage(v, &in.Metadata, &in.Attachments) }

// chatErrorBody renders an error of Chat as the service really sent it, which is not what its specification says (recordings of
// the Java, Android and CLI suites).
func chatErrorBody(v Version, code, message string) any {
	inner := chatError{Code: code, Message: message}
	switch {
	case v == "" || v > preview4:
		inner.Details = &[]struct{}{}
		return map[string]chatError{"CommunicationError": inner}
	case v > preview2:
		inner.Details = &[]struct{}{}
		return map[string]chatError{"Error": inner}
	case code == errorAnswers[chat.NotFound].code: // recorded without
		return inner
	default: // azure-sdk-for-java issue 21723
		inner.InnerErrors = &[]struct{}{}
		return inner
	}
}

type chatError struct {
	Code        string      `json:"Code"`
	Message     string      `json:"Message,omitempty"`
	Details     *[]struct{} `json:"Details,omitempty"`
	InnerErrors *[]struct{} `json:"InnerErrors,omitempty"`
}
