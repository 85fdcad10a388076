package web

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// talk writes both directions of an HTTP/2 connection as a script.
type talk struct {
	script []sent
	buf    bytes.Buffer
	fr     *http2.Framer
	block  bytes.Buffer
	enc    [2]*hpack.Encoder
}

func newTalk() *talk {
	t := &talk{}
	t.fr = http2.NewFramer(&t.buf, nil)
	t.fr.AllowIllegalWrites = true
	for i := range t.enc {
		t.enc[i] = hpack.NewEncoder(&t.block)
	}
	t.script = []sent{{from: 0, data: preface}}
	t.say(1, func(fr *http2.Framer) { fr.WriteSettings() })
	return t
}

// say adds what write sends.
func (t *talk) say(from int, write func(fr *http2.Framer)) {
	t.buf.Reset()
	write(t.fr)
	t.script = append(t.script, sent{from: from, data: t.buf.String()})
}

// fields encodes name, value pairs.
func (t *talk) fields(from int, list ...string) []byte {
	t.block.Reset()
	for i := 0; i < len(list); i += 2 {
		t.enc[from].WriteField(hpack.HeaderField{Name: list[i], Value: list[i+1]})
	}
	return bytes.Clone(t.block.Bytes())
}

func (t *talk) request(id uint32, end bool) {
	t.say(0, func(fr *http2.Framer) {
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: end, EndHeaders: true,
			BlockFragment: t.fields(0, ":method", "GET", ":scheme", "https", ":authority", "x.test", ":path", fmt.Sprint("/", id))})
	})
}

func (t *talk) response(id uint32, end bool) {
	t.say(1, func(fr *http2.Framer) {
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: end, EndHeaders: true,
			BlockFragment: t.fields(1, ":status", "200")})
	})
}

func (t *talk) data(from int, id uint32, end bool, data string) {
	t.say(from, func(fr *http2.Framer) { fr.WriteData(id, end, []byte(data)) })
}

// check reads the script in several piece sizes and compares what it says, marks left out.
func (t *talk) check(tt *testing.T, want ...string) {
	tt.Helper()
	t.script = append(t.script, sent{from: 0, end: true}, sent{from: 1, end: true})
	var before string
	for _, size := range []int{1 << 20, 1, 3, 10} {
		got := read(New(), t.script, size)
		whole := strings.Join(got, "\n")
		if before != "" && whole != before {
			tt.Fatalf("pieces of %d bytes:\n%s\nwhole:\n%s", size, whole, before)
		}
		before = whole
		for i, s := range got {
			from, rest, _ := strings.Cut(s, "[")
			_, rest, _ = strings.Cut(rest, ") ")
			got[i] = from + " " + rest
		}
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			tt.Fatalf("pieces of %d bytes:\ngot\n%s\nwant\n%s", size, g, w)
		}
	}
}

const (
	begin = `0 PREFACE #0 flags=0 ack=false len=24 []
1 SETTINGS #0 flags=0 ack=false len=0 []`
	get1 = `0 HTTP/2 #1 GET /1 x.test 0  [] odd=[] ends=true`
)

