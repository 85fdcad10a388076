package annotate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/handshake"

	"github.com/rogpeppe/go-internal/txtar"
)

// retell writes events for a person who reads the golden stories.
func retell(es []event.Event) string {
	var b strings.Builder
	for _, e := range es {
		fmt.Fprintf(&b, "%d %s", e.N, e.Kind)
		if e.Conn != 0 {
			fmt.Fprintf(&b, " %d", e.Conn)
		}
		if e.From != "" {
			fmt.Fprintf(&b, " %s", e.From)
		}
		fmt.Fprintf(&b, ": %s", e.Name)
		for _, m := range e.Steps {
			fmt.Fprintf(&b, " [%s %s]", m.Step, m.Verdict)
		}
		if e.Brief.English != "" {
			fmt.Fprintf(&b, " | %s", e.Brief)
		}
		b.WriteByte('\n')
		for _, s := range e.Says {
			fmt.Fprintf(&b, "    (%s) %s\n", s.Evidence, s.Text)
		}
		for _, p := range e.Proofs {
			fmt.Fprintf(&b, "    %s: %s %s\n", p.State, p.ID, p.Reason)
		}
		if e.Summary == nil {
			continue
		}
		fmt.Fprintf(&b, "    %s\n", e.Summary.Flow)
		for _, l := range e.Summary.Legs {
			fmt.Fprintf(&b, "    connection %d: %s: %s\n", l.Conn, l.Flow, l.Title)
			for _, r := range l.Rows {
				fmt.Fprintf(&b, "      %-3s %-12s %s", r.Step, r.Verdict, r.Says.Text)
				for _, p := range r.Proofs {
					fmt.Fprintf(&b, " [%s: %s]", p.State, p.ID)
				}
				b.WriteByte('\n')
			}
		}
	}
	return b.String()
}

// TestStories compares each fixture's story with the one in its file. After a
// change of words, go test -update writes them anew: the difference is the review.
func TestStories(t *testing.T) {
	for name, tapes := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			es := events(messages(inputsOf(tapes)))
			for i := range es {
				checkEvent(t, name, &es[i])
			}
			got := retell(es)
			path := filepath.Join("testdata", name+".txt")
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "story" })
			if *update {
				if i >= 0 {
					a.Files = slices.Delete(a.Files, i, i+1)
				}
				a.Files = append(a.Files, txtar.File{Name: "story", Data: []byte(got)})
				if err := os.WriteFile(path, txtar.Format(a), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if i < 0 {
				t.Fatal("no story in the file; run go test -update")
			}
			if want := string(a.Files[i].Data); got != want {
				g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
				for j := range min(len(g), len(w)) {
					if g[j] != w[j] {
						t.Fatalf("line %d of the story:\n got %s\nwant %s", j+1, g[j], w[j])
					}
				}
				t.Fatalf("the story has %d lines, want %d", len(g), len(w))
			}
		})
	}
}

// The verdicts of the truth table, in the order of the steps.
const (
	lit, diff, impl, prior, abs = event.AsTold, event.Differently, event.Unseen, event.Inherited, event.Absent
	failed, nr, unknown         = event.Failed, event.NotReached, event.Unknown
)

type verdicts [11]event.Verdict

// truthTable is matrix 2.1 of the truth table, written down a second time.
var truthTable = map[string]verdicts{
	"tls12-rsa":            {lit, impl, lit, impl, diff, lit, lit, impl, diff, lit, impl},
	"tls12-dhe":            {lit, impl, diff, impl, diff, abs, diff, abs, diff, lit, impl},
	"tls12-ecdhe":          {lit, impl, diff, impl, diff, abs, diff, abs, diff, lit, impl},
	"tls12-resumed-id":     {lit, prior, abs, prior, abs, abs, abs, abs, diff, lit, impl},
	"tls12-resumed-ticket": {lit, prior, abs, prior, abs, abs, diff, diff, diff, lit, impl},
	"tls13-full":           {lit, impl, diff, impl, diff, abs, diff, abs, diff, lit, impl},
	"tls13-mlkem":          {lit, impl, diff, impl, diff, diff, diff, diff, diff, lit, impl},
	"tls13-hrr":            {lit, impl, diff, impl, diff, abs, diff, abs, diff, lit, impl},
	"tls13-psk-dhe":        {lit, prior, diff, prior, diff, abs, diff, abs, diff, lit, impl},
	"tls13-psk":            {lit, prior, abs, prior, abs, abs, diff, abs, diff, lit, impl},
	"tls13-0rtt":           {lit, prior, diff, prior, diff, abs, diff, abs, diff, lit, impl}, // with a fresh key exchange for what follows
	"psk":                  {lit, abs, abs, abs, diff, abs, diff, abs, diff, lit, impl},
	// As psk, but that the server does send a public key, for this connection alone.
	"psk-dhe": {lit, abs, diff, abs, diff, abs, diff, abs, diff, lit, impl},
	// RSA key transport beside it: the server does have a lasting key pair, and opens what is sent.
	"psk-rsa": {lit, impl, lit, impl, diff, lit, lit, impl, diff, lit, impl},
	"http":    {diff, abs, abs, abs, abs, abs, abs, abs, abs, abs, abs},
}

