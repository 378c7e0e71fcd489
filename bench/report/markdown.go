package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Begin and end of the part of a document that holds the figures of a run.
const (
	FiguresBegin = "<!-- figures -->"
	FiguresEnd   = "<!-- end of figures -->"
)

// Markdown writes the figures of a run for a document: where it was made, the goals, then the rows.
func (r *Report) Markdown(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s.\n", r.Machine)
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\n%s\n", note)
	}
	b.WriteString("\n| goal | asked | measured | |\n| --- | --- | --: | --- |\n")
	for _, g := range r.Goals {
		figure, verdict := r.Check(g)
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.title(g), g.want(r.unit(g)), measured(figure, verdict), verdict)
	}
	b.WriteString("\n| what | clients | by | rate/s | p50 ms | p99 ms | server CPU | Postgres CPU | of limit | spread |\n" +
		"| --- | --: | --- | --: | --: | --: | --: | --: | --: | --: |\n")
	for _, row := range r.Rows {
		if row.Unit == "" {
			fmt.Fprintf(&b, "| %s | %d | %s | %.0f | %s | %s | %s | %s | %s | %.0f %% |\n", row.Path, row.Clients, row.By, row.Median(Rate),
				optional(row.Median(P50)), optional(row.Median(P99)), optional(row.cores(func(s Sample) float64 { return s.Chatd })),
				optional(row.cores(func(s Sample) float64 { return s.Postgres })), r.ofLimit(row), 100*row.Spread())
		}
	}
	b.WriteString("\n| what | of | measured | spread |\n| --- | --- | --: | --: |\n")
	for _, row := range r.Rows {
		if row.Unit != "" {
			fmt.Fprintf(&b, "| %s | %s | %.1f %s | %.0f %% |\n", row.Path, row.By, row.Median(Value), row.Unit, 100*row.Spread())
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Insert puts the figures of a run and the name of its picture into a document, in place of those that it has.
func (r *Report) Insert(document, picture string) (string, error) {
	before, rest, ok := strings.Cut(document, FiguresBegin)
	_, after, ok2 := strings.Cut(rest, FiguresEnd)
	if !ok || !ok2 {
		return "", fmt.Errorf("the document has no place for figures: %s and %s", FiguresBegin, FiguresEnd)
	}
	var b strings.Builder
	err := r.Markdown(&b)
	return before + FiguresBegin + "\n![How far each goal is reached](" + picture + ")\n\n" + b.String() + FiguresEnd + after, err
}
