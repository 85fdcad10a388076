package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/capture/keys"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// passwordVariable holds the password of a private key where there is no terminal to ask on.
const passwordVariable = "EXPLAINER_KEY_PASSWORD"

// maxKeyFile bounds a private key's file, in bytes.
const maxKeyFile = 1 << 20

// keyFlags say where keys are that are not in the capture.
var keyFlags = []cli.Flag{
	&cli.StringSliceFlag{Name: "keylog", Usage: "`FILE` with TLS keys, as browsers write for SSLKEYLOGFILE (repeatable)"},
	&cli.StringSliceFlag{Name: "key", Usage: "`FILE` with a server's RSA private key, PEM, DER or PKCS#12, which opens TLS 1.2 and older with RSA key transport (repeatable); the password is asked for, or taken from " + passwordVariable},
}

// keyLogs gives take each line of the key logs that the flags name.
func keyLogs(c *cli.Context, take func(keys.Secret)) error {
	return newKeyLogs(c).read(take, true)
}

// A logReader reads key logs, which may grow.
type logReader struct {
	logs []*keyLog
	said io.Writer // gets what there is to say about them
}

// A keyLog is one of them.
type keyLog struct {
	name    string
	file    *os.File // nil: it is not there yet
	waiting bool     // that was said
	rest    []byte   // of a line whose end was not there yet
	lines   int
	bad     map[keys.Bad]int
}

// newKeyLogs returns the key logs that the flags name.
func newKeyLogs(c *cli.Context) *logReader {
	names := c.StringSlice("keylog")
	if env := os.Getenv("SSLKEYLOGFILE"); env != "" && len(names) == 0 {
		// The variable is set for other programs; a file that is not there yet is no mistake.
		if _, err := os.Stat(env); err == nil {
			names = []string{env}
		}
	}
	r := &logReader{said: c.App.ErrWriter}
	for _, name := range names {
		r.logs = append(r.logs, &keyLog{name: name, bad: map[keys.Bad]int{}})
	}
	return r
}

// read gives take the lines that were added since it was last called. Where more may come,
// until last, a key log need not be there, and a line without an end is waited for.
func (r *logReader) read(take func(keys.Secret), last bool) error {
	for _, l := range r.logs {
		if err := l.read(take, last); err != nil {
			return err
		}
		switch {
		case last:
			l.report(r.said)
		case !l.waiting && l.lines == 0:
			l.waiting = true
			say(r.said, words.Piece("say/key-log-waits", "file", l.name))
		}
	}
	return nil
}

func (l *keyLog) read(take func(keys.Secret), last bool) error {
	if l.file == nil {
		f, err := os.Open(l.name)
		if errors.Is(err, fs.ErrNotExist) && !last {
			return nil
		}
		if err != nil {
			return story.FileError(words.Piece("file/key-log"), err)
		}
		l.file = f
	}
	var in io.Reader = io.MultiReader(bytes.NewReader(l.rest), l.file)
	if last {
		defer l.file.Close()
	} else {
		added, err := io.ReadAll(l.file)
		if err != nil {
			return l.fails(err)
		}
		if len(added) == 0 {
			return nil
		}
		all := append(l.rest, added...)
		n := bytes.LastIndexAny(all, "\r\n") + 1
		in, l.rest = bytes.NewReader(all[:n]), bytes.Clone(all[n:])
	}
	bad, err := keys.CheckLog(in, func(s keys.Secret) { l.lines++; take(s) })
	if err != nil {
		return l.fails(err)
	}
	for why, n := range bad {
		l.bad[why] += n
	}
	return nil
}

func (l *keyLog) fails(err error) error {
	return fails(err, words.Piece("error/key-log", "file", l.name, "error", story.WordsOf(err)))
}

// report says what there is to say against a key log.
func (l *keyLog) report(w io.Writer) {
	if what := l.against(); !what.Empty() {
		say(w, what)
	}
}

