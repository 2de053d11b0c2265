package coverage_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/coverage"
)

var everySignal = []coverage.Signal{coverage.Metrics, coverage.Logs, coverage.Traces}

func TestLoad(t *testing.T) {
	var i coverage.Inventory
	if err := i.Load("testdata/*.yaml", "testdata/services.yaml"); err != nil {
		t.Fatal(err)
	}
	want := []coverage.Service{
		{Name: "payment-service", Team: "payments", Signals: []coverage.Signal{coverage.Metrics, coverage.Traces}},
		{Name: "checkout", Signals: everySignal},
		{Name: "search", Team: "discovery", Aliases: []string{"search-api", "search-worker"}, Signals: everySignal},
		{Name: "nightly-report", Team: "finance", Signals: []coverage.Signal{coverage.Logs}},
	}
	if diff := cmp.Diff(want, i.Services()); diff != "" {
		t.Error(diff)
	}
	if err := i.Load("testdata/none.yaml"); err == nil || len(i.Services()) != 4 {
		t.Errorf("error %v and %d services, want an error and the list as it was", err, len(i.Services()))
	}
}

// TestWrong: every mistake is reported with its place.
func TestWrong(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		services, err := coverage.Parse("x.yaml", []byte(text))
		if err == nil {
			t.Errorf("%q: no error, services %v", text, services)
			return
		}
		if diff := cmp.Diff(strings.Join(want, "\n"), err.Error()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	f("services: {}", "x.yaml:1:11: want a list of services, or an entity of Backstage's catalog")
	f("service: [a]", `x.yaml:1:10: unknown field "service", want one of services`, "x.yaml:1:1: want a list of services, or an entity of Backstage's catalog")
	f("services:\n  - name: a\n    signal: [logs]\n    signals: [logs, logs, spans]\n",
		`x.yaml:3:13: unknown field "signal", want one of name, team, aliases, signals`, "x.yaml:4:21: logs is there twice",
		`x.yaml:4:27: want metrics, logs or traces, have "spans"`)
	f("services:\n  - team: a\n  - [b]\n", "x.yaml:2:5: want a name, have none", "x.yaml:3:5: want a mapping, have a list", "x.yaml:3:5: want a name, have none")
	f("services:\n  - \"a\\nb\"\n", "x.yaml:2:5: want a name of 1 to 128 printable bytes")
	f("services:\n  - {name: a, signals: []}\n", "x.yaml:2:24: want some of metrics, logs, traces")
}

func TestWrongList(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "services.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var i coverage.Inventory
		if err := i.Load(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %q", text, err, want)
		}
	}
	f("services: []", "want 1 to 5000 services, have 0")
	f("services: [a, a]", `"a" is a name of both "a" and "a"`)
	f("services: [a, {name: b, aliases: [a]}]", `"a" is a name of both "a" and "b"`)
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"testdata/services.yaml", "testdata/catalog-info.yaml"} {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("kind: Component\nmetadata: [a]\nspec: {type: service}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		services, err := coverage.Parse("x.yaml", b)
		for _, s := range services {
			if err == nil && (s.Name == "" || len(s.Signals) == 0) {
				t.Errorf("%+v without an error", s)
			}
		}
	})
}
