package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/score"
	"explainer/annotate/story"
	"explainer/annotate/text"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/proxy"
	"explainer/proxy/grade"

	"github.com/urfave/cli/v2"
)

var gradeCommand = &cli.Command{
	Name:      "grade",
	Usage:     "score an intercepting proxy for what it does to its users' security",
	UsageText: "explainer grade [--proxy URL --ca FILE [--lab DIR]] [--format text|json]",
	Description: `Asks, through a proxy on this machine, for origins on loopback that are bad in one way
each, and looks at what both ends get to see. Without options it is this program's own
proxy, with a CA made for the occasion. The grade is A* to F; below A the exit code is 3.

Another proxy must trust the lab's CA for most lines, as it would a public one: the
CA is in DIR/ca.pem after a first run. It vouches for anything, so make the proxy
forget it afterwards.

Examples:

   explainer grade
   explainer grade --proxy http://127.0.0.1:8080 --ca proxy-ca.pem --lab lab
   explainer grade --format json`,
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "proxy", Usage: "`URL` of the proxy to grade, on this machine", DefaultText: "this program's own"},
		&cli.StringFlag{Name: "ca", Usage: "`FILE` with the CA that the proxy's clients are told to trust (PEM)"},
		&cli.StringFlag{Name: "lab", Usage: "`DIR` that holds the CA of the lab's origins, for the proxy to trust"},
		&cli.StringFlag{Name: "format", Value: "text", Usage: "form of the report: `text|json`"},
		&cli.StringFlag{Name: "color", Value: "auto", Usage: "colours: `auto|always|never`"},
	},
	Action: gradeProxy,
}

func gradeProxy(c *cli.Context) error {
	switch {
	case c.Args().Present():
		return usage(words.Piece("error/no-arguments", "command", "grade"), words.Piece("hint/grade-proxy"))
	case c.String("format") != "text" && c.String("format") != "json":
		return usage(words.Piece("error/format-json", "value", quote(c.String("format"))))
	case c.String("proxy") == "" && (c.String("ca") != "" || c.String("lab") != ""):
		return usage(words.Piece("error/grade-about-proxy"))
	case c.String("proxy") != "" && c.String("ca") == "":
		return usage(words.Piece("error/grade-needs-ca"))
	}
	colors, err := colorOf(c.String("color"), c.App.Writer)
	if err != nil {
		return err
	}
	var report *score.Report
	var hint event.Text
	if c.String("proxy") == "" {
		report, err = gradeOwn(c)
	} else {
		report, hint, err = gradeOther(c)
	}
	if err != nil {
		return err
	}
	if c.String("format") == "json" {
		err = report.JSON(c.App.Writer)
	} else {
		t := text.New(c.App.Writer)
		t.Width, t.Color, t.Lang = columnsOf(c.App.Writer), colors, language()
		err = report.Text(t, time.Now())
	}
	if err != nil {
		return err
	}
	if !hint.Empty() {
		say(c.App.ErrWriter, hinted(hint))
	}
	if report.Grade.Good() {
		return nil
	}
	return childExit(3)
}

// gradeOwn grades a proxy of this program, started for that with a CA as the first use makes it.
func gradeOwn(c *cli.Context) (*score.Report, error) {
	completing.Store(true) // the folder is to be removed
	dir, err := os.MkdirTemp("", "explainer-grade-")
	if err != nil {
		return nil, failed(err, words.Piece("hint/tmpdir"))
	}
	defer os.RemoveAll(dir)
	authority, kept, err := firstUses(dir)
	if err != nil {
		return nil, failed(err)
	}
	labCA, err := ca.NewEphemeral("explainer grade lab")
	if err != nil {
		return nil, failed(err)
	}
	lab, err := grade.NewLab(labCA)
	if err != nil {
		return nil, failed(err)
	}
	defer lab.Close()
	roots, err := lab.Roots()
	if err != nil {
		return nil, failed(err)
	}
	recording, err := openOutput(words.Piece("file/recording"), filepath.Join(dir, "grade.pcapng"), outputRecording, false)
	if err != nil {
		return nil, err
	}
	defer recording.Close()
	recorder, err := proxy.NewRecorder(recording, proxy.RecorderOptions{Version: version()})
	if err != nil {
		return nil, failed(err)
	}
	defer recorder.Close()
	// The own CA among the origins' roots is a mistake that a user may make.
	p := &proxy.Proxy{Authority: authority, Recorder: recorder, OriginCAs: append(roots, authority.Certificate()), Map: lab.Names()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, failed(err)
	}
	go p.Serve(l)
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		p.Shutdown(ctx)
	}()
	target := &grade.Proxy{Addr: l.Addr().String()}
	target.CA = append(target.CA, authority.Certificate())
	evidence, err := runLab(c, lab, target, authority, true)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(recording.Name())
	if err != nil {
		return nil, failed(err)
	}
	kept.RecordingMode = info.Mode()
	evidence.Own = kept
	return grade.Judge(words.Piece("grade/own"), evidence), nil
}

