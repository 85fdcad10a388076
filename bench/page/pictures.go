package main

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A view is what a picture is of.
type view struct {
	name, path string
	does       string // script that prepares it
}

// pictures writes pictures of the page behind a few connections: those of the READMEs, or one of every view.
func pictures(folder string, all, sandbox bool) (err error) {
	dir, err := os.MkdirTemp("", "page")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := start(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	b, err := browse(dir, filepath.Join(dir, "net.json"), sandbox)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.end()) }()
	shoot := func(v view, width, height int, lang, shade string) error {
		if err := b.page.Call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, new(struct{})); err != nil {
			return err
		}
		if err := b.page.Call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": shade}}}, new(struct{})); err != nil {
			return err
		}
		if err := b.visit(p.base + v.path + map[bool]string{true: "&", false: "?"}[strings.Contains(v.path, "?")] + "lang=" + lang); err != nil {
			return err
		}
		if _, err := b.js(v.does + "; new Promise(r => setTimeout(r, 400))"); err != nil {
			return err
		}
		return b.picture(filepath.Join(folder, fmt.Sprintf("%s.png", v.name)))
	}
	if err := b.visit(p.page); err != nil {
		return err
	}
	if all {
		if err := shoot(view{"empty", "", ""}, 1400, 900, "en", "light"); err != nil {
			return err
		}
	}
	rsa := &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}}
	for _, c := range []struct {
		site   string
		config *tls.Config
		refuse bool
	}{{"tls13", new(tls.Config), false}, {"tls12", new(tls.Config), false}, {"hrr", new(tls.Config), false}, {"rsa", rsa, false}, {"expired", new(tls.Config), true}, {"wrong-host", new(tls.Config), true}} {
		if err := p.get("https://"+c.site+".explainer.test/", c.config); (err != nil) != c.refuse {
			return fmt.Errorf("%s: %v", c.site, err)
		}
	}
	if err := p.post("https://tls13.explainer.test/word", "word=glowworm"); err != nil {
		return err
	}
	if err := b.until(`document.querySelectorAll("#rows .row").length == 7 && [...document.querySelectorAll("#rows .row:not(.failed) .asked")].every(x => x.textContent.includes("→ 200"))`); err != nil {
		return err
	}
	of := func(site string) (string, error) {
		return b.js(`[...document.querySelectorAll("#rows .row")].findLast(r => r.textContent.includes("` + site + `.")).dataset.n`)
	}
	n := map[string]string{}
	for _, site := range []string{"rsa", "tls13", "expired"} {
		if n[site], err = of(site); err != nil {
			return err
		}
	}
	word, err := b.js(`document.querySelector("#rows .row").dataset.n`)
	if err != nil {
		return err
	}
	session := view{"session", "s/" + n["rsa"], ""}
	if !all {
		for lang, ending := range map[string]string{"en": "", "zh": ".zh"} {
			if err := shoot(view{"page" + ending, "", ""}, 1180, 700, lang, "light"); err != nil {
				return err
			}
			steps := `scrollTo({top: document.querySelector(".session").offsetTop - 60, behavior: "instant"})`
			if err := shoot(view{"page-session" + ending, session.path, steps}, 1180, 860, lang, "light"); err != nil {
				return err
			}
		}
		return nil
	}
	open := `(() => { const l = [...document.querySelectorAll(".line")].find(l => l.querySelector(".what b").textContent === "ServerHello"); l.querySelector("details").open = true; l.scrollIntoView({behavior: "instant"}) })()`
	views := []view{
		{"table", "", ""}, session, {"messages", session.path, `document.querySelector(".ladder").scrollIntoView({behavior: "instant"})`}, {"message", session.path, open},
		{"quantum", session.path, `document.querySelector(".eyes-quantum").click(); document.querySelector(".ladder").scrollIntoView({behavior: "instant"})`},
		{"path", session.path, `document.querySelector(".eyes-path").click()`},
		{"predict", session.path, `document.querySelector(".show-predict").click(); document.querySelector(".ladder").scrollIntoView({behavior: "instant"})`},
		{"failed", "s/" + n["expired"], ""}, {"times", "times", ""}, {"pair", "s/" + n["rsa"] + "~" + n["tls13"], ""}, {"keys", session.path + "/keys", ""}, {"break", session.path + "/break", ""},
		{"word", "s/" + word + "/word?w=glowworm", ""},
	}
	for _, how := range []struct {
		name          string
		width, height int
		lang, shade   string
	}{{"wide", 1400, 900, "en", "light"}, {"narrow", 400, 860, "en", "light"}, {"dark", 1400, 900, "en", "dark"}, {"chinese", 1400, 900, "zh", "light"}} {
		for _, v := range views {
			v.name = how.name + "-" + v.name
			if err := shoot(v, how.width, how.height, how.lang, how.shade); err != nil {
				return err
			}
		}
	}
	if err := b.visit(p.base + session.path + "?lang=en"); err != nil {
		return err
	}
	var pdf struct{ Data []byte }
	if err := b.page.Call("Page.printToPDF", map[string]any{"printBackground": true}, &pdf); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "print.pdf"), pdf.Data, 0o600)
}

func (p *program) post(to, body string) error {
	through, err := url.Parse(p.proxy)
	if err != nil {
		return err
	}
	t := &http.Transport{Proxy: http.ProxyURL(through), TLSClientConfig: &tls.Config{RootCAs: p.roots}, DisableKeepAlives: true}
	r, err := (&http.Client{Transport: t}).Post(to, "application/x-www-form-urlencoded", strings.NewReader(body))
	if err != nil {
		return err
	}
	return r.Body.Close()
}

// picture writes what is seen as a PNG.
func (b *browser) picture(name string) error {
	var shot struct{ Data string }
	if err := b.page.Call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot); err != nil {
		return err
	}
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		return err
	}
	return small(name, data)
}

// small writes a PNG with the 256 most frequent of its colours, which is a third of its size.
func small(name string, data []byte) error {
	from, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return err
	}
	count := map[color.RGBA]int{}
	in := image.NewRGBA(from.Bounds())
	draw.Draw(in, in.Rect, from, in.Rect.Min, draw.Src)
	for i := 0; i < len(in.Pix); i += 4 {
		count[color.RGBA{in.Pix[i], in.Pix[i+1], in.Pix[i+2], in.Pix[i+3]}]++
	}
	all := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int { return count[b] - count[a] })
	var of color.Palette
	for _, c := range all[:min(len(all), 256)] {
		of = append(of, c)
	}
	out := image.NewPaletted(in.Rect, of)
	draw.Draw(out, out.Rect, in, in.Rect.Min, draw.Src)
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(f, out)
	return errors.Join(err, f.Close())
}
