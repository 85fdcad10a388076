// Package survey sums up what a capture comes to, from the events of its story.
package survey

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

const (
	maxRefutations = 20
	maxOddConns    = 12
	maxHosts       = 12
	maxCounted     = 1 << 16 // different names of one kind
)

// A Survey gathers an overview from the events of a story. Its zero value is
// ready for use. It holds what it counts, and of a connection something only
// while that is open.
type Survey struct {
	// Noted gets what is odd of a connection, once of each, as the overview names it: the ID of
	// its sentence, and what it is about; nil where nobody asks.
	Noted func(odd string, conn int, what event.Text)

	o         event.Overview
	n         int // of the last event
	begin     time.Time
	end       time.Time
	protocols counts
	versions  counts
	exchanges counts
	suites    counts
	alpn      counts
	hosts     counts
	states    counts
	failed    counts
	chains    counts
	alerts    counts
	whyConns  counts
	names     map[string]event.Text // of what is counted, where they have words of ours
	why       map[string]event.Why
	odd       map[string]*event.Odd
	values    map[string]words.Args // of what is odd
	bad       []event.Line          // that failed
	open      map[int]*surveyed
}

// surveyed is what is known of an open connection.
type surveyed struct {
	requests  int
	proven    int
	unchecked int
	refuted   int
	tunnel    bool            // its last request was for a tunnel
	again     bool            // it is another connection, captured once more
	noted     map[string]bool // what is odd about it
}

// counts counts by name, and names that it has no room for together.
type counts map[string]int

func (c *counts) add(name string, n int) {
	if *c == nil {
		*c = make(counts)
	}
	if _, ok := (*c)[name]; !ok && len(*c) >= maxCounted {
		name = event.Others
	}
	(*c)[name] += n
}

// oddOf are sentences of single messages that belong into an overview, and what it says of them.
var oddOf = map[string]string{
	"heartbleed":                 "odd-heartbleed",
	"heartbleed-answered":        "odd-heartbleed-answered",
	"sealed-heartbeat-longer":    "odd-heartbeat-longer",
	"downgrade-sentinel-ignored": "odd-downgrade",
	"key-reused":                 "odd-key-reused",
	"server-hello-unregistered":  "odd-unregistered",
	"client-hello-misplaced":     "odd-misplaced-hello",
	"client-hello-renegotiation": "odd-renegotiation",
	"sealed-bad-tag":             "odd-bad-tag",
}

// Add takes in the next event of the story.
func (s *Survey) Add(e *event.Event) {
	s.n = max(s.n, e.N)
	if at, err := time.Parse(time.RFC3339Nano, e.Time); err == nil && (e.Packets != nil || e.Kind == event.KindEnd) {
		if s.begin.IsZero() || at.Before(s.begin) {
			s.begin = at
		}
		if at.After(s.end) {
			s.end = at
		}
	}
	if c := s.open[e.Conn]; c != nil && c.again {
		if e.Tally != nil {
			delete(s.open, e.Conn)
		}
		return
	}
	if e.Conn == 0 {
		s.proofs(e, &surveyed{})
		if e.Topic == event.TopicLeftOut {
			s.note("odd-left-out", 0, nil)
		}
		return
	}
	c := s.open[e.Conn]
	if c == nil {
		if e.Kind != event.KindConnection {
			s.proofs(e, &surveyed{})
			return // what the proxy still had to say
		}
		if s.open == nil {
			s.open = make(map[int]*surveyed)
		}
		c = &surveyed{}
		s.open[e.Conn] = c
		s.o.Connections++
	}
	s.proofs(e, c)
	if slices.ContainsFunc(e.Says, func(say event.Sentence) bool { return say.ID == "connection-again" }) {
		c.again = true
		s.o.Connections--
		s.o.Copies++
		s.o.Requests -= c.requests
		s.o.Proven -= c.proven
		s.o.Unchecked -= c.unchecked
		s.note("odd-again", e.Conn, nil)
		return
	}
	if len(e.Checks) > 0 && e.From == "server" {
		s.chain(e)
	}
	for _, say := range e.Says {
		if id, ok := oddOf[say.ID]; ok {
			s.note(id, e.Conn, nil)
		}
	}
	switch {
	case e.Topic == event.TopicRequest:
		// A CONNECT asks a proxy for a way, and no server for anything.
		if c.tunnel = e.HTTP.Scheme == "http" && e.HTTP.Method == "CONNECT"; c.tunnel {
			break
		}
		c.requests++
		if e.Leg != "origin" {
			s.o.Requests++
		}
	case e.Topic == event.TopicResponse:
		if e.Leg != "origin" && !c.tunnel {
			s.o.Responses++
		}
	case e.Alert != nil:
		s.alerts.add(s.named(words.AlertOf(e.Alert, e.From)), 1)
	case e.Tally != nil:
		s.ended(e, c)
		delete(s.open, e.Conn)
	}
}

