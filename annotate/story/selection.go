package story

import (
	"net"
	"path"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// A Selection says which sessions of a capture are told, and which of their
// steps. What is asked for must hold in whole. It finds out from the events themselves.
type Selection struct {
	Words       string   // as it was asked for
	Connections [][2]int // ranges of numbers, both ends with them
	Hosts       []string // globs, lower case
	Steps       map[event.Step]bool
	Verdict     event.Verdict // of a step, or with Steps of one of those
	Failed      bool          // what failed, or of which something was refuted

	sessions map[int]*candidate
	seen     int   // the highest number of a connection
	any      *bool // whether anything is chosen, once all is seen
}

// A candidate is what a session has shown so far of what is asked for.
type candidate struct {
	conn, host, verdict, failed bool
}

// late tells whether it shows only at a session's end if it is chosen.
func (s *Selection) late() bool {
	return s != nil && (len(s.Connections)+len(s.Hosts) > 0 || s.Verdict != "" || s.Failed)
}

// See takes in an event.
func (s *Selection) See(e *event.Event) {
	if s == nil || e.Session == 0 || e.Conn == 0 && e.Summary == nil {
		return
	}
	c := s.sessions[e.Session]
	if c == nil {
		if s.sessions == nil {
			s.sessions = map[int]*candidate{}
		}
		c = &candidate{}
		s.sessions[e.Session] = c
	}
	if e.Conn != 0 {
		if e.Kind == event.KindConnection {
			s.seen = max(s.seen, e.Conn)
		}
		c.conn = c.conn || slices.ContainsFunc(s.Connections, func(r [2]int) bool { return e.Conn >= r[0] && e.Conn <= r[1] })
	}
	c.host = c.host || s.matches(e.Host)
	if e.Tally != nil {
		if host, _, err := net.SplitHostPort(e.Tally.Server); err == nil {
			c.host = c.host || s.matches(host)
		}
		c.failed = c.failed || e.Tally.Failed != ""
	}
	for _, p := range e.Proofs {
		c.failed = c.failed || p.State == event.Refuted
	}
	if e.Summary == nil {
		return
	}
	for _, l := range e.Summary.Legs {
		for _, r := range l.Rows {
			c.failed = c.failed || r.Verdict == event.Failed
			c.verdict = c.verdict || r.Verdict == s.Verdict && (s.Steps == nil || s.Steps[r.Step])
		}
	}
}

func (s *Selection) matches(host string) bool {
	return host != "" && slices.ContainsFunc(s.Hosts, func(glob string) bool {
		ok, _ := path.Match(glob, strings.ToLower(host))
		return ok
	})
}

// Chooses tells whether a session is told, as far as it is known. What belongs to
// no session is told if any is.
func (s *Selection) Chooses(session int) bool {
	if s == nil {
		return true
	}
	if session <= 0 {
		if s.any == nil {
			n, _ := s.count()
			some := n > 0
			s.any = &some
		}
		return *s.any
	}
	c := s.sessions[session]
	return c != nil && (len(s.Connections) == 0 || c.conn) && (len(s.Hosts) == 0 || c.host) && (s.Verdict == "" || c.verdict) && (!s.Failed || c.failed)
}

// reduce returns the event with nothing in it but the steps that are asked for,
// or nil if it is about others.
func (s *Selection) reduce(e *event.Event) *event.Event {
	if s == nil || s.Steps == nil {
		return e
	}
	switch e.Kind {
	case event.KindMessage, event.KindStep, event.KindConnection, event.KindFact, event.KindClosed:
		about := slices.ContainsFunc(e.Steps, func(m event.StepMark) bool { return s.Steps[m.Step] })
		loud := slices.ContainsFunc(e.Proofs, func(p event.Proof) bool { return p.State == event.Refuted })
		if !about && !loud && !e.Topic.Trouble() && e.Session != 0 {
			return nil
		}
	case event.KindGenealogy:
		return nil
	case event.KindSummary:
		less, sum := *e, *e.Summary
		sum.Legs = slices.Clone(sum.Legs)
		for i := range sum.Legs {
			sum.Legs[i].Rows = slices.DeleteFunc(slices.Clone(sum.Legs[i].Rows), func(r event.Row) bool { return !s.Steps[r.Step] })
		}
		less.Summary = &sum
		return &less
	}
	return e
}

// count counts the sessions that are chosen, and all of them.
func (s *Selection) count() (chosen, all int) {
	for n := range s.sessions {
		if s.Chooses(n) {
			chosen++
		}
	}
	return chosen, len(s.sessions)
}

// verdictOn is what there is to say if nothing was chosen.
func (s *Selection) verdictOn(o *event.Overview) error {
	if s == nil || o == nil || o.Connections == 0 {
		return nil
	}
	if n, _ := s.count(); n > 0 {
		return nil
	}
	hint := words.Piece("hint/numbered", "n", strconv.Itoa(s.seen))
	if s.seen == 1 {
		hint = words.Piece("hint/numbered-one")
	}
	switch {
	case len(s.Connections) == 0 && len(s.Hosts) == 0 && s.Failed && s.Verdict == "":
		hint = words.Piece("hint/none-failed")
	case len(s.Connections) == 0 && len(s.Hosts) == 0:
		hint = words.Piece("hint/without", "options", s.Words)
	case len(s.Hosts) > 0:
		var names []string
		for _, h := range o.Hosts {
			names = append(names, h.Name)
		}
		if len(names) > 6 {
			names = append(names[:6], "...")
		}
		if hint = words.Piece("hint/no-host"); len(names) > 0 {
			hint = words.Piece("hint/hosts", "hosts", words.List(",", words.Names(names)...))
		}
	}
	if o.Connections == 1 {
		return fails(nil, words.Piece("error/one-not-chosen", "options", s.Words), hint)
	}
	return fails(nil, words.Piece("error/none-chosen", "n", strconv.Itoa(o.Connections), "options", s.Words), hint)
}
