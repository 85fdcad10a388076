package capture_test

import (
	"crypto/tls"
	"slices"
	"testing"

	"explainer/capture"
)

// A reset is the last that is told of a connection: what the other side had sent,
// sealed records too, comes before.
func TestResetComesLast(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var r tape
		r.converse(t, &tls.Config{MinVersion: version, MaxVersion: version}, &tls.Config{}, exchange("hello", "world"))
		r.secrets = nil
		for n := range r.chunks {
			for _, side := range []capture.Side{capture.Client, capture.Server} {
				in := slices.Clone(r.inputs(0)[:n+2])
				in = append(in, &capture.Close{Conn: 1, Side: side, Packet: 1000, Reset: true})
				for _, first := range []bool{false, true} {
					all := decode(t, &capture.Decoder{SecretsFirst: first}, in)
					if c, ok := all[len(all)-1].Body.(*capture.Closed); !ok || !c.Reset {
						t.Fatalf("TLS %04x, reset by the %v after %d chunks: the last is %s", version, side, n+1, show(all[len(all)-1]))
					}
				}
			}
		}
	}
}

// A ChangeCipherSpec is in clear, whichever version it belongs to.
func TestChangeCipherSpecOfOneSide(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, side := range []capture.Side{capture.Client, capture.Server} {
			var r, one tape
			r.converse(t, &tls.Config{MinVersion: version, MaxVersion: version}, &tls.Config{}, exchange("hello"))
			for _, c := range r.chunks {
				if c.Side == side {
					one.add(side, c.Data)
				}
			}
			all := decode(t, &capture.Decoder{}, one.inputs(0))
			count(t, all, 1, func(*capture.ChangeCipherSpec) bool { return true })
			count(t, all, 0, func(s *capture.Sealed) bool { return s.Type == 20 })
		}
	}
}

// Without keys, only what came before the server's answer is known to be early data.
func TestSealedEarlyData(t *testing.T) {
	r := load(t, "testdata/early-data-rejected.txt")
	r.secrets = nil
	all := decode(t, &capture.Decoder{}, r.inputs(0))
	var answer int
	for _, m := range all {
		if m.Side == capture.Server && answer == 0 && m.First != 0 {
			answer = m.First
		}
	}
	early := 0
	for _, m := range all {
		if s, ok := m.Body.(*capture.Sealed); ok && s.Reason == capture.SealedEarly {
			early++
			if m.Last > answer {
				t.Errorf("the answer is in packet %d, and this is told as early data: %s", answer, show(m))
			}
		}
	}
	if early != 1 {
		t.Errorf("%d messages are told as early data:\n%s", early, names(all))
	}
}