func legVerdicts(l event.Leg) verdicts {
	var v verdicts
	for i, r := range l.Rows {
		v[i] = r.Verdict
	}
	return v
}

// legs are the legs of all summaries.
func legs(es []event.Event) []event.Leg {
	var out []event.Leg
	for _, e := range es {
		if e.Summary != nil {
			out = append(out, e.Summary.Legs...)
		}
	}
	return out
}

// TestMatrix asserts the rows of the truth table on real handshakes: those of
// crypto/tls, and, where the collection of captures is there, of other programs.
func TestMatrix(t *testing.T) {
	seen := make(map[string]bool)
	check := func(where string, l event.Leg, want verdicts) {
		t.Helper()
		seen[l.Flow] = true
		if got := legVerdicts(l); got != want {
			t.Errorf("%s: %s\n got %v\nwant %v", where, l.Flow, got, want)
		}
	}
	all := fixtures(t)
	for flow, want := range truthTable {
		if tapes := all[flow]; tapes != nil {
			ls := legs(events(messages(inputsOf(tapes))))
			if len(ls) != len(tapes) || ls[len(ls)-1].Flow != flow {
				t.Errorf("%s: legs %v", flow, ls)
				continue
			}
			check("fixture", ls[len(ls)-1], want)
		}
	}
	for name, want := range map[string]verdicts{
		"mutual-tls12":              truthTable["tls12-ecdhe"],
		"mutual-tls13":              truthTable["tls13-full"],
		"careless-wrong-name":       truthTable["tls13-full"],
		"failed-unknown-ca":         {lit, impl, diff, failed, diff, abs, diff, abs, diff, nr, nr},
		"failed-expired":            {lit, impl, diff, failed, nr, nr, nr, nr, nr, nr, nr},
		"failed-version":            {failed, nr, nr, nr, nr, nr, nr, nr, nr, nr, nr},
		"failed-client-certificate": {lit, impl, diff, impl, diff, abs, diff, abs, diff, failed, nr},
	} {
		ls := legs(events(messages(inputsOf(all[name]))))
		if len(ls) != 1 {
			t.Errorf("%s: %d legs", name, len(ls))
			continue
		}
		check(name, ls[0], want)
	}
	for name := range recordedStories {
		for _, l := range legs(story(t, filepath.Join(ownRecordings, name+".pcapng"), true)) {
			check(name, l, truthTable[l.Flow])
		}
	}
	dir := collection(t)
	if dir == "" {
		return
	}
	for name, flows := range map[string][]string{
		"tls12-dhe-rsa-aes256gcm":              {"tls12-dhe"},
		"tls12-rsa-aes128gcm-sha256":           {"tls12-rsa"},
		"tls10-rsa-aes128-sha":                 {"tls12-rsa"},
		"tls11-rsa-aes128-sha":                 {"tls12-rsa"},
		"tls12-resume-sessionid":               {"tls12-ecdhe", "tls12-resumed-id"},
		"tls12-resume-ticket-rsa-kx":           {"tls12-rsa", "tls12-resumed-ticket"},
		"tls12-psk-aes128gcm":                  {"psk"},
		"tls13-external-psk":                   {"psk-dhe"},
		"tls13-hrr-p384":                       {"tls13-hrr"},
		"tls13-psk-dhe-resume":                 {"tls13-full", "tls13-psk-dhe"},
		"tls13-0rtt-accepted":                  {"tls13-full", "tls13-0rtt"},
		"fail-plain-http-to-tls-port":          {"http"},
		"chromium156-go-x25519mlkem768-h2":     {"tls13-mlkem", "tls13-mlkem", "tls13-mlkem", "tls13-mlkem"},
		"chromium156-textbook-rsa-kx-nginx-h1": nil,
	} {
		for i, l := range legs(story(t, filepath.Join(dir, "made-here", name+".pcapng"), true)) {
			if flows != nil && (i >= len(flows) || l.Flow != flows[i]) {
				t.Errorf("%s: leg %d is %s", name, i, l.Flow)
			}
			want := truthTable[l.Flow]
			if name == "tls13-0rtt-accepted" && i == 1 {
				want[9], want[10] = nr, nr // the server sends nothing
			}
			check(name, l, want)
		}
	}
	for flow := range truthTable {
		if !seen[flow] {
			t.Errorf("no handshake for %s", flow)
		}
	}
}

