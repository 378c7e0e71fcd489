package web

import (
	"net/url"
	"strings"

	"github.com/chatd/chatd/internal/chat"
)

// CleanPath makes runs of slashes one: connection strings and endpoints end in a slash, and SDKs append paths that begin with
// one (azure-communication-signaling for JavaScript). A redirect instead would break preflights.
func CleanPath(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// ThreadPath is the path of a thread in answers: colons escaped, at signs not (all recordings).
func ThreadPath(thread chat.ThreadID) string {
	return "/chat/threads/" + strings.ReplaceAll(string(thread), ":", "%3A")
}

// ImagePath is the path of a view of an image of a thread.
func ImagePath(thread chat.ThreadID, image, view string) string {
	return ThreadPath(thread) + "/images/" + url.PathEscape(image) + "/views/" + view
}
