package proxy

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"explainer/ca/roots"
)

// caVariables name, in the environment of a program, a file of the authorities
// that it trusts. [NewChild] sets all of them.
var caVariables = []string{
	"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "PIP_CERT",
	"AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO", "DENO_CERT", "PERL_LWP_SSL_CA_FILE", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
	"NIX_SSL_CERT_FILE", "HTTPLIB2_CA_CERTS", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "BUNDLE_SSL_CA_CERT", "YARN_HTTPS_CA_FILE_PATH",
	"npm_config_cafile",
}

// caFolders do the same with folders; the lists of the first are those of a path.
var caFolders = []string{"SSL_CERT_DIR", "GIT_SSL_CAPATH", "PERL_LWP_SSL_CA_PATH"}

// A NamedRoots is what one variable of the environment has programs trust.
type NamedRoots struct {
	Variable string
	Certs    []*x509.Certificate
	Err      error // what could not be read
}

// NamedIn reads what the variables of environ have programs trust, those that are
// set and no others. What it cannot read is told in Err; the rest counts.
func NamedIn(environ []string) []NamedRoots {
	var all []NamedRoots
	add := func(variable, password string, paths ...string) {
		n := NamedRoots{Variable: variable}
		for _, path := range paths {
			certs, err := roots.Certificates(path, password)
			n.Certs = append(n.Certs, certs...)
			if err != nil && n.Err == nil {
				n.Err = err
			}
		}
		all = append(all, n)
	}
	for _, name := range caVariables {
		if path := variable(environ, name); path != "" {
			add(name, "", path)
		}
	}
	for _, name := range caFolders {
		if list := variable(environ, name); list != "" {
			add(name, "", slices.DeleteFunc(filepath.SplitList(list), func(dir string) bool { return dir == "" })...)
		}
	}
	for _, name := range []string{"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"} {
		options := variable(environ, name)
		if m := javaStore.FindStringSubmatch(options); m != nil {
			password := trustStorePassword
			if p := javaPassword.FindStringSubmatch(options); p != nil {
				password = strings.Trim(p[1], `"'`)
			}
			add(name, password, m[1]+m[2]+m[3])
		}
	}
	if path := userWgetrc(environ); path != "" {
		if data, err := os.ReadFile(path); err == nil {
			if m := wgetCA.FindAllSubmatch(data, -1); m != nil {
				add(path, "", string(m[len(m)-1][1]))
			}
		}
	}
	return all
}

// What names a trust store in the options of Java, where quotes of either kind hold a word together; and
// authorities in the configuration of wget, in which underscores and dashes do not count.
var (
	javaStore    = regexp.MustCompile(`(?:"-Djavax\.net\.ssl\.trustStore=([^"]+)"|'-Djavax\.net\.ssl\.trustStore=([^']+)'|-Djavax\.net\.ssl\.trustStore=([^\s"']+))`)
	javaPassword = regexp.MustCompile(`-Djavax\.net\.ssl\.trustStorePassword=(\S+)`)
	wgetCA       = regexp.MustCompile(`(?mi)^[ \t]*ca[-_]?certificate[ \t]*=[ \t]*(.*?)[ \t\r]*$`)
)

// variable returns the value of a variable in environ; the last one counts.
func variable(environ []string, name string) (value string) {
	for _, kv := range environ {
		if n, v, _ := strings.Cut(kv, "="); sameVariable(n, name) {
			value = v
		}
	}
	return value
}

// userWgetrc returns the configuration file that wget would read, or "".
func userWgetrc(environ []string) string {
	if path := variable(environ, "WGETRC"); path != "" {
		return path
	}
	home := variable(environ, "HOME")
	if home == "" || runtime.GOOS == "windows" {
		return ""
	}
	path := filepath.Join(home, ".wgetrc")
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}
