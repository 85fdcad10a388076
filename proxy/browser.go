package proxy

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"explainer/annotate/words"
	"explainer/ca"
)

// A Browser is one that Command can start.
type Browser struct {
	Name      string // "chromium" or "firefox"
	path      string
	firefox   bool
	checksOff bool
}

// FindBrowser finds an installed browser: by kind ("chromium", "firefox"), by
// path, or with an empty name the first there is.
func FindBrowser(name string) (*Browser, error) {
	chromiums := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "brave-browser", "microsoft-edge"}
	firefoxes := []string{"firefox", "firefox-esr"}
	switch runtime.GOOS {
	case "darwin":
		chromiums = append(chromiums, "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium")
		firefoxes = append(firefoxes, "/Applications/Firefox.app/Contents/MacOS/firefox")
	case "windows":
		for _, root := range []string{os.Getenv("ProgramFiles"), os.Getenv("ProgramFiles(x86)"), os.Getenv("LocalAppData")} {
			chromiums = append(chromiums, filepath.Join(root, `Google\Chrome\Application\chrome.exe`), filepath.Join(root, `Microsoft\Edge\Application\msedge.exe`))
			firefoxes = append(firefoxes, filepath.Join(root, `Mozilla Firefox\firefox.exe`))
		}
	}
	find := func(kind string, names []string) *Browser {
		for _, n := range names {
			if path, err := exec.LookPath(n); err == nil {
				firefox := kind == "firefox"
				return &Browser{kind, path, firefox, !firefox && (runtime.GOOS == "darwin" || runtime.GOOS == "windows")}
			}
		}
		return nil
	}
	var b *Browser
	switch {
	case name == "":
		if b = find("chromium", chromiums); b == nil {
			b = find("firefox", firefoxes)
		}
	case name == "chromium" || name == "chrome":
		b = find("chromium", chromiums)
	case name == "firefox":
		b = find("firefox", firefoxes)
	default:
		kind := "chromium"
		if strings.Contains(strings.ToLower(filepath.Base(name)), "firefox") {
			kind = "firefox"
		}
		b = find(kind, []string{name})
	}
	if b == nil {
		if name == "" {
			return nil, &saidError{text: words.Piece("browser/none")}
		}
		return nil, &saidError{text: words.Piece("browser/not-found", "value", strconv.Quote(name))}
	}
	return b, nil
}

// ErrNoCertutil tells that a browser cannot be made to trust the CA without touching the user's own stores.
var ErrNoCertutil error = &saidError{text: words.Piece("browser/no-certutil")}

// ErrNoDisplay tells that a browser could show nothing.
var ErrNoDisplay error = &saidError{text: words.Piece("browser/no-display")}

// ChecksOff reports that this browser, on this system, takes its roots from the
// user's own trust store, which stays as it is: it is started with its certificate
// checks switched off for what the proxy's CA has signed, so that it shows no
// warning for certificates that have expired or name another host.
func (b *Browser) ChecksOff() bool { return b.checksOff }

// A Visit is what a browser is started for.
type Visit struct {
	Proxy    string       // URL of the proxy, for all but what follows
	Direct   string       // host:port that it calls without the proxy, or ""
	HTTP3    []HTTP3Front // hosts that it calls over HTTP/3, past the proxy; none twice
	Page     string       // URL of what it opens
	Headless bool         // without a window
	Args     []string     // more arguments
}

// Command makes a new profile in dir that trusts the CA and uses the proxy, and
// returns the command that makes the visit, for [RunChild]. dir may be
// removed when the browser has ended. Chromium reads the trust from the NSS
// database of its HOME, so that certificate errors stay errors, wherever it can
// (see [Browser.ChecksOff]).
func (b *Browser) Command(dir string, authority *ca.Authority, v Visit) (*exec.Cmd, error) {
	u, err := url.Parse(v.Proxy)
	if err != nil {
		return nil, err
	}
	if !v.Headless && runtime.GOOS != "darwin" && runtime.GOOS != "windows" && os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return nil, ErrNoDisplay
	}
	profile := filepath.Join(dir, "profile")
	if err := os.MkdirAll(profile, 0o700); err != nil {
		return nil, err
	}
	if !b.checksOff {
		db := profile
		if !b.firefox {
			db = filepath.Join(dir, ".pki", "nssdb")
		}
		if err := trust(db, authority); err != nil {
			return nil, err
		}
	}
	var argv []string
	if b.firefox {
		prefs := fmt.Sprintf(firefoxPrefs, u.Hostname(), u.Port(), v.Direct) + firefoxHTTP3(u, v)
		if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(prefs), 0o600); err != nil {
			return nil, err
		}
		argv = []string{"--no-remote", "--profile", profile}
		if v.Headless {
			argv = append(argv, "--headless")
		}
	} else {
		argv = b.chromiumArgs(profile, u, authority, v)
	}
	cmd := exec.Command(b.path, append(append(argv, v.Args...), v.Page)...)
	cmd.Env = browserEnv(os.Environ(), dir)
	setGroup(cmd)
	return cmd, nil
}

