package pcap

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"math/bits"
	"net/netip"

	"explainer/capture"
	"explainer/capture/keys"
)

const (
	application = "explainer" // shb_userappl of our own sections

	browserInterface = "browser-proxy" // if_name of interface 0
	originInterface  = "proxy-origin"  // if_name of interface 1

	about = "Addresses, ports, times and every payload byte are real; the IP and TCP headers around them are made up. As recorded, this file also holds the keys that open it."

	// Bytes of payload in a packet: the longest TLS record and its header (RFC 8446
	// 5.2: 5 + 16384 + 256 bytes), so that one which was written at once is in one packet.
	maxPayload = 5 + 16384 + 256
	bufferSize = 256 << 10

	// MaxPayload is how many bytes a packet carries at most; HeadRoom and TailRoom are what
	// [Stream.Around] needs before and behind them.
	MaxPayload = maxPayload
	HeadRoom   = epbHead + 40 + tcpHead
	TailRoom   = 3 + 4
	maxSecrets = 64 << 10 // bytes of key log lines in one block

	// What one side may have sent before the writer puts in an acknowledgement
	// of the other. Without any, a reader's list of open segments grows with the
	// stream, and Wireshark walks it for every packet.
	maxUnacked = 512 << 10
)

// A Part says which part of a recording a section is. A recording in parts is one
// stream that was cut: each part begins with a head that repeats what is needed to read it alone.
type Part struct {
	Recording string `json:"recording"` // the same in all parts of a recording, and in those of no other
	Number    int    `json:"part"`      // from 1, in the order in which they were written
	Before    int    `json:"before"`    // connections that began in the parts before
	Time      int64  `json:"t"`         // of the latest packet or fact in them
}

// A Continued is a connection that is open where a part begins.
type Continued struct {
	Stream  *Stream    // nil if it is one of QUIC
	QUIC    *Datagrams // nil if it is one of TCP
	Peer    int        // the connection of the session's other leg, or 0
	Host    string     // host and port that the session was asked for, or ""
	Name    string     // of the server, or ""
	Secrets []keys.Secret
}

// A continued is how a Continued stands in the file.
type continued struct {
	Conn   int            `json:"conn"`
	Leg    capture.Leg    `json:"leg"`
	Client netip.AddrPort `json:"client"`
	Server netip.AddrPort `json:"server"`
	Sent   [2]int64       `json:"sent"`          // bytes, by side
	Next   [2]uint32      `json:"next"`          // sequence number of the next one
	UDP    bool           `json:"udp,omitempty"` // it is one of QUIC: Next says nothing
	Peer   int            `json:"peer,omitempty"`
	Host   string         `json:"host,omitempty"`
}

func (c *Continued) inFile() continued {
	if d := c.QUIC; d != nil {
		return continued{Conn: d.number, Leg: d.leg, Client: d.ends[capture.Client], Server: d.ends[capture.Server], Sent: d.sent, UDP: true, Peer: c.Peer, Host: c.Host}
	}
	s := c.Stream
	return continued{
		Conn: s.number, Leg: s.leg, Client: s.ends[capture.Client], Server: s.ends[capture.Server],
		Sent: [2]int64{s.side[0].sent, s.side[1].sent}, Next: [2]uint32{s.side[0].next, s.side[1].next}, Peer: c.Peer, Host: c.Host,
	}
}

// maxOpenBlock is how many bytes of continued connections stand in one block.
const maxOpenBlock = 64 << 10

// A Writer writes a recording: a pcapng file of one section with the traffic,
// the keys and the facts of a running proxy.
//
// It keeps what it is told in the order in which it was told, and its times
// never go back: an earlier one is raised to the latest written. The first
// error of the underlying writer sticks; nothing is written after it. A Writer
// is not safe for concurrent use, and neither are its Streams.
type Writer struct {
	w       io.Writer
	swap    Swapper // w, if it is one
	buf     []byte
	secrets []byte // key log lines that wait to become one block
	now     int64  // latest time written
	conns   int
	comment string
	part    Part // of a recording in several; else its Number is 0
	err     error
}

// A Swapper takes a whole buffer in place of a Write's copy, and gives an empty
// one of the same capacity for it.
type Swapper interface {
	Swap(full []byte) (empty []byte, err error)
}

// NewWriter writes the header of a recording, so that the file is a valid
// capture from the start. The comment stands before the one that says which
// parts of the file are real; it may be empty.
func NewWriter(w io.Writer, comment string) (*Writer, error) { return NewPartWriter(w, comment, "") }

