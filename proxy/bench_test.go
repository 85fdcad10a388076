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
	"explainer/annotate/event"
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
	kindGoproxy  = "goproxy"          // goproxy's MitmConnect with an ECDSA CA, and a CertStore
	kindMinting  = "goproxy-no-store" // the same as it comes: a new leaf for each connection
	kindFile     = "file"             // recording to a file, which nobody reads
	kindStory    = "story"            // telling the story, and keeping nothing
	kindWrite    = "write"            // recording to a file, and telling the story
	kindSSLsplit = "sslsplit"         // of Debian, with a pcap file (-X) of the content
	kindMitmdump = "mitmdump"         // of Debian, keeping nothing, bodies streamed
)

// How a child learns what to be, in its environment.
const (
	envKind    = "EXPLAINER_BENCH_PROXY"
	envOrigin  = "EXPLAINER_BENCH_ORIGIN"  // host:port of the origin
	envRoots   = "EXPLAINER_BENCH_ROOTS"   // PEM file with the origin's CA
	envProfile = "EXPLAINER_BENCH_PROFILE" // where to write a CPU profile, if anywhere

	envLoad = "EXPLAINER_BENCH_LOAD" // of BenchmarkLoad: new, small or bulk, and by how many clients: "bulk 8"
	envTime = "EXPLAINER_BENCH_TIME" // for how long
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
	Left int64         // bytes of the recording that the story leaves out
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
	finish := func() (int, int64, error) { return 0, 0, nil }
	if kind == kindGoproxy || kind == kindMinting {
		var h http.Handler
		if h, caPEM, err = bareGoproxy(kind, roots); err != nil {
			return err
		}
		go http.Serve(l, h)
	} else {
		debug.SetGCPercent(400) // as the command does while little lives
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
	told, skipped, err := finish()
	if err != nil {
		return err
	}
	return out.Encode(usage{CPU: cpuTime() - began, Late: time.Since(ended), Told: told, Left: skipped})
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
func explainerProxy(kind string, roots []byte, l net.Listener) (caPEM []byte, finish func() (told int, skipped int64, err error), err error) {
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
	if kind != kindStory {
		if f, err = os.CreateTemp(SpoolFolder(), "explainer-bench-*.pcapng"); err != nil {
			return nil, nil, err
		}
		os.Remove(f.Name()) // it lives as long as this process
	}
	var skipped atomic.Int64
	rec, err := NewRecorder(f, RecorderOptions{
		Spool:   SpoolSize,
		OnError: func(err error) { fmt.Fprintln(os.Stderr, err) },
		OnSkip:  func(n int64, _ error) { skipped.Add(n) },
	})
	if err != nil {
		return nil, nil, err
	}
	p := &Proxy{Authority: authority, Recorder: rec, OriginCAs: []*x509.Certificate{originCA}, Map: map[string]string{benchHost: os.Getenv(envOrigin)}}
	told := make(chan error, 1)
	events := 0
	if kind != kindFile {
		recording := rec.Follow()
		go func() { told <- tellStory(recording, &events) }()
	} else {
		told <- nil
	}
	go p.Serve(l)
	return authority.PEM(), func() (int, int64, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err := errors.Join(p.Shutdown(ctx), rec.Close(), <-told)
		return events, skipped.Load(), err
	}, nil
}

// tellStory tells the story of a growing recording as JSON, to nobody.
func tellStory(recording io.ReadCloser, events *int) error {
	defer recording.Close()
	out := event.NewJSON(io.Discard)
	r, err := pcap.NewReader(recording)
	if err != nil {
		return err
	}
	decoder := capture.Decoder{SecretsFirst: true} // as the command has it
	var explainer annotate.Explainer
	tell := func(es []event.Event) error {
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
	for in, err := range r.All() {
		if err != nil {
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
	target  string // of the CONNECT; "" for none
	config  *tls.Config
	child   *exec.Cmd
	stdin   io.WriteCloser
	replies *bufio.Reader
	foreign bool // the proxy is another program
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
func startLoad(b testing.TB, kind string) *load {
	origin, roots := benchOrigin(b)
	if kind == kindSSLsplit || kind == kindMitmdump {
		return startForeign(b, kind, origin)
	}
	l := &load{b: b, child: exec.Command(os.Args[0]), target: benchHost + ":443"}
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

// startForeign starts another program. What it shows is not verified: both ends are this process.
func startForeign(b testing.TB, kind, origin string) *load {
	dir := b.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	l := &load{b: b, proxy: free.Addr().String(), config: &tls.Config{ServerName: benchHost, InsecureSkipVerify: true}, foreign: true}
	free.Close()
	host, port, _ := net.SplitHostPort(l.proxy)
	originHost, originPort, _ := net.SplitHostPort(origin)
	switch kind {
	case kindSSLsplit:
		key, cert := filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem")
		out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=bench", "-keyout", key, "-out", cert).CombinedOutput()
		if err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		l.child = exec.Command("sslsplit", "-k", key, "-c", cert, "-X", filepath.Join(dir, "content.pcap"), "ssl", host, port, originHost, originPort)
	case kindMitmdump:
		l.target = origin
		l.child = exec.Command("mitmdump", "-q", "--listen-host", host, "--listen-port", port, "--set", "confdir="+dir, "--set", "ssl_insecure=true", "--set", "stream_large_bodies=64k", "--set", "connection_strategy=lazy")
	}
	l.child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := l.child.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		syscall.Kill(-l.child.Process.Pid, syscall.SIGKILL)
		l.child.Wait()
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.Dial("tcp", l.proxy)
		if err == nil {
			c.Close()
			return l
		}
		if time.Now().After(deadline) {
			b.Fatal(err)
		}
	}
}

// groupTime returns the processor time that the processes of a group have used so far (proc(5)).
func groupTime(group int) (used time.Duration) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		text, _ := os.ReadFile(name)
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) < 15 || fields[2] != strconv.Itoa(group) {
			continue
		}
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		used += time.Duration(user+system) * 10 * time.Millisecond
	}
	return used
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

// A measured is what BenchmarkLoad prints.
type measured struct {
	Load, Kind string
	Operations int64
	Seconds    float64
	CPU        float64 // seconds of the proxy, until all was told
	Late       float64 // seconds until all was told
	Left       int64   // bytes that the story leaves out
}

// measure has the workers repeat their operations for a while. Each worker calls
// begin once, outside the measure, for its operation.
func (l *load) measure(workers int, long time.Duration, begin func() (op func() error, end func(), err error)) measured {
	ops, ends := make([]func() error, workers), make([]func(), workers)
	for i := range ops {
		op, end, err := begin()
		if err == nil {
			err = op() // leaves are minted, pools filled
		}
		if err != nil {
			l.b.Fatal(err)
		}
		ops[i], ends[i] = op, end
	}
	var before time.Duration
	if l.foreign {
		before = groupTime(l.child.Process.Pid)
	} else {
		fmt.Fprintln(l.stdin)
		l.reply(nil)
	}
	var done atomic.Int64
	failed := make(chan error, workers)
	began := time.Now()
	for _, op := range ops {
		go func() {
			for time.Since(began) < long {
				if err := op(); err != nil {
					failed <- err
					return
				}
				done.Add(1)
			}
			failed <- nil
		}()
	}
	for range ops {
		if err := <-failed; err != nil {
			l.b.Error(err)
		}
	}
	m := measured{Operations: done.Load(), Seconds: time.Since(began).Seconds()}
	for _, end := range ends {
		end()
	}
	if l.foreign {
		m.CPU = (groupTime(l.child.Process.Pid) - before).Seconds()
		return m
	}
	fmt.Fprintln(l.stdin)
	var u usage
	l.reply(&u)
	m.CPU, m.Late, m.Left = u.CPU.Seconds(), u.Late.Seconds(), u.Left
	return m
}

// connect opens a connection to the origin through the proxy.
func (l *load) connect() (*tls.Conn, error) {
	c, err := net.Dial("tcp", l.proxy)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	if l.target == "" {
		t := tls.Client(c, l.config)
		return t, t.Handshake()
	}
	if _, err := io.WriteString(c, "CONNECT "+l.target+" HTTP/1.1\r\nHost: "+l.target+"\r\n\r\n"); err != nil {
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

// BenchmarkLoad is for bench/run, which says in the environment what to measure; once (-benchtime 1x).
func BenchmarkLoad(b *testing.B) {
	kind, what := os.Getenv(envKind+"_MEASURED"), os.Getenv(envLoad)
	long, err := time.ParseDuration(os.Getenv(envTime))
	if err != nil {
		b.Skip("measured by bench/run")
	}
	name, number, _ := strings.Cut(what, " ")
	workers, err := strconv.Atoi(number)
	if err != nil {
		b.Fatal(err)
	}
	l := startLoad(b, kind)
	kept := func(path string, size int64) func() (func() error, func(), error) {
		return func() (func() error, func(), error) {
			c, err := l.client()
			return func() error { return c.get(path, size) }, func() { c.Close() }, err
		}
	}
	var m measured
	switch name {
	case "new": // a new connection with one small request
		m = l.measure(workers, long, func() (func() error, func(), error) {
			return func() error {
				c, err := l.client()
				if err != nil {
					return err
				}
				defer c.Close()
				return c.get("/small", 200)
			}, func() {}, nil
		})
	case "small": // a small request on one of the kept connections
		m = l.measure(workers, long, kept("/small", 200))
	case "bulk": // a body of 16 MiB on one of the kept connections
		m = l.measure(workers, long, kept("/bulk", bulkSize))
	default:
		b.Fatal(what)
	}
	m.Load, m.Kind = what, kind
	line, _ := json.Marshal(m)
	fmt.Printf("\nmeasured %s\n", line)
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
	caPEM, finish, err := explainerProxy(kindWrite, rootsPEM, listener)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(caPEM)
	l := &load{b: t, proxy: listener.Addr().String(), target: benchHost + ":443", config: &tls.Config{ServerName: benchHost, RootCAs: pool}}
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
	if _, _, err := finish(); err != nil {
		t.Fatal(err)
	}
	sizes = append(sizes, heap()-before)
	if most := slices.Max(sizes); most > bound {
		t.Errorf("the heap grew by up to %d bytes, more than %d: %v", most, bound, sizes)
	}
}
