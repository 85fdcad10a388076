package handshake

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/crypto/cryptobyte"
)

// A case is a valid message, what it must be read as, and in which context.
type messageCase struct {
	name string
	want Message
	ctx  Context
}

// ext makes an extension as it is read, its data encoded from the value.
func ext(in place, id uint16, value any) Extension {
	e := Extension{ID: id, Value: value}
	data, ok := encodeValue(e, in)
	if !ok && value != nil {
		panic(fmt.Sprintf("no data for %T", value))
	}
	e.Data = append([]byte{}, data...)
	return e
}

// raw makes an extension from its data where the value does not hold all of it.
func raw(id uint16, data []byte, value any) Extension {
	return Extension{ID: id, Data: append([]byte{}, data...), Value: value}
}

func fill(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }

var random = [32]byte(fill(32, 0xab))

// browserHello is a ClientHello with the shape and size of a browser's:
// GREASE, a post-quantum key share, encrypted_client_hello.
func browserHello() *ClientHello {
	in := inClientHello
	sni := []byte("\x00\x12\x00\x00\x0fwww.example.com")
	return &ClientHello{
		LegacyVersion: 0x0303, Random: random, SessionID: fill(32, 1),
		CipherSuites:       []uint16{0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x9c, 0x9d, 0x2f, 0x35},
		CompressionMethods: []uint8{0},
		Extensions: []Extension{
			ext(in, 0xdada, nil),
			ext(in, ExtCompressCertificate, CompressionAlgorithms{2}),
			ext(in, ExtSessionTicket, nil),
			ext(in, ExtALPN, ALPN{"h2", "http/1.1"}),
			ext(in, ExtECH, ECH{KDF: 1, AEAD: 1, ConfigID: 0x42, Enc: fill(32, 5), Payload: fill(208, 6)}),
			ext(in, ExtExtendedMasterSecret, nil),
			ext(in, ExtSupportedVersions, SupportedVersions{0x7a7a, 0x0304, 0x0303}),
			ext(in, ExtPSKKeyExchangeModes, PSKModes{1}),
			raw(ExtServerName, sni, ServerName("www.example.com")),
			ext(in, ExtKeyShare, KeyShares{{0x1a1a, []byte{0}}, {0x11ec, fill(1216, 7)}, {29, fill(32, 8)}}),
			ext(in, ExtSignatureAlgorithms, SignatureAlgorithms{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601}),
			ext(in, ExtSupportedGroups, SupportedGroups{0x1a1a, 0x11ec, 29, 23, 24}),
			ext(in, ExtECPointFormats, ECPointFormats{0}),
			raw(ExtStatusRequest, []byte{1, 0, 0, 0, 0}, StatusRequest{1}),
			ext(in, ExtALPS, ALPS{"h2"}),
			ext(in, ExtSCT, nil),
			ext(in, ExtRenegotiationInfo, RenegotiationInfo{}),
			raw(0x8a8a, []byte{0}, nil),
		},
	}
}

