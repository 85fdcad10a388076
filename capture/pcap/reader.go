package pcap

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/bits"
	"net/netip"
	"strconv"

	"explainer/capture"
	"explainer/capture/keys"
	"explainer/capture/worded"
)

const (
	maxBlock      = 16 << 20 // bytes of a block or a packet record
	maxInterfaces = 1 << 16  // in a section
	maxNames      = 1 << 16
)

// Why a packet was not read. Keys of [Stats.Skipped].
const (
	SkippedARP           = "arp"
	SkippedNotIP         = "not-ip" // nor ARP
	SkippedICMP          = "icmp"
	SkippedUDP           = "udp"               // neither QUIC nor DTLS
	SkippedMoved         = "udp-moved"         // as packets of QUIC look, to or from a server of a connection that is followed: it may go on there under an ID that was sent encrypted
	SkippedNotTCP        = "not-tcp"           // nor UDP, nor ICMP
	SkippedFragment      = "fragment"          // of an IP packet that is not in the capture whole
	SkippedLinkType      = "unknown-link-type" // of its interface
	SkippedNoInterface   = "unknown-interface" // which its file does not describe
	SkippedSealed        = "encrypted-link"    // by Wi-Fi or MACsec
	SkippedAggregate     = "aggregate"         // a frame of Wi-Fi with several packets in it
	SkippedExported      = "exported-pdu"      // a piece that Wireshark exported, which is no packet from IP on
	SkippedCut           = "headers-cut"       // the capture does not hold its headers whole
	SkippedMalformed     = "malformed-header"  // a length in a header is impossible
	SkippedAfterClose    = "after-close"       // data of a connection that was reset or closed: nobody reads it
	SkippedStray         = "stray"             // its numbers are far from its connection's: of an earlier one, or made up
	SkippedOtherRecord   = "other-record"      // counted by Wireshark as a frame, but no packet
	SkippedMalformedFact = "malformed-fact"    // no packet either, and not counted as one
)

// Stats counts what has been read so far.
type Stats struct {
	Packets     int            // Wireshark's frames
	Begin, End  int64          // nanoseconds since the Unix epoch: of the earliest of them and the latest; 0 where none has a time
	Back        int64          // nanoseconds: the longest that a packet's time goes back behind that of the packet before it
	BackAt      int            // and that packet
	Bytes       int64          // of the capture, uncompressed
	Skipped     map[string]int // packets that say nothing about a connection, by reason
	Unread      map[Unread]int // those of them of which a number says what they are
	Connections int
	Sections    int // of a pcapng file
	Interfaces  int
	Names       map[netip.Addr]string // names of addresses, as the file tells them; the last one
}

// An Unread is what is not read here: a LINKTYPE_ value (of the reason
// [SkippedLinkType]), an EtherType ([SkippedNotIP]), a protocol of IP
// ([SkippedNotTCP]), or the lower one of two UDP ports ([SkippedUDP]).
type Unread struct {
	Reason string
	Number int
}

func notCapture(magic []byte) error {
	begins := fmt.Sprintf("%x", magic)
	return worded.Error(fmt.Errorf("not a capture: starts with %s, expected pcap or pcapng", begins), "pcap/not-capture", "magic", begins)
}

// A CutError tells where a capture cannot be read further: it ends in the
// middle of a block (Err is io.ErrUnexpectedEOF) or is damaged.
type CutError struct {
	Offset int64 // where the block starts, in bytes from the start of the (uncompressed) capture
	Err    error
}

func (e *CutError) Error() string {
	if errors.Is(e.Err, io.ErrUnexpectedEOF) {
		return fmt.Sprintf("capture is cut off in the middle of the block at byte %d", e.Offset)
	}
	return fmt.Sprintf("capture is damaged at byte %d: %v", e.Offset, e.Err)
}

