package trouter

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/chatd/chatd/internal/chat"
)

// params are connectparams. They are put into URLs unescaped and cut at "=", so their values are URL-safe, and their names
// none that the client uses itself. Only se (ms, when they end) has a meaning for the client.
type params struct {
	id   string
	user chat.Identity
	end  chat.Time
}

func (s *Server) params(id string, user chat.Identity, tags string) map[string]string {
	now := s.Now()
	p := params{id, user, now + chat.Time(allocation.Milliseconds())}
	return map[string]string{
		"sr": p.id, "issuer": "chatd", "sp": "connect", "st": number(now), "se": number(p.end), "tags": tags,
		"u": base64.RawURLEncoding.EncodeToString([]byte(p.user)), "sig": s.signature(p),
	}
}

func number(t chat.Time) string { return strconv.FormatInt(int64(t), 10) }

func (s *Server) signature(p params) string {
	mac := hmac.New(sha256.New, s.Secret)
	mac.Write([]byte(strings.Join([]string{p.id, string(p.user), number(p.end)}, "\x00")))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

var allocationID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// readParams returns the connectparams of a request when they are ours and have not ended.
func (s *Server) readParams(q url.Values) (params, error) {
	user, err := base64.RawURLEncoding.DecodeString(q.Get("u"))
	if err != nil {
		return params{}, errParams
	}
	end, err := strconv.ParseInt(q.Get("se"), 10, 64)
	p := params{q.Get("sr"), chat.Identity(user), chat.Time(end)}
	if err != nil || !allocationID.MatchString(p.id) || !hmac.Equal([]byte(s.signature(p)), []byte(q.Get("sig"))) || p.end < s.Now() {
		return params{}, errParams
	}
	return p, nil
}

var errParams = &chat.Error{Kind: chat.Unauthorized, Reason: "connectparams are missing, altered or have ended"}
