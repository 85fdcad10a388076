package annotate

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/steps"
	"explainer/annotate/words"
	"explainer/ca/verify"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// A turn is the telling of one message of a handshake. A handler fills in its event, takes
// in what the message says, and says which steps follow. What it tells itself, as steps that
// the message shows to be over, stands before the message.
type turn struct {
	c    *conn
	h    *proof.Handshake
	m    *capture.Message
	said *proof.Message // as it stands in the transcript
	side int
	at   proof.Place
	args steps.Values // as they were before the message
	e    event.Event
	then func() // tells what stands behind it
}

// after leaves steps to be told behind the message.
func (t *turn) after(x *Explainer, steps ...event.Step) {
	t.then = func() {
		for _, s := range steps {
			x.step(t.c, s)
		}
	}
}

// handshake tells a handshake message.
func (x *Explainer) handshake(c *conn, m *capture.Message, b handshake.Message) {
	side := int(m.Side)
	c.TLS, c.NoTLS = true, ""
	if ch, ok := b.(*handshake.ClientHello); ok && side == 0 && c.Latest.Hello != nil && !(c.Latest.Retry != nil && c.Latest.Hello == c.Latest.FirstHello) && !c.againUnseen(ch) {
		if m.Opened || c.Latest.Through() {
			c.Handshakes = max(c.Handshakes, 1) + 1
		}
		c.Latest = c.begin() // renegotiation, or another try
	}
	if sh, ok := b.(*handshake.ServerHello); ok && side == 1 && !sh.Retry && c.Latest.ServerHello != nil {
		c.Handshakes = max(c.Handshakes, 1) + 1
		c.Latest = proof.BeginTorn(&c.Sides[0].Stream, &c.Sides[1].Stream) // another handshake, whose ClientHello is missing
	}
	h := c.Latest
	if u, ok := b.(*handshake.Unknown); ok {
		b = h.Reread(u, side)
	}
	t := &x.turn // of one message at a time
	*t = turn{c: c, h: h, m: m, side: side, at: proof.Place{First: m.First, Last: m.Last}, said: h.Record(b, side, m.Raw)}
	c.agreed(h, b, side)
	t.e = x.event(c, m, event.KindMessage, messageTopics[b.Type()], handshake.TypeName(b.Type()))
	x.layout(&t.e, c, h, m, b)
	t.args = x.args(c)
	x.message(t, b)
	x.retry(c, h, &t.e)
	x.emit(c, t.e)
	if t.then != nil {
		t.then()
	}
}

// begin begins a handshake behind all that was told.
func (c *conn) begin() *proof.Handshake {
	h := proof.Begin(&c.Sides[0].Stream, &c.Sides[1].Stream)
	h.Redo = c.Whole.Redo
	return h
}

// message fills in a turn.
func (x *Explainer) message(t *turn, b handshake.Message) {
	c, h, e, a, side := t.c, t.h, &t.e, t.args, t.side
	if t.reversed(b) {
		return
	}
	switch b := b.(type) {
	case *handshake.ClientHello:
		x.clientHello(t, b)
	case *handshake.ServerHello:
		x.serverHello(t, b)
	case *handshake.EncryptedExtensions:
		x.encryptedExtensions(t, b)
	case *handshake.Certificate:
		x.certificate(t, b)
	case *handshake.CompressedCertificate:
		rename(e, "compressed-certificate", "CompressedCertificate")
		e.Fields = append(e.Fields, field("compressed with", handshake.CertificateCompressionName(b.Algorithm)),
			fieldOf("size", words.Piece("value/compressed", "count", words.Count(int(b.CompressedLength), "byte"), "n", strconv.Itoa(int(b.UncompressedLength)))))
		if b.Certificate == nil {
			h.Sides[side].CertSeen = true
			e.Brief = words.Piece("brief/cannot-undone")
			e.Says = append(e.Says, words.Say("certificate-compressed-broken", e.Evidence, a.With("reason", cmp.Or(event.Plain(b.Err), words.Piece("error/damaged")))))
			x.markMain(c, h, e, event.Step3)
			break
		}
		e.Says = append(e.Says, words.Say("certificate-compressed", e.Evidence, a.With("from", strconv.Itoa(b.UncompressedLength), "to", strconv.Itoa(b.CompressedLength))))
		x.certificate(t, b.Certificate)
	case *handshake.ServerKeyExchange:
		x.serverKeyExchange(t, b)
	case *handshake.CertificateRequest:
		h.Requested = true
		e.Fields = append(e.Fields, requestFields(b)...)
		id := "certificate-request"
		if h.IsLater(side, t.m.By) {
			id = "certificate-request-later"
			if !h.Ask(b, t.m.Raw) {
				id = "certificate-request-later-unoffered"
			}
		}
		e.Says = append(e.Says, words.Say(id, e.Evidence, a))
	case *handshake.ServerHelloDone:
		if h.ServerHello != nil && len(h.ServerHello.SessionID) > 0 {
			x.remember(c, h, 's', h.ServerHello.SessionID, proof.Issued{})
		}
		e.Says = append(e.Says, words.Say("server-hello-done", e.Evidence, a))
	case *handshake.HelloRequest:
		e.Says = append(e.Says, words.Say("hello-request", e.Evidence, a))
	case *handshake.CertificateVerify:
		x.certificateVerify(t, b)
	case *handshake.ClientKeyExchange:
		x.clientKeyExchange(t, b)
	case *handshake.Finished:
		x.finished(t)
	case *handshake.NewSessionTicket:
		x.newSessionTicket(t, b)
	case *handshake.EndOfEarlyData:
		e.Says = append(e.Says, words.Say("end-of-early-data", e.Evidence, a))
	case *handshake.CertificateStatus:
		e.Brief = words.Piece("brief/ocsp", "n", strconv.Itoa(len(b.Response)))
		e.Says = append(e.Says, words.Say("certificate-status", e.Evidence, a))
		e.Fields = append(e.Fields, stapleFields(b.Response)...)
		if side == 1 {
			x.checkStaple(h, e, b.Response)
		}
	case *handshake.KeyUpdate:
		c.Sides[side].Updates++
		e.Says = append(e.Says, words.Say("key-update", e.Evidence, a.With("sender", c.Side(side))))
	case *handshake.NextProtocol:
		e.Brief = event.Plain(clip(b.Protocol))
		e.Says = append(e.Says, words.Say("next-protocol", e.Evidence, a.With("protocol", cmp.Or(event.Plain(clip(b.Protocol)), words.Piece("brief/none")))))
	case *handshake.Unknown:
		if t := b.MessageType; t == handshake.TypeServerKeyExchange || t == handshake.TypeClientKeyExchange {
			e.Says = append(e.Says, words.Say("unreadable-exchange", e.Evidence, a.With("sender", c.Side(side))))
			break
		}
		e.Says = append(e.Says, words.Say("unknown-handshake", e.Evidence, a.With("sender", c.Side(side), "number", strconv.Itoa(int(b.MessageType)))))
	}
}

// reversed tells a hello that the side sends which is to get it: it answers nothing.
func (t *turn) reversed(b handshake.Message) bool {
	typ, of := b.Type(), 0
	if typ == handshake.TypeServerHello {
		of = 1
	}
	if t.side == of || typ != handshake.TypeClientHello && typ != handshake.TypeServerHello {
		return false
	}
	id := "hello-reversed"
	if ch, ok := b.(*handshake.ClientHello); ok && t.h.ServerHello == nil && t.h.Hello != nil {
		t.c.Foreign = true
		if ch.Random == t.h.Hello.Random {
			t.c.Echoed, id = true, "hello-echoed"
		}
	} else if t.h.Hello == nil && t.h.ServerHello == nil && (t.c.OverUDP() || t.c.midstream()) {
		id = "hello-guessed"
	} else if ok && t.h.Hello == nil && t.c.Sides[0].Start == capture.StartSYN && !t.c.Sides[0].Heard && t.c.Sides[0].Gone == 0 {
		id = "hello-roles"
	}
	t.e.Says = append(t.e.Says, words.Say(id, t.e.Evidence, t.args.With("sender", t.c.Side(t.side), "other", t.c.Side(of), "message", handshake.TypeName(typ))))
	return true
}

