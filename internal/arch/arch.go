// Package arch holds the rules that keep this repository readable, as tests: who may import whom, one
// importing package per outside library, limits on size and state, and a package budget per program.
// Nothing imports it; `go test ./internal/arch` is its product.
//
// A rule is a function from what the go command and the parser say to a list of findings, so every rule
// is itself tested on a small source that breaks it. The choices stand in tables: arrows.go (imports),
// libraries.go (outside libraries), budget.go (programs) and exemptions.go. Changing a line of a table is
// a design decision: say why in the commit.
//
// The rules see syntax and names, not full types. An alias of a package variable (p := &x is seen,
// m := table is not) can still be used to change it.
package arch

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// modulePath is the import path of the repository's root.
const modulePath = "github.com/plimsoll-slo/plimsoll"

// finding is one broken rule at one place.
type finding struct {
	rule  string // the name that exemptions use
	path  string // file, package or program, relative to the root with slashes
	line  int    // 0 if the finding is about the whole
	wrong string // what is wrong and what to do
}

func (f finding) String() string {
	if f.line == 0 {
		return fmt.Sprintf("%s: %s [%s]", f.path, f.wrong, f.rule)
	}
	return fmt.Sprintf("%s:%d: %s [%s]", f.path, f.line, f.wrong, f.rule)
}

func sortFindings(fs []finding) {
	slices.SortFunc(fs, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.line, b.line), cmp.Compare(a.wrong, b.wrong))
	})
}

// pkg is what the go command says about a package; field names are those of go list.
type pkg struct {
	ImportPath, Name, Dir                              string
	Standard                                           bool
	Imports, TestImports, XTestImports                 []string
	GoFiles, TestGoFiles, XTestGoFiles, IgnoredGoFiles []string
}

// path is the import path relative to the root, "." for the root itself.
func (p pkg) path() string {
	if p.ImportPath == modulePath {
		return "."
	}
	return strings.TrimPrefix(p.ImportPath, modulePath+"/")
}

// isOurs reports whether an import path belongs to this module.
func isOurs(imp string) bool {
	return imp == modulePath || strings.HasPrefix(imp, modulePath+"/")
}

// buildTags are those that the Makefile builds with. Without the first there is no cmd/plimsoll-gateway.
const buildTags = "remove_all_sd,enable_kubernetes_sd,enable_dns_sd"

// list returns every package of the module in root and all their non-test dependencies.
// Packages that do not build are listed as far as they parse.
func list(root string) ([]pkg, error) {
	fields := "ImportPath,Name,Dir,Standard,Imports,TestImports,XTestImports,GoFiles,TestGoFiles,XTestGoFiles,IgnoredGoFiles"
	cmd := exec.Command("go", "list", "-e", "-deps", "-tags="+buildTags, "-json="+fields, "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w", root, err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("output of go list: %w", err)
		}
		pkgs = append(pkgs, p)
	}
}

// ours returns the packages of this module.
func ours(pkgs []pkg) []pkg {
	return slices.DeleteFunc(slices.Clone(pkgs), func(p pkg) bool { return !isOurs(p.ImportPath) })
}

// match reports whether a path is the pattern or, if the pattern ends in "/...", at or below it.
// The pattern "..." matches every path.
func match(pattern, path string) bool {
	if pattern == "..." {
		return true
	}
	base, subtree := strings.CutSuffix(pattern, "/...")
	return path == base || subtree && strings.HasPrefix(path, base+"/")
}

func matchAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, path) })
}
