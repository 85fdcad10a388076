package capture

import (
	"bytes"
	"crypto/sha256"
	"net/netip"
	"slices"
	"strings"

	"explainer/capture/handshake"
	"explainer/capture/quic"
	"explainer/capture/web"
)

// Bounds of what is kept of connections over UDP, in bytes.
const (
	maxCrypto    = 64 << 10 // of one side's handshake in packets of QUIC of one level that wait for earlier ones, or of one message
	maxCryptoEnd = 1 << 30  // of one side's handshake in packets of QUIC of one level
	maxDTLS      = 128 << 10
	maxUDPHeld   = 64 << 20 // of messages that are not complete, of all connections
	maxAhead     = 16       // messages of a DTLS handshake that wait for an earlier one
	maxPieces    = 512      // parts of one side's handshake, or of one message, that wait for others
)

// QUICPacket is one packet of QUIC, or several in a row that stay sealed.
type QUICPacket struct {
	Kind     quic.Type
	Version  uint32 // 0 in short headers and in Version Negotiation
	DCID     []byte // destination connection ID of the first; nil in short headers
	SCID     []byte
	Token    []byte   // of Initial and Retry
	Versions []uint32 // of Version Negotiation

	Packets int
	Wire    int64  // bytes, those too that the capture lacks; with the padding that ends a datagram
	Reason  string // why they stay sealed, one of the Sealed… constants; "" if there is nothing to open, or it was opened

	// Of one that was opened:
	From    []byte // of an Initial: the connection ID that the keys come from
	Number  uint64 // packet number
	Frames  []quic.Frame
	Broken  bool // the frames break off
	Updates int  // of 1-RTT: how often its sender's keys had been updated (RFC 9001 6)
	Updated bool // it is the first under these keys

	// How many of them begin a datagram that the capture has as one with the one before it, as
	// where a host captures what it sends itself; and how many packets of the capture have them, of
	// those that were not counted with a message before.
	Joined, JoinedIn int

	// Of a Retry: whether its tag could be checked against the client's first
	// connection ID, and whether it fits (RFC 9001 5.8).
	Checked, Good bool
}

// DTLSRecord is one record of DTLS with handshake messages, in clear or opened, or with
// something that has no message of its own (RFC 6347 4.1).
type DTLSRecord struct {
	Type     uint8
	Version  uint16
	Epoch    uint16
	Sequence uint64
	Len      int  // bytes of content; of an encrypted one, as it stands on the wire
	Repeated bool // all of it had come before
	Doubled  bool // it was opened, and the same record, by its number, had come before
}

// DTLSAck tells its sender's receipt of so many records (RFC 9147 7).
type DTLSAck struct{ Records int }

// ByInitial is Message.By of what was opened with QUIC's Initial keys.
const ByInitial = "QUIC Initial"

// Unplaced is bytes of the handshake in packets of QUIC that were opened, and are not told as
// messages: others that come before them, of either side, are not in the capture or stayed
// sealed.
type Unplaced struct{ Len int }

// udpConn is the Decoder's own state of a connection over UDP.
type udpConn struct {
	d     *Decoder
	pub   *Conn
	open  *Message // told with the first datagram, which says the version
	sides [2]udpSide
	quic  quic.Conn

	neg    *negotiation // nil before a Hello
	tied   [][32]byte   // client randoms whose secrets this connection is told
	random []byte       // of the first ClientHello of DTLS

	// DTLS:
	epoch uint16       // of the records that the keys of neg protect, 0 before there are any
	old   *negotiation // whose keys protect those of the epoch before

	// QUIC:
	entry     *entry            // secrets of the latest ClientHello, nil before one
	by        [2][stages][]byte // secrets that have opened packets
	tookEarly bool              // the server took 0-RTT data
	queue     []heldPacket      // packets, or datagrams of DTLS, that wait
	queued    int64             // their bytes
	version   uint32            // that was told last
	path      [2]netip.AddrPort // of the latest datagram, where it is not that of Open
	late      bool              // nothing of the handshake comes any more
	h3        *web.H3           // nil where the streams do not carry HTTP/3, or nothing came yet
	forced    string            // nothing waits any more; why a secret was not waited for: SealedNoKey or SealedTooMany
}

