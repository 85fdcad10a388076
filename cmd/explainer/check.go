package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/check"
	"explainer/annotate/story"
	"explainer/annotate/text"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/capture"
	"explainer/capture/pcap"
	"explainer/proxy"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// checkedHost is the name that cases are about. RFC 6761 reserves its ending: nobody has it.
const checkedHost = "www.bank.test"

var checkCommand = &cli.Command{
	Name:      "check",
	Usage:     "show a client one bad certificate after the other, and tell which it accepts",
	UsageText: "explainer check [OPTION...] -- COMMAND [ARG...]\nexplainer check [OPTION...] --host GLOB\nexplainer check --from FILE",
	Description: `Runs the command once for each case and TLS version: first controls, with which nothing
is wrong, then certificates and handshakes with one fault each. What it did with each
is read from the recorded bytes: a client that sends data has accepted, whatever it
says of itself. The command gets every proxy and CA variable, as with "explainer run",
for a CA made for this check alone. In its arguments these are filled in:

   {url} {host}   what is tested: https://` + checkedHost + `/
   {proxy}        host:port of the proxy, for programs that read no variable
   {addr} {port}  host:port where TLS begins at once, for programs that know no proxy
   {ca}           the CA's file, PEM

Without {url}, {host}, {addr} or {port} the command's own URL is intercepted. Its
standard input is an HTTP request, for programs that send what they are given.

With --host nothing is run: point an app at the proxy; each new connection to a
matching host is shown the next case, and then all pass untouched. Ctrl-C ends it and
tells what was seen. The app must trust the CA of "explainer ca", or take --trust none.

Grades: F, D or C for the worst that leaked (critical, high, medium), A for nothing,
"-" where even what is right was refused, or a critical or high case could have run
and did not. Exit code 3 with D and F, 1 with "-". What the client's own hello rules
out lowers nothing; what is by itself no attack is a remark.

Examples:

   explainer check -- curl -sS {url}
   explainer check -- openssl s_client -quiet -CAfile {ca} -servername {host} -connect {addr}
   explainer check --severity critical,high --format junit -- ./my-client > report.xml
   explainer check -w check.pcapng -- python3 client.py
   explainer check --from check.pcapng
   explainer check --host 'api.*.example' -p 8080`,
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "host", Usage: "run nothing: show cases to an app's connections to hosts that match `GLOB`"},
		&cli.StringFlag{Name: "from", Usage: "judge the recording of an earlier check again: `FILE`"},
		&cli.StringFlag{Name: "only", Usage: "these cases alone: `ID,...`; the controls that they need come with them"},
		&cli.StringFlag{Name: "severity", Usage: "cases of these severities alone: `LEVEL,...` of critical, high, medium, low"},
		&cli.StringFlag{Name: "trust", Value: "root", Usage: "`root|none`: none gives the client another CA, to see whether it checks anything at all"},
		&cli.StringFlag{Name: "tls", Value: "both", Usage: "`1.2|1.3|both`"},
		&cli.IntFlag{Name: "tries", Value: 1, Usage: "run each case `N` times; the worst counts"},
		&cli.DurationFlag{Name: "timeout", Value: 10 * time.Second, Usage: "kill a run, with all that it started, after `TIME`"},
		&cli.IntFlag{Name: "allow-untested", Usage: "give a grade although `N` critical or high trials could have run and did not"},
		&cli.BoolFlag{Name: "all", Usage: "tell every case, not only what leaked", DisableDefaultText: true},
		&cli.IntFlag{Name: "jobs", Usage: "run `N` side by side", DefaultText: "one for each processor, at least two"},
		&cli.StringFlag{Name: "write", Aliases: []string{"w"}, Usage: "keep the recording in `FILE` (pcapng, with the keys inside)"},
		forceFlag,
		&cli.StringFlag{Name: "format", Value: "text", Usage: "form of the report: `text|json|junit`"},
		htmlFlag,
		&cli.BoolFlag{Name: "show-secrets", Usage: "do not mask what the client gave away", DisableDefaultText: true},
		&cli.StringFlag{Name: "color", Value: "auto", Usage: "use colours: `auto|always|never`"},
		&cli.IntFlag{Name: "listen-port", Aliases: []string{"p"}, Value: 8080, Usage: "with --host: `PORT` to listen on; 0 picks a free one"},
		&cli.StringFlag{Name: "listen-host", Value: "127.0.0.1", Usage: "with --host: `ADDRESS` to listen on"},
		allowFlag,
		homeFlag,
	},
	Action: checkClient,
}

