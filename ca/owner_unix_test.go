//go:build unix

package ca

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestForeignOwner: a folder, or a key, of another user is not the CA that one trusts. Only root can make one.
func TestForeignOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		info, err := os.Stat("/")
		if err != nil {
			t.Fatal(err)
		}
		if owner, foreign := foreignOwner(info); owner != 0 || !foreign {
			t.Errorf("/ belongs to %d, foreign %v", owner, foreign)
		}
		return
	}
	for _, name := range []string{"", KeyFile} {
		dir := filepath.Join(t.TempDir(), "home")
		if _, err := Load(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(dir, name), 65534, 65534); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "belongs to user 65534") {
			t.Errorf("%q of nobody: %v", name, err)
		}
	}
}

// TestStored reads what is there and makes nothing.
func TestStored(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	if c, err := Stored(dir); c != nil || err != nil {
		t.Errorf("of nothing: %v, %v", c, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("a folder was made: %v", err)
	}
	a, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := Stored(dir); err != nil || !c.Equal(a.Certificate()) {
		t.Errorf("%v, %v", c, err)
	}
}
