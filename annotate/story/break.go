package story

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// A Change is what is changed in a copy: one of its kinds.
type Change interface{ isChange() }

// A Flip gives one byte another value.
type Flip struct {
	Packet int // number of the packet in its file, as Wireshark's frame.number
	// Offset counts in the packet's payload of TCP, or UDP: in those of its bytes that no
	// earlier packet had brought. With Inside it counts in the contents of the encrypted
	// records that end in the packet, one behind the other: without their headers, nonces,
	// tags, padding and TLS 1.3's content type. The first byte is 0.
	Offset int
	To     byte
	// Inside opens the record, changes its content, and seals it again with the same key and
	// nonce, so that its tag holds.
	Inside bool
}

// Without leaves the key log lines of a label away, or with [PrivateKeyLabel] the private keys.
type Without struct{ Label string }

// PrivateKeyLabel stands for private keys among the labels of a key log.
const PrivateKeyLabel = "PRIVATE_KEY"

// A Chain shows the client the certificates that the server of another connection of the
// recording sent. Where they are encrypted they are sealed with the recorded keys.
type Chain struct{ Of int }

func (Flip) isChange()    {}
func (Without) isChange() {}
func (Chain) isChange()   {}

// Broken is the story of a changed copy.
type Broken struct {
	Events     []event.Event     // the changed copy's
	Comparison *event.Comparison // with that of the copy unchanged
}

// Break changes the copy and tells it. Its errors say why a change cannot be made; the
// specimen stays as it is.
func (s *Specimen) Break(c Change) (*Broken, error) {
	before := s.unchanged()
	out := &event.Comparison{Conn: s.Conn, Copied: s.Copied}
	inputs, secrets, private := s.inputs, s.secrets, s.private
	var err error
	switch c := c.(type) {
	case Flip:
		inputs, err = s.flip(c, out)
	case Without:
		secrets, private, err = s.without(c, out)
	case Chain:
		inputs, err = s.chain(c, out)
	}
	if err != nil {
		return nil, err
	}
	after := s.tell(inputs, secrets, private)
	compare(out, before.events, after.events)
	s.judge(out, c, after)
	return &Broken{Events: after.events, Comparison: out}, nil
}

// ComparisonEvent is the comparison as the last event of a story of n events.
func ComparisonEvent(c *event.Comparison, n int) *event.Event {
	return &event.Event{Schema: event.SchemaVersion, N: n + 1, Kind: event.KindComparison, Topic: event.TopicComparison, Name: words.NameOf(event.TopicComparison, ""), Comparison: c}
}

// A stretch is bytes of one side that one packet brought.
type stretch struct {
	input int   // which of the inputs
	at    int64 // where it begins in its side's stream
	data  []byte
}

// stretches are those of one side of the connection.
func (s *Specimen) stretches(side capture.Side) (out []stretch) {
	at := int64(0)
	for i, in := range s.inputs {
		switch in := in.(type) {
		case *capture.Chunk:
			if in.Conn == s.Conn && in.Side == side {
				out = append(out, stretch{i, at, in.Data})
				at += int64(len(in.Data))
			}
		case *capture.Gap:
			if in.Conn == s.Conn && in.Side == side {
				at += in.Len
			}
		}
	}
	return out
}

// put returns the inputs with bytes of a side's stream replaced.
func (s *Specimen) put(side capture.Side, at int64, with []byte) []capture.Input {
	inputs := slices.Clone(s.inputs)
	for _, p := range s.stretches(side) {
		from, to := max(at, p.at), min(at+int64(len(with)), p.at+int64(len(p.data)))
		if from >= to {
			continue
		}
		c := *inputs[p.input].(*capture.Chunk)
		c.Data = bytes.Clone(c.Data)
		copy(c.Data[from-p.at:], with[from-at:to-at])
		inputs[p.input] = &c
	}
	return inputs
}

