package pcap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"explainer/capture/worded"
)

// A registry is where the numbers are kept that say what comes next in a packet.
type registry byte

const (
	ofLink  registry = iota // LINKTYPE_ values (tcpdump.org)
	ofEther                 // EtherTypes (IEEE)
	ofPPP                   // PPP protocols (RFC 1661 2)
	ofIP                    // protocols of IP
	ofUDP                   // UDP ports
)

// A carried is what comes next in a packet.
type carried struct {
	of     registry
	number uint16
}

// Link types (the LINKTYPE_ registry).
const (
	linkNull      = 0
	linkEthernet  = 1
	linkPPP       = 9
	linkRawBSD    = 12
	linkRawOpen   = 14
	linkPPPSerial = 50
	linkRFC1483   = 100
	linkRaw       = 101
	linkCHDLC     = 104
	linkWiFi      = 105
	linkLoop      = 108
	linkSLL       = 113
	linkPrism     = 119
	linkRadiotap  = 127
	linkUser2     = 149 // macOS writes PKTAP under it
	linkAVS       = 163
	linkIPv4      = 228
	linkIPv6      = 229
	linkSLL2      = 276
)

const (
	protoTCP  = 6
	maxHeads  = 32          // between a packet's first byte and its IP packet
	maxLayers = 1<<16 + 256 // bytes that gopacket is given: an IP packet and what stands before it
)

// What most headers lead to.
var (
	anIP       = carried{ofLink, linkRaw} // version 4 or 6, as its first bits say
	anEthernet = carried{ofLink, linkEthernet}
	anLLC      = carried{ofLink, linkRFC1483}
	aPPP       = carried{ofPPP, 0} // from its protocol on, or from address and control before it
	aWiFi      = carried{ofLink, linkWiFi}
	anMPLS     = carried{ofEther, 0x8847}
)

// A head reads the header that a packet begins with: what comes behind it, and
// the bytes of that; or the reason why there is no IP packet in it.
type head func(b []byte) (next carried, rest []byte, reason string)

