package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/ca"
)

// nodeLibraries installs what testdata/node names, unless that was done, and returns the folder.
func nodeLibraries(t *testing.T) string {
	t.Helper()
	if out, err := exec.Command("make", "-s", "-C", "../..", "node-libraries").CombinedOutput(); err != nil {
		t.Fatalf("this test needs the libraries of testdata/node: %v: %s", err, out)
	}
	return "testdata/node"
}

// certifiedFor writes a certificate for the names with its key to one file, and
// the authority that signed it to another.
func certifiedFor(t *testing.T, names ...string) (leaf, authority string) {
	t.Helper()
	a, err := ca.NewEphemeral("origin test")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := a.Leaf(context.Background(), ca.Spec{Names: names})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for _, der := range cert.Certificate {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	b = append(b, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	dir := t.TempDir()
	leaf, authority = filepath.Join(dir, "leaf.pem"), filepath.Join(dir, "roots.pem")
	for name, data := range map[string][]byte{leaf: b, authority: a.PEM()} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return leaf, authority
}

// nodeOrigin starts the server of testdata/node and returns the options that lead
// origin.test and grpc.test there.
func nodeOrigin(t *testing.T, dir, leaf string) []string {
	t.Helper()
	origin := exec.Command("node", filepath.Join(dir, "origin.js"), leaf)
	origin.Stderr = os.Stderr
	in, err := origin.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := origin.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := origin.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); origin.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	ports := strings.Fields(line)
	if err != nil || len(ports) != 4 {
		t.Fatalf("the server says %q: %v", line, err)
	}
	var options []string
	for i, from := range []string{"origin.test:443", "origin.test:80", "grpc.test:443", "grpc.test:80"} {
		options = append(options, "--map", from+"=127.0.0.1:"+ports[i])
	}
	return options
}

// TestRunNode has the libraries of Node.js fetch a page, also those that ask a
// proxy for their tunnel by themselves.
func TestRunNode(t *testing.T) {
	t.Parallel()
	dir := nodeLibraries(t)
	leaf, roots := certifiedFor(t, "origin.test", "grpc.test")
	options := append(nodeOrigin(t, dir, leaf), "--origin-ca", roots, "--passthrough", "nothing.test", "--", "node", filepath.Join(dir, "programs.js"), "{proxy}")
	r := explain(t, append([]string{"run"}, options...)...)
	if r.code != 0 {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	var requests []string
	for _, e := range r.events {
		if e.Leg == "browser" && e.Topic == event.TopicRequest {
			requests = append(requests, e.HTTP.Method+" "+e.HTTP.Target)
		}
	}
	programs := 0
	for line := range strings.Lines(r.stdout) {
		name, said, _ := strings.Cut(strings.TrimSpace(line), " ")
		programs++
		if strings.HasPrefix(name, "refused-") {
			if !strings.HasPrefix(said, "failed: ") {
				t.Errorf("%s: %s", name, said)
			}
			continue
		}
		path := "/" + strings.Replace(name, "grpc-clear", "grpc", 1)
		if said != "served "+path {
			t.Errorf("%s: %s", name, said)
		}
		// An address in absolute form is one in clear that the program itself sent to the proxy.
		if !slices.ContainsFunc(requests, func(brief string) bool {
			_, target, _ := strings.Cut(brief, " ")
			target, _, _ = strings.Cut(strings.TrimPrefix(target, "http://origin.test"), " ")
			return target == path
		}) {
			t.Errorf("%s did not come through the proxy, or was not opened", name)
		}
	}
	if programs < 30 {
		t.Errorf("%d programs ran: %s", programs, r.stdout)
	}
}
