package delivery

import (
	"slices"
	"testing"

	"github.com/chatd/chatd/internal/chat"
)

func TestClientsDoNotHearOfEndpoints(t *testing.T) {
	t.Parallel()
	e := Changed("8:acs:x", "endpoint", 7, 1000)
	want := chat.Event{Kind: EndpointChanged, At: 1000, Version: 7, Actor: "8:acs:x", ActorName: "endpoint"}
	if e.Kind != want.Kind || e.At != want.At || e.Version != want.Version || e.Actor != want.Actor || e.ActorName != want.ActorName {
		t.Errorf("event is %+v, want %+v", e, want)
	}
	if slices.Contains(chat.EventKinds(), e.Kind) {
		t.Error("clients hear of endpoints")
	}
}
