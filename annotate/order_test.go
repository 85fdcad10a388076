package annotate_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/capture/pcap/pcaptest"
)

// rowOf is what a story's only summary says of a step.
func rowOf(t *testing.T, events []event.Event, s event.Step) event.Row {
	t.Helper()
	for _, l := range legs(events) {
		for _, r := range l.Rows {
			if r.Step == s {
				return r
			}
		}
	}
	t.Fatalf("no row of step %s", s)
	return event.Row{}
}

// TestSpokeBefore: whoever asked for a tunnel, spoke another protocol before TLS or was
// sent back by a server of QUIC had heard something before its hello, which then is
// neither the first message nor sent before anything was heard.
func TestSpokeBefore(t *testing.T) {
	stories := map[string][]event.Event{}
	for _, name := range []string{"connect", "socks5", "starttls-smtp"} {
		stories[name] = story(t, filepath.Join(ownRecordings, name+".pcapng"), true)
	}
	for _, name := range []string{"quic-retry"} {
		file, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
		if err != nil {
			t.Fatal(err)
		}
		stories[name] = udpStory(t, quicFile(strings.Split(strings.TrimSpace(string(file)), "\n")))
	}
	for name, events := range stories {
		for step, id := range map[event.Step]string{event.Step4b: "step-4b-tls13-holed", event.Step5: "step-5-tls13-holed"} {
			if got := rowOf(t, events, step).Says; got.ID != id {
				t.Errorf("%s: step %s says %s: %s", name, step, got.ID, got.Text)
			}
		}
	}
	file, err := os.ReadFile("testdata/quic-negotiation.hex")
	if err != nil {
		t.Fatal(err)
	}
	r := rowOf(t, udpStory(t, quicFile(strings.Split(strings.TrimSpace(string(file)), "\n"))), event.Step1)
	if r.Says.ID != "step-1-quic-negotiated" || r.Packets == nil || r.Packets.First == r.Packets.Last {
		t.Errorf("step 1 says %s of packets %v", r.Says.Text, r.Packets)
	}
}

// TestStartTLSRefs: what is cited of a protocol before TLS is that protocol's own RFC.
func TestStartTLSRefs(t *testing.T) {
	for name, want := range map[string]string{
		"smtp": "RFC 3207 4", "imap": "RFC 9051 6.2.1", "pop3": "RFC 2595 4", "ftp": "RFC 4217 4", "nntp": "RFC 4642 2.2",
		"sieve": "RFC 5804 2.2", "xmpp": "RFC 6120 5.4.2", "ldap": "RFC 4511 4.14", "mysql": "", "postgres": "", "irc": "",
	} {
		events := story(t, filepath.Join(ownRecordings, "starttls-"+name+".pcapng"), true)
		says := []event.Sentence{rowOf(t, events, event.Step1).Says}
		for _, e := range events {
			if e.Topic == "starttls" {
				says = append(says, e.Says...)
			}
		}
		if len(says) != 2 {
			t.Errorf("%s: %d sentences", name, len(says))
		}
		for _, s := range says {
			has := slices.ContainsFunc(s.Refs, func(r string) bool { return r != "RFC 7457 2.1" && r != "RFC 9110 4.2.2" })
			if want == "" && has || want != "" && !slices.Contains(s.Refs, want) {
				t.Errorf("%s: %s cites %v, want %q", name, s.ID, s.Refs, want)
			}
		}
	}
}

// TestSealedRenegotiation: without keys the first encrypted handshake message of each side
// is its Finished; the others are of another handshake, and not told as Finished.
func TestSealedRenegotiation(t *testing.T) {
	finished, more := map[string]int{}, map[string]int{}
	for _, e := range story(t, filepath.Join(ownRecordings, "tls12-renegotiation.pcapng"), false) {
		for _, s := range e.Says {
			switch s.ID {
			case "sealed-finished":
				finished[e.From]++
			case "sealed-handshake":
				more[e.From]++
			default:
				continue
			}
			if first := strings.HasPrefix(e.Brief.English, "Finished"); first != (s.ID == "sealed-finished") {
				t.Errorf("%s says %s", e.Brief, s.Text)
			}
		}
	}
	if finished["client"] != 1 || finished["server"] != 1 || more["client"] == 0 || more["server"] == 0 {
		t.Errorf("Finished %v, more %v", finished, more)
	}
}

