package text

import (
	"encoding/hex"
	"fmt"
	"strings"

	"explainer/annotate/event"
)

// maxPartRows is how many rows of bytes are written of one field.
const maxPartRows = 8

// bytes writes the bytes of a message, field by field.
func (t *Text) bytes(e *event.Event) {
	raw, err := hex.DecodeString(e.Raw)
	if err != nil || len(raw) == 0 {
		return
	}
	t.Paragraph("", "        ", fmt.Sprintf("the %d bytes of this message, field by field:", len(raw)), Dim)
	row := 16
	if t.Width > 0 && t.Width < 100 {
		row = 8
	}
	write := func(at, n int, name string) {
		for i := 0; i < n; i += row {
			if i == maxPartRows*row && n-i > row {
				t.Line(fmt.Sprintf("          ....  %d more bytes", n-i))
				return
			}
			b := raw[at+i : at+min(i+row, n)]
			t.Line(strings.TrimRight(fmt.Sprintf("          %04x  %-*s  %s", at+i, 3*row-1, fmt.Sprintf("% x", b), name), " "))
			name = ""
		}
	}
	pos := 0
	var ends []int // of the parts that hold the one at hand
	for i, p := range e.Layout {
		end := p.At + p.Len
		if p.At < pos || p.Len < 0 || end > len(raw) {
			continue
		}
		for len(ends) > 0 && ends[len(ends)-1] <= p.At && !(p.Len == 0 && ends[len(ends)-1] == p.At) {
			ends = ends[:len(ends)-1]
		}
		if p.At > pos {
			write(pos, p.At-pos, "")
			pos = p.At
		}
		name := strings.Repeat("  ", len(ends)) + Clean(p.Name)
		if p.Is != "" {
			name += ": " + Clean(p.Is)
		}
		if i+1 < len(e.Layout) && p.Len > 0 && e.Layout[i+1].At == p.At && e.Layout[i+1].At+e.Layout[i+1].Len <= end {
			t.Line(fmt.Sprintf("          %04x  %-*s  %s", p.At, 3*row-1, "", name+":"))
			ends = append(ends, end)
			continue
		}
		if p.Len == 0 {
			t.Line(fmt.Sprintf("          %04x  %-*s  %s", p.At, 3*row-1, "", name+" (empty)"))
		}
		write(p.At, p.Len, name)
		pos = end
	}
	if pos < len(raw) {
		write(pos, len(raw)-pos, "")
	}
}
