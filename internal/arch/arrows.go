package arch

import (
	"fmt"
	"strings"
)

// arrow says which packages of this module a package may import; its tests may import any.
// Paths are relative to the root, and "/..." is a subtree.
type arrow struct {
	from string
	to   []string
}

// arrows is the order of the repository, lowest first. Each package is ruled by its most exact line
// (a longer path before a shorter one, no "/..." before "/..."), and must have one.
var arrows = []arrow{
	// Pure ground: no files, no network, no clock.
	{"burnrate", nil},
	{"docs", nil}, // tests of the pages
	{"docs/diag", nil},
	{"internal/arch", nil},
	{"internal/diag", nil},
	{"internal/output", nil},
	{"internal/golden", nil},    // for tests
	{"internal/mounttest", nil}, // for tests
	{"internal/remote", nil},
	{"internal/history", nil},
	{"internal/promapi", []string{"internal/remote"}},
	{"internal/telemetry", nil},
	{"internal/packs", nil}, // files to copy
	{"exporters/event", nil},

	// Reading: text with places, and expressions.
	{"internal/yamlsrc", []string{"internal/diag"}},
	{"internal/promql", []string{"internal/diag"}},
	{"internal/amconfig", []string{"internal/diag", "internal/yamlsrc"}},
	{"internal/schema", []string{"internal/diag", "internal/yamlsrc", "internal/promql"}},

	// The model.
	{"slo", []string{"burnrate", "internal/diag", "internal/yamlsrc", "internal/schema", "internal/promql"}},
	{"slo/dialect/...", []string{
		"slo", "slo/dialect/...", "burnrate",
		"internal/diag", "internal/yamlsrc", "internal/schema", "internal/promql",
	}},

	// Views of the model: pure, and blind to each other.
	{"rules", []string{"slo", "burnrate", "internal/diag", "internal/promql"}},
	{"rules/alertmanager", []string{"slo"}},
	{"dashboards", []string{"slo", "burnrate", "internal/diag", "internal/promql", "internal/telemetry"}},
	{"internal/explain", []string{"slo", "burnrate", "internal/diag", "internal/promql"}},
	{"internal/report", []string{"slo", "burnrate", "internal/diag", "internal/promql"}},

	// Telemetry sources: they know nothing of SLOs.
	{"exporters/ledger", []string{"exporters/event"}},
	{"exporters/source", []string{"exporters/event"}},
	{"exporters/metric", []string{"exporters/event"}},
	{"exporters/counters", []string{"exporters/event", "exporters/metric"}},
	{"exporters/exportertest", []string{"exporters/event", "exporters/ledger", "exporters/source"}},
	{"exporters/pipelines/sources", []string{
		"exporters/event", "exporters/source", "exporters/pipelines", "exporters/incidents", "exporters/onboarding", "exporters/secrets", // for mappings; what scanning finds
	}},
	{"exporters/pipelines/backfill", []string{"exporters/event", "exporters/source", "exporters/pipelines/sources"}},
	{"exporters/platformapi/sources", []string{"exporters/event", "exporters/source", "exporters/platformapi"}},
	{"exporters/secrets/sources", []string{"exporters/event", "exporters/source", "exporters/secrets"}},
	{"exporters/secrets/poll", []string{
		"exporters/event", "exporters/source", "exporters/secrets", "exporters/secrets/sources", "internal/diag", "internal/yamlsrc",
	}},
	{"exporters/coverage", []string{"exporters/event", "exporters/metric", "exporters/counters", "internal/yamlsrc"}},
	{"exporters/cost/bucket", []string{"exporters/cost/intake"}},
	{"exporters/cost/intake", []string{"exporters/event", "exporters/source", "exporters/metric", "exporters/ledger", "exporters/cost"}},
	{"exporters/incidents/sources", []string{"exporters/event", "exporters/source", "exporters/incidents"}},
	{"exporters/incidents/reconcile", []string{"exporters/event", "exporters/source", "exporters/incidents/sources"}},
	{"exporters/onboarding/sources", []string{"exporters/event", "exporters/source", "exporters/onboarding"}},
	{"exporters/policy/sources", []string{"exporters/event", "exporters/source", "exporters/policy"}},
	{"exporters/...", []string{"exporters/event", "exporters/source", "exporters/metric", "exporters/counters"}},

	// What may be read, from what is recorded and declared.
	{"internal/closed", []string{
		"rules", "slo", "internal/diag", "internal/yamlsrc", "internal/schema", "internal/promql", "internal/telemetry",
	}},

	// Execution.
	{"internal/store", []string{"internal/promql"}},
	// It reads the file that says where the store of others is.
	{"internal/store/remote", []string{"internal/store", "internal/remote", "internal/diag", "internal/schema", "internal/yamlsrc"}},
	{"internal/engine", []string{"internal/store", "internal/promql", "rules", "slo", "burnrate"}},
	{"internal/gate", []string{"internal/store", "internal/promql", "internal/report", "slo", "burnrate"}},
	{"internal/backtest", []string{
		"internal/engine", "internal/store", "internal/promql", "internal/report", "rules", "slo", "burnrate",
	}},
	{"internal/ruler", []string{"internal/output", "internal/remote", "internal/promql", "internal/yamlsrc", "internal/diag", "rules", "slo"}},
	{"internal/grafana", []string{"internal/output", "internal/remote"}},
	{"internal/kube", []string{"internal/output", "rules", "dashboards", "slo"}},
	{"internal/ingest", []string{"internal/store"}},
	{"internal/notify", []string{"internal/engine", "internal/store"}},
	{"internal/child", nil},
	{"internal/web", []string{
		"internal/engine", "internal/store", "internal/promql", "internal/report", "internal/gate", "internal/ingest",
		"internal/notify", "rules", "dashboards", "slo", "burnrate",
	}},
	{"internal/server", []string{
		"internal/engine", "internal/store", "internal/store/remote", "internal/ingest", "internal/notify", "internal/web", "rules", "slo",
	}},

	// The collector: only its list of components knows them all.
	{"collector", []string{"collector/internal/...", "collector/receiver/...", "collector/connector/...", "collector/processor/..."}},
	{"collector/gateway", []string{"collector", "collector/receiver/cost", "exporters/cost/bucket", "exporters/cost/parquet"}},
	{"collector/internal/...", []string{"collector/internal/...", "exporters/...", "slo", "burnrate"}},
	{"collector/receiver/...", []string{"collector/internal/...", "exporters/...", "slo", "burnrate"}},
	{"collector/connector/...", []string{"collector/internal/...", "exporters/...", "slo", "burnrate"}},
	{"collector/processor/...", []string{"collector/internal/...", "exporters/...", "slo", "burnrate"}},

	// Programs, and what wires everything together.
	{"internal/demo", []string{
		"slo", "burnrate", "rules", "dashboards", "exporters/...", "internal/backtest", "internal/diag",
		"internal/engine", "internal/gate", "internal/history", "internal/output", "internal/promql",
		"internal/report", "internal/store", "internal/web",
	}},
	{"cmd/plimsoll", []string{
		"slo/...", "burnrate", "rules", "rules/alertmanager", "dashboards", "exporters/...", "docs/...", "internal/...",
	}},
	{"cmd/plimsoll-collector", []string{"collector/..."}},
	{"cmd/plimsoll-gateway", []string{"collector/..."}},
	{"internal/realtest", nil}, // tests only
	{"bench/...", []string{"..."}},
}

