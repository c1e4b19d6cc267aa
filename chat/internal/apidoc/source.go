package apidoc

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// source knows the comments and the text constants of some packages.
type source struct {
	structs map[string]comments   // by "import path.Type"
	values  map[string][]constant // of a type, by the same
	blocks  map[string][]constant // of a declaration, by "import path:" and its comment
	names   map[string]string     // what clients know Go's names by: fields and constants; "" where it depends
}

// comments are those of a type and of its fields by their names in Go.
type comments struct {
	doc    string
	fields map[string]string
}

// constant is a text constant with the comment beside it.
type constant struct{ name, value, doc string }

// readSource reads the packages in folders, by their import paths.
func readSource(folders map[string]string) (*source, error) {
	s := &source{
		structs: make(map[string]comments), values: make(map[string][]constant),
		blocks: make(map[string][]constant), names: make(map[string]string),
	}
	for path, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			return nil, fmt.Errorf("apidoc: %w", err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return nil, fmt.Errorf("apidoc: %w", err)
			}
			s.readFile(path, parsed)
		}
	}
	return s, nil
}

func (s *source) readFile(path string, file *ast.File) {
	for _, decl := range file.Decls {
		block, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range block.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				s.readType(path, block, spec)
			case *ast.ValueSpec:
				if block.Tok == token.CONST {
					s.readConstant(path, block, spec)
				}
			}
		}
	}
}

func (s *source) readType(path string, block *ast.GenDecl, spec *ast.TypeSpec) {
	c := comments{doc: spec.Doc.Text(), fields: make(map[string]string)}
	if c.doc == "" {
		c.doc = block.Doc.Text()
	}
	if body, ok := spec.Type.(*ast.StructType); ok {
		for _, field := range body.Fields.List {
			text := field.Doc.Text() + field.Comment.Text()
			for _, name := range field.Names {
				c.fields[name.Name] = text
				if field.Tag != nil {
					tag, _ := strconv.Unquote(field.Tag.Value)
					s.learn(name.Name, jsonName(reflect.StructTag(tag)))
				}
			}
		}
	}
	s.structs[path+"."+spec.Name.Name] = c
}

func (s *source) readConstant(path string, block *ast.GenDecl, spec *ast.ValueSpec) {
	for i, name := range spec.Names {
		if i >= len(spec.Values) {
			return
		}
		literal, ok := spec.Values[i].(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING || !name.IsExported() {
			continue
		}
		value, _ := strconv.Unquote(literal.Value)
		c := constant{name.Name, value, spec.Doc.Text() + spec.Comment.Text()}
		s.learn(c.name, value)
		key := path + ":" + block.Doc.Text()
		s.blocks[key] = append(s.blocks[key], c)
		if named, ok := spec.Type.(*ast.Ident); ok {
			s.values[path+"."+named.Name] = append(s.values[path+"."+named.Name], c)
		}
	}
}

// learn notes what a name of Go is called by clients.
func (s *source) learn(name, outside string) {
	if before, known := s.names[name]; known && before != outside {
		outside = ""
	}
	s.names[name] = outside
}

// block returns the constants of the declaration whose comment begins with the words.
func (s *source) block(path, words string) []constant {
	for key, list := range s.blocks {
		if strings.HasPrefix(key, path+":"+words) {
			return list
		}
	}
	return nil
}

// goNames finds what may be a name of Go, with its package or without, in a link or not.
var goNames = regexp.MustCompile(`\[?\b(?:[a-z]+\.)?([A-Z]\w*)\b\]?`)

// seeAlso finds what sends a reader of the Go documentation elsewhere.
var seeAlso = regexp.MustCompile(`,? see \[[^\]]*\]`)

// plain makes a comment in Go one for clients: on one line, with the names of fields and constants as clients know them.
// Fields of the struct that the comment is about go by own; elsewhere a name is taken for one only if it is no English word.
func (s *source) plain(comment string, own map[string]string) string {
	comment = seeAlso.ReplaceAllString(strings.Join(strings.Fields(comment), " "), "")
	return goNames.ReplaceAllStringFunc(comment, func(found string) string {
		name := goNames.FindStringSubmatch(found)[1]
		if outside := own[name]; outside != "" {
			return "`" + outside + "`"
		}
		if outside := s.names[name]; outside != "" && strings.ContainsFunc(name[1:], isUpper) {
			return "`" + outside + "`"
		}
		return strings.Trim(found, "[]")
	})
}

func isUpper(r rune) bool { return r >= 'A' && r <= 'Z' }

// jsonName is a field's name in JSON, "" where it has none.
func jsonName(tag reflect.StructTag) string {
	name, _, _ := strings.Cut(tag.Get("json"), ",")
	if name == "-" {
		return ""
	}
	return name
}
