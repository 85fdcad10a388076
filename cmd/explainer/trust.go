package main

import (
	"errors"
	"io/fs"

	"explainer/annotate"
	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/ca/roots"

	"github.com/urfave/cli/v2"
)

// rootsFlag replaces the machine's trust store.
var rootsFlag = &cli.StringFlag{Name: "roots", Usage: "check certificates against the roots in `FILE` (PEM) in place of this machine's trust store"}

// trust gives x the roots to check certificates against.
func trust(c *cli.Context, x *annotate.Explainer) error {
	if path := c.String(rootsFlag.Name); path != "" {
		name := words.Piece("roots-name/file", "file", path)
		r, err := roots.File(name.English, path)
		if err != nil {
			if errors.As(err, new(*fs.PathError)) {
				return story.FileError(words.Piece("file/roots"), err)
			}
			return fails(err, words.Piece("error/roots", "error", story.WordsOf(err)))
		}
		x.Roots, x.ClientRoots, x.RootsName = r, r, name
		return nil
	}
	// It is neither the client's nor of the capture's time.
	name := words.Piece("roots-name/system")
	r, err := roots.System(name.English)
	if err != nil {
		say(c.App.ErrWriter, words.Piece("say/no-trust-store", "error", story.WordsOf(err)))
		return nil
	}
	x.Roots, x.RootsName = r, name
	return nil
}
