package page

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

func scratch(t *testing.T) func() (*os.File, error) {
	return func() (*os.File, error) { return os.Create(filepath.Join(t.TempDir(), "book")) }
}

// TestRing: whatever is written, what is still there is read as it was, each record finds the one
// that it is chained to, and nothing is told of what had to give way.
func TestRing(t *testing.T) {
	r := ring{open: scratch(t), size: 4 * ringBuffer}
	defer func() { r.close() }()
	var places []place
	var records [][]byte
	last := place(0)
	for i := range 3000 {
		record := make([]byte, (i*7919)%1500)
		for j := range record {
			record[j] = byte(i + j)
		}
		at, err := r.add(last, record)
		if err != nil {
			t.Fatal(err)
		}
		last = at
		places, records = append(places, at), append(records, record)
	}
	there := 0
	for i := len(places) - 1; i >= 0; i-- {
		before, record, err := r.get(places[i])
		if err == errGone {
			if there == 0 {
				t.Fatal("the last record is gone")
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(record, records[i]) || i > 0 && before != places[i-1] {
			t.Fatalf("record %d: %d bytes behind %d, %v", i, len(record), before, err)
		}
		there++
	}
	if n := int64(there) * 750; n < r.size*3/4 || n > r.size+ringBuffer {
		t.Errorf("%d records of 3000 are there", there)
	}
	if _, err := r.add(0, make([]byte, r.size)); err != errGone {
		t.Errorf("a record longer than the file: %v", err)
	}
}

// TestCoding: an event is read back as it was, with what its texts are in other languages.
func TestCoding(t *testing.T) {
	c := newCoding()
	for _, want := range []event.Event{{N: 1}, {N: 2, Kind: event.KindMessage, Brief: event.Text{English: "a", Of: &event.Phrase{ID: "x/y", Values: map[string]event.Text{"n": event.Plain("1")}}},
		Says: []event.Sentence{{ID: "s", Args: map[string]string{"a": "b"}, Values: map[string]event.Value{"a": {Text: event.Plain("c")}}}}, Tally: &event.Tally{Data: [2]int64{1, 2}}}} {
		got, err := c.decode([][]byte{append([]byte(nil), c.code(&want)...)})
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
}

// many tells of n sessions, each in some events, at most 30.
func many(b *Book, n, events int) {
	verdicts := []event.Verdict{event.AsTold, event.Unseen, event.Differently}
	number := 0
	for s := 1; s <= n; s++ {
		host := fmt.Sprintf("host-%d.example.test", s)
		for i := 30 - events; i < 30; i++ {
			number++
			e := event.Event{N: number, Kind: event.KindMessage, Session: s, Conn: s, From: "client", Host: host, Topic: event.TopicClientHello, Name: "ClientHello", Time: "2026-01-02T03:04:05.123456789Z",
				Says: []event.Sentence{{ID: "client-hello", Args: map[string]string{"version": "TLS 1.3"}, Text: "The client says hello."}}, Raw: strings.Repeat("01", 500),
				Steps: []event.StepMark{{Step: event.Steps[i%11], Verdict: verdicts[i%3]}}, Proofs: []event.Proof{{ID: fmt.Sprint("proof-", i%12), State: event.Proven}}}
			switch i {
			case 0:
				e.Kind = event.KindConnection
			case 28:
				e.Kind, e.Summary = event.KindSummary, &event.Summary{Legs: []event.Leg{{Conn: s, Title: event.Plain("TLS 1.3"), Agent: "curl"}}}
			case 29:
				e.Kind, e.Tally = event.KindEnd, &event.Tally{}
			}
			b.Event(&e)
		}
	}
}

// TestMany: two thousand sessions take little memory, their table comes in parts that lead on to each
// other, and beyond a bound the oldest are forgotten, which is said.
func TestMany(t *testing.T) {
	b := New(Options{Scratch: scratch(t), Keep: 16 << 20})
	defer b.Close()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	many(b, 2000, 30)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / 2000; n > 4<<10 {
		t.Errorf("a session takes %d bytes", n)
	}
	v := View{Book: b, Lang: words.English, Base: "/"}
	seen, last := 0, 0
	for older := 0; ; {
		p := v.table("", older, 0)
		for _, r := range p.Rows {
			if last != 0 && r.N != last-1 {
				t.Fatalf("session %d follows %d", r.N, last)
			}
			last = r.N
			seen++
		}
		if older = p.Older; older == 0 {
			break
		}
	}
	if seen != 2000 {
		t.Errorf("%d sessions are shown", seen)
	}
	for after := 1; after < 2000; {
		p := v.table("", 0, after)
		if len(p.Rows) == 0 || len(p.Rows) > rowsAtOnce || p.Rows[len(p.Rows)-1].N != after+1 {
			t.Fatalf("%d rows come after %d", len(p.Rows), after)
		}
		after = p.Rows[0].N
	}
	told := map[string]bool{}
	for version, rounds := 0, 0; len(told) < 2000; rounds++ {
		var out bytes.Buffer
		now, err := v.Since(&out, "", version)
		if err != nil || now <= version || rounds > 20 {
			t.Fatalf("since %d: %d, %v", version, now, err)
		}
		version = now
		for _, r := range regexp.MustCompile(`data-n="(\d+)"`).FindAllString(out.String(), -1) {
			told[r] = true
		}
	}
	if p := v.table("host:host-77.", 0, 0); len(p.Rows) != 1 || p.Rows[0].N != 77 {
		t.Errorf("%d rows fit", len(p.Rows))
	}
	if s := b.session(b.chapter(b.rows[2000])); len(s.Lines) != 28 || s.Lacks {
		t.Errorf("the last session has %d lines, lacks %t", len(s.Lines), s.Lacks)
	}
	if s := b.session(b.chapter(b.rows[1])); !s.Lacks {
		t.Error("the details of the first session gave way, and that is not said")
	}
	many(b, maxRows+10, 1)
	var out bytes.Buffer
	if err := v.Sessions(&out, "", 0); err != nil || len(b.rows) > maxRows || !strings.Contains(out.String(), "Older sessions are not in this table any more") {
		t.Errorf("%d rows, %v", len(b.rows), err)
	}
}

// TestFileOfMany: a file of a thousand sessions is small, has a row for each, and each row leads to
// a session that is there.
func TestFileOfMany(t *testing.T) {
	b := New(Options{Scratch: scratch(t), Keep: 1 << 30})
	defer b.Close()
	many(b, 1000, 30)
	for _, n := range []int{3, 500, 900} { // a kind of their own
		b.rows[n].kind = "other"
	}
	for n := 100; n < 200; n++ {
		b.rows[n].kind, b.rows[n].Trouble = "failed", &event.Trouble{}
	}
	var out bytes.Buffer
	if err := (View{Book: b, Lang: words.English}).File(&out, "many"); err != nil || out.Len() > 10<<20 {
		t.Fatalf("%v, %d bytes", err, out.Len())
	}
	file := out.String()
	for n := 1; n <= 1000; n++ {
		to := 1
		switch {
		case n == 3 || n == 500 || n == 900:
			to = 3
		case n >= 100 && n <= 100+fileFailures: // the first of its kind, and as many more
			to = n
		case n >= 100 && n < 200:
			to = 100
		}
		_, row, ok := strings.Cut(file, fmt.Sprintf(`id="r%d"`, n))
		if link := fmt.Sprintf(`href="#s%d"`, to); !ok || !strings.Contains(row[:min(2000, len(row))], link) {
			t.Errorf("the row of session %d does not lead to %s", n, link)
		}
		if there := strings.Contains(file, fmt.Sprintf(`id="s%d"`, n)); there != (to == n) {
			t.Errorf("session %d has its story here: %t", n, there)
		}
	}
}

// BenchmarkBook: an event of a busy proxy.
func BenchmarkBook(b *testing.B) {
	book := New(Options{Scratch: func() (*os.File, error) { return os.CreateTemp(b.TempDir(), "") }, Keep: 64 << 20})
	defer book.Close()
	b.ReportAllocs()
	for b.Loop() {
		many(book, 1, 30)
	}
}

// TestSurplus: a connection that its client hung up without a word failed, unless the client goes on
// beside it with the same host.
func TestSurplus(t *testing.T) {
	b := New(Options{Scratch: scratch(t), Keep: 1 << 20})
	defer b.Close()
	at := func(session int, e event.Event) {
		e.Session, e.Conn, e.Host = session, session, "a.test"
		b.Event(&e)
	}
	left := &event.Summary{Legs: []event.Leg{{Trouble: &event.Trouble{Step: event.Step4a}, Rows: []event.Row{{Step: event.Step4a, Verdict: event.Failed, Says: event.Sentence{ID: "step-4a-failed-silent"}}}}}}
	at(1, event.Event{Kind: event.KindSummary, Summary: left})
	at(1, event.Event{Kind: event.KindEnd, Tally: &event.Tally{}})
	at(2, event.Event{Kind: event.KindConnection})
	at(3, event.Event{Kind: event.KindSummary, Summary: left})
	if first, later := b.rows[1], b.rows[3]; !first.Failed() || first.Surplus || later.Failed() || !later.Surplus {
		t.Errorf("alone: %+v; beside another: %+v", first, later)
	}
}
