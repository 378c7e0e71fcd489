package trouter

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/notify"
	"github.com/chatd/chatd/internal/web"
)

// When a connection breaks, or the server is killed, the server does not know whether the events that it sent last arrived. But the
// SDK for JavaScript can be asked. It keeps each pair {tag, etag} of an event trouter.message_loss for as long as the web page
// lives, and answers trouter.processed_message_loss: first with the pairs that it had before, if there are any, then with the new
// ones (trouter-client of the SDK). The application sees nothing of this. So each event is followed by a mark, in one message of
// the websocket so that the client gets both or none: the tag is that of the connection, which is in its connectparams, the etag
// the event's position. The next connection asks for the marks of the one before, whose tag the client brings in the
// connectparams, and sends again the events without one.
//
// A query is a mark too, since the client keeps every pair. So it is sent once, with a mark of its own: when the response is lost,
// the connection after that finds this mark, and the events in question are sent again. A connection that does not resume another
// leaves the same mark: what came before may be of another journal, in which positions meant other events.

const (
	maxPreviousTags = 3               // earlier connections whose marks are asked for: the last may have closed before it sent events
	maxPairs        = 1280            // in a query: the response must fit into a message of maxFrame
	maxMarkSteps    = 64              // of the journal that are searched for them
	groupSize       = 16 << 10        // bytes of frames in one message, roughly
	markTimeout     = 3 * time.Second // for a client that does not even answer the heartbeat behind the query
	queried         = "?"             // the etag of a mark that says that its connection was asked for
)

// pair is what clients keep: a mark.
type pair struct {
	Tag  string `json:"tag"`
	Etag string `json:"etag"`
}

var tagShape = regexp.MustCompile(`^[A-Z2-7]{10}$`)

func newTag() string { return rand.Text()[:10] }

// tagsOf returns the tags of the connection and of those before it, the newest first, as connectparams have them; none for a client
// that keeps no marks. Only the SDK for JavaScript is known to work as described.
func tagsOf(q url.Values) []string {
	if !strings.Contains(q.Get("tc"), `"acs-chat-web"`) {
		return nil
	}
	return readTags(q.Get("tags"))
}

func readTags(text string) []string {
	tags := strings.Split(text, ".")
	if len(tags) > 1+maxPreviousTags || slices.ContainsFunc(tags, func(tag string) bool { return !tagShape.MatchString(tag) }) {
		return nil
	}
	return tags
}

// nextTags are the tags of a connection after that of the given ones, as connectparams have them.
func nextTags(tags []string) string {
	tags = append([]string{newTag()}, tags...)
	return strings.Join(tags[:min(len(tags), 1+maxPreviousTags)], ".")
}

func etag(position chat.Position) string { return strconv.FormatInt(int64(position), 36) }

// lossPacket has the client keep marks.
func lossPacket(pairs []pair) string {
	return `5:1::{"name":"trouter.message_loss","args":[{"droppedIndicators":` + string(web.EncodeJSON(pairs)) + `}]}`
}

// mark has the client keep marks for the events at the positions.
func (c *connection) mark(positions []chat.Position) string {
	pairs := make([]pair, len(positions))
	for i, p := range positions {
		pairs[i] = pair{c.tag, etag(p)}
	}
	return lossPacket(pairs)
}

// groups returns the frames of events, numbered from an id on, in the groups that go into one message each: with a mark at the end
// where the client keeps marks.
func (c *connection) groups(from int64, events []notify.Delivery, f format) (out [][]string) {
	var group []string
	var positions []chat.Position
	size := 0
	for i, d := range events {
		frame := c.frame(from+int64(i), d, f)
		group, positions, size = append(group, frame), append(positions, d.Position), size+len(frame)
		switch {
		case c.tag == "":
			out = append(out, group)
		case size < groupSize && i < len(events)-1:
			continue
		default:
			out = append(out, append(group, c.mark(positions)))
		}
		group, positions, size = nil, nil, 0
	}
	return out
}

// markQuery is a query for marks whose response has not been read to its end.
type markQuery struct {
	tag  string // of the connection that asks
	done chan struct{}
	once sync.Once

	mu    sync.Mutex
	marks map[pair]bool
}

