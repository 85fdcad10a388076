package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/page"
	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/capture/keys"
	"explainer/capture/pcap"

	"github.com/urfave/cli/v2"
)

// Bounds of what is dropped on the page.
const (
	dropSize  = 256 << 20 // bytes at once
	dropFiles = 16        // at once
	dropKept  = 4         // times; the first that was dropped gives way
)

// drops are the captures that were dropped on a page.
type drops struct {
	explainer func() (*annotate.Explainer, error)
	breaker   func() *breaker
	ports     func() (pcap.Ports, error)
	keep      int64         // bytes of each one's story
	turn      chan struct{} // is taken by who reads one

	mu      sync.Mutex
	last    int // number of the last
	shelves []*dropped
}

// A dropped is a story of files that were dropped together.
type dropped struct {
	shelf
	number int
	files  []*os.File
	routes http.Handler
}

func newDrops(c *cli.Context, keep int64) drops {
	return drops{
		keep: keep, turn: make(chan struct{}, 1),
		explainer: func() (*annotate.Explainer, error) {
			x := newExplainer(c)
			x.Bytes, x.Eavesdropper = true, false
			return x, trust(c, x)
		},
		breaker: func() *breaker { return newBreaker(c) },
		ports:   func() (pcap.Ports, error) { return decodeAs(c) },
	}
}

// isDrop tells whether a request drops something. It comes from a page of ours: with the cookie,
// which browsers send to other servers of this machine but not for them, and from our own origin.
func isDrop(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == "/read" && r.Header.Get("Origin") == "http://"+r.Host
}

// drop reads what is dropped, and answers with where its story is.
func (w *web) drop(rw http.ResponseWriter, r *http.Request) {
	v, _ := w.view(nil, r)
	refuse := func(status int, err error) {
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		rw.WriteHeader(status)
		io.WriteString(rw, v.Lang.In(story.WordsOf(err)))
	}
	select {
	case w.drops.turn <- struct{}{}:
		defer func() { <-w.drops.turn }()
	case <-r.Context().Done():
		return
	}
	r.Body = http.MaxBytesReader(rw, r.Body, dropSize)
	parts, err := r.MultipartReader()
	if err != nil {
		http.Error(rw, "Files are sent as multipart/form-data.", http.StatusUnsupportedMediaType)
		return
	}
	d := &dropped{shelf: shelf{web: w, book: page.New(page.Options{Keep: w.drops.keep, Scratch: scratchFile})}}
	err = d.take(r.Context(), parts)
	if err != nil {
		d.close()
		if errors.As(err, new(*http.MaxBytesError)) {
			refuse(http.StatusRequestEntityTooLarge, fails(nil, words.Piece("error/drop-size", "most", fmt.Sprintf("%d MiB", dropSize>>20))))
			return
		}
		refuse(http.StatusUnprocessableEntity, err)
		return
	}
	w.drops.add(d)
	io.WriteString(rw, d.base)
}

// add puts a story beside the others.
func (s *drops) add(d *dropped) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	d.number = s.last
	d.base = "/r/" + strconv.Itoa(d.number) + "/"
	d.routes = http.StripPrefix(strings.TrimSuffix(d.base, "/"), d.shelf.routes())
	s.shelves = append(s.shelves, d)
	if len(s.shelves) > dropKept {
		s.shelves[0].close()
		s.shelves = s.shelves[1:]
	}
}

func (s *drops) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.shelves {
		d.close()
	}
	s.shelves = nil
}

// sources are the stories that are shown, for one of them.
func (w *web) sources(here *shelf) []page.Source {
	all := []page.Source{{Name: w.name, URL: w.base, Here: here == &w.shelf}}
	w.drops.mu.Lock()
	defer w.drops.mu.Unlock()
	for _, d := range w.drops.shelves {
		all = append(all, page.Source{Name: d.name, URL: d.base, Here: here == &d.shelf})
	}
	return all
}

