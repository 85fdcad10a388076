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

// read returns all inputs of a capture, copied, and the error that ended it.
func read(r io.Reader) ([]capture.Input, error) {
	rd, err := NewReader(r)
	if err != nil {
		return nil, err
	}
	var all []capture.Input
	for {
		in, err := rd.next()
		if err != nil {
			return all, err
		}
		if !atEnd(in) {
			all = append(all, copied(in))
		}
	}
}

// atEnd tells that an input says when the last packet of a connection came, where the capture ends.
func atEnd(in capture.Input) bool {
	e, ok := in.(*capture.End)
	return ok && e.Why == ""
}

func copied(in capture.Input) capture.Input {
	switch in := in.(type) {
	case *capture.Open:
		return *in
	case *capture.Chunk:
		c := *in
		c.Data = bytes.Clone(c.Data)
		return c
	case *capture.Datagram:
		d := *in
		d.Data = bytes.Clone(d.Data)
		return d
	case *capture.Gap:
		return *in
	case *capture.Late:
		return *in
	case *capture.Close:
		return *in
	case *capture.End:
		return *in
	case *keys.Secret:
		return *in
	case *capture.Fact:
		return *in
	}
	panic(fmt.Sprintf("unknown input %T", in))
}

func mustRead(t testing.TB, file []byte) []capture.Input {
	t.Helper()
	all, err := read(bytes.NewReader(file))
	if err != io.EOF {
		t.Fatalf("reading ended with %v, want io.EOF", err)
	}
	return all
}

func random(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// recording writes a recording of random content and returns it with the
// inputs that reading it must give.
func recording(t testing.TB, seed uint64, steps int) ([]byte, []capture.Input) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	var file bytes.Buffer
	w, err := NewWriter(&file, "")
	if err != nil {
		t.Fatal(err)
	}
	var want []capture.Input
	var streams []*Stream
	var flows []*Datagrams
	begun := map[*Datagrams]bool{}
	ended := map[*Stream]*[2]bool{}
	start := int64(1.7e18)
	now, packet := int64(0), 0
	for range steps {
		at := max(now, start) + rnd.Int64N(2e6) - 1e6
		tick := func() int64 { now = max(now, at); return now } // what is written moves the clock
		kind := rnd.IntN(20)
		if len(streams) == 0 {
			kind = 0
		}
		var ends [2]netip.AddrPort
		v6 := rnd.IntN(3) == 0
		for i := range ends {
			addr := netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + rnd.IntN(3))})
			if v6 {
				addr = netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 15: byte(rnd.IntN(3))})
			}
			ends[i] = netip.AddrPortFrom(addr, uint16(1000*(i+1)+len(streams)))
		}
		leg := capture.LegBrowser + capture.Leg(rnd.IntN(2))
		switch kind {
		case 16: // the same addresses may come again, and be those of a connection over TCP
			flows = append(flows, w.OpenUDP(leg, ends[0], ends[1]))
		case 17, 18, 19:
			if len(flows) == 0 {
				continue
			}
			d, side := flows[rnd.IntN(len(flows))], capture.Side(rnd.IntN(2))
			data := random(rnd, 1+rnd.IntN(MaxDatagram)>>rnd.IntN(16))
			d.Write(side, at, data)
			packet++
			if !begun[d] {
				begun[d] = true
				want = append(want, capture.Open{Transport: capture.TransportQUIC, Conn: d.Number(), Leg: d.leg, Time: tick(), Packet: packet, Client: d.ends[0], Server: d.ends[1]})
			}
			want = append(want, capture.Datagram{Conn: d.Number(), Side: side, Time: tick(), Packet: packet, Data: data})
		case 0, 1:
			w.conns++
			// Close to the wrap of the sequence numbers, or across it.
			s := w.open(leg, ends[0], ends[1], at, -rnd.Uint32N(1<<16), -rnd.Uint32N(1<<16))
			streams = append(streams, s)
			ended[s] = &[2]bool{}
			want = append(want, capture.Open{Conn: s.Number(), Leg: leg, Time: tick(), Packet: packet + 1, Client: ends[0], Server: ends[1], SYN: true, Handshake: [3]int{packet + 1, packet + 2, packet + 3}})
			packet += 3
		case 2:
			s := keys.Secret{Label: "CLIENT_TRAFFIC_SECRET_0", ClientRandom: random(rnd, 32), Secret: random(rnd, 32+16*rnd.IntN(2))}
			w.Secret(s)
			want = append(want, s)
		case 3:
			f := capture.Fact{Time: at, Kind: capture.FactSession, Conn: rnd.IntN(9), Peer: rnd.IntN(9), Host: "ex\"ample.test:443", Detail: "grüße", Data: random(rnd, 1+rnd.IntN(300))}
			w.Fact(f)
			f.Time = tick()
			want = append(want, f)
		case 4:
			w.Name(netip.MustParseAddr("192.0.2.7"), "example.test")
		case 5:
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		case 6, 7:
			s, side := streams[rnd.IntN(len(streams))], capture.Side(rnd.IntN(2))
			if e := ended[s]; !e[side] {
				e[side] = true
				reset := rnd.IntN(4) == 0
				if reset {
					s.Reset(side, at)
					*e = [2]bool{true, true}
				} else {
					s.Fin(side, at)
				}
				packet++
				want = append(want, capture.Close{Conn: s.Number(), Side: side, Time: tick(), Packet: packet, Reset: reset})
			}
		default:
			s, side := streams[rnd.IntN(len(streams))], capture.Side(rnd.IntN(2))
			data := random(rnd, rnd.IntN(50000)>>rnd.IntN(16))
			s.Data(side, at, data)
			if ended[s][side] {
				continue
			}
			for len(data) > 0 {
				n := min(len(data), 16645)
				packet++
				want = append(want, capture.Chunk{Conn: s.Number(), Side: side, Time: tick(), Packet: packet, Data: data[:n]})
				data = data[n:]
			}
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), want
}

