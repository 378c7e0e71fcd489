package httpapi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chatd/chatd/internal/chat"
)

// Version is an api-version. Versions of one API compare by age, since each begins with its date.
type Version string

// The versions in which shapes changed.
const (
	chat2021     Version = "2021-03-07"
	chatMetadata Version = "2021-09-07" // metadata on messages
	chat2023     Version = "2023-11-07" // attachments on html messages
	chat2024     Version = "2024-03-07" // attachments on text messages too
	chat2025     Version = "2025-03-15" // metadata of threads and participants, retention policy

	identity2021     Version = "2021-03-07"
	identityTeams    Version = "2022-06-01" // exchange of Teams tokens, with application and user
	identityLifetime Version = "2022-10-01" // expiresInMinutes
)

// versions lists what is served, oldest first, as the service lists it in api-supported-versions.
var versions = map[api][]Version{
	chatAPI:     {chat2021, chatMetadata, chat2023, chat2024, chat2025},
	identityAPI: {identity2021, identityTeams, identityLifetime, "2023-10-01"},
}

// supported lists the versions of a route for the header api-supported-versions.
func (row *route) supported() string {
	var out []string
	for _, v := range versions[row.api] {
		if v >= row.since {
			out = append(out, string(v))
		}
	}
	return strings.Join(out, ", ")
}

// version finds the api-version of a call. The text of the refusal is reported in Azure/Communication issues 159 and 160,
// the codes are the defaults of ASP.NET API versioning.
func (row *route) version(c *call) (Version, error) {
	asked := Version(c.query.Get("api-version"))
	if asked >= row.since && slices.Contains(versions[row.api], asked) {
		return asked, nil
	}
	if asked == "" {
		return "", &versionError{"ApiVersionUnspecified", "An API version is required, but was not specified."}
	}
	return "", &versionError{"UnsupportedApiVersion", fmt.Sprintf(
		"The HTTP resource that matches the request URI '%s%s' does not support the API version '%s'.", c.links.base(c.r), c.r.URL.EscapedPath(), asked)}
}

// versionError is the framework's own refusal, which has its own envelope in both APIs.
type versionError struct{ code, message string }

func (e *versionError) Error() string { return e.message }

// older is a reply that looked different in older versions.
type older interface {
	// at returns the reply as it looked in a version.
	at(v Version) any
}

// liftable is a request that meant something else in older versions.
type liftable interface {
	// lift turns a request of a version into one of the newest.
	lift(v Version)
}

func (t threadModel) at(v Version) any {
	if v < chat2025 {
		t.Metadata, t.RetentionPolicy = nil, nil
	}
	return t
}

func (t createThreadReply) at(v Version) any {
	t.ChatThread = t.ChatThread.at(v).(threadModel)
	return t
}

func (p participantModel) at(v Version) any {
	if v < chat2025 {
		p.Metadata = nil
	}
	return p
}

func (l list[T]) at(v Version) any {
	if _, ok := any(*new(T)).(older); !ok {
		return l
	}
	value := make([]T, len(l.Value))
	for i, item := range l.Value {
		value[i] = any(item).(older).at(v).(T)
	}
	l.Value = value
	return l
}

// Attachments are an empty list: on html messages from 2023-11-07, on text messages from 2024-03-07, on deleted ones like
// on text (recordings of the CLI suite).
func (m messageModel) at(v Version) any {
	c := m.Content
	if v < chat2023 || (v < chat2024 && m.Type != string(chat.HTML)) {
		c.Attachments = nil
	}
	participants := make([]participantModel, len(c.Participants))
	for i, p := range c.Participants {
		participants[i] = p.at(v).(participantModel)
	}
	if c.Participants != nil {
		c.Participants = participants
	}
	if v < chatMetadata {
		m.Metadata = nil
	}
	m.Content = c
	return m
}

// expiresInMinutes was not known before 2022-10-01 and was ignored.
func (in *createIdentityRequest) lift(v Version) {
	if v < identityLifetime {
		in.ExpiresInMinutes = nil
	}
}

func (in *issueTokenRequest) lift(v Version) {
	if v < identityLifetime {
		in.ExpiresInMinutes = nil
	}
}
