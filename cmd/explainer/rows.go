package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"explainer/annotate/event"
	"explainer/annotate/rows"
	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/proxy"

	"github.com/urfave/cli/v2"
)

var rowsCommand = &cli.Command{
	Name:      "rows",
	Usage:     "merge rows of many captures",
	UsageText: "explainer rows merge FILE...",
	Description: `Rows are what "explainer read --rows" writes, for tables: one for each connection,
certificate or finding.

Example:

   explainer rows merge monday.ndjson tuesday.ndjson > both.ndjson`,
	Subcommands: []*cli.Command{{
		Name:      "merge",
		Usage:     "make one table of rows of several captures",
		UsageText: "explainer rows merge [--format json|csv] FILE...",
		Description: `Reads tables of one kind that read --rows wrote as JSON, and writes one, by time. "-"
is standard input. A row that is there twice is written once. The parts of a
connection that was cut where one capture ends and the next begins become one row,
which names what its parts do not tell. In which order the files are given, or were
merged before, makes no difference.

Example:

   explainer rows merge monday.ndjson tuesday.ndjson > both.ndjson`,
		Flags:  []cli.Flag{&cli.StringFlag{Name: "format", Value: "json", Usage: "form of the table: `json|csv`"}},
		Action: mergeRows,
	}},
}

func mergeRows(c *cli.Context) error {
	files := c.Args().Slice()
	if len(files) == 0 {
		return usage(words.Piece("error/merge-needs"), words.Piece("hint/see", "command", c.Command.HelpName+" --help"))
	}
	format := c.String("format")
	if !slices.Contains(rows.Formats, format) {
		return usage(words.Piece("error/format", "forms", words.List("or", words.Names(rows.Formats)...), "value", quote(format)))
	}
	m := rows.Merger{Scratch: scratch}
	defer m.Close()
	for _, name := range files {
		if err := addRows(&m, name); err != nil {
			return err
		}
	}
	w := bufio.NewWriter(c.App.Writer)
	if err := m.Finish(w, format); err != nil {
		return failed(err)
	}
	return w.Flush()
}

// addRows has a file's rows merged.
func addRows(m *rows.Merger, name string) error {
	f := os.Stdin
	if name != "-" {
		var err error
		if f, err = os.Open(name); err != nil {
			return story.FileError(event.Text{}, err)
		}
		defer f.Close()
	}
	err := m.Add(f)
	var line *rows.LineError
	if errors.As(err, &line) {
		return fails(err, words.Piece("error/merge-line", "file", name, "n", strconv.Itoa(line.Line), "error", fmt.Sprint(line.Err)), words.Piece("hint/merge-line"))
	}
	if err != nil {
		return fails(err, words.Piece("error/of", "of", name, "error", story.WordsOf(err)))
	}
	return nil
}

// scratch makes a temporary file that goes with the process.
func scratch() (*os.File, error) {
	dir := proxy.SpoolFolder()
	proxy.SweepSpool(dir)
	return proxy.SpoolFile(dir)
}
