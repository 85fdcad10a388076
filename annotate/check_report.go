package annotate

import (
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"

	"explainer/ca"
	"explainer/capture"
	"explainer/capture/handshake"
)

// A CheckReport is what a check came to.
type CheckReport struct {
	Schema  int                 `json:"v"` // SchemaVersion
	Kind    Kind                `json:"kind"`
	Client  string              `json:"client"`            // name of the program, or the pattern of the hosts
	Command []string            `json:"command,omitempty"` // masked
	Mode    string              `json:"mode"`
	Host    string              `json:"host,omitempty"`  // name that the certificates are about
	Hosts   []string            `json:"hosts,omitempty"` // in mode "host": those that were asked for, the first 64
	Trust   string              `json:"trust"`
	TLS     []string            `json:"tls"`
	Tries   int                 `json:"tries"`
	Grade   string              `json:"grade"` // A to D, F, or "-" where the client could not be tested
	Says    []Sentence          `json:"says"`  // why that grade
	Counts  map[CaseVerdict]int `json:"counts"`
	Leaked  map[ca.Severity]int `json:"leaked"` // how many faults, by their severity
	Cases   []CheckCase         `json:"-"`      // lines of their own
}

// A CheckCase is a fault or control and what the client did with it.
type CheckCase struct {
	Schema    int           `json:"v"`
	Kind      Kind          `json:"kind"`
	ID        string        `json:"id"`
	Severity  ca.Severity   `json:"severity"`
	Wrong     string        `json:"wrong"`
	Check     string        `json:"check"`
	Step      Step          `json:"step"`
	StepTitle string        `json:"step_title"`
	Incident  string        `json:"incident"`
	Suggested []string      `json:"suggested,omitempty"` // alerts that fit by RFC 8446 6.2 and RFC 5246 7.2.2
	Fix       *Sentence     `json:"fix,omitempty"`       // of what leaked
	Outcomes  []CaseOutcome `json:"outcomes"`            // one for each TLS version that was asked for
}

// A CaseOutcome is what the client did with a case in one TLS version, at worst.
type CaseOutcome struct {
	TLS string `json:"tls"`
	Trial
	Runs int `json:"runs"`
	// Of the run that is told: how the command ended.
	Exit   int        `json:"exit,omitempty"`
	Killed bool       `json:"killed,omitempty"`
	Said   string     `json:"said,omitempty"` // the line of its standard error that says best why it stopped
	Millis int64      `json:"ms,omitempty"`
	Says   []Sentence `json:"says"`
	// Absent tells that the case does not exist in this version.
	Absent bool `json:"absent,omitempty"`
}

// Kinds of the lines of a report.
const (
	KindCheck Kind = "check" // the last line: what it came to
	KindCase  Kind = "case"
)

// suggested are the alerts that fit a fault by what RFC 8446 6.2 and RFC 5246
// 7.2.2 say of each, the best first.
var suggested = map[string][]uint8{
	"self-signed": {48}, "untrusted-root": {48}, "root-same-name-other-key": {48, 42}, "bad-cert-signature": {42, 51}, "incomplete-chain": {48},
	"leaf-as-ca": {48, 42}, "issuer-no-basic-constraints": {48, 42}, "issuer-x509v1": {48, 42}, "issuer-no-certsign": {48, 42}, "pathlen-exceeded": {48, 42},
	"issuer-expired": {45}, "root-expired": {45}, "issuer-unknown-critical-ext": {46, 43}, "issuer-wrong-eku": {43}, "name-constraint-violated": {46, 42},
	"name-constraint-cn-bypass": {46, 42}, "curveball": {42, 51}, "psychic-cert": {42, 51},
	"duplicate-san": {42, 50}, "expired": {45}, "not-yet-valid": {45, 42}, "wrong-eku": {43}, "wrong-ku": {46, 43}, "unknown-critical-ext": {46, 43},
	"md5-signature": {42, 51}, "sha1-signature": {42, 51}, "sigalg-mismatch": {42, 50}, "rsa-1024": {42, 71}, "rsa-512": {42, 71},
	"no-private-key": {51}, "psychic-handshake": {51}, "finished-wrong": {51}, "finished-tampered": {20}, "downgrade-sentinel": {47},
	"proto-tls10": {70}, "proto-tls11": {70}, "cipher-rc4": {40, 71}, "cipher-3des": {40, 71}, "cipher-static-rsa": {40, 71},
	"staple-revoked": {44, 113}, "must-staple-missing": {113, 42},
}

