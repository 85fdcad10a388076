package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

// demoRecording is what the demo leaves.
func demoRecording(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "demo.pcapng")
	quietly(t, 0, "demo", "--home", filepath.Join(dir, "home"), "-w", path)
	return path
}

// quietly runs explainer without its standard output.
func quietly(t *testing.T, want int, args ...string) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	stdout := os.Stdout
	os.Stdout = null
	defer func() { os.Stdout = stdout }()
	if code := run(context.Background(), append([]string{"explainer"}, args...)); code != want {
		t.Fatalf("%q: exit code %d, want %d", args, code, want)
	}
}

// secretsIn are the secrets that a capture holds.
func secretsIn(t *testing.T, path string) []keys.Secret {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []keys.Secret
	if err := pcap.Keys(f, func(s keys.Secret) { all = append(all, s) }); err != nil {
		t.Fatal(err)
	}
	return all
}

// frames are the packets of a capture as tshark gives them, byte for byte.
func frames(t *testing.T, path string) [][]string {
	return tshark(t, path, "", "frame.number", "frame.time_epoch", "frame.len", "frame.interface_name", "ip.id", "tcp.seq_raw", "tcp.ack_raw", "tcp.payload")
}

// comments are those of a capture's packets.
func comments(t *testing.T, path string) [][]string {
	return tshark(t, path, "frame.comment", "frame.number", "frame.comment")
}

// opened is what tshark decrypts of a capture without being given keys.
func opened(t *testing.T, path string) [][]string {
	// The HTTP layer alone would also select TLS behind a CONNECT.
	return tshark(t, path, "tls.handshake.type == 20", "frame.number", "tls.handshake.verify_data")
}

// The copy has the same packets, opens by itself as its original does, and tells
// beside its packets what the story tells. Read again it tells the same story.
func TestCopyOfRecording(t *testing.T) {
	recording := demoRecording(t)
	dir := t.TempDir()
	to := filepath.Join(dir, "copy.pcapng")
	quietly(t, 0, "read", "-w", to, recording)
	info, err := os.Stat(to)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if got, want := frames(t, to), frames(t, recording); !slices.EqualFunc(got, want, slices.Equal) {
		t.Error("the copy has other packets")
	}
	if got, want := opened(t, to), opened(t, recording); len(want) == 0 || !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("tshark opens %d packets of the copy, %d of the recording", len(got), len(want))
	}
	replay(t, recording, filepath.Join(dir, "a.json"))
	replay(t, to, filepath.Join(dir, "b.json"))
	comments := map[string]string{}
	for _, row := range tshark(t, to, "frame.comment", "frame.number", "frame.comment") {
		comments[row[0]] = row[1]
		if len(row[1]) > 1600 {
			t.Errorf("packet %s: a comment of %d bytes", row[0], len(row[1]))
		}
	}
	told := 0
	for _, e := range readStory(t, filepath.Join(dir, "a.json")) {
		if e.Packets == nil || e.Packets.Last == 0 || e.Kind != event.KindMessage {
			continue
		}
		told++
		if c := comments[strconv.Itoa(e.Packets.Last)]; !strings.Contains(c, e.Name) {
			t.Errorf("packet %d: %s is not in the comment %q", e.Packets.Last, e.Name, c)
		}
	}
	if told < 50 {
		t.Errorf("%d messages", told)
	}
	a, b := readStory(t, filepath.Join(dir, "a.json")), readStory(t, filepath.Join(dir, "b.json"))
	if len(a) != len(b) {
		t.Fatalf("%d events, the copy tells %d", len(a), len(b))
	}
	for i := range a {
		// What is told of the file itself names it, with its size.
		if a[i].Kind != event.KindFile && !reflect.DeepEqual(a[i], b[i]) {
			t.Fatalf("the copy tells\n%+v\nwant\n%+v", b[i], a[i])
		}
	}
}

