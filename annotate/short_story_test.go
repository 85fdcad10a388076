package annotate_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/survey"
	"explainer/annotate/text"
	"explainer/annotate/words"
	"explainer/capture"

	"github.com/mattn/go-runewidth"
)

// shortStories are the recordings whose short stories are kept, with how many lines the longest
// block of each may have at 110 columns, and whether it is told without keys.
var shortStories = map[string]struct {
	path   string
	sealed bool
}{
	"demo":            {path: "story/testdata/demo.pcapng"},
	"http1":           {path: ownRecordings + "/http1.pcapng"},
	"http2":           {path: ownRecordings + "/http2.pcapng"},
	"rsa":             {path: ownRecordings + "/tls12-rsa-aes128-gcm.pcapng"},
	"rsa-sealed":      {path: ownRecordings + "/tls12-rsa-aes128-gcm.pcapng", sealed: true},
	"tls13-sealed":    {path: ownRecordings + "/tls13-aes128-gcm.pcapng", sealed: true},
	"dhe":             {path: ownRecordings + "/tls12-dhe-rsa.pcapng"},
	"resumed-id":      {path: ownRecordings + "/tls12-resumed-id.pcapng"},
	"psk":             {path: ownRecordings + "/tls12-psk.pcapng"},
	"early-data":      {path: ownRecordings + "/tls13-0rtt.pcapng"},
	"hrr":             {path: ownRecordings + "/tls13-hrr.pcapng"},
	"mutual":          {path: ownRecordings + "/tls12-rsa-client-certificate.pcapng"},
	"unknown-ca":      {path: ownRecordings + "/failed-unknown-ca.pcapng"},
	"connect":         {path: ownRecordings + "/connect.pcapng"},
	"starttls":        {path: ownRecordings + "/starttls-irc.pcapng"},
	"renegotiation":   {path: ownRecordings + "/tls12-renegotiation-client-certificate.pcapng"},
	"raw-public-key":  {path: ownRecordings + "/tls13-raw-public-key.pcapng"},
	"anonymous-ecdhe": {path: ownRecordings + "/tls12-anonymous-ecdhe.pcapng"},
}

// most is how many lines a block may have at 110 columns. Where a connection had notes of its
// own, as of a second handshake or of why it stayed sealed, these come on top.
const most = 25

// TestShortStories: the short stories of these recordings, in both languages and three widths,
// fit their width, and their blocks the limit.
func TestShortStories(t *testing.T) {
	t.Parallel()
	for name, s := range shortStories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			es := story(t, s.path, !s.sealed)
			var kept strings.Builder
			for _, l := range []words.Language{words.English, words.Chinese} {
				for _, width := range []int{80, 100, 160} {
					fmt.Fprintf(&kept, "-- %s, %d columns --\n%s", l.Tag(), width, shortly(t, es, l, width))
				}
			}
			compareGolden(t, filepath.Join("testdata", "short", name+".txt"), kept.String())
			for _, block := range strings.Split(shortly(t, es, words.English, 110), "\n\n") {
				block = requestLine.Split(block, 2)[0]
				notes := 0
				for _, e := range es {
					if e.Summary != nil && len(e.Says) > 0 {
						notes = 4
					}
				}
				if n := strings.Count(block, "\n") + 1; n > most+notes {
					t.Errorf("a block has %d lines:\n%s", n, block)
				}
			}
		})
	}
}

// requestLine begins the line of a request behind a block.
var requestLine = regexp.MustCompile(`\n +[0-9]+  [A-Z]+ `)

