package main

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// serveProfiles serves /debug/pprof/ until the listeners are closed. Profiles reveal too much for the network: the setting accepts
// addresses of this machine only.
func serveProfiles(listeners []net.Listener, log *slog.Logger) {
	// Not http.DefaultServeMux, on which net/http/pprof registers: other packages may use that.
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	// No write timeout: a CPU profile takes as long as the request asks for.
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	for _, l := range listeners {
		log.Info("profiles are served", "address", l.Addr().String())
		go func() { _ = s.Serve(l) }() // it ends when the listener is closed
	}
}
