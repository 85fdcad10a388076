// Package score tells what the grading of an intercepting proxy came to.
package score

import (
	"encoding/json"
	"io"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture/printable"
)

// An Outcome is what came out of a line of the report.
type Outcome string

const (
	Pass      Outcome = "pass"
	Fail      Outcome = "fail"
	NotTested Outcome = "not-tested"
)

// A Grade is that of Durumeric et al., The Security Impact of HTTPS Interception
// (NDSS 2017), as docs/grade.md makes it exact.
type Grade string

const (
	AStar Grade = "A*" // and offers origins no suite that the client does not offer
	A     Grade = "A"  // as secure as without the proxy
	B     Grade = "B"  // less than it could be, no known attack
	C     Grade = "C"  // open to a known attack
	F     Grade = "F"  // somebody on the path can read or change what passes
	None  Grade = "-"  // what decides could not be tested
)

// Good tells whether the users of the proxy lose nothing by it, in what was tested.
func (g Grade) Good() bool { return g == A || g == AStar }

// A Group is what lines have in common: the letter that their IDs begin with.
type Group string

const (
	Certificates Group = "V" // of origins
	Versions     Group = "P" // and suites, towards origins
	Given        Group = "M" // to the client
	Kept         Group = "K" // and the CA
)

// A Line is one line of the report.
type Line struct {
	ID      string // permanent
	Group   Group
	Outcome Outcome
	// Grade is the best that a proxy that fails like this can get; empty if the
	// line did not fail or its failure does not lower the grade.
	Grade   Grade
	Reasons []event.Text // sentences
	Tests   []Test
}

func (l *Line) title() event.Text  { return words.Piece("grade-line/" + l.ID) }
func (l *Line) group() event.Text  { return words.Piece("grade-group/" + string(l.Group)) }
func (l *Line) reason() event.Text { return words.List("", l.Reasons...) }

// Reason is why the line came out as it did, in English.
func (l *Line) Reason() string { return l.reason().English }

// A Test is one of the trials that a line rests on.
type Test struct {
	ID      string
	Wrong   string // what was wrong with the origin
	Outcome Outcome
	Reason  event.Text
}

// A Report is the whole judgement.
type Report struct {
	Proxy    event.Text // what was graded
	Lines    []Line
	Grade    Grade
	Why      event.Text
	Untested []string // the lines without which there is no grade, and that were not tested
}

// counts are how many lines came out in each way.
type counts struct {
	Pass      int `json:"pass"`
	Fail      int `json:"fail"`
	NotTested int `json:"not_tested"`
}

func (r *Report) count() (n counts) {
	for _, l := range r.Lines {
		switch l.Outcome {
		case Pass:
			n.Pass++
		case Fail:
			n.Fail++
		default:
			n.NotTested++
		}
	}
	return n
}

// An object is one line of the report as JSON.
type object struct {
	Kind    string  `json:"kind"` // "line", and at last "grade"
	ID      string  `json:"id,omitempty"`
	Group   string  `json:"group,omitempty"`
	Title   string  `json:"title,omitempty"`
	Outcome Outcome `json:"outcome,omitempty"` // pass, fail, not-tested
	Grade   Grade   `json:"grade,omitempty"`   // of a line that failed: the best that is left; at last: the grade
	Reason  string  `json:"reason"`
	Tests   []test  `json:"tests,omitempty"`
	Proxy   string  `json:"proxy,omitempty"`
	Counts  *counts `json:"counts,omitempty"`
}

type test struct {
	ID      string  `json:"id"`
	Wrong   string  `json:"wrong,omitempty"`
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason"`
}

// JSON writes the report, one object a line, in English.
func (r *Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(printable.Writer{W: w})
	enc.SetEscapeHTML(false)
	for _, l := range r.Lines {
		o := object{Kind: "line", ID: l.ID, Group: l.group().English, Title: l.title().English, Outcome: l.Outcome, Grade: l.Grade, Reason: l.Reason()}
		for _, t := range l.Tests {
			o.Tests = append(o.Tests, test{t.ID, t.Wrong, t.Outcome, t.Reason.English})
		}
		if err := enc.Encode(o); err != nil {
			return err
		}
	}
	n := r.count()
	return enc.Encode(object{Kind: "grade", Grade: r.Grade, Reason: r.Why.English, Proxy: r.Proxy.English, Counts: &n})
}