// Words name the words of the error, for who says it in another language.
func (e *CutError) Words() (id string, values []any) {
	if errors.Is(e.Err, io.ErrUnexpectedEOF) {
		return "pcap/cut", []any{"offset", strconv.FormatInt(e.Offset, 10)}
	}
	return "pcap/damaged", []any{"offset", strconv.FormatInt(e.Offset, 10), "error", e.Err}
}

func (e *CutError) Unwrap() error { return e.Err }

// A Reader reads a capture file: pcapng or classic pcap, plain, gzip'd or zstd'd.
//
// It gives what a [capture.Decoder] is fed with, in file order: the bytes of
// each direction of each TCP connection in stream order, without repetitions.
// Where segments arrived out of order, each chunk still has the number of the
// packet that carried it, and the time of the latest packet up to it in the stream:
// then it could be delivered. Where
// several segments carried the same bytes, the first one's are given. What a side
// sent is given behind what it had got by then (its acknowledgement says how much),
// so that packets are read in their order also where two taps had other clocks, or one
// direction stands behind the other. A connection is not begun before both its SYNs are
// there, or so much that they are not late. What was sent but is not in the capture
// becomes a Gap: once the receiver has acknowledged it and goes on without it, when too
// much waits behind it, or at the end; see [Reader.Whole]. Should it come after that, a
// Late says so.
//
// A RST ends both directions. What still comes after it is counted and not
// given: whoever sent the RST throws it away (RFC 9293 3.10.7.1). A segment or a
// RST whose numbers are far from all that its connection is known to have sent is
// passed over, as its receiver does, and an acknowledgement of what cannot have
// been sent makes no gap. Keep-alives and window probes give nothing new.
//
// UDP is looked at for QUIC and DTLS, which are recognised by their content; the
// connections have numbers in one count with those over TCP. Their client is
// whose first packet says so, else the side with the higher port number.
//
// A TCP connection whose SYN is not in the capture begins with its first packet;
// its client is then who sent a ClientHello or an HTTP request, or did not
// answer with the counterpart, else the side with the higher port number.
type Reader struct {
	files []*file
	errs  []error // what ended each file that was given; parts of one recording are one of files
	heap  byTime  // the files that have more, if there are several
	runs  []run
	stats Stats
	links links
	flows flows
	udp   udp

	fragments fragments

	whole  bool    // nobody waits for the story: see Whole
	before int64   // time of the packet before, as in Stats
	places *Places // to note where streams begin, or to know it
	place  *place  // to note where the payload of the packet at hand belongs; nil if nobody asks

	queue []capture.Input
	at    int // how many of the queue have been returned
	err   error
}

// A file is one capture of those that a Reader reads.
type file struct {
	r         *Reader
	index     int
	src       source
	classic   *classic             // nil if the file is pcapng
	big       bool                 // byte order of the section
	own       bool                 // the section was written by explainer
	base      int                  // connections before the section, or before the first part of its recording
	table     map[tuple]*flow      // those of the section, if explainer wrote it: its ports mean no other's
	conns     map[int]int          // numbers of the section's connections among all; only of explainer's own, and among several files
	last      int                  // the latest number of the section; only of explainer's own
	udp       map[int]*recordedUDP // those of the section over UDP that are open, by their number in it; only of explainer's own
	udpAmong  map[int]int          // their numbers in the section, by that among all
	udpOldest int                  // none of them has a lower number
	ifaces    []iface
	frames    int   // so far
	now       int64 // of the latest packet
	next      item
	err       error // what ended it

	part    Part        // of the section, if it is one of a recording in parts
	before  Part        // of the section before, if that was of the same recording
	head    bool        // the blocks at hand are the head of a part
	joined  bool        // and what they repeat was read before
	open    []continued // of the head, so far
	broken  bool        // the part before was not read to its end
	skipped int64       // bytes of it and of those behind that were left out, where the reader below said so
	after   []*file     // the parts that come behind this file
	read    int64       // bytes of the parts that came before it
	readRaw int64       // the same, compressed as they are
}

