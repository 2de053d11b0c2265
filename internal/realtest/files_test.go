//go:build real

package realtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// specs are the folders of specs that the repository ships.
var specs = []string{
	"../../examples/quickstart", "../../examples/web-service", "../../examples/platform-team", "../../examples/plimsoll-self", "../demo/specs", "../packs",
	"testdata/kinds", "testdata/braces", "testdata/live",
}

// TestFiles builds every spec of the repository for every kind of server, and lets the real programs judge the
// files: promtool with all its lints, or vmalert with its checks of templates and expressions.
func TestFiles(t *testing.T) {
	for _, dir := range specs {
		for target, judge := range map[string]func(testing.TB, []string){
			"prometheus": promtool, "mimir": promtool, "prometheus-operator": resources("monitoring.coreos.com/v1", "PrometheusRule", promtool),
			"victoriametrics": vmalert, "victoriametrics-operator": resources("operator.victoriametrics.com/v1beta1", "VMRule", vmalert),
		} {
			t.Run(filepath.Base(filepath.Dir(dir))+"/"+filepath.Base(dir)+"/"+target, func(t *testing.T) {
				t.Parallel()
				judge(t, build(t, dir, "--target", target))
			})
		}
	}
}

// build runs plimsoll build and returns the paths of the rule files.
func build(t testing.TB, specs string, flags ...string) []string {
	t.Helper()
	out := t.TempDir()
	mustOutput(t, "plimsoll", append([]string{"build", "-o", out, specs}, flags...)...)
	files, err := filepath.Glob(filepath.Join(out, "rules", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("want rule files in %s, have %v %v", out, files, err)
	}
	return files
}

// promtool wants no findings.
func promtool(t testing.TB, files []string) {
	t.Helper()
	out, err := output(t, "promtool", append([]string{"check", "rules", "--lint=all", "--lint-fatal"}, files...)...)
	if err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
	if n := strings.Count(out, "SUCCESS"); n != len(files) {
		t.Errorf("promtool check rules: want %d files found good, have %d\n%s", len(files), n, out)
	}
}

// vmalert wants no errors.
func vmalert(t testing.TB, files []string) {
	t.Helper()
	args := []string{"-dryRun"}
	for _, f := range files {
		args = append(args, "-rule="+f)
	}
	if out, err := output(t, "vmalert", args...); err != nil {
		t.Errorf("vmalert %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// resourceName is what Kubernetes takes as a name (RFC 1123 subdomain).
var resourceName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)

// resources wants a custom resource in each file, whose spec the judge accepts: the operators hand it on as it is.
func resources(apiVersion, kind string, judge func(testing.TB, []string)) func(testing.TB, []string) {
	return func(t testing.TB, files []string) {
		t.Helper()
		var inner []string
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			docs, found := yamlsrc.Parse(f, b)
			if len(docs) != 1 || len(found) > 0 {
				t.Fatalf("%s: want one document, have %d: %v", f, len(docs), found)
			}
			top := fields(docs[0])
			if got := top["apiVersion"].Text() + " " + top["kind"].Text(); got != apiVersion+" "+kind {
				t.Errorf("%s: want %s %s, have %s", f, apiVersion, kind, got)
			}
			if name := fields(top["metadata"])["name"].Text(); !resourceName.MatchString(name) {
				t.Errorf("%s: %q is not a name for Kubernetes", f, name)
			}
			if len(top) != 4 || len(fields(top["spec"])) != 1 {
				t.Errorf("%s: want apiVersion, kind, metadata and spec, and groups in it, have %d fields", f, len(top))
			}
			_, spec, _ := strings.Cut(string(b), "\nspec:\n")
			inner = append(inner, write(t, t.TempDir(), filepath.Base(f), strings.ReplaceAll("\n"+spec, "\n  ", "\n")))
		}
		judge(t, inner)
	}
}

// fields returns the fields of a mapping by key.
func fields(v yamlsrc.Value) map[string]yamlsrc.Value {
	out := map[string]yamlsrc.Value{}
	all, _ := v.Fields()
	for _, f := range all {
		out[f.Name] = f.Value
	}
	return out
}
