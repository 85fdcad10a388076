package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"explainer/annotate/event"
	"explainer/ca/verify"
	"explainer/capture"
	"explainer/capture/handshake"
)

// dialTime bounds the look-up of an origin's name and the opening of the connection,
// and once more the TLS handshake with it.
const dialTime = 10 * time.Second

// An originError is why there is no origin to talk to.
type originError struct {
	ID      string     // permanent: names the explanation in pages.go
	Host    string     // host:port, or the name that was verified
	Addr    string     // what was really called, if known
	Detail  event.Text // the system's words, or ours
	Certs   []*x509.Certificate
	Missing string   // who vouches for the chain's last certificate, where that is nobody who is known here
	Found   []string // of a certificate: all that is wrong, by the names that package verify and [ca.Faults] share

	mayWant  bool          // the origin may want what the proxy does not offer
	lacking  []string      // what the client offers and the proxy cannot
	replayed *capture.Fact // what came of the client's own hello, if the origin was sent it

	failures   []verify.Check
	mirror     []string // the faults with which a leaf is as bad; nil where there is no such leaf
	unasked    bool     // there are none, because the client asked for no OCSP response and all is wrong with that
	unmirrored bool     // such a leaf was wanted, and there is none
}

// status is that of the page that says so.
func (e *originError) status() int {
	if e.ID == "near" || e.ID == "near-name" {
		return http.StatusForbidden
	}
	return http.StatusBadGateway
}

func (e *originError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Host, e.ID, e.Detail.English)
}

// errLoop is a connection to the proxy itself, or to another listener of this process.
var errLoop = said("detail/loop", nil)

// NotThrough tells the proxy of an address of this process that is not reached through it:
// what would be told there of the request would be another one.
func (p *Proxy) NotThrough(addr net.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own = append(p.own, addrPort(addr))
}

// isLoop reports whether the target is the proxy itself, under any name or spelling.
func (p *Proxy) isLoop(ctx context.Context, to target) bool {
	p.mu.Lock()
	same := false
	for _, own := range p.own {
		same = same || own.Port() == to.port
	}
	p.mu.Unlock()
	if !same || p.isSite(to) || p.mapped(to) != "" || p.upstream("https", to) != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", to.host)
	if err != nil {
		return false
	}
	for _, ip := range ips {
		if p.isSelf(netip.AddrPortFrom(ip, to.port)) {
			return true
		}
	}
	return false
}

// isSelf reports whether a connection to addr would come back to the proxy.
func (p *Proxy) isSelf(addr netip.AddrPort) bool {
	ip := addr.Addr().Unmap().WithZone("")
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, own := range p.own {
		switch {
		case own.Port() != addr.Port():
		case own.Addr() == ip, ip.IsUnspecified(), ip.IsLoopback() && own.Addr().IsLoopback():
			return true
		case own.Addr().IsUnspecified():
			if ip.IsLoopback() {
				return true
			}
			local, _ := net.InterfaceAddrs()
			for _, a := range local {
				if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().WithZone("") == ip {
					return true
				}
			}
		}
	}
	return false
}

// isSite reports whether the target's name is one of the built-in sites', whether there is such a site or not.
func (p *Proxy) isSite(to target) bool {
	return to.host == siteDomain || strings.HasSuffix(to.host, "."+siteDomain)
}

// site returns the built-in site that is the target.
func (p *Proxy) site(to target) (Site, bool) {
	if p.Sites == nil {
		return Site{}, false
	}
	site, ok, _ := p.Sites.Lookup(to.host, int(to.port))
	return site, ok
}

// mapped returns where Map sends the target, or "". What names it exactly comes before
// patterns, and of these the longest counts.
func (p *Proxy) mapped(to target) string {
	for _, name := range []string{to.String(), to.host} {
		if addr, ok := p.Map[name]; ok {
			return addr
		}
	}
	best := ""
	for glob := range p.Map {
		if (len(glob) > len(best) || len(glob) == len(best) && glob < best) && to.matches(glob) {
			best = glob
		}
	}
	return p.Map[best]
}

