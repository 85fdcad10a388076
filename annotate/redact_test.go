package annotate

import (
	"fmt"
	"strings"
	"testing"

	"explainer/capture/web"
)

// What is masked in the story is overwritten in the copy that can be shared, too.
func TestTwinHidesWhatIsMasked(t *testing.T) {
	names := []string{"X-Session-Id", "My-Password", "Client-Secret", "X-Card-No", "X-Signature", "Csrf", "Api-Key-2", "Saml-Assertion"}
	for name := range credentialHeaders {
		names = append(names, name)
	}
	x := &Explainer{}
	const secret = "0123456789abcdef"
	for _, name := range names {
		for _, value := range []string{secret, "Bearer " + secret, "id=" + secret} {
			if !strings.Contains(x.header(name, value), "masked") {
				t.Errorf("%s: %s is not masked", name, value)
			}
			var twin []byte
			c := web.New()
			c.Twin(func(_ int, _ int64, b []byte) { twin = append(twin, b...) })
			c.Feed(0, fmt.Appendf(nil, "GET / HTTP/1.1\r\n%s: %s\r\n\r\n", name, value), web.Mark{})
			if strings.Contains(string(twin), secret) || !strings.Contains(string(twin), name+": ") {
				t.Errorf("the twin is %q", twin)
			}
		}
	}
	for _, target := range []string{"/a?token=" + secret, "/a;jsessionid=" + secret, "https://me:" + secret + "@a.test/", "/a#access_token=" + secret} {
		if !strings.Contains(x.target(target), "masked") {
			t.Errorf("%s is not masked", target)
		}
		for _, head := range []string{"GET " + target + " HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nReferer: " + target + "\r\n\r\n"} {
			var twin []byte
			c := web.New()
			c.Twin(func(_ int, _ int64, b []byte) { twin = append(twin, b...) })
			c.Feed(0, []byte(head), web.Mark{})
			if strings.Contains(string(twin), secret) || len(twin) != len(head) {
				t.Errorf("the twin of %q is %q", head, twin)
			}
		}
	}
}
