package annotate_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/ca"
	"explainer/capture"
)

// shownCases are recordings of real clients at built-in fault sites, each made with
//
//	explainer run -w testdata/cases/NAME.pcapng -- COMMAND https://CASE.explainer.test/
//
// and the sentences that their stories come to.
var shownCases = map[string]struct {
	command string
	step    event.Step // at which the connection failed, "" if it did not
	row     string     // the sentence of step 4a
	note    string     // the sentence at the end
}{
	"good":               {"curl", "", "step-4a-case-control", "shown-accepted-control"},
	"good-untrusted":     {"curl --cacert /etc/ssl/certs/ca-certificates.crt", event.Step4a, "step-4a-case-refused-control", "shown-refused-control"},
	"expired":            {"curl", event.Step4a, "step-4a-case-refused", "shown-refused"},
	"expired-unchecked":  {"curl -k", "", "step-4a-case-accepted", "shown-accepted"},
	"wrong-host":         {"curl", "", "step-4a-case-finished", "shown-left"},
	"expired-silent":     {"node", event.Step4a, "step-4a-case-silent", "shown-left"},
	"wrong-ku":           {"curl --tls-max 1.2", event.Step4a, "step-4a-case-perhaps", "shown-refused"},
	"no-private-key":     {"curl", event.Step2, "step-not-reached", "shown-refused"},
	"finished-wrong":     {"curl --tls-max 1.2", event.Step2, "step-4a-finished", "shown-refused"},
	"finished-tampered":  {"curl", event.Step2, "step-not-reached", "shown-refused"},
	"downgrade-sentinel": {"curl", event.Step2, "step-not-reached", "shown-refused"},
	"cipher-rc4":         {"curl", event.Step1, "step-not-reached", "shown-blocked"},
	"cipher-static-rsa":  {"curl", "", "step-4a-case-elsewhere", "shown-accepted-low"},
}

// TestShownCases compares the stories of cases with those that are kept: one leg
// only, and nothing in it claims that the client checked anything.
func TestShownCases(t *testing.T) {
	for name, want := range shownCases {
		t.Run(name, func(t *testing.T) {
			es := story(t, filepath.Join("testdata", "cases", name+".pcapng"), true)
			for i := range es {
				checkEvent(t, name, &es[i])
			}
			all := legs(es)
			if len(all) != 1 || all[0].Leg != "browser" {
				t.Fatalf("legs %+v", all)
			}
			var failed event.Step
			for _, r := range all[0].Rows {
				if r.Verdict == event.Failed && failed == "" {
					failed = r.Step
				}
				if r.Step == event.Step4a && r.Says.ID != want.row {
					t.Errorf("step 4a is told with %s, want %s: %s", r.Says.ID, want.row, r.Says.Text)
				}
			}
			if failed != want.step {
				t.Errorf("failed at step %q, want %q", failed, want.step)
			}
			note := ""
			for _, e := range es {
				if e.Summary != nil && len(e.Says) > 0 {
					note = e.Says[0].ID
				}
			}
			if note != want.note {
				t.Errorf("the story comes to %s, want %s", note, want.note)
			}
			compareGolden(t, filepath.Join("testdata", "cases", name+".txt"), retell(es))
		})
	}
}

// TestShownFacts: every case of the table, and one that is not in it, is told in words.
func TestShownFacts(t *testing.T) {
	ids := []string{"of-tomorrow", "", strings.Repeat("x", 5000)}
	for _, f := range ca.Faults {
		ids = append(ids, f.ID)
	}
	for _, id := range ids {
		es := events(messages([]capture.Input{
			&capture.Open{Conn: 1, Leg: capture.LegBrowser, Time: start.UnixNano(), Packet: 1, SYN: true},
			&capture.Fact{Conn: 1, Time: start.UnixNano(), Kind: capture.FactCase, Outcome: id, Host: "www.bank.test", Addr: "TLS 1.2", Detail: "7"},
		}))
		i := slices.IndexFunc(es, func(e event.Event) bool { return e.Topic == event.TopicCase })
		if i < 0 {
			t.Fatalf("%s: the case is not told", id)
		}
		checkEvent(t, id, &es[i])
		if f := ca.FaultOf(id); f != nil && !strings.Contains(es[i].Brief.English, id+". "+f.Wrong) {
			t.Errorf("%s: %s", id, es[i].Brief)
		}
	}
}
