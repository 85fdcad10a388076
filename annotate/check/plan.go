package check

import (
	"net"
	"slices"

	"explainer/ca"
	"explainer/capture"
)

// Suits reports whether a plan can show a case at all: some need a command that was
// told to trust two CAs, and one that is about an address needs a client that calls one.
func Suits(p *capture.CheckPlan, f *ca.Fault) bool {
	return !(f.Trust && (p.Mode == "host" || p.Trust == "none")) && !(f.ByAddress && p.Mode == "host" && net.ParseIP(p.Host) == nil)
}

// Choose returns the IDs of what a plan shows, in the table's order: only, or where
// that is empty what suits it of these severities, or where they are empty too of all,
// or of the critical ones for a client that was told to trust nothing. The controls
// that they need come with them.
func Choose(p *capture.CheckPlan, only []string, severities []ca.Severity) []string {
	want := map[string]bool{}
	for _, id := range only {
		want[id] = true
	}
	if len(severities) == 0 && p.Trust == "none" {
		severities = []ca.Severity{ca.Critical}
	}
	for i := range ca.Faults {
		f := &ca.Faults[i]
		if len(only) == 0 && Suits(p, f) && (len(severities) == 0 || slices.Contains(severities, f.Severity)) {
			want[f.ID] = true
		}
	}
	if p.Trust == "root" {
		want["good"] = true
		for _, f := range ca.Faults {
			for of := &f; of != nil && want[f.ID]; of = ca.FaultOf(of.Control) {
				want[of.ID] = true
			}
		}
	}
	var ids []string
	for _, f := range ca.Faults {
		if want[f.ID] {
			ids = append(ids, f.ID)
		}
	}
	return ids
}