// An item is a packet or a fact whose turn it is next in its file.
type item struct {
	length int // bytes of its block; 0 if there is none
	time   int64
	link   uint16
	leg    capture.Leg
	data   []byte
	cut    int // bytes of the packet that the capture lacks
	conn   int // of UDP in a recording of explainer's own: the number of its connection, as the packet says; else 0
	fact   *capture.Fact
}

// An iface is one interface of a section.
type iface struct {
	link   uint16
	leg    capture.Leg
	snap   uint32
	mul    uint64 // a time of n units is n*mul>>shift/div nanoseconds ...
	shift  uint
	div    uint64
	offset int64 // ... after this time
}

// NewReader reads the beginning of a capture. It reads no more of r than it
// needs, here and later, so r may be a file that still grows. The error tells
// if this is no capture; a *CutError, that it ends within its header.
func NewReader(r io.Reader) (*Reader, error) {
	f := &file{}
	rd := newReader(f)
	for {
		err := f.src.open(r)
		var skip *SkipError
		if errors.As(err, &skip) {
			f.src.drop()
			f.broken = true
			f.skipped += skip.Bytes
			continue
		}
		if err != nil {
			return nil, err
		}
		break
	}
	magic, err := f.src.peek(4)
	if err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(magic) == blockSHB {
		err = f.block()
	} else if f.classic = classicFormat(magic); f.classic != nil {
		err = f.classic.header(&f.src)
		rd.stats.Interfaces = 1
	} else {
		return nil, notCapture(magic)
	}
	if err != nil {
		return nil, f.cut(err)
	}
	return rd, nil
}

// Whole tells the reader that all of the capture is there, and nobody waits for what it
// says; before the first [Reader.Next]. Then packets that come late are waited for as long
// as memory allows, and not for some packets only.
func (r *Reader) Whole() { r.whole = true }

// DecodeAs tells the reader what UDP ports are used for; before the first [Reader.Next].
func (r *Reader) DecodeAs(ports Ports) { r.links.ports = ports }

func newReader(files ...*file) *Reader {
	r := &Reader{files: files, errs: make([]error, len(files)), stats: Stats{Skipped: map[string]int{}, Unread: map[Unread]int{}, Names: map[netip.Addr]string{}}}
	r.flows.init(r)
	for i, f := range files {
		f.r, f.index = r, i
	}
	return r
}

// Own tells whether the section that is being read (of each file) was recorded
// by explainer: then its facts are given, and keys stand before what they open.
func (r *Reader) Own() bool {
	for _, f := range r.files {
		if !f.own {
			return false
		}
	}
	return true
}

// Offset returns how many bytes have been read from the files, compressed as
// they are: beside their sizes it tells how far the reading has come.
func (r *Reader) Offset() int64 {
	n := int64(0)
	for _, f := range r.files {
		n += f.readRaw + f.src.raw.n
		for _, next := range f.after {
			n += next.src.raw.n
		}
	}
	return n
}

// Stats returns what has been counted so far. Its maps change as reading goes on.
func (r *Reader) Stats() Stats {
	s := r.stats
	s.Connections = r.flows.count - r.flows.absent
	for _, f := range r.files {
		s.Bytes += f.read + f.src.off
	}
	return s
}

// All reads on to the end and gives each input: *capture.Open, *capture.Chunk,
// *capture.Gap, *capture.Close, *capture.Datagram, *capture.End, *keys.Secret or
// *capture.Fact, valid until the next. Where the capture is cut off or damaged a
// *CutError comes last, without an input, after everything that stands before; at
// the proper end there is no error. Whoever stops early can range over the rest later.
func (r *Reader) All() iter.Seq2[capture.Input, error] {
	return func(yield func(capture.Input, error) bool) {
		for {
			in, err := r.next()
			if err == io.EOF || !yield(in, err) || err != nil {
				return
			}
		}
	}
}

