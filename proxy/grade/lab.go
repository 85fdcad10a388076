package grade

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/ca/verify"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// The trials that are no fault of package ca.
const (
	trialOwnCA  = "own-ca"        // the origin's certificate is signed by the proxy's own CA
	trialTLS12  = "tls12-origin"  // a good origin that speaks TLS 1.2 alone
	trialH2     = "h2-origin"     // a good origin that prefers HTTP/2
	trialNames  = "two-names"     // a good origin whose certificate has two names
	trialNarrow = "narrow-client" // a good origin and a client that offers two suites of TLS 1.2
	trialOld    = "old-client"    // a good origin and a client that offers CBC and RSA key transport too
	trialCBC    = "cbc-origin"    // the same client, and an origin that takes CBC alone
	trialRSA    = "rsa-origin"    // the same client, and an origin that takes RSA key transport alone
	trialOne    = "one-suite"     // a good origin and a client that offers one suite of TLS 1.3
	trialAgain  = "renegotiation" // a good origin that asks to renegotiate
)

// otherTrials are all of them, in the order in which they are made.
var otherTrials = []string{trialOwnCA, trialTLS12, trialH2, trialNames, trialNarrow, trialOld, trialCBC, trialRSA, trialOne, trialAgain}

const (
	hostName    = "localhost"
	hostAddress = "127.0.0.1"
	// A name with enough labels for wildcards; it leads here (RFC 6761 6.3), where a resolver knows that.
	hostLabels = "www.site.localhost"
	secondName = "second.localhost"

	hstsValue   = "max-age=31536000; includeSubDomains; preload"
	altSvcValue = `h3=":443"; ma=86400`

	// settleTime is how long connections that the proxy still has to origins may
	// take to end when all requests were made.
	settleTime = 2 * time.Second
	// originTime bounds an origin's connection.
	originTime = 20 * time.Second
	// askTime is how long a peer may take to answer a HelloRequest.
	askTime = 2 * time.Second
)

// A trial is an origin, and the request for it.
type trial struct {
	id, host string
	fault    *ca.Fault // nil for those named above
	suites   []uint16  // of TLS 1.2 that the client offers; nil for what crypto/tls does
	only12   bool      // the client has no TLS 1.3
	listener net.Listener

	mu   sync.Mutex
	seen Origin
	open sync.WaitGroup
}

// addr is what the proxy is asked to connect to.
func (t *trial) addr() string {
	return net.JoinHostPort(t.host, strconv.Itoa(t.listener.Addr().(*net.TCPAddr).Port))
}

// A Lab runs the origins.
type Lab struct {
	authority *ca.Authority
	trials    []*trial
	word      string // by which an answer is known to be an origin's
}

