package report

import (
	"bytes"
	"fmt"
	"html"
	"io"
)

// Measures of the picture, in pixels.
const (
	labels   = 520
	unitBar  = 180 // width of a bar that just meets its goal
	most     = 2.5 // longer bars are cut
	line     = 20
	head     = 46
	goodBar  = "#2a7f62"
	shortBar = "#c0562f"
)

// SVG draws a bar for each goal that was measured: how far it is reached, with a line where it is met.
func (r *Report) SVG(w io.Writer) error {
	var body bytes.Buffer
	y := head
	for _, g := range r.Goals {
		figure, verdict := r.Check(g)
		if verdict == Unknown {
			continue
		}
		colour := goodBar
		if verdict == NotMet {
			colour = shortBar
		}
		bar := min(g.attainment(figure), most) * unitBar
		fmt.Fprintf(&body, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", labels-8, y+14, html.EscapeString(r.title(g)))
		fmt.Fprintf(&body, `<rect x="%d" y="%d" width="%.0f" height="%d" fill="%s"/>`+"\n", labels, y+3, bar, line-6, colour)
		fmt.Fprintf(&body, `<text x="%.0f" y="%d">%.3g (goal %s)</text>`+"\n", labels+max(bar, unitBar)+8, y+14, figure, html.EscapeString(g.want(r.unit(g))))
		y += line
	}
	width := labels + int(most*unitBar) + 170
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, y+12, width, y+12)
	fmt.Fprintf(w, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, y+12)
	fmt.Fprintf(w, `<text x="12" y="18" font-size="14">%s</text>`+"\n", html.EscapeString("chatd: how far each goal is reached; the line is the goal"))
	fmt.Fprintf(w, `<text x="12" y="36" fill="#666666">%s</text>`+"\n", html.EscapeString(r.Machine.String()))
	if _, err := w.Write(body.Bytes()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#222222"/>`+"\n</svg>\n", labels+unitBar, head, labels+unitBar, y)
	return err
}
