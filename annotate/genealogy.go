package annotate

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// Bounds of what is remembered of connections that can be taken up again.
const (
	maxEarlier   = 4096 // session ids and tickets
	maxNamesakes = 4    // connections that handed out the same one
	maxPath      = 8    // generations that are named
	maxChildren  = 64   // connections that are named as taking up one
	maxFamily    = 4096 // connections in the genealogy of a capture
	maxSealed    = 256  // connections whose tickets nobody could read
)

// earlier remembers which connections handed out a session id or a ticket.
type earlier struct {
	by    map[[32]byte][]issued
	order [][32]byte
}

// issued is where a session id or a ticket came from. Its key log lines may come later.
type issued struct {
	conn     int
	kind     byte // 's' for a session id, 't' for a ticket
	at       int64
	lifetime uint32   // of a ticket, in seconds; 0 if not given
	ageAdd   uint32   // of a ticket of TLS 1.3 (RFC 8446 4.6.1)
	random   [32]byte // of the client's hello
	secrets  map[string][]byte
	kin      *kin
}

// master is the master secret of the connection, where it is known.
func (i issued) master() []byte {
	if m := i.secrets["CLIENT_RANDOM"]; m != nil {
		return m
	}
	if i.kin == nil {
		return nil
	}
	return i.kin.master
}

// kin is what later connections need of one that they take up. It outlives the
// story of its connection.
type kin struct {
	conn     int
	master   []byte // computed here, not logged
	path     []int  // the connections that it takes up, nearest first
	more     bool   // the path is longer
	certConn int    // where the certificate was sent that stands behind this; 0: not known
	certAt   int64
	certOf   string // whom it is for; empty where nobody could read it
	lost     bool   // an ancestor is not known
	keyless  bool   // the first of the line sent no certificate
	children []int
}

// A link ties a connection to the one whose secret it takes up.
type link struct {
	how    string   // "session-id", "ticket" or "psk"
	from   []issued // the connections that it can be, none if none is known
	sealed []int    // TLS 1.3: earlier ones to the same server whose tickets nobody could read
	proven bool     // by the master secret
}

// one is the connection that is taken up, if only one can be.
func (l *link) one() (issued, bool) {
	if l == nil || len(l.from) != 1 {
		return issued{}, false
	}
	return l.from[0], true
}

// dark is a connection of TLS 1.3 whose tickets, if there were any, stayed sealed.
type dark struct {
	conn   int
	server netip.AddrPort
	name   string
}

func (e *earlier) keep(k [32]byte, i issued) {
	if e.by == nil {
		e.by = make(map[[32]byte][]issued)
	}
	list, known := e.by[k]
	if !known {
		if len(e.order) >= maxEarlier {
			delete(e.by, e.order[0])
			e.order = e.order[1:]
		}
		e.order = append(e.order, k)
	}
	for j := range list {
		// The same handshake, seen in two places or told once more.
		if list[j].conn == i.conn || list[j].random == i.random {
			if list[j].conn == i.conn {
				list[j] = i
			}
			return
		}
	}
	if len(list) < maxNamesakes {
		e.by[k] = append(list, i)
	}
}

// remember notes under which name a connection's secret can be taken up again.
func (x *Explainer) remember(c *conn, h *hands, kind byte, name []byte, i issued) {
	i.conn, i.kind, i.at, i.secrets, i.kin = c.n, kind, c.now, h.secrets, x.kinOf(c, h)
	if h.ch != nil {
		i.random = h.ch.Random
	}
	x.earlier.keep(handleOf(kind, name), i)
}

func (x *Explainer) recall(kind byte, name []byte) []issued {
	return x.earlier.by[handleOf(kind, name)]
}

