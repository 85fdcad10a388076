package pcap

import (
	"encoding/binary"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"explainer/capture"
)

// Link types (the LINKTYPE_ registry) that begin with an IP header, or are read here.
const (
	linkNull     = 0
	linkEthernet = 1
	linkRawBSD   = 12
	linkRawOpen  = 14
	linkRaw      = 101
	linkLoop     = 108
	linkSLL      = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276
)

const protoTCP = 6

// links takes the link layer off packets.
type links struct {
	eth  layers.Ethernet
	vlan layers.Dot1Q
	loop layers.Loopback
}

// payload returns the IP packet in a packet of a link type, or the reason why there is none.
func (l *links) payload(link uint16, data []byte) (ip []byte, reason string) {
	switch link {
	case linkRaw, linkRawBSD, linkRawOpen, linkIPv4, linkIPv6:
		return data, ""
	case linkEthernet:
		if l.eth.DecodeFromBytes(data, gopacket.NilDecodeFeedback) != nil {
			return nil, SkippedCut
		}
		if ip, reason = l.ether(l.eth.EthernetType, l.eth.Payload); reason == SkippedNotIP && l.eth.EthernetType != layers.EthernetTypeARP {
			return other(link, data)
		}
		return ip, reason
	case linkNull, linkLoop:
		if l.loop.DecodeFromBytes(data, gopacket.NilDecodeFeedback) != nil {
			return nil, SkippedNotIP
		}
		if next := l.loop.Family.LayerType(); next != layers.LayerTypeIPv4 && next != layers.LayerTypeIPv6 {
			return nil, SkippedNotIP
		}
		return l.loop.Payload, ""
	case linkSLL: // not with gopacket, which panics on a false address length
		if len(data) < 16 {
			return nil, SkippedCut
		}
		return l.ether(layers.EthernetType(binary.BigEndian.Uint16(data[14:])), data[16:])
	case linkSLL2:
		if len(data) < 20 {
			return nil, SkippedCut
		}
		return l.ether(layers.EthernetType(binary.BigEndian.Uint16(data)), data[20:])
	}
	if link > 0xff {
		return nil, SkippedLinkType
	}
	return other(link, data)
}

// ether takes off VLAN tags.
func (l *links) ether(kind layers.EthernetType, data []byte) (ip []byte, reason string) {
	for kind == layers.EthernetTypeDot1Q || kind == layers.EthernetTypeQinQ {
		if l.vlan.DecodeFromBytes(data, gopacket.NilDecodeFeedback) != nil {
			return nil, SkippedCut
		}
		kind, data = l.vlan.Type, l.vlan.Payload
	}
	if kind != layers.EthernetTypeIPv4 && kind != layers.EthernetTypeIPv6 {
		return nil, SkippedNotIP
	}
	return data, ""
}

