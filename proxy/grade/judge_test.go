package grade

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/score"
	"explainer/ca"
	"explainer/ca/verify"
	"explainer/capture/handshake"
)

func judge(e *Evidence) *score.Report { return Judge(event.Plain("a proxy"), e) }

// perfect is the evidence of a proxy that passes every line that can be tested.
func perfect(t *testing.T) *Evidence {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := ca.NewEphemeral("judge test")
	if err != nil {
		t.Fatal(err)
	}
	weak := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}
	hello := func() *handshake.ClientHello {
		h := &handshake.ClientHello{LegacyVersion: 0x0303, CipherSuites: []uint16{0x1301, 0xc02b}, CompressionMethods: []uint8{0}}
		h.Extensions = []handshake.Extension{
			{ID: 10, Value: handshake.SupportedGroups{x25519mlkem768, 29}},
			{ID: 43, Value: handshake.SupportedVersions{0x0304, 0x0303}},
		}
		return h
	}
	constrained := *authority.Certificate()
	constrained.PermittedDNSDomains = []string{"example.test"}
	e := &Evidence{
		CA:      []*x509.Certificate{&constrained},
		Network: Network{Tried: []string{"192.0.2.1:8080"}},
		Own:     &Own{HasModes: true, KeyMode: 0o600, FolderMode: os.ModeDir | 0o700, RefusesLoose: true, SecondDiffers: true, RecordingMode: 0o600},
	}
	ids := append(faultIDs(), otherTrials...)
	for _, id := range ids {
		var serial [16]byte
		rand.Read(serial[:])
		leaf := &x509.Certificate{Raw: serial[:], SerialNumber: new(big.Int).SetBytes(serial[:]), PublicKeyAlgorithm: x509.ECDSA, PublicKey: &ec.PublicKey, DNSNames: []string{hostName}, RawSubjectPublicKeyInfo: []byte{1}}
		tr := &Trial{ID: id, Host: hostName, Origin: Origin{Calls: 1, Hellos: []*handshake.ClientHello{hello()}}}
		tr.Client = Client{End: EndPage, Status: 502, Detail: "502 Bad Gateway", Body: "The certificate ...", Hello: hello(), Version: 0x0304, Suite: 0x1301, Group: 29, ALPN: "http/1.1", Leaf: leaf}
		if f := faultOf(id); f == nil && id != trialOwnCA || f != nil && f.Severity == ca.Control {
			tr.Client.End, tr.Client.Status, tr.Client.HSTS, tr.Client.AltSvc = EndAnswer, 200, []string{hstsValue}, []string{altSvcValue}
			tr.Origin.Finished, tr.Origin.Version, tr.Origin.Suite, tr.Origin.Group, tr.Origin.ALPN, tr.Origin.Bytes = 1, 0x0304, 0x1301, 29, "http/1.1", 100
		}
		switch id {
		case "good-rsa":
			leaf.PublicKeyAlgorithm, leaf.PublicKey = x509.RSA, weak
		case trialOld:
			tr.Client.Hello.CipherSuites = append(tr.Client.Hello.CipherSuites, oldSuites...)
			tr.Origin.Hellos[0].CipherSuites = tr.Client.Hello.CipherSuites
		case trialRSA:
			tr.Client.Version, tr.Origin.Version, tr.Client.Suite, tr.Origin.Suite, tr.Client.Group, tr.Origin.Group = 0x0303, 0x0303, 0x009c, 0x009c, 0, 0
			tr.Client.Hello.CipherSuites = oldSuites
			tr.Origin.Hellos[0].CipherSuites = oldSuites
		case trialOne:
			tr.Client.Hello.CipherSuites = []uint16{0x0a0a, 0x1301}
			tr.Origin.Hellos[0].CipherSuites = []uint16{0x1301}
		case trialCBC:
			tr.Client.Version, tr.Origin.Version, tr.Client.Suite, tr.Origin.Suite = 0x0303, 0x0303, 0xc013, 0xc013
		case "staple-revoked-superseded":
			tr.Origin.Found = []verify.Check{{Outcome: verify.Failed, Reason: "staple-revoked", Details: []verify.Detail{{Name: "revoked", Value: "then"}, {Name: "why", Value: "superseded"}}}}
			tr.Client.Found, tr.Client.End = tr.Origin.Found, EndCertificate
		case "rsa-1024":
			tr.Origin.Found = []verify.Check{{Outcome: verify.Warned, Reason: "rsa-short", Details: []verify.Detail{{Name: "key", Value: "1024-bit RSA"}}}}
			tr.Client.Found, tr.Client.End = tr.Origin.Found, EndCertificate
		case trialTLS12:
			tr.Client.Version, tr.Origin.Version = 0x0303, 0x0303
		case trialH2:
			tr.Client.ALPN, tr.Origin.ALPN = "h2", "h2"
		case trialNames:
			leaf.DNSNames = []string{secondName, hostName}
		case trialAgain:
			tr.Origin.Ask = askedAlert
		}
		e.Trials = append(e.Trials, tr)
	}
	return e
}

