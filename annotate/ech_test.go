package annotate_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// echConfig makes an ECHConfig (RFC 9849 4) with its private key.
func echConfig(t *testing.T, id uint8) (config, private []byte) {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var b cryptobyte.Builder
	b.AddUint16(0xfe0d)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint8(id)
		b.AddUint16(0x0020) // DHKEM(X25519, HKDF-SHA256)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(key.PublicKey().Bytes()) })
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint16(1); b.AddUint16(1) }) // HKDF-SHA256, AES-128-GCM
		b.AddUint8(0)
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte("cover.test")) })
		b.AddUint16(0)
	})
	return b.BytesOrPanic(), key.Bytes()
}

// echLines are the key log lines with which whoever has the private key of a config opens
// the encrypted hello of a tape (RFC 9850 2.3).
func echLines(t *testing.T, tp *tape, config, private []byte) string {
	t.Helper()
	key, err := ecdh.X25519().NewPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	hello := outerHello(t, tp)
	ech, ok := hello.OuterECH()
	if !ok {
		t.Fatal("the hello carries no encrypted one")
	}
	return fmt.Sprintf("ECH_SECRET %x %x\nECH_CONFIG %x %x\n", hello.Random, keys.ECHSecret(key, ech.Enc), hello.Random, config)
}

// TestECH tells of handshakes whose hello carries an encrypted one, or random filling, what each key
// log shows, and refutes nothing over a hello that may not be the one that counted.
// Cells that cannot be: a program logs no lines under the random number of the inner hello where the server did
// not take that, or there is none (GREASE); and who sends random filling has no ECH_SECRET for it.
func TestECH(t *testing.T) {
	s := newSite(t, newECDSA(t), func(c *x509.Certificate) { c.DNSNames = []string{"secret.test"} })
	both := newSite(t, newECDSA(t), func(c *x509.Certificate) { c.DNSNames = []string{"secret.test", "cover.test"} })
	config, private := echConfig(t, 1)
	other, otherPrivate := echConfig(t, 2)
	grease := nssTape(t, &tls.Config{Certificates: []tls.Certificate{both.cert}, MinVersion: tls.VersionTLS13}, "-a", "cover.test", "-i", "100")
	record := func(s site, taken, retry, keep bool) *tape {
		server := &tls.Config{Certificates: []tls.Certificate{s.cert}, MinVersion: tls.VersionTLS13}
		server.EncryptedClientHelloKeys = []tls.EncryptedClientHelloKey{{Config: config, PrivateKey: private, SendAsRetry: keep}}
		if !taken {
			server.EncryptedClientHelloKeys = []tls.EncryptedClientHelloKey{{Config: other, PrivateKey: otherPrivate, SendAsRetry: keep}}
		}
		client := &tls.Config{RootCAs: s.roots, ServerName: "secret.test", MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"},
			EncryptedClientHelloConfigList: append([]byte{byte(len(config) >> 8), byte(len(config))}, config...)}
		server.NextProtos = client.NextProtos
		if retry {
			server.CurvePreferences = []tls.CurveID{tls.CurveP521}
			client.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP521}
		}
		return converse(t, client, server)
	}
	tapes := map[string]*tape{
		"accepted":                record(s, true, false, true),
		"accepted after retry":    record(s, true, true, true),
		"rejected":                record(both, false, false, true),
		"rejected, no other keys": record(both, false, false, false),
		"rejected after retry":    record(both, false, true, true),
		"GREASE":                  grease,
	}
	for _, c := range []struct {
		kind, log string // whose random its lines name, "secret": and ECH_SECRET and ECH_CONFIG, "secret alone": these and no others
		opened    bool
		host      string // of the story
		inner     int    // hellos inside that are told
		proofs    event.ProofState
		says      string // of encrypted hellos, in order
	}{
		{"accepted", "inner", true, "cover.test", 0, event.NotCheckable, "client-hello-ech ech-accepted certificate-name-behind summary-ech-taken-unread"},
		{"accepted", "outer", true, "cover.test", 0, event.NotCheckable, "client-hello-ech certificate-name-cover summary-ech-open"},
		{"accepted", "secret", true, "secret.test", 1, event.Proven, "client-hello-ech inner-hello ech-confirmed certificate-name-inner summary-ech-taken"},
		{"accepted", "secret, outer", true, "secret.test", 1, event.Proven, "client-hello-ech inner-hello ech-confirmed certificate-name-inner summary-ech-taken"},
		{"accepted", "secret alone", false, "secret.test", 1, "", "client-hello-ech inner-hello ech-confirmed summary-ech-taken unopened-ech-lines"},
		{"accepted", "none", false, "cover.test", 0, "", "client-hello-ech"},
		{"accepted after retry", "inner", true, "cover.test", 0, event.NotCheckable, "client-hello-ech client-hello-ech ech-accepted certificate-name-behind summary-ech-taken-unread"},
		{"accepted after retry", "outer", true, "cover.test", 0, event.NotCheckable, "client-hello-ech client-hello-ech certificate-name-cover summary-ech-open"},
		{"accepted after retry", "secret", true, "secret.test", 2, event.Proven, "client-hello-ech inner-hello ech-confirmed-retry client-hello-ech inner-hello-again ech-confirmed certificate-name-inner summary-ech-taken"},
		{"accepted after retry", "none", false, "cover.test", 0, "", "client-hello-ech client-hello-ech"},
		{"rejected", "outer", true, "cover.test", 0, event.Proven, "client-hello-ech summary-ech-other-keys summary-ech-required"},
		{"rejected", "secret", true, "cover.test", 1, event.Proven, "client-hello-ech inner-hello ech-not-confirmed summary-ech-refused"},
		{"rejected", "none", false, "cover.test", 0, "", "client-hello-ech"},
		{"rejected, no other keys", "outer", true, "cover.test", 0, event.Proven, "client-hello-ech summary-ech-unused summary-ech-required"},
		{"rejected, no other keys", "secret", true, "cover.test", 1, event.Proven, "client-hello-ech inner-hello ech-not-confirmed summary-ech-refused"},
		{"rejected after retry", "outer", true, "cover.test", 0, event.Proven, "client-hello-ech client-hello-ech summary-ech-other-keys summary-ech-required"},
		{"rejected after retry", "secret", true, "cover.test", 1, event.Proven, "client-hello-ech inner-hello ech-no-confirmation-retry client-hello-ech summary-ech-refused"},
		{"rejected after retry", "none", false, "cover.test", 0, "", "client-hello-ech client-hello-ech"},
		{"GREASE", "outer", true, "cover.test", 0, event.Proven, "client-hello-ech summary-ech-unused summary-ech-grease"},
		{"GREASE", "secret", true, "cover.test", 0, event.Proven, "client-hello-ech summary-ech-unused summary-ech-grease"}, // a line that lies
		{"GREASE", "none", false, "cover.test", 0, "", "client-hello-ech"},
	} {
		t.Run(c.kind+", "+c.log, func(t *testing.T) {
			made := tapes[c.kind]
			tp := &tape{client: made.client, server: made.server, chunks: made.chunks}
			log := made.keys.String()
			inner, hello := lineRandom(log), outerHello(t, tp)
			outer := hex.EncodeToString(hello.Random[:])
			if (inner == outer) == strings.HasPrefix(c.kind, "accepted") {
				t.Fatalf("the key log names %s, the hello in clear %s", inner, outer)
			}
			if strings.HasSuffix(c.log, "outer") {
				log = strings.ReplaceAll(log, inner, outer)
			}
			if c.log == "none" || c.log == "secret alone" {
				log = ""
			}
			if strings.HasPrefix(c.log, "secret") {
				log += echLines(t, tp, config, private)
			}
			tp.keys = *bytes.NewBufferString(log)
			es := events(messages(tp.inputs(0, capture.LegNone)))
			if bad := refuted(es); len(bad) > 0 {
				t.Errorf("refuted: %q", bad)
			}
			opened, inners, host, says := false, 0, "", []string{}
			told := func(list []event.Sentence) {
				for _, s := range list {
					if strings.Contains(s.ID, "ech") && !strings.HasPrefix(s.ID, "check") || strings.HasPrefix(s.ID, "inner-hello") || strings.HasPrefix(s.ID, "certificate-name-") && s.ID != "certificate-name-good" {
						says = append(says, s.ID)
					}
				}
			}
			for _, e := range es {
				opened = opened || e.Topic == "certificate"
				told(e.Says)
				if e.Topic == event.TopicInnerHello {
					inners++
					if e.TLS.SNI != "secret.test" || !slices.Equal(e.TLS.ALPN, []string{"http/1.1"}) || e.Evidence != event.Decrypted {
						t.Errorf("the hello inside: %+v, %s", e.TLS, e.Evidence)
					}
				}
				if e.Summary != nil {
					host = e.Host
				}
				for _, p := range e.Proofs {
					if slices.Contains([]string{"server-certificate-verify", "server-finished", "client-finished"}, p.ID) && p.State != c.proofs {
						t.Errorf("%s is %s (%s), want %s", p.ID, p.State, p.Reason.English, c.proofs)
					}
				}
			}
			if got := strings.Join(says, " "); opened != c.opened || inners != c.inner || host != c.host || got != c.says {
				t.Errorf("opened %v, %d hellos inside, host %s, want %v, %d, %s\ntold %s\nwant %s", opened, inners, host, c.opened, c.inner, c.host, got, c.says)
			}
		})
	}
}

