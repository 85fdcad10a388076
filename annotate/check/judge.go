// Package check tells what a client did with each case of a check: the certificates
// and handshakes with one fault that it was shown, and the controls. It judges by what
// was recorded alone, and reports as text, JSON and JUnit XML.
package check

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/mask"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/capture"
	"explainer/capture/fingerprint"
	"explainer/capture/handshake"
	"explainer/capture/pcap"
	"explainer/capture/web"
)

// A Verdict says what a client did with a case. The values stand in JSON; they are permanent.
type Verdict string

const (
	NotTested     Verdict = "not-tested"     // it never came, or stopped before our Certificate, or refuses the control too
	NotApplicable Verdict = "not-applicable" // its own ClientHello rules it out: version, or what it does not ask for
	Blocked       Verdict = "blocked"        // the same of version and suite, and our side sent the alert
	Refused       Verdict = "refused"        // it stopped before its Finished
	RefusedLate   Verdict = "refused-late"   // it completed the handshake and closed before any application data
	FalseStart    Verdict = "false-start"    // it sent data in TLS 1.2 before it could see our Finished (RFC 7918)
	Accepted      Verdict = "accepted"       // of a control, or of a fault that is by itself no attack: it went on
	Leaked        Verdict = "leaked"         // of any other fault: it went on, and an attacker can get there
)

// waitTime is how long a client must have kept a connection open behind its
// Finished, with nothing sent, to be taken for one that waits for the server to speak.
const waitTime = int64(time.Second)

// rank orders verdicts: of several connections the worst counts.
var rank = map[Verdict]int{NotTested: 0, NotApplicable: 1, Blocked: 2, Refused: 3, RefusedLate: 4, FalseStart: 5, Accepted: 6, Leaked: 6}

// Bounds of what a judge keeps, whatever it is fed.
const (
	maxJudged = 1 << 14 // connections
	maxRuns   = 1 << 14
	maxReads  = 8 // requests told of one connection

	maxArguments = 1 << 10 // of the command
	maxAsked     = 1 << 6
)

// A SeenAlert is the alert with which a client stopped.
type SeenAlert struct {
	Number int    `json:"number"` // -1 where it cannot be read
	Name   string `json:"name,omitempty"`
	How    string `json:"how"` // "clear", "protected" (read with the recorded keys) or "sealed" (an alert by its length, or by its record's type)
}

// A Read is what whoever shows the case reads of the client's.
type Read struct {
	Method  string        `json:"method,omitempty"`
	Target  string        `json:"target,omitempty"`
	Host    string        `json:"host,omitempty"`
	Headers []event.Field `json:"headers,omitempty"` // those with credentials, masked
	Body    int64         `json:"body,omitempty"`    // bytes
	Text    string        `json:"text,omitempty"`    // the body's beginning, masked
	Other   string        `json:"other,omitempty"`   // the beginning of what is no HTTP, masked
}

// A Trial is what one connection, or one run of several, or several runs of one case came to.
type Trial struct {
	Verdict Verdict `json:"verdict"`
	// Moment is what the client stopped in place of: "key-exchange", "finished" or
	// "data"; "" where it did not.
	Moment  string          `json:"moment,omitempty"`
	Alert   *SeenAlert      `json:"alert,omitempty"`    // nil: none but perhaps close_notify
	Ended   string          `json:"ended,omitempty"`    // "alert", "close_notify", "fin" or "rst": the first that ended it
	AfterMS float64         `json:"after_ms,omitempty"` // from our Certificate to the end or the first data, in milliseconds
	Data    int64           `json:"data,omitempty"`     // bytes of application data that arrived
	Read    []Read          `json:"read,omitempty"`
	Offered string          `json:"offered,omitempty"` // TLS version that was agreed
	WaitMS  float64         `json:"wait_ms,omitempty"` // of a client that completed the handshake and sent nothing: how long it kept the connection open, in milliseconds
	Why     *event.Sentence `json:"why,omitempty"`     // of not-tested, not-applicable and blocked
	Conns   []int           `json:"conns,omitempty"`   // connections that this tells of, the one it tells first

	nameless bool // its ClientHello named no host
	short    bool // its time was over soon after it had come so far
	control  bool // not tested because its control was refused, or could not be tested
}

// Came reports whether any connection of the run was seen.
func (t *Trial) Came() bool { return len(t.Conns) > 0 }