func TestPerfect(t *testing.T) {
	r := judge(perfect(t))
	for _, l := range r.Lines {
		if l.Outcome == score.Fail || l.Outcome == score.NotTested && !slices.Contains([]string{"V13", "V17", "K6"}, l.ID) {
			t.Errorf("%s: %s: %s", l.ID, l.Outcome, l.Reason())
		}
	}
	if r.Grade != score.AStar {
		t.Errorf("grade %s: %s", r.Grade, r.Why.English)
	}
}

// What was not seen never counts as passed, and there is no grade without it.
func TestNothingSeen(t *testing.T) {
	r := judge(&Evidence{})
	for _, l := range r.Lines {
		if l.Outcome != score.NotTested || l.Reason() == "" {
			t.Errorf("%s: %s: %s", l.ID, l.Outcome, l.Reason())
		}
	}
	if r.Grade != score.None {
		t.Errorf("grade %s", r.Grade)
	}
}

// One byte of a request at one bad origin lowers the grade, as its severity says.
func TestEachFaultCounts(t *testing.T) {
	for _, l := range lines {
		for _, id := range l.faults {
			e := perfect(t)
			e.trial(id).Origin.Bytes = 1
			want := l.grade
			if f := faultOf(id); f != nil && f.Severity == ca.Low {
				want = score.B
			}
			if r := judge(e); r.Grade != want || !strings.Contains(r.Why.English, l.id) {
				t.Errorf("%s accepted: grade %s (%s), want %s for %s", id, r.Grade, r.Why.English, want, l.id)
			}
		}
	}
}

// Without its control, or without having called the origin, a refusal is none.
func TestRefusalNeedsItsControl(t *testing.T) {
	for _, l := range lines {
		for _, id := range l.faults {
			if anyTrust[id] {
				continue
			}
			control := "good"
			if f := faultOf(id); f != nil && f.Control != "" {
				control = f.Control
			}
			e := perfect(t)
			e.trial(control).Client.End = EndPage
			if got := e.fault(id); got.Outcome != score.NotTested {
				t.Errorf("%s without %s: %s: %s", id, control, got.Outcome, got.Reason.English)
			}
			e = perfect(t)
			e.trial(id).Origin = Origin{}
			if got := e.fault(id); got.Outcome != score.NotTested {
				t.Errorf("%s never called: %s: %s", id, got.Outcome, got.Reason.English)
			}
		}
	}
}

