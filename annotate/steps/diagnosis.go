package steps

import (
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// Unopened says why records of a connection stayed sealed, for each direction, or
// once if it is the same for both.
func (c *View) Unopened() []event.Unopened {
	if c.Conn.Transport == capture.TransportQUIC || c.Pass != nil && c.Pass.Kind == capture.FactPassThrough && !c.observed() {
		return nil
	}
	var out []event.Unopened
	for side := range c.Sides {
		if c.Sides[side].Dark == 0 || c.Sides[side].WhyCode == "" || c.Sides[side].WhyCode == capture.SealedDTLS || c.Sides[side].WhyCode == capture.SealedCut && c.Sides[side].Opened {
			continue
		}
		reason, more := c.reasonSealed(side)
		out = append(out, event.Unopened{
			From: capture.Side(side).String(), Reason: strings.TrimPrefix(reason, "unopened-"),
			Records: c.Sides[side].Dark, Says: c.sayUnopened(side, reason, more),
		})
		if len(out) == 2 && out[0].Reason == out[1].Reason && reason != words.GapBefore && reason != words.OtherLine {
			out[0].From = ""
			out[0].Records += out[1].Records
			out[0].Says = c.sayUnopened(-1, reason, more)
			out = out[:1]
		}
	}
	return out
}

// sayUnopened makes the sentence of a reason; side is -1 for both.
func (c *View) sayUnopened(side int, reason string, more []any) event.Sentence {
	h := c.Main
	sender, other := words.Piece("end/both"), words.Piece("end/other")
	if side >= 0 {
		sender, other = c.Side(side), c.Side(1-side)
	}
	a := c.Values().With("sender", sender, "other", other, "keys", words.Count(c.Conn.PrivateKeys, "private key"), "lines", words.Count(c.Lines, "line"))
	if h.ServerHello != nil {
		a = a.With("exchange", exchangeWords(h))
		a = a.With("why", lackWords(h.Suite()))
	}
	return words.Say(reason, event.None, a.With(more...))
}

// lackWords says why records of a suite cannot be opened; nil is one that is not known.
func lackWords(s *keys.Suite) event.Text {
	if s == nil {
		return words.Piece("suite/not-in-registry")
	}
	switch s.Lack() {
	case keys.LacksExport:
		return words.Piece("suite/export")
	case keys.LacksCipher:
		return words.Piece("suite/cipher")
	case keys.LacksNamedCipher:
		return words.Piece("suite/named-cipher", "cipher", s.Cipher.String())
	case keys.LacksMAC:
		return words.Piece("suite/mac")
	}
	return words.Piece("suite/not-in-registry")
}

// exchangeWords names how a connection makes its secret.
func exchangeWords(h *proof.Handshake) event.Text {
	if h.Is13() {
		return words.Piece("value/tls-1-3")
	}
	switch handshake.SuiteKeyExchange(h.ServerHello.CipherSuite) {
	case handshake.KeyExchangeDHE, handshake.KeyExchangeDHAnon:
		return words.Piece("value/ephemeral-diffie-hellman-dhe")
	case handshake.KeyExchangeECDHE, handshake.KeyExchangeECDHAnon:
		return words.Piece("value/ephemeral-diffie-hellman-on")
	}
	return words.Piece("value/key-exchange")
}

// reasonSealed finds the reason, and what its sentence needs beside the usual.
func (c *View) reasonSealed(side int) (reason string, more []any) {
	h := c.Main
	code := c.Sides[side].WhyCode
	switch {
	case c.Eavesdropper:
		return words.Eavesdropping, nil
	case c.observed() && len(h.Labels()) == 0:
		return words.OwnKeys, nil
	case c.Pass != nil && len(h.Labels()) == 0:
		return words.PassedOn, nil
	case h.Hello == nil && c.CutHello == nil:
		return words.NoClientHello, nil
	case h.ServerHello == nil && !c.Sides[1].Heard:
		return words.NoServer, nil
	case h.ServerHello == nil && c.CutAnswer:
		return words.CutServerHello, nil
	case h.ServerHello == nil && c.Sides[1].Gone > 0:
		return words.NoServerHello, c.gapArgs(1)
	case h.ServerHello == nil:
		return words.NoPhase, nil
	case code == capture.SealedNoSuite:
		s := h.Suite()
		if s == nil || !s.Openable() {
			return words.NoSuite, nil
		}
		return words.NoVersion, nil
	case code == capture.SealedGap:
		return words.GapBefore, c.gapArgs(side)
	case code == capture.SealedCut:
		return words.CutRecords, nil
	case code == capture.SealedTooMany:
		return words.TooMany, nil
	case code == capture.SealedDeflated:
		return words.Deflated, nil
	case code == capture.SealedBadTag:
		return words.WrongKey, nil
	case code == capture.SealedPhase:
		return words.NoPhase, nil
	}
	// No key.
	if have := h.Labels(); len(have) > 0 {
		switch {
		case h.InnerHello() != nil && !slices.ContainsFunc(have, func(l string) bool { return ofSide(l, side) }):
			return words.EchLines, nil
		case slices.Contains(have, "ECH_SECRET") || slices.Contains(have, "ECH_CONFIG"):
			return words.EchInner, nil
		case h.Is13() && !slices.ContainsFunc(have, func(l string) bool { return ofSide(l, side) }) && slices.ContainsFunc(have, func(l string) bool { return ofSide(l, 1-side) }):
			return words.OtherDirection, []any{"label", strings.Join(have, ", ")}
		}
		if c.Holed() {
			return words.NoPhase, nil
		}
		if c.OverUDP() {
			return words.OutOfTurn, []any{"label", strings.Join(have, ", ")}
		}
		return words.OtherLine, []any{"label", strings.Join(have, ", ")}
	}
	if c.Conn.PrivateKeys > 0 {
		if r := c.keyReason(); r != "" {
			return r, nil
		}
	}
	_, psk := h.ServerHello.SelectedPSK()
	hello := h.Hello
	if hello == nil {
		hello = c.CutHello
	}
	switch ech := hello.Extension(handshake.ExtECH); {
	case !h.Is13() && h.Resumed:
		return words.NoParent, nil
	case c.Lines == 0:
		return words.NoKeyLog, nil
	case ech != nil && h.Is13() && !psk:
		return words.EchInner, nil
	}
	return words.NoLine, nil
}

// keyReason says why the private keys that were given do not open a connection.
func (c *View) keyReason() string {
	h := c.Main
	switch {
	case h.Is13():
		return words.KeyTLS13
	case h.Resumed:
		return words.KeyResumed
	}
	switch handshake.SuiteKeyExchange(h.ServerHello.CipherSuite) {
	case handshake.KeyExchangeRSA:
		s, _ := h.Proved(words.ProofRSAKey)
		switch {
		case s == event.Proven:
			return words.KeyNoSessionHash
		case h.Keyed:
			return words.KeyPadding
		case h.ClientKey == nil:
			return "" // it is not the key's fault
		}
		return words.KeyAlone
	case handshake.KeyExchangeDHE, handshake.KeyExchangeECDHE, handshake.KeyExchangeDHAnon, handshake.KeyExchangeECDHAnon:
		return words.KeyForwardSecrecy
	case handshake.KeyExchangePSK, handshake.KeyExchangeDHEPSK, handshake.KeyExchangeECDHEPSK, handshake.KeyExchangeRSAPSK:
		return words.KeyPSK
	}
	return ""
}

func (c *View) gapArgs(side int) []any {
	if c.Sides[side].Gone == 0 {
		side = 1 - side
	}
	return []any{"bytes", strconv.FormatInt(c.Sides[side].Gone, 10), "offset", strconv.FormatInt(c.Sides[side].GoneAt, 10), "gapsender", c.Side(side)}
}

// ofSide tells whether a key log line is about what one side sends.
func ofSide(label string, side int) bool {
	return strings.HasPrefix(label, [2]string{"CLIENT_", "SERVER_"}[side]) && strings.Contains(label, "TRAFFIC_SECRET")
}