// cases holds every type of message and every extension that is read.
func cases() []messageCase {
	v10, v12, v13 := Context{Version: 0x0301}, Context{Version: 0x0303}, Context{Version: 0x0304}
	kx := func(version uint16, k KeyExchange) Context { return Context{Version: version, KeyExchange: k} }
	ch, sh, ee, ce, cr := inClientHello, inServerHello, inEncryptedExtensions, inCertificate, inCertificateRequest
	sct := [][]byte{fill(47, 1), fill(48, 2)}
	names := [][]byte{[]byte("\x30\x03one"), []byte("\x30\x03two")}
	psks := OfferedPSKs{
		Identities: []PSKIdentity{{fill(100, 1), 12345}, {[]byte("external"), 0}},
		Binders:    [][]byte{fill(32, 3), fill(48, 4)},
	}

	list := []messageCase{
		{"HelloRequest", &HelloRequest{}, v12},
		{"ClientHello without extensions", &ClientHello{
			LegacyVersion: 0x0300, Random: random, SessionID: []byte{}, CipherSuites: []uint16{4, 5, 10}, CompressionMethods: []uint8{1, 0},
		}, Context{}},
		{"ClientHello of a browser", browserHello(), Context{FromClient: true}},
		{"ClientHello with the rarer extensions", &ClientHello{
			LegacyVersion: 0x0303, Random: random, SessionID: []byte{}, CipherSuites: []uint16{0x1301}, CompressionMethods: []uint8{0},
			Extensions: []Extension{
				ext(ch, ExtMaxFragmentLength, MaxFragmentLength(4)),
				ext(ch, ExtCertType, CertificateTypes{1, 0}),
				ext(ch, ExtHeartbeat, HeartbeatMode(1)),
				ext(ch, ExtClientCertificateType, CertificateTypes{2, 0}),
				ext(ch, ExtServerCertificateType, CertificateTypes{2}),
				ext(ch, ExtPadding, Padding(17)),
				ext(ch, ExtEncryptThenMAC, nil),
				ext(ch, ExtRecordSizeLimit, RecordSizeLimit(0x4001)),
				ext(ch, ExtDelegatedCredential, DelegatedCredentials{0x0403, 0x0503}),
				ext(ch, ExtSessionTicket, SessionTicket(fill(192, 9))),
				ext(ch, ExtEarlyData, nil),
				ext(ch, ExtCookie, Cookie("crumb")),
				ext(ch, ExtCertificateAuthorities, CertificateAuthorities(names)),
				ext(ch, ExtPostHandshakeAuth, nil),
				ext(ch, ExtSignatureAlgsCert, SignatureAlgorithms{0x0401}),
				ext(ch, ExtNextProtocol, nil),
				ext(ch, ExtALPSOld, ALPS{"h2", "h3"}),
				ext(ch, ExtKeyShare, KeyShares{}),
				ext(ch, ExtPreSharedKey, psks),
			},
			BindersOffset: -1, // computed below
		}, Context{}},
		{"ClientHello inside ECH", &ClientHello{
			LegacyVersion: 0x0303, Random: random, SessionID: []byte{}, CipherSuites: []uint16{0x1301}, CompressionMethods: []uint8{0},
			Extensions: []Extension{ext(ch, ExtECH, ECH{Inner: true})},
		}, Context{}},
		{"ServerHello 1.0", &ServerHello{LegacyVersion: 0x0301, Random: random, SessionID: fill(32, 2), CipherSuite: 0x2f}, Context{}},
		{"ServerHello 1.2", &ServerHello{
			LegacyVersion: 0x0303, Random: random, SessionID: []byte{}, CipherSuite: 0xc02f,
			Extensions: []Extension{
				ext(sh, ExtServerName, nil),
				ext(sh, ExtStatusRequest, nil),
				ext(sh, ExtSessionTicket, nil),
				ext(sh, ExtALPN, ALPN{"http/1.1"}),
				ext(sh, ExtSCT, SCTs(sct)),
				ext(sh, ExtServerCertificateType, CertificateTypes{0}),
				ext(sh, ExtNextProtocol, NextProtocols{"spdy/3.1", "http/1.1"}),
				ext(sh, ExtExtendedMasterSecret, nil),
				ext(sh, ExtEncryptThenMAC, nil),
				ext(sh, ExtRenegotiationInfo, RenegotiationInfo(fill(24, 1))),
				ext(sh, ExtHeartbeat, HeartbeatMode(2)),
			},
		}, Context{}},
		{"ServerHello 1.3", &ServerHello{
			LegacyVersion: 0x0303, Random: random, SessionID: fill(32, 1), CipherSuite: 0x1302,
			Extensions: []Extension{
				ext(sh, ExtSupportedVersions, SelectedVersion(0x0304)),
				ext(sh, ExtKeyShare, KeyShares{{0x11ec, fill(1120, 3)}}),
				ext(sh, ExtPreSharedKey, SelectedPSK(1)),
			},
		}, Context{}},
		{"ServerHello of draft 18", &ServerHello{
			LegacyVersion: 0x7f12, Random: random, CipherSuite: 0x1301,
			Extensions: []Extension{raw(40, append([]byte{0, 29, 0, 32}, fill(32, 1)...), KeyShares{{29, fill(32, 1)}})},
		}, Context{}},
		{"ServerHello of draft 14", &ServerHello{
			LegacyVersion: 0x0304, Random: random, CipherSuite: 0xc02b,
			Extensions: []Extension{raw(40, append([]byte{0, 29, 0, 32}, fill(32, 1)...), KeyShares{{29, fill(32, 1)}})},
		}, Context{}},
		{"NewSessionTicket of draft 20", &NewSessionTicket{Lifetime: 7200, AgeAdd: 1, Ticket: fill(176, 1)}, Context{Version: 0x7f14}},
		{"HelloRetryRequest", &ServerHello{
			LegacyVersion: 0x0303, Random: helloRetryRandom, SessionID: fill(32, 1), CipherSuite: 0x1302, Retry: true,
			Extensions: []Extension{
				ext(inHelloRetryRequest, ExtSupportedVersions, SelectedVersion(0x0304)),
				ext(inHelloRetryRequest, ExtKeyShare, SelectedGroup(24)),
				ext(inHelloRetryRequest, ExtCookie, Cookie(fill(40, 1))),
				ext(inHelloRetryRequest, ExtECH, ECHConfirmation(fill(8, 1))),
			},
		}, Context{}},
		{"EncryptedExtensions", &EncryptedExtensions{Extensions: []Extension{
			ext(ee, ExtServerName, nil),
			ext(ee, ExtSupportedGroups, SupportedGroups{29, 23}),
			ext(ee, ExtALPN, ALPN{"h2"}),
			ext(ee, ExtEarlyData, nil),
			raw(ExtALPS, []byte("opaque settings"), nil),
			ext(ee, ExtECH, ECHRetryConfigs(fill(60, 1))),
		}}, v13},
		{"EncryptedExtensions, empty", &EncryptedExtensions{}, v13},
		{"EndOfEarlyData", &EndOfEarlyData{}, v13},
		{"Certificate 1.2", &Certificate{Entries: []CertificateEntry{{Data: fill(700, 1)}, {Data: fill(900, 2)}}}, v12},
		{"Certificate 1.2, empty", &Certificate{}, v12},
		{"Certificate 1.3", &Certificate{
			RequestContext: []byte{},
			Entries: []CertificateEntry{
				{Data: fill(700, 1), Extensions: []Extension{ext(ce, ExtStatusRequest, StatusResponse(fill(471, 1))), ext(ce, ExtSCT, SCTs(sct))}},
				{Data: fill(900, 2)},
			},
		}, v13},
		{"Certificate 1.3, client's, empty", &Certificate{RequestContext: []byte{1, 2, 3}}, v13},
		{"CertificateRequest 1.0", &CertificateRequest{CertificateTypes: []uint8{1, 2, 64}, Authorities: names}, v10},
		{"CertificateRequest 1.2", &CertificateRequest{CertificateTypes: []uint8{1, 64}, SignatureSchemes: []uint16{0x0401, 0x0403}, Authorities: names}, v12},
		{"CertificateRequest 1.2, any authority", &CertificateRequest{CertificateTypes: []uint8{1}, SignatureSchemes: []uint16{0x0401}}, v12},
		{"CertificateRequest 1.3", &CertificateRequest{
			RequestContext: []byte{}, SignatureSchemes: []uint16{0x0403, 0x0804}, Authorities: names,
			Extensions: []Extension{
				ext(cr, ExtSignatureAlgorithms, SignatureAlgorithms{0x0403, 0x0804}),
				ext(cr, ExtSignatureAlgsCert, SignatureAlgorithms{0x0201}),
				ext(cr, ExtCertificateAuthorities, CertificateAuthorities(names)),
				ext(cr, ExtStatusRequest, nil),
				ext(cr, ExtSCT, nil),
				ext(cr, ExtCompressCertificate, CompressionAlgorithms{1, 2, 3}),
			},
		}, v13},
		{"CertificateVerify 1.0", &CertificateVerify{Signature: fill(256, 1)}, v10},
		{"CertificateVerify 1.2", &CertificateVerify{SignatureScheme: 0x0401, Signature: fill(256, 1)}, v12},
		{"CertificateVerify 1.3", &CertificateVerify{SignatureScheme: 0x0804, Signature: fill(256, 1)}, v13},
		{"ServerHelloDone", &ServerHelloDone{}, v12},
		{"Finished 1.2", &Finished{VerifyData: fill(12, 1)}, v12},
		{"Finished SSL 3.0", &Finished{VerifyData: fill(36, 1)}, Context{Version: 0x0300}},
		{"Finished 1.3", &Finished{VerifyData: fill(48, 1)}, v13},
		{"NewSessionTicket 1.2", &NewSessionTicket{Lifetime: 7200, Ticket: fill(192, 1)}, v12},
		{"NewSessionTicket 1.2, none after all", &NewSessionTicket{Ticket: []byte{}}, v12},
		{"NewSessionTicket 1.3", &NewSessionTicket{
			Lifetime: 604800, AgeAdd: 0xdeadbeef, Nonce: []byte{0}, Ticket: fill(217, 1),
			Extensions: []Extension{ext(inNewSessionTicket, ExtEarlyData, MaxEarlyDataSize(14336))},
		}, v13},
		{"CertificateStatus", &CertificateStatus{StatusType: 1, Response: fill(471, 1)}, v12},
		{"KeyUpdate", &KeyUpdate{}, v13},
		{"KeyUpdate, requested", &KeyUpdate{UpdateRequested: true}, v13},
		{"SupplementalData", &Unknown{MessageType: TypeSupplementalData, Data: []byte{1, 2, 3}}, v12},
		{"ServerKeyExchange of an unknown suite", &Unknown{MessageType: TypeServerKeyExchange, Data: []byte{1, 2, 3}}, v12},
		{"ClientKeyExchange of an unknown suite", &Unknown{MessageType: TypeClientKeyExchange, Data: []byte{1, 2, 3}}, v12},

		{"ClientKeyExchange RSA", &ClientKeyExchange{KeyExchange: KeyExchangeRSA, EncryptedPreMaster: fill(256, 1)}, kx(0x0303, KeyExchangeRSA)},
		{"ClientKeyExchange RSA in SSL 3.0", &ClientKeyExchange{KeyExchange: KeyExchangeRSA, EncryptedPreMaster: fill(128, 1)}, kx(0x0300, KeyExchangeRSA)},
		{"ClientKeyExchange DHE", &ClientKeyExchange{KeyExchange: KeyExchangeDHE, Public: fill(256, 1)}, kx(0x0303, KeyExchangeDHE)},
		{"ClientKeyExchange DH, implicit", &ClientKeyExchange{KeyExchange: KeyExchangeDH}, kx(0x0303, KeyExchangeDH)},
		{"ClientKeyExchange DH anon", &ClientKeyExchange{KeyExchange: KeyExchangeDHAnon, Public: fill(256, 1)}, kx(0x0303, KeyExchangeDHAnon)},
		{"ClientKeyExchange ECDHE", &ClientKeyExchange{KeyExchange: KeyExchangeECDHE, Public: fill(32, 1)}, kx(0x0303, KeyExchangeECDHE)},
		{"ClientKeyExchange ECDH, implicit", &ClientKeyExchange{KeyExchange: KeyExchangeECDH}, kx(0x0303, KeyExchangeECDH)},
		{"ClientKeyExchange ECDH anon", &ClientKeyExchange{KeyExchange: KeyExchangeECDHAnon, Public: fill(65, 4)}, kx(0x0303, KeyExchangeECDHAnon)},
		{"ClientKeyExchange PSK", &ClientKeyExchange{KeyExchange: KeyExchangePSK, PSKIdentity: []byte("me")}, kx(0x0303, KeyExchangePSK)},
		{"ClientKeyExchange DHE_PSK", &ClientKeyExchange{KeyExchange: KeyExchangeDHEPSK, PSKIdentity: []byte("me"), Public: fill(256, 1)}, kx(0x0303, KeyExchangeDHEPSK)},
		{"ClientKeyExchange ECDHE_PSK", &ClientKeyExchange{KeyExchange: KeyExchangeECDHEPSK, PSKIdentity: []byte("me"), Public: fill(32, 1)}, kx(0x0303, KeyExchangeECDHEPSK)},
		{"ClientKeyExchange RSA_PSK", &ClientKeyExchange{KeyExchange: KeyExchangeRSAPSK, PSKIdentity: []byte("me"), EncryptedPreMaster: fill(256, 1)}, kx(0x0303, KeyExchangeRSAPSK)},
		{"ClientKeyExchange SRP", &ClientKeyExchange{KeyExchange: KeyExchangeSRP, Public: fill(128, 1)}, kx(0x0301, KeyExchangeSRP)},
	}

	for _, ske := range []struct {
		version uint16
		m       ServerKeyExchange
	}{
		{0x0303, ServerKeyExchange{KeyExchange: KeyExchangeECDHE, Group: 29, Public: fill(32, 1), SignatureScheme: 0x0804, Signature: fill(256, 2)}},
		{0x0301, ServerKeyExchange{KeyExchange: KeyExchangeECDHE, Group: 23, Public: fill(65, 4), Signature: fill(71, 2)}},
		{0x0303, ServerKeyExchange{KeyExchange: KeyExchangeDHE, P: fill(256, 0xff), G: []byte{2}, Public: fill(256, 1), SignatureScheme: 0x0401, Signature: fill(256, 2)}},
		{0x0300, ServerKeyExchange{KeyExchange: KeyExchangeDHE, P: fill(128, 0xff), G: []byte{2}, Public: fill(128, 1), Signature: fill(128, 2)}},
		{0x0303, ServerKeyExchange{KeyExchange: KeyExchangeDHAnon, P: fill(256, 0xff), G: []byte{2}, Public: fill(256, 1)}},
		{0x0303, ServerKeyExchange{KeyExchange: KeyExchangeECDHAnon, Group: 23, Public: fill(65, 4)}},
		{0x0303, ServerKeyExchange{KeyExchange: KeyExchangePSK, PSKHint: []byte("hint")}},
		{0x0303, ServerKeyExchange{KeyExchange: KeyExchangeRSAPSK, PSKHint: []byte("hint")}},
		{0x0303, ServerKeyExchange{KeyExchange: KeyExchangeDHEPSK, PSKHint: []byte{}, P: fill(256, 0xff), G: []byte{2}, Public: fill(256, 1)}},
		{0x0303, ServerKeyExchange{KeyExchange: KeyExchangeECDHEPSK, PSKHint: []byte("hint"), Group: 29, Public: fill(32, 1)}},
	} {
		m := ske.m
		b := cryptobyte.NewBuilder(nil)
		if m.PSKHint != nil {
			vec16(b, m.PSKHint)
		}
		if m.P != nil {
			vec16(b, m.P)
			vec16(b, m.G)
			vec16(b, m.Public)
		} else if m.Public != nil {
			b.AddUint8(3)
			b.AddUint16(m.Group)
			vec8(b, m.Public)
		}
		m.Params = b.BytesOrPanic()
		list = append(list, messageCase{
			fmt.Sprintf("ServerKeyExchange %d %s", m.KeyExchange, VersionName(ske.version)), &m, kx(ske.version, m.KeyExchange),
		})
	}
	return list
}

