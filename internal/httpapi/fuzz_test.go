package httpapi

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// decoders read each body that a request may have.
var decoders = map[string]func(v Version, body []byte) (any, error){
	"CreateThread":       decoder[createThreadRequest],
	"CreateWithMembers":  decoder[createWithMembersRequest],
	"UpdateThread":       decoder[updateThreadRequest],
	"SendMessage":        decoder[sendMessageRequest],
	"UpdateMessage":      decoder[updateMessageRequest],
	"AddParticipants":    decoder[addParticipantsRequest],
	"AddMembers":         decoder[addMembersRequest],
	"RemoveParticipant":  decoder[identifierModel],
	"UpdateParticipant":  decoder[updateParticipantRequest],
	"SendReadReceipt":    decoder[sendReceiptRequest],
	"SendTyping":         decoder[typingRequest],
	"CreateIdentity":     decoder[createIdentityRequest],
	"IssueToken":         decoder[issueTokenRequest],
	"IssueOldToken":      decoder[issueToken2020Request],
	"RevokeBefore":       decoder[revokeTokensBeforeRequest],
	"ExchangeTeamsToken": decoder[exchangeTeamsRequest],
}

func decoder[T any](v Version, body []byte) (any, error) {
	var in T
	err := decodeAt(v, body, &in)
	return in, err
}

// FuzzDecode reads bodies as each operation does in each version. What cannot be read is a bad request, and nothing that
// is read holds a NUL or what is no text.
func FuzzDecode(f *testing.F) {
	for _, s := range fields {
		for _, values := range wrongTypes {
			f.Add(strings.Replace(s.around, "%s", values[0], 1))
		}
	}
	for _, body := range []string{
		"", "{}", "null", "[]", `{"topic":"x","participants":[{"communicationIdentifier":{"rawId":"8:acs:x"},"shareHistoryTime":"2022-01-01T00:00:00Z"}]}`,
		`{"topic":"x","members":[{"id":"8:acs:x","displayName":"y"}],"retentionPolicy":{"kind":"none"}}`, `{"content":"\u0000"}`, `{"content":"\\u0000"}`,
		`{"content":"\ud800"}`, "{\"content\":\"\xff\"}", `{"scopes":["chat"],"expiresInMinutes":60}`, `{"tokensValidFrom":"2020-10-10T00:00:00.000Z"}`,
		`{"metadata":{"a":null}}`, `{"attachments":[{"id":"x","attachmentType":"image"}]}`, `{"communicationUser":null,"phoneNumber":{"value":""}}`,
	} {
		f.Add(body)
	}
	all := append(append([]Version{""}, versions[chatAPI]...), versions[identityAPI]...)
	f.Fuzz(func(t *testing.T, body string) {
		for operation, decode := range decoders {
			for _, v := range all {
				in, err := decode(v, []byte(body))
				if err != nil {
					var known *chat.Error
					if !errors.As(err, &known) || known.Kind != chat.Invalid {
						t.Fatalf("%s %s: %T %v, want a bad request", operation, v, err, err)
					}
					continue
				}
				raw, err := json.Marshal(in)
				if err != nil {
					t.Fatalf("%s %s: %v", operation, v, err)
				}
				if hasNUL(raw) || !utf8.Valid(raw) {
					t.Fatalf("%s %s: read %q", operation, v, raw)
				}
			}
		}
	})
}

// FuzzCursor makes up cursors. None is valid, since the key is secret.
func FuzzCursor(f *testing.F) {
	s := &server{Config: Config{CursorKey: []byte(cursorKey)}}
	as := func(user chat.Identity, state string) *call {
		return &call{
			r: httptest.NewRequest(http.MethodGet, "/", nil), principal: auth.Principal{Identity: user}, query: url.Values{"syncState": {state}},
		}
	}
	good := s.newCursor(as("8:acs:alice", ""), "messages", 1742466030456)
	if at, err := s.cursor(as("8:acs:alice", good), "messages"); err != nil || len(at) != 1 || at[0] != 1742466030456 {
		f.Fatalf("a good continuation gives %v, %v", at, err)
	}
	for _, state := range []string{good, good[:10], good + "A", "!", "AQ", strings.Repeat("A", 34), strings.Repeat("_", 44), "\x00", "\xff"} {
		f.Add(state, []byte(state))
	}
	f.Fuzz(func(t *testing.T, state string, raw []byte) {
		for _, text := range []string{state, base64.RawURLEncoding.EncodeToString(raw)} {
			at, err := s.cursor(as("8:acs:bob", text), "messages") // the good one is alice's
			if text == "" {
				if at != nil || err != nil {
					t.Fatalf("no continuation gives %v, %v", at, err)
				}
				continue
			}
			if chat.KindOf(err) != chat.Invalid || at != nil {
				t.Fatalf("%q gives %v, %v, want a bad request", text, at, err)
			}
		}
	})
}

