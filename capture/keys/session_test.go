package keys_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"explainer/capture/keys"

	"golang.org/x/crypto/cryptobyte"
)

const (
	client = 0
	server = 1
)

// A wire is what a connection carried, in an order in which it can have happened.
type wire struct {
	mu     sync.Mutex
	chunks []chunk
}

type chunk struct {
	side int
	data []byte
}

func (w *wire) add(side int, data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.chunks = append(w.chunks, chunk{side, bytes.Clone(data)})
}

// A session replays a wire with the package's functions, and fails the test where
// a record does not open or a Finished or a signature does not prove what it should.
type session struct {
	t   *testing.T
	log map[string][]byte // label + client random: secret
	rsa *rsa.PrivateKey   // the server's, to prove RSA key transport, or nil

	version, suiteID uint16
	suite            *keys.Suite
	etm, ems         bool
	random           [2][]byte
	record           [2][]byte
	opener           [2]*keys.Opener
	next             [2]*keys.Opener // TLS <= 1.2: from the next ChangeCipherSpec on
	secret           [2][]byte       // TLS 1.3: the traffic secret in use
	handshake        [2][]byte
	transcript       []byte
	leaf             [2]any
	buf              []byte

	app        [2]bytes.Buffer
	opened     [2]int
	finished   int
	signatures int
	transports int // proofs of RSA key transport
	updates    int
	retried    bool
	tampered   [2]int
}

func replay(t *testing.T, w *wire, keyLog string, private *rsa.PrivateKey) *session {
	t.Helper()
	s := &session{t: t, log: map[string][]byte{}, rsa: private}
	if err := keys.ReadLog(strings.NewReader(keyLog), func(k keys.Secret) {
		s.log[k.Label+string(k.ClientRandom)] = k.Secret
	}); err != nil {
		t.Fatal(err)
	}
	for _, c := range w.chunks {
		s.record[c.side] = append(s.record[c.side], c.data...)
		for {
			in := cryptobyte.String(s.record[c.side])
			var typ uint8
			var version uint16
			var fragment cryptobyte.String
			if !in.ReadUint8(&typ) || !in.ReadUint16(&version) || !in.ReadUint16LengthPrefixed(&fragment) {
				break
			}
			s.record[c.side] = in
			s.readRecord(c.side, typ, version, fragment)
		}
	}
	return s
}

func (s *session) keyLog(label string) []byte {
	secret := s.log[label+string(s.random[client])]
	if secret == nil {
		s.t.Fatalf("no %s in the key log", label)
	}
	return secret
}

func (s *session) readRecord(side int, typ uint8, version uint16, fragment []byte) {
	s.t.Helper()
	if typ == 20 {
		if s.version < 0x0304 {
			if s.next[side] == nil {
				var err error
				s.next[client], s.next[server], err = keys.NewTLS12(s.version, s.suite, s.keyLog("CLIENT_RANDOM"), s.random[client], s.random[server], s.etm)
				if err != nil {
					s.t.Fatal(err)
				}
			}
			s.opener[side], s.next[side] = s.next[side], nil
		}
		return
	}
	plain := fragment
	if o := s.opener[side]; o != nil {
		if len(fragment) <= 160 && s.tampered[side] < 2 {
			s.tampered[side]++
			tamper(s.t, o, typ, version, fragment)
		}
		seq := o.Seq()
		var err error
		s.buf, typ, err = o.Open(s.buf[:0], typ, version, fragment)
		if err != nil {
			s.t.Fatalf("%s, version %#04x, side %d, record %d, type %d, %d bytes: %v", s.suite.Name, s.version, side, seq, typ, len(fragment), err)
		}
		if o.Seq() != seq+1 {
			s.t.Fatalf("Seq is %d after record %d", o.Seq(), seq)
		}
		s.opened[side]++
		plain = s.buf
	}
	switch typ {
	case 22:
		s.handshake[side] = append(s.handshake[side], plain...)
		for len(s.handshake[side]) >= 4 {
			in := s.handshake[side]
			n := 4 + int(in[1])<<16 + int(in[2])<<8 + int(in[3])
			if len(in) < n {
				break
			}
			s.handshake[side] = in[n:]
			s.readMessage(side, in[:n:n])
		}
	case 23:
		s.app[side].Write(plain)
	}
}

