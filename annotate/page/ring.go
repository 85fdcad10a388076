package page

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// A ring keeps records in a file of bounded length: where it is full, the oldest give way.
// Each record is chained to an earlier one, so that what belongs together is found again
// with one number in memory.
type ring struct {
	open func() (*os.File, error) // makes the file, when it is needed first
	size int64                    // bytes

	file    *os.File
	written int64  // place up to which the file holds everything
	buf     []byte // what follows
}

// A place is where a record stands, counted in bytes from the first that was ever written.
// 0 is nowhere.
type place = int64

const (
	ringHead   = 12       // the place before, 8 bytes; the length, 4 bytes; big-endian
	ringBuffer = 64 << 10 // bytes that wait to be written
)

// errGone says that a record had to give way.
var errGone = errors.New("it had to give way to later ones")

// add keeps a record behind the one at before, and returns where.
func (r *ring) add(before place, record []byte) (place, error) {
	if r.written == 0 && len(r.buf) == 0 {
		r.buf = append(r.buf, make([]byte, ringHead)...) // place 0 is nobody's
	}
	need := int64(ringHead + len(record))
	if need > r.size/2 {
		return 0, errGone
	}
	at := r.written + int64(len(r.buf))
	if left := r.size - at%r.size; need > left { // a record does not go over the end of the file
		r.buf = append(r.buf, make([]byte, left)...)
		at += left
	}
	var head [ringHead]byte
	binary.BigEndian.PutUint64(head[:], uint64(before))
	binary.BigEndian.PutUint32(head[8:], uint32(len(record)))
	r.buf = append(append(r.buf, head[:]...), record...)
	if len(r.buf) >= ringBuffer {
		return at, r.flush()
	}
	return at, nil
}

// flush writes what waits.
func (r *ring) flush() error {
	if r.file == nil {
		f, err := r.open()
		if err != nil {
			return err
		}
		r.file = f
	}
	for len(r.buf) > 0 {
		n := min(int64(len(r.buf)), r.size-r.written%r.size)
		if _, err := r.file.WriteAt(r.buf[:n], r.written%r.size); err != nil {
			return err
		}
		r.buf = r.buf[n:]
		r.written += n
	}
	r.buf = nil
	return nil
}

// get reads the record at a place, and which one it is chained to.
func (r *ring) get(at place) (before place, record []byte, err error) {
	var head [ringHead]byte
	if err := r.read(head[:], at); err != nil {
		return 0, nil, err
	}
	record = make([]byte, binary.BigEndian.Uint32(head[8:]))
	return place(binary.BigEndian.Uint64(head[:])), record, r.read(record, at+ringHead)
}

func (r *ring) read(p []byte, at place) error {
	if at+int64(len(p)) > r.written+int64(len(r.buf)) {
		return io.ErrUnexpectedEOF
	}
	if at < r.written-r.size {
		return errGone
	}
	if at >= r.written {
		copy(p, r.buf[at-r.written:])
		return nil
	}
	n := min(int64(len(p)), r.written-at)
	if _, err := r.file.ReadAt(p[:n], at%r.size); err != nil {
		return err
	}
	copy(p[n:], r.buf)
	return nil
}

func (r *ring) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
