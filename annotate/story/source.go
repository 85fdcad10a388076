package story

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

// A Source is a capture that is being read: a file, or standard input.
type Source struct {
	Name     string     // as it is told
	DecodeAs pcap.Ports // tunnels that are not known by their ports
	file     *os.File
	foreign  bool  // the file is the caller's to close
	size     int64 // of a regular file, else -1

	progress Progress        // may be nil
	ctx      context.Context // ends the reading; may be nil
	before   func() error    // is called before each read, which may have to wait; may be nil
}

// A Progress is told how far the reading of captures has come.
type Progress interface {
	Reader(io.Reader) io.Reader // counts what passes
	Skip(bytes int64)           // a file needs no second reading
	Done()                      // all is read
}

// errTooManyFiles is more captures than a process may have open: they are read side by side.
var errTooManyFiles = fails(nil, words.Piece("error/too-many-files"))

// Open opens a capture; "-" is standard input. Its errors say what to do.
func Open(name string) (*Source, error) {
	if name == "-" {
		return &Source{Name: "standard input", file: os.Stdin, size: -1}, nil
	}
	f, err := os.Open(name)
	if errors.Is(err, syscall.EMFILE) {
		return nil, failed(errTooManyFiles, words.Piece("hint/too-many-files"))
	}
	if err != nil {
		return nil, FileError(event.Text{}, err)
	}
	s := &Source{Name: name, file: f, size: -1}
	info, err := f.Stat()
	switch {
	case err == nil && info.IsDir():
		f.Close()
		return nil, fails(nil, words.Piece("error/folder", "file", name), words.Piece("hint/folder", "files", filepath.Join(name, "*.pcap")))
	case err == nil && info.Mode().IsRegular():
		s.size = info.Size()
	}
	return s, nil
}

// Digest is the SHA-256, in hexadecimal, of files put one behind the other; empty where
// one of them can be read only once, or not at all.
func Digest(names []string) string {
	sum := sha256.New()
	for _, name := range names {
		if isStream(name) {
			return ""
		}
		f, err := os.Open(name)
		if err != nil {
			return ""
		}
		_, err = io.Copy(sum, f)
		f.Close()
		if err != nil {
			return ""
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// isStream tells whether a capture can be read only once, and may still grow.
func isStream(name string) bool {
	info, err := os.Stat(name)
	return name == "-" || err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// named is the source's name in every language.
func (s *Source) named() event.Text {
	if s.file == os.Stdin {
		return words.Piece("file/standard-input")
	}
	return event.Plain(s.Name)
}

func (s *Source) Close() error {
	if s.file == os.Stdin || s.foreign {
		return nil
	}
	return s.file.Close()
}

// Regular tells whether the source can be read more than once.
func (s *Source) Regular() bool { return s.size >= 0 }

// Is tells whether the source is a file that was found under another name.
func (s *Source) Is(file os.FileInfo) bool {
	info, err := s.file.Stat()
	return err == nil && os.SameFile(info, file)
}

// rewind goes back to the beginning.
func (s *Source) rewind() error {
	_, err := s.file.Seek(0, io.SeekStart)
	return err
}

// Read reads the file.
func (s *Source) Read(p []byte) (int, error) {
	if s.ctx != nil && s.ctx.Err() != nil {
		return 0, s.ctx.Err()
	}
	if s.before != nil {
		if err := s.before(); err != nil {
			return 0, err
		}
	}
	return s.file.Read(p)
}

// input is the file, counted.
func (s *Source) input() io.Reader {
	if s.progress == nil {
		return s
	}
	return s.progress.Reader(s)
}

// reader begins to read the packets.
func (s *Source) reader() (*pcap.Reader, error) {
	r, err := pcap.NewReader(s.input())
	if err != nil {
		return nil, fails(err, words.Piece("error/of", "of", s.named(), "error", WordsOf(err)), s.instead())
	}
	r.DecodeAs(s.DecodeAs)
	if s.Regular() {
		r.Whole()
	}
	return r, nil
}

// instead is what to do about a file that is no capture.
func (s *Source) instead() event.Text {
	begins := make([]byte, 64)
	n, _ := s.file.ReadAt(begins, 0) // of what is no file, nothing
	begins = begins[:n]
	for _, label := range []string{"CLIENT_", "SERVER_", "RSA ", "EXPORTER_SECRET", "EARLY_EXPORTER_SECRET", "# SSL", "# TLS"} {
		if bytes.HasPrefix(begins, []byte(label)) {
			return words.Piece("hint/is-key-log", "file", s.named())
		}
	}
	switch {
	case n == 0:
		return event.Text{}
	case begins[0] == '{':
		return words.Piece("hint/is-json")
	}
	return words.Piece("hint/formats")
}

// keysFirst gives take all keys of the file, and begins to read it anew. A file that
// is cut off is read up to its cut here, and once more by whoever reads the packets.
func (s *Source) keysFirst(take func(*keys.Secret) error) (*pcap.Reader, error) {
	err := s.rewind()
	var taking error
	if err == nil {
		err = pcap.Keys(s.input(), func(k keys.Secret) {
			if taking == nil {
				taking = take(&k)
			}
		})
	}
	switch {
	case taking != nil:
		return nil, taking
	case err == nil || errors.As(err, new(*pcap.CutError)):
		err = s.rewind()
	}
	if err != nil {
		return nil, s.wrong(err)
	}
	return s.reader()
}

// verdict is what there is to say against a capture whose reading ended with err.
func (s *Source) verdict(err error) error {
	switch {
	case err == nil, err == io.EOF:
		return nil
	case errors.As(err, new(*pcap.CutError)):
		return fails(err, words.Piece("error/of", "of", s.named(), "error", WordsOf(err)), words.Piece("hint/cut-told"))
	}
	return s.wrong(err)
}

// wrong is an error about the source.
func (s *Source) wrong(err error) error {
	return fails(err, words.Piece("error/of", "of", s.named(), "error", WordsOf(err)))
}
