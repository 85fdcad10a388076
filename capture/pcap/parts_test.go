package pcap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"explainer/capture"
	"explainer/capture/keys"
)

// parted writes a recording of random traffic, as one file and in parts, and
// returns them with the bytes that each side of each connection sent.
func parted(t *testing.T, seed uint64, parts int) (whole []byte, files [][]byte, sent map[string][]byte) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	var one bytes.Buffer
	alone, err := NewWriter(&one, "test")
	if err != nil {
		t.Fatal(err)
	}
	out := &switched{}
	w, err := NewPartWriter(out, "test", "id")
	if err != nil {
		t.Fatal(err)
	}
	type conn struct {
		a, b *Stream
		c, d *Datagrams // of QUIC in place of these
		host string
		peer int
	}
	number := func(c *conn) int {
		if c.c != nil {
			return c.c.Number()
		}
		return c.a.Number()
	}
	sent = map[string][]byte{}
	var open []*conn
	now := int64(1_000_000_000)
	const steps = 400
	for step := range steps {
		now += int64(rnd.IntN(1000))
		if step > 0 && step%(steps/parts) == 0 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			files = append(files, bytes.Clone(out.Bytes()))
			out.Reset()
			var goOn []Continued
			for _, c := range open {
				goOn = append(goOn, Continued{Stream: c.b, QUIC: c.d, Peer: c.peer, Host: c.host, Name: "shop.test", Secrets: []keys.Secret{{Label: "CLIENT_RANDOM", ClientRandom: bytes.Repeat([]byte{byte(number(c))}, 32), Secret: make([]byte, 48)}}})
			}
			w.Continue(goOn)
		}
		switch n := rnd.IntN(10); {
		case n < 2 || len(open) == 0:
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(1024+rnd.IntN(500)))
			to := netip.MustParseAddrPort("127.0.0.2:443")
			used := false
			for _, c := range open {
				used = used || c.a != nil && c.a.ends[0] == from
			}
			if used {
				continue
			}
			leg := capture.Leg(1 + rnd.IntN(2))
			if rnd.IntN(3) == 0 {
				c := &conn{c: alone.OpenUDP(leg, from, to), d: w.OpenUDP(leg, from, to)}
				open = append(open, c)
				c.c.Write(capture.Client, now, []byte("hello"))
				c.d.Write(capture.Client, now, []byte("hello"))
				sent[fmt.Sprint(c.c.Number(), capture.Client)] = []byte("hello")
				continue
			}
			open = append(open, &conn{a: alone.Open(leg, from, to, now), b: w.Open(leg, from, to, now)})
		case n == 2:
			i := rnd.IntN(len(open))
			c := open[i]
			f := capture.Fact{Time: now, Kind: capture.FactClosed, Conn: number(c)}
			alone.Fact(f)
			w.Fact(f)
			open = append(open[:i], open[i+1:]...)
		case n == 3:
			c := open[rnd.IntN(len(open))]
			c.host = "shop.test:443"
			f := capture.Fact{Time: now, Kind: capture.FactSession, Conn: number(c), Host: c.host}
			alone.Fact(f)
			w.Fact(f)
		default:
			c := open[rnd.IntN(len(open))]
			data := make([]byte, 1+rnd.IntN(40_000))
			for i := range data {
				data[i] = byte(rnd.Uint32())
			}
			side := capture.Side(rnd.IntN(2))
			if c.c != nil {
				c.c.Write(side, now, data)
				c.d.Write(side, now, data)
			} else {
				c.a.Data(side, now, data)
				c.b.Data(side, now, data)
			}
			key := fmt.Sprint(number(c), side)
			sent[key] = append(sent[key], data...)
		}
	}
	if err := errors.Join(alone.Flush(), w.Flush()); err != nil {
		t.Fatal(err)
	}
	return one.Bytes(), append(files, out.Bytes()), sent
}

type switched struct{ bytes.Buffer }

// inputsOf reads everything; the inputs are copies.
func inputsOf(t *testing.T, r *Reader) []capture.Input {
	t.Helper()
	var all []capture.Input
	for {
		in, err := r.next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		v := reflect.ValueOf(in).Elem()
		c := reflect.New(v.Type())
		c.Elem().Set(v)
		if chunk, ok := c.Interface().(*capture.Chunk); ok {
			chunk.Data = bytes.Clone(chunk.Data)
		}
		if datagram, ok := c.Interface().(*capture.Datagram); ok {
			datagram.Data = bytes.Clone(datagram.Data)
		}
		all = append(all, c.Interface())
	}
}

