// Package annotate tells what messages mean: which of the eight steps of HTTPS
// each one is, whether it happened as the textbook tells it, and what can be proved.
//
// It is pure: an [Explainer] is fed messages and returns events of package event,
// which renderers turn into text or JSON lines.
package annotate

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"explainer/annotate/event"
	"explainer/annotate/mask"
	"explainer/annotate/proof"
	"explainer/annotate/steps"
	"explainer/annotate/words"
	"explainer/ca/verify"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/web"
)

// An Explainer turns messages into events. Its zero value is ready for use. It
// holds no clock, and the same messages give the same events.
type Explainer struct {
	// ShowSecrets shows credentials and keys, which are masked otherwise.
	ShowSecrets bool
	// Secrets adds to each leg of a summary the key schedule with its real values,
	// which open the connection. The summary then waits for the connection's end.
	Secrets bool
	// Bytes adds to each handshake message its bytes, and which field they are.
	Bytes bool
	// Packets tells each packet of QUIC that was opened, those too that only carry data and acknowledge.
	Packets bool

	// NoFields leaves out the fields of hellos, certificates and heads, NoFacts those facts of
	// a leg that a summary says in a line: a short story and an overview show none, rows no fields.
	NoFields, NoFacts bool
	// Eavesdropper tells what somebody on the path without any key sees, and says
	// for each step what stays hidden. The reader must then feed it no keys or facts.
	Eavesdropper bool

	// Roots are what servers' certificates are checked against, and ClientRoots clients'; nil if there are none.
	Roots, ClientRoots *verify.Roots
	// RootsName is what these Roots are called; empty: by their own name.
	RootsName event.Text

	authorities authorities
	places      web.Places // where names have led
	checked     checkedChains

	mask mask.Rule

	turn     turn
	headers  headerFields
	n        int // number of the last event
	out      []event.Event
	conns    map[int]*conn
	sessions map[int]*session
	order    []int // sessions in the order in which they began
	whole    steps.Whole
	certs    proof.Certificates
	earlier  earlier
	dark     []dark // connections whose tickets may have passed sealed
	kinship  []relative
	kinMore  int                     // connections that kinship has no room for
	hellos   earlier                 // of connections, both sides' together
	shares   earlier                 // public values of the key exchange
	pending  map[int][]*capture.Fact // facts about connections that have not begun
	last     int                     // the highest number of a connection that began
	done     []*conn                 // connections that are over and told, oldest first
}

// A session is one story: a connection, or the browser's and the origin's leg of the proxy.
type session struct {
	number int
	host   string
	noise  bool
	conns  []*conn // browser leg first
	told   []bool  // which of conns a summary was told of
	// What the proxy noted about the origin of this session.
	notes []event.Sentence
}

// A stepSet is some of the steps.
type stepSet []event.Step

func (s stepSet) has(step event.Step) bool { return slices.Contains(s, step) }

func (s *stepSet) add(step event.Step) {
	if !s.has(step) {
		*s = append(*s, step)
	}
}

func (s *stepSet) remove(step event.Step) {
	*s = slices.DeleteFunc(*s, func(other event.Step) bool { return other == step })
}

// conn is the story of one connection so far: what the steps look at, and what was told.
type conn struct {
	steps.View
	n       int
	session *session
	held    *event.Event // the event of its beginning, until it is known to which session it belongs
	began   time.Time
	copyOf  int              // the number of the connection that this one is, captured once more; 0: none
	twin    []event.Sentence // that it has the hellos of another one

	numbered [2]numbered // DTLS

	tlsInside bool  // data in it began as TLS does
	now       int64 // time of the last message
	latest    int64 // of the latest packet of those so far

	alpn     string // what was chosen
	host     string // where it is not the session's, which has another since
	upstream bool   // an origin's leg that leads to another proxy
	httpHead bool
	httpSaid bool // a request in TLS was asked who its client is
	// perhapsTunnel tells that the latest response may be the answer to a CONNECT that is not here.
	perhapsTunnel bool
	bled          [2]bool  // by side: it sent a heartbeat that must not be answered
	beats         [2]beats // by side
	streams       streams  // of HTTP/2
	webGap        webGap
	paging        paging
	tally         tally
	telling

	printed *handshake.ClientHello // of which prints are
	prints  []event.Field
}

