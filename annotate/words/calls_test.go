package words

import (
	"fmt"
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

// TestCalls: who makes a piece gives exactly the values that it has places for, and an ID
// that the code puts together is one of those that are in the catalogue.
func TestCalls(t *testing.T) {
	t.Parallel()
	n := 0
	for _, root := range []string{"../../annotate", "../../cmd", "../../proxy"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules"):
				return filepath.SkipDir
			case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			c, err := callsIn(path, nil)
			for _, wrong := range c.wrong {
				t.Error(wrong)
			}
			n += c.n
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 700 {
		t.Errorf("only %d calls were found", n)
	}
}

// TestCallsWrong: that test finds what is wrong.
func TestCallsWrong(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]string{
		`words.Piece("label/packet", "n", 1)`:                                          "",
		`words.Piece("label/packet")`:                                                  "nobody gives {n}",
		`words.Piece("label/packet", "n", 1, "of", 2)`:                                 "no place for of",
		`words.Piece("label/packet", "m", 1)`:                                          "nobody gives {n}",
		`words.Piece("label/no-such")`:                                                 "is not in the catalogue",
		`words.Piece(made())`:                                                          "cannot be told",
		`id := "label/packet"; if x { id = "label/packets" }; words.Piece(id, "n", 1)`: "nobody gives {first}",
		`id := "label/packet"; id += "s"; words.Piece(id, "first", 1, "last", 2)`:      "nobody gives {n}",
		`words.Piece("outcome/" + x)`:                                                  "",
		`words.Piece("kin/" + x, "connection", c)`:                                     "nobody gives",
		`words.Piece("no-such-family/" + x)`:                                           "is not in the catalogue",
		`words.Count(1, "horse")`:                                                      "is not counted",
		`words.FieldName("horse")`:                                                     "is no field",
		`fieldOf("horse", v)`:                                                          "is no field",
		`words.Say("odd-ssl", how, words.Args{"what": w})`:                             "",
		`words.Say("odd-ssl", how, words.Args{"which": w})`:                            "nobody gives {what}",
		`words.Say("odd-ssl", how, nil)`:                                               "nobody gives {what}",
		`words.Say("no-such-sentence", how, a)`:                                        "is not in the catalogue",
	} {
		c, err := callsIn("x.go", "package x\nfunc f() {\n"+call+"\n}\n")
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(c.wrong, "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", call, got, want)
		}
	}
}

// calls are the calls of makers in a file.
type calls struct {
	n     int
	wrong []string
	file  *token.FileSet
}

// madeUp are functions that put an ID together of which not the whole family can be meant,
// with those that can. Where there are none the function hands on what others give it: the
// calls of it are looked at, or a test of that package makes each of its texts.
var madeUp = map[string][]string{
	"annotate.webAfterGap": {"brief/http2-after-gap", "brief/http1-after-gap"},
	"annotate.legFacts":    {"fact/version", "fact/suite", "fact/group", "fact/alpn", "fact/certificate", "fact/certificate-checks", "fact/raw-public-key", "fact/checked-by-proxy"},
	"annotate.tellChecks":  {"checks/failed", "checks/warned", "checks/not-checked"},
	"text.rowText":         {"mark/proven", "mark/refuted", "mark/not-checkable"},
	"check.cell":           {"cell/refused", "cell/leaked", "cell/accepted"},
	"text.mark":            nil,
	"text.title":           nil,
	"text.":                nil, // what no text from the wire may look like
	"steps.Title":          nil,
	"story.WordsOf":        nil,
	"proxy.said":           nil,
	"proxy.Says":           nil,
	"proxy.":               nil, // the templates of the pages
	"page.":                nil, // and of those that show the story
	"page.functions":       nil, // TestTemplates looks at its templates
	"grade.never":          nil,
	"words.":               nil, // tables by the English
	"words.Named":          nil,
	"words.Meaning":        nil,
	"words.Short":          nil, // TestShortWords makes each
}

func callsIn(path string, src any) (*calls, error) {
	c := &calls{file: token.NewFileSet()}
	tree, err := parser.ParseFile(c.file, path, src, 0)
	if err != nil {
		return c, err
	}
	for _, d := range tree.Decls {
		name := ""
		if f, ok := d.(*ast.FuncDecl); ok {
			name = f.Name.Name
		}
		ast.Inspect(d, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && len(call.Args) > 0 {
				c.call(call, d, tree.Name.Name+"."+name)
			}
			return true
		})
	}
	return c, nil
}

