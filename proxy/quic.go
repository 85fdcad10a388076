package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"explainer/capture"
	"explainer/capture/handshake"
	decoded "explainer/capture/quic"
	"explainer/capture/web"

	"github.com/quic-go/quic-go"
)

// Bounds of what a connection of QUIC may make the proxy keep: what has come and was not passed on yet.
const (
	streamWindow    = 256 << 10 // bytes of a stream, at first
	maxStreamWindow = 512 << 10 // and at most
	connWindow      = 512 << 10 // of all streams of a connection
	maxConnWindow   = 2 << 20
	maxStreams      = 100 // that a client may have open, of each kind
	maxStreamsLike  = 256 // that an origin may, where the client allows more
	quicIdle        = time.Minute
	frontPacket     = 1452 // bytes of a packet to a client, which is on loopback
)

func quicConfig(packet uint16) *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:       handshakeTime,
		MaxIdleTimeout:             quicIdle,
		InitialStreamReceiveWindow: streamWindow, MaxStreamReceiveWindow: maxStreamWindow,
		InitialConnectionReceiveWindow: connWindow, MaxConnectionReceiveWindow: maxConnWindow,
		MaxIncomingStreams: maxStreams, MaxIncomingUniStreams: maxStreams,
		InitialPacketSize: packet,
		EnableDatagrams:   true,
	}
}

// quicConfigLike is the configuration with which an origin may open as many streams as the client lets it, and
// send DATAGRAM frames if the client takes them (RFC 9000 18.2, RFC 9221 3).
func quicConfigLike(hello *handshake.ClientHello) *quic.Config {
	c := quicConfig(0)
	var e *handshake.Extension
	if hello != nil {
		e = hello.Extension(handshake.ExtQUICParameters)
	}
	if e == nil {
		return c
	}
	c.EnableDatagrams, c.MaxIncomingStreams, c.MaxIncomingUniStreams = false, -1, -1 // none
	list, _ := decoded.Parameters(e.Data)
	for _, p := range list {
		switch n, ok := p.Number(); {
		case !ok || n == 0:
		case p.ID == decoded.ParameterStreamsBidi:
			c.MaxIncomingStreams = int64(min(n, maxStreamsLike))
		case p.ID == decoded.ParameterStreamsUni:
			c.MaxIncomingUniStreams = int64(min(n, maxStreamsLike))
		case p.ID == decoded.ParameterDatagrams:
			c.EnableDatagrams = true
		}
	}
	return c
}

// A front is a UDP socket on loopback to which clients' QUIC for one host comes.
type front struct {
	p        *Proxy
	to       target
	socket   *frontSocket
	quic     *quic.Transport
	listener *quic.Listener
}

// QUIC opens a UDP socket on loopback and returns its address. QUIC (RFC 9000) for the host and port that
// comes there ends at the proxy, as TLS behind CONNECT does, which opens its own to the origin: at a built-in
// site's address, where Map says, or at the name's. Streams are passed on byte for byte, whatever they carry.
// The socket is closed by Shutdown. The error says why the proxy cannot stand between there.
func (p *Proxy) QUIC(host string, port uint16) (netip.AddrPort, error) {
	p.setup.Do(p.init)
	p.announced.Do(p.announce)
	to := target{strings.ToLower(strings.TrimSuffix(host, ".")), port}
	if err := p.mayFront(to); err != nil {
		return netip.AddrPort{}, err
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("listen for QUIC: %w", err)
	}
	f := &front{p: p, to: to, socket: newFrontSocket(conn, p.Recorder, p.begun)}
	f.quic = &quic.Transport{Conn: f.socket, ConnectionIDLength: 8, ConnContext: f.claim}
	f.listener, err = f.quic.Listen(&tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: f.configFor}, quicConfig(frontPacket))
	if err != nil {
		conn.Close()
		return netip.AddrPort{}, fmt.Errorf("listen for QUIC: %w", err)
	}
	p.mu.Lock()
	stopping := p.stopping
	if !stopping {
		p.fronts = append(p.fronts, f)
	}
	p.mu.Unlock()
	if stopping {
		f.shut()
		return netip.AddrPort{}, errors.New("listen for QUIC: the proxy has ended")
	}
	go f.serve()
	return udpAddrPort(conn.LocalAddr()), nil
}

