package capture

import (
	"strings"
	"testing"

	"explainer/capture/web"
)

// TestLooksRequest asks of each beginning of a stream whether HTTP may follow: a
// stream comes in pieces that end anywhere.
func TestLooksRequest(t *testing.T) {
	longest := strings.Repeat("M", web.MaxMethod)
	for _, c := range []struct {
		stream string
		want   guess
	}{
		{"GET / HTTP/1.1\r\n", yes},
		{"get /a HTTP/1.0\n", yes},
		{longest[1:] + " / HTTP/1.1\r\n", yes},
		{longest + " / HTTP/1.1\r\n", yes},
		{longest + "M / HTTP/1.1\r\n", no},
		{longest + longest, no},
		{" / HTTP/1.1\r\n", no},
		{"GET / FTP/1.1\r\n", no},
		{"\x16\x03\x01", no},
	} {
		if got := looksRequest([]byte(c.stream)); got != c.want {
			t.Errorf("%.80q: %v, want %v", c.stream, got, c.want)
		}
		for i := 1; i < len(c.stream); i++ {
			if got := looksRequest([]byte(c.stream[:i])); c.want == yes && got != perhaps && got != yes {
				t.Errorf("%.80q, the first %d bytes: %v, and the rest makes it a request", c.stream, i, got)
			}
		}
	}
}
