package annotate

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/handshake"
)

// Why records stayed sealed, as exactly as it can be known. The values stand in
// JSON without "unopened-"; they are permanent. Each is the ID of a sentence.
const (
	noClientHello     = "unopened-no-client-hello"             // nothing names its lines in a key log
	noServer          = "unopened-one-direction"               // what the server sent is not in the capture
	noServerHello     = "unopened-no-server-hello"             // it is among missing bytes
	noKeyLog          = "unopened-no-keys"                     // none were given at all
	noLine            = "unopened-no-line"                     // the key log has lines, none for this connection
	otherDirection    = "unopened-other-direction"             // only one for the other direction
	otherLine         = "unopened-other-line"                  // only ones that do not open these records
	gapBefore         = "unopened-gap"                         // bytes are missing, and the sequence was not found again
	noParent          = "unopened-resumed"                     // it takes up a session whose master secret is not known
	keyAlone          = "unopened-private-key-other"           // no private key given is that of the certificate
	keyForwardSecrecy = "unopened-private-key-forward-secrecy" // the key only signs
	keyTLS13          = "unopened-private-key-tls13"
	keyResumed        = "unopened-private-key-resumed"
	keyPSK            = "unopened-private-key-psk"
	keyPadding        = "unopened-private-key-padding"
	keyNoSessionHash  = "unopened-private-key-session-hash"
	echInner          = "unopened-ech"
	noSuite           = "unopened-suite"
	noVersion         = "unopened-version"
	wrongKey          = "unopened-wrong-key"
	tooMany           = "unopened-too-many"
	deflated          = "unopened-compressed"
	noPhase           = "unopened-phase"
	ownKeys           = "unopened-observed"  // the program was to write its keys, and has not
	passedOn          = "unopened-passed-on" // the recording says that the proxy did not open it
	eavesdropping     = "unopened-eavesdropper"
)

// unopened says why records of a connection stayed sealed, for each direction, or
// once if it is the same for both.
func (x *Explainer) unopened(c *conn) []event.Unopened {
	if c.overUDP() || c.pass != nil && c.pass.Kind == capture.FactPassThrough && !c.observed() {
		return nil
	}
	var out []event.Unopened
	for side := range c.dark {
		if c.dark[side] == 0 || c.whyCode[side] == "" || c.whyCode[side] == capture.SealedCut && c.opened[side] {
			continue
		}
		reason, more := x.reasonSealed(c, side)
		out = append(out, event.Unopened{
			From: capture.Side(side).String(), Reason: strings.TrimPrefix(reason, "unopened-"),
			Records: c.dark[side], Says: x.sayUnopened(c, side, reason, more),
		})
		if len(out) == 2 && out[0].Reason == out[1].Reason && reason != gapBefore && reason != otherLine {
			out[0].From = ""
			out[0].Records += out[1].Records
			out[0].Says = x.sayUnopened(c, -1, reason, more)
			out = out[:1]
		}
	}
	return out
}

// sayUnopened makes the sentence of a reason; side is -1 for both.
func (x *Explainer) sayUnopened(c *conn, side int, reason string, more []string) event.Sentence {
	h := c.main
	sender, other := "both sides", "the other side"
	if side >= 0 {
		sender, other = c.side(side), c.side(1-side)
	}
	a := x.args(c).with("sender", sender, "other", other, "keys", plural(c.c.PrivateKeys, "private key"), "lines", plural(x.lines, "line"))
	if h.sh != nil {
		a = a.with("exchange", exchangeWords(h))
		if s := h.suite(); s != nil && s.Reason() != "" {
			a = a.with("why", s.Reason())
		} else {
			a = a.with("why", "it is not in the registry of cipher suites as known here")
		}
	}
	return say(reason, event.None, a.with(more...))
}

// exchangeWords names how a connection makes its secret.
func exchangeWords(h *hands) string {
	if h.is13() {
		return "TLS 1.3"
	}
	switch handshake.SuiteKeyExchange(h.sh.CipherSuite) {
	case handshake.KeyExchangeDHE, handshake.KeyExchangeDHAnon:
		return "ephemeral Diffie-Hellman (DHE)"
	case handshake.KeyExchangeECDHE, handshake.KeyExchangeECDHAnon:
		return "ephemeral Diffie-Hellman on a curve (ECDHE)"
	}
	return "this key exchange"
}

