package page

import (
	"cmp"
	"io"
	"slices"
	"time"

	"explainer/annotate/event"
)

// A share is how the sessions divide by one thing.
type share struct {
	ID    string // "version", "exchange", "suite" or "outcome"
	Items []portion
	Rest  int // sessions in items that are too many to be shown
}

// A portion is the sessions that are alike in it.
type portion struct {
	ID      string // of an outcome: what it is
	Name    event.Text
	N       int
	Percent int
}

// maxPortions bounds what is shown of a share.
const maxPortions = 6

// chosen are the sessions that a query chooses.
func (b *Book) chosen(q Query) (out []*row) {
	for _, n := range b.order {
		if r := b.rows[n]; q.fits(r) {
			out = append(out, r)
		}
	}
	return out
}

// sharesOf counts sessions.
func sharesOf(rows []*row) (out []share) {
	by := []share{{ID: "outcome"}, {ID: "version"}, {ID: "exchange"}, {ID: "suite"}}
	counts := make([]map[string]*portion, len(by))
	for i := range counts {
		counts[i] = map[string]*portion{}
	}
	for _, r := range rows {
		group := event.Plain(r.Group)
		if r.Group == "" {
			group = r.Title
		}
		for i, of := range []portion{{ID: r.outcome()}, {Name: event.Plain(r.Version)}, {Name: group}, {Name: event.Plain(r.Suite)}} {
			key := of.ID + of.Name.English
			if key == "" {
				continue
			}
			if counts[i][key] == nil {
				counts[i][key] = &of
			}
			counts[i][key].N++
		}
	}
	for i, s := range by {
		for _, p := range counts[i] {
			p.Percent = p.N * 100 / len(rows)
			s.Items = append(s.Items, *p)
		}
		slices.SortFunc(s.Items, func(a, b portion) int {
			return cmp.Or(b.N-a.N, cmp.Compare(a.Name.English, b.Name.English), cmp.Compare(a.ID, b.ID))
		})
		for len(s.Items) > maxPortions {
			last := len(s.Items) - 1
			s.Rest += s.Items[last].N
			s.Items = s.Items[:last]
		}
		if len(s.Items) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// outcome is what became of a session.
func (r *row) outcome() string {
	switch {
	case r.Failed():
		return "failed"
	case r.Settled:
		return "fine"
	case r.over:
		return "other"
	}
	return "open"
}

// A clocked notes when what a session came to was seen on its client's leg, in nanoseconds
// since 1970; 0 is not seen.
type clocked struct {
	hello, finished int64
	calls           []exchange
	more            int // calls that are not kept
}

// An exchange is a request and its answer.
type exchange struct {
	conn            int
	number          uint64
	asked, answered int64
	end             int64
	what            string
}

// maxCalls bounds the requests of a session whose times are kept.
const maxCalls = 24

func (c *clocked) take(e *event.Event) {
	at := timeOf(e.Time).UnixNano()
	if at <= 0 || e.Repeats != 0 {
		return
	}
	switch e.Topic {
	case event.TopicClientHello:
		if c.hello == 0 {
			c.hello = at
		}
	case event.TopicFinished:
		c.finished = max(c.finished, at)
	}
	h := e.HTTP
	if h == nil || h.Method == "CONNECT" && h.Scheme == "http" {
		return
	}
	i := slices.IndexFunc(c.calls, func(k exchange) bool { return k.conn == e.Conn && k.number == h.Exchange })
	switch {
	case e.Topic == event.TopicRequest && i < 0:
		if len(c.calls) == maxCalls {
			c.more++
			return
		}
		c.calls = append(c.calls, exchange{e.Conn, h.Exchange, at, 0, at, event.Clip(h.Method + " " + h.Target)})
	case i < 0:
	case e.Topic == event.TopicResponse && h.Status >= 200 && c.calls[i].answered == 0:
		c.calls[i].answered = at
		fallthrough
	case e.Topic == event.TopicResponse || e.Topic == event.TopicResponseBody || e.Topic == event.TopicRequestBody:
		c.calls[i].end = max(c.calls[i].end, at)
	}
}

// A load is sessions that followed each other without a longer silence, over time.
type load struct {
	Clock   string // when it began
	Spans   string // how long it took
	N       int    // sessions
	Calls   int
	Strands []strand
	Folds   []stretch // silences that are drawn short
}

// A strand is one session in it.
type strand struct {
	*row
	Bars     []bar
	Requests []request
	Height   int
	// When what was seen, from the beginning of the load; "" where it was not.
	Begins, Hello, Finished, Asked, Answered, Ends string
	More                                           int
}

// A bar is a phase.
type bar struct {
	Phase string // "before", "handshake", "idle", "waiting" or "answer"
	stretch
}

// A stretch is a part of the time, drawn from X on, W wide, of 1000; and how long it was.
type stretch struct {
	X, W  int
	Spans string
}

// A request is one on a strand.
type request struct {
	What          string
	At, Took      string
	Waits, Passes stretch
	Y             int
}

// Of the drawing of a strand.
const (
	timesWidth = 1000
	strandHigh = 10
	callHigh   = 5
)

// A silence of loadGap ends a load; one of foldGap within it is drawn short.
const (
	loadGap = 2 * time.Second
	foldGap = time.Second
)

// instants are the times of a session that are drawn.
func (r *row) instants() []int64 {
	out := []int64{r.began.UnixNano()}
	for _, at := range []int64{r.times.hello, r.times.finished} {
		if at != 0 {
			out = append(out, at)
		}
	}
	for _, c := range r.times.calls {
		out = append(out, c.asked, c.end)
		if c.answered != 0 {
			out = append(out, c.answered)
		}
	}
	return out
}

// loads makes the loads of sessions, the latest first.
func loads(rows []*row) (out []load) {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r *row) bool { return r.began.IsZero() })
	slices.SortStableFunc(rows, func(a, b *row) int { return a.began.Compare(b.began) })
	var of []*row
	var last int64
	for _, r := range rows {
		if len(of) > 0 && r.began.UnixNano()-last > int64(loadGap) {
			out = append(out, loadOf(of))
			of, last = nil, 0
		}
		of = append(of, r)
		last = max(last, slices.Max(r.instants()))
	}
	if len(of) > 0 {
		out = append(out, loadOf(of))
	}
	slices.Reverse(out)
	return out
}

