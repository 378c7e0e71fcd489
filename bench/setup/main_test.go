package setup

import (
	"os"
	"testing"

	"github.com/chatd/chatd/internal/store/pgtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}