// Short reports whether the run was killed before its silence meant anything.
func (t *Trial) Short() bool { return t.short }

// A Judge reads the recording of a check, message by message, and judges each
// connection that was shown a case by what was recorded alone.
type Judge struct {
	ShowSecrets bool
	// AllowUntested is how many critical and high trials may be left untested by a check that is given a grade.
	AllowUntested int
	// Ended, if not nil, is called when a run has ended, with what is known by then.
	Ended func(run, fault, tls string, t Trial)

	mask   mask.Rule
	plan   *capture.CheckPlan
	conns  map[int]*judged
	listen map[string]*run // runs that are under way, by address
	runs   map[string]*run
	order  []*run
	hosts  []string          // in mode "host": those that were asked for
	stack  fingerprint.Stack // what the first ClientHello looks like it was made by, "" if that is not known
}

// A run is one run of the command; in mode "host", one connection.
type run struct {
	id, fault, tls string
	begun, ended   capture.CheckRun
	over           bool
	conns          []*judged
	trial          Trial // once all was fed
}

// judged is one connection: what was seen of it, thing by thing, from which alone the
// verdict is found at its end.
type judged struct {
	number int
	run    *run
	fault  string // "" until a case is shown on it
	tls    string

	hello, cert, cke        bool
	offers13, asksStaple    bool  // in a ClientHello
	named                   bool  // it names a host
	clientDone, serverDone  bool  // Finished was sent
	certAt, doneAt, overAt  int64 // our Certificate, the client's Finished, and when we gave up waiting
	version                 uint16
	alert                   *SeenAlert
	ended                   string
	endedAt                 int64
	moment                  string
	ours                    *SeenAlert // our own fatal alert
	killed                  bool
	early, data, sealedData int64
	dataAt                  int64
	read                    []Read
	connect                 string // host asked for by CONNECT
	plain                   string // host of a plain HTTP request
	passed, elsewhere       bool   // passed through untouched; to a host that is not tested
	closed                  string // what the proxy said of its end
}

// Read feeds the judge a recording to its end. Of one that is cut short it feeds
// what there is, and returns the *pcap.CutError.
func (j *Judge) Read(recording io.Reader) error {
	packets, err := pcap.NewReader(recording)
	if err != nil {
		return err
	}
	d := &capture.Decoder{SecretsFirst: true}
	for m, err := range d.All(packets.All()) {
		if err != nil {
			return err
		}
		j.Feed(m)
	}
	return nil
}

// Feed takes the next message of the recording.
func (j *Judge) Feed(m *capture.Message) {
	if j.conns == nil {
		j.conns, j.listen, j.runs = map[int]*judged{}, map[string]*run{}, map[string]*run{}
	}
	if f, ok := m.Body.(*capture.Fact); ok {
		j.fact(f, m.Time)
		return
	}
	if m.Conn == nil || m.Conn.Leg != capture.LegBrowser {
		return
	}
	c := j.conns[m.Conn.Number]
	if c == nil {
		if len(j.conns) >= maxJudged {
			return
		}
		if _, ok := m.Body.(*capture.Opened); !ok {
			return
		}
		c = &judged{number: m.Conn.Number}
		j.conns[c.number] = c
		if r := j.listen[m.Conn.Server.String()]; r != nil {
			c.run = r
			r.conns = append(r.conns, c)
		}
		return
	}
	j.message(c, m)
}

// fact takes what the proxy noted at a time.
func (j *Judge) fact(f *capture.Fact, at int64) {
	c := j.conns[f.Conn]
	switch f.Kind {
	case capture.FactRun:
		j.runFact(f, at)
	case capture.FactCase:
		if c == nil {
			return
		}
		c.fault, c.tls = f.Outcome, f.Addr
		if c.run == nil && len(j.runs) < maxRuns { // a connection that came by itself
			c.run = &run{id: f.Detail, fault: f.Outcome, tls: f.Addr, conns: []*judged{c}}
			j.runs[f.Detail] = c.run
			j.order = append(j.order, c.run)
			if !slices.Contains(j.hosts, f.Host) && len(j.hosts) < maxAsked {
				j.hosts = append(j.hosts, f.Host)
			}
		}
	case capture.FactPassThrough:
		if c != nil {
			c.passed, c.elsewhere = true, !j.tests(c, f.Host)
		}
	case capture.FactPlainHTTP:
		if c != nil {
			c.plain = f.Host
		}
	case capture.FactClosed:
		if c == nil {
			return
		}
		c.closed = f.Detail
		if c.overAt == 0 {
			c.overAt = at
		}
		if c.run == nil {
			delete(j.conns, f.Conn)
			return
		}
		if r := c.run; len(r.begun.Listen) == 0 && !r.over {
			j.end(r)
		}
	}
}

