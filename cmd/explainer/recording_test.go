//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"explainer/capture"
	"explainer/capture/pcap"
)

// TestRotation: a recording in parts is, all together, the live story to the byte;
// each part opens alone, and of a part that is missing nothing is invented.
func TestRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	live := filepath.Join(dir, "live.json")
	var script strings.Builder
	for range 6 {
		script.WriteString("curl -sS https://tls13.explainer.test/ https://tls12.explainer.test/ https://rsa.explainer.test/ http://explainer.test/ >/dev/null & ")
	}
	script.WriteString("wait")
	record := func(flags ...string) {
		t.Helper()
		cmd := inHome(t, append(append([]string{"run", "-w", filepath.Join(dir, "session.pcapng"), "--format", "json", "--story", live}, flags...),
			"--", "sh", "-c", script.String())...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	record("--rotate", "160K")
	parts, err := filepath.Glob(filepath.Join(dir, "session-*.pcapng"))
	if err != nil || len(parts) < 3 {
		t.Fatalf("%v, %v", parts, err)
	}
	want, err := os.ReadFile(live)
	if err != nil {
		t.Fatal(err)
	}
	backwards := append(append([]string{}, parts[1:]...), parts[0])
	for _, files := range [][]string{parts, backwards} {
		got, err := exec.Command("explainer", append([]string{"read", "--format", "json"}, files...)...).Output()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("the parts tell %d bytes, the live story has %d: %v", len(got), len(want), err)
		}
	}
	for i, part := range parts {
		info, err := os.Stat(part)
		if err != nil || info.Mode().Perm() != 0o600 || info.Size() > 160<<10+32<<10 {
			t.Errorf("%s: %v, %d bytes, %v", part, info.Mode(), info.Size(), err)
		}
		if i > 2 {
			continue
		}
		if out, err := exec.Command("tshark", "-r", part, "-q", "-z", "expert,error").CombinedOutput(); err != nil || bytes.Contains(out, []byte("Errors")) {
			t.Errorf("tshark: %s: %v: %s", part, err, out)
		}
		out, err := exec.Command("explainer", "read", "--format", "json", part).Output()
		if err != nil || bytes.Contains(out, []byte(`"refuted"`+`,`)) {
			t.Errorf("%s alone: %v", part, err)
		}
		if told := bytes.Contains(out, []byte(`"fact-left-out-parts"`)); told != (i > 0) {
			t.Errorf("%s alone: told what it lacks: %v", part, told)
		}
	}
	out, err := exec.Command("explainer", "read", "--format", "json", parts[0], parts[2]).Output()
	if err != nil || !bytes.Contains(out, []byte(`"detail":"2"`)) || bytes.Contains(out, []byte(`"id":"missing",`)) {
		t.Errorf("without the second: %v", err)
	}

	// Copies of parts are parts.
	var copies []string
	for _, part := range parts[:2] {
		to := part + ".copy"
		if out, err := exec.Command("explainer", "read", "-w", to, "--redact", part).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		copies = append(copies, to)
	}
	out, err = exec.Command("explainer", append([]string{"read", "--format", "json"}, copies...)...).Output()
	if err != nil || bytes.Contains(out, []byte("left out")) || !bytes.Contains(out, []byte(`"files":1`)) {
		t.Errorf("copies: %v", err)
	}

	// The next run goes on behind these, and keeps two.
	before := len(parts)
	record("--rotate", "160K", "--keep", "2")
	parts, _ = filepath.Glob(filepath.Join(dir, "session-*.pcapng"))
	if len(parts) != 2 || parts[0] <= filepath.Join(dir, fmt.Sprintf("session-%05d.pcapng", before)) {
		t.Errorf("kept: %v; there were %d", parts, before)
	}
}

// TestKilled: of what was written before a SIGKILL all but the last block is
// read, and where nothing was to be kept nothing stays, even if the story waited in files.
func TestKilled(t *testing.T) {
	t.Parallel()
	t.Run("with a recording", func(t *testing.T) {
		t.Parallel()
		s := besiege(t, "--map", "flood.test="+flood(t))
		c := s.tunnel("flood.test:23")
		io.WriteString(c, "?")
		if _, err := io.CopyN(io.Discard, c, 48<<20); err != nil {
			t.Fatal(err)
		}
		s.cmd.Process.Kill()
		s.cmd.Wait()
		f, err := os.Open(s.recording)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		r, err := pcap.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		data := 0
		for in, err := range r.All() {
			if err != nil && !errors.As(err, new(*pcap.CutError)) {
				t.Fatal(err)
			}
			if c, ok := in.(*capture.Chunk); ok {
				data += len(c.Data)
			}
		}
		if lost := info.Size() - r.Stats().Bytes; lost > 256<<10 || data < 16<<20 {
			t.Errorf("%d of %d bytes are not read; %d bytes of data are", lost, info.Size(), data)
		}
	})
	t.Run("without", func(t *testing.T) {
		t.Parallel()
		temp := t.TempDir()
		cmd := inHome(t, "proxy", "-p", "0", "--messages", "--map", "flood.test="+flood(t))
		cmd.Env = append(cmd.Env, "TMPDIR="+temp)
		r, w, err := os.Pipe() // which nobody reads, so that the story waits
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		cmd.Stdout = w
		s := startSiege(t, cmd)
		w.Close()
		for range 200 { // stories enough to fill the pipe
			s.exchange("GET http://explainer.test/ HTTP/1.0\r\nHost: explainer.test\r\n\r\n")
		}
		c := s.tunnel("flood.test:23")
		io.WriteString(c, "?")
		spooled := func() bool {
			fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.cmd.Process.Pid))
			for _, fd := range fds {
				if to, _ := os.Readlink(fd); strings.HasPrefix(to, temp) {
					return true
				}
			}
			return false
		}
		for passed := 0; !spooled(); passed += 1 << 20 {
			if _, err := io.CopyN(io.Discard, c, 1<<20); err != nil || passed > 1<<30 {
				t.Fatalf("after %d bytes nothing is in the spool: %v", passed, err)
			}
		}
		s.cmd.Process.Signal(syscall.SIGKILL)
		s.cmd.Wait()
		if names, err := os.ReadDir(temp); len(names) > 0 || err != nil {
			t.Errorf("left behind: %v, %v", names, err)
		}
	})
}
