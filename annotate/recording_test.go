package annotate_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/keys"

	"github.com/rogpeppe/go-internal/txtar"
)

var (
	record       = flag.Bool("record", false, "make the handshakes of testdata anew")
	update       = flag.Bool("update", false, "write the stories of testdata anew")
	damages      = flag.Int("damages", 6, "how often each recording is damaged, each time otherwise")
	damagesWhole = flag.Bool("damages-whole", false, "leave out each packet and each pair of packets of every small recording")
)

// A tape is what passed on one connection, and its keys: the inputs of a decoder.
type tape struct {
	mu     sync.Mutex
	client netip.AddrPort
	server netip.AddrPort
	chunks []chunk
	keys   bytes.Buffer
}

type chunk struct {
	side capture.Side
	data []byte
	end  bool
}

func (tp *tape) add(side capture.Side, data []byte, end bool) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.chunks = append(tp.chunks, chunk{side, bytes.Clone(data), end})
}

func (tp *tape) Write(p []byte) (int, error) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return tp.keys.Write(p)
}

// taped is one end of a connection whose writes are taped.
type taped struct {
	net.Conn
	tape *tape
	side capture.Side
}

func (c *taped) Write(p []byte) (int, error) {
	c.tape.add(c.side, p, false)
	return c.Conn.Write(p)
}

func (c *taped) Close() error {
	c.tape.add(c.side, nil, true)
	return c.Conn.Close()
}

// start is the time of the fixtures' first packet.
var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// inputs are those of a decoder, secrets first. base is the number of the
// connection before.
func (tp *tape) inputs(base int, leg capture.Leg) []capture.Input {
	var in []capture.Input
	if err := keys.ReadLog(bytes.NewReader(tp.keys.Bytes()), func(s keys.Secret) { in = append(in, &s) }); err != nil {
		panic(err)
	}
	now, packet := start.UnixNano()+int64(base)*int64(time.Second), base*1000+1
	in = append(in, &capture.Open{Conn: base + 1, Leg: leg, Time: now, Packet: packet, Client: tp.client, Server: tp.server, SYN: true})
	for _, c := range tp.chunks {
		now += int64(time.Millisecond)
		packet++
		if c.end {
			in = append(in, &capture.Close{Conn: base + 1, Side: c.side, Time: now, Packet: packet})
		} else {
			in = append(in, &capture.Chunk{Conn: base + 1, Side: c.side, Time: now, Packet: packet, Data: c.data})
		}
	}
	return in
}

// messages decodes inputs.
func messages(inputs []capture.Input) []capture.Message {
	var d capture.Decoder
	d.SecretsFirst = true
	var out []capture.Message
	for _, in := range inputs {
		out = append(out, slices.Clone(d.Feed(in))...)
	}
	return append(out, d.Finish()...)
}

// events explains messages.
func events(ms []capture.Message) []event.Event {
	x := new(annotate.Explainer)
	var out []event.Event
	for i := range ms {
		out = append(out, x.Explain(&ms[i])...)
	}
	return append(out, x.Finish()...)
}

// encode writes a tape as text: who sent what, in hex.
func (tp *tape) encode() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "open %s %s\n", tp.client, tp.server)
	for _, c := range tp.chunks {
		mark := map[capture.Side]string{capture.Client: ">", capture.Server: "<"}[c.side]
		if c.end {
			fmt.Fprintf(&b, "%s end\n", mark)
			continue
		}
		s := hex.EncodeToString(c.data)
		for i := 0; i < len(s); i += 96 {
			lead := " "
			if i == 0 {
				lead = mark
			}
			fmt.Fprintf(&b, "%s %s\n", lead, s[i:min(i+96, len(s))])
		}
	}
	return []byte(b.String())
}

func decodeTape(t testing.TB, text, keyLog []byte) *tape {
	t.Helper()
	tp := new(tape)
	tp.keys.Write(keyLog)
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		switch mark {
		case "open":
			from, to, _ := strings.Cut(rest, " ")
			tp.client, tp.server = netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
			continue
		case ">", "<":
			c := chunk{side: capture.Client, end: rest == "end"}
			if mark == "<" {
				c.side = capture.Server
			}
			tp.chunks = append(tp.chunks, c)
			if c.end {
				continue
			}
		}
		data, err := hex.DecodeString(strings.TrimSpace(rest))
		if err != nil {
			t.Fatal(err)
		}
		last := &tp.chunks[len(tp.chunks)-1]
		last.data = append(last.data, data...)
	}
	return tp
}

