package proxy

import (
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"explainer/annotate/event"
)

// TestFailurePageSaysCertificate: a certificate with a fault that has no page of its
// own is not told as a connection that could not be made.
func TestFailurePageSaysCertificate(t *testing.T) {
	certificate := failurePage(&originError{Host: "shop.test", ID: "other", Certs: []*x509.Certificate{{}}})
	connection := failurePage(&originError{Host: "shop.test", ID: "other"})
	if !strings.Contains(certificate.Title.English, "certificate") || !strings.Contains(certificate.Advice.English, "sent no byte") {
		t.Errorf("%+v", certificate)
	}
	if !strings.Contains(connection.Title.English, "No connection") {
		t.Errorf("%+v", connection)
	}
}

// TestPageMarkup: what stands in a stranger's certificate does nothing on a
// terminal or in a browser where a page quotes it.
func TestPageMarkup(t *testing.T) {
	t.Parallel()
	for _, m := range []string{"\x1b[2J", "\x1b]0;owned\a", "\x1b]8;;http://evil.test\x1b\\x", "\u009b31m", "\u202egnp.exe", "\u2066a", "a\x00b", "a\rb", "a\b", "\x7f", "\u2028", "\u200b", "\ufeff", "\U000e0041", "\xff\xc0\xaf",
		"</dd><script>alert(1)</script>", `" onload="alert(1)`, "{{.Title}}", "${x}", "`id`", "<!--", "a\n\nHTTP/1.1 200 OK"} {
		p := page{Title: event.Plain(m), Lead: event.Plain(m), Rows: []row{{event.Plain(m), event.Plain(m)}}, Advice: event.Plain(m)}
		for _, accept := range []string{"*/*", "text/html"} {
			_, body := p.render(http.Header{"Accept": {accept}}, "")
			text := string(body)
			for _, r := range text {
				if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028') {
					t.Errorf("%q: %U in %q", m, r, text)
					break
				}
			}
			if !utf8.ValidString(text) || accept == "text/html" && (strings.Contains(text, "<script>") || strings.Contains(text, `" onload`)) || strings.Contains(text, "\n\nHTTP") {
				t.Errorf("%q: %q", m, text)
			}
		}
	}
}
