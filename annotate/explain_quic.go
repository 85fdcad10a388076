package annotate

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/steps"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/quic"
)

// udp tells a message of a connection over UDP.
func (x *Explainer) udp(c *conn, m *capture.Message) {
	c.TLS = true
	side := int(m.Side & 1)
	if r, ok := m.Body.(*capture.DTLSRecord); ok && r.Doubled {
		c.Sides[side].Doubled++
		return
	}
	if c.Conn.Transport == capture.TransportDTLS && m.Opened && !m.Inner {
		c.Sides[side].Unsealed++
	}
	switch b := m.Body.(type) {
	case *capture.Opened:
	case *capture.DTLSRecord: // it is told by the messages in it
		if !m.Opened {
			c.numbered[side].take(b.Sequence)
		}
		if b.Repeated {
			c.Sides[side].Repeats++
		}
	case *capture.Ended:
		// No packet shows that it is over, only that no more is known of it.
		x.quicCounted(c, m)
		if b.Why == "" {
			x.settleLeft(c, b.Why)
		} else {
			x.left(c, m, b)
		}
	case *capture.AppData:
		x.appData(c, m, b)
	case *capture.DTLSAck:
		e := x.event(c, m, event.KindMessage, "dtls-ack", "ACK")
		e.Brief = words.Count(b.Records, "record")
		e.Says = append(e.Says, words.Say("dtls-ack", e.Evidence, x.args(c).With("sender", c.Side(side), "count", words.Count(b.Records, "record"))))
		x.emit(c, e)
	case *capture.Moved:
		id := "quic-moved"
		if c.Conn.Transport == capture.TransportDTLS {
			id = "dtls-moved"
		}
		e := x.event(c, m, event.KindMessage, event.Topic(id), "")
		e.Evidence, e.Bytes = event.Clear, nil
		from, to := b.Client.String(), b.Server.String()
		e.Brief = words.Piece("brief/from-to", "from", from, "to", to)
		e.Says = append(e.Says, words.Say(id, event.Clear, x.args(c).With("from", from, "to", to)))
		x.emit(c, e)
	case *capture.Unplaced:
		e := x.event(c, m, event.KindMessage, "unplaced", "")
		e.Evidence, e.Bytes = event.Decrypted, nil
		e.Brief = words.Count(b.Len, "byte")
		e.Says = append(e.Says, words.Say("quic-unplaced", e.Evidence, x.args(c).With("sender", c.Side(side), "count", words.Count(b.Len, "byte"))))
		x.emit(c, e)
	case *capture.Missing:
		e := x.event(c, m, event.KindMessage, "missing-bytes", "")
		e.Evidence = event.Inferred
		e.Bytes = nil
		e.Brief = words.Count(int(b.Len), "byte")
		e.Says = append(e.Says, words.Say("quic-stream-missing", event.Inferred, x.args(c).With("sender", c.Side(side), "bytes", strconv.FormatInt(b.Len, 10))))
		x.emit(c, e)
	case *capture.QUICPacket:
		if b.Version != 0 {
			c.QUICVersion = b.Version
		}
		x.quicPacket(c, m, b, side)
	case *capture.ChangeCipherSpec:
		if !m.Opened {
			c.numbered[side].take(b.Number)
		}
		x.changeCipherSpec(c, m, b)
	case *capture.Alert:
		x.alert(c, m, b)
	case *capture.Heartbeat:
		x.heartbeat(c, m, b)
	case *capture.Sealed:
		x.sealed(c, m, b)
	case *capture.Malformed:
		x.malformed(c, m, b)
	case *capture.Opaque:
		x.opaque(c, m, b)
	case *handshake.HelloVerifyRequest:
		e := x.event(c, m, event.KindMessage, messageTopics[b.Type()], handshake.TypeName(b.Type()))
		e.Brief = words.Piece("brief/cookie", "n", strconv.Itoa(len(b.Cookie)))
		e.Fields = append(e.Fields,
			event.Field{Name: words.FieldName("version"), Value: event.Plain(fmt.Sprintf("%04x (%s)", b.Version, handshake.VersionName(b.Version))), Note: words.Piece("note/message-alone")},
			fieldOf("cookie", hexLen(b.Cookie)))
		e.Says = append(e.Says, words.Say("hello-verify-request", e.Evidence, x.args(c).With("size", strconv.Itoa(len(b.Cookie)))))
		x.emit(c, e)
	case handshake.Message:
		if _, hello := b.(*handshake.ClientHello); hello && side == 0 && c.Main.Hello != nil && c.Main.ServerHello == nil && c.Main.Retry == nil {
			// After a HelloVerifyRequest, a Retry or a Version Negotiation the
			// handshake begins anew, and what was said before counts no more.
			c.Latest = c.begin()
			c.Main = c.Latest
		}
		if _, hello := b.(*handshake.ServerHello); hello {
			c.numbered[side].lost = false
		}
		x.handshake(c, m, b)
	default:
		x.web(c, m)
	}
}

