package main

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// TestPicture: the READMEs' pictures show what the program prints of the demo that is kept.
func TestPicture(t *testing.T) {
	t.Parallel()
	for file, language := range map[string]string{"../../docs/rsa.svg": "en", "../../docs/rsa.zh.svg": "zh"} {
		read := explainerCmd(t, "read", "--lang", language, "--color", "always", "--connection", "3", "../../annotate/story/testdata/demo.pcapng")
		read.Env = append(read.Env, "COLUMNS=110")
		printed, err := read.Output()
		if err != nil {
			t.Fatal(err)
		}
		draw := exec.Command("go", "run", "explainer/bench/picture", "explainer read --connection 3 demo.pcapng")
		draw.Stdin, draw.Stderr = bytes.NewReader(printed), os.Stderr
		drawn, err := draw.Output()
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(file, drawn, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(kept, drawn) {
			t.Errorf("%s is not what is printed now: go test ./cmd/explainer -run TestPicture -update", file)
		}
	}
}