// flip changes a byte.
func (s *Specimen) flip(f Flip, out *event.Comparison) ([]capture.Input, error) {
	place := &event.Place{Packet: f.Packet, Offset: f.Offset, Inside: f.Inside, Is: fmt.Sprintf("%02x", f.To)}
	out.Place = place
	for i, in := range s.inputs {
		if d, is := in.(*capture.Datagram); is && d.Conn == s.Conn && d.Packet == f.Packet {
			return s.flipDatagram(i, d, f, out)
		}
	}
	var side capture.Side
	var mine []stretch
	for _, of := range []capture.Side{capture.Client, capture.Server} {
		for _, p := range s.stretches(of) {
			if s.inputs[p.input].(*capture.Chunk).Packet == f.Packet {
				side, mine = of, append(mine, p)
			}
		}
	}
	if len(mine) == 0 {
		return nil, fails(nil, words.Piece("error/packet-not-of", "n", strconv.Itoa(f.Packet), "conn", strconv.Itoa(s.Conn)))
	}
	place.From = side.String()
	if f.Inside {
		return s.flipInside(f, side, mine, out)
	}
	rest, total := f.Offset, 0
	for _, p := range mine {
		total += len(p.data)
		if f.Offset < 0 || rest < 0 || rest >= len(p.data) {
			rest -= len(p.data)
			continue
		}
		place.At = p.at + int64(rest)
		was := p.data[rest]
		if was == f.To {
			return nil, fails(nil, words.Piece("error/same-byte", "value", place.Is))
		}
		place.Was = fmt.Sprintf("%02x", was)
		s.locate(place, side)
		out.Change = words.Say("changed-on-the-wire", event.Clear, changeArgs(place))
		return s.put(side, place.At, []byte{f.To}), nil
	}
	return nil, fails(nil, words.Piece("error/no-such-offset", "n", strconv.Itoa(f.Packet), "size", words.Count(total, "byte"), "last", strconv.Itoa(total-1)))
}

func (s *Specimen) flipDatagram(i int, d *capture.Datagram, f Flip, out *event.Comparison) ([]capture.Input, error) {
	switch {
	case f.Inside:
		return nil, fails(nil, words.Piece("error/inside-udp"))
	case f.Offset < 0 || f.Offset >= len(d.Data):
		return nil, fails(nil, words.Piece("error/no-such-offset", "n", strconv.Itoa(f.Packet), "size", words.Count(len(d.Data), "byte"), "last", strconv.Itoa(len(d.Data)-1)))
	case d.Data[f.Offset] == f.To:
		return nil, fails(nil, words.Piece("error/same-byte", "value", out.Place.Is))
	}
	p := out.Place
	p.From, p.Part, p.Was, p.At = d.Side.String(), "packet", fmt.Sprintf("%02x", d.Data[f.Offset]), int64(f.Offset)
	for _, in := range s.inputs[:i] {
		if before, is := in.(*capture.Datagram); is && before.Conn == d.Conn && before.Side == d.Side {
			p.At += int64(len(before.Data))
		}
	}
	if e := s.eventAt(p.At, p.From); e != nil {
		p.Topic, p.Name = e.Topic, e.Name
	}
	out.Change = words.Say("changed-on-the-wire", event.Clear, changeArgs(p))
	inputs := slices.Clone(s.inputs)
	c := *d
	c.Data = bytes.Clone(d.Data)
	c.Data[f.Offset] = f.To
	inputs[i] = &c
	return inputs, nil
}

