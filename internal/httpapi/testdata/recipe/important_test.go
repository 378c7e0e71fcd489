package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

// TestImportant is run on the package as the recipe in CONTRIBUTING.md changes it; see recipe_test.go.
func TestImportant(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	id := alice.at(chatPreview2).post(th.path("/messages"), `{"content":"hurry","priority":"High"}`).is(http.StatusCreated).text("id")
	alice.say(th, "no hurry")
	for _, v := range versions[chatAPI] {
		told := 0
		if v == "2027-01-01" {
			told = 1
		}
		alice := alice.at(string(v))
		one, all := alice.get(th.path("/messages/"+id)).is(http.StatusOK), alice.get(th.path("/messages")).is(http.StatusOK)
		for what, a := range map[string]*answer{"GET": one, "the list": all} {
			if got := strings.Count(string(a.body), `"important":true`); got != told {
				t.Errorf("%s of %s has %d important messages, want %d: %s", what, v, got, told, a.body)
			}
		}
	}
}
