package httpapi

import (
	"github.com/chatd/chatd/internal/chat"
)

// handler is how an operation is run, with what the server must know before it runs it.
type handler struct {
	run     func(*server, *call) (reply, error)
	body    bool  // takes a body
	maxBody int64 // of the body of a request, in bytes
	images  bool  // takes or gives images, whose errors have an envelope of their own
	entra   bool  // only the configured Entra token may call
}

// bodiless makes a handler of an operation that passes over a body.
func bodiless(run func(*server, *call) (reply, error)) handler {
	return handler{run: run, maxBody: maxJSON}
}

// with makes a handler of an operation that takes a JSON body.
func with[T any](handle func(*server, *call, T) (reply, error)) handler {
	h := withOptional(handle)
	run := h.run
	h.run = func(s *server, c *call) (reply, error) {
		if len(c.body) == 0 {
			return reply{}, invalid("The body is missing.")
		}
		return run(s, c)
	}
	return h
}

// withOptional makes a handler of an operation whose JSON body may be missing.
func withOptional[T any](handle func(*server, *call, T) (reply, error)) handler {
	return handler{body: true, maxBody: maxJSON, run: func(s *server, c *call) (reply, error) {
		var in T
		if len(c.body) > 0 {
			if err := checkMediaType(c.r); err != nil {
				return reply{}, err
			}
			if err := decodeAt(c.version, c.body, &in); err != nil {
				return reply{}, err
			}
		}
		return handle(s, c, in)
	}}
}

// withBytes makes a handler of an operation that takes the bytes of an image.
func withBytes(run func(*server, *call) (reply, error)) handler {
	return handler{run: run, body: true, maxBody: chat.MaxImageBytes + 1} // one more, so that the rule on size can answer
}

// answering changes the status of success.
func (h handler) answering(status int) handler {
	run := h.run
	h.run = func(s *server, c *call) (reply, error) {
		re, err := run(s, c)
		re.status = status
		return re, err
	}
	return h
}

// ofImages says that the operation takes or gives images.
func (h handler) ofImages() handler {
	h.images = true
	return h
}

// entraOnly refuses a caller who has an access key.
func (h handler) entraOnly() handler {
	run := h.run
	h.entra = true
	h.run = func(s *server, c *call) (reply, error) {
		if !c.entra {
			return reply{}, errExchange("not the configured Entra token")
		}
		return run(s, c)
	}
	return h
}
