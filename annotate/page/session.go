package page

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/exam"
	"explainer/annotate/words"
)

// A session is what is shown of one.
type session struct {
	*row
	Legs   []event.Leg // the client's first; none before the summary
	Flow   event.Text
	Notes  []event.Sentence
	Tunnel bool
	Aims   []aim
	Frame  *event.Frame
	Lanes  int // lifelines: 3 with the proxy between client and origin, else 2
	Lines  []line
	Minor  int // lines that are folded: HTTP/2's housekeeping, acknowledgements
	Lacks  bool
	Asked  int     // questions about what comes next
	Cut    int     // events that are not shown, for there are too many
	Full   bool    // its messages are shown with fields, proofs and bytes
	Chains []chain // the certificates that the servers sent
	Leaves []fact  // the proxy's certificate beside the site's
	Near   []near  // sessions to compare it with
	// BreakCommand is how it is broken on the command line; "" where it cannot be.
	BreakCommand string
}

// An aim is one of the three questions, with the steps that are for it.
type aim struct {
	ID    string
	Says  event.Text
	Tiles []tile
}

// A tile is one of the eight steps.
type tile struct {
	Step    event.Step
	Book    event.Text
	Row     *event.Row // nil: not told yet
	Verdict event.Verdict
	Event   int    // the first event that is about it, or 0
	Shut    string // classes of those who do not see what is about it
	// Explainer tells that the server of this leg is explainer itself, and not whom it passes the bytes on to.
	Explainer bool
}

// A line is an event in the ladder.
type line struct {
	*event.Event
	Since  string // time since the session began
	Gap    string // silence before it, where it is worth a word
	From   int    // lifelines, from the left
	To     int    // the same as From for what happens inside
	Sealed bool   // who has no key sees that something passes, and not what
	Shut   string // classes of those for whom it stays so
	Minor  bool
	Parts  []part
	Hex    []piece
	Ask    *exam.Question // what comes here, asked before it is shown
	Breaks string         // where a byte of it can be changed, or ""
}

// A piece is some bytes of a message, and the innermost part that they are of.
type piece struct {
	Hex  string
	Part int // index in Parts, or -1
}

// A part is a field of a message as it stands in its bytes.
type part struct {
	event.Part
	Deep int // fields around it
}

// gapWorth is the silence that is told.
const gapWorth = 100 * time.Millisecond

// session makes what is shown of a chapter.
func (b *Book) session(c chapter) *session {
	events := b.events(&c)
	r := &c.row
	s := &session{row: r, Lacks: c.lacks, Lanes: 2}
	if n := len(events) - maxEvents; n > 0 {
		s.Cut = n
		events = slices.Concat(events[:maxEvents/2], events[len(events)-maxEvents/2:])
	}
	for i := range events {
		if events[i].Leg == "origin" {
			s.Lanes = 3
		}
		s.sum(&events[i])
	}
	if r.Noted.Empty() && s.Lanes == 2 && len(s.Legs) > 0 && s.Legs[0].Leg != "" {
		s.Lanes = 3 // its origin was not reached
	}
	s.tiles(events)
	s.chains(events)
	s.lines(events)
	s.ask(events)
	return s
}

// sum takes what an event sums up, if it does.
func (s *session) sum(e *event.Event) {
	if sum := e.Summary; sum != nil {
		s.Legs, s.Flow, s.Notes, s.Tunnel = sum.Legs, sum.Flow, e.Says, sum.Tunnel
	}
}

func (s *session) tiles(events []event.Event) {
	first := map[event.Step]int{}
	shut := map[event.Step]string{}
	for i := range events {
		if events[i].Leg == "origin" {
			continue
		}
		for _, m := range events[i].Steps {
			shut[m.Step] += s.hidden(&events[i])
			if first[m.Step] == 0 {
				first[m.Step] = events[i].N
			}
		}
	}
	var leg *event.Leg
	if len(s.Legs) > 0 {
		leg = &s.Legs[0]
		s.Frame = leg.Frame
	}
	for i, step := range event.Steps {
		t := tile{Step: step, Book: words.StepTitle(step), Verdict: s.Strip[i], Event: first[step], Row: rowOf(leg, step), Shut: shut[step]}
		if leg != nil {
			t.Explainer = leg.Leg == "browser" && !s.Tunnel
		}
		id := event.AimOf(step)
		if n := len(s.Aims); n == 0 || s.Aims[n-1].ID != id {
			a := aim{ID: id}
			if leg != nil {
				for _, of := range leg.Aims {
					if of.ID == id {
						a.Says = of.Says
					}
				}
			}
			s.Aims = append(s.Aims, a)
		}
		a := &s.Aims[len(s.Aims)-1]
		a.Tiles = append(a.Tiles, t)
	}
}

func rowOf(l *event.Leg, step event.Step) *event.Row {
	if l == nil {
		return nil
	}
	for i := range l.Rows {
		if l.Rows[i].Step == step {
			return &l.Rows[i]
		}
	}
	return nil
}

// inside is who does what has no message, as the rows of the summary have it, else as the book has it.
func (s *session) inside(e *event.Event) string {
	if len(e.Steps) == 0 {
		return ""
	}
	step := e.Steps[0].Step
	for i := range s.Legs {
		if s.Legs[i].Conn != e.Conn {
			continue
		}
		if r := rowOf(&s.Legs[i], step); r != nil {
			for _, a := range r.Acts {
				if !a.Sent && a.By != "" {
					return a.By
				}
			}
		}
	}
	switch step {
	case event.Step2, event.Step6a, event.Step6b:
		return "server"
	}
	return "client"
}

