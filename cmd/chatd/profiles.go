package main

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// serveProfiles answers /debug/pprof/ with what the program does and holds, until the listeners are closed. It tells too much
// for the network: the setting takes addresses of this machine only.
func serveProfiles(listeners []net.Listener, log *slog.Logger) {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	for _, l := range listeners {
		log.Info("profiles are served", "address", l.Addr().String())
		go func() { _ = s.Serve(l) }() // it ends when the listener is closed
	}
}
