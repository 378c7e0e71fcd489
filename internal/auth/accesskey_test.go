package auth

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

var (
	primary   = base64.StdEncoding.EncodeToString([]byte("the primary key, 32 bytes long.."))
	secondary = base64.StdEncoding.EncodeToString([]byte("the secondary key, 32 bytes too."))
	signedOn  = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
)

const (
	body    = `{"scopes":["chat"]}`
	create  = "/identities?api-version=2023-10-01"
	issue   = "/identities/8%3Aacs%3A1c1ed2c9_00-11/:issueAccessToken?api-version=2023-10-01"
	decoded = "/identities/8:acs:1c1ed2c9_00-11/:issueAccessToken?api-version=2023-10-01"
)

// signing is how an SDK signs a request and sends it. What is empty is as with most.
type signing struct {
	header                     string // with the date; x-ms-date
	sentHost, signedHost       string // localhost:8443
	sentTarget, signedTarget   string // create
	date, key, scheme, method  string
	content, signedContentHash string
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// request makes the request as the server sees it. It knows nothing of the code under test.
func (s signing) request(t *testing.T) *http.Request {
	t.Helper()
	header := or(s.header, "x-ms-date")
	sentHost, sentTarget := or(s.sentHost, "localhost:8443"), or(s.sentTarget, create)
	date := or(s.date, "Wed, 04 Mar 2026 05:06:07 GMT")
	content := sha256.Sum256([]byte(or(s.content, body)))
	hash := or(s.signedContentHash, base64.StdEncoding.EncodeToString(content[:]))
	text := "POST\n" + or(s.signedTarget, sentTarget) + "\n" + date + ";" + or(s.signedHost, sentHost) + ";" + hash
	key, err := base64.StdEncoding.DecodeString(or(s.key, primary))
	noError(t, err)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))

	wire := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\nx-ms-content-sha256: %s\r\n"+
		"Authorization: %s SignedHeaders=%s;host;x-ms-content-sha256&Signature=%s\r\n\r\n",
		or(s.method, "POST"), sentTarget, sentHost, header, date, hash,
		or(s.scheme, "HMAC-SHA256"), header, base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
	noError(t, err)
	return r
}

func accessKeys(tb testing.TB, hosts ...string) *AccessKeys {
	tb.Helper()
	keys, err := NewAccessKeys([]string{primary, secondary}, hosts)
	noError(tb, err)
	return keys
}

// verify checks a request and its body, as the server does.
func verify(keys *AccessKeys, r *http.Request, body []byte, now time.Time) (KeyID, error) {
	keyID, err := keys.Verify(r, now)
	if err == nil {
		err = VerifyBody(r, body)
	}
	return keyID, err
}

