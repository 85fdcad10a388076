package story

import (
	"slices"

	"explainer/annotate/event"
)

// flowOf is the row of the truth table that a connection was told as.
func flowOf(es []event.Event, conn int) (flow string) {
	for i := range es {
		if es[i].Summary == nil {
			continue
		}
		for _, l := range es[i].Summary.Legs {
			if l.Conn == conn {
				flow = l.Flow
			}
		}
	}
	return flow
}

// is13 tells whether a version is TLS 1.3 or a draft of it.
func is13(version uint16) bool { return version == 0x0304 || version>>8 == 0x7f }

// compare says what of the story became another.
func compare(c *event.Comparison, before, after []event.Event) {
	was, is := proofsOf(before), proofsOf(after)
	steps := stepsOf(before)
	for key, on := range stepsOf(after) {
		for _, step := range on {
			if !slices.Contains(steps[key], step) {
				steps[key] = append(steps[key], step)
			}
		}
	}
	change := func(key proofKey, was, is *event.Proof) {
		p := event.ProofChange{Conn: key.conn, ID: key.id, Steps: steps[proofKey{conn: key.conn, id: key.id}]}
		if was != nil {
			p.Was, p.Claim = was.State, was.Claim
		}
		if is != nil {
			p.Is, p.Claim, p.Reason = is.State, is.Claim, is.Reason
		}
		if p.Was != p.Is {
			c.Proofs = append(c.Proofs, p)
		}
	}
	for _, key := range was.order {
		change(key, was.by[key], is.by[key])
	}
	for _, key := range is.order {
		if was.by[key] == nil {
			change(key, nil, is.by[key])
		}
	}
	compareSteps(c, before, after)
	compareChecks(c, before, after)
}

// A proofKey finds the proof of one story in the other: the nth of its ID and side.
type proofKey struct {
	conn     int
	id, from string
	n        int
}

type proofs struct {
	order []proofKey
	by    map[proofKey]*event.Proof
}

func proofsOf(es []event.Event) *proofs {
	all := &proofs{by: map[proofKey]*event.Proof{}}
	for i := range es {
		for j := range es[i].Proofs {
			key := proofKey{conn: es[i].Conn, id: es[i].Proofs[j].ID, from: es[i].From}
			for all.by[key] != nil {
				key.n++
			}
			all.order = append(all.order, key)
			all.by[key] = &es[i].Proofs[j]
		}
	}
	return all
}

// rowsOf are the rows of the last summary of each connection.
func rowsOf(es []event.Event) (conns []int, rows map[int][]event.Row) {
	rows = map[int][]event.Row{}
	for i := range es {
		if es[i].Summary == nil {
			continue
		}
		for _, l := range es[i].Summary.Legs {
			if rows[l.Conn] == nil {
				conns = append(conns, l.Conn)
			}
			rows[l.Conn] = l.Rows
		}
	}
	return conns, rows
}

// stepsOf are the steps that rest on a proof.
func stepsOf(es []event.Event) map[proofKey][]event.Step {
	on := map[proofKey][]event.Step{}
	_, rows := rowsOf(es)
	for conn, list := range rows {
		for _, r := range list {
			for _, p := range r.Proofs {
				key := proofKey{conn: conn, id: p.ID}
				if !slices.Contains(on[key], r.Step) {
					on[key] = append(on[key], r.Step)
				}
			}
		}
	}
	return on
}

func compareSteps(c *event.Comparison, before, after []event.Event) {
	conns, was := rowsOf(before)
	more, is := rowsOf(after)
	for _, n := range more {
		if !slices.Contains(conns, n) {
			conns = append(conns, n)
		}
	}
	find := func(rows []event.Row, step event.Step) (r event.Row) {
		if i := slices.IndexFunc(rows, func(r event.Row) bool { return r.Step == step }); i >= 0 {
			r = rows[i]
		}
		return r
	}
	for _, n := range conns {
		for _, step := range event.Steps {
			a, b := find(was[n], step), find(is[n], step)
			if a.Verdict != b.Verdict {
				c.Steps = append(c.Steps, event.StepChange{Conn: n, Step: step, Was: a.Verdict, Is: b.Verdict, Says: b.Says})
			}
		}
	}
}

type checkKey struct {
	conn     int
	from, id string
}

func checksOf(es []event.Event) (order []checkKey, by map[checkKey]event.Check) {
	by = map[checkKey]event.Check{}
	for i := range es {
		for _, c := range es[i].Checks {
			key := checkKey{es[i].Conn, es[i].From, c.ID}
			if _, twice := by[key]; !twice {
				order = append(order, key)
			}
			by[key] = c
		}
	}
	return order, by
}

func compareChecks(c *event.Comparison, before, after []event.Event) {
	order, was := checksOf(before)
	more, is := checksOf(after)
	for _, key := range more {
		if _, known := was[key]; !known {
			order = append(order, key)
		}
	}
	for _, key := range order {
		a, b := was[key], is[key]
		if a.Outcome != b.Outcome || a.Reason != b.Reason {
			c.Checks = append(c.Checks, event.CheckChange{Conn: key.conn, From: key.from, ID: key.id, Was: a.Outcome, Is: b.Outcome, Reason: b.Reason, Says: b.Says})
		}
	}
}
