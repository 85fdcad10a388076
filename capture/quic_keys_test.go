package capture_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/pcap"
	"explainer/capture/pcap/pcaptest"
	"explainer/capture/quic"
	"explainer/capture/web"
)

// quicGo are recordings of quic-go with itself, made by go test ./capture -run TestRecordQUIC -record-quic-go.
var quicGo = []string{"http3", "version2-retry-update"}

// TestECHOverQUIC opens a connection whose key log names its lines by the random number of the
// encrypted hello, and tells of what goes on between other ports that it may belong to it.
func TestECHOverQUIC(t *testing.T) {
	packets, secrets := pcaptest.Keyed(t, filepath.Join("testdata", "quic", "ech-moved"))
	inputs := datagramsOf(t, pcaptest.File(packets, 0))
	for name, all := range map[string][]capture.Message{
		"keys first":  fed(&capture.Decoder{SecretsFirst: true}, keyed(secrets, inputs)),
		"keys behind": fed(new(capture.Decoder), append(inputs, keyed(secrets, nil)...)),
	} {
		tilesUDP(t, all)
		var finished, data [2]int
		for _, m := range all {
			switch b := m.Body.(type) {
			case *handshake.Finished:
				finished[m.Side]++
			case *capture.AppData:
				data[m.Side] += b.Len
			case *capture.QUICPacket:
				if b.Reason != "" {
					t.Errorf("%s: %s stays sealed: %s", name, b.Kind, b.Reason)
				}
			}
		}
		if finished != [2]int{1, 1} || data != [2]int{19, 19} {
			t.Errorf("%s: %v Finished, %v bytes of data", name, finished, data)
		}
	}
	r, err := pcap.NewReader(bytes.NewReader(pcaptest.File(packets, 0)))
	if err != nil {
		t.Fatal(err)
	}
	for range r.All() {
	}
	if n := r.Stats().Skipped[pcap.SkippedMoved]; n != 6 {
		t.Errorf("%d packets on the other path", n)
	}
}

// readQUIC reads one of them: what is fed of its packets, the packets, and the key log.
func readQUIC(t testing.TB, name string) (inputs []capture.Input, packets []pcaptest.Packet, secrets []keys.Secret) {
	t.Helper()
	packets, secrets = pcaptest.Keyed(t, filepath.Join("testdata", "quic", name))
	return datagramsOf(t, pcaptest.File(packets, 0)), packets, secrets
}

// datagramsOf is what is fed of a capture.
func datagramsOf(t testing.TB, file []byte) (inputs []capture.Input) {
	t.Helper()
	r, err := pcap.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for in, err := range r.All() {
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := in.(*capture.Datagram); ok {
			c := *d
			c.Data = bytes.Clone(d.Data)
			in = &c
		}
		inputs = append(inputs, in)
	}
	return inputs
}

// ofSides are the messages of each side of each connection, but for key log lines.
func ofSides(ms []capture.Message) map[string][]capture.Message {
	out := map[string][]capture.Message{}
	for _, m := range ms {
		switch m.Body.(type) {
		case *capture.Keyed, *capture.KeyLine, *capture.Ended:
			continue
		}
		who := fmt.Sprint(m.Conn.Number, m.Side)
		m.Conn = nil
		out[who] = append(out[who], m)
	}
	return out
}

// fed are the messages that a decoder makes of what it is fed.
func fed(d *capture.Decoder, inputs []capture.Input) (all []capture.Message) {
	for _, in := range inputs {
		all = append(all, d.Feed(in)...)
	}
	return append(all, d.Finish()...)
}

// TestQUICKeysAtAnyTime: whenever the lines of a key log come, each side's messages are the same.
func TestQUICKeysAtAnyTime(t *testing.T) {
	for _, name := range quicGo {
		inputs, _, secrets := readQUIC(t, name)
		var early []capture.Input
		for i := range secrets {
			early = append(early, &secrets[i])
		}
		all := fed(&capture.Decoder{SecretsFirst: true}, append(slices.Clone(early), inputs...))
		tilesUDP(t, all)
		want := ofSides(all)
		counts := map[quic.Type]int{}
		requests := 0
		for _, m := range all {
			switch b := m.Body.(type) {
			case *capture.QUICPacket:
				if b.Reason == "" {
					counts[b.Kind]++
				} else if b.Kind != quic.ZeroRTT || b.Reason != capture.SealedNoKey {
					t.Errorf("%s: %d packets stayed sealed: %v, %s", name, b.Packets, b.Kind, b.Reason)
				}
				if b.Broken {
					t.Errorf("%s: frames of packet %d break off", name, b.Number)
				}
			case *web.Head:
				if b.Request {
					requests++
				}
			case *capture.Missing:
				t.Errorf("%s: %d bytes of streams are missing", name, b.Len)
			}
		}
		if counts[quic.Handshake] == 0 || counts[quic.OneRTT] < 15 || name == "http3" && requests != 3 {
			t.Errorf("%s: opened %v, %d requests", name, counts, requests)
		}
		for seed := range uint64(40) {
			rng := rand.New(rand.NewPCG(seed, 1))
			mixed := slices.Clone(inputs)
			at := make([]int, len(secrets)) // in the order of the log, in which they were derived
			for i := range at {
				if at[i] = len(inputs); seed%4 != 0 {
					at[i] = rng.IntN(len(inputs) + 1)
				}
			}
			slices.Sort(at)
			for i := range secrets {
				mixed = slices.Insert(mixed, at[i]+i, capture.Input(&secrets[i]))
			}
			got := fed(new(capture.Decoder), mixed)
			tilesUDP(t, got)
			for who, ms := range ofSides(got) {
				if len(ms) != len(want[who]) {
					t.Fatalf("%s, seed %d: %d messages of %s, not %d", name, seed, len(ms), who, len(want[who]))
				}
				for i := range ms {
					if !reflect.DeepEqual(ms[i], want[who][i]) {
						t.Fatalf("%s, seed %d: %s: message %d is %+v, not %+v", name, seed, who, i, ms[i], want[who][i])
					}
				}
			}
		}
	}
}

