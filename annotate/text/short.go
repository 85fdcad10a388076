package text

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// Short tells a story so that it can be taken in: one block for each kind of connection of
// the client's, with the eight steps in the textbook's order; a line for each connection that
// went as another did, and for each of a few requests; three lines for a failure. What it
// writes is a function of the order of events alone.
type Short struct {
	*Text
	Chosen func(session int) bool // whether a session is told, as far as it is known; nil: all are
	ASCII  bool                   // no signs beyond ASCII of its own

	sessions map[int]*shortSession
	of       map[int]int // connection: session
	kinds    map[string]int
	order    []string          // of kinds, the oldest first
	groups   map[string]*group // that are open, by kind and host
	blocks   int
	chatter  []*shortSession // a browser's own that are over, while nothing else is told
	cases    bool            // a browser tries all faults by itself: each has a line
	total    shortTotal
	spare    func() // tells the first session that carried nothing, where the story has no other
}

// maxKinds bounds how many kinds of connections are remembered, to say that another went as one.
const maxKinds = 256

// maxLines is how many requests of a session have a line each, beside the one in its block.
const maxLines = 5

// maxTroubles bounds the failures that are told again at the end.
const maxTroubles = 50

// maxChatter bounds the browser's own connections that are kept, for a story of nothing else.
const maxChatter = 16

// A shortSession is what is kept of a session that goes on.
type shortSession struct {
	n         int
	began     time.Time
	last      time.Time
	host      string
	to        string // address and port that its last leg goes to
	noise     bool
	conns     map[int]bool // that are open
	summary   *event.Event // that waits to be chosen
	told      bool
	failed    bool
	refuted   bool
	held      [][]event.Text // why it failed, of chatter
	framed    bool           // its frames are read
	sealed    bool           // packets of QUIC stayed sealed in which requests may be
	data      bool           // one side sent more than a handshake
	unseen    bool           // not all of it is in the capture: it began before, or goes on
	title     event.Text     // of its last connection that is over
	as        bool           // it went as another
	proven    map[provenKey]bool
	exchanges map[uint64]*exchange
	waiting   []*exchange // answered before the block
	requests  int
	group     *group
	stream    string
	frames    int
	bytes     int64
}

// A group is a session and those that went as it beside it, to the same host, as a browser
// opens them for a page: they share the lines that one session has.
type group struct {
	n      int    // of the first
	key    string // among the groups that are open; "" where nobody joins it
	open   int    // sessions of it
	as     bool   // the first went as another
	lines  int
	more   int   // requests without a line
	others []int // sessions without a line
}

type provenKey struct {
	conn int
	id   string
}

// An exchange is a request and what came of it.
type exchange struct {
	request string
	target  string
	scheme  string
	host    string
	answer  string
	bad     bool
	call    bool // of gRPC, whose outcome no status of HTTP tells
	size    event.Text
}

// shortTotal is what all came to.
type shortTotal struct {
	sessions, requests, proven, unused, bare int
	first, last                              time.Time
	troubles                                 []trouble
	more                                     int
}

// spans takes in when a session that counts began and ended.
func (c *shortTotal) spans(s *shortSession) {
	if !s.began.IsZero() && (c.first.IsZero() || s.began.Before(c.first)) {
		c.first = s.began
	}
	if s.last.After(c.last) {
		c.last = s.last
	}
}

// A trouble is a failure as it is told again at the end.
type trouble struct {
	n     int
	host  string
	lines []event.Text
}

// NewShort returns a renderer that writes to w.
func NewShort(w io.Writer) *Short {
	return &Short{Text: New(w), sessions: map[int]*shortSession{}, of: map[int]int{}, kinds: map[string]int{}, groups: map[string]*group{}}
}

// Heading writes a line over what follows.
func (t *Short) Heading(text event.Text) { t.Paragraph("", "", t.in(text), Bold) }

