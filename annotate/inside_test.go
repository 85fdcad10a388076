package annotate_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/handshake"
)

// TestTLSInside: where data begins as TLS does, it is said that none was looked for inside.
func TestTLSInside(t *testing.T) {
	hello, _ := hex.DecodeString("160301002d010000" + "290303" + strings.Repeat("00", 32) + "00" + "0002" + "1301" + "0100")
	upgrade := "GET /tunnel HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	accept := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
	frame := string([]byte{0x82, 0x80 | byte(len(hello)), 0, 0, 0, 0}) + string(hello)
	for _, test := range []struct {
		name   string
		chunks []capture.Chunk
		inside bool
	}{
		{"WebSocket", []capture.Chunk{{Side: capture.Client, Data: []byte(upgrade)}, {Side: capture.Server, Data: []byte(accept)}, {Side: capture.Client, Data: []byte(frame)}}, true},
		{"other data in it", []capture.Chunk{{Side: capture.Client, Data: []byte(upgrade)}, {Side: capture.Server, Data: []byte(accept)}, {Side: capture.Client, Data: []byte("\x82\x85\x00\x00\x00\x00\x16\x03xyz")}}, false},
		{"body", []capture.Chunk{{Side: capture.Client, Data: []byte("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: " + "50\r\n\r\n" + string(hello))}}, true},
	} {
		d, x := capture.Decoder{}, annotate.Explainer{}
		var says []string
		take := func(ms []capture.Message) {
			for i := range ms {
				if _, ok := ms[i].Body.(handshake.Message); ok {
					t.Errorf("%s: it is read after all", test.name)
				}
				for _, e := range x.Explain(&ms[i]) {
					for _, s := range e.Says {
						says = append(says, string(e.Kind)+" "+s.ID)
					}
				}
			}
		}
		take(d.Feed(&capture.Open{Conn: 1, SYN: true, Asked: true, Answered: true, Time: time.Now().UnixNano()}))
		for i := range test.chunks {
			c := test.chunks[i]
			c.Conn = 1
			take(d.Feed(&c))
		}
		take(d.Finish())
		if slices.Contains(says, string(event.KindMessage)+" tls-inside") != test.inside {
			t.Errorf("%s: %v", test.name, says)
		}
	}
}

// TestDTLSRepeats: what DTLS sends again is told once, and counted; what merely comes late is not.
func TestDTLSRepeats(t *testing.T) {
	file, err := os.ReadFile("testdata/dtls12.pcap")
	if err != nil {
		t.Fatal(err)
	}
	head, rest := file[:24], file[24:]
	var packets [][]byte
	for len(rest) > 0 {
		n := 16 + int(binary.LittleEndian.Uint32(rest[8:]))
		packets, rest = append(packets, rest[:n]), rest[n:]
	}
	names := func(order ...int) (names []string, again string) {
		out := bytes.Clone(head)
		for _, i := range order {
			out = append(out, packets[i]...)
		}
		path := filepath.Join(t.TempDir(), "dtls.pcap")
		if err := os.WriteFile(path, out, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, e := range story(t, path, false) {
			if e.TLS != nil || e.Topic == "client-hello" {
				names = append(names, e.Name)
			}
			for _, s := range e.Says {
				if s.ID == "summary-dtls-repeated" {
					again = s.Args["again"]
				}
			}
		}
		return names, again
	}
	whole, again := names(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
	if again != "" {
		t.Errorf("as it is, again %s", again)
	}
	for _, test := range []struct {
		order []int
		again string
	}{
		{[]int{0, 0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, "1 record of the client and 2 records of the server"},
		{[]int{0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, "1 record of the server"},
		{[]int{0, 1, 2, 3, 5, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, ""},
		{[]int{0, 1, 2, 4, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, ""},
	} {
		got, again := names(test.order...)
		if !slices.Equal(got, whole) || again != test.again {
			t.Errorf("%v: %v, again %q, not %v, again %q", test.order, got, again, whole, test.again)
		}
	}
	// A capture that begins with messages out of order has none of them again.
	if _, again := names(4, 3, 5, 6, 7, 8, 9); again != "" {
		t.Errorf("out of order, again %s", again)
	}
}
