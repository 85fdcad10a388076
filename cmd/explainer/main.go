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
	os.Exit(runMain())
}

// runMain runs the command until it is done or a signal asks it to end.
func runMain() int {
	ctx, stop := signal.NotifyContext(context.Background(), endSignals()...)
	defer stop()
	// A reader that leaves (| head) is an error of the write, not our end: the
	// recording has yet to be completed. Ignoring the signal would have our children ignore it too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return run(ctx, os.Args)
}

// endSignals are those that ask to end. SIGHUP, which comes when the terminal is
// closed, is none under nohup.
func endSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
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
		Commands:       []*cli.Command{demoCommand, proxyCommand, browseCommand, runCommand, readCommand, checkCommand, gradeCommand, caCommand, stepsCommand},
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
