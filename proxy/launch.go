package proxy

import (
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"explainer/ca"
)

// trustStorePassword is Java's own default; a trust store holds no secret.
const trustStorePassword = "changeit"

//go:embed nodeproxy.js
var nodeProxy []byte

// A Child is what a program needs so that it uses the proxy and trusts its CA.
type Child struct {
	Proxy string   // host:port
	CA    string   // path of what the program is to trust, PEM; "" if its trust is left as it is
	Env   []string // the whole environment
}

// NewChild writes the files that clients want into dir and returns the
// environment of a child: environ with every proxy and CA variable set, in both
// cases where clients differ. What each client reads, and what
// it ignores, was measured: curl takes only the lower-case http_proxy and prefers
// CURL_CA_BUNDLE, wget reads no CA variable but a WGETRC, Ruby wants http_proxy
// even for https, git prefers its own configuration to the variables, Java reads
// only a PKCS #12 trust store named in JAVA_TOOL_OPTIONS. The child trusts also,
// if there are any, beside the CA, and nothing else: who that is to be is the caller's to
// say. Without an authority (nil) the child's trust is left as it is: only proxy
// variables are set.
func NewChild(dir string, authority *ca.Authority, proxyURL string, environ []string, also ...*x509.Certificate) (*Child, error) {
	u, err := url.Parse(proxyURL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("proxy: %q is no proxy URL", proxyURL)
	}
	preload := filepath.Join(dir, "nodeproxy.js")
	if err := os.WriteFile(preload, nodeProxy, 0o600); err != nil {
		return nil, err
	}
	old := func(name string) string { return variable(environ, name) }
	java := []string{
		"-Dhttp.proxyHost=" + u.Hostname(), "-Dhttp.proxyPort=" + u.Port(),
		"-Dhttps.proxyHost=" + u.Hostname(), "-Dhttps.proxyPort=" + u.Port(), "-Dhttp.nonProxyHosts=",
	}
	set := map[string]string{
		"CLOUDSDK_PROXY_TYPE": "http", "CLOUDSDK_PROXY_ADDRESS": u.Hostname(), "CLOUDSDK_PROXY_PORT": u.Port(),
		"PERL_LWP_ENV_PROXY": "1", "NODE_USE_ENV_PROXY": "1",
		"no_proxy": "", "NO_PROXY": "",
		"NODE_OPTIONS": joined(old("NODE_OPTIONS"), "--require", nodeQuoted(preload)),
	}
	for _, name := range []string{
		"http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "WSS_PROXY", "CGI_HTTP_PROXY",
		"npm_config_proxy", "npm_config_https_proxy", "GLOBAL_AGENT_HTTP_PROXY", "CARGO_HTTP_PROXY", "PIP_PROXY",
	} {
		set[name] = proxyURL
	}
	// What GIT_CONFIG_COUNT adds stands behind the user's own files, and the last value of a setting counts.
	n, err := strconv.Atoi(old("GIT_CONFIG_COUNT"))
	if err != nil || n < 0 {
		n = 0
	}
	set[fmt.Sprintf("GIT_CONFIG_KEY_%d", n)], set[fmt.Sprintf("GIT_CONFIG_VALUE_%d", n)] = "http.proxy", proxyURL
	set["GIT_CONFIG_COUNT"] = strconv.Itoa(n + 1)
	child := &Child{Proxy: u.Host}
	if authority != nil {
		options, err := child.trust(dir, authority, proxyURL, environ, set, also)
		if err != nil {
			return nil, err
		}
		java = append(java, options...)
	}
	set["JAVA_TOOL_OPTIONS"] = joined(append([]string{old("JAVA_TOOL_OPTIONS")}, java...)...)
	child.Env = withVariables(environ, set)
	return child, nil
}