// tests reports whether the host of an address (host:port) is what a connection's run is about.
func (j *Judge) tests(c *judged, addr string) bool {
	if j.plan == nil || c.run == nil || j.plan.Own {
		return true
	}
	host := addr[:max(strings.LastIndexByte(addr, ':'), 0)]
	if f := ca.FaultOf(c.run.fault); f != nil && f.ByAddress {
		return host == "127.0.0.1"
	}
	return host == j.plan.Host
}

func (j *Judge) runFact(f *capture.Fact, at int64) {
	r := j.runs[f.Detail]
	switch f.Addr {
	case capture.RunPlan:
		var p capture.CheckPlan
		if j.plan == nil && json.Unmarshal(f.Data, &p) == nil {
			// Only what a check can have planned.
			p.TLS = slices.DeleteFunc(p.TLS, func(v string) bool { return v != "TLS 1.2" && v != "TLS 1.3" })
			p.TLS = slices.Compact(slices.Sorted(slices.Values(p.TLS)))
			p.Command = p.Command[:min(len(p.Command), maxArguments)]
			j.plan = &p
		}
	case capture.RunBegin:
		if r != nil || len(j.runs) >= maxRuns {
			return
		}
		r = &run{id: f.Detail, fault: f.Outcome}
		if json.Unmarshal(f.Data, &r.begun) != nil || len(r.begun.Listen) == 0 || len(r.begun.Listen) > 2 {
			return
		}
		r.tls = r.begun.TLS
		for _, a := range r.begun.Listen {
			j.listen[a] = r
		}
		j.runs[r.id] = r
		j.order = append(j.order, r)
	case capture.RunKilled:
		if r != nil {
			for _, c := range r.conns {
				if c.killed = c.ended == ""; c.killed && c.overAt == 0 {
					c.overAt = at
				}
			}
		}
	case capture.RunEnd:
		if r == nil || r.over || json.Unmarshal(f.Data, &r.ended) != nil {
			return
		}
		for _, a := range r.begun.Listen {
			delete(j.listen, a)
		}
		j.end(r)
	}
}

// end tells of a run that is over. Records that could not be opened may still
// come, for they wait for keys until the recording ends.
func (j *Judge) end(r *run) {
	r.over = true
	if j.Ended != nil {
		j.Ended(r.id, r.fault, r.tls, j.judgeRun(r))
	}
}

// message takes what was sent on a connection.
func (j *Judge) message(c *judged, m *capture.Message) {
	client := m.Side == capture.Client
	switch b := m.Body.(type) {
	case *handshake.ClientHello:
		c.hello = true
		c.offers13 = c.offers13 || slices.Contains(b.Versions(), 0x0304)
		c.asksStaple = c.asksStaple || b.Extension(handshake.ExtStatusRequest) != nil
		c.named = c.named || b.ServerName() != ""
		if j.stack == "" {
			j.stack = fingerprint.StackOf(b)
		}
	case *handshake.ServerHello:
		if !client {
			c.version = b.Version()
		}
	case *handshake.Certificate, *handshake.CompressedCertificate:
		if !client && !c.cert {
			c.cert, c.certAt = true, m.Time
		}
	case *handshake.ClientKeyExchange:
		c.cke = true
	case *handshake.Finished:
		if client {
			if !c.clientDone {
				c.doneAt = m.Time
			}
			c.clientDone = true
		} else {
			c.serverDone = true
		}
	case *capture.Alert:
		c.gotAlert(b, m)
	case *capture.Sealed:
		if client {
			c.sealed(b, m.Time)
		}
	case *capture.AppData:
		if client && b.Len > 0 {
			c.gotData(int64(b.Len), m.Time)
		}
	case *web.Head:
		if client && b.Request {
			j.head(c, b, m.Inner)
		}
	case *web.Body:
		if n := len(c.read); client && m.Inner && b.Request && n > 0 {
			j.body(&c.read[n-1], b)
		}
	case *web.Switched:
		if !m.Inner && c.connect == "" {
			c.connect = b.Target
		}
	case *web.Unparsed:
		if client && m.Inner && len(c.read) < maxReads {
			c.read = append(c.read, Read{Other: j.other(b.Preview, b.Len)})
		}
	case *capture.Closed:
		if client {
			end := "fin"
			if b.Reset {
				end = "rst"
			}
			c.end(end, m.Time)
		}
	}
}

