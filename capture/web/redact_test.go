package web

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// twins collects the twins of both directions, and holds that they come in order.
type twins struct {
	t    testing.TB
	conn *Conn
	out  [2][]byte
}

func newTwins(t testing.TB) *twins {
	w := &twins{t: t, conn: New()}
	w.conn.Twin(func(from int, at int64, twin []byte) {
		if at != int64(len(w.out[from])) {
			t.Fatalf("the twin of %d goes on at %d, not %d", from, at, len(w.out[from]))
		}
		w.out[from] = append(w.out[from], twin...)
	}, nil)
	return w
}

func (w *twins) feed(from int, data []byte) { w.conn.Feed(from, data, Mark{}) }

func (w *twins) end() {
	w.conn.End(0, Mark{})
	w.conn.End(1, Mark{})
}

const (
	wsKey    = "\x01\x02\x03\x04"
	wsUp     = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: k\r\n\r\n"
	wsAnswer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
)

func masked(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] ^= wsKey[i%4]
	}
	return string(b)
}

// What stays of HTTP/1 and WebSocket and what does not.
func TestTwin(t *testing.T) {
	get := "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, c := range []struct {
		from     int // whose twin it is
		in, want string
		answer   string // of the server, if the client's twin is asked for; else its request
	}{
		{0, "GET /a/b;jsessionid=1234/c?q=s&r=t#f HTTP/1.1\r\nHost: shop.test\r\n\r\n",
			"GET /a/b;xxxxxxxxxxxxxxx/c?xxxxxxxxx HTTP/1.1\r\nHost: shop.test\r\n\r\n", ""},
		{0, "GET http://me:pass@shop.test/a?b HTTP/1.1\r\nHost: me:pass@shop.test\r\n\r\n",
			"GET http://xxxxxxx@shop.test/a?x HTTP/1.1\r\nHost: xxxxxxx@shop.test\r\n\r\n", ""},
		{0, "GET / HTTP/1.1\r\nAuthorization: Basic c2VjcmV0\r\nAUTHORIZATION:  bearer t\r\nAuthorization: secret word\r\nProxy-Authorization: x9\r\nCookie: a=1; b=22;c; =d\r\nX-Own:\tv v \r\n\r\n",
			"GET / HTTP/1.1\r\nAuthorization: Basic xxxxxxxx\r\nAUTHORIZATION:  bearer x\r\nAuthorization: xxxxxxxxxxx\r\nProxy-Authorization: xx\r\nCookie: a=x; b=xx;x; =x\r\nX-Own:\txxx \r\n\r\n", ""},
		{0, "GET / HTTP/1.1\r\nReferer: https://a.test/p?q=1\r\nUser-Agent: curl\r\nAccept: a\r\n b\r\nX-Folded: one\r\n\ttwo\r\nX-Bad : v\r\n\r\n",
			"GET / HTTP/1.1\r\nReferer: https://a.test/p?xxx\r\nUser-Agent: curl\r\nAccept: a\r\n b\r\nX-Folded: xxx\r\n\txxx\r\nX-Bad : x\r\n\r\n", ""},
		{0, "\r\nPOST / HTTP/1.1\nContent-Length: 6\n\nsecretGET / HTTP/1.0\n\n",
			"\r\nPOST / HTTP/1.1\nContent-Length: 6\n\nxxxxxxGET / HTTP/1.0\n\n", ""},
		{0, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;e=v\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n",
			"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;xxx\r\nxxxxx\r\n0\r\nX-Sum: xxx\r\n\r\n", ""},
		{0, "secret\nwords", "?xxxxxxxxxxx", ""},
		{0, "GET / HTTP/1.1\r\nCookie: a=b\r\nHos", "GET / HTTP/1.1\r\nCookie: a=x\r\nxxx", ""},
		{0, "GET / HTTP/1.1\r\nsecret\r\n\r\nsecret", "GET / HTTP/1.1\r\nxxxxxx\r\n\r\nxxxxxx", ""},
		{1, "HTTP/1.1 200 OK\r\nSet-Cookie: id=secret; Path=/; Secret=1\r\nLocation: /p?q\r\nWWW-Authenticate: Digest nonce=1\r\n\r\nbody until the close",
			"HTTP/1.1 200 OK\r\nSet-Cookie: id=xxxxxx; Path=/; Secret=x\r\nLocation: /p?x\r\nWWW-Authenticate: Digest xxxxxxx\r\n\r\nxxxxxxxxxxxxxxxxxxxx", get},
		{1, "HTTP/1.1 200 your pin: 1234\r\nContent-Length: 1\r\n\r\n1nonsense",
			"HTTP/1.1 200 xxxxxxxxxxxxxx\r\nContent-Length: 1\r\n\r\nxxxxxxxxx", get},
		{0, wsUp + "\x81\x85" + wsKey + masked("hello") + "\x88\x86" + wsKey + masked("\x03\xe8gone"),
			wsUp + "\x81\x85" + wsKey + masked("xxxxx") + "\x88\x86" + wsKey + masked("\x03\xe8xxxx"), wsAnswer},
		{1, wsAnswer + "\x81\x05hello\x89\x04ping", wsAnswer + "\x81\x05xxxxx\x89\x04xxxx", wsUp},
		{0, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic abc\r\n\r\ntunnel", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic xxx\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nall"},
		{0, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nCookie: s\r\n\r\n", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nCookie: x\r\n\r\n", "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"},
	} {
		for size := 1; size <= len(c.in); size++ {
			w := newTwins(t)
			if c.from == 1 {
				w.feed(0, []byte(c.answer))
			}
			for in := []byte(c.in); len(in) > 0; {
				n := min(size, len(in))
				w.feed(c.from, in[:n])
				in = in[n:]
			}
			if c.from == 0 {
				w.feed(1, []byte(c.answer))
			}
			w.end()
			if got := string(w.out[c.from]); got != c.want {
				t.Errorf("in pieces of %d:\n%q has the twin\n%q, not\n%q", size, c.in, got, c.want)
				break
			}
		}
	}
}

