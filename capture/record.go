package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/web"
)

// Record types (RFC 5246 6.2.1, RFC 6520 3).
const (
	typeChangeCipherSpec = 20
	typeAlert            = 21
	typeHandshake        = 22
	typeApplicationData  = 23
	typeHeartbeat        = 24
)

const (
	headerLen = 5       // of a record
	maxPlain  = 1 << 14 // bytes of content in a record (RFC 5246 6.2.1, RFC 8446 5.1)
)

// tlsHalf is one direction's state of TLS.
type tlsHalf struct {
	neg   *negotiation // the one that this side's last Hello belongs to
	begun bool         // a record was read
	over  bool         // the last one was an alert that ends TLS, or an encrypted one

	// message holds the beginning of a handshake message, or messages that wait.
	// Its bytes from seg on are the content of the last record, which stood in
	// the stream from segBody on, and that record ended at segEnd.
	message         []byte
	seg             int
	segBody, segEnd int64
	segSeq          uint64
	opened          bool // message was encrypted

	on       bool         // TLS 1.2 and older: records are protected
	keys     *negotiation // by these keys
	stage    stage        // TLS 1.3
	early    bool         // TLS 1.3: application data came before the server had answered
	opener   *keys.Opener // nil: not known, or lost
	by       string       // label of the secret behind opener
	bare     bool         // no secret is known, and none is needed: the suite does not encrypt
	secret   []byte       // TLS 1.3: that secret
	trials   [stages]trials
	inflater *inflater
	lost     string // why records of this stage cannot be opened any more, one of the Sealed constants

	// Behind missing bytes:
	resync   bool // the next record is searched for
	gapped   bool // how many records are missing is not known
	outer    outside
	handed   bool  // a record with data was opened
	known    int64 // place in the stream up to which it is known
	unopened int   // records since then that did not open
	fragment bool  // a handshake message may go on whose beginning is missing

	skip     int // bytes to come of a record that cannot be opened
	skipType uint8

	run sealedRun
}

// sealedRun is records in a row that were not opened and not told yet. It begins
// at told, and its first record was complete at time.
type sealedRun struct {
	Sealed
	end, time int64
}

// is13 tells that this direction's encrypted records are those of TLS 1.3. 0-RTT
// data is, even if the server then chooses an older version.
func (t *tlsHalf) is13() bool {
	return t.neg != nil && (is13(t.neg.version) || t.stage == stageEarly && !t.on)
}

// record reads one record. Handshake messages that the last one completed come first.
func (c *conn) record(h *half, p []byte) (int, status) {
	t := &h.tls
	if t.skip > 0 {
		n := min(t.skip, len(p))
		t.skip -= n
		if t.skip > 0 {
			return n, more
		}
		t.over = t.skipType == typeAlert
		c.seal(h, t.skipType, h.off+int64(n), t.lost)
		return n, done
	}
	if t.resync {
		return c.find(h, p)
	}
	if st := c.handshakes(h); st == blocked || h.why != "" {
		return 0, st
	}
	if len(p) < headerLen {
		h.want = headerLen
		return 0, more
	}
	if c.behind(h, headerLen) {
		return 0, blocked
	}
	typ, version, n := p[0], binary.BigEndian.Uint16(p[1:]), int(binary.BigEndian.Uint16(p[3:]))
	if err := c.headerFault(h, typ, version, n); err != "" {
		if c.tds != nil && t.on && isClearTDS(p) {
			h.stop(OpaqueTDSClear)
			return 0, done
		}
		if (c.found || h.side == Server && !t.begun && !isHeader(typ, version)) && (c.last == nil || !c.last.answered) {
			// What was found is framed in something else, or the server speaks no TLS at all.
			if c.found && isTDS(p) {
				h.stop(OpaqueTDS)
			} else {
				h.stop(OpaqueForeign)
			}
			return 0, done
		}
		if t.over && t.neg != nil && t.neg.answered && !isHeader(typ, version) {
			h.stop(OpaqueAfterTLS)
			return 0, done
		}
		c.malformed(h, h.off+headerLen, "record", err)
		return headerLen, done
	}
	if c.perhapsAgain(h, typ) {
		if len(p) < headerLen+n {
			h.want = headerLen + n
			return 0, more
		}
		if isHelloAgain(t.neg, p[headerLen:headerLen+n]) {
			t.on, t.lost = false, "" // the ChangeCipherSpec before it was a dummy
			t.neg.retry = true
		}
	}
	if t.lost != "" && c.blind(h, typ) {
		t.begun = true
		c.breakOff(h)
		if n == 0 {
			c.seal(h, typ, h.off+headerLen, t.lost)
		}
		t.skip, t.skipType = n, typ
		return headerLen, done
	}
	n += headerLen
	if len(p) < n {
		h.want = n
		return 0, more
	}
	t.over = false
	if c.whole(h, typ, version, p[:n:n]) == blocked {
		h.headSeq = h.at(h.off + int64(n) - 1).seq
		return 0, blocked
	}
	t.begun = true
	t.over = t.over || typ == typeAlert && n != headerLen+2
	return n, done
}