// telling is what was told of a connection.
type telling struct {
	settled   stepSet
	ready     bool // the summary of this leg can be told
	told      bool // and was
	retired   bool
	kinTold   bool // it was told which connection it takes up
	darkNoted bool // and that its tickets may be sealed
}

// Explain tells what a message means. The events are numbered on; the slice is
// valid until the next call.
func (x *Explainer) Explain(m *capture.Message) []event.Event {
	x.out = x.out[:0]
	if x.conns == nil {
		x.conns = make(map[int]*conn)
		x.sessions = make(map[int]*session)
		x.pending = make(map[int][]*capture.Fact)
		x.whole.Eavesdropper, x.whole.Text = x.Eavesdropper, x.text
		switch {
		case x.Bytes && (x.Secrets || x.ShowSecrets):
			x.whole.Redo = proof.RedoAll
		case x.Bytes:
			x.whole.Redo = proof.RedoOpen
		}
	}
	if f, ok := m.Body.(*capture.Fact); ok {
		x.fact(m, f)
		return x.out
	}
	if _, ok := m.Body.(*capture.KeyLine); ok {
		x.whole.Lines++
	}
	if m.Conn == nil {
		return x.out
	}
	c := x.conns[m.Conn.Number]
	if k, ok := m.Body.(*capture.Keyed); ok {
		if c != nil {
			c.keyed(k)
		}
		return x.out
	}
	if l, ok := m.Body.(*capture.Late); ok && l.Behind && c == nil {
		return x.out // it was let go
	}
	if c == nil {
		c = x.begin(m)
	}
	if b, ok := m.Body.(*capture.InnerHello); ok {
		x.innerHello(c, m, b)
		return x.out
	}
	c.now, c.latest = m.Time, max(c.latest, m.Time, m.Until)
	if _, ok := m.Body.(*capture.Opened); !ok {
		x.release(c)
	}
	c.Sides[m.Side&1].Opened = c.Sides[m.Side&1].Opened || m.Opened
	c.Sides[m.Side&1].Take(m)
	c.tally.note(c, m)
	if c.OverUDP() {
		x.udp(c, m)
		x.summarize(c.session, false)
		x.balance(c, false)
		x.retire(c)
		return x.out
	}
	switch b := m.Body.(type) {
	case *capture.Opened:
	case *capture.ChangeCipherSpec:
		x.changeCipherSpec(c, m, b)
	case *capture.Alert:
		x.alert(c, m, b)
	case *capture.AppData:
		x.appData(c, m, b)
	case *capture.Heartbeat:
		x.heartbeat(c, m, b)
	case *capture.Sealed:
		x.sealed(c, m, b)
	case *capture.Malformed:
		x.malformed(c, m, b)
	case *capture.Missing:
		x.missing(c, m, b)
	case *capture.CutHello:
		x.cutHello(c, m, b)
	case *capture.CutServerHello:
		x.cutServerHello(c, m, b)
	case *capture.Late:
		x.late(c, m, b)
	case *capture.StartTLS:
		x.startTLS(c, m, b)
	case *capture.Again:
		x.again(c, m, b)
	case *capture.Opaque:
		x.opaque(c, m, b)
	case *capture.Closed:
		x.closed(c, m, b)
	case *capture.Ended:
		if b.Why != "" { // else Finish tells it, when all of the capture is known
			x.left(c, m, b)
		}
	case handshake.Message:
		x.handshake(c, m, b)
	default:
		x.web(c, m)
	}
	x.summarize(c.session, false)
	x.balance(c, false)
	x.retire(c)
	return x.out
}

// maxDone is how many connections are remembered after they are over: the proxy's
// last words about one come after its end.
const maxDone = 1024

