package main

import (
	"io"
	"os"
	"slices"
	"strconv"

	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/capture/keys"

	"github.com/urfave/cli/v2"
)

// copyFlags ask for a copy of the capture in place of the story.
var copyFlags = []cli.Flag{
	&cli.StringFlag{Name: "write", Aliases: []string{"w"}, Usage: "do not tell the story, but copy the capture to `FILE` (pcapng) with the story as packet comments, and with the keys of --keylog that belong to it"},
	forceFlag,
	&cli.BoolFlag{Name: "strip-keys", Usage: "with -w: leave all keys out of the copy", DisableDefaultText: true},
	&cli.BoolFlag{Name: "redact", Usage: "with -w: overwrite in the copy what people sent (bodies, cookies, passwords, query strings, ...), so that it can be shared with its keys", DisableDefaultText: true},
}

// copying tells whether the flags ask for a copy.
func copying(c *cli.Context) bool {
	return c.IsSet("write") || c.Bool(forceFlag.Name) || c.Bool("strip-keys") || c.Bool("redact")
}

// copyCapture copies a capture with the story as packet comments.
func copyCapture(c *cli.Context, names []string, log []keys.Secret, private []*keys.PrivateKey) error {
	to, strip, redact := c.String("write"), c.Bool("strip-keys"), c.Bool("redact")
	switch {
	case to == "" && c.IsSet("write"):
		return usage(words.Piece("error/write-needs-name"))
	case to == "" && redact:
		return usage(words.Piece("error/for-copy", "option", "--redact"), words.Piece("hint/as-in", "example", `"explainer read -w copy.pcapng --redact session.pcapng"`))
	case to == "" && c.Bool(forceFlag.Name):
		return usage(words.Piece("error/for-copy", "option", "--force"), words.Piece("hint/as-in", "example", `"explainer read -w copy.pcapng --force session.pcapng"`))
	case to == "":
		return usage(words.Piece("error/for-copy", "option", "--strip-keys"), words.Piece("hint/as-in", "example", `"explainer read -w copy.pcapng --strip-keys session.pcapng"`))
	case len(names) > 1:
		return usage(words.Piece("error/copies-one", "n", strconv.Itoa(len(names))), words.Piece("hint/mergecap"))
	case strip && c.Bool("show-secrets"):
		return usage(words.Piece("error/contradict", "option", "--strip-keys"))
	case redact && c.Bool("show-secrets"):
		return usage(words.Piece("error/contradict", "option", "--redact"))
	case strip && redact:
		return usage(words.Piece("error/redact-strip"),
			words.Piece("hint/redact-strip"))
	case names[0] == "-":
		return usage(words.Piece("error/copy-stdin"))
	}
	for _, f := range slices.Concat(selectFlags, []cli.Flag{overviewFlag, rowsFlag, secretsFlag, bytesFlag}, storyFlags) {
		if name := f.Names()[0]; name != "show-secrets" && c.IsSet(name) {
			return usage(words.Piece("error/copy-tells-nothing", "option", name))
		}
	}
	s, err := story.Open(names[0])
	if err != nil {
		return err
	}
	defer s.Close()
	if !s.Regular() {
		return usage(words.Piece("error/copy-no-file", "file", names[0]))
	}
	if old, err := os.Stat(to); err == nil {
		switch {
		case s.Is(old):
			return usage(words.Piece("error/copy-itself", "file", to), words.Piece("hint/copy-another"))
		case !old.Mode().IsRegular():
			return usage(words.Piece("error/copy-to-no-file", "file", to))
		}
		if !c.Bool(forceFlag.Name) {
			f, err := os.Open(to)
			if err != nil {
				return story.WriteError(words.Piece("file/copy"), err)
			}
			err = replaceable(to, f, old.Size())
			f.Close()
			if err != nil {
				return err
			}
		}
	}
	ports, err := decodeAs(c)
	if err != nil {
		return err
	}
	s.DecodeAs = ports
	completing.Store(true) // temporary files are to be removed
	done, err := story.Copy(c.Context, s, to, story.CopyOptions{StripKeys: strip, Redact: redact, ShowSecrets: c.Bool("show-secrets"), Lang: askedLanguage(c), PrivateKeys: private, KeyLog: log})
	if done != nil {
		sayCopied(c.App.ErrWriter, to, strip, redact, done)
	}
	return err
}

// sayCopied says what a copy holds, what it hides and what it does not.
func sayCopied(w io.Writer, to string, strip, redact bool, done *story.Copied) {
	what := words.Piece("say/copied", "file", to, "count", words.Count(done.Packets, "packet"), "n", strconv.Itoa(done.Comments))
	switch {
	case strip:
		what = words.Piece("say/copied-no-keys", "what", what)
	case redact || done.Keys > 0:
		what = words.Piece("say/copied-keys", "what", what, "count", words.Count(done.Keys, "key log line"))
	}
	say(w, what)
	if !redact {
		return
	}
	if lost := done.Opened - done.OpenInCopy; lost > 0 {
		say(w, words.Piece("say/copy-lost", "n", strconv.Itoa(lost), "count", words.Count(done.Opened, "message")))
	}
	if done.Sealed > 0 {
		say(w, words.Piece("say/copy-sealed", "count", words.Count(done.Sealed, "record")))
	}
	say(w, words.Piece("say/redacted"))
}
