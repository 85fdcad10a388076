package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/text"
	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
)

var demoCommand = &cli.Command{
	Name:      "demo",
	Usage:     "everything in a few seconds, offline: proxy, built-in sites, a client, the story",
	UsageText: "explainer demo [-w FILE] [-v] [--format text|json]",
	Description: `Needs no network, browser, root or configuration: proxy, built-in sites and clients
are all here, on real sockets of this machine. Three acts: a page over TLS 1.3, as most
people see it; one over the textbook's own TLS 1.2 with RSA key transport; and what the
check of the certificate is for, with a client that makes it and one that does not.
--all adds TLS 1.2 with ECDHE. --ech has one act instead: a hello that is encrypted, as
the path sees it and as the server got it; --http3 another: a page and its images over
HTTP/3. The recording stays in demo.pcapng.

Examples:

   explainer demo
   explainer demo -vv | less
   explainer read demo.pcapng`,
	Flags: append([]cli.Flag{
		&cli.StringFlag{Name: "write", Aliases: []string{"w"}, Value: "demo.pcapng", Usage: "keep the recording in `FILE`"},
		forceFlag,
		&cli.BoolFlag{Name: "all", Usage: "TLS 1.2 with ECDHE, too", DisableDefaultText: true},
		&cli.BoolFlag{Name: "ech", Usage: "in place of the acts: an encrypted hello (ECH), what the path sees of it, beside what the server got", DisableDefaultText: true},
		&cli.BoolFlag{Name: "http3", Usage: "in place of the acts: a page and its images over HTTP/3, which is over QUIC and UDP", DisableDefaultText: true},
		&cli.BoolFlag{Name: "textbook", Usage: "the client's leg speaks the textbook's TLS 1.2 with RSA at every site", DisableDefaultText: true},
		&cli.StringFlag{Name: "listen-host", Value: "127.0.0.1", Hidden: true},
		&cli.IntFlag{Name: "listen-port", Hidden: true},
		homeFlag,
		htmlFlag,
	}, slices.DeleteFunc(slices.Clone(storyFlags), func(f cli.Flag) bool { return f.Names()[0] == "all" })...),
	Action: demo,
}

// The sites of the acts.
const (
	demoToday    = "tls13.explainer.test"
	demoBook     = "rsa.explainer.test"
	demoRest     = "tls12.explainer.test"
	demoImpostor = "wrong-host.explainer.test"
)

// demoCookie is what the careless client gives away.
const demoCookie = "session=let-me-in"

func demo(c *cli.Context) error {
	if c.Args().Present() {
		return usage(words.Piece("error/no-arguments", "command", "demo"), words.Piece("hint/see", "command", "explainer demo --help"))
	}
	fetches, tells, err := demoActs(c)
	if err != nil {
		return err
	}
	acts := c.String("format") == "text" && detailOf(c) == story.InShort
	var events []event.Event
	out := c.App.Writer
	if acts {
		out = io.Discard // it is told when the acts are over, each for itself
	}
	l, err := start(c, out, func(e *event.Event) {
		if acts {
			events = append(events, *e)
		}
	})
	if err != nil {
		return err
	}
	failures := fetches(c, l)
	if err := l.stop(); err != nil {
		return err
	}
	if acts && (failures == nil || !c.Bool("ech") && !c.Bool("http3")) {
		err := tells(c, events)
		switch {
		case errors.Is(err, syscall.EPIPE):
			say(c.App.ErrWriter, words.Piece("say/nobody-reads"))
		case err != nil:
			return err
		}
	}
	return failures
}

// demoActs are what fetches the pages of the acts that the flags ask for, and what tells them.
func demoActs(c *cli.Context) (fetches func(*cli.Context, *live) error, tells func(*cli.Context, []event.Event) error, err error) {
	switch ech, http3 := c.Bool("ech"), c.Bool("http3"); {
	case ech && http3:
		return nil, nil, usage(words.Piece("error/demo-acts"))
	case http3 && c.Bool("textbook"):
		return nil, nil, usage(words.Piece("error/http3-textbook"))
	case ech:
		return fetchECH, tellECH, nil
	case http3:
		return fetchHTTP3, tellHTTP3, nil
	}
	say(c.App.ErrWriter, words.Piece("say/demo-starts"))
	return demoFetches, tellActs, nil
}

