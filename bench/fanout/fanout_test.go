package fanout

import "testing"

func TestNumber(t *testing.T) {
	t.Parallel()
	for frame, want := range map[string]int{
		`{"type":"event","message":{"content":"#17 xxx"}}`:                                    17,
		`3:::{"id":4,"url":"/v4/f/A/messageReceived","body":"{\"messageBody\":\"#18 xxx\"}"}`: 18,
	} {
		if n, ok := number([]byte(frame)); n != want || !ok {
			t.Errorf("%s: %d, %v", frame, n, ok)
		}
	}
	for _, frame := range []string{`{"type":"ready"}`, "# 1", "#x "} {
		if n, ok := number([]byte(frame)); ok {
			t.Errorf("%s: %d", frame, n)
		}
	}
}

func TestTrouterReply(t *testing.T) {
	t.Parallel()
	got := trouter{}.Reply([]byte(`3:::{"id":4711,"method":"POST","url":"/v4/f/A/messageReceived"}`))
	if want := `3:::{"id":4711,"status":200,"headers":{},"body":""}`; string(got) != want {
		t.Errorf("%s", got)
	}
	if got := (trouter{}).Reply([]byte("2::")); got != nil {
		t.Errorf("a beat is answered: %s", got)
	}
}
