package annotate_test

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// through makes the recording of a session through the proxy: a browser's leg
// with CONNECT before it, an origin's leg, and the proxy's facts.
func through(browser, origin *tape, leaf []byte, outcome string) []capture.Input {
	b := &tape{client: netip.MustParseAddrPort("127.0.0.1:50000"), server: netip.MustParseAddrPort("127.0.0.1:8080")}
	b.keys.Write(browser.keys.Bytes())
	b.chunks = append([]chunk{
		{capture.Client, []byte("CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n"), false},
		{capture.Server, []byte("HTTP/1.1 200 OK\r\n\r\n"), false},
	}, browser.chunks...)
	first := b.inputs(0, capture.LegBrowser)
	at := slices.IndexFunc(first, func(in capture.Input) bool { _, ok := in.(*capture.Chunk); return ok }) + 3 // after the ClientHello
	o := origin.inputs(1, capture.LegOrigin)
	now := start.UnixNano() + 4e6
	facts := []capture.Input{
		&capture.Fact{Time: now, Kind: capture.FactOriginVerified, Conn: 1, Peer: 2, Host: "shop.test", Addr: "system", Outcome: outcome},
		&capture.Fact{Time: now, Kind: capture.FactLeaf, Conn: 1, Host: "shop.test", Data: leaf, Detail: strings.Repeat("ab", 32)},
	}
	if outcome != "ok" {
		verified, minted := facts[0].(*capture.Fact), facts[1].(*capture.Fact)
		verified.Found, verified.Done = []string{outcome}, "mirrored"
		minted.Found = verified.Found
	}
	session := &capture.Fact{Time: now, Kind: capture.FactSession, Conn: 1, Peer: 2, Host: "shop.test:443"}
	opened := slices.IndexFunc(o, func(in capture.Input) bool { _, ok := in.(*capture.Open); return ok }) + 1
	// The origin's leg begins and is tied to the browser's before it speaks.
	return slices.Concat([]capture.Input{&capture.Fact{Time: start.UnixNano(), Kind: capture.FactRecording, Detail: "test"}},
		first[:at], o[:opened], []capture.Input{session}, o[opened:len(o)-2], facts, first[at:], o[len(o)-2:])
}

// leafHash is the SHA-256 of the first certificate of a tape.
func leafHash(t *testing.T, tp *tape) []byte {
	for _, m := range messages(tp.inputs(0, capture.LegNone)) {
		if b, ok := m.Body.(*handshake.Certificate); ok {
			sum := sha256.Sum256(b.Entries[0].Data)
			return sum[:]
		}
	}
	t.Fatal("no certificate")
	return nil
}

func TestThroughProxy(t *testing.T) {
	all := fixtures(t)
	browser, origin := all["tls13-full"][0], all["tls12-ecdhe"][0]
	es := events(messages(through(browser, origin, leafHash(t, browser), "ok")))
	var summaries []event.Event
	for i, e := range es {
		checkEvent(t, "proxy", &es[i])
		if e.Conn != 0 && e.Session != 1 {
			t.Errorf("event %d (%s) of connection %d is in session %d", e.N, e.Name, e.Conn, e.Session)
		}
		if e.Summary != nil {
			summaries = append(summaries, e)
		}
	}
	if len(summaries) != 1 {
		t.Fatalf("%d summaries", len(summaries))
	}
	s := summaries[0]
	if s.Host != "shop.test" || s.Session != 1 || len(s.Summary.Legs) != 2 {
		t.Fatalf("summary of %s, session %d, %d legs", s.Host, s.Session, len(s.Summary.Legs))
	}
	b, o := s.Summary.Legs[0], s.Summary.Legs[1]
	if b.Leg != "browser" || b.Conn != 1 || o.Leg != "origin" || o.Conn != 2 || b.Flow != "tls13-full" || o.Flow != "tls12-ecdhe" {
		t.Fatalf("legs %+v, %+v", b, o)
	}
	want := truthTable["tls13-full"]
	want[0] = diff // CONNECT to port 8080
	if got := legVerdicts(b); got != want {
		t.Errorf("browser's leg: %v, want %v", got, want)
	}
	if got := legVerdicts(o); got != truthTable["tls12-ecdhe"] {
		t.Errorf("origin's leg: %v", got)
	}
	for i, id := range map[int]string{0: "step-1-connect", 1: "step-2-minted-cv-proven", 2: "step-3-minted-tls13", 3: "step-4a-minted"} {
		if b.Rows[i].Says.ID != id {
			t.Errorf("browser's leg, step %s: %s", b.Rows[i].Step, b.Rows[i].Says.ID)
		}
	}
	for _, part := range []string{"port 8080 of the proxy", "CONNECT shop.test:443"} {
		if !strings.Contains(b.Rows[0].Says.Text, part) {
			t.Errorf("step 1 does not name %q: %s", part, b.Rows[0].Says.Text)
		}
	}
	if o.Rows[3].Says.ID != "step-4a-proxy-ok" {
		t.Errorf("origin's leg, step 4a: %s", o.Rows[3].Says.ID)
	}
	if !slices.ContainsFunc(b.Rows[2].Proofs, func(p event.RowProof) bool { return p.ID == "minted-leaf" && p.State == event.Proven }) {
		t.Errorf("step 3 of the browser's leg has the proofs %v", b.Rows[2].Proofs)
	}
	if got := refuted(es); len(got) != 0 {
		t.Errorf("refuted: %v", got)
	}

	// Another certificate than the proxy says it made.
	es = events(messages(through(browser, origin, make([]byte, 32), "ok")))
	if got := refuted(es); !slices.Equal(got, []string{"minted-leaf"}) {
		t.Errorf("refuted: %v", got)
	}
}

