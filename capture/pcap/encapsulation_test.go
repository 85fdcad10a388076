package pcap

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"explainer/capture"
)

// A wrap puts something before a packet, and perhaps behind it.
type wrap struct {
	name   string
	link   uint32 // of a whole packet
	inside string // what it must carry: "ip", "eth", "ppp", "wifi", "ipv6"
	is     string // what comes of it, if it can stand in another: "ip", "eth", ""
	head   string // LLLL is replaced by the content's length (LLLL+n: plus n), in four digits of hexadecimal
	tail   string
	alone  bool // tshark 4.0 does not read it
}

const macs = "020000000001020000000002"

// encapsulations are made by hand, each by its own document.
var encapsulations = []wrap{
	{name: "Ethernet", link: linkEthernet, inside: "ip", is: "eth", head: macs + "0800"},
	{name: "Ethernet with check sequence", link: linkEthernet, inside: "ip", is: "eth", head: macs + "0800", tail: "01020304"},
	{name: "802.3 with SNAP", link: linkEthernet, inside: "ip", is: "eth", head: macs + "LLLL+8 aaaa03 000000 0800"},
	{name: "802.1Q", link: linkEthernet, inside: "ip", is: "eth", head: macs + "8100 0005 0800"},
	{name: "QinQ 9100", link: linkEthernet, inside: "ip", is: "eth", head: macs + "9100 0005 8100 0006 0800"},
	{name: "QinQ 88a8, PPPoE", link: linkEthernet, inside: "ip", is: "eth", head: macs + "88a8 0005 8864 11000001 LLLL+2 0021"},
	{name: "Cisco metadata", link: linkEthernet, inside: "ip", is: "eth", head: macs + "8909 0101 0001 0005 0800"},
	{name: "HSR", link: linkEthernet, inside: "ip", is: "eth", head: macs + "892f LLLL+6 0001 0800"},
	{name: "802.1BR", link: linkEthernet, inside: "ip", is: "eth", head: macs + "893f 000000010000 0800"},
	{name: "VN-tag", link: linkEthernet, inside: "ip", is: "eth", head: macs + "8926 00000001 0800"},
	{name: "802.1ah", link: linkEthernet, inside: "eth", is: "eth", head: macs + "88e7 00000001"},
	{name: "batman-adv", link: linkEthernet, inside: "eth", is: "eth", head: macs + "4305 400f3201 020000000001"},
	{name: "batman-adv with the sender", link: linkEthernet, inside: "eth", is: "eth", head: macs + "4305 420f3201" + macs + "0100"},
	{name: "MACsec, not encrypted", link: linkEthernet, inside: "ip", is: "eth", head: macs + "88e5 0000 00000001 0800", tail: strings.Repeat("00", 16)},
	{name: "MACsec with a channel", link: linkEthernet, inside: "ip", is: "eth", head: macs + "88e5 2000 00000001 0200000000010001 0800", tail: strings.Repeat("00", 16)},
	{name: "TRILL", link: linkEthernet, inside: "eth", is: "eth", head: macs + "22f3 000100010002"},
	{name: "NSH", link: linkEthernet, inside: "eth", is: "eth", head: macs + "894f 0fc6010300000101" + strings.Repeat("00", 16)},
	{name: "MPLS", link: linkEthernet, inside: "ip", is: "eth", head: macs + "8847 00010040 00020140"},
	{name: "MPLS with a control word", link: linkEthernet, inside: "eth", is: "eth", head: macs + "8847 00020140 00000000", alone: true},

	{name: "SLL", link: linkSLL, inside: "ip", head: "0000 0001 0006 0200000000010000 0800"},
	{name: "SLL, PPPoE", link: linkSLL, inside: "ip", head: "0000 0001 0006 0200000000010000 8864 11000001 LLLL+2 0021"},
	{name: "SLL of GRE", link: linkSLL, inside: "ip", head: "0000 030a 0000 0000000000000000 0800"},
	{name: "SLL2, MPLS", link: linkSLL2, inside: "ip", head: "8847 0000 00000002 0001 00 06 0200000000010000 00010140"},
	{name: "SLL2, 9100", link: linkSLL2, inside: "ip", head: "9100 0000 00000002 0001 00 06 0200000000010000 0005 0800"},
	{name: "loopback", link: linkNull, inside: "ip", head: "02000000"},
	{name: "loopback with an EtherType", link: linkNull, inside: "ip", head: "00080000"},
	{name: "SLIP", link: 8, inside: "ip", head: strings.Repeat("00", 16), alone: true},
	{name: "PPP", link: linkPPP, inside: "ppp"},
	{name: "PPP with direction", link: 204, inside: "ppp", head: "00ff03"},
	{name: "PPP of pppd", link: 166, inside: "ppp", head: "0003", alone: true},
	{name: "PPP, serial", link: linkPPPSerial, inside: "ppp", head: "ff03"},
	{name: "Cisco HDLC, serial", link: linkPPPSerial, inside: "ip", head: "0f000800"},
	{name: "PPPoE alone", link: 51, inside: "ip", head: "11000001 LLLL+2 0021"},
	{name: "LLC", link: linkRFC1483, inside: "ip", head: "aaaa030000000800"},
	{name: "Cisco HDLC", link: linkCHDLC, inside: "ip", head: "0f000800"},
	{name: "frame relay", link: 107, inside: "ip", head: "184103cc"},
	{name: "frame relay, SNAP", link: 107, inside: "ip", head: "1841 0300 80 000000 0800"},
	{name: "frame relay of Cisco", link: 107, inside: "ip", head: "1841 0800"},
	{name: "Wi-Fi", link: linkWiFi, inside: "wifi"},
	{name: "Wi-Fi with check sequence", link: linkWiFi, inside: "wifi", tail: "01020304"},
	{name: "Prism", link: linkPrism, inside: "wifi", head: "44000000 90000000" + strings.Repeat("00", 136)},
	{name: "AVS", link: linkAVS, inside: "wifi", head: "80211001 00000040" + strings.Repeat("00", 56)},
	{name: "radiotap", link: linkRadiotap, inside: "wifi", head: "0000 0800 00000000"},
	{name: "radiotap with time and check sequence", link: linkRadiotap, inside: "wifi", head: "0000 1100 03000000 0500000000000000 10", tail: "01020304"},
	{name: "radiotap, filled up behind the header", link: linkRadiotap, inside: "ip", head: "0000 0900 02000000 20 8802 0000 020000000001 020000000002 020000000003 0000 0000 0000 aaaa03 000000 0800"},
	{name: "PPI", link: 192, inside: "wifi", head: "0000 0800 69000000"},
	{name: "ERF", link: 197, inside: "eth", head: "0000000000000000 0204 LLLL+18 0000 LLLL 0000"},
	{name: "ERF, IP", link: 197, inside: "ip", head: "0000000000000000 1604 LLLL+16 0000 LLLL"},
	{name: "NFLOG", link: 239, inside: "ip", head: "02000001 0800 0100 08000100 0600 0a00 74610000 NNNN 0900"},
	{name: "IP over InfiniBand", link: 242, inside: "ip", head: strings.Repeat("00", 40) + "08000000"},
	{name: "exported by Wireshark", link: 252, inside: "ip", head: "000c 0004 69700000 0000 0000"},
	{name: "exported by Wireshark, Ethernet", link: 252, inside: "eth", head: "000c 0010 6574685f776974686f75746663730000 0000 0000"},
	{name: "exported by Wireshark, Ethernet with check sequence", link: 252, inside: "eth", head: "000c 000c 6574685f7769746866637300 0000 0000", tail: "01020304"},
	{name: "exported by Wireshark, Wi-Fi with check sequence", link: 252, inside: "wifi", head: "000c 0010 776c616e5f7769746866637300000000 0000 0000", tail: "01020304"},
	{name: "AVS under the link type of Prism", link: linkPrism, inside: "wifi", head: "80211001 00000040" + strings.Repeat("00", 56)},
	{name: "PKTAP", link: 258, inside: "eth", head: "6c000000 01000000 01000000" + strings.Repeat("00", 96)},
	{name: "PKTAP of macOS", link: linkUser2, inside: "ip", head: "6c000000 01000000 0c000000" + strings.Repeat("00", 96)},
	{name: "IP over IEEE 1394", link: 138, inside: "ip", head: strings.Repeat("00", 16) + "0800"},

	{name: "IP in IP", link: linkRaw, inside: "ip", is: "ip", head: "IP04"},
	{name: "GRE", link: linkRaw, inside: "ip", is: "ip", head: "IP2f 0000 0800"},
	{name: "GRE with key and number", link: linkRaw, inside: "ip", is: "ip", head: "IP2f 3000 0800 00000001 00000002"},
	{name: "NVGRE", link: linkRaw, inside: "eth", is: "ip", head: "IP2f 2000 6558 00000100"},
	{name: "PPTP", link: linkRaw, inside: "ip", is: "ip", head: "IP2f 3081 880b LLLL+4 0001 00000001 00000001 ff030021"},
	{name: "ERSPAN I", link: linkRaw, inside: "eth", is: "ip", head: "IP2f 0000 88be"},
	{name: "ERSPAN II", link: linkRaw, inside: "eth", is: "ip", head: "IP2f 1000 88be 00000001 1000000100000000"},
	{name: "ERSPAN III", link: linkRaw, inside: "eth", is: "ip", head: "IP2f 1000 22eb 00000001 200000010000000000000000"},
	{name: "ERSPAN III with a subheader", link: linkRaw, inside: "eth", is: "ip", head: "IP2f 1000 22eb 00000001 200000010000000000000001 0000000000000000"},
	{name: "WCCP", link: linkRaw, inside: "ip", is: "ip", head: "IP2f 0000 883e 00000000"},
	{name: "EtherIP", link: linkRaw, inside: "eth", is: "ip", head: "IP61 3000"},
	{name: "MPLS in IP", link: linkRaw, inside: "ip", is: "ip", head: "IP89 00020140"},
	{name: "VXLAN", link: linkRaw, inside: "eth", is: "ip", head: "UDP12b5 0800000000000100"},
	{name: "VXLAN at Linux' port", link: linkRaw, inside: "eth", is: "ip", head: "UDP2118 0800000000000100", alone: true},
	{name: "VXLAN-GPE", link: linkRaw, inside: "ip", is: "ip", head: "UDP12b6 0c00000100000100"},
	{name: "Geneve", link: linkRaw, inside: "eth", is: "ip", head: "UDP17c1 0000655800000100"},
	{name: "Geneve with options", link: linkRaw, inside: "ip", is: "ip", head: "UDP17c1 0200080000000100 0001000100000000"},
	{name: "GTP", link: linkRaw, inside: "ip", is: "ip", head: "UDP0868 30ff LLLL 00000001"},
	{name: "GTP with an extension", link: linkRaw, inside: "ip", is: "ip", head: "UDP0868 34ff LLLL+8 00000001 00000085 01100100"},
	{name: "MPLS in UDP", link: linkRaw, inside: "ip", is: "ip", head: "UDP19eb 00020140"},
	{name: "TZSP", link: linkRaw, inside: "eth", is: "ip", head: "UDP9090 01000001 0a01c000 01"},
	{name: "TZSP of Wi-Fi", link: linkRaw, inside: "wifi", is: "ip", head: "UDP9090 01000012 01"},
	{name: "L2TP", link: linkRaw, inside: "ip", is: "ip", head: "UDP06a5 4002 LLLL+12 0001 0001 ff030021"},
	{name: "GUE", link: linkRaw, inside: "ip", is: "ip", head: "UDP17c0 00040000", alone: true},
	{name: "GUE without a header", link: linkRaw, inside: "ip", is: "ip", head: "UDP17c0", alone: true},
	{name: "GRE in UDP", link: linkRaw, inside: "ip", is: "ip", head: "UDP1292 0000 0800"},
	{name: "Teredo", link: linkRaw, inside: "ipv6", is: "ip", head: "UDP0dd8"},
	{name: "Teredo with origin and authentication", link: linkRaw, inside: "ipv6", is: "ip", head: "UDP0dd8 00010000 0102030405060708 00 0000 edcb fefdfcfb"},
	{name: "LISP", link: linkRaw, inside: "ip", is: "ip", head: "UDP10f5 0000000000000000"},
}

