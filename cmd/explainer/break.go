package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate"
	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/capture/keys"

	"github.com/urfave/cli/v2"
)

// breakFlags tell a changed copy of one connection in place of the story.
var breakFlags = []cli.Flag{
	&cli.StringFlag{Name: "flip", Usage: "change a byte in a copy of one connection, `PACKET:OFFSET=XX` (XX hexadecimal), and tell which proofs break and which check would notice, by the rules"},
	&cli.BoolFlag{Name: "inside", Usage: "with --flip: change what is encrypted, OFFSET counted there, and seal it again with the recorded key", DisableDefaultText: true},
	&cli.StringFlag{Name: "without", Usage: "the same with the key log lines of `LABEL` left away; PRIVATE_KEY: those of --key"},
	&cli.IntFlag{Name: "chain-of", Usage: "the same with the certificates of the server of connection `N`"},
}

// breaking tells whether the flags ask for a changed copy.
func breaking(c *cli.Context) bool {
	return slices.ContainsFunc(breakFlags, func(f cli.Flag) bool { return c.IsSet(f.Names()[0]) })
}

// changeOf reads what is changed, and which connection is asked for; 0 if none is.
func changeOf(c *cli.Context) (change story.Change, conn int, err error) {
	n := 0
	for _, name := range []string{"flip", "without", "chain-of"} {
		if c.IsSet(name) {
			n++
		}
	}
	switch {
	case n == 0:
		return nil, 0, usage(words.Piece("error/inside-needs-flip"))
	case n > 1:
		return nil, 0, usage(words.Piece("error/one-change"))
	case c.Bool("inside") && !c.IsSet("flip"):
		return nil, 0, usage(words.Piece("error/inside-needs-flip"))
	}
	switch list := c.StringSlice("connection"); {
	case len(list) > 1:
		return nil, 0, usage(words.Piece("error/change-of-one"))
	case len(list) == 1:
		if conn, err = strconv.Atoi(list[0]); err != nil || conn < 1 {
			return nil, 0, usage(words.Piece("error/change-of-one"))
		}
	}
	switch {
	case c.IsSet("without"):
		return story.Without{Label: c.String("without")}, conn, nil
	case c.IsSet("chain-of"):
		return story.Chain{Of: c.Int("chain-of")}, conn, nil
	}
	f, err := flipOf(c.String("flip"))
	f.Inside = c.Bool("inside")
	return f, conn, err
}

// flipOf reads PACKET:OFFSET=XX.
func flipOf(text string) (story.Flip, error) {
	place, value, ok := strings.Cut(text, "=")
	packet, offset, colon := strings.Cut(place, ":")
	p, err1 := strconv.Atoi(packet)
	o, err2 := strconv.Atoi(offset)
	to, err3 := strconv.ParseUint(value, 16, 8)
	if !ok || !colon || err1 != nil || err2 != nil || err3 != nil || p < 1 || o < 0 {
		return story.Flip{}, usage(words.Piece("error/flip", "value", quote(text)), words.Piece("hint/flip"))
	}
	return story.Flip{Packet: p, Offset: o, To: byte(to)}, nil
}

// tellBroken tells a changed copy of one connection of a capture: what became of it and, where
// more than the short story is asked for, its own story before that.
func tellBroken(c *cli.Context, names []string, log []keys.Secret, private []*keys.PrivateKey) error {
	change, conn, err := changeOf(c)
	if err != nil {
		return err
	}
	switch {
	case len(names) > 1:
		return usage(words.Piece("error/change-one-file"))
	case c.String("format") == "har", c.String("format") == "qlog":
		return usage(words.Piece("error/change-no-har", "format", c.String("format")))
	}
	for _, name := range []string{"host", "step", "verdict", "only-failed", "overview", "rows", "as", "write"} {
		if c.IsSet(name) {
			return usage(words.Piece("error/change-not-with", "option", name))
		}
	}
	s, err := story.Open(names[0])
	if err != nil {
		return err
	}
	defer s.Close()
	if s.DecodeAs, err = decodeAs(c); err != nil {
		return err
	}
	if !s.Regular() {
		return usage(words.Piece("error/change-stdin"))
	}
	model := newExplainer(c)
	if err := trust(c, model); err != nil {
		return err
	}
	packet := 0
	if f, is := change.(story.Flip); is {
		packet = f.Packet
	}
	specimen, err := story.TakeSpecimen(s.Recording(log), conn, packet, story.SpecimenOptions{
		PrivateKeys: private,
		Explainer: func() *annotate.Explainer {
			x := newExplainer(c)
			x.Roots, x.ClientRoots, x.RootsName = model.Roots, model.ClientRoots, model.RootsName
			return x
		},
	})
	if err != nil {
		return err
	}
	broken, err := specimen.Break(change)
	if err != nil {
		return err
	}
	v, err := newView(c, nil, names)
	if err != nil {
		return err
	}
	defer v.Close()
	events := broken.Events
	comparison := story.ComparisonEvent(broken.Comparison, len(events))
	if c.String("format") == "text" && detailOf(c) == story.InShort {
		events = nil
	}
	for _, e := range append(slices.Clip(events), *comparison) {
		if err := v.Event(&e); err != nil {
			return err
		}
	}
	return cmp.Or(v.Finish(), specimen.Cut)
}
