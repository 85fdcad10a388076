package capture

import (
	"bytes"
	"slices"
	"strings"

	"explainer/capture/handshake"
	"explainer/capture/keys"
)

const (
	maxMessage    = 1 << 20 // bytes of a handshake message
	maxTranscript = 2 << 20 // bytes of messages kept for the session hash
)

// stage says which of TLS 1.3's secrets protects a direction (RFC 8446 7.1).
type stage uint8

const (
	stageClear stage = iota
	stageEarly
	stageHandshake
	stageApplication
	stages
)

// What the server did with 0-RTT data.
type early uint8

const (
	earlyUnknown early = iota
	earlyAccepted
	earlyRejected
)

// A negotiation is one handshake: a ClientHello, its answer, and the keys made
// of them. What it hears does not depend on what carries the messages: records of
// TLS, of DTLS, or frames of QUIC.
type negotiation struct {
	hello     *handshake.ClientHello // the first one
	hellos    int                    // ClientHellos: two around a HelloRetryRequest
	retry     bool                   // there was a HelloRetryRequest
	answered  bool                   // and a ServerHello
	extended  bool                   // and EncryptedExtensions
	done      bool                   // and a ServerHelloDone
	answerSeq uint64                 // when the ServerHello or HelloRetryRequest came
	resumed   bool
	early     early

	version      uint16
	suite        *keys.Suite // nil: unknown
	exchange     handshake.KeyExchange
	compression  uint8
	holed        bool // messages of it are missing
	ems, etm     bool // in the ServerHello, and in force once both Hellos are known
	clientRandom []byte
	serverRandom []byte
	sessionID    []byte // in the ServerHello
	alpn         string // what the server chose
	secrets      *entry // of clientRandom, or of the hello inside that one's
	inner        bool   // lines of another client random were looked for
	ech          ech

	// For the label RSA: the messages up to ClientKeyExchange, each side's in
	// order, and that message's ciphertext.
	transcript [2][][]byte
	size       int
	ciphertext []byte
	leaf       []byte // DER of the server's certificate
	block      []byte // what a private key made of ciphertext
	preMaster  []byte // in block, if its padding is good

	masters []master
	master  []byte   // DTLS: that opened a record
	session *session // what it leaves behind, nil before that shows
}

// master is a candidate for the master secret, with the openers made from it.
type master struct {
	secret  []byte
	by      string
	openers [2]*keys.Opener
}

// trials are the candidates for the keys of a stage of TLS 1.3.
type trials struct {
	seen int // secrets that were made openers of
	list []trial
}

type trial struct {
	secret []byte
	opener *keys.Opener
}

func is13(version uint16) bool {
	version = handshake.TLSVersion(version)
	return version == 0x0304 || version>>8 == 0x7f || version>>8 == 0xfb // and its drafts
}

// replied tells that the last ClientHello was answered.
func (n *negotiation) replied() bool { return n.answered || n.retry && n.hellos == 1 }

// openable tells whether the records of the negotiated version and suite can be opened.
func (n *negotiation) openable() bool {
	if n.suite == nil || !n.suite.Openable() || n.suite.TLS13 != is13(n.version) {
		return false
	}
	if n.version == oldDTLS {
		return false
	}
	// Before draft 20, TLS 1.3 derived its keys with other labels.
	version := handshake.TLSVersion(n.version)
	return version >= 0x0300 && version <= 0x0304 || n.version >= 0x7f00+20 && n.version <= 0x7f00+28
}

// opener13 makes the opener of one direction in TLS 1.3 or a draft of it.
func (n *negotiation) opener13(suite *keys.Suite, secret []byte) (*keys.Opener, error) {
	o, err := keys.NewTLS13(suite, secret)
	if err == nil && n.version>>8 == 0x7f && n.version < 0x7f00+25 {
		o.Bare()
	}
	return o, err
}

