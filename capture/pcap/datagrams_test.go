package pcap

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"explainer/capture"
)

// udpPacket makes a UDP datagram in IPv4, or in IPv6 behind a hop-by-hop header.
func udpPacket(from, to netip.AddrPort, content []byte) []byte {
	be := binary.BigEndian
	udp := be.AppendUint16(be.AppendUint16(nil, from.Port()), to.Port())
	udp = append(be.AppendUint16(be.AppendUint16(udp, uint16(8+len(content))), 0), content...)
	var ip []byte
	if from.Addr().Is4() {
		ip = []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0}
		be.PutUint16(ip[2:], uint16(20+len(udp)))
	} else {
		ip = []byte{0x60, 0, 0, 0, 0, 0, 0, 64}
		be.PutUint16(ip[4:], uint16(8+len(udp)))
		udp = append([]byte{17, 0, 1, 4, 0, 0, 0, 0}, udp...)
	}
	ip = append(append(ip, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	return append(ip, udp...)
}

// datagramsOf reads one of the connections that package quic's tests make.
func datagramsOf(t testing.TB, name string) (sides []capture.Side, contents [][]byte) {
	t.Helper()
	text, err := os.ReadFile("../../annotate/testdata/" + name + ".hex")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		data, err := hex.DecodeString(line[2:])
		if err != nil {
			t.Fatal(err)
		}
		sides = append(sides, map[byte]capture.Side{'c': capture.Client, 's': capture.Server}[line[0]])
		contents = append(contents, data)
	}
	return sides, contents
}

// toldUDP is what a capture says of UDP: Q and D with the client for the
// beginning of a connection, c and s for datagrams, E for an end.
func toldUDP(t testing.TB, s *script) (told string, skipped int) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(s.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for {
		in, err := r.next()
		if err != nil {
			return strings.TrimSpace(b.String()), r.Stats().Skipped[SkippedUDP]
		}
		switch in := in.(type) {
		case *capture.Open:
			fmt.Fprintf(&b, "%c%d:%v ", in.Transport.String()[0], in.Conn, in.Client)
		case *capture.Datagram:
			fmt.Fprintf(&b, "%c%d ", in.Side.String()[0], in.Conn)
		case *capture.End:
			fmt.Fprintf(&b, "E%d ", in.Conn)
		}
	}
}

func TestDatagrams(t *testing.T) {
	v4 := [2]netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:50000"), netip.MustParseAddrPort("192.0.2.2:4433")}
	v6 := [2]netip.AddrPort{netip.MustParseAddrPort("[2001:db8::1]:50000"), netip.MustParseAddrPort("[2001:db8::2]:443")}
	odd := [2]netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:443"), netip.MustParseAddrPort("192.0.2.2:50000")}
	play := func(ends [2]netip.AddrPort, name string, skip int) *script {
		s := newScript(linkRaw, ends[0], ends[1])
		sides, contents := datagramsOf(t, name)
		for i := skip; i < len(sides); i++ {
			b := udpPacket(ends[sides[i]], ends[sides[i].Other()], contents[i])
			s.packet(b, len(b))
		}
		return s
	}
	for _, test := range []struct {
		what string
		s    *script
		want string
	}{
		{"IPv4", play(v4, "quic-v1", 0), "Q1:192.0.2.1:50000 c1 s1 s1 c1 c1 s1 s1"},
		{"IPv6", play(v6, "quic-retry", 0), "Q1:[2001:db8::1]:50000 c1 s1 c1 s1"},
		{"the client has the lower port", play(odd, "quic-v1", 0), "Q1:192.0.2.1:443 c1 s1 s1 c1 c1 s1 s1"},
		{"begins with the server", play(v4, "quic-v1", 1), "Q1:192.0.2.1:50000 s1 s1 c1 c1 s1 s1"},
		{"short headers alone", play(v4, "quic-v1", 4), ""},
		{"a version that nobody speaks", play(v4, "quic-negotiation", 0), "Q1:192.0.2.1:50000 c1 s1 c1"},
		{"two between the same ports", play(v4, "quic-two", 0), "Q1:192.0.2.1:50000 c1 s1 Q2:192.0.2.1:50000 c2 s2 c2 s2 c1"},
	} {
		if got, _ := toldUDP(t, test.s); got != test.want {
			t.Errorf("%s: %s, want %s", test.what, got, test.want)
		}
	}

	// Names, and whatever else there is in UDP, is counted and not given.
	s := newScript(linkRaw, v4[0], v4[1])
	for _, content := range []string{
		"", "a", "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\x00\x00\x01\x00\x01", // DNS
		"\x00\x01\x00\x08\x21\x12\xa4\x42abcdefghijkl\x00\x06\x00\x04abcd",                  // STUN
		"\x80\x60\x00\x01\x00\x00\x00\x00\x00\x00\x00\x07voice", "\xc0\x00\x00\x00\x01\x08", // RTP; a QUIC header cut off
		"\x16\x03\x01\x00\x05hello", strings.Repeat("\xff", 1200),
	} {
		b := udpPacket(v4[0], v4[1], []byte(content))
		s.packet(b, len(b))
	}
	if got, skipped := toldUDP(t, s); got != "" || skipped != 8 {
		t.Errorf("%q, %d skipped of 8", got, skipped)
	}

	// Only so many are followed; the one that was used least recently is ended.
	s = newScript(linkRaw, v4[0], v4[1])
	_, contents := datagramsOf(t, "quic-v1")
	for i := range maxUDP + 2 {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 50000)
		b := udpPacket(from, v4[1], contents[0])
		s.packet(b[:228], len(b))
	}
	got, _ := toldUDP(t, s)
	if n := strings.Count(got, "Q"); n != maxUDP+2 || strings.Count(got, "E") != 2 || !strings.Contains(got, "E1 ") || !strings.Contains(got, "E2 ") {
		t.Errorf("%d connections, %d ended", n, strings.Count(got, "E"))
	}
}
