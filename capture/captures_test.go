package capture_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

// realCaptures finds the collection of captures that stands beside the project
// on some machines, by walking up.
func realCaptures(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if s := filepath.Join(dir, "shared", "captures"); exists(s) {
			return s
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// inputsOf reads a capture and the key log beside it: its secrets and all else.
func inputsOf(t testing.TB, path, keyLog string) (secrets, rest []capture.Input) {
	t.Helper()
	add := func(s keys.Secret) { secrets = append(secrets, &s) }
	if keyLog != "" {
		f, err := os.Open(keyLog)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := keys.ReadLog(f, add); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcap.NewReader(f)
	if err != nil {
		t.Logf("%s: %v", path, err)
		return secrets, nil
	}
	for in, err := range r.All() {
		if err != nil && !errors.As(err, new(*pcap.CutError)) {
			t.Errorf("%s: %v", path, err)
		}
		switch in := in.(type) {
		case *capture.Secret:
			s := *in
			secrets = append(secrets, &s)
		case *capture.Chunk:
			c := *in
			c.Data = slices.Clone(c.Data)
			rest = append(rest, &c)
		case *capture.Open:
			c := *in
			rest = append(rest, &c)
		case *capture.Gap:
			c := *in
			rest = append(rest, &c)
		case *capture.Close:
			c := *in
			rest = append(rest, &c)
		case *capture.Fact:
			c := *in
			rest = append(rest, &c)
		}
	}
	return secrets, rest
}

// TestRealCaptures reads captures of many programs. Whatever they hold, the
// messages do not depend on how bytes are cut and when the secrets come, and
// what an independent reading could decrypt is decrypted.
func TestRealCaptures(t *testing.T) {
	dir := realCaptures(t)
	if dir == "" {
		t.Log("there is no collection of captures beside the project")
		return
	}
	f, err := os.Open(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan()
	for lines.Scan() {
		col := strings.Split(lines.Text(), "\t")
		path := filepath.Join(dir, col[0])
		keyLog := ""
		if _, rest, ok := strings.Cut(col[5], "keylog:"); ok {
			name, _, _ := strings.Cut(rest, ";")
			keyLog = filepath.Join(filepath.Dir(path), name)
		}
		secrets, rest := inputsOf(t, path, keyLog)
		before := append(slices.Clone(secrets), rest...)
		want := decode(t, &capture.Decoder{}, before)
		same(t, path+": secrets last", want, decode(t, &capture.Decoder{}, append(slices.Clone(rest), secrets...)))
		same(t, path+": chunks of 100", want, decode(t, &capture.Decoder{}, rechunk(before, 100)))
		finished := map[capture.Side]int{}
		for _, m := range want {
			if _, ok := m.Body.(*handshake.Finished); ok {
				finished[m.Side]++
			}
			if s, ok := m.Body.(*capture.Sealed); ok && s.Reason == capture.SealedBadTag {
				t.Errorf("%s: connection %d: %s", path, m.Conn.Number, show(m))
			}
		}
		if len(secrets) == 0 {
			continue // what was proved there needs a server's private key
		}
		for side, name := range []string{"cFin:OKx", "sFin:OKx"} {
			if _, rest, ok := strings.Cut(col[7], name); ok {
				n := 0
				fmt.Sscan(rest, &n)
				if got := finished[capture.Side(side)]; got < n {
					t.Errorf("%s: %d Finished of the %v where %d were proved", path, got, capture.Side(side), n)
				}
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
}
