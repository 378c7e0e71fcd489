package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// Lists are read page by page while they change. What is in a list from the first page to the last must be returned exactly once,
// although items move. So a mark holds not only where a page ended, but also by what items that moved are recognized. All of it is
// bounded, since marks are part of the links in responses.

// Participants returns those who are present. They do not move, but may leave and come back. The mark holds the place of the last one
// and the roster version of the first page: participants who joined later are not listed, since an earlier page may have them already.
// See chat.Store.
func (db *DB) Participants(ctx context.Context, thread chat.ThreadKey, q chat.PageQuery) ([]chat.Participant, chat.Mark, error) {
	roster, joined, place := int64(math.MaxInt64), int64(0), int64(0)
	if q.After != nil {
		if len(q.After) != 3 {
			return nil, nil, errMark
		}
		roster, joined, place, q.Skip = q.After[0], q.After[1], q.After[2], 0
	}
	var out []chat.Participant
	var next chat.Mark
	// One row more than the page tells whether there is a next one. place is the order among those who joined at one version.
	err := db.read("participants", func(c sqldb.Conn) error {
		return c.Query(ctx, func(r sqldb.Row) error {
			var at, now int64
			p, err := scanParticipant(r, &at, &now)
			if err != nil {
				return err
			}
			if len(out) == q.Limit {
				next = chat.Mark{min(roster, now), joined, place}
				return nil
			}
			out, joined, place = append(out, p), int64(p.Joined), at
			return nil
		}, "SELECT "+participantColumns+`, place, (SELECT roster FROM threads WHERE tk = $1) FROM participants
			WHERE tk = $1 AND gone = 0 AND joined <= $2 AND (joined > $3 OR joined = $3 AND place > $4)
			ORDER BY joined, place LIMIT $5 + 0 OFFSET $6`, int64(thread), roster, joined, place, q.Limit+1, q.Skip)
	})
	return out, next, err
}

// maxListed is how many readers a mark of receipts holds: as many as a thread may have participants.
const maxListed = chat.MaxParticipants

// Receipts returns the latest receipt of each reader, newest first. A reader who reads on moves to the front, and the row does not say
// where the receipt was before. So the mark holds who was listed, each as a hash, and a page has the newest receipts of the
// others. Where more than maxListed readers were listed, most of whom have left the thread, the mark holds the last of them, and a
// page has only receipts that are not newer than all that were listed. See chat.Store.
func (db *DB) Receipts(ctx context.Context, thread chat.ThreadKey, q chat.PageQuery) ([]chat.ReadReceipt, chat.Mark, error) {
	oldest, newest := int64(math.MaxInt64), int64(math.MaxInt64) // of the receipts listed; of those that may be
	var listed []int64
	if q.After != nil {
		if len(q.After) < 1 {
			return nil, nil, errMark
		}
		oldest, listed, q.Skip = q.After[0], slices.Clone(q.After[1:]), 0
	}
	if len(listed) >= maxListed {
		newest = oldest
	}
	var out []chat.ReadReceipt
	var next chat.Mark
	before := len(listed) // on earlier pages
	skip := min(q.Skip, 1<<31)
	// Those who were listed are skipped here and not in the statement, where a list of any length would be a text of its own. So
	// it reads as many more rows.
	err := db.read("receipts", func(c sqldb.Conn) error {
		return c.Query(ctx, func(r sqldb.Row) error {
			receipt, err := scanReceipt(r)
			reader := hashed(receipt.Reader)
			switch {
			case err != nil, slices.Contains(listed[:before], reader):
				return err
			case len(out) == q.Limit:
				next = append(chat.Mark{oldest}, listed[max(0, len(listed)-maxListed):]...)
				return nil
			case len(listed)-before >= skip:
				out = append(out, receipt)
			}
			listed, oldest = append(listed, reader), min(oldest, int64(receipt.ReadOn))
			return nil
		}, "SELECT user_id, message_id, read_on FROM receipts WHERE tk = $1 AND read_on <= $2 ORDER BY read_on DESC, user_id DESC LIMIT $3 + 0",
			int64(thread), newest, before+skip+q.Limit+1)
	})
	return out, next, err
}

