//lint:file-ignore SA1019 as in lower.go

package dashboards

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/plimsoll-slo/plimsoll/internal/closed"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// sets are the test set, one without telemetry, one of a single SLO, every
// example, and a generated one of a thousand SLOs.
func sets(t *testing.T) map[string]*slo.Set {
	t.Helper()
	one := testSet()
	one.SLOs = one.SLOs[:1]
	out := map[string]*slo.Set{"test": testSet(), "without": without(), "one": one, "thousand": manySLOs(1000)}
	for name, set := range examples(t) {
		out["example "+name] = set
	}
	return out
}

// examples returns the compiled examples by name.
func examples(t *testing.T) map[string]*slo.Set {
	t.Helper()
	root := filepath.Join("..", "examples")
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*slo.Set{}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		files, l := slo.ReadFiles(filepath.Join(root, e.Name()))
		set, found := slo.Compile(files)
		if l.Failed() || set == nil {
			t.Fatalf("%s: %v %v", e.Name(), l, found)
		}
		out[e.Name()] = set
	}
	if len(out) < 3 {
		t.Fatalf("found %d examples", len(out))
	}
	return out
}

type (
	perDashboard func(t *testing.T, d jsonDashboard)
	perSet       func(t *testing.T, set *slo.Set, ds map[string]jsonDashboard)
)

// TestLint applies every rule to the dashboards of each of sets. Of a thousand
// SLOs only some services are looked at: their dashboards differ in names alone.
func TestLint(t *testing.T) {
	each := map[string]perDashboard{
		"Grid":                     lintGrid(),
		"PanelsAreComplete":        lintPanelsAreComplete(),
		"Frame":                    lintFrame(),
		"NoEmptyValues":            lintNoEmptyValues(),
		"StrictSchema":             lintStrictSchema(),
		"Variables":                lintVariables(),
		"Legible":                  lintLegible(),
		"Rates":                    lintRates(),
		"DataSourceIsTheChosenOne": lintDataSourceIsTheChosenOne(),
	}
	all := map[string]perSet{
		"Links":       lintLinks(),
		"Runbooks":    lintRunbooks(),
		"ClosedWorld": lintClosedWorld(),
	}
	for name, set := range sets(t) {
		var few []File
		for i, f := range generate(t, set, Options{}) {
			if !strings.Contains(f.Name, "-svc-service-") || i%40 == 0 {
				few = append(few, f)
			}
		}
		ds := parse(t, few)
		for rule, f := range each {
			for _, d := range ds {
				t.Run(rule+"/"+name+"/"+d.UID, func(t *testing.T) { f(t, d) })
			}
		}
		for rule, f := range all {
			t.Run(rule+"/"+name, func(t *testing.T) { f(t, set, ds) })
		}
	}
}

func lintGrid() perDashboard {
	overlap := func(t *testing.T, panels []jsonPanel) {
		for i, p := range panels {
			a := p.GridPos
			if a.X < 0 || a.Y < 0 || a.W < 1 || a.H < 1 || a.X+a.W > 24 {
				t.Errorf("panel %q lies at %+v, outside of 24 columns", p.Title, a)
			}
			for _, q := range panels[:i] {
				b := q.GridPos
				if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
					t.Errorf("panels %q and %q overlap: %+v and %+v", p.Title, q.Title, a, b)
				}
			}
		}
	}
	return func(t *testing.T, d jsonDashboard) {
		overlap(t, d.Panels)
		for _, row := range d.Panels {
			overlap(t, row.Panels)
			for _, p := range row.Panels {
				if p.GridPos.Y <= row.GridPos.Y {
					t.Errorf("panel %q lies above its row %q", p.Title, row.Title)
				}
			}
		}
	}
}

