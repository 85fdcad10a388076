package redo

import (
	"os/exec"
	"strings"
	"testing"

	"explainer/annotate/event"
)

// hostile is what a wire may hold.
var hostile = []string{"/a'; id #", "/$(id)`id`", "/a\\'b", "/{a,b}[1-3]", "/\"'\"'", "/é", "/'", "''", "/a b\\", "/-K/etc/passwd"}

// request is one as it may stand on the wire.
func request(target, name, value string) *event.Event {
	return &event.Event{Topic: event.TopicRequest, HTTP: &event.HTTP{Method: "GET", Scheme: "https", Authority: "a.test", Target: target, Protocol: "HTTP/1.1", Headers: 1},
		Fields: []event.Field{{Name: event.Plain(name), Value: event.Plain(value)}}}
}

// TestCurl: a shell hands curl each word as it stood on the wire, whatever it holds.
func TestCurl(t *testing.T) {
	var script strings.Builder
	script.WriteString("curl() { for w; do printf '%s\\n' \"$w\"; done; }\n")
	want := ""
	for _, s := range hostile {
		if !strings.HasPrefix(s, "/") {
			s = "/" + s
		}
		command := Curl(request(s, "x-a", s))
		if command == "" {
			t.Fatalf("%q: no command", s)
		}
		script.WriteString(command)
		want += "--globoff\n--path-as-is\n--url\nhttps://a.test" + s + "\n--http1.1\n--header\nx-a: " + s + "\n"
	}
	out, err := exec.Command("sh", "-c", script.String()).CombinedOutput()
	if err != nil || string(out) != want {
		t.Errorf("%v:\n%s\nwant\n%s", err, out, want)
	}
}

// TestCurlRefuses: no command is made of what curl or a terminal would take for something else.
func TestCurlRefuses(t *testing.T) {
	for what, e := range map[string]*event.Event{
		"a file of fields":    request("/", "@/etc/passwd", "x"),
		"a line":              request("/a\nid", "x", "x"),
		"a key of a terminal": request("/", "x", "\x1b[201~id"),
		"a control of C1":     request("/", "x", "\u009b0m"),
		"a target of a proxy": request("a.test:443", "x", "x"),
		"no fields":           {Topic: event.TopicRequest, HTTP: &event.HTTP{Method: "GET", Scheme: "https", Authority: "a.test", Target: "/", Headers: 3}},
		"a method":            {Topic: event.TopicRequest, HTTP: &event.HTTP{Method: "GET -K x", Scheme: "https", Authority: "a.test", Target: "/"}},
		"an answer":           {Topic: event.TopicResponse, HTTP: &event.HTTP{Method: "GET", Scheme: "https", Authority: "a.test", Target: "/"}},
	} {
		if command := Curl(e); command != "" {
			t.Errorf("%s: %s", what, command)
		}
	}
}

// FuzzQuote: a shell reads what is quoted as one word, the same.
func FuzzQuote(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q := Quote(s)
		if q == "" {
			return
		}
		// Outside of single quotes stands nothing but \'.
		rest := strings.ReplaceAll(q[1:len(q)-1], `'\''`, "")
		if strings.Contains(rest, "'") || strings.ReplaceAll(q[1:len(q)-1], `'\''`, "'") != s || strings.ContainsAny(q, "\n\r\x00") {
			t.Errorf("%q becomes %s", s, q)
		}
	})
}