// Event takes the next event.
func (t *Short) Event(e *event.Event) error {
	if e.Overview != nil || e.Kind == event.KindGenealogy {
		return nil
	}
	if t.Width <= 0 {
		t.Width = 110 // who reads it later has no terminal to ask
	}
	if e.Session == 0 {
		if e.Kind != event.KindFact || !e.BriefSays() || refuted(e) {
			t.event(e)
		}
		return nil
	}
	s := t.at(e)
	if at, err := time.Parse(time.RFC3339Nano, e.Time); err == nil {
		if s.began.IsZero() || at.Before(s.began) {
			s.began = at
		}
		if at.After(s.last) {
			s.last = at
		}
	}
	if e.Host != "" {
		s.host, s.noise = e.Host, e.Noise
	}
	for _, p := range e.Proofs {
		switch p.State {
		case event.Proven:
			s.proven[provenKey{e.Conn, p.ID}] = true
		case event.Refuted:
			t.refuted(s, p)
		}
	}
	switch {
	case e.Kind == event.KindSummary:
		kept := *e
		s.summary, s.to = &kept, e.Summary.Legs[len(e.Summary.Legs)-1].To
		t.tell(s)
	case e.Kind == event.KindFact:
		t.fact(s, e)
	case e.HTTP != nil && e.Repeats == 0 && e.Leg != "origin":
		t.http(s, e)
	case (strings.HasPrefix(string(e.Topic), "http2-") || strings.HasPrefix(string(e.Topic), "http3-")) && e.Leg != "origin":
		s.framed = true
	case (e.Topic == "quic-0-rtt" || e.Topic == "quic-1-rtt") && e.Size != nil && e.Size.Reason != "":
		s.sealed = true
	case strings.HasPrefix(string(e.Topic), "websocket-") && e.Repeats == 0 && e.Leg != "origin":
		s.stream = "WebSocket"
		s.frames++
		if e.Size != nil {
			s.bytes += e.Size.Bytes
		}
	}
	if e.Kind == event.KindMessage && saysData(e) {
		s.data = true
	}
	if e.Ends != nil && e.Ends.Begins == event.BeginsMidstream {
		s.unseen = true
	}
	if e.Kind == event.KindEnd {
		if e.Tally != nil {
			s.title, s.to = e.Tally.Title, cmp.Or(s.to, e.Tally.Server)
			s.unseen = s.unseen || e.Tally.End == "open" && e.Leg == ""
		}
		delete(s.conns, e.Conn)
		delete(t.of, e.Conn)
		if len(s.conns) == 0 {
			t.end(s)
		}
	}
	return nil
}

// at is the session of an event. A connection may turn out to be of another's.
func (t *Short) at(e *event.Event) *shortSession {
	s := t.sessions[e.Session]
	if s == nil {
		s = &shortSession{n: e.Session, conns: map[int]bool{}, proven: map[provenKey]bool{}, group: &group{n: e.Session, open: 1}}
		t.sessions[e.Session] = s
	}
	if was, known := t.of[e.Conn]; e.Conn != 0 && e.Kind != event.KindEnd && (!known || was != e.Session) {
		if old := t.sessions[was]; known && old != nil {
			delete(old.conns, e.Conn)
			if len(old.conns) == 0 && !old.told {
				delete(t.sessions, was)
			}
		}
		t.of[e.Conn] = e.Session
		s.conns[e.Conn] = true
	}
	return s
}

// hidden tells that a session is not told: it is chatter, or not chosen.
func (t *Short) hidden(s *shortSession) bool {
	return t.folded(s) || t.Chosen != nil && !t.Chosen(s.n)
}

// folded tells that a session is a browser's own chatter, which is counted, whatever comes of it.
func (t *Short) folded(s *shortSession) bool {
	return s.noise && !t.All && !s.refuted
}

// fact tells what the proxy noted of an origin that it did not reach or take.
func (t *Short) fact(s *shortSession, e *event.Event) {
	if !e.Topic.Trouble() || len(e.Says) == 0 || e.Fact != nil && e.Fact.Outcome == "canceled" && t.beside(s) {
		return
	}
	t.trouble(s, s.n, []event.Text{words.NameText(e.Topic, e.Name), words.Whole(e.Says[0])})
}

// beside tells that another session with the same host goes on: a browser opens more than it
// needs, and hangs up what it does not.
func (t *Short) beside(s *shortSession) bool {
	for _, o := range t.sessions {
		if o != s && o.host == s.host && !o.failed {
			return true
		}
	}
	return false
}

// refuted tells at once what was refuted.
func (t *Short) refuted(s *shortSession, p event.Proof) {
	s.refuted = true
	if t.cases && strings.HasSuffix(s.host, "."+event.SiteDomain) {
		return // that is the fault which is tried
	}
	t.trouble(s, s.n, []event.Text{words.Piece("short/refuted", "claim", p.Claim), p.Reason})
}

// http follows requests and their answers.
func (t *Short) http(s *shortSession, e *event.Event) {
	h := e.HTTP
	switch e.Topic {
	case event.TopicRequest:
		if h.Method == "CONNECT" && h.Scheme == "http" {
			return
		}
		if s.exchanges == nil {
			s.exchanges = map[uint64]*exchange{}
		}
		if len(s.exchanges) < 1024 {
			s.exchanges[h.Exchange] = &exchange{request: Clean(h.Method), target: Clean(h.Target), scheme: h.Scheme, host: Clean(h.Authority)}
		}
		s.requests++
		if h.Target == "/faults" && s.host == event.SiteDomain {
			t.cases = true
		}
	case event.TopicResponse:
		x := s.exchanges[h.Exchange]
		if x == nil || h.Status < 200 && h.Status != 101 {
			return
		}
		x.answer = Clean(strings.TrimSpace(strconv.Itoa(h.Status) + " " + h.Reason))
		x.bad = h.Status >= 400
		x.ended(h)
		if h.Bodiless || h.Status == 101 {
			t.answered(s, h.Exchange)
		}
	case event.TopicResponseBody:
		x := s.exchanges[h.Exchange]
		if x == nil {
			return
		}
		x.size = words.Count(int(h.Length), "byte")
		if kind, _, _ := strings.Cut(h.Type, ";"); kind != "" {
			x.size = words.Piece("short/sized", "count", x.size, "type", strings.TrimSpace(kind))
		}
		x.ended(h)
		t.answered(s, h.Exchange)
	}
}