// reasonSealed finds the reason, and what its sentence needs beside the usual.
func (x *Explainer) reasonSealed(c *conn, side int) (reason string, more []string) {
	h := c.main
	code := c.whyCode[side]
	switch {
	case x.Eavesdropper:
		return eavesdropping, nil
	case c.observed() && len(h.secretLabels()) == 0:
		return ownKeys, nil
	case c.pass != nil && len(h.secretLabels()) == 0:
		return passedOn, nil
	case h.ch == nil:
		return noClientHello, nil
	case h.sh == nil && !c.heard[1]:
		return noServer, nil
	case h.sh == nil && c.gapLen[1] > 0:
		return noServerHello, x.gapArgs(c, 1)
	case h.sh == nil:
		return noPhase, nil
	case code == capture.SealedNoSuite:
		s := h.suite()
		if s == nil || !s.Openable() {
			return noSuite, nil
		}
		return noVersion, nil
	case code == capture.SealedGap:
		return gapBefore, x.gapArgs(c, side)
	case code == capture.SealedTooMany:
		return tooMany, nil
	case code == capture.SealedDeflated:
		return deflated, nil
	case code == capture.SealedBadTag:
		return wrongKey, nil
	case code == capture.SealedPhase:
		return noPhase, nil
	}
	// No key.
	if have := h.secretLabels(); len(have) > 0 {
		switch {
		case slices.Contains(have, "ECH_SECRET") || slices.Contains(have, "ECH_CONFIG"):
			return echInner, nil
		case h.is13() && !slices.ContainsFunc(have, func(l string) bool { return ofSide(l, side) }) && slices.ContainsFunc(have, func(l string) bool { return ofSide(l, 1-side) }):
			return otherDirection, []string{"label", strings.Join(have, ", ")}
		}
		return otherLine, []string{"label", strings.Join(have, ", ")}
	}
	if c.c.PrivateKeys > 0 {
		if r := x.keyReason(c, h); r != "" {
			return r, nil
		}
	}
	_, psk := h.sh.SelectedPSK()
	switch ech := h.ch.Extension(0xfe0d); {
	case !h.is13() && h.resumed:
		return noParent, nil
	case x.lines == 0:
		return noKeyLog, nil
	case ech != nil && h.is13() && !psk:
		return echInner, nil
	}
	return noLine, nil
}

// keyReason says why the private keys that were given do not open a connection.
func (x *Explainer) keyReason(c *conn, h *hands) string {
	switch {
	case h.is13():
		return keyTLS13
	case h.resumed:
		return keyResumed
	}
	switch handshake.SuiteKeyExchange(h.sh.CipherSuite) {
	case handshake.KeyExchangeRSA:
		s, _ := h.proved(proofRSAKey)
		switch {
		case s == event.Proven:
			return keyNoSessionHash
		case h.keyed:
			return keyPadding
		case h.cke == nil:
			return "" // it is not the key's fault
		}
		return keyAlone
	case handshake.KeyExchangeDHE, handshake.KeyExchangeECDHE, handshake.KeyExchangeDHAnon, handshake.KeyExchangeECDHAnon:
		return keyForwardSecrecy
	case handshake.KeyExchangePSK, handshake.KeyExchangeDHEPSK, handshake.KeyExchangeECDHEPSK, handshake.KeyExchangeRSAPSK:
		return keyPSK
	}
	return ""
}

func (x *Explainer) gapArgs(c *conn, side int) []string {
	if c.gapLen[side] == 0 {
		side = 1 - side
	}
	return []string{"bytes", strconv.FormatInt(c.gapLen[side], 10), "offset", strconv.FormatInt(c.gapAt[side], 10), "gapsender", c.side(side)}
}

// secretLabels are the labels of the key log lines for this handshake.
func (h *hands) secretLabels() []string {
	return slices.Sorted(maps.Keys(h.secrets))
}

// ofSide tells whether a key log line is about what one side sends.
func ofSide(label string, side int) bool {
	return strings.HasPrefix(label, [2]string{"CLIENT_", "SERVER_"}[side]) && strings.Contains(label, "TRAFFIC_SECRET")
}

