package web

import (
	"golang.org/x/net/http2/hpack"
)

// qpackTable is the dynamic table of one side's encoder (RFC 9204 3.2), as its
// instructions made it.
type qpackTable struct {
	entries  []Field // the oldest first
	evicted  uint64  // how many were, which is the absolute index of entries[0]
	size     uint64  // RFC 9204 3.2.1
	capacity uint64
}

// inserts is how many entries were ever inserted (the Insert Count, RFC 9204 2.1).
func (t *qpackTable) inserts() uint64 { return t.evicted + uint64(len(t.entries)) }

// at returns the entry of an absolute index (RFC 9204 3.2.4).
func (t *qpackTable) at(index uint64) (Field, bool) {
	if index < t.evicted || index >= t.inserts() {
		return Field{}, false
	}
	return t.entries[index-t.evicted], true
}

// relative returns the entry that an instruction of the encoder names (RFC 9204 3.2.5).
func (t *qpackTable) relative(index uint64) (Field, bool) {
	if index >= uint64(len(t.entries)) {
		return Field{}, false
	}
	return t.entries[uint64(len(t.entries))-1-index], true
}

func entrySize(f Field) uint64 { return uint64(len(f.Name)) + uint64(len(f.Value)) + 32 }

// shrink evicts the oldest entries until those left take no more than size.
func (t *qpackTable) shrink(size uint64) {
	for t.size > size {
		t.size -= entrySize(t.entries[0])
		t.entries[0] = Field{}
		t.entries = t.entries[1:]
		t.evicted++
	}
}

// insert adds an entry, and tells false if it is larger than the table (RFC 9204 3.2.2).
func (t *qpackTable) insert(f Field) bool {
	size := entrySize(f)
	if size > t.capacity {
		return false
	}
	t.shrink(t.capacity - size)
	t.entries = append(t.entries, f)
	t.size += size
	return true
}

// qpackInt reads an integer with a prefix of bits (RFC 9204 4.1.1), of which the whole
// takes n bytes: 0 if more are needed, -1 if it is longer than 62 bits may be.
func qpackInt(p []byte, bits int) (v uint64, n int) {
	if len(p) == 0 {
		return 0, 0
	}
	limit := uint64(1)<<bits - 1
	if v = uint64(p[0]) & limit; v < limit {
		return v, 1
	}
	for i, b := range p[1:] {
		if i == 9 {
			return 0, -1
		}
		v += uint64(b&0x7f) << (7 * i)
		if v >= 1<<62 {
			return 0, -1
		}
		if b&0x80 == 0 {
			return v, i + 2
		}
	}
	return 0, 0
}

// qpackString reads a string literal whose length has a prefix of bits, before which
// stands the bit of the Huffman code (RFC 9204 4.1.2). n is as of qpackInt, and at the
// beginning, where the length is known, -need if need bytes are not there yet.
func qpackString(p []byte, bits int, limit uint64) (s string, n, need int) {
	length, n := qpackInt(p, bits)
	if n <= 0 {
		return "", n, 0
	}
	huffman := p[0]>>bits&1 != 0
	most := limit // coded, the shortest code being of 5 bits and the longest of 30
	if huffman {
		most *= 4
	}
	if length > most {
		return "", -1, 0
	}
	end := n + int(length)
	if end > len(p) {
		return "", 0, end
	}
	if !huffman {
		return string(p[n:end]), end, 0
	}
	s, err := hpack.HuffmanDecodeToString(p[n:end])
	if err != nil || uint64(len(s)) > limit {
		return "", -1, 0
	}
	return s, end, 0
}

// An instruction is one of an encoder or decoder stream of QPACK.
type instruction struct {
	name   string
	number uint64 // index, capacity, stream or increment
	static bool   // the index is one of the static table
	field  Field  // what is inserted, its name empty where the index gives it
	len    int    // bytes
}

// encoderInstruction reads an instruction of an encoder (RFC 9204 4.3): its length is 0
// if at least need bytes are to be there, and -1 if it breaks the rules. Strings may be
// as long as limit.
func encoderInstruction(p []byte, limit uint64) (in instruction, need int) {
	b := p[0]
	stop := func(n, least int) (instruction, int) {
		if n < 0 {
			return instruction{len: -1}, 0
		}
		return instruction{}, max(len(p)+1, least)
	}
	switch {
	case b&0x80 != 0:
		in.name, in.static = "INSERT_WITH_NAME_REFERENCE", b&0x40 != 0
		in.number, in.len = qpackInt(p, 6)
	case b&0x40 != 0:
		in.name = "INSERT_WITH_LITERAL_NAME"
		in.field.Name, in.len, need = qpackString(p, 5, limit)
	case b&0x20 != 0:
		in.name = "SET_DYNAMIC_TABLE_CAPACITY"
		in.number, in.len = qpackInt(p, 5)
	default:
		in.name = "DUPLICATE"
		in.number, in.len = qpackInt(p, 5)
	}
	if in.len <= 0 {
		return stop(in.len, need)
	}
	if b&0xc0 != 0 {
		value, n, need := qpackString(p[in.len:], 7, limit)
		if n <= 0 {
			return stop(n, in.len+need)
		}
		in.field.Value = value
		in.len += n
	}
	return in, 0
}

