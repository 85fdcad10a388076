package main

import (
	"errors"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"

	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/capture/pcap"
	"explainer/proxy"

	"github.com/urfave/cli/v2"
)

// forceFlag stands beside every -w.
var forceFlag = &cli.BoolFlag{Name: "force", Usage: "with -w: write over a file that is no recording of explainer's", DisableDefaultText: true}

// How an output treats what its file holds.
type outputMode uint8

const (
	outputReplace   outputMode = iota // it is written over
	outputAppend                      // it stays, and more is added
	outputRecording                   // it is written over if it is empty or a recording, or with --force
)

// openOutput opens a file that tells of traffic. A regular file is made readable
// by its owner alone, whoever made it; a device, a pipe or the like is written to and left as it is.
func openOutput(what event.Text, name string, mode outputMode, force bool) (*os.File, error) {
	flags := os.O_WRONLY | os.O_CREATE
	switch {
	case !isRegular(name):
		flags = os.O_WRONLY | syscall.O_NONBLOCK // opening a named pipe that nobody reads would wait for ever
	case mode == outputAppend:
		flags |= os.O_APPEND
	case mode == outputRecording:
		flags = os.O_RDWR | os.O_CREATE
	}
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, story.WriteError(what, err)
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = claim(f, info, mode, force)
	}
	if err != nil {
		f.Close()
		var known *story.Failure
		if errors.As(err, &known) {
			return nil, err
		}
		return nil, story.WriteError(what, err)
	}
	return f, nil
}

// claim makes a regular file ours.
func claim(f *os.File, info os.FileInfo, mode outputMode, force bool) error {
	if mode == outputRecording && !force {
		if err := replaceable(f.Name(), f, info.Size()); err != nil {
			return err
		}
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := f.Chmod(0o600); err != nil {
			return err
		}
	}
	if mode == outputAppend {
		return nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return f.Truncate(0)
}

// replaceable returns an error if a file that is read from its beginning holds
// something that -w does not write over by itself.
func replaceable(name string, f io.Reader, size int64) error {
	if size == 0 {
		return nil
	}
	if r, err := pcap.NewReader(f); err == nil && r.Own() {
		return nil
	}
	return fails(nil, words.Piece("error/no-recording", "file", name), words.Piece("hint/force"))
}

// isRegular tells whether name is a regular file, or none yet.
func isRegular(name string) bool {
	info, err := os.Stat(name)
	return err != nil || info.Mode().IsRegular() || info.IsDir()
}

// spoolFlag bounds the disk that a story without -w takes.
var spoolFlag = &cli.StringFlag{
	Name: "spool", Value: "1GiB",
	Usage:       "without -w: what waits to be told takes at most `SIZE` of disk, in files without a name where TMPDIR says, or in /var/tmp where that is memory; beyond it the story goes on with the newest",
	DefaultText: "1GiB",
}

// size reads a flag that is a number of bytes, with K, M, G or T (powers of 1024) behind it.
func size(c *cli.Context, flag string, least int64) (int64, error) {
	text := c.String(flag)
	if text == "" && !c.IsSet(flag) {
		return proxy.SpoolSize, nil // of a command without the flag
	}
	number := strings.TrimRight(strings.ToUpper(text), "IB")
	shift := 0
	if n := len(number); n > 0 {
		if i := strings.IndexByte("KMGT", number[n-1]); i >= 0 {
			number, shift = number[:n-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return 0, usage(words.Piece("error/no-size", "option", flag, "value", quote(text)), words.Piece("hint/size", "option", flag))
	}
	if n <<= shift; n < least {
		return 0, usage(words.Piece("error/too-little", "option", flag, "value", text), words.Piece("hint/least", "n", strconv.FormatInt(least, 10)))
	}
	return n, nil
}
