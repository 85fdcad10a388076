package capture_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/web"
)

// properties checks that neither the way in which the bytes are cut nor the time
// when the secrets come changes the messages.
func properties(t *testing.T, r *tape) {
	t.Helper()
	want := decode(t, &capture.Decoder{}, r.inputs(0))
	for _, n := range []int{1, 7, 1460} {
		same(t, fmt.Sprintf("chunks of %d", n), want, decode(t, &capture.Decoder{}, rechunk(r.inputs(0), n)))
	}
	same(t, "secrets first", want, decode(t, &capture.Decoder{SecretsFirst: true}, r.inputs(0)))
	for place := 1; place <= len(r.chunks); place++ {
		same(t, fmt.Sprintf("secrets before chunk %d", place), want, decode(t, &capture.Decoder{}, r.inputs(place)))
	}
	// One line at a time, as far apart as they can be.
	for _, first := range []int{0, len(r.chunks) / 2} {
		in := r.inputs(len(r.chunks) + 1)
		in = in[:len(in)-len(r.secrets)]
		for i := range r.secrets {
			at := min(first+1+2*i, len(in))
			in = append(in[:at:at], append([]capture.Input{&r.secrets[i]}, in[at:]...)...)
		}
		same(t, "secrets one by one", want, decode(t, &capture.Decoder{}, in))
	}
	// Never.
	var none []capture.Input
	for _, in := range r.inputs(0) {
		if _, ok := in.(*capture.Secret); !ok {
			none = append(none, in)
		}
	}
	never := decode(t, &capture.Decoder{}, none)
	same(t, "no secrets, chunks of 1", never, decode(t, &capture.Decoder{}, rechunk(none, 1)))
	same(t, "no secrets, not waiting", never, decode(t, &capture.Decoder{SecretsFirst: true}, none))
	for _, m := range never {
		if m.Opened {
			t.Errorf("opened without a secret: %s", show(m))
		}
	}
}

// allOpened checks that nothing stayed sealed or was not understood.
func allOpened(t *testing.T, all []capture.Message) {
	t.Helper()
	for _, m := range all {
		switch m.Body.(type) {
		case *capture.Sealed, *capture.Opaque, *capture.Malformed, *capture.Missing:
			t.Errorf("%v: %s in\n%s", m.Side, show(m), names(all))
		}
	}
}

// count checks how many messages have a body of type T that is asked for.
func count[T any](t testing.TB, all []capture.Message, want int, is func(T) bool) {
	t.Helper()
	got := 0
	for _, m := range all {
		if b, ok := m.Body.(T); ok && is(b) {
			got++
		}
	}
	if got != want {
		t.Errorf("%d messages of type %T, want %d:\n%s", got, *new(T), want, names(all))
	}
}

