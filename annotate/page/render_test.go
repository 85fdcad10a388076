package page

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// told is a book of what a recorded story tells.
func told(t *testing.T, events []event.Event) *Book {
	t.Helper()
	b := New(Options{Scratch: scratch(t), Keep: 64 << 20})
	t.Cleanup(func() { b.Close() })
	for i := range events {
		if err := b.Event(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	b.Finish()
	return b
}

// call is a call of words in a template.
var call = regexp.MustCompile(`\bt "([a-z0-9-]+)"((?: "[a-z]+" (?:\([^()]*\)|[.$\w]+))*)`)

// TestTemplates: the templates ask for pieces that there are, each with exactly its values, and for
// each that there is. The words themselves are known to the catalogue's tests.
func TestTemplates(t *testing.T) {
	files, err := filepath.Glob("assets/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	used := map[string]bool{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if n, m := len(call.FindAllString(string(data), -1)), len(regexp.MustCompile(`(\{\{|\()(else )?(if )?(or [^{}]*\()?t "`).FindAllString(string(data), -1)); n < m {
			t.Errorf("%s: %d calls are understood of %d", f, n, m)
		}
		for _, m := range call.FindAllStringSubmatch(string(data), -1) {
			used[m[1]] = true
			var keys []string
			for _, k := range regexp.MustCompile(` "([a-z]+)" `).FindAllStringSubmatch(m[2], -1) {
				keys = append(keys, k[1])
			}
			slices.Sort(keys)
			places := words.Places("web/" + m[1])
			if places == nil {
				t.Errorf("%s: web/%s is not in the catalogue", f, m[1])
			} else if !slices.Equal(keys, places) {
				t.Errorf("%s: web/%s is given %v, and has places for %v", f, m[1], keys, places)
			}
		}
	}
	for _, id := range words.FamilyIDs("web") {
		if !used[id] {
			t.Errorf("no template shows web/%s", id)
		}
	}
}

// TestMarkup: whatever comes from the wire is text on the page, and none of it does anything.
func TestMarkup(t *testing.T) {
	const bad = `<img src=x onerror="alert(1)">'"&{{.}}</script><!--` + "\u202e"
	plain := event.Plain(bad)
	s := event.Sentence{ID: "x", Text: bad, Refs: []string{bad}}
	row := event.Row{Step: event.Step1, Verdict: event.AsTold, Says: s, Acts: []event.Act{{By: "client", Sent: true, Says: plain}}, Why: plain}
	leg := event.Leg{Conn: 1, Title: plain, Rows: []event.Row{row}, Agent: bad, Aims: []event.Aim{{ID: event.AimWho, Says: plain}}, Frame: &event.Frame{KeysSay: plain, TripsSay: plain},
		Trouble: &event.Trouble{Step: event.Step1, Says: plain, Why: plain, Mend: plain}, Facts: []event.Field{{ID: "version", Name: plain, Value: plain}}}
	events := []event.Event{
		{N: 1, Kind: event.KindConnection, Session: 1, Conn: 1, Time: "2026-01-02T03:04:05Z", Host: bad},
		{N: 2, Kind: event.KindMessage, Session: 1, Conn: 1, From: "client", Time: "2026-01-02T03:04:05Z", Host: bad, Topic: event.TopicRequest, Name: bad, Brief: plain, Evidence: event.Decrypted,
			HTTP: &event.HTTP{Method: bad, Target: bad}, Bytes: &event.Span{End: 2}, Says: []event.Sentence{s}, Fields: []event.Field{{Name: plain, Value: plain, Note: plain}},
			Proofs: []event.Proof{{ID: bad, Claim: plain, State: event.Proven, How: bad, Reason: plain, Refs: []string{bad}, Inputs: []event.Field{{Name: plain, Value: plain}}}},
			Checks: []event.Check{{ID: bad, Outcome: "ok", Says: s}}, Raw: "0102", Layout: []event.Part{{Name: bad, At: 0, Len: 1, Is: bad}}},
		{N: 4, Kind: event.KindMessage, Session: 1, Conn: 1, From: "server", Topic: event.TopicCertificate, Certificates: []event.Certificate{{Subject: bad, Issuer: bad + "x", Names: []string{bad}}}, Checks: []event.Check{{ID: bad, Outcome: "failed", Says: s}}},
		{N: 3, Kind: event.KindSummary, Session: 1, Host: bad, Time: "2026-01-02T03:04:05Z", Summary: &event.Summary{Flow: plain, Legs: []event.Leg{leg}}},
	}
	v := View{Book: told(t, events), Lang: words.English, Base: "/"}
	var out bytes.Buffer
	for name, render := range map[string]func() error{
		"sessions": func() error { return v.Sessions(&out, bad, 0) },
		"rows":     func() error { return v.Rows(&out, "", 0, 0) },
		"times":    func() error { return v.Times(&out, "", 0, true) },
		"session":  func() error { return v.Session(&out, 1, true) },
		"file":     func() error { return v.File(&out, bad) },
		"pair":     func() error { return v.Pair(&out, 1, 1) },
		"keys": func() error {
			return v.Schedule(&out, 1, &Schedule{Conn: 1, Wrong: plain, Secrets: &event.Secrets{Schedule: plain, Tree: []event.Secret{{Name: plain, How: plain, Label: bad, Note: plain, Opens: plain, Refs: []string{bad}}}}})
		},
		"break": func() error {
			return v.Experiment(&out, 1, &Experiment{Conn: 1, Events: events, Labels: []string{bad}, Chosen: &events[1], Ways: []Way{{Place: bad}}, Change: bad, Command: bad, Wrong: plain,
				Comparison: &event.Comparison{Conn: 1, Change: s, Notices: []event.Notice{{By: "client", Says: s, Alert: bad}}, Says: []event.Sentence{s},
					Proofs: []event.ProofChange{{Conn: 2, ID: bad, Was: event.Proven, Is: event.Refuted, Reason: plain}},
					Checks: []event.CheckChange{{Conn: 2, ID: bad, Is: "failed", Says: s}}}})
		},
	} {
		out.Reset()
		if err := render(); err != nil {
			t.Fatal(name, err)
		}
		page := out.String()
		for _, no := range []string{"<img", "\u202e", "onerror=\"", "<!--"} {
			if i := strings.Index(page, no); i >= 0 {
				t.Errorf("%s: the wire writes %q on the page: %q", name, no, page[max(i-100, 0):min(i+60, len(page))])
			}
		}
		if !strings.Contains(page, "&lt;img") {
			t.Errorf("%s: what came from the wire is not shown", name)
		}
	}
}

// TestTunnel: where the proxy passed the bytes on, the server of the client's connection is not
// explainer, and the origin gets all that passes.
func TestTunnel(t *testing.T) {
	for _, tunnel := range []bool{false, true} {
		row := event.Row{Step: event.Step2, Verdict: event.Unseen, Acts: []event.Act{{By: "server", Says: event.Plain("has a key pair")}}}
		events := []event.Event{
			{N: 1, Kind: event.KindConnection, Session: 1, Conn: 1, Leg: "browser"},
			{N: 2, Kind: event.KindConnection, Session: 1, Conn: 2, Leg: "origin"},
			{N: 3, Kind: event.KindSummary, Session: 1, Summary: &event.Summary{Tunnel: tunnel, Legs: []event.Leg{{Conn: 1, Leg: "browser", Rows: []event.Row{row}}, {Conn: 2, Leg: "origin"}}}},
		}
		var out bytes.Buffer
		if err := (View{Book: told(t, events), Lang: words.English, Base: "/"}).Session(&out, 1, true); err != nil {
			t.Fatal(err)
		}
		for _, ours := range []string{"<i>explainer</i> has a key pair", "The origin server has its own connection", "explainer, in the middle"} {
			if strings.Contains(out.String(), ours) == tunnel {
				t.Errorf("tunnel %t: %q", tunnel, ours)
			}
		}
	}
}

// TestAligned: messages of one name stand beside each other, in their order, and what only one has stands alone.
func TestAligned(t *testing.T) {
	lines := func(names ...string) (out []*line) {
		for _, n := range names {
			out = append(out, &line{Event: &event.Event{Name: n, From: "server"}})
		}
		return out
	}
	var got []string
	for _, l := range aligned(lines("a", "b", "c", "e"), lines("a", "c", "d", "e", "f")) {
		name := func(l *line) string {
			if l == nil {
				return "-"
			}
			return l.Event.Name
		}
		got = append(got, name(l.A)+name(l.B))
	}
	if want := []string{"aa", "b-", "cc", "-d", "ee", "-f"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestLeaves: the proxy's certificate and the site's stand side by side, what differs is marked, and
// who vouches for each is named. Of a tunnel there is but one.
func TestLeaves(t *testing.T) {
	for _, tunnel := range []bool{false, true} {
		of := func(n int, leg, issuer string) event.Event {
			return event.Event{N: n, Kind: event.KindMessage, Session: 1, Conn: n, Leg: leg, From: "server", Topic: event.TopicCertificate,
				Certificates: []event.Certificate{{Subject: "CN=site.test", Issuer: issuer, SHA256: leg}}, Checks: []event.Check{{ID: "name", Outcome: "failed"}, {ID: "dates", Outcome: "ok"}}}
		}
		events := []event.Event{of(1, "origin", "CN=theirs"), of(2, "browser", "CN=ours"),
			{N: 3, Kind: event.KindSummary, Session: 1, Summary: &event.Summary{Tunnel: tunnel, Legs: []event.Leg{{Conn: 2, Leg: "browser"}, {Conn: 1, Leg: "origin"}}}}}
		var out bytes.Buffer
		if err := (View{Book: told(t, events), Lang: words.English, Base: "/"}).Session(&out, 1, true); err != nil {
			t.Fatal(err)
		}
		for want, also := range map[string]bool{
			`<tr class="differs"><th scope="row">Issuer</th><td>CN=ours</td><td>CN=theirs</td></tr>`: false,
			`<tr><th scope="row">Subject</th><td>CN=site.test</td>`:                                  false,
			"names CN=ours as the last issuer":                                                       true,
			`<li class="c-ok">`:                                                                      true,
		} {
			if strings.Contains(out.String(), want) != (also || !tunnel) {
				t.Errorf("tunnel %t: %q", tunnel, want)
			}
		}
	}
}

// TestMaskedKeys: the values of a key schedule are hidden unless they are asked for, but for what crossed the network in clear.
func TestMaskedKeys(t *testing.T) {
	v := View{Book: told(t, []event.Event{{N: 1, Kind: event.KindConnection, Session: 1, Conn: 1}}), Lang: words.English, Base: "/"}
	tree := []event.Secret{{ID: "client-random", From: event.FromWire, Value: "aabb"}, {ID: "key-block", From: event.FromComputed, Value: "ccdd", Made: []event.Secret{{ID: "client-key", From: event.FromLog, Value: "eeff"}}}}
	for _, show := range []bool{false, true} {
		var out bytes.Buffer
		if err := v.Schedule(&out, 1, &Schedule{Conn: 1, Secrets: &event.Secrets{Tree: tree}, Show: show}); err != nil {
			t.Fatal(err)
		}
		for value, shown := range map[string]bool{"aabb": true, "ccdd": show, "eeff": show} {
			if strings.Contains(out.String(), "<code>"+value+"</code>") != shown {
				t.Errorf("show %t: %s", show, value)
			}
		}
	}
}
