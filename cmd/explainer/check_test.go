package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"explainer/annotate/check"
)

// The cases that the clients of this test are shown.
const tenCases = "self-signed,untrusted-root,wrong-host,no-san-cn-only,nul-in-san,expired,leaf-as-ca,wrong-eku,no-private-key,downgrade-sentinel"

// checkRun runs the command as its users do.
func checkRun(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "explainer", args...)
	cmd.Env = append(os.Environ(), "EXPLAINER_HOME="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// readReport reads a report of check --format json.
func readReport(t *testing.T, out string) (cases map[string][]check.Outcome, end check.Report) {
	t.Helper()
	cases = map[string][]check.Outcome{}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for i, line := range lines {
		if i == len(lines)-1 {
			if err := json.Unmarshal([]byte(line), &end); err != nil {
				t.Fatalf("%v in %.200s", err, line)
			}
			break
		}
		var c check.Case
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("%v in %.200s", err, line)
		}
		cases[c.ID] = c.Outcomes
	}
	return cases, end
}

// short is an outcome as the tables of measured clients have it: YES for data,
// the alert's number for a refusal, "p" before one in clear in TLS 1.3, "L" before a late one.
func short(o check.Outcome) string {
	text := ""
	switch o.Verdict {
	case check.Leaked, check.Accepted:
		return "YES"
	case check.RefusedLate:
		text = "L"
	case check.Refused:
	default:
		if o.Absent {
			return ""
		}
		return string(o.Verdict)
	}
	if o.Alert == nil {
		if text == "" {
			return o.Ended
		}
		return text
	}
	if o.Alert.How == "clear" && o.TLS == "TLS 1.3" {
		text += "p"
	}
	b, _ := json.Marshal(o.Alert.Number)
	return text + string(b)
}

// TestCheckClients compares what real clients do with what was measured of them before.
func TestCheckClients(t *testing.T) {
	t.Parallel()
	clients := []struct {
		name    string
		command []string
		grade   string
		code    int
		want    string // of the control and the ten cases in the table's order; TLS 1.2/1.3, one where they agree
	}{
		{"curl", []string{"curl", "-sS", "{url}"}, "A", 0, "YES 48/p48 48/p48 48/p48 L YES L 45/p45 43/p43 51/p51 47/"},
		{"curl -k", []string{"curl", "-ksS", "https://elsewhere.test/"}, "F", 3, "YES YES YES YES YES YES YES YES YES 51/p51 47/"},
		{"openssl", []string{"openssl", "s_client", "-proxy", "{proxy}", "-connect", "{host}:{port}", "-CAfile", "{ca}", "-verify_return_error", "-verify_hostname", "{host}"}, "A", 0,
			"YES 48/p48 48/p48 48/p48 42/p42 YES 42/p42 45/p45 43/p43 51/p51 47/"},
		{"openssl, by default", []string{"openssl", "s_client", "-connect", "{addr}", "-servername", "{host}", "-CAfile", "{ca}"}, "F", 3,
			"YES YES YES YES YES YES YES YES YES 51/p51 47/"},
		{"python", []string{"python3", "-c", "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])", "{url}"}, "A", 0,
			"YES 48/p48 48/p48 48/p48 42/p42 YES 42/p42 45/p45 43/p43 51/p51 47/"},
	}
	ids := []string{"good", "self-signed", "untrusted-root", "leaf-as-ca", "wrong-host", "no-san-cn-only", "nul-in-san", "expired", "wrong-eku", "no-private-key", "downgrade-sentinel"}
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			recording := filepath.Join(t.TempDir(), "check.pcapng")
			out, errs, code := checkRun(t, slices.Concat([]string{"check", "--format", "json", "-w", recording, "--only", tenCases, "--"}, c.command)...)
			cases, end := readReport(t, out)
			var got []string
			for _, id := range ids {
				var both []string
				for _, o := range cases[id] {
					both = append(both, short(o))
				}
				both = slices.Compact(both)
				got = append(got, strings.Join(both, "/"))
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("\n%s\n%s, want\n%s", strings.Join(ids, " "), s, c.want)
			}
			if end.Grade != c.grade || code != c.code {
				t.Errorf("grade %s, exit code %d, want %s and %d: %s", end.Grade, code, c.grade, c.code, errs)
			}
			again, errs, _ := checkRun(t, "check", "--format", "json", "--from", recording)
			if again != out {
				t.Errorf("judged again: %s\n%s\nbefore:\n%s", errs, again, out)
			}
		})
	}
}