func (u *udpConn) conn() *Conn { return u.pub }

func (u *udpConn) randoms() *[][32]byte { return &u.tied }

// secret takes a key log line for one of its handshakes.
func (u *udpConn) secret(e *entry, label string, secret []byte) {
	u.d.keyed(u, e, label, secret)
	if n := u.neg; n != nil && n.ech.outer == e {
		u.d.openHellos(u, n)
	}
	if e == u.entry {
		u.learnLine(label, secret)
	}
	u.drain()
}

// udpSide is one direction.
type udpSide struct {
	side Side
	time int64    // of the latest datagram
	off  int64    // bytes so far
	run  *Message // of sealed packets or records, which goes on

	bad bool // its handshake is not read any more

	// QUIC: the handshake in the CRYPTO frames, by level.
	crypto   [stages]pieces
	told     [stages]uint64    // place up to which messages were told
	hello    [sha256.Size]byte // hash of the ClientHello before a Retry
	finished bool              // its Finished was told
	streams  quicStreams
	joined   int // datagrams that were captured as one with the one before
	joinedAt int // the last packet that had some

	// DTLS: messages by their number.
	msgs   map[uint16]*partial
	begun  bool
	next   uint16
	seen   map[uint16]bool // those that were told
	ccs    bool            // ChangeCipherSpec, or a record with a higher epoch, has come
	came   [4]replays      // records that were opened, by the two lowest bits of their epoch
	epoch  uint16          // of DTLS 1.3: the highest of which a record was opened
	epochs map[uint16]*epoch13
	cid    int // bytes of the connection ID in records to this side; -1: none
}

// A partial is a message of DTLS of which not all fragments were told.
type partial struct {
	typ    handshake.Type
	length int
	by     string // label of the secret that opened all records with parts of it
	pieces
}

// pieces are parts of a stream that came in any order.
type pieces struct{ list []cryptoPiece }

type cryptoPiece struct {
	off    uint64
	data   []byte
	span   Span
	packet int
	time   int64 // of the packet
}

// add keeps what is new of data, up to limit, and returns how many bytes that are.
func (p *pieces) add(off uint64, data []byte, span Span, packet int, time int64, limit uint64) int {
	if off >= limit {
		return 0
	}
	data = data[:min(uint64(len(data)), limit-off)]
	n, i := 0, 0
	for ; len(data) > 0; i++ {
		// The part before piece i is new; what piece i has is not.
		if i < len(p.list) && p.list[i].end() <= off {
			continue
		}
		fresh := data
		if i < len(p.list) && p.list[i].off < off+uint64(len(data)) {
			at := p.list[i].off
			if at <= off {
				skip := min(p.list[i].end()-off, uint64(len(data)))
				off, data = off+skip, data[skip:]
				continue
			}
			fresh = data[:at-off]
		}
		if len(p.list) == maxPieces {
			break
		}
		p.list = slices.Insert(p.list, i, cryptoPiece{off, bytes.Clone(fresh), span, packet, time})
		n += len(fresh)
		off, data = off+uint64(len(fresh)), data[len(fresh):]
	}
	return n
}

func (p *cryptoPiece) end() uint64 { return p.off + uint64(len(p.data)) }

// take returns bytes [from, to) of the stream, nil if they are not all there,
// where they came from, and the time of the last packet with some of them.
func (p *pieces) take(from, to uint64) (data []byte, span Span, first, last int, time int64) {
	at := from
	for i := range p.list {
		c := &p.list[i]
		if c.end() <= at {
			continue
		}
		if c.off > at || at >= to {
			break
		}
		data = append(data, c.data[at-c.off:min(to, c.end())-c.off]...)
		if at == from {
			span, first, last, time = c.span, c.packet, c.packet, c.time
		}
		span.Start, span.End = min(span.Start, c.span.Start), max(span.End, c.span.End)
		if c.packet > last {
			last, time = c.packet, c.time
		}
		first = min(first, c.packet)
		at = min(to, c.end())
	}
	if at < to {
		return nil, Span{}, 0, 0, 0
	}
	return data, span, first, last, time
}

