package page

import (
	"io"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// A Matrix is what a client did with many faults, one by one.
type Matrix struct {
	Title  event.Text
	How    []event.Text // it was tested
	Grade  string
	State  MatrixState
	Says   []event.Text
	Finds  []MatrixLine
	Levels []MatrixLevel
}

// A MatrixLevel is the faults of one severity.
type MatrixLevel struct {
	ID     string
	Name   event.Text
	Faults []MatrixFault
}

// A MatrixFault is one of them; its state is that of its worst outcome.
type MatrixFault struct {
	ID       string
	State    MatrixState
	Lines    []MatrixLine // what it means
	Outcomes []MatrixOutcome
}

// A MatrixOutcome is what the client did with a fault in one version of TLS.
type MatrixOutcome struct {
	TLS   string
	State MatrixState
	Cell  event.Text   // in a word or two
	Where event.Text   // the version and the connection
	Lines []MatrixLine // what it did, and what was read
}

// A MatrixLine is a sentence and what it is about.
type MatrixLine struct {
	Lead, Text event.Text
	State      MatrixState
}

// A MatrixState colours what is told.
type MatrixState string

const (
	MatrixBad  MatrixState = "bad"  // it leaked
	MatrixOpen MatrixState = "open" // it is not known, or not as it should be
	MatrixGood MatrixState = "good"
	MatrixNone MatrixState = "none" // it could not be
)

// File renders it as one file that opens without a network.
func (m *Matrix) File(w io.Writer, l words.Language) error {
	p := (&pageOf{View: View{Lang: l}, Title: l.In(m.Title), Matrix: m}).static()
	return templates()[l].ExecuteTemplate(w, "matrix", p)
}
