package steps

import (
	"cmp"
	"math/big"
	"slices"
	"strconv"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/capture/handshake"
)

// Values are the values for sentences about a connection, each found when a sentence asks
// for it.
type Values struct {
	of  *View
	own []any // name, value pairs, which come before those of the connection
}

// Values are those of the connection alone.
func (c *View) Values() Values { return Values{of: c} }

// With returns the values with more, in name, value pairs.
func (v Values) With(pairs ...any) Values {
	return Values{v.of, append(slices.Clip(v.own), pairs...)}
}

// Value is a value by its name; empty if there is none.
func (v Values) Value(name string) event.Text {
	for i := len(v.own) - 2; i >= 0; i -= 2 {
		if v.own[i] == name {
			return words.TextOf(v.own[i+1])
		}
	}
	if v.of == nil {
		return event.Text{}
	}
	return v.of.value(name)
}

func (c *View) value(name string) event.Text {
	switch name {
	case "client", "server":
		client, server := c.ends()
		if name == "client" {
			return client
		}
		return server
	case "port":
		return event.Plain(port(c.Conn.Server))
	case "asked":
		return cmp.Or(event.Plain(event.Clip(c.askedFor())), words.Piece("host/any"))
	case "reason":
		return c.whyUnread()
	case "bytes":
		if c.Cut > 0 {
			return event.Plain(strconv.FormatInt(c.Cut, 10))
		}
	case "earlier":
		return c.earlierWords()
	case "checked", "roots", "finding":
		switch f := c.Verified; {
		case f == nil:
		case name == "checked":
			return cmp.Or(event.Plain(event.Clip(f.Host)), words.Piece("host/any"))
		case name == "roots":
			return words.Phrase(words.Roots, cmp.Or(event.Clip(f.Addr), "none"), "")
		default:
			return FindingWords(f)
		}
	case "key", "names", "subject", "count":
		switch leaf := c.Main.Sides[1].Leaf; {
		case leaf == nil:
		case name == "key":
			return event.Plain(leaf.KeyWords())
		case name == "names":
			return event.Plain(event.Clip(leaf.For()))
		case name == "subject":
			return event.Plain(event.Clip(leaf.Subject()))
		default:
			return words.Count(len(c.Main.Sides[1].Chain), "certificate")
		}
	case "case", "wrong", "check", "severity", "control", "needs":
		if c.Shown != nil {
			return c.Shown.value(name)
		}
	}
	return c.exchangeValue(name)
}

// exchangeValue is a value of what the two sides said of the exchange.
func (c *View) exchangeValue(name string) event.Text {
	h := c.Main
	var share *handshake.KeyShare
	if h.ServerHello != nil {
		share = h.ServerHello.KeyShare()
	}
	size := func(b []byte) string {
		if len(b) == 0 {
			return ""
		}
		return strconv.Itoa(len(b))
	}
	switch name {
	case "version":
		if h.ServerHello != nil {
			return event.Plain(h.VersionName())
		}
		return event.Plain("TLS")
	case "suite":
		if h.ServerHello != nil {
			return event.Plain(handshake.SuiteName(h.ServerHello.CipherSuite))
		}
		return words.Piece("value/no-suite")
	case "shortbits":
		if h.ServerKey != nil && h.ServerKey.KeyExchange == handshake.KeyExchangeRSA {
			return event.Plain(strconv.Itoa(new(big.Int).SetBytes(h.ServerKey.Public).BitLen()))
		}
	case "group":
		group, _, _ := GroupOf(h)
		return event.Plain(group)
	case "servershare":
		switch {
		case h.ServerKey != nil:
			return event.Plain(strconv.Itoa(len(h.ServerKey.Public)))
		case share != nil:
			return event.Plain(strconv.Itoa(len(share.Exchange)))
		}
	case "clientshare":
		if h.ClientKey != nil && len(h.ClientKey.Public) > 0 {
			return event.Plain(size(h.ClientKey.Public))
		}
		if share != nil {
			if s := shareOf(h.Hello, share.Group); s != nil {
				return event.Plain(strconv.Itoa(len(s.Exchange)))
			}
		}
	case "ciphertext", "part", "beside":
		if share != nil {
			return kemValue(name, share)
		}
	case "whichhello":
		if h.Retry != nil {
			return words.Piece("value/second")
		}
		return words.Piece("value/first")
	case "firstgroups":
		if h.Retry != nil && h.FirstHello != nil {
			return cmp.Or(ShareWords(h.FirstHello.KeyShares()), words.Piece("share/none"))
		}
	case "legacy":
		if h.Hello != nil {
			return event.Plain(handshake.VersionName(h.Hello.LegacyVersion))
		}
	case "size":
		if h.ClientKey != nil {
			return event.Plain(size(h.ClientKey.EncryptedPreMaster))
		}
	case "ticket":
		return event.Plain(cmp.Or(size(h.Ticket), size(h.Identity())))
	case "identity":
		id := h.Identity()
		if h.ClientKey != nil && len(h.ClientKey.PSKIdentity) > 0 {
			id = h.ClientKey.PSKIdentity
		}
		if id != nil {
			return event.Plain(event.Clip(c.Text(words.Readable(id))))
		}
	}
	return event.Text{}
}

// kemValue is a value of the server's share in a group with a key encapsulation, which
// stands alone or beside a Diffie-Hellman exchange.
func kemValue(name string, share *handshake.KeyShare) event.Text {
	alone := share.Group&0xfff0 == 0x0200
	switch {
	case name == "ciphertext":
		if n := handshake.CiphertextLen(share.Group); n > 0 {
			return event.Plain(strconv.Itoa(n))
		}
		return event.Plain(strconv.Itoa(len(share.Exchange)))
	case name == "part" && alone:
		return words.Piece("value/secret")
	case name == "part":
		return words.Piece("value/one-two-parts-secret")
	case alone:
		return words.Piece("value/nothing-beside")
	}
	return words.Piece("value/public-key-own-beside")
}

// value is a value of the sentences about a case.
func (s *Shown) value(name string) event.Text {
	f := s.Fault
	switch {
	case name == "case":
		return event.Plain(s.ID)
	case f == nil:
		return event.Text{}
	case name == "wrong":
		return words.FaultText("wrong", f.ID, f.Wrong)
	case name == "check":
		return words.FaultText("check", f.ID, f.Check)
	case name == "severity":
		return event.Plain(string(f.Severity))
	case name == "control":
		return event.Plain(cmp.Or(f.Control, f.ID))
	}
	switch f.Severity {
	case ca.Critical, ca.High, ca.Medium:
		return words.Piece("needs/" + string(f.Severity))
	}
	return event.Text{}
}