// demoFetches fetches the pages of all acts.
func demoFetches(c *cli.Context, l *live) error {
	hosts := []string{demoToday, demoBook}
	if c.Bool("all") {
		hosts = append(hosts, demoRest)
	}
	for _, host := range hosts {
		if err := fetch(c.Context, l, "https://"+host+"/", demoClient{agent: "explainer-demo"}); err != nil {
			return fails(err, words.Piece("error/demo-fetch", "host", host, "error", story.WordsOf(err)))
		}
	}
	// Whether a client goes on is what is shown here; that one fails is no error.
	var refused *tls.CertificateVerificationError
	if err := fetch(c.Context, l, "https://"+demoImpostor+"/", demoClient{agent: "careful"}); err != nil && !errors.As(err, &refused) {
		return fails(err, words.Piece("error/demo-fetch", "host", demoImpostor, "error", story.WordsOf(err)))
	}
	if err := fetch(c.Context, l, "https://"+demoImpostor+"/", demoClient{agent: "careless", careless: true, cookie: demoCookie}); err != nil {
		return fails(err, words.Piece("error/demo-fetch", "host", demoImpostor, "error", story.WordsOf(err)))
	}
	return nil
}

// tellActs tells the demo, act by act.
func tellActs(c *cli.Context, events []event.Event) error {
	o, err := viewOptions(c, c.App.Writer, true)
	if err != nil {
		return err
	}
	t := story.NewShort(c.App.Writer, o)
	act := func(heading event.Text, host string) error {
		t.Heading(heading)
		for i := range events {
			if e := &events[i]; e.Host == host {
				if err := t.Event(e); err != nil {
					return err
				}
			}
		}
		t.Line("")
		return nil
	}
	if err := act(words.Piece("demo/act-today"), demoToday); err != nil {
		return err
	}
	if err := act(words.Piece("demo/act-book"), demoBook); err != nil {
		return err
	}
	if c.Bool("all") {
		if err := act(words.Piece("demo/act-rest"), demoRest); err != nil {
			return err
		}
	}
	t.Heading(words.Piece("demo/act-check", "host", demoImpostor))
	var leaked event.Text
	for i := range events {
		e := &events[i]
		switch {
		case e.Host != demoImpostor:
		case e.Summary != nil:
			if l := e.Summary.Legs[0]; l.Trouble != nil {
				t.Paragraph("  ", "", t.In(l.Trouble.Says), text.Red)
			} else if len(e.Says) > 0 {
				t.Paragraph("  ", "", t.In(words.Piece("demo/careless", "says", words.Whole(e.Says[0]))), text.Plain)
			}
		case e.Topic == event.TopicRequest && e.HTTP.Scheme == "https":
			for _, f := range e.Fields {
				if strings.EqualFold(f.Name.English, "cookie") {
					leaked = words.Piece("demo/leaked", "request", strings.TrimSpace(e.HTTP.Method+" "+e.HTTP.Target), "cookie", demoCookie)
				}
			}
		}
	}
	if !leaked.Empty() {
		t.Paragraph("  ", "", t.In(leaked), text.Plain)
	}
	t.Line("")
	t.Heading(words.Piece("demo/next"))
	for _, next := range []event.Text{words.Piece("demo/next-browse"), words.Piece("demo/next-run"), words.Piece("demo/next-closer", "file", c.String("write"))} {
		t.Paragraph("  ", "", t.In(next), text.Plain)
	}
	return t.Flush()
}

// A demoClient is one of the built-in clients.
type demoClient struct {
	agent    string
	careless bool // it does not check the certificate
	cookie   string
}

// fetch is the built-in client: it trusts the CA, and offers the textbook's
// suites beside its own, as browsers still do.
func fetch(ctx context.Context, l *live, page string, client demoClient) error {
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
		TLSClientConfig:   &tls.Config{RootCAs: roots, CipherSuites: suites, InsecureSkipVerify: client.careless},
		ForceAttemptHTTP2: true,
		// The proxy learns from the tunnel's request who asks.
		ProxyConnectHeader: http.Header{"User-Agent": {client.agent}},
	}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", client.agent)
	if client.cookie != "" {
		req.Header.Set("Cookie", client.cookie)
	}
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
