package text

import (
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// secrets draws the key schedule of a connection as a tree: what is made of a
// value stands below it.
func (t *Text) secrets(l event.Leg) {
	t.Line("")
	t.Paragraph("", "  ", t.in(ofLeg(l.Leg, words.Piece("head/secrets"))), Bold)
	s := l.Secrets
	if !s.Schedule.Empty() {
		t.Paragraph("", "    ", t.in(s.Schedule), Plain)
	}
	if !s.Note.Empty() {
		t.Paragraph("", "    ", t.in(s.Note), Plain)
	}
	for _, n := range s.Tree {
		t.secret(n, "    ")
	}
}

func (t *Text) secret(s event.Secret, indent string) {
	head := t.in(s.Name)
	if !s.How.Empty() {
		head += " = " + t.in(s.How)
	}
	mark := "[" + t.in(words.Named("from", string(s.From)))
	if s.Label != "" {
		mark += t.mark("sign/colon") + Clean(s.Label)
	}
	mark += "]"
	if s.State != "" {
		mark += " [" + t.in(words.Named("state", string(s.State))) + "]"
	}
	style := Plain
	switch {
	case s.State == event.Refuted:
		style = alarm
	case s.From == event.FromNobody || s.From == event.FromNothing:
		style = Dim
	}
	t.Paragraph("", indent, head+" "+mark, style)
	if s.Value != "" {
		t.Paragraph("", indent+"    ", t.breakHex(s.Value, indent+"    "), cyan)
	}
	if !s.Note.Empty() {
		t.Paragraph("", indent+"    ", t.in(words.Piece("label/secret-note", "note", s.Note)), Dim)
	}
	for _, n := range s.Made {
		t.secret(n, indent+"  ")
	}
}

// breakHex gives a long value places where a line can end, every 16 bytes.
func (t *Text) breakHex(value, indent string) string {
	if t.Width <= 0 || len(value) <= t.Width-columns.StringWidth(indent) {
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
