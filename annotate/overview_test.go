package annotate_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/har"
	"explainer/annotate/survey"
	"explainer/annotate/text"
	"explainer/capture"
)

// overviewOf surveys events.
func overviewOf(es []event.Event) *event.Overview {
	var s survey.Survey
	for i := range es {
		s.Add(&es[i])
	}
	return s.Overview(event.File{Files: 1}).Overview
}

// decoded is what JSON makes of events.
func decoded(t testing.TB, es []event.Event) []event.Event {
	t.Helper()
	var buf bytes.Buffer
	j := event.NewJSON(&buf)
	for i := range es {
		if err := j.Event(&es[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	var out []event.Event
	if err := event.ReadJSON(&buf, func(e *event.Event) error { out = append(out, *e); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// blocksOf renders events as read does, the parts in their order.
func blocksOf(t testing.TB, es []event.Event, width int) string {
	t.Helper()
	parts := map[int]string{}
	b := text.NewBlocks(func(session int, text []byte) error { parts[session] += string(text); return nil })
	b.Width = width
	for i := range es {
		if err := b.Event(&es[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Finish(); err != nil {
		t.Fatal(err)
	}
	var order []int
	for n := range parts {
		order = append(order, n)
	}
	slices.Sort(order)
	var out strings.Builder
	for _, n := range order {
		out.WriteString(parts[n])
	}
	return out.String()
}

func sum(cs []event.Count) int {
	n := 0
	for _, c := range cs {
		n += c.N
	}
	return n
}

// checkOverview checks an overview against the events themselves.
func checkOverview(t *testing.T, name string, es []event.Event) {
	t.Helper()
	o := overviewOf(es)
	begun, ended, requests := map[int]bool{}, map[int]int{}, 0
	proofs := map[event.ProofState]int{}
	for _, e := range es {
		switch {
		case e.Kind == event.KindConnection:
			begun[e.Conn] = true
		case e.Kind == event.KindEnd:
			ended[e.Conn]++
		case e.Topic == event.TopicRequest && e.Leg != "origin" && e.HTTP.Method != "CONNECT":
			requests++
		}
		for _, p := range e.Proofs {
			proofs[p.State]++
		}
		if n := ended[e.Conn]; n > 0 && e.Kind == event.KindMessage {
			t.Errorf("%s: event %d, %s, of connection %d comes after its end", name, e.N, e.Name, e.Conn)
		}
	}
	for n := range begun {
		if ended[n] != 1 {
			t.Errorf("%s: connection %d has %d ends", name, n, ended[n])
		}
	}
	secured := 0
	for _, c := range o.Protocols {
		if c.Name == "tls" || c.Name == "quic" || c.Name == "dtls" {
			secured += c.N
		}
	}
	for _, c := range []struct {
		what      string
		got, want int
	}{
		{"connections", o.Connections + o.Copies, len(begun)},
		{"protocols", sum(o.Protocols), o.Connections},
		{"secured", o.Secured, secured},
		{"versions", sum(o.Versions), o.Secured},
		{"states", sum(o.States), o.Secured},
		{"suites", sum(o.Suites), sum(o.Exchanges)},
		{"requests", o.Requests, requests},
		{"proven", o.Proven, proofs[event.Proven]},
		{"refuted", o.Refuted, proofs[event.Refuted]},
		{"not checkable", o.Unchecked, proofs[event.NotCheckable]},
		{"reasons", len(o.Why), len(o.WhyConns)},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s: %d, want %d", name, c.what, c.got, c.want)
		}
	}
	if o.Names <= 12 && sum(o.Hosts)+o.Nameless != o.Sessions {
		t.Errorf("%s: %d sessions with a name, %d without, %d in all", name, sum(o.Hosts), o.Nameless, o.Sessions)
	}
	if o.Connections <= 40 && len(o.Lines) != o.Connections {
		t.Errorf("%s: %d lines of %d connections", name, len(o.Lines), o.Connections)
	}
	// The same from JSON.
	again := decoded(t, es)
	a, _ := json.Marshal(o)
	if b, _ := json.Marshal(overviewOf(again)); !bytes.Equal(a, b) {
		t.Errorf("%s: the overview of the JSON is another:\n%s\n%s", name, a, b)
	}
	if blocksOf(t, es, 80) != blocksOf(t, again, 80) {
		t.Errorf("%s: the blocks of the JSON are others", name)
	}
}

// TestOverviews: the numbers of an overview are those of the story and add up,
// and from its JSON comes the same.
func TestOverviews(t *testing.T) {
	for name, tapes := range fixtures(t) {
		checkOverview(t, name, events(messages(inputsOf(tapes))))
	}
	browser, origin := fixtures(t)["tls12-rsa"], fixtures(t)["tls13-full"]
	if len(browser) > 0 && len(origin) > 0 {
		es := events(messages(through(browser[0], origin[0], leafHash(t, browser[0]), "ok")))
		checkOverview(t, "proxy", es)
		if o := overviewOf(es); o.Sessions != 1 || o.Connections != 2 {
			t.Errorf("%d connections in %d sessions, want 2 in 1", o.Connections, o.Sessions)
		}
	}
}

// TestOverviewsOfCaptures is the same for the collection.
func TestOverviewsOfCaptures(t *testing.T) {
	dir := collection(t)
	if dir == "" {
		return
	}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.Contains(path, ".pcap") {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		es := story(t, path, true)
		checkOverview(t, name, es)
		checkHAR(t, name, es)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestBlocks: a session with very many messages is folded, and its count is true.
func TestBlocks(t *testing.T) {
	es := []event.Event{{N: 1, Kind: event.KindConnection, Conn: 1, Session: 1, Name: "TCP connection", Time: "2026-01-01T00:00:00Z"}}
	const n = 500
	for i := range n {
		es = append(es, event.Event{N: i + 2, Kind: event.KindMessage, Conn: 1, Session: 1, From: "client", Name: "HTTP request", Brief: event.Plain("GET /"),
			Time: time.Date(2026, 1, 1, 0, 0, 1, i*1000, time.UTC).Format(time.RFC3339Nano)})
	}
	es = append(es, event.Event{N: n + 2, Kind: event.KindEnd, Conn: 1, Session: 1, Name: "connection over", Time: "2026-01-01T00:00:02Z", Tally: &event.Tally{Title: event.Plain("plain HTTP, no TLS")}})
	text := blocksOf(t, es, 80)
	shown := strings.Count(text, "GET /\n")
	if shown > 60 || !strings.Contains(text, "449 messages more (449 HTTP request)") || shown+449 != n {
		t.Errorf("%d lines shown:\n%s", shown, text)
	}
}

// harOf is the archive of events.
func harOf(t testing.TB, es []event.Event) []byte {
	t.Helper()
	var entries [][]byte
	h := har.New(func(_ int, _ time.Time, entry []byte) error {
		entries = append(entries, bytes.Clone(entry))
		return nil
	})
	for i := range es {
		if err := h.Event(&es[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Finish(); err != nil {
		t.Fatal(err)
	}
	return []byte(h.Head("test") + string(bytes.Join(entries, []byte(",\n"))) + h.Foot())
}

// checkHAR checks an archive against the HAR 1.2 specification's required
// fields, their types and the sums of times.
func checkHAR(t *testing.T, name string, es []event.Event) map[string]any {
	t.Helper()
	var doc map[string]any
	archive := harOf(t, es)
	if err := json.Unmarshal(archive, &doc); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var bad bool
	check := func(ok bool, what string, v any) {
		if !ok && !bad {
			bad = true
			t.Errorf("%s: HAR: %s: %v", name, what, v)
		}
	}
	object := func(v any, what string) map[string]any {
		m, ok := v.(map[string]any)
		check(ok, what+" is no object", v)
		return m
	}
	array := func(v any, what string) []any {
		a, ok := v.([]any)
		check(ok, what+" is no array", v)
		return a
	}
	str := func(m map[string]any, keys ...string) {
		for _, k := range keys {
			_, ok := m[k].(string)
			check(ok, k+" is no string", m)
		}
	}
	number := func(m map[string]any, keys ...string) {
		for _, k := range keys {
			n, ok := m[k].(float64)
			check(ok && n >= -1, k+" is no number", m)
		}
	}
	pairs := func(v any, what string) {
		for _, p := range array(v, what) {
			str(object(p, what), "name", "value")
		}
	}
	log := object(doc["log"], "log")
	check(log["version"] == "1.2", "version", log["version"])
	str(object(log["creator"], "creator"), "name", "version")
	array(log["pages"], "pages")
	requests := 0
	for _, e := range es {
		if e.Topic == event.TopicRequest && e.Leg != "origin" && !(e.HTTP.Scheme == "http" && e.HTTP.Method == "CONNECT") {
			requests++
		}
	}
	entries := array(log["entries"], "entries")
	check(len(entries) == requests, "entries", [2]int{len(entries), requests})
	for _, v := range entries {
		e := object(v, "entry")
		str(e, "startedDateTime")
		_, err := time.Parse(time.RFC3339Nano, e["startedDateTime"].(string))
		check(err == nil, "startedDateTime", err)
		number(e, "time")
		object(e["cache"], "cache")
		r := object(e["request"], "request")
		str(r, "method", "url", "httpVersion")
		number(r, "headersSize", "bodySize")
		url, _ := r["url"].(string)
		check(strings.Contains(url, "://") && !strings.ContainsAny(url, " \n\"<>"), "url", url)
		pairs(r["cookies"], "cookies")
		pairs(r["headers"], "headers")
		pairs(r["queryString"], "queryString")
		if p, ok := r["postData"]; ok {
			p := object(p, "postData")
			str(p, "mimeType", "text")
			array(p["params"], "params")
		}
		s := object(e["response"], "response")
		number(s, "status", "headersSize", "bodySize")
		str(s, "statusText", "httpVersion", "redirectURL")
		pairs(s["cookies"], "cookies")
		pairs(s["headers"], "headers")
		c := object(s["content"], "content")
		number(c, "size")
		str(c, "mimeType")
		ms := object(e["timings"], "timings")
		number(ms, "blocked", "dns", "connect", "send", "wait", "receive", "ssl")
		total := 0.0
		for _, k := range []string{"blocked", "dns", "connect", "send", "wait", "receive"} {
			total += max(ms[k].(float64), 0)
		}
		check(math.Abs(total-e["time"].(float64)) < 0.002, "the timings do not add up", e["timings"])
		check(ms["send"].(float64) >= 0 && ms["wait"].(float64) >= 0 && ms["receive"].(float64) >= 0, "send, wait and receive are not optional", ms)
		check(ms["ssl"].(float64) <= ms["connect"].(float64), "ssl is part of connect", ms)
	}
	return doc
}

// TestHAR: the archive of a recorded session has its request, its times and its
// answer, and credentials are masked in it.
func TestHAR(t *testing.T) {
	for name, tapes := range fixtures(t) {
		checkHAR(t, name, events(messages(inputsOf(tapes))))
	}
}

// TestOverviewAlone: where no block follows, a single connection is counted, too.
func TestOverviewAlone(t *testing.T) {
	inputs, _ := recordingInputs(t, "tls13-hrr")
	var d capture.Decoder
	var ms []capture.Message
	for _, in := range inputs {
		ms = append(ms, d.Feed(in)...)
	}
	es := tellAll(&annotate.Explainer{}, append(ms, d.Finish()...))
	for _, alone := range []bool{false, true} {
		var out bytes.Buffer
		text := text.New(&out)
		text.Alone = alone
		if err := text.Overview(overviewOf(es), ""); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "versions      1 TLS 1.3"); got != alone {
			t.Errorf("alone %v:\n%s", alone, &out)
		}
	}
}