// drop forgets the stream up to a place, and returns how many bytes that frees.
func (p *pieces) drop(to uint64) int {
	n, i := 0, 0
	for ; i < len(p.list) && p.list[i].end() <= to; i++ {
		n += len(p.list[i].data)
	}
	p.list = slices.Delete(p.list, 0, i)
	return n
}

func (p *pieces) size() int {
	n := 0
	for i := range p.list {
		n += len(p.list[i].data)
	}
	return n
}

func (d *Decoder) openUDP(in *Open) {
	u := &udpConn{d: d, pub: &Conn{
		Begins: in.begins(),
		Number: in.Conn, Transport: in.Transport, Leg: in.Leg, Client: in.Client, Server: in.Server, Continued: in.Continued,
	}}
	u.sides[Server].side = Server
	u.sides[Client].cid, u.sides[Server].cid = -1, -1
	u.open = &Message{Conn: u.pub, Time: in.Time, First: in.Packet, Last: in.Packet}
	if in.Continued {
		u.begin(0) // the packets that tell the version came before
	}
	if d.udp == nil {
		d.udp = make(map[int]*udpConn)
	}
	d.udp[in.Conn] = u
}

func (u *udpConn) datagram(in *Datagram) {
	s := &u.sides[in.Side&1]
	s.time = in.Time
	if u.pub.Transport == TransportDTLS {
		u.begin(0)
		u.dtls(s, in, in.Data)
		return
	}
	packets := u.quic.Datagram(int(s.side), in.Data, in.Cut)
	version := uint32(0)
	for i := range packets {
		if version = packets[i].Version; version != 0 {
			break
		}
	}
	if version != 0 {
		u.version = version
	}
	u.begin(version)
	u.packets(s, in, in.Data, packets)
}

func (u *udpConn) begin(version uint32) {
	if u.open != nil {
		u.open.Body = &Opened{QUICVersion: version}
		u.d.messages = append(u.d.messages, *u.open)
		u.open = nil
	}
}

// end tells what is left, and that no more comes, and frees the connection.
func (u *udpConn) end(why string) {
	u.close()
	u.d.messages = append(u.d.messages, Message{Conn: u.pub, Time: max(u.sides[Client].time, u.sides[Server].time), Body: &Ended{why}})
}

// close tells what is left and frees the connection.
func (u *udpConn) close() {
	u.begin(0)
	u.force(SealedNoKey)
	a, b := &u.sides[Client], &u.sides[Server]
	u.dropDTLS(a)
	u.dropDTLS(b)
	u.flushBoth()
	u.endCrypto(max(a.time, b.time))
	u.endStreams(max(a.time, b.time), labels13[Client][stageApplication])
	u.d.secrets.forget(u)
	delete(u.d.udp, u.pub.Number)
}

// flush tells the run of sealed packets.
func (u *udpConn) flush(s *udpSide) {
	if s.run != nil {
		u.d.messages = append(u.d.messages, *s.run)
		s.run = nil
	}
}

// flushBoth tells the runs of both sides, the one that began first before the other.
func (u *udpConn) flushBoth() {
	a, b := &u.sides[Client], &u.sides[Server]
	if a.run != nil && b.run != nil && b.run.First < a.run.First {
		a, b = b, a
	}
	u.flush(a)
	u.flush(b)
}