// behind tells that the next n bytes of h have to wait for what the other side
// sent before them: what package web says of one side can depend on the other, so
// both are read in the order of the capture once there may be application data.
func (c *conn) behind(h *half, n int) bool {
	t := &h.tls
	switch {
	case !t.is13():
		if !t.on {
			return false
		}
	case t.stage == stageApplication:
	case h.side == Client && t.neg.hello.HasEarlyData():
	default:
		return false
	}
	return c.after(h, n)
}

// after tells that the other side waits with something that was sent before the
// end of the next n bytes of h.
func (c *conn) after(h *half, n int) bool {
	o := &c.halves[h.side.Other()]
	seq := h.at(h.off + int64(n) - 1).seq
	if !c.waitsAt(o) || o.headSeq > seq {
		return false
	}
	h.headSeq = seq
	return true
}

// waitsAt tells that a side waits with what came at headSeq, or may.
func (c *conn) waitsAt(h *half) bool { return h.blocked || h.searching && c.forced == "" }

// isHeader tells whether a record can begin so (RFC 8446 5.1).
func isHeader(typ uint8, version uint16) bool {
	return typ >= typeChangeCipherSpec && typ <= typeHeartbeat && version>>8 == 3 && version&0xff <= 4
}

// headerFault says what is wrong with a record header, or "".
func (c *conn) headerFault(h *half, typ uint8, version uint16, n int) string {
	switch {
	case typ < typeChangeCipherSpec || typ > typeHeartbeat:
		return fmt.Sprintf("content type %d does not exist", typ)
	case h.tls.is13() && h.tls.neg.replied() && !h.tls.over: // the version is ignored for all purposes (RFC 8446 5.1)
	case version>>8 != 3 || version&0xff > 4:
		return fmt.Sprintf("version %#04x does not exist", version)
	}
	limit := maxPlain
	switch {
	case typ == typeApplicationData && h.tls.is13() && h.tls.neg.replied():
		limit += 256
	case typ == typeApplicationData || h.tls.on:
		limit += 2048
	}
	if n > limit {
		return fmt.Sprintf("length %d is over the limit of %d", n, limit)
	}
	return ""
}

// blind tells that a record of this type cannot be opened whatever it holds.
func (c *conn) blind(h *half, typ uint8) bool {
	t := &h.tls
	switch {
	case !t.is13():
		return t.on
	case typ != typeApplicationData || t.stage == stageEarly:
		return false
	case t.lost == SealedPhase || t.lost == SealedNoSuite:
		return true
	}
	return !c.lastKnown(h) && (t.stage == stageApplication || c.keysForced())
}

// perhapsAgain tells that this record behind a ChangeCipherSpec can be the second
// hello of a client whose server is not in the capture: a HelloRetryRequest of TLS
// 1.3 may have been between the two.
func (c *conn) perhapsAgain(h *half, typ uint8) bool {
	n := h.tls.neg
	return h.side == Client && typ == typeHandshake && h.tls.lost == SealedPhase && n != nil && n.hellos == 1 && !n.replied()
}

