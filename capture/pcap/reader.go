package pcap

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"net/netip"

	"explainer/capture"
	"explainer/capture/keys"
)

const (
	maxBlock      = 16 << 20 // bytes of a block or a packet record
	maxInterfaces = 1 << 16  // in a section
	maxNames      = 1 << 16
)

// Why a packet was not read. Keys of [Stats.Skipped].
const (
	SkippedNotIP         = "not-ip"
	SkippedNotTCP        = "not-tcp"
	SkippedFragment      = "fragment"          // a later fragment of an IP packet
	SkippedLinkType      = "unknown-link-type" // of its interface
	SkippedNoInterface   = "unknown-interface" // which its file does not describe
	SkippedCut           = "headers-cut"       // the capture does not hold its headers whole
	SkippedMalformed     = "malformed-header"  // a length in a header is impossible
	SkippedAfterClose    = "after-close"       // data of a connection that was reset or closed
	SkippedOtherRecord   = "other-record"      // counted by Wireshark as a frame, but no packet
	SkippedMalformedFact = "malformed-fact"    // no packet either, and not counted as one
)

// Stats counts what has been read so far.
type Stats struct {
	Packets     int            // Wireshark's frames
	Bytes       int64          // of the capture, uncompressed
	Skipped     map[string]int // packets that say nothing about a TCP connection, by reason
	Connections int
	Sections    int // of a pcapng file
	Interfaces  int
	Names       map[netip.Addr]string // names of addresses, as the file tells them; the last one
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

func (e *CutError) Unwrap() error { return e.Err }

// A Reader reads a capture file: pcapng or classic pcap, plain, gzip'd or zstd'd.
//
// It gives what a [capture.Decoder] is fed with, in file order: the bytes of
// each direction of each TCP connection in stream order, without repetitions.
// Where segments arrived out of order, each chunk still has the number of the
// packet that carried it, but the time at which it could be delivered. Where
// several segments carried the same bytes, the first one's are given. What was
// sent but is not in the capture becomes a Gap: once the receiver has
// acknowledged it and goes on without it, when too much waits behind it, or at
// the end.
//
// A connection whose SYN is not in the capture begins with its first packet;
// its client is then who sent a ClientHello or an HTTP request, or did not
// answer with the counterpart, else the side with the higher port number.
type Reader struct {
	src     source
	classic *classic // nil if the file is pcapng
	big     bool     // byte order of the section
	own     bool     // the section was written by explainer
	base    int      // connections before the section
	ifaces  []iface
	stats   Stats
	links   links
	flows   flows

	queue []capture.Input
	at    int // how many of the queue have been returned
	err   error
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
	rd := &Reader{stats: Stats{Skipped: map[string]int{}, Names: map[netip.Addr]string{}}}
	rd.flows.init(rd)
	if err := rd.src.open(r); err != nil {
		return nil, err
	}
	magic, err := rd.src.peek(4)
	if err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(magic) == blockSHB {
		err = rd.block()
	} else if rd.classic = classicFormat(magic); rd.classic != nil {
		err = rd.classic.header(&rd.src)
		rd.stats.Interfaces = 1
	} else {
		return nil, fmt.Errorf("not a capture: starts with %x, expected pcap or pcapng", magic)
	}
	if err != nil {
		return nil, rd.cut(err)
	}
	return rd, nil
}

// Own tells whether the section that is being read was recorded by explainer:
// then its facts are given, and keys stand before what they open.
func (r *Reader) Own() bool { return r.own }

// Stats returns what has been counted so far. Its maps change as reading goes on.
func (r *Reader) Stats() Stats {
	s := r.stats
	s.Connections = r.flows.count
	s.Bytes = r.src.off
	return s
}

// Next returns the next input: *capture.Open, *capture.Chunk, *capture.Gap,
// *capture.Close, *keys.Secret or *capture.Fact. It is valid until the next
// call. The error is io.EOF at the end, and a *CutError, after everything that
// stands before, where the capture is cut off or damaged.
func (r *Reader) Next() (capture.Input, error) {
	for r.at == len(r.queue) {
		clear(r.queue)
		r.queue, r.at = r.queue[:0], 0
		r.flows.reuse()
		if r.err != nil {
			return nil, r.err
		}
		var err error
		if r.classic != nil {
			err = r.record()
		} else {
			err = r.block()
		}
		if err != nil {
			r.err = r.cut(err)
			r.flows.endAll()
		}
	}
	in := r.queue[r.at]
	r.at++
	return in, nil
}

// cut says where an error stopped the reading.
func (r *Reader) cut(err error) error {
	var damage damaged
	if err == io.EOF {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &damage) {
		return &CutError{Offset: r.src.off, Err: err}
	}
	return fmt.Errorf("read capture at byte %d: %w", r.src.off, err)
}

// Keys reads a capture for the TLS keys that it holds and yields them in file
// order. A classic pcap file holds none. Errors are those of [NewReader] and
// [Reader.Next].
func Keys(r io.Reader, yield func(keys.Secret)) error {
	rd, err := NewReader(r)
	if err != nil || rd.classic != nil {
		return err
	}
	for {
		kind, body, length, err := rd.peekBlock()
		if err == nil {
			switch kind {
			case blockSHB:
				err = rd.section(body)
			case blockDSB:
				rd.secrets(body, yield)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return rd.cut(err)
		}
		rd.src.take(length)
	}
}

// packet takes in one packet of a capture. Its data are cut off if the packet
// was longer on the wire: cut bytes are missing.
func (r *Reader) packet(link uint16, leg capture.Leg, t int64, data []byte, cut int) {
	var p segment
	ip, reason := r.links.payload(link, data)
	if reason == "" {
		reason = p.parse(ip, cut)
	}
	if reason == SkippedNotTCP {
		if ip = tunnelled(ip); ip != nil {
			reason = p.parse(ip, cut)
		}
	}
	if reason != "" {
		r.stats.Skipped[reason]++
		return
	}
	r.flows.segment(leg, t, r.stats.Packets, &p)
}

// block reads the next block of a pcapng file.
func (r *Reader) block() error {
	kind, body, length, err := r.peekBlock()
	if err != nil {
		return err
	}
	switch kind {
	case blockSHB:
		err = r.section(body)
	case blockIDB:
		err = r.iface(body)
	case blockEPB, blockPB:
		err = r.enhanced(kind, body)
	case blockSPB:
		err = r.simple(body)
	case blockNRB:
		r.names(body)
	case blockDSB:
		r.secrets(body, func(s keys.Secret) { r.queue = append(r.queue, &s) })
	case blockFact:
		if r.own {
			r.fact(body)
		}
	case blockCustom, blockCustomNoCopy, blockJournal, blockSysdig, blockSysdigFlags, blockSysdigV2, blockSysdigFlagsV2, blockSysdigV2Large, blockSysdigFlagsV2Large:
		r.stats.Packets++
		r.stats.Skipped[SkippedOtherRecord]++
	}
	if err != nil {
		return err
	}
	r.src.take(length)
	return nil
}

func (r *Reader) u16(b []byte) uint16 {
	if r.big {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (r *Reader) u32(b []byte) uint32 {
	if r.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// peekBlock returns the type, the body and the whole length of the next block.
func (r *Reader) peekBlock() (kind uint32, body []byte, length int, err error) {
	head, err := r.src.peek(12)
	if err != nil {
		return 0, nil, 0, err
	}
	if binary.LittleEndian.Uint32(head) == blockSHB {
		switch uint32(byteOrderMagic) {
		case binary.LittleEndian.Uint32(head[8:]):
			r.big = false
		case binary.BigEndian.Uint32(head[8:]):
			r.big = true
		default:
			return 0, nil, 0, damaged("a section without a byte order")
		}
	}
	kind, n := r.u32(head), r.u32(head[4:])
	if n < 12 || n%4 != 0 || n > maxBlock {
		return 0, nil, 0, damaged(fmt.Sprintf("a block of %d bytes", n))
	}
	b, err := r.src.peek(int(n))
	if err != nil {
		return 0, nil, 0, err
	}
	if end := r.u32(b[n-4:]); end != n {
		return 0, nil, 0, damaged(fmt.Sprintf("a block of %d bytes that ends as one of %d", n, end))
	}
	return kind, b[8 : n-4], int(n), nil
}

// section reads a Section Header Block.
func (r *Reader) section(body []byte) error {
	if len(body) < 16 {
		return damaged("a section header that is too short")
	}
	if major := r.u16(body[4:]); major != 1 {
		return damaged(fmt.Sprintf("a section of pcapng version %d, which is not known", major))
	}
	own := false
	r.options(body[16:], func(code uint16, value []byte) {
		own = own || code == optApplication && string(value) == application
	})
	if own || r.own {
		// The numbers in a recording's facts, and its ports, mean its own connections only.
		r.flows.endAll()
	}
	r.own, r.base = own, r.flows.count
	r.ifaces = r.ifaces[:0]
	r.stats.Sections++
	return nil
}

// iface reads an Interface Description Block.
func (r *Reader) iface(body []byte) error {
	if len(body) < 8 {
		return damaged("an interface description that is too short")
	}
	r.stats.Interfaces++
	if len(r.ifaces) == maxInterfaces {
		return nil
	}
	f := iface{link: r.u16(body), snap: r.u32(body[4:]), mul: 1000, div: 1}
	r.options(body[8:], func(code uint16, value []byte) {
		switch {
		case code == optIfTsresol && len(value) >= 1:
			f.resolution(value[0])
		case code == optIfTsoffset && len(value) >= 8:
			seconds := int64(uint64(r.u32(value[4:]))<<32 | uint64(r.u32(value)))
			if r.big {
				seconds = int64(binary.BigEndian.Uint64(value))
			}
			if seconds > -maxSeconds && seconds < maxSeconds {
				f.offset = seconds * 1e9
			}
		case code == optIfName && r.own && string(value) == browserInterface:
			f.leg = capture.LegBrowser
		case code == optIfName && r.own && string(value) == originInterface:
			f.leg = capture.LegOrigin
		}
	})
	r.ifaces = append(r.ifaces, f)
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
func (r *Reader) options(b []byte, yield func(code uint16, value []byte)) {
	for len(b) >= 4 {
		code, n := r.u16(b), int(r.u16(b[2:]))
		if b = b[4:]; code == 0 || n > len(b) {
			return
		}
		yield(code, b[:n])
		b = b[min((n+3)&^3, len(b)):]
	}
}

// enhanced reads an Enhanced Packet Block or the obsolete Packet Block.
func (r *Reader) enhanced(kind uint32, body []byte) error {
	if len(body) < 20 {
		return damaged("a packet block that is too short")
	}
	id := r.u32(body)
	if kind == blockPB {
		id = uint32(r.u16(body))
	}
	stamp := uint64(r.u32(body[4:]))<<32 | uint64(r.u32(body[8:]))
	have, length := r.u32(body[12:]), r.u32(body[16:])
	if uint64(have) > uint64(len(body)-20) {
		return damaged(fmt.Sprintf("a packet of %d bytes in a block of %d", have, len(body)+12))
	}
	r.stats.Packets++
	if int64(id) >= int64(len(r.ifaces)) {
		r.stats.Skipped[SkippedNoInterface]++
		return nil
	}
	f := &r.ifaces[id]
	r.packet(f.link, f.leg, f.time(stamp), body[20:20+have], missing(length, have))
	return nil
}

// simple reads a Simple Packet Block. It has no time: the latest one stands in.
func (r *Reader) simple(body []byte) error {
	if len(body) < 4 {
		return damaged("a packet block that is too short")
	}
	r.stats.Packets++
	if len(r.ifaces) == 0 {
		r.stats.Skipped[SkippedNoInterface]++
		return nil
	}
	f := &r.ifaces[0]
	length := r.u32(body)
	have := min(length, uint32(len(body)-4))
	if f.snap > 0 {
		have = min(have, f.snap)
	}
	r.packet(f.link, f.leg, r.flows.now, body[4:4+have], missing(length, have))
	return nil
}

// missing returns how many bytes of a packet the capture lacks.
func missing(length, have uint32) int {
	if length <= have {
		return 0
	}
	return int(min(length-have, maxBlock))
}

// names reads a Name Resolution Block.
func (r *Reader) names(b []byte) {
	for len(b) >= 4 {
		kind, n := r.u16(b), int(r.u16(b[2:]))
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
			if _, known := r.stats.Names[addr]; known || len(r.stats.Names) < maxNames {
				r.stats.Names[addr] = string(name)
			}
		}
		b = b[min((n+3)&^3, len(b)):]
	}
}

// secrets reads a Decryption Secrets Block.
func (r *Reader) secrets(b []byte, yield func(keys.Secret)) {
	if len(b) < 8 || r.u32(b) != secretsTLS {
		return
	}
	n := min(int64(r.u32(b[4:])), int64(len(b)-8))
	keys.ReadLog(bytes.NewReader(b[8:8+n]), yield) // the error would be the bytes.Reader's, which has none
}

// fact reads a block of our own.
func (r *Reader) fact(b []byte) {
	var f capture.Fact
	if json.Unmarshal(b, &f) != nil || f.Conn < 0 || f.Peer < 0 {
		r.stats.Skipped[SkippedMalformedFact]++
		return
	}
	if f.Conn > 0 {
		f.Conn += r.base
	}
	if f.Peer > 0 {
		f.Peer += r.base
	}
	r.queue = append(r.queue, &f)
}
