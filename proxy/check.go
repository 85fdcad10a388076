package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"

	"explainer/ca"
	"explainer/capture"
)

const (
	// settleTime is how long the connections of a command that has ended may take
	// to end too: its kernel has closed them.
	settleTime = time.Second
	// saidMax is how much of what a command said on standard error is recorded, in bytes.
	saidMax = 200
)

// A Checker runs a command against one case after the other, several side by
// side, and records what it ran. Its fields must not be changed after the first Run.
type Checker struct {
	Proxy     *Proxy        // its Cases are the checker's, from NewChecker on
	Authority *ca.Authority // signs what the command is shown
	Trusted   *ca.Authority // what the command is told to trust
	Command   []string      // with {url}, {host}, {port}, {proxy}, {ca} and {addr}
	Host      string        // name that the cases are about; "" for whatever the command asks for
	Timeout   time.Duration // for one run
	Dir       string        // for the files of the runs; the caller removes it

	mu   sync.Mutex
	runs map[netip.AddrPort]*shown // by where the proxy listens for the run
}

// shown is what one run is shown: one certificate for each host, however many connections it makes.
type shown struct {
	Case
	leaves map[string]*tls.Certificate
}

// A Run is one run of the command.
type Run struct {
	ID      string // of this run alone
	Fault   string
	Version uint16 // the only version offered
	Try     int    // from 1
	Again   bool   // once more, with twice the time, for it never connected
}

// NewChecker lets c answer for the cases of its proxy.
func NewChecker(c *Checker) *Checker {
	c.runs = map[netip.AddrPort]*shown{}
	c.Proxy.Cases = c.cases
	return c
}

// cases knows a run by where its client was told to connect to.
func (c *Checker) cases(a Asking) (Case, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	run, ok := c.runs[a.Local]
	if !ok {
		return Case{}, false
	}
	show := run.Case
	switch {
	case show.Host == "": // whatever was asked for
		show.Host = a.Host
		if show.Host == "" {
			show.Host = a.SNI
		}
	case a.Host != "" && a.Host != show.Host:
		return Case{}, false // not what is tested
	}
	if show.Host == "" {
		return Case{}, false
	}
	// A client that looks first and connects then is to find what it saw.
	if show.Leaf = run.leaves[show.Host]; show.Leaf == nil {
		if leaf, err := show.Authority.Faulty(show.Host, show.Fault); err == nil {
			show.Leaf, run.leaves[show.Host] = leaf, leaf
		}
	}
	return show, true
}

// stdin is what a command reads from standard input: something to send, for
// programs that connect and send what they are given.
const stdin = "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"

