package pcap

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"math/bits"
	"sort"

	"explainer/capture"
	"explainer/capture/quic"
)

// Twins keeps the twins of TCP streams, as [capture.Decoder.Twin] gives them, in a
// file and finds their bytes again.
type Twins struct {
	file interface {
		io.ReaderAt
		io.WriterAt
	}
	streams map[stream][]extent
	written int64
	buf     []byte // what follows that
	err     error
}

type stream struct {
	conn int
	side capture.Side
}

// extent says where in the file the bytes of a stream from off to end stand.
type extent struct{ off, end, at int64 }

// NewTwins returns an empty Twins that keeps the bytes in a file, from its beginning on.
func NewTwins(file interface {
	io.ReaderAt
	io.WriterAt
}) *Twins {
	return &Twins{file: file, streams: map[stream][]extent{}}
}

// Add takes the bytes of one direction from off on. They come in order.
func (t *Twins) Add(conn int, side capture.Side, off int64, twin []byte) {
	if len(twin) == 0 {
		return
	}
	k := stream{conn, side}
	list := t.streams[k]
	at, end := t.written+int64(len(t.buf)), off+int64(len(twin))
	if n := len(list); n > 0 && list[n-1].end == off && list[n-1].at+off-list[n-1].off == at {
		list[n-1].end = end
	} else {
		t.streams[k] = append(list, extent{off, end, at})
	}
	t.buf = append(t.buf, twin...)
	if len(t.buf) >= bufferSize {
		t.flush()
	}
}

func (t *Twins) flush() {
	if _, err := t.file.WriteAt(t.buf, t.written); err != nil && t.err == nil {
		t.err = err
	}
	t.written += int64(len(t.buf))
	t.buf = t.buf[:0]
}

// Flush writes what was added. The error is the first of all writes.
func (t *Twins) Flush() error {
	t.flush()
	return t.err
}

// Fill overwrites b, bytes of one direction from off on, with their twin. What has
// none is covered with the letter x.
func (t *Twins) Fill(conn int, side capture.Side, off int64, b []byte) error {
	overwrite(b)
	list := t.streams[stream{conn, side}]
	end := off + int64(len(b))
	for i := sort.Search(len(list), func(i int) bool { return list[i].end > off }); i < len(list) && list[i].off < end; i++ {
		e := list[i]
		from, to := max(off, e.off), min(end, e.end)
		if _, err := t.file.ReadAt(b[from-off:to-off], e.at+from-e.off); err != nil {
			overwrite(b[from-off : to-off])
			return err
		}
	}
	return nil
}

func overwrite(b []byte) { fill(b, 'x') }

func fill(b []byte, with byte) {
	for i := range b {
		b[i] = with
	}
}

// Places says where the streams of a capture begin, which is known for certain only when
// it was read once.
type Places struct{ conns map[int]began }

// began is where a connection's streams begin: by half, the number of the first byte.
type began struct {
	first  [2]uint32
	caller int
}

// Places has the reader note where streams begin; before the first [Reader.Next].
func (r *Reader) Places() *Places {
	r.places = &Places{conns: map[int]began{}}
	return r.places
}

func (p *Places) of(conn int) (b began, ok bool) {
	if p == nil {
		return b, false
	}
	b, ok = p.conns[conn]
	return b, ok
}

// note notes where the streams of a connection began.
func (fs *flows) note(f *flow) {
	if p := fs.r.places; p != nil && fs.r.place == nil && f.told {
		if _, known := p.conns[f.number]; !known {
			p.conns[f.number] = began{[2]uint32{f.half[0].first(), f.half[1].first()}, f.caller}
		}
	}
}

// A place is where the payload of a packet belongs.
type place struct {
	tcp, udp  bool // it is known
	transport capture.Transport
	conn      int
	side      capture.Side
	off       int64
}

// twin is the packet at hand with its contents overwritten, as long as it was.
// What stays is known to be harmless: headers, and what its stream's twin has.
func (c *copier) twin(it *item) ([]byte, error) {
	var p place
	c.r.place = &p
	c.r.count(c.file)
	c.r.packet(c.file, it)
	c.r.place = nil
	clear(c.r.queue)
	c.r.queue = c.r.queue[:0]
	c.r.flows.reuse()

	twin := bytes.Clone(it.data)
	ip, reason := c.r.links.payload(it.link, twin)
	at, ok := inside(twin, ip)
	switch {
	case reason == SkippedARP:
		const longest = 20 + 2*4 + 28 // headers of a link, two tags of VLANs, ARP for IPv4 (RFC 826)
		clear(twin[min(longest, len(twin)):])
		return twin, nil
	case reason != "" || !ok:
		overwrite(twin[min(linkHead(it.link), len(twin)):])
		return twin, nil
	}
	return twin, c.twinIP(twin[at:], it.cut, &p, 0)
}

// inside tells where part begins in all, if it is a part of it that was made by slicing.
func inside(all, part []byte) (at int, ok bool) {
	at = cap(all) - cap(part)
	return at, len(part) > 0 && at >= 0 && at+len(part) <= len(all) && &all[at] == &part[0]
}

