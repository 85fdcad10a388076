package annotate

import (
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"

	"github.com/mattn/go-runewidth"
)

// secrets draws the key schedule of a connection as a tree: what is made of a
// value stands below it.
func (t *Text) secrets(l event.Leg) {
	t.line("")
	t.paragraph("", "  ", legName(l.Leg)+"key schedule of this connection, with its real values: whoever has them reads everything in it", bold)
	s := l.Secrets
	if s.Schedule != "" {
		t.paragraph("", "    ", clean(s.Schedule), plain)
	}
	if s.Note != "" {
		t.paragraph("", "    ", clean(s.Note), plain)
	}
	for _, n := range s.Tree {
		t.secret(n, "    ")
	}
}

func (t *Text) secret(s event.Secret, indent string) {
	head := clean(s.Name)
	if s.How != "" {
		head += " = " + clean(s.How)
	}
	mark := "[" + words.OfID(string(s.From))
	if s.Label != "" {
		mark += ": " + clean(s.Label)
	}
	mark += "]"
	if s.State != "" {
		mark += " [" + words.OfID(string(s.State)) + "]"
	}
	style := plain
	switch {
	case s.State == event.Refuted:
		style = alarm
	case s.From == event.FromNobody || s.From == event.FromNothing:
		style = dim
	}
	t.paragraph("", indent, head+" "+mark, style)
	if s.Value != "" {
		t.paragraph("", indent+"    ", t.breakHex(s.Value, indent+"    "), cyan)
	}
	if s.Note != "" {
		t.paragraph("", indent+"    ", "("+clean(s.Note)+")", dim)
	}
	for _, n := range s.Made {
		t.secret(n, indent+"  ")
	}
}

// breakHex gives a long value places where a line can end, every 16 bytes.
func (t *Text) breakHex(value, indent string) string {
	if t.Width <= 0 || len(value) <= t.Width-runewidth.StringWidth(indent) {
		return value
	}
	var b strings.Builder
	for i := 0; i < len(value); i += 32 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(value[i:min(i+32, len(value))])
	}
	return b.String()
}
