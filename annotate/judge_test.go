package annotate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/web"
)

// A script says what was recorded of one connection, a word a message, a
// millisecond apart: upper case is the client's.
func script(t *testing.T, j *annotate.Judge, version uint16, fault, words string) {
	t.Helper()
	const listen = "127.0.0.1:7000"
	conn := &capture.Conn{Number: 1, Leg: capture.LegBrowser, TLS: true, Server: netip.MustParseAddrPort(listen)}
	now := int64(0)
	feed := func(side capture.Side, opened bool, body any) {
		now += 1e6
		j.Feed(&capture.Message{Conn: conn, Side: side, Time: now, Opened: opened, Body: body})
	}
	fact := func(f capture.Fact) { j.Feed(&capture.Message{Body: &f}) }
	tls := "TLS 1.2"
	if version == 0x0304 {
		tls = "TLS 1.3"
	}
	fact(capture.NewRunFact(capture.RunPlan, "", "", &capture.CheckPlan{Mode: "run", Command: []string{"/usr/bin/curl"}, Host: "www.bank.test", Trust: "none", TLS: []string{tls}, Tries: 1, Cases: []string{fault}}))
	fact(capture.NewRunFact(capture.RunBegin, "1", fault, &capture.CheckRun{TLS: tls, Try: 1, Listen: []string{listen, "127.0.0.1:7001"}}))
	end := &capture.CheckRun{TLS: tls, Try: 1, Exit: 35}
	for _, w := range strings.Fields(words) {
		name, number, _ := strings.Cut(w, ":")
		n := 0
		fmt.Sscan(number, &n)
		switch name {
		case "open":
			feed(capture.Client, false, &capture.Opened{})
		case "case":
			fact(capture.Fact{Kind: capture.FactCase, Conn: 1, Outcome: fault, Addr: tls, Detail: "1"})
		case "HELLO":
			feed(capture.Client, false, &handshake.ClientHello{})
		case "HELLO13":
			feed(capture.Client, false, &handshake.ClientHello{Extensions: []handshake.Extension{{ID: 43, Value: handshake.SupportedVersions{0x0304, 0x0303}}}})
		case "cert":
			conn.Version = version
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
			fact(capture.Fact{Kind: capture.FactPassThrough, Conn: 1, Host: number + ":443"})
		case "kill":
			fact(capture.NewRunFact(capture.RunKilled, "1", fault, nil))
			end.Killed, end.Exit = true, 137
		case "exit":
			end.Exit = n
		case "closed":
			fact(capture.Fact{Kind: capture.FactClosed, Conn: 1, Outcome: "proxy", Detail: "the case " + fault + " cannot be served: no"})
		default:
			t.Fatalf("what is %s?", w)
		}
	}
	fact(capture.NewRunFact(capture.RunEnd, "1", fault, end))
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
		{v12, "downgrade-sentinel", "open case HELLO cert CKE FINISHED finished DATA:80 FIN", "not-tested   0  0 0 case-no-downgrade"},
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
		var j annotate.Judge
		script(t, &j, test.version, test.fault, test.words)
		r := j.Report()
		if len(r.Cases) != 1 || len(r.Cases[0].Outcomes) != 1 {
			t.Fatalf("%s: %+v", test.words, r)
		}
		o := r.Cases[0].Outcomes[0]
		var alert annotate.SeenAlert
		if o.Alert != nil {
			alert = *o.Alert
		}
		got := fmt.Sprintf("%s %s %s %d %s %v %d", o.Verdict, o.Moment, o.Ended, alert.Number, alert.How, o.AfterMS, o.Data)
		if o.Verdict == annotate.NotTested {
			got += " " + o.Why.ID
		}
		if got != test.want {
			t.Errorf("%s, %s: %q, want %q", test.fault, test.words, got, test.want)
		}
		if o.Verdict == annotate.Blocked && strings.Contains(o.Says[0].Text, "TLS version") != (test.fault == "proto-tls10") {
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
		j := annotate.Judge{ShowSecrets: show}
		script(t, &j, 0x0304, "expired", "open case HELLO cert finished FINISHED DATA:80 GET NOISE:20 FIN")
		r := j.Report()
		reads := r.Cases[0].Outcomes[0].Read
		if len(reads) != 2 || reads[0].Method != "GET" || reads[0].Host != "www.bank.test" || len(reads[0].Headers) != 1 || r.Grade != "C" {
			t.Fatalf("%+v, grade %s", reads, r.Grade)
		}
		var text, lines, junit bytes.Buffer
		if err := annotate.NewText(&text).Check(r); err != nil {
			t.Error(err)
		}
		if !strings.Contains(text.String(), "1 try each") || strings.Contains(text.String(), "worst of") {
			t.Errorf("of one try:\n%s", text.String())
		}
		r.Tries, r.Cases[0].Outcomes[0].Runs = 3, 3
		text.Reset()
		if err := annotate.NewText(&text).Check(r); err != nil {
			t.Error(err)
		}
		if !strings.Contains(text.String(), "3 tries each") || !strings.Contains(text.String(), "(connection 1, the worst of 3 runs)") {
			t.Errorf("of three tries:\n%s", text.String())
		}
		if err := r.JSON(&lines); err != nil {
			t.Error(err)
		}
		if err := r.JUnit(&junit); err != nil {
			t.Error(err)
		}
		for name, out := range map[string]string{"text": text.String(), "JSON": lines.String(), "JUnit": junit.String()} {
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
	const accepts, refuses, late = "open case HELLO cert finished FINISHED DATA:9 FIN", "open case HELLO cert finished ALERT:42 FIN", "open case HELLO cert finished FINISHED FIN"
	for _, test := range []struct{ fault, words, grade string }{
		{"self-signed", accepts, "F"}, {"wrong-host", accepts, "D"}, {"expired", accepts, "C"}, {"no-eku", accepts, "B"},
		{"self-signed", refuses, "A"}, {"self-signed", late, "B"}, {"self-signed", "exit:0", "-"}, {"good", accepts, "-"}, {"good", refuses, "-"},
		{"cipher-rc4", "open case HELLO alert:40 FIN", "A"},
	} {
		var j annotate.Judge
		version := uint16(0x0304)
		if test.fault == "cipher-rc4" {
			version = 0x0303
		}
		script(t, &j, version, test.fault, test.words)
		r := j.Report()
		if r.Grade != test.grade {
			t.Errorf("%s, %s: grade %s, want %s", test.fault, test.words, r.Grade, test.grade)
		}
		// What was blocked was not refused.
		if refused := strings.Contains(r.Says[0].Text, "was refused"); refused != (test.grade == "A" && test.fault != "cipher-rc4" || test.words == late) {
			t.Errorf("%s, %s: it says %s", test.fault, test.words, r.Says[0].Text)
		}
	}
	// The control is refused too.
	var j annotate.Judge
	plan := capture.NewRunFact(capture.RunPlan, "", "", &capture.CheckPlan{Mode: "run", Command: []string{"x"}, Trust: "root", TLS: []string{"TLS 1.3"}, Tries: 1, Cases: []string{"good", "expired"}})
	j.Feed(&capture.Message{Body: &plan})
	script(t, &j, 0x0304, "good", refuses)
	r := j.Report()
	if o := r.Cases[1].Outcomes[0]; o.Verdict != annotate.NotTested || o.Why.ID != "case-control-refused" || r.Grade != "-" {
		t.Errorf("%+v, grade %s", o, r.Grade)
	}
}

// FuzzJudge feeds facts that say anything to a judge, around a connection.
func FuzzJudge(f *testing.F) {
	for _, data := range []string{`{}`, `{"tls":"TLS 1.3","listen":["127.0.0.1:7000"]}`, `{"mode":"run","cases":["good","expired","expired"],"tls":["TLS 1.3","x"],"command":[""]}`} {
		f.Add("begin", "1", "expired", []byte(data))
	}
	f.Fuzz(func(t *testing.T, what, run, fault string, data []byte) {
		var j annotate.Judge
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
		if err := annotate.NewText(&out).Check(r); err != nil {
			t.Fatal(err)
		}
		if err := r.JUnit(&out); err != nil {
			t.Fatal(err)
		}
	})
}