func TestHandshakes(t *testing.T) {
	type config = tls.Config
	both := func(c *config) func() (client, server *config) {
		return func() (client, server *config) { return c.Clone(), c.Clone() }
	}
	type test struct {
		name    string
		configs func() (client, server *config)
		check   func(t *testing.T, all []capture.Message)
	}
	tests := []test{
		{"TLS 1.0", both(&config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}), nil},
		{"TLS 1.1", both(&config{MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11}), nil},
		{"TLS 1.2", both(&config{MaxVersion: tls.VersionTLS12}), func(t *testing.T, all []capture.Message) {
			if ch, sh := last[*handshake.ClientHello](all), last[*handshake.ServerHello](all); sh.Version() != tls.VersionTLS12 || !ch.HasEMS() || !sh.HasEMS() || sh.HasEtM() {
				t.Errorf("%+v", sh)
			}
			count(t, all, 1, func(m *handshake.Certificate) bool { return true })
			count(t, all, 2, func(m *capture.ChangeCipherSpec) bool { return !m.Dummy })
		}},
		{"TLS 1.3", both(&config{MinVersion: tls.VersionTLS13}), func(t *testing.T, all []capture.Message) {
			if sh := last[*handshake.ServerHello](all); sh.Version() != tls.VersionTLS13 || sh.HasEMS() {
				t.Errorf("%+v", sh)
			}
			count(t, all, 1, func(m *handshake.Certificate) bool { return true })
			count(t, all, 2, func(m *capture.ChangeCipherSpec) bool { return m.Dummy })
		}},
		{"HelloRetryRequest", func() (client, server *config) {
			return &config{CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256}}, &config{CurvePreferences: []tls.CurveID{tls.CurveP256}}
		}, func(t *testing.T, all []capture.Message) {
			count(t, all, 1, func(m *handshake.ServerHello) bool { return m.Retry })
			count(t, all, 2, func(m *handshake.ClientHello) bool { return true })
		}},
		{"client certificate, 1.2", func() (client, server *config) {
			return &config{MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificates().ecdsa}},
				&config{ClientAuth: tls.RequireAnyClientCert}
		}, nil},
		{"client certificate, 1.3", func() (client, server *config) {
			return &config{Certificates: []tls.Certificate{certificates().ecdsa}}, &config{ClientAuth: tls.RequireAnyClientCert}
		}, func(t *testing.T, all []capture.Message) {
			count(t, all, 2, func(m *handshake.Certificate) bool { return len(m.Entries) == 1 })
		}},
		{"ALPN, 1.2", both(&config{MaxVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}), alpn},
		{"ALPN, 1.3", both(&config{NextProtos: []string{"http/1.1"}}), alpn},
	}
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if s.SupportedVersions[0] == tls.VersionTLS13 {
			continue // crypto/tls chooses among them itself
		}
		tests = append(tests, test{s.Name, func() (client, server *config) {
			c := &config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{s.ID}}
			if strings.Contains(s.Name, "ECDSA") {
				c.Certificates = []tls.Certificate{certificates().ecdsa}
			}
			return c, c
		}, func(t *testing.T, all []capture.Message) {
			count(t, all, 1, func(m *handshake.ServerHello) bool { return m.CipherSuite == s.ID })
		}})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r tape
			client, server := test.configs()
			r.converse(t, client, server, exchange("hello", strings.Repeat("x", 50000)))
			all := decode(t, &capture.Decoder{}, r.inputs(0))
			allOpened(t, all)
			count(t, all, 2, func(m *handshake.Finished) bool { return true })
			count(t, all, 4, func(m *web.Head) bool { return true })
			count(t, all, 2, func(m *capture.Alert) bool { return m.Description == 0 })
			if test.check != nil {
				test.check(t, all)
			}
			if strings.HasPrefix(test.name, "TLS_") {
				same(t, "secrets last", all, decode(t, &capture.Decoder{}, r.inputs(len(r.chunks))))
				return
			}
			properties(t, &r)
		})
	}
}

func alpn(t *testing.T, all []capture.Message) {
	sh := last[*handshake.ServerHello](all)
	p := sh.ALPN()
	if sh.Version() == tls.VersionTLS13 {
		p = last[*handshake.EncryptedExtensions](all).ALPN()
	}
	if p != "http/1.1" {
		t.Errorf("ALPN %q", p)
	}
}

