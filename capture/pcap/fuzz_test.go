package pcap

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"os"
	"testing"

	"explainer/capture"
	"explainer/capture/keys"
)

// FuzzReader feeds a reader with anything. What it gives must be consistent in
// itself and not much larger than the file.
func FuzzReader(f *testing.F) {
	for seed := range uint64(3) {
		file, _ := recording(f, seed, 12)
		f.Add(file[:min(len(file), 4000)])
	}
	for _, link := range []uint32{linkEthernet, linkNull, linkSLL, linkSLL2, linkRaw, 9, 105} {
		s := newScript(link, client, server)
		head := unhex(f, map[uint32]string{linkEthernet: "0200000000010200000000028100000508 00", linkNull: "02000000", linkSLL: "000000010006020000000001 0000 0800", linkSLL2: "0800000000000002000100060200000000010000", 9: "ff030021"}[link])
		data := append(head, tcp4(client, server, flagACK, 1, 1, "hello")...)
		s.packet(data, len(data)+10)
		f.Add(s.Bytes())
	}
	s := newScript(linkRaw, client, server)
	s.handshake()
	s.send(capture.Client, flagACK, 10, 0, "later")
	s.send(capture.Client, flagACK, 3, 0, "overlapping")
	s.send(capture.Client, flagFIN|flagACK, 20, 0, "")
	s.send(capture.Server, flagFIN|flagACK, 0, 21, "bye")
	s.handshake()
	s.send(capture.Server, flagRST, 0, 0, "")
	f.Add(s.Bytes())
	for _, o := range orders {
		f.Add(bytes.Join([][]byte{o.section(o.option(optApplication, []byte(application))), o.iface(linkRaw, 40, o.option(optIfTsresol, []byte{0x84})), o.packet(0, 9, 90, tcp4(client, server, flagACK, 1, 1, "x")),
			o.block(blockFact, []byte(`{"t":1,"kind":"closed","conn":1}   `)), o.block(blockNRB, []byte{1, 0, 6, 0, 1, 2, 3, 4, 'a', 0, 0, 0}), o.block(blockSPB, []byte{0, 0, 0, 1, 0x45, 0, 0, 0})}, nil))
	}
	var own bytes.Buffer // connections over UDP, one of which goes on in the next part
	if w, err := NewPartWriter(&own, "", "id"); err == nil {
		var open []Continued
		for range 3 {
			d := w.OpenUDP(capture.LegBrowser, netip.MustParseAddrPort("127.0.0.1:5000"), netip.MustParseAddrPort("127.0.0.1:443"))
			d.Write(capture.Client, 9, []byte("hello"))
			open = append(open, Continued{QUIC: d, Host: "a.test:443"})
		}
		w.Fact(capture.Fact{Kind: capture.FactClosed, Conn: 1})
		w.Continue(open[2:])
		open[2].QUIC.Write(capture.Server, 10, []byte("bye"))
		w.Flush()
	}
	f.Add(own.Bytes())
	for _, name := range []string{"dtls12-cookie-fragments.pcap", "dtls12-psk.pcap"} {
		file, err := os.ReadFile("../../annotate/testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := NewReader(bytes.NewReader(file))
		if err != nil {
			return
		}
		given, conns := 0, map[int]bool{}
		inputs := 0
		for {
			in, err := r.next()
			if err != nil {
				break
			}
			inputs++
			conn := 0
			switch in := in.(type) {
			case *capture.Open:
				if in.Conn < 1 || in.Conn > r.Stats().Connections || conns[in.Conn] || in.Packet < 1 || in.Packet > r.Stats().Packets {
					t.Fatalf("%+v", in)
				}
				conns[in.Conn] = true
				conn = in.Conn
			case *capture.Chunk:
				if given += len(in.Data); len(in.Data) == 0 || in.Packet < 1 || in.Packet > r.Stats().Packets {
					t.Fatalf("%+v", in)
				}
				conn = in.Conn
			case *capture.Gap:
				if in.Len <= 0 || in.Len > 1<<32 {
					t.Fatalf("%+v", in)
				}
				conn = in.Conn
			case *capture.Close:
				conn = in.Conn
			case *capture.Datagram:
				if given += len(in.Data); len(in.Data) == 0 || in.Cut < 0 || in.Packet < 1 || in.Packet > r.Stats().Packets {
					t.Fatalf("%+v", in)
				}
				conn = in.Conn
			case *capture.End:
				conn = in.Conn
			case *capture.Late:
				if in.Len <= 0 || in.Packet < 1 || in.Packet > r.Stats().Packets {
					t.Fatalf("%+v", in)
				}
				conn = in.Conn
			case *keys.Secret, *capture.Fact:
				continue
			default:
				t.Fatalf("%T", in)
			}
			if !conns[conn] {
				t.Fatalf("%T of connection %d, which was not opened", in, conn)
			}
		}
		if given > len(file) && !packed(file) {
			t.Fatalf("%d bytes of payload from a file of %d", given, len(file))
		}
		if r.flows.waiting != 0 || len(r.flows.byTuple) != 0 {
			t.Fatalf("%d bytes wait at the end", r.flows.waiting)
		}
		Keys(bytes.NewReader(file), func(keys.Secret) {})
	})
}

