package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/text"
	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
)

var stepsCommand = &cli.Command{
	Name:      "steps",
	Usage:     "the eight steps beside what TLS 1.2 and TLS 1.3 really do",
	UsageText: "explainer steps [--format text|json]",
	Description: `Prints the textbook's story of HTTPS, step by step, and beside each step what
happens in TLS 1.2 with RSA (the textbook's own), in TLS 1.2 with ECDHE and in TLS 1.3.

Example:

   explainer steps | less`,
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "format", Value: "text", Usage: "form of the table: `text|json`"},
	},
	Action: func(c *cli.Context) error {
		if c.Args().Present() {
			return usage(words.Piece("error/no-arguments", "command", "steps"), words.Piece("hint/see", "command", "explainer steps --help"))
		}
		w := c.App.Writer
		switch c.String("format") {
		case "json":
			enc := json.NewEncoder(w)
			enc.SetEscapeHTML(false)
			for _, s := range words.StepTable() {
				if err := enc.Encode(s); err != nil {
					return err
				}
			}
			return nil
		case "text":
			return printSteps(w, language())
		}
		return usage(words.Piece("error/format-json", "value", quote(c.String("format"))))
	},
}

func printSteps(w io.Writer, l words.Language) error {
	width := 100
	if n := columnsOf(w); n > 0 {
		width = min(max(n, 40), width)
	}
	aim := ""
	for _, s := range l.StepTable() {
		head := words.Piece("steps/step", "step", string(s.Step), "title", s.Title)
		switch of := event.AimOf(s.Step); {
		case s.Step == words.AroundKeys || s.Step == words.AroundRequests:
			head = words.Piece("steps/around", "title", s.Title)
		case of != aim:
			aim = of
			fmt.Fprintf(w, "== %s\n\n", l.In(words.Named("aim-of", aim)))
		}
		fmt.Fprintln(w, l.In(head))
		for _, part := range [][2]string{{l.In(words.Piece("steps/textbook")), s.Textbook}, {"TLS 1.2 RSA", s.TLS12RSA}, {"TLS 1.2 (EC)DHE", s.TLS12ECDHE}, {"TLS 1.3", s.TLS13}} {
			for i, line := range text.Wrap(part[1], width-18) {
				lead := part[0]
				if i > 0 {
					lead = ""
				}
				fmt.Fprintf(w, "  %s  %s\n", text.Pad(lead, 15), line)
			}
		}
		if _, err := fmt.Fprintf(w, "  %s  %s\n\n", text.Pad(l.In(words.Piece("steps/see")), 15), strings.Join(s.Refs, "; ")); err != nil {
			return err
		}
	}
	return nil
}