// lane is the lifeline of one side of a leg.
func (s *session) lane(leg, side string) int {
	n := 0
	if side == "server" {
		n = 1
	}
	if leg == "origin" {
		n++
	}
	return n
}

func (s *session) lines(events []event.Event) {
	var before time.Time
	for i := range events {
		e := &events[i]
		switch e.Kind {
		case event.KindSummary, event.KindEnd, event.KindGenealogy, event.KindFile:
			continue
		}
		l := line{Event: e}
		if at := timeOf(e.Time); !at.IsZero() {
			l.Since = since(at.Sub(s.began))
			if gap := at.Sub(before); !before.IsZero() && gap >= gapWorth {
				l.Gap = since(gap)
			}
			if at.After(before) {
				before = at
			}
		}
		switch {
		case e.Kind == event.KindFact:
			l.From = s.Lanes / 2
			l.To = l.From
		case e.Kind == event.KindStep:
			l.From = s.lane(e.Leg, s.inside(e))
			l.To = l.From
		default:
			s.between(&l)
		}
		l.Sealed = e.Evidence == event.Decrypted
		l.Shut = s.shut(e)
		l.Minor = minor(e)
		if l.Minor {
			s.Minor++
		}
		if e.Raw != "" {
			l.Parts, l.Hex = layout(e.Raw, e.Layout)
		}
		s.Lines = append(s.Lines, l)
	}
}

// between says from where to where a line is drawn: who sent it is known, or it is of both, as where a connection begins.
func (s *session) between(l *line) {
	l.From, l.To = s.lane(l.Leg, "client"), s.lane(l.Leg, "server")
	if l.Event.From == "server" {
		l.From, l.To = l.To, l.From
	}
}

// maxAsked bounds the questions about a session: those of its handshake are the ones that teach.
const maxAsked = 16

// ask puts before messages of the client's leg the question what comes next.
func (s *session) ask(events []event.Event) {
	if len(s.Legs) == 0 {
		return
	}
	conn := s.Legs[0].Conn
	by := map[int]*exam.Question{}
	for k := range min(len(exam.Messages(events, conn)), maxAsked) {
		if q, ok := exam.Predict(events, conn, k, uint64(s.N)); ok {
			by[q.Event] = &q
		}
	}
	for i := range s.Lines {
		if q := by[s.Lines[i].N]; q != nil {
			s.Lines[i].Ask = q
			s.Asked++
		}
	}
}

// minor tells what is housekeeping: it says nothing about the steps.
func minor(e *event.Event) bool {
	frame := strings.HasPrefix(string(e.Topic), "http2-") || strings.HasPrefix(string(e.Topic), "http3-")
	if len(e.Steps) > 0 || len(e.Says) > 0 && !frame {
		return e.Topic == "application-data" && len(e.Steps) == 0
	}
	return frame
}

// since is a time in words that are the same in every language.
func since(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + since(-d)
	case d < 10*time.Second:
		return strconv.FormatFloat(float64(d)/1e6, 'f', 1, 64) + " ms"
	default:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	}
}

// layout cuts bytes, in hexadecimal, where the innermost part changes.
func layout(raw string, of []event.Part) (parts []part, hex []piece) {
	n := len(raw) / 2
	owner := make([]int, n)
	for i := range owner {
		owner[i] = -1
	}
	var open []int // the ends of the parts around
	for i, p := range of {
		for len(open) > 0 && p.At >= open[len(open)-1] {
			open = open[:len(open)-1]
		}
		parts = append(parts, part{p, len(open)})
		if p.Len > 0 {
			open = append(open, p.At+p.Len)
		}
		for j := max(p.At, 0); j < min(p.At+p.Len, n); j++ {
			owner[j] = i
		}
	}
	for i := 0; i < n; {
		j := i + 1
		for j < n && owner[j] == owner[i] {
			j++
		}
		var b strings.Builder
		for k := i; k < j; k++ {
			b.WriteString(raw[2*k : 2*k+2])
			if k+1 < n {
				b.WriteByte(' ')
			}
		}
		hex = append(hex, piece{b.String(), owner[i]})
		i = j
	}
	return parts, hex
}

// A drawing is how a line is drawn: 300 wide, 26 high.
type drawing struct {
	Lanes []int  // where the lifelines stand
	Line  string // a path
	Head  string
	Box   int // where what happens inside is drawn, if not 0
}

// arrowOf draws a line. It falls from who sends to who gets, for what is sent is there later;
// by how much is not known.
func arrowOf(l line, lanes int) drawing {
	at := []int{12, 150, 288}
	if lanes == 2 {
		at = []int{12, 288}
	}
	a := drawing{Lanes: at}
	from, to := at[min(l.From, lanes-1)], at[min(l.To, lanes-1)]
	p := strconv.Itoa
	switch {
	case from == to:
		a.Box = from - 6
	case l.Event.From == "":
		a.Line = "M" + p(from) + " 13H" + p(to)
	default:
		back := 9
		if to > from {
			back = -9
		}
		a.Line = "M" + p(from) + " 6L" + p(to) + " 20"
		a.Head = "M" + p(to) + " 20L" + p(to+back) + " 14.5L" + p(to+back) + " 24Z"
	}
	return a
}
