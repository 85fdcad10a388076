package pcap

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"explainer/capture"
)

// captures finds the collection of captures that stands beside the project on
// some machines, by walking up from here.
func captures(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		path := filepath.Join(dir, "shared", "captures")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Log("there is no collection of captures beside the project")
	return ""
}

// Every capture of the collection can be read: one is cut off, the others are whole.
func TestCollection(t *testing.T) {
	dir := captures(t)
	if dir == "" {
		return
	}
	files, cuts := 0, 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		switch filepath.Ext(path) {
		case ".pcap", ".pcapng", ".cap", ".gz":
		default:
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		r, err := NewReader(f)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		files++
		conns := 0
		for {
			in, err := r.next()
			var cut *CutError
			if errors.As(err, &cut) {
				cuts++
				break
			} else if err == io.EOF {
				break
			} else if err != nil {
				t.Errorf("%s: %v", path, err)
				break
			}
			if _, ok := in.(*capture.Open); ok {
				conns++
			}
		}
		if n := r.Stats().Connections; n != conns {
			t.Errorf("%s: %d connections, but %d were told", path, n, conns)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 500 || cuts != 1 {
		t.Errorf("%d captures, %d of them cut off", files, cuts)
	}
}

// Wireshark counts as many frames and connections.
func TestCollectionAsWireshark(t *testing.T) {
	dir := captures(t)
	if dir == "" {
		return
	}
	for _, name := range []string{
		"arkime/ssl-selfsign.pcap",
		"suricata-verify/linktype-228__flow-test-01.pcap",
		"nDPI/vxlan.pcap",
		"mercury/unit_tests__pcaps__sll_tls.pcap",
		"wireshark-4.0.17/challenge01_ooo_stream.pcapng.gz",
		"wireshark-4.4.18/http-ooo-fuzzed.pcapng",
	} {
		path := filepath.Join(dir, name)
		lines, ok := tshark(t, "tshark", "-n", "-r", path, "-T", "fields", "-E", "occurrence=f", "-e", "tcp.stream")
		if !ok {
			return
		}
		streams := 0
		for _, line := range lines {
			if n, err := strconv.Atoi(line); err == nil {
				streams = max(streams, n+1)
			}
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(f)
		for err == nil {
			_, err = r.next()
		}
		f.Close()
		if s := r.Stats(); err != io.EOF || s.Packets != len(lines) || s.Connections != streams {
			t.Errorf("%s: %d frames, %d connections, %v; tshark: %d, %d", name, s.Packets, s.Connections, err, len(lines), streams)
		}
	}
}
