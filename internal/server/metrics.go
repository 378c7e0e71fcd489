package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Build says what was built.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

// NewRegistry returns a registry with the metrics of the process. Each server needs its own.
func NewRegistry(b Build) *prometheus.Registry {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "chatd_build_info", Help: "The version that is running; always 1.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "go": b.Go},
	})
	info.Set(1)
	r := prometheus.NewRegistry()
	r.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// ObserveStore registers a histogram of the store's operations, and returns the store.Options.Observe that fills it.
func ObserveStore(r prometheus.Registerer) func(string, time.Duration) {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "chatd_store_operation_seconds", Help: "Duration of a store operation, including the wait for its turn.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
	}, []string{"operation"})
	r.MustRegister(h)
	return func(operation string, d time.Duration) { h.WithLabelValues(operation).Observe(d.Seconds()) }
}