func TestVerifyAcceptsEachSDK(t *testing.T) {
	t.Parallel()
	const doubled = "localhost:8443:8443"
	form := signing{
		sentTarget: "/identities?api-version=2023-10-01&note=a%20b~c*(d)", signedTarget: "/identities?api-version=2023-10-01&note=a+b%7Ec*%28d%29",
	}
	formDoubled := form
	formDoubled.sentHost, formDoubled.signedHost = doubled, doubled
	tests := []struct {
		name string
		signing
	}{
		{"js common 1.0 Node", signing{header: "date"}},
		{"js common 1.0 browser", signing{}},
		{"js common 1.1", signing{sentTarget: issue}},
		{"js common 2.0.0 to 2.4.0 Node", signing{sentHost: doubled, signedHost: doubled}},
		{"js common 2.0.0 to 2.4.0 Node, query in form style", formDoubled},
		{"js common 2.0.0 to 2.4.0 browser", signing{signedHost: doubled}},
		{"js common 2.x on the default port", signing{sentHost: "chat.example.com"}},
		{"js common 2.4.2 and 2.5", signing{sentTarget: issue}},
		{"js common 2.4.2 and 2.5, query in form style", form},
		{"js, double slash", signing{sentTarget: "/" + create}},
		{"python sync 2020", signing{header: "date"}},
		{"python sync over https", signing{sentTarget: issue}},
		{"python sync over https, slash after the endpoint", signing{signedHost: "localhost:8443/", signedTarget: create[1:]}},
		{"python sync over http", signing{sentTarget: issue, signedTarget: issue[1:]}},
		{"python sync over http, slash after the endpoint", signing{signedHost: "localhost:8443/", signedTarget: create[2:]}},
		{"python async over https", signing{sentTarget: issue, signedTarget: decoded}},
		{"python async over https, path decoded on the wire", signing{sentTarget: decoded}},
		{"python async over https, slash after the endpoint", signing{sentTarget: issue, signedHost: "localhost:8443/", signedTarget: decoded[1:]}},
		{"python async over http", signing{sentTarget: issue, signedTarget: decoded[1:]}},
		{"Java 2020", signing{header: "date", sentHost: "localhost", date: "Wed, 4 Mar 2026 05:06:07 GMT"}},
		{"Java", signing{sentHost: "localhost", sentTarget: decoded}},
		{"Java, port added on the way", signing{signedHost: "localhost"}},
		{"NET", signing{sentTarget: issue}},
		{"NET on IPv6", signing{sentHost: "[::1]:8443"}},
		{"Power Platform", signing{header: "Date"}},
		{"scheme in lower case", signing{scheme: "hmac-sha256"}},
		{"absolute form to a proxy", signing{sentTarget: "http://localhost:8443" + issue, signedTarget: issue}},
		{"absolute form without a path", signing{sentTarget: "http://localhost:8443", signedTarget: "/"}},
		{"absolute form with a query only", signing{sentTarget: "http://localhost:8443?a=b", signedTarget: "/?a=b"}},
		{"secondary key", signing{key: secondary}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := verify(accessKeys(t), tt.request(t), []byte(body), signedOn); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestVerifyBehindProxy(t *testing.T) {
	t.Parallel()
	keys := accessKeys(t, "chat.example.com", "chat.example.com:8443")
	for _, signed := range []string{
		"chat.example.com", "chat.example.com/", "chat.example.com:8443", "chat.example.com:8443:8443", "10.0.0.7:80", "10.0.0.7",
	} {
		s := signing{sentHost: "10.0.0.7:80", signedHost: signed}
		if _, err := verify(keys, s.request(t), []byte(body), signedOn); err != nil {
			t.Errorf("signed for %s: %v", signed, err)
		}
	}
	s := signing{sentHost: "10.0.0.7:80", signedHost: "other.example.com"}
	if _, err := verify(keys, s.request(t), []byte(body), signedOn); chat.KindOf(err) != chat.Unauthorized {
		t.Errorf("signed for another host: error %v, want Unauthorized", err)
	}
}

func TestVerifyRefusesWhatIsNotSigned(t *testing.T) {
	t.Parallel()
	denied := &chat.Error{
		Kind: chat.Unauthorized, Code: "Denied", Message: "Denied by the resource provider.",
		Reason: "no access key gives the signature of this method, path, query and host",
	}
	tests := []struct {
		name string
		signing
	}{
		{"wrong key", signing{key: base64.StdEncoding.EncodeToString(make([]byte, 64))}},
		{"other path", signing{signedTarget: issue}},
		{"other query", signing{signedTarget: create + "x"}},
		{"other method", signing{method: "DELETE"}},
		{"other host", signing{signedHost: "other:8443"}},
		{"other port", signing{signedHost: "localhost:8444"}},
		{"three characters lost", signing{signedTarget: create[3:]}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := verify(accessKeys(t), tt.request(t), []byte(body), signedOn)
			sameError(t, err, denied)
		})
	}
}

func TestVerifyRefusesOtherBody(t *testing.T) {
	t.Parallel()
	want := &chat.Error{
		Kind: chat.Unauthorized, Code: "Denied",
		Message: "Request 'x-ms-content-sha256' differs from generated content hash.",
	}
	for name, r := range map[string]*http.Request{
		"altered":        signing{content: "{}"}.request(t),
		"made-up hash":   signing{signedContentHash: "AAAA"}.request(t),
		"body left away": signing{content: " "}.request(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := verify(accessKeys(t), r, []byte(body), signedOn)
			sameAnswer(t, err, want)
		})
	}
}

func TestVerifyHashesMissingBodyAsEmpty(t *testing.T) {
	t.Parallel()
	empty := "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	r := signing{signedContentHash: empty}.request(t)
	_, err := verify(accessKeys(t), r, nil, signedOn)
	noError(t, err)
}

func TestVerifyDate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		date   string
		offset time.Duration // of the server's clock
		reason string        // empty: accepted
	}{
		{"now", "", 0, ""},
		{"15 minutes ago", "", MaxSkew, ""},
		{"15 minutes ahead", "", -MaxSkew, ""},
		{"too old", "", MaxSkew + time.Second, "signed date is 15m1s from the server's time, at most 15m0s"},
		{"too new", "", -MaxSkew - time.Second, "signed date is -15m1s from the server's time, at most 15m0s"},
		{"years ago", "Mon, 01 Jan 2024 00:00:00 GMT", 0, "signed date is 19037h6m7s from the server's time, at most 15m0s"},
		{"RFC 3339", "2026-03-04T05:06:07Z", 0, "signed date is missing or not of RFC 1123"},
		{"other zone", "Wed, 04 Mar 2026 05:06:07 CET", 0, "signed date is missing or not of RFC 1123"},
		{"blank", " ", 0, "signed date is missing or not of RFC 1123"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := verify(accessKeys(t), signing{date: tt.date}.request(t), []byte(body), signedOn.Add(tt.offset))
			if tt.reason == "" {
				noError(t, err)
				return
			}
			sameError(t, err, Denied("%s", tt.reason))
		})
	}
}