// isHelloAgain tells whether a record holds a ClientHello with the random of the
// first one, as the one that answers a HelloRetryRequest has (RFC 8446 4.1.2).
func isHelloAgain(n *negotiation, body []byte) bool {
	const random = 4 + 2 // header and version stand before it
	return len(body) >= random+32 && handshake.Type(body[0]) == handshake.TypeClientHello &&
		bytes.Equal(body[random:random+32], n.clientRandom)
}

// keysForced tells that a secret is not waited for.
func (c *conn) keysForced() bool { return c.forced != "" || c.d.SecretsFirst }

// noKey is the reason why a record stays sealed for want of a secret.
func (c *conn) noKey() string {
	if c.forced != "" {
		return c.forced
	}
	return SealedNoKey
}

// mayReply tells that the server may still say how the client's next bytes are to be read.
func (c *conn) mayReply() bool {
	s := &c.halves[Server]
	return c.forced == "" && s.why == "" && !s.ended && !s.atEvent && s.tls.lost == "" && !s.tls.gapped
}

// mayAnswerEarly tells that EncryptedExtensions may still come.
func (c *conn) mayAnswerEarly() bool {
	return c.mayReply() && c.halves[Server].tls.stage < stageApplication
}

// whole reads one whole record.
func (c *conn) whole(h *half, typ uint8, version uint16, rec []byte) status {
	t := &h.tls
	n := t.neg
	end := h.off + int64(len(rec))
	body := rec[headerLen:]
	if h.side == Client && n != nil && !n.replied() && !t.on {
		// Until the ServerHello nobody knows which TLS this is.
		switch {
		case typ == typeChangeCipherSpec && n.hello.HasEarlyData():
			return c.content13(h, typ, body, end)
		case typ == typeApplicationData && n.hello.HasEarlyData():
			t.early = true
			return c.protected(h, typ, version, body, end)
		case typ == typeHandshake && t.early: // as it is read where the server's answer is known already
			return c.content13(h, typ, body, end)
		case typ != typeChangeCipherSpec && typ != typeApplicationData:
		case c.mayReply():
			return blocked
		case typ == typeChangeCipherSpec:
			// In clear in any version; whether it is a dummy is not known.
			c.content(h, typ, body, h.off+headerLen, end, false)
			t.lost = SealedPhase
			return done
		default:
			t.on, t.lost = true, SealedPhase
			c.seal(h, typ, end, SealedPhase)
			return done
		}
	}
	switch {
	case t.gapped && !t.is13() && isChangeCipherSpec(body) && typ == typeChangeCipherSpec:
		// Under a cipher it would be longer, so keys begin here.
		t.on, t.gapped = false, false
		c.content(h, typ, body, h.off+headerLen, end, false)
		return done
	case t.gapped && !t.on && !t.is13() && !clearAfterGap(typ, body):
		t.on, t.keys, t.opener = true, t.neg, nil // the ChangeCipherSpec is missing
	}
	switch {
	case t.on, typ == typeApplicationData && t.is13() && t.stage > stageClear:
		return c.protected(h, typ, version, body, end)
	case n != nil && is13(n.version):
		return c.content13(h, typ, body, end)
	}
	switch {
	case typ == typeApplicationData && t.neg == nil,
		!t.begun && !plausible(typ, body):
		// The capture began after the handshake.
		t.on, t.lost = true, SealedPhase
		c.seal(h, typ, end, SealedPhase)
		return done
	case typ == typeApplicationData:
		c.malformed(h, end, "record", "application data before the keys")
		return done
	}
	c.content(h, typ, body, h.off+headerLen, end, false)
	return done
}