// http2Frame is a frame of HTTP/2 on stream 1.
func http2Frame(typ, flags uint8, stream uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(typ))
	return append(binary.BigEndian.AppendUint32(append(b, flags), stream), payload...)
}

// The twin of HTTP/2 has heads of the same names and of values of the same lengths,
// whatever is in the values, however they are coded and wherever blocks are cut.
// TestTwinOfNames: what is hidden in the name of a field is covered, in HTTP/1 and in HTTP/2, coded and as it is, and where the table names it again.
func TestTwinOfNames(t *testing.T) {
	const name = "x-sesame-k"
	hide := func(field, value string, hide func(from, to int)) {
		if i := strings.Index(value, "sesame"); field == ":name" && i >= 0 {
			hide(i, i+len("sesame"))
		}
	}
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":path", Value: "/"}, {Name: ":scheme", Value: "https"}, {Name: name, Value: "a"}, {Name: name, Value: "b"}} {
		enc.WriteField(f)
	}
	raw := append(block.Bytes(), append([]byte{0, byte(len(name))}, name+"\x01c"...)...) // without Huffman's code
	frame := append([]byte{0, 0, byte(len(raw)), 1, 5, 0, 0, 0, 1}, raw...)
	for _, sent := range []string{"GET / HTTP/1.1\r\nHost: a\r\nX-sesame-k: a\r\n\r\n", preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + string(frame)} {
		w := newTwins(t)
		w.conn.Twin(func(from int, _ int64, twin []byte) { w.out[from] = append(w.out[from], twin...) }, hide)
		w.feed(0, []byte(sent))
		w.end()
		twin := string(w.out[0])
		if len(twin) != len(sent) || strings.Contains(twin, "sesame") {
			t.Errorf("%q", twin)
		}
		names := 0
		for _, item := range New().Feed(0, []byte(twin), Mark{}) {
			if head, ok := item.Body.(*Head); ok {
				for _, f := range head.Fields {
					if strings.HasPrefix(strings.ToLower(f.Name), "x-") && strings.HasSuffix(f.Name, "-k") && len(f.Name) == len(name) && !strings.Contains(f.Name, "sesame") {
						names++
					}
				}
			}
		}
		if names == 0 || strings.HasPrefix(sent, preface) && names != 3 {
			t.Errorf("%d names in %q", names, twin)
		}
	}
}