// handshakes tells the whole messages that there are.
func (c *conn) handshakes(h *half) status {
	t := &h.tls
	for len(t.message) >= 4 {
		n := 4 + (int(t.message[1])<<16 | int(t.message[2])<<8 | int(t.message[3]))
		typ := handshake.Type(t.message[0])
		if n > 4+maxMessage {
			c.malformed(h, t.segEnd, handshake.TypeName(typ), "it claims to be longer than is read")
			return done
		}
		if len(t.message) < n {
			break
		}
		if h.side == Client && t.neg != nil && !t.neg.replied() && c.mayReply() {
			h.headSeq = t.segSeq
			return blocked
		}
		raw := bytes.Clone(t.message[:n])
		end := t.segEnd
		if n < len(t.message) {
			end = t.segBody + int64(n-t.seg)
		}
		t.message = t.message[n:]
		t.seg -= n
		c.handshake(h, typ, raw, end)
		if h.why != "" {
			return done
		}
	}
	if len(t.message) == 0 {
		t.message = nil
	}
	return done
}

// handshake tells one message.
func (c *conn) handshake(h *half, typ handshake.Type, raw []byte, end int64) {
	t := &h.tls
	ctx := handshake.Context{FromClient: h.side == Client}
	if n := t.neg; n != nil {
		ctx.Version, ctx.KeyExchange = n.version, n.exchange
	}
	body, err := handshake.Parse(typ, raw[4:], ctx)
	if err != nil {
		name := handshake.TypeName(typ)
		c.malformed(h, end, name, strings.TrimPrefix(err.Error(), name+": "))
		return
	}
	opened, by := t.opened, t.by
	moved := c.learn(h, body, raw)
	m := c.tell(h, end, body)
	m.Raw = raw
	if _, ok := body.(*handshake.ClientKeyExchange); ok && t.neg != nil {
		m.Block = t.neg.block
	}
	m.Opened = opened
	if opened {
		m.By = by
	}
	if typ == handshake.TypeClientHello && c.last != nil {
		c.d.keyedSoFar(c, c.last.secrets)
		c.d.sealedHello(c, c.last, raw)
	}
	if moved && len(t.message) > 0 {
		c.malformed(h, t.segEnd, "record", "more content after the message that changes the keys (RFC 8446 5.1)")
	}
}

// next returns the negotiation that another ClientHello belongs to: this one, if a
// HelloRetryRequest asked for it, or a new one. There may be none yet.
func (n *negotiation) next() *negotiation {
	if n == nil || n.hellos == 2 || n.hellos == 1 && !n.retry {
		return &negotiation{}
	}
	return n
}

// hear takes from a message what later ones depend on, whatever carried it.
func (n *negotiation) hear(side Side, body handshake.Message, raw []byte) {
	switch m := body.(type) {
	case *handshake.ClientHello:
		if side != Client {
			return
		}
		if n.hellos++; n.hellos == 1 {
			n.hello = m
			n.clientRandom = m.Random[:]
			n.note(Client, raw)
		}
		if n.answered {
			n.agree()
		}
		return
	case *handshake.ServerHello:
		if side == Server {
			n.answer(m, raw)
		}
		return
	case *handshake.HelloRequest:
		return
	}
	if is13(n.version) {
		if m, ok := body.(*handshake.EncryptedExtensions); ok && side == Server {
			n.extended, n.alpn = true, m.ALPN()
		}
		return
	}
	n.note(side, raw)
	switch m := body.(type) {
	case *handshake.Certificate:
		if side == Server {
			n.resumed = false // perhaps the session id was echoed, and yet
			if len(m.Entries) > 0 {
				n.leaf = m.Entries[0].Data
			}
		}
	case *handshake.ServerHelloDone:
		n.done = n.done || side == Server
	case *handshake.ClientKeyExchange:
		if n.ciphertext == nil {
			n.ciphertext = append([]byte{}, m.EncryptedPreMaster...)
		}
	case *handshake.NextProtocol:
		if n.alpn == "" {
			n.alpn = m.Protocol
		}
	}
}

