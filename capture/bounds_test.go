package capture_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"explainer/capture"
	"explainer/capture/keys"
)

// TestRecordedAreForgotten: nothing is kept of a recording's connections once the
// proxy has said that they are closed, whether their FINs were seen or not.
func TestRecordedAreForgotten(t *testing.T) {
	const sessions = 5000
	secrets, rest := inputsOf(t, "testdata/recordings/tls13-aes128-gcm.pcapng", "")
	var d capture.Decoder
	d.SecretsFirst = true
	opened := 0
	feed := func(in capture.Input) {
		for _, m := range d.Feed(in) {
			if m.Opened && !m.Inner {
				opened++
			}
		}
	}
	for i := range sessions {
		for leg := capture.LegBrowser; leg <= capture.LegOrigin; leg++ {
			n := 2*i + int(leg)
			random := sha256.Sum256([]byte{byte(i), byte(i >> 8), byte(leg)})
			for _, in := range rest {
				switch in := in.(type) {
				case *capture.Open:
					o := *in
					o.Conn, o.Leg = n, leg
					feed(&o)
				case *capture.Chunk:
					c := *in
					c.Conn = n
					if i%2 == 0 { // every other has a client random of its own, and so nothing of it opens
						c.Data = bytes.Replace(c.Data, secrets[0].(*keys.Secret).ClientRandom, random[:], 1)
					}
					feed(&c)
					for _, s := range secrets {
						s := *s.(*keys.Secret)
						if i%2 == 0 {
							s.ClientRandom = random[:]
						}
						feed(&s)
					}
				case *capture.Close:
					if c := *in; c.Side == capture.Client {
						c.Conn = n
						feed(&c)
					}
				}
			}
			feed(&capture.Secret{Label: "RSA", ClientRandom: random[:8], Secret: random[:]})
			feed(&capture.Fact{Kind: capture.FactClosed, Conn: n, Outcome: "client"})
			if conns, _, _ := d.Kept(); conns != 0 {
				t.Fatalf("connection %d is followed after its end", n)
			}
		}
	}
	if opened < sessions {
		t.Errorf("%d messages were opened", opened)
	}
	if conns, randoms, lines := d.Kept(); conns != 0 || randoms != 0 || lines > 2*sessions {
		t.Errorf("%d connections, %d client randoms and %d key log lines are kept", conns, randoms, lines)
	}
}

// TestKeysGivenBefore: what was known before the first connection began, as from a
// key log, is known for all of them.
func TestKeysGivenBefore(t *testing.T) {
	secrets, rest := inputsOf(t, "testdata/recordings/tls13-aes128-gcm.pcapng", "")
	d := capture.Decoder{SecretsFirst: true}
	for _, s := range secrets {
		d.Feed(s)
	}
	for n := 1; n <= 3; n++ {
		opened := false
		for _, in := range rest {
			switch i := in.(type) {
			case *capture.Open:
				o := *i
				o.Conn, o.Leg = n, capture.LegBrowser
				in = &o
			case *capture.Chunk:
				c := *i
				c.Conn = n
				in = &c
			default:
				continue
			}
			for _, m := range d.Feed(in) {
				opened = opened || m.Opened
			}
		}
		d.Feed(&capture.Fact{Kind: capture.FactClosed, Conn: n})
		if !opened {
			t.Errorf("the keys of connection %d are gone", n)
		}
	}
}

// TestLargeKeyLog: a key log of a million lines, nearly all of them about connections
// that are not here, costs little more than its secrets, and one without end is bounded.
func TestLargeKeyLog(t *testing.T) {
	var d capture.Decoder
	before := liveBytes()
	feed := func(lines int, label string, secret []byte) {
		var random [32]byte
		for i := range lines {
			binary.BigEndian.PutUint64(random[:], uint64(i/2))
			copy(random[8:], label)
			binary.BigEndian.PutUint64(secret, uint64(i))
			d.Feed(&capture.Secret{Label: label, ClientRandom: random[:], Secret: secret})
		}
	}
	const lines = 1 << 18
	feed(lines, "CLIENT_RANDOM", make([]byte, 48))
	if grown := liveBytes() - before; grown > lines*120 {
		t.Errorf("%d lines take %d bytes each", lines, grown/lines)
	}
	if _, _, n := d.Kept(); n != lines {
		t.Errorf("%d lines are kept", n)
	}
	feed(1<<20, strings.Repeat("L", 127), make([]byte, 127)) // 300 MiB
	if grown := liveBytes() - before; grown > 350<<20 {
		t.Errorf("without end, they take %d MiB", grown>>20)
	}
	if _, _, n := d.Kept(); n < 1<<19 || n > 1<<20 || n+d.Forgotten() != lines+1<<20 {
		t.Errorf("%d lines are kept, %d are told to be forgotten", n, d.Forgotten())
	}
}

// liveBytes is what is not garbage.
func liveBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestNoLongerFollowed: a connection that the reader gives up is told and forgotten.
func TestNoLongerFollowed(t *testing.T) {
	var d capture.Decoder
	d.Feed(&capture.Open{Conn: 1, Client: netip.MustParseAddrPort("10.0.0.1:1000"), Server: netip.MustParseAddrPort("10.0.0.2:443")})
	d.Feed(&capture.Chunk{Conn: 1, Data: []byte{22, 3, 1, 0, 80, 1, 0}})
	ms := d.Feed(&capture.End{Conn: 1, Time: 7, Why: capture.EndTooMany})
	if len(ms) != 2 {
		t.Fatal(ms)
	}
	if o, ok := ms[0].Body.(*capture.Opaque); !ok || o.Len != 7 {
		t.Errorf("what was left is told as %+v", ms[0].Body)
	}
	if e, ok := ms[1].Body.(*capture.Ended); !ok || e.Why != capture.EndTooMany || ms[1].Time != 7 {
		t.Errorf("the end is told as %+v", ms[1])
	}
	if conns, _, _ := d.Kept(); conns != 0 || len(d.Finish()) != 0 {
		t.Error("it is followed still")
	}
}
