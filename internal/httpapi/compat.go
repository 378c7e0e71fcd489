package httpapi

import "github.com/chatd/chatd/internal/chat"

// This file has what older versions of Chat lack, except for messages, whose fields stand in message_fields.go with the versions
// that have them. Handlers return everything that any version has and get requests in the newest shape.

// downgradable is a reply that older versions have in another form.
type downgradable interface {
	// at returns the reply in the form of a version.
	at(v Version) any
}

// jsonAppender is a reply that encodes itself in the form of a version, where encoding/json would be too slow.
type jsonAppender interface {
	// appendJSON appends the reply to a buffer.
	appendJSON(to []byte, version Version) []byte
}

// oldRequest is a request in an older shape.
type oldRequest[T any] interface {
	// upgrade returns the request in the newest shape.
	upgrade() T
}

// reshaped is a request that had other shapes in older versions.
type reshaped[T any] interface {
	// oldShape returns an empty request in the shape of the version, into which to decode; nil for the newest shape.
	oldShape(v Version) oldRequest[T]
}

// trimmed is a request that has fields which older versions did not know.
type trimmed interface {
	// trim clears those fields, since the version ignored them as it ignores all unknown fields.
	trim(v Version)
}

// at lowers each item; a list of items that are the same in all versions stays as it is.
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
	trimThread(v, &t.Metadata, &t.RetentionPolicy, &t.MessagingPolicy)
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
	p.trim(v)
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

// trimThread clears the properties of a thread that a version does not have, in requests and answers.
func trimThread[M, R, P any](v Version, metadata *M, r *R, p *P) {
	clearUnless(v.has(threadMetadata), metadata)
	clearUnless(v.has(retentionPolicy), r)
	clearUnless(v.has(messagingPolicy), p)
}

// clearUnless clears a field that a version does not have.
func clearUnless[T any](has bool, field *T) {
	if !has {
		*field = *new(T)
	}
}

// trim clears what a version does not have, in requests and answers.
func (p *participantModel) trim(v Version) {
	clearUnless(v.has(threadMetadata), &p.Metadata)
	clearUnless(v.has(roles), &p.RoleIDs)
}

func trimParticipants(v Version, in []participantModel) {
	for i := range in {
		in[i].trim(v)
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

// trimMessage clears what a version did not read of a message. The list of attachments that it may answer is another matter:
// stable versions show attachments but cannot send them.
func trimMessage[M, A any](v Version, metadata *M, attachments *A) {
	clearUnless(v.has(messageMetadata), metadata)
	clearUnless(v.has(sentAttachments), attachments)
}

func (in *sendMessageRequest) trim(v Version) { trimMessage(v, &in.Metadata, &in.Attachments) }

func (in *updateMessageRequest) trim(v Version) { trimMessage(v, &in.Metadata, &in.Attachments) }

// chatErrorBody returns the body of an error of Chat as the service really sends it, which is not what its API description says
// (recordings of the Java, Android and CLI suites). The version is empty where the request named none that is served.
func chatErrorBody(v Version, code, message string) any {
	inner := chatError{Code: code, Message: message}
	switch {
	case v == "" || v > preview4:
		inner.Details = &[]struct{}{}
		return map[string]chatError{"CommunicationError": inner}
	case v > preview2:
		inner.Details = &[]struct{}{}
		return map[string]chatError{"Error": inner}
	case code == errorAnswers[chat.NotFound].code: // recorded without InnerErrors (Java suite)
		return inner
	default: // azure-sdk-for-java issue 21723
		inner.InnerErrors = &[]struct{}{}
		return inner
	}
}

// chatError is an error of Chat, in all of its envelopes.
type chatError struct {
	Code        string      `json:"Code"`
	Message     string      `json:"Message,omitempty"`
	Details     *[]struct{} `json:"Details,omitempty"`
	InnerErrors *[]struct{} `json:"InnerErrors,omitempty"`
}