// The pre-master secret of RSA key transport opens a connection as well as its
// master secret, with or without the extended master secret.
func TestPreMasterSecret(t *testing.T) {
	suite := []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
	var r tape
	r.converse(t, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: suite}, &tls.Config{CipherSuites: suite}, exchange("hello"))
	want := decode(t, &capture.Decoder{}, r.inputs(0))
	for _, m := range want {
		if k, ok := m.Body.(*handshake.ClientKeyExchange); ok {
			key := certificates().rsa.PrivateKey.(*rsa.PrivateKey)
			em, err := keys.OpenPKCS1(key, k.EncryptedPreMaster)
			if err != nil {
				t.Fatal(err)
			}
			pre, err := keys.CheckPKCS1(em, &key.PublicKey, k.EncryptedPreMaster)
			if err != nil {
				t.Fatal(err)
			}
			r.secrets = []keys.Secret{{Label: "RSA", ClientRandom: k.EncryptedPreMaster[:8], Secret: pre}}
		}
	}
	all := decode(t, &capture.Decoder{}, r.inputs(0))
	same(t, "pre-master secret", want, all)
	count(t, all, 1, func(m *handshake.ServerHello) bool { return m.HasEMS() })
	count(t, all, 1, func(k *capture.Keyed) bool { return k.Label == "RSA" && bytes.Equal(k.Secret, r.secrets[0].Secret) })
	// It is told before the message that it opens, also where that comes alone.
	told := false
	for _, m := range decode(t, &capture.Decoder{}, rechunk(r.inputs(0), 1)) {
		switch b := m.Body.(type) {
		case *capture.Keyed:
			told = told || b.Label == "RSA"
		case *handshake.ClientKeyExchange:
			if !told {
				t.Error("the line comes behind the message that it opens")
			}
		}
	}
	properties(t, &r)
}

// CONNECT, its answer, and TLS behind them.
func TestConnect(t *testing.T) {
	const head = "CONNECT decoder.test:443 HTTP/1.1\r\nHost: decoder.test:443\r\n\r\n"
	const refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno\n"
	const answer = "HTTP/1.1 200 Connection established\r\n\r\n"
	var inside tape
	inside.converse(t, &tls.Config{}, &tls.Config{}, exchange("hello"))
	for name, before := range map[string][]capture.Chunk{
		"plain":       {{Side: capture.Client, Data: []byte(head)}, {Side: capture.Server, Data: []byte(answer)}},
		"second time": {{Side: capture.Client, Data: []byte(head)}, {Side: capture.Server, Data: []byte(refusal)}, {Side: capture.Client, Data: []byte(head)}, {Side: capture.Server, Data: []byte(answer)}},
		"pressed":     {{Side: capture.Client, Data: append([]byte(head), inside.chunks[0].Data...)}, {Side: capture.Server, Data: append([]byte(answer), inside.chunks[1].Data...)}},
	} {
		t.Run(name, func(t *testing.T) {
			r := tape{secrets: inside.secrets}
			for _, c := range before {
				r.add(c.Side, c.Data)
			}
			rest := inside.chunks
			if name == "pressed" {
				rest = rest[2:]
			}
			for _, c := range rest {
				r.add(c.Side, c.Data)
			}
			all := decode(t, &capture.Decoder{}, r.inputs(0))
			allOpened(t, all)
			count(t, all, 1, func(s *web.Switched) bool { return s.Protocol == "tunnel" && s.Target == "decoder.test:443" })
			count(t, all, 2, func(*handshake.Finished) bool { return true })
			var spans []capture.Span
			for _, m := range all {
				if _, ok := m.Body.(*web.Head); ok && !m.Inner {
					spans = append(spans, m.Span)
				}
			}
			n := int64(len(head))
			if spans[0] != (capture.Span{End: n}) {
				t.Errorf("heads at %v", spans)
			}
			properties(t, &r)
		})
	}
}

