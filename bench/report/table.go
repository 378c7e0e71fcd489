package report

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
)

// Table prints all rows in the order in which they were first measured, with the goals of each: first those with a rate.
func (r *Report) Table(w io.Writer) error {
	for _, note := range r.Notes {
		fmt.Fprintln(w, note)
	}
	return errors.Join(r.rates(w), r.values(w))
}

func (r *Report) rates(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := "path\tclients\tby\trate/s\tspread\tp50 ms\tp99 ms\tserver CPU\tPostgres CPU\tof limit\tgoal\n"
	for _, row := range r.Rows {
		if row.Unit != "" {
			continue
		}
		fmt.Fprint(out, head)
		head = ""
		fmt.Fprintf(out, "%s\t%d\t%s\t%.0f\t%.0f%%\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Path, row.Clients, row.By, row.Median(Rate), 100*row.Spread(),
			optional(row.Median(P50)), optional(row.Median(P99)), optional(row.cores(func(s Sample) float64 { return s.Chatd })),
			optional(row.cores(func(s Sample) float64 { return s.Postgres })), r.ofLimit(row), r.goalsOf(row))
	}
	return out.Flush()
}

func (r *Row) cores(of func(Sample) float64) float64 { return median(r.column(of)) }

func (r *Report) values(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := "\nwhat\tby\tmedian\tspread\tgoal\n"
	for _, row := range r.Rows {
		if row.Unit != "" {
			fmt.Fprint(out, head)
			head = ""
			fmt.Fprintf(out, "%s\t%s\t%.1f %s\t%.0f%%\t%s\n", row.Path, row.By, row.Median(Value), row.Unit, 100*row.Spread(), r.goalsOf(row))
		}
	}
	return out.Flush()
}

func optional(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", v)
}

// ofLimit is the ratio of the row's rate to that of its limit.
func (r *Report) ofLimit(row *Row) string {
	if row.Limit == nil {
		return ""
	}
	ratio, ok := r.Ratio(row.Key, *row.Limit, Rate)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.2f", ratio)
}

// goalsOf names the goals of a row and says whether they are met.
func (r *Report) goalsOf(row *Row) string {
	out := ""
	for _, g := range r.Goals {
		if g.Row != row.Key {
			continue
		}
		figure, verdict := r.Check(g)
		if out != "" {
			out += "; "
		}
		if g.Metric != row.main() || g.Of != nil && (row.Limit == nil || *g.Of != *row.Limit) {
			out += fmt.Sprintf("%s %.2f ", g.Metric, figure) // the row shows the figure nowhere else
			if g.Of != nil {
				out += "of " + g.Of.By + " "
			}
		}
		out += g.want(row.Unit) + ": " + string(verdict)
	}
	return out
}

// Verdicts prints a line for each goal and how many are met.
func (r *Report) Verdicts(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w)
	count := map[Verdict]int{}
	for _, g := range r.Goals {
		figure, verdict := r.Check(g)
		count[verdict]++
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", verdict, r.title(g), measured(figure, verdict), g.want(r.unit(g)))
	}
	fmt.Fprintf(out, "\n%d met, %d not met, %d not measured\n", count[Met], count[NotMet], count[Unknown])
	return out.Flush()
}

func measured(figure float64, v Verdict) string {
	if v == Unknown {
		return ""
	}
	return fmt.Sprintf("%.3g", figure)
}

// title says what a goal is about.
func (r *Report) title(g Goal) string {
	out := g.Row.Path
	if g.Row.Clients > 0 {
		out += fmt.Sprintf(" ×%d", g.Row.Clients)
	}
	out += ": " + g.Row.By
	if g.Metric == P50 || g.Metric == P99 {
		out += ", " + string(g.Metric)
	}
	if g.Of == nil {
		return out
	}
	if g.Of.Path != g.Row.Path {
		return out + " / " + g.Of.Path
	}
	return out + " / " + g.Of.By
}

func (r *Report) unit(g Goal) string {
	if row := r.Find(g.Row); row != nil {
		return row.Unit
	}
	return ""
}