func loadOf(rows []*row) load {
	var at []int64
	for _, r := range rows {
		at = append(at, r.instants()...)
	}
	slices.Sort(at)
	at = slices.Compact(at)
	var drawn int64 // without the silences
	for i := range at[1:] {
		if gap := at[i+1] - at[i]; gap < int64(foldGap) {
			drawn += gap
		}
	}
	fold := max(drawn/20, 1)
	places := make([]int64, len(at))
	for i := range at[1:] {
		gap := at[i+1] - at[i]
		if gap >= int64(foldGap) {
			gap = fold
		}
		places[i+1] = places[i] + gap
	}
	all := max(places[len(places)-1], 1)
	place := func(t int64) int {
		i, _ := slices.BinarySearch(at, t)
		return int(places[min(i, len(places)-1)] * timesWidth / all)
	}
	from := func(a, b int64) stretch {
		return stretch{place(a), max(place(b)-place(a), 1), since(time.Duration(b - a))}
	}
	l := load{N: len(rows), Clock: rows[0].Clock(), Spans: since(time.Duration(at[len(at)-1] - at[0]))}
	for i := range at[1:] {
		if gap := at[i+1] - at[i]; gap >= int64(foldGap) {
			l.Folds = append(l.Folds, from(at[i], at[i+1]))
		}
	}
	when := func(t int64) string {
		if t == 0 {
			return ""
		}
		return since(time.Duration(t - at[0]))
	}
	for _, r := range rows {
		s := strand{row: r, Height: strandHigh + callHigh*len(r.times.calls), More: r.times.more, Begins: when(r.began.UnixNano()), Hello: when(r.times.hello), Finished: when(r.times.finished), Ends: when(slices.Max(r.instants()))}
		var asked, answered int64
		for i, c := range r.times.calls {
			q := request{What: c.what, At: when(c.asked), Took: since(time.Duration(c.end - c.asked)), Y: strandHigh + callHigh*i}
			first := cmp.Or(c.answered, c.end)
			q.Waits, q.Passes = from(c.asked, first), from(first, max(c.end, first))
			s.Requests = append(s.Requests, q)
			if asked == 0 || c.asked < asked {
				asked = c.asked
			}
			if c.answered != 0 && (answered == 0 || c.answered < answered) {
				answered = c.answered
			}
		}
		l.Calls += len(r.times.calls) + r.times.more
		s.Asked, s.Answered = when(asked), when(answered)
		phase, before := "before", r.began.UnixNano()
		for _, next := range []struct {
			at    int64
			phase string
		}{{r.times.hello, "handshake"}, {r.times.finished, "idle"}, {asked, "waiting"}, {answered, "answer"}, {slices.Max(r.instants()), ""}} {
			if next.at == 0 {
				continue
			}
			if next.at > before {
				s.Bars = append(s.Bars, bar{phase, from(before, next.at)})
				before = next.at
			}
			phase = next.phase
		}
		l.Strands = append(l.Strands, s)
	}
	return l
}

// Times renders the sessions over time: the latest, or the latest before one; the whole page, or what changes of it.
func (v View) Times(w io.Writer, query string, before int, whole bool) error {
	p := v.table(query, before, 0)
	p.Loads, p.Live = loads(p.Rows), query == "" && before == 0
	name := "times"
	if !whole {
		name = "loads"
	}
	return templates()[v.Lang].ExecuteTemplate(w, name, p)
}
