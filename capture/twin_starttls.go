package capture

import "bytes"

// maxBefore is how many bytes of a side before TLS can stay in a twin, in part: a
// dialogue in which TLS is asked for is shorter.
const maxBefore = 4 << 10

// twinBefore settles what both sides sent before the TLS that was found: of a
// protocol that is known the words stay with which it asked for TLS, no others.
func (c *conn) twinBefore() {
	if c.d.Twin == nil {
		return
	}
	s := startTLSOf(&c.halves[Client].before, &c.halves[Server].before)
	if s == nil {
		return
	}
	for i := range c.halves {
		h := &c.halves[i]
		if n := int(h.off - h.twin.at); h.twin.at == h.base && n > 0 && n <= len(h.twin.raw) {
			h.twin.settle(h.off, beforeTwin(s.Protocol, h.side, h.twin.raw[:n]))
		}
	}
}

// beforeTwin is the twin of all that a side sent before TLS in a protocol of [StartTLS].
func beforeTwin(protocol string, side Side, p []byte) []byte {
	twin := bytes.Repeat([]byte{covered}, len(p))
	stays := func(from, to int) {
		if from, to = max(from, 0), min(to, len(p)); from < to {
			copy(twin[from:to], p[from:to])
		}
	}
	word := func(w string) {
		if i := bytes.LastIndex(p, []byte(w)); i >= 0 {
			stays(i, i+len(w))
		}
	}
	switch protocol {
	case "SMTP", "IMAP", "POP3", "FTP", "NNTP", "ManageSieve", "IRC":
		for i, b := range p {
			if b == '\r' || b == '\n' {
				twin[i] = b
			}
		}
		end := len(bytes.TrimRight(p, "\r\n"))
		begin := bytes.LastIndexAny(p[:end], "\r\n") + 1
		switch line := p[begin:end]; {
		case side == Client:
			stays(begin, end) // it is the command, and with IMAP its tag
		case protocol == "IRC":
			word(" 670 ")
		default:
			stays(begin, begin+bytes.IndexByte(append(line[:len(line):len(line)], ' '), ' ')+1)
		}
		if protocol == "IMAP" && side == Server {
			stays(0, len("* "))
		}
	case "XMPP":
		element := []string{"<starttls", "<proceed"}[side]
		word(element)
		word(element + " xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
		word(element + ` xmlns="urn:ietf:params:xml:ns:xmpp-tls"/>`)
	case "LDAP":
		if side == Client {
			word("1.3.6.1.4.1.1466.20037")
		} else if at := ldapResponse.FindIndex(p); at != nil {
			stays(at[0], at[1])
		}
	case "PostgreSQL":
		stays(len(p)-[]int{8, 1}[side], len(p))
	case "MySQL":
		stays(0, []int{13, 5}[side]) // flags, and the version of the protocol
	case "TDS":
		stays(0, tdsHeader)
		for at := tdsHeader; at+5 <= len(p) && p[at] != tdsLast; at += 5 { // its options
			stays(at, at+6)
		}
		if _, at := tdsAsks(p); at > 0 {
			stays(at, at+1)
		}
	case "RDP":
		if side == Client {
			stays(0, 1)
			stays(5, 6)
			stays(len(p)-8, len(p))
		}
	case "SOCKS5":
		if len(p) < 2 {
			break
		}
		at := 2
		if side == Client {
			at += int(p[1])
		}
		stays(0, at)
		// No request or reply has a 1 in front but those about a name and a password (RFC 1929 2).
		if at < len(p) && p[at] == 1 {
			stays(at, at+2)
			at += 2
			if side == Client {
				if at += int(p[at-1]); at < len(p) { // the name
					stays(at, at+1)
					at += 1 + int(p[at]) // and the password
				}
			}
		}
		if at+4 < len(p) { // RFC 1928 4 and 6
			n := map[byte]int{1: 4, 3: 1 + int(p[at+4]), 4: 16}[p[at+3]]
			stays(at, at+4+n+2)
		}
	case "SOCKS4":
		stays(0, 8)
		if side == Client && len(p) > 8 { // a user's id stands before the name of SOCKS 4a
			user, host, _ := bytes.Cut(p[8:], []byte{0})
			at := 8 + len(user)
			stays(at, at+1)
			if name, _, ok := bytes.Cut(host, []byte{0}); ok {
				stays(at+1, at+1+len(name)+1)
			}
		}
	}
	return twin
}