func compareInputs(t *testing.T, got, want []capture.Input) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		// Sequence numbers are the writer's own to choose.
		got, want := withoutStarts(got[i]), withoutStarts(want[i])
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("input %d:\n got %.300s\nwant %.300s", i, fmt.Sprintf("%T%+v", got, got), fmt.Sprintf("%T%+v", want, want))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d inputs, want %d", len(got), len(want))
	}
}

func withoutStarts(in capture.Input) capture.Input {
	switch o := in.(type) {
	case capture.Open:
		o.Starts, o.Begins = [2]uint32{}, [2]capture.Start{}
		return o
	case *capture.Open:
		same := *o
		same.Starts, same.Begins = [2]uint32{}, [2]capture.Start{}
		return &same
	case capture.Chunk:
		o.Sequence = 0
		return o
	case *capture.Chunk:
		same := *o
		same.Sequence = 0
		return &same
	case capture.Gap:
		o.Sequence = 0
		return o
	case *capture.Gap:
		same := *o
		same.Sequence = 0
		return &same
	}
	return in
}

// follow holds that the sequence numbers of each direction go on from its SYN's, byte by byte.
func follow(t *testing.T, inputs []capture.Input) {
	t.Helper()
	next := map[int]*[2]uint32{}
	at := func(conn int, side capture.Side, from uint32, n int64) {
		of := next[conn]
		if of == nil {
			return // its beginning is not here
		}
		if of[side] != from {
			t.Fatalf("connection %d: %v's sequence number is %d, expected %d", conn, side, from, of[side])
		}
		of[side] += uint32(n)
	}
	for _, in := range inputs {
		switch in := in.(type) {
		case capture.Open:
			if in.SYN {
				next[in.Conn] = &in.Starts
			}
		case capture.Chunk:
			at(in.Conn, in.Side, in.Sequence, int64(len(in.Data)))
		case capture.Gap:
			at(in.Conn, in.Side, in.Sequence, in.Len)
		}
	}
	if len(next) == 0 {
		t.Fatal("no connection with a SYN")
	}
}

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(60) {
		file, want := recording(t, seed, 100)
		got := mustRead(t, file)
		compareInputs(t, got, want)
		follow(t, got)
	}
}

