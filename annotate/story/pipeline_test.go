package story

import (
	"bytes"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

// TestPipelineIsSequence holds that the stages of the pipeline, side by side, tell
// every capture as one goroutine does: to the byte, with the same verdict on the file.
func TestPipelineIsSequence(t *testing.T) {
	dirs := []string{filepath.Join("..", "..", "capture", "testdata", "recordings"), filepath.Join("..", "..", "annotate", "testdata")}
	if shared := sharedCaptures(t); shared != "" {
		dirs = append(dirs, shared)
	} else {
		t.Log("no folder shared/captures here")
	}
	files := 0
	for _, dir := range dirs {
		var logs []keys.Secret
		var captures []string
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if _, err := pcap.NewReader(bytes.NewReader(data)); err == nil {
				captures = append(captures, path)
			} else if bytes.Contains(data, []byte("CLIENT_RANDOM ")) || bytes.Contains(data, []byte("_TRAFFIC_SECRET")) {
				return keys.ReadLog(bytes.NewReader(data), func(s keys.Secret) { logs = append(logs, s) })
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range captures {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			// With the keys in front and without, when those in the capture come in their turn.
			for _, secrets := range [][]keys.Secret{nil, logs} {
				want, wantErr := storyOf(t, data, secrets, (*Teller).tell)
				got, gotErr := storyOf(t, data, secrets, (*Teller).pipe)
				if !bytes.Equal(got, want) {
					t.Errorf("%s, %d keys: %s", path, len(secrets), firstDifference(got, want))
				}
				if errorText(gotErr) != errorText(wantErr) {
					t.Errorf("%s: the pipeline ends with %v, want %v", path, gotErr, wantErr)
				}
			}
			files++
		}
	}
	if files < 40 {
		t.Errorf("%d captures were compared, want the project's own at least", files)
	}
	t.Logf("%d captures", files)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// storyOf tells a capture as JSON, with all that can be told.
func storyOf(t *testing.T, data []byte, secrets []keys.Secret, tell func(*Teller, *pcap.Reader) error) ([]byte, error) {
	t.Helper()
	var out bytes.Buffer
	teller := New(&annotate.Explainer{Secrets: true, ShowSecrets: true, Bytes: true}, event.NewJSON(&out))
	teller.decoder.SecretsFirst = secrets != nil
	for i := range secrets {
		if err := teller.feed(&secrets[i]); err != nil {
			t.Fatal(err)
		}
	}
	r, err := pcap.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	told := tell(teller, r)
	if err := teller.finish(r); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), told
}

func firstDifference(got, want []byte) string {
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "the pipeline tells\n" + g[i] + "\nwant\n" + w[i]
		}
	}
	return "one story is longer"
}

// A failing renderer fails once, after some events.
type failing struct{ left int }

var errFull = errors.New("no room left")

func (f *failing) Event(*event.Event) error {
	if f.left--; f.left < 0 {
		return errFull
	}
	return nil
}

func (f *failing) Flush() error  { return nil }
func (f *failing) Finish() error { return nil }

// TestPipelineEndsWithItsRenderer holds that no stage is left waiting when the
// story cannot be written any more.
func TestPipelineEndsWithItsRenderer(t *testing.T) {
	var recording bytes.Buffer
	w, err := pcap.NewWriter(&recording, "")
	if err != nil {
		t.Fatal(err)
	}
	s := w.Open(capture.LegOrigin, loopback(40000), loopback(80), 1)
	for range 20_000 {
		s.Data(capture.Client, 1, []byte("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n"))
		s.Data(capture.Server, 1, []byte("HTTP/1.1 204 No Content\r\n\r\n"))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, left := range []int{0, 1, 5000} {
		r, err := pcap.NewReader(bytes.NewReader(recording.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		teller := New(new(annotate.Explainer), &failing{left})
		if err := teller.pipe(r); err != errFull {
			t.Errorf("after %d events: %v, want %v", left, err, errFull)
		}
		if n := r.Stats().Packets; n > 39_000 {
			t.Errorf("after %d events %d packets were read on", left, n)
		}
	}
}

func loopback(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
}

// sharedCaptures finds the collection of captures that stands beside the project
// on some machines, by walking up.
func sharedCaptures(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		s := filepath.Join(dir, "shared", "captures")
		if _, err := os.Stat(s); err == nil {
			return s
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}
