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

var runCommand = &cli.Command{
	Name:      "run",
	Usage:     "run one command through the proxy",
	UsageText: "explainer run [OPTION...] -- COMMAND [ARG...]",
	Description: `Starts the proxy, sets every proxy and CA variable for this one command, and exits
with its code. In its arguments {proxy} stands for the proxy's host:port and {ca} for
a file of what it may trust, the CA first, for programs that read no variable. Standard
output is the command's; the story goes to standard error, or to --story FILE.

What the variables name that are set anew (SSL_CERT_FILE, REQUESTS_CA_BUNDLE and so on) is
trusted too; HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say how origins are reached.
With --passthrough '*' the command's own trust is left as it is.

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
		if opensNothing(c) && strings.Contains(strings.Join(argv, " "), "{ca}") {
			return usage("{ca}: everything is passed on as it is, so there is no CA to trust", "")
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
		vouches := l.authority
		if opensNothing(c) {
			vouches = nil
		}
		child, err := proxy.NewChild(dir, vouches, l.url, os.Environ(), l.trusted...)
		if err != nil {
			l.stop()
			return failed(err, "")
		}
		cmd := exec.Command(path, child.Args(argv[1:])...)
		cmd.Args[0] = argv[0]
		cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = child.Env, os.Stdin, c.App.Writer, os.Stderr
		ran := proxy.RunChild(cmd)
		stopped := l.stop()
		if l.proxy.Connections() == 0 && !errors.As(ran, new(*exec.Error)) {
			say(l.errw, "the command never came here: it connected to nothing, or directly, past the proxy")
			say(l.errw, "hint: does it take a proxy from HTTPS_PROXY? Else use {proxy} in its arguments, where it has an option for one")
		}
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
