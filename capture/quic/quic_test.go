package quic

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/capture/keys"
)

// The examples of RFC 9001 appendix A and RFC 9369 appendix A.
const (
	dcidHex        = "8394c8f03e515708"
	clientFrameHex = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868" +
		"04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578" +
		"616d706c652e636f6dff01000100000a00080006001d00170018001000070005" +
		"04616c706e000500050100000000003300260024001d00209370b2c9caa47fba" +
		"baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400" +
		"0d0010000e0403050306030203080408050806002d00020101001c0002400100" +
		"3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000" +
		"75300901100f088394c8f03e51570806048000ffff"
	serverPayloadHex = "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf739" +
		"88cfc79825df566dc5430b9a045a1200130100002e00330024001d00209d3c94" +
		"0d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00" +
		"020304"
)

// vectors are what the two appendices say of each version.
var vectors = []struct {
	version                uint32
	clientHead             string // before protection
	clientBegin, clientEnd string // of the protected packet
	server, retry          string
}{
	{Version1, "c300000001088394c8f03e5157080000449e00000002",
		"c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9b",
		"7e78bfe706ca4cf5e9c5453e9f7cfd2b8b4c8d169a44e55c88d4a9a7f9474241e221af44860018ab0856972e194cd934",
		"cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a" +
			"5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3" +
			"dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84" +
			"022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4" +
			"2158407dd074ee",
		"ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba"},
	{Version2, "d36b3343cf088394c8f03e5157080000449e00000002",
		"d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485dd04de806071",
		"a18b2faa745b6fe189cf772a9f84cbfc",
		"dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698" +
			"baeea26b91eb761d9b89237bbf87263017915358230035f7fd3945d88965cf17" +
			"f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2" +
			"c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca8" +
			"4bed8521e2e140",
		"cf6b3343cf0008f067a5502a4262b5746f6b656ec8646ce8bfe33952d955543665dcc7b6"},
}

// seal protects an Initial packet as its sender does: head is its header with
// the packet number, of which the last two bits of the first byte tell the length.
func seal(k *Keys, side int, head []byte, number uint64, payload []byte) []byte {
	d := k.dir[side]
	n := int(head[0]&3) + 1
	nonce := bytes.Clone(d.iv[:])
	for i := 0; i < 8; i++ {
		nonce[4+i] ^= byte(number >> (56 - 8*i))
	}
	packet := append(bytes.Clone(head), d.aead.Seal(nil, nonce, payload, head)...)
	at := len(head) - n
	mask := d.mask(packet[at+4 : at+20])
	packet[0] ^= mask[0] & 0x0f
	for i := range n {
		packet[at+i] ^= mask[1+i]
	}
	return packet
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		name := VersionName(v.version)
		dcid := unhex(dcidHex)
		keys := InitialKeys(v.version, dcid)
		payload := append(unhex(clientFrameHex), make([]byte, 917)...)
		packet := seal(keys, 0, unhex(v.clientHead), 2, payload)
		if got := hex.EncodeToString(packet); len(packet) != 1200 || !strings.HasPrefix(got, v.clientBegin) || !strings.HasSuffix(got, v.clientEnd) {
			t.Fatalf("%s: the client's Initial comes out as %s…%s, %d bytes", name, got[:80], got[len(got)-64:], len(packet))
		}
		var c Conn
		out := c.Datagram(0, packet, 0)
		if len(out) != 1 || !out[0].Opened || out[0].Number != 2 || out[0].Type != Initial || !bytes.Equal(out[0].From, dcid) {
			t.Fatalf("%s: client's Initial read as %+v", name, out)
		}
		if f := out[0].Frames; len(f) != 1 || f[0].Type != FrameCrypto || !bytes.Equal(f[0].Data, unhex(clientFrameHex)[4:]) {
			t.Fatalf("%s: frames %+v", name, f)
		}
		if !Begins(packet, 0) || !Looks(packet, 0) {
			t.Errorf("%s: the client's Initial is not recognised", name)
		}
		server := unhex(v.server)
		out = c.Datagram(1, server, 0)
		if len(out) != 1 || !out[0].Opened || out[0].Number != 1 || string(out[0].SCID) != string(unhex("f067a5502a4262b5")) {
			t.Fatalf("%s: server's Initial read as %+v", name, out)
		}
		if f := out[0].Frames; len(f) != 2 || f[0].Type != FrameAck || f[1].Type != FrameCrypto || !bytes.Equal(f[1].Data, unhex(serverPayloadHex)[9:]) {
			t.Fatalf("%s: frames %+v", name, f)
		}
		if Begins(server, 0) {
			t.Errorf("%s: the server's Initial is taken for a client's", name)
		}
		retry := unhex(v.retry)
		out = c.Datagram(1, retry, 0)
		if len(out) != 1 || out[0].Type != Retry || !out[0].Checked || !out[0].Good || string(out[0].Token) != "token" {
			t.Fatalf("%s: Retry read as %+v", name, out)
		}
		// One bit anywhere is found out.
		for _, side := range []int{0, 1} {
			good := [][]byte{packet, server}[side]
			for i := range good {
				if side == 0 && i > 5 && i < 14 {
					continue // the connection ID: then the keys are others, and do not fit either, but are found with it
				}
				bad := bytes.Clone(good)
				bad[i] ^= 1
				fresh := Conn{keys: c.keys}
				for _, p := range fresh.Datagram(side, bad, 0) {
					if p.Opened {
						t.Fatalf("%s: side %d opens with byte %d changed", name, side, i)
					}
				}
			}
		}
		for i := range retry {
			bad := bytes.Clone(retry)
			bad[i] ^= 1
			for _, p := range c.Datagram(1, bad, 0) {
				if p.Good {
					t.Fatalf("%s: a Retry passes with byte %d changed", name, i)
				}
			}
		}
	}
}

