package check

import (
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/ca/verify"
	"explainer/capture/fingerprint"
	"explainer/capture/handshake"
	"explainer/capture/printable"
)

// A Report is what a check came to.
type Report struct {
	Schema  int                 `json:"v"` // SchemaVersion
	Kind    event.Kind          `json:"kind"`
	Client  string              `json:"client"`            // name of the program, or the pattern of the hosts
	Command []string            `json:"command,omitempty"` // masked
	Mode    string              `json:"mode"`
	Host    string              `json:"host,omitempty"`  // name that the certificates are about
	Hosts   []string            `json:"hosts,omitempty"` // in mode "host": those that were asked for, the first 64
	Trust   string              `json:"trust"`
	TLS     []string            `json:"tls"`
	Tries   int                 `json:"tries"`
	Stack   string              `json:"stack,omitempty"` // TLS library that the ClientHello looks like: a likeness, no proof
	Grade   string              `json:"grade"`           // A to D, F, or "-" where the client could not be tested, or not enough
	Says    []event.Sentence    `json:"says"`            // why that grade
	Finds   []Finding           `json:"finds"`           // what it checks, and what not
	Counts  map[Verdict]int     `json:"counts"`
	Leaked  map[ca.Severity]int `json:"leaked"`            // how many faults, by their severity
	Remarks []string            `json:"remarks,omitempty"` // faults that were accepted and are by themselves no attack
	// Untested counts the critical and high trials that could have run and did not.
	Untested int    `json:"untested"`
	Cases    []Case `json:"-"` // lines of their own
}

// A Finding is what a client does about one kind of check, by the faults that are more than remarks.
type Finding struct {
	About   ca.About `json:"about"`
	Words   string   `json:"words"`
	State   State    `json:"state"`
	Leaked  []string `json:"leaked,omitempty"`
	Refused []string `json:"refused,omitempty"`
}

// A State says how a client stands to one kind of check. The values stand in JSON; they are permanent.
type State string

const (
	Checks    State = "checks"     // refused every fault that it was shown
	InPart    State = "in-part"    // refused some and accepted others
	ChecksNot State = "checks-not" // accepted every fault that it was shown
	NotKnown  State = "not-known"  // was shown none
)

// abouts are the kinds of checks, in the order of a report.
var abouts = []ca.About{ca.AboutChain, ca.AboutNames, ca.AboutDates, ca.AboutPurpose, ca.AboutStrength, ca.AboutHandshake, ca.AboutVersions, ca.AboutRevocation}

func aboutText(a ca.About) event.Text { return words.Piece("about/" + string(a)) }

// A Case is a fault or control and what the client did with it.
type Case struct {
	Schema    int             `json:"v"`
	Kind      event.Kind      `json:"kind"`
	ID        string          `json:"id"`
	Severity  ca.Severity     `json:"severity"`
	Wrong     string          `json:"wrong"`
	Check     string          `json:"check"`
	Step      event.Step      `json:"step"`
	StepTitle string          `json:"step_title"`
	Incident  string          `json:"incident"`
	Suggested []string        `json:"suggested,omitempty"` // alerts that fit by RFC 8446 6.2 and RFC 5246 7.2.2
	Fix       *event.Sentence `json:"fix,omitempty"`       // of what leaked
	Outcomes  []Outcome       `json:"outcomes"`            // one for each TLS version that was asked for
}

// An Outcome is what the client did with a case in one TLS version, at worst.
type Outcome struct {
	TLS string `json:"tls"`
	Trial
	Runs int `json:"runs"`
	// Of the run that is told: how the command ended.
	Exit   int              `json:"exit,omitempty"`
	Killed bool             `json:"killed,omitempty"`
	Said   string           `json:"said,omitempty"` // the line of its standard error that says best why it stopped
	Millis int64            `json:"ms,omitempty"`
	Says   []event.Sentence `json:"says"`
	// Absent tells that the case does not exist in this version.
	Absent bool `json:"absent,omitempty"`
}

// Kinds of the lines of a report.
const (
	KindReport event.Kind = "check" // the last line: what it came to
	KindCase   event.Kind = "case"
)

// suggested are the alerts that fit a fault, the best first.
func suggested(f *ca.Fault) (out []string) {
	alerts := f.Alerts
	if alerts == nil {
		alerts = verify.ReasonOf(f.ID).Alerts
	}
	if alerts == nil {
		alerts = []uint8{42} // bad_certificate
	}
	for _, n := range alerts {
		out = append(out, alertText(&SeenAlert{Number: int(n), Name: handshake.AlertName(n)}).English)
	}
	return out
}

