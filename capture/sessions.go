package capture

import (
	"crypto/sha256"
	"slices"
)

// Bounds of what is remembered of sessions that can be taken up again.
const (
	maxSessions  = 4096 // names
	maxNamesakes = 4    // sessions under one name
	maxAncestors = 8    // sessions behind one, each taken up from the one before
)

// OpenedByResumed is the Message.By of a connection of TLS 1.2 or older that
// takes up an earlier session of the capture, and that only this session's master
// secret opened: the key log has no line for the connection itself.
const OpenedByResumed = "master secret of the resumed session"

// sessions remembers under which names, a session id or a ticket, the master
// secrets of handshakes can be taken up again (RFC 5246 7.3, RFC 5077 3.1). In
// TLS 1.3 that needs a secret that no key log line holds, so there is none.
type sessions struct {
	byName map[[32]byte][]*session
	order  [][32]byte // oldest first
}

// A session is what a handshake of TLS 1.2 or older left behind.
type session struct {
	random   [32]byte // of its client
	secrets  *entry   // what was known of it while its connection was followed
	master   []byte   // that opened a record; nil before
	from     []*session
	ancestry int // generations in from
}

func nameOf(kind byte, name []byte) [32]byte {
	return sha256.Sum256(append([]byte{kind}, name...))
}

// add notes that a session can be taken up under a name.
func (s *sessions) add(kind byte, name []byte, one *session) {
	if len(name) == 0 || one == nil {
		return
	}
	k := nameOf(kind, name)
	list, known := s.byName[k]
	if len(list) == maxNamesakes || slices.Contains(list, one) {
		return
	}
	if s.byName == nil {
		s.byName = make(map[[32]byte][]*session)
	}
	if !known {
		if len(s.order) == maxSessions {
			delete(s.byName, s.order[0])
			s.order = s.order[1:]
		}
		s.order = append(s.order, k)
	}
	s.byName[k] = append(list, one)
}

// offered are the sessions that a client's hello names.
func (s *sessions) offered(n *negotiation) []*session {
	if n.hello == nil || len(s.byName) == 0 {
		return nil
	}
	var list []*session
	if ticket, _ := n.hello.SessionTicket(); len(ticket) > 0 {
		list = append(list, s.byName[nameOf('t', ticket)]...)
	}
	if len(n.hello.SessionID) > 0 {
		list = append(list, s.byName[nameOf('s', n.hello.SessionID)]...)
	}
	return list
}

// left notes under which names the session of a handshake can be taken up: its
// session id, or a ticket.
func (c *conn) left(n *negotiation, kind byte, name []byte) {
	if !n.answered || n.hello == nil || is13(n.version) {
		return
	}
	if n.session == nil {
		n.session = &session{random: n.hello.Random, secrets: n.secrets}
	}
	if c.takenUp(n) {
		for _, p := range c.d.sessions.offered(n) {
			if p != n.session && p.ancestry < maxAncestors && !slices.Contains(n.session.from, p) {
				n.session.from = append(n.session.from, p)
				n.session.ancestry = max(n.session.ancestry, p.ancestry+1)
			}
		}
	}
	c.d.sessions.add(kind, name, n.session)
}

// takenUp tells that a handshake can be the short one of an earlier session: the
// server has answered and neither side has sent what a full one has.
func (c *conn) takenUp(n *negotiation) bool {
	return n.answered && !n.done && n.ciphertext == nil
}

// learnResumed makes candidates of the master secrets of the sessions that the
// client named, if this can be one of them. That is done only when no secret of its
// own is waited for any more, so that it is told by its own wherever there is one.
func (c *conn) learnResumed(n *negotiation) {
	if !c.takenUp(n) || n.hello == nil {
		return
	}
	for _, s := range c.d.sessions.offered(n) {
		c.d.inherit(n, s)
	}
}

func (d *Decoder) inherit(n *negotiation, s *session) {
	if s.master != nil {
		n.addMaster(s.master, OpenedByResumed)
		return
	}
	for _, m := range slices.Concat(s.secrets.values[labelClientRandom], d.secrets.valuesOf(s.random[:])[labelClientRandom]) {
		n.addMaster(m, OpenedByResumed)
	}
	for _, p := range s.from {
		d.inherit(n, p)
	}
}