func TestVerifyHeaders(t *testing.T) {
	t.Parallel()
	good := signing{}.request(t).Header.Get("Authorization")
	tests := []struct {
		name, header, reason string
	}{
		{"none", "", "no Authorization header"},
		{"bearer", "Bearer abc", "authorization scheme is not HMAC-SHA256"},
		{"scheme only", "HMAC-SHA256", "Authorization header has no SignedHeaders and Signature"},
		{"no signature", good[:strings.Index(good, "&")], "Authorization header has no SignedHeaders and Signature"},
		{"no names", "HMAC-SHA256 Signature=AA==", "Authorization header has no SignedHeaders and Signature"},
		{"no date signed", strings.Replace(good, "x-ms-date;", "", 1), "SignedHeaders are not a date, host and x-ms-content-sha256"},
		{"host not signed", strings.Replace(good, "host;", "", 1), "SignedHeaders are not a date, host and x-ms-content-sha256"},
		{"content not signed", strings.Replace(good, ";x-ms-content-sha256", "", 1), "SignedHeaders are not a date, host and x-ms-content-sha256"},
		{"other date header", strings.Replace(good, "x-ms-date", "x-date", 1), "SignedHeaders are not a date, host and x-ms-content-sha256"},
		{"date header that is not there", strings.Replace(good, "x-ms-date", "date", 1), "signed date is missing or not of RFC 1123"},
		{"signature cut", good[:len(good)-4], "signature is not base64 of 32 bytes"},
		{"signature empty", good[:strings.Index(good, "Signature=")+10], "signature is not base64 of 32 bytes"},
		{"signature not base64", good[:len(good)-4] + "!!!!", "signature is not base64 of 32 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := signing{}.request(t)
			r.Header.Set("Authorization", tt.header)
			_, err := verify(accessKeys(t), r, []byte(body), signedOn)
			sameError(t, err, Denied("%s", tt.reason))
		})
	}
}

