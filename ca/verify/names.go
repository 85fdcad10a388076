package verify

import (
	"bytes"
	"crypto/x509"
	"net"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/net/publicsuffix"
)

// host returns the name asked for without brackets and final dot, and the
// address that it is, if it is one.
func host(name string) (string, net.IP) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if ip := net.ParseIP(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")); ip != nil {
		return ip.String(), ip
	}
	return name, nil
}

// octets are what a certificate holds of an address.
func octets(ip net.IP) []byte {
	if v4 := ip.To4(); v4 != nil {
		return v4
	}
	return ip
}

// matches tells whether a DNS name of a certificate covers the host: whole
// labels, a wildcard for the whole leftmost one only (RFC 9525 6.3).
func matches(pattern, name string) bool {
	return pattern != "*" && (&x509.Certificate{DNSNames: []string{pattern}}).VerifyHostname(name) == nil
}

// checkName compares the name asked for with those of the certificate (RFC 9525 6).
func (v *checker) checkName(c *cert) Check {
	out := Check{ID: IDName, Cert: 1}
	if v.Name == "" {
		out.Outcome, out.Reason = NotChecked, "no-name-asked"
		return out
	}
	name, ip := host(v.Name)
	out.Details = details("asked", name)
	if c.subject == nil {
		out.Outcome, out.Reason = NotReached, "unreadable"
		return out
	}
	// How much of the host's end a name has in common with it.
	nearest, most := "", -1
	// The likeliest explanation of why none of the names fits.
	reason := "wrong-host"
	count := 0
	for _, n := range c.names {
		switch n.tag {
		case 7:
			count++
			// Octet for octet: an IPv4 address written as an IPv6 one is another (RFC 5280 4.2.1.6).
			if ip != nil && bytes.Equal(octets(ip), n.value) {
				out.Outcome = OK
				out.Details = append(out.Details, details("matched", n.String())...)
				return out
			}
			if ip != nil && most < 0 {
				nearest = n.String()
			}
		case 2:
			count++
			have := string(n.value)
			if ip == nil && matches(have, name) {
				out.Outcome = OK
				out.Details = append(out.Details, details("matched", have)...)
				if suffix, ok := strings.CutPrefix(strings.ToLower(have), "*."); ok {
					// Only registries' suffixes: below private ones, clients take wildcards.
					if known, icann := publicsuffix.PublicSuffix(suffix); known == suffix && icann {
						out.Outcome, out.Reason = Warned, "wildcard-public-suffix"
					}
				}
				return out
			}
			if why := nearMiss(have, name, ip); why != "" {
				reason, nearest, most = why, have, 1<<20
				continue
			}
			if n := common(have, name); n > most {
				nearest, most = have, n
			}
		}
	}
	out.Outcome = Failed
	for _, cn := range c.commonNames() {
		before, _, nul := strings.Cut(cn, "\x00")
		switch {
		case nul && matches(before, name):
			reason = "nul-in-cn"
		case reason != "wrong-host":
		case !matches(cn, name) && !(ip != nil && net.ParseIP(cn).Equal(ip)):
		case c.hasNames && count > 0:
			reason = "cn-match-san-mismatch"
		default:
			reason = "no-san-cn-only"
			if v.before(commonNameEnd) {
				// Clients still looked there (RFC 6125 6.4.4).
				out.Outcome = Warned
			}
		}
		if reason != "wrong-host" && nearest == "" {
			nearest = cn
		}
	}
	out.Reason = reason
	out.Details = append(out.Details, details("nearest", nearest, "names", number(count))...)
	return out
}

// nearMiss says why a name that looks as if it were meant does not cover the host.
func nearMiss(have, name string, ip net.IP) string {
	low := strings.ToLower(have)
	if ip != nil {
		if got := net.ParseIP(low); got != nil && got.Equal(ip) {
			return "ip-in-dns-san"
		}
		return ""
	}
	if before, _, nul := strings.Cut(have, "\x00"); nul {
		if matches(before, name) {
			return "nul-in-san"
		}
		return ""
	}
	star := strings.IndexByte(low, '*')
	if star < 0 {
		return ""
	}
	labels, hosts := strings.Split(low, "."), strings.Split(name, ".")
	switch {
	case low == "*":
		return "wildcard-bare"
	case strings.HasPrefix(low, "*.") && !strings.Contains(low[2:], "*"):
		if strings.HasSuffix(name, low[1:]) && len(hosts) > len(labels) {
			return "wildcard-two-labels"
		}
		return ""
	case !glob(low, name):
		return ""
	case star > strings.IndexByte(low, '.') && strings.Contains(low, "."):
		return "wildcard-not-leftmost"
	}
	return "wildcard-partial"
}

