package annotate

import (
	"maps"
	"slices"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
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
		if !c.main.Sides[0].Finished || !c.main.Sides[1].Finished || t.agreed == 0 {
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
	over := c.sides[0].closed && c.sides[1].closed || c.overUDP() && c.over
	if c.leg != capture.LegNone {
		over = c.tally.closed
	}
	if !over && !last && c.left == "" {
		return
	}
	c.tally.told = true
	e := x.event(c, nil, event.KindEnd, "connection-over", "")
	switch {
	case over:
	case c.left != "":
		rename(&e, "not-followed", "")
	default:
		rename(&e, "capture-over", "")
	}
	e.Tally = x.tallyOf(c)
	x.emit(c, e)
}

func (x *Explainer) tallyOf(c *conn) *event.Tally {
	h := c.main
	f := c.flow()
	t := &event.Tally{
		Client: c.conn.Client.String(), Server: c.conn.Server.String(), Protocol: c.protocol(), Flow: f.ID, Title: f.Title,
		Name: clip(h.ServerName()), ALPN: clip(c.alpn), Began: c.began.Format(time.RFC3339Nano),
		Data: [2]int64{c.sides[0].bytes, c.sides[1].bytes}, Missing: c.tally.missing, Broken: c.tally.broken, Begun: c.conn.SYN || c.conn.Asked || c.overUDP(), Continued: c.conn.Continued,
	}
	if h.ServerHello != nil {
		t.Version, t.Suite = h.VersionName(), handshake.SuiteName(h.ServerHello.CipherSuite)
		t.Group, t.GroupKind, t.GroupBits = groupOf(h)
	}
	if c.tally.agreed != 0 {
		t.Agreed = at(c.tally.agreed).Format(time.RFC3339Nano)
	}
	t.Resumed = f.resumed
	for _, u := range c.unopened() {
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
		if c.overUDP() && reason == capture.SealedNoSuite {
			why = words.Phrase(words.Sealed, "quic-version", "")
		}
		t.Why = append(t.Why, event.Why{Reason: reason, Words: why, Records: c.tally.sealed[reason]})
	}
	t.Sealed = [2]int64{c.sides[0].sealed + c.tally.packets[0], c.sides[1].sealed + c.tally.packets[1]}
	opened := (c.sides[0].opened || c.sides[1].opened) && !c.overUDP()
	dark := c.sides[0].dark+c.sides[1].dark > 0 || c.overUDP() && t.Sealed[0]+t.Sealed[1] > 0
	switch {
	case !c.tls:
	case c.null():
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
	t.GivenUp = c.givenUp
	if c.failure != nil {
		t.Failed, t.Cause = c.failure.step, clip(c.failure.cause)
		if i := strings.Index(t.Cause, "; "); i > 0 {
			t.Cause = t.Cause[:i]
		}
	}
	switch {
	case c.reset && c.conn.Asked && !c.sides[0].heard && !c.sides[1].heard:
		t.End = "refused"
	case c.reset:
		t.End = "reset"
	case c.sides[0].closed && c.sides[1].closed || c.tally.closed:
		t.End = "closed"
	default:
		t.End = "open"
	}
	return t
}

// protocol names what a connection speaks.
func (c *conn) protocol() string {
	switch {
	case c.conn.Transport == capture.TransportQUIC:
		return event.ProtocolQUIC
	case c.conn.Transport == capture.TransportDTLS:
		return event.ProtocolDTLS
	case c.tls:
		return event.ProtocolTLS
	case c.noTLS == "plain":
		return event.ProtocolHTTP
	case c.noTLS == "opaque":
		return event.ProtocolOther
	case c.pass != nil && (c.sides[0].heard || c.sides[1].heard):
		return event.ProtocolTunnel
	}
	return event.ProtocolNone
}
