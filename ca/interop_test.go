package ca

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// decrypter is a leaf's RSA key wrapped by a caller that wants to know what it opened.
type decrypter struct {
	*rsa.PrivateKey
	opened *int
}

func (d decrypter) Decrypt(r io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	*d.opened++
	return d.PrivateKey.Decrypt(r, ciphertext, opts)
}

// serve answers "hello" to every request over TLS and returns its port.
func serve(t *testing.T, config *tls.Config) string {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		ErrorLog: log.New(io.Discard, "", 0), // refusals are what some tests are about
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // always ErrServerClosed
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// client runs a program that makes one connection to the site www.site.test at
// this port of 127.0.0.1, trusting the roots in the file alone.
type client struct {
	program string
	args    func(ca, port, name string) []string
	input   string
}

var clients = []client{
	{"curl", func(ca, port, name string) []string {
		return []string{"--disable", "--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "20", "--cacert", ca,
			"--connect-to", "::127.0.0.1:" + port, "https://" + name + "/"}
	}, ""},
	{"openssl", func(ca, port, name string) []string {
		kind := "-verify_hostname"
		if net.ParseIP(name) != nil {
			kind = "-verify_ip"
		}
		return []string{"s_client", "-connect", "127.0.0.1:" + port, "-servername", name, "-CAfile", ca, "-no-CApath", "-x509_strict",
			"-purpose", "sslserver", kind, name, "-verify_return_error", "-ign_eof", "-quiet"}
	}, "GET / HTTP/1.0\r\n\r\n"},
	{"gnutls-cli", func(ca, port, name string) []string {
		return []string{"--x509cafile", ca, "--port", port, "--sni-hostname", name, "--verify-hostname", name, "127.0.0.1"}
	}, "GET / HTTP/1.0\r\n\r\n"},
}

func (c client) run(t *testing.T, ca, port, name string, more ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	args := c.args(ca, port, name)
	cmd := exec.CommandContext(ctx, c.program, append(args[:len(args)-1:len(args)-1], append(more, args[len(args)-1])...)...)
	cmd.Stdin = strings.NewReader(c.input)
	// Its own variables would bring in other roots or a proxy.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestRealClients(t *testing.T) {
	a := load(t, newDir(t))
	roots := filepath.Join(t.TempDir(), "roots.pem")
	write(t, roots, a.PEM())
	stranger := filepath.Join(t.TempDir(), "stranger.pem")
	write(t, stranger, ephemeral(t).PEM())
	past := time.Now().AddDate(0, -2, 0).Truncate(time.Second)
	long := strings.Repeat("a", 60) + ".site.test"

	tests := []struct {
		name string
		spec Spec
		ask  string
		good bool
	}{
		{"ecdsa", Spec{Names: []string{"www.site.test", "192.0.2.1"}}, "www.site.test", true},
		{"rsa", Spec{Names: []string{"www.site.test"}, Key: RSA2048}, "www.site.test", true},
		{"wildcard", Spec{Names: []string{"*.site.test"}}, "www.site.test", true},
		{"address", Spec{Names: []string{"127.0.0.1"}}, "127.0.0.1", true},
		{"no subject", Spec{Names: []string{long}}, long, true},
		{"another name", Spec{Names: []string{"other.test"}}, "www.site.test", false},
		{"expired", Spec{Names: []string{"www.site.test"}, NotBefore: past, NotAfter: past.AddDate(0, 1, 0)}, "www.site.test", false},
	}
	for _, c := range clients {
		if _, err := exec.LookPath(c.program); err != nil {
			t.Logf("%s is not installed: not tried against it", c.program)
			continue
		}
		for _, test := range tests {
			t.Run(c.program+"/"+test.name, func(t *testing.T) {
				port := serve(t, &tls.Config{Certificates: []tls.Certificate{*mustLeaf(t, a, test.spec)}})
				out, err := c.run(t, roots, port, test.ask)
				if took := err == nil && strings.Contains(out, "hello"); took != test.good {
					t.Errorf("accepted %v: %v\n%s", took, err, out)
				}
			})
		}
		t.Run(c.program+"/another root", func(t *testing.T) {
			port := serve(t, &tls.Config{Certificates: []tls.Certificate{*mustLeaf(t, a, tests[0].spec)}})
			if out, err := c.run(t, stranger, port, "www.site.test"); err == nil {
				t.Errorf("accepted:\n%s", out)
			}
		})
		t.Run(c.program+"/TLS 1.2", func(t *testing.T) {
			port := serve(t, &tls.Config{Certificates: []tls.Certificate{*mustLeaf(t, a, tests[0].spec)}, MaxVersion: tls.VersionTLS12})
			if out, err := c.run(t, roots, port, "www.site.test"); err != nil || !strings.Contains(out, "hello") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// RSA key transport, with the leaf's key wrapped.
func TestRSAKeyTransport(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Log("curl is not installed: not tried against it")
		return
	}
	a := ephemeral(t)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	write(t, roots, a.PEM())
	cert := mustLeaf(t, a, Spec{Names: []string{"www.site.test"}, Key: RSA2048})
	opened := 0
	cert.PrivateKey = decrypter{cert.PrivateKey.(*rsa.PrivateKey), &opened}
	port := serve(t, &tls.Config{
		Certificates: []tls.Certificate{*cert},
		MaxVersion:   tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256},
		NextProtos:   []string{"http/1.1"},
	})
	out, err := clients[0].run(t, roots, port, "www.site.test", "--ciphers", "AES128-GCM-SHA256")
	if err != nil || out != "hello" {
		t.Errorf("%v\n%s", err, out)
	}
	if opened != 1 {
		t.Errorf("the wrapped key opened %d premaster secrets", opened)
	}
}

// OpenSSL's strict reading of RFC 5280, which newer Pythons ask for by default.
func TestStrictlyVerified(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Log("openssl is not installed: not tried against it")
		return
	}
	a := load(t, newDir(t))
	dir := t.TempDir()
	root := filepath.Join(dir, "root.pem")
	write(t, root, a.PEM())
	for _, spec := range []Spec{
		{Names: []string{"www.site.test"}},
		{Names: []string{"www.site.test"}, Key: RSA2048},
		{Names: []string{"192.0.2.1"}},
		{Names: []string{strings.Repeat("a", 60) + ".site.test"}},
	} {
		leaf := filepath.Join(dir, "leaf.pem")
		write(t, leaf, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: mustLeaf(t, a, spec).Certificate[0]}))
		out, err := exec.Command("openssl", "verify", "-x509_strict", "-check_ss_sig", "-no-CApath", "-CAfile", root, "-purpose", "sslserver", leaf).CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v\n%s", spec.Names, err, out)
		}
	}
}

// With the CA's certificate in the chain, a client can find the key it pins.
func TestChainOnTheWire(t *testing.T) {
	a := ephemeral(t)
	port := serve(t, &tls.Config{Certificates: []tls.Certificate{*mustLeaf(t, a, Spec{Names: []string{"127.0.0.1"}})}})
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate())
	conn, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent := conn.ConnectionState().PeerCertificates
	if len(sent) != 2 || !sent[1].Equal(a.Certificate()) {
		t.Errorf("%d certificates were sent, want the leaf and the CA", len(sent))
	}
}