// add takes an event of the client that may be part of the response.
func (q *markQuery) add(pairs []pair) {
	if slices.Contains(pairs, pair{q.tag, queried}) {
		q.finish() // these are the new ones
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range pairs {
		q.marks[p] = true
	}
}

// finish says that nothing more of the response will come.
func (q *markQuery) finish() { q.once.Do(func() { close(q.done) }) }

// received reports whether the client got the event over one of the connections. Behind a mark of a query the others say nothing.
func (q *markQuery) received(position chat.Position, previousTags []string) bool {
	for _, tag := range previousTags {
		if q.marks[pair{tag, etag(position)}] {
			return true
		}
		if q.marks[pair{tag, queried}] {
			return false
		}
	}
	return false
}

// markNewStart has later connections not ask for marks of earlier ones.
func (c *connection) markNewStart() {
	if len(c.previousTags) == 0 {
		return
	}
	c.mu.Lock()
	c.control = append(c.control, lossPacket([]pair{{c.tag, queried}}))
	c.mu.Unlock()
	c.signal()
}

// reconcile asks the client which of the events in doubt it has received, and returns the position to deliver from. here reports that
// the connection before was at this server; otherwise any event may have been sent that is not known to be acknowledged.
func (c *connection) reconcile(ctx context.Context, from chat.Position, here bool) chat.Position {
	if c.previousTags = c.e.sameJournal(c.previousTags); len(c.previousTags) == 0 {
		return from
	}
	uncertain, most := c.e.unackedPositions(), maxPairs/len(c.previousTags)
	if !here {
		uncertain = c.unackedInJournal(ctx, from, most)
	}
	if len(uncertain) == 0 {
		return from
	}
	uncertain = uncertain[:min(len(uncertain), most)]
	seen := c.queryMarks(uncertain)
	from = c.e.reconcile(uncertain, seen)
	if len(seen) > 0 { // for the connection after this one, should the server be killed before this is saved
		c.mu.Lock()
		c.control = append(c.control, c.mark(seen))
		c.mu.Unlock()
		c.signal()
	}
	return from
}

// unackedInJournal returns positions behind one in the journal that the user may see and that are not acknowledged here: as many as
// are wanted, or a few more. Another server may have sent events that this one has not read yet.
func (c *connection) unackedInJournal(ctx context.Context, from chat.Position, most int) (out []chat.Position) {
	to, err := c.s.Hub.Head(ctx)
	if err != nil {
		c.s.Log.Error("end of the journal cannot be read", "error", err)
		to = c.s.Hub.Position()
	}
	for range maxMarkSteps {
		if from >= to || len(out) >= most {
			break
		}
		next := min(from+replayStep, to)
		_, err := c.s.Hub.Replay(ctx, c.e.key.user, from, next, func(d notify.Delivery) {
			if !c.e.isAcked(d.Position) {
				out = append(out, d.Position)
			}
		})
		if err != nil {
			if ctx.Err() == nil {
				c.s.Log.Error("journal cannot be replayed", "error", err)
			}
			break
		}
		from = next
	}
	return out
}

// queryMarks returns those of the positions whose events the client has received. The client answers a heartbeat at once and in
// order, so when it answers the one behind the query, there is no other response.
func (c *connection) queryMarks(positions []chat.Position) (seen []chat.Position) {
	var pairs []pair
	for _, tag := range c.previousTags {
		pairs = append(pairs, pair{tag, queried})
		for _, p := range positions {
			pairs = append(pairs, pair{tag, etag(p)})
		}
	}
	q := &markQuery{tag: c.tag, done: make(chan struct{}), marks: map[pair]bool{}}
	c.mu.Lock()
	c.markQuery = q
	c.control = append(c.control, lossPacket(append(pairs, pair{c.tag, queried})), "2::")
	c.mu.Unlock()
	c.signal()
	timer := time.NewTimer(markTimeout)
	defer timer.Stop()
	select {
	case <-q.done:
	case <-c.closed:
	case <-timer.C:
	}
	c.mu.Lock()
	c.markQuery = nil
	c.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range positions {
		if q.received(p, c.previousTags) {
			seen = append(seen, p)
		}
	}
	return seen
}

// onProcessedLoss takes a trouter.processed_message_loss.
func (c *connection) onProcessedLoss(args []json.RawMessage) {
	c.mu.Lock()
	q := c.markQuery
	c.mu.Unlock()
	var what struct {
		Pairs []pair `json:"droppedIndicators"`
	}
	if q == nil || len(args) == 0 || json.Unmarshal(args[0], &what) != nil {
		return
	}
	q.add(what.Pairs)
}

// onHeartbeat ends a query: the response would have come before it.
func (c *connection) onHeartbeat() {
	c.mu.Lock()
	q := c.markQuery
	c.mu.Unlock()
	if q != nil {
		q.finish()
	}
}
