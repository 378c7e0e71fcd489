package httpapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// document is openapi.yaml, itself checked.
var document = sync.OnceValue(func() *openapi3.T {
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromFile("../../openapi.yaml")
	if err == nil {
		err = doc.Validate(loader.Context)
	}
	if err != nil {
		panic(err)
	}
	return doc
})

var (
	vectorForm     = regexp.MustCompile(`^[A-Za-z0-9+/]{22}(\.[0-9]+)+$`)
	processingForm = regexp.MustCompile(`^[0-9]+ms$`)
)

// check is what every answer of every test goes through.
func (a *answer) check() {
	a.b.Helper()
	row := rowFor(a.request.Method, a.request.URL)
	if a.status == http.StatusForbidden && a.request.Header.Get("Origin") != "" && a.header.Get("Access-Control-Allow-Origin") == "" {
		row = nil // the page was refused, whatever it asked for
	}
	a.checkHeaders(row)
	a.checkSecrets(row)
	if row == nil {
		a.checkType()
		if len(a.body) != 0 {
			a.b.Errorf("%s reaches no operation and answers %.200q, want no body", a.name(), a.body)
		}
		return
	}
	if row.operation != "GetImage" || a.status != http.StatusOK {
		a.checkType()
	}
	if operation := operationFor(row); operation != nil && !undescribed(a.request.URL.Query().Get("api-version")) {
		a.checkDocument(operation)
	}
}

// undescribed reports whether a version is served that openapi.yaml does not describe.
func undescribed(version string) bool {
	for _, all := range versions {
		if slices.Contains(all, Version(version)) && version != newestChat && version != newestIdentity {
			return true
		}
	}
	return false
}

// checkHeaders checks what all answers of the recordings have.
func (a *answer) checkHeaders(row *route) {
	a.b.Helper()
	if v := a.header.Get("MS-CV"); !vectorForm.MatchString(v) {
		a.b.Errorf("%s: MS-CV is %q", a.name(), v)
	}
	if v := a.header.Get("X-Processing-Time"); !processingForm.MatchString(v) {
		a.b.Errorf("%s: X-Processing-Time is %q", a.name(), v)
	}
	if _, err := http.ParseTime(a.header.Get("Date")); err != nil {
		a.b.Errorf("%s: Date: %v", a.name(), err)
	}
	if v, ok := a.header["Www-Authenticate"]; ok {
		a.b.Errorf("%s: WWW-Authenticate is %q, want none (recordings of the iOS suite)", a.name(), v)
	}
	identity := row != nil && row.api == identityAPI
	if v, ok := a.header["Request-Context"]; ok != identity || ok && v[0] != "appId=" {
		a.b.Errorf("%s: Request-Context is %q; Identity has it always, Chat never", a.name(), v)
	}
}

// checkType checks the Content-Type by what the body is. The refusals of the framework, of an api-version, carry a charset
// as its JSON formatter writes it; they are not recorded.
func (a *answer) checkType() {
	a.b.Helper()
	if len(a.body) == 0 {
		if v, ok := a.header["Content-Type"]; ok {
			a.b.Errorf("%s: Content-Type of an empty answer is %q", a.name(), v)
		}
		return
	}
	if !json.Valid(a.body) {
		a.b.Errorf("%s: body is no JSON: %.200q", a.name(), a.body)
	}
	want := "application/json; charset=utf-8"
	if a.status >= 400 && !strings.Contains(string(a.body), "ApiVersion") {
		want = "application/json"
	}
	if v := a.header.Get("Content-Type"); v != want {
		a.b.Errorf("%s = %d: Content-Type is %q, want %q", a.name(), a.status, v, want)
	}
}

// checkSecrets looks for tokens and keys. Operations that give tokens may.
func (a *answer) checkSecrets(row *route) {
	a.b.Helper()
	for name, values := range a.header {
		a.b.secrets.absent(a.b, "header "+name, strings.Join(values, "\n"))
	}
	gives := []string{"CreateIdentity", "IssueToken", "ExchangeEntraToken", "ExchangeTeamsExtensionToken"}
	if row == nil || a.status >= 300 || !slices.Contains(gives, row.operation) {
		a.b.secrets.absent(a.b, "body", string(a.body))
	}
}

// onAnyAnswer are headers that openapi.yaml does not name with each answer.
var onAnyAnswer = []string{
	"Content-Length", "Content-Type", "Date", "Connection", "Vary",
	"Access-Control-Allow-Origin", "Access-Control-Expose-Headers",
}

