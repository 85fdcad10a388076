// Package proxy is every live socket of explainer: it takes connections from
// browsers, opens their own to the origins, and records both byte for byte.
//
// It never explains what passes. That is read from the recording, in which the
// proxy notes as facts what no packet shows.
package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"explainer/annotate/words"
	"explainer/ca"
	"explainer/ca/roots"
	"explainer/ca/verify"
	"explainer/capture"
	"explainer/capture/web"

	"github.com/elazarl/goproxy"
)

const (
	// handshakeTime bounds each of the browser's parts of a handshake: its
	// ClientHello, and what follows the proxy's answer to it.
	handshakeTime = 15 * time.Second
	// silenceTime is how long a client may say nothing after CONNECT before its
	// origin is called: it may wait for the server to speak first.
	silenceTime = time.Second
	// requestTime is how long a connection may take to its first whole request head.
	requestTime = 2 * time.Minute
	// drainTime bounds how long Shutdown waits for connections that are at work,
	// restTime how long one must have rested to be closed at once, and endTime how
	// long all may take to end that were closed, which is long on a busy machine alone.
	drainTime = 3 * time.Second
	restTime  = time.Second
	endTime   = 10 * time.Second
)

// A Proxy is an intercepting HTTP proxy. Its fields must be set before Serve is
// first called and not be changed afterwards; Authority and Recorder are required.
type Proxy struct {
	Authority   *ca.Authority
	Stored      *x509.Certificate          // of the CA of this user's other runs, where this one has its own; may be nil. Origins that it vouches for are refused too
	Recorder    *Recorder                  // the caller closes it, after Shutdown
	Textbook    bool                       // browsers get TLS 1.2 with RSA key transport and http/1.1, nothing else
	PassThrough []string                   // patterns (path.Match) of hosts whose connections are not decrypted
	Map         map[string]string          // "host" or "host:port", or a pattern of these, in lower case, to the address to connect to in its place
	OriginCAs   []*x509.Certificate        // roots that origins may have besides the system's
	ClientCerts map[string]tls.Certificate // by host, in lower case: what to show to an origin that asks
	// UpstreamProxy, if not nil, returns for the URL of an origin the proxy through
	// which it is reached, of a kind in [UpstreamKinds], or nil. The scheme of that URL
	// is http for requests in clear, and https for tunnels, whatever they carry.
	UpstreamProxy func(*url.URL) *url.URL
	// BlockBadOrigins answers in the place of an origin whose certificate is not
	// good; else clients are shown an equally bad one where that can be made.
	BlockBadOrigins bool
	// TunnelUnsupported passes a connection on as it is where the origin takes the
	// client's own hello and not the proxy's; else the client gets a page.
	TunnelUnsupported bool
	// RefuseLocal refuses requests of web pages for services of this machine or its private network, and
	// connections to names that lead there as those of a page's own might; what is not opened cannot be read for it.
	RefuseLocal bool
	// Observe, if not nil, has all tunnels passed on as they are, and recorded with
	// the keys that the client itself logs. The caller closes it between Shutdown and the Recorder's end.
	Observe *Observer
	Sites   *Sites       // may be nil
	Access  *Access      // who may use it; nil: whoever reaches it
	Log     *slog.Logger // may be nil
	// Language is that of what the proxy itself says to clients that ask for none that there is; English if empty.
	Language words.Language
	// Cases, if not nil, is asked about every client that starts TLS, before
	// PassThrough is looked at: what to show it in place of the origin, if anything.
	Cases func(Asking) (Case, bool)

	setup     sync.Once
	announced sync.Once
	goproxy   *goproxy.ProxyHttpServer
	roots     *x509.CertPool
	trusted   *verify.Roots // the same, for package verify
	judged    judged
	silence   time.Duration // silenceTime
	patience  time.Duration // requestTime
	resolver  *net.Resolver // nil: the system's

	mu       sync.Mutex
	own      []netip.AddrPort // where the proxy itself listens
	listens  []net.Listener
	accepted int
	overQUIC atomic.Int64 // of accepted
	legs     map[*leg]struct{}
	fronts   []*front
	stopping bool
	sessions sync.WaitGroup
	places   web.Places // where names led, with RefuseLocal
}