// ended notes how a call of gRPC ended.
func (x *exchange) ended(h *event.HTTP) {
	if h.GRPC != "" {
		x.answer += ", grpc-status " + Clean(h.GRPC) + ", stream " + strconv.FormatUint(h.Exchange, 10)
		x.bad, x.call = x.bad || h.GRPC[0] != '0', true
	}
}

// answered notes that an exchange is over; the first waits for its block.
func (t *Short) answered(s *shortSession, n uint64) {
	x := s.exchanges[n]
	delete(s.exchanges, n)
	if s.summary == nil && !s.told {
		if len(s.waiting) < 64 {
			s.waiting = append(s.waiting, x)
		} else {
			s.group.more++
		}
		return
	}
	t.exchange(s, x)
}

// exchange writes the line of a request that was answered.
func (t *Short) exchange(s *shortSession, x *exchange) {
	if !s.told || t.hidden(s) {
		return
	}
	if (s.group.lines >= maxLines || s.as || event.OwnStory(x.host, x.target)) && !x.bad {
		s.group.more++
		return
	}
	s.group.lines++
	t.Line(t.fit(t.number(s.n)+"  "+t.Paint(Dim, t.request(x)), x, ""))
}

func (t *Short) request(x *exchange) string {
	return x.request + " " + x.target
}

// outcome is what came of an exchange.
func (t *Short) outcome(x *exchange) string {
	if x.size.Empty() {
		return x.answer
	}
	return x.answer + ", " + t.in(x.size)
}

// fit puts what came of an exchange behind its line, which gives way where there is no room,
// and the rest behind that.
func (t *Short) fit(head string, x *exchange, rest string) string {
	tail := t.outcome(x)
	style := Plain
	if x.bad {
		style = Red
	}
	width := t.page() - columns.StringWidth(plain(rest))
	room := width - 2 - columns.StringWidth(tail)
	if columns.StringWidth(plain(head)) > room {
		if room <= 30 { // the answer has lines of its own
			return cutMiddle(plain(head), width) + rest + t.below(x)
		}
		head = cutMiddle(plain(head), room)
	}
	return head + "  " + t.Paint(style, tail) + rest
}

// plain is a line without its colours.
func plain(s string) string {
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			return s
		}
		j := strings.IndexByte(s[i:], 'm')
		if j < 0 {
			return s
		}
		s = s[:i] + s[i+j+1:]
	}
}

func (t *Short) number(n int) string { return pad(strconv.Itoa(n), 4) }

// pad puts spaces before s.
func pad(s string, width int) string {
	return strings.Repeat(" ", max(width-columns.StringWidth(s), 0)) + s
}

// page is how wide a block is.
func (t *Short) page() int { return min(t.Width, 130) }

// tell tells a session, once it is chosen.
func (t *Short) tell(s *shortSession) {
	if s.summary == nil || t.hidden(s) {
		return
	}
	e := s.summary
	s.summary = nil
	first := !s.told
	if first {
		t.total.sessions++
	}
	if t.cases && len(e.Says) > 0 && strings.HasPrefix(e.Says[0].ID, "shown-") {
		t.caseLine(s, e)
		return
	}
	for i := range e.Summary.Legs {
		if l := &e.Summary.Legs[i]; l.Trouble != nil {
			if l.HungUp() && s.requests == 0 && t.beside(s) {
				s.told = true
				t.total.unused++
				return
			}
			s.told, s.failed = true, true
			t.trouble(s, l.Conn, []event.Text{l.Trouble.Says, l.Trouble.Why, l.Trouble.Mend})
			t.waited(s)
			return
		}
	}
	s.told = true
	l := &e.Summary.Legs[0]
	kind := e.Summary.Kind()
	switch {
	case l.Flow == "http" && len(s.waiting) > 0:
		x := s.waiting[0]
		s.waiting = s.waiting[1:]
		t.Line(t.headline(s, x, t.in(l.Title), ""))
	case l.Flow == "http" && s.failed:
	case l.Flow == "http":
		t.joined(t.number(s.n)+"  ", "      ", []string{t.Paint(Bold, t.where(s, nil)), t.in(l.Title), t.in(l.Rows[0].Why)})
	case s.requests == 0 && !s.sealed && !mayHaveRefused(l) && (unused(l) && (!s.data || s.framed) && (l.Leg != "" || t.kinds[kind] != 0) || s.framed):
		t.total.unused++
		if t.spare == nil {
			t.spare = func() { t.connection(s, e, kind) }
		}
	case len(l.Aims) == 0:
		t.joined(t.number(s.n)+"  ", "      ", []string{t.Paint(Bold, t.where(s, nil)), t.in(l.Title)})
	default:
		t.connection(s, e, kind)
		return
	}
	t.waited(s)
}

