package capture

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"

	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/quic"
)

const (
	dtlsHead    = 13 // bytes of a record's header (RFC 6347 4.1)
	dtlsMessage = 12 // of a message's (RFC 6347 4.2.2)
	dtlsCID     = keys.TypeCID
	oldDTLS     = 0x0100 // version of OpenSSL before 0.9.8f, which hashes and authenticates in its own way
)

// maxSeen bounds the messages of a side that are known when they come again.
const maxSeen = 256

// A dtlsRecord is one record as it lies in a datagram.
type dtlsRecord struct {
	DTLSRecord
	sealed  bool
	content []byte
	size    int // bytes of the whole record that are there
	lacking int // and those that the capture lacks
	cut     bool
	cid     []byte // the connection ID in its header, if its type says that it has one
	// Of DTLS 1.3: the header, and where the number in it begins.
	head  []byte
	at    int
	early bool // it was opened as early data
	// Of one that was opened:
	by     string // label of the secret
	cipher []byte // what is encrypted of it
}

// readDTLS reads the record at the beginning of b, of which cut bytes are
// missing at the end. cid is the length of the connection ID in records to this
// receiver, -1 if there is none or it is not known.
func readDTLS(b []byte, cut, cid int) (r dtlsRecord, ok bool) {
	switch {
	case b[0]>>5 == 1: // DTLS 1.3, encrypted (RFC 9147 4)
		r.sealed, r.Type, r.Version, r.Epoch = true, 23, 0xfefc, uint16(b[0]&3)
		at, number := 2, 1
		if b[0]&0x08 != 0 {
			at++
		}
		if b[0]&0x10 != 0 {
			if cid < 0 { // where the header ends is not known
				r.size, r.Len = len(b), len(b)
				return r, true
			}
			at += cid
			number += cid
		}
		n := len(b) + cut - at
		if b[0]&0x04 != 0 {
			if at+2 > len(b) {
				return r, cut > 0
			}
			n = int(binary.BigEndian.Uint16(b[at:]))
			at += 2
		}
		if n < 0 || at+n > len(b)+cut {
			return r, false
		}
		r.Len, r.size = n, min(at+n, len(b))
		r.lacking = at + n - r.size
		if at <= r.size {
			r.head, r.at, r.content = b[:at], number, b[at:r.size]
		}
		return r, true
	case b[0] < 20 || b[0] > 26 || len(b) < dtlsHead:
		return r, false
	}
	r.Type, r.Version = b[0], binary.BigEndian.Uint16(b[1:])
	r.Epoch, r.Sequence = binary.BigEndian.Uint16(b[3:]), binary.BigEndian.Uint64(b[3:])&(1<<48-1)
	if !dtlsVersion(r.Version) {
		return r, false
	}
	r.sealed = r.Epoch > 0 || r.Type == dtlsCID
	head := dtlsHead
	if r.Type == dtlsCID {
		if cid < 0 {
			r.size, r.Len = len(b), len(b)
			return r, true
		}
		if head += cid; head > len(b) {
			return r, cut > 0
		}
		r.cid = b[dtlsHead-2 : head-2]
	}
	r.Len = int(binary.BigEndian.Uint16(b[head-2:]))
	if r.Len > len(b)+cut-head {
		return r, false
	}
	r.cut = r.Len > len(b)-head
	r.size = min(head+r.Len, len(b))
	r.lacking = head + r.Len - r.size
	r.content = b[head:r.size]
	return r, true
}

func dtlsVersion(v uint16) bool {
	return v == 0xfeff || v == 0xfefd || v == 0xfefc || v == 0x0100
}

// LooksDTLS tells whether a datagram with nothing known before it is one of
// DTLS: it is nothing but records with the long header of RFC 6347 4.1. cut is
// how many bytes at its end the capture lacks.
func LooksDTLS(b []byte, cut int) bool {
	for n := 0; len(b) > 0; n++ {
		r, ok := readDTLS(b, cut, -1)
		if !ok || r.size == 0 || b[0]>>5 == 1 && n == 0 {
			return false
		}
		if !r.sealed && r.Type == 22 && len(r.content) >= dtlsMessage && !hasFragment(r.content) {
			return false
		}
		b = b[r.size:]
	}
	return true
}

