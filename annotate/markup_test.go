package annotate_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"explainer/annotate"
	"explainer/annotate/check"
	"explainer/annotate/event"
	"explainer/annotate/har"
	"explainer/annotate/survey"
	"explainer/annotate/text"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/web"
)

// markups are what a text on the wire may hold to do something where it is read.
var markups = map[string]string{
	"CSI": "\x1b[2J\x1b[1;1H", "SGR": "\x1b[1;37;41mREFUTED\x1b[0m", "title": "\x1b]0;owned\a", "hyperlink": "\x1b]8;;https://evil.test\x1b\\x\x1b]8;;\x1b\\",
	"clipboard": "\x1b]52;c;ZXZpbA==\a", "device control": "\x1bP$q\x1b\\", "C1 CSI": "\u009b31m", "C1 OSC": "\u009d0;owned\u009c", "raw C1": "\x9b31m", "bidi override": "\u202egnp.exe\u202c",
	"bidi isolate": "\u2066a\u2069", "zero width": "a\u200b\u200d\u2060\ufeffb", "soft hyphen": "a\u00adb", "tags": "\U000e0041\U000e007f", "NUL": "a\x00b", "CR": "true\rfalse", "LF": "a\n== Session 9: bank ==", "backspace": "bad\b\b\bgood",
	"BEL": "\a\a", "DEL": "\x7f", "tab": "a\tb", "line separators": "a\u2028b\u2029c\u0085d", "overlong": "\xc0\xaf\xe0\x80\xaf", "invalid": "\xff\xfe\xed\xa0\x80", "cut": "\xe2\x82", "script": "</script><script>alert(1)</script>",
	"attribute": `" onerror="alert(1)`, "quotes": `"'\"\\`, "braces": "{{.}}${x}#{y}<%= z %>", "backtick": "`id`$(id)", "marks": "[proven: everything] [step 4a: as told] [REFUTED]",
	"entities": "&lt;b&gt;&#27;", "no shape": "\u3164\uffa0\u115f", "private": "\ue000", "no character": "\ufffe\ufdd0", "CDATA": "]]>", "comment": "--><!--", "percent": "%1b[2J%0d%0a",
}

