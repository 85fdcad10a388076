package text

import (
	"strconv"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// comparison writes what a change broke.
func (t *Text) comparison(c *event.Comparison) {
	t.Line("")
	t.Rule(t.mark("break/title", "n", strconv.Itoa(c.Conn)))
	t.Paragraph("", "  ", t.sentence(c.Change), Plain)
	if len(c.Copied) > 0 {
		var list []event.Text
		for _, n := range c.Copied {
			list = append(list, event.Plain(strconv.Itoa(n)))
		}
		t.Paragraph("", "  ", t.mark("break/copied", "conns", words.List(",", list...)), Dim)
	}
	t.brokenProofs(c)
	t.brokenSteps(c)
	t.brokenChecks(c)
	if len(c.Proofs)+len(c.Steps)+len(c.Checks) == 0 {
		t.heading(words.Piece("break/no-change"))
	}
	if len(c.Notices) > 0 {
		t.heading(words.Piece("break/notices"))
		for _, n := range c.Notices {
			who := words.Named("end", n.By)
			what := words.Piece("break/no-alert", "who", who, "says", words.Whole(n.Says))
			if n.Alert != "" {
				what = words.Piece("break/alert", "who", who, "alert", n.Alert, "says", words.Whole(n.Says))
			}
			t.Paragraph("", "    ", t.in(what)+refs(n.Says.Refs), Yellow)
		}
	}
	if len(c.Says) > 0 {
		t.Line("")
	}
	for _, s := range c.Says {
		t.Paragraph("", "  ", t.sentence(s), Plain)
	}
	t.Line("")
}

func (t *Text) heading(text event.Text) {
	t.Line("")
	t.Paragraph("", "  ", t.in(text), Bold)
}

// became is what something was and is now.
func became(family, was, is string) event.Text {
	named := func(id string) event.Text {
		if id == "" {
			return words.Piece("break/not-told")
		}
		return words.Named(family, id)
	}
	return words.Piece("break/from-to", "was", named(was), "is", named(is))
}

// ofConn says of which connection something is, where it is not the one that was changed.
func ofConn(c *event.Comparison, conn int, what event.Text) event.Text {
	if conn == c.Conn {
		return what
	}
	return words.Piece("break/of-conn", "n", strconv.Itoa(conn), "what", what)
}

func (t *Text) brokenProofs(c *event.Comparison) {
	for i, p := range c.Proofs {
		if i == 0 {
			t.heading(words.Piece("break/proofs"))
		}
		var steps []event.Text
		for _, s := range p.Steps {
			steps = append(steps, event.Plain(string(s)))
		}
		on := words.List(",", steps...)
		if len(steps) == 0 {
			on = event.Plain("-")
		}
		what := words.Piece("break/proof", "step", on, "id", p.ID, "change", became("state", string(p.Was), string(p.Is)))
		if !p.Reason.Empty() {
			what = words.Piece("break/proof-reason", "step", on, "id", p.ID, "change", became("state", string(p.Was), string(p.Is)), "reason", p.Reason)
		}
		style := Plain
		if p.Is == event.Refuted {
			style = alarm
		}
		t.Paragraph("", "    ", t.in(ofConn(c, p.Conn, what)), style)
	}
}

func (t *Text) brokenSteps(c *event.Comparison) {
	for i, s := range c.Steps {
		if i == 0 {
			t.heading(words.Piece("break/steps"))
		}
		what := words.Piece("break/step", "step", string(s.Step), "change", became("verdict", string(s.Was), string(s.Is)))
		t.Paragraph("", "    ", t.in(ofConn(c, s.Conn, what)), Plain)
	}
}

func (t *Text) brokenChecks(c *event.Comparison) {
	gone := 0
	for i, k := range c.Checks {
		if i == 0 {
			t.heading(words.Piece("break/checks"))
		}
		if k.Is == "" {
			gone++
			continue
		}
		what := words.Piece("break/check", "check", words.Named("check-of", k.ID), "change", became("outcome", k.Was, k.Is))
		if k.Says.ID != "" {
			what = words.Piece("break/check-says", "check", words.Named("check-of", k.ID), "change", became("outcome", k.Was, k.Is), "says", words.Whole(k.Says))
		}
		t.Paragraph("", "    ", t.in(ofConn(c, k.Conn, what)), Plain)
	}
	if gone > 0 {
		t.Paragraph("", "    ", t.mark("break/checks-gone", "n", strconv.Itoa(gone)), Plain)
	}
}
