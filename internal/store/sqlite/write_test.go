package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// openEngine opens the engine on a file, or in memory where the path is empty.
func openEngine(t *testing.T, path string) *engine {
	t.Helper()
	url := "memory:"
	if path != "" {
		url = "sqlite:" + path
	}
	e, err := Open(t.Context(), url, sqldb.Options{Log: slog.New(slog.DiscardHandler), Wake: func() {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e.(*engine)
}

// insert makes a write of one statement.
func insert(sql string, args ...any) func(sqldb.Tx) error {
	return func(tx sqldb.Tx) error {
		_, err := tx.Exec(context.Background(), sql, args...)
		return err
	}
}

// batch lets the committer apply writes as one transaction: it is kept busy until all of them queue. It returns the
// error of each.
func batch(t *testing.T, e *engine, writes ...func(sqldb.Tx) error) []error {
	t.Helper()
	ctxs := slices.Repeat([]context.Context{t.Context()}, len(writes))
	return batchIn(t, e, ctxs, func() {}, writes...)
}

func batchIn(t *testing.T, e *engine, ctxs []context.Context, queued func(), writes ...func(sqldb.Tx) error) []error {
	t.Helper()
	started, release := make(chan struct{}), make(chan struct{})
	var blocker sync.WaitGroup
	blocker.Go(func() {
		err := e.Write(t.Context(), func(sqldb.Tx) error { close(started); <-release; return nil })
		if err != nil {
			t.Error(err)
		}
	})
	<-started
	jobs := make([]*job, len(writes))
	for i, do := range writes { // as Write does, but in this order
		jobs[i] = newJob(ctxs[i], do)
		if err := e.committer.Add(ctxs[i], jobs[i]); err != nil {
			t.Fatal(err)
		}
	}
	queued()
	close(release)
	blocker.Wait()
	errs := make([]error, len(writes))
	for i, j := range jobs {
		errs[i] = e.outcome(j)
	}
	return errs
}

// bothEngines runs a test in memory and in a file, each with a table n of numbers.
func bothEngines(t *testing.T, run func(t *testing.T, e *engine)) {
	for name, path := range map[string]string{"memory": "", "file": filepath.Join(t.TempDir(), "chatd.db")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := openEngine(t, path)
			if err := e.Write(t.Context(), insert("CREATE TABLE n (n INTEGER PRIMARY KEY)")); err != nil {
				t.Fatal(err)
			}
			run(t, e)
		})
	}
}

func insertN(n int) func(sqldb.Tx) error { return insert("INSERT INTO n (n) VALUES ($1)", n) }

// rows checks which numbers are in the table.
func rows(t *testing.T, e *engine, want ...int) {
	t.Helper()
	var got []int
	err := e.Read().Query(t.Context(), func(r sqldb.Row) error {
		var n int
		err := r.Scan(&n)
		got = append(got, n)
		return err
	}, "SELECT n FROM n ORDER BY n")
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("rows are %v, %v; want %v", got, err, want)
	}
}

// outcomes checks which of the writes failed.
func outcomes(t *testing.T, errs []error, failed ...int) {
	t.Helper()
	for i, err := range errs {
		if (err != nil) != slices.Contains(failed, i) {
			t.Errorf("write %d: %v, want those to fail: %v", i, err, failed)
		}
	}
}

func TestBatchIsOneTransaction(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, e *engine) {
		// Later writes of a batch see what earlier ones wrote.
		sees := func(want int) func(sqldb.Tx) error {
			return func(c sqldb.Tx) error {
				var n int
				if err := c.QueryRow(t.Context(), []any{&n}, "SELECT count(*) FROM n"); err != nil || n != want {
					return fmt.Errorf("%d rows, want %d (%w)", n, want, err)
				}
				return insertN(want)(c)
			}
		}
		outcomes(t, batch(t, e, sees(0), sees(1), sees(2), sees(3)))
		rows(t, e, 0, 1, 2, 3)
	})
}

