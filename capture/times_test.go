package capture_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/pcap"
	"explainer/capture/pcap/pcaptest"
)

// TestTimes loses each packet of recorded connections in turn. Whatever is told has the
// time of the packet that carried its last byte, behind the gap too, and what a
// connection did not end with has that of its last packet, however long the capture goes on.
func TestTimes(t *testing.T) {
	for _, name := range []string{"tls12-ecdhe-no-ems", "tls13-aes128-gcm", "tls12-renegotiation", "http1"} {
		packets, secrets := pcaptest.Of(t, "testdata/recordings/"+name+".pcapng", 500)
		later := packets[0]
		later.Time += 3600e9
		later.IP = bytes.Clone(later.IP)
		later.IP[21]++ // another connection, an hour later
		for lost := -1; lost < len(packets); lost++ {
			left := slices.Clone(packets)
			if lost >= 0 {
				left = slices.Delete(left, lost, lost+1)
			}
			latest := left[len(left)-1].Time
			left = append(left, later)
			messages := pcaptest.Read(t, pcaptest.File(left, 0), secrets)
			if lost%3 == 0 { // and sealed
				messages = pcaptest.Read(t, pcaptest.File(left, 0), nil)
			}
			for _, m := range messages {
				if m.Conn == nil || m.Conn.Number > 1 || m.Inner { // HTTP can be completed by what is behind it
					continue
				}
				var want int64
				if m.Until != 0 { // records in a row: from the first on that was complete, until the last
					if m.Until != left[m.Last-1].Time || m.Time < left[m.First-1].Time || m.Time > m.Until {
						t.Errorf("%s without packet %d: %T of packets %d to %d is from %+d ns to %+d ns", name, lost+1, m.Body, m.First, m.Last, m.Time-left[m.First-1].Time, m.Until-left[m.Last-1].Time)
					}
					continue
				}
				switch m.Body.(type) {
				case *capture.Keyed:
				case *capture.Opened:
					want = left[m.First-1].Time
				case *capture.Ended:
					want = latest
				default:
					want = left[m.Last-1].Time
				}
				if m.Time != want {
					t.Errorf("%s without packet %d: %T of packet %d has the time %+d ns of it", name, lost+1, m.Body, m.Last, m.Time-want)
				}
			}
		}
	}
}

// TestTimesTshark compares when handshake messages were complete with tshark, in
// recordings that lack a packet and in the collection beside the project.
func TestTimesTshark(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for name, lost := range map[string]int{"tls12-ecdhe-no-ems": 5, "tls12-client-certificate": 7} {
		packets, _ := pcaptest.Of(t, "testdata/recordings/"+name+".pcapng", 500)
		path := filepath.Join(dir, name+".pcap")
		if err := os.WriteFile(path, pcaptest.File(slices.Delete(packets, lost, lost+1), 0), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	if shared := realCaptures(t); shared != "" {
		for _, name := range []string{"PcapPlusPlus/*tls.pcap", "suricata-verify/*.pcap", "zeek/tls__*.pcap"} {
			found, _ := filepath.Glob(filepath.Join(shared, name))
			paths = append(paths, found[:min(len(found), 3)]...)
		}
	} else {
		t.Log("there is no collection of captures beside the project")
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := pcap.NewReader(bytes.NewReader(file)); err != nil {
				t.Fatal(err)
			}
			ours := map[string]bool{}
			for _, m := range pcaptest.Read(t, file, nil) {
				if h, ok := m.Body.(handshake.Message); ok && m.Conn.Transport == capture.TransportTCP {
					ours[fmt.Sprintf("%d %d.%09d", h.Type(), m.Time/1e9, m.Time%1e9)] = true
				}
			}
			out, err := exec.Command("tshark", "-r", path, "-Y", "tls.handshake.type", "-T", "fields", "-e", "frame.time_epoch", "-e", "tls.handshake.type").Output()
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
				at, types, _ := strings.Cut(lines.Text(), "\t")
				for typ := range strings.SplitSeq(types, ",") {
					switch typ {
					case "1", "2", "11", "12", "14": // in clear before TLS 1.3, and never made up from what is encrypted
						if n++; !ours[typ+" "+at] {
							t.Errorf("tshark has a message of type %s at %s", typ, at)
						}
					}
				}
			}
			if n == 0 {
				t.Error("tshark finds no message")
			}
		})
	}
}
