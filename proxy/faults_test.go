package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/words"
	"explainer/ca"
	"explainer/capture"
	"explainer/capture/pcap"
)

// faultClient is Go's client behind the proxy.
func (r *rig) faultClient(version uint16) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true, Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: r.addr}),
			TLSClientConfig: &tls.Config{RootCAs: r.roots(), MaxVersion: version},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func withSites(t *testing.T) *rig {
	t.Helper()
	var sites *Sites
	r := newRig(t, func(p *Proxy) {
		var err error
		if sites, err = StartSites(p.Authority, true, words.English, nil); err != nil {
			t.Fatal(err)
		}
		p.Sites = sites
	})
	t.Cleanup(func() { sites.Close() })
	return r
}

// TestFaultSites visits the site of every case with Go's client, which accepts
// the controls and refuses what the table says.
func TestFaultSites(t *testing.T) {
	r := withSites(t)
	for i := range ca.Faults {
		f := &ca.Faults[i]
		resp, err := r.faultClient(0).Get("https://" + f.ID + ".explainer.test/")
		body := ""
		if err == nil {
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			body = string(b)
		}
		if why := notVisited(f).English; why != "" {
			if err != nil || resp.StatusCode != http.StatusBadGateway || !strings.Contains(body, why) {
				t.Errorf("%s, which has no site: %v, %s", f.ID, err, body)
			}
			continue
		}
		refuses := f.Severity != ca.Control && strings.HasPrefix(f.Refuser, "crypto/")
		if refuses != (err != nil) {
			t.Errorf("%s: %v; the table says that it is refused by %q", f.ID, err, f.Refuser)
		}
		if err != nil {
			continue
		}
		verdict := `<p class="said no">Accepted: somebody on the path`
		switch f.Severity {
		case ca.Control:
			verdict = `<p class="said yes">Accepted, as it should be.`
		case ca.Low:
			verdict = `<p class="said">Accepted, as by many clients`
		case ca.Critical:
			verdict = `<p class="said no">Accepted: anybody on the path`
		}
		if resp.StatusCode != http.StatusOK || !strings.Contains(body, verdict) || !strings.Contains(body, "<h1>"+f.ID+"</h1>") {
			t.Errorf("%s: %s", f.ID, body)
		}
	}
	resp, err := r.faultClient(0).Get("http://expired.explainer.test/page")
	if err != nil || resp.Header.Get("Location") != "https://expired.explainer.test/" {
		t.Errorf("in clear: %v, %v", resp, err)
	}
	resp, err = r.faultClient(0).Get("https://explainer.test/faults")
	if err != nil {
		t.Fatal(err)
	}
	index, _ := io.ReadAll(resp.Body)
	for _, f := range ca.Faults {
		link := `<a href="https://` + f.ID + `.explainer.test/">`
		if strings.Contains(string(index), link) == (!notVisited(&f).Empty()) || !strings.Contains(string(index), f.ID) {
			t.Errorf("the index page and %s", f.ID)
		}
	}
	for _, c := range facts(r.items(), capture.FactCase) {
		if f := ca.FaultOf(c.Outcome); f == nil || c.Host != f.ID+".explainer.test" || c.Detail != "" {
			t.Errorf("the fact of a case: %+v", c)
		}
	}
}

// TestFaultsOfOtherCA: what an authority that somebody brought cannot make is told on the index page.
func TestFaultsOfOtherCA(t *testing.T) {
	a, err := ca.NewEphemeral("test")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range indexOf(a)().Groups {
		for _, f := range g.Faults {
			if !f.Problem.Empty() {
				t.Errorf("%s cannot be made: %s", f.ID, f.Problem)
			}
		}
	}
	a.Certificate().MaxPathLenZero = true
	problems := 0
	for _, g := range indexOf(a)().Groups {
		for _, f := range g.Faults {
			if !f.Problem.Empty() {
				problems++
			} else if f.ID == "good-intermediate" {
				t.Error("an intermediate below a CA that may have none")
			}
		}
	}
	if problems < 5 || problems > 25 {
		t.Errorf("%d cases cannot be made", problems)
	}
}

