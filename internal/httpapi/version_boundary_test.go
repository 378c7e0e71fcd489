package httpapi

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// knowVersions are the files that may tell versions apart: the tables, the older shapes, and the plumbing that carries the
// version of a call.
var knowVersions = []string{
	"versions.go", "compat.go", "compat_members.go", "compat_flat.go", "compat_identity.go", "message_fields.go", "routes.go", "call.go", "serve.go",
}

// TestHandlersKnowNoVersion reads the other files: handlers speak the newest version, whatever is asked for.
func TestHandlersKnowNoVersion(t *testing.T) {
	t.Parallel()
	words := versionWords(t)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || slices.Contains(knowVersions, name) {
			continue
		}
		read++
		for _, found := range versionUses(t, name, nil, words) {
			t.Error(found)
		}
	}
	if read < 8 {
		t.Errorf("%d files were read: where are the handlers?", read)
	}
	for _, name := range knowVersions {
		if !slices.Contains(files, name) {
			t.Errorf("%s may know versions and is not there", name)
		}
	}
}

// versionWords are the names of versions and of what they have, as versions.go declares them.
func versionWords(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "versions.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"oldest", "current", "features", "versions", "chatVersions", "identityVersions"}
	for _, d := range file.Decls {
		if group, ok := d.(*ast.GenDecl); ok && group.Tok == token.CONST {
			for _, spec := range group.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					words = append(words, name.Name)
				}
			}
		}
	}
	if !slices.Contains(words, "preview2") || !slices.Contains(words, "roles") {
		t.Fatalf("versions.go declares %v", words)
	}
	return words
}

var versionForm = regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2}(-preview[0-9]*)?`)

// versionUses finds where a file tells versions apart: it names one or what one has, compares one, or asks what it has. To
// pass a version on is fine, and so is to ask whether there is one at all.
func versionUses(t *testing.T, name string, source any, words []string) []string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	report := func(n ast.Node, what string) { found = append(found, files.Position(n.Pos()).String()+": "+what) }
	isVersion := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.SelectorExpr:
			return e.Sel.Name == "version"
		case *ast.CallExpr: // a conversion, or string(version)
			name, ok := e.Fun.(*ast.Ident)
			if !ok || len(e.Args) != 1 {
				return false
			}
			inner, ok := e.Args[0].(*ast.SelectorExpr)
			return name.Name == "Version" || ok && inner.Sel.Name == "version"
		}
		return false
	}
	empty := func(e ast.Expr) bool { lit, ok := e.(*ast.BasicLit); return ok && lit.Value == `""` }
	comparisons := []token.Token{token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ}
	selected := map[*ast.Ident]bool{} // names after a dot, and of methods, are not those of this package
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			selected[n.Sel] = true
		case *ast.FuncDecl:
			selected[n.Name] = true
		case *ast.BinaryExpr:
			versions := isVersion(n.X) && !empty(n.Y) || isVersion(n.Y) && !empty(n.X)
			if versions && slices.Contains(comparisons, n.Op) {
				report(n, "compares a version")
			}
		case *ast.SwitchStmt:
			if n.Tag != nil && isVersion(n.Tag) {
				report(n, "switches on a version")
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && isVersion(f.X) {
				report(n, "asks what a version has")
			}
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && slices.ContainsFunc(n.Args, isVersion) &&
				slices.Contains([]string{"HasPrefix", "Contains", "Compare", "EqualFold"}, f.Sel.Name) {
				report(n, "compares a version")
			}
		case *ast.Ident:
			if slices.Contains(words, n.Name) && !selected[n] && !declares(file, n) {
				report(n, "names "+n.Name)
			}
		case *ast.BasicLit:
			if n.Kind == token.STRING && versionForm.MatchString(n.Value) && !strings.Contains(n.Value, "T15:04:05") {
				report(n, "writes a version out")
			}
		}
		return true
	})
	return found
}

// declares reports whether an identifier is a name that the file gives to something of its own: a field, a parameter, a
// variable, or a use of one.
func declares(file *ast.File, id *ast.Ident) bool {
	own := false
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				own = own || name.Name == id.Name
			}
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				name, ok := left.(*ast.Ident)
				own = own || n.Tok == token.DEFINE && ok && name.Name == id.Name
			}
		}
		return true
	})
	return own
}

// TestVersionUsesAreFound shows that the search above finds what it is for, and no more.
func TestVersionUsesAreFound(t *testing.T) {
	t.Parallel()
	words := versionWords(t)
	for _, test := range []struct {
		line  string
		found bool
	}{
		{`if c.version < "2021" { return nil }`, true},
		{`if c.version <= preview2 { return nil }`, true},
		{`if preview2 >= c.version { return nil }`, true},
		{`if string(c.version) == "x" { return nil }`, true},
		{`if c.query.Get("api-version") == "2021-03-07" { return nil }`, true},
		{`if strings.HasPrefix(string(c.version), "2020") { return nil }`, true},
		{`if c.version.has(roles) { return nil }`, true},
		{`switch c.version { case "x": return nil }`, true},
		{`switch { case st.version > preview7: return nil }`, true},
		{`if features[c.version] != 0 { return nil }`, true},
		{`v := Version("2024-03-15-preview"); use(v)`, true},
		{`use(identityEntra)`, true},

		{`if c.version != "" { use(c.version) }`, false},
		{`link += "&api-version=" + string(c.version)`, false},
		{`return decodeAt(c.version, c.body, &in)`, false},
		{`body := v.at(st.version); use(body)`, false},
		{`use(t.Format("2006-01-02T15:04:05Z"))`, false},
		{`roles := 1; use(roles)`, false},
		{`use(in.messagingPolicy)`, false},
	} {
		source := "package httpapi\nfunc handler(c *call) error {\n" + test.line + "\nreturn nil\n}\n"
		if found := versionUses(t, "handler.go", source, words); (found != nil) != test.found {
			t.Errorf("%s: found %v, want something: %t", test.line, found, test.found)
		}
	}
}
