package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"

	"explainer/annotate/story"
	"explainer/annotate/words"
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

With --observe, too, and nothing is intercepted: no CA, no certificate of ours. The
command is told to log its keys (SSLKEYLOGFILE; Node.js by NODE_OPTIONS), and these open
what passed: curl, wget, git, Python and Node.js log them; Go, Ruby and Perl do not.

Examples:

   explainer run -- curl https://tls13.explainer.test/
   explainer run --story story.txt -w session.pcapng -- git ls-remote https://example.org/repo.git
   explainer run -- openssl s_client -proxy {proxy} -CAfile {ca} -connect tls12.explainer.test:443
   explainer run --observe -w session.pcapng -- python3 app.py
   explainer run --textbook -- curl https://rsa.explainer.test/`,
	Flags: append([]cli.Flag{
		&cli.BoolFlag{Name: "observe", Usage: "leave the command's own trust as it is, pass everything on, and open it with the keys that the command itself writes", DisableDefaultText: true},
	}, proxyFlags...),
	Action: func(c *cli.Context) error {
		argv := c.Args().Slice()
		for _, name := range []string{"textbook", "passthrough", "client-cert", "on-bad-origin"} {
			if c.Bool("observe") && c.IsSet(name) {
				return usage(words.Piece("error/observe", "option", name))
			}
		}
		if len(argv) == 0 {
			return usage(words.Piece("error/run-needs"), words.Piece("hint/as-in-command", "example", "explainer run -- curl https://tls13.explainer.test/"))
		}
		if opensNothing(c) && strings.Contains(strings.Join(argv, " "), "{ca}") {
			return usage(words.Piece("error/no-ca", "place", "{ca}"))
		}
		path, err := exec.LookPath(argv[0])
		if err != nil {
			return fails(err, words.Piece("error/no-such-command", "command", argv[0]))
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
			return failed(err)
		}
		defer os.RemoveAll(dir)
		vouches := l.authority
		if opensNothing(c) {
			vouches = nil
		}
		child, err := proxy.NewChild(dir, vouches, l.url, os.Environ(), l.trusted...)
		if err != nil {
			l.stop()
			return failed(err)
		}
		if l.keysOf != nil {
			child.LogKeys(l.keysOf.Name())
		}
		cmd := exec.Command(path, child.Args(argv[1:])...)
		cmd.Args[0] = argv[0]
		cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = child.Env, os.Stdin, c.App.Writer, os.Stderr
		l.sayPage()
		ran := proxy.RunChild(cmd)
		l.staying = c.Context
		stopped := l.stop()
		if o := l.proxy.Observe; o != nil {
			if hellos, lines := o.Seen(); hellos > 0 && lines == 0 {
				say(l.errw, words.Piece("say/no-keys"))
				say(l.errw, hinted(words.Piece("hint/no-observe")))
			}
		}
		if l.proxy.Connections() == 0 && !errors.As(ran, new(*exec.Error)) {
			say(l.errw, words.Piece("say/never-came"))
			say(l.errw, hinted(words.Piece("hint/takes-proxy", "place", "{proxy}")))
		}
		var exit *exec.ExitError
		switch {
		case errors.As(ran, &exit):
			exitCode(c.App.ErrWriter, stopped)
			return childExit(proxy.ExitCode(exit))
		case ran != nil:
			return fails(ran, words.Piece("error/of", "of", argv[0], "error", story.WordsOf(ran)))
		}
		return stopped
	},
}
