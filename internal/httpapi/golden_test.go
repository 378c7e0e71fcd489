package httpapi

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata/<api-version>/*.txtar")

// TestGolden makes the exchanges of testdata/<api-version>/<operation>.txtar, one after the other on one server, and
// compares answers byte for byte: status, headers that matter, and the body with its order of keys, which is that of the
// recordings. Each exchange has a section "request: NAME" and a section "response: NAME"; words in braces stand for
// what the test fills in, and for what is random.
func TestGolden(t *testing.T) {
	t.Parallel()
	files := must(filepath.Glob("testdata/20*/*.txtar"))(t)
	if len(files) == 0 {
		t.Fatal("there are no golden exchanges")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(file), "testdata/"), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive := must(txtar.ParseFile(file))(t)
			g := newGolden(t)
			for i, section := range archive.Files {
				name, ok := strings.CutPrefix(section.Name, "request: ")
				if !ok {
					continue
				}
				got := g.exchange(string(section.Data))
				if *update {
					archive = goldenWith(archive, name, got)
					continue
				}
				if i+1 == len(archive.Files) || archive.Files[i+1].Name != "response: "+name {
					t.Fatalf("%q has no response; run the test with -update and look at what it writes", name)
				}
				if diff := cmp.Diff(string(archive.Files[i+1].Data), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// goldenWith returns the archive with an answer behind its request.
func goldenWith(a *txtar.Archive, name, answer string) *txtar.Archive {
	out := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		if f.Name == "response: "+name {
			continue
		}
		out.Files = append(out.Files, f)
		if f.Name == "request: "+name {
			out.Files = append(out.Files, txtar.File{Name: "response: " + name, Data: []byte(answer)})
		}
	}
	return out
}

// golden is the world of a file: alice made a thread with bob and wrote a message; dave may do little, carol is a stranger.
type golden struct {
	t            *testing.T
	b            *bench
	who          map[string]caller
	placeholders *strings.Replacer // from placeholders
	names        *strings.Replacer // to placeholders
}

const goldenURL = "https://chat.example.com"

func newGolden(t *testing.T) *golden {
	t.Helper()
	b := newBench(t, withPublicURL(goldenURL))
	g := &golden{t: t, b: b, who: map[string]caller{"nobody": b.nobody(), "owner": b.owner()}}
	pairs := []string{"{foreign}", "8:acs:" + otherResource + "_00000026-609c-3ee8-0000-000000000009"}
	for i, name := range []string{"alice", "bob", "carol", "dave"} {
		id := "8:acs:" + resource + "_00000026-609c-3ee8-0000-00000000000" + string(rune('1'+i))
		if err := b.db.AddUser(t.Context(), auth.User{Identity: chat.Identity(id), CreatedOn: b.clock.now()}); err != nil {
			t.Fatal(err)
		}
		scope := auth.ScopeChat
		if name == "dave" {
			scope = auth.ScopeVoIP
		}
		g.who[name] = b.holder(id, scope)
		pairs = append(pairs, "{"+name+"}", id)
	}
	alice, bob := g.who["alice"], g.who["bob"]
	th := thread(alice.post("/chat/threads", encoded(map[string]any{"topic": "lunch", "participants": participants(bob.id)}),
		"repeatability-request-id: golden").is(http.StatusCreated).text("chatThread.id"))
	b.clock.advance(time.Second)
	message := alice.say(th, "hello")
	escaped := strings.Replace(string(th), ":", "%3A", 1)
	pairs = append(pairs, "{thread}", string(th), "{thread-escaped}", escaped, "{message}", message)
	g.placeholders = strings.NewReplacer(pairs...)
	for i := 0; i < len(pairs); i += 2 {
		pairs[i], pairs[i+1] = pairs[i+1], pairs[i]
	}
	g.names = strings.NewReplacer(pairs...)
	return g
}

// goldenPlaceholders are parts of answers that cannot be foreseen, with what stands for them.
var goldenPlaceholders = []struct {
	form *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`19(:|%3A)(acsV1_[A-Za-z0-9_-]{44}|[0-9a-f]{32})@thread\.v2`), "19$1{new thread}@thread.v2"},
	{regexp.MustCompile(`_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"`), `_{new user}"`},
	{regexp.MustCompile(`"ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"`), `"{token}"`},
	{regexp.MustCompile(`syncState=[A-Za-z0-9_-]+`), "syncState={state}"},
}

// goldenHeaders are the headers that a golden answer shows. Which versions are listed is tested elsewhere; here, that they are.
var goldenHeaders = []string{"Content-Type", "Location", "Retry-After", "Request-Context", "x-ms-client-request-id"}

// exchange sends a request as it stands in a file, and returns the answer in the form of one. The first line is
// "WHO METHOD TARGET"; headers may follow, then an empty line and the body.
func (g *golden) exchange(text string) string {
	g.t.Helper()
	g.b.clock.advance(1234 * time.Millisecond)
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	first := strings.Fields(lines[0])
	who, known := g.who[first[0]]
	if !known || len(first) != 3 {
		g.t.Fatalf("%q is not WHO METHOD TARGET", lines[0])
	}
	target := g.placeholders.Replace(first[2])
	a := who.at("").do(first[1], target, strings.TrimSuffix(g.placeholders.Replace(body), "\n"), lines[1:]...)
	out := []string{fmt.Sprint(a.status, " ", http.StatusText(a.status))}
	for _, name := range goldenHeaders {
		if v := a.header.Get(name); v != "" {
			out = append(out, name+": "+g.name(v))
		}
	}
	if a.header.Get("api-supported-versions") != "" {
		out = append(out, "api-supported-versions: {listed}")
	}
	out = append(out, "")
	if len(a.body) > 0 {
		out = append(out, g.name(string(a.body)), "")
	}
	return strings.Join(out, "\n")
}

func (g *golden) name(text string) string {
	text = g.names.Replace(text)
	for _, r := range goldenPlaceholders {
		text = r.form.ReplaceAllString(text, r.name)
	}
	return text
}

// TestGoldenFilesCoverEveryOperation sees that no operation is forgotten.
func TestGoldenFilesCoverEveryOperation(t *testing.T) {
	t.Parallel()
	for version, of := range map[string]api{newestChat: chatAPI, "2024-03-07": chatAPI, newestIdentity: identityAPI, "2021-03-07": identityAPI} {
		for i := range routes {
			if routes[i].api != of || !routes[i].serves(Version(version)) {
				continue
			}
			file := filepath.Join("testdata", version, routes[i].operation+".txtar")
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Error(err)
				continue
			}
			checkRequests(t, file, version, archive)
		}
	}
}

// checkRequests sees that a file has a success and a refusal, all of its version.
func checkRequests(t *testing.T, file, version string, archive *txtar.Archive) {
	t.Helper()
	classes := map[byte]bool{}
	for _, f := range archive.Files {
		text := string(f.Data)
		if strings.HasPrefix(f.Name, "response: ") {
			classes[text[0]] = true
			continue
		}
		target := must(url.Parse(strings.Fields(text)[2]))(t)
		if got := target.Query().Get("api-version"); got != version && !strings.Contains(f.Name, "version") {
			t.Errorf("%s, %s asks for version %q", file, f.Name, got)
		}
	}
	refusesAll := strings.Contains(file, "ExchangeTeamsToken")
	if !classes['4'] || !classes['2'] && !refusesAll {
		t.Errorf("%s holds no success or no refusal", file)
	}
}
