package page

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// A row is what the table shows of a session.
type row struct {
	N        int
	Host     string
	Agent    string
	Noise    bool
	Title    event.Text // what kind of handshake
	Version  string
	QUIC     bool // that is its transport
	Group    string
	Suite    string
	Strip    [11]event.Verdict // of the client's leg; "" where nothing is told yet
	Settled  bool              // Strip is that of the summary
	Proven   int
	Refuted  int
	Asked    string // the first request
	Answer   string
	Answered int // requests that were answered
	Trouble  *event.Trouble
	Surplus  bool // it was hung up without a word while the client went on beside it, with the same host
	Alert    string
	Noted    event.Text // what the proxy noted of an origin that it did not reach or take

	began, latest time.Time
	over          bool   // its connection is
	hungUp        bool   // the client left without a word
	kind          string // what makes two sessions alike
	times         clocked
	proofs        []proofOf
	version       int // of the book, when it changed last
	last          place
	joins         []place // of connections that turned out to be of this session
	lacks         bool
}

// shown is a copy to be shown while the book goes on.
func (r *row) shown() *row {
	kept := *r
	kept.times.calls = slices.Clone(r.times.calls) // they change in place
	return &kept
}

type proofOf struct {
	conn int
	id   string
}

// maxProofs bounds how many different proofs of a session are told apart.
const maxProofs = 64

// take notes what an event says.
func (r *row) take(e *event.Event) {
	if at := timeOf(e.Time); !at.IsZero() {
		if r.began.IsZero() || at.Before(r.began) {
			r.began = at
		}
		if at.After(r.latest) {
			r.latest = at
		}
	}
	if e.Host != "" {
		r.Host, r.Noise = e.Host, e.Noise
	}
	for _, p := range e.Proofs {
		switch p.State {
		case event.Refuted:
			r.Refuted++
		case event.Proven:
			if of := (proofOf{e.Conn, p.ID}); len(r.proofs) < maxProofs && !slices.Contains(r.proofs, of) {
				r.proofs = append(r.proofs, of)
				r.Proven = len(r.proofs)
			}
		}
	}
	if e.Alert != nil && e.Alert.Name != "close_notify" && e.Alert.Name != "user_canceled" {
		r.Alert = e.Alert.Name
	}
	if e.Leg == "origin" && e.Kind != event.KindEnd {
		return
	}
	r.times.take(e)
	r.QUIC = r.QUIC || e.QUIC != nil
	switch {
	case e.Kind == event.KindSummary:
		r.summary(e.Summary)
	case e.Kind == event.KindEnd:
		if e.Leg != "origin" {
			r.over = true
			r.ended(e.Tally)
		}
	case e.Kind == event.KindFact && e.Topic.Trouble() && len(e.Says) > 0:
		r.Noted = words.Whole(e.Says[0])
	case e.HTTP != nil && e.Repeats == 0:
		r.http(e)
	}
	if t := e.TLS; t != nil && e.Topic == event.TopicServerHello {
		r.Version, r.Group, r.Suite = t.Version, t.Group, t.Suite
	}
	if !r.Settled {
		for _, m := range e.Steps {
			if i := slices.Index(event.Steps, m.Step); i >= 0 {
				r.Strip[i] = m.Verdict
			}
		}
	}
}

func (r *row) summary(s *event.Summary) {
	if s == nil || len(s.Legs) == 0 {
		return
	}
	l := &s.Legs[0]
	r.Title, r.Settled, r.kind = l.Title, true, s.Kind()
	if l.Agent != "" {
		r.Agent = l.Agent
	}
	for _, row := range l.Rows {
		if i := slices.Index(event.Steps, row.Step); i >= 0 {
			r.Strip[i] = row.Verdict
		}
	}
	for _, f := range l.Facts {
		switch f.ID {
		case "version":
			r.Version = f.Value.English
		case "group":
			r.Group = f.Value.English
		case "suite":
			r.Suite = f.Value.English
		}
	}
	for i := range s.Legs {
		if t := s.Legs[i].Trouble; t != nil {
			kept := *t
			r.Trouble, r.hungUp = &kept, s.Legs[i].HungUp()
			break
		}
	}
}

func (r *row) ended(t *event.Tally) {
	if t == nil {
		return
	}
	if r.Title.Empty() {
		r.Title = t.Title
	}
	if r.Host == "" {
		r.Host = t.Name
	}
}

func (r *row) http(e *event.Event) {
	h := e.HTTP
	switch e.Topic {
	case event.TopicRequest:
		if h.Method == "CONNECT" && h.Scheme == "http" {
			return
		}
		if r.Asked == "" {
			r.Asked = event.Clip(h.Method + " " + h.Target)
		}
	case event.TopicResponse:
		if r.Asked == "" || h.Status < 200 && h.Status != 101 {
			return
		}
		if r.Answer == "" {
			r.Answer = strings.TrimSpace(strconv.Itoa(h.Status) + " " + h.Reason)
		}
		r.Answered++
	}
}

// Failed tells that the session did not get through, or that something of it is refuted.
func (r *row) Failed() bool { return r.Trouble != nil || r.Refuted > 0 || !r.Noted.Empty() }

// A Query chooses rows: all of its words must fit. A word is text that stands in the host,
// the kind, the client or the request, or host:TEXT, step:STEP, verdict:VERDICT, step:STEP=VERDICT,
// alert:TEXT, failed, refuted, chatter.
type Query struct {
	terms []string
}

// NewQuery reads a query as it was typed.
func NewQuery(s string) Query { return Query{strings.Fields(strings.ToLower(s))} }

// fits tells whether a row is chosen; a browser's own chatter only where it is asked for.
func (q Query) fits(r *row) bool {
	chatter := false
	for _, t := range q.terms {
		key, value, typed := strings.Cut(t, ":")
		ok := false
		switch {
		case t == "failed":
			ok = r.Failed()
		case t == "refuted":
			ok = r.Refuted > 0
		case t == "chatter":
			chatter, ok = true, true
		case typed && key == "host":
			ok = contains(r.Host, value)
		case typed && key == "alert":
			ok = contains(r.Alert, value)
		case typed && key == "verdict":
			ok = slices.ContainsFunc(r.Strip[:], func(v event.Verdict) bool { return string(v) == value })
		case typed && key == "step":
			step, verdict, _ := strings.Cut(value, "=")
			i := slices.Index(event.Steps, event.Step(step))
			ok = i >= 0 && r.Strip[i] != "" && (verdict == "" || string(r.Strip[i]) == verdict)
		default:
			ok = contains(r.Host+" "+r.Title.English+" "+r.Version+" "+r.Group+" "+r.Suite+" "+r.Agent+" "+r.Asked+" "+r.Answer+" "+r.Alert, t)
		}
		if !ok {
			return false
		}
	}
	return chatter || !r.Noise || r.Failed()
}

func contains(s, lower string) bool { return strings.Contains(strings.ToLower(s), lower) }

// Clock is when it began, in UTC.
func (r *row) Clock() string {
	if r.began.IsZero() {
		return ""
	}
	return r.began.UTC().Format("15:04:05.000")
}