// other finds the IP packet wherever gopacket knows the way to it: PPP, PPPoE,
// MPLS, 802.11 and so on.
func other(link uint16, data []byte) (ip []byte, reason string) {
	p := gopacket.NewPacket(data, layers.LinkType(link), gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	for _, kind := range []gopacket.LayerType{layers.LayerTypeIPv4, layers.LayerTypeIPv6} {
		if layer := p.Layer(kind); layer != nil {
			return whole(layer), ""
		}
	}
	if all := p.Layers(); len(all) == 0 || all[0].LayerType() == gopacket.LayerTypeDecodeFailure {
		return nil, SkippedLinkType
	}
	return nil, SkippedNotIP
}

// whole returns the bytes of a layer and of what it carries. With NoCopy they
// stand one after the other.
func whole(layer gopacket.Layer) []byte {
	head := layer.LayerContents()
	return head[:min(len(head)+len(layer.LayerPayload()), cap(head))]
}

// tunnelled returns the innermost IP packet within an IP packet that is itself
// no TCP: IP in IP, GRE, and in UDP VXLAN, Geneve and GTP, as the mirrors of
// clouds and of mobile networks send it. It returns nil if there is none.
func tunnelled(ip []byte) []byte {
	first, proto, head := gopacket.Decoder(layers.LayerTypeIPv4), byte(0), 40
	if ip[0]>>4 == 4 {
		proto, head = ip[9], int(ip[0]&15)*4
	} else {
		first, proto = layers.LayerTypeIPv6, ip[6]
	}
	switch proto {
	case 4, 41, 47: // IPv4, IPv6, GRE
	case 17: // UDP
		if len(ip) < head+8 {
			return nil
		}
		switch binary.BigEndian.Uint16(ip[head+2:]) {
		case 2152, 4789, 6081: // GTP-U, VXLAN, Geneve
		default:
			return nil
		}
	default:
		return nil
	}
	all := gopacket.NewPacket(ip, first, gopacket.DecodeOptions{NoCopy: true}).Layers()
	for i := len(all) - 1; i > 0; i-- {
		if kind := all[i].LayerType(); kind == layers.LayerTypeIPv4 || kind == layers.LayerTypeIPv6 {
			return whole(all[i])
		}
	}
	return nil
}

// A segment is what one packet says about a TCP connection.
type segment struct {
	from, to         [16]byte // addresses; IPv4 as mapped into IPv6
	fromPort, toPort uint16
	seq, ack         uint32
	flags            byte
	data             []byte
	missing          int // bytes of payload after data that the capture does not hold
}

var mapped = [12]byte{10: 0xff, 11: 0xff}

// parse reads an IP packet of which the capture lacks the last cut bytes. It
// returns why it is none of interest. Checksums are not looked at: where they
// are left to the network card, those in a capture are false.
func (p *segment) parse(ip []byte, cut int) (reason string) {
	if len(ip) == 0 {
		return SkippedCut
	}
	var body []byte
	switch ip[0] >> 4 {
	case 4:
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
		if ip[9] != protoTCP {
			return SkippedNotTCP
		}
		if binary.BigEndian.Uint16(ip[6:])&0x1fff != 0 {
			return SkippedFragment
		}
		if len(ip) < head {
			return SkippedCut
		}
		copy(p.from[:], mapped[:])
		copy(p.from[12:], ip[12:])
		copy(p.to[:], mapped[:])
		copy(p.to[12:], ip[16:])
		body = ip[head:min(total, len(ip))]
		p.missing = total - head - len(body)
	case 6:
		if len(ip) < 40 {
			return SkippedCut
		}
		length, next := int(binary.BigEndian.Uint16(ip[4:])), ip[6]
		if length == 0 {
			length = len(ip) - 40 + cut
		}
		copy(p.from[:], ip[8:])
		copy(p.to[:], ip[24:])
		body = ip[40:min(40+length, len(ip))]
		p.missing = length - len(body)
		for next != protoTCP {
			n := 8
			switch next {
			case 0, 43, 60: // hop-by-hop options, routing, destination options
				if len(body) >= 2 {
					n = (int(body[1]) + 1) * 8
				}
			case 44: // fragment
				if len(body) >= 4 && binary.BigEndian.Uint16(body[2:])&^7 != 0 {
					return SkippedFragment
				}
			case 51: // authentication header
				if len(body) >= 2 {
					n = (int(body[1]) + 2) * 4
				}
			default:
				return SkippedNotTCP
			}
			if len(body) < n {
				return SkippedCut
			}
			next, body = body[0], body[n:]
		}
	default:
		return SkippedNotIP
	}
	if len(body) < tcpHead {
		return SkippedCut
	}
	head := int(body[12]>>4) * 4
	if head < tcpHead {
		return SkippedMalformed
	}
	if head > len(body) {
		return SkippedCut
	}
	p.fromPort, p.toPort = binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:])
	p.seq, p.ack = binary.BigEndian.Uint32(body[4:]), binary.BigEndian.Uint32(body[8:])
	p.flags = body[13]
	p.data = body[head:]
	return ""
}

// tuple names a connection; a is the lower end.
type tuple struct {
	a, b   [16]byte
	ap, bp uint16
	leg    uint16
}

// tuple returns the connection of a segment and who sent it: 0 is the tuple's a.
func (p *segment) tuple(leg capture.Leg) (tuple, int) {
	if order := compare(&p.from, &p.to); order < 0 || order == 0 && p.fromPort <= p.toPort {
		return tuple{p.from, p.to, p.fromPort, p.toPort, uint16(leg)}, 0
	}
	return tuple{p.to, p.from, p.toPort, p.fromPort, uint16(leg)}, 1
}

// compare orders two addresses.
func compare(a, b *[16]byte) int {
	for i := 0; i < 16; i += 8 {
		x, y := binary.BigEndian.Uint64(a[i:]), binary.BigEndian.Uint64(b[i:])
		if x != y {
			if x < y {
				return -1
			}
			return 1
		}
	}
	return 0
}
