package packs_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/coverage"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/onboarding"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
	"github.com/plimsoll-slo/plimsoll/exporters/policy"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/internal/packs"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// external are the metrics of others that packs read, with those labels that they use, by where they are documented.
func external() map[string]map[string]string {
	return map[string]map[string]string{
		// https://kubernetes.io/docs/reference/instrumentation/metrics/
		"kube-apiserver": {
			"apiserver_request_total":                       "verb resource dry_run code",
			"apiserver_request_sli_duration_seconds_bucket": "verb resource le",
			"apiserver_request_sli_duration_seconds_count":  "verb resource",
		},
		// https://github.com/kubernetes/kube-state-metrics/tree/main/docs
		"kube-state-metrics": {
			"kube_node_info":                                       "node",
			"kube_node_status_condition":                           "node condition status",
			"kube_pod_status_phase":                                "phase",
			"kube_horizontalpodautoscaler_status_current_replicas": "",
			"kube_horizontalpodautoscaler_spec_max_replicas":       "",
		},
		// https://opentelemetry.io/docs/collector/internal-telemetry/
		"OpenTelemetry Collector": {
			"otelcol_receiver_accepted_metric_points":    "",
			"otelcol_receiver_refused_metric_points":     "",
			"otelcol_receiver_accepted_log_records":      "",
			"otelcol_receiver_refused_log_records":       "",
			"otelcol_exporter_queue_size":                "",
			"otelcol_exporter_queue_capacity":            "",
			"otelcol_exporter_sent_metric_points":        "",
			"otelcol_exporter_send_failed_metric_points": "",
		},
		// https://developer.hashicorp.com/vault/docs/internals/telemetry/metrics/core-system
		"Vault": {"vault_core_handle_request_count": ""},
	}
}

// declared returns the labels of every series that our exporters declare, and of those above, by name.
func declared(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, of := range external() {
		for name, labels := range of {
			out[name] = strings.Fields(labels)
		}
	}
	for _, f := range append(counters.Families(domains()...), cost.Families(nil)...) {
		var labels []string
		for _, a := range f.Attributes {
			labels = append(labels, strings.ReplaceAll(a, ".", "_"))
		}
		name := f.PrometheusName()
		if f.Kind == metric.Histogram {
			out[name+"_bucket"], out[name+"_count"], out[name+"_sum"] = append(slices.Clone(labels), "le"), labels, labels
			continue
		}
		out[name] = labels
	}
	return out
}

// histograms returns how the bounds of our histograms are matched, by the name of their buckets.
func histograms() map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, f := range counters.Families(domains()...) {
		if f.Kind == metric.Histogram {
			bounds := map[string]bool{}
			for _, b := range f.Bounds {
				bounds[fmt.Sprintf("%[1]v|%[1]v[.]0", strconv.FormatFloat(b, 'f', -1, 64))] = true
			}
			out[f.PrometheusName()+"_bucket"] = bounds
		}
	}
	return out
}

// domains are those that declare what they count.
func domains() []counters.Domain {
	return []counters.Domain{
		pipelines.New(pipelines.Options{}), secrets.New(secrets.Options{}), incidents.New(incidents.Options{}),
		onboarding.New(onboarding.Options{}), policy.New(policy.Options{}), coverage.New(coverage.Options{}, &coverage.Inventory{}),
		platformapi.New(platformapi.Options{}),
	}
}

// TestDeclared wants every metric and label that a pack reads to be one that an exporter declares.
func TestDeclared(t *testing.T) {
	known, used := declared(t), map[string]bool{}
	for _, p := range packs.All() {
		set, found := slo.Compile(specsOf(t, p.Name))
		if set == nil {
			t.Fatal(found)
		}
		groups, err := rules.Generate(set, rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range groups {
			for _, r := range g.Rules {
				e, problems := promql.Parse(r.Expr)
				if len(problems) > 0 {
					t.Fatal(r.Expr, problems)
				}
				for _, s := range e.Selectors() {
					if strings.HasPrefix(s.Name, "slo:") || slices.Contains([]string{"", "ALERTS", "up"}, s.Name) { // what rules read by themselves
						continue
					}
					used[s.Name] = true
					labels, ok := known[s.Name]
					if !ok {
						t.Errorf("pack %s reads %s, which nobody declares", p.Name, s.Name)
					}
					for _, m := range s.Matchers {
						if ok && !slices.Contains(labels, m.Name) {
							t.Errorf("pack %s reads the label %s of %s, which has %v", p.Name, m.Name, s.Name, labels)
						}
						if bounds := histograms()[s.Name]; m.Name == "le" && bounds != nil && !bounds[m.Value] {
							t.Errorf("pack %s reads the bound %s of %s, which has none such", p.Name, m.Value, s.Name)
						}
					}
				}
			}
		}
	}
	for source, of := range external() {
		for name := range of {
			if !used[name] {
				t.Errorf("no pack reads %s of %s", name, source)
			}
		}
	}
}

// word is what looks like a metric or label of ours in a text.
var word = regexp.MustCompile(`\b(?:cicd|vcs|deployment|secret|incident|policy|platform|cost|http)_[a-z_0-9]+\b`)

// TestNames wants what READMEs, runbooks and the labels of aggregations name to exist.
func TestNames(t *testing.T) {
	words := map[string]bool{"platform_events": true, "platform_coverage": true, "platform_users": true, "platform_agents": true}
	for name, labels := range declared(t) {
		words[name], words[strings.TrimSuffix(name, "_bucket")] = true, true
		for _, l := range labels {
			words[l] = true
		}
	}
	for _, p := range packs.All() {
		files, err := p.Files()
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range slices.Sorted(maps.Keys(files)) {
			for _, w := range word.FindAllString(string(files[file]), -1) {
				if !words[w] {
					t.Errorf("%s/%s names %s, which does not exist", p.Name, file, w)
				}
			}
		}
		for line := range strings.SplitSeq(string(files["runbook.md"]), "\n") {
			if query, ok := strings.CutPrefix(line, "       "); ok {
				if _, problems := promql.Parse(query); len(problems) > 0 {
					t.Errorf("%s/runbook.md: %s: %v", p.Name, query, problems)
				}
			}
		}
	}
}
