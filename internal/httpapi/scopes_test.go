package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chatd/chatd/internal/auth"
)

// allowed is the table of scopes and operations (identity model page of the ACS documentation). What is not named needs
// any scope of chat.
var allowed = map[string][]auth.Scope{
	"CreateThread":      {auth.ScopeChat},
	"UpdateThread":      {auth.ScopeChat},
	"DeleteThread":      {auth.ScopeChat},
	"AddParticipants":   {auth.ScopeChat, auth.ScopeChatJoin},
	"RemoveParticipant": {auth.ScopeChat, auth.ScopeChatJoin},
	"UpdateParticipant": {auth.ScopeChat, auth.ScopeChatJoin},
}

func TestScopes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tokens := [][]auth.Scope{
		{auth.ScopeChat},
		{auth.ScopeChatJoin},
		{auth.ScopeChatJoinLimited},
		{auth.ScopeVoIP},
		{auth.ScopeVoIPJoin, auth.ScopeVoIP},
		{auth.ScopeVoIP, auth.ScopeChat},
		{auth.ScopeChatJoinLimited, auth.ScopeChatJoin},
	}
	for _, s := range samples {
		if !s.ofChat() {
			continue
		}
		may := allowed[s.operation]
		if may == nil {
			may = []auth.Scope{auth.ScopeChat, auth.ScopeChatJoin, auth.ScopeChatJoinLimited}
		}
		for _, scopes := range tokens {
			name := s.operation + " " + s.version()
			for _, scope := range scopes {
				name += " " + string(scope)
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(b.in(t))
				// The path is filled in by alice, whose token allows all.
				r := s.request(w, w.alice.at(s.version()))
				w.b.holder(w.alice.id, scopes...).authorize(r, nil)
				a := w.b.send(r)
				if slices.ContainsFunc(scopes, func(have auth.Scope) bool { return slices.Contains(may, have) }) {
					a.is(s.status)
					return
				}
				a.is(http.StatusForbidden)
				if s.version() == newestChat { // without a text (azure-sdk-for-js issues 22130 and 24499)
					a.refused(http.StatusForbidden, "Forbidden", "")
				}
				// It was not done.
				w.alice.get(w.at("")).is(http.StatusOK).holds("topic", "lunch")
			})
		}
	}
}

// A token that lacks the scope tells nothing of the thread.
func TestScopeIsCheckedBeforeTheThread(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	voip := b.user(auth.ScopeVoIP)
	for _, s := range samples {
		if strings.HasPrefix(s.path, "/chat/threads/{thread}") && s.version() == newestChat {
			target := strings.NewReplacer("{thread}", "19:unknown@thread.v2", "{message}", "x").Replace(s.path)
			voip.do(s.method, target, "{").refused(http.StatusForbidden, "Forbidden", "")
		}
	}
}
