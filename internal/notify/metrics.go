package notify

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatd/chatd/internal/chat"
)

// Metrics of all protocols, in the registry that was handed in.
type Metrics struct {
	Connections *prometheus.GaugeVec   // by protocol
	Reconnects  *prometheus.CounterVec // by protocol
	Dropped     *prometheus.CounterVec // frames, by protocol and reason
	Acks        *prometheus.CounterVec // answers of Trouter clients, by status
	QueueBytes  *prometheus.GaugeVec   // waiting for clients, by protocol
	events      *prometheus.CounterVec
	delivery    *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		Connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "chatd_realtime_connections", Help: "Open connections by protocol."}, []string{"protocol"}),
		Reconnects:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chatd_realtime_reconnects_total", Help: "Connections that went on where an earlier one had ended."}, []string{"protocol"}),
		Dropped:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chatd_realtime_dropped_total", Help: "Frames that were given up, by reason; where that is an absence that was too long, absences."}, []string{"protocol", "reason"}),
		Acks:        prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chatd_realtime_acks_total", Help: "Answers of Trouter clients to frames; 404 means that the page did not handle the event: no handler, an exception in it, or a payload that the SDK could not read."}, []string{"status"}),
		QueueBytes:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "chatd_realtime_queue_bytes", Help: "Bytes waiting to be sent or acknowledged."}, []string{"protocol"}),
		events:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chatd_realtime_events_total", Help: "Events of the journal by kind."}, []string{"kind"}),
		delivery: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "chatd_realtime_delivery_seconds", Help: "Time from the change to the write on the socket.",
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

// Delivered notes that an event was written to a socket.
func (m *Metrics) Delivered(protocol string, e *chat.Event) {
	m.delivery.WithLabelValues(protocol).Observe(max(0, time.Since(e.At.Std()).Seconds()))
}