// answer takes what a ServerHello or HelloRetryRequest says.
func (n *negotiation) answer(m *handshake.ServerHello, raw []byte) {
	n.version = m.Version()
	n.suite, _ = keys.SuiteByID(m.CipherSuite)
	if m.Retry {
		n.retry, n.ech.retry = true, raw
		return
	}
	n.answered, n.ech.answer = true, raw
	n.serverRandom = m.Random[:]
	n.sessionID = m.SessionID
	n.note(Server, raw)
	n.ems, n.etm = m.HasEMS(), m.HasEtM()
	n.compression = m.CompressionMethod
	if is13(n.version) {
		_, n.resumed = m.SelectedPSK()
	} else {
		n.exchange = handshake.SuiteKeyExchange(m.CipherSuite)
		n.alpn = m.ALPN()
		n.resumed = n.hello != nil && len(m.SessionID) > 0 && bytes.Equal(m.SessionID, n.hello.SessionID)
	}
	if n.hello != nil {
		n.agree()
	}
}

// agree sets what needs both Hellos.
func (n *negotiation) agree() {
	old := !is13(n.version)
	n.ems = old && n.ems && n.hello.HasEMS()
	n.etm = old && n.etm && n.hello.HasEtM() && n.suite != nil && n.suite.Cipher.CBC()
}

// learn takes in a message, and what it changes of how records are read. It reports
// whether the direction's keys change behind it.
func (c *conn) learn(h *half, body handshake.Message, raw []byte) (moved bool) {
	t := &h.tls
	switch m := body.(type) {
	case *handshake.ClientHello:
		if h.side == Client {
			c.clientHello(h, m, raw)
		}
		return false
	case *handshake.ServerHello:
		if h.side == Server {
			return c.serverHello(h, m, raw)
		}
		return false
	}
	n := t.neg
	if n == nil {
		return false
	}
	sent := n.ciphertext != nil
	n.hear(h.side, body, raw)
	if n.answered {
		c.alpn = n.alpn
	}
	if is13(n.version) {
		return c.learn13(h, n, body)
	}
	switch m := body.(type) {
	case *handshake.ServerHelloDone:
		if h.side == Server {
			c.left(n, 's', n.sessionID)
		}
	case *handshake.NewSessionTicket:
		if h.side == Server {
			c.left(n, 't', m.Ticket)
		}
	case *handshake.ClientKeyExchange:
		if !sent && n.exchange == handshake.KeyExchangeRSA {
			c.d.openKeyTransport(c, n)
		}
	}
	return false
}

func (c *conn) clientHello(h *half, m *handshake.ClientHello, raw []byte) {
	n := c.last
	if n != nil && n.hellos == 1 && !n.retry && c.gaps[Server] > 0 && m.Random == n.hello.Random {
		n.retry = true // the HelloRetryRequest is missing
		c.decideEarly(n, earlyRejected)
	}
	n = n.next()
	c.last = n
	t := &h.tls
	t.neg = n
	t.trials = [stages]trials{}
	n.hear(Client, m, raw)
	if n.hellos == 1 {
		n.secrets = c.d.secrets.use(c, m.Random)
	}
	if !t.on {
		t.opener, t.lost = nil, ""
		t.stage = stageHandshake
		if m.HasEarlyData() && n.hellos == 1 && !n.retry {
			t.stage = stageEarly
		}
	}
	if n.answered {
		c.agreed(n)
	}
}

func (c *conn) serverHello(h *half, m *handshake.ServerHello, raw []byte) (moved bool) {
	n := c.last
	switch {
	case n == nil:
		n = &negotiation{}
	case n.answered: // another one, whose ClientHello is missing
		n = &negotiation{}
		c.halves[Client].tls.neg = n
	}
	c.last = n
	t := &h.tls
	t.neg = n
	if n.answerSeq == 0 {
		n.answerSeq = t.segSeq
	}
	n.hear(Server, m, raw)
	n.chooseHello()
	if m.Retry {
		c.decideEarly(n, earlyRejected)
		return false
	}
	psk := false
	if is13(n.version) {
		psk = n.resumed
		t.enter(stageHandshake)
		t.trials = [stages]trials{}
		t.gapped = false // its keys begin here
		moved = true
	} else {
		c.alpn = n.alpn
	}
	if !psk {
		c.decideEarly(n, earlyRejected)
	}
	if n.hello != nil {
		c.agreed(n)
	}
	return moved
}