func TestOtherLines(t *testing.T) {
	good := func(e *Evidence) *Trial { return e.trial("good") }
	hello := func(e *Evidence) *handshake.ClientHello { return good(e).Origin.Hellos[0] }
	for _, c := range []struct {
		name, line string
		grade      score.Grade
		change     func(*Evidence)
	}{
		{"address refused", "V16", score.B, func(e *Evidence) { e.trial("good-ip-san").Client.End = EndPage }},
		{"TLS 1.0 offered and refused", "P1", score.B, func(e *Evidence) { hello(e).Extensions[1].Value = handshake.SupportedVersions{0x0304, 0x0301} }},
		{"TLS 1.0 offered and taken", "P1", score.C, func(e *Evidence) {
			hello(e).Extensions[1].Value = handshake.SupportedVersions{0x0304, 0x0301}
			e.trial("proto-tls10").Origin.Bytes = 1
		}},
		{"RC4 offered", "P2", score.C, func(e *Evidence) { hello(e).CipherSuites = append(hello(e).CipherSuites, 0x0005) }},
		{"3DES offered", "P2", score.C, func(e *Evidence) { hello(e).CipherSuites = append(hello(e).CipherSuites, 0xc012) }},
		{"NULL offered", "P2", score.F, func(e *Evidence) { hello(e).CipherSuites = append(hello(e).CipherSuites, 0x0002) }},
		{"export offered", "P2", score.F, func(e *Evidence) { hello(e).CipherSuites = append(hello(e).CipherSuites, 0x0003) }},
		{"anon offered", "P2", score.F, func(e *Evidence) { hello(e).CipherSuites = append(hello(e).CipherSuites, 0x0034) }},
		{"DES offered", "P2", score.F, func(e *Evidence) { hello(e).CipherSuites = append(hello(e).CipherSuites, 0x0009) }},
		{"RSA offered", "P3", score.B, func(e *Evidence) { hello(e).CipherSuites = append(hello(e).CipherSuites, 0x009c) }},
		{"deflate offered", "P4", score.C, func(e *Evidence) { hello(e).CompressionMethods = []uint8{1, 0} }},
		{"no hybrid", "P7", score.B, func(e *Evidence) { hello(e).Extensions[0].Value = handshake.SupportedGroups{29} }},
		{"renegotiates with anybody", "P8", score.C, func(e *Evidence) {
			o := &e.trial(trialAgain).Origin
			o.Ask, o.Another, o.Hellos[0].CipherSuites = askedAgain, anotherTaken, append(o.Hellos[0].CipherSuites, 0x00ff)
		}},
		{"renegotiates unsafely", "P8", score.C, func(e *Evidence) { e.trial(trialAgain).Origin.Ask = askedAgain }},
		{"RSA where only another client offered it", "P3", score.B, func(e *Evidence) {
			o := &e.trial(trialNarrow).Origin
			o.Hellos[0].CipherSuites = append(o.Hellos[0].CipherSuites, oldSuites...)
		}},
		{"other key length", "V11", score.B, func(e *Evidence) {
			e.trial("rsa-1024").Client.Found = []verify.Check{{Outcome: verify.Warned, Reason: "rsa-short", Details: []verify.Detail{{Name: "key", Value: "1536-bit RSA"}}}}
		}},
		{"other reason of revocation", "V15", score.B, func(e *Evidence) {
			e.trial("staple-revoked-superseded").Client.Found = []verify.Check{{Outcome: verify.Failed, Reason: "staple-revoked", Details: []verify.Detail{{Name: "revoked", Value: "then"}, {Name: "why", Value: "key compromise"}}}}
		}},
		{"one of two hidden", "V20", score.B, func(e *Evidence) {
			tr := e.trial("must-staple-old")
			tr.Origin.Found = []verify.Check{{Outcome: verify.Failed, Reason: "must-staple-unmet"}, {Outcome: verify.Warned, Reason: "staple-old"}}
			tr.Client.Found, tr.Client.End = tr.Origin.Found[1:], EndCertificate
		}},
		{"GCM for CBC", "M8", score.B, func(e *Evidence) { e.trial(trialCBC).Client.Suite = 0xc02f }},
		{"fresh for RSA", "M8", score.B, func(e *Evidence) { e.trial(trialRSA).Client.Suite = 0xc02f }},
		{"hybrid for none", "M8", score.B, func(e *Evidence) { good(e).Client.Group = x25519mlkem768 }},
		{"upgraded", "M1", score.B, func(e *Evidence) { e.trial(trialTLS12).Client.Version = 0x0304 }},
		{"no h2", "M2", score.B, func(e *Evidence) { e.trial(trialH2).Client.ALPN, e.trial(trialH2).Origin.ALPN = "http/1.1", "http/1.1" }},
		{"h2 for h1", "M2", score.B, func(e *Evidence) { good(e).Client.ALPN = "h2" }},
		{"other key", "M3", score.B, func(e *Evidence) { good(e).Client.Leaf.PublicKeyAlgorithm = x509.RSA }},
		{"fewer names", "M3", score.B, func(e *Evidence) { e.trial(trialNames).Client.Leaf.DNSNames = []string{hostName} }},
		{"silence", "M4", score.B, func(e *Evidence) { e.trial("expired").Client.End = EndClosed }},
		{"page of success", "M4", score.B, func(e *Evidence) { e.trial("expired").Client.Status = 200 }},
		{"page about nothing", "M4", score.B, func(e *Evidence) { e.trial("expired").Client.Body = "sorry" }},
		{"more suites", "M5", "", func(e *Evidence) { e.trial(trialNarrow).Client.Hello.CipherSuites = []uint16{0xc02b} }},
		{"more suites of TLS 1.3", "M5", "", func(e *Evidence) { e.trial(trialOne).Origin.Hellos[0].CipherSuites = []uint16{0x1301, 0x1302} }},
		{"no HSTS", "M6", score.B, func(e *Evidence) { good(e).Client.HSTS = nil }},
		{"same CA everywhere", "K1", score.F, func(e *Evidence) { e.Own.SecondDiffers = false }},
		{"key for all", "K1", score.F, func(e *Evidence) { e.Own.KeyMode = 0o644 }},
		{"folder for all", "K1", score.F, func(e *Evidence) { e.Own.FolderMode = os.ModeDir | 0o755 }},
		{"loose key used", "K1", score.F, func(e *Evidence) { e.Own.RefusesLoose = false }},
		{"leaf with the CA's key", "K2", score.B, func(e *Evidence) { good(e).Client.Leaf.RawSubjectPublicKeyInfo = e.CA[0].RawSubjectPublicKeyInfo }},
		{"serial twice", "K3", score.B, func(e *Evidence) { e.trial("expired").Client.Leaf.SerialNumber = good(e).Client.Leaf.SerialNumber }},
		{"serials counted", "K3", score.B, func(e *Evidence) {
			e.trial("expired").Client.Leaf.SerialNumber = new(big.Int).Add(good(e).Client.Leaf.SerialNumber, big.NewInt(1))
		}},
		{"serials short", "K3", score.B, func(e *Evidence) {
			for i, tr := range e.Trials {
				tr.Client.Leaf.SerialNumber = new(big.Int).Lsh(big.NewInt(int64(i+1)), 40)
			}
		}},
		{"old CA", "K4", score.B, func(e *Evidence) { e.CA[0].NotAfter = e.CA[0].NotBefore.Add(10 * 365 * 24 * time.Hour) }},
		{"no constraint", "K5", "", func(e *Evidence) { e.CA[0].PermittedDNSDomains = nil }},
		{"recording for all", "K7", score.B, func(e *Evidence) { e.Own.RecordingMode = 0o644 }},
		{"open proxy", "K8", score.B, func(e *Evidence) { e.Network.Opened = e.Network.Tried }},
	} {
		e := perfect(t)
		c.change(e)
		r := judge(e)
		want := c.grade
		switch {
		case c.line == "M5":
			want = score.A
		case want == "":
			want = score.AStar
		}
		for _, l := range r.Lines {
			if l.ID == c.line && (l.Outcome != score.Fail || l.Grade != c.grade) {
				t.Errorf("%s: %s: %s, %q: %s", c.name, l.ID, l.Outcome, l.Grade, l.Reason())
			}
			if strings.ContainsAny(l.Reason(), "{}") {
				t.Errorf("%s: %s: %s", c.name, l.ID, l.Reason())
			}
		}
		if r.Grade != want {
			t.Errorf("%s: grade %s (%s), want %s", c.name, r.Grade, r.Why.English, want)
		}
	}
}

