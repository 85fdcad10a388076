package web

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// streamed is bytes of one direction of a stream of QUIC.
type streamed struct {
	from   int
	stream uint64
	data   string
	fin    bool
	gap    uint64 // instead of data: bytes that are missing
	reset  bool   // instead of data: RESET_STREAM with H3_REQUEST_CANCELLED
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
		switch {
		case s.reset:
			note(h.Reset(s.from, s.stream, 0x10c, Mark{Start: at[d], End: at[d]}))
		case s.gap > 0:
			note(h.Gap(s.from, s.stream, s.gap, Mark{Start: at[d], End: at[d]}))
		case s.data == "":
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
		{from: 0, stream: 2, data: settings(1, 4096, 7, 16, 0x33, 1, 0x21+0x1f*5, 9)},
		{from: 1, stream: 3, data: settings(6, 16384) + frame(h3GoAway, "\x04")},
		{from: 0, stream: 0, data: frame(h3Headers, getRoot), fin: true},
		{from: 1, stream: 0, data: frame(h3Headers, block(":status", "103", "link", "</a>")) + frame(h3Headers, block(":status", "200", "content-type", "text/plain"))},
		{from: 1, stream: 0, data: frame(h3Data, "hel") + frame(0x21+0x1f*7, "grease") + frame(h3Data, "") + frame(h3Data, "lo")},
		{from: 1, stream: 0, data: frame(h3Headers, block("x-sum", "42")), fin: true},
	}, []string{
		`0[0,1) STREAM #2 len=1 [{"type" "control"}] `,
		`0[1,13) SETTINGS #2 len=10 [{"QPACK_MAX_TABLE_CAPACITY" "4096"} {"QPACK_BLOCKED_STREAMS" "16"} {"H3_DATAGRAM" "1"} {"reserved 0xbc" "9"}] `,
		`1[0,1) STREAM #3 len=1 [{"type" "control"}] `,
		`1[1,8) SETTINGS #3 len=5 [{"MAX_FIELD_SECTION_SIZE" "16384"}] `,
		`1[8,11) GOAWAY #3 len=1 [{"rejects-from-stream" "4"}] `,
		`0[0,15) HTTP/3 #0 GET / x.test 0  [] odd=[] ends=true`,
		`1[0,25) HTTP/3 #0 GET   103  [{"link" "</a>"}] odd=[] ends=true`,
		`1[25,61) HTTP/3 #0 GET   200  [{"content-type" "text/plain"}] odd=[] ends=false`,
		`1[66,75) reserved 0xfa #0 len=6 [] `,
		`1[61,93) body #0 req=false len=5 frames  text/plain "hello" err="" trailers=[{"x-sum" "42"}] complete=true`,
	}},
	{"pushed", []streamed{
		{from: 0, stream: 2, data: settings() + frame(h3MaxPushID, "\x08") + frame(h3CancelPush, "\x01")},
		{from: 0, stream: 0, data: frame(h3Headers, getRoot), fin: true},
		{from: 1, stream: 0, data: frame(h3Push, "\x03"+getRoot) + frame(h3Headers, "\x00\x00\xd9"), fin: true},
		{from: 1, stream: 7, data: "\x01\x03" + frame(h3Headers, "\x00\x00\xd9") + frame(h3Data, "style"), fin: true},
		{from: 0, stream: 6, data: "\x01\x04no"},
	}, []string{
		`0[0,1) STREAM #2 len=1 [{"type" "control"}] `,
		`0[1,3) SETTINGS #2 len=0 [] `,
		`0[3,6) MAX_PUSH_ID #2 len=1 [{"push" "8"}] `,
		`0[6,9) CANCEL_PUSH #2 len=1 [{"push" "1"}] `,
		`0[0,15) HTTP/3 #0 GET / x.test 0  [] odd=[] ends=true`,
		`1[0,16) PUSH_PROMISE #0 len=14 [{"push" "3"} {":method" "GET"} {":scheme" "https"} {":authority" "x.test"} {":path" "/"}] `,
		`1[16,21) HTTP/3 #0 GET   200  [] odd=[] ends=true`,
		`1[0,2) STREAM #7 len=2 [{"type" "push"} {"push" "3"}] `,
		`1[2,7) HTTP/3 #7 GET   200  [] odd=[] ends=false`,
		`1[7,14) body #7 req=false len=5 frames   "style" err="" trailers=[] complete=true`,
		`0[0,4) unparsed #6 4 "\x01\x04no" malformed-stream total=false`,
	}},
	{"tunnels and WebTransport", []streamed{
		{from: 0, stream: 0, data: frame(h3Headers, block(":method", "CONNECT", ":authority", "x.test:443"))},
		{from: 0, stream: 4, data: frame(h3Headers, block(":method", "CONNECT", ":protocol", "webtransport", ":scheme", "https", ":path", "/wt", ":authority", "x.test"))},
		{from: 1, stream: 4, data: frame(h3Headers, "\x00\x00\xd9")},
		{from: 0, stream: 8, data: "\x40\x41\x04hello", fin: true},
		{from: 1, stream: 8, data: "echo", fin: true},
		{from: 1, stream: 1, data: "\x40\x41\x04from the server"},
		{from: 1, stream: 5, data: frame(h3Headers, getRoot)},
		{from: 0, stream: 6, data: "\x40\x54\x04one way", fin: true},
		{from: 0, stream: 10, data: "\x21nothing", fin: true},
		{from: 0, stream: 14, data: "\x21", fin: true},
	}, []string{
		`0[0,39) HTTP/3 #0 CONNECT x.test:443 x.test:443 0  [] odd=[] ends=false`,
		`0[0,79) HTTP/3 #4 CONNECT /wt x.test 0  [] odd=[] ends=false`,
		`1[0,5) HTTP/3 #4 CONNECT   200  [] odd=[] ends=false`,
		`0[0,3) WEBTRANSPORT_STREAM #8 len=3 [{"session" "4"}] `,
		`0[3,8) unparsed #8 5 "hello" webtransport total=false`,
		`1[0,4) unparsed #8 4 "echo" webtransport total=false`,
		`1[0,3) WEBTRANSPORT_STREAM #1 len=3 [{"session" "4"}] `,
		`0[0,3) STREAM #6 len=3 [{"type" "WebTransport"} {"session" "4"}] `,
		`0[3,10) unparsed #6 7 "one way" webtransport total=false`,
		`0[0,1) STREAM #10 len=1 [{"type" "reserved 0x21"}] `,
		`0[1,8) unparsed #10 7 "nothing" unknown-stream total=false`,
		`0[0,1) STREAM #14 len=1 [{"type" "reserved 0x21"}] `,
		`0[38,39) body #0 req=true len=0 frames   "" err="" trailers=[] complete=false`,
		`1[3,18) unparsed #1 15 "from the server" webtransport total=false`,
		`0[78,79) body #4 req=true len=0 frames   "" err="" trailers=[] complete=false`,
		`1[4,5) body #4 req=false len=0 frames   "" err="" trailers=[] complete=false`,
		`1[0,15) unparsed #5 15 "\x01\r\x00\x00\xd1\xd7P\x06x.test\xc1" malformed-frame total=false`,
	}},
	{"priorities and origins", []streamed{
		{from: 0, stream: 2, data: settings(8, 1) + frame(h3PriorityRequest, "\x08u=1, i") + frame(h3PriorityPush, "\x01u=7")},
		{from: 1, stream: 3, data: settings() + frame(h3Origin, "\x00\x0ehttps://x.test\x00\x0ehttps://y.test") + frame(0x21, "") + frame(0x2f, strings.Repeat("x", 100))},
	}, []string{
		`0[0,1) STREAM #2 len=1 [{"type" "control"}] `,
		`0[1,5) SETTINGS #2 len=2 [{"ENABLE_CONNECT_PROTOCOL" "1"}] `,
		`0[5,17) PRIORITY_UPDATE #2 len=7 [{"prioritized-stream" "8"} {"priority" "u=1, i"}] `,
		`0[17,26) PRIORITY_UPDATE #2 len=4 [{"prioritized-push" "1"} {"priority" "u=7"}] `,
		`1[0,1) STREAM #3 len=1 [{"type" "control"}] `,
		`1[1,3) SETTINGS #3 len=0 [] `,
		`1[3,37) ORIGIN #3 len=32 [{"origin" "https://x.test"} {"origin" "https://y.test"}] `,
		`1[37,39) reserved 0x21 #3 len=0 [] `,
		`1[39,142) 0x2f #3 len=100 [] `,
	}},
	{"a section that waits for an insert, and what comes behind it", []streamed{
		{from: 1, stream: 3, data: settings(1, 220)},
		{from: 0, stream: 2, data: settings(1, 220)},
		{from: 1, stream: 7, data: "\x02\x3f\xbd\x01"},
		{from: 0, stream: 0, data: frame(h3Headers, getRoot), fin: true},
		{from: 1, stream: 0, data: frame(h3Headers, "\x03\x81\xd9\x10\x11") + frame(h3Data, "body") + frame(h3Headers, "\x04\x00\x80"), fin: true},
		{from: 1, stream: 7, data: "\x4a" + "custom-key" + "\x0c" + "custom-value"},
		{from: 1, stream: 7, data: "\x80\x01z" + "\x01"},
		{from: 0, stream: 6, data: "\x03\x80\x44\x01", fin: true},
	}, []string{
		`1[0,1) STREAM #3 len=1 [{"type" "control"}] `,
		`1[1,6) SETTINGS #3 len=3 [{"QPACK_MAX_TABLE_CAPACITY" "220"}] `,
		`0[0,1) STREAM #2 len=1 [{"type" "control"}] `,
		`0[1,6) SETTINGS #2 len=3 [{"QPACK_MAX_TABLE_CAPACITY" "220"}] `,
		`1[0,1) STREAM #7 len=1 [{"type" "QPACK encoder"}] `,
		`1[1,4) SET_DYNAMIC_TABLE_CAPACITY #7 len=3 [{"capacity" "220"}] `,
		`0[0,15) HTTP/3 #0 GET / x.test 0  [] odd=[] ends=true`,
		`1[4,28) INSERT_WITH_LITERAL_NAME #7 len=24 [{"index" "0"} {"custom-key" "custom-value"}] `,
		`1[28,31) INSERT_WITH_NAME_REFERENCE #7 len=3 [{"index" "1"} {"custom-key" "z"}] `,
		`1[0,7) HTTP/3 #0 GET   200  [{"custom-key" "custom-value"} {"custom-key" "z"}] odd=[] ends=false`,
		`1[31,32) DUPLICATE #7 len=1 [{"index" "2"} {"custom-key" "custom-value"}] `,
		`1[7,18) body #0 req=false len=4 frames   "body" err="" trailers=[{"custom-key" "custom-value"}] complete=true`,
		`0[0,1) STREAM #6 len=1 [{"type" "QPACK decoder"}] `,
		`0[1,2) SECTION_ACKNOWLEDGMENT #6 len=1 [{"stream" "0"}] `,
		`0[2,3) STREAM_CANCELLATION #6 len=1 [{"stream" "4"}] `,
		`0[3,4) INSERT_COUNT_INCREMENT #6 len=1 [{"increment" "1"}] `,
	}},
	{"inserts that never come", []streamed{
		{from: 0, stream: 2, data: settings(1, 220)},
		{from: 0, stream: 0, data: frame(h3Headers, "\x02\x00\x80"), fin: true},
		{from: 1, stream: 0, data: frame(h3Headers, "\x02\x00\x80") + frame(h3Data, "body") + frame(h3Headers, block("a", "b")), fin: true},
		{from: 1, stream: 4, data: frame(h3Headers, "\x02\x00\x80") + frame(h3Headers, "\x00\x00\xd9")},
		{from: 1, stream: 8, data: frame(h3Headers, "\x02\x00\x80"), fin: true},
		{from: 1, stream: 12, data: frame(h3Push, "\x00\x02\x00\x80")},
	}, []string{
		`0[0,1) STREAM #2 len=1 [{"type" "control"}] `,
		`0[1,6) SETTINGS #2 len=3 [{"QPACK_MAX_TABLE_CAPACITY" "220"}] `,
		`0[0,5) HEADERS #0 len=3 [] missing-settings`,
		`1[0,5) HEADERS #0 len=3 [{"required-insert-count" "1"} {"insert-count" "0"}] missing-insert`,
		`1[5,19) body #0 req=false len=4 frames   "" err="its head could not be read" trailers=[{"a" "b"}] complete=true`,
		`1[0,5) HEADERS #4 len=3 [{"required-insert-count" "1"} {"insert-count" "0"}] missing-insert`,
		`1[5,10) HTTP/3 #4    200  [] odd=[] ends=false`,
		`1[9,10) body #4 req=false len=0 frames   "" err="" trailers=[] complete=false`,
		`1[0,5) HEADERS #8 len=3 [{"required-insert-count" "1"} {"insert-count" "0"}] missing-insert`,
		`1[0,6) PUSH_PROMISE #12 len=4 [{"push" "0"} {"required-insert-count" "1"} {"insert-count" "0"}] missing-insert`,
	}},
	{"bytes that are missing", []streamed{
		{from: 0, stream: 2, data: settings(1, 220)},
		{from: 1, stream: 7, data: "\x02\x3f\xbd\x01\x4a" + "custom-key" + "\x0c" + "custom-value"},
		{from: 1, stream: 0, data: frame(h3Headers, "\x02\x00\xd9\x80") + "\x00\x06ab"},
		{from: 1, stream: 0, gap: 3},
		{from: 1, stream: 0, data: "z" + frame(h3Data, "!"), fin: true},
		{from: 0, stream: 4, data: "\x01\x20ab"},
		{from: 0, stream: 4, gap: 3},
		{from: 0, stream: 4, data: "never read", fin: true},
		{from: 1, stream: 7, gap: 1},
		{from: 1, stream: 8, data: frame(h3Headers, "\x02\x00\xd9\x80"), fin: true},
		{from: 1, stream: 12, data: frame(h3Headers, "\x00\x00\xd9"), fin: true},
	}, []string{
		`0[0,1) STREAM #2 len=1 [{"type" "control"}] `,
		`0[1,6) SETTINGS #2 len=3 [{"QPACK_MAX_TABLE_CAPACITY" "220"}] `,
		`1[0,1) STREAM #7 len=1 [{"type" "QPACK encoder"}] `,
		`1[1,4) SET_DYNAMIC_TABLE_CAPACITY #7 len=3 [{"capacity" "220"}] `,
		`1[4,28) INSERT_WITH_LITERAL_NAME #7 len=24 [{"index" "0"} {"custom-key" "custom-value"}] `,
		`1[0,6) HTTP/3 #0    200  [{"custom-key" "custom-value"}] odd=[] ends=false`,
		`1[6,14) missing=3 body #0 req=false len=7 frames   "ab" err="" trailers=[] complete=true`,
		`0[0,14) unparsed #4 14 "\x01 abnever read" after-gap total=false`,
		`1[0,6) HEADERS #8 len=4 [] missing-insert`,
		`1[0,5) HTTP/3 #12    200  [] odd=[] ends=true`,
	}},
	{"given up", []streamed{
		{from: 0, stream: 0, data: frame(h3Headers, getRoot), fin: true},
		{from: 1, stream: 0, data: frame(h3Headers, "\x00\x00\xd9") + "\x00\x06ab"},
		{from: 1, stream: 0, reset: true},
		{from: 0, stream: 4, data: "\x01"},
		{from: 0, stream: 4, reset: true},
		{from: 1, stream: 4, reset: true},
		{from: 0, stream: 8, data: frame(h3Headers, getRoot) + "\x00\x05ab", fin: true},
		{from: 0, stream: 12, data: frame(h3Headers, getRoot)},
		{from: 0, stream: 12, fin: true},
	}, []string{
		`0[0,15) HTTP/3 #0 GET / x.test 0  [] odd=[] ends=true`,
		`1[0,5) HTTP/3 #0 GET   200  [] odd=[] ends=false`,
		`1[5,9) body #0 req=false len=2 frames   "ab" err="" trailers=[] complete=false`,
		`1[9,9) RESET #0 len=0 [{"error" "H3_REQUEST_CANCELLED"}] `,
		`0[0,1) unparsed #4 1 "\x01" ended-early total=false`,
		`0[1,1) RESET #4 len=0 [{"error" "H3_REQUEST_CANCELLED"}] `,
		`1[0,0) RESET #4 len=0 [{"error" "H3_REQUEST_CANCELLED"}] `,
		`0[0,15) HTTP/3 #8 GET / x.test 0  [] odd=[] ends=false`,
		`0[15,19) body #8 req=true len=2 frames   "ab" err="" trailers=[] complete=false`,
		`0[0,15) HTTP/3 #12 GET / x.test 0  [] odd=[] ends=false`,
		`0[14,15) body #12 req=true len=0 frames   "" err="" trailers=[] complete=true`,
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

// What breaks the rules stops one direction of its stream, and nothing else.
func TestHTTP3Malformed(t *testing.T) {
	plain := "\x00\x00\xd9"
	for _, tt := range []struct {
		name   string
		from   int
		stream uint64
		data   string
		why    string
	}{
		{"DATA before HEADERS", 0, 8, frame(h3Data, "x"), "malformed-frame"},
		{"HEADERS behind trailers", 0, 8, frame(h3Headers, getRoot) + frame(h3Headers, block("a", "b")) + frame(h3Headers, block("a", "b")), "malformed-frame"},
		{"SETTINGS on a request's stream", 0, 8, frame(h3Settings, ""), "malformed-frame"},
		{"a frame of HTTP/2", 0, 8, frame(0x08, "\x00\x00\x00\x01"), "malformed-frame"},
		{"a promise of the client", 0, 8, frame(h3Push, "\x00"+getRoot), "malformed-frame"},
		{"a promise without a number", 1, 0, frame(h3Push, ""), "malformed-frame"},
		{"a control stream without SETTINGS", 1, 3, "\x00" + frame(h3GoAway, "\x00"), "malformed-frame"},
		{"SETTINGS twice", 1, 3, settings() + frame(h3Settings, ""), "malformed-frame"},
		{"SETTINGS of HTTP/2", 1, 3, settings(2, 1), "malformed-frame"},
		{"SETTINGS cut", 1, 3, "\x00" + frame(h3Settings, "\x01"), "malformed-frame"},
		{"HEADERS on a control stream", 1, 3, settings() + frame(h3Headers, plain), "malformed-frame"},
		{"MAX_PUSH_ID of the server", 1, 3, settings() + frame(h3MaxPushID, "\x00"), "malformed-frame"},
		{"GOAWAY with more behind", 1, 3, settings() + frame(h3GoAway, "\x00\x00"), "malformed-frame"},
		{"ORIGIN cut", 1, 3, settings() + frame(h3Origin, "\x00\x05abc"), "malformed-frame"},
		{"a second control stream", 0, 6, settings(), "malformed-stream"},
		{"a second encoder stream", 0, 14, "\x02", "malformed-stream"},
		{"a pushed stream of the client", 0, 18, "\x01\x00", "malformed-stream"},
		{"a section without a Base", 0, 8, frame(h3Headers, "\x00"), "malformed-qpack"},
		{"no entry of the static table", 0, 8, frame(h3Headers, "\x00\x00\xff\x24"), "malformed-qpack"},
		{"an entry behind those required", 0, 8, frame(h3Headers, "\x02\x00\x10"), "malformed-qpack"},
		{"an entry that is not required", 0, 8, frame(h3Headers, "\x00\x00\x80"), "malformed-qpack"},
		{"an entry that was evicted", 0, 8, frame(h3Headers, "\x02\x00\x80"), "malformed-qpack"},
		{"a Base below zero", 0, 8, frame(h3Headers, "\x02\x83\xd1"), "malformed-qpack"},
		{"more inserts than there can be", 0, 8, frame(h3Headers, "\x0e\x00\xd1"), "malformed-qpack"},
		{"a string that is cut", 0, 8, frame(h3Headers, "\x00\x00\x50\x06x"), "malformed-qpack"},
		{"no Huffman code", 0, 8, frame(h3Headers, "\x00\x00\x50\x81\x00"), "malformed-qpack"},
		{"an integer of more than 62 bits", 0, 8, frame(h3Headers, "\x00\x00\x3f"+strings.Repeat("\xff", 12)), "malformed-qpack"},
		{"an entry that the table has not", 0, 10, "\x02\x05", ""}, // see below
		{"a capacity beyond what is allowed", 0, 10, "\x02\x3f\xff\x01", ""},
		{"an increment of nothing", 0, 22, "\x03\x00", "malformed-qpack"},
		{"a head that is too long", 0, 8, string(varints(nil, h3Headers, maxHead+1)), "head-too-long"},
		{"a list that is too long", 0, 8, frame(h3Headers, "\x00\x00"+strings.Repeat("\xd1", 8000)), "head-too-long"},
		{"cut inside a head", 0, 8, "\x01\x05\x00", "ended-early"},
	} {
		h := NewH3()
		var items []Item
		feed := func(from int, stream uint64, data string, fin bool) {
			items = append(items, h.Feed(from, stream, []byte(data), fin, Mark{})...)
		}
		if tt.stream != 3 {
			feed(1, 3, settings(settingCapacity, 220), false)
		}
		feed(0, 2, settings(), false)
		// The table has 1 entry, and had another.
		encoder := uint64(10)
		if tt.why != "" {
			feed(0, encoder, "\x02\x3f\x0d"+"\x41a\x01b"+"\x41c\x01d", false)
		}
		items = nil
		feed(tt.from, tt.stream, tt.data, true)
		why := tt.why
		if why == "" {
			why = "malformed-qpack"
		}
		found := 0
		for _, i := range items {
			if u, ok := i.Body.(*Unparsed); ok {
				if found++; u.Why != why || u.Stream != tt.stream || i.From != tt.from {
					t.Errorf("%s: %+v", tt.name, u)
				}
			}
		}
		if found != 1 {
			t.Errorf("%s: %d observations", tt.name, found)
		}
		items = nil
		feed(0, 40, frame(h3Headers, getRoot), true)
		feed(1, 40, frame(h3Headers, plain), true)
		if len(items) != 2 {
			t.Errorf("%s: of another stream %d items", tt.name, len(items))
		}
	}
}

func TestHTTP3Datagrams(t *testing.T) {
	h := NewH3()
	for _, tt := range []struct{ data, want string }{
		{"\x02\x00payload", `0[0,0) DATAGRAM #8 len=8 [] `},
		{"\x40\x02", `0[0,0) DATAGRAM #8 len=0 [] `},
		{"", `0[0,0) unparsed #0 0 "" malformed-datagram total=false`},
		{"\xc0\x00", `0[0,0) unparsed #0 2 "\xc0\x00" malformed-datagram total=false`},
		{"\xff\xff\xff\xff\xff\xff\xff\xff", `0[0,0) unparsed #0 8 "\xff\xff\xff\xff\xff\xff\xff\xff" malformed-datagram total=false`},
	} {
		items := h.Datagram(0, []byte(tt.data), Mark{})
		if len(items) != 1 || describe(items[0]) != tt.want {
			t.Errorf("%q: %s", tt.data, describe(items[0]))
		}
	}
}

// Where inserts may have been missed, the same section could mean other entries. It waits until none can be.
func TestQPACKNeverGuesses(t *testing.T) {
	begin := func() *H3 {
		h := NewH3()
		h.Feed(1, 3, []byte(settings(settingCapacity, 64)), false, Mark{}) // 2 entries at most, so 4 values of the count
		h.Feed(0, 2, []byte("\x02\x3f\x21\x40\x00\x40\x00"), false, Mark{})
		return h
	}
	request := []byte(frame(h3Headers, "\x02\x00\xd1\x80")) // the entry 0, 4, 8, ...
	heads := func(items []Item) (n int) {
		for _, i := range items {
			if head, ok := i.Body.(*Head); ok && head.Method == "GET" {
				n++
			}
		}
		return n
	}
	for _, tt := range []struct {
		name string
		hint func(h *H3)
		then []byte // further inserts
		want int    // heads, once these came
	}{
		{"nothing missed", func(h *H3) {}, nil, 1},
		{"as many bytes ahead as may be", func(h *H3) { h.Ahead(0, 2, 2) }, nil, 1},
		{"more bytes ahead", func(h *H3) { h.Ahead(0, 2, 4) }, []byte("\x3f\x21\x3f\x21"), 1},
		{"more acknowledged than came", func(h *H3) { h.Feed(1, 7, []byte("\x03\x05"), false, Mark{}) }, []byte("\x40\x00\x00\x00"), 1},
		{"never", func(h *H3) { h.Ahead(0, 2, 3) }, nil, 0},
		{"a gap", func(h *H3) { h.Gap(0, 2, 1, Mark{}) }, []byte("\x00\x00\x00"), 0},
	} {
		h := begin()
		tt.hint(h)
		n := heads(h.Feed(0, 0, request, true, Mark{}))
		if n == 1 && tt.then != nil {
			t.Errorf("%s: guessed", tt.name)
		}
		n += heads(h.Feed(0, 2, tt.then, false, Mark{}))
		if n != tt.want {
			t.Errorf("%s: %d heads", tt.name, n)
		}
		unread := 0
		for _, i := range h.End(Mark{}) {
			if f, ok := i.Body.(*Frame); ok && f.Unread != "" {
				unread++
			}
		}
		if n+unread != 1 && tt.name != "a gap" { // which is told at once
			t.Errorf("%s: %d heads and %d unread", tt.name, n, unread)
		}
	}
}

// What one connection makes us hold is bounded.
func TestHTTP3Memory(t *testing.T) {
	h := NewH3()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for from := range 2 {
		h.Feed(from, uint64(2+from), []byte(settings(settingCapacity, 1<<60)), false, Mark{})
		h.Feed(from, uint64(6+from), append([]byte{streamEncoder}, prefixed(nil, 0x20, 5, maxTable)...), false, Mark{})
		// A full table, with an instruction that does not end.
		for range maxTable / 32 {
			h.Feed(from, uint64(6+from), []byte("\x40\x00"), false, Mark{})
		}
		h.Feed(from, uint64(6+from), prefixed(nil, 0x40, 5, maxTable-100), false, Mark{})
		h.Feed(from, uint64(6+from), make([]byte, maxTable-200), false, Mark{})
	}
	head := []byte(frame(h3Headers, block(":method", "POST", "content-encoding", "br")) + frame(h3Data, strings.Repeat("x", 8000)))
	wait := append(h3Frame(h3Headers, prefixed(nil, 0, 8, 40000)), 0)
	full := 0
	for id := uint64(0); id < 4*2*maxH3Streams; id += 4 {
		data := head
		switch id / 4 % 4 {
		case 1: // a head that does not end
			data = append(varints(nil, h3Headers, maxHead), make([]byte, 10_000)...)
		case 2: // a section that waits, and data behind it
			data = append(append(h3Frame(h3Headers, append(prefixed(nil, 0, 8, 40000), 0)), h3Frame(h3Data, nil)...), make([]byte, 5000)...)
		case 3:
			data = wait
		}
		for _, i := range h.Feed(0, id, data, false, Mark{}) {
			if u, ok := i.Body.(*Unparsed); ok && u.Why == "too-many-streams" {
				full++
			}
		}
	}
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	n := max(after.HeapAlloc, before.HeapAlloc) - before.HeapAlloc
	if runtime.KeepAlive(h); n > 20<<20 || n < 4<<20 || full != 1 {
		t.Errorf("%d bytes held, %d times too many streams", n, full)
	}
	t.Logf("%d bytes held", n)
	h.End(Mark{})
	if len(h.streams) != 0 || h.collected != 0 || h.previews != 0 {
		t.Errorf("%d streams are left, %d bytes collected, %d for previews", len(h.streams), h.collected, h.previews)
	}
}

// The middle of a large body costs no allocation.
func TestHTTP3NoAllocations(t *testing.T) {
	h := NewH3()
	h.Feed(0, 0, []byte(frame(h3Headers, getRoot)+frame(h3Data, strings.Repeat("x", 1000))), false, Mark{})
	data := h3Frame(h3Data, make([]byte, 1200))
	if n := testing.AllocsPerRun(100, func() { h.Feed(0, 0, data, false, Mark{}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// scripted makes a script of bytes that may be anything: a line of a few bits says which
// stream, and how many bytes of the rest are its.
func scripted(b []byte) (script []streamed) {
	for len(b) >= 2 {
		s := streamed{from: int(b[0] & 1), stream: uint64(b[0]>>1&3)*4 | uint64(b[0]>>3&3), fin: b[0]&0x20 != 0}
		if s.stream&2 != 0 { // a stream of one direction is its sender's
			s.stream = s.stream&^1 | uint64(s.from)
		}
		n := min(int(b[1]), len(b)-2)
		switch {
		case b[0]&0xc0 == 0xc0:
			s.reset, s.fin = true, false
			n = 0
		case b[0]&0x80 != 0:
			s.gap, s.fin = uint64(b[1])+1, false
			n = 0
		default:
			s.data = string(b[2 : 2+n])
		}
		b = b[2+n:]
		script = append(script, s)
	}
	// Nothing is fed after the end of a direction.
	over := map[streamed]bool{}
	kept := script[:0]
	for _, s := range script {
		d := streamed{from: s.from, stream: s.stream}
		if over[d] {
			continue
		}
		over[d] = s.fin || s.reset
		kept = append(kept, s)
	}
	return kept
}

// unscripted is the script as bytes.
func unscripted(script []streamed) (b []byte) {
	for _, s := range script {
		first := byte(s.from) | byte(s.stream>>2&3)<<1 | byte(s.stream&3)<<3
		if s.reset {
			b = append(b, first|0xc0, 0)
			continue
		}
		for data := s.data; data != "" || s.fin; {
			n := min(len(data), 255)
			if n == len(data) && s.fin {
				first |= 0x20
			}
			b = append(append(b, first, byte(n)), data[:n]...)
			if data = data[n:]; data == "" {
				break
			}
		}
		if s.gap > 0 {
			b = append(b, first|0x80, byte(s.gap-1))
		}
	}
	return b
}

func FuzzHTTP3(f *testing.F) {
	for _, tt := range http3Cases {
		f.Add(unscripted(tt.script))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		script := scripted(b)
		want := readH3(NewH3(), script, 1<<20)
		got := readH3(NewH3(), script, 1+len(b)%7)
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w || strings.Contains(w, "still collected") {
			t.Fatalf("in pieces\n%s\nat once\n%s", g, w)
		}
	})
}

// FuzzQPACK reads anything as the instructions of an encoder and as sections that follow.
func FuzzQPACK(f *testing.F) {
	f.Add([]byte("\x3f\xbd\x01\xc0\x0fwww.example.com\xc1\x0c/sample/path"), []byte("\x03\x81\x10\x11"), uint16(220))
	f.Add([]byte("\x3f\xbd\x01\x4acustom-key\x0ccustom-value\x00\x80\x01z"), []byte("\x04\x00\x80\xc1\x81\x40\x01a\x23abc\x01d"), uint16(220))
	f.Add([]byte("\x20\x3f\x01\x40\x00\x40\x00"), []byte("\x00\x00\x51\x84\xff\xff\xff\xff"), uint16(64))
	f.Fuzz(func(t *testing.T, instructions, lines []byte, capacity uint16) {
		script := []streamed{
			{from: 1, stream: 3, data: settings(settingCapacity, uint64(capacity))},
			{from: 0, stream: 0, data: string(h3Frame(h3Headers, lines)), fin: true},
			{from: 0, stream: 2, data: "\x02" + string(instructions)},
			{from: 0, stream: 4, data: string(h3Frame(h3Headers, lines)), fin: true},
		}
		h := NewH3()
		want := readH3(h, script, 1<<20)
		table := &h.sides[0].table
		size := uint64(0)
		for _, e := range table.entries {
			size += entrySize(e)
		}
		if size != table.size || size > table.capacity || table.capacity > uint64(capacity) {
			t.Fatalf("a table of %d bytes, %d counted, of %d", size, table.size, table.capacity)
		}
		if got := readH3(NewH3(), script, 1); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("in pieces\n%s\nat once\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}