// agreed goes back to records in clear once both Hellos show that this is no TLS 1.3.
func (c *conn) agreed(n *negotiation) {
	if t := &c.halves[Client].tls; !is13(n.version) && t.stage != stageEarly {
		t.stage = stageClear
	}
}

// learn13 is learn for TLS 1.3.
func (c *conn) learn13(h *half, n *negotiation, body handshake.Message) (moved bool) {
	t := &h.tls
	switch m := body.(type) {
	case *handshake.EncryptedExtensions:
		switch {
		case h.side != Server:
		case m.HasEarlyData():
			c.decideEarly(n, earlyAccepted)
		default:
			c.decideEarly(n, earlyRejected)
		}
	case *handshake.EndOfEarlyData:
		if t.stage == stageEarly {
			c.decideEarly(n, earlyAccepted)
			t.enter(stageHandshake)
			return true
		}
	case *handshake.Finished:
		if t.stage != stageHandshake {
			return false // after the handshake, to authenticate the client (RFC 8446 4.6.2)
		}
		if h.side == Client && n.early == earlyUnknown {
			c.decideEarly(n, earlyRejected) // there was no EndOfEarlyData
		}
		t.enter(stageApplication)
		return true
	case *handshake.KeyUpdate:
		if t.stage == stageApplication && t.opener != nil {
			t.secret = keys.NextTrafficSecret(n.suite, t.secret)
			t.opener, _ = n.opener13(n.suite, t.secret)
			return true
		}
	}
	return false
}

// enter begins a stage whose keys are to be found.
func (t *tlsHalf) enter(s stage) { t.stage, t.opener, t.lost = s, nil, "" }

// decideEarly notes what became of 0-RTT data, once.
func (c *conn) decideEarly(n *negotiation, e early) {
	if n.early != earlyUnknown {
		return
	}
	n.early = e
	if e == earlyRejected && c.web != nil && n.hello != nil && n.hello.HasEarlyData() {
		c.rejected, c.web = c.web, nil
	}
}

// note keeps a message for the session hash (RFC 7627 3), which ends with the
// ClientKeyExchange.
func (n *negotiation) note(side Side, raw []byte) {
	if raw == nil || side == Client && n.ciphertext != nil || side == Server && n.done {
		return
	}
	if n.size += len(raw); n.size <= maxTranscript {
		n.transcript[side] = append(n.transcript[side], raw)
	}
}

// learnMasters makes candidates of the secrets that are known by now.
func (d *Decoder) learnMasters(w waiter, n *negotiation) {
	for _, m := range n.secrets.values[labelClientRandom] {
		n.addMaster(m, labelClientRandom)
	}
	for _, m := range d.keyedSession(w, n) {
		n.addMaster(m, labelClientRandom)
	}
	for _, pre := range d.keyedRSA(w, n) {
		n.addPreMaster(pre, labelRSA)
	}
	if n.preMaster != nil && n.derivable() {
		n.addPreMaster(n.preMaster, OpenedByPrivateKey)
	}
}

// openKeyTransport opens the encrypted pre-master secret of RSA key transport, where a private
// key given or a key log line does.
func (d *Decoder) openKeyTransport(w waiter, n *negotiation) {
	n.block, n.preMaster = keys.OpenKeyTransport(d.PrivateKeys, n.leaf, n.ciphertext)
	d.keyedRSA(w, n)
}

// keyedSession returns the master secrets that key log lines give for the session ID in the
// server's hello, and tells the last, which says the same as one for the client random.
func (d *Decoder) keyedSession(w waiter, n *negotiation) [][]byte {
	list := d.secrets.session(n.sessionID)
	if len(list) > 0 && n.secrets != nil {
		d.keyed(w, n.secrets, labelClientRandom, list[len(list)-1])
	}
	return list
}

