package capture

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"

	"explainer/capture/handshake"
	"explainer/capture/quic"
	"explainer/capture/web"
)

// Bounds of what is kept of one connection of QUIC.
const (
	maxStreams     = 4096    // streams of a direction that are read at once
	maxStreamAhead = 1 << 20 // bytes of a stream that came ahead of missing ones
	heldOverhead   = 512     // what a packet that waits counts beside its bytes
)

// A heldPacket is a packet of QUIC that waits for a secret, or comes behind one that does. Of
// DTLS it is what a datagram holds from the first such record on, without p.
type heldPacket struct {
	side Side
	in   Datagram // without its data
	b    []byte   // the packet and what follows it in its datagram up to the next
	p    quic.Packet
}

// levels13 are the kinds of packets that the secrets of TLS protect (RFC 9001 5).
var levels13 = map[quic.Type]stage{quic.ZeroRTT: stageEarly, quic.Handshake: stageHandshake, quic.OneRTT: stageApplication}

// packets takes in the packets that a datagram was split into.
func (u *udpConn) packets(s *udpSide, in *Datagram, data []byte, packets []quic.Packet) {
	for i := range packets {
		p := &packets[i]
		n := p.Len + p.Padding
		b := data[:n]
		data = data[n:]
		if len(u.queue) == 0 && u.packet(s, in, b, p) {
			continue
		}
		held := *p
		held.DCID, held.SCID, held.Token = bytes.Clone(p.DCID), bytes.Clone(p.SCID), bytes.Clone(p.Token)
		u.hold(s, in, b, held)
		if p.Type == quic.Initial && s.side == Client {
			u.scout()
		}
		u.bound()
	}
}

// hold keeps what has to wait.
func (u *udpConn) hold(s *udpSide, in *Datagram, b []byte, p quic.Packet) {
	h := heldPacket{side: s.side, in: *in, b: bytes.Clone(b), p: p}
	h.in.Data = nil
	u.queue = append(u.queue, h)
	u.queued += int64(len(b)) + heldOverhead
	u.d.udpQueued += int64(len(b)) + heldOverhead
}

// bound lets nothing wait any longer once there is too much of it.
func (u *udpConn) bound() {
	if u.queued > maxWaiting || u.d.udpQueued > maxWaitingTotal {
		u.force(SealedTooMany)
	}
}

// take takes up what waits longest. It tells false where it has to go on waiting.
func (u *udpConn) take(h *heldPacket) bool {
	s := &u.sides[h.side]
	if u.pub.Transport == TransportQUIC {
		return u.packet(s, &h.in, h.b, &h.p)
	}
	left := u.records(s, &h.in, h.b)
	told := int64(len(h.b) - len(left))
	h.b = left
	u.queued -= told
	u.d.udpQueued -= told
	return len(left) == 0
}

// drain takes up the packets that wait, as far as none has to wait any longer.
func (u *udpConn) drain() {
	for len(u.queue) > 0 {
		h := &u.queue[0]
		if !u.take(h) {
			return
		}
		n := int64(len(h.b)) + heldOverhead
		u.queued -= n
		u.d.udpQueued -= n
		*h = heldPacket{}
		u.queue = u.queue[1:]
	}
	u.queue = nil
}

// force takes up what waits without what it waits for.
func (u *udpConn) force(why string) {
	u.forced = cmp.Or(u.forced, why)
	u.drain()
}

// scout looks for the ClientHello in what waits: its random names the secrets that may be
// there, and what waits may be data that a client sent before its hello was whole.
func (u *udpConn) scout() {
	if u.entry != nil {
		return
	}
	s := &u.sides[Client]
	crypto := pieces{slices.Clone(s.crypto[stageClear].list)}
	for i := range u.queue {
		if h := &u.queue[i]; h.side == Client && h.p.Opened {
			for _, f := range h.p.Frames {
				if f.Type == quic.FrameCrypto {
					crypto.add(f.Offset, f.Data, Span{}, 0, 0, maxCrypto)
				}
			}
		}
	}
	if head, _, _, _, _ := crypto.take(0, 38); head != nil && handshake.Type(head[0]) == handshake.TypeClientHello && s.told[stageClear] == 0 {
		u.tie([32]byte(head[6:]))
		u.drain()
	}
}

