package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
)

// notRun are the blocks of the pages that are not run, with the reason that their first line gives.
var notRun = map[string]string{
	"docs/break-it.md":   "not run: packets of your own capture",
	"docs/check.md":      "not run: your own program",
	"docs/containers.md": "not run: Docker's command line",
	"docs/faults.md":     "not run: a browser with a window",
	"docs/grade.md":      "not run: another proxy",
	"docs/http3.md":      "not run: a browser with a window",
	"docs/service.md":    "not run: needs systemd",
	"docs/wireshark.md":  "not run: needs the rights to capture",
}

// TestDocs runs what the READMEs and the pages of docs/ show behind a $, each page in a folder and a network of its own,
// and looks for what they say that it prints. What a page in Chinese shows otherwise is run once more, in Chinese.
func TestDocs(t *testing.T) {
	t.Parallel()
	dir := built(t)
	left := maps.Clone(notRun)
	for _, page := range pages(t) {
		commands, reason := pageCommands(t, page)
		if reason != left[page] {
			t.Errorf("%s has a block that is %q, expected %q", page, reason, left[page])
		}
		delete(left, page)
		if strings.HasSuffix(page, ".zh.md") || len(commands) == 0 {
			continue
		}
		var chinese []pageCommand
		if other := strings.TrimSuffix(page, ".md") + ".zh.md"; slices.Contains(pages(t), other) {
			if chinese, _ = pageCommands(t, other); len(chinese) != len(commands) {
				t.Errorf("%s has %d commands, %s %d", page, len(commands), other, len(chinese))
				continue
			}
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			runPage(t, dir, commands, chinese)
		})
	}
	for page := range left {
		t.Errorf("%s has no block that is not run", page)
	}
}

// pages are the READMEs and what stands in docs/, by their paths from the top.
func pages(t *testing.T) (all []string) {
	for _, pattern := range []string{"../../README*.md", "../../docs/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		for _, f := range found {
			all = append(all, strings.TrimPrefix(f, "../../"))
		}
	}
	return all
}

// TestDocsIndex: the index names each page.
func TestDocsIndex(t *testing.T) {
	index := string(readPage(t, "docs/README.md"))
	for _, p := range pages(t) {
		if name, is := strings.CutPrefix(p, "docs/"); is && name != "README.md" && !strings.Contains(index, "("+name+")") {
			t.Errorf("docs/README.md does not name %s", name)
		}
	}
}

