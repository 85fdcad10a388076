package grade

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"explainer/ca"
)

// The HelloRequest is a real one: OpenSSL's client answers it with a ClientHello,
// and refuses, in words of its own, when it was told not to renegotiate.
func TestAskToRenegotiate(t *testing.T) {
	for _, c := range []struct {
		option  string
		want    string
		another string
	}{{"", askedAgain, anotherTaken}, {"-verify_return_error", askedAgain, anotherRefused}, {"-no_renegotiation", "", ""}} {
		authority, err := ca.NewEphemeral("grade test lab")
		if err != nil {
			t.Fatal(err)
		}
		l, err := NewLab(authority)
		if err != nil {
			t.Fatal(err)
		}
		i := len(l.trials) - 1
		again := l.trials[i]
		if again.id != trialAgain {
			t.Fatal(again.id)
		}
		config, err := l.config(again, nil)
		if err != nil {
			t.Fatal(err)
		}
		again.open.Add(1)
		go func() {
			defer again.open.Done()
			l.serve(again, config)
		}()
		args := []string{"s_client", "-connect", again.listener.Addr().String(), "-tls1_2", "-msg"}
		if c.option != "" {
			args = append(args, c.option)
		}
		if c.option == "-verify_return_error" {
			name := filepath.Join(t.TempDir(), "lab.pem")
			if err := os.WriteFile(name, authority.PEM(), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "-CAfile", name)
		}
		cmd := exec.Command("openssl", args...)
		// Standard input stays open, or it would leave by itself.
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			t.Logf("openssl: %v", err) // its connection is cut in the middle
		}
		in.Close()
		l.Close()
		l.settle()
		if !strings.Contains(out.String(), "HelloRequest") {
			t.Errorf("%q: openssl saw no HelloRequest:\n%s", c.option, &out)
		}
		if got := again.seen.Ask; c.want != "" && got != c.want || got == "" || c.want == "" && got == askedAgain {
			t.Errorf("%q: asked to renegotiate, it answered %q, want %q:\n%s", c.option, got, c.want, &out)
		}
		if got := again.seen.Another; got != c.another {
			t.Errorf("%q: another certificate was %q, want %q:\n%s", c.option, got, c.another, &out)
		}
	}
}

func TestMessageOfHostileStreams(t *testing.T) {
	for _, b := range [][]byte{nil, {22}, {22, 3, 1, 0xff, 0xff, 1}, {22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff}, {23, 3, 3, 0, 0}, bytes.Repeat([]byte{22, 3, 1, 0, 0}, 1000)} {
		if m := message(b, 1); m != nil {
			t.Errorf("% x: %v", b, m)
		}
		answered(b)
	}
}