// linkHead is how long the header of a link type is at least.
func linkHead(link uint16) int {
	switch link {
	case linkEthernet:
		return 14
	case linkSLL:
		return 16
	case linkSLL2:
		return 20
	case linkNull, linkLoop:
		return 4
	}
	return 0
}

// twinIP overwrites the contents of an IP packet, of which the capture lacks the last cut bytes.
func (c *copier) twinIP(ip []byte, cut int, p *place, depth int) error {
	var h header
	if reason := h.parse(ip, cut); reason == SkippedNotIP {
		overwrite(ip)
		return nil
	} else if reason != "" {
		overwrite(ip[min(20, len(ip)):])
		return nil
	}
	at := cap(ip) - cap(h.body)
	clear(ip[at+len(h.body):]) // padding of the link
	var s segment
	switch {
	case h.fragment:
		// Where its bytes belong shows only when all fragments are there.
		overwrite(h.body)
		return nil
	case h.proto == protoTCP:
		if s.tcp(&h) != "" {
			overwrite(h.body[min(tcpHead, len(h.body)):])
			return nil
		}
		bare := s
		if bare.unpad(&h); len(bare.data) == 0 {
			return nil
		}
		old := checksum(s.data)
		probe := len(s.data) == 1 && s.data[0] == 0
		overwrite(s.data)
		if p.tcp {
			if err := c.how.Twin(p.conn, p.side, p.off, s.data); err != nil {
				return err
			}
		}
		if probe && s.data[0] == 'x' {
			s.data[0] = 0 // a keep-alive, perhaps, which is known by it
		}
		mend(h.body[16:], old, checksum(s.data))
		return nil
	case h.proto == protoICMP || h.proto == protoICMPv6:
		twinICMP(&h)
		return nil
	}
	if inner := c.r.links.tunnelled(&h); inner != nil {
		at, ok := inside(ip, inner)
		if !ok || depth == maxNesting {
			overwrite(h.body)
			return nil
		}
		clear(ip[at+len(inner):])
		return c.twinIP(inner, cut, p, depth+1)
	}
	if h.proto != protoUDP || !s.udp(&h) {
		overwrite(h.body)
		return nil
	}
	old := checksum(s.data)
	switch {
	case !p.udp:
		overwrite(s.data)
	case p.transport == capture.TransportDTLS:
		twinDTLS(s.data)
	default:
		twinQUIC(s.data, s.missing)
	}
	clear(h.body[udpHead+len(s.data):])
	if h.body[6]|h.body[7] != 0 { // 0: there is none (RFC 768)
		mend(h.body[6:], old, checksum(s.data))
		if h.body[6]|h.body[7] == 0 {
			h.body[6], h.body[7] = 0xff, 0xff
		}
	}
	return nil
}

// twinQUIC overwrites what is no packet of QUIC in a datagram of it. Packets are
// sealed, but for the first ones, whose keys are public and which hold the hellos.
func twinQUIC(b []byte, cut int) {
	for len(b) > 0 {
		h, ok := quic.Parse(b, cut)
		if !ok || h.Len <= 0 {
			overwrite(b)
			return
		}
		b = b[min(h.Len, len(b)):]
	}
}

// twinDTLS overwrites the records in a datagram of DTLS that may be readable: a
// suite without encryption is not known here, and heartbeats carry anything.
func twinDTLS(b []byte) {
	const head = 13 // RFC 6347 4.1
	for len(b) >= head && b[0] >= 20 && b[0] <= 26 {
		n := min(head+int(binary.BigEndian.Uint16(b[11:])), len(b))
		if b[0] == 23 || b[0] == 24 {
			overwrite(b[head:n])
		}
		b = b[n:]
	}
	if len(b) > 0 && b[0]>>5 != 1 { // else it is sealed (RFC 9147 4)
		overwrite(b)
	}
}

// twinICMP overwrites what a message of ICMP brings along: of a packet that it is
// about, the headers stay (RFC 792, RFC 4443).
func twinICMP(h *header) {
	const head = 8
	b := h.body
	if len(b) < head {
		return
	}
	stays := head
	kind := b[0]
	switch {
	case h.proto == protoICMP && (kind == 3 || kind == 4 || kind == 5 || kind == 11 || kind == 12):
		if len(b) > head {
			stays += int(b[head]&15)*4 + 8
		}
	case h.proto == protoICMPv6 && kind >= 1 && kind <= 4:
		stays += 40 + 8
	case h.proto == protoICMPv6 && kind >= 130 && kind <= 143: // of neighbours and groups
		return
	}
	rest := b[min(stays, len(b)):]
	old := checksum(rest)
	overwrite(rest)
	mend(b[2:], old, checksum(rest))
}