func (x *Explainer) encryptedExtensions(t *turn, b *handshake.EncryptedExtensions) {
	c, h, e, a := t.c, t.h, &t.e, t.args
	if t.side == 0 {
		e.Fields = append(e.Fields, extensionFields(b.Extensions)...)
		e.Says = append(e.Says, words.Say("encrypted-extensions-client", e.Evidence, a))
		if b.Extension(handshake.ExtALPSOld) != nil || b.Extension(handshake.ExtALPS) != nil {
			e.Says = append(e.Says, words.Say("encrypted-extensions-alps", e.Evidence, a))
		}
		return
	}
	open := h.EarlyUndecided()
	h.Encrypted = b
	e.Fields = append(e.Fields, extensionFields(b.Extensions)...)
	if p := b.ALPN(); p != "" {
		e.Brief = event.Plain("ALPN " + clip(p))
		e.TLS = &event.TLS{ALPN: []string{clip(p)}}
	}
	e.Says = append(e.Says, words.Say("encrypted-extensions", e.Evidence, a))
	if h.Inner && h.InnerHello() == nil {
		e.Says = append(e.Says, words.Say("ech-accepted", event.Recomputed, a))
		p := words.NewProof(words.ProofECH, event.Proven, event.Text{})
		h.Prove(p)
		e.Proofs = append(e.Proofs, p)
	}
	if b.HasEarlyData() {
		e.Says = append(e.Says, words.Say("early-data-accepted", e.Evidence, a))
	} else if h.OfferedEarly() {
		e.Says = append(e.Says, words.Say("early-data-refused", e.Evidence, a))
	}
	h.Switch(t.at)
	x.markMain(c, h, e, event.Step6b)
	if open && h == c.Main { // with it the steps are settled that depend on early data
		t.then = func() { x.pskSteps(c) }
	}
}

// againUnseen tells whether a hello is the second one of the same handshake, with
// nothing of the server in the capture: it has the random of the first.
func (c *conn) againUnseen(b *handshake.ClientHello) bool {
	return (!c.Sides[1].Heard || c.Sides[1].Gone > 0) && c.Latest.Hello != nil && c.Latest.Hello == c.Latest.FirstHello && b != c.Latest.Hello && b.Random == c.Latest.Hello.Random
}

// markMain marks steps if this is the handshake whose steps are told.
func (x *Explainer) markMain(c *conn, h *proof.Handshake, e *event.Event, steps ...event.Step) {
	if h == c.Main {
		x.mark(c, e, steps...)
	}
}

// clip bounds a text from the wire.
func clip(s string) string { return event.Clip(s) }

// clipText bounds a text with more from the wire in it than there is room for.
func clipText(t event.Text) event.Text {
	if short := clip(t.English); short != t.English {
		return event.Plain(short)
	}
	return t
}

func (x *Explainer) clientHello(t *turn, b *handshake.ClientHello) {
	c, h, e, w := t.c, t.h, &t.e, t.at
	again := h.Retry != nil && h.FirstHello != nil
	unseen := c.againUnseen(b)
	renegotiation := h != c.Main
	if h.FirstHello == nil {
		h.FirstHello, h.Logged = b, map[string][]byte{}
		h.At[proof.AtFirstHello] = w
	}
	h.Hello = b
	h.HelloAt, h.Server = c.now, c.Conn.Server
	h.At[proof.AtHello] = w
	if c.session.host == "" || c.session.host == c.Asked {
		x.host(c, b.ServerName())
	}
	a := x.args(c)
	sni := b.ServerName()

	if !x.NoFields {
		legacy := field("version", fmt.Sprintf("%04x (%s)", b.LegacyVersion, handshake.VersionName(b.LegacyVersion)))
		legacy.Note = words.Piece("note/highest-offered")
		if b.Extension(handshake.ExtSupportedVersions) != nil {
			legacy.Name, legacy.Note = words.FieldName("legacy version"), words.Piece("note/legacy-stays")
		}
		e.Fields = append(e.Fields, legacy)
		x.helloFields(e, b)
		e.Fields = append(e.Fields, c.fingerprints(b)...)
	}
	helloBrief(e, b)

	switch {
	case again:
		e.Says = append(e.Says, words.Say("client-hello-again", e.Evidence, a))
	case unseen:
		e.Says = append(e.Says, words.Say("client-hello-again-unseen", event.Inferred, a))
	case renegotiation && c.OverUDP() && c.Main.FirstHello != nil && c.Main.FirstHello.Random == b.Random:
		e.Says = append(e.Says, words.Say("client-hello-once-more", e.Evidence, a))
	case renegotiation && c.OverUDP():
		e.Says = append(e.Says, words.Say("client-hello-anew", e.Evidence, a))
	case renegotiation && e.Evidence != event.Decrypted && !(c.Main.Through()):
		e.Says = append(e.Says, words.Say("client-hello-misplaced", e.Evidence, a))
	case renegotiation:
		e.Says = append(e.Says, words.Say("client-hello-renegotiation", e.Evidence, a))
	case sni != "" && outer(b):
		e.Says = append(e.Says, words.Say("client-hello-cover", e.Evidence, a.With("sni", clip(sni))))
	case sni != "":
		e.Says = append(e.Says, words.Say("client-hello", e.Evidence, a.With("sni", clip(sni))))
	default:
		e.Says = append(e.Says, words.Say("client-hello-no-name", e.Evidence, a))
	}
	if len(b.Cookie) > 0 {
		e.Fields = append(e.Fields, fieldOf("cookie", hexLen(b.Cookie)))
		e.Says = append(e.Says, words.Say("client-hello-cookie", e.Evidence, a.With("size", strconv.Itoa(len(b.Cookie)))))
	}
	if groups := steps.ShareWords(b.KeyShares()); !groups.Empty() {
		e.Says = append(e.Says, words.Say("client-hello-shares", e.Evidence, a.With("shares", groups)))
		for i, s := range b.KeyShares() {
			if i < 8 {
				x.reused(h, c, e, s.Exchange)
			}
		}
	}
	if psk := b.PSK(); psk != nil {
		id := "client-hello-psk"
		if b.HasEarlyData() {
			id = "client-hello-early"
		}
		e.Says = append(e.Says, words.Say(id, e.Evidence, a))
	}
	if t, _ := b.SessionTicket(); len(t) > 0 && b.PSK() == nil {
		e.Says = append(e.Says, words.Say("client-hello-ticket", e.Evidence, a.With("ticket", strconv.Itoa(len(t)))))
	}
	if ech := b.Extension(handshake.ExtECH); ech != nil {
		e.Says = append(e.Says, words.Say("client-hello-ech", e.Evidence, a))
	}
	if c.InTextbook() && !renegotiation {
		e.Says = append(e.Says, words.Say("client-hello-textbook", e.Evidence, a.With("count", strconv.Itoa(steps.RSASuites(b.CipherSuites)))))
	}
}

// highest names the highest version offered.
func highest(versions []uint16) string {
	var best uint16
	for _, v := range versions {
		if !handshake.IsGREASE(v) && handshake.TLSVersion(v) > handshake.TLSVersion(best) && handshake.TLSVersion(v) <= 0x0304 {
			best = v
		}
	}
	if handshake.TLSVersion(best) < 0x0304 {
		for _, v := range versions { // what was 1.3 before there was a standard
			if handshake.IsDraft(v) && (v > best || !handshake.IsDraft(best)) {
				best = v
			}
		}
	}
	if best == 0 {
		return "no known version"
	}
	return "up to " + handshake.VersionName(best)
}

func countReal(values []uint16) int {
	n := 0
	for _, v := range values {
		if !handshake.IsGREASE(v) {
			n++
		}
	}
	return n
}

func list(values []uint16, name func(uint16) string) event.Text {
	const most = 64
	out := make([]string, 0, min(len(values), most))
	for _, v := range values[:min(len(values), most)] {
		out = append(out, grease(v, name))
	}
	text := strings.Join(out, ", ")
	if n := len(values) - most; n > 0 {
		return words.Piece("value/and-more", "items", text, "n", strconv.Itoa(n))
	}
	return event.Plain(text)
}

func grease(v uint16, name func(uint16) string) string {
	if handshake.IsGREASE(v) {
		return fmt.Sprintf("GREASE %04x", v)
	}
	return name(v)
}

func bytesWords(b []byte) event.Text {
	if len(b) == 0 {
		return words.Piece("value/empty")
	}
	if text := hexLen(b); text.Of != nil {
		return text
	}
	return words.Piece("value/hex", "hex", hex.EncodeToString(b), "count", words.Count(len(b), "byte"))
}

