package main

import (
	"fmt"
	"io"
	"os"
	"slices"

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
		return usage("-w needs the name of a file", "")
	case to == "" && redact:
		return usage("--redact is for the copy that -w writes", `as in "explainer read -w copy.pcapng --redact session.pcapng"`)
	case to == "" && c.Bool(forceFlag.Name):
		return usage("--force is for the copy that -w writes", `as in "explainer read -w copy.pcapng --force session.pcapng"`)
	case to == "":
		return usage("--strip-keys is for the copy that -w writes", `as in "explainer read -w copy.pcapng --strip-keys session.pcapng"`)
	case len(names) > 1:
		return usage(fmt.Sprintf("-w copies one capture, not %d", len(names)), "mergecap makes one of several")
	case strip && c.Bool("show-secrets"):
		return usage("--strip-keys and --show-secrets contradict each other", "")
	case redact && c.Bool("show-secrets"):
		return usage("--redact and --show-secrets contradict each other", "")
	case strip && redact:
		return usage("--redact and --strip-keys do not go together: what was overwritten is sealed again with the same keys and nonces, and whoever has the original's packets could compute from both what was sent, without a key",
			"--strip-keys alone leaves what is sealed unreadable; --redact alone is a copy that opens")
	case names[0] == "-":
		return usage("-w goes through the capture twice, so it needs a file; standard input can be read only once", "")
	}
	for _, f := range slices.Concat(selectFlags, []cli.Flag{overviewFlag, secretsFlag, bytesFlag}, storyFlags) {
		if name := f.Names()[0]; name != "show-secrets" && c.IsSet(name) {
			return usage("-w copies the whole capture and tells nothing: --"+name+" has no place beside it", "")
		}
	}
	s, err := story.Open(names[0])
	if err != nil {
		return err
	}
	defer s.Close()
	if !s.Regular() {
		return usage("-w goes through the capture twice, so it needs a file; "+names[0]+" is none", "")
	}
	if old, err := os.Stat(to); err == nil {
		switch {
		case s.Is(old):
			return usage("-w "+to+" is the capture itself", "name another file for the copy")
		case !old.Mode().IsRegular():
			return usage("-w "+to+" is no file", "")
		}
		if !c.Bool(forceFlag.Name) {
			f, err := os.Open(to)
			if err != nil {
				return story.WriteError("copy", err)
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
	what := fmt.Sprintf("%s: %s, %d with a comment", to, words.Plural(done.Packets, "packet"), done.Comments)
	switch {
	case strip:
		what += "; no keys inside, but what was decrypted is told in the comments"
	case redact || done.Keys > 0:
		what += "; " + words.Plural(done.Keys, "key log line") + " inside"
	}
	say(w, what)
	if !redact {
		return
	}
	if lost := done.Opened - done.OpenInCopy; lost > 0 {
		say(w, fmt.Sprintf("%d of the %s that open in the original do not open in the copy: they could not be sealed again", lost, words.Plural(done.Opened, "message")))
	}
	if done.Sealed > 0 {
		say(w, words.Plural(done.Sealed, "record")+" stayed sealed: whoever has a key to one reads it in the copy, too, unless that key was given here")
	}
	say(w, "bodies, credentials and query strings are overwritten in the copy. It does NOT hide host names (SNI, Host, certificates), paths (but for what looks like a token), IP addresses, sizes and times, client certificates and tickets; and the keys in it open the ORIGINAL packets too, as do keys that others hold: keep the original to yourself")
}
