package check_test

import (
	"encoding/json"
	"strings"
	"testing"

	"explainer/annotate/check"
	"explainer/capture"
)

// TestJudgeCommand: a report masks what a command line and its program's last words give away.
func TestJudgeCommand(t *testing.T) {
	for _, test := range []struct {
		command []string
		want    string // what stands in the report; every "sesame" must be gone
	}{
		{[]string{"curl", "-u", "bob:sesame", "{url}"}, "curl -u bob:**** (6 bytes masked) {url}"},
		{[]string{"curl", "-ubob:sesame"}, "curl -ubob:**** (6 bytes masked)"},
		{[]string{"curl", "--user", "bob"}, "curl --user bob"},
		{[]string{"curl", "--user=bob:sesame"}, "curl --user=bob:**** (6 bytes masked)"},
		{[]string{"curl", "-b", "id=sesame", "-b", "jar.txt"}, "curl -b id=**** (6 bytes masked) -b jar.txt"},
		{[]string{"curl", "--oauth2-bearer", "sesame", "-k"}, "curl --oauth2-bearer **** (6 bytes masked) -k"},
		{[]string{"curl", "-H", "Cookie: a=sesame"}, "curl -H Cookie: a=**** (6 bytes masked)"},
		{[]string{"wget", "--header=Cookie: a=sesame"}, "wget --header=Cookie: a=**** (6 bytes masked)"},
		{[]string{"wget", "--http-password", "sesame", "-q"}, "wget --http-password **** (6 bytes masked) -q"},
		{[]string{"client", "--password=sesame", "--token", "sesame"}, "client --password=**** (6 bytes masked) --token **** (6 bytes masked)"},
		{[]string{"client", "-u", "{url}", "-b", "x=y"}, "client -u {url} -b x=y"},
		{[]string{"client", "{url}?token=sesame&a=b"}, "client {url}?token=**** (6 bytes masked)&a=b"},
		{[]string{"client", "https://bob:sesame@{host}/"}, "client https://**** (10 bytes masked)@{host}/"},
		{[]string{"sh", "-c", "curl -u bob:sesame -H 'Authorization: Bearer sesame' https://h/?token=sesame"},
			"sh -c curl -u bob:**** (6 bytes masked) -H 'Authorization: Bearer **** (6 bytes masked)' https://h/?token=**** (6 bytes masked)"},
		{[]string{"sh", "-c", "curl -u bob:sesame '{url}' -d 'user=ali&pin=sesame'"}, "sh -c curl -u bob:**** (6 bytes masked) '{url}' -d 'user=**** (3 bytes masked)&pin=**** (6 bytes masked)'"},
		{[]string{"curl", "-d", `{"user":"sesame"}`, "--json", "sesame", "-F", "file=@a.txt", "-d", "@b.txt"}, `curl -d {"user":**** (6 bytes masked)} --json **** (6 bytes masked) -F file=**** (6 bytes masked) -d @b.txt`},
		{[]string{"curl", "-H", "X-Custom: ghp_sesame17", "-A", "ghp_sesame17"}, "curl -H X-Custom: **** (12 bytes masked) -A **** (12 bytes masked)"},
		{[]string{"http", "{url}", "Authorization:Bearer sesame", "password=sesame"}, "http {url} Authorization:Bearer **** (6 bytes masked) password=**** (6 bytes masked)"},
		{[]string{"python3", "-c", `requests.get("{url}", auth=("bob", "sesame"), headers={"Authorization": "Bearer sesame"})`}, `python3 -c requests.get("{url}", auth=(**** (15 bytes masked)), headers={"Authorization": "**** (13 bytes masked)"})`},
		{[]string{"env", "API_TOKEN=sesame", "curl", "-u", "bob:sesame", "{url}"}, "env API_TOKEN=**** (6 bytes masked) curl -u bob:**** (6 bytes masked) {url}"},
		{[]string{"openssl", "s_client", "-CAfile", "{ca}", "-connect", "{addr}"}, "openssl s_client -CAfile {ca} -connect {addr}"},
	} {
		for _, show := range []bool{false, true} {
			j := check.Judge{ShowSecrets: show}
			plan := capture.NewRunFact(capture.RunPlan, "", "", &capture.CheckPlan{Mode: "run", Command: test.command, Trust: "none", TLS: []string{"TLS 1.3"}, Tries: 1, Cases: []string{"expired"}})
			j.Feed(&capture.Message{Body: &plan})
			want := test.want
			if show {
				want = strings.Join(test.command, " ")
			}
			if got := strings.Join(j.Report().Command, " "); got != want {
				t.Errorf("%q: %q, want %q", test.command, got, want)
			}
		}
	}
	for said, want := range map[string]string{
		"error: https://bob:sesame@h/?token=sesame failed":     "error: https://**** (10 bytes masked)@h/?token=**** (6 bytes masked) failed",
		"certificate error; sent Authorization: Bearer sesame": "certificate error; sent Authorization: Bearer **** (6 bytes masked)",
		"SSL error, password=sesame, code=35":                  "SSL error, password=**** (6 bytes masked), code=35",
		"curl: (60) SSL certificate problem: expired":          "curl: (60) SSL certificate problem: expired",
	} {
		var j check.Judge
		for _, fact := range []capture.Fact{
			capture.NewRunFact(capture.RunPlan, "", "", &capture.CheckPlan{Mode: "run", Command: []string{"x"}, Trust: "none", TLS: []string{"TLS 1.3"}, Tries: 1, Cases: []string{"expired"}}),
			capture.NewRunFact(capture.RunBegin, "1", "expired", &capture.CheckRun{TLS: "TLS 1.3", Try: 1, Listen: []string{"127.0.0.1:7000"}}),
			capture.NewRunFact(capture.RunEnd, "1", "expired", &capture.CheckRun{TLS: "TLS 1.3", Try: 1, Exit: 1, Said: said}),
		} {
			j.Feed(&capture.Message{Body: &fact})
		}
		out, err := json.Marshal(j.Report().Cases)
		if err != nil {
			t.Fatal(err)
		}
		quoted, _ := json.Marshal(want)
		if !strings.Contains(string(out), string(quoted)) {
			t.Errorf("%q: want %q in %s", said, want, out)
		}
	}
}
