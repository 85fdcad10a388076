package capture

import (
	"encoding/binary"

	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/web"
)

// Bounds of the work that finding the way back behind missing bytes may make.
const (
	maxUnopened = 8         // records behind a gap that are tried
	maxSkipped  = 1 << 17   // sequence numbers that are tried for a record
	maxTrial    = 256 << 20 // bytes decrypted for a record
	maxTrials   = 8 << 30   // and for all records of a capture
)

// gap notes that bytes are missing. Everything up to known was read.
func (t *tlsHalf) gap(known int64) {
	if t.gapped {
		known = t.known // the gap before this one was not got over
	}
	if n := t.neg; n != nil && !t.on && !is13(n.version) {
		n.holed = true
	}
	lost := t.lost
	switch {
	case t.on && t.keys != nil && t.keys.compression != 0:
		lost = SealedGap // the dictionary is missing
	case lost == SealedGap:
		lost = ""
	}
	*t = tlsHalf{
		neg: t.neg, begun: true, on: t.on, keys: t.keys, stage: t.stage, opener: t.opener, by: t.by, bare: t.bare, secret: t.secret,
		trials: t.trials, lost: lost, gapped: true, known: known, resync: true, fragment: true,
	}
}

// chain judges whether p begins with records: n plausible headers, each at the end
// of the record before. want is how many bytes are needed to say more. A header is
// one of 2 million byte sequences of that length, so two of them are no accident.
func chain(p []byte, n int) (g guess, want int) {
	at := 0
	for range n {
		if at >= len(p) {
			return perhaps, at + headerLen
		}
		if g := looksTLS(p[at:]); g != yes {
			return g, at + headerLen
		}
		at += headerLen + int(binary.BigEndian.Uint16(p[at+3:]))
	}
	return yes, 0
}

// find looks for the next record behind missing bytes, and tells what is before it.
func (c *conn) find(h *half, p []byte) (int, status) {
	for i := range p {
		switch g, want := chain(p[i:], 2); g {
		case yes:
			c.foundRecord(h, p[:i])
			return i, done
		case perhaps:
			h.skim(p[:i])
			c.twinCover(h, h.off+int64(i))
			h.want = want
			h.searching, h.headSeq = true, h.at(h.off+int64(i)).seq
			return i, more
		}
	}
	h.skim(p)
	c.twinCover(h, h.off+int64(len(p)))
	return len(p), more
}

// skim keeps a preview of bytes that are passed over.
func (h *half) skim(p []byte) {
	if h.preview == nil {
		h.preview = make([]byte, 0, maxPreview)
	}
	h.preview = append(h.preview, p[:min(len(p), cap(h.preview)-len(h.preview))]...)
}

// foundRecord ends the search for a record: it stands behind skipped.
func (c *conn) foundRecord(h *half, skipped []byte) {
	h.skim(skipped)
	if end := h.off + int64(len(skipped)); end > h.told {
		c.tell(h, end, &Opaque{Len: end - h.told, Preview: h.preview, Why: OpaqueSkipped})
	}
	h.preview = nil
	h.tls.resync = false
}

// findLast is find where nothing follows what is in h.buf: there a single record
// counts, if it ends where the bytes do. It reports whether there is one.
func (c *conn) findLast(h *half) bool {
	if c.mode != modeTLS || h.why != "" || !h.tls.resync {
		return false
	}
	for i := range h.buf {
		at := i
		for at < len(h.buf) && looksTLS(h.buf[at:]) == yes {
			at += headerLen + int(binary.BigEndian.Uint16(h.buf[at+3:]))
		}
		if at == len(h.buf) && at > i {
			c.foundRecord(h, h.buf[:i])
			h.off += int64(i)
			c.drop(h, i)
			return true
		}
	}
	return false
}

// midstream tells that TLS may be found in the middle of a connection whose
// beginning is not in the capture.
func (c *conn) midstream() bool { return !c.pub.SYN && !c.pub.Asked }

// findMidstream looks for records in a connection that was captured from its
// middle on. Nothing but their headers speaks for it, so three are wanted.
func (c *conn) findMidstream(h *half, p []byte) (int, status) {
	for i := range p {
		switch g, want := chain(p[i:], 3); {
		case g == yes && i > 0:
			return i, done
		case g == yes:
			c.startTLS()
			return 0, done
		case g == perhaps:
			h.want = want
			return i, more
		}
	}
	return len(p), more
}

