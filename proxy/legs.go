package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"explainer/ca"
	"explainer/capture"
)

// tunnel serves what a client does behind CONNECT.
func (p *Proxy) tunnel(t *Tap, to target) {
	defer t.Close()
	if _, err := t.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		return
	}
	if c, ok := p.caseFor(t, to); ok {
		p.serveCase(t, c)
		return
	}
	if p.Observe != nil {
		p.relayRaw(t, to, capture.Fact{Kind: capture.FactPassThrough, Conn: t.number(), Host: to.String(), Outcome: "observed"}, nil)
		return
	}
	if pattern, ok := p.passThrough(to.host, to.port); ok {
		p.relayRaw(t, to, capture.Fact{Kind: capture.FactPassThrough, Conn: t.number(), Host: to.String(), Detail: pattern}, nil)
		return
	}
	t.SetReadDeadline(time.Now().Add(p.silence))
	first, err := t.peek(1)
	t.SetReadDeadline(time.Time{})
	switch {
	case len(first) > 0:
		p.spoken(t, to, nil)
	case errors.Is(err, os.ErrDeadlineExceeded):
		p.silent(t, to)
	default:
		// The client has gone; Close tells how.
	}
}

// A called is an origin that was called before it was known what the client speaks.
type called struct {
	o    *Tap         // nil if it was not reached
	fail *originError // why
}

// silent calls the origin of a client that waits, perhaps for the server to
// speak first, perhaps because it is slow. Whoever speaks first decides.
func (p *Proxy) silent(t *Tap, to target) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := t.watch(cancel)
	var c called
	c.o, _, c.fail = p.dial(ctx, t, to, false)
	stop()
	opaque := capture.Fact{Kind: capture.FactOpaque, Conn: t.number(), Host: to.String(), Outcome: "client-silent"}
	if c.fail != nil {
		// Behind the port of HTTPS no server speaks first: the client's hello may come yet, and it is answered with a page.
		if to.port == 443 {
			t.SetReadDeadline(time.Now().Add(handshakeTime))
			t.peek(1)
			t.SetReadDeadline(time.Time{})
		}
		if len(t.back) > 0 {
			p.spoken(t, to, &c)
		} else {
			p.relayRaw(t, to, opaque, &c)
		}
		return
	}
	defer c.o.Close()
	p.Recorder.Fact(capture.Fact{Kind: capture.FactSession, Conn: t.number(), Peer: c.o.number(), Host: to.String()})
	heard := make(chan struct{}, 2)
	stopClient := t.listen(func() { heard <- struct{}{} })
	stopOrigin := c.o.listen(func() { heard <- struct{}{} })
	<-heard
	stopClient()
	stopOrigin()
	switch {
	case len(c.o.back) > 0:
		opaque.Outcome = "server-first"
		p.relayRaw(t, to, opaque, &c)
	case len(t.back) > 0:
		p.spoken(t, to, &c)
	default: // One of them has gone.
		p.relayRaw(t, to, opaque, &c)
	}
}

// spoken serves a client that has said something before the server did. c is nil if the origin was not called yet.
func (p *Proxy) spoken(t *Tap, to target, c *called) {
	t.SetReadDeadline(time.Now().Add(handshakeTime))
	hello := t.peekHello()
	t.SetReadDeadline(time.Time{})
	if hello {
		if len(p.PassThrough) > 0 {
			if sni := t.peekSNI(); sni != "" {
				if pattern, ok := p.passThrough(sni, to.port); ok {
					p.relayRaw(t, to, capture.Fact{Kind: capture.FactPassThrough, Conn: t.number(), Host: to.String(), Detail: pattern}, c)
					return
				}
			}
		}
		p.intercept(t, to, c)
		return
	}
	t.SetReadDeadline(time.Now().Add(p.silence))
	request := t.peekRequest()
	t.SetReadDeadline(time.Time{})
	if request {
		p.relayRaw(t, to, capture.Fact{Kind: capture.FactPlainHTTP, Conn: t.number(), Host: to.String()}, c)
		return
	}
	p.relayRaw(t, to, capture.Fact{Kind: capture.FactOpaque, Conn: t.number(), Host: to.String(), Outcome: "not-tls"}, c)
}

