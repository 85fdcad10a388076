package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/text"
	"explainer/annotate/words"
	"explainer/proxy"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/urfave/cli/v2"
)

// imagesOf finds the images of the page of siteHTTP3.
var imagesOf = regexp.MustCompile(`<img src="([^"]+)"`)

// fetchHTTP3 fetches the page of the act of --http3 and then its images, all at once, over QUIC.
func fetchHTTP3(c *cli.Context, l *live) error {
	if err := l.fetchHTTP3(c.Context); err != nil {
		return fails(err, words.Piece("error/demo-fetch", "host", siteHTTP3, "error", story.WordsOf(err)))
	}
	return nil
}

func (l *live) fetchHTTP3(ctx context.Context) error {
	front, err := l.proxy.QUIC(siteHTTP3, 443)
	if err != nil {
		return err
	}
	socket, err := proxy.ListenUDP()
	if err != nil {
		return err
	}
	defer socket.Close()
	from := &quic.Transport{Conn: socket}
	defer from.Close()
	roots := x509.NewCertPool()
	roots.AddCert(l.authority.Certificate())
	transport := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		Dial: func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return from.Dial(ctx, net.UDPAddrFromAddrPort(front), c, q)
		},
	}
	defer transport.Close()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	page, err := getHTTP3(ctx, transport, "/")
	if err != nil {
		return err
	}
	images := imagesOf.FindAllSubmatch(page, -1)
	answers := make([]error, len(images))
	var all sync.WaitGroup
	for i, image := range images {
		all.Go(func() { _, answers[i] = getHTTP3(ctx, transport, string(image[1])) })
	}
	all.Wait()
	return errors.Join(answers...)
}

// getHTTP3 gets what stands at a path of siteHTTP3.
func getHTTP3(ctx context.Context, transport *http3.Transport, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+siteHTTP3+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "explainer-demo")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// tellHTTP3 tells the session, and how its requests went side by side.
func tellHTTP3(c *cli.Context, events []event.Event) error {
	o, err := viewOptions(c, c.App.Writer, true)
	if err != nil {
		return err
	}
	t := story.NewShort(c.App.Writer, o)
	t.Heading(words.Piece("demo/http3-act", "host", siteHTTP3))
	requests, open, most := 0, 0, 0
	for i := range events {
		e := &events[i]
		if e.Host != siteHTTP3 {
			continue
		}
		if err := t.Event(e); err != nil {
			return err
		}
		switch {
		case e.Leg != "browser":
		case e.Topic == event.TopicRequest:
			requests++
			open++
			most = max(most, open)
		case e.Topic == event.TopicResponseBody && e.HTTP.Whole:
			open--
		}
	}
	if requests == 0 {
		return fails(errors.New("no request"), words.Piece("error/demo-http3", "file", c.String("write")))
	}
	t.Line("")
	t.Paragraph("  ", "", t.In(words.Piece("demo/http3-streams", "n", strconv.Itoa(requests), "most", strconv.Itoa(most))), text.Plain)
	t.Line("")
	t.Heading(words.Piece("demo/next"))
	for _, next := range []event.Text{
		words.Piece("demo/http3-next", "file", c.String("write")),
		words.Piece("demo/http3-next-path", "file", c.String("write")),
		words.Piece("demo/http3-next-browse"),
	} {
		t.Paragraph("  ", "", t.In(next), text.Plain)
	}
	return t.Flush()
}