// waited writes the requests that were answered before a session was told.
func (t *Short) waited(s *shortSession) {
	for _, x := range s.waiting {
		t.exchange(s, x)
	}
	s.waiting = nil
}

// saysData tells that a message is data of one side, or bytes that are not known to be none.
func saysData(e *event.Event) bool {
	switch e.Topic {
	case "application-data", "early-data", "not-http", "http-unread", "bytes-not-read", "late-bytes", "other-copy", "missing-bytes", "records-again":
		return true
	case event.TopicSealed, "sealed-record":
		return len(e.Says) > 0 && e.Says[0].ID == "sealed"
	}
	return false
}

// unused tells that a connection was opened and carried nothing.
func unused(l *event.Leg) bool {
	for _, r := range l.Rows {
		if r.Step == event.Step7 {
			return r.Verdict == event.NotReached
		}
	}
	return false
}

// mayHaveRefused tells that a client which sent no data had a reason to refuse: the certificate
// fails a check. Some clients look at the name after the handshake, and leave without an alert.
func mayHaveRefused(l *event.Leg) bool {
	for _, r := range l.Rows {
		switch r.Says.ID {
		case "step-4a-failed-late", "step-4a-finished-listens-fault", "step-4a-finished-only-mirrored", "step-4a-case-finished":
			return true
		}
	}
	return false
}

// connection tells a session in a block, or in a line if another went the same way.
func (t *Short) connection(s *shortSession, e *event.Event, kind string) {
	var x *exchange
	if len(s.waiting) > 0 {
		x, s.waiting = s.waiting[0], s.waiting[1:]
	}
	if key := kind + "|" + s.host; s.group.key == "" && s.host != "" {
		if g := t.groups[key]; g == nil {
			s.group.key, t.groups[key] = key, s.group
		} else {
			s.group = g
			if g.open++; (g.as || g.lines >= maxLines) && (x == nil || !x.bad) {
				s.as = true
				g.others = append(g.others, s.n)
				if x != nil {
					g.more++
				}
				t.waited(s)
				return
			}
			g.lines++
		}
	}
	if was, known := t.kinds[kind]; known {
		s.as = true
		s.group.as = s.group.as || s.group.n == s.n
		as := t.mark("short/as", "n", strconv.Itoa(was))
		if x != nil {
			t.Line(t.headline(s, x, as, "  "+t.took(s)))
		} else {
			t.joined("", "      ", []string{t.number(s.n) + "  " + t.Paint(Bold, t.where(s, nil)) + "  " + as, t.took(s)})
		}
	} else {
		if len(t.order) >= maxKinds {
			delete(t.kinds, t.order[0])
			t.order = t.order[1:]
		}
		t.kinds[kind], t.order = s.n, append(t.order, kind)
		t.block(s, e, x)
		if x != nil && x.call {
			t.exchange(s, x)
		}
	}
	t.waited(s)
}

// caseLine tells in a line what a client made of a fault that it tries among all.
func (t *Short) caseLine(s *shortSession, e *event.Event) {
	s.told, s.as = true, true
	style, says := Plain, event.Text{}
	l := &e.Summary.Legs[0]
	for _, r := range l.Rows {
		switch {
		case l.Trouble != nil && r.Step == l.Trouble.Step:
			style, says = Red, l.Trouble.Says
			if n := len(r.Acts); n > 0 && r.Acts[n-1].Sent && r.Verdict == event.Failed {
				who := words.Piece("short/client")
				if r.Acts[n-1].By == "server" {
					who = event.Plain("explainer")
				} else if l.Agent != "" {
					who = event.Plain(Clean(l.Agent))
				}
				says = words.Piece("short/case-stopped", "who", who, "step", string(r.Step), "alert", r.Acts[n-1].Says)
			}
		case l.Trouble == nil && r.Step == event.Step4a:
			says = words.First(r.Why)
		}
	}
	if says.Empty() && strings.HasPrefix(e.Says[0].ID, "shown-accepted") {
		says = words.Piece("because/went-on-bad")
	}
	t.joined(t.number(s.n)+"  ", "      ", []string{t.Paint(Bold, Clean(strings.TrimSuffix(s.host, "."+event.SiteDomain))), t.Paint(style, t.in(says))})
	t.waited(s)
	s.group.more = 0
}

// where is the address that a session is about, with the first thing asked for, cut where it is long.
func (t *Short) where(s *shortSession, x *exchange) string {
	return cutMiddle(t.address(s, x), max(t.page()*2/3, 24))
}

