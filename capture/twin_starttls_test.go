package capture

import "testing"

// Of what stands before TLS only the words stay that ask for it.
func TestBeforeTwin(t *testing.T) {
	for _, c := range []struct {
		protocol   string
		side       Side
		sent, want string
	}{
		{"SMTP", Client, "EHLO laptop\r\nSTARTTLS\r\n", "xxxxxxxxxxx\r\nSTARTTLS\r\n"},
		{"SMTP", Server, "220 mx of me\r\n250 hello\r\n220 Go ahead\r\n", "xxxxxxxxxxxx\r\nxxxxxxxxx\r\n220 xxxxxxxx\r\n"},
		{"IMAP", Server, "* OK me\r\na OK Begin\r\n", "* xxxxx\r\na xxxxxxxx\r\n"},
		{"POP3", Server, "+OK", "+OK"},
		{"IRC", Server, ":host 670 nick :go\r\n", "xxxxx 670 xxxxxxxx\r\n"},
		{"XMPP", Client, "<stream to='me'><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "xxxxxxxxxxxxxxxx<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"},
		{"PostgreSQL", Client, "\x00\x00\x00\x08\x04\xd2\x16\x2f", "\x00\x00\x00\x08\x04\xd2\x16\x2f"},
		{"PostgreSQL", Server, "S", "S"},
		{"SOCKS5", Client, "\x05\x02\x00\x02\x01\x02me\x04pass\x05\x01\x00\x03\x01a\x01\xbbmore", "\x05\x02\x00\x02\x01\x02xx\x04xxxx\x05\x01\x00\x03\x01a\x01\xbbxxxx"},
		{"SOCKS5", Server, "\x05\x02\x01\x00\x05\x00\x00\x01\x01\x02\x03\x04\x01\xbbmore", "\x05\x02\x01\x00\x05\x00\x00\x01\x01\x02\x03\x04\x01\xbbxxxx"},
		{"SOCKS5", Client, "\x05\xff", "\x05\xff"},
		{"SOCKS5", Client, "\x05\x01\x00\x01\xff", "\x05\x01\x00\x01\xff"},
		{"SOCKS4", Client, "\x04\x01\x01\xbb\x00\x00\x00\x01me\x00a.test\x00more", "\x04\x01\x01\xbb\x00\x00\x00\x01xx\x00a.test\x00xxxx"},
		{"RDP", Client, "short", "sxxxx"},
	} {
		if c.protocol == "RDP" {
			c.want = c.sent // its last 8 bytes are all of it
		}
		if got := string(beforeTwin(c.protocol, c.side, []byte(c.sent))); got != c.want {
			t.Errorf("%s, %s: %q has the twin %q, not %q", c.protocol, c.side, c.sent, got, c.want)
		}
	}
}