// tie gives the connection the secrets of a client random.
func (u *udpConn) tie(random [32]byte) {
	if u.entry != nil && u.entry.random == random {
		return
	}
	if u.entry != nil {
		u.quic.Forget() // the client begins anew
		for i := range u.sides {
			u.sides[i].finished = false
		}
	}
	u.entry = u.d.secrets.use(u, random)
	u.learn(u.entry)
}

// learn hands the secrets that are known of a client random to what opens packets.
func (u *udpConn) learn(e *entry) {
	if u.pub.Transport != TransportQUIC {
		return
	}
	for side := range labels13 {
		for kind, stage := range levels13 {
			for _, secret := range e.values[labels13[side][stage]] {
				u.quic.Learn(side, kind, secret)
			}
		}
	}
}

// learnLine does so for one that has come.
func (u *udpConn) learnLine(label string, secret []byte) {
	for side := range labels13 {
		for kind, stage := range levels13 {
			if labels13[side][stage] == label {
				u.quic.Learn(side, kind, secret)
			}
		}
	}
}

// packet tells one packet, of which b are the bytes. It tells false where the packet has to
// wait for a secret.
func (u *udpConn) packet(s *udpSide, in *Datagram, b []byte, p *quic.Packet) bool {
	stage, protected := levels13[p.Type]
	if !protected {
		u.tellPacket(s, in, b, p, "", nil)
		return true
	}
	known, later := u.quic.Knows(int(s.side), p.Type)
	if !known && !later && u.forced == "" && !u.unread() && !u.d.SecretsFirst && u.quic.Openable() {
		return false
	}
	if !known && p.Type == quic.Handshake && u.findInner(s.side, stageHandshake, func(secret []byte) bool { return u.quic.Fits(int(s.side), b, p, secret) }) {
		known = true
	}
	if !u.quic.Open(int(s.side), b, p) {
		u.tellPacket(s, in, b, p, u.whySealed(p, known), nil)
		return true
	}
	label := labels13[s.side][stage]
	if u.entry != nil && u.by[s.side][stage] == nil {
		u.by[s.side][stage] = p.Secret
		if contains(u.entry.values[label], p.Secret) {
			u.d.keyed(u, u.entry, label, p.Secret) // of several, the one that fits
		}
	}
	rest := b[p.Len+p.Padding:]
	u.tellPacket(s, in, b, p, "", &label)
	for len(rest) > 0 { // it was several datagrams in one
		again := u.quic.Again(int(s.side), rest)
		again[0].Joined = true
		for i := range again {
			q := &again[i]
			n := q.Len + q.Padding
			if !u.packet(s, in, rest[:n], q) { // never: what opened the first opens this one, or nothing does
				u.tellPacket(s, in, rest[:n], q, u.noKey(), nil)
			}
			rest = rest[n:]
		}
	}
	return true
}

// unread tells that the packets of the version that was told last cannot be read.
func (u *udpConn) unread() bool { return u.version != 0 && !quic.TLS(u.version) }

func (u *udpConn) noKey() string { return cmp.Or(u.forced, SealedNoKey) }

// whySealed is why a packet that secrets of TLS protect stays sealed.
func (u *udpConn) whySealed(p *quic.Packet, known bool) string {
	switch {
	case p.Type == quic.Reset:
		return ""
	case p.Lacking > 0:
		return SealedCut
	case u.unread():
		return SealedNoSuite
	case u.entry == nil:
		return SealedPhase // the ClientHello is not in the capture
	case !u.quic.Openable():
		return SealedNoSuite
	case known:
		return SealedBadTag
	case p.Type == quic.ZeroRTT && u.neg != nil && u.neg.extended && !u.tookEarly:
		return SealedEarly
	}
	return u.noKey()
}

