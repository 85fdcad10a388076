package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"explainer/annotate/event"
	"explainer/ca"
)

// A told is what one run of the command printed and told.
type told struct {
	t              *testing.T
	code           int
	stdout, stderr string
	events         []event.Event
}

// explainerCmd is the command itself, in a folder of its own: what it leaves
// behind in the temporary folder is a fault, which the end of the test tells.
func explainerCmd(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	// Not t.TempDir, which is too long a name for Chromium's socket.
	temp, err := os.MkdirTemp("", "e")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("explainer", args...)
	cmd.Env = append(os.Environ(), "EXPLAINER_HOME="+filepath.Join(t.TempDir(), "home"), "TMPDIR="+temp, "SSLKEYLOGFILE=")
	t.Cleanup(func() {
		left, err := os.ReadDir(temp)
		for _, f := range left {
			t.Errorf("%s has been left in the temporary folder", f.Name())
		}
		if err != nil {
			t.Error(err)
		}
		os.RemoveAll(temp)
		// What a process was started with is seen where there is a /proc.
		processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, p := range processes {
			if b, _ := os.ReadFile(p); bytes.Contains(b, []byte(temp)) {
				t.Errorf("a process has been left: %q", b)
			}
		}
	})
	return cmd
}

// explain runs the command with --format json, and checks what holds for every story.
func explain(t *testing.T, args ...string) *told {
	t.Helper()
	story := filepath.Join(t.TempDir(), "story.json")
	cmd := explainerCmd(t, slices.Insert(args, 1, "--format", "json", "--story", story)...)
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

func (r *told) add(line []byte) *event.Event {
	r.t.Helper()
	var e event.Event
	if err := json.Unmarshal(line, &e); err != nil {
		r.t.Fatalf("%v: %s", err, line)
	}
	r.events = append(r.events, e)
	return &r.events[len(r.events)-1]
}

// check checks what holds for every story: no proof is refuted, each session is
// summed up once, in eleven steps for each leg.
func (r *told) check() {
	r.t.Helper()
	summed := map[int]int{}
	for _, e := range r.events {
		for _, p := range e.Proofs {
			if p.State == event.Refuted && !isFault(e.Host) {
				r.t.Errorf("event %d, %s: %s is refuted: %s", e.N, e.Host, p.ID, p.Reason)
			}
		}
		if e.Kind != event.KindSummary {
			continue
		}
		if summed[e.Session]++; summed[e.Session] > 1 {
			r.t.Errorf("session %d is summed up twice", e.Session)
		}
		for _, leg := range e.Summary.Legs {
			var steps []event.Step
			for _, row := range leg.Rows {
				steps = append(steps, row.Step)
				if row.Verdict == "" || row.Says.Text == "" {
					r.t.Errorf("session %d, %s leg: step %s has the verdict %q and says %q", e.Session, leg.Leg, row.Step, row.Verdict, row.Says.Text)
				}
			}
			if !slices.Equal(steps, event.Steps) {
				r.t.Errorf("session %d, %s leg: steps %v", e.Session, leg.Leg, steps)
			}
		}
	}
	said := map[int]bool{} // a connection that a browser opened and did not use, even one for which it had asked with CONNECT, has nothing to sum up
	for _, e := range r.events {
		if e.Kind == event.KindMessage {
			said[e.Session] = e.Name != "protocol switched"
		}
	}
	for _, e := range r.events {
		if e.Kind == event.KindConnection && e.Leg == "browser" && said[e.Session] && summed[e.Session] != 1 {
			r.t.Errorf("session %d is summed up %d times", e.Session, summed[e.Session])
		}
	}
}

// isFault tells whether a host is a built-in site that shows a fault: what is
// refuted there is meant to be.
func isFault(host string) bool {
	f := ca.FaultOf(strings.TrimSuffix(host, ".explainer.test"))
	return f != nil && f.Severity != ca.Control
}

// sessions returns the summaries of the sessions with host.
func (r *told) sessions(host string) []*event.Summary {
	var s []*event.Summary
	for _, e := range r.events {
		if e.Kind == event.KindSummary && e.Host == host {
			s = append(s, e.Summary)
		}
	}
	return s
}

// answered reports whether a response came in a session, other than to CONNECT.
// A browser also opens connections that it may need, and drops those it does not.
func (r *told) answered(session int) bool {
	tunnel := false
	for _, e := range r.events {
		switch {
		case e.Session != session || e.Leg != "browser":
		case e.Topic == event.TopicRequest && e.HTTP.Method == "CONNECT":
			tunnel = true
		case e.Topic == event.TopicResponse && tunnel:
			tunnel = false
		case e.Topic == event.TopicResponse:
			return true
		}
	}
	return false
}

// legs checks that there are answered sessions with host and that all of them have two
// legs of these kinds, with what can be proven of them proven on both.
func (r *told) legs(host, browser, origin string) {
	r.t.Helper()
	checked := 0
	for _, e := range r.events {
		if e.Kind != event.KindSummary || e.Host != host || !r.answered(e.Session) {
			continue
		}
		checked++
		var got []string
		for _, leg := range e.Summary.Legs {
			got = append(got, leg.Leg+" "+leg.Flow)
			if leg.Flow == "http" {
				continue
			}
			proven := map[string]bool{}
			for _, e := range r.events {
				for _, p := range e.Proofs {
					if e.Conn == leg.Conn && p.State == event.Proven {
						proven[p.ID] = true
					}
				}
			}
			want := []string{"certificate-links", "server-finished", "client-finished", "server-records", "client-records"}
			if slices.ContainsFunc(leg.Facts, func(f event.Field) bool { return f.ID == "alpn" && f.Value.English == "h3" }) {
				want = []string{"certificate-links", "server-certificate-verify", "server-finished", "client-finished", "server-first-packet", "client-first-packet"}
			}
			if leg.Leg == "browser" {
				want = append(want, "minted-leaf")
				if leg.Flow == rsa {
					want = append(want, "rsa-block", "rsa-premaster-version", "rsa-master")
				}
			}
			for _, id := range want {
				if !proven[id] {
					r.t.Errorf("%s, session %d, %s leg: %s is not proven", host, e.Session, leg.Leg, id)
				}
			}
		}
		if want := []string{"browser " + browser, "origin " + origin}; !slices.Equal(got, want) {
			r.t.Errorf("%s, session %d: legs %q, want %q", host, e.Session, got, want)
		}
	}
	if checked == 0 {
		r.t.Errorf("no session with %s was answered and summed up", host)
	}
}

// has tells whether a leg has an event of which is holds.
func (r *told) has(leg string, is func(event.Event) bool) bool {
	return slices.ContainsFunc(r.events, func(e event.Event) bool { return e.Leg == leg && is(e) })
}

// requested tells whether a leg has a request of this method and target.
func (r *told) requested(leg, method, target string) bool {
	return r.has(leg, func(e event.Event) bool {
		return e.Topic == event.TopicRequest && e.HTTP.Method == method && e.HTTP.Target == target
	})
}

const (
	mlkem = "tls13-mlkem"
	full  = "tls13-full"
	ecdhe = "tls12-ecdhe"
	rsa   = "tls12-rsa"
)

// gnutlsScript has gnutls-cli, which knows no proxy, ask for the tunnel by its
// hand-operated STARTTLS: lines in clear until it gets SIGALRM, then TLS.
const gnutlsScript = `
import signal, subprocess, sys
proxy, ca, host = sys.argv[1:]
ip, port = proxy.split(":")
p = subprocess.Popen(["stdbuf", "-oL", "gnutls-cli", "--starttls", "--port", port, "--x509cafile", ca, "--sni-hostname", host, "--verify-hostname", host, ip], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
def until(what):
    for line in p.stdout:
        if what in line:
            return
    sys.exit("gnutls-cli did not say %r" % what)
def say(lines):
    p.stdin.write(lines.encode())
    p.stdin.flush()
until(b"Simple Client Mode")
say("CONNECT %s:443 HTTP/1.1\r\n\r\n" % host)
until(b"200 Connection established")
p.send_signal(signal.SIGALRM)
until(b"- Options:")
say("GET /trusted HTTP/1.0\r\nHost: %s\r\n\r\n" % host)
print(p.stdout.read().decode())
`

const javaProgram = `
import java.net.*;
import java.net.http.*;
public class Main {
	public static void main(String[] a) throws Exception {
		System.out.print(new String(new URL(a[0]).openStream().readAllBytes()));
		System.out.print(HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create(a[0])).build(), HttpResponse.BodyHandlers.ofString()).body());
	}
}
`

// TestRun fetches a page with each client through the command as its users do.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"gnutls.py": gnutlsScript, "Main.java": javaProgram} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const tls13, tls12 = "tls13.explainer.test", "tls12.explainer.test"
	for _, tt := range []struct {
		name            string
		options         []string
		argv            []string
		host            string
		browser, origin string // flows
		code            int
		out             string // contained in standard output; else "trusted"
	}{
		{name: "curl", argv: []string{"curl", "-sS", "https://tls13.explainer.test/"}, host: tls13, browser: full, origin: full, out: "HTTP/2.0"},
		{name: "curl-h1", argv: []string{"curl", "-sS", "--http1.1", "https://tls13.explainer.test/"}, host: tls13, browser: full, origin: full, out: "HTTP/1.1"},
		{name: "curl-tls12", argv: []string{"curl", "-sS", "--tls-max", "1.2", "https://tls12.explainer.test/"}, host: tls12, browser: ecdhe, origin: ecdhe, out: "HTTP/2.0"},
		{name: "curl-tls12-h1", argv: []string{"curl", "-sS", "--tls-max", "1.2", "--http1.1", "https://tls12.explainer.test/"}, host: tls12, browser: ecdhe, origin: ecdhe, out: "HTTP/1.1"},
		{name: "curl-textbook", options: []string{"--textbook"}, argv: []string{"curl", "-sS", "https://tls13.explainer.test/trusted"}, host: tls13, browser: rsa, origin: full},
		{name: "curl-rsa", argv: []string{"curl", "-sS", "https://rsa.explainer.test/trusted"}, host: "rsa.explainer.test", browser: rsa, origin: rsa},
		{name: "curl-hrr", argv: []string{"curl", "-sS", "https://hrr.explainer.test/trusted"}, host: "hrr.explainer.test", browser: full, origin: "tls13-hrr"},
		{name: "curl-mtls", argv: []string{"curl", "-sS", "https://mtls.explainer.test/"}, host: "mtls.explainer.test", browser: full, origin: full, out: "none was shown"},
		{name: "curl-plain", argv: []string{"curl", "-sS", "http://explainer.test/trusted"}, host: "explainer.test", browser: "http", origin: "http"},
		{name: "curl-404", argv: []string{"curl", "-sS", "--fail", "https://tls13.explainer.test/nonsense"}, host: tls13, browser: full, origin: full, code: 22, out: " "},
		{name: "wget", argv: []string{"wget", "-qO-", "https://tls13.explainer.test/trusted"}, host: tls13, browser: full, origin: full},
		{name: "wget-404", argv: []string{"wget", "-q", "https://tls12.explainer.test/nonsense"}, host: tls12, browser: ecdhe, origin: ecdhe, code: 8, out: " "},
		{name: "python-urllib", argv: []string{"python3", "-c", `import urllib.request as u; print(u.urlopen("https://tls13.explainer.test/trusted").read())`}, host: tls13, browser: full, origin: full},
		{name: "python-requests", argv: []string{"python3", "-c", `import requests; print(requests.get("https://tls12.explainer.test/trusted").text)`}, host: tls12, browser: ecdhe, origin: ecdhe},
		{name: "python-exit", argv: []string{"python3", "-c", `import urllib.request as u; u.urlopen("https://tls13.explainer.test/trusted"); print("trusted"); exit(77)`}, host: tls13, browser: full, origin: full, code: 77},
		{name: "node-https", argv: []string{"node", "-e", `require("https").get("https://tls13.explainer.test/trusted", r => r.pipe(process.stdout))`}, host: tls13, browser: full, origin: full},
		{name: "node-fetch", argv: []string{"node", "-e", `fetch("https://tls12.explainer.test/trusted").then(r => r.text()).then(console.log)`}, host: tls12, browser: ecdhe, origin: ecdhe},
		{name: "node-post", argv: []string{"node", "-e", `fetch("https://tls13.explainer.test/echo", {method: "POST", body: "a posted body"}).then(r => r.text()).then(console.log)`}, host: tls13, browser: full, origin: full, out: "a posted body"},
		{name: "node-plain", argv: []string{"node", "-e", `require("http").get("http://explainer.test/trusted", r => r.pipe(process.stdout))`}, host: "explainer.test", browser: "http", origin: "http"},
		{name: "ruby", argv: []string{"ruby", "-rnet/http", "-e", `print Net::HTTP.get(URI("https://tls13.explainer.test/trusted"))`}, host: tls13, browser: full, origin: full},
		{name: "openssl", argv: []string{"sh", "-c", `printf 'GET /trusted HTTP/1.0\r\nHost: tls12.explainer.test\r\n\r\n' | openssl s_client -quiet -verify_return_error -proxy {proxy} -CAfile {ca} -connect tls12.explainer.test:443`}, host: tls12, browser: ecdhe, origin: ecdhe},
		{name: "openssl-rsa", options: []string{"--textbook"}, argv: []string{"sh", "-c", `printf 'GET /trusted HTTP/1.0\r\nHost: tls12.explainer.test\r\n\r\n' | openssl s_client -quiet -verify_return_error -proxy {proxy} -CAfile {ca} -connect tls12.explainer.test:443`}, host: tls12, browser: rsa, origin: ecdhe},
		{name: "gnutls", argv: []string{"python3", filepath.Join(dir, "gnutls.py"), "{proxy}", "{ca}", tls13}, host: tls13, browser: full, origin: full},
		{name: "java", argv: []string{"java", filepath.Join(dir, "Main.java"), "https://tls13.explainer.test/trusted"}, host: tls13, browser: full, origin: full, out: "trusted\ntrusted\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(tt.argv[0]); err != nil {
				if tt.argv[0] == "java" {
					t.Log("java is not installed, and not tried")
					return
				}
				t.Fatalf("this test needs %s: %v", tt.argv[0], err)
			}
			args := append([]string{"run"}, tt.options...)
			r := explain(t, append(append(args, "--"), tt.argv...)...)
			want := tt.out
			if want == "" {
				want = "trusted"
			}
			if r.code != tt.code || !strings.Contains(r.stdout, strings.TrimSpace(want)) {
				t.Errorf("exit code %d, want %d; no %q in %q; %s", r.code, tt.code, want, r.stdout, r.stderr)
			}
			r.legs(tt.host, tt.browser, tt.origin)
		})
	}
}

