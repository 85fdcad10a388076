package proxy

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"os"
	"testing"

	"explainer/capture"
	"explainer/capture/keys"
)

// An item is one block of a recording, read here without the project's own
// reader: a packet, a secret or a fact.
type item struct {
	fact    *capture.Fact
	secret  *keys.Secret
	conn    int          // of a packet
	side    capture.Side // who sent it
	flags   byte         // of TCP
	time    uint64
	payload []byte
}

const (
	fin = 0x01
	syn = 0x02
	rst = 0x04
	ack = 0x10
)

// items reads the recording that was written to r's file.
func (r *rig) items() []item {
	r.t.Helper()
	r.finish()
	b, err := os.ReadFile(r.recording.Name())
	if err != nil {
		r.t.Fatal(err)
	}
	return parseItems(r.t, b)
}

func parseItems(t *testing.T, b []byte) (items []item) {
	t.Helper()
	le := binary.LittleEndian
	type flow struct{ from, to netip.AddrPort }
	conns := map[flow]int{}
	number := 0
	for len(b) > 0 {
		if len(b) < 12 || int(le.Uint32(b[4:])) > len(b) || le.Uint32(b[4:])%4 != 0 {
			t.Fatalf("the recording ends with %x", b[:min(len(b), 64)])
		}
		kind, n := le.Uint32(b), le.Uint32(b[4:])
		body := b[8 : n-4]
		b = b[n:]
		switch kind {
		case 10: // Decryption Secrets Block
			for line := range bytes.Lines(body[8 : 8+le.Uint32(body[4:])]) {
				s, ok := keys.ParseLine(line)
				if !ok {
					t.Fatalf("key log line %q", line)
				}
				items = append(items, item{secret: &s})
			}
		case 0x80455850:
			var f capture.Fact
			if err := json.Unmarshal(body, &f); err != nil {
				t.Fatalf("fact %q: %v", body, err)
			}
			items = append(items, item{fact: &f})
		case 6: // Enhanced Packet Block
			p := body[20 : 20+le.Uint32(body[12:])]
			it := item{time: uint64(le.Uint32(body[4:]))<<32 | uint64(le.Uint32(body[8:]))}
			if p[0]>>4 != 4 {
				t.Fatalf("packet %x", p)
			}
			ip, tcp := p[:20], p[20:]
			f := flow{
				netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[12:16])), binary.BigEndian.Uint16(tcp)),
				netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[16:20])), binary.BigEndian.Uint16(tcp[2:])),
			}
			it.flags = tcp[13]
			if it.flags&(syn|ack) == syn {
				number++
				conns[f] = number
			}
			var ok bool
			if it.conn, ok = conns[f]; !ok {
				it.side = capture.Server
				if it.conn, ok = conns[flow{f.to, f.from}]; !ok {
					t.Fatalf("a packet of no connection: %v", f)
				}
			}
			it.payload = tcp[tcp[12]>>4*4:]
			items = append(items, it)
		}
	}
	return items
}

// facts returns those of a kind.
func facts(items []item, kind capture.FactKind) (fs []*capture.Fact) {
	for _, it := range items {
		if it.fact != nil && it.fact.Kind == kind {
			fs = append(fs, it.fact)
		}
	}
	return fs
}

// fact returns the only one of its kind.
func fact(t *testing.T, items []item, kind capture.FactKind) *capture.Fact {
	t.Helper()
	fs := facts(items, kind)
	if len(fs) != 1 {
		t.Fatalf("%d facts %q, want 1", len(fs), kind)
	}
	return fs[0]
}

// bytesOf joins what side sent on conn.
func bytesOf(items []item, conn int, side capture.Side) []byte {
	var b []byte
	for _, it := range items {
		if it.fact == nil && it.secret == nil && it.conn == conn && it.side == side {
			b = append(b, it.payload...)
		}
	}
	return b
}