// The options that stay in a twin, by block: no comments, no custom ones, no hashes
// of a packet, and none that are not known.
var twinOptions = map[uint32]func(code uint16) bool{
	blockSHB: func(code uint16) bool { return code >= 2 && code <= 4 },
	blockIDB: func(code uint16) bool { return code >= 2 && code <= 17 },
	blockEPB: func(code uint16) bool { return code == 2 || code >= 4 && code <= 6 || code == optConn },
	blockPB:  func(code uint16) bool { return code == 2 },
	blockISB: func(code uint16) bool { return code >= 2 && code <= 8 },
}

// blockISB is the Interface Statistics Block.
const blockISB = 5

// options returns the options of a block that are to stand in the copy.
func (c *copier) optionsOf(kind uint32, b []byte) []byte {
	if c.how.Twin == nil {
		return c.masked(b)
	}
	o := c.order()
	var out []byte
	c.options(b, func(code uint16, value []byte) {
		var part Part
		if kind == blockSHB && code == optPart && json.Unmarshal(value, &part) == nil {
			text, _ := json.Marshal(part) // strings and numbers
			out = appendPart(o, out, text)
		} else if twinOptions[kind](code) {
			out = o.AppendUint16(o.AppendUint16(out, code), uint16(len(value)))
			out = pad(append(out, value...))
		}
	})
	if len(out) > 0 {
		out = append(out, 0, 0, 0, 0)
	}
	return out
}

// appendPart appends the option that says which part of a recording a section is.
func appendPart(o binary.AppendByteOrder, b, text []byte) []byte {
	b = o.AppendUint16(o.AppendUint16(b, optPart), uint16(len(text)))
	return pad(append(b, text...))
}

// twinBlock writes the twin of a block that holds no packet, if it has one.
func (c *copier) twinBlock(kind uint32, body []byte) error {
	switch kind {
	case blockISB:
		if len(body) < 12 {
			return nil
		}
		return c.write(kind, body[:12], c.optionsOf(kind, body[12:]))
	case blockNRB:
		return c.write(kind, c.twinNames(body))
	case blockOpen: // addresses, places and the names of facts, as those stay
		var open []continued
		if json.Unmarshal(body, &open) != nil {
			return nil
		}
		text, _ := json.Marshal(open) // strings, numbers and addresses
		return c.write(kind, spaced(text))
	case blockUDP: // addresses and a number
		var open openUDP
		if json.Unmarshal(body, &open) != nil {
			return nil
		}
		text, _ := json.Marshal(open)
		return c.write(kind, spaced(text))
	case blockFact:
		if fact := twinFact(body); fact != nil {
			return c.write(kind, fact)
		}
	case blockCustom, blockCustomNoCopy, blockJournal, blockSysdig, blockSysdigFlags, blockSysdigV2, blockSysdigFlagsV2, blockSysdigV2Large, blockSysdigFlagsV2Large:
		// They count as frames, so there must be one.
		body = bytes.Clone(body)
		stays := 0
		if kind == blockCustom || kind == blockCustomNoCopy {
			stays = 4 // whose it is
		}
		overwrite(body[min(stays, len(body)):])
		return c.write(kind, body)
	}
	return nil
}

// twinNames keeps the addresses and names of a Name Resolution Block.
func (c *copier) twinNames(b []byte) []byte {
	o := c.order()
	var out []byte
	for len(b) >= 4 {
		kind, n := c.u16(b), int(c.u16(b[2:]))
		if b = b[4:]; kind == 0 || n > len(b) {
			break
		}
		if kind == nameIPv4 || kind == nameIPv6 {
			out = o.AppendUint16(o.AppendUint16(out, kind), uint16(n))
			out = pad(append(out, b[:n]...))
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return append(out, 0, 0, 0, 0)
}

// twinFact is a fact as far as it is known what it says, nil if it is none.
func twinFact(body []byte) []byte {
	var fact capture.Fact
	if json.Unmarshal(body, &fact) != nil {
		return nil
	}
	switch fact.Kind {
	case capture.FactEM, capture.FactLeaf, capture.FactRoot:
	case capture.FactRecording, capture.FactSession, capture.FactPassThrough, capture.FactOpaque, capture.FactPlainHTTP, capture.FactDialFailed,
		capture.FactLookupFailed, capture.FactTLSFailed, capture.FactReplayed, capture.FactOriginVerified, capture.FactName, capture.FactOwnAnswer, capture.FactRefused, capture.FactClosed:
		fact.Data = nil
	default:
		return nil
	}
	out, err := json.Marshal(fact)
	if err != nil {
		return nil
	}
	for len(out)%4 != 0 {
		out = append(out, ' ')
	}
	return out
}

// checksum is the one's complement sum of b in 16-bit words (RFC 1071), which begin
// at an even place of what is summed.
func checksum(b []byte) uint16 { return bits.ReverseBytes16(fold(sum16(b))) }

// mend changes a checksum by what changed below it (RFC 1624 3): one that was right
// stays right, one that was left to the network card stays as wrong as it was.
func mend(at []byte, old, now uint16) {
	if old != now {
		binary.BigEndian.PutUint16(at, ^fold(uint64(^binary.BigEndian.Uint16(at))+uint64(^old)+uint64(now)))
	}
}
