package trouter

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/chatd/chatd/internal/web"
)

// registration is what a client tells the registrar about its endpoint.
type registration struct {
	ID     string `json:"registrationId"`
	Client struct {
		Template string `json:"templateKey"`
	} `json:"clientDescription"`
}

var errRegistration = errors.New("registrationId is missing or too long")

// registrar saves the format of an endpoint of the caller, or ends the endpoint. Delivery does not wait for it. An endpoint that never
// connected is not known. The end of a registration may come after the next connection; the registration that follows revokes it.
// The SDKs for iOS and Android accept exactly 202.
func (s *Server) registrar(w http.ResponseWriter, r *http.Request, path string) {
	c, ok := s.caller(w, r, r.Header.Get("X-Skypetoken"))
	if !ok {
		return
	}
	var err error
	_, id, one := strings.Cut(path, "registrations/")
	switch {
	case r.Method == http.MethodPost && !one:
		var body []byte
		var reg registration
		if body, err = readAll(w, r); err == nil {
			reg, err = readRegistration(body)
		}
		if err != nil {
			s.refuse(w, r, http.StatusBadRequest, "registration cannot be read", err)
			return
		}
		err = s.register(r.Context(), endpointKey{c.User, reg.ID}, formatOf(reg.Client.Template))
	case r.Method == http.MethodDelete && one:
		if endpointID(id, "") != "" {
			err = s.Endpoints.EndEndpoint(r.Context(), c.User, id)
		}
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if err != nil {
		s.refuse(w, r, http.StatusServiceUnavailable, "registration cannot be kept", err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// register saves the format of an endpoint. Ids that no endpoint can have are ignored.
func (s *Server) register(ctx context.Context, key endpointKey, f format) error {
	if endpointID(key.id, "") == "" {
		return nil
	}
	err := s.Endpoints.RegisterEndpoint(ctx, key.user, key.id, string(f), s.Now())
	if e := s.knownEndpoint(key); e != nil && err == nil {
		e.setFormat(f) // at once; other servers read it from the store
	}
	return err
}

func readRegistration(body []byte) (registration, error) {
	var reg registration
	err := json.Unmarshal(web.WithoutBOM(body), &reg)
	if err == nil && (reg.ID == "" || len(reg.ID) > maxEndpointID) {
		err = errRegistration
	}
	return reg, err
}
