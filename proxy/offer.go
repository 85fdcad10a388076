package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"explainer/capture"
	"explainer/capture/handshake"
)

// ours is what crypto/tls speaks.
var ours = struct {
	suites  []uint16 // TLS 1.2
	suites3 []uint16 // TLS 1.3
	groups  []tls.CurveID
	schemes []tls.SignatureScheme
}{
	groups: []tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024, tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
	schemes: []tls.SignatureScheme{tls.PSSWithSHA256, tls.PSSWithSHA384, tls.PSSWithSHA512, tls.ECDSAWithP256AndSHA256, tls.ECDSAWithP384AndSHA384,
		tls.ECDSAWithP521AndSHA512, tls.Ed25519, tls.PKCS1WithSHA256, tls.PKCS1WithSHA384, tls.PKCS1WithSHA512},
}

func init() {
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if slices.Contains(s.SupportedVersions, tls.VersionTLS13) {
			ours.suites3 = append(ours.suites3, s.ID)
		} else {
			ours.suites = append(ours.suites, s.ID)
		}
	}
}

// needsGroup reports whether a suite of TLS 1.2 makes its secret on a curve.
func needsGroup(id uint16) bool { return strings.HasPrefix(handshake.SuiteName(id), "TLS_ECDHE_") }

// An offer is what the client offers and crypto/tls speaks.
type offer struct {
	min, max uint16 // 0 if there is nothing
	suites   []uint16
	groups   []tls.CurveID // nil where the client names none
}

// offerOf returns what the origin is offered in the client's place: what the
// client offered, as far as crypto/tls speaks it. Of TLS 1.3 it has all suites or none.
func offerOf(hello *tls.ClientHelloInfo) offer {
	var o offer
	both := func(id uint16) bool { return slices.Contains(hello.CipherSuites, id) }
	for _, g := range ours.groups {
		if slices.Contains(hello.SupportedCurves, g) {
			o.groups = append(o.groups, g)
		}
	}
	curves := len(o.groups) > 0 || len(hello.SupportedCurves) == 0 // none named: any will do (RFC 8422 4)
	if slices.Contains(hello.SupportedVersions, tls.VersionTLS12) {
		for _, id := range ours.suites {
			if both(id) && (curves || !needsGroup(id)) {
				o.suites = append(o.suites, id)
			}
		}
	}
	if len(o.suites) > 0 {
		o.min, o.max = tls.VersionTLS12, tls.VersionTLS12
	}
	if slices.Contains(hello.SupportedVersions, tls.VersionTLS13) && len(o.groups) > 0 && slices.ContainsFunc(ours.suites3, both) {
		o.min, o.max = cmp.Or(o.min, tls.VersionTLS13), tls.VersionTLS13
	}
	return o
}

// lacks names what the client offers and crypto/tls does not speak.
func lacks(hello *tls.ClientHelloInfo) (names []string) {
	for _, v := range hello.SupportedVersions {
		if v == tls.VersionTLS11 || v == tls.VersionTLS10 {
			names = append(names, handshake.VersionName(v))
		}
	}
	for _, id := range hello.CipherSuites {
		switch {
		case handshake.IsGREASE(id), id == 0x00ff, id == tls.TLS_FALLBACK_SCSV: // no suites
		case !slices.Contains(ours.suites, id) && !slices.Contains(ours.suites3, id):
			names = append(names, handshake.SuiteName(id))
		}
	}
	for _, g := range hello.SupportedCurves {
		if !handshake.IsGREASE(uint16(g)) && !slices.Contains(ours.groups, g) {
			names = append(names, handshake.GroupName(uint16(g)))
		}
	}
	for _, s := range hello.SignatureSchemes {
		if !handshake.IsGREASE(uint16(s)) && !slices.Contains(ours.schemes, s) {
			names = append(names, handshake.SchemeName(uint16(s)))
		}
	}
	return names
}

// witnessLimit bounds what a witness keeps of either direction.
const witnessLimit = 128 << 10

// A witness keeps what is read from a connection while its handshake runs: what
// the client said can be said again, and the origin's answer tells why it is none.
type witness struct {
	*Tap
	read  []byte
	over  bool // nothing more is kept
	mute  bool // what is written goes nowhere
	muted bool // and something was
}

func (w *witness) Read(b []byte) (int, error) {
	n, err := w.Tap.Read(b)
	if !w.over {
		w.read = append(w.read, b[:min(n, max(0, witnessLimit-len(w.read)))]...)
	}
	return n, err
}

func (w *witness) Write(b []byte) (int, error) {
	if w.mute {
		w.muted = true
		return len(b), nil
	}
	return w.Tap.Write(b)
}

// forget ends the keeping.
func (w *witness) forget() { w.over, w.read = true, nil }

// message returns the first handshake message in clear of the type that stands in
// a stream of TLS records (RFC 8446 5.1) and the length of the stream up to its end,
// or nil.
func message(stream []byte, want handshake.Type, ctx handshake.Context) (handshake.Message, int) {
	var all []byte
	at := 0
	for len(stream)-at >= 5 && stream[at] == 22 {
		n := int(stream[at+3])<<8 | int(stream[at+4])
		end := min(at+5+n, len(stream))
		all, at = append(all, stream[at+5:end]...), end
		for len(all) >= 4 {
			n := 4 + (int(all[1])<<16 | int(all[2])<<8 | int(all[3]))
			if len(all) < n {
				break
			}
			if handshake.Type(all[0]) == want {
				m, err := handshake.Parse(want, all[4:n], ctx)
				if err != nil {
					return nil, 0
				}
				return m, at
			}
			all = all[n:]
		}
	}
	return nil, 0
}

