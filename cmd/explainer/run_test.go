package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"explainer/annotate/event"
)

// explainWith is explain with variables in the environment, beside which none
// that names a proxy or authorities is set.
func explainWith(t *testing.T, environ []string, args ...string) *told {
	t.Helper()
	story := filepath.Join(t.TempDir(), "story.json")
	cmd := explainerCmd(t, append([]string{args[0], "--format", "json", "--story", story}, args[1:]...)...)
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "all_proxy", "no_proxy",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE", "NODE_OPTIONS", "JAVA_TOOL_OPTIONS"} {
		cmd.Env = append(cmd.Env, name+"=")
	}
	cmd.Env = append(cmd.Env, environ...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	b, err := os.ReadFile(story)
	if err != nil {
		t.Fatalf("%v; %s", err, &stderr)
	}
	r := &told{t: t, code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
	for line := range bytes.Lines(b) {
		r.add(line)
	}
	r.check()
	return r
}

// secureServer starts a TLS server with the certificate in the file leaf that names what it was asked for.
func secureServer(t *testing.T, leaf string, change func(*tls.Config)) *httptest.Server {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(leaf, leaf)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "served %s%s\n", r.Host, r.URL.Path)
		if r.URL.Path == "/killed" { // whoever asks for this does not live to see its end
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	if change != nil {
		change(s.TLS)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// companyProxy starts mitmdump, which wants a password, intercepts, and calls
// tlsAddr and plainAddr whatever it is asked for. It returns the address and the file of its CA.
func companyProxy(t *testing.T, tlsAddr, plainAddr string) (addr, caFile string) {
	t.Helper()
	dir := t.TempDir()
	script := filepath.Join(dir, "map.py")
	address := func(addr string) string {
		host, port, _ := net.SplitHostPort(addr)
		return fmt.Sprintf("(%q, %s)", host, port)
	}
	if err := os.WriteFile(script, fmt.Appendf(nil, "def server_connect(data):\n    data.server.address = %s if data.server.address[1] == 443 else %s\n", address(tlsAddr), address(plainAddr)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("mitmdump", "--listen-host", "127.0.0.1", "--listen-port", "0", "--ssl-insecure", "--proxyauth", "user:secret",
		"--set", "confdir="+dir, "--set", "connection_strategy=lazy", "--set", "flow_detail=0", "--set", "termlog_verbosity=info", "-s", script)
	cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	said, lines := "", bufio.NewScanner(stdout)
	for addr == "" && lines.Scan() {
		said += lines.Text() + "\n"
		if m := regexp.MustCompile(`listening at \S*?(127\.0\.0\.1:\d+)`).FindStringSubmatch(lines.Text()); m != nil {
			addr = m[1]
		}
	}
	if addr == "" {
		t.Fatalf("mitmdump has not started: %s", said)
	}
	go func() {
		for lines.Scan() {
		}
	}()
	return addr, filepath.Join(dir, "mitmproxy-ca-cert.pem")
}

// TestRunBehindCompanyProxy: what the variables say about proxies and authorities holds under run, too.
func TestRunBehindCompanyProxy(t *testing.T) {
	t.Parallel()
	leaf, _ := certifiedFor(t, "shop.test", "127.0.0.1")
	secure := secureServer(t, leaf, nil)
	plain := httptest.NewServer(secure.Config.Handler)
	t.Cleanup(plain.Close)
	addr, caFile := companyProxy(t, secure.Listener.Addr().String(), plain.Listener.Addr().String())
	const script = `curl -sS https://shop.test/secure; curl -sS http://shop.test/plain; curl -sS -o /dev/null -w 'left out: %{http_code}\n' http://direct.test/
curl -sS -o /dev/null -w 'here: %{http_code}\n' http://DIRECT/here`
	here := plain.Listener.Addr().String()
	proxyURL := "http://user:secret@" + addr
	r := explainWith(t, []string{"HTTPS_PROXY=" + proxyURL, "http_proxy=" + proxyURL, "NO_PROXY=direct.test", "REQUESTS_CA_BUNDLE=" + caFile, "AWS_CA_BUNDLE=/nowhere.pem"},
		"run", "--", "sh", "-c", strings.ReplaceAll(script, "DIRECT", here))
	// Nobody has an address for direct.test: that the proxy of this program says so shows whom it asked.
	if want := "served shop.test/secure\nserved shop.test/plain\nleft out: 502\nhere: 200\n"; r.stdout != want {
		t.Errorf("%q, want %q; %s", r.stdout, want, r.stderr)
	}
	for _, want := range []string{
		"through the proxy of HTTPS_PROXY, http://" + addr + " and of http_proxy, http://" + addr + " but for those that NO_PROXY names",
		"1 authority of REQUESTS_CA_BUNDLE", "what AWS_CA_BUNDLE names cannot all be read",
	} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("it does not say %q: %s", want, r.stderr)
		}
	}
	if strings.Contains(r.stderr, "secret") || strings.Contains(r.stderr, "user") {
		t.Errorf("it tells who its user is: %s", r.stderr)
	}
	if !r.requested("origin", "CONNECT", "shop.test:443") || !r.requested("origin", "GET", "http://shop.test/plain") {
		t.Error("the story does not tell that the company's proxy was asked")
	}

	// The program's own trust, and nothing else: everything passed through.
	python := []string{"python3", "-c", "import requests; print(requests.get('https://shop.test/own').text)"}
	r = explainWith(t, []string{"HTTPS_PROXY=" + proxyURL, "REQUESTS_CA_BUNDLE=" + caFile}, append([]string{"run", "--passthrough", "*", "--"}, python...)...)
	if r.code != 0 || r.stdout != "served shop.test/own\n\n" {
		t.Errorf("%d, %q: %s", r.code, r.stdout, r.stderr)
	}
	// One host passed through: the child trusts what it did.
	r = explainWith(t, []string{"HTTPS_PROXY=" + proxyURL, "REQUESTS_CA_BUNDLE=" + caFile}, append([]string{"run", "--passthrough", "shop.test", "--"}, python...)...)
	if r.code != 0 || r.stdout != "served shop.test/own\n\n" {
		t.Errorf("%d, %q: %s", r.code, r.stdout, r.stderr)
	}
	// The flag counts, and switches off.
	for _, flag := range []string{"none", "http://127.0.0.1:1"} {
		r = explainWith(t, []string{"HTTPS_PROXY=" + proxyURL}, "run", "--upstream-proxy", flag, "--", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "https://shop.test/")
		if r.stdout != "502" || strings.Contains(r.stderr, "HTTPS_PROXY") {
			t.Errorf("--upstream-proxy %s: %q: %s", flag, r.stdout, r.stderr)
		}
	}
}

// TestRunUpstreamItself: a variable that names this very proxy is not followed.
func TestRunUpstreamItself(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	r := explainWith(t, []string{"ALL_PROXY=http://localhost:" + port, "HTTPS_PROXY=socks4://user:secret@127.0.0.1:1"},
		"run", "-p", port, "--", "curl", "-sS", "https://tls13.explainer.test/trusted")
	if r.stdout != "trusted\n" || !strings.Contains(r.stderr, "ALL_PROXY names this proxy itself") || !strings.Contains(r.stderr, "a proxy of that kind cannot be used") || strings.Contains(r.stderr, "secret") {
		t.Errorf("%q: %s", r.stdout, r.stderr)
	}
}

// TestRunPast: a program that does not come through the proxy is told so.
func TestRunPast(t *testing.T) {
	t.Parallel()
	leaf, roots := certifiedFor(t, "127.0.0.1")
	server := secureServer(t, leaf, nil)
	r := explainWith(t, []string{"CURL_CA_BUNDLE=" + roots}, "run", "--", "curl", "-sS", "--noproxy", "*", server.URL+"/past")
	if !strings.Contains(r.stdout, "/past") || r.code != 0 || !strings.Contains(r.stderr, "the command never came here") || !strings.Contains(r.stderr, "{proxy}") {
		t.Errorf("%d, %q: %s", r.code, r.stdout, r.stderr)
	}
	r = explainWith(t, nil, "run", "--", "curl", "-sS", "https://tls13.explainer.test/trusted")
	if r.stdout != "trusted\n" || strings.Contains(r.stderr, "never came here") {
		t.Errorf("%q: %s", r.stdout, r.stderr)
	}
}

// TestRunPassesEverything: no variable but proxies' is touched, and nothing is said of keys that are not there.
func TestRunPassesEverything(t *testing.T) {
	t.Parallel()
	recording := filepath.Join(t.TempDir(), "session.pcapng")
	r := explainWith(t, []string{"CURL_CA_BUNDLE=/own.pem", "JAVA_TOOL_OPTIONS=-Da=b", "NODE_EXTRA_CA_CERTS=/other.pem"},
		"run", "--passthrough", "*", "-w", recording, "--", "sh", "-c", "env; curl -sSk https://tls13.explainer.test/trusted")
	for _, want := range []string{"\nCURL_CA_BUNDLE=/own.pem\n", "\nNODE_EXTRA_CA_CERTS=/other.pem\n", "\nSSL_CERT_FILE=\n", "\nHTTPS_PROXY=http://127.0.0.1:", "\ntrusted"} {
		if !strings.Contains("\n"+r.stdout, want) {
			t.Errorf("no %q in %s", want, r.stdout)
		}
	}
	if strings.Contains(r.stdout, "trustStore") || strings.Contains(r.stdout, "wgetrc") || strings.Contains(r.stderr, "keys") {
		t.Errorf("%s %s", r.stdout, r.stderr)
	}
	for _, e := range r.events {
		if e.Topic == event.TopicCertificate {
			t.Errorf("a certificate was opened: %s", e.Brief)
		}
	}
}

// TestRunOwnCA: without a folder named, run makes a CA for itself and leaves nothing behind; with one it takes that.
func TestRunOwnCA(t *testing.T) {
	t.Parallel()
	for name, home := range map[string]string{"for this run alone": "", "made ": filepath.Join(t.TempDir(), "home")} {
		config := t.TempDir()
		args := []string{"run", "--story", "/dev/null"}
		if home != "" {
			args = append(args, "--home", home)
		}
		cmd := exec.CommandContext(t.Context(), "explainer", append(args, "--", "curl", "-sS", "-o", "/dev/null", "-w", "%{certs}", "https://tls13.explainer.test/")...)
		for _, v := range os.Environ() {
			if !strings.HasPrefix(v, "EXPLAINER_HOME=") {
				cmd.Env = append(cmd.Env, v)
			}
		}
		cmd.Env = append(cmd.Env, "XDG_CONFIG_HOME="+config, "HOME="+config)
		out, err := cmd.Output()
		if err != nil || !strings.Contains(string(out), name) {
			t.Errorf("%v: no %q in %s", err, name, out)
		}
		if left, err := os.ReadDir(config); err != nil || len(left) > 0 {
			t.Errorf("%v: it left %v", err, left)
		}
	}
}

// clearThenTunnelScript sends a request in clear and then, on the same connection, asks for a tunnel and speaks TLS in it.
const clearThenTunnelScript = `
import http.client, ssl, sys
proxy, ca = sys.argv[1:]
c = http.client.HTTPConnection(proxy)
c.request("GET", "http://explainer.test/")
c.getresponse().read()
host, s, head = "tls13.explainer.test", c.sock, b""
s.sendall(("CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n" % (host, host)).encode())
while not head.endswith(b"\r\n\r\n"):
    head += s.recv(1)
t = ssl.create_default_context(cafile=ca).wrap_socket(s, server_hostname=host)
t.sendall(("GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % host).encode())
while t.recv(10000):
    pass
`

// TestRunClearThenTunnel: the steps of a connection are told for its requests in clear, and then for the TLS in its tunnel, on both legs.
func TestRunClearThenTunnel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	live, recording := filepath.Join(dir, "live.json"), filepath.Join(dir, "r.pcapng")
	if out, err := explainerCmd(t, "run", "--format", "json", "--story", live, "-w", recording, "--", "python3", "-c", clearThenTunnelScript, "{proxy}", "{ca}").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var got []string
	for _, e := range readStory(t, live) {
		if e.Summary != nil {
			for _, l := range e.Summary.Legs {
				got = append(got, fmt.Sprintf("%s %d %s", e.Host, l.Conn, l.Flow))
			}
		}
		if e.Kind == event.KindEnd {
			got = append(got, fmt.Sprintf("%s %d over", e.Host, e.Conn))
		}
	}
	const want = "explainer.test 1 http, explainer.test 2 http, explainer.test 2 over, tls13.explainer.test 1 tls13-full, tls13.explainer.test 3 tls13-full, tls13.explainer.test 1 over, tls13.explainer.test 3 over"
	if strings.Join(got, ", ") != want {
		t.Errorf("%s", strings.Join(got, ", "))
	}
	replayed, err := explainerCmd(t, "read", "--format", "json", recording).Output()
	if told, _ := os.ReadFile(live); err != nil || !bytes.HasPrefix(replayed, told) && !bytes.Equal(replayed, told) {
		t.Errorf("%v: the live story and that of the recording differ", err)
	}
}
