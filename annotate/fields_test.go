package annotate

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

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
