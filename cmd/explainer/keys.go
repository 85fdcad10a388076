package main

import (
	"errors"
	"fmt"
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
	logs := c.StringSlice("keylog")
	if env := os.Getenv("SSLKEYLOGFILE"); env != "" && len(logs) == 0 {
		// The variable is set for other programs; a file that is not there yet is no mistake.
		if _, err := os.Stat(env); err == nil {
			logs = []string{env}
		}
	}
	for _, name := range logs {
		n := 0
		f, err := os.Open(name)
		if err != nil {
			return story.FileError(words.Piece("file/key-log"), err)
		}
		bad, err := keys.CheckLog(f, func(s keys.Secret) { n++; take(s) })
		f.Close()
		if err != nil {
			return fails(err, words.Piece("error/key-log", "file", name, "error", story.WordsOf(err)))
		}
		lines, most := 0, keys.Bad("")
		for why, n := range bad {
			if lines += n; most == "" || n > bad[most] || n == bad[most] && why < most {
				most = why
			}
		}
		switch {
		case n == 0 && lines == 0:
			say(c.App.ErrWriter, words.Piece("say/key-log-empty", "file", name))
		case n == 0:
			say(c.App.ErrWriter, words.Piece("say/key-log-none", "file", name, "why", badLine(most)))
		case lines > 0:
			say(c.App.ErrWriter, words.Piece("say/key-log-skipped", "file", name, "skipped", words.Count(lines, "line"), "why", badLine(most), "read", words.Count(n, "line")))
		}
	}
	return nil
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
