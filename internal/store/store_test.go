package store_test

import (
	"path/filepath"
	"testing"

	"github.com/chatd/chatd/internal/store/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Engine{URL: func(*testing.T) string { return "memory:" }})
}

func TestFile(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Engine{Durable: true, URL: func(t *testing.T) string {
		return "sqlite:" + filepath.Join(t.TempDir(), "chatd.db")
	}})
}