// dropped answers from a story that was dropped.
func (w *web) dropped(rw http.ResponseWriter, r *http.Request) {
	w.drops.mu.Lock()
	i := slices.IndexFunc(w.drops.shelves, func(d *dropped) bool { return strconv.Itoa(d.number) == r.PathValue("id") })
	var of http.Handler = http.NotFoundHandler()
	if i >= 0 {
		of = w.drops.shelves[i].routes
	}
	w.drops.mu.Unlock()
	of.ServeHTTP(rw, r)
}

// take keeps files, and reads their story as read does.
func (d *dropped) take(ctx context.Context, parts *multipart.Reader) error {
	captures, logs := map[string]*os.File{}, map[string]*os.File{}
	var names, logNames []string
	var no error // why the first of what is taken for a key log is no capture
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if len(d.files) == dropFiles {
			return fails(nil, words.Piece("error/drop-files", "most", strconv.Itoa(dropFiles)))
		}
		f, err := scratchFile()
		if err != nil {
			return failed(err)
		}
		d.files = append(d.files, f)
		if _, err := io.Copy(f, part); err != nil {
			return err
		}
		name := event.Clip(cmp.Or(part.FileName(), "capture"))
		for n := 2; captures[name] != nil || logs[name] != nil; n++ {
			name = fmt.Sprintf("%s (%d)", part.FileName(), n)
		}
		if _, not := pcap.NewReader(whole(f)); not == nil {
			captures[name], names = f, append(names, name)
		} else {
			logs[name], logNames = f, append(logNames, name)
			no = cmp.Or(no, fails(not, words.Piece("error/of", "of", name, "error", story.WordsOf(not)), words.Piece("hint/drop")))
		}
	}
	if len(names) == 0 {
		return cmp.Or(no, fails(nil, words.Piece("hint/drop")))
	}
	x, err := d.web.drops.explainer()
	if err != nil {
		return err
	}
	ports, err := d.web.drops.ports()
	if err != nil {
		return err
	}
	note := func(what event.Text) { d.notes = append(d.notes, what) }
	keyLog := func(take func(keys.Secret), says func(event.Text)) error {
		for _, name := range logNames {
			l := keyLog{name: name, bad: map[keys.Bad]int{}}
			var err error
			if l.bad, err = keys.CheckLog(whole(logs[name]), func(s keys.Secret) { l.lines++; take(s) }); err != nil {
				return l.fails(err)
			}
			if what := l.against(); !what.Empty() {
				says(what)
			}
		}
		return nil
	}
	open := func(name string) (*story.Source, error) {
		f := captures[name]
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, failed(err)
		}
		s, err := story.OpenFile(name, f)
		if err == nil {
			s.Until(ctx)
			s.DecodeAs = ports
		}
		return s, err
	}
	var wrong error
	err = story.New(x, d.book).Files(names, story.FilesOptions{
		DecodeAs: ports, Open: open, Say: note,
		KeyLogs: func(take func(keys.Secret), _ bool) error { return keyLog(take, note) },
		Wrong: func(err error) {
			wrong = cmp.Or(wrong, err)
			note(story.WordsOf(err))
		},
	})
	if told, _ := d.book.Changed(); told == 0 {
		err = cmp.Or(err, wrong)
	}
	if err != nil {
		return err
	}
	d.name = nameOf(names)
	if len(names) == 1 {
		b := d.web.drops.breaker()
		b.name = names[0]
		b.source = func() (*story.Source, error) { return open(names[0]) }
		b.keyLog = func(take func(keys.Secret)) error { return keyLog(take, func(event.Text) {}) }
		d.breaks.Store(b)
	}
	return nil
}

// close removes what is kept.
func (d *dropped) close() {
	d.book.Close()
	for _, f := range d.files {
		f.Close()
		os.Remove(f.Name()) // where that was not possible while it was open
	}
}

// whole is a file from its beginning.
func whole(f *os.File) io.Reader {
	const all = 1<<63 - 1
	return io.NewSectionReader(f, 0, all)
}