// TestCheckJUnit reads the report as a CI system does.
func TestCheckJUnit(t *testing.T) {
	t.Parallel()
	out, errs, code := checkRun(t, "check", "--only", "expired,no-private-key,cipher-rc4", "--format", "junit", "--", "curl", "-ksS", "-u", "joe:geheim", "{url}")
	var suites struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Skipped  int `xml:"skipped,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Tests int    `xml:"tests,attr"`
			Cases []struct {
				Class   string `xml:"classname,attr"`
				Name    string `xml:"name,attr"`
				Failure *struct {
					Message string `xml:"message,attr"`
					Text    string `xml:",chardata"`
				} `xml:"failure"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(out), &suites); err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	// good, good-rsa and three faults, of which cipher-rc4 is of TLS 1.2 alone
	if suites.Tests != 9 || suites.Failures != 2 || suites.Errors != 0 || suites.Skipped != 1 || len(suites.Suites) != 2 || code != 0 {
		t.Errorf("%+v, exit code %d: %s", suites, code, errs)
	}
	for _, s := range suites.Suites {
		for _, c := range s.Cases {
			if failed := c.Failure != nil; failed != (c.Name == "expired") {
				t.Errorf("%s %s: failed %v", s.Name, c.Name, failed)
			}
			if c.Failure != nil && (!strings.Contains(c.Failure.Text, "Authorization: Basic ****") || strings.Contains(out, "geheim")) {
				t.Errorf("%s", c.Failure.Text)
			}
		}
	}
}

// TestCheckBadInput tries what users get wrong.
func TestCheckBadInput(t *testing.T) {
	t.Parallel()
	few := func(more ...string) []string {
		return append([]string{"check", "--only", "expired", "--tls", "1.3", "--timeout", "10s"}, more...)
	}
	other := filepath.Join(t.TempDir(), "other.pcapng")
	if err := os.WriteFile(other, []byte("no capture"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"nothing":              {[]string{"check"}, 2, "check needs a command"},
		"two ways":             {[]string{"check", "--host", "*", "--", "curl"}, 2, "one of them alone"},
		"no pattern":           {[]string{"check", "--host", ""}, 2, "is no pattern"},
		"unknown case":         {[]string{"check", "--only", "expird", "--", "curl"}, 2, "perhaps expired"},
		"unknown severity":     {[]string{"check", "--severity", "worst", "--", "curl"}, 2, "critical, high"},
		"unknown version":      {[]string{"check", "--tls", "1.1", "--", "curl"}, 2, "1.2, 1.3 or both"},
		"no such command":      {[]string{"check", "--", "no-such-program-here"}, 1, "no such command"},
		"no such file":         {[]string{"check", "--from", "/nowhere.pcapng"}, 1, "no such file"},
		"no capture":           {[]string{"check", "--from", other}, 1, "other.pcapng"},
		"never connects":       {few("--", "sh", "-c", "echo cannot work >&2; exit 4"), 1, "ended without connecting"},
		"goes past the proxy":  {few("--", "true"), 1, "past the proxy"},
		"hangs":                {few("--timeout", "1s", "--", "sh", "-c", "sleep 1000 & wait"), 1, "was killed"},
		"waits for a greeting": {few("--timeout", "3s", "--", "sh", "-c", "sleep 1000 | openssl s_client -quiet -CAfile {ca} -connect {addr}"), 0, "it seems to expect the server to speak first"},
		"half a ClientHello":   {few("--timeout", "2s", "--", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/{port}; printf '\\026\\003\\001' >&3; read x <&3"), 1, "sent no ClientHello"},
		"trusts nobody":        {few("--", "curl", "-sS", "--cacert", "/dev/null", "{url}"), 1, "Does it trust the CA?"},
		"no TLS":               {few("--", "curl", "-sS", "--noproxy", "*", "http://{addr}/"), 1, "sent no ClientHello"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, errs, code := checkRun(t, test.args...)
			if code != test.code || !strings.Contains(out+errs, test.want) {
				t.Errorf("exit code %d, want %d; want %q in\n%s%s", code, test.code, test.want, out, errs)
			}
		})
	}
}

// TestCheckHost points curl at the proxy again and again, as an app would be.
func TestCheckHost(t *testing.T) {
	t.Parallel()
	home := filepath.Join(t.TempDir(), "home")
	recording := filepath.Join(t.TempDir(), "check.pcapng")
	cmd := exec.CommandContext(t.Context(), "explainer", "check", "--host", "*.shop.test", "-p", "0", "--tls", "1.3", "--only", "expired,no-private-key", "--format", "json", "-w", recording)
	cmd.Env = append(os.Environ(), "EXPLAINER_HOME="+home)
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(errs)
	line, err := lines.ReadString('\n')
	where := regexp.MustCompile(`http://[0-9.:]+`).FindString(line)
	if where == "" {
		t.Fatalf("%q, %v", line, err)
	}
	go io.Copy(io.Discard, lines)
	curl := func(more ...string) {
		exec.Command("curl", append([]string{"-sS", "-x", where, "--cacert", filepath.Join(home, "ca.pem"), "-H", "Cookie: session=SECRET", "https://www.shop.test/"}, more...)...).Run() // some fail
	}
	curl()     // good
	curl("-k") // expired
	curl()     // no-private-key
	curl()     // passes untouched, to a host that does not exist
	cmd.Process.Signal(os.Interrupt)
	err = cmd.Wait()
	cases, end := readReport(t, out.String())
	if got := short(cases["good"][0]) + " " + short(cases["expired"][0]) + " " + short(cases["no-private-key"][0]); got != "YES YES p51" || end.Grade != "C" || !slices.Equal(end.Hosts, []string{"www.shop.test"}) || err != nil {
		t.Errorf("%s, grade %s, %v:\n%s", got, end.Grade, err, out.String())
	}
	if again, _, _ := checkRun(t, "check", "--format", "json", "--from", recording); again != out.String() {
		t.Errorf("judged again:\n%s\nbefore:\n%s", again, out.String())
	}
}

// TestCheckTrustNone: a client that checks refuses all, one that does not is told by the same cases.
func TestCheckTrustNone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ flag, grade string }{{"-sS", "A"}, {"-ksS", "F"}} {
		out, errs, _ := checkRun(t, "check", "--trust", "none", "--tls", "1.3", "--tries", "2", "--only", "self-signed,wrong-host", "--format", "json", "--", "sh", "-c", "curl "+test.flag+" {url}")
		cases, end := readReport(t, out)
		if end.Grade != test.grade || end.Client != "curl" || len(cases) != 2 || cases["self-signed"][0].Runs != 2 {
			t.Errorf("curl %s: %s, grade %s, %d cases: %s%s", test.flag, end.Client, end.Grade, len(cases), out, errs)
		}
	}
}

