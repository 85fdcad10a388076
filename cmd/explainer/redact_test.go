package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/pcap"
	"explainer/capture/web"
)

// twinOf makes the twin of a capture, without the story beside its packets. The
// secrets are those of key logs beside it.
func twinOf(t *testing.T, path string, log []keys.Secret) (twin []byte, r *redaction) {
	t.Helper()
	s, err := openSource(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r = &redaction{context: context.Background()}
	made, err := r.twin(s, log, t.TempDir())
	if made != nil {
		defer made.remove()
	}
	if err != nil && !errors.As(err, new(*pcap.CutError)) {
		t.Fatalf("%s: %v", path, err)
	}
	if twin, err = io.ReadAll(made.file); err != nil {
		t.Fatal(err)
	}
	return twin, r
}

// A reader of both says what a capture and its twin must have in common, and what
// the twin must not have.
type bothSides struct {
	messages []string       // of each connection, in order
	proofs   map[string]int // by name and outcome
	said     map[string]bool
	opened   int
}

// readBoth reads a capture with the secrets in it and in log.
func readBoth(t *testing.T, data []byte, log []keys.Secret) *bothSides {
	t.Helper()
	b := &bothSides{proofs: map[string]int{}, said: map[string]bool{}}
	x := &annotate.Explainer{ShowSecrets: true}
	d := &capture.Decoder{SecretsFirst: true}
	events := func(es []annotate.Event) {
		for _, e := range es {
			for _, p := range e.Proofs {
				b.proofs[p.ID+" "+string(p.State)]++
			}
		}
	}
	take := func(ms []capture.Message) {
		for i := range ms {
			b.take(&ms[i])
			events(x.Explain(&ms[i]))
		}
	}
	feed := func(k keys.Secret) { take(d.Feed(&k)) }
	for _, k := range log {
		feed(k)
	}
	if err := pcap.Keys(bytes.NewReader(data), feed); err != nil && !errors.As(err, new(*pcap.CutError)) {
		t.Fatal(err)
	}
	r, err := pcap.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for {
		in, err := r.Next()
		if err != nil {
			break
		}
		take(d.Feed(in))
	}
	take(d.Finish())
	events(x.Finish())
	return b
}

func (b *bothSides) say(p []byte) {
	const least, most = 8, 48
	if len(p) >= least {
		b.said[string(p[:min(len(p), most)])] = true
	}
}

func (b *bothSides) take(m *capture.Message) {
	what := fmt.Sprintf("%T", m.Body)
	switch body := m.Body.(type) {
	case *capture.Sealed:
		what += fmt.Sprint(*body)
	case *capture.AppData:
		what += fmt.Sprint(*body)
	case *capture.Opaque: // of the twin it is longer: what is overwritten is no longer the words of a protocol
		b.say(body.Preview)
		return
	case *capture.StartTLS:
		return
	case *web.Head:
		path, query, _ := strings.Cut(body.Target, "?")
		b.say([]byte(query))
		what += fmt.Sprint(body.Protocol, body.Stream, body.Method, path, body.Status, body.EndsHere)
		for _, f := range body.Fields {
			what += " " + f.Name
			switch name := strings.ToLower(f.Name); {
			case strings.HasSuffix(name, "authorization"):
				_, value, _ := strings.Cut(f.Value, " ")
				b.say([]byte(value))
			case name == "cookie" || name == "set-cookie":
				for pair := range strings.SplitSeq(strings.SplitN(f.Value, ";", 2)[0], ";") {
					_, value, _ := strings.Cut(pair, "=")
					b.say([]byte(value))
				}
			case strings.Contains(name, "token") || strings.Contains(name, "secret"):
				b.say([]byte(f.Value))
			}
		}
	case *web.Body:
		b.say(body.Preview)
		what += fmt.Sprint(body.Len, body.Framing, body.Complete)
		for _, f := range body.Trailers {
			what += " " + f.Name
		}
	case *web.Frame:
		what += fmt.Sprint(body.Type, body.Stream, body.Len)
	case *web.WebSocket:
		b.say(body.Preview)
		what += fmt.Sprint(body.Opcode, body.Fin, body.Masked, body.Compressed, body.Len, body.Code)
	case *web.Unparsed:
		b.say(body.Preview)
		what += fmt.Sprint(body.Len)
	case handshake.Message:
		what += fmt.Sprintf("%x", sha256.Sum256(m.Raw))
	}
	conn := 0
	if m.Conn != nil {
		conn = m.Conn.Number
	}
	if m.Opened && !m.Inner {
		b.opened++
	}
	b.messages = append(b.messages, fmt.Sprint(conn, m.Side, m.Span, m.First, m.Last, m.Inner, m.Opened, m.By, " ", what))
}

// compareTwin holds a twin against its capture.
func compareTwin(t *testing.T, name string, data, twin []byte, log []keys.Secret) {
	t.Helper()
	// The twin has all the keys that it needs inside.
	was, is := readBoth(t, data, log), readBoth(t, twin, nil)
	if !slices.Equal(was.messages, is.messages) {
		for i := range min(len(was.messages), len(is.messages)) {
			if was.messages[i] != is.messages[i] {
				t.Errorf("%s: message %d of %d and %d\nis    %s\nwas   %s", name, i, len(is.messages), len(was.messages), is.messages[i], was.messages[i])
				break
			}
		}
		if len(was.messages) != len(is.messages) {
			t.Errorf("%s: %d messages, there were %d", name, len(is.messages), len(was.messages))
		}
	}
	if is.opened != was.opened {
		t.Errorf("%s: %d records open, %d did", name, is.opened, was.opened)
	}
	if fmt.Sprint(is.proofs) != fmt.Sprint(was.proofs) {
		t.Errorf("%s: proofs are %v, were %v", name, is.proofs, was.proofs)
	}
	for said := range was.said {
		if strings.Trim(said, "x") == "" {
			continue
		}
		if bytes.Contains(twin, []byte(said)) {
			t.Errorf("%s: the twin has %q", name, said)
		}
		for s := range is.said {
			if strings.Contains(s, said) {
				t.Errorf("%s: what opens in the twin has %q", name, said)
			}
		}
	}
	comparePackets(t, name, data, twin)
}

// comparePackets holds that packets have the same times, lengths and addresses.
func comparePackets(t *testing.T, name string, data, twin []byte) {
	t.Helper()
	packets := func(data []byte) (list []string) {
		r, err := pcap.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		for {
			in, err := r.Next()
			if err != nil {
				return append(list, fmt.Sprint(r.Stats().Packets, r.Stats().Skipped))
			}
			switch in := in.(type) {
			case *keys.Secret, *capture.Fact:
			case *capture.Chunk:
				list = append(list, fmt.Sprint(in.Conn, in.Side, in.Time, in.Packet, len(in.Data)))
			case *capture.Datagram:
				list = append(list, fmt.Sprint(in.Conn, in.Side, in.Time, in.Packet, len(in.Data), in.Cut))
			default:
				list = append(list, fmt.Sprint(in))
			}
		}
	}
	was, is := packets(data), packets(twin)
	if !slices.Equal(was, is) {
		for i := range min(len(was), len(is)) {
			if was[i] != is[i] {
				t.Errorf("%s: packets: %s, were %s", name, is[i], was[i])
				return
			}
		}
		t.Errorf("%s: %d inputs, were %d", name, len(is), len(was))
	}
}

// A twin has the same packets, opens with the keys in it as its original does, says
// the same handshakes and proofs, and nothing of what people sent.
func TestTwin(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "capture", "testdata", "recordings", "*.pcapng"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".pcapng"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			twin, _ := twinOf(t, path, nil)
			compareTwin(t, path, data, twin, nil)
		})
	}
}