// TestFinished has Go's client, curl and openssl refuse both kinds of a bad Finished, in both versions.
func TestFinished(t *testing.T) {
	for _, tt := range []struct {
		id      string
		version string
		alerts  []tls.AlertError // of Go, curl and openssl
	}{
		{"finished-wrong", "1.2", []tls.AlertError{40, 51, 51}}, // Go says handshake_failure
		{"finished-wrong", "1.3", []tls.AlertError{51, 51, 51}},
		{"finished-tampered", "1.2", []tls.AlertError{20, 20, 20}},
		{"finished-tampered", "1.3", []tls.AlertError{20, 20, 20}},
	} {
		t.Run(tt.id+"/"+tt.version, func(t *testing.T) {
			t.Parallel()
			r := withSites(t)
			host := tt.id + ".explainer.test"
			version := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[tt.version]
			if resp, err := r.faultClient(version).Get("https://" + host + "/"); err == nil {
				t.Errorf("Go's client accepts it: %v", resp)
			}
			roots := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(roots, r.Authority.PEM(), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("curl", "-q", "-sS", "--tls-max", tt.version, "--tlsv"+tt.version, "-x", "http://"+r.addr, "--cacert", roots, "https://"+host+"/").CombinedOutput()
			if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != 35 { // CURLE_SSL_CONNECT_ERROR
				t.Errorf("curl: %v, %s", err, out)
			}
			openssl := exec.Command("openssl", "s_client", "-proxy", r.addr, "-connect", host+":443", "-servername", host, "-tls"+strings.ReplaceAll(tt.version, ".", "_"), "-CAfile", roots)
			if out, err = openssl.CombinedOutput(); err == nil {
				t.Errorf("openssl: %s", out)
			}
			if got := r.clientAlerts(); !slices.Equal(got, tt.alerts) {
				t.Errorf("the clients' alerts are %v, want %v", got, tt.alerts)
			}
		})
	}
}

// TestFinishedSuites: the Finished is found and changed in other suites and after a HelloRetryRequest too.
func TestFinishedSuites(t *testing.T) {
	for _, tt := range []struct {
		id    string
		alert tls.AlertError
		curl  []string
	}{
		{"finished-wrong", 51, []string{"--curves", "X448:X25519"}}, // the server does not know X448, and asks again
		{"finished-tampered", 20, []string{"--curves", "X448:X25519"}},
		{"finished-wrong", 51, []string{"--tlsv1.3", "--tls13-ciphers", "TLS_CHACHA20_POLY1305_SHA256"}},
		{"finished-wrong", 51, []string{"--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305"}},
		{"finished-tampered", 20, []string{"--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-SHA"}},
	} {
		t.Run(tt.id+" "+strings.Join(tt.curl, " "), func(t *testing.T) {
			t.Parallel()
			r := withSites(t)
			args := append([]string{"-q", "-sSk", "-x", "http://" + r.addr}, tt.curl...)
			if out, err := exec.Command("curl", append(args, "https://"+tt.id+".explainer.test/")...).CombinedOutput(); err == nil {
				t.Errorf("curl accepts it: %s", out)
			}
			if got := r.clientAlerts(); !slices.Equal(got, []tls.AlertError{tt.alert}) {
				t.Errorf("the client's alerts are %v, want %v", got, tt.alert)
			}
		})
	}
}

// clientAlerts returns the alerts of the clients in the recording.
func (r *rig) clientAlerts() (alerts []tls.AlertError) {
	r.t.Helper()
	r.finish()
	f, err := os.Open(r.recording.Name())
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	reader, err := pcap.NewReader(f)
	if err != nil {
		r.t.Fatal(err)
	}
	var d capture.Decoder
	for m, err := range d.All(reader.All()) {
		if err != nil {
			r.t.Fatal(err)
		}
		if a, ok := m.Body.(*capture.Alert); ok && m.Side == capture.Client {
			alerts = append(alerts, tls.AlertError(a.Description))
		}
	}
	return alerts
}
