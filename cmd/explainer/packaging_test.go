package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPackaging: what .goreleaser.yaml names is there, or made by packaging/generate, and every file under packaging/ is used.
// The binaries of three systems are built by .ci/run.
func TestPackaging(t *testing.T) {
	t.Parallel()
	// Debian's mitmproxy brings this reader of YAML; Go has none of its own.
	cmd := exec.Command("/usr/bin/python3", "-c", `
import json, sys
from ruamel.yaml import YAML
json.dump([YAML(typ="safe").load(open(f)) for f in sys.argv[1:]], sys.stdout)`, "../../.goreleaser.yaml", "../../.github/workflows/ci.yml")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err, string(out))
	}
	var files [2]map[string]any
	if err := json.Unmarshal(out, &files); err != nil {
		t.Fatal(err)
	}
	if files[0]["version"] != float64(2) || !strings.Contains(string(out), `"run": ".ci/run"`) {
		t.Errorf("%s", out)
	}
	config, err := os.ReadFile("../../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	generate, err := os.ReadFile("../../packaging/generate")
	if err != nil {
		t.Fatal(err)
	}
	var named func(v any)
	named = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, of := range v {
				if path, is := of.(string); is && (key == "src" || key == "dockerfile" || key == "main") {
					named([]any{path})
					continue
				}
				named(of)
			}
		case []any:
			for _, of := range v {
				path, is := of.(string)
				if !is {
					named(of)
					continue
				}
				if !strings.Contains(path, "/") && !strings.HasSuffix(path, ".md") || strings.HasPrefix(path, "linux/") {
					continue
				}
				base := filepath.Base(path)
				made := strings.HasPrefix(path, "packaging/made/") && (base == "*" || strings.Contains(string(generate), base) ||
					strings.Contains(string(generate), "explainer.$shell") && strings.HasPrefix(base, "explainer."))
				if found, _ := filepath.Glob(filepath.Join("../..", path)); len(found) == 0 && !made {
					t.Errorf(".goreleaser.yaml names %s, which is not there", path)
				}
			}
		}
	}
	named(files[0])
	here, _ := filepath.Glob("../../packaging/*")
	for _, p := range here {
		if name := filepath.Base(p); name != "made" && !strings.Contains(string(config), "packaging/"+name) {
			t.Errorf("nothing uses packaging/%s", name)
		}
	}
	// What the pages link to comes with them, in archives and packages.
	_, archives, _ := strings.Cut(string(config), "\n    files: [")
	archives, _, _ = strings.Cut(archives, "]")
	packed := map[string][]string{"archives": strings.Split(archives, ", ")}
	for _, content := range regexp.MustCompile(`\{src: (.*), dst: /usr/share/doc/explainer/(.*)\}`).FindAllStringSubmatch(string(config), -1) {
		if strings.HasSuffix(content[2], "/") {
			content[2] += filepath.Base(content[1])
		}
		packed["packages"] = append(packed["packages"], content[2])
	}
	for _, page := range pages(t) {
		text, err := os.ReadFile(filepath.Join("../..", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range regexp.MustCompile(`\]\(([^):#]+)[^):]*\)`).FindAllStringSubmatch(string(text), -1) {
			to := filepath.Join(filepath.Dir(page), link[1])
			for where, files := range packed {
				if !slices.ContainsFunc(files, func(f string) bool { in, _ := filepath.Match(f, to); return in }) {
					t.Errorf("%s links to %s, which is not in the %s", page, to, where)
				}
			}
		}
	}
	unit, err := os.ReadFile("../../packaging/explainer.service")
	if err != nil {
		t.Fatal(err)
	}
	_, start, _ := strings.Cut(string(unit), "ExecStart=/usr/bin/")
	start, _, _ = strings.Cut(start, "\n")
	if help := explainerCmd(t, "proxy", "--help"); !strings.HasPrefix(start, "explainer proxy ") {
		t.Error(start)
	} else if known, err := help.Output(); err != nil {
		t.Error(err)
	} else {
		for _, word := range strings.Fields(start)[2:] {
			if strings.HasPrefix(word, "-") && !strings.Contains(string(known), word) {
				t.Errorf("the unit has the option %s, which proxy has not", word)
			}
		}
	}
}