// hasFragment tells whether content begins with a fragment of a handshake message.
func hasFragment(content []byte) bool {
	length, off, n := u24(content[1:]), u24(content[6:]), u24(content[9:])
	return off+n <= length
}

// DTLSSender tells who sends a datagram of DTLS, if its first record shows it.
func DTLSSender(b []byte) (side Side, known bool) {
	if len(b) < dtlsHead+dtlsMessage || b[0] != 22 || b[3] != 0 || b[4] != 0 {
		return Client, false
	}
	switch handshake.Type(b[dtlsHead]) {
	case handshake.TypeClientHello, handshake.TypeClientKeyExchange:
		return Client, true
	case handshake.TypeServerHello, handshake.TypeHelloVerifyRequest, handshake.TypeServerKeyExchange, handshake.TypeServerHelloDone,
		handshake.TypeCertificateRequest, handshake.TypeNewSessionTicket, handshake.TypeHelloRequest:
		return Server, true
	}
	return Client, false
}

func u24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

// dtls tells the records of a datagram, or keeps those that have to wait.
func (u *udpConn) dtls(s *udpSide, in *Datagram, b []byte) {
	if len(u.queue) == 0 {
		b = u.records(s, in, b)
	}
	if len(b) > 0 {
		u.hold(s, in, b, quic.Packet{})
		u.bound()
	}
}

// records tells records, and returns those that have to wait for a secret.
func (u *udpConn) records(s *udpSide, in *Datagram, b []byte) (left []byte) {
	for len(b) > 0 {
		r, ok := readDTLS(b, in.Cut, u.sides[s.side.Other()].cid)
		switch {
		case !ok || r.size == 0:
			u.tell(s, in, len(b), &Opaque{Len: int64(len(b)), Preview: clonePreview(b), Why: OpaqueUnknown})
			return nil
		case r.sealed:
			if !u.protected(s, in, &r, b[:r.size]) {
				return b
			}
		case r.cut:
			u.tell(s, in, r.size, &Opaque{Len: int64(r.size), Preview: clonePreview(r.content), Why: OpaqueCut})
		default:
			u.content(s, in, &r)
		}
		b = b[r.size:]
	}
	return nil
}

// content tells what a record holds that is in clear or was opened.
func (u *udpConn) content(s *udpSide, in *Datagram, r *dtlsRecord) {
	opened := r.by != ""
	var body any
	switch {
	case r.Type == typeChangeCipherSpec && (opened || !s.ccs):
		s.ccs = true
		body = &ChangeCipherSpec{Dummy: u.neg != nil && is13(u.neg.version), Number: r.Sequence}
	case r.Type == typeAlert && len(r.content) == 2:
		u.flushDTLS(s)
		body = &Alert{Level: r.content[0], Description: r.content[1]}
	case r.Type == typeHandshake && !s.bad:
		u.handshakeDTLS(s, in, r)
		return
	case r.Type == typeApplicationData && opened:
		u.flushDTLS(s)
		a := u.d.newAppData()
		*a = AppData{Len: len(r.content), Wire: r.size, Early: r.early}
		a.Begins = copy(a.Sealed[:], r.cipher)
		body = a
	case r.Type == typeAck && opened && isAck(r.content):
		body = &DTLSAck{Records: (len(r.content) - 2) / ackNumber}
	case r.Type == typeHeartbeat && opened && len(r.content) >= 3:
		body = &Heartbeat{Kind: r.content[0], Length: int(binary.BigEndian.Uint16(r.content[1:])), Have: len(r.content) - 3}
	default:
		record := r.DTLSRecord
		record.Repeated = r.Type == typeChangeCipherSpec
		body = &record
	}
	m := u.tell(s, in, r.size, body)
	m.Opened, m.By = opened, r.by
}

const (
	typeAck   = 26 // RFC 9147 7
	ackNumber = 16 // bytes of a record's number in an ACK: epoch and sequence number, big-endian
)