// onPath tells, with the first of a datagram that is told, whether it takes another path than the
// one before.
func (u *udpConn) onPath(s *udpSide, in *Datagram) {
	if in.Path == u.path {
		return
	}
	if u.path = in.Path; in.Path[0].IsValid() {
		u.flushBoth()
		u.d.messages = append(u.d.messages, Message{Conn: u.pub, Side: s.side, Time: in.Time, Span: Span{s.off, s.off}, First: in.Packet, Last: in.Packet, Inner: true, Body: &Moved{in.Path[0], in.Path[1]}})
	}
}

// tell tells n bytes of a datagram, after all that came before it.
func (u *udpConn) tell(s *udpSide, in *Datagram, n int, body any) *Message {
	u.onPath(s, in)
	u.flushBoth()
	span := Span{s.off, s.off + int64(n)}
	s.off = span.End
	u.d.messages = append(u.d.messages, Message{Conn: u.pub, Side: s.side, Time: in.Time, Span: span, First: in.Packet, Last: in.Packet, Body: body})
	return &u.d.messages[len(u.d.messages)-1]
}

// runBody is the run of sealed packets or records that goes on, nil if there is none.
func (s *udpSide) runBody() any {
	if s.run == nil {
		return nil
	}
	return s.run.Body
}

// start begins such a run.
func (u *udpConn) start(s *udpSide, in *Datagram, body any) {
	u.flush(s)
	s.run = &Message{Conn: u.pub, Side: s.side, Span: Span{s.off, s.off}, First: in.Packet, Body: body}
}

// extend adds n bytes of a datagram to it.
func (u *udpConn) extend(s *udpSide, in *Datagram, n int) {
	if s.run.Span.Start == s.run.Span.End {
		s.run.Time = in.Time
	} else {
		s.run.Until = in.Time
	}
	s.off += int64(n)
	s.run.Span.End, s.run.Last = s.off, in.Packet
}

// cryptoMessage tells the next handshake message of the CRYPTO frames of a level, if it is complete.
func (u *udpConn) cryptoMessage(s *udpSide, level stage) bool {
	crypto, told := &s.crypto[level], &s.told[level]
	if s.bad || len(crypto.list) == 0 || !u.inTurn(s.side, level) {
		return false
	}
	head, span, first, last, time := crypto.take(*told, *told+4)
	if head == nil {
		return false
	}
	by := ByInitial
	if level > stageClear {
		by = labels13[s.side][level]
	}
	n := uint64(head[1])<<16 | uint64(head[2])<<8 | uint64(head[3])
	typ := handshake.Type(head[0])
	m := Message{Conn: u.pub, Side: s.side, Time: time, Span: span, First: first, Last: last, Inner: true, Opened: true, By: by}
	end := *told + 4 + n
	if n+4 > maxCrypto {
		s.bad = true
		m.Body = &Malformed{Where: handshake.TypeName(typ), Err: "it claims to be longer than is read"}
		u.d.messages = append(u.d.messages, m)
		return false
	}
	m.Raw, m.Span, m.First, m.Last, m.Time = crypto.take(*told, end)
	if m.Raw == nil {
		return false
	}
	u.d.udpHeld -= int64(crypto.drop(end))
	*told = end
	if typ == handshake.TypeClientHello && s.side == Client {
		if hash := sha256.Sum256(m.Raw); hash != s.hello {
			s.hello = hash
		} else {
			return true // the same again after a Retry (RFC 9000 17.2.5.3)
		}
	}
	u.parse(s, m, typ, func(ctx handshake.Context) (handshake.Message, error) {
		return handshake.Parse(typ, m.Raw[4:], ctx)
	})
	return true
}

// inTurn tells whether what a side says next in the handshake has all before it that the other
// side says first (RFC 8446 2): a datagram may come before an earlier one, and the proofs are
// over the messages in their order.
func (u *udpConn) inTurn(side Side, level stage) bool {
	n := u.neg
	switch {
	case u.late:
		return level == stageClear
	case level == stageClear && side == Client:
		return u.sides[Client].told[stageClear] == 0 || n != nil && n.retry
	case level == stageClear:
		return n != nil && n.hello != nil && !(n.retry && n.hellos == 1)
	case level == stageHandshake && side == Server:
		return n != nil && n.answered
	case level == stageHandshake || side == Server:
		return u.sides[Server].finished
	}
	return u.sides[Client].finished
}

