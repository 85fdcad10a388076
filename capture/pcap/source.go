package pcap

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/klauspost/compress/zstd"

	"explainer/capture/worded"
)

// firstSize is how much is read at first: of many files to be merged, most wait
// for their turn after their first packet.
const firstSize = 4 << 10

// A counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// A SkipError is what the reader below gives where it leaves out some of a
// recording in parts: what it gave last can end anywhere, what it gives next
// is the beginning of a part.
type SkipError struct{ Bytes int64 }

func (e *SkipError) Error() string { return fmt.Sprintf("%d bytes were left out", e.Bytes) }

// A source reads from r and never asks it for more than it needs to go on, so
// that a file which still grows can be followed.
type source struct {
	r      io.Reader
	raw    *counter // of what was read, compressed
	buf    []byte
	lo, hi int   // what has been read and not yet taken is buf[lo:hi]
	off    int64 // position of buf[lo] in the stream
	err    error // of r
}

// peek returns the next n bytes without taking them. They stay valid until the
// next call. The error is io.EOF if there are none, io.ErrUnexpectedEOF if
// there are fewer, or what r gave.
func (s *source) peek(n int) ([]byte, error) {
	for idle := 0; s.hi-s.lo < n; {
		if s.err != nil {
			if s.err == io.EOF && s.hi > s.lo {
				return nil, io.ErrUnexpectedEOF
			}
			return nil, s.err
		}
		if s.hi == len(s.buf) || s.lo == s.hi {
			// Grows only once it is full, so that a length in the file alone never allocates.
			b := s.buf
			switch {
			case len(b) == 0:
				b = make([]byte, firstSize)
			case len(b) < bufferSize:
				b = make([]byte, bufferSize)
			case s.lo == 0 && s.hi == len(b):
				b = make([]byte, 2*len(b))
			}
			s.hi = copy(b, s.buf[s.lo:s.hi])
			s.buf, s.lo = b, 0
		}
		var k int
		k, s.err = s.r.Read(s.buf[s.hi:])
		s.hi += k
		if k > 0 {
			idle = 0
		} else if idle++; idle == 100 && s.err == nil {
			s.err = io.ErrNoProgress
		}
	}
	return s.buf[s.lo : s.lo+n], nil
}

// take drops the next n bytes, which peek has returned.
func (s *source) take(n int) {
	s.lo += n
	s.off += int64(n)
}

// drop lets go of what was read and not taken, and of the error that ended it.
func (s *source) drop() {
	s.lo = s.hi
	s.err = nil
}

// rest returns how much can be peeked without reading.
func (s *source) rest() int { return s.hi - s.lo }

// open looks at the beginning of r and takes off a compression.
func (s *source) open(r io.Reader) error {
	s.raw = &counter{r: r}
	s.r = s.raw
	for depth := 0; ; depth++ {
		magic, err := s.peek(4)
		switch {
		case err == io.EOF:
			return worded.Error(errors.New("not a capture: it is empty"), "pcap/empty")
		case errors.Is(err, io.ErrUnexpectedEOF) && depth > 0:
			return worded.Error(errors.New("compressed capture is cut off before anything of it can be read"), "pcap/compressed-cut")
		case errors.Is(err, io.ErrUnexpectedEOF):
			return worded.Error(fmt.Errorf("not a capture: it ends after %d bytes", s.rest()), "pcap/short", "n", strconv.Itoa(s.rest()))
		case err != nil:
			return fmt.Errorf("read capture: %w", err)
		}
		packed := *s
		switch {
		case depth > 0:
			return nil
		case magic[0] == 0x1f && magic[1] == 0x8b:
			z, err := gzip.NewReader(bufio.NewReader(&packed))
			if err != nil {
				return fmt.Errorf("read gzip'd capture: %w", err)
			}
			*s = source{r: z, raw: s.raw}
		case string(magic) == "\x28\xb5\x2f\xfd":
			z, err := zstd.NewReader(&packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
			if err != nil {
				return fmt.Errorf("read zstd'd capture: %w", err)
			}
			*s = source{r: z, raw: s.raw}
		default:
			return nil
		}
	}
}

// Read gives what was buffered and then the rest of the stream, as it is.
func (s *source) Read(p []byte) (int, error) {
	if s.lo < s.hi {
		n := copy(p, s.buf[s.lo:s.hi])
		s.take(n)
		return n, nil
	}
	if s.err != nil {
		return 0, s.err
	}
	return s.r.Read(p)
}
