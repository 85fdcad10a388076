package annotate_test

import (
	"os"
	"path/filepath"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/pcap"
	"explainer/capture/quic"
)

// quicCases are captures with keys that stand beside the project on some machines, with how many 1-RTT packets of
// the client and of the server are to be opened, as another program counted them.
var quicCases = []struct {
	file    string
	opened  [2]int
	sealed  int // early data, whose secret nobody has logged
	full    int // handshakes with a certificate
	resumed int
	joined  bool
}{
	{file: "chromium156-h3.pcapng", opened: [2]int{16, 15}, full: 1},
	{file: "quic-go-retry-0rtt-keyupdate.pcapng", opened: [2]int{77, 1591}, sealed: 3, full: 1, resumed: 1, joined: true},
	{file: "firefox153-h3-gso.pcapng", joined: true, full: 2},
	{file: "chromium156-h3-refuses-local-root.pcapng"},
}

// TestQUICCases opens every packet of them, and proves both Finished and the signature.
func TestQUICCases(t *testing.T) {
	dir := filepath.Join(filepath.Dir(collection(t)), "cases", "quic")
	for _, c := range quicCases {
		if _, err := os.Stat(filepath.Join(dir, c.file)); err != nil {
			t.Logf("no %s on this machine", c.file)
			continue
		}
		proven := map[string]int{}
		for _, e := range story(t, filepath.Join(dir, c.file), true) {
			for _, p := range e.Proofs {
				if p.State == event.Refuted {
					t.Errorf("%s: refuted: %s", c.file, p.Claim)
				}
				if p.State == event.Proven {
					proven[p.ID]++
				}
			}
		}
		if c.full > 0 {
			for id, n := range map[string]int{words.ProofServerFin: c.full + c.resumed, words.ProofClientFin: c.full + c.resumed, words.ProofServerCV: c.full} {
				if proven[id] != n {
					t.Errorf("%s: %s proven %d times, not %d: %v", c.file, id, proven[id], n, proven)
				}
			}
		}
		opened, sealed, joined := quicPackets(t, filepath.Join(dir, c.file))
		if c.opened[0] > 0 && opened != c.opened {
			t.Errorf("%s: %d 1-RTT packets opened, not %d", c.file, opened, c.opened)
		}
		if sealed != c.sealed {
			t.Errorf("%s: %d packets sealed, not %d", c.file, sealed, c.sealed)
		}
		if (joined > 0) != c.joined {
			t.Errorf("%s: %d datagrams were captured with the one before", c.file, joined)
		}
	}
}

// quicPackets counts the 1-RTT packets of a capture that were opened, by side, the packets of any kind that
// stayed sealed, and datagrams that were captured as one with the one before.
func quicPackets(t *testing.T, path string) (opened [2]int, sealed, joined int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcap.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var d capture.Decoder
	for m, err := range d.All(r.All()) {
		if err != nil {
			t.Fatal(err)
		}
		p, ok := m.Body.(*capture.QUICPacket)
		switch {
		case !ok:
		case p.Reason != "":
			sealed += p.Packets
			t.Logf("%s: %d packets of the %v sealed: %v, %s", filepath.Base(path), p.Packets, m.Side, p.Kind, p.Reason)
		case m.Opened && p.Kind == quic.OneRTT:
			opened[m.Side]++
		}
		if ok {
			joined += p.Joined
		}
	}
	return opened, sealed, joined
}
