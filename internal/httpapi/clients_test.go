package httpapi

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// Clients that cannot run in CI are held in testdata/clients, one file for each operation of each: the request as the client
// sends it, byte for byte, and the answer that it gets. Each file begins with the source of the facts and has these parts:
//
//	request   what is sent; the header Content-Length counts the body, whose last line end is not sent
//	signed    what the client signs with the access key, where it does
//	response  status, headers, and body; "! Name" is a header that must not be there
//
// In all of them {name} stands for something of the small world in which each file is played, see names. In a response
// <name> stands for anything of a form, see forms.

// exchange is one such file.
type exchange struct {
	source, request, signed string
	status                  int
	headers                 []string
	body                    string
}

func readExchange(path string) (exchange, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return exchange{}, err
	}
	archive := txtar.Parse(data)
	parts := map[string]string{}
	for _, f := range archive.Files {
		parts[f.Name] = string(f.Data)
	}
	e := exchange{source: string(archive.Comment), request: parts["request"], signed: strings.TrimSuffix(parts["signed"], "\n")}
	head, body, _ := strings.Cut(parts["response"], "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	e.headers, e.body = lines[1:], body
	if e.status, err = strconv.Atoi(lines[0]); err != nil {
		return exchange{}, fmt.Errorf("%s: status: %w", path, err)
	}
	if !strings.HasPrefix(e.source, "Source: ") || e.request == "" {
		return exchange{}, fmt.Errorf("%s: no source, or no request", path)
	}
	return e, nil
}

// forms are what an answer holds that a test cannot know before.
var forms = map[string]string{
	"<user>":           `8:acs:` + resource + `_[0-9a-f-]{36}`,
	"<token>":          `[\w-]+\.[\w-]+\.[\w-]+`,
	"<expiry>":         `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00`,
	"<second>":         `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`,
	"<message>":        `\d{13}`,
	"<thread>":         `19:[\w-]+@thread\.v2`,
	"<escaped thread>": `19%3A[\w-]+@thread\.v2`,
	"<32 digits>":      `[0-9a-f]{32}`,
	"<word>":           `[\w-]+`,
}

var form = regexp.MustCompile(`<[^<>]+>`)

// fits reports whether a text is as wanted.
func fits(want, got string) bool {
	var pattern strings.Builder
	rest := want
	for _, at := range form.FindAllStringIndex(want, -1) {
		known, ok := forms[want[at[0]:at[1]]]
		if !ok {
			continue
		}
		before := rest[:at[0]-(len(want)-len(rest))]
		pattern.WriteString(regexp.QuoteMeta(before) + known)
		rest = want[at[1]:]
	}
	return regexp.MustCompile(`^` + pattern.String() + regexp.QuoteMeta(rest) + `$`).MatchString(got)
}

// differ returns where a body is not as wanted: each key and each element counts, and nothing more may be there.
func differ(path string, want, got any) []string {
	var out []string
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			return []string{path + " is no object"}
		}
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if value, ok := got[key]; ok {
				out = append(out, differ(path+"."+key, want[key], value)...)
			} else {
				out = append(out, path+"."+key+" is missing")
			}
		}
		for key := range got {
			if _, ok := want[key]; !ok {
				out = append(out, path+"."+key+" is too much")
			}
		}
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			return []string{fmt.Sprintf("%s is %v, want a list of %d", path, got, len(want))}
		}
		for i := range want {
			out = append(out, differ(path+"."+strconv.Itoa(i), want[i], got[i])...)
		}
	case string:
		if text, ok := got.(string); !ok || !fits(want, text) {
			out = append(out, fmt.Sprintf("%s is %v, want %s", path, got, want))
		}
	default:
		if want != got {
			out = append(out, fmt.Sprintf("%s is %v, want %v", path, got, want))
		}
	}
	return out
}

