package pcap

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"net/netip"

	"explainer/capture"
)

// MaxDatagram is how many bytes a datagram carries at most (RFC 768, RFC 791).
const MaxDatagram = 65535 - 20 - udpHead

// A Datagrams writes one connection of QUIC, whose packets are UDP datagrams.
type Datagrams struct {
	w      *Writer
	number int
	leg    capture.Leg
	ends   [2]netip.AddrPort
	sent   [2]int64 // bytes, by side
	side   [2]struct {
		head [40 + udpHead]byte
		sum  uint64 // of the pseudo-header without its length, and the ports
	}
	ipHead int
}

// openUDP is how the beginning of a connection over UDP stands in the file: no packet shows it for certain.
type openUDP struct {
	Conn   int            `json:"conn"`
	Leg    capture.Leg    `json:"leg"`
	Client netip.AddrPort `json:"client"`
	Server netip.AddrPort `json:"server"`
}

// OpenUDP begins a connection of QUIC. It is numbered as those of [Writer.Open] are, from here on; its packets,
// each with the number beside it, come later. Addresses are treated as by Open.
func (w *Writer) OpenUDP(leg capture.Leg, client, server netip.AddrPort) *Datagrams {
	w.conns++
	d := &Datagrams{w: w, number: w.conns, leg: leg, ipHead: 20}
	from, to, six := ipEnds(client.Addr(), server.Addr())
	if six {
		d.ipHead = 40
	}
	d.ends = [2]netip.AddrPort{netip.AddrPortFrom(from, client.Port()), netip.AddrPortFrom(to, server.Port())}
	for side := range d.side {
		from, to := d.ends[side], d.ends[1-side]
		s := &d.side[side]
		s.sum = ipTemplate(s.head[:], d.ipHead, protoUDP, from.Addr(), to.Addr())
		udp := s.head[d.ipHead:]
		binary.BigEndian.PutUint16(udp, from.Port())
		binary.BigEndian.PutUint16(udp[2:], to.Port())
		s.sum += sum16(udp[:4])
	}
	text, _ := json.Marshal(openUDP{d.number, leg, d.ends[capture.Client], d.ends[capture.Server]}) // numbers and addresses
	w.block(blockUDP, func(b []byte) []byte { return append(b, spaced(text)...) })
	return d
}

// spaced ends a JSON text with spaces up to a multiple of four bytes, so that its block needs no length of its own.
func spaced(text []byte) []byte {
	for len(text)%4 != 0 {
		text = append(text, ' ')
	}
	return text
}

// Number returns the connection's number in its recording, from 1.
func (d *Datagrams) Number() int { return d.number }

// Write writes a datagram that side sent, of at most [MaxDatagram] bytes; longer ones are not written.
func (d *Datagrams) Write(side capture.Side, t int64, data []byte) {
	if len(data) > MaxDatagram {
		return
	}
	w, s := d.w, &d.side[side]
	w.endSecrets()
	head := epbHead + d.ipHead + udpHead
	body := (head + len(data) + 3) &^ 3
	total := body + 12 + 4 // the connection's number and the end of the options
	w.room(total)
	at := len(w.buf)
	if at+total > cap(w.buf) {
		return // cannot happen: a buffer holds several
	}
	w.buf = w.buf[:at+total]
	b := w.buf[at:]
	length := head - epbHead + len(data)
	ts := uint64(w.clock(t))
	clear(b[:epbHead])
	binary.LittleEndian.PutUint32(b, blockEPB)
	binary.LittleEndian.PutUint32(b[4:], uint32(total))
	if d.leg == capture.LegOrigin {
		b[8] = 1
	}
	binary.LittleEndian.PutUint32(b[12:], uint32(ts>>32))
	binary.LittleEndian.PutUint32(b[16:], uint32(ts))
	binary.LittleEndian.PutUint32(b[20:], uint32(length))
	binary.LittleEndian.PutUint32(b[24:], uint32(length))
	copy(b[epbHead:], s.head[:d.ipHead+udpHead])
	copy(b[head:], data)
	clear(b[head+len(data):])
	binary.LittleEndian.PutUint16(b[body:], optConn)
	binary.LittleEndian.PutUint16(b[body+2:], 4)
	binary.LittleEndian.PutUint32(b[body+4:], uint32(d.number))
	binary.LittleEndian.PutUint32(b[total-4:], uint32(total))

	ip := b[epbHead:head]
	if d.ipHead == 20 {
		binary.BigEndian.PutUint16(ip[2:], uint16(length))
		binary.LittleEndian.PutUint16(ip[10:], ^fold(sum16(ip[:20])))
	} else {
		binary.BigEndian.PutUint16(ip[4:], uint16(length-40))
	}
	udp := ip[d.ipHead:]
	n := uint16(udpHead + len(data))
	binary.BigEndian.PutUint16(udp[4:], n)
	swapped := uint64(bits.ReverseBytes16(n))
	sum := ^fold(s.sum + 2*swapped + sum16(data))
	if sum == 0 {
		sum = 0xffff // 0 is none (RFC 768)
	}
	binary.LittleEndian.PutUint16(udp[6:], sum)
	d.sent[side] += int64(len(data))
}