func (x *Explainer) serverHello(t *turn, b *handshake.ServerHello) {
	c, h, e, a := t.c, t.h, &t.e, t.args
	if b.Retry {
		h.Retry, h.At[proof.AtRetry] = b, t.at
		ech := x.tellECH(c, h, e)
		rename(e, "hello-retry-request", "HelloRetryRequest")
		e.Fields = append(e.Fields, serverHelloFields(b)...)
		e.Fields = append(e.Fields, serverFingerprint(b))
		if g := b.SelectedGroup(); g != 0 {
			e.Brief = words.Piece("brief/asks-group", "group", handshake.GroupName(g))
			e.TLS = &event.TLS{Group: handshake.GroupName(g)}
			e.Says = append(e.Says, words.Say("hello-retry-group", e.Evidence, a.With("group", handshake.GroupName(g))))
		} else {
			e.Says = append(e.Says, words.Say("hello-retry-cookie", e.Evidence, a))
		}
		e.Says = append(e.Says, ech...)
		return
	}
	h.ServerHello = b
	h.AnswerAt = c.now
	h.At[proof.AtServerHello] = t.at
	ech := x.tellECH(c, h, e)
	a = x.args(c)
	version := b.Version()
	if !x.NoFields {
		e.Fields = append(e.Fields, serverHelloFields(b)...)
		e.Fields = append(e.Fields, serverFingerprint(b))
	}
	e.TLS = &event.TLS{Version: h.VersionName(), Suite: handshake.SuiteName(b.CipherSuite)}
	brief := e.TLS.Version + ", " + e.TLS.Suite
	version = handshake.TLSVersion(version)
	if ks := b.KeyShare(); ks != nil {
		e.TLS.Group = handshake.GroupName(ks.Group)
		brief += ", " + e.TLS.Group
	}
	e.Brief = event.Plain(brief)
	if p := b.ALPN(); p != "" {
		e.TLS.ALPN = []string{clip(p)}
	}
	e.Says = append(e.Says, words.Say("server-hello", e.Evidence, a))
	c.twin = append(c.twin, x.elsewhere(c, h, b)...)
	e.Says = append(e.Says, c.twin...)
	e.Says = append(e.Says, ech...)
	if ks := b.KeyShare(); ks != nil {
		x.reused(h, c, e, ks.Exchange)
	}
	if _, known := keys.SuiteByID(b.CipherSuite); !known {
		e.Says = append(e.Says, words.Say("server-hello-unregistered", e.Evidence, a))
	}
	switch b.DowngradeSentinel() {
	case 0x0303, 0x0302:
		id := "downgrade-sentinel"
		if h.Hello != nil && offers13(h.Hello) && version < 0x0304 {
			id = "downgrade-sentinel-ignored"
		}
		if b.DowngradeSentinel() == 0x0302 && version == 0x0303 {
			break
		}
		e.Says = append(e.Says, words.Say(id, e.Evidence, a))
	}
	if version < 0x0304 {
		if h.Hello != nil && len(b.SessionID) > 0 && string(b.SessionID) == string(h.Hello.SessionID) {
			e.Says = append(e.Says, words.Say("server-hello-resumed", e.Evidence, a))
			return
		}
		if len(h.TicketOffered()) > 0 {
			e.Says = append(e.Says, words.Say("server-hello-perhaps-resumed", e.Evidence, a))
			return
		}
		if h.EMS() {
			e.Says = append(e.Says, words.Say("extended-master-secret", e.Evidence, a))
		} else if version >= 0x0301 {
			e.Says = append(e.Says, words.Say("no-extended-master-secret", e.Evidence, a))
		}
		switch kx := handshake.SuiteKeyExchange(b.CipherSuite); kx {
		case handshake.KeyExchangeRSA:
			if most := handshake.ExportBits(b.CipherSuite); most > 0 {
				e.Says = append(e.Says, words.Say("server-hello-rsa-export", e.Evidence, a.With("most", strconv.Itoa(most))))
				break
			}
			e.Says = append(e.Says, words.Say("server-hello-rsa", e.Evidence, a))
		case handshake.KeyExchangeDHE, handshake.KeyExchangeECDHE:
			e.Says = append(e.Says, words.Say("server-hello-dhe", e.Evidence, a))
		}
		return
	}
	if _, ok := b.SelectedPSK(); ok {
		e.Says = append(e.Says, words.Say("server-hello-psk", e.Evidence, a))
	} else if h.Hello != nil && h.Hello.PSK() != nil {
		e.Says = append(e.Says, words.Say("server-hello-psk-refused", e.Evidence, a))
	}
	if h != c.Main {
		return
	}
	f := c.Flow()
	switch {
	case f.KEM && b.KeyShare() != nil && h.EarlyUndecided():
		e.Says = append(e.Says, words.Say("server-hello-mlkem", e.Evidence, a.With("groupname", handshake.GroupName(b.KeyShare().Group))))
	case f.KEM && b.KeyShare() != nil:
		e.Says = append(e.Says, words.Say("server-hello-mlkem", e.Evidence, a.With("groupname", handshake.GroupName(b.KeyShare().Group))))
		x.mark(c, e, event.Step3, event.Step4b, event.Step4c, event.Step5)
	case b.KeyShare() != nil:
		e.Says = append(e.Says, words.Say("server-hello-share", e.Evidence, a))
		if !h.EarlyUndecided() {
			x.mark(c, e, event.Step3)
		}
	}
	switch {
	case f.Odd:
	case f.Resumed && !f.Early, f.Agreed:
		if !h.EarlyUndecided() {
			t.then = func() { x.pskSteps(c) }
		}
	default:
		t.after(x, event.Step4b, event.Step5, event.Step4c)
	}
}

// pskSteps tells the steps of a handshake of TLS 1.3 that takes up an old secret.
func (x *Explainer) pskSteps(c *conn) {
	f := c.Flow()
	for _, s := range []event.Step{event.Step2, event.Step3, event.Step4a, event.Step4b, event.Step4c, event.Step5, event.Step6a} {
		if s == event.Step6a && f.KEM {
			continue // settled by the client's Finished
		}
		x.step(c, s)
	}
	x.lineage(c, c.Main)
}

func offers13(ch *handshake.ClientHello) bool {
	for _, v := range ch.Versions() {
		if handshake.TLSVersion(v) == 0x0304 {
			return true
		}
	}
	return false
}

