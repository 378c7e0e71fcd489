package chat

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"regexp"
)

// ThreadID names a thread, "19:<x>@thread.v2".
type ThreadID string

// MaxThreadIDLength bounds a thread id, in bytes.
const MaxThreadIDLength = 256

var threadID = regexp.MustCompile(`^19:[A-Za-z0-9_-]+@thread\.v2$`)

// WellFormed reports whether the id has the form that all thread ids have.
func (id ThreadID) WellFormed() bool {
	return len(id) <= MaxThreadIDLength && threadID.MatchString(string(id))
}

// newThreadID makes an id for a thread created without an idempotency token: 32 hexadecimal digits
// (recordings of the Java and Android suites).
func newThreadID(random io.Reader) ThreadID {
	return ThreadID("19:" + randomHex(random, 16) + "@thread.v2")
}

// randomHex returns n random bytes in hexadecimal digits. The source is one that does not fail, as crypto/rand.Reader is.
func randomHex(random io.Reader, n int) string {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		panic(err)
	}
	return hex.EncodeToString(b)
}

// threadIDFor makes the id of the thread that the creator makes with an idempotency token. It is a hash of both,
// so that a repetition meets the first thread by its id: 32 bytes in the form of .NET's UrlTokenEncode, whose last
// digit counts the padding left out, behind the prefix that the service uses since 2025 (recordings of the CLI suite).
func threadIDFor(creator Identity, token string) ThreadID {
	sum := sha256.Sum256([]byte(string(creator) + "\x00" + token))
	return ThreadID("19:acsV1_" + base64.RawURLEncoding.EncodeToString(sum[:]) + "1@thread.v2")
}

// Retention says when a thread is to be deleted by the service. The zero value says nothing.
type Retention struct {
	Kind string // RetentionNone or RetentionCreationDate
	Days int    // with RetentionCreationDate: 30 to 90
}

// The kinds of retention policy (ACS Chat 2025-03-15).
const (
	RetentionNone         = "none"
	RetentionCreationDate = "threadCreationDate"
)

// ThreadKey is the store's own number for a thread, which no client sees.
type ThreadKey int64

// RosterVersion counts the changes of a thread's participants: each raises it by one. A new thread has version 1.
type RosterVersion int64

// Thread is a conversation in its present state.
type Thread struct {
	Key       ThreadKey // the store's own number for it; 0 before it is stored
	ID        ThreadID
	Topic     string
	CreatedBy Identity
	CreatedOn Time
	DeletedOn Time
	Metadata  map[string]string
	Retention Retention
	TextOnly  bool      // messaging policy: no attachments, no html
	Seq       int64     // of the newest message
	LastID    MessageID // of the newest message
	LastOn    Time      // arrival of the newest message
	Edited    int64     // changes with each edit or deletion of a message
	Roster    RosterVersion
	Present   int // how many take part now
}

// ExpiresOn returns when the thread's retention policy deletes it, or 0.
func (t *Thread) ExpiresOn() Time {
	if t.Retention.Kind != RetentionCreationDate {
		return 0
	}
	return t.CreatedOn + Time(t.Retention.Days)*24*60*60*1000
}

// moment is the time of what happens to the thread now: never before its newest message, for a clock may step back, and
// clients compare these times to show who has seen a message.
func (t *Thread) moment(now Time) Time { return max(now, t.LastOn) }

// nextID gives the next number of the thread: the present millisecond, or one more than the last where that
// is taken.
func (t *Thread) nextID(now Time) MessageID {
	return max(MessageID(now), t.LastID+1)
}

// ThreadItem is a thread as its participants list it.
type ThreadItem struct {
	Key       ThreadKey
	ID        ThreadID
	Topic     string
	DeletedOn Time
	LastOn    Time
}
