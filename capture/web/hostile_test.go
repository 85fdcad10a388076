package web

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	upgradeRequest  = "GET /chat HTTP/1.1\r\nHost: x.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	upgradeResponse = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	deflateResponse = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)

func wsFrame(first byte, masked bool, payload string) string {
	b := []byte{first}
	var m byte
	if masked {
		m = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, m|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, m|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, m|127), uint64(n))
	}
	if !masked {
		return string(b) + payload
	}
	key := []byte{1, 2, 3, 4}
	b = append(b, key...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i&3])
	}
	return string(b)
}

func TestWebSocketFrames(t *testing.T) {
	script := []sent{
		// The client's frames before the answer in the capture: kept until it comes.
		{0, upgradeRequest + wsFrame(0x01, true, "frag"), false},
		{0, wsFrame(0x89, true, "ping") + wsFrame(0x80, true, "ment"), false},
		{1, upgradeResponse + wsFrame(0x8a, false, "ping"), false},
		{1, wsFrame(0x82, false, strings.Repeat("\x00\xff", 40000)) + wsFrame(0x88, false, "\x03\xe8bye"), false},
		{0, wsFrame(0x88, true, "") + "\x81", true},
		{1, "", true},
	}
	want := []string{
		`ws op=10 fin=true masked=false compressed=false len=4 code=0 "ping"`,
		`ws op=1 fin=false masked=true compressed=false len=4 code=0 "frag"`,
		`ws op=9 fin=true masked=true compressed=false len=4 code=0 "ping"`,
		`ws op=0 fin=true masked=true compressed=false len=4 code=0 "ment"`,
		`ws op=2 fin=true masked=false compressed=false len=80000 code=0 ` + quote(strings.Repeat("\x00\xff", 64)),
		`ws op=8 fin=true masked=false compressed=false len=5 code=1000 "bye"`,
		`ws op=8 fin=true masked=true compressed=false len=0 code=0 ""`,
		`unparsed 1 "\x81" ended-early`,
	}
	// The frames that were kept are told with the answer, before what follows it.
	want[0], want[1], want[2], want[3] = want[1], want[2], want[3], want[0]
	var got []string
	for _, s := range read(New(), script, 1<<20)[3:] {
		_, s, _ = strings.Cut(s, ") ")
		got = append(got, s)
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Fatalf("got\n%s\nwant\n%s", g, w)
	}
	sameInPieces(t, script)
}

func TestWebSocketMalformed(t *testing.T) {
	for name, frame := range map[string]string{
		"continuation of nothing": wsFrame(0x80, true, "x"),
		"message in a message":    wsFrame(0x01, true, "x") + wsFrame(0x81, true, "x"),
		"compressed, not agreed":  wsFrame(0xc1, true, "x"),
		"reserved bit":            wsFrame(0x91, true, "x"),
		"reserved opcode":         wsFrame(0x83, true, "x"),
		"fragmented ping":         wsFrame(0x09, true, "x"),
		"long ping":               wsFrame(0x89, true, strings.Repeat("x", 126)),
		"negative length":         "\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00abcd",
	} {
		items := collect([]sent{{0, upgradeRequest, false}, {1, upgradeResponse, false}, {0, frame, true}})
		if u, ok := items[len(items)-1].Body.(*Unparsed); !ok || u.Why != "malformed-frame" {
			t.Errorf("%s: %+v", name, items[len(items)-1].Body)
		}
	}
}

