package sqldb_test

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// Both forms give the same ids, those of the rule. That of Postgres is tested in its package, with the statements.
func TestNextID(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // nothing is to be kept
	for _, arrivals := range [][]int64{{5}, {10}, {11}, {12, 12, 12}, {12, 11, 1, 30, 29, 31, 31}, {9, 9, 11, 13, 14, 14}} {
		const last = int64(10)
		var want, one, many []int64
		previous := last
		values := ""
		for i, at := range arrivals {
			want = append(want, max(at, append([]int64{last}, want...)[i]+1))
			if err := db.QueryRow(fmt.Sprintf("SELECT %s FROM (SELECT %d AS last)", sqldb.NextID("last", fmt.Sprint(at)), previous)).Scan(&previous); err != nil {
				t.Fatal(err)
			}
			one = append(one, previous)
			values += fmt.Sprintf(", (%d, %d, %d)", last, at, i+1)
		}
		rows, err := db.Query("WITH p (last, at, k) AS (VALUES" + values[1:] + ") SELECT " + sqldb.NextIDs("last", "at", "k", "ORDER BY k") + " FROM p ORDER BY k")
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				t.Fatal(err)
			}
			many = append(many, id)
		}
		if rows.Err() != nil || !slices.Equal(one, want) || !slices.Equal(many, want) {
			t.Errorf("arrivals %v get %v one by one and %v at once (%v), want %v", arrivals, one, many, rows.Err(), want)
		}
	}
}