// isAck tells whether content is that of an ACK: the length of a list, and the list.
func isAck(content []byte) bool {
	return len(content) >= 2 && int(binary.BigEndian.Uint16(content)) == len(content)-2 && (len(content)-2)%ackNumber == 0
}

// keysOf returns the handshake whose keys protect the records of an epoch, nil if it is not known.
func (u *udpConn) keysOf(epoch uint16) *negotiation {
	switch {
	case epoch == max(u.epoch, 1):
		return u.neg
	case epoch > 0 && epoch+1 == u.epoch:
		return u.old
	}
	return nil
}

// protected tells an encrypted record, of which b are the bytes. It tells false where it has to
// wait for a secret.
func (u *udpConn) protected(s *udpSide, in *Datagram, r *dtlsRecord, b []byte) bool {
	n := u.keysOf(r.Epoch)
	switch {
	case b[0]>>5 == 1:
		return u.protected13(s, in, r)
	case n != nil && (n.version == oldDTLS || is13(n.version)):
		u.sealedDTLS(s, in, r, SealedDTLS)
		return true
	case n == nil || n.hello == nil || !n.answered || n.secrets == nil || r.content == nil && r.lacking == 0:
		u.sealedDTLS(s, in, r, SealedPhase)
		return true
	case r.lacking > 0:
		u.sealedDTLS(s, in, r, SealedCut)
		return true
	case !n.openable() || n.suite.Cipher == keys.RC4:
		u.sealedDTLS(s, in, r, SealedNoSuite)
		return true
	case n.compression != 0:
		u.sealedDTLS(s, in, r, SealedDeflated)
		return true
	}
	u.d.learnMasters(u, n)
	number := uint64(r.Epoch)<<48 | r.Sequence
	for i := range n.masters {
		m := &n.masters[i]
		plain, inner, err := m.openers[s.side].OpenDTLS(u.d.plain[:0], number, r.cid, r.Type, r.Version, r.content)
		if err != nil {
			continue
		}
		u.d.plain = plain
		if n.master == nil && m.by == labelClientRandom {
			u.d.keyed(u, n.secrets, labelClientRandom, m.secret) // of several, the one that fits
		}
		n.master = m.secret
		r.cipher = r.content[min(n.explicitLen(), len(r.content)):]
		r.Type, r.content, r.by = inner, plain, m.by
		u.opened(s, in, r)
		return true
	}
	switch {
	case n.master == nil && u.forced == "" && !u.d.SecretsFirst:
		return false
	case len(n.masters) > 0:
		u.sealedDTLS(s, in, r, SealedBadTag)
	default:
		u.sealedDTLS(s, in, r, u.noKey())
	}
	return true
}

// opened tells a record that was opened, if it did not come before.
func (u *udpConn) opened(s *udpSide, in *Datagram, r *dtlsRecord) {
	if s.came[r.Epoch&3].add(uint64(r.Epoch)<<48 | r.Sequence) {
		u.content(s, in, r)
		return
	}
	record := r.DTLSRecord
	record.Doubled = true
	m := u.tell(s, in, r.size, &record)
	m.Opened, m.By = true, r.by
}

// An epoch13 is the records of a direction of DTLS 1.3 under one secret.
type epoch13 struct {
	seen    int // secrets that were made openers of
	openers []*keys.DTLS13
	good    *keys.DTLS13 // the one that has opened one
	next    uint64       // number behind the highest that was opened
}

// stageOf is the stage that an epoch of DTLS 1.3 belongs to (RFC 9147 6.1).
func stageOf(epoch uint16) stage { return stage(min(epoch, uint16(stageApplication))) }

