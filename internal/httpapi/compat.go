package httpapi

import "github.com/chatd/chatd/internal/chat"

// versioned is a reply whose look depends on the version. Handlers return everything that any version has.
type versioned interface {
	// at returns the reply as it looks in a version.
	at(v Version) any
}

// selfWritten is a reply that writes itself, as a version has it.
type selfWritten interface {
	appendJSON(to []byte, version Version) []byte
}

// olderRequest is a request of an older shape.
type olderRequest[T any] interface {
	// lift returns what it means in the newest shape.
	lift() T
}

// shaped is a request that had older shapes.
type shaped[T any] interface {
	// shape returns what to decode the body of a version into; nil for the newest shape.
	shape(v Version) olderRequest[T]
}

// limited is a request of which older versions knew less.
type limited interface {
	// limit drops what the version did not know and ignored.
	limit(v Version)
}

func (l list[T]) at(v Version) any {
	if _, ok := any(*new(T)).(versioned); !ok {
		return l
	}
	out := list[any]{Value: make([]any, len(l.Value)), NextLink: l.NextLink}
	for i := range l.Value {
		out.Value[i] = any(l.Value[i]).(versioned).at(v)
	}
	return out
}

func (t threadModel) at(v Version) any {
	if !v.has(threadMetadata) {
		t.Metadata = nil
	}
	if !v.has(retention) {
		t.RetentionPolicy = nil
	}
	if !v.has(policy) {
		t.MessagingPolicy = nil
	}
	if v.has(flatIDs) {
		return t.flat()
	}
	return t
}

func (r createThreadReply) at(v Version) any {
	if v.has(nestedErrors) {
		return nestedCreateReply{r.ChatThread.at(v), nest(r.InvalidParticipants)}
	}
	r.ChatThread = r.ChatThread.at(v).(threadModel)
	return r
}

func (r addParticipantsReply) at(v Version) any {
	if v.has(nestedErrors) {
		return nestedAddReply{nest(r.InvalidParticipants)}
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

// limitThread drops what a version did not know of the properties of a thread.
func limitThread[M, R, P any](v Version, metadata *M, r *R, p *P) {
	limitTo(v.has(threadMetadata), metadata)
	limitTo(v.has(retention), r)
	limitTo(v.has(policy), p)
}

// limitTo makes a field that a version does not have absent.
func limitTo[T any](has bool, field *T) {
	if !has {
		*field = *new(T)
	}
}

func limitParticipants(v Version, in []participantModel) {
	for i := range in {
		if !v.has(threadMetadata) {
			in[i].Metadata = nil
		}
		if !v.has(roles) {
			in[i].RoleIDs = nil
		}
	}
}

func (in *createThreadRequest) limit(v Version) {
	limitThread(v, &in.Metadata, &in.RetentionPolicy, &in.MessagingPolicy)
	limitParticipants(v, in.Participants)
}

func (in *updateThreadRequest) limit(v Version) {
	limitThread(v, &in.Metadata, &in.RetentionPolicy, &in.MessagingPolicy)
}

func (in *addParticipantsRequest) limit(v Version) { limitParticipants(v, in.Participants) }

// limitMessage drops what a version did not know of a message.
func limitMessage[M, A any](v Version, metadata *M, attachments *A) {
	limitTo(v.has(messageMetadata), metadata)
	limitTo(v.has(sentAttachments), attachments)
}

func (in *sendMessageRequest) limit(v Version) { limitMessage(v, &in.Metadata, &in.Attachments) }

func (in *updateMessageRequest) limit(v Version) { limitMessage(v, &in.Metadata, &in.Attachments) }

// envelope renders an error of Chat as the service really sent it, which is not what its specification says (recordings of
// the Java, Android and CLI suites).
func envelope(v Version, code, message string) any {
	inner := chatError{Code: code, Message: message}
	switch {
	case v == "" || v > preview4:
		inner.Details = &[]struct{}{}
		return map[string]chatError{"CommunicationError": inner}
	case v > preview2:
		inner.Details = &[]struct{}{}
		return map[string]chatError{"Error": inner}
	case code == outcomes[chat.NotFound].code: // recorded without
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
