package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/ca"
	"explainer/proxy"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// shopHTTP3 is a page of ten images that leads to the built-in one, served over HTTP/3 alone.
func shopHTTP3(t *testing.T, cert *tls.Certificate) (addr string) {
	t.Helper()
	socket, err := proxy.ListenUDP()
	if err != nil {
		t.Fatal(err)
	}
	server := &http3.Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{*cert}}, QUICConfig: &quic.Config{},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, ".svg") {
				w.Header().Set("Content-Type", "image/svg+xml")
				io.WriteString(w, `<svg xmlns="http://www.w3.org/2000/svg"/>`)
				return
			}
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<!doctype html><link rel=icon href=data:,>")
			for n := range 10 {
				fmt.Fprintf(w, "<img src=/%d.svg>", n)
			}
			fmt.Fprintf(w, "<script>addEventListener('load', () => location = 'https://%s/')</script>", siteHTTP3)
		}),
	}
	go server.Serve(socket)
	t.Cleanup(func() {
		server.Close()
		socket.Close()
	})
	return socket.LocalAddr().String()
}

// TestBrowseHTTP3 has each browser load a page with ten images over HTTP/3, from an origin and from
// the built-in site: both legs are opened and proven, live as from the recording, and tshark opens it.
func TestBrowseHTTP3(t *testing.T) {
	const shop = "www.shop.test"
	origins, roots := siteCA(t)
	addr := shopHTTP3(t, leafOf(t, origins, ca.Spec{Names: []string{shop}}))
	for _, browser := range []string{"chromium", "firefox"} {
		t.Run(browser, func(t *testing.T) {
			t.Parallel()
			recording := filepath.Join(t.TempDir(), "session.pcapng")
			images := 0
			r := browseUntil(t, func(e *event.Event) bool {
				if e.Leg == "browser" && e.Host == siteHTTP3 && e.Topic == event.TopicResponseBody && e.HTTP.Whole && e.HTTP.Type == "image/svg+xml" {
					images++
				}
				return images == 10
			}, "--browser", browser, "--http3", "-w", recording, "--map", shop+":443="+addr, "--origin-ca", roots, "https://"+shop+"/")
			for _, host := range []string{shop, siteHTTP3} {
				r.legs(host, mlkem, mlkem)
				requests := map[string]int{} // for the page and its images
				for _, e := range r.events {
					if e.Topic == event.TopicRequest && e.Host == host && (e.HTTP.Target == "/" || strings.HasSuffix(e.HTTP.Target, ".svg")) {
						requests[e.Leg+" "+e.HTTP.Protocol]++
					}
				}
				if len(requests) != 2 || requests["browser HTTP/3"] != 11 || requests["origin HTTP/3"] != 11 {
					t.Errorf("%s: requests %v", host, requests)
				}
			}
			replayed, err := exec.Command("explainer", "read", "--format", "json", "--show-secrets", recording).Output()
			if err != nil || string(replayed) != r.stdout {
				t.Errorf("the live story (%d bytes) and that of the recording (%d bytes) differ; %v", len(r.stdout), len(replayed), err)
			}
			for _, leg := range []string{"browser-proxy", "proxy-origin"} {
				on := `frame.interface_name == "` + leg + `" && `
				opened, sealed := tshark(t, recording, on+"quic.stream.stream_id", "frame.number"), tshark(t, recording, on+"quic.decryption_failed", "frame.number")
				if len(opened) < 20 || len(sealed) > 0 {
					t.Errorf("%s: tshark finds streams in %d packets and cannot open %v", leg, len(opened), sealed)
				}
			}
		})
	}
}