// kinOf is what is known of a handshake's line by now.
func (x *Explainer) kinOf(c *conn, h *hands) *kin {
	if h.kin == nil {
		h.kin = &kin{conn: c.n}
	}
	k := h.kin
	if k.master == nil && h.master != nil {
		k.master = h.master
	}
	if l := x.linkOf(h); l != nil {
		k.inherit(l)
		return k
	}
	_, psk := h.selectedPSK()
	switch {
	case h.resumed || psk && !x.external(h):
		k.lost = true
	case psk:
		k.keyless = true
	case h.certSeen[1]:
		k.certConn, k.certAt = c.n, h.certAt
		if h.leaf[1] != nil {
			k.certOf = clip(h.leaf[1].forNames())
		}
	case h.sh != nil && h.is13():
		// Encrypted, and nobody could read it.
		k.certConn, k.certAt = c.n, h.shAt
	case h.sh != nil:
		k.keyless = true
	}
	return k
}

// selectedPSK is the number of the pre-shared key that the server took.
func (h *hands) selectedPSK() (uint16, bool) {
	if h.sh == nil {
		return 0, false
	}
	return h.sh.SelectedPSK()
}

// inherit takes over what the line of the earlier connection is known for.
func (k *kin) inherit(l *link) {
	i, ok := l.one()
	k.path, k.more, k.lost = nil, false, !ok
	if !ok {
		return
	}
	if k.master == nil {
		k.master = i.master()
	}
	k.path = []int{i.conn}
	p := i.kin
	if p == nil {
		return
	}
	k.certConn, k.certAt, k.certOf, k.keyless, k.lost = p.certConn, p.certAt, p.certOf, p.keyless, p.lost
	k.path = append(k.path, p.path...)
	k.more = p.more
	if len(k.path) > maxPath {
		k.path, k.more = k.path[:maxPath], true
	}
}

// linkOf finds the connection whose secret this one takes up. It is nil where
// none is, or where that is not decided yet.
func (x *Explainer) linkOf(h *hands) *link {
	if h.link != nil || h.ch == nil || h.sh == nil {
		return h.link
	}
	if h.is13() {
		n, ok := h.sh.SelectedPSK()
		if !ok || x.external(h) {
			return nil
		}
		h.link = &link{how: "psk"}
		if psk := h.ch.PSK(); psk != nil && int(n) < len(psk.Identities) {
			h.link.from = x.recall('t', psk.Identities[n].Identity)
		}
		if len(h.link.from) == 0 {
			h.link.sealed = x.sealedTickets(h)
		}
		return h.link
	}
	if !h.resumed {
		return nil
	}
	if len(h.ticket) > 0 {
		h.link = &link{how: "ticket", from: x.recall('t', h.ticket)}
	} else {
		h.link = &link{how: "session-id", from: x.recall('s', h.ch.SessionID)}
	}
	// The secret tells which of several it was; a line is one connection's.
	l := h.link
	if own := h.secrets["CLIENT_RANDOM"]; own != nil {
		for _, i := range l.from {
			if m := i.master(); m != nil && bytes.Equal(m, own) {
				l.from = []issued{i}
				break
			}
		}
	}
	l.from = slices.DeleteFunc(slices.Clone(l.from), func(i issued) bool {
		return i.kin != nil && slices.ContainsFunc(l.from, func(j issued) bool { return slices.Contains(i.kin.path, j.conn) })
	})
	return l
}

// sealedTickets are the earlier connections to the server of this one whose
// tickets, if there were any, nobody could read.
func (x *Explainer) sealedTickets(h *hands) (conns []int) {
	for _, d := range x.dark {
		if name := x.sni(h); d.name == name && name != "" || name == "" && h.server == d.server {
			conns = append(conns, d.conn)
		}
	}
	return conns
}

// darkTickets notes that tickets of TLS 1.3 may have passed that nobody could read.
func (x *Explainer) darkTickets(c *conn) {
	h := c.main
	if c.darkNoted || h.sh == nil || !h.is13() || c.dark[1] == 0 {
		return
	}
	c.darkNoted = true
	if len(x.dark) == maxSealed {
		x.dark = slices.Delete(x.dark, 0, 1)
	}
	x.dark = append(x.dark, dark{c.n, c.c.Server, x.sni(h)})
}

