package capture

import (
	"bytes"
	"crypto/rsa"
	"iter"
	"maps"
	"slices"

	"explainer/capture/keys"
	"explainer/capture/quic"
	"explainer/capture/web"
)

// Bounds of what is kept.
const (
	maxWaiting      = 16 << 20  // bytes of a connection that wait for a secret or for the other side
	maxWaitingTotal = 256 << 20 // the same for all connections together
	waitingOverhead = 2 << 10   // what a connection that waits counts beside its bytes
)

// A Decoder turns inputs into messages. Its zero value is ready for use.
//
// What a connection carries is found out from its first bytes; each direction
// then goes through these states:
//
//	          ┌─► opaque                          neither TLS nor HTTP: counted until its end
//	sniffing ─┼─► HTTP ── CONNECT, 2xx ─► sniffing (in the tunnel)
//	          └─► TLS
//
//	TLS 1.2 and older          client                     server
//	  in clear                 ClientHello … CKE          ServerHello … ServerHelloDone
//	    │ ChangeCipherSpec     its own                    its own; without ServerHelloDone: resumed
//	  protected                Finished, data             Finished, data
//	    │ ClientHello, ServerHello: a second set of keys is being made under the first
//	    │ ChangeCipherSpec, encrypted: to the second set (renegotiation)
//	  protected
//
//	TLS 1.3                    client                     server
//	  in clear                 ClientHello                HelloRetryRequest, ServerHello
//	    │
//	  early                    0-RTT data, EndOfEarlyData -
//	    │ EndOfEarlyData, or a record that the next stage's secret opens
//	  handshake                … Finished                 EncryptedExtensions … Finished
//	    │ Finished
//	  application              data, KeyUpdate            data, KeyUpdate, NewSessionTicket
//
//	Any state goes to opaque after bytes that break the protocol. After missing bytes
//	records are only counted, if the next bytes look like one, and are opaque if not.
//	Opaque goes to TLS where a ClientHello is found in it (STARTTLS, SOCKS, databases).
//
// A direction whose next record cannot be handled yet waits: bytes are kept and
// it is tried again when a secret arrives or the other direction moves on. There
// are three things to wait for: a secret; a message of the other side that says
// how to read this one (a client's flight needs the ServerHello, its data in TLS
// 1.3 the EncryptedExtensions); and, so that a response is always read after its
// request, what the other side sent before. So each side's messages are the same
// whenever its secrets arrive. Secrets of one direction are expected in the order
// in which they are derived, as every key log has them: when that of the last
// stage is known, an earlier one that is not known is not waited for.
//
// Nothing waits for a secret beyond the bounds, after the end of a connection
// that the proxy itself recorded, or where SecretsFirst is set; then it is [Sealed].
type Decoder struct {
	// SecretsFirst says that each secret is fed before the bytes that it opens,
	// if it is known at all. Then nothing waits for a secret.
	SecretsFirst bool

	// PrivateKeys are RSA keys of servers, set before the first Feed. They open
	// connections with RSA key transport (RFC 5246 7.4.7.1), and no others.
	PrivateKeys []*rsa.PrivateKey

	// Twin, if set before the first Feed, is given the twin of each TCP stream: bytes
	// that are to stand from off on, in order. They are valid until it returns. Of
	// bytes that are not given, nothing is known to be harmless. All secrets have to
	// be fed first, whether SecretsFirst is set or not.
	Twin func(conn int, side Side, off int64, twin []byte)

	// Hide says what is a credential in fields of HTTP, so that twins do not have
	// it, whatever the field. It may be nil.
	Hide web.Hide

	// Opened, if set before the first Feed, is told each record of a TCP connection that
	// was opened, before its content is.
	Opened func(*OpenedRecord)

	conns     map[int]*conn
	ended     [64]*Conn // the connections over TCP that ended last, in a ring
	ends      int       // how many did
	udp       map[int]*udpConn
	udpHeld   int64 // bytes of udp's messages and streams that are not complete
	udpQueued int64 // bytes of its packets that wait
	secrets   secrets
	sessions  sessions
	messages  []Message
	plain     []byte    // of the record in hand
	spares    [][]byte  // buffers that no connection has bytes in
	data      []AppData // to take the bodies of messages from, many per allocation
	packets   []QUICPacket
	frames    []quic.Frame // to take what packets hold from

	lines   int     // key log lines that were fed
	trials  int64   // bytes that were decrypted to find the way back behind gaps
	waiting int64   // sum of the connections' waiting
	queue   []*conn // those that wait, in the order in which they began to
}