// decoderInstruction reads an instruction of a decoder (RFC 9204 4.4), as encoderInstruction does.
func decoderInstruction(p []byte) (in instruction) {
	switch b := p[0]; {
	case b&0x80 != 0:
		in.name = "SECTION_ACKNOWLEDGMENT"
		in.number, in.len = qpackInt(p, 7)
	case b&0x40 != 0:
		in.name = "STREAM_CANCELLATION"
		in.number, in.len = qpackInt(p, 6)
	default:
		in.name = "INSERT_COUNT_INCREMENT"
		if in.number, in.len = qpackInt(p, 6); in.len > 0 && in.number == 0 {
			in.len = -1
		}
	}
	return in
}

// obey does what an instruction of the encoder says and returns the entry inserted, if
// one is; allowed is the largest capacity that the other side allows.
func (t *qpackTable) obey(in instruction, allowed uint64) (f Field, ok bool) {
	switch in.name {
	case "SET_DYNAMIC_TABLE_CAPACITY":
		if in.number > allowed {
			return f, false
		}
		t.shrink(in.number)
		t.capacity = in.number
		return f, true
	case "INSERT_WITH_NAME_REFERENCE":
		var named Field
		switch {
		case !in.static:
			if named, ok = t.relative(in.number); !ok {
				return f, false
			}
		case in.number < uint64(len(qpackStatic)):
			named = qpackStatic[in.number]
		default:
			return f, false
		}
		f = Field{named.Name, in.field.Value}
	case "INSERT_WITH_LITERAL_NAME":
		f = in.field
	case "DUPLICATE":
		if f, ok = t.relative(in.number); !ok {
			return f, false
		}
	}
	return f, t.insert(f)
}

// requiredInserts reads the Required Insert Count of a field section as it is encoded
// (RFC 9204 4.5.1.1), where the other side allows a table of that capacity.
func (t *qpackTable) requiredInserts(encoded, allowed uint64) (required uint64, ok bool) {
	if encoded == 0 {
		return 0, true
	}
	most := allowed / 32
	if encoded > 2*most {
		return 0, false
	}
	highest := t.inserts() + most
	required = highest/(2*most)*(2*most) + encoded - 1
	if required > highest {
		if required <= 2*most {
			return 0, false
		}
		required -= 2 * most
	}
	return required, required != 0
}

// section reads the field lines of a field section behind its prefix (RFC 9204 4.5) and
// gives each to field; why is "" where it could.
func (t *qpackTable) section(p []byte, required, base uint64, field func(Field)) (why string) {
	const broken = "malformed-qpack"
	size := uint64(0)
	absolute := func(index uint64) (f Field, ok bool) {
		if index >= required {
			return f, false
		}
		return t.at(index)
	}
	for len(p) > 0 {
		b := p[0]
		var f Field
		var n int
		var index uint64
		ok := true
		named := func(bits int, where func(uint64) (Field, bool)) {
			if index, n = qpackInt(p, bits); n > 0 {
				f, ok = where(index)
			}
		}
		static := func(i uint64) (f Field, ok bool) {
			if i >= uint64(len(qpackStatic)) {
				return f, false
			}
			return qpackStatic[i], true
		}
		before := func(i uint64) (f Field, ok bool) {
			if i >= base {
				return f, false
			}
			return absolute(base - 1 - i)
		}
		after := func(i uint64) (Field, bool) { return absolute(base + i) }
		literal := true
		switch {
		case b&0xc0 == 0xc0:
			literal = false
			named(6, static)
		case b&0x80 != 0:
			literal = false
			named(6, before)
		case b&0x50 == 0x50:
			named(4, static)
		case b&0x40 != 0:
			named(4, before)
		case b&0x20 != 0:
			f.Name, n, _ = qpackString(p, 3, maxHead)
		case b&0x10 != 0:
			literal = false
			named(4, after)
		default:
			named(3, after)
		}
		if n <= 0 || !ok {
			return broken
		}
		p = p[n:]
		if literal {
			value, n, _ := qpackString(p, 7, maxHead)
			if n <= 0 {
				return broken
			}
			f.Value = value
			p = p[n:]
		}
		if size += entrySize(f); size > maxHead {
			return "head-too-long"
		}
		field(f)
	}
	return ""
}
