package annotate_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/capture"
)

// TestHeartbeat: a request without room for its payload and 16 bytes of padding is to be
// dropped (RFC 6520 4), and an answer to it is the fault.
func TestHeartbeat(t *testing.T) {
	for _, c := range []struct {
		request, answer capture.Heartbeat
		want            []string
	}{
		{capture.Heartbeat{Kind: 1, Length: 20, Have: 36}, capture.Heartbeat{Kind: 2, Length: 20, Have: 36}, []string{"heartbeat", "heartbeat"}},
		{capture.Heartbeat{Kind: 1, Length: 16384, Have: 0}, capture.Heartbeat{Kind: 2, Length: 16384, Have: 16400}, []string{"heartbleed", "heartbleed-answered"}},
		{capture.Heartbeat{Kind: 1, Length: 16365, Have: 16365}, capture.Heartbeat{Kind: 2, Length: 16365, Have: 16381}, []string{"heartbleed", "heartbleed-answered"}},
	} {
		conn := &capture.Conn{Number: 1}
		var said []string
		for _, e := range events([]capture.Message{
			{Conn: conn, Side: capture.Client, Body: &c.request},
			{Conn: conn, Side: capture.Server, Body: &c.answer},
		}) {
			if e.Topic == event.Topic("heartbeat") {
				for _, s := range e.Says {
					said = append(said, s.ID)
				}
			}
		}
		if !slices.Equal(said, c.want) {
			t.Errorf("%+v, %+v: said %v, want %v", c.request, c.answer, said, c.want)
		}
	}
}

// TestSealedHeartbeat: a heartbeat is told as one by the type that stands before it in clear, an
// answer with far more bytes is odd, and a client that sends one is no spare connection.
func TestSealedHeartbeat(t *testing.T) {
	for _, c := range []struct {
		asked, answered int
		want            []string
	}{
		{48, 48, []string{"sealed-heartbeat", "sealed-heartbeat"}},
		{48, 1024, []string{"sealed-heartbeat", "sealed-heartbeat"}},
		{48, 16384, []string{"sealed-heartbeat", "sealed-heartbeat-longer"}},
		{16384, 16384, []string{"sealed-heartbeat", "sealed-heartbeat"}},
	} {
		tp := silent(t, "other.test", "")
		tp.keys.Reset()
		record := func(n int) []byte {
			return append([]byte{24, 3, 3, byte(n >> 8), byte(n)}, bytes.Repeat([]byte{0xa5}, n)...)
		}
		last := slices.IndexFunc(tp.chunks, func(c chunk) bool { return len(c.data) > 0 && c.data[0] == 21 })
		tp.chunks = slices.Insert(tp.chunks, last, chunk{capture.Client, record(c.asked), false}, chunk{capture.Server, record(c.answered), false})
		var said []string
		for _, e := range events(messages(tp.inputs(0, capture.LegNone))) {
			for _, s := range e.Says {
				if strings.HasPrefix(s.ID, "sealed-heartbeat") {
					said = append(said, s.ID)
				}
			}
			if e.Summary != nil {
				for _, r := range e.Summary.Legs[0].Rows {
					if r.Step == event.Step4a && r.Says.ID != "step-4a-finished" {
						t.Errorf("step 4a: %q", r.Says.ID)
					}
				}
			}
		}
		if !slices.Equal(said, c.want) {
			t.Errorf("%d answered with %d: said %v, want %v", c.asked, c.answered, said, c.want)
		}
	}
}
