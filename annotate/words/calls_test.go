package words

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestCalls: whoever makes a piece names one that there is, with all its values and no
// other; whoever counts, counts what has a word in every language; and no piece of what
// the commands say is without somebody who says it.
func TestCalls(t *testing.T) {
	files := token.NewFileSet()
	calls, named := 0, map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			if d != nil && d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
				return filepath.SkipDir
			}
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		catalogue := filepath.Base(filepath.Dir(path)) == "words"
		ast.Inspect(file, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok && !catalogue {
				if s, ok := literal(e); ok {
					named[s] = true
				}
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := ""
			switch f := call.Fun.(type) {
			case *ast.SelectorExpr:
				if x, ok := f.X.(*ast.Ident); ok && x.Name == "words" {
					name = f.Sel.Name
				}
			case *ast.Ident:
				if file.Name.Name == "words" {
					name = f.Name
				}
			}
			at := files.Position(call.Pos())
			if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "worded" {
				checkPiece(t, at, call.Args[1:])
			}
			switch name {
			case "Piece":
				calls++
				checkPiece(t, at, call.Args)
			case "Count":
				calls++
				if noun, ok := literal(call.Args[1]); ok && !slices.Contains(nouns, noun) {
					t.Errorf("%s: %q is not counted in every language", at, noun)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls < 100 {
		t.Errorf("%d calls found", calls)
	}
	for _, table := range []map[string]string{commandPieces, checkPieces, gradePieces, errorPieces} {
		for id := range table {
			family, _, _ := strings.Cut(id, "/")
			if !named[id] && !named[family+"/"] {
				t.Errorf("nobody says %s", id)
			}
		}
	}
}

func checkPiece(t *testing.T, at token.Position, args []ast.Expr) {
	id, ok := literal(args[0])
	if !ok {
		return
	}
	piece, ok := pieceTemplates[id]
	if !ok {
		t.Errorf("%s: there is no piece %s", at, id)
		return
	}
	var want, have []string
	for _, p := range piece.places {
		want = append(want, p.key)
	}
	for i := 1; i < len(args); i += 2 {
		name, ok := literal(args[i])
		if !ok {
			return // values that are made elsewhere
		}
		have = append(have, name)
	}
	slices.Sort(want)
	slices.Sort(have)
	if want, have = slices.Compact(want), slices.Compact(have); !slices.Equal(want, have) || len(args)%2 == 0 {
		t.Errorf("%s: %s has the places %v, given are %v", at, id, want, have)
	}
}

// literal is the string that an expression is, if it is written there.
func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}