func TestParseEveryMessage(t *testing.T) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			body, ok := encode(c.want, c.ctx)
			if !ok {
				t.Fatal("no encoder")
			}
			if ch, ok := c.want.(*ClientHello); ok && ch.BindersOffset == -1 {
				binders := cryptobyte.NewBuilder(nil)
				addBinders(binders, ch.PSK().Binders)
				ch.BindersOffset = 4 + len(body) - len(binders.BytesOrPanic())
			}
			got, err := Parse(c.want.Type(), body, c.ctx)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("read as\n%#v\nwant\n%#v", got, c.want)
			}
		})
	}
}

// Every prefix of a valid message is an error or a message again, which then
// is made of exactly these bytes.
func TestParseEveryPrefix(t *testing.T) {
	for _, c := range cases() {
		body, _ := encode(c.want, c.ctx)
		accepted := 0
		for n := range body {
			if checkParse(t, c.want.Type(), body[:n], c.ctx) {
				accepted++
			}
		}
		switch c.want.(type) {
		case *Unknown, *Finished: // of any length, or of several
		case *ClientHello, *ServerHello:
			if accepted > 1 { // without extensions
				t.Errorf("%s: %d prefixes are messages", c.name, accepted)
			}
		case *ClientKeyExchange:
			if accepted > 1 { // SSL 3.0 has no length; an empty one is implicit
				if c.ctx.Version != 0x0300 {
					t.Errorf("%s: %d prefixes are messages", c.name, accepted)
				}
			}
		default:
			if accepted > 0 {
				t.Errorf("%s: %d prefixes are messages", c.name, accepted)
			}
		}
		if _, any := c.want.(*Unknown); any {
			continue
		}
		longer := append(bytes.Clone(body), 0)
		switch m, err := Parse(c.want.Type(), longer, c.ctx); {
		case err == nil && (c.want.Type() == TypeFinished || c.ctx.Version == 0x0300):
		case err == nil && len(extensionsOf(c.want)) == 0 && c.want.Type() <= TypeServerHello && c.want.Type() >= TypeClientHello:
			t.Errorf("%s: one byte more is read as %+v", c.name, m)
		case err == nil:
			t.Errorf("%s: a byte left over is no error", c.name)
		}
	}
}

