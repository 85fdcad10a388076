// Package pcaptest has the project's recordings as the tap of somebody else would have
// captured them, and what taps do to packets, for tests.
package pcaptest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"explainer/capture"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

// A Packet is one IPv4 packet with a segment of TCP in it, as somebody captured it.
type Packet struct {
	Time int64 // nanoseconds
	IP   []byte
}

// Of reads a recording as tcpdump would have captured it: segments of at most mss
// bytes, each a millisecond behind the one before, and nothing that only explainer writes.
func Of(t testing.TB, path string, mss int) (packets []Packet, secrets []keys.Secret) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := pcap.Keys(bytes.NewReader(file), func(s keys.Secret) { secrets = append(secrets, s) }); err != nil {
		t.Fatal(err)
	}
	now := int64(1700000000e9)
	for at := 0; at < len(file); {
		kind, n := binary.LittleEndian.Uint32(file[at:]), int(binary.LittleEndian.Uint32(file[at+4:]))
		if kind == 6 { // an Enhanced Packet Block
			ip := file[at+28:][:binary.LittleEndian.Uint32(file[at+20:])]
			if ip[0] != 0x45 || ip[9] != 6 || ip[32]>>4 != 5 {
				t.Fatalf("%s: a packet that is not as explainer writes it: % x", path, ip[:40])
			}
			data := ip[40:]
			for off := 0; ; {
				k := min(mss, len(data)-off)
				p := slices.Concat(ip[:40], data[off:off+k])
				binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
				binary.BigEndian.PutUint32(p[24:], binary.BigEndian.Uint32(p[24:])+uint32(off))
				if off+k == len(data) && k > 0 {
					p[33] |= 8 // PSH, which says that it is not only there to keep the connection alive
				}
				now += 1e6
				packets = append(packets, Packet{now, p})
				if off += k; off == len(data) {
					break
				}
			}
		}
		at += n
	}
	return packets, secrets
}

// File is a classic capture of IP packets. Of each it holds the first snap bytes, all if that is 0.
func File(packets []Packet, snap int) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b23c4d) // nanoseconds
	b = le.AppendUint32(b, 4<<16|2)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(b, 1<<18)
	b = le.AppendUint32(b, 101) // IP without a link's header
	for _, p := range packets {
		held := p.IP
		if snap > 0 {
			held = held[:min(snap, len(held))]
		}
		b = le.AppendUint32(b, uint32(p.Time/1e9))
		b = le.AppendUint32(b, uint32(p.Time%1e9))
		b = le.AppendUint32(b, uint32(len(held)))
		b = le.AppendUint32(b, uint32(len(p.IP)))
		b = append(b, held...)
	}
	return b
}

// Keyed reads a capture stem.pcap of raw IP, and the key log stem.keys beside it.
func Keyed(t testing.TB, stem string) (packets []Packet, secrets []keys.Secret) {
	t.Helper()
	file, err := os.ReadFile(stem + ".pcap")
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Open(stem + ".keys")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if err := keys.ReadLog(log, func(s keys.Secret) { secrets = append(secrets, s) }); err != nil {
		t.Fatal(err)
	}
	return Packets(t, file), secrets
}

// Packets are those of a capture that File wrote.
func Packets(t testing.TB, file []byte) (packets []Packet) {
	t.Helper()
	le := binary.LittleEndian
	for b := file[min(24, len(file)):]; len(b) >= 16; {
		n := int(le.Uint32(b[8:]))
		if n > len(b)-16 {
			t.Fatalf("a packet of %d bytes in %d", n, len(b)-16)
		}
		packets = append(packets, Packet{int64(le.Uint32(b))*1e9 + int64(le.Uint32(b[4:])), b[16 : 16+n]})
		b = b[16+n:]
	}
	return packets
}

// Read reads a capture.
func Read(t testing.TB, file []byte, secrets []keys.Secret) []capture.Message {
	t.Helper()
	r, err := pcap.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	r.Whole()
	d := capture.Decoder{SecretsFirst: true}
	for i := range secrets {
		d.Feed(&secrets[i])
	}
	var all []capture.Message
	for m, err := range d.All(r.All()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, *m)
	}
	return all
}

// FromClient tells whether the side sent a packet that has the higher port, as clients have in the project's recordings.
func (p Packet) FromClient() bool {
	return int(p.IP[20])<<8+int(p.IP[21]) > int(p.IP[22])<<8+int(p.IP[23])
}

// Shuffled is a capture in which each packet stands at most as far from its place.
func Shuffled(packets []Packet, by int, rng *rand.Rand) []Packet {
	type at struct {
		p     Packet
		place float64
	}
	var list []at
	for i, p := range packets {
		list = append(list, at{p, float64(i) + rng.Float64()*float64(by)})
	}
	slices.SortStableFunc(list, func(a, b at) int {
		if a.place < b.place {
			return -1
		}
		return 1
	})
	var out []Packet
	for _, x := range list {
		out = append(out, x.p)
	}
	return out
}

// Skewed is a capture of two taps, one for each direction, of which the client's clock goes so much behind.
func Skewed(packets []Packet, by time.Duration) []Packet {
	out := slices.Clone(packets)
	for i := range out {
		if out[i].FromClient() {
			out[i].Time += int64(by)
		}
	}
	slices.SortStableFunc(out, func(a, b Packet) int { return int(a.Time - b.Time) })
	return out
}

// OneFirst is a capture in which one direction stands behind the other.
func OneFirst(packets []Packet, client bool) []Packet {
	out := slices.Clone(packets)
	slices.SortStableFunc(out, func(a, b Packet) int {
		switch {
		case a.FromClient() == b.FromClient():
			return 0
		case a.FromClient() == client:
			return -1
		}
		return 1
	})
	return out
}