func lintPanelsAreComplete() perDashboard {
	units := []string{"percentunit", "short", "x", "dtdurations", "none", "s", "cps", "cpm"}
	return func(t *testing.T, d jsonDashboard) {
		ids := map[int]string{}
		for _, p := range append(d.all(), d.Panels...) {
			if old, ok := ids[p.ID]; p.ID == 0 || ok && old != p.Title {
				t.Errorf("panels %q and %q have the id %d", old, p.Title, p.ID)
			}
			ids[p.ID] = p.Title
			if p.Title == "" {
				t.Errorf("panel %d has no title", p.ID)
			}
		}
		titles := map[string]bool{}
		for _, p := range d.all() {
			if p.Description == "" {
				t.Errorf("panel %q has no description", p.Title)
			}
			if titles[p.Title] && p.Type == "stat" {
				t.Errorf("two numbers are called %q", p.Title)
			}
			titles[p.Title] = true
			if p.Type == "text" || p.Datasource.Type != "prometheus" {
				continue
			}
			f := p.FieldConfig.Defaults
			if !slices.Contains(units, f.Unit) || f.NoValue == "" || len(p.Targets) == 0 {
				t.Errorf("panel %q: unit %q, noValue %q, %d queries", p.Title, f.Unit, f.NoValue, len(p.Targets))
			}
			checkSteps(t, p)
		}
	}
}

// checkSteps wants thresholds to start at minus infinity and to rise.
func checkSteps(t *testing.T, p jsonPanel) {
	t.Helper()
	steps := p.FieldConfig.Defaults.Thresholds.Steps
	for i, s := range steps {
		if (s.Value == nil) != (i == 0) || i > 1 && *s.Value <= *steps[i-1].Value || s.Color == "" {
			t.Errorf("panel %q: bad threshold %d of %+v", p.Title, i, steps)
		}
	}
	if len(steps) == 0 {
		t.Errorf("panel %q has no thresholds, so Grafana would take its own", p.Title)
	}
}

func lintFrame() perDashboard {
	return func(t *testing.T, d jsonDashboard) {
		if n := len(d.UID); n < 8 || n > 40 {
			t.Errorf("uid %q has %d characters, want 8 to 40", d.UID, n)
		}
		if d.Editable == nil || *d.Editable {
			t.Error("the dashboard is editable")
		}
		if !slices.Contains(d.Tags, "generated by plimsoll") || !strings.Contains(d.Description, "Generated by plimsoll") {
			t.Errorf("tags %q and description %q do not say that it is generated", d.Tags, d.Description)
		}
		if d.Time.From == "" || d.Time.To != "now" {
			t.Errorf("time range %+v", d.Time)
		}
		panels, queries := 0, 0
		for _, p := range d.Panels {
			queries += len(p.Targets)
			if p.Type != "row" {
				panels++
			}
		}
		if panels > 26 || queries > 36 {
			t.Errorf("%d panels and %d queries at load, want at most 26 and 36", panels, queries)
		}
	}
}

// An empty string where Grafana expects one of a list is the worst trap of the
// SDK; null stands only for an infinite bound.
func lintNoEmptyValues() perDashboard {
	infinite := regexp.MustCompile(`steps\[0\]\.value$|options\.(from|to)$`)
	var walk func(t *testing.T, path string, v any)
	walk = func(t *testing.T, path string, v any) {
		switch x := v.(type) {
		case map[string]any:
			for k, e := range x {
				walk(t, path+"."+k, e)
			}
		case []any:
			for i, e := range x {
				walk(t, fmt.Sprintf("%s[%d]", path, i), e)
			}
		case string:
			if x == "" {
				t.Errorf("%s is empty", path)
			}
		case nil:
			if !infinite.MatchString(path) {
				t.Errorf("%s is null", path)
			}
		}
	}
	return func(t *testing.T, d jsonDashboard) {
		var v any
		if err := json.Unmarshal(d.raw, &v); err != nil {
			t.Fatal(err)
		}
		walk(t, "", v)
	}
}

func lintStrictSchema() perDashboard {
	plugins.RegisterDefaultPlugins()
	return func(t *testing.T, d jsonDashboard) {
		var g dashboard.Dashboard
		if err := strict(g.UnmarshalJSONStrict(d.raw)); err != nil {
			t.Error(err)
		}
		if err := g.Validate(); err != nil {
			t.Error(err)
		}
		wrong := bytes.Replace(d.raw, []byte(`"gridPos"`), []byte(`"gridPoz"`), 1)
		if err := strict(g.UnmarshalJSONStrict(wrong)); err == nil {
			t.Error("the check does not find an unknown field")
		}
	}
}