func packed(file []byte) bool {
	return bytes.HasPrefix(file, []byte("\x1f\x8b")) || bytes.HasPrefix(file, []byte("\x28\xb5\x2f\xfd"))
}

// FuzzReassembly sends parts of two streams as the input says, in any order,
// again and again, overlapping, with acknowledgements of what has come, across
// the wrap of the sequence numbers. What is given must be just what was sent,
// once, in its place, and gaps for the rest.
func FuzzReassembly(f *testing.F) {
	f.Add(uint32(0), []byte{0, 0, 10, 0, 20, 10, 0, 10, 10, 3, 0, 30})
	f.Add(uint32(0xfffffff0), []byte{0, 50, 50, 1, 3, 40, 0, 0, 100, 2, 0, 0, 0, 90, 20, 3, 0, 0})
	f.Add(uint32(0xffffff80), []byte{0, 4, 2, 0, 8, 1, 0, 2, 8, 0, 0, 4, 1, 0, 255, 2, 2, 2, 4, 255, 9})
	f.Add(uint32(7), bytes.Repeat([]byte{0, 250, 3, 2, 0, 0}, 40))
	f.Fuzz(func(t *testing.T, isn uint32, ops []byte) {
		stream := random(rand.New(rand.NewPCG(1, 7)), 300)
		p := newScript(linkRaw, client, server)
		p.isn = [2]uint32{isn, isn / 3}
		p.handshake()
		var have, given [2][300]bool
		var end, pos [2]int
		for i := 0; i+2 < len(ops) && i < 900; i += 3 {
			side := capture.Side(ops[i] & 1)
			got := 0 // of the other side, in order
			for got < 300 && have[side.Other()][got] {
				got++
			}
			if ops[i]&2 != 0 {
				p.send(side, flagACK, end[side], got, "")
				continue
			}
			a := int(ops[i+1])
			b := min(300, a+1+int(ops[i+2]))
			p.send(side, flagACK|flagPSH, a, got, string(stream[a:b]))
			for j := a; j < b; j++ {
				have[side][j] = true
			}
			end[side] = max(end[side], b)
		}
		for _, in := range mustRead(t, p.Bytes()) {
			switch in := in.(type) {
			case capture.Chunk:
				for _, c := range in.Data {
					if at := pos[in.Side]; at >= 300 || c != stream[at] {
						t.Fatalf("a wrong byte at %d of the %v", at, in.Side)
					}
					given[in.Side][pos[in.Side]] = true
					pos[in.Side]++
				}
			case capture.Gap:
				pos[in.Side] += int(in.Len)
			}
		}
		if given != have || pos != end {
			t.Fatalf("given up to %d of %d", pos, end)
		}
	})
}