func TestRefusedThroughProxy(t *testing.T) {
	all := fixtures(t)
	browser, origin := all["failed-unknown-ca"][0], all["tls12-ecdhe"][0]
	for outcome, id := range map[string]string{"ok": "step-4a-failed-minted", "expired": "step-4a-failed-mirrored"} {
		es := events(messages(through(browser, origin, leafHash(t, browser), outcome)))
		found := false
		for _, l := range legs(es) {
			if l.Leg == "browser" {
				found = true
				if r := l.Rows[3]; r.Verdict != failed || r.Says.ID != id {
					t.Errorf("%s: step 4a is %s: %s", outcome, r.Verdict, r.Says.Text)
				}
			}
		}
		if !found {
			t.Errorf("%s: the browser's leg has no summary", outcome)
		}
	}
}

// TestTextbook: with the padded block that the proxy records, step 5 is proved
// with the public key alone, whether the block is noted before or after the message.
func TestTextbook(t *testing.T) {
	key := newRSA(t)
	s := newSite(t, key, nil)
	client := &tls.Config{RootCAs: s.roots, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}}
	tp := converse(t, client, &tls.Config{Certificates: []tls.Certificate{s.cert}, MaxVersion: tls.VersionTLS12, CipherSuites: client.CipherSuites})
	in := tp.inputs(0, capture.LegBrowser)
	var em []byte
	for _, m := range messages(in) {
		if b, ok := m.Body.(*handshake.ClientKeyExchange); ok {
			var err error
			if em, err = keys.OpenPKCS1(key, b.EncryptedPreMaster); err != nil {
				t.Fatal(err)
			}
		}
	}
	wrong := slices.Clone(em)
	wrong[100] ^= 1
	for _, test := range []struct {
		name    string
		em      []byte
		late    bool
		refuted []string
		verdict event.Verdict
	}{
		{"before", em, false, nil, lit},
		{"after", em, true, nil, lit},
		{"wrong", wrong, false, []string{"rsa-block"}, failed},
	} {
		fact := &capture.Fact{Time: start.UnixNano(), Kind: capture.FactEM, Conn: 1, Data: test.em, Outcome: "ok"}
		at := len(in) - 2
		if !test.late {
			at = slices.IndexFunc(in, func(in capture.Input) bool { _, ok := in.(*capture.Chunk); return ok })
		}
		es := events(messages(slices.Insert(slices.Clone(in), at, capture.Input(fact))))
		if got := refuted(es); !slices.Equal(got, test.refuted) {
			t.Errorf("%s: refuted %v", test.name, got)
		}
		states := make(map[string]event.ProofState)
		for _, e := range es {
			for _, p := range e.Proofs {
				states[p.ID] = p.State
			}
			if strings.Contains(fmt.Sprintf("%+v", e), fmt.Sprintf("%x", em[200:])) {
				t.Errorf("%s: event %d (%s) shows the secret", test.name, e.N, e.Name)
			}
		}
		if test.refuted == nil {
			for _, id := range []string{"rsa-block", "rsa-premaster-version", "rsa-master", "server-finished", "client-finished"} {
				if states[id] != event.Proven {
					t.Errorf("%s: %s is %s", test.name, id, states[id])
				}
			}
		}
		ls := legs(es)
		if test.late {
			continue // the summary was told before
		}
		if len(ls) != 1 || ls[0].Rows[5].Verdict != test.verdict {
			t.Errorf("%s: step 4c: %+v", test.name, ls)
		}
	}
}

