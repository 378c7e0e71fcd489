package notify

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatd/chatd/internal/chat"
)

// Metrics are shared by all protocols. Their names and labels are in use by dashboards (deploy/), so they stay as they are.
type Metrics struct {
	Connections *prometheus.GaugeVec   // by protocol
	Reconnects  *prometheus.CounterVec // by protocol
	Dropped     *prometheus.CounterVec // frames dropped, by protocol and reason
	Acks        *prometheus.CounterVec // responses of Trouter clients, by status
	QueueBytes  *prometheus.GaugeVec   // bytes waiting to be sent or acknowledged, by protocol
	events      *prometheus.CounterVec
	delivery    *prometheus.HistogramVec
}

// NewMetrics registers the metrics. Two sets cannot share a registry.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		Connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "chatd_realtime_connections", Help: "Open connections by protocol."}, []string{"protocol"}),
		Reconnects:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chatd_realtime_reconnects_total", Help: "Connections that resumed where an earlier one had ended."}, []string{"protocol"}),
		Dropped:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chatd_realtime_dropped_total", Help: "Frames dropped, by reason. With the reason \"too long away\" it counts clients that were disconnected for too long, not frames."}, []string{"protocol", "reason"}),
		Acks:        prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chatd_realtime_acks_total", Help: "Responses of Trouter clients to frames; 404 means that the application did not handle the event: no handler, an exception in it, or a payload that the SDK could not read."}, []string{"status"}),
		QueueBytes:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "chatd_realtime_queue_bytes", Help: "Bytes waiting to be sent or acknowledged."}, []string{"protocol"}),
		events:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chatd_realtime_events_total", Help: "Events of the journal by kind."}, []string{"kind"}),
		delivery: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "chatd_realtime_delivery_seconds", Help: "Time from the change to the write on the connection.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"protocol"}),
	}
	for _, c := range []prometheus.Collector{m.Connections, m.Reconnects, m.Dropped, m.Acks, m.QueueBytes, m.events, m.delivery} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Metrics) dispatched(e *chat.Event) { m.events.WithLabelValues(string(e.Kind)).Inc() }

// Delivered records that an event was written to a connection.
func (m *Metrics) Delivered(protocol string, e *chat.Event, now time.Time) {
	m.delivery.WithLabelValues(protocol).Observe(max(0, now.Sub(e.At.Std()).Seconds()))
}