func opened(t *testing.T, file []byte) *Reader {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestParts: a recording in parts is read as the whole, one behind the other and
// as files in any order, and each part alone is read as what it has of the whole.
func TestParts(t *testing.T) {
	for seed := range uint64(8) {
		whole, files, sent := parted(t, seed, 4)
		want := inputsOf(t, opened(t, whole))
		if got := inputsOf(t, opened(t, bytes.Join(files, nil))); !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d: one behind the other: %d inputs, want %d", seed, len(got), len(want))
		}
		m := Merge(opened(t, files[2]), opened(t, files[0]), opened(t, files[3]), opened(t, files[1]))
		if got := inputsOf(t, m); !reflect.DeepEqual(got, want) || m.Captures() != 1 {
			t.Errorf("seed %d: as files: %d inputs of %d captures, want %d", seed, len(got), m.Captures(), len(want))
		}
		for i, file := range files {
			checkPlaces(t, inputsOf(t, opened(t, file)), sent, fmt.Sprintf("seed %d, part %d alone", seed, i+1), i > 0)
		}
		checkPlaces(t, inputsOf(t, Merge(opened(t, files[0]), opened(t, files[2]))), sent, fmt.Sprintf("seed %d, without part 2", seed), true)
		// The story's reader is moved on from anywhere in a part.
		cut := len(files[0]) + len(files[1])/3
		r, err := NewReader(io.MultiReader(bytes.NewReader(bytes.Join(files, nil)[:cut]), &skipping{}, bytes.NewReader(files[3])))
		if err != nil {
			t.Fatal(err)
		}
		checkPlaces(t, inputsOf(t, r), sent, fmt.Sprintf("seed %d, skipped", seed), true)
		// A damaged part is passed over from there on.
		m = Merge(opened(t, files[0]), opened(t, files[1][:len(files[1])-3]), opened(t, files[2]), opened(t, files[3]))
		var all []capture.Input
		for {
			in, err := m.next()
			if err != nil {
				if !errors.As(err, new(*CutError)) || m.Err(1) == io.EOF || m.Err(0) != io.EOF || m.Err(3) != io.EOF {
					t.Errorf("damaged: %v; %v, %v, %v", err, m.Err(0), m.Err(1), m.Err(3))
				}
				break
			}
			if f, ok := in.(*capture.Fact); ok {
				all = append(all, f)
			}
		}
		if len(all) == 0 || !hasLeftOut(all) {
			t.Errorf("seed %d: nothing tells of the damage", seed)
		}
	}
}

type skipping struct{ done bool }

// Read tells once that something is left out.
func (s *skipping) Read([]byte) (int, error) {
	if s.done {
		return 0, io.EOF
	}
	s.done = true
	return 0, &SkipError{Bytes: 5}
}

func hasLeftOut(all []capture.Input) bool {
	for _, in := range all {
		if f, ok := in.(*capture.Fact); ok && f.Kind == capture.FactLeftOut {
			return true
		}
	}
	return false
}

// checkPlaces holds that every chunk is what its side sent at that place.
func checkPlaces(t *testing.T, all []capture.Input, sent map[string][]byte, what string, left bool) {
	t.Helper()
	places := map[string]int64{}
	begun := map[int]*capture.Open{}
	for _, in := range all {
		switch in := in.(type) {
		case *capture.Open:
			if begun[in.Conn] != nil || in.Transport == capture.TransportTCP && in.Continued == in.SYN {
				t.Fatalf("%s: %+v", what, in)
			}
			begun[in.Conn] = in
		case *capture.Gap:
			if !in.Left {
				t.Fatalf("%s: a gap as if the network had lost it: %+v", what, in)
			}
			places[fmt.Sprint(in.Conn, in.Side)] += in.Len
		case *capture.Chunk:
			key := fmt.Sprint(in.Conn, in.Side)
			at, known := places[key]
			if o := begun[in.Conn]; o == nil {
				t.Fatalf("%s: connection %d did not begin", what, in.Conn)
			} else if o.Continued && !known { // wherever it is
				at = int64(bytes.Index(sent[key], in.Data))
			}
			if at < 0 || !bytes.HasPrefix(sent[key][at:], in.Data) {
				t.Fatalf("%s: connection %d, %v: other bytes at %d", what, in.Conn, in.Side, at)
			}
			places[key] = at + int64(len(in.Data))
		case *capture.Datagram:
			if begun[in.Conn] == nil || !bytes.Contains(sent[fmt.Sprint(in.Conn, in.Side)], in.Data) {
				t.Fatalf("%s: a datagram of connection %d that it did not send", what, in.Conn)
			}
		case *capture.Fact:
			if in.Conn > 0 && begun[in.Conn] == nil {
				t.Errorf("%s: a fact about connection %d, which did not begin", what, in.Conn)
			}
		}
	}
	if hasLeftOut(all) != left {
		t.Errorf("%s: told that something is left out: %v", what, !left)
	}
}