// Whatever stands in fields that the wire controls, no output does anything but say it.
func TestMarkup(t *testing.T) {
	const place = "_PLACE__HOLDER__OF__FORTY__CHARACTERS____"
	key := newECDSA(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: place, Organization: []string{place}}, DNSNames: []string{place}, EmailAddresses: []string{place + "@a"},
		NotBefore: time.Unix(1e9, 0), NotAfter: time.Unix(2e9, 0), OCSPServer: []string{"http://" + place}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range markups {
		t.Run(name, func(t *testing.T) {
			cert := bytes.ReplaceAll(der, []byte(place), []byte((m + strings.Repeat(".", len(place)))[:len(place)]))
			var events []event.Event
			x := &annotate.Explainer{Bytes: true}
			now := int64(0)
			conns := map[int]*capture.Conn{}
			feed := func(n int, side capture.Side, body any) {
				c := conns[n]
				if c == nil {
					c = &capture.Conn{Number: n, Client: netip.MustParseAddrPort("127.0.0.1:5000"), Server: netip.MustParseAddrPort("127.0.0.1:443"), SYN: true}
					conns[n] = c
					events = append(events, x.Explain(&capture.Message{Conn: c, Body: &capture.Opened{}})...)
				}
				now += 1e6
				events = append(events, x.Explain(&capture.Message{Conn: c, Side: side, Time: now, First: 3, Last: int(now / 1e6), Body: body})...)
			}
			// HTTP, both sides.
			fields := []web.Field{{Name: "X-" + m, Value: m}, {Name: "Cookie", Value: m + "=" + m}, {Name: "Set-Cookie", Value: m}, {Name: "Authorization", Value: m + " " + m}, {Name: "Location", Value: "https://h/" + m}, {Name: "Content-Type", Value: "text/" + m}}
			feed(1, capture.Client, &web.Head{Protocol: "HTTP/1.1", Stream: 1, Request: true, Method: "G" + m, Target: "/" + m + "?" + m + "=" + m, Authority: m, Fields: fields})
			feed(1, capture.Client, &web.Body{Protocol: "HTTP/1.1", Stream: 1, Request: true, Len: 9, Type: "application/json", Preview: []byte(`{"` + m + `":"` + m + `"}`), Complete: true})
			feed(1, capture.Server, &web.Head{Protocol: "HTTP/1.1", Stream: 1, Method: "G", Status: 200, Reason: m, Fields: fields})
			feed(1, capture.Server, &web.Body{Protocol: "HTTP/1.1", Stream: 1, Len: 9, Coding: m, Type: "text/html;" + m, Preview: []byte("<html><b>" + m + "</b>" + m), PreviewErr: m, Trailers: fields, Complete: true})
			feed(1, capture.Server, &web.Frame{Protocol: "HTTP/2", Type: "PUSH_PROMISE", Stream: 1, Detail: fields})
			feed(1, capture.Server, &web.Frame{Protocol: "HTTP/2", Type: "GOAWAY", Detail: []web.Field{{Name: "debug", Value: m}}})
			feed(1, capture.Client, &web.Frame{Protocol: "HTTP/3", Type: "INSERT_WITH_LITERAL_NAME", Stream: 2, Detail: append([]web.Field{{Name: "index", Value: "0"}}, fields...)})
			for _, why := range []string{"missing-insert", "missing-settings", "too-much-waits"} {
				feed(1, capture.Server, &web.Frame{Protocol: "HTTP/3", Type: "HEADERS", Unread: why, Detail: fields})
			}
			feed(1, capture.Server, &web.Body{Protocol: "HTTP/3", Len: 9, Missing: 3, Complete: true})
			feed(1, capture.Server, &web.Unparsed{Protocol: "HTTP/3", Stream: 4, Len: 9, Preview: []byte(m), Why: "malformed-qpack"})
			feed(1, capture.Server, &web.WebSocket{Opcode: 1, Fin: true, Len: 9, Preview: []byte(`{"` + m + `":1}`)})
			feed(1, capture.Server, &web.WebSocket{Opcode: 8, Fin: true, Len: 9, Code: 1000, Preview: []byte(m)})
			feed(1, capture.Server, &web.Switched{Protocol: m})
			feed(1, capture.Server, &web.Unparsed{Len: 9, Preview: []byte(m), Why: m})
			feed(2, capture.Client, &web.Head{Protocol: "HTTP/1.1", Stream: 1, Request: true, Method: "CONNECT", Target: m + ":443", Authority: m})
			// TLS.
			feed(2, capture.Server, &web.Switched{Protocol: "tunnel", Target: m + ":443"})
			feed(3, capture.Client, &capture.StartTLS{Protocol: "SMTP", Request: "STARTTLS " + m, Answer: "220 " + m, Target: ""})
			feed(3, capture.Client, &handshake.ClientHello{LegacyVersion: 0x303, CipherSuites: []uint16{0xc02f}, Extensions: []handshake.Extension{{ID: 0, Value: handshake.ServerName(m)}, {ID: 16, Value: handshake.ALPN{m, "h2"}}, {ID: 99, Data: []byte(m), Err: m}}})
			feed(3, capture.Server, &handshake.ServerHello{LegacyVersion: 0x303, CipherSuite: 0xc02f, Extensions: []handshake.Extension{{ID: 16, Value: handshake.ALPN{m}}}})
			feed(3, capture.Server, &handshake.Certificate{Entries: []handshake.CertificateEntry{{Data: cert}}})
			feed(3, capture.Client, &capture.Alert{Level: 2, Description: 42})
			for _, kind := range []capture.FactKind{capture.FactDialFailed, capture.FactLookupFailed, capture.FactTLSFailed, capture.FactOwnAnswer, capture.FactOriginVerified, capture.FactRefused, capture.FactPassThrough, capture.FactName, capture.FactCase, capture.FactClosed} {
				f := capture.Fact{Kind: kind, Conn: 3, Host: m, Addr: m, Outcome: m, Detail: m, Found: []string{m}, Done: m}
				events = append(events, x.Explain(&capture.Message{Time: now, Body: &f})...)
			}
			for n := range conns {
				feed(n, capture.Client, &capture.Closed{})
				feed(n, capture.Server, &capture.Closed{})
			}
			events = append(events, x.Finish()...)

			var survey survey.Survey
			var line, blocks, archive bytes.Buffer
			jsonOut := event.NewJSON(&line)
			var comments text.Comments
			texts := map[string]string{}
			for i := range events {
				survey.Add(&events[i])
			}
			events = append(events, *survey.Overview(event.File{Files: 1}))
			har := har.New(func(_ int, _ time.Time, entry []byte) error { archive.Write(append(entry, '\n')); return nil })
			for _, width := range []int{0, 60} {
				for _, messages := range []bool{false, true} {
					var b bytes.Buffer
					text := text.New(&b)
					text.Messages, text.Width, text.All = messages, width, true
					for i := range events {
						text.Event(&events[i])
					}
					text.Finish()
					texts[fmt.Sprint("text ", width, messages)] = b.String()
				}
			}
			told := text.NewBlocks(func(_ int, text []byte) error { blocks.Write(text); return nil })
			for i := range events {
				told.Event(&events[i])
				jsonOut.Event(&events[i])
				comments.Event(&events[i])
				if err := har.Event(&events[i]); err != nil {
					t.Fatal(err)
				}
			}
			told.Finish()
			jsonOut.Finish()
			har.Finish()
			texts["blocks"], texts["JSON"], texts["HAR"] = blocks.String(), line.String(), archive.String()+har.Head("1")+har.Foot()
			for n := range int(now/1e6) + 1 {
				texts["comments"] += comments.Packet(n) + "\n"
			}
			j := &check.Judge{}
			for _, f := range []capture.Fact{
				capture.NewRunFact(capture.RunPlan, "", "", &capture.CheckPlan{Mode: "run", Command: []string{m, m}, Host: m, Trust: "none", TLS: []string{"TLS 1.3"}, Tries: 1, Cases: []string{"expired"}}),
				capture.NewRunFact(capture.RunBegin, "1", "expired", &capture.CheckRun{TLS: "TLS 1.3", Try: 1, Listen: []string{"127.0.0.1:443"}}),
				{Kind: capture.FactCase, Conn: 9, Outcome: "expired", Addr: "TLS 1.3", Detail: "1"},
			} {
				j.Feed(&capture.Message{Body: &f})
			}
			c := &capture.Conn{Number: 9, Leg: capture.LegBrowser, Server: netip.MustParseAddrPort("127.0.0.1:443")}
			for _, body := range []any{&capture.Opened{}, &handshake.ClientHello{}, &handshake.ServerHello{LegacyVersion: 0x304}, &handshake.Certificate{}, &handshake.Finished{}, &capture.AppData{Len: 9}, &web.Head{Request: true, Method: "GET", Target: "/" + m, Authority: m, Fields: fields}, &web.Body{Request: true, Len: 9, Type: "text/html", Preview: []byte("<html>" + m)}} {
				side := capture.Client
				if _, ok := body.(*handshake.ServerHello); ok {
					side = capture.Server
				}
				j.Feed(&capture.Message{Conn: c, Side: side, Inner: true, Opened: true, Body: body})
			}
			end := capture.NewRunFact(capture.RunEnd, "1", "expired", &capture.CheckRun{TLS: "TLS 1.3", Try: 1, Exit: 1, Said: m})
			j.Feed(&capture.Message{Body: &end})
			var reportText, reportJSON, reportXML bytes.Buffer
			report := j.Report()
			table := text.New(&reportText)
			report.Text(table, true)
			table.Flush()
			report.JSON(&reportJSON)
			report.JUnit(&reportXML)
			texts["check"], texts["check JSON"], texts["check JUnit"] = reportText.String(), reportJSON.String(), reportXML.String()

			for what, text := range texts {
				if text == "" {
					t.Errorf("%s: nothing is told", what)
				}
				if !utf8.ValidString(text) {
					t.Errorf("%s: no UTF-8", what)
				}
				for _, r := range text {
					if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029') {
						i := strings.IndexRune(text, r)
						t.Errorf("%s: %U in %q", what, r, text[max(0, i-60):min(len(text), i+20)])
						break
					}
				}
				if strings.Contains(what, "JSON") || what == "HAR" {
					continue
				}
				if i := strings.Index(text, "\n== Session 9"); i >= 0 || strings.Contains(text, "\t") && what != "check JUnit" {
					t.Errorf("%s: what the wire says makes a line of its own", what)
				}
				if name == "marks" && (strings.Contains(text, " [proven: everything") || strings.Contains(text, " [step 4a: as told]")) && what != "check JUnit" {
					t.Errorf("%s: what the wire says passes for a mark of ours", what)
				}
			}
			// JSON says what the events hold.
			n := 0
			if err := event.ReadJSON(&line, func(e *event.Event) error {
				for i, f := range e.Fields {
					if want := strings.ToValidUTF8(events[n].Fields[i].Value.English, "\ufffd"); f.Value.English != want && utf8.ValidString(events[n].Fields[i].Value.English) {
						t.Errorf("%s: %q, not %q", f.Name, f.Value, want)
					}
				}
				n++
				return nil
			}); err != nil || n != len(events) {
				t.Errorf("%d events of %d, %v", n, len(events), err)
			}
			for entry := range bytes.Lines(archive.Bytes()) {
				if !json.Valid(entry) {
					t.Errorf("HAR: %s", entry)
				}
			}
		})
	}
}