// glob tells whether the pattern fits if each * may stand for any characters but dots.
func glob(pattern, name string) bool {
	p, n := strings.Split(pattern, "."), strings.Split(name, ".")
	if len(p) != len(n) || len(pattern) > 255 || len(name) > 255 {
		return false
	}
	for i := range p {
		parts := strings.Split(p[i], "*")
		rest, ok := strings.CutPrefix(n[i], parts[0])
		if !ok || len(parts) == 1 && rest != "" {
			return false
		}
		for j, part := range parts[1:] {
			if j == len(parts)-2 {
				if !strings.HasSuffix(rest, part) {
					return false
				}
				break
			}
			at := strings.Index(rest, part)
			if at < 0 {
				return false
			}
			rest = rest[at+len(part):]
		}
	}
	return true
}

// common counts the characters that two names have in common at their ends.
func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n]|0x20 == b[len(b)-1-n]|0x20 {
		n++
	}
	return n
}

// constraints are the subtrees of RFC 5280 4.2.1.10.
type constraints struct{ permitted, excluded []generalName }

func readConstraints(s cryptobyte.String) (*constraints, bool) {
	var seq cryptobyte.String
	if !s.ReadASN1(&seq, cbasn1.SEQUENCE) {
		return &constraints{}, false
	}
	c := &constraints{}
	for i, list := range []*[]generalName{&c.permitted, &c.excluded} {
		var trees cryptobyte.String
		var present bool
		if !seq.ReadOptionalASN1(&trees, &present, cbasn1.Tag(i).Constructed().ContextSpecific()) {
			return c, false
		}
		for !trees.Empty() {
			var tree cryptobyte.String
			if !trees.ReadASN1(&tree, cbasn1.SEQUENCE) {
				return c, false
			}
			n, ok := readGeneralName(&tree)
			if !ok || !tree.Empty() && !zeroMinimum(tree) {
				return c, false
			}
			if n.tag == 7 && !goodMask(n.value) {
				return c, false
			}
			if n.tag == 2 && strings.Contains(string(n.value), "*") {
				return c, false
			}
			*list = append(*list, n)
		}
	}
	return c, seq.Empty() && len(c.permitted)+len(c.excluded) > 0
}

// zeroMinimum tells whether what follows a subtree's base is the default, written
// out: minimum is 0 and maximum absent (RFC 5280 4.2.1.10).
func zeroMinimum(s cryptobyte.String) bool {
	var n cryptobyte.String
	return s.ReadASN1(&n, cbasn1.Tag(0).ContextSpecific()) && s.Empty() && bytes.Equal(n, []byte{0})
}

// goodMask tells whether an address constraint is an address and a mask without holes.
func goodMask(b []byte) bool {
	if len(b) != 8 && len(b) != 32 {
		return false
	}
	ones, size := net.IPMask(b[len(b)/2:]).Size()
	return ones > 0 || size > 0
}

// subjects are the names of a certificate that constraints apply to (RFC 5280 4.2.1.10, 6.1.3 b).
func (c *cert) subjects() []generalName {
	out := c.names
	if len(attributes(c.subject)) > 0 {
		out = append(out[:len(out):len(out)], generalName{4, c.subject})
	}
	mail := false
	for _, n := range c.names {
		mail = mail || n.tag == 1
	}
	if !mail {
		for _, a := range attributes(c.subject) {
			if a.oid == oidEmailAttribute {
				out = append(out[:len(out):len(out)], generalName{1, []byte(a.value)})
			}
		}
	}
	return out
}

// checkConstraints checks the names below place i of the path against its constraints.
func (v *checker) checkConstraints(certs []*cert, i int) (Check, bool) {
	c := certs[i]
	if c.constraints == nil {
		return Check{}, false
	}
	out := Check{ID: IDConstraints, Cert: i + 1, Outcome: OK}
	work := 0
	n := 0
	for below, sub := range certs[:i] {
		if below > 0 && sub.selfIssued() {
			continue // RFC 5280 6.1.3 (b)
		}
		for _, name := range sub.subjects() {
			n++
			if work += len(c.constraints.permitted) + len(c.constraints.excluded); work > maxNames {
				out.Outcome, out.Reason = Failed, "too-many-constraints"
				return out, true
			}
			if by, ok := c.constraints.allow(name); !ok {
				out.Outcome, out.Reason = Failed, "name-constraint-violated"
				out.Details = details("name", name.String(), "constraint", by, "of", number(below+1))
				return out, true
			}
		}
	}
	// A client that looks for host names in the common name must hold it to the constraints too.
	if leaf := certs[0]; i > 0 {
		dns := false
		for _, name := range leaf.names {
			dns = dns || name.tag == 2 || name.tag == 7
		}
		for _, cn := range leaf.commonNames() {
			if dns || strings.ContainsAny(cn, " \x00") || !strings.Contains(cn, ".") || net.ParseIP(cn) != nil {
				continue
			}
			if by, ok := c.constraints.allow(generalName{2, []byte(cn)}); !ok {
				out.Outcome, out.Reason = Failed, "name-constraint-cn-bypass"
				out.Details = details("name", cn, "constraint", by, "of", "1")
				return out, true
			}
		}
	}
	out.Details = details("names", number(n), "permitted", treesText(c.constraints.permitted), "excluded", treesText(c.constraints.excluded))
	return out, true
}

