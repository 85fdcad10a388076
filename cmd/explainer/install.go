package main

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/ca/install"

	"github.com/urfave/cli/v2"
)

// storeFlags choose trust stores.
var storeFlags = []cli.Flag{
	&cli.BoolFlag{Name: install.System, Usage: "the machine's own trust store, for all its users and most programs; by sudo where you are not root", DisableDefaultText: true},
	&cli.BoolFlag{Name: install.Browser, Usage: "your Firefox profiles, and on Linux Chromium", DisableDefaultText: true},
	&cli.BoolFlag{Name: install.Java, Usage: "the trust store of the Java in JAVA_HOME, or else on the PATH", DisableDefaultText: true},
	&cli.BoolFlag{Name: "dry-run", Usage: "print the commands, and run none", DisableDefaultText: true},
	homeFlag,
}

var caInstallCommand = &cli.Command{
	Name:      "install",
	Usage:     "have this machine, your browsers or Java trust the CA",
	UsageText: "explainer ca install --system|--browser|--java... [--dry-run] [--home DIR]",
	Description: `Runs the system's own commands and shows each. Only "explainer proxy" needs it: run,
browse and check tell their programs whom to trust. Whoever gets the CA's key can then
impersonate any site to these programs: uninstall it when you are done.

Examples:

   explainer ca install --browser --dry-run
   explainer ca install --browser`,
	Flags:  storeFlags,
	Action: func(c *cli.Context) error { return changeStores(c, true) },
}

var caUninstallCommand = &cli.Command{
	Name:      "uninstall",
	Usage:     "have nothing on this machine trust the CA any more",
	UsageText: "explainer ca uninstall [--system] [--browser] [--java] [--dry-run] [--home DIR]",
	Description: `Takes the CA out of the trust stores that are named, or else of all in which it is.

Examples:

   explainer ca uninstall --dry-run
   explainer ca uninstall`,
	Flags:  storeFlags,
	Action: func(c *cli.Context) error { return changeStores(c, false) },
}

var caRenewCommand = &cli.Command{
	Name:      "renew",
	Usage:     "make a new CA in place of the old one, with a new key",
	UsageText: "explainer ca renew [--home DIR]",
	Description: `For one that has expired, or whose key somebody else may have seen. What trusts the old
one must be told of the new one. While a trust store of this machine has the old one
it is refused, for nothing could take it out of there any more.

Example:

   explainer ca uninstall && explainer ca renew`,
	Flags:  []cli.Flag{homeFlag},
	Action: caRenew,
}

// storedCA is the certificate of the CA in the home folder, and its file.
func storedCA(c *cli.Context) (file string, cert *x509.Certificate, err error) {
	dir, err := home(c)
	if err != nil {
		return "", nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", nil, failed(err)
	}
	cert, err = ca.Stored(dir)
	if err != nil {
		return "", nil, failed(err)
	}
	if cert == nil {
		return "", nil, fails(nil, words.Piece("error/no-ca-yet", "folder", dir), words.Piece("hint/ca-show"))
	}
	return filepath.Join(dir, ca.CertFile), cert, nil
}

// changeStores puts the CA into trust stores, or takes it out.
func changeStores(c *cli.Context, add bool) error {
	if c.Args().Present() {
		return usage(words.Piece("error/no-arguments", "command", "ca "+c.Command.Name), words.Piece("hint/see", "command", c.Command.HelpName+" --help"))
	}
	var kinds []string
	for _, k := range install.Kinds {
		if c.Bool(k) {
			kinds = append(kinds, k)
		}
	}
	named, dry := len(kinds) > 0, c.Bool("dry-run")
	switch {
	case !named && add:
		return usage(words.Piece("error/install-where"), words.Piece("hint/dry-run"))
	case !named:
		kinds = install.Kinds
	}
	if add && !dry {
		if _, err := authority(c); err != nil { // which makes it
			return err
		}
	}
	file, cert, err := storedCA(c)
	if err != nil {
		return err
	}
	errw, failures := c.App.ErrWriter, 0
	fail := func(what event.Text, hint ...event.Text) {
		failures++
		exitCode(errw, fails(nil, what, hint...))
	}
	changed := 0
	for _, kind := range kinds {
		stores := install.Stores(kind, file, cert)
		if len(stores) == 0 && named {
			fail(words.Piece("error/no-store-"+kind), words.Piece("hint/store-"+kind))
		}
		for _, s := range stores {
			where := event.Plain(s.Where)
			switch has := s.Has(); {
			case s.Needs != "" && (named || add):
				fail(words.Piece("error/store-needs", "where", s.Where, "program", s.Needs), words.Piece("hint/store-needs"))
			case s.Needs != "":
				say(errw, words.Piece("say/store-unread", "where", where, "program", s.Needs))
			case has == add && add:
				say(errw, words.Piece("say/trusts-already", "where", where))
			case has == add:
				if named {
					say(errw, words.Piece("say/trusts-not", "where", where))
				}
			default:
				commands := s.Remove
				if add {
					commands = s.Add
				}
				changed++
				if err := runCommands(c, commands, dry); err != nil {
					fail(words.Piece("error/store", "where", s.Where, "error", story.WordsOf(err)))
				} else if !dry && s.Has() != add {
					fail(words.Piece("error/store-unchanged", "where", s.Where))
				} else if !dry && add {
					say(errw, words.Piece("say/trusts", "where", where, "name", cert.Subject.CommonName))
				} else if !dry {
					say(errw, words.Piece("say/trusts-no-more", "where", where, "name", cert.Subject.CommonName))
				}
			}
		}
	}
	switch {
	case failures > 0:
		return childExit(1) // each was told
	case changed == 0 && !named:
		say(errw, words.Piece("say/nothing-trusts", "name", cert.Subject.CommonName))
	case changed > 0 && add && !dry:
		say(errw, words.Piece("say/installed", "file", filepath.Join(filepath.Dir(file), ca.KeyFile)))
	}
	return nil
}

// runCommands shows commands and runs them, or prints them alone.
func runCommands(c *cli.Context, commands []install.Command, dry bool) error {
	for _, command := range commands {
		if dry {
			fmt.Fprintln(c.App.Writer, command)
			continue
		}
		say(c.App.ErrWriter, words.Piece("say/runs", "command", command.String()))
		if err := command.Run(); err != nil {
			return err
		}
	}
	return nil
}

func caRenew(c *cli.Context) error {
	if c.Args().Present() {
		return usage(words.Piece("error/no-arguments", "command", "ca renew"), words.Piece("hint/see", "command", "explainer ca renew --help"))
	}
	file, old, err := storedCA(c)
	if err != nil {
		return err
	}
	var holding []string
	for _, kind := range install.Kinds {
		for _, s := range install.Stores(kind, file, old) {
			if s.Has() {
				holding = append(holding, s.Where)
			}
		}
	}
	if len(holding) > 0 {
		return fails(nil, words.Piece("error/renew-trusted", "stores", strings.Join(holding, ", ")), words.Piece("hint/uninstall-first"))
	}
	a, err := ca.Renew(filepath.Dir(file))
	if err != nil {
		return failed(err)
	}
	say(c.App.ErrWriter, words.Piece("say/renewed", "name", a.Certificate().Subject.CommonName, "old", old.Subject.CommonName))
	return nil
}
