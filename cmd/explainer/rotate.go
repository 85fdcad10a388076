package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
)

// rotateLeast is the least size at which a recording goes on in another file.
const rotateLeast = 64 << 10

// rotateFlags have a recording go on in another file.
var rotateFlags = []cli.Flag{
	&cli.StringFlag{Name: "rotate", Usage: "with -w FILE: once a file has `SIZE` bytes (K, M, G), go on in another: FILE-00001.pcapng, FILE-00002.pcapng, ...; each opens alone, and read takes all of them together"},
	&cli.IntFlag{Name: "keep", Usage: "with --rotate: keep the `N` latest files, and remove those before them", DefaultText: "all"},
}

// A rotation names the files of a recording that goes on in another: those of
// session.pcapng are session-00001.pcapng and so on. It goes on behind what an earlier run left.
type rotation struct {
	size          int64
	keep          int // 0: all
	before, after string
	first, number int // of this run
}

// newRotation is what the flags ask for, or nil.
func newRotation(c *cli.Context) (*rotation, error) {
	name := c.String("write")
	switch {
	case c.IsSet("keep") && !c.IsSet("rotate"):
		return nil, usage(words.Piece("error/keep-for"), words.Piece("hint/as-in", "example", "-w session.pcapng --rotate 100M --keep 10"))
	case !c.IsSet("rotate"):
		return nil, nil
	case name == "":
		return nil, usage(words.Piece("error/rotate-for"), words.Piece("hint/as-in", "example", "-w session.pcapng --rotate 100M"))
	case !isRegular(name):
		return nil, usage(words.Piece("error/rotate-file", "file", name))
	case c.IsSet("keep") && c.Int("keep") < 1:
		return nil, usage(words.Piece("error/keep", "n", strconv.Itoa(c.Int("keep"))))
	}
	n, err := size(c, "rotate", rotateLeast)
	if err != nil {
		return nil, err
	}
	r := &rotation{size: n, keep: c.Int("keep"), after: filepath.Ext(name)}
	r.before = strings.TrimSuffix(name, r.after) + "-"
	if all := r.numbers(); len(all) > 0 {
		r.number = all[len(all)-1]
	}
	r.first = r.number + 1
	return r, nil
}

// name is that of a file.
func (r *rotation) name(number int) string { return fmt.Sprintf("%s%05d%s", r.before, number, r.after) }

// numbers are those of the files that are there, in order.
func (r *rotation) numbers() []int {
	dir, begins := filepath.Split(r.before)
	entries, _ := os.ReadDir(filepath.Clean(dir + "."))
	var all []int
	for _, e := range entries {
		digits, is := strings.CutPrefix(e.Name(), begins)
		digits, has := strings.CutSuffix(digits, r.after)
		n, err := strconv.Atoi(digits)
		if is && has && err == nil && n > 0 && filepath.Base(r.name(n)) == e.Name() {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all
}

// next makes the next file, and removes those that are too many.
func (r *rotation) next() (*os.File, error) {
	f, err := openOutput(words.Piece("file/recording"), r.name(r.number+1), outputRecording, false)
	if err != nil {
		return nil, err
	}
	r.number++
	all := r.numbers()
	for r.keep > 0 && len(all) > r.keep {
		r.remove(r.name(all[0]))
		all = all[1:]
	}
	return f, nil
}

// remove removes a file if it is a recording.
func (r *rotation) remove(name string) {
	f, err := os.Open(name)
	if err != nil {
		return
	}
	info, err := f.Stat()
	if err == nil {
		err = replaceable(name, f, info.Size())
	}
	f.Close()
	if err == nil {
		os.Remove(name)
	}
}

// files tells which files this run wrote, and how they are read.
func (r *rotation) files() (which event.Text, read string) {
	first := r.first
	if all := r.numbers(); len(all) > 0 {
		first = max(first, all[0])
	}
	if first == r.number {
		return event.Plain(r.name(first)), r.name(first)
	}
	var names []string
	for n := first; n <= r.number && len(names) < 4; n++ {
		names = append(names, r.name(n))
	}
	if len(names) == 4 {
		names = []string{r.before + "*" + r.after}
	}
	return words.Piece("file/first-to-last", "first", r.name(first), "last", r.name(r.number)), strings.Join(names, " ")
}
