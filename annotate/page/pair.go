package page

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"explainer/annotate/event"
)

// A pair is two sessions side by side, each by its client's leg.
type pair struct {
	A, B  *session
	Facts []fact
	Steps []pairStep
	Lines []pairLine
}

// A fact is something of each of two, which may differ.
type fact struct {
	Name    event.Text
	A, B    event.Text
	Differs bool
}

// A pairStep is one step of each.
type pairStep struct {
	Step    event.Step
	Book    event.Text
	Tiles   [2]tile
	Differs bool
}

// A pairLine is a message of each, or of one alone.
type pairLine struct{ A, B *line }

// Alone tells that only one has it.
func (l pairLine) Alone() bool { return l.A == nil || l.B == nil }

// maxPaired bounds the messages of a session that are put beside another's: its handshake and what comes first.
const maxPaired = 120

// Pair renders two sessions side by side.
func (v View) Pair(w io.Writer, a, b int) error {
	p, err := v.of(a)
	if err != nil {
		return err
	}
	other, err := v.of(b)
	if err != nil {
		return err
	}
	p.Pair = pairOf(p.Session, other.Session)
	p.Title = strconv.Itoa(a) + " ~ " + strconv.Itoa(b)
	return templates()[v.Lang].ExecuteTemplate(w, "pair", p)
}

// chapterOf is what is kept of a session.
func (b *Book) chapterOf(n int) (c chapter, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.rows[n]
	if r == nil {
		return c, false
	}
	return b.chapter(r), true
}

func pairOf(a, b *session) *pair {
	p := &pair{A: a, B: b}
	p.Facts = factsOf(a, b)
	ofB := tilesOf(b)
	for i, t := range tilesOf(a) {
		other := ofB[i]
		s := pairStep{Step: t.Step, Book: t.Book, Tiles: [2]tile{t, other}, Differs: t.Verdict != other.Verdict}
		if t.Row != nil && other.Row != nil && (t.Row.Says.ID != other.Row.Says.ID || len(t.Row.Acts) != len(other.Row.Acts)) {
			s.Differs = true
		}
		p.Steps = append(p.Steps, s)
	}
	p.Lines = aligned(paired(a), paired(b))
	return p
}

func tilesOf(s *session) (out []tile) {
	for _, a := range s.Aims {
		out = append(out, a.Tiles...)
	}
	return out
}

// factsOf are the facts of both, those that only the other has last.
func factsOf(a, b *session) (out []fact) {
	of := func(s *session) (out []event.Field) {
		if len(s.Legs) > 0 {
			out = s.Legs[0].Facts
		}
		return out
	}
	find := func(fields []event.Field, f event.Field) (event.Text, bool) {
		for _, other := range fields {
			if other.ID == f.ID && other.Name.Same(f.Name) {
				return other.Value, true
			}
		}
		return event.Text{}, false
	}
	for _, f := range of(a) {
		other, _ := find(of(b), f)
		out = append(out, fact{f.Name, f.Value, other, !other.Same(f.Value)})
	}
	for _, f := range of(b) {
		if _, both := find(of(a), f); !both {
			out = append(out, fact{f.Name, event.Text{}, f.Value, true})
		}
	}
	return out
}

// paired are the messages of a session's first leg that are compared.
func paired(s *session) (out []*line) {
	conn := s.N
	if len(s.Legs) > 0 {
		conn = s.Legs[0].Conn
	}
	for i := range s.Lines {
		if l := &s.Lines[i]; l.Event.Conn == conn && l.Event.Kind == event.KindMessage && !l.Minor && len(out) < maxPaired {
			out = append(out, l)
		}
	}
	return out
}

// aligned puts messages of one name beside each other, as many as possible in their order.
func aligned(a, b []*line) (out []pairLine) {
	same := func(i, j int) bool {
		return a[i].From == b[j].From && a[i].Event.From == b[j].Event.From && a[i].Event.Name == b[j].Event.Name
	}
	best := make([][]int, len(a)+1) // of what follows
	for i := range best {
		best[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if same(i, j) {
				best[i][j] = best[i+1][j+1] + 1
			} else {
				best[i][j] = max(best[i+1][j], best[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && same(i, j):
			out = append(out, pairLine{a[i], b[j]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && best[i+1][j] >= best[i][j+1]:
			out = append(out, pairLine{A: a[i]})
			i++
		default:
			out = append(out, pairLine{B: b[j]})
			j++
		}
	}
	return out
}

// errPair says that what should be two sessions is none.
var errPair = errors.New("no two sessions")

// Two reads A~B.
func Two(s string) (a, b int, err error) {
	x, y, ok := strings.Cut(s, "~")
	a, errA := strconv.Atoi(x)
	b, errB := strconv.Atoi(y)
	if !ok || errA != nil || errB != nil {
		return 0, 0, errPair
	}
	return a, b, nil
}

// A near is another session that a session is worth being compared with.
type near struct {
	N   int
	How string // "parent", "child" or "before"
}

// maxNear bounds the sessions that took up one's secret and are named.
const maxNear = 8

// near finds them: whose secret it takes up, who takes up its own, and the one before to the same host.
func (b *Book) near(s *session) (out []near) {
	b.mu.Lock()
	defer b.mu.Unlock()
	named := map[int]bool{s.N: true}
	add := func(n int, how string) {
		if b.rows[n] != nil && !named[n] && len(out) < maxNear {
			named[n] = true
			out = append(out, near{n, how})
		}
	}
	for _, l := range s.Legs {
		if l.Leg == "origin" {
			continue
		}
		if l.Parent != nil && l.Parent.State == "known" {
			for _, n := range l.Parent.Conns {
				add(n, "parent")
			}
		}
		for _, n := range l.Children {
			add(n, "child")
		}
	}
	for i := len(b.order) - 1; i >= 0; i-- {
		if r := b.rows[b.order[i]]; r.N < s.N && r.Host == s.Host && r.Host != "" {
			add(r.N, "before")
			break
		}
	}
	return out
}