// next returns the next input. The error is io.EOF itself at the proper end.
func (r *Reader) next() (capture.Input, error) {
	for r.at == len(r.queue) {
		clear(r.queue)
		r.queue, r.at = r.queue[:0], 0
		r.flows.reuse()
		if r.err != nil {
			return nil, r.err
		}
		if len(r.files) > 1 {
			r.merge()
			continue
		}
		f := r.files[0]
		f.step()
		f.take()
		if f.err != nil {
			r.err = r.verdict()
			r.end()
		}
	}
	in := r.queue[r.at]
	r.at++
	return in, nil
}

// end gives what is left at the end of all files.
func (r *Reader) end() {
	r.fragments.dropAll(r)
	r.flows.endAll()
}

// step reads the next block or record. A packet or a fact in it waits for its turn.
func (f *file) step() {
	var err error
	if f.classic != nil {
		err = f.record()
	} else {
		err = f.block()
	}
	var skip *SkipError
	switch {
	case err == nil:
	case errors.As(err, &skip):
		f.src.drop()
		f.broken = true
		f.skipped += skip.Bytes
	case len(f.after) > 0:
		f.nextPart(f.cut(err))
	default:
		f.err = f.cut(err)
		f.r.errs[f.index] = f.err
	}
}

// take takes in the item whose turn it is, if there is one.
func (f *file) take() {
	if f.next.length == 0 {
		return
	}
	if fact := f.next.fact; fact != nil {
		if fact.Kind == capture.FactClosed {
			f.r.flows.closed(fact.Conn)
			f.closedUDP(fact.Conn, fact.Time)
		}
		f.r.queue = append(f.r.queue, fact)
	} else {
		f.r.count(f)
		f.r.packet(f, &f.next)
	}
	f.src.take(f.next.length)
	f.next = item{}
}

// cut says where an error stopped the reading.
func (f *file) cut(err error) error {
	var damage damaged
	if err == io.EOF {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &damage) {
		return &CutError{Offset: f.src.off, Err: err}
	}
	return fmt.Errorf("read capture at byte %d: %w", f.src.off, err)
}

