package annotate

import (
	"maps"
	"slices"
	"strings"
	"time"

	"explainer/capture"
	"explainer/capture/handshake"
)

// A Tally is what a connection came to: the last word about it, told when it is
// over or the capture ends.
type Tally struct {
	Client    string   `json:"client"` // address and port
	Server    string   `json:"server"`
	Protocol  string   `json:"protocol"` // one of the Protocol… constants
	Flow      string   `json:"flow"`     // permanent ID of the row of the truth table, as in Leg
	Title     string   `json:"title"`    // the same in words
	Name      string   `json:"sni,omitempty"`
	Version   string   `json:"version,omitempty"`
	Suite     string   `json:"suite,omitempty"`
	Group     string   `json:"group,omitempty"`
	ALPN      string   `json:"alpn,omitempty"`
	Began     string   `json:"began"`              // RFC 3339, UTC
	Agreed    string   `json:"agreed,omitempty"`   // when the handshake's last message was seen
	State     string   `json:"state,omitempty"`    // of what was encrypted, one of the State… constants
	Why       []Why    `json:"why,omitempty"`      // why records stayed sealed
	Data      [2]int64 `json:"data"`               // bytes of application data that were read, of the client and the server
	Sealed    [2]int64 `json:"sealed"`             // records, or packets of QUIC, that stayed sealed
	Failed    Step     `json:"failed,omitempty"`   // the step that it stopped at
	GivenUp   bool     `json:"given_up,omitempty"` // its client ended it before the server had answered
	Cause     string   `json:"cause,omitempty"`
	Resumed   bool     `json:"resumed,omitempty"`
	Missing   int64    `json:"missing,omitempty"`   // bytes that are not in the capture, as far as it shows
	Broken    bool     `json:"malformed,omitempty"` // some of it breaks the protocol
	Begun     bool     `json:"begun"`               // its beginning is in the capture
	Continued bool     `json:"continued,omitempty"` // it is in a part of the recording that is not read here
	End       string   `json:"end"`                 // "closed", "reset", "refused", or "open" when the capture ends
}

// What a connection speaks.
const (
	ProtocolTLS    = "tls"
	ProtocolQUIC   = "quic"
	ProtocolDTLS   = "dtls"
	ProtocolHTTP   = "http"   // plain
	ProtocolOther  = "other"  // neither TLS nor HTTP
	ProtocolTunnel = "tunnel" // passed through the proxy unread
	ProtocolNone   = "none"   // it carried nothing, or nothing whole
)

// What became of the encrypted part of a connection.
const (
	StateOpened  = "opened"  // all of it was opened
	StatePartly  = "partly"  // some of it
	StateSealed  = "sealed"  // none of it
	StateClear   = "clear"   // its suite does not encrypt
	StateNothing = "nothing" // nothing encrypted is in the capture
)

// A Why is a reason for which records stayed sealed.
type Why struct {
	Reason  string `json:"reason"` // as in an Unopened, or else a Sealed… constant of package capture
	Words   string `json:"words"`
	Records int64  `json:"records"`
}

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
		if !c.main.fin[0] || !c.main.fin[1] || t.agreed == 0 {
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
	over := c.closed[0] && c.closed[1] || c.overUDP() && c.over
	if c.leg != capture.LegNone {
		over = c.tally.closed
	}
	if !over && !last && c.left == "" {
		return
	}
	c.tally.told = true
	e := x.event(c, nil, KindEnd, "connection over")
	switch {
	case over:
	case c.left != "":
		e.Name = "no longer followed"
	default:
		e.Name = "capture over"
	}
	e.Tally = x.tallyOf(c)
	x.emit(c, e)
}