// TestDeterminism: the same messages give the same events, and events survive JSON.
func TestDeterminism(t *testing.T) {
	for name, tapes := range fixtures(t) {
		first, second := events(messages(inputsOf(tapes))), events(messages(inputsOf(tapes)))
		if !reflect.DeepEqual(first, second) {
			t.Errorf("%s: told twice, the events differ", name)
		}
		for _, e := range first {
			line, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			var back event.Event
			if err := json.Unmarshal(line, &back); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(back)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(line, again) {
				t.Errorf("%s: event %d changes in JSON:\n%s\n%s", name, e.N, line, again)
			}
		}
	}
}

// refuted lists the refuted proofs of a story.
func refuted(es []event.Event) []string {
	var out []string
	for _, e := range es {
		for _, p := range e.Proofs {
			if p.State == event.Refuted {
				out = append(out, p.ID)
				if len(e.Says) == 0 || e.Says[0].ID != "proof-refuted" {
					out = append(out, "not loud")
				}
			}
		}
	}
	return out
}

// TestTampered: whoever changes a message is found out, loudly, and the step's
// verdict carries it.
func TestTampered(t *testing.T) {
	flip := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[len(b)-1] ^= 1
		return b
	}
	all := fixtures(t)
	for _, test := range []struct {
		name, fixture string
		change        func(*capture.Message)
		want          []string
		step          event.Step // whose verdict must be failed
	}{
		{"SKE signature", "tls12-ecdhe", func(m *capture.Message) {
			if b, ok := m.Body.(*handshake.ServerKeyExchange); ok {
				c := *b
				c.Signature = flip(b.Signature)
				m.Body = &c
			}
		}, []string{"server-key-exchange-signature"}, event.Step2},
		{"SKE parameters", "tls12-ecdhe", func(m *capture.Message) {
			if b, ok := m.Body.(*handshake.ServerKeyExchange); ok {
				c := *b
				c.Params = flip(b.Params)
				m.Body = &c
			}
		}, []string{"server-key-exchange-signature"}, event.Step2},
		{"CertificateVerify", "tls13-full", func(m *capture.Message) {
			if b, ok := m.Body.(*handshake.CertificateVerify); ok {
				c := *b
				c.Signature = flip(b.Signature)
				m.Body = &c
			}
		}, []string{"server-certificate-verify"}, event.Step2},
		{"transcript", "tls13-full", func(m *capture.Message) {
			if _, ok := m.Body.(*handshake.EncryptedExtensions); ok {
				m.Raw = flip(m.Raw)
			}
		}, []string{"server-certificate-verify", "server-finished", "client-finished"}, event.Step2},
		{"transcript after a HelloRetryRequest", "tls13-hrr", func(m *capture.Message) {
			if b, ok := m.Body.(*handshake.ServerHello); ok && b.Retry {
				m.Raw = flip(m.Raw)
			}
		}, []string{"server-certificate-verify", "server-finished", "client-finished"}, event.Step2},
		{"server Finished", "tls12-rsa", func(m *capture.Message) {
			if b, ok := m.Body.(*handshake.Finished); ok && m.Side == capture.Server {
				m.Body = &handshake.Finished{VerifyData: flip(b.VerifyData)}
			}
		}, []string{"server-finished"}, event.Step6a},
		{"client Finished", "tls12-rsa", func(m *capture.Message) {
			if b, ok := m.Body.(*handshake.Finished); ok && m.Side == capture.Client {
				m.Body = &handshake.Finished{VerifyData: flip(b.VerifyData)}
			}
		}, []string{"client-finished"}, event.Step5},
		{"certificate", "tls13-full", func(m *capture.Message) {
			if b, ok := m.Body.(*handshake.Certificate); ok {
				c := *b
				c.Entries = slices.Clone(b.Entries)
				c.Entries[0].Data = flip(c.Entries[0].Data)
				m.Body = &c
			}
		}, []string{"certificate-links"}, event.Step4a},
		{"client CertificateVerify", "mutual-tls12", func(m *capture.Message) {
			if b, ok := m.Body.(*handshake.CertificateVerify); ok {
				c := *b
				c.Signature = flip(b.Signature)
				m.Body = &c
			}
		}, []string{"client-certificate-verify"}, ""},
	} {
		ms := messages(inputsOf(all[test.fixture]))
		for i := range ms {
			test.change(&ms[i])
		}
		es := events(ms)
		if got := refuted(es); !slices.Equal(got, test.want) {
			t.Errorf("%s: refuted %v, want %v", test.name, got, test.want)
		}
		for _, l := range legs(es) {
			for _, r := range l.Rows {
				if r.Step == test.step && (r.Verdict != event.Failed || !strings.HasPrefix(r.Says.Text, "REFUTED")) {
					t.Errorf("%s: step %s is told as %s: %s", test.name, r.Step, r.Verdict, r.Says.Text)
				}
			}
		}
	}
	for name, tapes := range all {
		if got := refuted(events(messages(inputsOf(tapes)))); len(got) != 0 {
			t.Errorf("%s: refuted %v in a true recording", name, got)
		}
	}
}