// checkParse parses and, where that succeeds, encodes again.
func checkParse(t *testing.T, typ Type, body []byte, ctx Context) bool {
	t.Helper()
	m, err := Parse(typ, body, ctx)
	if err != nil {
		if m != nil {
			t.Errorf("%v: a message beside the error %q", typ, err)
		}
		if !strings.HasPrefix(err.Error(), TypeName(typ)+": ") {
			t.Errorf("%v: the error %q does not name the message", typ, err)
		}
		return false
	}
	if m.Type() != typ {
		t.Errorf("%v is read as %v", typ, m.Type())
	}
	again, ok := encode(m, ctx)
	if ok && !bytes.Equal(again, body) {
		noExtensions := (typ == TypeClientHello || typ == TypeServerHello) && bytes.Equal(append(again, 0, 0), body)
		if !noExtensions {
			t.Errorf("%v %+v\nread    %x\nwritten %x", typ, ctx, body, again)
		}
	}
	for in, list := range placesOf(m) {
		for _, e := range list {
			if e.Err != "" && e.Value != nil {
				t.Errorf("%s: a value beside the error %q", ExtensionName(e.ID), e.Err)
			}
			if data, ok := encodeValue(e, in); ok && !bytes.Equal(data, e.Data) {
				t.Errorf("%s in %v\nread    %x\nwritten %x", ExtensionName(e.ID), in, e.Data, data)
			}
		}
	}
	if ch, ok := m.(*ClientHello); ok && ch.BindersOffset != 0 {
		binders := cryptobyte.NewBuilder(nil)
		addBinders(binders, ch.PSK().Binders)
		if !bytes.Equal(body[ch.BindersOffset-4:], binders.BytesOrPanic()) {
			t.Errorf("BindersOffset %d is not where the binders begin", ch.BindersOffset)
		}
	}
	return true
}

