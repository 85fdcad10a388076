// Package install knows where a machine keeps whom it trusts, and what puts a CA there and
// takes it away again: commands of the system's own, which can be shown before they are run.
package install

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// The kinds of trust stores.
const (
	System  = "system"  // of the machine, for every user of it
	Browser = "browser" // NSS databases of Firefox and, on Linux, Chromium, of this user
	Java    = "java"    // the cacerts of the Java that is found
)

// Kinds are all of them, in the order in which they are told.
var Kinds = []string{System, Browser, Java}

// A Command is a program of the system's and its arguments.
type Command []string

// String is the command as a POSIX shell takes it.
func (c Command) String() string {
	words := make([]string, len(c))
	for i, w := range c {
		if words[i] = w; w == "" || strings.ContainsFunc(w, func(r rune) bool {
			return !strings.ContainsRune("/.,:=_+-@%", r) && !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9')
		}) {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// Run runs it. The error holds the last line that it wrote.
func (c Command) Run() error {
	out, err := exec.Command(c[0], c[1:]...).CombinedOutput()
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return fmt.Errorf("%s: %s (%w)", c, last, err)
	}
	return fmt.Errorf("%s: %w", c, err)
}

// A Store is one trust store.
type Store struct {
	Kind  string
	Where string // its file or folder
	Needs string // the program that is needed to change it and is not installed, or ""

	Add, Remove []Command
	has         func() bool
}

// Has tells that the CA is in it.
func (s *Store) Has() bool { return s.Needs == "" && s.has() }

// Stores finds the trust stores of a kind on this machine, for the CA of which file is the certificate in PEM.
func Stores(kind, file string, cert *x509.Certificate) []*Store {
	switch kind {
	case System:
		return system(file, cert)
	case Browser:
		return browsers(file, cert)
	case Java:
		return java(file, cert)
	}
	return nil
}

// mark is a short name of the CA, for files and aliases.
func mark(cert *x509.Certificate) string {
	return fmt.Sprintf("explainer-%x", sha256.Sum256(cert.Raw))[:len("explainer-")+16]
}

// needs is the first of the programs that is not installed, or "".
func needs(programs ...string) string {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return p
		}
	}
	return ""
}

// privileged runs commands as root, if they are not already.
func privileged(commands ...Command) []Command {
	if os.Geteuid() > 0 {
		for i, c := range commands {
			commands[i] = append(Command{"sudo"}, c...)
		}
	}
	return commands
}

// anchors are the folders in which distributions of Linux look for roots of the machine's own.
var anchors = []struct {
	dir, ending   string
	update, fresh Command
}{
	{"/etc/pki/ca-trust/source/anchors", ".pem", Command{"update-ca-trust", "extract"}, Command{"update-ca-trust", "extract"}},    // Fedora
	{"/usr/local/share/ca-certificates", ".crt", Command{"update-ca-certificates"}, Command{"update-ca-certificates", "--fresh"}}, // Debian
	{"/etc/ca-certificates/trust-source/anchors", ".crt", Command{"trust", "extract-compat"}, Command{"trust", "extract-compat"}}, // Arch
	{"/usr/share/pki/trust/anchors", ".pem", Command{"update-ca-certificates"}, Command{"update-ca-certificates"}},                // SUSE
}

func system(file string, cert *x509.Certificate) []*Store {
	switch runtime.GOOS {
	case "linux":
		for _, a := range anchors {
			if info, err := os.Stat(a.dir); err != nil || !info.IsDir() {
				continue
			}
			at := filepath.Join(a.dir, mark(cert)+a.ending)
			return []*Store{{
				Kind: System, Where: a.dir, Needs: needs(a.update[0]),
				Add:    privileged(Command{"install", "-m", "644", file, at}, a.update),
				Remove: privileged(Command{"rm", "-f", at}, a.fresh),
				has:    func() bool { return holds(at, cert) },
			}}
		}
	case "darwin":
		const keychain = "/Library/Keychains/System.keychain"
		sum, sha := sha256.Sum256(cert.Raw), sha1.Sum(cert.Raw)
		return []*Store{{
			Kind: System, Where: keychain, Needs: needs("security"),
			Add:    privileged(Command{"security", "add-trusted-cert", "-d", "-k", keychain, file}),
			Remove: privileged(Command{"security", "remove-trusted-cert", "-d", file}, Command{"security", "delete-certificate", "-Z", fmt.Sprintf("%X", sha), keychain}),
			has: func() bool {
				out, err := exec.Command("security", "find-certificate", "-a", "-Z", keychain).Output()
				return err == nil && bytes.Contains(out, fmt.Appendf(nil, "%X", sum))
			},
		}}
	case "windows":
		sum := fmt.Sprintf("%x", sha1.Sum(cert.Raw))
		return []*Store{{
			Kind: System, Where: "Root", Needs: needs("certutil"),
			Add:    []Command{{"certutil", "-user", "-addstore", "Root", file}},
			Remove: []Command{{"certutil", "-user", "-delstore", "Root", sum}},
			has:    func() bool { return exec.Command("certutil", "-user", "-verifystore", "Root", sum).Run() == nil },
		}}
	}
	return nil
}

