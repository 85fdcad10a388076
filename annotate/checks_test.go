package annotate_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/ca/verify"
	"explainer/capture"

	"golang.org/x/crypto/ocsp"
)

// checksOf are the checks of all messages of one topic, by ID and reason.
func checksOf(es []event.Event, topic event.Topic) (out []string) {
	for _, e := range es {
		if e.Topic != topic {
			continue
		}
		for _, c := range e.Checks {
			out = append(out, strings.TrimSuffix(c.ID+" "+c.Outcome+" "+c.Reason, " "))
		}
	}
	return out
}

func tellAll(x *annotate.Explainer, ms []capture.Message) (out []event.Event) {
	for i := range ms {
		out = append(out, x.Explain(&ms[i])...)
	}
	return append(out, x.Finish()...)
}

// TestChecks: the story has what verify finds, goes on after the first failure,
// and says whose roots it was held against.
func TestChecksTold(t *testing.T) {
	s := newSite(t, newECDSA(t), func(c *x509.Certificate) {
		c.DNSNames, c.Subject.CommonName = []string{"other.test"}, "other.test"
		c.NotBefore, c.NotAfter = start.Add(-100*24*time.Hour), start.Add(-time.Hour)
	})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		tp := converse(t, &tls.Config{InsecureSkipVerify: true, MaxVersion: version}, &tls.Config{Certificates: []tls.Certificate{s.cert}})
		for _, x := range []*annotate.Explainer{{}, {Roots: verify.NewRoots("no roots at all")}} {
			es := tellAll(x, messages(tp.inputs(0, capture.LegNone)))
			got := checksOf(es, event.TopicCertificate)
			for _, want := range []string{"signature ok", "dates failed expired", "name failed wrong-host", "purpose ok", "sct not-checked no-sct"} {
				if !slices.Contains(got, want) {
					t.Errorf("%x: %s is not told: %v", version, want, got)
				}
			}
			root := "root not-checked no-roots"
			if x.Roots != nil {
				root = "chain failed issuer-unknown"
			}
			if !slices.Contains(got, root) {
				t.Errorf("%x: %s is not told: %v", version, root, got)
			}
			for _, e := range es {
				if e.Topic == event.TopicCertificate && (!strings.Contains(saysOf(e), "had expired at") || !strings.Contains(saysOf(e), "for other.test, not for shop.test")) {
					t.Errorf("%x: the message does not tell both: %s", version, saysOf(e))
				}
			}
		}
	}
}

// TestStapled: a stapled response is judged with the certificate in TLS 1.3, and
// in TLS 1.2 with the message that brings it.
func TestStapled(t *testing.T) {
	s := newSite(t, newECDSA(t), nil)
	inter, err := x509.ParseCertificate(s.cert.Certificate[1])
	if err != nil {
		t.Fatal(err)
	}
	// Made with another key than the issuer's, so that it cannot hold.
	staple, err := ocsp.CreateResponse(inter, inter, ocsp.Response{Status: ocsp.Good, SerialNumber: big.NewInt(3), ThisUpdate: start.Add(-time.Hour), NextUpdate: start.Add(time.Hour)}, crypto.Signer(newECDSA(t)))
	if err != nil {
		t.Fatal(err)
	}
	s.cert.OCSPStaple = staple
	s.cert.SignedCertificateTimestamps = [][]byte{slices.Concat([]byte{0}, make([]byte, 32), []byte{0, 0, 1, 0x90, 0, 0, 0, 0}, []byte{0, 0, 4, 3, 0, 0})}
	for version, topic := range map[uint16]event.Topic{tls.VersionTLS12: event.TopicCertificateStatus, tls.VersionTLS13: event.TopicCertificate} {
		tp := converse(t, &tls.Config{RootCAs: s.roots, MaxVersion: version}, &tls.Config{Certificates: []tls.Certificate{s.cert}})
		es := tellAll(&annotate.Explainer{}, messages(tp.inputs(0, capture.LegNone)))
		if got := checksOf(es, topic); !slices.Contains(got, "staple failed staple-bad-signature") || !slices.Contains(got, "sct not-checked sct-signatures-not-checked") {
			t.Errorf("%x: %v", version, got)
		}
		if later := slices.Contains(checksOf(es, event.TopicCertificate), "staple not-checked staple-later"); later != (version == tls.VersionTLS12) {
			t.Errorf("%x: the staple is announced: %v", version, later)
		}
	}
}

