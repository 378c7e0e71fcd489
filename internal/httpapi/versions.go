package httpapi

import (
	"fmt"
	"strings"

	"github.com/chatd/chatd/internal/chat"
)

// Version is an api-version. Versions of one API compare by age, since each begins with its date.
type Version string

// The versions at which routes or shapes change.
const (
	preview2 Version = "2020-09-21-preview2" // Chat of the first SDKs: members
	preview3 Version = "2020-11-01-preview3" // participants, ids as strings
	preview4 Version = "2021-01-27-preview4" // identifier objects
	preview5 Version = "2021-03-01-preview5" // invalidParticipants beside the thread
	preview7 Version = "2021-10-01-preview7" // roles
	images1  Version = "2024-03-15-preview"  // images, in this and the next version only
	images2  Version = "2024-06-05-preview"

	identityOld      Version = "2020-07-20-preview2" // Identity of the first SDKs
	identity2021     Version = "2021-02-22-preview1"
	identityTeamsOld Version = "2021-03-31-preview1" // exchange of Teams tokens
	identityTeams    Version = "2022-06-01"          // the same with application and user
	identityLifetime Version = "2022-10-01"          // expiresInMinutes
	identityEntra    Version = "2025-03-02-preview"  // customId, get, exchange of Entra tokens
	identityTeamsExt Version = "2025-06-30"
)

// feature is something that the shapes of a version have.
type feature uint

const (
	members         feature = 1 << iota // the API of 2020-09-21-preview2; see compat_members.go
	flatIDs                             // identifiers are strings
	nestedErrors                        // invalid participants stand below "errors"
	messageMetadata                     // metadata of messages
	htmlAttachments                     // attachments of html messages
	textAttachments                     // attachments of text messages too
	threadMetadata                      // metadata of threads and participants
	retention                           // retention policy of threads
	policy                              // messaging policy of threads
	roles                               // role ids of participants
	sentAttachments                     // attachments of messages that users send
)

// chatVersions lists what is served, oldest first, with what is in it. Sources: the published specifications; recordings of
// the CLI suite for attachments, of the Java suite for the previews of 2020. Not every feature of a preview is in the
// stable version that follows it.
var chatVersions = []struct {
	version Version
	has     feature
}{
	{"2020-07-20-preview1", members | flatIDs},
	{preview2, members | flatIDs},
	{preview3, flatIDs | nestedErrors},
	{preview4, nestedErrors},
	{preview5, 0},
	{"2021-03-07", 0},
	{"2021-04-05-preview6", messageMetadata},
	{"2021-09-07", messageMetadata},
	{preview7, messageMetadata | roles},
	{"2022-04-21-preview8", messageMetadata},
	{"2022-11-15-preview8", messageMetadata},
	{"2023-04-01-preview", messageMetadata | htmlAttachments},
	{"2023-07-01-preview", messageMetadata | htmlAttachments | threadMetadata},
	{"2023-11-07", messageMetadata | htmlAttachments},
	{"2023-11-15-preview", messageMetadata | htmlAttachments | textAttachments | threadMetadata},
	{"2024-03-01-preview", messageMetadata | htmlAttachments | textAttachments | threadMetadata},
	{"2024-03-07", messageMetadata | htmlAttachments | textAttachments},
	{images1, messageMetadata | htmlAttachments | textAttachments | threadMetadata | retention | sentAttachments},
	{images2, messageMetadata | htmlAttachments | textAttachments | threadMetadata | retention | sentAttachments | policy},
	{"2025-03-15", messageMetadata | htmlAttachments | textAttachments | threadMetadata | retention},
}

var identityVersions = []Version{
	identityOld, identity2021, "2021-03-07", identityTeamsOld, "2021-10-31-preview", "2021-11-01", identityTeams, identityLifetime,
	"2023-08-01", "2023-08-30-preview", "2023-10-01", identityEntra, "2025-04-01-preview", identityTeamsExt, "2026-07-22", "2026-09-23",
}

// versions lists what is served of each API, oldest first; features tells what a version of Chat has.
var versions, features = func() (map[api][]Version, map[Version]feature) {
	all, has := map[api][]Version{identityAPI: identityVersions}, map[Version]feature{}
	for _, c := range chatVersions {
		all[chatAPI] = append(all[chatAPI], c.version)
		has[c.version] = c.has
	}
	return all, has
}()

func (v Version) has(f feature) bool { return features[v]&f != 0 }

// withImages returns the version in which to ask for an image that a message of a version has: the same, if it has images.
func withImages(v Version) Version {
	if v.has(sentAttachments) {
		return v
	}
	return images2
}

// serves reports whether a row of the table belongs to a version.
func (row *route) serves(v Version) bool {
	return v >= row.since && (row.until == "" || v <= row.until)
}

// supported lists the versions of rows that share method and path, for the header api-supported-versions.
func supported(rows []*route) string {
	var out []string
	for _, v := range versions[rows[0].api] {
		for _, row := range rows {
			if row.serves(v) {
				out = append(out, string(v))
				break
			}
		}
	}
	return strings.Join(out, ", ")
}

// choose finds the api-version of a call and the row that serves it. The text of the refusal is reported in
// Azure/Communication issues 159 and 160, the codes are the defaults of ASP.NET API versioning.
func choose(rows []*route, c *call) (*route, Version, error) {
	asked := Version(c.query.Get("api-version"))
	for _, v := range versions[rows[0].api] {
		for _, row := range rows {
			if v == asked && row.serves(v) {
				return row, v, nil
			}
		}
	}
	if asked == "" {
		return nil, "", &versionError{"ApiVersionUnspecified", "An API version is required, but was not specified."}
	}
	return nil, "", &versionError{"UnsupportedApiVersion", fmt.Sprintf(
		"The HTTP resource that matches the request URI '%s%s' does not support the API version '%s'.", c.links.base(c.r), c.r.URL.EscapedPath(), asked)}
}

// versionError is the framework's own refusal, which has its own envelope in both APIs.
type versionError struct{ code, message string }

func (e *versionError) Error() string { return e.message }

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

// at leaves out what identities did not tell before 2025.
func (r createIdentityReply) at(v Version) any {
	if v < identityEntra {
		r.Identity.CustomID, r.Identity.LastTokenOn = "", ""
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

func (in *sendMessageRequest) limit(v Version)   { limitMessage(v, &in.Metadata, &in.Attachments) }
func (in *updateMessageRequest) limit(v Version) { limitMessage(v, &in.Metadata, &in.Attachments) }

func (in *createIdentityRequest) limit(v Version) {
	if v < identityLifetime {
		in.ExpiresInMinutes = nil
	}
	if v < identityEntra {
		in.CustomID, in.ExternalID = "", ""
	}
}

func (in *issueTokenRequest) limit(v Version) {
	if v < identityLifetime {
		in.ExpiresInMinutes = nil
	}
}

func (in *exchangeTeamsRequest) limit(v Version) { in.tokenOnly = v < identityTeams }

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