// Report judges everything that was fed. A recording that is not of a check has none.
func (j *Judge) Report() *CheckReport {
	if j.plan == nil {
		return nil
	}
	for _, run := range j.order {
		run.trial = j.judgeRun(run)
	}
	p := j.plan
	r := &CheckReport{
		Schema: SchemaVersion, Kind: KindCheck, Client: programOf(p.Command), Mode: p.Mode, Host: p.Host, Trust: p.Trust, TLS: p.TLS, Tries: p.Tries,
		Counts: map[CaseVerdict]int{}, Leaked: map[ca.Severity]int{},
	}
	if p.Mode == "host" {
		r.Client, r.Hosts = p.Host, j.hosts
	}
	r.Command = j.arguments(p.Command)
	byCase := map[[2]string][]*checkRun{}
	for _, run := range j.order {
		k := [2]string{run.fault, run.tls}
		byCase[k] = append(byCase[k], run)
	}
	worst := func(fault, tls string) (Trial, *checkRun, int) {
		var t Trial
		var told *checkRun
		runs := byCase[[2]string{fault, tls}]
		for _, run := range runs {
			if told == nil || rank[run.trial.Verdict] > rank[t.Verdict] {
				t, told = run.trial, run
			}
		}
		return t, told, len(runs)
	}
	for _, id := range p.Cases {
		f := ca.FaultOf(id)
		if f == nil || slices.ContainsFunc(r.Cases, func(c CheckCase) bool { return c.ID == id }) {
			continue
		}
		c := CheckCase{
			Schema: SchemaVersion, Kind: KindCase, ID: f.ID, Severity: f.Severity, Wrong: f.Wrong, Check: f.Check,
			Step: Step(f.Step), StepTitle: titleOf(Step(f.Step)), Incident: f.Incident,
		}
		for _, n := range suggested[f.ID] {
			c.Suggested = append(c.Suggested, alertWords(&SeenAlert{Number: int(n), Name: handshake.AlertName(n)}))
		}
		if f.Severity != ca.Control && c.Suggested == nil {
			c.Suggested = []string{alertWords(&SeenAlert{Number: 42, Name: handshake.AlertName(42)})}
		}
		for _, tls := range p.TLS {
			o := CaseOutcome{TLS: tls, Absent: !Exists(f, tls)}
			var told *checkRun
			if !o.Absent {
				o.Trial, told, o.Runs = worst(f.ID, tls)
				if told == nil {
					s := say("case-not-run", None, nil)
					o.Trial = Trial{Verdict: NotTested, Why: &s}
					if f.ByAddress && p.Own {
						s = say("case-own-name", None, args{"url": "{url}"})
					}
				} else {
					o.Exit, o.Killed, o.Said, o.Millis = told.ended.Exit, told.ended.Killed, j.prose(told.ended.Said), told.ended.Millis
				}
				if p.Trust == "root" && f.Severity != ca.Control && o.Verdict != Leaked {
					for of := ca.FaultOf(f.Control); of != nil; of = ca.FaultOf(of.Control) {
						t, _, n := worst(of.ID, tls)
						if n == 0 || t.Verdict == Leaked {
							continue
						}
						s := controlSentence(of.ID, tls, t)
						o.Trial = Trial{Verdict: NotTested, Why: &s, Conns: o.Conns}
						break
					}
				}
				o.Says = outcomeSays(f, &o)
			}
			c.Outcomes = append(c.Outcomes, o)
		}
		if f.Severity != ca.Control && c.leaked() {
			s := j.fix(f)
			c.Fix = &s
		}
		r.Cases = append(r.Cases, c)
	}
	r.grade()
	return r
}

