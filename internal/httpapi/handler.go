package httpapi

import "github.com/chatd/chatd/internal/chat"

// handler runs an operation, and has what must be known before it runs. A limit per operation is one more field here.
type handler struct {
	run         func(*server, *call) (reply, error)
	body        bool  // reads a body
	maxBody     int64 // size of a body, in bytes
	imageErrors bool  // errors have the envelope of the image operations
	entra       bool  // only a caller with the Entra token succeeds
}

// withoutBody returns the handler of an operation that ignores a body.
func withoutBody(run func(*server, *call) (reply, error)) handler {
	return handler{run: run, maxBody: maxJSON}
}

// with returns the handler of an operation that requires a JSON body.
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

// withOptional returns the handler of an operation whose JSON body may be missing; it gets the zero value then.
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

// withBytes returns the handler of an operation that takes the bytes of an image.
func withBytes(run func(*server, *call) (reply, error)) handler {
	return handler{run: run, body: true, maxBody: chat.MaxImageBytes + 1} // one more, so that the rule about the size of images answers
}

// withStatus returns the handler with another status for success, which some operations had in 2020.
func (h handler) withStatus(status int) handler {
	run := h.run
	h.run = func(s *server, c *call) (reply, error) {
		re, err := run(s, c)
		re.status = status
		return re, err
	}
	return h
}

// withImageErrors returns the handler with the error envelope of the image operations.
func (h handler) withImageErrors() handler {
	h.imageErrors = true
	return h
}

// forEntra returns the handler of an operation by which users of Entra get tokens. It refuses an access key.
func (h handler) forEntra() handler {
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