func checkClient(c *cli.Context) error {
	command := c.Args().Slice()
	ways := 0
	for _, is := range []bool{len(command) > 0, c.IsSet("host"), c.IsSet("from")} {
		if is {
			ways++
		}
	}
	if ways != 1 {
		return usage(words.Piece("error/check-needs"), words.Piece("hint/as-in-command", "example", "explainer check -- curl -sS {url}"))
	}
	if _, err := colorOf(c.String("color"), c.App.Writer); err != nil {
		return err
	}
	switch f := c.String("format"); f {
	case "text", "json", "junit":
	default:
		return usage(words.Piece("error/format-check", "value", quote(f)))
	}
	html, err := openHTML(c)
	if err != nil {
		return err
	}
	if html != nil {
		defer html.Close()
	}
	if name := c.String("from"); name != "" {
		return checkAgain(c, name, html)
	}
	plan, err := newPlan(c, command)
	if err != nil {
		return err
	}
	if plan.Mode == "run" {
		if _, err := exec.LookPath(command[0]); err != nil {
			return fails(err, words.Piece("error/no-such-command", "command", command[0]))
		}
	}
	k, err := newChecking(c, plan)
	if err != nil {
		return err
	}
	if plan.Mode == "host" {
		err = k.wait(c)
	} else {
		err = k.runs(c)
	}
	report, e := k.stop()
	if err == nil {
		err = e
	}
	if report == nil || err != nil {
		return err
	}
	return tellCheck(c, report, html)
}

// newPlan is what the flags ask for.
func newPlan(c *cli.Context, command []string) (*capture.CheckPlan, error) {
	p := &capture.CheckPlan{Mode: "run", Command: command, Own: !proxy.Placed(command), Host: checkedHost, Trust: c.String("trust"), Tries: c.Int("tries")}
	if p.Own {
		p.Host = ""
	}
	if glob := c.String("host"); c.IsSet("host") {
		if _, err := path.Match(glob, ""); err != nil || glob == "" {
			return nil, usage(words.Piece("error/no-pattern", "option", "--host", "value", quote(glob)), words.Piece("hint/star"))
		}
		p.Mode, p.Host, p.Own, p.Command = "host", strings.ToLower(glob), false, nil
	}
	if p.Trust != "root" && p.Trust != "none" {
		return nil, usage(words.Piece("error/trust", "value", quote(p.Trust)))
	}
	if p.Tries < 1 || p.Tries > 100 {
		return nil, usage(words.Piece("error/tries", "n", strconv.Itoa(p.Tries)))
	}
	if c.Duration("timeout") <= 0 {
		return nil, usage(words.Piece("error/timeout"), words.Piece("hint/as-in", "example", "--timeout 10s"))
	}
	switch v := c.String("tls"); v {
	case "1.2":
		p.TLS = []string{"TLS 1.2"}
	case "1.3":
		p.TLS = []string{"TLS 1.3"}
	case "both":
		p.TLS = []string{"TLS 1.2", "TLS 1.3"}
	default:
		return nil, usage(words.Piece("error/tls", "value", quote(v)))
	}
	var err error
	p.Cases, err = casesOf(c, p)
	return p, err
}

// casesOf are the cases that the flags choose, with the controls that they need, in the table's order.
func casesOf(c *cli.Context, p *capture.CheckPlan) ([]string, error) {
	only := listed(c.String("only"))
	for _, id := range only {
		f := ca.FaultOf(id)
		if f == nil {
			hint := words.Piece("hint/all-cases")
			if near := nearest(id, faultIDs()); len(near) > 0 {
				hint = words.Piece("hint/perhaps", "cases", words.List(",", words.Names(near)...))
			}
			return nil, usage(words.Piece("error/no-case", "value", quote(id)), hint)
		}
		if f.Trust && !check.Suits(p, f) {
			return nil, usage(words.Piece("error/case-needs-two", "case", id), words.Piece("hint/case-needs-two"))
		}
	}
	var levels []ca.Severity
	for _, s := range listed(c.String("severity")) {
		switch v := ca.Severity(s); v {
		case ca.Critical, ca.High, ca.Medium, ca.Low, ca.Control:
			levels = append(levels, v)
		default:
			return nil, usage(words.Piece("error/severity", "value", quote(s)))
		}
	}
	return check.Choose(p, only, levels), nil
}

