package arch

import (
	"fmt"
	"go/ast"
	"slices"
	"strconv"
	"strings"
)

// callFindings checks uses of functions that are allowed in few places only.
func callFindings(u *unit) []finding {
	var out []finding
	for _, f := range u.files {
		if f.generated {
			continue
		}
		for _, decl := range f.ast.Decls {
			out = append(out, u.endFindings(f, decl)...)
		}
		out = append(out, u.timeFindings(f)...)
		if f.test {
			out = append(out, u.skipFindings(f)...)
		}
	}
	return out
}

// endFindings: only func main of a program, or TestMain, may end the process.
func (u *unit) endFindings(f *file, decl ast.Decl) []finding {
	if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
		if fn.Name.Name == "main" && f.ast.Name.Name == "main" || f.test && fn.Name.Name == "TestMain" {
			return nil
		}
	}
	var out []finding
	u.eachOuter(decl, func(n ast.Node, name string) {
		if name == "os.Exit" || name == "syscall.Exit" || strings.HasPrefix(name, "log.Fatal") || strings.HasPrefix(name, "log.Panic") {
			out = append(out, finding{"exit", f.path, u.line(n.Pos()), name + " outside main: return an error, or a status"})
		}
	})
	return out
}

// timeFindings: the time is an argument, and nobody waits by sleeping.
func (u *unit) timeFindings(f *file) []finding {
	var out []finding
	u.eachOuter(f.ast, func(n ast.Node, name string) {
		at := u.line(n.Pos())
		switch name {
		case "time.Now", "time.Since", "time.Until":
			if !f.test {
				out = append(out, finding{"clock", f.path, at, name + " below cmd: take the time as an argument"})
			}
		case "time.Sleep":
			if f.test && !imports(f, "testing/synctest") {
				out = append(out, finding{"sleep", f.path, at, "time.Sleep in real time: use testing/synctest, or wait for the event"})
			}
			if !f.test {
				out = append(out, finding{"sleep", f.path, at, "time.Sleep cannot be cancelled: select on a timer and the context"})
			}
		}
	})
	return out
}

// skipFindings: a skipped test says why, in a comment on the same line.
func (u *unit) skipFindings(f *file) []finding {
	commented := map[int]bool{}
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			commented[u.line(c.Pos())] = true
		}
	}
	var out []finding
	ast.Inspect(f.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) || u.outer(sel) != "" {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && slices.Contains([]string{"t", "b", "f", "tb"}, x.Name) && !commented[u.line(call.End())] {
			out = append(out, finding{"skip", f.path, u.line(call.Pos()), fmt.Sprintf("%s.%s without a comment on its line that gives the reason", x.Name, sel.Sel.Name)})
		}
		return true
	})
	return out
}

// eachOuter calls visit for every name of an imported package below n.
func (u *unit) eachOuter(n ast.Node, visit func(n ast.Node, name string)) {
	ast.Inspect(n, func(n ast.Node) bool {
		if e, ok := n.(*ast.SelectorExpr); ok {
			if name := u.outer(e); name != "" {
				visit(n, name)
			}
		}
		return true
	})
}

// imports reports whether a file imports a path.
func imports(f *file, path string) bool {
	return slices.ContainsFunc(f.ast.Imports, func(s *ast.ImportSpec) bool {
		have, err := strconv.Unquote(s.Path.Value)
		return err == nil && have == path
	})
}