// A message that is too long to be undone loses the window, and with it the later previews.
func TestWebSocketContextLost(t *testing.T) {
	for _, agreed := range []string{deflateResponse, strings.Replace(deflateResponse, "deflate\r", "deflate; server_no_context_takeover\r", 1)} {
		short := string(bytes.TrimSuffix(coded("raw", []byte("short")), []byte("\x01\x00\x00\xff\xff")))
		long := string(coded("raw", noise(200<<10)))
		var got []string
		for _, i := range collect([]sent{{0, upgradeRequest, false}, {1, agreed + wsFrame(0xc1, false, short) + wsFrame(0xc1, false, long) + wsFrame(0xc1, false, short), false}}) {
			if w, ok := i.Body.(*WebSocket); ok {
				got = append(got, string(w.Preview))
			}
		}
		last := ""
		if agreed != deflateResponse {
			last = "short"
		}
		if len(got) != 3 || got[0] != "short" || got[1] != string(noise(200 << 10)[:128]) || got[2] != last {
			t.Errorf("%q", got)
		}
	}
}

func quote(s string) string {
	d := describe(Item{Body: &Unparsed{Preview: []byte(s)}})
	return d[strings.IndexByte(d, '"') : len(d)-1]
}

func TestPreviews(t *testing.T) {
	bomb := coded("gzip", make([]byte, 64<<20))
	nested := coded("gzip", coded("gzip", bomb))
	// Three layers of which each yields a long run of empty blocks to the next.
	idle := bytes.Repeat([]byte("\x00\x00\x00\xff\xff"), 20<<20/5)
	idle = coded("raw", coded("raw", idle))
	var late bytes.Buffer // a header of more than 8 KiB
	gz := gzip.NewWriter(&late)
	gz.Extra = make([]byte, 20000)
	gz.Write(text)
	gz.Close()
	for _, tt := range []struct {
		name, coding string
		body         []byte
		want, why    string
	}{
		{"bomb", "gzip", bomb, strings.Repeat("\x00", 512), ""},
		{"nested bomb", "gzip, gzip, gzip", nested, strings.Repeat("\x00", 512), ""},
		{"nothing for long", "deflate, deflate, deflate", idle, "", "deflate, deflate, deflate: too little of it to decode"},
		{"too many", "gzip, gzip, gzip, gzip, gzip", nested, "", "more than 4 codings on top of each other"},
		{"identity", "identity", []byte("as it is"), "as it is", ""},
		{"unknown", "gzip, dcz", []byte("?"), "", "content coding dcz is not known"},
		{"not gzip", "gzip", []byte("plain text"), "", "gzip: gzip: invalid header"},
		{"not brotli", "br", bytes.Repeat([]byte{0xff}, 100), "", "br: brotli: PADDING_2"},
		{"window of 1 GiB", "zstd", []byte("\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00"), "", "zstd: window size exceeded"},
		{"cut off", "br", coded("br", text)[:40], "*", ""},
		{"cut off before anything", "gzip", coded("gzip", text)[:9], "", "gzip: too little of it to decode"},
		{"empty content", "gzip", coded("gzip", nil), "", ""},
		{"large header", "gzip", late.Bytes(), string(text[:512]), ""},
		{"large first block", "zstd", coded("zstd", noise(100<<10)), string(noise(100 << 10)[:512]), ""},
	} {
		head := "HTTP/1.1 200 OK\r\nContent-Encoding: " + tt.coding + "\r\n\r\n"
		items := collect([]sent{{1, head + string(tt.body), true}})
		b := items[1].Body.(*Body)
		if tt.want == "*" && bytes.HasPrefix(text, b.Preview) && len(b.Preview) > 0 {
			continue
		}
		if string(b.Preview) != tt.want || b.PreviewErr != tt.why || b.Len != int64(len(tt.body)) {
			t.Errorf("%s: %.40q, %q", tt.name, b.Preview, b.PreviewErr)
		}
	}
}

