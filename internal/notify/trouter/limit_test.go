package trouter

import (
	"strconv"
	"testing"

	"github.com/chatd/chatd/internal/chat"
)

// However many users come, the buckets are bounded, and those who come still get in.
func TestBucketsAreBounded(t *testing.T) {
	bubble(t, func(w *world) {
		for i := range maxBuckets + 100 {
			if !w.server.allow("handshake", endpointKey{chat.Identity(strconv.Itoa(i)), "e"}) {
				w.Fatalf("user %d is refused", i)
			}
		}
		if n := len(w.server.buckets); n != maxBuckets {
			w.Errorf("%d buckets, want %d", n, maxBuckets)
		}
	})
}
