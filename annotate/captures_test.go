package annotate_test

import (
	"compress/gzip"
	"crypto/rsa"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/text"
	"explainer/capture"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

var tell = flag.String("tell", "", "print the story of this `capture` and do nothing else")

// collection finds the captures that stand beside the project on some machines, by walking up.
func collection(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		s := filepath.Join(dir, "shared", "captures")
		if _, err := os.Stat(s); err == nil {
			return s
		}
		if dir == filepath.Dir(dir) {
			t.Log("no collection of captures beside the project")
			return ""
		}
	}
}

// story tells a capture, with the key log that stands beside it under the same
// name, if keyed.
func story(t testing.TB, path string, keyed bool) []event.Event {
	t.Helper()
	return storyOf(t, path, keyed, new(annotate.Explainer))
}

func storyOf(t testing.TB, path string, keyed bool, x *annotate.Explainer) []event.Event {
	t.Helper()
	return storyWith(t, path, keyed, nil, x)
}

// storyWith is storyOf with private keys, too. The file may be gzip'd.
func storyWith(t testing.TB, path string, keyed bool, private []*rsa.PrivateKey, x *annotate.Explainer) []event.Event {
	t.Helper()
	d := capture.Decoder{PrivateKeys: private}
	var out []event.Event
	feed := func(in capture.Input) {
		for _, m := range d.Feed(in) {
			out = append(out, x.Explain(&m)...)
		}
	}
	if keyed {
		d.SecretsFirst = true
		stem := strings.TrimSuffix(path, ".gz")
		if f, err := os.Open(strings.TrimSuffix(stem, filepath.Ext(stem)) + ".keys"); err == nil {
			defer f.Close()
			if err := keys.ReadLog(f, func(s keys.Secret) { feed(&s) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var file io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if file, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	r, err := pcap.NewReader(file)
	if err != nil {
		return nil
	}
	for in, err := range r.All() {
		if errors.As(err, new(*pcap.CutError)) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := in.(*capture.Secret); ok && !keyed {
			continue
		}
		feed(in)
	}
	for _, m := range d.Finish() {
		out = append(out, x.Explain(&m)...)
	}
	return append(out, x.Finish()...)
}

func TestTell(t *testing.T) {
	if *tell == "" {
		return
	}
	text := text.New(os.Stdout)
	text.Messages, text.All, text.Width = true, true, 160
	for _, e := range story(t, *tell, true) {
		if err := text.Event(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := text.Finish(); err != nil {
		t.Fatal(err)
	}
}

// indexed are the proofs by the names that the collection's index has for them,
// where it says what an independent reading proved.
var indexed = map[string]string{
	"SKE-sig:OK":        "server-key-exchange-signature",
	"sCV:OK":            "server-certificate-verify",
	"cCV:OK":            "client-certificate-verify", // TLS 1.3
	"cCV12:OK":          "client-certificate-verify",
	"sFin:OK":           "server-finished",
	"cFin:OK":           "client-finished",
	"RSA-premaster:OK":  "rsa-private-key",
	"master==keylog:OK": "rsa-master",
	"chain-links:OK":    "certificate-links",
	"cchain-links:OK":   "client-certificate-links",
}

// times is how often the index counts a proof: chains of certificates by their signatures.
func times(p *event.Proof) (n int) {
	if p.ID != "certificate-links" && p.ID != "client-certificate-links" {
		return 1
	}
	for _, f := range p.Inputs {
		if f.Name.English == "link" {
			n++
		}
	}
	return n
}

// A captureFile is a line of the collection's index.
type captureFile struct {
	name, path string
	proved     map[string]int // by our ID
}

func indexOf(t testing.TB, dir string) (all []captureFile) {
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(index), "\n")[1:] {
		col := strings.Split(line, "\t")
		if len(col) < 8 {
			continue
		}
		f := captureFile{col[0], filepath.Join(dir, col[0]), map[string]int{}}
		for _, word := range strings.Fields(col[7]) {
			if i := strings.LastIndexByte(word, 'x'); i > 0 && indexed[word[:i]] != "" {
				n, err := strconv.Atoi(word[i+1:])
				if err != nil {
					t.Fatal(err)
				}
				if col[1] == "made-here" && (word[:i] == "RSA-premaster:OK" || word[:i] == "master==keylog:OK") {
					n /= 2 // there the index counts every one twice: each stands beside one Finished of a full handshake
				}
				f.proved[indexed[word[:i]]] += n
			}
		}
		all = append(all, f)
	}
	return all
}

// TestCaptures tells every capture of the collection, with all keys that are
// there: no place in a sentence may stay empty, every leg's summary has every step
// once, what an independent reading proved is proved, and nothing is refuted but
// what is known to be false: of one VPN, which replays certificates of others,
// that the server owns the private key.
func TestCaptures(t *testing.T) {
	dir := collection(t)
	if dir == "" {
		return
	}
	private := privateKeys(t, dir)
	flows := make(map[string]int)
	states := make(map[string]map[event.ProofState]int)
	asked, done, refuted := make(map[string]int), make(map[string]int), make(map[string]int)
	captures := indexOf(t, dir)
	for _, f := range captures {
		proved := make(map[string]int)
		for _, e := range storyWith(t, f.path, true, private, new(annotate.Explainer)) {
			checkEvent(t, f.name, &e)
			for _, p := range e.Proofs {
				if states[p.ID] == nil {
					states[p.ID] = make(map[event.ProofState]int)
				}
				states[p.ID][p.State]++
				switch p.State {
				case event.Proven:
					proved[p.ID] += times(&p)
				case event.NotCheckable:
					if p.Reason.English == "" {
						t.Errorf("%s: event %d: %s is not checkable, and no reason is given", f.name, e.N, p.ID)
					}
				case event.Refuted:
					refuted[f.name+" "+p.ID]++
				}
			}
			if e.Summary != nil {
				for _, l := range e.Summary.Legs {
					flows[l.Flow]++
					for _, r := range l.Rows {
						if r.Says.ID == "step-other" {
							t.Errorf("%s: connection %d, %s: step %s has no words for this key exchange", f.name, l.Conn, l.Title, r.Step)
						}
					}
				}
			}
		}
		for id, n := range proved {
			done[id] += n
		}
		for id, n := range f.proved {
			if strings.HasSuffix(f.name, "tls-over-tls.pcapng.gz") && id != "server-certificate-verify" {
				continue // what is inside the other TLS connection is not read
			}
			asked[id] += n
			if proved[id] < n {
				t.Errorf("%s: %s proven %d times, of %d", f.name, id, proved[id], n)
			}
		}
	}
	if want := map[string]int{"mercury/unit_tests__pcaps__faketls_potatovpn.pcap server-key-exchange-signature": 2}; !maps.Equal(refuted, want) {
		t.Errorf("refuted: %v, want %v", refuted, want)
	}
	t.Logf("%d captures; connections by flow: %v", len(captures), flows)
	for _, id := range slices.Sorted(maps.Keys(states)) {
		s := states[id]
		t.Logf("%-30s proven %4d (of %3d in the index), refuted %d, not checkable %3d", id, done[id], asked[id], s[event.Refuted], s[event.NotCheckable])
	}
}

var topicLike = regexp.MustCompile(`^[a-z][a-z0-9-]*[a-z0-9]$`)

// checkEvent checks what holds for every event.
func checkEvent(t *testing.T, name string, e *event.Event) {
	t.Helper()
	text := func(s string) {
		if strings.Contains(s, "(not known)") || strings.Contains(s, "{") && strings.Contains(s, "}") && !strings.Contains(s, "\"") {
			t.Errorf("%s: event %d (%s): an empty place: %s", name, e.N, e.Name, s)
		}
	}
	if !topicLike.MatchString(string(e.Topic)) || e.Name == "" {
		t.Errorf("%s: event %d: topic %q, name %q", name, e.N, e.Topic, e.Name)
	}
	for _, s := range e.Says {
		text(s.Text)
	}
	if e.Summary == nil {
		return
	}
	for _, l := range e.Summary.Legs {
		if len(l.Rows) != len(event.Steps) {
			t.Errorf("%s: event %d: %d rows", name, e.N, len(l.Rows))
		}
		for i, r := range l.Rows {
			if r.Step != event.Steps[i] || r.Verdict == "" || r.Says.Text == "" {
				t.Errorf("%s: event %d: row %d is %+v", name, e.N, i, r)
			}
			text(r.Says.Text)
		}
	}
}
