package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/capture"
	"explainer/capture/keys"
)

// inMemory is a file.
type inMemory struct{ b []byte }

func (m *inMemory) WriteAt(p []byte, off int64) (int, error) {
	if n := int(off) + len(p); n > len(m.b) {
		m.b = append(m.b, make([]byte, n-len(m.b))...)
	}
	return copy(m.b[off:], p), nil
}

func (m *inMemory) ReadAt(p []byte, off int64) (int, error) { return copy(p, m.b[off:]), nil }

// twinned is the twin of a capture, with the secrets that it holds.
func twinned(t testing.TB, file []byte) []byte {
	t.Helper()
	twins := NewTwins(&inMemory{})
	d := &capture.Decoder{SecretsFirst: true, Twin: twins.Add}
	how := Rewriting{Twin: twins.Fill}
	Keys(bytes.NewReader(file), func(s keys.Secret) {
		how.Secrets = append(how.Secrets, s)
		d.Feed(&s)
	})
	r, err := NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for {
		in, err := r.next()
		if err != nil {
			break
		}
		d.Feed(in)
	}
	d.Finish()
	if err := twins.Flush(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := Rewrite(&out, bytes.NewReader(file), how); err != nil && !errors.As(err, new(*CutError)) {
		t.Fatal(err)
	}
	return out.Bytes()
}

// packetsIn are the packets of a capture as they stand in it.
func packetsIn(t testing.TB, file []byte) (list [][]byte) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	f := r.files[0]
	for f.err == nil {
		if f.step(); f.next.length > 0 && f.next.fact == nil {
			list = append(list, bytes.Clone(f.next.data))
		}
		f.take()
	}
	return list
}

// sumOf is the sum that a right checksum makes 0xffff: of a pseudo-header of IPv4 and what follows.
func sumOf(ip []byte) uint16 {
	b := append(bytes.Clone(ip[12:20]), 0, ip[9])
	b = binary.BigEndian.AppendUint16(b, uint16(len(ip)-20))
	return checksum(append(b, ip[20:]...))
}

// setSum sets the checksum of TCP or UDP, which stands at a place of the packet.
func setSum(ip []byte, at int) []byte {
	binary.BigEndian.PutUint16(ip[at:], 0)
	binary.BigEndian.PutUint16(ip[at:], ^sumOf(ip))
	return ip
}

