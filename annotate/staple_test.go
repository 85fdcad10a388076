package annotate_test

import (
	"path/filepath"
	"strings"
	"testing"

	"explainer/annotate/event"
)

// TestChecksBeforeStaple: where an OCSP response is to come in a message of its own, the checks that
// stand beside the Certificate are said not to have it, and with it they are complete.
func TestChecksBeforeStaple(t *testing.T) {
	for name, want := range map[string]string{"tls12-ocsp": "certificate:open status:later", "tls13-ocsp": "", "tls12-dhe-rsa": ""} {
		var got []string
		for _, e := range story(t, filepath.Join(ownRecordings, name+".pcapng"), true) {
			for _, s := range e.Says {
				switch s.ID {
				case "certificate-checks-open":
					got = append(got, "certificate:open")
				case "certificate-checks-later":
					got = append(got, "status:later")
				}
			}
			if e.Kind == event.KindEnd && len(got) == 1 {
				t.Errorf("%s: the checks are never complete", name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
