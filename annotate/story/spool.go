package story

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"explainer/annotate/words"
)

// spoolInMemory is how much of what waits to be told is kept in memory.
const spoolInMemory = 2 << 20

// A spool keeps texts, each under the number of its session, until it is
// decided which of them are told and in which order: in memory first, then in a
// temporary file.
type spool struct {
	scratch func() (*os.File, error)
	mem     bytes.Buffer // the end of it, from flushed on
	file    *os.File
	stored  int64 // bytes in file
	room    []byte
}

const spoolHead = 12 // session, 8 bytes; length, 4 bytes; big-endian

// add keeps a text and returns where.
func (s *spool) add(session int, text []byte) (int64, error) {
	at := s.stored + int64(s.mem.Len())
	var head [spoolHead]byte
	binary.BigEndian.PutUint64(head[:], uint64(session))
	binary.BigEndian.PutUint32(head[8:], uint32(len(text)))
	s.mem.Write(head[:])
	s.mem.Write(text)
	if s.mem.Len() > spoolInMemory {
		return at, s.store()
	}
	return at, nil
}

// store writes what is in memory to the file.
func (s *spool) store() error {
	if s.file == nil {
		f, err := s.scratch()
		if err != nil {
			return fails(err, words.Piece("error/no-place", "error", WordsOf(err)), words.Piece("hint/place"))
		}
		s.file = f
	}
	n, err := s.file.WriteAt(s.mem.Bytes(), s.stored)
	if err != nil {
		return fails(err, words.Piece("error/no-room", "error", WordsOf(err)), words.Piece("hint/room"))
	}
	s.stored += int64(n)
	s.mem.Reset()
	return nil
}

// ReadAt reads what add has kept.
func (s *spool) ReadAt(p []byte, at int64) (int, error) {
	if at < s.stored {
		n, err := s.file.ReadAt(p[:min(int64(len(p)), s.stored-at)], at)
		if err != nil && !errors.Is(err, io.EOF) || n == 0 || n == len(p) {
			return n, err
		}
		m, err := s.ReadAt(p[n:], at+int64(n))
		return n + m, err
	}
	kept := s.mem.Bytes()
	if at-s.stored >= int64(len(kept)) {
		return 0, io.EOF
	}
	n := copy(p, kept[at-s.stored:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// copy writes the text at w, which add returned.
func (s *spool) copy(w io.Writer, at int64) error {
	var head [spoolHead]byte
	if _, err := s.ReadAt(head[:], at); err != nil {
		return err
	}
	if s.room == nil {
		s.room = make([]byte, 32<<10)
	}
	// A bufio.Writer would have the file read by itself, in small pieces.
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, io.NewSectionReader(s, at+spoolHead, int64(binary.BigEndian.Uint32(head[8:]))), s.room)
	return err
}

// each writes the texts of the sessions that are chosen, in the order in which they were added.
func (s *spool) each(w io.Writer, chosen func(session int) bool) error {
	in := io.NewSectionReader(s, 0, s.stored+int64(s.mem.Len()))
	for r := bufio.NewReaderSize(in, 64<<10); ; {
		var head [spoolHead]byte
		if _, err := io.ReadFull(r, head[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		to := io.Discard
		if chosen(int(binary.BigEndian.Uint64(head[:]))) {
			to = w
		}
		if _, err := io.CopyN(to, r, int64(binary.BigEndian.Uint32(head[8:]))); err != nil {
			return err
		}
	}
}

func (s *spool) Close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	os.Remove(s.file.Name())
	return err
}