// TestECHLateKeys: wherever among the packets the key log comes, the hello inside is told once, all opens, and
// nothing is refuted; the random number of either hello may name the lines.
func TestECHLateKeys(t *testing.T) {
	s := newSite(t, newECDSA(t), func(c *x509.Certificate) { c.DNSNames = []string{"secret.test"} })
	config, private := echConfig(t, 1)
	server := &tls.Config{Certificates: []tls.Certificate{s.cert}, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.CurveP521},
		EncryptedClientHelloKeys: []tls.EncryptedClientHelloKey{{Config: config, PrivateKey: private}}}
	client := &tls.Config{RootCAs: s.roots, ServerName: "secret.test", MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP521},
		EncryptedClientHelloConfigList: append([]byte{byte(len(config) >> 8), byte(len(config))}, config...)}
	tp := converse(t, client, server)
	ech, traffic, hello := echLines(t, tp, config, private), tp.keys.String(), outerHello(t, tp)
	for name, log := range map[string]string{
		"first the hello's": ech + traffic, "last the hello's": traffic + ech,
		"under the outer's random": ech + strings.ReplaceAll(traffic, lineRandom(traffic), hex.EncodeToString(hello.Random[:])),
	} {
		tp.keys = *bytes.NewBufferString(log)
		in := tp.inputs(0, capture.LegNone)
		lines := strings.Count(log, "\n")
		for at := 0; at <= len(in)-lines; at++ {
			for _, size := range []int{0, 1} {
				moved := slices.Insert(slices.Clone(in[lines:]), at, in[:lines]...)
				var d capture.Decoder
				var x annotate.Explainer
				inner, sealed, bad := 0, 0, []string(nil)
				tell := func(ms []capture.Message) {
					for i := range ms {
						switch ms[i].Body.(type) {
						case *capture.InnerHello:
							inner++
						case *capture.Sealed:
							sealed++
						}
						bad = append(bad, refuted(x.Explain(&ms[i]))...)
					}
				}
				for _, i := range moved {
					if c, ok := i.(*capture.Chunk); ok && size > 0 {
						for n := range c.Data {
							one := *c
							one.Data = c.Data[n : n+1]
							tell(d.Feed(&one))
						}
						continue
					}
					tell(d.Feed(i))
				}
				tell(d.Finish())
				bad = append(bad, refuted(x.Finish())...)
				// What comes behind the last packet finds the records given up.
				if inner != 2 || len(bad) > 0 || sealed > 0 && at < len(moved)-lines-1 {
					t.Errorf("%s, keys at %d, size %d: %d hellos inside, %d runs sealed, refuted %q", name, at, size, inner, sealed, bad)
				}
			}
		}
	}
}

