package pcap

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"explainer/capture"
	"explainer/capture/keys"
)

// ng builds blocks of a pcapng file in one byte order.
type ng struct{ binary.AppendByteOrder }

func (o ng) block(kind uint32, body []byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	n := uint32(len(body) + 12)
	b := o.AppendUint32(nil, kind)
	b = o.AppendUint32(b, n)
	b = append(b, body...)
	return o.AppendUint32(b, n)
}

func (o ng) option(code uint16, value []byte) []byte {
	b := o.AppendUint16(nil, code)
	b = o.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func (o ng) section(options ...[]byte) []byte {
	b := o.AppendUint32(nil, byteOrderMagic)
	b = o.AppendUint16(b, 1)
	b = o.AppendUint16(b, 0)
	b = o.AppendUint64(b, 1<<64-1)
	return o.block(blockSHB, append(b, bytes.Join(options, nil)...))
}

func (o ng) iface(link uint16, snap uint32, options ...[]byte) []byte {
	b := o.AppendUint16(nil, link)
	b = o.AppendUint16(b, 0)
	b = o.AppendUint32(b, snap)
	return o.block(blockIDB, append(b, bytes.Join(options, nil)...))
}

func (o ng) packet(iface uint32, stamp uint64, length int, data []byte) []byte {
	b := o.AppendUint32(nil, iface)
	b = o.AppendUint32(b, uint32(stamp>>32))
	b = o.AppendUint32(b, uint32(stamp))
	b = o.AppendUint32(b, uint32(len(data)))
	b = o.AppendUint32(b, uint32(length))
	return o.block(blockEPB, append(b, data...))
}

var orders = []ng{{binary.LittleEndian}, {binary.BigEndian}}

func TestTimes(t *testing.T) {
	packet := tcp4(client, server, flagACK, 1, 1, "x")
	for _, o := range orders {
		for _, test := range []struct {
			options [][]byte
			stamp   uint64
			want    int64
		}{
			{nil, 1_700_000_000_123_456, 1_700_000_000_123_456_000},
			{[][]byte{o.option(optIfTsresol, []byte{9})}, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789},
			{[][]byte{o.option(optIfTsresol, []byte{3})}, 1_700_000_000_123, 1_700_000_000_123_000_000},
			{[][]byte{o.option(optIfTsresol, []byte{0})}, 1_700_000_000, 1_700_000_000_000_000_000},
			{[][]byte{o.option(optIfTsresol, []byte{12})}, 1_234_567_890_123_456, 1_234_567_890_123},
			{[][]byte{o.option(optIfTsresol, []byte{0x80 | 10})}, 1_700_000_000<<10 | 512, 1_700_000_000_500_000_000},
			{[][]byte{o.option(optIfTsresol, []byte{0x80 | 32})}, 1_700_000_000<<32 | 1<<31, 1_700_000_000_500_000_000},
			{[][]byte{o.option(optIfTsoffset, o.AppendUint64(nil, 1_700_000_000))}, 250_000, 1_700_000_000_250_000_000},
			{[][]byte{o.option(optIfTsoffset, o.AppendUint64(nil, 1<<64-10))}, 12_000_000, 2_000_000_000}, // ten seconds less
			{[][]byte{o.option(optIfTsresol, []byte{0xff})}, 1<<64 - 1, 0},
			{[][]byte{o.option(optIfTsresol, []byte{0x7f})}, 1<<64 - 1, 18},
			{nil, 1<<64 - 1, 0}, // not to be told in nanoseconds
		} {
			file := bytes.Join([][]byte{o.section(), o.iface(linkRaw, 0, test.options...), o.packet(0, test.stamp, len(packet), packet)}, nil)
			all := mustRead(t, file)
			if len(all) != 2 || all[1].(capture.Chunk).Time != test.want {
				t.Errorf("%v %v %d: %+v, want %d", o, test.options, test.stamp, all, test.want)
			}
		}
	}
}

// Blocks of every kind, in both byte orders and one after the other, are read
// or passed over, and packets are numbered as Wireshark does.
func TestBlocks(t *testing.T) {
	var file []byte
	for i, o := range orders {
		to := netip.AddrPortFrom(server.Addr(), uint16(443+i))
		data := func(seq uint32, payload string) []byte { return tcp4(client, to, flagACK, seq, 1, payload) }
		simple := append(o.AppendUint32(nil, 43), data(4, "def")...)
		old := o.AppendUint16(nil, 1)
		old = o.AppendUint16(old, 0xffff)
		for _, v := range []uint32{0, 9, 43, 43} {
			old = o.AppendUint32(old, v)
		}
		old = append(old, data(7, "ghi")...)
		log := "# a comment\nCLIENT_RANDOM " + strings.Repeat("01", 32) + " " + strings.Repeat("02", 48) + "\n\nEXPORTER_SECRET " + strings.Repeat("03", 32) + " " + strings.Repeat("04", 32) + "\n"
		dsb := o.AppendUint32(nil, secretsTLS)
		dsb = o.AppendUint32(dsb, uint32(len(log)))
		wireguard := o.AppendUint32(nil, 0x57474b4c)
		wireguard = o.AppendUint32(wireguard, 4)
		name := o.AppendUint16(nil, nameIPv4)
		name = o.AppendUint16(name, 4+13)
		name = append(append(name, 198, 51, 100, 2), "example.test\x00\x00\x00\x00"...)
		name = append(name, o.option(nameIPv6, append(netip.MustParseAddr("2001:db8::1").AsSlice(), "six.test\x00alias\x00"...))...)
		name = append(name, 0, 0, 0, 0)
		file = append(file, bytes.Join([][]byte{
			o.section(o.option(optComment, []byte("odd")), o.option(optApplication, []byte("other"))),
			o.iface(linkRaw, 0, o.option(optIfName, []byte(browserInterface))),
			o.iface(linkRaw, 0),
			o.block(blockDSB, append(dsb, log...)),
			o.block(blockDSB, append(wireguard, "abcd"...)),
			o.block(blockDSB, dsb), // claims more than it has
			o.block(blockNRB, name),
			o.packet(0, 5, 43, data(1, "abc")),
			o.packet(7, 5, 43, data(1, "no such interface")),
			o.block(blockSPB, simple),
			o.block(5, make([]byte, 12)), // statistics
			o.block(blockCustom, []byte("\x00\x00\x00\x00frame to Wireshark")),
			o.block(0x12345678, []byte("unknown")),
			o.block(blockFact, []byte(`{"kind":"closed"}`)), // in a section of another's
			o.block(blockPB, old),
		}, nil)...)
	}
	r, err := NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	all, err := read(bytes.NewReader(file))
	if err != io.EOF {
		t.Fatal(err)
	}
	want := "o40000>443 c1:abc c3:def c5:ghi o40000>444 c6:abc c8:def c10:ghi"
	if got := told(all); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	secrets := 0
	for _, in := range all {
		switch in := in.(type) {
		case keys.Secret:
			secrets++
		case capture.Fact:
			t.Errorf("a fact from a section of another's: %+v", in)
		case capture.Open:
			if in.Leg != capture.LegNone {
				t.Errorf("a leg in a section of another's: %+v", in)
			}
		}
	}
	keyed := 0
	if err := Keys(bytes.NewReader(file), func(keys.Secret) { keyed++ }); err != nil {
		t.Error(err)
	}
	if secrets != 4 || keyed != 4 {
		t.Errorf("%d and %d secrets, want 4", secrets, keyed)
	}
	for err == nil || r.stats.Packets < 10 {
		if _, err = r.next(); err == io.EOF {
			break
		}
	}
	s := r.Stats()
	if s.Packets != 10 || s.Sections != 2 || s.Interfaces != 4 || s.Connections != 2 || s.Bytes != int64(len(file)) ||
		s.Skipped[SkippedOtherRecord] != 2 || s.Skipped[SkippedNoInterface] != 2 || r.Own() ||
		s.Names[netip.MustParseAddr("198.51.100.2")] != "example.test" || s.Names[netip.MustParseAddr("2001:db8::1")] != "six.test" {
		t.Errorf("%+v", s)
	}
}

// Two recordings one after the other are two sections: the connection numbers
// of the second one's facts mean its own.
func TestRecordingsInARow(t *testing.T) {
	var file bytes.Buffer
	for range 2 {
		w, err := NewWriter(&file, "")
		if err != nil {
			t.Fatal(err)
		}
		a := w.Open(capture.LegBrowser, client, server, 1)
		b := w.Open(capture.LegOrigin, client, server, 1)
		w.Fact(capture.Fact{Kind: capture.FactSession, Conn: a.Number(), Peer: b.Number()})
		a.Data(capture.Client, 1, []byte("x"))
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	var got [][2]int
	data := 0
	for _, in := range mustRead(t, file.Bytes()) {
		switch in := in.(type) {
		case capture.Fact:
			got = append(got, [2]int{in.Conn, in.Peer})
		case capture.Chunk:
			data++
		}
	}
	if len(got) != 2 || got[0] != [2]int{1, 2} || got[1] != [2]int{3, 4} || data != 2 {
		t.Errorf("facts about %v, %d chunks", got, data)
	}
}

func TestClassicVariants(t *testing.T) {
	packet := tcp4(client, server, flagACK, 1, 1, "x")
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for magic, want := range map[uint32]int64{0xa1b2c3d4: 7_000_005_000, 0xa1b23c4d: 7_000_000_005, 0xa1b2cd34: 7_000_005_000} {
			file := make([]byte, 40)
			o.PutUint32(file, magic)
			o.PutUint32(file[20:], 1<<28|linkRaw) // the high bits tell of a frame check sequence
			o.PutUint32(file[24:], 7)
			o.PutUint32(file[28:], 5)
			o.PutUint32(file[32:], uint32(len(packet)))
			o.PutUint32(file[36:], uint32(len(packet)))
			if magic == 0xa1b2cd34 {
				file = append(file, make([]byte, 8)...)
			}
			all := mustRead(t, append(file, packet...))
			if len(all) != 2 || all[1].(capture.Chunk).Time != want {
				t.Errorf("%v %x: %+v", o, magic, all)
			}
		}
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLinkTypes(t *testing.T) {
	ip := tcp4(client, server, flagACK, 1, 1, "hello")
	v6 := func(next string, ext string) []byte {
		b := unhex(t, "60000000 0000"+next+"40 20010db8000000000000000000000001 20010db8000000000000000000000002"+ext)
		b = append(b, ip[20:]...)
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
		return b
	}
	fragment := bytes.Clone(ip)
	fragment[7] = 1
	offloaded := bytes.Clone(ip)
	offloaded[2], offloaded[3] = 0, 0
	udp := bytes.Clone(ip)
	udp[9] = 17
	icmp := bytes.Clone(ip)
	icmp[9] = 1
	igmp := bytes.Clone(ip)
	igmp[9] = 2
	short := bytes.Clone(ip)
	short[32] = 0x40
	options := append(append(bytes.Clone(ip[:20]), 1, 1, 1, 0), ip[20:]...)
	options[0], options[3] = 0x46, options[3]+4
	eth := "020000000001020000000002"
	for _, test := range []struct {
		name    string
		link    uint32
		head    string
		ip      []byte
		skipped string
	}{
		{"raw", linkRaw, "", ip, ""},
		{"raw of BSD", linkRawBSD, "", ip, ""},
		{"raw of OpenBSD", linkRawOpen, "", ip, ""},
		{"IPv4", linkIPv4, "", ip, ""},
		{"IPv6", linkIPv6, "", v6("06", ""), ""},
		{"Ethernet", linkEthernet, eth + "0800", ip, ""},
		{"Ethernet, IPv6", linkEthernet, eth + "86dd", v6("06", ""), ""},
		{"Ethernet with padding", linkEthernet, eth + "0800", append(bytes.Clone(ip), 0, 0, 0), ""},
		{"VLAN", linkEthernet, eth + "8100 0005 0800", ip, ""},
		{"QinQ", linkEthernet, eth + "88a8 0005 8100 0006 0800", ip, ""},
		{"MPLS", linkEthernet, eth + "8847 00010140", ip, ""},
		{"PPPoE", linkEthernet, eth + "8864 1100 0001 002f 0021", ip, ""},
		{"ARP", linkEthernet, eth + "0806", ip, SkippedARP},
		{"LLDP", linkEthernet, eth + "88cc", ip, SkippedNotIP},
		{"short Ethernet", linkEthernet, "0200", nil, SkippedCut},
		{"SLL", linkSLL, "0000 0001 0006 0200000000010000 0800", ip, ""},
		{"SLL with a false address length", linkSLL, "0000 0001 ffff 0200000000010000 0800", ip, ""},
		{"SLL2", linkSLL2, "0800 0000 00000002 0001 00 06 0200000000010000", ip, ""},
		{"SLL2 with VLAN", linkSLL2, "8100 0000 00000002 0001 00 06 0200000000010000 0005 0800", ip, ""},
		{"loopback of BSD", linkNull, "02000000", ip, ""},
		{"loopback of BSD, IPv6, Darwin", linkNull, "1e000000", v6("06", ""), ""},
		{"loopback of BSD, the other byte order", linkNull, "00000002", ip, ""},
		{"loopback of OpenBSD", linkLoop, "00000002", ip, ""},
		{"PPP", 9, "ff030021", ip, ""},
		{"unknown", 147, "", ip, SkippedLinkType},
		{"unknown, above 255", 300, "", ip, SkippedLinkType},
		{"IPv4 options", linkRaw, "", options, ""},
		{"a length of 0, left to the network card", linkRaw, "", offloaded, ""},
		{"a later fragment", linkRaw, "", fragment, SkippedFragment},
		{"UDP", linkRaw, "", udp, SkippedUDP},
		{"ICMP", linkRaw, "", icmp, SkippedICMP},
		{"IGMP", linkRaw, "", igmp, SkippedNotTCP},
		{"TCP header of 16 bytes", linkRaw, "", short, SkippedMalformed},
		{"half a TCP header", linkRaw, "", ip[:30], SkippedCut},
		{"half an IP header", linkRaw, "", ip[:10], SkippedCut},
		{"empty", linkRaw, "", nil, SkippedCut},
		{"no IP", linkRaw, "", []byte("\x00hello"), SkippedNotIP},
		{"IPv6, hop-by-hop, destination options", linkRaw, "", v6("00", "3c00000000000000 0601000000000000 0000000000000000"), ""},
		{"IPv6, a first fragment", linkRaw, "", v6("2c", "0600000100000000"), ""},
		{"IPv6, a later fragment", linkRaw, "", v6("2c", "0600000900000000"), SkippedFragment},
		{"IPv6, authentication header", linkRaw, "", v6("33", "0602000000000000 0000000000000000"), ""},
		{"IPv6, extension beyond the end", linkRaw, "", v6("00", "06ff000000000000"), SkippedCut},
		{"IPv6 in IPv4", linkRaw, "45000000000000004029 0000 c0000201c0000202", v6("06", ""), ""},
		{"IPv4 in IPv4", linkRaw, "45000000000000004004 0000 c0000201c0000202", ip, ""},
		{"IPv4 in IPv6", linkRaw, "60000000 002d 04 40 20010db8000000000000000000000001 20010db8000000000000000000000002", ip, ""},
		{"GRE", linkRaw, "4500000000000000402f 0000 c0000201c0000202 0000 0800", ip, ""},
		{"VXLAN", linkRaw, "45000000000000004011 0000 c0000201c0000202 1000 12b5 0000 0000 0800000000000100" + eth + "0800", ip, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(test.link, client, server)
			data := append(unhex(t, test.head), test.ip...)
			s.packet(data, len(data))
			r, err := NewReader(&s.Buffer)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for {
				in, err := r.next()
				if err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				if c, ok := in.(*capture.Chunk); ok {
					got += string(c.Data)
				}
			}
			if test.skipped == "" {
				if got != "hello" || len(r.Stats().Skipped) != 0 {
					t.Errorf("got %q, skipped %v", got, r.Stats().Skipped)
				}
			} else if got != "" || r.Stats().Skipped[test.skipped] != 1 {
				t.Errorf("got %q, skipped %v, want %s", got, r.Stats().Skipped, test.skipped)
			}
		})
	}
}

// A packet of which the capture holds only the beginning leaves a gap.
func TestSnapLength(t *testing.T) {
	s := newScript(linkRaw, client, server)
	s.handshake()
	p := tcp4(client, server, flagACK, s.isn[0]+1, s.isn[1]+1, strings.Repeat("x", 1000))
	s.packet(p[:60], len(p))
	s.send(capture.Client, flagACK, 1000, 0, "end")
	want := "O40000>443 c4:" + strings.Repeat("x", 20) + " c4[980] c5:end"
	if got := told(mustRead(t, s.Bytes())); got != want {
		t.Errorf("got %s", got)
	}
}

func TestCompressed(t *testing.T) {
	file, want := recording(t, 3, 100)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(file)
	z.Close()
	compareInputs(t, mustRead(t, packed.Bytes()), want)
	half := packed.Bytes()[:packed.Len()/2]
	all, err := read(bytes.NewReader(half))
	var cut *CutError
	if !errors.As(err, &cut) || len(all) == 0 {
		t.Errorf("half a gzip'd file: %d inputs, then %v", len(all), err)
	}
	packed.Reset()
	zs, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	zs.Write(file)
	zs.Close()
	compareInputs(t, mustRead(t, packed.Bytes()), want)
}

func TestNoCapture(t *testing.T) {
	for _, test := range []struct{ file, want string }{
		{"", "it is empty"},
		{"abc", "ends after 3 bytes"},
		{"GET / HTTP/1.1\r\n\r\n", "starts with 47455420, expected pcap or pcapng"},
		{"\x1f\x8bnot gzip at all", "gzip"},
		{"\x28\xb5\x2f\xfdnot zstd", "not a capture"},
	} {
		_, err := NewReader(strings.NewReader(test.file))
		if test.file[:min(1, len(test.file))] == "\x28" {
			if err == nil {
				t.Errorf("%q is taken for a capture", test.file)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want ...%s...", test.file, err, test.want)
		}
	}
	broken := errors.New("broken disk")
	if _, err := NewReader(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("an unreadable file: %v", err)
	}
	file, _ := recording(t, 1, 50)
	if _, err := read(io.MultiReader(bytes.NewReader(file[:len(file)/2]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a file that becomes unreadable: %v", err)
	}
}

// Damage ends the reading, after everything that stands before it, and is told
// with its place.
func TestDamage(t *testing.T) {
	o := orders[0]
	packet := tcp4(client, server, flagACK, 1, 1, "x")
	good := bytes.Join([][]byte{o.section(), o.iface(linkRaw, 0), o.packet(0, 1, len(packet), packet)}, nil)
	odd := o.block(9999, make([]byte, 20))
	odd[4]++
	other := o.block(9999, make([]byte, 20))
	other[len(other)-4] += 4
	long := o.packet(0, 1, 1, packet)
	binary.LittleEndian.PutUint32(long[20:], 1<<31)
	future := o.section()
	future[12] = 2
	for name, bad := range map[string][]byte{
		"odd length":           odd,
		"different length":     other,
		"huge":                 append([]byte("\x06\x00\x00\x00\xfc\xff\xff\xff"), make([]byte, 100)...),
		"tiny":                 append([]byte("\x06\x00\x00\x00\x08\x00\x00\x00"), make([]byte, 100)...),
		"packet beyond block":  long,
		"packet block of 4":    o.block(blockEPB, make([]byte, 4)),
		"simple block of 0":    o.block(blockSPB, nil),
		"interface of 4":       o.block(blockIDB, make([]byte, 4)),
		"section of 8":         o.block(blockSHB, o.AppendUint32(nil, byteOrderMagic)),
		"section of version 2": future,
		"no byte order":        o.block(blockSHB, make([]byte, 16)),
	} {
		all, err := read(bytes.NewReader(append(bytes.Clone(good), bad...)))
		var cut *CutError
		if !errors.As(err, &cut) || cut.Offset != int64(len(good)) || errors.Is(err, io.ErrUnexpectedEOF) || len(all) != 2 {
			t.Errorf("%s: %d inputs, %v", name, len(all), err)
		}
	}
}

// Wherever a file ends, all that stands whole before it is given, and the place
// is told. It does not matter in which pieces it comes.
func TestCutAnywhere(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file, "")
	if err != nil {
		t.Fatal(err)
	}
	s := w.Open(capture.LegBrowser, client, server, 1)
	w.Secret(keys.Secret{Label: "CLIENT_RANDOM", ClientRandom: make([]byte, 32), Secret: make([]byte, 48)})
	s.Data(capture.Client, 2, []byte("hello"))
	w.Fact(capture.Fact{Kind: capture.FactRecording})
	s.Fin(capture.Client, 3)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := mustRead(t, file.Bytes())
	ends := map[int]bool{}
	for off := 0; off < file.Len(); {
		off += int(binary.LittleEndian.Uint32(file.Bytes()[off+4:]))
		ends[off] = true
	}
	classic := newScript(linkRaw, client, server)
	classic.handshake()
	classic.send(capture.Client, flagACK, 0, 0, "hello")
	for n := 1; n <= file.Len(); n++ {
		all, err := read(iotest.OneByteReader(bytes.NewReader(file.Bytes()[:n])))
		var cut *CutError
		switch {
		case n < 4:
			if err == nil || errors.As(err, &cut) {
				t.Fatalf("%d bytes: %v", n, err)
			}
		case ends[n]:
			if err != io.EOF {
				t.Fatalf("%d bytes, at a block's end: %v", n, err)
			}
		default:
			if !errors.As(err, &cut) || !errors.Is(err, io.ErrUnexpectedEOF) || cut.Offset >= int64(n) || cut.Offset > 0 && !ends[int(cut.Offset)] {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
		if len(all) > 0 && !ends[n] && n < file.Len() {
			// A connection whose SYN-ACK or ACK is cut off is told, too, without it.
			if o := all[0].(capture.Open); o.Handshake[2] > 0 {
				compareInputs(t, all, want[:len(all)])
			}
		}
	}
	for n := 24; n < classic.Len(); n++ {
		_, err := read(bytes.NewReader(classic.Bytes()[:n]))
		var cut *CutError
		if !errors.As(err, &cut) && err != io.EOF {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
}

// A length in a file allocates nothing.
func TestSmallFileAllocatesLittle(t *testing.T) {
	var before, after runtime.MemStats
	head := bytes.Join([][]byte{orders[0].section(), orders[0].iface(linkRaw, 0)}, nil)
	for _, claim := range []uint32{maxBlock, maxBlock - 4, 1 << 31, 0xfffffffc} {
		file := binary.LittleEndian.AppendUint32(bytes.Clone(head), blockEPB)
		file = append(binary.LittleEndian.AppendUint32(file, claim), make([]byte, 24)...)
		runtime.ReadMemStats(&before)
		read(bytes.NewReader(file))
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("a file of %d bytes allocates %d", len(file), n)
		}
	}
}

// A file is followed as it grows: what is whole can be read at once.
func TestGrowingFile(t *testing.T) {
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	w, err := NewWriter(pw, "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(pr)
	if err != nil {
		t.Fatal(err)
	}
	next := func(want string) {
		t.Helper()
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		in, err := r.next() // would wait for ever if it wanted more
		if err != nil {
			t.Fatal(err)
		}
		if got := told([]capture.Input{copied(in)}); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	s := w.Open(capture.LegBrowser, client, server, 1)
	next("O40000>443")
	for range 3 {
		s.Data(capture.Client, 1, []byte("x"))
	}
	next("c4:x")
	next("c5:x")
	next("c6:x")
	w.Fact(capture.Fact{Kind: capture.FactRecording})
	next("")
	w.Secret(keys.Secret{Label: "L", ClientRandom: make([]byte, 32), Secret: make([]byte, 32)})
	next("")
	s.Reset(capture.Server, 1)
	next("Rs7")
	pw.Close()
	if _, err := r.next(); err != io.EOF {
		t.Error(err)
	}
}
