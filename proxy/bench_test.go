//go:build unix

package proxy

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"explainer/annotate"
	"explainer/ca"
	"explainer/capture"
	"explainer/capture/pcap"

	"github.com/elazarl/goproxy"
)

// The benchmarks measure a proxy in a process of its own, as it is really used:
// with a heap, a garbage collector and a share of the processors of its own, so
// that what it costs can be told from what its client and its origin cost. The
// load, client and origin together, is this process. Both fight for the same
// processors.
//
// The kinds of proxy. In all of them each connection of the client has exactly
// one to the origin.
const (
	kindGoproxy = "goproxy"          // goproxy's MitmConnect with an ECDSA CA, and a CertStore
	kindMinting = "goproxy-no-store" // the same as it comes: a new leaf for each connection
	kindDiscard = "discard"          // this proxy, its recording thrown away (/dev/null)
	kindFile    = "file"             // recording to a file, which nobody reads
	kindStory   = "story"            // recording to a file, and telling the story from it
)

var kinds = []string{kindGoproxy, kindMinting, kindDiscard, kindFile, kindStory}

// How a child learns what to be, in its environment.
const (
	envKind    = "EXPLAINER_BENCH_PROXY"
	envOrigin  = "EXPLAINER_BENCH_ORIGIN"  // host:port of the origin
	envRoots   = "EXPLAINER_BENCH_ROOTS"   // PEM file with the origin's CA
	envProfile = "EXPLAINER_BENCH_PROFILE" // where to write a CPU profile, if anywhere
)

const benchHost = "shop.test"