// around puts a wrap around content.
func (w *wrap) around(t testing.TB, content []byte) []byte {
	text := strings.ReplaceAll(w.head, " ", "")
	text = strings.ReplaceAll(text, "NNNN", fmt.Sprintf("%02x%02x", byte(len(content)+4), (len(content)+4)>>8))
	for _, more := range []int{18, 16, 12, 8, 6, 4, 2} {
		text = strings.ReplaceAll(text, fmt.Sprintf("LLLL+%d", more), fmt.Sprintf("%04x", len(content)+more))
	}
	text = strings.ReplaceAll(text, "LLLL", fmt.Sprintf("%04x", len(content)))
	proto := ""
	if rest, ok := strings.CutPrefix(text, "UDP"); ok {
		proto, text = "11", fmt.Sprintf("8235%s%04x0000%s", rest[:4], 8+(len(rest)-4)/2+len(content), rest[4:])
	} else if rest, ok := strings.CutPrefix(text, "IP"); ok {
		proto, text = rest[:2], rest[2:]
	}
	b := append(unhex(t, text), content...)
	b = append(b, unhex(t, w.tail)...)
	if proto != "" {
		b = append(unhex(t, fmt.Sprintf("4500%04x0000000040%s0000 0a090001 0a090002", 20+len(b), proto)), b...)
	}
	return b
}

