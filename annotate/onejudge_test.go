package annotate_test

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"
	"time"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/survey"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/ca/verify"
	"explainer/capture"
)

// TestOneJudge: of a certificate with which something is wrong the Certificate line, step
// 4a, the overview and the proxy's own warning say the same, whatever it is, alone and in pairs.
func TestOneJudge(t *testing.T) {
	authority, err := ca.NewEphemeral("explainer test CA")
	if err != nil {
		t.Fatal(err)
	}
	roots := verify.NewRoots("a list for this test", authority.Certificate().Raw)
	var all [][]string
	for _, f := range append(slices.Clone(ca.Faults), ca.Weaknesses...) {
		if f.Severity != ca.Control && !f.Handshake && !f.ByAddress && !f.Asked {
			all = append(all, []string{f.ID})
		}
	}
	all = append(all, [][]string{
		{"expired", "wrong-host"}, {"not-yet-valid", "wrong-eku"}, {"expired", "self-signed"}, {"wrong-host", "untrusted-root"}, {"wrong-ku", "unknown-critical-ext"},
		{"wrong-eku", "wrong-host"}, {"incomplete-chain", "expired"}, {"issuer-expired", "wrong-host"},
	}...)
	const host = "www.bank.test"
	chains, seen := 0, map[string]bool{}
	for _, ids := range all {
		t.Run(strings.Join(ids, "+"), func(t *testing.T) {
			cert, err := authority.Faulty(host, ids...)
			if err != nil {
				t.Fatal(err)
			}
			tp := converse(t, &tls.Config{InsecureSkipVerify: true, ServerName: host, MinVersion: tls.VersionTLS12}, &tls.Config{Certificates: []tls.Certificate{*cert}})
			es := tellAll(&annotate.Explainer{Roots: roots}, messages(tp.inputs(int(time.Since(start)/time.Second), capture.LegNone)))
			var failed, told []string // reasons, and their sentences
			var line string
			for _, e := range es {
				if e.Topic != event.TopicCertificate {
					continue
				}
				line = saysOf(e)
				if _, checks, _ := strings.Cut(e.Brief.English, "; checks: "); checks == "" || len(checks) > 40 {
					t.Errorf("the line is not short: %s", e.Brief)
				}
				for _, c := range e.Checks {
					if c.Outcome == string(verify.Failed) {
						failed, told = append(failed, c.Reason), append(told, strings.TrimSuffix(c.Says.Text, "."))
					}
				}
			}
			if line == "" {
				return // crypto/tls does not show such a certificate
			}
			// Step 4a.
			rows := legs(es)[0].Rows
			at := slices.IndexFunc(rows, func(r event.Row) bool { return r.Step == event.Step4a })
			row := rows[at].Says
			went := strings.HasPrefix(row.ID, "step-4a-unseen") // and crypto/tls did not give up by itself
			if went && (len(failed) == 0) != (row.ID == "step-4a-unseen") {
				t.Errorf("failed: %v; step 4a is told with %s: %s", failed, row.ID, row.Text)
			}
			for i, text := range told {
				seen[failed[i]] = true
				text = strings.ToLower(text[:1]) + text[1:]
				if !strings.Contains(line, text) || went && !strings.Contains(row.Text, text) {
					t.Errorf("the message and step 4a do not both say %q:\n%s\n%s", text, line, row.Text)
				}
			}
			// The overview.
			var survey survey.Survey
			for i := range es {
				survey.Add(&es[i])
			}
			var odd []string
			for _, o := range survey.Overview(event.File{}).Overview.Odd {
				if o.Says.ID == "odd-certificate" {
					odd = append(odd, o.Says.Text)
				}
			}
			slices.Sort(failed)
			failed = slices.Compact(failed)
			if len(odd) > len(failed) || (len(odd) == 0) != (len(failed) == 0) {
				t.Errorf("failed: %v; the overview has %q", failed, odd)
			}
			for _, reason := range failed {
				if !slices.ContainsFunc(odd, func(text string) bool { return strings.Contains(text, ": "+words.Reason(reason, "", "").English+".") }) {
					t.Errorf("the overview does not say %q: %q", words.Reason(reason, "", ""), odd)
				}
			}
			// The proxy's warning.
			if len(failed) > 0 {
				chains++
				var x annotate.Explainer
				now := time.Now().UnixNano()
				var d capture.Decoder
				var live []event.Event
				for _, in := range []capture.Input{
					&capture.Open{Conn: 1, Leg: capture.LegOrigin, Time: now},
					&capture.Fact{Kind: capture.FactOriginVerified, Time: now, Conn: 1, Host: host, Outcome: "other", Found: failed},
				} {
					for _, m := range d.Feed(in) {
						live = append(live, x.Explain(&m)...)
					}
				}
				for _, reason := range failed {
					if text := words.Reason(reason, host, ""); !slices.ContainsFunc(live, func(e event.Event) bool {
						return slices.ContainsFunc(e.Says, func(s event.Sentence) bool { return strings.Contains(s.Text, text.English) })
					}) {
						t.Errorf("the warning does not say %q: %+v", text, live)
					}
				}
			}
		})
	}
	if chains < 25 {
		t.Errorf("%d chains with which something is wrong", chains)
	}
	t.Logf("%d chains, %d reasons", chains, len(seen))
}

// TestReasonWords: every reason has words of its own, and nothing else has.
func TestReasonWords(t *testing.T) {
	have := words.Reasons()
	for _, reason := range verify.Reasons {
		if !slices.Contains(have, reason.ID) {
			t.Errorf("%s has no words", reason.ID)
		}
	}
	if len(have) != len(verify.Reasons) {
		t.Errorf("%d reasons have words, there are %d", len(have), len(verify.Reasons))
	}
}
