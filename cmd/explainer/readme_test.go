package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReadmesAlike: the README in Chinese has the commands of the one in English, in its order.
func TestReadmesAlike(t *testing.T) {
	english, chinese := readme(t, "README.md"), readme(t, "README.zh.md")
	if have, want := strings.Join(chinese.commands(), "\n"), strings.Join(english.commands(), "\n"); have != want {
		t.Errorf("README.zh.md has the commands\n%s\n\nREADME.md\n%s", have, want)
	}
	for _, pattern := range []string{"`[^`]+`", `\]\([^)]+\)`, `(?m)^#+ `} {
		find := regexp.MustCompile(pattern)
		have, want := find.FindAllString(string(chinese), -1), find.FindAllString(string(english), -1)
		for _, s := range have {
			if !slices.Contains(want, s) && s != "](README.md)" && s != "`LANG=zh_CN.UTF-8`" {
				t.Errorf("README.zh.md has %s, which README.md has not", s)
			}
		}
		for _, s := range want {
			if !slices.Contains(have, s) && s != "](README.zh.md)" {
				t.Errorf("README.zh.md has no %s", s)
			}
		}
	}
}

// TestReadmes runs what both READMEs show, and looks for what they say that it prints.
func TestReadmes(t *testing.T) {
	t.Parallel()
	for file, locale := range map[string]string{"README.md": "C", "README.zh.md": "zh_CN.UTF-8"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			env := append(explainerCmd(t).Env, "LC_ALL="+locale)
			dir := t.TempDir()
			prints := func(command string) string {
				cmd := exec.Command("sh", "-c", strings.Replace(command, "go run ./cmd/explainer", "explainer", 1))
				cmd.Env, cmd.Dir = env, dir
				out, _ := cmd.CombinedOutput() // check gives 3 where a client leaks
				return string(out)
			}
			if out := prints("explainer demo"); !strings.Contains(out, "rsa.explainer.test") {
				t.Fatal(out)
			}
			for command, shown := range readme(t, file).sessions() {
				out := prints(command)
				rest := ofEachRun(out)
				for _, part := range strings.Split(shown, "...") {
					part = ofEachRun(part)
					_, after, ok := strings.Cut(rest, part)
					if !ok {
						t.Errorf("%s does not print\n%s\nbut\n%s", command, part, out)
						break
					}
					rest = after
				}
			}
		})
	}
}

// volatile is what differs between two runs, or is laid out otherwise: CAs' names, numbers, times, rules.
var volatile = regexp.MustCompile(`\b[0-9a-f]{8}\b|[0-9][0-9.:-]*(?: m?s\b| 毫?秒)?|=+|\s+`)

// ofEachRun is what an output has in each run.
func ofEachRun(s string) string {
	return volatile.ReplaceAllStringFunc(s, func(m string) string {
		switch {
		case strings.TrimSpace(m) == "":
			return ""
		case m[0] == '=':
			return "="
		}
		return "0"
	})
}

// A readmeText is the text of a README.
type readmeText string

func readme(t *testing.T, file string) readmeText {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", file))
	if err != nil {
		t.Fatal(err)
	}
	return readmeText(b)
}

// code are the blocks of code, by line.
func (r readmeText) code() (blocks [][]string) {
	inside := false
	for line := range strings.Lines(string(r)) {
		text, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		switch {
		case ok && inside:
			blocks[len(blocks)-1] = append(blocks[len(blocks)-1], text)
		case ok:
			blocks = append(blocks, []string{text})
			inside = true
		case strings.TrimSpace(line) != "":
			inside = false
		}
	}
	return blocks
}

// described is what stands behind a command to say what it does.
var described = regexp.MustCompile(`\s{2,}.*| [^ -~].*`)

// commands are the commands without what is said of them.
func (r readmeText) commands() (out []string) {
	for _, block := range r.code() {
		if command, ok := strings.CutPrefix(block[0], "$ "); ok {
			out = append(out, command)
			continue
		}
		for _, line := range block {
			command := described.ReplaceAllString(line, "")
			if strings.HasPrefix(line, "explainer run --observe -- CMD ") {
				command = "explainer run --observe -- CMD" // too long for its column
			}
			out = append(out, command)
		}
	}
	return out
}

// sessions are the commands whose output is shown, with it.
func (r readmeText) sessions() map[string]string {
	out := map[string]string{}
	for _, block := range r.code() {
		if command, ok := strings.CutPrefix(block[0], "$ "); ok {
			out[command] = strings.Join(block[1:], "\n")
		}
	}
	return out
}
