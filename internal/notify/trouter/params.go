package trouter

import (
	"cmp"
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
	id                 string
	validFrom, validTo chat.Time
	Caller             // whom they were given to
}

func (s *Server) params(id string, c Caller, tags string) map[string]string {
	now := s.Now()
	p := params{id, now, now.Add(allocationLife), c}
	out := map[string]string{
		"sr": p.id, "issuer": "chatd", "sp": "connect", "st": number(p.validFrom), "se": number(p.validTo),
		"ti": number(p.Issued), "te": number(p.Expires), "tags": tags,
		"u": base64.RawURLEncoding.EncodeToString([]byte(p.User)), "sig": s.signature(p),
	}
	if p.Key != "" {
		out["tk"] = p.Key
	}
	return out
}

func number(t chat.Time) string { return strconv.FormatInt(int64(t), 10) }

func (s *Server) signature(p params) string {
	return s.sign("params", p.id, string(p.User), number(p.validFrom), number(p.validTo), number(p.Issued), number(p.Expires), p.Key)
}

// sign returns a signature of the parts, the first of which says what they are, so that one kind of signature is not good for
// another.
func (s *Server) sign(parts ...string) string {
	mac := hmac.New(sha256.New, s.Secret)
	mac.Write([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

var allocationID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// readParams returns the connectparams of a request when they are ours and have not ended.
func (s *Server) readParams(q url.Values) (params, error) {
	user, err := base64.RawURLEncoding.DecodeString(q.Get("u"))
	p := params{id: q.Get("sr"), Caller: Caller{User: chat.Identity(user), Key: q.Get("tk")}}
	for name, to := range map[string]*chat.Time{"st": &p.validFrom, "se": &p.validTo, "ti": &p.Issued, "te": &p.Expires} {
		n, wrong := strconv.ParseInt(q.Get(name), 10, 64)
		*to, err = chat.Time(n), cmp.Or(err, wrong)
	}
	if err != nil || !allocationID.MatchString(p.id) || !hmac.Equal([]byte(s.signature(p)), []byte(q.Get("sig"))) || p.validTo < s.Now() {
		return params{}, errParams
	}
	return p, nil
}

var errParams = &chat.Error{Kind: chat.Unauthorized, Reason: "connectparams are missing, altered or have ended"}