// numbered are the records in clear of a side of DTLS since its ServerHello, by the numbers in them.
type numbered struct {
	next uint64
	lost bool // there are numbers between them that did not come, or not in their turn
}

func (n *numbered) take(number uint64) {
	n.lost = n.lost || number != n.next
	n.next = number + 1
}

// udpConnectionEvent tells that a connection over UDP began.
func (x *Explainer) udpConnectionEvent(c *conn, m *capture.Message) event.Event {
	e := x.event(c, m, event.KindConnection, "dtls-connection", "")
	e.Evidence = event.Clear
	e.Ends = c.ofEnds(event.BeginsOpened)
	e.Brief = words.Piece("brief/over-udp", "from", c.Conn.Client.String(), "to", c.Conn.Server.String())
	version, _, _ := strings.Cut(quic.VersionName(c.QUICVersion), " (")
	a := words.Args{"from": c.Conn.Client.String(), "to": c.Conn.Server.String(), "version": version}
	if c.Conn.Transport == capture.TransportQUIC {
		rename(&e, "quic-connection", "QUIC "+version)
		id := "connection-quic"
		switch v := c.QUICVersion; {
		case v == 0 && c.Conn.Continued:
			rename(&e, "quic-connection", "QUIC")
			id, e.Ends.Begins = "connection-quic-continued", event.BeginsContinued
		case v == 0 || quic.TLS(v):
		case quic.Google(v):
			id = "connection-quic-google"
		default:
			id = "connection-quic-unread"
		}
		e.Says = append(e.Says, words.Say(id, event.Clear, a))
	} else {
		e.Says = append(e.Says, words.Say("connection-dtls", event.Clear, a))
	}
	e.Steps = []event.StepMark{{Step: event.Step1, Verdict: event.Differently}}
	c.settled.add(event.Step1)
	return e
}

