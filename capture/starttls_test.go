package capture_test

import (
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
