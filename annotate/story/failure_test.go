package story

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/ca/roots"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

// TestWordsOf: the words of what rooms below find wrong are in English those of the error,
// and in Chinese they are Chinese.
func TestWordsOf(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	capture := func(text string) error {
		_, err := pcap.NewReader(strings.NewReader(text))
		return err
	}
	key := func(text string) error {
		_, err := keys.ParsePrivateKeys([]byte(text), func() ([]byte, error) { return []byte("wrong"), nil })
		return err
	}
	load := func(name string, change func(home string)) error {
		home := filepath.Join(dir, name)
		if _, err := ca.Load(home); err != nil {
			t.Fatal(err)
		}
		change(home)
		_, err := ca.Load(home)
		return err
	}
	file := func(path string) error {
		_, err := roots.File("", path)
		return err
	}
	tunnel := func(text string) error { return pcap.Ports{}.Add(text) }
	for name, err := range map[string]error{
		"empty":        capture(""),
		"short":        capture("ab"),
		"no capture":   capture("hello, world"),
		"cut":          capture("\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a"),
		"packed":       capture("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"),
		"tunnel":       tunnel("x"),
		"which tunnel": tunnel("53=x"),
		"no key":       key("hello"),
		"no key in it": key("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		"roots":        file(write("x.pem", "hello", 0o600)),
		"key lost":     load("lost", func(home string) { os.Remove(filepath.Join(home, ca.KeyFile)) }),
		"key loose":    load("loose", func(home string) { os.Chmod(filepath.Join(home, ca.KeyFile), 0o644) }),
		"folder loose": load("open", func(home string) { os.Chmod(home, 0o777) }),
		"key damaged":  load("key", func(home string) { write("key/"+ca.KeyFile, "hello", 0o600) }),
		"damaged":      load("damaged", func(home string) { write("damaged/"+ca.CertFile, "hello", 0o600) }),
		"other CA": load("one", func(home string) {
			if _, err := ca.Load(filepath.Join(dir, "two")); err != nil {
				t.Fatal(err)
			}
			other, err := os.ReadFile(filepath.Join(dir, "two", ca.CertFile))
			if err != nil {
				t.Fatal(err)
			}
			write("one/"+ca.CertFile, string(other), 0o600)
		}),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		text := WordsOf(err)
		if text.English != err.Error() {
			t.Errorf("%s: %s: %s", name, err, text.English)
		}
		if in := words.Chinese.In(text); !strings.ContainsFunc(in, func(r rune) bool { return unicode.Is(unicode.Han, r) }) || strings.Contains(in, words.Missing) {
			t.Errorf("%s: %s", name, in)
		}
	}
	if got := WordsOf(bytes.ErrTooLarge); got.English != bytes.ErrTooLarge.Error() || got.Of != nil {
		t.Errorf("an error of others: %v", got)
	}
	if err := FileError(event.Text{}, os.ErrNotExist); WordsOf(err).English != os.ErrNotExist.Error() {
		t.Errorf("without a path: %s", err)
	}
}