// TestQUICDamaged: of datagrams that are lost, repeated, put into another order, changed and
// cut, with lines of the key log missing, nothing is told that the whole capture does not tell.
func TestQUICDamaged(t *testing.T) {
	for _, name := range quicGo {
		_, packets, secrets := readQUIC(t, name)
		said := map[string]bool{}
		key := func(m *capture.Message) string {
			switch b := m.Body.(type) {
			case handshake.Message:
				return fmt.Sprintf("%v %x", m.Side, m.Raw)
			case *web.Head:
				head := *b
				if !head.Request {
					head.Method = "" // the request may be missing
				}
				return fmt.Sprintf("%v %+v", m.Side, head)
			case *capture.QUICPacket:
				if b.Reason == "" && m.Opened {
					return fmt.Sprintf("%v %v %d %+v", m.Side, b.Kind, b.Number, b.Frames)
				}
			}
			return ""
		}
		for _, m := range pcaptest.Read(t, pcaptest.File(packets, 0), secrets) {
			said[key(&m)] = true
		}
		for seed := range uint64(60) {
			rng := rand.New(rand.NewPCG(seed, 2))
			left, snap := slices.Clone(packets), 0
			switch seed % 6 {
			case 0:
				left = slices.DeleteFunc(left, func(pcaptest.Packet) bool { return rng.IntN(5) == 0 })
			case 1:
				left = pcaptest.Shuffled(left, 6, rng)
			case 2:
				for range 20 {
					at := rng.IntN(len(left))
					left = slices.Insert(left, rng.IntN(len(left)), left[at])
				}
			case 3:
				snap = 60 + rng.IntN(1200)
			case 4:
				for range 10 {
					p := &left[rng.IntN(len(left))]
					p.IP = bytes.Clone(p.IP)
					p.IP[28+rng.IntN(len(p.IP)-28)] ^= byte(1 + rng.IntN(255))
				}
			case 5:
				left = left[rng.IntN(len(left)/2):]
			}
			some := slices.DeleteFunc(slices.Clone(secrets), func(keys.Secret) bool { return seed%4 == 1 && rng.IntN(3) == 0 })
			ms := pcaptest.Read(t, pcaptest.File(left, snap), some)
			tilesUDP(t, ms)
			for i := range ms {
				if k := key(&ms[i]); !said[k] && k != "" && ms[i].By != capture.ByInitial {
					t.Errorf("%s, seed %d: told %.300s, which the whole capture does not tell", name, seed, k)
				}
				if _, says := ms[i].Body.(handshake.Message); says && ms[i].Time != left[ms[i].Last-1].Time {
					t.Errorf("%s, seed %d: %.80s at %d, not when packet %d came", name, seed, key(&ms[i]), ms[i].Time, ms[i].Last)
				}
			}
		}
	}
}

// TestQUICMoved: a connection whose client has another port from some packet on, as behind an address translator
// that forgot it, is one connection, and it is told that it moved.
func TestQUICMoved(t *testing.T) {
	_, packets, secrets := readQUIC(t, "http3")
	moved := slices.Clone(packets)
	for i := range moved[14:] {
		p := &moved[14+i]
		at := 22 // the port that it goes to
		if p.IP[20] == 54321>>8 {
			at = 20
		}
		p.IP = bytes.Clone(p.IP)
		p.IP[at+1]++
	}
	requests, moves := 0, 0
	for _, m := range pcaptest.Read(t, pcaptest.File(moved, 0), secrets) {
		switch b := m.Body.(type) {
		case *web.Head:
			if b.Request {
				requests++
			}
		case *capture.Moved:
			if moves++; b.Client.Port() != 54322 || b.Server.Port() != 443 {
				t.Errorf("moved to %v and %v", b.Client, b.Server)
			}
		case *capture.QUICPacket:
			if b.Reason != "" {
				t.Errorf("sealed: %v, %s", b.Kind, b.Reason)
			}
		}
		if m.Conn != nil && m.Conn.Number != 1 {
			t.Fatalf("there is a connection %d", m.Conn.Number)
		}
	}
	if requests != 3 || moves != 1 {
		t.Errorf("%d requests, moved %d times", requests, moves)
	}
}

// TestHTTP3Lost: with one datagram lost, a body that its frames say is whole is as long as it was, and
// what is missing of it is counted.
func TestHTTP3Lost(t *testing.T) {
	_, packets, secrets := readQUIC(t, "http3")
	bodies := func(packets []pcaptest.Packet) map[string]*web.Body {
		all := map[string]*web.Body{}
		for _, m := range pcaptest.Read(t, pcaptest.File(packets, 0), secrets) {
			if b, ok := m.Body.(*web.Body); ok {
				all[fmt.Sprint(m.Side, b.Stream)] = b
			}
		}
		return all
	}
	whole := bodies(packets)
	missing := 0
	for i := range packets {
		for key, b := range bodies(slices.Delete(slices.Clone(packets), i, i+1)) {
			if b.Missing > 0 {
				missing++
			}
			if w := whole[key]; b.Len > w.Len || b.Complete && b.Len != w.Len {
				t.Errorf("without packet %d, the body of %s is %d bytes, %d of them missing, whole %t; it was %d", i, key, b.Len, b.Missing, b.Complete, w.Len)
			}
		}
	}
	if missing == 0 {
		t.Errorf("nothing was missing of %d bodies", len(whole))
	}
}
