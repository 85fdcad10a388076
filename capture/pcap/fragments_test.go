package pcap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"explainer/capture"
)

// fragment cuts an IP packet in two or more of at most size bytes; size is a
// multiple of 8. An IPv6 packet keeps no extension header in front.
func fragment(ip []byte, id, size int) [][]byte {
	var out [][]byte
	head := ip[:20]
	if ip[0]>>4 == 6 {
		head = ip[:40]
	}
	body := ip[len(head):]
	for off := 0; off < len(body); off += size {
		end := min(off+size, len(body))
		out = append(out, part(ip, id, off, end))
	}
	return out
}

// part is the fragment with the bytes of an IP packet's body from off to end.
func part(ip []byte, id, off, end int) []byte {
	if ip[0]>>4 == 4 {
		f := append(bytes.Clone(ip[:20]), ip[20+off:20+end]...)
		binary.BigEndian.PutUint16(f[2:], uint16(len(f)))
		binary.BigEndian.PutUint16(f[4:], uint16(id))
		word := off / 8
		if 20+end < len(ip) {
			word |= 0x2000
		}
		binary.BigEndian.PutUint16(f[6:], uint16(word))
		return f
	}
	f := append(bytes.Clone(ip[:40]), ip[6], 0)
	word := off
	if 40+end < len(ip) {
		word |= 1
	}
	f = binary.BigEndian.AppendUint16(f, uint16(word))
	f = binary.BigEndian.AppendUint32(f, uint32(id))
	f = append(f, ip[40+off:40+end]...)
	f[6] = 44
	binary.BigEndian.PutUint16(f[4:], uint16(len(f)-40))
	return f
}

// tcp6 is one IPv6 packet.
func tcp6(from, to netip.AddrPort, flags byte, seq, ack uint32, payload string) []byte {
	four := tcp4(client, server, flags, seq, ack, payload)
	b := make([]byte, 40, 20+len(four))
	b[0], b[6], b[7] = 0x60, protoTCP, 64
	binary.BigEndian.PutUint16(b[4:], uint16(len(four)-20))
	copy(b[8:], from.Addr().AsSlice())
	copy(b[24:], to.Addr().AsSlice())
	b = append(b, four[20:]...)
	binary.BigEndian.PutUint16(b[40:], from.Port())
	binary.BigEndian.PutUint16(b[42:], to.Port())
	return b
}

// In whatever order the fragments come, and however they overlap, they become
// the packet; also fragments of fragments in a tunnel.
func TestFragments(t *testing.T) {
	client6, server6 := netip.MustParseAddrPort("[2001:db8::1]:40000"), netip.MustParseAddrPort("[2001:db8::2]:443")
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		s := newScript(linkRaw, client, server)
		data := string(random(rnd, 4000))
		var all [][]byte
		for i := 0; i < len(data); i += 1000 {
			ip := tcp4(client, server, flagACK, uint32(1+i), 1, data[i:i+1000])
			if seed%2 == 0 {
				ip = tcp6(client6, server6, flagACK, uint32(1+i), 1, data[i:i+1000])
			}
			parts := fragment(ip, i, 8*(1+rnd.IntN(130)))
			if seed%3 == 0 { // in IP in IP, in fragments of its own
				var outer [][]byte
				for j, p := range parts {
					tunnel := append(unhex(t, "4500000000000000402900000a0000010a000002"), p...)
					if p[0]>>4 == 4 {
						tunnel[9] = 4
					}
					binary.BigEndian.PutUint16(tunnel[2:], uint16(len(tunnel)))
					outer = append(outer, fragment(tunnel, i+j, 8*(1+rnd.IntN(20)))...)
				}
				parts = outer
			} else {
				n := len(ip) - 20 - 20*int(1-seed%2)
				off := rnd.IntN(n/8) * 8
				parts = append(parts, part(ip, i, off, off+rnd.IntN(n-off)+1)) // overlaps some
			}
			all = append(all, parts...)
			if rnd.IntN(2) == 0 {
				all = append(all, parts[rnd.IntN(len(parts))])
			}
		}
		first := 0 // the first packet's own comes first: it begins the stream
		for first < len(all) && seed%5 > 0 {
			j := first + rnd.IntN(min(40, len(all)-first))
			all[first], all[j] = all[j], all[first]
			first++
		}
		syn := tcp4(client, server, flagSYN, 0, 0, "")
		if seed%2 == 0 {
			syn = tcp6(client6, server6, flagSYN, 0, 0, "")
		}
		s.packet(syn, len(syn))
		for _, p := range all {
			s.packets = 0 // all in the same second
			s.packet(p, len(p))
		}
		got := ""
		for _, in := range mustRead(t, s.Bytes()) {
			switch in := in.(type) {
			case capture.Chunk:
				got += string(in.Data)
			case capture.Gap:
				t.Fatalf("seed %d: %+v", seed, in)
			}
		}
		if got != data {
			t.Fatalf("seed %d: %d bytes of %d, or others", seed, len(got), len(data))
		}
	}
}

