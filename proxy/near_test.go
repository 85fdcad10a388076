package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"explainer/capture"
	"explainer/capture/web"

	"golang.org/x/net/dns/dnsmessage"
)

// names is a resolver for which every name has one address, of IPv4.
func names(t *testing.T, addr [4]byte) *net.Resolver {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		for b := make([]byte, 1500); ; {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}, Body: &dnsmessage.AResource{A: addr}}}
			}
			if answer, err := m.Pack(); err == nil {
				c.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", c.LocalAddr().String())
	}}
}

// near is a service of this machine, which counts what reaches it.
type near struct {
	port  string
	count atomic.Int32
}

func (r *rig) near(tlsConfig *tls.Config) *near {
	n := new(near)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n.count.Add(1)
		io.WriteString(w, "secret")
	}))
	s.Config.ErrorLog = discardLog
	if s.TLS = tlsConfig; tlsConfig != nil {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	r.t.Cleanup(s.Close)
	_, n.port, _ = net.SplitHostPort(s.Listener.Addr().String())
	return n
}

// TestRefuseLocal: requests of pages of the web reach no service of this machine, in clear, in
// tunnels, over HTTP/1.1 and HTTP/2, by its address or by a name; those of its own pages and of programs do.
func TestRefuseLocal(t *testing.T) {
	r := newRig(t, func(p *Proxy) { p.RefuseLocal, p.resolver = true, names(t, [4]byte{127, 0, 0, 1}) })
	clear, sealed := r.near(nil), r.near(r.originConfig("127.0.0.1", "rebound.test"))
	r.plainOrigin("mapped.test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}))
	h1, h2 := r.client(false), r.client(true)
	wanted := map[*near]int32{}
	for _, c := range []struct {
		client *http.Client
		url    string
		fields string
		status int
	}{
		{h1, "http://127.0.0.1:CLEAR/", "", 200},
		{h1, "http://127.0.0.1:CLEAR/", "Origin: http://evil.test", 403},
		{h1, "http://127.0.0.1:CLEAR/", "Origin: null", 403},
		{h1, "http://127.0.0.1:CLEAR/", "Origin: http://192.168.0.7", 403},
		{h1, "http://127.0.0.1:CLEAR/", "Origin: http://localhost:3000", 200},
		{h1, "http://127.0.0.1:CLEAR/", "Referer: http://u@evil.test/localhost", 403},
		{h1, "http://127.0.0.1:CLEAR/", "Sec-Fetch-Site: cross-site; Sec-Fetch-Mode: no-cors", 403},
		{h1, "http://127.0.0.1:CLEAR/", "Sec-Fetch-Site: cross-site; Sec-Fetch-Mode: navigate; Sec-Fetch-Dest: document", 200},
		{h1, "http://127.0.0.1:CLEAR/", "Sec-Fetch-Site: cross-site; Sec-Fetch-Mode: navigate; Sec-Fetch-Dest: iframe", 403},
		{h1, "http://127.0.0.1:CLEAR/", "Sec-Fetch-Site: none", 200},
		{h1, "http://rebound.test:CLEAR/", "", 403},
		{h1, "http://mapped.test/", "Origin: http://evil.test", 200},
		{h1, "https://127.0.0.1:SEALED/", "", 200},
		{h1, "https://127.0.0.1:SEALED/", "Origin: http://evil.test", 403}, // the second on its connection: it is closed, and Go asks again
		{h1, "https://127.0.0.1:SEALED/", "Origin: https://127.0.0.1:1", 200},
		{h1, "https://rebound.test:SEALED/", "", 403},
		{h2, "https://127.0.0.1:SEALED/", "Origin: http://evil.test", 0}, // a page, or an end where the origin's SETTINGS came first
		{h2, "https://127.0.0.1:SEALED/", "", 200},
	} {
		at := map[string]*near{"CLEAR": clear, "SEALED": sealed}
		url := c.url
		for word, n := range at {
			if strings.Contains(url, word) {
				url = strings.Replace(url, word, n.port, 1)
				if c.status == 200 {
					wanted[n]++
				}
			}
		}
		req, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range strings.Split(c.fields, "; ") {
			if name, value, ok := strings.Cut(f, ": "); ok {
				req.Header.Set(name, value)
			}
		}
		resp, err := c.client.Do(req)
		if err != nil && c.status == 0 {
			continue
		}
		if err != nil {
			t.Errorf("%s, %s: %v", c.url, c.fields, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if c.status == 0 {
			c.status = 403
		}
		if resp.StatusCode != c.status || c.status == 403 && !strings.Contains(string(body), "--on-local-request") {
			t.Errorf("%s, %s: %d %s", c.url, c.fields, resp.StatusCode, body)
		}
	}
	// A WebSocket in clear goes through a tunnel. What comes behind the first request is read too.
	for _, first := range []string{"", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"} {
		c := r.tunnel("127.0.0.1:" + clear.port)
		if first != "" {
			io.WriteString(c, first)
			wanted[clear]++
			readHead(t, c)
		}
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nOrigin: http://evil.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		c.SetDeadline(time.Now().Add(20 * time.Second))
		b, _ := io.ReadAll(c)
		if refused := strings.Contains(string(b), "403 Forbidden"); refused != (first == "") {
			t.Errorf("after %q: %s", first, b)
		}
	}
	for n, want := range wanted {
		if got := n.count.Load(); got != want {
			t.Errorf("%d requests reached port %s, want %d", got, n.port, want)
		}
	}
	r.finish()
	refused := 0
	for _, f := range facts(r.items(), capture.FactOwnAnswer) {
		if f.Detail == "near" || f.Detail == "near-name" {
			refused++
		}
	}
	if refused < 10 {
		t.Errorf("%d refusals are recorded", refused)
	}
}

// TestNearerThanBefore: a name that has led farther away may not lead nearer, wherever it led first.
func TestNearerThanBefore(t *testing.T) {
	p := &Proxy{RefuseLocal: true}
	public, private, link, here := netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("::ffff:127.0.0.1")
	to := func(host string) target { return target{host, 80} }
	p.places.Led("evil.test", public)
	p.places.Led("evil.test", private)
	p.places.Led("router.test", private)
	for _, c := range []struct {
		host string
		addr netip.Addr
		want bool
	}{
		{"evil.test", public, false}, {"evil.test", private, true}, {"evil.test", here, true},
		{"router.test", private, false}, {"router.test", public, false}, {"router.test", here, true},
		{"new.test", private, false}, {"new.test", link, true}, {"new.test", here, true},
		{"localhost", here, false}, {"a.localhost", here, false}, {"127.0.0.1", here, false}, {"192.168.1.1", private, false},
	} {
		if got := p.misleads(to(c.host), c.addr); got != c.want {
			t.Errorf("%s at %s: %v", c.host, c.addr, got)
		}
	}
	page := func(host string) func(string) string {
		return func(name string) string {
			if name == "Origin" {
				return "https://" + host
			}
			return ""
		}
	}
	for host, want := range map[string]bool{"evil.test": true, "unknown.test": true, "router.test": false, "10.0.0.1": false, "printer.test": false} {
		if got := p.bars("POST", page(host), to("printer.test"), web.Private); got != want {
			t.Errorf("a page of %s: %v", host, got)
		}
	}
}

// TestLocalInChromium: a page of the web in Chromium reaches no service of the proxy's machine, by fetch,
// image, form or WebSocket; a person who opens its address does.
func TestLocalInChromium(t *testing.T) {
	r := newRig(t, func(p *Proxy) { p.RefuseLocal = true })
	n := r.near(nil)
	r.plainOrigin("evil-proxied.shop.test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<link rel=icon href=data:,>hello")
	}))
	b := r.chromium()
	if code, err := b.Open("http://evil-proxied.shop.test/"); code != "" || err != nil {
		t.Fatalf("%q, %v", code, err)
	}
	for _, js := range []string{
		`fetch("http://127.0.0.1:PORT/a", {mode: "no-cors"}).then(r => r.text()).catch(e => "")`,
		`new Promise(done => { const i = new Image(); i.onerror = i.onload = () => done(""); i.src = "http://127.0.0.1:PORT/b" })`,
		`new Promise(done => { const s = new WebSocket("ws://127.0.0.1:PORT/c"); s.onerror = s.onopen = () => done("") })`,
		`new Promise(done => { const f = document.createElement("iframe"); f.onload = () => done(""); f.src = "http://127.0.0.1:PORT/d"; document.body.append(f) })`,
	} {
		var seen struct{ Result struct{ Value string } }
		if err := b.Call("Runtime.evaluate", map[string]any{"expression": strings.Replace(js, "PORT", n.port, 1), "awaitPromise": true}, &seen); err != nil || strings.Contains(seen.Result.Value, "secret") {
			t.Errorf("%s: %q, %v", js, seen.Result.Value, err)
		}
	}
	if got := n.count.Load(); got != 0 {
		t.Errorf("%d requests of the page reached the service", got)
	}
	if code, err := b.Open("http://127.0.0.1:" + n.port + "/"); code != "" || err != nil || n.count.Load() == 0 {
		t.Errorf("opened by a person: %q, %v, %d requests", code, err, n.count.Load())
	}
	r.finish()
	refused := 0
	for _, f := range facts(r.items(), capture.FactOwnAnswer) {
		if f.Detail == "near" {
			refused++
		}
	}
	if refused < 4 {
		t.Errorf("%d requests of the page were refused by the proxy", refused)
	}
}
