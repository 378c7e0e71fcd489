package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/store/sqldb"
	"github.com/chatd/chatd/migrations"
)

// migration is one numbered file, or the row of schema_migrations for it.
type migration struct {
	version  int    // 1, 2, 3 and so on
	name     string // of the file, without .sql
	sql      string // empty for a row
	checksum string // SHA-256 of the whole file, comments too, in hexadecimal digits
}

// migrate brings the schema to that of this version. It only goes forward: each file runs in a transaction of its own, with the row
// that says so. A database of a newer chatd is refused, and so is one whose migrations were not those of this program.
func migrate(ctx context.Context, e sqldb.Engine, now time.Time) error {
	all, err := embedded(e)
	if err != nil {
		return err
	}
	return applyMigrations(ctx, e, all, now)
}

// checkCurrent refuses a store whose schema is not that of this version. It changes nothing: a command that runs beside a server
// must not migrate the store under it.
func checkCurrent(ctx context.Context, e sqldb.Engine) error {
	all, err := embedded(e)
	if err != nil {
		return err
	}
	there, err := applied(ctx, e)
	switch {
	case err != nil:
		return fmt.Errorf("the store has no schema that can be read, which a server makes at its first start: %w", err)
	case len(there) > 0:
		err = compare(there, all)
	}
	if err == nil && len(there) < len(all) {
		err = fmt.Errorf("the store has schema %d, this chatd wants %d: a server of this version brings it there at its start, as chatd migrate does", len(there), len(all))
	}
	return err
}

// embedded returns the engine's migrations in this program.
func embedded(e sqldb.Engine) ([]migration, error) {
	return readMigrations(migrations.Files, e.Read().Dialect().Name)
}

// Schema returns the number of the newest migration that ran.
func (db *DB) Schema(ctx context.Context) (version int, err error) {
	err = db.read("schema", func(c sqldb.Conn) error {
		return c.QueryRow(ctx, []any{&version}, "SELECT max(version) FROM schema_migrations")
	})
	return version, err
}

// readMigrations reads <engine>/<NNNN>_<name>.sql, whose numbers must be 1, 2, 3 and so on.
func readMigrations(files fs.FS, engine string) ([]migration, error) {
	names, err := fs.Glob(files, engine+"/*.sql") // sorted by name
	if err != nil {
		return nil, err
	}
	all := make([]migration, 0, len(names))
	for i, file := range names {
		text, err := fs.ReadFile(files, file)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(path.Base(file), ".sql")
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s: want number %04d", file, i+1)
		}
		sum := sha256.Sum256(text)
		all = append(all, migration{version, name, string(text), hex.EncodeToString(sum[:])})
	}
	return all, nil
}

// migrationTimeLimit is for one migration, and for how long a node waits for that of another.
const migrationTimeLimit = 30 * time.Minute

// applyMigrations runs those that the database does not have. Other processes may do the same at once: see lockMigrations and apply.
func applyMigrations(ctx context.Context, e sqldb.Engine, all []migration, now time.Time) error {
	// Mostly there is nothing to do. That is found by a read, so that a database user without the right to change the schema will do.
	there, err := applied(ctx, e)
	if err == nil && len(there) > 0 {
		if err := compare(there, all); err != nil || len(there) == len(all) {
			return err
		}
	}
	// The table of migrations is made under the same lock: CREATE TABLE IF NOT EXISTS fails in Postgres when two run at once.
	ctx = sqldb.WithTimeLimit(ctx, migrationTimeLimit)
	err = e.Write(ctx, func(c sqldb.Tx) error {
		if err := lockMigrations(ctx, c); err != nil {
			return err
		}
		return c.Queue(ctx, `CREATE TABLE IF NOT EXISTS schema_migrations (
			version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_on BIGINT NOT NULL)`)
	})
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	for _, m := range all {
		if err := e.Write(ctx, func(c sqldb.Tx) error { return apply(ctx, c, m, now) }); err != nil {
			return fmt.Errorf("migrate %s: %w", m.name, err)
		}
	}
	return nil
}

// applied returns the migrations that ran, in order.
func applied(ctx context.Context, e sqldb.Engine) (there []migration, err error) {
	err = e.Read().Query(ctx, func(r sqldb.Row) error {
		var m migration
		err := r.Scan(&m.version, &m.name, &m.checksum)
		there = append(there, m)
		return err
	}, "SELECT version, name, checksum FROM schema_migrations ORDER BY version")
	return there, err
}

// compare refuses migrations of a database that are not those of this program.
func compare(there, known []migration) error {
	// An older program would write rows without what the newer schema wants in them.
	if newest := there[len(there)-1].version; newest > len(known) {
		return fmt.Errorf("the store has schema %d, this chatd knows up to %d: use a newer chatd", newest, len(known))
	}
	for i, ran := range there {
		if err := known[i].same(ran.version, ran.checksum); err != nil {
			return fmt.Errorf("migrate %s: %w", known[i].name, err)
		}
	}
	return nil
}

// same compares checksums, so that a released file that was edited by mistake is noticed.
func (m *migration) same(version int, checksum string) error {
	if version != m.version || checksum != m.checksum {
		return fmt.Errorf("it was changed after it had been applied (checksum %.12s, now %.12s)", checksum, m.checksum)
	}
	return nil
}

// lockMigrations waits for other nodes that migrate the database, until the transaction ends.
func lockMigrations(ctx context.Context, tx sqldb.Tx) error {
	if lock := tx.Dialect().MigrationLock; lock != "" {
		return tx.Queue(ctx, lock)
	}
	return nil
}

// apply runs one migration, unless another process has done that since the database was looked at.
func apply(ctx context.Context, c sqldb.Tx, m migration, now time.Time) error {
	if err := lockMigrations(ctx, c); err != nil {
		return err
	}
	var checksum string
	err := c.QueryRow(ctx, []any{&checksum}, "SELECT checksum FROM schema_migrations WHERE version = $1", m.version)
	if err == nil {
		return m.same(m.version, checksum)
	}
	if err != sqldb.ErrNoRow { //nolint:errorlint // QueryRow returns it bare
		return err
	}
	for _, statement := range split(m.sql) { // one at a time, since each may need what the one before made
		if _, err := c.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return c.Queue(ctx, "INSERT INTO schema_migrations (version, name, checksum, applied_on) VALUES ($1, $2, $3, $4)",
		m.version, m.name, m.checksum, now.UnixMilli())
}

// split cuts a migration into statements, without comments. No statement of ours has a semicolon or two hyphens in it.
func split(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		code, _, _ := strings.Cut(line, "--")
		lines = append(lines, strings.TrimRight(code, " \n"))
	}
	var out []string
	for _, s := range strings.Split(strings.Join(lines, "\n"), ";") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}
