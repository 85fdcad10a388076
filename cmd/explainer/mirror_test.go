package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
)

// TestMirroredStory tells of a client that checks and one that does not, before
// origins whose certificates are bad, mirrored and blocked; live and from the recording.
func TestMirroredStory(t *testing.T) {
	origins, roots := siteCA(t)
	dir := t.TempDir()
	recording, live := filepath.Join(dir, "session.pcapng"), filepath.Join(dir, "live.json")
	args := []string{"explainer", "run", "--home", filepath.Join(dir, "home"), "--origin-ca", roots, "--format", "json", "--story", live, "-w", recording}
	script := "true"
	cases := []struct {
		host   string
		faults []string
		leaf   string // the sentence about the certificate that was made
		notes  string // the proxy's sentence about the origin's
	}{
		{"expired.test", []string{"expired", "wrong-host"}, "fact-leaf-mirrored", "fact-origin-mirrored"},
		{"self.test", []string{"self-signed"}, "fact-leaf-mirrored-self-signed", "fact-origin-mirrored"},
		{"unknown.test", []string{"untrusted-root", "wrong-eku"}, "fact-leaf-mirrored-unknown-ca", "fact-origin-mirrored"},
		{"incomplete.test", []string{"incomplete-chain"}, "fact-leaf-mirrored-unknown-ca", "fact-origin-mirrored"},
		{"weak.test", []string{"sha1-signature"}, "fact-leaf", "fact-origin-blocked-unmirrored"},
		{"good.test", []string{"good"}, "fact-leaf", "fact-origin-ok"},
	}
	for _, c := range cases {
		cert, err := origins.Faulty(c.host, c.faults...)
		if err != nil {
			t.Fatal(err)
		}
		addr := tlsOrigin(t, cert, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello from the origin") }))
		args = append(args, "--map", c.host+":443="+addr)
		script += "; curl -sS https://" + c.host + "/; curl -sSk https://" + c.host + "/"
	}
	if code := run(context.Background(), append(args, "--", "sh", "-c", script)); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	replayed := filepath.Join(dir, "replayed.json")
	replay(t, recording, replayed)
	a, err := os.ReadFile(live)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(replayed)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("the live story (%d bytes) and that of the recording (%d bytes) differ", len(a), len(b))
	}

	said := map[string][]string{}
	rows := map[string][]string{} // step 4a of each session's legs
	for _, e := range readStory(t, live) {
		for _, p := range e.Proofs {
			if p.State == event.Refuted {
				t.Errorf("event %d, %s: refuted: %s: %s", e.N, e.Name, p.ID, p.Reason)
			}
		}
		if e.Kind == event.KindFact {
			for _, s := range e.Says {
				said[e.Host] = append(said[e.Host], s.ID)
			}
		}
		if e.Summary != nil {
			for _, l := range e.Summary.Legs {
				rows[e.Host] = append(rows[e.Host], l.Leg+" "+string(l.Rows[3].Verdict)+" "+l.Rows[3].Says.ID)
			}
		}
	}
	for _, c := range cases {
		for _, id := range []string{c.leaf, c.notes} {
			if n := len(slices.DeleteFunc(slices.Clone(said[c.host]), func(s string) bool { return s != id })); n != 2 {
				t.Errorf("%s: %s is said %d times: %v", c.host, id, n, said[c.host])
			}
		}
		var want []string
		switch {
		case c.notes == "fact-origin-mirrored":
			want = []string{"browser failed step-4a-failed-mirrored", "origin failed step-4a-proxy-mirrored-refused", "browser unseen step-4a-mirrored", "origin unseen step-4a-proxy-mirrored-went-on"}
		case c.notes == "fact-origin-ok":
			want = []string{"browser unseen step-4a-minted", "origin unseen step-4a-proxy-ok", "browser unseen step-4a-minted", "origin unseen step-4a-proxy-ok"}
		default:
			want = []string{"browser unseen step-4a-minted", "origin failed step-4a-proxy-refused", "browser unseen step-4a-minted", "origin failed step-4a-proxy-refused"}
		}
		if got := rows[c.host]; !slices.Equal(got, want) {
			t.Errorf("%s: step 4a\n%s\nwant\n%s", c.host, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
