package story

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"explainer/annotate"
)

// TestOpenFile: a file that is another's stays open, and can be read again.
func TestOpenFile(t *testing.T) {
	f, err := os.Open(filepath.Join(recordings, "tls13-aes128-gcm.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 {
		src, err := OpenFile("recording", f)
		if err != nil || !src.Regular() {
			t.Fatal(err)
		}
		if _, err := TakeSpecimen(src.Recording(nil), 1, 0, SpecimenOptions{}); err != nil {
			t.Fatal(err)
		}
		src.Close()
	}
}

// TestReach: a byte of a message is found where it crossed the network and inside what is encrypted:
// what is changed there is that byte of that message.
func TestReach(t *testing.T) {
	for _, of := range []struct {
		file   string
		sealed bool // some of its messages are
	}{{"tls13-aes128-gcm", true}, {"tls12-rsa-aes128-gcm", true}, {"tls12-ecdhe-chacha20", true}, {"tls10-rsa", false}} {
		path := filepath.Join(recordings, of.file+".pcapng")
		src, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := TakeSpecimen(src.Recording(nil), 0, 0, SpecimenOptions{Explainer: func() *annotate.Explainer { return &annotate.Explainer{Bytes: true} }})
		src.Close()
		if err != nil {
			t.Fatal(of.file, err)
		}
		wire, inside := 0, 0
		for _, e := range s.Events() {
			if e.Raw == "" {
				continue
			}
			raw, _ := hex.DecodeString(e.Raw)
			if s.Message(e.From, e.Bytes.Start) == nil {
				t.Errorf("%s: %s is not found by its place", of.file, e.Name)
			}
			for _, i := range []int{0, 1, len(raw) / 2, len(raw) - 1, len(raw)} {
				r := s.Reach(&e, i)
				if i == len(raw) {
					if r.Wire != nil {
						t.Errorf("%s: a byte behind %s", of.file, e.Name)
					}
					continue
				}
				if r.Wire == nil {
					t.Errorf("%s: byte %d of %s is not on the wire", of.file, i, e.Name)
					continue
				}
				wire++
				f := *r.Wire
				f.To = r.Was ^ 1
				if p := broke(t, s, f).Place; p.Topic != e.Topic || p.From != e.From || p.Was != fmt.Sprintf("%02x", r.Was) {
					t.Errorf("%s: byte %d of %s: %+v", of.file, i, e.Name, p)
				}
				if r.Inside == nil {
					continue
				}
				inside++
				f = *r.Inside
				f.To = raw[i] ^ 1
				if p := broke(t, s, f).Place; p.Topic != e.Topic || p.From != e.From || p.Was != fmt.Sprintf("%02x", raw[i]) {
					t.Errorf("%s: byte %d inside %s: %+v", of.file, i, e.Name, p)
				}
			}
		}
		if wire == 0 || of.sealed != (inside > 0) {
			t.Errorf("%s: %d on the wire, %d inside", of.file, wire, inside)
		}
	}
}