// heads are the headers that are read, each of which may stand in any other.
var heads = map[carried]head{
	{ofLink, linkNull}:      loopback,
	{ofLink, linkEthernet}:  ethernet,
	{ofLink, 8}:             skip(16, anIP), // SLIP
	{ofLink, linkPPP}:       skip(0, aPPP),
	{ofLink, linkPPPSerial}: serial,
	{ofLink, 51}:            pppoe,
	{ofLink, linkRFC1483}:   llc,
	{ofLink, linkCHDLC}:     etherAt(2, 4), // Cisco's HDLC: address, control
	{ofLink, linkWiFi}:      wifi,
	{ofLink, 107}:           frameRelay,
	{ofLink, linkLoop}:      loopback,
	{ofLink, linkSLL}:       cooked(2, 14, 16),
	{ofLink, linkPrism}:     prism,
	{ofLink, linkRadiotap}:  radiotap,
	{ofLink, 138}:           etherAt(16, 18), // IP over IEEE 1394, of Apple
	{ofLink, linkUser2}:     pktap,
	{ofLink, linkAVS}:       avs,
	{ofLink, 166}:           skip(2, aPPP), // of pppd: direction, control
	{ofLink, 192}:           ppi,
	{ofLink, 197}:           erf,
	{ofLink, 204}:           skip(1, carried{ofLink, linkPPPSerial}), // direction
	{ofLink, 239}:           nflog,
	{ofLink, 242}:           etherAt(40, 44), // IP over InfiniBand
	{ofLink, 252}:           exported,
	{ofLink, 258}:           pktap,
	{ofLink, linkSLL2}:      cooked(8, 0, 20),

	{ofEther, 0x8100}:        etherAt(2, 4), // IEEE 802.1Q, and what providers put around it
	{ofEther, 0x88a8}:        etherAt(2, 4),
	{ofEther, 0x9100}:        etherAt(2, 4),
	{ofEther, 0x9200}:        etherAt(2, 4),
	{ofEther, 0x22eb}:        erspan3,
	{ofEther, 0x22f3}:        trill,
	{ofEther, 0x4305}:        batman,
	{ofEther, 0x6558}:        skip(0, anEthernet),
	{ofEther, 0x880b}:        skip(0, aPPP),
	{ofEther, 0x883e}:        wccp,
	{ofEther, anMPLS.number}: mpls,
	{ofEther, 0x8848}:        mpls,
	{ofEther, 0x8864}:        pppoe,
	{ofEther, 0x88be}:        skip(8, anEthernet), // ERSPAN II
	{ofEther, 0x88e5}:        macsec,
	{ofEther, 0x88e7}:        skip(4, anEthernet), // IEEE 802.1ah
	{ofEther, 0x8909}:        etherAt(6, 8),       // Cisco's metadata
	{ofEther, 0x8926}:        etherAt(4, 6),       // VN-tag
	{ofEther, 0x892f}:        etherAt(4, 6),       // HSR (IEC 62439-3)
	{ofEther, 0x893f}:        etherAt(6, 8),       // IEEE 802.1BR
	{ofEther, 0x894f}:        nsh,
	{ofPPP, aPPP.number}:     ppp,
	{ofPPP, 0x0281}:          mpls,
	{ofPPP, 0x0283}:          mpls,
	{ofIP, 4}:                skip(0, anIP),
	{ofIP, 41}:               skip(0, anIP),
	{ofIP, 47}:               gre,
	{ofIP, 97}:               skip(2, anEthernet), // RFC 3378
	{ofIP, 137}:              mpls,
	{ofUDP, 1701}:            l2tp,
	{ofUDP, 2152}:            gtp,
	{ofUDP, 3544}:            teredo,
	{ofUDP, 4341}:            skip(8, anIP), // LISP (RFC 9300 5)
	{ofUDP, 4754}:            gre,           // RFC 8086
	{ofUDP, 4789}:            vxlan,
	{ofUDP, 4790}:            vxlanGPE,
	{ofUDP, 6080}:            gue,
	{ofUDP, 6081}:            geneve,
	{ofUDP, 6635}:            mpls,  // RFC 7510
	{ofUDP, 8472}:            vxlan, // where Linux had it before it had a port of its own
	{ofUDP, 37008}:           tzsp,
}

// Ports say which tunnel there is behind a UDP port, beside those that are known by theirs.
type Ports map[uint16]string

// tunnels are those that any port may have.
var tunnels = map[string]head{
	"eth": skip(0, anEthernet), "geneve": geneve, "gre": gre, "gtp": gtp, "gue": gue, "ip": skip(0, anIP), "l2tp": l2tp, "mpls": mpls,
	"teredo": teredo, "tzsp": tzsp, "vxlan": vxlan, "vxlan-gpe": vxlanGPE,
}

// Tunnels lists the names of those that any port may have.
func Tunnels() []string { return slices.Sorted(maps.Keys(tunnels)) }

// Add takes PORT=TUNNEL, and returns an error if it is none.
func (p Ports) Add(text string) error {
	port, name, ok := strings.Cut(text, "=")
	number, err := strconv.ParseUint(port, 10, 16)
	switch {
	case !ok || err != nil || number == 0:
		return worded.Error(fmt.Errorf("%q is not a UDP port and a tunnel, as in 8473=vxlan", text), "pcap/decode-as", "value", strconv.Quote(text))
	case tunnels[name] == nil:
		return worded.Error(fmt.Errorf("%q is no tunnel that is read here: %s are", name, strings.Join(Tunnels(), ", ")), "pcap/no-tunnel", "value", strconv.Quote(name), "tunnels", strings.Join(Tunnels(), ", "))
	}
	p[uint16(number)] = name
	return nil
}

