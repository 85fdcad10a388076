package main

import (
	"crypto/x509"
	"errors"
	"io/fs"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/ca"
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

// authorityWords says what the CA of a proxy is, and whether this system trusts it.
func authorityWords(a *ca.Authority) []event.Text {
	cert, sum := a.Certificate(), a.Fingerprint()
	trusts := words.Piece("ca/not-in-store", "url", "http://explainer.test/", "command", "explainer browse")
	if pool, err := x509.SystemCertPool(); err == nil {
		if _, err := cert.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
			trusts = words.Piece("ca/in-store", "url", "http://explainer.test/")
		}
	}
	return []event.Text{words.Piece("ca/is", "name", cert.Subject.CommonName, "until", cert.NotAfter.Format("2006-01-02"), "sum", colons(sum[:])), trusts}
}