// peekHello reports whether the client begins as with a ClientHello: a record of
// the handshake type and version 3.x (RFC 8446 5.1) that is not empty, and in it
// a message of type 1 (RFC 8446 4).
func (t *Tap) peekHello() bool {
	for n := 1; n <= 6; n++ {
		b, _ := t.peek(n)
		if len(b) < n {
			return false
		}
		switch c := b[n-1]; n {
		case 1:
			if c != 22 {
				return false
			}
		case 2:
			if c != 3 {
				return false
			}
		case 5:
			if length := int(b[3])<<8 | int(c); length == 0 || length > 1<<14 {
				return false
			}
		case 6:
			return c == 1
		}
	}
	return false
}

// peekRequest reports whether the client begins with a request line of HTTP/1.x.
func (t *Tap) peekRequest() bool {
	for n := 1; ; n++ {
		b, _ := t.peek(n)
		if len(b) < n {
			return false
		}
		if version, known := spokenHTTP(b[:n]); known {
			return version == 1
		}
	}
}

// spokenHTTP tells the version of HTTP, 1 or 2, whose request line or preface (RFC 9112
// 3, RFC 9113 3.4) b begins with, or 0 if with neither; and whether that can be told
// yet. Any token may be the method (RFC 9110 9.1).
func spokenHTTP(b []byte) (version int, known bool) {
	method := true
	for i, c := range b {
		switch {
		case c == '\n':
			line := trimEnd(b[:i+1])
			switch {
			case string(line) == "PRI * HTTP/2.0":
				return 2, true
			case len(line) > 8 && bytes.HasPrefix(line[len(line)-9:], []byte(" HTTP/1.")):
				return 1, true
			}
			return 0, true
		case method && c == ' ' && i > 0:
			method = false
		case method && !isTokenByte(c):
			return 0, true
		}
	}
	return 0, len(b) >= bufferSize
}

// errPeeked ends the reading of a ClientHello that is only looked at.
var errPeeked = errors.New("peeked")

// peekSNI returns the server name of the ClientHello that the client is about to
// send, or "" if it sends none.
func (t *Tap) peekSNI() (name string) {
	t.SetReadDeadline(time.Now().Add(handshakeTime))
	defer t.SetReadDeadline(time.Time{})
	var seen bool
	tls.Server(&peekConn{Tap: t}, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		name, seen = h.ServerName, true
		return nil, errPeeked
	}}).Handshake()
	if !seen {
		return ""
	}
	return name
}

// peekConn reads without taking, and writes nothing.
type peekConn struct {
	*Tap
	at int
}

func (c *peekConn) Read(b []byte) (int, error) {
	all, err := c.peek(c.at + 1)
	if len(all) <= c.at {
		return 0, err
	}
	// A ClientHello is no longer than this in crypto/tls.
	if c.at > 1<<17 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(b, all[c.at:])
	c.at += n
	return n, nil
}

func (c *peekConn) Write(b []byte) (int, error) { return len(b), nil }

// relayRaw connects t with the origin as it is. f tells why it is not decrypted. c is nil if the origin was not called yet.
func (p *Proxy) relayRaw(t *Tap, to target, f capture.Fact, c *called) {
	early := c != nil
	var g *gate
	if p.Observe != nil {
		g = p.Observe.watch(t)
	}
	if !early {
		c = &called{}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		stop := t.watch(cancel)
		c.o, _, c.fail = p.dial(ctx, t, to, false)
		stop()
	}
	o, fail := c.o, c.fail
	if fail != nil {
		p.Recorder.Fact(f)
		if f.Kind == capture.FactPlainHTTP && fail.ID != "canceled" {
			p.answerInClear(t, fail, nil)
		} else {
			t.endedBy("proxy", fail.ID)
		}
		return
	}
	defer o.Close()
	if g != nil {
		g.reached(o)
	}
	f.Peer = o.number()
	if f.Kind != capture.FactPlainHTTP && !early && g == nil {
		p.Recorder.Fact(capture.Fact{Kind: capture.FactSession, Conn: t.number(), Peer: o.number(), Host: to.String()})
	}
	p.Recorder.Fact(f)
	r := &relaying{a: end{tap: t}, b: end{tap: o}}
	if f.Kind == capture.FactPlainHTTP {
		r.door = p.doorkeeper(to, o)
	}
	r.run()
	if asked, refused := r.door.refused(); refused && asked != nil {
		p.answerInClear(t, &originError{ID: "near", Host: to.String()}, asked)
	}
}

