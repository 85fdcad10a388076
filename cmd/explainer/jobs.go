package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"explainer/annotate/rows"
	"explainer/annotate/story"
	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// jobFlags read the files of an archive apart, each in a process of its own.
var jobFlags = []cli.Flag{
	&cli.IntFlag{Name: "jobs", Usage: "with --rows: read each file apart, in a process of its own, `N` side by side", DefaultText: "the files are read as one capture"},
	&cli.StringFlag{Name: "resume", Usage: "with --jobs: keep the rows of finished files in `DIR`, and do not read these again"},
	&cli.BoolFlag{Name: jobFlag, Hidden: true}, // it is such a process
}

const jobFlag = "job"

// A jobs reads files apart, and writes their rows in the order of the files.
type jobs struct {
	c      *cli.Context
	table  string
	format string
	args   []string // of each process, but for the file
	dir    string   // for the rows of each file
	keep   bool     // it is the user's, and keeps them
	files  []string
	bar    io.Writer // nil: it is no terminal

	mu      sync.Mutex
	count   int                  // of finished files
	running map[*os.Process]bool // processes
}

// A job is what became of a file.
type job struct {
	rows   string // the file with its rows
	why    string // it failed
	stderr []byte
	err    error // of ours: nothing more can be done
}

// readJobs is read with --jobs or --resume.
func readJobs(c *cli.Context, files []string) error {
	if !c.IsSet(rowsFlag.Name) {
		return usage(words.Piece("error/jobs-rows"), words.Piece("hint/jobs-rows"))
	}
	n := c.Int("jobs")
	if c.IsSet("jobs") && n < 1 {
		return usage(words.Piece("error/jobs", "value", strconv.Itoa(n)))
	}
	for _, name := range []string{"web", "html", "write", "flip", "story"} {
		if c.IsSet(name) {
			return usage(words.Piece("error/jobs-with", "option", name), words.Piece("hint/leave-out"))
		}
	}
	if slices.Contains(files, "-") {
		return usage(words.Piece("error/jobs-stdin"))
	}
	o, err := viewOptions(c, c.App.Writer, false)
	if err != nil {
		return err
	}
	j := &jobs{c: c, table: o.Rows, format: o.Format, args: jobArgs(c, o), files: files, dir: c.String("resume"), keep: c.IsSet("resume"), running: map[*os.Process]bool{}}
	if j.keep {
		err = os.MkdirAll(j.dir, 0o700)
	} else {
		j.dir, err = os.MkdirTemp("", "explainer-rows-")
	}
	if err != nil {
		return failed(err)
	}
	if f, ok := c.App.ErrWriter.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" && widthOf(c.App.Writer) == 0 {
		j.bar = f
	}
	ctx, cancel := context.WithCancel(c.Context)
	clean := func() {
		cancel()
		j.stop()
		j.clear()
		if !j.keep {
			os.RemoveAll(j.dir)
		}
	}
	defer clean()
	defer beforeLeaving(clean)()
	return j.run(ctx, max(n, 1))
}

// jobArgs are the arguments of a process that reads one file.
func jobArgs(c *cli.Context, o story.ViewOptions) []string {
	args := []string{"read", "--" + jobFlag, "--lang", "en", "--" + rowsFlag.Name + "=" + o.Rows, "--format", o.Format}
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if !c.IsSet(name) || slices.Contains([]string{rowsFlag.Name, "format", "jobs", "resume", jobFlag, "lang"}, name) {
			continue
		}
		switch v := c.Value(name).(type) {
		case cli.StringSlice:
			for _, s := range v.Value() {
				args = append(args, "--"+name+"="+s)
			}
		default:
			args = append(args, "--"+name+"="+fmt.Sprint(v))
		}
	}
	return append(args, "--")
}