// Exists reports whether a case exists in a TLS version ("TLS 1.2").
func Exists(f *ca.Fault, tls string) bool { return !f.Only12 || tls != "TLS 1.3" }

func controlSentence(id, tls string, t Trial) Sentence {
	switch t.Verdict {
	case Blocked:
		return say("case-control-blocked", Inferred, args{"control": id, "tls": tls})
	case NotTested:
		return say("case-control-not-tested", Inferred, args{"control": id})
	}
	return say("case-control-refused", Inferred, args{"control": id})
}

// fixes are the programs for which there is a line of its own on how to have them check.
var fixes = map[string]string{
	"curl": "fix-curl", "wget": "fix-wget", "wget2": "fix-wget", "git": "fix-git", "python": "fix-python", "python3": "fix-python", "node": "fix-node", "nodejs": "fix-node", "bun": "fix-node",
	"ruby": "fix-ruby", "php": "fix-php", "java": "fix-java", "erl": "fix-erlang", "escript": "fix-erlang", "elixir": "fix-erlang", "openssl": "fix-openssl", "gnutls-cli": "fix-gnutls",
	"lynx": "fix-lynx", "socat": "fix-socat", "ncat": "fix-ncat", "perl": "fix-perl", "go": "fix-go", "w3m": "fix-w3m", "aria2c": "fix-aria2",
}

func (j *Judge) fix(f *ca.Fault) Sentence {
	switch {
	case strings.Contains(f.ID, "staple"):
		return say("fix-revocation", None, nil)
	case f.Severity == ca.Low:
		return say("fix-low", None, nil)
	case strings.HasPrefix(f.ID, "proto-"), strings.HasPrefix(f.ID, "cipher-"):
		return say("fix-protocol", None, nil)
	case f.Handshake:
		return say("fix-handshake", None, nil)
	}
	id, ok := fixOf(programOf(j.plan.Command))
	if !ok {
		id = "fix-any"
	}
	return say(id, None, args{"verify": "{verify, verify_peer}", "ca": "{cacertfile, FILE}", "match": "{customize_hostname_check, [{match_fun, public_key:pkix_verify_hostname_match_fun(https)}]}"})
}

// fixOf finds the line for a program, whose name may have a version behind it.
func fixOf(program string) (id string, ok bool) {
	if id, ok = fixes[program]; !ok {
		id, ok = fixes[strings.TrimRight(program, "0123456789.")]
	}
	return id, ok
}

// outcomeSays tells an outcome in sentences.
func outcomeSays(f *ca.Fault, o *CaseOutcome) []Sentence {
	if o.Why != nil {
		return []Sentence{*o.Why}
	}
	a := args{"ms": strconv.FormatFloat(o.AfterMS, 'f', -1, 64), "data": plural(int(o.Data), "byte")}
	a["moment"] = map[string]string{
		"key-exchange": "in place of its ClientKeyExchange", "finished": "in place of its Finished", "data": "after its Finished, before any application data",
	}[o.Moment]
	switch {
	case o.Verdict == Leaked && f.Severity == ca.Control:
		return []Sentence{say("case-accepted", Decrypted, a)}
	case o.Verdict == Leaked && o.unasked && strings.Contains(f.ID, "staple"):
		return []Sentence{say("case-leaked", Decrypted, a), say("case-staple-unasked", Clear, nil)}
	case o.Verdict == Leaked:
		return []Sentence{say("case-leaked", Decrypted, a)}
	case o.Verdict == FalseStart:
		return []Sentence{say("case-false-start", Decrypted, a)}
	}
	how := Clear
	id := map[string]string{"alert": "case-refused-alert", "close_notify": "case-refused-close_notify", "fin": "case-refused-fin", "rst": "case-refused-rst"}[o.Ended]
	if o.Alert != nil {
		a["alert"] = alertWords(o.Alert)
		switch o.Alert.How {
		case "protected":
			how, a["how"] = Decrypted, "encrypted"
		case "clear":
			a["how"] = "in clear"
		default:
			how, id = Inferred, "case-refused-sealed"
		}
	}
	says := []Sentence{say(id, how, a)}
	if f.Severity == ca.Control {
		id := "case-control-too"
		if o.Verdict == RefusedLate && o.Alert == nil {
			id = "case-control-silent"
		}
		says = append(says, say(id, None, nil))
	}
	return says
}

