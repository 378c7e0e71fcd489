package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// endpointColumns have older names than delivery.Endpoint, in this order: number of the newest connection, owner, position,
// number of the connection after which the client unregistered, format.
const endpointColumns = "arrivals, teller, position, ended, dialect"

// maxRemoved bounds how many endpoints of a user one connection removes, since it does so in its own transaction.
const maxRemoved = 1000

// endpointRow are the destinations of endpointColumns.
func endpointRow(e *delivery.Endpoint) []any {
	return []any{&e.Newest, &e.Owner, (*int64)(&e.Position), &e.Ended, &e.Format}
}

// Endpoint returns an endpoint. One that does not exist has a Newest of 0.
func (db *DB) Endpoint(ctx context.Context, user chat.Identity, id string) (delivery.Endpoint, error) {
	e := delivery.Endpoint{User: user, ID: id}
	err := db.read("endpoint", func(c sqldb.Conn) error {
		return c.Query(ctx, func(r sqldb.Row) error { return r.Scan(endpointRow(&e)...) },
			"SELECT "+endpointColumns+" FROM endpoints WHERE user_id = $1 AND id = $2", string(user), id)
	})
	return e, err
}

// ConnectEndpoint adds a connection to an endpoint and returns the endpoint. The connection must have the number after that of the
// last one: otherwise the error is NotFound, so that two servers cannot use one number. It becomes the owner when there is none, or
// when the owner is its Previous. Otherwise it waits, and the journal gets delivery.EndpointChanged, by which the owner's server
// learns of it. Beyond Options.Endpoints, endpoints of the user are removed: those without an owner first, then the least
// recently seen.
func (db *DB) ConnectEndpoint(ctx context.Context, c delivery.Connection) (delivery.Endpoint, error) {
	e := delivery.Endpoint{User: c.User, ID: c.Endpoint}
	waits := false
	// "arrive" is the label of a metric that dashboards use.
	err := db.write(ctx, "arrive", func(tx sqldb.Tx) error {
		if db.quota > 0 {
			err := tx.Queue(ctx, `DELETE FROM endpoints WHERE user_id = $1 AND id IN (SELECT id FROM endpoints WHERE user_id = $1 AND id <> $2
				ORDER BY CASE teller WHEN 0 THEN 1 ELSE 0 END, seen_on DESC LIMIT $3 + 0 OFFSET $4)`, string(c.User), c.Endpoint, maxRemoved, db.quota-1)
			if err != nil {
				return err
			}
		}
		// The row counts connections, so a number that was used changes nothing and no row is returned. A client that had
		// unregistered after the last connection begins where this one says, and all others at the position that is kept.
		err := tx.QueryRow(ctx, endpointRow(&e), `INSERT INTO endpoints (user_id, id, arrivals, teller, position, seen_on) VALUES ($1, $2, $3, $3, $4, $5)
			ON CONFLICT (user_id, id) DO UPDATE SET arrivals = excluded.arrivals, seen_on = excluded.seen_on,
			teller = CASE WHEN endpoints.teller IN (0, $6) THEN excluded.arrivals ELSE endpoints.teller END,
			position = CASE WHEN endpoints.ended = endpoints.arrivals AND endpoints.position < excluded.position
				THEN excluded.position ELSE endpoints.position END
			WHERE endpoints.arrivals = excluded.arrivals - 1 RETURNING `+endpointColumns,
			string(c.User), c.Endpoint, c.Number, int64(c.Position), int64(c.At), c.Previous)
		if waits = err == nil && e.Owner != c.Number; waits {
			err = insertEvents(ctx, tx, 0, []chat.Event{delivery.Changed(c.User, c.Endpoint, c.Number, c.At)})
		}
		return err
	})
	if err == nil && waits {
		db.notify()
	}
	return e, err
}

// TakeEndpoint makes a connection the owner, whether the owner before has released the endpoint or not. The error is NotFound when
// the connection is not the newest any more.
func (db *DB) TakeEndpoint(ctx context.Context, user chat.Identity, id string, number int64) (delivery.Endpoint, error) {
	e := delivery.Endpoint{User: user, ID: id}
	err := db.write(ctx, "take_endpoint", func(tx sqldb.Tx) error {
		return tx.QueryRow(ctx, endpointRow(&e), `UPDATE endpoints SET teller = arrivals WHERE user_id = $1 AND id = $2 AND arrivals = $3
			RETURNING `+endpointColumns, string(user), id, number)
	})
	return e, err
}

// SaveEndpoints keeps how far clients have acknowledged the journal. Positions never go back. Those of connections that are not the
// owner are ignored.
func (db *DB) SaveEndpoints(ctx context.Context, positions []delivery.Acknowledged, now chat.Time) error {
	// All nodes lock the rows in one order, so that they cannot wait for each other in a circle.
	sorted := slices.SortedFunc(slices.Values(positions), func(a, b delivery.Acknowledged) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return db.write(ctx, "save_endpoints", func(tx sqldb.Tx) error {
		for _, p := range sorted {
			owner := p.Owner
			if p.Released {
				owner = 0
			}
			err := tx.Queue(ctx, `UPDATE endpoints SET seen_on = $1, teller = $2, position = CASE WHEN position < $3 THEN $3 ELSE position END
				WHERE user_id = $4 AND id = $5 AND teller = $6`, int64(now), owner, int64(p.Position), string(p.User), p.Endpoint, p.Owner)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// RegisterEndpoint sets the format of an endpoint, if the endpoint exists. It also takes back that the client has unregistered, if
// there is an owner: that connection is newer. The journal gets delivery.EndpointChanged when something has changed.
func (db *DB) RegisterEndpoint(ctx context.Context, user chat.Identity, id, format string, now chat.Time) error {
	changed := false
	err := db.write(ctx, "register_endpoint", func(tx sqldb.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE endpoints SET dialect = $3, ended = CASE WHEN teller = 0 THEN ended ELSE 0 END
			WHERE user_id = $1 AND id = $2 AND (dialect <> $3 OR ended <> 0)`, string(user), id, format)
		if changed = n > 0; changed {
			err = insertEvents(ctx, tx, 0, []chat.Event{delivery.Changed(user, id, 0, now)})
		}
		return err
	})
	if err == nil && changed {
		db.notify()
	}
	return err
}

// EndEndpoint notes that the client has unregistered, so that its next connection begins at the present.
func (db *DB) EndEndpoint(ctx context.Context, user chat.Identity, id string) error {
	return db.write(ctx, "end_endpoint", func(tx sqldb.Tx) error {
		return tx.Queue(ctx, "UPDATE endpoints SET ended = arrivals WHERE user_id = $1 AND id = $2", string(user), id)
	})
}

// ReleaseEndpoints is called by a server when it starts. If it can be the only one, the connections of its last run are gone, and
// new ones need not wait for them.
func (db *DB) ReleaseEndpoints(ctx context.Context) error {
	if !db.engine.SingleServer() {
		return nil
	}
	return db.write(ctx, "release_endpoints", func(tx sqldb.Tx) error {
		return tx.Queue(ctx, "UPDATE endpoints SET teller = 0 WHERE teller <> 0")
	})
}
