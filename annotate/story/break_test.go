package story

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
)

// recordings of ours by their folder.
const recordings = "../../capture/testdata/recordings"

func specimen(t *testing.T, path string, conn, packet int) *Specimen {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	of, err := TakeSpecimen(s.Recording(nil), conn, packet, SpecimenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return of
}

func broke(t *testing.T, s *Specimen, c Change) *event.Comparison {
	t.Helper()
	b, err := s.Break(c)
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	return b.Comparison
}

func states(c *event.Comparison) map[string]event.ProofState {
	all := map[string]event.ProofState{}
	for _, p := range c.Proofs {
		all[p.ID] = p.Is
	}
	return all
}

func alerts(c *event.Comparison) (all []string) {
	for _, n := range c.Notices {
		all = append(all, n.By+" "+n.Alert)
	}
	return all
}

// TestBreak: what each kind of change does to the proofs, and what the rules say of it.
func TestBreak(t *testing.T) {
	const (
		fin  = event.Refuted
		gone = event.ProofState("")
	)
	for _, of := range []struct {
		name   string
		file   string
		conn   int
		change Change
		states map[string]event.ProofState
		alerts []string
		says   string
	}{
		{"a hello of TLS 1.3", "tls13-aes128-gcm", 0, Flip{Packet: 4, Offset: 60, To: 0xff},
			map[string]event.ProofState{"server-certificate-verify": fin, "server-finished": fin, "client-finished": fin}, []string{"client bad_record_mac"}, "break-behind"},
		{"the random number of TLS 1.3's client", "tls13-aes128-gcm", 0, Flip{Packet: 4, Offset: 11, To: 0xff},
			map[string]event.ProofState{"server-finished": gone}, []string{"client bad_record_mac"}, "break-behind"},
		{"a sealed record", "tls13-aes128-gcm", 0, Flip{Packet: 5, Offset: 200, To: 0xff},
			map[string]event.ProofState{"server-certificate-verify": gone, "server-finished": gone}, []string{"client bad_record_mac"}, "break-behind"},
		{"inside the certificate", "tls13-aes128-gcm", 0, Flip{Packet: 5, Offset: 480, To: 0xff, Inside: true},
			map[string]event.ProofState{"server-certificate-verify": fin, "server-finished": fin, "client-finished": fin}, nil, "break-behind"},
		{"inside data", "tls13-aes128-gcm", 0, Flip{Packet: 9, Offset: 3, To: 'X', Inside: true}, nil, []string{}, "break-inside"},
		{"a record's version", "tls13-aes128-gcm", 0, Flip{Packet: 4, Offset: 2, To: 0x02}, nil, nil, "break-record-version-13"},
		{"a key left away", "tls13-aes128-gcm", 0, Without{"SERVER_HANDSHAKE_TRAFFIC_SECRET"},
			map[string]event.ProofState{"server-certificate-verify": gone, "client-finished": event.NotCheckable}, nil, "break-keys-are-ours"},
		{"a master secret left away", "tls12-rsa-aes128-gcm", 0, Without{"CLIENT_RANDOM"}, map[string]event.ProofState{"rsa-master": event.NotCheckable}, nil, "break-keys-are-ours"},
		{"an ephemeral key", "tls12-ecdhe-no-ems", 0, Flip{Packet: 5, Offset: 1100, To: 0x5a}, map[string]event.ProofState{"server-key-exchange-signature": fin}, []string{"client decrypt_error", "server decrypt_error"}, "break-behind"},
		{"a binder", "tls13-psk-dhe", 2, Flip{Packet: 16, Offset: 480, To: 0xff},
			map[string]event.ProofState{"server-finished": fin, "client-finished": fin}, []string{"server decrypt_error", "client bad_record_mac"}, "break-behind"},
	} {
		t.Run(of.name, func(t *testing.T) {
			t.Parallel()
			s := specimen(t, filepath.Join(recordings, of.file+".pcapng"), of.conn, 0)
			c := broke(t, s, of.change)
			have := states(c)
			for id, want := range of.states {
				if state, changed := have[id]; !changed || state != want {
					t.Errorf("%s is %q (changed: %v), want %q", id, state, changed, want)
				}
			}
			if of.alerts != nil && !slices.Equal(alerts(c), of.alerts) {
				t.Errorf("alerts are %q, want %q", alerts(c), of.alerts)
			}
			if !slices.ContainsFunc(c.Says, func(s event.Sentence) bool { return s.ID == of.says }) {
				t.Errorf("%s is not said: %v", of.says, c.Says)
			}
			t.Logf("%s %v %v", c.Change.Text, have, alerts(c))
		})
	}
}

// TestBreakNothing: a copy that is not changed is told as the connection is, and a change
// leaves the specimen as it was.
func TestBreakNothing(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"tls13-psk-dhe", "tls12-resumed-ticket", "http1"} {
		s := specimen(t, filepath.Join(recordings, file+".pcapng"), 0, 4)
		before := retold(t, s.Events())
		broke(t, s, Flip{Packet: 4, Offset: 20, To: 0xee})
		var c event.Comparison
		again := s.tell(s.inputs, s.secrets, s.private)
		if compare(&c, s.Events(), again.events); len(c.Proofs)+len(c.Steps)+len(c.Checks) > 0 {
			t.Errorf("%s: %+v", file, c)
		}
		if !bytes.Equal(retold(t, again.events), before) {
			t.Errorf("%s: the copy is told otherwise after a change", file)
		}
	}
}

