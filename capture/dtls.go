package capture

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"

	"explainer/capture/handshake"
)

const (
	dtlsHead    = 13 // bytes of a record's header (RFC 6347 4.1)
	dtlsMessage = 12 // of a message's (RFC 6347 4.2.2)
	dtlsCID     = 25 // record type of DTLS 1.2 with connection IDs (RFC 9146 4)
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
}

// readDTLS reads the record at the beginning of b, of which cut bytes are
// missing at the end. cid is the length of the connection ID in records to this
// receiver, -1 if there is none or it is not known.
func readDTLS(b []byte, cut, cid int) (r dtlsRecord, ok bool) {
	switch {
	case b[0]>>5 == 1: // DTLS 1.3, encrypted (RFC 9147 4)
		r.sealed, r.Type, r.Version, r.Epoch = true, 23, 0xfefc, uint16(b[0]&3)
		at := 2
		if b[0]&0x08 != 0 {
			at++
		}
		if b[0]&0x10 != 0 {
			if cid < 0 { // where the header ends is not known
				r.size, r.Len = len(b), len(b)
				return r, true
			}
			at += cid
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

// dtls tells the records of a datagram.
func (u *udpConn) dtls(s *udpSide, in *Datagram) {
	for rest := in.Data; len(rest) > 0; {
		r, ok := readDTLS(rest, in.Cut, u.sides[s.side.Other()].cid)
		if !ok || r.size == 0 {
			u.tell(s, in, len(rest), &Opaque{Len: int64(len(rest)), Preview: clonePreview(rest), Why: OpaqueUnknown})
			return
		}
		rest = rest[r.size:]
		switch {
		case r.sealed:
			u.sealedDTLS(s, in, &r)
		case r.cut:
			u.tell(s, in, r.size, &Opaque{Len: int64(r.size), Preview: clonePreview(r.content), Why: OpaqueCut})
		case r.Type == 20 && !s.ccs:
			u.flushDTLS(s)
			s.ccs = true
			u.tell(s, in, r.size, &ChangeCipherSpec{Dummy: u.neg != nil && handshake.TLSVersion(u.neg.version) == 0x0304})
		case r.Type == 21 && len(r.content) == 2:
			u.flushDTLS(s)
			u.tell(s, in, r.size, &Alert{Level: r.content[0], Description: r.content[1]})
		case r.Type == 22 && !s.bad:
			u.handshakeDTLS(s, in, &r)
		default:
			body := r.DTLSRecord
			body.Repeated = r.Type == 20
			u.tell(s, in, r.size, &body)
		}
	}
}

// sealedDTLS counts an encrypted record.
func (u *udpConn) sealedDTLS(s *udpSide, in *Datagram, r *dtlsRecord) {
	if !s.ccs {
		s.ccs = true
		u.flushDTLS(s)
	}
	var epoch uint16
	if r.Version == 0xfefc {
		epoch = r.Epoch
	}
	if run, ok := s.runBody().(*Sealed); !ok || run.Type != r.Type || run.Epoch != epoch {
		u.start(s, in, &Sealed{Type: r.Type, Reason: SealedDTLS, Epoch: epoch})
	}
	run := s.run.Body.(*Sealed)
	run.Records++
	run.Wire += int64(r.size + r.lacking)
	u.extend(s, in, r.size)
}

// handshakeDTLS takes in a record with fragments of handshake messages.
func (u *udpConn) handshakeDTLS(s *udpSide, in *Datagram, r *dtlsRecord) {
	body := r.DTLSRecord
	body.Repeated = true
	m := u.tell(s, in, r.size, &body)
	span := m.Span
	for p := r.content; len(p) > 0; {
		if len(p) < dtlsMessage || !hasFragment(p) || u24(p[9:]) > len(p)-dtlsMessage {
			body.Repeated = false
			u.d.messages = append(u.d.messages, Message{Conn: u.pub, Side: s.side, Time: in.Time, Span: span, First: in.Packet, Last: in.Packet, Inner: true,
				Body: &Malformed{Where: "handshake fragment", Err: "its lengths do not fit"}})
			s.bad = true
			return
		}
		typ, length, seq := handshake.Type(p[0]), u24(p[1:]), binary.BigEndian.Uint16(p[4:])
		off, data := u24(p[6:]), p[dtlsMessage:dtlsMessage+u24(p[9:])]
		p = p[dtlsMessage+len(data):]
		if typ == handshake.TypeClientHello && s.side == Client && off == 0 && len(data) >= 34 && seq == 0 && s.next > 0 && u.random != nil && !bytes.Equal(u.random, data[2:34]) {
			u.again() // another handshake between the same ports
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
			msg = &partial{typ: typ, length: length}
			s.msgs[seq] = msg
			body.Repeated = false
		}
		if msg.typ != typ || msg.length != length || u.d.udpHeld+int64(len(data)) > maxUDPHeld {
			continue
		}
		if n := msg.add(uint64(off), data, span, in.Packet, uint64(length)); n > 0 {
			body.Repeated = false
			u.d.udpHeld += int64(n)
		}
		if length == 0 {
			msg.list = []cryptoPiece{{span: span, packet: in.Packet}}
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
	data, span, first, last := msg.take(0, uint64(msg.length))
	if data == nil && msg.length > 0 {
		return false
	}
	if msg.length == 0 {
		span, first, last = msg.list[0].span, msg.list[0].packet, msg.list[0].packet
	}
	u.d.udpHeld -= int64(msg.size())
	delete(s.msgs, seq)
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
	m := Message{Conn: u.pub, Side: s.side, Time: s.time, Span: span, First: first, Last: last, Inner: true, Raw: raw}
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

// again forgets a handshake, for another begins.
func (u *udpConn) again() {
	for i := range u.sides {
		s := &u.sides[i]
		u.dropDTLS(s)
		s.begun, s.next, s.seen, s.ccs, s.bad, s.cid = false, 0, nil, false, false, -1
	}
	u.neg = nil
}
