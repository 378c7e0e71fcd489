package auth

import "testing"

// The wanted queries are what new URL(…).searchParams.toString() gives in Node 20.
func TestFormTarget(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"/a", "/a"},
		{"/a?", "/a"},
		{"/a?&&", "/a"},
		{"/a?x", "/a?x="},
		{"/a?x=1&y=2", "/a?x=1&y=2"},
		{"/a?y=2&x=1&y=3", "/a?y=2&x=1&y=3"},
		{"/a?x=1=2", "/a?x=1%3D2"},
		{"/a?x=a%20b+c", "/a?x=a+b+c"},
		{"/a?x=~*-._", "/a?x=%7E*-._"},
		{"/a?x=%7e%2a%2A", "/a?x=%7E**"},
		{"/a?x=%252A", "/a?x=%252A"},
		{"/a?x=!'()", "/a?x=%21%27%28%29"},
		{"/a?x=%c3%a9", "/a?x=%C3%A9"},
		{"/a?x=b/c:d@e?f", "/a?x=b%2Fc%3Ad%40e%3Ff"},
	}
	for _, tt := range tests {
		if got := formTarget(tt.in); got != tt.want {
			t.Errorf("formTarget(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
