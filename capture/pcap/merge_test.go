package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"explainer/capture"
)

// merged returns the inputs of several captures, and the Reader.
func merged(t testing.TB, files ...[]byte) ([]capture.Input, *Reader, error) {
	t.Helper()
	var readers []*Reader
	for _, file := range files {
		r, err := NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		readers = append(readers, r)
	}
	m := Merge(readers...)
	var all []capture.Input
	for {
		in, err := m.next()
		if err != nil {
			return all, m, err
		}
		if !atEnd(in) {
			all = append(all, copied(in))
		}
	}
}

// deal gives each packet of a classic file to one of n files.
func deal(file []byte, n int, to func(packet int) int) [][]byte {
	files := make([][]byte, n)
	for i := range files {
		files[i] = bytes.Clone(file[:24])
	}
	for off, packet := 24, 1; off < len(file); packet++ {
		size := 16 + int(binary.LittleEndian.Uint32(file[off+8:]))
		i := to(packet)
		files[i] = append(files[i], file[off:off+size]...)
		off += size
	}
	return files
}

// However the packets of a capture are dealt to files, reading all of them is
// reading it: connections that are split over files too.
func TestMerge(t *testing.T) {
	p := newScript(linkRaw, client, server)
	for i := range 30 {
		p.from = netip.AddrPortFrom(client.Addr(), uint16(40000+i%3))
		p.isn = [2]uint32{uint32(i) << 20, uint32(i) << 24}
		if i%3 == i/3%3 {
			p.handshake()
		}
		p.send(capture.Client, flagACK, 3, 0, "def")
		p.send(capture.Server, flagACK, 0, 6, "xyz")
		p.send(capture.Client, flagACK, 0, 3, "abc")
	}
	file := p.Bytes()
	want := mustRead(t, file)
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		for name, to := range map[string]func(int) int{
			"in parts":  func(packet int) int { return min(packet/30, 4) },
			"at random": func(int) int { return rnd.IntN(5) },
		} {
			var places [][2]int
			frames := make([]int, 5)
			files := deal(file, 5, func(packet int) int {
				i := to(packet)
				frames[i]++
				places = append(places, [2]int{i, frames[i]})
				return i
			})
			got, r, err := merged(t, files...)
			if err != io.EOF {
				t.Fatal(err)
			}
			compareInputs(t, got, want)
			for i, place := range places {
				if f, n, ok := r.Origin(i + 1); !ok || f != place[0] || n != place[1] {
					t.Fatalf("%s: packet %d is said to be %d of file %d (%v), not %v", name, i+1, n, f, ok, place)
				}
			}
			if s := r.Stats(); s.Packets != int(p.packets) || r.Offset() != int64(len(file)+4*24) || s.Bytes != r.Offset() {
				t.Errorf("%s: %+v, %d bytes", name, s, r.Offset())
			}
		}
	}
}

// Times that go back do not change the order within a file.
func TestMergeUnsorted(t *testing.T) {
	a, b := newScript(linkRaw, client, server), newScript(linkRaw, netip.AddrPortFrom(client.Addr(), 50000), server)
	for i, at := range []uint32{9, 2, 8} {
		a.packets = at - 1
		a.send(capture.Client, flagACK, i, 0, "abc"[i:i+1])
	}
	for i, at := range []uint32{3, 9, 10} {
		b.packets = at - 1
		b.send(capture.Client, flagACK, i, 0, "xyz"[i:i+1])
	}
	got, _, err := merged(t, a.Bytes(), b.Bytes())
	if err != io.EOF {
		t.Fatal(err)
	}
	if got, want := told(got), "o50000>443 c1:x c5:y c6:z o40000>443 c2:a c3:b c4:c"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Recordings among several files keep their legs, and their facts mean their
// own connections, also where the same ports stand in another file.
func TestMergeRecordings(t *testing.T) {
	write := func(start int64) []byte {
		var file bytes.Buffer
		w, err := NewWriter(&file, "")
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(5) {
			a := w.Open(capture.LegBrowser, client, server, start+10*i)
			b := w.Open(capture.LegOrigin, client, server, start+10*i+1)
			w.Fact(capture.Fact{Time: start + 10*i + 2, Kind: capture.FactSession, Conn: a.Number(), Peer: b.Number()})
			a.Data(capture.Client, start+10*i+3, []byte("x"))
			a.Reset(capture.Client, start+10*i+4)
			b.Reset(capture.Client, start+10*i+5)
		}
		w.Fact(capture.Fact{Time: start + 60, Kind: capture.FactClosed, Conn: 99})
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	other := newScript(linkRaw, client, server)
	other.handshake()
	other.send(capture.Client, flagACK, 0, 0, "y")
	got, r, err := merged(t, write(1e9), write(1e9+5), other.Bytes())
	if err != io.EOF {
		t.Fatal(err)
	}
	opens := map[int]capture.Open{}
	facts := 0
	for _, in := range got {
		switch in := in.(type) {
		case capture.Open:
			opens[in.Conn] = in
		case capture.Fact:
			facts++
			a, b := opens[in.Conn], opens[in.Peer]
			if in.Conn == in.Peer || a.Leg != capture.LegBrowser || b.Leg != capture.LegOrigin || b.Time != a.Time+1 || in.Time != a.Time+2 {
				t.Errorf("%+v is about %+v and %+v", in, a, b)
			}
		}
	}
	if len(opens) != 21 || facts != 10 || r.Stats().Skipped[SkippedMalformedFact] != 2 || r.Own() {
		t.Errorf("%d connections, %d facts, %+v", len(opens), facts, r.Stats())
	}
}

// A file that is cut ends there; the others are read on.
func TestMergeCut(t *testing.T) {
	p := newScript(linkRaw, client, server)
	p.handshake()
	for i := range 10 {
		p.send(capture.Client, flagACK, i, 0, "x")
	}
	files := deal(p.Bytes(), 3, func(packet int) int { return packet % 3 })
	files[1] = files[1][:len(files[1])-1]
	got, r, err := merged(t, files...)
	var cut *CutError
	if !errors.As(err, &cut) || r.Err(0) != io.EOF || r.Err(1) != err || r.Err(2) != io.EOF {
		t.Errorf("%v: %v, %v, %v", err, r.Err(0), r.Err(1), r.Err(2))
	}
	if got := told(got); got != "O40000>443 c4:x c5:x c6:x c7:x c8:x c9:x c10:x c11:x c12:x" {
		t.Error(got)
	}
	alone, _, _ := merged(t, p.Bytes())
	if !reflect.DeepEqual(alone, mustRead(t, p.Bytes())) {
		t.Error("one file merged is not that file")
	}
}