// headline is a session in a line: its address, which gives way where there is no room, how it went,
// and what came of its first request.
func (t *Short) headline(s *shortSession, x *exchange, how, rest string) string {
	const least = 24 // columns of an address
	head, says := t.number(s.n)+"  ", t.outcome(x)
	room := t.page() - columns.StringWidth(head+"  "+how+"  "+says+plain(rest))
	if room >= least {
		return t.fit(head+t.Paint(Bold, cutMiddle(t.address(s, x), room))+"  "+how, x, rest)
	}
	where := cutMiddle(t.address(s, x), max(t.page()-columns.StringWidth(head+"  "+how+plain(rest)), least))
	return head + t.Paint(Bold, where) + "  " + how + rest + t.below(x)
}

// below is what came of an exchange in lines of its own.
func (t *Short) below(x *exchange) string {
	style := Plain
	if x.bad {
		style = Red
	}
	var b strings.Builder
	for _, line := range Wrap(t.outcome(x), max(t.page()-6, 20)) {
		b.WriteString("\n      " + t.Paint(style, line))
	}
	return b.String()
}

func (t *Short) address(s *shortSession, x *exchange) string {
	host := Clean(cmp.Or(s.host, s.to))
	if x != nil {
		if s.host == "" && x.host != "" {
			host = x.host
		}
		target := x.target
		if !strings.HasPrefix(target, "/") {
			_, target, _ = strings.Cut(target, "://")
			_, path, ok := strings.Cut(target, "/")
			if target = ""; ok {
				target = "/" + path
			}
		}
		if host == "" {
			host = t.mark("short/no-name")
		}
		method := ""
		if x.request != "GET" {
			method = x.request + " "
		}
		return method + x.scheme + "://" + host + target
	}
	return cmp.Or(host, t.mark("short/no-name"))
}

// took is how long a session has gone on.
func (t *Short) took(s *shortSession) string {
	if s.began.IsZero() {
		return ""
	}
	return t.Paint(Dim, t.in(lasting(s.last.Sub(s.began))))
}

// Of a block: what stands left of its acts, how wide these are, and how wide a verdict is.
const (
	leftWidth    = 5
	actWidth     = 48
	packetsWidth = 9
	whyWidth     = 24 // the least that a column of reasons is worth
)

// verdictWidth is that of the widest verdict and a gap.
func (t *Short) verdictWidth() int {
	n := 0
	for v := range verdictStyles {
		n = max(n, columns.StringWidth(t.verdict(v)))
	}
	return n + 2
}

// block writes a connection: the eleven rows of the eight steps under the three questions.
func (t *Short) block(s *shortSession, e *event.Event, x *exchange) {
	if t.blocks == 0 {
		t.Paragraph("", "  ", t.mark("short/legend"), Dim)
	}
	t.Line("")
	l := &e.Summary.Legs[0]
	t.joined(t.number(s.n)+"  ", "      ", []string{t.Paint(Bold, t.where(s, x)), t.took(s), t.in(l.Title)})
	t.ends(l, e.Summary.Tunnel)
	aim := ""
	for i := range l.Rows {
		r := &l.Rows[i]
		if of := event.AimOf(r.Step); of != aim {
			aim = of
			for _, a := range l.Aims {
				if a.ID == aim {
					question := t.in(words.Named("aim-of", a.ID)) + "  "
					t.paragraphAt(leftWidth+2, t.spaces(leftWidth)+t.Paint(Bold, question), leftWidth+columns.StringWidth(question), t.in(a.Says), Plain)
				}
			}
		}
		t.rowShort(r)
	}
	if f := l.Frame; f != nil {
		t.Paragraph("", t.spaces(leftWidth), t.in(f.KeysSay), Plain)
		if !f.TripsSay.Empty() {
			t.Paragraph("", t.spaces(leftWidth), t.in(f.TripsSay), Plain)
		}
	}
	var foot []string
	if other := words.OtherLeg(e.Summary); !other.Empty() {
		foot = append(foot, t.in(other))
	}
	if n := len(s.proven); n > 0 {
		id := "short/proven"
		if len(s.conns) > 0 { // it goes on, and what comes may prove more
			id = "short/proven-so-far"
		}
		foot = append(foot, t.Paint(Green, t.mark(id, "n", strconv.Itoa(n))))
	}
	t.joined(t.spaces(leftWidth), t.spaces(leftWidth), foot)
	for _, says := range t.notes(e, l, s.failed) {
		t.Paragraph("", t.spaces(leftWidth), t.says(says), Yellow)
	}
	t.blocks++
}

// notes are what a block says beside its rows: why it was not opened, or else the first of what
// there is to say of it.
func (t *Short) notes(e *event.Event, l *event.Leg, failed bool) []event.Sentence {
	var out []event.Sentence
	for _, u := range l.Unopened {
		out = append(out, u.Says)
	}
	if len(out) == 0 && len(e.Says) > 0 && !failed {
		out = e.Says[:1]
	}
	return out[:min(len(out), 1)]
}

func (t *Short) spaces(n int) string { return strings.Repeat(" ", n) }

