package check

import (
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/text"
	"explainer/annotate/words"
	"explainer/ca"
)

// Text writes the report of a check: what it came to, what leaked, what could not be told; with all, every case.
func (r *Report) Text(t *text.Text, all bool) error {
	t.Rule(t.In(words.Piece("check/of", "client", r.Client)))
	for _, how := range r.how() {
		t.Paragraph("", "  ", t.In(how), text.Plain)
	}
	t.Line("")
	diagnosis(t, r)
	if all {
		t.Line("")
		checkTable(t, r)
	}
	said := map[string]bool{}
	for i := range r.Cases {
		c := &r.Cases[i]
		switch {
		case all && (c.Severity != ca.Control || c.ID == "good" || c.open()):
			checkCase(t, c)
		case all:
		case c.Severity == ca.Control && c.open(), c.Severity != ca.Control && c.leaked():
			checkLeak(t, c, said)
		}
	}
	if !all {
		checkFixes(t, r)
		t.Line("")
		t.Paragraph("  ", "", t.In(words.Piece("check/in-all", "count", words.Count(len(r.Cases), "case"))), text.Dim)
	}
	return t.Flush()
}

// how says how it was tested.
func (r *Report) how() (out []event.Text) {
	if len(r.Command) > 0 {
		out = append(out, words.Piece("check/command", "command", strings.Join(r.Command, " ")))
	}
	trust := words.Piece("check/trust-root")
	if r.Trust == "none" {
		trust = words.Piece("check/trust-none")
	}
	tries := words.Piece("check/one-try")
	if r.Tries != 1 {
		tries = words.Piece("check/tries", "n", strconv.Itoa(r.Tries))
	}
	out = append(out, words.Piece("check/how", "tls", words.List("and", words.Names(r.TLS)...), "tries", tries, "trust", trust))
	switch {
	case len(r.Hosts) == 1:
		out = append(out, words.Piece("check/host", "host", r.Hosts[0]))
	case len(r.Hosts) > 1:
		out = append(out, words.Piece("check/hosts", "hosts", words.List(",", words.Names(r.Hosts)...)))
	}
	return out
}

// diagnosis tells the grade, and what the client checks and what not.
func diagnosis(t *text.Text, r *Report) {
	for i, s := range r.Says {
		lead := "     "
		if i == 0 {
			lead = "  " + gradeWord(t, r.Grade) + "  "
		}
		t.Paragraph(lead, "", t.In(words.Whole(s)), text.Plain)
	}
	for _, line := range r.found() {
		t.Paragraph("     "+t.In(line.title), "", t.In(words.Piece("check/list", "list", words.List(";", line.list...))), line.style)
	}
}

// A foundLine is what the client does about the checks that it treats alike.
type foundLine struct {
	title event.Text
	list  []event.Text
	style text.Style
}

// found says what the client checks and what not, the worst first.
func (r *Report) found() (out []foundLine) {
	for _, line := range []struct {
		state State
		title event.Text
		s     text.Style
	}{
		{ChecksNot, words.Piece("check/checks-not"), text.Red}, {InPart, words.Piece("check/checks-in-part"), text.Yellow},
		{Checks, words.Piece("check/checks"), text.Plain},
	} {
		var list []event.Text
		for _, f := range r.Finds {
			if f.State != line.state {
				continue
			}
			what := aboutText(f.About)
			if f.State == InPart {
				what = words.Piece("check/accepted-of", "what", what, "cases", words.List(",", words.Names(f.Leaked)...))
			}
			list = append(list, what)
		}
		if len(list) > 0 {
			out = append(out, foundLine{line.title, list, line.s})
		}
	}
	return out
}

// checkTable is every case with what became of it, in each version.
func checkTable(t *text.Text, r *Report) {
	width := 0
	for _, c := range r.Cases {
		width = max(width, len(c.ID))
	}
	row := func(id, level string, cells []string, s []text.Style) {
		line := "  " + text.Pad(id, width) + "  " + text.Pad(level, 8)
		for i, cell := range cells {
			line += "  " + t.Paint(s[i], text.Pad(cell, 20))
		}
		t.Line(strings.TrimRight(line, " "))
	}
	heads := make([]text.Style, len(r.TLS))
	for i := range heads {
		heads[i] = text.Bold
	}
	row(t.In(words.Piece("check/column-case")), t.In(words.Piece("check/column-severity")), r.TLS, heads)
	for _, c := range r.Cases {
		var cells []string
		var styles []text.Style
		for _, o := range c.Outcomes {
			tells, s := o.cell(c.Severity)
			cells, styles = append(cells, t.In(tells)), append(styles, s)
		}
		row(c.ID, t.In(level(c.Severity)), cells, styles)
	}
}

