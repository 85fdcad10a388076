// Command explainer is a local intercepting proxy that explains real HTTPS
// traffic against the textbook's eight steps.
package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
)

func main() {
	os.Exit(runMain())
}

// completing says that a command has something to complete when a signal asks it to
// end, as a recording or a copy: then its context ends. All others end at once.
var completing atomic.Bool

// runMain runs the command until it is done or a signal asks it to end.
func runMain() int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, endSignals()...)
	go func() {
		s := <-signals
		if completing.Load() {
			cancel()
			return
		}
		os.Exit(interrupted(s))
	}()
	// A reader that leaves (| head) is an error of the write, not our end: the
	// recording has yet to be completed. Ignoring the signal would have our children ignore it too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return run(ctx, os.Args)
}

// leaving is what to do before a signal ends the program.
var leaving struct {
	sync.Mutex
	calls []*func()
}

// beforeLeaving has f called should a signal end the program before done is called.
func beforeLeaving(f func()) (done func()) {
	leaving.Lock()
	defer leaving.Unlock()
	call := &f
	leaving.calls = append(leaving.calls, call)
	return func() {
		leaving.Lock()
		defer leaving.Unlock()
		leaving.calls = slices.DeleteFunc(leaving.calls, func(c *func()) bool { return c == call })
	}
}

// interrupted does what is to be done before a signal ends the program, and returns
// the exit code by which shells know that.
func interrupted(s os.Signal) int {
	leaving.Lock() // for good
	for _, call := range slices.Backward(leaving.calls) {
		(*call)()
	}
	say(os.Stderr, words.Piece("say/signal", "signal", s.String()))
	if n, ok := s.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return 1
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
	l := argumentsLanguage(args)
	inChinese.Store(l == words.Chinese)
	app := newApp(l)
	return exitCode(os.Stderr, app.RunContext(ctx, arrange(app, args)))
}

// newApp is all commands, with their help in a language.
func newApp(l words.Language) *cli.App {
	app := &cli.App{
		Name:      "explainer",
		Usage:     "explain real HTTPS traffic against the textbook's eight steps",
		UsageText: "explainer COMMAND [OPTION...] [ARGUMENT...]\n\nexplainer FILE...",
		Description: `A local proxy with its own certificate authority. Point a browser or a program at
it: it records the TLS handshake on both legs and tells, message by message, which
of the eight steps each one is, whether it happened as the textbook tells it, and
what can be proved from the recorded bytes.

Start here, it needs nothing:

   explainer demo`,
		Version:        version(),
		Commands:       []*cli.Command{demoCommand, proxyCommand, browseCommand, runCommand, readCommand, rowsCommand, checkCommand, gradeCommand, caCommand, stepsCommand, examCommand, completionCommand, manCommand, completeCommand, helpCommand(l)},
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return noCommand("explainer", c.Args().First(), c.App.Commands)
			}
			return cli.ShowAppHelp(c)
		},
		Flags:  []cli.Flag{langFlag, cli.HelpFlag},
		Before: speak,
	}
	speaking := func(c *cli.Command) *cli.Command {
		of := *c
		of.OnUsageError, of.Before, of.HideHelpCommand = usageError, speak, true
		if !c.SkipFlagParsing && c.Name != "help" {
			of.Flags = append(slices.Clip(c.Flags), langFlag)
		}
		return &of
	}
	for i, c := range app.Commands {
		c = speaking(c)
		c.Subcommands = slices.Clone(c.Subcommands)
		for j, s := range c.Subcommands {
			c.Subcommands[j] = speaking(s)
		}
		if len(c.Subcommands) > 0 {
			c.Subcommands = append(c.Subcommands, helpCommand(l))
		}
		app.Commands[i] = c
	}
	helpIn(app, l)
	return app
}
