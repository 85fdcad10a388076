package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"explainer/ca"
	"explainer/capture"
)

// selfSigned makes a certificate that vouches for itself.
func selfSigned(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestBadOriginCertificate: the proxy checks, says what is wrong in a page
// inside good TLS, and sends the origin no byte of the request.
func TestBadOriginCertificate(t *testing.T) {
	now := time.Now()
	leaf := func(t *testing.T, a *ca.Authority, spec ca.Spec) tls.Certificate {
		c, err := a.Leaf(context.Background(), spec)
		if err != nil {
			t.Fatal(err)
		}
		return *c
	}
	good := ca.Spec{Names: []string{"shop.test"}}
	for outcome, c := range map[string]struct {
		cert func(*testing.T, *rig) tls.Certificate
		says string
	}{
		"expired": {func(t *testing.T, r *rig) tls.Certificate {
			return leaf(t, r.originCA, ca.Spec{Names: good.Names, NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-24 * time.Hour)})
		}, "has expired"},
		"not-yet-valid": {func(t *testing.T, r *rig) tls.Certificate {
			return leaf(t, r.originCA, ca.Spec{Names: good.Names, NotBefore: now.Add(24 * time.Hour), NotAfter: now.Add(48 * time.Hour)})
		}, "not valid yet"},
		"wrong-host": {func(t *testing.T, r *rig) tls.Certificate {
			return leaf(t, r.originCA, ca.Spec{Names: []string{"other.test"}})
		}, "for another site"},
		"untrusted-root": {func(t *testing.T, r *rig) tls.Certificate {
			stranger, err := ca.NewEphemeral("stranger")
			if err != nil {
				t.Fatal(err)
			}
			return leaf(t, stranger, good)
		}, "Nobody trusted"},
		"self-signed": {func(t *testing.T, r *rig) tls.Certificate { return selfSigned(t, "shop.test") }, "vouches for itself"},
		"own-ca":      {func(t *testing.T, r *rig) tls.Certificate { return leaf(t, r.Authority, good) }, "this very proxy"},
		// The user's system trusts our CA, and still it does not vouch for an origin.
		"own-ca, trusted": {func(t *testing.T, r *rig) tls.Certificate {
			r.Proxy.roots.AddCert(r.Authority.Certificate())
			r.Proxy.trusted.Add(r.Authority.Certificate().Raw)
			return leaf(t, r.Authority, good)
		}, "this very proxy"},
	} {
		t.Run(outcome, func(t *testing.T) {
			both(t, func(t *testing.T, h2 bool) {
				r := newRig(t, func(p *Proxy) {
					p.BlockBadOrigins = true
					p.setup.Do(p.init)
				})
				var requests atomic.Int32
				r.origin("shop.test", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }), func(config *tls.Config) {
					config.Certificates = []tls.Certificate{c.cert(t, r)}
				})
				req, _ := http.NewRequest("POST", "https://shop.test/login", strings.NewReader("password=secret"))
				req.Header.Set("Accept", "text/html")
				resp, err := r.client(h2).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				page, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusBadGateway || !strings.Contains(string(page), c.says) {
					t.Errorf("%s: %s", resp.Status, page)
				}
				if h2 != (resp.ProtoMajor == 2) {
					t.Errorf("the page came over %s", resp.Proto)
				}
				if names := resp.TLS.PeerCertificates[0].DNSNames; !slices.Equal(names, []string{"shop.test"}) {
					t.Errorf("the page came with a certificate for %v", names)
				}
				items := r.items()
				checkRecording(t, items)
				want, _, _ := strings.Cut(outcome, ",")
				if f := fact(t, items, capture.FactOriginVerified); f.Outcome != want || f.Host != "shop.test" || f.Peer == 0 || f.Done != "blocked" {
					t.Errorf("%+v, want %s", f, want)
				}
				if n := requests.Load(); n != 0 {
					t.Errorf("the origin saw %d requests", n)
				}
				// What reached the origin: a ClientHello, at most a dummy
				// ChangeCipherSpec, and one record with the alert.
				origin := fact(t, items, capture.FactSession).Peer
				var types []byte
				for sent := bytesOf(items, origin, capture.Client); len(sent) >= 5; {
					types = append(types, sent[0])
					sent = sent[5+int(sent[3])<<8+int(sent[4]):]
				}
				if types = slices.DeleteFunc(types, func(b byte) bool { return b == 20 }); len(types) != 2 || types[0] != 22 {
					t.Errorf("records of the types %v reached the origin", types)
				}
				if f := fact(t, items, capture.FactOwnAnswer); f.Outcome != "error-page" {
					t.Errorf("%+v", f)
				}
			})
		})
	}
}

