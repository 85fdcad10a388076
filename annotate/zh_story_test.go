package annotate_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"explainer/annotate/text"
	"explainer/annotate/words"
)

// TestStoriesChinese: six of the golden stories as they are told in Chinese, in 80 columns.
func TestStoriesChinese(t *testing.T) {
	all := fixtures(t)
	for _, name := range []string{"tls13-full", "tls12-rsa", "tls12-resumed-ticket", "failed-expired", "mutual-tls13", "tls12-ecdhe"} {
		t.Run(name, func(t *testing.T) {
			tapes := all[name]
			if name == "tls12-ecdhe" { // this one without keys
				tapes = nil
				for _, tp := range all[name] {
					tapes = append(tapes, &tape{client: tp.client, server: tp.server, chunks: tp.chunks})
				}
			}
			var got bytes.Buffer
			b := text.NewBlocks(func(_ int, text []byte) error { _, err := got.Write(text); return err })
			b.Width, b.Lang = 80, words.Chinese
			es := events(messages(inputsOf(tapes)))
			for i := range es {
				if err := b.Event(&es[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.Finish(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "zh", name+".txt")
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("another story; go test -update writes it anew, and the difference is the review:\n%s", got.Bytes())
			}
		})
	}
}