func TestMain(m *testing.M) {
	if kind := os.Getenv(envKind); kind != "" {
		if err := benchProxy(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// ready is what a child says when it listens, usage what it says when it is done.
type ready struct {
	Addr string
	CA   []byte // PEM
}

type usage struct {
	CPU  time.Duration // user and system, since the load began
	Late time.Duration // how long after the load's end the story was told to its end
	Told int           // events
}

// benchProxy is the child: a proxy that runs until its standard input says so or ends.
func benchProxy(kind string) error {
	roots, err := os.ReadFile(os.Getenv(envRoots))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var caPEM []byte
	finish := func() (int, error) { return 0, nil }
	if kind == kindGoproxy || kind == kindMinting {
		var h http.Handler
		if h, caPEM, err = bareGoproxy(kind, roots); err != nil {
			return err
		}
		go http.Serve(l, h)
	} else {
		debug.SetGCPercent(GCPercent) // as the command does
		if caPEM, finish, err = explainerProxy(kind, roots, l); err != nil {
			return err
		}
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(ready{l.Addr().String(), caPEM}); err != nil {
		return err
	}
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return nil
	}
	if name := os.Getenv(envProfile); name != "" {
		f, err := os.Create(name + "." + kind)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	began := cpuTime()
	fmt.Println() // it goes
	if _, err := in.ReadString('\n'); err != nil {
		return nil
	}
	ended := time.Now()
	told, err := finish()
	if err != nil {
		return err
	}
	return out.Encode(usage{CPU: cpuTime() - began, Late: time.Since(ended), Told: told})
}

// bareGoproxy is goproxy as its documentation sets it up to read TLS, with a CA that is not its published one.
func bareGoproxy(kind string, roots []byte) (http.Handler, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "goproxy benchmark"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	g := goproxy.NewProxyHttpServer()
	g.Logger = log.New(io.Discard, "", 0)
	if kind == kindGoproxy {
		g.CertStore = &certStore{certs: map[string]*tls.Certificate{}}
	}
	config := goproxy.TLSConfigFromCA(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf})
	g.OnRequest().HandleConnectFunc(func(host string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		// One way out for each connection: without this, goproxy's two idle
		// connections would serve all clients, or be opened again and again.
		tr := &http.Transport{
			TLSClientConfig:    &tls.Config{RootCAs: pool},
			DialContext:        dialOrigin,
			DisableCompression: true,
		}
		ctx.RoundTripper = goproxy.RoundTripperFunc(func(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
			return tr.RoundTrip(r)
		})
		return &goproxy.ConnectAction{Action: goproxy.ConnectMitm, TLSConfig: config}, host
	})
	return g, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// cpuTime returns the processor time that this process has used so far.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func dialOrigin(ctx context.Context, network, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, os.Getenv(envOrigin))
}

type certStore struct {
	mu    sync.Mutex
	certs map[string]*tls.Certificate
}

func (s *certStore) Fetch(host string, gen func() (*tls.Certificate, error)) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.certs[host]; c != nil {
		return c, nil
	}
	c, err := gen()
	if err == nil {
		s.certs[host] = c
	}
	return c, err
}

// explainerProxy is this proxy. finish ends it and its story.
func explainerProxy(kind string, roots []byte, l net.Listener) (caPEM []byte, finish func() (int, error), err error) {
	authority, err := ca.NewEphemeral("benchmark")
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(roots)
	if block == nil {
		return nil, nil, errors.New("no PEM in the origin's CA")
	}
	originCA, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, nil, err
	}
	var f *os.File
	if kind == kindDiscard {
		f, err = os.OpenFile(os.DevNull, os.O_RDWR, 0)
	} else if f, err = os.CreateTemp("", "explainer-bench-*.pcapng"); err == nil {
		os.Remove(f.Name()) // it lives as long as this process
	}
	if err != nil {
		return nil, nil, err
	}
	rec, err := NewRecorder(f, RecorderOptions{OnError: func(err error) { fmt.Fprintln(os.Stderr, err) }})
	if err != nil {
		return nil, nil, err
	}
	p := &Proxy{Authority: authority, Recorder: rec, OriginCAs: []*x509.Certificate{originCA}, Map: map[string]string{benchHost: os.Getenv(envOrigin)}}
	told := make(chan error, 1)
	events := 0
	if kind == kindStory {
		go func() { told <- tellStory(rec, &events) }()
	} else {
		told <- nil
	}
	go p.Serve(l)
	return authority.PEM(), func() (int, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err := errors.Join(p.Shutdown(ctx), rec.Close(), <-told)
		return events, err
	}, nil
}

// tellStory tells the story of a growing recording as JSON, to nobody.
func tellStory(rec *Recorder, events *int) error {
	recording := rec.Follow()
	defer recording.Close()
	out := annotate.NewJSON(io.Discard)
	r, err := pcap.NewReader(recording)
	if err != nil {
		return err
	}
	var decoder capture.Decoder
	var explainer annotate.Explainer
	tell := func(es []annotate.Event) error {
		for i := range es {
			*events++
			if err := out.Event(&es[i]); err != nil {
				return err
			}
		}
		return nil
	}
	explain := func(ms []capture.Message) error {
		for i := range ms {
			if err := tell(explainer.Explain(&ms[i])); err != nil {
				return err
			}
		}
		return nil
	}
	for {
		in, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		if err := explain(decoder.Feed(in)); err != nil {
			return err
		}
	}
	if err := errors.Join(explain(decoder.Finish()), tell(explainer.Finish())); err != nil {
		return err
	}
	return out.Finish()
}

// A load is the client and the origin of a proxy under measure.
type load struct {
	b       testing.TB
	proxy   string
	config  *tls.Config
	child   *exec.Cmd
	stdin   io.WriteCloser
	replies *bufio.Reader
}

// bulkSize is the size of the body of /bulk.
const bulkSize = 16 << 20

// benchOrigin starts the origin and returns its address and the file with its CA.
func benchOrigin(b testing.TB) (addr, roots string) {
	originCA, err := ca.NewEphemeral("benchmark origin")
	if err != nil {
		b.Fatal(err)
	}
	leaf, err := originCA.Leaf(context.Background(), ca.Spec{Names: []string{benchHost}})
	if err != nil {
		b.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*leaf}, SessionTicketsDisabled: true})
	if err != nil {
		b.Fatal(err)
	}
	small, part := []byte(strings.Repeat("0123456789", 20)), make([]byte, 256<<10)
	for i := range part {
		part[i] = byte(i * 7)
	}
	s := &http.Server{ErrorLog: discardLog, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		if r.URL.Path != "/bulk" {
			w.Header().Set("Content-Length", strconv.Itoa(len(small)))
			w.Write(small)
			return
		}
		size, err := strconv.ParseInt(r.URL.RawQuery, 10, 64)
		if err != nil {
			size = bulkSize
		}
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		for ; size > 0; size -= int64(len(part)) {
			if _, err := w.Write(part[:min(size, int64(len(part)))]); err != nil {
				return
			}
		}
	})}
	go s.Serve(l)
	b.Cleanup(func() { s.Close() })
	roots = filepath.Join(b.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, originCA.PEM(), 0o600); err != nil {
		b.Fatal(err)
	}
	return l.Addr().String(), roots
}