func retold(t *testing.T, es []event.Event) []byte {
	t.Helper()
	var b bytes.Buffer
	j := event.NewJSON(&b)
	for i := range es {
		if err := j.Event(&es[i]); err != nil {
			t.Fatal(err)
		}
	}
	j.Flush()
	return b.Bytes()
}

// TestFamily: what a connection takes up is copied with it, and nothing else.
func TestFamily(t *testing.T) {
	t.Parallel()
	for _, of := range []struct {
		file   string
		packet int
		conn   int
		copied []int
	}{
		{"tls13-psk-dhe", 16, 2, []int{1}},
		{"tls13-psk-dhe", 4, 1, nil},
		{"tls12-resumed-ticket", 4, 1, nil},
	} {
		s := specimen(t, filepath.Join(recordings, of.file+".pcapng"), 0, of.packet)
		if s.Conn != of.conn || !slices.Equal(s.Copied, of.copied) {
			t.Errorf("%s, packet %d: connection %d with %v", of.file, of.packet, s.Conn, s.Copied)
		}
		for _, in := range s.inputs {
			if n, _ := connOf(in); n != 0 && n != s.Conn && !slices.Contains(s.Copied, n) {
				t.Errorf("%s: an input of connection %d", of.file, n)
			}
		}
	}
}

// TestBreakRefuses: what cannot be changed is said in one line.
func TestBreakRefuses(t *testing.T) {
	t.Parallel()
	for _, of := range []struct {
		file   string
		change Change
		want   string
	}{
		{"tls13-aes128-gcm", Flip{Packet: 4, Offset: 0, To: 0x16}, "that byte is 16 already"},
		{"tls13-aes128-gcm", Flip{Packet: 4, Offset: 9999, To: 1}, "the last is"},
		{"tls13-aes128-gcm", Flip{Packet: 1, Offset: 0, To: 1}, "no bytes of connection 1"},
		{"tls13-aes128-gcm", Flip{Packet: 4, Offset: 0, To: 1, Inside: true}, "no encrypted record"},
		{"tls13-aes128-gcm", Flip{Packet: 8, Offset: 999, To: 1, Inside: true}, "the last is"},
		{"tls13-aes128-gcm", Without{"RSA"}, "no key of this connection has the label RSA"},
		{"tls13-aes128-gcm", Chain{Of: 1}, "the same certificates"},
		{"tls13-aes128-gcm", Chain{Of: 7}, "connection 7 has no certificates"},
		{"tls10-rsa", Flip{Packet: 7, Offset: 0, To: 1, Inside: true}, "cannot be sealed again alone"},
	} {
		s := specimen(t, filepath.Join(recordings, of.file+".pcapng"), 1, 0)
		if _, err := s.Break(of.change); err == nil || !strings.Contains(err.Error(), of.want) {
			t.Errorf("%s, %+v: %v", of.file, of.change, err)
		}
	}
}