// run reads all files.
func (j *jobs) run(ctx context.Context, n int) error {
	own, err := os.Executable()
	if err != nil {
		return failed(err)
	}
	done := make([]chan job, len(j.files))
	for i := range done {
		done[i] = make(chan job, 1)
	}
	next := make(chan int)
	go func() {
		defer close(next)
		for i := range j.files {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	for range min(n, len(j.files)) {
		go func() {
			for i := range next {
				done[i] <- j.one(ctx, own, i)
				j.tell(j.files[i])
			}
		}()
	}
	w := bufio.NewWriterSize(j.c.App.Writer, 64<<10)
	if err := rows.Head(w, j.table, j.format); err != nil {
		return err
	}
	var verdict error
	for i, name := range j.files {
		var of job
		select {
		case of = <-done[i]:
		case <-ctx.Done():
			return failed(ctx.Err())
		}
		if of.err != nil {
			return failed(of.err)
		}
		if len(of.stderr) > 0 {
			j.clear()
			j.c.App.ErrWriter.Write(of.stderr)
		}
		if of.why != "" {
			verdict = childExit(1) // it was told
		}
		if err := cmp.Or(j.write(w, name, of), w.Flush()); err != nil {
			return err
		}
	}
	return verdict
}

// one reads a file in a process of its own, unless its rows are there.
func (j *jobs) one(ctx context.Context, own string, i int) (of job) {
	name := j.files[i]
	key, err := j.key(name)
	of.rows = filepath.Join(j.dir, key+"."+j.format)
	if !j.keep {
		of.rows += "." + strconv.Itoa(i)
	} else if err == nil {
		if _, err := os.Stat(of.rows); err == nil {
			return of
		}
	}
	part := of.rows + "." + strconv.Itoa(i) + ".part" // a file may be given twice
	out, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		of.err = err
		return of
	}
	defer out.Close()
	var stderr bytes.Buffer
	cmd := exec.Command(own, append(slices.Clone(j.args), name)...)
	cmd.Stdout, cmd.Stderr = out, &stderr
	ran := j.process(ctx, cmd)
	of.stderr = stderr.Bytes()
	switch exit := new(exec.ExitError); {
	case ran == nil:
		of.err = os.Rename(part, of.rows)
		return of
	case ctx.Err() != nil:
		of.err = ctx.Err()
		return of
	case errors.As(ran, &exit) && exit.Exited() && exit.ExitCode() == 1:
		of.why = reason(of.stderr)
	}
	if of.why == "" { // it did not say
		of.why = "the process that read it ended with " + ran.Error()
		of.stderr = fmt.Appendf(of.stderr, "explainer: %s: %s\n", name, of.why)
	}
	of.rows = part
	return of
}

// process runs a process, unless all is to end.
func (j *jobs) process(ctx context.Context, cmd *exec.Cmd) error {
	j.mu.Lock()
	if ctx.Err() != nil {
		j.mu.Unlock()
		return ctx.Err()
	}
	err := cmd.Start()
	if err == nil {
		j.running[cmd.Process] = true
	}
	j.mu.Unlock()
	if err != nil {
		return err
	}
	err = cmd.Wait()
	j.mu.Lock()
	delete(j.running, cmd.Process)
	j.mu.Unlock()
	return err
}

// stop ends all processes.
func (j *jobs) stop() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for p := range j.running {
		p.Kill()
	}
}

// reason is the last thing that a process said, but for hints.
func reason(stderr []byte) (why string) {
	for line := range strings.Lines(string(stderr)) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "explainer: ")
		if line != "" && !strings.HasPrefix(line, "hint: ") {
			why = line
		}
	}
	return why
}

// key names the rows of a file: by its path, size and time, what is asked of it, and the
// version of what reads it. A key log that has grown is another.
func (j *jobs) key(name string) (string, error) {
	sum := sha256.New()
	path, err := filepath.Abs(name)
	fmt.Fprintf(sum, "%d %q %q %q", rows.Version, version(), path, j.args)
	read := []string{name}
	for _, flag := range []string{"keylog", "key", "roots"} {
		switch v := j.c.Value(flag).(type) {
		case cli.StringSlice:
			read = append(read, v.Value()...)
		case string:
			read = append(read, v)
		}
	}
	for i, of := range append(read, os.Getenv("SSLKEYLOGFILE")) {
		info, err := os.Stat(of)
		if err != nil && i == 0 {
			return fmt.Sprintf("%x", sum.Sum(nil)), err
		}
		if err == nil {
			fmt.Fprintf(sum, " %q %d %d", of, info.Size(), info.ModTime().UnixNano())
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), err
}

// write writes the rows of a file, and that of its failure.
func (j *jobs) write(w io.Writer, name string, of job) error {
	f, err := os.Open(of.rows)
	if err != nil {
		return failed(err)
	}
	defer f.Close()
	if !j.keep || of.why != "" {
		defer os.Remove(of.rows)
	}
	r := bufio.NewReader(f)
	for head := j.format == "csv"; ; head = false {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break // a process that was killed may have left half a line
		}
		if err == nil && !head {
			_, err = w.Write(line)
		}
		if err != nil {
			return err
		}
	}
	if of.why == "" {
		return nil
	}
	return rows.Failed(w, j.table, j.format, rows.Source{Capture: story.Digest([]string{name}), File: name}, of.why)
}

// tell tells on a terminal how far it has come.
func (j *jobs) tell(name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.count++; j.bar != nil {
		fmt.Fprint(j.bar, "\r"+progressOf(j.count, len(j.files), filepath.Base(name))+"\x1b[K")
	}
}

func (j *jobs) clear() {
	if j.bar != nil {
		fmt.Fprint(j.bar, "\r\x1b[K")
	}
}
