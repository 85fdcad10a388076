package web

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/coder/websocket"
	"github.com/klauspost/compress/zstd"
)

// recorder is a listener that writes down what passes over its connections,
// each in the order in which the server's end sees it.
type recorder struct {
	net.Listener
	mu    sync.Mutex
	conns []*recorded
}

type recorded struct {
	net.Conn
	mu     sync.Mutex
	script []sent
}

func (r *recorder) Accept() (net.Conn, error) {
	c, err := r.Listener.Accept()
	if err != nil {
		return nil, err
	}
	rc := &recorded{Conn: c}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, rc)
	return rc, nil
}

func (c *recorded) note(from int, p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.script); n > 0 && c.script[n-1].from == from {
		c.script[n-1].data += string(p)
		return
	}
	c.script = append(c.script, sent{from: from, data: string(p)})
}

func (c *recorded) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.note(0, p[:n])
	}
	return n, err
}

func (c *recorded) Write(p []byte) (int, error) {
	c.note(1, p)
	return c.Conn.Write(p)
}

// serve runs h on loopback while use runs, and returns what passed on each connection.
func serve(t *testing.T, h http.Handler, use func(url string)) [][]sent {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{Listener: l}
	s := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(r) }()
	use("http://" + l.Addr().String())
	s.Close()
	<-done
	var scripts [][]sent
	for _, c := range r.conns {
		c.mu.Lock()
		scripts = append(scripts, append(c.script, sent{from: 0, end: true}, sent{from: 1, end: true}))
		c.mu.Unlock()
	}
	return scripts
}

// collect feeds a script as it is and returns the items.
func collect(script []sent) []Item {
	c := New()
	var all []Item
	for _, s := range script {
		all = append(all, c.Feed(s.from, []byte(s.data), Mark{})...)
		if s.end {
			all = append(all, c.End(s.from, Mark{})...)
		}
	}
	return all
}

// sameInPieces checks that how the bytes are cut changes nothing, and that no prefix breaks anything.
func sameInPieces(t *testing.T, script []sent) {
	t.Helper()
	want := read(New(), script, 1<<30)
	total := 0
	for _, s := range script {
		total += len(s.data)
	}
	sizes := []int{1, 7, 1000, 16 << 10}
	if total > 1<<20 {
		sizes = []int{997, 16 << 10}
	}
	for _, size := range sizes {
		got := read(New(), script, size)
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Fatalf("item %d differs in pieces of %d bytes:\n%.300q\n%.300q", i, size, at(got, i), at(want, i))
			}
		}
	}
	for range 20 {
		c := New()
		left := rand.IntN(total + 1)
		for _, s := range script {
			d := s.data[:min(left, len(s.data))]
			left -= len(d)
			c.Feed(s.from, []byte(d), Mark{})
		}
		c.End(0, Mark{})
		c.End(1, Mark{})
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "(none)"
}

var text = []byte(strings.Repeat("The quick brown fox jumps over the lazy dog. ", 30)[7:])

// noise is text that compresses, but not to nothing.
func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz012345"[rng.IntN(32)]
	}
	return b
}

func coded(coding string, content []byte) []byte {
	var buf bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&buf)
	case "deflate":
		w = zlib.NewWriter(&buf)
	case "raw":
		w, _ = flate.NewWriter(&buf, 6)
	case "br":
		w = brotli.NewWriter(&buf)
	case "zstd":
		w, _ = zstd.NewWriter(&buf)
	default:
		return content
	}
	w.Write(content)
	w.Close()
	return buf.Bytes()
}

// resources are what the test server offers: for each path its coding as told, its content and as it is sent.
var resources = func() map[string]*resource {
	m := map[string]*resource{
		"/double": {coding: "br, gzip", content: text, body: coded("gzip", coded("br", text))},
		"/raw":    {coding: "deflate", content: text, body: coded("raw", text)},
		"/empty":  {content: []byte{}, body: []byte{}},
	}
	for _, coding := range []string{"", "gzip", "deflate", "br", "zstd"} {
		m["/small-"+coding] = &resource{coding: coding, content: text, body: coded(coding, text)}
		big := noise(600 << 10)
		m["/big-"+coding] = &resource{coding: coding, content: big, body: coded(coding, big)}
	}
	return m
}()

type resource struct {
	coding        string
	content, body []byte
}

func handler(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	if res := resources[r.URL.Path]; res != nil {
		if res.coding != "" {
			w.Header().Set("Content-Encoding", res.coding)
		}
		if r.URL.RawQuery == "length" {
			w.Header().Set("Content-Length", fmt.Sprint(len(res.body)))
		}
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		for b := res.body; len(b) > 0; {
			n := min(len(b), 5000)
			w.Write(b[:n])
			b = b[n:]
		}
		return
	}
	switch r.URL.Path {
	case "/trailers":
		w.Header().Set("Trailer", "X-Sum")
		w.Write(text)
		w.Header().Set("X-Sum", "42")
	case "/early":
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(103)
		w.Write(text)
	case "/echo":
		w.Header().Set("X-Trailer", "none")
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Trailer", r.Trailer.Get("X-Sent"))
		w.Write(b)
	case "/none":
		w.WriteHeader(204)
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
		}
		panic(http.ErrAbortHandler)
	}
}