// flipInside changes a byte of what records hold that end in a packet.
func (s *Specimen) flipInside(f Flip, side capture.Side, mine []stretch, out *event.Comparison) ([]capture.Input, error) {
	place := out.Place
	rest, total := f.Offset, 0
	for _, r := range s.unchanged().records {
		if r.Side != side || !slices.ContainsFunc(mine, func(p stretch) bool { return r.Span.End > p.at && r.Span.End <= p.at+int64(len(p.data)) }) {
			continue
		}
		total += len(r.Plain)
		if rest < 0 || rest >= len(r.Plain) {
			rest -= len(r.Plain)
			continue
		}
		was := r.Plain[rest]
		if was == f.To {
			return nil, fails(nil, words.Piece("error/same-byte", "value", place.Is))
		}
		place.At, place.Was = r.Content+int64(rest), fmt.Sprintf("%02x", was)
		plain := bytes.Clone(r.Plain)
		plain[rest] = f.To
		sealed, ok := []byte(nil), false
		if r.Sealing != nil && !r.Sealing.Chained() {
			sealed, ok = r.Sealing.Seal(plain, nil)
		}
		if !ok {
			return nil, fails(nil, words.Piece("error/cannot-seal"))
		}
		place.Part = partOf(r.Type)
		if e := s.eventAt(place.At, place.From); e != nil {
			place.Topic, place.Name = e.Topic, e.Name
		}
		out.Change = words.Say("changed-inside", event.Decrypted, changeArgs(place))
		return s.put(side, r.Span.End-int64(len(sealed)), sealed), nil
	}
	if total == 0 {
		return nil, fails(nil, words.Piece("error/nothing-inside", "n", strconv.Itoa(f.Packet)))
	}
	return nil, fails(nil, words.Piece("error/no-such-offset-inside", "n", strconv.Itoa(f.Packet), "size", words.Count(total, "byte"), "last", strconv.Itoa(total-1)))
}

// Content types of records (RFC 8446 5.1).
const (
	recordCCS       = 20
	recordAlert     = 21
	recordHandshake = 22
	recordData      = 23
	recordHeader    = 5 // bytes
)

func partOf(recordType uint8) string {
	switch recordType {
	case recordCCS:
		return "change-cipher-spec"
	case recordAlert:
		return "alert"
	case recordHandshake:
		return "message"
	}
	return "data"
}

func changeArgs(p *event.Place) words.Args {
	what := words.Piece("place/"+cmp.Or(p.Part, "clear"), "name", words.NameText(p.Topic, cmp.Or(p.Name, "-")))
	return words.Args{"offset": strconv.Itoa(p.Offset), "packet": strconv.Itoa(p.Packet), "was": p.Was, "is": p.Is, "what": what, "sender": words.Named("end", p.From)}
}

// eventAt is the event of the message that a byte of a side's stream belongs to.
func (s *Specimen) eventAt(at int64, from string) *event.Event {
	es := s.unchanged().events
	for i := range es {
		e := &es[i]
		if e.Conn == s.Conn && e.From == from && e.Bytes != nil && at >= e.Bytes.Start && at < e.Bytes.End && e.HTTP == nil {
			return e
		}
	}
	return nil
}

// locate says which part of what a byte is.
func (s *Specimen) locate(p *event.Place, side capture.Side) {
	p.Part = "clear"
	e := s.eventAt(p.At, p.From)
	if e != nil {
		p.Topic, p.Name = e.Topic, e.Name
	}
	for _, r := range s.unchanged().records {
		if r.Side == side && p.At >= r.Span.Start && p.At < r.Span.End {
			p.Part = cmp.Or(headerPart(p.At-r.Span.Start), "sealed")
			return
		}
	}
	if e == nil {
		return
	}
	// A record in clear begins where a message does, and further ones of it follow.
	begin := e.Bytes.Start
	for {
		head := s.bytesAt(side, begin, recordHeader)
		if len(head) < recordHeader || head[0] < recordCCS || head[0] > 24 || head[1] != 3 {
			break
		}
		end := begin + recordHeader + int64(binary.BigEndian.Uint16(head[3:]))
		if p.At < end {
			if p.Part = cmp.Or(headerPart(p.At-begin), partOf(head[0])); p.Part == "data" || slices.Contains([]event.Topic{event.TopicSealed, "sealed-record", "sealed-alert"}, e.Topic) && p.At >= begin+recordHeader {
				p.Part = "sealed"
			}
			return
		}
		begin = end
	}
	if e.TLS != nil || isHandshake(e) {
		p.Part = "message"
	}
}