// behind is a writer that gathers, and takes packets that were made elsewhere.
type behind struct{ bytes.Buffer }

func (b *behind) Swap(full []byte) ([]byte, error) {
	b.Write(full)
	return full[:0], nil
}

// TestAround: a packet that is made around its bytes is the one that Data writes.
func TestAround(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var one, other behind
	a, err := NewWriter(&one, "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewWriter(&other, "")
	if err != nil {
		t.Fatal(err)
	}
	buf := random(rnd, HeadRoom+MaxPayload+TailRoom)
	for i, addr := range []string{"127.0.0.1:443", "[::1]:443"} {
		at := netip.MustParseAddrPort(addr)
		x, y := a.Open(capture.LegOrigin, at, at, int64(i)), b.Open(capture.LegOrigin, at, at, int64(i))
		for range 200 {
			side, now := capture.Side(rnd.IntN(2)), int64(rnd.IntN(1000))
			n := 1 + rnd.IntN(MaxPayload)
			if rnd.IntN(4) == 0 {
				n = MaxPayload - rnd.IntN(4)
			}
			data := random(rnd, n)
			x.Data(side, now, data)
			switch rnd.IntN(3) {
			case 0:
				y.Data(side, now, data)
			default:
				copy(buf[HeadRoom:], data)
				other.Write(y.Around(side, now, buf, n, Sum(data)))
			}
			if rnd.IntN(20) == 0 {
				line := keys.Secret{Label: "CLIENT_RANDOM", ClientRandom: random(rnd, 32), Secret: random(rnd, 48)}
				a.Secret(line)
				b.Secret(line)
			}
		}
		x.Fin(capture.Client, 2000)
		y.Fin(capture.Client, 2000)
		if p := y.Around(capture.Client, 2000, buf, 1, 0); p != nil {
			t.Errorf("%d bytes behind the end", len(p))
		}
	}
	if err := errors.Join(a.Flush(), b.Flush()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Bytes(), other.Bytes()) {
		t.Errorf("%d bytes, and %d others", one.Len(), other.Len())
	}
}

func BenchmarkWriter(b *testing.B) {
	w, err := NewWriter(io.Discard, "")
	if err != nil {
		b.Fatal(err)
	}
	s := w.Open(capture.LegBrowser, netip.MustParseAddrPort("127.0.0.1:40000"), netip.MustParseAddrPort("127.0.0.1:8080"), 1)
	for _, size := range []int{100, 16 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			data := random(rand.New(rand.NewPCG(1, 1)), size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Data(capture.Server, int64(i), data)
			}
		})
	}
}

func BenchmarkReader(b *testing.B) {
	for _, size := range []int{100, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var file bytes.Buffer
			w, err := NewWriter(&file, "")
			if err != nil {
				b.Fatal(err)
			}
			s := w.Open(capture.LegBrowser, netip.MustParseAddrPort("127.0.0.1:40000"), netip.MustParseAddrPort("127.0.0.1:8080"), 1)
			data := random(rand.New(rand.NewPCG(1, 1)), size)
			total := 0
			for total < 32<<20 {
				s.Data(capture.Server, 1, data)
				total += len(data)
			}
			if err := w.Flush(); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(total))
			b.ReportAllocs()
			for b.Loop() {
				r, err := NewReader(bytes.NewReader(file.Bytes()))
				if err != nil {
					b.Fatal(err)
				}
				got := 0
				for {
					in, err := r.next()
					if err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
					if c, ok := in.(*capture.Chunk); ok {
						got += len(c.Data)
					}
				}
				if got != total {
					b.Fatalf("read %d bytes, want %d", got, total)
				}
			}
		})
	}
}