// quicPacket tells one packet of QUIC, or several that stay sealed.
func (x *Explainer) quicPacket(c *conn, m *capture.Message, b *capture.QUICPacket, side int) {
	if c.UDP == nil {
		c.UDP = &steps.UDPState{}
		for i := range c.UDP.Packets {
			c.UDP.Packets[i], c.UDP.Bytes[i], c.UDP.Unsealed[i] = map[quic.Type]int64{}, map[quic.Type]int64{}, map[quic.Type]int64{}
		}
	}
	c.UDP.Joined[side] += int64(b.Joined)
	c.UDP.JoinedIn[side] += int64(b.JoinedIn)
	switch {
	case b.Reason != "":
		x.quicSealed(c, m, b, side)
		return
	case b.Kind == quic.ZeroRTT, b.Kind == quic.Handshake, b.Kind == quic.OneRTT:
		x.quicOpened(c, m, b, side)
		return
	}
	u := c.UDP
	e := x.event(c, m, event.KindMessage, topicOf("quic-", b.Kind.String()), "QUIC "+b.Kind.String())
	e.Size = &event.Size{Bytes: b.Wire, Records: 1}
	e.Fields, e.QUIC = quicFields(b), quicPacket(b)
	a := x.args(c).With("sender", c.Side(side))
	switch b.Kind {
	case quic.VersionNegotiation:
		u.Negotiated = true
		e.Brief = words.Piece("brief/offers", "versions", versionWords(b.Versions))
		e.Says = append(e.Says, words.Say("quic-version-negotiation", e.Evidence, a.With("versions", versionWords(b.Versions))))
	case quic.Retry:
		e.Brief = words.Piece("brief/token", "n", strconv.Itoa(len(b.Token)))
		e.Says = append(e.Says, words.Say("quic-retry", e.Evidence, a.With("size", strconv.Itoa(len(b.Token)))))
		p := words.NewProof(words.ProofQUICRetry, event.NotCheckable, words.Piece("brief/client-s-first-initial"))
		if b.Checked {
			p.State, p.Reason = event.Proven, event.Text{}
			if !b.Good {
				p.State, p.Reason = event.Refuted, words.Piece("brief/tag-does-not-fit")
			}
		}
		c.Main.Prove(p)
		e.Proofs = append(e.Proofs, p)
		u.Retry = true
	case quic.Reset:
		e.Says = append(e.Says, words.Say("quic-reset", e.Evidence, a))
	case quic.Initial:
		e.Brief = words.Piece("brief/initial", "number", strconv.FormatUint(b.Number, 10), "count", words.Count(int(b.Wire), "byte"), "frames", frameWords(b.Frames))
		if !u.FirstOpened[side] {
			u.FirstOpened[side] = true
			id := [2]string{words.ProofQUICClient, words.ProofQUICServer}[side]
			p := words.NewProof(id, event.Proven, event.Text{}, field("connection ID", hex.EncodeToString(b.From)), field("version", quic.VersionName(b.Version)), field("packet number", strconv.FormatUint(b.Number, 10)))
			c.Main.Prove(p)
			e.Proofs = append(e.Proofs, p)
			e.Says = append(e.Says, words.Say([2]string{"quic-initial-client", "quic-initial-server"}[side], e.Evidence, a.With("id", hex.EncodeToString(b.From))))
		} else {
			e.Says = append(e.Says, words.Say("quic-initial-more", e.Evidence, a))
		}
		if len(b.Token) > 0 && side == 0 {
			id := "quic-token-earlier"
			if u.Retry {
				id = "quic-token"
			} else {
				u.Token = true
			}
			e.Says = append(e.Says, words.Say(id, e.Evidence, a.With("size", strconv.Itoa(len(b.Token)))))
		}
		if b.Broken {
			e.Says = append(e.Says, words.Say("quic-frames-broken", e.Evidence, a))
		}
		for _, f := range b.Frames {
			if f.Type != quic.FrameClose && f.Type != quic.FrameCloseApp {
				continue
			}
			cause := c.closeWords(f)
			e.Brief = words.Piece("brief/close", "brief", e.Brief, "cause", cause)
			e.Says = append(e.Says, words.Say("quic-close", e.Evidence, a.With("cause", cause)))
			if c.Main.ServerHello == nil && f.Code != 0 {
				c.fail(c.Failed(event.Step1, "step-1-failed-udp", words.Piece("cause/closed-with", "sender", c.Side(side), "cause", cause), proof.Place{First: m.First, Last: m.Last}))
			}
		}
	}
	x.emit(c, e)
}

// quicOpened tells a packet that was opened with a secret of TLS: the first of its kind, and
// those that do more than carry data and acknowledge. The others are counted.
func (x *Explainer) quicOpened(c *conn, m *capture.Message, b *capture.QUICPacket, side int) {
	u := c.UDP
	u.Unsealed[side][b.Kind]++
	if !x.Packets && u.Unsealed[side][b.Kind] > 1 && !b.Updated && !b.Broken && !slices.ContainsFunc(b.Frames, isTold) {
		return // as most are
	}
	e := x.event(c, m, event.KindMessage, topicOf("quic-", b.Kind.String()), "QUIC "+b.Kind.String())
	a := x.args(c).With("sender", c.Side(side))
	say := func(id string, a steps.Values) { e.Says = append(e.Says, words.Say(id, e.Evidence, a)) }
	if u.Unsealed[side][b.Kind] == 1 {
		say(map[quic.Type]string{quic.ZeroRTT: "quic-0rtt-opened", quic.Handshake: "quic-handshake-opened", quic.OneRTT: "quic-1rtt-opened"}[b.Kind], a)
	}
	if b.Updated {
		c.Sides[side].Updates = b.Updates
		say("quic-key-update", a.With("n", strconv.Itoa(b.Updates)))
	}
	ids := 0
	for _, f := range b.Frames {
		switch f.Type {
		case quic.FrameNewID:
			if ids++; ids == 1 {
				say("quic-new-id", a)
			}
		case quic.FrameNewToken:
			say("quic-new-token", a.With("size", strconv.Itoa(f.Len)))
		case quic.FramePathChallenge:
			say("quic-path-challenge", a)
		case quic.FramePathResponse:
			say("quic-path-response", a)
		case quic.FrameHandshakeDone:
			if !u.Done {
				u.Done = true
				say("quic-handshake-done", a)
			}
		case quic.FrameClose, quic.FrameCloseApp:
			if !u.Closing[side] {
				u.Closing[side] = true
				say("quic-close-sealed", a.With("cause", c.closeWords(f)))
				x.quicClosed(c, m, f, side)
			}
		}
	}
	if n := len(b.Frames); b.Broken && n > 0 && quic.FrameName(b.Frames[n-1].Type) == "" {
		say("quic-frame-unknown", a.With("type", fmt.Sprintf("%#x", b.Frames[n-1].Type)))
	} else if b.Broken {
		say("quic-frame-broken", a)
	}
	if len(e.Says) == 0 && !x.Packets {
		return
	}
	e.Size = &event.Size{Bytes: b.Wire, Records: 1}
	e.Brief = words.Piece("brief/initial", "number", strconv.FormatUint(b.Number, 10), "count", words.Count(int(b.Wire), "byte"), "frames", frameWords(b.Frames))
	e.Fields, e.QUIC = quicFields(b), quicPacket(b)
	x.emit(c, e)
}