func TestTwinOfHTTP2(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	names := []string{"cookie", "x-token", "authorization", "user-agent", "referer", "x-a", "etag", "accept"}
	value := func() string {
		b := make([]byte, rnd.IntN(60))
		for i := range b {
			switch rnd.IntN(4) {
			case 0:
				b[i] = byte(1 + rnd.IntN(255))
			case 1:
				b[i] = "0123456789abcdef=; -"[rnd.IntN(20)]
			default:
				b[i] = byte(' ' + rnd.IntN(95))
			}
		}
		return string(b)
	}
	for range 300 {
		var block bytes.Buffer
		enc := hpack.NewEncoder(&block)
		stream := []byte(preface)
		stream = append(stream, http2Frame(frameSettings, 0, 0, nil)...)
		var pool []hpack.HeaderField
		secrets := map[string]bool{}
		for id := uint32(1); id < 12; id += 2 {
			block.Reset()
			if rnd.IntN(3) == 0 {
				enc.SetMaxDynamicTableSize(uint32(rnd.IntN(4096)))
			}
			enc.WriteField(hpack.HeaderField{Name: ":method", Value: "POST"})
			enc.WriteField(hpack.HeaderField{Name: ":scheme", Value: "https"})
			enc.WriteField(hpack.HeaderField{Name: ":authority", Value: "shop.test"})
			enc.WriteField(hpack.HeaderField{Name: ":path", Value: "/p?" + value()})
			for range rnd.IntN(8) {
				f := hpack.HeaderField{Name: names[rnd.IntN(len(names))], Value: value(), Sensitive: rnd.IntN(4) == 0}
				if len(pool) > 0 && rnd.IntN(2) == 0 {
					f = pool[rnd.IntN(len(pool))]
				}
				pool = append(pool, f)
				enc.WriteField(f)
				if f.Name == "x-token" && len(f.Value) >= 6 {
					secrets[f.Value] = true
				}
			}
			p := bytes.Clone(block.Bytes())
			cut := rnd.IntN(len(p) + 1)
			flags, first := uint8(0), p[:cut]
			if rnd.IntN(2) == 0 {
				flags |= flagPadded | flagPriority
				first = append(append([]byte{3, 0, 0, 0, 0, 9}, first...), "pad"...)
			}
			stream = append(stream, http2Frame(frameHeaders, flags, id, first)...)
			stream = append(stream, http2Frame(frameContinuation, flagEndHeaders, id, p[cut:])...)
			stream = append(stream, http2Frame(frameData, flagPadded|flagEndStream, id, []byte("\x02a secret\x00\x00"))...)
		}
		read := func(data []byte) (heads []*Head) {
			c := New()
			for _, it := range c.Feed(0, data, Mark{}) {
				switch b := it.Body.(type) {
				case *Head:
					heads = append(heads, b)
				case *Unparsed:
					t.Fatalf("%+v", b)
				}
			}
			return heads
		}
		w := newTwins(t)
		for in := stream; len(in) > 0; {
			n := min(1+rnd.IntN(100), len(in))
			w.feed(0, in[:n])
			in = in[n:]
		}
		w.end()
		twin := w.out[0]
		if len(twin) != len(stream) || bytes.Contains(twin, []byte("secret")) || bytes.Contains(twin, []byte("pad")) {
			t.Fatalf("%d bytes for %d: %q", len(twin), len(stream), twin)
		}
		was, is := read(stream), read(twin)
		if len(was) != 6 || len(is) != 6 {
			t.Fatalf("%d and %d heads", len(was), len(is))
		}
		for i := range was {
			if is[i].Method != "POST" || is[i].Authority != "shop.test" || len(is[i].Target) != len(was[i].Target) || !strings.HasPrefix(is[i].Target, "/p?") || len(is[i].Fields) != len(was[i].Fields) {
				t.Fatalf("%+v, was %+v", is[i], was[i])
			}
			for j, f := range is[i].Fields {
				old := was[i].Fields[j]
				stays := old.Name == "user-agent" || old.Name == "accept"
				if f.Name != old.Name || len(f.Value) != len(old.Value) || stays && f.Value != old.Value || secrets[f.Value] && strings.Trim(f.Value, "x") != "" {
					t.Fatalf("%q, was %q", f, old)
				}
			}
		}
	}
}

