package trouter

import (
	"encoding/json"
	"net/http"
	"strings"
)

// registration is what a client tells the registrar about its endpoint.
type registration struct {
	ID     string `json:"registrationId"`
	Client struct {
		Template string `json:"templateKey"`
	} `json:"clientDescription"`
	Transports struct {
		Trouter []struct {
			Path string `json:"path"`
		} `json:"TROUTER"`
	} `json:"transports"`
}

const maxEndpointID = 128

// registrar keeps the template of an endpoint of the caller's own, or forgets the endpoint. Delivery does not wait for it.
// Clients on phones want exactly 202.
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
			err = json.Unmarshal(body, &reg)
		}
		if err != nil || reg.ID == "" || len(reg.ID) > maxEndpointID {
			s.refuse(w, r, http.StatusBadRequest, "registration cannot be read", err)
			return
		}
		s.endpoint(endpointKey{user, reg.ID}).speak(dialectOf(reg.Client.Template))
	case r.Method == http.MethodDelete && one:
		s.drop(endpointKey{user, id})
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}