func TestPlainHTTP(t *testing.T) {
	var r tape
	for range 3 {
		r.add(capture.Client, []byte("GET http://decoder.test/ HTTP/1.1\r\nHost: decoder.test\r\n\r\n"))
		r.add(capture.Server, []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
	}
	all := decode(t, &capture.Decoder{}, r.inputs(0))
	allOpened(t, all)
	count(t, all, 6, func(*web.Head) bool { return true })
	count(t, all, 3, func(b *web.Body) bool { return b.Len == 5 && b.Complete })
	for _, m := range all {
		if m.Inner || m.Opened || inTLS(all) {
			t.Errorf("%s", show(m))
		}
	}
	properties(t, &r)
}

// Protocols that are not read, and those that switch to TLS.
func TestOtherProtocols(t *testing.T) {
	var inside tape
	inside.converse(t, &tls.Config{}, &tls.Config{}, exchange("hello"))
	type say struct {
		side capture.Side
		text string
	}
	for _, test := range []struct {
		name string
		said []say
		tls  bool
	}{
		{"ssh", []say{{capture.Server, "SSH-2.0-OpenSSH_9.2\r\n"}, {capture.Client, "SSH-2.0-x\r\n"}, {capture.Server, "\x00\x01\x02"}}, false},
		{"client first", []say{{capture.Client, "\x01\x02\x03"}, {capture.Server, "\x16\x03\x01\x00\x05hello"}}, false},
		{"HTTP/0.9", []say{{capture.Client, "GET /\r\n"}, {capture.Server, "<html>"}}, false},
		{"a word", []say{{capture.Client, "GE"}}, false},
		{"smtp", []say{{capture.Server, "220 hi\r\n"}, {capture.Client, "EHLO x\r\n"}, {capture.Server, "250 STARTTLS\r\n"}, {capture.Client, "STARTTLS\r\n"}, {capture.Server, "220 go\r\n"}}, true},
		{"postgresql", []say{{capture.Client, "\x00\x00\x00\x08\x04\xd2\x16\x2f"}, {capture.Server, "S"}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := tape{secrets: inside.secrets}
			var size [2]int64
			for _, s := range test.said {
				r.add(s.side, []byte(s.text))
				size[s.side] += int64(len(s.text))
			}
			if test.tls {
				for _, c := range inside.chunks {
					r.add(c.Side, c.Data)
				}
			}
			all := decode(t, &capture.Decoder{}, r.inputs(0))
			if inTLS(all) != test.tls {
				t.Errorf("TLS %v", !test.tls)
			}
			for side, n := range size {
				if n > 0 {
					count(t, all, 1, func(o *capture.Opaque) bool {
						why := capture.OpaqueUnknown
						if test.tls {
							why = capture.OpaqueDialogue
						}
						return o.Len == size[side] && o.Why == why || o.Why == capture.OpaqueCut
					})
				}
			}
			if test.tls {
				count(t, all, 2, func(*handshake.Finished) bool { return true })
			}
			properties(t, &r)
		})
	}
}

// record makes a record of TLS.
func record(typ byte, content ...byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{typ, 3, 3}, uint16(len(content))), content...)
}

// clientHello is the first message of a connection of crypto/tls.
func clientHello(t testing.TB) []byte {
	a, b := net.Pipe()
	defer b.Close()
	go tls.Client(a, &tls.Config{ServerName: "decoder.test"}).Handshake()
	buf := make([]byte, 4096)
	n, err := b.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

func TestMalformed(t *testing.T) {
	hello := clientHello(t)
	serverHello := append([]byte{2, 0, 0, 38, 3, 3}, append(make([]byte, 32), 0, 0, 0x9c, 0)...)
	for _, test := range []struct {
		name           string
		client, server []byte
		where, err     string
	}{
		{"type", record(25, 1), nil, "", ""}, // not TLS at all
		{"type of the second", append(record(21, 1, 90), 99, 3, 3, 0, 1), nil, "record", "content type 99 does not exist"},
		{"length", append(record(21, 1, 0), 22, 3, 3, 0x40, 1), nil, "record", "length 16385 is over the limit of 16384"},
		{"empty handshake record", append(bytes.Clone(hello), record(22)...), record(22, serverHello...), "record", "a handshake record without content"},
		{"alert", append(bytes.Clone(hello), record(21, 1, 0, 0)...), nil, "Alert", "it has 3 bytes, not 2"},
		{"interleaved", append(record(22, 1, 0), record(21, 1, 0)...), nil, "record", "a record of type 21 inside a handshake message"},
		{"message", record(22, 1, 0, 0, 2, 3, 3), nil, "ClientHello", "random: missing"},
		{"huge message", append(bytes.Clone(hello), record(22, 11, 0xff, 0xff, 0xff, 3)...), nil, "Certificate", "it claims to be longer than is read"},
		{"data before the keys", append(bytes.Clone(hello), record(23, 1)...), record(22, serverHello...), "record", "application data before the keys"},
		{"SSL 2.0", append([]byte{0x80, 28, 1, 0, 2, 0, 3, 0, 0, 0, 16, 1, 0, 0x80}, make([]byte, 16)...), nil, "ClientHello", "an SSL 2.0 ClientHello that offers nothing newer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r tape
			r.add(capture.Client, test.client)
			if test.server != nil {
				r.add(capture.Server, test.server)
			}
			r.add(capture.Client, []byte("what follows"))
			all := decode(t, &capture.Decoder{}, r.inputs(0))
			if test.where != "" {
				count(t, all, 1, func(m *capture.Malformed) bool {
					return m.Where == test.where && (m.Err == test.err || test.err == "")
				})
				count(t, all, 1, func(m *capture.Opaque) bool { return m.Why == capture.OpaqueMalformed && string(m.Preview) != "" })
			} else {
				count(t, all, 0, func(m *capture.Malformed) bool { return true })
			}
			properties(t, &r)
		})
	}
}

