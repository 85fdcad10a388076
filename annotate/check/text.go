package check

import (
	"fmt"
	"slices"
	"strings"

	"explainer/annotate/text"
	"explainer/annotate/words"
	"explainer/ca"
)

// Text writes the report of a check: what it came to, what leaked, what could not be told; with all, every case.
func (r *Report) Text(t *text.Text, all bool) error {
	t.Rule("Check of " + text.Clean(r.Client))
	if len(r.Command) > 0 {
		t.Paragraph("", "  ", "Command: "+text.Clean(strings.Join(r.Command, " ")), text.Plain)
	}
	trust := "the client was told to trust the CA that signs the cases"
	if r.Trust == "none" {
		trust = "the client was not told to trust the CA that signs the cases"
	}
	tries := "1 try"
	if r.Tries != 1 {
		tries = fmt.Sprintf("%d tries", r.Tries)
	}
	t.Paragraph("", "  ", fmt.Sprintf("%s, %s each; %s.", strings.Join(r.TLS, " and "), tries, trust), text.Plain)
	switch {
	case len(r.Hosts) == 1:
		t.Paragraph("", "  ", "Asked for: "+text.Clean(r.Hosts[0])+".", text.Plain)
	case len(r.Hosts) > 1:
		t.Paragraph("", "  ", "Asked for: "+text.Clean(strings.Join(r.Hosts, ", "))+". Of several connections that met a case, the worst is told.", text.Plain)
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
		t.Paragraph("  ", "", fmt.Sprintf("%s in all: --all tells each, with what it is about.", words.Plural(len(r.Cases), "case")), text.Dim)
	}
	return t.Flush()
}

// diagnosis tells the grade, and what the client checks and what not.
func diagnosis(t *text.Text, r *Report) {
	for i, s := range r.Says {
		lead := "     "
		if i == 0 {
			lead = "  " + gradeWord(t, r.Grade) + "  "
		}
		t.Paragraph(lead, "", text.Clean(s.Text), text.Plain)
	}
	for _, line := range []struct {
		state State
		title string
		s     text.Style
	}{{ChecksNot, "Does not check: ", text.Red}, {InPart, "Checks in part: ", text.Yellow}, {Checks, "Checks: ", text.Plain}} {
		var list []string
		for _, f := range r.Finds {
			if f.State != line.state {
				continue
			}
			words := f.Words
			if f.State == InPart {
				words += " (accepted " + strings.Join(f.Leaked, ", ") + ")"
			}
			list = append(list, words)
		}
		if len(list) > 0 {
			t.Paragraph("     "+line.title, "", strings.Join(list, "; ")+".", line.s)
		}
	}
}

// checkTable is every case with what became of it, in each version.
func checkTable(t *text.Text, r *Report) {
	width := 0
	for _, c := range r.Cases {
		width = max(width, len(c.ID))
	}
	row := func(id, severity string, cells []string, s []text.Style) {
		line := fmt.Sprintf("  %-*s  %-8s", width, id, severity)
		for i, cell := range cells {
			line += "  " + t.Paint(s[i], fmt.Sprintf("%-20s", cell))
		}
		t.Line(strings.TrimRight(line, " "))
	}
	heads := make([]text.Style, len(r.TLS))
	for i := range heads {
		heads[i] = text.Bold
	}
	row("case", "severity", r.TLS, heads)
	for _, c := range r.Cases {
		var cells []string
		var styles []text.Style
		for _, o := range c.Outcomes {
			tells, s := o.cell(c.Severity)
			cells, styles = append(cells, tells), append(styles, s)
		}
		row(c.ID, string(c.Severity), cells, styles)
	}
}

// checkLeak tells a fault that leaked, or a control that was not accepted, in a
// few lines: what is wrong, what the client did, and what was read that was not told before.
func checkLeak(t *text.Text, c *Case, said map[string]bool) {
	t.Line("")
	t.Paragraph("  "+t.Paint(text.Bold, c.ID)+" ("+string(c.Severity)+"): ", "", text.Clean(c.Wrong), text.Plain)
	told := ""
	for _, o := range c.Outcomes {
		if o.Absent || c.Severity == ca.Control && o.Verdict == Accepted || c.Severity != ca.Control && o.Verdict != Leaked {
			continue
		}
		tells, s := o.words(c.Severity)
		if tells == told {
			continue
		}
		told = tells
		t.Paragraph("    "+o.where()+": ", "", tells, s)
		if c.Severity == ca.Control {
			continue
		}
		for _, read := range o.Read {
			if words := text.Clean(read.words()); !said[words] {
				said[words] = true
				t.Paragraph("    an attacker reads: ", "", words, text.Plain)
			}
		}
	}
}

// checkFixes tells how to mend what leaked, each advice once.
func checkFixes(t *text.Text, r *Report) {
	var texts []string
	cases := map[string][]string{}
	for _, c := range r.Cases {
		if c.Fix == nil || !c.leaked() {
			continue
		}
		if cases[c.Fix.Text] == nil {
			texts = append(texts, c.Fix.Text)
		}
		cases[c.Fix.Text] = append(cases[c.Fix.Text], c.ID)
	}
	for _, tells := range texts {
		list := cases[tells]
		of := strings.Join(list[:min(3, len(list))], ", ")
		if n := len(list) - 3; n > 0 {
			of += fmt.Sprintf(" and %d more", n)
		}
		t.Line("")
		t.Paragraph("  how to mend "+of+": ", "", text.Clean(tells), text.Plain)
	}
}

