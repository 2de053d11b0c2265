//go:build real

package realtest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	view "github.com/plimsoll-slo/plimsoll/rules/alertmanager"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// TestRoutes merges the parts of every spec of the repository into a configuration, and lets amtool judge it: it is a
// good one, each alert of each SLO goes to the receiver that the spec names, and everything else goes where it went.
func TestRoutes(t *testing.T) {
	all := [][]string{{"testdata/alertmanager"}, {"testdata/alertmanager", "testdata/mutes"}}
	for _, dir := range specs {
		all = append(all, []string{dir})
	}
	for _, dirs := range all {
		t.Run(strings.Join(dirs, " "), func(t *testing.T) {
			t.Parallel()
			set := compileDirs(t, dirs)
			config := merged(t, set, dirs, `
route:
  receiver: default
  routes:
    # pages of others, and of everything that comes this far
    - receiver: others
      matchers: [severity="page", team="others"]
receivers:
  - name: default
  - name: others
`)
			out := mustOutput(t, "amtool", "check-config", config)
			for _, want := range []string{"SUCCESS", fmt.Sprintf("%d receivers", 2+len(references(t, set))), "1 templates"} {
				if !strings.Contains(out, want) {
					t.Errorf("amtool check-config: want %q, have\n%s", want, out)
				}
			}
			goes := func(to string, labels ...string) {
				t.Helper()
				args := append([]string{"config", "routes", "test", "--config.file=" + config, "--verify.receivers=" + or(to, "default")}, labels...)
				if out, err := output(t, "amtool", args...); err != nil {
					t.Errorf("%q: want receiver %q, amtool says %v\n%s", labels, or(to, "default"), err, out)
				}
			}
			goes("others", "alertname=NodeDown", "severity=page", "team=others")
			goes("default", "alertname=NodeDown", "severity=page", "service=shop", "slo=shop-availability")
			for i := range set.SLOs {
				everyAlert(set, &set.SLOs[i], goes)
			}
		})
	}
}

// TestExampleConfiguration merges the example specs into the example configuration.
func TestExampleConfiguration(t *testing.T) {
	config, err := os.ReadFile("../../examples/platform-team/alertmanager.yml.example")
	if err != nil {
		t.Fatal(err)
	}
	out := mustOutput(t, "amtool", "check-config", merge(t, []string{"../../examples/platform-team"}, string(config)))
	if !strings.Contains(out, "SUCCESS") {
		t.Errorf("amtool check-config: %s", out)
	}
}