// isTold tells whether a frame is told of where packets are not.
func isTold(f quic.Frame) bool {
	switch f.Type {
	case quic.FrameNewID, quic.FrameNewToken, quic.FramePathChallenge, quic.FramePathResponse, quic.FrameHandshakeDone, quic.FrameClose, quic.FrameCloseApp:
		return true
	}
	return false
}

// quicCounted tells, where a connection is over, what its packets came to.
func (x *Explainer) quicCounted(c *conn, m *capture.Message) {
	says := c.Counted()
	if len(says) == 0 {
		return
	}
	e := x.event(c, m, event.KindClosed, "quic-packets", "")
	e.Evidence = event.Recomputed
	e.Says = says
	x.emit(c, e)
}

// quicClosed takes in that a side closes the connection, in a packet that only the two ends could make.
func (x *Explainer) quicClosed(c *conn, m *capture.Message, f quic.Frame, side int) {
	at := proof.Place{First: m.First, Last: m.Last}
	if c.Closer == 0 {
		c.Closer, c.Last = 1+side, at
	}
	if f.Type != quic.FrameClose || f.Code>>8 != 1 || c.Through() {
		return
	}
	al := steps.Alert{Side: side, Level: 2, Desc: uint8(f.Code), Protected: true, At: at}
	c.Alerts = append(c.Alerts, al)
	c.fail(c.FailByAlert(al))
	if c.Failure != nil {
		c.Failure.Protected = true
	}
}

// quicSealed tells packets that stay sealed.
func (x *Explainer) quicSealed(c *conn, m *capture.Message, b *capture.QUICPacket, side int) {
	u, h := c.UDP, c.Main
	w := proof.Place{First: m.First, Last: m.Last}
	u.Packets[side][b.Kind] += int64(b.Packets)
	u.Bytes[side][b.Kind] += b.Wire
	what := words.Count(b.Packets, "packet")
	if b.Kind == quic.Initial {
		what = words.Count(b.Packets, "Initial packet")
	}
	e := x.event(c, m, event.KindMessage, topicOf("quic-", b.Kind.String()), "QUIC "+b.Kind.String())
	e.Size = &event.Size{Bytes: b.Wire, Records: b.Packets, Reason: b.Reason}
	e.Brief = words.Piece("brief/packets-sealed", "count", words.Count(b.Packets, "packet"), "bytes", strconv.Itoa(int(b.Wire)))
	reason := words.Phrase(words.Sealed, b.Reason, "")
	if b.Reason == capture.SealedBadTag {
		reason = words.Piece("brief/does-not-fit-keys")
	}
	e.Fields, e.QUIC = quicFields(b), quicPacket(b)
	a := x.args(c).With("sender", c.Side(side), "count", what, "bytes", strconv.FormatInt(b.Wire, 10), "reason", reason, "version", quic.VersionName(b.Version))
	var id string
	switch b.Kind {
	case quic.Handshake:
		id = [2]string{"quic-handshake-client", "quic-handshake-server"}[side]
	case quic.OneRTT:
		id = "quic-1rtt"
		u.At[side] = steps.Joined(u.At[side], w)
	case quic.ZeroRTT:
		id = "quic-0rtt"
	case quic.Initial:
		id = "quic-initial-sealed"
	case quic.Other:
		e.Brief = words.Piece("brief/packets-of", "count", words.Count(b.Packets, "packet"), "bytes", strconv.Itoa(int(b.Wire)), "version", quic.VersionName(b.Version))
		id = "quic-other"
	default:
		rename(&e, "quic", "QUIC")
		e.Brief = words.Piece("brief/no-packet", "bytes", strconv.Itoa(int(b.Wire)))
		id = "quic-rest"
	}
	e.Says = append(e.Says, words.Say(id, e.Evidence, a))
	switch b.Kind {
	case quic.Handshake, quic.OneRTT:
		c.Sides[side].Dark += int64(b.Packets)
		c.Sides[side].Why = words.Phrase(words.Sealed, b.Reason, "")
		c.Sides[side].DarkAt = steps.Joined(c.Sides[side].DarkAt, w)
		if !h.Switched && side == 1 && h.ServerHello != nil {
			h.Switch(w)
			x.mark(c, &e, event.Step6b)
		}
		if b.Kind == quic.Handshake { // behind it only such messages come that no Finished is over (RFC 9001 4.1.3)
			h.Incomplete(words.Piece("broken/behind-hellos", "reason", words.Phrase(words.Sealed, b.Reason, "")))
		}
	}
	x.emit(c, e)
	if side == 1 || c.Sides[1].Dark > 0 {
		x.sealedSteps(c)
	}
}

