package trouter

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// registration is what a client tells the registrar about its endpoint.
type registration struct {
	ID     string `json:"registrationId"`
	Client struct {
		Template string `json:"templateKey"`
	} `json:"clientDescription"`
}

var errRegistration = errors.New("registrationId is missing or too long")

// registrar keeps the template of an endpoint of the caller's own, or forgets the endpoint. Delivery does not wait for it.
// An endpoint that never connected needs no template yet. Clients on phones want exactly 202.
func (s *Server) registrar(w http.ResponseWriter, r *http.Request, path string) {
	user, _, ok := s.caller(w, r, r.Header.Get("X-Skypetoken"))
	if !ok {
		return
	}
	_, id, one := strings.Cut(path, "registrations/")
	switch {
	case r.Method == http.MethodPost && !one:
		body, err := readAll(w, r)
		var reg registration
		if err == nil {
			reg, err = readRegistration(body)
		}
		if err != nil {
			s.refuse(w, r, http.StatusBadRequest, "registration cannot be read", err)
			return
		}
		if e := s.existing(endpointKey{user, reg.ID}); e != nil {
			e.register(dialectOf(reg.Client.Template))
		}
	case r.Method == http.MethodDelete && one:
		if e := s.existing(endpointKey{user, id}); e != nil {
			e.forget()
		}
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func readRegistration(body []byte) (registration, error) {
	var reg registration
	err := json.Unmarshal(body, &reg)
	if err == nil && (reg.ID == "" || len(reg.ID) > maxEndpointID) {
		err = errRegistration
	}
	return reg, err
}