func (c *calls) call(call *ast.CallExpr, in ast.Node, function string) {
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
		if x, ok := f.X.(*ast.Ident); name != "mark" && (!ok || x.Name != "words") || ok && x.Name == "x" {
			return // another's, as the explainer's own mark
		}
	}
	say := func(format string, a ...any) {
		c.wrong = append(c.wrong, c.file.Position(call.Pos()).String()+": "+fmt.Sprintf(format, a...))
	}
	switch name {
	case "Piece", "mark":
		ids, ok := idsOf(call.Args[0], in)
		only, listed := madeUp[function]
		if _, whole := literal(call.Args[0]); listed && !whole {
			if only == nil {
				return
			}
			ids, ok = only, true
		}
		if !ok {
			say("which piece it is cannot be told (in %s)", function)
			return
		}
		c.n++
		given, ok := keysOf(call.Args[1:])
		if !ok || call.Ellipsis.IsValid() {
			say("which values it has cannot be told (in %s)", function)
			return
		}
		places := map[string]bool{}
		for _, id := range ids {
			text, ok := everyPiece[id]
			if !ok {
				say("%s is not in the catalogue", id)
			}
			for _, p := range placeSet(text) {
				places[p] = true
				if !slices.Contains(given, p) {
					say("%s: nobody gives {%s}", id, p)
				}
			}
		}
		for _, g := range given {
			if !places[g] && len(places)+len(ids) > 0 {
				say("%s has no place for %s", strings.Join(ids, ", "), g)
			}
		}
	case "said", "never": // [madeUp] hands on
		id, ok := literal(call.Args[0])
		want := []string{}
		if name == "said" && len(call.Args) == 2 {
			if cause, is := call.Args[1].(*ast.Ident); !is || cause.Name != "nil" {
				want = []string{"cause"}
			}
		}
		if text, known := everyPiece[id]; ok && (!known || !slices.Equal(placeSet(text), want)) {
			say("%s is not in the catalogue with the places %v", id, want)
		}
	case "Count":
		if noun, ok := literal(call.Args[len(call.Args)-1]); ok && !slices.Contains(nouns, noun) {
			say("%s is not counted", noun)
		}
	case "FieldName", "field", "fieldOf", "input", "inputOf", "named":
		if !strings.HasPrefix(function, "annotate.") && !strings.HasPrefix(function, "proof.") && !strings.HasPrefix(function, "x.") {
			return
		}
		if name, ok := literal(call.Args[0]); ok {
			if _, known := fieldNames[name]; !known {
				say("%s is no field", name)
			}
		}
	case "Say":
		id, ok := literal(call.Args[0])
		if !ok || len(call.Args) != 3 {
			return
		}
		c.n++
		e, ok := catalogue[id]
		if !ok {
			say("%s is not in the catalogue", id)
			return
		}
		var given []string
		switch a := call.Args[2].(type) {
		case *ast.CompositeLit:
			for _, el := range a.Elts {
				if kv, ok := el.(*ast.KeyValueExpr); ok {
					if key, ok := literal(kv.Key); ok {
						given = append(given, key)
					}
				}
			}
		case *ast.Ident:
			if a.Name != "nil" {
				return // what is known of a connection: TestPlaces, and the stories
			}
		default:
			return
		}
		for _, p := range placeSet(e.text) {
			if !slices.Contains(given, p) {
				say("%s: nobody gives {%s}", id, p)
			}
		}
	}
}

// keysOf are the names among name, value pairs.
func keysOf(args []ast.Expr) ([]string, bool) {
	var keys []string
	for i := 0; i < len(args); i += 2 {
		key, ok := literal(args[i])
		if !ok || i+1 == len(args) {
			return nil, false
		}
		keys = append(keys, key)
	}
	return keys, true
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}

// idsOf are the IDs that an expression can be: a literal, those of a family, or what a
// variable is set to in the same function.
func idsOf(e ast.Expr, in ast.Node) ([]string, bool) {
	if id, ok := literal(e); ok {
		return []string{id}, true
	}
	switch e := e.(type) {
	case *ast.ParenExpr:
		return idsOf(e.X, in)
	case *ast.BinaryExpr:
		family, ok := literal(e.X)
		if !ok || e.Op != token.ADD {
			return nil, false
		}
		var ids []string
		for id := range everyPiece {
			if strings.HasPrefix(id, family) {
				ids = append(ids, id)
			}
		}
		if ids == nil {
			ids = []string{family + "?"}
		}
		slices.Sort(ids)
		return ids, true
	case *ast.IndexExpr: // a table
		list, ok := e.X.(*ast.CompositeLit)
		if !ok {
			return nil, false
		}
		var ids []string
		for _, el := range list.Elts {
			if kv, ok := el.(*ast.KeyValueExpr); ok {
				el = kv.Value
			}
			more, ok := idsOf(el, in)
			if !ok {
				return nil, false
			}
			ids = append(ids, more...)
		}
		return ids, true
	case *ast.Ident:
		return setTo(e.Name, in)
	}
	return nil, false
}

// setTo are the IDs that a variable is set to.
func setTo(name string, in ast.Node) (ids []string, ok bool) {
	ok = true
	var behind []string
	ast.Inspect(in, func(n ast.Node) bool {
		a, is := n.(*ast.AssignStmt)
		if !is {
			return true
		}
		for i, l := range a.Lhs {
			if v, is := l.(*ast.Ident); !is || v.Name != name {
				continue
			}
			if len(a.Rhs) != len(a.Lhs) {
				ok = false
				continue
			}
			if a.Tok == token.ADD_ASSIGN {
				end, known := literal(a.Rhs[i])
				ok = ok && known
				behind = append(behind, end)
				continue
			}
			more, known := idsOf(a.Rhs[i], in)
			ids, ok = append(ids, more...), ok && known
		}
		return true
	})
	for _, end := range behind {
		for _, id := range ids {
			ids = append(ids, id+end)
		}
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == "" })
	slices.Sort(ids)
	return slices.Compact(ids), ok && len(ids) > 0
}
