package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// StartTLS tells that the two sides spoke another protocol before TLS, and in what
// words that protocol asked for TLS, or for the connection that TLS runs in.
type StartTLS struct {
	// Protocol is "SMTP", "IMAP", "POP3", "FTP", "NNTP", "ManageSieve", "IRC", "XMPP",
	// "LDAP", "PostgreSQL", "MySQL", "RDP", "TDS", "SOCKS4" or "SOCKS5".
	Protocol string
	Request  string // as it was sent, or in words where it is no text
	Answer   string // the same of the server's; "" if there is none
	Target   string // "host:port" that a SOCKS proxy was asked for
	Refused  bool   // Answer says no, and TLS was begun all the same
}

// Bytes of the protocol before TLS that are kept of a side.
const (
	keepHead = 1024
	keepTail = 1024
)

// before is what a side sent before TLS, as far as it is kept.
type before struct{ head, tail []byte }

func (b *before) add(p []byte) {
	b.head = append(b.head, p[:min(len(p), keepHead-len(b.head))]...)
	b.tail = append(b.tail, p...)
	if over := len(b.tail) - keepTail; over > 0 {
		b.tail = b.tail[:copy(b.tail, b.tail[over:])]
	}
}

// lastLine is the last whole line of text in b.
func (b *before) lastLine() string {
	text := strings.TrimRight(string(b.tail), "\r\n")
	if i := strings.LastIndexAny(text, "\r\n"); i >= 0 {
		text = text[i+1:]
	}
	return text
}

// startTLSOf finds out which protocol asked for TLS, nil if it is none of those known.
func startTLSOf(client, server *before) *StartTLS {
	asked, answer := client.lastLine(), server.lastLine()
	word := strings.ToUpper(strings.TrimSpace(asked))
	greeting := string(server.head)
	named := func(protocol string) *StartTLS { return &StartTLS{Protocol: protocol, Request: asked, Answer: answer} }
	no := func(protocol string) *StartTLS {
		return &StartTLS{Protocol: protocol, Request: asked, Answer: answer, Refused: true}
	}
	refused := len(answer) > 3 && (answer[0] == '4' || answer[0] == '5')
	switch {
	case word == "STLS" && strings.HasPrefix(answer, "+OK"):
		return named("POP3") // RFC 2595 4
	case word == "STLS" && strings.HasPrefix(answer, "-ERR"):
		return no("POP3")
	case (word == "AUTH TLS" || word == "AUTH SSL" || word == "AUTH TLS-C") && strings.HasPrefix(answer, "234"):
		return named("FTP") // RFC 4217 4
	case (word == "AUTH TLS" || word == "AUTH SSL" || word == "AUTH TLS-C") && refused:
		return no("FTP")
	case word == "STARTTLS" && strings.HasPrefix(answer, "220"):
		return named("SMTP") // RFC 3207 4
	case word == "STARTTLS" && refused && strings.HasPrefix(greeting, "220"):
		return no("SMTP")
	case word == "STARTTLS" && strings.HasPrefix(answer, "382"):
		return named("NNTP") // RFC 4642 2.2
	case word == "STARTTLS" && strings.HasPrefix(answer, "OK"):
		return named("ManageSieve") // RFC 5804 2.2
	case word == "STARTTLS" && strings.Contains(answer, " 670 "):
		return named("IRC")
	case strings.HasSuffix(word, " STARTTLS") && strings.HasPrefix(greeting, "* ") && imapRefused.MatchString(answer):
		return no("IMAP")
	case strings.HasSuffix(word, " STARTTLS") && strings.HasPrefix(greeting, "* "):
		return named("IMAP") // RFC 9051 6.2.1
	}
	if i := bytes.LastIndex(client.tail, []byte("<starttls")); i >= 0 {
		s := &StartTLS{Protocol: "XMPP", Request: string(client.tail[i:])} // RFC 6120 5.4.2
		if i := bytes.LastIndex(server.tail, []byte("<proceed")); i >= 0 {
			s.Answer = string(server.tail[i:])
		}
		return s
	}
	const oid = "1.3.6.1.4.1.1466.20037"
	if bytes.Contains(client.tail, []byte(oid)) {
		s := &StartTLS{Protocol: "LDAP", Request: "ExtendedRequest " + oid} // RFC 4511 4.14
		if code, ok := ldapResult(server.tail); ok {
			s.Answer, s.Refused = "ExtendedResponse, result code "+strconv.Itoa(code), code != 0
		}
		return s
	}
	if bytes.HasSuffix(client.tail, []byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}) && (bytes.HasSuffix(server.tail, []byte("S")) || bytes.HasSuffix(server.tail, []byte("N"))) {
		s := &StartTLS{Protocol: "PostgreSQL", Request: "SSLRequest (80877103)", Answer: string(server.tail[len(server.tail)-1:])}
		s.Refused = s.Answer == "N"
		return s
	}
	if asks, _ := tdsAsks(client.head); asks != "" {
		s := &StartTLS{Protocol: "TDS", Request: "PRELOGIN, " + asks}
		if agrees, _ := tdsAsks(server.head); agrees != "" {
			s.Answer = agrees
		}
		return s
	}
	if s := mysql(client, server); s != nil {
		return s
	}
	if s := socks(client.head, server.head); s != nil {
		return s
	}
	// A TPKT packet with an X.224 connection request, at whose end RDP negotiates.
	if n := len(client.tail); n >= 19 && client.tail[0] == 3 && client.tail[5] == 0xe0 && client.tail[n-8] == 1 && client.tail[n-6] == 8 {
		return &StartTLS{Protocol: "RDP", Request: fmt.Sprintf("RDP_NEG_REQ, protocols %#x", binary.LittleEndian.Uint32(client.tail[n-4:]))}
	}
	return nil
}

