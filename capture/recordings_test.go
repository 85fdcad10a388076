package capture_test

import (
	"path/filepath"
	"slices"
	"testing"

	"explainer/capture"
)

// TestRecordings reads the project's own captures of real programs (bench/record),
// which have their keys inside: everything in them opens, but where it says why not.
func TestRecordings(t *testing.T) {
	sealed := map[string]string{
		"tls12-rsa-camellia-cbc": capture.SealedNoSuite,
		"tls12-camellia-gcm":     capture.SealedNoSuite,
		"tls12-ecdhe-aria-gcm":   capture.SealedNoSuite,
	}
	files, err := filepath.Glob("testdata/recordings/*.pcapng")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		name = name[:len(name)-len(".pcapng")]
		secrets, rest := inputsOf(t, path, "")
		before := append(slices.Clone(secrets), rest...)
		want := decode(t, &capture.Decoder{}, before)
		same(t, name+": secrets last", want, decode(t, &capture.Decoder{}, append(slices.Clone(rest), secrets...)))
		same(t, name+": chunks of 7", want, decode(t, &capture.Decoder{}, rechunk(before, 7)))
		found := false
		for _, m := range want {
			switch b := m.Body.(type) {
			case *capture.Malformed, *capture.Missing:
				t.Errorf("%s: %s", name, show(m))
			case *capture.Sealed:
				found = true
				if b.Reason != sealed[name] {
					t.Errorf("%s: %s", name, show(m))
				}
			}
		}
		if !found && sealed[name] != "" {
			t.Errorf("%s: everything opened, although it is said to stay sealed: %s", name, sealed[name])
		}
	}
}