// NewLab opens an origin for each trial; authority signs their certificates, and
// the proxy under test must trust what Roots returns, for origins alone.
func NewLab(authority *ca.Authority) (*Lab, error) {
	var b [16]byte
	rand.Read(b[:])
	l := &Lab{authority: authority, word: "explainer grade " + hex.EncodeToString(b[:])}
	add := func(t *trial) (err error) {
		if t.listener, err = net.Listen("tcp", hostAddress+":0"); err != nil {
			return said(err, words.Piece("grade-error/loopback", "error", err.Error()))
		}
		l.trials = append(l.trials, t)
		return nil
	}
	var err error
	for _, id := range faultIDs() {
		f := faultOf(id)
		if f == nil {
			return nil, fmt.Errorf("there is no fault %q", id)
		}
		host := hostName
		switch {
		case f.ByAddress:
			host = hostAddress
		case f.Control == "good-wildcard" || id == "good-wildcard":
			host = hostLabels
		}
		err = errors.Join(err, add(&trial{id: id, host: host, fault: f}))
	}
	for _, id := range otherTrials {
		t := &trial{id: id, host: hostName}
		switch id {
		case trialNarrow:
			t.suites, t.only12 = narrowSuites, true
		case trialOld, trialCBC, trialRSA:
			t.suites = oldSuites
		}
		err = errors.Join(err, add(t))
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Close closes the origins.
func (l *Lab) Close() {
	for _, t := range l.trials {
		t.listener.Close()
	}
}

// Roots are the certificates that the proxy must trust for origins, the lab's
// own first. The second has expired and must be refused all the same.
func (l *Lab) Roots() ([]*x509.Certificate, error) {
	expired, err := l.authority.ExpiredTwin()
	if err != nil {
		return nil, err
	}
	return []*x509.Certificate{l.authority.Certificate(), expired}, nil
}

// Names are the addresses of hosts that no resolver need know, by host:port.
func (l *Lab) Names() map[string]string {
	names := map[string]string{}
	for _, t := range l.trials {
		if t.host == hostLabels {
			names[t.addr()] = t.listener.Addr().String()
		}
	}
	return names
}

// Run makes every request through the proxy. own is nil but for this program's
// own proxy, whose CA then signs an origin's certificate; expiredTrusted tells
// that the proxy was told to trust the second of Roots too. progress is
// called before each request. The error is that there is no such proxy.
func (l *Lab) Run(ctx context.Context, p *Proxy, own *ca.Authority, expiredTrusted bool, progress func(done, all int, id string)) (*Evidence, error) {
	p.roots = x509.NewCertPool()
	for _, c := range p.CA {
		p.roots.AddCert(c)
	}
	e := &Evidence{CA: p.CA}
	for i, t := range l.trials {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		progress(i, len(l.trials), t.id)
		out := &Trial{ID: t.id, Host: t.host}
		e.Trials = append(e.Trials, out)
		switch {
		case t.id == trialOwnCA && own == nil:
			out.Skipped = words.Piece("grade/skip-own-ca")
			continue
		case t.fault != nil && t.fault.Trust && !expiredTrusted:
			out.Skipped = words.Piece("grade/skip-expired")
			continue
		}
		config, err := l.config(t, own)
		if err != nil {
			return nil, fmt.Errorf("cannot make the origin %s: %w", t.id, err)
		}
		t.open.Add(1)
		go func() {
			defer t.open.Done()
			l.serve(t, config)
		}()
		began := time.Now()
		out.Origin.Found = l.wrongWith(t, config)
		if out.Client, err = l.ask(ctx, p, t, usual(e, t.fault)); err != nil {
			return nil, err
		}
		if t.id == "good" && time.Since(began) >= requestTime {
			return nil, said(nil, words.Piece("grade-error/slow", "address", p.Addr, "time", requestTime.String()))
		}
		if t.id == "good" && out.Client.End == EndCertificate {
			return nil, said(ErrOtherCA, words.Piece("grade-error/other-ca", "host", t.host, "detail", out.Client.Detail))
		}
	}
	l.Close()
	l.settle()
	for i, t := range l.trials {
		t.mu.Lock()
		found := e.Trials[i].Origin.Found
		e.Trials[i].Origin = t.seen
		e.Trials[i].Origin.Found = found
		t.mu.Unlock()
	}
	e.Network = network(ctx, p.Addr)
	return e, nil
}

// ErrOtherCA is that the proxy shows certificates that the CA given does not vouch for.
var ErrOtherCA = errors.New("the client does not trust it")

// settle waits until no origin has a connection any more, within bounds.
func (l *Lab) settle() {
	ended := make(chan struct{})
	go func() {
		for _, t := range l.trials {
			t.open.Wait()
		}
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(settleTime):
	}
}

// config returns what the trial's origin is made of.
func (l *Lab) config(t *trial, own *ca.Authority) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, SessionTicketsDisabled: true, DynamicRecordSizingDisabled: true}
	var cert *tls.Certificate
	var err error
	switch {
	case t.fault != nil:
		cert, err = l.authority.Faulty(t.host, t.id)
		if t.fault.Only12 {
			c.MaxVersion = tls.VersionTLS12
		}
		t.fault.Configure(c)
	case t.id == trialOwnCA:
		cert, err = own.Leaf(context.Background(), ca.Spec{Names: []string{t.host}})
	case t.id == trialNames:
		cert, err = l.authority.Leaf(context.Background(), ca.Spec{Names: []string{t.host, secondName}})
	case t.id == trialOld, t.id == trialCBC, t.id == trialRSA:
		cert, err = l.authority.Faulty(t.host, "good-rsa")
	default:
		cert, err = l.authority.Faulty(t.host, "good")
	}
	if err != nil {
		return nil, err
	}
	c.Certificates = []tls.Certificate{*cert}
	switch t.id {
	case trialTLS12:
		c.MaxVersion = tls.VersionTLS12
	case trialCBC:
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA}
	case trialRSA:
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
	case trialH2:
		c.NextProtos = []string{"h2", "http/1.1"}
	case trialAgain:
		c.MaxVersion = tls.VersionTLS12
		c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	}
	return c, nil
}

