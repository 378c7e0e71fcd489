package report

import "fmt"

// Goal is what one figure of a row should be, as a ratio to the same figure of another row or, without one, by itself.
type Goal struct {
	Row    Key     `json:"row"`
	Metric Metric  `json:"metric"`
	Of     *Key    `json:"of,omitempty"`      // nil: Bound is not a ratio
	AtMost bool    `json:"at_most,omitempty"` // else at least
	Bound  float64 `json:"bound"`
}

// Verdict says whether a goal is met.
type Verdict string

// The verdicts.
const (
	Met     Verdict = "met"
	NotMet  Verdict = "not met"
	Unknown Verdict = "not measured"
)

// Check returns the figure that a goal is about, and whether it is met.
func (r *Report) Check(g Goal) (float64, Verdict) {
	figure, ok := 0.0, false
	if g.Of != nil {
		figure, ok = r.Ratio(g.Row, *g.Of, g.Metric)
	} else if row := r.Find(g.Row); row != nil {
		figure, ok = row.Median(g.Metric), true
	}
	switch {
	case !ok:
		return 0, Unknown
	case g.AtMost == (figure <= g.Bound) || figure == g.Bound:
		return figure, Met
	default:
		return figure, NotMet
	}
}

// attainment is how far the goal is reached: 1 is just met, more is better.
func (g Goal) attainment(figure float64) float64 {
	if !g.AtMost {
		return figure / g.Bound
	}
	if figure == 0 {
		return 0
	}
	return g.Bound / figure
}

// want says what the goal asks.
func (g Goal) want(unit string) string {
	sign := "≥"
	if g.AtMost {
		sign = "≤"
	}
	if g.Of != nil {
		unit = "x"
	}
	return fmt.Sprintf("%s %.4g %s", sign, g.Bound, unit)
}