// answerInClear answers a request in a tunnel without TLS with the page that explains why there is no origin.
func (p *Proxy) answerInClear(t *Tap, fail *originError, asked []byte) {
	t.endedBy("proxy", fail.ID)
	var in http.Header
	if r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(asked))); err == nil {
		in = r.Header
	}
	header, body := failurePage(fail).render(in, p.Language)
	resp := http.Response{StatusCode: fail.status(), ProtoMajor: 1, ProtoMinor: 1, Header: header, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)), Close: true}
	p.Recorder.Fact(capture.Fact{Kind: capture.FactOwnAnswer, Conn: t.number(), Outcome: "error-page", Detail: fail.ID})
	resp.Write(t)
}

// A session is one intercepted TLS connection of a browser.
type session struct {
	terminated
	t *Tap

	called *called // nil if the origin is yet to be called
	origin *Tap    // nil without one
	refuse bool    // crypto/tls will refuse the client, the origin was not called
	cancel func()  // ends the handshake with the origin

	said   *witness // what the client sends in its handshake
	tunnel *Tap     // the origin that was sent the client's own hello, where the connection is passed on as it is
	sent   int      // how much of what the client said this origin was sent
}

// intercept runs TLS with the client and the origin, and relays between them.
func (p *Proxy) intercept(t *Tap, to target, c *called) {
	site, _ := p.site(to)
	s := &session{terminated: terminated{p: p, to: to, client: t.leg, textbook: p.Textbook || site.Textbook}, t: t, called: c}
	if c != nil {
		s.reached(c.o)
	}
	t.SetDeadline(time.Now().Add(handshakeTime))
	t.hold()
	s.said = &witness{Tap: t, mute: true} // until configFor is asked, crypto/tls has but an alert to say
	conn := tls.Server(s.said, &tls.Config{
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: true,
		GetConfigForClient:     s.configFor,
	})
	err := conn.Handshake()
	t.unhold()
	if s.cancel != nil {
		defer s.cancel()
	}
	if s.origin != nil {
		defer s.origin.Close()
	}
	t.SetDeadline(time.Time{})
	if o := s.tunnel; o != nil {
		t.unread(s.said.read[s.sent:])
		p.relay(end{tap: t}, end{tap: o})
		return
	}
	if err != nil && s.said.muted && s.said.mute && len(s.said.read) < witnessLimit {
		// crypto/tls does not take this hello. What the origin makes of it is the origin's to say.
		t.unread(s.said.read)
		p.relayRaw(t, to, capture.Fact{Kind: capture.FactOpaque, Conn: t.number(), Host: to.String(), Outcome: oddHello(s.said.read), Detail: err.Error()}, c)
		return
	}
	if err != nil {
		s.up.giveUp()
		s.handshakeFailed(err)
		return
	}
	s.said.forget()
	t.secured(conn)
	if s.fail == nil && s.up.bad != nil {
		p.Recorder.Fact(capture.Fact{Kind: capture.FactWentOn, Conn: t.number(), Peer: s.origin.number(), Host: s.up.bad.Host})
		if err := s.up.goOn(); err != nil {
			s.fail = p.tlsFailed(t, s.origin, s.up, s.up.bad.Host, err)
			s.origin.endedBy("proxy", s.fail.ID)
			s.origin.Close()
		} else {
			s.origin.secured(s.up.conn)
		}
	}
	if s.fail != nil {
		p.serveFailure(t, conn, s.fail, nil)
		return
	}
	r := &relaying{a: end{t, conn}, b: end{s.origin, s.up.conn}, late: s.up.mayWantCert(), wanting: s.up, door: p.doorkeeper(s.to, s.origin)}
	err = r.run()
	if asked, refused := r.door.refused(); refused {
		if asked != nil {
			p.serveFailure(t, conn, &originError{ID: "near", Host: s.to.String()}, asked)
		}
		return
	}
	if err != nil {
		s.fail = p.tlsFailed(t, s.origin, s.up, s.up.name, err)
		p.serveFailure(t, conn, s.fail, r.kept)
	}
}

