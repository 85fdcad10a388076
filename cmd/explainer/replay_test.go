package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"explainer/annotate/event"

	"github.com/mattn/go-runewidth"
)

// TestReplayOfManyConnections holds live == replay, byte for byte, for dozens of
// concurrent connections among which are failed dials, names that do not exist,
// pass-through and clients that refuse our certificate.
func TestReplayOfManyConnections(t *testing.T) {
	dir := t.TempDir()
	recording, live := filepath.Join(dir, "session.pcapng"), filepath.Join(dir, "live.json")
	var urls []string
	for range 12 {
		urls = append(urls,
			"https://tls13.explainer.test/", "https://tls12.explainer.test/", "https://rsa.explainer.test/",
			"https://127.0.0.1:1/", "https://no-such-site.explainer.test/", "http://explainer.test/")
	}
	script := "curl -sS -Z --parallel-immediate --parallel-max 60 -o /dev/null " + strings.Join(urls, " ") +
		"; env -u CURL_CA_BUNDLE -u SSL_CERT_FILE -u SSL_CERT_DIR curl -sS -o /dev/null https://tls13.explainer.test/; true"
	if code := run(context.Background(), []string{"explainer", "run", "--home", filepath.Join(dir, "home"),
		"--passthrough", "tls12.explainer.test", "--format", "json", "--story", live, "-w", recording, "--", "sh", "-c", script}); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	replayed := filepath.Join(dir, "replayed.json")
	replay(t, recording, replayed)
	a, err := os.ReadFile(live)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(replayed)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		was, is := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
		i := 0
		for i < len(was)-1 && i < len(is)-1 && was[i] == is[i] {
			i++
		}
		t.Errorf("the live story (%d bytes) and that of the recording (%d bytes) differ, first in line %d:\n%s\n%s", len(a), len(b), i+1, was[i], is[i])
	}

	// Every connection began, ended, and has its eleven steps told once; but for a client
	// that went away before it said anything (curl gives all up at some errors).
	begun, closed, spoke, told := map[int]bool{}, map[int]bool{}, map[int]bool{}, map[int]int{}
	for _, e := range readStory(t, live) {
		for _, p := range e.Proofs {
			if p.State == event.Refuted {
				t.Errorf("event %d, %s: refuted: %s: %s", e.N, e.Name, p.ID, p.Reason)
			}
		}
		switch e.Kind {
		case event.KindConnection:
			begun[e.Conn] = true
		case event.KindClosed:
			closed[e.Conn] = true
		case event.KindMessage:
			// What follows the answer to CONNECT.
			spoke[e.Conn] = e.Name != "protocol switched"
		case event.KindSummary:
			for _, l := range e.Summary.Legs {
				told[l.Conn]++
				if len(l.Rows) != len(event.Steps) {
					t.Errorf("connection %d: %d steps told", l.Conn, len(l.Rows))
				}
			}
		}
	}
	if len(begun) < 72 {
		t.Errorf("%d connections began, want at least the 72 of the browser's legs", len(begun))
	}
	for n := range begun {
		if !closed[n] {
			t.Errorf("connection %d: its end is not told", n)
		}
		if told[n] != 1 && (spoke[n] || told[n] != 0) {
			t.Errorf("connection %d: its steps are told %d times", n, told[n])
		}
	}
}

// TestReplayOfAThousand holds live == replay of the short story, with the same language and width, for a thousand
// connections, a tenth of them with TLS, up to a hundred at once.
func TestReplayOfAThousand(t *testing.T) {
	dir := t.TempDir()
	recording, live := filepath.Join(dir, "session.pcapng"), filepath.Join(dir, "live.txt")
	explainer := func(args ...string) string {
		cmd := explainerCmd(t, args...)
		cmd.Env = append(cmd.Env, "COLUMNS=72")
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %s", err, &errs)
		}
		return out.String()
	}
	explainer("run", "--lang", "zh", "--story", live, "-w", recording, "--", "curl", "-sS", "--http1.1", "-H", "Connection: close", "-Z", "--parallel-immediate", "--parallel-max", "100",
		"-o", filepath.Join(dir, "got"), "https://tls13.explainer.test/trusted?[1-100]", "http://explainer.test/trusted?[1-900]")
	told, err := os.ReadFile(live)
	if err != nil {
		t.Fatal(err)
	}
	if read := explainer("read", "--lang", "zh", recording); read != string(told) {
		was, is := strings.Split(string(told), "\n"), strings.Split(read, "\n")
		i := 0
		for i < len(was)-1 && i < len(is)-1 && was[i] == is[i] {
			i++
		}
		t.Errorf("the live story and that of the recording differ, first in line %d:\n%s\n%s", i+1, was[i], is[i])
	}
	if !strings.Contains(string(told), "1000 个连接") {
		t.Errorf("not all connections are told: %.2000s", told)
	}
	for line := range strings.Lines(string(told)) {
		if n := runewidth.StringWidth(strings.TrimSuffix(line, "\n")); n > 72 {
			t.Errorf("a line of %d columns, where 72 are asked for: %s", n, line)
		}
	}
}

// replay writes the JSON story of a recording to a file.
func replay(t *testing.T, recording, to string) {
	t.Helper()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	stdout := os.Stdout
	os.Stdout = out
	defer func() { os.Stdout = stdout }()
	if code := run(context.Background(), []string{"explainer", "read", "--format", "json", recording}); code != 0 {
		t.Fatalf("read %s: exit code %d", recording, code)
	}
}
