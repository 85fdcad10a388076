package exam_test

import (
	"bytes"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/exam"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/pcap"
)

// stories are those of the recordings of tests, and of the demo.
func stories(t *testing.T) iter.Seq2[string, []event.Event] {
	files, err := filepath.Glob("../../capture/testdata/recordings/*.pcapng")
	if err != nil || len(files) < 50 {
		t.Fatal("no recordings", err)
	}
	files = append(files, "../../cmd/explainer/exam.pcapng")
	return func(yield func(string, []event.Event) bool) {
		for _, path := range files {
			if !yield(filepath.Base(path), storyOf(t, path)) {
				return
			}
		}
	}
}

func storyOf(t *testing.T, path string) (es []event.Event) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcap.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	d, x := capture.Decoder{SecretsFirst: true}, annotate.Explainer{}
	for m, err := range d.All(r.All()) {
		if err != nil {
			t.Fatal(err)
		}
		es = append(es, x.Explain(m)...)
	}
	return append(es, x.Finish()...)
}

// TestQuestions: of every connection of every recording, each question has three to five
// answers, no two of them the same in any language, exactly one right, and a reason; and what
// is right is true by the events themselves.
func TestQuestions(t *testing.T) {
	t.Parallel()
	kinds, n := map[string]int{}, 0
	for name, es := range stories(t) {
		for seed := range uint64(3) {
			for _, conn := range exam.Connections(es) {
				messages := exam.Messages(es, conn)
				for k := range messages {
					q, ok := exam.Predict(es, conn, k, seed)
					if !ok {
						continue
					}
					n++
					check(t, name, &q)
					if right := rightOf(&q); q.Event != messages[k].N || right.ID != messages[k].From+" "+messages[k].Name {
						t.Errorf("%s: behind %d messages of connection %d: %+v, not %s", name, k, conn, right, messages[k].Name)
					}
				}
			}
			for _, part := range exam.Of(es, name, seed, 1000).Parts {
				for _, q := range part.Questions {
					n++
					kinds[q.ID]++
					check(t, name, &q)
					isTrue(t, name, es, &q)
				}
			}
		}
	}
	for _, kind := range []string{"order", "blank", "verdict-4c", "key-travels", "key-use", "name-seen", "request-seen", "first-data", "vouched", "port", "refused"} {
		if kinds[kind] == 0 {
			t.Errorf("nobody asks %s: %v", kind, kinds)
		}
	}
	t.Logf("%d questions, %v", n, kinds)
}

func rightOf(q *exam.Question) (a exam.Answer) {
	for _, a := range q.Answers {
		if a.Right {
			return a
		}
	}
	return a
}

func check(t *testing.T, name string, q *exam.Question) {
	t.Helper()
	right := 0
	seen := map[string]bool{}
	for _, a := range q.Answers {
		if a.Right {
			right++
		}
		for _, l := range words.Languages {
			text := l.In(a.Text)
			if text == "" || seen[text] && l == words.English {
				t.Errorf("%s, %s: the answer %q twice, or empty", name, q.ID, text)
			}
			seen[text] = true
			if strings.Contains(text, words.Missing) {
				t.Errorf("%s, %s: %s", name, q.ID, text)
			}
		}
	}
	switch {
	case q.Order != nil && (right != 0 || len(q.Order) != len(q.Answers) || len(q.Answers) < 3):
		t.Errorf("%s, %s: %+v", name, q.ID, q)
	case q.Order == nil && (right != 1 || len(q.Answers) < 3 || len(q.Answers) > 5):
		t.Errorf("%s, %s: %d right of %d", name, q.ID, right, len(q.Answers))
	}
	if len(q.Why) == 0 || q.Text.Empty() {
		t.Errorf("%s, %s of connection %d: no reason is given", name, q.ID, q.Conn)
	}
}