// TestCheckFlaky: a command that connects in its first runs alone is no client that refuses everything.
func TestCheckFlaky(t *testing.T) {
	t.Parallel()
	count := filepath.Join(t.TempDir(), "count")
	for _, test := range []struct {
		limit  int // runs that connect
		curl   string
		allow  string
		code   int
		grade  string
		cell   check.Verdict
		missed int
	}{
		{2, "-sS", "0", 1, "-", check.NotTested, 3},
		{2, "-sS", "3", 1, "-", check.NotTested, 3}, // no fault was tested
		{3, "-sS", "2", 0, "A", check.Refused, 2},
		{3, "-ksS", "0", 3, "F", check.Leaked, 2},
		{9, "-sS", "0", 0, "A", check.Refused, 0},
	} {
		os.Remove(count)
		out, errs, code := checkRun(t, "check", "--jobs", "1", "--tls", "1.3", "--only", "self-signed,wrong-host,untrusted-root,good-intermediate", "--allow-untested", test.allow, "--format", "json", "--",
			"sh", "-c", fmt.Sprintf(`echo >> %[1]s; [ $(wc -l < %[1]s) -le %[2]d ] && exec curl %[3]s {url}`, count, test.limit, test.curl))
		cases, end := readReport(t, out)
		if code != test.code || end.Grade != test.grade || cases["self-signed"][0].Verdict != test.cell || end.Untested != test.missed {
			t.Errorf("curl %s, %d runs connect: exit code %d, grade %s, %s, %d untested: %s", test.curl, test.limit, code, end.Grade, cases["self-signed"][0].Verdict, end.Untested, errs)
		}
		if o := cases["wrong-host"][0]; test.missed > 0 && (o.Runs != 2 || o.Says[0].ID != "case-missed-again") {
			t.Errorf("curl %s, %d runs connect: %d runs: %v", test.curl, test.limit, o.Runs, o.Says)
		}
	}
}