// begun remembers a connection of QUIC that a client began, or ends it where nobody will serve it any more.
func (p *Proxy) begun(f *flow) {
	p.overQUIC.Add(1)
	p.remember(f.leg)
	if p.isStopping() {
		f.endedBy("proxy-shutdown", "")
		f.hangUp()
	}
}

// mayFront says why QUIC for a target cannot end at the proxy, if it cannot.
func (p *Proxy) mayFront(to target) error {
	_, passed := p.passThrough(to.host, to.port)
	switch {
	case p.Observe != nil:
		return said("detail/quic-observed", nil)
	case passed:
		return said("detail/quic-passed", nil)
	case p.Textbook:
		return said("detail/quic-textbook", nil)
	case p.upstream("https", to) != nil:
		return said("detail/quic-upstream", nil)
	}
	return nil
}

// AnswersQUIC tries whether a server answers QUIC where [Proxy.QUIC] would call the origin, whoever it is. It is
// a connection of its own, ended with its handshake, that is not recorded. The error says why there is none.
func (p *Proxy) AnswersQUIC(ctx context.Context, host string, port uint16) error {
	p.setup.Do(p.init)
	to := target{strings.ToLower(strings.TrimSuffix(host, ".")), port}
	addr, _, err := p.quicAddr(ctx, to)
	if err != nil {
		return err
	}
	socket, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return err
	}
	defer socket.Close()
	tr := &quic.Transport{Conn: &connectedSocket{plainSocket{socket, socket}, socket}}
	defer tr.Close()
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := tr.Dial(ctx, socket.RemoteAddr(), &tls.Config{ServerName: to.host, NextProtos: []string{"h3"}, InsecureSkipVerify: true}, quicConfig(0))
	if err != nil {
		return err
	}
	return conn.CloseWithError(noError("h3"), "")
}

// A connectedSocket sends to the one address that its socket is connected with.
type connectedSocket struct {
	plainSocket
	conn *net.UDPConn
}

func (s *connectedSocket) WriteTo(p []byte, _ net.Addr) (int, error) { return s.conn.Write(p) }

// noError is the code with which a connection of an application protocol is closed for no error (RFC 9114 8.1).
func noError(protocol string) quic.ApplicationErrorCode {
	if protocol == "h3" {
		return 0x100
	}
	return 0
}

// quicAddr finds where an origin is called over QUIC.
func (p *Proxy) quicAddr(ctx context.Context, to target) (netip.AddrPort, Site, error) {
	addr := to.String()
	var site Site
	switch {
	case p.isSite(to):
		found := false
		if site, found = p.site(to); !found || site.UDP == "" {
			return netip.AddrPort{}, site, said("detail/quic-no-site", nil)
		}
		addr = site.UDP
	case p.mapped(to) != "":
		addr = p.mapped(to)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return netip.AddrPort{}, site, err
	}
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		resolver := p.resolver
		if resolver == nil {
			resolver = net.DefaultResolver
		}
		ips, err := resolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return netip.AddrPort{}, site, err
		}
		ip := ips[0].Unmap()
		if i := slices.IndexFunc(ips, func(ip netip.Addr) bool { return ip.Unmap().Is4() }); i >= 0 {
			ip = ips[i].Unmap()
		}
		n, err := net.DefaultResolver.LookupPort(ctx, "udp", port)
		if err != nil {
			return netip.AddrPort{}, site, err
		}
		at = netip.AddrPortFrom(ip, uint16(n))
	}
	switch {
	case p.isFront(at):
		return at, site, errLoop
	case p.decides(to) && placeOf(at.Addr()) != web.Elsewhere:
		// More than misleads refuses over TCP: which page asks stands in requests, and those of HTTP/3 are not read.
		return at, site, errNear
	}
	return at, site, nil
}

// isFront reports whether a UDP address is one of the proxy's own fronts.
func (p *Proxy) isFront(at netip.AddrPort) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.fronts, func(f *front) bool { return udpAddrPort(f.socket.LocalAddr()) == at })
}

// shut closes the front's socket. What is open has been hung up before: quic-go waits here for handshakes.
func (f *front) shut() {
	f.listener.Close()
	f.quic.Close()
	f.socket.Close()
}

type sessionKey struct{}

