package main

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/text"
	"explainer/annotate/words"
	"explainer/ca"

	"github.com/urfave/cli/v2"
)

var homeFlag = &cli.StringFlag{
	Name:    "home",
	EnvVars: []string{"EXPLAINER_HOME"},
	Usage:   "`DIR` that holds the CA (default: explainer in the user's configuration folder; run and browse make one for themselves)",
}

// authority opens the CA in the home folder, or makes it.
func authority(c *cli.Context) (*ca.Authority, error) {
	dir, err := home(c)
	if err != nil {
		return nil, err
	}
	a, err := ca.Load(dir)
	if err != nil {
		return nil, failed(err)
	}
	return a, nil
}

// ownCA reports whether a command makes a CA for itself: run and browse tell their programs
// whom to trust, so that nothing worth stealing need be kept, unless a folder is named.
func ownCA(c *cli.Context) bool {
	return (c.Command.Name == "run" || c.Command.Name == "browse") && !c.IsSet("home")
}

// runAuthority makes a CA for this run alone, and returns the certificate of the one in the home folder too, if there is one.
func runAuthority(c *cli.Context) (own *ca.Authority, stored *x509.Certificate, err error) {
	if own, err = ca.NewEphemeral("explainer CA, for this run alone"); err != nil {
		return nil, nil, failed(err)
	}
	dir, err := home(c)
	if err != nil {
		return own, nil, nil // no folder, no CA in it
	}
	if stored, err = ca.Stored(dir); err != nil {
		say(c.App.ErrWriter, words.Piece("say/stored-unread", "error", story.WordsOf(err)))
	}
	return own, stored, nil
}

func home(c *cli.Context) (string, error) {
	if dir := c.String("home"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fails(err, words.Piece("error/no-home", "error", story.WordsOf(err)), words.Piece("hint/name-home"))
	}
	return filepath.Join(dir, "explainer"), nil
}

var caCommand = &cli.Command{
	Name:      "ca",
	Usage:     "show, export, install, uninstall or renew the certificate authority",
	UsageText: "explainer ca show|export|install|uninstall|renew [--home DIR]",
	Description: `The CA of "explainer proxy" is made on first use. Its key stays in its folder,
readable by you alone: whoever holds it can impersonate any site to every program that
trusts this CA. Run, browse and check make a CA for themselves that is gone with them,
unless --home or EXPLAINER_HOME names a folder.

Examples:

   explainer ca show
   explainer ca export --out explainer-ca.pem
   explainer ca export --as p12 --out explainer-ca.p12
   explainer ca install --browser --dry-run
   explainer ca uninstall`,
	Action: func(c *cli.Context) error {
		if c.Args().Present() {
			return noCommand("explainer ca", c.Args().First(), c.Command.Subcommands)
		}
		return usage(words.Piece("error/ca-needs-command"), words.Piece("hint/see", "command", "explainer ca --help"))
	},
	Subcommands: []*cli.Command{
		{
			Name:        "show",
			Usage:       "what the CA is, where it lies, and its fingerprint",
			UsageText:   "explainer ca show [--home DIR]",
			Description: "Example:\n\n   explainer ca show",
			Flags:       []cli.Flag{homeFlag},
			Action:      caShow,
		},
		{
			Name:        "export",
			Usage:       "write the CA's certificate (never its key)",
			UsageText:   "explainer ca export [--as pem|der|p12] [--out FILE] [--home DIR]",
			Description: "Example:\n\n   explainer ca export --out explainer-ca.pem",
			Flags: []cli.Flag{
				homeFlag,
				&cli.StringFlag{Name: "as", Value: "pem", Usage: "form of the file: `pem|der|p12`, p12 is a Java trust store, its password is changeit"},
				&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE` to write (default: standard output)"},
			},
			Action: caExport,
		},
		caInstallCommand, caUninstallCommand, caRenewCommand,
	},
}

func caShow(c *cli.Context) error {
	if c.Args().Present() {
		return usage(words.Piece("error/no-arguments", "command", "ca show"), words.Piece("hint/see", "command", "explainer ca show --help"))
	}
	a, err := authority(c)
	if err != nil {
		return err
	}
	dir, err := home(c)
	if err != nil {
		return err
	}
	cert := a.Certificate()
	sum := a.Fingerprint()
	var out strings.Builder
	for _, row := range [][2]event.Text{
		{words.Piece("ca/name"), event.Plain(cert.Subject.CommonName)},
		{words.Piece("ca/from"), event.Plain(cert.NotBefore.Format("2006-01-02"))},
		{words.Piece("ca/until"), event.Plain(cert.NotAfter.Format("2006-01-02"))},
		{words.Piece("ca/key"), words.Piece("ca/key-in", "key", keyName(cert), "file", filepath.Join(dir, ca.KeyFile))},
		{event.Plain("SHA-256"), event.Plain(colons(sum[:]))},
		{words.Piece("ca/certificate"), event.Plain(filepath.Join(dir, ca.CertFile))},
	} {
		fmt.Fprintf(&out, "%s  %s\n", text.Pad(language().In(row[0]), 11), language().In(row[1]))
	}
	_, err = io.WriteString(c.App.Writer, out.String())
	return err
}

func keyName(cert *x509.Certificate) string {
	if cert.PublicKeyAlgorithm == x509.ECDSA {
		return "ECDSA P-256"
	}
	return cert.PublicKeyAlgorithm.String()
}

// colons is how browsers show a fingerprint: AB:CD:...
func colons(b []byte) string {
	h := strings.ToUpper(hex.EncodeToString(b))
	var parts []string
	for i := 0; i < len(h); i += 2 {
		parts = append(parts, h[i:i+2])
	}
	return strings.Join(parts, ":")
}

// trustStorePassword is Java's own default; a trust store holds no secret.
const trustStorePassword = "changeit"

func caExport(c *cli.Context) error {
	if c.Args().Present() {
		return usage(words.Piece("error/no-arguments", "command", "ca export"), words.Piece("hint/out"))
	}
	a, err := authority(c)
	if err != nil {
		return err
	}
	var data []byte
	switch as := c.String("as"); as {
	case "pem":
		data = a.PEM()
	case "der":
		data = a.Certificate().Raw
	case "p12":
		if data, err = a.PKCS12(trustStorePassword); err != nil {
			return failed(err)
		}
	default:
		return usage(words.Piece("error/export-as", "value", quote(as)))
	}
	out := c.String("out")
	if out == "" {
		if as := c.String("as"); as != "pem" && widthOf(c.App.Writer) > 0 {
			return usage(words.Piece("error/not-for-terminal", "value", as), words.Piece("hint/name-out"))
		}
		_, err := c.App.Writer.Write(data)
		return err
	}
	if err := os.WriteFile(out, data, 0o644); err != nil {
		return failed(err)
	}
	say(c.App.ErrWriter, words.Piece("say/exported", "file", out))
	return nil
}