// TestDraftRetry checks the tag of draft 29, from its appendix A.4.
func TestDraftRetry(t *testing.T) {
	packet := unhex("ffff00001d0008f067a5502a4262b5746f6b656ed16926d81f6f9ca2953a8aa4575e1e49")
	h, ok := Parse(packet, 0)
	if good, known := CheckRetry(packet, &h, unhex(dcidHex)); !ok || !known || !good {
		t.Errorf("draft 29: ok %v, known %v, good %v", ok, known, good)
	}
}

// TestRetryChangesKeys: after a Retry the keys come from the ID that it gave,
// and a client that begins anew is told as such.
func TestRetryChangesKeys(t *testing.T) {
	v := vectors[0]
	first := unhex(dcidHex)
	payload := append(unhex(clientFrameHex), make([]byte, 917)...)
	var c Conn
	c.Datagram(0, seal(InitialKeys(Version1, first), 0, unhex(v.clientHead), 2, payload), 0)
	c.Datagram(1, unhex(v.retry), 0)
	given := unhex("f067a5502a4262b5")
	head := append(append([]byte{0xc0, 0, 0, 0, 1, 8}, given...), 0, 5, 't', 'o', 'k', 'e', 'n', 0x44, 0x9b, 0)
	again := seal(InitialKeys(Version1, given), 0, head, 0, payload)
	out := c.Datagram(0, again, 0)
	if len(out) != 1 || !out[0].Opened || !out[0].Fresh || string(out[0].Token) != "token" || !bytes.Equal(out[0].From, given) {
		t.Fatalf("after Retry: %+v", out)
	}
	// The client's later packets go to an ID that the server chose; their keys stay.
	head = append([]byte{0xc0, 0, 0, 0, 1, 4}, 1, 2, 3, 4, 0, 0, 0x40, 0x30, 9)
	out = c.Datagram(0, seal(InitialKeys(Version1, given), 0, head, 9, make([]byte, 31)), 0)
	if len(out) != 1 || !out[0].Opened || out[0].Fresh || out[0].Number != 9 {
		t.Fatalf("later: %+v", out)
	}
}

// TestChaCha20 opens the packet of RFC 9001 A.5, and finds out each change.
func TestChaCha20(t *testing.T) {
	secret := unhex("9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b")
	packet := unhex("4cfe4189655e5cd55c41f69080575d7999c25a5bfb")
	open := func(packet []byte) (*Packet, bool) {
		c := Conn{version: Version1, lengths: [2][]int{{0}, {0}}}
		c.Learn(0, OneRTT, secret)
		c.Agree(0x1303)
		c.expected[0][spaceData] = 654360564
		p := c.Datagram(0, packet, 0)[0]
		return &p, c.Open(0, packet, &p)
	}
	p, ok := open(packet)
	if !ok || p.Number != 654360564 || len(p.Frames) != 1 || p.Frames[0].Type != FramePing || p.Head != 4 {
		t.Fatalf("read as %+v, %v", p, ok)
	}
	for i := range packet {
		bad := bytes.Clone(packet)
		bad[i] ^= 1
		if _, ok := open(bad); ok {
			t.Errorf("opens with byte %d changed", i)
		}
	}
}

