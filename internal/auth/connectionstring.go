package auth

import (
	"errors"
	"net/url"
	"strings"
)

// ConnectionString is what an SDK needs to sign requests.
type ConnectionString struct {
	Endpoint  string // URL of the server, without a slash at its end
	AccessKey string // base64
}

// ParseConnectionString reads "endpoint=<url>/;accesskey=<base64>", in any order and case of the names, as SDKs do.
// Other names are ignored. Errors do not quote the string.
func ParseConnectionString(s string) (ConnectionString, error) {
	var c ConnectionString
	for part := range strings.SplitSeq(s, ";") {
		name, value, _ := strings.Cut(part, "=")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "endpoint":
			c.Endpoint = strings.TrimRight(value, "/")
		case "accesskey":
			c.AccessKey = value
		}
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ConnectionString{}, errors.New("connection string: endpoint is missing or not an http or https URL")
	}
	if c.AccessKey == "" {
		return ConnectionString{}, errors.New("connection string: accesskey is missing")
	}
	return c, nil
}

// String returns the connection string in the form and order that the Azure portal shows; the SDK for JavaScript
// takes no other order.
func (c ConnectionString) String() string {
	return "endpoint=" + strings.TrimRight(c.Endpoint, "/") + "/;accesskey=" + c.AccessKey
}