// A lost fragment is a gap, and so is the end of one that was cut.
func TestFragmentLost(t *testing.T) {
	for _, test := range []struct {
		name    string
		keep    func(parts [][]byte, s *script)
		want    string
		skipped int
	}{
		{"the last", func(p [][]byte, s *script) { s.packet(p[0], 60); s.packet(p[1], 60) }, "O40000>443 c5:" + letters[:60] + " c6[40] c6:end s7:x", 0},
		{"one between", func(p [][]byte, s *script) { s.packet(p[0], 60); s.packet(p[2], 60) }, "O40000>443 c5:" + letters[:20] + " c5[80] c6:end s7:x", 1},
		{"the first", func(p [][]byte, s *script) { s.packet(p[2], 60); s.packet(p[1], 60) }, "O40000>443 c6[100] c6:end s7:x", 2},
	} {
		s := newScript(linkRaw, client, server)
		s.handshake()
		ip := tcp4(client, server, flagACK, s.isn[0]+1, s.isn[1]+1, letters)
		test.keep(fragment(ip, 7, 40), s)
		s.send(capture.Client, flagACK, 100, 0, "end")
		s.send(capture.Server, flagACK, 0, 103, "x")
		r, err := NewReader(bytes.NewReader(s.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		var all []capture.Input
		for err == nil {
			var in capture.Input
			if in, err = r.next(); err == nil && !atEnd(in) {
				all = append(all, copied(in))
			}
		}
		if got := told(all); got != test.want || r.Stats().Skipped[SkippedFragment] != test.skipped {
			t.Errorf("%s:\n got %s %v\nwant %s", test.name, got, r.Stats().Skipped, test.want)
		}
	}
}

var letters = func() string {
	s := ""
	for i := range 50 {
		s += fmt.Sprintf("%02d", i)
	}
	return s
}()

// Fragments without end stay within the bounds.
func TestFragmentBounds(t *testing.T) {
	s := newScript(linkRaw, client, server)
	rnd := rand.New(rand.NewPCG(1, 5))
	whole := tcp4(client, server, flagACK, 1, 1, string(random(rnd, 60000)))
	for range 4000 {
		off := rnd.IntN(3000) * 8
		p := part(whole, rnd.IntN(1<<13), off, off+8+rnd.IntN(30000)&^7)
		s.packet(p, len(p))
	}
	r, err := NewReader(&s.Buffer)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = r.next()
		if fs := &r.fragments; len(fs.order) > maxFragmented || fs.size > maxFragments || len(fs.order) != len(fs.packets) {
			t.Fatalf("%d packets of %d bytes wait", len(fs.order), fs.size)
		}
	}
	if fs := &r.fragments; len(fs.order) != 0 || fs.size != 0 {
		t.Errorf("%d packets of %d bytes wait at the end", len(fs.order), fs.size)
	}
}

// FuzzFragments cuts a packet as the input says; whatever the order, if all of
// it is there, it becomes the packet.
func FuzzFragments(f *testing.F) {
	f.Add([]byte{0, 4, 4, 4, 8, 8}, false)
	f.Add([]byte{8, 8, 4, 8, 0, 6}, true)
	f.Add([]byte{0, 255, 1, 2}, true)
	f.Fuzz(func(t *testing.T, cuts []byte, six bool) {
		data := letters
		ip := tcp4(client, server, flagACK, 1, 1, data)
		head := 20
		if six {
			ip = tcp6(netip.MustParseAddrPort("[2001:db8::1]:40000"), netip.MustParseAddrPort("[2001:db8::2]:443"), flagACK, 1, 1, data)
			head = 40
		}
		n := len(ip) - head
		s := newScript(linkRaw, client, server)
		have := make([]bool, n)
		done := false
		for i := 0; i+1 < len(cuts) && i < 200 && !done; i += 2 {
			off := int(cuts[i]) * 8 % n &^ 7
			end := min(off+8+int(cuts[i+1])&^7, n)
			p := part(ip, 1, off, end)
			s.packet(p, len(p))
			done = true
			for j := range have {
				have[j] = have[j] || j >= off && j < end
				done = done && have[j]
			}
		}
		prefix := 0
		for prefix < n && have[prefix] {
			prefix++
		}
		got := ""
		for _, in := range mustRead(t, s.Bytes()) {
			if c, ok := in.(capture.Chunk); ok {
				got += string(c.Data)
			}
		}
		if want := data[:max(0, prefix-tcpHead)]; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}