// isHandshake tells whether an event is of a message of the handshake.
func isHandshake(e *event.Event) bool {
	return slices.Contains([]event.Topic{event.TopicClientHello, event.TopicServerHello, event.TopicCertificate, event.TopicCertificateStatus, event.TopicFinished,
		"hello-retry-request", "server-key-exchange", "certificate-request", "server-hello-done", "client-key-exchange", "certificate-verify", "new-session-ticket", "encrypted-extensions"}, e.Topic)
}

// headerPart names a byte of a record's header; empty behind it.
func headerPart(n int64) string {
	switch {
	case n == 0:
		return "type"
	case n < 3:
		return "version"
	case n < recordHeader:
		return "length"
	}
	return ""
}

// bytesAt are n bytes of a side's stream, or fewer.
func (s *Specimen) bytesAt(side capture.Side, at int64, n int) (b []byte) {
	for _, p := range s.stretches(side) {
		if from, to := max(at, p.at), min(at+int64(n), p.at+int64(len(p.data))); from < to && from == at+int64(len(b)) {
			b = append(b, p.data[from-p.at:to-p.at]...)
		}
	}
	return b
}

// without leaves keys away.
func (s *Specimen) without(c Without, out *event.Comparison) ([]keys.Secret, []*keys.PrivateKey, error) {
	labels := s.Labels()
	if !slices.Contains(labels, c.Label) {
		if len(labels) == 0 {
			return nil, nil, fails(nil, words.Piece("error/no-keys-at-all"))
		}
		return nil, nil, fails(nil, words.Piece("error/no-such-label", "label", c.Label), words.Piece("hint/labels", "labels", words.List(",", words.Names(labels)...)))
	}
	if c.Label == PrivateKeyLabel {
		out.Change = words.Say("changed-without-private-key", event.None, nil)
		return s.secrets, nil, nil
	}
	out.Change = words.Say("changed-without", event.None, words.Args{"label": c.Label})
	return slices.DeleteFunc(slices.Clone(s.secrets), func(k keys.Secret) bool { return k.Label == c.Label }), s.private, nil
}

// chain puts another chain in the place of the server's.
func (s *Specimen) chain(c Chain, out *event.Comparison) ([]capture.Input, error) {
	other := s.chains[c.Of]
	t := s.unchanged()
	switch {
	case other == nil:
		return nil, fails(nil, words.Piece("error/no-chain", "n", strconv.Itoa(c.Of)), words.Piece("hint/chains", "list", numbers(s.Chains())))
	case t.server == nil:
		return nil, fails(nil, words.Piece("error/no-chain", "n", strconv.Itoa(s.Conn)), words.Piece("hint/chains", "list", numbers(s.Chains())))
	}
	was := make([][]byte, 0, len(t.server.Entries))
	for _, e := range t.server.Entries {
		was = append(was, e.Data)
	}
	if slices.EqualFunc(was, other, bytes.Equal) {
		return nil, fails(nil, words.Piece("error/same-chain", "n", strconv.Itoa(c.Of)))
	}
	message := certificateMessage(t.server, other, s.is13())
	inputs, ok := s.replace(t.at, message)
	if !ok {
		return nil, fails(nil, words.Piece("error/chain-does-not-fit"))
	}
	out.Change = words.Say("changed-chain", event.Clear, words.Args{"n": strconv.Itoa(c.Of)})
	return inputs, nil
}

// numbers lists connections.
func numbers(conns []int) event.Text {
	var list []event.Text
	for _, n := range conns[:min(len(conns), 20)] {
		list = append(list, event.Plain(strconv.Itoa(n)))
	}
	return words.List(",", list...)
}