// TestUpdates: packets under updated keys are opened, also where some updates are not in the
// capture, and those before an update that come behind it.
func TestUpdates(t *testing.T) {
	suite, _ := keys.SuiteByID(0x1302)
	first := newProtection(LabelPrefix(Version2), suite, bytes.Repeat([]byte{7}, 48))
	id := []byte{1, 2, 3, 4}
	seal := func(k *protection, phase byte, number uint64) []byte {
		head := append([]byte{0x41 | phase<<2}, id...)
		head = append(head, byte(number>>8), byte(number))
		nonce := k.iv
		nonce[10] ^= byte(number >> 8)
		nonce[11] ^= byte(number)
		packet := k.aead.Seal(bytes.Clone(head), nonce[:], []byte{FramePing, 0, 0}, head)
		mask := k.mask(packet[len(head)-2+4:][:16])
		packet[0] ^= mask[0] & 0x1f
		packet[5] ^= mask[1]
		packet[6] ^= mask[2]
		return packet
	}
	c := Conn{version: Version2, lengths: [2][]int{nil, {4}}}
	c.Learn(0, OneRTT, first.secret)
	second := first.next()
	third := second.next()
	fifth := third.next().next()
	for i, step := range []struct {
		k               *protection
		phase           byte
		number          uint64
		updates         int
		updated, opened bool
	}{
		{first, 0, 1, 0, false, true}, {second, 1, 3, 1, true, true}, {first, 0, 2, 0, false, true}, {second, 1, 4, 1, false, true},
		{third, 0, 5, 2, true, true}, {fifth, 0, 9, 4, true, true}, {first, 0, 10, 0, false, false},
	} {
		packet := seal(step.k, step.phase, step.number)
		p := c.Datagram(0, packet, 0)[0]
		if ok := c.Open(0, packet, &p); ok != step.opened || ok && (p.Number != step.number || p.Updates != step.updates || p.Updated != step.updated || !bytes.Equal(p.DCID, id)) {
			t.Errorf("packet %d: %v, %+v", i, ok, p)
		}
	}
}

