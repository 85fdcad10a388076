package check_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"explainer/annotate/check"
	"explainer/annotate/text"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/web"
)

// A script says what was recorded of one connection, a word a message, a
// millisecond apart: upper case is the client's.
func script(t *testing.T, j *check.Judge, version uint16, fault, words string) {
	t.Helper()
	scriptAs(t, j, 1, version, fault, words)
}

// scriptAs is the script of one of several runs.
func scriptAs(t *testing.T, j *check.Judge, number int, version uint16, fault, words string) {
	t.Helper()
	listen, run := fmt.Sprintf("127.0.0.1:%d", 7000+2*number), fmt.Sprint(number)
	conn := &capture.Conn{Number: number, Leg: capture.LegBrowser, Server: netip.MustParseAddrPort(listen)}
	now := int64(0)
	feed := func(side capture.Side, opened bool, body any) {
		now += 1e6
		inner := false
		switch body.(type) {
		case *web.Head, *web.Unparsed:
			inner = true
		}
		j.Feed(&capture.Message{Conn: conn, Side: side, Time: now, Inner: inner, Opened: opened, Body: body})
	}
	fact := func(f capture.Fact) {
		now += 1e6
		j.Feed(&capture.Message{Time: now, Body: &f})
	}
	tls := "TLS 1.2"
	if version == 0x0304 {
		tls = "TLS 1.3"
	}
	fact(capture.NewRunFact(capture.RunPlan, "", "", &capture.CheckPlan{Mode: "run", Command: []string{"/usr/bin/curl"}, Host: "www.bank.test", Trust: "none", TLS: []string{tls}, Tries: 1, Cases: []string{fault}}))
	fact(capture.NewRunFact(capture.RunBegin, run, fault, &capture.CheckRun{TLS: tls, Try: 1, Listen: []string{listen}}))
	end := &capture.CheckRun{TLS: tls, Try: 1, Exit: 35}
	for _, w := range strings.Fields(words) {
		name, value, _ := strings.Cut(w, ":")
		n := 0
		fmt.Sscan(value, &n)
		switch name {
		case "open":
			feed(capture.Client, false, &capture.Opened{})
		case "case":
			fact(capture.Fact{Kind: capture.FactCase, Conn: number, Outcome: fault, Addr: tls, Detail: run})
		case "pause": // in milliseconds
			now += int64(n) * 1e6
		case "HELLO":
			feed(capture.Client, false, &handshake.ClientHello{})
		case "NAMED":
			feed(capture.Client, false, &handshake.ClientHello{Extensions: []handshake.Extension{{ID: 0, Value: handshake.ServerName("www.bank.test")}}})
		case "OPENSSL":
			feed(capture.Client, false, &handshake.ClientHello{CipherSuites: []uint16{0x1302, 0x00ff}, Extensions: []handshake.Extension{{ID: 0, Value: handshake.ServerName("www.bank.test")}, {ID: 11, Value: handshake.ECPointFormats{0, 1, 2}}}})
		case "STAPLE":
			feed(capture.Client, false, &handshake.ClientHello{Extensions: []handshake.Extension{{ID: 5}}})
		case "HELLO13":
			feed(capture.Client, false, &handshake.ClientHello{Extensions: []handshake.Extension{{ID: 43, Value: handshake.SupportedVersions{0x0304, 0x0303}}}})
		case "cert":
			feed(capture.Server, false, &handshake.ServerHello{LegacyVersion: version})
			feed(capture.Server, version == 0x0304, &handshake.Certificate{})
		case "CKE":
			feed(capture.Client, false, &handshake.ClientKeyExchange{})
		case "FINISHED":
			feed(capture.Client, true, &handshake.Finished{})
		case "finished":
			feed(capture.Server, true, &handshake.Finished{})
		case "DATA":
			feed(capture.Client, true, &capture.AppData{Len: n})
		case "GET":
			feed(capture.Client, true, &web.Head{Request: true, Method: "GET", Target: "/?token=abc", Authority: "www.bank.test", Fields: []web.Field{{Name: "Cookie", Value: "session=SECRET"}, {Name: "Accept", Value: "*/*"}}})
		case "NOISE":
			feed(capture.Client, true, &web.Unparsed{Len: int64(n), Preview: []byte("geheim"), Why: "not-http"})
		case "ALERT":
			feed(capture.Client, false, &capture.Alert{Level: 2, Description: uint8(n)})
		case "SEALEDALERT":
			feed(capture.Client, true, &capture.Alert{Level: 2, Description: uint8(n)})
		case "RECORD":
			feed(capture.Client, false, &capture.Sealed{Type: 23, Records: 1, Wire: int64(n)})
		case "alert":
			feed(capture.Server, false, &capture.Alert{Level: 2, Description: uint8(n)})
		case "FIN":
			feed(capture.Client, false, &capture.Closed{})
		case "RST":
			feed(capture.Client, false, &capture.Closed{Reset: true})
		case "past":
			fact(capture.Fact{Kind: capture.FactPassThrough, Conn: conn.Number, Host: value + ":443"})
		case "kill":
			fact(capture.NewRunFact(capture.RunKilled, run, fault, nil))
			end.Killed, end.Exit = true, 137
		case "exit":
			end.Exit = n
		case "closed":
			fact(capture.Fact{Kind: capture.FactClosed, Conn: number, Outcome: "proxy", Detail: "the case " + fault + " cannot be served: no"})
		default:
			t.Fatalf("what is %s?", w)
		}
	}
	fact(capture.NewRunFact(capture.RunEnd, run, fault, end))
}