// What people sent stands nowhere in a twin, however it came: in order or not, again,
// with other bytes, in pieces, beside connections or in no TCP at all. Checksums that
// were right are right.
func TestTwin(t *testing.T) {
	const hidden = "S3CR3T" // in all that must go
	s := newScript(101, client, server)
	var sums []int // packets whose checksums are right
	send := func(side capture.Side, flags byte, off, got int, payload string) {
		ends := [2]netip.AddrPort{client, server}
		seq := s.isn[side] + 1 + uint32(off)
		if flags&flagSYN != 0 {
			seq--
		}
		ip := setSum(tcp4(ends[side], ends[side.Other()], flags, seq, s.isn[side.Other()]+1+uint32(got), payload), 36)
		s.packet(ip, len(ip))
		sums = append(sums, int(s.packets)-1)
	}
	const c, v, ack = capture.Client, capture.Server, flagACK
	request := "POST /path?q=S3CR3T HTTP/1.1\r\nHost: shop.test\r\nCookie: id=S3CR3T\r\nContent-Length: 9\r\n\r\n"
	answer := "HTTP/1.1 200 OK\r\nSet-Cookie: id=S3CR3T\r\nContent-Length: 12\r\n\r\n"
	send(c, flagSYN, 0, 0, "")
	send(v, flagSYN|ack, 0, 0, "")
	send(c, ack, 0, 0, "")
	all := request + "a S3CR3T."
	send(c, ack, 30, 0, all[30:61]) // out of order, cut anywhere
	send(c, ack, 0, 0, all[:30])
	send(c, ack, 0, 0, all[:30])                           // again
	send(c, ack, 5, 0, "S3CR3T S3CR3T S3CR3T S3CR3T")      // other bytes in the same place
	send(c, ack, 0x4000000, 0, "a stray S3CR3T, very far") // of no connection
	send(c, ack, 61, 0, all[61:])
	send(v, ack, 0, len(all), answer+"S3CR3T")
	send(v, ack, len(answer)+6, len(all), "S3CR3T")
	send(v, flagRST|ack, len(answer)+12, len(all), "S3CR3T diagnosis") // RFC 9293 3.5.3
	send(c, ack, len(all), 0, "after the end: S3CR3T")
	s.packet(setSum(udpPacket(client, netip.MustParseAddrPort("198.51.100.2:53"), []byte("a question: S3CR3T.")), 26), 47)
	sums = append(sums, int(s.packets)-1)
	s.packet(udpPacket(client, netip.MustParseAddrPort("198.51.100.2:514"), []byte("no checksum: S3CR3T")), 47)
	ping := []byte("\x45\x00\x00\x2a\x00\x00\x00\x00\x40\x01\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08\x08\x00\x00\x00\x00\x00\x00\x00ping S3CR3T")
	s.packet(ping, len(ping))
	whole := tcp4(client, netip.MustParseAddrPort("198.51.100.2:80"), flagACK, 1, 1, "GET /?S3CR3T HTTP/1.1\r\nCookie: S3CR3T=S3CR3T\r\n\r\n")
	for _, f := range fragment(whole, 7, 24) {
		s.packet(f, len(f))
	}
	s.packet(append(tcp4(client, server, flagACK, 1, 1, ""), "padding S3CR3T"...), 54)
	s.packet([]byte("\x45\x00\x00\x20\x00\x00\x00\x00\x40\x84\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08SCTP: S3CR3T"), 32)
	s.packet([]byte("\x99 no IP: S3CR3T, and a line more of it"), 40)

	twin := twinned(t, s.Bytes())
	if i := bytes.Index(twin, []byte(hidden)); i >= 0 {
		t.Errorf("the twin has %q", twin[max(0, i-60):min(len(twin), i+20)])
	}
	was, is := packetsIn(t, s.Bytes()), packetsIn(t, twin)
	if len(was) != int(s.packets) || len(is) != len(was) {
		t.Fatalf("%d packets for %d", len(is), len(was))
	}
	for i := range was {
		if len(was[i]) != len(is[i]) || i < 13 && !bytes.Equal(was[i][:36], is[i][:36]) {
			t.Errorf("packet %d is %q, was %q", i+1, is[i], was[i])
		}
	}
	for _, i := range sums {
		if got := sumOf(is[i]); got != 0xffff {
			t.Errorf("the checksum of packet %d is wrong: %#04x, %q", i+1, got, is[i])
		}
	}
	told := told(mustRead(t, twin))
	for _, want := range []string{
		"POST /path?xxxxxxxx HTTP/1.1\r\n", "Cookie: id=xxxxxx\r\n", "Content-Length: 9\r\n\r\nxxxxxxxxx", "Set-Cookie: id=xxxxxx\r\nContent-Length: 12\r\n\r\nxxxxxx",
	} {
		plain := strings.NewReplacer(" c4:", "", " c5:", "", " c9:", "").Replace(told)
		if !strings.Contains(plain, want) {
			t.Errorf("%q is not in %q", want, told)
		}
	}
}