// firstUses makes two CAs as two first uses do, returns the first, and tries
// whether its key is still used when others may read it.
func firstUses(dir string) (*ca.Authority, *grade.Own, error) {
	home := filepath.Join(dir, "home")
	a, err := ca.Load(home)
	if err != nil {
		return nil, nil, err
	}
	other, err := ca.Load(filepath.Join(dir, "other"))
	if err != nil {
		return nil, nil, err
	}
	folder, err := os.Stat(home)
	if err != nil {
		return nil, nil, err
	}
	key, err := os.Stat(filepath.Join(home, ca.KeyFile))
	if err != nil {
		return nil, nil, err
	}
	own := &grade.Own{HasModes: runtime.GOOS != "windows", KeyMode: key.Mode(), FolderMode: folder.Mode(), SecondDiffers: a.SPKIHash() != other.SPKIHash()}
	loose := filepath.Join(dir, "other", ca.KeyFile)
	if err := os.Chmod(loose, 0o644); err != nil {
		return nil, nil, err
	}
	_, err = ca.Load(filepath.Dir(loose))
	own.RefusesLoose = err != nil
	return a, own, nil
}

// gradeOther grades the proxy of --proxy. hint is what would make more lines testable.
func gradeOther(c *cli.Context) (report *score.Report, hint event.Text, err error) {
	u, err := url.Parse(c.String("proxy"))
	if err != nil || u.Scheme != "http" || u.Hostname() == "" || u.Port() == "" {
		return nil, event.Text{}, usage(words.Piece("error/grade-proxy", "value", quote(c.String("proxy"))), words.Piece("hint/as-in", "example", "--proxy http://127.0.0.1:8080"))
	}
	if !isLocal(u.Hostname()) {
		return nil, event.Text{}, usage(words.Piece("error/not-local", "host", u.Hostname()), words.Piece("hint/not-local"))
	}
	labCA, trusted, err := labAuthority(c.String("lab"))
	if err != nil {
		return nil, event.Text{}, failed(err)
	}
	data, err := os.ReadFile(c.String("ca"))
	if err != nil {
		return nil, event.Text{}, story.FileError(event.Plain("CA"), err)
	}
	certs, err := parseCertificates(data)
	if err != nil {
		return nil, event.Text{}, fails(err, words.Piece("error/ca-file", "file", c.String("ca"), "error", story.WordsOf(err)), words.Piece("hint/certificates"))
	}
	lab, err := grade.NewLab(labCA)
	if err != nil {
		return nil, event.Text{}, failed(err)
	}
	defer lab.Close()
	evidence, err := runLab(c, lab, &grade.Proxy{Addr: u.Host, User: u.User, CA: certs}, nil, false)
	if err != nil {
		return nil, event.Text{}, err
	}
	report = grade.Judge(event.Plain(u.Redacted()), evidence)
	if len(report.Untested) > 0 {
		hint = words.Piece("hint/grade-trust", "what", trusted)
	}
	return report, hint, nil
}

// labAuthority opens the lab's CA in dir, or makes it; without dir it is one for the moment.
func labAuthority(dir string) (a *ca.Authority, file event.Text, err error) {
	if dir == "" {
		a, err = ca.NewEphemeral("explainer grade lab")
		return a, words.Piece("grade/lab-ca", "file", ca.CertFile), err
	}
	a, err = ca.Load(dir)
	return a, words.Piece("grade/lab-file", "file", filepath.Join(dir, ca.CertFile)), err
}

// isLocal reports whether a host name or address is this machine's.
func isLocal(host string) bool {
	ips, err := net.LookupIP(host)
	if err != nil {
		return false
	}
	local, _ := net.InterfaceAddrs()
	for _, ip := range ips {
		if ip.IsLoopback() {
			return true
		}
		for _, a := range local {
			if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip) {
				return true
			}
		}
	}
	return false
}

func runLab(c *cli.Context, lab *grade.Lab, p *grade.Proxy, own *ca.Authority, expiredTrusted bool) (*grade.Evidence, error) {
	progress := func(done, all int, id string) {}
	if widthOf(c.App.ErrWriter) > 0 && os.Getenv("TERM") != "dumb" {
		progress = func(done, all int, id string) {
			fmt.Fprint(c.App.ErrWriter, "\r\x1b[K"+progressOf(done+1, all, id))
		}
		defer fmt.Fprint(c.App.ErrWriter, "\r\x1b[K")
	}
	evidence, err := lab.Run(c.Context, p, own, expiredTrusted, progress)
	switch {
	case errors.Is(err, grade.ErrOtherCA):
		return nil, failed(err, words.Piece("hint/grade-other-ca"))
	case errors.Is(err, context.Canceled):
		return nil, fails(err, words.Piece("error/interrupted"))
	case err != nil:
		return nil, failed(err, words.Piece("hint/proxy-running"))
	}
	return evidence, nil
}