// tellPacket tells one packet, and what is in it if it was opened. by names the secret.
func (u *udpConn) tellPacket(s *udpSide, in *Datagram, b []byte, p *quic.Packet, reason string, by *string) {
	u.onPath(s, in)
	n := p.Len + p.Padding
	switch {
	case by != nil, p.Opened, reason != "", p.Type == quic.Retry, p.Type == quic.VersionNegotiation, p.Type == quic.Reset:
	case p.Type == quic.Initial && p.Cut > 0:
		reason = SealedCut
	case p.Type == quic.Other, p.Type == quic.Rest:
		reason = SealedNoSuite
	case p.Type == quic.Initial && p.Keyless:
		reason = SealedInitial
	default:
		reason = SealedBadTag
	}
	joined, joinedIn := 0, 0
	if p.Joined {
		s.joined++
		joined = 1
		if in.Packet != s.joinedAt {
			s.joinedAt, joinedIn = in.Packet, 1
		}
	}
	if reason != "" {
		if run, ok := s.runBody().(*QUICPacket); !ok || run.Kind != p.Type || run.Reason != reason || run.Version != p.Version {
			u.start(s, in, &QUICPacket{Kind: p.Type, Version: p.Version, Reason: reason, DCID: bytes.Clone(p.DCID), SCID: bytes.Clone(p.SCID)})
		}
		run := s.run.Body.(*QUICPacket)
		run.Packets++
		run.Wire += int64(n + p.Lacking)
		run.Joined += joined
		run.JoinedIn += joinedIn
		u.extend(s, in, n)
		return
	}
	body := next(&u.d.packets)
	*body = QUICPacket{
		Kind: p.Type, Version: p.Version, Packets: 1, Wire: int64(n + p.Lacking),
		DCID: bytes.Clone(p.DCID), SCID: bytes.Clone(p.SCID), Token: bytes.Clone(p.Token), Versions: p.Versions,
		From: p.From, Number: p.Number, Frames: p.Frames, Broken: p.Broken, Checked: p.Checked, Good: p.Good,
		Updates: p.Updates, Updated: p.Updated, Joined: joined, JoinedIn: joinedIn,
	}
	if by != nil {
		body.Frames = u.d.heldFrames(p.Frames)
	}
	m := u.tell(s, in, n, body)
	if m.Opened = p.Opened; !p.Opened {
		return
	}
	m.By = ByInitial
	level := stageClear
	if by != nil {
		m.By, level = *by, levels13[p.Type]
	}
	where := *m
	where.Inner, where.Body = true, nil
	if p.Fresh { // after a Retry or a Version Negotiation, all begins again
		for i := range u.sides {
			t := &u.sides[i]
			u.d.udpHeld -= int64(t.crypto[stageClear].size())
			t.crypto[stageClear], t.told[stageClear], t.bad = pieces{}, 0, false
		}
	}
	u.frames(s, in, b, p, &where, level)
}

// heldFrames are the frames of a packet without what they carry for others, so that they stay valid.
func (d *Decoder) heldFrames(frames []quic.Frame) []quic.Frame {
	n := len(frames)
	if n == 0 {
		return nil
	}
	if len(d.frames) < n {
		d.frames = make([]quic.Frame, max(64, n))
	}
	out := d.frames[:n:n]
	d.frames = d.frames[n:]
	copy(out, frames)
	for i := range out {
		f := &out[i]
		switch f.Type {
		case quic.FrameStream, quic.FrameCrypto, quic.FrameDatagram:
			f.Data = nil
		default:
			f.Data = bytes.Clone(f.Data)
		}
		f.Reset = bytes.Clone(f.Reset)
	}
	return out
}

// frames takes in what the frames of a packet carry. where is the packet's message.
func (u *udpConn) frames(s *udpSide, in *Datagram, b []byte, p *quic.Packet, where *Message, level stage) {
	if level == stageEarly || level == stageApplication {
		data := 0
		for i := range p.Frames {
			if f := &p.Frames[i]; f.Type == quic.FrameStream || f.Type == quic.FrameDatagram {
				data += f.Len
			}
		}
		if data > 0 {
			m := *where
			a := u.d.newAppData()
			*a = AppData{Len: data, Wire: p.Len, Early: level == stageEarly}
			a.Begins = copy(a.Sealed[:], b[min(p.Head, len(b)):])
			m.Body = a
			u.d.messages = append(u.d.messages, m)
		}
	}
	crypto := false
	for i := range p.Frames {
		f := &p.Frames[i]
		switch f.Type {
		case quic.FrameCrypto:
			if s.bad || u.d.udpHeld+int64(len(f.Data)) > maxUDPHeld {
				continue
			}
			off, data := f.Offset, f.Data
			if told := s.told[level]; off < told { // repeated
				skip := min(told-off, uint64(len(data)))
				off, data = off+skip, data[skip:]
			}
			if off <= maxCryptoEnd {
				u.d.udpHeld += int64(s.crypto[level].add(off, data, where.Span, in.Packet, in.Time, s.told[level]+maxCrypto))
			}
			crypto = true
		case quic.FrameStream:
			u.stream(s, f, where)
		case quic.FrameResetStream, quic.FrameResetStreamAt:
			u.resetStream(s, f, where)
		case quic.FrameDatagram:
			u.httpDatagram(s, f, where)
		}
	}
	if crypto {
		u.cryptoMessages()
	}
}