// strict makes an error of the SDK's strict reader, which returns an empty list
// of errors where it should return nil.
func strict(err error) error {
	var list cog.BuildErrors
	if errors.As(err, &list) && len(list) == 0 {
		return nil
	}
	return err
}

func lintVariables() perDashboard {
	ref := regexp.MustCompile(`\$\{?([A-Za-z_]\w*)`)
	builtin := regexp.MustCompile(`^__(interval|rate_interval|range|url_time_range|data|field|series|all)$`)
	return func(t *testing.T, d jsonDashboard) {
		used := map[string]bool{}
		for _, m := range ref.FindAllSubmatch(d.raw, -1) {
			used[string(m[1])] = true
		}
		for _, v := range d.Templating.List {
			if !used[v.Name] {
				t.Errorf("variable %s is not used", v.Name)
			}
			delete(used, v.Name)
			if v.Label == "" || v.Description == "" || v.Type == "query" && v.Definition == "" {
				t.Errorf("variable %+v is not complete", v)
			}
			if v.IncludeAll && v.AllValue != ".*" {
				t.Errorf("variable %s: all is %q, want .*, which matches series without the label", v.Name, v.AllValue)
			}
		}
		for name := range used {
			if !builtin.MatchString(name) {
				t.Errorf("$%s is not defined", name)
			}
		}
	}
}

func lintDataSourceIsTheChosenOne() perDashboard {
	return func(t *testing.T, d jsonDashboard) {
		want := strings.Count(string(d.raw), `"datasource": {`)
		got := 0
		for kind, name := range map[string]string{"prometheus": "datasource", "loki": "logs", "tempo": "traces"} {
			got += strings.Count(string(d.raw), `"type": "`+kind+`",`+"\n")
			chosen := regexp.MustCompile(`"datasource": \{\s*"type": "` + kind + `",\s*"uid": "([^"]*)"`)
			for _, m := range chosen.FindAllStringSubmatch(string(d.raw), -1) {
				if m[1] != "${"+name+"}" {
					t.Errorf("a data source of type %s is %s, want ${%s}", kind, m[1], name)
				}
			}
		}
		if got != want {
			t.Errorf("%d of %d data sources are of a known type", got, want)
		}
	}
}

// A rate reaches over several scrapes whatever the picture is zoomed to, and an
// increase over the whole page or over minutes at least.
func lintRates() perDashboard {
	call := regexp.MustCompile(`\b(rate|irate|increase|delta)\([^[]*\[([^\]]*)\]`)
	return func(t *testing.T, d jsonDashboard) {
		found := 0
		for _, p := range d.all() {
			for _, q := range p.Targets {
				for _, m := range call.FindAllStringSubmatch(q.Expr, -1) {
					found++
					ok := m[2] == "$__rate_interval" || m[1] == "increase" && slices.Contains([]string{"$__range", "5m", "1d", "7d", "28d"}, m[2])
					if !ok || m[1] == "irate" || m[1] == "delta" {
						t.Errorf("panel %q: %s", p.Title, m[0])
					}
				}
			}
		}
		if found == 0 && strings.HasSuffix(d.UID, "-oncall") && strings.Contains(string(d.raw), "rate_interval") {
			t.Error("no rate was looked at")
		}
	}
}

// Links lead to dashboards of the same set and set variables that they have; the
// name of a service stands in the address of its dashboard.
func lintLinks() perSet {
	url := regexp.MustCompile(`["(]/d/([A-Za-z0-9_-]+)(\$\{__data\.fields\.service\})?([^"\s)]*)`)
	argument := regexp.MustCompile(`var-(\w+)=`)
	return func(t *testing.T, set *slo.Set, ds map[string]jsonDashboard) {
		byUID := map[string]jsonDashboard{}
		for _, d := range ds {
			byUID[d.UID] = d
		}
		services := map[string]bool{}
		for _, s := range set.SLOs {
			services["plimsoll-svc-"+s.Service] = true
		}
		for kind, d := range ds {
			want := 3
			if strings.HasPrefix(kind, "svc-") {
				want = 4
			}
			if len(d.Links) != want {
				t.Errorf("%s: %d links to other dashboards, want %d", d.UID, len(d.Links), want)
			}
			for _, m := range url.FindAllStringSubmatch(string(d.raw), -1) {
				target, ok := byUID[m[1]]
				if m[2] != "" && m[1] != "plimsoll-svc-" || m[2] == "" && !ok && !services[m[1]] {
					t.Errorf("%s: %s leads nowhere", d.UID, m[0])
				}
				for _, a := range argument.FindAllStringSubmatch(m[3], -1) {
					if ok && !slices.ContainsFunc(target.Templating.List, func(v jsonVariable) bool { return v.Name == a[1] }) {
						t.Errorf("%s: %s sets %s, which the target does not have", d.UID, m[0], a[1])
					}
				}
			}
		}
	}
}

