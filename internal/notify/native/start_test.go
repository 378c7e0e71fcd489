package native

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/client"
	"github.com/chatd/chatd/internal/chat"
)

// What may be wrong with the first message, and how the client is told.
func TestStartRefused(t *testing.T) {
	t.Parallel()
	good := `"type":"start","version":1,"token":"` + string(alice) + `"`
	many := strings.TrimSuffix(strings.Repeat(`"19:a@thread.v2",`, maxThreads+1), ",")
	for name, c := range map[string]struct {
		text   string
		code   websocket.StatusCode
		reason string
	}{
		"no token":         {`{"type":"start","version":1}`, CloseUnauthorized, "no token"},
		"garbage token":    {`{"type":"start","version":1,"token":"x.y.z"}`, CloseUnauthorized, "malformed token"},
		"no JSON":          {`hello`, CloseBadFrame, "want a JSON object"},
		"no object":        {`[]`, CloseBadFrame, "want a JSON object"},
		"null":             {`null`, CloseBadFrame, "want a JSON object"},
		"empty":            {``, CloseBadFrame, "want a JSON object"},
		"no type":          {`{}`, CloseBadFrame, "want a JSON object"},
		"two marks":        {"\ufeff\ufeff{" + good + `}`, CloseBadFrame, "want a JSON object"},
		"trailing":         {`{` + good + `}{}`, CloseBadFrame, "want a JSON object"},
		"other type":       {`{"type":"ping"}`, CloseBadFrame, "must be start"},
		"unknown type":     {`{"type":"begin"}`, CloseBadFrame, "must be start"},
		"no version":       {`{"type":"start"}`, CloseBadFrame, "version"},
		"later version":    {`{"type":"start","version":2}`, CloseBadFrame, "want 1"},
		"version as text":  {`{"type":"start","version":"1"}`, CloseBadFrame, "malformed start"},
		"token as number":  {`{"type":"start","version":1,"token":1}`, CloseBadFrame, "malformed start"},
		"too many threads": {`{` + good + `,"threads":[` + many + `]}`, CloseBadFrame, "too many threads"},
		"malformed thread": {`{` + good + `,"threads":["lunch"]}`, CloseBadFrame, "malformed thread"},
		"position: empty":  {`{` + good + `,"after":""}`, CloseBadFrame, "malformed position"},
		"position: sign":   {`{` + good + `,"after":"-1"}`, CloseBadFrame, "malformed position"},
		"position: number": {`{` + good + `,"after":1}`, CloseBadFrame, "malformed start"},
		"position: huge":   {`{` + good + `,"after":"9223372036854775808"}`, CloseBadFrame, "malformed position"},
		"position: future": {`{` + good + `,"after":"1"}`, CloseBadFrame, "ahead"},
		"too large":        {`{"padding":"` + strings.Repeat("x", maxFrame) + `"}`, CloseTooLarge, "64 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				r := w.raw(nil)
				r.write(c.text)
				r.closed(c.code, c.reason)
				synctest.Wait()
				if got := metric(w.Metrics.Connections.WithLabelValues(protocol)); got != 0 {
					w.Errorf("%v connections are still counted", got)
				}
			})
		})
	}
	t.Run("binary", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(w *world) {
			r := w.raw(nil)
			w.must(r.Write(w.Context(), websocket.MessageBinary, []byte(`{`+good+`}`)))
			r.closed(CloseBadFrame, "binary")
		})
	})
}

// A client that begins hears what happens from its request on, also while its start message is not there yet; nothing twice.
func TestStartsAtTheRequest(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		id := w.thread(alice, bob)
		w.send(alice, id, "before")
		w.settle()
		begun := w.Hub.Position()
		r := w.raw(nil)
		w.send(alice, id, "early")
		w.settle()
		r.write(fmt.Sprintf(`{"type":"start","version":1,"token":%q}`, bob))
		if got, want := r.read(), `{"type":"ready","position":"`+decimal(begun)+`"}`; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
		hears := func(wants ...string) {
			for _, want := range wants {
				if got := r.read(); !strings.Contains(got, want) {
					t.Errorf("told %s, want %s", got, want)
				}
			}
		}
		hears(`"early"`, `"type":"position"`) // the catching up has ended
		w.send(alice, id, "late")
		hears(`"late"`)
		if n := metric(w.Metrics.Reconnects.WithLabelValues(protocol)); n != 0 {
			t.Errorf("%v reconnects counted", n)
		}
	})
}

// What may be wrong later.
func TestBadMessages(t *testing.T) {
	t.Parallel()
	start := fmt.Sprintf(`{"type":"start","version":1,"token":%q}`, alice)
	for name, c := range map[string]struct {
		text   string
		code   websocket.StatusCode
		reason string
	}{
		"garbage":       {"\x00\xff", CloseBadFrame, "want a JSON object"},
		"start again":   {start, CloseBadFrame, "started already"},
		"too large":     {strings.Repeat(" ", maxFrame+1), CloseTooLarge, "64 KiB"},
		"far too large": {strings.Repeat(" ", 50*maxFrame), CloseTooLarge, "64 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				r := w.raw(nil)
				r.write(start)
				r.read()
				go func() { _ = r.Write(w.Context(), websocket.MessageText, []byte(c.text)) }() // the server may not wait for all
				r.closed(c.code, c.reason)
			})
		})
	}
}

