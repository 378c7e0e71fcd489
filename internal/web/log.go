package web

// Shortened returns at most so many bytes of a text for the log, which says where it is not all.
func Shortened(text string, limit int) string {
	if len(text) > limit {
		return text[:limit] + "…"
	}
	return text
}