// links takes off what stands before and around IP packets.
type links struct {
	ports Ports
	// Where something was not read: the number that says what it is, of the registry
	// that the reason tells; -1 where there is none.
	unread int
}

// payload returns the IP packet in a packet of a link type, or the reason why there is none.
func (l *links) payload(link uint16, data []byte) (ip []byte, reason string) {
	l.unread = -1
	switch { // nearly all
	case link == linkRaw:
		return data, ""
	case link == linkEthernet && len(data) > 14 && data[12] == 0x08 && data[13] == 0:
		return data[14:], ""
	}
	return l.open(carried{ofLink, link}, data)
}

// open takes off headers until there is an IP packet.
func (l *links) open(next carried, data []byte) (ip []byte, reason string) {
	for range maxHeads {
		switch next {
		case anIP, carried{ofLink, linkRawBSD}, carried{ofLink, linkRawOpen}, carried{ofLink, linkIPv4}, carried{ofLink, linkIPv6},
			carried{ofEther, 0x0800}, carried{ofEther, 0x86dd}, carried{ofPPP, 0x0021}, carried{ofPPP, 0x0057}:
			return data, ""
		case carried{ofEther, 0x0806}:
			return nil, SkippedARP
		}
		read, ok := heads[next]
		if !ok {
			l.unread = int(next.number)
			switch next.of {
			case ofLink:
				return l.other(next.number, data)
			case ofEther:
				return nil, SkippedNotIP
			}
			l.unread = -1
			return nil, SkippedNotIP
		}
		if next, data, reason = read(data); reason != "" {
			return nil, reason
		}
	}
	return nil, SkippedNotIP
}

