package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chatd/chatd/bench/report"
)

// suite is a run: what it measures and what it found.
type suite struct {
	options
	*resources
	report report.Report
}

func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "chatd-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := &suite{options: o, resources: newResources(ctx, dir, o.logLevel)}
	defer s.close()
	s.report.Machine = report.ThisMachine(o.passes, o.window)
	cells := s.cells()
	for _, g := range s.goals() {
		if slices.ContainsFunc(cells, func(c cell) bool { return c.Key == g.Row }) {
			s.report.Goals = append(s.report.Goals, g)
		}
	}
	if err := s.measure(ctx, cells); err != nil {
		return err
	}
	if s.server.done {
		s.report.Machine.Postgres = s.server.value.Version
	}
	return s.publish()
}

// cells are what this run measures, in the order of the table.
func (s *suite) cells() []cell {
	goals := s.goals()
	all := slices.Concat(s.pathCells(), s.nodeCells(), s.fanoutCells(), s.footprintCells(), s.growthCells())
	return slices.DeleteFunc(all, func(c cell) bool { return !s.wants(c.Path) || s.quick && !needed(c.Key, goals) })
}

// measure takes all passes. They alternate in direction, so that nothing is always measured just behind the same other.
func (s *suite) measure(ctx context.Context, all []cell) error {
	failed := map[report.Key]bool{}
	for pass := range s.passes {
		cells := slices.Clone(all)
		if pass%2 == 1 {
			slices.Reverse(cells)
		}
		for i, c := range cells {
			if failed[c.Key] || s.quick && c.unit != "" && pass > 0 { // what is no rate varies little and takes seconds
				continue
			}
			fmt.Fprintf(os.Stderr, "pass %d of %d, %d of %d: %s, %s, %d\n", pass+1, s.passes, i+1, len(cells), c.Path, c.By, c.Clients)
			sample, err := c.measure(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				failed[c.Key] = true
				s.note(fmt.Sprintf("not measured: %v", err))
				continue
			}
			s.report.Add(c.Key, c.limit, c.unit, sample)
		}
	}
	return nil
}

func (s *suite) note(text string) {
	if !slices.Contains(s.report.Notes, text) {
		s.report.Notes = append(s.report.Notes, text)
	}
}

// publish prints the table and the goals, and writes files.
func (s *suite) publish() error {
	fmt.Printf("%s\n\n", s.report.Machine)
	if err := errors.Join(s.report.Table(os.Stdout), s.report.Verdicts(os.Stdout)); err != nil {
		return err
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(&s.report, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.out, "report.json"), append(data, '\n'), 0o644); err != nil {
		return err
	}
	picture, err := os.Create(filepath.Join(s.out, "goals.svg"))
	if err != nil {
		return err
	}
	if err := errors.Join(s.report.SVG(picture), picture.Close()); err != nil || s.docs == "" {
		return err
	}
	return s.document()
}

// document puts what was found into a document, and the picture beside it.
func (s *suite) document() error {
	old, err := os.ReadFile(s.docs)
	if err != nil {
		return err
	}
	picturePath := strings.TrimSuffix(s.docs, ".md") + ".svg"
	text, err := s.report.Insert(string(old), filepath.Base(picturePath))
	if err != nil {
		return err
	}
	var picture bytes.Buffer
	if err := s.report.SVG(&picture); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(s.docs, []byte(text), 0o644), os.WriteFile(picturePath, picture.Bytes(), 0o644))
}
