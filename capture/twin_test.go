package capture_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"explainer/capture"
	"explainer/capture/pcap"
)

// twinsOf are the twins of all directions. They are given in order, and are whole
// but for what is missing.
func twinsOf(t *testing.T, what string, in []capture.Input) map[direction][]byte {
	t.Helper()
	out, at := map[direction][]byte{}, map[direction]int64{}
	missing := map[direction]int64{}
	d := &capture.Decoder{SecretsFirst: true, Twin: func(conn int, side capture.Side, off int64, twin []byte) {
		k := direction{conn, side}
		if off < at[k] {
			t.Fatalf("%s: the twin of %v goes on at %d, not %d", what, k, off, at[k])
		}
		missing[k] += off - at[k]
		at[k] = off + int64(len(twin))
		out[k] = append(out[k], twin...)
	}}
	sent, gaps := map[direction]int64{}, map[direction]int64{}
	over := map[direction]bool{}
	for _, i := range in {
		switch i := i.(type) {
		case *capture.Chunk:
			if k := (direction{i.Conn, i.Side}); !over[k] {
				sent[k] += int64(len(i.Data))
			}
		case *capture.Gap:
			if k := (direction{i.Conn, i.Side}); !over[k] {
				gaps[k] += i.Len
			}
		case *capture.Close:
			over[direction{i.Conn, i.Side}] = true
			if i.Reset {
				over[direction{i.Conn, i.Side.Other()}] = true
			}
		}
	}
	decode(t, d, in)
	for k, n := range sent {
		if int64(len(out[k])) != n || missing[k] > gaps[k] {
			t.Errorf("%s: the twin of %v has %d bytes of %d, and lacks %d of %d missing", what, k, len(out[k]), n, missing[k], gaps[k])
		}
	}
	return out
}

// The twin of a stream is whole, however the stream comes, and the same.
func TestTwinInPieces(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "recordings", "*.pcapng"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, path := range files {
		secrets, in := inputsOf(t, path, "")
		want := twinsOf(t, path, append(secrets, in...))
		for _, size := range []int{1, 7, 1000} {
			secrets, in := inputsOf(t, path, "")
			for k, got := range twinsOf(t, path, append(secrets, rechunk(in, size)...)) {
				if !bytes.Equal(got, want[k]) {
					t.Errorf("%s: in pieces of %d the twin of %v differs", path, size, k)
				}
			}
		}
	}
}

// So it is of captures that are damaged in every way.
func TestTwinOfMutated(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "recordings", "*.pcapng"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, path := range files {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 8 {
			damaged := mutate(rnd, file)
			r, err := pcap.NewReader(bytes.NewReader(damaged))
			if err != nil {
				continue
			}
			var in []capture.Input
			for i, err := range r.All() {
				if err != nil {
					break
				}
				if c, ok := i.(*capture.Chunk); ok {
					own := *c
					own.Data = bytes.Clone(c.Data)
					i = &own
				}
				in = append(in, i)
			}
			twinsOf(t, path, in)
		}
	}
}
