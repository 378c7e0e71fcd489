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
)

// When a connection breaks, or the server is killed, nobody here knows whether what was told last arrived. But pages can be
// asked. Their SDK takes note of each pair {tag, etag} in an event trouter.message_loss, for as long as the page lives, and
// answers trouter.processed_message_loss: first with the pairs it had noted before, if there are any, then with those that
// are new. Applications hear nothing of it. So each event is followed by a mark, in one message of the websocket so that the
// page has either both or none: the tag is that of the connection, which is in its connectparams, the etag the event's
// position. The next connection asks for the marks that may be missing of the one before, whose tag the page brings in the
// connectparams, and tells again what has none.
//
// To ask is to mark. So marks are asked for once, and the question leaves a mark of its own: when the answer was lost, the
// connection after that one finds it, and the events in question are told again. A connection that begins anew leaves the
// same mark: what came before it may be of another journal, in which positions meant other events.

const (
	maxPriors  = 3               // connections before that are asked about: the last may not have come as far as to tell events
	maxPairs   = 1280            // to ask for: the answer must fit into a message of maxFrame
	doubtSteps = 64              // of the journal to look for them
	groupSize  = 16 << 10        // bytes of frames in one message, roughly
	askTime    = 3 * time.Second // for the answer of a client that does not even answer the heartbeat behind the question
	asked      = "?"             // the etag of the mark behind which nothing is to be looked for
)

// pair is what pages take note of.
type pair struct {
	Tag  string `json:"tag"`
	Etag string `json:"etag"`
}

var tagShape = regexp.MustCompile(`^[A-Z2-7]{10}$`)

func newTag() string { return rand.Text()[:10] }

// tagsOf returns the tags of the connection and of those before it, the newest first, as connectparams have them. There are
// none when the client cannot be marked: only the SDK for browsers is known to work as described.
func tagsOf(q url.Values) []string {
	if !strings.Contains(q.Get("tc"), `"acs-chat-web"`) {
		return nil
	}
	return readTags(q.Get("tags"))
}

func readTags(text string) []string {
	tags := strings.Split(text, ".")
	if len(tags) > 1+maxPriors || slices.ContainsFunc(tags, func(tag string) bool { return !tagShape.MatchString(tag) }) {
		return nil
	}
	return tags
}

// nextTags are the tags of a connection after that of the given ones, as connectparams have them.
func nextTags(tags []string) string {
	tags = append([]string{newTag()}, tags...)
	return strings.Join(tags[:min(len(tags), 1+maxPriors)], ".")
}

func etag(position chat.Position) string { return strconv.FormatInt(int64(position), 36) }

// lossPacket has the page take note.
func lossPacket(pairs []pair) string {
	return `5:1::{"name":"trouter.message_loss","args":[{"droppedIndicators":` + string(encode(pairs)) + `}]}`
}

// mark has the page note that it was told the events at the positions.
func (sk *socket) mark(positions []chat.Position) string {
	pairs := make([]pair, len(positions))
	for i, p := range positions {
		pairs[i] = pair{sk.tag, etag(p)}
	}
	return lossPacket(pairs)
}

// groups returns the frames of events, numbered from an id on, as they go into messages: with a mark behind them where the
// client can be marked.
func (sk *socket) groups(from int64, events []notify.Heard, d dialect) (out [][]string) {
	var group []string
	var positions []chat.Position
	size := 0
	for i, h := range events {
		frame := sk.frame(from+int64(i), h, d)
		group, positions, size = append(group, frame), append(positions, h.Position), size+len(frame)
		switch {
		case sk.tag == "":
			out = append(out, group)
		case size < groupSize && i < len(events)-1:
			continue
		default:
			out = append(out, append(group, sk.mark(positions)))
		}
		group, positions, size = nil, nil, 0
	}
	return out
}

// question is one that a page was asked.
type question struct {
	tag  string // of the connection that asks
	done chan struct{}
	once sync.Once

	mu    sync.Mutex
	noted map[pair]bool
}

