package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// unit is the files that the compiler sees as one package: a package with its inner tests, or its
// outer tests (package x_test) alone.
type unit struct {
	path  string // of the package, relative to the root
	fset  *token.FileSet
	files []*file
	info  *types.Info // Defs and Uses; nothing beyond the unit is known, see newUnit
}

// file is one parsed Go file.
type file struct {
	path      string // relative to the root, with slashes
	ast       *ast.File
	test      bool
	generated bool
}

// parse reads every Go file of our packages once. Generated files are included.
func parse(root string, pkgs []pkg) ([]*unit, error) {
	var units []*unit
	for _, p := range ours(pkgs) {
		inner := append(append(append([]string{}, p.GoFiles...), p.IgnoredGoFiles...), p.TestGoFiles...)
		for _, names := range [][]string{inner, p.XTestGoFiles} {
			fset := token.NewFileSet()
			var files []*file
			for _, name := range names {
				f, err := parseFile(fset, path.Join(p.path(), name), filepath.Join(root, p.path(), name), nil)
				if err != nil {
					return nil, err
				}
				files = append(files, f)
			}
			if len(files) > 0 {
				units = append(units, newUnit(p.path(), fset, files))
			}
		}
	}
	return units, nil
}

// parseFile parses src, or the named file if src is nil.
func parseFile(fset *token.FileSet, rel, full string, src any) (*file, error) {
	tree, err := parser.ParseFile(fset, full, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", rel, err)
	}
	return &file{path: rel, ast: tree, test: strings.HasSuffix(rel, "_test.go"), generated: ast.IsGenerated(tree)}, nil
}

// newUnit resolves the names of the files. Imported packages are taken to be empty, so the type checker
// complains all the time and is not listened to; what it finds out about scopes, package variables and
// import names is right all the same, and needs no compiled dependencies.
func newUnit(path string, fset *token.FileSet, files []*file) *unit {
	u := &unit{path: path, fset: fset, files: files, info: &types.Info{
		Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
	}}
	conf := types.Config{Importer: emptyImporter{}, Error: func(error) {}, FakeImportC: true}
	trees := make([]*ast.File, len(files))
	for i, f := range files {
		trees[i] = f.ast
	}
	_, _ = conf.Check(path, fset, trees, u.info)
	return u
}

type emptyImporter struct{}

// Import returns an empty package whose name is guessed from its path.
func (emptyImporter) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	p := types.NewPackage(path, guessName(path))
	p.MarkComplete()
	return p, nil
}

var versionElem = regexp.MustCompile(`^v[0-9]+$`)

// guessName returns the last element of an import path without versions: "yaml" for gopkg.in/yaml.v3,
// "rand" for math/rand/v2.
func guessName(imp string) string {
	name := path.Base(imp)
	if versionElem.MatchString(name) {
		name = path.Base(path.Dir(imp))
	}
	name, _, _ = strings.Cut(name, ".")
	return strings.ReplaceAll(name, "-", "")
}

// line returns the line of a position.
func (u *unit) line(pos token.Pos) int { return u.fset.Position(pos).Line }

// outer returns "time.Now" for a selector on an imported package, whatever its name in the file; else "".
func (u *unit) outer(e ast.Expr) string {
	sel, ok := ast.Unparen(e).(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	if p, ok := u.info.Uses[id].(*types.PkgName); ok {
		return p.Imported().Path() + "." + sel.Sel.Name
	}
	return ""
}