// TestECHOfNSS: what the library of Firefox writes into its key log opens its encrypted hello, and is what
// the server's private key makes of that hello.
func TestECHOfNSS(t *testing.T) {
	s := newSite(t, newECDSA(t), func(c *x509.Certificate) { c.DNSNames = []string{"secret.test"} })
	config, private := echConfig(t, 1)
	list := append([]byte{byte(len(config) >> 8), byte(len(config))}, config...)
	for what, curve := range map[string]tls.CurveID{"at once": tls.X25519, "after a HelloRetryRequest": tls.CurveP521} {
		t.Run(what, func(t *testing.T) {
			tp := nssTape(t, &tls.Config{
				Certificates: []tls.Certificate{s.cert}, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{curve},
				EncryptedClientHelloKeys: []tls.EncryptedClientHelloKey{{Config: config, PrivateKey: private}},
			}, "-a", "secret.test", "-N", base64.StdEncoding.EncodeToString(list))
			if log := tp.keys.String(); !strings.Contains(log, echLines(t, tp, config, private)) {
				t.Errorf("its key log is\n%s\nand the private key makes\n%s", log, echLines(t, tp, config, private))
			}
			proofs := map[string]event.ProofState{}
			for _, e := range events(messages(tp.inputs(0, capture.LegNone))) {
				for _, p := range e.Proofs {
					proofs[p.ID] = p.State
				}
			}
			for _, id := range []string{"ech-opened", "ech-confirmed", "server-certificate-verify", "server-finished", "client-finished"} {
				if proofs[id] != event.Proven {
					t.Errorf("%s is %q", id, proofs[id])
				}
			}
		})
	}
}