// maxFrames bounds the frames of one packet that are told.
const maxFrames = 256

// quicPacket is a packet as programs read it.
func quicPacket(b *capture.QUICPacket) *event.QUIC {
	q := &event.QUIC{Type: b.Kind.String(), Token: len(b.Token), Number: b.Number, KeyPhase: b.Updates, Broken: b.Broken}
	if b.Version != 0 {
		q.Version = fmt.Sprintf("%08x", b.Version)
	}
	for _, id := range []struct {
		to *(*string)
		of []byte
	}{{&q.To, b.DCID}, {&q.By, b.SCID}} {
		if id.of != nil {
			text := hex.EncodeToString(id.of)
			*id.to = &text
		}
	}
	for _, v := range b.Versions[:min(len(b.Versions), 16)] {
		q.Versions = append(q.Versions, fmt.Sprintf("%08x", v))
	}
	if b.Reason != "" {
		return q // what is inside is not known
	}
	q.Cut = max(0, len(b.Frames)-maxFrames)
	for _, f := range b.Frames[:len(b.Frames)-q.Cut] {
		out := event.QUICFrame{
			Type: quic.FrameName(f.Type), More: f.More, Stream: f.Stream, Offset: f.Offset, Length: f.Len, Fin: f.Fin, Number: f.Number,
			Ranges: slices.Clone(f.Ranges), Prior: f.Prior, Code: f.Code,
		}
		switch f.Type {
		case quic.FrameNewID:
			out.ID = hex.EncodeToString(f.Data)
		case quic.FrameMaxStreamsUni, quic.FrameStreamsBlockedUni:
			out.Uni = true
		case quic.FrameClose, quic.FrameCloseApp:
			out.App, out.Reason = f.Type == quic.FrameCloseApp, clip(string(f.Data))
		}
		if out.Type == "" {
			out.Type = fmt.Sprintf("%#x", f.Type)
		}
		q.Frames = append(q.Frames, out)
	}
	return q
}

// quicFields are the fields of a packet's header.
func quicFields(b *capture.QUICPacket) []event.Field {
	var out []event.Field
	if b.Version != 0 {
		out = append(out, field("version", fmt.Sprintf("%08x (%s)", b.Version, quic.VersionName(b.Version))))
	}
	if b.DCID != nil {
		out = append(out, event.Field{Name: words.FieldName("destination connection ID"), Value: bytesWords(b.DCID), Note: words.Piece("note/receiver-address")})
	}
	if b.SCID != nil {
		out = append(out, event.Field{Name: words.FieldName("source connection ID"), Value: bytesWords(b.SCID), Note: words.Piece("note/sender-address")})
	}
	if len(b.Token) > 0 {
		out = append(out, fieldOf("token", hexLen(b.Token)))
	}
	switch b.Kind {
	case quic.Initial, quic.ZeroRTT, quic.Handshake, quic.OneRTT:
		if b.Reason != "" {
			break
		}
		out = append(out, field("packet number", strconv.FormatUint(b.Number, 10)), fieldOf("frames", frameWords(b.Frames)))
	}
	if len(b.Versions) > 0 {
		out = append(out, fieldOf("versions", versionWords(b.Versions)))
	}
	return out
}

