package text

import (
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// genealogy writes which connections take up which, each below the one that it takes up.
func (t *Text) genealogy(e *event.Event) {
	t.Line("")
	t.Rule(t.mark("head/genealogy"))
	for _, s := range e.Says {
		t.Paragraph("", "  ", t.says(s), Plain)
	}
	for _, k := range e.Genealogy {
		// A line of resumptions can be longer than any terminal is wide.
		indent := strings.Repeat("  ", 2+min(k.Depth, 12))
		t.Paragraph("", indent, t.kinMarks(k), Plain)
	}
	t.Line("")
}

// kinMarks is a connection of the genealogy in a line, with what was proved of it.
func (t *Text) kinMarks(k event.Kin) string {
	text := t.in(kinWords(k))
	if k.Proven {
		text += " " + t.mark("mark/proven", "what", words.Named("proof-of", words.ProofResumed))
	}
	return text
}

func kinWords(k event.Kin) event.Text {
	text := words.Piece("conn/one", "conn", strconv.Itoa(k.Conn))
	if k.Depth == 0 && k.Host != "" {
		text = words.Piece("kin/host", "connection", text, "host", k.Host)
	}
	if k.How == "" {
		return text
	}
	name, unknown := words.Piece("kin/its-"+k.How), words.Piece("kin/a-"+k.How)
	switch {
	case k.State == "ambiguous":
		text = words.Piece("kin/ambiguous", "connection", text, "what", unknown)
	case k.State == "sealed":
		text = words.Piece("kin/sealed", "connection", text, "what", unknown)
	case k.Parent == 0:
		text = words.Piece("kin/unseen", "connection", text, "what", unknown)
	case !k.Later.Empty():
		text = words.Piece("kin/later", "connection", text, "span", k.Later, "what", name)
	default:
		text = words.Piece("kin/with", "connection", text, "what", name)
	}
	if k.Depth > 12 || k.Depth == 0 && k.Parent != 0 {
		text = words.Piece("kin/of", "connection", text, "parent", strconv.Itoa(k.Parent))
	}
	return text
}
