package httpapi

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count requests in the registry that was handed in.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(registry prometheus.Registerer) (metrics, error) {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "chatd_http_requests_total", Help: "Requests by operation, api-version and class of status.",
		}, []string{"operation", "api_version", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "chatd_http_request_seconds", Help: "Time from the first byte of a request to its answer.",
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

// observe counts a request that is over. Labels are bounded: operations and versions come from our tables.
func (m metrics) observe(st *requestState) {
	class := strconv.Itoa(st.status/100) + "xx"
	m.requests.WithLabelValues(st.operation(), string(st.version), class).Inc()
	m.seconds.WithLabelValues(st.operation()).Observe(time.Since(st.start).Seconds())
}
