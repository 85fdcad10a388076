package annotate_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/text"
	"explainer/capture"
	"explainer/capture/web"
)

// TestStreams: of several requests on a connection of HTTP/2, each piece says to which it
// belongs; how a call of gRPC ended is told, and what an extended CONNECT asks for.
func TestStreams(t *testing.T) {
	c := &capture.Conn{Number: 1, Client: netip.MustParseAddrPort("192.0.2.1:1"), Server: netip.MustParseAddrPort("192.0.2.2:443"), SYN: true}
	head := func(stream uint64, method, target, connect string) *web.Head {
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
		told := text.New(&out)
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

// TestPageAsksNear: a page of the web that reaches the proxy's machine or its network through it is told, by what
// it asks for and by where that led; a page from there, a program and a person who follows a link are not.
func TestPageAsksNear(t *testing.T) {
	const browser, origin = capture.LegBrowser, capture.LegOrigin
	for _, test := range []struct {
		leg            capture.Leg
		host, at, page string
		id             string
	}{
		{browser, "localhost:8080", "", "https://evil.test", "http-page-asks-here"},
		{browser, "app.localhost", "", "http://evil.test:81", "http-page-asks-here"},
		{browser, "127.1.2.3:80", "", "https://evil.test", "http-page-asks-here"},
		{browser, "[::1]:8080", "", "https://evil.test", "http-page-asks-here"},
		{browser, "[::ffff:127.0.0.1]", "", "https://evil.test", "http-page-asks-here"},
		{browser, "0.0.0.0:8080", "", "https://evil.test", "http-page-asks-here"},
		{browser, "localhost:8080", "", "null", "http-hidden-page-asks-here"},
		{browser, "192.168.1.1", "", "https://evil.test", "http-page-asks-private"},
		{browser, "[fe80::1]", "", "https://evil.test", "http-page-asks-private"},
		{browser, "169.254.169.254", "", "null", "http-hidden-page-asks-private"},
		{browser, "localhost:8080", "", "http://10.1.2.3", "http-page-asks-here"},
		{browser, "localhost:8080", "", "http://localhost:3000", ""},
		{browser, "localhost:8080", "", "http://127.0.0.1", ""},
		{browser, "10.1.2.3", "", "http://localhost:3000", ""},
		{browser, "localhost:8080", "", "", ""},
		{browser, "shop.test", "", "https://evil.test", ""},
		{browser, "localhost.evil.test", "", "https://evil.test", ""},
		{capture.LegNone, "localhost:8080", "", "https://evil.test", ""},
		{origin, "localhost:8080", "127.0.0.1", "https://evil.test", ""}, // told on the other leg
		{origin, "shop.test", "127.0.0.1", "https://evil.test", "http-page-asks-by-name-here"},
		{origin, "shop.test", "192.0.2.1", "https://evil.test", "http-page-asks-by-name-here"}, // the address that it was called from
		{origin, "shop.test", "::ffff:10.0.0.1", "https://evil.test", "http-page-asks-by-name-private"},
		{origin, "shop.test", "127.0.0.1", "null", "http-hidden-page-asks-by-name-here"},
		{origin, "shop.test", "100.64.0.1", "null", "http-hidden-page-asks-by-name-private"},
		{origin, "shop.test", "127.0.0.1", "https://shop.test", ""},
		{origin, "shop.test", "127.0.0.1", "", ""},
		{origin, "shop.test", "203.0.113.1", "https://evil.test", ""},
		{origin, "moved.test", "127.0.0.1", "", "http-name-moved"},
		{origin, "moved.test", "203.0.113.2", "", ""},
	} {
		x := new(annotate.Explainer)
		ask := func(leg capture.Leg, number int, at, host, page string) (ids []string) {
			c := &capture.Conn{Number: number, Leg: leg, Client: netip.MustParseAddrPort("192.0.2.1:1"), Server: netip.AddrPortFrom(netip.MustParseAddr(at), 443), SYN: true}
			x.Explain(&capture.Message{Conn: c, Body: &capture.Opened{}})
			head := &web.Head{Protocol: "HTTP/1.1", Stream: 1, Request: true, Method: "GET", Target: "/", Authority: host}
			if page != "" {
				head.Fields = []web.Field{{Name: "origin", Value: page}}
			}
			for _, e := range x.Explain(&capture.Message{Conn: c, Side: capture.Client, Inner: true, Opened: true, Body: head}) {
				for _, s := range e.Says {
					if strings.HasPrefix(s.ID, "http-page-") || strings.HasPrefix(s.ID, "http-hidden-") || s.ID == "http-name-moved" {
						ids = append(ids, s.ID)
					}
				}
			}
			return ids
		}
		ask(origin, 1, "203.0.113.1", "moved.test", "")
		if test.at == "" {
			test.at = "192.0.2.2"
		}
		if got := strings.Join(ask(test.leg, 2, test.at, test.host, test.page), " "); got != test.id {
			t.Errorf("%+v: told %q", test, got)
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