// claim gives the connection that quic-go begins the flow that its client's first datagram began.
func (f *front) claim(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	flow := f.socket.of(udpAddrPort(info.RemoteAddr))
	if flow == nil || f.p.isStopping() || !flow.claim() {
		return nil, errNoFlow
	}
	s := &quicSession{terminated: terminated{p: f.p, to: f.to, client: flow.leg}, flow: flow}
	s.ctx, s.stop = context.WithCancel(context.Background()) // while quic-go waits for configFor it hears of no end
	flow.hang(func() {
		s.stop()
		flow.finish()
	})
	context.AfterFunc(ctx, func() { s.clientGone(context.Cause(ctx)) })
	return context.WithValue(ctx, sessionKey{}, s), nil
}

// errNoFlow is a connection that quic-go begins, as behind the end of one from the same address.
var errNoFlow = errors.New("no connection began there")

// configFor reaches the origin while the client waits for its ServerHello.
func (f *front) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	s, ok := hello.Context().Value(sessionKey{}).(*quicSession)
	if !ok {
		return nil, errNoFlow
	}
	return s.configFor(hello)
}

// serve accepts connections until the listener is closed.
func (f *front) serve() {
	for {
		conn, err := f.listener.Accept(context.Background())
		if err != nil {
			return
		}
		s, ok := conn.Context().Value(sessionKey{}).(*quicSession)
		if !ok || !f.p.begin() {
			conn.CloseWithError(noError(conn.ConnectionState().TLS.NegotiatedProtocol), "")
			continue
		}
		go func() {
			defer f.p.sessions.Done()
			s.run(conn)
		}()
	}
}

// A quicSession is one connection of a client's QUIC that ends at the proxy.
type quicSession struct {
	terminated
	flow    *flow           // the client's
	ctx     context.Context // of the handshake with the origin, which stop ends
	stop    func()
	origin  *quicOrigin
	offered *quic.Config // to the origin

	deciding sync.Mutex // whether the handshake with a bad origin goes on
}

// A quicOrigin is the connection with an origin over QUIC.
type quicOrigin struct {
	flow   *flow
	socket *net.UDPConn
	quic   *quic.Transport
	conn   *quic.Conn // once its handshake is over
}

// bye ends the connection with the origin politely.
func (o *quicOrigin) bye() {
	o.conn.CloseWithError(noError(o.conn.ConnectionState().TLS.NegotiatedProtocol), "")
	o.end()
}

// end closes the socket, and records the end of the connection.
func (o *quicOrigin) end() {
	o.quic.Close()
	o.socket.Close()
	o.flow.finish()
}

// configFor returns the configuration of the client's leg: what the origin chose.
func (s *quicSession) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	p := s.p
	name := hello.ServerName
	if name == "" {
		name = s.to.host
		if _, err := netip.ParseAddr(name); err != nil {
			p.Recorder.Fact(capture.Fact{Kind: capture.FactName, Conn: s.client.number(), Addr: s.to.host})
		}
	} else if !strings.EqualFold(name, s.to.host) {
		p.Recorder.Fact(capture.Fact{Kind: capture.FactName, Conn: s.client.number(), Host: name, Addr: s.to.host})
	}
	config := &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
		KeyLogWriter:           s.flow.KeyLogWriter(),
	}
	to := asking{hello: hello, name: name, alpn: hello.SupportedProtos, staple: slices.Contains(hello.Extensions, extStatusRequest)}
	s.reach(s.ctx, to)
	if s.fail != nil {
		s.client.endedBy("proxy", s.fail.ID)
		return nil, s.fail
	}
	s.ceiling(config)
	leaf := s.mirror(hello, config, to)
	if s.fail != nil {
		s.client.endedBy("proxy", s.fail.ID)
		return nil, s.fail
	}
	leaf, err := s.show(leaf)
	if err != nil {
		return nil, err
	}
	config.Certificates = []tls.Certificate{*leaf}
	config.NextProtos = []string{s.up.state.NegotiatedProtocol}
	return config, nil
}

