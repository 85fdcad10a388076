package proxy

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/words"
	"explainer/ca"
)

func newAuthority(t *testing.T) *ca.Authority {
	t.Helper()
	a, err := ca.NewEphemeral("launch test")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// variables splits an environment, in which no name may stand twice.
func variables(t *testing.T, env []string) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if _, twice := m[name]; twice {
			t.Errorf("%s stands twice", name)
		}
		m[name] = value
	}
	return m
}

const proxyURL = "http://127.0.0.1:4321"

func TestChildEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	authority := newAuthority(t)
	environ := []string{
		"PATH=/bin", "EMPTY=", "LANG=C=D",
		"https_proxy=http://other.test:1", "NO_PROXY=localhost,.corp.test", "CURL_CA_BUNDLE=/other.pem", "SSL_CERT_DIR=",
		"NODE_OPTIONS=--max-old-space-size=100", "JAVA_TOOL_OPTIONS=-Xmx100m",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=user.name", "GIT_CONFIG_VALUE_0=somebody",
	}
	child, err := NewChild(dir, authority, proxyURL, environ)
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewChild(dir, authority, proxyURL, environ)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(child.Env, again.Env) {
		t.Errorf("two environments made of one:\n%q\n%q", child.Env, again.Env)
	}
	if want := []string{"PATH=/bin", "EMPTY=", "LANG=C=D", "GIT_CONFIG_KEY_0=user.name", "GIT_CONFIG_VALUE_0=somebody"}; !slices.Equal(child.Env[:len(want)], want) {
		t.Errorf("the environment begins with %q, want what was there and is not set anew: %q", child.Env[:len(want)], want)
	}
	env := variables(t, child.Env)
	caFile := filepath.Join(dir, "ca.pem")
	for name, want := range map[string]string{
		"http_proxy": proxyURL, "HTTP_PROXY": proxyURL, "https_proxy": proxyURL, "HTTPS_PROXY": proxyURL,
		"no_proxy": "", "NO_PROXY": "",
		"CURL_CA_BUNDLE": caFile, "SSL_CERT_FILE": caFile, "GIT_SSL_CAINFO": caFile, "REQUESTS_CA_BUNDLE": caFile, "NODE_EXTRA_CA_CERTS": caFile,
		"SSL_CERT_DIR":     dir,
		"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_1": "http.proxy", "GIT_CONFIG_VALUE_1": proxyURL,
		"CLOUDSDK_PROXY_ADDRESS": "127.0.0.1", "CLOUDSDK_PROXY_PORT": "4321",
		"NODE_OPTIONS": "--max-old-space-size=100 --require " + filepath.Join(dir, "nodeproxy.js"),
	} {
		if got, ok := env[name]; !ok || got != want {
			t.Errorf("%s=%q (set: %v), want %q", name, got, ok, want)
		}
	}
	if got := env["JAVA_TOOL_OPTIONS"]; !strings.HasPrefix(got, "-Xmx100m -Dhttp.proxyHost=127.0.0.1 ") {
		t.Errorf("JAVA_TOOL_OPTIONS=%q", got)
	}
	for name, want := range map[string]string{"ca.pem": string(authority.PEM()), "wgetrc": "use_proxy = on\nhttp_proxy = " + proxyURL + "\nhttps_proxy = " + proxyURL + "\nca_certificate = " + caFile + "\n"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got := child.Args([]string{"-x", "{proxy}", "--cacert={ca}", "{other}"}); !slices.Equal(got, []string{"-x", "127.0.0.1:4321", "--cacert=" + caFile, "{other}"}) {
		t.Errorf("arguments %q", got)
	}
	if _, err := NewChild(dir, authority, "127.0.0.1:4321", nil); err == nil {
		t.Error("an address without http:// is taken for a proxy's URL")
	}
}

// TestChildAwkwardFolder puts the files where a path needs quotes: each program
// has rules of its own for them.
func TestChildAwkwardFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), `a folder\with 'quotes'`)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	child, err := NewChild(dir, newAuthority(t), proxyURL, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	start := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = child.Env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		return string(out)
	}
	if out := start("node", "-p", "require('https').Agent.prototype.createConnection.toString().includes('secure')"); out != "true\n" {
		t.Errorf("node did not load nodeproxy.js: %s", out)
	}
	if _, err := exec.LookPath("java"); err != nil {
		t.Log("java is not installed: its options are not tried")
	} else if out := start("java", "-XshowSettings:properties", "-version"); !strings.Contains(out, "javax.net.ssl.trustStore = "+filepath.Join(dir, "ca.p12")+"\n") {
		t.Errorf("java does not know the trust store: %s", out)
	}
}

// TestChildGit asks git which proxy it would use when the user's own configuration names another.
func TestChildGit(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[http]\n\tproxy = http://other.test:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	child, err := NewChild(t.TempDir(), newAuthority(t), proxyURL, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("git", "config", "http.proxy")
	cmd.Env = child.Env
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != proxyURL+"\n" {
		t.Errorf("git would use %q, %v", out, err)
	}
}

