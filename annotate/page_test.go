package annotate

import "testing"

// TestAgent: what clients call themselves, whatever they send.
func TestAgent(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		"": "", "   ": "", "\xff\xfe": "", "Go-http-client/2.0": "Go", "curl/7.88.1": "curl 7.88.1",
		"Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0": "Firefox 153",
		"Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36":    "Chrome 156",
		"Mozilla/4.0 (compatible)": "", "Mozilla/5.0 Firefox/": "Firefox",
	} {
		if got := agentOf(sent); got != want {
			t.Errorf("%q: %q, want %q", sent, got, want)
		}
	}
}
