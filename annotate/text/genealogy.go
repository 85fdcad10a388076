package text

import (
	"fmt"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// genealogy writes which connections take up which, each below the one that it takes up.
func (t *Text) genealogy(e *event.Event) {
	t.Line("")
	t.Rule("Genealogy")
	for _, s := range e.Says {
		t.Paragraph("", "  ", Clean(s.Text), Plain)
	}
	for _, k := range e.Genealogy {
		// A line of resumptions can be longer than any terminal is wide.
		indent := strings.Repeat("  ", 2+min(k.Depth, 12))
		t.Paragraph("", indent, t.kinWords(k), Plain)
	}
	t.Line("")
}

// kinWords is a connection of the genealogy in a line.
func (t *Text) kinWords(k event.Kin) string {
	text := fmt.Sprintf("connection %d", k.Conn)
	if k.Depth == 0 && k.Host != "" {
		text += ", " + Clean(k.Host)
	}
	if k.How == "" {
		return text
	}
	name := map[string]string{"session-id": "its session id", "ticket": "its ticket", "psk": "a secret named by its ticket"}[k.How]
	unknown := map[string]string{"session-id": "a session id", "ticket": "a ticket", "psk": "a secret named by a ticket"}[k.How]
	switch {
	case k.State == "ambiguous":
		text += " with " + unknown + " that several connections had"
	case k.State == "sealed":
		text += " with " + unknown + " that may have passed encrypted"
	case k.Parent == 0:
		text += " with " + unknown + " that nobody was seen to be given in this capture"
	case !k.Later.Empty():
		text += ", " + t.in(k.Later) + " later, with " + name
	default:
		text += " with " + name
	}
	if k.Depth > 12 || k.Depth == 0 && k.Parent != 0 {
		text += fmt.Sprintf(", of connection %d", k.Parent)
	}
	if k.Proven {
		text += " [proven: " + words.OfID(words.ProofResumed) + "]"
	}
	return text
}