// TestRunGit clones over git's smart protocol from a server that only this test knows.
func TestRunGit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=somebody", "-c", "user.email=somebody@git.test"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v: %s", args[0], err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q", "work")
	git("-C", "work", "commit", "-q", "--allow-empty", "-m", "the first")
	head := git("-C", "work", "rev-parse", "HEAD")
	git("clone", "-q", "--bare", "work", "repo.git")
	authority, err := ca.NewEphemeral("origin test")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := authority.Leaf(context.Background(), ca.Spec{Names: []string{"git.test"}})
	if err != nil {
		t.Fatal(err)
	}
	roots := filepath.Join(dir, "roots.pem")
	if err := os.WriteFile(roots, authority.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(&cgi.Handler{
		Path: filepath.Join(git("--exec-path"), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	})
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{*leaf}}
	server.StartTLS()
	t.Cleanup(server.Close)

	clone := filepath.Join(dir, "clone")
	r := explain(t, "run", "--map", "git.test:443="+server.Listener.Addr().String(), "--origin-ca", roots, "--",
		"git", "clone", "-q", "https://git.test/repo.git", clone)
	if r.code != 0 {
		t.Fatalf("exit code %d: %s", r.code, r.stderr)
	}
	if got := git("-C", "clone", "rev-parse", "HEAD"); got != head {
		t.Errorf("the clone's HEAD is %s, want %s", got, head)
	}
	r.legs("git.test", full, full)
	if !r.requested("origin", "POST", "/repo.git/git-upload-pack") {
		t.Error("the story does not tell the POST to git-upload-pack")
	}

	// Without --origin-ca the proxy does not trust this server, and git gets no repository.
	r = explain(t, "run", "--map", "git.test:443="+server.Listener.Addr().String(), "--", "git", "ls-remote", "https://git.test/repo.git")
	if r.code != 128 {
		t.Errorf("exit code %d, want git's 128: %s", r.code, r.stderr)
	}
}