// Types that are not known are for later versions, and a message of the largest size is none too large.
func TestUnknownType(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		r := w.raw(http.Header{"Authorization": {"Bearer " + string(alice)}})
		r.write(`{"type":"start","version":1,"color":"green"}`)
		r.read()
		r.write(`{"type":"sing","song":{}}`)
		r.write(`{"type":"sing"}` + strings.Repeat(" ", maxFrame-15))
		r.write(`{"type":"ping","padding":1}`)
		if got := r.read(); got != `{"type":"pong"}` {
			t.Errorf("answer is %s", got)
		}
	})
}

// A byte order mark may stand before each message, as before the bodies of REST.
func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		r := w.raw(http.Header{"Authorization": {"Bearer " + string(alice)}})
		r.write("\ufeff" + `{"type":"start","version":1}`)
		if got := r.read(); !strings.Contains(got, `"ready"`) {
			w.Errorf("answer to the start is %s", got)
		}
		r.write("\ufeff" + `{"type":"ping"}`)
		if got := r.read(); got != `{"type":"pong"}` {
			w.Errorf("answer to the ping is %s", got)
		}
	})
}

// The token of the message goes before that of the header, and its second look finds what changed since the first.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		id := w.thread(alice, bob)
		w.settle()
		r := w.raw(http.Header{"Authorization": {"Bearer " + string(carol)}})
		r.write(fmt.Sprintf(`{"type":"start","version":1,"token":%q}`, bob))
		r.read()
		w.send(alice, id, "for bob")
		if got := r.read(); !strings.Contains(got, "for bob") {
			w.Errorf("heard %s", got)
		}

		looks := 0
		w.tokens.asked = func(token string) {
			if looks++; looks == 2 {
				w.tokens.refused[token] = revoked()
			}
		}
		_, err := w.dial(alice, client.Options{})
		refused(w, err, client.CodeUnauthorized, "token is revoked")
		_, err = w.dial(alice, client.Options{})
		refused(w, err, client.CodeUnauthorized, "token is revoked")
		if looks != 3 {
			w.Errorf("the token was looked at %d times, want 3", looks)
		}
		synctest.Wait()
		w.tokens.asked = nil
		w.tokens.refuse(string(alice), errors.New("the store is down"))
		_, err = w.dial(alice, client.Options{})
		refused(w, err, client.CodeInternal, "try again")
		w.tokens.refuse(string(alice), &chat.Error{Kind: chat.Forbidden, Reason: "no scope for chat"})
		_, err = w.dial(alice, client.Options{})
		refused(w, err, client.CodeUnauthorized, "no scope for chat")
		synctest.Wait()
		if got := metric(w.Metrics.Connections.WithLabelValues(protocol)); got != 1 {
			w.Errorf("%v connections are counted, want bob's", got)
		}
	})
}

func refused(w *world, err error, code int, reason string) {
	w.Helper()
	var e *client.CloseError
	if !errors.As(err, &e) || e.Code != code || e.Reason != reason {
		w.Errorf("refused with %v, want %d %q", err, code, reason)
	}
}

// What is refused before there is a websocket.
func TestUpgradeRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.CORS = pagesOf("https://app.example.com") })
	for name, c := range map[string]struct {
		query, origin string
		want          int
	}{
		"no browser":    {"", "", 101},
		"allowed":       {"", "https://app.example.com", 101},
		"other host":    {"", "https://evil.example.com", 403},
		"other scheme":  {"", "http://app.example.com", 403},
		"longer":        {"", "https://app.example.com.evil.example.com", 403},
		"null":          {"", "null", 403},
		"token":         {"?token=x", "", 400},
		"access token":  {"?a=b&access_token=", "", 400},
		"other queries": {"?a=b", "", 101},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			if c.origin != "" {
				header.Set("Origin", c.origin)
			}
			conn, answer, err := websocket.Dial(t.Context(), w.url+"/realtime"+c.query, &websocket.DialOptions{HTTPHeader: header})
			if answer == nil || answer.StatusCode != c.want {
				t.Fatalf("answer is %v (%v), want %d", answer, err, c.want)
			}
			if conn != nil {
				w.must(conn.CloseNow())
			}
		})
	}
	t.Run("no upgrade", func(t *testing.T) {
		answer, err := http.Get(w.url + "/realtime")
		if err != nil || answer.StatusCode != http.StatusUpgradeRequired {
			t.Errorf("answer is %v (%v), want 426", answer, err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		w.must(answer.Body.Close())
	})
}