// trust writes the files of what the child is to trust, sets the variables that
// name them, and returns the options that do so for Java.
func (c *Child) trust(dir string, authority *ca.Authority, proxyURL string, environ []string, set map[string]string, also []*x509.Certificate) (java []string, err error) {
	c.CA = filepath.Join(dir, "ca.pem")
	p12 := filepath.Join(dir, "ca.p12")
	wgetrc := filepath.Join(dir, "wgetrc")
	store, err := authority.PKCS12(trustStorePassword, also...)
	if err != nil {
		return nil, err
	}
	bundle := authority.PEM()
	for _, cert := range also {
		bundle = append(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	// The user's own configuration of wget stays; the last line counts.
	var settings []byte
	if path := userWgetrc(environ); path != "" {
		if settings, err = os.ReadFile(path); err == nil && len(settings) > 0 {
			settings = append(settings, '\n')
		}
	}
	settings = fmt.Appendf(settings, "use_proxy = on\nhttp_proxy = %s\nhttps_proxy = %s\nca_certificate = %s\n", proxyURL, proxyURL, c.CA)
	for _, f := range []struct {
		name string
		data []byte
	}{{c.CA, bundle}, {p12, store}, {wgetrc, settings}} {
		if err := os.WriteFile(f.name, f.data, 0o600); err != nil {
			return nil, err
		}
	}
	for _, name := range caVariables {
		set[name] = c.CA
	}
	set["SSL_CERT_DIR"], set["WGETRC"], set["DENO_TLS_CA_STORE"] = dir, wgetrc, "system"
	return []string{
		javaQuoted("-Djavax.net.ssl.trustStore=" + p12), "-Djavax.net.ssl.trustStoreType=PKCS12", "-Djavax.net.ssl.trustStorePassword=" + trustStorePassword,
	}, nil
}

// LogKeys has the child write the keys of its TLS connections to a file, as far as it can.
func (c *Child) LogKeys(file string) {
	c.Env = withVariables(c.Env, map[string]string{
		"SSLKEYLOGFILE": file,
		"NODE_OPTIONS":  joined(variable(c.Env, "NODE_OPTIONS"), nodeQuoted("--tls-keylog="+file)),
	})
}

// Args returns argv with {proxy} (host:port) and {ca} (a PEM file) filled in,
// for programs that read no variable; {ca} stays where there is none.
func (c *Child) Args(argv []string) []string {
	fill := strings.NewReplacer("{proxy}", c.Proxy)
	if c.CA != "" {
		fill = strings.NewReplacer("{proxy}", c.Proxy, "{ca}", c.CA)
	}
	out := make([]string, len(argv))
	for i, a := range argv {
		out[i] = fill.Replace(a)
	}
	return out
}

// withVariables returns environ with the variables of set in place of its own of
// these names, in the order of their names.
func withVariables(environ []string, set map[string]string) []string {
	names := slices.Sorted(maps.Keys(set))
	var env []string
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if !slices.ContainsFunc(names, func(n string) bool { return sameVariable(n, name) }) {
			env = append(env, kv)
		}
	}
	for i, name := range names {
		// Where the case of names does not count, one spelling is enough.
		if slices.ContainsFunc(names[:i], func(n string) bool { return sameVariable(n, name) }) {
			continue
		}
		env = append(env, name+"="+set[name])
	}
	return env
}

// sameVariable compares names of environment variables as the system does.
func sameVariable(a, b string) bool {
	if runtime.GOOS == "windows" {
		return strings.EqualFold(a, b)
	}
	return a == b
}

func joined(words ...string) string {
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

// nodeQuoted writes a path so that it is one word in NODE_OPTIONS, where quotes
// hold a word together and a backslash within them escapes.
func nodeQuoted(path string) string {
	if !strings.ContainsAny(path, " \"\\") {
		return path
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}

// javaQuoted writes an option so that it is one word in JAVA_TOOL_OPTIONS, where
// either kind of quotes holds a word together and nothing escapes.
func javaQuoted(option string) string {
	switch {
	case !strings.ContainsAny(option, " \t'\""):
		return option
	case strings.Contains(option, `"`):
		return "'" + option + "'"
	}
	return `"` + option + `"`
}

// patience is how long a child that was asked to end may take to do so.
var patience = 5 * time.Second // a variable for the tests alone

// RunChild starts cmd and waits until it has ended. Signals are the child's:
// the one that asks to end is passed on, and if nothing has come of it after five
// seconds, the child is killed. Ctrl-C reaches it without help, for the terminal
// gives that to both; a browser has a process group of its own, is asked to end
// by itself, and what it leaves of its group is killed.
func RunChild(cmd *exec.Cmd) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, passedOn...)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var kill <-chan time.Time
	for {
		select {
		case err := <-done:
			endGroup(cmd)
			return err
		case <-kill:
			killChild(cmd)
		case sig := <-signals:
			switch {
			case hasGroup(cmd):
				sig = syscall.SIGTERM
			case sig == os.Interrupt && atTerminal():
				continue
			}
			if cmd.Process.Signal(sig) != nil {
				killChild(cmd)
			}
			if kill == nil && sig != os.Interrupt {
				kill = time.After(patience)
			}
		}
	}
}

// ExitCode is the code that a shell would give for how a child ended: its own,
// or 128 and the signal's number.
func ExitCode(exit *exec.ExitError) int {
	if code := exit.ExitCode(); code >= 0 {
		return code
	}
	if status, ok := exit.Sys().(interface{ Signal() syscall.Signal }); ok {
		return 128 + int(status.Signal())
	}
	return 1
}
