package annotate_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// toldOf tells inputs.
func toldOf(inputs ...capture.Input) (out []event.Event) {
	d := capture.Decoder{SecretsFirst: true}
	x := new(annotate.Explainer)
	take := func(ms []capture.Message) {
		for i := range ms {
			out = append(out, x.Explain(&ms[i])...)
		}
	}
	for _, in := range inputs {
		take(d.Feed(in))
	}
	take(d.Finish())
	return append(out, x.Finish()...)
}

// TestNotSeenWhole: a connection that is not in the capture whole is not said to have carried
// nothing or to have been opened and not used; and what begins as HTTP is not said to be none,
// nor to have come when it was given up.
func TestNotSeenWhole(t *testing.T) {
	t.Parallel()
	at := func(s int) int64 { return start.Add(time.Duration(s) * time.Second).UnixNano() }
	open := func(conn int, syn bool) *capture.Open {
		return &capture.Open{Conn: conn, Time: at(0), Packet: conn, SYN: syn, Client: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(40000+conn)), Server: netip.MustParseAddrPort("192.0.2.1:80")}
	}
	shut := func(conn int, side capture.Side) *capture.Close {
		return &capture.Close{Conn: conn, Side: side, Time: at(9), Packet: 20 + conn}
	}
	es := toldOf(
		open(1, false), shut(1, capture.Client), shut(1, capture.Server),
		open(2, true),
		open(3, true), &capture.Chunk{Conn: 3, Side: capture.Client, Time: at(1), Packet: 10, Data: []byte("GET / HTTP/1.1\r\nHos")}, shut(3, capture.Client), shut(3, capture.Server),
		open(4, true), shut(4, capture.Client), shut(4, capture.Server),
		open(5, true), &capture.Chunk{Conn: 5, Side: capture.Client, Time: at(1), Packet: 11, Data: []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n" + strings.Repeat("\x01", 70))},
		&capture.Chunk{Conn: 5, Side: capture.Client, Time: at(2), Packet: 12, Data: []byte("\x01\x01\x01\x01")}, shut(5, capture.Client), shut(5, capture.Server),
	)
	var odd []string
	titles := map[int]string{}
	for _, e := range es {
		switch {
		case e.Tally != nil:
			titles[e.Conn] = e.Tally.Title.English
		case e.Topic == "not-http" && e.Conn == 5:
			odd = append(odd, e.Brief.English)
		case e.Topic == "not-http":
			t.Errorf("%s %s", e.Name, e.Brief)
		case e.Topic == "http-unread" && e.Time != start.Add(time.Second).Format(time.RFC3339Nano):
			t.Errorf("the packet of 1 s is told at %s", e.Time)
		}
	}
	if len(odd) != 2 || !strings.HasPrefix(odd[0], "64 bytes: ") || !strings.HasPrefix(odd[1], "74 bytes in all: ") {
		t.Errorf("not HTTP: %q", odd)
	}
	for n, want := range map[int]string{1: "this capture has no data", 2: "this capture has no data", 3: "nothing could be read", 4: "carried nothing"} {
		if !strings.Contains(titles[n], want) {
			t.Errorf("connection %d is %q, not %q", n, titles[n], want)
		}
	}
	for l, want := range map[words.Language][]string{
		words.English: {"1 connection opened and not used", "2 connections of which this capture has no data", "a connection of which nothing could be read"},
		words.Chinese: {"1 个连接打开后没有使用", "2 个连接在本抓包中没有数据"},
	} {
		got := strings.Join(strings.Fields(shortly(t, es, l, 160)), " ")
		for _, s := range want {
			if !strings.Contains(got, s) {
				t.Errorf("no %q in\n%s", s, got)
			}
		}
	}
}

// TestAnswerNotHere: a hello whose connection goes on when the capture ends may yet be answered.
func TestAnswerNotHere(t *testing.T) {
	t.Parallel()
	inputs, _ := recordingInputs(t, "tls12-ecdhe-no-ems")
	var hello *capture.Chunk
	for _, in := range inputs {
		if c, ok := in.(*capture.Chunk); ok && hello == nil {
			hello = c
		}
	}
	shut := &capture.Close{Conn: hello.Conn, Side: capture.Server, Time: hello.Time, Packet: hello.Packet + 1}
	for want, in := range map[string][]capture.Input{
		"a TLS handshake whose answer is not in this capture": {inputs[0], hello},
		"a TLS handshake without an answer":                   {inputs[0], hello, shut},
	} {
		for _, e := range toldOf(in...) {
			if e.Tally != nil && e.Tally.Title.English != want {
				t.Errorf("%q, not %q", e.Tally.Title.English, want)
			}
		}
	}
}