// Without its keys a copy opens nothing, and no secret is left in it. With the
// keys as a key log it becomes a copy that opens again.
func TestCopyWithoutKeys(t *testing.T) {
	for _, recording := range []string{
		demoRecording(t),
		"../../capture/testdata/recordings/tls12-rsa-aes128-gcm.pcapng",
		"../../capture/testdata/recordings/tls13-0rtt.pcapng",
		"../../capture/testdata/recordings/http2.pcapng",
	} {
		dir := t.TempDir()
		bare, log, again := filepath.Join(dir, "bare.pcapng"), filepath.Join(dir, "keys.txt"), filepath.Join(dir, "again.pcapng")
		quietly(t, 0, "read", "-w", bare, "--strip-keys", recording)
		if got, want := frames(t, bare), frames(t, recording); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: the copy has other packets", recording)
		}
		if got := opened(t, bare); len(got) != 0 {
			t.Errorf("%s: tshark opens %d packets of the copy without keys", recording, len(got))
		}
		file, err := os.ReadFile(bare)
		if err != nil {
			t.Fatal(err)
		}
		low := bytes.ToLower(file)
		lines := []string{"CLIENT_RANDOM " + strings.Repeat("00", 32) + " " + strings.Repeat("11", 48)}
		for _, s := range secretsIn(t, recording) {
			if bytes.Contains(file, s.Secret) || bytes.Contains(low, []byte(hex.EncodeToString(s.Secret))) {
				t.Errorf("%s: %s is in the copy", recording, s.Label)
			}
			lines = append(lines, s.String())
		}
		if len(lines) == 1 || len(secretsIn(t, bare)) != 0 || bytes.Contains(file, []byte(`"em"`)) {
			t.Errorf("%s: keys in the copy", recording)
		}
		if err := os.WriteFile(log, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		quietly(t, 0, "read", "-w", again, "--keylog", log, bare)
		if got, want := opened(t, again), opened(t, recording); len(want) == 0 || !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: with the key log, tshark opens %d packets of the copy, %d of the recording", recording, len(got), len(want))
		}
		if n := len(secretsIn(t, again)); n != len(lines)-1 {
			t.Errorf("%s: %d keys in the copy, want the %d that belong to it", recording, n, len(lines)-1)
		}
	}
}

// The copy never takes the place of the capture, nor of what is no file.
func TestCopyRefuses(t *testing.T) {
	dir := t.TempDir()
	recording, err := os.ReadFile("../../capture/testdata/recordings/http1.pcapng")
	if err != nil {
		t.Fatal(err)
	}
	in, link, to := filepath.Join(dir, "in.pcapng"), filepath.Join(dir, "link.pcapng"), filepath.Join(dir, "to.pcapng")
	if err := os.WriteFile(in, recording, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(in, link); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-w", in, in}, {"-w", link, in}, {"-w", in, link}, {"-w", dir, in}, {"-w", os.DevNull, in},
		{"-w", to, in, in}, {"-w", to, "-"}, {"--strip-keys", in}, {"-w", to, "--strip-keys", "--show-secrets", in}, {"-w", "", in},
		{"--redact", in}, {"-w", to, "--redact", "--strip-keys", in}, {"-w", to, "--redact", "--show-secrets", in}, {"-w", to, "--redact", "-"},
		{"-w", to, "--messages", in}, {"-w", to, "--connection", "1", in},
	} {
		quietly(t, 2, append([]string{"read"}, args...)...)
	}
	quietly(t, 1, "read", "-w", filepath.Join(dir, "no", "to.pcapng"), in)
	quietly(t, 1, "read", "-w", to, filepath.Join(dir, "none.pcapng"))
	if after, err := os.ReadFile(in); err != nil || !bytes.Equal(after, recording) {
		t.Error("the capture changed")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v %v", entries, err)
	}
	// A capture that is cut is copied up to the cut.
	if err := os.WriteFile(in, recording[:len(recording)-7], 0o600); err != nil {
		t.Fatal(err)
	}
	quietly(t, 1, "read", "-w", to, in)
	if n := len(frames(t, to)); n == 0 {
		t.Error("nothing was copied")
	}
}