// What a proxy does as its client did, or as the standards say, is no failure.
func TestNoFailures(t *testing.T) {
	for name, change := range map[string]func(*Evidence){
		"renegotiates bound": func(e *Evidence) {
			o := &e.trial(trialAgain).Origin
			o.Ask, o.Another, o.Hellos[0].CipherSuites = askedAgain, anotherRefused, append(o.Hellos[0].CipherSuites, 0x00ff)
		},
		"CBC as its client": func(e *Evidence) { e.trial(trialCBC).Origin.Hellos[0].CipherSuites = []uint16{0xc02b} },
		"weaker to the client": func(e *Evidence) {
			e.trial("good").Client.Suite, e.trial("good").Client.Group = 0xc013, 0
		},
		"bad in its own way": func(e *Evidence) {
			tr := e.trial("rsa-1024")
			tr.Client.Found = []verify.Check{{Outcome: verify.Failed, Reason: "untrusted-root"}}
		},
		"equally bad": func(e *Evidence) {
			tr := e.trial("staple-unknown")
			tr.Client.End, tr.Client.Found = EndCertificate, []verify.Check{{Outcome: verify.Warned, Reason: "staple-unknown"}}
			tr.Origin.Found = tr.Client.Found
		},
	} {
		e := perfect(t)
		change(e)
		if r := judge(e); r.Grade != score.AStar {
			t.Errorf("%s: grade %s: %s", name, r.Grade, r.Why.English)
		}
	}
}