func TestRealTraffic(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP2=%v", h2), func(t *testing.T) {
			type exchange struct {
				method, path string
				body         string
			}
			var done []exchange
			scripts := serve(t, http.HandlerFunc(handler), func(url string) {
				tr := &http.Transport{DisableCompression: true, Protocols: new(http.Protocols), MaxConnsPerHost: 1}
				tr.Protocols.SetHTTP1(!h2)
				tr.Protocols.SetUnencryptedHTTP2(h2)
				defer tr.CloseIdleConnections()
				do := func(method, path string, body io.Reader, more ...func(*http.Request)) {
					req, err := http.NewRequest(method, url+path, body)
					if err != nil {
						t.Fatal(err)
					}
					for _, f := range more {
						f(req)
					}
					res, err := tr.RoundTrip(req)
					if err != nil {
						t.Fatal(path, err)
					}
					b, _ := io.ReadAll(res.Body)
					res.Body.Close()
					done = append(done, exchange{method, path, string(b)})
				}
				for path := range resources {
					do("GET", path, nil)
					do("GET", path+"?length", nil)
				}
				do("HEAD", "/small-gzip?length", nil)
				do("GET", "/none", nil)
				do("GET", "/trailers", nil)
				do("GET", "/early", nil)
				do("POST", "/echo", bytes.NewReader(text))
				do("POST", "/echo", io.MultiReader(bytes.NewReader(text)), func(r *http.Request) {
					r.Trailer = http.Header{"X-Sent": {"yes"}}
				})
				do("GET", "/events", nil)
			})
			if len(scripts) != 1 {
				t.Fatalf("%d connections", len(scripts))
			}
			requests, responses := map[uint64]*Head{}, map[uint64]*Head{}
			bodies, posted := map[uint64]*Body{}, map[uint64]*Body{}
			var order []uint64
			interim := 0
			for _, i := range collect(scripts[0]) {
				switch b := i.Body.(type) {
				case *Head:
					switch {
					case b.Request:
						requests[b.Stream] = b
						order = append(order, b.Stream)
					case b.Status < 200:
						interim++
					default:
						responses[b.Stream] = b
					}
				case *Body:
					if b.Request {
						posted[b.Stream] = b
					} else {
						bodies[b.Stream] = b
					}
				case *Unparsed:
					t.Errorf("unparsed: %+v", b)
				}
			}
			if len(order) != len(done) || interim != 1 {
				t.Fatalf("%d requests for %d, %d interim responses", len(order), len(done), interim)
			}
			for i, ex := range done {
				id := order[i]
				req, res, body := requests[id], responses[id], bodies[id]
				if req.Method != ex.method || req.Target != ex.path || res == nil || res.Method != ex.method {
					t.Fatalf("exchange %d: %+v, %+v for %v", i, req, res, ex)
				}
				if res.EndsHere != (body == nil) {
					t.Errorf("%s: EndsHere %v, body %v", ex.path, res.EndsHere, body)
				}
				if len(ex.body) > 0 && (body == nil || body.Len != int64(len(ex.body))) {
					t.Errorf("%s: body %+v for %d bytes", ex.path, body, len(ex.body))
				}
				if ex.method != "GET" || body == nil {
					continue
				}
				if complete := ex.path != "/events"; body.Complete != complete {
					t.Errorf("%s: complete %v", ex.path, body.Complete)
				}
				want := text
				if r := resources[strings.TrimSuffix(req.Target, "?length")]; r != nil {
					want = r.content
					if body.Coding != r.coding {
						t.Errorf("%s: coding %q", ex.path, body.Coding)
					}
				} else if ex.path == "/events" {
					want = []byte("data: 0\n\ndata: 1\n\ndata: 2\n\n")
				}
				if want = want[:min(len(want), 512)]; !bytes.Equal(body.Preview, want) {
					t.Errorf("%s: preview %q, %s", ex.path, body.Preview, body.PreviewErr)
				}
				if ex.path == "/trailers" && (len(body.Trailers) != 1 || body.Trailers[0].Value != "42") {
					t.Errorf("trailers %v", body.Trailers)
				}
			}
			if len(posted) != 2 {
				t.Errorf("%d request bodies", len(posted))
			}
			for id, b := range posted {
				if b.Len != int64(len(text)) || !bytes.Equal(b.Preview, text[:512]) {
					t.Errorf("posted %+v", b)
				}
				if id == order[len(order)-2] && (len(b.Trailers) != 1 || b.Trailers[0].Value != "yes") {
					t.Errorf("request trailers %v", b.Trailers)
				}
			}
			if !testing.Short() {
				sameInPieces(t, scripts[0])
			}
		})
	}
}