// A site is a server's certificate, its chain and the pool that trusts it.
type site struct {
	cert  tls.Certificate
	roots *x509.CertPool
	root  []byte // DER
}

// newSite makes a certificate for shop.test under a root and an intermediate.
// change may spoil it.
func newSite(t testing.TB, key crypto.Signer, change func(*x509.Certificate)) site {
	t.Helper()
	issue := func(name string, ca bool, serial int64, pub any, parent *x509.Certificate, parentKey crypto.Signer) *x509.Certificate {
		tmpl := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: start.Add(-time.Hour), NotAfter: start.Add(90 * 24 * time.Hour),
			BasicConstraintsValid: true, IsCA: ca,
		}
		if ca {
			tmpl.KeyUsage = x509.KeyUsageCertSign
		} else {
			tmpl.DNSNames = []string{name}
			tmpl.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
			tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
			if change != nil {
				change(tmpl)
			}
		}
		if parent == nil {
			parent = tmpl
		}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, parentKey)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	rootKey, interKey := newECDSA(t), newECDSA(t)
	root := issue("Test Root", true, 1, rootKey.Public(), nil, rootKey)
	inter := issue("Test Intermediate", true, 2, interKey.Public(), root, rootKey)
	leaf := issue("shop.test", false, 3, key.Public(), inter, interKey)
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return site{tls.Certificate{Certificate: [][]byte{leaf.Raw, inter.Raw}, PrivateKey: key}, pool, root.Raw}
}

func newECDSA(t testing.TB) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newRSA(t testing.TB) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const (
	request  = "GET /cart?token=sesame HTTP/1.1\r\nHost: shop.test\r\nCookie: session=sesame\r\n\r\n"
	response = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
)

// converse runs a TLS connection with one request and tapes it.
func converse(t testing.TB, client, server *tls.Config) *tape {
	t.Helper()
	tp := &tape{client: netip.MustParseAddrPort("192.0.2.1:50000"), server: netip.MustParseAddrPort("198.51.100.7:443")}
	clock := func() time.Time { return start }
	client, server = client.Clone(), server.Clone()
	client.Time, server.Time = clock, clock
	client.KeyLogWriter = tp
	if client.ServerName == "" {
		client.ServerName = "shop.test"
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c := tls.Server(&taped{b, tp, capture.Server}, server)
		defer c.Close()
		if c.Handshake() != nil {
			return
		}
		buf := make([]byte, len(request))
		if _, err := io.ReadFull(c, buf); err != nil {
			return
		}
		io.WriteString(c, response)
		io.Copy(io.Discard, c) // the client's close_notify
	}()
	c := tls.Client(&taped{a, tp, capture.Client}, client)
	if err := c.Handshake(); err == nil {
		if _, err := io.WriteString(c, request); err == nil {
			io.ReadFull(c, make([]byte, len(response)))
		}
	}
	c.Close()
	<-ended
	return tp
}

// resumed runs two connections, of which the second takes up the first.
func resumed(t testing.TB, client, server *tls.Config) (first, second *tape) {
	server.SetSessionTicketKeys([][32]byte{{1}})
	client = client.Clone()
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	first = converse(t, client, server)
	return first, converse(t, client, server)
}