// other finds the IP packet wherever gopacket knows the way to it: FDDI, the log of
// OpenBSD's packet filter and so on.
func (l *links) other(link uint16, data []byte) (ip []byte, reason string) {
	if link > 0xff {
		return nil, SkippedLinkType
	}
	data = data[:min(len(data), maxLayers)]
	p := gopacket.NewPacket(data, layers.LinkType(link), gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	for _, kind := range []gopacket.LayerType{layers.LayerTypeIPv4, layers.LayerTypeIPv6} {
		if layer := p.Layer(kind); layer != nil { // with NoCopy its payload stands behind its header
			head := layer.LayerContents()
			return head[:min(len(head)+len(layer.LayerPayload()), cap(head))], ""
		}
	}
	if all := p.Layers(); len(all) == 0 || all[0].LayerType() == gopacket.LayerTypeDecodeFailure {
		return nil, SkippedLinkType
	}
	l.unread = -1
	return nil, SkippedNotIP
}

// tunnelled returns the IP packet that an IP packet carries which is itself no
// TCP, as the mirrors of clouds and of mobile networks send it: in IP, GRE, MPLS
// or Ethernet, or in UDP at the ports of such tunnels. It returns nil if there is none.
func (l *links) tunnelled(h *header) []byte {
	body, ports := h.body, []carried{{ofIP, uint16(h.proto)}}
	if h.proto == protoUDP {
		if len(body) < udpHead {
			return nil
		}
		ports = []carried{{ofUDP, binary.BigEndian.Uint16(body[2:])}, {ofUDP, binary.BigEndian.Uint16(body)}}
		body = body[udpHead:]
	}
	for _, p := range ports {
		body := body
		if kind := l.ports[p.number]; kind != "" && p.of == ofUDP {
			var reason string
			if p, body, reason = tunnels[kind](body); reason != "" {
				continue
			}
		} else if heads[p] == nil {
			continue
		}
		// Ports may be anybody's, so what is found must look like an IP packet.
		if ip, reason := l.open(p, body); reason == "" && plausible(ip, h.missing) {
			l.unread = -1
			return ip
		}
	}
	return nil
}

// plausible tells whether bytes look like an IP packet of which the capture lacks the last cut ones.
func plausible(ip []byte, cut int) bool {
	if len(ip) < 20 {
		return false
	}
	switch ip[0] >> 4 {
	case 4:
		head, total := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
		return head >= 20 && (total == 0 || total >= head && total <= len(ip)+cut)
	case 6:
		return len(ip) >= 40 && int(binary.BigEndian.Uint16(ip[4:]))+40 <= len(ip)+cut
	}
	return false
}

// skip is a header of n bytes that says nothing about what comes next.
func skip(n int, next carried) head {
	return func(b []byte) (carried, []byte, string) {
		if len(b) < n {
			return next, nil, SkippedCut
		}
		return next, b[n:], ""
	}
}

// etherAt is a header of n bytes that has an EtherType at a place.
func etherAt(at, n int) head {
	return func(b []byte) (carried, []byte, string) {
		if len(b) < n {
			return carried{}, nil, SkippedCut
		}
		return ether(binary.BigEndian.Uint16(b[at:])), b[n:], ""
	}
}

// ether is what an EtherType stands for; a smaller number is a length (IEEE 802.3 3.2.6).
func ether(kind uint16) carried {
	if kind <= 1500 {
		return anLLC
	}
	return carried{ofEther, kind}
}

func ethernet(b []byte) (carried, []byte, string) {
	return etherAt(12, 14)(b)
}

// llc is IEEE 802.2, and SNAP behind it (RFC 1042).
func llc(b []byte) (carried, []byte, string) {
	if len(b) < 8 {
		return carried{}, nil, SkippedCut
	}
	switch {
	case b[0] == 0xaa && b[1] == 0xaa && b[2] == 3:
		return carried{ofEther, binary.BigEndian.Uint16(b[6:])}, b[8:], ""
	case b[0] == 6 && b[1] == 6 && b[2] == 3: // IP
		return anIP, b[3:], ""
	}
	return carried{}, nil, SkippedNotIP
}

// loopback is of BSD and its heirs: the number of an address family in either byte
// order, or an EtherType in its place.
func loopback(b []byte) (carried, []byte, string) {
	if len(b) < 4 {
		return carried{}, nil, SkippedCut
	}
	family := binary.LittleEndian.Uint32(b)
	if family > 0xffff {
		family = bits.ReverseBytes32(family)
	}
	switch family {
	case 2, 10, 24, 28, 30: // IPv4; IPv6 of Linux, NetBSD, FreeBSD, Darwin
		return anIP, b[4:], ""
	}
	if family > 1500 && family <= 0xffff {
		return carried{ofEther, uint16(family)}, b[4:], ""
	}
	return carried{}, nil, SkippedNotIP
}

// cooked is Linux's header of any interface: the kind of hardware (ARPHRD_) and
// the protocol at their places.
func cooked(hardware, protocol, n int) head {
	return func(b []byte) (carried, []byte, string) {
		if len(b) < n {
			return carried{}, nil, SkippedCut
		}
		switch binary.BigEndian.Uint16(b[hardware:]) {
		case 801:
			return aWiFi, b[n:], ""
		case 802:
			return carried{ofLink, linkPrism}, b[n:], ""
		case 803:
			return carried{ofLink, linkRadiotap}, b[n:], ""
		case 824: // netlink, whose protocols have numbers of their own
			return carried{}, nil, SkippedNotIP
		}
		switch kind := binary.BigEndian.Uint16(b[protocol:]); {
		case kind == 4:
			return anLLC, b[n:], ""
		case kind > 1500:
			return carried{ofEther, kind}, b[n:], ""
		}
		return carried{}, nil, SkippedNotIP
	}
}

// ppp reads the protocol, with address and control before it or not, and in one byte or two (RFC 1661 6.5, 6.6).
func ppp(b []byte) (carried, []byte, string) {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 3 {
		b = b[2:]
	}
	if len(b) < 2 {
		return carried{}, nil, SkippedCut
	}
	if b[0]&1 != 0 {
		return carried{ofPPP, uint16(b[0])}, b[1:], ""
	}
	kind := binary.BigEndian.Uint16(b)
	if kind == aPPP.number {
		return carried{}, nil, SkippedMalformed
	}
	return carried{ofPPP, kind}, b[2:], ""
}

// serial is PPP in HDLC's frames (RFC 1662), or Cisco's HDLC.
func serial(b []byte) (carried, []byte, string) {
	if len(b) > 0 && (b[0] == 0x0f || b[0] == 0x8f) {
		return carried{ofLink, linkCHDLC}, b, ""
	}
	return aPPP, b, ""
}

func pppoe(b []byte) (carried, []byte, string) {
	if len(b) < 6 {
		return carried{}, nil, SkippedCut
	}
	if b[1] != 0 { // discovery (RFC 2516 5)
		return carried{}, nil, SkippedNotIP
	}
	return aPPP, b[6:], ""
}

// frameRelay is RFC 2427, or Cisco's form, which has an EtherType at once.
func frameRelay(b []byte) (carried, []byte, string) {
	n := 0
	for n < len(b) && b[n]&1 == 0 { // the address goes on
		n++
	}
	if b = b[min(n+1, len(b)):]; len(b) < 3 {
		return carried{}, nil, SkippedCut
	}
	if b[0] != 3 {
		return etherAt(0, 2)(b)
	}
	if b = b[1:]; b[0] == 0 {
		b = b[1:]
	}
	switch b[0] {
	case 0xcc, 0x8e:
		return anIP, b[1:], ""
	case 0x80:
		return etherAt(4, 6)(b)
	}
	return carried{}, nil, SkippedNotIP
}

// wifi is a frame of IEEE 802.11. Whether its check sequence is behind it does not
// matter: an IP packet tells its own length.
func wifi(b []byte) (carried, []byte, string) {
	if len(b) < 24 {
		if len(b) >= 2 && b[0]&0x0c != 8 {
			return carried{}, nil, SkippedNotIP
		}
		return carried{}, nil, SkippedCut
	}
	if b[0]&0x0c != 8 || b[0]&0x40 != 0 { // management, control, or data without any
		return carried{}, nil, SkippedNotIP
	}
	if b[1]&0x40 != 0 {
		return carried{}, nil, SkippedSealed
	}
	n := 24
	if b[1]&3 == 3 { // a fourth address
		n += 6
	}
	if b[0]&0x80 != 0 {
		if len(b) > n && b[n]&0x80 != 0 {
			return carried{}, nil, SkippedAggregate
		}
		if n += 2; b[1]&0x80 != 0 { // HT control
			n += 4
		}
	}
	return skip(n, anLLC)(b)
}

func radiotap(b []byte) (carried, []byte, string) {
	if len(b) < 8 {
		return carried{}, nil, SkippedCut
	}
	n := int(binary.LittleEndian.Uint16(b[2:]))
	if n < 8 || n > len(b) {
		return carried{}, nil, SkippedMalformed
	}
	at := 8
	for more := b[7]; more&0x80 != 0 && at+4 <= n; at += 4 {
		more = b[at+3]
	}
	if b[4]&1 != 0 { // the time
		at = (at+7)&^7 + 8
	}
	padded := b[4]&2 != 0 && at < n && b[at]&0x20 != 0
	next, rest, reason := wifi(b[n:])
	if head := len(b) - n - len(rest); reason == "" && padded && head%4 != 0 { // up to 32 bits
		return skip(4-head%4, next)(rest)
	}
	return next, rest, reason
}

func prism(b []byte) (carried, []byte, string) {
	if len(b) < 8 {
		return carried{}, nil, SkippedCut
	}
	if binary.BigEndian.Uint32(b)&0xfffff000 == 0x80211000 {
		return avs(b)
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if n > 0xffff {
		n = bits.ReverseBytes32(n)
	}
	return skip(int(n), aWiFi)(b)
}

func avs(b []byte) (carried, []byte, string) {
	if len(b) < 8 {
		return carried{}, nil, SkippedCut
	}
	return skip(int(binary.BigEndian.Uint32(b[4:])), aWiFi)(b)
}

func ppi(b []byte) (carried, []byte, string) {
	if len(b) < 8 {
		return carried{}, nil, SkippedCut
	}
	return skip(int(binary.LittleEndian.Uint16(b[2:])), carried{ofLink, uint16(binary.LittleEndian.Uint32(b[4:]))})(b)
}

// pktap is Apple's: length, kind, link type.
func pktap(b []byte) (carried, []byte, string) {
	if len(b) < 12 {
		return carried{}, nil, SkippedCut
	}
	n, link := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[8:])
	if n < 12 || n > 4096 || link > 0xffff {
		return carried{}, nil, SkippedLinkType
	}
	return skip(int(n), carried{ofLink, uint16(link)})(b)
}

// erf is Endace's extensible record format.
func erf(b []byte) (carried, []byte, string) {
	if len(b) < 16 {
		return carried{}, nil, SkippedCut
	}
	kind, n := b[8], 16
	for more := kind; more&0x80 != 0; n += 8 {
		if n >= len(b) {
			return carried{}, nil, SkippedCut
		}
		more = b[n]
	}
	switch kind & 0x7f {
	case 1, 10, 15, 20: // packets over SONET
		return skip(n, carried{ofLink, linkPPPSerial})(b)
	case 2, 11, 16, 21:
		return skip(n+2, anEthernet)(b) // offset and padding
	case 22, 23:
		return skip(n, anIP)(b)
	}
	return carried{}, nil, SkippedNotIP
}

// nflog is of Linux's packet filter: after four bytes, fields of length, kind and
// value, numbers in the byte order of the machine that captured.
func nflog(b []byte) (carried, []byte, string) {
	const packet = 9
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for at := 4; at+4 <= len(b); {
			n := int(order.Uint16(b[at:]))
			switch kind := order.Uint16(b[at+2:]); {
			case kind == packet && n >= 4:
				return anIP, b[at+4 : min(at+n, len(b))], ""
			case n < 4:
				n = len(b)
			}
			at += (n + 3) &^ 3
		}
	}
	return carried{}, nil, SkippedCut
}