// checkDocument holds the answer against openapi.yaml: status, body and headers. What is not described there may not be
// there.
func (a *answer) checkDocument(operation *routers.Route) {
	a.b.Helper()
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: a.request, Route: operation},
		Status:                 a.status,
		Header:                 a.header,
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	input.SetBodyBytes(a.body)
	if err := openapi3filter.ValidateResponse(a.b.Context(), input); err != nil {
		a.b.Errorf("%s = %d %.300s: not as in openapi.yaml: %v", a.name(), a.status, a.body, err)
		return
	}
	described := operation.Operation.Responses.Status(a.status).Value
	if len(described.Content) == 0 && len(a.body) != 0 {
		a.b.Errorf("%s = %d %.200q, want no body as in openapi.yaml", a.name(), a.status, a.body)
	}
	for name := range a.header {
		named := slices.Contains(onAnyAnswer, name)
		for other := range described.Headers {
			named = named || strings.EqualFold(other, name)
		}
		if !named {
			a.b.Errorf("%s = %d: header %s is not in openapi.yaml", a.name(), a.status, name)
		}
	}
}

// rowFor finds the first row of the table that has the method and path of a request, nil for none. It reads paths by
// itself: what the router of the server makes of them is under test.
func rowFor(method string, u *url.URL) *route {
	segments := split(u.EscapedPath())
	for i := range routes {
		if routes[i].method == method && matches(split(routes[i].pattern), segments) {
			return &routes[i]
		}
	}
	return nil
}

// operationFor finds what openapi.yaml says of a method and path, nil for nothing.
func operationFor(row *route) *routers.Route {
	for path, item := range document().Paths.Map() {
		operation := item.GetOperation(row.method)
		if operation != nil && parameter.ReplaceAllString(path, "{}") == parameter.ReplaceAllString(row.pattern, "{}") {
			return &routers.Route{Spec: document(), Path: path, PathItem: item, Method: row.method, Operation: operation}
		}
	}
	return nil
}

func split(path string) []string {
	path = strings.Replace(path, "/readreceipts", "/readReceipts", 1) // its name until 2020-09-21-preview2
	var out []string
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" {
			continue
		}
		if decoded, err := url.PathUnescape(segment); err == nil {
			segment = decoded
		}
		out = append(out, segment)
	}
	return out
}

func matches(template, segments []string) bool {
	return slices.EqualFunc(template, segments, func(want, got string) bool {
		return strings.HasPrefix(want, "{") || want == got
	})
}

// TestChecksFail shows that the checks above catch what they are for.
func TestChecksFail(t *testing.T) {
	t.Parallel()
	good := func() *answer {
		b := newBench(t)
		a := b.user().get("/chat/threads").is(http.StatusOK)
		b.secrets.keep("a secret of twenty letters")
		return a
	}
	tests := []struct {
		name   string
		damage func(*answer)
	}{
		{"no MS-CV", func(a *answer) { a.header.Del("MS-CV") }},
		{"malformed MS-CV", func(a *answer) { a.header.Set("MS-CV", "1.0") }},
		{"no X-Processing-Time", func(a *answer) { a.header.Del("X-Processing-Time") }},
		{"no Date", func(a *answer) { a.header.Del("Date") }},
		{"no versions", func(a *answer) { a.header.Del("api-supported-versions") }},
		{"tells how to authenticate", func(a *answer) { a.header.Set("WWW-Authenticate", "Bearer") }},
		{"header of Identity", func(a *answer) { a.header.Set("Request-Context", "appId=") }},
		{"unknown header", func(a *answer) { a.header.Set("X-Powered-By", "chatd") }},
		{"plain type", func(a *answer) { a.header.Set("Content-Type", "application/json") }},
		{"type of nothing", func(a *answer) { a.body = nil }},
		{"no JSON", func(a *answer) { a.body = []byte("{") }},
		{"unknown field", func(a *answer) { a.body = []byte(`{"value":[],"count":0}`) }},
		{"null field", func(a *answer) { a.body = []byte(`{"value":null}`) }},
		{"missing field", func(a *answer) { a.body = []byte(`{}`) }},
		{"undescribed status", func(a *answer) { a.status = http.StatusAccepted }},
		{"status without a body", func(a *answer) { a.status = http.StatusUnauthorized }},
		{"secret in a header", func(a *answer) { a.header.Set("MS-CV", "a secret of twenty letters") }},
		{"secret in the body", func(a *answer) {
			a.body = []byte(`{"value":[{"id":"19:x@thread.v2","topic":"a secret of twenty letters"}]}`)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := good()
			spy := &recorder{TB: t}
			a.b = a.b.in(spy)
			a.check()
			if spy.failed {
				t.Fatal("a good answer fails the checks")
			}
			test.damage(a)
			if a.check(); !spy.failed {
				t.Error("the checks pass")
			}
		})
	}
}

// recorder notes that a test would have failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) Fatalf(string, ...any) { r.failed = true }