func versionWords(versions []uint32) event.Text {
	var out []event.Text
	for i, v := range versions {
		if i == 16 {
			out = append(out, words.Piece("value/more", "n", strconv.Itoa(len(versions)-i)))
			break
		}
		out = append(out, event.Plain(quic.VersionName(v)))
	}
	return words.List(",", out...)
}

// frameWords lists the frames of a packet.
func frameWords(frames []quic.Frame) event.Text {
	var out []event.Text
	for i := 0; i < len(frames); i++ {
		f := frames[i]
		if len(out) == 16 {
			out = append(out, words.Piece("value/more", "n", strconv.Itoa(len(frames)-i)))
			break
		}
		for f.Type == quic.FrameNewID || f.Type == quic.FrameRetireID {
			if i+1 == len(frames) || frames[i+1].Type != f.Type {
				break
			}
			f.More++
			i++
		}
		name := quic.FrameName(f.Type)
		from, to := strconv.FormatUint(f.Offset, 10), strconv.FormatUint(f.Offset+uint64(f.Len), 10)
		switch {
		case f.Type == quic.FrameCrypto:
			out = append(out, words.Piece("value/crypto-frame", "from", from, "to", to))
		case f.Type == quic.FrameStream && f.Fin:
			out = append(out, words.Piece("value/stream-frame-end", "stream", strconv.FormatUint(f.Stream, 10), "from", from, "to", to))
		case f.Type == quic.FrameStream:
			out = append(out, words.Piece("value/stream-frame", "stream", strconv.FormatUint(f.Stream, 10), "from", from, "to", to))
		case name == "":
			out = append(out, words.Piece("value/unknown-frame", "type", fmt.Sprintf("%#x", f.Type)))
		case f.More > 0:
			out = append(out, words.Piece("value/frames-alike", "n", strconv.Itoa(f.More+1), "name", name))
		default:
			out = append(out, event.Plain(name))
		}
	}
	if len(out) == 0 {
		return event.Plain("PADDING")
	}
	return words.List(",", out...)
}

// closeCodes are the error codes of QUIC itself (RFC 9000 20.1).
var closeCodes = map[uint64]string{
	0x00: "NO_ERROR", 0x01: "INTERNAL_ERROR", 0x02: "CONNECTION_REFUSED", 0x03: "FLOW_CONTROL_ERROR", 0x04: "STREAM_LIMIT_ERROR",
	0x05: "STREAM_STATE_ERROR", 0x06: "FINAL_SIZE_ERROR", 0x07: "FRAME_ENCODING_ERROR", 0x08: "TRANSPORT_PARAMETER_ERROR",
	0x09: "CONNECTION_ID_LIMIT_ERROR", 0x0a: "PROTOCOL_VIOLATION", 0x0b: "INVALID_TOKEN", 0x0c: "APPLICATION_ERROR",
	0x0d: "CRYPTO_BUFFER_EXCEEDED", 0x0e: "KEY_UPDATE_ERROR", 0x0f: "AEAD_LIMIT_REACHED", 0x10: "NO_VIABLE_PATH",
	0x11: "VERSION_NEGOTIATION_ERROR",
}

// http3Codes are the error codes of HTTP/3 (RFC 9114 8.1, RFC 9204 6).
var http3Codes = map[uint64]string{
	0x100: "H3_NO_ERROR", 0x101: "H3_GENERAL_PROTOCOL_ERROR", 0x102: "H3_INTERNAL_ERROR", 0x103: "H3_STREAM_CREATION_ERROR",
	0x104: "H3_CLOSED_CRITICAL_STREAM", 0x105: "H3_FRAME_UNEXPECTED", 0x106: "H3_FRAME_ERROR", 0x107: "H3_EXCESSIVE_LOAD",
	0x108: "H3_ID_ERROR", 0x109: "H3_SETTINGS_ERROR", 0x10a: "H3_MISSING_SETTINGS", 0x10b: "H3_REQUEST_REJECTED",
	0x10c: "H3_REQUEST_CANCELLED", 0x10d: "H3_REQUEST_INCOMPLETE", 0x10e: "H3_MESSAGE_ERROR", 0x10f: "H3_CONNECT_ERROR",
	0x110: "H3_VERSION_FALLBACK", 0x200: "QPACK_DECOMPRESSION_FAILED", 0x201: "QPACK_ENCODER_STREAM_ERROR", 0x202: "QPACK_DECODER_STREAM_ERROR",
}