// inner gives what a wrap must carry.
func inner(t testing.TB, kind string, ip []byte) []byte {
	switch kind {
	case "eth":
		return append(unhex(t, macs+"0800"), ip...)
	case "ppp":
		return append(unhex(t, "0021"), ip...)
	case "ipv6":
		if ip[0]>>4 == 4 { // what it carries, in an IPv6 packet
			ip = append(unhex(t, fmt.Sprintf("60000000 %04x %02x 40 20010db8%024x 20010db8%024x", len(ip)-20, ip[9], 1, 2)), ip[20:]...)
		}
		return ip
	case "wifi":
		return append(unhex(t, "0802 0000 020000000001 020000000002 020000000003 0000 aaaa03 000000 0800"), ip...)
	}
	return ip
}

// many writes packets of any link types into one file.
func many(t testing.TB, links []uint32, packets [][]byte) []byte {
	t.Helper()
	var file bytes.Buffer
	w := binary.LittleEndian
	block := func(kind uint32, body []byte) {
		body = append(body, make([]byte, -len(body)&3)...)
		n := uint32(12 + len(body))
		file.Write(w.AppendUint32(w.AppendUint32(nil, kind), n))
		file.Write(body)
		file.Write(w.AppendUint32(nil, n))
	}
	block(0x0a0d0d0a, unhex(t, "4d3c2b1a 01000000 ffffffffffffffff"))
	for _, link := range links {
		block(1, w.AppendUint32(w.AppendUint32(nil, link), 1<<18))
	}
	for i, p := range packets {
		head := w.AppendUint32(nil, uint32(i))
		head = w.AppendUint32(w.AppendUint32(head, 0), uint32(i))
		head = w.AppendUint32(w.AppendUint32(head, uint32(len(p))), uint32(len(p)))
		block(6, append(head, p...))
	}
	return file.Bytes()
}