// reached notes the origin's connection, nil if there is none.
func (s *session) reached(o *Tap) {
	if s.origin = o; o != nil {
		s.server = o.leg
	}
}

// handshakeFailed tells who ended the browser's handshake.
func (s *session) handshakeFailed(err error) {
	outcome := "proxy"
	var remote *net.OpError
	alert, alerted := s.t.plainAlert()
	switch {
	case alerted:
		outcome, err = "client", fmt.Errorf("remote error: %w", alert)
	case errors.As(err, &remote) && remote.Op == "remote error",
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, context.Canceled):
		outcome = "client"
	case errors.Is(err, os.ErrDeadlineExceeded):
		outcome = "timeout"
	}
	s.t.endedBy(outcome, err.Error())
	if s.origin != nil {
		s.origin.endedBy(outcome, "")
	}
}

// configFor reaches the origin while the browser waits for its ServerHello, and
// returns the configuration of the browser's leg: what the origin chose.
func (s *session) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	p, t := s.p, s.t
	s.said.mute = false
	t.release()
	name := hello.ServerName
	if name == "" {
		name = s.to.host
		if _, err := netip.ParseAddr(name); err != nil {
			p.Recorder.Fact(capture.Fact{Kind: capture.FactName, Conn: t.number(), Addr: s.to.host})
		}
	} else if !strings.EqualFold(name, s.to.host) {
		p.Recorder.Fact(capture.Fact{Kind: capture.FactName, Conn: t.number(), Host: name, Addr: s.to.host})
	}
	config := &tls.Config{
		MinVersion:                  tls.VersionTLS12,
		SessionTicketsDisabled:      true,
		KeyLogWriter:                p.Recorder.KeyLogWriter(),
		DynamicRecordSizingDisabled: true,
	}
	alpn := hello.SupportedProtos
	if s.textbook {
		s.byTheBook(config, hello)
		if len(alpn) > 0 {
			alpn = config.NextProtos
		}
	}
	if offers := offerOf(hello); offers.max == 0 {
		if p.TunnelUnsupported && s.replayAlone(hello) {
			return nil, errTunnelled
		}
		f := capture.Fact{Kind: capture.FactRefused, Conn: t.number(), Outcome: "unsupported", Detail: "the client offers no version with a cipher suite and a group that the proxy speaks", Found: lacks(hello)}
		if !slices.ContainsFunc(hello.SupportedVersions, func(v uint16) bool { return v == tls.VersionTLS12 || v == tls.VersionTLS13 }) {
			f.Outcome, f.Detail, f.Found = "old-version", "the client offers nothing newer than TLS 1.1", nil
		}
		p.Recorder.Fact(f)
		s.refuse = true
	}
	to := asking{hello: hello, name: name, alpn: alpn, staple: slices.Contains(hello.Extensions, extStatusRequest)}
	spec := ca.Spec{Names: []string{name}}
	var leaf *tls.Certificate
	if !s.refuse {
		// A handshake that waits for the client outlasts this function.
		ctx, cancel := context.WithCancel(context.Background())
		s.cancel = cancel
		stop := t.watch(cancel)
		s.reach(ctx, to)
		stop()
		if s.tunnel != nil {
			return nil, errTunnelled
		}
		t.SetDeadline(time.Now().Add(handshakeTime))
		if s.fail == nil {
			if !s.textbook {
				s.ceiling(config)
				site, _ := p.site(s.to)
				site.Resume.browser(config, hello)
			}
			leaf = s.mirror(hello, config, to)
		}
		switch {
		case s.fail == nil:
			if protocol := s.up.state.NegotiatedProtocol; !s.textbook && protocol != "" {
				config.NextProtos = []string{protocol}
			}
		case s.fail.ID == "canceled":
			return nil, context.Canceled // nobody is left to answer
		case !s.textbook:
			config.MaxVersion, config.CipherSuites, config.CurvePreferences = 0, offerOf(hello).suites, nil // whatever the client can
			config.NextProtos = []string{"h2", "http/1.1"}
		}
	}
	if leaf == nil {
		var err error
		if s.textbook {
			spec.Key = ca.RSA2048
		}
		if leaf, err = s.leaf(hello, config, spec); err != nil {
			return nil, err
		}
	}
	if s.refuse {
		config.Certificates = []tls.Certificate{*leaf} // crypto/tls wants one, and will not show it
		return config, nil
	}
	t.SetDeadline(time.Now().Add(handshakeTime)) // a long RSA key may have had to be made
	leaf, err := s.show(leaf)
	if err != nil {
		return nil, err
	}
	config.Certificates = []tls.Certificate{*leaf}
	return config, nil
}

