package capture

import (
	"bytes"

	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// ech is what is known of the encrypted hellos of one handshake (RFC 9849). Nothing of it
// is there where the ClientHello in clear carries none.
type ech struct {
	hellos        []sealedHello // around a HelloRetryRequest there are two
	opener        *keys.ECHOpener
	config        handshake.ECHConfig
	outer, inner  *entry // lines under the random of the hello in clear, and of the one inside it
	retry, answer []byte // HelloRetryRequest and ServerHello
}

// A sealedHello is a ClientHello with another one in it.
type sealedHello struct {
	raw   []byte
	where Message // where it stands
	told  bool
	inner []byte // nil: not known
}

// sealedHello notes the ClientHello that was told last if it carries an encrypted one.
func (d *Decoder) sealedHello(w waiter, n *negotiation, raw []byte) {
	told := &d.messages[len(d.messages)-1]
	for i := len(d.messages) - 1; i >= 0; i-- {
		if _, ok := d.messages[i].Body.(*handshake.ClientHello); ok {
			told = &d.messages[i]
			break
		}
	}
	hello, ok := told.Body.(*handshake.ClientHello)
	if !ok || n.hellos != len(n.ech.hellos)+1 {
		return
	}
	if _, ok := hello.OuterECH(); !ok {
		return
	}
	if n.ech.hellos == nil {
		n.ech.outer = n.secrets
	}
	n.ech.hellos = append(n.ech.hellos, sealedHello{raw: raw, where: Message{Conn: told.Conn, Side: told.Side, Time: told.Time, First: told.First, Last: told.Last}})
	d.openHellos(w, n)
}

// openHellos opens the encrypted hellos for which there are key log lines, and tells them.
func (d *Decoder) openHellos(w waiter, n *negotiation) {
	e := &n.ech
	for i := range e.hellos {
		h := &e.hellos[i]
		payload, outer, ok := handshake.SealedHello(h.raw)
		if h.told || !ok {
			continue
		}
		plain, ok := e.open(n.hello, i, outer, payload)
		if !ok {
			continue
		}
		h.told = true
		raw, hello, bad := handshake.InnerHello(h.raw, plain)
		h.inner = raw
		m := h.where
		m.Raw = raw
		m.Body = &InnerHello{Hello: hello, Bad: bad, Second: i > 0, Config: e.config}
		d.messages = append(d.messages, m)
		if i == 0 && hello != nil && e.inner == nil {
			e.inner = d.secrets.use(w, hello.Random)
			d.keyedSoFar(w, e.inner)
		}
	}
	n.chooseHello()
}

// open opens the encrypted hello in the n-th ClientHello with the lines that there are. first
// is the ClientHello whose extension says how.
func (e *ech) open(first *handshake.ClientHello, n int, outer, payload []byte) ([]byte, bool) {
	if e.opener != nil {
		return e.opener.Open(uint64(n), outer, payload)
	}
	how, ok := first.OuterECH()
	if n > 0 || !ok || e.outer == nil {
		return nil, false
	}
	for _, c := range e.outer.values[labelECHConfig] {
		config, ok := handshake.ParseECHConfig(c)
		if !ok {
			continue
		}
		for _, secret := range e.outer.values[labelECHSecret] {
			o := keys.NewECHOpener(c, secret, config.KEM, how.KDF, how.AEAD)
			if o == nil {
				continue
			}
			if plain, ok := o.Open(0, outer, payload); ok {
				e.opener, e.config = o, *config
				return plain, true
			}
		}
	}
	return nil, false
}

// chooseHello decides whose key log lines are this handshake's: those under the random of the
// hello inside, until the server is seen not to have taken it. Who has not opened it finds
// them by trying, see findInner.
func (n *negotiation) chooseHello() {
	e := &n.ech
	if e.inner == nil {
		return
	}
	n.secrets = e.inner
	inners := make([][]byte, len(e.hellos))
	for i := range e.hellos {
		inners[i] = e.hellos[i].inner
	}
	if a := ReadECHAnswer(n.suite, inners, e.retry, e.answer); n.answered && !is13(n.version) || a != nil && !a.Taken() {
		n.secrets = e.outer
	}
}

// An ECHAnswer is what a server's answer says of an encrypted hello: it took it where what
// stands in the answer is what is computed.
type ECHAnswer struct {
	Retry    bool   // it stands in the HelloRetryRequest
	Have     []byte // nil: a HelloRetryRequest without a confirmation
	Computed []byte
}

// Taken tells whether the server took the encrypted hello.
func (a *ECHAnswer) Taken() bool { return a.Have != nil && bytes.Equal(a.Have, a.Computed) }

// ReadECHAnswer judges whether a server took the encrypted hello (RFC 9849 7.2, 7.2.1), given
// messages with their 4-byte headers: the inner hellos, nil for those that are not known, and
// what there is of HelloRetryRequest and ServerHello. It returns nil where that does not tell.
func ReadECHAnswer(s *keys.Suite, inners [][]byte, retry, hello []byte) *ECHAnswer {
	if s == nil || !s.Hash.Available() || len(inners) == 0 || len(inners[0]) < 4+2+32 {
		return nil
	}
	random, messages := inners[0][6:38], [][]byte{inners[0]}
	var first *ECHAnswer
	if retry != nil {
		have, without := handshake.Confirmation(retry, true)
		if have == nil {
			return &ECHAnswer{Retry: true}
		}
		messages = [][]byte{keys.MessageHash(s, inners[0])}
		first = &ECHAnswer{Retry: true, Have: have, Computed: keys.ECHConfirmation(s, random, true, append(messages, without)...)}
		if !first.Taken() || hello == nil || len(inners) < 2 || inners[1] == nil {
			return first
		}
		messages = append(messages, retry, inners[1])
	}
	have, without := handshake.Confirmation(hello, false)
	if have == nil {
		return nil
	}
	last := &ECHAnswer{Have: have, Computed: keys.ECHConfirmation(s, random, false, append(messages, without)...)}
	if first != nil && !last.Taken() {
		return nil // it says both
	}
	return last
}

// maxInner bounds the lines that are tried for one connection.
const maxInner = 1 << 14

// findInner looks, where a ClientHello carries another one encrypted (ECH) and no line is
// known for the random that it should have, for a line that opens a record or packet of the
// handshake, as fits tells of a secret of a side and stage: programs log under the random of the encrypted
// hello (RFC 9850 2.3), which nobody else can read, and some under that of the one in clear. The
// tag (AEAD) decides. The lines of that random are this handshake's then. Only files that were
// not recorded here are searched: a live story cannot wait for lines of other connections.
func (d *Decoder) findInner(w waiter, n *negotiation, side Side, at stage, fits func(secret []byte) bool) bool {
	if n.inner || !n.answered || !is13(n.version) || !n.openable() || n.hello == nil || n.secrets == nil || n.secrets.traffic() || n.hello.Extension(handshake.ExtECH) == nil {
		return false
	}
	n.inner = true
	e := &n.ech
	for _, other := range []*entry{e.inner, e.outer} {
		if other != nil && other != n.secrets && other.traffic() {
			n.secrets = other
			other.waiters[w] = make(map[string][]byte) // they are told again: they count
			d.keyedSoFar(w, other)
			return true
		}
	}
	if w.conn().Leg != LegNone {
		return false
	}
	label, tried := labels13[side][at], 0
	var found []byte
	d.secrets.lines.all(func(l keyLine) bool {
		if l.label != label || len(l.random) != 32 || d.secrets.used[[32]byte(l.random)] != nil {
			return true
		}
		tried++
		if fits(l.secret) {
			found = l.random
		}
		return found == nil && tried < maxInner
	})
	if found == nil {
		return false
	}
	n.secrets = d.secrets.use(w, [32]byte(found))
	d.keyedSoFar(w, n.secrets)
	return true
}

// findInner does so for the server's first record.
func (c *conn) findInner(h *half, version uint16, body []byte) bool {
	n := h.tls.neg
	return h.side == Server && c.keysForced() && c.d.findInner(c, n, Server, stageHandshake, func(secret []byte) bool {
		o, err := n.opener13(n.suite, secret)
		if err == nil {
			_, _, err = o.Open(nil, typeApplicationData, version, body)
		}
		return err == nil
	})
}

// findInner does so for the first packet or record of a side.
func (u *udpConn) findInner(side Side, at stage, fits func(secret []byte) bool) bool {
	if u.neg == nil || u.forced == "" && !u.d.SecretsFirst || !u.d.findInner(u, u.neg, side, at, fits) {
		return false
	}
	u.entry = u.neg.secrets
	u.learn(u.entry)
	return true
}
