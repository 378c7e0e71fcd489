package httpapi

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count and time the requests.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// newMetrics registers the metrics, unless the registry is nil.
func newMetrics(registry prometheus.Registerer) (metrics, error) {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "chatd_http_requests_total", Help: "Requests by operation, api-version and class of status.",
		}, []string{"operation", "api_version", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "chatd_http_request_seconds", Help: "Time from the headers of a request to the end of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"operation"}),
	}
	if registry == nil {
		return m, nil
	}
	if err := registry.Register(m.requests); err != nil {
		return m, err
	}
	return m, registry.Register(m.seconds)
}

// observe counts a request at its end. The labels have few values, whatever clients send: operations and versions come from
// the tables of this package.
func (m metrics) observe(st *requestState) {
	class := strconv.Itoa(st.status/100) + "xx"
	m.requests.WithLabelValues(st.operation(), string(st.version), class).Inc()
	m.seconds.WithLabelValues(st.operation()).Observe(time.Since(st.start).Seconds())
}