// The middle of a large body costs no allocation, whatever the framing.
func TestNoAllocations(t *testing.T) {
	var frame bytes.Buffer
	http2.NewFramer(&frame, nil).WriteData(1, false, make([]byte, 16<<10))
	k := newTalk()
	k.request(1, true)
	k.response(1, false)
	record := bytes.Repeat([]byte("x"), 16<<10)
	chunks := bytes.Repeat([]byte("1000\r\n"+strings.Repeat("x", 4096)+"\r\n"), 4)
	for _, tt := range []struct {
		name   string
		before []sent
		data   []byte
	}{
		{"content-length", []sent{{1, "HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n", false}}, record},
		{"coded", []sent{{1, "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 9000000000\r\n\r\n", false}}, record},
		{"close", []sent{{1, "HTTP/1.1 200 OK\r\n\r\n", false}}, record},
		{"chunked", []sent{{1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false}}, chunks},
		{"frames", k.script, frame.Bytes()},
		{"websocket", []sent{{0, upgradeRequest, false}, {1, upgradeResponse + "\x82\x7f\x00\x00\x00\xff\x00\x00\x00\x00", false}}, record},
		{"unparsed", []sent{{1, "\xff", false}}, record},
	} {
		c := New()
		for _, s := range tt.before {
			c.Feed(s.from, []byte(s.data), Mark{})
		}
		var at int64
		feed := func() {
			if items := c.Feed(1, tt.data, Mark{Start: at, End: at + int64(len(tt.data))}); len(items) > 1 {
				t.Fatal(tt.name, items)
			}
			at += int64(len(tt.data))
		}
		for range 10 {
			feed()
		}
		if n := testing.AllocsPerRun(100, feed); n != 0 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
}

// What one connection makes us hold is bounded.
func TestMemory(t *testing.T) {
	held := func(c *Conn, feed func(from int, data []byte)) uint64 {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		feed(0, []byte(preface))
		runtime.GC()
		runtime.GC() // what is pooled goes with the second
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(c)
		return max(after.HeapAlloc, before.HeapAlloc) - before.HeapAlloc
	}
	c := New()
	n := held(c, func(from int, data []byte) {
		c.Feed(from, data, Mark{})
		var buf, block bytes.Buffer
		fr := http2.NewFramer(&buf, nil)
		say := func(from int) {
			c.Feed(from, buf.Bytes(), Mark{})
			buf.Reset()
		}
		fr.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 1 << 31})
		say(1)
		enc := hpack.NewEncoder(&block)
		enc.SetMaxDynamicTableSizeLimit(maxTable)
		enc.SetMaxDynamicTableSize(maxTable)
		// As many streams as there may be, a full table, and beginnings of bodies that want a preview.
		for id := uint32(1); id < 2*maxStreams; id += 2 {
			block.Reset()
			enc.WriteField(hpack.HeaderField{Name: ":method", Value: "POST"})
			enc.WriteField(hpack.HeaderField{Name: "content-encoding", Value: "br"})
			enc.WriteField(hpack.HeaderField{Name: "x" + string(rune(id)), Value: strings.Repeat("y", 1000)})
			fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndHeaders: true, BlockFragment: block.Bytes()})
			fr.WriteData(id, false, make([]byte, 8000))
			say(0)
		}
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1 << 20, BlockFragment: make([]byte, 250<<10)})
		say(0)
	})
	if u := c.halves[0].un; u.on {
		t.Fatal(u.why)
	}
	if n > 12<<20 || n < 1<<20 {
		t.Errorf("%d bytes held", n)
	}
}

func fuzzed(t *testing.T, script []sent) {
	size := 1 << 20
	if len(script) > 0 && len(script[0].data) > 0 {
		size = 1 + int(script[0].data[0])%17
	}
	script = append(script, sent{0, "", true}, sent{1, "", true})
	whole, pieces := bySide(read(New(), script, 1<<20)), bySide(read(New(), script, size))
	if whole != pieces {
		t.Fatalf("whole\n%s\npieces of %d bytes\n%s", whole[0]+whole[1], size, pieces[0]+pieces[1])
	}
}

// bySide splits lines by the side that they are about: the order of the items
// of one side is that of its bytes, but between the sides it depends on the pieces.
func bySide(lines []string) (sides [2]string) {
	for _, l := range lines {
		sides[l[0]-'0'] += l + "\n"
	}
	return sides
}

