package trouter

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/internal/web"
)

// clientConn is a websocket of a client. What arrives is kept until the test asks.
type clientConn struct {
	*websocket.Conn
	p        *testClient
	acks     int
	dropping atomic.Bool // what arrives is lost in the network

	mu        sync.Mutex
	packetsIn []string
	ended     error
}

func (c *clientConn) read(ctx context.Context) {
	for {
		_, data, err := c.Read(ctx)
		c.mu.Lock()
		if err != nil {
			c.ended = err
			c.mu.Unlock()
			return
		}
		if c.dropping.Load() {
			c.mu.Unlock()
			continue
		}
		packets := unframed(string(data))
		c.packetsIn = append(c.packetsIn, packets...)
		c.mu.Unlock()
		for _, packet := range packets {
			for _, answer := range c.p.handle(packet) {
				_ = c.Write(ctx, websocket.MessageText, []byte(answer))
			}
		}
	}
}

// clientMemory is what a web page keeps for as long as it lives.
type clientMemory struct {
	mu     sync.Mutex
	marks  map[pair]bool
	texts  []string // texts of messages
	silent bool     // its answers are lost in the network
	acks   int
}

func (m *clientMemory) handle(packet string) (answers []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if body, ok := strings.CutPrefix(packet, "3:::"); ok {
		var f frame
		if json.Unmarshal([]byte(body), &f) == nil && json.Unmarshal([]byte(f.Body), &f.payload) == nil {
			m.texts = append(m.texts, f.text())
		}
	}
	var event struct {
		Name string `json:"name"`
		Args []struct {
			Pairs []pair `json:"droppedIndicators"`
		} `json:"args"`
	}
	if body, ok := strings.CutPrefix(packet, "5:1::"); !ok || json.Unmarshal([]byte(body), &event) != nil || event.Name != "trouter.message_loss" {
		return nil
	}
	var before, fresh []pair
	for _, p := range event.Args[0].Pairs {
		if m.marks[p] {
			before = append(before, p)
		} else {
			fresh = append(fresh, p)
		}
	}
	for _, pairs := range [][]pair{before, fresh} {
		if len(pairs) == 0 {
			continue
		}
		m.acks++
		answers = append(answers, "5:"+strconv.Itoa(1000+m.acks)+`+::{"name":"trouter.processed_message_loss","args":[{"droppedIndicators":`+string(web.EncodeJSON(pairs))+`}]}`)
		for _, p := range pairs {
			m.marks[p] = true
		}
	}
	if m.silent {
		return nil
	}
	return answers
}

func (c *clientConn) pushBack(packets ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.packetsIn = append(packets, c.packetsIn...)
}

// packets returns what arrived since the last time, when nothing moves any more.
func (c *clientConn) packets() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.packetsIn
	c.packetsIn = nil
	return out
}

// err returns why the connection ended, nil while it lasts.
func (c *clientConn) err() error {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// code returns the close code of the server, -1 when it closed without, 0 while the connection lasts.
func (c *clientConn) code() websocket.StatusCode {
	if err := c.err(); err != nil {
		return websocket.CloseStatus(err)
	}
	return 0
}

func (c *clientConn) write(packet string) {
	c.p.w.Helper()
	c.p.w.must(c.Write(c.p.w.Context(), websocket.MessageText, []byte(packet)))
}

// emit sends an event that wants an acknowledgement, and returns the arguments of that.
func (c *clientConn) emit(event string) string {
	c.p.w.Helper()
	c.acks++
	id := strconv.Itoa(c.acks)
	c.write("5:" + id + "+::" + event)
	packets := c.packets()
	i := slices.IndexFunc(packets, func(p string) bool { return strings.HasPrefix(p, "6:::"+id+"+") })
	if i < 0 {
		c.p.w.Errorf("no acknowledgement of %s among %q", event, packets)
		return ""
	}
	args := strings.TrimPrefix(packets[i], "6:::"+id+"+")
	c.pushBack(slices.Delete(packets, i, i+1)...)
	return args
}

// frame is a request of the server.
type frame struct {
	ID      int64             `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	payload map[string]any
}

// text is the text of the message that it tells of.
func (f *frame) text() string {
	text, _ := f.payload["messageBody"].(string)
	return text
}

func texts(frames []frame) []string {
	out := []string{}
	for i := range frames {
		out = append(out, frames[i].text())
	}
	return out
}

// frames returns the events that arrived; other packets are skipped.
func (c *clientConn) frames() []frame {
	c.p.w.Helper()
	return c.p.parse(c.packets())
}

// answer responds to frames as the client does, each time followed by a ping.
func (c *clientConn) answer(status int, frames ...frame) {
	c.p.w.Helper()
	for _, f := range frames {
		c.write(response(f, status))
	}
	synctest.Wait()
}

func response(f frame, status int) string {
	return `3:::{"id":` + strconv.FormatInt(f.ID, 10) + `,"status":` + strconv.Itoa(status) + `,"headers":{"MS-CV":"` + f.Headers["MS-CV"] + `.0","trouter-client":"{\"cd\":1}"},"body":""}`
}

// receive returns the texts of the messages that arrived, and acknowledges them.
func (c *clientConn) receive() []string {
	c.p.w.Helper()
	frames := c.frames()
	c.answer(http.StatusOK, frames...)
	return texts(frames)
}

// cut ends the connection as a lost network does.
func (c *clientConn) cut() {
	_ = c.CloseNow()
	synctest.Wait()
}

// leave is what stop() does: it says so and closes.
func (c *clientConn) leave() {
	c.p.w.Helper()
	c.write("0::")
	err := c.Close(websocket.StatusNormalClosure, "")
	if err != nil && !errors.As(err, new(websocket.CloseError)) && !errors.Is(err, io.EOF) {
		c.p.w.Logf("closing: %v", err)
	}
	synctest.Wait()
}
