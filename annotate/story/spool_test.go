package story

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestSpool gives back what it was given, from memory and from its file.
func TestSpool(t *testing.T) {
	s := spool{scratch: func() (*os.File, error) { return os.CreateTemp(t.TempDir(), "") }}
	defer s.Close()
	var at []int64
	var want []string
	for i := range 200 {
		text := strings.Repeat(string(rune('a'+i%26)), 1+i*1000)
		n, err := s.add(i%3, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		at, want = append(at, n), append(want, text)
	}
	if s.file == nil {
		t.Fatal("all of it in memory")
	}
	for i := range at {
		var got bytes.Buffer
		if err := s.copy(&got, at[i]); err != nil || got.String() != want[i] {
			t.Fatalf("text %d: %d bytes of %d: %v", i, got.Len(), len(want[i]), err)
		}
	}
	var got bytes.Buffer
	if err := s.each(&got, func(session int) bool { return session == 1 }); err != nil {
		t.Fatal(err)
	}
	var chosen strings.Builder
	for i, text := range want {
		if i%3 == 1 {
			chosen.WriteString(text)
		}
	}
	if got.String() != chosen.String() {
		t.Errorf("%d bytes of session 1, want %d", got.Len(), chosen.Len())
	}
}