// TestTamperedRecord: a record that was changed on the way is refuted by its
// check, if records before it opened with the same key.
func TestTamperedRecord(t *testing.T) {
	all := fixtures(t)
	for _, name := range []string{"tls13-full", "tls12-ecdhe", "tls12-rsa"} {
		for side, want := range []string{"client-records", "server-records"} {
			in := inputsOf(all[name])
			for i := len(in) - 1; i >= 0; i-- {
				if c, ok := in[i].(*capture.Chunk); ok && int(c.Side) == side {
					changed := *c
					changed.Data = bytes.Clone(c.Data)
					changed.Data[len(changed.Data)-1] ^= 1
					in[i] = &changed
					break
				}
			}
			es := events(messages(in))
			if got := refuted(es); !slices.Equal(got, []string{want}) {
				t.Errorf("%s: refuted %v, want %s", name, got, want)
			}
			for _, e := range es {
				for _, p := range e.Proofs {
					if p.ID == want && p.State == event.Proven {
						t.Errorf("%s: %s is proven all the same", name, want)
					}
				}
			}
		}
	}
}

// TestReused: a public value that comes again in another handshake is not fresh;
// the same handshake seen on both sides of somebody who passes it on is no proof of that.
func TestReused(t *testing.T) {
	for _, test := range []struct {
		random byte
		want   int
	}{{0, 0}, {1, 2}} { // the keys of server and client
		ms := messages(inputsOf(fixtures(t)["tls12-ecdhe"]))
		var second capture.Conn
		for _, m := range slices.Clone(ms) {
			if m.Conn == nil {
				continue
			}
			second = *m.Conn
			second.Number = 2
			m.Conn = &second
			if b, ok := m.Body.(*handshake.ClientHello); ok {
				c := *b
				c.Random[0] ^= test.random
				m.Body = &c
			}
			if k, ok := m.Body.(*capture.Keyed); ok {
				c := *k
				c.ClientRandom[0] ^= test.random
				m.Body = &c
			}
			ms = append(ms, m)
		}
		n := 0
		for _, e := range events(ms) {
			for _, s := range e.Says {
				if s.ID == "key-reused" {
					n++
				}
			}
		}
		if n < test.want || test.want == 0 && n != 0 {
			t.Errorf("random changed by %d: told %d times that a key is not fresh, want %d", test.random, n, test.want)
		}
	}
}

// TestIncomplete: what is missing makes a proof uncheckable, never false.
func TestIncomplete(t *testing.T) {
	for name, tapes := range fixtures(t) {
		in := inputsOf(tapes)
		for skip := range in {
			c, ok := in[skip].(*capture.Chunk)
			if !ok {
				continue
			}
			cut := slices.Clone(in)
			cut[skip] = &capture.Gap{Conn: c.Conn, Side: c.Side, Time: c.Time, Packet: c.Packet, Len: int64(len(c.Data))}
			es := events(messages(cut))
			if got := refuted(es); len(got) != 0 {
				t.Errorf("%s without chunk %d: refuted %v", name, skip, got)
			}
			for i := range es {
				checkEvent(t, name, &es[i])
			}
		}
		// Without the keys.
		in = slices.DeleteFunc(in, func(in capture.Input) bool { _, ok := in.(*capture.Secret); return ok })
		es := events(messages(in))
		if got := refuted(es); len(got) != 0 {
			t.Errorf("%s without keys: refuted %v", name, got)
		}
		for i := range es {
			checkEvent(t, name, &es[i])
		}
		// From the middle.
		for from := 1; from < len(in); from++ {
			if got := refuted(events(messages(in[from:]))); len(got) != 0 {
				t.Errorf("%s from input %d on: refuted %v", name, from, got)
			}
		}
	}
}

// TestFake: a VPN that replays certificates of others is refuted at step 2.
func TestFake(t *testing.T) {
	dir := collection(t)
	if dir == "" {
		return
	}
	n := 0
	for _, l := range legs(story(t, filepath.Join(dir, "mercury", "unit_tests__pcaps__faketls_potatovpn.pcap"), true)) {
		if l.Flow != "unknown" {
			n++
			if l.Rows[1].Verdict != event.Failed {
				t.Errorf("connection %d: step 2 is told as %s", l.Conn, l.Rows[1].Verdict)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d connections with a certificate, want 2", n)
	}
}