// joined writes parts in one line, or in more where they do not fit.
func (t *Short) joined(first, rest string, parts []string) {
	line, width, any := first, columns.StringWidth(first), false
	for _, p := range parts {
		n := columns.StringWidth(plain(p))
		if n == 0 {
			continue
		}
		if any && width+3+n > t.page() {
			t.Line(line)
			line, width, any = rest, columns.StringWidth(rest), false
		}
		if !any && width+n > t.page() {
			t.Paragraph(line, "", plain(p), Plain)
			line = rest
			continue
		}
		if any {
			line, width = line+"   ", width+3
		}
		line, width, any = line+p, width+n, true
	}
	if any {
		t.Line(line)
	}
}

// ends names the two sides over their columns.
func (t *Short) ends(l *event.Leg, tunnel bool) {
	client, server := cmp.Or(Clean(l.Agent), t.mark("short/client")), t.mark("short/server")
	if l.Leg == "browser" && !tunnel {
		server = t.mark("short/explainer")
	}
	gap := max(t.acts()-columns.StringWidth(client+server), 2)
	t.Line(t.Paint(Dim, t.spaces(leftWidth)+client+t.spaces(gap)+server))
}

// acts is how wide the column of acts is.
func (t *Short) acts() int {
	return max(min(actWidth, t.page()-leftWidth-t.verdictWidth()), 20)
}

// rowShort writes a step.
func (t *Short) rowShort(r *event.Row) {
	width, verdicts := t.acts(), t.verdictWidth()
	room := t.page() - leftWidth - width - 1 - verdicts
	packets := t.page() >= 100 && room-packetsWidth >= 30 // why comes before where
	lines, wide := t.actLines(r, width), packetsWidth
	if packets {
		for _, l := range lines {
			wide = max(wide, columns.StringWidth(l.packets)+1)
		}
		room -= wide
	}
	whys := []string{}
	proofs := signsOf[r.Mark()]
	if room >= whyWidth {
		why := t.in(r.Why)
		if mark := proofs; mark != "" {
			why = strings.TrimSpace(mark + " " + why)
		}
		if why != "" {
			whys = Wrap(why, room)
		}
	} else if proofs != "" && room >= 1 {
		whys = []string{proofs}
	}
	// The verdict stands beside the last message of the step, and on the first line where there are none.
	at := 0
	for i, l := range lines {
		if l.main {
			at = i
		}
	}
	if r.Step == event.Step1 {
		at = 0 // the hellos behind it are no part of the book's
	}
	if at < len(lines) && columns.StringWidth(lines[at].text) > width {
		lines = slices.Insert(lines, at+1, actLine{})
		at++
	}
	for i := 0; i < max(len(lines), at+len(whys)); i++ {
		var b strings.Builder
		step := ""
		if i == 0 {
			step = string(r.Step)
		}
		b.WriteString(t.Paint(Bold, pad(step, leftWidth-1)) + " ")
		act, style, p := "", Plain, ""
		if i < len(lines) {
			act, style, p = lines[i].text, lines[i].style, lines[i].packets
		}
		b.WriteString(t.Paint(style, Pad(act, width)) + " ")
		if i == at {
			b.WriteString(t.Paint(verdictStyles[r.Verdict], Pad(t.verdict(r.Verdict), verdicts)))
		} else {
			b.WriteString(t.spaces(verdicts))
		}
		why := ""
		if i >= at && i-at < len(whys) {
			why = whys[i-at]
		}
		b.WriteString(t.Paint(markStyle(why), Pad(why, max(room, 0))))
		if packets && p != "" { // what an act takes beyond its width, they give
			line, end := strings.TrimRight(b.String(), " "), leftWidth+width+1+verdicts+max(room, 0)+wide
			b.Reset()
			b.WriteString(line + t.Paint(Dim, pad(p, end-columns.StringWidth(plain(line)))))
		}
		t.Line(t.signs(strings.TrimRight(b.String(), " ")))
	}
	// What the check of the certificate came to is told at any width.
	if why := t.in(r.Why); r.Step == event.Step4a && room < whyWidth && why != "" {
		t.Paragraph(t.spaces(leftWidth+2), "", why, Plain)
	}
}

func markStyle(s string) Style {
	switch {
	case strings.HasPrefix(s, holds):
		return Green
	case strings.HasPrefix(s, fails):
		return alarm
	}
	return Plain
}

// The signs of a proof that holds and of one that does not, and the ends of arrows: one
// column wide each, whatever the locale.
const (
	holds = "\u2713"
	fails = "\u2717"
	right = "\u25ba"
	left  = "\u25c4"
	shaft = "\u2500"
)

var signsOf = map[event.ProofState]string{event.Proven: holds, event.Refuted: fails}

// asciiSigns stand in for them where a terminal has no others.
var asciiSigns = strings.NewReplacer(holds, "+", fails, "x", right, ">", left, "<", shaft, "-", "\u00b7", ".")

func (t *Short) signs(s string) string {
	if t.ASCII {
		return asciiSigns.Replace(s)
	}
	return s
}