// TestPassThrough: a tunnel that the proxy does not open is one conversation
// between the client and the origin.
func TestPassThrough(t *testing.T) {
	tp := fixtures(t)["tls13-full"][0]
	tp.keys.Reset()
	in := through(tp, tp, nil, "ok")
	for i := range in {
		if f, ok := in[i].(*capture.Fact); ok && f.Kind == capture.FactSession {
			in[i] = &capture.Fact{Time: f.Time, Kind: capture.FactPassThrough, Conn: 1, Peer: 2, Host: f.Host, Detail: "*.test"}
		}
	}
	in = slices.DeleteFunc(in, func(in capture.Input) bool {
		f, ok := in.(*capture.Fact)
		return ok && (f.Kind == capture.FactLeaf || f.Kind == capture.FactOriginVerified)
	})
	es := events(messages(in))
	ls := legs(es)
	if len(ls) != 2 {
		t.Fatalf("%d legs", len(ls))
	}
	for _, l := range ls {
		if text := l.Rows[2].Says.Text; !strings.HasPrefix(text, "The origin server sent a public x25519 key") {
			t.Errorf("%s leg: step 3: %s", l.Leg, text)
		}
		if l.Rows[1].Verdict != unknown {
			t.Errorf("%s leg: step 2 is %s", l.Leg, l.Rows[1].Verdict)
		}
	}
	if text := ls[0].Rows[0].Says.Text; !strings.Contains(text, "port 8080 of the proxy") {
		t.Errorf("step 1: %s", text)
	}
	for _, e := range es {
		if e.Summary != nil && (len(e.Says) == 0 || e.Says[0].ID != "summary-pass-through") {
			t.Errorf("the summary says %v", e.Says)
		}
	}
}

// TestPlainMethods: any token is a method of HTTP, and no CONNECT is told of that was not there.
func TestPlainMethods(t *testing.T) {
	for _, method := range []string{"patch", "GET", "x!y", "connect"} {
		tp := &tape{client: netip.MustParseAddrPort("127.0.0.1:50000"), server: netip.MustParseAddrPort("127.0.0.1:8080"), chunks: []chunk{
			{capture.Client, []byte(method + " http://shop.test/x HTTP/1.1\r\nHost: evil.test\r\n\r\n"), false},
			{capture.Server, []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), false},
		}}
		origin := &tape{client: netip.MustParseAddrPort("127.0.0.1:50001"), server: netip.MustParseAddrPort("127.0.0.1:80"), chunks: []chunk{
			{capture.Client, []byte(method + " /x HTTP/1.1\r\nHost: shop.test\r\n\r\n"), false}, tp.chunks[1],
		}}
		b, o := tp.inputs(0, capture.LegBrowser), origin.inputs(1, capture.LegOrigin)
		in := slices.Concat(b[:2], []capture.Input{&capture.Fact{Time: start.UnixNano(), Kind: capture.FactPlainHTTP, Conn: 1, Peer: 2, Host: "shop.test:80"}}, o, b[2:])
		es := events(messages(in))
		for _, e := range es {
			for _, s := range e.Says {
				if strings.Contains(s.Text, "CONNECT") || strings.Contains(s.Text, "evil.test") {
					t.Errorf("%s: %s", method, s.Text)
				}
			}
			if e.Host != "" && e.Host != "shop.test" {
				t.Errorf("%s: a session of %s", method, e.Host)
			}
		}
		for i, l := range legs(es) {
			if l.Flow != "http" || i == 0 && l.Rows[0].Says.ID != "step-1-plain-proxy" || strings.Contains(l.Rows[0].Says.Text, "CONNECT") {
				t.Errorf("%s: %s: %s", method, l.Flow, l.Rows[0].Says.Text)
			}
		}
	}
}

