package annotate_test

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"slices"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/survey"
	"explainer/capture/pcap/pcaptest"
)

// TestCapturedTwice merges what two taps have of the same connections, before and behind a
// translation of addresses and with clocks apart. Each connection is told twice and counted
// once, and the other one says which it is.
func TestCapturedTwice(t *testing.T) {
	for _, name := range []string{"http1", "http2", "tls10-rsa", "tls12-dhe-rsa", "tls12-resumed-id", "tls12-psk", "tls13-hrr", "tls13-0rtt", "starttls-smtp", "socks5"} {
		for _, late := range []int64{2e5, 4e6, 90e9} {
			packets, secrets := pcaptest.Of(t, filepath.Join(ownRecordings, name+".pcapng"), 1400)
			counted := func(all []pcaptest.Packet) (*event.Overview, []event.Event) {
				slices.SortStableFunc(all, func(a, b pcaptest.Packet) int { return int(a.Time - b.Time) })
				var s survey.Survey
				es := tellWire(t, pcaptest.File(all, 0), secrets)
				for i := range es {
					s.Add(&es[i])
				}
				return s.Overview(event.File{}).Overview, es
			}
			var twice, relayed []pcaptest.Packet
			for _, p := range packets {
				q := pcaptest.Packet{Time: p.Time + late, IP: bytes.Clone(p.IP)}
				if p.FromClient() {
					copy(q.IP[12:], []byte{203, 0, 113, 7})
					q.IP[20] ^= 0x20 // its port
				} else {
					copy(q.IP[16:], []byte{203, 0, 113, 7})
					q.IP[22] ^= 0x20
				}
				twice = append(twice, p, q)
				own := pcaptest.Packet{Time: q.Time, IP: bytes.Clone(q.IP)} // of somebody who connects anew
				for i := 24; i < 32; i += 4 {
					binary.BigEndian.PutUint32(own.IP[i:], binary.BigEndian.Uint32(own.IP[i:])+5)
				}
				relayed = append(relayed, p, own)
			}
			want, _ := counted(packets)
			got, es := counted(relayed)
			passed := 0
			sentences(es, func(id, _ string) {
				if id == "connection-passed-on" {
					passed++
				}
			})
			if got.Copies != 0 || got.Connections != 2*want.Connections || (passed > 0) != (late < 60e9) {
				t.Errorf("%s, with other sequence numbers: %d connections, %d copies; %d times said to be passed on", name, got.Connections, got.Copies, passed)
			}
			got, es = counted(twice)
			if late > 60e9 { // that far apart it is somebody who repeats himself
				if got.Copies != 0 || got.Connections != 2*want.Connections {
					t.Errorf("%s: %d connections and %d copies", name, got.Connections, got.Copies)
				}
				continue
			}
			if got.Copies != want.Connections || got.Connections != want.Connections || got.Requests != want.Requests || got.Secured != want.Secured || got.Proven != want.Proven {
				t.Errorf("%s, %d ns later: %d connections, %d copies, %d requests, %d secured, %d proven; alone %d, -, %d, %d, %d", name, late,
					got.Connections, got.Copies, got.Requests, got.Secured, got.Proven, want.Connections, want.Requests, want.Secured, want.Proven)
			}
			for _, e := range es {
				if e.Tally != nil && e.Tally.CopyOf > 0 && e.Tally.CopyOf >= e.Conn {
					t.Errorf("%s: connection %d is a copy of %d", name, e.Conn, e.Tally.CopyOf)
				}
			}
			sentences(es, func(id, text string) {
				if id == "key-reused" {
					t.Errorf("%s: %s", name, text)
				}
			})
		}
	}
}