// TestLoggedPremaster: the 48 bytes of a key log are not shown to be inside the
// ClientKeyExchange, so neither they nor a Finished that fits them prove who opened it.
func TestLoggedPremaster(t *testing.T) {
	t.Parallel()
	inputs, secrets := recordingInputs(t, "tls12-rsa-aes128-gcm")
	file, err := os.ReadFile(filepath.Join(recordings, "keys", "rsa.key"))
	if err != nil {
		t.Fatal(err)
	}
	private, err := keys.ParsePrivateKeys(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	var log []capture.Input
	d := capture.Decoder{}
	for _, in := range inputs {
		for _, m := range d.Feed(in) {
			if b, ok := m.Body.(*handshake.ClientKeyExchange); ok {
				//lint:ignore SA1019 it is what the server does with it (RFC 5246 7.4.7.1)
				premaster, err := rsa.DecryptPKCS1v15(nil, private[0], b.EncryptedPreMaster)
				if err != nil {
					t.Fatal(err)
				}
				log = append(log, &keys.Secret{Label: "RSA", ClientRandom: b.EncryptedPreMaster[:8], Secret: premaster})
			}
		}
	}
	for i := range secrets {
		log = append(log, &secrets[i])
	}
	for name, log := range map[string][]capture.Input{"premaster": log[:1], "premaster and master": log} {
		es := toldOf(append(log[:len(log):len(log)], inputs...)...)
		for step, want := range map[event.Step]string{event.Step2: "step-2-rsa-logged", event.Step6a: "step-6a-rsa-logged"} {
			if r := rowOf(t, es, step); r.Says.ID != want || r.Says.Evidence == event.Recomputed {
				t.Errorf("%s: step %s says %s (%s), not %s", name, step, r.Says.ID, r.Says.Evidence, want)
			}
		}
	}
}

// TestNoShareAtFirst: a client whose first hello has no public key made its only one for the second.
func TestNoShareAtFirst(t *testing.T) {
	t.Parallel()
	tp := fixtures(t)["tls13-hrr"][0]
	hello := tp.chunks[0].data
	at := bytes.Index(hello, []byte{0, 51, 0}) // key_share, of fewer than 256 bytes
	n := int(hello[at+3]) - 2
	hello = append(bytes.Clone(hello[:at]), append([]byte{0, 51, 0, 2, 0, 0}, hello[at+6+n:]...)...)
	extensions := 5 + 4 + 2 + 32
	extensions += 1 + int(hello[extensions])
	extensions += 2 + int(binary.BigEndian.Uint16(hello[extensions:]))
	extensions += 1 + int(hello[extensions])
	for _, length := range []int{3, 7, extensions} { // of the record, of the message and of all extensions
		binary.BigEndian.PutUint16(hello[length:], binary.BigEndian.Uint16(hello[length:])-uint16(n))
	}
	tp.chunks[0].data = hello
	tp.keys.Reset()
	if r := rowOf(t, toldOf(tp.inputs(0, capture.LegNone)...), event.Step4b); r.Says.ID != "step-4b-hrr-none" {
		t.Errorf("step 4b says %s: %s", r.Says.ID, r.Says.Text)
	}
}

// TestEarlyOverQUIC: who sent 0-RTT packets encrypted data before the server did.
func TestEarlyOverQUIC(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile(filepath.Join("testdata", "quic-v1.hex"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	early := "c d000000001088394c8f03e515708001e" + strings.Repeat("5a", 30)
	for id, lines := range map[string][]string{"step-6b-tls13": lines, "step-6b-tls13-after-early": slices.Insert(slices.Clone(lines), 1, early)} {
		if r := rowOf(t, udpStory(t, quicFile(lines)), event.Step6b); r.Says.ID != id {
			t.Errorf("step 6b says %s, not %s: %s", r.Says.ID, id, r.Says.Text)
		}
	}
}
