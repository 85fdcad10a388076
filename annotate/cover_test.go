package annotate

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"explainer/capture/handshake"
)

// TestNameMayBeCover: where the hello carries an encrypted one, the name in clear
// may be a cover, but not once it is seen that the server did not take it.
func TestNameMayBeCover(t *testing.T) {
	ech := []handshake.Extension{{ID: handshake.ExtECH}}
	tls13 := []handshake.Extension{{ID: handshake.ExtSupportedVersions, Value: handshake.SelectedVersion(0x0304)}}
	for _, test := range []struct {
		what string
		h    Handshake
		want bool
	}{
		{"no encrypted hello", Handshake{Hello: &handshake.ClientHello{}, ServerHello: &handshake.ServerHello{LegacyVersion: 0x0303, Extensions: tls13}}, false},
		{"TLS 1.2 chosen", Handshake{Hello: &handshake.ClientHello{Extensions: ech}, ServerHello: &handshake.ServerHello{LegacyVersion: 0x0303}}, false},
		{"TLS 1.3, answers sealed", Handshake{Hello: &handshake.ClientHello{Extensions: ech}, ServerHello: &handshake.ServerHello{LegacyVersion: 0x0303, Extensions: tls13}}, true},
		{"other keys sent", Handshake{Hello: &handshake.ClientHello{Extensions: ech}, ServerHello: &handshake.ServerHello{LegacyVersion: 0x0303, Extensions: tls13}, Encrypted: &handshake.EncryptedExtensions{Extensions: ech}}, false},
		{"no other keys sent", Handshake{Hello: &handshake.ClientHello{Extensions: ech}, ServerHello: &handshake.ServerHello{LegacyVersion: 0x0303, Extensions: tls13}, Encrypted: &handshake.EncryptedExtensions{}}, true},
	} {
		if got := test.h.mayBeCover(); got != test.want {
			t.Errorf("%s: %v, want %v", test.what, got, test.want)
		}
	}
}

// TestExtensionWords: each kind of value that an extension can have is told in words.
func TestExtensionWords(t *testing.T) {
	readers, err := parser.ParseFile(token.NewFileSet(), "../capture/handshake/extensions.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	told, err := os.ReadFile("explain_fields.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := 0
	for _, d := range readers.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || !strings.HasPrefix(f.Name.Name, "read") {
			continue
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			var made ast.Expr
			switch n := n.(type) {
			case *ast.CallExpr:
				made = n.Fun
			case *ast.CompositeLit:
				made = n.Type
			}
			if kind, ok := made.(*ast.Ident); ok && kind.IsExported() && kind.Name != "PSKIdentity" && kind.Name != "KeyShare" { // parts of others
				kinds++
				if !strings.Contains(string(told), "case handshake."+kind.Name+":") {
					t.Errorf("%s makes a handshake.%s, of which extensionValue has no words", f.Name.Name, kind.Name)
				}
			}
			return true
		})
	}
	if kinds < 30 {
		t.Errorf("%d kinds of values", kinds)
	}
}