// names fill in what stands in braces. Bob has read the message that alice wrote; carol is not in the thread.
func (w *world) names() []string {
	carol := w.b.users(1)[0]
	system := w.alice.get(w.at("/messages")).is(http.StatusOK).text("value.1.id")
	w.bob.receipt(w.thread, w.message).empty(http.StatusOK)
	escaped := strings.NewReplacer(":", "%3A", "@", "%40").Replace
	now := w.b.clock.now().Std()
	return []string{
		"{host}", w.b.Listener.Addr().String(), "{token}", w.alice.token, "{date}", now.Format(http.TimeFormat),
		"{in a day}", strings.TrimSuffix(now.Add(day).Format("2006-01-02T15:04:05.0000000Z"), "Z") + "+00:00",
		"{thread}", string(w.thread), "{thread%}", escaped(string(w.thread)), "{thread%3A}", strings.Replace(string(w.thread), ":", "%3A", 1),
		"{message}", w.message, "{system}", system,
		"{alice}", w.alice.id, "{bob}", w.bob.id, "{carol}", carol, "{carol%}", escaped(carol), "{unknown}", unknownUser, "{unknown%}", escaped(unknownUser),
	}
}

// wire makes the bytes of the request.
func (e exchange) wire(names *strings.Replacer) []byte {
	head, body, _ := strings.Cut(e.request, "\n\n")
	body = names.Replace(strings.TrimSuffix(body, "\n"))
	sum := sha256.Sum256([]byte(body))
	hash := base64.StdEncoding.EncodeToString(sum[:])
	key, err := base64.StdEncoding.DecodeString(primaryKey)
	if err != nil {
		panic(err) // of a constant
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(strings.ReplaceAll(names.Replace(e.signed), "{hash}", hash)))
	head = strings.NewReplacer(
		"{hash}", hash, "{signature}", base64.StdEncoding.EncodeToString(mac.Sum(nil)), "{length}", strconv.Itoa(len(body)),
	).Replace(names.Replace(head))
	return []byte(strings.ReplaceAll(strings.TrimSpace(head), "\n", "\r\n") + "\r\n\r\n" + body)
}

// exchangeBytes sends bytes as they are and reads the answer.
func (b *bench) exchangeBytes(wire []byte) *answer {
	b.Helper()
	request := must(http.ReadRequest(bufio.NewReader(strings.NewReader(string(wire)))))(b)
	b.secrets.sent(request.Header.Get("Authorization"))
	conn := must((&net.Dialer{}).DialContext(b.Context(), "tcp", b.Listener.Addr().String()))(b)
	defer conn.Close() //nolint:errcheck // the answer is read
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		b.Fatal(err)
	}
	must(conn.Write(wire))(b)
	return b.read(request, must(http.ReadResponse(bufio.NewReader(conn), request))(b))
}

// check compares an answer with what the client gets.
func (e exchange) check(a *answer, names *strings.Replacer) []string {
	var out []string
	if a.status != e.status {
		out = append(out, fmt.Sprintf("status is %d, want %d: %.300s", a.status, e.status, a.body))
	}
	for _, line := range e.headers {
		if name, absent := strings.CutPrefix(line, "! "); absent {
			if v := a.header.Values(name); v != nil {
				out = append(out, fmt.Sprintf("%s is %q, want none", name, v))
			}
			continue
		}
		name, want, _ := strings.Cut(line, ":")
		if got := a.header.Get(name); !fits(names.Replace(strings.TrimSpace(want)), got) {
			out = append(out, fmt.Sprintf("%s is %q, want %s", name, got, want))
		}
	}
	if e.body == "" {
		if len(a.body) != 0 {
			out = append(out, fmt.Sprintf("body is %.300s, want none", a.body))
		}
		return out
	}
	var want, got any
	if err := json.Unmarshal([]byte(names.Replace(e.body)), &want); err != nil {
		return append(out, "the file's body: "+err.Error())
	}
	if err := json.Unmarshal(a.body, &got); err != nil {
		return append(out, "body: "+err.Error())
	}
	return append(out, differ("body", want, got)...)
}

