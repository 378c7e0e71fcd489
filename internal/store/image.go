package store

import (
	"context"

	"github.com/chatd/chatd/internal/chat"
)

// AddImage keeps an image. See chat.Store.
func (db *DB) AddImage(ctx context.Context, thread int64, i *chat.Image) error {
	return db.write(ctx, "add_image", func(tx conn) error {
		return tx.later(ctx, "INSERT INTO images (tk, id, name, type, owner, created_on, roster, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
			thread, i.ID, i.Name, i.Type, string(i.Owner), int64(i.On), i.Roster, i.Bytes)
	})
}

// Image returns an image. See chat.Store.
func (db *DB) Image(ctx context.Context, thread int64, id string) (*chat.Image, error) {
	i := &chat.Image{ID: id}
	err := db.read("image", func(c conn) error {
		return c.one(ctx, []any{&i.Name, &i.Type, &i.Owner, &i.On, &i.Roster, &i.Bytes},
			"SELECT name, type, owner, created_on, roster, bytes FROM images WHERE tk = $1 AND id = $2", thread, id)
	})
	return i, err
}

// DeleteImage removes an image. See chat.Store.
func (db *DB) DeleteImage(ctx context.Context, thread int64, id string) error {
	return db.write(ctx, "delete_image", func(tx conn) error {
		return tx.later(ctx, "UPDATE images SET name = '', bytes = $3 WHERE tk = $1 AND id = $2", thread, id, []byte{})
	})
}