// isTrue finds what is right a second time, in the events.
func isTrue(t *testing.T, name string, es []event.Event, q *exam.Question) {
	t.Helper()
	right := rightOf(q).ID
	var leg event.Leg
	var at *event.Event
	first := ""
	group := ""
	signed := false
	for i := range es {
		e := &es[i]
		if e.Summary != nil {
			for _, l := range e.Summary.Legs {
				if l.Conn == q.Conn {
					leg = l
				}
			}
		}
		if e.Conn != q.Conn {
			continue
		}
		if e.N == q.Event {
			at = e
		}
		if first == "" && e.HTTP == nil && (e.Topic == "application-data" || e.Topic == "early-data" || e.Topic == event.TopicSealed) {
			first = e.From
		}
		if e.Topic == event.TopicServerHello && e.TLS != nil {
			group = e.TLS.Group
		}
		for _, p := range e.Proofs {
			signed = signed || p.State == event.Proven && (p.ID == words.ProofSKE || p.ID == words.ProofServerCV)
		}
	}
	ok := true
	switch {
	case q.ID == "order":
		place := -1
		for _, i := range q.Order {
			here := slices.IndexFunc(es, func(e event.Event) bool {
				return e.Conn == q.Conn && e.Bytes != nil && e.HTTP == nil && e.From+" "+e.Name == q.Answers[i].ID
			})
			ok = ok && here > place
			place = here
		}
	case q.ID == "blank":
		ok = right == at.From+" "+at.Name
	case strings.HasPrefix(q.ID, "verdict-"):
		i := slices.IndexFunc(leg.Rows, func(r event.Row) bool { return "verdict-"+string(r.Step) == q.ID })
		ok = i >= 0 && string(leg.Rows[i].Verdict) == right
	case q.ID == "key-travels":
		rsa := leg.Flow == "tls12-rsa"
		kem := strings.Contains(group, "MLKEM")
		ok = right == map[bool]string{true: "encrypted", false: map[bool]string{true: "both", false: "agreed"}[kem]}[rsa]
	case q.ID == "key-use":
		ok = right == map[bool]string{true: "signed", false: "decrypted"}[signed] && (signed || leg.Flow == "tls12-rsa")
	case q.ID == "name-seen":
		ok = right == "everybody" && at.Evidence == event.Clear && at.TLS.SNI != ""
	case q.ID == "request-seen":
		ok = right == "size-and-time" && at.Evidence == event.Decrypted
	case q.ID == "first-data":
		ok = right == first
	case q.ID == "vouched":
		ok = right == "key-of-name" && len(at.Certificates) > 0
	case q.ID == "port":
		ok = right == "nothing-yet" && strings.HasSuffix(leg.To, ":443")
	case q.ID == "refused":
		ok = right == at.From+"-"+at.Alert.Name && at.Alert.Level == "fatal"
	default:
		t.Errorf("%s: nobody knows whether %s is true", name, q.ID)
	}
	if !ok {
		t.Errorf("%s, connection %d, %s: %s is not true (flow %s, group %s, first %s)", name, q.Conn, q.ID, right, leg.Flow, group, first)
	}
}

// TestPaper: one seed makes one paper, another another; the sheet does not have the key, and
// the key is what Mark takes for right.
func TestPaper(t *testing.T) {
	t.Parallel()
	es := storyOf(t, "../../cmd/explainer/exam.pcapng")
	sheet := func(seed uint64, l words.Language) (page, key string) {
		var a, b bytes.Buffer
		p := exam.Of(es, "<demo>", seed, 12)
		if err := p.HTML(&a, l); err != nil {
			t.Fatal(err)
		}
		if err := p.Key(&b, l); err != nil {
			t.Fatal(err)
		}
		return a.String(), b.String()
	}
	page, key := sheet(7, words.English)
	again, sameKey := sheet(7, words.English)
	other, _ := sheet(8, words.English)
	if page != again || key != sameKey || page == other {
		t.Error("the seed does not make the paper")
	}
	if strings.Contains(page, "<demo>") || strings.Contains(page, "<script") || strings.Contains(page, "http://") {
		t.Error("the sheet has markup of others, or asks for something")
	}
	chinese, chineseKey := sheet(7, words.Chinese)
	letters := func(key string) (out []string) {
		for line := range strings.Lines(key) {
			if !strings.HasPrefix(line, "#") {
				out = append(out, line)
			}
		}
		return out
	}
	if !slices.Equal(letters(key), letters(chineseKey)) || !strings.Contains(chinese, `lang="zh-Hans"`) {
		t.Error("another language has another key")
	}
	if n := len(letters(key)); n != 12 || strings.Count(page, `class="question"`) != n {
		t.Errorf("%d questions", n)
	}
	m, err := exam.Mark(strings.NewReader(key), strings.NewReader(strings.ToLower(key)))
	if err != nil || m.Points != 12 || m.Of != 12 || len(m.Wrong) > 0 {
		t.Errorf("%+v %v", m, err)
	}
	var wrong strings.Builder
	for i, line := range letters(key) {
		if i == 3 {
			continue
		}
		n, right, _ := strings.Cut(strings.TrimSpace(line), " ")
		if i == 2 {
			right = string('A' + (right[0]-'A'+1)%3)
		}
		fmt.Fprintf(&wrong, "%s. %s\r\n", n, strings.Join(strings.Split(right, ""), " "))
	}
	if m, err = exam.Mark(strings.NewReader(key), strings.NewReader(wrong.String())); err != nil || m.Points != 10 || len(m.Wrong) != 2 || m.Wrong[1].Given != "" {
		t.Errorf("%+v %v", m, err)
	}
	for _, bad := range []string{"one A", "1 \u00c4", "1 A\n1 B", "0 A", strconv.Itoa(1<<62) + "9 A"} {
		if _, err := exam.Mark(strings.NewReader(key), strings.NewReader(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}