// hashed makes identities short. A collision, which is not to be expected, would leave a reader out.
func hashed(reader chat.Identity) int64 {
	sum := sha256.Sum256([]byte(reader))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

const (
	// settledAfter is the age, in milliseconds, of a message when no older one will be stored any more: longer than a write can
	// wait, and than clocks of nodes differ.
	settledAfter = chat.Time(60_000)

	// maxMoving is how many threads with younger messages a mark holds, the latest of them.
	maxMoving = 200
)

// threadMark is where a page of threads ended. All pages are in the order of the first one, although threads move to the front with
// each message. Since ids of messages are times, the place of a thread at a past moment can be found from its messages. That works
// up to settledAfter before the first page. Threads with younger messages, which are few, are in the mark, in their order.
type threadMark struct {
	until   int64   // places are as of this time
	moving  []int64 // keys of threads with younger messages
	done    int     // how many of them were listed
	on, key int64   // time and key of the last thread that was listed of the others
}

func (m *threadMark) encode() chat.Mark {
	return append(chat.Mark{m.until, int64(m.done), m.on, m.key}, m.moving...)
}

func decodeThreadMark(raw chat.Mark) (*threadMark, error) {
	if len(raw) < 4 || raw[1] < 0 || int(raw[1]) > len(raw)-4 {
		return nil, errMark
	}
	return &threadMark{until: raw[0], done: int(raw[1]), on: raw[2], key: raw[3], moving: raw[4:]}, nil
}

var errMark = &chat.Error{Kind: chat.Invalid, Reason: "mark of another list or version"}

// ThreadsOf returns the threads of a user. See chat.Store.
func (db *DB) ThreadsOf(ctx context.Context, user chat.Identity, q chat.ThreadQuery) (out []chat.ThreadItem, next chat.Mark, err error) {
	err = db.read("threads", func(c sqldb.Conn) error {
		if q.After == nil {
			out, next, err = firstThreads(ctx, c, user, q)
			return err
		}
		m, err := decodeThreadMark(q.After)
		if err == nil {
			out, next, err = nextThreads(ctx, c, user, q, m)
		}
		return err
	})
	return out, next, err
}

// firstThreads reads the first page. If threads behind it have young messages, a second statement reads which. A thread that
// moves between the two statements was not on the page, and counts as if it had moved before.
func firstThreads(ctx context.Context, c sqldb.Conn, user chat.Identity, q chat.ThreadQuery) ([]chat.ThreadItem, chat.Mark, error) {
	var out []chat.ThreadItem
	err := threadsAsOf(ctx, c, user, q.Since, &threadMark{until: math.MaxInt64, on: math.MaxInt64, key: math.MaxInt64}, q.Limit+1, func(t chat.ThreadItem, _ int64) {
		out = append(out, t)
	})
	if err != nil || len(out) <= q.Limit {
		return out, nil, err
	}
	behind := out[q.Limit]
	out = out[:q.Limit]
	last := out[q.Limit-1]
	m := &threadMark{until: int64(q.Now - settledAfter), on: int64(last.LastOn), key: int64(last.Key)}
	for _, t := range out {
		if int64(t.LastOn) > m.until {
			m.moving = append(m.moving, int64(t.Key))
		}
	}
	if m.done = len(m.moving); m.done == len(out) {
		m.on, m.key = math.MaxInt64, math.MaxInt64
	}
	if int64(behind.LastOn) <= m.until {
		return out, m.encode(), nil
	}
	err = c.Query(ctx, func(r sqldb.Row) error {
		var key, on int64
		err := r.Scan(&key, &on)
		switch {
		case err != nil, slices.Contains(m.moving[:m.done], key):
		case len(m.moving) < maxMoving:
			m.moving = append(m.moving, key)
		default:
			m.until = max(m.until, on)
		}
		return err
	}, "SELECT tk, last_on FROM ("+seenThreads+`) AS seen WHERE last_on > $2 AND last_on >= $3
		ORDER BY last_on DESC, tk DESC LIMIT $4 + 0`, string(user), m.until, int64(q.Since), maxMoving+1)
	return out, m.encode(), err
}

// nextThreads reads a later page: first the rest of the threads that the mark holds, then the others by their place as of then.
func nextThreads(ctx context.Context, c sqldb.Conn, user chat.Identity, q chat.ThreadQuery, m *threadMark) ([]chat.ThreadItem, chat.Mark, error) {
	page := m.moving[m.done:min(m.done+q.Limit, len(m.moving))]
	out, err := threadsByKey(ctx, c, user, page)
	if err != nil {
		return nil, nil, err
	}
	if m.done += len(page); m.done < len(m.moving) {
		return out, m.encode(), nil
	}
	var next chat.Mark
	after := *m
	err = threadsAsOf(ctx, c, user, q.Since, m, q.Limit-len(out)+len(m.moving)+1, func(t chat.ThreadItem, active int64) {
		switch {
		case slices.Contains(m.moving, int64(t.Key)):
		case len(out) < q.Limit:
			out = append(out, t)
			after.on, after.key = active, int64(t.Key)
		default:
			next = after.encode()
		}
	})
	return out, next, err
}

// seenThreads selects the threads of user $1 as the user sees them: as they are, or as they were when the user left.
const seenThreads = `SELECT t.tk, t.id, t.deleted_on, CASE WHEN p.gone > 0 THEN p.left_topic ELSE t.topic END AS topic,
	CASE WHEN p.gone > 0 THEN p.until ELSE t.last_on END AS last_on
	FROM participants p JOIN threads t ON t.tk = p.tk WHERE p.user_id = $1
	AND p.joined = (SELECT max(joined) FROM participants WHERE tk = t.tk AND user_id = $1)`

// threadsAsOf calls give for threads in the order of the last message that they had at the mark's time, with the time of that
// message.
func threadsAsOf(ctx context.Context, c sqldb.Conn, user chat.Identity, since chat.Time, m *threadMark, limit int, give func(t chat.ThreadItem, active int64)) error {
	return c.Query(ctx, func(r sqldb.Row) error {
		var t chat.ThreadItem
		var active int64
		err := r.Scan(&t.Key, &t.ID, &t.Topic, &t.DeletedOn, &t.LastOn, &active)
		if err == nil {
			give(t, active)
		}
		return err
	}, `SELECT tk, id, topic, deleted_on, last_on, active FROM (
			SELECT tk, id, topic, deleted_on, last_on, CASE WHEN last_on <= $2 THEN last_on
				ELSE (SELECT max(m.id) FROM messages m WHERE m.tk = seen.tk AND m.id <= $2) END AS active
			FROM (`+seenThreads+`) AS seen) AS listed
		WHERE active >= $3 AND (active < $4 OR active = $4 AND tk < $5) ORDER BY active DESC, tk DESC LIMIT $6 + 0`,
		string(user), m.until, int64(since), m.on, m.key, limit)
}

// threadsByKey returns threads in the order of the keys. It leaves out those that do not exist any more.
func threadsByKey(ctx context.Context, c sqldb.Conn, user chat.Identity, keys []int64) ([]chat.ThreadItem, error) {
	var out []chat.ThreadItem
	for few := range slices.Chunk(keys, listSize) {
		args := make([]any, 1+listSize) // no key is 0
		args[0] = string(user)
		for i := range listSize {
			args[1+i] = int64(0)
			if i < len(few) {
				args[1+i] = few[i]
			}
		}
		err := c.Query(ctx, func(r sqldb.Row) error {
			var t chat.ThreadItem
			err := r.Scan(&t.Key, &t.ID, &t.Topic, &t.DeletedOn, &t.LastOn)
			out = append(out, t)
			return err
		}, byKeySQL, args...)
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b chat.ThreadItem) int {
		return cmp.Compare(slices.Index(keys, int64(a.Key)), slices.Index(keys, int64(b.Key)))
	})
	return out, nil
}

var byKeySQL = "SELECT tk, id, topic, deleted_on, last_on FROM (" + seenThreads + ") AS seen WHERE tk IN ($2" + sqldb.Placeholders(3, 1+listSize) + ")"
