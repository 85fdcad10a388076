package annotate

import (
	"maps"
	"slices"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/steps"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/quic"
)

// tally is what the explainer counts of a connection for its Tally alone.
type tally struct {
	sealed  map[string]int64 // records, or packets of QUIC, by reason
	packets [2]int64         // those packets by side
	missing int64
	broken  bool
	agreed  int64
	closed  bool // the proxy's own word that it is over
	told    bool
}

// note counts a message.
func (t *tally) note(c *conn, m *capture.Message) {
	switch b := m.Body.(type) {
	case *capture.Sealed:
		t.seal(b.Reason, int64(b.Records))
	case *capture.QUICPacket:
		if b.Reason != "" {
			t.seal(b.Reason, int64(b.Packets))
			t.packets[m.Side&1] += int64(b.Packets)
		}
	case *capture.Missing:
		if !b.Left {
			t.missing += b.Len
		}
	case *capture.Malformed:
		t.broken = true
	case *handshake.Finished:
		if !c.Main.Sides[0].Finished || !c.Main.Sides[1].Finished || t.agreed == 0 {
			t.agreed = m.Time
		}
	}
}

func (t *tally) seal(reason string, n int64) {
	if t.sealed == nil {
		t.sealed = make(map[string]int64)
	}
	t.sealed[reason] += n
}

// balance tells what a connection came to, once nothing of it can follow: both
// ends are closed, or, in a recording of the proxy's, the proxy has said so.
func (x *Explainer) balance(c *conn, last bool) {
	if c.tally.told {
		return
	}
	over := c.Sides[0].Closed && c.Sides[1].Closed || c.OverUDP() && c.Over
	if c.Leg != capture.LegNone {
		over = c.tally.closed
	}
	if !over && !last && c.Left() == "" {
		return
	}
	c.tally.told = true
	e := x.event(c, nil, event.KindEnd, "connection-over", "")
	if c.latest != 0 {
		e.Time = at(c.latest).Format(time.RFC3339Nano)
	}
	switch {
	case over:
	case c.Left() != "":
		rename(&e, "not-followed", "")
	default:
		rename(&e, "capture-over", "")
	}
	e.Tally = x.tallyOf(c)
	x.emit(c, e)
}

func (x *Explainer) tallyOf(c *conn) *event.Tally {
	h := c.Main
	f := c.Flow()
	t := &event.Tally{
		Client: c.Conn.Client.String(), Server: c.Conn.Server.String(), Protocol: c.protocol(), Flow: f.ID, Title: f.Title(),
		Name: clip(h.ServerName()), ALPN: clip(c.alpn), Began: c.began.Format(time.RFC3339Nano),
		Data: [2]int64{c.Sides[0].Bytes, c.Sides[1].Bytes}, Missing: c.tally.missing, Broken: c.tally.broken, Begun: c.Conn.SYN || c.Conn.Asked || c.OverUDP(), Continued: c.Conn.Continued, CopyOf: c.copyOf,
	}
	t.ClientSequence, t.ServerSequence = sequence(c.Conn.Sequences[0]), sequence(c.Conn.Sequences[1])
	if c.QUICVersion != 0 {
		t.QUICVersion = quic.VersionName(c.QUICVersion)
	}
	if h.ServerHello != nil {
		t.Version, t.Suite = h.VersionName(), handshake.SuiteName(h.ServerHello.CipherSuite)
		t.Group, t.GroupKind, t.GroupBits = steps.GroupOf(h)
	}
	if c.tally.agreed != 0 {
		t.Agreed = at(c.tally.agreed).Format(time.RFC3339Nano)
	}
	t.Resumed = f.Resumed
	for _, u := range c.Unopened() {
		if i := slices.IndexFunc(t.Why, func(w event.Why) bool { return w.Reason == u.Reason }); i >= 0 {
			t.Why[i].Records += u.Records
		} else {
			t.Why = append(t.Why, event.Why{Reason: u.Reason, Words: words.UnopenedWords(u.Reason), Records: u.Records})
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(c.tally.sealed)) {
		if len(t.Why) > 0 && reason != capture.SealedEarly {
			continue // the diagnosis knows better
		}
		why := words.Phrase(words.Sealed, reason, "")
		if c.Conn.Transport == capture.TransportQUIC && reason == capture.SealedNoSuite {
			why = words.Phrase(words.Sealed, "quic-version", "")
		}
		t.Why = append(t.Why, event.Why{Reason: reason, Words: why, Records: c.tally.sealed[reason]})
	}
	t.Sealed = [2]int64{c.Sides[0].Sealed + c.tally.packets[0], c.Sides[1].Sealed + c.tally.packets[1]}
	opened := c.Sides[0].Opened || c.Sides[1].Opened
	if c.Conn.Transport == capture.TransportQUIC {
		opened = c.UDP.Opened() // QUIC's Initial packets anybody opens
	}
	dark := c.Sides[0].Dark+c.Sides[1].Dark > 0 || c.OverUDP() && t.Sealed[0]+t.Sealed[1] > 0
	switch {
	case !c.TLS:
	case c.Null():
		t.State = event.StateClear
	case opened && dark:
		t.State = event.StatePartly
	case opened:
		t.State = event.StateOpened
	case dark:
		t.State = event.StateSealed
	default:
		t.State = event.StateNothing
	}
	t.GivenUp = c.GivenUp
	if c.Failure != nil {
		t.Failed, t.Cause = c.Failure.Step, words.First(c.Failure.Cause)
	}
	switch {
	case c.Reset && c.Conn.Asked && !c.Sides[0].Heard && !c.Sides[1].Heard:
		t.End = "refused"
	case c.Reset:
		t.End = "reset"
	case c.Sides[0].Closed && c.Sides[1].Closed || c.tally.closed:
		t.End = "closed"
	default:
		t.End = "open"
	}
	return t
}

// sequence is which bytes were read, nil where that is not known.
func sequence(of capture.Sequence) *event.Sequence {
	if !of.Known {
		return nil
	}
	return &event.Sequence{First: of.First, Next: of.Next}
}

// protocol names what a connection speaks.
func (c *conn) protocol() string {
	switch {
	case c.Conn.Transport == capture.TransportQUIC:
		return event.ProtocolQUIC
	case c.Conn.Transport == capture.TransportDTLS:
		return event.ProtocolDTLS
	case c.TLS:
		return event.ProtocolTLS
	case c.NoTLS == "plain":
		return event.ProtocolHTTP
	case c.NoTLS == "opaque":
		return event.ProtocolOther
	case c.Pass != nil && (c.Sides[0].Heard || c.Sides[1].Heard):
		return event.ProtocolTunnel
	}
	return event.ProtocolNone
}