// Every runbook is linked from the dashboard of its service, and, where a list of
// all is not too long to read, from the on-call dashboard.
func lintRunbooks() perSet {
	return func(t *testing.T, set *slo.Set, ds map[string]jsonDashboard) {
		for _, s := range set.SLOs {
			for _, kind := range []string{"oncall", "slo", "svc-" + s.Service} {
				d, ok := ds[kind]
				if !ok || s.Runbook == "" || kind[:3] != "svc" && len(set.SLOs) > maxListed {
					continue
				}
				if !strings.Contains(string(d.raw), "(<"+s.Runbook+">)") {
					t.Errorf("%s has no link to %s", kind, s.Runbook)
				}
			}
		}
	}
}

// A service whose name is too long for a uid has a dashboard, too, and what
// leads to it is a search.
func TestLongNames(t *testing.T) {
	set := testSet()
	long := strings.Repeat("a", 63)
	for i := range set.SLOs[:2] {
		set.SLOs[i].Service = long
	}
	ds := parse(t, generate(t, set, Options{}))
	found := 0
	for _, d := range ds {
		if d.Title == "Service: "+long {
			found++
			if len(d.UID) > maxUID || !slices.Contains(d.Tags, long) {
				t.Errorf("uid %s, tags %q", d.UID, d.Tags)
			}
		}
	}
	if found != 1 || strings.Contains(string(ds["oncall"].raw), "/d/plimsoll-svc-${") || !strings.Contains(string(ds["oncall"].raw), "/dashboards?tag=${") {
		t.Errorf("%d dashboards, or on call links to a uid that does not exist", found)
	}
}

// exprs returns every query of d with where it stands, the variables chosen.
func exprs(d jsonDashboard) map[string]string {
	out := map[string]string{}
	for _, p := range d.prometheus() {
		for _, q := range p.Targets {
			out[p.Title+" "+q.RefID] = choose(q.Expr, everything())
		}
	}
	for _, a := range d.Annotations.List {
		out["annotation "+a.Name] = choose(a.Expr, everything())
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			out["variable "+v.Name] = choose(regexp.MustCompile(`^label_values\((.*), \w+\)$`).ReplaceAllString(v.Definition, "$1"), everything())
		}
	}
	return out
}

// The queries parse in Prometheus and VictoriaMetrics, are short enough for
// both, and read nothing but what is recorded or declared, by labels that it has.
func lintClosedWorld() perSet {
	return func(t *testing.T, set *slo.Set, ds map[string]jsonDashboard) {
		world, err := closed.All(set)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, d := range ds {
			for where, expr := range exprs(d) {
				n++
				e, problems := promql.Parse(expr)
				if len(problems) > 0 {
					t.Errorf("%s: %v\n%s", where, problems, expr)
					continue
				}
				if err := promql.CheckVictoria(expr); err != nil {
					t.Errorf("%s: VictoriaMetrics: %v\n%s", where, err, expr)
				}
				if len(expr) > 16<<10 { // -search.maxQueryLen of VictoriaMetrics
					t.Errorf("%s: the query has %d bytes", where, len(expr))
				}
				for _, f := range world.Check(e) {
					t.Errorf("%s, %s: %s (%s) at %d\n%s", d.UID, where, f.Msg, f.Hint, f.Off, expr)
				}
			}
		}
		t.Logf("%d queries", n)
	}
}