func TestJudge(t *testing.T) {
	const v12, v13 = 0x0303, 0x0304
	for _, test := range []struct {
		version uint16
		fault   string
		words   string
		want    string // verdict moment ended alert how milliseconds data
	}{
		// Before the client's Finished.
		{v12, "expired", "open case HELLO cert ALERT:45 FIN", "refused key-exchange alert 45 clear 1 0"},
		{v13, "expired", "open case HELLO cert finished ALERT:45 RST", "refused finished alert 45 clear 2 0"},
		{v13, "expired", "open case HELLO cert finished SEALEDALERT:46 FIN", "refused finished alert 46 protected 2 0"},
		{v13, "expired", "open case HELLO cert finished RECORD:24 FIN", "refused finished alert -1 sealed 2 0"},
		{v13, "expired", "open case HELLO cert finished FIN", "refused finished fin 0  2 0"},
		{v12, "expired", "open case HELLO cert RST", "refused key-exchange rst 0  1 0"},
		{v12, "no-private-key", "open case HELLO cert CKE ALERT:51 FIN", "refused finished alert 51 clear 2 0"},
		{v13, "expired", "open case HELLO cert finished alert:20 FIN", "refused finished fin 0  3 0"},
		// Behind it.
		{v12, "expired", "open case HELLO cert CKE FINISHED SEALEDALERT:42 FIN", "refused-late data alert 42 protected 3 0"},
		{v13, "wrong-host", "open case HELLO cert finished FINISHED SEALEDALERT:0 FIN", "refused-late data close_notify 0  3 0"},
		{v13, "wrong-host", "open case HELLO cert finished FINISHED RST", "refused-late data rst 0  3 0"},
		{v12, "finished-tampered", "open case HELLO cert CKE FINISHED finished SEALEDALERT:20 FIN", "refused-late data alert 20 protected 4 0"},
		// Data.
		{v13, "expired", "open case HELLO cert finished FINISHED DATA:80 GET SEALEDALERT:0 FIN", "leaked   0  3 80"},
		{v13, "expired", "open case HELLO cert finished FINISHED DATA:80 NOISE:80 ALERT:42 FIN", "leaked   0  3 80"},
		{v13, "finished-wrong", "open case HELLO cert finished FINISHED DATA:80", "leaked   0  3 80"},
		{v12, "expired", "open case HELLO cert CKE FINISHED DATA:80 finished", "leaked   0  3 80"},
		{v12, "finished-tampered", "open case HELLO cert CKE FINISHED DATA:80 finished ALERT:20 FIN", "false-start   0  3 80"},
		{v12, "finished-tampered", "open case HELLO cert CKE FINISHED finished DATA:80 FIN", "leaked   0  4 80"},
		{v12, "expired", "open case HELLO cert CKE FINISHED finished RECORD:90 FIN", "leaked   0  4 90"},
		{v13, "expired", "open case HELLO cert finished FINISHED RECORD:90 FIN", "leaked   0  3 90"},
		{v12, "downgrade-sentinel", "open case HELLO13 cert CKE FINISHED finished DATA:80 FIN", "leaked   0  4 80"},
		{v12, "downgrade-sentinel", "open case HELLO13 cert ALERT:47 FIN", "refused key-exchange alert 47 clear 1 0"},
		// Nothing to judge.
		{v12, "downgrade-sentinel", "open case HELLO cert CKE FINISHED finished DATA:80 FIN", "not-applicable   0  0 0 case-no-downgrade"},
		{v13, "staple-revoked", "open case HELLO cert finished FINISHED DATA:80 FIN", "not-applicable   0  0 0 case-staple-unasked"},
		{v13, "must-staple-missing", "open case HELLO cert finished FINISHED DATA:80 FIN", "not-applicable   0  0 0 case-staple-unasked"},
		{v13, "staple-revoked", "open case STAPLE cert finished FINISHED DATA:80 FIN", "leaked   0  3 80"},
		{v13, "must-staple-missing", "open case STAPLE cert finished FINISHED DATA:80 FIN", "accepted   0  3 80"},
		// By themselves no attack, and controls.
		{v13, "no-eku", "open case HELLO cert finished FINISHED DATA:80 FIN", "accepted   0  3 80"},
		{v12, "cipher-static-rsa", "open case HELLO cert CKE FINISHED finished DATA:80 FIN", "accepted   0  4 80"},
		{v13, "good", "open case HELLO cert finished FINISHED DATA:80 FIN", "accepted   0  3 80"},
		// It waits for the server to speak; of a fault only its control can tell that.
		{v13, "good", "open case HELLO cert finished FINISHED pause:3000 kill FIN", "accepted   0  0 0"},
		{v13, "good", "open case HELLO cert finished FINISHED pause:3000 SEALEDALERT:0 FIN", "accepted   0  0 0"},
		{v13, "good", "open case HELLO cert finished FINISHED pause:3000 SEALEDALERT:42 FIN", "refused-late data alert 42 protected 3003 0"},
		{v13, "expired", "open case HELLO cert finished FINISHED pause:3000 SEALEDALERT:0 FIN", "refused-late data close_notify 0  3003 0"},
		{v12, "proto-tls10", "open case HELLO alert:70 FIN", "blocked   0  0 0"},
		{v12, "cipher-rc4", "open case HELLO alert:40 FIN", "blocked   0  0 0"},
		{v12, "expired", "open case HELLO alert:50 FIN", "not-tested   0  0 0 case-our-alert"},
		{v13, "expired", "open case HELLO FIN", "not-tested   0  0 0 case-before-certificate"},
		{v13, "expired", "open case FIN", "not-tested   0  0 0 case-no-tls"},
		{v13, "expired", "open FIN", "not-tested   0  0 0 case-no-tls"},
		{v13, "expired", "open HELLO FIN", "not-tested   0  0 0 case-tls-to-proxy"},
		{v13, "expired", "open past:other.test FIN", "not-tested   0  0 0 case-other-host"},
		{v13, "expired", "open past:www.bank.test FIN", "not-tested   0  0 0 case-no-tls"},
		{v13, "wildcard-bare", "open case HELLO closed", "not-tested   0  0 0 case-cannot-serve"},
		{v13, "expired", "open case HELLO cert finished FINISHED kill FIN", "not-tested   0  0 0 case-hung"},
		{v13, "expired", "open case HELLO cert finished kill RST", "not-tested   0  0 0 case-hung"},
		{v13, "expired", "open case HELLO cert finished", "not-tested   0  0 0 case-neither"},
		{v13, "expired", "open case HELLO cert finished FINISHED DATA:5 kill FIN", "leaked   0  3 5"},
		{v13, "expired", "exit:0", "not-tested   0  0 0 case-went-past"},
		{v13, "expired", "exit:4", "not-tested   0  0 0 case-never-connected"},
		{v13, "expired", "kill", "not-tested   0  0 0 case-never-connected-killed"},
	} {
		var j check.Judge
		script(t, &j, test.version, test.fault, test.words)
		r := j.Report()
		if len(r.Cases) != 1 || len(r.Cases[0].Outcomes) != 1 {
			t.Fatalf("%s: %+v", test.words, r)
		}
		o := r.Cases[0].Outcomes[0]
		var alert check.SeenAlert
		if o.Alert != nil {
			alert = *o.Alert
		}
		got := fmt.Sprintf("%s %s %s %d %s %v %d", o.Verdict, o.Moment, o.Ended, alert.Number, alert.How, o.AfterMS, o.Data)
		if o.Verdict == check.NotTested || o.Verdict == check.NotApplicable {
			got += " " + o.Why.ID
		}
		if got != test.want {
			t.Errorf("%s, %s: %q, want %q", test.fault, test.words, got, test.want)
		}
		if o.Verdict == check.Blocked && strings.Contains(o.Says[0].Text, "TLS version") != (test.fault == "proto-tls10") {
			t.Errorf("%s, %s: it says %v", test.fault, test.words, o.Says)
		}
		if len(o.Says) == 0 || strings.Contains(o.Says[0].Text, "(not known)") {
			t.Errorf("%s, %s: it says %v", test.fault, test.words, o.Says)
		}
	}
}

