package annotate_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/capture"
)

// TestAnsweredInClear: a client that begins TLS with a server that speaks something else is
// told that, whoever spoke first, and a protocol is named only where it shows.
func TestAnsweredInClear(t *testing.T) {
	bytes, _ := hex.DecodeString("160301002d010000" + "290303" + strings.Repeat("00", 32) + "00" + "0002" + "1301" + "0100")
	hello := string(bytes)
	for _, test := range []struct {
		name, before, after string
		cause               string // in the failure; "": none is claimed
		title               string
	}{
		{"SMTP first", "220 mx.test ESMTP\r\n", "", `the server had begun in clear before that (SMTP, FTP or the like, "220")`, "a TLS hello to a server that had begun in clear"},
		{"SMTP first, and after", "220 mx.test ESMTP\r\n", "500 what\r\n", `answered in clear (SMTP, FTP or the like, "500")`, "a TLS hello whose answer is not TLS"},
		{"SMTP after", "", "220 mx.test ESMTP\r\n", `answered in clear (SMTP, FTP or the like, "220")`, "a TLS hello whose answer is not TLS"},
		{"a code alone", "", "220\r\n", `answered in clear (SMTP, FTP or the like, "220")`, "a TLS hello whose answer is not TLS"},
		{"HTTP", "", "HTTP/1.1 400 Bad Request\r\n\r\n", `answered in clear (HTTP, "HTTP/1.1 400")`, "a TLS hello whose answer is not TLS"},
		{"HTML", "", "<html><body>no", `answered in clear (HTML, "<html")`, "a TLS hello whose answer is not TLS"},
		{"SSH first", "SSH-2.0-OpenSSH_9.2p1\r\n", "", `had begun in clear before that (SSH, "SSH-2.0")`, "a TLS hello to a server that had begun in clear"},
		{"SSH after", "", "SSH-2.0-OpenSSH_9.2p1\r\n", `answered in clear (SSH, "SSH-2.0")`, "a TLS hello whose answer is not TLS"},
		{"POP3", "+OK ready\r\n", "-ERR what\r\n", `answered in clear (POP3 or the like, "-ERR")`, "a TLS hello whose answer is not TLS"},
		{"IMAP", "* OK [CAPABILITY IMAP4rev1] ready\r\n", "* BAD what\r\n", `answered in clear (IMAP, "* BAD")`, "a TLS hello whose answer is not TLS"},
		{"VNC", "RFB 003.008\n", "", `had begun in clear before that (VNC, "RFB 003.008")`, "a TLS hello to a server that had begun in clear"},
		{"MySQL", "J\x00\x00\x00\n8.0.33\x00\x09\x00\x00\x00abcdefgh\x00", "", "had begun in clear before that (MySQL)", "a TLS hello to a server that had begun in clear"},
		{"PostgreSQL", "", "E\x00\x00\x00\x2dSFATAL\x00C0A000\x00", "answered in clear (PostgreSQL)", "a TLS hello whose answer is not TLS"},
		{"IRC", ":irc.test NOTICE * :*** Looking\r\n", "ERROR :Closing link\r\n", "answered in clear (text)", "a TLS hello whose answer is not TLS"},
		{"memcached", "", "ERROR\r\n", "answered in clear (text)", "a TLS hello whose answer is not TLS"},
		{"binary", "", "\x05\xff\x00\x01\x02\x03\x09\x08", "", "a TLS hello whose answer is not TLS"},
		{"SOCKS", "", "\x05\xff", "", "a TLS hello whose answer is not TLS"},
		{"nothing", "", "", "", "a connection that the client gave up before the server answered"},
		{"echo", "", hello, "", "a TLS hello that came back to its sender"},
		{"the beginning of a record", "", "\x16\x03\x03", "", "a connection that the client gave up before the server answered"},
	} {
		d, x := capture.Decoder{}, annotate.Explainer{}
		failed, title := "", ""
		take := func(ms []capture.Message) {
			for i := range ms {
				for _, e := range x.Explain(&ms[i]) {
					if e.Summary == nil {
						continue
					}
					title = e.Summary.Legs[0].Title.English
					for _, r := range e.Summary.Legs[0].Rows {
						if r.Verdict == "failed" {
							failed = r.Says.Text
						}
					}
				}
			}
		}
		now := int64(1e18)
		feed := func(in capture.Input) { take(d.Feed(in)) }
		feed(&capture.Open{Conn: 1, SYN: true, Asked: true, Answered: true, Time: now})
		for _, part := range []struct {
			side capture.Side
			data string
		}{{capture.Server, test.before}, {capture.Client, hello}, {capture.Server, test.after}} {
			if now++; part.data != "" {
				feed(&capture.Chunk{Conn: 1, Side: part.side, Time: now, Data: []byte(part.data)})
			}
		}
		feed(&capture.Close{Conn: 1, Side: capture.Client, Time: now + 1})
		feed(&capture.Close{Conn: 1, Side: capture.Server, Time: now + 2})
		take(d.Finish())
		if (failed == "") != (test.cause == "") || !strings.Contains(failed, test.cause) {
			t.Errorf("%s: %q, not %q", test.name, failed, test.cause)
		}
		if title != test.title {
			t.Errorf("%s: %q, not %q", test.name, title, test.title)
		}
	}
}