// answer takes an event of the page that may be part of the answer.
func (q *question) answer(pairs []pair) {
	if slices.Contains(pairs, pair{q.tag, asked}) {
		q.end() // these are the new ones
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range pairs {
		q.noted[p] = true
	}
}

// end says that there will be no more of the answer.
func (q *question) end() { q.once.Do(func() { close(q.done) }) }

// knows reports whether the page was told the event by one of the connections. What was asked for later says nothing.
func (q *question) knows(position chat.Position, priors []string) bool {
	for _, tag := range priors {
		if q.noted[pair{tag, etag(position)}] {
			return true
		}
		if q.noted[pair{tag, asked}] {
			return false
		}
	}
	return false
}

// beginAnew has nothing that was told before this connection count.
func (sk *socket) beginAnew() {
	if len(sk.priors) == 0 {
		return
	}
	sk.mu.Lock()
	sk.control = append(sk.control, lossPacket([]pair{{sk.tag, asked}}))
	sk.mu.Unlock()
	sk.stir()
}

// recall settles what the page was told by the connection before and nobody here knows of. It returns the position from
// which on to tell. here says that the connection before was at this server: else it may have been told anything that is not
// known to be acknowledged.
func (sk *socket) recall(ctx context.Context, from chat.Position, here bool) chat.Position {
	if sk.priors = sk.e.sameJournal(sk.priors); len(sk.priors) == 0 {
		return from
	}
	doubts, most := sk.e.outstanding(), maxPairs/len(sk.priors)
	if !here {
		doubts = sk.journaled(ctx, from, most)
	}
	if len(doubts) == 0 {
		return from
	}
	doubts = doubts[:min(len(doubts), most)]
	seen := sk.ask(doubts)
	from = sk.e.recalled(doubts, seen)
	if len(seen) > 0 { // for the connection after this one, should the server be killed before this is saved
		sk.mu.Lock()
		sk.control = append(sk.control, sk.mark(seen))
		sk.mu.Unlock()
		sk.stir()
	}
	return from
}

// journaled returns the positions in the journal behind one that the user hears and did not acknowledge here, as many as are
// wanted or a few more. Another server may have told what this one has not read yet.
func (sk *socket) journaled(ctx context.Context, from chat.Position, most int) (out []chat.Position) {
	to, err := sk.s.Hub.Head(ctx)
	if err != nil {
		sk.s.Log.Error("end of the journal cannot be read", "error", err)
		to = sk.s.Hub.Position()
	}
	for range doubtSteps {
		if from >= to || len(out) >= most {
			break
		}
		next := min(from+replayStep, to)
		_, err := sk.s.Hub.Replay(ctx, sk.e.key.user, from, next, func(h notify.Heard) {
			if !sk.e.done(h.Position) {
				out = append(out, h.Position)
			}
		})
		if err != nil {
			if ctx.Err() == nil {
				sk.s.Log.Error("journal cannot be replayed", "error", err)
			}
			break
		}
		from = next
	}
	return out
}

// ask returns those of the positions whose events the page knows. The client answers a heartbeat at once and in order, so
// when it answers the one behind the question, there is no other answer.
func (sk *socket) ask(positions []chat.Position) (seen []chat.Position) {
	var pairs []pair
	for _, tag := range sk.priors {
		pairs = append(pairs, pair{tag, asked})
		for _, p := range positions {
			pairs = append(pairs, pair{tag, etag(p)})
		}
	}
	q := &question{tag: sk.tag, done: make(chan struct{}), noted: map[pair]bool{}}
	sk.mu.Lock()
	sk.question = q
	sk.control = append(sk.control, lossPacket(append(pairs, pair{sk.tag, asked})), "2::")
	sk.mu.Unlock()
	sk.stir()
	timer := time.NewTimer(askTime)
	defer timer.Stop()
	select {
	case <-q.done:
	case <-sk.closed:
	case <-timer.C:
	}
	sk.mu.Lock()
	sk.question = nil
	sk.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range positions {
		if q.knows(p, sk.priors) {
			seen = append(seen, p)
		}
	}
	return seen
}

// processed takes a trouter.processed_message_loss.
func (sk *socket) processed(args []json.RawMessage) {
	sk.mu.Lock()
	q := sk.question
	sk.mu.Unlock()
	var what struct {
		Pairs []pair `json:"droppedIndicators"`
	}
	if q == nil || len(args) == 0 || json.Unmarshal(args[0], &what) != nil {
		return
	}
	q.answer(what.Pairs)
}

// beat takes the answer to a heartbeat.
func (sk *socket) beat() {
	sk.mu.Lock()
	q := sk.question
	sk.mu.Unlock()
	if q != nil {
		q.end()
	}
}