// oddHello says why crypto/tls does not take the ClientHello at the beginning of what a client sent, as FactOpaque does.
func oddHello(stream []byte) string {
	m, _ := message(stream, handshake.TypeClientHello, handshake.Context{})
	if hello, ok := m.(*handshake.ClientHello); ok && strings.HasSuffix(hello.ServerName(), ".") {
		return "hello-dot"
	}
	return "hello"
}

// serverHello returns the ServerHello or HelloRetryRequest at the beginning of what an origin sent.
func serverHello(stream []byte) *handshake.ServerHello {
	m, _ := message(stream, handshake.TypeServerHello, handshake.Context{})
	sh, _ := m.(*handshake.ServerHello)
	return sh
}

// refusal is the fatal alert with which an origin answered in clear, if that is the first thing it said.
func refusal(stream []byte) (alert tls.AlertError, ok bool) {
	if len(stream) >= alertLen && stream[0] == 21 && stream[1] == 3 && stream[5] == 2 {
		return tls.AlertError(stream[6]), true
	}
	return 0, false
}

// A choice is what an origin chose, as far as that stands in clear.
type choice struct {
	words   []string
	foreign []string // those of them that crypto/tls does not speak
}

// choiceOf reads what the beginning of an origin's answer to a ClientHello chooses.
func choiceOf(stream []byte) (c choice) {
	sh := serverHello(stream)
	if sh == nil {
		return c
	}
	add := func(name string, known bool) {
		c.words = append(c.words, name)
		if !known {
			c.foreign = append(c.foreign, name)
		}
	}
	v := sh.Version()
	add(handshake.VersionName(v), v == tls.VersionTLS12 || v == tls.VersionTLS13)
	add(handshake.SuiteName(sh.CipherSuite), slices.Contains(ours.suites, sh.CipherSuite) || slices.Contains(ours.suites3, sh.CipherSuite))
	group := func(g uint16) { add(handshake.GroupName(g), slices.Contains(ours.groups, tls.CurveID(g))) }
	if ks := sh.KeyShare(); ks != nil {
		group(ks.Group)
	} else if g := sh.SelectedGroup(); g != 0 {
		group(g)
	}
	m, _ := message(stream, handshake.TypeServerKeyExchange, handshake.Context{Version: v, KeyExchange: handshake.SuiteKeyExchange(sh.CipherSuite)})
	if ske, ok := m.(*handshake.ServerKeyExchange); ok {
		if ske.Group != 0 {
			group(ske.Group)
		}
		if s := ske.SignatureScheme; s != 0 {
			add(handshake.SchemeName(s), slices.Contains(ours.schemes, tls.SignatureScheme(s)))
		}
	}
	return c
}

// errTunnelled ends the handshake with a client whose connection is passed on as it is.
var errTunnelled = errors.New("passed on as it is")

// replay sends the origin, on a connection of its own, the client's own hello
// where it did not take the proxy's and the client offers what the proxy cannot:
// so it shows whether that is what it wants. Nothing has been sent to the client yet.
// With [Proxy.TunnelUnsupported] the connection is passed on from there.
func (s *session) replay(ctx context.Context, lacking []string) *capture.Fact {
	_, n := message(s.said.read, handshake.TypeClientHello, handshake.Context{FromClient: true})
	if n == 0 {
		return nil
	}
	o, _, fail := s.p.dial(ctx, s.t, s.to, false)
	if fail != nil {
		return nil // dial has told it
	}
	if s.origin == nil {
		s.p.Recorder.Fact(capture.Fact{Kind: capture.FactSession, Conn: s.t.number(), Peer: o.number(), Host: s.to.String()})
	}
	f := capture.Fact{Kind: capture.FactReplayed, Conn: s.t.number(), Peer: o.number(), Host: s.to.String(), Found: lacking, Done: "page"}
	o.SetDeadline(time.Now().Add(dialTime))
	defer context.AfterFunc(ctx, func() { o.SetDeadline(time.Unix(1, 0)) })()
	_, err := o.Write(s.said.read[:n])
	for !answered(o.back) && err == nil && len(o.back) < witnessLimit {
		_, err = o.peek(len(o.back) + 1)
	}
	o.SetDeadline(time.Time{})
	chosen := choiceOf(o.back)
	alert, refused := refusal(o.back)
	switch {
	case len(chosen.words) > 0:
		f.Outcome, f.Detail, f.Addr = "answered", strings.Join(chosen.words, ", "), strings.Join(chosen.foreign, ", ")
		if s.p.TunnelUnsupported {
			f.Done = "tunnelled"
		}
	case refused:
		f.Outcome, f.Detail = "refused", handshake.AlertName(uint8(alert))
	case err == io.EOF:
		f.Outcome = "closed"
	case err != nil:
		f.Outcome, f.Detail = "failed", err.Error()
	default:
		f.Outcome = "not-tls"
	}
	s.p.Recorder.Fact(f)
	if f.Done == "tunnelled" {
		s.tunnel, s.sent, s.said.mute = o, n, true
	} else {
		o.endedBy("proxy", "hello-replayed")
		o.Close()
	}
	return &f
}

// answered reports whether an origin's answer to a ClientHello is there as far as choiceOf reads it.
func answered(stream []byte) bool {
	sh := serverHello(stream)
	if sh != nil && sh.Version() == tls.VersionTLS13 {
		return true
	}
	if done, _ := message(stream, handshake.TypeServerHelloDone, handshake.Context{Version: tls.VersionTLS12}); done != nil {
		return true
	}
	for len(stream) >= 5 && stream[0] == 22 {
		stream = stream[min(len(stream), 5+(int(stream[3])<<8|int(stream[4]))):]
	}
	return len(stream) >= alertLen // a record of another type
}

var _ net.Conn = (*witness)(nil)
