package capture_test

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// TestConnStays: whoever holds a message's Conn may read it at any time, from any
// goroutine: it is what it was when the connection began, whenever the keys come.
func TestConnStays(t *testing.T) {
	files, err := filepath.Glob("testdata/recordings/*.pcapng")
	if err != nil || len(files) < 50 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		secrets, rest := inputsOf(t, file, "")
		for _, at := range []int{0, len(rest) / 2, len(rest)} {
			was := map[*capture.Conn]capture.Conn{}
			numbers := map[int]*capture.Conn{}
			for _, m := range decode(t, &capture.Decoder{}, slices.Concat(rest[:at], secrets, rest[at:])) {
				c := m.Conn
				if c == nil {
					continue
				}
				if _, ok := m.Body.(*capture.Opened); ok {
					was[c], numbers[c.Number] = *c, c
				}
				if *c != was[c] || numbers[c.Number] != c {
					t.Fatalf("%s, keys at %d: connection %d is %+v, and was %+v", file, at, c.Number, *c, was[c])
				}
			}
		}
	}
}

// TestKeyed: each key log line of a handshake is told once, behind its hello or when
// it comes; and of several with one label, the one that opens the records again.
func TestKeyed(t *testing.T) {
	for name, config := range map[string]*tls.Config{
		"TLS 1.2": {MaxVersion: tls.VersionTLS12},
		"TLS 1.3": {MinVersion: tls.VersionTLS13},
	} {
		t.Run(name, func(t *testing.T) {
			var r tape
			r.converse(t, config.Clone(), config.Clone(), exchange("hello"))
			for place := range len(r.chunks) + 1 {
				all := decode(t, &capture.Decoder{}, r.inputs(place))
				hello := slices.IndexFunc(all, func(m capture.Message) bool { _, ok := m.Body.(*handshake.ClientHello); return ok })
				random := all[hello].Body.(*handshake.ClientHello).Random
				told := map[string]int{}
				for i, m := range all {
					k, ok := m.Body.(*capture.Keyed)
					if !ok {
						continue
					}
					told[k.Label]++
					line := keys.Secret{Label: k.Label, ClientRandom: k.ClientRandom[:], Secret: k.Secret}
					if i < hello || place == 0 && i > hello+len(r.secrets) || k.ClientRandom != random ||
						!slices.ContainsFunc(r.secrets, func(s keys.Secret) bool { return s.String() == line.String() }) {
						t.Errorf("secrets before chunk %d: message %d is %s, the hello %d", place, i, line.String(), hello)
					}
				}
				for _, s := range r.secrets {
					if told[s.Label] != 1 {
						t.Errorf("secrets before chunk %d: %s was told %d times", place, s.Label, told[s.Label])
					}
				}
				count(t, all, len(r.secrets), func(*capture.KeyLine) bool { return true })
			}

			// Another line with the same label is no worse than this one, until records are there.
			for _, wrongLast := range []bool{false, true} {
				twice := tape{chunks: r.chunks}
				for _, s := range r.secrets {
					wrong := s
					wrong.Secret = bytes.Repeat([]byte{7}, len(s.Secret))
					twice.secrets = append(twice.secrets, s, wrong)
					if !wrongLast {
						slices.Reverse(twice.secrets[len(twice.secrets)-2:])
					}
				}
				all := decode(t, &capture.Decoder{}, twice.inputs(0))
				allOpened(t, all)
				known := map[string][]byte{}
				for _, m := range all {
					if k, ok := m.Body.(*capture.Keyed); ok {
						known[k.Label] = k.Secret
					}
					for _, s := range r.secrets {
						if m.Opened && m.By == s.Label && !bytes.Equal(known[m.By], s.Secret) {
							t.Errorf("%s was opened, and the line told last is %x", show(m), known[m.By])
						}
					}
				}
			}
		})
	}
}

// TestKeyedAlike: recordings of test servers have one client random in several
// connections; each is told the lines, and which of them opens its own records.
func TestKeyedAlike(t *testing.T) {
	var r tape
	r.converse(t, &tls.Config{}, &tls.Config{}, exchange("hello"))
	in := r.inputs(0)
	for _, i := range r.inputs(0) {
		switch i := i.(type) {
		case *capture.Open:
			c := *i
			c.Conn = 2
			in = append(in, &c)
		case *capture.Chunk:
			c := *i
			c.Conn = 2
			in = append(in, &c)
		case *capture.Close:
			c := *i
			c.Conn = 2
			in = append(in, &c)
		}
	}
	told := map[int]int{}
	for _, m := range decode(t, &capture.Decoder{}, in) {
		if _, ok := m.Body.(*capture.Keyed); ok {
			told[m.Conn.Number]++
		}
	}
	if len(told) != 2 || told[1] != len(r.secrets) || told[2] != len(r.secrets) {
		t.Errorf("%d lines, told by connection: %v", len(r.secrets), told)
	}
}

// TestKeyedUDP: a connection of QUIC is told the lines of its client random, whether they
// come before its hello or behind it.
func TestKeyedUDP(t *testing.T) {
	text, err := os.ReadFile("../annotate/testdata/quic-negotiation.hex")
	if err != nil {
		t.Fatal(err)
	}
	packets := []capture.Input{&capture.Open{Transport: capture.TransportQUIC, Conn: 1, Packet: 1}}
	for line := range strings.Lines(string(text)) {
		data, err := hex.DecodeString(strings.TrimSpace(line[2:]))
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, &capture.Datagram{Conn: 1, Side: map[byte]capture.Side{'c': capture.Client, 's': capture.Server}[line[0]], Packet: len(packets), Data: data})
	}
	messages := func(in []capture.Input) (all []capture.Message) {
		var d capture.Decoder
		for _, i := range in {
			all = append(all, d.Feed(i)...)
		}
		return append(all, d.Finish()...)
	}
	var random []byte
	for _, m := range messages(packets) {
		if hello, ok := m.Body.(*handshake.ClientHello); ok {
			random = hello.Random[:]
		}
	}
	line := &keys.Secret{Label: "CLIENT_HANDSHAKE_TRAFFIC_SECRET", ClientRandom: random, Secret: bytes.Repeat([]byte{7}, 32)}
	other := &keys.Secret{Label: line.Label, ClientRandom: bytes.Repeat([]byte{1}, 32), Secret: line.Secret}
	for at := range len(packets) {
		told := 0
		for _, m := range messages(slices.Insert(slices.Clone(packets), at, capture.Input(line), capture.Input(other))) {
			if k, ok := m.Body.(*capture.Keyed); ok {
				if told++; m.Conn.Number != 1 || k.Label != line.Label || !bytes.Equal(k.Secret, line.Secret) {
					t.Errorf("before input %d: %+v", at, k)
				}
			}
		}
		if told != 1 {
			t.Errorf("before input %d the line is told %d times", at, told)
		}
	}
}