// TestAnswerInClear: a server that answers a hello with no record does not speak TLS,
// and breaks no rule of it.
func TestAnswerInClear(t *testing.T) {
	var r tape
	r.add(capture.Client, clientHello(t))
	r.add(capture.Server, []byte("SSH-2.0-OpenSSH_9.2p1\r\n"))
	all := decode(t, &capture.Decoder{}, r.inputs(0))
	count(t, all, 0, func(m *capture.Malformed) bool { return true })
	count(t, all, 1, func(m *capture.Opaque) bool {
		return m.Why == capture.OpaqueForeign && string(m.Preview) == "SSH-2.0-OpenSSH_9.2p1\r\n"
	})
	properties(t, &r)
}

// An SSL 2.0 ClientHello that offers TLS begins a handshake of TLS.
func TestSSL2ClientHello(t *testing.T) {
	var r tape
	challenge := bytes.Repeat([]byte{7}, 16)
	r.add(capture.Client, append([]byte{0x80, 31, 1, 3, 1, 0, 6, 0, 0, 0, 16, 1, 0, 0x80, 0, 0, 0x2f}, challenge...))
	r.add(capture.Server, record(22, append([]byte{2, 0, 0, 38, 3, 1}, append(make([]byte, 32), 0, 0, 0x2f, 0)...)...))
	all := decode(t, &capture.Decoder{}, r.inputs(0))
	count(t, all, 1, func(m *handshake.ClientHello) bool {
		return m.LegacyVersion == 0x0301 && reflect.DeepEqual(m.CipherSuites, []uint16{0x2f}) && bytes.Equal(m.Random[:], append(make([]byte, 16), challenge...))
	})
	count(t, all, 1, func(m *handshake.ServerHello) bool { return m.Version() == 0x0301 && m.CipherSuite == 0x2f })
	properties(t, &r)
}