// NewPartWriter is NewWriter for a recording in several parts, of which this is the
// first; no other recording has its ID.
func NewPartWriter(w io.Writer, comment, id string) (*Writer, error) {
	wr := &Writer{w: w, buf: make([]byte, 0, bufferSize), comment: about}
	wr.swap, _ = w.(Swapper)
	if comment != "" {
		wr.comment = comment + ". " + about
	}
	if id != "" {
		wr.part = Part{Recording: id, Number: 1}
	}
	wr.section()
	if err := wr.Flush(); err != nil {
		return nil, err
	}
	return wr, nil
}

// section writes the blocks with which a section begins.
func (w *Writer) section() {
	b, start := beginBlock(w.buf, blockSHB)
	b = binary.LittleEndian.AppendUint32(b, byteOrderMagic)
	b = append(b, 1, 0, 0, 0)                                   // version 1.0
	b = binary.LittleEndian.AppendUint64(b, 0xffffffffffffffff) // section length: not known
	b = appendOption(b, optComment, w.comment)
	b = appendOption(b, optApplication, application)
	if w.part.Number > 0 {
		text, _ := json.Marshal(w.part) // strings and numbers
		b = appendOption(b, optPart, string(text))
	}
	b = endBlock(append(b, 0, 0, 0, 0), start)
	for _, name := range []string{browserInterface, originInterface} {
		b, start = beginBlock(b, blockIDB)
		b = append(b, linkRaw, 0, 0, 0)
		b = append(b, 0, 0, 0, 0) // no snapshot length
		b = appendOption(b, optIfName, name)
		b = appendOption(b, optIfTsresol, "\x09")
		b = endBlock(append(b, 0, 0, 0, 0), start)
	}
	w.buf = b
}

// Continue begins the next part of a recording that NewWriter gave an ID. Its
// head holds the names, keys and places of the connections that are open, in the
// order of their numbers.
func (w *Writer) Continue(open []Continued) {
	w.endSecrets()
	w.room(bufferSize)
	w.part.Number++
	w.part.Before, w.part.Time = w.conns, w.now
	w.section()
	for _, c := range open {
		for _, s := range c.Secrets {
			w.Secret(s)
		}
	}
	w.endSecrets()
	for _, c := range open {
		if c.Name != "" {
			w.Name(c.inFile().Server.Addr(), c.Name)
		}
	}
	text := []byte{'['}
	for _, c := range open {
		one, _ := json.Marshal(c.inFile()) // strings, numbers and addresses
		if len(text)+len(one) > maxOpenBlock {
			w.openBlock(text)
			text = []byte{'['}
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(text, one...)
	}
	if len(text) > 1 {
		w.openBlock(text)
	}
	w.openBlock([]byte{'['}) // an empty one is the last
}

// openBlock writes a block of connections that go on, given as JSON without its end.
func (w *Writer) openBlock(text []byte) {
	w.block(blockOpen, func(b []byte) []byte { return append(b, spaced(append(text, ']'))...) })
}

// Buffered returns how many bytes wait to be written.
func (w *Writer) Buffered() int { return len(w.buf) + len(w.secrets) }

// Flush hands everything to the underlying writer. It returns the first error
// that any write gave.
func (w *Writer) Flush() error {
	w.endSecrets()
	w.drain()
	return w.err
}

// Err returns the first error that any write gave.
func (w *Writer) Err() error { return w.err }

// drain writes the buffer out.
func (w *Writer) drain() {
	switch {
	case w.err != nil || len(w.buf) == 0:
	case w.swap != nil:
		w.buf, w.err = w.swap.Swap(w.buf)
	default:
		_, w.err = w.w.Write(w.buf)
	}
	w.buf = w.buf[:0]
}

// room makes sure that n bytes more fit into the buffer, or that it is empty.
func (w *Writer) room(n int) {
	if len(w.buf)+n > bufferSize {
		w.drain()
	}
}

// block writes one block with the body that add appends.
func (w *Writer) block(kind uint32, add func([]byte) []byte) {
	w.endSecrets()
	w.room(bufferSize / 2)
	b, start := beginBlock(w.buf, kind)
	w.buf = endBlock(add(b), start)
	if cap(w.buf) > 4*bufferSize {
		w.drain()
		w.buf = make([]byte, 0, bufferSize)
	}
}

// Secret adds a key log line. It stands in the file before every packet that
// is written after it.
func (w *Writer) Secret(line keys.Secret) {
	text := line.String()
	if len(w.secrets)+len(text) >= maxSecrets {
		w.endSecrets()
	}
	w.secrets = append(append(w.secrets, text...), '\n')
}

// endSecrets writes the waiting key log lines as one Decryption Secrets Block.
func (w *Writer) endSecrets() {
	if len(w.secrets) == 0 {
		return
	}
	lines := w.secrets
	w.secrets = w.secrets[:0]
	w.room(bufferSize / 2)
	b, start := beginBlock(w.buf, blockDSB)
	b = binary.LittleEndian.AppendUint32(b, secretsTLS)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(lines)))
	w.buf = endBlock(append(b, lines...), start)
}

