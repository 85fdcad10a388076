package annotate

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/steps"
	"explainer/annotate/words"
)

// Bounds of what is remembered of connections that can be taken up again.
const (
	maxEarlier   = 4096 // session ids and tickets
	maxNamesakes = 4    // connections that handed out the same one
	maxFamily    = 4096 // connections in the genealogy of a capture
	maxSealed    = 256  // connections whose tickets nobody could read
)

// earlier remembers which connections handed out a session id or a ticket.
type earlier struct {
	by    map[[32]byte][]proof.Issued
	order [][32]byte
}

// dark is a connection of TLS 1.3 whose tickets, if there were any, stayed sealed.
type dark struct {
	conn   int
	server netip.AddrPort
	name   string
}

func (e *earlier) keep(k [32]byte, i proof.Issued) {
	if e.by == nil {
		e.by = make(map[[32]byte][]proof.Issued)
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
		if list[j].Conn == i.Conn || list[j].Random == i.Random {
			if list[j].Conn == i.Conn {
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
func (x *Explainer) remember(c *conn, h *proof.Handshake, kind byte, name []byte, i proof.Issued) {
	i.Conn, i.Kind, i.At, i.Logged, i.Kin = c.n, kind, c.now, h.Logged, x.kinOf(c, h)
	if h.Hello != nil {
		i.Random = h.Hello.Random
	}
	x.earlier.keep(handleOf(kind, name), i)
}

func (x *Explainer) recall(kind byte, name []byte) []proof.Issued {
	return x.earlier.by[handleOf(kind, name)]
}

// kinOf is what is known of a handshake's line by now.
func (x *Explainer) kinOf(c *conn, h *proof.Handshake) *proof.Kin {
	if h.Kin == nil {
		h.Kin = &proof.Kin{Conn: c.n}
	}
	k := h.Kin
	if k.Master == nil && h.Master != nil {
		k.Master = h.Master
	}
	k.Rest = h.Rest()
	if l := x.linkOf(h); l != nil {
		k.Inherit(l)
		return k
	}
	_, psk := h.SelectedPSK()
	switch {
	case h.Resumed || psk && !h.External:
		k.Lost = true
	case psk:
		k.Keyless = true
	case h.Sides[1].CertSeen:
		k.CertConn, k.CertAt = c.n, h.CertAt
		if h.Sides[1].Leaf != nil {
			k.CertOf = clip(h.Sides[1].Leaf.For())
		}
	case h.ServerHello != nil && h.Is13():
		// Encrypted, and nobody could read it.
		k.CertConn, k.CertAt = c.n, h.AnswerAt
	case h.ServerHello == nil, h.Holed():
		k.Holed = true
	case h.ServerHello != nil:
		k.Keyless = true
	}
	return k
}

// external tells whether the accepted pre-shared key was set up outside of TLS:
// its obfuscated age should then be zero (RFC 8446 4.2.11). A ticket can have that
// age too, so its name must also be short and readable, and no ticket of that
// content seen.
func (x *Explainer) external(h *proof.Handshake) bool {
	if h.Hello == nil {
		return false
	}
	psk := h.Hello.PSK()
	if psk == nil {
		return false
	}
	n, _ := h.ServerHello.SelectedPSK()
	if int(n) >= len(psk.Identities) {
		return false
	}
	id := psk.Identities[n]
	if id.ObfuscatedTicketAge != 0 || len(id.Identity) > 64 {
		return false
	}
	for _, b := range id.Identity {
		if b < 0x20 || b > 0x7e {
			return false
		}
	}
	return len(x.recall('t', id.Identity)) == 0
}

// linkOf finds the connection whose secret this one takes up. It is nil where
// none is, or where that is not decided yet.
func (x *Explainer) linkOf(h *proof.Handshake) *proof.Link {
	if h.Link != nil || h.Hello == nil || h.ServerHello == nil {
		return h.Link
	}
	if h.Is13() {
		n, ok := h.ServerHello.SelectedPSK()
		if !ok {
			return nil
		}
		if h.External = x.external(h); h.External {
			return nil
		}
		h.Link = &proof.Link{How: "psk"}
		if psk := h.Hello.PSK(); psk != nil && int(n) < len(psk.Identities) {
			h.Link.From = x.recall('t', psk.Identities[n].Identity)
		}
		if len(h.Link.From) == 0 {
			h.Link.Sealed = x.sealedTickets(h)
		}
		return h.Link
	}
	if !h.Resumed {
		return nil
	}
	if len(h.Ticket) > 0 {
		h.Link = &proof.Link{How: "ticket", From: x.recall('t', h.Ticket)}
	} else {
		h.Link = &proof.Link{How: "session-id", From: x.recall('s', h.Hello.SessionID)}
	}
	// The secret tells which of several it was; a line is one connection's.
	l := h.Link
	if own := h.Logged["CLIENT_RANDOM"]; own != nil {
		for _, i := range l.From {
			if m := i.Master(); m != nil && bytes.Equal(m, own) {
				l.From = []proof.Issued{i}
				break
			}
		}
	}
	l.From = slices.DeleteFunc(slices.Clone(l.From), func(i proof.Issued) bool {
		return i.Kin != nil && slices.ContainsFunc(l.From, func(j proof.Issued) bool { return slices.Contains(i.Kin.Path, j.Conn) })
	})
	return l
}

// sealedTickets are the earlier connections to the server of this one whose
// tickets, if there were any, nobody could read.
func (x *Explainer) sealedTickets(h *proof.Handshake) (conns []int) {
	for _, d := range x.dark {
		if name := h.ServerName(); d.name == name && name != "" || name == "" && h.Server == d.server {
			conns = append(conns, d.conn)
		}
	}
	return conns
}

// darkTickets notes that tickets of TLS 1.3 may have passed that nobody could read.
func (x *Explainer) darkTickets(c *conn) {
	h := c.Main
	if c.darkNoted || h.ServerHello == nil || !h.Is13() || c.Sides[1].Dark == 0 {
		return
	}
	c.darkNoted = true
	if len(x.dark) == maxSealed {
		x.dark = slices.Delete(x.dark, 0, 1)
	}
	x.dark = append(x.dark, dark{c.n, c.Conn.Server, h.ServerName()})
}

// sentence is the ID of the sentence that tells a link.
func lineageSentence(l *proof.Link) string {
	switch l.How {
	case "session-id":
		return "lineage-session-id"
	case "ticket":
		return "lineage-ticket"
	}
	return "lineage-psk"
}

// unknownParent says why it cannot be told which connection is taken up.
func unknownParent(l *proof.Link, a steps.Values) (event.Sentence, bool) {
	switch {
	case len(l.From) > 0:
		return event.Sentence{}, false
	case len(l.Sealed) > 0:
		var conns []event.Text
		for _, n := range l.Sealed[max(0, len(l.Sealed)-4):] {
			conns = append(conns, event.Plain(strconv.Itoa(n)))
		}
		return words.Say("lineage-sealed", event.Inferred, a.With("conns", words.List("and", conns...))), true
	}
	return words.Say("lineage-not-here", event.Inferred, a), true
}

// lineage tells, once, which connection this one takes up.
func (x *Explainer) lineage(c *conn, h *proof.Handshake) {
	l := x.linkOf(h)
	if l == nil || h != c.Main || c.kinTold {
		return
	}
	c.kinTold = true
	a := x.args(c)
	e := x.event(c, nil, event.KindStep, "resumption", "")
	e.Evidence = event.Inferred
	e.Brief = words.Piece("brief/of", "earlier", a.Value("earlier"))
	e.Says = []event.Sentence{words.Say(lineageSentence(l), event.Inferred, a)}
	if why, ok := unknownParent(l, a); ok {
		e.Says = append(e.Says, why)
	}
	if i, ok := l.One(); ok {
		i.Child(c.n)
		e.Fields = x.ticketAge(h, i)
		if p, ok := x.sameMaster(h, i); ok {
			e.Evidence = event.Recomputed
			e.Says = append([]event.Sentence{words.Say("resumed", event.Recomputed, a)}, e.Says...)
			e.Proofs = append(e.Proofs, p)
		}
	}
	if l.How == "psk" {
		p := words.NewProof(words.ProofPSK, event.NotCheckable, words.Piece("brief/secret-derived-resumption-master"))
		h.Prove(p)
		e.Proofs = append(e.Proofs, p)
	}
	x.family(c, h, l)
	x.emit(c, e)
}

// sameMaster compares the master secrets where both are logged.
func (x *Explainer) sameMaster(h *proof.Handshake, i proof.Issued) (event.Proof, bool) {
	own, old := h.Logged["CLIENT_RANDOM"], i.Master()
	if h.Is13() || own == nil || old == nil {
		return event.Proof{}, false
	}
	state, reason := event.Proven, event.Text{}
	if !bytes.Equal(own, old) {
		state, reason = event.Refuted, words.Piece("proof/two-masters-differ")
	}
	p := words.NewProof(words.ProofResumed, state, reason, field("earlier connection", strconv.Itoa(i.Conn)), fieldOf("its master secret", x.show().Secret(old)), fieldOf("this one's", x.show().Secret(own)))
	h.Prove(p)
	h.Link.Proven = state == event.Proven
	return p, true
}

// ticketAge compares the age of a ticket of TLS 1.3 that the client states with
// that by the clock of the capture (RFC 8446 4.2.11.1).
func (x *Explainer) ticketAge(h *proof.Handshake, i proof.Issued) []event.Field {
	if i.Kind != 't' {
		return nil
	}
	passed := time.Duration(h.HelloAt - i.At)
	f := event.Field{Name: words.FieldName("age of the ticket"), Value: words.Piece("value/age-by-packets", "age", passed.Round(time.Millisecond).String())}
	if psk := h.Hello.PSK(); psk != nil && h.Is13() {
		if n, ok := h.ServerHello.SelectedPSK(); ok && int(n) < len(psk.Identities) {
			stated := time.Duration(psk.Identities[n].ObfuscatedTicketAge-i.AgeAdd) * time.Millisecond
			f.Value = words.Piece("value/age-stated", "stated", stated.String(), "age", passed.Round(time.Millisecond).String())
			f.Note = words.Piece("note/age-stated")
		}
	}
	if i.Lifetime > 0 && passed > time.Duration(i.Lifetime)*time.Second {
		given := words.Piece("note/lifetime-given", "span", seconds(i.Lifetime))
		if f.Note = words.List(";", f.Note, given); f.Note.Of.Items[0].Empty() {
			f.Note = given
		}
	}
	return []event.Field{f}
}

// takenUp adds, to a Finished that holds under the master secret of an earlier
// connection alone, the proof that this connection uses that secret. Of several
// connections that it could be it was the one whose secret that is.
func (x *Explainer) takenUp(c *conn, h *proof.Handshake, e *event.Event, fin event.Proof) {
	l := x.linkOf(h)
	if l == nil || h.Is13() || fin.State != event.Proven || h.Logged["CLIENT_RANDOM"] != nil || h.Tried(words.ProofResumed) {
		return
	}
	var fits []proof.Issued
	for _, i := range l.From {
		if m := i.Master(); m != nil && bytes.Equal(m, h.OldMaster) {
			fits = append(fits, i)
		}
	}
	if len(fits) != 1 {
		return
	}
	i := fits[0]
	found := len(l.From) > 1
	l.From, l.Proven = fits, true
	p := words.NewProof(words.ProofResumed, event.Proven, event.Text{}, field("earlier connection", strconv.Itoa(i.Conn)), fieldOf("its master secret", x.show().Secret(i.Master())), fieldOf("what it makes", words.Piece("value/this-finished")))
	h.Prove(p)
	e.Proofs = append(e.Proofs, p)
	if found {
		e.Says = append(e.Says, words.Say("resumed", event.Recomputed, x.args(c)))
		i.Child(c.n)
	}
	for j := range x.kinship {
		if k := &x.kinship[j]; k.Conn == c.n {
			k.Proven, k.State, k.Parent = true, "known", i.Conn
		}
	}
}

// parent is the machine's form of a link.
func (x *Explainer) parent(c *conn) *event.Parent {
	h := c.Main
	l := x.linkOf(h)
	if l == nil {
		if h.ServerHello != nil && h.Is13() && h.External {
			if _, psk := h.ServerHello.SelectedPSK(); psk {
				return &event.Parent{How: "external-psk", State: "none"}
			}
		}
		return nil
	}
	p := &event.Parent{How: l.How, State: "known", Proven: l.Proven}
	for _, i := range l.From {
		p.Conns = append(p.Conns, i.Conn)
	}
	switch {
	case len(l.From) > 1:
		p.State = "ambiguous"
	case len(l.From) == 0 && len(l.Sealed) > 0:
		p.State, p.Conns = "sealed", l.Sealed
	case len(l.From) == 0:
		p.State = "not-here"
	}
	if k := x.kinOf(c, h); len(l.From) == 1 {
		p.Chain = k.Path
		if k.CertConn != 0 {
			p.Certificate, p.Sent = k.CertConn, at(k.CertAt).Format(time.RFC3339Nano)
		}
	}
	return p
}

// children are the connections that have taken this one up so far.
func (c *conn) children() []int {
	if c.Main.Kin == nil {
		return nil
	}
	return slices.Clone(c.Main.Kin.Children)
}

// A relative is a connection of the genealogy and when it took up another.
type relative struct {
	event.Kin
	at int64
}

// family notes that a connection takes up another.
func (x *Explainer) family(c *conn, h *proof.Handshake, l *proof.Link) {
	k := relative{event.Kin{Conn: c.n, Host: c.session.host, Time: at(h.AnswerAt).Format(time.RFC3339Nano), How: l.How, State: "known", Proven: l.Proven}, h.AnswerAt}
	x.kinOf(c, h)
	i, ok := l.One()
	switch {
	case ok:
		k.Parent = i.Conn
	case len(l.From) > 1:
		k.State = "ambiguous"
	case len(l.Sealed) > 0:
		k.State = "sealed"
	default:
		k.State = "not-here"
	}
	if len(x.kinship) >= maxFamily {
		x.kinMore++
		return
	}
	if ok && i.Kin != nil && !slices.ContainsFunc(x.kinship, func(k relative) bool { return k.Conn == i.Conn }) {
		first := relative{event.Kin{Conn: i.Conn, Host: k.Host}, i.At}
		if i.Kin.CertConn == i.Conn {
			first.at = i.Kin.CertAt
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
				k.Later, k.After = words.Ago(d), d.Milliseconds()
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
	e = event.Event{Kind: event.KindGenealogy, Genealogy: lines}
	rename(&e, "genealogy", "")
	a := words.Args{"count": words.Count(resumed+x.kinMore, "connection"), "more": words.Count(x.kinMore, "connection")}
	e.Says = []event.Sentence{words.Say("genealogy", event.None, a)}
	if x.kinMore > 0 {
		e.Says = append(e.Says, words.Say("genealogy-more", event.None, a))
	}
	e.Brief, e.BriefID = words.Whole(e.Says[0]), e.Says[0].ID
	return e, true
}