func TestHTTP2Frames(t *testing.T) {
	k := newTalk()
	k.say(0, func(fr *http2.Framer) {
		fr.WriteSettings(http2.Setting{ID: 4, Val: 65536}, http2.Setting{ID: 0x1a2a, Val: 7})
		fr.WriteWindowUpdate(0, 100)
		fr.WritePriority(3, http2.PriorityParam{StreamDep: 1, Exclusive: true, Weight: 15})
	})
	k.say(1, func(fr *http2.Framer) {
		fr.WriteSettingsAck()
		fr.WritePing(false, [8]byte{1})
		fr.WriteRawFrame(0xfa, 0x55, 9, []byte("grease"))
	})
	k.say(0, func(fr *http2.Framer) {
		fr.WritePing(true, [8]byte{1})
		fr.WriteRawFrame(0x10, 0, 0, []byte("\x00\x00\x00\x01u=2"))
		fr.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, []byte("slow down"))
	})
	k.check(t, begin,
		`0 SETTINGS #0 flags=0 ack=false len=12 [{"INITIAL_WINDOW_SIZE" "65536"} {"0x1a2a" "7"}]`,
		`0 WINDOW_UPDATE #0 flags=0 ack=false len=4 [{"increment" "100"}]`,
		`0 PRIORITY #3 flags=0 ack=false len=5 [{"depends-on" "1"} {"weight" "16"} {"exclusive" "true"}]`,
		`1 SETTINGS #0 flags=1 ack=true len=0 []`,
		`1 PING #0 flags=0 ack=false len=8 [{"data" "0100000000000000"}]`,
		`1 0xfa #9 flags=55 ack=false len=6 []`,
		`0 PING #0 flags=1 ack=true len=8 [{"data" "0100000000000000"}]`,
		`0 PRIORITY_UPDATE #0 flags=0 ack=false len=7 [{"stream" "1"} {"priority" "u=2"}]`,
		`0 GOAWAY #0 flags=0 ack=false len=17 [{"last-stream" "0"} {"error" "ENHANCE_YOUR_CALM"} {"debug" "slow down"}]`,
	)
}

func TestHTTP2Padding(t *testing.T) {
	k := newTalk()
	k.say(0, func(fr *http2.Framer) {
		block := k.fields(0, ":method", "POST", ":scheme", "https", ":path", "/", "host", "h.test", "X", "y")
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, PadLength: 9, BlockFragment: block[:3],
			Priority: http2.PriorityParam{StreamDep: 0, Weight: 200}})
		fr.WriteContinuation(1, false, nil)
		fr.WriteContinuation(1, true, block[3:])
		fr.WriteDataPadded(1, false, []byte("abc"), make([]byte, 5))
		fr.WriteDataPadded(1, false, nil, make([]byte, 5))
		fr.WriteData(1, true, []byte("def"))
	})
	k.check(t, begin,
		`0 HTTP/2 #1 POST / h.test 0  [{"host" "h.test"} {"X" "y"}] odd=[] ends=false`,
		`0 body #1 req=true len=6 frames   "abcdef" err="" trailers=[] complete=true`)
}

func TestHTTP2Streams(t *testing.T) {
	t.Run("reset by either side", func(t *testing.T) {
		k := newTalk()
		k.request(1, false)
		k.data(0, 1, false, "up")
		k.response(1, false)
		k.data(1, 1, false, "down")
		k.say(0, func(fr *http2.Framer) { fr.WriteRSTStream(1, http2.ErrCodeCancel) })
		k.data(1, 1, false, "late")
		k.data(1, 1, true, "late")
		k.check(t, begin,
			`0 HTTP/2 #1 GET /1 x.test 0  [] odd=[] ends=false`,
			`1 HTTP/2 #1 GET   200  [] odd=[] ends=false`,
			`0 RST_STREAM #1 flags=0 ack=false len=4 [{"error" "CANCEL"}]`,
			`0 body #1 req=true len=2 frames   "up" err="" trailers=[] complete=false`,
			`1 body #1 req=false len=4 frames   "down" err="" trailers=[] complete=false`)
	})
	t.Run("GOAWAY", func(t *testing.T) {
		k := newTalk()
		k.request(1, true)
		k.request(3, false)
		k.data(0, 3, false, "x")
		k.say(1, func(fr *http2.Framer) {
			fr.WriteGoAway(1, 0, nil)
		})
		k.response(1, false)
		k.data(1, 1, true, "served")
		k.check(t, begin, get1,
			`0 HTTP/2 #3 GET /3 x.test 0  [] odd=[] ends=false`,
			`1 GOAWAY #0 flags=0 ack=false len=8 [{"last-stream" "1"} {"error" "NO_ERROR"}]`,
			`0 body #3 req=true len=1 frames   "x" err="" trailers=[] complete=false`,
			`1 HTTP/2 #1 GET   200  [] odd=[] ends=false`,
			`1 body #1 req=false len=6 frames   "served" err="" trailers=[] complete=true`)
	})
	t.Run("push", func(t *testing.T) {
		k := newTalk()
		k.request(1, true)
		k.say(1, func(fr *http2.Framer) {
			fr.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, EndHeaders: true, PadLength: 3,
				BlockFragment: k.fields(1, ":method", "HEAD", ":scheme", "https", ":authority", "x.test", ":path", "/p")})
		})
		k.response(2, true)
		k.response(1, true)
		k.check(t, begin, get1,
			`1 PUSH_PROMISE #1 flags=c ack=false len=26 [{"promised-stream" "2"} {":method" "HEAD"} {":scheme" "https"} {":authority" "x.test"} {":path" "/p"}]`,
			`1 HTTP/2 #2 HEAD   200  [] odd=[] ends=true`,
			`1 HTTP/2 #1 GET   200  [] odd=[] ends=true`)
	})
	t.Run("ends in the middle", func(t *testing.T) {
		k := newTalk()
		k.request(1, true)
		k.response(1, false)
		k.data(1, 1, false, "half")
		k.script = append(k.script, sent{from: 1, data: "\x00\x00\x08\x06\x00\x00\x00\x00\x00pin"})
		k.check(t, begin, get1,
			`1 HTTP/2 #1 GET   200  [] odd=[] ends=false`,
			`1 body #1 req=false len=4 frames   "half" err="" trailers=[] complete=false`,
			`1 unparsed 12 "\x00\x00\b\x06\x00\x00\x00\x00\x00pin" ended-early`)
	})
	t.Run("extended CONNECT", func(t *testing.T) {
		k := newTalk()
		k.say(0, func(fr *http2.Framer) {
			fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true,
				BlockFragment: k.fields(0, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":path", "/chat", ":authority", "x.test")})
		})
		items := collect(k.script)
		if h := items[2].Body.(*Head); h.Connect != "websocket" || h.Target != "/chat" {
			t.Errorf("%+v", h)
		}
	})
}

