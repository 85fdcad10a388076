package grade

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"explainer/annotate/words"
	"explainer/ca"
	"explainer/ca/verify"
	"explainer/capture/handshake"
)

// requestTime bounds one request through the proxy.
const requestTime = 15 * time.Second

// maxBody is how much of an answer's body is kept, maxHead how long its head may be, in bytes.
const (
	maxBody = 8 << 10
	maxHead = 64 << 10
)

// narrowSuites are what the narrow client offers, and nothing else.
var narrowSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}

// oldSuites are what the old client offers of TLS 1.2: beside the ephemeral suites of
// today those with CBC, and RSA key transport.
var oldSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA,
}

// ask makes the trial's request through the proxy, as a client that refuses of the
// certificate that it is shown what any client refuses, but for the reasons that are
// usual with this proxy. The error is that the proxy cannot be reached.
func (l *Lab) ask(ctx context.Context, p *Proxy, t *trial, usual []string) (c Client, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", p.Addr)
	if err != nil {
		return c, said(err, words.Piece("grade-error/unreached", "address", p.Addr, "error", err.Error()))
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()

	in := bufio.NewReader(conn)
	head := "CONNECT " + t.addr() + " HTTP/1.1\r\nHost: " + t.addr() + "\r\n"
	if p.User != nil {
		password, _ := p.User.Password()
		head += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(p.User.Username()+":"+password)) + "\r\n"
	}
	c.End = EndConnect
	if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
		c.Detail = err.Error()
		return c, nil
	}
	resp, err := tunnelled(in)
	if err != nil {
		c.Detail = err.Error()
		return c, nil
	}
	if resp.StatusCode/100 != 2 {
		c.Status, c.Detail = resp.StatusCode, resp.Status
		return c, nil
	}

	config := &tls.Config{ServerName: t.host, RootCAs: p.roots, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12}
	config.CipherSuites = t.suites
	if t.only12 {
		config.MaxVersion = tls.VersionTLS12
	}
	config.VerifyConnection = func(state tls.ConnectionState) error {
		c.Found = p.refusable(state)
		if t.fault == nil || t.fault.Severity == ca.Control {
			return nil // what crypto/x509 accepts will do
		}
		for _, w := range c.Found {
			if !slices.Contains(usual, w.Reason) {
				return fmt.Errorf("%w: %s", errRefusable, w.Reason)
			}
		}
		return nil
	}
	tap := &helloTap{Conn: buffered{conn, in}, written: true}
	under := net.Conn(tap)
	if t.id == trialOne {
		under = &oneSuite{Conn: tap}
	}
	secure := tls.Client(under, config)
	err = secure.HandshakeContext(ctx)
	c.Hello = tap.hello()
	state := secure.ConnectionState()
	if len(state.PeerCertificates) > 0 {
		c.Leaf = state.PeerCertificates[0]
	}
	if err != nil {
		c.End, c.Detail = EndHandshake, err.Error()
		var refused *tls.CertificateVerificationError
		if errors.As(err, &refused) {
			c.End, c.Detail = EndCertificate, refused.Err.Error()
			if len(refused.UnverifiedCertificates) > 0 {
				c.Leaf = refused.UnverifiedCertificates[0]
			}
		}
		if errors.Is(err, errRefusable) {
			c.End = EndCertificate
		}
		return c, nil
	}
	defer secure.Close()
	c.Version, c.Suite, c.Group, c.ALPN = state.Version, state.CipherSuite, uint16(state.CurveID), state.NegotiatedProtocol

	c.End = EndClosed
	resp, err = l.fetch(ctx, secure, t)
	if err != nil {
		c.Detail = err.Error()
		return c, nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	c.End = EndPage
	if bytes.Contains(body, []byte(l.word)) {
		c.End = EndAnswer
	}
	c.Status, c.Detail, c.Body = resp.StatusCode, resp.Status, string(body)
	c.HSTS, c.AltSvc = resp.Header["Strict-Transport-Security"], resp.Header["Alt-Svc"]
	return c, nil
}

// tunnelled reads the answer to CONNECT, and nothing behind its head.
func tunnelled(in *bufio.Reader) (*http.Response, error) {
	var head []byte
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, fmt.Errorf("the proxy's answer has no end: %w", err)
		}
		if head = append(head, line...); len(head) > maxHead {
			return nil, fmt.Errorf("the head of the proxy's answer has more than %d bytes", maxHead)
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			return http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), &http.Request{Method: http.MethodConnect})
		}
	}
}

// errRefusable is what crypto/tls takes and some client refuses.
var errRefusable = errors.New("some client refuses this")