// Proof is the sign of a proof and a space, or nothing where there is none.
func (t *Short) Proof(state event.ProofState) string {
	if sign := signsOf[state]; sign != "" {
		return t.signs(sign) + " "
	}
	return ""
}

// An actLine is one line of the acts of a step.
type actLine struct {
	text    string
	style   Style
	packets string
	main    bool // the verdict stands beside it
}

// actLines draws the acts of a step: a message as an arrow, and what happens inside one side
// on that side. Two short messages stand in one line.
func (t *Short) actLines(r *event.Row, width int) []actLine {
	acts := r.Acts
	var out []actLine
	for i := 0; i < len(acts); i++ {
		a := acts[i]
		if !a.Sent {
			text := t.in(a.Says)
			if a.By == "server" {
				text = pad(text, width)
			}
			style := Plain
			if a.By == "" {
				style = Dim
			}
			if columns.StringWidth(text) > width {
				for _, line := range Wrap(text, width) {
					out = append(out, actLine{text: line, style: style, main: len(out) == 0})
				}
				continue
			}
			out = append(out, actLine{text: text, style: style, main: len(out) == 0})
			continue
		}
		if i+1 < len(acts) && acts[i+1].Sent && (r.Step != event.Step1 || i > 0) {
			b := acts[i+1]
			if n, m := t.least(a), t.least(b); n+m+2 <= width {
				half := max(n, width/2-1)
				if m > width-half-2 {
					half = width - m - 2
				}
				out = append(out, actLine{text: t.arrow(a, half) + "  " + t.arrow(b, width-half-2), packets: packetsOf(a.Packets, b.Packets)})
				i++
				continue
			}
		}
		lines := []string{t.arrow(a, width)}
		if r.Step == event.Step7 && a.By == "client" { // its request may be of any length
			lines[0] = cutMiddle(lines[0], width)
		}
		if columns.StringWidth(lines[0]) > t.page()-leftWidth {
			lines = Wrap(lines[0], width)
		}
		for _, line := range lines {
			out = append(out, actLine{text: line})
		}
		out[len(out)-1].packets = packetsOf(a.Packets, a.Packets)
	}
	// The verdict is that of the message, where a step has one, else of what happens inside.
	if len(acts) > 0 && acts[0].Sent && len(out) > 0 {
		out[len(out)-1].main = true
	}
	return out
}

// name is the place of a message in time.
func placeName(a event.Act) string {
	if a.Place == 0 {
		return ""
	}
	return "m" + strconv.Itoa(a.Place) + " "
}

// saying is what an act says, and whether it is proved.
func (t *Short) saying(a event.Act) string {
	return strings.TrimSpace(t.in(a.Says) + " " + signsOf[event.MarkOf(a.Proofs)])
}

// least is the least width of an arrow.
func (t *Short) least(a event.Act) int {
	return columns.StringWidth(placeName(a)+t.saying(a)) + 4
}

// arrow draws a message.
func (t *Short) arrow(a event.Act, width int) string {
	name, says := placeName(a), t.saying(a)
	fill := width - columns.StringWidth(name+says) - 4
	if fill < 0 {
		if a.By == "server" {
			return name + left + " " + says
		}
		return name + says + " " + right
	}
	if a.By == "server" {
		return name + left + shaft + " " + says + " " + strings.Repeat(shaft, fill)
	}
	lead := min(fill, 1)
	return name + strings.Repeat(shaft, lead+1) + " " + says + " " + strings.Repeat(shaft, fill-lead) + right
}

// packetsOf is the packets from one to another.
func packetsOf(a, b *event.Packets) string {
	if a == nil || b == nil {
		return ""
	}
	return event.Packets{First: min(a.First, b.First), Last: max(a.Last, b.Last)}.Short()
}

// trouble writes why a connection failed, and keeps it for the end.
func (t *Short) trouble(s *shortSession, n int, lines []event.Text) {
	lines = slices.DeleteFunc(lines, event.Text.Empty)
	if t.Chosen != nil && !t.Chosen(s.n) || len(lines) == 0 {
		return
	}
	s.failed = true
	if t.folded(s) {
		if len(s.held) < maxLines {
			s.held = append(s.held, lines)
		}
		return
	}
	x := trouble{s.n, cmp.Or(s.host, s.to), lines}
	t.troubled(x)
	for i := range t.total.troubles { // at the end a connection has failed once
		if was := &t.total.troubles[i]; was.n == s.n {
			if len(was.lines) < maxLines {
				was.lines = slices.Concat(was.lines, lines)
			}
			return
		}
	}
	if len(t.total.troubles) < maxTroubles {
		t.total.troubles = append(t.total.troubles, x)
	} else {
		t.total.more++
	}
}

func (t *Short) troubled(x trouble) {
	host := Clean(x.host)
	if host == "" {
		host = t.mark("short/no-name")
	}
	head := t.number(x.n) + "  " + t.Paint(Bold, host) + "  "
	t.paragraphAt(6, head, columns.StringWidth(plain(head)), t.in(x.lines[0]), Red)
	for _, l := range x.lines[1:] {
		t.Paragraph("", "      ", t.in(l), Plain)
	}
}

