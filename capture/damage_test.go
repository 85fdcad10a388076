package capture_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"explainer/capture"
	"explainer/capture/pcap/pcaptest"
)

// TestDamagedCapture removes, delays, repeats, reorders and cuts packets of recorded
// connections. Nothing of that is the fault of whoever spoke: nobody is said to break the
// protocol who did not before, only bytes are missing that were taken away, and what a
// side is said to have sent stands where it sent it.
func TestDamagedCapture(t *testing.T) {
	files, err := filepath.Glob("testdata/recordings/*.pcapng")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for i, path := range files {
		packets, secrets := pcaptest.Of(t, path, 600)
		if len(packets) > 300 {
			continue
		}
		for seed := range uint64(12) {
			rng := rand.New(rand.NewPCG(uint64(i), seed))
			left := slices.Clone(packets)
			var lost [2]int64
			lose := func(at int) {
				side := 1
				if left[at].FromClient() {
					side = 0
				}
				lost[side] += int64(len(left[at].IP) - 40)
				if left[at].IP[33]&1 != 0 {
					lost[side]++ // its FIN has a number, too, as the byte behind it would have
				}
				left = slices.Delete(left, at, at+1)
			}
			for range rng.IntN(4) {
				lose(rng.IntN(len(left)))
			}
			for range rng.IntN(3) { // as the network does
				at := rng.IntN(len(left))
				left = slices.Insert(left, min(len(left), at+1+rng.IntN(5)), left[at])
			}
			switch rng.IntN(4) {
			case 0:
				left = pcaptest.Shuffled(left, 4, rng)
			case 1:
				left = pcaptest.OneFirst(left, rng.IntN(2) == 0)
			}
			snap := 0
			if rng.IntN(4) == 0 {
				snap = 60 + rng.IntN(600)
			}
			if rng.IntN(5) == 0 { // it begins later
				for range rng.IntN(min(6, len(left))) {
					lose(0)
				}
			}
			var missing [2]int64
			for _, m := range pcaptest.Read(t, pcaptest.File(left, snap), secrets) {
				switch b := m.Body.(type) {
				case *capture.Malformed:
					t.Errorf("%s, seed %d: packet %d of the %v breaks the protocol: %s: %s", filepath.Base(path), seed, m.Last, m.Side, b.Where, b.Err)
				case *capture.Missing:
					missing[m.Side] += b.Len
				case *capture.Late:
					t.Errorf("%s, seed %d: %d bytes are too late", filepath.Base(path), seed, b.Len)
				}
			}
			if snap == 0 && (missing[0] > lost[0] || missing[1] > lost[1]) {
				t.Errorf("%s, seed %d: %d bytes are said to be missing, and %d were taken away", filepath.Base(path), seed, missing, lost)
			}
		}
	}
}