// Report judges everything that was fed. A recording that is not of a check has none.
func (j *Judge) Report() *Report {
	if j.plan == nil {
		return nil
	}
	came := 0
	for _, run := range j.order {
		if run.trial = j.judgeRun(run); run.trial.Came() {
			came++
		}
	}
	p := j.plan
	r := &Report{
		Schema: event.SchemaVersion, Kind: KindReport, Client: programOf(p.Command), Mode: p.Mode, Host: p.Host, Trust: p.Trust, TLS: p.TLS, Tries: p.Tries, Stack: string(j.stack),
		Counts: map[Verdict]int{}, Leaked: map[ca.Severity]int{},
	}
	if p.Mode == "host" {
		r.Client, r.Hosts = p.Host, j.hosts
	}
	r.Command = j.command(p.Command)
	byCase := map[[2]string][]*run{}
	for _, run := range j.order {
		k := [2]string{run.fault, run.tls}
		byCase[k] = append(byCase[k], run)
	}
	worst := func(fault, tls string) (Trial, *run, int) {
		var t Trial
		var told *run
		runs := byCase[[2]string{fault, tls}]
		for _, run := range runs {
			more := rank[run.trial.Verdict] - rank[t.Verdict]
			if told == nil || more > 0 || more == 0 && t.short && !run.trial.short {
				t, told = run.trial, run
			}
		}
		return t, told, len(runs)
	}
	for _, id := range p.Cases {
		f := ca.FaultOf(id)
		if f == nil || slices.ContainsFunc(r.Cases, func(c Case) bool { return c.ID == id }) {
			continue
		}
		c := Case{
			Schema: event.SchemaVersion, Kind: KindCase, ID: f.ID, Severity: f.Severity, Wrong: f.Wrong, Check: f.Check,
			Step: event.Step(f.Step), StepTitle: words.TitleOf(event.Step(f.Step)), Incident: f.Incident,
		}
		if f.Severity != ca.Control {
			c.Suggested = suggested(f)
		}
		for _, tls := range p.TLS {
			o := Outcome{TLS: tls, Absent: !f.Exists(tls)}
			var told *run
			if !o.Absent {
				o.Trial, told, o.Runs = worst(f.ID, tls)
				switch {
				case told == nil:
					s := words.Say("case-not-run", event.None, nil)
					o.Trial = Trial{Verdict: NotTested, Why: &s}
					if f.ByAddress && p.Own {
						s = words.Say("case-own-name", event.None, words.Args{"url": "{url}"})
						o.control = true // it cannot be run
					}
				default:
					o.Exit, o.Killed, o.Said, o.Millis = told.ended.Exit, told.ended.Killed, j.said(told.ended.Said), told.ended.Millis
					if !o.Came() && told.ended.Error == "" && came > 0 {
						id := "case-missed"
						if slices.ContainsFunc(byCase[[2]string{f.ID, tls}], func(run *run) bool { return run.begun.Again }) {
							id = "case-missed-again"
						}
						s := words.Say(id, event.Inferred, words.Args{"n": words.Count(came, "other run")})
						o.Why = &s
					}
				}
				if p.Trust == "root" && f.Severity != ca.Control {
					for of := ca.FaultOf(f.Control); of != nil; of = ca.FaultOf(of.Control) {
						t, _, n := worst(of.ID, tls)
						if t.Verdict == Accepted && t.WaitMS > 0 && o.WaitMS > 0 && (o.Verdict == RefusedLate || o.Verdict == NotTested) {
							// With what is right it waits as well: silence is its way to go on.
							o.Verdict, o.Moment, o.Ended, o.Why = acceptedAs(f), "", "", nil
						}
						if n == 0 || t.Verdict == Accepted || o.Verdict == Leaked || o.Verdict == Accepted {
							continue
						}
						verdict, s := controlSentence(of.ID, tls, t)
						o.Trial = Trial{Verdict: verdict, Why: &s, Conns: o.Conns, control: t.Verdict != NotTested}
						break
					}
				}
				o.Says = outcomeSays(f, &o)
			}
			c.Outcomes = append(c.Outcomes, o)
		}
		r.Cases = append(r.Cases, c)
	}
	r.find()
	for i := range r.Cases {
		if c := &r.Cases[i]; c.accepted() && c.Severity != ca.Control {
			s := j.fix(ca.FaultOf(c.ID), r)
			c.Fix = &s
		}
	}
	r.grade(j.AllowUntested)
	return r
}

