package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"explainer/capture"
)

// accepted gives host an HTTPS origin, and tells of each connection that it has accepted.
func (r *rig) accepted(host string) <-chan struct{} {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	calls := make(chan struct{}, 100)
	s := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { io.WriteString(w, "ok") }),
		TLSConfig: r.originConfig(host), ErrorLog: discardLog,
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				calls <- struct{}{}
			}
		},
	}
	go s.ServeTLS(l, "", "")
	r.t.Cleanup(func() { s.Close() })
	r.site(host, l.Addr().String())
	return calls
}

// checkIntercepted looks for one session that was opened on both legs.
func checkIntercepted(t *testing.T, r *rig) {
	t.Helper()
	items := r.items()
	checkRecording(t, items)
	if n := len(facts(items, capture.FactSession)); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
	for _, f := range facts(items, capture.FactOpaque) {
		t.Errorf("%+v", f)
	}
	if f := fact(t, items, capture.FactOriginVerified); f.Outcome != "ok" {
		t.Errorf("%+v", f)
	}
}

// TestSlowClient: a client is intercepted whenever its hello comes; here after
// up to five times the silence after which its origin is called.
func TestSlowClient(t *testing.T) {
	for _, delay := range []float64{0, 0.8, 1, 1.02, 1.3, 2, 5} {
		t.Run(fmt.Sprint(delay), func(t *testing.T) {
			t.Parallel()
			const silence = 50 * time.Millisecond
			r := newRig(t, func(p *Proxy) { p.silence = silence })
			calls := r.accepted("shop.test")
			raw := r.tunnel("shop.test:443")
			if delay > 1 {
				<-calls // the silence is over
			}
			time.Sleep(time.Duration(delay * float64(silence)))
			c := tls.Client(raw, &tls.Config{ServerName: "shop.test", RootCAs: r.roots()})
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
			if b, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(b), "ok") {
				t.Errorf("%q, %v", b, err)
			}
			c.Close()
			checkIntercepted(t, r)
		})
	}
}

// TestSlowClientPieces: the hello of a slow client comes a byte at a time, and still it is one.
func TestSlowClientPieces(t *testing.T) {
	r := newRig(t, func(p *Proxy) { p.silence = time.Millisecond })
	calls := r.accepted("shop.test")
	raw := r.tunnel("shop.test:443")
	<-calls
	c := tls.Client(&pieces{Conn: raw, single: true}, &tls.Config{ServerName: "shop.test", RootCAs: r.roots()})
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
	if b, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(b), "ok") {
		t.Errorf("%q, %v", b, err)
	}
	c.Close()
	checkIntercepted(t, r)
}

// TestSlowClientPassThrough: a pattern that only the hello's name meets holds for it, too.
func TestSlowClientPassThrough(t *testing.T) {
	r := newRig(t, func(p *Proxy) { p.silence, p.PassThrough = time.Millisecond, []string{"shop.test"} })
	calls := r.accepted("10.1.2.3")
	raw := r.tunnel("10.1.2.3:443")
	<-calls
	c := tls.Client(raw, &tls.Config{ServerName: "shop.test", InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := c.ConnectionState().PeerCertificates[0].CheckSignatureFrom(r.originCA.Certificate()); err != nil {
		t.Error(err)
	}
	c.Close()
	items := r.items()
	if n := len(facts(items, capture.FactSession)); n != 1 || fact(t, items, capture.FactPassThrough).Peer == 0 {
		t.Errorf("%d sessions, %+v", n, fact(t, items, capture.FactPassThrough))
	}
}

// TestSlowClientDead: nobody is there whom a silent client could wait for. Behind the port of
// HTTPS its hello is answered with a page; any other connection ends at once, as it would without the proxy.
func TestSlowClientDead(t *testing.T) {
	r := newRig(t, func(p *Proxy) { p.silence = time.Millisecond })
	r.site("dead.test", deadAddr(t))
	if b, err := io.ReadAll(r.tunnel("dead.test:25")); len(b) > 0 || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	raw := r.tunnel("dead.test:443")
	for recorded := []byte(nil); bytes.Count(recorded, []byte(`"dial-failed"`)) < 2; { // the silence is over
		recorded, _ = os.ReadFile(r.recording.Name())
		time.Sleep(time.Millisecond)
	}
	c := tls.Client(raw, &tls.Config{ServerName: "dead.test", RootCAs: r.roots()})
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: dead.test\r\n\r\n")
	if b, err := io.ReadAll(c); err != nil || !strings.Contains(string(b), "refuses connections") {
		t.Errorf("%q, %v", b, err)
	}
	items := r.items()
	checkRecording(t, items)
	if n := len(facts(items, capture.FactDialFailed)); n != 2 {
		t.Errorf("the origin was called %d times, want 2", n)
	}
}

// TestGreetingOverTLS: behind TLS, too, a client that waits for a dead server to speak is not kept waiting,
// nor is one that speaks something else than HTTP answered in HTTP.
func TestGreetingOverTLS(t *testing.T) {
	for _, says := range []string{"", "a001 LOGIN\r\n", "\x30\x0c\x02\x01"} {
		r := newRig(t, func(p *Proxy) { p.silence = 10 * time.Millisecond })
		r.site("mail.test", deadAddr(t))
		c := tls.Client(r.tunnel("mail.test:993"), &tls.Config{ServerName: "mail.test", RootCAs: r.roots()})
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, says)
		if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
			t.Errorf("%q: %q, %v", says, b, err)
		}
		if f := fact(t, r.items(), capture.FactClosed); f.Outcome != "proxy" || f.Detail != "refused" {
			t.Errorf("%+v", f)
		}
	}
}

