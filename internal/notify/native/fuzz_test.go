package native

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/notify"
)

// Whatever a client says first is a start or refused as a bad frame.
func FuzzStart(f *testing.F) {
	for _, seed := range []string{
		`{"type":"start","version":1}`,
		`{"type":"start","version":1,"token":"x","threads":["19:lunch@thread.v2"],"after":"4711"}`,
		`{"type":"start","version":1,"threads":null,"after":null}`,
		`{"type":"start","version":1e0,"after":"-0"}`,
		`{"type":"ping"}`, `{"type":"\u0073tart","VERSION":1}`, `null`, `[]`, "\xff", `{"type":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseStart(data)
		var with closeReason
		switch {
		case err != nil && (!errors.As(err, &with) || with.code != CloseBadFrame || len(with.reason) > 123):
			t.Errorf("refused with %v", err)
		case err != nil:
		case !json.Valid(data) || m.Version != Version || len(m.Threads) > maxThreads || m.from < 0:
			t.Errorf("accepted %+v", m)
		case slices.ContainsFunc(m.Threads, func(id chat.ThreadID) bool { return !id.WellFormed() }):
			t.Errorf("accepted threads %q", m.Threads)
		}
	})
}

// quiet is a journal in which nothing ever stands.
type quiet struct{ notify.Journal }

func (quiet) Head(context.Context) (chat.Position, error)                     { return 0, nil }
func (quiet) After(context.Context, chat.Position, int) ([]chat.Event, error) { return nil, nil }
func (quiet) Watch() (<-chan struct{}, func()) { return nil, func() {} }

// Whatever bytes a client sends behind its request, the server gets over it when the client is gone.
func FuzzConnection(f *testing.F) {
	w := newEmpty(f)
	w.journal = quiet{} // a store would have work of its own, which the fuzzer would take for effects of its inputs
	w.serveInMemory()
	start := clientFrame(`{"type":"start","version":1,"token":"` + string(alice) + `"}`)
	for _, seed := range [][]byte{
		nil, start, start[:20],
		slices.Concat(start, clientFrame(`{"type":"ping"}`), clientFrame(`{"type":"sing"}`)),
		slices.Concat(start, start),
		slices.Concat(start, clientFrame(strings.Repeat(" ", maxFrame-1))),
		slices.Concat(start, []byte{0x89, 0x80, 0, 0, 0, 0, 0x8a, 0x80, 0, 0, 0, 0, 0x88, 0x80, 0, 0, 0, 0}),
		slices.Concat(start, []byte{0x01, 0x81, 0, 0, 0, 0, '{', 0x80, 0x81, 0, 0, 0, 0, '}'}),
		slices.Concat(start, []byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := w.pipes.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan struct{})
		go func() {
			defer close(heard)
			_, _ = io.Copy(io.Discard, c)
		}()
		_, _ = c.Write(slices.Concat(upgradeRequest, data)) // the server may have closed before it has read all
		_ = c.Close()
		<-heard
		w.server.waitForConnections(time.Minute)
		if got := metric(w.Metrics.QueueBytes.WithLabelValues(protocol)); got != 0 {
			t.Errorf("%v bytes are still counted as queued", got)
		}
	})
}
