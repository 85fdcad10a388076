package grade

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"

	"explainer/annotate/score"
	"explainer/annotate/text"
	"explainer/annotate/words"
)

// TestReport: the report has the same lines, outcomes and counts in both languages, whatever was seen.
func TestReport(t *testing.T) {
	everythingAccepted := perfect(t)
	for _, trial := range everythingAccepted.Trials {
		trial.Origin.Bytes = 1
	}
	for name, e := range map[string]*Evidence{"perfect": perfect(t), "nothing": {}, "everything accepted": everythingAccepted} {
		r := judge(e)
		in := map[words.Language]string{}
		for _, l := range words.Languages {
			var out bytes.Buffer
			to := text.New(&out)
			to.Lang = l
			if err := r.Text(to, time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)); err != nil {
				t.Fatal(err)
			}
			in[l] = out.String()
		}
		outcomes := map[score.Outcome]int{}
		for _, l := range r.Lines {
			outcomes[l.Outcome]++
		}
		for outcome, names := range map[score.Outcome][2]string{score.Pass: {"pass", "通过"}, score.Fail: {"FAIL", "未通过"}, score.NotTested: {"not tested", "未测试"}} {
			for i, l := range words.Languages {
				if n := strings.Count(in[l], "\n  "+names[i]+" "); n != outcomes[outcome] {
					t.Errorf("%s in %s: %d times %q, want %d", name, l, n, names[i], outcomes[outcome])
				}
			}
		}
		for _, line := range strings.Split(in[words.Chinese], "\n") {
			if strings.Contains(line, words.Missing) || strings.Contains(line, "{") || len(line) > 60 && !strings.ContainsFunc(line, func(r rune) bool { return unicode.Is(unicode.Han, r) }) && strings.Count(line, " the ") > 0 {
				t.Errorf("%s: %s", name, line)
			}
		}
		if strings.Contains(in[words.English], words.Missing) {
			t.Errorf("%s: a value is missing:\n%s", name, in[words.English])
		}
	}
}
