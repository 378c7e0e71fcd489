package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/chatd/chatd/internal/store"
)

// copyFlags are the arguments of chatd copy. Both stores are named explicitly, since --store would not say which one is meant.
func copyFlags(f *flag.FlagSet, c *config) {
	f.StringVar(&c.from, "from", "", "the store to copy, sqlite:PATH or postgres://…; it is not changed")
	f.StringVar(&c.to, "to", "", "the store to fill, likewise; it has to be empty, and is made where it is a file. A password of Postgres is better kept in the file that PGPASSFILE names, ~/.pgpass")
}

// copyStore copies a store to another one and prints a line for each table, so that a long copy shows its
// progress. The lines are final only once the last line is printed: a copy that fails leaves the target empty.
func copyStore(ctx context.Context, p *program, cfg *config) error {
	for _, url := range []struct{ flag, value string }{{"from", cfg.from}, {"to", cfg.to}} {
		if url.value == "" {
			return usagef("chatd copy needs --from and --to: sqlite:PATH or postgres://…")
		}
		if err := setStore(cfg, url.value); err != nil { // the URL may hold a password, so it is not shown
			return usagef("--%s: want %w", url.flag, err)
		}
	}
	var rows, mended int64
	tables := 0
	err := store.Copy(ctx, cfg.from, cfg.to, func(c store.Copied) {
		tables++
		rows, mended = rows+c.Rows, mended+c.Mended
		fmt.Fprintf(p.stdout, "%-13s %10d rows  checksum %.6x", c.Table, c.Rows, c.Checksum)
		// Postgres refuses text that is not UTF-8 or has a NUL, which SQLite keeps; see store.Copy.
		if c.Mended > 0 {
			fmt.Fprintf(p.stdout, "  %d mended", c.Mended)
		}
		fmt.Fprintln(p.stdout)
	})
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	if mended > 0 {
		fmt.Fprintf(p.stdout, "mended: %d, which were no UTF-8 or held a NUL, and are now as ISO-8859-1 reads them, with U+FFFD for NUL\n", mended)
	}
	_, err = fmt.Fprintf(p.stdout, "copied: %d tables, %d rows; counts and checksums are equal\n", tables, rows)
	return err
}