// TestChain: another chain in its place, in clear and sealed again, is read as that chain, is
// refuted by who signs, and fits into the records whatever its length.
func TestChain(t *testing.T) {
	t.Parallel()
	for _, of := range []struct {
		file, other string
		refuted     []string
	}{
		{"tls12-ecdhe-chacha20", "tls13-rsapss", []string{"server-finished"}},
		{"tls12-ecdhe-chacha20", "tls13-client-certificate", []string{"server-finished"}},
		{"tls13-aes128-gcm", "tls12-client-certificate", []string{"server-certificate-verify", "server-finished"}},
		{"tls13-hrr", "tls12-rsa-aes128-gcm", []string{"server-finished"}},
	} {
		s := specimen(t, filepath.Join(recordings, of.file+".pcapng"), 1, 0)
		other := specimen(t, filepath.Join(recordings, of.other+".pcapng"), 1, 0)
		s.chains[99] = other.chains[1]
		b, err := s.Break(Chain{Of: 99})
		if err != nil {
			t.Fatalf("%s: %v", of.file, err)
		}
		have := states(b.Comparison)
		for _, id := range of.refuted {
			if have[id] != event.Refuted {
				t.Errorf("%s with the chain of %s: %s is %q", of.file, of.other, id, have[id])
			}
		}
		i := slices.IndexFunc(b.Events, func(e event.Event) bool { return e.Topic == event.TopicCertificate && e.From == "server" })
		j := slices.IndexFunc(other.Events(), func(e event.Event) bool { return e.Topic == event.TopicCertificate && e.From == "server" })
		if i < 0 || b.Events[i].Certificates[0].SHA256 != other.Events()[j].Certificates[0].SHA256 {
			t.Errorf("%s: the other chain is not there", of.file)
		}
		if _, broken := have["server-records"]; broken {
			t.Errorf("%s: records behind it do not open", of.file)
		}
	}
}

// TestBreakAnything: bytes of every recording, of whatever protocol, on the wire and inside,
// and each key: what is told of it has all its values in every language.
func TestBreakAnything(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(recordings, "*.pcapng"))
	more, err2 := filepath.Glob("../testdata/*.pcap")
	if err != nil || err2 != nil || len(files) < 50 || len(more) < 5 {
		t.Fatal("no recordings", err, err2)
	}
	random := rand.New(rand.NewPCG(2, 3))
	told := map[string]int{}
	for _, file := range append(files, more...) {
		s := specimen(t, file, 1, 0)
		var changes []Change
		labels, flips := s.Labels(), 6
		if !*everyByte { // with the race detector each of these is dear
			labels, flips = labels[:min(1, len(labels))], 1
		}
		for _, label := range labels {
			changes = append(changes, Without{label})
		}
		for range flips {
			in := s.inputs[random.IntN(len(s.inputs))]
			packet, size := 0, 0
			switch in := in.(type) {
			case *capture.Chunk:
				packet, size = in.Packet, len(in.Data)
			case *capture.Datagram:
				packet, size = in.Packet, len(in.Data)
			}
			if size > 0 {
				offset, to := random.IntN(size), byte(random.IntN(256))
				changes = append(changes, Flip{packet, offset, to, false}, Flip{packet, offset / 2, to, true})
			}
		}
		for _, change := range changes {
			b, err := s.Break(change)
			if err != nil {
				if !errors.As(err, new(*Failure)) {
					t.Errorf("%s, %+v: %v", file, change, err)
				}
				continue
			}
			c := b.Comparison
			sentences := append([]event.Sentence{c.Change}, c.Says...)
			for _, n := range c.Notices {
				sentences = append(sentences, n.Says)
			}
			for _, says := range sentences {
				told[says.ID]++
				for _, l := range words.Languages {
					if text := l.Says(says); strings.Contains(text, words.Missing) || strings.Contains(text, "{") {
						t.Errorf("%s, %+v: %s", file, change, text)
					}
				}
			}
			retold(t, []event.Event{*ComparisonEvent(c, len(b.Events))})
		}
	}
	t.Log(told)
}