// epochOf returns what opens the records of an epoch of DTLS 1.3, with the secrets that are known by now.
func (u *udpConn) epochOf(s *udpSide, epoch uint16) *epoch13 {
	e := s.epochs[epoch]
	if e == nil {
		if s.epochs == nil || len(s.epochs) > 8 {
			s.epochs = map[uint16]*epoch13{1: s.epochs[1], 2: s.epochs[2], epoch - 1: s.epochs[epoch-1]}
			maps.DeleteFunc(s.epochs, func(_ uint16, e *epoch13) bool { return e == nil })
		}
		e = &epoch13{}
		s.epochs[epoch] = e
	}
	if epoch > 3 {
		if before := s.epochs[epoch-1]; len(e.openers) == 0 && before != nil && before.good != nil {
			e.openers = []*keys.DTLS13{before.good.Next()}
		}
		return e
	}
	stage := stageOf(epoch)
	values := u.neg.secrets.values[labels13[s.side][stage]]
	for ; e.seen < len(values); e.seen++ {
		for _, suite := range u.neg.suites(stage) {
			if o, err := keys.NewDTLS13(suite, values[e.seen]); err == nil {
				e.openers = append(e.openers, o)
			}
		}
	}
	return e
}

// protected13 is protected for DTLS 1.3.
func (u *udpConn) protected13(s *udpSide, in *Datagram, r *dtlsRecord) bool {
	n := u.neg
	switch {
	case n == nil || n.hello == nil || !n.answered || n.secrets == nil || r.content == nil && r.lacking == 0:
		u.sealedDTLS(s, in, r, SealedPhase)
		return true
	case r.lacking > 0:
		u.sealedDTLS(s, in, r, SealedCut)
		return true
	case !is13(n.version) || !n.openable():
		u.sealedDTLS(s, in, r, SealedNoSuite)
		return true
	}
	size := 1
	if r.head[0]&0x08 != 0 {
		size = 2
	}
	// The header says the two lowest bits of the epoch: it is the next one, or the latest that has
	// them, or, where that came again late, the one before (RFC 9147 4.2.2).
	high := max(s.epoch, 3) + 1
	high -= (high - r.Epoch) & 3
	known := false
	for _, epoch := range []uint16{high, high - 4} {
		if epoch == 0 || epoch > high || epoch == 1 && s.side == Server {
			continue
		}
		e := u.epochOf(s, epoch)
		known = known || len(e.openers) > 0
		for _, o := range e.openers {
			plain, inner, number, err := o.Open(u.d.plain[:0], r.head, r.at, size, r.content, e.next)
			if err != nil {
				continue
			}
			u.d.plain = plain
			label := labels13[s.side][stageOf(epoch)]
			if e.good == nil && epoch <= 3 {
				u.d.keyed(u, n.secrets, label, o.Secret()) // of several, the one that fits
			}
			e.good, e.openers, e.next = o, []*keys.DTLS13{o}, max(e.next, number+1)
			s.epoch = max(s.epoch, epoch)
			r.cipher, r.early = r.content, epoch == 1
			r.Epoch, r.Sequence, r.Type, r.content, r.by = epoch, number, inner, plain, label
			u.opened(s, in, r)
			return true
		}
	}
	if at := stageOf(r.Epoch & 3); !known && at >= stageHandshake && u.findInner(s.side, at, func(secret []byte) bool {
		o, err := keys.NewDTLS13(n.suite, secret)
		if err == nil {
			_, _, _, err = o.Open(nil, r.head, r.at, size, r.content, 0)
		}
		return err == nil
	}) {
		return u.protected13(s, in, r)
	}
	later := len(n.secrets.values[labels13[s.side][stageApplication]]) > 0
	switch {
	case known:
		u.sealedDTLS(s, in, r, SealedBadTag)
	case !later && u.forced == "" && !u.d.SecretsFirst:
		return false
	default:
		u.sealedDTLS(s, in, r, u.noKey())
	}
	return true
}

// sealedDTLS counts an encrypted record that is not opened.
func (u *udpConn) sealedDTLS(s *udpSide, in *Datagram, r *dtlsRecord, why string) {
	u.onPath(s, in)
	if !s.ccs {
		s.ccs = true
		u.flushDTLS(s)
	}
	var epoch uint16
	if r.Version == 0xfefc {
		epoch = r.Epoch
	}
	if run, ok := s.runBody().(*Sealed); !ok || run.Type != r.Type || run.Epoch != epoch || run.Reason != why {
		u.start(s, in, &Sealed{Type: r.Type, Reason: why, Epoch: epoch})
	}
	run := s.run.Body.(*Sealed)
	run.Records++
	run.Wire += int64(r.size + r.lacking)
	u.extend(s, in, r.size)
}