// views compile the model into a product. They may import neither each other nor the reading of YAML,
// whatever arrows says.
var views = []string{"rules", "rules/alertmanager", "dashboards", "internal/explain", "internal/report"}

// arrowOf returns the most exact line for a package path.
func arrowOf(table []arrow, path string) (arrow, bool) {
	best, found := arrow{}, false
	for _, a := range table {
		if match(a.from, path) && (!found || exactness(a.from) > exactness(best.from)) {
			best, found = a, true
		}
	}
	return best, found
}

// exactness orders the patterns that match one path.
func exactness(pattern string) int {
	base, subtree := strings.CutSuffix(pattern, "...")
	if subtree {
		return 2 * len(strings.TrimSuffix(base, "/"))
	}
	return 2*len(pattern) + 1
}

// arrowFindings checks the imports among our packages.
func arrowFindings(table []arrow, pkgs []pkg) []finding {
	var out []finding
	for _, p := range ours(pkgs) {
		a, ok := arrowOf(table, p.path())
		if !ok {
			out = append(out, finding{"arrow", p.path(), 0, "has no line in arrows.go: decide what it may import"})
			continue
		}
		for _, imp := range p.Imports {
			to := pkg{ImportPath: imp}.path()
			if isOurs(imp) && !matchAny(a.to, to) {
				out = append(out, finding{"arrow", p.path(), 0, fmt.Sprintf(
					"must not import %s; arrows.go allows %s", to, orNothing(a.to),
				)})
			}
		}
	}
	return out
}

// tableFindings checks the table of arrows itself: one line a path, no circle, views apart.
func tableFindings(table []arrow, views []string) []finding {
	var out []finding
	seen := map[string]bool{}
	for _, a := range table {
		if seen[a.from] {
			out = append(out, finding{"arrow-table", a.from, 0, "has two lines"})
		}
		seen[a.from] = true
	}
	for _, v := range views {
		a, ok := arrowOf(table, v)
		if !ok {
			continue
		}
		for _, other := range append([]string{"internal/yamlsrc", "internal/schema"}, views...) {
			if other != v && matchAny(a.to, other) {
				out = append(out, finding{"arrow-table", v, 0, "a view may not import " + other})
			}
		}
	}
	return append(out, circles(table)...)
}

// circles returns a finding for each line from which the arrows lead back to it.
func circles(table []arrow) []finding {
	next := func(a arrow) (out []arrow) {
		for _, b := range table {
			if b.from != a.from && matchAny(a.to, strings.TrimSuffix(b.from, "/...")) {
				out = append(out, b)
			}
		}
		return out
	}
	var out []finding
	for _, start := range table {
		seen := map[string]bool{}
		for todo := next(start); len(todo) > 0; todo = todo[1:] {
			if a := todo[0]; !seen[a.from] {
				seen[a.from] = true
				todo = append(todo, next(a)...)
			}
		}
		if seen[start.from] {
			out = append(out, finding{"arrow-table", start.from, 0, "the arrows allow a circle through it"})
		}
	}
	return out
}

func orNothing(paths []string) string {
	if len(paths) == 0 {
		return "nothing of this module"
	}
	return strings.Join(paths, ", ")
}
