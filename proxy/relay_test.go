package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"explainer/capture"

	"github.com/coder/websocket"
)

// both runs a test over each version of HTTP.
func both(t *testing.T, f func(t *testing.T, h2 bool)) {
	t.Run("h1", func(t *testing.T) { f(t, false) })
	t.Run("h2", func(t *testing.T) { f(t, true) })
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestBodiesPassUnchanged(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		r := newRig(t, nil)
		r.origin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			w.Header().Set("Trailer", "X-Sum")
			sum := sha256.New()
			io.Copy(w, io.TeeReader(req.Body, sum))
			w.Header().Set("X-Sum", fmt.Sprintf("%x", sum.Sum(nil)))
			w.Header().Set(http.TrailerPrefix+"X-Late", req.Trailer.Get("X-Client"))
		}), nil)
		body := noise(3 << 20)
		req, _ := http.NewRequest("POST", "https://shop.test/", io.NopCloser(bytes.NewReader(body)))
		req.Trailer = http.Header{"X-Client": {"sent after the body"}}
		resp, err := r.client(h2).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if want := fmt.Sprintf("%x", sha256.Sum256(body)); resp.Trailer.Get("X-Sum") != want || resp.Trailer.Get("X-Late") != "sent after the body" {
			t.Errorf("trailers %v", resp.Trailer)
		}
		if h2 != (resp.ProtoMajor == 2) {
			t.Errorf("the client got %s", resp.Proto)
		}
		resp.Body.Close()
		checkRecording(t, r.items())
	})
}

func TestEventsComeAtOnce(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		r := newRig(t, nil)
		more := make(chan struct{})
		r.origin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "data: first\n\n")
			w.(http.Flusher).Flush()
			<-more // the client has the first event while the second does not exist
			io.WriteString(w, "data: second\n\n")
		}), nil)
		resp, err := r.client(h2).Get("https://shop.test/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		events := bufio.NewReader(resp.Body)
		if line, err := events.ReadString('\n'); line != "data: first\n" {
			t.Errorf("%q, %v", line, err)
		}
		close(more)
		if rest, err := io.ReadAll(events); string(rest) != "\ndata: second\n\n" || err != nil {
			t.Errorf("%q, %v", rest, err)
		}
	})
}

func TestWebSocket(t *testing.T) {
	for _, scheme := range []string{"wss", "ws"} {
		t.Run(scheme, func(t *testing.T) {
			r := newRig(t, nil)
			h := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				c, err := websocket.Accept(w, req, nil)
				if err != nil {
					t.Error(err)
					return
				}
				defer c.CloseNow()
				for {
					kind, msg, err := c.Read(req.Context())
					if err != nil {
						return
					}
					c.Write(req.Context(), kind, append([]byte("echo "), msg...))
				}
			})
			if scheme == "wss" {
				r.origin("shop.test", h, nil)
			} else {
				r.plainOrigin("shop.test", h)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			c, _, err := websocket.Dial(ctx, scheme+"://shop.test/", &websocket.DialOptions{HTTPClient: r.client(false)})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				if err := c.Write(ctx, websocket.MessageText, fmt.Append(nil, i)); err != nil {
					t.Fatal(err)
				}
				if _, msg, err := c.Read(ctx); string(msg) != fmt.Sprint("echo ", i) || err != nil {
					t.Fatalf("%q, %v", msg, err)
				}
			}
			if err := c.Close(websocket.StatusNormalClosure, "bye"); err != nil {
				t.Error(err)
			}
			checkRecording(t, r.items())
		})
	}
}

// rawOrigin serves one TLS connection for host with f.
func (r *rig) rawOrigin(host string, f func(*tls.Conn)) {
	r.t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", r.originConfig(host))
	if err != nil {
		r.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		f(c.(*tls.Conn))
	}()
	r.t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	r.site(host, l.Addr().String())
}

// dialTLS makes a TLS connection to host through the proxy.
func (r *rig) dialTLS(host string) (*tls.Conn, *net.TCPConn) {
	r.t.Helper()
	raw := r.tunnel(host + ":443")
	c := tls.Client(raw, &tls.Config{ServerName: host, RootCAs: r.roots()})
	if err := c.Handshake(); err != nil {
		r.t.Fatal(err)
	}
	return c, raw
}

func TestHalfClose(t *testing.T) {
	r := newRig(t, nil)
	r.rawOrigin("shop.test", func(c *tls.Conn) {
		all, err := io.ReadAll(c) // up to the client's close_notify
		fmt.Fprintf(c, "%d bytes, %v", len(all), err)
	})
	c, _ := r.dialTLS("shop.test")
	c.Write(noise(100_000))
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if string(answer) != "100000 bytes, <nil>" || err != nil {
		t.Errorf("%q, %v", answer, err)
	}
	items := r.items()
	checkRecording(t, items)
	for _, f := range facts(items, capture.FactClosed) {
		if f.Outcome != "client" || f.Detail != "" {
			t.Errorf("%+v", f)
		}
	}
}