// closeWords is a CONNECTION_CLOSE in words.
func (c *conn) closeWords(f quic.Frame) event.Text {
	app := f.Type == quic.FrameCloseApp
	code, ok := closeCodes[f.Code]
	if app {
		code, ok = "", false
		if strings.HasPrefix(c.alpn, "h3") {
			code, ok = http3Codes[f.Code]
		}
	}
	text := event.Plain(code)
	switch {
	case ok:
	case app:
		text = words.Piece("value/application-code", "code", fmt.Sprintf("%#x", f.Code))
	case f.Code>>8 == 1:
		text = words.Piece("value/tls-alert", "alert", handshake.AlertName(uint8(f.Code)), "number", strconv.FormatUint(f.Code&0xff, 10))
	default:
		text = words.Piece("value/error-code", "code", fmt.Sprintf("%#x", f.Code))
	}
	if len(f.Data) > 0 {
		text = words.Piece("label/with-reason", "text", text, "reason", strconv.Quote(clip(string(f.Data))))
	}
	return text
}

// parameterNotes are what the transport parameters mean, with their units (RFC 9000 18.2).
var parameterNotes = map[uint64]string{
	0x00:       "quic-original-destination",
	0x01:       "quic-idle-timeout",
	0x02:       "quic-reset-token",
	0x03:       "quic-udp-payload",
	0x04:       "quic-max-data",
	0x05:       "quic-stream-data-local",
	0x06:       "quic-stream-data-remote",
	0x07:       "quic-stream-data-uni",
	0x08:       "quic-streams-bidi",
	0x09:       "quic-streams-uni",
	0x0a:       "quic-ack-delay-exponent",
	0x0b:       "quic-ack-delay",
	0x0c:       "quic-no-migration",
	0x0d:       "quic-preferred-address",
	0x0e:       "quic-id-limit",
	0x0f:       "quic-initial-source",
	0x10:       "quic-retry-source",
	0x20:       "quic-datagram-size",
	0x2ab2:     "quic-grease-bit",
	0xff04de1b: "quic-min-ack-delay",
}

// transportParameters are the fields of the extension of the same name (RFC 9000 18.2).
func transportParameters(data []byte) []event.Field {
	list, ok := quic.Parameters(data)
	var out []event.Field
	reserved := 0
	for i, p := range list {
		if i == maxExtensions {
			out = append(out, field("more transport parameters", strconv.Itoa(len(list)-i)))
			break
		}
		if p.Reserved() {
			reserved++
			continue
		}
		name := quic.ParameterName(p.ID)
		if name == "" {
			name = fmt.Sprintf("%#x", p.ID)
		}
		value := bytesWords(p.Value)
		if quic.NumberParameter(p.ID) {
			if n, ok := p.Number(); ok {
				value = event.Plain(strconv.FormatUint(n, 10))
			}
		}
		note := event.Text{}
		if id := parameterNotes[p.ID]; id != "" {
			note = words.Named("note", id)
		}
		if p.ID == 0x11 {
			if len(p.Value) >= 4 && len(p.Value)%4 == 0 {
				var versions []uint32
				for v := p.Value; len(v) > 0; v = v[4:] {
					versions = append(versions, uint32(v[0])<<24|uint32(v[1])<<16|uint32(v[2])<<8|uint32(v[3]))
				}
				value = versionWords(versions)
				note = words.Piece("note/version-information")
			}
		}
		out = append(out, event.Field{Name: event.Plain("  " + name), Value: value, Note: note})
	}
	if reserved > 0 {
		out = append(out, event.Field{Name: words.FieldName("  reserved parameters"), Value: event.Plain(strconv.Itoa(reserved)), Note: words.Piece("note/reserved-parameters")})
	}
	if !ok {
		out = append(out, event.Field{Name: words.FieldName("  transport parameters"), Value: event.Text{}, Note: words.Piece("note/malformed-from-here")})
	}
	return out
}
