package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
)

// resumingScript opens a connection and a second one that takes up its session.
const resumingScript = `
import socket, ssl, sys
proxy, host, name = sys.argv[1:]
context = ssl.create_default_context()
session = None
for path in "first", "again":
    raw = socket.create_connection(proxy.split(":"))
    raw.sendall(("CONNECT %s:443 HTTP/1.1\r\nHost: %s\r\n\r\n" % (host, host)).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += raw.recv(1)
    with context.wrap_socket(raw, server_hostname=host, session=session) as s:
        s.sendall(("GET /%s-%s HTTP/1.0\r\nHost: %s\r\n\r\n" % (name, path, host)).encode())
        body = b""
        while True:
            data = s.recv(1000)
            if not data:
                break
            body += data
        session = s.session
        print(body.split(b"\r\n\r\n")[1].decode(), s.session_reused)
`

// observed are programs that write their keys. HOST and NAME stand for what they ask for.
var observed = map[string]string{
	"curl":             `curl -sS https://HOST/NAME`,
	"curl-h1":          `curl -sS --http1.1 https://HOST/NAME`,
	"curl-large":       `head -c 3000000 /dev/zero | curl -sS -o /dev/null --data-binary @- https://HOST/NAME`,
	"curl-early-hello": `curl -sS --http2-prior-knowledge https://HOST/NAME`,
	"wget":             `wget -qO- --ca-certificate=ROOTS https://HOST/NAME`,
	"git":              `git ls-remote https://HOST/NAME`,
	"python":           `python3 -c 'import urllib.request as u; print(u.urlopen("https://HOST/NAME").read())'`,
	"requests":         `python3 -c 'import requests; print(requests.get("https://HOST/NAME").text)'`,
	"node":             `node -e 'require("https").get("https://HOST/NAME", r => r.pipe(process.stdout))'`,
	"node-fetch":       `node -e 'fetch("https://HOST/NAME").then(r => r.text()).then(console.log)'`,
	"node-http2":       `node -e 'const c = require("http2").connect("https://HOST"); c.request({":path": "/NAME"}).on("data", d => process.stdout.write(d)).on("end", () => c.close()).end()'`,
	"gnutls":           `python3 GNUTLS {proxy} ROOTS HOST /NAME`,
	"resumed":          `python3 RESUMING {proxy} HOST NAME`,
	"parallel":         `curl -sS -Z --parallel-immediate --http1.1 -o /dev/null -o /dev/null -o /dev/null -o /dev/null -o /dev/null -o /dev/null https://HOST/NAME-1 https://HOST/NAME-2 https://HOST/NAME-3 https://HOST/NAME-4 https://HOST/NAME-5 https://HOST/NAME-6`,
	// It dies in the middle of its download.
	"killed": `curl -sSN -o $0.HOST https://HOST/NAME & until [ -s $0.HOST ]; do sleep .05; done; kill -9 $!`,
}

