package steps

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/capture/handshake"
)

// Values are the values for sentences about a connection, each found when a sentence asks
// for it.
type Values struct {
	of  *View
	own []string // name, value pairs, which come before those of the connection
}

// Values are those of the connection alone.
func (c *View) Values() Values { return Values{of: c} }

// With returns the values with more, in name, value pairs.
func (v Values) With(pairs ...string) Values {
	return Values{v.of, append(slices.Clip(v.own), pairs...)}
}

// Value is a value by its name; "" if there is none.
func (v Values) Value(name string) string {
	for i := len(v.own) - 2; i >= 0; i -= 2 {
		if v.own[i] == name {
			return v.own[i+1]
		}
	}
	if v.of == nil {
		return ""
	}
	return v.of.value(name)
}

func (c *View) value(name string) string {
	switch name {
	case "client", "server":
		client, server := c.ends()
		if name == "client" {
			return client
		}
		return server
	case "port":
		return port(c.Conn.Server)
	case "asked":
		return cmp.Or(event.Clip(c.askedFor()), "the host")
	case "reason":
		return c.whyUnread()
	case "bytes":
		if c.Cut > 0 {
			return strconv.FormatInt(c.Cut, 10)
		}
	case "earlier":
		return c.earlierWords()
	case "checked", "roots", "finding":
		switch f := c.Verified; {
		case f == nil:
		case name == "checked":
			return cmp.Or(event.Clip(f.Host), "the host")
		case name == "roots":
			return words.Phrase(words.Roots, cmp.Or(event.Clip(f.Addr), "none"), "")
		default:
			return FindingWords(f)
		}
	case "key", "names", "subject", "count":
		switch leaf := c.Main.Sides[1].Leaf; {
		case leaf == nil:
		case name == "key":
			return leaf.KeyWords()
		case name == "names":
			return event.Clip(leaf.For())
		case name == "subject":
			return event.Clip(leaf.Subject())
		default:
			return words.Plural(len(c.Main.Sides[1].Chain), "certificate")
		}
	case "case", "wrong", "check", "severity", "control", "needs":
		if c.Shown != nil {
			return c.Shown.value(name)
		}
	}
	return c.exchangeValue(name)
}

// exchangeValue is a value of what the two sides said of the exchange.
func (c *View) exchangeValue(name string) string {
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
			return h.VersionName()
		}
		return "TLS"
	case "suite":
		if h.ServerHello != nil {
			return handshake.SuiteName(h.ServerHello.CipherSuite)
		}
		return "no suite"
	case "group":
		group, _, _ := GroupOf(h)
		return group
	case "servershare":
		switch {
		case h.ServerKey != nil:
			return strconv.Itoa(len(h.ServerKey.Public))
		case share != nil:
			return strconv.Itoa(len(share.Exchange))
		}
	case "clientshare":
		if h.ClientKey != nil && len(h.ClientKey.Public) > 0 {
			return size(h.ClientKey.Public)
		}
		if share != nil {
			if s := shareOf(h.Hello, share.Group); s != nil {
				return strconv.Itoa(len(s.Exchange))
			}
		}
	case "ciphertext", "part", "beside":
		if share != nil {
			return kemValue(name, share)
		}
	case "whichhello":
		if h.Retry != nil {
			return "its second"
		}
		return "its first"
	case "firstgroups":
		if h.Retry != nil && h.FirstHello != nil {
			return cmp.Or(ShareWords(h.FirstHello.KeyShares()), "no share at all")
		}
	case "legacy":
		if h.Hello != nil {
			return handshake.VersionName(h.Hello.LegacyVersion)
		}
	case "size":
		if h.ClientKey != nil {
			return size(h.ClientKey.EncryptedPreMaster)
		}
	case "ticket":
		return cmp.Or(size(h.Ticket), size(h.Identity()))
	case "identity":
		id := h.Identity()
		if h.ClientKey != nil && len(h.ClientKey.PSKIdentity) > 0 {
			id = h.ClientKey.PSKIdentity
		}
		if id != nil {
			return event.Clip(c.Text(words.Readable(id)))
		}
	}
	return ""
}

// kemValue is a value of the server's share in a group with a key encapsulation, which
// stands alone or beside a Diffie-Hellman exchange.
func kemValue(name string, share *handshake.KeyShare) string {
	alone := share.Group&0xfff0 == 0x0200
	switch {
	case name == "ciphertext":
		if n := handshake.CiphertextLen(share.Group); n > 0 {
			return strconv.Itoa(n)
		}
		return strconv.Itoa(len(share.Exchange))
	case name == "part" && alone:
		return "the secret"
	case name == "part":
		return "one of the two parts of the secret"
	case alone:
		return " and nothing beside it"
	}
	return ", and a public key of its own beside it"
}

// value is a value of the sentences about a case.
func (s *Shown) value(name string) string {
	f := s.Fault
	switch {
	case name == "case":
		return s.ID
	case f == nil:
		return ""
	case name == "wrong":
		return strings.TrimSuffix(f.Wrong, ".")
	case name == "check":
		return strings.TrimSuffix(f.Check, ".")
	case name == "severity":
		return string(f.Severity)
	case name == "control":
		return cmp.Or(f.Control, f.ID)
	}
	return map[ca.Severity]string{
		ca.Critical: "Anybody on the path could be that server",
		ca.High:     "Anybody on the path who has a certificate for a name of their own could be that server",
		ca.Medium:   "Anybody on the path who has something stolen, expired, revoked, collided or factored could be that server",
	}[f.Severity]
}
