package main

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/text"
	"explainer/ca"
)

// What browsers accept of the faults (all of it is of severity low), and with
// which alert they refuse the others, as measured with Chromium 156 and Firefox 153.
type verdicts struct {
	accepts []string
	alert   string            // for a certificate
	alerts  map[string]string // that are others
}

var (
	handshakeAlerts = map[string]string{"no-private-key": "51", "psychic-handshake": "51", "finished-wrong": "51", "finished-tampered": "20", "downgrade-sentinel": "47"}
	chromium        = verdicts{
		[]string{"no-eku", "ca-as-leaf", "long-validity", "rsa-1024", "cipher-static-rsa", "must-staple-missing"},
		"46", map[string]string{"wrong-ku": "47"},
	}
	firefox = verdicts{
		[]string{"wrong-ku", "no-eku", "long-validity", "rsa-1024", "cipher-static-rsa"},
		"42", map[string]string{
			"untrusted-root": "48", "root-same-name-other-key": "48", "incomplete-chain": "48", "curveball": "48", "issuer-expired": "48", "issuer-unknown-critical-ext": "48",
			"leaf-as-ca": "46", "issuer-no-certsign": "46", "issuer-wrong-eku": "46", "wrong-eku": "46", "expired": "45", "staple-revoked": "44",
		},
	}
)

// alertNumber is that of the alert in the sentence about a refusal.
var alertNumber = regexp.MustCompile(`sent the alert [a-z_]+ \((\d+)\)`)

// visited are the cases that have a site.
func visited() (controls, faults []string) {
	for _, f := range ca.Faults {
		switch {
		case f.ByAddress || f.Trust:
		case f.Severity == ca.Control:
			controls = append(controls, f.ID)
		default:
			faults = append(faults, f.ID)
		}
	}
	return
}

// faultsSum is the line that the index page comes to.
var faultsSum = regexp.MustCompile(`(\d+) of (\d+) faults refused; accepted: ([^.]*)\.`)

// checkFaults compares what the index page says with what the browser is known
// to accept, and the story of every case with both.
func (r *told) checkFaults(text string, want verdicts) {
	r.t.Helper()
	m := faultsSum.FindStringSubmatch(text)
	if m == nil {
		r.t.Fatalf("the page does not come to a sum: %s", text)
	}
	var took []string
	for one := range strings.SplitSeq(m[3], ", ") {
		id, severity, _ := strings.Cut(one, " ")
		if took = append(took, id); severity != "(low)" {
			r.t.Errorf("%s is accepted, %s", id, severity)
		}
	}
	if !slices.Equal(took, want.accepts) {
		r.t.Errorf("the browser accepts %q, want %q", took, want.accepts)
	}
	controls, faults := visited()
	if strings.Contains(r.short(), "REFUTED") {
		r.t.Errorf("the short story takes a fault for a fault of its own\n%s", r.short())
	}
	notes := map[string][]string{}
	for _, e := range r.events {
		if e.Kind != event.KindSummary {
			continue
		}
		id, ok := strings.CutSuffix(e.Host, ".explainer.test")
		if f := ca.FaultOf(id); !ok || f == nil {
			continue
		}
		if len(e.Says) == 0 || len(e.Summary.Legs) != 1 {
			r.t.Errorf("%s: %d legs, %d notes", id, len(e.Summary.Legs), len(e.Says))
			continue
		}
		note := e.Says[0]
		notes[id] = append(notes[id], note.ID)
		if note.ID == "shown-refused" {
			alert := cmp.Or(handshakeAlerts[id], want.alerts[id], want.alert)
			if m := alertNumber.FindStringSubmatch(note.Text); m == nil || m[1] != alert {
				r.t.Errorf("%s: want the alert %s: %s", id, alert, note.Text)
			}
		}
	}
	short := r.short()
	for _, id := range append(controls, faults...) {
		if n := len(regexp.MustCompile(`(?m)^ +[0-9]+  `+id+`(?:   |\n +)[^ ].*$`).FindAllString(short, -1)); n != len(notes[id]) {
			r.t.Errorf("%s: %d lines of the short story for %d connections\n%s", id, n, len(notes[id]), short)
		}
		accepted := slices.ContainsFunc(notes[id], func(note string) bool { return strings.HasPrefix(note, "shown-accepted") })
		if should := slices.Contains(controls, id) || slices.Contains(want.accepts, id); len(notes[id]) == 0 || accepted != should {
			r.t.Errorf("%s: the story comes to %q, want it accepted: %v", id, notes[id], should)
		}
	}
}

