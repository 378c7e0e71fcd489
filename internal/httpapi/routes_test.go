package httpapi

import (
	"net/http"
	"testing"
)

// TestRoutes holds what Routes says of each route against what the server does with its good requests: the route appears once,
// accepts the credentials of those who may call it and no others, and a body that is no JSON matters only where one is read.
func TestRoutes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	seen := map[[2]string]bool{}
	for _, r := range Routes() {
		key := [2]string{r.Method, r.Pattern}
		if seen[key] {
			t.Errorf("%s %s is there twice", r.Method, r.Pattern)
		}
		seen[key] = true
		for _, s := range samples {
			if s.method != r.Method || !matches(split(r.Pattern), split(s.path)) {
				continue
			}
			t.Run(s.operation+" "+s.version(), func(t *testing.T) {
				t.Parallel()
				w := newWorld(b.in(t))
				for name, who := range map[string]caller{
					UserToken: w.alice, AccessKey: w.b.owner(), EntraToken: w.b.bearer(entraToken), "none": w.b.nobody(),
				} {
					may := name == r.Caller || name == EntraToken && r.Caller == AccessKey
					if a := s.by(w.renewed(), who.at(s.version())); (a.status == s.status) != may && s.operation != "ExchangeTeamsToken" || !may && a.status != http.StatusUnauthorized {
						t.Errorf("with %s: %d, want success: %t", name, a.status, may)
					}
				}
				w = w.renewed()
				a := s.caller(w).do(s.method, s.target(w), "{")
				if reads := a.status != s.status; reads && !r.Body || !reads && r.Body && s.body != nil { // an optional body: in some versions
					t.Errorf("with a body that is no JSON: %d, reads a body: %t", a.status, r.Body)
				}
			})
		}
	}
}
