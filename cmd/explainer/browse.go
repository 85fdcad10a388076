package main

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/proxy"

	"github.com/urfave/cli/v2"
)

var browseCommand = &cli.Command{
	Name:      "browse",
	Usage:     "open a browser that already trusts the proxy, in a throw-away profile",
	UsageText: "explainer browse [OPTION...] [URL] [-- BROWSER-ARG...]",
	Description: `Starts the proxy and Chromium or Firefox with a new, empty profile that trusts the CA.
Nothing else is changed on this machine, and the profile is removed when the browser
ends. Without a URL it opens the built-in page https://explainer.test/, which shows the
eight steps of its own connection.

With --http3 the browser calls h3.explainer.test and the host of the URL over HTTP/3. QUIC
passes no proxy that a browser can be set to use, so it is led to a UDP port of explainer's,
which opens its own QUIC to the origin. A host that answers no QUIC goes through the proxy,
over TCP, as all others.

Examples:

   explainer browse
   explainer browse --browser firefox https://tls13.explainer.test/
   explainer browse --textbook https://rsa.explainer.test/
   explainer browse --http3
   explainer browse --headless https://tls13.explainer.test/ -- --dump-dom`,
	Flags: append([]cli.Flag{
		&cli.StringFlag{Name: "browser", Usage: "`chromium|firefox|PATH` (default: the first that is installed)"},
		&cli.BoolFlag{Name: "headless", Usage: "without a window", DisableDefaultText: true},
	}, slices.Concat(http3Flags, proxyFlags)...),
	Action: func(c *cli.Context) error {
		args := c.Args().Slice()
		url := "https://explainer.test/"
		if c.Bool("http3") {
			url = "https://" + siteHTTP3 + "/"
		}
		if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			url, args = args[0], args[1:]
		}
		if len(args) > 0 && args[0] == "--" {
			args = args[1:]
		} else if len(args) > 0 && !strings.HasPrefix(args[0], "-") { // the -- in front of them has gone where no URL was given
			return usage(words.Piece("error/one-url", "value", quote(args[0])), words.Piece("hint/browser-arguments"))
		}
		hosts, err := http3Hosts(c, url)
		if err != nil {
			return err
		}
		browser, err := proxy.FindBrowser(c.String("browser"))
		if err != nil {
			return failed(err)
		}
		if !c.IsSet("listen-port") {
			c.Set("listen-port", "0")
		}
		l, err := start(c, c.App.Writer, nil)
		if err != nil {
			return err
		}
		profile, err := os.MkdirTemp("", "explainer-browse-")
		if err != nil {
			l.stop()
			return failed(err)
		}
		defer os.RemoveAll(profile)
		fronts := l.http3(c.Context, hosts)
		cmd, err := browser.Command(profile, l.authority, proxy.Visit{
			Proxy: l.url, Direct: l.web.address(), HTTP3: fronts, Page: url, Headless: c.Bool("headless"), Args: args,
		})
		if err != nil {
			l.stop()
			return failed(err)
		}
		cmd.Stdout, cmd.Stderr = c.App.ErrWriter, nil
		say(l.errw, words.Piece("say/browser-runs", "browser", browser.Name, "url", l.url))
		if browser.ChecksOff() {
			say(l.errw, words.Piece("say/browser-checks-off", "browser", browser.Name))
		}
		l.sayPage()
		ran := proxy.RunChild(cmd)
		if err := l.stop(); err != nil {
			return err
		}
		if len(fronts) > 0 && l.proxy.ConnectionsOfQUIC() == 0 {
			say(l.errw, words.Piece("say/http3-unused", "browser", browser.Name))
		}
		var exit *exec.ExitError
		if errors.As(ran, &exit) && c.Context.Err() == nil {
			return fails(nil, words.Piece("error/browser-ended", "browser", browser.Name, "code", strconv.Itoa(proxy.ExitCode(exit))))
		}
		if ran != nil && !errors.As(ran, &exit) {
			return fails(ran, words.Piece("error/of", "of", browser.Name, "error", story.WordsOf(ran)))
		}
		return nil
	},
}