// A replays is which of the latest records of an epoch came in one direction, so that one that
// comes again is known (RFC 6347 4.1.2.6).
type replays struct {
	epoch uint64
	next  uint64 // number behind the highest that came
	bits  [replaysLen / 64]uint64
}

const replaysLen = 1024 // records

// add notes a record by its epoch and sequence number. It tells false where it had come before.
// What is too far back to be known counts as new.
func (w *replays) add(number uint64) bool {
	epoch, at := number>>48, number&(1<<48-1)
	if epoch != w.epoch {
		*w = replays{epoch: epoch}
	}
	if at+replaysLen < w.next {
		return true
	}
	for n := max(w.next, at-min(at, replaysLen)); n <= at; n++ {
		w.bits[n/64%(replaysLen/64)] &^= 1 << (n % 64)
	}
	w.next = max(w.next, at+1)
	word, bit := &w.bits[at/64%(replaysLen/64)], uint64(1)<<(at%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

// hearDTLS takes in a handshake message, as [negotiation.hear] does.
func (u *udpConn) hearDTLS(s *udpSide, m *Message, body handshake.Message) {
	n := u.neg
	switch body.(type) {
	case *handshake.HelloVerifyRequest:
		return // it is not hashed, nor is the hello before it (RFC 6347 4.2.1)
	case *handshake.ClientHello:
		if s.side == Client && n.hello != nil && !n.answered && !n.retry {
			n = new(negotiation)
			u.neg = n
		}
	}
	sent := n.ciphertext != nil
	n.hear(s.side, body, m.Raw)
	if _, ok := body.(*handshake.ClientKeyExchange); !ok || s.side != Client {
		return
	}
	if !sent && n.exchange == handshake.KeyExchangeRSA && n.hello != nil && n.answered && n.suite != nil {
		u.d.openKeyTransport(u, n)
	}
	m.Block = n.block
}

// handshakeDTLS takes in a record with fragments of handshake messages.
func (u *udpConn) handshakeDTLS(s *udpSide, in *Datagram, r *dtlsRecord) {
	body := r.DTLSRecord
	body.Repeated = true
	m := u.tell(s, in, r.size, &body)
	m.Opened, m.By = r.by != "", r.by
	span := m.Span
	for p := r.content; len(p) > 0; {
		if len(p) < dtlsMessage || !hasFragment(p) || u24(p[9:]) > len(p)-dtlsMessage {
			body.Repeated = false
			u.d.messages = append(u.d.messages, Message{Conn: u.pub, Side: s.side, Time: in.Time, Span: span, First: in.Packet, Last: in.Packet, Inner: true, Opened: r.by != "", By: r.by,
				Body: &Malformed{Where: "handshake fragment", Err: "its lengths do not fit"}})
			s.bad = true
			return
		}
		typ, length, seq := handshake.Type(p[0]), u24(p[1:]), binary.BigEndian.Uint16(p[4:])
		off, data := u24(p[6:]), p[dtlsMessage:dtlsMessage+u24(p[9:])]
		p = p[dtlsMessage+len(data):]
		if typ == handshake.TypeClientHello && s.side == Client && off == 0 && len(data) >= 34 && seq == 0 && s.next > 0 && u.random != nil && !bytes.Equal(u.random, data[2:34]) && !slices.Contains(u.tied, [32]byte(data[2:34])) {
			u.again(r) // another handshake between the same ports
		}
		if typ == handshake.TypeHelloRequest && r.by != "" && s.side == Server && length == 0 {
			// It is no part of a handshake, though it takes a number (RFC 6347 4.2.2).
			delete(s.seen, seq)
			s.next = seq
		}
		if !s.begun {
			s.begun, s.next = true, seq
		}
		switch {
		case length > maxDTLS:
			body.Repeated = false
			continue
		case s.seen[seq]:
			continue
		}
		if int(seq)-int(s.next) > maxAhead {
			u.flushDTLS(s)
			s.next = seq
		}
		msg := s.msgs[seq]
		if msg == nil {
			if len(s.msgs) > 2*maxAhead {
				u.dropDTLS(s)
			}
			if s.msgs == nil {
				s.msgs = make(map[uint16]*partial)
			}
			msg = &partial{typ: typ, length: length, by: r.by}
			s.msgs[seq] = msg
			body.Repeated = false
		}
		if msg.typ != typ || msg.length != length || u.d.udpHeld+int64(len(data)) > maxUDPHeld {
			continue
		}
		if msg.by != r.by {
			msg.by = ""
		}
		if n := msg.add(uint64(off), data, span, in.Packet, in.Time, uint64(length)); n > 0 {
			body.Repeated = false
			u.d.udpHeld += int64(n)
		}
		if length == 0 {
			msg.list = []cryptoPiece{{span: span, packet: in.Packet, time: in.Time}}
		}
		if seq < s.next {
			u.messageDTLS(s, seq)
		}
		for u.messageDTLS(s, s.next) {
		}
	}
}

// messageDTLS tells a message, if it is complete.
func (u *udpConn) messageDTLS(s *udpSide, seq uint16) bool {
	msg := s.msgs[seq]
	if msg == nil {
		return false
	}
	data, span, first, last, time := msg.take(0, uint64(msg.length))
	if data == nil && msg.length > 0 {
		return false
	}
	if msg.length == 0 {
		span, first, last, time = msg.list[0].span, msg.list[0].packet, msg.list[0].packet, msg.list[0].time
	}
	u.d.udpHeld -= int64(msg.size())
	delete(s.msgs, seq)
	if seq != s.next && u.neg != nil {
		u.neg.holed = true
	}
	s.next = max(s.next, seq+1)
	if s.seen == nil || len(s.seen) > maxSeen {
		s.seen = map[uint16]bool{}
	}
	s.seen[seq] = true
	if s.bad {
		return true
	}
	raw := make([]byte, dtlsMessage, dtlsMessage+len(data))
	raw[0] = byte(msg.typ)
	raw[1], raw[2], raw[3] = byte(msg.length>>16), byte(msg.length>>8), byte(msg.length)
	binary.BigEndian.PutUint16(raw[4:], seq)
	copy(raw[9:], raw[1:4])
	raw = append(raw, data...)
	if msg.typ == handshake.TypeClientHello && s.side == Client && len(data) >= 34 {
		u.random = bytes.Clone(data[2:34])
	}
	m := Message{Conn: u.pub, Side: s.side, Time: time, Span: span, First: first, Last: last, Inner: true, Raw: raw, Opened: msg.by != "", By: msg.by}
	u.parse(s, m, msg.typ, func(ctx handshake.Context) (handshake.Message, error) {
		return handshake.ParseDTLS(msg.typ, data, ctx)
	})
	return true
}

// flushDTLS tells the messages that are whole, though earlier ones are missing.
func (u *udpConn) flushDTLS(s *udpSide) {
	for _, seq := range slices.Sorted(maps.Keys(s.msgs)) {
		u.messageDTLS(s, seq)
	}
}

// dropDTLS does the same, and gives up those that are not.
func (u *udpConn) dropDTLS(s *udpSide) {
	u.flushDTLS(s)
	for _, m := range s.msgs {
		u.d.udpHeld -= int64(m.size())
	}
	clear(s.msgs)
}

// again forgets a handshake, for another begins with the record in hand. Inside records that
// the keys of the one before protect, it leaves these.
func (u *udpConn) again(r *dtlsRecord) {
	for i := range u.sides {
		s := &u.sides[i]
		u.dropDTLS(s)
		s.begun, s.next, s.seen, s.bad = false, 0, nil, false
		if r.by == "" {
			s.ccs, s.cid, s.came, s.epoch, s.epochs = false, -1, [4]replays{}, 0, nil
		}
	}
	if r.by == "" {
		u.old, u.epoch = nil, 0
	} else {
		u.old, u.epoch = u.neg, r.Epoch+1
	}
	u.neg = nil
}