// nssTape tapes a connection of NSS's own client to a server. Debian's Firefox has the NSS that logs encrypted hellos.
func nssTape(t *testing.T, config *tls.Config, args ...string) *tape {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	db := t.TempDir()
	if out, err := exec.Command("certutil", "-N", "-d", db, "--empty-password").CombinedOutput(); err != nil {
		t.Fatalf("certutil: %v: %s", err, out)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	log := filepath.Join(db, "log")
	cmd := exec.CommandContext(t.Context(), "tstclnt", append([]string{"-d", db, "-h", "127.0.0.1", "-p", port, "-V", "tls1.3:tls1.3", "-o", "-Q"}, args...)...)
	cmd.Env = append(os.Environ(), "SSLKEYLOGFILE="+log, "LD_LIBRARY_PATH=/usr/lib/firefox-esr")
	cmd.Stdin = strings.NewReader(request)
	done := make(chan []byte, 1)
	go func() {
		out, _ := cmd.CombinedOutput()
		l.Close() // if it did not connect, nobody waits for it
		done <- out
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatalf("%v; tstclnt: %s", err, <-done)
	}
	tp := &tape{client: netip.MustParseAddrPort("192.0.2.1:50000"), server: netip.MustParseAddrPort("198.51.100.7:443")}
	server := tls.Server(&taped{&heard{c, tp}, tp, capture.Server}, config)
	err = server.Handshake()
	io.Copy(io.Discard, server)
	server.Close()
	if out := <-done; err != nil {
		t.Fatalf("%v; tstclnt: %s", err, out)
	}
	lines, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	tp.keys.Write(lines)
	return tp
}

// heard tapes what a real client sends.
type heard struct {
	net.Conn
	tape *tape
}

func (c *heard) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.tape.add(capture.Client, p[:n], false)
	}
	return n, err
}

// lineRandom is the client random of the first line of a key log that opens records.
func lineRandom(log string) string {
	for line := range strings.Lines(log) {
		if words := strings.Fields(line); len(words) == 3 && strings.Contains(words[0], "TRAFFIC") {
			return words[1]
		}
	}
	return ""
}

// outerHello is the hello in clear.
func outerHello(t *testing.T, tp *tape) *handshake.ClientHello {
	t.Helper()
	for _, m := range messages(tp.inputs(0, capture.LegNone)) {
		if hello, ok := m.Body.(*handshake.ClientHello); ok {
			return hello
		}
	}
	t.Fatal("no ClientHello")
	return nil
}