// getThrough asks for https://host/ and returns the status and the text.
func (r *rig) getThrough(hostport string) (int, string) {
	r.t.Helper()
	resp, err := r.client(false).Get("https://" + hostport + "/")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestOriginFailures(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.Config.ErrorLog = discardLog
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	defer old.Close()
	for _, c := range []struct {
		host, addr string // addr "": not mapped; "proxy": the proxy itself
		says       string
		kind       capture.FactKind
		outcome    string
	}{
		{"dead.test", deadAddr(t), "refuses connections", capture.FactDialFailed, "refused"},
		{"nothing.invalid", "", "looked up", capture.FactLookupFailed, ""},
		{"nothing.explainer.test", "", "No such built-in site", capture.FactLookupFailed, ""},
		{"loop.test", "proxy", "call itself", capture.FactDialFailed, "loop"},
		{"plain.test", plain.Listener.Addr().String(), "does not speak TLS here", capture.FactTLSFailed, "not-tls"},
		{"old.test", old.Listener.Addr().String(), "refuses the proxy's hello", capture.FactTLSFailed, "refused"},
	} {
		t.Run(c.host, func(t *testing.T) {
			r := newRig(t, nil)
			switch c.addr {
			case "":
			case "proxy":
				r.site(c.host, r.addr)
			default:
				r.site(c.host, c.addr)
			}
			status, text := r.getThrough(c.host)
			if c.host == "nothing.invalid" && strings.Contains(text, "does not exist") {
				c.says = "does not exist" // where there is a resolver that says so
			}
			if status != http.StatusBadGateway || !strings.Contains(text, c.says) {
				t.Errorf("%d: %s", status, text)
			}
			items := r.items()
			checkRecording(t, items)
			if f := fact(t, items, c.kind); f.Outcome != c.outcome || f.Conn == 0 {
				t.Errorf("%+v", f)
			}
			if f := fact(t, items, capture.FactOwnAnswer); f.Outcome != "error-page" {
				t.Errorf("%+v", f)
			}
		})
	}
}

// TestClientDoesNotTrustUs: a client that refuses our leaf is the one that ended it, with its alert's name.
func TestClientDoesNotTrustUs(t *testing.T) {
	r := newRig(t, nil)
	ended := make(chan error, 1)
	r.rawOrigin("shop.test", func(c *tls.Conn) {
		_, err := c.Read(make([]byte, 1))
		ended <- err
	})
	_, _, err := run(t, nil, "curl", "-sS", "-x", "http://"+r.addr, "https://shop.test/")
	if err == nil || err.Error() != "exit status 60" {
		t.Errorf("curl: %v", err)
	}
	if err := <-ended; err == nil {
		t.Error("the origin got data")
	}
	items := r.items()
	checkRecording(t, items)
	session := fact(t, items, capture.FactSession)
	for _, f := range facts(items, capture.FactClosed) {
		if f.Outcome != "client" || f.Conn == session.Conn && !strings.Contains(f.Detail, "unknown certificate authority") {
			t.Errorf("%+v", f)
		}
	}
}

// TestClientHangsUp: while the proxy still waits for the origin.
func TestClientHangsUp(t *testing.T) {
	r := newRig(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r.site("shop.test", l.Addr().String())
	c := r.tunnel("shop.test:443")
	go tls.Client(c, &tls.Config{ServerName: "shop.test", RootCAs: r.roots()}).Handshake()
	o, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	o.SetDeadline(time.Now().Add(dialTime / 2))
	hello := make([]byte, 5)
	if _, err := io.ReadFull(o, hello); err != nil || hello[0] != 22 {
		t.Fatalf("%x, %v", hello, err)
	}
	c.Close()
	// The origin learns it long before the proxy would have given up.
	if _, err := io.Copy(io.Discard, o); err != nil {
		t.Error(err)
	}
	items := r.items()
	checkRecording(t, items)
	for _, f := range facts(items, capture.FactClosed) {
		if f.Conn == fact(t, items, capture.FactSession).Conn && f.Outcome != "client" {
			t.Errorf("%+v", f)
		}
	}
}

// TestClientHelloPieces: right behind CONNECT in one segment, and one byte for each.
func TestClientHelloPieces(t *testing.T) {
	r := newRig(t, nil)
	r.origin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { io.WriteString(w, "ok") }), nil)
	for name, dial := range map[string]func(net.Conn) net.Conn{
		"one segment": func(c net.Conn) net.Conn {
			return &pieces{Conn: c, first: "CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n"}
		},
		"a byte each": func(c net.Conn) net.Conn {
			fmt.Fprintf(c, "CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n")
			readHead(t, c)
			return &pieces{Conn: c, single: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			raw.SetDeadline(time.Now().Add(20 * time.Second))
			p := dial(raw).(*pieces)
			p.t = t
			c := tls.Client(p, &tls.Config{ServerName: "shop.test", RootCAs: r.roots()})
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
			if b, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(b), "ok") {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
	checkRecording(t, r.items())
}

// pieces writes first in one piece with what comes first, or each byte alone.
type pieces struct {
	net.Conn
	t      *testing.T
	first  string
	head   bool // the answer to first was read
	single bool
}

func (p *pieces) Write(b []byte) (int, error) {
	if p.single {
		for i := range b {
			if _, err := p.Conn.Write(b[i : i+1]); err != nil {
				return i, err
			}
		}
		return len(b), nil
	}
	if p.first != "" {
		all := append([]byte(p.first), b...)
		p.first = ""
		_, err := p.Conn.Write(all)
		return len(b), err
	}
	return p.Conn.Write(b)
}

func (p *pieces) Read(b []byte) (int, error) {
	if !p.single && !p.head {
		p.head = true
		readHead(p.t, p.Conn)
	}
	return p.Conn.Read(b)
}

// tcpOrigin serves one TCP connection for host with f.
func (r *rig) tcpOrigin(host string, f func(net.Conn)) {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		f(c)
	}()
	r.site(host, l.Addr().String())
}

// TestServerSpeaksFirst: a client that waits for the server is tunnelled.
func TestServerSpeaksFirst(t *testing.T) {
	r := newRig(t, nil)
	r.tcpOrigin("mail.test", func(c net.Conn) {
		io.WriteString(c, "220 hello\r\n")
		line, _ := bufio.NewReader(c).ReadString('\n')
		io.WriteString(c, "you said "+line)
	})
	c := r.tunnel("mail.test:25")
	in := bufio.NewReader(c)
	if line, err := in.ReadString('\n'); line != "220 hello\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	io.WriteString(c, "QUIT\r\n")
	if b, err := io.ReadAll(in); string(b) != "you said QUIT\r\n" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	c.Close()
	items := r.items()
	checkRecording(t, items)
	if f := fact(t, items, capture.FactOpaque); f.Outcome != "server-first" || f.Host != "mail.test:25" {
		t.Errorf("%+v", f)
	}
	if f := fact(t, items, capture.FactSession); f.Host != "mail.test:25" {
		t.Errorf("%+v", f)
	}
}

func TestNotTLS(t *testing.T) {
	for first, want := range map[string]capture.Fact{
		"SSH-2.0-x\r\n": {Kind: capture.FactOpaque, Outcome: "not-tls"},
		"\x00\x01":      {Kind: capture.FactOpaque, Outcome: "not-tls"},
		// The first byte of these is that of a handshake record.
		"\x16\x00 ":                                {Kind: capture.FactOpaque, Outcome: "not-tls"},
		"\x16\x03\x01\x00\x00\x01":                 {Kind: capture.FactOpaque, Outcome: "not-tls"},
		"\x16\x03\x01\x00\x04\x02\x00\x00\x00":     {Kind: capture.FactOpaque, Outcome: "not-tls"},
		"GET / HTTP/1.1\r\nHost: any.test\r\n\r\n": {Kind: capture.FactPlainHTTP},
	} {
		t.Run(first[:2], func(t *testing.T) {
			r := newRig(t, nil)
			r.tcpOrigin("any.test", func(c net.Conn) {
				got := make([]byte, len(first))
				io.ReadFull(c, got)
				c.Write(append([]byte("got "), got...))
				c.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, c)
			})
			c := r.tunnel("any.test:4")
			for i := range first { // a byte each
				io.WriteString(c, first[i:i+1])
			}
			if b, err := io.ReadAll(c); string(b) != "got "+first || err != nil {
				t.Errorf("%q, %v", b, err)
			}
			c.Close()
			items := r.items()
			checkRecording(t, items)
			if f := fact(t, items, want.Kind); f.Outcome != want.Outcome || f.Host != "any.test:4" || f.Peer == 0 {
				t.Errorf("%+v", f)
			}
		})
	}
	t.Run("dead", func(t *testing.T) {
		r := newRig(t, nil)
		r.site("any.test", deadAddr(t))
		c := r.tunnel("any.test:80")
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: any.test\r\n\r\n")
		if b, _ := io.ReadAll(c); !strings.HasPrefix(string(b), "HTTP/1.1 502 ") || !strings.Contains(string(b), "refuses connections") {
			t.Errorf("%q", b)
		}
		checkRecording(t, r.items())
	})
}

func TestPassThrough(t *testing.T) {
	for name, c := range map[string]struct{ pattern, connect string }{
		"by the CONNECT host": {"*.test", "shop.test:443"},
		"with the port":       {"shop.test:443", "shop.test:443"},
		"by the server name":  {"SHOP.test", "10.1.2.3:443"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(p *Proxy) { p.PassThrough = []string{c.pattern} })
			s := r.origin("shop.test", http.NotFoundHandler(), nil)
			r.site("10.1.2.3", s.Listener.Addr().String())
			raw := r.tunnel(c.connect)
			origins := x509.NewCertPool()
			origins.AddCert(r.originCA.Certificate())
			// The client sees the origin's own certificate.
			conn := tls.Client(raw, &tls.Config{ServerName: "shop.test", RootCAs: origins})
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
			if b, err := io.ReadAll(conn); err != nil || !strings.Contains(string(b), "404") {
				t.Errorf("%q, %v", b, err)
			}
			conn.Close()
			items := r.items()
			checkRecordedSealed(t, items)
			if f := fact(t, items, capture.FactPassThrough); f.Detail != c.pattern || f.Peer == 0 || f.Host != c.connect {
				t.Errorf("%+v", f)
			}
		})
	}
}

