package main

import (
	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
)

// eavesdropper is somebody on the path who has no key and knows nothing of the proxy.
const eavesdropper = "eavesdropper"

// asFlag chooses whose view of a capture is told.
var asFlag = &cli.StringFlag{Name: "as", Usage: "tell what an `eavesdropper` sees: without the keys and the proxy's notes, and for each step what stays hidden and why"}

// asWhom checks the flag.
func asWhom(c *cli.Context) error {
	if as := c.String(asFlag.Name); as != "" && as != eavesdropper {
		return usage(words.Piece("error/as-is", "value", quote(as)))
	}
	if c.String(asFlag.Name) == eavesdropper && len(c.StringSlice("keylog"))+len(c.StringSlice("key")) > 0 {
		say(c.App.ErrWriter, words.Piece("say/eavesdropper-no-keys"))
	}
	return nil
}