// startTLS goes over to TLS on both sides. A side of which bytes are missing or were
// not read looks for its next record.
func (c *conn) startTLS() {
	c.mode = modeTLS
	for i := range c.halves {
		h := &c.halves[i]
		switch h.why {
		case OpaqueGap:
			h.tls.gapped, h.tls.begun, h.tls.fragment = true, true, true
			fallthrough
		case OpaqueUnknown:
			c.tellOpaque(h, h.off)
			h.why = ""
			h.tls.resync = true
		}
	}
}

// Again tells that a record behind missing bytes opened: so it is known how many
// records are missing there.
type Again struct {
	Records uint64 // that are missing, whole or in part
	AtLeast bool   // the keys changed in between, and how many there were before is not known
}

// again notes that a record opened which is the missing-th behind a gap.
func (c *conn) again(h *half, missing uint64, atLeast bool) {
	t := &h.tls
	c.flush(h)
	here := h.at(h.off)
	a := &Again{Records: missing - min(missing, uint64(t.unopened)), AtLeast: atLeast}
	c.add(h, h.told, Message{Time: here.time, First: here.packet, Last: here.packet, Body: a})
	t.gapped, t.unopened = false, 0
}

// openAfter tries to open a record behind missing bytes, under keys that were in
// use before them or, if fresh, ones that came with them.
func (c *conn) openAfter(h *half, o *keys.Opener, fresh bool, typ uint8, version uint16, body []byte) (plain []byte, inner uint8, missing uint64, ok bool) {
	lost := h.off - h.tls.known
	least, most := o.Missing(lost)
	if fresh {
		least = 0
	}
	cost := int64(len(body)) + 256
	tries := min(maxSkipped, maxTrial/cost, (maxTrials-c.d.trials)/cost)
	if tries <= 0 || most < least {
		return nil, 0, 0, false
	}
	most = min(most, least+uint64(tries)-1)
	if fresh {
		lost = -1
	}
	plain, inner, missing, err := o.OpenAfter(c.d.plain[:0], typ, version, body, lost, least, most)
	tried := int64(most - least + 1)
	if err == nil {
		tried = int64(missing - least + 1)
		c.d.plain = plain
	}
	c.d.trials += tried * cost
	return plain, inner, missing, err == nil
}

// again12 is open12 for a record behind missing bytes.
func (c *conn) again12(h *half, typ uint8, version uint16, body []byte) ([]byte, status) {
	t := &h.tls
	n := t.keys
	if t.opener != nil {
		if plain, _, missing, ok := c.openAfter(h, t.opener, false, typ, version, body); ok {
			c.again(h, missing, false)
			return c.inflate(h, plain)
		}
		t.opener.Chain(body)
		return c.unopened(h)
	}
	c.d.learnMasters(c, n)
	if len(n.masters) == 0 && c.keysForced() {
		c.learnResumed(n)
	}
	for i := range n.masters {
		m := &n.masters[i]
		o := m.openers[h.side]
		if plain, _, missing, ok := c.openAfter(h, o, true, typ, version, body); ok {
			c.again(h, missing, true)
			c.opened12(h, m)
			return c.inflate(h, plain)
		}
	}
	switch {
	case !c.keysForced():
		return nil, blocked
	case len(n.masters) == 0 && n.suite.Cipher == keys.NULL:
		return c.readBare(h, body)
	case len(n.masters) == 0:
		t.lost = c.noKey()
		return nil, more
	}
	for i := range n.masters {
		n.masters[i].openers[h.side].Chain(body)
	}
	return c.unopened(h)
}

// unopened counts a record behind a gap that did not open.
func (c *conn) unopened(h *half) ([]byte, status) {
	t := &h.tls
	if t.unopened++; t.unopened >= maxUnopened {
		t.opener, t.lost = nil, SealedGap
	}
	return nil, more
}