// TestReset: a packet that ends with the token that was announced is a stateless reset.
func TestReset(t *testing.T) {
	c := Conn{lengths: [2][]int{{4}, {4}}}
	token := bytes.Repeat([]byte{5}, 16)
	c.ResetToken(1, token)
	packet := append([]byte{0x55, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, token...)
	for side, want := range []Type{OneRTT, Reset} {
		p := c.Datagram(side, packet, 0)[0]
		if ok := c.Open(side, packet, &p); ok || p.Type != want {
			t.Errorf("from side %d it is %v, %v", side, p.Type, ok)
		}
	}
}

// FuzzOpen opens anything with known secrets: no panic, and packets that add up to the datagram.
func FuzzOpen(f *testing.F) {
	secret := unhex("9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b")
	f.Add(byte(0), unhex("4cfe4189655e5cd55c41f69080575d7999c25a5bfb"))
	f.Add(byte(1), append(unhex("e00000000104010203040040"), make([]byte, 80)...))
	f.Add(byte(2), append([]byte{0x43}, bytes.Repeat([]byte{1, 2, 3}, 900)...))
	f.Fuzz(func(t *testing.T, how byte, data []byte) {
		side := int(how & 1)
		c := Conn{version: Version1}
		for _, kind := range []Type{ZeroRTT, Handshake, OneRTT} {
			c.Learn(side, kind, secret)
		}
		if how&2 != 0 {
			c.lengths = [2][]int{{0}, {0}}
		}
		var count func(data []byte, packets []Packet)
		count = func(data []byte, packets []Packet) {
			for _, p := range packets {
				n := p.Len + p.Padding
				b := data[:n]
				data = data[n:]
				if c.Open(side, b, &p); p.Len+p.Padding < n {
					count(b[p.Len+p.Padding:], c.Again(side, b[p.Len+p.Padding:]))
				}
			}
			if len(data) > 0 {
				t.Fatalf("%d bytes are in no packet", len(data))
			}
		}
		count(data, slices.Clone(c.Datagram(side, data, 0)))
	})
}

func TestCoalesced(t *testing.T) {
	v := vectors[0]
	server := unhex(v.server)
	handshake := append([]byte{0xe0, 0, 0, 0, 1, 0, 0, 0x40, 30}, make([]byte, 30)...)
	short := append([]byte{0x41}, make([]byte, 40)...) // to the client, whose connection ID is empty
	var c Conn
	c.keys = []initial{{Version1, unhex(dcidHex), InitialKeys(Version1, unhex(dcidHex)), false}}
	out := c.Datagram(1, bytes.Join([][]byte{server, handshake, short}, nil), 0)
	var kinds []Type
	n := 0
	for _, p := range out {
		kinds = append(kinds, p.Type)
		n += p.Len
	}
	if len(out) != 3 || kinds[0] != Initial || kinds[1] != Handshake || kinds[2] != OneRTT || n != len(server)+len(handshake)+len(short) {
		t.Errorf("read as %v, %d bytes", kinds, n)
	}
	// What the capture lacks of a datagram belongs to its last packet.
	whole := bytes.Join([][]byte{server, handshake, short}, nil)
	out = c.Datagram(1, whole[:len(whole)-10], 10)
	if p := out[len(out)-1]; len(out) != 3 || p.Type != OneRTT || p.Len != len(short)-10 || p.Lacking != 10 {
		t.Errorf("cut: %d packets, the last of %d bytes and %d more", len(out), p.Len, p.Lacking)
	}
	out = c.Datagram(1, whole[:len(server)+20], len(whole)-len(server)-20)
	if p := out[len(out)-1]; len(out) != 2 || p.Type != Handshake || p.Len != 20 || p.Lacking != len(handshake)-20 {
		t.Errorf("cut: %d packets, the last of %d bytes and %d more", len(out), p.Len, p.Lacking)
	}
}

// TestJoined: datagrams that a sender handed to the system at once are captured as one, and
// read as they are apart.
func TestJoined(t *testing.T) {
	id, mine := unhex(dcidHex), []byte{7, 6, 5, 4, 3, 2, 1, 0}
	random := func(n int, seed byte) []byte {
		return bytes.Repeat([]byte{0x9d ^ seed, 0x33, seed}, n)[:n]
	}
	short := func(to []byte, n int, seed byte) []byte {
		return append(append([]byte{0x45}, to...), random(n-1-len(to), seed)...)
	}
	initial := func(number uint64) []byte {
		// 1002 bytes, and padding to 1200 outside of the packet
		head := append(append(append(append([]byte{0xc0, 0, 0, 0, 1, 8}, id...), 8), mine...), 0, 0x43, 0xd2, byte(number))
		return append(seal(InitialKeys(Version1, id), 0, head, number, append(unhex(clientFrameHex), make([]byte, 961-len(clientFrameHex)/2)...)), make([]byte, 198)...)
	}
	answer := func(n int) []byte { // Initial, Handshake, and 1-RTT to the end
		head := append(append([]byte{0xc0, 0, 0, 0, 1, 8}, mine...), 8, 0xf0, 0x67, 0xa5, 0x50, 0x2a, 0x42, 0x62, 0xb5, 0, 0x40, 0x75, 1)
		out := seal(InitialKeys(Version1, id), 1, head, 1, append(unhex(serverPayloadHex), make([]byte, 0x75-17-len(serverPayloadHex)/2)...))
		out = append(append(append(out, 0xe0, 0, 0, 0, 1, 8), mine...), 8, 0xf0, 0x67, 0xa5, 0x50, 0x2a, 0x42, 0x62, 0xb5, 0x40, 60)
		out = append(out, random(60, 1)...)
		return append(out, short(mine, n-len(out), 2)...)
	}
	for name, parts := range map[string][][]byte{
		"hellos":     {initial(0), initial(1), initial(2)},
		"answer":     {initial(0), nil, answer(1200), short(mine, 1200, 3), short(mine, 1200, 4), short(mine, 77, 5)},
		"data":       {initial(0), nil, answer(1200), nil, short(mine, 1350, 3), short(mine, 1350, 4), short(mine, 1350, 5), short(mine, 1350, 6)},
		"one larger": {initial(0), nil, answer(1200), nil, short(mine, 3000, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			read := func(joined bool) (out []string) {
				var c Conn
				side, before := 0, []byte(nil)
				tell := func(data []byte) {
					n := 0
					for _, p := range c.Datagram(side, data, 0) {
						out = append(out, fmt.Sprint(p.Type, " ", p.Len, " ", p.Padding, " ", p.Opened, " ", p.Number))
						n += p.Len + p.Padding
					}
					if n != len(data) {
						t.Errorf("%d of %d bytes are told", n, len(data))
					}
				}
				for _, p := range append(parts, nil) {
					switch {
					case p == nil && len(before) > 0:
						tell(before)
						side, before = 1, nil
					case p == nil:
						side = 1
					case joined:
						before = append(before, p...)
					default:
						tell(p)
					}
				}
				return out
			}
			apart, joined := read(false), read(true)
			if !slices.Equal(apart, joined) || strings.Contains(strings.Join(apart, "\n"), "no packet") {
				t.Errorf("apart\n%s\njoined\n%s", strings.Join(apart, "\n"), strings.Join(joined, "\n"))
			}
		})
	}
}

func TestPacketNumber(t *testing.T) {
	if n := packetNumber(0xa82f30eb, 0x9b32, 2); n != 0xa82f9b32 { // RFC 9000 A.3
		t.Errorf("%x", n)
	}
	for _, n := range []uint64{0, 1, 255, 256, 1 << 31} {
		if got := packetNumber(n, n&0xff, 1); got != n {
			t.Errorf("%d comes out as %d", n, got)
		}
	}
}

func FuzzDatagram(f *testing.F) {
	for _, v := range vectors {
		f.Add(seal(InitialKeys(v.version, unhex(dcidHex)), 0, unhex(v.clientHead), 2, append(unhex(clientFrameHex), make([]byte, 917)...)), byte(0), uint16(0))
		f.Add(unhex(v.server), byte(1), uint16(0))
		f.Add(unhex(v.retry), byte(1), uint16(0))
		f.Add(unhex(v.server)[:60], byte(1), uint16(75))
	}
	f.Add([]byte{0x80, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x6b, 0x33, 0x43, 0xcf}, byte(1), uint16(0))
	f.Fuzz(func(t *testing.T, data []byte, side byte, cut uint16) {
		var c Conn
		for range 2 {
			n := 0
			for _, p := range c.Datagram(int(side&1), data, int(cut)) {
				if p.Len <= 0 {
					t.Fatalf("a packet of %d bytes", p.Len)
				}
				n += p.Len + p.Padding
			}
			if n != len(data) {
				t.Fatalf("packets of %d bytes in a datagram of %d", n, len(data))
			}
		}
		Looks(data, int(cut))
		Begins(data, int(cut))
	})
}

func FuzzFrames(f *testing.F) {
	f.Add(unhex(clientFrameHex))
	f.Add(unhex(serverPayloadHex))
	f.Add(unhex("020a00020200010100020a000000"))
	f.Add(unhex("0408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range []Type{Initial, ZeroRTT, Handshake, OneRTT} {
			frames, _ := Frames(kind, Version1, data)
			for _, f := range frames {
				for _, r := range f.Ranges {
					if r[0] > r[1] || r[1] > f.Number || len(f.Ranges) > maxRanges {
						t.Errorf("ACK of %d: %v", f.Number, f.Ranges)
					}
				}
			}
			Frames(kind, 0x54303531, data)
		}
		list, _ := Parameters(data)
		for _, p := range list {
			p.Number()
		}
	})
}