func (x *Explainer) certificate(t *turn, b *handshake.Certificate) {
	c, h, e, m, side := t.c, t.h, &t.e, t.m, t.side
	chain := x.certs.Chain(b)
	if side == 0 && h.IsLater(0, m.By) {
		h.AnswerWith(b, m.Raw)
	}
	h.Sides[side].CertSeen = true
	h.Sides[side].Chain = chain
	if len(chain) > 0 {
		h.Sides[side].Leaf = chain[0]
	}
	if side == 1 {
		h.At[proof.AtCertificate], h.CertAt = t.at, m.Time
	}
	a := x.args(c)
	if len(chain) == 0 {
		if side == 0 {
			e.Brief = words.Piece("brief/none")
			e.Says = append(e.Says, words.Say("client-certificate-none", e.Evidence, a))
			if c.Leg == capture.LegOrigin {
				e.Says = append(e.Says, words.Say("mutual-tls-forwarded", event.None, a))
			}
		} else {
			e.Says = append(e.Says, words.Say("certificate-empty", e.Evidence, a))
		}
		return
	}
	leaf := chain[0]
	if leaf.Raw {
		x.rawKey(c, h, e, side)
		return
	}
	e.Brief = words.Piece("brief/certificate", "names", clip(leaf.For()), "issuer", clip(leaf.Issuer()), "key", leaf.KeyWords())
	now := at(m.Time)
	for i, cert := range chain {
		if !x.NoFields {
			e.Fields = append(e.Fields, cert.Described(i, describe)...)
		}
		e.Certificates = append(e.Certificates, cert.Facts(certificateFacts))
	}
	for i, entry := range b.Entries {
		if i >= len(chain) {
			break
		}
		for _, ext := range entry.Extensions {
			switch v := ext.Value.(type) {
			case handshake.SCTs:
				e.Fields = append(e.Fields, sctFields(words.FieldName("signed certificate timestamp"), v)...)
			case handshake.StatusResponse:
				e.Fields = append(e.Fields, stapleFields(v)...)
			}
		}
	}
	if leaf.Parsed != nil {
		ca := a.With("names", clip(leaf.For()), "issuer", clip(leaf.Issuer()), "until", date(leaf.Parsed.NotAfter), "from", date(leaf.Parsed.NotBefore),
			"key", leaf.KeyWords(), "subject", clip(leaf.Subject()), "count", words.Plural(len(chain), "certificate"), "days", strconv.Itoa(int(leaf.Parsed.NotAfter.Sub(now)/(24*time.Hour))))
		id := "certificate-words"
		if leaf.SignsItself() {
			id = "certificate-words-self"
		}
		e.Says = append(e.Says, words.Say(id, e.Evidence, ca))
	} else {
		e.Says = append(e.Says, words.Say("certificate-unreadable", e.Evidence, a.With("reason", leaf.Err)))
	}
	x.checkChain(c, h, e, b, side)
	if h.Is13() {
		x.delegatedCredential(c, h, e, b, side)
	}
	linksID := [2]string{words.ProofClientLinks, words.ProofServerLinks}[side]
	p := x.certs.Links(linksID, chain)
	if p.State == event.Proven {
		p.Redo = h.RedoLinks(&x.certs, chain)
	}
	h.Prove(p)
	e.Proofs = append(e.Proofs, p)
	if side == 0 {
		id := "client-certificate"
		if c.OverUDP() && h.Hello == nil && h.ServerHello == nil {
			id = "certificate-guessed"
		}
		e.Says = append(e.Says, words.Say(id, e.Evidence, a.With("subject", clip(leaf.Subject()))))
		return
	}
	if c.Leg == capture.LegBrowser && c.Minted != nil {
		x.checkMinted(c, h, e)
	}
	e.Says = append(e.Says, words.Say("certificate-proves-nothing", e.Evidence, a))
	if !h.Short() { // else the key that counts comes in the next message
		x.markMain(c, h, e, event.Step3)
	}
}

// nameCompared tells with which name the certificate's were compared, where the hello is known.
func (x *Explainer) nameCompared(h *proof.Handshake, a steps.Values) []event.Sentence {
	k := h.Sides[1].Checked
	if k == nil || h.Hello == nil {
		return nil
	}
	a = a.With("asked", clip(h.Hello.ServerName()))
	for _, check := range k.Result.Checks {
		switch named := h.Hello.ServerName() != ""; {
		case check.ID != verify.IDName:
		case check.Outcome == verify.OK && h.Cover != nil:
			return []event.Sentence{words.Say("certificate-name-inner", event.Recomputed, a)}
		case check.Outcome == verify.OK && named:
			return []event.Sentence{words.Say("certificate-name-good", event.Recomputed, a)}
		case check.Reason == "no-name-asked" && named && h.ECH() == proof.ECHTaken:
			return []event.Sentence{words.Say("certificate-name-behind", event.None, a)}
		case check.Reason == "no-name-asked" && named:
			return []event.Sentence{words.Say("certificate-name-cover", event.None, a)}
		case check.Reason == "no-name-asked":
			return []event.Sentence{words.Say("certificate-name-unknown", event.None, a)}
		}
	}
	return nil
}

func (x *Explainer) serverKeyExchange(t *turn, b *handshake.ServerKeyExchange) {
	c, h, e := t.c, t.h, &t.e
	h.ServerKey = b
	h.At[proof.AtServerKey] = t.at
	if b.KeyExchange != handshake.KeyExchangeRSA { // a short key of an export suite may serve many connections (RFC 2246 D.1)
		x.reused(h, c, e, b.Public)
	}
	a := x.args(c)
	switch {
	case b.Group != 0:
		e.TLS = &event.TLS{Group: handshake.GroupName(b.Group)}
		e.Brief = words.Piece("brief/key-bytes", "group", e.TLS.Group, "n", strconv.Itoa(len(b.Public)))
		e.Fields = append(e.Fields, field("group", e.TLS.Group))
	case len(b.P) > 0:
		e.TLS = &event.TLS{Bits: new(big.Int).SetBytes(b.P).BitLen()}
		e.Brief = words.Piece("brief/dh-bytes", "bits", strconv.Itoa(new(big.Int).SetBytes(b.P).BitLen()), "n", strconv.Itoa(len(b.Public)))
		e.Fields = append(e.Fields, event.Field{Name: event.Plain("p"), Value: hexLen(b.P), Note: words.Piece("note/modulus", "count", words.Count(new(big.Int).SetBytes(b.P).BitLen(), "bit"))}, event.Field{Name: event.Plain("g"), Value: hexLen(b.G), Note: words.Piece("note/generator")})
		if new(big.Int).SetBytes(b.P).BitLen() < 2048 {
			e.Says = append(e.Says, words.Say("dhe-small", event.Clear, a.With("bits", strconv.Itoa(new(big.Int).SetBytes(b.P).BitLen()))))
		}
	}
	if b.KeyExchange == handshake.KeyExchangeRSA {
		e.Brief = words.Piece("brief/short-rsa", "bits", strconv.Itoa(new(big.Int).SetBytes(b.Public).BitLen()))
	}
	if len(b.Public) > 0 {
		e.Fields = append(e.Fields, event.Field{Name: words.FieldName("public value"), Value: hexLen(b.Public), Note: words.Piece("note/server-public-value")})
	}
	if b.PSKHint != nil {
		e.Fields = append(e.Fields, field("hint for the pre-shared key", clip(x.text(words.Readable(b.PSKHint)))))
	}
	if b.Signature == nil {
		e.Says = append(e.Says, words.Say("server-key-exchange-unsigned", e.Evidence, a))
		x.markMain(c, h, e, event.Step3)
		return
	}
	if b.SignatureScheme != 0 {
		if e.TLS == nil {
			e.TLS = new(event.TLS)
		}
		e.TLS.Scheme = handshake.SchemeName(b.SignatureScheme)
		e.Fields = append(e.Fields, field("signature algorithm", e.TLS.Scheme))
	}
	e.Fields = append(e.Fields, fieldOf("signature", hexLen(b.Signature)))
	p := h.CheckServerKey(b)
	h.Prove(p)
	e.Proofs = append(e.Proofs, p)
	e.Says = append(e.Says, words.Say(proven("server-key-exchange", p), e.Evidence, a))
	x.markMain(c, h, e, event.Step2, event.Step3)
}

// proven picks the sentence of a message whose proof holds, or the careful one.
func proven(id string, p event.Proof) string {
	if p.State != event.Proven {
		return id + "-unproven"
	}
	return id
}

func (x *Explainer) certificateVerify(t *turn, b *handshake.CertificateVerify) {
	c, h, e, a := t.c, t.h, &t.e, t.args
	if t.side == 1 {
		h.At[proof.AtVerify] = t.at
	}
	if b.SignatureScheme != 0 {
		scheme := handshake.SchemeName(b.SignatureScheme)
		e.Brief, e.TLS = event.Plain(scheme), &event.TLS{Scheme: scheme}
		e.Fields = append(e.Fields, field("signature algorithm", scheme))
	}
	e.Fields = append(e.Fields, fieldOf("signature", hexLen(b.Signature)))
	var p event.Proof
	later := t.side == 0 && h.IsLater(0, t.m.By)
	if later {
		p = h.CheckLaterVerify(b, t.m.Raw)
	} else {
		p = h.CheckVerify(t.side, t.said, b, x.show())
	}
	h.Prove(p)
	e.Proofs = append(e.Proofs, p)
	switch {
	case later:
		e.Says = append(e.Says, words.Say("client-certificate-verify-later", e.Evidence, a))
		return
	case t.side == 0:
		e.Says = append(e.Says, words.Say("client-certificate-verify", e.Evidence, a))
		return
	}
	e.Says = append(e.Says, words.Say(proven("certificate-verify", p), e.Evidence, a))
	x.markMain(c, h, e, event.Step2)
	if h == c.Main && !c.Flow().KEM {
		t.after(x, event.Step6a)
	}
}