// TestRunSignal sends SIGTERM to the command: its child is asked to end, and nothing is left.
func TestRunSignal(t *testing.T) {
	t.Parallel()
	cmd := explainerCmd(t, "run", "--", "sh", "-c", `trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep .05; done`)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(stdout)
	for _, want := range []string{"ready", "asked"} {
		if !said.Scan() || said.Text() != want {
			t.Errorf("%q, %v, want %q", said.Text(), said.Err(), want)
		}
		cmd.Process.Signal(syscall.SIGTERM)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 5 {
		t.Errorf("%v, want the child's exit code 5", err)
	}
}

// ctrlCScript presses Ctrl-C on the terminal of a command, once it says "ready",
// and then types a line.
const ctrlCScript = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
def until(what):
    global seen
    while what not in seen:
        seen += os.read(terminal, 1000)
until(b"ready")
os.write(terminal, b"\x03")
until(b"asked")
os.write(terminal, b"go on\n")
try:
    until(b"never said")
except OSError:
    pass
_, status = os.waitpid(pid, 0)
print(os.waitstatus_to_exitcode(status), seen.count(b"asked"), b"got go on" in seen)
`

// TestRunCtrlC presses Ctrl-C on a terminal: the child has it, once, and goes on as it likes.
func TestRunCtrlC(t *testing.T) {
	t.Parallel()
	const child = `trap 'echo asked' INT; echo ready; until read x; do :; done; echo got $x; exit 4`
	cmd := explainerCmd(t)
	cmd.Path, cmd.Args = lookPath(t, "python3"), []string{"python3", "-c", ctrlCScript, "explainer", "run", "--", "sh", "-c", child}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "4 1 True" {
		t.Errorf("exit code, times that the child was asked, and whether it went on: %s, %v", out, err)
	}
}

func lookPath(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("this test needs %s: %v", name, err)
	}
	return path
}

// TestRunClientCertificate has the proxy show a certificate to the site that asks for one.
func TestRunClientCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pair := filepath.Join(dir, "pair.pem")
	out, err := exec.Command("sh", "-c", `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=someone -keyout "$0.key" -out "$0" && cat "$0.key" >>"$0"`, pair).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r := explain(t, "run", "--client-cert", "mtls.explainer.test="+pair, "--", "curl", "-sS", "https://mtls.explainer.test/")
	if r.code != 0 || !strings.Contains(r.stdout, "The proxy showed a certificate for CN=someone.") {
		t.Errorf("exit code %d, %s, %s", r.code, r.stdout, r.stderr)
	}
	r.legs("mtls.explainer.test", full, full)
	var ids []string
	for _, e := range r.events {
		for _, p := range e.Proofs {
			if p.State == event.Proven && e.Leg == "origin" {
				ids = append(ids, p.ID)
			}
		}
	}
	if !slices.Contains(ids, "client-certificate-verify") {
		t.Errorf("on the origin's leg these proofs succeed, and not that of the client's certificate: %v", ids)
	}
}

// TestRunRefused takes clients into textbook mode that cannot follow.
func TestRunRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"suites":  {[]string{"--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"}, "TLS_RSA_WITH_AES_128_GCM_SHA256"},
		"version": {[]string{"--tlsv1.3"}, "does not offer TLS 1.2"},
	} {
		r := explain(t, append([]string{"run", "--textbook", "--", "curl", "-sS", "https://tls13.explainer.test/"}, tt.args...)...)
		if r.code != 35 { // CURLE_SSL_CONNECT_ERROR
			t.Errorf("%s: exit code %d, want curl's 35: %s", name, r.code, r.stderr)
		}
		if !r.has("browser", func(e event.Event) bool {
			return e.Topic == "handshake-stopped" && strings.Contains(e.Says[0].Text, tt.want)
		}) {
			t.Errorf("%s: the story does not say %q", name, tt.want)
		}
		for _, s := range r.sessions("tls13.explainer.test") {
			if v := s.Legs[0].Rows[0].Verdict; v != event.Failed {
				t.Errorf("%s: step 1 %s, want failed", name, v)
			}
		}
	}
}

// browserSlots lets two browsers run at once.
var browserSlots = make(chan struct{}, 2)

// browse runs a headless browser to its end.
func browse(t *testing.T, args ...string) *told {
	t.Helper()
	browserSlots <- struct{}{}
	defer func() { <-browserSlots }()
	r := explain(t, append([]string{"browse", "--headless"}, args...)...)
	if r.code != 0 {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	r.checkNoise()
	return r
}

// browseUntil runs a headless browser, reads the story as it is told, and ends
// both with a signal when an event is the last that was waited for.
func browseUntil(t *testing.T, last func(*event.Event) bool, args ...string) *told {
	t.Helper()
	browserSlots <- struct{}{}
	defer func() { <-browserSlots }()
	cmd := explainerCmd(t, append([]string{"browse", "--headless", "--format", "json", "--show-secrets"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// A browser that never gets there would have the test wait for ever.
	giveUp := time.AfterFunc(time.Minute, func() { cmd.Process.Signal(syscall.SIGTERM) })
	defer giveUp.Stop()
	r := &told{t: t}
	seen := false
	for in := bufio.NewReader(stdout); ; {
		line, err := in.ReadBytes('\n')
		if err != nil {
			break
		}
		r.stdout += string(line)
		if e := r.add(line); !seen && last(e) {
			seen = true
			cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, &stderr)
	}
	if !seen {
		t.Errorf("the event that was waited for has not come; %s", &stderr)
	}
	r.check()
	r.checkNoise()
	return r
}

// checkNoise checks that what a browser did by itself is marked as its own chatter.
func (r *told) checkNoise() {
	r.t.Helper()
	for _, e := range r.events {
		own := strings.HasSuffix(e.Host, ".test")
		if e.Kind == event.KindSummary && e.Host != "" && e.Noise == own {
			r.t.Errorf("session %d with %s: noise is %v", e.Session, e.Host, e.Noise)
		}
	}
}

// received makes a condition for browseUntil: the browser has received a body that contains text.
func received(text string) func(*event.Event) bool {
	return func(e *event.Event) bool {
		return e.Leg == "browser" && e.Topic == event.TopicResponseBody && strings.Contains(e.HTTP.Begins, text)
	}
}

// TestBrowseChromium opens pages in Chromium and reads what it made of them.
func TestBrowseChromium(t *testing.T) {
	for _, tt := range []struct {
		name            string
		options         []string
		url             string
		host            string
		browser, origin string
		dom             []string
	}{
		{"tls13", nil, "https://tls13.explainer.test/", "tls13.explainer.test", mlkem, mlkem, []string{"<h1>TLS 1.3</h1>", "HTTP/2.0", `<h2>Session `, `<li class="tile v-differently" data-step="4b"`, `</svg>`}},
		{"tls12", nil, "https://tls12.explainer.test/", "tls12.explainer.test", ecdhe, ecdhe, []string{"<h1>TLS 1.2 with ECDHE</h1>", "HTTP/2.0"}},
		{"textbook", []string{"--textbook"}, "https://rsa.explainer.test/", "rsa.explainer.test", rsa, rsa, []string{"<h1>TLS 1.2 with RSA key transport</h1>", "TLS_RSA_WITH_AES", `<li class="tile v-as-told" data-step="4c"`, `as told <span class="proof p-proven">proven</span>`}},
		{"home", nil, "", "explainer.test", mlkem, mlkem, []string{`<h2>Session `, `<li class="tile v-differently" data-step="4b"`, "ca.pem"}},
		{"set-up", nil, "http://explainer.test/", "explainer.test", "", "", []string{`<p class="said yes" id="trust">This browser trusts the proxy`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"--browser", "chromium"}, tt.options...)
			if tt.url != "" {
				args = append(args, tt.url)
			}
			r := browse(t, append(args, "--", "--dump-dom", "--virtual-time-budget=10000")...)
			for _, want := range tt.dom {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("no %q in the page\n%s", want, r.stderr)
				}
			}
			if tt.browser != "" {
				r.legs(tt.host, tt.browser, tt.origin)
			} else if n := len(r.sessions(tt.host)); n < 2 {
				t.Errorf("%d sessions, want the page in clear and its test over https", n)
			}
			for _, leg := range []string{"browser", "origin"} {
				if !r.has(leg, func(e event.Event) bool { return e.Topic == event.TopicResponse && e.HTTP.Status == 200 }) {
					t.Errorf("the story of the %s leg tells of no response", leg)
				}
			}
		})
	}
}

// TestBrowserWithoutTrust shows the set-up page to a Chromium that does not know the CA.
func TestBrowserWithoutTrust(t *testing.T) {
	t.Parallel()
	browserSlots <- struct{}{}
	defer func() { <-browserSlots }()
	home := t.TempDir()
	r := explain(t, "run", "--", "env", "HOME="+home, lookPath(t, "chromium"), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-features=HttpsUpgrades",
		"--user-data-dir="+filepath.Join(home, "profile"), "--proxy-server={proxy}", "--virtual-time-budget=10000", "--dump-dom", "http://explainer.test/")
	if r.code != 0 || !strings.Contains(r.stdout, `<p class="said no" id="trust">This browser does not trust`) {
		t.Errorf("exit code %d, %s", r.code, r.stdout)
	}
	failed := false
	for _, s := range r.sessions("explainer.test") {
		for _, row := range s.Legs[0].Rows {
			failed = failed || row.Step == event.Step4a && row.Verdict == event.Failed
		}
	}
	if !failed {
		t.Error("no session failed at step 4a")
	}
}

// tried is what the page /try posts, and gets back, when everything on it has worked.
const tried = "websocket: sent hello, received hello; events: received event 3 of 3"

// TestBrowseChromiumTry has the page's own script try a WebSocket and server-sent events.
func TestBrowseChromiumTry(t *testing.T) {
	t.Parallel()
	r := browseUntil(t, received(tried), "--browser", "chromium", "https://tls13.explainer.test/try")
	r.legs("tls13.explainer.test", mlkem, mlkem)
	for _, leg := range []string{"browser", "origin"} {
		if !r.has(leg, func(e event.Event) bool { return e.Topic == "websocket-text" && e.Size.Bytes == 5 }) {
			t.Errorf("the story of the %s leg tells of no WebSocket message", leg)
		}
	}
}

// TestBrowseFirefox opens pages in Firefox. It prints no page, but the pages tell the site what came of them.
func TestBrowseFirefox(t *testing.T) {
	for _, tt := range []struct {
		name            string
		options         []string
		last            string // what the browser receives last
		host            string
		browser, origin string
	}{
		{"textbook", []string{"--textbook", "https://rsa.explainer.test/"}, "<title>TLS 1.2 with RSA", "rsa.explainer.test", rsa, rsa},
		{"set-up", []string{"http://explainer.test/"}, "trusted", "explainer.test", "", ""},
		{"try", []string{"https://tls12.explainer.test/try"}, tried, "tls12.explainer.test", ecdhe, ecdhe},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := browseUntil(t, received(tt.last), append([]string{"--browser", "firefox"}, tt.options...)...)
			if tt.browser != "" {
				r.legs(tt.host, tt.browser, tt.origin)
			} else if n := len(r.sessions(tt.host)); n < 2 {
				t.Errorf("%d sessions, want the page in clear and its test over https", n)
			}
		})
	}
	t.Run("screenshot", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "page.png")
		r := browse(t, "--browser", "firefox", "https://tls13.explainer.test/", "--", "--screenshot", file)
		r.legs("tls13.explainer.test", mlkem, mlkem)
		if b, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(b, []byte("\x89PNG")) {
			t.Errorf("no picture of the page: %v", err)
		}
	})
}