// extStatusRequest is the extension with which a client asks for an OCSP response (RFC 6066 8).
const extStatusRequest = 5

// reach opens the origin's leg.
func (s *session) reach(ctx context.Context, to asking) {
	if c := s.called; c != nil {
		s.reached(c.o)
		s.fail = c.fail
	} else {
		var o *Tap
		o, _, s.fail = s.p.dial(ctx, s.t, s.to, false)
		s.reached(o)
	}
	if s.fail != nil {
		return
	}
	o := s.origin
	if s.called == nil {
		s.p.Recorder.Fact(capture.Fact{Kind: capture.FactSession, Conn: s.t.number(), Peer: o.number(), Host: s.to.String()})
	}
	site, _ := s.p.site(s.to)
	if s.up, s.fail = s.p.secure(ctx, s.t, o, to, site); s.fail != nil {
		o.endedBy("proxy", s.fail.ID)
		o.Close()
	}
	if s.fail != nil && s.fail.mayWant {
		if s.fail.lacking = lacks(to.hello); len(s.fail.lacking) > 0 {
			s.fail.replayed = s.replay(ctx, s.fail.lacking)
		}
	}
}

// replayAlone passes on a client that offers nothing of what the proxy speaks, if the origin takes its hello.
func (s *session) replayAlone(hello *tls.ClientHelloInfo) bool {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := s.t.watch(cancel)
	s.replay(ctx, lacks(hello))
	stop()
	return s.tunnel != nil
}

// serveFailure answers the client's requests with the page that explains why
// there is no origin. said is what was read of them already. A client that speaks
// no HTTP, or waits for the server to speak first, is not kept waiting.
func (p *Proxy) serveFailure(t *Tap, conn *tls.Conn, fail *originError, said []byte) {
	t.endedBy("proxy", fail.ID)
	if conn.ConnectionState().NegotiatedProtocol == "" {
		t.SetReadDeadline(time.Now().Add(3 * p.silence))
	} else { // ALPN says that it is HTTP, or will fail
		t.SetReadDeadline(time.Now().Add(requestTime))
	}
	for buf := make([]byte, 4096); ; {
		if version, known := spokenHTTP(said); known && version == 0 {
			conn.Close()
			return
		} else if known {
			break
		}
		n, err := conn.Read(buf)
		said = append(said, buf[:n]...)
		if n == 0 && err != nil {
			conn.Close()
			return
		}
	}
	t.SetReadDeadline(time.Time{})
	closed := make(chan struct{})
	t.atClose(func() { close(closed) })
	var speaks http.Protocols
	speaks.SetHTTP1(true)
	speaks.SetUnencryptedHTTP2(true) // a saidConn does not say that it is TLS
	server := &http.Server{
		Protocols: &speaks,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n := r.ContentLength; n > 0 && n <= keptLimit && r.Header.Get("Expect") == "" {
				io.Copy(io.Discard, r.Body) // a stream of HTTP/2 that is reset before its request is whole loses its answer with some clients
			}
			p.answer(w, r, t, fail.status(), failurePage(fail), fail.ID)
		}),
		ReadHeaderTimeout: requestTime,
		IdleTimeout:       handshakeTime,
		ErrorLog:          discardLog,
	}
	server.Serve(&oneListener{conn: &saidConn{Conn: conn, said: said}, closed: closed})
	<-closed
}