func shortly(t *testing.T, es []event.Event, l words.Language, width int) string {
	t.Helper()
	var got bytes.Buffer
	s := text.NewShort(&got)
	s.Width, s.Lang = width, l
	for i := range es {
		if err := s.Event(&es[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	cells := &runewidth.Condition{StrictEmojiNeutral: true}
	for line := range strings.Lines(got.String()) {
		line = strings.TrimSuffix(line, "\n")
		if cells.StringWidth(line) > width || strings.TrimRight(line, " ") != line {
			t.Errorf("%d columns: a line of %d: %q", width, cells.StringWidth(line), line)
		}
	}
	return got.String()
}

// TestTerse: a short story and an overview are the same where fields are left out.
func TestTerse(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(ownRecordings + "/*.pcapng")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range append(paths, "story/testdata/demo.pcapng") {
		for _, keyed := range []bool{true, false} {
			full, terse := storyOf(t, path, keyed, new(annotate.Explainer)), storyOf(t, path, keyed, &annotate.Explainer{NoFields: true, NoFacts: true})
			if got, want := shortly(t, terse, words.English, 110), shortly(t, full, words.English, 110); got != want {
				t.Errorf("%s, keys: %v: the terse story is\n%s\nwant\n%s", path, keyed, got, want)
			}
			if got, want := overviewJSON(t, terse), overviewJSON(t, full); got != want {
				t.Errorf("%s, keys: %v: the terse overview is\n%s\nwant\n%s", path, keyed, got, want)
			}
			if fields(terse) >= fields(full) {
				t.Errorf("%s, keys: %v: %d fields, and %d terse", path, keyed, fields(full), fields(terse))
			}
		}
	}
}

func fields(es []event.Event) (n int) {
	for _, e := range es {
		n += len(e.Fields)
	}
	return n
}

func overviewJSON(t *testing.T, es []event.Event) string {
	t.Helper()
	var s survey.Survey
	for i := range es {
		s.Add(&es[i])
	}
	out, err := json.Marshal(s.Overview(event.File{}))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestShortSpan: the last line counts and spans the sessions that are told, and no others.
func TestShortSpan(t *testing.T) {
	es := story(t, ownRecordings+"/tls12-resumed-id.pcapng", true)
	spans := map[int]string{}
	for _, chosen := range []int{1, 2} {
		var got bytes.Buffer
		s := text.NewShort(&got)
		s.Width, s.Chosen = 110, func(n int) bool { return n == chosen }
		for i := range es {
			if err := s.Event(&es[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Finish(); err != nil {
			t.Fatal(err)
		}
		found := lastLine.FindStringSubmatch(got.String())
		if found == nil {
			t.Fatalf("no last line:\n%s", got.String())
		}
		spans[chosen] = found[1]
	}
	whole := lastLine.FindStringSubmatch(shortly(t, es, words.English, 110))
	if whole != nil || spans[1] == spans[2] {
		t.Errorf("the spans of sessions 1 and 2 alone: %v; one connection told of two: %v", spans, whole)
	}
}

// lastLine counts one connection.
var lastLine = regexp.MustCompile(`(?m)^  1 connection; .* within ([^;]*);`)

// TestShortWarns: what the short story answers says so where something else is behind it.
func TestShortWarns(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		keys   bool
		want   string
		refuse string
	}{
		"a certificate for another name": {"testdata/dtls12.pcap", true, "that certificate fails a check here: it is not for explainer.test", "and 1 more"},
		"a second handshake, sealed":     {ownRecordings + "/tls12-renegotiation.pcapng", false, "here at least", ""},
		"a second handshake, opened":     {ownRecordings + "/tls12-renegotiation.pcapng", true, "here at least", ""},
		"words before TLS":               {ownRecordings + "/starttls-smtp.pcapng", false, "What do the others see? what was said before TLS", ""},
		"words of SOCKS are told":        {ownRecordings + "/socks5.pcapng", false, "What do the others see? name", "before TLS"},
		"nobody behind the Finished":     {ownRecordings + "/tls12-anonymous-dhe.pcapng", true, "has a key pair absent this suite", "absent ✓ this suite"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(strings.Fields(shortly(t, story(t, c.path, c.keys), words.English, 110)), " ")
			if !strings.Contains(got, c.want) || c.refuse != "" && strings.Contains(got, c.refuse) {
				t.Errorf("want %q and not %q in\n%s", c.want, c.refuse, got)
			}
		})
	}
}

// silent tapes a client that says nothing to a server which greets it, if with anything.
func silent(t *testing.T, name, greeting string) *tape {
	t.Helper()
	s := newSite(t, newECDSA(t), nil)
	tp := &tape{client: netip.MustParseAddrPort("192.0.2.1:50000"), server: netip.MustParseAddrPort("198.51.100.7:443")}
	a, b := net.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c := tls.Server(&taped{b, tp, capture.Server}, &tls.Config{Certificates: []tls.Certificate{s.cert}, MaxVersion: tls.VersionTLS12})
		c.Handshake()
		io.WriteString(c, greeting)
		c.Close()
	}()
	c := tls.Client(&taped{a, tp, capture.Client}, &tls.Config{ServerName: name, InsecureSkipVerify: true, KeyLogWriter: tp})
	if got, err := io.ReadAll(c); err != nil || string(got) != greeting {
		t.Fatal(string(got), err)
	}
	a.Close()
	<-ended
	tp.add(capture.Client, nil, true)
	return tp
}

// TestListens: a client that only listens need be no spare connection, and one whose certificate
// fails a check may have had a reason to say nothing. Where nobody said anything, the others saw
// what passed in clear.
func TestListens(t *testing.T) {
	for _, test := range []struct{ name, greeting, want, others string }{
		{"shop.test", "220 hello\r\n", "step-4a-finished-listens", "name, certificate, sizes and times; not the content"},
		{"other.test", "220 hello\r\n", "step-4a-finished-listens-fault", "name, certificate, sizes and times; not the content"},
		{"shop.test", "", "step-4a-finished-only", "what passed in clear; no data followed"},
		{"other.test", "", "step-4a-failed-late", "what passed in clear; no data followed"},
	} {
		got, others := "", ""
		for _, e := range events(messages(silent(t, test.name, test.greeting).inputs(0, capture.LegNone))) {
			if e.Summary != nil {
				for _, r := range e.Summary.Legs[0].Rows {
					if r.Step == event.Step4a {
						got = r.Says.ID
					}
				}
				others = e.Summary.Legs[0].Aims[2].Says.English
			}
		}
		if got != test.want || others != test.others {
			t.Errorf("%s, greeted with %q: step 4a %q, want %q; the others see %q, want %q", test.name, test.greeting, got, test.want, others, test.others)
		}
	}
}

// TestShortUnanswered: a request without an answer is told as that, one whose answer is not
// seen to its end too, and an address gives way to what is said about it.
func TestShortUnanswered(t *testing.T) {
	es := story(t, ownRecordings+"/connect.pcapng", true)
	for want, lacks := range map[string][]event.Topic{
		"no answer is seen":      {event.TopicResponse, event.TopicResponseBody},
		"200 ok, not to its end": {event.TopicResponseBody},
	} {
		var kept []event.Event
		for _, e := range es {
			if e.HTTP == nil || e.HTTP.Method == "CONNECT" || !slices.Contains(lacks, e.Topic) {
				kept = append(kept, e)
			}
		}
		if got := shortly(t, kept, words.English, 80); !strings.Contains(got, want) {
			t.Errorf("without %v: no %q in\n%s", lacks, want, got)
		}
	}
	tp := &tape{client: netip.MustParseAddrPort("192.0.2.1:50000"), server: netip.MustParseAddrPort("198.51.100.7:80")}
	tp.add(capture.Client, []byte("GET /"+strings.Repeat("long/", 30)+" HTTP/1.1\r\nHost: shop.test\r\n\r\n"), false)
	tp.add(capture.Server, []byte("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 1\r\n\r\n!"), false)
	plain := events(messages(tp.inputs(0, capture.LegNone)))
	for _, width := range []int{60, 80, 110} {
		if got := shortly(t, plain, words.English, width); !strings.Contains(got, "plain HTTP, no TLS") {
			t.Errorf("%d columns: what it is has no room in\n%s", width, got)
		}
	}
}

// TestShortWideAct: a message with a long name takes room from what stands behind it.
func TestShortWideAct(t *testing.T) {
	es := story(t, "testdata/dtls12.pcap", true)
	for i := range es {
		if s := es[i].Summary; s != nil {
			for _, r := range s.Legs[0].Rows {
				for j := range r.Acts {
					r.Acts[j].Says = event.Plain(strings.Repeat("long ", 10))
				}
			}
		}
	}
	shortly(t, es, words.English, 110)
}

// TestHTTP09: a request of HTTP/0.9, which is not read here, is not said to be no HTTP.
func TestHTTP09(t *testing.T) {
	tp := &tape{client: netip.MustParseAddrPort("192.0.2.1:50000"), server: netip.MustParseAddrPort("198.51.100.7:80")}
	tp.add(capture.Client, []byte("GET /\r\n"), false)
	tp.add(capture.Server, []byte("<html>hello</html>\n"), true)
	got := shortly(t, events(messages(tp.inputs(0, capture.LegNone))), words.English, 110)
	if want := "read neither as TLS nor as HTTP"; !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
}