// content13 reads a record that is in clear after the Hellos of TLS 1.3.
func (c *conn) content13(h *half, typ uint8, body []byte, end int64) status {
	t := &h.tls
	switch {
	case typ == typeChangeCipherSpec && len(body) == 1 && body[0] == 1:
		if c.interleaved(h, typ, end) {
			return done
		}
		c.tell(h, end, &ChangeCipherSpec{Dummy: true})
		return done
	case typ == typeAlert: // a client may have no keys yet, or use them only from its Finished on
	case typ == typeHandshake && h.side == Client && t.neg.retry && t.neg.hellos == 1:
	case typ == typeHandshake && h.side == Client && c.gaps[Server] > 0 && isHelloAgain(t.neg, body):
	case typ == typeHandshake && h.side == Server && !t.neg.answered:
	default:
		c.malformed(h, end, "record", fmt.Sprintf("a record of type %d in clear after the Hellos of TLS 1.3", typ))
		return done
	}
	c.content(h, typ, body, h.off+headerLen, end, false)
	return done
}

// plausible tells whether the first record of a direction can be in clear.
func plausible(typ uint8, body []byte) bool {
	switch typ {
	case typeHandshake:
		if len(body) < 4 {
			return true
		}
		n := int(body[1])<<16 | int(body[2])<<8 | int(body[3])
		switch handshake.Type(body[0]) {
		case handshake.TypeHelloRequest:
			return n == 0 && len(body) == 4
		case handshake.TypeServerHelloDone:
			return n == 0
		case handshake.TypeClientHello, handshake.TypeServerHello, handshake.TypeNewSessionTicket,
			handshake.TypeCertificate, handshake.TypeServerKeyExchange, handshake.TypeCertificateRequest,
			handshake.TypeCertificateVerify, handshake.TypeClientKeyExchange, handshake.TypeCertificateStatus:
			return n <= maxMessage
		}
		return false
	case typeAlert:
		return len(body) == 2
	}
	return true
}

// protected reads an encrypted record, if it can be opened.
func (c *conn) protected(h *half, typ uint8, version uint16, body []byte, end int64) status {
	t := &h.tls
	in13 := t.is13()
	if c.behind(h, int(end-h.off)) {
		return blocked
	}
	if in13 && h.side == Client && t.stage == stageApplication && !t.neg.extended && c.mayAnswerEarly() {
		return blocked // ALPN comes before what it names
	}
	var plain []byte
	var st status
	explicit, outer := 0, typ
	if in13 {
		plain, typ, st = c.open13(h, version, body)
	} else {
		plain, st = c.open12(h, typ, version, body)
		explicit = t.explicitLen()
	}
	switch st {
	case blocked:
		return blocked
	case more:
		c.breakOff(h)
		if !in13 || t.stage == stageApplication {
			here := h.at(h.off)
			c.endWeb(h, event{time: here.time, packet: here.packet}, true)
		}
		c.seal(h, typ, end, c.sealedReason(h, end))
		return done
	}
	c.twinOpened(h, outer, version, body, end, plain, typ)
	if c.d.Opened != nil {
		c.tellOpened(h, outer, version, body, end, plain, typ)
	}
	t.outer = outside{outer, version, body, explicit}
	if in13 && (typ <= typeChangeCipherSpec || typ > typeHeartbeat) {
		c.malformed(h, end, "record", fmt.Sprintf("content of type %d inside", typ))
		return done
	}
	c.content(h, typ, plain, h.off+headerLen+int64(explicit), end, !t.bare)
	return done
}

// An OpenedRecord is an encrypted record that was opened, and what it takes to seal it again.
type OpenedRecord struct {
	Conn    int
	Side    Side
	Span    Span   // of the whole record in its side's stream, header included
	Content int64  // place in the stream that its first byte of content stands at
	Type    uint8  // of the content
	Plain   []byte // the content, without TLS 1.3's type and padding
	// Sealing is nil where the record cannot be sealed again: it is compressed.
	Sealing *keys.Sealing
}

func (c *conn) tellOpened(h *half, typ uint8, version uint16, body []byte, end int64, plain []byte, inner uint8) {
	t := &h.tls
	if t.bare {
		return
	}
	explicit := 0
	if !t.is13() {
		explicit = t.explicitLen()
	}
	r := &OpenedRecord{
		Conn: c.pub.Number, Side: h.side, Span: Span{h.off, end}, Content: h.off + headerLen + int64(explicit),
		Type: inner, Plain: bytes.Clone(plain),
	}
	if t.is13() || t.keys.compression == 0 {
		r.Sealing = t.opener.Sealing(typ, version, bytes.Clone(body), r.Plain, inner)
	}
	c.d.Opened(r)
}