func TestParseErrors(t *testing.T) {
	hello := func(tail string) string { return "\x03\x03" + string(fill(32, 1)) + tail }
	for _, c := range []struct {
		typ  Type
		body string
		ctx  Context
		want string
	}{
		{TypeClientHello, "", Context{}, "ClientHello: client_version: missing"},
		{TypeClientHello, "\x03", Context{}, "ClientHello: client_version: needs 2 bytes, has 1"},
		{TypeClientHello, "\x03\x03abc", Context{}, "ClientHello: random: needs 32 bytes, has 3"},
		{TypeClientHello, hello("\x21"), Context{}, "ClientHello: session_id: length 33, at most 32 is allowed"},
		{TypeClientHello, hello("\x00\x00\x03abc\x01\x00"), Context{}, "ClientHello: cipher_suites: odd length 3"},
		{TypeClientHello, hello("\x00\x00\x00\x01\x00"), Context{}, "ClientHello: cipher_suites: empty"},
		{TypeClientHello, hello("\x00\x00\x08ab"), Context{}, "ClientHello: cipher_suites: length 8, but 2 left"},
		{TypeClientHello, hello("\x00\x00\x02ab\x00"), Context{}, "ClientHello: compression_methods: empty"},
		{TypeClientHello, hello("\x00\x00\x02ab\x01\x00\x00\x05\x00\x00\x00\x00\x00"), Context{}, "ClientHello: extensions: entry 2: extension_type: needs 2 bytes, has 1"},
		{TypeClientHello, hello("\x00\x00\x02ab\x01\x00\x00\x00\x00"), Context{}, "ClientHello: 1 byte left over at the end"},
		{TypeServerHelloDone, "ab", Context{}, "ServerHelloDone: 2 bytes left over at the end"},
		{TypeCertificate, "\x00\x00\x04\x00\x00\x05a", Context{Version: 0x0303}, "Certificate: certificate_list: entry 1: certificate: length 5, but 1 left"},
		{TypeKeyUpdate, "\x02", Context{Version: 0x0304}, "KeyUpdate: request_update: 2 is neither 0 nor 1"},
		{TypeServerKeyExchange, "\x01\x00\x17", Context{Version: 0x0303, KeyExchange: KeyExchangeECDHE}, "ServerKeyExchange: curve_type: 1 is not named_curve (3)"},
		{TypeFinished, "short", Context{Version: 0x0303}, "Finished: verify_data: needs 12 bytes, has 5"},
		{TypeServerKeyExchange, "\x00\x00", Context{Version: 0x0303, KeyExchange: KeyExchangeECDH}, "ServerKeyExchange: key exchange: the negotiated suite has no such message"},
		{TypeCertificateStatus, "\x03", Context{}, "CertificateStatus: status_type: 3 is neither ocsp (1) nor ocsp_multi (2)"},
	} {
		_, err := Parse(c.typ, []byte(c.body), c.ctx)
		if err == nil || err.Error() != c.want {
			t.Errorf("%v %x: error %v, want %q", c.typ, c.body, err, c.want)
		}
	}
}