func FuzzHTTP1(f *testing.F) {
	for _, tt := range http1Cases {
		var b [2]string
		for _, s := range tt.script {
			b[s.from] += s.data
		}
		f.Add(b[0], b[1])
	}
	f.Add("CONNECT h:1 HTTP/1.1\r\n\r\n\x16\x03", "HTTP/1.1 200 OK\r\n\r\n\x16\x03")
	f.Add("", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"+string(coded("gzip", text)))
	f.Add("", "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n"+string(coded("br", text)))
	f.Add("", "HTTP/1.1 200 OK\r\nContent-Encoding: zstd, deflate\r\n\r\n"+string(coded("deflate", coded("zstd", text))))
	f.Fuzz(func(t *testing.T, client, server string) {
		fuzzed(t, []sent{{0, client, false}, {1, server, false}})
		fuzzed(t, []sent{{1, server, false}, {0, client, false}})
	})
}

func FuzzHTTP2(f *testing.F) {
	k := newTalk()
	k.request(1, false)
	k.data(0, 1, true, "up")
	k.response(1, false)
	k.data(1, 1, false, "down")
	k.say(1, func(fr *http2.Framer) {
		fr.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, EndHeaders: true, BlockFragment: []byte("\x82")})
		fr.WriteRSTStream(1, 8)
		fr.WriteGoAway(1, 2, []byte("x"))
		fr.WritePing(true, [8]byte{})
	})
	k.say(0, func(fr *http2.Framer) {
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, PadLength: 1, BlockFragment: []byte("\x3f\xe1\x1f\x82")})
		fr.WriteContinuation(3, true, []byte("\x87"))
		fr.WriteDataPadded(3, true, []byte("abc"), []byte{0, 0})
		fr.WriteSettings(http2.Setting{ID: 1, Val: 9}, http2.Setting{ID: 99, Val: 1})
	})
	var b [2]string
	for _, s := range k.script {
		b[s.from] += s.data
	}
	f.Add(strings.TrimPrefix(b[0], preface), b[1])
	f.Fuzz(func(t *testing.T, client, server string) {
		half := len(client) / 2
		fuzzed(t, []sent{{0, preface + client[:half], false}, {1, server, false}, {0, client[half:], false}})
	})
}

func FuzzWebSocket(f *testing.F) {
	f.Add(wsFrame(0x01, true, "a")+wsFrame(0x89, true, "p")+wsFrame(0x80, true, "b"), wsFrame(0x88, false, "\x03\xe8x"), false)
	f.Add(wsFrame(0xc1, true, string(coded("raw", text))), wsFrame(0x41, false, "\xf2\x48")+wsFrame(0x80, false, "\xcd\xc9\xc9\x07\x00"), true)
	f.Fuzz(func(t *testing.T, client, server string, deflate bool) {
		answer := upgradeResponse
		if deflate {
			answer = deflateResponse
		}
		fuzzed(t, []sent{{0, upgradeRequest + client, false}, {1, answer + server, false}})
	})
}

func BenchmarkBody(b *testing.B) {
	record := make([]byte, 16<<10)
	b.Run("http1", func(b *testing.B) {
		c := New()
		c.Feed(1, []byte("HTTP/1.1 200 OK\r\nContent-Length: 9000000000000\r\n\r\n"), Mark{})
		b.SetBytes(int64(len(record)))
		b.ReportAllocs()
		for b.Loop() {
			c.Feed(1, record, Mark{})
		}
	})
	b.Run("http2", func(b *testing.B) {
		k := newTalk()
		k.request(1, true)
		k.response(1, false)
		c := New()
		for _, s := range k.script {
			c.Feed(s.from, []byte(s.data), Mark{})
		}
		var frame bytes.Buffer
		http2.NewFramer(&frame, nil).WriteData(1, false, record)
		b.SetBytes(int64(frame.Len()))
		b.ReportAllocs()
		for b.Loop() {
			c.Feed(1, frame.Bytes(), Mark{})
		}
	})
}