// TestRecordedRoots: a recording names the roots that no machine has, and both
// legs are held against them.
func TestRecordedRoots(t *testing.T) {
	own, origin := newSite(t, newECDSA(t), nil), newSite(t, newECDSA(t), nil)
	config := func(s site) *tape {
		return converse(t, &tls.Config{RootCAs: s.roots}, &tls.Config{Certificates: []tls.Certificate{s.cert}})
	}
	inputs := through(config(own), config(origin), nil, "ok")
	root := func(kind string, s site) capture.Input {
		return &capture.Fact{Time: start.UnixNano(), Kind: capture.FactRoot, Addr: kind, Data: s.root}
	}
	inputs = slices.Insert(inputs, 1, root("own-ca", own), root("file", origin))
	es := tellAll(&annotate.Explainer{Roots: verify.NewRoots("the machine's")}, messages(inputs))
	for leg, roots := range map[string]string{"browser": "own CA", "origin": "--origin-ca"} {
		found := false
		for _, e := range es {
			for _, c := range e.Checks {
				if e.Leg == leg && c.ID == verify.IDRoot {
					found = true
					if c.Outcome != "ok" || !strings.Contains(c.Says.Text, roots) {
						t.Errorf("%s: %s: %s", leg, c.Outcome, c.Says.Text)
					}
				}
			}
		}
		if !found {
			t.Errorf("%s: no root is told", leg)
		}
	}
	// An origin that shows what our own CA signed is refused, whoever else trusts it.
	inputs = through(config(own), config(own), nil, "own-ca")
	inputs = slices.Insert(inputs, 1, root("own-ca", own), root("file", own))
	es = tellAll(&annotate.Explainer{Roots: verify.NewRoots("the machine's")}, messages(inputs))
	if got := checksOf(es, event.TopicCertificate); !slices.Contains(got, "known-key failed denied-key") {
		t.Errorf("our own CA at an origin: %v", got)
	}
}

// TestCollectionChecks tells the checks of real captures: every sentence has all its values.
func TestCollectionChecks(t *testing.T) {
	dir := collection(t)
	if dir == "" {
		return
	}
	n, chains := map[string]int{}, 0
	for _, folder := range []string{"zeek", "mercury", "suricata-verify", "lekensteyn-notes"} {
		files, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil {
			continue
		}
		for _, f := range files {
			if !strings.Contains(f.Name(), ".pcap") || strings.HasSuffix(f.Name(), ".gz") {
				continue
			}
			for _, e := range storyOf(t, filepath.Join(dir, folder, f.Name()), true, &annotate.Explainer{Roots: verify.NewRoots("nobody")}) {
				if len(e.Checks) > 0 {
					chains++
				}
				for _, c := range e.Checks {
					n[c.Outcome]++
					if strings.Contains(c.Says.Text, "(not known)") || strings.Contains(c.Says.Text, "  ") {
						t.Errorf("%s: %s %s: %s", f.Name(), c.ID, c.Reason, c.Says.Text)
					}
				}
			}
		}
	}
	var words []string
	for _, o := range slices.Sorted(maps.Keys(n)) {
		words = append(words, fmt.Sprintf("%d %s", n[o], o))
	}
	t.Logf("%d chains: %s", chains, strings.Join(words, ", "))
}

// saysOf are the sentences of an event.
func saysOf(e event.Event) string {
	var says []string
	for _, s := range e.Says {
		says = append(says, s.Text)
	}
	return strings.Join(says, " ")
}