func TestVerifyRefusesAbsurdSizes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxSignedBytes)
	want := Denied("request line, host and headers are too long")
	for name, s := range map[string]signing{
		"target": {sentTarget: "/" + long},
		"host":   {sentHost: long},
		"date":   {date: "Wed," + strings.Repeat(" ", maxSignedBytes) + "04 Mar 2026 05:06:07 GMT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := verify(accessKeys(t), s.request(t), []byte(body), signedOn)
			sameError(t, err, want)
		})
	}
}

func TestNewAccessKeysRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		keys  []string
		hosts []string
	}{
		{"no key", nil, nil},
		{"three keys", []string{primary, primary, primary}, nil},
		{"not base64", []string{"not base64, not at all"}, nil},
		{"empty", []string{primary, ""}, nil},
		{"short", []string{base64.StdEncoding.EncodeToString(make([]byte, 15))}, nil},
		{"many hosts", []string{primary}, make([]string, 17)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := NewAccessKeys(tt.keys, tt.hosts); err == nil {
				t.Error("no error, want one")
			} else if strings.Contains(err.Error(), "not at all") {
				t.Errorf("error %q tells the key", err)
			}
		})
	}
}

func TestSignOverTheWire(t *testing.T) {
	t.Parallel()
	keys := accessKeys(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got bytes.Buffer
		_, _ = got.ReadFrom(r.Body)
		if _, err := verify(keys, r, got.Bytes(), signedOn); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	for _, target := range []string{create, issue, decoded, "", "//x?a=b%20c", "/?"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+target, strings.NewReader(body))
		noError(t, err)
		noError(t, Sign(r, []byte(body), secondary, signedOn.In(time.FixedZone("CET", 3600))))
		answer, err := server.Client().Do(r)
		noError(t, err)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%q: status %d, want 200", target, answer.StatusCode)
		}
	}
}

func TestSignRefusesBadKey(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, create, nil)
	if err := Sign(r, nil, "?", signedOn); err == nil {
		t.Error("no error, want one")
	}
}

func FuzzSignedRequest(f *testing.F) {
	f.Add("POST", "http://localhost:8443"+create, "localhost:8443:8443", body, "HMAC-SHA256 SignedHeaders=date;host;x-ms-content-sha256&Signature=AA==")
	f.Add("DELETE", "https://chat.example.com/identities/8%3Aacs%3A1_2?x=%zz&~", "", "", "Bearer x")
	f.Add("GET", "http://[::1]:80//a?b?c#d", "h:1:2", "\x00", "hmac-sha256 SignedHeaders=&Signature=")
	keys := accessKeys(f)
	f.Fuzz(func(t *testing.T, method, url, host, content, authorization string) {
		sent, err := http.NewRequest(method, url, nil)
		if err != nil || sent.Host == "" || Sign(sent, []byte(content), primary, signedOn) != nil {
			return
		}
		var wire bytes.Buffer
		if sent.Write(&wire) != nil {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(&wire))
		if err != nil || r.Host != sent.URL.Host { // Go cleans hosts that cannot be
			return
		}
		if _, err := verify(keys, r, []byte(content), signedOn); err != nil && len(url) < maxSignedBytes/2 {
			t.Errorf("%s %s signed and refused: %v", method, url, err)
		}
		if _, err := verify(keys, r, []byte(content+"x"), signedOn); err == nil {
			t.Error("accepted with another body")
		}
		r.Header.Set("Authorization", authorization)
		r.Host = host
		if _, err := verify(keys, r, []byte(content), signedOn); chat.KindOf(err) != chat.Unauthorized {
			t.Errorf("error %v without a signature, want Unauthorized", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	keys := accessKeys(b, "chat.example.com")
	signed := httptest.NewRequest(http.MethodPost, "https://localhost:8443"+issue, nil)
	signed.RequestURI = issue
	noError(b, Sign(signed, []byte(body), primary, signedOn))
	refused := signed.Clone(b.Context())
	refused.Method = http.MethodDelete
	for name, r := range map[string]*http.Request{"signed": signed, "refused": refused} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _ = verify(keys, r, []byte(body), signedOn)
			}
		})
	}
}
