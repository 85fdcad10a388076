package main

import (
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"

	"github.com/urfave/cli/v2"
)

// selectFlags choose among the connections of a capture; several must all hold.
var selectFlags = []cli.Flag{
	&cli.StringSliceFlag{Name: "connection", Usage: "tell connection `N` alone, or those from 3-7 (repeatable)"},
	&cli.StringSliceFlag{Name: "host", Usage: "tell the connections to `HOST` alone; * matches any part (repeatable)"},
	&cli.StringSliceFlag{Name: "step", Usage: "tell step `N` alone: 1 to 8, or a part of one as 4a (repeatable)"},
	&cli.StringFlag{Name: "verdict", Usage: "tell the connections with a step that went thus: `" + strings.Join(verdictNames(), "|") + "`; with --step, that step"},
	&cli.BoolFlag{Name: "only-failed", Usage: "tell the connections that failed, or of which something was refuted", DisableDefaultText: true},
}

var allVerdicts = []event.Verdict{event.AsTold, event.Differently, event.Unseen, event.Inherited, event.Absent, event.Failed, event.NotReached, event.Unknown}

func verdictNames() []string {
	var names []string
	for _, v := range allVerdicts {
		names = append(names, string(v))
	}
	return names
}

// A selection says which sessions of a capture are told, and which of their
// steps. It finds out from the events themselves.
type selection struct {
	words   string   // as it was asked for
	conns   [][2]int // ranges
	hosts   []string // globs, lower case
	steps   map[event.Step]bool
	verdict event.Verdict
	failed  bool

	sessions map[int]*candidate
	seen     int   // the highest number of a connection
	any      *bool // whether anything is chosen, once all is seen
}

// A candidate is what a session has shown so far of what is asked for.
type candidate struct {
	conn, host, verdict, failed bool
}

// newSelection reads the flags; nil where nothing is asked for.
func newSelection(c *cli.Context) (*selection, error) {
	s := &selection{sessions: map[int]*candidate{}}
	var asked []string
	for _, list := range c.StringSlice("connection") {
		asked = append(asked, "--connection "+list)
		for _, text := range strings.Split(list, ",") {
			from, to, is := strings.Cut(strings.TrimSpace(text), "-")
			if !is {
				to = from
			}
			a, err1 := strconv.Atoi(from)
			b, err2 := strconv.Atoi(to)
			if err1 != nil || err2 != nil || a < 1 || b < a {
				return nil, usage("--connection "+quote(text)+" is no number of a connection", "connections are numbered from 1: --connection 3, or --connection 3-7")
			}
			s.conns = append(s.conns, [2]int{a, b})
		}
	}
	for _, h := range c.StringSlice("host") {
		asked = append(asked, "--host "+h)
		h = strings.ToLower(strings.TrimSuffix(h, "."))
		if _, err := path.Match(h, ""); err != nil || h == "" {
			return nil, usage("--host "+quote(h)+" is no pattern", `a name, in which * stands for any letters: --host "*.example.org"`)
		}
		s.hosts = append(s.hosts, h)
	}
	for _, list := range c.StringSlice("step") {
		asked = append(asked, "--step "+list)
		for _, text := range strings.Split(list, ",") {
			known := false
			for _, step := range event.Steps {
				if string(step) == text || strings.TrimRight(string(step), "abc") == text {
					if s.steps == nil {
						s.steps = map[event.Step]bool{}
					}
					s.steps[step], known = true, true
				}
			}
			if !known {
				return nil, usage("there is no step "+quote(text), "the steps are 1, 2, 3, 4a, 4b, 4c, 5, 6a, 6b, 7 and 8; 4 is all of 4a to 4c")
			}
		}
	}
	if v := c.String("verdict"); v != "" {
		asked = append(asked, "--verdict "+v)
		s.verdict = event.Verdict(strings.ReplaceAll(v, " ", "-"))
		if !slices.Contains(allVerdicts, s.verdict) {
			return nil, usage("there is no verdict "+quote(v), "the verdicts are "+strings.Join(verdictNames(), ", "))
		}
	}
	if s.failed = c.Bool("only-failed"); s.failed {
		asked = append(asked, "--only-failed")
	}
	if len(asked) == 0 {
		return nil, nil
	}
	s.words = strings.Join(asked, " ")
	return s, nil
}

