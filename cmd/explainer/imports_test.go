package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestImports holds the direction of imports: which of our rooms each room may
// use, and where the three libraries that shape the rooms are known.
func TestImports(t *testing.T) {
	rooms := map[string][]string{
		"explainer/ca/verify":             nil,
		"explainer/ca/roots":              {"explainer/ca/verify", "explainer/capture/worded"},
		"explainer/ca/install":            nil,
		"explainer/ca":                    {"explainer/ca/verify", "explainer/capture/worded"},
		"explainer/capture/handshake":     nil,
		"explainer/capture/fingerprint":   {"explainer/capture/handshake"},
		"explainer/capture/keys":          {"explainer/capture/worded"},
		"explainer/capture/quic":          {"explainer/capture/keys"},
		"explainer/capture/web":           nil,
		"explainer/capture":               {"explainer/capture/"},
		"explainer/capture/pcap":          {"explainer/capture"},
		"explainer/capture/pcap/pcaptest": {"explainer/capture"}, // for tests
		"explainer/capture/worded":        nil,
		"explainer/capture/printable":     nil,
		"explainer/annotate/mask":         nil,
		"explainer/annotate/event":        {"explainer/capture/printable"},
		"explainer/annotate/words":        {"explainer/annotate/event", "explainer/ca/verify"}, // whose reasons say what to cite
		"explainer/annotate/survey":       {"explainer/annotate/event", "explainer/annotate/words"},
		"explainer/annotate/rows":         {"explainer/annotate/event", "explainer/annotate/survey", "explainer/capture/printable"},
		"explainer/annotate/text":         {"explainer/annotate/event", "explainer/annotate/words", "explainer/capture/printable"},
		"explainer/annotate/exam":         {"explainer/annotate/event", "explainer/annotate/words"},
		"explainer/annotate/har":          {"explainer/annotate/event", "explainer/annotate/words", "explainer/capture/printable"},
		"explainer/annotate/qlog":         {"explainer/annotate/event", "explainer/annotate/words", "explainer/capture/printable"},
		"explainer/annotate/page":         {"explainer/annotate/event", "explainer/annotate/exam", "explainer/annotate/redo", "explainer/annotate/words", "explainer/capture/printable"},
		"explainer/annotate/redo":         {"explainer/annotate/event"},
		"explainer/annotate/steps":        {"explainer/annotate/event", "explainer/annotate/proof", "explainer/annotate/words", "explainer/ca", "explainer/capture"},
		"explainer/annotate/proof":        {"explainer/annotate/event", "explainer/annotate/mask", "explainer/annotate/words", "explainer/ca/verify", "explainer/capture"},
		"explainer/annotate":              {"explainer/annotate/proof", "explainer/annotate/steps", "explainer/annotate/event", "explainer/annotate/mask", "explainer/annotate/words", "explainer/ca", "explainer/capture"},
		"explainer/annotate/check":        {"explainer/annotate/event", "explainer/annotate/mask", "explainer/annotate/page", "explainer/annotate/text", "explainer/annotate/words", "explainer/ca", "explainer/capture"},
		"explainer/annotate/score":        {"explainer/annotate/event", "explainer/annotate/text", "explainer/annotate/words", "explainer/capture/printable"},
		"explainer/annotate/story":        {"explainer/annotate", "explainer/capture"},
		"explainer/proxy":                 {"explainer/annotate/event", "explainer/annotate/words", "explainer/ca", "explainer/capture"}, // words for its pages
		"explainer/proxy/drive":           nil,                                                                                           // for tests
		"explainer/proxy/origins":         nil,                                                                                           // tests alone
		"explainer/proxy/grade":           {"explainer/annotate/event", "explainer/annotate/score", "explainer/annotate/words", "explainer/ca", "explainer/capture"},
		"explainer/cmd/explainer":         {"explainer/"},
		"explainer/bench/browsers":        nil,
		"explainer/bench/captures":        {"explainer/capture"},
		"explainer/bench/clients":         {"explainer/annotate/check", "explainer/ca"},
		"explainer/bench/page":            {"explainer/proxy/drive"},
		"explainer/bench/picture":         nil,
		"explainer/bench/record":          nil,
	}
	libraries := map[string]string{
		"github.com/elazarl/goproxy": "explainer/proxy",
		"github.com/google/gopacket": "explainer/capture/pcap",
		"github.com/urfave/cli":      "explainer/cmd/explainer",
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "explainer/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(strings.NewReader(string(out))); s.Scan(); {
		pkg, imports, _ := strings.Cut(s.Text(), " ")
		allowed, ok := rooms[pkg]
		if !ok {
			t.Errorf("%s: this test does not know the room; say what it may import", pkg)
		}
		for _, i := range strings.Fields(imports) {
			if strings.HasPrefix(i, "explainer/") && !hasPrefixOf(i, allowed) {
				t.Errorf("%s imports %s", pkg, i)
			}
			for lib, room := range libraries {
				if strings.HasPrefix(i, lib) && pkg != room {
					t.Errorf("%s imports %s, which is for %s alone", pkg, i, room)
				}
			}
		}
	}
}

func hasPrefixOf(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// TestPure holds that what make test runs without the race detector has nothing for it
// to find: no goroutine, and nothing that is made to be shared by them.
func TestPure(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?m)^PURE = ((?:.*\\\n)*.*)`).FindSubmatch(makefile)
	if list == nil {
		t.Fatal("the Makefile does not say what is pure")
	}
	shared := regexp.MustCompile(`"sync(?:/atomic)?"|"context"|\bchan\b|(?m:^\s*go )`)
	for _, pkg := range strings.Fields(strings.ReplaceAll(string(list[1]), "\\", "")) {
		files, _ := filepath.Glob("../../" + strings.TrimPrefix(pkg, "explainer/") + "/*.go")
		if len(files) == 0 {
			t.Errorf("%s has no files", pkg)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if found := shared.Find(src); found != nil {
				t.Errorf("%s: %q: test %s with the race detector", f, found, pkg)
			}
		}
	}
}