// keyedRSA returns the pre-master secrets that key log lines give for the one that
// was sent encrypted, and tells the last.
func (d *Decoder) keyedRSA(w waiter, n *negotiation) [][]byte {
	if len(n.ciphertext) < 8 || n.exchange != handshake.KeyExchangeRSA || n.secrets == nil || !n.derivable() {
		return nil
	}
	list := d.secrets.rsa(n.ciphertext)
	if len(list) > 0 {
		d.keyed(w, n.secrets, labelRSA, list[len(list)-1])
	}
	return list
}

// derivable tells that no messages are missing that the master secret depends on
// beside the pre-master secret.
func (n *negotiation) derivable() bool {
	return !n.ems || n.done && !n.holed && n.size <= maxTranscript
}

// addPreMaster makes a candidate of a pre-master secret.
func (n *negotiation) addPreMaster(pre []byte, by string) {
	version := handshake.TLSVersion(n.version)
	if !n.ems {
		n.addMaster(keys.MasterSecret(version, n.suite.Hash, pre, n.clientRandom, n.serverRandom), by)
		return
	}
	messages := append([][]byte{}, n.transcript[Client][0])
	messages = append(messages, n.transcript[Server]...)
	messages = append(messages, n.transcript[Client][1:]...)
	hash := keys.TranscriptHash(version, n.suite.Hash, messages...)
	n.addMaster(keys.ExtendedMasterSecret(version, n.suite.Hash, pre, hash), by)
}

func (n *negotiation) addMaster(secret []byte, by string) {
	for i := range n.masters {
		if bytes.Equal(n.masters[i].secret, secret) {
			return
		}
	}
	m := master{secret: secret, by: by}
	var err error
	m.openers[Client], m.openers[Server], err = keys.NewTLS12(handshake.TLSVersion(n.version), n.suite, secret, n.clientRandom, n.serverRandom, n.etm)
	if err == nil && len(n.masters) < 2*maxValues {
		n.masters = append(n.masters, m)
	}
}

// open12 opens a record of TLS 1.2 or older; the status is done, blocked, or more
// if it stays sealed.
func (c *conn) open12(h *half, typ uint8, version uint16, body []byte) ([]byte, status) {
	t := &h.tls
	if t.lost != "" {
		return nil, more
	}
	if t.bare {
		return c.readBare(h, body)
	}
	dst := c.d.plain[:0]
	if t.opener != nil && !t.gapped {
		plain, _, err := t.opener.Open(dst, typ, version, body)
		if err != nil {
			t.opener, t.lost = nil, SealedBadTag
			return nil, more
		}
		c.d.plain = plain
		return c.inflate(h, plain)
	}
	n := t.keys
	switch {
	case n == nil || n.hello == nil || !n.answered:
		t.lost = SealedPhase
		return nil, more
	case n.suite != nil && n.suite.ID == 0 && !is13(n.version): // nor does it authenticate
		return c.readBare(h, body)
	case !n.openable():
		t.lost = SealedNoSuite
		return nil, more
	case t.gapped:
		return c.again12(h, typ, version, body)
	}
	c.d.learnMasters(c, n)
	if plain, ok := c.tryMasters(h, n.masters, typ, version, body); ok {
		return c.inflate(h, plain)
	}
	if !c.keysForced() {
		return nil, blocked
	}
	tried := len(n.masters)
	c.learnResumed(n)
	if plain, ok := c.tryMasters(h, n.masters[tried:], typ, version, body); ok {
		return c.inflate(h, plain)
	}
	if len(n.masters) == 0 && n.suite.Cipher == keys.NULL {
		return c.readBare(h, body)
	}
	t.lost = c.noKey()
	if slices.ContainsFunc(n.masters, func(m master) bool { return m.by != OpenedByResumed }) {
		t.lost = SealedBadTag // otherwise it took up another session than it seemed
	}
	return nil, more
}

// readBare reads a record of a suite that does not encrypt, whose MAC cannot be
// checked since no secret is known.
func (c *conn) readBare(h *half, body []byte) ([]byte, status) {
	t := &h.tls
	n := len(body) - t.keys.suite.MACKeyLen
	if n < 0 {
		t.lost = SealedNoKey
		return nil, more
	}
	t.bare, t.gapped = true, false
	return c.inflate(h, body[:n:n])
}

