package capture_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"explainer/capture"
)

func TestFullHandshakes(t *testing.T) {
	for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(v), func(t *testing.T) {
			var r tape
			c := &tls.Config{MinVersion: v, MaxVersion: v}
			r.converse(t, c, c, exchange("hello", strings.Repeat("x", 50000)))
			all := decode(t, &capture.Decoder{}, r.inputs(0))
			t.Log("\n" + names(all))
			properties(t, &r)
		})
	}
}

// properties checks that neither the way the bytes are cut nor the time when the
// secrets come changes the messages.
func properties(t *testing.T, r *tape) {
	t.Helper()
	want := decode(t, &capture.Decoder{}, r.inputs(0))
	for _, n := range []int{1, 7, 1460} {
		same(t, fmt.Sprintf("chunks of %d", n), want, decode(t, &capture.Decoder{}, rechunk(r.inputs(0), n)))
	}
	same(t, "secrets first", want, decode(t, &capture.Decoder{SecretsFirst: true}, r.inputs(0)))
	for place := 1; place <= len(r.chunks); place++ {
		same(t, fmt.Sprintf("secrets before chunk %d", place), want, decode(t, &capture.Decoder{}, r.inputs(place)))
	}
}