// TestPassedOn: what the recording says was passed on is not blamed on a key log, whatever lines it has of other connections.
func TestPassedOn(t *testing.T) {
	for _, outcome := range []string{"client-silent", "server-first", "not-tls"} {
		tp, other := fixtures(t)["tls13-full"][0], fixtures(t)["tls12-ecdhe"][0]
		tp.keys.Reset()
		in := []capture.Input{}
		if err := keys.ReadLog(&other.keys, func(s keys.Secret) { in = append(in, &s) }); err != nil || len(in) == 0 {
			t.Fatalf("%d keys, %v", len(in), err)
		}
		for _, i := range through(tp, tp, nil, "ok") {
			if f, ok := i.(*capture.Fact); ok {
				switch f.Kind {
				case capture.FactSession:
					in = append(in, f, &capture.Fact{Time: f.Time, Kind: capture.FactOpaque, Conn: 1, Peer: 2, Host: f.Host, Outcome: outcome})
					continue
				case capture.FactLeaf, capture.FactOriginVerified:
					continue
				}
			}
			in = append(in, i)
		}
		for _, l := range legs(events(messages(in))) {
			if len(l.Unopened) != 1 || l.Unopened[0].Reason != "passed-on" {
				t.Errorf("%s, %s leg: %+v", outcome, l.Leg, l.Unopened)
			}
		}
	}
}

func TestNoise(t *testing.T) {
	var d capture.Decoder
	x := new(annotate.Explainer)
	for host, want := range map[string]bool{"accounts.google.com:443": true, "r1---sn-x.gvt1.com:443": true, "shop.test:443": false, "notgvt1.com:443": false} {
		n := len(host) * 100
		for _, in := range []capture.Input{
			&capture.Open{Conn: n, Leg: capture.LegBrowser},
			&capture.Fact{Kind: capture.FactSession, Conn: n, Host: host},
		} {
			for _, m := range d.Feed(in) {
				for _, e := range x.Explain(&m) {
					if e.Kind == event.KindFact && e.Noise != want {
						t.Errorf("%s: noise %v", host, e.Noise)
					}
				}
			}
		}
		d, x = capture.Decoder{}, new(annotate.Explainer)
	}
}

// FuzzExplain: whatever stands in a recording, the story is told.
func FuzzExplain(f *testing.F) {
	for _, name := range []string{"tls13-full", "tls12-rsa", "mutual-tls13", "tls12-resumed-ticket", "tls13-hrr"} {
		for _, tp := range fixtures(f)[name] {
			f.Add(tp.encode(), tp.keys.Bytes())
		}
	}
	f.Fuzz(func(t *testing.T, text, keyLog []byte) {
		tp := &tape{client: netip.MustParseAddrPort("192.0.2.1:1"), server: netip.MustParseAddrPort("192.0.2.2:443")}
		tp.keys.Write(keyLog)
		for line := range strings.SplitSeq(string(text), "\n") {
			c := chunk{side: capture.Client}
			if strings.HasPrefix(line, "<") {
				c.side = capture.Server
			}
			fmt.Sscanf(strings.TrimLeft(line, "<> "), "%x", &c.data)
			if c.end = len(c.data) == 0; c.end && !strings.Contains(line, "end") {
				continue
			}
			tp.chunks = append(tp.chunks, c)
		}
		for _, leg := range []capture.Leg{capture.LegNone, capture.LegBrowser} {
			in := tp.inputs(0, leg)
			in = append(in, &capture.Fact{Kind: capture.FactClosed, Conn: 1}, &capture.Fact{Kind: capture.FactLeaf, Conn: 1}, &capture.Fact{Kind: capture.FactEM, Conn: 1, Data: text})
			for _, e := range events(messages(in)) {
				if e.Summary != nil {
					for _, l := range e.Summary.Legs {
						if len(l.Rows) != len(event.Steps) {
							t.Fatalf("%d rows", len(l.Rows))
						}
					}
				}
			}
		}
	})
}
