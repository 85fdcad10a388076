package rows

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
)

// maxListed bounds the lists that a row has of a connection.
const maxListed = 32

// connections writes a row for each connection: once it is over and its steps are told.
type connections struct {
	rows     *Rows
	open     map[int]*connection
	sessions map[int][]*connection // whose rows are not written
}

// A connection is what is known of one until its row is written.
type connection struct {
	capture string
	file    string
	conn    int
	session int
	leg     string
	host    string
	ends    event.Ends
	packets event.Packets
	tally   *event.Tally
	last    string     // the time of its last packet
	steps   *event.Leg // as its summary tells it

	signature string
	chain     []event.Certificate // the server's
	client    *event.Certificate  // the client's own
	failed    []string            // of the server's chain, "check:reason"
	warned    []string
	proven    int64
	refuted   int64
	unchecked int64
	refutes   []string // proofs
	unknown   []string // proofs
	reasons   []string // for which those could not be checked
	alerts    []string // "side:name"
	closer    string
	closedAt  int // packet
	requests  int64
	responses int64
	tunnel    bool // its last request was for a tunnel
	ech       string
	begun     bool     // over UDP: it has the beginning of the client's first message, or may have it unread
	ids       []string // connection IDs of QUIC, in hexadecimal
}

// list adds to a list what is not in it.
func list(to *[]string, what string) {
	if what != "" && len(*to) < maxListed && !slices.Contains(*to, what) {
		*to = append(*to, what)
	}
}

func (cs *connections) event(e *event.Event) error {
	if e.Summary != nil {
		return cs.summary(e)
	}
	if e.Conn == 0 {
		return nil
	}
	c := cs.open[e.Conn]
	if c == nil {
		if e.Kind != event.KindConnection {
			return nil // what the proxy still had to say
		}
		c = &connection{capture: cs.rows.capture, file: cs.rows.file, conn: e.Conn}
		if e.Ends != nil {
			c.ends = *e.Ends
		}
		cs.open[e.Conn] = c
	}
	if c.session != e.Session {
		cs.moves(c, e.Session)
	}
	c.take(e)
	if e.Tally != nil {
		c.tally, c.last = e.Tally, e.Time
		delete(cs.open, e.Conn)
		return cs.settle(c.session)
	}
	return nil
}

// moves gives a connection its session, which it may get after it began.
func (cs *connections) moves(c *connection, session int) {
	if rest := slices.DeleteFunc(cs.sessions[c.session], func(o *connection) bool { return o == c }); len(rest) > 0 {
		cs.sessions[c.session] = rest
	} else {
		delete(cs.sessions, c.session)
	}
	c.session = session
	cs.sessions[session] = append(cs.sessions[session], c)
}

// summary takes the steps of the legs of a session.
func (cs *connections) summary(e *event.Event) error {
	for i := range e.Summary.Legs {
		leg := &e.Summary.Legs[i]
		for _, c := range cs.sessions[e.Session] {
			if c.conn != leg.Conn {
				continue
			}
			// What is asked of it is all that is kept.
			c.steps = &event.Leg{Conn: leg.Conn, Flow: leg.Flow, Facts: leg.Facts, Rows: leg.Rows, Parent: leg.Parent}
			if len(e.Summary.Legs) == 1 {
				for _, say := range e.Says {
					c.encrypted(say.ID)
				}
			}
		}
	}
	return cs.settle(e.Session)
}

// settle writes the rows of a session's connections that are over. The steps of one leg
// are told with those of the other, which may last longer; once all are over nothing
// follows.
func (cs *connections) settle(session int) error {
	all := cs.sessions[session]
	over := !slices.ContainsFunc(all, func(c *connection) bool { return c.tally == nil })
	var rest []*connection
	for _, c := range all {
		if c.tally == nil || c.steps == nil && !over {
			rest = append(rest, c)
			continue
		}
		if err := write(&cs.rows.sink, connectionColumns, c); err != nil {
			return err
		}
	}
	if len(rest) > 0 {
		cs.sessions[session] = rest
	} else {
		delete(cs.sessions, session)
	}
	return nil
}