func (l *keyLog) against() event.Text {
	lines, most := 0, keys.Bad("")
	for why, n := range l.bad {
		if lines += n; most == "" || n > l.bad[most] || n == l.bad[most] && why < most {
			most = why
		}
	}
	for _, begins := range []keys.Bad{keys.BadGzip, keys.BadPcap, keys.BadKey} { // the other lines are what follows that
		if l.bad[begins] > 0 {
			most = begins
		}
	}
	switch {
	case l.lines == 0 && lines == 0:
		return words.Piece("say/key-log-empty", "file", l.name)
	case l.lines == 0:
		return words.Piece("say/key-log-none", "file", l.name, "why", badLine(most))
	case lines > 0:
		return words.Piece("say/key-log-skipped", "file", l.name, "skipped", words.Count(lines, "line"), "why", badLine(most), "read", words.Count(l.lines, "line"))
	}
	return event.Text{}
}

// badLine says what is wrong with lines of a key log.
func badLine(why keys.Bad) event.Text {
	return map[keys.Bad]event.Text{
		keys.BadLabel:  words.Piece("key-log/label"),
		keys.BadHex:    words.Piece("key-log/hex"),
		keys.BadRandom: words.Piece("key-log/random"),
		keys.BadSecret: words.Piece("key-log/secret"),
		keys.BadParts:  words.Piece("key-log/parts"),
		keys.BadID:     words.Piece("key-log/id"),
		keys.BadLong:   words.Piece("key-log/long"),
		keys.BadKey:    words.Piece("key-log/key"),
		keys.BadGzip:   words.Piece("key-log/gzip"),
		keys.BadPcap:   words.Piece("key-log/pcap"),
	}[why]
}

// privateKeys reads the private keys that the flags name.
func privateKeys(c *cli.Context) ([]*keys.PrivateKey, error) {
	var all []*keys.PrivateKey
	for _, name := range c.StringSlice("key") {
		info, err := os.Stat(name)
		if err != nil {
			return nil, story.FileError(words.Piece("file/private-key"), err)
		}
		if info.IsDir() || info.Size() > maxKeyFile {
			return nil, fails(nil, words.Piece("error/no-key-file", "file", name))
		}
		file, err := os.ReadFile(name)
		if err != nil {
			return nil, story.FileError(words.Piece("file/private-key"), err)
		}
		found, err := keys.ParsePrivateKeys(file, func() ([]byte, error) { return password(name) })
		var hint []event.Text
		switch {
		case errors.Is(err, keys.ErrNoRSAKey):
			hint = append(hint, words.Piece("hint/rsa-only"))
		case errors.Is(err, errNoTerminal):
			hint = append(hint, words.Piece("hint/password", "variable", passwordVariable))
		}
		if err != nil {
			return nil, fails(err, words.Piece("error/private-key", "file", name, "error", story.WordsOf(err)), hint...)
		}
		all = append(all, found...)
	}
	return all, nil
}

var errNoTerminal = fails(nil, words.Piece("error/no-terminal"))

// password asks for the password of an encrypted private key. Standard input can
// be the capture, so it is asked for on the terminal itself.
func password(name string) ([]byte, error) {
	if secret, ok := os.LookupEnv(passwordVariable); ok {
		return []byte(secret), nil
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		if !term.IsTerminal(int(os.Stdin.Fd())) {
			return nil, errNoTerminal
		}
		tty = os.Stdin // as on Windows
	} else {
		defer tty.Close()
	}
	fmt.Fprint(os.Stderr, language().In(words.Piece("say/password", "file", name)))
	if was, err := term.GetState(int(tty.Fd())); err == nil {
		done := beforeLeaving(func() { term.Restore(int(tty.Fd()), was) })
		defer done()
	}
	secret, err := term.ReadPassword(int(tty.Fd()))
	fmt.Fprintln(os.Stderr)
	if err != nil {
		return nil, errNoTerminal
	}
	return secret, nil
}