// Run runs the command once and returns when it and its connections have ended.
// What came of it is in the recording. An error is about this side alone.
func (c *Checker) Run(ctx context.Context, r Run) error {
	fault := ca.FaultOf(r.Fault)
	if fault == nil {
		return fmt.Errorf("there is no fault %q", r.Fault)
	}
	through, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer through.Close()
	direct, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer direct.Close()
	addr := direct.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	host := c.Host
	url := "https://" + host + "/"
	if fault.ByAddress {
		host, url = "127.0.0.1", "https://"+addr+"/"
	}
	show := &shown{Case{Fault: r.Fault, Host: host, Version: r.Version, Authority: c.Authority, Run: r.ID}, map[string]*tls.Certificate{}}
	if c.Host == "" {
		show.Host = ""
	}
	listen := []netip.AddrPort{addrPort(through.Addr()), addrPort(direct.Addr())}
	c.mu.Lock()
	for _, at := range listen {
		c.runs[at] = show
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, at := range listen {
			delete(c.runs, at)
		}
	}()

	dir, err := os.MkdirTemp(c.Dir, "run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var also []*x509.Certificate
	if fault.Trust && c.Trusted == c.Authority {
		twin, err := c.Authority.ExpiredTwin()
		if err != nil {
			return err
		}
		also = append(also, twin)
	}
	child, err := NewChild(dir, c.Trusted, "http://"+through.Addr().String(), os.Environ(), also...)
	if err != nil {
		return err
	}
	fill := strings.NewReplacer("{url}", url, "{host}", host, "{port}", port, "{addr}", addr, "{proxy}", child.Proxy, "{ca}", child.CA)
	argv := make([]string, len(c.Command))
	for i, a := range c.Command {
		argv[i] = fill.Replace(a)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	setGroup(cmd)
	cmd.Env = child.Env
	cmd.WaitDelay = settleTime
	var said saidLine
	cmd.Stdin, cmd.Stderr = strings.NewReader(fmt.Sprintf(stdin, host)), &said

	record := &capture.CheckRun{TLS: tls.VersionName(r.Version), Try: r.Try, Again: r.Again, Listen: []string{listen[0].String(), listen[1].String()}}
	c.Proxy.Recorder.Fact(capture.NewRunFact(capture.RunBegin, r.ID, r.Fault, record))
	go c.Proxy.Serve(through) // ends with an error when the listener is closed
	go c.Proxy.ServeCases(direct)
	began := time.Now()
	c.wait(ctx, cmd, r, record)
	through.Close()
	direct.Close()
	c.Proxy.settle(listen)
	record.Millis = time.Since(began).Milliseconds()
	record.Said = said.String()
	c.Proxy.Recorder.Fact(capture.NewRunFact(capture.RunEnd, r.ID, r.Fault, record))
	return nil
}

// wait starts the command and waits until it has ended, or its time is over.
func (c *Checker) wait(ctx context.Context, cmd *exec.Cmd, r Run, record *capture.CheckRun) {
	if err := cmd.Start(); err != nil {
		record.Error = err.Error()
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	limit := c.Timeout
	if r.Again {
		limit *= 2
	}
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	var err error
	kill := func() {
		c.Proxy.Recorder.Fact(capture.NewRunFact(capture.RunKilled, r.ID, r.Fault, nil))
		killChild(cmd)
		err = <-ended
	}
	select {
	case err = <-ended:
		endGroup(cmd)
	case <-timeout.C:
		record.Killed = true
		kill()
	case <-ctx.Done():
		record.Error = capture.CheckEnded
		kill()
		return
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		record.Exit = ExitCode(exit)
	} else if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		record.Error = err.Error()
	}
}

// settle waits until the connections to these addresses have ended, and ends
// those that do not.
func (p *Proxy) settle(listen []netip.AddrPort) {
	open := func() (all []*leg) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for l := range p.legs {
			if at := l.stream.server; at == listen[0] || at == listen[1] {
				all = append(all, l)
			}
		}
		return all
	}
	for deadline := time.Now().Add(settleTime); len(open()) > 0; {
		if time.Now().After(deadline) {
			for _, l := range open() {
				l.endedBy("proxy-shutdown", "")
				l.hangUp()
			}
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// saidLine keeps the line that says best why a command stopped: the first that
// is not indented and speaks of an error, else the first that speaks of TLS, else
// the last that has something in it. Of each it keeps the beginning.
type saidLine struct {
	line, last, about, why []byte
}

// What programs write when they refuse a certificate, before what they advise;
// some tell before that how far they came.
var (
	whyWords   = regexp.MustCompile(`(?i)error|fail|problem|alert|not trusted|curl: \(`)
	aboutWords = regexp.MustCompile(`(?i)certificate|handshake|verif|ssl|tls`)
)

func (l *saidLine) Write(p []byte) (int, error) {
	for _, b := range p {
		switch {
		case b == '\n' || b == '\r':
			l.end()
		case len(l.line) < saidMax:
			l.line = append(l.line, b)
		}
	}
	return len(p), nil
}

// end takes the line in hand.
func (l *saidLine) end() {
	if text := bytes.TrimSpace(l.line); len(text) > 0 {
		l.last = bytes.Clone(text)
		begins := l.line[0] == text[0]
		if l.why == nil && begins && whyWords.Match(text) {
			l.why = l.last
		}
		if l.about == nil && begins && aboutWords.Match(text) {
			l.about = l.last
		}
	}
	l.line = l.line[:0]
}

func (l *saidLine) String() string {
	l.end()
	best := l.last
	switch {
	case l.why != nil:
		best = l.why
	case l.about != nil:
		best = l.about
	}
	return strings.ToValidUTF8(string(best), "?")
}

// Places are what a command may have in its arguments, to be filled in.
var Places = []string{"{url}", "{host}", "{port}", "{proxy}", "{ca}", "{addr}"}

// Placed reports whether a command says where the host under test is to stand.
// Without that, the command's own URL is what is intercepted.
func Placed(command []string) bool {
	for _, a := range command {
		for _, p := range []string{"{url}", "{host}", "{addr}", "{port}"} {
			if strings.Contains(a, p) {
				return true
			}
		}
	}
	return false
}