// level is a severity in one word.
func level(s ca.Severity) event.Text { return words.Piece("level/" + string(s)) }

// checkLeak tells a fault that leaked, or a control that was not accepted, in a
// few lines: what is wrong, what the client did, and what was read that was not told before.
func checkLeak(t *text.Text, c *Case, said map[string]bool) {
	t.Line("")
	t.Paragraph("  "+t.Lang.In(words.Piece("check/case-lead", "case", t.Paint(text.Bold, c.ID), "level", level(c.Severity))), "", t.In(wrong(c)), text.Plain)
	told := ""
	for _, o := range c.Outcomes {
		if o.Absent || c.Severity == ca.Control && o.Verdict == Accepted || c.Severity != ca.Control && o.Verdict != Leaked {
			continue
		}
		tells, s := o.words(c.Severity)
		if tells.English == told {
			continue
		}
		told = tells.English
		t.Paragraph("    "+lead(t, o.where()), "", t.In(tells), s)
		if c.Severity == ca.Control {
			continue
		}
		for _, read := range o.Read {
			if tells := read.words(); !said[tells.English] {
				said[tells.English] = true
				t.Paragraph("    "+lead(t, words.Piece("check/attacker-reads")), "", t.In(tells), text.Plain)
			}
		}
	}
}

// lead is what a paragraph is about, before it.
func lead(t *text.Text, what event.Text) string { return t.In(words.Piece("check/lead", "what", what)) }

// wrong says what is wrong in a case.
func wrong(c *Case) event.Text {
	return words.Piece("check/sentence", "text", words.FaultText("wrong", c.ID, c.Wrong))
}

// checkFixes tells how to mend what leaked, each advice once.
func checkFixes(t *text.Text, r *Report) {
	var fixes []*event.Sentence
	cases := map[string][]string{}
	for _, c := range r.Cases {
		if c.Fix == nil || !c.leaked() {
			continue
		}
		if cases[c.Fix.Text] == nil {
			fixes = append(fixes, c.Fix)
		}
		cases[c.Fix.Text] = append(cases[c.Fix.Text], c.ID)
	}
	for _, fix := range fixes {
		list := cases[fix.Text]
		of := words.List(",", words.Names(list[:min(3, len(list))])...)
		if n := len(list) - 3; n > 0 {
			of = words.Piece("check/and-more", "cases", of, "n", strconv.Itoa(n))
		}
		t.Line("")
		t.Paragraph("  "+lead(t, words.Piece("check/how-to-mend", "cases", of)), "", t.In(words.Whole(*fix)), text.Plain)
	}
}

func gradeWord(t *text.Text, grade string) string { return t.Paint(gradeStyle(grade), grade) }

func gradeStyle(grade string) text.Style {
	switch grade {
	case "B", "C", "-":
		return text.Yellow
	case "D", "F":
		return text.Red
	}
	return text.Green
}

// cell is an outcome in a table.
func (o *Outcome) cell(severity ca.Severity) (event.Text, text.Style) {
	if o.Absent {
		return event.Plain("-"), text.Dim
	}
	control := severity == ca.Control
	verdict := words.Piece("cell/" + string(o.Verdict))
	switch {
	case control && o.Verdict == Accepted:
		return verdict, text.Green
	case o.Verdict == Leaked:
		return verdict, text.Red
	case o.Verdict == NotApplicable:
		return verdict, text.Dim
	case o.Verdict == Refused || o.Verdict == RefusedLate:
		s := text.Green
		if control {
			s = text.Yellow
		}
		switch {
		case o.Alert == nil:
		case o.Alert.Number < 0:
			verdict = words.Piece("cell/alert-sealed", "verdict", verdict)
		default:
			verdict = words.Piece("cell/alert", "verdict", verdict, "number", strconv.Itoa(o.Alert.Number))
		}
		return verdict, s
	case o.Verdict == NotTested || o.Verdict == Accepted:
		return verdict, text.Yellow
	}
	return verdict, text.Plain
}