// Fact adds a fact. Its time is raised as a packet's is.
func (w *Writer) Fact(f capture.Fact) {
	f.Time = w.clock(f.Time)
	text, err := json.Marshal(f)
	if err != nil {
		return // cannot happen: a Fact holds strings, numbers and bytes
	}
	w.block(blockFact, func(b []byte) []byte { return append(b, spaced(text)...) })
}

// Name adds the name under which an address was found.
func (w *Writer) Name(addr netip.Addr, name string) {
	addr = addr.Unmap()
	if !addr.IsValid() || len(name) > 1<<10 {
		return
	}
	w.block(blockNRB, func(b []byte) []byte {
		kind := byte(nameIPv4)
		if addr.Is6() {
			kind = nameIPv6
		}
		b = append(b, kind, 0)
		b = binary.LittleEndian.AppendUint16(b, uint16(addr.BitLen()/8+len(name)+1))
		b = append(b, addr.AsSlice()...)
		b = append(b, name...)
		b = pad(append(b, 0))
		return append(b, 0, 0, 0, 0)
	})
}

// clock returns t, or the latest time written if that is later.
func (w *Writer) clock(t int64) int64 {
	w.now = max(w.now, t)
	return w.now
}

// beginBlock appends the head of a block and returns where it starts.
func beginBlock(b []byte, kind uint32) ([]byte, int) {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, kind)
	return append(b, 0, 0, 0, 0), start
}

// endBlock pads the block that starts at start and fills in both its lengths.
func endBlock(b []byte, start int) []byte {
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	n := uint32(len(b) - start + 4)
	binary.LittleEndian.PutUint32(b[start+4:], n)
	return binary.LittleEndian.AppendUint32(b, n)
}

// pad appends zeros until the length of b is a multiple of 4. Every block is,
// so it is that of the block, too.
func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// appendOption appends a pcapng option. One of more than 65,535 bytes is cut.
func appendOption(b []byte, code uint16, value string) []byte {
	value = value[:min(len(value), 0xffff)]
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return pad(append(b, value...))
}

const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

const (
	epbHead    = 28 // bytes before the packet in an Enhanced Packet Block
	tcpHead    = 20
	synOptions = "\x02\x04\x41\x05\x03\x03\x0e\x00" // MSS 16645, window scale 14, end of list
	// With window scale 14 this is 1 GiB, so that no packet ever seems to overrun it.
	window = 0xffff
)

// A Stream writes one TCP connection.
type Stream struct {
	w      *Writer
	number int
	leg    capture.Leg
	ends   [2]netip.AddrPort
	ipHead int // bytes of IP header: 20 or 40
	side   [2]sender
	reset  bool
}

// A sender is what is known of one side: its next packet but for lengths, numbers and checksums.
type sender struct {
	head  [epbHead + 40 + tcpHead]byte
	sum   uint64 // of the TCP pseudo-header without its length
	next  uint32 // sequence number of the next byte
	sent  int64  // bytes
	acked uint32 // what the other side has acknowledged
	fin   bool
}

// Open writes the three packets that open a connection. Connections are
// numbered from 1 in the order of Open. An address that is not valid becomes
// 0.0.0.0; IPv4 addresses mapped into IPv6 are written as IPv4.
func (w *Writer) Open(leg capture.Leg, client, server netip.AddrPort, t int64) *Stream {
	w.conns++
	// Consecutive connections get numbers far apart, so that a port that is used
	// again is not taken for a retransmission.
	isn := uint32(w.conns) * 0x9e3779b1
	return w.open(leg, client, server, t, isn, isn^0x5bd1e995)
}