func (x *Explainer) tallyOf(c *conn) *Tally {
	h := c.main
	f := x.flow(c)
	t := &Tally{
		Client: c.c.Client.String(), Server: c.c.Server.String(), Protocol: c.protocol(), Flow: f.id, Title: f.title,
		Name: clip(x.sni(h)), ALPN: clip(c.c.ALPN), Began: c.began.Format(time.RFC3339Nano),
		Data: c.bytes, Missing: c.tally.missing, Broken: c.tally.broken, Begun: c.c.SYN || c.c.Asked || c.overUDP(), Continued: c.c.Continued,
	}
	if h.sh != nil {
		t.Version, t.Suite = h.versionName(), handshake.SuiteName(h.sh.CipherSuite)
		t.Group = x.args(c)["group"]
	}
	if c.tally.agreed != 0 {
		t.Agreed = at(c.tally.agreed).Format(time.RFC3339Nano)
	}
	switch f.id {
	case "tls12-resumed-id", "tls12-resumed-ticket", "tls13-psk-dhe", "tls13-psk", "tls13-0rtt":
		t.Resumed = true
	}
	for _, u := range x.unopened(c) {
		if i := slices.IndexFunc(t.Why, func(w Why) bool { return w.Reason == u.Reason }); i >= 0 {
			t.Why[i].Records += u.Records
		} else {
			t.Why = append(t.Why, Why{u.Reason, unopenedWords(u.Reason), u.Records})
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(c.tally.sealed)) {
		if len(t.Why) > 0 && reason != capture.SealedEarly {
			continue // the diagnosis knows better
		}
		words := sealedWords(reason)
		if c.overUDP() && reason == capture.SealedNoSuite {
			words = "this version of QUIC is not read here"
		}
		t.Why = append(t.Why, Why{reason, words, c.tally.sealed[reason]})
	}
	t.Sealed = [2]int64{c.sealed[0] + c.tally.packets[0], c.sealed[1] + c.tally.packets[1]}
	opened := (c.opened[0] || c.opened[1]) && !c.overUDP()
	dark := c.dark[0]+c.dark[1] > 0 || c.overUDP() && t.Sealed[0]+t.Sealed[1] > 0
	switch {
	case !c.tls:
	case c.null || x.null(c):
		t.State = StateClear
	case opened && dark:
		t.State = StatePartly
	case opened:
		t.State = StateOpened
	case dark:
		t.State = StateSealed
	default:
		t.State = StateNothing
	}
	t.GivenUp = c.givenUp
	if c.failure != nil {
		t.Failed, t.Cause = c.failure.step, clip(c.failure.cause)
		if i := strings.Index(t.Cause, "; "); i > 0 {
			t.Cause = t.Cause[:i]
		}
	}
	switch {
	case c.reset && c.c.Asked && !c.heard[0] && !c.heard[1]:
		t.End = "refused"
	case c.reset:
		t.End = "reset"
	case c.closed[0] && c.closed[1] || c.tally.closed:
		t.End = "closed"
	default:
		t.End = "open"
	}
	return t
}

// protocol names what a connection speaks.
func (c *conn) protocol() string {
	switch {
	case c.c.Transport == capture.TransportQUIC:
		return ProtocolQUIC
	case c.c.Transport == capture.TransportDTLS:
		return ProtocolDTLS
	case c.tls:
		return ProtocolTLS
	case c.noTLS == "plain":
		return ProtocolHTTP
	case c.noTLS == "opaque":
		return ProtocolOther
	case c.pass != nil && (c.heard[0] || c.heard[1]):
		return ProtocolTunnel
	}
	return ProtocolNone
}

// unopenedWords are the reasons of an [Unopened] as short as they go, to be said of many connections.
func unopenedWords(reason string) string {
	if w, ok := map[string]string{
		noClientHello: "the ClientHello is not in the capture", noServer: "one direction is not in the capture", noServerHello: "the ServerHello is among missing bytes",
		noKeyLog: "no keys were given", noLine: "no line of the key log is for it", otherDirection: "the key log has lines for the other direction alone",
		otherLine: "the lines of the key log for it open other records", gapBefore: "bytes before it are missing", noParent: "it takes up a session whose secret is not known",
		keyAlone: "no private key given is the server's", keyForwardSecrecy: "its key exchange has forward secrecy: a private key opens nothing",
		keyTLS13: "it is TLS 1.3: a private key opens nothing", keyResumed: "it is resumed: a private key opens nothing", keyPSK: "its pre-shared key is not known",
		keyPadding: "the private key given does not open its secret", keyNoSessionHash: "messages are missing that its secret depends on", echInner: "its encrypted ClientHello is not known",
		noSuite: "its cipher suite cannot be opened here", noVersion: "its version cannot be opened here", wrongKey: "the key that was given does not fit",
		tooMany: "the key came too late", deflated: "it is compressed", noPhase: "the keys of this part are not known", ownKeys: "the program wrote no key for it", passedOn: "the proxy passed it on as it was", eavesdropping: "told as to somebody without keys",
	}["unopened-"+reason]; ok {
		return w
	}
	return words(reason)
}