// checkRecording looks for what every recording must be: every connection has
// exactly one end that is told, times never go back, and on each side a
// record that a secret opens stands behind the secret.
func checkRecording(t *testing.T, items []item) {
	t.Helper()
	ends := map[int]int{}
	opened := map[int]bool{}
	known := map[string]bool{} // label and client random
	type conn struct {
		random string
		is13   bool
	}
	conns := map[int]*conn{}
	streams := map[[2]int][]byte{} // not parsed yet
	skipped := map[int]bool{}      // CONNECT and its answer
	last := uint64(0)
	sealed := map[[2]int]bool{}
	for _, it := range items {
		switch {
		case it.fact != nil:
			if it.fact.Kind == capture.FactClosed {
				ends[it.fact.Conn]++
			}
			continue
		case it.secret != nil:
			known[it.secret.Label+string(it.secret.ClientRandom)] = true
			continue
		}
		if it.time < last {
			t.Errorf("time goes back from %d to %d", last, it.time)
		}
		last = it.time
		if it.flags&(syn|ack) == syn {
			opened[it.conn] = true
			conns[it.conn] = &conn{}
		}
		c := conns[it.conn]
		key := [2]int{it.conn, int(it.side)}
		streams[key] = append(streams[key], it.payload...)
		if it.side == capture.Client && !skipped[it.conn] && bytes.HasPrefix(streams[key], []byte("CONNECT ")) {
			if end := bytes.Index(streams[key], []byte("\r\n\r\n")); end >= 0 {
				streams[key] = streams[key][end+4:]
				skipped[it.conn] = true
			}
		}
		if it.side == capture.Server && bytes.HasPrefix(streams[key], []byte("HTTP/1.1 200 Connection")) {
			if end := bytes.Index(streams[key], []byte("\r\n\r\n")); end >= 0 {
				streams[key] = streams[key][end+4:]
			}
		}
		for {
			s := streams[key]
			if len(s) < 5 || s[0] < 20 || s[0] > 23 || s[1] != 3 {
				break
			}
			n := 5 + int(binary.BigEndian.Uint16(s[3:]))
			if len(s) < n {
				break
			}
			record := s[:n]
			streams[key] = s[n:]
			switch {
			case len(record) < 6: // nothing in it
			case record[0] == 22 && !sealed[key] && record[5] == 1 && len(record) > 42:
				c.random = string(record[11:43])
			case record[0] == 22 && !sealed[key] && record[5] == 2:
				c.is13 = bytes.Contains(record, []byte{0, 43, 0, 2, 3, 4})
			case record[0] == 20 && !c.is13:
				sealed[key] = true
				if !known["CLIENT_RANDOM"+c.random] {
					t.Errorf("connection %d: ChangeCipherSpec of the %s before the key", it.conn, it.side)
				}
			case record[0] == 23 && c.is13:
				label := map[capture.Side]string{capture.Client: "CLIENT", capture.Server: "SERVER"}[it.side]
				if !known[label+"_HANDSHAKE_TRAFFIC_SECRET"+c.random] {
					t.Errorf("connection %d: an encrypted record of the %s before the key", it.conn, it.side)
				}
				// The first is of the handshake; a record after those of the
				// handshake needs the other secret, which tshark checks.
			}
		}
	}
	for conn := range opened {
		if ends[conn] != 1 {
			t.Errorf("connection %d has %d ends that are told, want 1", conn, ends[conn])
		}
	}
}

// tshark runs tshark over the recording and returns the fields of the packets
// that the filter selects. It reads the file once, so a key that comes too late opens nothing.
func (r *rig) tshark(filter string, fields ...string) string {
	r.t.Helper()
	r.finish()
	args := []string{"-r", r.recording.Name(), "-Y", filter, "-T", "fields"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, errs, err := run(r.t, nil, "tshark", args...)
	if err != nil {
		r.t.Fatalf("tshark: %v: %s", err, errs)
	}
	return out
}
