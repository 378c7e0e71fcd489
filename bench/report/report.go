// Package report turns measurements into tables and pictures: medians, spreads, ratios to limits, and which goals are met.
package report

import "slices"

// Key names a row: what was done, by whom, and by how many clients at once (for fan-out: to how many listeners).
type Key struct {
	Path    string `json:"path"`
	By      string `json:"by"`
	Clients int    `json:"clients,omitempty"`
}

// Metric is one figure of a sample.
type Metric string

// The metrics. Value is the figure of rows with another unit than a rate, such as sizes and times to start.
const (
	Rate  Metric = "rate"
	P50   Metric = "p50"
	P99   Metric = "p99"
	Value Metric = "value"
)

// Sample is what one pass measured.
type Sample struct {
	Rate     float64 `json:"rate,omitempty"`     // per second
	P50      float64 `json:"p50_ms,omitempty"`   // milliseconds
	P99      float64 `json:"p99_ms,omitempty"`   // milliseconds
	Chatd    float64 `json:"chatd,omitempty"`    // cores that the server had
	Postgres float64 `json:"postgres,omitempty"` // cores that Postgres had
	Value    float64 `json:"value,omitempty"`
}

func (s Sample) of(m Metric) float64 {
	switch m {
	case Rate:
		return s.Rate
	case P50:
		return s.P50
	case P99:
		return s.P99
	default:
		return s.Value
	}
}

// Row is what all passes measured of one thing.
type Row struct {
	Key
	Unit    string   `json:"unit,omitempty"` // of Value; empty: the row has a rate
	Limit   *Key     `json:"limit,omitempty"`
	Samples []Sample `json:"samples"`
}

// main is the metric that the row is about.
func (r *Row) main() Metric {
	if r.Unit != "" {
		return Value
	}
	return Rate
}

// Median is that of one metric over the passes.
func (r *Row) Median(m Metric) float64 {
	return median(r.column(func(s Sample) float64 { return s.of(m) }))
}

// Spread is how far the passes are apart, as a share of the median.
func (r *Row) Spread() float64 {
	all := r.column(func(s Sample) float64 { return s.of(r.main()) })
	middle := median(all)
	if middle == 0 {
		return 0
	}
	return (slices.Max(all) - slices.Min(all)) / middle
}

func (r *Row) column(figure func(Sample) float64) []float64 {
	out := make([]float64, len(r.Samples))
	for i, s := range r.Samples {
		out[i] = figure(s)
	}
	return out
}

func median(in []float64) float64 {
	if len(in) == 0 {
		return 0
	}
	in = slices.Sorted(slices.Values(in))
	return (in[(len(in)-1)/2] + in[len(in)/2]) / 2
}

// Report is all that a run found.
type Report struct {
	Machine Machine  `json:"machine"`
	Rows    []*Row   `json:"rows"`
	Goals   []Goal   `json:"goals"`
	Notes   []string `json:"notes,omitempty"`
}

// Find returns the row of that name, nil when nothing of it was measured.
func (r *Report) Find(k Key) *Row {
	for _, row := range r.Rows {
		if row.Key == k {
			return row
		}
	}
	return nil
}

// Add adds a sample to its row, which begins to be where it is new. limit and unit count then.
func (r *Report) Add(k Key, limit *Key, unit string, s Sample) {
	row := r.Find(k)
	if row == nil {
		row = &Row{Key: k, Limit: limit, Unit: unit}
		r.Rows = append(r.Rows, row)
	}
	row.Samples = append(row.Samples, s)
}

// Ratio is the median of the ratios of a metric in each pass: what drifts from pass to pass moves both sides.
func (r *Report) Ratio(k, of Key, m Metric) (ratio float64, ok bool) {
	row, limit := r.Find(k), r.Find(of)
	if row == nil || limit == nil {
		return 0, false
	}
	var all []float64
	for i := range min(len(row.Samples), len(limit.Samples)) {
		if under := limit.Samples[i].of(m); under > 0 {
			all = append(all, row.Samples[i].of(m)/under)
		}
	}
	return median(all), len(all) > 0
}
