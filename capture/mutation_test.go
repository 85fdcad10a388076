package capture_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"explainer/capture"
	"explainer/capture/pcap"
)

// Recordings of real programs and captures made elsewhere, damaged in every way,
// are read to some end: without a panic, in a number of steps and an amount of
// memory that their size bounds, and what is told of each side tiles its stream.
func TestMutated(t *testing.T) {
	paths, err := filepath.Glob("testdata/recordings/*.pcapng")
	if err != nil || len(paths) < 50 {
		t.Fatalf("%d recordings, %v", len(paths), err)
	}
	rounds, others := 40, 300
	if testing.Short() {
		rounds, others = 3, 30
	}
	rnd := rand.New(rand.NewPCG(1, 6))
	var files [][]byte
	for _, path := range paths {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	for i := range files {
		for round := range rounds {
			damaged := mutate(rnd, files[i])
			var second []byte
			if round%5 == 0 {
				second = mutate(rnd, files[rnd.IntN(len(files))])
			}
			readMutated(t, fmt.Sprintf("%s, round %d", paths[i], round), damaged, second)
		}
	}
	dir := realCaptures(t)
	if dir == "" {
		return
	}
	var small []string
	filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if info, err := entry.Info(); err == nil && info.Size() < 40<<10 && info.Size() > 500 {
			small = append(small, path)
		}
		return nil
	})
	for i := range min(others, len(small)) {
		path := small[i*len(small)/min(others, len(small))]
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		readMutated(t, path, mutate(rnd, file), nil)
	}
}

// mutate returns a damaged copy of a capture.
func mutate(rnd *rand.Rand, file []byte) []byte {
	file = bytes.Clone(file)
	for range 1 + rnd.IntN(3) {
		n := len(file)
		if n < 64 {
			break
		}
		a := rnd.IntN(n)
		b := a + rnd.IntN(min(n-a, 200))
		switch rnd.IntN(7) {
		case 0, 1: // bit flips
			for range 1 + rnd.IntN(8) {
				file[rnd.IntN(n)] ^= 1 << rnd.IntN(8)
			}
		case 2: // the end cut off
			file = file[:n-rnd.IntN(n/2)]
		case 3: // a part cut out
			file = append(file[:a:a], file[b:]...)
		case 4: // a part twice
			file = append(append(file[:b:b], file[a:b]...), file[b:]...)
		case 5: // a run of one byte
			for i := a; i < b; i++ {
				file[i] = byte(rnd.IntN(3) * 0x7f)
			}
		case 6:
			file = shuffle(rnd, file)
		}
	}
	return file
}

// shuffle moves, repeats and drops blocks of a pcapng or packets of a pcap file
// in little-endian order, but for those of its first bytes.
func shuffle(rnd *rand.Rand, file []byte) []byte {
	classic := binary.LittleEndian.Uint32(file) == 0xa1b2c3d4
	var blocks [][]byte
	off := 0
	if classic {
		blocks, off = append(blocks, file[:24]), 24
	}
	for off+16 <= len(file) {
		n := int(binary.LittleEndian.Uint32(file[off+4:]))
		if classic {
			n = 16 + int(binary.LittleEndian.Uint32(file[off+8:]))
		}
		if n < 12 || n > len(file)-off {
			break
		}
		blocks = append(blocks, file[off:off+n])
		off += n
	}
	for i := 2; i < len(blocks); i++ {
		switch j := min(len(blocks)-1, i+rnd.IntN(8)); rnd.IntN(8) {
		case 0, 1, 2:
			blocks[i], blocks[j] = blocks[j], blocks[i]
		case 3:
			blocks[i] = nil
		case 4:
			blocks[i] = append(bytes.Clone(blocks[i]), blocks[j]...)
		}
	}
	return append(bytes.Join(blocks, nil), file[off:]...)
}

// readMutated reads a capture, or two merged, and checks what is promised of any.
func readMutated(t *testing.T, name string, files ...[]byte) {
	t.Helper()
	size := 0
	var readers []*pcap.Reader
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, file := range files {
		size += len(file)
		if r, err := pcap.NewReader(bytes.NewReader(file)); err == nil {
			readers = append(readers, r)
		}
	}
	if len(readers) == 0 {
		return
	}
	r := pcap.Merge(readers...)
	packed := bytes.HasPrefix(files[0], []byte("\x1f\x8b")) || bytes.HasPrefix(files[0], []byte("\x28\xb5\x2f\xfd"))
	var d capture.Decoder
	ends := map[*capture.Conn]*[2]int64{}
	steps := 0
	look := func(ms []capture.Message) {
		for i := range ms {
			m := &ms[i]
			if m.Conn == nil || m.Inner || m.Conn.Transport != capture.TransportTCP || m.Span.Start == m.Span.End {
				continue
			}
			e := ends[m.Conn]
			if e == nil {
				e = new([2]int64)
				ends[m.Conn] = e
			}
			if m.Span.Start != e[m.Side] || m.Span.End < m.Span.Start {
				t.Fatalf("%s: the span %v of %T comes after %d", name, m.Span, m.Body, e[m.Side])
			}
			e[m.Side] = m.Span.End
		}
		steps += len(ms)
	}
	for in, err := range r.All() {
		if err != nil {
			break
		}
		steps++
		look(d.Feed(in))
		if steps > 4*size+1000 && !packed {
			t.Fatalf("%s: %d steps for %d bytes", name, steps, size)
		}
	}
	look(d.Finish())
	runtime.ReadMemStats(&after)
	// Garbage counts, too: trying keys on records behind gaps leaves much of it.
	if after.HeapAlloc > before.HeapAlloc+128<<20 {
		t.Errorf("%s: the heap grew from %d bytes to %d", name, before.HeapAlloc, after.HeapAlloc)
	}
}