func TestHTTP2Malformed(t *testing.T) {
	raw := func(typ http2.FrameType, flags http2.Flags, id uint32, p string) func(fr *http2.Framer) {
		return func(fr *http2.Framer) { fr.WriteRawFrame(typ, flags, id, []byte(p)) }
	}
	for _, tt := range []struct {
		name  string
		write func(fr *http2.Framer)
		why   string
	}{
		{"CONTINUATION alone", raw(9, 4, 1, "\x82"), "malformed-frame"},
		{"block interrupted", func(fr *http2.Framer) { raw(1, 0, 1, "\x82")(fr); raw(6, 0, 0, "12345678")(fr) }, "malformed-frame"},
		{"index beyond the table", raw(1, 4, 1, "\xfe"), "malformed-hpack"},
		{"truncated block", raw(1, 4, 1, "\x40\x0aabc"), "malformed-hpack"},
		{"table larger than allowed", raw(1, 4, 1, "\x3f\xe2\x1f\x82"), "malformed-hpack"}, // 4097
		{"padding longer than the frame", raw(0, 8, 1, "\x05abc"), "malformed-frame"},
		{"padded HEADERS without padding length", raw(1, 4|8, 1, ""), "malformed-frame"},
		{"SETTINGS of 5 bytes", raw(4, 0, 0, "12345"), "malformed-frame"},
		{"SETTINGS on a stream", raw(4, 0, 1, ""), "malformed-frame"},
		{"DATA on stream 0", raw(0, 0, 0, ""), "malformed-frame"},
		{"PING of 7 bytes", raw(6, 0, 0, "1234567"), "malformed-frame"},
		{"promise by the client", raw(5, 4, 1, "\x00\x00\x00\x02"), "malformed-frame"},
		{"header bomb", func(fr *http2.Framer) {
			// A field of 4,000 bytes, told again and again with one byte each.
			raw(1, 4, 1, "\x40\x01a\x7f\xa1\x1e"+strings.Repeat("b", 4000)+strings.Repeat("\xbe", 12000))(fr)
		}, "head-too-long"},
		{"endless header block", func(fr *http2.Framer) {
			raw(1, 0, 1, "\x82")(fr)
			for range 300 {
				raw(9, 0, 1, strings.Repeat("\x82", 1000))(fr)
			}
		}, "head-too-long"},
		{"too many streams", func(fr *http2.Framer) {
			for id := uint32(1); id < 2*maxStreams+3; id += 2 {
				raw(1, 4, id, "\x82")(fr)
			}
		}, "too-many-streams"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := newTalk()
			k.say(0, tt.write)
			k.say(0, raw(6, 0, 0, "12345678"))
			k.script = append(k.script, sent{from: 0, end: true})
			var why []string
			for _, i := range collect(k.script) {
				if u, ok := i.Body.(*Unparsed); ok && (len(why) == 0 || why[0] != u.Why) {
					why = append(why, u.Why)
				} else if f, ok := i.Body.(*Frame); ok && f.Type == "PING" {
					t.Error("read on after what is malformed")
				}
			}
			if len(why) != 1 || why[0] != tt.why {
				t.Errorf("unparsed %q, want %q", why, tt.why)
			}
			sameInPieces(t, k.script)
		})
	}
}