// late tells whether it shows only at a session's end if it is chosen.
func (s *selection) late() bool {
	return s != nil && (len(s.conns)+len(s.hosts) > 0 || s.verdict != "" || s.failed)
}

// see takes in an event.
func (s *selection) see(e *event.Event) {
	if s == nil || e.Session == 0 || e.Conn == 0 && e.Summary == nil {
		return
	}
	c := s.sessions[e.Session]
	if c == nil {
		c = &candidate{}
		s.sessions[e.Session] = c
	}
	if e.Conn != 0 {
		if e.Kind == event.KindConnection {
			s.seen = max(s.seen, e.Conn)
		}
		c.conn = c.conn || slices.ContainsFunc(s.conns, func(r [2]int) bool { return e.Conn >= r[0] && e.Conn <= r[1] })
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
			c.verdict = c.verdict || r.Verdict == s.verdict && (s.steps == nil || s.steps[r.Step])
		}
	}
}

func (s *selection) matches(host string) bool {
	return host != "" && slices.ContainsFunc(s.hosts, func(glob string) bool {
		ok, _ := path.Match(glob, strings.ToLower(host))
		return ok
	})
}

// choose tells whether a session is told, as far as it is known. What belongs to
// no session is told if any is.
func (s *selection) choose(session int) bool {
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
	return c != nil && (len(s.conns) == 0 || c.conn) && (len(s.hosts) == 0 || c.host) && (s.verdict == "" || c.verdict) && (!s.failed || c.failed)
}

// reduce returns the event with nothing in it but the steps that are asked for,
// or nil if it is about others.
func (s *selection) reduce(e *event.Event) *event.Event {
	if s == nil || s.steps == nil {
		return e
	}
	switch e.Kind {
	case event.KindMessage, event.KindStep:
		if !slices.ContainsFunc(e.Steps, func(m event.StepMark) bool { return s.steps[m.Step] }) {
			return nil
		}
	case event.KindSummary:
		less, sum := *e, *e.Summary
		sum.Legs = slices.Clone(sum.Legs)
		for i := range sum.Legs {
			sum.Legs[i].Rows = slices.DeleteFunc(slices.Clone(sum.Legs[i].Rows), func(r event.Row) bool { return !s.steps[r.Step] })
		}
		less.Summary = &sum
		return &less
	}
	return e
}

// count counts the sessions that are chosen, and all of them.
func (s *selection) count() (chosen, all int) {
	for n := range s.sessions {
		if s.choose(n) {
			chosen++
		}
	}
	return chosen, len(s.sessions)
}

// verdictOn is what there is to say if nothing was chosen.
func (s *selection) verdictOn(o *event.Overview) error {
	if s == nil || o == nil || o.Connections == 0 {
		return nil
	}
	if n, _ := s.count(); n > 0 {
		return nil
	}
	hint := fmt.Sprintf("its connections are numbered 1 to %d", s.seen)
	if s.seen == 1 {
		hint = "its only connection has the number 1"
	}
	switch {
	case len(s.conns) == 0 && len(s.hosts) == 0 && s.failed && s.verdict == "":
		hint = "no connection failed, and nothing was refuted"
	case len(s.conns) == 0 && len(s.hosts) == 0:
		hint = "without " + s.words + " all are told, each step with its verdict"
	case len(s.hosts) > 0:
		var names []string
		for _, h := range o.Hosts {
			names = append(names, h.Name)
		}
		if len(names) > 6 {
			names = append(names[:6], "...")
		}
		if hint = "no connection names a host"; len(names) > 0 {
			hint = "the hosts named are " + strings.Join(names, ", ")
		}
	}
	if o.Connections == 1 {
		return failed(fmt.Errorf("the only connection is not chosen by %s", s.words), hint)
	}
	return failed(fmt.Errorf("none of the %d connections is chosen by %s", o.Connections, s.words), hint)
}