// proofs counts what an event shows of a connection.
func (s *Survey) proofs(e *event.Event, c *surveyed) {
	for _, p := range e.Proofs {
		switch p.State {
		case event.Proven:
			s.o.Proven++
			c.proven++
		case event.NotCheckable:
			s.o.Unchecked++
			c.unchecked++
		case event.Refuted:
			s.o.Refuted++
			c.refuted++
			if len(s.o.Refutations) < maxRefutations {
				s.o.Refutations = append(s.o.Refutations, event.Refutation{Conn: e.Conn, ID: p.ID, Claim: p.Claim, Reason: p.Reason})
			}
		}
	}
}

// chain counts a server's certificate that was checked.
func (s *Survey) chain(e *event.Event) {
	outcome := "ok"
	for _, c := range e.Checks {
		switch {
		case c.Outcome == "failed":
			outcome = "failed"
			s.note("odd-certificate", e.Conn, words.Args{"what": words.Reason(c.Reason, "", "")})
		case c.Outcome == "warned" && outcome == "ok":
			outcome = "warned"
		}
	}
	// A stapled response in a message of its own completes the checks of the message before.
	if e.Topic != event.TopicCertificateStatus {
		s.chains.add(outcome, 1)
	}
}

// note counts something odd.
func (s *Survey) note(id string, conn int, a words.Args) {
	key := id + "\x00" + a.Value("what").English
	if c := s.open[conn]; c != nil { // it may happen many times in one connection
		if c.noted[key] {
			return
		}
		if c.noted == nil {
			c.noted = make(map[string]bool)
		}
		c.noted[key] = true
	}
	if s.Noted != nil {
		s.Noted(id, conn, a.Value("what"))
	}
	o := s.odd[key]
	if o == nil {
		if s.odd == nil {
			s.odd, s.values = make(map[string]*event.Odd), make(map[string]words.Args)
		}
		if len(s.odd) >= 100 {
			return
		}
		o = &event.Odd{}
		s.odd[key], s.values[key] = o, a.With("id", id)
	}
	o.N++
	if conn > 0 && len(o.Conns) < maxOddConns {
		o.Conns = append(o.Conns, conn)
	}
}

