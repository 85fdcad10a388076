package pcap

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/capture"
	"explainer/capture/keys"
)

// rewritten is the copy of a capture with a comment beside every second packet.
func rewritten(t testing.TB, file []byte, how Rewriting) []byte {
	t.Helper()
	how.Comment = everySecond
	var out bytes.Buffer
	n, err := Rewrite(&out, bytes.NewReader(file), how)
	if err != nil && !errors.As(err, new(*CutError)) {
		t.Fatal(err)
	}
	r, err := NewReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = r.next()
	}
	if err != io.EOF || r.Stats().Packets != n {
		t.Fatalf("%d packets copied; the copy has %d, then %v", n, r.Stats().Packets, err)
	}
	return out.Bytes()
}

func everySecond(packet int) string {
	if packet%2 == 1 {
		return ""
	}
	return fmt.Sprintf("comment %d", packet)
}

// commented puts a comment at the end of a block.
func (o ng) commented(block, comment []byte) []byte {
	return o.block(o.Uint32(block), append(block[8:len(block)-4:len(block)-4], o.option(optComment, comment)...))
}

func (o ng) Uint32(b []byte) uint32 {
	if o.AppendUint16(nil, 1)[0] == 0 {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

var someSecret = keys.Secret{Label: "CLIENT_RANDOM", ClientRandom: bytes.Repeat([]byte{1}, 32), Secret: []byte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL")}

// A copy says the same as its original, packet by packet.
func TestRewriteSaysTheSame(t *testing.T) {
	check := func(name string, file []byte) {
		want, wantErr := read(bytes.NewReader(file))
		got, gotErr := read(bytes.NewReader(rewritten(t, file, Rewriting{})))
		if gotErr != io.EOF || wantErr != io.EOF && !errors.As(wantErr, new(*CutError)) {
			t.Errorf("%s: %v, its copy: %v", name, wantErr, gotErr)
		}
		compareInputs(t, got, want)
	}
	for seed := range uint64(3) {
		file, _ := recording(t, seed, 100)
		check("a recording", file)
		check("half a recording", file[:len(file)/2])
	}
	names, err := filepath.Glob("../testdata/recordings/*.pcapng")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 20 {
		t.Fatalf("%d captures", len(names))
	}
	for _, name := range names {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		check(name, file)
	}
}

// What Wireshark sees of a copy is what it sees of the original, with our comments before the others.
func TestRewriteAsWireshark(t *testing.T) {
	var files []string
	dir := t.TempDir()
	write := func(name string, file []byte) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	packet := tcp4(client, server, flagACK, 1, 1, "x")
	for i, o := range orders {
		section := bytes.Join([][]byte{
			o.section(o.option(optComment, []byte("a section"))), o.iface(linkRaw, 0, o.option(optIfTsresol, []byte{9})), o.iface(linkRaw, 0),
			o.packet(0, 1e18+123, len(packet), packet), o.commented(o.packet(1, 2e15, len(packet)+9, packet), []byte("theirs")),
			o.packet(1, 1e15, len(packet), packet), o.block(blockCustom, []byte{1, 2, 3, 4, 5, 6, 7, 8}), o.packet(0, 1e18, len(packet), packet),
		}, nil)
		write(fmt.Sprint("sections", i), append(bytes.Clone(section), section...))
		for _, magic := range []uint32{0xa1b2c3d4, 0xa1b23c4d} {
			file := o.AppendUint32(nil, magic)
			file = o.AppendUint16(o.AppendUint16(file, 2), 4)
			file = o.AppendUint32(o.AppendUint32(o.AppendUint64(file, 0), 65535), linkRaw)
			for part := range uint32(4) {
				file = o.AppendUint32(o.AppendUint32(file, 1700000000), part*111111)
				file = append(o.AppendUint32(o.AppendUint32(file, uint32(len(packet))), uint32(len(packet))+part), packet...)
			}
			write(fmt.Sprintf("classic%d-%x", i, magic), file)
		}
	}
	if dir := captures(t); dir != "" {
		for _, name := range []string{
			"arkime/ssl-selfsign.pcap",
			"wireshark-4.0.17/challenge01_ooo_stream.pcapng.gz",
			"wireshark-4.4.18/http-ooo-fuzzed.pcapng",
			"mercury/unit_tests__pcaps__sll_tls.pcap",
		} {
			files = append(files, filepath.Join(dir, name))
		}
	}
	for _, path := range files {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(dir, "copy.pcapng")
		if err := os.WriteFile(copied, rewritten(t, file, Rewriting{}), 0o600); err != nil {
			t.Fatal(err)
		}
		list := func(path string) []string {
			lines, ok := tshark(t, "tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.number", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.cap_len", "-e", "ip.version", "-e", "tcp.payload", "-e", "frame.comment")
			if !ok {
				t.FailNow()
			}
			return lines
		}
		want, got := list(path), list(copied)
		for i, line := range want {
			at := strings.LastIndexByte(line, '\t') + 1
			if c := everySecond(i + 1); c != "" && strings.Split(line, "\t")[1] != "" { // a Custom Block is a frame, but no packet
				if line[at:] != "" {
					c += ","
				}
				want[i] = line[:at] + c + line[at:]
			}
		}
		if len(want) != len(got) {
			t.Errorf("%s: %d packets, %d in the copy", path, len(want), len(got))
			continue
		}
		for i := range want {
			if want[i] != got[i] {
				t.Errorf("%s: packet %d:\n%s\nwant\n%s", path, i+1, got[i], want[i])
				break
			}
		}
	}
}

// A Simple Packet Block becomes an Enhanced one where it gets a comment, with the time before.
func TestRewriteSimplePacket(t *testing.T) {
	packet := tcp4(client, server, flagACK, 1, 1, "hello")
	for _, o := range orders {
		for _, resolution := range []byte{6, 9, 3, 12, 0x80 | 30} {
			simple := o.block(blockSPB, append(o.AppendUint32(nil, uint32(len(packet))+100), packet...))
			file := bytes.Join([][]byte{o.section(), o.iface(linkRaw, uint32(len(packet)), o.option(optIfTsresol, []byte{resolution})),
				o.packet(0, 1<<45, len(packet), packet), simple, simple, simple}, nil)
			want := mustRead(t, file)
			out := rewritten(t, file, Rewriting{})
			compareInputs(t, mustRead(t, out), want)
			var kinds []uint32
			for at := 0; at < len(out); at += int(o.Uint32(out[at+4:])) {
				kinds = append(kinds, o.Uint32(out[at:]))
			}
			if !slices.Equal(kinds[2:], []uint32{blockEPB, blockEPB, blockSPB, blockEPB}) {
				t.Errorf("blocks %x", kinds)
			}
		}
	}
}

// Nothing but what a Rewriting names changes: without comments the copy of a
// pcapng file is the file, but for the sections' lengths.
func TestRewriteChangesNothingElse(t *testing.T) {
	names, err := filepath.Glob("../testdata/recordings/*.pcapng")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if _, err := Rewrite(&out, bytes.NewReader(file), Rewriting{}); err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint64(file[16:], 0xffffffffffffffff)
		if !bytes.Equal(out.Bytes(), file) {
			t.Errorf("%s differs from its copy", name)
		}
	}
}

// Secrets stand before the first packet, in the section's byte order.
func TestRewriteAddsSecrets(t *testing.T) {
	packet := tcp4(client, server, flagACK, 1, 1, "x")
	for _, o := range orders {
		file := bytes.Join([][]byte{o.section(), o.iface(linkRaw, 0), o.block(blockNRB, []byte{0, 0, 0, 0}), o.packet(0, 1, len(packet), packet)}, nil)
		all := mustRead(t, rewritten(t, file, Rewriting{Secrets: []keys.Secret{someSecret}}))
		if s, ok := all[0].(keys.Secret); !ok || s.String() != someSecret.String() || len(all) != 3 {
			t.Errorf("%v", all)
		}
	}
}

// With StripKeys, no secret is left: not in its block, in a fact, in a comment
// or in a block that is not known. Packets stay.
func TestRewriteStripsKeys(t *testing.T) {
	packet := tcp4(client, server, flagACK, 1, 1, "x")
	secret := someSecret.Secret
	text := hex.EncodeToString(secret)
	for _, o := range orders {
		lines := []byte(someSecret.String() + "\n")
		for len(lines)%4 != 0 {
			lines = append(lines, '\n')
		}
		file := bytes.Join([][]byte{
			o.section(o.option(optApplication, []byte(application)), o.option(optComment, []byte("key: "+text))), o.iface(linkRaw, 0, o.option(optIfName, secret)),
			o.block(blockDSB, append(o.AppendUint32(o.AppendUint32(nil, secretsTLS), uint32(len(lines))), lines...)),
			o.block(blockDSB, append(o.AppendUint32(o.AppendUint32(nil, 0x57474b4c), uint32(len(secret))), secret...)),
			o.block(blockFact, []byte(`{"t":1,"kind":"em","data":"`+"MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="+`"}  `)),
			o.block(blockFact, []byte(`{"t":1,"kind":"leaf","data":"YWJj"} `)),
			o.commented(o.packet(0, 1, len(packet), packet), []byte("theirs: "+strings.ToUpper(text))),
			o.packet(0, 2, len(packet), packet),
			o.block(0x80001234, append([]byte("xxxx"), secret...)),
		}, nil)
		var out bytes.Buffer
		how := Rewriting{StripKeys: true, Hidden: []keys.Secret{someSecret}, Comment: func(int) string { return "ours: " + text }}
		if _, err := Rewrite(&out, bytes.NewReader(file), how); err != nil {
			t.Fatal(err)
		}
		got := out.Bytes()
		if bytes.Contains(got, secret) || bytes.Contains(bytes.ToLower(got), []byte(text)) || bytes.Contains(got, []byte("MDEyMzQ1")) || bytes.Contains(got, []byte("TLSK")) || bytes.Contains(got, []byte("KSLT")) {
			t.Errorf("a secret is left in %q", got)
		}
		for _, want := range []string{"key: ****", "theirs: ****", "ours: ****", "xxxx****", `"leaf"`} {
			if !bytes.Contains(got, []byte(want)) {
				t.Errorf("%q is not in %q", want, got)
			}
		}
		if bytes.Count(got, packet) != 2 {
			t.Error("the packets are not whole")
		}
		var want []capture.Input
		for _, in := range mustRead(t, file) {
			if f, fact := in.(capture.Fact); !fact || f.Kind != capture.FactEM {
				if _, secret := in.(keys.Secret); !secret {
					want = append(want, in)
				}
			}
		}
		compareInputs(t, mustRead(t, got), want)
	}
}

// FuzzRewrite: whatever the file, its copy can be read and says the same.
func FuzzRewrite(f *testing.F) {
	file, _ := recording(f, 1, 12)
	f.Add(file[:min(len(file), 4000)])
	packet := tcp4(client, server, flagACK, 1, 1, "x")
	for _, o := range orders {
		f.Add(bytes.Join([][]byte{o.section(), o.iface(linkRaw, 40, o.option(optIfTsresol, []byte{0x84})), o.commented(o.packet(0, 9, 90, packet), []byte("c")),
			o.block(blockCustom, make([]byte, 8)), o.block(blockSPB, append(o.AppendUint32(nil, 41), packet...)), o.block(blockFact, []byte(`{"t":1,"kind":"closed","conn":1}   `))}, nil))
	}
	s := newScript(linkRaw, client, server)
	s.handshake()
	f.Add(s.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := NewReader(bytes.NewReader(file))
		if err != nil {
			return
		}
		for err == nil {
			_, err = r.next()
		}
		rewritten(t, file, Rewriting{Secrets: []keys.Secret{someSecret}})
		out := rewritten(t, file, Rewriting{StripKeys: true, Hidden: []keys.Secret{someSecret}})
		again, err := NewReader(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = again.next()
		}
		if a, b := r.Stats(), again.Stats(); a.Packets != b.Packets || a.Connections != b.Connections {
			t.Fatalf("%+v\nits copy: %+v", a, b)
		}
	})
}