// TestJudgeRead: what leaked is told, and masked unless asked for.
func TestJudgeRead(t *testing.T) {
	for _, show := range []bool{false, true} {
		j := check.Judge{ShowSecrets: show}
		script(t, &j, 0x0304, "expired", "open case HELLO cert finished FINISHED DATA:80 GET NOISE:20 FIN")
		r := j.Report()
		reads := r.Cases[0].Outcomes[0].Read
		if len(reads) != 2 || reads[0].Method != "GET" || reads[0].Host != "www.bank.test" || len(reads[0].Headers) != 1 || r.Grade != "C" {
			t.Fatalf("%+v, grade %s", reads, r.Grade)
		}
		var out, lines, junit bytes.Buffer
		if err := r.Text(text.New(&out), true); err != nil {
			t.Error(err)
		}
		if !strings.Contains(out.String(), "1 try each") || strings.Contains(out.String(), "worst of") {
			t.Errorf("of one try:\n%s", out.String())
		}
		r.Tries, r.Cases[0].Outcomes[0].Runs = 3, 3
		out.Reset()
		if err := r.Text(text.New(&out), true); err != nil {
			t.Error(err)
		}
		if !strings.Contains(out.String(), "3 tries each") || !strings.Contains(out.String(), "(connection 1, the worst of 3 runs)") {
			t.Errorf("of three tries:\n%s", out.String())
		}
		if err := r.JSON(&lines); err != nil {
			t.Error(err)
		}
		if err := r.JUnit(&junit); err != nil {
			t.Error(err)
		}
		checkJUnit(t, junit.Bytes())
		var html bytes.Buffer
		if err := r.HTML(&html, words.English); err != nil {
			t.Error(err)
		}
		for name, out := range map[string]string{"text": out.String(), "JSON": lines.String(), "JUnit": junit.String(), "page": html.String()} {
			for _, secret := range []string{"SECRET", "abc", "geheim"} {
				if strings.Contains(out, secret) != show {
					t.Errorf("%s, secrets %v: %s in\n%s", name, show, secret, out)
				}
			}
		}
	}
}