// TestRunObserve runs programs as they are, with their own trust, and opens what
// they say with the keys that they write: live, in a replay, and in tshark.
func TestRunObserve(t *testing.T) {
	t.Parallel()
	leaf, roots := certifiedFor(t, "tls12.test", "tls13.test", "hrr.test")
	dir := t.TempDir()
	gnutls := strings.NewReplacer("/trusted", "%s", "proxy, ca, host = ", "proxy, ca, host, path = ", `% host)
print`, `% (path, host))
print`).Replace(gnutlsScript)
	for name, text := range map[string]string{"gnutls.py": gnutls, "resuming.py": resumingScript} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"run", "--observe"}
	for name, change := range map[string]func(*tls.Config){
		"tls12.test": func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 },
		"tls13.test": func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 },
		"hrr.test":   func(c *tls.Config) { c.MinVersion, c.CurvePreferences = tls.VersionTLS13, []tls.CurveID{tls.CurveP521} },
	} {
		args = append(args, "--map", name+":443="+secureServer(t, leaf, change).Listener.Addr().String())
	}
	recording, logged := filepath.Join(dir, "session.pcapng"), filepath.Join(dir, "user.keys")
	if err := os.WriteFile(logged, []byte("# the user's own\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var script, want []string
	for _, host := range []string{"tls12.test", "tls13.test", "hrr.test"} {
		for name, line := range observed {
			if host == "hrr.test" && !slices.Contains([]string{"curl", "wget", "node", "python"}, name) {
				continue
			}
			script = append(script, "("+strings.NewReplacer("HOST", host, "NAME", name, "ROOTS", roots,
				"GNUTLS", filepath.Join(dir, "gnutls.py"), "RESUMING", filepath.Join(dir, "resuming.py")).Replace(line)+") &")
			switch name {
			case "git":
				want = append(want, host+" /git/info/refs")
			case "resumed":
				want = append(want, host+" /resumed-first", host+" /resumed-again")
			case "parallel":
				for i := range 6 {
					want = append(want, fmt.Sprintf("%s /parallel-%d", host, i+1))
				}
			default:
				want = append(want, host+" /"+name)
			}
		}
		script = append(script, "wait")
	}
	var environ []string
	for _, name := range []string{"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS"} {
		environ = append(environ, name+"="+roots)
	}
	live := filepath.Join(dir, "live.json")
	cmd := explainerCmd(t, append(args, "-w", recording, "--format", "json", "--story", live, "--", "sh", "-c", strings.Join(script, "\n")+"\nls -l $SSLKEYLOGFILE; exit 7", filepath.Join(dir, "out"))...)
	cmd.Env = append(append(cmd.Env, environ...), "SSLKEYLOGFILE="+logged, "HTTPS_PROXY=", "NODE_OPTIONS=")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 7 || !strings.Contains(stdout.String(), "-rw-------") {
		t.Errorf("exit code %d, %s %s", code, &stdout, &stderr)
	}
	if n := strings.Count(stdout.String(), "True"); n != 2 {
		t.Errorf("%d connections took up a session, want 2: %s", n, &stdout)
	}
	if strings.Contains(stderr.String(), "writes no keys") {
		t.Errorf("%s", &stderr)
	}

	// tshark 4.0 reads a connection that has the ports of an earlier one with the
	// earlier one's keys. The system gives a port again soon after a reset.
	ends, reused, hidden := map[string]bool{}, map[int]bool{}, map[string]int{}
	opened := map[string]int{}
	for _, e := range readStory(t, live) {
		if e.Topic == event.TopicTCPConnection {
			between := e.Ends.Client + " " + e.Ends.Server
			reused[e.Conn], ends[between] = ends[between], true
		}
		if e.Topic == event.TopicSealed {
			t.Errorf("connection %d, %s: sealed: %s", e.Conn, e.Host, e.Brief)
		}
		if e.Topic == event.TopicRequest && e.HTTP.Method != "CONNECT" {
			path, _, _ := strings.Cut(e.HTTP.Target, "?")
			opened[e.Host+" "+path]++
			if reused[e.Conn] {
				hidden[path]++
			}
		}
		for _, p := range e.Proofs {
			if p.State == event.Refuted {
				t.Errorf("connection %d: refuted: %s", e.Conn, p.ID)
			}
		}
	}
	// tshark names each request's path, but not the host of its connection.
	out, err := exec.Command("tshark", "-r", recording, "-T", "fields", "-e", "http.request.uri", "-e", "http2.headers.path", "-Y", "http.request.uri || http2.headers.path").Output()
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]int{}
	for _, path := range regexp.MustCompile(`/[a-z0-9/-]+`).FindAllString(string(out), -1) {
		shown[path]++
	}
	hosts := map[string]int{}
	for _, w := range want {
		if opened[w] != 2 { // on both legs
			t.Errorf("%s: the story has %d requests, want 2", w, opened[w])
		}
		hosts[w[strings.Index(w, "/"):]]++
	}
	for path, n := range hosts {
		if shown[path] > 2*n || shown[path] < 2*n-hidden[path] {
			t.Errorf("%s: tshark has %d requests, want %d, %d of them with ports used before", path, shown[path], 2*n, hidden[path])
		}
	}

	replayed := filepath.Join(dir, "replayed.json")
	read := explainerCmd(t, "read", "--format", "json", recording)
	read.Env = append(read.Env, environ...)
	if text, err := read.Output(); err != nil {
		t.Error(err)
	} else if err := os.WriteFile(replayed, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if diff, err := exec.Command("cmp", live, replayed).CombinedOutput(); err != nil {
		t.Errorf("the live story and that of the recording differ: %s", diff)
	}
	lines, err := os.ReadFile(logged)
	if err != nil || !bytes.HasPrefix(lines, []byte("# the user's own\n")) || bytes.Count(lines, []byte("CLIENT_RANDOM ")) < len(observed) || bytes.Count(lines, []byte("CLIENT_TRAFFIC_SECRET_0 ")) < len(observed) {
		t.Errorf("the user's own key log has %d lines, %v", bytes.Count(lines, []byte("\n")), err)
	}
}

// TestRunObserveNoKeys: a program that writes no keys runs as ever, and is told so.
func TestRunObserveNoKeys(t *testing.T) {
	t.Parallel()
	leaf, roots := certifiedFor(t, "origin.test")
	server := secureServer(t, leaf, nil)
	r := explainWith(t, []string{"SSL_CERT_FILE=" + roots}, "run", "--observe", "--map", "origin.test:443="+server.Listener.Addr().String(), "--",
		"ruby", "-rnet/http", "-e", `print Net::HTTP.get(URI("https://origin.test/ruby"))`)
	if r.stdout != "served origin.test/ruby\n" || !strings.Contains(r.stderr, "this program writes no keys") {
		t.Errorf("%q: %s", r.stdout, r.stderr)
	}
	said := false
	for _, s := range r.sessions("origin.test") {
		for _, leg := range s.Legs {
			for _, u := range leg.Unopened {
				said = said || u.Reason == "observed"
			}
		}
	}
	if !said {
		t.Error("the story does not say why it is sealed")
	}
	// Its own trust is its own: it refuses whom it does not know.
	r = explainWith(t, nil, "run", "--observe", "--map", "origin.test:443="+server.Listener.Addr().String(), "--", "curl", "-sS", "https://origin.test/")
	if r.code != 60 {
		t.Errorf("exit code %d, want curl's 60: %s", r.code, r.stderr)
	}
	for _, flag := range [][]string{{"--textbook"}, {"--passthrough", "x"}, {"--on-bad-origin", "block"}, {"--client-cert", "a=b"}} {
		cmd := explainerCmd(t, append(append([]string{"run", "--observe"}, flag...), "--", "true")...)
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "has no effect") {
			t.Errorf("%s: %s", flag[0], out)
		}
	}
}