// scenes are the handshakes that the tests are about.
func scenes(t testing.TB) map[string][]*tape {
	ec, rs := newSite(t, newECDSA(t), nil), newSite(t, newRSA(t), nil)
	versions := func(s site, version uint16) (client, server *tls.Config) {
		return &tls.Config{RootCAs: s.roots, MinVersion: version, MaxVersion: version},
			&tls.Config{Certificates: []tls.Certificate{s.cert}, MinVersion: version, MaxVersion: version}
	}
	one := func(client, server *tls.Config) []*tape { return []*tape{converse(t, client, server)} }
	out := make(map[string][]*tape)

	client, server := versions(ec, tls.VersionTLS13)
	client.CurvePreferences = []tls.CurveID{tls.X25519}
	out["tls13-full"] = one(client, server)
	a, b := resumed(t, client, server)
	out["tls13-psk-dhe"] = []*tape{a, b}

	client, server = versions(ec, tls.VersionTLS13)
	out["tls13-mlkem"] = one(client, server)

	client, server = versions(ec, tls.VersionTLS13)
	client.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP384}
	server.CurvePreferences = []tls.CurveID{tls.CurveP384}
	out["tls13-hrr"] = one(client, server)

	client, server = versions(ec, tls.VersionTLS12)
	out["tls12-ecdhe"] = one(client, server)
	client.CurvePreferences = []tls.CurveID{tls.X25519}
	a, b = resumed(t, client, server)
	out["tls12-resumed-ticket"] = []*tape{a, b}

	client, server = versions(rs, tls.VersionTLS12)
	client.CipherSuites = []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
	server.CipherSuites = client.CipherSuites
	out["tls12-rsa"] = one(client, server)

	for name, version := range map[string]uint16{"mutual-tls12": tls.VersionTLS12, "mutual-tls13": tls.VersionTLS13} {
		client, server = versions(ec, version)
		client.CurvePreferences = []tls.CurveID{tls.X25519}
		client.Certificates = []tls.Certificate{rs.cert}
		server.ClientAuth = tls.RequireAnyClientCert
		out[name] = one(client, server)
	}

	client, server = versions(ec, tls.VersionTLS13)
	client.CurvePreferences = []tls.CurveID{tls.X25519}
	client.RootCAs = rs.roots
	out["failed-unknown-ca"] = one(client, server)

	bad := newSite(t, newECDSA(t), func(c *x509.Certificate) { c.NotAfter = start.Add(-time.Minute) })
	client, server = versions(bad, tls.VersionTLS12)
	out["failed-expired"] = one(client, server)

	bad = newSite(t, newECDSA(t), func(c *x509.Certificate) { c.DNSNames = []string{"other.test"} })
	client, server = versions(bad, tls.VersionTLS13)
	client.CurvePreferences = []tls.CurveID{tls.X25519}
	client.InsecureSkipVerify = true
	out["careless-wrong-name"] = one(client, server)

	client, server = versions(ec, tls.VersionTLS12)
	server.MinVersion, server.MaxVersion = tls.VersionTLS13, tls.VersionTLS13
	out["failed-version"] = one(client, server)

	client, server = versions(ec, tls.VersionTLS13)
	client.CurvePreferences = []tls.CurveID{tls.X25519}
	server.ClientAuth = tls.RequireAnyClientCert
	out["failed-client-certificate"] = one(client, server)
	return out
}

var recorded bool

// fixtures reads the handshakes of testdata, or makes them anew.
func fixtures(t testing.TB) map[string][]*tape {
	t.Helper()
	if *record && !recorded {
		recorded = true
		for name, tapes := range scenes(t) {
			var a txtar.Archive
			for i, tp := range tapes {
				a.Files = append(a.Files,
					txtar.File{Name: fmt.Sprintf("keys %d", i+1), Data: bytes.Clone(tp.keys.Bytes())},
					txtar.File{Name: fmt.Sprintf("bytes %d", i+1), Data: tp.encode()})
			}
			if err := os.WriteFile(filepath.Join("testdata", name+".txt"), txtar.Format(&a), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no fixtures", err)
	}
	out := make(map[string][]*tape)
	for _, f := range files {
		a, err := txtar.ParseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(f), ".txt")
		for i := 0; i+1 < len(a.Files); i += 2 {
			if strings.HasPrefix(a.Files[i].Name, "keys") {
				out[name] = append(out[name], decodeTape(t, a.Files[i+1].Data, a.Files[i].Data))
			}
		}
	}
	return out
}

// inputsOf are the inputs of a fixture, its connections one after the other.
func inputsOf(tapes []*tape) []capture.Input {
	var in []capture.Input
	for i, tp := range tapes {
		in = append(in, tp.inputs(i, capture.LegNone)...)
	}
	return in
}