// checkCase tells one case.
func checkCase(t *text.Text, c *Case) {
	t.Line("")
	t.Line(t.Lang.In(words.Piece("check/case", "case", t.Paint(text.Bold, c.ID), "level", level(c.Severity))))
	t.Paragraph("  ", "", t.In(wrong(c)), text.Plain)
	t.Paragraph("  "+lead(t, words.Piece("check/check")), "", t.In(words.Piece("check/at-step", "check", words.FaultText("check", c.ID, c.Check), "step", string(c.Step), "title", words.StepTitle(c.Step))), text.Plain)
	var outcomes []Outcome
	for _, o := range c.Outcomes {
		if !o.Absent {
			outcomes = append(outcomes, o)
		}
	}
	for _, o := range outcomes {
		tells, s := o.words(c.Severity)
		t.Paragraph("  "+lead(t, o.where()), "", t.In(tells), s)
		if c.Severity == ca.Control {
			continue
		}
		reads := words.Piece("check/attacker-reads")
		if o.Verdict != Leaked {
			reads = words.Piece("check/it-sent")
		}
		for _, r := range o.Read {
			t.Paragraph("    "+lead(t, reads), "", t.In(r.words()), text.Plain)
		}
	}
	if c.Severity == ca.Control {
		return
	}
	if len(c.Suggested) > 0 && slices.ContainsFunc(outcomes, func(o Outcome) bool { return o.Verdict != NotTested }) {
		t.Paragraph("  "+lead(t, words.Piece("check/alert-fits")), "", t.In(words.List("or", words.Names(c.Suggested)...)), text.Plain)
	}
	t.Paragraph("  "+lead(t, words.Piece("check/why")), "", t.In(words.FaultText("incident", c.ID, c.Incident)), text.Plain)
	if c.Fix != nil {
		t.Paragraph("  "+lead(t, words.Piece("check/how-to-mend-it")), "", t.In(words.Whole(*c.Fix)), text.Plain)
	}
}

// where names the version, and the connections that an outcome is told of.
func (o *Outcome) where() event.Text {
	tls := o.TLS
	if o.Offered != "" {
		tls = o.Offered // of the cases of old versions another one
	}
	switch {
	case len(o.Conns) > 0 && o.Runs > 1:
		return words.Piece("check/worst-connection", "tls", tls, "n", strconv.Itoa(o.Conns[0]), "runs", strconv.Itoa(o.Runs))
	case len(o.Conns) > 0:
		return words.Piece("check/connection", "tls", tls, "n", strconv.Itoa(o.Conns[0]))
	}
	return event.Plain(tls)
}

// words tells an outcome, and what the command said itself.
func (o *Outcome) words(severity ca.Severity) (event.Text, text.Style) {
	var says []event.Text
	for _, s := range o.Says {
		says = append(says, words.Whole(s))
	}
	went := o.Verdict == Leaked || o.Verdict == Accepted
	if o.Said != "" && !went {
		says = append(says, words.Piece("check/it-said", "words", o.Said))
	} else if o.Said == "" && o.Verdict == NotTested && o.Exit != 0 && !o.Killed {
		says = append(says, words.Piece("check/it-exited", "code", strconv.Itoa(o.Exit)))
	}
	_, s := o.cell(severity)
	if s == text.Green || s == text.Dim {
		s = text.Plain
	}
	return words.List("", says...), s
}

// accepted reports whether the client went on in any version, and leaked whether an attacker could make use of it.
func (c *Case) accepted() bool { return c.any(Leaked, Accepted) }
func (c *Case) leaked() bool   { return c.any(Leaked) }

// refused reports whether it stopped in any version.
func (c *Case) refused() bool { return c.any(Refused, RefusedLate, FalseStart) }

// open reports whether a control leaves something open: that it was not accepted, where it could be shown.
func (c *Case) open() bool { return c.any(Refused, RefusedLate, FalseStart, NotTested, Blocked) }

func (c *Case) any(verdicts ...Verdict) bool {
	return slices.ContainsFunc(c.Outcomes, func(o Outcome) bool { return !o.Absent && slices.Contains(verdicts, o.Verdict) })
}

// words tells what was read.
func (r *Read) words() event.Text {
	if r.Method == "" {
		return words.Piece("read/no-http", "bytes", r.Other)
	}
	tells := []event.Text{event.Plain(r.Method + " " + r.Target)}
	if r.Host != "" {
		tells = append(tells, event.Plain("Host: "+r.Host))
	}
	for _, f := range r.Headers {
		tells = append(tells, words.Piece("read/header", "name", f.Name, "value", f.Value))
	}
	if r.Body > 0 {
		body := words.Piece("read/body", "count", words.Count(int(r.Body), "byte"))
		if r.Text != "" {
			body = words.Piece("read/body-text", "body", body, "text", r.Text)
		}
		tells = append(tells, body)
	}
	return words.List(",", tells...)
}
