package proxy_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/score"
	"explainer/ca"
	"explainer/proxy/grade"

	"github.com/elazarl/goproxy"
)

// leaves keeps what goproxy makes for each host. The lab asks for one at a time.
type leaves map[string]*tls.Certificate

func (l leaves) Fetch(host string, gen func() (*tls.Certificate, error)) (*tls.Certificate, error) {
	if l[host] == nil {
		made, err := gen()
		if err != nil {
			return nil, err
		}
		l[host] = made
	}
	return l[host], nil
}

// The exhibit: goproxy as its documentation shows it, with the CA that comes with
// it, whose private key everybody has. It does verify origins.
func TestGradeOfBareGoproxy(t *testing.T) {
	authority, err := ca.NewEphemeral("grade test lab")
	if err != nil {
		t.Fatal(err)
	}
	lab, err := grade.NewLab(authority)
	if err != nil {
		t.Fatal(err)
	}
	defer lab.Close()
	bare := goproxy.NewProxyHttpServer()
	bare.Logger = log.New(io.Discard, "", 0)
	bare.OnRequest().HandleConnect(goproxy.AlwaysMitm)
	// Its trust of the lab is all that is changed: else the system's roots.
	if bare.Tr.TLSClientConfig == nil {
		bare.Tr.TLSClientConfig = &tls.Config{}
	}
	bare.Tr.TLSClientConfig.RootCAs = x509.NewCertPool()
	bare.Tr.TLSClientConfig.RootCAs.AddCert(authority.Certificate())
	// One RSA key for each host in place of one for each connection saves this test its time.
	bare.CertStore = leaves{}
	server := httptest.NewServer(bare)
	defer server.Close()

	own := goproxy.GoproxyCa.Leaf
	if own == nil {
		if own, err = x509.ParseCertificate(goproxy.GoproxyCa.Certificate[0]); err != nil {
			t.Fatal(err)
		}
	}
	evidence, err := lab.Run(context.Background(), &grade.Proxy{Addr: server.Listener.Addr().String(), CA: []*x509.Certificate{own}}, nil, false, func(int, int, string) {})
	if err != nil {
		t.Fatal(err)
	}
	r := grade.Judge(event.Plain("goproxy"), evidence)
	var failed []string
	for _, l := range r.Lines {
		t.Logf("%-10s %-3s %s", l.Outcome, l.ID, l.Reason())
		switch {
		case l.ID == "K1" && (l.Outcome != score.Fail || l.Grade != score.F || !strings.Contains(l.Reason(), "A CA whose private key is published: goproxy's built-in CA")):
			t.Errorf("K1: %s (%s): %s", l.Outcome, l.Grade, l.Reason())
		case strings.HasPrefix(l.ID, "V") && l.Outcome == score.Fail && l.Grade != score.B:
			t.Errorf("%s: %s", l.ID, l.Reason())
		}
		for _, test := range l.Tests {
			if test.Outcome == score.Fail {
				failed = append(failed, test.ID)
			}
		}
	}
	// It takes what crypto/x509 takes, looks at no OCSP response and gives its client none, and makes a good certificate of all.
	want := []string{"must-staple-missing", "staple-revoked", "rsa-1024", "wrong-ku"}
	for _, f := range ca.Weaknesses {
		if f.Severity != ca.Control {
			want = append(want, f.ID)
		}
	}
	slices.Sort(want)
	if slices.Sort(failed); !slices.Equal(failed, want) {
		t.Errorf("it fails\n%v, want\n%v", failed, want)
	}
	t.Logf("grade %s: %s", r.Grade, r.Why.English)
	if r.Grade != score.F || len(r.Untested) > 0 {
		t.Errorf("grade %s: %s; not tested: %s", r.Grade, r.Why.English, r.Untested)
	}
}