func gradeWord(t *text.Text, grade string) string {
	s := text.Green
	switch grade {
	case "B", "C", "-":
		s = text.Yellow
	case "D", "F":
		s = text.Red
	}
	return t.Paint(s, grade)
}

// cell is an outcome in a table.
func (o *Outcome) cell(severity ca.Severity) (string, text.Style) {
	control := severity == ca.Control
	alert := ""
	if o.Alert != nil {
		alert = fmt.Sprintf(" %d", o.Alert.Number)
		if o.Alert.Number < 0 {
			alert = " (sealed)"
		}
	}
	switch {
	case o.Absent:
		return "-", text.Dim
	case control && o.Verdict == Accepted:
		return "accepted", text.Green
	case o.Verdict == Accepted:
		return "accepted", text.Yellow
	case o.Verdict == Leaked:
		return "LEAKED", text.Red
	case o.Verdict == NotApplicable:
		return "not applicable", text.Dim
	case o.Verdict == Refused || o.Verdict == RefusedLate:
		s := text.Green
		if control {
			s = text.Yellow
		}
		return string(o.Verdict) + alert, s
	case o.Verdict == NotTested:
		return string(o.Verdict), text.Yellow
	}
	return string(o.Verdict), text.Plain
}

// checkCase tells one case.
func checkCase(t *text.Text, c *Case) {
	t.Line("")
	t.Line(t.Paint(text.Bold, c.ID) + " (" + string(c.Severity) + ")")
	t.Paragraph("  ", "", text.Clean(c.Wrong), text.Plain)
	t.Paragraph("  check: ", "", fmt.Sprintf("%s (step %s: %s)", text.Clean(strings.TrimSuffix(c.Check, ".")), c.Step, c.StepTitle), text.Plain)
	var outcomes []Outcome
	for _, o := range c.Outcomes {
		if !o.Absent {
			outcomes = append(outcomes, o)
		}
	}
	for _, o := range outcomes {
		tells, s := o.words(c.Severity)
		t.Paragraph("  "+o.where()+": ", "", tells, s)
		if c.Severity == ca.Control {
			continue
		}
		reads := "    an attacker reads: "
		if o.Verdict != Leaked {
			reads = "    it sent: "
		}
		for _, r := range o.Read {
			t.Paragraph(reads, "", text.Clean(r.words()), text.Plain)
		}
	}
	if c.Severity == ca.Control {
		return
	}
	if len(c.Suggested) > 0 && slices.ContainsFunc(outcomes, func(o Outcome) bool { return o.Verdict != NotTested }) {
		t.Paragraph("  alert that fits, by the RFCs: ", "", strings.Join(c.Suggested, " or "), text.Plain)
	}
	t.Paragraph("  why it matters: ", "", text.Clean(c.Incident), text.Plain)
	if c.Fix != nil {
		t.Paragraph("  how to mend it: ", "", text.Clean(c.Fix.Text), text.Plain)
	}
}

// where names the version, and the connections that an outcome is told of.
func (o *Outcome) where() string {
	where := o.TLS
	if o.Offered != "" {
		where = o.Offered // of the cases of old versions another one
	}
	switch {
	case len(o.Conns) > 0 && o.Runs > 1:
		where += fmt.Sprintf(" (connection %d, the worst of %d runs)", o.Conns[0], o.Runs)
	case len(o.Conns) > 0:
		where += fmt.Sprintf(" (connection %d)", o.Conns[0])
	}
	return where
}

// words tells an outcome, and what the command said itself.
func (o *Outcome) words(severity ca.Severity) (string, text.Style) {
	var says []string
	for _, s := range o.Says {
		says = append(says, text.Clean(s.Text))
	}
	tells := strings.Join(says, " ")
	went := o.Verdict == Leaked || o.Verdict == Accepted
	if o.Said != "" && !went {
		tells += " It said: " + text.Clean(o.Said)
	} else if o.Said == "" && o.Verdict == NotTested && o.Exit != 0 && !o.Killed {
		tells += fmt.Sprintf(" It ended with exit code %d.", o.Exit)
	}
	_, s := o.cell(severity)
	if s == text.Green || s == text.Dim {
		s = text.Plain
	}
	return tells, s
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
func (r *Read) words() string {
	if r.Method == "" {
		return "what is no HTTP: " + r.Other
	}
	tells := r.Method + " " + r.Target
	if r.Host != "" {
		tells += ", Host: " + r.Host
	}
	for _, f := range r.Headers {
		tells += ", " + f.Name + ": " + f.Value.English
	}
	if r.Body > 0 {
		tells += fmt.Sprintf(", and a body of %s", words.Plural(int(r.Body), "byte"))
		if r.Text != "" {
			tells += ": " + r.Text
		}
	}
	return tells
}