// checkRecordedSealed checks that both legs carry the same bytes and that no key is in the recording.
func checkRecordedSealed(t *testing.T, items []item) {
	t.Helper()
	f := fact(t, items, capture.FactSession)
	_, sent, _ := bytes.Cut(bytesOf(items, f.Conn, capture.Client), []byte("\r\n\r\n"))
	_, got, _ := bytes.Cut(bytesOf(items, f.Conn, capture.Server), []byte("\r\n\r\n"))
	if !bytes.Equal(sent, bytesOf(items, f.Peer, capture.Client)) || !bytes.Equal(got, bytesOf(items, f.Peer, capture.Server)) || len(sent) == 0 || len(got) == 0 {
		t.Error("the legs differ")
	}
	for _, it := range items {
		if it.secret != nil {
			t.Errorf("a key was recorded: %s", it.secret.Label)
		}
	}
}

// TestNames: which name the origin is verified against, and which the leaf has.
func TestNames(t *testing.T) {
	r := newRig(t, nil)
	var named []string
	s := r.origin("shop.test", http.NotFoundHandler(), func(c *tls.Config) {
		c.Certificates = r.originConfig("shop.test", "*.shop.test", "10.1.2.3", "2001:db8::1").Certificates
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			named = append(named, hello.ServerName)
			return nil, nil
		}
	})
	for _, c := range []struct{ connect, sni, verified string }{
		{"10.1.2.3:443", "", "10.1.2.3"},
		{"[2001:db8::1]:443", "", "2001:db8::1"},
		{"10.1.2.3:443", "www.shop.test", "www.shop.test"},
		{"shop.test:443", "", "shop.test"},
		{"SHOP.test.:443", "Shop.Test", "Shop.Test"},
	} {
		to, err := parseTarget(c.connect)
		if err != nil {
			t.Fatal(err)
		}
		r.site(to.host, s.Listener.Addr().String())
		sni := c.sni
		if sni == "" {
			sni = "10.1.2.3" // crypto/tls sends none for an address
		}
		conn := tls.Client(r.tunnel(c.connect), &tls.Config{ServerName: sni, RootCAs: r.roots()})
		if err := conn.Handshake(); err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		leaf := conn.ConnectionState().PeerCertificates[0]
		want := append([]string{"*.shop.test", "shop.test"}, "10.1.2.3", "2001:db8::1")
		var got []string
		got = append(got, leaf.DNSNames...)
		for _, ip := range leaf.IPAddresses {
			got = append(got, ip.String())
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%+v: the leaf is for %v, want %v", c, got, want)
		}
		conn.Close()
	}
	items := r.items()
	checkRecording(t, items)
	var verified []string
	for _, f := range facts(items, capture.FactOriginVerified) {
		verified = append(verified, f.Host+" "+f.Outcome)
	}
	if want := []string{"10.1.2.3 ok", "2001:db8::1 ok", "www.shop.test ok", "shop.test ok", "Shop.Test ok"}; !slices.Equal(verified, want) {
		t.Errorf("verified %v, want %v", verified, want)
	}
	// A client that names no host is told of where the proxy was asked for a name; the origin is named none either.
	if fs := facts(items, capture.FactName); len(fs) != 2 || fs[0].Host != "www.shop.test" || fs[0].Addr != "10.1.2.3" || fs[1].Host != "" || fs[1].Addr != "shop.test" {
		t.Errorf("%+v", fs)
	}
	if want := []string{"", "", "www.shop.test", "", "Shop.Test"}; !slices.Equal(named, want) {
		t.Errorf("the origin was named %q, want %q", named, want)
	}
}

