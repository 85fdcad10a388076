package capture_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/pcap"
	"explainer/capture/pcap/pcaptest"
)

// saidBySide is what each side said, in its order, without when.
func saidBySide(messages []capture.Message) map[string][]string {
	said := map[string][]string{}
	for _, m := range messages {
		switch m.Body.(type) {
		case *capture.Opened:
			begun := *m.Conn
			begun.Number = 0
			key := fmt.Sprint(begun.Client, capture.Client)
			said[key] = append(said[key], fmt.Sprintf("%+v", begun))
		case *capture.Keyed, *capture.KeyLine, *capture.Ended:
		default:
			key := fmt.Sprint(m.Conn.Client, m.Side)
			said[key] = append(said[key], fmt.Sprintf("%v %T %+v %v %s", m.Span, m.Body, m.Body, m.Opened, m.By))
		}
	}
	return said
}

// TestLate reads captures whose packets came late or early, as two taps, several queues
// of a network card or merged files have them. All bytes are there, so the same is told.
func TestLate(t *testing.T) {
	files, err := filepath.Glob("testdata/recordings/*.pcapng")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for i, path := range files {
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		packets, secrets := pcaptest.Of(t, path, 100+rng.IntN(1400))
		if packets = packets[:min(len(packets), 3000)]; len(packets) == 3000 {
			continue
		}
		want := saidBySide(pcaptest.Read(t, pcaptest.File(packets, 0), secrets))
		again := slices.Clone(packets)
		for range 10 {
			i := rng.IntN(len(again) - 2)
			again = slices.Insert(again, i+rng.IntN(len(again)-1-i), again[i])
		}
		late := slices.Insert(slices.Delete(slices.Clone(packets), 1, 2), 3+rng.IntN(min(8, len(packets)-4)), packets[1])
		for _, c := range []struct {
			name    string
			packets []pcaptest.Packet
		}{
			{"the server's clock 5 ms early", pcaptest.Skewed(packets, 5*time.Millisecond)},
			{"the server's clock 20 ms early", pcaptest.Skewed(packets, 20*time.Millisecond)},
			{"the client's clock 5 ms early", pcaptest.Skewed(packets, -5*time.Millisecond)},
			{"the client's clock 20 ms early", pcaptest.Skewed(packets, -20*time.Millisecond)},
			{"the client first", pcaptest.OneFirst(packets, true)},
			{"the server first", pcaptest.OneFirst(packets, false)},
			{"pcaptest.Shuffled", pcaptest.Shuffled(packets, 8, rng)},
			{"pcaptest.Shuffled more", pcaptest.Shuffled(packets, 24, rng)},
			{"the SYN-ACK late", late},
			{"again, late", again},
		} {
			got := saidBySide(pcaptest.Read(t, pcaptest.File(c.packets, 0), secrets))
			for side := range want {
				if !slices.Equal(got[side], want[side]) {
					t.Errorf("%s, %s: %s says\n%q\nwant\n%q", filepath.Base(path), c.name, side, got[side], want[side])
				}
			}
		}
	}
}

// TestTooLate gives up a hole for what waits behind it, and says which packet had its bytes after that.
func TestTooLate(t *testing.T) {
	var b []pcaptest.Packet
	now := int64(1e9)
	packet := func(client bool, flags byte, seq, ack uint32, n int) {
		ip := make([]byte, 40+n)
		ip[0], ip[2], ip[3], ip[8], ip[9], ip[32], ip[33] = 0x45, byte((40+n)>>8), byte(40+n), 64, 6, 0x50, flags
		from, to := 12, 16
		if !client {
			from, to = 16, 12
		}
		copy(ip[from:], []byte{192, 0, 2, 1})
		copy(ip[to:], []byte{192, 0, 2, 2})
		ports := []byte{0xc0, 0, 1, 0xbb}
		if !client {
			ports = []byte{1, 0xbb, 0xc0, 0}
		}
		copy(ip[20:], ports)
		binary.BigEndian.PutUint32(ip[24:], seq)
		binary.BigEndian.PutUint32(ip[28:], ack)
		now += 1e6
		b = append(b, pcaptest.Packet{Time: now, IP: ip})
	}
	const syn, ack, size = 2, 16, 1 << 15
	packet(true, syn, 0, 0, 0)
	packet(false, syn|ack, 0, 1, 0)
	packet(true, ack, 1, 1, 0)
	for i := range uint32(200) { // 6.5 MB behind 1,000 bytes that are not here
		packet(true, ack, 1001+i*size, 1, size)
	}
	packet(true, ack, 1, 1, 1000)
	var missing, late int64
	last := 0
	for _, m := range pcaptest.Read(t, pcaptest.File(b, 0), nil) {
		switch body := m.Body.(type) {
		case *capture.Missing:
			missing += body.Len
		case *capture.Late:
			late += body.Len
			last = m.Last
		}
	}
	if missing != 1000 || late != 1000 || last != len(b) {
		t.Errorf("%d bytes are missing, %d came too late, in packet %d of %d", missing, late, last, len(b))
	}
}

