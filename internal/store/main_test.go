package store_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/chatd/chatd/internal/store/pgtest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(victimVariable); url != "" {
		fmt.Fprintln(os.Stderr, victim(url)) // runs until it is killed
		os.Exit(1)
	}
	// How much the machine of TestModel does where the command line does not say.
	for name, value := range map[string]int{"rapid.checks": pick(150, 12), "rapid.steps": pick(100, 60)} {
		if err := flag.Set(name, fmt.Sprint(value)); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		pgtest.Stop()
		os.Exit(code)
	}))
}

// pick chooses between what is enough and what is bearable under the race detector, which slows SQLite 45 times down.
func pick(normal, race int) int {
	if raced {
		return race
	}
	return normal
}
