package httpapi

import (
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// Config is what the API is made of. Chat, Identities, AccessKeys, Base, CORS, CursorKey and Now are required.
type Config struct {
	Chat       *chat.Service
	Identities *auth.Identities
	AccessKeys *auth.AccessKeys

	Base         func(*http.Request) string // by which scheme and host a client reaches this server; see web.Base
	EntraToken   string                     // a static bearer that the Identity API accepts; empty for none
	CORS         web.OriginPolicy           // which web pages may call
	CursorKey    []byte                     // signs continuation tokens
	WriteTimeout time.Duration              // for a client to take a part of a large answer; 0 for 30 s. That for a whole request is the http.Server's
	BodyTimeout  time.Duration              // for a client to send a whole body; 0 for 30 s

	Log     *slog.Logger
	Metrics prometheus.Registerer
	Now     func() chat.Time
}

type server struct {
	Config
	metrics metrics
	flow    flow
}

// New returns the handler of both APIs. It refuses a configuration that lacks a required part.
func New(c Config) (http.Handler, error) {
	if c.Chat == nil || c.Identities == nil || c.AccessKeys == nil || c.Base == nil || c.CORS == nil || len(c.CursorKey) == 0 || c.Now == nil {
		return nil, errors.New("httpapi: incomplete configuration")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.BodyTimeout == 0 {
		c.BodyTimeout = 30 * time.Second
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = 30 * time.Second
	}
	s := &server{Config: c, flow: flow{by: map[string]int64{}}}
	var err error
	if s.metrics, err = newMetrics(c.Metrics); err != nil {
		return nil, err
	}
	return s.router(), nil
}

func (s *server) router() http.Handler {
	r := chi.NewRouter()
	r.Use(s.begin, s.recover, s.cors, cleanPath)
	rows := map[[2]string][]*route{} // by method and pattern: versions may have rows of their own
	for i := range routes {
		key := [2]string{routes[i].method, routes[i].pattern}
		rows[key] = append(rows[key], &routes[i])
	}
	for key, group := range rows {
		r.Method(key[0], key[1], s.serve(group))
	}
	r.NotFound(func(w http.ResponseWriter, r *http.Request) { s.refuse(w, r, http.StatusNotFound, "no such route") })
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		status := http.StatusNotFound // methods that the router has never heard of come here from any path
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
			if r.Match(chi.NewRouteContext(), method, chi.RouteContext(req.Context()).RoutePath) {
				w.Header().Add("Allow", method)
				status = http.StatusMethodNotAllowed
			}
		}
		s.refuse(w, req, status, "no such route, or not with this method")
	})
	return r
}

// serve runs the rows of one method and path: authenticate, choose by version, check scope, read, handle, answer.
func (s *server) serve(rows []*route) http.Handler {
	supported := supported(rows)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st := stateOf(r)
		st.row, st.supported = rows[0], supported
		if st.row.api == identityAPI { // on all of its answers, errors too (all recordings)
			w.Header().Set("Request-Context", "appId=")
		}
		held := &hold{flow: &s.flow, keys: [2]string{r.RemoteAddr, ""}}
		defer held.set(0)
		reply, err := s.handle(rows, w, r, st, held)
		if err != nil {
			s.fail(w, r, st, err)
			return
		}
		s.answer(w, st, reply, held)
	})
}

func (s *server) handle(rows []*route, w http.ResponseWriter, r *http.Request, st *state, held *hold) (reply, error) {
	c := call{Context: r.Context(), r: r, links: links{s.Base}, held: held}
	// From here on, since net/http reads on after the answer to a request whose body was not read.
	s.limitReading(w, r)
	if err := s.authenticate(rows[0].api, &c, st); err != nil {
		return reply{}, err
	}
	held.keys[1] = string(st.user)
	if c.key != "" { // it signs the body too
		if err := s.readSigned(w, &c); err != nil {
			return reply{}, err
		}
	}
	c.query = queryOf(r)
	row, version, err := choose(rows, &c)
	if err != nil {
		return reply{}, err
	}
	c.version, st.row, st.version = version, row, version
	if row.api == chatAPI && !c.principal.Can(row.need) {
		return reply{}, &chat.Error{Kind: chat.Forbidden, Reason: "token scope does not allow " + row.operation}
	}
	if c.key == "" {
		if c.body, err = s.readBody(w, &c, row.maxBody); err != nil {
			return reply{}, err
		}
	}
	if r.Method == http.MethodGet {
		if err := held.grow(&c, smallAnswer); err != nil {
			return reply{}, err
		}
	}
	return row.run(s, &c)
}

// readSigned reads the body of a request that an access key signed, which is the last part of authenticating it.
func (s *server) readSigned(w http.ResponseWriter, c *call) (err error) {
	if c.body, err = s.readBody(w, c, maxJSON); err != nil {
		return err
	}
	return auth.VerifyBody(c.r, c.body)
}

// authenticate finds out who calls, by the headers: nobody has the server keep a body without a token or key. Chat takes user tokens only; Identity takes the access key, or an Entra bearer.
func (s *server) authenticate(asked api, c *call, st *state) (err error) {
	token, bearer := web.BearerToken(c.r)
	switch {
	case asked == chatAPI && !bearer:
		return &chat.Error{Kind: chat.Unauthorized, Reason: "no bearer token"}
	case asked == chatAPI:
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
		return denied("bearer token is not the configured Entra token")
	}
}

func denied(reason string) error {
	return &chat.Error{Kind: chat.Unauthorized, Code: "Denied", Message: "Denied by the resource provider.", Reason: reason}
}
