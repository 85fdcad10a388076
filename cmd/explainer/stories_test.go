package main

import (
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/page"
	"explainer/annotate/words"
)

// ownSteps fetches the pages of built-in sites, twice, then what each names as the story of its own
// connection, in English and in Chinese, and the same with a name that is not its own.
const ownSteps = `cd "$0"; for host in "$@"; do
curl -sS "https://$host/" "https://$host/" -o /dev/null -o "$host.html"
at=$(grep -o '/story?[^"]*' "$host.html" | head -n 1 | sed 's/&amp;/\&/g')
curl -sS "https://$host$at" -o "$host.en.html"
curl -sS -H 'Accept-Language: zh' "https://$host$at" -o "$host.zh.html"
curl -sS -o /dev/null -w '%{http_code}\n' "https://$host$(echo "$at" | sed 's/of=.*/of=127.0.0.1%3A1/')"
done`

// TestOwnSteps: each built-in page shows the steps of the connection that brought it, which are those that the JSON
// of that connection has, word for word, and none of another.
func TestOwnSteps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hosts := []string{"explainer.test", "tls13.explainer.test", "tls12.explainer.test", "rsa.explainer.test", "hrr.explainer.test", "mtls.explainer.test", "ech.explainer.test", "resume.explainer.test"}
	r := explain(t, append([]string{"run", "--", "sh", "-c", ownSteps, dir}, hosts...)...)
	if want := strings.Repeat("404\n", len(hosts)); r.code != 0 || r.stdout != want {
		t.Errorf("exit code %d, asked for another's story: %q\n%s", r.code, r.stdout, r.stderr)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	section := regexp.MustCompile(`(?s)<section id="told".*</section>`)
	// Of the checks at the site the page says only how they ended, which JSON does not tell apart.
	checked := regexp.MustCompile(`(; step 4a noted by the proxy: good)[^<]*`)
	for _, host := range hosts {
		first := read(host + ".html")
		if !strings.Contains(first, string(page.Steps(nil, words.English))) || !strings.Contains(first, string(page.StepsStyle)) {
			t.Errorf("%s: the page has no rows that wait for the story\n%s", host, first)
		}
		from := regexp.MustCompile(`of=127\.0\.0\.1%3A(\d+)`).FindStringSubmatch(html.UnescapeString(first))
		if from == nil {
			t.Fatalf("%s: the page does not name its connection", host)
		}
		var e *event.Event
		for i := range r.events {
			if s := r.events[i].Summary; s != nil && len(s.Legs) == 2 && s.Legs[1].From == "127.0.0.1:"+from[1] && r.events[i].Host == host {
				e = &r.events[i]
			}
		}
		if e == nil {
			t.Fatalf("%s: the story has no connection of the page's", host)
		}
		if resumed := e.Summary.Legs[0].Flow == "tls13-psk-dhe" && e.Summary.Legs[1].Flow == "tls13-psk-dhe"; resumed != (host == "resume.explainer.test") {
			t.Errorf("%s: %s and %s", host, e.Summary.Legs[0].Title, e.Summary.Legs[1].Title)
		}
		want := checked.ReplaceAllString(strings.TrimSpace(string(page.Steps(e, words.English))), "$1")
		if got := section.FindString(read(host + ".en.html")); got != want {
			t.Errorf("%s: the page says\n%s\nand of the JSON comes\n%s", host, got, want)
		}
		if got := read(host + ".zh.html"); !strings.Contains(got, `<html lang="zh-Hans">`) || !strings.Contains(got, "做法不同") {
			t.Errorf("%s, in Chinese: %s", host, got)
		}
	}
}