// ended counts a connection that is over.
func (s *Survey) ended(e *event.Event, c *surveyed) {
	t := e.Tally
	s.protocols.add(t.Protocol, 1)
	s.o.Data += t.Data[0] + t.Data[1]
	line := event.Line{
		Conn: e.Conn, Session: e.Session, Leg: e.Leg, Host: e.Host, Server: t.Server, Protocol: t.Protocol, Version: t.Version,
		State: t.State, Resumed: t.Resumed, Requests: c.requests, Failed: t.Failed, GivenUp: t.GivenUp, Cause: t.Cause, Refuted: c.refuted,
	}
	if e.Leg != "origin" || e.Session == e.Conn {
		s.o.Sessions++
		if e.Host != "" {
			s.hosts.add(e.Host, 1)
		} else {
			s.o.Nameless++
		}
	}
	if t.GivenUp {
		s.o.GivenUp++
	}
	if t.Failed != "" {
		s.failed.add(string(t.Failed), 1)
	}
	if t.Missing > 0 {
		s.note("odd-gap", e.Conn, nil)
	}
	if t.Broken {
		s.note("odd-malformed", e.Conn, nil)
	}
	if !t.Begun && !t.Continued {
		s.note("odd-midstream", e.Conn, nil)
	}
	switch t.Protocol {
	case event.ProtocolHTTP:
		s.note("odd-plain-http", e.Conn, nil)
	case event.ProtocolQUIC:
		s.note("odd-quic", e.Conn, nil)
	case event.ProtocolDTLS:
		s.note("odd-dtls", e.Conn, nil)
	}
	switch t.Protocol {
	case event.ProtocolTLS, event.ProtocolQUIC, event.ProtocolDTLS:
		line.Exchange = words.ExchangeOf(t)
		s.secured(e.Conn, t, s.named(line.Exchange))
	}
	if len(s.o.Lines) < event.MaxLines {
		s.o.Lines = append(s.o.Lines, line)
	}
	if len(s.bad) < event.MaxLines && (line.Failed != "" || line.Refuted > 0) {
		s.bad = append(s.bad, line)
	}
}

// secured counts a connection of TLS, QUIC or DTLS.
func (s *Survey) secured(conn int, t *event.Tally, exchange string) {
	s.o.Secured++
	s.states.add(t.State, 1)
	for _, w := range t.Why {
		if s.why == nil {
			s.why = make(map[string]event.Why)
		}
		sum := s.why[w.Reason]
		sum.Reason, sum.Words, sum.Records = w.Reason, w.Words, sum.Records+w.Records
		s.why[w.Reason] = sum
		s.whyConns.add(w.Reason, 1)
	}
	if t.Resumed {
		s.o.Resumed++
	}
	if t.Version == "" {
		s.versions.add(s.named(words.NoHello()), 1)
		return
	}
	s.versions.add(t.Version, 1)
	s.exchanges.add(exchange, 1)
	s.suites.add(t.Suite, 1)
	if t.ALPN != "" {
		s.alpn.add(t.ALPN, 1)
	}
	switch t.Version {
	case "SSL 2.0", "SSL 3.0":
		s.note("odd-ssl", conn, words.Args{"what": t.Version})
	case "TLS 1.0", "TLS 1.1", "DTLS 1.0":
		s.note("odd-old-version", conn, words.Args{"what": t.Version})
	}
	if id := oddSuite(t.Suite); id != "" {
		s.note(id, conn, words.Args{"what": t.Suite})
	}
	switch t.Flow {
	case "tls12-rsa":
		if t.State == event.StateNothing { // so there is nothing to read later
			s.note("odd-rsa-chosen", conn, nil)
			break
		}
		s.note("odd-rsa", conn, nil)
	case "tls12-dhe":
		s.note("odd-dhe", conn, nil)
		if t.GroupBits > 0 && t.GroupBits < 2048 {
			s.note("odd-dhe-small", conn, words.Args{"what": strconv.Itoa(t.GroupBits)})
		}
	case "tls12-anonymous":
		s.note("odd-anonymous", conn, nil)
	}
}

// oddSuite finds suites that nobody should use any more, by the registry's names.
func oddSuite(name string) string {
	switch {
	case strings.Contains(name, "_WITH_NULL_"):
		return "odd-suite-null"
	case strings.Contains(name, "EXPORT"):
		return "odd-suite-export"
	case strings.Contains(name, "_RC4_"):
		return "odd-suite-rc4"
	case strings.Contains(name, "_WITH_DES_") || strings.Contains(name, "3DES"):
		return "odd-suite-des"
	}
	return ""
}

// named keeps the words of a name by which something is counted.
func (s *Survey) named(t event.Text) string {
	if t.Of != nil && len(s.names) < maxCounted {
		if s.names == nil {
			s.names = make(map[string]event.Text)
		}
		s.names[t.English] = t
	}
	return t.English
}

