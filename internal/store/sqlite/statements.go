package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// preparer is what *sql.DB and *sql.Conn have in common.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// statements is a sqldb.Loader that prepares each text once, on one connection or on a pool. It ignores contexts: callers check
// them before they begin, a transaction that has begun is finished, and a single statement is short. The driver would start
// a goroutine for each call to watch a context that can end.
type statements struct {
	on   preparer
	mu   sync.RWMutex
	kept map[string]*sql.Stmt
}

// newStatements prepares nothing yet.
func newStatements(on preparer) *statements {
	return &statements{on: on, kept: map[string]*sql.Stmt{}}
}

// prepare returns the statement for a text. There are as many as texts in the program, so that none is ever dropped.
func (s *statements) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	s.mu.RLock()
	stmt := s.kept[text]
	s.mu.RUnlock()
	if stmt != nil {
		return stmt, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt := s.kept[text]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.on.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", text, err)
	}
	s.kept[text] = stmt
	return stmt, nil
}

// Exec implements sqldb.Conn.
func (s *statements) Exec(_ context.Context, text string, args ...any) (int64, error) {
	ctx := context.Background()
	stmt, err := s.prepare(ctx, text)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Dialect implements sqldb.Conn.
func (s *statements) Dialect() *sqldb.Dialect { return dialect }

// Queue executes the statement at once.
func (s *statements) Queue(ctx context.Context, text string, args ...any) error {
	_, err := s.Exec(ctx, text, args...)
	return err
}

// QueryRow implements sqldb.Conn.
func (s *statements) QueryRow(ctx context.Context, dest []any, text string, args ...any) error {
	found := false
	err := s.Query(ctx, func(r sqldb.Row) error {
		found = true
		return r.Scan(dest...)
	}, text, args...)
	if err == nil && !found {
		return sqldb.ErrNoRow
	}
	return err
}

// Query implements sqldb.Conn.
func (s *statements) Query(_ context.Context, scan func(sqldb.Row) error, text string, args ...any) error {
	ctx := context.Background()
	stmt, err := s.prepare(ctx, text)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err below reports what matters
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// close closes the statements, and the connection if there is one. A pool belongs to the engine.
func (s *statements) close() error {
	var err error
	for _, stmt := range s.kept {
		err = errors.Join(err, stmt.Close())
	}
	if c, ok := s.on.(*sql.Conn); ok {
		err = errors.Join(err, c.Close())
	}
	return err
}
