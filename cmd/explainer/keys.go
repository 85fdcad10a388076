package main

import (
	"errors"
	"fmt"
	"os"

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
			return story.FileError("key log", err)
		}
		bad, err := keys.CheckLog(f, func(s keys.Secret) { n++; take(s) })
		f.Close()
		if err != nil {
			return failed(fmt.Errorf("key log %s: %w", name, err), "")
		}
		lines, most := 0, keys.Bad("")
		for why, n := range bad {
			if lines += n; most == "" || n > bad[most] || n == bad[most] && why < most {
				most = why
			}
		}
		switch {
		case n == 0 && lines == 0:
			say(c.App.ErrWriter, fmt.Sprintf("key log %s holds no line that opens TLS: it is empty", name))
		case n == 0:
			say(c.App.ErrWriter, fmt.Sprintf("key log %s holds no line that opens TLS: %s", name, badLines[most]))
		case lines > 0:
			say(c.App.ErrWriter, fmt.Sprintf("key log %s: %s skipped that hold no key (%s), %s read", name, words.Plural(lines, "line"), badLines[most], words.Plural(n, "line")))
		}
	}
	return nil
}

// badLines say what is wrong with lines of a key log.
var badLines = map[keys.Bad]string{
	keys.BadLabel:  "no label in it, such as CLIENT_RANDOM or CLIENT_TRAFFIC_SECRET_0",
	keys.BadHex:    "what stands behind the label is no hexadecimal",
	keys.BadRandom: "a client random has 32 bytes, 64 digits; behind RSA stand the first 8 of the encrypted pre-master secret",
	keys.BadSecret: "the secret has not the length that its label asks for",
	keys.BadParts:  "behind the label stand a random and a secret, and one is missing",
	keys.BadID:     "it names sessions by their ID, which is not read here; lines with CLIENT_RANDOM are",
	keys.BadLong:   "it is longer than any key",
	keys.BadKey:    "this is a private key or a certificate; a server's RSA key is given with --key",
	keys.BadGzip:   "it is compressed: gunzip it first",
	keys.BadPcap:   "this is a capture; one that has keys inside is given as the FILE to read",
}

// privateKeys reads the private keys that the flags name.
func privateKeys(c *cli.Context) ([]*keys.PrivateKey, error) {
	var all []*keys.PrivateKey
	for _, name := range c.StringSlice("key") {
		info, err := os.Stat(name)
		if err != nil {
			return nil, story.FileError("private key", err)
		}
		if info.IsDir() || info.Size() > maxKeyFile {
			return nil, failed(fmt.Errorf("private key %s: this is no file with a key", name), "")
		}
		file, err := os.ReadFile(name)
		if err != nil {
			return nil, story.FileError("private key", err)
		}
		found, err := keys.ParsePrivateKeys(file, func() ([]byte, error) { return password(name) })
		hint := ""
		switch {
		case errors.Is(err, keys.ErrNoRSAKey):
			hint = "only a server's RSA private key opens recorded connections; keys of other kinds only sign, and no secret is encrypted with them"
		case errors.Is(err, errNoTerminal):
			hint = "set " + passwordVariable + ", or run it on a terminal"
		}
		if err != nil {
			return nil, failed(fmt.Errorf("private key %s: %w", name, err), hint)
		}
		all = append(all, found...)
	}
	return all, nil
}

var errNoTerminal = errors.New("it is encrypted, and there is no terminal to ask for its password")

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
	fmt.Fprintf(os.Stderr, "password of %s: ", name)
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