// dtls13 is a flow of DTLS 1.3 in which the server sends five sealed records: two with the
// handshake's keys, three with those for application data, as their headers say (RFC 9147 4).
func dtls13(retry bool) []byte {
	seq := 0
	record := func(sender string, typ byte, body string) string {
		n := len(body) / 2
		seq++
		message := fmt.Sprintf("%02x%06x%04x000000%06x%s", typ, n, seq/2, n, body)
		return fmt.Sprintf("%s 16fefd0000%012x%04x%s", sender, seq, len(message)/2, message)
	}
	random, share := strings.Repeat("11", 32), strings.Repeat("22", 32)
	hello := func(more string) string {
		extensions := "002b0003" + "02fefc" + "000a0004" + "0002001d" + "00330026" + "0024001d0020" + share + "000d0004" + "00020403" + more
		return "fefd" + random + "00" + "00" + "00021301" + "0100" + fmt.Sprintf("%04x", len(extensions)/2) + extensions
	}
	answer := func(random, extensions string) string {
		return "fefd" + random + "00" + "1301" + "00" + fmt.Sprintf("%04x", len(extensions)/2) + extensions
	}
	datagrams := []string{record("c", 1, hello(""))}
	seq = 0
	if retry {
		datagrams = append(datagrams, record("s", 2, answer("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c", "002b0002fefc"+"002c0004"+"0002abcd")))
		seq = 1
		datagrams = append(datagrams, record("c", 1, hello("002c0004"+"0002abcd")))
		seq = 1
	}
	datagrams = append(datagrams, record("s", 2, answer(random, "002b0002fefc"+"00330024"+"001d0020"+share)))
	sealed := func(sender string, head byte) string {
		return fmt.Sprintf("%s %02x00010014%s", sender, head, hex.EncodeToString(make([]byte, 20)))
	}
	return quicFile(append(datagrams, sealed("s", 0x2e), sealed("s", 0x2e), sealed("c", 0x2e), sealed("s", 0x2f), sealed("s", 0x2f), sealed("s", 0x2f)))
}

func TestDTLS13(t *testing.T) {
	for _, retry := range []bool{false, true} {
		events := udpStory(t, dtls13(retry))
		seven := rowOf(t, events, event.Step7)
		if s := seven.Says; s.ID != "step-7-dtls13" || s.Args["count"] != "3 records" || s.Args["bytes"] != "75" {
			t.Errorf("step 7 says %s", s.Text)
		}
		want := "step-5-tls13"
		if retry {
			want = "step-5-hrr-cookie"
		}
		if s := rowOf(t, events, event.Step5).Says; s.ID != want {
			t.Errorf("step 5 says %s: %s", s.ID, s.Text)
		}
	}
}

// TestSealedWithKeys: where keys were given and the suite is none that is opened here, it
// is not said that no keys are known.
func TestSealedWithKeys(t *testing.T) {
	for keyed, want := range map[bool]string{true: "summary-sealed-keys", false: "summary-sealed"} {
		said := map[string]bool{}
		for _, e := range story(t, filepath.Join(ownRecordings, "tls12-rsa-camellia-cbc.pcapng"), keyed) {
			for _, s := range e.Says {
				said[s.ID] = true
			}
		}
		if !said[want] || said["summary-sealed"] && said["summary-sealed-keys"] {
			t.Errorf("with keys %v: %v", keyed, said)
		}
	}
}

// TestAnswered: a SYN-ACK without its SYN shows who opened the connection, and is in the capture.
func TestAnswered(t *testing.T) {
	packets, secrets := pcaptest.Of(t, filepath.Join(ownRecordings, "tls12-dhe-rsa.pcapng"), 100)
	events := tellWire(t, pcaptest.File(packets[1:], 0), secrets)
	if s := events[0].Says[0]; s.ID != "connection-answered" {
		t.Errorf("the connection begins with %s: %s", s.ID, s.Text)
	}
	if r := rowOf(t, events, event.Step1); r.Says.ID != "step-1-answered" || r.Verdict != event.AsTold {
		t.Errorf("step 1 is %s: %s", r.Verdict, r.Says.Text)
	}
}
