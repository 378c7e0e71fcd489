package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/server"
	"github.com/chatd/chatd/internal/store"
)

// keys is chatd keys: it lists, rotates and retires the signing keys of user tokens. It changes the store, which
// running servers read again within server.RefreshEvery; none needs a restart. Rotating ends no token. Retiring
// ends those that the key signed, which is for a key that leaked.
func keys(ctx context.Context, p *program, cfg *config) error {
	verb, id, given := "", "", len(cfg.operands)
	if given > 0 {
		verb = cfg.operands[0]
	}
	if given > 1 {
		id = cfg.operands[1]
	}
	if verb != "list" && verb != "rotate" && verb != "retire" || (verb == "retire") != (id != "") {
		return usagef("chatd keys wants list, rotate or retire and the key's number")
	}
	// AsIs: a mistyped path is an error, and a server of another version keeps its schema.
	db, err := store.Open(ctx, cfg.store, store.Options{AsIs: true, Listen: store.NoListen})
	if err != nil {
		return err
	}
	text, err := cfg.manageKeys(ctx, db, verb, id)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	_, err = io.WriteString(p.stdout, text)
	return err
}

// manageKeys carries out a verb of chatd keys and returns what to print. It refuses when a server at the address
// of this configuration has other keys: the change would then not be the one that the user expects.
func (c *config) manageKeys(ctx context.Context, db *store.DB, verb, id string) (string, error) {
	set, err := c.openKeys(ctx, db, true)
	if err == nil {
		err = c.sameKeys(ctx, set)
	}
	if err != nil {
		return "", err
	}
	at, err := c.keyStore(db)
	if err != nil {
		return "", err
	}
	switch verb {
	case "rotate":
		id, err := auth.RotateKey(ctx, at, now())
		if err != nil {
			return "", err
		}
		return "key " + id + " is active: servers sign with it within " + server.RefreshEvery.String() + "\n", nil
	case "retire":
		if err := auth.RetireKey(ctx, at, id); err != nil {
			return "", err
		}
		return "key " + id + " is retired: servers refuse its tokens within " + server.RefreshEvery.String() + "\n", nil
	}
	stored, err := at.SigningKeys(ctx)
	return keyTable(stored, now()), err
}

// keyTable lists the keys, oldest first, with the state of each. The newest is the active one.
func keyTable(stored []auth.SigningKey, now chat.Time) string {
	rows := [][2]string{}
	for i, key := range stored {
		state := "active"
		if until := auth.VerifiesUntil(stored, i); until != 0 && until <= now {
			state = "over, its tokens have ended"
		} else if until != 0 {
			state = "verifies until " + until.Std().Format(time.RFC3339)
		}
		rows = append(rows, [2]string{key.ID, "made " + key.CreatedOn.Std().Format(time.RFC3339) + ", " + state})
	}
	var b strings.Builder
	writeRows(&b, rows)
	return b.String()
}