func treesText(trees []generalName) string {
	var out []string
	for i, t := range trees {
		if i == 8 {
			out = append(out, "...")
			break
		}
		if t.tag == 7 {
			n := net.IPNet{IP: t.value[:len(t.value)/2], Mask: t.value[len(t.value)/2:]}
			out = append(out, n.String())
			continue
		}
		if s := t.String(); s != "" {
			out = append(out, s)
		} else {
			out = append(out, "(any)")
		}
	}
	return strings.Join(out, ", ")
}

// allow tells whether the constraints allow a name; by is the constraint that does not.
func (c *constraints) allow(n generalName) (by string, ok bool) {
	kinds, inside := 0, false
	for _, t := range c.permitted {
		if t.tag != n.tag {
			continue
		}
		kinds++
		if inside = within(n, t, false); inside {
			break
		}
	}
	if kinds > 0 && !inside {
		return "only: " + treesText(c.permitted), false
	}
	for _, t := range c.excluded {
		if t.tag == n.tag && within(n, t, true) {
			return "not: " + treesText([]generalName{t}), false
		}
	}
	return "", true
}

// within tells whether a name lies in a subtree. Where it cannot be told, it
// lies in what is excluded and not in what is permitted (RFC 5280 4.2.1.10: process or reject).
func within(n, tree generalName, excluded bool) bool {
	name, base := strings.ToLower(string(n.value)), strings.ToLower(string(tree.value))
	switch n.tag {
	case 2:
		if !validName(name) {
			return excluded
		}
		if below(name, base) {
			return true
		}
		// A wildcard stands for names that are excluded too (CVE-2025-61727).
		if suffix, ok := strings.CutPrefix(name, "*."); ok && excluded {
			_, parent, _ := strings.Cut(base, ".")
			return parent == suffix
		}
		return false
	case 1:
		at := strings.LastIndexByte(string(n.value), '@')
		if at < 0 || name[0] != '"' && strings.Contains(name[:at], "@") {
			return excluded
		}
		local, domain := string(n.value)[:at], name[at+1:]
		if i := strings.LastIndexByte(base, '@'); i >= 0 {
			return local == string(tree.value)[:i] && domain == base[i+1:]
		}
		return domainIn(domain, base)
	case 6:
		u, err := url.Parse(string(n.value))
		if err != nil || u.Hostname() == "" || net.ParseIP(u.Hostname()) != nil {
			return excluded
		}
		return domainIn(strings.ToLower(u.Hostname()), base)
	case 7:
		if len(tree.value) != 2*len(n.value) {
			return false // the other version's addresses
		}
		for i, b := range n.value {
			mask := tree.value[len(n.value)+i]
			if b&mask != tree.value[i]&mask {
				return false
			}
		}
		return true
	case 4:
		return prefix(tree.value, n.value)
	}
	return excluded
}

// below tells whether a DNS name is the base or stands below it. A base with a leading dot,
// which the RFC does not know and authorities use, means names below only.
func below(name, base string) bool {
	if base == "" {
		return true
	}
	if !strings.HasSuffix(name, base) {
		return false
	}
	return len(name) == len(base) || base[0] == '.' || name[len(name)-len(base)-1] == '.'
}

// domainIn compares the host of an e-mail address or URI: a base with a leading dot
// means any host below, one without that host alone.
func domainIn(domain, base string) bool {
	if base == "" {
		return true
	}
	if base[0] == '.' {
		return strings.HasSuffix(domain, base)
	}
	return domain == base
}

func validName(name string) bool {
	name = strings.TrimPrefix(name, "*.")
	if name == "" || len(name) > 253 {
		return false
	}
	for _, label := range strings.Split(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// prefix tells whether the distinguished name base begins the other (RFC 5280
// 7.1: without regard to case and repeated spaces).
func prefix(base, name []byte) bool {
	b, n := attributes(base), attributes(name)
	if len(b) > len(n) {
		return false
	}
	for i := range b {
		if b[i].rdn != n[i].rdn || b[i].oid != n[i].oid || !strings.EqualFold(folded(b[i].value), folded(n[i].value)) {
			return false
		}
	}
	return true
}

func folded(s string) string { return strings.Join(strings.Fields(s), " ") }
