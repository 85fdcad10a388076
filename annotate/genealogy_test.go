package annotate_test

import (
	"bytes"
	"crypto/tls"
	"slices"
	"strings"
	"testing"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/text"
	"explainer/capture"
)

// line makes connections in which each takes up the one before.
func line(t *testing.T, version uint16, n int) []*tape {
	t.Helper()
	s := newSite(t, newECDSA(t), nil)
	client := &tls.Config{RootCAs: s.roots, MinVersion: version, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1), CurvePreferences: []tls.CurveID{tls.X25519}}
	server := &tls.Config{Certificates: []tls.Certificate{s.cert}}
	var out []*tape
	for i := range n {
		// A key that is not the newest makes the server hand out a new ticket.
		keys := [][32]byte{{byte(i + 1)}, {byte(i)}}
		server.SetSessionTicketKeys(keys)
		out = append(out, converse(t, client, server))
	}
	return out
}

// apart shifts what belongs to a connection in time: the nth one by n times d.
func apart(in []capture.Input, d time.Duration) []capture.Input {
	for _, one := range in {
		switch one := one.(type) {
		case *capture.Open:
			one.Time += int64(one.Conn) * int64(d)
		case *capture.Chunk:
			one.Time += int64(one.Conn) * int64(d)
		case *capture.Close:
			one.Time += int64(one.Conn) * int64(d)
		}
	}
	return in
}

func legOf(t *testing.T, es []event.Event, conn int) event.Leg {
	t.Helper()
	for _, l := range legs(es) {
		if l.Conn == conn {
			return l
		}
	}
	t.Fatalf("no summary of connection %d", conn)
	return event.Leg{}
}

func row(l event.Leg, s event.Step) string {
	return l.Rows[slices.Index(event.Steps, s)].Says.Text
}

func render(t *testing.T, es []event.Event) string {
	t.Helper()
	var b bytes.Buffer
	text := text.New(&b)
	for i := range es {
		if err := text.Event(&es[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := text.Finish(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestLineage follows a certificate through three connections that take each
// other up.
func TestLineage(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			es := events(messages(apart(inputsOf(line(t, version, 3)), 2*time.Minute)))
			for i := range es {
				checkEvent(t, name, &es[i])
			}
			first, second, third := legOf(t, es, 1), legOf(t, es, 2), legOf(t, es, 3)
			if first.Parent != nil {
				t.Errorf("the first one has a parent: %+v", first.Parent)
			}
			for i, l := range []event.Leg{second, third} {
				p := l.Parent
				if p == nil || p.State != "known" || p.Certificate != 1 || !slices.Equal(p.Conns, []int{i + 1}) || !slices.Equal(p.Chain, []int{2, 1}[1-i:]) || p.Proven != (version == tls.VersionTLS12) {
					t.Errorf("connection %d: %+v", i+2, p)
				}
			}
			if got, want := row(second, event.Step4a), "was sent 2 minutes earlier, in connection 1;"; !strings.Contains(got, want) {
				t.Errorf("%s; want %s", got, want)
			}
			if got, want := row(third, event.Step4a), "for shop.test, was sent 4 minutes earlier, in connection 1, by way of connection 2;"; !strings.Contains(got, want) {
				t.Errorf("%s; want %s", got, want)
			}
			story := render(t, es)
			want := "    connection 1, shop.test\n" +
				"      connection 2, 2 minutes later, with its ticket [proven: resumed master]\n" +
				"        connection 3, 2 minutes later, with its ticket [proven: resumed master]\n"
			if version == tls.VersionTLS13 {
				want = strings.ReplaceAll(want, "its ticket [proven: resumed master]", "a secret named by its ticket")
			}
			if !strings.Contains(story, want) {
				t.Errorf("%s\nwant\n%s", story[strings.Index(story, "Genealogy"):], want)
			}
		})
	}
}

// TestLineageUnknown tells what cannot be told.
func TestLineageUnknown(t *testing.T) {
	old, new := line(t, tls.VersionTLS12, 2), line(t, tls.VersionTLS13, 2)
	without := func(tp *tape) *tape { c := fresh(tp); c.keys.Reset(); return c }

	// The same ticket handed out in two connections, with no key to tell them apart.
	twin := without(old[0])
	hello := twin.chunks[0].data
	hello[5+4+2] ^= 0xff // the client's random
	for name, c := range map[string]struct {
		tapes []*tape
		state string
		conns []int
		say   string
	}{
		"TLS 1.2, parent not in the capture": {[]*tape{old[1]}, "not-here", nil, "none in this capture was seen"},
		"TLS 1.3, parent not in the capture": {[]*tape{new[1]}, "not-here", nil, "none in this capture was seen"},
		"TLS 1.3, parent sealed":             {[]*tape{without(new[0]), new[1]}, "sealed", []int{1}, "those of connection 1, to the same server, stayed sealed"},
		"TLS 1.2, parent sealed":             {[]*tape{without(old[0]), old[1]}, "known", []int{1}, "takes up the session of connection 1 "},
		"TLS 1.2, two of them":               {[]*tape{without(old[0]), twin, old[1]}, "ambiguous", []int{1, 2}, "the session of connection 1 or 2 (each of which handed out this very ticket)"},
		"TLS 1.2, seen twice":                {[]*tape{without(old[0]), without(old[0]), old[1]}, "known", []int{1}, "takes up the session of connection 1 "},
		"TLS 1.2, the other has the secret":  {[]*tape{twin, old[0], old[1]}, "known", []int{2}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			es := events(messages(inputsOf(c.tapes)))
			for i := range es {
				checkEvent(t, name, &es[i])
			}
			p := legOf(t, es, len(c.tapes)).Parent
			if p == nil || p.State != c.state || !slices.Equal(p.Conns, c.conns) {
				t.Errorf("%+v, want %s %v", p, c.state, c.conns)
			}
			if story := retell(es); !strings.Contains(story, c.say) {
				t.Errorf("not told: %s\n%s", c.say, story)
			}
		})
	}
}

// fresh is a copy of a tape that can be changed.
func fresh(tp *tape) *tape {
	c := &tape{client: tp.client, server: tp.server}
	c.keys.Write(tp.keys.Bytes())
	for _, k := range tp.chunks {
		k.data = bytes.Clone(k.data)
		c.chunks = append(c.chunks, k)
	}
	return c
}
