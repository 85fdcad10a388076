package capture_test

import (
	"crypto/tls"
	"slices"
	"testing"

	"explainer/capture"
	"explainer/capture/handshake"
)

// TestStartTLS reads recordings in which another protocol asks for TLS, however they are cut.
func TestStartTLS(t *testing.T) {
	for name, want := range map[string]capture.StartTLS{
		"starttls-smtp":     {Protocol: "SMTP", Request: "STARTTLS"},
		"starttls-imap":     {Protocol: "IMAP", Request: ". STARTTLS"},
		"starttls-pop3":     {Protocol: "POP3", Request: "STLS"},
		"starttls-ftp":      {Protocol: "FTP", Request: "AUTH TLS"},
		"starttls-nntp":     {Protocol: "NNTP", Request: "STARTTLS"},
		"starttls-sieve":    {Protocol: "ManageSieve", Request: "STARTTLS"},
		"starttls-irc":      {Protocol: "IRC", Request: "STARTTLS"},
		"starttls-xmpp":     {Protocol: "XMPP", Request: "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"},
		"starttls-ldap":     {Protocol: "LDAP", Request: "ExtendedRequest 1.3.6.1.4.1.1466.20037"},
		"starttls-postgres": {Protocol: "PostgreSQL", Request: "SSLRequest (80877103)"},
		"starttls-mysql":    {Protocol: "MySQL", Request: "SSLRequest (capability CLIENT_SSL)"},
		"socks5":            {Protocol: "SOCKS5", Request: "CONNECT shop.test:443", Target: "shop.test:443"},
		"socks4a":           {Protocol: "SOCKS4", Request: "CONNECT shop.test:443", Target: "shop.test:443"},
	} {
		secrets, rest := inputsOf(t, "testdata/recordings/"+name+".pcapng", "")
		in := append(slices.Clone(secrets), rest...)
		all := decode(t, &capture.Decoder{}, in)
		count(t, all, 1, func(s *capture.StartTLS) bool {
			if s.Answer == "" && s.Protocol != "MySQL" {
				t.Errorf("%s: no answer", name)
			}
			return s.Protocol == want.Protocol && s.Request == want.Request && s.Target == want.Target
		})
		count(t, all, 2, func(*handshake.Finished) bool { return true })
		for _, n := range []int{1, 3} {
			same(t, name, all, decode(t, &capture.Decoder{}, rechunk(in, n)))
		}
	}
}

// TestStartTLSRefused: a client that begins TLS although the server has said no is told as
// that, and what the two agree on then is read as ever.
func TestStartTLSRefused(t *testing.T) {
	var inside tape
	inside.converse(t, &tls.Config{}, &tls.Config{}, exchange("hello"))
	for _, test := range []struct{ protocol, greeting, request, answer string }{
		{"PostgreSQL", "", "\x00\x00\x00\x08\x04\xd2\x16\x2f", "N"},
		{"SMTP", "220 mail\r\n", "STARTTLS\r\n", "454 TLS not available\r\n"},
		{"IMAP", "* OK ready\r\n", "a1 STARTTLS\r\n", "a1 BAD unknown\r\n"},
		{"POP3", "+OK ready\r\n", "STLS\r\n", "-ERR no\r\n"},
		{"FTP", "220 ready\r\n", "AUTH TLS\r\n", "534 no\r\n"},
		{"LDAP", "", "0\x1d\x02\x01\x01w\x18\x80\x161.3.6.1.4.1.1466.20037", "0\x0c\x02\x01\x01x\x07\x0a\x01\x02\x04\x00\x04\x00"},
	} {
		r := tape{secrets: inside.secrets}
		if test.greeting != "" {
			r.add(capture.Server, []byte(test.greeting))
		}
		r.add(capture.Client, []byte(test.request))
		r.add(capture.Server, []byte(test.answer))
		for _, c := range inside.chunks {
			r.add(c.Side, c.Data)
		}
		all := decode(t, &capture.Decoder{}, r.inputs(0))
		count(t, all, 1, func(s *capture.StartTLS) bool {
			if s.Protocol != test.protocol || !s.Refused {
				t.Errorf("%s: told as %+v", test.protocol, *s)
			}
			return true
		})
		count(t, all, 2, func(*handshake.Finished) bool { return true })
	}
}
