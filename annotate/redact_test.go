package annotate

import (
	"fmt"
	"strings"
	"testing"

	"explainer/annotate/mask"
	"explainer/capture/web"
)

// What is masked in the story is overwritten in the copy that can be shared, too,
// whatever the field is called.
func TestTwinHidesWhatIsMasked(t *testing.T) {
	var rule mask.Rule
	hide := func(name, value string, hide func(from, to int)) {
		for _, s := range rule.Spans(name, value) {
			hide(s.From, s.To)
		}
	}
	twinOf := func(head string) string {
		var twin []byte
		c := web.New()
		c.Twin(func(_ int, _ int64, b []byte) { twin = append(twin, b...) }, hide)
		c.Feed(0, []byte(head), web.Mark{})
		if len(twin) != len(head) {
			t.Errorf("%d bytes for %d", len(twin), len(head))
		}
		return string(twin)
	}
	x := &Explainer{}
	const secret = "0123456789abcdef"
	for _, name := range strings.Fields("X-Session-Id My-Password Client-Secret X-Card-No X-Signature Csrf Api-Key-2 Saml-Assertion X-Pwd X-Auth X-JWT Authorization Proxy-Authorization Cookie X-Api-Key Ocp-Apim-Subscription-Key") {
		for _, value := range []string{secret, "Bearer " + secret, "id=" + secret} {
			if !strings.Contains(x.header(name, value), "masked") {
				t.Errorf("%s: %s is not masked", name, value)
			}
			if twin := twinOf(fmt.Sprintf("GET / HTTP/1.1\r\n%s: %s\r\n\r\n", name, value)); strings.Contains(twin, secret) || !strings.Contains(twin, name+": ") {
				t.Errorf("the twin is %q", twin)
			}
		}
	}
	const token = "ghp_0123456789abcdef"
	for _, name := range strings.Fields("User-Agent Accept Content-Type ETag Via Server X-Own Sec-WebSocket-Protocol Sec-WebSocket-Key Host") {
		if twin := twinOf(fmt.Sprintf("GET / HTTP/1.1\r\n%s: a %s\r\n b/%s\r\n\r\n", name, token, token)); strings.Contains(twin, token) || !strings.Contains(twin, name+": ") {
			t.Errorf("the twin is %q", twin)
		}
	}
	for _, target := range []string{"/a?token=" + secret, "/a;jsessionid=" + secret, "https://me:" + secret + "@a.test/", "/a#access_token=" + secret, "/a/" + token + "/b", "/a/" + secret + secret, "/reset/" + secret} {
		if !strings.Contains(x.target(target), "masked") {
			t.Errorf("%s is not masked", target)
		}
		for _, head := range []string{"GET " + target + " HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nReferer: " + target + "\r\n\r\n"} {
			if twin := twinOf(head); strings.Contains(twin, secret) || !strings.HasPrefix(twin, "GET ") {
				t.Errorf("the twin of %q is %q", head, twin)
			}
		}
	}
}