// TestDocsAlike: a page in Chinese names what the page in English names.
func TestDocsAlike(t *testing.T) {
	for _, p := range pages(t) {
		of, is := strings.CutSuffix(p, ".zh.md")
		if !is {
			continue
		}
		chinese, english := readPage(t, p), readPage(t, of+".md")
		for _, pattern := range []string{"`[^`\n]+`", `\]\([^)]+\)`, `(?m)^#+ `, `(?m)^ +\$ .*`} {
			find := func(text pageText) (found []string) {
				for _, s := range regexp.MustCompile(pattern).FindAllString(string(text), -1) {
					s = strings.Replace(s, ".zh.", ".", 1)
					if s != "`LANG=zh_CN.UTF-8`" { // said of the language itself
						found = append(found, s)
					}
				}
				if pattern[0] != '(' {
					slices.Sort(found)
					found = slices.Compact(found)
				}
				return found
			}
			have, want := find(chinese), find(english)
			for _, s := range have {
				if !slices.Contains(want, s) {
					t.Errorf("%s has %s, which the page in English has not", p, s)
				}
			}
			for _, s := range want {
				if !slices.Contains(have, s) {
					t.Errorf("%s has no %s", p, s)
				}
			}
			if pattern[0] == '(' && !slices.Equal(have, want) {
				t.Errorf("%s has\n%s\nin English they are\n%s", p, strings.Join(have, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}

// TestDocsLead: each link of the pages leads to a file that is there.
func TestDocsLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
	for _, p := range append(pages(t), "SECURITY.md", "CHANGELOG.md") {
		for _, l := range link.FindAllStringSubmatch(string(readPage(t, p)), -1) {
			if strings.Contains(l[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join("../..", filepath.Dir(p), l[1])); err != nil {
				t.Errorf("%s leads to %s: %v", p, l[1], err)
			}
		}
	}
}

// TestDocsOptions: commands and options that the pages name within a line are those of the program.
func TestDocsOptions(t *testing.T) {
	known := map[string]string{}
	for _, c := range newApp(words.English).Commands {
		for _, n := range c.Names() {
			known[n] = " -h --help "
			for _, of := range append([]*cli.Command{c}, c.Subcommands...) {
				for _, f := range of.Flags {
					for _, name := range f.Names() {
						known[n] += "-" + name + " --" + name + " "
					}
				}
			}
		}
	}
	span := regexp.MustCompile("`explainer ([a-z]+)([^`]*)`")
	for _, p := range append(pages(t), "SECURITY.md", "CHANGELOG.md") {
		for _, s := range span.FindAllStringSubmatch(string(readPage(t, p)), -1) {
			options, is := known[s[1]]
			if !is {
				t.Errorf("%s has the command %s", p, s[0])
			}
			own, _, _ := strings.Cut(s[2], " -- ")
			for _, word := range strings.Fields(own) {
				if strings.HasPrefix(word, "-") && len(word) > 2 && word != "--" && !strings.Contains(options, " "+word+" ") {
					t.Errorf("%s: %s has no %s", p, s[1], word)
				}
			}
		}
	}
}

// A pageCommand is what is typed on a page, and what is shown below it.
type pageCommand struct {
	typed string
	shown []string
}

// pageCommands are the commands of a page, and why a block is not run. An indented block holds commands and
// what they print; what else there is (files, pictures) stands between fences.
func pageCommands(t *testing.T, page string) (commands []pageCommand, reason string) {
	for _, block := range readPage(t, page).code() {
		for i, line := range block {
			line = strings.TrimPrefix(line, strings.Repeat(" ", len(block[0])-len(strings.TrimLeft(block[0], " "))))
			if i == 0 && strings.HasPrefix(line, "# ") {
				reason = strings.TrimPrefix(line, "# ")
				break
			}
			if typed, is := strings.CutPrefix(line, "$ "); is {
				commands = append(commands, pageCommand{typed: typed})
			} else if i > 0 {
				c := &commands[len(commands)-1]
				c.shown = append(c.shown, line)
			} else {
				t.Errorf("%s: %q is neither behind a $ nor marked as not run", page, line)
			}
		}
	}
	return commands, reason
}

// makeProgram is how the README says that the program is made; the pages run what it makes.
const makeProgram = "go build -o explainer ./cmd/explainer"

// built makes the program as the README says and returns the folder that it is in. Without
// the race detector it takes a third of the time.
func built(t *testing.T) (dir string) {
	dir = t.TempDir()
	build := exec.Command("bash", "-c", strings.Replace(makeProgram, "-o explainer", "-o "+dir+"/explainer", 1))
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	return dir
}

func runPage(t *testing.T, dir string, commands, chinese []pageCommand) {
	// Of an own network and what names networks: ports and addresses are as the page has them.
	var script strings.Builder
	script.WriteString(`
mount -t tmpfs none /run && mkdir /run/netns
ip link set lo up
ip addr add 192.0.2.1/24 dev lo
ip addr add 192.0.2.2/32 dev lo
`)
	var expected []pageCommand
	run := func(locale string, c pageCommand) {
		typed := c.typed
		if typed == makeProgram {
			typed = "true"
		}
		fmt.Fprintf(&script, "echo; echo '<<<%d>>>'\nexport LC_ALL=%s\n%s\n", len(expected), locale, typed)
		if strings.HasSuffix(typed, "&") { // a proxy, which then listens
			fmt.Fprintf(&script, "until grep -q listening said.txt || ! kill -0 $!; do sleep 0.05; done\n")
		}
		expected = append(expected, c)
	}
	for i, c := range commands {
		run("C", c)
		if i < len(chinese) && !slices.Equal(c.shown, chinese[i].shown) {
			run("zh_CN.UTF-8", chinese[i])
		}
	}
	script.WriteString("\nfor p in $(jobs -p); do kill $p; done; wait\n")
	cmd := exec.CommandContext(t.Context(), "unshare", "-n", "-m", "bash", "-c", script.String())
	cmd.Dir = t.TempDir()
	cmd.Env = append(explainerCmd(t).Env, "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+cmd.Dir,
		"EXPLAINER_HOME="+filepath.Join(cmd.Dir, ".config", "explainer"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Run() // what fails shows in what is printed
	if os.Getenv("SHOW_DOCS") != "" {
		t.Log(out.String())
	}
	for i, c := range expected {
		_, printed, _ := strings.Cut(out.String(), fmt.Sprintf("<<<%d>>>\n", i))
		printed, _, _ = strings.Cut(printed, fmt.Sprintf("\n<<<%d>>>\n", i+1))
		rest := ofEachRun(printed)
		for _, part := range strings.Split(strings.Join(c.shown, "\n"), "...") {
			_, after, ok := strings.Cut(rest, ofEachRun(part))
			if !ok {
				t.Errorf("%s does not print\n%s\nbut\n%s", c.typed, part, printed[:min(len(printed), 4000)])
				break
			}
			rest = after
		}
		if len(c.shown) > 0 && strings.Join(c.shown, "") != "" && !strings.Contains(strings.Join(c.shown, "\n"), "...") && strings.TrimSpace(rest) != "" {
			t.Errorf("%s prints more than is shown:\n%s", c.typed, printed)
		}
		if strings.Contains(printed, "explainer: hint: see explainer") || strings.Contains(printed, "command not found") {
			t.Errorf("%s:\n%s", c.typed, printed)
		}
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

// A pageText is the text of a page.
type pageText string

func readPage(t *testing.T, file string) pageText {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", file))
	if err != nil {
		t.Fatal(err)
	}
	return pageText(b)
}

// code are the indented blocks, by line; what stands between fences is none.
func (r pageText) code() (blocks [][]string) {
	inside, fenced := false, false
	for line := range strings.Lines(string(r)) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		text, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		switch {
		case fenced:
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