// short is the short story, 110 columns wide, of the events.
func (r *told) short() string {
	var b strings.Builder
	s := text.NewShort(&b)
	s.Width = 110
	for i := range r.events {
		s.Event(&r.events[i])
	}
	s.Finish()
	return b.String()
}

// TestFaultsChromium has Chromium try all cases from the index page.
func TestFaultsChromium(t *testing.T) {
	t.Parallel()
	r := browse(t, "--browser", "chromium", "https://explainer.test/faults", "--", "--dump-dom", "--virtual-time-budget=120000")
	cells := map[string]string{}
	for _, m := range regexp.MustCompile(`(?s)<tr id="([^"]+)"[^>]*>.*?<td class="(?:yes|no)"><b>([^<]*)</b>`).FindAllStringSubmatch(r.stderr, -1) {
		cells[m[1]] = m[2]
	}
	controls, faults := visited()
	for _, id := range append(controls, faults...) {
		want := "refused"
		if slices.Contains(controls, id) || slices.Contains(chromium.accepts, id) {
			want = "accepted"
		}
		if cells[id] != want {
			t.Errorf("%s: the table says %q, want %q", id, cells[id], want)
		}
	}
	for id, says := range map[string]string{"expired": "REFUSED the certificate: step 4a, alert certificate_unknown (46), encrypted", "no-private-key": "stopped it: step 2, alert decrypt_error (51), encrypted"} {
		row := regexp.MustCompile(`(?s)<tr id="` + id + `".*?</tr>`).FindString(r.stderr)
		if !regexp.MustCompile(`<br>connection [0-9]+: Chrome [0-9]+ ` + regexp.QuoteMeta(says)).MatchString(row) {
			t.Errorf("%s: the row does not say %q: %s", id, says, row)
		}
	}
	if strings.Index(r.stderr, "<details>") < strings.Index(r.stderr, `<tr id="must-staple-missing"`) {
		t.Error("the controls stand before the faults, or open")
	}
	sum := regexp.MustCompile(`id="sum">([^<]*)`).FindStringSubmatch(r.stderr)
	if sum == nil {
		t.Fatalf("no sum: %s", r.stderr)
	}
	r.checkFaults(sum[1], chromium)
}

// TestFaultsFirefox has Firefox try all cases from the index page, which tells
// the site what it came to.
func TestFaultsFirefox(t *testing.T) {
	t.Parallel()
	sum := ""
	r := browseUntil(t, func(e *event.Event) bool {
		if e.Leg == "browser" && e.Topic == event.TopicResponseBody && faultsSum.MatchString(e.HTTP.Begins) {
			sum = e.HTTP.Begins
		}
		return sum != ""
	}, "--browser", "firefox", "https://explainer.test/faults")
	r.checkFaults(sum, firefox)
}

// TestFaultsUntrusted: without trust in the CA the index page says so, and tries nothing.
func TestFaultsUntrusted(t *testing.T) {
	t.Parallel()
	browserSlots <- struct{}{}
	defer func() { <-browserSlots }()
	home := t.TempDir()
	r := explain(t, "run", "--", "env", "HOME="+home, lookPath(t, "chromium"), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-features=HttpsUpgrades",
		"--user-data-dir="+home+"/profile", "--proxy-server={proxy}", "--virtual-time-budget=10000", "--dump-dom", "http://explainer.test/faults")
	if !strings.Contains(r.stdout, `id="sum">This browser refuses the good certificate too`) || len(r.sessions("expired.explainer.test")) > 0 {
		t.Errorf("exit code %d, %s", r.code, r.stdout)
	}
}