// TestCutHello reads recorded connections of which every packet was cut after some bytes. A
// hello that has its random number still finds the keys, and tells the suites, the session
// and the name as far as they are there.
func TestCutHello(t *testing.T) {
	for _, name := range []string{"tls12-ecdhe-no-ems", "tls12-rsa-aes128-gcm", "tls13-aes128-gcm", "http2"} {
		packets, secrets := pcaptest.Of(t, "testdata/recordings/"+name+".pcapng", 1400)
		var whole *handshake.ClientHello
		for _, m := range pcaptest.Read(t, pcaptest.File(packets, 0), secrets) {
			if h, ok := m.Body.(*handshake.ClientHello); ok && whole == nil {
				whole = h
			}
		}
		raw := 0
		for _, p := range packets {
			if len(p.IP) > 45 && p.IP[40] == 22 {
				raw = len(p.IP)
				break
			}
		}
		named, opened := 0, 0
		for snap := 40; snap < raw; snap++ {
			var cut *capture.CutHello
			keyed := false
			for _, m := range pcaptest.Read(t, pcaptest.File(packets, snap), secrets) {
				switch b := m.Body.(type) {
				case *capture.CutHello:
					cut = b
				case *capture.Keyed:
					keyed = keyed || b.ClientRandom == whole.Random
				case *capture.Malformed:
					t.Errorf("%s cut after %d bytes: %v", name, snap, b)
				default:
					if m.Opened {
						opened++
					}
				}
			}
			if has := snap >= 40+5+4+2+32; has != (cut != nil) || has != keyed {
				t.Errorf("%s cut after %d bytes: hello %v, keyed %v", name, snap, cut, keyed)
			}
			if cut == nil {
				continue
			}
			h := cut.Hello
			if h.Random != whole.Random || cut.Missing != raw-snap || len(h.SessionID) > 0 && !slices.Equal(h.SessionID, whole.SessionID) ||
				!slices.Equal(h.CipherSuites, whole.CipherSuites[:len(h.CipherSuites)]) || h.ServerName() != "" && h.ServerName() != whole.ServerName() {
				t.Errorf("%s cut after %d bytes: %+v, want the beginning of %+v", name, snap, h, whole)
			}
			if h.ServerName() != "" {
				named++
			}
		}
		if named == 0 || opened == 0 {
			t.Errorf("%s: a name is told %d times, and %d messages open", name, named, opened)
		}
	}
}

// TestCutServerHello reads recorded connections of which every packet was cut after some bytes:
// of a server's hello what stands whole is told, its suite at least, and nothing breaks the rules.
func TestCutServerHello(t *testing.T) {
	for _, name := range []string{"tls12-ecdhe-no-ems", "tls13-hrr", "tls13-aes128-gcm", "tls12-client-certificate"} {
		packets, secrets := pcaptest.Of(t, "testdata/recordings/"+name+".pcapng", 1400)
		var whole *handshake.ServerHello
		for _, m := range pcaptest.Read(t, pcaptest.File(packets, 0), secrets) {
			if h, ok := m.Body.(*handshake.ServerHello); ok && whole == nil {
				whole = h
			}
		}
		const head = 40 + 5 + 4 // IP, TCP, record, message
		size, extensions := 0, 0
		for _, p := range packets {
			if len(p.IP) > head && p.IP[40] == 22 && p.IP[45] == 2 {
				size = 4 + int(p.IP[47])<<8 + int(p.IP[48])
				break
			}
		}
		suite := head + 2 + 32 + 1 + len(whole.SessionID) + 2
		for snap := head; snap < head-4+size; snap++ {
			var cut *capture.CutServerHello
			for _, m := range pcaptest.Read(t, pcaptest.File(packets, snap), secrets) {
				switch b := m.Body.(type) {
				case *capture.CutServerHello:
					if cut == nil {
						cut = b
					}
				case *handshake.ServerHello:
					t.Errorf("%s cut after %d bytes: read as whole", name, snap)
				case *capture.Malformed:
					t.Errorf("%s cut after %d bytes: %v", name, snap, b)
				}
			}
			if (snap >= suite) != (cut != nil) {
				t.Errorf("%s cut after %d bytes: %v", name, snap, cut)
			}
			if cut == nil {
				continue
			}
			h := cut.Hello
			if h.Random != whole.Random || h.Retry != whole.Retry || h.CipherSuite != whole.CipherSuite || !slices.Equal(h.SessionID, whole.SessionID) || cut.Missing != head-4+size-snap {
				t.Errorf("%s cut after %d bytes: %+v, want the beginning of %+v", name, snap, cut, whole)
			}
			for i, e := range h.Extensions {
				if e.ID != whole.Extensions[i].ID || !slices.Equal(e.Data, whole.Extensions[i].Data) {
					t.Errorf("%s cut after %d bytes: extension %d", name, snap, e.ID)
				}
				extensions++
			}
		}
		if extensions == 0 {
			t.Errorf("%s: no extension is told", name)
		}
	}
}

// TestTimeGoesBack: a packet whose clock is damaged is known by the time that goes back behind it.
func TestTimeGoesBack(t *testing.T) {
	packets, _ := pcaptest.Of(t, "testdata/recordings/http1.pcapng", 1400)
	packets[3].Time += int64(30 * 365 * 24 * time.Hour)
	r, err := pcap.NewReader(bytes.NewReader(pcaptest.File(packets, 0)))
	if err != nil {
		t.Fatal(err)
	}
	for range r.All() {
	}
	if s := r.Stats(); s.BackAt != 5 || s.Back != packets[3].Time-packets[4].Time {
		t.Errorf("back by %v at packet %d", time.Duration(s.Back), s.BackAt)
	}
}