// controlSentence says what a control that was not accepted makes of the faults next to it.
func controlSentence(id, tls string, t Trial) (Verdict, event.Sentence) {
	switch t.Verdict {
	case Blocked, NotApplicable:
		return NotApplicable, words.Say("case-control-blocked", event.Inferred, words.Args{"control": id, "tls": tls})
	case NotTested:
		return NotTested, words.Say("case-control-not-tested", event.Inferred, words.Args{"control": id})
	}
	return NotTested, words.Say("case-control-refused", event.Inferred, words.Args{"control": id})
}

// fixes are the programs for which there is a line of its own on how to have them check.
var fixes = map[string]string{
	"curl": "fix-curl", "wget": "fix-wget", "wget2": "fix-wget", "git": "fix-git", "python": "fix-python", "python3": "fix-python", "node": "fix-node", "nodejs": "fix-node", "bun": "fix-node",
	"ruby": "fix-ruby", "php": "fix-php", "java": "fix-java", "erl": "fix-erlang", "escript": "fix-erlang", "elixir": "fix-erlang", "openssl": "fix-openssl", "gnutls-cli": "fix-gnutls",
	"lynx": "fix-lynx", "socat": "fix-socat", "ncat": "fix-ncat", "perl": "fix-perl", "go": "fix-go", "w3m": "fix-w3m", "aria2c": "fix-aria2",
}

// nameFixes say, by program and then by TLS library, how to have the host name compared where the rest is checked.
var nameFixes = map[string]string{
	"curl": "fix-names-curl", "python": "fix-names-python", "python3": "fix-names-python", "node": "fix-names-node", "nodejs": "fix-names-node", "bun": "fix-names-node", "php": "fix-names-php", "perl": "fix-names-perl",
	"openssl":                     "fix-openssl",
	string(fingerprint.OpenSSL):   "fix-names-openssl",
	string(fingerprint.BoringSSL): "fix-names-openssl", string(fingerprint.GnuTLS): "fix-names-gnutls", string(fingerprint.JSSE): "fix-names-java", string(fingerprint.GoTLS): "fix-names-go", string(fingerprint.NSS): "fix-names-nss",
	string(fingerprint.Erlang): "fix-names-erlang",
}

// fix says how to have a client refuse a fault that it accepted. It advises nothing that is in force already.
func (j *Judge) fix(f *ca.Fault, r *Report) event.Sentence {
	refused := func(id string) bool {
		return slices.ContainsFunc(r.Cases, func(c Case) bool { return c.ID == id && c.refused() && !c.accepted() })
	}
	program := programOf(j.plan.Command)
	a := words.Args{"verify": "{verify, verify_peer}", "ca": "{cacertfile, FILE}", "match": "{customize_hostname_check, [{match_fun, public_key:pkix_verify_hostname_match_fun(https)}]}"}
	switch {
	case f.About == ca.AboutRevocation:
		return words.Say("fix-revocation", event.None, nil)
	case f.Severity == ca.Low:
		return words.Say("fix-low", event.None, nil)
	case f.About == ca.AboutVersions:
		return words.Say("fix-protocol", event.None, nil)
	case f.About == ca.AboutHandshake:
		return words.Say("fix-handshake", event.None, nil)
	case f.About == ca.AboutNames && refused("wrong-host"):
		return words.Say("fix-gap", event.None, nil)
	case f.About == ca.AboutNames && (refused("self-signed") || refused("untrusted-root")):
		id, ok := nameFixes[strings.TrimRight(program, "0123456789.")]
		if !ok {
			id, ok = nameFixes[r.Stack]
		}
		if !ok {
			id = "fix-names-any"
		}
		return words.Say(id, event.None, a)
	case f.About == ca.AboutPurpose && (refused("self-signed") || refused("untrusted-root")):
		if r.Stack == string(fingerprint.GnuTLS) {
			return words.Say("fix-purpose-gnutls", event.None, nil)
		}
		return words.Say("fix-gap", event.None, nil)
	case refused("self-signed") || refused("untrusted-root"):
		return words.Say("fix-gap", event.None, nil)
	}
	id, ok := fixOf(program)
	if !ok {
		if id, ok = stackFixes[r.Stack]; !ok {
			id = "fix-any"
		}
	}
	return words.Say(id, event.None, a)
}

// stackFixes are the lines for programs that are not known, by the TLS library that their hello looks like.
var stackFixes = map[string]string{
	string(fingerprint.GoTLS): "fix-go", string(fingerprint.JSSE): "fix-java", string(fingerprint.Erlang): "fix-erlang",
}