// Feed takes the next input and returns what it completed. The slice is valid
// until the next call; the messages' bodies and Raw stay valid.
//
// Bytes never cause an error. An input about a connection that is over, or has
// no Open, is not looked at, but for facts.
func (d *Decoder) Feed(in Input) []Message {
	clear(d.messages)
	d.messages = d.messages[:0]
	switch in := in.(type) {
	case *Open:
		switch {
		case d.conns[in.Conn] != nil || d.udp[in.Conn] != nil:
		case in.Transport != TransportTCP:
			d.openUDP(in)
		default:
			d.open(in)
		}
	case *Datagram:
		if u := d.udp[in.Conn]; u != nil && len(in.Data) > 0 {
			u.datagram(in)
		}
	case *End:
		if u := d.udp[in.Conn]; u != nil {
			u.end(in.Why)
		} else if c := d.conns[in.Conn]; c != nil && in.Why == "" {
			c.lastAt = in.Time // keys may still come
		} else if c != nil {
			d.end(c)
			d.messages = append(d.messages, Message{Conn: c.pub, Time: in.Time, Body: &Ended{in.Why}})
		}
	case *Chunk:
		if c := d.conns[in.Conn]; c != nil && len(in.Data) > 0 {
			c.pub.sequence(in.Side, in.Sequence, int64(len(in.Data)))
			c.chunk(in)
			d.after(c)
		}
	case *Gap:
		if c := d.conns[in.Conn]; c != nil && in.Len > 0 {
			c.pub.sequence(in.Side, in.Sequence, in.Len)
			c.gapped(in)
			d.after(c)
		}
	case *Late:
		if pub := d.pub(in.Conn); pub != nil {
			late := *in
			d.messages = append(d.messages, Message{Conn: pub, Side: in.Side, Time: in.Time, First: in.Packet, Last: in.Packet, Body: &late})
		}
	case *Close:
		if c := d.conns[in.Conn]; c != nil {
			c.close(in)
			d.after(c)
		}
	case *Secret:
		d.secret(in)
	case *Fact:
		f := *in
		f.Data = bytes.Clone(f.Data)
		m := Message{Time: f.Time, Body: &f}
		if c := d.conns[f.Conn]; c != nil {
			m.Conn = c.pub
			if f.Kind == FactClosed { // the recorder's last word on it: all its keys have been recorded, too
				d.end(c)
			}
		} else if u := d.udp[f.Conn]; u != nil {
			m.Conn = u.pub
			if f.Kind == FactClosed {
				u.close()
			}
		}
		d.messages = append(d.messages, m)
	}
	return d.messages
}

// All feeds inputs to their end and gives what each completed and then, once they
// are all there or an error has ended them, what was pending. The error comes last,
// without a message. A message is valid until the next, its body and Raw stay valid.
func (d *Decoder) All(inputs iter.Seq2[Input, error]) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		give := func(ms []Message) bool {
			for i := range ms {
				if !yield(&ms[i], nil) {
					return false
				}
			}
			return true
		}
		var end error
		for in, err := range inputs {
			if end = err; err != nil {
				break
			}
			if !give(d.Feed(in)) {
				return
			}
		}
		if give(d.Finish()) && end != nil {
			yield(nil, end)
		}
	}
}

// Finish is called at the end of the input. It returns what was still pending,
// connection by connection in the order of their numbers, those over UDP last.
// The Decoder is empty afterwards but for the secrets.
func (d *Decoder) Finish() []Message {
	clear(d.messages)
	d.messages = d.messages[:0]
	for _, n := range slices.Sorted(maps.Keys(d.conns)) {
		c := d.conns[n]
		d.end(c)
		if c.lastAt != 0 {
			d.messages = append(d.messages, Message{Conn: c.pub, Time: c.lastAt, Body: &Ended{}})
		}
	}
	d.queue, d.waiting = nil, 0
	for _, n := range slices.Sorted(maps.Keys(d.udp)) {
		d.udp[n].end("")
	}
	return d.messages
}

// Forgotten returns how many key log lines were forgotten because there were more than are kept.
func (d *Decoder) Forgotten() int { return d.secrets.lines.lost }