// TestHelloReversed: a hello of the side that is to get it is told as that, whether it comes
// back, begins TLS on a connection that the other side opened, or stands there for no reason.
func TestHelloReversed(t *testing.T) {
	bytes, _ := hex.DecodeString("160301002d010000" + "290303" + strings.Repeat("00", 32) + "00" + "0002" + "1301" + "0100")
	hello := string(bytes)
	other := strings.Replace(hello, "\x00\x00\x00\x00", "\x00\x01\x02\x03", 1)
	type part struct {
		side capture.Side
		data string
	}
	for _, test := range []struct {
		want  string
		syn   bool
		parts []part
	}{
		{"hello-echoed", true, []part{{capture.Client, hello}, {capture.Server, hello}}},
		{"hello-reversed", true, []part{{capture.Client, hello}, {capture.Server, other}}},
		{"hello-roles", true, []part{{capture.Server, hello}}},
		{"hello-guessed", false, []part{{capture.Server, hello}}},
	} {
		d, x := capture.Decoder{}, annotate.Explainer{}
		said := map[string]int{}
		take := func(ms []capture.Message) {
			for i := range ms {
				for _, e := range x.Explain(&ms[i]) {
					for _, s := range e.Says {
						if s.ID == test.want || strings.HasPrefix(s.ID, "hello-") {
							said[s.ID]++
						}
					}
				}
			}
		}
		take(d.Feed(&capture.Open{Conn: 1, SYN: test.syn, Time: 1e18}))
		for _, p := range test.parts {
			take(d.Feed(&capture.Chunk{Conn: 1, Side: p.side, Time: 1e18, Data: []byte(p.data)}))
		}
		take(d.Finish())
		if len(said) != 1 || said[test.want] != 1 {
			t.Errorf("%s: %v", test.want, said)
		}
	}
}

// TestOtherCopyTold: where some of a connection came twice with different bytes, nobody is
// said to break the protocol by the copy that is read.
func TestOtherCopyTold(t *testing.T) {
	hello, _ := hex.DecodeString("160301002d010000" + "290303" + strings.Repeat("00", 32) + "00" + "0002" + "1301" + "0100")
	for _, other := range []bool{false, true} {
		d, x := capture.Decoder{}, annotate.Explainer{}
		said := map[string]bool{}
		take := func(ms []capture.Message) {
			for i := range ms {
				for _, e := range x.Explain(&ms[i]) {
					for _, s := range e.Says {
						said[s.ID] = true
					}
				}
			}
		}
		take(d.Feed(&capture.Open{Conn: 1, SYN: true, Time: 1e18}))
		take(d.Feed(&capture.Chunk{Conn: 1, Data: hello, Time: 1e18}))
		if other {
			take(d.Feed(&capture.Late{Conn: 1, Len: 10, Packet: 5, Time: 1e18, Other: true}))
		}
		take(d.Feed(&capture.Chunk{Conn: 1, Data: []byte{22, 3, 1, 0xff, 0xff, 1}, Time: 1e18}))
		take(d.Finish())
		if said["other-copy"] != other || said["malformed-copy"] != other || said["malformed"] == other {
			t.Errorf("other bytes %v: %v", other, said)
		}
	}
}
