// Command explainer is a local intercepting proxy that explains real HTTPS
// traffic against the textbook's eight steps.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/urfave/cli/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args))
}

// run is main with an exit code, for the tests.
func run(ctx context.Context, args []string) int {
	app := &cli.App{
		Name:  "explainer",
		Usage: "explain real HTTPS traffic against the textbook's eight steps",
		Description: `A local proxy with its own certificate authority. Point a browser or a program at
it: it records the TLS handshake on both legs and tells, message by message, which
of the eight steps each one is, whether it happened as the textbook tells it, and
what can be proved from the recorded bytes.

Start here, it needs nothing:

   explainer demo`,
		Version:        version(),
		HideHelp:       false,
		Commands:       []*cli.Command{demoCommand, proxyCommand, browseCommand, runCommand, readCommand, caCommand, stepsCommand},
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usage("there is no command "+quote(c.Args().First()), "see explainer --help")
			}
			return cli.ShowAppHelp(c)
		},
		CommandNotFound: nil,
	}
	for _, c := range app.Commands {
		c.OnUsageError = usageError
		for _, s := range c.Subcommands {
			s.OnUsageError = usageError
		}
	}
	return exitCode(os.Stderr, app.RunContext(ctx, args))
}

// version is what the build says of itself.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}
