package capture

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
)

// window is how far back DEFLATE refers (RFC 1951 2).
const window = 32 << 10

// inflater undoes DEFLATE compression of one direction's records (RFC 3749 2.1):
// one zlib stream over all of them, which is flushed to a whole byte at each record's end.
type inflater struct {
	begun  bool
	in     bytes.Reader
	flate  io.ReadCloser
	before []byte // the last content, up to window
	out    [maxPlain + 1]byte
}

// inflate returns the content of the next record, which is valid until the next
// call. It is not ok if the method is not DEFLATE, the data is no such stream,
// or the content is longer than a record's may be.
func (f *inflater) inflate(data []byte, method uint8) (plain []byte, ok bool) {
	if method != 1 {
		return nil, false
	}
	if len(data) == 0 {
		return nil, true
	}
	if !f.begun {
		if len(data) < 2 || data[0]&0x0f != 8 { // the header of RFC 1950
			return nil, false
		}
		data = data[2:]
		f.begun = true
	}
	f.in.Reset(data)
	if f.flate == nil {
		f.flate = flate.NewReaderDict(&f.in, f.before)
	} else if err := f.flate.(flate.Resetter).Reset(&f.in, f.before); err != nil {
		return nil, false
	}
	n, err := io.ReadFull(f.flate, f.out[:])
	// The stream goes on in the next record, so that its end is not expected here.
	if err == nil || !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, false
	}
	f.before = append(f.before, f.out[:n]...)
	if over := len(f.before) - window; over > 0 {
		f.before = f.before[:copy(f.before, f.before[over:])]
	}
	return f.out[:n], true
}