// A malformed extension is told and does not fail the message.
func TestMalformedExtensions(t *testing.T) {
	for _, c := range []struct {
		in   place
		id   uint16
		data string
		want string
	}{
		{inClientHello, ExtServerName, "\x00\x00", "server_name_list: empty"},
		{inClientHello, ExtServerName, "\x00\x08\x00\x00\x01a\x00\x00\x01b", "server_name_list: holds two names of type host_name"},
		{inClientHello, ExtServerName, "\x00\x04\x00\x00\x05a", "host_name: length 5, but 1 left"},
		{inServerHello, ExtServerName, "a", "1 byte left over at the end"},
		{inClientHello, ExtSupportedGroups, "\x00\x03abc", "named_group_list: odd length 3"},
		{inClientHello, ExtALPN, "\x00\x02\x00\x00", "protocol_name: empty"},
		{inServerHello, ExtALPN, "\x00\x06\x02h2\x02h3", "protocol_name_list: the answer holds 2 names, not one"},
		{inClientHello, ExtExtendedMasterSecret, "a", "1 byte left over at the end"},
		{inClientHello, ExtMaxFragmentLength, "\x05", "max_fragment_length: 5 is not one of 1 to 4"},
		{inClientHello, ExtPadding, "\x00\x01", "padding: is not all zero"},
		{inClientHello, ExtRecordSizeLimit, "\x00\x10", "record_size_limit: 16 is less than 64"},
		{inClientHello, ExtECH, "\x02", "type: 2 is neither outer (0) nor inner (1)"},
		{inEncryptedExtensions, ExtKeyShare, "", "has no place in EncryptedExtensions"},
		{inHelloRetryRequest, ExtKeyShare, "\x00", "selected_group: needs 2 bytes, has 1"},
		{inServerHello, ExtPadding, "", "has no place in ServerHello"},
	} {
		b := cryptobyte.NewBuilder(nil)
		extensionList(b, []Extension{{ID: c.id, Data: []byte(c.data)}})
		r := reader{s: b.BytesOrPanic()}
		list := r.extensions(c.in)
		if err := r.end(); err != nil || len(list) != 1 {
			t.Errorf("%s in %v: %v", ExtensionName(c.id), c.in, err)
			continue
		}
		if list[0].Err != c.want || list[0].Value != nil {
			t.Errorf("%s in %v: %q and value %v, want %q", ExtensionName(c.id), c.in, list[0].Err, list[0].Value, c.want)
		}
	}
}

func TestExtensionsTwiceAndOutOfPlace(t *testing.T) {
	psk := ext(inClientHello, ExtPreSharedKey, OfferedPSKs{Identities: []PSKIdentity{{[]byte("a"), 0}}, Binders: [][]byte{fill(32, 1)}})
	h := browserHello()
	h.Extensions = append([]Extension{psk}, h.Extensions...)
	h.Extensions = append(h.Extensions, ext(inClientHello, ExtALPN, ALPN{"other"}))
	body, _ := encode(h, Context{})
	m, err := Parse(TypeClientHello, body, Context{})
	if err != nil {
		t.Fatal(err)
	}
	ch := m.(*ClientHello)
	if e := ch.Extension(ExtPreSharedKey); e.Err != "is not the last extension" || ch.PSK() != nil || ch.BindersOffset != 0 {
		t.Errorf("pre_shared_key: %+v", e)
	}
	if e := ch.Extensions[len(ch.Extensions)-1]; e.Err != "stands twice in the message" || ch.ALPN()[0] != "h2" {
		t.Errorf("second ALPN: %+v", e)
	}

	// The same where there are so many that they are not compared one by one.
	h = browserHello()
	for i := range uint16(5000) {
		h.Extensions = append(h.Extensions, Extension{ID: 0x5000 + i, Data: []byte{}})
	}
	h.Extensions = append(h.Extensions, Extension{ID: 0x5000, Data: []byte{}})
	body, _ = encode(h, Context{})
	m, err = Parse(TypeClientHello, body, Context{})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range m.(*ClientHello).Extensions {
		last := i == len(h.Extensions)-1
		if (e.Err != "") != last {
			t.Errorf("extension %d, %s: %q", i, ExtensionName(e.ID), e.Err)
		}
	}
}