// A quicStream is one direction of a stream (RFC 9000 2).
type quicStream struct {
	next   uint64 // how much of it was handed on
	end    uint64 // its length, if it is ended
	ended  bool
	far    uint64 // where the last byte that came ends
	pieces pieces // what came ahead of what is missing
}

// quicStreams are the streams of a direction.
type quicStreams struct {
	open map[uint64]*quicStream
	over [4]doneStreams // by type (RFC 9000 2.1)
}

// doneStreams are the streams of one type that are over: those below a number, and some more.
type doneStreams struct {
	below uint64
	more  map[uint64]bool
}

func (d *doneStreams) has(n uint64) bool { return n < d.below || d.more[n] }

func (d *doneStreams) add(n uint64) {
	if n > d.below && len(d.more) < maxStreams {
		if d.more == nil {
			d.more = map[uint64]bool{}
		}
		d.more[n] = true
		return
	}
	if n > d.below { // what is below is given up
		clear(d.more)
	}
	for d.below = n + 1; d.more[d.below]; d.below++ {
		delete(d.more, d.below)
	}
}

// of returns a stream that is read, nil if it is over or there are too many.
func (q *quicStreams) of(id uint64) *quicStream {
	st := q.open[id]
	if st != nil || q.over[id&3].has(id>>2) || len(q.open) == maxStreams {
		return st
	}
	if q.open == nil {
		q.open = map[uint64]*quicStream{}
	}
	st = new(quicStream)
	q.open[id] = st
	return st
}

// finish forgets a stream that is over.
func (u *udpConn) finish(s *udpSide, id uint64, st *quicStream) {
	u.d.udpHeld -= int64(st.pieces.size())
	delete(s.streams.open, id)
	s.streams.over[id&3].add(id >> 2)
}

// stream hands on the data of a STREAM frame, and what had waited for it.
func (u *udpConn) stream(s *udpSide, f *quic.Frame, where *Message) {
	st := s.streams.of(f.Stream)
	if st == nil {
		return
	}
	end := f.Offset + uint64(len(f.Data))
	st.far = max(st.far, end)
	if f.Fin {
		st.end, st.ended = end, true
	}
	mark := markOf(where)
	switch {
	case f.Offset > st.next:
		room := min(st.next+maxStreamAhead, f.Offset+uint64(maxUDPHeld-min(u.d.udpHeld, maxUDPHeld)))
		u.d.udpHeld += int64(st.pieces.add(f.Offset, f.Data, where.Span, where.First, where.Time, room))
		if u.h3 != nil {
			u.h3.Ahead(int(s.side), f.Stream, st.far-st.next)
		}
		return
	case end > st.next || f.Fin && end == st.next:
		data := f.Data[st.next-f.Offset:]
		st.next = end
		u.data(s, f.Stream, data, st.ended && st.next == st.end, mark, where.By)
	}
	for len(st.pieces.list) > 0 && st.pieces.list[0].off <= st.next {
		piece := st.pieces.list[0]
		u.d.udpHeld -= int64(len(piece.data))
		st.pieces.list = slices.Delete(st.pieces.list, 0, 1)
		if piece.end() <= st.next {
			continue
		}
		data := piece.data[st.next-piece.off:]
		st.next = piece.end()
		mark.Start, mark.End, mark.First, mark.Last = piece.span.Start, piece.span.End, piece.packet, piece.packet
		u.data(s, f.Stream, data, st.ended && st.next == st.end, mark, where.By)
	}
	if st.ended && st.next >= st.end {
		u.finish(s, f.Stream, st)
	}
}

// resetStream takes in that a stream is given up by its sender.
func (u *udpConn) resetStream(s *udpSide, f *quic.Frame, where *Message) {
	st := s.streams.of(f.Stream)
	if st == nil {
		return
	}
	u.finish(s, f.Stream, st)
	if h := u.readsHTTP3(); h != nil {
		u.items(h.Reset(int(s.side), f.Stream, f.Code, markOf(where)), where.By)
	}
}

