package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// constructors are calls whose result nobody can change, so a package variable may hold it.
// A trailing "." stands for every function of a package.
var constructors = []string{
	"errors.New", "fmt.Errorf", "fmt.Sprintf", "regexp.MustCompile", "strings.NewReplacer",
	"text/template.Must", "html/template.Must",
	"sync.OnceFunc", "sync.OnceValue", "sync.OnceValues",
	"math.", "time.Date", "time.FixedZone", "net/netip.MustParseAddr", "net/netip.MustParsePrefix",
	"reflect.TypeOf", "reflect.TypeFor",
	"math/big.NewInt", "math/big.NewRat", // changed only through methods: do not
	"go.opentelemetry.io/collector/component.MustNewType",
}

// mutators change their first argument.
var mutators = []string{
	"slices.Sort", "slices.SortFunc", "slices.SortStableFunc", "slices.Reverse", "slices.Insert", "slices.Delete",
	"slices.DeleteFunc", "slices.Compact", "slices.CompactFunc", "slices.Replace",
	"sort.Slice", "sort.SliceStable", "sort.Sort", "sort.Stable", "sort.Strings", "sort.Ints", "sort.Float64s",
	"maps.Copy", "maps.DeleteFunc", "maps.Insert",
}

// globalFindings checks that package variables are constants in all but name: they hold a literal or an
// unchangeable value, and nothing assigns to them, below them, or takes their address. Variables of tests
// may be declared freely. Variables of other packages may not be assigned to by anybody.
func globalFindings(u *unit) []finding {
	var out []finding
	vars := map[types.Object]bool{}
	for _, f := range u.files {
		if f.test || f.generated {
			continue
		}
		for _, decl := range f.ast.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok || d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				s := spec.(*ast.ValueSpec)
				for _, name := range s.Names {
					vars[u.info.Defs[name]] = true
				}
				out = append(out, u.varFindings(f, d, s)...)
			}
		}
	}
	delete(vars, nil)
	for _, f := range u.files {
		if !f.generated {
			out = append(out, u.mutations(f, vars)...)
		}
	}
	return out
}

// varFindings checks one declaration.
func (u *unit) varFindings(f *file, d *ast.GenDecl, s *ast.ValueSpec) []finding {
	if !slices.ContainsFunc(s.Names, func(id *ast.Ident) bool { return id.Name != "_" }) {
		return nil
	}
	add := func(wrong string) []finding {
		return []finding{{"global", f.path, u.line(s.Pos()), fmt.Sprintf("package variable %s %s", s.Names[0].Name, wrong)}}
	}
	if len(s.Values) == 0 {
		if embeds(d.Doc) || embeds(s.Doc) {
			return nil
		}
		return add("has no value, so something must assign to it: pass it as an argument or put it into a struct")
	}
	for _, v := range s.Values {
		if wrong := u.changeable(v); wrong != "" {
			return add(wrong)
		}
	}
	return nil
}

