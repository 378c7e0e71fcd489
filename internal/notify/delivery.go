package notify

import (
	"sync"

	"github.com/chatd/chatd/internal/chat"
)

// Subscriber receives the events of one user. The hub calls its methods one at a time, with a lock held: they must not block
// and must not call the hub.
type Subscriber interface {
	// Offer hands over an event that the user may see.
	Offer(d Delivery)
	// End says that the subscriber gets no more events, and should close its connection.
	End(reason Reason)
}

// Reason says why the server ends a subscription. Clients and logs are shown its text.
type Reason string

// The reasons for which the server ends a subscription.
const (
	Revoked  Reason = "token revoked" // or the identity deleted: the journal does not tell them apart
	Expired  Reason = "token expired"
	Stopping Reason = "server is stopping"
	Slow     Reason = "listener is too slow"
)

// Delivery is an event on its way to one user. The event is shared with other deliveries and must not be changed.
type Delivery struct {
	*chat.Event
	To     chat.Identity
	Shared *Shared
}

// Shared keeps what is encoded once for all deliveries of an event, by the name of the encoding. It is safe for concurrent use.
type Shared struct {
	mu        sync.Mutex
	encodings map[string][]byte
}

// Once returns the encoding of that name, made by the first call. Callers must not change it.
func (s *Shared) Once(name string, encode func() []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.encodings[name]; ok {
		return b
	}
	if s.encodings == nil {
		s.encodings = map[string][]byte{}
	}
	b := encode()
	s.encodings[name] = b
	return b
}
