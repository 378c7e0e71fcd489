package httpapi

import (
	"crypto/subtle"
	"net/http"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// serve returns the handler of one method and path, whose rows serve different versions.
func (s *server) serve(rows []*route) http.Handler {
	supported := supportedVersions(rows)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st := stateOf(r)
		st.route, st.supported = rows[0], supported
		if st.route.api == identityAPI { // on all of its answers, errors too (all recordings)
			w.Header().Set("Request-Context", "appId=")
		}
		memory := &reservation{budget: &s.memory, keys: [2]string{r.RemoteAddr, ""}}
		defer memory.resize(0)
		reply, err := s.handle(rows, w, r, st, memory)
		if err != nil {
			s.fail(w, r, st, err)
			return
		}
		s.answer(w, st, reply, memory)
	})
}

// handle runs a request: who calls, which version, is it allowed, and only then the body. So nobody learns anything without
// credentials, and no body is kept for a caller who may not call. An access key signs the body too, which is read at once then.
func (s *server) handle(rows []*route, w http.ResponseWriter, r *http.Request, st *requestState, memory *reservation) (reply, error) {
	c := call{Context: r.Context(), r: r, links: links{s.Base}, memory: memory}
	// It begins here because net/http reads the rest of the body even after a request was refused.
	s.startBodyTimeout(w, r)
	if err := s.authenticate(rows[0].api, &c, st); err != nil {
		return reply{}, err
	}
	memory.keys[1] = string(st.user)
	if c.key != "" {
		if err := s.readSignedBody(w, &c); err != nil {
			return reply{}, err
		}
	}
	c.query = queryOf(r)
	row, version, err := chooseVersion(rows, &c)
	if err != nil {
		return reply{}, err
	}
	c.version, st.route, st.version = version, row, version
	// The scope is checked before the thread is looked at, so that a token without it reveals nothing.
	if row.api == chatAPI && !c.principal.Can(row.capability) {
		return reply{}, &chat.Error{Kind: chat.Forbidden, Reason: "token scope does not allow " + row.operation}
	}
	if c.key == "" {
		if c.body, err = s.readBody(w, &c, row.maxBody); err != nil {
			return reply{}, err
		}
	}
	// A list reserves more once it knows how many items it may have.
	if r.Method == http.MethodGet {
		if err := memory.reserve(&c, smallAnswer); err != nil {
			return reply{}, err
		}
	}
	return row.run(s, &c)
}

// readSignedBody reads the body of a request with an access key and checks that it is the signed one, which completes the
// authentication.
func (s *server) readSignedBody(w http.ResponseWriter, c *call) (err error) {
	if c.body, err = s.readBody(w, c, maxJSON); err != nil {
		return err
	}
	return auth.VerifyBody(c.r, c.body)
}

// authenticate finds out who calls, by the headers alone, so that only known callers can make the server keep a body. Chat
// accepts user tokens; Identity accepts an access key or the configured Entra token.
func (s *server) authenticate(called api, c *call, st *requestState) (err error) {
	token, bearer := web.BearerToken(c.r)
	switch {
	case called == chatAPI && !bearer:
		return &chat.Error{Kind: chat.Unauthorized, Reason: "no bearer token"}
	case called == chatAPI:
		c.principal, err = s.Identities.Authenticate(c.r.Context(), token)
		st.user = c.principal.Identity
		return err
	case !bearer:
		c.key, err = s.AccessKeys.Verify(c.r, s.Now().Std())
		return err
	case s.EntraToken != "" && subtle.ConstantTimeCompare([]byte(token), []byte(s.EntraToken)) == 1:
		c.entra = true
		return nil
	default:
		return auth.Denied("bearer token is not the configured Entra token")
	}
}
