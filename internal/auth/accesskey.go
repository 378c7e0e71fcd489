package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"
)

// MaxSkew is how far the date of a signed request may be from now. That of the service is not publicly known; this
// is what its siblings allow (authentication page of Azure Storage).
const MaxSkew = 15 * time.Minute

const (
	minKeyBytes = 16
	maxHosts    = 16 // configured host names; each costs a refused request some forty tries a key

	// maxSignedBytes bounds what is read of a signed request beside its body: request line, host and headers.
	maxSignedBytes = 4 * 1024

	hashHeader = "x-ms-content-sha256"
	scheme     = "HMAC-SHA256"

	// dateLayout is RFC 1123; earlier SDKs for Java wrote days before the tenth with one digit
	// (azure-communication-common for Java, HmacAuthenticationPolicy).
	dateLayout = "Mon, 2 Jan 2006 15:04:05 GMT"
)

// AccessKeys verifies requests that the owner of the resource signed. It is safe for concurrent use.
type AccessKeys struct {
	keys  [][]byte
	hosts []string
}

// NewAccessKeys takes one key or two, in base64 and of at least 16 bytes each, and the host[:port] names under which
// clients reach the server beside the one that a request names itself, at most 16: a proxy may have changed that.
func NewAccessKeys(base64Keys []string, hosts []string) (*AccessKeys, error) {
	if n := len(base64Keys); n < 1 || n > 2 {
		return nil, fmt.Errorf("want one access key or two, have %d", n)
	}
	if n := len(hosts); n > maxHosts {
		return nil, fmt.Errorf("want at most %d host names, have %d", maxHosts, n)
	}
	a := &AccessKeys{hosts: hosts}
	for i, text := range base64Keys {
		key, err := decodeKey(text)
		if err != nil {
			return nil, fmt.Errorf("access key %d: %w", i+1, err)
		}
		a.keys = append(a.keys, key)
	}
	return a, nil
}

func decodeKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("not base64") // err would tell a part of the key
	}
	if len(key) < minKeyBytes {
		return nil, fmt.Errorf("want %d bytes or more, have %d", minKeyBytes, len(key))
	}
	return key, nil
}

// Verify checks that the request was signed with one of the keys within MaxSkew of now, and returns which. Otherwise its
// error is of kind Unauthorized with code Denied. It does not look at the body, so that no client makes the server read one without
// a key: what is signed is the body's hash in a header, and VerifyBody compares the two.
//
// SDKs do not agree on what they sign, so the signature may be that of any of the texts of signedTexts.
func (a *AccessKeys) Verify(r *http.Request, now time.Time) (KeyID, error) {
	authorization := r.Header.Get("Authorization")
	dateHeader, signature, err := parseAuthorization(authorization)
	if err != nil {
		return "", err
	}
	date := r.Header.Get(dateHeader)
	if len(authorization)+len(date)+len(r.Method)+len(r.RequestURI)+len(r.Host) > maxSignedBytes {
		return "", Denied("request line, host and headers are too long")
	}
	if err := checkDate(date, now); err != nil {
		return "", err
	}
	hash := r.Header.Get(hashHeader)
	if len(hash) != base64.StdEncoding.EncodedLen(sha256.Size) { // that of no body
		return "", errContentHash()
	}
	key := a.signer(signedTexts(r, date, hash, a.hosts), signature)
	if key == nil {
		return "", Denied("no access key gives the signature of this method, path, query and host")
	}
	return keyIDOf(key), nil
}

// VerifyBody checks that the body of a request that Verify took is the one that was signed.
func VerifyBody(r *http.Request, body []byte) error {
	if r.Header.Get(hashHeader) != contentHash(body) {
		return errContentHash()
	}
	return nil
}

// signer returns the key that gives the signature for one of the texts, or nil. The time that it takes tells which text that
// was, which the client knows, and not which key.
func (a *AccessKeys) signer(texts iter.Seq[string], signature []byte) []byte {
	for text := range texts {
		var found []byte
		for _, key := range a.keys {
			if hmac.Equal(sign(key, text), signature) {
				found = key
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// parseAuthorization reads
//
//	HMAC-SHA256 SignedHeaders=<date header>;host;x-ms-content-sha256&Signature=<base64>
//
// The date is in x-ms-date or, by SDKs before mid-2021 and by the Power Platform connector, in date.
func parseAuthorization(header string) (dateHeader string, signature []byte, err error) {
	if header == "" {
		return "", nil, Denied("no Authorization header")
	}
	name, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(name, scheme) {
		return "", nil, Denied("authorization scheme is not %s", scheme)
	}
	names, text, found := strings.Cut(strings.TrimSpace(rest), "&Signature=")
	names, prefixed := strings.CutPrefix(names, "SignedHeaders=")
	if !found || !prefixed {
		return "", nil, Denied("Authorization header has no SignedHeaders and Signature")
	}
	dateHeader, others, _ := strings.Cut(strings.ToLower(names), ";")
	if dateHeader != "x-ms-date" && dateHeader != "date" || others != "host;"+hashHeader {
		return "", nil, Denied("SignedHeaders are not a date, host and %s", hashHeader)
	}
	signature, decodeErr := base64.StdEncoding.DecodeString(text)
	if decodeErr != nil || len(signature) != sha256.Size {
		return "", nil, Denied("signature is not base64 of %d bytes", sha256.Size)
	}
	return dateHeader, signature, nil
}

func checkDate(text string, now time.Time) error {
	date, err := time.Parse(dateLayout, text)
	if err != nil {
		return Denied("signed date is missing or not of RFC 1123")
	}
	if skew := now.Sub(date); skew.Abs() > MaxSkew {
		return Denied("signed date is %s from the server's time, at most %s", skew.Round(time.Second), MaxSkew)
	}
	return nil
}

func contentHash(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Sign signs a request to be sent, with the given body and an access key in base64, as a client does.
func Sign(r *http.Request, body []byte, key string, now time.Time) error {
	secret, err := decodeKey(key)
	if err != nil {
		return fmt.Errorf("access key: %w", err)
	}
	date, hash := now.UTC().Format(http.TimeFormat), contentHash(body)
	signature := sign(secret, signedText(r.Method, r.URL.RequestURI(), date, r.URL.Host, hash))
	r.Header.Set("x-ms-date", date)
	r.Header.Set(hashHeader, hash)
	r.Header.Set("Authorization", scheme+" SignedHeaders=x-ms-date;host;"+hashHeader+
		"&Signature="+base64.StdEncoding.EncodeToString(signature))
	return nil
}