// An outside is an encrypted record as it stands on the wire; its body is valid while the
// record is read.
type outside struct {
	typ      uint8
	version  uint16
	body     []byte
	explicit int // bytes of a nonce or IV at its beginning
}

func (o *outside) onto(a *AppData) {
	a.Head[0] = o.typ
	binary.BigEndian.PutUint16(a.Head[1:], o.version)
	binary.BigEndian.PutUint16(a.Head[3:], uint16(len(o.body)))
	a.Nonce = o.explicit
	a.Begins = copy(a.Sealed[:], o.body[min(o.explicit, len(o.body)):])
}

// interleaved stops the direction if a record of another type comes inside a
// handshake message (RFC 8446 5.1).
func (c *conn) interleaved(h *half, typ uint8, end int64) bool {
	if len(h.tls.message) == 0 {
		return false
	}
	c.malformed(h, end, "record", fmt.Sprintf("a record of type %d inside a handshake message", typ))
	return true
}

// content reads what a record held. Its first byte stood at start or, if it was
// encrypted, the corresponding one did.
func (c *conn) content(h *half, typ uint8, plain []byte, start, end int64, opened bool) {
	t := &h.tls
	if t.fragment && (typ != typeHandshake || wholeMessages(plain, t.is13())) {
		t.fragment = false
	}
	if t.fragment {
		m := c.tell(h, end, &Opaque{Len: end - h.told, Why: OpaqueFragment})
		m.Opened, m.By = opened, t.by
		return
	}
	if typ == typeHandshake && len(plain) > 0 {
		t.opened = opened
		t.seg = len(t.message)
		t.segBody, t.segEnd = start, end
		t.segSeq = h.at(end - 1).seq
		t.message = append(t.message, plain...) // told by handshakes
		return
	}
	if c.interleaved(h, typ, end) {
		return
	}
	var body any
	switch typ {
	case typeHandshake:
		c.malformed(h, end, "record", "a handshake record without content")
		return
	case typeChangeCipherSpec:
		if len(plain) != 1 || plain[0] != 1 {
			c.malformed(h, end, "ChangeCipherSpec", "it is not the one byte 1")
			return
		}
		body = &ChangeCipherSpec{}
		if n := t.neg; h.side == Server && n != nil && n.hello != nil && n.answered && !n.done && !n.holed {
			n.resumed = true
		}
	case typeAlert:
		if len(plain) != 2 {
			c.malformed(h, end, "Alert", fmt.Sprintf("it has %d bytes, not 2", len(plain)))
			return
		}
		body = &Alert{Level: plain[0], Description: plain[1]}
		t.over = plain[0] == 2 || plain[1] == 0
	case typeApplicationData:
		a := c.d.newAppData()
		*a = AppData{Len: len(plain), Wire: int(end - h.off), Early: t.is13() && t.stage == stageEarly}
		if opened {
			t.outer.onto(a)
			if !t.handed && t.opener != nil && headerLen+len(t.outer.body) <= MaxRecord {
				a.Record, a.Number = append(slices.Clone(a.Head[:]), t.outer.body...), t.opener.Seq()-1
			}
			t.handed = true
		}
		body = a
	case typeHeartbeat:
		if len(plain) < 3 {
			c.malformed(h, end, "Heartbeat", fmt.Sprintf("it has %d bytes, fewer than 3", len(plain)))
			return
		}
		body = &Heartbeat{Kind: plain[0], Length: int(binary.BigEndian.Uint16(plain[1:])), Have: len(plain) - 3}
	}
	m := c.tell(h, end, body)
	at := len(c.d.messages) - 1
	m.Opened = opened
	if opened {
		m.By = t.by
	}
	switch typ {
	case typeChangeCipherSpec:
		t.on, t.keys, t.opener, t.lost, t.bare = true, t.neg, nil, "", false
	case typeAlert:
		if (opened || t.bare) && plain[1] == 0 && c.web != nil { // close_notify
			c.items(h, c.web.End(int(h.side), mark(h, m)))
		}
	case typeApplicationData:
		if c.webGap {
			c.webAgain(h, plain, event{time: m.Time, packet: m.Last})
			m = &c.d.messages[at]
		}
		w := c.webOf(h)
		c.twinData(h, w, len(plain))
		if len(plain) > 0 {
			c.items(h, w.Feed(int(h.side), plain, mark(h, m)))
		}
		c.twinFed(h, w)
	}
}

