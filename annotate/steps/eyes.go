package steps

import (
	"cmp"
	"slices"
	"strconv"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
	"explainer/capture/handshake"
)

// Eyes judge what of a connection opens later to who has recorded it: with the private key of
// the server's certificate, and with a large quantum computer. What needs an earlier
// connection opens only where that is in the capture, too.
func (c *View) Eyes(f Flow) []event.Eye {
	h := c.Main
	if f.bare || c.Null() || h.ServerHello == nil {
		return nil // nothing is sealed, or nothing is known of what it is sealed with
	}
	key, quantum := c.keyEye(f), c.quantumEye(f)
	if c.Handshakes > 1 && (h.Resumed || c.Latest.Resumed || h.Rest() != c.Latest.Rest() || c.Handshakes > 2) {
		// Each has a secret of its own, and seals the next.
		several := []event.Sentence{words.Say("eye-several", event.None, c.Values())}
		key, quantum = event.Eye{Unknown: true, Says: several}, event.Eye{Unknown: true, Says: several}
	}
	key.ID, quantum.ID = event.EyeKey, event.EyeQuantum
	c.innerEyes(&key, &quantum)
	for _, y := range []*event.Eye{&key, &quantum} {
		if y.Opens == nil {
			y.Opens = []string{}
		}
	}
	return []event.Eye{key, quantum}
}

// before is what the secret rests on that this connection takes up; ok is false where the
// exchange that made it is not in the capture.
func (c *View) before() (conn int, rest proof.Rest, ok bool) {
	i, one := c.Main.Link.One()
	if !one || i.Kin == nil || i.Kin.Lost || i.Kin.Holed || i.Kin.Rest == proof.RestsUnknown {
		return 0, proof.RestsUnknown, false
	}
	return i.Conn, i.Kin.Rest, true
}

// opening is what becomes of the common secret, and of all that is sealed with it.
func opening(id string, a Values, opens bool, and ...string) event.Eye {
	y := event.Eye{Says: []event.Sentence{words.Say(id, event.Inferred, a)}}
	for _, id := range and {
		y.Says = append(y.Says, words.Say(id, event.Inferred, a))
	}
	if opens {
		y.Opens = []string{event.SealedConnection}
	}
	return y
}

func (c *View) keyEye(f Flow) event.Eye {
	h, a := c.Main, c.Values()
	conn, rest, whole := c.before()
	switch {
	case f.Odd:
		y := opening("eye-unknown", a, false)
		y.Unknown = true
		return y
	case f.Lasting && !f.Agreed:
		return opening(f.later[0], a, true)
	case f.Resumed && h.Is13():
		return opening("eye-key-psk", a, false, f.later...)
	case f.Resumed && h.Rest() == proof.RestsUnknown:
		y := opening("eye-unknown", a, false)
		y.Unknown = true
		return y
	case f.Resumed && h.Rest() != proof.RestsOnKey:
		return opening("eye-key-resumed-fresh", a, false, f.later...)
	case f.Resumed && whole && rest == proof.RestsOnKey:
		return opening("eye-key-resumed", a.With("conn", strconv.Itoa(conn)), true)
	case f.Resumed:
		return opening("eye-key-resumed-elsewhere", a, false, f.later...)
	case !f.cert:
		return opening("eye-key-none", a, false, f.later...)
	case f.ID == "tls12-rsa-export":
		return opening("eye-key-export", a, false, f.later...)
	}
	return opening(f.later[0], a, false, f.later[1:]...)
}

func (c *View) quantumEye(f Flow) event.Eye {
	h := c.Main
	group, _, _ := GroupOf(h)
	a := c.Values().With("group", group)
	own := h.Rest()
	conn, rest, whole := c.before()
	falls := whole && (rest == proof.RestsOnKey || rest == proof.RestsOnExchange)
	var y event.Eye
	switch {
	case f.Odd, own == proof.RestsUnknown && !f.Resumed:
		y = opening("eye-unknown", a, false)
		y.Unknown = true
	case own == proof.RestsOnLattice:
		y = opening("eye-quantum-kem", a, false)
	case own == proof.RestsOnShared:
		y = opening("eye-quantum-shared", a, false)
	case f.Resumed && !whole:
		y = opening("eye-quantum-elsewhere", a, false)
	case f.Resumed && !falls:
		y = opening("eye-quantum-earlier-holds", a.With("conn", strconv.Itoa(conn)), false)
	case f.Resumed:
		y = opening("eye-quantum-resumed", a.With("conn", strconv.Itoa(conn)), true)
	case f.Transport, f.ID == "tls12-rsa-export":
		y = opening("eye-quantum-rsa", a, true)
	default:
		y = opening("eye-quantum-dh", a, true)
	}
	if h.Is13() && h.OfferedEarly() && own != proof.RestsOnShared && falls {
		if y.Opens == nil {
			y.Says = append(y.Says, words.Say("eye-quantum-early", event.Inferred, a.With("conn", strconv.Itoa(conn))))
		}
		y.Opens = append(y.Opens, event.SealedEarly)
	}
	return y
}

// classical are the lengths of what a sender encapsulates with the KEMs of RFC 9180 7.1, all of
// which are Diffie-Hellman on curves.
var classical = []int{32, 56, 65, 97, 133}

// innerEyes add what becomes of the encrypted hello. It is sealed to a key that is
// neither the certificate's nor made for this connection (RFC 9849 4).
func (c *View) innerEyes(key, quantum *event.Eye) {
	h := c.Main
	clear := h.ClearHello()
	if clear == nil || clear.Extension(handshake.ExtECH) == nil || h.ECH() == proof.ECHNotTaken && h.InnerHello() == nil {
		return // none, or most likely random filling
	}
	a := c.Values()
	key.Says = append(key.Says, words.Say("eye-key-inner", event.Inferred, a))
	if ech, ok := cmp.Or(h.FirstHello, clear).OuterECH(); ok && slices.Contains(classical, len(ech.Enc)) {
		quantum.Says = append(quantum.Says, words.Say("eye-quantum-inner", event.Inferred, a))
		quantum.Opens = append(quantum.Opens, event.SealedInner)
		return
	}
	quantum.Says = append(quantum.Says, words.Say("eye-quantum-inner-holds", event.Inferred, a))
	if h.ECH() == proof.ECHTaken { // then its random, which nobody else has, is in all keys
		quantum.Opens = slices.DeleteFunc(quantum.Opens, func(p string) bool { return p == event.SealedConnection })
	}
}