// cryptoMessages tells the handshake messages that are complete and whose turn it is.
func (u *udpConn) cryptoMessages() {
	for moved := true; moved; {
		moved = false
		for level := range stages {
			for i := range u.sides {
				for u.cryptoMessage(&u.sides[i], level) {
					moved = true
				}
			}
		}
	}
}

// endCrypto tells, at the end of a connection, what is left of the handshake.
func (u *udpConn) endCrypto(time int64) {
	u.late = true
	u.cryptoMessages()
	for i := range u.sides {
		s := &u.sides[i]
		left := 0
		for level := range s.crypto {
			n := s.crypto[level].size()
			u.d.udpHeld -= int64(n)
			s.crypto[level] = pieces{}
			if stage(level) > stageClear && !s.bad {
				left += n
			}
		}
		if left > 0 {
			u.d.messages = append(u.d.messages, Message{Conn: u.pub, Side: s.side, Time: time, Span: Span{s.off, s.off}, Inner: true, Body: &Unplaced{Len: left}})
		}
	}
}

// parse tells a whole handshake message, and takes from it what later ones depend on.
func (u *udpConn) parse(s *udpSide, m Message, typ handshake.Type, read func(handshake.Context) (handshake.Message, error)) {
	ctx := handshake.Context{FromClient: s.side == Client}
	if u.neg != nil {
		ctx.Version, ctx.KeyExchange = u.neg.version, u.neg.exchange
	}
	body, err := read(ctx)
	if err != nil {
		name := handshake.TypeName(typ)
		m.Raw = nil
		m.Body = &Malformed{Where: name, Err: strings.TrimPrefix(err.Error(), name+": ")}
		s.bad = true
		u.d.messages = append(u.d.messages, m)
		return
	}
	m.Body = body
	if u.neg == nil {
		u.neg = new(negotiation)
	}
	if u.pub.Transport == TransportDTLS {
		u.hearDTLS(s, &m, body)
	} else {
		u.neg.hear(s.side, body, nil) // no secret is made of the messages, so none has to be kept
	}
	u.d.messages = append(u.d.messages, m)
	switch b := body.(type) {
	case *handshake.ClientHello:
		if s.side == Client {
			s.hearCID(b.Extension(handshake.ExtConnectionID))
			if u.pub.Transport == TransportDTLS && u.neg.hellos == 1 {
				u.entry = nil // its lines are told anew, also behind a HelloVerifyRequest
			}
			u.tie(b.Random)
			u.neg.secrets = u.entry
			u.d.keyedSoFar(u, u.neg.secrets)
			if m.Raw != nil && u.pub.Transport == TransportQUIC {
				u.d.sealedHello(u, u.neg, m.Raw)
			}
		}
	case *handshake.ServerHello:
		if s.side == Server && !b.Retry {
			s.hearCID(b.Extension(handshake.ExtConnectionID))
			u.quic.Agree(b.CipherSuite)
		}
	case *handshake.Finished:
		s.finished = true
	case *handshake.EncryptedExtensions:
		if s.side != Server {
			break
		}
		if u.tookEarly = b.HasEarlyData(); !u.tookEarly {
			u.rejectEarly()
		}
		if e := b.Extension(handshake.ExtQUICParameters); e != nil {
			list, _ := quic.Parameters(e.Data)
			for _, p := range list {
				if p.ID == quic.ParameterResetToken {
					u.quic.ResetToken(int(Server), p.Value)
				}
			}
		}
	}
}

// hearCID takes in the connection ID that a side of DTLS wants in records to it (RFC 9146 3).
func (s *udpSide) hearCID(e *handshake.Extension) {
	if e != nil && len(e.Data) > 0 && int(e.Data[0]) == len(e.Data)-1 {
		s.cid = len(e.Data) - 1
	}
}
