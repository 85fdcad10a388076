package main

import (
	"fmt"
	"path/filepath"

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
			return usage("proxy takes no arguments, not "+quote(c.Args().First()), "to run one program through the proxy: explainer run -- "+c.Args().First())
		}
		l, err := start(c, c.App.Writer, nil)
		if err != nil {
			return err
		}
		dir, err := home(c)
		if err != nil {
			return err
		}
		say(l.errw, fmt.Sprintf("listening on %s; its CA is %s", l.url, filepath.Join(dir, ca.CertFile)))
		say(l.errw, fmt.Sprintf("try: curl -x %s --cacert %s https://tls13.explainer.test/", l.url, filepath.Join(dir, ca.CertFile)))
		select {
		case <-c.Context.Done():
		case err := <-l.served:
			if err != nil {
				l.stop()
				return failed(err, "")
			}
		}
		return l.stop()
	},
}