// listed are the items of a list with commas or spaces.
func listed(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// faultIDs are the IDs of all cases.
func faultIDs() (ids []string) {
	for _, f := range ca.Faults {
		ids = append(ids, f.ID)
	}
	return ids
}

// A checking is a check that is under way.
type checking struct {
	plan      *capture.CheckPlan
	proxy     *proxy.Proxy
	recorder  *proxy.Recorder
	recording *os.File // of -w, or nil
	dir       string
	signs     *ca.Authority
	judge     *check.Judge
	ended     chan proxy.Ended
	judged    chan error
	errw      io.Writer
}

func newChecking(c *cli.Context, plan *capture.CheckPlan) (*checking, error) {
	k := &checking{plan: plan, judge: newJudge(c), ended: make(chan proxy.Ended, 1<<10), judged: make(chan error, 1), errw: c.App.ErrWriter}
	var err error
	if plan.Mode == "host" && plan.Trust == "root" {
		k.signs, err = authority(c)
	} else {
		k.signs, err = ca.NewEphemeral("explainer check, for this run alone")
	}
	if err != nil {
		return nil, failed(err)
	}
	if k.recording, err = openRecording(c); err != nil {
		return nil, err
	}
	k.recorder, err = proxy.NewRecorder(k.recording, proxy.RecorderOptions{Version: version(), Spool: math.MaxInt64, OnError: func(err error) {
		say(k.errw, words.Piece("say/recording-ends", "error", story.WordsOf(err)))
	}})
	if err != nil {
		k.discard()
		return nil, failed(err)
	}
	if k.dir, err = os.MkdirTemp("", "explainer-check-"); err != nil {
		k.discard()
		return nil, failed(err)
	}
	// What is no case is none of our business.
	k.proxy = &proxy.Proxy{Authority: k.signs, Recorder: k.recorder, Language: language(), PassThrough: []string{"*"}}
	k.recorder.Fact(capture.NewRunFact(capture.RunPlan, "", "", plan))
	tuneMemory(gcPercentLive)
	k.judge.Ended = func(run, fault, tls string, t check.Trial) {
		k.ended <- proxy.Ended{Run: run, Fault: fault, TLS: tls, Came: t.Came(), Accepted: t.Verdict == check.Accepted, Short: t.Short()}
	}
	go func() {
		f := k.recorder.Follow()
		defer f.Close()
		err := k.judge.Read(f)
		close(k.ended)
		k.judged <- err
	}()
	return k, nil
}

func newJudge(c *cli.Context) *check.Judge {
	return &check.Judge{ShowSecrets: c.Bool("show-secrets"), AllowUntested: c.Int("allow-untested")}
}

// runs runs the command for every case.
func (k *checking) runs(c *cli.Context) error {
	trusted := k.signs
	if k.plan.Trust == "none" {
		var err error
		if trusted, err = ca.NewEphemeral("explainer check, another CA"); err != nil {
			return failed(err)
		}
	}
	checker := proxy.NewChecker(&proxy.Checker{
		Proxy: k.proxy, Authority: k.signs, Trusted: trusted, Command: k.plan.Command, Host: k.plan.Host, Timeout: c.Duration("timeout"), Dir: k.dir,
	})
	jobs := c.Int("jobs")
	if jobs < 1 {
		jobs = max(2, runtime.NumCPU())
	}
	p := newRunProgress(k.errw)
	err := checker.All(c.Context, k.plan, jobs, k.ended, p.done)
	p.clear()
	if c.Context.Err() != nil {
		say(k.errw, words.Piece("say/check-ended"))
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

// stop ends the proxy and returns what it came to.
func (k *checking) stop() (*check.Report, error) {
	defer k.discard()
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	k.proxy.Shutdown(ctx)
	err := k.recorder.Close() // told when it happened
	if err != nil {
		err = childExit(1)
	}
	go func() {
		for range k.ended {
		}
	}()
	if e := <-k.judged; err == nil && e != nil {
		err = failed(e)
	}
	if err != nil {
		return nil, err
	}
	if k.recording != nil {
		say(k.errw, words.Piece("say/check-recording", "file", k.recording.Name()))
	}
	k.judge.Ended = nil
	return k.judge.Report(), nil
}

func (k *checking) discard() {
	if k.dir != "" {
		os.RemoveAll(k.dir)
	}
	if k.recording != nil {
		k.recording.Close()
	}
}

// wait shows the cases to an app's own connections.
func (k *checking) wait(c *cli.Context) error {
	l, err := listen(c)
	if err != nil {
		return err
	}
	defer l.Close()
	if k.proxy.Access, err = access(c, l); err != nil {
		return err
	}
	apps := proxy.NewApps(k.proxy, k.plan, k.signs)
	done := make(chan error, 1)
	go func() { done <- k.proxy.Serve(l) }()
	where := "http://" + reachable(l)
	if k.plan.Trust == "root" {
		dir, err := home(c)
		if err != nil {
			return err
		}
		say(k.errw, words.Piece("say/waiting-trust", "url", where, "host", k.plan.Host, "file", dir+string(os.PathSeparator)+ca.CertFile))
	} else {
		say(k.errw, words.Piece("say/waiting", "url", where, "host", k.plan.Host))
	}
	say(k.errw, words.Piece("say/cases-to-show", "count", words.Count(apps.Cases(), "case")))
	p := newRunProgress(k.errw)
	defer p.clear()
	// Whoever has met all cases passes untouched from then on; others may still come.
	for n := 1; ; n++ {
		select {
		case <-c.Context.Done():
			return nil
		case err := <-done:
			return failed(err)
		case e, ok := <-k.ended:
			if !ok {
				return nil
			}
			client, host, all, total := apps.Ended(e.Run)
			p.done(n, total, e.Fault)
			if all {
				p.clear()
				say(k.errw, words.Piece("say/met-all", "client", client, "host", host))
			}
		}
	}
}

// checkAgain judges a recording.
func checkAgain(c *cli.Context, name string, html *os.File) error {
	s, err := story.Open(name)
	if err != nil {
		return err
	}
	defer s.Close()
	j := newJudge(c)
	err = j.Read(s)
	if err != nil && !errors.As(err, new(*pcap.CutError)) {
		return fails(err, words.Piece("error/of", "of", s.Name, "error", story.WordsOf(err)), words.Piece("hint/check-recording"))
	}
	r := j.Report()
	if r == nil {
		return fails(nil, words.Piece("error/no-check-recording", "file", s.Name), words.Piece("hint/check-keeps"))
	}
	if err != nil {
		say(c.App.ErrWriter, words.Piece("say/judged-before", "file", s.Name, "error", story.WordsOf(err)))
	}
	return tellCheck(c, r, html)
}

// tellCheck writes the report, and returns the exit code that its grade asks for.
func tellCheck(c *cli.Context, r *check.Report, html *os.File) error {
	if html != nil { // first: whoever reads the rest may stop
		if err := cmp.Or(r.HTML(html, language()), html.Close()); err != nil {
			return story.WriteError(words.Piece("file/page"), err)
		}
	}
	var err error
	w := c.App.Writer
	switch c.String("format") {
	case "json":
		err = r.JSON(w)
	case "junit":
		err = r.JUnit(w)
	default:
		t := text.New(w)
		t.Width, t.Lang = columnsOf(w), language()
		if t.Color, err = colorOf(c.String("color"), w); err == nil {
			err = r.Text(t, c.Bool("all"))
		}
	}
	if err != nil {
		return err
	}
	switch r.Grade {
	case "D", "F":
		return childExit(3)
	case "-":
		if !slices.ContainsFunc(r.Cases, func(c check.Case) bool { return c.Severity != ca.Control }) {
			return nil // nothing else was asked for
		}
		return fails(nil, words.Whole(r.Says[0]))
	}
	return nil
}

// A runProgress tells on a terminal how many runs have ended.
type runProgress struct {
	w    io.Writer // nil: it is no terminal
	told bool
}

func newRunProgress(w io.Writer) *runProgress {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		return &runProgress{w: w}
	}
	return &runProgress{}
}

func (p *runProgress) done(n, total int, what string) {
	if p.w != nil {
		p.told = true
		fmt.Fprintf(p.w, "\r%s\x1b[K", progressOf(n, total, what))
	}
}

func (p *runProgress) clear() {
	if p.told {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