// end is told when a session is over.
func (t *Short) end(s *shortSession) {
	delete(t.sessions, s.n)
	t.tell(s)
	if !s.told && s.summary == nil && !t.hidden(s) {
		t.total.sessions++
		switch {
		case s.requests == 0 && s.failed:
		case s.requests == 0 && s.data:
			t.joined(t.number(s.n)+"  ", "      ", []string{t.Paint(Bold, t.where(s, nil)), t.in(s.title)})
		case s.requests == 0 && s.unseen:
			t.total.bare++
		case s.requests == 0:
			t.total.unused++
		default:
			s.told = true
			t.waited(s)
		}
	}
	if t.folded(s) {
		if t.total.sessions == 0 && len(t.chatter) < maxChatter {
			t.chatter = append(t.chatter, s)
		} else {
			t.left.add(s.host)
		}
		return
	}
	if t.Chosen != nil && !t.Chosen(s.n) {
		return
	}
	t.unanswered(s)
	t.total.requests += s.requests
	t.total.proven += len(s.proven)
	t.total.spans(s)
	if g := s.group; g.open == 1 {
		t.groupEnd(g)
	} else {
		g.open--
	}
	if s.frames > 0 {
		t.Line(t.number(s.n) + "  " + t.mark("short/stream", "name", s.stream, "count", words.Count(s.frames, "message"), "bytes", words.Count(int(s.bytes), "byte")))
	}
}

// unanswered writes the requests of a session that is over to which no answer was seen to its end.
func (t *Short) unanswered(s *shortSession) {
	for _, n := range slices.Sorted(maps.Keys(s.exchanges)) {
		x := s.exchanges[n]
		if x.answer == "" {
			x.answer = t.mark("short/unanswered")
		} else {
			x.answer = t.mark("short/unfinished", "answer", x.answer)
		}
		t.exchange(s, x)
	}
}

// maxOthers is how many sessions of a group are named.
const maxOthers = 8

// groupEnd counts what of a group has no line.
func (t *Short) groupEnd(g *group) {
	delete(t.groups, g.key)
	var parts []event.Text
	if g.more > 0 {
		parts = append(parts, words.Count(g.more, "more request"))
	}
	if n := len(g.others); n > 0 {
		var names []event.Text
		slices.Sort(g.others)
		for _, n := range g.others[:min(n, maxOthers)] {
			names = append(names, event.Plain(strconv.Itoa(n)))
		}
		if n > maxOthers {
			names = append(names, words.Piece("conn/more"))
		}
		parts = append(parts, words.Piece("short/others", "count", words.Count(n, "more connection"), "n", strconv.Itoa(g.n), "numbers", words.List("and", names...)))
	}
	if len(parts) > 0 {
		t.Paragraph(t.number(g.n)+"  ", "", t.in(words.List(";", parts...)), Dim)
	}
}

// Finish ends the story: what is left is told, and what all came to.
func (t *Short) Finish() error {
	for _, n := range slices.Sorted(maps.Keys(t.sessions)) {
		t.end(t.sessions[n])
	}
	// A capture may be of nothing else than a browser's own.
	alone := t.total.sessions == 0
	t.All = t.All || alone
	for _, s := range t.chatter {
		if !alone {
			t.left.add(s.host)
			continue
		}
		for _, lines := range s.held {
			t.trouble(s, s.n, lines)
		}
		t.end(s)
	}
	c := &t.total
	if t.spare != nil && c.sessions == c.unused { // nothing else was told
		c.unused--
		t.spare()
	}
	if c.sessions > 0 {
		t.Line("")
		parts := []event.Text{words.Count(c.sessions, "connection"), words.Count(c.requests, "request")}
		if d := c.last.Sub(c.first); d > 0 {
			parts = append(parts, words.Piece("short/within", "span", lasting(d)))
		}
		parts = append(parts, words.Piece("short/proven", "n", strconv.Itoa(c.proven)))
		if c.unused > 0 {
			parts = append(parts, words.Piece("short/unused", "count", words.Count(c.unused, "connection")))
		}
		if c.bare > 0 {
			parts = append(parts, words.Piece("short/bare", "count", words.Count(c.bare, "connection")))
		}
		t.Paragraph("", "  ", t.in(words.List(";", parts...)), Bold)
		if t.blocks > 0 {
			t.Paragraph("", "  ", t.mark("short/closer"), Dim)
		}
	}
	if len(c.troubles) > 0 && c.sessions > 1 { // else it stands right above
		t.Line("")
		t.Paragraph("", "  ", t.mark("short/failed", "n", strconv.Itoa(len(c.troubles)+c.more)), Red)
		for _, x := range c.troubles {
			t.troubled(x)
		}
		if c.more > 0 {
			t.Paragraph("", "  ", t.mark("short/failed-more", "n", strconv.Itoa(c.more)), Red)
		}
	}
	return t.Text.Finish()
}
