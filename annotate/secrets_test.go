package annotate_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/capture"

	"github.com/rogpeppe/go-internal/txtar"
)

// withSecrets explains messages and draws the key schedules.
func withSecrets(ms []capture.Message) []event.Event {
	x := &annotate.Explainer{Secrets: true}
	var out []event.Event
	for i := range ms {
		out = append(out, x.Explain(&ms[i])...)
	}
	return append(out, x.Finish()...)
}

// find walks from the top of a schedule down the IDs of a path.
func find(t *testing.T, s *event.Secrets, path string) event.Secret {
	t.Helper()
	if s == nil {
		t.Fatal("no key schedule")
	}
	list, one := s.Tree, event.Secret{}
next:
	for _, id := range strings.Fields(path) {
		for _, n := range list {
			if n.ID == id {
				one, list = n, n.Made
				continue next
			}
		}
		t.Fatalf("no %s in %s", id, path)
	}
	return one
}

// TestRFC8448 draws the schedule of the published handshake trace.
func TestRFC8448(t *testing.T) {
	a, err := txtar.ParseFile("testdata/rfc8448.txtar")
	if err != nil {
		t.Fatal(err)
	}
	es := withSecrets(messages(decodeTape(t, a.Files[1].Data, a.Files[0].Data).inputs(0, capture.LegNone)))
	s := legOf(t, es, 1).Secrets
	const hs, ap = "early derived-early handshake ", "early derived-early handshake derived-handshake master13 "
	for path, want := range map[string]string{
		"early":                                     "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a",
		"early derived-early":                       "6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba",
		"early derived-early dhe":                   "",
		"early derived-early handshake":             "",
		hs + "messages-hash":                        "860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8",
		hs + "client-handshake":                     "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
		hs + "client-handshake key":                 "dbfaa693d1762c5b666af5d950258d01",
		hs + "client-handshake iv":                  "5bd3c71b836e0b76bb73265f",
		hs + "client-handshake finished-key":        "b80ad01015fb2f0bd65ff7d4da5d6bf83f84821d1f87fdc7d3c75b5a7b42d9c4",
		hs + "client-handshake finished-key verify": "a8ec436d677634ae525ac1fcebe11a039ec17694fac6e98527b642f2edd5ce61",
		hs + "server-handshake key":                 "3fce516009c21727d0f2e4e86ee403bc",
		hs + "server-handshake iv":                  "5d313eb2671276ee13000b30",
		hs + "server-handshake finished-key":        "008d3b66f816ea559f96b537e885c31fc068bf492c652f01f288a1d8cdc19fc8",
		hs + "server-handshake finished-key verify": "9b9b141d906337fbd2cbdce71df4deda4ab42c309572cb7fffee5454b78f0718",
		ap + "messages-hash":                        "9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13",
		ap + "client-application key":               "17422dda596ed5d9acd890e3c63f5051",
		ap + "client-application iv":                "5b78923dee08579033e523d9",
		ap + "server-application key":               "9f02283b6c9c07efc26bb9f2ac92e356",
		ap + "server-application iv":                "cf782b88dd83549aadf1e984",
		ap + "exporter":                             "fe22f881176eda18eb8f44529e6792c50c9a3f89452f68d8ae311b4309d3cf50",
		ap + "resumption":                           "",
		ap + "resumption messages-hash":             "209145a96ee8e2a122ff810047cc952684658d6049e86429426db87c54ad143d",
		ap + "resumption ticket-psk ticket-nonce":   "0000",
		"client-random":                             "cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7",
	} {
		n := find(t, s, path)
		if n.Value != want || (want == "") != (n.From == event.FromNobody) {
			t.Errorf("%s: %s (%s), want %s", path, n.Value, n.From, want)
		}
		if n.From == event.FromNobody && n.Note.English == "" {
			t.Errorf("%s: not known, and no reason why", path)
		}
	}
	for _, path := range []string{hs + "client-handshake finished-key verify", hs + "server-handshake finished-key verify", ap + "client-application", ap + "server-application"} {
		if n := find(t, s, path); n.State != event.Proven {
			t.Errorf("%s: %s", path, n.State)
		}
	}
}

