package main

import (
	"errors"
	"fmt"
	"io"
	"os"

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

// openSource opens a capture; "-" is standard input.
func openSource(name string) (*source, error) {
	if name == "-" {
		return &source{name: "standard input", file: os.Stdin, size: -1}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fileError("", err)
	}
	s := &source{name: name, file: f, size: -1}
	info, err := f.Stat()
	switch {
	case err == nil && info.IsDir():
		f.Close()
		return nil, failed(fmt.Errorf("%s is a folder", name), "name the capture file in it")
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
		return nil, s.wrong(err)
	}
	return r, nil
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
