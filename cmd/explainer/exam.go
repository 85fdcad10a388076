package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"explainer/annotate/event"
	"explainer/annotate/exam"
	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/capture/keys"
	"explainer/capture/pcap"

	"github.com/urfave/cli/v2"
)

// examRecording is one of the demo, so that a seed makes the same questions everywhere.
//
//go:embed exam.pcapng
var examRecording []byte

// examName is what it is called on the sheet.
const examName = "explainer demo"

var examCommand = &cli.Command{
	Name:      "exam",
	Usage:     "a sheet of questions about a recording, its key, and the marks",
	UsageText: "explainer exam [--seed N] [--questions N] [--key-file KEY] [FILE] > sheet.html\n   explainer exam mark KEY ANSWERS",
	Description: `Writes a page to print or to mail (HTML, it needs nothing else) with questions about a
real recording: one of the demo, or FILE. What is right follows from its bytes, and
stands with the reasons in the file of --key-file alone. The same seed, recording and
version of this program make the same questions.

Example:

   explainer exam --seed 7 --key-file key.txt > sheet.html
   explainer exam --seed 7 --key-file key.txt session.pcapng > sheet.html
   explainer exam mark key.txt answers.txt`,
	Flags: append([]cli.Flag{
		&cli.IntFlag{Name: "seed", Value: 1, Usage: "the same `N` makes the same questions"},
		&cli.IntFlag{Name: "questions", Value: 12, Usage: "at most `N` of them"},
		&cli.StringFlag{Name: "key-file", Usage: "write what is right, and why, to `FILE`"},
	}, keyFlags...),
	Action: makeExam,
	Subcommands: []*cli.Command{{
		Name:      "mark",
		Usage:     "compare answers with a key",
		UsageText: "explainer exam mark KEY ANSWERS",
		Description: `Both files have a question in a line: its number, and the letter of the answer or the
letters of an order, as "3 B" or "1 CADB". What stands behind # is not read. A point
for each that is right. "-" is standard input.

Example:

   explainer exam mark key.txt answers.txt`,
		Action: markExam,
	}},
}

// collected keeps events.
type collected []event.Event

func (c *collected) Event(e *event.Event) error { *c = append(*c, *e); return nil }
func (c *collected) Flush() error               { return nil }
func (c *collected) Finish() error              { return nil }

func makeExam(c *cli.Context) error {
	names := c.Args().Slice()
	n := c.Int("questions")
	switch {
	case len(names) > 1:
		return usage(words.Piece("error/exam-one-file"))
	case n < 1:
		return usage(words.Piece("error/exam-questions"))
	case len(names) == 1 && sameFile(names[0], c.String("key-file")):
		return usage(words.Piece("error/exam-same-file"))
	}
	var events collected
	t, err := newTeller(c, &events, false)
	if err != nil {
		return err
	}
	name := examName
	if len(names) == 0 {
		err = t.Follow(bytes.NewReader(examRecording))
	} else {
		name = filepath.Base(names[0])
		err = tellFile(c, t, names[0])
	}
	if err != nil {
		return err
	}
	paper := exam.Of(events, name, uint64(c.Int("seed")), n)
	if len(paper.Parts) == 0 {
		return fails(nil, words.Piece("error/exam-nothing", "file", name), words.Piece("hint/exam-nothing"))
	}
	if to := c.String("key-file"); to != "" {
		f, err := openOutput(words.Piece("file/exam-key"), to, outputReplace, false)
		if err != nil {
			return err
		}
		if err := cmp.Or(paper.Key(f, language()), f.Close()); err != nil {
			return story.WriteError(words.Piece("file/exam-key"), err)
		}
	}
	return paper.HTML(c.App.Writer, language())
}

// sameFile tells whether two names are of one file, which is there.
func sameFile(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// tellFile tells a capture, with the keys of the flags; of one that is cut off, what is there.
func tellFile(c *cli.Context, t *story.Teller, name string) error {
	private, err := privateKeys(c)
	if err != nil {
		return err
	}
	var wrong error
	err = t.Files([]string{name}, story.FilesOptions{
		PrivateKeys: private,
		KeyLogs: func(take func(keys.Secret), last bool) error {
			return newKeyLogs(c).read(take, last)
		},
		Say:   func(what event.Text) { say(c.App.ErrWriter, what) },
		Wrong: func(err error) { wrong = err },
	})
	if errors.As(wrong, new(*pcap.CutError)) {
		exitCode(c.App.ErrWriter, wrong)
		wrong = nil
	}
	return cmp.Or(err, wrong)
}

func markExam(c *cli.Context) error {
	if c.Args().Len() != 2 {
		return usage(words.Piece("error/exam-mark"), words.Piece("hint/see", "command", "explainer exam mark --help"))
	}
	var files [2][]byte
	for i, what := range []event.Text{words.Piece("file/exam-key"), words.Piece("file/exam-answers")} {
		f, err := openText(what, c.Args().Get(i))
		if err != nil {
			return err
		}
		files[i] = f
	}
	m, err := exam.Mark(bytes.NewReader(files[0]), bytes.NewReader(files[1]))
	if err != nil {
		return fails(err, story.WordsOf(err))
	}
	w, l := c.App.Writer, language()
	for _, q := range m.Wrong {
		line := words.Piece("exam/wrong", "n", strconv.Itoa(q.N), "given", q.Given, "right", q.Right)
		if q.Given == "" {
			line = words.Piece("exam/not-answered", "n", strconv.Itoa(q.N), "right", q.Right)
		}
		if _, err := fmt.Fprintln(w, l.In(line)); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(w, l.In(words.Piece("exam/result", "points", strconv.Itoa(m.Points), "of", strconv.Itoa(m.Of))))
	return err
}

// maxExamFile bounds a file of letters, in bytes.
const maxExamFile = 1 << 20

func openText(what event.Text, name string) ([]byte, error) {
	f := os.Stdin
	if name != "-" {
		var err error
		if f, err = os.Open(name); err != nil {
			return nil, story.FileError(what, err)
		}
		defer f.Close()
	}
	b, err := io.ReadAll(io.LimitReader(f, maxExamFile))
	if err != nil {
		return nil, story.FileError(what, err)
	}
	return b, nil
}
