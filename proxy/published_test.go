package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elazarl/goproxy"
)

// A root whose private key is published vouches for nobody, even if the user trusts it.
func TestPublishedRootIsRefused(t *testing.T) {
	root, err := x509.ParseCertificate(goproxy.GoproxyCa.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(p *Proxy) { p.OriginCAs = append(p.OriginCAs, root) })
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	leaf, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), DNSNames: []string{"shop.test"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, root, key.Public(), goproxy.GoproxyCa.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	r.origin("shop.test", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }), func(c *tls.Config) {
		c.Certificates = []tls.Certificate{{Certificate: [][]byte{leaf}, PrivateKey: key}}
	})
	resp, err := r.client(false).Get("https://shop.test/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusBadGateway || !strings.Contains(string(body), "a key in the chain is one that everybody has") || asked.Load() != 0 {
		t.Errorf("status %s, the origin was asked %d times:\n%s", resp.Status, asked.Load(), body)
	}
}
