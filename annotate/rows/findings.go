package rows

import (
	"cmp"
	"slices"

	"explainer/annotate/event"
	"explainer/annotate/survey"
)

// The kinds of findings.
const (
	findingRefuted = "refuted" // a proof does not hold
	findingFailed  = "failed"  // the connection stopped at a step
	findingCheck   = "check"   // a check of a certificate failed
	findingWarned  = "warned"  // or has something against it
	findingAlert   = "alert"   // a fatal one, which could be read
	findingOdd     = "odd"     // what an overview names below "look at"
)

// findings writes a row for all that somebody who reads the capture should look at.
type findings struct {
	rows   *Rows
	survey survey.Survey // the one judge of what is odd
	now    *event.Event  // that is told
	open   map[int]*finder
	err    error
}

// A finder is what is known of an open connection.
type finder struct {
	ends event.Ends
	seen []string // checks that have a row
}

// A finding is one of them.
type finding struct {
	kind, id, reason, words string
	step                    event.Step
	capture, file           string
	ends                    event.Ends
	in                      *event.Event
}

func newFindings(r *Rows) *findings {
	f := &findings{rows: r, open: map[int]*finder{}}
	f.survey.Noted = func(odd string, conn int, what event.Text) {
		// What has a kind of its own is told as that.
		if odd != "odd-certificate" && conn > 0 {
			f.found(finding{kind: findingOdd, id: odd, reason: what.English})
		}
	}
	return f
}

func (f *findings) event(e *event.Event) error {
	if e.Kind == event.KindConnection {
		c := &finder{}
		if e.Ends != nil {
			c.ends = *e.Ends
		}
		f.open[e.Conn] = c
	}
	f.now = e
	c := f.open[e.Conn]
	for _, check := range e.Checks {
		kind := findingCheck
		switch check.Outcome {
		case "warned":
			kind = findingWarned
		case "failed":
		default:
			continue
		}
		// A stapled response completes the checks of the message before.
		key := kind + " " + e.From + " " + check.ID + " " + check.Reason
		if c != nil && slices.Contains(c.seen, key) {
			continue
		}
		if c != nil {
			list(&c.seen, key)
		}
		f.found(finding{kind: kind, id: check.ID, reason: check.Reason, words: check.Says.Text, step: event.Step4a})
	}
	for _, p := range e.Proofs {
		if p.State == event.Refuted {
			f.found(finding{kind: findingRefuted, id: p.ID, words: p.Reason.English})
		}
	}
	if e.Alert != nil && e.Alert.Level == "fatal" {
		f.found(finding{kind: findingAlert, id: e.Alert.Name})
	}
	if e.Tally != nil && e.Tally.Failed != "" {
		f.found(finding{kind: findingFailed, id: e.Tally.Flow, words: e.Tally.Cause.English, step: e.Tally.Failed})
	}
	f.survey.Add(e)
	if e.Tally != nil {
		delete(f.open, e.Conn)
	}
	return f.err
}

// found writes a row.
func (f *findings) found(what finding) {
	what.in, what.capture, what.file = f.now, f.rows.capture, f.rows.file
	if c := f.open[f.now.Conn]; c != nil {
		what.ends = c.ends
	}
	f.err = cmp.Or(f.err, write(&f.rows.sink, findingColumns, what))
}

// failed is what went wrong with the writing of rows.
func (f *findings) failed() error { return f.err }

var findingColumns = []column[finding]{
	number("rows_version", func(finding) int64 { return Version }),
	text("capture_sha256", func(f finding) string { return f.capture }),
	numbered("conn", func(f finding) int { return f.in.Conn }),
	numbered("session", func(f finding) int { return f.in.Session }),
	text("leg", func(f finding) string { return f.in.Leg }),
	moment("time", func(f finding) string { return f.in.Time }),
	numbered("packet", func(f finding) int {
		if f.in.Packets == nil {
			return 0
		}
		return f.in.Packets.Last
	}),
	text("client_address", func(f finding) string { return host(f.ends.Client) }),
	numbered("client_port", func(f finding) int { return port(f.ends.Client) }),
	text("server_address", func(f finding) string { return host(f.ends.Server) }),
	numbered("server_port", func(f finding) int { return port(f.ends.Server) }),
	text("host", func(f finding) string { return f.in.Host }),
	text("sent_by", func(f finding) string { return f.in.From }),
	text("kind", func(f finding) string { return f.kind }),
	text("id", func(f finding) string { return f.id }),
	text("reason", func(f finding) string { return f.reason }),
	text("step", func(f finding) string { return string(f.step) }),
	text("words", func(f finding) string { return f.words }),
	text("file", func(f finding) string { return f.file }),
	absent[finding]("error"),
}