// retire lets go of connections that were over long ago.
func (x *Explainer) retire(c *conn) {
	if !c.Over || c.retired {
		return
	}
	c.retired = true
	if x.done = append(x.done, c); len(x.done) <= maxDone {
		return
	}
	old := x.done[0]
	x.done = x.done[1:]
	x.balance(old, true)
	delete(x.conns, old.n)
	s := old.session
	for _, other := range s.conns {
		if x.conns[other.n] != nil {
			return
		}
	}
	x.leave(s)
}

// leave lets go of a session.
func (x *Explainer) leave(s *session) {
	delete(x.sessions, s.number)
	for _, c := range s.conns { // those that were announced before they began
		if x.sessions[c.n] == s {
			delete(x.sessions, c.n)
		}
	}
	if len(x.order) > 64+2*len(x.sessions) {
		x.order = slices.DeleteFunc(x.order, func(n int) bool { return x.sessions[n] == nil })
	}
}

// Finish tells what is left when the input ends: the steps of connections that
// were still open.
func (x *Explainer) Finish() []event.Event {
	x.out = x.out[:0]
	for _, n := range x.order {
		s := x.sessions[n]
		if s == nil {
			continue
		}
		for _, c := range s.conns {
			x.release(c)
			if !c.Over {
				c.endsHere("")
				x.settleEnd(c)
			}
		}
		x.summarize(s, true)
		for _, c := range s.conns {
			x.balance(c, true)
		}
	}
	if e, ok := x.genealogy(); ok {
		x.put(e)
	}
	return x.out
}

// begin makes the story of a connection that was not heard of.
func (x *Explainer) begin(m *capture.Message) *conn {
	c := &conn{
		View: steps.View{Whole: &x.whole, Conn: m.Conn, Leg: m.Conn.Leg}, n: m.Conn.Number, began: at(m.Time), now: m.Time,
	}
	if o, ok := m.Body.(*capture.Opened); ok {
		c.QUICVersion = o.QUICVersion
	}
	for i := range c.Sides {
		c.Sides[i].Start = m.Conn.Begins[i]
	}
	c.Latest = c.begin()
	c.Main = c.Latest
	x.conns[c.n] = c
	c.Opening = proof.Place{First: m.First, Last: m.Last}
	x.last = max(x.last, c.n)
	s := x.sessions[c.n]
	if s == nil {
		s = &session{number: c.n}
		x.sessions[c.n] = s
		x.order = append(x.order, c.n)
	}
	x.join(s, c)
	for _, p := range s.conns {
		if p != c { // the other leg, whose facts were about both
			c.Pass, c.Asked = p.Pass, p.Asked
		}
	}
	for _, f := range x.pending[c.n] {
		x.apply(c, f)
	}
	delete(x.pending, c.n)
	e := x.connectionEvent(c, m)
	if c.Leg == capture.LegOrigin && c.session.number == c.n {
		// The fact that ties it to the browser's leg is about to come.
		c.held = &e
	} else {
		x.emit(c, e)
	}
	return c
}

func (x *Explainer) release(c *conn) {
	if c.held != nil {
		e := *c.held
		c.held = nil
		x.emit(c, e)
	}
}

// join puts a connection into a session, and out of its own.
func (x *Explainer) join(s *session, c *conn) {
	if c.session == s {
		return
	}
	if old := c.session; old != nil {
		if i := slices.Index(old.conns, c); i >= 0 {
			old.conns = slices.Delete(old.conns, i, i+1)
			old.told = slices.Delete(old.told, i, i+1)
		}
		if len(old.conns) == 0 {
			x.leave(old)
		}
	}
	c.session = s
	if c.Leg == capture.LegBrowser {
		s.conns = slices.Insert(s.conns, 0, c)
		s.told = slices.Insert(s.told, 0, c.told)
	} else {
		s.conns = append(s.conns, c)
		s.told = append(s.told, c.told)
	}
}

