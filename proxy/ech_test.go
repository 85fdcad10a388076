package proxy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"

	"explainer/annotate/words"
)

// TestECHOffered: to a client that encrypts its hello the proxy is a server that has no key for that, and says
// none: such a client ends the connection.
func TestECHOffered(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(p *Proxy) {
		sites, err := StartSites(p.Authority, true, words.English, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { sites.Close() })
		p.Sites = sites
	})
	key, err := newSiteECH()
	if err != nil {
		t.Fatal(err)
	}
	for _, site := range []string{"tls13", "ech"} {
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "CONNECT %[1]s.explainer.test:443 HTTP/1.1\r\nHost: %[1]s.explainer.test:443\r\n\r\n", site)
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		client := tls.Client(c, &tls.Config{
			ServerName: "secret.test", InsecureSkipVerify: true, EncryptedClientHelloConfigList: key.list(),
			EncryptedClientHelloRejectionVerify: func(tls.ConnectionState) error { return nil },
		})
		var rejected *tls.ECHRejectionError
		if err := client.Handshake(); !errors.As(err, &rejected) || len(rejected.RetryConfigList) > 0 {
			t.Errorf("%s: %v", site, err)
		}
		client.Close()
	}
	r.finish()
}