// exported is a piece of a packet that Wireshark wrote without what was around it:
// fields of kind, length and value, of which one names what it is.
func exported(b []byte) (carried, []byte, string) {
	name := ""
	for len(b) >= 4 {
		kind, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		b = b[4:]
		if n > len(b) {
			return carried{}, nil, SkippedCut
		}
		switch kind {
		case 0: // the end
			switch name {
			case "ip", "ipv6", "raw_ip":
				return anIP, b, ""
			case "eth", "eth_maybefcs", "eth_withfcs", "eth_withoutfcs":
				return anEthernet, b, ""
			case "wlan", "wlan_withoutfcs", "wlan_withfcs", "wlan_maybefcs":
				return aWiFi, b, ""
			case "ppp":
				return aPPP, b, ""
			case "mpls":
				return anMPLS, b, ""
			}
			return carried{}, nil, SkippedExported
		case 12:
			name = string(bytes.TrimRight(b[:n], "\x00")) // filled up to 32 bits
		}
		b = b[n:]
	}
	return carried{}, nil, SkippedCut
}

// mpls takes off all labels. What is below them no number says (RFC 4385 1).
func mpls(b []byte) (carried, []byte, string) {
	for len(b) >= 5 {
		bottom := b[2]&1 != 0
		if b = b[4:]; bottom {
			switch b[0] >> 4 {
			case 4, 6:
				return anIP, b, ""
			case 0: // a control word
				return skip(4, anEthernet)(b)
			}
			return anEthernet, b, ""
		}
	}
	return carried{}, nil, SkippedCut
}