func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Log("curl is not installed")
		return
	}
	for _, args := range [][]string{
		{"--http1.1"},
		{"--http2-prior-knowledge"},
		{"--http1.1", "-H", "Expect: 100-continue", "--data-binary", "@-"},
		{"--http2-prior-knowledge", "--data-binary", "@-"},
		{"--http2"}, // asks for an upgrade, which the server does not take
	} {
		var out []byte
		scripts := serve(t, http.HandlerFunc(handler), func(url string) {
			paths := []string{"/small-gzip", "/big-zstd", "/small-br", "/trailers"}
			if args[len(args)-1] == "@-" {
				paths = []string{"/echo"}
			}
			// One run each: curl 7.88 fails to use an HTTP/2 connection again that it began without an upgrade.
			for _, path := range paths {
				cmd := exec.Command(curl, append(append([]string{"-sS", "--noproxy", "*"}, args...), url+path)...)
				cmd.Stdin = bytes.NewReader(noise(100 << 10))
				b, err := cmd.Output()
				if err != nil {
					t.Fatal(args, path, err)
				}
				out = append(out, b...)
			}
		})
		var n int64
		for _, s := range scripts {
			for _, i := range collect(s) {
				switch b := i.Body.(type) {
				case *Body:
					if !b.Complete || len(b.Preview) != 512 {
						t.Errorf("%v: %+v", args, b)
					}
					if !b.Request {
						n += b.Len
					}
				case *Unparsed:
					t.Errorf("%v: %+v", args, b)
				}
			}
			sameInPieces(t, s)
		}
		if n != int64(len(out)) || n == 0 {
			t.Errorf("%v: bodies of %d bytes, curl wrote %d", args, n, len(out))
		}
	}
}

func TestWebSocket(t *testing.T) {
	messages := []string{"hello", "", "hello", string(text), string(noise(3000)), string(noise(20000)), string(text), "hello, hello"}
	for _, mode := range []websocket.CompressionMode{websocket.CompressionDisabled, websocket.CompressionContextTakeover, websocket.CompressionNoContextTakeover} {
		scripts := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: mode, CompressionThreshold: 1})
			if err != nil {
				t.Error(err)
				return
			}
			c.SetReadLimit(1 << 20)
			for {
				kind, b, err := c.Read(r.Context())
				if err != nil {
					return
				}
				// As several frames of one message.
				mw, _ := c.Writer(r.Context(), kind)
				for len(b) > 0 {
					n := min(len(b), 9000)
					mw.Write(b[:n])
					b = b[n:]
				}
				mw.Close()
			}
		}), func(url string) {
			ctx := context.Background()
			c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{CompressionMode: mode, CompressionThreshold: 1})
			if err != nil {
				t.Fatal(err)
			}
			c.SetReadLimit(1 << 20)
			for _, m := range messages {
				if err := c.Write(ctx, websocket.MessageText, []byte(m)); err != nil {
					t.Fatal(err)
				}
				if _, b, err := c.Read(ctx); err != nil || string(b) != m {
					t.Fatal(err)
				}
			}
			c.Close(4000, "done")
		})
		var got [2][]string
		closes, compressed := 0, 0
		for _, i := range collect(scripts[0]) {
			switch b := i.Body.(type) {
			case *WebSocket:
				if b.Masked != (i.From == 0) {
					t.Errorf("masked %v from %d", b.Masked, i.From)
				}
				if b.Compressed {
					compressed++
				}
				switch b.Opcode {
				case 1:
					got[i.From] = append(got[i.From], string(b.Preview))
				case 0: // one frame of a compressed message has it
					if last := &got[i.From][len(got[i.From])-1]; *last == "" {
						*last = string(b.Preview)
					}
				case 8:
					closes++
					if b.Code != 4000 || string(b.Preview) != "done" {
						t.Errorf("close %+v", b)
					}
				}
			case *Unparsed:
				t.Errorf("unparsed %+v", b)
			}
		}
		for from := range got {
			if len(got[from]) != len(messages) {
				t.Fatalf("mode %v: %d messages from %d", mode, len(got[from]), from)
			}
			for i, m := range messages {
				if p := got[from][i]; p != m[:min(len(m), 128)] {
					t.Errorf("mode %v: message %d from %d: %q", mode, i, from, p)
				}
			}
		}
		if (compressed > 0) != (mode != websocket.CompressionDisabled) || closes != 2 {
			t.Errorf("mode %v: %d compressed frames, %d closes", mode, compressed, closes)
		}
		sameInPieces(t, scripts[0])
	}
}
