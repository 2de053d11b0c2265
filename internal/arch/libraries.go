package arch

import (
	"fmt"
	"strings"
)

// library says which of our packages may import an outside library: one where possible, since a library
// that changes its API should touch one place.
type library struct {
	prefix string   // import path; packages below it are included, the longest prefix counts
	by     []string // patterns of our packages
}

// libraries is every outside library that the programs use directly.
var libraries = []library{
	{"gopkg.in/yaml.v3", []string{"internal/yamlsrc"}},
	{"github.com/teambition/rrule-go", []string{"slo"}},
	{"github.com/VictoriaMetrics/metricsql", []string{"internal/promql"}},
	{"github.com/rogpeppe/go-internal/diff", []string{"internal/output"}},
	{"github.com/grafana/grafana-foundation-sdk/go", []string{"dashboards"}},
	{"github.com/robfig/cron/v3", []string{"exporters/secrets/poll"}}, // what Vault reads schedules with
	{"github.com/minio/minio-go/v7", []string{"exporters/cost/bucket"}},
	// The latter writes what the former reads.
	{"github.com/parquet-go/parquet-go", []string{"exporters/cost/parquet", "bench/bills"}},
	{"github.com/google/go-cmp", []string{"internal/golden"}}, // for tests
	{"github.com/spf13/cobra", []string{"cmd/plimsoll"}},
	{"github.com/spf13/pflag", []string{"cmd/plimsoll"}},

	// Prometheus: the parser, the database and the rule engine move separately. Labels are the currency
	// between the last two, so both need the package.
	{"github.com/prometheus/prometheus/promql/parser", []string{"internal/promql", "internal/engine"}},
	{"github.com/prometheus/prometheus/model", []string{"internal/promql", "internal/store/...", "internal/engine", "internal/ingest"}},
	{"github.com/prometheus/prometheus/storage", []string{"internal/store/...", "internal/engine", "internal/ingest"}},
	{"github.com/prometheus/prometheus/tsdb", []string{"internal/store/...", "internal/engine"}},
	{"github.com/prometheus/prometheus/util", []string{"internal/store/...", "internal/engine", "internal/web"}},
	{"github.com/oklog/ulid/v2", []string{"internal/store/..."}}, // names blocks in signatures of tsdb
	{"github.com/prometheus/prometheus/prompb", []string{"internal/store/..."}},
	// The receivers and the query API share the configuration and the targets of scraping.
	{"github.com/prometheus/prometheus/storage/remote", []string{"internal/ingest"}},
	{"github.com/prometheus/prometheus/scrape", []string{"internal/ingest", "internal/web"}},
	{"github.com/prometheus/prometheus/config", []string{"internal/ingest", "internal/web"}},
	{"github.com/prometheus/prometheus/discovery", []string{"internal/ingest"}},
	{"github.com/prometheus/prometheus/web", []string{"internal/web"}},
	{"github.com/grafana/regexp", []string{"internal/web"}}, // in a signature of prometheus/web
	{"github.com/prometheus/client_golang/exp", []string{"internal/ingest"}},
	{"github.com/prometheus/exporter-toolkit", []string{"cmd/plimsoll"}},
	{"golang.org/x/net/netutil", []string{"cmd/plimsoll"}},
	{"github.com/prometheus/prometheus", []string{"internal/engine"}},
	{"github.com/prometheus/alertmanager", []string{"internal/engine"}},
	{"github.com/prometheus/common", []string{"internal/promql", "internal/store/...", "internal/engine", "internal/web"}},
	{"github.com/prometheus/client_golang/api", []string{"internal/store/..."}},
	{"github.com/prometheus/client_golang/prometheus", []string{
		"exporters/...", "internal/engine", "internal/store/...", "internal/ingest", "internal/notify", "internal/web", "internal/server",
		"internal/child", "cmd/plimsoll",
	}},
	{"github.com/prometheus/client_model", []string{"exporters/...", "internal/ingest"}},

	{"go.opentelemetry.io/collector", []string{"collector/...", "bench/ingest"}},
	{"go.opentelemetry.io/collector/pdata", []string{"collector/...", "bench/ingest", "internal/ingest"}}, // OTLP metrics
	{"github.com/open-telemetry/opentelemetry-collector-contrib", []string{"collector", "collector/gateway"}},
	{"go.opentelemetry.io/otel", []string{"collector/..."}},
	{"go.uber.org/zap", []string{"collector/..."}},
	{"golang.org/x/time", []string{"collector/..."}},
	{"go.uber.org/multierr", []string{"collector/..."}},
}

// testLibraries may be imported by tests besides what libraries allows the tested package.
// A pattern limits who; "..." is everybody.
var testLibraries = []library{
	{"github.com/google/go-cmp", []string{"..."}},
	{"pgregory.net/rapid", []string{"..."}},
	{"go.uber.org/goleak", []string{"..."}},
	{"github.com/rogpeppe/go-internal", []string{"..."}},
	// to read what an exporter serves
	{"github.com/prometheus/client_golang", []string{"..."}},
	// as the truth
	{"github.com/prometheus/prometheus", []string{
		"internal/promql", "internal/store/...", "internal/engine", "internal/ingest", "internal/realtest", "internal/server", "rules",
	}},
	{"github.com/gogo/protobuf", []string{"internal/ingest", "internal/server"}},
	{"github.com/klauspost/compress/snappy", []string{"internal/ingest", "internal/server"}},
	{"github.com/prometheus/common", []string{"..."}},
	{"github.com/prometheus/client_model", []string{"..."}},
}

// isOutside reports whether an import path is neither ours nor of the standard library, by the dot that
// the first element of every fetchable path has.
func isOutside(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return strings.Contains(first, ".") && !isOurs(imp)
}

// libraryOf returns the line with the longest prefix of an import path.
func libraryOf(table []library, imp string) (library, bool) {
	best, found := library{}, false
	for _, l := range table {
		if match(l.prefix+"/...", imp) && len(l.prefix) >= len(best.prefix) {
			best, found = l, true
		}
	}
	return best, found
}

// libraryFindings checks the outside imports of our packages and their tests.
func libraryFindings(table, tests []library, pkgs []pkg) []finding {
	var out []finding
	add := func(p pkg, imp, where, tableName string, by []string) {
		out = append(out, finding{"library", p.path(), 0, fmt.Sprintf(
			"%s must not import %s; %s in libraries.go allows %s. Use the package that imports it, or change the line",
			where, imp, tableName, orNothing(by),
		)})
	}
	for _, p := range ours(pkgs) {
		for _, imp := range p.Imports {
			if l, _ := libraryOf(table, imp); isOutside(imp) && !matchAny(l.by, p.path()) {
				add(p, imp, "it", "libraries", l.by)
			}
		}
		seen := map[string]bool{}
		for _, imp := range append(append([]string{}, p.TestImports...), p.XTestImports...) {
			l, _ := libraryOf(table, imp)
			tl, _ := libraryOf(tests, imp)
			if isOutside(imp) && !seen[imp] && !matchAny(l.by, p.path()) && !matchAny(tl.by, p.path()) {
				add(p, imp, "its test", "testLibraries", tl.by)
			}
			seen[imp] = true
		}
	}
	return out
}