// FuzzTimes reads times. One that was read is written in a form that gives the same second.
func FuzzTimes(f *testing.F) {
	for _, text := range []string{
		"2022-01-01T00:00:00.000Z", "2020-09-08T01:02:14.387Z", "1/1/1970 12:00:00 AM +00:00", "1/1/1970 12:00:00 AM  00:00", "2022-01-01T02:00:00 02:00",
		"2022-01-01", "2022-01-01T00:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999-23:59", "0000-01-01T00:00:00+23:59", "", " ", "+", "Z", "\x00",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := chat.ParseTime(text)
		if err != nil {
			return
		}
		raw, err := json.Marshal(chatTime(at))
		if err != nil {
			t.Fatalf("%q is %d, which cannot be written: %v", text, at, err)
		}
		var again chatTime
		if err := json.Unmarshal(raw, &again); err != nil {
			t.Fatalf("%q is written %s, which cannot be read: %v", text, raw, err)
		}
		if year := at.Std().Year(); year < 1 || year > 9999 {
			return // has no such form
		}
		if cut := int64(at) - int64(again); cut < 0 || cut >= 1000 {
			t.Fatalf("%q is %d, written %s, read %d", text, at, raw, again)
		}
	})
}

// FuzzCleanPath sends requests for any path, by any method. None is redirected, none fails, and the form of a path does not
// change what it reaches.
func FuzzCleanPath(f *testing.F) {
	for _, target := range []string{
		"/", "//", "/chat/threads", "//chat//threads//", "/chat/threads/19:x@thread.v2/participants/:add", "/chat/threads/19%3Ax%40thread.v2/participants/%3aadd/",
		"/chat/threads/%2F/messages/%00", "/chat/threads/x/readreceipts", "/readreceipts", "/identities/8:acs:x/:issueAccessToken?api-version=2023-10-01",
		"/chat/threads/../..", "/%2e%2e/", "*", "http://host/chat/threads", "http://host", "//host/chat", "/chat/threads?a=%zz;b", "/chat/threads/{thread}", "/{x}/*",
	} {
		for _, method := range []string{"GET", "POST", "OPTIONS", "PROPFIND"} {
			f.Add(method, target)
		}
	}
	now := func() chat.Time { return moment }
	keys, err := auth.NewAccessKeys([]string{primaryKey}, nil)
	if err != nil {
		f.Fatal(err)
	}
	log := &logbook{}
	// Nobody is known, so that no request gets as far as the store.
	handler, err := New(Config{
		Chat: chat.NewService(nil, now, rand.Reader), Identities: auth.NewIdentities(resource, nil, nil, now), AccessKeys: keys, CursorKey: []byte(cursorKey), Now: now,
		Base: web.Base("", nil, slog.New(slog.DiscardHandler)),
		CORS: pagesOf(page), Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		f.Fatal(err)
	}
	serve := func(method, target string) (int, bool) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: host\r\n\r\n")))
		if err != nil {
			return 0, false
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code, true
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		status, ok := serve(method, target)
		if !ok {
			return
		}
		switch status {
		case http.StatusUnauthorized, http.StatusNotFound, http.StatusMethodNotAllowed:
		default:
			t.Fatalf("%s %s = %d: %s", method, target, status, log)
		}
		path, query, _ := strings.Cut(target, "?")
		if !strings.HasPrefix(path, "/") {
			return
		}
		for _, same := range []string{"/" + path, path + "/", strings.ReplaceAll(path, ":", "%3A")} {
			if again, ok := serve(method, same+"?"+query); ok && again != status {
				t.Fatalf("%s %s = %d, %s = %d", method, path, status, same, again)
			}
		}
	})
}