// earlierWords names the connection that a secret was taken over from. That it
// is not found does not mean that it is not there: its ticket may be sealed.
func (x *Explainer) earlierWords(h *hands) string {
	l := x.linkOf(h)
	if l == nil {
		return "an earlier connection"
	}
	had := "handed out this very ticket"
	if l.how == "session-id" {
		had = "had this very session id"
	}
	switch {
	case len(l.from) == 1:
		return fmt.Sprintf("connection %d (which %s)", l.from[0].conn, had)
	case len(l.from) > 1:
		var names []string
		for _, i := range l.from {
			names = append(names, strconv.Itoa(i.conn))
		}
		return fmt.Sprintf("connection %s (each of which %s)", oneOf(names, "or"), had)
	}
	return "an earlier connection (which one cannot be told here)"
}

// sentence is the ID of the sentence that tells a link.
func (l *link) sentence() string {
	switch l.how {
	case "session-id":
		return "lineage-session-id"
	case "ticket":
		return "lineage-ticket"
	}
	return "lineage-psk"
}

// unknownParent says why it cannot be told which connection is taken up.
func (l *link) unknownParent(a words.Args) (event.Sentence, bool) {
	switch {
	case len(l.from) > 0:
		return event.Sentence{}, false
	case len(l.sealed) > 0:
		var names []string
		for _, n := range l.sealed[max(0, len(l.sealed)-4):] {
			names = append(names, strconv.Itoa(n))
		}
		return words.Say("lineage-sealed", event.Inferred, a.With("conns", oneOf(names, "and"))), true
	}
	return words.Say("lineage-not-here", event.Inferred, a), true
}

// oneOf joins names with commas and a last word.
func oneOf(names []string, last string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " " + last + " " + names[n-1]
	}
	return strings.Join(names, "")
}

// behind says which certificate stands behind a connection that takes up an
// earlier one, and when and where it was sent. No capture can show that it was
// checked then.
func (x *Explainer) behind(c *conn, h *hands, a words.Args) event.Sentence {
	if x.linkOf(h) == nil {
		return words.Say("step-4a-inherited", event.Inferred, a)
	}
	k := x.kinOf(c, h)
	switch {
	case k.keyless && !k.lost:
		return words.Say("step-4a-inherited-keyless", event.Inferred, a)
	case k.certConn == 0:
		if _, ok := h.link.one(); ok {
			return words.Say("step-4a-inherited-before", event.Inferred, a)
		}
		return words.Say("step-4a-inherited", event.Inferred, a)
	}
	when := "at another time" // where clocks differ, as in files of several machines
	if d := time.Duration(h.shAt - k.certAt); d >= 0 {
		when = words.Ago(d) + " earlier"
	}
	origin := "connection " + strconv.Itoa(k.certConn)
	if n := len(k.path) - 1; n > 0 {
		var names []string
		for _, p := range k.path[:n] {
			names = append(names, strconv.Itoa(p))
		}
		word := "connection "
		if n > 1 {
			word = "connections "
		}
		if k.more {
			names = append(names, "more")
		}
		origin += ", by way of " + word + oneOf(names, "and")
	}
	id := "step-4a-inherited-sent"
	if k.certOf == "" {
		id = "step-4a-inherited-sealed"
	}
	return words.Say(id, event.Inferred, a.With("when", when, "origin", origin, "certified", or(k.certOf, "an unknown name")))
}

// lineage tells, once, which connection this one takes up.
func (x *Explainer) lineage(c *conn, h *hands) {
	l := x.linkOf(h)
	if l == nil || h != c.main || c.kinTold {
		return
	}
	c.kinTold = true
	a := x.args(c)
	e := x.event(c, nil, event.KindStep, "resumption")
	e.Evidence = event.Inferred
	e.Brief = "of " + a["earlier"]
	e.Says = []event.Sentence{words.Say(l.sentence(), event.Inferred, a)}
	if why, ok := l.unknownParent(a); ok {
		e.Says = append(e.Says, why)
	}
	if i, ok := l.one(); ok {
		i.child(c.n)
		e.Fields = x.ticketAge(h, i)
		if p, ok := x.sameMaster(h, i); ok {
			e.Evidence = event.Recomputed
			e.Says = append([]event.Sentence{words.Say("resumed", event.Recomputed, a)}, e.Says...)
			e.Proofs = append(e.Proofs, p)
		}
	}
	if l.how == "psk" {
		p := words.NewProof(words.ProofPSK, event.NotCheckable, "the secret is derived from the resumption master secret of the earlier connection, which is in no key log line; so neither it nor the checksum (binder) in the hello can be computed again")
		h.prove(p)
		e.Proofs = append(e.Proofs, p)
	}
	x.family(c, h, l)
	x.emit(c, e)
}