func (w *Writer) open(leg capture.Leg, client, server netip.AddrPort, t int64, clientISN, serverISN uint32) *Stream {
	s := &Stream{w: w, number: w.conns, leg: leg, ipHead: 20}
	from, to, six := ipEnds(client.Addr(), server.Addr())
	if six {
		s.ipHead = 40
	}
	s.ends = [2]netip.AddrPort{netip.AddrPortFrom(from, client.Port()), netip.AddrPortFrom(to, server.Port())}
	s.side[capture.Client].init(s.ipHead, leg, from, to, client.Port(), server.Port())
	s.side[capture.Server].init(s.ipHead, leg, to, from, server.Port(), client.Port())
	s.side[capture.Client].next = clientISN
	s.side[capture.Server].next = serverISN
	w.endSecrets()
	s.packet(capture.Client, flagSYN, t, nil)
	s.packet(capture.Server, flagSYN|flagACK, t, nil)
	s.packet(capture.Client, flagACK, t, nil)
	return s
}

// ipEnds returns two addresses as they are written, and whether in packets of IPv6.
func ipEnds(a, b netip.Addr) (netip.Addr, netip.Addr, bool) {
	a, b = a.Unmap(), b.Unmap()
	if !a.IsValid() {
		a = netip.IPv4Unspecified()
	}
	if !b.IsValid() {
		b = netip.IPv4Unspecified()
	}
	return a, b, a.Is6() || b.Is6()
}

// ipTemplate fills in an IP header of ipHead bytes, 20 or 40, but for lengths and checksum, and returns the
// sum of the pseudo-header that goes into its content's checksum, without the length.
func ipTemplate(ip []byte, ipHead int, proto byte, from, to netip.Addr) uint64 {
	sum := uint64(proto) << 8
	if ipHead == 20 {
		ip[0] = 0x45
		ip[6] = 0x40 // don't fragment
		ip[8] = 64   // time to live
		ip[9] = proto
		a, b := from.As4(), to.As4()
		copy(ip[12:], a[:])
		copy(ip[16:], b[:])
		return sum + sum16(ip[12:20])
	}
	ip[0] = 0x60
	ip[6] = proto
	ip[7] = 64 // hop limit
	a, b := from.As16(), to.As16()
	copy(ip[8:], a[:])
	copy(ip[24:], b[:])
	return sum + sum16(ip[8:40])
}

// init makes the template of a sender's packets.
func (d *sender) init(ipHead int, leg capture.Leg, from, to netip.Addr, fromPort, toPort uint16) {
	binary.LittleEndian.PutUint32(d.head[0:], blockEPB)
	if leg == capture.LegOrigin {
		d.head[8] = 1
	}
	ip := d.head[epbHead:]
	d.sum = ipTemplate(ip, ipHead, protoTCP, from, to)
	tcp := ip[ipHead:]
	binary.BigEndian.PutUint16(tcp[0:], fromPort)
	binary.BigEndian.PutUint16(tcp[2:], toPort)
	binary.BigEndian.PutUint16(tcp[14:], window)
}

// Number returns the connection's number in its recording, from 1.
func (s *Stream) Number() int { return s.number }

// Data writes bytes that side sent, as packets of at most 16,645 bytes. What comes
// after the side's Fin, or after a Reset, is not written: TCP has no place for it.
func (s *Stream) Data(side capture.Side, t int64, data []byte) {
	d := &s.side[side]
	if s.reset || d.fin {
		return
	}
	s.w.endSecrets()
	for len(data) > 0 {
		if d.next-d.acked >= maxUnacked {
			s.packet(side.Other(), flagACK, t, nil)
		}
		flags := byte(flagACK)
		n := min(len(data), maxPayload)
		if n == len(data) {
			flags |= flagPSH
		}
		s.packet(side, flags, t, data[:n])
		data = data[n:]
	}
}

// Around is Data for n bytes that lie in buf behind HeadRoom and before TailRoom,
// at most MaxPayload, of which [Sum] is known: it makes the packet around them.
// Everything before it is handed to the underlying writer; the packet, which is
// returned, is the caller's to write behind that. It is nil where Data writes nothing.
func (s *Stream) Around(side capture.Side, t int64, buf []byte, n int, sum uint64) []byte {
	d := &s.side[side]
	if s.reset || d.fin {
		return nil
	}
	s.w.endSecrets()
	if d.next-d.acked >= maxUnacked {
		s.packet(side.Other(), flagACK, t, nil)
	}
	s.w.drain()
	head, total := s.sizes(n)
	b := buf[HeadRoom-head:][:total:total]
	s.envelope(b, side, flagACK|flagPSH, t, n, sum)
	return b
}

