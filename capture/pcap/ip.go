package pcap

import (
	"bytes"
	"encoding/binary"
)

const (
	protoICMP   = 1
	protoICMPv6 = 58

	maxNesting = 8 // of IP packets in tunnels or fragments
)

// A header is what the headers of an IP packet say.
type header struct {
	from, to [16]byte // addresses; IPv4 as mapped into IPv6
	proto    byte     // of what comes after the headers
	body     []byte
	missing  int // bytes of the packet after body that the capture does not hold

	// Of a fragment (RFC 791 3.2, RFC 8200 4.5):
	fragment bool
	more     bool   // there is one after it
	off      int    // of body in the whole packet's
	id       uint32 // the same for all fragments of a packet
	head     []byte // of the packet, without the fragment header
	next     int    // where in head it says what comes after it
}

// parse reads the headers of an IP packet of which the capture lacks the last
// cut bytes. It returns why it cannot. Checksums are not looked at: where they
// are left to the network card, those in a capture are false.
func (h *header) parse(ip []byte, cut int) (reason string) {
	*h = header{}
	if len(ip) == 0 {
		return SkippedCut
	}
	switch ip[0] >> 4 {
	case 4:
		return h.parse4(ip, cut)
	case 6:
		return h.parse6(ip, cut)
	}
	return SkippedNotIP
}

func (h *header) parse4(ip []byte, cut int) (reason string) {
	if len(ip) < 20 {
		return SkippedCut
	}
	head, total := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if total == 0 { // left to the network card, too
		total = len(ip) + cut
	}
	if head < 20 || total < head {
		return SkippedMalformed
	}
	if len(ip) < head {
		return SkippedCut
	}
	copy(h.from[:], mapped[:])
	copy(h.from[12:], ip[12:])
	copy(h.to[:], mapped[:])
	copy(h.to[12:], ip[16:])
	h.proto = ip[9]
	h.body = ip[head:min(total, len(ip))]
	h.missing = total - head - len(h.body)
	part := binary.BigEndian.Uint16(ip[6:])
	h.off, h.more = int(part&0x1fff)*8, part&0x2000 != 0
	h.fragment = h.off > 0 || h.more
	h.id = uint32(binary.BigEndian.Uint16(ip[4:]))
	h.head, h.next = ip[:head], 9
	return ""
}

func (h *header) parse6(ip []byte, cut int) (reason string) {
	if len(ip) < 40 {
		return SkippedCut
	}
	length := int(binary.BigEndian.Uint16(ip[4:]))
	if length == 0 {
		length = len(ip) - 40 + cut
	}
	copy(h.from[:], ip[8:])
	copy(h.to[:], ip[24:])
	h.proto = ip[6]
	end := min(40+length, len(ip))
	h.missing = 40 + length - end
	at, next := 40, 6
	for {
		b := ip[at:end]
		h.body = b
		n := 8
		switch h.proto {
		case 0, 43, 60: // hop-by-hop options, routing, destination options
			if len(b) >= 2 {
				n = (int(b[1]) + 1) * 8
			}
		case 44: // fragment
		case 51: // authentication header
			if len(b) >= 2 {
				n = (int(b[1]) + 2) * 4
			}
		default:
			return ""
		}
		if len(b) < n {
			return SkippedCut
		}
		if h.proto == 44 {
			part := binary.BigEndian.Uint16(b[2:])
			h.off, h.more = int(part&^7), part&1 != 0
			if h.fragment = h.off > 0 || h.more; h.fragment {
				h.id = binary.BigEndian.Uint32(b[4:])
				h.head, h.next = ip[:at], next
				h.proto, h.body = b[0], b[8:]
				return ""
			}
		}
		h.proto, next, at = b[0], at, at+n
	}
}

// A segment is what one packet says about a TCP connection, or a UDP datagram.
type segment struct {
	from, to         [16]byte // addresses; IPv4 as mapped into IPv6
	fromPort, toPort uint16
	seq, ack         uint32
	flags            byte
	data             []byte
	missing          int  // bytes of payload after data that the capture does not hold
	padded           bool // there was nothing in it but padding
	zeros            int  // that stand behind data, and are part of it or padding
}

var mapped = [12]byte{10: 0xff, 11: 0xff}

// tcp reads the TCP header in an IP packet.
func (p *segment) tcp(h *header) (reason string) {
	if len(h.body) < tcpHead {
		return SkippedCut
	}
	head := int(h.body[12]>>4) * 4
	if head < tcpHead {
		return SkippedMalformed
	}
	if head > len(h.body) {
		return SkippedCut
	}
	*p = segment{
		from: h.from, to: h.to,
		fromPort: binary.BigEndian.Uint16(h.body), toPort: binary.BigEndian.Uint16(h.body[2:]),
		seq: binary.BigEndian.Uint32(h.body[4:]), ack: binary.BigEndian.Uint32(h.body[8:]),
		flags: h.body[13],
		data:  h.body[head:], missing: h.missing,
	}
	return ""
}

// unpad sets apart the zeros at the end of what a segment carries that may fill an Ethernet
// frame to its least length (46 bytes of payload, 42 behind a VLAN tag: IEEE 802.3 3.2.8):
// some devices count those in the length of the IP packet. Where it carries nothing else,
// and its sender does not push it, they are.
func (p *segment) unpad(h *header) {
	if size := len(h.head) + len(h.body); size != 46 && size != 42 || p.missing > 0 {
		return
	}
	data := bytes.TrimRight(p.data, "\x00")
	n := len(p.data) - len(data)
	switch {
	case len(data) == 0 && p.flags&flagPSH == 0:
		p.data, p.padded = nil, true
	case p.flags&(flagSYN|flagFIN|flagRST) == 0 && n < len(p.data):
		p.data, p.zeros = data, n
	}
}

// udp reads the UDP header in an IP packet. It tells false if it is not there.
func (p *segment) udp(h *header) bool {
	if len(h.body) < udpHead {
		return false
	}
	*p = segment{
		from: h.from, to: h.to,
		fromPort: binary.BigEndian.Uint16(h.body), toPort: binary.BigEndian.Uint16(h.body[2:]),
		data: h.body[udpHead:], missing: h.missing,
	}
	// The length in UDP's header tells where the content ends; 0 is a jumbogram
	// (RFC 2675), or left to the network card.
	if n := int(binary.BigEndian.Uint16(h.body[4:])) - udpHead; n >= 0 {
		p.missing = max(0, n-len(p.data))
		p.data = p.data[:min(n, len(p.data))]
	}
	return p.missing <= h.missing
}