// gotAlert notes an alert of either side.
func (c *judged) gotAlert(b *capture.Alert, m *capture.Message) {
	how := "clear"
	if m.Opened {
		how = "protected"
	}
	a := &SeenAlert{int(b.Description), handshake.AlertName(b.Description), how}
	switch {
	case m.Side == capture.Server:
		if b.Description != 0 && c.ours == nil {
			c.ours = a
		}
	case b.Description == 0:
		c.end("close_notify", m.Time)
	default:
		if c.alert == nil && (c.ended == "" || c.ended == "close_notify") {
			c.alert = a
		}
		c.end("alert", m.Time)
	}
}

// head notes a request.
func (j *Judge) head(c *judged, b *web.Head, inner bool) {
	switch {
	case !inner: // before TLS, or without it
		if b.Method != "CONNECT" {
			c.plain = cmp.Or(c.plain, b.Authority)
		}
	case len(c.read) < maxReads:
		c.read = append(c.read, j.request(b))
	}
}

// body is what the body of a request gives away; of a body in parts, the first.
func (j *Judge) body(r *Read, b *web.Body) {
	if r.Body != 0 {
		return
	}
	r.Body = b.Len
	if j.ShowSecrets {
		r.Text = event.Clip(string(b.Preview))
	} else if text, ok := j.mask.Body(string(b.Preview), b.Type); ok {
		r.Text = event.Clip(text)
	}
}

// request is what a request gives away.
func (j *Judge) request(h *web.Head) Read {
	r := Read{Method: event.Clip(j.shown("", h.Method)), Target: event.Clip(j.shown(":path", h.Target)), Host: event.Clip(j.shown("host", h.Authority))}
	for _, f := range h.Fields {
		if (j.mask.Credential(f.Name) || len(j.mask.Spans(f.Name, f.Value)) > 0) && len(r.Headers) < maxReads {
			name := f.Name
			if !j.ShowSecrets {
				name = j.mask.Name(name)
			}
			r.Headers = append(r.Headers, event.Field{Name: event.Plain(event.Clip(name)), Value: event.Plain(event.Clip(j.shown(f.Name, f.Value)))})
		}
	}
	return r
}

// shown is a header field's value as it may be shown.
func (j *Judge) shown(name, value string) string {
	if j.ShowSecrets {
		return value
	}
	return j.mask.Header(name, value)
}

// other is what of something that is no HTTP may be shown.
func (j *Judge) other(preview []byte, size int64) string {
	if j.ShowSecrets {
		return event.Clip(fmt.Sprintf("%q", preview))
	}
	return mask.Count(int(size))
}

// gotData notes application data of the client's.
func (c *judged) gotData(n, at int64) {
	if c.data == 0 && c.sealedData == 0 {
		c.dataAt = at
	}
	if !c.serverDone {
		c.early += n
	}
	c.data += n
}

// sealed notes records of the client's that cannot be opened. In TLS 1.3 an
// alert can still be told by its length: two bytes, its type and a tag of 16.
func (c *judged) sealed(b *capture.Sealed, at int64) {
	const sealedAlert = 5 + 2 + 1 + 16
	switch {
	case b.Type == 21, b.Type == 23 && c.version == 0x0304 && b.Records == 1 && b.Wire == sealedAlert:
		if c.alert == nil && c.ended == "" {
			c.alert = &SeenAlert{Number: -1, How: "sealed"}
		}
		c.end("alert", at)
	case b.Type == 23 && (c.version != 0x0304 || c.clientDone):
		if c.data == 0 && c.sealedData == 0 {
			c.dataAt = at
		}
		c.sealedData += b.Wire
	}
}

// end notes the first thing with which the client ended.
func (c *judged) end(how string, at int64) {
	if c.ended != "" || c.killed {
		return
	}
	c.ended, c.endedAt = how, at
	switch {
	case c.clientDone:
		c.moment = "data"
	case c.version < 0x0304 && !c.cke:
		c.moment = "key-exchange"
	default:
		c.moment = "finished"
	}
}

