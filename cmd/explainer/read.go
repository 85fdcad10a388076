package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"explainer/annotate"
	"explainer/capture"
	"explainer/capture/keys"
	"explainer/capture/pcap"

	"github.com/urfave/cli/v2"
)

var readCommand = &cli.Command{
	Name:      "read",
	Usage:     "tell the story of a capture",
	UsageText: "explainer read [--keylog FILE] [--format text|json] FILE...",
	Description: `Reads recordings made with -w, and pcap or pcapng files made elsewhere, gzip'd or
not, and tells their story. "-" is standard input. A recording holds its own keys;
for other captures give the key log that the client wrote (SSLKEYLOGFILE).

Examples:

   explainer read session.pcapng
   explainer read --messages --keylog keys.txt capture.pcap`,
	Flags: append([]cli.Flag{
		&cli.StringSliceFlag{Name: "keylog", Usage: "`FILE` with TLS keys, as browsers write for SSLKEYLOGFILE (repeatable)"},
	}, storyFlags...),
	Action: read,
}

func read(c *cli.Context) error {
	files := c.Args().Slice()
	if len(files) == 0 {
		return usage("read needs a capture file", `as in "explainer read session.pcapng"; - is standard input`)
	}
	logs := c.StringSlice("keylog")
	if env := os.Getenv("SSLKEYLOGFILE"); env != "" && len(logs) == 0 {
		// The variable is set for other programs; a file that is not there yet is no mistake.
		if _, err := os.Stat(env); err == nil {
			logs = []string{env}
		}
	}
	var secrets []keys.Secret
	for _, name := range logs {
		n := len(secrets)
		f, err := os.Open(name)
		if err != nil {
			return fileError("key log", err)
		}
		err = keys.ReadLog(f, func(s keys.Secret) { secrets = append(secrets, s) })
		f.Close()
		if err != nil {
			return failed(fmt.Errorf("key log %s: %w", name, err), "")
		}
		if len(secrets) == n {
			say(c.App.ErrWriter, fmt.Sprintf("key log %s holds no line that opens TLS", name))
		}
	}
	out, err := newRenderer(c, c.App.Writer)
	if err != nil {
		return err
	}
	var first error
	for _, name := range files {
		if len(files) > 1 {
			if err := out.Event(&annotate.Event{Schema: annotate.SchemaVersion, Kind: annotate.KindFile, Name: "file", Brief: name}); err != nil {
				return err
			}
		}
		if err := readFile(c, name, secrets, out); err != nil {
			if len(files) == 1 {
				return err
			}
			exitCode(c.App.ErrWriter, err)
			first = childExit(1)
		}
	}
	return first
}

// readFile tells the story of one file.
func readFile(c *cli.Context, name string, secrets []keys.Secret, out renderer) error {
	f := os.Stdin
	if name == "-" {
		name = "standard input"
	} else {
		var err error
		if f, err = os.Open(name); err != nil {
			return fileError("", err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return failed(fmt.Errorf("%s is a folder", name), "name the capture file in it")
		}
	}
	r, err := pcap.NewReader(f)
	if err != nil {
		return failed(fmt.Errorf("%s: %w", name, err), "")
	}
	t := newTeller(c, out)
	for i := range secrets {
		if err := t.feed(&secrets[i]); err != nil {
			return err
		}
	}
	// In a recording of our own the keys stand before the bytes they open. In
	// other captures they may stand anywhere, so a file is gone through for
	// them first; standard input can be read only once.
	t.decoder.SecretsFirst = true
	if !r.Own() {
		if info, err := f.Stat(); f != os.Stdin && err == nil && info.Mode().IsRegular() {
			if r, err = withKeysFirst(f, t); err != nil {
				return failed(fmt.Errorf("%s: %w", name, err), "")
			}
		} else {
			t.decoder.SecretsFirst = false
			say(c.App.ErrWriter, "standard input is read once: keys that stand far behind the bytes they open may come too late")
		}
	}
	told := t.tell(r)
	if err := t.finish(); err != nil {
		return err
	}
	if n := len(t.open); n > 0 && told == nil && r.Own() {
		// Every connection's end is in a recording that was completed.
		say(c.App.ErrWriter, fmt.Sprintf("%s ends before %s in it did: its proxy was killed or had no room to write, or it still runs", name, count(n, "connection")))
	}
	stats := r.Stats()
	var cut *pcap.CutError
	switch {
	case errors.As(told, &cut):
		return failed(fmt.Errorf("%s: %w", name, cut), "everything before the cut was told")
	case told != nil:
		return failed(fmt.Errorf("%s: %w", name, told), "")
	case stats.Connections == 0:
		return failed(fmt.Errorf("%s: no TCP connection in %d packets", name, stats.Packets), "")
	}
	return nil
}

// withKeysFirst feeds t all keys of the file and starts reading it anew.
func withKeysFirst(f *os.File, t *teller) (*pcap.Reader, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	var feeding error
	err := pcap.Keys(f, func(s keys.Secret) {
		if feeding == nil {
			feeding = t.feed(capture.Input(&s))
		}
	})
	if feeding != nil {
		return nil, feeding
	}
	// A cut file is told up to its cut by the second pass.
	if err != nil && !errors.As(err, new(*pcap.CutError)) {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return pcap.NewReader(f)
}

// writeError is a file that cannot be opened for writing, in words.
func writeError(what string, err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return failed(err, "")
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return failed(fmt.Errorf("%s %s: there is no folder %s", what, path.Path, filepath.Dir(path.Path)), "")
	case errors.Is(err, fs.ErrPermission):
		return failed(fmt.Errorf("%s %s: no permission to write it", what, path.Path), "")
	}
	return failed(fmt.Errorf("%s %s: %w", what, path.Path, path.Err), "")
}

// fileError is a file that cannot be opened, in words.
func fileError(what string, err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return failed(err, "")
	}
	if what != "" {
		what += " "
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return failed(fmt.Errorf("%s%s: there is no such file", what, path.Path), "")
	case errors.Is(err, fs.ErrPermission):
		return failed(fmt.Errorf("%s%s: no permission to read it", what, path.Path), "recordings are made readable by their owner alone")
	}
	return failed(fmt.Errorf("%s%s: %w", what, path.Path, path.Err), "")
}