// mark says where a record stood.
func mark(h *half, m *Message) web.Mark {
	return web.Mark{Start: m.Span.Start, End: m.Span.End, First: m.First, Last: m.Last, Time: m.Time}
}

// webOf is what reads the application data of a direction.
func (c *conn) webOf(h *half) *web.Conn {
	w := &c.web
	if h.tls.stage == stageEarly && h.tls.neg.early == earlyRejected {
		w = &c.rejected
	}
	if *w == nil {
		*w = c.twinWeb(web.New())
		if h.tls.stage != stageEarly {
			(*w).SetALPN(c.alpn)
		}
	}
	return *w
}

// seal counts a record that is not opened.
func (c *conn) seal(h *half, typ uint8, end int64, reason string) {
	c.twinSealed(h, end)
	if reason == SealedBadTag && c.gaps[Client]+c.gaps[Server] > 0 {
		reason = SealedPhase // what is missing, of either side, may have said that other keys are used
	}
	t := &h.tls
	if r := &t.run; r.Records > 0 && (r.Type != typ || r.Reason != reason) {
		c.flush(h)
	}
	r := &t.run
	if r.Records == 0 {
		r.time = h.at(end - 1).time
	}
	r.Type, r.Reason = typ, reason
	r.Records++
	r.Wire = end - h.told
	r.end = end
}

// flush tells the run of sealed records, if there is one.
func (c *conn) flush(h *half) {
	if h.tls.run.Records == 0 {
		return
	}
	r := h.tls.run
	h.tls.run = sealedRun{}
	last := h.at(r.end - 1)
	m := Message{Time: r.time, First: h.begin().packet, Last: last.packet, Body: &r.Sealed}
	if r.Records > 1 {
		m.Until = last.time
	}
	c.add(h, r.end, m)
}

// breakOff tells the beginning of a handshake message whose rest cannot be opened.
func (c *conn) breakOff(h *half) {
	t := &h.tls
	if len(t.message) == 0 {
		return
	}
	c.tell(h, h.off, &Opaque{Len: h.off - h.told, Preview: clonePreview(t.message), Why: OpaqueCut})
	t.message = nil
}

// cutRecord tells an encrypted record that has no end, where nothing more than
// what stands before end can be read of h.
func (c *conn) cutRecord(h *half, end int64) {
	t := &h.tls
	typ := t.skipType
	if t.skip == 0 {
		if len(h.buf) == 0 || t.resync { // behind missing bytes one header alone may be an accident
			return
		}
		typ = h.buf[0]
		if !t.on && !(typ == typeApplicationData && t.is13() && t.stage > stageClear) {
			return
		}
		c.breakOff(h)
	}
	t.skip = 0
	c.tell(h, end, &Sealed{Type: typ, Wire: end - h.told, Reason: SealedCut})
}

// malformed tells bytes that break the protocol, and stops reading the direction. Behind
// missing bytes, of either side, nobody can know that they do: what they mean can depend
// on those, and where a record was taken to begin may be the middle of one.
func (c *conn) malformed(h *half, end int64, where, err string) {
	h.tls.message = nil
	if c.gaps[Client]+c.gaps[Server] > 0 || c.midstream() {
		c.twinTold(h, h.told, end, &Malformed{}) // its copy breaks off at the same place
		h.stop(OpaqueGap)
		h.preview = nil // it would begin behind what is not read
		return
	}
	c.tell(h, end, &Malformed{Where: where, Err: err})
	h.stop(OpaqueMalformed)
}
