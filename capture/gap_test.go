package capture_test

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/web"
)

// lose takes the bytes [from, to) of one side out of inputs and puts a Gap there.
func lose(inputs []capture.Input, side capture.Side, from, to int64) []capture.Input {
	var out []capture.Input
	var at int64
	for _, in := range inputs {
		c, ok := in.(*capture.Chunk)
		if !ok || c.Side != side {
			out = append(out, in)
			continue
		}
		begin, end := at, at+int64(len(c.Data))
		at = end
		if k := min(end, from) - begin; k > 0 {
			before := *c
			before.Data = c.Data[:k]
			out = append(out, &before)
		}
		if end > from && begin < to && end >= to { // the whole gap is known with what follows it
			out = append(out, &capture.Gap{Conn: c.Conn, Side: side, Time: c.Time, Packet: c.Packet, Len: to - from})
		}
		if k := end - max(begin, to); k > 0 {
			after := *c
			after.Data = c.Data[int64(len(c.Data))-k:]
			out = append(out, &after)
		}
	}
	return out
}

// secretsLast moves the key log lines to the end.
func secretsLast(inputs []capture.Input) []capture.Input {
	var first, last []capture.Input
	for _, in := range inputs {
		if _, ok := in.(*capture.Secret); ok {
			last = append(last, in)
		} else {
			first = append(first, in)
		}
	}
	return append(first, last...)
}

// appRecords counts the records of application data that a side sent, and where
// each one's bytes are.
func appRecords(all []capture.Message, side capture.Side) []capture.Span {
	var out []capture.Span
	for _, m := range all {
		if _, ok := m.Body.(*capture.AppData); ok && m.Side == side {
			out = append(out, m.Span)
		}
	}
	return out
}

// TestGap loses bytes among the data of connections of every suite and finds the
// records behind them again, each in its place in the sequence.
func TestGap(t *testing.T) {
	type config = tls.Config
	tests := map[string]*config{"TLS 1.3": {MinVersion: tls.VersionTLS13}}
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if s.SupportedVersions[0] == tls.VersionTLS13 {
			continue
		}
		for _, v := range s.SupportedVersions {
			if v == tls.VersionTLS13 {
				continue
			}
			c := &config{MinVersion: v, MaxVersion: v, CipherSuites: []uint16{s.ID}}
			if strings.Contains(s.Name, "ECDSA") {
				c.Certificates = []tls.Certificate{certificates().ecdsa}
			}
			tests[fmt.Sprintf("%s %#04x", s.Name, v)] = c
		}
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			var bodies []string
			for i := range 12 {
				bodies = append(bodies, strings.Repeat("x", 100+i*2000))
			}
			var r tape
			r.converse(t, c.Clone(), c.Clone(), exchange(bodies...))
			whole := decode(t, &capture.Decoder{}, r.inputs(0))
			chained := c.MinVersion == tls.VersionTLS10 && strings.Contains(name, "CBC")
			rng := rand.New(rand.NewPCG(1, uint64(len(name))))
			for _, side := range []capture.Side{capture.Client, capture.Server} {
				records := appRecords(whole, side)
				for try := range 2 {
					i := 1 + rng.IntN(len(records)-6)
					from := records[i].Start + rng.Int64N(records[i].End-records[i].Start)
					j := i + rng.IntN(3)
					to := max(from+1, records[j].Start+rng.Int64N(records[j].End-records[j].Start))
					broken := lose(r.inputs(0), side, from, to)
					all := decode(t, &capture.Decoder{}, broken)
					var missing uint64
					count(t, all, 1, func(a *capture.Again) bool { missing = a.Records; return !a.AtLeast })
					unopened := 0
					if chained {
						unopened = 1 // without the block before it, the first one cannot be decrypted
					}
					if got := len(appRecords(all, side)) + int(missing) + unopened; got != len(records) {
						t.Errorf("%v [%d,%d): %d records opened and %d missing, of %d", side, from, to, len(appRecords(all, side)), missing, len(records))
					}
					count(t, all, unopened, func(s *capture.Sealed) bool { return s.Reason != capture.SealedCut })
					count(t, all, 2, func(a *capture.Alert) bool { return a.Description == 0 })
					if try == 0 {
						same(t, "chunks of 700", all, decode(t, &capture.Decoder{}, rechunk(broken, 700)))
					}
					same(t, "secrets last", all, decode(t, &capture.Decoder{}, secretsLast(broken)))
					same(t, "not waiting", all, decode(t, &capture.Decoder{SecretsFirst: true}, broken))
				}
			}
		})
	}
}