// fixOf finds the line for a program, whose name may have a version behind it.
func fixOf(program string) (id string, ok bool) {
	if id, ok = fixes[program]; !ok {
		id, ok = fixes[strings.TrimRight(program, "0123456789.")]
	}
	return id, ok
}

// outcomeSays tells an outcome in sentences.
func outcomeSays(f *ca.Fault, o *Outcome) []event.Sentence {
	if o.Why != nil {
		return []event.Sentence{*o.Why}
	}
	a := words.Args{"ms": strconv.FormatFloat(o.AfterMS, 'f', -1, 64), "data": words.Count(int(o.Data), "byte"), "wait": strconv.FormatFloat(o.WaitMS/1000, 'f', 1, 64)}
	if o.Moment != "" {
		a["moment"] = words.Piece("stopped/" + o.Moment)
	}
	went := o.Verdict == Leaked || o.Verdict == Accepted
	switch {
	case went && o.Data == 0 && f.Severity == ca.Control:
		return []event.Sentence{words.Say("case-accepted-waits", event.Inferred, a)}
	case went && o.Data == 0 && o.Verdict == Leaked:
		return []event.Sentence{words.Say("case-leaked-waits", event.Inferred, a)}
	case went && o.Data == 0:
		return []event.Sentence{words.Say("case-took-waits", event.Inferred, a)}
	case went && f.Severity == ca.Control:
		return []event.Sentence{words.Say("case-accepted", event.Decrypted, a)}
	case o.Verdict == Leaked:
		return []event.Sentence{words.Say("case-leaked", event.Decrypted, a)}
	case o.Verdict == Accepted:
		return []event.Sentence{words.Say("case-took", event.Decrypted, a)}
	case o.Verdict == FalseStart:
		return []event.Sentence{words.Say("case-false-start", event.Decrypted, a)}
	}
	how := event.Clear
	id := map[string]string{"alert": "case-refused-alert", "close_notify": "case-refused-close_notify", "fin": "case-refused-fin", "rst": "case-refused-rst"}[o.Ended]
	if o.Alert != nil {
		a["alert"] = alertText(o.Alert)
		switch o.Alert.How {
		case "protected":
			how, a["how"] = event.Decrypted, words.Piece("how/encrypted")
		case "clear":
			a["how"] = words.Piece("how/clear")
		default:
			how, id = event.Inferred, "case-refused-sealed"
		}
	}
	says := []event.Sentence{words.Say(id, how, a)}
	if f.Severity == ca.Control {
		id := "case-control-too"
		switch {
		case o.nameless:
			id = "case-control-nameless"
		case o.Verdict == RefusedLate && o.Alert == nil:
			id = "case-control-silent"
		}
		says = append(says, words.Say(id, event.None, words.Args{"host": "{host}"}))
	}
	return says
}

// find sums up, for each kind of check, what became of its faults.
func (r *Report) find() {
	for _, of := range abouts {
		f := Finding{About: of, Words: aboutText(of).English, State: NotKnown}
		shown := false
		for i := range r.Cases {
			c := &r.Cases[i]
			if ca.FaultOf(c.ID).About != of {
				continue
			}
			shown = true
			switch {
			case c.Severity == ca.Low:
			case c.accepted():
				f.Leaked = append(f.Leaked, c.ID)
			case c.refused():
				f.Refused = append(f.Refused, c.ID)
			}
		}
		switch {
		case len(f.Leaked) > 0 && len(f.Refused) > 0:
			f.State = InPart
		case len(f.Leaked) > 0:
			f.State = ChecksNot
		case len(f.Refused) > 0:
			f.State = Checks
		}
		if shown {
			r.Finds = append(r.Finds, f)
		}
	}
}

