package store

import (
	"context"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// AddImage keeps an image, if its owner is below the quota. See chat.Store.
func (db *DB) AddImage(ctx context.Context, thread chat.ThreadKey, i *chat.Image, perDay int) error {
	return db.write(ctx, "add_image", func(tx sqldb.Tx) error {
		if perDay > 0 {
			if err := underQuota(ctx, tx, i, perDay); err != nil {
				return err
			}
		}
		return tx.Queue(ctx, "INSERT INTO images (tk, id, name, type, owner, created_on, roster, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
			int64(thread), i.ID, i.Name, i.Type, string(i.Owner), int64(i.On), int64(i.Roster), i.Bytes)
	})
}

// underQuota locks the owner, so that images that come at once are counted one after the other. Deleted images have no bytes and
// do not count.
func underQuota(ctx context.Context, tx sqldb.Tx, i *chat.Image, perDay int) error {
	var locked string
	err := tx.QueryRow(ctx, []any{&locked}, "SELECT id FROM users WHERE id = $1"+tx.Dialect().LockClause, string(i.Owner))
	if err != nil && err != sqldb.ErrNoRow { //nolint:errorlint // QueryRow returns it bare
		return err
	}
	// The limit keeps the statement short for an owner with many images. Those of another day do not count.
	var n int
	const day = 24 * 60 * 60 * 1000
	err = tx.QueryRow(ctx, []any{&n}, "SELECT count(*) FROM (SELECT 1 FROM images WHERE owner = $1 AND created_on > $2 AND length(bytes) > 0 LIMIT $3 + 0) AS lately",
		string(i.Owner), int64(i.On)-day, perDay)
	if err == nil && n >= perDay {
		err = &chat.Error{Kind: chat.TooMany, Reason: "quota of images for a day"}
	}
	return err
}

// Image returns an image, without name and bytes if it was deleted. See chat.Store.
func (db *DB) Image(ctx context.Context, thread chat.ThreadKey, id string) (*chat.Image, error) {
	i := &chat.Image{ID: id}
	err := db.read("image", func(c sqldb.Conn) error {
		return c.QueryRow(ctx, []any{&i.Name, &i.Type, &i.Owner, &i.On, &i.Roster, &i.Bytes},
			"SELECT name, type, owner, created_on, roster, bytes FROM images WHERE tk = $1 AND id = $2", int64(thread), id)
	})
	return i, err
}

// DeleteImage removes name and bytes of an image. See chat.Store.
func (db *DB) DeleteImage(ctx context.Context, thread chat.ThreadKey, id string) error {
	return db.write(ctx, "delete_image", func(tx sqldb.Tx) error {
		return tx.Queue(ctx, "UPDATE images SET name = '', bytes = $3 WHERE tk = $1 AND id = $2", int64(thread), id, []byte{})
	})
}