// tamper checks that no record with a flipped bit opens, and that the attempts leave the opener alone.
func tamper(t *testing.T, o *keys.Opener, typ uint8, version uint16, fragment []byte) {
	t.Helper()
	seq := o.Seq()
	try := func(what string, i int, typ uint8, version uint16, fragment []byte) {
		kept, inner, err := o.Open([]byte("kept"), typ, version, fragment)
		if !errors.Is(err, keys.ErrTag) && !errors.Is(err, keys.ErrRecord) {
			t.Fatalf("%s %d changed: error %v", what, i, err)
		}
		if string(kept) != "kept" || inner != 0 || o.Seq() != seq {
			t.Fatalf("%s %d changed: a failed Open returned %q, %d and Seq %d, not %d", what, i, kept, inner, o.Seq(), seq)
		}
	}
	changed := bytes.Clone(fragment)
	for i := range 8 * len(fragment) {
		changed[i/8] ^= 1 << (i % 8)
		try("bit", i, typ, version, changed)
		changed[i/8] ^= 1 << (i % 8)
	}
	for n := range fragment {
		try("length", n, typ, version, fragment[:n])
	}
	try("length", len(fragment)+1, typ, version, append(changed, 0))
	for i := range 8 {
		try("bit of type", i, typ^1<<i, version, fragment)
	}
	for i := range 16 {
		try("bit of version", i, typ, version^1<<i, fragment)
	}
}

func (s *session) readMessage(side int, raw []byte) {
	s.t.Helper()
	t := s.t
	body := cryptobyte.String(raw[4:])
	hash := func() []byte { return keys.TranscriptHash(s.version, s.suite.Hash, s.transcript) }
	switch raw[0] {
	case 0:
		return // HelloRequest
	case 1:
		if s.opener[client] != nil {
			s.transcript, s.version = nil, 0 // renegotiation
		}
		s.random[client] = bytes.Clone(body[2:34])
	case 2:
		s.readServerHello(body)
	case 11:
		var list, der cryptobyte.String
		if s.version == 0x0304 {
			body.ReadUint8LengthPrefixed(&list)
		}
		body.ReadUint24LengthPrefixed(&list)
		if list.ReadUint24LengthPrefixed(&der) {
			certificate, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			s.leaf[side] = certificate.PublicKey
		}
	case 12:
		s.readServerKeyExchange(body)
	case 15:
		signed := s.transcript
		if s.version == 0x0304 {
			signed = keys.CertificateVerifyContent(side == client, hash())
		}
		s.verify(side, signed, body)
	case 16:
		if s.rsa != nil && strings.HasPrefix(s.suite.Name, "TLS_RSA_WITH_") {
			s.proveTransport(body[2:], append(s.transcript, raw...))
		}
	case 20:
		want := []byte(nil)
		if s.version == 0x0304 {
			want = keys.VerifyData13(s.suite, s.secret[side], hash())
		} else {
			want = keys.VerifyData(s.version, s.suite.Hash, s.keyLog("CLIENT_RANDOM"), side == client, hash())
		}
		if !bytes.Equal(want, body) {
			t.Fatalf("%s, version %#04x, side %d: Finished is %x, should be %x", s.suite.Name, s.version, side, body, want)
		}
		s.finished++
		if s.version == 0x0304 {
			s.setSecret(side, s.keyLog([]string{"CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"}[side]))
		}
	case 24:
		s.setSecret(side, keys.NextTrafficSecret(s.suite, s.secret[side]))
		s.updates++
		return
	}
	s.transcript = append(s.transcript, raw...)
}

func (s *session) setSecret(side int, secret []byte) {
	o, err := keys.NewTLS13(s.suite, secret)
	if err != nil {
		s.t.Fatal(err)
	}
	s.secret[side], s.opener[side] = secret, o
}

