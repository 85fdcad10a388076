package words

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/ca/verify"
)

var freeze = flag.Bool("freeze", false, "add new sentences to testdata/sentences.ids")

// TestIDs freezes the permanent IDs of sentences and proofs: those in
// testdata/sentences.ids must never go; new ones are added with -freeze.
func TestIDs(t *testing.T) {
	path := filepath.Join("testdata", "sentences.ids")
	frozen, err := os.ReadFile(path)
	if err != nil && !*freeze {
		t.Fatal(err)
	}
	have := sentenceIDs()
	for id := range claims {
		have = append(have, "proof "+id)
	}
	for id := range everyPiece {
		have = append(have, "piece "+id)
	}
	for family, list := range phrases {
		for id := range list {
			have = append(have, strings.TrimSpace("phrase "+string(family)+" "+id))
		}
	}
	sort.Strings(have)
	if *freeze {
		if err := os.WriteFile(path, []byte(strings.Join(have, "\n")+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := strings.Split(strings.TrimSpace(string(frozen)), "\n")
	for _, id := range want {
		if !slices.Contains(have, id) {
			t.Errorf("%s is gone; IDs are permanent", id)
		}
	}
	for _, id := range have {
		if !slices.Contains(want, id) {
			t.Errorf("%s is new: run go test -run TestIDs -freeze", id)
		}
	}
}

// literals are the strings in the source of the story but for the tables of sentences, in English and in Chinese.
func literals(t *testing.T) map[string]bool {
	var files []string
	// The names of what a check found are values for sentences, too.
	for _, pattern := range []string{"../*.go", "../*/*.go", "../../ca/verify/*.go"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	out := make(map[string]bool)
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && (strings.HasSuffix(v.Names[0].Name, "Sentences") || strings.HasPrefix(v.Names[0].Name, "zh")) {
				return false
			}
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if s, err := strconv.Unquote(l.Value); err == nil {
					out[s] = true
				}
			}
			return true
		})
	}
	return out
}

// TestUse: every sentence is used, and every ID in the code exists.
func TestUse(t *testing.T) {
	used := literals(t)
	// IDs that the code puts together.
	for _, stem := range []string{"tls13", "mlkem"} {
		for _, s := range []string{"step-3-" + stem + "-sealed", "step-3-" + stem + "-first", "step-3-" + stem + "-only", "step-3-minted-" + stem, "step-3-" + stem} {
			used[s] = true
		}
	}
	for _, s := range event.Steps {
		used["step-"+string(s)+"-plain"] = true
	}
	for _, s := range []string{"refused", "timeout", "unreachable", "loop", "canceled", "near-name"} {
		used["fact-dial-"+s] = true
	}
	for _, s := range []string{"error-page", "set-up-page", "not-a-proxy-request", "built-in"} {
		used["fact-own-"+s] = true
	}
	for _, s := range []string{"client", "origin", "proxy", "proxy-shutdown", "timeout", "error"} {
		used["fact-closed-"+s] = true
	}
	for _, s := range verify.Reasons {
		used["check-"+s.ID] = true
	}
	for _, s := range verify.IDs {
		used["check-"+s+"-ok"] = true
	}
	for _, s := range []string{"server-key-exchange-unproven", "certificate-verify-unproven"} {
		used[s] = true
	}
	for id, e := range catalogue {
		if !used[id] {
			t.Errorf("nobody says %s", id)
		}
		if e.text == "" || !strings.HasSuffix(e.text, ".") {
			t.Errorf("%s does not end as a sentence: %s", id, e.text)
		}
		if strings.Contains(e.text, "  ") {
			t.Errorf("%s has two spaces", id)
		}
	}
	isID := regexp.MustCompile(`^(step-[1-8]|alert-|fact-|certificate-|client-hello|server-hello|mutual-tls|closed|sealed|http-)[a-z0-9-]*$`)
	for s := range used {
		if _, ok := catalogue[s]; !ok && isID.MatchString(s) && !slices.Contains([]string{"certificate-links", "certificate-verify-unproven"}, s) {
			switch s {
			case "step-1-plain", "step-3-", "step-3-minted-", "fact-dial-", "fact-own-", "fact-closed-":
			default:
				_, proof := claims[s]
				_, topic := topics[event.Topic(s)]
				if !proof && !topic {
					t.Errorf("the code says %s, which is not in the catalogue", s)
				}
			}
		}
	}
}

// TestChecks: each reason and each check that can pass has its sentence.
func TestChecks(t *testing.T) {
	for _, r := range verify.Reasons {
		if _, ok := catalogue["check-"+r.ID]; !ok {
			t.Errorf("no sentence for the reason %s", r.ID)
		}
	}
	for _, id := range verify.IDs {
		if _, ok := catalogue["check-"+id+"-ok"]; !ok && id != verify.IDSCT {
			t.Errorf("no sentence for passing %s", id)
		}
	}
}

// TestPlaces: every place of a sentence is one that the code has values for.
func TestPlaces(t *testing.T) {
	known := literals(t)
	for id, e := range catalogue {
		for _, p := range places(e.text) {
			low := strings.ToLower(p[:1]) + p[1:]
			if !known[p] && !known[low] {
				t.Errorf("%s: nobody gives {%s}", id, p)
			}
		}
	}
}

func TestCite(t *testing.T) {
	for ref, want := range map[string]string{
		"8446 4.4.3":    "RFC 8446 4.4.3 (now RFC 9846 4.5.2)",
		"8446 4.4.2.1":  "RFC 8446 4.4.2.1 (now RFC 9846 4.5.1.1)",
		"8446 4.4.2.4":  "RFC 8446 4.4.2.4 (now RFC 9846 4.5.1.3)",
		"8446 4.2.11.2": "RFC 8446 4.2.11.2 (now RFC 9846 4.3.11.2)",
		"8446 5.2":      "RFC 8446 5.2 (now RFC 9846 5.2)",
		"8446 D.4":      "RFC 8446 D.4 (now RFC 9846 E.4)",
		"8446 4.2.8":    "RFC 8446 4.2.8 (now RFC 9846 4.3.8)",
		"5246 7.4.9":    "RFC 5246 7.4.9",
		"10024":         "RFC 10024",
	} {
		if got := cite(ref); got != want {
			t.Errorf("cite(%q) = %q, want %q", ref, got, want)
		}
	}
}

// TestSteps: the table of the steps has each, in order, with all that is told of it.
func TestSteps(t *testing.T) {
	if len(stepTable) != len(event.Steps) {
		t.Fatalf("the table of steps has %d", len(stepTable))
	}
	for i, s := range StepTable()[:len(stepTable)] {
		if s.Step != event.Steps[i] || s.Title == "" || s.Textbook == "" || s.TLS12RSA == "" || s.TLS12ECDHE == "" || s.TLS13 == "" || len(s.Refs) == 0 {
			t.Errorf("step %d of the table is %+v", i, s)
		}
	}
}

// sentenceIDs lists the catalogue's permanent names, sorted.
func sentenceIDs() []string {
	var ids []string
	for id := range catalogue {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

// places lists the named places of a text.
func places(text string) []string {
	var names []string
	for {
		_, rest, ok := strings.Cut(text, "{")
		if !ok {
			return names
		}
		name, after, _ := strings.Cut(rest, "}")
		names = append(names, name)
		text = after
	}
}