// imapRefused is a tagged answer that says no (RFC 9051 7.1).
var imapRefused = regexp.MustCompile(`(?i)^\S+ (NO|BAD)\b`)

// ldapResult finds the result code in an ExtendedResponse (RFC 4511 4.12): [APPLICATION 24], then an enumerated.
var ldapResponse = regexp.MustCompile(`(?s)\x78.{1,5}?\x0a\x01(.)`)

func ldapResult(p []byte) (int, bool) {
	if m := ldapResponse.FindSubmatch(p); m != nil {
		return int(m[1][0]), true
	}
	return 0, false
}

// mysql knows the server's greeting, protocol version 10, and the client's answer of 32 bytes
// with the flag CLIENT_SSL, which stands before TLS.
func mysql(client, server *before) *StartTLS {
	const wantsTLS = 0x800
	g, r := server.head, client.tail
	if len(g) < 6 || g[3] != 0 || g[4] != 10 || len(r) != 36 || r[0] != 32 || r[1] != 0 || r[2] != 0 || r[3] != 1 || binary.LittleEndian.Uint32(r[4:])&wantsTLS == 0 {
		return nil
	}
	return &StartTLS{Protocol: "MySQL", Request: "SSLRequest (capability CLIENT_SSL)"} // which is not answered
}

// socks reads the requests of SOCKS 5 (RFC 1928 3 and 4) and SOCKS 4 and 4a.
func socks(c, s []byte) *StartTLS {
	if len(c) < 9 || len(s) < 2 {
		return nil
	}
	switch {
	case c[0] == 5 && s[0] == 5:
		methods := 2 + int(c[1])
		r := c[min(methods, len(c)):]
		if s[1] == 2 && len(r) > 2 && r[0] == 1 { // user name and password (RFC 1929 2)
			skip := 2 + int(r[1])
			if len(r) > skip {
				skip += 1 + int(r[skip])
			}
			r = r[min(skip, len(r)):]
		}
		if len(r) < 5 || r[0] != 5 || r[1] != 1 || r[2] != 0 {
			return nil
		}
		host, n := "", 0
		switch r[3] {
		case 1:
			n = 4
		case 3:
			n = 1 + int(r[4])
		case 4:
			n = 16
		}
		if n == 0 || len(r) < 4+n+2 {
			return nil
		}
		if !bytes.HasPrefix(s[min(len(s), 2+int(s[1]&2)):], []byte{5, 0}) { // behind the method and the two bytes of RFC 1929
			return nil // refused, or not answered yet
		}
		if r[3] == 3 {
			host = string(r[5 : 4+n])
		} else {
			ip, _ := netip.AddrFromSlice(r[4 : 4+n])
			host = ip.String()
		}
		target := net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(r[4+n:]))))
		return &StartTLS{Protocol: "SOCKS5", Request: "CONNECT " + target, Answer: "succeeded", Target: target}
	case c[0] == 4 && c[1] == 1 && s[0] == 0 && s[1] == 0x5a:
		ip, _ := netip.AddrFromSlice(c[4:8])
		host := ip.String()
		if c[4] == 0 && c[5] == 0 && c[6] == 0 && c[7] != 0 { // 4a: the name follows the user id
			_, rest, _ := bytes.Cut(c[8:], []byte{0})
			name, _, ok := bytes.Cut(rest, []byte{0})
			if ok {
				host = string(name)
			}
		}
		target := net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(c[2:]))))
		return &StartTLS{Protocol: "SOCKS4", Request: "CONNECT " + target, Answer: "request granted", Target: target}
	}
	return nil
}

// tellStartTLS tells which protocol the bytes before TLS were of, if it is known.
func (c *conn) tellStartTLS(h *half, s *StartTLS) {
	c.halves[Client].before, c.halves[Server].before = before{}, before{}
	if s == nil {
		return
	}
	here := h.at(h.off)
	c.add(h, h.told, Message{Time: here.time, First: here.packet, Last: here.packet, Body: s})
}