// reach opens the origin's leg, up to where its certificate is judged.
func (s *quicSession) reach(ctx context.Context, to asking) {
	p := s.p
	soon, cancel := context.WithTimeout(ctx, dialTime)
	addr, site, err := p.quicAddr(soon, s.to)
	cancel()
	if s.stopped() {
		return
	}
	if err != nil {
		s.fail = p.dialFailed(s.client, s.to, s.to.String(), err)
		return
	}
	socket, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		s.fail = p.dialFailed(s.client, s.to, addr.String(), err)
		return
	}
	host := s.to.host
	if _, err := netip.ParseAddr(host); err == nil {
		host = ""
	}
	s.offered = quicConfigLike(s.flow.hello())
	o := &quicOrigin{flow: newFlow(p.Recorder, capture.LegOrigin, udpAddrPort(socket.LocalAddr()), addr, host), socket: socket}
	o.quic = &quic.Transport{Conn: newFlowSocket(socket, o.flow), ConnectionIDLength: 8}
	s.origin, s.server = o, o.flow.leg
	o.flow.belong(s.client)
	s.client.belong(o.flow.leg)
	o.flow.hang(o.end)
	p.remember(o.flow.leg)
	p.Recorder.Fact(capture.Fact{Kind: capture.FactSession, Conn: s.client.number(), Peer: o.flow.number(), Host: s.to.String()})
	s.secure(ctx, to, site)
	if s.fail != nil {
		o.flow.endedBy("proxy", s.fail.ID)
		o.end()
	}
}

// secure runs the handshake with the origin as [Proxy.secure] does over TCP.
func (s *quicSession) secure(ctx context.Context, to asking, site Site) {
	p, o := s.p, s.origin
	ctx, cancel := context.WithCancelCause(ctx)
	u := p.newUpstream(ctx, to, site, func() {}) // what is held needs no more secrets than have been released
	s.up = u
	u.timer = time.AfterFunc(dialTime, func() { cancel(context.DeadlineExceeded) })
	u.config.MinVersion, u.config.MaxVersion = tls.VersionTLS13, tls.VersionTLS13
	u.config.KeyLogWriter = o.flow.KeyLogWriter()
	go func() {
		conn, err := o.quic.Dial(ctx, o.socket.RemoteAddr(), u.config, s.offered)
		o.conn = conn
		u.timer.Stop()
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause
		}
		u.done <- err
	}()
	var err error
	select {
	case <-u.waiting:
		u.timer.Stop()
		return
	case err = <-u.done:
	}
	switch {
	case err == nil:
		u.state = o.conn.ConnectionState().TLS
		o.flow.hang(o.bye)
		p.tellVerified(s.client, s.server, u)
	case s.stopped():
	case u.fail != nil:
		s.fail = p.refuted(s.client, s.server, u)
	default:
		s.fail = s.quicFailed(err)
	}
}

// stopped reports whether the proxy has ended the session while the client waited, and says so: no client can, for
// quic-go hears of nothing then.
func (s *quicSession) stopped() bool {
	if s.ctx.Err() == nil {
		return false
	}
	s.fail = &originError{Host: s.to.String(), ID: "canceled", Detail: detailOf(context.Canceled)}
	return true
}

// quicFailed records why a handshake with an origin failed for another reason than its certificate.
func (s *quicSession) quicFailed(err error) *originError {
	fail := &originError{Host: s.to.String(), ID: "tls", Detail: detailOf(err)}
	f := capture.Fact{Kind: capture.FactTLSFailed, Conn: s.client.number(), Peer: s.server.number(), Host: s.to.String(), Detail: err.Error(), Outcome: "other"}
	var transport *quic.TransportError
	var timeout net.Error
	remote := errors.As(err, &transport) && transport.Remote
	switch {
	case errors.Is(err, context.Canceled):
		fail.ID, f.Outcome, f.Detail = "canceled", "canceled", "the proxy ended it"
	case errors.Is(err, syscall.ECONNREFUSED):
		fail.ID = "refused"
		f.Kind, f.Outcome, f.Addr = capture.FactDialFailed, "refused", s.origin.socket.RemoteAddr().String()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		fail.ID, f.Outcome, f.Detail = "tls-timeout", "timeout", fmt.Sprintf("it took longer than %v", dialTime)
		if !s.origin.flow.answered() {
			fail.ID = "timeout"
			f.Kind, f.Addr = capture.FactDialFailed, s.origin.socket.RemoteAddr().String()
		}
	case s.up.wantsCert && !s.up.showedCert && remote:
		fail.ID, f.Outcome = "tls-client-cert", "client-cert"
	case s.up.judged || s.up.bad != nil:
		fail.ID, f.Outcome = "tls-judged", "judged"
	case remote && transport.ErrorCode.IsCryptoError():
		fail.ID, f.Outcome, f.Detail = "tls-refused", "refused", handshake.AlertName(uint8(transport.ErrorCode))
	}
	s.p.Recorder.Fact(f)
	return fail
}