// trial judges one connection.
func (c *judged) trial() Trial {
	f := ca.FaultOf(c.fault)
	t := Trial{Moment: c.moment, Alert: c.alert, Ended: c.ended, Conns: []int{c.number}, Offered: versionOrEmpty(c.version), nameless: c.hello && !c.named}
	after := func(at int64) {
		if c.certAt != 0 && at >= c.certAt {
			t.AfterMS = float64((at-c.certAt)/1e5) / 10
		}
	}
	accepted := func() {
		t.Verdict, t.Moment, t.Alert, t.Ended = acceptedAs(f), "", nil, ""
	}
	not := func(v Verdict, id string, how event.Evidence, a words.Args) {
		s := words.Say(id, how, a)
		t.Verdict, t.Why, t.Moment, t.Alert, t.Ended = v, &s, "", nil, ""
	}
	t.WaitMS = c.waited()
	switch {
	case f != nil && f.Asked && c.cert && !c.asksStaple:
		// A server sends none unasked.
		not(NotApplicable, "case-staple-unasked", event.Clear, nil)
	case c.data > 0 || c.sealedData > 0:
		accepted()
		t.Data, t.Read = c.data, c.read
		if c.data == 0 {
			t.Data = c.sealedData
		}
		after(c.dataAt)
		if strings.HasPrefix(c.fault, "finished-") && c.version < 0x0304 && c.early > 0 && c.early == c.data {
			t.Verdict = FalseStart
		}
	case c.fault == "" || !c.hello || !c.cert:
		v, id, a := c.unshown()
		not(v, id, event.Inferred, a)
	case c.ended == "" && c.killed && c.run.ended.Error != "":
		not(NotTested, "case-not-run", event.Inferred, nil)
	case t.WaitMS > 0 && f != nil && f.Severity == ca.Control:
		// Of a fault only the control tells whether silence is this client's way to go on.
		accepted()
	case c.ended == "" && c.killed:
		t.short = c.overAt-max(c.certAt, c.doneAt) < waitTime
		not(NotTested, "case-hung", event.Inferred, words.Args{"moment": momentOf(c)})
	case c.ended == "":
		not(NotTested, "case-neither", event.Inferred, words.Args{"moment": momentOf(c)})
	case c.clientDone:
		t.Verdict = RefusedLate
		after(c.endedAt)
	default:
		t.Verdict = Refused
		after(c.endedAt)
	}
	return t
}

// unshown says why a connection was shown no certificate.
func (c *judged) unshown() (v Verdict, id string, a words.Args) {
	switch {
	case c.fault == "" && c.plain != "":
		return NotTested, "case-plain-http", words.Args{"host": event.Clip(c.plain)}
	case c.fault == "" && c.passed && !c.elsewhere:
		return NotTested, "case-no-tls", nil
	case c.fault == "" && c.passed:
		return NotTested, "case-other-host", words.Args{"host": cmp.Or(event.Plain(event.Clip(c.connect)), words.Piece("host/another")), "url": "{url}"}
	case strings.HasPrefix(c.closed, "the case ") && !c.cert:
		return NotTested, "case-cannot-serve", words.Args{"detail": event.Clip(c.closed)}
	case c.fault == "" && c.hello && c.connect == "":
		return NotTested, "case-tls-to-proxy", words.Args{"addr": "{addr}"}
	case !c.hello || c.fault == "":
		return NotTested, "case-no-tls", nil
	case c.ours == nil:
		return NotTested, "case-before-certificate", nil
	case c.ours.Number == 70 || c.ours.Number == 40:
		return Blocked, "case-blocked", words.Args{"alert": alertText(c.ours), "what": c.lacks()}
	}
	return NotTested, "case-our-alert", words.Args{"alert": alertText(c.ours)}
}

// waited is how long a client kept the connection open that completed the handshake
// and sent nothing, in milliseconds; 0 if that was too short to mean anything.
func (c *judged) waited() float64 {
	if !c.clientDone || c.data > 0 || c.sealedData > 0 || c.alert != nil {
		return 0
	}
	until := c.overAt
	if c.ended != "" {
		until = c.endedAt
	}
	if until-c.doneAt < waitTime {
		return 0
	}
	return float64((until-c.doneAt)/1e5) / 10
}

