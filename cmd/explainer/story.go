package main

import (
	"io"
	"slices"
	"strings"

	"explainer/annotate"
	"explainer/annotate/rows"
	"explainer/annotate/story"
	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
)

// storyFlags choose how the story is told.
var storyFlags = []cli.Flag{
	&cli.StringFlag{Name: "format", Value: "text", Usage: "form of the story: `" + strings.Join(story.Formats(true), "|") + "`, json is one object a line; of read also har and qlog, and of its --rows csv"},
	&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "each connection with its messages, one line each, and a sentence for each step", DisableDefaultText: true},
	&cli.BoolFlag{Name: "messages", Aliases: []string{"vv"}, Usage: "message by message, each with its fields, sentences and proofs; HTTP/2 flow control too", DisableDefaultText: true},
	&cli.BoolFlag{Name: "ascii", Usage: "no signs beyond ASCII in the short story", DisableDefaultText: true},
	&cli.BoolFlag{Name: "all", Usage: "a browser's own chatter too, message by message", DisableDefaultText: true},
	&cli.BoolFlag{Name: "show-secrets", Usage: "do not mask passwords, cookies, tokens and keys", DisableDefaultText: true},
	&cli.StringFlag{Name: "color", Value: "auto", Usage: "use colours: `auto|always|never`"},
}

// viewOptions are what the flags of a story ask for, as it is shown on w. Only some of
// its forms suit a live one.
func viewOptions(c *cli.Context, w io.Writer, live bool) (story.ViewOptions, error) {
	o := story.ViewOptions{
		Format: c.String("format"), Detail: detailOf(c), ASCII: c.Bool("ascii"), All: c.Bool("all"), Overview: c.Bool("overview"),
		Width: columnsOf(w), Lang: language(), Version: version(),
	}
	var err error
	if o.Color, err = colorOf(c.String("color"), w); err != nil {
		return o, err
	}
	if c.IsSet(rowsFlag.Name) {
		return o, rowsOptions(c, &o)
	}
	if forms := story.Formats(live); !slices.Contains(forms, o.Format) {
		return o, usage(words.Piece("error/format", "forms", words.List("or", words.Names(forms)...), "value", quote(o.Format)))
	}
	return o, nil
}

// rowsOptions are what the flags of a table ask for.
func rowsOptions(c *cli.Context, o *story.ViewOptions) error {
	o.Rows = c.String(rowsFlag.Name)
	if !c.IsSet("format") {
		o.Format = "json"
	}
	switch {
	case !slices.Contains(rows.Tables, o.Rows):
		return usage(words.Piece("error/rows", "tables", words.List("or", words.Names(rows.Tables)...), "value", quote(o.Rows)), words.Piece("hint/rows"))
	case !slices.Contains(rows.Formats, o.Format):
		return usage(words.Piece("error/rows-format", "forms", words.List("or", words.Names(rows.Formats)...), "value", quote(o.Format)))
	}
	for _, flag := range []string{"overview", "messages", bytesFlag.Name, secretsFlag.Name, "show-secrets", "step"} {
		if c.IsSet(flag) {
			return usage(words.Piece("error/rows-shows", "option", flag), words.Piece("hint/leave-out"))
		}
	}
	return nil
}

// detailOf is how much is told. What an eavesdropper does not see, a connection's keys and
// chosen steps stand in the sentences of the steps, which the short story has not.
func detailOf(c *cli.Context) story.Detail {
	switch {
	case c.Bool("messages") || c.Bool(bytesFlag.Name):
		return story.ByMessages
	case c.Bool("verbose") || c.String(asFlag.Name) != "" || c.Bool(secretsFlag.Name) || len(c.StringSlice("step")) > 0:
		return story.BySteps
	}
	return story.InShort
}

// newRenderer makes the renderer of a live story that the flags ask for.
func newRenderer(c *cli.Context, w io.Writer) (story.Renderer, error) {
	o, err := viewOptions(c, w, true)
	return story.NewLines(w, o), err
}

// newTeller tells the story that the flags ask for.
func newTeller(c *cli.Context, out story.Renderer, pages bool) (*story.Teller, error) {
	x := newExplainer(c)
	x.Bytes = x.Bytes || pages
	if v, ok := out.(*story.View); ok && !pages {
		v.Spare(x)
	}
	return story.New(x, out), trust(c, x)
}

// newExplainer makes the explainer that the flags ask for, without roots.
func newExplainer(c *cli.Context) *annotate.Explainer {
	return &annotate.Explainer{ShowSecrets: c.Bool("show-secrets"), Secrets: c.Bool(secretsFlag.Name), Bytes: c.Bool(bytesFlag.Name) || c.String("format") == "commands", Packets: c.String("format") == "qlog", Eavesdropper: c.String(asFlag.Name) == eavesdropper}
}
