package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/ca/verify"
	"explainer/capture"
)

// TestLanguageOf: a page is in the language that its reader's browser asks for, else in that of the command.
func TestLanguageOf(t *testing.T) {
	for _, tt := range []struct {
		asks string // as browsers and programs send it
		want words.Language
	}{
		{"zh-CN,zh;q=0.9", words.Chinese},                                              // Chrome
		{"zh-CN,zh;q=0.9,en;q=0.8", words.Chinese},                                     // Chrome
		{"zh-CN,zh;q=0.9,en;q=0.8,en-GB;q=0.7,en-US;q=0.6", words.Chinese},             // Edge
		{"zh-CN,zh;q=0.8,zh-TW;q=0.7,zh-HK;q=0.5,en-US;q=0.3,en;q=0.2", words.Chinese}, // Firefox
		{"zh-CN,zh-Hans;q=0.9", words.Chinese},                                         // Safari
		{"zh-TW,zh;q=0.9,en-US;q=0.8,en;q=0.7", words.Chinese},
		{"zh-Hant-TW", words.Chinese}, // simplified is nearer than English
		{"zh_CN", words.Chinese},
		{"en-US,en;q=0.9", words.English},
		{"en-US,en;q=0.5", words.English},
		{"en-GB,en-US;q=0.9,en;q=0.8,zh-CN;q=0.7,zh;q=0.6", words.English},
		{"en;q=0.1,zh;q=0.9", words.Chinese},
		{"zh;q=0.1,en;q=0.9", words.English},
		{"zh;q=0,en", words.English},
		{"de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", words.English},
		{"ja,en-US;q=0.9,en;q=0.8", words.English},
		{"fr,zh;q=0.5", words.Chinese},
		{"fr-CH,fr;q=0.9", "otherwise"},
		{"zh;q=0", "otherwise"},
		{"*", "otherwise"},
		{"", "otherwise"}, // curl
		{"-, ;;q=x", "otherwise"},
		{strings.Repeat("a-", 5000), "otherwise"},
		{strings.Repeat("zh,", 500), "otherwise"}, // of no browser
	} {
		asked := http.Header{"Accept-Language": {tt.asks}}
		if got := languageOf(asked, "otherwise"); got != tt.want {
			t.Errorf("%.60q: %s, want %s", tt.asks, got, tt.want)
		}
	}
	if got := languageOf(http.Header{"Accept-Language": {"en;q=0.2", "zh-CN"}}, ""); got != words.Chinese {
		t.Errorf("two fields: %s", got)
	}
	if got := languageOf(nil, ""); got != words.English {
		t.Errorf("none asked for, none set: %s", got)
	}
}

// english finds what reads as English: three words in small letters in a row.
var english = regexp.MustCompile(`\b[a-z]{2,},? [a-z]{2,},? [a-z]{2,}\b`)

// foreign returns what a page in Chinese says in English.
func foreign(page string) string {
	return english.FindString(strings.ReplaceAll(page, "explainer ca show", ""))
}

// TestFailurePagesChinese: every page in the place of an origin says in Chinese what it says in English.
func TestFailurePagesChinese(t *testing.T) {
	leaf := &x509.Certificate{DNSNames: []string{"a.test", "b.test"}}
	for _, id := range append(words.PhraseIDs(words.FailureTitle), "not known here") {
		for _, e := range []originError{
			{Addr: "192.0.2.1:443", Detail: event.Plain("dial tcp")},
			{Detail: detailOf(said("detail/upstream-unreachable", errLoop))},
			{Detail: words.Piece("detail/own-ca"), Missing: "CN=Some CA", unmirrored: true, Certs: []*x509.Certificate{leaf}, failures: []verify.Check{
				{Reason: "wrong-ku", Details: []verify.Detail{{Name: "need", Value: "sign handshakes"}, {Name: "usage", Value: "keyCertSign"}}},
				{Reason: "untrusted-root", Details: []verify.Detail{{Name: "root", Value: "CN=Some CA"}, {Name: "roots", Value: "the roots of this machine"}}},
			}},
			{Found: []string{"leaked-key"}, lacking: strings.Fields("a b c d e f g h i j k l m n"), replayed: &capture.Fact{Outcome: "answered", Addr: "X448", Detail: "TLS 1.2"}},
			{lacking: []string{"a"}, replayed: &capture.Fact{Outcome: "answered", Detail: "TLS 1.2"}},
			{replayed: &capture.Fact{Outcome: "refused", Detail: "handshake_failure"}},
			{replayed: &capture.Fact{Outcome: "closed"}},
			{replayed: &capture.Fact{Outcome: "failed"}},
		} {
			e.ID, e.Host = id, "www.bank.test"
			bothLanguages(t, id, failurePage(&e))
		}
	}
	for _, status := range []int{http.StatusBadRequest, http.StatusNotImplemented} {
		bothLanguages(t, "fault", faultPage(&fault{status, words.Piece("http-fault/zero")}))
	}
}