// gre is RFC 2784 and RFC 2890, or of PPTP (RFC 2637 4.1).
func gre(b []byte) (carried, []byte, string) {
	if len(b) < 4 {
		return carried{}, nil, SkippedCut
	}
	flags, kind, n := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), 4
	if flags&7 > 1 || flags&0x4000 != 0 { // routes are in it (RFC 1701)
		return carried{}, nil, SkippedNotIP
	}
	for _, bit := range []uint16{0x8000, 0x2000, 0x1000} { // checksum, key, number
		if flags&bit != 0 {
			n += 4
		}
	}
	if flags&7 == 1 && flags&0x80 != 0 { // acknowledgement
		n += 4
	}
	if kind == 0x88be && flags&0x1000 == 0 { // ERSPAN I has no header
		return skip(n, anEthernet)(b)
	}
	return skip(n, carried{ofEther, kind})(b)
}

// erspan3 has 12 bytes, and 8 more where its last bit says so.
func erspan3(b []byte) (carried, []byte, string) {
	if len(b) < 12 {
		return carried{}, nil, SkippedCut
	}
	n := 12
	if b[11]&1 != 0 {
		n += 8
	}
	if b[10]>>2&31 == 2 { // kind of frame: IP
		return skip(n, anIP)(b)
	}
	return skip(n, anEthernet)(b)
}