// sameMaster compares the master secrets where both are logged.
func (x *Explainer) sameMaster(h *hands, i issued) (event.Proof, bool) {
	own, old := h.secrets["CLIENT_RANDOM"], i.master()
	if h.is13() || own == nil || old == nil {
		return event.Proof{}, false
	}
	state, reason := event.Proven, ""
	if !bytes.Equal(own, old) {
		state, reason = event.Refuted, "the two master secrets differ"
	}
	p := words.NewProof(words.ProofResumed, state, reason, field("earlier connection", strconv.Itoa(i.conn)), field("its master secret", x.secret(old)), field("this one's", x.secret(own)))
	h.prove(p)
	h.link.proven = state == event.Proven
	return p, true
}

// ticketAge compares the age of a ticket of TLS 1.3 that the client states with
// that by the clock of the capture (RFC 8446 4.2.11.1).
func (x *Explainer) ticketAge(h *hands, i issued) []event.Field {
	if i.kind != 't' {
		return nil
	}
	passed := time.Duration(h.chAt - i.at)
	f := event.Field{Name: "age of the ticket", Value: passed.Round(time.Millisecond).String() + " by the packets"}
	if psk := h.ch.PSK(); psk != nil && h.is13() {
		if n, ok := h.sh.SelectedPSK(); ok && int(n) < len(psk.Identities) {
			stated := time.Duration(psk.Identities[n].ObfuscatedTicketAge-i.ageAdd) * time.Millisecond
			f.Value = stated.String() + " as the client states, " + f.Value
			f.Note = "stated in the hello, hidden by a number (ticket_age_add) that came with the ticket, encrypted"
		}
	}
	if i.lifetime > 0 && passed > time.Duration(i.lifetime)*time.Second {
		f.Note = strings.TrimPrefix(f.Note+"; the server had given it "+seconds(i.lifetime)+" only", "; ")
	}
	return []event.Field{f}
}

// takenUp adds, to a Finished that holds under the master secret of an earlier
// connection alone, the proof that this connection uses that secret. Of several
// connections that it could be it was the one whose secret that is.
func (x *Explainer) takenUp(c *conn, h *hands, e *event.Event, fin event.Proof) {
	l := x.linkOf(h)
	if l == nil || h.is13() || fin.State != event.Proven || h.secrets["CLIENT_RANDOM"] != nil || h.has(words.ProofResumed) {
		return
	}
	var fits []issued
	for _, i := range l.from {
		if m := i.master(); m != nil && bytes.Equal(m, h.oldMaster) {
			fits = append(fits, i)
		}
	}
	if len(fits) != 1 {
		return
	}
	i := fits[0]
	found := len(l.from) > 1
	l.from, l.proven = fits, true
	p := words.NewProof(words.ProofResumed, event.Proven, "", field("earlier connection", strconv.Itoa(i.conn)), field("its master secret", x.secret(i.master())), field("what it makes", "the Finished of this connection, byte for byte"))
	h.prove(p)
	e.Proofs = append(e.Proofs, p)
	if found {
		e.Says = append(e.Says, words.Say("resumed", event.Recomputed, x.args(c)))
		i.child(c.n)
	}
	for j := range x.kinship {
		if k := &x.kinship[j]; k.Conn == c.n {
			k.Proven, k.State, k.Parent = true, "known", i.conn
		}
	}
}

// child notes that a connection takes this one up.
func (i issued) child(conn int) {
	if i.kin != nil && len(i.kin.children) < maxChildren {
		i.kin.children = append(i.kin.children, conn)
	}
}

