package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"explainer/capture"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

// A source is a capture that is being read: a file, or standard input.
type source struct {
	name string // as it is told
	file *os.File
	size int64 // of a regular file, else -1

	progress *progress
}

// errTooManyFiles is more captures than a process may have open: they are read side by side.
var errTooManyFiles = errors.New("more files than this process may have open at once")

// openSource opens a capture; "-" is standard input.
func openSource(name string) (*source, error) {
	if name == "-" {
		return &source{name: "standard input", file: os.Stdin, size: -1}, nil
	}
	f, err := os.Open(name)
	if errors.Is(err, syscall.EMFILE) {
		return nil, failed(errTooManyFiles, "merge some of them first, or raise the limit with ulimit -n")
	}
	if err != nil {
		return nil, fileError("", err)
	}
	s := &source{name: name, file: f, size: -1}
	info, err := f.Stat()
	switch {
	case err == nil && info.IsDir():
		f.Close()
		return nil, failed(fmt.Errorf("%s is a folder", name), "name the captures in it: "+filepath.Join(name, "*.pcap"))
	case err == nil && info.Mode().IsRegular():
		s.size = info.Size()
	}
	return s, nil
}

func (s *source) Close() error {
	if s.file == os.Stdin {
		return nil
	}
	return s.file.Close()
}

// regular tells whether the source can be read more than once.
func (s *source) regular() bool { return s.size >= 0 }

// input is the file, counted.
func (s *source) input() io.Reader {
	if s.progress == nil {
		return s.file
	}
	return s.progress.reader(s.file)
}

// reader begins to read the packets.
func (s *source) reader() (*pcap.Reader, error) {
	r, err := pcap.NewReader(s.input())
	if err != nil {
		return nil, failed(fmt.Errorf("%s: %w", s.name, err), s.instead())
	}
	return r, nil
}

// instead is what to do about a file that is no capture.
func (s *source) instead() string {
	begins := make([]byte, 64)
	n, _ := s.file.ReadAt(begins, 0) // of what is no file, nothing
	begins = begins[:n]
	for _, label := range []string{"CLIENT_", "SERVER_", "RSA ", "EXPORTER_SECRET", "EARLY_EXPORTER_SECRET", "# SSL", "# TLS"} {
		if bytes.HasPrefix(begins, []byte(label)) {
			return "this is a key log: explainer read --keylog " + s.name + " CAPTURE"
		}
	}
	switch {
	case n == 0:
		return ""
	case begins[0] == '{':
		return "this may be a story that was told as JSON: it is read from the capture again"
	}
	return "what tcpdump -w and Wireshark write is read; editcap -F pcapng turns other formats into it"
}

// keysFirst feeds t all keys of the file and begins to read it anew.
func (s *source) keysFirst(t *teller) (*pcap.Reader, error) {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, s.wrong(err)
	}
	var feeding error
	err := pcap.Keys(s.input(), func(k keys.Secret) {
		if feeding == nil {
			feeding = t.feed(capture.Input(&k))
		}
	})
	if feeding != nil {
		return nil, feeding
	}
	// A cut file is told up to its cut by the second pass.
	if err != nil && !errors.As(err, new(*pcap.CutError)) {
		return nil, s.wrong(err)
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, s.wrong(err)
	}
	return s.reader()
}

// verdict is what there is to say against a capture whose reading ended with err.
func (s *source) verdict(err error) error {
	switch {
	case err == nil, err == io.EOF:
		return nil
	case errors.As(err, new(*pcap.CutError)):
		return failed(fmt.Errorf("%s: %w", s.name, err), "everything before the cut was told")
	}
	return s.wrong(err)
}

// wrong is an error about the source.
func (s *source) wrong(err error) error {
	return failed(fmt.Errorf("%s: %w", s.name, err), "")
}
