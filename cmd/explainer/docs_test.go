package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDocs runs what the pages of docs/ show behind a $, each page in a folder and a network of its own,
// and looks for what they say that it prints.
func TestDocs(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"my-app-fails.md", "phone-and-lan.md", "containers.md", "wireshark.md", "service.md", "teach.md", "teach.zh.md"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			runPage(t, page)
		})
	}
}

// TestDocsIndex: the index names each page, and pages in Chinese have the commands of those in English.
func TestDocsIndex(t *testing.T) {
	index := string(readme(t, "docs/README.md"))
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if name := filepath.Base(p); name != "README.md" && !strings.Contains(index, "("+name+")") {
			t.Errorf("docs/README.md does not name %s", name)
		}
		if of, is := strings.CutSuffix(p, ".zh.md"); is {
			// What the clients say is the same in my-app-fails.zh.md, which is therefore not run once more.
			shown := filepath.Base(p) == "my-app-fails.zh.md"
			chinese, english := typedIn(t, p, shown), typedIn(t, of+".md", shown)
			if !slices.Equal(chinese, english) {
				t.Errorf("%s has the commands\n%s\nin English they are\n%s", p, strings.Join(chinese, "\n"), strings.Join(english, "\n"))
			}
		}
	}
}

// typedIn is what is typed on a page, and with shown what it shows of what is printed.
func typedIn(t *testing.T, path string, shown bool) (typed []string) {
	for _, c := range pageCommands(t, filepath.Base(path)) {
		typed = append(typed, c.typed)
		if shown {
			typed = append(typed, c.shown...)
		}
	}
	return typed
}

// A pageCommand is what is typed on a page, and what is shown below it.
type pageCommand struct {
	typed string
	shown []string
}

// pageCommands are the commands of a page. What else stands in a block must be marked as not run, or be a file.
func pageCommands(t *testing.T, page string) (commands []pageCommand) {
	for _, block := range readme(t, "docs/"+page).code() {
		for i, line := range block {
			line = strings.TrimPrefix(line, strings.Repeat(" ", len(block[0])-len(strings.TrimLeft(block[0], " "))))
			if i == 0 && (strings.HasPrefix(line, "# not run") || strings.HasPrefix(line, "[")) {
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
	return commands
}

func runPage(t *testing.T, page string) {
	commands := pageCommands(t, page)
	// Of an own network and what names networks: ports and addresses are as the page has them.
	var script strings.Builder
	script.WriteString(`
mount -t tmpfs none /run && mkdir /run/netns
ip link set lo up
ip addr add 192.0.2.1/24 dev lo
ip addr add 192.0.2.2/32 dev lo
`)
	for i, c := range commands {
		fmt.Fprintf(&script, "echo; echo '<<<%d>>>'\n%s\n", i, c.typed)
		if strings.HasSuffix(c.typed, "&") { // a proxy, which then listens
			fmt.Fprintf(&script, "until grep -q listening said.txt || ! kill -0 $!; do :; done\n")
		}
	}
	script.WriteString("\nfor p in $(jobs -p); do kill $p; done; wait\n")
	locale := "C"
	if strings.HasSuffix(page, ".zh.md") {
		locale = "zh_CN.UTF-8"
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "-n", "-m", "bash", "-c", script.String())
	cmd.Dir = t.TempDir()
	cmd.Env = append(explainerCmd(t).Env, "LC_ALL="+locale, "HOME="+cmd.Dir, "EXPLAINER_HOME="+filepath.Join(cmd.Dir, ".config", "explainer"))
	if unit, err := filepath.Abs("../../packaging"); err == nil {
		cmd.Env = append(cmd.Env, "PACKAGING="+unit)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Run() // what fails shows in what is printed
	if os.Getenv("SHOW_DOCS") != "" {
		t.Log(out.String())
	}
	for i, c := range commands {
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