// wrongWith is what some client would refuse of the trial's origin, as the lab knows it.
func (l *Lab) wrongWith(t *trial, config *tls.Config) []verify.Check {
	cert := config.Certificates[0]
	in := verify.Input{Chain: cert.Certificate, Name: t.host, Time: time.Now(), Use: verify.Signed, Staple: cert.OCSPStaple, Stapling: verify.StapleAsked,
		Roots: verify.NewRoots("the lab's CA", l.authority.Certificate().Raw)}
	return refusable(in)
}

// refusable is what some client refuses of a chain and a staple: what fails, and what is
// warned of unless no client that was tested minds.
func refusable(in verify.Input) (out []verify.Check) {
	for _, c := range verify.Chain(in).Checks {
		if c.Counts() {
			out = append(out, c)
		}
	}
	return out
}

// usual are the reasons for which the proxy's certificates are refusable where the
// origin is good: they say nothing of one with the fault.
func usual(e *Evidence, f *ca.Fault) []string {
	if f == nil || f.Severity == ca.Control {
		return nil
	}
	if good := e.trial(controlOf(f)); good != nil {
		return reasons(good.Client.Found, nil)
	}
	return nil
}

// serve serves the trial's origin until its listener is closed.
func (l *Lab) serve(t *trial, config *tls.Config) {
	for {
		conn, err := t.listener.Accept()
		if err != nil {
			return
		}
		t.open.Add(1)
		go func() {
			defer t.open.Done()
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(originTime))
			l.serveConn(t, conn, config)
		}()
	}
}

func (l *Lab) serveConn(t *trial, conn net.Conn, config *tls.Config) {
	tap := &helloTap{Conn: conn}
	var again *asker
	under := net.Conn(tap)
	if t.id == trialAgain {
		again = &asker{Conn: tap}
		config = config.Clone()
		config.KeyLogWriter = keyOf{again}
		under = again
	}
	secure := tls.Server(under, config)
	err := secure.Handshake()
	hello := tap.hello()
	t.mu.Lock()
	if hello != nil {
		t.seen.Calls++
		t.seen.Hellos = append(t.seen.Hellos, hello)
	}
	if err == nil {
		state := secure.ConnectionState()
		t.seen.Finished++
		t.seen.Version, t.seen.Suite, t.seen.Group, t.seen.ALPN = state.Version, state.CipherSuite, uint16(state.CurveID), state.NegotiatedProtocol
	}
	t.mu.Unlock()
	if err != nil {
		return
	}
	if again != nil {
		ask, another := again.ask(secure, t.host)
		t.mu.Lock()
		t.seen.Ask, t.seen.Another = ask, another
		t.mu.Unlock()
		return
	}
	if secure.ConnectionState().NegotiatedProtocol == "h2" {
		l.serveHTTP2(secure)
		return
	}
	counted := &counter{Conn: secure, t: t}
	r, err := http.ReadRequest(bufio.NewReader(io.LimitReader(counted, maxHead)))
	if err != nil {
		return
	}
	resp := &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: l.header(), ContentLength: int64(len(l.word)), Body: io.NopCloser(strings.NewReader(l.word)), Close: true}
	resp.Write(secure)
	secure.Close()
}

// serveHTTP2 answers the requests of a connection until it is closed.
func (l *Lab) serveHTTP2(conn *tls.Conn) {
	one := &oneConn{conn: conn, closed: make(chan struct{})}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			maps.Copy(w.Header(), l.header())
			io.WriteString(w, l.word)
		}),
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateClosed {
				close(one.closed)
			}
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	server.Serve(one)
}

// oneConn is a listener that gives one connection, and ends with it.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// header is that of every answer of an origin.
func (l *Lab) header() http.Header {
	return http.Header{"Content-Type": {"text/plain"}, "Strict-Transport-Security": {hstsValue}, "Alt-Svc": {altSvcValue}}
}

// counter counts the application data that arrives.
type counter struct {
	net.Conn
	t *trial
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.t.mu.Lock()
	c.t.seen.Bytes += n
	c.t.mu.Unlock()
	return n, err
}

// An asker asks its peer to renegotiate (RFC 5246 7.4.1.1), which crypto/tls never
// does: it seals the message itself with the connection's keys.
type asker struct {
	net.Conn
	key      keys.Secret
	in, sent []byte // the bytes of either direction
}

// keyOf gives an asker the connection's key log line.
type keyOf struct{ a *asker }

