package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/ca"
)

// What the browsers accept of the faults, as measured by hand with Chromium 156
// and Firefox 153. All of it is of severity low.
var (
	chromiumAccepts = []string{"no-eku", "ca-as-leaf", "long-validity", "rsa-1024", "cipher-static-rsa", "must-staple-missing"}
	firefoxAccepts  = []string{"wrong-ku", "no-eku", "long-validity", "rsa-1024", "cipher-static-rsa"}
)

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
func (r *told) checkFaults(text string, accepts []string) {
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
	if !slices.Equal(took, accepts) {
		r.t.Errorf("the browser accepts %q, want %q", took, accepts)
	}
	controls, faults := visited()
	notes := map[string][]string{}
	for _, e := range r.events {
		if e.Kind != annotate.KindSummary {
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
		notes[id] = append(notes[id], e.Says[0].ID)
	}
	for _, id := range append(controls, faults...) {
		accepted := slices.ContainsFunc(notes[id], func(note string) bool { return strings.HasPrefix(note, "shown-accepted") })
		if want := slices.Contains(controls, id) || slices.Contains(accepts, id); len(notes[id]) == 0 || accepted != want {
			r.t.Errorf("%s: the story comes to %q, want it accepted: %v", id, notes[id], want)
		}
	}
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
		if slices.Contains(controls, id) || slices.Contains(chromiumAccepts, id) {
			want = "accepted"
		}
		if cells[id] != want {
			t.Errorf("%s: the table says %q, want %q", id, cells[id], want)
		}
	}
	sum := regexp.MustCompile(`id="sum">([^<]*)`).FindStringSubmatch(r.stderr)
	if sum == nil {
		t.Fatalf("no sum: %s", r.stderr)
	}
	r.checkFaults(sum[1], chromiumAccepts)
}

// TestFaultsFirefox has Firefox try all cases from the index page, which tells
// the site what it came to.
func TestFaultsFirefox(t *testing.T) {
	t.Parallel()
	sum := ""
	r := browseUntil(t, func(e *annotate.Event) bool {
		for _, f := range e.Fields {
			if e.Leg == "browser" && e.Name == "response body" && f.Name == "begins" && faultsSum.MatchString(f.Value) {
				sum = f.Value
			}
		}
		return sum != ""
	}, "--browser", "firefox", "https://explainer.test/faults")
	r.checkFaults(sum, firefoxAccepts)
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
