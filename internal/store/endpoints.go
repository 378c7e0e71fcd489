package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
	"github.com/chatd/chatd/internal/store/sqldb"
)

const endpointColumns = "arrivals, teller, position, ended, dialect"

// forgetAtOnce bounds how many endpoints an arrival removes.
const forgetAtOnce = 1000

func endpointRow(e *delivery.Endpoint) []any {
	return []any{&e.Newest, &e.Owner, &e.Position, &e.Ended, &e.Format}
}

// Endpoint returns an endpoint; one that is not known has no arrivals.
func (db *DB) Endpoint(ctx context.Context, user chat.Identity, id string) (delivery.Endpoint, error) {
	e := delivery.Endpoint{User: user, ID: id}
	err := db.read("endpoint", func(c sqldb.Conn) error {
		return c.Query(ctx, func(r sqldb.Row) error { return r.Scan(endpointRow(&e)...) },
			"SELECT "+endpointColumns+" FROM endpoints WHERE user_id = $1 AND id = $2", string(user), id)
	})
	return e, err
}

// ConnectEndpoint notes a connection of an endpoint, which must have the number after that of the last: else it is NotFound, so that
// a number is used once. The connection is the teller when none is, or when it takes over from the one before of its own
// server. Else it waits, which the servers are told. Where the user has more endpoints than the quota, those that have no
// connection go, and of them those first that were not seen for longest.
func (db *DB) ConnectEndpoint(ctx context.Context, a delivery.Connection) (delivery.Endpoint, error) {
	e := delivery.Endpoint{User: a.User, ID: a.Endpoint}
	waits := false
	err := db.write(ctx, "arrive", func(tx sqldb.Tx) error {
		if db.quota > 0 {
			err := tx.Queue(ctx, `DELETE FROM endpoints WHERE user_id = $1 AND id IN (SELECT id FROM endpoints WHERE user_id = $1 AND id <> $2
				ORDER BY CASE teller WHEN 0 THEN 1 ELSE 0 END, seen_on DESC LIMIT $3 + 0 OFFSET $4)`, string(a.User), a.Endpoint, forgetAtOnce, db.quota-1)
			if err != nil {
				return err
			}
		}
		err := tx.QueryRow(ctx, endpointRow(&e), `INSERT INTO endpoints (user_id, id, arrivals, teller, position, seen_on) VALUES ($1, $2, $3, $3, $4, $5)
			ON CONFLICT (user_id, id) DO UPDATE SET arrivals = excluded.arrivals, seen_on = excluded.seen_on,
			teller = CASE WHEN endpoints.teller IN (0, $6) THEN excluded.arrivals ELSE endpoints.teller END,
			position = CASE WHEN endpoints.ended = endpoints.arrivals AND endpoints.position < excluded.position
				THEN excluded.position ELSE endpoints.position END
			WHERE endpoints.arrivals = excluded.arrivals - 1 RETURNING `+endpointColumns,
			string(a.User), a.Endpoint, a.Number, int64(a.Position), int64(a.At), a.Previous)
		if waits = err == nil && e.Owner != a.Number; waits {
			err = insertEvents(ctx, tx, 0, []chat.Event{delivery.Changed(a.User, a.Endpoint, a.Number, a.At)})
		}
		return err
	})
	db.tell(err == nil && waits)
	return e, err
}

// TakeEndpoint makes a connection the teller, whether the one before was let go of or not. It is NotFound when it is not the
// newest any more.
func (db *DB) TakeEndpoint(ctx context.Context, user chat.Identity, id string, number int64) (delivery.Endpoint, error) {
	e := delivery.Endpoint{User: user, ID: id}
	err := db.write(ctx, "take_endpoint", func(tx sqldb.Tx) error {
		return tx.QueryRow(ctx, endpointRow(&e), `UPDATE endpoints SET teller = arrivals WHERE user_id = $1 AND id = $2 AND arrivals = $3
			RETURNING `+endpointColumns, string(user), id, number)
	})
	return e, err
}

// SaveEndpoints keeps how far endpoints have been told. A position never goes back, and that of a connection which is not
// the teller is passed over.
func (db *DB) SaveEndpoints(ctx context.Context, positions []delivery.Acknowledged, now chat.Time) error {
	// All nodes take the rows in one order, so that none waits for another that waits for it.
	sorted := slices.SortedFunc(slices.Values(positions), func(a, b delivery.Acknowledged) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return db.write(ctx, "save_endpoints", func(tx sqldb.Tx) error {
		for _, p := range sorted {
			after := p.Owner
			if p.Released {
				after = 0
			}
			err := tx.Queue(ctx, `UPDATE endpoints SET seen_on = $1, teller = $2, position = CASE WHEN position < $3 THEN $3 ELSE position END
				WHERE user_id = $4 AND id = $5 AND teller = $6`, int64(now), after, int64(p.Position), string(p.User), p.Endpoint, p.Owner)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// RegisterEndpoint keeps the dialect of an endpoint, if that is known. One that is connected goes on then, also when it had
// ended: its connection is newer than that.
func (db *DB) RegisterEndpoint(ctx context.Context, user chat.Identity, id, dialect string, now chat.Time) error {
	changed := false
	err := db.write(ctx, "register_endpoint", func(tx sqldb.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE endpoints SET dialect = $3, ended = CASE WHEN teller = 0 THEN ended ELSE 0 END
			WHERE user_id = $1 AND id = $2 AND (dialect <> $3 OR ended <> 0)`, string(user), id, dialect)
		if changed = n > 0; changed {
			err = insertEvents(ctx, tx, 0, []chat.Event{delivery.Changed(user, id, 0, now)})
		}
		return err
	})
	db.tell(err == nil && changed)
	return err
}

// EndEndpoint makes the next connection of an endpoint begin at the present.
func (db *DB) EndEndpoint(ctx context.Context, user chat.Identity, id string) error {
	return db.write(ctx, "end_endpoint", func(tx sqldb.Tx) error {
		return tx.Queue(ctx, "UPDATE endpoints SET ended = arrivals WHERE user_id = $1 AND id = $2", string(user), id)
	})
}

// ReleaseEndpoints is called by a server that begins. Where that is the only one of the store, those of before are gone, and
// nobody need wait for them.
func (db *DB) ReleaseEndpoints(ctx context.Context) error {
	if !db.engine.SingleServer() {
		return nil
	}
	return db.write(ctx, "release_endpoints", func(tx sqldb.Tx) error {
		return tx.Queue(ctx, "UPDATE endpoints SET teller = 0 WHERE teller <> 0")
	})
}

// tell wakes the readers of the journal when there is something.
func (db *DB) tell(something bool) {
	if something {
		db.watchers.wake()
		db.engine.Notify()
	}
}
