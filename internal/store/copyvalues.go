package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// field is a column of a table, as its engine types it.
type field struct {
	name, kind string
}

// fieldsOf asks the database for the columns, so that none that a migration added is left out. They are in the order of their names,
// which is the same in all engines.
func fieldsOf(ctx context.Context, c sqldb.Conn, table string) ([]field, error) {
	var out []field
	err := c.Query(ctx, func(r sqldb.Row) error {
		var col field
		err := r.Scan(&col.name, &col.kind)
		col.kind = strings.ToLower(col.kind)
		out = append(out, col)
		return err
	}, c.Dialect().Columns, table)
	slices.SortFunc(out, func(a, b field) int { return cmp.Compare(a.name, b.name) })
	return out, err
}

// names returns the names of columns as a statement lists them.
func names(columns []field) string { return strings.Join(namesOf(columns), ", ") }

// namesOf returns the names of columns.
func namesOf(columns []field) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.name
	}
	return out
}

// scanPlain reads a row as values that are the same in all engines: numbers and booleans as int64, text and bytes as string.
func scanPlain(r sqldb.Row, columns []field) ([]any, error) {
	values := make([]any, len(columns))
	dest := make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	if err := r.Scan(dest...); err != nil {
		return nil, err
	}
	for i, v := range values {
		switch v := v.(type) {
		case int64, string:
		case int32:
			values[i] = int64(v)
		case bool:
			values[i] = int64(0)
			if v {
				values[i] = int64(1)
			}
		case []byte:
			values[i] = string(v)
		default:
			return nil, fmt.Errorf("column %s holds a %T", columns[i].name, v)
		}
	}
	return values, nil
}

// take converts a plain value to what the column takes.
func (c field) take(plain any) (any, error) {
	n, isNumber := plain.(int64)
	text, isText := plain.(string)
	switch {
	case isNumber && (c.kind == "bigint" || c.kind == "integer"):
		return n, nil
	case isNumber && c.kind == "boolean":
		return n != 0, nil
	case isText && c.kind == "text":
		return text, nil
	case isText && (c.kind == "bytea" || c.kind == "blob"):
		return []byte(text), nil
	default:
		return nil, fmt.Errorf("column %s is %s, which cannot keep a %T", c.name, c.kind, plain)
	}
}

// tally counts rows in any order. The sum is the exclusive or of their hashes, which works since no two rows of a table are equal.
type tally struct {
	rows int64
	sum  [sha256.Size]byte
}

// add counts a row of plain values.
func (t *tally) add(plain []any) {
	h := sha256.New()
	var number [9]byte // after a letter that distinguishes numbers from lengths of texts
	for _, v := range plain {
		switch v := v.(type) {
		case int64:
			number[0] = 'n'
			binary.BigEndian.PutUint64(number[1:], uint64(v))
			h.Write(number[:])
		case string:
			number[0] = 's'
			binary.BigEndian.PutUint64(number[1:], uint64(len(v)))
			h.Write(number[:])
			h.Write([]byte(v))
		}
	}
	t.rows++
	for i, b := range h.Sum(nil) {
		t.sum[i] ^= b
	}
}

func (t *tally) String() string { return fmt.Sprintf("%d rows of checksum %.6x", t.rows, t.sum) }