// dial opens the origin's connection for what came on t. site is not zero
// where that is a built-in site. plain is for requests in clear:
// they need no tunnel through the upstream proxy, and several origins may share t.
func (p *Proxy) dial(ctx context.Context, t *Tap, to target, plain bool) (o *Tap, site Site, fail *originError) {
	addr, name := to.String(), to.host
	scheme := "https"
	if plain {
		scheme = "http"
	}
	upstream := p.upstream(scheme, to)
	direct := upstream == nil // so that the address of the name that the client gave is called
	if upstream != nil && plain && !isSOCKS(upstream) {
		upstream = nil // whoever asks calls the upstream proxy itself
	}
	switch {
	case p.isSite(to):
		found := false
		site, found = p.site(to)
		addr = site.Addr
		if !found {
			p.Recorder.Fact(capture.Fact{Kind: capture.FactLookupFailed, Conn: t.number(), Host: to.String(), Detail: noSite(to.host).English})
			return nil, site, &originError{ID: "no-such-site", Host: to.String(), Detail: noSite(to.host)}
		}
	case p.mapped(to) != "":
		addr = p.mapped(to)
	case upstream != nil:
		name, addr = upstream.Hostname(), upstreamAddr(upstream)
	}
	if _, err := netip.ParseAddr(name); err == nil {
		name = ""
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	dialer := net.Dialer{Resolver: p.resolver, ControlContext: func(_ context.Context, _, addr string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(addr)
		switch {
		case err != nil:
		case p.isSelf(a):
			return errLoop
		case direct && p.misleads(to, a.Addr()):
			return errNear
		}
		return nil
	}}
	c, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil && upstream != nil && !errors.Is(err, context.Canceled) {
		err = said("detail/upstream-unreachable", err)
		p.Recorder.Fact(capture.Fact{Kind: capture.FactDialFailed, Conn: t.number(), Host: to.String(), Addr: addr, Outcome: "other", Detail: err.Error()})
		return nil, site, &originError{ID: "upstream", Host: to.String(), Addr: addr, Detail: detailOf(err)}
	}
	if err != nil {
		return nil, site, p.dialFailed(t.leg, to, addr, err)
	}
	o = p.tap(c.(*net.TCPConn), capture.LegOrigin, name)
	o.belong(t.leg)
	if direct {
		p.led(to, o)
	}
	if !plain {
		t.belong(o.leg)
	}
	if upstream != nil {
		if err := p.connectUpstream(ctx, o, upstream, to); err != nil {
			o.endedBy("proxy", err.Error())
			o.Close()
			p.Recorder.Fact(capture.Fact{Kind: capture.FactDialFailed, Conn: t.number(), Peer: o.number(), Host: to.String(), Addr: addr, Outcome: "other", Detail: err.Error()})
			return nil, site, &originError{ID: "upstream", Host: to.String(), Addr: addr, Detail: detailOf(err)}
		}
	}
	return o, site, nil
}

// dialFailed tells why there is no connection.
func (p *Proxy) dialFailed(t *leg, to target, addr string, err error) *originError {
	fail := &originError{Host: to.String(), Detail: detailOf(err)}
	f := capture.Fact{Kind: capture.FactDialFailed, Conn: t.number(), Host: to.String(), Detail: err.Error()}
	if addr != to.String() {
		fail.Addr, f.Addr = addr, addr
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Addr != nil {
		fail.Addr, f.Addr = op.Addr.String(), op.Addr.String()
	}
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, errLoop):
		f.Outcome = "loop"
	case errors.Is(err, errNear):
		f.Outcome = "near-name"
	case errors.Is(err, context.Canceled) || errors.As(err, &op) && op.Err.Error() == "operation was canceled":
		f.Outcome = "canceled"
	case errors.As(err, &dns):
		f.Kind = capture.FactLookupFailed
		fail.ID = "lookup"
		if dns.IsNotFound {
			fail.ID = "no-such-name"
		}
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Outcome = "refused"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		f.Outcome = "timeout"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		f.Outcome = "unreachable"
	default:
		f.Outcome = "other"
	}
	if fail.ID == "" {
		fail.ID = f.Outcome
	}
	p.Recorder.Fact(f)
	return fail
}

// An upstream is the TLS with an origin.
type upstream struct {
	name  string // that it was verified for
	conn  *tls.Conn
	state tls.ConnectionState // as it was when the certificate was checked, or at the end of the handshake
	// bad is why the certificate is not good, where the handshake waits for the
	// client to be shown an equally bad one; see goOn and giveUp.
	bad *originError
	// unasked is what is wrong with the OCSP response, where the client asked for none.
	unasked *originError
	fail    *originError // what judge found, where the handshake ends with it or waits
	store   string
	waiting chan struct{} // closed when it waits
	decide  chan bool     // of room for one
	done    chan error    // what the handshake came to
	timer   *time.Timer
	asked   bool

	config     *tls.Config
	heard      *witness
	judged     bool // the certificate was found good
	wantsCert  bool // the origin asked for a certificate of the client
	showedCert bool // and the proxy had one
}

