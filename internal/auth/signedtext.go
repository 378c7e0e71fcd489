package auth

import (
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// signedText is what a client signs. target is path and query.
func signedText(method, target, date, host, hash string) string {
	return strings.ToUpper(method) + "\n" + target + "\n" + date + ";" + host + ";" + hash
}

// signedTexts returns what the SDKs may have signed to send this request: the same but for host and target. names
// are host[:port] of the server beside that of the request.
func signedTexts(r *http.Request, date, hash string, names []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		targets := signedTargets(r.RequestURI)
		for _, name := range slices.Concat([]string{r.Host}, names) {
			for _, host := range signedHosts(name) {
				for _, target := range targets {
					if !yield(signedText(r.Method, target, date, host, hash)) {
						return
					}
				}
			}
		}
	}
}

var ports = regexp.MustCompile(`(:[0-9]+)+$`)

// signedHosts returns what SDKs sign as the host to send it as name, likeliest first.
func signedHosts(name string) []string {
	bare, port := name, ""
	if at := ports.FindStringIndex(name); at != nil {
		bare = name[:at[0]]
		port = name[strings.LastIndexByte(name, ':'):]
	}
	hosts := addNew(nil,
		bare+port,
		// azure-communication-common for Java, all versions: java.net.URL.getHost has no port, whether it is sent
		// or not.
		bare,
		// @azure/communication-common 2.0.0 to 2.4.0: adds the port to URL.host, which has it already. Under Node the
		// request is sent with that Host too; in browsers it is not.
		bare+port+port)
	// azure-communication-identity for Python: the endpoint behind its scheme, with the slash that it may end in.
	for _, h := range slices.Clone(hosts) {
		hosts = append(hosts, h+"/")
	}
	return hosts
}

// signedTargets returns what SDKs sign as path and query to send them as uri, likeliest first.
func signedTargets(uri string) []string {
	raw := originForm(uri)
	targets := addNew(nil, raw, formTarget(raw))
	// azure-communication-identity for Python, aio: the URL percent-decoded.
	if decoded, err := url.PathUnescape(raw); err == nil {
		targets = addNew(targets, decoded)
	}
	// azure-communication-identity for Python cuts the URL at len("https://" + host). One character is lost with an
	// endpoint of http, another with an endpoint that ends in a slash, as that is not in the URL.
	for _, t := range slices.Clone(targets) {
		for lost := 1; lost <= 2 && lost <= len(t); lost++ {
			targets = addNew(targets, t[lost:])
		}
	}
	return targets
}

// originForm cuts scheme and host off a target in absolute form, as sent to proxies (RFC 9112, 3.2.2).
func originForm(uri string) string {
	if strings.HasPrefix(uri, "/") {
		return uri
	}
	_, rest, found := strings.Cut(uri, "://")
	if !found {
		return uri
	}
	at := strings.IndexAny(rest, "/?")
	switch {
	case at < 0:
		return "/"
	case rest[at] == '?':
		return "/" + rest[at:]
	default:
		return rest[at:]
	}
}

// formTarget writes the query anew as URLSearchParams.toString does (@azure/communication-common 2.0 and later).
func formTarget(target string) string {
	path, query, _ := strings.Cut(target, "?")
	var pairs []string
	for pair := range strings.SplitSeq(query, "&") {
		if pair != "" {
			name, value, _ := strings.Cut(pair, "=")
			pairs = append(pairs, formEscape(name)+"="+formEscape(value))
		}
	}
	if pairs == nil {
		return path
	}
	return path + "?" + strings.Join(pairs, "&")
}

// Between Go and application/x-www-form-urlencoded as the URL standard has it are two characters.
var toForm = strings.NewReplacer("~", "%7E", "%2A", "*")

func formEscape(text string) string {
	decoded, err := url.QueryUnescape(text)
	if err != nil {
		return text // no SDK sends a broken escape
	}
	return toForm.Replace(url.QueryEscape(decoded))
}

// addNew appends those of more that are not in list.
func addNew(list []string, more ...string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}
