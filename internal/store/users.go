package store

import (
	"context"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// AddUser keeps a user; one that is there already stays as it is. See auth.UserStore.
func (db *DB) AddUser(ctx context.Context, u auth.User) error {
	return db.write(ctx, "add_user", func(tx sqldb.Tx) error {
		return tx.Queue(ctx, "INSERT INTO users (id, created_on, valid_from, deleted_on, custom_id, token_on) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
			string(u.Identity), int64(u.CreatedOn), int64(u.ValidFrom), int64(u.DeletedOn), u.CustomID, int64(u.TokenOn))
	})
}

// User returns a user, deleted ones too. See auth.UserStore.
func (db *DB) User(ctx context.Context, id chat.Identity) (auth.User, error) {
	return db.user(ctx, "user", "id = $1", string(id))
}

// CustomUser returns the user of a custom id that is not deleted. See auth.UserStore.
func (db *DB) CustomUser(ctx context.Context, customID string) (auth.User, error) {
	return db.user(ctx, "custom_user", "custom_id = $1 AND custom_id <> '' AND deleted_on = 0", customID)
}

// user returns the only user that a condition selects.
func (db *DB) user(ctx context.Context, operation, which, key string) (auth.User, error) {
	var u auth.User
	err := db.read(operation, func(c sqldb.Conn) error {
		return c.QueryRow(ctx, []any{&u.Identity, &u.CreatedOn, &u.ValidFrom, &u.DeletedOn, &u.CustomID, &u.TokenOn},
			"SELECT id, created_on, valid_from, deleted_on, custom_id, token_on FROM users WHERE "+which, key)
	})
	return u, err
}

// NoteToken keeps when a token was issued. Tokens have seconds, while a revocation has milliseconds: see the comment on times in
// auth/identities.go. See auth.UserStore.
func (db *DB) NoteToken(ctx context.Context, id chat.Identity, now chat.Time) (issued chat.Time, err error) {
	// The time in the token: now, or the next full second after valid_from.
	const issuedOn = "CASE WHEN valid_from / 1000 * 1000 + 1000 > $2 THEN valid_from / 1000 * 1000 + 1000 ELSE $2 END"
	err = db.write(ctx, "note_token", func(tx sqldb.Tx) error {
		return tx.QueryRow(ctx, []any{&issued}, "UPDATE users SET token_on = CASE WHEN token_on < "+issuedOn+" THEN "+issuedOn+" ELSE token_on END"+
			" WHERE id = $1 AND deleted_on = 0 RETURNING "+issuedOn, string(id), int64(now))
	})
	return issued, err
}

// RevokeUser ends all tokens issued so far, also those of nodes whose clocks are ahead. See auth.UserStore.
func (db *DB) RevokeUser(ctx context.Context, id chat.Identity, now chat.Time) error {
	return db.endTokens(ctx, "revoke_user", `UPDATE users SET valid_from = CASE WHEN valid_from >= $2 AND valid_from >= token_on THEN valid_from
		WHEN token_on >= $2 THEN token_on ELSE $2 END WHERE id = $1 AND deleted_on = 0`, id, now)
}

// RevokeUserBefore ends all tokens issued before validFrom. It never moves the bound back. See auth.UserStore.
func (db *DB) RevokeUserBefore(ctx context.Context, id chat.Identity, validFrom chat.Time) error {
	return db.endTokens(ctx, "revoke_user_before", "UPDATE users SET valid_from = CASE WHEN valid_from < $2 THEN $2 ELSE valid_from END WHERE id = $1 AND deleted_on = 0", id, validFrom)
}

// DeleteUser keeps the row, marked as deleted, so that the user's tokens stay refused. See auth.UserStore.
func (db *DB) DeleteUser(ctx context.Context, id chat.Identity, now chat.Time) error {
	return db.endTokens(ctx, "delete_user", "UPDATE users SET deleted_on = $2 WHERE id = $1 AND deleted_on = 0", id, now)
}

// endTokens changes a user so that tokens are not valid any more. The event in the journal makes all nodes close the user's
// connections.
func (db *DB) endTokens(ctx context.Context, operation, sql string, id chat.Identity, t chat.Time) error {
	return db.publish(ctx, operation, func(tx sqldb.Tx) error {
		if err := updateUser(ctx, tx, sql, id, t); err != nil {
			return err
		}
		return insertEvents(ctx, tx, 0, []chat.Event{chat.EndOf(id, t)})
	})
}

// updateUser runs a statement on a user, or returns sqldb.ErrNoRow when it changes none.
func updateUser(ctx context.Context, tx sqldb.Tx, sql string, id chat.Identity, t chat.Time) error {
	n, err := tx.Exec(ctx, sql, string(id), int64(t))
	if err == nil && n == 0 {
		err = sqldb.ErrNoRow
	}
	return err
}

// listSize is how many values a list in a statement has. Shorter lists are filled up, so that there is one text to prepare.
const listSize = 25

var knownSQL = "SELECT id FROM users WHERE deleted_on = 0 AND id IN ($1" + sqldb.Placeholders(2, listSize) + ")"

// Known returns those of the users that exist and are not deleted. See chat.Store.
func (db *DB) Known(ctx context.Context, users []chat.Identity) (map[chat.Identity]bool, error) {
	out := make(map[chat.Identity]bool, len(users))
	err := db.read("known", func(c sqldb.Conn) error {
		for len(users) > 0 {
			n := min(len(users), listSize)
			args := make([]any, listSize)
			for i := range args {
				args[i] = ""
				if i < n {
					args[i] = string(users[i])
				}
			}
			err := c.Query(ctx, func(r sqldb.Row) error {
				var id chat.Identity
				err := r.Scan(&id)
				out[id] = true
				return err
			}, knownSQL, args...)
			if err != nil {
				return err
			}
			users = users[n:]
		}
		return nil
	})
	return out, err
}

// SigningKeys returns the keys that sign user tokens, oldest first. See auth.KeyStore.
func (db *DB) SigningKeys(ctx context.Context) ([]auth.SigningKey, error) {
	var out []auth.SigningKey
	err := db.read("signing_keys", func(c sqldb.Conn) error {
		return c.Query(ctx, func(r sqldb.Row) error {
			var k auth.SigningKey
			err := r.Scan(&k.ID, &k.PKCS8, &k.CreatedOn)
			out = append(out, k)
			return err
		}, "SELECT id, pkcs8, created_on FROM signing_keys ORDER BY created_on, id")
	})
	return out, err
}

// AddSigningKey keeps a key; one of that id that is there already stays. See auth.KeyStore.
func (db *DB) AddSigningKey(ctx context.Context, k auth.SigningKey) error {
	return db.write(ctx, "add_signing_key", func(tx sqldb.Tx) error {
		return tx.Queue(ctx, "INSERT INTO signing_keys (id, created_on, pkcs8) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
			k.ID, int64(k.CreatedOn), k.PKCS8)
	})
}

// RemoveSigningKey removes a key, if it is there. See auth.KeyStore.
func (db *DB) RemoveSigningKey(ctx context.Context, id string) error {
	return db.write(ctx, "remove_signing_key", func(tx sqldb.Tx) error {
		return tx.Queue(ctx, "DELETE FROM signing_keys WHERE id = $1", id)
	})
}