// mayWantCert reports whether the origin may yet break off because it was shown no certificate:
// in TLS 1.3 it judges what the client sends last (RFC 8446 4.4.2.4), and in TLS 1.2 it may ask in a later handshake.
func (u *upstream) mayWantCert() bool {
	if u.conn.ConnectionState().Version == tls.VersionTLS13 {
		return u.wantsCert && !u.showedCert
	}
	return u.config.Renegotiation != tls.RenegotiateNever
}

// goOn ends the wait: the client went on in spite of a certificate as bad as the
// origin's, so the handshake with the origin goes on.
func (u *upstream) goOn() error {
	u.asked = true
	u.timer.Reset(dialTime)
	u.decide <- true
	err := <-u.done
	if err == nil && u.heard != nil {
		u.heard.forget()
	}
	return err
}

// giveUp ends the wait, if it has not ended, with the alert that a client sends that does not go on.
func (u *upstream) giveUp() {
	if u != nil && u.bad != nil && !u.asked {
		u.asked = true
		u.decide <- false
		<-u.done
	}
}

// An asking is what a client wants of an origin.
type asking struct {
	hello  *tls.ClientHelloInfo
	name   string   // the host name or address that the origin is verified as
	alpn   []string // application protocols
	staple bool     // an OCSP response (RFC 6066 8)
}

// secure runs TLS on the origin's connection and verifies the origin, as the
// host name, before a byte of a request could be sent to it. Where its
// certificate can be mirrored it stops before the origin's handshake signature
// is looked at, and only goOn ends the handshake.
//
// The origin is offered what the client offered, and named if the client named it.
func (p *Proxy) secure(ctx context.Context, t, o *Tap, to asking, site Site) (*upstream, *originError) {
	name := to.name
	ctx, cancel := context.WithCancelCause(ctx)
	u := p.newUpstream(ctx, to, site, o.release)
	u.heard = &witness{Tap: o}
	u.timer = time.AfterFunc(dialTime, func() { cancel(context.DeadlineExceeded) })
	config := u.config
	verify := config.VerifyConnection
	config.VerifyConnection = func(state tls.ConnectionState) error {
		// The origin may ask for a new handshake, as for a client's certificate, if both
		// handshakes are bound together (RFC 5746 3.1). That its certificate stays is crypto/tls's to see to.
		if sh := serverHello(u.heard.read); sh != nil && sh.Extension(renegotiationInfo) != nil {
			u.config.Renegotiation = tls.RenegotiateFreelyAsClient
		}
		return verify(state)
	}
	if site.Textbook {
		config.MaxVersion = tls.VersionTLS12
		config.CipherSuites = textbookSuites
	}
	site.Resume.origin(config, to.hello)
	var conn net.Conn = u.heard
	if site.ECH != nil && config.MaxVersion == tls.VersionTLS13 {
		config.MinVersion, config.EncryptedClientHelloConfigList = tls.VersionTLS13, site.ECH.list()
		conn = &echLogger{u.heard, site.ECH, config.KeyLogWriter}
	}
	o.hold()
	u.conn = tls.Client(conn, config)
	go func() {
		err := u.conn.HandshakeContext(ctx)
		o.unhold()
		u.heard.over = true
		u.timer.Stop()
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause
		}
		cancel(nil)
		u.done <- err
	}()
	var err error
	select {
	case <-u.waiting:
		u.timer.Stop()
		return u, nil
	case err = <-u.done:
	}
	switch {
	case err == nil:
		u.heard.forget()
		u.state = u.conn.ConnectionState()
		o.secured(u.conn)
		p.tellVerified(t.leg, o.leg, u)
		return u, nil
	case u.fail != nil:
		return nil, p.refuted(t.leg, o.leg, u)
	}
	return nil, p.tlsFailed(t, o, u, name, err)
}

// newUpstream returns the TLS that is to run with an origin, over TCP or QUIC, with its configuration: the
// origin is offered what the client offered, and its certificate is judged in the midst of the handshake.
// release is called before that waits.
func (p *Proxy) newUpstream(ctx context.Context, to asking, site Site, release func()) *upstream {
	u := &upstream{name: to.name, store: "system", decide: make(chan bool, 1), done: make(chan error, 1), waiting: make(chan struct{})}
	switch {
	case site.Roots != nil:
		u.store = "built-in"
	case len(p.OriginCAs) > 0:
		u.store = "system+file"
	}
	offers := offerOf(to.hello)
	u.config = &tls.Config{
		ServerName:       to.hello.ServerName,
		MinVersion:       offers.min,
		MaxVersion:       offers.max,
		CipherSuites:     offers.suites,
		CurvePreferences: offers.groups,
		NextProtos:       to.alpn,
		KeyLogWriter:     p.Recorder.KeyLogWriter(),
		// A record of the browser becomes one record here.
		DynamicRecordSizingDisabled: true,
		// judge does what is skipped here, and more.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			if u.fail = p.judge(&state, to, site); u.fail == nil {
				u.judged = true
				return nil
			}
			if u.fail.unasked && !p.BlockBadOrigins {
				u.unasked, u.judged, u.fail = u.fail, true, nil
				return nil
			}
			if u.fail.mirror == nil || p.BlockBadOrigins {
				return errUnverified
			}
			u.state, u.bad = state, u.fail
			release()
			close(u.waiting)
			select {
			case on := <-u.decide:
				if on {
					return nil
				}
				return errUnverified
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			u.wantsCert = true
			cert, ok := p.ClientCerts[strings.ToLower(to.name)]
			u.showedCert = ok
			return &cert, nil
		},
	}
	return u
}