var record = flag.Bool("record-quic", false, "write connections made of the RFCs' examples anew to annotate/testdata")

// TestConnections makes connections of the RFCs' examples, and of what is sealed
// with the same code: each line a datagram, c from the client and s from the server.
func TestConnections(t *testing.T) {
	hello := append(unhex(clientFrameHex), make([]byte, 917)...)
	v1, v2 := vectors[0], vectors[1]
	first, given, other := unhex(dcidHex), unhex("f067a5502a4262b5"), unhex("0102030405060708")
	client := func(version uint32, head string, dcid []byte) string {
		return "c " + hex.EncodeToString(seal(InitialKeys(version, dcid), 0, unhex(head), 2, hello))
	}
	// A packet that nobody opens: its content is only as long as a real one's.
	sealed := func(side, head string, n int) string {
		return side + " " + head + strings.Repeat("5a", n)
	}
	again := func(version uint32, head string) string {
		return "c " + hex.EncodeToString(seal(InitialKeys(version, given), 0, unhex(head), 3, hello))
	}
	server := func(version uint32, head string, dcid []byte, payload string) string {
		return "s " + hex.EncodeToString(seal(InitialKeys(version, dcid), 1, unhex(head), 0, unhex(payload)))
	}
	for name, lines := range map[string][]string{
		"quic-v1": {
			client(Version1, v1.clientHead, first), "s " + v1.server,
			sealed("s", "e00000000100"+"08f067a5502a4262b5"+"4200", 512),
			sealed("c", "e000000001"+"08f067a5502a4262b500"+"4050", 80),
			sealed("c", "40f067a5502a4262b5", 60), sealed("s", "41", 900), sealed("s", "41", 300),
		},
		"quic-v2": {client(Version2, v2.clientHead, first), "s " + v2.server, sealed("s", "f06b3343cf00"+"08f067a5502a4262b5"+"4200", 512)},
		"quic-retry": {
			client(Version1, v1.clientHead, first), "s " + v1.retry,
			again(Version1, "c0"+"00000001"+"08f067a5502a4262b5"+"00"+"05746f6b656e"+"449b"+"03"),
			server(Version1, "c0"+"00000001"+"00"+"08f067a5502a4262b5"+"00"+"4074"+"00", given, serverPayloadHex),
		},
		"quic-negotiation": {
			"c c0" + "1a2a3a4a" + "088394c8f03e515708" + "00" + strings.Repeat("5a", 1200),
			"s 80" + "00000000" + "00" + "088394c8f03e515708" + "6b3343cf" + "00000001",
			client(Version1, v1.clientHead, first),
		},
		"quic-two": { // one behind the other between the same ports
			client(Version1, v1.clientHead, first), "s " + v1.server,
			"c " + hex.EncodeToString(seal(InitialKeys(Version1, other), 0, unhex("c0"+"00000001"+"080102030405060708"+"0411223344"+"00"+"449b"+"00"), 0, hello)),
			server(Version1, "c0"+"00000001"+"0411223344"+"04aabbccdd"+"00"+"4074"+"00", other, serverPayloadHex),
			sealed("c", "40aabbccdd", 40), sealed("s", "4011223344", 50), sealed("c", "40f067a5502a4262b5", 60),
		},
		"quic-refused": {
			client(Version1, v1.clientHead, first),
			server(Version1, "c0"+"00000001"+"00"+"08f067a5502a4262b5"+"00"+"4021"+"00", first, "1c4178060b6e6f2070726f746f636f6c"),
		},
	} {
		var c Conn
		opened := 0
		for _, l := range lines {
			side := 0
			if l[0] == 's' {
				side = 1
			}
			for _, p := range c.Datagram(side, unhex(l[2:]), 0) {
				if p.Type == Initial && p.Opened {
					opened++
				} else if p.Type == Initial || p.Type == Rest || p.Checked && !p.Good {
					t.Errorf("%s: %+v", name, p)
				}
			}
		}
		if want := map[string]int{"quic-v1": 2, "quic-v2": 2, "quic-retry": 3, "quic-negotiation": 1, "quic-two": 4, "quic-refused": 2}[name]; opened != want {
			t.Errorf("%s: %d Initials opened, want %d", name, opened, want)
		}
		if *record {
			file := filepath.Join("..", "..", "annotate", "testdata", name+".hex")
			if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestAckRanges: the ranges of an acknowledgement are those that it names (RFC 9000 19.3.1), and
// break off before one below packet 0.
func TestAckRanges(t *testing.T) {
	for _, test := range []struct {
		frame  string // without its type: largest, delay, further ranges, first range, then gap and length of each
		ranges string
	}{
		{"0a 00 00 00", "[[10 10]]"},
		{"0a 00 00 0a", "[[0 10]]"},
		{"0a 00 02 02 00 01 01 00", "[[8 10] [5 6] [2 2]]"},
		{"0a 00 01 0b 00 00", "[]"},
		{"0a 00 02 02 06 00 00 00", "[[8 10] [0 0]]"},
		{"0a 00 01 02 07 00", "[[8 10]]"},
		{"0a 00 01 02 ff ff ff ff ff ff ff ff 00", "[[8 10]]"},
	} {
		body, err := hex.DecodeString(strings.ReplaceAll(test.frame, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		for _, ecn := range []bool{false, true} {
			payload := append([]byte{FrameAck}, body...)
			if ecn {
				payload = append(append([]byte{FrameAck + 1}, body...), 1, 2, 3)
			}
			frames, ok := Frames(OneRTT, Version1, append(payload, FramePing))
			if !ok || len(frames) != 2 || frames[0].Number != 10 || fmt.Sprint(frames[0].Ranges) != test.ranges {
				t.Errorf("%s: %v %v, want %s", test.frame, ok, frames, test.ranges)
			}
		}
	}
}