// TestJudgeGrades: the worst that leaked makes the grade, and a refused control makes none.
func TestJudgeGrades(t *testing.T) {
	const accepts, refuses, late = "open case NAMED cert finished FINISHED DATA:9 FIN", "open case NAMED cert finished ALERT:42 FIN", "open case NAMED cert finished FINISHED FIN"
	for _, test := range []struct{ fault, words, grade, says string }{
		{"self-signed", accepts, "F", "grade-f"}, {"wrong-host", accepts, "D", "grade-d"}, {"expired", accepts, "C", "grade-c"},
		{"no-eku", accepts, "A", "grade-a-remarks"}, {"self-signed", refuses, "A", "grade-a"}, {"self-signed", "open case NAMED cert finished FIN", "A", "grade-a"}, {"self-signed", late, "B", "grade-b-late"},
		{"self-signed", "exit:0", "-", "grade-none"}, {"good", accepts, "-", "grade-none-but-controls"}, {"good", refuses, "-", "grade-none-trust"},
		{"cipher-rc4", "open case NAMED alert:40 FIN", "-", "grade-none"},
	} {
		var j check.Judge
		version := uint16(0x0304)
		if test.fault == "cipher-rc4" {
			version = 0x0303
		}
		script(t, &j, version, test.fault, test.words)
		r := j.Report()
		if r.Grade != test.grade || r.Says[0].ID != test.says {
			t.Errorf("%s, %s: grade %s, want %s; %v", test.fault, test.words, r.Grade, test.grade, r.Says)
		}
	}
}

// A trialOf is what a client does with one case in TLS 1.3.
type trialOf struct{ fault, words string }

// judgeAll judges a whole check in TLS 1.3.
func judgeAll(t *testing.T, allow int, trials ...trialOf) *check.Report {
	t.Helper()
	j := check.Judge{AllowUntested: allow}
	var cases []string
	for _, c := range trials {
		cases = append(cases, c.fault)
	}
	plan := capture.NewRunFact(capture.RunPlan, "", "", &capture.CheckPlan{Mode: "run", Command: []string{"x"}, Trust: "root", TLS: []string{"TLS 1.3"}, Tries: 1, Cases: cases})
	j.Feed(&capture.Message{Body: &plan})
	for i, c := range trials {
		scriptAs(t, &j, i+1, 0x0304, c.fault, c.words)
	}
	return j.Report()
}

