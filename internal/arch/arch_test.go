package arch

import (
	"maps"
	"slices"
	"testing"
)

// root is the repository as seen from this package.
const root = "../.."

// TestRepository applies every rule to this repository.
func TestRepository(t *testing.T) {
	pkgs, err := list(root)
	if err != nil {
		t.Fatal(err)
	}
	units, err := parse(root, pkgs)
	if err != nil {
		t.Fatal(err)
	}
	ofUnits := func(rule func(*unit) []finding) (out []finding) {
		for _, u := range units {
			out = append(out, rule(u)...)
		}
		return out
	}
	check := func(name string, fs []finding) {
		t.Run(name, func(t *testing.T) {
			fs = exempt(exemptions, fs)
			sortFindings(fs)
			for _, f := range fs {
				t.Error(f)
			}
		})
	}
	check("arrows", arrowFindings(arrows, pkgs))
	check("arrow-table", tableFindings(arrows, views))
	check("libraries", libraryFindings(libraries, testLibraries, pkgs))
	check("budget", budgetFindings(budget, pkgs))
	check("shape", ofUnits(shapeFindings))
	check("calls", ofUnits(callFindings))
	check("globals", ofUnits(globalFindings))
	for _, path := range slices.Sorted(maps.Keys(budget)) {
		n, _ := linked(pkgs, path)
		t.Logf("%s links %d packages from outside the standard library, budget %d", path, n, budget[path])
	}
}

// TestHygiene looks at every committed file, whatever its language.
func TestHygiene(t *testing.T) {
	fs, err := hygieneFindings(root)
	if err != nil {
		t.Skip(err) // reason: not a git work tree, so nothing says what is committed
	}
	fs = exempt(exemptions, fs)
	sortFindings(fs)
	for _, f := range fs {
		t.Error(f)
	}
}

// TestParsesEverything guards the guards: a rule that is shown no files finds nothing.
func TestParsesEverything(t *testing.T) {
	pkgs, err := list(root)
	if err != nil {
		t.Fatal(err)
	}
	units, err := parse(root, pkgs)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]bool{}
	for _, u := range units {
		for _, f := range u.files {
			files[f.path] = true
		}
	}
	for _, want := range []string{"internal/arch/arch.go", "internal/arch/arch_test.go"} {
		if !files[want] {
			t.Errorf("%s was not parsed; parsed are %d files", want, len(files))
		}
	}
}