// unopenedSentences tell why records stayed sealed.
var unopenedSentences = []entry{
	{noClientHello, "Not opened: the ClientHello is not in the capture. Its random number names this connection's lines in a key log, so even with the right key log nobody can tell which lines are for it.", []string{"9850 2", "5246 8.1"}},
	{noServer, "Not opened: what {server} sent is not in the capture, so version, cipher suite and its random number are not known.", []string{"5246 6.3", "8446 7.1"}},
	{noServerHello, "Not opened: the ServerHello is not in the capture ({bytes} bytes that {gapsender} sent are missing, the first at offset {offset}), so version, cipher suite and its random number are not known.", []string{"5246 6.3", "8446 7.1"}},
	{noKeyLog, "Not opened: no key log and no private key was given that says anything about this connection. Its client can be made to write one (SSLKEYLOGFILE), before it connects.", []string{"9850 1"}},
	{noLine, "Not opened: of the {lines} of the key log that were known by then none is for this connection: none begins with the random number of its ClientHello. The log may be of another program or another time, or not whole.", []string{"9850 2"}},
	{otherDirection, "What {sender} sent is not opened: for this connection the key log has only lines for what {other} sent ({label}).", []string{"9850 2", "8446 7.1"}},
	{otherLine, "What {sender} sent is not all opened: for this connection the key log has {label}, and not the line that these records need.", []string{"9850 2", "8446 7.1"}},
	{gapBefore, "Not all that {sender} sent is opened: {bytes} bytes that {gapsender} sent are missing, the first at offset {offset}, and the place in the sequence of the records behind them was not found again. Each record opens only in its place.", []string{"5246 6.2.3", "8446 5.3"}},
	{noParent, "Not opened: this connection takes up an earlier session and has no line of its own in a key log. It would open with the master secret of that session, which is not in the capture or not known.", []string{"5246 7.3", "5246 F.1.4"}},
	{keyAlone, "Not opened: of the {keys} given none belongs to the certificate that {server} sent, so it does not open the secret of step 5.", []string{"5246 7.4.7.1"}},
	{keyForwardSecrecy, "Not opened, and no private key can open it: the secret was made with {exchange}, and the certificate's key only signed. Both sides have thrown their halves away; that is forward secrecy. Only a key log opens it.", []string{"5246 F.1.1.3", "8422 2"}},
	{keyTLS13, "Not opened, and no private key can open it: TLS 1.3 has no key exchange in which the certificate's key does more than sign (forward secrecy). Only a key log opens it.", []string{"8446 1.2", "8446 E.1"}},
	{keyResumed, "Not opened: this connection takes up an earlier session, so no secret was sent here for a private key to open. It would open with the master secret of that session, which is not in the capture or not known.", []string{"5246 7.3", "5246 F.1.4"}},
	{keyPSK, "Not opened: the secret is made from a pre-shared key, which a certificate's private key does not give. Only a key log opens it.", []string{"4279 2"}},
	{keyPadding, "Not opened: the private key given is that of the certificate, but what {client} encrypted is not padded as it must be, so there is no secret in it. {Server} must go on with random bytes, which nobody knows.", []string{"5246 7.4.7.1"}},
	{keyNoSessionHash, "Not opened, although the private key given opens the secret of step 5: the keys also depend on messages of the handshake that are not all in the capture (extended master secret).", []string{"7627 4"}},
	{echInner, "Not opened: the hello carries encrypted client hello (ECH), and the key log has no line that opens what follows. If {server} accepted it, the lines are named by the random number of the inner hello, which is encrypted; whether it did cannot be told.", []string{"9849 7.2", "9850 2.3"}},
	{noSuite, "Not opened, with or without keys: {suite} cannot be opened here ({why}).", []string{"5246 A.5", "8446 B.4"}},
	{noVersion, "Not opened, with or without keys: records of {version} with {suite} cannot be opened here.", []string{"5246 E.1", "8446 4.2.1"}},
	{wrongKey, "Not all that {sender} sent is opened: there is a key for this connection, and these records do not fit it. Either it is a wrong key, or bytes were changed or are missing in a way that does not show.", []string{"5246 6.2.3", "8446 5.2"}},
	{tooMany, "Not all that {sender} sent is opened: more bytes waited for a key than are kept. Give the key log before the capture, or the capture as a file.", nil},
	{deflated, "Not all that {sender} sent is opened: the content is compressed, and what it needs to be undone is missing.", []string{"3749 2"}},
	{noPhase, "Not all that {sender} sent is opened: the messages that say which keys these records have are not in the capture.", nil},
	{ownKeys, "Not opened: when this was recorded, the program had written no key for this connection to the key log that it was told of (SSLKEYLOGFILE). Many programs write none.", []string{"9850 1"}},
	{passedOn, "Not opened: the proxy passed this on as it was, so it has no keys to it, and none were given that say anything about this connection.", []string{"9850 1"}},
	{eavesdropping, "Nothing is opened: whoever listens on the path has no keys.", nil},
}