// startLoad starts a proxy of the kind as a child, and what it needs.
func startLoad(b *testing.B, kind string) *load {
	origin, roots := benchOrigin(b)
	l := &load{b: b, child: exec.Command(os.Args[0])}
	l.child.Env = append(os.Environ(), envKind+"="+kind, envOrigin+"="+origin, envRoots+"="+roots)
	l.child.Stderr = os.Stderr
	var err error
	if l.stdin, err = l.child.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	stdout, err := l.child.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := l.child.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		l.stdin.Close() // the child ends by itself
		l.child.Wait()
	})
	l.replies = bufio.NewReader(stdout)
	var r ready
	l.reply(&r)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(r.CA)
	l.proxy, l.config = r.Addr, &tls.Config{ServerName: benchHost, RootCAs: pool}
	return l
}

func (l *load) reply(to any) {
	line, err := l.replies.ReadBytes('\n')
	if err == nil && to != nil {
		err = json.Unmarshal(line, to)
	}
	if err != nil {
		l.b.Fatal("the proxy: ", err)
	}
}

// measure spreads b.N operations over the workers and reports what they cost.
// Each worker calls begin once, outside the measure, for its operation.
func (l *load) measure(b *testing.B, workers int, begin func() (op func() error, end func(), err error)) {
	ops, ends := make([]func() error, workers), make([]func(), workers)
	for i := range ops {
		op, end, err := begin()
		if err == nil {
			err = op() // leaves are minted, pools filled
		}
		if err != nil {
			b.Fatal(err)
		}
		ops[i], ends[i] = op, end
	}
	fmt.Fprintln(l.stdin)
	l.reply(nil)
	var left atomic.Int64
	left.Store(int64(b.N))
	failed := make(chan error, workers)
	b.ResetTimer()
	for _, op := range ops {
		go func() {
			for left.Add(-1) >= 0 {
				if err := op(); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range ops {
		if err := <-failed; err != nil {
			b.Error(err)
		}
	}
	b.StopTimer()
	for _, end := range ends {
		end()
	}
	fmt.Fprintln(l.stdin)
	var u usage
	l.reply(&u)
	b.ReportMetric(float64(u.CPU.Nanoseconds())/float64(b.N), "proxy-cpu-ns/op")
	if u.Told > 0 {
		b.ReportMetric(float64(u.Late.Milliseconds()), "late-ms")
		b.ReportMetric(float64(u.Told)/float64(b.N), "events/op")
	}
}

// connect opens a connection to the origin through the proxy.
func (l *load) connect() (*tls.Conn, error) {
	c, err := net.Dial("tcp", l.proxy)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, "CONNECT "+benchHost+":443 HTTP/1.1\r\nHost: "+benchHost+":443\r\n\r\n"); err != nil {
		return nil, err
	}
	var buf [256]byte
	n := 0
	for !strings.HasSuffix(string(buf[:n]), "\r\n\r\n") {
		k, err := c.Read(buf[n:])
		if err != nil {
			return nil, err
		}
		n += k
	}
	if !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 200 ") {
		return nil, fmt.Errorf("CONNECT: %q", buf[:n])
	}
	t := tls.Client(c, l.config)
	return t, t.Handshake()
}

// A client keeps a connection and its buffers.
type benchClient struct {
	*tls.Conn
	in *bufio.Reader
}

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// get makes a request and reads the answer, which must have size bytes.
func (c benchClient) get(path string, size int64) error {
	c.SetDeadline(time.Now().Add(time.Minute))
	const headers = " HTTP/1.1\r\nHost: " + benchHost + "\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\nAccept-Language: en-GB,en;q=0.5\r\nCookie: session=0123456789abcdef\r\n\r\n"
	if _, err := io.WriteString(c, "GET "+path+headers); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, *buf)
	if err == nil && (resp.StatusCode != 200 || n != size) {
		err = fmt.Errorf("%s with %d bytes, want %d", resp.Status, n, size)
	}
	return err
}

