package packs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/internal/packs"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// TestCompile wants every pack to compile without any finding, alone and beside all others, to declare nothing without
// its name in front, and to become rules for every kind of server.
func TestCompile(t *testing.T) {
	var all []slo.File
	for _, p := range packs.All() {
		files := specsOf(t, p.Name)
		all = append(all, files...)
		set, found := slo.Compile(files)
		if set == nil || len(found) > 0 {
			t.Errorf("pack %s: %v", p.Name, found)
			continue
		}
		for _, x := range set.SLOs {
			if !strings.HasPrefix(x.Name, p.Name+"-") || x.Service != p.Name || x.Runbook != p.Name+"/runbook.md" {
				t.Errorf("pack %s: SLO %s has service %s and runbook %s", p.Name, x.Name, x.Service, x.Runbook)
			}
		}
		for _, x := range set.Profiles {
			if x.Name != slo.DefaultName && x.Name != p.Name && !strings.HasPrefix(x.Name, p.Name+"-") {
				t.Errorf("pack %s has an alert profile %s", p.Name, x.Name)
			}
		}
	}
	set, found := slo.Compile(all)
	if set == nil || len(found) > 0 {
		t.Fatalf("all packs together: %v", found)
	}
	for _, target := range []rules.Target{rules.Prometheus, rules.PrometheusOperator, rules.Mimir, rules.VictoriaMetrics, rules.VictoriaMetricsOperator} {
		if files, err := rules.Files(set, rules.Options{Target: target}); err != nil || len(files) == 0 {
			t.Errorf("%s: %d files, %v", target, len(files), err)
		}
	}
	if tests, err := rules.PromtoolTests(set, rules.Options{}); err != nil || len(tests) == 0 {
		t.Errorf("%d tests, %v", len(tests), err)
	}
}

// TestCatalog wants the catalog to be in order, to cover what there is to cover, and to have what it names.
func TestCatalog(t *testing.T) {
	covered := map[string]bool{}
	var names []string
	for _, p := range packs.All() {
		names = append(names, p.Name)
		for _, c := range p.Covers {
			covered[c] = true
		}
		files, err := p.Files()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"README.md", "runbook.md", "service.yaml", "slos.yaml"} {
			if len(files[want]) == 0 {
				t.Errorf("pack %s has no %s", p.Name, want)
			}
		}
		set, _ := slo.Compile(specsOf(t, p.Name))
		for _, x := range set.SLOs {
			if short := strings.Split(x.Name, "-budget-")[0]; !bytes.Contains(files["runbook.md"], []byte(short)) {
				t.Errorf("the runbook of pack %s does not name %s", p.Name, x.Name)
			}
			if !bytes.Contains(files["README.md"], []byte("| "+x.Name+" |")) {
				t.Errorf("the README of pack %s does not name %s", p.Name, x.Name)
			}
		}
		for _, section := range []string{"## See it", "## Do first", "## Recovered", "## Tell"} {
			if !bytes.Contains(files["runbook.md"], []byte("\n"+section+"\n")) {
				t.Errorf("the runbook of pack %s has no section %q", p.Name, section)
			}
		}
		if !bytes.HasPrefix(files["README.md"], []byte("# "+p.Name+"\n")) || !bytes.Contains(files["README.md"], []byte("**Needs**")) {
			t.Errorf("the README of pack %s does not begin as others do", p.Name)
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("packs are not in order: %v", names)
	}
	// M5 is the burn rate, which every SLO has.
	for _, want := range strings.Fields("M1 M2 M3 M4 M6 M7 M8 M9 M10 M11 M12 F1 F2 F3 F4 F5 F6 F7") {
		if !covered[want] {
			t.Errorf("no pack covers %s", want)
		}
	}
	if dirs, err := filepath.Glob("*/slos.yaml"); err != nil || len(dirs) != len(names) {
		t.Errorf("%d directories have specs, %d packs are in the catalog: %v", len(dirs), len(names), err)
	}
}

// TestLinks wants the pages that packs name to exist, or to be among those to come.
func TestLinks(t *testing.T) {
	for _, p := range packs.All() {
		files, err := p.Files()
		if err != nil {
			t.Fatal(err)
		}
		text := p.Needs + string(files["README.md"]) + string(files["runbook.md"])
		for _, page := range regexp.MustCompile(`docs/[a-z-]+\.md`).FindAllString(text, -1) {
			if _, err := os.Stat("../../" + page); err != nil {
				t.Errorf("pack %s names %s: %v", p.Name, page, err)
			}
		}
	}
}