// Of the blocks beside packets only those stay of which it is known what they say.
func TestTwinOfBlocks(t *testing.T) {
	for _, o := range []ng{{binary.LittleEndian}, {binary.BigEndian}} {
		comment := o.option(optComment, []byte("S3CR3T"))
		custom := o.option(2988, []byte("S3CR3T"))
		hash := o.option(3, []byte("S3CR3T"))
		packet := tcp4(client, server, flagSYN, 1, 0, "")
		enhanced := o.packet(0, 5, len(packet), packet)
		body := enhanced[8 : len(enhanced)-4]
		secrets := "CLIENT_RANDOM " + strings.Repeat("ab", 32) + " " + strings.Repeat("cd", 48) + "\n# S3CR3T\n"
		fact := []byte(`{"t":1,"kind":"closed","conn":1,"data":"UzNDUjNU","more":"S3CR3T"}`)
		file := slices.Concat(
			o.section(comment, o.option(4, []byte("explainer")), custom),
			o.iface(101, 0, o.option(2, []byte("if")), comment),
			o.block(blockDSB, append(o.AppendUint32(o.AppendUint32(nil, secretsTLS), uint32(len(secrets))), secrets...)),
			o.block(blockDSB, append(o.AppendUint32(o.AppendUint32(nil, 0x57474b4c), 8), "S3CR3T.."...)),
			o.block(blockEPB, slices.Concat(body, o.option(2, []byte{1, 0, 0, 0}), hash, comment, custom)),
			o.block(blockCustom, append(o.AppendUint32(nil, 1), "S3CR3T.."...)),
			o.block(blockJournal, []byte("S3CR3T..")),
			o.block(0x1234, []byte("S3CR3T..")),
			o.block(blockFact, slices.Concat(fact, bytes.Repeat([]byte(" "), 3))[:(len(fact)+3)&^3]),
			o.block(blockFact, []byte(`{"t":1,"kind":"S3CR3T" }`)),
			o.block(blockISB, append(make([]byte, 12), comment...)),
			o.block(blockNRB, slices.Concat(o.AppendUint16(o.AppendUint16(nil, nameIPv4), 10), []byte("\x01\x02\x03\x04a.tes\x00\x00\x00"), o.AppendUint16(o.AppendUint16(nil, 9), 8), []byte("S3CR3T.."), make([]byte, 4), comment)),
			o.block(blockSPB, slices.Concat(o.AppendUint32(nil, 40), tcp4(server, client, flagSYN|flagACK, 7, 2, ""), []byte("S3CR3T.."))),
			o.packet(9, 5, 8, []byte("S3CR3T..")),
		)
		twin := twinned(t, file)
		if i := bytes.Index(twin, []byte("S3CR3T")); i >= 0 {
			t.Errorf("%s: the twin has %q", o, twin[max(0, i-60):min(len(twin), i+20)])
		}
		if !bytes.Contains(twin, []byte(strings.Repeat("cd", 48))) || !bytes.Contains(twin, []byte(`"kind":"closed","conn":1}`)) || !bytes.Contains(twin, []byte("a.tes")) {
			t.Errorf("%s: keys, a fact or a name are missing: %q", o, twin)
		}
		r, err := NewReader(bytes.NewReader(twin))
		for err == nil {
			_, err = r.next()
		}
		if r == nil || r.Stats().Packets != 5 || !r.Own() || r.Stats().Interfaces != 1 {
			t.Errorf("%s: the twin has %+v, %v", o, r.Stats(), err)
		}
	}
}

// Any capture has a twin with as many packets, of the same lengths.
func FuzzTwinOfCapture(f *testing.F) {
	for _, name := range []string{"http2", "tls10-rsa", "connect"} {
		file, err := os.ReadFile(filepath.Join("..", "testdata", "recordings", name+".pcapng"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	s := newScript(101, client, server)
	s.handshake()
	s.send(capture.Client, flagACK, 0, 0, "GET /?a HTTP/1.1\r\n\r\n")
	f.Add(s.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		if packed(file) {
			return
		}
		if _, err := NewReader(bytes.NewReader(file)); err != nil {
			return
		}
		was, is := packetsIn(t, file), packetsIn(t, twinned(t, file))
		if len(was) != len(is) {
			t.Fatalf("%d packets for %d", len(is), len(was))
		}
		for i := range was {
			if len(was[i]) != len(is[i]) {
				t.Fatalf("packet %d has %d bytes, had %d", i+1, len(is[i]), len(was[i]))
			}
		}
	})
}