func (d *Decoder) open(in *Open) {
	d.secrets.begin()
	c := &conn{d: d, pub: &Conn{
		Number: in.Conn, Leg: in.Leg, Client: in.Client, Server: in.Server, SYN: in.SYN, Asked: in.Asked, Answered: in.Answered, Continued: in.Continued, Starts: in.Starts, Begins: in.begins(), PrivateKeys: len(d.PrivateKeys),
	}}
	for side, how := range c.pub.Begins {
		if how == StartSYN && in.Starts[side] != 0 {
			c.pub.sequence(Side(side), in.Starts[side], 0)
		}
	}
	c.halves[Client].first.off = -1
	c.halves[Server] = half{side: Server, first: piece{off: -1}}
	if d.conns == nil {
		d.conns = make(map[int]*conn)
	}
	d.conns[in.Conn] = c
	d.messages = append(d.messages, Message{
		Conn: c.pub, Time: in.Time, First: in.Packet, Last: max(in.Packet, slices.Max(in.Handshake[:])), Body: &Opened{},
	})
}

// begins is Begins with what the SYNs say.
func (in *Open) begins() [2]Start {
	b := in.Begins
	switch {
	case in.Transport != TransportTCP:
		b = [2]Start{StartDatagram, StartDatagram}
	case in.SYN:
		b = [2]Start{StartSYN, StartSYN}
	case in.Asked:
		b[Client] = StartSYN
	}
	return b
}

// after keeps the bounds once c has moved.
func (d *Decoder) after(c *conn) {
	if c.over() {
		d.free(c)
		return
	}
	waits := c.waits()
	if waits > maxWaiting {
		c.giveUp(SealedTooMany)
		waits = c.waits()
	}
	if waits > 0 && !c.queued {
		c.queued = true
		d.queue = append(d.queue, c)
	}
	d.waiting += waits - c.waiting
	c.waiting = waits
	for d.waiting > maxWaitingTotal {
		old := d.queue[0]
		d.queue = d.queue[1:]
		old.queued = false
		if old.waiting > 0 {
			old.giveUp(SealedTooMany)
			d.waiting -= old.waiting
			old.waiting = 0
			if old.over() {
				d.free(old)
			}
		}
	}
	if len(d.queue) > 64+2*len(d.conns) {
		d.queue = slices.DeleteFunc(d.queue, func(c *conn) bool {
			c.queued = c.waiting > 0
			return !c.queued
		})
	}
}

// end tells what is left of c, of which nothing more comes.
func (d *Decoder) end(c *conn) {
	c.finish()
	d.free(c)
}

func (d *Decoder) free(c *conn) {
	c.twinEnd()
	d.waiting -= c.waiting
	c.waiting = 0
	d.secrets.forget(c)
	if c.last != nil && c.pub.Leg != LegNone {
		d.secrets.forgetRSA(c.last.ciphertext)
	}
	delete(d.conns, c.pub.Number)
	d.ended[d.ends%len(d.ended)] = c.pub
	d.ends++
}

// pub finds a connection over TCP, also one of those that ended last.
func (d *Decoder) pub(number int) *Conn {
	if c := d.conns[number]; c != nil {
		return c.pub
	}
	for _, p := range d.ended {
		if p != nil && p.Number == number {
			return p
		}
	}
	return nil
}

func (d *Decoder) secret(s *keys.Secret) {
	d.lines++
	d.messages = append(d.messages, Message{Body: &aKeyLine})
	e, secret := d.secrets.add(s)
	for _, w := range e.inOrder() {
		w.secret(e, s.Label, secret)
	}
	if s.Label == labelRSA || s.Label == keys.LabelSession {
		// Which connection it belongs to shows when its messages are looked up.
		for _, c := range slices.Clone(d.queue) {
			d.retry(c)
		}
		for _, n := range slices.Sorted(maps.Keys(d.udp)) {
			d.udp[n].drain()
		}
	}
}

var aKeyLine KeyLine // they are all the same

func (d *Decoder) retry(c *conn) {
	if c.halves[Client].blocked || c.halves[Server].blocked {
		c.pump()
		d.after(c)
	}
}

// newAppData takes the next of many, so that not each record costs an allocation.
func (d *Decoder) newAppData() *AppData { return next(&d.data) }

// next takes the next of many values, of which more are made where none is left.
func next[T any](from *[]T) *T {
	if len(*from) == 0 {
		*from = make([]T, 64)
	}
	v := &(*from)[0]
	*from = (*from)[1:]
	return v
}