// A saidConn gives again what was read from a TLS connection. It does not show that it
// is TLS, so that net/http tells HTTP/2 by its preface.
type saidConn struct {
	net.Conn
	said []byte
}

func (c *saidConn) Read(b []byte) (int, error) {
	if len(c.said) > 0 {
		n := copy(b, c.said)
		c.said = c.said[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

func (c *saidConn) CloseWrite() error { return c.Conn.(*tls.Conn).CloseWrite() }

// oneListener accepts one connection, which is there already.
type oneListener struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneListener) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneListener) Close() error   { return nil }
func (l *oneListener) Addr() net.Addr { return &net.TCPAddr{} }

// An end is one end of a relay.
type end struct {
	tap *Tap
	tls *tls.Conn // nil if the bytes are relayed as they come
}

func (e end) conn() net.Conn {
	if e.tls != nil {
		return e.tls
	}
	return e.tap
}

// relayBuffers hold the plaintext of one TLS record each (RFC 8446 5.1), which is what a Read of tls.Conn returns at most.
var relayBuffers = sync.Pool{New: func() any { b := make([]byte, 16<<10); return &b }}

// relay copies both ways until both have ended or one has failed, and closes both.
// Where one direction has ended, the other may rest as long as its sender lets it.
func (p *Proxy) relay(a, b end) { (&relaying{a: a, b: b}).run() }

type relaying struct {
	a, b  end                    // a is the client's
	first atomic.Pointer[ending] // the direction that ended first

	// An origin may be late to break off for want of a certificate. While wanting
	// is not nil it has said nothing, and kept is what it was asked.
	late    bool
	wanting *upstream
	mu      sync.Mutex
	kept    []byte
	refused error // the origin's alert

	door *doorkeeper // may be nil
}

// run returns the alert with which the origin broke off before it had said
// anything, if that may be for want of a certificate; then a is still open.
func (r *relaying) run() error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.copy(r.b, r.a)
	}()
	r.copy(r.a, r.b)
	<-done
	if asked, refused := r.door.refused(); refused {
		r.b.tap.endedBy("proxy", "near")
		r.b.tap.Close()
		r.a.tap.SetReadDeadline(time.Time{})
		if asked == nil {
			r.a.tap.endedBy("proxy", "near")
			r.a.tap.Close()
		}
		return nil
	}
	if r.refused != nil {
		r.b.tap.endedBy("origin", r.refused.Error())
		r.b.tap.Close()
		r.a.tap.SetReadDeadline(time.Time{})
		return r.refused
	}
	if e := r.first.Load(); e != nil {
		r.endedBy(e.outcome, e.detail)
	}
	r.a.tap.Close()
	r.b.tap.Close()
	return nil
}

// keptLimit bounds what is kept of what an origin is asked before it says anything.
const keptLimit = 64 << 10

// keep keeps what the client sends, as long as it may have to be answered by the proxy.
func (r *relaying) keep(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wanting == nil {
		return
	}
	if r.kept = append(r.kept, b...); len(r.kept) > keptLimit {
		r.wanting, r.kept = nil, nil
	}
}

// waits reports whether the origin has said nothing yet and may still want a certificate.
func (r *relaying) waits() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wanting != nil
}

