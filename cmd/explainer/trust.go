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

// systemRoots is what the story calls the trust store: it is neither the client's nor of the capture's time.
const systemRoots = "the trust store of the machine that tells this, as it is today (not the client's)"

// trust gives x the roots to check certificates against.
func trust(c *cli.Context, x *annotate.Explainer) error {
	if path := c.String(rootsFlag.Name); path != "" {
		r, err := roots.File("the roots in "+path, path)
		if err != nil {
			if errors.As(err, new(*fs.PathError)) {
				return story.FileError(words.Piece("file/roots"), err)
			}
			return fails(err, words.Piece("error/roots", "error", story.WordsOf(err)))
		}
		x.Roots, x.ClientRoots = r, r
		return nil
	}
	r, err := roots.System(systemRoots)
	if err != nil {
		say(c.App.ErrWriter, words.Piece("say/no-trust-store", "error", story.WordsOf(err)))
		return nil
	}
	x.Roots = r
	return nil
}
