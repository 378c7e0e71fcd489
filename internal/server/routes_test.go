package server

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/getkin/kin-openapi/openapi3"

	"github.com/chatd/chatd/internal/httpapi"
	"github.com/chatd/chatd/internal/notify/native"
)

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// TestRoutesInDocument compares the table with openapi.yaml, which describes the newest versions of REST and what operators call.
func TestRoutesInDocument(t *testing.T) {
	t.Parallel()
	table := map[string]httpapi.Route{}
	for _, r := range Routes() {
		key := r.Method + " " + parameter.ReplaceAllString(r.Pattern, "{}")
		if _, twice := table[key]; twice {
			t.Errorf("%s is there twice", key)
		}
		table[key] = r
	}
	document, err := openapi3.NewLoader().LoadFromFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			key := method + " " + parameter.ReplaceAllString(path, "{}")
			r, found := table[key]
			if !found {
				t.Errorf("%s of openapi.yaml is not in the table", key)
				continue
			}
			described[key] = true
			if got := callerOf(operation); got != r.Caller {
				t.Errorf("%s may be called by %s, and by openapi.yaml by %s", key, r.Caller, got)
			}
			if got := operation.RequestBody != nil; got != r.Body {
				t.Errorf("%s reads a body: %t, and by openapi.yaml: %t", key, r.Body, got)
			}
		}
	}
	for _, r := range operationRoutes {
		if !described[r.Method+" "+r.Pattern] {
			t.Errorf("openapi.yaml lacks %s %s", r.Method, r.Pattern)
		}
	}
}

func callerOf(operation *openapi3.Operation) string {
	var schemes []string
	if operation.Security != nil {
		for _, requirement := range *operation.Security {
			for name := range requirement {
				schemes = append(schemes, name)
			}
		}
	}
	slices.Sort(schemes)
	switch strings.Join(schemes, " ") {
	case "":
		return Anyone
	case "userToken":
		return httpapi.UserToken
	case "accessKey entra":
		return httpapi.AccessKey
	default:
		return fmt.Sprint(schemes)
	}
}

// TestWhoMayCall calls every route without credentials: anyone gets an answer where the table says so, and nobody elsewhere.
func TestWhoMayCall(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *Config) { c.CAPEM = []byte("-----BEGIN CERTIFICATE-----") })
	for _, r := range Routes() {
		if r.Pattern == nativePath {
			continue // TestNativeWantsAToken
		}
		request := httptest.NewRequest(r.Method, parameter.ReplaceAllString(r.Pattern, "x"), nil)
		if strings.Contains(r.Pattern, "websocket") {
			request.Header.Set("Connection", "Upgrade")
			request.Header.Set("Upgrade", "websocket")
		}
		w := httptest.NewRecorder()
		s.http.Handler.ServeHTTP(w, request)
		want := http.StatusUnauthorized
		switch {
		case r.Caller == Anyone:
			want = http.StatusOK
		case strings.Contains(r.Pattern, "{session}"):
			want = http.StatusNotFound
		}
		if w.Code != want {
			t.Errorf("%s %s, which is for %s: %d %s, want %d", r.Method, r.Pattern, r.Caller, w.Code, w.Body, want)
		}
	}
}

// A native client may say its token after the connection is made.
func TestNativeWantsAToken(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	l := listen(t)
	go s.Run(t.Context(), Listeners{Plain: []net.Listener{l}}, nil)                       //nolint:errcheck // it is stopped by newServer
	c, _, err := websocket.Dial(t.Context(), "http://"+l.Addr().String()+nativePath, nil) //nolint:bodyclose // Dial closes it
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow() //nolint:errcheck // the server closes it
	start, _ := json.Marshal(map[string]any{"type": "start", "version": 1})
	if err := c.Write(t.Context(), websocket.MessageText, start); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != native.CloseUnauthorized {
		t.Errorf("closed with %v", err)
	}
}

// TestRoutesInDocs holds the table in docs/routes.md equal to the one in the program. UPDATE=1 writes it.
func TestRoutesInDocs(t *testing.T) {
	t.Parallel()
	const path, begin, end = "../../docs/routes.md", "<!-- routes:begin -->\n", "<!-- routes:end -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), begin)
	_, after, found := strings.Cut(rest, end)
	if !found {
		t.Fatal("no table between its marks")
	}
	var b strings.Builder
	b.WriteString("| method | path | who may call | body |\n| --- | --- | --- | --- |\n")
	for _, r := range Routes() {
		body := ""
		if r.Body {
			body = "yes"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", r.Method, r.Pattern, r.Caller, body)
	}
	want := before + begin + b.String() + end + after
	if want == string(text) {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatal("the table differs from the routes; UPDATE=1 go test -run TestRoutesInDocs ./internal/server writes it")
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