// TestJudgeWhole: what several trials come to together.
func TestJudgeWhole(t *testing.T) {
	const accepts, refuses = "open case NAMED cert finished FINISHED DATA:9 FIN", "open case NAMED cert finished ALERT:42 FIN"
	const waits, hangsUp = "open case NAMED cert finished FINISHED pause:3000 kill FIN", "open case NAMED cert finished FINISHED FIN"
	for _, test := range []struct {
		what     string
		allow    int
		trials   []trialOf
		grade    string
		verdict  check.Verdict // of the last
		says     string        // of it
		untested int
	}{
		{"control refused", 0, []trialOf{{fault: "good", words: refuses}, {fault: "expired", words: refuses}}, "-", check.NotTested, "case-control-refused", 0},
		{"control refused, no name", 0, []trialOf{{fault: "good", words: "open case HELLO cert finished ALERT:42 FIN"}}, "-", check.Refused, "case-refused-alert", 0},
		{"a leak decides though others are open", 0, []trialOf{{fault: "good", words: accepts}, {fault: "self-signed", words: accepts}, {fault: "wrong-host", words: "kill"}}, "F", check.NotTested, "case-missed", 1},
		{"an open critical case", 0, []trialOf{{fault: "good", words: accepts}, {fault: "expired", words: refuses}, {fault: "self-signed", words: "kill"}}, "-", check.NotTested, "case-missed", 1},
		{"an open critical case and a medium leak", 0, []trialOf{{fault: "good", words: accepts}, {fault: "expired", words: accepts}, {fault: "self-signed", words: "exit:0"}}, "-", check.NotTested, "case-missed", 1},
		{"one open case is allowed", 1, []trialOf{{fault: "good", words: accepts}, {fault: "expired", words: refuses}, {fault: "self-signed", words: "kill"}}, "A", check.NotTested, "case-missed", 1},
		{"an open medium case", 0, []trialOf{{fault: "good", words: accepts}, {fault: "self-signed", words: refuses}, {fault: "expired", words: "kill"}}, "A", check.NotTested, "case-missed", 0},
		{"what is not asked for", 0, []trialOf{{fault: "good", words: accepts}, {fault: "self-signed", words: refuses}, {fault: "good-staple", words: accepts}, {fault: "staple-revoked", words: accepts}}, "A", check.NotApplicable, "case-staple-unasked", 0},
		{"waits for the server to speak", 0, []trialOf{{fault: "good", words: waits}, {fault: "self-signed", words: refuses}, {fault: "wrong-host", words: waits}}, "D", check.Leaked, "case-leaked-waits", 0},
		{"waits, but not with a fault", 0, []trialOf{{fault: "good", words: waits}, {fault: "self-signed", words: refuses}, {fault: "wrong-host", words: hangsUp}}, "A", check.RefusedLate, "case-refused-fin", 0},
		{"is slow to refuse", 0, []trialOf{{fault: "good", words: accepts}, {fault: "self-signed", words: refuses}, {fault: "wrong-host", words: "open case NAMED cert finished FINISHED pause:3000 FIN"}}, "A", check.RefusedLate, "case-refused-fin", 0},
		{"remarks", 0, []trialOf{{fault: "good", words: accepts}, {fault: "self-signed", words: refuses}, {fault: "no-eku", words: accepts}}, "A", check.Accepted, "case-took", 0},
	} {
		r := judgeAll(t, test.allow, test.trials...)
		o := r.Cases[len(r.Cases)-1].Outcomes[0]
		if r.Grade != test.grade || o.Verdict != test.verdict || o.Says[0].ID != test.says || r.Untested != test.untested {
			t.Errorf("%s: grade %s, %s, %s, %d untested; want %s, %s, %s, %d", test.what, r.Grade, o.Verdict, o.Says[0].ID, r.Untested, test.grade, test.verdict, test.says, test.untested)
		}
		var out, junit bytes.Buffer
		if err := r.Text(text.New(&out), false); err != nil {
			t.Error(err)
		}
		if leaked := r.Leaked["critical"]+r.Leaked["high"]+r.Leaked["medium"] > 0; strings.Contains(out.String(), "LEAKED") != leaked {
			t.Errorf("%s:\n%s", test.what, out.String())
		}
		var html bytes.Buffer
		if err := r.HTML(&html, words.Chinese); err != nil || html.Len() > 1<<20 || strings.Count(html.String(), `<li class="fault `) != len(r.Cases) || strings.Contains(html.String(), `<li class="fault g-bad`) != strings.Contains(out.String(), "LEAKED") {
			t.Errorf("%s: %v\n%s", test.what, err, html.String())
		}
		if err := r.JUnit(&junit); err != nil {
			t.Error(err)
		}
		checkJUnit(t, junit.Bytes())
		if want := fmt.Sprintf(`errors="%d"`, test.untested+min(1, strings.Count(test.what, "control refused"))); !strings.Contains(junit.String(), want) {
			t.Errorf("%s: no %s in\n%s", test.what, want, junit.String())
		}
	}
}