// TestEncapsulations reads one segment in each encapsulation, and has tshark read it too.
func TestEncapsulations(t *testing.T) {
	t.Parallel()
	var links []uint32
	var packets [][]byte
	for i, w := range encapsulations {
		ip := tcp4(client, server, flagACK, 1, 1, fmt.Sprintf("number %d.", i))
		binary.BigEndian.PutUint16(ip[20:], uint16(10000+i))
		links, packets = append(links, w.link), append(packets, w.around(t, inner(t, w.inside, ip)))
	}
	file := many(t, links, packets)
	got := contents(t, file)
	name := filepath.Join(t.TempDir(), "all.pcapng")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("tshark", "-r", name, "-T", "fields", "-e", "tcp.payload").Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs := strings.Split(string(out), "\n")
	for i, w := range encapsulations {
		want := fmt.Sprintf("number %d.", i)
		if !strings.Contains(got, want) {
			t.Errorf("%s is not read: %x", w.name, packets[i])
		}
		if oracle := theirs[i] == hex.EncodeToString([]byte(want)); oracle == w.alone {
			t.Errorf("%s: tshark reads it: %t", w.name, oracle)
		}
	}
}

// contents is all that TCP carried in a capture, and fails for what was passed over.
func contents(t testing.TB, file []byte) string {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for {
		in, err := r.next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if c, ok := in.(*capture.Chunk); ok {
			got.Write(c.Data)
		}
	}
	if s := r.Stats(); len(s.Skipped) > 0 {
		t.Errorf("passed over: %v %v", s.Skipped, s.Unread)
	}
	return got.String()
}