func (k keyOf) Write(line []byte) (int, error) {
	k.a.key, _ = keys.ParseLine(line)
	return len(line), nil
}

func (a *asker) Read(b []byte) (int, error) {
	n, err := a.Conn.Read(b)
	a.in = append(a.in, b[:n]...)
	return n, err
}

func (a *asker) Write(b []byte) (int, error) {
	a.sent = append(a.sent, b...)
	return a.Conn.Write(b)
}

// How a peer answered a HelloRequest.
const (
	askedAgain   = "client-hello" // it began to renegotiate
	askedAlert   = "alert"        // it refused
	askedClosed  = "closed"
	askedIgnored = "ignored" // it went on without
)

// ask sends a HelloRequest behind the handshake and tells how the peer answered
// it; "" if that could not be asked. The connection is of no use afterwards.
func (a *asker) ask(secure *tls.Conn, host string) (answer, another string) {
	sh, ok := message(a.sent, handshake.TypeServerHello).(*handshake.ServerHello)
	suite, known := keys.SuiteByID(secure.ConnectionState().CipherSuite)
	if !ok || !known {
		return "", ""
	}
	client, seal, err := keys.NewTLS12(tls.VersionTLS12, suite, a.key.Secret, a.key.ClientRandom, sh.Random[:], false)
	if err != nil {
		return "", ""
	}
	// The first record with these keys was Finished: it is only counted.
	if _, err := seal.Seal(nil, 22, tls.VersionTLS12, nil); err != nil {
		return "", ""
	}
	sealed, err := seal.Seal(nil, 22, tls.VersionTLS12, []byte{byte(handshake.TypeHelloRequest), 0, 0, 0})
	if err != nil {
		return "", ""
	}
	record := append([]byte{22, 3, 3, byte(len(sealed) >> 8), byte(len(sealed))}, sealed...)
	a.SetReadDeadline(time.Now().Add(askTime))
	if _, err := a.Conn.Write(record); err != nil {
		return askedClosed, ""
	}
	// The type of a record stands in clear. crypto/tls may have read some of them already.
	for buf := make([]byte, 4096); len(a.in) < maxHello; {
		switch answer := answered(a.in); answer {
		case "":
		case askedAgain:
			_, server, err := keys.NewTLS12(tls.VersionTLS12, suite, a.key.Secret, a.key.ClientRandom, sh.Random[:], false)
			if err != nil {
				return answer, ""
			}
			for len(protected(a.in)) < 2 && len(a.in) < maxHello { // until the whole hello is there
				if _, err := a.Read(buf); err != nil {
					return answer, ""
				}
			}
			return answer, a.another(host, client, server, seal)
		default:
			return answer, ""
		}
		if _, err := a.Read(buf); err != nil {
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				return askedIgnored, ""
			}
			return askedClosed, ""
		}
	}
	return askedIgnored, ""
}

// answered looks, in what a client sent, for an alert or a handshake message behind its Finished.
func answered(stream []byte) string {
	protected := 0
	for len(stream) >= 5 {
		typ, n := stream[0], 5+(int(stream[3])<<8|int(stream[4]))
		switch {
		case typ == 20 && protected == 0, protected == 1:
			protected++
		case protected == 2 && typ == 22:
			return askedAgain
		case protected == 2 && typ == 21:
			return askedAlert
		}
		stream = stream[min(n, len(stream)):]
	}
	return ""
}

// network finds out whether the proxy takes connections at this machine's other addresses.
func network(ctx context.Context, addr string) (n Network) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return n
	}
	local, err := net.InterfaceAddrs()
	if err != nil {
		return n
	}
	for _, a := range local {
		ip, ok := a.(*net.IPNet)
		if !ok || ip.IP.IsLoopback() || ip.IP.IsLinkLocalUnicast() {
			continue
		}
		other := net.JoinHostPort(ip.IP.String(), port)
		n.Tried = append(n.Tried, other)
		dialer := net.Dialer{Timeout: time.Second}
		if conn, err := dialer.DialContext(ctx, "tcp", other); err == nil {
			conn.Close()
			n.Opened = append(n.Opened, other)
		}
	}
	return n
}

// A saidError is an error in words of ours.
type saidError struct {
	text  event.Text
	cause error // may be nil
}

func said(cause error, text event.Text) error { return &saidError{text, cause} }

func (e *saidError) Error() string    { return e.text.English }
func (e *saidError) Text() event.Text { return e.text }
func (e *saidError) Unwrap() error    { return e.cause }
