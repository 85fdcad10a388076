package main

import (
	"strings"
	"testing"
)

// TestClients shows ten cases to each client that is not slow, and compares what
// it does with what was measured of it before.
func TestClients(t *testing.T) {
	ids := strings.Fields("good self-signed untrusted-root bad-cert-signature leaf-as-ca issuer-no-basic-constraints wrong-host nul-in-san expired wrong-eku no-private-key")
	b, err := newBench(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range clients() {
		if c.slow {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cases, end, err := b.check(t.Context(), c, "--only", strings.Join(ids[1:], ","))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, id := range ids {
				for _, one := range cases {
					if one.ID == id {
						got = append(got, cell(one))
					}
				}
			}
			if s := strings.Join(got, " "); s != c.ten {
				t.Errorf("grade %s\n%s\n%s\nwant\n%s", end.Grade, strings.Join(ids, " "), s, c.ten)
				for _, one := range cases {
					for _, o := range one.Outcomes {
						if o.Why != nil {
							t.Logf("%s, %s: %s (%s)", one.ID, o.TLS, o.Why.Text, o.Said)
						}
					}
				}
			}
		})
	}
}