// TestSecrets12 checks the schedule of TLS 1.2 with openssl's PRF.
func TestSecrets12(t *testing.T) {
	prf := func(digest, secret, label, seed string, n int) string {
		out, err := exec.Command("openssl", "kdf", "-keylen", strconv.Itoa(n), "-kdfopt", "digest:"+digest, "-kdfopt", "hexsecret:"+secret,
			"-kdfopt", "hexseed:"+hex.EncodeToString([]byte(label))+seed, "-binary", "TLS1-PRF").Output()
		if err != nil {
			t.Fatalf("openssl kdf: %v", err)
		}
		return hex.EncodeToString(out)
	}
	fx := fixtures(t)
	for name, conn := range map[string]int{"tls12-ecdhe": 1, "tls12-rsa": 1, "tls12-resumed-ticket": 2} {
		t.Run(name, func(t *testing.T) {
			s := legOf(t, withSecrets(messages(inputsOf(fx[name]))), conn).Secrets
			digest := "SHA256"
			if strings.Contains(s.Schedule.English, "SHA384") {
				digest = "SHA384"
			}
			path := "pre-master master "
			if conn == 2 {
				path = "master "
			}
			master := find(t, s, path)
			cr, sr := find(t, s, "client-random").Value, find(t, s, "server-random").Value
			block := find(t, s, path+"key-block")
			if len(master.Value) != 96 || master.State != event.Proven {
				t.Fatalf("master secret: %+v", master)
			}
			if want := prf(digest, master.Value, "key expansion", sr+cr, len(block.Value)/2); block.Value != want {
				t.Errorf("key block %s, want %s", block.Value, want)
			}
			var parts string
			for _, p := range block.Made {
				parts += p.Value
			}
			if parts != block.Value || parts == "" {
				t.Errorf("the parts of the key block are %s", parts)
			}
			for id, label := range map[string]string{"client-verify": "client finished", "server-verify": "server finished"} {
				v := find(t, s, path+id)
				if want := prf(digest, master.Value, label, find(t, s, path+id+" messages-hash").Value, 12); v.Value != want || v.State != event.Proven {
					t.Errorf("%s: %s (%s), want %s", id, v.Value, v.State, want)
				}
			}
			if conn == 2 && (master.From != event.FromEarlier || find(t, s, "pre-master").From != event.FromNothing) {
				t.Errorf("the master secret is from %s", master.From)
			}
		})
	}
}

// TestCapturesSecrets draws the schedules of every capture of the collection:
// whatever is not known has a reason, and what can be compared agrees.
func TestCapturesSecrets(t *testing.T) {
	dir := collection(t)
	if dir == "" {
		return
	}
	from := make(map[event.Source]int)
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.Contains(path, ".pcap") {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		for _, e := range storyOf(t, path, true, &annotate.Explainer{Secrets: true}) {
			if e.Summary == nil {
				continue
			}
			for _, l := range e.Summary.Legs {
				if l.Secrets == nil {
					continue
				}
				if l.Secrets.Schedule.English == "" && l.Secrets.Note.English == "" {
					t.Errorf("%s: connection %d: neither a schedule nor a reason", name, l.Conn)
				}
				var check func(list []event.Secret)
				check = func(list []event.Secret) {
					for _, n := range list {
						from[n.From]++
						known := n.From != event.FromNobody && n.From != event.FromNothing
						if !known && n.Note.English == "" || known != (n.Value != "") && n.ID != "key-block" && n.ID != "ticket-nonce" || n.State == event.Refuted {
							t.Errorf("%s: connection %d: %+v", name, l.Conn, n)
						}
						check(n.Made)
					}
				}
				check(l.Secrets.Tree)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(from)
}

// TestSecretsOnlyWhenAsked looks for every secret of the key log in a story that
// did not ask for them.
func TestSecretsOnlyWhenAsked(t *testing.T) {
	for name, tapes := range fixtures(t) {
		ms := messages(inputsOf(tapes))
		tell := func(es []event.Event) string {
			var b bytes.Buffer
			j := event.NewJSON(&b)
			for i := range es {
				if err := j.Event(&es[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.Finish(); err != nil {
				t.Fatal(err)
			}
			return b.String() + render(t, es)
		}
		plain, asked := tell(events(ms)), tell(withSecrets(ms))
		shown, lines := 0, 0
		for _, tp := range tapes {
			for _, line := range strings.Split(tp.keys.String(), "\n") {
				f := strings.Fields(line)
				if len(f) != 3 || f[0] == "#" {
					continue
				}
				lines++
				if strings.Contains(plain, f[2]) {
					t.Errorf("%s: %s is shown unasked", name, f[0])
				}
				if strings.Contains(asked, f[2]) {
					shown++
				}
			}
		}
		if shown == 0 && lines > 0 {
			t.Errorf("%s: no secret is shown where they are asked for", name)
		}
	}
}
