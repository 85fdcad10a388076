package proxy

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"explainer/capture"
	"explainer/capture/keys"
)

//lint:file-ignore SA1019 what is tested here is PKCS #1 v1.5

// encryptedPreMaster finds the ciphertext of ClientKeyExchange (RFC 5246 7.4.7.1) in what a client sent.
func encryptedPreMaster(t *testing.T, sent []byte) []byte {
	t.Helper()
	_, sent, _ = bytes.Cut(sent, []byte("\r\n\r\n"))
	for len(sent) >= 5 {
		n := 5 + int(binary.BigEndian.Uint16(sent[3:]))
		if record := sent[5:n]; sent[0] == 22 && record[0] == 16 {
			return record[6 : 6+binary.BigEndian.Uint16(record[4:])]
		}
		sent = sent[n:]
	}
	t.Fatal("no ClientKeyExchange")
	return nil
}

func TestTextbook(t *testing.T) {
	r := newRig(t, func(p *Proxy) { p.Textbook = true })
	r.origin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { io.WriteString(w, "ok over "+req.Proto) }), nil)
	out, errs, err := run(t, nil, "curl", "-sS", "--tls-max", "1.2", "-x", "http://"+r.addr, "--cacert", r.caFile(), "https://shop.test/")
	if err != nil || out != "ok over HTTP/1.1" {
		t.Fatalf("%q, %v: %s", out, err, errs)
	}
	items := r.items()
	checkRecording(t, items)
	em := fact(t, items, capture.FactEM)
	session := fact(t, items, capture.FactSession)
	if em.Outcome != "ok" || em.Conn != session.Conn {
		t.Errorf("%+v", em)
	}
	// The proof of step 5, from the recording and the leaf's public key alone.
	sent := bytesOf(items, session.Conn, capture.Client)
	answered := bytesOf(items, session.Conn, capture.Server)
	ciphertext := encryptedPreMaster(t, sent)
	public := recordedLeaf(t, answered).PublicKey.(*rsa.PublicKey)
	c := new(big.Int).Exp(new(big.Int).SetBytes(em.Data), big.NewInt(int64(public.E)), public.N)
	if !bytes.Equal(c.FillBytes(make([]byte, public.Size())), ciphertext) {
		t.Error("EM^e mod n is not the ciphertext")
	}
	preMaster, err := keys.CheckPKCS1(em.Data, public, ciphertext)
	if err != nil {
		t.Fatal(err)
	}
	// The key log's line has it too, and the fact stands before the server's answer.
	seen, line := false, false
	for _, it := range items {
		switch {
		case it.fact == em:
			seen = true
		case it.secret != nil && it.secret.Label == "RSA":
			line = bytes.Equal(it.secret.ClientRandom, ciphertext[:8]) && bytes.Equal(it.secret.Secret, preMaster)
		case it.conn == session.Conn && it.side == capture.Server && len(it.payload) > 0 && it.payload[0] == 20:
			if !seen || !line {
				t.Errorf("the server answers before the fact (%v) or the key (%v)", seen, line)
			}
		}
	}
	if !seen || !line {
		t.Errorf("fact %v, key %v", seen, line)
	}
	if out := r.tshark(`http.response.code == 200 and frame.interface_name contains "browser"`, "frame.number"); out == "" {
		t.Error("tshark does not open the browser's leg")
	}
}

// recordedLeaf is the certificate of the first Certificate message of TLS 1.2.
func recordedLeaf(t *testing.T, sent []byte) *x509.Certificate {
	t.Helper()
	_, sent, _ = bytes.Cut(sent, []byte("\r\n\r\n"))
	var hand []byte
	for len(sent) >= 5 && sent[0] == 22 {
		n := 5 + int(binary.BigEndian.Uint16(sent[3:]))
		hand = append(hand, sent[5:n]...)
		sent = sent[n:]
	}
	for len(hand) >= 4 {
		n := 4 + int(hand[1])<<16 + int(hand[2])<<8 + int(hand[3])
		if hand[0] == 11 {
			leaf, err := x509.ParseCertificate(hand[10 : 10+int(hand[7])<<16+int(hand[8])<<8+int(hand[9])])
			if err != nil {
				t.Fatal(err)
			}
			return leaf
		}
		hand = hand[n:]
	}
	t.Fatal("no certificate")
	return nil
}

func TestTextbookRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		config         *tls.Config
		alert, outcome string
	}{
		"no RSA":     {&tls.Config{MaxVersion: tls.VersionTLS12}, "handshake failure", "textbook-no-rsa"},
		"TLS 1.3":    {&tls.Config{MinVersion: tls.VersionTLS13}, "protocol version", "textbook-no-rsa"},
		"no http1.1": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: textbookSuites, NextProtos: []string{"h2"}}, "no application protocol", "textbook-no-http1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(p *Proxy) { p.Textbook = true })
			r.origin("shop.test", http.NotFoundHandler(), nil)
			config := c.config.Clone()
			config.ServerName, config.RootCAs = "shop.test", r.roots()
			if err := tls.Client(r.tunnel("shop.test:443"), config).Handshake(); err == nil || !strings.Contains(err.Error(), c.alert) {
				t.Errorf("%v, want the alert %q", err, c.alert)
			}
			items := r.items()
			checkRecording(t, items)
			if f := fact(t, items, capture.FactRefused); f.Outcome != c.outcome || f.Detail == "" {
				t.Errorf("%+v", f)
			}
			if n := len(facts(items, capture.FactSession)); n != 0 {
				t.Error("the origin was called")
			}
		})
	}
}

// TestTextbookPadding: a badly padded ciphertext gives random bytes and no error, and no key is logged.
func TestTextbookPadding(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil)
	k := &notingKey{key: key, rec: r.Recorder, conn: 7}
	options := &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 48}
	encrypt := func(em []byte) []byte {
		c := new(big.Int).Exp(new(big.Int).SetBytes(em), big.NewInt(int64(key.E)), key.N)
		return c.FillBytes(make([]byte, key.Size()))
	}
	block := func(change func([]byte)) []byte {
		em := bytes.Repeat([]byte{9}, key.Size())
		em[0], em[1], em[len(em)-49] = 0, 2, 0
		change(em)
		return em
	}
	for name, c := range map[string]struct {
		em  []byte
		bad bool
	}{
		"good":              {em: block(func([]byte) {})},
		"zeros in secret":   {em: block(func(em []byte) { em[len(em)-48] = 0 })},
		"wrong type":        {block(func(em []byte) { em[1] = 1 }), true},
		"longer than 48":    {block(func(em []byte) { em[len(em)-50] = 0 }), true},
		"shorter than 48":   {block(func(em []byte) { em[len(em)-49], em[len(em)-48] = 9, 0 }), true},
		"zero in padding":   {block(func(em []byte) { em[5] = 0 }), true},
		"first is not zero": {block(func(em []byte) { em[0] = 1 }), true},
	} {
		ciphertext := encrypt(c.em)
		got, err := k.Decrypt(nil, ciphertext, options)
		if err != nil || len(got) != 48 {
			t.Fatalf("%s: %x, %v", name, got, err)
		}
		// The standard library is the oracle of what is well padded.
		want := make([]byte, 48)
		rsa.DecryptPKCS1v15SessionKey(nil, key, ciphertext, want)
		if opened := bytes.Equal(got, want); opened == c.bad {
			t.Errorf("%s: opened %v", name, opened)
		}
	}
	if _, err := k.Decrypt(nil, bytes.Repeat([]byte{0xff}, key.Size()), options); err != nil {
		t.Error("a number above the modulus gives an error, which tells the client")
	}
	good := 0
	items := r.items()
	for _, f := range facts(items, capture.FactEM) {
		if f.Outcome == "ok" {
			good++
		}
	}
	lines := 0
	for _, it := range items {
		if it.secret != nil {
			lines++
		}
	}
	if good != 2 || lines != 2 || len(facts(items, capture.FactEM)) != 8 {
		t.Errorf("%d good, %d keys", good, lines)
	}
}