func (x *Explainer) clientKeyExchange(t *turn, b *handshake.ClientKeyExchange) {
	c, h, e := t.c, t.h, &t.e
	if t.m.Block != nil && h.Block == nil {
		h.Block, h.Keyed = t.m.Block, true
	}
	h.ClientKey = b
	h.At[proof.AtClientKey] = t.at
	x.reused(h, c, e, b.Public)
	if b.KeyExchange == handshake.KeyExchangeRSA {
		h.HashSession()
	}
	a := x.args(c)
	f := c.Flow()
	switch {
	case len(b.EncryptedPreMaster) > 0:
		e.Brief = words.Piece("brief/encrypted", "n", strconv.Itoa(len(b.EncryptedPreMaster)))
		note := words.Piece("note/modulus-long")
		if h.ServerKey != nil && b.PSKIdentity == nil {
			note = words.Piece("note/modulus-short")
		}
		e.Fields = append(e.Fields, event.Field{Name: words.FieldName("encrypted premaster secret"), Value: hexLen(b.EncryptedPreMaster), Note: note})
	case len(b.Public) > 0:
		e.Brief = words.Piece("brief/public-value", "n", strconv.Itoa(len(b.Public)))
		e.Fields = append(e.Fields, event.Field{Name: words.FieldName("public value"), Value: hexLen(b.Public), Note: words.Piece("note/client-public-value")})
	}
	if b.PSKIdentity != nil {
		e.Fields = append(e.Fields, field("name of the pre-shared key", clip(x.text(words.Readable(b.PSKIdentity)))))
	}
	if h.Block == nil && h.Logged["RSA"] != nil && len(h.Logged["RSA"]) == 48 {
		h.PreMaster = h.Logged["RSA"]
	}
	proofs := h.CheckBlock(x.show())
	if h.Block == nil && h.PreMaster != nil && b.KeyExchange == handshake.KeyExchangeRSA {
		proofs = h.CheckMaster(x.show())
	}
	for _, p := range proofs {
		h.Prove(p)
		e.Proofs = append(e.Proofs, p)
	}
	id := "client-key-exchange-other"
	switch {
	case len(b.EncryptedPreMaster) > 0 && b.PSKIdentity != nil:
		id = "client-key-exchange-rsa-psk"
	case len(b.EncryptedPreMaster) > 0 && h.ServerKey != nil:
		id = "client-key-exchange-rsa-export"
	case len(b.EncryptedPreMaster) > 0:
		id = "client-key-exchange-rsa"
	case b.PSKIdentity != nil && len(b.Public) > 0:
		id = "client-key-exchange-psk-dhe"
	case b.PSKIdentity != nil:
		id = "client-key-exchange-psk"
	case len(b.Public) > 0 && b.KeyExchange != handshake.KeyExchangeSRP:
		id = "client-key-exchange-dhe"
	}
	e.Says = append(e.Says, words.Say(id, e.Evidence, a))
	if h.Keyed {
		id := "client-key-exchange-opened"
		if s, _ := h.Proved(words.ProofRSAKey); s != event.Proven {
			id = "client-key-exchange-padding"
		}
		e.Says = append(e.Says, words.Say(id, event.Recomputed, a))
	}
	if h != c.Main {
		return
	}
	if f.Agreed && !f.Transport {
		for _, s := range []event.Step{event.Step2, event.Step3, event.Step4a} {
			x.step(c, s)
		}
	}
	x.step(c, event.Step4b)
	if f.Transport {
		x.step(c, event.Step4c)
	}
	x.mark(c, e, event.Step5)
	t.then = func() {
		if !f.Transport {
			x.step(c, event.Step4c)
		}
		if !f.Lasting {
			x.step(c, event.Step6a)
		}
	}
}

func (x *Explainer) finished(t *turn) {
	c, h, e, a, side := t.c, t.h, &t.e, t.args, t.side
	if b, ok := t.said.Body.(*handshake.Finished); ok && side == 0 && h.IsLater(0, t.m.By) {
		e.Fields = append(e.Fields, event.Field{Name: event.Plain("verify_data"), Value: event.Plain(hex.EncodeToString(b.VerifyData[:min(len(b.VerifyData), 64)]))})
		e.Brief = words.Piece("brief/keyed-checksum-later")
		e.Says = append(e.Says, words.Say("finished-client-later", e.Evidence, a))
		p := h.CheckLaterFinished(b, c.Sides[0].Updates, x.show())
		h.Prove(p)
		e.Proofs = append(e.Proofs, p)
		return
	}
	again := h.Sides[side].Finished
	h.Sides[side].Finished = true
	h.Ends(side, t.m.Span.End)
	h.At[proof.AtClientFinished+proof.Spot(side)] = t.at
	if h.ServerHello != nil && !h.Is13() && !h.Resumed && len(h.ServerHello.SessionID) > 0 {
		// Once more: the secret may have become known after the ServerHelloDone.
		x.remember(c, h, 's', h.ServerHello.SessionID, proof.Issued{})
	}
	if v := h.VerifyData(side); v != nil {
		e.Fields = append(e.Fields, event.Field{Name: event.Plain("verify_data"), Value: event.Plain(hex.EncodeToString(v[:min(len(v), 64)]))})
	}
	e.Brief = words.Piece("brief/keyed-checksum-over-everything")
	e.Says = append(e.Says, words.Say([2]string{"finished-client", "finished-server"}[side], e.Evidence, a))
	p := words.NewProof([2]string{words.ProofClientFin, words.ProofServerFin}[side], event.NotCheckable, words.Piece("proof/finished-before"))
	if !again {
		p = x.checkFinished(h, side)
		h.Sides[side].FinishedTried = p.State != event.NotCheckable
	}
	h.Prove(p)
	e.Proofs = append(e.Proofs, p)
	x.takenUp(c, h, e, p)
	if h != c.Main {
		return
	}
	f := c.Flow()
	t.then = func() {
		if side == 1 && f.Lasting {
			x.step(c, event.Step2)
			x.step(c, event.Step6a)
		}
		if side == 0 && f.KEM {
			x.step(c, event.Step6a)
		}
		if h.Through() && h.Sides[0].FinishedTried && h.Sides[1].FinishedTried {
			if x.Secrets {
				h.KeepHashes()
			}
			h.Free()
		}
	}
}

// checkFinished checks a Finished message, also with the secret of a connection that this one takes up.
func (x *Explainer) checkFinished(h *proof.Handshake, side int) event.Proof {
	x.linkOf(h)
	return h.CheckFinished(side, x.show())
}

// retry checks what could not be checked before some message arrived, whose event takes the proofs.
func (x *Explainer) retry(c *conn, h *proof.Handshake, e *event.Event) {
	for side := range h.Sides {
		if !h.Sides[side].Finished || h.Sides[side].FinishedTried || !h.Broken.Empty() {
			continue
		}
		p := x.checkFinished(h, side)
		if p.State == event.NotCheckable {
			continue
		}
		h.Sides[side].FinishedTried = true
		h.Prove(p)
		if !hasProof(e.Proofs, p.ID) {
			e.Proofs = append(e.Proofs, p)
		}
	}
}

func hasProof(ps []event.Proof, id string) bool {
	for i := range ps {
		if ps[i].ID == id && ps[i].State != event.NotCheckable {
			return true
		}
	}
	return false
}

func (x *Explainer) newSessionTicket(t *turn, b *handshake.NewSessionTicket) {
	c, h, e, a := t.c, t.h, &t.e, t.args
	if h.Is13() && len(b.Nonce) > 0 {
		e.Fields = append(e.Fields, fieldOf("nonce", hexLen(b.Nonce)))
	}
	e.Brief = words.Piece("brief/ticket", "count", words.Count(len(b.Ticket), "byte"), "span", seconds(b.Lifetime))
	e.Ticket = &event.Ticket{Length: len(b.Ticket), Lifetime: b.Lifetime}
	e.Fields = append(e.Fields, fieldOf("ticket", hexLen(b.Ticket)), fieldOf("lifetime", seconds(b.Lifetime)))
	if h.Is13() {
		if x.Secrets && len(h.Nonces) < proof.MaxNonces {
			h.Nonces = append(h.Nonces, b.Nonce)
		}
		e.Says = append(e.Says, words.Say("new-session-ticket-13", e.Evidence, a))
	} else {
		if !h.Sides[1].CertSeen && !h.Sides[1].ChangedCipher {
			x.resumedNow(c, h)
		}
		e.Says = append(e.Says, words.Say("new-session-ticket", e.Evidence, a))
	}
	if len(b.Ticket) > 0 {
		x.remember(c, h, 't', b.Ticket, proof.Issued{Lifetime: b.Lifetime, AgeAdd: b.AgeAdd})
	}
}

