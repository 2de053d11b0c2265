package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

const (
	maxFuncLines = 80
	maxFileLines = 500
)

// bannedNames say nothing about what a package is for.
var bannedNames = []string{
	"util", "utils", "common", "helper", "helpers", "misc", "base", "types", "shared", "lib", "tools",
}

// shapeFindings checks sizes, names and doc comments. Generated files are exempt from all but their name.
func shapeFindings(u *unit) []finding {
	var out []finding
	for _, f := range u.files {
		if f.generated != strings.HasSuffix(f.path, "_gen.go") {
			out = append(out, finding{"generated", f.path, 0, "a file is named _gen.go if, and only if, it carries the header of generated code"})
		}
		if f.generated {
			continue
		}
		if n := u.fset.File(f.ast.FileStart).LineCount(); n > maxFileLines {
			out = append(out, finding{"file-lines", f.path, 0, fmt.Sprintf("has %d lines, at most %d are allowed: split it by what it is about", n, maxFileLines)})
		}
		for _, decl := range f.ast.Decls {
			out = append(out, u.declFindings(f, decl)...)
		}
	}
	return append(out, u.packageFindings()...)
}

// packageFindings checks the name and the package comment.
func (u *unit) packageFindings() []finding {
	var out []finding
	name := u.files[0].ast.Name.Name
	last := u.path[strings.LastIndex(u.path, "/")+1:]
	if slices.Contains(bannedNames, name) || slices.Contains(bannedNames, last) {
		out = append(out, finding{"package-name", u.path, 0, fmt.Sprintf("package name %q says nothing: name what it is about", name)})
	}
	sources, docs := 0, 0
	for _, f := range u.files {
		if f.test || f.generated {
			continue
		}
		sources++
		if f.ast.Doc != nil {
			docs++
		}
	}
	if sources > 0 && docs != 1 {
		out = append(out, finding{"package-comment", u.path, 0, fmt.Sprintf("%d files carry a package comment, want 1", docs)})
	}
	return out
}

func (u *unit) declFindings(f *file, decl ast.Decl) []finding {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		return u.funcFindings(f, d)
	case *ast.GenDecl:
		if d.Tok == token.TYPE && !f.test {
			return u.typeFindings(f, d)
		}
	}
	return nil
}

func (u *unit) funcFindings(f *file, d *ast.FuncDecl) []finding {
	var out []finding
	add := func(rule, wrong string) { out = append(out, finding{rule, f.path, u.line(d.Pos()), wrong}) }
	if n := u.line(d.End()) - u.line(d.Pos()) + 1; n > maxFuncLines {
		add("func-lines", fmt.Sprintf("%s has %d lines, at most %d are allowed", d.Name.Name, n, maxFuncLines))
	}
	if d.Name.Name == "init" && d.Recv == nil {
		add("init", "no init functions: wire in main")
	}
	if !f.test && d.Doc == nil && d.Name.IsExported() && ast.IsExported(receiver(d, d.Name.Name)) {
		add("doc", fmt.Sprintf("exported %s has no doc comment", d.Name.Name))
	}
	return out
}

func (u *unit) typeFindings(f *file, d *ast.GenDecl) []finding {
	var out []finding
	for _, spec := range d.Specs {
		s := spec.(*ast.TypeSpec)
		if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
			out = append(out, finding{"doc", f.path, u.line(s.Pos()), fmt.Sprintf("exported %s has no doc comment", s.Name.Name)})
		}
	}
	return out
}

// receiver returns the name of a method's type, or plain for a function.
func receiver(d *ast.FuncDecl, plain string) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return plain
	}
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return plain
		}
	}
}
