package chat_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/echochat/echochat"

// TestImports holds the packages to the arrows: what may import what within the
// module. A new package needs a row.
func TestImports(t *testing.T) {
	t.Parallel()
	arrows := map[string][]string{
		"chat":                   {"chat/socketio", "chat/web", "store"},
		"chat/socketio":          {"chat/internal/engineio", "chat/web"},
		"chat/internal/engineio": {},
		"chat/internal/apidoc":   {},
		"chat/internal/bench":    {"chat/socketio"},
		"chat/redisadapter":      {"chat/socketio"},
		"chat/chattest":          {"chat", "chat/socketio", "store"},
		"chat/web":               {},
		"store":                  {"migrations"},
		"store/storetest":        {"migrations", "store"},
		"migrations":             {},
		"middleware":             {"chat"},
		"example":                {"chat", "chat/socketio", "chat/web", "middleware", "store"},
	}
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		row := f.dir
		if strings.HasPrefix(row, "example/") {
			row = "example"
		}
		allowed, known := arrows[row]
		require.True(t, known, "%s: package %s has no row in the table of arrows", f.name, f.dir)
		for _, imported := range f.imports {
			inner, ours := strings.CutPrefix(imported, module+"/")
			if ours && !slices.Contains(allowed, inner) {
				t.Errorf("%s imports %s: there is no arrow from %s to it", f.name, inner, row)
			}
		}
	}
}

// TestDependencies holds each outside module to the packages that need it.
func TestDependencies(t *testing.T) {
	t.Parallel()
	homes := map[string][]string{
		"github.com/olahol/melody":     {"chat/internal/engineio"},
		"github.com/gorilla/websocket": {"chat/internal/engineio", "chat/internal/bench", "chat/chattest"},
		"github.com/labstack/echo":     {"chat", "chat/chattest", "middleware", "example"},
		"github.com/gorilla/sessions":  {"middleware", "example"},
		"github.com/golang-jwt/jwt":    {"middleware", "example"},
		"github.com/redis/go-redis":    {"chat/redisadapter"},
		"github.com/pressly/goose":     {"migrations"},
		"github.com/google/uuid":       {"store", "chat"},
		"gorm.io":                      {"store", "migrations", "chat", "example"},
		"modernc.org":                  {"store", "example"},
		"github.com/mattn":             {"store"},
		"github.com/go-sql-driver":     {"store"},
		"github.com/jackc":             {"store"},
		"golang.org/x/sync":            {"store"},
		"golang.org/x/time":            {"middleware", "chat"},
		"golang.org/x/text":            {"chat", "middleware", "store"},
		"golang.org/x/sys":             {"chat/internal/bench", "chat/internal/engineio"},
	}
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		for _, imported := range f.imports {
			if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") || strings.HasPrefix(imported, module) {
				continue
			}
			if !slices.ContainsFunc(homeOf(homes, imported), func(home string) bool {
				within := strings.HasPrefix(f.dir, home+"/") && home != "chat"
				return f.dir == home || within
			}) {
				t.Errorf("%s imports %s, which is not for package %s", f.name, imported, f.dir)
			}
		}
	}
}

func homeOf(homes map[string][]string, imported string) []string {
	for prefix, dirs := range homes {
		if imported == prefix || strings.HasPrefix(imported, prefix+"/") {
			return dirs
		}
	}
	return nil
}

// TestBudgets keeps files and functions to a size that can be read at once.
func TestBudgets(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		if n := f.lines(f.ast.FileEnd); n > 500 {
			t.Errorf("%s has %d lines, at most 500 are allowed", f.name, n)
		}
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && !f.test {
				if n := f.lines(fn.End()) - f.lines(fn.Pos()) + 1; n > 80 {
					t.Errorf("%s: %s has %d lines, at most 80 are allowed", f.name, fn.Name.Name, n)
				}
			}
		}
	}
	for name, limit := range map[string]int{"README.md": 250, "CONTRIBUTING.md": 80, "Makefile": 60} {
		text, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		require.LessOrEqual(t, strings.Count(string(text), "\n"), limit, name)
	}
}

