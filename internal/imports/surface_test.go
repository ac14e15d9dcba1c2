package imports_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// surface walks everything that an importer of a package can reach through its exported names.
type surface struct {
	pkg  *types.Package
	seen map[types.Type]bool
	bad  []string
}

// internalMentions returns the places where the exported surface of pkg mentions a type of an internal package.
func internalMentions(pkg *types.Package) []string {
	s := &surface{pkg: pkg, seen: make(map[types.Type]bool)}
	for _, name := range pkg.Scope().Names() {
		if obj := pkg.Scope().Lookup(name); obj.Exported() {
			s.visit(pkg.Path()+"."+name, obj.Type())
		}
	}
	return s.bad
}

func (s *surface) visit(where string, t types.Type) {
	switch t := t.(type) {
	case *types.Alias:
		if s.named(where, t.Obj()) {
			s.visit(where, types.Unalias(t))
		}
	case *types.Named:
		for arg := range t.TypeArgs().Types() {
			s.visit(where, arg)
		}
		if s.named(where, t.Obj()) && !s.seen[t] {
			s.seen[t] = true
			s.members(where, t)
		}
	case *types.Pointer:
		s.visit(where, t.Elem())
	case *types.Slice:
		s.visit(where, t.Elem())
	case *types.Array:
		s.visit(where, t.Elem())
	case *types.Chan:
		s.visit(where, t.Elem())
	case *types.Map:
		s.visit(where, t.Key())
		s.visit(where, t.Elem())
	case *types.Signature:
		s.visit(where, t.Params())
		s.visit(where, t.Results())
	case *types.Tuple:
		for v := range t.Variables() {
			s.visit(where, v.Type())
		}
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() || f.Embedded() {
				s.visit(where+"."+f.Name(), f.Type())
			}
		}
	case *types.Interface:
		for m := range t.ExplicitMethods() {
			s.visit(where+"."+m.Name(), m.Type())
		}
		for e := range t.EmbeddedTypes() {
			s.visit(where, e)
		}
	}
}

// named notes an internal type, and reports whether the type is one of the package itself, whose members count too.
func (s *surface) named(where string, obj *types.TypeName) bool {
	if obj.Pkg() == nil {
		return false
	}
	if strings.HasPrefix(obj.Pkg().Path(), module+"/internal/") {
		s.bad = append(s.bad, fmt.Sprintf("%s mentions %s.%s", where, obj.Pkg().Path(), obj.Name()))
	}
	return obj.Pkg() == s.pkg
}

func (s *surface) members(where string, t *types.Named) {
	s.visit(where, t.Underlying())
	for m := range t.Methods() {
		if m.Exported() {
			s.visit(where+"."+m.Name(), m.Type())
		}
	}
}

func TestExportedSurface(t *testing.T) {
	list := listPackages(t, "-export", "-deps", "-json=ImportPath,Export", "./...")
	export := make(map[string]string)
	for _, p := range list {
		export[p.ImportPath] = p.Export
	}
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(export[path])
	})
	checked := 0
	for _, p := range list {
		rel, ok := local(p.ImportPath)
		if !ok || p.Export == "" || family(rel) == "internal" || family(rel) == "examples" {
			continue
		}
		pkg, err := imp.Import(p.ImportPath)
		require.NoError(t, err)
		assert.Empty(t, internalMentions(pkg))
		checked++
	}
	assert.Positive(t, checked)
}

// sourceImporter type-checks packages from literal source.
type sourceImporter map[string]string

func (si sourceImporter) Import(path string) (*types.Package, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "src.go", si[path], 0)
	if err != nil {
		return nil, err
	}
	conf := types.Config{Importer: si}
	return conf.Check(path, fset, []*ast.File{file}, nil)
}

func TestSurfaceRules(t *testing.T) {
	const head = "package p\nimport x \"" + module + "/internal/x\"\nvar _ x.T\n"
	for _, c := range []struct {
		src  string
		want int
	}{
		{"func F(int) error { return nil }", 0},
		{"func f(x.T) {}", 0},
		{"type T struct { hidden x.T }", 0},
		{"func F(x.T) {}", 1},
		{"func F() []*x.T { return nil }", 1},
		{"func F(func(map[string]x.T)) {}", 1},
		{"type T struct { Shown x.T }", 1},
		{"type T struct { x.T }", 1},
		{"type T = x.T", 1},
		{"var V = x.New()", 1},
		{"type I interface { M(x.T) }", 1},
		{"type I interface { x.I }", 1},
		{"type T struct{}\nfunc (T) M(x.T) {}", 1},
		{"type T struct{}\nfunc (*T) m(x.T) {}", 0},
		{"type hidden struct{ Shown x.T }\nfunc New() *hidden { return nil }", 1},
		{"type G[A any] struct{ V A }\nvar V G[x.T]", 1},
	} {
		si := sourceImporter{
			module + "/internal/x": "package x\ntype T struct{}\ntype I interface{ M() }\nfunc New() T { return T{} }",
			module + "/p":          head + c.src,
		}
		pkg, err := si.Import(module + "/p")
		require.NoError(t, err, c.src)
		assert.NotEqual(t, c.want == 0, len(internalMentions(pkg)) > 0, "%s: %v", c.src, internalMentions(pkg))
	}
}