// A gap, the end inside a record, and an RST.
func TestBroken(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var r tape
		r.converse(t, &tls.Config{MinVersion: version, MaxVersion: version}, &tls.Config{}, exchange("hello", "world"))
		whole := r.inputs(0)
		for i, in := range whole {
			c, ok := in.(*capture.Chunk)
			if !ok {
				continue
			}
			// The chunk is not in the capture, or only its first half.
			for _, keep := range []int{0, len(c.Data) / 2} {
				var broken []capture.Input
				broken = append(broken, whole[:i]...)
				if keep > 0 {
					half := *c
					half.Data = c.Data[:keep]
					broken = append(broken, &half)
				}
				cut := append(broken[:len(broken):len(broken)], &capture.Close{Conn: 1, Side: c.Side, Packet: 99, Reset: true})
				all := decode(t, &capture.Decoder{}, cut)
				count(t, all, 1, func(c *capture.Closed) bool { return c.Reset })
				same(t, "cut, chunks of 1", all, decode(t, &capture.Decoder{}, rechunk(cut, 1)))

				lost := append(broken, &capture.Gap{Conn: 1, Side: c.Side, Packet: c.Packet, Time: c.Time, Len: int64(len(c.Data) - keep)})
				lost = append(lost, whole[i+1:]...)
				all = decode(t, &capture.Decoder{}, lost)
				count(t, all, 1, func(m *capture.Missing) bool { return m.Len == int64(len(c.Data)-keep) })
				count(t, all, 0, func(m *capture.Malformed) bool { return true })
				same(t, "gap, chunks of 1", all, decode(t, &capture.Decoder{}, rechunk(lost, 1)))
				var late []capture.Input
				for _, in := range lost {
					if _, ok := in.(*capture.Secret); !ok {
						late = append(late, in)
					}
				}
				same(t, "gap, secrets last", all, decode(t, &capture.Decoder{}, append(late, r.keyLines()...)))
			}
		}
	}
}

// A capture that begins inside a connection has no keys for it.
func TestMidstream(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var r tape
		r.converse(t, &tls.Config{MinVersion: version, MaxVersion: version}, &tls.Config{}, exchange("hello", "world", "again"))
		r.chunks = r.chunks[len(r.chunks)-6:]
		all := decode(t, &capture.Decoder{}, r.inputs(0))
		count(t, all, 0, func(m *capture.Malformed) bool { return true })
		count(t, all, 0, func(m *capture.Sealed) bool { return m.Reason != capture.SealedPhase })
		if !inTLS(all) {
			t.Error("not recognised as TLS")
		}
		properties(t, &r)
	}
}

// One side of a connection, without the other.
func TestOneSided(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, side := range []capture.Side{capture.Client, capture.Server} {
			var r tape
			r.converse(t, &tls.Config{MinVersion: version, MaxVersion: version}, &tls.Config{}, exchange("hello"))
			var one tape
			one.secrets = r.secrets
			for _, c := range r.chunks {
				if c.Side == side {
					one.add(side, c.Data)
				}
			}
			all := decode(t, &capture.Decoder{}, one.inputs(0))
			count(t, all, 0, func(m *capture.Malformed) bool { return true })
			properties(t, &one)
		}
	}
}

// Recordings of conversations with 0-RTT data and renegotiation, which need no
// other program to be there.
func TestRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations in testdata", err)
	}
	for _, file := range files {
		r := load(t, file)
		allOpened(t, decode(t, &capture.Decoder{}, r.inputs(0)))
		properties(t, r)
	}
}

