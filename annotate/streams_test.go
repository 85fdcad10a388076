package annotate_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/web"
)

// TestStreams: of several requests on a connection of HTTP/2, each piece says to which it
// belongs; how a call of gRPC ended is told, and what an extended CONNECT asks for.
func TestStreams(t *testing.T) {
	c := &capture.Conn{Number: 1, Client: netip.MustParseAddrPort("192.0.2.1:1"), Server: netip.MustParseAddrPort("192.0.2.2:443"), SYN: true}
	head := func(stream uint32, method, target, connect string) *web.Head {
		return &web.Head{Protocol: "HTTP/2", Stream: stream, Request: true, Method: method, Target: target, Connect: connect}
	}
	status := func(code string) []web.Field { return []web.Field{{Name: "grpc-status", Value: code}} }
	x := new(annotate.Explainer)
	x.Explain(&capture.Message{Conn: c, Body: &capture.Opened{}})
	for _, step := range []struct {
		side capture.Side
		body any
		want string // the end of the line
	}{
		{capture.Client, head(1, "GET", "/hang", ""), "GET /hang (stream 1)"},
		{capture.Client, &web.Body{Protocol: "HTTP/2", Stream: 1, Request: true, Len: 3, Complete: true}, "3 bytes (stream 1)"},
		{capture.Client, head(3, "POST", "/bidi", ""), "POST /bidi (stream 3)"},
		{capture.Client, head(5, "CONNECT", "/ws", "websocket"), "CONNECT /ws, :protocol websocket (stream 5)"},
		{capture.Client, &web.Body{Protocol: "HTTP/2", Stream: 3, Request: true, Len: 140, Complete: true}, "140 bytes, of POST /bidi (stream 3)"},
		{capture.Server, &web.Head{Protocol: "HTTP/2", Stream: 3, Status: 200}, "200 OK, of POST /bidi (stream 3)"},
		{capture.Server, &web.Body{Protocol: "HTTP/2", Stream: 3, Len: 9, Complete: true, Trailers: status("0")}, "9 bytes, of POST /bidi, grpc-status 0 OK (stream 3)"},
		{capture.Server, &web.Head{Protocol: "HTTP/2", Stream: 1, Status: 200, Fields: status("14"), EndsHere: true}, "200 OK, of GET /hang, grpc-status 14 UNAVAILABLE (stream 1)"},
		{capture.Server, &web.Body{Protocol: "HTTP/2", Stream: 9, Len: 1, Complete: true}, "1 byte (stream 9)"},
	} {
		var out strings.Builder
		told := annotate.NewText(&out)
		for _, e := range x.Explain(&capture.Message{Conn: c, Side: step.side, Inner: true, Opened: true, Body: step.body}) {
			if e.HTTP != nil {
				told.Event(&e)
			}
		}
		told.Flush()
		if line, _, _ := strings.Cut(out.String(), "\n"); !strings.HasSuffix(line, " "+step.want) {
			t.Errorf("%q, want %q", line, step.want)
		}
	}
}

// TestPageAsksHere: a page of the web that reaches the proxy's machine through it is told; a page of that machine is not.
func TestPageAsksHere(t *testing.T) {
	for _, test := range []struct {
		leg          capture.Leg
		host, origin string
		told         bool
	}{
		{capture.LegBrowser, "localhost:8080", "https://evil.test", true},
		{capture.LegBrowser, "app.localhost", "http://evil.test:81", true},
		{capture.LegBrowser, "127.1.2.3:80", "https://evil.test", true},
		{capture.LegBrowser, "[::1]:8080", "https://evil.test", true},
		{capture.LegBrowser, "[::ffff:127.0.0.1]", "https://evil.test", true},
		{capture.LegBrowser, "0.0.0.0:8080", "https://evil.test", true},
		{capture.LegBrowser, "localhost:8080", "http://localhost:3000", false},
		{capture.LegBrowser, "localhost:8080", "http://127.0.0.1", false},
		{capture.LegBrowser, "localhost:8080", "", false},
		{capture.LegBrowser, "localhost:8080", "null", false},
		{capture.LegBrowser, "shop.test", "https://evil.test", false},
		{capture.LegBrowser, "localhost.evil.test", "https://evil.test", false},
		{capture.LegOrigin, "localhost:8080", "https://evil.test", false},
		{capture.LegNone, "localhost:8080", "https://evil.test", false},
	} {
		c := &capture.Conn{Number: 1, Leg: test.leg, Client: netip.MustParseAddrPort("192.0.2.1:1"), Server: netip.MustParseAddrPort("192.0.2.2:443"), SYN: true}
		x := new(annotate.Explainer)
		x.Explain(&capture.Message{Conn: c, Body: &capture.Opened{}})
		head := &web.Head{Protocol: "HTTP/1.1", Stream: 1, Request: true, Method: "GET", Target: "/", Authority: test.host}
		if test.origin != "" {
			head.Fields = []web.Field{{Name: "origin", Value: test.origin}}
		}
		told := false
		for _, e := range x.Explain(&capture.Message{Conn: c, Side: capture.Client, Inner: true, Opened: true, Body: head}) {
			told = told || slices.ContainsFunc(e.Says, func(s event.Sentence) bool { return s.ID == "http-page-asks-here" })
		}
		if told != test.told {
			t.Errorf("%+v: told %v", test, told)
		}
	}
}

// TestGivenUp: a connection that its client ends before the server has answered did not fail:
// step 1 took place, and nothing else.
func TestGivenUp(t *testing.T) {
	for _, reset := range []bool{false, true} {
		tp := fixtures(t)["tls13-full"][0]
		in := []capture.Input{}
		for _, i := range tp.inputs(0, capture.LegNone) {
			in = append(in, i)
			if _, ok := i.(*capture.Chunk); ok {
				break // the ClientHello
			}
		}
		in = append(in, &capture.Close{Conn: 1, Side: capture.Client, Reset: reset}, &capture.Close{Conn: 1, Side: capture.Server})
		es := events(messages(in))
		ls := legs(es)
		if len(ls) != 1 {
			t.Fatalf("%d legs", len(ls))
		}
		for i, r := range ls[0].Rows {
			if want := map[bool]event.Verdict{true: event.AsTold, false: event.NotReached}[i == 0]; r.Verdict != want {
				t.Errorf("step %s is %s, want %s", r.Step, r.Verdict, want)
			}
		}
		if i := slices.IndexFunc(es, func(e event.Event) bool { return e.Tally != nil }); i < 0 || es[i].Tally.Failed != "" || !es[i].Tally.GivenUp {
			t.Errorf("%+v", es)
		}
	}
}
