package capture_test

import (
	"crypto/tls"
	"testing"

	"explainer/capture"
	"explainer/capture/keys"
)

// generations are connections of TLS 1.2 in which each takes up the session of
// the one before with the ticket that it was given there.
func generations(t *testing.T, n int) []*tape {
	t.Helper()
	cc := &tls.Config{MaxVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	sc := &tls.Config{MaxVersion: tls.VersionTLS12}
	sc.Certificates = []tls.Certificate{certificates().rsa}
	// A key that is not the newest makes the server hand out a new ticket each time.
	all := make([]*tape, n)
	for i := range all {
		keys := [][32]byte{{byte(i + 1)}}
		if i > 0 {
			keys = append(keys, [32]byte{byte(i)})
		}
		sc.SetSessionTicketKeys(keys)
		all[i] = new(tape)
		all[i].converse(t, cc, sc, func(client, server *tls.Conn) error {
			if err := exchange("hello")(client, server); err != nil {
				return err
			}
			if resumed := client.ConnectionState().DidResume; resumed != (i > 0) {
				t.Errorf("connection %d: resumed %v", i+1, resumed)
			}
			return nil
		})
	}
	return all
}

// together are the inputs of several recordings, their connections numbered from 1.
func together(tapes []*tape) (in []capture.Input) {
	for i, r := range tapes {
		for _, one := range r.inputs(0) {
			switch one := one.(type) {
			case *capture.Open:
				o := *one
				o.Conn = i + 1
				in = append(in, &o)
			case *capture.Chunk:
				c := *one
				c.Conn = i + 1
				in = append(in, &c)
			case *capture.Close:
				c := *one
				c.Conn = i + 1
				in = append(in, &c)
			case *capture.Secret:
				in = append(in, one)
			}
		}
	}
	return in
}

// openedBy counts, by connection, what was opened with what.
func openedBy(all []capture.Message) map[int]map[string]bool {
	out := make(map[int]map[string]bool)
	for _, m := range all {
		if m.Conn == nil {
			continue
		}
		if out[m.Conn.Number] == nil {
			out[m.Conn.Number] = make(map[string]bool)
		}
		if m.Opened {
			out[m.Conn.Number][m.By] = true
		}
		if s, ok := m.Body.(*capture.Sealed); ok {
			out[m.Conn.Number][s.Reason] = true
		}
	}
	return out
}

// TestResumedSessions opens connections that take up a session with the master
// secret of the one that began it: Go logs no key for them.
func TestResumedSessions(t *testing.T) {
	tapes := generations(t, 4)
	if len(tapes[0].secrets) == 0 || len(tapes[1].secrets)+len(tapes[2].secrets)+len(tapes[3].secrets) != 0 {
		t.Fatal("only the first connection should have a key log line")
	}
	for _, first := range []bool{true, false} {
		got := openedBy(decode(t, &capture.Decoder{SecretsFirst: first}, together(tapes)))
		for n := 1; n <= len(tapes); n++ {
			want := capture.OpenedByResumed
			if n == 1 {
				want = "CLIENT_RANDOM"
			}
			if len(got[n]) != 1 || !got[n][want] {
				t.Errorf("secrets first %v: connection %d: %v, want %v", first, n, got[n], want)
			}
		}
	}

	// Without the second one nobody knows where the third one's ticket comes from.
	got := openedBy(decode(t, &capture.Decoder{SecretsFirst: true}, together([]*tape{tapes[0], tapes[2], tapes[3]})))
	for n := 2; n <= 3; n++ {
		if len(got[n]) != 1 || !got[n][capture.SealedNoKey] {
			t.Errorf("connection %d without its parent: %v", n, got[n])
		}
	}

	// A wrong line for the first one is the first one's fault alone.
	wrong := &tape{chunks: tapes[0].chunks}
	wrong.secrets = []keys.Secret{{Label: "CLIENT_RANDOM", ClientRandom: tapes[0].secrets[0].ClientRandom, Secret: make([]byte, 48)}}
	got = openedBy(decode(t, &capture.Decoder{SecretsFirst: true}, together([]*tape{wrong, tapes[1]})))
	if !got[1][capture.SealedBadTag] || len(got[2]) != 1 || !got[2][capture.SealedNoKey] {
		t.Errorf("with a wrong master secret: %v", got)
	}
}