func (p *Proxy) init() {
	p.legs = map[*leg]struct{}{}
	if p.silence == 0 {
		p.silence = silenceTime
	}
	if p.patience == 0 {
		p.patience = requestTime
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if p.roots, err = x509.SystemCertPool(); err != nil {
		p.Log.Warn("the system's roots cannot be read", "error", err)
		p.roots = x509.NewCertPool()
	}
	if p.trusted, err = roots.System("the roots of this machine"); err != nil {
		p.Log.Warn("the system's roots cannot be read", "error", err)
		p.trusted = verify.NewRoots("the roots given to the proxy")
	}
	for _, root := range p.OriginCAs {
		if !p.isOwn(root) {
			p.roots.AddCert(root)
			p.trusted.Add(root.Raw)
		}
	}
	g := goproxy.NewProxyHttpServer()
	g.Logger = log.New(logLines{p.Log}, "", 0)
	// Its own ways out would take a proxy from the environment, and verify nothing.
	g.Tr, g.ConnectDial = nil, nil
	g.KeepAcceptEncoding = true
	g.PreventCanonicalization = true
	g.NonproxyHandler = http.HandlerFunc(p.serveDirect)
	g.OnRequest().HandleConnectFunc(func(host string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		return &goproxy.ConnectAction{Action: goproxy.ConnectHijack, Hijack: p.connect}, host
	})
	g.OnRequest().DoFunc(p.plainRequest)
	p.goproxy = g
}

// announce records the roots that no machine's store has: the story checks certificates again.
func (p *Proxy) announce() {
	for _, own := range p.ownCAs() {
		p.Recorder.Fact(capture.Fact{Kind: capture.FactRoot, Addr: "own-ca", Data: own.Raw})
	}
	if p.Sites != nil {
		p.Recorder.Fact(capture.Fact{Kind: capture.FactRoot, Addr: "built-in", Data: p.Sites.root})
	}
	for _, root := range p.OriginCAs {
		if !p.isOwn(root) {
			p.Recorder.Fact(capture.Fact{Kind: capture.FactRoot, Addr: "file", Data: root.Raw})
		}
	}
}

// logLines gives what other packages log to our log, line by line.
type logLines struct{ log *slog.Logger }

func (l logLines) Write(line []byte) (int, error) {
	l.log.Debug(string(bytes.TrimSpace(line)))
	return len(line), nil
}

type tapKey struct{}

// tapOf returns the browser's connection that brought the request.
func tapOf(r *http.Request) *Tap {
	t, _ := r.Context().Value(tapKey{}).(*Tap)
	return t
}

// ownCAs are the CAs that vouch for this proxy, or for another run of it, and for nobody else.
func (p *Proxy) ownCAs() []*x509.Certificate {
	own := []*x509.Certificate{p.Authority.Certificate()}
	if p.Stored != nil && !p.Stored.Equal(own[0]) {
		own = append(own, p.Stored)
	}
	return own
}

// isOwn reports whether the certificate has the key of one of the proxy's own CAs.
func (p *Proxy) isOwn(c *x509.Certificate) bool {
	return slices.ContainsFunc(p.ownCAs(), func(own *x509.Certificate) bool {
		return bytes.Equal(c.RawSubjectPublicKeyInfo, own.RawSubjectPublicKeyInfo)
	})
}

// Serve accepts connections on l, of TCP, until Shutdown; then it returns nil.
func (p *Proxy) Serve(l net.Listener) error {
	p.setup.Do(p.init)
	p.announced.Do(p.announce)
	own := addrPort(l.Addr())
	if !own.IsValid() {
		return fmt.Errorf("serve on %s: not a TCP address", l.Addr())
	}
	p.mu.Lock()
	if p.stopping {
		p.mu.Unlock()
		return l.Close()
	}
	p.own, p.listens = append(p.own, own), append(p.listens, l)
	p.mu.Unlock()
	defer func() { // somebody else may get the port
		l.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		if i := slices.Index(p.listens, l); i >= 0 {
			p.own, p.listens = slices.Delete(p.own, i, i+1), slices.Delete(p.listens, i, i+1)
		}
	}()
	wait := time.Duration(0)
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			wait = 0
			t := p.tap(c.(*net.TCPConn), capture.LegBrowser, "")
			if !p.begin() {
				t.endedBy("proxy-shutdown", "")
				t.Close()
				return nil
			}
			go p.servePlain(t)
		case p.isStopping():
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept connections on %s: %w", l.Addr(), err)
		default: // such as too many open files, which pass
			if wait == 0 {
				p.Log.Warn("a connection could not be accepted", "error", err)
			}
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			time.Sleep(wait)
		}
	}
}

func (p *Proxy) isStopping() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopping
}

// Connections returns how many connections clients have opened so far.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// ConnectionsOfQUIC returns how many of these began at a front; see [Proxy.QUIC].
func (p *Proxy) ConnectionsOfQUIC() int { return int(p.overQUIC.Load()) }

// tap begins the recording of a connection and remembers it until it is closed.
func (p *Proxy) tap(c *net.TCPConn, of capture.Leg, name string) *Tap {
	t := newTap(p.Recorder, c, of, name)
	p.remember(t.leg)
	return t
}

// remember keeps a connection in mind until it is closed, for Shutdown.
func (p *Proxy) remember(l *leg) {
	p.mu.Lock()
	p.legs[l] = struct{}{}
	if l.peer == capture.Client {
		p.accepted++
	}
	stopping := p.stopping
	p.mu.Unlock()
	l.atClose(func() {
		p.mu.Lock()
		delete(p.legs, l)
		p.mu.Unlock()
	})
	if stopping && l.peer == capture.Server {
		l.endedBy("proxy-shutdown", "")
		l.close()
	}
}

