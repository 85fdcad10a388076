package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"explainer/annotate/event"
)

// record runs a command through the proxy with explainer run and returns the
// recording and the story.
func record(t *testing.T, flags []string, argv ...string) (recording string, story []event.Event) {
	t.Helper()
	dir := t.TempDir()
	recording = filepath.Join(dir, "session.pcapng")
	live := filepath.Join(dir, "live.json")
	args := []string{"explainer", "run", "--home", filepath.Join(dir, "home"), "--format", "json", "--story", live, "-w", recording}
	args = append(append(append(args, flags...), "--"), argv...)
	if code := run(context.Background(), args); code != 0 {
		t.Fatalf("%q: exit code %d", args, code)
	}
	return recording, readStory(t, live)
}

// TestTsharkAgrees takes tshark as the oracle for recordings: with no
// configuration it must open both legs, and list the same handshake messages,
// in the same order, and the same requests, as we do.
func TestTsharkAgrees(t *testing.T) {
	for name, c := range map[string]struct {
		flags []string
		args  []string
	}{
		"tls13 h2":    {nil, []string{"https://tls13.explainer.test/"}},
		"tls13 h1":    {nil, []string{"--http1.1", "https://tls13.explainer.test/", "https://tls13.explainer.test/echo"}},
		"tls12 ecdhe": {nil, []string{"https://tls12.explainer.test/"}},
		"rsa":         {nil, []string{"https://rsa.explainer.test/"}},
		"textbook":    {[]string{"--textbook"}, []string{"https://tls13.explainer.test/"}},
		"hrr":         {nil, []string{"https://hrr.explainer.test/"}},
		"mtls":        {nil, []string{"https://mtls.explainer.test/"}},
		"plain http":  {nil, []string{"http://explainer.test/"}},
	} {
		t.Run(name, func(t *testing.T) {
			argv := append([]string{"curl", "-sS", "-o", "/dev/null"}, c.args...)
			recording, story := record(t, c.flags, argv...)
			for try := 0; try < 3 && onAssignedPort(t, recording); try++ {
				recording, story = record(t, c.flags, argv...)
			}
			compareWithTshark(t, recording, story)
		})
	}
}

// onAssignedPort tells whether chance gave a connection a port that Wireshark gives
// to another protocol, as 57000 to IRC: it does not look for TLS there.
func onAssignedPort(t *testing.T, recording string) bool {
	t.Helper()
	decodes, err := exec.Command("tshark", "-G", "decodes").Output()
	if err != nil {
		t.Fatal(err)
	}
	const ephemeral = 32768 // Linux gives out ports from here on
	assigned := map[string]bool{}
	for line := range strings.Lines(string(decodes)) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "tcp.port" {
			continue
		}
		if n, _ := strconv.Atoi(f[1]); n >= ephemeral {
			assigned[f[1]] = true
		}
	}
	for _, ports := range tshark(t, recording, "tcp.flags.syn==1 && tcp.flags.ack==0", "tcp.srcport", "tcp.dstport") {
		if slices.ContainsFunc(ports, func(p string) bool { return assigned[p] }) {
			t.Logf("ports %s: recorded again", ports)
			return true
		}
	}
	return false
}

func compareWithTshark(t *testing.T, recording string, story []event.Event) {
	t.Helper()
	type key struct {
		conn int
		from string
	}
	ours, theirs := map[key][]string{}, map[key][]string{}
	var ourRequests, theirRequests []string
	for _, e := range story {
		if e.Kind != event.KindMessage {
			continue
		}
		if n, ok := handshakeNumbers[e.Topic]; ok {
			k := key{e.Conn, e.From}
			ours[k] = append(ours[k], n)
		}
		if e.Topic == event.TopicRequest {
			ourRequests = append(ourRequests, fmt.Sprintf("%d %s %s", e.Conn, e.HTTP.Method, e.HTTP.Target))
		}
	}
	clientPort := map[string]string{}
	for _, line := range tshark(t, recording, "tcp.flags.syn==1 && tcp.flags.ack==0", "tcp.stream", "tcp.srcport") {
		clientPort[line[0]] = line[1]
	}
	for _, line := range tshark(t, recording, "tls.handshake.type", "tcp.stream", "tcp.srcport", "tls.handshake.type") {
		stream, err := strconv.Atoi(line[0])
		if err != nil {
			t.Fatal(err)
		}
		k := key{stream + 1, "server"}
		if line[1] == clientPort[line[0]] {
			k.from = "client"
		}
		theirs[k] = append(theirs[k], strings.Split(line[2], ",")...)
	}
	for k, list := range theirs {
		if !slices.Equal(ours[k], list) {
			t.Errorf("connection %d, %s: handshake messages %v, tshark lists %v", k.conn, k.from, ours[k], list)
		}
	}
	for k := range ours {
		if _, ok := theirs[k]; !ok {
			t.Errorf("connection %d, %s: tshark lists no handshake message, we list %v", k.conn, k.from, ours[k])
		}
	}
	for _, line := range tshark(t, recording, "http.request.method || http2.headers.method", "tcp.stream", "http.request.method", "http.request.uri", "http2.headers.method", "http2.headers.path") {
		stream, _ := strconv.Atoi(line[0])
		method, target := line[1]+line[3], line[2]+line[4]
		theirRequests = append(theirRequests, fmt.Sprintf("%d %s %s", stream+1, method, target))
	}
	slices.Sort(ourRequests)
	slices.Sort(theirRequests)
	if !slices.Equal(ourRequests, theirRequests) {
		t.Errorf("requests\n%q\ntshark lists\n%q", ourRequests, theirRequests)
	}
	if len(ourRequests) == 0 {
		t.Error("no request in the story")
	}
	if odd := tshark(t, recording, "_ws.expert.severity >= 0x600000 || tcp.analysis.flags", "frame.number", "_ws.expert.message"); len(odd) > 0 {
		t.Errorf("tshark finds fault with the recording: %v", odd)
	}
	out, err := exec.Command("capinfos", "-o", recording).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("True")) {
		t.Errorf("capinfos: %v\n%s", err, out)
	}
}

// handshakeNumbers are the handshake types by the topics of our story.
var handshakeNumbers = map[event.Topic]string{
	event.TopicClientHello: "1", event.TopicServerHello: "2", "hello-retry-request": "2", "new-session-ticket": "4", "encrypted-extensions": "8",
	event.TopicCertificate: "11", "server-key-exchange": "12", "certificate-request": "13", "server-hello-done": "14",
	"certificate-verify": "15", "client-key-exchange": "16", event.TopicFinished: "20", event.TopicCertificateStatus: "22", "key-update": "24",
}

// tshark returns the fields of the packets that filter selects, with no preferences of the user's.
func tshark(t *testing.T, file, filter string, fields ...string) [][]string {
	t.Helper()
	args := []string{"-r", file, "-Y", filter, "-T", "fields"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command("tshark", args...)
	cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, stderr.Bytes())
	}
	var rows [][]string
	for _, line := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		if line != "" {
			rows = append(rows, strings.Split(line, "\t"))
		}
	}
	return rows
}
