package proxy

import (
	"context"
	"crypto/tls"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"explainer/ca"
	"explainer/capture"
)

// judgeTime is how long whoever judges the recording may be behind the runs.
const judgeTime = 30 * time.Second

// An Ended is a run that is over, as whoever judges the recording sees it.
type Ended struct {
	Run, Fault, TLS string // TLS: "TLS 1.2"
	Came            bool   // it connected
	Accepted        bool   // it went on with a control
	Short           bool   // its time was over soon after it had come so far
}

// A trial is a case in one TLS version.
type trial struct {
	fault   *ca.Fault
	version uint16
}

// trials are those of a plan's cases, of its controls or of its faults, in its order.
func trials(plan *capture.CheckPlan, control bool) (all []trial) {
	for _, id := range plan.Cases {
		f := ca.FaultOf(id)
		for _, name := range plan.TLS {
			if f.Exists(name) && !(f.ByAddress && plan.Own) && control == (f.Severity == ca.Control) {
				all = append(all, trial{f, versionOf(name)})
			}
		}
	}
	return all
}

// versionOf is the number of a TLS version that a plan names.
func versionOf(name string) uint16 {
	if name == tls.VersionName(tls.VersionTLS12) {
		return tls.VersionTLS12
	}
	return tls.VersionTLS13
}

