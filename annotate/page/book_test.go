package page

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"explainer/annotate/event"
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
