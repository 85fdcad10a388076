package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"explainer/capture"
)

// plainOrigin starts an HTTP server for host:80.
func (r *rig) plainOrigin(host string, h http.Handler) {
	s := httptest.NewServer(h)
	r.t.Cleanup(s.Close)
	r.site(host, s.Listener.Addr().String())
}

// exchange sends bytes to addr and returns all that comes back.
func exchange(t *testing.T, addr, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, request)
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPlainHTTP(t *testing.T) {
	r := newRig(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	request := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		request <- readHead(t, c)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nX-One: 1\r\nKeep-Alive: timeout=5\r\nConnection: close\r\n\r\nbody")
	}()
	r.site("shop.test", l.Addr().String())
	got := exchange(t, r.addr, "GET http://shop.test/path?q HTTP/1.1\r\nHost: shop.test\r\nX-Hop: 1\r\nConnection: close, X-Hop\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nAccept-Encoding: br\r\nX-Stays: yes\r\n\r\n")
	sent := <-request
	if !strings.HasPrefix(sent, "GET /path?q HTTP/1.1\r\nHost: shop.test\r\n") {
		t.Errorf("the origin got %q", sent)
	}
	for _, want := range []string{"Accept-Encoding: br\r\n", "X-Stays: yes\r\n"} {
		if !strings.Contains(sent, want) {
			t.Errorf("the origin did not get %q: %q", want, sent)
		}
	}
	for _, never := range []string{"Proxy-", "X-Hop", "User-Agent", "Forwarded", "Via"} {
		if strings.Contains(sent, never) {
			t.Errorf("the origin got %q: %q", never, sent)
		}
	}
	head, body, _ := strings.Cut(got, "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || !strings.Contains(head, "X-One: 1") || !strings.Contains(body, "body") {
		t.Errorf("the client got %q", got)
	}
	for _, never := range []string{"Date:", "Content-Type:", "Keep-Alive"} {
		if strings.Contains(head, never) {
			t.Errorf("the client got %q: %q", never, head)
		}
	}
	items := r.items()
	checkRecording(t, items)
	f := fact(t, items, capture.FactPlainHTTP)
	if f.Host != "shop.test:80" || f.Conn == 0 || f.Peer == 0 {
		t.Errorf("%+v", f)
	}
	if b := bytesOf(items, f.Peer, capture.Client); string(b) != sent {
		t.Errorf("recorded %q", b)
	}
}

// TestPlainIsNotShared: two browsers' requests never meet on one connection to the origin.
func TestPlainIsNotShared(t *testing.T) {
	r := newRig(t, nil)
	r.plainOrigin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { io.WriteString(w, req.RemoteAddr) }))
	seen := map[string]int{}
	for range 2 {
		c := r.client(false)
		for range 3 {
			resp, err := c.Get("http://shop.test/")
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			seen[string(b)]++
		}
	}
	if len(seen) != 2 {
		t.Errorf("the origin saw connections %v, want one of 3 requests for each client", seen)
	}
	items := r.items()
	checkRecording(t, items)
	pairs := map[int]int{}
	for _, f := range facts(items, capture.FactPlainHTTP) {
		pairs[f.Conn]++
	}
	if len(pairs) != 2 || len(facts(items, capture.FactPlainHTTP)) != 6 {
		t.Errorf("facts %v", pairs)
	}
}

func TestPlainStreamComesAtOnce(t *testing.T) {
	r := newRig(t, nil)
	more := make(chan struct{})
	r.plainOrigin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "{}\n")
		w.(http.Flusher).Flush()
		<-more
	}))
	resp, err := r.client(false).Get("http://shop.test/")
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); line != "{}\n" {
		t.Errorf("%q, %v", line, err)
	}
	close(more)
	resp.Body.Close()
}

// TestPlainTruncation: a body that breaks off does not become whole on the way.
func TestPlainTruncation(t *testing.T) {
	r := newRig(t, nil)
	r.plainOrigin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	resp, err := r.client(false).Get("http://shop.test/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("%q and no error", b)
	}
}

func TestPlainFailures(t *testing.T) {
	r := newRig(t, nil)
	r.site("dead.test", deadAddr(t))
	for _, c := range []struct{ url, status, says string }{
		{"http://dead.test/", "502", "refuses connections"},
		{"http://nothing.invalid/", "502", "name"},
		{"http://explainer.test/", "502", "No such built-in site"},
		{"https://shop.test/", "400", "CONNECT"},
		{"http://" + r.addr + "/", "502", "call itself"},
	} {
		got := exchange(t, r.addr, "GET "+c.url+" HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 "+c.status+" ") || !strings.Contains(got, c.says) || !strings.Contains(got, "<!doctype html>") {
			t.Errorf("%s: %q", c.url, got)
		}
	}
	items := r.items()
	checkRecording(t, items)
	if n := len(facts(items, capture.FactOwnAnswer)); n != 5 {
		t.Errorf("%d own answers, want 5", n)
	}
}

func TestRequestsForTheProxyItself(t *testing.T) {
	r := newRig(t, nil)
	for request, status := range map[string]string{
		"GET / HTTP/1.1\r\nHost: " + r.addr + "\r\nConnection: close\r\n\r\n":          "200",
		"GET /x HTTP/1.1\r\nHost: " + r.addr + "\r\nConnection: close\r\n\r\n":         "404",
		"CONNECT shop.test HTTP/1.1\r\nHost: shop.test\r\n\r\n":                        "400",
		"CONNECT shop.test:0 HTTP/1.1\r\nHost: shop.test:0\r\n\r\n":                    "400",
		"CONNECT shop.test:70000 HTTP/1.1\r\nHost: shop.test\r\n\r\n":                  "400",
		"CONNECT :443 HTTP/1.1\r\nHost: x\r\n\r\n":                                     "400",
		fmt.Sprintf("CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n", r.addr):                  "502",
		fmt.Sprintf("CONNECT localhost:%s HTTP/1.1\r\nHost: x\r\n\r\n", port(r)):       "502",
		fmt.Sprintf("CONNECT [::1]:%s HTTP/1.1\r\nHost: x\r\n\r\n", port(r)):           "502",
		fmt.Sprintf("CONNECT 127.9.9.9:%s HTTP/1.1\r\nHost: x\r\n\r\n", port(r)):       "502",
		fmt.Sprintf("CONNECT 0.0.0.0:%s HTTP/1.1\r\nHost: x\r\n\r\n", port(r)):         "502",
		fmt.Sprintf("CONNECT [::ffff:7f00:1]:%s HTTP/1.1\r\nHost: x\r\n\r\n", port(r)): "502",
	} {
		if got := exchange(t, r.addr, request); !strings.HasPrefix(got, "HTTP/1.1 "+status+" ") {
			t.Errorf("%q: %.200q, want %s", request, got, status)
		}
	}
	items := r.items()
	checkRecording(t, items)
	for _, f := range facts(items, capture.FactDialFailed) {
		if f.Outcome != "loop" {
			t.Errorf("%+v", f)
		}
	}
}

func port(r *rig) string {
	_, port, _ := net.SplitHostPort(r.addr)
	return port
}

// deadAddr is where nobody listens.
func deadAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
