//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestReadEndedBySignal: a signal ends read at once, whatever it waits for, and JSON
// then ends with a whole line.
func TestReadEndedBySignal(t *testing.T) {
	long := filepath.Join(t.TempDir(), "long.pcap")
	if err := os.WriteFile(long, scan(5000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run("fifo "+signal.String(), func(t *testing.T) {
			t.Parallel()
			fifo := filepath.Join(t.TempDir(), "fifo")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := explainerCmd(t, "read", fifo)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w, err := os.OpenFile(fifo, os.O_WRONLY, 0) // which waits for the reader
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			cmd.Process.Signal(signal)
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 128+int(signal) {
				t.Errorf("exit code %d", code)
			}
		})
		t.Run("long "+signal.String(), func(t *testing.T) {
			t.Parallel()
			cmd := explainerCmd(t, "read", "--format", "json", long)
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(stdout)
			if _, err := r.ReadBytes('\n'); err != nil {
				t.Fatal(err)
			}
			cmd.Process.Signal(signal) // while it waits for room in the pipe
			rest, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 128+int(signal) {
				t.Errorf("exit code %d", code)
			}
			lines := bytes.Split(rest, []byte("\n"))
			if n := len(lines) - 1; len(lines[n]) > 0 || !json.Valid(lines[n-1]) || bytes.Contains(lines[n-1], []byte(`"kind":"overview"`)) {
				t.Errorf("the story ends with %.200q, %.200q", lines[n-1], lines[n])
			}
		})
	}
}

// scan is a capture in which n ports are asked for, each from another address.
func scan(n int) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0)
	b = binary.LittleEndian.AppendUint32(b, 101) // IP
	for i := range n {
		for _, v := range []uint32{1_800_000_000, uint32(i), 40, 40} {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		b = append(b, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 1, byte(i>>8), byte(i), 10, 0, 0, 1)
		b = append(b, 0x80, 0, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0)
	}
	return b
}