// wccp is what caches are sent: the IP packet, in its second version with four bytes before it.
func wccp(b []byte) (carried, []byte, string) {
	if len(b) > 0 && b[0]>>4 == 4 {
		return anIP, b, ""
	}
	return skip(4, anIP)(b)
}

// trill is RFC 6325 3.
func trill(b []byte) (carried, []byte, string) {
	if len(b) < 6 {
		return carried{}, nil, SkippedCut
	}
	return skip(6+4*int(binary.BigEndian.Uint16(b)>>6&31), anEthernet)(b)
}

// batman is batman-adv's of the mesh (version 15).
func batman(b []byte) (carried, []byte, string) {
	if len(b) < 1 {
		return carried{}, nil, SkippedCut
	}
	switch b[0] {
	case 0x01: // to all
		return skip(14, anEthernet)(b)
	case 0x40:
		return skip(10, anEthernet)(b)
	case 0x42: // with the sender's address
		return skip(18, anEthernet)(b)
	}
	return carried{}, nil, SkippedNotIP
}

// macsec is IEEE 802.1AE 9.
func macsec(b []byte) (carried, []byte, string) {
	if len(b) < 6 {
		return carried{}, nil, SkippedCut
	}
	if b[0]&0x0c != 0 {
		return carried{}, nil, SkippedSealed
	}
	n := 6
	if b[0]&0x20 != 0 { // a channel's name
		n += 8
	}
	return etherAt(n, n+2)(b)
}

// nsh is RFC 8300 2.2.
func nsh(b []byte) (carried, []byte, string) {
	if len(b) < 4 {
		return carried{}, nil, SkippedCut
	}
	return skip(4*int(b[1]&0x3f), following(b[3]))(b)
}

// following is what the protocols of NSH and VXLAN-GPE stand for.
func following(kind byte) carried {
	switch kind {
	case 1, 2:
		return anIP
	case 3:
		return anEthernet
	case 4:
		return carried{ofEther, 0x894f}
	case 5:
		return anMPLS
	}
	return carried{ofPPP, 0xffff} // none
}

// l2tp is data of version 2 (RFC 2661 3.1).
func l2tp(b []byte) (carried, []byte, string) {
	if len(b) < 6 {
		return carried{}, nil, SkippedCut
	}
	if b[0]&0x80 != 0 || b[1]&15 != 2 { // control
		return carried{}, nil, SkippedNotIP
	}
	n := 6
	if b[0]&0x40 != 0 { // length
		n += 2
	}
	if b[0]&0x08 != 0 { // numbers
		n += 4
	}
	if b[0]&0x02 != 0 { // offset
		if len(b) < n+2 {
			return carried{}, nil, SkippedCut
		}
		n += 2 + int(binary.BigEndian.Uint16(b[n:]))
	}
	return skip(n, aPPP)(b)
}

