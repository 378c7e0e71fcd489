package main

import (
	"log"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// distrustEvery is how often a client that does not trust the certificate is logged: an SDK that tries again and again must
// not fill the log.
const distrustEvery = time.Minute

// webLog takes what net/http has to say, which is about clients that break off and so of interest to few, but for one thing: a
// client that does not trust the certificate sees a failed connection, and nothing else tells why.
type webLog struct {
	log    *slog.Logger
	advice string
	next   atomic.Int64 // when such a client is logged again, in nanoseconds
}

func newWebLog(cfg *config, to *slog.Logger) *log.Logger {
	advice := "chatd cert tells where its CA is and how to trust it"
	if cfg.tlsCert != "" {
		advice = "look at the certificate of --tls-cert: its chain, its names and its dates"
	}
	return log.New(&webLog{log: to, advice: advice}, "", 0)
}

// distrust are the alerts by which clients refuse a certificate (RFC 8446, 6.2), as crypto/tls writes them: of OpenSSL and
// Node.js, of Chromium and Java, and of Go and Firefox.
var distrust = []string{"unknown certificate authority", "unknown certificate", "bad certificate"}

// Write takes one line.
func (w *webLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	address, cause, handshake := strings.Cut(strings.TrimPrefix(text, "http: TLS handshake error from "), ": ")
	if handshake && refusesCertificate(cause) {
		now, next := time.Now().UnixNano(), w.next.Load()
		if now >= next && w.next.CompareAndSwap(next, now+distrustEvery.Nanoseconds()) {
			w.log.Info("a client does not trust the server's certificate; "+w.advice, "client", address, "cause", cause)
			return len(line), nil
		}
	}
	w.log.Debug(text)
	return len(line), nil
}

func refusesCertificate(cause string) bool {
	alert, found := strings.CutPrefix(cause, "remote error: tls: ")
	for _, d := range distrust {
		if found && alert == d {
			return true
		}
	}
	return false
}