// Connections with the same client random share their secrets, and each finds
// those that are its own.
func TestSameClientRandom(t *testing.T) {
	fixed := func() *tls.Config { return &tls.Config{Rand: zeros{}, MinVersion: tls.VersionTLS13} }
	var in, late []capture.Input
	for n := 1; n <= 3; n++ {
		var r tape
		r.converse(t, fixed(), &tls.Config{}, exchange("hello"))
		for _, i := range r.inputs(0) {
			switch i := i.(type) {
			case *capture.Open:
				i.Conn = n
			case *capture.Chunk:
				i.Conn = n
			case *capture.Close:
				i.Conn = n
			case *capture.Secret:
				late = append(late, i)
				continue
			}
			in = append(in, i)
		}
	}
	all := decode(t, &capture.Decoder{}, append(late[:len(late):len(late)], in...))
	allOpened(t, all)
	same(t, "secrets last", all, decode(t, &capture.Decoder{}, append(in, late...)))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// What waits is bounded; beyond, it is counted and nothing is kept.
func TestTooMuchWaiting(t *testing.T) {
	var r tape
	r.converse(t, &tls.Config{}, &tls.Config{}, exchange(strings.Repeat("x", 20<<20)))
	in := r.inputs(len(r.chunks) + 1)
	var d capture.Decoder
	all := decode(t, &d, in)
	count(t, all, 1, func(s *capture.Sealed) bool {
		return s.Reason == capture.SealedTooMany && s.Wire > 20<<20 && s.Records > 1000
	})
	same(t, "chunks of 5000", all, decode(t, &capture.Decoder{}, rechunk(in, 5000)))
}

// Facts keep their place, and inputs about connections that are over change nothing.
func TestFactsAndEnds(t *testing.T) {
	var r tape
	r.converse(t, &tls.Config{}, &tls.Config{}, exchange("hello"))
	var d capture.Decoder
	fact := &capture.Fact{Conn: 1, Kind: capture.FactSession, Data: []byte{1}}
	var conn *capture.Conn
	for i, in := range r.inputs(0) {
		for _, m := range d.Feed(in) {
			if m.Conn != nil {
				conn = m.Conn
			}
		}
		if i == 1 {
			m := d.Feed(fact)
			fact.Data[0] = 2
			if f, ok := m[0].Body.(*capture.Fact); len(m) != 1 || !ok || f.Kind != capture.FactSession || f.Data[0] != 1 || m[0].Conn != conn {
				t.Errorf("%+v", m)
			}
		}
	}
	for _, in := range []capture.Input{
		&capture.Chunk{Conn: 1, Data: []byte("late")}, &capture.Close{Conn: 1, Reset: true}, &capture.Gap{Conn: 1, Len: 4},
		&capture.Chunk{Conn: 7, Data: []byte("unknown")},
	} {
		if m := d.Feed(in); len(m) != 0 {
			t.Errorf("%T: %+v", in, m)
		}
	}
	if m := d.Feed(fact); len(m) != 1 || m[0].Conn != nil {
		t.Errorf("%+v", m)
	}
	if m := d.Finish(); len(m) != 0 {
		t.Errorf("left at the end: %+v", m)
	}
}

// In the proxy's own recordings secrets come first, so that the end of a
// connection settles what is left of it.
func TestOwnRecordingSettlesAtClose(t *testing.T) {
	var r tape
	r.converse(t, &tls.Config{}, &tls.Config{}, exchange("hello"))
	in := r.inputs(len(r.chunks) + 1)
	in = in[:len(in)-len(r.secrets)]
	in[0].(*capture.Open).Leg = capture.LegBrowser
	var d capture.Decoder
	closed := 0
	for _, i := range in {
		for _, m := range d.Feed(i) {
			if _, ok := m.Body.(*capture.Closed); ok {
				closed++
			}
		}
	}
	if closed != 2 || len(d.Finish()) != 0 {
		t.Errorf("%d closed", closed)
	}
}

// load reads a conversation: key log lines, and "client" or "server" with what
// that side sent, in hexadecimal.
func load(t testing.TB, file string) *tape {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r tape
	for line := range strings.Lines(string(data)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		side := slices.Index([]string{"client", "server"}, word)
		if side < 0 {
			r.Write([]byte(line))
			continue
		}
		b, err := hex.DecodeString(rest)
		if err != nil {
			t.Fatal(err)
		}
		r.add(capture.Side(side), b)
	}
	return &r
}

func FuzzDecoder(f *testing.F) {
	var secrets []capture.Input
	seed := func(chunks []capture.Chunk, lost ...int) {
		var script []byte
		var at int
		for _, c := range chunks {
			for data := c.Data; len(data) > 0; at++ {
				n := min(len(data), 255)
				if slices.Contains(lost, at) {
					script = append(script, 2+byte(c.Side), byte(n-1))
					data = data[n:]
					continue
				}
				script = append(script, byte(c.Side), byte(n))
				script = append(script, data[:n]...)
				data = data[n:]
			}
		}
		f.Add(script)
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal("no conversations in testdata", err)
	}
	var hello []byte
	for _, file := range files {
		r := load(f, file)
		seed(r.chunks)
		for lost := range 12 {
			seed(r.chunks, lost)
			seed(r.chunks, lost, lost+3)
		}
		secrets = append(secrets, r.keyLines()...)
		hello = r.chunks[0].Data
	}
	for _, s := range []string{
		"CONNECT a:1 HTTP/1.1\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "\x80\x1c\x01\x00\x02\x00\x03\x00\x00\x00\x10\x01\x00\x80................", "EHLO a\r\n",
	} {
		seed([]capture.Chunk{{Data: []byte(s)}, {Side: capture.Server, Data: []byte("HTTP/1.1 200 OK\r\n\r\n")}, {Data: hello}})
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		// A script is one op after another: bytes of a side, a gap, an end.
		in := []capture.Input{&capture.Open{Conn: 1}}
		for packet := 1; len(script) >= 2; packet++ {
			op, n := script[0], int(script[1])
			script = script[2:]
			side := capture.Side(op & 1)
			switch op >> 1 {
			case 1:
				in = append(in, &capture.Gap{Conn: 1, Side: side, Packet: packet, Len: int64(n) + 1})
			case 2:
				in = append(in, &capture.Close{Conn: 1, Side: side, Packet: packet, Reset: n&1 == 1})
			default:
				data := script[:min(n, len(script))]
				script = script[len(data):]
				if len(data) > 0 {
					in = append(in, &capture.Chunk{Conn: 1, Side: side, Packet: packet, Data: data})
				}
			}
		}
		in = heard(in)
		want := decode(t, &capture.Decoder{}, append(secrets[:len(secrets):len(secrets)], in...))
		same(t, "chunks of 1", want, decode(t, &capture.Decoder{}, append(secrets[:len(secrets):len(secrets)], rechunk(in, 1)...)))
		same(t, "secrets last", want, decode(t, &capture.Decoder{}, append(in[:len(in):len(in)], secrets...)))
	})
}

