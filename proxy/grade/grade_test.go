package grade_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"explainer/annotate/event"
	"explainer/annotate/score"
	"explainer/ca"
	"explainer/proxy/grade"
)

// newLab opens a lab, and writes its CA into a file for other programs.
func newLab(t *testing.T) (lab *grade.Lab, file string) {
	t.Helper()
	authority, err := ca.NewEphemeral("grade test lab")
	if err != nil {
		t.Fatal(err)
	}
	if lab, err = grade.NewLab(authority); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	file = filepath.Join(t.TempDir(), "lab.pem")
	if err := os.WriteFile(file, authority.PEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	return lab, file
}

// run grades the proxy at addr.
func run(t *testing.T, lab *grade.Lab, addr string, own *x509.Certificate) *score.Report {
	t.Helper()
	evidence, err := lab.Run(context.Background(), &grade.Proxy{Addr: addr, CA: []*x509.Certificate{own}}, nil, false, func(int, int, string) {})
	if err != nil {
		t.Fatal(err)
	}
	r := grade.Judge(event.Plain(addr), evidence)
	for _, l := range r.Lines {
		t.Logf("%-10s %-3s %s", l.Outcome, l.ID, l.Reason())
	}
	t.Logf("grade %s: %s", r.Grade, r.Why.English)
	return r
}

// want compares outcomes, "V1 pass" each.
func want(t *testing.T, r *score.Report, lines ...string) {
	t.Helper()
	got := map[string]score.Line{}
	for _, l := range r.Lines {
		got[l.ID] = l
	}
	for _, w := range lines {
		id, outcome, _ := strings.Cut(w, " ")
		if l := got[id]; string(l.Outcome) != outcome {
			t.Errorf("%s: %s, want %s: %s", id, l.Outcome, outcome, l.Reason())
		}
	}
}

// startMitmproxy starts Debian's mitmproxy with a CA of its own; args come behind its own.
func startMitmproxy(t *testing.T, args ...string) (addr string, own *x509.Certificate) {
	t.Helper()
	// It has no way to tell which port it was given: find a free one for it.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	dir := t.TempDir()
	cmd := exec.Command("mitmdump", append([]string{"--set", "confdir=" + dir, "--listen-host", "127.0.0.1", "--listen-port", port}, args...)...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-exited })
	for deadline := time.Now().Add(time.Minute); ; {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			break
		}
		select {
		case <-exited:
			t.Fatalf("mitmdump ended: %s", &log)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("mitmdump does not listen: %s", &log)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "mitmproxy-ca-cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if own, err = x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	return addr, own
}

// What Debian's mitmproxy 8.1.1 gets, where a newer one is not expected to differ.
func TestMitmproxy(t *testing.T) {
	lab, file := newLab(t)
	addr, own := startMitmproxy(t, "--set", "ssl_verify_upstream_trusted_ca="+file)
	r := run(t, lab, addr, own)
	want(t, r, "V1 pass", "V2 pass", "V3 pass", "V4 pass", "V5 pass", "V6 pass", "V7 pass", "V8 pass", "V9 fail", "V10 pass", "V11 pass", "V12 pass", "V14 not-tested", "V15 fail", "V16 pass",
		"V18 fail", "V19 pass", "V20 fail", "V21 fail", "P1 pass", "P2 pass", "P3 fail", "P4 pass", "P6 pass", "P8 pass", "M1 fail", "M4 pass", "M6 pass", "M8 fail",
		"K1 not-tested", "K2 fail", "K4 fail", "K7 not-tested")
	if r.Grade != score.B || !strings.Contains(r.Why.English, "K2") {
		t.Errorf("grade %s: %s", r.Grade, r.Why.English)
	}
}

// A refusal says nothing of the fault if the proxy refuses the good certificate too.
func TestProxyThatDoesNotTrustTheLab(t *testing.T) {
	lab, _ := newLab(t)
	addr, own := startMitmproxy(t)
	r := run(t, lab, addr, own)
	want(t, r, "V1 pass", "V2 pass", "V3 not-tested", "V4 not-tested", "V5 not-tested", "V8 not-tested", "V16 not-tested", "V18 not-tested", "V19 not-tested", "V20 not-tested", "V21 not-tested", "P1 not-tested", "M1 not-tested", "M6 not-tested")
	if len(r.Untested) == 0 {
		t.Error("all that decides counts as tested")
	}
}

// A proxy that verifies nothing must not get away with a trusted control.
func TestProxyThatVerifiesNothing(t *testing.T) {
	lab, _ := newLab(t)
	addr, own := startMitmproxy(t, "--ssl-insecure")
	r := run(t, lab, addr, own)
	want(t, r, "V1 fail", "V2 fail", "V3 fail", "V4 fail", "V5 fail", "V7 fail", "V8 fail", "V9 fail", "V12 fail", "V15 fail", "V16 fail", "V18 fail", "V19 fail", "V20 fail", "V21 fail")
	for _, l := range r.Lines {
		if l.ID == "V1" && (l.Grade != score.F || !strings.Contains(l.Reason(), "a request reached the bad origin")) {
			t.Errorf("V1: %s: %s", l.Grade, l.Reason())
		}
	}
	if r.Grade != score.F {
		t.Errorf("grade %s: %s", r.Grade, r.Why.English)
	}
}

// A proxy may answer anything: each trial ends, and nothing of it counts as passed.
func TestProxyThatAnswersAnything(t *testing.T) {
	lab, _ := newLab(t)
	answers := []string{
		"", "\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 403 \x1b[2J\x1b]0;title\x07\r\n\r\n", strings.Repeat("A", 1<<20),
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 1<<17), "HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03\xff\xff" + strings.Repeat("\x02", 1<<16),
		"HTTP/1.1 200 OK\r\n\r\n\x15\x03\x03\x00\x02\x02\x28",
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for i := 0; ; i++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			answer := answers[i%len(answers)]
			go func() {
				defer c.Close()
				c.Write([]byte(answer))
			}()
		}
	}()
	authority, err := ca.NewEphemeral("nobody's")
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, lab, l.Addr().String(), authority.Certificate())
	for _, line := range r.Lines {
		if line.Outcome == score.Pass && line.ID != "K4" && line.ID != "K8" {
			t.Errorf("%s passed: %s", line.ID, line.Reason())
		}
		for _, test := range line.Tests {
			if strings.ContainsFunc(test.Reason.English+line.Reason(), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s: %q", line.ID, test.Reason.English)
			}
		}
	}
	if r.Grade != score.None {
		t.Errorf("grade %s", r.Grade)
	}
}