// Fin writes the end of what side sends.
func (s *Stream) Fin(side capture.Side, t int64) {
	if s.reset || s.side[side].fin {
		return
	}
	s.side[side].fin = true
	s.w.endSecrets()
	s.packet(side, flagFIN|flagACK, t, nil)
}

// Reset writes the abrupt end of both directions, as side told it.
func (s *Stream) Reset(side capture.Side, t int64) {
	if s.reset {
		return
	}
	s.reset = true
	s.w.endSecrets()
	s.packet(side, flagRST|flagACK, t, nil)
}

// packet writes one packet of side.
func (s *Stream) packet(side capture.Side, flags byte, t int64, payload []byte) {
	w := s.w
	if flags&flagSYN != 0 {
		payload = []byte(synOptions)
	}
	head, total := s.sizes(len(payload))
	w.room(total)
	at := len(w.buf)
	w.buf = w.buf[:at+total]
	b := w.buf[at:]
	copy(b[head:], payload)
	s.envelope(b, side, flags, t, len(payload), sum16(payload))
}

// sizes returns how many bytes a packet's block has before its payload of n bytes, and altogether.
func (s *Stream) sizes(n int) (head, total int) {
	head = epbHead + s.ipHead + tcpHead
	return head, (head+n+3)&^3 + 4
}

// envelope makes a packet of side around its payload of n bytes, the options of a SYN included.
func (s *Stream) envelope(b []byte, side capture.Side, flags byte, t int64, n int, sum uint64) {
	d, o := &s.side[side], &s.side[side.Other()]
	options := 0
	if flags&flagSYN != 0 {
		options = n
	}
	head, total := s.sizes(n)
	length := head - epbHead + n
	copy(b, d.head[:head])
	ts := uint64(s.w.clock(t))
	binary.LittleEndian.PutUint32(b[4:], uint32(total))
	binary.LittleEndian.PutUint32(b[12:], uint32(ts>>32))
	binary.LittleEndian.PutUint32(b[16:], uint32(ts))
	binary.LittleEndian.PutUint32(b[20:], uint32(length))
	binary.LittleEndian.PutUint32(b[24:], uint32(length))
	clear(b[head+n:])
	binary.LittleEndian.PutUint32(b[total-4:], uint32(total))

	ip := b[epbHead:head]
	if s.ipHead == 20 {
		binary.BigEndian.PutUint16(ip[2:], uint16(length))
		binary.LittleEndian.PutUint16(ip[10:], ^fold(sum16(ip[:20])))
	} else {
		binary.BigEndian.PutUint16(ip[4:], uint16(length-40))
	}

	tcp := ip[s.ipHead:]
	binary.BigEndian.PutUint32(tcp[4:], d.next)
	if flags&flagACK != 0 {
		binary.BigEndian.PutUint32(tcp[8:], o.next)
		o.acked = o.next
	}
	tcp[12] = byte((tcpHead + options) / 4 << 4)
	tcp[13] = flags
	segment := uint16(tcpHead + n)
	sum += d.sum + uint64(bits.ReverseBytes16(segment)) + sum16(tcp)
	binary.LittleEndian.PutUint16(tcp[16:], ^fold(sum))

	d.next += uint32(n - options)
	d.sent += int64(n - options)
	if flags&(flagSYN|flagFIN) != 0 {
		d.next++
	}
}

// Sum returns what [Stream.Around] wants to know of its bytes.
func Sum(b []byte) uint64 { return sum16(b) }

// sum16 adds b up as little-endian 16-bit words in ones' complement arithmetic,
// as RFC 1071 allows on any byte order; an odd last byte is followed by a zero.
// The result fits into 17 bits.
func sum16(b []byte) uint64 {
	var s, c uint64
	for len(b) >= 64 {
		p := b[:64]
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[0:]), 0)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[8:]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[16:]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[24:]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[32:]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[40:]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[48:]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[56:]), c)
		s += c // cannot overflow: after a carry the sum is below its largest value
		b = b[64:]
	}
	for len(b) >= 8 {
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(b), 0)
		s += c
		b = b[8:]
	}
	if len(b) > 0 {
		var tail [8]byte
		copy(tail[:], b)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(tail[:]), 0)
		s += c
	}
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	return s>>16 + s&0xffff
}

// fold brings a sum of sums into 16 bits.
func fold(s uint64) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