func TestHPACKTableSize(t *testing.T) {
	// The server announces a table of 16 KiB, so the client's encoder may use it; after
	// a smaller one it first shrinks and then grows its table in one block.
	k := newTalk()
	k.say(1, func(fr *http2.Framer) {
		fr.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 16 << 10})
	})
	k.enc[0].SetMaxDynamicTableSizeLimit(16 << 10)
	k.enc[0].SetMaxDynamicTableSize(16 << 10)
	value := strings.Repeat("v", 3000)
	for id := uint32(1); id < 12; id += 2 {
		if id == 7 {
			k.enc[0].SetMaxDynamicTableSize(8 << 10)
			k.enc[0].SetMaxDynamicTableSize(12 << 10)
		}
		k.say(0, func(fr *http2.Framer) {
			fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: true, EndHeaders: true,
				BlockFragment: k.fields(0, ":method", "GET", "a", value+"a", "b", value+"b", "c", value+"c")})
		})
	}
	heads := 0
	for _, i := range collect(k.script) {
		switch b := i.Body.(type) {
		case *Head:
			heads++
			if len(b.Fields) != 3 || b.Get("c") != value+"c" {
				t.Errorf("head %d: %.80q", heads, b.Fields)
			}
		case *Unparsed:
			t.Error(b.Why)
		}
	}
	if heads != 6 {
		t.Errorf("%d heads", heads)
	}
}

func TestHTTP2Upgrade(t *testing.T) {
	k := newTalk()
	up := "GET /up HTTP/1.1\r\nHost: x.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAACAA\r\n\r\n"
	k.script = []sent{{from: 0, data: up}, {from: 1, data: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"}}
	k.say(1, func(fr *http2.Framer) { fr.WriteSettings() })
	k.script = append(k.script, sent{from: 0, data: preface})
	// The client's table of 8 KiB stands in HTTP2-Settings.
	k.enc[1].SetMaxDynamicTableSizeLimit(8 << 10)
	k.enc[1].SetMaxDynamicTableSize(8 << 10)
	k.response(1, false)
	k.data(1, 1, true, "hi")
	k.request(3, true)
	k.check(t,
		`0 HTTP/1.1 #1 GET /up x.test 0  [{"Host" "x.test"} {"Connection" "Upgrade, HTTP2-Settings"} {"Upgrade" "h2c"} {"HTTP2-Settings" "AAEAACAA"}] odd=[] ends=true`,
		`1 HTTP/1.1 #1 GET   101 Switching Protocols [{"Connection" "Upgrade"} {"Upgrade" "h2c"}] odd=[] ends=true`,
		`1 switched h2c`,
		`1 SETTINGS #0 flags=0 ack=false len=0 []`,
		`0 PREFACE #0 flags=0 ack=false len=24 []`,
		`1 HTTP/2 #1 GET   200  [] odd=[] ends=false`,
		`1 body #1 req=false len=2 frames   "hi" err="" trailers=[] complete=true`,
		`0 HTTP/2 #3 GET /3 x.test 0  [] odd=[] ends=true`)
}