// tryMasters opens a record with one of the candidates for the master secret.
func (c *conn) tryMasters(h *half, masters []master, typ uint8, version uint16, body []byte) ([]byte, bool) {
	for i := range masters {
		m := &masters[i]
		plain, _, err := m.openers[h.side].Open(c.d.plain[:0], typ, version, body)
		if err != nil {
			continue
		}
		c.opened12(h, m)
		c.d.plain = plain
		return plain, true
	}
	return nil, false
}

// opened12 notes that m is the master secret of h's records.
func (c *conn) opened12(h *half, m *master) {
	t := &h.tls
	n := t.keys
	t.opener, t.by = m.openers[h.side], m.by
	if t.by == labelClientRandom {
		c.d.keyed(c, n.secrets, labelClientRandom, m.secret) // of several, the one that fits
	}
	if n.session != nil {
		n.session.master = m.secret
	}
	t.inflater = nil
}

// inflate undoes the compression of a record's content, where there is one.
func (c *conn) inflate(h *half, plain []byte) ([]byte, status) {
	t := &h.tls
	if t.keys.compression == 0 {
		return plain, done
	}
	if t.inflater == nil {
		t.inflater = &inflater{}
	}
	plain, ok := t.inflater.inflate(plain, t.keys.compression)
	if !ok {
		t.opener, t.lost = nil, SealedDeflated
		return nil, more
	}
	return plain, done
}

// explicitLen is how many bytes of a record stand before its ciphertext: an
// explicit nonce or IV (RFC 5246 6.2.3.2, RFC 5288 3).
func (t *tlsHalf) explicitLen() int {
	if t.keys == nil {
		return 0
	}
	return t.keys.explicitLen()
}

// explicitLen is the same for the records that its keys protect.
func (n *negotiation) explicitLen() int {
	switch {
	case n.suite == nil:
		return 0
	case n.suite.Cipher.AEAD() && n.suite.FixedIVLen == 4:
		return 8
	case n.suite.Cipher.CBC() && handshake.TLSVersion(n.version) > 0x0301:
		return n.suite.BlockLen
	}
	return 0
}

// known tells whether a secret of a stage of h is known.
func (c *conn) known(h *half, s stage) bool {
	n := h.tls.neg
	return n.secrets != nil && len(n.secrets.values[labels13[h.side][s]]) > 0
}

// lastKnown tells whether the secret of h's last stage is known and that stage is
// still to come. Then no secret of an earlier stage will come that is not there,
// and any record may turn out to be of a later stage.
func (c *conn) lastKnown(h *half) bool {
	return h.tls.stage < stageApplication && c.known(h, stageApplication)
}

// open13 opens a record of TLS 1.3; the status is as for open12.
func (c *conn) open13(h *half, version uint16, body []byte) ([]byte, uint8, status) {
	t := &h.tls
	n := t.neg
	switch {
	case n.hello == nil:
		t.lost = SealedPhase // the client's side is not in the capture
	case t.stage > stageEarly && n.answered && !n.openable():
		t.lost = SealedNoSuite
	case t.gapped && t.lost != SealedGap:
		return c.again13(h, version, body)
	}
	dst := c.d.plain[:0]
	failed := t.lost
	switch {
	case t.opener != nil:
		plain, inner, err := t.opener.Open(dst, typeApplicationData, version, body)
		if err == nil {
			c.d.plain = plain
			return plain, inner, done
		}
		failed = SealedBadTag
	case t.lost == "":
		failed = c.noKey()
		if plain, inner, known, ok := c.try(h, t.stage, version, body); ok {
			return plain, inner, done
		} else if known {
			failed = SealedBadTag
		}
	}
	if t.opener == nil && t.lost == "" && c.findInner(h, version, body) {
		if plain, inner, _, ok := c.try(h, stageHandshake, version, body); ok {
			return plain, inner, done
		}
	}
	if t.stage == stageEarly && n.early == earlyUnknown && c.mayAnswerEarly() {
		return nil, typeApplicationData, blocked // early data and the handshake look alike
	}
	if c.lastKnown(h) && c.after(h, headerLen+len(body)) {
		return nil, typeApplicationData, blocked // it may be application data
	}
	for s := t.stage + 1; s < stages && n.answered; s++ {
		if plain, inner, _, ok := c.try(h, s, version, body); ok {
			return plain, inner, done
		}
	}
	first := t.opener == nil && t.lost == "" // nothing of this stage was tried before
	wait := !c.lastKnown(h)
	switch {
	case c.keysForced(), t.lost == SealedPhase, t.lost == SealedNoSuite:
		wait = false
	case first && failed == SealedBadTag && t.stage != stageEarly:
		wait = true // what is known may be about another connection with this client random
	case t.stage == stageApplication:
		wait = first
	}
	if wait {
		return nil, typeApplicationData, blocked
	}
	t.opener, t.lost = nil, failed
	return nil, typeApplicationData, more
}