// finish writes the rows of what has no end, of which every story of a capture has one.
func (cs *connections) finish() error {
	for _, session := range slices.Sorted(maps.Keys(cs.sessions)) {
		for _, c := range cs.sessions[session] {
			c.tally = cmp.Or(c.tally, &event.Tally{Client: c.ends.Client, Server: c.ends.Server, End: "open"})
		}
		if err := cs.settle(session); err != nil {
			return err
		}
	}
	return nil
}

// take takes in an event of the connection.
func (c *connection) take(e *event.Event) {
	c.leg, c.host = cmp.Or(e.Leg, c.leg), cmp.Or(e.Host, c.host)
	if p := e.Packets; p != nil {
		if c.packets.First == 0 || p.First < c.packets.First {
			c.packets.First = p.First
		}
		c.packets.Last = max(c.packets.Last, p.Last)
	}
	for _, p := range e.Proofs {
		switch p.State {
		case event.Proven:
			c.proven++
		case event.Refuted:
			c.refuted++
			list(&c.refutes, p.ID)
		case event.NotCheckable:
			c.unchecked++
			list(&c.unknown, p.ID)
			list(&c.reasons, p.Reason.English)
		}
	}
	for _, say := range e.Says {
		c.encrypted(say.ID)
	}
	if c.ends.Transport != "tcp" {
		c.datagram(e)
	}
	if e.From == "server" {
		for _, check := range e.Checks {
			switch check.Outcome {
			case "failed":
				list(&c.failed, check.ID+":"+check.Reason)
			case "warned":
				list(&c.warned, check.ID+":"+check.Reason)
			}
		}
		if e.TLS != nil {
			c.signature = cmp.Or(c.signature, e.TLS.Scheme)
		}
	}
	if len(e.Certificates) > 0 {
		switch {
		case e.From == "server" && c.chain == nil:
			c.chain = e.Certificates
		case e.From == "client" && c.client == nil:
			c.client = &e.Certificates[0]
		}
	}
	switch {
	case e.Alert != nil:
		list(&c.alerts, e.From+":"+e.Alert.Name)
	case e.Topic == event.TopicFIN || e.Topic == event.TopicRST:
		// The two ends can be told in another order than they came in.
		if e.Packets != nil && (c.closer == "" || e.Packets.First < c.closedAt) {
			c.closer, c.closedAt = e.From, e.Packets.First
		}
	case e.Topic == event.TopicRequest:
		// A CONNECT asks a proxy for a way, and no server for anything.
		if c.tunnel = e.HTTP.Scheme == "http" && e.HTTP.Method == "CONNECT"; !c.tunnel {
			c.requests++
		}
	case e.Topic == event.TopicResponse && !c.tunnel:
		c.responses++
	}
}

// datagram takes in what an event says of where a connection over UDP begins, and of the
// names that QUIC has for it.
func (c *connection) datagram(e *event.Event) {
	if e.From == "client" && e.Topic == event.TopicClientHello {
		// One with a cookie answers the server's first message (RFC 6347 4.2.1).
		answers := slices.ContainsFunc(e.Says, func(s event.Sentence) bool { return s.ID == "client-hello-cookie" })
		c.begun = c.begun || !answers
	}
	q := e.QUIC
	if q == nil {
		return
	}
	if e.From == "client" {
		unread := q.Type == "packet" && q.Version != "" // of a version of its own
		first := q.Type == "Initial" && slices.ContainsFunc(q.Frames, func(f event.QUICFrame) bool { return f.Type == "CRYPTO" && f.Offset == 0 })
		c.begun = c.begun || unread || first
	}
	for _, id := range []*string{q.To, q.By} {
		if id != nil {
			list(&c.ids, *id)
		}
	}
}

// openStart tells that its beginning is not in the capture.
func (c *connection) openStart() bool {
	if c.ends.Transport == "tcp" {
		return !c.tally.Begun
	}
	return !c.begun
}

// encrypted takes a sentence that says what became of the encrypted hello (ECH).
func (c *connection) encrypted(sentence string) {
	switch sentence {
	case "client-hello-ech":
		c.ech = cmp.Or(c.ech, "unknown")
	case "ech-confirmed", "ech-confirmed-retry", "summary-ech-taken", "summary-ech-taken-unread":
		c.ech = "accepted"
	case "ech-not-confirmed", "ech-not-confirmed-retry", "summary-ech-refused", "summary-ech-unused":
		c.ech = "not-accepted"
	}
}