func seconds(s uint32) event.Text {
	d := time.Duration(s) * time.Second
	switch {
	case s == 0:
		return words.Piece("span/unspecified")
	case s%86400 == 0:
		return words.Count(int(s/86400), "day")
	case s%3600 == 0:
		return words.Count(int(s/3600), "hour")
	case s%60 == 0 && s < 7200:
		return words.Count(int(s/60), "minute")
	case s < 120:
		return words.Count(int(s), "second")
	}
	return event.Plain(d.String())
}

// resumedNow notes that TLS 1.2's abbreviated handshake is on, once, and tells
// the steps that fall away.
func (x *Explainer) resumedNow(c *conn, h *proof.Handshake) {
	if (h.Holed() || c.numbered[1].lost) && h.ServerHello != nil && (h.Hello == nil || len(h.ServerHello.SessionID) == 0 || string(h.ServerHello.SessionID) != string(h.Hello.SessionID)) {
		return // what a full handshake has can be among what is missing
	}
	if h.Resumed || h.ServerHello == nil || h.Is13() || h.Find(1, handshake.TypeServerHelloDone) != nil || h.ServerKey != nil || h.Sides[1].CertSeen {
		return
	}
	h.Resumed = true
	if h.Hello != nil {
		if t, _ := h.Hello.SessionTicket(); len(t) > 0 {
			h.Ticket = t
		}
	}
	if h != c.Main {
		return
	}
	for _, s := range []event.Step{event.Step2, event.Step3, event.Step4a, event.Step4b, event.Step4c, event.Step5, event.Step6a} {
		x.step(c, s)
	}
	x.lineage(c, h)
}

func (x *Explainer) changeCipherSpec(c *conn, m *capture.Message, b *capture.ChangeCipherSpec) {
	h := c.Latest
	side := int(m.Side)
	c.TLS = true
	e := x.event(c, m, event.KindMessage, "change-cipher-spec", "ChangeCipherSpec")
	if h.ServerHello == nil && !b.Dummy {
		// The server's hello is not in the capture, so nobody knows.
		e.Brief = words.Piece("brief/version-not-known")
		h.Sides[side].ChangedCipher = true
		e.Says = append(e.Says, words.Say("ccs-unknown", e.Evidence, x.args(c).With("sender", c.Side(side))))
		x.emit(c, e)
		return
	}
	if b.Dummy || h.Is13() {
		e.Brief = words.Piece("brief/middleboxes-only")
		e.Says = append(e.Says, words.Say("ccs-dummy", e.Evidence, x.args(c)))
		x.emit(c, e)
		return
	}
	if side == 1 && !h.Sides[0].ChangedCipher {
		x.resumedNow(c, h)
	}
	h.Sides[side].ChangedCipher = true
	a := x.args(c)
	id := [2]string{"ccs-client", "ccs-server"}[side]
	if c.Null() {
		id, a = "ccs-null", a.With("sender", c.Side(side))
	}
	e.Says = append(e.Says, words.Say(id, e.Evidence, a))
	if side == 0 {
	} else {
		h.Switch(proof.Place{First: m.First, Last: m.Last})
		x.markMain(c, h, &e, event.Step6b)
	}
	x.emit(c, e)
}

// appData tells the first application data of each direction; the rest is counted.
func (x *Explainer) appData(c *conn, m *capture.Message, b *capture.AppData) {
	side := int(m.Side)
	c.TLS = true
	if b.Early && m.Opened {
		x.earlyData(c, m, b)
		return
	}
	x.webAfterGap(c, m)
	c.carried(m, b)
	c.Sides[side].Data++
	c.Sides[side].Bytes += int64(b.Len)
	if c.Sides[side].FirstData {
		if side == 1 && c.Sides[1].Data >= 8 {
			c.Responded = true
			c.Answered = c.Answered || !c.httpHead
		}
		return
	}
	c.Sides[side].FirstData = true
	if c.Spoke == 0 {
		c.Spoke = 1 + side
	}
	c.Sides[side].DataAt, c.Sides[side].DataTime, c.Sides[side].First = proof.Place{First: m.First, Last: m.Last}, m.Time, c.Sides[side].All()
	e := x.event(c, m, event.KindMessage, "application-data", "")
	isQUIC := c.Conn.Transport == capture.TransportQUIC
	e.Brief = words.Piece("brief/in-record", "count", words.Count(b.Len, "byte"), "n", strconv.Itoa(b.Wire))
	if isQUIC {
		e.Brief = words.Piece("brief/in-packet", "count", words.Count(b.Len, "byte"), "n", strconv.Itoa(b.Wire))
	}
	e.Size = &event.Size{Bytes: int64(b.Len), Wire: int64(b.Wire), Records: 1}
	a := x.args(c).With("wire", strconv.Itoa(b.Wire), "len", strconv.Itoa(b.Len))
	null := c.Null()
	if m.Opened {
		if c.Latest == c.Main && c.Main.Is13() {
			c.Main.KeepSecret(m.By, c.Main.Logged[m.By])
		}
		id := [2]string{words.ProofClientFirst, words.ProofServerFirst}[side]
		first := fieldOf("first record", words.Piece("value/record", "count", words.Count(b.Wire, "byte"), "n", strconv.Itoa(b.Len)))
		if isQUIC {
			id = [2]string{words.ProofClientPacket, words.ProofServerPacket}[side]
			first = fieldOf("first packet", words.Piece("value/record", "count", words.Count(b.Wire, "byte"), "n", strconv.Itoa(b.Len)))
		}
		p := words.NewProof(id, event.Proven, event.Text{}, field("opened with", m.By), first)
		c.Main.Prove(p)
		if isQUIC {
		} else if c.Latest == c.Main && c.Sides[side].Updates == 0 {
			p.Redo = c.Main.RedoRecord(side, m.By, b)
		}
		e.Proofs = append(e.Proofs, p)
	}
	if side == 0 {
		id := "data-client"
		switch {
		case null:
			id = "data-client-null"
		case c.Early:
			id = "data-client-early"
		case c.OverUDP() && c.Spoke == 2: // what was lost on the way to the capture, nothing shows
			id = "data-client-behind"
		case c.OverUDP():
			id = "data-client-here"
		case !c.Entire() || !c.Begun():
			id = "data-client-seen"
		case c.Spoke == 2:
			id = "data-client-after"
		}
		e.Says = append(e.Says, words.Say(id, e.Evidence, a))
		x.emit(c, e)
		x.step(c, event.Step4a)
		return
	}
	id := "data-server"
	if null {
		id = "data-server-null"
	}
	e.Says = append(e.Says, words.Say(id, e.Evidence, a))
	x.step(c, event.Step6b)
	x.mark(c, &e, event.Step7)
	x.emit(c, e)
	x.step(c, event.Step8)
}

func (x *Explainer) earlyData(c *conn, m *capture.Message, b *capture.AppData) {
	if c.Early {
		return
	}
	c.Early, c.EarlyOpened = true, true
	c.Main.At[proof.AtEarly] = proof.Place{First: m.First, Last: m.Last}
	e := x.event(c, m, event.KindMessage, "early-data", "")
	e.Brief = words.Piece("brief/early", "count", words.Count(b.Len, "byte"))
	e.Size = &event.Size{Bytes: int64(b.Len), Wire: int64(b.Wire), Records: 1}
	id := words.ProofEarlyFirst
	if c.Conn.Transport == capture.TransportQUIC {
		id = words.ProofEarlyPacket
	}
	p := words.NewProof(id, event.Proven, event.Text{}, field("opened with", m.By))
	c.Main.Prove(p)
	e.Proofs = append(e.Proofs, p)
	e.Says = append(e.Says, words.Say("early-data", e.Evidence, x.args(c)))
	x.emit(c, e)
}

// heartbeatPadding is what follows the payload of a heartbeat at least (RFC 6520 4).
const heartbeatPadding = 16

