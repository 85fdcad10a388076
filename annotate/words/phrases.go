package words

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"explainer/annotate/event"
)

// Lower begins a sentence in small letters, to stand behind something.
func Lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	return string(unicode.ToLower(r)) + s[n:]
}

// Upper begins a sentence with what may begin in small letters.
func Upper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// Plural counts: "1 packet", "2 packets".
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// SessionOf says in a line what kinds the legs of a session are, and how it says so.
func SessionOf(legs []event.Leg, tunnel bool) (line event.Text, id string) {
	switch {
	case tunnel:
		return Piece("session/tunnel", "flow", legs[0].Title), event.FlowTunnel
	case len(legs) == 1:
		return legs[0].Title, event.FlowAlone
	case len(legs) == 2 && legs[0].Title.Same(legs[1].Title):
		return Piece("session/alike", "flow", legs[0].Title), event.FlowAlike
	}
	var parts []event.Text
	for _, l := range legs {
		id := "session/other-leg"
		switch l.Leg {
		case "browser":
			id = "session/browser-leg"
		case "origin":
			id = "session/origin-leg"
		}
		parts = append(parts, Piece(id, "flow", l.Title))
	}
	return Piece("session/legs", "legs", List(";", parts...)), event.FlowLegs
}

// OwnGroup names a group of Diffie-Hellman that the server made up, by the bits of its modulus.
func OwnGroup(bits int) string { return fmt.Sprintf("%d-bit Diffie-Hellman", bits) }

// ExchangeOf names how two sides came to a common secret; nothing where that is not known.
func ExchangeOf(t *event.Tally) event.Text {
	group := event.Plain(t.Group)
	switch {
	case t.GroupBits != 0:
		group = Piece("exchange/dhe-bits", "n", strconv.Itoa(t.GroupBits))
	case t.GroupKind == event.GroupFinite:
		group = event.Plain("DHE " + t.Group)
	case t.GroupKind == event.GroupCurve:
		group = event.Plain("ECDHE " + t.Group)
	}
	switch t.Flow {
	case "tls12-rsa":
		return Piece("exchange/rsa")
	case "tls12-rsa-export":
		return Piece("exchange/rsa-export")
	case "psk-rsa":
		return Piece("exchange/psk-rsa")
	case "tls12-resumed-id":
		return Piece("exchange/session-id")
	case "tls12-resumed-ticket":
		return Piece("exchange/ticket")
	case "tls13-psk", "psk":
		return Piece("exchange/psk")
	case "tls13-psk-dhe", "psk-dhe", "tls13-0rtt":
		if group.Empty() {
			return Piece("exchange/psk")
		}
		return Piece("exchange/psk-group", "group", group)
	case "tls12-anonymous":
		if group.Empty() {
			return Piece("exchange/anonymous")
		}
		return Piece("exchange/anonymous-group", "group", group)
	case "tls12-dh":
		return Piece("exchange/static")
	case "tls12-dhe":
		return cmp.Or(group, event.Plain("DHE"))
	case "tls12-ecdhe":
		return cmp.Or(group, event.Plain("ECDHE"))
	case "unknown":
		return event.Text{}
	}
	return cmp.Or(group, Piece("exchange/another"))
}

// NoHello stands for the version of connections without a ServerHello.
func NoHello() event.Text { return Piece("overview/no-hello") }

// AlertOf names an alert and whose it is.
func AlertOf(a *event.Alert, from string) event.Text {
	if from == "server" {
		return Piece("overview/alert-of-server", "alert", a.Name)
	}
	return Piece("overview/alert-of-client", "alert", a.Name)
}

// NotSo says that a claim does not hold, and why.
func NotSo(claim, reason event.Text) event.Text {
	return Piece("proof/not-so", "claim", Inside(claim), "reason", reason)
}

// Ago is a time span in words, to the precision that matters to a reader.
func Ago(d time.Duration) event.Text {
	switch {
	case d < time.Second:
		return Piece("span/none")
	case d < 2*time.Minute:
		return Count(int(d/time.Second), "second")
	case d < 2*time.Hour:
		return Count(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return Count(int(d/time.Hour), "hour")
	}
	return Count(int(d/(24*time.Hour)), "day")
}

// StateWords is what became of the encrypted part of a connection, one of event.State….
func StateWords(state string) event.Text { return Named("state-of", state) }

// ProtocolWords is what a connection speaks, one of event.Protocol….
func ProtocolWords(p string) event.Text {
	if _, ok := everyPiece["speaks/"+p]; ok {
		return Piece("speaks/" + p)
	}
	return event.Plain(strings.ToUpper(p))
}

// OfID turns a permanent ID into words: "as-told" into "as told".
func OfID(id string) string { return strings.ReplaceAll(id, "-", " ") }

// Hex shows the first bytes and the length.
func Hex(b []byte) event.Text {
	const show = 16
	if len(b) <= show+4 {
		return event.Plain(hex.EncodeToString(b))
	}
	return Piece("value/hex", "hex", hex.EncodeToString(b[:show])+"...", "count", Count(len(b), "byte"))
}

// Some lists at most n of the items and counts the rest.
func Some(items []string, n int) event.Text {
	if len(items) > n {
		return Piece("value/some", "items", strings.Join(items[:n], ", "), "n", strconv.Itoa(len(items)-n))
	}
	return event.Plain(strings.Join(items, ", "))
}

// Readable shows text as text and anything else as hex.
func Readable(b []byte) string {
	for _, r := range string(b) {
		if r == 0xfffd || r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0x7f {
			return Hex(b).English
		}
	}
	return string(b)
}
