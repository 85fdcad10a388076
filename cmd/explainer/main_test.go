package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata/*.txtar")

func TestMain(m *testing.M) {
	if name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"); name != "explainer" {
		os.Setenv("LC_ALL", "C") // what tests read is English, whatever is spoken here
		// Built with the race detector, each program that the tests start would sleep for a second at its end.
		os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"))
	}
	testscript.Main(m, map[string]func(){
		"explainer": func() { os.Exit(runMain()) },
	})
}

// TestScripts runs the command as its users do, one file a behaviour.
func TestScripts(t *testing.T) {
	program := built(t)
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			// The scripts' own home, and none of the variables that other programs put here.
			e.Setenv("EXPLAINER_HOME", e.WorkDir+"/home")
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("LC_ALL", "C")
			e.Setenv("PATH", program+string(filepath.ListSeparator)+e.Getenv("PATH"))
			recordings, err := filepath.Abs("../../capture/testdata/recordings")
			if err != nil {
				return err
			}
			e.Setenv("RECORDINGS", recordings)
			for _, name := range []string{"SSLKEYLOGFILE", "NO_COLOR", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"} {
				e.Setenv(name, "")
			}
			return nil
		},
	})
}