// heard leaves out what comes after a side's end.
func heard(in []capture.Input) (out []capture.Input) {
	var ended [2]bool
	for _, i := range in {
		switch i := i.(type) {
		case *capture.Chunk:
			if ended[i.Side] {
				continue
			}
		case *capture.Gap:
			if ended[i.Side] {
				continue
			}
		case *capture.Close:
			ended[i.Side] = true
			if i.Reset {
				ended[i.Side.Other()] = true
			}
		}
		out = append(out, i)
	}
	return out
}

// bulk is a download over TLS 1.3 with AES-128-GCM, or what the machine prefers.
func bulk(b *testing.B, size int) *tape {
	var r tape
	r.converse(b, &tls.Config{}, &tls.Config{}, func(client, server *tls.Conn) error {
		go func() {
			server.Write(make([]byte, size))
			server.Close()
		}()
		_, err := io.Copy(io.Discard, client)
		return err
	})
	return &r
}

func benchmark(b *testing.B, d capture.Decoder, secrets bool, chunk int) {
	r := bulk(b, 64<<20)
	var bytes int64
	var in []capture.Input
	for _, i := range rechunk(r.inputs(0), chunk) {
		switch i := i.(type) {
		case *capture.Secret:
			if !secrets {
				continue
			}
		case *capture.Chunk:
			bytes += int64(len(i.Data))
		}
		in = append(in, i)
	}
	b.SetBytes(bytes)
	b.ReportAllocs()
	for b.Loop() {
		d := d
		for _, i := range in {
			d.Feed(i)
		}
		d.Finish()
	}
}

func BenchmarkOpen(b *testing.B) { benchmark(b, capture.Decoder{SecretsFirst: true}, true, 16<<10) }
func BenchmarkOpenPackets(b *testing.B) {
	benchmark(b, capture.Decoder{SecretsFirst: true}, true, 1460)
}
func BenchmarkSkip(b *testing.B) { benchmark(b, capture.Decoder{SecretsFirst: true}, false, 16<<10) }
func BenchmarkWait(b *testing.B) { benchmark(b, capture.Decoder{}, false, 16<<10) }