func TestRunChildExitCode(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -TERM $$": 128 + 15, "kill -KILL $$": 128 + 9} {
		err := RunChild(exec.Command("sh", "-c", script))
		got := 0
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			got = ExitCode(exit)
		} else if err != nil {
			t.Errorf("%s: %v", script, err)
		}
		if got != want {
			t.Errorf("%s: exit code %d, want %d", script, got, want)
		}
	}
	if err := RunChild(exec.Command(filepath.Join(t.TempDir(), "nothing"))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program that is not there: %v", err)
	}
}

func TestFindBrowser(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]string{"": "chromium", "chromium": "chromium", "chrome": "chromium", "firefox": "firefox", "firefox-esr": "firefox"} {
		b, err := FindBrowser(name)
		if err != nil {
			t.Fatalf("this test needs Chromium and Firefox: %v", err)
		}
		if b.Name != kind || b.ChecksOff() {
			t.Errorf("FindBrowser(%q) is %s at %s, checks off: %v", name, b.Name, b.path, b.ChecksOff())
		}
	}
	if _, err := FindBrowser(filepath.Join(t.TempDir(), "firefox")); err == nil {
		t.Error("a browser that is not there was found")
	}
}

// TestBrowserProfile asks certutil whom a new profile trusts.
func TestBrowserProfile(t *testing.T) {
	authority := newAuthority(t)
	t.Setenv("XDG_CONFIG_HOME", "/elsewhere")
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/1")
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	if err := os.WriteFile(filepath.Join(home, ".Xauthority"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, db := range map[string]string{"chromium": ".pki/nssdb", "firefox": "profile"} {
		b, err := FindBrowser(name)
		if err != nil {
			t.Fatalf("this test needs %s: %v", name, err)
		}
		dir := t.TempDir()
		if _, err := b.Command(dir, authority, Visit{Proxy: proxyURL, Page: "https://shop.test/"}); err != ErrNoDisplay {
			t.Errorf("%s without a display: %v", name, err)
		}
		cmd, err := b.Command(dir, authority, Visit{Proxy: proxyURL, Page: "https://shop.test/", Headless: true, Args: []string{"--an-argument"}})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(cmd.Args); !slices.Equal(cmd.Args[n-2:], []string{"--an-argument", "https://shop.test/"}) || !hasGroup(cmd) {
			t.Errorf("%s: %q, a group of its own: %v", name, cmd.Args, hasGroup(cmd))
		}
		env := variables(t, cmd.Env)
		if temp := env["TMPDIR"]; temp != filepath.Join(dir, "temp") && len(dir) < 50 || !exists(temp) {
			t.Errorf("%s: TMPDIR=%s", name, temp)
		}
		want := map[string]string{"HOME": dir, "XDG_RUNTIME_DIR": "/run/user/1", "XAUTHORITY": filepath.Join(home, ".Xauthority")}
		maps.DeleteFunc(env, func(name, _ string) bool {
			return !strings.HasPrefix(name, "X") && name != "HOME"
		})
		if !maps.Equal(env, want) {
			t.Errorf("%s: %v, want %v", name, env, want)
		}
		list, err := exec.Command("certutil", "-L", "-d", "sql:"+filepath.Join(dir, db)).CombinedOutput()
		if err != nil || !strings.Contains(strings.Join(strings.Fields(string(list)), " "), "explainer C,,") {
			t.Errorf("%s trusts: %s, %v", name, list, err)
		}
		pem, err := exec.Command("certutil", "-L", "-a", "-n", "explainer", "-d", "sql:"+filepath.Join(dir, db)).Output()
		if err != nil || !bytes.Equal(bytes.ReplaceAll(pem, []byte("\r"), nil), authority.PEM()) {
			t.Errorf("%s trusts: %s, %v", name, pem, err)
		}
	}
}

// TestChecksOff starts Chromium as on the systems where it takes its roots from
// the user's own store: it knows no CA, and shows the page.
func TestChecksOff(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(p *Proxy) {
		sites, err := StartSites(p.Authority, true, words.English, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { sites.Close() })
		p.Sites = sites
	})
	b, err := FindBrowser("chromium")
	if err != nil {
		t.Fatalf("this test needs Chromium: %v", err)
	}
	b.checksOff = true
	dir := t.TempDir()
	cmd, err := b.Command(dir, r.Authority, Visit{Proxy: "http://" + r.addr, Page: "https://tls13.explainer.test/", Headless: true, Args: []string{"--dump-dom"}})
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	cmd.Stdout = &page
	if err := RunChild(cmd); err != nil || !strings.Contains(page.String(), "<h1>TLS 1.3</h1>") {
		t.Errorf("%v: %s", err, &page)
	}
	if exists(filepath.Join(dir, ".pki")) {
		t.Error("the profile has a list of roots, which would not be read")
	}
}
