package main

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/proxy"

	"github.com/urfave/cli/v2"
)

// siteHTTP3 is the built-in site that answers over HTTP/3 too.
const siteHTTP3 = "h3.explainer.test"

// quicTime is how long an origin may take to answer QUIC before its browser is given TCP.
const quicTime = 3 * time.Second

// http3Flags are a switch and, since none can stand with a value and without, a list beside it.
var http3Flags = []cli.Flag{
	&cli.BoolFlag{Name: "http3", Usage: "the host of URL, which is then by default https://" + siteHTTP3 + "/, over HTTP/3, where it answers QUIC", DisableDefaultText: true},
	&cli.StringSliceFlag{Name: "http3-host", Usage: "this host over HTTP/3 too: `HOST[:PORT]` (repeatable)"},
}

// A http3Host is what a browser is to call over HTTP/3.
type http3Host struct {
	name string
	port uint16
}

func (h http3Host) String() string {
	if h.port == 443 {
		return h.name
	}
	return h.name + ":" + strconv.Itoa(int(h.port))
}

// hostName is what can be told to both browsers: to neither an IP address.
var hostName = regexp.MustCompile(`^([a-z0-9_-]+\.)*[a-z_-][a-z0-9_-]*$`)

// parseHTTP3Host reads HOST[:PORT].
func parseHTTP3Host(s string) (http3Host, bool) {
	name, port, has := strings.Cut(strings.ToLower(s), ":")
	n := uint64(443)
	var err error
	if has {
		n, err = strconv.ParseUint(port, 10, 16)
	}
	return http3Host{name, uint16(n)}, err == nil && n > 0 && hostName.MatchString(name)
}

// http3Hosts are the hosts that the flags of browse ask to call over HTTP/3; none without these.
func http3Hosts(c *cli.Context, page string) ([]http3Host, error) {
	if !c.Bool("http3") && len(c.StringSlice("http3-host")) == 0 {
		return nil, nil
	}
	if c.Bool("textbook") {
		return nil, usage(words.Piece("error/http3-textbook"))
	}
	hosts := []http3Host{{siteHTTP3, 443}}
	if u, err := url.Parse(page); err == nil && c.Bool("http3") {
		h, ok := parseHTTP3Host(u.Host)
		if !ok || u.Scheme != "https" {
			return nil, usage(words.Piece("error/http3-url", "value", quote(page)), words.Piece("hint/as-in", "example", "--http3 https://shop.test/"))
		}
		if h != hosts[0] {
			hosts = append(hosts, h)
		}
	}
	for _, value := range c.StringSlice("http3-host") {
		h, ok := parseHTTP3Host(value)
		if !ok {
			return nil, usage(words.Piece("error/http3-host", "value", quote(value)), words.Piece("hint/as-in", "example", "--http3-host shop.test:4433"))
		}
		if !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	for i, h := range hosts {
		// Firefox is told by name alone where QUIC is.
		if slices.ContainsFunc(hosts[:i], func(other http3Host) bool { return other.name == h.name }) {
			return nil, usage(words.Piece("error/http3-ports", "host", h.name))
		}
	}
	return hosts, nil
}

// noQUIC is why a host answers no QUIC, in words.
func noQUIC(err error) event.Text {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return words.Piece("http3/silent", "time", quicTime.String())
	case errors.Is(err, syscall.ECONNREFUSED):
		return words.Piece("http3/refused")
	}
	return story.WordsOf(err)
}

// http3 opens a front for each of the hosts that answers QUIC, and says which do not.
func (l *live) http3(ctx context.Context, hosts []http3Host) (fronts []proxy.HTTP3Front) {
	ctx, cancel := context.WithTimeout(ctx, quicTime)
	defer cancel()
	opened := make([]proxy.HTTP3Front, len(hosts))
	failures := make([]event.Text, len(hosts))
	var all sync.WaitGroup
	for i, h := range hosts {
		all.Go(func() {
			at, err := l.proxy.QUIC(h.name, h.port)
			if err != nil {
				failures[i] = words.Piece("say/http3-not", "host", h.String(), "error", story.WordsOf(err))
				return
			}
			opened[i] = proxy.HTTP3Front{Host: h.name, Port: h.port, At: at}
			if err := l.proxy.AnswersQUIC(ctx, h.name, h.port); err != nil {
				failures[i] = words.Piece("say/http3-none", "host", h.String(), "error", noQUIC(err))
			}
		})
	}
	all.Wait()
	var names []string
	for i, h := range hosts {
		if !failures[i].Empty() {
			say(l.errw, failures[i])
			continue
		}
		fronts = append(fronts, opened[i])
		names = append(names, h.String())
	}
	if len(names) > 0 {
		say(l.errw, words.Piece("say/http3", "hosts", strings.Join(names, ", ")))
	}
	return fronts
}
