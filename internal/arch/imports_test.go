package arch

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ourPkg returns a package of this module with imports; those of this module start with "./".
func ourPkg(path string, imports ...string) pkg {
	p := pkg{ImportPath: modulePath + "/" + path, Name: path[strings.LastIndex(path, "/")+1:]}
	for _, imp := range imports {
		if rest, ok := strings.CutPrefix(imp, "./"); ok {
			imp = modulePath + "/" + rest
		}
		p.Imports = append(p.Imports, imp)
	}
	return p
}

// short returns the findings as "path: wrong" up to a semicolon.
func short(fs []finding) []string {
	sortFindings(fs)
	var out []string
	for _, f := range fs {
		wrong, _, _ := strings.Cut(f.wrong, ";")
		out = append(out, f.path+": "+wrong)
	}
	return out
}

func same(t *testing.T, what string, got []finding, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, short(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestArrows(t *testing.T) {
	table := []arrow{{"low", nil}, {"mid/...", []string{"low", "mid/..."}}, {"mid/x", []string{"low"}}, {"top/...", []string{"..."}}}
	arrows := func(p pkg, want ...string) {
		t.Helper()
		same(t, p.path(), arrowFindings(table, []pkg{p}), want...)
	}
	arrows(ourPkg("low", "fmt", "example.org/x"))
	arrows(ourPkg("low", "./mid"), "low: must not import mid")
	arrows(ourPkg("mid", "./low", "./mid/x"))
	arrows(ourPkg("mid/y/z", "./mid/x"))
	arrows(ourPkg("mid/x", "./mid/y", "./low"), "mid/x: must not import mid/y")
	arrows(ourPkg("mid", "./top"), "mid: must not import top")
	arrows(ourPkg("midx", "fmt"), "midx: has no line in arrows.go: decide what it may import")
	arrows(ourPkg("top", "./low", "./anything"))

	test := ourPkg("low")
	test.TestImports = []string{modulePath + "/top"}
	arrows(test)
}

func TestExactestLineRules(t *testing.T) {
	table := []arrow{{"...", nil}, {"a/...", nil}, {"a/b", nil}, {"a/b/...", nil}, {"a/bc", nil}}
	rules := func(path, want string) {
		t.Helper()
		if got, ok := arrowOf(table, path); !ok || got.from != want {
			t.Errorf("%s is ruled by %q, want %q", path, got.from, want)
		}
	}
	rules("x", "...")
	rules("a", "a/...")
	rules("a/b", "a/b")
	rules("a/b/c", "a/b/...")
	rules("a/bc", "a/bc")
	rules("ab", "...")
}

func TestArrowTable(t *testing.T) {
	table := func(what string, table []arrow, want ...string) {
		t.Helper()
		same(t, what, tableFindings(table, []string{"v1", "v2"}), want...)
	}
	table("fine", []arrow{{"low", nil}, {"v1", []string{"low"}}, {"v2", []string{"low"}}, {"top", []string{"v1", "v2"}}})
	table("twice", []arrow{{"a", nil}, {"a", nil}}, "a: has two lines")
	table("circle", []arrow{{"a", []string{"b"}}, {"b/...", []string{"c"}}, {"c", []string{"a"}}, {"d", []string{"a"}}},
		"a: the arrows allow a circle through it", "b/...: the arrows allow a circle through it",
		"c: the arrows allow a circle through it")
	table("views", []arrow{{"v1", []string{"v2", "internal/yamlsrc"}}, {"v2", nil}},
		"v1: a view may not import internal/yamlsrc", "v1: a view may not import v2")
}

func TestLibraries(t *testing.T) {
	table := []library{{"example.org/lib", []string{"a"}}, {"example.org/lib/sub", []string{"b/..."}}}
	tests := []library{{"example.org/testing", []string{"..."}}, {"example.org/lib", []string{"c"}}}
	libs := func(p pkg, want ...string) {
		t.Helper()
		same(t, p.path(), libraryFindings(table, tests, []pkg{p}), want...)
	}
	libs(ourPkg("a", "fmt", "encoding/json", "example.org/lib", "example.org/lib/x", "./b"))
	libs(ourPkg("a", "example.org/lib/sub/x"), "a: it must not import example.org/lib/sub/x")
	libs(ourPkg("b/c", "example.org/lib/sub"))
	libs(ourPkg("b", "example.org/library"), "b: it must not import example.org/library")
	libs(ourPkg("a", "example.org/testing"), "a: it must not import example.org/testing")

	test := func(path, imp string, want ...string) {
		t.Helper()
		p := ourPkg(path)
		p.TestImports, p.XTestImports = []string{imp}, []string{imp}
		libs(p, want...)
	}
	test("a", "example.org/lib")
	test("z", "example.org/testing/x")
	test("c", "example.org/lib/x")
	test("z", "example.org/lib", "z: its test must not import example.org/lib")
	test("z", "example.org/unknown", "z: its test must not import example.org/unknown")
	test("z", "net/http")
}

func TestBudget(t *testing.T) {
	main := ourPkg("cmd/x", "fmt", "example.org/a", "./low")
	main.Name = "main"
	pkgs := []pkg{
		main,
		ourPkg("low", "example.org/a"),
		{ImportPath: "example.org/a", Imports: []string{"example.org/b", "fmt"}},
		{ImportPath: "example.org/b"},
		{ImportPath: "example.org/unused"},
		{ImportPath: "fmt", Standard: true, Imports: []string{"vendor/golang.org/x/y"}},
		{ImportPath: "vendor/golang.org/x/y", Standard: true},
	}
	if n, ok := linked(pkgs, "cmd/x"); n != 4 || !ok {
		t.Errorf("linked is %d, %v; want 4: cmd/x, low, a, b", n, ok)
	}
	same(t, "enough", budgetFindings(map[string]int{"cmd/x": 4}, pkgs))
	same(t, "too much", budgetFindings(map[string]int{"cmd/x": 3}, pkgs),
		"cmd/x: links 4 packages from outside the standard library, budget.go allows 3")
	const missing = ": has a budget in budget.go but is not a program of this module"
	same(t, "missing", budgetFindings(map[string]int{"cmd/y": 1}, pkgs), "cmd/y"+missing)
	same(t, "no program", budgetFindings(map[string]int{"low": 1}, pkgs), "low"+missing)
}

func TestExemptions(t *testing.T) {
	fs := func() (out []finding) {
		for _, path := range []string{"a/b.go", "a", "ab/c.go"} {
			out = append(out, finding{"r1", path, 1, "x"}, finding{"r2", path, 1, "x"})
		}
		return out
	}
	var got []string
	for _, f := range exempt([]exemption{{"r1", "a", "because"}}, fs()) {
		got = append(got, fmt.Sprint(f))
	}
	want := []string{"a/b.go:1: x [r2]", "a:1: x [r2]", "ab/c.go:1: x [r1]", "ab/c.go:1: x [r2]"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("left over (-want +got):\n%s", d)
	}
}