// TestCheckBusy: what did not connect in time is run once more, alone, with twice the time.
func TestCheckBusy(t *testing.T) {
	t.Parallel()
	mark := filepath.Join(t.TempDir(), "mark")
	out, errs, code := checkRun(t, "check", "--jobs", "1", "--timeout", "2s", "--tls", "1.3", "--only", "self-signed", "--format", "json", "--",
		"sh", "-c", fmt.Sprintf(`case $(wc -c < %[1]s 2>/dev/null) in 1) printf x >> %[1]s; exec sleep 100;; esac; printf x >> %[1]s; exec curl -sS {url}`, mark))
	cases, end := readReport(t, out)
	if o := cases["self-signed"][0]; code != 0 || end.Grade != "A" || o.Verdict != check.Refused || o.Runs != 2 {
		t.Errorf("exit code %d, grade %s, %+v: %s", code, end.Grade, o, errs)
	}
}

// TestCheckOneCertificate: a client that looks at the certificate first and connects then finds the same.
// TestCheckLate: a client that waits, and whose time was over before its silence
// meant anything, is given more, with the control and with the fault.
func TestCheckLate(t *testing.T) {
	t.Parallel()
	out, stderr, code := checkRun(t, "check", "--format", "json", "--only", "self-signed", "--tls", "1.3", "--timeout", "3s", "--",
		"sh", "-c", "sleep 2.5; sleep 60 | openssl s_client -quiet -no_ign_eof -servername {host} -connect {addr} 2>/dev/null")
	cases, end := readReport(t, out)
	if code != 3 || end.Grade != "F" || len(cases["self-signed"]) != 1 || cases["self-signed"][0].Verdict != check.Leaked {
		t.Errorf("exit code %d, grade %s, %+v: %s", code, end.Grade, cases["self-signed"], stderr)
	}
}

func TestCheckOneCertificate(t *testing.T) {
	t.Parallel()
	seen := filepath.Join(t.TempDir(), "seen")
	out, errs, _ := checkRun(t, "check", "--tls", "1.3", "--only", "good", "--format", "json", "--",
		"sh", "-c", `for i in 1 2 3; do openssl s_client -connect {addr} -servername {host} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint >> `+seen+`; done`)
	got, err := os.ReadFile(seen)
	if lines := strings.Fields(string(got)); err != nil || len(lines) < 3 || len(slices.Compact(slices.Sorted(slices.Values(lines)))) != len(lines)/3 {
		t.Errorf("%v: %s\n%s%s", err, got, out, errs)
	}
}

// TestCheckStaple: curl looks at the staple when it is told to, takes a good one and refuses a revoked one; else it is not asked for.
func TestCheckStaple(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]check.Verdict{"--cert-status": check.RefusedLate, "-sS": check.NotApplicable} {
		grade := "A"
		if want == check.RefusedLate {
			grade = "B" // without a staple curl refuses the control good, and with it all that is next to that
		}
		out, errs, code := checkRun(t, "check", "--only", "staple-revoked,self-signed", "--format", "json", "--", "curl", "-sS", flag, "{url}")
		cases, end := readReport(t, out)
		if o := cases["staple-revoked"]; code != 0 || end.Grade != grade || o[0].Verdict != want || o[1].Verdict != want || cases["good-staple"][0].Verdict != check.Accepted {
			t.Errorf("curl %s: exit code %d, grade %s, %+v: %s", flag, code, end.Grade, o, errs)
		}
	}
}

// TestCheckInterrupted ends a check while its command hangs: the command goes with it.
func TestCheckInterrupted(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := exec.Command("mkfifo", fifo).Run(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "explainer", "check", "--only", "expired", "--tls", "1.3", "--timeout", "10m", "--", "sh", "-c", "exec 9>"+fifo+"; sleep 1000 & echo >&9; wait")
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(fifo)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(out.String(), "the check ended before") {
		t.Errorf("exit code %d: %s", code, out.String())
	}
	// It ends when nobody is left who could write.
	f.SetReadDeadline(time.Now().Add(20 * time.Second))
	if rest, err := io.ReadAll(f); err != nil {
		t.Errorf("%q, %v: what the command had started still runs", rest, err)
	}
}