// clientFiles returns the paths of all exchanges.
func clientFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/clients/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestClients plays each file in a world of its own.
func TestClients(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, path := range clientFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			e := must(readExchange(path))(t)
			w := newWorld(b.in(t))
			names := strings.NewReplacer(w.names()...)
			for _, problem := range e.check(w.b.exchangeBytes(e.wire(names)), names) {
				t.Error(problem)
			}
		})
	}
}

// TestEachClientIsComplete sees that each client does all that it can: the operations of its reference.
func TestEachClientIsComplete(t *testing.T) {
	t.Parallel()
	chat := "create-thread get-thread list-threads update-topic delete-thread send-message list-messages get-message update-message " +
		"delete-message list-participants add-participants remove-participant send-receipt list-receipts send-typing"
	have := map[string]bool{}
	for _, path := range clientFiles(t) {
		have[strings.TrimSuffix(filepath.Base(path), ".txtar")] = true
	}
	for client, operations := range map[string]string{
		"net-chat":         chat,
		"net-identity":     "create create-with-token issue-token revoke-tokens delete exchange-teams-token",
		"ios":              chat,
		"android":          chat,
		"cli-identity":     "user-create user-delete token-issue token-issue-for-user token-revoke token-get-for-teams-user",
		"cli-chat":         "thread-create thread-list thread-update-topic thread-delete participant-list participant-add participant-remove",
		"cli-chat-message": "send list get update delete receipt-send receipt-list",
		"powerplatform-chat": "list-messages send-chat add-participants remove-participant list-chat-threads create-chat list-participants get-thread " +
			"patch-thread delete-thread",
		"powerplatform-identity": "create delete issue revoke",
	} {
		for operation := range strings.FieldsSeq(operations) {
			if !have[client+"-"+operation] {
				t.Errorf("no file %s-%s.txtar", client, operation)
			}
		}
	}
}

// TestClientsFail shows that a file which is not kept fails: each way in which an answer can differ is found.
func TestClientsFail(t *testing.T) {
	t.Parallel()
	e := exchange{status: 200, headers: []string{"Content-Type: application/json", "Location: /x/<message>", "! WWW-Authenticate"}, body: `{
		"id": "<message>", "list": [{"on": "<second>"}], "text": "a<b>.c"}`}
	good := func() *answer {
		return &answer{
			status: 200, body: []byte(`{"id":"1742466030456","list":[{"on":"2025-03-20T10:20:30Z"}],"text":"a<b>.c"}`),
			header: http.Header{"Content-Type": {"application/json"}, "Location": {"/x/1742466030456"}},
		}
	}
	names := strings.NewReplacer()
	if problems := e.check(good(), names); problems != nil {
		t.Fatalf("a good answer: %v", problems)
	}
	body := func(old, changed string) func(*answer) {
		return func(a *answer) { a.body = []byte(strings.Replace(string(a.body), old, changed, 1)) }
	}
	for name, damage := range map[string]func(*answer){
		"status":            func(a *answer) { a.status = 201 },
		"header":            func(a *answer) { a.header.Set("Content-Type", "text/plain") },
		"header of a form":  func(a *answer) { a.header.Set("Location", "/x/1742466030456/y") },
		"no header":         func(a *answer) { a.header.Del("Location") },
		"forbidden header":  func(a *answer) { a.header.Set("WWW-Authenticate", "Bearer") },
		"no body":           func(a *answer) { a.body = nil },
		"text":              body("a<b>.c", "a<b>xc"),
		"form":              body("1742466030456", "174246603045"),
		"form inside":       body("10:20:30Z", "10:20:30.1Z"),
		"number for a text": body(`"1742466030456"`, "1742466030456"),
		"missing key":       body(`"text"`, `"other"`),
		"more keys":         body(`{"id"`, `{"more":1,"id"`),
		"more elements":     body(`[{`, `[{},{`),
		"no list":           body(`[{"on":"2025-03-20T10:20:30Z"}]`, `null`),
	} {
		a := good()
		if damage(a); e.check(a, names) == nil {
			t.Errorf("%s: no problem is found", name)
		}
	}
}