// parent is the machine's form of a link.
func (x *Explainer) parent(c *conn) *event.Parent {
	h := c.main
	l := x.linkOf(h)
	if l == nil {
		if h.sh != nil && h.is13() && x.external(h) {
			if _, psk := h.sh.SelectedPSK(); psk {
				return &event.Parent{How: "external-psk", State: "none"}
			}
		}
		return nil
	}
	p := &event.Parent{How: l.how, State: "known", Proven: l.proven}
	for _, i := range l.from {
		p.Conns = append(p.Conns, i.conn)
	}
	switch {
	case len(l.from) > 1:
		p.State = "ambiguous"
	case len(l.from) == 0 && len(l.sealed) > 0:
		p.State, p.Conns = "sealed", l.sealed
	case len(l.from) == 0:
		p.State = "not-here"
	}
	if k := x.kinOf(c, h); len(l.from) == 1 {
		p.Chain = k.path
		if k.certConn != 0 {
			p.Certificate, p.Sent = k.certConn, at(k.certAt).Format(time.RFC3339Nano)
		}
	}
	return p
}

// children are the connections that have taken this one up so far.
func (c *conn) children() []int {
	if c.main.kin == nil {
		return nil
	}
	return slices.Clone(c.main.kin.children)
}

// A relative is a connection of the genealogy and when it took up another.
type relative struct {
	event.Kin
	at int64
}

// family notes that a connection takes up another.
func (x *Explainer) family(c *conn, h *hands, l *link) {
	k := relative{event.Kin{Conn: c.n, Host: c.session.host, Time: at(h.shAt).Format(time.RFC3339Nano), How: l.how, State: "known", Proven: l.proven}, h.shAt}
	x.kinOf(c, h)
	i, ok := l.one()
	switch {
	case ok:
		k.Parent = i.conn
	case len(l.from) > 1:
		k.State = "ambiguous"
	case len(l.sealed) > 0:
		k.State = "sealed"
	default:
		k.State = "not-here"
	}
	if len(x.kinship) >= maxFamily {
		x.kinMore++
		return
	}
	if ok && i.kin != nil && !slices.ContainsFunc(x.kinship, func(k relative) bool { return k.Conn == i.conn }) {
		first := relative{event.Kin{Conn: i.conn, Host: k.Host}, i.at}
		if i.kin.certConn == i.conn {
			first.at = i.kin.certAt
		}
		first.Time = at(first.at).Format(time.RFC3339Nano)
		x.kinship = append(x.kinship, first)
	}
	x.kinship = append(x.kinship, k)
}

// genealogy is the event that tells which connections take up which; ok tells
// whether there is anything to tell.
func (x *Explainer) genealogy() (e event.Event, ok bool) {
	if len(x.kinship) == 0 {
		return e, false
	}
	below := make(map[int][]int) // by connection: places in kinship
	place := make(map[int]int)
	for i, k := range x.kinship {
		place[k.Conn] = i
	}
	var first []int
	for i, k := range x.kinship {
		if p, known := place[k.Parent]; k.Parent != 0 && known && p != i {
			below[k.Parent] = append(below[k.Parent], i)
		} else {
			first = append(first, i)
		}
	}
	var lines []event.Kin
	stack := make([][2]int, 0, len(first))
	push := func(list []int, depth int) {
		for i := len(list) - 1; i >= 0; i-- {
			stack = append(stack, [2]int{list[i], depth})
		}
	}
	push(first, 0)
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		k := x.kinship[top[0]]
		k.Depth = top[1]
		if p, known := place[k.Parent]; k.Parent != 0 && known {
			if d := time.Duration(k.at - x.kinship[p].at); d >= 0 {
				k.Later = words.Ago(d)
			}
		}
		lines = append(lines, k.Kin)
		push(below[k.Conn], top[1]+1)
	}
	resumed := 0
	for _, k := range lines {
		if k.How != "" {
			resumed++
		}
	}
	e = event.Event{Kind: event.KindGenealogy, Name: "genealogy", Genealogy: lines}
	a := words.Args{"count": words.Plural(resumed+x.kinMore, "connection"), "more": words.Plural(x.kinMore, "connection")}
	e.Says = []event.Sentence{words.Say("genealogy", event.None, a)}
	if x.kinMore > 0 {
		e.Says = append(e.Says, words.Say("genealogy-more", event.None, a))
	}
	e.Brief = e.Says[0].Text
	return e, true
}