func TestRawPublicKey(t *testing.T) {
	for _, n := range []int{44, 140, 294} {
		key := []byte{0x30, byte(n)}
		switch {
		case n > 255:
			key = []byte{0x30, 0x82, byte(n >> 8), byte(n)}
		case n > 127:
			key = []byte{0x30, 0x81, byte(n)}
		}
		key = append(key, fill(n, 1)...)
		b := cryptobyte.NewBuilder(nil)
		vec24(b, key)
		m, err := Parse(TypeCertificate, b.BytesOrPanic(), Context{Version: 0x0303})
		if err != nil {
			t.Fatal(err)
		}
		if c := m.(*Certificate); len(c.Entries) != 1 || !bytes.Equal(c.Entries[0].Data, key) {
			t.Errorf("%d bytes: %+v", n, c)
		}
	}
}

func TestCertificateStatusMulti(t *testing.T) {
	body := []byte("\x02\x00\x00\x0a\x00\x00\x04leaf\x00\x00\x00")
	m, err := Parse(TypeCertificateStatus, body, Context{Version: 0x0303})
	if err != nil {
		t.Fatal(err)
	}
	if s := m.(*CertificateStatus); s.StatusType != 2 || string(s.Response) != "leaf" {
		t.Errorf("%+v", s)
	}
}

func TestNextProtocol(t *testing.T) {
	b := cryptobyte.NewBuilder(nil)
	vec8(b, []byte("spdy/3.1"))
	vec8(b, make([]byte, 22))
	m, err := Parse(TypeNextProtocol, b.BytesOrPanic(), Context{Version: 0x0303})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.(*NextProtocol).Protocol; got != "spdy/3.1" {
		t.Errorf("%q", got)
	}
}

func TestSRPAndExportServerKeyExchange(t *testing.T) {
	b := cryptobyte.NewBuilder(nil)
	vec16(b, fill(128, 1)) // N
	vec16(b, []byte{2})    // g
	vec8(b, fill(16, 3))   // s
	vec16(b, fill(128, 4)) // B
	params := len(b.BytesOrPanic())
	for _, signed := range []bool{false, true} {
		if signed {
			vec16(b, fill(128, 5))
		}
		m, err := Parse(TypeServerKeyExchange, b.BytesOrPanic(), Context{Version: 0x0301, KeyExchange: KeyExchangeSRP})
		if err != nil {
			t.Fatal(err)
		}
		if s := m.(*ServerKeyExchange); len(s.Params) != params || s.Public[0] != 4 || (s.Signature != nil) != signed {
			t.Errorf("%+v", s)
		}
	}
	b = cryptobyte.NewBuilder(nil)
	vec16(b, fill(64, 1))
	vec16(b, []byte{1, 0, 1})
	vec16(b, fill(128, 5))
	m, err := Parse(TypeServerKeyExchange, b.BytesOrPanic(), Context{Version: 0x0301, KeyExchange: KeyExchangeRSA})
	if err != nil {
		t.Fatal(err)
	}
	if s := m.(*ServerKeyExchange); len(s.Params) != 2+64+2+3 || len(s.Public) != 64 || len(s.Signature) != 128 {
		t.Errorf("%+v", s)
	}
}

func compressed(t *testing.T, algorithm uint16, plain []byte, claim int) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch algorithm {
	case 1:
		w = zlib.NewWriter(&out)
	case 2:
		w = brotli.NewWriter(&out)
	case 3:
		z, err := zstd.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddUint16(algorithm)
	b.AddUint24(uint32(claim))
	vec24(b, out.Bytes())
	return b.BytesOrPanic()
}