// data takes the next bytes of a stream.
func (u *udpConn) data(s *udpSide, stream uint64, data []byte, fin bool, mark web.Mark, by string) {
	if h := u.readsHTTP3(); h != nil {
		u.items(h.Feed(int(s.side), stream, data, fin, mark), by)
	}
}

func markOf(m *Message) web.Mark {
	return web.Mark{Start: m.Span.Start, End: m.Span.End, First: m.First, Last: m.Last, Time: m.Time}
}

// readsHTTP3 is what reads the streams, nil where HTTP/3 is not what they carry. Before the
// server has said which protocol it is, early data is in that of an earlier connection, and
// the hello must offer it again (RFC 8446 4.2.10).
func (u *udpConn) readsHTTP3() *web.H3 {
	if u.h3 == nil && u.neg != nil {
		protocols := []string{u.neg.alpn}
		if !u.neg.extended && u.neg.hello != nil {
			protocols = u.neg.hello.ALPN()
		}
		if slices.ContainsFunc(protocols, func(p string) bool { return p == "h3" || strings.HasPrefix(p, "h3-") }) {
			u.h3 = web.NewH3()
		}
	}
	return u.h3
}

// items tells what was read of HTTP/3. by is the label of the secret in hand.
func (u *udpConn) items(items []web.Item, by string) {
	for i := range items {
		it := &items[i]
		u.d.messages = append(u.d.messages, Message{
			Conn: u.pub, Side: Side(it.From & 1), Time: it.Last.Time, Span: Span{it.First.Start, it.Last.End}, First: it.First.First, Last: it.Last.Last,
			Inner: true, Opened: true, By: by, Body: it.Body,
		})
	}
}

// rejectEarly forgets the streams of early data that the server did not take: what is in them
// is sent anew (RFC 9001 4.6.2).
func (u *udpConn) rejectEarly() {
	if u.by[Client][stageEarly] == nil {
		return
	}
	s := &u.sides[Client]
	u.endStreams(s.time, labels13[Client][stageEarly])
	s.streams = quicStreams{}
}

// endStreams tells what of the streams is not complete, and what of them is missing: bytes
// behind which others came.
func (u *udpConn) endStreams(time int64, by string) {
	for i := range u.sides {
		s := &u.sides[i]
		missing := int64(0)
		for _, id := range slices.Sorted(maps.Keys(s.streams.open)) {
			st := s.streams.open[id]
			u.pastGaps(s, id, st, time, by)
			missing += int64(st.far-st.next) - int64(st.pieces.size())
			u.d.udpHeld -= int64(st.pieces.size())
			st.pieces = pieces{}
		}
		if missing > 0 {
			u.d.messages = append(u.d.messages, Message{Conn: u.pub, Side: s.side, Time: time, Span: Span{s.off, s.off}, Inner: true, Body: &Missing{Len: missing}})
		}
	}
	if u.h3 != nil {
		u.items(u.h3.End(web.Mark{Time: time}), by)
		u.h3 = nil
	}
}

// pastGaps hands on what came of a stream behind bytes that did not.
func (u *udpConn) pastGaps(s *udpSide, id uint64, st *quicStream, time int64, by string) {
	h := u.readsHTTP3()
	if h == nil {
		return
	}
	at := st.next
	for _, piece := range st.pieces.list {
		if piece.end() <= at {
			continue
		}
		mark := web.Mark{Start: piece.span.Start, End: piece.span.End, First: piece.packet, Last: piece.packet, Time: time}
		if piece.off > at {
			u.items(h.Gap(int(s.side), id, piece.off-at, mark), by)
			at = piece.off
		}
		data := piece.data[at-piece.off:]
		at = piece.end()
		u.items(h.Feed(int(s.side), id, data, st.ended && at == st.end, mark), by)
	}
}

// httpDatagram takes in a DATAGRAM frame (RFC 9221).
func (u *udpConn) httpDatagram(s *udpSide, f *quic.Frame, where *Message) {
	if h := u.readsHTTP3(); h != nil {
		u.items(h.Datagram(int(s.side), f.Data, markOf(where)), where.By)
	}
}
