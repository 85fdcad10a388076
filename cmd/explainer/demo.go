package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
)

var demoCommand = &cli.Command{
	Name:      "demo",
	Usage:     "everything in a few seconds, offline: proxy, built-in sites, a client, the story",
	UsageText: "explainer demo [-w FILE] [--messages] [--format text|json]",
	Description: `Needs no network, browser, root or configuration. A built-in client fetches a page
through the proxy over TLS 1.2 with ECDHE, over the textbook's own TLS 1.2 with RSA
key transport, and over TLS 1.3; all on real sockets of this machine. It ends with the
textbook's handshake beside that of TLS 1.3 and leaves the recording in demo.pcapng.

Examples:

   explainer demo
   explainer demo --messages | less
   explainer read demo.pcapng`,
	Flags: append([]cli.Flag{
		&cli.StringFlag{Name: "write", Aliases: []string{"w"}, Value: "demo.pcapng", Usage: "keep the recording in `FILE`"},
		forceFlag,
		&cli.BoolFlag{Name: "textbook", Usage: "the client's leg speaks the textbook's TLS 1.2 with RSA at every site", DisableDefaultText: true},
		&cli.StringFlag{Name: "listen-host", Value: "127.0.0.1", Hidden: true},
		&cli.IntFlag{Name: "listen-port", Hidden: true},
		homeFlag,
	}, storyFlags...),
	Action: demo,
}

// demoSites are fetched in this order; the last two are compared at the end.
var demoSites = []string{"tls12.explainer.test", "rsa.explainer.test", "tls13.explainer.test"}

func demo(c *cli.Context) error {
	if c.Args().Present() {
		return usage(words.Piece("error/no-arguments", "command", "demo"), words.Piece("hint/see", "command", "explainer demo --help"))
	}
	summaries := map[string]*event.Summary{}
	l, err := start(c, c.App.Writer, func(e *event.Event) {
		if e.Kind == event.KindSummary {
			summaries[e.Host] = e.Summary
		}
	})
	if err != nil {
		return err
	}
	var failures error
	for _, host := range demoSites {
		if err := fetch(c.Context, l, "https://"+host+"/"); err != nil {
			failures = fails(err, words.Piece("error/demo-fetch", "host", host, "error", story.WordsOf(err)))
			break
		}
	}
	if err := l.stop(); err != nil {
		return err
	}
	if failures != nil {
		return failures
	}
	book, today := legOf(summaries, "rsa.explainer.test"), legOf(summaries, "tls13.explainer.test")
	if c.String("format") != "text" || book == nil || today == nil {
		return nil
	}
	out, err := newRenderer(c, c.App.Writer)
	if err != nil {
		return err
	}
	book.Leg, today.Leg = language().In(words.Piece("demo/textbook")), "TLS 1.3"
	if err := out.Event(&event.Event{
		Kind: event.KindSummary,
		Name: language().In(words.Piece("demo/beside")),
		Summary: &event.Summary{
			Flow: words.Piece("demo/what"),
			Legs: []event.Leg{*book, *today},
		},
	}); err != nil {
		return err
	}
	return out.Finish()
}

// legOf returns the browser leg of the session for host.
func legOf(summaries map[string]*event.Summary, host string) *event.Leg {
	s := summaries[host]
	if s == nil || len(s.Legs) == 0 {
		return nil
	}
	leg := s.Legs[0]
	return &leg
}

// fetch is the built-in client: it trusts the CA, and offers the textbook's
// suites beside its own, as browsers still do.
func fetch(ctx context.Context, l *live, page string) error {
	proxyURL, err := url.Parse(l.url)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(l.authority.Certificate())
	var suites []uint16
	for _, s := range tls.CipherSuites() {
		suites = append(suites, s.ID)
	}
	suites = append(suites, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384)
	transport := &http.Transport{
		Proxy:             http.ProxyURL(proxyURL),
		TLSClientConfig:   &tls.Config{RootCAs: roots, CipherSuites: suites},
		ForceAttemptHTTP2: true,
	}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "explainer-demo")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}