func at(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// rename gives an event another topic.
func rename(e *event.Event, topic event.Topic, own string) {
	e.Topic, e.Name = topic, words.NameOf(topic, own)
}

// messageTopics are the topics of the messages of the handshake.
var messageTopics = func() (topics [256]event.Topic) {
	for i := range topics {
		topics[i] = topicOf("", handshake.TypeName(handshake.Type(i)))
	}
	return topics
}()

// topicOf makes a topic of a name that the RFCs give: "ClientHello", or behind
// "http2-" "WINDOW_UPDATE".
func topicOf(family, name string) event.Topic {
	out := []byte(family)
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c >= 'A' && c <= 'Z':
			if i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z' {
				out = append(out, '-')
			}
			out = append(out, c|0x20)
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			out = append(out, c)
		case len(out) > 0 && out[len(out)-1] != '-':
			out = append(out, '-')
		}
	}
	return event.Topic(out)
}

// event makes an event about a message. own is the name of what the RFCs name.
func (x *Explainer) event(c *conn, m *capture.Message, kind event.Kind, topic event.Topic, own string) event.Event {
	e := event.Event{Kind: kind}
	rename(&e, topic, own)
	if m != nil {
		e.Time = at(m.Time).Format(time.RFC3339Nano)
		if m.Until > m.Time {
			e.Until = at(m.Until).Format(time.RFC3339Nano)
		}
		if m.First != 0 {
			e.Packets = &event.Packets{First: m.First, Last: m.Last}
		}
		if kind == event.KindMessage {
			e.From = m.Side.String()
			e.Evidence = event.Clear
			if m.Opened && !c.Null() {
				e.Evidence = event.Decrypted
				e.Early = m.By == "CLIENT_EARLY_TRAFFIC_SECRET"
			}
			if m.Span.End > m.Span.Start {
				e.Bytes = &event.Span{Start: m.Span.Start, End: m.Span.End}
			}
		}
	} else {
		e.Time = at(c.now).Format(time.RFC3339Nano)
	}
	return e
}

// emit puts out an event of a connection.
func (x *Explainer) emit(c *conn, e event.Event) {
	e.Conn = c.n
	e.Leg = c.Leg.String()
	if (e.Kind == event.KindMessage || e.Kind == event.KindStep) && c.TLS && c.Leg == capture.LegOrigin && c.Pass != nil && c.session.number != c.n {
		e.Repeats = c.session.number
	}
	x.emitSession(c, e)
}

// emitSession puts out an event of a session, of which c is a connection.
func (x *Explainer) emitSession(c *conn, e event.Event) {
	e.Session = c.session.number
	e.Host = cmp.Or(c.host, c.session.host)
	e.Noise = c.session.noise
	if c.OverUDP() {
		e.Says = slices.DeleteFunc(e.Says, steps.Lacks)
	}
	if len(e.Proofs) > 0 {
		a := c.Values()
		for i := range e.Proofs {
			e.Proofs[i].Claim = words.Claim(e.Proofs[i].ID, a)
		}
	}
	x.put(e)
}

// put numbers an event and puts it out.
func (x *Explainer) put(e event.Event) {
	x.n++
	e.Schema, e.N = event.SchemaVersion, x.n
	// What was refuted comes first, so that nobody overlooks it.
	for _, p := range e.Proofs {
		if p.State == event.Refuted {
			e.Says = append([]event.Sentence{words.Say("proof-refuted", event.Recomputed, words.Args{"claim": words.Inside(p.Claim), "reason": p.Reason})}, e.Says...)
		}
	}
	valid(&e)
	x.out = append(x.out, e)
}