// TestMirror: what the browser gets is what the origin chose.
func TestMirror(t *testing.T) {
	for name, c := range map[string]struct {
		origin       func(*tls.Config)
		client       *tls.Config
		version      uint16
		alpn         string
		rsaLeaf, err bool
	}{
		"tls12":        {origin: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, version: tls.VersionTLS12},
		"h2":           {origin: func(*tls.Config) {}, client: &tls.Config{NextProtos: []string{"h2", "http/1.1"}}, version: tls.VersionTLS13, alpn: "h2"},
		"own protocol": {origin: func(c *tls.Config) { c.NextProtos = []string{"x-own"} }, client: &tls.Config{NextProtos: []string{"x-other", "x-own"}}, version: tls.VersionTLS13, alpn: "x-own"},
		"no protocol":  {client: &tls.Config{NextProtos: []string{"x-own"}}, version: tls.VersionTLS13},
		"old client":   {origin: func(*tls.Config) {}, client: &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, err: true},
		"rsa client": {origin: func(*tls.Config) {}, client: &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
			version: tls.VersionTLS12, rsaLeaf: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			if c.origin != nil {
				r.origin("shop.test", http.NotFoundHandler(), c.origin)
			} else {
				r.rawOrigin("shop.test", func(c *tls.Conn) { io.Copy(c, c) })
			}
			config := &tls.Config{}
			if c.client != nil {
				config = c.client.Clone()
			}
			config.ServerName, config.RootCAs = "shop.test", r.roots()
			conn := tls.Client(r.tunnel("shop.test:443"), config)
			err := conn.Handshake()
			if c.err {
				if err == nil || !strings.Contains(err.Error(), "protocol version") {
					t.Errorf("%v", err)
				}
				items := r.items()
				checkRecording(t, items)
				if f := fact(t, items, capture.FactRefused); f.Outcome != "old-version" || len(facts(items, capture.FactSession)) != 0 {
					t.Errorf("%+v", f)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s := conn.ConnectionState()
			if s.Version != c.version || s.NegotiatedProtocol != c.alpn || (s.PeerCertificates[0].PublicKeyAlgorithm == x509.RSA) != c.rsaLeaf {
				t.Errorf("%s %q %s", tls.VersionName(s.Version), s.NegotiatedProtocol, s.PeerCertificates[0].PublicKeyAlgorithm)
			}
			conn.Close()
			items := r.items()
			checkRecording(t, items)
			leaf := fact(t, items, capture.FactLeaf)
			if leaf.Host != "shop.test" || len(leaf.Data) != 32 || leaf.Detail != fmt.Sprintf("%x", r.Authority.Fingerprint()) {
				t.Errorf("%+v", leaf)
			}
		})
	}
}

// TestUpstreamProxy: origins are reached through another proxy, which needs a password.
func TestUpstreamProxy(t *testing.T) {
	behind := newRig(t, func(p *Proxy) { p.PassThrough = []string{"*"} })
	front := newRig(t, func(p *Proxy) {
		p.UpstreamProxy = Upstream(&url.URL{Scheme: "http", Host: behind.addr, User: url.UserPassword("user", "secret")})
		p.OriginCAs = []*x509.Certificate{behind.originCA.Certificate()}
	})
	behind.origin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { io.WriteString(w, "secure") }), nil)
	behind.plainOrigin("plain.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { io.WriteString(w, "plain") }))
	if status, text := front.getThrough("shop.test"); status != 200 || text != "secure" {
		t.Errorf("%d %q", status, text)
	}
	resp, err := front.client(false).Get("http://plain.test/")
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(resp.Body); string(b) != "plain" {
		t.Errorf("%q", b)
	}
	resp.Body.Close()
	behind.site("dead.test", deadAddr(t))
	status, text := front.getThrough("dead.test")
	if status != http.StatusBadGateway {
		t.Errorf("%d %q", status, text)
	}
	items := front.items()
	checkRecording(t, items)
	first := facts(items, capture.FactSession)[0]
	if sent := string(bytesOf(items, first.Peer, capture.Client)); !strings.HasPrefix(sent, "CONNECT shop.test:443 HTTP/1.1\r\n") || !strings.Contains(sent, "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n") {
		t.Errorf("%.200q", sent)
	}
}