// A write that fails does so alone: by its own error, by the database's, by a panic, or half-way.
func TestFailureInBatchIsAlone(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, e *engine) {
		own := errors.New("refused")
		errs := batch(t, e,
			insertN(1),
			func(c sqldb.Tx) error { return errors.Join(insertN(10)(c), own) },
			insertN(2),
			insertN(1), // is there already
			func(c sqldb.Tx) error { _ = insertN(11)(c); panic("a defect") },
			func(c sqldb.Tx) error { _ = insertN(12)(c); return insert("INSERT INTO nowhere (n) VALUES (1)")(c) },
			insertN(3),
		)
		outcomes(t, errs, 1, 3, 4, 5)
		if !errors.Is(errs[1], own) {
			t.Errorf("error is %v, want the write's own", errs[1])
		}
		if errs[4] == nil || !strings.Contains(errs[4].Error(), "a defect") {
			t.Errorf("error is %v, want it to name the panic", errs[4])
		}
		rows(t, e, 1, 2, 3)
	})
}

// Some failures take the whole transaction, as those of the disk may; then each write is done again by itself, once.
func TestFailureOfTransactionIsAlone(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, e *engine) {
		runs := 0
		errs := batch(t, e,
			insertN(1),
			func(c sqldb.Tx) error { runs++; return insertN(2)(c) },
			func(c sqldb.Tx) error { return errors.Join(insertN(10)(c), insert("ROLLBACK")(c)) },
			insertN(3),
			func(c sqldb.Tx) error {
				return errors.Join(insertN(11)(c), insert("ROLLBACK")(c), errors.New("the disk is gone"))
			},
			insertN(1),
		)
		outcomes(t, errs, 2, 4, 5)
		rows(t, e, 1, 2, 3)
		if runs != 2 {
			t.Errorf("a write ran %d times, want once in the batch and once alone", runs)
		}
		outcomes(t, batch(t, e, insertN(4)))
		rows(t, e, 1, 2, 3, 4)
	})
}

func TestFailureOfCommitIsAlone(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, e *engine) {
		// A deferred constraint is looked at by the commit, which then fails for all of the batch.
		for _, s := range []string{"PRAGMA foreign_keys = 1", "CREATE TABLE r (n INTEGER REFERENCES n (n) DEFERRABLE INITIALLY DEFERRED)"} {
			if _, err := e.writer.Exec(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		outcomes(t, batch(t, e, insertN(1), insert("INSERT INTO r (n) VALUES (99)"), insertN(2), insert("INSERT INTO r (n) VALUES (2)")), 1)
		rows(t, e, 1, 2)
	})
}

// Where the disk is full a write fails, and when there is room again the store goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, e *engine) {
		limit := func(pages int) {
			var now int
			if err := e.writer.QueryRow(t.Context(), []any{&now}, fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
				t.Fatal(err)
			}
		}
		large := strings.Repeat("x", 50_000)
		if err := e.Write(t.Context(), insert("CREATE TABLE big (n INTEGER PRIMARY KEY, text TEXT)")); err != nil {
			t.Fatal(err)
		}
		fill := func(n int) func(sqldb.Tx) error {
			return func(c sqldb.Tx) error { return insert("INSERT INTO big (n, text) VALUES ($1, $2)", n, large)(c) }
		}
		limit(40) // of 4 KiB: room for two and no more
		errs := batch(t, e, insertN(1), fill(1), insertN(2), fill(2), fill(3), fill(4), insertN(3))
		var kept []int
		for i, n := range []int{1, 3, 4, 5} {
			if errs[n] == nil {
				kept = append(kept, i+1)
			}
		}
		if len(kept) == 0 || len(kept) == 4 {
			t.Fatalf("errors are %v, want some to fail and some not", errs)
		}
		for _, n := range []int{0, 2, 6} {
			if errs[n] != nil {
				t.Errorf("a small write fails beside large ones: %v", errs[n])
			}
		}
		rows(t, e, 1, 2, 3)
		limit(10_000)
		var there int
		if err := e.Read().QueryRow(t.Context(), []any{&there}, "SELECT count(*) FROM big"); err != nil || there != len(kept) {
			t.Errorf("%d large rows are there, %d were acknowledged (%v)", there, len(kept), err)
		}
		if err := e.Write(t.Context(), fill(5)); err != nil {
			t.Errorf("with room again: %v", err)
		}
	})
}