// sealedReason is why the record in hand, which ends at end, stays sealed. What a
// client sent before the answer was there is early data; behind it, early data and
// the rest of the handshake look alike without the handshake's secret. Where bytes
// of the server are missing before its answer, a refusal could come to be known
// when the record was long given up, so there it is never the reason.
func (c *conn) sealedReason(h *half, end int64) string {
	t := &h.tls
	gap := c.gaps[Server]
	if t.lost == "" {
		return SealedGap
	}
	if t.stage == stageEarly && t.neg.early == earlyRejected && (gap == 0 || gap > t.neg.answerSeq && t.neg.answerSeq > 0) && (c.known(h, stageHandshake) || h.at(end-1).seq < t.neg.answerSeq) {
		return SealedEarly
	}
	return t.lost
}

// try opens a record with the secrets of a stage, and enters that stage if one does.
func (c *conn) try(h *half, s stage, version uint16, body []byte) (plain []byte, inner uint8, known, ok bool) {
	t := &h.tls
	n := t.neg
	label := labels13[h.side][s]
	if label == "" || n.secrets == nil {
		return nil, 0, false, false
	}
	values := n.secrets.values[label]
	if len(values) == 0 {
		return nil, 0, false, false
	}
	for _, tr := range t.candidates(s, values) {
		plain, inner, err := tr.opener.Open(c.d.plain[:0], typeApplicationData, version, body)
		if err != nil {
			continue
		}
		c.d.plain = plain
		c.opened13(h, s, tr)
		return plain, inner, true, true
	}
	return nil, 0, true, false
}

// opened13 enters a stage whose secret opened a record.
func (c *conn) opened13(h *half, s stage, tr trial) {
	t := &h.tls
	if s > t.stage {
		c.breakOff(h)
	}
	label := labels13[h.side][s]
	t.enter(s)
	t.opener, t.secret, t.by = tr.opener, tr.secret, label
	c.d.keyed(c, t.neg.secrets, label, tr.secret) // of several, the one that fits
}

// candidates makes the openers of a stage, each once.
func (t *tlsHalf) candidates(s stage, values [][]byte) []trial {
	ts := &t.trials[s]
	for ; ts.seen < len(values); ts.seen++ {
		for _, suite := range t.neg.suites(s) {
			if o, err := t.neg.opener13(suite, values[ts.seen]); err == nil {
				ts.list = append(ts.list, trial{values[ts.seen], o})
			}
		}
	}
	return ts.list
}

// suites are those that a stage's records may be protected with. For 0-RTT data it
// is the pre-shared key's, which is not on the wire: so any that was offered.
func (n *negotiation) suites(s stage) []*keys.Suite {
	if s > stageEarly {
		if !n.openable() {
			return nil
		}
		return []*keys.Suite{n.suite}
	}
	var list []*keys.Suite
	for id := uint16(0x1301); id <= 0x1305; id++ { // RFC 8446 B.4
		if suite, ok := keys.SuiteByID(id); ok && slices.Contains(n.hello.CipherSuites, id) {
			list = append(list, suite)
		}
	}
	return list
}
