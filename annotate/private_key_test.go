package annotate_test

import (
	"bufio"
	"crypto/rsa"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

// privateKeys reads the private keys of the collection.
func privateKeys(t testing.TB, dir string) []*rsa.PrivateKey {
	names, err := filepath.Glob(filepath.Join(dir, "private-keys", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all []*rsa.PrivateKey
	for _, name := range names {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found, err := keys.ParsePrivateKeys(file, func() ([]byte, error) { return []byte("WebAS"), nil })
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, found...)
	}
	return all
}

// keyed tells a capture with private keys and nothing else, not even the secrets in it.
func keyed(t testing.TB, path string, given []*rsa.PrivateKey) []event.Event {
	t.Helper()
	d := capture.Decoder{SecretsFirst: true, PrivateKeys: given}
	x := new(annotate.Explainer)
	var out []event.Event
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcap.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for in, err := range r.All() {
		if errors.As(err, new(*pcap.CutError)) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := in.(*capture.Secret); ok {
			continue
		}
		for _, m := range d.Feed(in) {
			out = append(out, x.Explain(&m)...)
		}
	}
	for _, m := range d.Finish() {
		out = append(out, x.Explain(&m)...)
	}
	return append(out, x.Finish()...)
}

// TestPrivateKeys opens every connection of the collection that an independent
// reading opened with a server's private key, and proves what that makes possible.
func TestPrivateKeys(t *testing.T) {
	dir := collection(t)
	if dir == "" {
		return
	}
	given := privateKeys(t, dir)
	index, err := os.Open(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	total := make(map[string]int)
	for lines := bufio.NewScanner(index); lines.Scan(); {
		name, _, _ := strings.Cut(lines.Text(), "\t")
		if !strings.Contains(lines.Text(), "RSA-premaster:OK") || strings.HasSuffix(name, "tls-over-tls.pcapng.gz") {
			continue // the last: its RSA key transport is inside another TLS connection
		}
		opened := 0
		for _, e := range keyed(t, filepath.Join(dir, name), given) {
			checkEvent(t, name, &e)
			for _, p := range e.Proofs {
				if p.State == event.Refuted {
					t.Errorf("%s: event %d: refuted: %s: %s", name, e.N, p.ID, p.Reason)
				}
				if p.State == event.Proven {
					total[p.ID]++
					if p.ID == "rsa-private-key" {
						opened++
					}
				}
			}
		}
		if opened == 0 {
			t.Errorf("%s: nothing was opened", name)
		}
	}
	for id, want := range map[string]int{"rsa-private-key": 66, "rsa-premaster-version": 66, "server-finished": 72, "client-finished": 72} {
		if total[id] < want {
			t.Errorf("%s was proved %d times, of at least %d", id, total[id], want)
		}
	}
	t.Log(total)
}
