package annotate_test

import (
	"encoding/binary"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/capture/pcap/pcaptest"
)

// torn is a recording whose client tears the connection down behind packet at, counted from 0;
// what followed that packet comes all the same.
func torn(packets []pcaptest.Packet, at int) []pcaptest.Packet {
	client := slices.IndexFunc(packets, func(p pcaptest.Packet) bool { return p.FromClient() && len(p.IP) > 40 })
	rst := slices.Clone(packets[client].IP[:40])
	next := binary.BigEndian.Uint32(rst[24:])
	for _, p := range packets[:at+1] {
		if n := uint32(len(p.IP) - 40); p.FromClient() && n > 0 {
			next = max(next, binary.BigEndian.Uint32(p.IP[24:])+n)
		}
	}
	binary.BigEndian.PutUint16(rst[2:], 40)
	binary.BigEndian.PutUint32(rst[24:], next)
	rst[33] = 0x14 // RST, ACK
	return slices.Insert(slices.Clone(packets), at+1, pcaptest.Packet{Time: packets[at].Time + 1000, IP: rst})
}

// TestBehindTheEnd: where a side sends on when its connection has been torn down, no sentence about all
// of its records is said as if that were not there, nor where the end of one is missing. What a side
// sends behind its own FIN is told.
func TestBehindTheEnd(t *testing.T) {
	packets, secrets := pcaptest.Of(t, filepath.Join(ownRecordings, "http1.pcapng"), 60)
	halves := 0
	for at := 4; at < len(packets)-1; at++ {
		es := tellWire(t, pcaptest.File(torn(packets, at), 0), secrets)
		part := map[string]bool{}
		for _, e := range es {
			if e.Topic == "sealed-record" && e.Size.Records == 0 {
				part[e.From] = true
			}
		}
		sentences(es, func(id, text string) {
			if id == "records-counted-torn" {
				halves++
			}
			for side := range part {
				if id == "records-counted" && strings.Contains(text, "from the "+side) {
					t.Errorf("torn down behind %d, inside a record: %s", at+1, text)
				}
			}
			if strings.HasPrefix(text, "All ") && !strings.Contains(text, "up to the end of this connection") {
				t.Errorf("torn down behind %d: %s", at+1, text)
			}
		})
	}
	if halves == 0 {
		t.Error("no record was torn")
	}
	ended := slices.Clone(packets)
	first := slices.IndexFunc(packets, func(p pcaptest.Packet) bool { return p.FromClient() && len(p.IP) > 40 })
	ended[first].IP = slices.Clone(packets[first].IP)
	ended[first].IP[33] |= 1 // FIN
	behind := 0
	sentences(tellWire(t, pcaptest.File(ended, 0), secrets), func(id, _ string) {
		if id == "behind-the-end" {
			behind++
		}
	})
	if behind != 1 {
		t.Errorf("data behind a FIN is told %d times", behind)
	}
}

// TestServerHelloCutTold: a ServerHello of which the end is missing is told as that, and nothing
// says that it is not in the capture.
func TestServerHelloCutTold(t *testing.T) {
	for _, name := range []string{"tls13-aes128-gcm", "tls12-ecdhe-no-ems"} {
		packets, secrets := pcaptest.Of(t, filepath.Join(ownRecordings, name+".pcapng"), 1400)
		es := tellWire(t, pcaptest.File(packets, 140), secrets)
		said := map[string]bool{}
		sentences(es, func(id, text string) {
			said[id] = true
			if strings.Contains(text, "ServerHello is not in the capture") && !strings.Contains(text, "or not whole") {
				t.Errorf("%s: %s", name, text)
			}
		})
		if !said["server-hello-cut"] || !said["unopened-cut-server-hello"] {
			t.Errorf("%s: said %v", name, said)
		}
	}
}
