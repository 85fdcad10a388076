package steps

import (
	"bytes"
	"crypto/rsa"
	"math/big"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/capture"
	"explainer/capture/handshake"
)

// TestExport: the client encrypts with the short key that the server signs, not with the
// longer one of the certificate.
func TestExport(t *testing.T) {
	long := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}
	h := &proof.Handshake{
		Hello:       &handshake.ClientHello{LegacyVersion: 0x0303},
		ServerHello: &handshake.ServerHello{LegacyVersion: 0x0303, CipherSuite: 0x0003},
		ClientKey:   &handshake.ClientKeyExchange{KeyExchange: handshake.KeyExchangeRSA, EncryptedPreMaster: make([]byte, 64)},
	}
	c := &View{Conn: &capture.Conn{SYN: true}, Main: h, TLS: true}
	for _, want := range []string{"tls12-rsa", "tls12-rsa-export"} {
		if got := c.named().ID; got != want {
			t.Errorf("the flow is %s, want %s", got, want)
		}
		h.Sides[1].Leaf = &proof.Certificate{Key: long}
	}
	if r := c.rowSeen(event.Step4c); r.Verdict != event.Unknown {
		t.Errorf("without the short key: %s, %s", r.Verdict, r.Says.Text)
	}
	h.ServerKey = &handshake.ServerKeyExchange{KeyExchange: handshake.KeyExchangeRSA, Public: bytes.Repeat([]byte{0xc6}, 64)}
	for step, want := range map[event.Step]string{event.Step3: "step-3-rsa-export", event.Step4c: "step-4c-rsa-export", event.Step5: "step-5-rsa-export", event.Step6a: "step-6a-rsa-export"} {
		r := c.rowSeen(step)
		if r.Says.ID != want || step != event.Step6a && r.Says.Args["shortbits"] != "512" {
			t.Errorf("step %s says %s %v", step, r.Says.Text, r.Says.Args)
		}
	}
	if h.ServerHello.CipherSuite = 0x0005; h.Short() {
		t.Error("RC4-SHA is no export suite")
	}
}
