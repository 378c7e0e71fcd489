package httpapi

import "testing"

// The type comes from the bytes, whatever the name says. What a browser would run or open as something else is none of those that
// internal/chat takes for images.
func TestImageType(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[string]string{
		"\x89PNG\x0d\x0a\x1a\x0a":      "image/png",
		"\xff\xd8\xff\xe0":             "image/jpeg",
		"GIF89a":                       "image/gif",
		"BM1234":                       "image/bmp",
		"RIFF\x00\x00\x00\x00WEBPVP8 ": "image/webp",
		"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00": "image/heic",
		"\x00\x00\x00\x18ftypmif1":                 "image/heic",
		"":                                         "text/plain; charset=utf-8",
		"<html><script>":                           "text/html; charset=utf-8",
		`<?xml version="1.0"?><svg xmlns="x">`:     "text/xml; charset=utf-8",
		"\x7fELF\x02":                              "application/octet-stream",
		"\x00\x00\x01\x00":                         "image/x-icon",
		"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42mp41": "video/mp4",
	} {
		if got := imageType([]byte(bytes)); got != want {
			t.Errorf("%q is %s, want %s", bytes, got, want)
		}
	}
}