// TestJudgeAdvice: no advice is to do what is done already, and names the API of the library that the hello looks like.
func TestJudgeAdvice(t *testing.T) {
	const accepts, refuses = "open case OPENSSL cert finished FINISHED DATA:9 FIN", "open case OPENSSL cert finished ALERT:42 FIN"
	for _, test := range []struct {
		trials []trialOf
		fault  string
		fix    string
	}{
		{[]trialOf{{fault: "good", words: accepts}, {fault: "self-signed", words: accepts}, {fault: "wrong-host", words: accepts}}, "self-signed", "fix-any"},
		{[]trialOf{{fault: "good", words: accepts}, {fault: "self-signed", words: refuses}, {fault: "wrong-host", words: accepts}}, "wrong-host", "fix-names-openssl"},
		{[]trialOf{{fault: "good", words: accepts}, {fault: "self-signed", words: refuses}, {fault: "wrong-host", words: refuses}, {fault: "nul-in-san", words: accepts}}, "nul-in-san", "fix-gap"},
		{[]trialOf{{fault: "good", words: accepts}, {fault: "self-signed", words: refuses}, {fault: "expired", words: accepts}}, "expired", "fix-gap"},
		{[]trialOf{{fault: "good", words: accepts}, {fault: "self-signed", words: refuses}, {fault: "wrong-eku", words: accepts}}, "wrong-eku", "fix-gap"},
		{[]trialOf{{fault: "good", words: accepts}, {fault: "self-signed", words: refuses}, {fault: "no-eku", words: accepts}}, "no-eku", "fix-low"},
	} {
		r := judgeAll(t, 0, test.trials...)
		for _, c := range r.Cases {
			if c.ID == test.fault && (c.Fix == nil || c.Fix.ID != test.fix) {
				t.Errorf("%v: %v, want %s", test.trials, c.Fix, test.fix)
			}
		}
		if r.Stack != "OpenSSL" {
			t.Errorf("the hello looks like %q", r.Stack)
		}
	}
}

// hostile is what a client may call itself, and say.
const hostile = `<img src=x onerror="alert(1)">'"&{{.}}</script>`

// FuzzJudge feeds facts that say anything to a judge, around a connection.
func FuzzJudge(f *testing.F) {
	for _, data := range []string{`{}`, `{"tls":"TLS 1.3","listen":["127.0.0.1:7000"]}`, `{"mode":"run","cases":["good","expired","expired"],"tls":["TLS 1.3","x"],"command":[""]}`} {
		f.Add("begin", "1", "expired", []byte(data))
	}
	f.Fuzz(func(t *testing.T, what, run, fault string, data []byte) {
		var j check.Judge
		fact := &capture.Fact{Kind: capture.FactRun, Addr: what, Detail: run, Outcome: fault, Data: data}
		j.Feed(&capture.Message{Body: fact})
		script(t, &j, 0x0304, "expired", "open case HELLO cert FIN")
		j.Feed(&capture.Message{Body: fact})
		r := j.Report()
		var out bytes.Buffer
		if err := r.JSON(&out); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if !json.Valid([]byte(line)) {
				t.Fatalf("%s", line)
			}
		}
		if err := r.Text(text.New(&out), true); err != nil {
			t.Fatal(err)
		}
		if err := r.JUnit(&out); err != nil {
			t.Fatal(err)
		}
		out.Reset()
		r.Client, r.Command = hostile, []string{hostile}
		for i := range r.Cases {
			for k := range r.Cases[i].Outcomes {
				r.Cases[i].Outcomes[k].Said = hostile
			}
		}
		if err := r.HTML(&out, words.English); err != nil || strings.Contains(out.String(), "<img") {
			t.Fatalf("%v: %s", err, out.String())
		}
	})
}
