package story

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"explainer/annotate/event"
	"explainer/capture/pcap/pcaptest"
)

// TestSpan: the overview's span is that of the packets, also of those that belong to no
// connection; a connection is over with its last packet, and its sealed records begin with the first.
func TestSpan(t *testing.T) {
	packets, _ := pcaptest.Of(t, filepath.Join("..", "..", "capture", "testdata", "recordings", "tls13-key-update.pcapng"), 500)
	other := packets[0] // no TCP, before and behind
	other.IP = bytes.Clone(other.IP)
	other.IP[9] = 1
	before, behind := other, other
	before.Time -= 60e9
	behind.Time += 3600e9
	last := packets[len(packets)-1].Time
	told := storyOfFile(t, pcaptest.File(slices.Concat([]pcaptest.Packet{before}, packets, []pcaptest.Packet{behind}), 0))
	rows := 0
	for _, e := range told {
		switch {
		case e.Overview != nil:
			if b, end := nano(t, e.Overview.Begin), nano(t, e.Overview.End); b != before.Time || end != behind.Time {
				t.Errorf("the capture is from %s to %s", e.Overview.Begin, e.Overview.End)
			}
		case e.Kind == event.KindEnd:
			if at := nano(t, e.Time); at != last {
				t.Errorf("the connection is over %v behind its last packet", time.Duration(at-last))
			}
		case e.Until != "":
			rows++
			if from, until := nano(t, e.Time), nano(t, e.Until); from < packets[e.Packets.First-2].Time || until != packets[e.Packets.Last-2].Time || from >= until {
				t.Errorf("%s of packets %v: from %s until %s", e.Name, *e.Packets, e.Time, e.Until)
			}
		}
	}
	if rows == 0 {
		t.Error("there are no rows of several sealed records")
	}
}

func storyOfFile(t *testing.T, file []byte) (events []event.Event) {
	t.Helper()
	lines, err := storyOf(t, file, nil, (*Teller).tell)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(lines) {
		var e event.Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func nano(t *testing.T, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixNano()
}
