package check

import (
	"net"
	"slices"
	"strings"

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

// Nearest returns the IDs of at most four cases that are most like id.
func Nearest(id string) []string {
	type near struct {
		id   string
		cost int
	}
	var all []near
	for _, f := range ca.Faults {
		cost := edits(id, f.ID)
		if strings.Contains(f.ID, id) && len(id) > 2 {
			cost = 0
		}
		if cost <= 2+len(id)/4 {
			all = append(all, near{f.ID, cost})
		}
	}
	slices.SortStableFunc(all, func(a, b near) int { return a.cost - b.cost })
	var ids []string
	for _, n := range all[:min(len(all), 4)] {
		ids = append(ids, n.id)
	}
	return ids
}

// edits is the number of letters to put in, take out or change to make b of a.
func edits(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		before := row[0]
		row[0] = i + 1
		for j := range b {
			cost := before
			if a[i] != b[j] {
				cost = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