// tellVerified records that the origin's certificate is good, or bad in nothing that the client asked for.
func (p *Proxy) tellVerified(t, o *leg, u *upstream) {
	if u.unasked != nil {
		told := *u.unasked
		told.ID = "ok"
		p.tellBad(t, o, u.store, &told, "not-asked")
		return
	}
	if !u.state.DidResume { // else no certificate came: the one of before was found good when it did
		p.Recorder.Fact(capture.Fact{Kind: capture.FactOriginVerified, Conn: t.number(), Peer: o.number(), Host: u.name, Addr: u.store, Outcome: "ok"})
	}
}

// refuted records that the origin's certificate is so bad that nothing like it can be shown, or is to be.
func (p *Proxy) refuted(t, o *leg, u *upstream) *originError {
	u.fail.unmirrored = !p.BlockBadOrigins && u.fail.ID != "own-ca"
	p.tellBad(t, o, u.store, u.fail, "blocked")
	return u.fail
}

// tellBad records what was found wrong with an origin's certificate, and what was done about it.
func (p *Proxy) tellBad(t, o *leg, store string, fail *originError, done string) {
	p.Recorder.Fact(capture.Fact{Kind: capture.FactOriginVerified, Conn: t.number(), Peer: o.number(), Host: fail.Host, Addr: store,
		Outcome: fail.ID, Detail: fail.Detail.English, Found: fail.Found, Missing: fail.Missing, Done: done})
}

// renegotiationInfo is the number of an extension (RFC 5746 3.2).
const renegotiationInfo = 0xff01

// tlsFailed records why a handshake with an origin failed for another reason than its certificate.
func (p *Proxy) tlsFailed(t, o *Tap, u *upstream, name string, err error) *originError {
	fail := &originError{Host: name, ID: "tls", Detail: detailOf(err)}
	f := capture.Fact{Kind: capture.FactTLSFailed, Conn: t.number(), Peer: o.number(), Host: name, Detail: err.Error(), Outcome: "other"}
	sh := serverHello(u.heard.read)
	alert, refused := refusal(u.heard.read)
	var remote *net.OpError
	alerted := errors.As(err, &remote) && remote.Op == "remote error"
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		fail.ID, f.Outcome, f.Detail = "tls-timeout", "timeout", fmt.Sprintf("it took longer than %v", dialTime)
	case errors.Is(err, context.Canceled):
		fail.ID, f.Outcome, f.Detail = "canceled", "canceled", "the client hung up before it was over"
	case u.wantsCert && !u.showedCert && alerted:
		fail.ID, f.Outcome = "tls-client-cert", "client-cert"
	case u.judged || u.bad != nil:
		fail.ID, f.Outcome = "tls-judged", "judged"
	case refused:
		fail.ID, f.Outcome, f.Detail = "tls-refused", "refused", handshake.AlertName(uint8(alert))
		switch alert {
		case 40, 47, 70, 71: // handshake_failure, illegal_parameter, protocol_version, insufficient_security (RFC 8446 6.2)
			fail.mayWant = true
		}
	case sh != nil && sh.Version() < tls.VersionTLS12:
		fail.ID, f.Outcome, f.Detail, fail.mayWant = "tls-old", "old-version", handshake.VersionName(sh.Version()), true
	case sh == nil && len(u.heard.read) == 0:
		fail.ID, f.Outcome, fail.mayWant = "tls-closed", "closed", true
	case sh == nil && u.heard.read[0] != 22 && u.heard.read[0] != 21:
		fail.ID, f.Outcome = "tls-not", "not-tls"
	}
	p.Recorder.Fact(f)
	return fail
}

// portOf returns the port of a URL of plain HTTP.
func portOf(s string) uint16 {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 80
	}
	return uint16(n)
}