// TestGapInHandshake loses any part of the handshake. What can be opened behind it
// is, and HTTP goes on with the next request.
func TestGapInHandshake(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var r tape
		r.converse(t, &tls.Config{MinVersion: version, MaxVersion: version}, &tls.Config{}, exchange("hello", "world", "again"))
		whole := decode(t, &capture.Decoder{}, r.inputs(0))
		for _, m := range whole {
			if _, ok := m.Body.(*capture.AppData); ok || m.Span.End == m.Span.Start || m.Inner {
				continue
			}
			for _, part := range []int64{m.Span.Start, (m.Span.Start + m.Span.End) / 2} {
				broken := lose(r.inputs(0), m.Side, part, m.Span.End)
				all := decode(t, &capture.Decoder{}, broken)
				same(t, "chunks of 3", all, decode(t, &capture.Decoder{}, rechunk(broken, 3)))
				same(t, "secrets last", all, decode(t, &capture.Decoder{}, secretsLast(broken)))
				count(t, all, 0, func(*capture.Malformed) bool { return true })
				switch m.Body.(type) {
				case *handshake.ClientHello, *handshake.ServerHello:
					continue // without them nothing can be opened
				}
				if got, want := len(appRecords(all, m.Side.Other())), len(appRecords(whole, m.Side.Other())); got != want {
					t.Errorf("%#04x: %s lost: %d records of the other side opened, of %d", version, show(m), got, want)
				}
				if got, want := len(appRecords(all, m.Side)), len(appRecords(whole, m.Side)); got < want {
					t.Errorf("%#04x: %s lost: %d records of its side opened, of %d:\n%s", version, show(m), got, want, names(all))
				}
			}
		}
	}
}

// TestGapInHTTP: behind a gap in a response, the next exchange is read.
func TestGapInHTTP(t *testing.T) {
	var r tape
	r.converse(t, &tls.Config{}, &tls.Config{}, exchange(strings.Repeat("a", 40000), "b", "c"))
	whole := decode(t, &capture.Decoder{}, r.inputs(0))
	first := appRecords(whole, capture.Server)[1]
	all := decode(t, &capture.Decoder{}, lose(r.inputs(0), capture.Server, first.Start+10, first.End-10))
	count(t, all, 1, func(a *capture.Again) bool { return a.Records == 1 })
	count(t, all, 1, func(o *capture.Opaque) bool { return o.Why == capture.OpaqueSkipped && o.Len == 10 })
	heads := func(all []capture.Message, request bool) (n int) {
		for _, m := range all {
			if h, ok := m.Body.(*web.Head); ok && h.Request == request {
				n++
			}
		}
		return n
	}
	for _, request := range []bool{true, false} {
		if got, want := heads(all, request), heads(whole, request); got != want {
			t.Errorf("%d heads, want %d", got, want)
		}
	}
	count(t, all, 1, func(b *web.Body) bool { return !b.Complete && !b.Request })
}

// TestGapFirst loses the client's hello: the server's side is TLS all the same.
func TestGapFirst(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var r tape
		r.converse(t, &tls.Config{MinVersion: version, MaxVersion: version}, &tls.Config{}, exchange("hello"))
		broken := lose(r.inputs(0), capture.Client, 0, 100)
		all := decode(t, &capture.Decoder{}, broken)
		count(t, all, 1, func(*handshake.ServerHello) bool { return true })
		count(t, all, 0, func(*capture.Malformed) bool { return true })
		same(t, "chunks of 5", all, decode(t, &capture.Decoder{}, rechunk(broken, 5)))
		same(t, "secrets last", all, decode(t, &capture.Decoder{}, secretsLast(broken)))
	}
}

// TestMidstreamAnywhere begins a capture at any byte of a connection.
func TestMidstreamAnywhere(t *testing.T) {
	var r tape
	r.converse(t, &tls.Config{}, &tls.Config{}, exchange("hello", strings.Repeat("x", 5000), "again", "and", "again"))
	whole := r.inputs(0)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		cut := 4 + rng.IntN(len(whole)/3)
		begin := &capture.Open{Conn: 1}
		inputs := []capture.Input{begin}
		for i, in := range whole[cut:] {
			c, ok := in.(*capture.Chunk)
			if !ok {
				continue
			}
			if i == 0 {
				half := *c
				half.Data = c.Data[rng.IntN(len(c.Data)):]
				c = &half
			}
			inputs = append(inputs, c)
		}
		all := decode(t, &capture.Decoder{}, inputs)
		if !inTLS(all) {
			t.Errorf("cut before %d: not recognised as TLS:\n%s", cut, names(all))
		}
		same(t, "chunks of 3", all, decode(t, &capture.Decoder{}, rechunk(inputs, 3)))
	}
}
