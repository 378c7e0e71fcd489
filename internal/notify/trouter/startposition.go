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

// A client that begins anew is told what happens from its first request on. The SDK for browsers asks for the configuration,
// resolves startRealtimeNotifications() with the answer, and allocates then, so that what a page does next is faster than the
// allocation. Hence the configuration already says where in the journal the client begins: signed, in the path of
// trouterServiceUrl, below which the SDK asks for the allocation, whichever server that comes to. From there on the
// connectparams have it. It counts for an endpoint that never connected: any other goes on where it was, or begins at the
// allocation when it had ended, so that nothing is told twice. Clients without a configuration begin at the allocation.

const (
	startLife         = 5 * time.Minute // from the first request to the first handshake, and skew more
	maxStartPositions = 10_000          // users of phones between the two
)

// sdkKeepingPath names the SDK that is known to append to trouterServiceUrl whatever its path is. What the SDKs for phones make
// of one is not known: their part that speaks Trouter is closed, and the one for Android is given what it takes for a host.
const sdkKeepingPath = "azsdk-js-communication-signaling/"

func keepsServicePath(h http.Header) bool {
	return strings.Contains(h.Get("X-Ms-Useragent"), sdkKeepingPath) || strings.Contains(h.Get("User-Agent"), sdkKeepingPath)
}

// startPosition is a position at which the user may begin for some time, in characters for URLs.
func (s *Server) startPosition(user chat.Identity, position chat.Position, life time.Duration) string {
	at, until := strconv.FormatInt(int64(position), 36), number(s.Now().Add(life))
	return at + "." + until + "." + s.sign("beginning", string(user), at, until)
}

// readStartPosition returns the position of a beginning that is the user's and has not ended.
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

// addStartPositions has connectparams say where the client begins: when it never connected, at the beginning if that is good, and
// else here. Without, the handshake has to find out.
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

// startOf returns where an endpoint begins that makes the handshake, and is new or had ended.
func (s *Server) startOf(ctx context.Context, e *delivery.Endpoint, q url.Values) (chat.Position, error) {
	at, ok := s.readStartPosition(q.Get("here"), e.User)
	if !ok {
		var err error
		if at, err = s.Hub.Head(ctx); err != nil {
			return 0, err
		}
	}
	if first, ok := s.readStartPosition(q.Get("begin"), e.User); ok && e.Newest == 0 {
		at = min(at, first) // one behind the present is of another journal
	}
	return at, nil
}

// allocationPath reports whether the path is that of allocations, and returns the beginning in it.
func allocationPath(path string) (start string, ok bool) {
	base, ok := strings.CutSuffix(path, allocatePath)
	if base == "" || !ok {
		return "", ok
	}
	start, ok = strings.CutPrefix(base, configPath+"/")
	return start, ok && !strings.Contains(start, "/")
}

// keepStartPosition keeps the beginning of a user whose client cannot carry it. It is found when the allocation comes to this server.
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