func TestCompressedCertificate(t *testing.T) {
	want := &Certificate{RequestContext: []byte{}, Entries: []CertificateEntry{{Data: fill(900, 1)}, {Data: fill(1100, 2)}}}
	plain, _ := encode(want, Context{Version: 0x0304})
	parse := func(body []byte) *CompressedCertificate {
		t.Helper()
		m, err := Parse(TypeCompressedCertificate, body, Context{Version: 0x0304})
		if err != nil {
			t.Fatal(err)
		}
		return m.(*CompressedCertificate)
	}
	for _, algorithm := range []uint16{1, 2, 3} {
		name := CertificateCompressionName(algorithm)
		body := compressed(t, algorithm, plain, len(plain))
		m := parse(body)
		if m.Err != "" || !reflect.DeepEqual(m.Certificate, want) || m.UncompressedLength != len(plain) || m.CompressedLength != len(body)-8 {
			t.Errorf("%s: %+v", name, m)
		}
		if m := parse(compressed(t, algorithm, plain, len(plain)+1)); m.Certificate != nil ||
			m.Err != fmt.Sprintf("uncompressed_length: says %d bytes, but there are %d", len(plain)+1, len(plain)) {
			t.Errorf("%s, too long a claim: %+v", name, m)
		}
		if m := parse(compressed(t, algorithm, plain, len(plain)-1)); m.Certificate != nil ||
			m.Err != fmt.Sprintf("uncompressed_length: says %d bytes, but there are more", len(plain)-1) {
			t.Errorf("%s, too short a claim: %+v", name, m)
		}
		if m := parse(compressed(t, algorithm, make([]byte, 8<<20), 1<<20)); m.Certificate != nil || m.Err == "" { // a bomb
			t.Errorf("%s, bomb: %+v", name, m)
		}
		if m := parse(compressed(t, algorithm, []byte("no certificate"), 14)); m.Certificate != nil || m.Err == "" {
			t.Errorf("%s, no certificate: %+v", name, m)
		}
		garbage := append(bytes.Clone(body[:8]), fill(len(body)-8, 0xee)...)
		if m := parse(garbage); m.Certificate != nil || !strings.HasPrefix(m.Err, name+": ") {
			t.Errorf("%s, garbage: %+v", name, m)
		}
	}
	if m := parse([]byte("\x00\x01\xff\xff\xff\x00\x00\x01a")); m.Err != "uncompressed_length: 16777215 bytes, more than the 1048576 that are read" {
		t.Errorf("over the bound: %+v", m)
	}
	if m := parse([]byte("\x00\x09\x00\x00\x01\x00\x00\x01a")); m.Err != "algorithm: 0x0009 is not known" {
		t.Errorf("unknown algorithm: %+v", m)
	}
}

func TestAccessorsOnEmptyHellos(t *testing.T) {
	ch, sh := &ClientHello{LegacyVersion: 0x0301}, &ServerHello{LegacyVersion: 0x0301}
	if ticket, ok := ch.SessionTicket(); ch.ServerName() != "" || ch.ALPN() != nil || ch.KeyShares() != nil || ch.Groups() != nil ||
		ch.PSK() != nil || ch.HasEMS() || ch.HasEtM() || ch.HasEarlyData() || ticket != nil || ok || ch.Extension(0) != nil {
		t.Error("a ClientHello without extensions has something")
	}
	if v := ch.Versions(); len(v) != 1 || v[0] != 0x0301 {
		t.Errorf("Versions() = %#04x", v)
	}
	if _, ok := sh.SelectedPSK(); ok || sh.Version() != 0x0301 || sh.KeyShare() != nil || sh.SelectedGroup() != 0 || sh.ALPN() != "" ||
		sh.HasEMS() || sh.HasEtM() || sh.DowngradeSentinel() != 0 {
		t.Error("a ServerHello without extensions has something")
	}
	copy(sh.Random[24:], "DOWNGRD\x00")
	if got := sh.DowngradeSentinel(); got != 0x0302 {
		t.Errorf("DowngradeSentinel() = %#04x", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range cases() {
		if body, ok := encode(c.want, c.ctx); ok {
			f.Add(uint8(c.want.Type()), body, c.ctx.Version, uint8(c.ctx.KeyExchange))
		}
	}
	f.Add(uint8(TypeNextProtocol), []byte("\x02h2\x00"), uint16(0x0303), uint8(0))
	f.Add(uint8(TypeCertificate), []byte("\x00\x00\x04\x30\x02ab"), uint16(0x0303), uint8(0))
	f.Add(uint8(TypeCompressedCertificate), []byte("\x00\x01\x00\x00\x05\x00\x00\x0bx\x9cabcabcabc"), uint16(0x0304), uint8(0))
	f.Add(uint8(TypeCompressedCertificate), []byte("\x00\x02\x00\x00\x05\x00\x00\x04\x0b\x01\x80a"), uint16(0x0304), uint8(0))
	f.Add(uint8(TypeCompressedCertificate), []byte("\x00\x03\x00\x00\x05\x00\x00\x06\x28\xb5\x2f\xfd\x00\x00"), uint16(0x0304), uint8(0))
	f.Fuzz(func(t *testing.T, typ uint8, body []byte, version uint16, kx uint8) {
		ctx := Context{Version: version, KeyExchange: KeyExchange(kx)}
		checkParse(t, Type(typ), body, ctx)
		msg := whole(Type(typ), body)
		leaves(t, Layout(msg, ctx), len(msg))
	})
}

func BenchmarkParseClientHello(b *testing.B) {
	body, _ := encode(browserHello(), Context{})
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(TypeClientHello, body, Context{}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestFirstDTLS: OpenSSL before 0.9.8f sent the encrypted secret without its length.
func TestFirstDTLS(t *testing.T) {
	for version, body := range map[uint16][]byte{0x0100: fill(128, 1), 0xfeff: append([]byte{0, 128}, fill(128, 1)...)} {
		m, err := ParseDTLS(TypeClientKeyExchange, body, Context{Version: version, KeyExchange: KeyExchangeRSA, FromClient: true})
		if k, ok := m.(*ClientKeyExchange); err != nil || !ok || !bytes.Equal(k.EncryptedPreMaster, fill(128, 1)) {
			t.Errorf("version %04x: %v, %v", version, m, err)
		}
	}
}
