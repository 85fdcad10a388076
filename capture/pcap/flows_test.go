package pcap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"explainer/capture"
)

var (
	client = netip.MustParseAddrPort("192.0.2.1:40000")
	server = netip.MustParseAddrPort("198.51.100.2:443")
)

// tcp4 is one IPv4 packet.
func tcp4(from, to netip.AddrPort, flags byte, seq, ack uint32, payload string) []byte {
	b := make([]byte, 40, 40+len(payload))
	b[0], b[8], b[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(b[2:], uint16(40+len(payload)))
	copy(b[12:], from.Addr().AsSlice())
	copy(b[16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(b[20:], from.Port())
	binary.BigEndian.PutUint16(b[22:], to.Port())
	binary.BigEndian.PutUint32(b[24:], seq)
	binary.BigEndian.PutUint32(b[28:], ack)
	b[32], b[33] = 0x50, flags
	return append(b, payload...)
}

// A script is a classic pcap file in the making; packet n has the time n seconds.
type script struct {
	bytes.Buffer
	packets  uint32
	isn      [2]uint32
	from, to netip.AddrPort
}

func newScript(link uint32, from, to netip.AddrPort) *script {
	s := &script{isn: [2]uint32{1000, 0xfffffff0}, from: from, to: to}
	h := make([]byte, 24)
	binary.LittleEndian.PutUint32(h, 0xa1b2c3d4)
	binary.LittleEndian.PutUint32(h[16:], 0x40000)
	binary.LittleEndian.PutUint32(h[20:], link)
	s.Write(h)
	return s
}

func (s *script) packet(data []byte, length int) {
	s.packets++
	h := make([]byte, 16)
	binary.LittleEndian.PutUint32(h, s.packets)
	binary.LittleEndian.PutUint32(h[8:], uint32(len(data)))
	binary.LittleEndian.PutUint32(h[12:], uint32(length))
	s.Write(append(h, data...))
}

// send adds a packet of side whose payload, or FIN, stands at off in its stream.
// It acknowledges got bytes of the other side.
func (s *script) send(side capture.Side, flags byte, off, got int, payload string) {
	ends := [2]netip.AddrPort{s.from, s.to}
	seq := s.isn[side] + 1 + uint32(off)
	if flags&flagSYN != 0 {
		seq--
	}
	b := tcp4(ends[side], ends[side.Other()], flags, seq, s.isn[side.Other()]+1+uint32(got), payload)
	s.packet(b, len(b))
}

func (s *script) handshake() {
	s.send(capture.Client, flagSYN, 0, 0, "")
	s.send(capture.Server, flagSYN|flagACK, 0, 0, "")
	s.send(capture.Client, flagACK, 0, 0, "")
}

// told is what a capture says, in short: O open (o without SYN), c and s data of
// client and server with their packet, a number in brackets for a gap,
// in angle brackets for what comes after that was told, F and R.
func told(all []capture.Input) string {
	var b bytes.Buffer
	letter := func(s capture.Side) byte { return "cs"[s] }
	for _, in := range all {
		switch in := in.(type) {
		case capture.Open:
			kind := "o"
			if in.SYN {
				kind = "O"
			}
			fmt.Fprintf(&b, "%s%d>%d ", kind, in.Client.Port(), in.Server.Port())
		case capture.Chunk:
			fmt.Fprintf(&b, "%c%d:%s ", letter(in.Side), in.Packet, in.Data)
		case capture.Gap:
			fmt.Fprintf(&b, "%c%d[%d] ", letter(in.Side), in.Packet, in.Len)
		case capture.Late:
			fmt.Fprintf(&b, "%c%d<%d> ", letter(in.Side), in.Packet, in.Len)
		case capture.Close:
			kind := byte('F')
			if in.Reset {
				kind = 'R'
			}
			fmt.Fprintf(&b, "%c%c%d ", kind, letter(in.Side), in.Packet)
		case capture.End:
			fmt.Fprintf(&b, "(%s) ", in.Why)
		}
	}
	return string(bytes.TrimRight(b.Bytes(), " "))
}

func TestSegments(t *testing.T) {
	const c, s = capture.Client, capture.Server
	const ack, fin, syn, rst = flagACK, flagFIN | flagACK, flagSYN, flagRST
	for _, test := range []struct {
		name  string
		write func(p *script)
		want  string
	}{
		{"in order", func(p *script) {
			p.handshake()
			p.send(c, ack, 0, 0, "abc")
			p.send(s, ack, 0, 3, "the server's number wraps here")
			p.send(s, ack, 30, 3, "on")
			p.send(c, fin, 3, 32, "")
			p.send(s, fin, 32, 4, "")
			p.send(c, ack, 4, 33, "")
		}, "O40000>443 c4:abc s5:the server's number wraps here s6:on Fc7 Fs8"},
		{"padding of frames in the length of the packet", func(p *script) {
			p.handshake()
			p.send(c, ack, 0, 0, "\x00\x00\x00\x00\x00\x00")
			p.send(c, ack|flagPSH, 0, 0, "hello")
			p.send(s, ack, 0, 5, "\x00\x00")
			p.send(s, ack|flagPSH, 0, 5, "abc\x00\x00\x00")
			p.send(c, ack, 5, 3, "\x00\x00")
			p.send(s, ack|flagPSH, 3, 5, "defgh")
			p.send(c, ack|flagPSH, 5, 8, "i\x00")
			p.send(c, ack|flagPSH, 7, 8, "jk\x00\x00\x00\x00") // whose zeros are acknowledged
			p.send(s, ack, 8, 13, "\x00\x00\x00\x00\x00\x00")
			p.send(c, fin, 13, 8, "\x00\x00\x00\x00\x00\x00")
			p.send(s, fin, 8, 14, "")
			p.send(c, ack, 14, 9, "")
		}, "O40000>443 c5:hello s7:abc s9:defgh c10:i c10:\x00 c11:jk c11:\x00\x00\x00\x00 Fc13 Fs14"},
		{"zeros that are no padding", func(p *script) {
			p.handshake()
			p.send(c, ack|flagPSH, 0, 0, "a\x00") // as SOCKS answers
			p.send(s, ack|flagPSH, 0, 2, "b\x00")
			p.send(c, ack, 2, 2, "\x00\x00")
			p.send(c, ack|flagPSH, 2, 2, "c\x00") // and from here on it is not known at once
			p.send(c, ack|flagPSH, 8, 2, "d")
			p.send(s, ack|flagPSH, 2, 4, "e\x00")
		}, "O40000>443 c4:a\x00 s5:b\x00 c7:c c7:\x00 s9:e\x00 c8[4] c8:d"},
		{"out of order", func(p *script) {
			p.handshake()
			p.send(c, ack, 6, 0, "ghi")
			p.send(c, ack, 3, 0, "def")
			p.send(s, ack, 0, 0, "x")
			p.send(c, ack, 0, 0, "abc")
		}, "O40000>443 s6:x c7:abc c5:def c4:ghi"},
		{"repetitions are trimmed", func(p *script) {
			p.handshake()
			p.send(c, ack, 0, 0, "abc")
			p.send(c, ack, 0, 0, "abc")
			p.send(c, ack, 2, 0, "Xd")
			p.send(c, ack, 3, 0, "d") // keep-alive
			p.send(c, ack, 4, 0, "e")
		}, "O40000>443 c4:abc c6<1> c6:d c8:e"},
		{"first bytes win, also those that wait", func(p *script) {
			p.handshake()
			p.send(c, ack, 4, 0, "EF")
			p.send(c, ack, 8, 0, "I")
			p.send(c, ack, 2, 0, "cdefghij")
			p.send(c, ack, 0, 0, "abxx")
		}, "O40000>443 c6<3> c7<2> c7:ab c6:cd c4:EF c6:gh c5:I c6:j"},
		{"lost and acknowledged, with much after it", func(p *script) {
			p.handshake()
			p.send(c, ack, 3, 0, "def")
			p.send(s, ack, 0, 6, "y")
			for i := range maxHoleAge {
				p.send(s, ack, 1+i, 6, "z")
			}
		}, func() string {
			want := "O40000>443 c4[3] c4:def s5:y" // what was sent after it was acknowledged waits for it, too
			for i := range maxHoleAge {
				want += fmt.Sprintf(" s%d:z", 6+i)
			}
			return want
		}()},
		{"lost at the end of the file", func(p *script) {
			p.handshake()
			p.send(c, ack, 3, 0, "def")
			p.send(c, ack, 9, 0, "jkl")
			p.send(s, ack, 0, 20, "y")
		}, "O40000>443 c4[3] c4:def c5[3] c5:jkl c6[8] s6:y"},
		{"lost at the end of the connection", func(p *script) {
			p.handshake()
			p.send(c, fin, 3, 0, "def")
			p.send(s, fin, 0, 7, "")
			p.send(c, ack, 7, 1, "")
			p.send(s, ack, 1, 7, "late")
		}, "O40000>443 s7<4> c4[3] c4:def Fc4 Fs5"},
		{"the FIN alone was lost", func(p *script) {
			p.handshake()
			p.send(c, ack, 0, 0, "abc")
			p.send(s, ack, 0, 4, "")
		}, "O40000>443 c4:abc"},
		{"reset", func(p *script) {
			p.handshake()
			p.send(c, ack, 3, 0, "def")
			p.send(s, rst, 0, 0, "ignored")
			p.send(c, ack, 0, 0, "abc")
		}, "O40000>443 c6:abc c4:def Rs5"},
		{"refused", func(p *script) {
			p.send(c, syn, 0, 0, "")
			p.send(s, rst|ack, 0, 0, "")
		}, "o40000>443 Rs2"},
		{"never answered", func(p *script) {
			p.send(c, syn, 0, 0, "")
			p.send(c, syn, 0, 0, "")
		}, "o40000>443"},
		{"nothing after the FIN", func(p *script) {
			p.handshake()
			p.send(c, fin, 0, 0, "abc")
			p.send(c, ack, 2, 0, "cdef")
			p.send(s, ack, 0, 4, "yes")
		}, "O40000>443 c4:abc Fc4 c5<3> s6:yes"},
		{"data beyond a FIN that came first", func(p *script) {
			p.handshake()
			p.send(c, ack, 6, 0, "beyond")
			p.send(c, fin, 4, 0, "")
			p.send(c, ack, 0, 0, "abcdef")
		}, "O40000>443 c6<2> c6:abcd Fc5"},
		{"the same ports again", func(p *script) {
			p.handshake()
			p.send(c, ack, 0, 0, "abc")
			p.send(c, ack, 6, 0, "ghi")
			p.isn = [2]uint32{5000, 6000}
			p.handshake()
			p.send(c, ack, 0, 0, "new")
		}, "O40000>443 c4:abc c5[3] c5:ghi (reused) O40000>443 c9:new"},
		{"SYN-ACK before the SYN", func(p *script) {
			p.send(s, syn|ack, 0, 0, "")
			p.send(c, syn, 0, 0, "")
			p.send(c, ack, 0, 0, "abc")
		}, "O40000>443 c3:abc"},
		{"data before the SYN-ACK", func(p *script) {
			p.send(c, syn, 0, 0, "")
			p.send(s, ack, 0, 0, "early")
			p.send(s, syn|ack, 0, 0, "")
			p.send(s, ack, 5, 0, "!")
		}, "O40000>443 s2:early s4:!"},
		{"no beginning, by the ports", func(p *script) {
			p.send(s, ack, 50, 7, "s")
			p.send(c, ack, 7, 51, "c")
		}, "o40000>443 s1:s c2:c"},
		{"no beginning, the ServerHello first", func(p *script) {
			p.send(c, ack, 0, 0, "\x16\x03\x03\x00\x04\x02")
		}, "o443>40000 s1:\x16\x03\x03\x00\x04\x02"},
		{"no beginning, a ClientHello to the higher port", func(p *script) {
			p.send(s, ack, 0, 0, "\x16\x03\x01\x00\x04\x01")
		}, "o443>40000 c1:\x16\x03\x01\x00\x04\x01"},
		{"no beginning, a request to the higher port", func(p *script) {
			p.send(s, ack, 0, 0, "")
			p.send(s, ack, 0, 0, "GET / HTTP/1.1\r\n")
		}, "o443>40000 c2:GET / HTTP/1.1\r\n"},
		{"data in the SYN", func(p *script) {
			p.isn[0]++ // the payload stands after the SYN
			p.send(c, syn, 0, 0, "abc")
			p.send(s, syn|ack, 0, 3, "")
			p.send(c, ack, 3, 0, "def")
		}, "o40000>443 c1:abc c3:def"},
		{"an answer from an earlier connection, and its RST", func(p *script) {
			p.send(c, syn, 0, 0, "")
			p.send(s, ack, 500, 860_000_000, "")
			p.send(c, rst&^ack, 860_000_000, 0, "")
			p.send(c, syn, 0, 0, "")
			p.send(s, syn|ack, 0, 0, "")
			p.send(c, ack, 0, 0, "abc")
			p.send(s, ack, 0, 3, "x")
		}, "O40000>443 c6:abc s7:x"},
		{"an acknowledgement far ahead", func(p *script) {
			p.handshake()
			p.send(c, ack, 0, 0, "abc")
			p.send(s, ack, 0, 700_000_000, "x")
			p.send(c, ack, 3, 1, "def")
			p.send(s, rst, 1, 6, "")
		}, "O40000>443 c4:abc s5:x c6:def Rs7"},
		{"an acknowledgement far ahead of what waits", func(p *script) {
			p.handshake()
			p.send(c, ack, 100_000_000, 0, "def")
			p.send(s, rst, 0, 100_000_003, "")
		}, "O40000>443 Rs5"},
		{"much was lost, and acknowledged", func(p *script) {
			p.handshake()
			p.send(c, ack, 100_000_000, 0, "def")
			p.send(s, ack, 0, 100_000_003, "x")
			p.send(s, rst, 1, 100_000_003, "")
		}, "O40000>443 c4[100000000] c4:def s5:x Rs6"},
		{"much was lost, and more follows", func(p *script) {
			p.handshake()
			p.send(c, ack, 100_000_000, 0, "def")
			p.send(c, ack, 100_000_003, 0, "ghi")
		}, "O40000>443 c4[100000000] c4:def c5:ghi"},
		{"a segment from elsewhere", func(p *script) {
			p.handshake()
			p.send(c, ack, 100_000_000, 0, "def")
			p.send(c, ack, 0, 0, "abc")
			p.send(c, ack, -100_000_000, 0, "xyz")
			p.send(c, fin, 3, 0, "")
		}, "O40000>443 c5:abc Fc7"},
		{"a RST from elsewhere", func(p *script) {
			p.handshake()
			p.send(s, rst, 100_000_000, 0, "")
			p.send(s, rst, -100_000_000, 0, "")
			p.send(c, ack, 0, 0, "abc")
		}, "O40000>443 c6:abc"},
		{"refused, tried again with the same number, answered", func(p *script) {
			p.send(c, syn, 0, 0, "")
			p.send(s, rst|ack, -100_000_000, 0, "") // of a peer without the port: number 0
			p.send(c, syn, 0, 0, "")
			p.send(c, syn, 0, 0, "")
			p.send(s, syn|ack, 0, 0, "")
			p.send(c, ack, 0, 0, "abc")
		}, "o40000>443 Rs2 O40000>443 c6:abc"},
		{"a RST that answers nothing of this connection", func(p *script) {
			p.send(c, syn, 0, 0, "")
			p.send(s, rst, 0, 100, "")
			p.send(s, syn|ack, 0, 0, "")
			p.send(c, ack, 0, 0, "abc")
		}, "O40000>443 c4:abc"},
		{"the SYN after the data", func(p *script) {
			p.send(c, ack, 0, 0, "abc")
			p.send(c, syn, 0, 0, "")
			p.send(c, ack, 3, 0, "def")
		}, "o40000>443 c1:abc c3:def"},
		{"the same ports again, the SYN lost", func(p *script) {
			p.handshake()
			p.send(c, ack, 0, 0, "abc")
			p.isn = [2]uint32{0x80000000, 0xc0000000}
			p.send(s, syn|ack, 0, 0, "")
			p.send(c, ack, 0, 0, "new")
		}, "O40000>443 c4:abc (reused) o40000>443 c6:new"},
		{"the same ports again, SYN and SYN-ACK lost", func(p *script) {
			p.handshake()
			p.send(c, ack, 0, 0, "abc")
			p.isn[0] -= 50_000_000
			p.send(c, ack, 0, 0, "GET / HTTP/1.1")
			p.send(c, ack, 14, 0, "!")
		}, "O40000>443 c4:abc (reused) o40000>443 c5:GET / HTTP/1.1 c6:!"},
		{"the same ports again, the beginning lost", func(p *script) {
			p.handshake()
			p.send(c, ack, 0, 0, "abc")
			p.isn[0] -= 50_000_000
			for i := range 4 {
				p.send(c, ack, i, 0, "defg"[i:i+1])
			}
		}, "O40000>443 c4:abc (reused) o40000>443 c7:f c8:g"},
		{"keep-alives with a byte of garbage", func(p *script) {
			p.handshake()
			p.send(c, ack, 0, 0, "abc")
			p.send(s, ack, 0, 9, "")
			p.send(c, ack, 8, 0, "?")
			p.send(s, ack, 0, 9, "")
			p.send(c, ack, 9, 0, "def")
			p.send(c, ack, 11, 0, "?")
			p.send(c, ack, 12, 0, "ghi")
		}, "O40000>443 c4:abc c8[6] c8:def c10:ghi"},
		{"a keep-alive first", func(p *script) {
			p.send(c, ack, 0, 0, "\x00")
			p.send(s, ack, 0, 1, "")
			p.send(c, ack, 1, 0, "abc")
		}, "o40000>443 c3:abc"},
		{"a window probe", func(p *script) {
			p.handshake()
			p.send(c, ack, 0, 0, "abc")
			p.send(s, ack, 0, 3, "")
			p.send(c, ack, 3, 0, "d")
			p.send(s, ack, 0, 3, "")
			p.send(c, ack, 3, 0, "def")
		}, "O40000>443 c4:abc c6:d c8:ef"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newScript(linkRaw, client, server)
			test.write(p)
			if got := told(mustRead(t, p.Bytes())); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// Whatever the order, the overlaps and the losses, what is given tiles the
// stream, and the bytes stand where they belong.
func TestAnyOrderTilesTheStream(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		data := string(random(rnd, 1+rnd.IntN(4000)))
		lossy := rnd.IntN(2) == 0
		type part struct{ off, end int }
		var parts []part
		for off := 0; off < len(data); {
			end := min(len(data), off+1+rnd.IntN(200))
			if !lossy || rnd.IntN(10) > 0 {
				parts = append(parts, part{max(0, off-rnd.IntN(1+rnd.IntN(100))), end})
			}
			if rnd.IntN(5) == 0 {
				parts = append(parts, part{off, end})
			}
			off = end
		}
		for i := range parts {
			j := min(len(parts)-1, i+rnd.IntN(1+rnd.IntN(20)))
			parts[i], parts[j] = parts[j], parts[i]
		}
		p := newScript(linkRaw, client, server)
		p.isn[0] = -rnd.Uint32N(4000)
		p.handshake()
		sent := 0
		for _, x := range parts {
			p.send(capture.Client, flagACK, x.off, 0, data[x.off:x.end])
			if sent = max(sent, x.end); lossy && rnd.IntN(4) == 0 {
				p.send(capture.Server, flagACK, 0, sent, "")
			}
		}
		p.send(capture.Client, flagFIN|flagACK, len(data), 0, "")
		p.send(capture.Server, flagFIN|flagACK, 0, len(data)+1, "")
		p.send(capture.Client, flagACK, len(data)+1, 1, "")
		pos, gaps, closed := 0, 0, 0
		for _, in := range mustRead(t, p.Bytes()) {
			switch in := in.(type) {
			case capture.Chunk:
				if pos+len(in.Data) > len(data) || string(in.Data) != data[pos:pos+len(in.Data)] {
					t.Fatalf("seed %d: wrong bytes at %d", seed, pos)
				}
				pos += len(in.Data)
			case capture.Gap:
				pos += int(in.Len)
				gaps++
			case capture.Close:
				if in.Side == capture.Client && pos != len(data) {
					t.Fatalf("seed %d: closed at %d of %d", seed, pos, len(data))
				}
				closed++
			}
		}
		if pos != len(data) || closed != 2 || gaps > 0 && !lossy {
			t.Fatalf("seed %d: %d of %d bytes, %d gaps (lossy: %v), %d ends", seed, pos, len(data), gaps, lossy, closed)
		}
	}
}

// What waits is bounded, for a connection and in all, and so is the number of
// connections that are followed.
func TestBounds(t *testing.T) {
	r := newReader(&file{})
	fs := &r.flows
	given := int64(0)
	step := func(port uint16, flags byte, seq uint32, data []byte) {
		p := segment{fromPort: port, toPort: 443, seq: seq, flags: flags, data: data}
		fs.segment(&file{}, capture.LegNone, 0, 1, &p)
		for _, in := range r.queue {
			if c, ok := in.(*capture.Chunk); ok {
				given += int64(len(c.Data))
			}
		}
		r.queue = r.queue[:0]
		fs.reuse()
	}
	block := make([]byte, 1<<16)
	sent := int64(0)
	for port := range uint16(40) {
		step(port, flagSYN, 0, nil)
		for i := range uint32(80) {
			step(port, flagACK, 2+i<<16, block) // the byte with number 1 never comes
			sent += int64(len(block))
			if fs.waiting > maxWaitAll+maxWaiting {
				t.Fatalf("%d bytes wait", fs.waiting)
			}
			if held := sent - given; held > maxWaitAll {
				t.Fatalf("%d bytes are held back", held)
			}
		}
	}
	fs.endAll()
	if fs.waiting != 0 || fs.holding.len != 0 || len(fs.byTuple) != 0 {
		t.Errorf("after the end %d bytes wait in %d of %d connections", fs.waiting, fs.holding.len, len(fs.byTuple))
	}
	// One-byte segments cost more than their byte.
	step(1, flagSYN, 0, nil)
	for i := range uint32(1 << 16) {
		step(1, flagACK, 2+2*i, block[:1])
	}
	if f := fs.holding.first; f == nil || len(f.half[0].waiting)+len(f.half[1].waiting) > maxWaiting/waitOverhead {
		t.Errorf("too many segments wait, or none: %+v", f)
	}
	for i := range maxOpen + 1000 {
		p := segment{from: [16]byte{15: byte(i), 14: byte(i >> 8), 13: byte(i >> 16)}, fromPort: 1, toPort: 443, flags: flagSYN}
		fs.segment(&file{}, capture.LegNone, 0, 1, &p)
		p.flags |= flagRST
		if i%2 == 0 {
			fs.segment(&file{}, capture.LegNone, 0, 1, &p)
		}
		r.queue = r.queue[:0]
	}
	if n := len(fs.byTuple); n > maxOpen+maxClosed {
		t.Errorf("%d connections are kept", n)
	}
}

// TestContradictions feeds segments whose numbers, acknowledgements and flags contradict each
// other. Each connection begins before it says anything, each direction goes on where it
// was, nothing is left waiting, and the reader comes to an end.
func TestContradictions(t *testing.T) {
	for seed := range uint64(4000) {
		rng := rand.New(rand.NewPCG(seed, 7))
		p := newScript(linkRaw, client, server)
		if rng.IntN(2) == 0 {
			p.handshake()
		}
		spread := 1 + rng.IntN(300)
		for range 1 + rng.IntN(80) {
			flags := byte(flagACK)
			switch rng.IntN(12) {
			case 0:
				flags |= flagFIN
			case 1:
				flags |= flagSYN
			case 2:
				flags = flagSYN
			case 3:
				flags |= flagRST
			case 4:
				flags = 0
			}
			p.send(capture.Side(rng.IntN(2)), flags, rng.IntN(spread)-5, rng.IntN(spread)-5, "abcdefghijklmnopqrstuvwxyz"[:rng.IntN(27)])
		}
		r, err := NewReader(bytes.NewReader(p.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if seed%2 == 0 {
			r.Whole()
		}
		begun, over := map[int]bool{}, map[int]bool{}
		for in, err := range r.All() {
			if err != nil {
				t.Fatal(err)
			}
			conn := 0
			switch in := in.(type) {
			case *capture.Open:
				if begun[in.Conn] {
					t.Fatalf("seed %d: connection %d begins twice", seed, in.Conn)
				}
				begun[in.Conn] = true
				continue
			case *capture.Chunk:
				conn = in.Conn
			case *capture.Gap:
				if conn = in.Conn; in.Len <= 0 {
					t.Fatalf("seed %d: a gap of %d bytes", seed, in.Len)
				}
			case *capture.Late:
				conn = in.Conn
			case *capture.Close:
				conn = in.Conn
			case *capture.End:
				conn = in.Conn
				over[conn] = true
			}
			if !begun[conn] || over[conn] && func() bool { _, end := in.(*capture.End); return !end }() {
				t.Fatalf("seed %d: %T of connection %d out of its life", seed, in, conn)
			}
		}
		fs := &r.flows
		if fs.waiting != 0 || fs.recent != 0 || fs.holding.len != 0 || fs.open.len != 0 {
			t.Fatalf("seed %d: %d bytes wait at the end, in %d connections, and %d are open", seed, fs.waiting, fs.holding.len, fs.open.len)
		}
	}
}

// lates reads segments of the client, and returns what it was told to be late and all that was read.
func lates(t *testing.T, packets ...[]byte) (got []capture.Late, data string) {
	t.Helper()
	packets = append([][]byte{tcp4(client, server, flagSYN, 0, 0, ""), tcp4(server, client, flagSYN|flagACK, 0, 1, "")}, packets...)
	r, err := NewReader(bytes.NewReader(many(t, slices.Repeat([]uint32{linkRaw}, len(packets)), packets)))
	if err != nil {
		t.Fatal(err)
	}
	for in, err := range r.All() {
		if err != nil {
			t.Fatal(err)
		}
		switch in := in.(type) {
		case *capture.Late:
			got = append(got, *in)
		case *capture.Chunk:
			data += string(in.Data)
		}
	}
	return got, data
}

// TestOtherCopy: bytes that come again are told where they differ, once, in whatever segments
// they come, and only then.
func TestOtherCopy(t *testing.T) {
	segment := func(seq uint32, payload string) []byte { return tcp4(client, server, flagACK|flagPSH, seq, 1, payload) }
	for _, again := range []struct {
		name    string
		packets [][]byte
		packet  int
		len     int64
	}{
		{"the same", [][]byte{segment(6, "SECOND"), segment(6, "SECOND")}, 5, 6},
		{"two in one", [][]byte{segment(1, "firstSecond")}, 5, 11},
		{"part of one", [][]byte{segment(8, "CO")}, 5, 2},
		{"with more behind", [][]byte{segment(8, "CONDthird")}, 5, 4},
		{"of what waits", [][]byte{segment(14, "ird"), segment(13, "hIr")}, 6, 2},
		{"alike", [][]byte{segment(1, "first"), segment(1, "firstsecond"), segment(8, "con"), segment(9, "ondth")}, 0, 0},
	} {
		got, data := lates(t, slices.Concat([][]byte{segment(1, "first"), segment(6, "second")}, again.packets, [][]byte{segment(12, "third")})...)
		if again.packet == 0 && len(got) > 0 || again.packet > 0 && (len(got) != 1 || got[0].Packet != again.packet || got[0].Len != again.len || !got[0].Other) {
			t.Errorf("%s: %+v", again.name, got)
		}
		if data != "firstsecondthird" {
			t.Errorf("%s: read as %q", again.name, data)
		}
	}
}

// TestRecentIsBounded: what is remembered for copies stays below its bounds, and an early one
// of many bytes is still compared as far as it is remembered.
func TestRecentIsBounded(t *testing.T) {
	r, err := NewReader(bytes.NewReader(many(t, nil, nil)))
	if err != nil {
		t.Fatal(err)
	}
	fs := &r.flows
	halves := make([]half, 2000)
	for n := range 400 {
		for i := range halves {
			fs.remember(&halves[i], make([]byte, 1+(i*n)%3000))
			if len(halves[i].recent) > 2*maxRecent || fs.recent > maxRecentAll {
				t.Fatalf("%d bytes of one, %d of all", len(halves[i].recent), fs.recent)
			}
		}
	}
	for i := range halves {
		fs.forgetRecent(&halves[i])
	}
	if fs.recent != 0 || len(fs.spares) > maxSpares {
		t.Errorf("%d bytes are left, and %d buffers", fs.recent, len(fs.spares))
	}
}
