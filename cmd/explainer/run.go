package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"explainer/proxy"

	"github.com/urfave/cli/v2"
)

var runCommand = &cli.Command{
	Name:      "run",
	Usage:     "run one command through the proxy",
	UsageText: "explainer run [OPTION...] -- COMMAND [ARG...]",
	Description: `Starts the proxy, sets every proxy and CA variable for this one command, and exits
with its code. In its arguments {proxy} stands for the proxy's host:port and {ca} for
the CA's file, for programs that read no variable. Standard output is the command's;
the story goes to standard error, or to --story FILE.

Examples:

   explainer run -- curl https://tls13.explainer.test/
   explainer run --story story.txt -w session.pcapng -- git ls-remote https://example.org/repo.git
   explainer run -- openssl s_client -proxy {proxy} -CAfile {ca} -connect tls12.explainer.test:443
   explainer run --textbook -- curl https://rsa.explainer.test/`,
	Flags: proxyFlags,
	Action: func(c *cli.Context) error {
		argv := c.Args().Slice()
		if len(argv) == 0 {
			return usage("run needs a command", "as in: explainer run -- curl https://tls13.explainer.test/")
		}
		path, err := exec.LookPath(argv[0])
		if err != nil {
			return failed(fmt.Errorf("%s: there is no such command", argv[0]), "")
		}
		// The port is the child's alone to know: a free one unless asked otherwise.
		if !c.IsSet("listen-port") {
			c.Set("listen-port", "0")
		}
		l, err := start(c, c.App.ErrWriter, nil)
		if err != nil {
			return err
		}
		dir, err := os.MkdirTemp("", "explainer-run-")
		if err != nil {
			l.stop()
			return failed(err, "")
		}
		defer os.RemoveAll(dir)
		child, err := proxy.NewChild(dir, l.authority, l.url, os.Environ())
		if err != nil {
			l.stop()
			return failed(err, "")
		}
		cmd := exec.Command(path, child.Args(argv[1:])...)
		cmd.Args[0] = argv[0]
		cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = child.Env, os.Stdin, c.App.Writer, os.Stderr
		ran := proxy.RunChild(cmd)
		stopped := l.stop()
		var exit *exec.ExitError
		switch {
		case errors.As(ran, &exit):
			exitCode(c.App.ErrWriter, stopped)
			return childExit(proxy.ExitCode(exit))
		case ran != nil:
			return failed(fmt.Errorf("%s: %w", argv[0], ran), "")
		}
		return stopped
	},
}