// again13 is open13 for a record behind missing bytes. The keys may have changed in
// between.
func (c *conn) again13(h *half, version uint16, body []byte) ([]byte, uint8, status) {
	t := &h.tls
	n := t.neg
	if t.opener != nil {
		if plain, inner, missing, ok := c.openAfter(h, t.opener, false, typeApplicationData, version, body); ok {
			c.again(h, missing, false)
			return plain, inner, done
		}
		if t.stage == stageApplication { // a KeyUpdate may be missing
			next := keys.NextTrafficSecret(n.suite, t.secret)
			if o, err := n.opener13(n.suite, next); err == nil {
				if plain, inner, missing, ok := c.openAfter(h, o, true, typeApplicationData, version, body); ok {
					c.again(h, missing, true)
					t.opener, t.secret = o, next
					return plain, inner, done
				}
			}
		}
	}
	known := t.opener != nil
	if c.lastKnown(h) && c.after(h, headerLen+len(body)) {
		return nil, 0, blocked // it may be application data
	}
	for s := max(t.stage, stageEarly); s < stages; s++ {
		label := labels13[h.side][s]
		if label == "" || n.secrets == nil || s == t.stage && t.opener != nil || s > stageEarly && !n.answered {
			continue
		}
		values := n.secrets.values[label]
		known = known || len(values) > 0
		for _, tr := range t.candidates(s, values) {
			plain, inner, missing, ok := c.openAfter(h, tr.opener, true, typeApplicationData, version, body)
			if !ok {
				continue
			}
			c.again(h, missing, true)
			c.opened13(h, s, tr)
			return plain, inner, done
		}
	}
	switch {
	case c.keysForced():
	case t.stage == stageEarly && n.early == earlyUnknown && c.mayAnswerEarly(),
		t.opener == nil,
		t.stage < stageApplication && !c.known(h, stageApplication):
		return nil, 0, blocked
	}
	if !known {
		t.lost = c.noKey()
		return nil, 0, more
	}
	_, st := c.unopened(h)
	return nil, 0, st
}

// clearAfterGap tells whether the first records behind a gap in the clear part of
// a handshake of TLS 1.2 or older can still be in clear. The ChangeCipherSpec can be among
// what is missing.
func clearAfterGap(typ uint8, body []byte) bool {
	switch typ {
	case typeChangeCipherSpec:
		return isChangeCipherSpec(body)
	case typeAlert:
		return len(body) == 2
	case typeHandshake:
		return wholeMessages(body, false)
	}
	return false
}

func isChangeCipherSpec(body []byte) bool { return len(body) == 1 && body[0] == 1 }

// wholeMessages tells whether a handshake record begins with a message and ends
// with one, or inside a Certificate, the one that is longer than a record.
func wholeMessages(p []byte, in13 bool) bool {
	for len(p) > 0 {
		if len(p) < 4 {
			return false
		}
		n := int(p[1])<<16 | int(p[2])<<8 | int(p[3])
		typ := handshake.Type(p[0])
		if !isMessage(typ) || !in13 && n == 0 && typ != handshake.TypeServerHelloDone && typ != handshake.TypeHelloRequest {
			return false
		}
		if 4+n > len(p) {
			return (typ == handshake.TypeCertificate || typ == handshake.TypeNewSessionTicket || typ == handshake.TypeCompressedCertificate) && n <= maxMessage
		}
		p = p[4+n:]
	}
	return true
}

func isMessage(typ handshake.Type) bool {
	switch typ {
	case handshake.TypeHelloRequest, handshake.TypeClientHello, handshake.TypeServerHello, handshake.TypeNewSessionTicket,
		handshake.TypeEndOfEarlyData, handshake.TypeEncryptedExtensions, handshake.TypeCertificate, handshake.TypeServerKeyExchange,
		handshake.TypeCertificateRequest, handshake.TypeServerHelloDone, handshake.TypeCertificateVerify, handshake.TypeClientKeyExchange,
		handshake.TypeFinished, handshake.TypeCertificateStatus, handshake.TypeSupplementalData, handshake.TypeKeyUpdate,
		handshake.TypeCompressedCertificate, handshake.TypeNextProtocol:
		return true
	}
	return false
}

// webAgain takes up HTTP/1 again behind a gap where that is certain: where the
// client begins a record with a request line. What is left of exchanges before is cut off.
func (c *conn) webAgain(h *half, plain []byte, e event) {
	if h.side != Client || c.alpn == "h2" || looksRequest(plain) != yes {
		return
	}
	for i := range c.halves {
		c.endWeb(&c.halves[i], e, true)
	}
	c.webGap = false
	c.web = c.twinWeb(web.New())
	c.web.SetALPN(c.alpn)
}
