package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"explainer/capture"
)

// TestHelloWithDot: a client that names its server with a dot at the end, which RFC 6066 3 does not allow
// and crypto/tls does not take, gets what the origin makes of that: one takes it, one refuses.
func TestHelloWithDot(t *testing.T) {
	t.Parallel()
	for _, silent := range []bool{false, true} {
		r := newRig(t, func(p *Proxy) {
			if silent {
				p.silence = time.Millisecond // the origin is called before the hello comes
			}
		})
		r.sServer("taken.test")
		out, errs, _ := run(t, strings.NewReader("Q\n"), "openssl", "s_client", "-proxy", r.addr, "-connect", "taken.test:443", "-servername", "taken.test.", "-CAfile", r.originCAFile(), "-verify_return_error", "-brief")
		if !strings.Contains(out+errs, "Verification: OK") || !strings.Contains(out+errs, "CN = taken.test") {
			t.Errorf("an origin that takes the dot: %s\n%s", out, errs)
		}
		r.origin("refused.test", nil, nil)
		_, errs, err := run(t, strings.NewReader("Q\n"), "openssl", "s_client", "-proxy", r.addr, "-connect", "refused.test:443", "-servername", "refused.test.", "-brief")
		if err == nil || !strings.Contains(errs, "decode error") {
			t.Errorf("an origin that does not take the dot: %v, %s", err, errs)
		}
		items := r.items()
		passed := facts(items, capture.FactOpaque)
		if len(passed) != 2 || passed[0].Outcome != "hello-dot" || passed[1].Outcome != "hello-dot" || passed[0].Peer == 0 {
			t.Errorf("%+v", passed)
		}
		if sessions := facts(items, capture.FactSession); len(sessions) != 2 {
			t.Errorf("%d sessions", len(sessions))
		}
	}
}

// TestOddHello: a hello that crypto/tls does not take reaches the origin as it is, with what comes behind it, and the answer the client.
func TestOddHello(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	tls.Client(writeOnly{&said}, &tls.Config{ServerName: "shop.test", NextProtos: []string{"h2"}}).Handshake()
	hello := said.Bytes()
	at := bytes.Index(hello, []byte("\x00\x10\x00\x05\x00\x03\x02h2")) // ALPN (RFC 7301 3.1)
	if at < 0 {
		t.Fatalf("%x", hello)
	}
	copy(hello[at:], "\x00\x17") // a second extended_master_secret (RFC 7627 5.1), and RFC 8446 4.2 allows none twice
	r := newRig(t, nil)
	got := make(chan []byte, 1)
	r.tcpOrigin("odd.test", func(c net.Conn) {
		b := make([]byte, len(hello)+4)
		io.ReadFull(c, b)
		got <- b
		io.WriteString(c, "what")
		c.Close()
	})
	c := r.tunnel("odd.test:443")
	c.Write(append(bytes.Clone(hello), "more"...))
	if b := <-got; string(b) != string(hello)+"more" {
		t.Errorf("the origin got %x", b)
	}
	if b, err := io.ReadAll(c); string(b) != "what" || err != nil {
		t.Errorf("the client got %q, %v", b, err)
	}
	items := r.items()
	checkRecording(t, items)
	if f := fact(t, items, capture.FactOpaque); f.Outcome != "hello" || f.Detail == "" {
		t.Errorf("%+v", f)
	}
}

// writeOnly is a connection to nobody.
type writeOnly struct{ io.Writer }

func (writeOnly) Read([]byte) (int, error)         { return 0, io.EOF }
func (writeOnly) Close() error                     { return nil }
func (writeOnly) LocalAddr() net.Addr              { return nil }
func (writeOnly) RemoteAddr() net.Addr             { return nil }
func (writeOnly) SetDeadline(time.Time) error      { return nil }
func (writeOnly) SetReadDeadline(time.Time) error  { return nil }
func (writeOnly) SetWriteDeadline(time.Time) error { return nil }