// acceptedAs is the verdict on a client that went on with a case.
func acceptedAs(f *ca.Fault) Verdict {
	if f != nil && (f.Severity == ca.Control || f.Severity == ca.Low) {
		return Accepted
	}
	return Leaked
}

// lacks is what the two sides have not in common, by our alert (RFC 5246 7.4.1.3, RFC 8446 4.1.1, 4.2.1).
func (c *judged) lacks() event.Text {
	switch {
	case c.ours.Number == 70:
		return words.Piece("lacks/version")
	case c.tls == "TLS 1.3":
		return words.Piece("lacks/combination")
	}
	return words.Piece("lacks/suite")
}

func momentOf(c *judged) event.Text {
	if c.clientDone {
		return words.Piece("moment/after-its-finished")
	}
	return words.Piece("moment/before-its-finished")
}

func versionOrEmpty(v uint16) string {
	if v == 0 {
		return ""
	}
	return handshake.VersionName(v)
}

// judgeRun returns the worst of a run's connections.
func (j *Judge) judgeRun(r *run) Trial {
	var worst Trial
	var conns []int
	for _, c := range r.conns {
		t := c.trial()
		conns = append(conns, c.number)
		if worst.Verdict == "" || rank[t.Verdict] > rank[worst.Verdict] {
			worst = t
		}
	}
	if worst.Verdict == "" {
		worst = Trial{Verdict: NotTested}
		id, a := "case-never-connected", words.Args{"proxy": "{proxy}", "addr": "{addr}"}
		switch {
		case r.ended.Error != "" && r.ended.Error == capture.CheckEnded:
			id = "case-not-run"
		case r.ended.Error != "":
			id, a = "case-not-started", words.Args{"error": event.Clip(r.ended.Error)}
		case r.ended.Killed:
			id = "case-never-connected-killed"
		case r.ended.Exit == 0:
			id = "case-went-past"
		}
		s := words.Say(id, event.Inferred, a)
		worst.Why = &s
		return worst
	}
	if r.fault == "downgrade-sentinel" && rank[worst.Verdict] > rank[Blocked] && !slices.ContainsFunc(r.conns, func(c *judged) bool { return c.offers13 }) {
		// A server that has TLS 1.3 says so to every client that it answers with TLS 1.2 (RFC 8446 4.1.3).
		s := words.Say("case-no-downgrade", event.Clear, nil)
		worst = Trial{Verdict: NotApplicable, Why: &s, Conns: worst.Conns, Offered: worst.Offered}
	}
	// The connection that is told stands first, with at most 15 others.
	conns = slices.DeleteFunc(conns, func(n int) bool { return n == worst.Conns[0] })
	worst.Conns = append(worst.Conns, conns[:min(len(conns), 15)]...)
	return worst
}

// alertText names an alert and its number.
func alertText(a *SeenAlert) event.Text {
	if a.Number < 0 {
		return words.Piece("alert/sealed")
	}
	return words.Piece("alert/numbered", "name", a.Name, "number", strconv.Itoa(a.Number))
}

// wrappers are programs that are run to run another.
var wrappers = map[string]bool{"sh": true, "bash": true, "dash": true, "zsh": true, "env": true, "timeout": true, "nice": true, "stdbuf": true, "sudo": true}

// programOf returns the name of the program that a command runs; of a shell or
// the like, of the first program in its arguments that is known here.
func programOf(command []string) string {
	if len(command) == 0 {
		return ""
	}
	name := func(s string) string {
		return strings.TrimSuffix(path.Base(strings.ReplaceAll(s, `\`, "/")), ".exe")
	}
	program := name(command[0])
	if wrappers[program] {
		for _, word := range strings.Fields(strings.Join(command[1:], " ")) {
			if _, ok := fixOf(name(word)); ok {
				return name(word)
			}
		}
	}
	return program
}

// command is the command line as it may be shown.
func (j *Judge) command(words []string) []string {
	if !j.ShowSecrets {
		words = j.mask.Command(words, programOf(words))
	}
	var out []string
	for _, w := range words {
		out = append(out, event.Clip(w))
	}
	return out
}

// said is what a program said, as it may be shown.
func (j *Judge) said(line string) string {
	if j.ShowSecrets {
		return line
	}
	return j.mask.Text(line)
}