// refusedBy notes how the origin's direction ended before anything came, and
// reports whether the client is to be told why: the other direction is stopped then.
func (r *relaying) refusedBy(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	var remote *net.OpError
	if u := r.wanting; u == nil || !u.wantsCert || u.showedCert || !errors.As(err, &remote) || remote.Op != "remote error" {
		r.wanting = nil
		return false
	}
	r.refused = err
	r.a.tap.SetReadDeadline(time.Unix(1, 0))
	return true
}

// stopped reports whether the origin broke off for want of a certificate.
func (r *relaying) stopped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused != nil
}

// An ending says who ended a direction, as FactClosed does.
type ending struct{ outcome, detail string }

// endedBy says who ended both connections.
func (r *relaying) endedBy(outcome, detail string) {
	r.a.tap.endedBy(outcome, detail)
	r.b.tap.endedBy(outcome, detail)
}

// copy relays what from sends, and its end.
func (r *relaying) copy(to, from end) {
	buf := relayBuffers.Get().(*[]byte)
	defer relayBuffers.Put(buf)
	src, dst := from.conn(), to.conn()
	asking, answering := from == r.a && r.late, from == r.b && r.late
	for {
		n, err := src.Read(*buf)
		if n > 0 {
			if asking {
				r.keep((*buf)[:n])
			}
			if r.door != nil && from == r.b {
				r.door.hears((*buf)[:n])
			}
			if r.door != nil && from == r.a && !r.door.lets((*buf)[:n]) {
				r.b.tap.SetReadDeadline(time.Unix(1, 0)) // the other direction stops
				return
			}
			if answering {
				answering = false
				r.mu.Lock()
				r.wanting, r.kept = nil, nil
				r.mu.Unlock()
			}
			_, werr := dst.Write((*buf)[:n])
			if werr != nil && werr.Error() == "tls: internal error" {
				// A renegotiation began at this very moment (crypto/tls's Write says so, and has written nothing).
				_, werr = dst.Write((*buf)[:n])
			}
			if werr != nil && asking && r.waits() && (errors.Is(werr, syscall.EPIPE) || errors.Is(werr, syscall.ECONNRESET)) {
				return // what the origin has said will be read, and tells why
			}
			if werr != nil {
				r.broken(to, from, werr)
				return
			}
		}
		switch {
		case err == nil:
		case asking && r.stopped(), answering && r.refusedBy(err):
			return
		case from == r.b && r.door.stops():
			return
		case err != io.EOF:
			r.broken(from, to, err)
			return
		default:
			r.finish(to, from)
			return
		}
	}
}

// finish passes on the end of from's direction. Who ended the connections is
// told when both directions have: until then the proxy may still have to do it.
func (r *relaying) finish(to, from end) {
	// A truncated stream (RFC 8446 6.1) is passed on as such: a FIN alone.
	truncated := from.tls != nil && from.tap.peerEnd.Load() == endFin
	e := &ending{outcome: from.tap.who()}
	if truncated {
		e.detail = "no close_notify"
	}
	r.first.CompareAndSwap(nil, e)
	if from.tls == nil || truncated {
		to.tap.CloseWrite()
		return
	}
	to.tls.CloseWrite()
	// The FIN may follow, and is passed on too.
	go func() {
		io.Copy(io.Discard, readOnly{from.tap})
		if from.tap.peerEnd.Load() == endFin {
			to.tap.CloseWrite()
		}
	}()
}

type readOnly struct{ io.Reader }

// broken ends both connections after an error on one of them.
func (r *relaying) broken(on, other end, err error) {
	if errors.Is(err, syscall.ECONNRESET) || on.tap.peerEnd.Load() == endReset {
		r.endedBy(on.tap.who(), "connection reset")
		other.tap.SetLinger(0)
	}
	outcome := "error"
	var remote *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		outcome = "timeout"
	case errors.Is(err, syscall.EPIPE), errors.As(err, &remote) && remote.Op == "remote error":
		outcome = on.tap.who()
	}
	if !errors.Is(err, net.ErrClosed) {
		r.endedBy(outcome, err.Error())
	}
	other.tap.Close()
	on.tap.Close()
}