// everyAlert says where each alert of an SLO goes, by the specs alone.
func everyAlert(set *slo.Set, x *slo.SLO, goes func(to string, labels ...string)) {
	labels := []string{"slo=" + x.Name}
	for k, v := range x.SeriesLabels() {
		if !slices.Contains(x.GroupBy, k) {
			labels = append(labels, fmt.Sprintf("%s=%q", k, v))
		}
	}
	slices.Sort(labels)
	for _, l := range x.GroupBy {
		labels = append(labels, l+"=some")
	}
	with := func(more ...string) []string { return append(slices.Clone(labels), more...) }
	to := map[string]string{slo.Page: x.Owner.Page, slo.Ticket: x.Owner.Ticket}
	if x.Alerting.Page {
		goes(to[slo.Page], with("alertname="+slo.AlertBudgetBurn, "severity=page")...)
	}
	if x.Alerting.Ticket {
		goes(to[slo.Ticket], with("alertname="+slo.AlertBudgetBurn, "severity=ticket")...)
	}
	if n := x.NoData.Notify; n == slo.Page || n == slo.Ticket {
		goes(to[n], with("alertname="+slo.AlertNoData, "severity="+n, "reason="+slo.ReasonMetricGone)...)
	}
	if p, ok := set.Policy(x.Policy); ok {
		for _, e := range p.Escalations {
			goes(e.Notify, with("alertname="+slo.AlertEscalation, "severity="+slo.SeverityEscalation, fmt.Sprintf("notify=%q", e.Notify))...)
		}
	}
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// references returns the receivers that a set names.
func references(t testing.TB, set *slo.Set) []view.Reference {
	t.Helper()
	c, err := view.Generate(set, view.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Receivers
}

func compileDirs(t testing.TB, dirs []string) *slo.Set {
	t.Helper()
	files, l := slo.ReadFiles(dirs...)
	set, more := slo.Compile(files)
	if l.Failed() || more.Failed() {
		t.Fatalf("%s does not compile: %v %v", dirs, l, more)
	}
	return set
}

// merged writes a configuration that ends in receivers, gives it the receivers that the specs name, and lets plimsoll
// merge the specs into it. It returns its path.
func merged(t testing.TB, set *slo.Set, dirs []string, config string) string {
	t.Helper()
	for _, r := range references(t, set) {
		config += fmt.Sprintf("  - name: %q\n", r.Receiver)
	}
	return merge(t, dirs, config)
}

// merge writes a configuration and lets plimsoll merge the specs into it.
func merge(t testing.TB, dirs []string, config string) string {
	t.Helper()
	path := write(t, t.TempDir(), "alertmanager.yml", config)
	mustOutput(t, "plimsoll", append([]string{"alertmanager", "--config", path, "--write"}, dirs...)...)
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rest := string(after)
	for line := range strings.Lines(config) {
		_, more, found := strings.Cut(rest, line)
		if !found {
			t.Fatalf("the line %q is lost", line)
		}
		rest = more
	}
	if out := mustOutput(t, "plimsoll", append([]string{"alertmanager", "--config", path, "--exit-code"}, dirs...)...); out != "" {
		t.Fatalf("a second merge would change something:\n%s", out)
	}
	return path
}

// TestTemplates renders the templates as Alertmanager does, of an alert that wants to do harm and of one that has
// nothing.
func TestTemplates(t *testing.T) {
	glob := write(t, t.TempDir(), "plimsoll.tmpl", string(view.Templates()))
	data := write(t, t.TempDir(), "data.json", `{"status": "firing", "commonLabels": {"severity": "page", "slo": "shop"},
"alerts": [
  {"status": "firing", "labels": {"slo": "shop", "service": "<i>shop</i>"}, "annotations": {
    "summary": "<script>alert(1)</script>{{ .Status }}", "burn_rate": "14.4", "tier": "1h and 5m above 14.4", "budget_left": "63%",
    "time_to_exhaustion": "2h 5m 0s", "events": "12 bad of 500 in 1h",
    "runbook_url": "javascript:alert(1)", "dashboard_url": "https://grafana.example/?a=\"><script>"}},
  {"status": "resolved", "labels": {}, "annotations": {}}]}`)
	render := func(kind, name string) string {
		t.Helper()
		return mustOutput(t, "amtool", "template", "render", "--template.glob="+glob, "--template.type="+kind, "--template.data="+data,
			`--template.text={{ template "`+name+`" . }}`)
	}
	if got, want := strings.TrimSpace(render("text", "plimsoll.title")), "[PAGE] shop: 2 alerts"; got != want {
		t.Errorf("title: got %q, want %q", got, want)
	}
	text := render("text", "plimsoll.text")
	for _, want := range []string{"Burn rate: 14.4 (1h and 5m above 14.4)\n", "Budget left: 63%\n", "Spent in: 2h 5m 0s\n", "Events: 12 bad of 500 in 1h\n", "{{ .Status }}"} {
		if !strings.Contains(text, want) {
			t.Errorf("text: want %q in\n%s", want, text)
		}
	}
	html := render("html", "plimsoll.html")
	for _, bad := range []string{"<script", "<i>", `"javascript:`, "<no value>"} {
		if strings.Contains(html, bad) {
			t.Errorf("html: want no %q in\n%s", bad, html)
		}
	}
	if !strings.Contains(html, "<tr><td>Burn rate</td><td>14.4</td></tr>") {
		t.Errorf("html: want the burn rate in\n%s", html)
	}
}
