// Command browsers records Chromium, Firefox and quic-go on the loopback interface as somebody
// else's tap sees them: a page with ten pictures over HTTP/3, with the program's own key log beside
// the capture. It needs dumpcap and the right to capture; go run ./bench/browsers FOLDER writes there
// NAME.pcap and NAME.keys of each program that is there.
package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/quic-go/quic-go/http3"
)

const (
	host     = "h3.test"
	pictures = 10
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: browsers FOLDER")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(folder string) error {
	s, err := serve()
	if err != nil {
		return err
	}
	for name, visit := range map[string]func(*site, string, string) error{"chromium": chromium, "firefox": firefox, "quic-go": quicGo} {
		if err := s.record(name, folder, visit); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// A site is the page, over HTTP/3 alone.
type site struct {
	root   []byte // DER of its certificate's issuer
	leaf   *x509.Certificate
	port   int
	mu     sync.Mutex
	served int           // pictures of the visit at hand
	all    chan struct{} // closed when that has them all
}

func serve() (*site, error) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Browsers Root"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 1, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 1, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, root, key.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	s := &site{root: rootDER, leaf: leaf, port: socket.LocalAddr().(*net.UDPAddr).Port, all: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><title>HTTP/3</title><link rel=icon href=data:,>")
		for i := range pictures {
			fmt.Fprintf(w, "<img src=/%d.svg>", i)
		}
	})
	mux.HandleFunc("/{picture}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml")
		fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg"><desc>%s</desc></svg>`, bytes.Repeat([]byte("picture "), 500))
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.served++; s.served == pictures {
			close(s.all)
		}
	})
	h3 := &http3.Server{Handler: mux, TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der, rootDER}, PrivateKey: key}}})}
	go func() { log.Fatal(h3.Serve(socket)) }()
	return s, nil
}

// record captures what visit does.
func (s *site) record(name, folder string, visit func(*site, string, string) error) error {
	s.mu.Lock()
	s.served, s.all = 0, make(chan struct{})
	s.mu.Unlock()
	keys, capture := filepath.Join(folder, name+".keys"), filepath.Join(folder, name+".pcap")
	os.Remove(keys)
	tap := exec.Command("dumpcap", "-P", "-q", "-i", "lo", "-f", "udp port "+strconv.Itoa(s.port), "-w", capture)
	said, err := tap.StderrPipe()
	if err != nil {
		return err
	}
	if err := tap.Start(); err != nil {
		return err
	}
	b := make([]byte, 1024)
	for text := ""; !bytes.Contains([]byte(text), []byte("File: ")); { // it captures from then on
		n, err := said.Read(b)
		if text += string(b[:n]); err != nil {
			return fmt.Errorf("dumpcap: %s", text)
		}
	}
	go io.Copy(io.Discard, said)
	home, err := os.MkdirTemp("", "browsers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	err = visit(s, home, keys)
	time.Sleep(time.Second) // what is still in the kernel
	tap.Process.Signal(os.Interrupt)
	tap.Wait()
	if err == nil {
		err = os.Chmod(keys, 0o600)
	}
	return err
}

// loads runs a browser until it has all pictures.
func (s *site) loads(cmd *exec.Cmd, keys string) error {
	cmd.Env = append(os.Environ(), "SSLKEYLOGFILE="+keys, "MOZ_DISABLE_CONTENT_SANDBOX=1")
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}()
	select {
	case <-s.all:
		time.Sleep(time.Second)
		return nil
	case <-time.After(40 * time.Second):
		return fmt.Errorf("it has loaded %d of %d pictures", s.served, pictures)
	}
}

func chromium(s *site, home, keys string) error {
	hash := sha256.Sum256(s.leaf.RawSubjectPublicKeyInfo)
	at := net.JoinHostPort(host, strconv.Itoa(s.port))
	return s.loads(exec.Command("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--user-data-dir="+home, "--origin-to-force-quic-on="+at,
		"--host-resolver-rules=MAP "+host+" 127.0.0.1", "--ignore-certificate-errors-spki-list="+base64.StdEncoding.EncodeToString(hash[:]), "--remote-debugging-port=0", "https://"+at+"/"), keys)
}

func firefox(s *site, home, keys string) error {
	profile := filepath.Join(home, "profile")
	if err := os.Mkdir(profile, 0o700); err != nil {
		return err
	}
	root := filepath.Join(home, "root.der")
	if err := os.WriteFile(root, s.root, 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{{"-N", "-d", "sql:" + profile, "--empty-password"}, {"-A", "-d", "sql:" + profile, "-n", "root", "-t", "C,,", "-i", root}} {
		if out, err := exec.Command("certutil", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("certutil: %w: %s", err, out)
		}
	}
	prefs := fmt.Sprintf(`user_pref("network.http.http3.disable_when_third_party_roots_found", false);
user_pref("network.http.http3.alt-svc-mapping-for-testing", "%s;h3=:%d");
user_pref("network.dns.localDomains", "%s");
user_pref("network.http.http3.force-quic-on", true);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
`, host, s.port, host)
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(prefs), 0o600); err != nil {
		return err
	}
	return s.loads(exec.Command("firefox-esr", "--headless", "--no-remote", "--profile", profile, fmt.Sprintf("https://%s:%d/", host, s.port)), keys)
}

func quicGo(s *site, _, keys string) error {
	log, err := os.OpenFile(keys, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	roots := x509.NewCertPool()
	root, err := x509.ParseCertificate(s.root)
	if err != nil {
		return err
	}
	roots.AddCert(root)
	transport := &http3.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: host, KeyLogWriter: log}}
	defer transport.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for i := -1; i < pictures; i++ {
		path := ""
		if i >= 0 {
			path = fmt.Sprintf("%d.svg", i)
		}
		q, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("https://127.0.0.1:%d/%s", s.port, path), nil)
		if err != nil {
			return err
		}
		a, err := transport.RoundTrip(q)
		if err != nil {
			return err
		}
		io.Copy(io.Discard, a.Body)
		a.Body.Close()
	}
	return nil
}
