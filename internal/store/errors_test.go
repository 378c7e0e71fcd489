package store

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// An error names the operation, so that the log of a request says more than that the store failed.
func TestErrorsNameTheOperation(t *testing.T) {
	t.Parallel()
	db := openDB(t, "sqlite:"+filepath.Join(t.TempDir(), "chatd.db"))
	if err := db.write(t.Context(), "break", func(tx sqldb.Tx) error { return tx.Queue(t.Context(), "DROP TABLE images") }); err != nil {
		t.Fatal(err)
	}
	for operation, do := range map[string]func() error{
		"add_image":    func() error { return db.AddImage(t.Context(), 1, &chat.Image{ID: "a"}, 0) },
		"image":        func() error { _, err := db.Image(t.Context(), 1, "a"); return err },
		"delete_image": func() error { return db.DeleteImage(t.Context(), 1, "a") },
	} {
		err := do()
		if chat.KindOf(err) != chat.Internal || err == nil || !strings.Contains(err.Error(), operation+": ") || !strings.Contains(err.Error(), "no such table") {
			t.Errorf("%s: error is %v, want an internal one that names the operation", operation, err)
		}
	}
}
