package capture_test

import (
	"testing"

	"explainer/capture"
	"explainer/capture/handshake"
)

// TestCutFlight cuts the flight of a server that sends all of it in one record, at each
// length: whatever messages are whole then are told, and no others.
func TestCutFlight(t *testing.T) {
	_, inputs := inputsOf(t, "testdata/recordings/tls12-client-certificate.pcapng", "")
	var hello []byte
	var flight [][]byte
	for _, m := range decode(t, &capture.Decoder{}, inputs) {
		b, ok := m.Body.(handshake.Message)
		switch {
		case !ok || m.Opened:
		case b.Type() == handshake.TypeClientHello:
			hello = record(22, m.Raw...)
		case m.Side == capture.Server && b.Type() != handshake.TypeNewSessionTicket:
			flight = append(flight, m.Raw)
		}
	}
	if len(flight) != 5 {
		t.Fatalf("the flight has %d messages", len(flight))
	}
	var all []byte
	var ends []int64
	for _, raw := range flight {
		all = append(all, raw...)
		ends = append(ends, int64(5+len(all)))
	}
	all = record(22, all...)
	for n := 1; n < len(all); n++ {
		var got []int64
		told := int64(0)
		d := capture.Decoder{}
		take := func(ms []capture.Message) {
			for _, m := range ms {
				if m.Side != capture.Server || m.Span.End == m.Span.Start {
					continue
				}
				if m.Span.Start != told {
					t.Fatalf("cut at %d: %T begins at %d, not at %d", n, m.Body, m.Span.Start, told)
				}
				if told = m.Span.End; m.Raw != nil {
					got = append(got, told)
				}
			}
		}
		take(d.Feed(&capture.Open{Conn: 1, SYN: true}))
		take(d.Feed(&capture.Chunk{Conn: 1, Side: capture.Client, Data: hello}))
		take(d.Feed(&capture.Chunk{Conn: 1, Side: capture.Server, Data: all[:n]}))
		take(d.Feed(&capture.Gap{Conn: 1, Side: capture.Server, Len: int64(len(all) - n)}))
		take(d.Finish())
		whole := 0
		for whole < len(ends) && ends[whole] <= int64(n) {
			whole++
		}
		if len(got) != whole || told != int64(len(all)) {
			t.Fatalf("cut at %d: %d messages, not %d; told up to %d of %d", n, len(got), whole, told, len(all))
		}
		for i, end := range got {
			if end != ends[i] {
				t.Fatalf("cut at %d: message %d ends at %d, not at %d", n, i, end, ends[i])
			}
		}
	}
}