// A context that ends while its write waits takes the write away and nothing else.
func TestContextEndsInQueue(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, e *engine) {
		ctx, cancel := context.WithCancel(t.Context())
		errs := batchIn(t, e, []context.Context{t.Context(), ctx, t.Context()}, cancel, insertN(1), insertN(2), insertN(3))
		outcomes(t, errs, 1)
		if !errors.Is(errs[1], context.Canceled) {
			t.Errorf("error is %v, want the context's", errs[1])
		}
		rows(t, e, 1, 3)
	})
}

// More writers than the queue holds: what was acknowledged is there, what failed is not.
func TestLoad(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, e *engine) {
		const writers, each = 4 * sqldb.MaxBatch / 2, 4
		var all sync.WaitGroup
		var mu sync.Mutex
		var want []int
		for w := range writers {
			all.Go(func() {
				for i := range each {
					n := w*each + i
					err := e.Write(t.Context(), func(c sqldb.Tx) error {
						if err := insertN(n)(c); err != nil || n%7 != 0 {
							return err
						}
						return errors.New("every seventh is refused")
					})
					if (err != nil) != (n%7 == 0) {
						t.Errorf("write %d: %v", n, err)
					}
					if err == nil {
						mu.Lock()
						want = append(want, n)
						mu.Unlock()
					}
				}
			})
		}
		all.Wait()
		slices.Sort(want)
		rows(t, e, want...)
	})
}

// Writes that queue when the engine is closed are done; those that come later are refused.
func TestCloseFinishesTheQueue(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chatd.db")
	e := openEngine(t, path)
	if err := e.Write(t.Context(), insert("CREATE TABLE n (n INTEGER PRIMARY KEY)")); err != nil {
		t.Fatal(err)
	}
	closing := make(chan error)
	ctxs := slices.Repeat([]context.Context{t.Context()}, 3)
	errs := batchIn(t, e, ctxs, func() {
		go func() { closing <- e.Close() }()
		for e.committer.Enter() == nil { // until it is closed for new writes
			e.committer.Leave()
			runtime.Gosched()
		}
	}, insertN(1), insertN(2), insertN(3))
	if err := <-closing; err != nil {
		t.Error(err)
	}
	outcomes(t, errs)
	if err := e.Write(t.Context(), insertN(4)); !errors.Is(err, sqldb.ErrClosed) {
		t.Errorf("a write after that: %v, want %v", err, sqldb.ErrClosed)
	}
	rows(t, openEngine(t, path), 1, 2, 3)
}

// What was acknowledged survives the loss of power: that cannot be tried here, but what it rests on can be seen.
func TestFileIsSynced(t *testing.T) {
	t.Parallel()
	e := openEngine(t, filepath.Join(t.TempDir(), "chatd.db"))
	var journal string
	var synchronous int
	err := errors.Join(
		e.writer.QueryRow(t.Context(), []any{&journal}, "PRAGMA journal_mode"),
		e.writer.QueryRow(t.Context(), []any{&synchronous}, "PRAGMA synchronous"),
	)
	if err != nil || journal != "wal" || synchronous != 2 {
		t.Errorf("journal is %q, synchronous %d (%v); want wal and 2, full", journal, synchronous, err)
	}
}

// Reads go through connections that cannot write.
func TestReadersOnlyRead(t *testing.T) {
	t.Parallel()
	e := openEngine(t, filepath.Join(t.TempDir(), "chatd.db"))
	if _, err := e.Read().Exec(t.Context(), "CREATE TABLE n (n INTEGER)"); err == nil {
		t.Error("a table was made outside a transaction")
	}
}