// run goes on when the client's handshake is over, until both connections have ended.
func (s *quicSession) run(conn *quic.Conn) {
	var closed sync.WaitGroup
	for _, l := range []*leg{s.client, s.server} {
		closed.Add(1)
		l.atClose(closed.Done)
	}
	defer closed.Wait()
	s.client.hang(func() { conn.CloseWithError(noError(s.up.state.NegotiatedProtocol), "") })
	if !s.goOn() {
		conn.CloseWithError(noError(s.up.state.NegotiatedProtocol), "")
		return
	}
	origin := s.origin.conn
	context.AfterFunc(origin.Context(), func() { s.originGone(conn, context.Cause(origin.Context())) })
	relayQUIC(conn, origin)
}

// goOn ends the wait of the handshake with an origin whose certificate is bad. It reports whether there is an origin.
func (s *quicSession) goOn() bool {
	s.deciding.Lock()
	defer s.deciding.Unlock()
	if s.up.bad == nil {
		return true
	}
	if s.up.asked {
		return false // the client has gone
	}
	s.p.Recorder.Fact(capture.Fact{Kind: capture.FactWentOn, Conn: s.client.number(), Peer: s.server.number(), Host: s.up.bad.Host})
	if err := s.up.goOn(); err != nil {
		s.fail = s.quicFailed(err)
		s.client.endedBy("proxy", s.fail.ID)
		s.server.endedBy("proxy", s.fail.ID)
		s.origin.end()
		return false
	}
	s.origin.flow.hang(s.origin.bye)
	return true
}

// clientGone ends the session when the client's connection is over, in its handshake or later.
func (s *quicSession) clientGone(why error) {
	s.deciding.Lock()
	defer s.deciding.Unlock()
	outcome, detail := s.endOf(why, "client")
	s.client.endedBy(outcome, detail)
	s.up.giveUp()
	s.stop()
	if o := s.origin; o != nil {
		s.server.endedBy(outcome, detail)
		if o.conn != nil {
			o.conn.CloseWithError(s.passedOn(why))
		}
		o.end()
	}
	s.flow.finish()
}

// originGone ends the session when the origin's connection is over.
func (s *quicSession) originGone(conn *quic.Conn, why error) {
	outcome, detail := s.endOf(why, "origin")
	s.client.endedBy(outcome, detail)
	s.server.endedBy(outcome, detail)
	conn.CloseWithError(s.passedOn(why))
	s.origin.end()
}

// endOf says who ended a connection with the peer, as FactClosed does.
func (s *quicSession) endOf(why error, peer string) (outcome, detail string) {
	var application *quic.ApplicationError
	var transport *quic.TransportError
	var reset *quic.StatelessResetError
	var timeout net.Error
	switch {
	case errors.As(why, &application) && !application.Remote, errors.Is(why, quic.ErrTransportClosed):
		return "proxy", ""
	case errors.As(why, &application) && application.ErrorCode == noError(s.protocol()) && application.ErrorMessage == "":
		return peer, ""
	case errors.As(why, &application), errors.As(why, &transport) && transport.Remote:
		return peer, why.Error()
	case errors.As(why, &reset):
		return peer, "stateless reset"
	case errors.As(why, &timeout) && timeout.Timeout():
		return "timeout", why.Error()
	}
	return "error", why.Error()
}

// passedOn is the code and the reason with which the other connection is closed.
func (s *quicSession) passedOn(why error) (quic.ApplicationErrorCode, string) {
	var application *quic.ApplicationError
	if errors.As(why, &application) {
		return application.ErrorCode, application.ErrorMessage
	}
	return noError(s.protocol()), ""
}

// protocol is what both connections speak, once that is known.
func (s *quicSession) protocol() string {
	if s.up == nil {
		return ""
	}
	return s.up.state.NegotiatedProtocol
}