// TestNested puts encapsulations into one another, up to five deep.
func TestNested(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	var links []uint32
	var packets [][]byte
	var names []string
	for i := range 2000 {
		b, is, name := tcp4(client, server, flagACK, 1, 1, fmt.Sprintf("number %d.", i)), "ip", ""
		binary.BigEndian.PutUint16(b[20:], uint16(10000+i))
		for depth := rnd.IntN(5); ; {
			w := &encapsulations[rnd.IntN(len(encapsulations))]
			if depth > 0 && w.is == "" || depth == 0 && w.is == "ip" {
				continue
			}
			switch {
			case w.inside == is:
				b = w.around(t, b)
			case is == "ip":
				b = w.around(t, inner(t, w.inside, b))
			default:
				continue
			}
			is, name = w.is, w.name+" > "+name
			if depth--; depth < 0 {
				links = append(links, w.link)
				break
			}
		}
		packets, names = append(packets, b), append(names, name)
	}
	for i := range packets {
		if got, want := contents(t, many(t, links[i:i+1], packets[i:i+1])), fmt.Sprintf("number %d.", i); got != want {
			t.Fatalf("%s: %q, want %q: %x", names[i], got, want, packets[i])
		}
	}
}

// TestDecodeAs reads a tunnel at a port that is nobody's.
func TestDecodeAs(t *testing.T) {
	eth := append(unhex(t, macs+"0800"), tcp4(client, server, flagACK, 1, 1, "hello")...)
	w := wrap{head: "UDP2119 0800000000000100"}
	file := many(t, []uint32{linkRaw}, [][]byte{w.around(t, eth)})
	for name, want := range map[string]string{"8473=vxlan": "hello", "8473=geneve": "", "8472=vxlan": ""} {
		r, err := NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		ports := Ports{}
		if err := ports.Add(name); err != nil {
			t.Fatal(err)
		}
		r.DecodeAs(ports)
		got := ""
		for err == nil {
			var in any
			if in, err = r.next(); err == nil {
				if c, ok := in.(*capture.Chunk); ok {
					got += string(c.Data)
				}
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, bad := range []string{"", "vxlan", "8473", "8473=", "8473=vlan", "0=vxlan", "65536=vxlan", "x=vxlan"} {
		if (Ports{}).Add(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestUnread names by number what is not read.
func TestUnread(t *testing.T) {
	ip := tcp4(client, server, flagACK, 1, 1, "hello")
	change := func(at int, to byte) []byte {
		b := bytes.Clone(ip)
		b[at] = to
		return b
	}
	for _, test := range []struct {
		link uint32
		data []byte
		want Unread
	}{
		{195, ip, Unread{SkippedLinkType, 195}},
		{300, ip, Unread{SkippedLinkType, 300}},
		{linkEthernet, append(unhex(t, macs+"88cc"), ip...), Unread{SkippedNotIP, 0x88cc}},
		{linkEthernet, append(unhex(t, macs+"8100 0005 8892"), ip...), Unread{SkippedNotIP, 0x8892}},
		{linkRaw, change(9, 50), Unread{SkippedNotTCP, 50}},
		{linkRaw, unhex(t, "4500002000000000401100000a0900010a090002 ea60 0035 000c 0000 01020304"), Unread{SkippedUDP, 53}},
		{linkRaw, unhex(t, "4500002000000000401100000a0900010a090002 12b5 12b6 000c 0000 01020304"), Unread{SkippedUDP, 0x12b5}},
	} {
		r, err := NewReader(bytes.NewReader(many(t, []uint32{test.link}, [][]byte{test.data})))
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = r.next()
		}
		if s := r.Stats(); s.Unread[test.want] != 1 || len(s.Unread) != 1 {
			t.Errorf("link type %d: %v %v, want %v", test.link, s.Skipped, s.Unread, test.want)
		}
	}
}
