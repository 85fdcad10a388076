package annotate_test

import (
	"slices"
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