func (s *session) readServerHello(body cryptobyte.String) {
	var random []byte
	var id, extensions, data cryptobyte.String
	var compression uint8
	var extension uint16
	if !body.ReadUint16(&s.version) || !body.ReadBytes(&random, 32) || !body.ReadUint8LengthPrefixed(&id) ||
		!body.ReadUint16(&s.suiteID) || !body.ReadUint8(&compression) {
		s.t.Fatal("the ServerHello cannot be read")
	}
	s.random[server] = bytes.Clone(random)
	s.etm, s.ems = false, false
	body.ReadUint16LengthPrefixed(&extensions)
	for extensions.ReadUint16(&extension) && extensions.ReadUint16LengthPrefixed(&data) {
		switch extension {
		case 22:
			s.etm = true
		case 23:
			s.ems = true
		case 43:
			data.ReadUint16(&s.version)
		}
	}
	var ok bool
	if s.suite, ok = keys.SuiteByID(s.suiteID); !ok {
		s.t.Fatalf("suite %#04x is not known", s.suiteID)
	}
	if s.version != 0x0304 {
		return
	}
	if bytes.HasPrefix(random, []byte{0xcf, 0x21, 0xad, 0x74}) { // HelloRetryRequest, RFC 8446 4.1.3
		s.retried = true
		s.transcript = keys.MessageHash(s.suite, s.transcript)
		return
	}
	s.setSecret(client, s.keyLog("CLIENT_HANDSHAKE_TRAFFIC_SECRET"))
	s.setSecret(server, s.keyLog("SERVER_HANDSHAKE_TRAFFIC_SECRET"))
}

func (s *session) readServerKeyExchange(body cryptobyte.String) {
	rest := body
	var skip cryptobyte.String
	exchange, _, _ := strings.Cut(s.suite.Name, "_WITH_")
	switch exchange {
	case "TLS_ECDHE_RSA", "TLS_ECDHE_ECDSA":
		rest.Skip(3)
		rest.ReadUint8LengthPrefixed(&skip)
	case "TLS_DHE_RSA", "TLS_DHE_DSS":
		for range 3 {
			rest.ReadUint16LengthPrefixed(&skip)
		}
	default:
		return
	}
	params := body[:len(body)-len(rest)]
	s.verify(server, bytes.Join([][]byte{s.random[client], s.random[server], params}, nil), rest)
}

// verify checks the signature at the end of a message, behind its scheme in TLS 1.2 and 1.3.
func (s *session) verify(side int, signed []byte, in cryptobyte.String) {
	s.t.Helper()
	var scheme uint16
	var sig cryptobyte.String
	if s.version >= 0x0303 {
		in.ReadUint16(&scheme)
	}
	if !in.ReadUint16LengthPrefixed(&sig) || !in.Empty() {
		s.t.Fatal("the signature cannot be read")
	}
	if err := keys.VerifyHandshakeSignature(s.version, scheme, s.leaf[side], signed, sig); err != nil {
		s.t.Fatalf("%s, version %#04x, scheme %#04x, %T: %v", s.suite.Name, s.version, scheme, s.leaf[side], err)
	}
	for _, in := range []cryptobyte.String{signed, sig} {
		in[len(in)/2] ^= 1
		if err := keys.VerifyHandshakeSignature(s.version, scheme, s.leaf[side], signed, sig); !errors.Is(err, keys.ErrSignature) {
			s.t.Fatalf("scheme %#04x, %T, one bit changed: %v", scheme, s.leaf[side], err)
		}
		in[len(in)/2] ^= 1
	}
	s.signatures++
}

// proveTransport goes from the ciphertext of ClientKeyExchange to the logged master secret.
func (s *session) proveTransport(ciphertext, transcript []byte) {
	s.t.Helper()
	em, err := keys.OpenPKCS1(s.rsa, ciphertext)
	if err != nil {
		s.t.Fatal(err)
	}
	preMaster, err := keys.CheckPKCS1(em, &s.rsa.PublicKey, ciphertext)
	if err != nil {
		s.t.Fatal(err)
	}
	var master []byte
	if s.ems {
		master = keys.ExtendedMasterSecret(s.version, s.suite.Hash, preMaster, keys.TranscriptHash(s.version, s.suite.Hash, transcript))
	} else {
		master = keys.MasterSecret(s.version, s.suite.Hash, preMaster, s.random[client], s.random[server])
	}
	if !bytes.Equal(master, s.keyLog("CLIENT_RANDOM")) {
		s.t.Fatalf("%s, version %#04x, ems %v: master secret %x, logged %x", s.suite.Name, s.version, s.ems, master, s.keyLog("CLIENT_RANDOM"))
	}
	s.transports++
}

// relay copies from one end to the other and records it, until from ends.
func (w *wire) relay(side int, to io.Writer, from io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		w.add(side, buf[:n])
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}