func TestClientCertificate(t *testing.T) {
	r := newRig(t, func(p *Proxy) { p.ClientCerts = map[string]tls.Certificate{"shop.test": selfSigned(t, "the client")} })
	r.origin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Fprint(w, req.TLS.PeerCertificates[0].DNSNames)
	}), func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })
	if status, text := r.getThrough("shop.test"); status != 200 || text != "[the client]" {
		t.Errorf("%d %q", status, text)
	}
}

// TestNothingOfGoproxysCA: goproxy brings a CA whose private key is public. What crypto/tls
// does not check is checked elsewhere in one place, see TestNothingBadLooksGood; and
// [Proxy.AnswersQUIC] sends nothing but a handshake.
func TestNothingOfGoproxysCA(t *testing.T) {
	skipping := map[string]int{}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		source, err := os.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, never := range []string{"GoproxyCa", "TLSConfigFromCA", "MitmConnect", "ConnectMitm", "OkConnect"} {
			if bytes.Contains(source, []byte(never)) {
				t.Errorf("%s uses %s", e.Name(), never)
			}
		}
		if n := bytes.Count(source, []byte("InsecureSkipVerify")); n > 0 {
			skipping[e.Name()] = n
		}
	}
	if want := map[string]int{"origin.go": 1, "quic.go": 1}; !maps.Equal(skipping, want) {
		t.Errorf("crypto/tls checks nothing at %v, want %v", skipping, want)
	}
	r := newRig(t, nil)
	r.origin("shop.test", http.NotFoundHandler(), nil)
	c, _ := r.dialTLS("shop.test")
	for _, cert := range c.ConnectionState().PeerCertificates {
		if strings.Contains(strings.ToLower(cert.Issuer.String()+cert.Subject.String()), "goproxy") {
			t.Errorf("a certificate of %s", cert.Issuer)
		}
	}
	if err := c.ConnectionState().PeerCertificates[0].CheckSignatureFrom(r.Authority.Certificate()); err != nil {
		t.Error(err)
	}
}

