package trouter

import (
	"context"
	"crypto/hmac"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
)

// A new client gets the events from its first request on. The SDK for JavaScript asks for the configuration, resolves
// startRealtimeNotifications() with the answer, and allocates only then, so that what a web page does next comes before the
// allocation. Hence the configuration already says at which position the client starts: signed, in the path of
// trouterServiceUrl, below which the SDK asks for the allocation, at whichever server. From there on the connectparams carry it.
// It counts for an endpoint that never connected. Any other resumes, or starts at the allocation when it had unregistered, so that
// no event is delivered twice. Clients that ask for no configuration start at the allocation.

const (
	startLife         = 5 * time.Minute // from the first request to the first handshake, and skew more
	maxStartPositions = 10_000          // users of phones between the two; beyond, their clients start at the allocation
)

// sdkKeepingPath names the SDK that is known to append to trouterServiceUrl whatever its path is. What the SDKs for iOS and Android
// make of a path is not known: their part that speaks Trouter is closed, and the one for Android is given a host.
const sdkKeepingPath = "azsdk-js-communication-signaling/"

func keepsServicePath(h http.Header) bool {
	return strings.Contains(h.Get("X-Ms-Useragent"), sdkKeepingPath) || strings.Contains(h.Get("User-Agent"), sdkKeepingPath)
}

// startPosition signs a position from which the user may start for some time, in characters for URLs.
func (s *Server) startPosition(user chat.Identity, position chat.Position, life time.Duration) string {
	at, until := strconv.FormatInt(int64(position), 36), number(s.Now().Add(life))
	return at + "." + until + "." + s.sign("beginning", string(user), at, until)
}

// readStartPosition returns a position that startPosition signed for the user, until it expires.
func (s *Server) readStartPosition(text string, user chat.Identity) (chat.Position, bool) {
	at, rest, _ := strings.Cut(text, ".")
	until, signature, _ := strings.Cut(rest, ".")
	if !hmac.Equal([]byte(s.sign("beginning", string(user), at, until)), []byte(signature)) {
		return 0, false
	}
	position, err := strconv.ParseInt(at, 36, 64)
	end, wrong := strconv.ParseInt(until, 10, 64)
	return chat.Position(position), err == nil && wrong == nil && s.Now() <= chat.Time(end).Add(clockSkew)
}

// addStartPositions adds to connectparams where the client starts: "begin" if it never connected, "here" otherwise. Without them the
// handshake starts at the present.
func (s *Server) addStartPositions(ctx context.Context, params map[string]string, user chat.Identity, start string) {
	head, err := s.Hub.Head(ctx) // not Position: the server may be behind what the client knows
	if err != nil {
		s.Log.Error("end of the journal cannot be read", "error", err)
		return
	}
	if _, ok := s.readStartPosition(start, user); !ok {
		start = s.startPosition(user, head, startLife)
	}
	params["begin"], params["here"] = start, s.startPosition(user, head, stepLife)
}

// startOf returns where an endpoint starts that is new or had unregistered before this handshake.
func (s *Server) startOf(ctx context.Context, e *delivery.Endpoint, q url.Values) (chat.Position, error) {
	at, ok := s.readStartPosition(q.Get("here"), e.User)
	if !ok {
		var err error
		if at, err = s.Hub.Head(ctx); err != nil {
			return 0, err
		}
	}
	if first, ok := s.readStartPosition(q.Get("begin"), e.User); ok && e.Newest == 0 {
		at = min(at, first) // a later one than the present is of another journal
	}
	return at, nil
}

// allocationPath reports whether the path is that of allocations, and returns the start position in it.
func allocationPath(path string) (start string, ok bool) {
	base, ok := strings.CutSuffix(path, allocatePath)
	if base == "" || !ok {
		return "", ok
	}
	start, ok = strings.CutPrefix(base, configPath+"/")
	return start, ok && !strings.Contains(start, "/")
}

// keepStartPosition keeps the start position of a user whose client cannot carry it. It is used when the allocation comes to this
// server.
func (s *Server) keepStartPosition(user chat.Identity, start string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.startPositions) < maxStartPositions {
		s.startPositions[user] = start
	}
}

// takeStartPosition returns what noteBegun kept, once.
func (s *Server) takeStartPosition(user chat.Identity) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer delete(s.startPositions, user)
	return s.startPositions[user]
}