// All runs the command for every case of a plan, jobs of them side by side: the
// controls first, for where one is not accepted the faults next to it show nothing.
// Once ctx is done it begins no more. ended has each run once its end was judged, and
// is closed where nothing is judged any more; progress is told how many of how many
// have ended. An error is about this side alone.
func (c *Checker) All(ctx context.Context, plan *capture.CheckPlan, jobs int, ended <-chan Ended, progress func(n, total int, fault string)) error {
	r := &rounds{Checker: c, jobs: jobs, ended: ended, progress: progress, accepted: map[trial]bool{}}
	controls, faults := r.runs(plan, true), r.runs(plan, false)
	r.total = len(controls) + len(faults)
	r.again(ctx, r.round(ctx, controls))
	if plan.Trust == "root" {
		faults = slices.DeleteFunc(faults, func(run Run) bool {
			for of := ca.FaultOf(ca.FaultOf(run.Fault).Control); of != nil; of = ca.FaultOf(of.Control) {
				if !r.accepted[trial{of, run.Version}] {
					return true
				}
			}
			return false
		})
	}
	r.total = r.n + len(faults)
	if !r.stopped(ctx) {
		r.again(ctx, r.round(ctx, faults))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken
}

// rounds is a check that is under way.
type rounds struct {
	*Checker
	jobs     int
	ended    <-chan Ended
	progress func(n, total int, fault string)

	planned  int // runs; their numbers
	n, total int // runs that have ended, and all
	came     int
	accepted map[trial]bool // controls

	mu     sync.Mutex
	broken error
}

// runs are those of a plan's controls or of its faults.
func (r *rounds) runs(plan *capture.CheckPlan, control bool) (all []Run) {
	for try := 1; try <= plan.Tries; try++ {
		for _, t := range trials(plan, control) {
			r.planned++
			all = append(all, Run{ID: strconv.Itoa(r.planned), Fault: t.fault.ID, Version: t.version, Try: try})
		}
	}
	return all
}

// stopped tells that nothing more is to be run.
func (r *rounds) stopped(ctx context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ctx.Err() != nil || r.broken != nil
}

// round runs the command for each, and returns the runs in which it never connected,
// or whose time was over soon after it had.
func (r *rounds) round(ctx context.Context, runs []Run) (missed []Run) {
	queue := make(chan Run)
	var workers sync.WaitGroup
	for range min(r.jobs, len(runs)) {
		workers.Go(func() {
			for run := range queue {
				if err := r.Run(ctx, run); err != nil {
					r.mu.Lock()
					r.broken = err
					r.mu.Unlock()
				}
			}
		})
	}
	go func() {
		defer close(queue)
		for _, run := range runs {
			if ctx.Err() != nil {
				return
			}
			queue <- run
		}
	}()
	done := make(chan struct{})
	go func() { workers.Wait(); close(done) }()
	var late <-chan time.Time
	for left := len(runs); left > 0; {
		select {
		case e, ok := <-r.ended:
			if !ok {
				return missed
			}
			left--
			r.n++
			r.progress(r.n, r.total, e.Fault)
			if e.Came {
				r.came++
			}
			if i := slices.IndexFunc(runs, func(run Run) bool { return run.ID == e.Run }); i >= 0 && !runs[i].Again && (!e.Came || e.Short) {
				again := runs[i]
				again.ID, again.Again = again.ID+"-again", true
				missed = append(missed, again)
			}
			if e.Accepted {
				r.accepted[trial{ca.FaultOf(e.Fault), versionOf(e.TLS)}] = true
			}
		case <-done:
			// The judge is a little behind, and some were perhaps not run at all.
			done, late = nil, time.After(judgeTime)
			if r.stopped(ctx) {
				return missed
			}
		case <-late:
			return missed
		}
	}
	workers.Wait()
	return missed
}

// again runs once more what never connected or hardly had the time, each alone and with twice the time: the
// machine may have been busy. It gives up on a command that does not connect then either.
func (r *rounds) again(ctx context.Context, missed []Run) {
	failures := 0
	for _, run := range missed {
		if failures == 3 || failures == 1 && r.came == 0 || r.stopped(ctx) {
			return
		}
		r.total++
		before := r.came
		r.round(ctx, []Run{run})
		if failures++; r.came > before {
			failures = 0
		}
	}
}

// maxApps bounds how many clients a check that waits for them tells apart, by their hosts.
const maxApps = 1 << 10

// An Apps shows the cases of a plan to clients that come by themselves: to each of
// them one at each connection to a host of the plan, and then it passes untouched.
type Apps struct {
	plan  *capture.CheckPlan
	cases []Case

	mu    sync.Mutex
	shown map[app]int    // how many cases it was shown
	whose map[string]app // a run
	met   map[app]int    // how many of its runs have ended
}

// An app is a client at one host.
type app struct{ client, host string }

// NewApps lets the cases of a plan answer for those of p. signs is the CA that signs them.
func NewApps(p *Proxy, plan *capture.CheckPlan, signs *ca.Authority) *Apps {
	a := &Apps{plan: plan, shown: map[app]int{}, whose: map[string]app{}, met: map[app]int{}}
	for range plan.Tries {
		for _, control := range []bool{true, false} {
			for _, t := range trials(plan, control) {
				a.cases = append(a.cases, Case{Fault: t.fault.ID, Version: t.version, Authority: signs})
			}
		}
	}
	p.Cases = a.next
	return a
}

// Cases is how many there are for each.
func (a *Apps) Cases() int { return len(a.cases) }

// next is the case that a client is shown now.
func (a *Apps) next(asking Asking) (Case, bool) {
	host := asking.SNI
	if host == "" {
		host = asking.Host
	}
	who := app{asking.Client.Addr().String(), strings.ToLower(host)}
	if m, _ := path.Match(a.plan.Host, who.host); !m {
		return Case{}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	at, known := a.shown[who]
	if !known && len(a.shown) >= maxApps || at >= len(a.cases) {
		return Case{}, false
	}
	a.shown[who] = at + 1
	show := a.cases[at]
	show.Host, show.Run = who.host, strconv.Itoa(len(a.whose)+1)
	a.whose[show.Run] = who
	return show, true
}

// Ended notes that a run has ended. It returns whose it was, whether that client has
// met all cases at that host, and how many runs there will be with the clients known so far.
func (a *Apps) Ended(run string) (client, host string, all bool, total int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	who := a.whose[run]
	a.met[who]++
	return who.client, who.host, a.met[who] == len(a.cases), len(a.cases) * len(a.shown)
}
