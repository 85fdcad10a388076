package check

import (
	"io"
	"slices"

	"explainer/annotate/event"
	"explainer/annotate/page"
	"explainer/annotate/text"
	"explainer/annotate/words"
	"explainer/ca"
)

// levels are the severities as a page has them, the worst first.
var levels = []ca.Severity{ca.Critical, ca.High, ca.Medium, ca.Low, ca.Control}

// HTML writes the report as one page that opens without a network: every case as a tile.
func (r *Report) HTML(w io.Writer, l words.Language) error {
	m := page.Matrix{Title: words.Piece("check/of", "client", r.Client), How: r.how(), Grade: r.Grade, State: stateOf(gradeStyle(r.Grade))}
	for _, s := range r.Says {
		m.Says = append(m.Says, words.Whole(s))
	}
	for _, line := range r.found() {
		m.Finds = append(m.Finds, page.MatrixLine{Lead: line.title, Text: words.Piece("check/list", "list", words.List(";", line.list...)), State: stateOf(line.style)})
	}
	for _, severity := range levels {
		of := page.MatrixLevel{ID: string(severity), Name: level(severity)}
		for i := range r.Cases {
			if c := &r.Cases[i]; c.Severity == severity {
				of.Faults = append(of.Faults, c.tile())
			}
		}
		if len(of.Faults) > 0 {
			m.Levels = append(m.Levels, of)
		}
	}
	return m.File(w, l)
}

// tile is a case on the page.
func (c *Case) tile() page.MatrixFault {
	f := page.MatrixFault{ID: c.ID, State: page.MatrixNone, Lines: []page.MatrixLine{
		{Text: wrong(c)},
		{Lead: leading(words.Piece("check/check")), Text: words.Piece("check/at-step", "check", words.FaultText("check", c.ID, c.Check), "step", string(c.Step), "title", words.StepTitle(c.Step))},
	}}
	if c.Severity != ca.Control {
		f.Lines = append(f.Lines, page.MatrixLine{Lead: leading(words.Piece("check/why")), Text: words.FaultText("incident", c.ID, c.Incident)})
	}
	if len(c.Suggested) > 0 {
		f.Lines = append(f.Lines, page.MatrixLine{Lead: leading(words.Piece("check/alert-fits")), Text: words.List("or", words.Names(c.Suggested)...)})
	}
	if c.Fix != nil {
		f.Lines = append(f.Lines, page.MatrixLine{Lead: leading(words.Piece("check/how-to-mend-it")), Text: words.Whole(*c.Fix)})
	}
	for i := range c.Outcomes {
		o := &c.Outcomes[i]
		cell, style := o.cell(c.Severity)
		out := page.MatrixOutcome{TLS: o.TLS, State: stateOf(style), Cell: cell, Where: o.where()}
		if !o.Absent {
			tells, _ := o.words(c.Severity)
			out.Lines = append(out.Lines, page.MatrixLine{Text: tells})
		}
		reads := leading(words.Piece("check/attacker-reads"))
		if o.Verdict != Leaked {
			reads = leading(words.Piece("check/it-sent"))
		}
		for j := range o.Read {
			if c.Severity != ca.Control {
				out.Lines = append(out.Lines, page.MatrixLine{Lead: reads, Text: o.Read[j].words()})
			}
		}
		if slices.Index(worse, out.State) > slices.Index(worse, f.State) {
			f.State = out.State
		}
		f.Outcomes = append(f.Outcomes, out)
	}
	return f
}

// worse has what colours a tile, the worst last.
var worse = []page.MatrixState{page.MatrixNone, page.MatrixGood, page.MatrixOpen, page.MatrixBad}

// leading is what a line is about, before it.
func leading(what event.Text) event.Text {
	return words.Piece("check/lead", "what", what)
}

// stateOf is what the terminal says by a colour.
func stateOf(s text.Style) page.MatrixState {
	switch s {
	case text.Red:
		return page.MatrixBad
	case text.Yellow:
		return page.MatrixOpen
	case text.Dim:
		return page.MatrixNone
	}
	return page.MatrixGood
}