// bothLanguages compares a page in both.
func bothLanguages(t *testing.T, name string, p page) {
	t.Helper()
	for _, accept := range []string{"*/*", "text/html"} {
		_, in := p.render(http.Header{"Accept": {accept}}, words.English)
		header, zh := p.render(http.Header{"Accept": {accept}, "Accept-Language": {"zh-CN,zh;q=0.9"}}, words.English)
		if found := foreign(afterStyle(string(zh))); found != "" {
			t.Errorf("%s says %q:\n%s", name, found, zh)
		}
		if header.Get("Content-Language") != "zh-Hans" || header.Get("Vary") != "Accept, Accept-Language" {
			t.Errorf("%s: %v", name, header)
		}
		if accept == "text/html" && (!strings.Contains(string(zh), `<html lang="zh-Hans">`) || !strings.Contains(string(in), `<html lang="en">`)) {
			t.Errorf("%s: of no language:\n%s", name, zh)
		}
		if have, want := tagsOf(string(zh)), tagsOf(string(in)); have != want {
			t.Errorf("%s has the tags\n%s, in English\n%s", name, have, want)
		}
	}
}

// afterStyle is a page from its first heading on.
func afterStyle(page string) string {
	if _, after, ok := strings.Cut(page, "</style>"); ok {
		return after
	}
	return page
}

// tagsOf are the tags of a page but for its language.
func tagsOf(page string) string {
	return strings.Join(regexp.MustCompile(`<[a-z/][^>]*>`).FindAllString(strings.Replace(page, `lang="zh-Hans"`, `lang="en"`, 1), -1), "")
}

// TestSitesChinese: every page of the built-in sites says in Chinese what it says in
// English, with the same links, forms and scripts.
func TestSitesChinese(t *testing.T) {
	authority, err := ca.NewEphemeral("test CA")
	if err != nil {
		t.Fatal(err)
	}
	handlers := map[string]http.Handler{}
	for _, k := range siteKinds {
		handlers[k.Name+" to install"] = (&Sites{}).handler(k, authority, true, words.English)
		handlers[k.Name+" of one run"] = (&Sites{}).handler(k, authority, false, words.English)
	}
	for i := range ca.Faults {
		handlers[ca.Faults[i].ID] = faultHandler(&ca.Faults[i], words.English)
	}
	get := func(h http.Handler, path, asks string, state *tls.ConnectionState) (http.Header, string) {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.TLS = state
		r.Header.Set("Accept-Language", asks)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Header(), regexp.MustCompile(`nonce="[^"]*"`).ReplaceAllString(w.Body.String(), "nonce")
	}
	says := regexp.MustCompile(`const says = .*\n`)
	scripts := regexp.MustCompile(`(?s)<script nonce>.*?</script>`)
	pages := 0
	for name, h := range handlers {
		for _, path := range []string{"/", "/faults", "/try"} {
			for _, state := range []*tls.ConnectionState{nil, {Version: tls.VersionTLS13}, {PeerCertificates: []*x509.Certificate{{}}}} {
				header, in := get(h, path, "en-US,en;q=0.5", state)
				if !strings.HasPrefix(in, "<!DOCTYPE html>") {
					continue // no such page
				}
				pages++
				if header.Get("Content-Language") != "en" || header.Get("Vary") != "Accept-Language" {
					t.Errorf("%s %s in English: %v", name, path, header)
				}
				header, zh := get(h, path, "zh-CN,zh;q=0.8,zh-TW;q=0.7,zh-HK;q=0.5,en-US;q=0.3,en;q=0.2", state)
				if header.Get("Content-Language") != "zh-Hans" || !strings.Contains(zh, `<html lang="zh-Hans">`) {
					t.Errorf("%s %s: %v", name, path, header)
				}
				for _, s := range says.FindAllString(zh, -1) {
					if found := foreign(s); found != "" {
						t.Errorf("%s %s: a script says %q", name, path, found)
					}
				}
				if found := foreign(scripts.ReplaceAllString(regexp.MustCompile(`(?s)<style.*?</style>|<code.*?</code>`).ReplaceAllString(zh, ""), "")); found != "" {
					t.Errorf("%s %s says %q", name, path, found)
				}
				if have, want := tagsOf(says.ReplaceAllString(zh, "")), tagsOf(says.ReplaceAllString(in, "")); have != want {
					t.Errorf("%s %s has the tags\n%s, in English\n%s", name, path, have, want)
				}
				if have, want := strings.Join(scripts.FindAllString(says.ReplaceAllString(zh, ""), -1), ""), strings.Join(scripts.FindAllString(says.ReplaceAllString(in, ""), -1), ""); have != want {
					t.Errorf("%s %s has the scripts\n%s, in English\n%s", name, path, have, want)
				}
			}
		}
	}
	if pages < len(ca.Faults) {
		t.Errorf("%d pages", pages)
	}
}
