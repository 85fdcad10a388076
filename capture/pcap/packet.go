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

const (
	protoTCP  = 6
	maxLayers = 1<<16 + 256 // bytes that gopacket is given: an IP packet and what stands before it
)

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
		if ip, reason = l.ether(l.eth.EthernetType, l.eth.Payload); reason == SkippedNotIP {
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
	switch kind {
	case layers.EthernetTypeIPv4, layers.EthernetTypeIPv6:
		return data, ""
	case layers.EthernetTypeARP:
		return nil, SkippedARP
	}
	return nil, SkippedNotIP
}

// other finds the IP packet wherever gopacket knows the way to it: PPP, PPPoE,
// MPLS, 802.11 and so on.
func other(link uint16, data []byte) (ip []byte, reason string) {
	data = data[:min(len(data), maxLayers)]
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
func tunnelled(ip []byte, h *header) []byte {
	switch h.proto {
	case 4, 41, 47: // IPv4, IPv6, GRE
	case protoUDP:
		if len(h.body) < udpHead {
			return nil
		}
		switch binary.BigEndian.Uint16(h.body[2:]) {
		case 2152, 4789, 6081: // GTP-U, VXLAN, Geneve
		default:
			return nil
		}
	default:
		return nil
	}
	first := layers.LayerTypeIPv4
	if ip[0]>>4 == 6 {
		first = layers.LayerTypeIPv6
	}
	ip = ip[:min(len(ip), maxLayers)]
	all := gopacket.NewPacket(ip, first, gopacket.DecodeOptions{NoCopy: true}).Layers()
	for i := len(all) - 1; i > 0; i-- {
		if kind := all[i].LayerType(); kind == layers.LayerTypeIPv4 || kind == layers.LayerTypeIPv6 {
			return whole(all[i])
		}
	}
	return nil
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
