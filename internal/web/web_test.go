package web

import (
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/chat"
)

func TestBearerToken(t *testing.T) {
	t.Parallel()
	tests := []struct {
		header, token string
		ok            bool
	}{
		{"Bearer a.b.c", "a.b.c", true},
		{"bEARER   a.b.c ", "a.b.c", true},
		{"Bearer", "", true},
		{"Bearer ", "", true},
		{"Bearer a b", "a b", true},
		{"", "", false},
		{"a.b.c", "", false},
		{"Basic a.b.c", "", false},
		{"HMAC-SHA256 SignedHeaders=host", "", false},
		{" Bearer a.b.c", "", false},
	}
	for _, test := range tests {
		r := httptest.NewRequest("GET", "/", nil)
		if test.header != "" {
			r.Header.Set("Authorization", test.header)
		}
		if token, ok := BearerToken(r); token != test.token || ok != test.ok {
			t.Errorf("%q: %q, %v", test.header, token, ok)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	if got := string(EncodeJSON(map[string]string{"a": "<b> & \"c\""})); got != `{"a":"<b> & \"c\""}` {
		t.Error(got)
	}
	w := httptest.NewRecorder()
	SendJSON(w, []int{1, 2})
	if w.Code != 200 || w.Body.String() != "[1,2]\n" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
	defer func() {
		if recover() == nil {
			t.Error("a channel was encoded")
		}
	}()
	EncodeJSON(make(chan int))
}

func TestPaths(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "/": "/", "//a///b/": "/a/b/", "/a/b": "/a/b"} {
		if got := CleanPath(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
	const want = "/chat/threads/19%3Aabc@thread.v2/images/a%2Fb/views/small"
	if got := ImagePath("19:abc@thread.v2", "a/b", "small"); got != want {
		t.Error(got)
	}
}

func TestAttachments(t *testing.T) {
	t.Parallel()
	in := []chat.Attachment{
		{ID: "1", Type: chat.AttachedImage, Name: "cat.png"},
		{ID: "2", Type: chat.AttachedImage, URL: "https://example.com/2"},
		{ID: "3", Type: "file", Name: "a.txt"},
	}
	got := string(EncodeJSON(Attachments(in, func(image, view string) string { return image + "/" + view })))
	want := `[{"id":"1","attachmentType":"image","name":"cat.png","url":"1/original","previewUrl":"1/small"},` +
		`{"id":"2","attachmentType":"image","url":"https://example.com/2"},{"id":"3","attachmentType":"file","name":"a.txt"}]`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := string(EncodeJSON(Attachments(nil, nil))); got != "[]" {
		t.Error(got)
	}
}