// grade gives the grade, after Durumeric et al. (NDSS 2017): the worst thing that leaked.
func (r *CheckReport) grade() {
	tested, early, late := 0, 0, 0
	controls, refusedControls := 0, 0
	for _, c := range r.Cases {
		leaked := false
		for _, o := range c.Outcomes {
			if o.Absent {
				continue
			}
			if c.Severity == ca.Control {
				switch o.Verdict {
				case Leaked:
					controls++
				case Refused, RefusedLate:
					refusedControls++
				}
				continue
			}
			r.Counts[o.Verdict]++
			if o.Verdict != NotTested {
				tested++
			}
			switch {
			case strings.HasPrefix(c.ID, "finished-") && o.TLS == "TLS 1.2":
				// The client's own Finished comes first: nobody can refuse this early.
			case o.Verdict == Refused && o.Alert != nil:
				early++
			case o.Verdict == Refused || o.Verdict == RefusedLate:
				late++
			}
			leaked = leaked || o.Verdict == Leaked
		}
		if leaked {
			r.Leaked[c.Severity]++
		}
	}
	refused := r.Counts[Refused] + r.Counts[RefusedLate] + r.Counts[FalseStart]
	a := args{"refused": plural(refused, "trial"), "blocked": plural(r.Counts[Blocked], "trial")}
	id := "grade-a"
	switch {
	case tested == 0:
		r.Grade, id, a = "-", "grade-none", a.with("ca", "{ca}")
		switch {
		case controls > 0:
			id = "grade-none-but-controls"
		case refusedControls > 0 && r.Mode == "host":
			id = "grade-none-host-trust"
		case refusedControls > 0:
			id = "grade-none-trust"
		case r.Mode == "host":
			id = "grade-none-came"
		}
	case r.Leaked[ca.Critical] > 0:
		r.Grade, id, a = "F", "grade-f", a.with("n", plural(r.Leaked[ca.Critical], "case"))
	case r.Leaked[ca.High] > 0:
		r.Grade, id, a = "D", "grade-d", a.with("n", plural(r.Leaked[ca.High], "case"))
	case r.Leaked[ca.Medium] > 0:
		r.Grade, id, a = "C", "grade-c", a.with("n", plural(r.Leaked[ca.Medium], "case"))
	case r.Leaked[ca.Low] > 0:
		r.Grade, id, a = "B", "grade-b", a.with("n", plural(r.Leaked[ca.Low], "case"))
	case early == 0 && late > 0:
		r.Grade, id = "B", "grade-b-late"
	case refused == 0:
		r.Grade, id = "A", "grade-a-blocked"
	default:
		r.Grade = "A"
	}
	r.Says = []Sentence{say(id, Inferred, a)}
	if tested == 0 {
		return
	}
	for _, rest := range []struct {
		id      string
		verdict CaseVerdict
	}{{"grade-blocked", Blocked}, {"grade-untested", NotTested}} {
		if n := r.Counts[rest.verdict]; n > 0 && (rest.verdict != Blocked || id != "grade-a-blocked") {
			r.Says = append(r.Says, say(rest.id, Inferred, args{"n": plural(n, "trial")}))
		}
	}
}

// JSON writes the report, one object a line: the cases, then what they came to.
func (r *CheckReport) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for i := range r.Cases {
		if err := enc.Encode(&r.Cases[i]); err != nil {
			return err
		}
	}
	return enc.Encode(r)
}

// OfCheck reports whether a plan was fed: whether the recording is of a check.
func (j *Judge) OfCheck() bool { return j.plan != nil }

// Plan returns what the check was going to do, or nil.
func (j *Judge) Plan() *capture.CheckPlan { return j.plan }
