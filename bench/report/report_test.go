package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

var (
	sends = Key{"send", "chatd", 64}
	limit = Key{"send", "limit", 64}
	start = Key{Path: "start", By: "chatd"}
)

// sample is a report of two rows with a rate and one without. The machine got slower after each pass.
func sample() *Report {
	r := &Report{}
	for i, rate := range []float64{100, 200, 50} {
		slow := float64(i + 1)
		r.Add(limit, nil, "", Sample{Rate: 1000 / slow, P99: 2})
		r.Add(sends, &limit, "", Sample{Rate: rate / slow, P99: 4, Chatd: 0.5})
		r.Add(start, nil, "ms", Sample{Value: 40 + slow})
	}
	r.Goals = []Goal{
		{Row: sends, Metric: Rate, Of: &limit, Bound: 0.1},
		{Row: sends, Metric: P99, Of: &limit, Bound: 1, AtMost: true},
		{Row: start, Metric: Value, Bound: 42, AtMost: true},
		{Row: Key{Path: "else"}, Metric: Rate, Of: &limit, Bound: 1},
	}
	return r
}

func TestMedianAndSpread(t *testing.T) {
	t.Parallel()
	row := sample().Find(start)
	if got := row.Median(Value); got != 42 {
		t.Errorf("median %v", got)
	}
	if got := row.Spread(); got != 2.0/42 {
		t.Errorf("spread %v", got)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("median of an even number is %v", got)
	}
	if got := new(Row).Median(Rate); got != 0 {
		t.Errorf("median of nothing is %v", got)
	}
}

func TestRatioIsOfTheSamePass(t *testing.T) {
	t.Parallel()
	r := sample()
	if got, ok := r.Ratio(sends, limit, Rate); !ok || got != 0.1 {
		t.Errorf("ratio %v, %v; want the middle of 0.1, 0.2 and 0.05", got, ok)
	}
	if _, ok := r.Ratio(sends, Key{}, Rate); ok {
		t.Error("ratio to what was not measured")
	}
	if _, ok := r.Ratio(limit, sends, P50); ok {
		t.Error("ratio to what is 0")
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	r := sample()
	for i, want := range []Verdict{Met, NotMet, Met, Unknown} {
		if _, got := r.Check(r.Goals[i]); got != want {
			t.Errorf("goal %d: %s, want %s", i, got, want)
		}
	}
	if got := r.Goals[1].attainment(2); got != 0.5 {
		t.Errorf("twice of what is allowed attains %v", got)
	}
	if got := r.Goals[0].attainment(0.2); got != 2 {
		t.Errorf("twice of what is wanted attains %v", got)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := sample().Table(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0.10", "≥ 0.1 x: met", "p99 2.00 of limit ≤ 1 x: not met", "42.0 ms", "≤ 42 ms: met"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	b.Reset()
	if err := sample().Verdicts(&b); err != nil {
		t.Fatal(err)
	}
	if want := "2 met, 1 not met, 1 not measured"; !strings.Contains(b.String(), want) {
		t.Errorf("no %q in\n%s", want, b.String())
	}
}

func TestInsert(t *testing.T) {
	t.Parallel()
	text := "before\n" + FiguresBegin + "\nold\n" + FiguresEnd + "\nafter\n"
	for range 2 { // what was put in can be replaced
		var err error
		if text, err = sample().Insert(text, "a.svg"); err != nil {
			t.Fatal(err)
		}
	}
	for want, times := range map[string]int{
		"before\n": 1, "\nafter\n": 1, "old": 0, "](a.svg)": 1, FiguresBegin: 1, FiguresEnd: 1,
		"| send ×64: chatd / limit | ≥ 0.1 x | 0.1 | met |": 1, "| send | 64 | chatd | 100 |": 1, "| start | chatd | 42.0 ms |": 1,
	} {
		if got := strings.Count(text, want); got != times {
			t.Errorf("%d times %q, want %d, in\n%s", got, want, times, text)
		}
	}
	if _, err := sample().Insert("no place", "a.svg"); err == nil {
		t.Error("figures were put where there is no place for them")
	}
}

func TestSVG(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := sample().SVG(&b); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), goodBar) + strings.Count(b.String(), shortBar); n != 3 {
		t.Errorf("%d bars, want one for each goal that was measured", n)
	}
	d := xml.NewDecoder(&b)
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
