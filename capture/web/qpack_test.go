package web

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/quic-go/qpack"
	"golang.org/x/net/http2/hpack"
)

// varints appends integers of QUIC (RFC 9000 16).
func varints(b []byte, list ...uint64) []byte {
	for _, v := range list {
		switch {
		case v < 1<<6:
			b = append(b, byte(v))
		case v < 1<<14:
			b = binary.BigEndian.AppendUint16(b, uint16(v)|1<<14)
		case v < 1<<30:
			b = binary.BigEndian.AppendUint32(b, uint32(v)|1<<31)
		default:
			b = binary.BigEndian.AppendUint64(b, v|3<<62)
		}
	}
	return b
}

// h3Frame is a frame of HTTP/3.
func h3Frame(typ uint64, payload []byte) []byte {
	return append(varints(nil, typ, uint64(len(payload))), payload...)
}

// prefixed appends an integer with a prefix of bits, under the bits of first.
func prefixed(b []byte, first byte, bits int, v uint64) []byte {
	limit := uint64(1)<<bits - 1
	if v < limit {
		return append(b, first|byte(v))
	}
	b = append(b, first|byte(limit))
	for v -= limit; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

// literal appends a string whose length has a prefix of bits.
func literal(b []byte, first byte, bits int, s string, huffman bool) []byte {
	if !huffman {
		return append(prefixed(b, first, bits, uint64(len(s))), s...)
	}
	b = prefixed(b, first|1<<bits, bits, hpack.HuffmanEncodeLength(s))
	return hpack.AppendHuffmanString(b, s)
}

// interop finds the interoperability files of QPACK (qpackers/qifs), which stand beside the
// project on some machines, by walking up; "" where there are none.
func interop(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if s := filepath.Join(dir, "shared", "cases", "qifs.tar.xz"); fileThere(s) {
			return s
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

func fileThere(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// unpack reads the files of such an archive by path.
func unpack(t *testing.T, archive string) map[string][]byte {
	cmd := exec.Command("xz", "-dc", archive)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	r := tar.NewReader(out)
	for {
		head, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[path.Clean(head.Name)], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return files
}

// lists reads the field lists of a QIF, without comments.
func lists(qif []byte) (all []string) {
	var list strings.Builder
	flush := func() {
		if list.Len() > 0 {
			all = append(all, list.String())
			list.Reset()
		}
	}
	s := bufio.NewScanner(bytes.NewReader(qif))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		switch line := s.Text(); {
		case line == "":
			flush()
		case line[0] != '#':
			list.WriteString(line + "\n")
		}
	}
	flush()
	return all
}

// pseudoFirst puts the pseudo-header fields of a list first, in one order.
func pseudoFirst(list string) string {
	var pseudo [6]string
	rest := ""
	for line := range strings.Lines(list) {
		name, _, _ := strings.Cut(line, "\t")
		if i := slices.Index(pseudoFields, name); i >= 0 {
			pseudo[i] = line
		} else {
			rest += line
		}
	}
	return strings.Join(pseudo[:], "") + rest
}

var pseudoFields = []string{":method", ":path", ":authority", ":scheme", ":protocol", ":status"}

// fieldList is the list that a head was made of, as pseudoFirst leaves it.
func fieldList(h *Head) string {
	list := ""
	status := ""
	if h.Status != 0 {
		status = strconv.Itoa(h.Status)
	}
	authority := h.Authority
	if authority == h.Get("host") {
		authority = ""
	}
	for i, v := range []string{h.Method, h.Target, authority, h.Scheme, h.Connect, status} {
		if v != "" {
			list += pseudoFields[i] + "\t" + v + "\n"
		}
	}
	for _, f := range h.Fields {
		list += f.Name + "\t" + f.Value + "\n"
	}
	return list
}

// What six other encoders made of field lists is read as the lists that they were. In
// the files a section may come before the inserts that it needs.
func TestQPACKInterop(t *testing.T) {
	archive := interop(t)
	if archive == "" {
		t.Log("no folder shared/cases here")
		return
	}
	files := unpack(t, archive)
	encoded, dynamic, sections := 0, 0, 0
	for name, data := range files {
		part := strings.Split(path.Base(name), ".") // list, out, capacity, blocked streams, acknowledged
		if !strings.HasPrefix(name, "encoded/") || len(part) != 5 || part[0] == "examples" {
			continue
		}
		want := lists(files["qifs/"+part[0]+".qif"])
		capacity, _ := strconv.ParseUint(part[2], 10, 64)
		encoded++

		h := NewH3()
		h.Feed(1, 3, append([]byte{streamControl}, h3Frame(h3Settings, varints(nil, settingCapacity, capacity))...), false, Mark{})
		h.Feed(0, 2, []byte{streamEncoder}, false, Mark{})
		// Draft 05 begins with a table as large as it may be; since then an encoder says so first.
		h.sides[0].table.capacity = capacity
		got := map[uint64]string{}
		take := func(items []Item) {
			for _, i := range items {
				switch b := i.Body.(type) {
				case *Head:
					got[b.Stream] = fieldList(b)
				case *Unparsed:
					t.Fatalf("%s: %+v", name, b)
				}
			}
		}
		for len(data) > 0 {
			stream, n := binary.BigEndian.Uint64(data), binary.BigEndian.Uint32(data[8:])
			payload := data[12 : 12+n]
			data = data[12+n:]
			if stream == 0 {
				take(h.Feed(0, 2, payload, false, Mark{}))
				continue
			}
			take(h.Feed(0, 4*stream, h3Frame(h3Headers, payload), true, Mark{}))
		}
		if h.sides[0].table.inserts() > 0 {
			dynamic++
		}
		sections += len(got)
		if len(got) != len(want) {
			t.Fatalf("%s: %d sections, not %d", name, len(got), len(want))
		}
		for i, w := range want {
			if g := got[4*uint64(i+1)]; g != pseudoFirst(w) {
				t.Fatalf("%s: section %d is\n%swhere it should be\n%s", name, i+1, g, w)
			}
		}
	}
	t.Logf("%d files, %d with dynamic entries, %d sections", encoded, dynamic, sections)
	if encoded != 528 || dynamic < 300 {
		t.Errorf("%d files, %d with dynamic entries", encoded, dynamic)
	}
}

// encoder is an encoder of QPACK that chooses among all that the rules allow.
type encoder struct {
	rnd     *rand.Rand
	table   qpackTable
	allowed uint64
	stream  []byte // instructions that were not taken
}

func (e *encoder) coin() bool { return e.rnd.IntN(2) == 0 }

func (e *encoder) capacity() {
	n := e.rnd.Uint64N(e.allowed + 1)
	e.stream = prefixed(e.stream, 0x20, 5, n)
	e.table.shrink(n)
	e.table.capacity = n
}

// insert puts a field into the table in one of the ways there are.
func (e *encoder) insert(f Field) {
	if entrySize(f) > e.table.capacity {
		return
	}
	inserts := e.table.inserts()
	var ways []func()
	for i, have := range qpackStatic {
		if have.Name == f.Name {
			ways = append(ways, func() {
				e.stream = literal(prefixed(e.stream, 0xc0, 6, uint64(i)), 0, 7, f.Value, e.coin())
			})
		}
	}
	for i, have := range e.table.entries {
		back := inserts - 1 - (e.table.evicted + uint64(i))
		if have == f {
			ways = append(ways, func() { e.stream = prefixed(e.stream, 0, 5, back) })
		}
		if have.Name == f.Name {
			ways = append(ways, func() {
				e.stream = literal(prefixed(e.stream, 0x80, 6, back), 0, 7, f.Value, e.coin())
			})
		}
	}
	ways = append(ways, func() {
		e.stream = literal(literal(e.stream, 0x40, 5, f.Name, e.coin()), 0, 7, f.Value, e.coin())
	})
	ways[e.rnd.IntN(len(ways))]()
	e.table.insert(f)
}

// section encodes a list. The Base is anywhere that it may be.
func (e *encoder) section(list []Field) []byte {
	inserts := e.table.inserts()
	base := inserts
	if e.coin() {
		base = e.rnd.Uint64N(inserts + 20)
	}
	required := uint64(0)
	uses := func(index uint64) { required = max(required, index+1) }
	var lines []byte
	never := func(bit byte) byte { return bit * byte(e.rnd.IntN(2)) }
	for _, f := range list {
		var ways []func()
		for i, have := range qpackStatic {
			if have == f {
				ways = append(ways, func() { lines = prefixed(lines, 0xc0, 6, uint64(i)) })
			}
			if have.Name == f.Name {
				ways = append(ways, func() {
					lines = literal(prefixed(lines, 0x50|never(0x20), 4, uint64(i)), 0, 7, f.Value, e.coin())
				})
			}
		}
		for i, have := range e.table.entries {
			index := e.table.evicted + uint64(i)
			if have.Name != f.Name {
				continue
			}
			if have == f {
				ways = append(ways, func() {
					if uses(index); index < base {
						lines = prefixed(lines, 0x80, 6, base-1-index)
					} else {
						lines = prefixed(lines, 0x10, 4, index-base)
					}
				})
			}
			ways = append(ways, func() {
				if uses(index); index < base {
					lines = prefixed(lines, 0x40|never(0x20), 4, base-1-index)
				} else {
					lines = prefixed(lines, 0x00|never(0x08), 3, index-base)
				}
				lines = literal(lines, 0, 7, f.Value, e.coin())
			})
		}
		if len(ways) == 0 || e.rnd.IntN(4) == 0 {
			ways = []func(){func() {
				lines = literal(literal(lines, 0x20|never(0x10), 3, f.Name, e.coin()), 0, 7, f.Value, e.coin())
			}}
		}
		ways[e.rnd.IntN(len(ways))]()
	}
	if required == 0 {
		return append([]byte{0, 0}, lines...)
	}
	p := prefixed(nil, 0, 8, required%(2*(e.allowed/32))+1)
	if base >= required {
		p = prefixed(p, 0, 7, base-required)
	} else {
		p = prefixed(p, 0x80, 7, required-base-1)
	}
	return append(p, lines...)
}

// Whatever an encoder chooses, and however late its instructions come, the lists are read as they were.
func TestQPACKDynamic(t *testing.T) {
	names := []string{"cookie", "x-a", "x-b", "etag", "user-agent", "accept"}
	waited := 0
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		e := &encoder{rnd: rnd, allowed: uint64(32 + rnd.IntN(600))}
		h := NewH3()
		h.Feed(1, 3, []byte(settings(settingCapacity, e.allowed)), false, Mark{})
		h.Feed(0, 2, []byte{streamEncoder}, false, Mark{})
		got, want := map[uint64]string{}, map[uint64]string{}
		take := func(items []Item) {
			for _, i := range items {
				switch b := i.Body.(type) {
				case *Head:
					got[b.Stream] = fieldList(b)
				case *Unparsed:
					t.Fatalf("seed %d: %+v", seed, b)
				case *Frame:
					if b.Unread != "" {
						t.Fatalf("seed %d: %+v", seed, b)
					}
				}
			}
		}
		flush := func() {
			for len(e.stream) > 0 {
				n := 1 + rnd.IntN(len(e.stream))
				take(h.Feed(0, 2, e.stream[:n], false, Mark{}))
				e.stream = e.stream[n:]
			}
		}
		e.capacity()
		for stream := uint64(0); stream < 4*120; stream += 4 {
			var list []Field
			for range rnd.IntN(8) {
				list = append(list, Field{names[rnd.IntN(len(names))], strings.Repeat(string(rune('a'+rnd.IntN(3))), rnd.IntN(30))})
			}
			for _, f := range list {
				if rnd.IntN(3) == 0 {
					e.insert(f)
				}
				if h.sides[0].table.inserts()+e.allowed/32 <= e.table.inserts()+1 {
					flush() // an encoder does not run ahead of what it knows to have come
				}
			}
			want[stream] = fieldList(&Head{Fields: list})
			take(h.Feed(0, stream, h3Frame(h3Headers, e.section(list)), true, Mark{}))
			if _, ok := got[stream]; !ok {
				waited++
			}
			switch rnd.IntN(4) {
			case 0:
				flush()
			case 1:
				flush()
				e.capacity()
			}
		}
		flush()
		for id, w := range want {
			if got[id] != w {
				t.Fatalf("seed %d: stream %d is\n%swhere it should be\n%s", seed, id, got[id], w)
			}
		}
		for _, i := range h.End(Mark{}) {
			t.Fatalf("seed %d: at the end %s", seed, describe(i))
		}
	}
	if waited < 500 {
		t.Errorf("%d sections waited", waited)
	}
}

// The static table, and what needs no dynamic one, is the same for quic-go's QPACK.
func TestQPACKLikeQUICGo(t *testing.T) {
	for i, want := range qpackStatic {
		next := qpack.NewDecoder().Decode(prefixed([]byte{0, 0}, 0xc0, 6, uint64(i)))
		if f, err := next(); err != nil || f.Name != want.Name || f.Value != want.Value {
			t.Errorf("entry %d is %v, %v, and %v here", i, f, err, want)
		}
	}
	var list string
	var section bytes.Buffer
	enc := qpack.NewEncoder(&section)
	for _, f := range []Field{{":method", "GET"}, {":path", "/a?b"}, {"cookie", "a=b"}, {"x-long", strings.Repeat("long ", 100)}, {"age", ""}} {
		list += f.Name + "\t" + f.Value + "\n"
		if err := enc.WriteField(qpack.HeaderField{Name: f.Name, Value: f.Value}); err != nil {
			t.Fatal(err)
		}
	}
	items := NewH3().Feed(0, 0, h3Frame(h3Headers, section.Bytes()), true, Mark{})
	if len(items) != 1 || fieldList(items[0].Body.(*Head)) != list {
		t.Errorf("%s", describe(items[0]))
	}
}