// certificateMessage makes a Certificate message (RFC 5246 7.4.2, RFC 8446 4.4.2).
func certificateMessage(was *handshake.Certificate, chain [][]byte, is13 bool) []byte {
	put := func(b []byte, n, size int) []byte {
		for i := size - 1; i >= 0; i-- {
			b = append(b, byte(n>>(8*i)))
		}
		return b
	}
	var list []byte
	for _, der := range chain {
		list = append(put(list, len(der), 3), der...)
		if is13 {
			list = put(list, 0, 2) // no extensions
		}
	}
	var body []byte
	if is13 {
		body = append(put(body, len(was.RequestContext), 1), was.RequestContext...)
	}
	body = append(put(body, len(list), 3), list...)
	return append(put([]byte{byte(handshake.TypeCertificate)}, len(body), 3), body...)
}

// is13 tells whether the connection is of TLS 1.3.
func (s *Specimen) is13() bool { return is13(s.unchanged().version) }

// replace puts a handshake message of another length in the place of one of the server's:
// in as many records as it had.
func (s *Specimen) replace(was capture.Message, message []byte) ([]capture.Input, bool) {
	type record struct {
		span    capture.Span
		plain   []byte
		head    []byte
		sealing *keys.Sealing
	}
	var records []record
	for _, r := range s.unchanged().records {
		if r.Side == was.Side && r.Span.End > was.Span.Start && r.Span.Start < was.Span.End {
			records = append(records, record{r.Span, r.Plain, s.bytesAt(was.Side, r.Span.Start, recordHeader), r.Sealing})
		}
	}
	if !was.Opened {
		// In clear the message may share its record with those before it.
		begin := was.Span.Start
		for _, e := range slices.Backward(s.unchanged().events) {
			if e.Conn == s.Conn && e.From == was.Side.String() && e.Bytes != nil && e.Bytes.End == begin && !isRecord(s.bytesAt(was.Side, begin, recordHeader)) {
				begin = e.Bytes.Start
			}
		}
		for begin < was.Span.End {
			head := s.bytesAt(was.Side, begin, recordHeader)
			if !isRecord(head) {
				return nil, false
			}
			end := begin + recordHeader + int64(binary.BigEndian.Uint16(head[3:]))
			if end > was.Span.Start {
				records = append(records, record{capture.Span{Start: begin, End: end}, s.bytesAt(was.Side, begin+recordHeader, int(end-begin)-recordHeader), head, nil})
			}
			begin = end
		}
	}
	if len(records) == 0 {
		return nil, false
	}
	var content []byte
	for _, r := range records {
		content = append(content, r.plain...)
	}
	i := bytes.Index(content, was.Raw)
	if i < 0 {
		return nil, false
	}
	content = slices.Concat(content[:i], message, content[i+len(was.Raw):])
	const maxPlain = 1 << 14
	var out []byte
	for n, r := range records {
		size := len(content) / (len(records) - n)
		if size > maxPlain || size == 0 {
			return nil, false
		}
		part := content[:size]
		content = content[size:]
		if r.sealing != nil {
			var ok bool
			if part, ok = r.sealing.SealAnew(part); !ok {
				return nil, false
			}
		} else if was.Opened {
			return nil, false
		}
		out = append(out, r.head[:3]...)
		out = binary.BigEndian.AppendUint16(out, uint16(len(part)))
		out = append(out, part...)
	}
	// What took the place of the old records is in the packet in which they began.
	from, to := records[0].span.Start, records[len(records)-1].span.End
	inputs := slices.Clone(s.inputs)
	for _, p := range s.stretches(was.Side) {
		a, b := max(from, p.at), min(to, p.at+int64(len(p.data)))
		if a >= b {
			continue
		}
		c := *inputs[p.input].(*capture.Chunk)
		c.Data = slices.Concat(p.data[:a-p.at], out, p.data[b-p.at:])
		out = nil
		inputs[p.input] = &c
	}
	return inputs, true
}

func isRecord(head []byte) bool {
	return len(head) == recordHeader && head[0] >= recordCCS && head[0] <= 24 && head[1] == 3
}
