// Package httpapi is the REST surface of ACS Chat and Communication Identity.
//
// The table in routes.go is the whole of it: method, path, operation, first api-version, what the caller must be allowed
// to do, and the handler. Handlers take a decoded request of the newest version and return a reply of the newest version;
// they never see the http.ResponseWriter. What differs in older versions is in versions.go. Every answer, errors too, is
// written in one place, answer.go, in the form of the real service.
package httpapi
