package server

import (
	"log"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// distrustEvery is how often a client that does not trust the certificate is logged: an SDK that keeps retrying must not fill the
// log.
const distrustEvery = time.Minute

// errorLog takes the messages of net/http. They are about clients that break off and so of interest to few, except one: a client
// that does not trust the certificate sees only a failed connection, and nothing else explains it.
type errorLog struct {
	log  *slog.Logger
	help string       // what to do about such a client
	next atomic.Int64 // when such a client is logged again, in nanoseconds
}

// newErrorLog returns a logger for http.Server.ErrorLog.
func newErrorLog(help string, to *slog.Logger) *log.Logger {
	return log.New(&errorLog{log: to, help: help}, "", 0)
}

// distrust lists the alerts with which clients refuse a certificate (RFC 8446, 6.2), as crypto/tls writes them: of OpenSSL and
// Node.js, of Chromium and Java, and of Go and Firefox.
var distrust = []string{"unknown certificate authority", "unknown certificate", "bad certificate"}

// Write takes one line.
func (w *errorLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	address, cause, handshake := strings.Cut(strings.TrimPrefix(text, "http: TLS handshake error from "), ": ")
	if handshake && refusesCertificate(cause) {
		now, next := time.Now().UnixNano(), w.next.Load()
		if now >= next && w.next.CompareAndSwap(next, now+distrustEvery.Nanoseconds()) {
			w.log.Info("a client does not trust the server's certificate; "+w.help, "client", address, "cause", cause)
			return len(line), nil
		}
	}
	w.log.Debug(text)
	return len(line), nil
}

// refusesCertificate reports whether a handshake failed because the client does not trust the certificate.
func refusesCertificate(cause string) bool {
	alert, found := strings.CutPrefix(cause, "remote error: tls: ")
	for _, d := range distrust {
		if found && alert == d {
			return true
		}
	}
	return false
}