func (x *Explainer) heartbeat(c *conn, m *capture.Message, b *capture.Heartbeat) {
	c.TLS = true
	c.Sides[m.Side&1].Heartbeat = true
	e := x.event(c, m, event.KindMessage, "heartbeat", "Heartbeat")
	e.Brief = words.Piece("brief/heartbeat", "claimed", strconv.Itoa(b.Length), "have", strconv.Itoa(b.Have))
	a := x.args(c).With("claimed", strconv.Itoa(b.Length), "have", strconv.Itoa(b.Have), "sender", c.Side(int(m.Side)))
	id := "heartbeat"
	switch needed := b.Length + heartbeatPadding; {
	case b.Kind == 1 && needed > b.Have:
		id, a = "heartbleed", a.With("needed", strconv.Itoa(needed))
		c.bled[m.Side&1] = true
	case b.Kind == 2 && c.bled[1-m.Side&1]:
		id = "heartbleed-answered"
	}
	e.Says = append(e.Says, words.Say(id, e.Evidence, a))
	x.emit(c, e)
}

// longHeartbeat is how many bytes more than a sealed request its answer has where that is told as
// odd: the payload is the same (RFC 6520 4), and programs pad with little more than they must.
const longHeartbeat = 1024

// sealedHeartbeat tells heartbeats that stayed sealed, by their sizes.
func (x *Explainer) sealedHeartbeat(c *conn, side, at int, b *capture.Sealed, a steps.Values) event.Sentence {
	c.Sides[side].Heartbeat = true
	mine := &c.beats[side]
	if mine.bytes == 0 {
		mine.first = at
	}
	mine.bytes += b.Wire
	// Sealed records of one side can be told behind those of the other that came later.
	asker := 0
	if c.beats[1].bytes > 0 && c.beats[1].first < c.beats[0].first {
		asker = 1
	}
	asked, answered := c.beats[asker].bytes, c.beats[1-asker].bytes
	if asked == 0 || answered <= asked+longHeartbeat {
		return words.Say("sealed-heartbeat", event.Clear, a)
	}
	return words.Say("sealed-heartbeat-longer", event.Clear, a.With("asked", strconv.FormatInt(asked, 10), "asker", c.Side(asker), "answerer", c.Side(1-asker), "all", strconv.FormatInt(answered, 10)))
}

// beats are heartbeats of a side that stayed sealed.
type beats struct {
	bytes int64
	first int // packet
}

// sealed tells records that nobody could open here.
func (x *Explainer) sealed(c *conn, m *capture.Message, b *capture.Sealed) {
	side := int(m.Side)
	h := c.Latest
	c.TLS = true
	c.Sides[side].Sealed += int64(b.Records)
	w := proof.Place{First: m.First, Last: m.Last}
	reason := words.Phrase(words.Sealed, b.Reason, "")
	if x.Eavesdropper && b.Reason == capture.SealedNoKey {
		reason = words.Piece("brief/whoever-listens-on-path")
	}
	if b.Reason != capture.SealedEarly {
		c.Sides[side].Dark += int64(max(b.Records, 1))
		c.Sides[side].DarkAlert = c.Sides[side].DarkAlert || !h.Is13() && b.Type == 21
		if c.Sides[side].Why.Empty() || b.Reason == capture.SealedBadTag {
			c.Sides[side].Why, c.Sides[side].WhyCode = reason, b.Reason
		}
		x.darkTickets(c)
	}
	if h.Is13() && c.Conn.Transport == capture.TransportDTLS && b.Epoch != 1 && b.Epoch != 2 {
		k := &c.Sides[side].Ahead
		k.Records, k.Bytes, k.At = k.Records+int64(b.Records), k.Bytes+b.Wire, steps.Joined(k.At, w)
	}
	e := x.event(c, m, event.KindMessage, event.TopicSealed, "")
	e.Size = &event.Size{Bytes: b.Wire, Records: b.Records, Reason: b.Reason}
	if b.Records == 1 {
		rename(&e, "sealed-record", "")
	}
	count := words.Count(b.Records, "record")
	if b.Records == 0 { // the rest of it was not found
		rename(&e, "sealed-record", "")
		count = words.Piece("count/part-of-record")
	}
	e.Brief = words.Piece("brief/count-bytes", "count", count, "bytes", strconv.FormatInt(b.Wire, 10))
	a := x.args(c).With("sender", c.Side(side), "count", count, "bytes", strconv.FormatInt(b.Wire, 10), "reason", reason)
	early := b.Reason == capture.SealedEarly
	switch {
	case b.Reason == capture.SealedBadTag:
		c.Sides[side].BadTag = true
		c.wrongRecord(&e, side)
		e.Says = append(e.Says, words.Say("sealed-bad-tag", e.Evidence, a))
	case early:
		if !c.Early {
			c.Main.At[proof.AtEarly] = w
		}
		c.Early = true
		e.Says = append(e.Says, words.Say("sealed-early", e.Evidence, a))
	case h.ServerHello == nil && h.Hello == nil:
		e.Says = append(e.Says, words.Say("sealed-midstream", e.Evidence, a))
	case !h.Is13() && b.Type == 22:
		if h.Sides[side].FinishedSealed {
			id := "sealed-handshake"
			if c.OverUDP() {
				id = "sealed-flight" // a flight may be sent again, or be brought again
			} else if !c.Sides[side].Whole() { // what was taken for the Finished need not be one
				id = "sealed-finished"
			} else {
				c.Sides[side].DarkAgain = true
			}
			e.Brief = words.Piece("brief/handshake-sealed", "brief", e.Brief)
			e.Says = append(e.Says, words.Say(id, e.Evidence, a))
			break
		}
		h.Sides[side].FinishedSealed = true
		if b.Records > 1 {
			c.Sides[side].DarkAgain = !c.OverUDP()
			e.Brief = words.Piece("brief/finished-sealed-more", "brief", e.Brief)
		} else {
			e.Brief = words.Piece("brief/finished-sealed", "brief", e.Brief)
		}
		e.Says = append(e.Says, words.Say("sealed-finished", e.Evidence, a))
		id := [2]string{words.ProofClientFin, words.ProofServerFin}[side]
		p := words.NewProof(id, event.NotCheckable, words.Piece("proof/message-encrypted", "reason", reason))
		h.Prove(p)
		e.Proofs = append(e.Proofs, p)
	case !h.Is13() && b.Type == 24:
		e.Brief = words.Piece("brief/heartbeat-sealed", "brief", e.Brief)
		e.Says = append(e.Says, x.sealedHeartbeat(c, side, w.First, b, a))
	case !h.Is13() && b.Type == 20:
		e.Brief = words.Piece("brief/change-sealed", "brief", e.Brief)
		e.Says = append(e.Says, words.Say("sealed", e.Evidence, a))
	case !h.Is13() && b.Type == 21:
		e.Name = "sealed alert"
		e.Says = append(e.Says, words.Say("sealed-alert", e.Evidence, a))
	default:
		e.Says = append(e.Says, words.Say("sealed", e.Evidence, a))
	}
	if early {
		x.emit(c, e)
		return
	}
	if !h.Sides[side].Finished {
		h.Incomplete(words.Piece("broken/before-encrypted", "reason", reason))
	}
	dataLike := b.Type == 23
	if dataLike {
		c.Sides[side].Wire += b.Wire
		c.Sides[side].Wired += int64(b.Records)
	}
	if c.Sides[side].DarkAt.First == 0 {
		c.Sides[side].DarkAt.First = w.First
	}
	c.Sides[side].DarkAt.Last = w.Last
	first := dataLike && !c.Sides[side].FirstData
	if main := c.Main; side == 1 && main.Is13() && !main.Sides[1].Finished {
		if !main.Switched {
			main.Switch(w)
			if !c.settled.has(event.Step6b) {
				x.mark(c, &e, event.Step6b)
			}
		}
	}
	if !first || h.Is13() || h.Suite() == nil {
		// In TLS 1.3 nobody can tell sealed data from a sealed handshake; nor in a
		// suite that nobody knows.
		x.emit(c, e)
		x.sealedSteps(c)
		if side == 1 && h == c.Main && h.Sides[1].FinishedSealed && c.Flow().Lasting {
			x.step(c, event.Step2)
			x.step(c, event.Step6a)
		}
		return
	}
	c.Sides[side].FirstData = true
	if c.Spoke == 0 {
		c.Spoke = 1 + side
	}
	c.Sides[side].DataAt, c.Sides[side].DataTime, c.Sides[side].First = w, m.Time, c.Sides[side].All()
	if side == 0 {
		x.emit(c, e)
		x.sealedSteps(c)
		x.step(c, event.Step4a)
		return
	}
	x.sealedSteps(c)
	x.step(c, event.Step6b)
	x.mark(c, &e, event.Step7)
	x.emit(c, e)
	x.step(c, event.Step8)
}