// TestDocumented wants a comment on every exported name.
func TestDocumented(t *testing.T) {
	t.Parallel()
	described := map[string]bool{} // folders with a package comment
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		described[f.dir] = described[f.dir] || f.ast.Doc != nil
		for _, decl := range f.ast.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: %s is exported and has no comment", f.name, name)
			}
		}
	}
	for dir, ok := range described {
		if !ok {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}

// undocumented returns the exported names of a declaration without a comment.
func undocumented(decl ast.Decl) (names []string) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || receiverExported(d.Recv)) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	return names
}

func receiverExported(recv *ast.FieldList) bool {
	typ := recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// TestNoGlobalState allows package-level variables only where they cannot
// change, as far as the syntax tells: errors, embedded files, compiled patterns
// and arrays. It allows no init function.
func TestNoGlobalState(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		for _, decl := range f.ast.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s has an init function", f.name)
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR && !strings.Contains(commentText(d.Doc), "go:embed") {
					for _, spec := range d.Specs {
						f.checkVar(t, spec.(*ast.ValueSpec))
					}
				}
			}
		}
	}
}

// commentText is CommentGroup.Text with the directives left in.
func commentText(group *ast.CommentGroup) string {
	var text strings.Builder
	if group != nil {
		for _, c := range group.List {
			text.WriteString(c.Text)
		}
	}
	return text.String()
}

func (f source) checkVar(t *testing.T, spec *ast.ValueSpec) {
	t.Helper()
	if spec.Names[0].Name == "_" || strings.Contains(commentText(spec.Doc), "go:embed") {
		return
	}
	if len(spec.Values) == 0 {
		t.Errorf("%s: package-level variable %s without a value: it can only be there to change", f.name, spec.Names[0])
	}
	for i, value := range spec.Values {
		if !constant(value) {
			t.Errorf("%s: package-level variable %s may change", f.name, spec.Names[i])
		}
	}
}

// constant says whether a value is of a kind that nobody changes in place.
func constant(value ast.Expr) bool {
	switch v := value.(type) {
	case *ast.BasicLit:
		return true
	case *ast.CompositeLit:
		array, ok := v.Type.(*ast.ArrayType)
		return ok && array.Len != nil
	case *ast.UnaryExpr: // &Error{…}: a sentinel of a type of ours
		lit, ok := v.X.(*ast.CompositeLit)
		return ok && strings.HasSuffix(fmt.Sprint(lit.Type), "Error")
	case *ast.CallExpr:
		return slices.Contains([]string{
			"errors.New", "fmt.Errorf", "regexp.MustCompile", "template.Must", "strings.NewReplacer",
			"sync.OnceValue", "sync.OnceValues",
		}, callee(v))
	}
	return false
}

func callee(call *ast.CallExpr) string {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s.%s", sel.X, sel.Sel)
}

// source is one parsed Go file of the module.
type source struct {
	name    string // relative to the module's root, with slashes
	dir     string
	test    bool
	imports []string
	ast     *ast.File
	lines   func(token.Pos) int
}

// sources parses every Go file of the module, whatever its build tags.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if entry.IsDir() && (base == "testdata" || base == "node_modules" || len(base) > 1 && base[0] == '.') {
			return fs.SkipDir
		}
		if entry.IsDir() || path.Ext(name) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		files := token.NewFileSet()
		parsed, err := parser.ParseFile(files, name, text, parser.ParseComments)
		if err != nil {
			return err
		}
		s := source{
			name: name, dir: path.Dir(name), ast: parsed,
			test:  strings.HasSuffix(name, "_test.go"),
			lines: func(p token.Pos) int { return files.Position(p).Line },
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imported)
		}
		all = append(all, s)
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// TestReadme compiles the program of the quick start.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(readme), "```go\n")
	require.True(t, found)
	require.Less(t, strings.Count(before, "\n"), 30, "the program comes first")
	program, _, found := strings.Cut(rest, "```\n")
	require.True(t, found)
	file := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(file, []byte(program), 0o600))
	vet := exec.Command("go", "vet", file)
	vet.Dir = ".."
	said, err := vet.CombinedOutput()
	require.NoError(t, err, "%s", said)
}