// TestUpstreamBareLF: an upstream proxy may end its lines with a bare LF (RFC 9112 2.2).
func TestUpstreamBareLF(t *testing.T) {
	for _, head := range []string{"HTTP/1.0 200 OK\n\n", "HTTP/1.1 200 OK\nVia: x\r\n\n", "HTTP/1.1 200 OK\r\n\r\n"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			http.ReadRequest(bufio.NewReader(c))
			io.WriteString(c, head+"220 hello")
		}()
		r := newRig(t, func(p *Proxy) {
			p.silence, p.UpstreamProxy = time.Millisecond, Upstream(&url.URL{Scheme: "http", Host: l.Addr().String()})
		})
		if b, err := io.ReadAll(r.tunnel("mail.test:25")); string(b) != "220 hello" || err != nil {
			t.Errorf("%q: %q, %v", head, b, err)
		}
	}
}

// TestJavaSlowStart: a program that takes its time between the proxy's answer and its hello.
func TestJavaSlowStart(t *testing.T) {
	r := newRig(t, func(p *Proxy) { p.silence = time.Millisecond })
	calls := r.accepted("shop.test")
	source := filepath.Join(t.TempDir(), "Slow.java")
	if err := os.WriteFile(source, []byte(slowJava), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(r.addr)
	cmd := exec.Command("java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", source, port, r.caFile(), "https://shop.test/")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs a JDK: %v", err)
	}
	told := bufio.NewReader(out)
	if line, err := told.ReadString('\n'); line != "the tunnel stands\n" {
		t.Fatalf("%q, %v: %s", line, err, errs.Bytes())
	}
	<-calls // the silence is over, and the origin called
	in.Close()
	answer, _ := io.ReadAll(told)
	if err := cmd.Wait(); err != nil || string(answer) != "200 ok\n" {
		t.Errorf("%q, %v: %s", answer, err, errs.Bytes())
	}
	checkIntercepted(t, r)
}

// slowJava waits between the tunnel and the ClientHello until its standard input ends.
const slowJava = `
import java.io.*;
import java.net.*;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.*;

public class Slow {
	public static void main(String[] args) throws Exception {
		KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
		store.load(null);
		store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(new FileInputStream(args[1])));
		TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
		trust.init(store);
		SSLContext context = SSLContext.getInstance("TLS");
		context.init(null, trust.getTrustManagers(), null);
		SSLSocketFactory quick = context.getSocketFactory();
		HttpsURLConnection c = (HttpsURLConnection) new URL(args[2]).openConnection(
			new Proxy(Proxy.Type.HTTP, new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0]))));
		c.setSSLSocketFactory(new SSLSocketFactory() {
			public Socket createSocket(Socket s, String host, int port, boolean close) throws IOException {
				System.out.println("the tunnel stands");
				System.in.read();
				return quick.createSocket(s, host, port, close);
			}
			public Socket createSocket(String host, int port) throws IOException { throw new IOException(); }
			public Socket createSocket(String host, int port, InetAddress a, int p) throws IOException { throw new IOException(); }
			public Socket createSocket(InetAddress host, int port) throws IOException { throw new IOException(); }
			public Socket createSocket(InetAddress host, int port, InetAddress a, int p) throws IOException { throw new IOException(); }
			public String[] getDefaultCipherSuites() { return quick.getDefaultCipherSuites(); }
			public String[] getSupportedCipherSuites() { return quick.getSupportedCipherSuites(); }
		});
		System.out.println(c.getResponseCode() + " " + new String(c.getInputStream().readAllBytes()));
	}
}
`