// TestHalfCloseWaits: who has sent everything waits as long as the origin lets it, and the
// story has who ended it: the client, which ended first, or the proxy, which did not wait for the other.
func TestHalfCloseWaits(t *testing.T) {
	for name, finished := range map[string]bool{"answered": true, "shut down": false} {
		t.Run(name, func(t *testing.T) {
			both := func(t *testing.T, way string, open func(*rig) (io.Reader, func())) {
				t.Run(way, func(t *testing.T) {
					r := newRig(t, nil)
					answer, ended := make(chan struct{}), make(chan error, 1)
					serve := func(c net.Conn) {
						_, err := io.ReadAll(c) // up to the client's end
						ended <- err
						<-answer
						if finished {
							io.WriteString(c, "answer")
						}
					}
					if way == "TLS" {
						r.rawOrigin("shop.test", func(c *tls.Conn) { serve(c) })
					} else {
						r.tcpOrigin("shop.test", serve)
					}
					c, closeWrite := open(r)
					closeWrite()
					if err := <-ended; err != nil {
						t.Fatal(err)
					}
					r.Proxy.mu.Lock()
					for tap := range r.legs { // no clock runs
						if d := tap.deadline.Load(); d != 0 {
							t.Errorf("a deadline in %v", time.Until(time.Unix(0, d)))
						}
					}
					r.Proxy.mu.Unlock()
					if finished {
						close(answer)
						if b, err := io.ReadAll(c); string(b) != "answer" || err != nil {
							t.Errorf("%q, %v", b, err)
						}
					}
					items := r.items()
					if !finished {
						close(answer)
					}
					checkRecording(t, items)
					for _, f := range facts(items, capture.FactClosed) {
						if want := map[bool]string{true: "client", false: "proxy-shutdown"}[finished]; f.Outcome != want || f.Detail != "" {
							t.Errorf("%+v, want %s", f, want)
						}
					}
				})
			}
			both(t, "TLS", func(r *rig) (io.Reader, func()) {
				c, _ := r.dialTLS("shop.test")
				io.WriteString(c, "request")
				return c, func() { c.CloseWrite() }
			})
			both(t, "tunnel", func(r *rig) (io.Reader, func()) {
				c := r.tunnel("shop.test:4")
				io.WriteString(c, "request")
				return c, func() { c.CloseWrite() }
			})
		})
	}
}

// TestTruncation: an end without close_notify is no good end, and does not become one on the way.
func TestTruncation(t *testing.T) {
	r := newRig(t, nil)
	r.rawOrigin("shop.test", func(c *tls.Conn) {
		c.Write([]byte("half a"))
		c.NetConn().(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
	})
	c, raw := r.dialTLS("shop.test")
	got := make([]byte, 6)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "half a" {
		t.Fatalf("%q, %v", got, err)
	}
	if n, err := raw.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after the truncated answer come %d bytes, %v; want none, not even an alert", n, err)
	}
	raw.Close()
	items := r.items()
	checkRecording(t, items)
	for _, f := range facts(items, capture.FactClosed) {
		if f.Outcome != "origin" || f.Detail != "no close_notify" {
			t.Errorf("%+v", f)
		}
	}
}

// TestReset: a reset of the origin is one for the client, and the recording has both.
func TestReset(t *testing.T) {
	r := newRig(t, nil)
	r.rawOrigin("shop.test", func(c *tls.Conn) {
		io.ReadFull(c, make([]byte, 4))
		c.NetConn().(*net.TCPConn).SetLinger(0)
		c.NetConn().Close()
	})
	c, _ := r.dialTLS("shop.test")
	c.Write([]byte("ping"))
	if _, err := io.ReadAll(c); err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("the client sees %v", err)
	}
	items := r.items()
	checkRecording(t, items)
	session := fact(t, items, capture.FactSession)
	resets := map[int]capture.Side{}
	for _, it := range items {
		if it.flags&rst != 0 {
			resets[it.conn] = it.side
		}
	}
	if side, ok := resets[session.Peer]; !ok || side != capture.Server {
		t.Errorf("origin's leg: reset %v by %v, want by the server", ok, side)
	}
	if side, ok := resets[session.Conn]; !ok || side != capture.Server {
		t.Errorf("browser's leg: reset %v by %v, want by the proxy", ok, side)
	}
	for _, f := range facts(items, capture.FactClosed) {
		if f.Outcome != "origin" || f.Detail != "connection reset" {
			t.Errorf("%+v", f)
		}
	}
}

// TestMemory: a body far larger than every buffer passes in bounded memory.
func TestMemory(t *testing.T) {
	const size = 128 << 20
	r := newRig(t, nil)
	chunk := noise(64 << 10)
	r.origin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		for range size / len(chunk) {
			w.Write(chunk)
		}
	}), nil)
	client := r.client(false)
	client.Timeout = 0
	resp, err := client.Get("https://shop.test/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var peak uint64
	var got int64
	for buf := make([]byte, 1<<20); err == nil; {
		var n int
		n, err = io.ReadFull(resp.Body, buf)
		got += int64(n)
		if got>>20%16 == 0 {
			runtime.GC() // garbage says nothing, and the race detector makes more of it
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	}
	if got != size {
		t.Errorf("%d bytes, %v", got, err)
	}
	if limit := uint64(queueLimit + 64<<20); peak > limit {
		t.Errorf("the heap grew to %d MiB, want at most %d", peak>>20, limit>>20)
	}
	resp.Body.Close()
	items := r.items()
	if n := len(bytesOf(items, fact(t, items, capture.FactSession).Conn, capture.Server)); n < size {
		t.Errorf("%d bytes were recorded, fewer than the body has", n)
	}
}

func TestManyConnections(t *testing.T) {
	r := newRig(t, nil)
	r.origin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		io.Copy(w, req.Body)
	}), nil)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c := r.client(i%2 == 0)
			for j := range 5 {
				body := strings.Repeat(fmt.Sprintf("%d.%d ", i, j), 1000)
				resp, err := c.Post("https://shop.test/", "text/plain", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if string(got) != body || err != nil {
					t.Errorf("request %d.%d: %d bytes, %v", i, j, len(got), err)
				}
			}
			c.CloseIdleConnections()
		}()
	}
	wg.Wait()
	items := r.items()
	checkRecording(t, items)
	if n := len(facts(items, capture.FactSession)); n != 40 {
		t.Errorf("%d sessions, want 40", n)
	}
}