// fix makes a text UTF-8.
func fix(s *string) {
	if !utf8.ValidString(*s) {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
}

func fixFields(fs []event.Field) {
	for i := range fs {
		fix(&fs[i].Name.English)
		fix(&fs[i].Value.English)
		fix(&fs[i].Note.English)
	}
}

func fixed(fs []event.Field) []event.Field {
	fixFields(fs)
	return fs
}

// valid makes all text of the event UTF-8. Bytes from the wire may not be, and
// JSON would change them behind our back. Sentences and checks were made so when they were told.
func valid(e *event.Event) {
	fix(&e.Host)
	fix(&e.Name)
	fix((*string)(&e.Topic))
	fix(&e.Brief.English)
	fixFields(e.Fields)
	for i := range e.Proofs {
		fix(&e.Proofs[i].Reason.English)
		fixFields(e.Proofs[i].Inputs)
	}
	if e.Summary == nil {
		return
	}
	fix(&e.Summary.Flow.English)
	for i := range e.Summary.Legs {
		l := &e.Summary.Legs[i]
		fix(&l.Title.English)
		fixFields(l.Facts)
	}
}

// host notes the name that a session is about.
func (x *Explainer) host(c *conn, name string) {
	name = strings.ToLower(strings.TrimSuffix(name[strings.LastIndexByte(name, '@')+1:], "."))
	if h, _, ok := steps.SplitHostPort(name); ok {
		name = h
	}
	if name == "" || c.session.host != "" {
		return
	}
	if len(name) > 255 {
		name = name[:255]
	}
	c.session.host = name
	c.session.noise = isNoise(name)
}

// noiseHosts are hosts to which browsers talk on their own account; "*." stands for any names before it.
var noiseHosts = []string{
	"accounts.google.com", "update.googleapis.com", "*.gvt1.com", "*.gvt2.com", "clients1.google.com", "clients2.google.com",
	"clients4.google.com", "clientservices.googleapis.com", "clients2.googleusercontent.com", "content-autofill.googleapis.com",
	"optimizationguide-pa.googleapis.com", "safebrowsing.google.com", "safebrowsing.googleapis.com", "sb-ssl.google.com",
	"edgedl.me.gvt1.com", "android.clients.google.com", "mtalk.google.com", "redirector.gvt1.com", "dl.google.com",
	"firefox.settings.services.mozilla.com", "firefox-settings-attachments.cdn.mozilla.net", "content-signature-2.cdn.mozilla.net",
	"location.services.mozilla.com", "detectportal.firefox.com", "push.services.mozilla.com", "contile.services.mozilla.com",
	"*.telemetry.mozilla.org", "shavar.services.mozilla.com", "tracking-protection.cdn.mozilla.net", "aus5.mozilla.org",
	"addons.mozilla.org", "services.addons.mozilla.org", "versioncheck-bg.addons.mozilla.org", "normandy.cdn.mozilla.net",
	"classify-client.services.mozilla.com", "spocs.getpocket.com", "merino.services.mozilla.com", "ads.mozilla.org", "example.org.detectportal.firefox.com",
	"edge.microsoft.com", "config.edge.skype.com", "smartscreen.microsoft.com", "msedge.api.cdp.microsoft.com",
}

func isNoise(host string) bool {
	for _, n := range noiseHosts {
		if n == host || strings.HasPrefix(n, "*.") && strings.HasSuffix(host, n[1:]) {
			return true
		}
	}
	return false
}

// mark marks steps on an event with the verdicts that hold now.
func (x *Explainer) mark(c *conn, e *event.Event, steps ...event.Step) {
	for _, s := range steps {
		r := x.row(c, s)
		e.Steps = append(e.Steps, event.StepMark{Step: s, Verdict: r.Verdict})
		c.settled.add(s)
	}
}

// step tells a step that has no message of its own, once.
func (x *Explainer) step(c *conn, s event.Step) {
	if c.settled.has(s) {
		return
	}
	c.settled.add(s)
	r := x.row(c, s)
	e := x.event(c, nil, event.KindStep, event.TopicStep, "step "+string(s))
	e.Steps = []event.StepMark{{Step: s, Verdict: r.Verdict}}
	e.Evidence = r.Says.Evidence
	e.Says = []event.Sentence{r.Says}
	e.Packets = r.Packets
	x.emit(c, e)
}

// args are the values for sentences about a connection.
func (x *Explainer) args(c *conn) steps.Values {
	c.About = c.session.host
	x.linkOf(c.Main)
	return c.Values()
}

// row tells one step of a connection as far as it is known now.
func (x *Explainer) row(c *conn, s event.Step) event.Row {
	x.args(c)
	if s == event.Step4a && c.Main.Link != nil {
		x.kinOf(c, c.Main)
	}
	return c.Row(s)
}

// keyed takes a key log line for the handshake that it is about: the first, whose
// steps are told, or the latest.
func (c *conn) keyed(k *capture.Keyed) {
	if h := c.Main; h.FirstHello == nil && c.CutHello != nil && c.CutHello.Random == k.ClientRandom {
		if h.Logged == nil {
			h.Logged = map[string][]byte{}
		}
		h.Logged[k.Label] = k.Secret
		return
	}
	for _, h := range []*proof.Handshake{c.Latest, c.Main} {
		if h.FirstHello != nil && h.FirstHello.Random == k.ClientRandom || len(h.Inners) > 0 && h.Inners[0].Hello != nil && h.Inners[0].Hello.Random == k.ClientRandom {
			h.Logged[k.Label] = k.Secret
			return
		}
	}
	// A line under another random number opened it: that of the encrypted hello.
	if h := c.Main; h.ServerHello != nil && h.Is13() && h.FirstHello != nil && h.FirstHello.Extension(handshake.ExtECH) != nil {
		h.Logged[k.Label], h.Inner = k.Secret, true
	}
}

// agreed takes in which protocol a message chooses (RFC 7301 3.2).
func (c *conn) agreed(h *proof.Handshake, b handshake.Message, side int) {
	switch b := b.(type) {
	case *handshake.ServerHello:
		if side == 1 && !b.Retry && handshake.TLSVersion(b.Version()) < 0x0304 {
			c.alpn = b.ALPN()
		}
	case *handshake.EncryptedExtensions:
		if side == 1 && h.Is13() {
			c.alpn = b.ALPN()
		}
	case *handshake.NextProtocol:
		if c.alpn == "" {
			c.alpn = b.Protocol
		}
	}
}

// reused tells if a public value that should be fresh was sent in another
// connection. One whose hello has the same random is the same handshake, seen on
// both sides of somebody who passes it on.
func (x *Explainer) reused(h *proof.Handshake, c *conn, e *event.Event, public []byte) {
	if len(public) < 16 || h.Hello == nil {
		return
	}
	k := handleOf('p', public)
	if list := x.shares.by[k]; len(list) == 0 {
		x.shares.keep(k, proof.Issued{Conn: c.n, Random: h.Hello.Random})
	} else if i := list[0]; i.Conn != c.n && i.Random != h.Hello.Random {
		e.Says = append(e.Says, words.Say("key-reused", event.Recomputed, words.Args{"conn": strconv.Itoa(i.Conn)}))
	}
}

// maxApart is how far the clocks of two places where a connection is captured may be apart, in nanoseconds.
const maxApart = 60e9

// elsewhere tells, behind both hellos, whether they are those of a connection before: both random
// numbers and the server's share are the same, at about the same time. Where TCP's sequence
// numbers are, too, it is that connection, captured at another place; where they are not,
// somebody in between may have passed it on in one of his own. The two legs of a session are
// known to be two, and test servers have fixed random numbers.
func (x *Explainer) elsewhere(c *conn, h *proof.Handshake, b *handshake.ServerHello) (says []event.Sentence) {
	if c.Leg != capture.LegNone || h != c.Main || h.Hello == nil {
		return nil
	}
	name := slices.Concat(h.Hello.Random[:], b.Random[:])
	if ks := b.KeyShare(); ks != nil {
		name = append(name, ks.Exchange...)
	}
	k := handleOf('h', name)
	for _, i := range x.hellos.by[k] {
		if i.Conn == c.n || max(i.At-c.now, c.now-i.At) > maxApart {
			continue
		}
		id := "connection-passed-on"
		if c.OverUDP() || i.Starts == c.Conn.Starts && i.Starts[0] != 0 && i.Starts[1] != 0 {
			id, c.copyOf = "connection-again", i.Conn
		}
		return []event.Sentence{words.Say(id, event.Inferred, words.Args{"conn": strconv.Itoa(i.Conn)})}
	}
	x.hellos.keep(k, proof.Issued{Conn: c.n, At: c.now, Starts: c.Conn.Starts})
	return nil
}

func handleOf(kind byte, name []byte) [32]byte {
	var room [2 << 10]byte // a share of ML-KEM has room in it
	return sha256.Sum256(append(append(room[:0], kind), name...))
}
