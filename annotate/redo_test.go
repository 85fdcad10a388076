package annotate_test

import (
	"encoding/hex"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/redo"
)

// redos are proofs of the recordings with what they are computed from, one of each kind, and of
// each kind one for every algorithm.
func redos(t *testing.T) map[string]event.Proof {
	t.Helper()
	out := map[string]event.Proof{}
	for _, name := range []string{"tls10-client-certificate", "tls10-dhe", "tls12-dhe-dss", "tls12-ecdhe-chacha20", "tls12-ecdhe-ed25519", "tls12-ecdhe-no-ems", "tls12-rsa-client-certificate", "tls12-ocsp",
		"tls12-resumed-id", "tls13-aes128-gcm", "tls13-chacha20-rsa", "tls13-client-certificate", "tls13-rsapss", "tls13-hrr", "http2", "demo"} {
		path := filepath.Join(recordings, name+".pcapng")
		if name == "demo" {
			path = "story/testdata/demo.pcapng"
		}
		for _, e := range storyOf(t, path, true, &annotate.Explainer{Bytes: true, ShowSecrets: true}) {
			for _, p := range e.Proofs {
				if p.Redo == nil || p.State != event.Proven {
					continue
				}
				kind := p.Redo.Kind
				for _, of := range []string{"how", "hash", "cipher", "label"} {
					kind += " " + p.Redo.Values[of]
				}
				if _, ok := out[kind]; !ok {
					out[kind] = p
				}
			}
		}
	}
	return out
}

// TestRedo: the command for a proof of each kind comes to the same with other programs, with one
// byte of any value changed it does not, and without the secrets it says so.
func TestRedo(t *testing.T) {
	kinds := map[string]bool{}
	var run sync.WaitGroup
	at := make(chan struct{}, 4)
	check := func(what, command string, holds bool) {
		run.Go(func() {
			at <- struct{}{}
			defer func() { <-at }()
			out, err := exec.Command("sh", "-c", command).CombinedOutput()
			if (err == nil) != holds {
				t.Errorf("%s: %v: %s", what, err, out)
			}
		})
	}
	for name, p := range redos(t) {
		r := p.Redo
		command := redo.Command(r)
		if command == "" {
			t.Errorf("%s: no command", name)
			continue
		}
		check(name, command, true)
		first := !kinds[r.Kind]
		kinds[r.Kind] = true
		if !first {
			continue
		}
		for _, value := range []string{"messages", "master", "secret", "signed", "1", "ciphertext", "record"} {
			b, err := hex.DecodeString(r.Values[value])
			if err != nil || len(b) == 0 {
				continue
			}
			b[len(b)-1] ^= 1
			changed := *r
			changed.Values = maps.Clone(r.Values)
			changed.Values[value] = hex.EncodeToString(b)
			check(name+", another "+value, redo.Command(&changed), false)
		}
		lacking := event.Redo{Kind: r.Kind, Values: maps.Clone(r.Values)}
		for _, secret := range []string{"secret", "master", "premaster", "block"} {
			if _, ok := r.Values[secret]; ok {
				delete(lacking.Values, secret)
				lacking.Lacks = append(lacking.Lacks, secret)
			}
		}
		if len(lacking.Lacks) > 0 {
			check(name+", without its secrets", redo.Command(&lacking), false)
		}
	}
	run.Wait()
	for _, k := range []string{event.RedoFinished12, event.RedoFinished13, event.RedoSignature, event.RedoLinks, event.RedoBlock, event.RedoMaster, event.RedoRecord12, event.RedoRecord13} {
		if !kinds[k] {
			t.Errorf("no proof of the kind %s", k)
		}
	}
}

// TestRedoSecrets: what is secret stands among what a proof is computed from only where that was
// asked for.
func TestRedoSecrets(t *testing.T) {
	for _, x := range []*annotate.Explainer{{}, {Bytes: true}, {Bytes: true, Secrets: true}, {ShowSecrets: true}} {
		open, lacks := 0, 0
		for _, e := range storyOf(t, "story/testdata/demo.pcapng", true, x) {
			for _, p := range e.Proofs {
				if p.Redo == nil {
					continue
				}
				lacks += len(p.Redo.Lacks)
				for _, secret := range []string{"secret", "master", "premaster", "block"} {
					if p.Redo.Values[secret] != "" {
						open++
					}
				}
			}
		}
		if (open > 0) != (x.Bytes && x.Secrets) || (lacks > 0) != (x.Bytes && !x.Secrets) {
			t.Errorf("bytes %t, secrets %t: %d secrets are told, %d kept back", x.Bytes, x.Secrets, open, lacks)
		}
	}
}

// FuzzRedo: whatever the values are, a command holds nothing of them that a shell or Python reads
// as anything but a value.
func FuzzRedo(f *testing.F) {
	f.Add("signature", "signed", "00", "signature")
	f.Add("finished-tls13", "messages", "\"); import os #", "secret")
	f.Add("certificate-links", "1;id", "00", "1-1")
	f.Add("certificate-links", "links", "1-1\nid", "")
	f.Add("record-tls13", "hash", "sha256\nEND\nid", "x = id()")
	f.Fuzz(func(t *testing.T, kind, name, value, lacks string) {
		r := &event.Redo{Kind: kind, Values: map[string]string{name: value, "hash": "sha256", "how": "dsa", "links": "1-1", "1": "00"}, Lacks: []string{lacks}}
		if _, own := r.Values[name]; own {
			r.Values[name] = value
		}
		command := redo.Command(r)
		if command == "" {
			return
		}
		if _, err := hex.DecodeString(value); err != nil && !slices.Contains([]string{"hash", "how", "sender", "label", "cipher", "links", "keylength"}, name) {
			t.Errorf("%q stands in %s", value, command)
		}
		if strings.ContainsAny(value, "\"'`$\\;&|<>()\n#") {
			t.Errorf("%q stands in %s", value, command)
		}
		if strings.ContainsAny(name+lacks, "\"'`$\\;&|<>()\n# ") && strings.Contains(command, name+" = ") {
			t.Errorf("%q stands in %s", name, command)
		}
	})
}