// trust makes an NSS database in the folder db that trusts the CA for web sites.
func trust(db string, authority *ca.Authority) error {
	certutil, err := exec.LookPath("certutil")
	if err != nil || runtime.GOOS == "windows" { // certutil.exe of Windows is another program
		return ErrNoCertutil
	}
	if err := os.MkdirAll(db, 0o700); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"-d", "sql:" + db, "-N", "--empty-password"},
		{"-d", "sql:" + db, "-A", "-t", "C,,", "-n", "explainer", "-a"},
	} {
		cmd := exec.Command(certutil, args...)
		cmd.Stdin = strings.NewReader(string(authority.PEM()))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("certutil %s: %w: %s", args[2], err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

const (
	chromiumSocket = "/org.chromium.Chromium.XXXXXX/SingletonSocket"
	maxSocketPath  = 104 // bytes of sun_path with its final zero, where it is shortest (unix(4) of the BSDs; Linux has 108)
)

// browserEnv returns the environment of a browser whose home is a throw-away
// folder: variables that name other folders of the user's would lead past it.
func browserEnv(environ []string, home string) []string {
	// With the last of these Firefox takes the settings server that its profile names: none.
	set := map[string]string{"HOME": home, "MOZ_REMOTE_SETTINGS_DEVTOOLS": "1"}
	// Chromium keeps a socket in a temporary folder, and leaves it behind when it is killed.
	if temp := filepath.Join(home, "temp"); len(temp)+len(chromiumSocket) < maxSocketPath && os.MkdirAll(temp, 0o700) == nil {
		set["TMPDIR"] = temp
	}
	display := false
	var env []string
	for _, kv := range environ {
		switch name, _, _ := strings.Cut(kv, "="); name {
		case "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME":
			continue
		case "XAUTHORITY":
			display = true
		}
		env = append(env, kv)
	}
	// X11 looks for the right to use the display in the user's real home.
	if real, err := os.UserHomeDir(); err == nil && !display {
		if file := filepath.Join(real, ".Xauthority"); exists(file) {
			set["XAUTHORITY"] = file
		}
	}
	return withVariables(env, set)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// chromiumFeatures are switched off: what calls home, and what would open an
// https page where an http page was asked for.
const chromiumFeatures = "OptimizationHints,OptimizationGuideModelDownloading,MediaRouter,Translate,CertificateTransparencyComponentUpdater,NetworkTimeServiceQuerying,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable"

func (b *Browser) chromiumArgs(profile string, proxy *url.URL, authority *ca.Authority, v Visit) []string {
	bypass, quic := chromiumHTTP3(v.HTTP3)
	argv := []string{
		"--user-data-dir=" + profile,
		"--proxy-server=" + proxy.Host,
		// Without this, loopback names would go past the proxy.
		"--proxy-bypass-list=<-loopback>;" + v.Direct + bypass,
		"--no-first-run", "--no-default-browser-check", "--disable-default-apps", "--disable-sync",
		"--disable-background-networking", "--disable-component-update", "--disable-domain-reliability",
		"--component-updater=url-source=http://localhost:0", "--check-for-update-interval=31536000",
		"--disable-features=" + chromiumFeatures,
		"--password-store=basic", "--use-mock-keychain",
	}
	argv = append(argv, quic...)
	if b.checksOff {
		key := authority.SPKIHash()
		argv = append(argv, "--ignore-certificate-errors-spki-list="+base64.StdEncoding.EncodeToString(key[:]))
	}
	if v.Headless {
		argv = append(argv, "--headless=new", "--disable-gpu")
	}
	if os.Geteuid() == 0 {
		// Chromium refuses to sandbox itself for root.
		argv = append(argv, "--no-sandbox")
	}
	return argv
}

// firefoxPrefs point Firefox at the proxy, for every host, and keep it quiet.
const firefoxPrefs = `user_pref("network.proxy.type", 1);
user_pref("network.proxy.http", %[1]q);
user_pref("network.proxy.http_port", %[2]s);
user_pref("network.proxy.ssl", %[1]q);
user_pref("network.proxy.ssl_port", %[2]s);
user_pref("network.proxy.no_proxies_on", %[3]q);
user_pref("network.proxy.allow_hijacking_localhost", true);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.http.http3.enable", false);
user_pref("dom.security.https_first", false);
user_pref("browser.region.network.url", "");
user_pref("services.settings.server", "data:,#remote-settings-dummy/v1");
user_pref("app.normandy.enabled", false);
user_pref("app.shield.optoutstudies.enabled", false);
user_pref("app.update.auto", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.newtabpage.enabled", false);
user_pref("datareporting.healthreport.uploadEnabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("datareporting.usage.uploadEnabled", false);
user_pref("dom.push.connection.enabled", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("extensions.systemAddon.update.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("media.gmp-manager.updateEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("toolkit.telemetry.unified", false);
user_pref("trailhead.firstrun.didSeeAboutWelcome", true);
`
