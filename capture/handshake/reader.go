package handshake

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// reader takes fields off the front of a message and keeps the first failure.
// After a failure every read returns zero values, so a parser may read all its
// fields and ask for the error once. All numbers are big-endian, and all
// slices alias the message.
type reader struct {
	s   cryptobyte.String
	err error

	at    int     // where s begins in the message
	parts *[]Part // where each field stood is noted here, if it is not nil
}

// took notes that a field of n bytes was taken off.
func (r *reader) took(field string, n int) {
	if r.parts != nil && len(*r.parts) < maxParts {
		*r.parts = append(*r.parts, Part{Name: field, Start: r.at, End: r.at + n})
	}
	r.at += n
}

// within returns a reader of v, which was taken off last.
func (r *reader) within(v []byte) reader {
	return reader{s: v, at: r.at - len(v), parts: r.parts}
}

func (r *reader) fail(field, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...))
	}
	r.s = nil
}

func (r *reader) short(field string, need int) {
	if len(r.s) == 0 {
		r.fail(field, "missing")
		return
	}
	r.fail(field, "needs %d bytes, has %d", need, len(r.s))
}

func (r *reader) u8(field string) (v uint8) {
	if !r.s.ReadUint8(&v) {
		r.short(field, 1)
		return 0
	}
	r.took(field, 1)
	return v
}

func (r *reader) u16(field string) (v uint16) {
	if !r.s.ReadUint16(&v) {
		r.short(field, 2)
		return 0
	}
	r.took(field, 2)
	return v
}

func (r *reader) u24(field string) (v uint32) {
	if !r.s.ReadUint24(&v) {
		r.short(field, 3)
		return 0
	}
	r.took(field, 3)
	return v
}

func (r *reader) u32(field string) (v uint32) {
	if !r.s.ReadUint32(&v) {
		r.short(field, 4)
		return 0
	}
	r.took(field, 4)
	return v
}

// fixed reads exactly n bytes.
func (r *reader) fixed(field string, n int) (v []byte) {
	if !r.s.ReadBytes(&v, n) {
		r.short(field, n)
		return nil
	}
	r.took(field, n)
	return v[:n:n]
}

// rest takes whatever is left, at least low bytes.
func (r *reader) rest(field string, low int) []byte {
	if r.err != nil {
		return nil
	}
	if len(r.s) < low {
		r.short(field, low)
		return nil
	}
	v := []byte(r.s)
	r.s = nil
	r.took(field, len(v))
	return v
}

// vector reads n bytes of content after its length was read, as vec8, vec16 and vec24 do.
func (r *reader) vector(field string, n, low, high int) []byte {
	switch {
	case r.err != nil:
		return nil
	case n < low && n == 0:
		r.fail(field, "empty")
		return nil
	case n < low:
		r.fail(field, "length %d, at least %d is required", n, low)
		return nil
	case n > high:
		r.fail(field, "length %d, at most %d is allowed", n, high)
		return nil
	case n > len(r.s):
		r.fail(field, "length %d, but %d left", n, len(r.s))
		return nil
	}
	v := r.s[:n:n]
	r.s = r.s[n:]
	if r.parts != nil && len(*r.parts) > 0 {
		(*r.parts)[len(*r.parts)-1].Name += lengthOf
	}
	r.took(field, n)
	return v
}

// vec8 reads a vector of low to high bytes that stands behind a length of one byte.
func (r *reader) vec8(field string, low, high int) []byte {
	return r.vector(field, int(r.u8(field)), low, high)
}

// vec16 reads a vector of at least low bytes that stands behind a length of two bytes.
func (r *reader) vec16(field string, low int) []byte {
	return r.vector(field, int(r.u16(field)), low, 1<<16-1)
}

// vec24 reads a vector of at least low bytes that stands behind a length of three bytes.
func (r *reader) vec24(field string, low int) []byte {
	return r.vector(field, int(r.u24(field)), low, 1<<24-1)
}

// uint16s splits the content of a vector into 16-bit numbers.
func (r *reader) uint16s(field string, v []byte) []uint16 {
	if r.err != nil || len(v) == 0 {
		return nil
	}
	if len(v)%2 != 0 {
		r.fail(field, "odd length %d", len(v))
		return nil
	}
	list := make([]uint16, len(v)/2)
	for i := range list {
		list[i] = uint16(v[2*i])<<8 | uint16(v[2*i+1])
	}
	return list
}

// vectors16 splits v into vectors of at least low bytes, each behind a length of two bytes.
func (r *reader) vectors16(field string, v []byte, low int) [][]byte {
	if r.err != nil {
		return nil
	}
	in := r.within(v)
	var list [][]byte
	for len(in.s) > 0 {
		list = append(list, in.vec16(field, low))
	}
	if in.err != nil {
		r.err, r.s = in.err, nil
		return nil
	}
	return list
}

// end is the error of the whole reading: the first failure, or bytes left over.
func (r *reader) end() error {
	if r.err == nil && len(r.s) > 0 {
		if len(r.s) == 1 {
			return fmt.Errorf("1 byte left over at the end")
		}
		return fmt.Errorf("%d bytes left over at the end", len(r.s))
	}
	return r.err
}
