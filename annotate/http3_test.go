package annotate_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"explainer/capture/keys"
)

// TestHTTP3Archive: requests over QUIC stand in an HTTP Archive as those over TCP do, the first
// of them with the number of its stream, which is 0.
func TestHTTP3Archive(t *testing.T) {
	file, err := os.ReadFile("../capture/testdata/quic/http3.pcap")
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile("../capture/testdata/quic/http3.keys")
	if err != nil {
		t.Fatal(err)
	}
	var secrets []keys.Secret
	if err := keys.ReadLog(bytes.NewReader(log), func(s keys.Secret) { secrets = append(secrets, s) }); err != nil {
		t.Fatal(err)
	}
	type message struct {
		URL         string
		HTTPVersion string
		Status      int
		StatusText  string
		Headers     []struct{ Name, Value string }
	}
	var archive struct {
		Log struct {
			Entries []struct {
				Request, Response message
				Exchange          *uint64 `json:"_exchange"`
			}
		}
	}
	if err := json.Unmarshal(harOf(t, tellWire(t, file, secrets)), &archive); err != nil {
		t.Fatal(err)
	}
	entries := archive.Log.Entries
	if len(entries) != 3 {
		t.Fatalf("%d entries", len(entries))
	}
	for i, e := range entries {
		if e.Request.HTTPVersion != "HTTP/3" || e.Response.HTTPVersion != "HTTP/3" || e.Response.Status == 0 || e.Response.StatusText != "" || len(e.Response.Headers) == 0 {
			t.Errorf("entry %d: %+v", i, e)
		}
		if e.Exchange == nil || *e.Exchange != uint64(4*i) {
			t.Errorf("entry %d: stream %v", i, e.Exchange)
		}
	}
}