// gtp is a user's packet of version 1 (3GPP TS 29.281 5).
func gtp(b []byte) (carried, []byte, string) {
	if len(b) < 8 {
		return carried{}, nil, SkippedCut
	}
	if b[0]>>4 != 3 || b[1] != 255 {
		return carried{}, nil, SkippedNotIP
	}
	n := 8
	if b[0]&7 != 0 {
		n += 4
		for b[0]&4 != 0 && n <= len(b) && b[n-1] != 0 { // extensions
			if n >= len(b) || b[n] == 0 {
				return carried{}, nil, SkippedMalformed
			}
			n += 4 * int(b[n])
		}
	}
	return skip(n, anIP)(b)
}

// teredo is RFC 4380 5.1.1.
func teredo(b []byte) (carried, []byte, string) {
	for len(b) >= 4 && b[0] == 0 {
		n := 8 // where it comes from
		if b[1] == 1 {
			n = 4 + int(b[2]) + int(b[3]) + 9
		}
		b = b[min(n, len(b)):]
	}
	if len(b) == 0 || b[0]>>4 != 6 {
		return carried{}, nil, SkippedNotIP
	}
	return anIP, b, ""
}

// vxlan is RFC 7348 5; a group may stand in it.
func vxlan(b []byte) (carried, []byte, string) {
	if len(b) < 8 {
		return carried{}, nil, SkippedCut
	}
	if b[0]&0x7f != 8 || b[7] != 0 {
		return carried{}, nil, SkippedNotIP
	}
	return anEthernet, b[8:], ""
}

func vxlanGPE(b []byte) (carried, []byte, string) {
	if len(b) < 8 {
		return carried{}, nil, SkippedCut
	}
	if b[0]&0x04 == 0 {
		return vxlan(b)
	}
	return following(b[3]), b[8:], ""
}

// gue is generic UDP encapsulation: with a header (draft-ietf-intarea-gue 3), or an IP packet at once.
func gue(b []byte) (carried, []byte, string) {
	if len(b) < 4 {
		return carried{}, nil, SkippedCut
	}
	switch {
	case b[0]>>6 == 1:
		return anIP, b, ""
	case b[0]>>5 == 0:
		return skip(4+4*int(b[0]&31), carried{ofIP, uint16(b[1])})(b)
	}
	return carried{}, nil, SkippedNotIP
}

// geneve is RFC 8926 3.4.
func geneve(b []byte) (carried, []byte, string) {
	if len(b) < 8 {
		return carried{}, nil, SkippedCut
	}
	if b[0]>>6 != 0 {
		return carried{}, nil, SkippedNotIP
	}
	return skip(8+4*int(b[0]&0x3f), carried{ofEther, binary.BigEndian.Uint16(b[2:])})(b)
}

// tzsp is what sniffers on access points and MikroTik's routers send.
func tzsp(b []byte) (carried, []byte, string) {
	if len(b) < 4 {
		return carried{}, nil, SkippedCut
	}
	if b[0] != 1 || b[1] > 1 {
		return carried{}, nil, SkippedNotIP
	}
	kind := binary.BigEndian.Uint16(b[2:])
	b = b[4:]
	for len(b) > 0 && b[0] != 1 { // fields
		n := 1
		if b[0] != 0 {
			if len(b) < 2 {
				break
			}
			n = 2 + int(b[1])
		}
		b = b[min(n, len(b)):]
	}
	next := map[uint16]carried{1: anEthernet, 18: aWiFi, 119: {ofLink, linkPrism}, 127: {ofLink, linkAVS}}[kind]
	if next == (carried{}) {
		return next, nil, SkippedNotIP
	}
	return skip(1, next)(b)
}
