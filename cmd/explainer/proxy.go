package main

import (
	"path/filepath"

	"explainer/annotate/words"
	"explainer/ca"

	"github.com/urfave/cli/v2"
)

var proxyCommand = &cli.Command{
	Name:      "proxy",
	Usage:     "run the proxy until Ctrl-C and tell what passes",
	UsageText: "explainer proxy [-p PORT] [-w FILE] [--textbook] ...",
	Description: `Point a browser or a program at it. It must trust the CA: http://explainer.test/
through the proxy shows how, and tests it. Browse and run do both by themselves.
Ctrl-C lets open connections end, for three seconds at most; a second one does not.

Examples:

   explainer proxy
   explainer proxy -p 0 -w session.pcapng
   explainer proxy --passthrough '*.bank.example' --format json`,
	Flags: proxyFlags,
	Action: func(c *cli.Context) error {
		if c.Args().Present() {
			return usage(words.Piece("error/proxy-arguments", "value", quote(c.Args().First())), words.Piece("hint/proxy-run", "value", c.Args().First()))
		}
		l, err := start(c, c.App.Writer, nil)
		if err != nil {
			return err
		}
		dir, err := home(c)
		if err != nil {
			return err
		}
		say(l.errw, words.Piece("say/listening", "url", l.url, "file", filepath.Join(dir, ca.CertFile)))
		say(l.errw, words.Piece("say/try", "url", l.url, "file", filepath.Join(dir, ca.CertFile)))
		l.sayPage()
		select {
		case <-c.Context.Done():
		case err := <-l.served:
			if err != nil {
				l.stop()
				return failed(err)
			}
		}
		return l.stop()
	},
}
