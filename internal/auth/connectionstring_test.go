package auth

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseConnectionString(t *testing.T) {
	t.Parallel()
	want := ConnectionString{Endpoint: "https://localhost:8443", AccessKey: "c2VjcmV0="}
	tests := []struct{ name, in string }{
		{"as the portal shows it", "endpoint=https://localhost:8443/;accesskey=c2VjcmV0="},
		{"no slash", "endpoint=https://localhost:8443;accesskey=c2VjcmV0="},
		{"other case", "Endpoint=https://localhost:8443/;AccessKey=c2VjcmV0="},
		{"other order", "accesskey=c2VjcmV0=;endpoint=https://localhost:8443/"},
		{"spaces and a semicolon more", " endpoint = https://localhost:8443/ ; accesskey = c2VjcmV0= ;\n"},
		{"names unknown", "version=1;endpoint=https://localhost:8443/;;accesskey=c2VjcmV0="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseConnectionString(tt.in)
			noError(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("connection string (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseConnectionStringRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"",
		"c2VjcmV0=",
		"accesskey=c2VjcmV0=",
		"endpoint=https://localhost:8443/",
		"endpoint=https://localhost:8443/;accesskey=",
		"endpoint=localhost:8443;accesskey=c2VjcmV0=",
		"endpoint=ftp://localhost/;accesskey=c2VjcmV0=",
		"endpoint=https://;accesskey=c2VjcmV0=",
		"endpoint=https://a b/;accesskey=c2VjcmV0=",
	} {
		if _, err := ParseConnectionString(in); err == nil {
			t.Errorf("%q: no error, want one", in)
		} else if strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%q: error %q tells the key", in, err)
		}
	}
}

func TestConnectionStringString(t *testing.T) {
	t.Parallel()
	want := "endpoint=https://localhost:8443/;accesskey=c2VjcmV0="
	for _, endpoint := range []string{"https://localhost:8443", "https://localhost:8443/"} {
		if got := (ConnectionString{Endpoint: endpoint, AccessKey: "c2VjcmV0="}).String(); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
	}
}

func FuzzParseConnectionString(f *testing.F) {
	f.Add("endpoint=https://localhost:8443/;accesskey=c2VjcmV0=")
	f.Add("ACCESSKEY==;EndPoint=http://[::1]/a=b//")
	f.Add("endpoint=;accesskey=;")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseConnectionString(s)
		if err != nil {
			return
		}
		again, err := ParseConnectionString(c.String())
		noError(t, err)
		if diff := cmp.Diff(c, again); diff != "" {
			t.Errorf("parsed from its own String (-want +got):\n%s", diff)
		}
	})
}
