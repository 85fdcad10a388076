package page

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// TestTimes: sessions are grouped where nothing new comes for two seconds, each phase lasts from what
// begins it to what ends it, requests lie on their session, and a silence is drawn short.
func TestTimes(t *testing.T) {
	at := func(ms int) string { return fmt.Sprintf("2026-01-02T03:04:%02d.%03dZ", ms/1000, ms%1000) }
	http := func(n uint64, method string, status int) *event.HTTP {
		return &event.HTTP{Exchange: n, Scheme: "https", Method: method, Target: "/<b>", Status: status}
	}
	events := []event.Event{
		{Kind: event.KindConnection, Session: 1, Time: at(0), Host: "a.test"},
		{Topic: event.TopicClientHello, Session: 1, Time: at(10)},
		{Topic: event.TopicServerHello, Session: 1, Time: at(20), TLS: &event.TLS{Version: "TLS 1.3", Group: "x25519", Suite: "AES"}},
		{Topic: event.TopicFinished, Session: 1, Time: at(30)},
		{Topic: event.TopicFinished, Session: 1, Time: at(40)},
		{Topic: event.TopicFinished, Session: 1, Time: at(45), Leg: "origin"},
		{Topic: event.TopicRequest, Session: 1, Time: at(60), HTTP: http(1, "GET", 0)},
		{Topic: event.TopicResponse, Session: 1, Time: at(70), HTTP: http(1, "", 100)},
		{Topic: event.TopicResponse, Session: 1, Time: at(80), HTTP: http(1, "", 200)},
		{Topic: event.TopicResponseBody, Session: 1, Time: at(100), HTTP: http(1, "", 0)},
		{Topic: event.TopicRequest, Session: 1, Time: at(1600), HTTP: http(3, "GET", 0)},
		{Kind: event.KindConnection, Session: 2, Time: at(2000), Host: "b.test"},
		{Kind: event.KindConnection, Session: 3, Time: at(9000), Host: "c.test"},
		{Kind: event.KindEnd, Session: 3, Time: at(9500), Tally: &event.Tally{}},
	}
	for i := range events {
		events[i].N, events[i].Conn = i+1, events[i].Session
	}
	b := told(t, events)
	v := View{Book: b, Lang: words.English, Base: "/"}
	got := loads(v.table("", 0, 0).Rows)
	if len(got) != 2 || got[0].N != 1 || got[1].N != 2 || got[1].Spans != "2000.0 ms" || got[1].Calls != 2 || len(got[1].Folds) != 1 || got[1].Folds[0].Spans != "1500.0 ms" {
		t.Fatalf("%+v", got)
	}
	s := got[1].Strands[0]
	phases := ""
	for i, bar := range s.Bars {
		phases += bar.Phase + " " + bar.Spans + ", "
		if i > 0 && bar.X != s.Bars[i-1].X+s.Bars[i-1].W {
			t.Errorf("%s does not begin where %s ends", bar.Phase, s.Bars[i-1].Phase)
		}
	}
	if want := "before 10.0 ms, handshake 30.0 ms, idle 20.0 ms, waiting 20.0 ms, answer 1520.0 ms, "; phases != want {
		t.Errorf("%s, want %s", phases, want)
	}
	if q := s.Requests[0]; q.At != "60.0 ms" || q.Took != "40.0 ms" || q.Waits.Spans != "20.0 ms" || q.What != "GET /<b>" {
		t.Errorf("%+v", q)
	}
	if w := got[1].Folds[0].W; w > 80 {
		t.Errorf("a silence is drawn %d wide", w)
	}
	b.mu.Lock()
	shares := fmt.Sprintf("%v", sharesOf(b.chosen(Query{})))
	b.mu.Unlock()
	if want := "[{outcome [{open  2 66} {other  1 33}] 0} {version [{ TLS 1.3 1 33}] 0} {exchange [{ x25519 1 33}] 0} {suite [{ AES 1 33}] 0}]"; shares != want {
		t.Errorf("%s, want %s", shares, want)
	}
	var out bytes.Buffer
	if err := v.Times(&out, "", 0, true); err != nil || !strings.Contains(out.String(), "GET /&lt;b&gt;") || !strings.Contains(out.String(), `href="/s/1"`) {
		t.Errorf("%v: %s", err, out.String())
	}
}
