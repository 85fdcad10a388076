package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"explainer/ca"
	"explainer/capture"
)

// A rig is a running proxy, with a CA for origins that it trusts.
type rig struct {
	*Proxy
	t         *testing.T
	addr      string // where it listens
	originCA  *ca.Authority
	recording *os.File
	closed    bool
	mu        *sync.Mutex // what a test does to the proxy happens before the next connection
}

// ordered is a listener whose connections come after what was done under mu.
type ordered struct {
	net.Listener
	mu *sync.Mutex
}

func (l ordered) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	l.mu.Lock()
	defer l.mu.Unlock()
	return c, err
}

// newRig starts a proxy; change sets its fields.
func newRig(t *testing.T, change func(*Proxy)) *rig {
	t.Helper()
	authority, err := ca.NewEphemeral("proxy test")
	if err != nil {
		t.Fatal(err)
	}
	originCA, err := ca.NewEphemeral("origin test")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "recording.pcapng"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Authority: authority, OriginCAs: []*x509.Certificate{originCA.Certificate()}, Map: map[string]string{}}
	if change != nil {
		change(p)
	}
	if p.Recorder == nil {
		if p.Recorder, err = NewRecorder(f, RecorderOptions{Version: "test", Textbook: p.Textbook, OnError: func(err error) { t.Error(err) }}); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	mu := &sync.Mutex{}
	go func() { served <- p.Serve(ordered{l, mu}) }()
	r := &rig{Proxy: p, t: t, mu: mu, addr: l.Addr().String(), originCA: originCA, recording: f}
	t.Cleanup(func() {
		r.finish()
		if err := <-served; err != nil {
			t.Error(err)
		}
		f.Close()
	})
	return r
}

// finish shuts the proxy down and completes the recording.
func (r *rig) finish() {
	r.t.Helper()
	if r.closed {
		return
	}
	r.closed = true
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.Shutdown(ctx); err != nil {
		r.t.Error(err)
	}
	if err := r.Recorder.Close(); err != nil {
		r.t.Error(err)
	}
}

// site makes the proxy know an origin under host:443.
func (r *rig) site(host, addr string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Map[host] = addr
}

// originConfig returns what a TLS origin for the names needs.
func (r *rig) originConfig(names ...string) *tls.Config {
	r.t.Helper()
	leaf, err := r.originCA.Leaf(context.Background(), ca.Spec{Names: names})
	if err != nil {
		r.t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{*leaf}}
}

// origin starts an HTTPS server (h2 and http/1.1) for host.
func (r *rig) origin(host string, h http.Handler, change func(*tls.Config)) *httptest.Server {
	r.t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.TLS = r.originConfig(host)
	if change != nil {
		change(s.TLS)
	}
	s.Config.ErrorLog = discardLog
	s.StartTLS()
	r.t.Cleanup(s.Close)
	r.site(host, s.Listener.Addr().String())
	return s
}

// roots holds the proxy's CA.
func (r *rig) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(r.Authority.Certificate())
	return pool
}

// client is a Go client that uses the proxy and trusts its CA.
func (r *rig) client(h2 bool) *http.Client {
	tr := &http.Transport{
		Proxy:             http.ProxyURL(&url.URL{Scheme: "http", Host: r.addr}),
		TLSClientConfig:   &tls.Config{RootCAs: r.roots()},
		ForceAttemptHTTP2: h2,
	}
	r.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

// caFile is the proxy's CA for programs that want a file.
func (r *rig) caFile() string {
	name := filepath.Join(r.t.TempDir(), "ca.pem")
	if err := os.WriteFile(name, r.Authority.PEM(), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return name
}

// tunnel opens a connection through the proxy and asks for the host.
func (r *rig) tunnel(hostport string) *net.TCPConn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", hostport, hostport)
	head := readHead(r.t, c)
	if !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		r.t.Fatalf("CONNECT %s: %q", hostport, head)
	}
	return c.(*net.TCPConn)
}

// readHead reads up to an empty line, and not a byte more.
func readHead(t *testing.T, r io.Reader) string {
	t.Helper()
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b[0]) {
		if _, err := io.ReadFull(r, b); err != nil {
			t.Fatalf("after %q: %v", head, err)
		}
	}
	return string(head)
}

// run runs a program and returns what it printed.
func run(t *testing.T, stdin io.Reader, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errOut
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	err = cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatalf("this test needs %s: %v", name, err)
	}
	return out.String(), errOut.String(), err
}

func TestCurl(t *testing.T) {
	r := newRig(t, nil)
	r.origin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Fprintf(w, "hello over %s", req.Proto)
	}), nil)
	for flag, want := range map[string]string{"--http1.1": "hello over HTTP/1.1", "--http2": "hello over HTTP/2.0"} {
		for _, max := range []string{"1.2", "1.3"} {
			out, errs, err := run(t, nil, "curl", "-sS", flag, "--tls-max", max, "-x", "http://"+r.addr, "--cacert", r.caFile(), "https://shop.test/")
			if err != nil || out != want {
				t.Errorf("curl %s --tls-max %s: %q, %v: %s", flag, max, out, err, errs)
			}
		}
	}
	for _, leg := range []string{"browser", "origin"} {
		out := r.tshark(`(http.response or http2.headers.status) and frame.interface_name contains "`+leg+`"`, "http.response.code", "http2.headers.status")
		if n := strings.Count(out, "200"); n < 4 {
			t.Errorf("tshark opens %d responses of the %s's leg, want 4:\n%s", n, leg, out)
		}
	}
	items := r.items()
	checkRecording(t, items)
	if n := len(facts(items, capture.FactSession)); n != 4 {
		t.Errorf("%d sessions, want 4", n)
	}
	for _, f := range facts(items, capture.FactOriginVerified) {
		if f.Outcome != "ok" || f.Host != "shop.test" || f.Addr != "system+file" {
			t.Errorf("%+v", f)
		}
	}
	for _, f := range facts(items, capture.FactClosed) {
		if f.Outcome != "client" || f.Peer == 0 {
			t.Errorf("%+v", f)
		}
	}
}

// TestLoopForgetsPorts: a port at which the proxy no longer listens may be somebody else's.
func TestLoopForgetsPorts(t *testing.T) {
	r := newRig(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := target{host: "127.0.0.1", port: addrPort(l.Addr()).Port()}
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(l) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/") // when it answers, it is served
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if !r.isLoop(t.Context(), to) {
		t.Error("its own port is not known")
	}
	l.Close()
	<-ended
	if r.isLoop(t.Context(), to) {
		t.Error("a port that it has given up is still its own")
	}
}

// TestMapped: what names a host exactly comes first, then the longest pattern.
func TestMapped(t *testing.T) {
	p := &Proxy{Map: map[string]string{"shop.test": "exact", "shop.test:8443": "port", "*.test": "wide", "*.lab.test": "narrow", "*.lab.test:444": "narrow, port", "[::1]:443": "six"}}
	for asked, want := range map[string]string{
		"shop.test:443": "exact", "shop.test:8443": "port", "a.test:443": "wide", "a.lab.test:443": "narrow", "a.b.lab.test:443": "narrow", "a.lab.test:444": "narrow, port",
		"lab.example:443": "", "test:443": "", "[::1]:443": "six",
	} {
		to, err := parseTarget(asked)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.mapped(to); got != want {
			t.Errorf("%s: %q, want %q", asked, got, want)
		}
	}
}
