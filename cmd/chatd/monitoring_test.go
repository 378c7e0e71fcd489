package main

import (
	"encoding/json"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oasdiff/yaml3"
	"github.com/prometheus/client_golang/prometheus"
)

// Alerts and dashboard use metrics that the server has, by labels that these have.
func TestMonitoringUsesMetricsThatExist(t *testing.T) {
	t.Parallel()
	labels := registered(t)
	for _, e := range expressions(t) {
		for _, metric := range e.metrics {
			of, known := labels[metric]
			if !known {
				t.Errorf("there is no metric %s, in %s", metric, e.text)
			}
			for _, label := range e.labels {
				if known && len(e.metrics) == 1 && !slices.Contains(of, label) {
					t.Errorf("%s has no label %s, in %s", metric, label, e.text)
				}
			}
		}
	}
}

var description = regexp.MustCompile(`fqName: "(\w+)".*constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)

// registered are the metrics of a server with the labels that they may have, whether they have values yet or not.
func registered(t *testing.T) map[string][]string {
	t.Helper()
	cfg, err := configure(&command{name: "dev"}, []string{"--config-dir", t.TempDir()}, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newNode(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	all := make(chan *prometheus.Desc)
	go func() {
		s.registry.Describe(all)
		close(all)
	}()
	found := map[string][]string{"up": {"job", "instance"}} // which Prometheus makes
	for d := range all {
		m := description.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("cannot read %s", d)
		}
		labels := []string{"job", "instance"}
		for label := range strings.SplitSeq(m[2]+","+m[3], ",") {
			name, _, _ := strings.Cut(label, "=")
			labels = append(labels, name)
		}
		if name := m[1]; strings.HasPrefix(name, "chatd_") && strings.HasSuffix(name, "_seconds") { // a histogram
			found[name+"_bucket"] = append(slices.Clone(labels), "le")
			found[name+"_sum"], found[name+"_count"] = labels, labels
		} else {
			found[name] = labels
		}
	}
	return found
}

// expression is one of PromQL: what it selects and the labels that it names.
type expression struct {
	text            string
	metrics, labels []string
}

var (
	literals  = regexp.MustCompile(`"[^"]*"|\[[^\]]*\]`)
	labelling = regexp.MustCompile(`\{[^}]*\}|\b(by|without|on|ignoring) *\([^)]*\)`)
	word      = regexp.MustCompile(`[a-zA-Z_]\w*( *\()?`)
	operators = []string{"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring"}
)

func parseExpression(text string) expression {
	e := expression{text: text}
	text = literals.ReplaceAllString(text, "")
	for _, group := range labelling.FindAllString(text, -1) {
		for _, label := range word.FindAllString(group, -1) {
			if !strings.HasSuffix(label, "(") {
				e.labels = append(e.labels, label)
			}
		}
	}
	for _, name := range word.FindAllString(labelling.ReplaceAllString(text, ""), -1) {
		if !strings.HasSuffix(name, "(") && !slices.Contains(operators, name) {
			e.metrics = append(e.metrics, name)
		}
	}
	slices.Sort(e.metrics)
	e.metrics = slices.Compact(e.metrics)
	return e
}

func TestParseExpression(t *testing.T) {
	t.Parallel()
	e := parseExpression(`(sum by (le, b) (rate(a_total{c="x y", job=~"$job"}[5m])) or vector(0)) / min(d) > 0.5`)
	if !slices.Equal(e.metrics, []string{"a_total", "d"}) || !slices.Equal(e.labels, []string{"le", "b", "c", "job"}) {
		t.Errorf("%+v", e)
	}
}

// expressions are those of the alerts and of the dashboard, the queries of its variables too.
func expressions(t *testing.T) []expression {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal(read(t, deploy+"prometheus/alerts.yml"), &rules); err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct{ List []struct{ Query any } }
	}
	if err := json.Unmarshal(read(t, deploy+"grafana/chatd.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	var found []expression
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			found = append(found, parseExpression(r.Expr))
		}
	}
	alerts := len(found)
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			found = append(found, parseExpression(target.Expr))
		}
	}
	for _, v := range dashboard.Templating.List {
		if q, ok := v.Query.(map[string]any); ok {
			m := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(q["query"].(string))
			if m == nil {
				t.Fatalf("cannot read %v", q)
			}
			e := parseExpression(m[1])
			e.labels = append(e.labels, m[2])
			found = append(found, e)
		}
	}
	if alerts == 0 || len(found) < alerts+20 {
		t.Fatalf("only %d expressions", len(found))
	}
	return found
}
