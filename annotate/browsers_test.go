package annotate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/keys"
)

// TestBrowsersOverHTTP3 tells what dumpcap captured of Chromium and Firefox on the machine where they
// run (bench/browsers makes it): every packet opens, also those that were captured several at once,
// both Finished and the signature are proven, and the page and its ten pictures are told.
func TestBrowsersOverHTTP3(t *testing.T) {
	for _, name := range []string{"chromium", "firefox"} {
		stem := filepath.Join("..", "capture", "testdata", "browsers", name)
		file, err := os.ReadFile(stem + ".pcap")
		if err != nil {
			t.Fatal(err)
		}
		log, err := os.Open(stem + ".keys")
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		var secrets []keys.Secret
		if err := keys.ReadLog(log, func(s keys.Secret) { secrets = append(secrets, s) }); err != nil {
			t.Fatal(err)
		}
		proven, requests, responses := map[string]bool{}, 0, 0
		for _, e := range tellWire(t, file, secrets) {
			for _, p := range e.Proofs {
				proven[p.ID] = p.State == event.Proven
			}
			if e.QUIC != nil && e.Size.Reason != "" {
				t.Errorf("%s: %d packets of the %s stay sealed: %s", name, e.Size.Records, e.From, e.Size.Reason)
			}
			switch {
			case e.Topic == event.TopicRequest && strings.HasPrefix(e.Brief.English, "GET /"):
				requests++
			case e.Topic == event.TopicResponse && strings.HasPrefix(e.Brief.English, "200"):
				responses++
			}
			if e.Ends != nil && e.Ends.Transport != strings.ToLower(capture.TransportQUIC.String()) {
				t.Errorf("%s: a connection over %s", name, e.Ends.Transport)
			}
		}
		for _, id := range []string{words.ProofServerCV, words.ProofServerFin, words.ProofClientFin, words.ProofServerPacket, words.ProofClientPacket} {
			if !proven[id] {
				t.Errorf("%s: %s is not proven", name, id)
			}
		}
		if requests != 11 || responses != 11 {
			t.Errorf("%s: %d requests and %d answers", name, requests, responses)
		}
	}
}