// wrongRecord adds, to a record that does not fit its key, that those before it did.
func (c *conn) wrongRecord(e *event.Event, side int) {
	if c.Sides[side].Data > 0 && c.Latest == c.Main && !c.Holed() {
		// Records before it opened with the same key, so the key is the right one.
		p := words.NewProof([2]string{words.ProofClientRecords, words.ProofServerRecords}[side], event.Refuted,
			words.Piece("proof/next-does-not-fit", "count", words.Count(int(c.Sides[side].Data), "record")),
			field("opened before it", strconv.FormatInt(c.Sides[side].Data, 10)))
		c.Main.Prove(p)
		e.Proofs = append(e.Proofs, p)
	}
}

// sealedSteps tells the steps that nobody can see in a sealed handshake of TLS 1.3.
func (x *Explainer) sealedSteps(c *conn) {
	if c.Latest != c.Main || !c.Sealed13() {
		return
	}
	if !c.HasCertificate() {
		x.pskSteps(c)
		return
	}
	if !c.Main.Sides[1].CertSeen {
		x.step(c, event.Step2)
	}
	if !c.Flow().KEM {
		x.step(c, event.Step6a)
	}
	if c.Sides[0].Dark > 0 {
		x.step(c, event.Step4a)
		if c.Flow().KEM {
			x.step(c, event.Step6a)
		}
	}
}

func (x *Explainer) malformed(c *conn, m *capture.Message, b *capture.Malformed) {
	c.Latest.Incomplete(words.Piece("brief/message-before-malformed"))
	e := x.event(c, m, event.KindMessage, "malformed", "malformed "+b.Where)
	e.Brief = event.Plain(clip(b.Err))
	id := "malformed"
	if c.Sides[0].Differs || c.Sides[1].Differs {
		id = "malformed-copy"
	}
	e.Says = append(e.Says, words.Say(id, e.Evidence, x.args(c).With("sender", c.Side(int(m.Side)), "where", b.Where, "reason", clip(b.Err))))
	x.emit(c, e)
}

func (x *Explainer) missing(c *conn, m *capture.Message, b *capture.Missing) {
	id, where := "missing", "brief/not-captured"
	if b.Left {
		id, where = "missing-left-out", "brief/left-out"
		c.Latest.Incomplete(words.Piece("brief/bytes-left-out-here"))
	} else {
		c.Latest.Incomplete(words.Piece("brief/bytes-missing-capture"))
	}
	side := int(m.Side)
	if c.NoTLS == "opaque" && m.Span.Start < maxOpening {
		c.NoTLS = "" // what is missing may say what this is
	}
	if c.Sides[side].Data > 0 && c.webGap == webWhole {
		c.webGap = webBroken
	}
	e := x.event(c, m, event.KindMessage, "missing-bytes", "")
	e.Evidence = event.None
	e.Size = &event.Size{Bytes: b.Len}
	if b.Len == 1 {
		where += "-one"
	}
	e.Brief = words.Piece(where, "n", strconv.FormatInt(b.Len, 10))
	e.Says = append(e.Says, words.Say(id, event.None, x.args(c).With("sender", c.Side(int(m.Side)), "bytes", strconv.FormatInt(b.Len, 10))))
	x.emit(c, e)
}

// maxOpening bounds where in a direction's stream, in bytes, what protocol it is can still show.
const maxOpening = 4 << 10

func (x *Explainer) opaque(c *conn, m *capture.Message, b *capture.Opaque) {
	if !c.TLS && c.NoTLS == "" && b.Why == capture.OpaqueUnknown && c.Conn.SYN && c.Sides[0].Only(b.Why) && c.Sides[1].Only(b.Why) {
		c.NoTLS = "opaque"
	}
	if !c.TLS && c.NoTLS == "" && b.Why == capture.OpaqueCut && m.Side == capture.Client {
		c.Cut += b.Len
	}
	if h := c.Main; m.Side == capture.Server && h.ServerHello == nil {
		switch {
		case h.Hello == nil && b.Why == capture.OpaqueUnknown && c.Conn.SYN && c.Sides[1].Gone == 0:
			c.Greeted = cmp.Or(c.Greeted, inClear(b.Preview))
		case h.Hello != nil && c.TLS && (b.Why == capture.OpaqueForeign || b.Why == capture.OpaqueCut && !beginsRecord(b.Preview) && c.Sides[1].Gone == 0):
			c.Foreign, c.Clear = true, cmp.Or(c.Clear, inClear(b.Preview))
		}
	}
	e := x.event(c, m, event.KindMessage, "bytes-not-read", "")
	e.Size = &event.Size{Bytes: b.Len, Reason: b.Why}
	e.Brief = words.Piece("brief/bytes-why", "count", words.Count(int(b.Len), "byte"), "reason", words.Phrase(words.Unread, b.Why, ""))
	if len(b.Preview) > 0 {
		e.Fields = append(e.Fields, fieldOf("beginning", x.previewBytes(b.Preview)))
	}
	e.Says = append(e.Says, words.Say("opaque", e.Evidence, x.args(c).With("sender", c.Side(int(m.Side)), "bytes", strconv.FormatInt(b.Len, 10), "reason", words.Phrase(words.Unread, b.Why, ""))))
	x.emit(c, e)
}

// clearText is how protocols begin that answer in clear. What stands behind that is kept back.
var clearText = []struct {
	begins *regexp.Regexp
	name   string
}{
	{regexp.MustCompile(`^HTTP/1\.[01] [0-9]{3}\b`), "HTTP"},
	{regexp.MustCompile(`^SSH-[0-9.]{1,8}`), "SSH"},
	{regexp.MustCompile(`^[1-5][0-9]{2}[ \r\n-]`), "SMTP, FTP or the like"},
	{regexp.MustCompile(`^(\+OK|-ERR)\b`), "POP3 or the like"},
	{regexp.MustCompile(`^(\*|[A-Za-z0-9.]{1,8}) (OK|NO|BAD|BYE)\b`), "IMAP"},
	{regexp.MustCompile(`^RFB [0-9.]{1,8}`), "VNC"},
	{regexp.MustCompile(`(?i)^<(!doctype|html)`), "HTML"},
	{regexp.MustCompile(`^:[A-Za-z0-9.-]{1,40} (NOTICE|[0-9]{3})`), "IRC"},
}

// clearBinary are the same, of which nothing can be quoted.
var clearBinary = []struct {
	begins *regexp.Regexp
	name   string
}{
	{regexp.MustCompile(`(?s)^...\x00\x0a[0-9]+\.[0-9]`), "MySQL"},
	{regexp.MustCompile(`(?s)^E\x00\x00..S(FATAL|ERROR)`), "PostgreSQL"},
}

// beginsRecord tells whether a record of TLS may begin so.
func beginsRecord(b []byte) bool {
	return len(b) == 0 || b[0] >= 20 && b[0] <= 24 && (len(b) == 1 || b[1] == 3)
}

// inClear says what text bytes begin with, if it is text. Twelve random bytes are all
// letters, signs and spaces, or four of them and the end of a line behind that, less than
// once in ten thousand times.
func inClear(b []byte) string {
	for _, p := range clearText {
		if begins := p.begins.Find(b); begins != nil {
			return p.name + ", " + strconv.Quote(strings.TrimRight(string(begins), " -\r\n"))
		}
	}
	for _, p := range clearBinary {
		if p.begins.Match(b) {
			return p.name
		}
	}
	line, _, whole := bytes.Cut(b, []byte{'\n'})
	if line = bytes.TrimSuffix(line, []byte{'\r'}); (len(line) >= 12 || whole && len(line) >= 4) && !bytes.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "text"
	}
	return ""
}

// previewBytes shows bytes of an unknown protocol, which may hold anything.
func (x *Explainer) previewBytes(b []byte) event.Text {
	if x.ShowSecrets {
		return event.Plain(words.Readable(b))
	}
	return words.Piece("value/kept-back", "hex", hex.EncodeToString(b[:min(len(b), 4)]), "n", strconv.Itoa(len(b)-min(len(b), 4)))
}
