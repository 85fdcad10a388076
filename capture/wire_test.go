package capture_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"testing"

	"explainer/capture"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

// A wirePacket is one IPv4 packet with a segment of TCP in it, as somebody captured it.
type wirePacket struct {
	time int64
	ip   []byte
}

// wireOf reads a recording as tcpdump would have captured it: segments of at most mss
// bytes, each a millisecond behind the one before, and nothing that only explainer writes.
func wireOf(t testing.TB, path string, mss int) (packets []wirePacket, secrets []keys.Secret) {
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
				packets = append(packets, wirePacket{now, p})
				if off += k; off == len(data) {
					break
				}
			}
		}
		at += n
	}
	return packets, secrets
}

// pcapOf is a classic capture of IP packets. Of each it holds the first snap bytes, all if that is 0.
func pcapOf(packets []wirePacket, snap int) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b23c4d) // nanoseconds
	b = le.AppendUint32(b, 4<<16|2)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(b, 1<<18)
	b = le.AppendUint32(b, 101) // IP without a link's header
	for _, p := range packets {
		held := p.ip
		if snap > 0 {
			held = held[:min(snap, len(held))]
		}
		b = le.AppendUint32(b, uint32(p.time/1e9))
		b = le.AppendUint32(b, uint32(p.time%1e9))
		b = le.AppendUint32(b, uint32(len(held)))
		b = le.AppendUint32(b, uint32(len(p.ip)))
		b = append(b, held...)
	}
	return b
}

// readWire reads a capture.
func readWire(t testing.TB, file []byte, secrets []keys.Secret) []capture.Message {
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