func embeds(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// changeable says why an initial value makes a variable state, or returns "". It looks at the outermost
// call only; literals are fine here, since mutations finds what is done to them.
func (u *unit) changeable(e ast.Expr) string {
	switch x := ast.Unparen(e).(type) {
	case *ast.UnaryExpr:
		return u.changeable(x.X)
	case *ast.CompositeLit:
		if t := u.outer(x.Type); strings.HasPrefix(t, "sync.") || strings.HasPrefix(t, "sync/atomic.") {
			return "is a " + t + ": put it into the struct that it guards"
		}
	case *ast.CallExpr:
		return u.changeableCall(x)
	}
	return ""
}

func (u *unit) changeableCall(call *ast.CallExpr) string {
	fun := ast.Unparen(call.Fun)
	if ix, ok := fun.(*ast.IndexExpr); ok { // an instantiated function
		fun = ix.X
	}
	switch x := fun.(type) {
	case *ast.ArrayType, *ast.InterfaceType, *ast.FuncType, *ast.StarExpr, *ast.MapType:
		return "" // a conversion
	case *ast.Ident:
		switch obj := u.info.Uses[x].(type) {
		case *types.TypeName:
			return ""
		case *types.Builtin:
			if obj.Name() != "new" && obj.Name() != "make" {
				return ""
			}
			return "is made empty to be filled: pass it as an argument or put it into a struct"
		}
		return "is computed by " + x.Name + " at start-up: use a literal, or sync.OnceValue"
	case *ast.SelectorExpr:
		name := u.outer(x)
		if name == "" {
			return "is computed by a method at start-up: use a literal, or sync.OnceValue"
		}
		if isConstructor(name) {
			return ""
		}
		return "holds the result of " + name + ": if nobody can change that, add it to constructors in globals.go"
	}
	return "is computed at start-up: use a literal, or sync.OnceValue"
}

func isConstructor(name string) bool {
	return slices.ContainsFunc(constructors, func(c string) bool {
		return name == c || strings.HasSuffix(c, ".") && strings.HasPrefix(name, c)
	})
}

// mutations returns every statement of a file that changes a variable in vars, or one of another package.
func (u *unit) mutations(f *file, vars map[types.Object]bool) []finding {
	var out []finding
	check := func(e ast.Expr, how string) {
		if name := u.rootVar(e, vars); name != "" {
			out = append(out, finding{"global", f.path, u.line(e.Pos()), fmt.Sprintf("package variable %s %s", name, how)})
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.AssignStmt:
			for _, lhs := range x.Lhs {
				check(lhs, "is assigned to")
			}
		case *ast.IncDecStmt:
			check(x.X, "is assigned to")
		case *ast.RangeStmt:
			if x.Tok == token.ASSIGN {
				check(x.Key, "is assigned to")
				check(x.Value, "is assigned to")
			}
		case *ast.UnaryExpr:
			if x.Op == token.AND {
				u.checkAddress(x.X, vars, check)
			}
		case *ast.CallExpr:
			u.checkCall(x, check)
		}
		return true
	})
	return out
}

// checkAddress reports the address of one of our own variables only: outside, &http.DefaultClient.X and
// the like are rare, and &pkg.Type{} is no variable.
func (u *unit) checkAddress(e ast.Expr, vars map[types.Object]bool, check func(ast.Expr, string)) {
	if _, isLiteral := ast.Unparen(e).(*ast.CompositeLit); isLiteral {
		return
	}
	if id, _ := u.root(e); id != nil && vars[u.info.Uses[id]] {
		check(e, "has its address taken, so it can be changed: copy it first")
	}
}

// checkCall reports variables that a call changes: as the first argument of a mutator, or as the receiver
// of a method with a pointer receiver.
func (u *unit) checkCall(call *ast.CallExpr, check func(ast.Expr, string)) {
	switch fun := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		b, ok := u.info.Uses[fun].(*types.Builtin)
		if !ok || len(call.Args) == 0 {
			return
		}
		part, isSlice := call.Args[0].(*ast.SliceExpr)
		if slices.Contains([]string{"delete", "clear", "copy"}, b.Name()) || b.Name() == "append" && isSlice && !part.Slice3 {
			check(call.Args[0], "is changed by "+b.Name())
		}
	case *ast.SelectorExpr:
		if name := u.outer(fun); len(call.Args) > 0 && slices.Contains(mutators, name) {
			check(call.Args[0], "is changed by "+name)
		}
		if fn, ok := u.info.Uses[fun.Sel].(*types.Func); ok && hasPointerReceiver(fn) {
			check(fun.X, "is the receiver of "+fn.Name()+", which has a pointer to it and can change it")
		}
	}
}

func hasPointerReceiver(fn *types.Func) bool {
	recv := fn.Signature().Recv()
	if recv == nil {
		return false
	}
	_, ok := recv.Type().(*types.Pointer)
	return ok
}

// rootVar returns the name of the package variable that e is, or is a part of; else "".
func (u *unit) rootVar(e ast.Expr, vars map[types.Object]bool) string {
	id, sel := u.root(e)
	switch {
	case id == nil:
		return ""
	case sel != nil:
		if p, ok := u.info.Uses[id].(*types.PkgName); ok {
			return p.Name() + "." + sel.Sel.Name
		}
	case vars[u.info.Uses[id]]:
		return id.Name
	}
	return ""
}

// root strips indices, fields, slices and stars from e. For a name of an imported package it also
// returns the selector.
func (u *unit) root(e ast.Expr) (*ast.Ident, *ast.SelectorExpr) {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x, nil
		case *ast.ParenExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.SelectorExpr:
			if u.outer(x) != "" {
				return x.X.(*ast.Ident), x
			}
			e = x.X
		default:
			return nil, nil
		}
	}
}