func TestShutdown(t *testing.T) {
	r := newRig(t, nil)
	release, started := make(chan struct{}), make(chan struct{})
	r.origin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		close(started)
		w.(http.Flusher).Flush()
		for {
			select {
			case <-release:
				io.WriteString(w, "whole")
				return
			default:
				io.WriteString(w, "x") // at work
				w.(http.Flusher).Flush()
			}
		}
	}), nil)
	idle := r.tunnel("shop.test:443") // says nothing
	resp, err := r.client(false).Get("https://shop.test/")
	if err != nil {
		t.Fatal(err)
	}
	<-started
	done := make(chan error, 1)
	go func() { done <- r.Shutdown(context.Background()) }()
	for { // nobody is accepted any more
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			break
		}
		c.Close()
	}
	close(release)
	b, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasSuffix(string(b), "whole") {
		t.Errorf("the request under way ended with %.20q, %v", b, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(idle); err != nil {
		t.Error(err)
	}
	checkRecording(t, r.items())
}

// TestSilentConnection: who connects and says nothing is not kept for ever.
func TestSilentConnection(t *testing.T) {
	r := newRig(t, func(p *Proxy) {
		p.patience = time.Millisecond
	})
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if b, err := io.ReadAll(c); err != nil || len(b) != 0 {
		t.Errorf("%q, %v", b, err)
	}
	items := r.items()
	checkRecording(t, items)
	if f := fact(t, items, capture.FactClosed); f.Outcome != "timeout" {
		t.Errorf("%+v", f)
	}
}

// TestOpenSSL: another TLS stack, in every suite of textbook mode and without it.
func TestOpenSSL(t *testing.T) {
	for _, c := range []struct {
		textbook bool
		args     []string
		wants    string
	}{
		{false, nil, "TLSv1.3, Cipher is TLS_"},
		{false, []string{"-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"}, "Cipher is ECDHE-RSA-AES128-GCM-SHA256"},
		{true, []string{"-cipher", "AES128-SHA"}, "Cipher is AES128-SHA"},
		{true, []string{"-cipher", "AES256-SHA"}, "Cipher is AES256-SHA"},
		{true, []string{"-cipher", "AES256-GCM-SHA384"}, "Cipher is AES256-GCM-SHA384"},
		{true, nil, "TLSv1.2"},
	} {
		t.Run(fmt.Sprint(c.textbook, c.args), func(t *testing.T) {
			r := newRig(t, func(p *Proxy) { p.Textbook = c.textbook })
			r.origin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { io.WriteString(w, "served") }), func(config *tls.Config) {
				leaf, err := r.originCA.Leaf(t.Context(), ca.Spec{Names: []string{"shop.test"}, Key: ca.RSA2048})
				if err != nil {
					t.Fatal(err)
				}
				config.Certificates = []tls.Certificate{*leaf}
			})
			args := append([]string{"s_client", "-proxy", r.addr, "-connect", "shop.test:443", "-servername", "shop.test", "-CAfile", r.caFile(), "-verify_return_error", "-ign_eof"}, c.args...)
			out, errs, err := run(t, strings.NewReader("GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"), "openssl", args...)
			if err != nil || !strings.Contains(out, c.wants) || !strings.Contains(out, "served") || !strings.Contains(out, "Verify return code: 0 (ok)") {
				t.Errorf("%v\n%s\n%s", err, out, errs)
			}
			items := r.items()
			checkRecording(t, items)
			if n := len(facts(items, capture.FactEM)); (n == 1) != c.textbook {
				t.Errorf("%d padded blocks", n)
			}
			for _, leg := range []string{"browser", "origin"} {
				if out := r.tshark(`http.response.code == 200 and frame.interface_name contains "`+leg+`"`, "frame.number"); out == "" {
					t.Errorf("tshark does not open the %s's leg", leg)
				}
			}
		})
	}
}