// Keys reads a capture for the TLS keys that it holds and yields them in file
// order. A classic pcap file holds none. Errors are those of [NewReader] and
// [Reader.Next].
func Keys(r io.Reader, yield func(keys.Secret)) error {
	rd, err := NewReader(r)
	if err != nil {
		return err
	}
	f := rd.files[0]
	if f.classic != nil {
		return nil
	}
	for {
		kind, body, length, err := f.peekBlock()
		if err == nil {
			switch kind {
			case blockSHB:
				err = f.section(body)
			case blockDSB:
				f.secrets(body, yield)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return f.cut(err)
		}
		f.src.take(length)
	}
}

// packet takes in one packet of a capture.
func (r *Reader) packet(f *file, it *item) {
	ip, reason := r.links.payload(it.link, it.data)
	if reason == "" {
		reason = r.ip(f, it, r.stats.Packets, ip, it.cut, 0)
	}
	if reason != "" {
		r.stats.Skipped[reason]++
		if r.links.unread >= 0 {
			r.stats.Unread[Unread{reason, r.links.unread}]++
		}
	}
}

// ip takes in an IP packet, of which the capture lacks the last cut bytes. It
// returns why it says nothing about a connection.
func (r *Reader) ip(f *file, it *item, packet int, ip []byte, cut, depth int) (reason string) {
	var h header
	var p segment
	if reason = h.parse(ip, cut); reason != "" {
		return reason
	}
	if h.fragment {
		return r.fragments.add(r, f, it, packet, &h, depth)
	}
	switch h.proto {
	case protoTCP:
		if reason = p.tcp(&h); reason == "" {
			if !f.own {
				p.unpad(&h)
			}
			r.flows.segment(f, it.leg, it.time, packet, &p)
		}
		return reason
	case protoICMP, protoICMPv6:
		return SkippedICMP
	}
	if inner := r.links.tunnelled(&h); inner != nil && depth < maxNesting {
		return r.ip(f, it, packet, inner, cut, depth+1)
	}
	r.links.unread = int(h.proto)
	if h.proto != protoUDP {
		return SkippedNotTCP
	}
	switch known := p.udp(&h); {
	case known && f.own && f.recordedDatagram(it, packet, &p), known && !f.own && r.udp.take(r, it, packet, &p):
		return ""
	}
	r.links.unread = int(min(p.fromPort, p.toPort))
	if r.udp.perhapsMoved(it, &p) {
		return SkippedMoved
	}
	return SkippedUDP
}

// block reads the next block of a pcapng file.
func (f *file) block() error {
	kind, body, length, err := f.peekBlock()
	if err != nil {
		return err
	}
	if f.joined && kind != blockSHB && kind != blockOpen {
		f.src.take(length)
		return nil
	}
	switch kind {
	case blockSHB:
		err = f.section(body)
	case blockIDB:
		err = f.iface(body)
	case blockEPB, blockPB:
		err = f.enhanced(kind, body, length)
	case blockSPB:
		err = f.simple(body, length)
	case blockNRB:
		f.names(body)
	case blockDSB:
		f.secrets(body, func(s keys.Secret) { f.r.queue = append(f.r.queue, &s) })
	case blockFact:
		if f.own {
			f.fact(body, length)
		}
	case blockUDP:
		if f.own {
			f.opensUDP(body)
		}
	case blockOpen:
		if f.head {
			err = f.continues(body)
		}
	case blockCustom, blockCustomNoCopy, blockJournal, blockSysdig, blockSysdigFlags, blockSysdigV2, blockSysdigFlagsV2, blockSysdigV2Large, blockSysdigFlagsV2Large:
		f.skip(SkippedOtherRecord)
	}
	if err != nil {
		return err
	}
	if f.next.length == 0 {
		f.src.take(length)
	}
	return nil
}

// skip counts a frame that cannot be read.
func (f *file) skip(reason string) {
	f.frames++
	f.r.count(f)
	f.r.stats.Skipped[reason]++
}

func (f *file) u16(b []byte) uint16 {
	if f.big {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (f *file) u32(b []byte) uint32 {
	if f.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// peekBlock returns the type, the body and the whole length of the next block.
func (f *file) peekBlock() (kind uint32, body []byte, length int, err error) {
	head, err := f.src.peek(12)
	if err != nil {
		return 0, nil, 0, err
	}
	if binary.LittleEndian.Uint32(head) == blockSHB {
		switch uint32(byteOrderMagic) {
		case binary.LittleEndian.Uint32(head[8:]):
			f.big = false
		case binary.BigEndian.Uint32(head[8:]):
			f.big = true
		default:
			return 0, nil, 0, damaged("a section without a byte order")
		}
	}
	kind, n := f.u32(head), f.u32(head[4:])
	if n < 12 || n%4 != 0 || n > maxBlock {
		return 0, nil, 0, damaged(fmt.Sprintf("a block of %d bytes", n))
	}
	b, err := f.src.peek(int(n))
	if err != nil {
		return 0, nil, 0, err
	}
	if end := f.u32(b[n-4:]); end != n {
		return 0, nil, 0, damaged(fmt.Sprintf("a block of %d bytes that ends as one of %d", n, end))
	}
	return kind, b[8 : n-4], int(n), nil
}

// section reads a Section Header Block.
func (f *file) section(body []byte) error {
	if len(body) < 16 {
		return damaged("a section header that is too short")
	}
	if major := f.u16(body[4:]); major != 1 {
		return damaged(fmt.Sprintf("a section of pcapng version %d, which is not known", major))
	}
	own := false
	var part Part
	f.options(body[16:], func(code uint16, value []byte) {
		switch {
		case code == optApplication:
			own = own || string(value) == application
		case code == optPart && json.Unmarshal(value, &part) != nil:
			part = Part{}
		}
	})
	if !own || part.Number < 1 || part.Before < 0 || part.Before > maxNumbers {
		part = Part{}
	}
	f.begin(own, part)
	return nil
}

// begin begins a section.
func (f *file) begin(own bool, part Part) {
	f.r.stats.Sections++
	before := f.part
	f.before = Part{}
	if part.Recording == before.Recording {
		f.before = before
	}
	f.part, f.head, f.joined, f.open = part, part.Number > 1, false, nil
	switch same := part.Number > 1 && part.Recording == before.Recording; {
	case same && part.Number == before.Number+1 && !f.broken:
		f.joined = true
		return
	case same && part.Number > before.Number && part.Before >= before.Before:
		f.ifaces = f.ifaces[:0]
		return
	}
	f.endSection()
	if f.own = own; own {
		f.table = map[tuple]*flow{}
	}
	if own && len(f.r.files) == 1 {
		f.r.flows.endAll() // the numbers in a recording's facts begin anew, too
	}
	f.base, f.conns, f.last, f.udpOldest = f.r.flows.count, nil, 0, 0
	if !f.head {
		f.broken, f.skipped = false, 0
	}
	f.ifaces = f.ifaces[:0]
}

// endSection gives what is left of the connections of a section of explainer's own:
// they go on in no other.
func (f *file) endSection() {
	f.r.flows.end(f.table)
	f.table = nil
	f.endUDP("", nil)
}

// iface reads an Interface Description Block.
func (f *file) iface(body []byte) error {
	if len(body) < 8 {
		return damaged("an interface description that is too short")
	}
	f.r.stats.Interfaces++
	if len(f.ifaces) == maxInterfaces {
		return nil
	}
	in := iface{link: f.u16(body), snap: f.u32(body[4:]), mul: 1000, div: 1}
	f.options(body[8:], func(code uint16, value []byte) {
		switch {
		case code == optIfTsresol && len(value) >= 1:
			in.resolution(value[0])
		case code == optIfTsoffset && len(value) >= 8:
			seconds := int64(uint64(f.u32(value[4:]))<<32 | uint64(f.u32(value)))
			if f.big {
				seconds = int64(binary.BigEndian.Uint64(value))
			}
			if seconds > -maxSeconds && seconds < maxSeconds {
				in.offset = seconds * 1e9
			}
		case code == optIfName && f.own && string(value) == browserInterface:
			in.leg = capture.LegBrowser
		case code == optIfName && f.own && string(value) == originInterface:
			in.leg = capture.LegOrigin
		}
	})
	f.ifaces = append(f.ifaces, in)
	return nil
}

// maxSeconds is what fits into an int64 of nanoseconds.
const maxSeconds = math.MaxInt64 / 1_000_000_000

// resolution takes in if_tsresol: a negative power of ten, or of two if the
// highest bit is set.
func (f *iface) resolution(v byte) {
	f.mul, f.shift, f.div = 1, 0, 1
	n := int(v & 0x7f)
	if v&0x80 != 0 {
		f.mul, f.shift = 1e9, uint(n)
		return
	}
	for ; n < 9; n++ {
		f.mul *= 10
	}
	for ; n > 9 && f.div < 1e18; n-- {
		f.div *= 10
	}
}

// time turns a time stamp into nanoseconds since the Unix epoch. One that does
// not fit becomes 0.
func (f *iface) time(stamp uint64) int64 {
	hi, lo := bits.Mul64(stamp, f.mul)
	if f.shift > 0 {
		lo = lo>>f.shift | hi<<(64-f.shift)
		hi >>= f.shift
	}
	lo /= f.div
	t := int64(lo) + f.offset
	if hi != 0 || lo > math.MaxInt64 || t < 0 {
		return 0
	}
	return t
}

// options calls yield with each option of a block.
func (f *file) options(b []byte, yield func(code uint16, value []byte)) {
	for len(b) >= 4 {
		code, n := f.u16(b), int(f.u16(b[2:]))
		if b = b[4:]; code == 0 || n > len(b) {
			return
		}
		yield(code, b[:n])
		b = b[min((n+3)&^3, len(b)):]
	}
}

// enhanced reads an Enhanced Packet Block or the obsolete Packet Block.
func (f *file) enhanced(kind uint32, body []byte, length int) error {
	if len(body) < 20 {
		return damaged("a packet block that is too short")
	}
	id := f.u32(body)
	if kind == blockPB {
		id = uint32(f.u16(body))
	}
	stamp := uint64(f.u32(body[4:]))<<32 | uint64(f.u32(body[8:]))
	have, wire := f.u32(body[12:]), f.u32(body[16:])
	if uint64(have) > uint64(len(body)-20) {
		return damaged(fmt.Sprintf("a packet of %d bytes in a block of %d", have, len(body)+12))
	}
	if int64(id) >= int64(len(f.ifaces)) {
		f.skip(SkippedNoInterface)
		return nil
	}
	in := &f.ifaces[id]
	f.wait(length, in.time(stamp), in.link, in.leg, body[20:20+have], missing(wire, have))
	if options := (20 + int(have) + 3) &^ 3; f.own && options < len(body) {
		f.options(body[options:], func(code uint16, value []byte) {
			if code == optConn && len(value) == 4 {
				f.next.conn = int(f.u32(value))
			}
		})
	}
	return nil
}

// simple reads a Simple Packet Block. It has no time: the latest one stands in.
func (f *file) simple(body []byte, length int) error {
	if len(body) < 4 {
		return damaged("a packet block that is too short")
	}
	if len(f.ifaces) == 0 {
		f.skip(SkippedNoInterface)
		return nil
	}
	in := &f.ifaces[0]
	wire := f.u32(body)
	have := min(wire, uint32(len(body)-4))
	if in.snap > 0 {
		have = min(have, in.snap)
	}
	f.wait(length, f.now, in.link, in.leg, body[4:4+have], missing(wire, have))
	return nil
}

// wait keeps a packet, from a block of length bytes, until its turn has come.
func (f *file) wait(length int, t int64, link uint16, leg capture.Leg, data []byte, cut int) {
	f.frames++
	f.now = t
	f.next = item{length: length, time: t, link: link, leg: leg, data: data, cut: cut}
}

// missing returns how many bytes of a packet the capture lacks.
func missing(length, have uint32) int {
	if length <= have {
		return 0
	}
	return int(min(length-have, maxBlock))
}

// names reads a Name Resolution Block.
func (f *file) names(b []byte) {
	for len(b) >= 4 {
		kind, n := f.u16(b), int(f.u16(b[2:]))
		if b = b[4:]; kind == 0 || n > len(b) {
			return
		}
		size := 0
		switch kind {
		case nameIPv4:
			size = 4
		case nameIPv6:
			size = 16
		}
		if addr, ok := netip.AddrFromSlice(b[:min(size, n)]); ok {
			name, _, _ := bytes.Cut(b[size:n], []byte{0})
			if _, known := f.r.stats.Names[addr]; known || len(f.r.stats.Names) < maxNames {
				f.r.stats.Names[addr] = string(name)
			}
		}
		b = b[min((n+3)&^3, len(b)):]
	}
}

// secrets reads a Decryption Secrets Block.
func (f *file) secrets(b []byte, yield func(keys.Secret)) {
	if len(b) < 8 || f.u32(b) != secretsTLS {
		return
	}
	n := min(int64(f.u32(b[4:])), int64(len(b)-8))
	keys.ReadLog(bytes.NewReader(b[8:8+n]), yield) // the error would be the bytes.Reader's, which has none
}

// fact reads a block of our own.
func (f *file) fact(b []byte, length int) {
	var fact capture.Fact
	if json.Unmarshal(b, &fact) != nil || !f.number(&fact.Conn) || !f.number(&fact.Peer) {
		f.r.stats.Skipped[SkippedMalformedFact]++
		return
	}
	f.next = item{length: length, time: fact.Time, fact: &fact}
}

// number turns the number of a connection in its section into that among all.
// It tells whether there can be one.
func (f *file) number(n *int) bool {
	switch {
	case *n == 0:
	case *n < 0:
		return false
	case len(f.r.files) == 1:
		*n += f.base
	default:
		known, ok := f.conns[*n]
		*n = known
		return ok
	}
	return true
}