// refusable is what some client would refuse of what the proxy shows.
func (p *Proxy) refusable(state tls.ConnectionState) []verify.Check {
	in := verify.Input{Time: time.Now(), Name: state.ServerName, Staple: state.OCSPResponse, Stapling: verify.StapleAsked, Roots: verify.NewRoots("the proxy's CA"), Use: verify.Signed}
	if handshake.SuiteKeyExchange(state.CipherSuite) == handshake.KeyExchangeRSA {
		in.Use = verify.Decrypted
	}
	for _, c := range p.CA {
		in.Roots.Add(c.Raw)
	}
	for _, c := range state.PeerCertificates {
		in.Chain = append(in.Chain, c.Raw)
	}
	return refusable(in)
}

// fetch sends the request in the protocol that was negotiated.
func (l *Lab) fetch(ctx context.Context, conn *tls.Conn, t *trial) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+t.addr()+"/"+t.id, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "explainer-grade")
	r.Header.Set("Accept", "text/html, */*")
	dialled := false
	transport := &http.Transport{
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: maxHead,
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			if dialled {
				return nil, io.ErrUnexpectedEOF // one trial, one connection
			}
			dialled = true
			return conn, nil
		},
	}
	return transport.RoundTrip(r)
}

// buffered is a connection of which some bytes were read ahead.
type buffered struct {
	net.Conn
	in *bufio.Reader
}

func (c buffered) Read(b []byte) (int, error) { return c.in.Read(b) }

// A oneSuite puts GREASE (RFC 8701) in the place of every suite of the ClientHello but
// one, which crypto/tls lets no client do for TLS 1.3. The handshake
// then fails, after the proxy has called its origin.
type oneSuite struct {
	net.Conn
	done bool
}

func (c *oneSuite) Write(b []byte) (int, error) {
	// Behind a record's and a message's header, the version and the random number stand the session ID and the suites (RFC 8446 4.1.2).
	const at = 5 + 4 + 2 + 32
	if c.done || len(b) <= at || len(b) < at+3+int(b[at]) {
		return c.Conn.Write(b)
	}
	c.done = true
	out := slices.Clone(b)
	list := out[at+1+int(b[at]):]
	suites := list[2:min(len(list), 2+int(list[0])<<8+int(list[1]))]
	for i := 0; i+1 < len(suites); i += 2 {
		if id := uint16(suites[i])<<8 | uint16(suites[i+1]); id != tls.TLS_AES_128_GCM_SHA256 {
			suites[i], suites[i+1] = 0x0a, 0x0a
		}
	}
	return c.Conn.Write(out)
}

// A helloTap keeps the first bytes of one direction of a connection.
type helloTap struct {
	net.Conn
	written bool // what is written, else what is read
	kept    []byte
}

// maxHello is how many bytes a ClientHello may take here.
const maxHello = 64 << 10

func (c *helloTap) keep(b []byte) {
	c.kept = append(c.kept, b[:min(len(b), maxHello-len(c.kept))]...)
}

func (c *helloTap) Write(b []byte) (int, error) {
	if c.written {
		c.keep(b)
	}
	return c.Conn.Write(b)
}

func (c *helloTap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if !c.written {
		c.keep(b[:n])
	}
	return n, err
}

// hello returns the ClientHello that was kept, or nil.
func (c *helloTap) hello() *handshake.ClientHello {
	m, _ := message(c.kept, handshake.TypeClientHello).(*handshake.ClientHello)
	return m
}

// message reads the first handshake message of a stream of TLS records (RFC 8446
// 5.1) that is of the type, or nil.
func message(stream []byte, want handshake.Type) handshake.Message {
	var all []byte
	for len(stream) >= 5 && stream[0] == 22 {
		n := int(stream[3])<<8 | int(stream[4])
		end := min(5+n, len(stream))
		all, stream = append(all, stream[5:end]...), stream[end:]
	}
	for len(all) >= 4 {
		n := int(all[1])<<16 | int(all[2])<<8 | int(all[3])
		if len(all) < 4+n {
			return nil
		}
		if handshake.Type(all[0]) == want {
			m, err := handshake.Parse(want, all[4:4+n], handshake.Context{FromClient: want == handshake.TypeClientHello})
			if err != nil {
				return nil
			}
			return m
		}
		all = all[4+n:]
	}
	return nil
}

// A Proxy is what is graded.
type Proxy struct {
	Addr string              // host:port, on this machine
	User *url.Userinfo       // may be nil
	CA   []*x509.Certificate // what its clients are told to trust

	roots *x509.CertPool
}

// words makes what a proxy sent fit for a report: short, on one line, printable.
func clean(s string) string {
	if len(s) > 160 {
		s = s[:160] + "..."
	}
	s = strings.Map(func(r rune) rune {
		if r != ' ' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}
