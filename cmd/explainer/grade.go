package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/text"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/capture/printable"
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
	var report *grade.Report
	var what string
	var hint event.Text
	if c.String("proxy") == "" {
		what = "this program's own proxy"
		report, err = gradeOwn(c)
	} else {
		report, what, hint, err = gradeOther(c)
	}
	if err != nil {
		return err
	}
	if c.String("format") == "json" {
		err = gradeJSON(c.App.Writer, what, report)
	} else {
		err = gradeText(c.App.Writer, what, report, colors)
	}
	if err != nil {
		return err
	}
	if !hint.Empty() {
		say(c.App.ErrWriter, hinted(hint))
	}
	if report.Grade == grade.A || report.Grade == grade.AStar {
		return nil
	}
	return childExit(3)
}

// gradeOwn grades a proxy of this program, started for that with a CA as the first use makes it.
func gradeOwn(c *cli.Context) (*grade.Report, error) {
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
	return grade.Judge(evidence), nil
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

// gradeOther grades the proxy of --proxy. what is its URL without a password, hint
// what would make more lines testable.
func gradeOther(c *cli.Context) (report *grade.Report, what string, hint event.Text, err error) {
	u, err := url.Parse(c.String("proxy"))
	if err != nil || u.Scheme != "http" || u.Hostname() == "" || u.Port() == "" {
		return nil, "", event.Text{}, usage(words.Piece("error/grade-proxy", "value", quote(c.String("proxy"))), words.Piece("hint/as-in", "example", "--proxy http://127.0.0.1:8080"))
	}
	if !isLocal(u.Hostname()) {
		return nil, "", event.Text{}, usage(words.Piece("error/not-local", "host", u.Hostname()), words.Piece("hint/not-local"))
	}
	labCA, trusted, err := labAuthority(c.String("lab"))
	if err != nil {
		return nil, "", event.Text{}, failed(err)
	}
	data, err := os.ReadFile(c.String("ca"))
	if err != nil {
		return nil, "", event.Text{}, story.FileError(event.Plain("CA"), err)
	}
	certs, err := parseCertificates(data)
	if err != nil {
		return nil, "", event.Text{}, fails(err, words.Piece("error/ca-file", "file", c.String("ca"), "error", story.WordsOf(err)), words.Piece("hint/certificates"))
	}
	lab, err := grade.NewLab(labCA)
	if err != nil {
		return nil, "", event.Text{}, failed(err)
	}
	defer lab.Close()
	evidence, err := runLab(c, lab, &grade.Proxy{Addr: u.Host, User: u.User, CA: certs}, nil, false)
	if err != nil {
		return nil, "", event.Text{}, err
	}
	report = grade.Judge(evidence)
	if len(report.Untested) > 0 {
		hint = words.Piece("hint/grade-trust", "what", trusted)
	}
	return report, u.Redacted(), hint, nil
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
			fmt.Fprintf(c.App.ErrWriter, "\r\x1b[K%d of %d: %s", done+1, all, id)
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

// A gradeObject is one line of the report as JSON.
type gradeObject struct {
	Kind    string       `json:"kind"` // "line", and at last "grade"
	ID      string       `json:"id,omitempty"`
	Group   string       `json:"group,omitempty"`
	Title   string       `json:"title,omitempty"`
	Outcome string       `json:"outcome,omitempty"` // pass, fail, not-tested
	Grade   string       `json:"grade,omitempty"`   // of a line that failed: the best that is left; at last: the grade
	Reason  string       `json:"reason"`
	Tests   []gradeTest  `json:"tests,omitempty"`
	Proxy   string       `json:"proxy,omitempty"`
	Counts  *gradeCounts `json:"counts,omitempty"`
}

type gradeTest struct {
	ID      string `json:"id"`
	Wrong   string `json:"wrong,omitempty"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
}

type gradeCounts struct {
	Pass      int `json:"pass"`
	Fail      int `json:"fail"`
	NotTested int `json:"not_tested"`
}

func countLines(r *grade.Report) (n gradeCounts) {
	for _, l := range r.Lines {
		switch l.Outcome {
		case grade.Pass:
			n.Pass++
		case grade.Fail:
			n.Fail++
		default:
			n.NotTested++
		}
	}
	return n
}

func gradeJSON(w io.Writer, what string, r *grade.Report) error {
	enc := json.NewEncoder(printable.Writer{W: w})
	enc.SetEscapeHTML(false)
	for _, l := range r.Lines {
		o := gradeObject{Kind: "line", ID: l.ID, Group: l.Group, Title: l.Title, Outcome: string(l.Outcome), Grade: string(l.Grade), Reason: l.Reason}
		for _, t := range l.Tests {
			o.Tests = append(o.Tests, gradeTest{t.ID, t.Wrong, string(t.Outcome), t.Reason})
		}
		if err := enc.Encode(o); err != nil {
			return err
		}
	}
	counts := countLines(r)
	return enc.Encode(gradeObject{Kind: "grade", Grade: string(r.Grade), Reason: r.Why, Proxy: what, Counts: &counts})
}

func gradeText(w io.Writer, what string, r *grade.Report, colors bool) error {
	width := widthOf(w)
	if width <= 0 || width > 100 {
		width = 100
	}
	paint := func(s string, code string) string {
		if !colors {
			return s
		}
		return "\x1b[" + code + "m" + s + "\x1b[0m"
	}
	names := map[grade.Outcome][2]string{grade.Pass: {"pass", "32"}, grade.Fail: {"FAIL", "1;31"}, grade.NotTested: {"not tested", "2"}}
	var b bytes.Buffer
	group := ""
	for _, l := range r.Lines {
		if l.Group != group {
			if group != "" {
				b.WriteByte('\n')
			}
			group = l.Group
			fmt.Fprintf(&b, "%s\n", strings.ToUpper(group[:1])+group[1:])
		}
		title := l.Title
		if l.Grade != "" {
			title += " (" + string(l.Grade) + " at best)"
		}
		n := names[l.Outcome]
		fmt.Fprintf(&b, "  %s  %-3s  %s\n", paint(fmt.Sprintf("%-10s", n[0]), n[1]), l.ID, title)
		for _, line := range text.Wrap(l.Reason, width-19) {
			fmt.Fprintf(&b, "%19s%s\n", "", line)
		}
		for _, t := range l.Tests {
			if t.Outcome != grade.Fail {
				continue
			}
			for i, line := range text.Wrap(t.ID+": "+t.Wrong, width-21) {
				lead := "- "
				if i > 0 {
					lead = "  "
				}
				fmt.Fprintf(&b, "%19s%s%s\n", "", lead, line)
			}
		}
	}
	counts := countLines(r)
	code := "1;31"
	if r.Grade == grade.A || r.Grade == grade.AStar {
		code = "1;32"
	}
	letter := string(r.Grade)
	if r.Grade == grade.None {
		letter = "none"
	}
	fmt.Fprintf(&b, "\n%s  %s\n", paint("Grade "+letter, code), what)
	for _, line := range text.Wrap(r.Why, width-2) {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	fmt.Fprintf(&b, "  %d lines passed, %d failed, %d not tested; %s\n", counts.Pass, counts.Fail, counts.NotTested, time.Now().Format(time.DateOnly))
	_, err := w.Write(b.Bytes())
	return err
}