// For every string there is one of its length and of its Huffman code's length.
func TestHuffmanTwin(t *testing.T) {
	for a := range 256 {
		for _, value := range []string{string([]byte{byte(a)}), strings.Repeat(string([]byte{byte(a)}), 9), string([]byte{byte(a)}) + "abc", "abc/" + strings.Repeat(string([]byte{byte(a)}), 30)} {
			coded := hpack.AppendHuffmanString(nil, value)
			twin := make([]byte, len(value))
			if strings.HasPrefix(value, "abc/") {
				copy(twin, "abc/")
			}
			if !huffmanTwin(coded, twin) {
				t.Fatalf("%q has none", value)
			}
			if again := hpack.AppendHuffmanString(nil, strings.Repeat("x", len(value))); len(again) == len(coded) && !strings.HasPrefix(value, "abc/") && !bytes.Equal(again, coded) {
				t.Fatalf("%q became %q", value, twin)
			}
			got, err := hpack.HuffmanDecodeToString(coded)
			if err != nil || len(got) != len(value) {
				t.Fatalf("%q became %q, %v", value, got, err)
			}
		}
	}
}

// Whatever the bytes are, the twin is as long as they are, and does not depend on
// how they come.
func FuzzTwin(f *testing.F) {
	f.Add([]byte("GET /?a HTTP/1.1\r\nCookie: a=b\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\n\r\nbody"), uint8(3))
	f.Add([]byte(wsUp+"\x81\x85"+wsKey+masked("hello")), []byte(wsAnswer+"\x81\x05hello"), uint8(7))
	f.Add(append([]byte(preface), http2Frame(frameHeaders, flagEndHeaders, 1, []byte("\x82\x84\x40\x01a\x81\x1f"))...), http2Frame(frameSettings, 0, 0, nil), uint8(1))
	f.Add([]byte("CONNECT a:1 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"), []byte("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"), uint8(9))
	f.Fuzz(func(t *testing.T, client, server []byte, size uint8) {
		in := [2][]byte{client, server}
		run := func(size int) *twins {
			w := newTwins(t)
			for from := range in {
				for p := in[from]; len(p) > 0; {
					n := min(size, len(p))
					w.feed(from, p[:n])
					p = p[n:]
				}
			}
			w.end()
			for from := range in {
				if n := len(w.out[from]); n > len(in[from]) || n < len(in[from]) && !w.conn.Tunnel() {
					t.Fatalf("%d bytes for %d of %d", n, len(in[from]), from)
				}
			}
			return w
		}
		whole, pieces := run(1<<20), run(1+int(size))
		if fmt.Sprintf("%q", whole.out) != fmt.Sprintf("%q", pieces.out) {
			t.Fatalf("in pieces of %d the twins are\n%q, not\n%q", 1+int(size), pieces.out, whole.out)
		}
	})
}