// Shutdown stops accepting, closes connections that rest, gives the others a
// few seconds (and no more than ctx has) to end, and then closes them too. When it
// returns nil, the recording has the end of every connection.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.setup.Do(p.init)
	p.mu.Lock()
	p.stopping = true
	for _, l := range p.listens {
		l.Close()
	}
	fronts := p.fronts
	p.mu.Unlock()
	p.closeLegs(time.Now().Add(-restTime))
	drain, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for p.closeLegs(time.Now().Add(-restTime)) > 0 && drain.Err() == nil {
		select {
		case <-tick.C:
		case <-drain.Done():
		}
	}
	p.closeLegs(time.Now().Add(time.Hour))
	ended := make(chan struct{})
	go func() {
		p.sessions.Wait()
		close(ended)
	}()
	for _, f := range fronts {
		f.shut()
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	case <-time.After(endTime):
	}
	return errors.New("some connections did not end in time")
}

// closeLegs closes the sessions that have rested since the time given, and returns how many connections are left.
func (p *Proxy) closeLegs(since time.Time) int {
	p.mu.Lock()
	all := make([]*leg, 0, len(p.legs))
	for l := range p.legs {
		all = append(all, l)
	}
	p.mu.Unlock()
	left := 0
	for _, l := range all {
		other := l.other()
		active := l.active.Load()
		if other != nil {
			active = max(active, other.active.Load())
		}
		if active > since.UnixNano() {
			left++
			continue
		}
		l.endedBy("proxy-shutdown", "")
		if other != nil {
			other.endedBy("proxy-shutdown", "")
		}
		l.hangUp()
	}
	return left
}

// dispatch gives a request to goproxy, but for a CONNECT that leads nowhere.
func (p *Proxy) dispatch(w http.ResponseWriter, r *http.Request) {
	if !p.admits(w, r) {
		return
	}
	if r.Method != http.MethodConnect {
		p.goproxy.ServeHTTP(w, r)
		return
	}
	t := tapOf(r)
	to, err := parseTarget(r.RequestURI)
	if err != nil {
		p.answer(w, r, t, http.StatusBadRequest, page{
			Title:  words.Piece("page/no-address-title"),
			Lead:   words.Piece("page/no-address", "target", strconv.Quote(r.RequestURI)),
			Advice: words.Piece("page/no-address-advice"),
		}, "the CONNECT target is no host:port")
		return
	}
	if p.isLoop(r.Context(), to) {
		p.Recorder.Fact(capture.Fact{Kind: capture.FactDialFailed, Conn: t.number(), Host: to.String(), Outcome: "loop"})
		p.answer(w, r, t, http.StatusBadGateway, failurePage(&originError{Host: to.String(), ID: "loop"}), "loop")
		return
	}
	p.goproxy.ServeHTTP(w, r)
}

// connect is what goproxy calls with the connection of a CONNECT request.
func (p *Proxy) connect(r *http.Request, _ net.Conn, _ *goproxy.ProxyCtx) {
	t := tapOf(r)
	to, err := parseTarget(r.RequestURI)
	if err != nil {
		t.Close()
		return
	}
	// The server's goroutine, with its buffers, is not needed for the tunnel.
	if !p.begin() {
		t.endedBy("proxy-shutdown", "")
		t.Close()
		return
	}
	go func() {
		defer p.sessions.Done()
		p.tunnel(t, to)
	}()
}

// begin counts a session, unless Shutdown has begun.
func (p *Proxy) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		return false
	}
	p.sessions.Add(1)
	return true
}

// A target is what a client asks for.
type target struct {
	host string // in lower case, without brackets or a dot at the end
	port uint16
}

func (t target) String() string { return net.JoinHostPort(t.host, strconv.Itoa(int(t.port))) }

// parseTarget reads host:port.
func parseTarget(s string) (target, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return target{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return target{}, fmt.Errorf("port %q", port)
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" || len(host) > 253 || strings.ContainsFunc(host, func(c rune) bool {
		return c <= ' ' || c == 0x7f || strings.ContainsRune(`/\?#@"<>[]`, c)
	}) {
		return target{}, fmt.Errorf("host %q", host)
	}
	return target{host, uint16(n)}, nil
}

// matches reports whether a pattern (path.Match), in lower case, is for the target's host, or for its host and port.
func (t target) matches(glob string) bool {
	if m, _ := path.Match(glob, t.host); m {
		return true
	}
	m, _ := path.Match(glob, t.String())
	return m
}

// passThrough returns the pattern that asks not to decrypt what goes to host.
func (p *Proxy) passThrough(host string, port uint16) (pattern string, ok bool) {
	to := target{strings.ToLower(strings.TrimSuffix(host, ".")), port}
	for _, pattern := range p.PassThrough {
		if to.matches(strings.ToLower(pattern)) {
			return pattern, true
		}
	}
	return "", false
}

// discardLog is for HTTP servers whose complaints the recording tells better.
var discardLog = log.New(io.Discard, "", 0)