// holds tells that a file in PEM begins with the certificate.
func holds(file string, cert *x509.Certificate) bool {
	data, err := os.ReadFile(file)
	return err == nil && holdsPEM(data, cert)
}

func holdsPEM(data []byte, cert *x509.Certificate) bool {
	block, _ := pem.Decode(data)
	return block != nil && bytes.Equal(block.Bytes, cert.Raw)
}

// profiles are where browsers keep their NSS databases, below the user's home folder.
var profiles = []string{
	".pki/nssdb", "snap/chromium/current/.pki/nssdb", // Chromium on Linux
	".mozilla/firefox/*", ".config/mozilla/firefox/*", "snap/firefox/common/.mozilla/firefox/*", ".var/app/org.mozilla.firefox/.mozilla/firefox/*",
	"Library/Application Support/Firefox/Profiles/*", "AppData/Roaming/Mozilla/Firefox/Profiles/*",
}

// browsers are the databases of this user's browsers. Those of Windows and macOS but Firefox use the system's store.
func browsers(file string, cert *x509.Certificate) (stores []*Store) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	missing := needs("certutil")
	if runtime.GOOS == "windows" {
		missing = "certutil (NSS)" // the system has another program of this name
	}
	for _, p := range profiles {
		found, _ := filepath.Glob(filepath.Join(home, filepath.FromSlash(p), "cert9.db"))
		for _, f := range found {
			dir := filepath.Dir(f)
			db, name := "sql:"+dir, cert.Subject.CommonName
			stores = append(stores, &Store{
				Kind: Browser, Where: dir, Needs: missing,
				Add:    []Command{{"certutil", "-A", "-d", db, "-t", "C,,", "-n", name, "-i", file}},
				Remove: []Command{{"certutil", "-D", "-d", db, "-n", name}},
				has: func() bool {
					out, err := exec.Command("certutil", "-L", "-d", db, "-n", name, "-a").Output()
					return err == nil && holdsPEM(out, cert)
				},
			})
		}
	}
	return stores
}

// javaPassword is that of every cacerts that nobody has changed.
const javaPassword = "changeit"

// java is the trust store of the Java in JAVA_HOME, or else of the first on the path.
func java(file string, cert *x509.Certificate) []*Store {
	home := os.Getenv("JAVA_HOME")
	if home == "" {
		for _, program := range []string{"keytool", "java"} {
			if found, err := exec.LookPath(program); err == nil {
				if found, err = filepath.EvalSymlinks(found); err == nil {
					home = filepath.Dir(filepath.Dir(found))
					break
				}
			}
		}
	}
	for _, below := range []string{"lib/security/cacerts", "jre/lib/security/cacerts"} {
		at := filepath.Join(home, filepath.FromSlash(below))
		if _, err := os.Stat(at); home == "" || err != nil {
			continue
		}
		tool := filepath.Join(home, "bin", "keytool")
		on := func(verb string, args ...string) Command {
			return append(Command{tool, verb, "-keystore", at, "-storepass", javaPassword, "-alias", mark(cert)}, args...)
		}
		add, remove := []Command{on("-importcert", "-noprompt", "-file", file)}, []Command{on("-delete")}
		if f, err := os.OpenFile(at, os.O_WRONLY, 0); err != nil {
			add, remove = privileged(add...), privileged(remove...)
		} else {
			f.Close()
		}
		return []*Store{{
			Kind: Java, Where: at, Needs: needs(tool), Add: add, Remove: remove,
			has: func() bool {
				list := on("-exportcert", "-rfc")
				out, err := exec.Command(list[0], list[1:]...).Output()
				return err == nil && holdsPEM(out, cert)
			},
		}}
	}
	return nil
}
