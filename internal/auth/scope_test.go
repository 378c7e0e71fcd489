package auth

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/chat"
)

func TestPrincipalCan(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		scopes []Scope
		want   []Capability
	}{
		{"chat", []Scope{ScopeChat}, []Capability{Converse, ManageParticipants, ManageThreads}},
		{"chat.join", []Scope{ScopeChatJoin}, []Capability{Converse, ManageParticipants}},
		{"chat.join.limited", []Scope{ScopeChatJoinLimited}, []Capability{Converse}},
		{"voip", []Scope{ScopeVoIP}, nil},
		{"voip.join and pstn", []Scope{ScopeVoIPJoin, ScopePSTN}, nil},
		{"voip and chat", []Scope{ScopeVoIP, ScopeChat}, []Capability{Converse, ManageParticipants, ManageThreads}},
		{"limited and join", []Scope{ScopeChatJoinLimited, ScopeChatJoin}, []Capability{Converse, ManageParticipants}},
		{"unknown", []Scope{"chat.admin"}, nil},
		{"none", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []Capability
			for c := Converse; c <= ManageThreads; c++ {
				if (Principal{Scopes: tt.scopes}).Can(c) {
					got = append(got, c)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("capabilities (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseScopes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   []string
		want []Scope
	}{
		{"one", []string{"chat"}, []Scope{ScopeChat}},
		{"order is kept", []string{"voip", "chat"}, []Scope{ScopeVoIP, ScopeChat}},
		{"repeated", []string{"chat", "voip", "chat"}, []Scope{ScopeChat, ScopeVoIP}},
		{
			"all",
			[]string{"chat", "chat.join", "chat.join.limited", "voip", "voip.join", "pstn"},
			[]Scope{ScopeChat, ScopeChatJoin, ScopeChatJoinLimited, ScopeVoIP, ScopeVoIPJoin, ScopePSTN},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseScopes(tt.in)
			noError(t, err)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("scopes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseScopesRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		in      []string
		message string
	}{
		{"none", nil, "Invalid scopes - Scopes field is required."},
		{"empty", []string{}, "Invalid scopes - Scopes field is required."},
		{"unknown", []string{"chat", "fax"}, `Invalid scopes - Scope "fax" is not supported.`},
		{"upper case", []string{"Chat"}, `Invalid scopes - Scope "Chat" is not supported.`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseScopes(tt.in)
			sameAnswer(t, err, &chat.Error{Kind: chat.Invalid, Code: "ValidationError", Message: tt.message, Target: "scopes"})
		})
	}
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	refused := func(message string) *chat.Error {
		return &chat.Error{Kind: chat.Invalid, Code: "ValidationError", Message: message, Target: "ExpiresInMinutes"}
	}
	tests := []struct {
		name    string
		minutes *int
		want    time.Duration
		err     *chat.Error
	}{
		{"none", nil, 24 * time.Hour, nil},
		{"least", new(60), time.Hour, nil},
		{"most", new(1440), 24 * time.Hour, nil},
		{"too few", new(59), 0, refused("ExpiresInMinutes value 59 is invalid. Value must be within the [60, 1440] interval.")},
		{"too many", new(1441), 0, refused("ExpiresInMinutes value 1441 is invalid. Value must be within the [60, 1440] interval.")},
		{"negative", new(-1), 0, refused("ExpiresInMinutes value -1 is invalid. Value must be within the [60, 1440] interval.")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Lifetime(tt.minutes)
			if tt.err != nil {
				sameAnswer(t, err, tt.err)
				return
			}
			noError(t, err)
			if got != tt.want {
				t.Errorf("Lifetime = %s, want %s", got, tt.want)
			}
		})
	}
}
