package web

import (
	"fmt"
	"strings"
	"testing"
)

// streamed is bytes of one direction of a stream of QUIC.
type streamed struct {
	from   int
	stream uint64
	data   string
	fin    bool
}

// readH3 feeds a script in pieces of at most size bytes, ends it, and writes the items
// down one a line. The marks of each direction of a stream are where its bytes stand in it.
func readH3(h *H3, script []streamed, size int) []string {
	var out []string
	note := func(items []Item) {
		for _, i := range items {
			out = append(out, describe(i))
		}
	}
	type direction struct {
		from   int
		stream uint64
	}
	at := map[direction]int64{}
	for _, s := range script {
		d := direction{s.from, s.stream}
		if s.data == "" {
			note(h.Feed(s.from, s.stream, nil, s.fin, Mark{Start: at[d], End: at[d]}))
		}
		for left := s.data; left != ""; {
			n := min(size, len(left))
			piece := []byte(left[:n])
			left = left[n:]
			note(h.Feed(s.from, s.stream, piece, s.fin && left == "", Mark{Start: at[d], End: at[d] + int64(n)}))
			clear(piece) // it must not be kept
			at[d] += int64(n)
		}
	}
	note(h.End(Mark{}))
	if h.collected != 0 || h.previews != 0 {
		out = append(out, fmt.Sprintf("%d bytes are still collected, %d for previews", h.collected, h.previews))
	}
	return out
}

// sameH3InPieces checks that how the bytes are cut changes nothing.
func sameH3InPieces(t *testing.T, script []streamed) {
	t.Helper()
	want := strings.Join(readH3(NewH3(), script, 1<<30), "\n")
	for _, size := range []int{1, 2, 7, 1000} {
		if got := strings.Join(readH3(NewH3(), script, size), "\n"); got != want {
			t.Fatalf("in pieces of %d bytes\n%s\nat once\n%s", size, got, want)
		}
	}
}

func settings(list ...uint64) string {
	return "\x00" + string(h3Frame(h3Settings, varints(nil, list...)))
}

func frame(typ uint64, payload string) string { return string(h3Frame(typ, []byte(payload))) }

// block is a field section without the dynamic table, its fields given as "name", "value".
func block(fields ...string) string {
	b := []byte{0, 0}
	for i := 0; i < len(fields); i += 2 {
		b = literal(b, 0x20, 3, fields[i], i%4 == 0)
		b = literal(b, 0, 7, fields[i+1], i%4 == 2)
	}
	return string(b)
}

const getRoot = "\x00\x00\xd1\xd7\x50\x06x.test\xc1" // GET https x.test / by the static table

var http3Cases = []struct {
	name   string
	script []streamed
	want   []string
}{
	{"a request and its answer with trailers", []streamed{
		{0, 2, settings(1, 4096, 7, 16, 0x33, 1, 0x21+0x1f*5, 9), false},
		{1, 3, settings(6, 16384) + frame(h3GoAway, "\x04"), false},
		{0, 0, frame(h3Headers, getRoot), true},
		{1, 0, frame(h3Headers, block(":status", "103", "link", "</a>")) + frame(h3Headers, block(":status", "200", "content-type", "text/plain")), false},
		{1, 0, frame(h3Data, "hel") + frame(0x21+0x1f*7, "grease") + frame(h3Data, "") + frame(h3Data, "lo"), false},
		{1, 0, frame(h3Headers, block("x-sum", "42")), true},
	}, []string{
		`0[0,1) STREAM #2 flags=0 ack=false len=1 [{"type" "control"}]`,
		`0[1,13) SETTINGS #2 flags=0 ack=false len=10 [{"QPACK_MAX_TABLE_CAPACITY" "4096"} {"QPACK_BLOCKED_STREAMS" "16"} {"H3_DATAGRAM" "1"} {"reserved 0xbc" "9"}]`,
		`1[0,1) STREAM #3 flags=0 ack=false len=1 [{"type" "control"}]`,
		`1[1,8) SETTINGS #3 flags=0 ack=false len=5 [{"MAX_FIELD_SECTION_SIZE" "16384"}]`,
		`1[8,11) GOAWAY #3 flags=0 ack=false len=1 [{"stream" "4"}]`,
		`0[0,15) HTTP/3 #0 GET / x.test 0  [] odd=[] ends=true`,
		`1[0,25) HTTP/3 #0 GET   103  [{"link" "</a>"}] odd=[] ends=true`,
		`1[25,61) HTTP/3 #0 GET   200  [{"content-type" "text/plain"}] odd=[] ends=false`,
		`1[66,75) reserved 0xfa #0 flags=0 ack=false len=6 []`,
		`1[61,93) body #0 req=false len=5 frames  text/plain "hello" err="" trailers=[{"x-sum" "42"}] complete=true`,
	}},
}

func TestHTTP3(t *testing.T) {
	for _, tt := range http3Cases {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := strings.Join(readH3(NewH3(), tt.script, 1<<20), "\n"), strings.Join(tt.want, "\n"); got != want {
				t.Fatalf("got\n%s\nwant\n%s", got, want)
			}
			sameH3InPieces(t, tt.script)
		})
	}
}