func (l *load) client() (benchClient, error) {
	c, err := l.connect()
	return benchClient{c, bufio.NewReaderSize(c, 32<<10)}, err
}

func eachKind(b *testing.B, f func(*testing.B, *load)) {
	for _, kind := range kinds {
		b.Run(kind, func(b *testing.B) { f(b, startLoad(b, kind)) })
	}
}

// BenchmarkHandshakes: an operation is a new connection with one small request.
func BenchmarkHandshakes(b *testing.B) {
	eachKind(b, func(b *testing.B, l *load) {
		l.measure(b, 8, func() (func() error, func(), error) {
			return func() error {
				c, err := l.client()
				if err != nil {
					return err
				}
				defer c.Close()
				return c.get("/small", 200)
			}, func() {}, nil
		})
	})
}

// BenchmarkRequests: an operation is a small request on one of 16 kept connections.
func BenchmarkRequests(b *testing.B) {
	eachKind(b, func(b *testing.B, l *load) {
		l.measure(b, 16, func() (func() error, func(), error) {
			c, err := l.client()
			return func() error { return c.get("/small", 200) }, func() { c.Close() }, err
		})
	})
}

// BenchmarkBulk: an operation is a body of 16 MiB, on one of two kept connections.
func BenchmarkBulk(b *testing.B) {
	eachKind(b, func(b *testing.B, l *load) {
		b.SetBytes(bulkSize)
		l.measure(b, 2, func() (func() error, func(), error) {
			c, err := l.client()
			return func() error { return c.get("/bulk", bulkSize) }, func() { c.Close() }, err
		})
	})
}

// TestHeapIsBounded: a body of any length, recorded and told, costs no memory that grows with it.
func TestHeapIsBounded(t *testing.T) {
	const size, parts, bound = 256 << 20, 8, 64 << 20
	origin, roots := benchOrigin(t)
	t.Setenv(envOrigin, origin)
	rootsPEM, err := os.ReadFile(roots)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	caPEM, finish, err := explainerProxy(kindStory, rootsPEM, listener)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(caPEM)
	l := &load{b: t, proxy: listener.Addr().String(), config: &tls.Config{ServerName: benchHost, RootCAs: pool}}
	c, err := l.client()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.get("/small", 200); err != nil {
		t.Fatal(err)
	}
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	fmt.Fprintf(c, "GET /bulk?%d HTTP/1.1\r\nHost: %s\r\n\r\n", size, benchHost)
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int64
	for range parts {
		if _, err := io.CopyN(io.Discard, resp.Body, size/parts); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, heap()-before)
	}
	if n, err := io.Copy(io.Discard, resp.Body); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	c.Close()
	if _, err := finish(); err != nil {
		t.Fatal(err)
	}
	sizes = append(sizes, heap()-before)
	if most := slices.Max(sizes); most > bound {
		t.Errorf("the heap grew by up to %d bytes, more than %d: %v", most, bound, sizes)
	}
}