// counted lists counts by name, with the names' words.
func (s *Survey) counted(c counts) []event.Count {
	list := event.Counts(c)
	for i := range list {
		list[i].Words = s.names[list[i].Name]
	}
	return list
}

// Overview returns what the events so far come to, as the event that ends the story.
func (s *Survey) Overview(f event.File) *event.Event {
	o := s.o
	o.File = f
	begin, end := s.begin, s.end
	if f.End != 0 { // packets before the first connection, between them and behind the last count, too
		begin, end = time.Unix(0, f.Begin).UTC(), time.Unix(0, f.End).UTC()
	}
	if !begin.IsZero() {
		o.Begin, o.End = begin.Format(time.RFC3339Nano), end.Format(time.RFC3339Nano)
	}
	o.Protocols, o.Versions, o.Exchanges, o.Suites, o.ALPN = event.Counts(s.protocols), s.counted(s.versions), s.counted(s.exchanges), event.Counts(s.suites), event.Counts(s.alpn)
	o.Chains = event.Counts(s.chains)
	o.States, o.Alerts, o.WhyConns = event.Counts(s.states), s.counted(s.alerts), event.Counts(s.whyConns)
	o.Refutations = slices.Clone(o.Refutations)
	slices.SortStableFunc(o.Refutations, func(a, b event.Refutation) int { return a.Conn - b.Conn })
	if o.Connections > event.MaxLines {
		o.Lines = s.bad
	}
	o.Lines = slices.Clone(o.Lines)
	o.Hosts, o.Names = event.Counts(s.hosts), len(s.hosts)
	if len(o.Hosts) > maxHosts {
		o.Hosts = o.Hosts[:maxHosts]
	}
	for _, step := range event.Steps {
		if n := s.failed[string(step)]; n > 0 {
			o.Failed = append(o.Failed, event.Count{Name: string(step), N: n})
		}
	}
	for _, c := range o.WhyConns {
		o.Why = append(o.Why, s.why[c.Name])
	}
	slices.SortFunc(o.Lines, func(a, b event.Line) int {
		return cmp.Or(a.Session-b.Session, legOrder(a.Leg)-legOrder(b.Leg), a.Conn-b.Conn)
	})
	for key, odd := range s.odd {
		v := s.values[key]
		a := v.With("count", words.Count(odd.N, "connection"))
		odd := *odd
		slices.Sort(odd.Conns)
		odd.Says = words.Say(v.Value("id").English, event.Inferred, a)
		o.Odd = append(o.Odd, odd)
	}
	if o.Connections > 0 && o.Secured == 0 {
		o.Odd = append(o.Odd, event.Odd{Says: words.Say("odd-no-tls", event.Clear, nil)})
	}
	var carriers []string
	for _, u := range o.File.Unread {
		if name := words.Carrier(u.Reason, u.Number); name != "" && !slices.Contains(carriers, name) {
			carriers = append(carriers, name)
			o.Odd = append(o.Odd, event.Odd{Says: words.Say("odd-carrier", event.Clear, words.Args{"what": name})})
		}
	}
	slices.SortFunc(o.Odd, func(a, b event.Odd) int {
		return cmp.Or(slices.Index(words.OddOrder, a.Says.ID)-slices.Index(words.OddOrder, b.Says.ID), b.N-a.N, strings.Compare(a.Says.Text, b.Says.Text))
	})
	return &event.Event{Schema: event.SchemaVersion, N: s.n + 1, Kind: event.KindFile, Topic: event.TopicOverview, Name: words.NameOf(event.TopicOverview, ""), Brief: words.Piece("brief/overview", "connections", words.Count(o.Connections, "connection"), "packets", words.Count(f.Packets, "packet")), Overview: &o}
}

// legOrder puts the browser's leg before the origin's.
func legOrder(leg string) int {
	if leg == "origin" {
		return 1
	}
	return 0
}
