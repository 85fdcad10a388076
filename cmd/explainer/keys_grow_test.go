package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"explainer/capture/keys"
)

// TestKeyLogGrows: a key log that is not there yet, that ends inside a line, and that gets
// more lines is read as it grows; what is there twice is not, and what is wrong is said at the end.
func TestKeyLogGrows(t *testing.T) {
	name := filepath.Join(t.TempDir(), "keys")
	var said bytes.Buffer
	r := &logReader{said: &said, logs: []*keyLog{{name: name, bad: map[keys.Bad]int{}}}}
	var got []string
	read := func(last bool, want ...string) {
		t.Helper()
		got = nil
		if err := r.read(func(s keys.Secret) { got = append(got, fmt.Sprintf("%x", s.ClientRandom[:1])) }, last); err != nil {
			t.Fatal(err)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("read %q, want %q", got, want)
		}
	}
	write := func(s string) {
		t.Helper()
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(s); err != nil {
			t.Fatal(err)
		}
	}
	line := func(n int) string {
		return "CLIENT_RANDOM " + strings.Repeat(fmt.Sprintf("%02x", n), 32) + " " + strings.Repeat("ab", 48)
	}
	read(false)
	read(false)
	write(line(1) + "\n" + line(2)[:70])
	read(false, "01")
	read(false)
	write(line(2)[70:] + "\r\nnot a line\n" + line(3) + "\n")
	read(false, "02", "03")
	write(line(4))
	read(false)
	read(true, "04")
	want := "explainer: key log " + name + " holds no line yet: those that come are read while the capture is\n" +
		"explainer: key log " + name + ": 1 line skipped that hold no key (no label in it, such as CLIENT_RANDOM or CLIENT_TRAFFIC_SECRET_0), 4 lines read\n"
	if said.String() != want {
		t.Errorf("said %q, want %q", &said, want)
	}
}
