package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"explainer/proxy"

	"github.com/urfave/cli/v2"
)

var browseCommand = &cli.Command{
	Name:      "browse",
	Usage:     "open a browser that already trusts the proxy, in a throw-away profile",
	UsageText: "explainer browse [OPTION...] [URL] [-- BROWSER-ARG...]",
	Description: `Starts the proxy and Chromium or Firefox with a new, empty profile that trusts the CA.
Nothing else is changed on this machine, and the profile is removed when the browser
ends. Without a URL it opens the built-in page http://explainer.test/.

Examples:

   explainer browse
   explainer browse --browser firefox https://tls13.explainer.test/
   explainer browse --textbook https://rsa.explainer.test/
   explainer browse --headless https://tls13.explainer.test/ -- --dump-dom`,
	Flags: append([]cli.Flag{
		&cli.StringFlag{Name: "browser", Usage: "`chromium|firefox|PATH` (default: the first that is installed)"},
		&cli.BoolFlag{Name: "headless", Usage: "without a window", DisableDefaultText: true},
	}, proxyFlags...),
	Action: func(c *cli.Context) error {
		args := c.Args().Slice()
		url := "http://explainer.test/"
		if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			url, args = args[0], args[1:]
			if len(args) > 0 && args[0] != "--" && strings.HasPrefix(args[0], "-") {
				return usage("browse: "+quote(args[0])+" stands behind the URL", "options stand before the URL, arguments for the browser itself behind --")
			}
		}
		if len(args) > 0 && args[0] == "--" {
			args = args[1:]
		} else if len(args) > 0 && !strings.HasPrefix(args[0], "-") { // the -- in front of them has gone where no URL was given
			return usage("browse takes one URL, not also "+quote(args[0]), "arguments for the browser itself stand behind --")
		}
		browser, err := proxy.FindBrowser(c.String("browser"))
		if err != nil {
			return failed(err, "")
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
			return failed(err, "")
		}
		defer os.RemoveAll(profile)
		cmd, err := browser.Command(profile, l.authority, l.url, url, c.Bool("headless"), args)
		if err != nil {
			l.stop()
			return failed(err, "")
		}
		cmd.Stdout, cmd.Stderr = c.App.ErrWriter, nil
		say(l.errw, fmt.Sprintf("%s through %s, in a profile of its own; close it or press Ctrl-C to end", browser.Name, l.url))
		if browser.ChecksOff() {
			say(l.errw, browser.Name+" on this system trusts the proxy by a switch that turns its check of certificates (step 4a) off: a bad certificate would load without a warning")
		}
		ran := proxy.RunChild(cmd)
		if err := l.stop(); err != nil {
			return err
		}
		var exit *exec.ExitError
		if errors.As(ran, &exit) && c.Context.Err() == nil {
			return failed(fmt.Errorf("%s ended with code %d", browser.Name, proxy.ExitCode(exit)), "")
		}
		if ran != nil && !errors.As(ran, &exit) {
			return failed(fmt.Errorf("%s: %w", browser.Name, ran), "")
		}
		return nil
	},
}