// grade gives the grade, after Durumeric et al. (NDSS 2017): the worst thing that
// leaked. What the client's own hello rules out lowers nothing and leaves nothing
// open; allow critical and high trials may be left untested.
func (r *Report) grade(allow int) {
	n := r.count()
	a := words.Args{"refused": words.Count(r.Counts[Refused]+r.Counts[RefusedLate]+r.Counts[FalseStart], "trial"), "n": words.Count(r.Leaked[ca.Critical], "case")}
	id, open := "grade-a", false
	switch {
	case r.Leaked[ca.Critical] > 0:
		r.Grade, id = "F", "grade-f"
	case r.Leaked[ca.High] > 0:
		r.Grade, id, a = "D", "grade-d", a.With("n", words.Count(r.Leaked[ca.High], "case"))
	case n.tested == 0 && n.ruledOut > 0 && r.Untested == 0 && n.controls > 0:
		r.Grade, id, a = "-", "grade-none-ruled-out", a.With("n", words.Count(n.ruledOut, "trial"))
	case n.tested == 0:
		r.Grade, id, a = "-", "grade-none", a.With("ca", "{ca}")
		switch {
		case n.controls > 0:
			id = "grade-none-but-controls"
		case n.refusedControls > 0 && r.Mode == "host":
			id = "grade-none-host-trust"
		case n.refusedControls > 0:
			id = "grade-none-trust"
		case r.Mode == "host":
			id = "grade-none-came"
		}
	case r.Untested > allow:
		open = true
		r.Grade, id, a = "-", "grade-open", words.Args{"n": strconv.Itoa(r.Untested), "of": strconv.Itoa(n.serious)}
		if leaked := r.Leaked[ca.Medium]; leaked > 0 {
			id, a = "grade-open-c", a.With("leaked", words.Count(leaked, "case"))
		}
	case r.Leaked[ca.Medium] > 0:
		r.Grade, id, a = "C", "grade-c", a.With("n", words.Count(r.Leaked[ca.Medium], "case"))
	case n.early == 0 && n.late > 0:
		r.Grade, id = "B", "grade-b-late"
	case r.Counts[Refused]+r.Counts[RefusedLate]+r.Counts[FalseStart] == 0:
		r.Grade, id = "A", "grade-a-remarks"
	default:
		r.Grade = "A"
	}
	r.Says = []event.Sentence{words.Say(id, event.Inferred, a)}
	if n.tested == 0 {
		return
	}
	if r.Untested > 0 && !open {
		r.Says = append(r.Says, words.Say("grade-untested-serious", event.Inferred, words.Args{"n": strconv.Itoa(r.Untested), "of": strconv.Itoa(n.serious)}))
	}
	if more := n.skipped - r.Untested; more > 0 {
		r.Says = append(r.Says, words.Say("grade-untested", event.Inferred, words.Args{"n": words.Count(more, "trial")}))
	}
	if n.ruledOut > 0 {
		r.Says = append(r.Says, words.Say("grade-ruled-out", event.Inferred, words.Args{"n": words.Count(n.ruledOut, "trial")}))
	}
	if remarks := len(r.Remarks); remarks > 0 {
		r.Says = append(r.Says, words.Say("grade-remarks", event.Inferred, words.Args{"n": words.Count(remarks, "remark"), "cases": words.List(",", words.Names(r.Remarks)...)}))
	}
}

// counted are trials of faults but for the controls; serious are the critical and high ones.
type counted struct {
	tested, early, late, skipped, ruledOut, serious int
	controls, refusedControls                       int
}

// count counts the trials, in the report too.
func (r *Report) count() (n counted) {
	for i := range r.Cases {
		c := &r.Cases[i]
		for _, o := range c.Outcomes {
			if o.Absent {
				continue
			}
			if c.Severity == ca.Control {
				switch o.Verdict {
				case Accepted:
					n.controls++
				case Refused, RefusedLate:
					n.refusedControls++
				}
				continue
			}
			r.Counts[o.Verdict]++
			isSerious := c.Severity == ca.Critical || c.Severity == ca.High
			switch o.Verdict {
			case NotApplicable, Blocked:
				n.ruledOut++
				continue
			case NotTested:
				n.skipped++
				if isSerious && !o.control {
					n.serious++
					r.Untested++
				}
				continue
			case Refused:
				n.early++
			case RefusedLate:
				if !strings.HasPrefix(c.ID, "finished-") || o.TLS != "TLS 1.2" { // there the client's own Finished comes first: nobody can refuse this early
					n.late++
				}
			}
			n.tested++
			if isSerious {
				n.serious++
			}
		}
		switch {
		case c.Severity == ca.Control || !c.accepted():
		case c.Severity == ca.Low:
			r.Remarks = append(r.Remarks, c.ID)
		default:
			r.Leaked[c.Severity]++
		}
	}
	return n
}

// JSON writes the report, one object a line: the cases, then what they came to.
func (r *Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(printable.Writer{W: w})
	enc.SetEscapeHTML(false)
	for i := range r.Cases {
		if err := enc.Encode(&r.Cases[i]); err != nil {
			return err
		}
	}
	return enc.Encode(r)
}
