package ca

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A Spec says what a leaf must be like.
type Spec struct {
	// Names are host names and IP addresses, the one that was asked for first. The
	// leaf holds exactly these, but no name twice, none that is neither an
	// address nor printable ASCII of the length that a host name may have, and
	// at most the first 100. The brackets and the zone of an IPv6 address and a
	// dot at the end of a name are left out, for certificates have none of them;
	// wildcards stay as they are.
	Names []string
	Key   Key
	// NotBefore and NotAfter are the exact validity, to the second, of a leaf
	// without an Origin. Both zero, which is the rule, make one that is valid now.
	NotBefore, NotAfter time.Time
	// Origin is the certificate that the leaf stands for, or nil. Such a leaf has its
	// subject, names, dates and extensions as they are, but for those that an
	// authority adds about itself. Another origin certificate gets another leaf.
	Origin *x509.Certificate
	// Faults are the reasons that the checks give for Origin, all of which are
	// [Mirrored]. They say where the leaf's chain ends: at the authority, at a CA that
	// nobody trusts and that lives as long as this process, or at the leaf itself;
	// and what is wrong with the staple besides what it says.
	Faults []string
	// Staple is the OCSP response that came with Origin, in DER, or nil. The leaf has one
	// that says the same about it.
	Staple []byte
	// Textbook asks for a key that may also open what a client encrypts to it.
	Textbook bool
}

const (
	maxNames = 100

	leafBefore = 24 * time.Hour // for clients whose clock is behind
	// Far below every limit for leaves under a root that was added by hand.
	leafLife = 90 * 24 * time.Hour
	// A cached leaf with less time than this is replaced, so that a long
	// connection or a client whose clock is ahead does not meet its end.
	leafMargin = 24 * time.Hour
)

// noName is what a mirrored leaf is for when the origin's certificate names no
// host. Nothing can ever be reached under it (RFC 6761 6.4).
const noName = "no-name.invalid"

// Mirror describes the leaf that stands for an origin's certificate towards a
// client that asked for the host asked (a name or an IP address): the same
// names, with the one that covers asked first, the same kind of key, the same
// dates, and the same faults. A host that the origin's certificate does not
// cover is not covered by the leaf either. ok is false where no leaf can have a
// key that is not stronger than the origin's.
func Mirror(origin *x509.Certificate, asked string, faults ...string) (spec Spec, ok bool) {
	spec = Spec{Origin: origin, Faults: faults}
	if spec.Key, ok = KeyOf(origin.PublicKey); !ok {
		return spec, false
	}
	matched := false // the names of a certificate may be thousands: stop at the first
	add := func(name string, alone x509.Certificate) {
		if !matched && alone.VerifyHostname(asked) == nil {
			spec.Names = slices.Insert(spec.Names, 0, name)
			matched = true
			return
		}
		spec.Names = append(spec.Names, name)
	}
	for _, name := range origin.DNSNames {
		// An address written as a host name covers nothing (RFC 5280 4.2.1.6), and
		// would if it were taken for an address.
		if n, ok := cleanName(name); ok && !n.ip.IsValid() {
			add(name, x509.Certificate{DNSNames: []string{name}})
		}
	}
	for _, ip := range origin.IPAddresses {
		add(ip.String(), x509.Certificate{IPAddresses: []net.IP{ip}})
	}
	if len(spec.Names) == 0 {
		spec.Names = []string{noName}
	}
	return spec, true
}

// certName is a name in the form in which certificates hold it; ip is valid for an address.
type certName struct {
	text string
	ip   netip.Addr
}

// cleanName reports whether a certificate can hold the name.
func cleanName(name string) (certName, bool) {
	name = strings.TrimSuffix(name, ".")
	bare := name
	if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") {
		bare = name[1 : len(name)-1] // an IPv6 address as it stands in a URL (RFC 3986 3.2.2)
	}
	if ip, err := netip.ParseAddr(bare); err == nil {
		ip = ip.WithZone("").Unmap()
		return certName{ip.String(), ip}, true
	}
	if len(name) > 253 { // RFC 1035 2.3.4: 255 octets on the wire
		return certName{}, false
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) == 0 || len(label) > 63 {
			return certName{}, false
		}
		for _, c := range []byte(label) {
			if c <= ' ' || c > '~' {
				return certName{}, false
			}
		}
	}
	return certName{text: name}, true
}

func cleanNames(names []string) []certName {
	var clean []certName
	seen := make(map[string]bool)
	for _, name := range names {
		n, ok := cleanName(name)
		if folded := strings.ToLower(n.text); ok && !seen[folded] {
			seen[folded] = true
			if clean = append(clean, n); len(clean) == maxNames {
				break
			}
		}
	}
	return clean
}

// mint makes a leaf for names with a key of its own, from the system's random
// source alone: who knows a leaf's key, or the CA's, learns nothing of another.
func (a *Authority) mint(names []certName, spec Spec) (*tls.Certificate, error) {
	if spec.Origin != nil {
		return a.mirror(names, spec)
	}
	usage := x509.KeyUsageDigitalSignature
	if spec.Key.Kind == x509.RSA {
		// Without keyEncipherment browsers refuse the leaf when the key exchange
		// is RSA key transport (RFC 5246 7.4.2).
		usage |= x509.KeyUsageKeyEncipherment
	}
	key, err := spec.Key.make()
	if err != nil {
		return nil, err
	}

	// CreateCertificate copies the CA's subjectKeyIdentifier, octet for octet,
	// into authorityKeyIdentifier, and marks subjectAltName critical if the
	// subject is empty (RFC 5280 4.2.1.6). The leaf has no subjectKeyIdentifier
	// of its own: it helps nobody to build this chain.
	template := &x509.Certificate{
		KeyUsage:              usage,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if first := names[0].text; len(first) < maxCommonName {
		template.Subject = pkix.Name{CommonName: first}
	}
	nameLeaf(template, names)
	template.NotBefore, template.NotAfter = spec.NotBefore, spec.NotAfter
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = a.leafDates(a.now())
	}
	cert, err := certify(template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{
		Certificate: [][]byte{cert.Raw, a.cert.Raw},
		PrivateKey:  key,
		Leaf:        cert,
	}, nil
}

// nameLeaf puts the names into a template.
func nameLeaf(template *x509.Certificate, names []certName) {
	for _, n := range names {
		if n.ip.IsValid() {
			template.IPAddresses = append(template.IPAddresses, n.ip.AsSlice())
		} else {
			template.DNSNames = append(template.DNSNames, n.text)
		}
	}
}

// leafDates is the validity of a leaf made now: within the CA's own, and with
// both ends counted (RFC 5280 4.1.2.5) no second longer than leafLife.
func (a *Authority) leafDates(now time.Time) (notBefore, notAfter time.Time) {
	notBefore = now.Add(-leafBefore).Truncate(time.Second)
	if notBefore.Before(a.cert.NotBefore) {
		notBefore = a.cert.NotBefore
	}
	notAfter = notBefore.Add(leafLife - time.Second)
	if notAfter.After(a.cert.NotAfter) {
		notAfter = a.cert.NotAfter
	}
	return notBefore, notAfter
}

// stale reports that a cached leaf should be made anew, and would be better for it.
func (a *Authority) stale(leaf *x509.Certificate, now time.Time) bool {
	if now.Before(leaf.NotBefore) { // the clock was put back
		return true
	}
	_, notAfter := a.leafDates(now)
	return now.After(leaf.NotAfter.Add(-leafMargin)) && notAfter.After(leaf.NotAfter)
}

var errNoNames = errors.New("none of the names asked for is one that a certificate can hold")