// fact is a fact of the leg, by its ID.
func (c *connection) fact(id string) string {
	if c.steps == nil {
		return ""
	}
	i := slices.IndexFunc(c.steps.Facts, func(f event.Field) bool { return f.ID == id })
	if i < 0 {
		return ""
	}
	return c.steps.Facts[i].Value.English
}

// leaf is the server's certificate, empty where none was seen.
func (c *connection) leaf() event.Certificate {
	if len(c.chain) == 0 {
		return event.Certificate{}
	}
	return c.chain[0]
}

// parent is whose secret the connection takes up, empty where it takes up none.
func (c *connection) parent() event.Parent {
	if c.steps == nil || c.steps.Parent == nil {
		return event.Parent{}
	}
	return *c.steps.Parent
}

// why is for which reasons records stayed sealed.
func (c *connection) why() string {
	var reasons []string
	for _, w := range c.tally.Why {
		list(&reasons, w.Reason)
	}
	return strings.Join(reasons, ",")
}

func host(end string) string {
	h, _, _ := net.SplitHostPort(end)
	return h
}

func port(end string) int {
	_, p, _ := net.SplitHostPort(end)
	n, _ := strconv.Atoi(p)
	return n
}

var connectionColumns = slices.Concat([]column[*connection]{
	number("rows_version", func(*connection) int64 { return Version }),
	text("capture_sha256", func(c *connection) string { return c.capture }),
	numbered("conn", func(c *connection) int { return c.conn }),
	numbered("session", func(c *connection) int { return c.session }),
	text("leg", func(c *connection) string { return c.leg }),
	numbered("first_packet", func(c *connection) int { return c.packets.First }),
	numbered("last_packet", func(c *connection) int { return c.packets.Last }),
	moment("first_time", func(c *connection) string { return c.tally.Began }),
	moment("last_time", func(c *connection) string { return c.last }),
	text("transport", func(c *connection) string { return c.ends.Transport }),
	text("client_address", func(c *connection) string { return host(c.tally.Client) }),
	numbered("client_port", func(c *connection) int { return port(c.tally.Client) }),
	text("server_address", func(c *connection) string { return host(c.tally.Server) }),
	numbered("server_port", func(c *connection) int { return port(c.tally.Server) }),
	text("community_id", func(c *connection) string {
		return communityID(c.ends.Transport, c.tally.Client, c.tally.Server)
	}),
	text("host", func(c *connection) string { return c.host }),
	text("sni", func(c *connection) string { return c.tally.Name }),
	text("protocol", func(c *connection) string { return c.tally.Protocol }),
	text("flow", func(c *connection) string { return c.tally.Flow }),
	text("version", func(c *connection) string { return c.tally.Version }),
	text("suite", func(c *connection) string { return c.tally.Suite }),
	text("key_exchange_group", func(c *connection) string { return c.tally.Group }),
	text("key_exchange_kind", func(c *connection) string { return c.tally.GroupKind }),
	text("signature_algorithm", func(c *connection) string { return c.signature }),
	text("alpn", func(c *connection) string { return c.tally.ALPN }),
	text("ja3", func(c *connection) string { return c.fact(event.FactJA3) }),
	text("ja3s", func(c *connection) string { return c.fact(event.FactJA3S) }),
	text("ja4", func(c *connection) string { return c.fact(event.FactJA4) }),
	text("ech", func(c *connection) string { return c.ech }),
	text("leaf_sha256", func(c *connection) string { return c.leaf().SHA256 }),
	text("leaf_subject", func(c *connection) string { return c.leaf().Subject }),
	text("leaf_issuer", func(c *connection) string { return c.leaf().Issuer }),
	text("leaf_key_type", func(c *connection) string { return c.leaf().Key }),
	numbered("leaf_key_bits", func(c *connection) int { return c.leaf().Bits }),
	moment("leaf_not_before", func(c *connection) string { return c.leaf().NotBefore }),
	moment("leaf_not_after", func(c *connection) string { return c.leaf().NotAfter }),
	numbered("chain_length", func(c *connection) int { return len(c.chain) }),
	text("client_leaf_sha256", func(c *connection) string {
		if c.client == nil {
			return ""
		}
		return c.client.SHA256
	}),
	text("checks_failed", func(c *connection) string { return strings.Join(c.failed, ",") }),
	text("checks_warned", func(c *connection) string { return strings.Join(c.warned, ",") }),
}, stepColumns(), []column[*connection]{
	text("failed_step", func(c *connection) string { return string(c.tally.Failed) }),
	text("failed_cause", func(c *connection) string { return c.tally.Cause.English }),
	flag("given_up", func(c *connection) bool { return c.tally.GivenUp }),
	number("proofs_proven", func(c *connection) int64 { return c.proven }),
	number("proofs_refuted", func(c *connection) int64 { return c.refuted }),
	number("proofs_not_checkable", func(c *connection) int64 { return c.unchecked }),
	text("refuted", func(c *connection) string { return strings.Join(c.refutes, ",") }),
	text("not_checkable", func(c *connection) string { return strings.Join(c.unknown, ",") }),
	text("not_checkable_why", func(c *connection) string { return strings.Join(c.reasons, "; ") }),
	text("state", func(c *connection) string { return c.tally.State }),
	text("sealed_why", (*connection).why),
	number("client_sealed", func(c *connection) int64 { return c.tally.Sealed[0] }),
	number("server_sealed", func(c *connection) int64 { return c.tally.Sealed[1] }),
	text("alerts", func(c *connection) string { return strings.Join(c.alerts, ",") }),
	text("ended", func(c *connection) string { return c.tally.End }),
	text("closed_by", func(c *connection) string { return c.closer }),
	flag("resumed", func(c *connection) bool { return c.tally.Resumed }),
	text("resumed_how", func(c *connection) string { return c.parent().How }),
	text("resumed_state", func(c *connection) string { return c.parent().State }),
	numbered("resumed_from", func(c *connection) int {
		if p := c.parent(); p.State == "known" && len(p.Conns) == 1 {
			return p.Conns[0]
		}
		return 0
	}),
	number("client_bytes", func(c *connection) int64 { return c.tally.Data[0] }),
	number("server_bytes", func(c *connection) int64 { return c.tally.Data[1] }),
	number("missing_bytes", func(c *connection) int64 { return c.tally.Missing }),
	number("requests", func(c *connection) int64 { return c.requests }),
	number("responses", func(c *connection) int64 { return c.responses }),
	flag("malformed", func(c *connection) bool { return c.tally.Broken }),
	flag("open_start", (*connection).openStart),
	flag("open_end", func(c *connection) bool { return c.tally.End == "open" }),
	numbered("copy_of", func(c *connection) int { return c.tally.CopyOf }),
	sequence("client_first_sequence", func(c *connection) *event.Sequence { return c.tally.ClientSequence }, true),
	sequence("client_next_sequence", func(c *connection) *event.Sequence { return c.tally.ClientSequence }, false),
	sequence("server_first_sequence", func(c *connection) *event.Sequence { return c.tally.ServerSequence }, true),
	sequence("server_next_sequence", func(c *connection) *event.Sequence { return c.tally.ServerSequence }, false),
	text("quic_version", func(c *connection) string { return c.tally.QUICVersion }),
	text("connection_ids", func(c *connection) string { return strings.Join(c.ids, ",") }),
	text("file", func(c *connection) string { return c.file }),
	absent[*connection]("error"),
	absent[*connection]("not_known"),
	absent[*connection]("parts"),
})

// sequence is the first of a range of sequence numbers, or the one behind it.
func sequence(name string, of func(*connection) *event.Sequence, first bool) column[*connection] {
	return column[*connection]{Column{name, typeInteger}, func(c *connection) any {
		switch s := of(c); {
		case s == nil:
			return nil
		case first:
			return int64(s.First)
		default:
			return int64(s.Next)
		}
	}}
}

// stepColumns are the verdicts.
func stepColumns() (columns []column[*connection]) {
	for _, step := range event.Steps {
		columns = append(columns, text("step_"+string(step), func(c *connection) string {
			if c.steps != nil {
				for _, r := range c.steps.Rows {
					if r.Step == step {
						return string(r.Verdict)
					}
				}
			}
			return ""
		}))
	}
	return columns
}
