package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
)

// slothService is the service of Sloth's spec, which its labels carry.
const slothService = "bench"

// slothQueries returns the queries of Sloth's spec for one SLO over a window.
func slothQueries(service, window string) (bad, total string) {
	b, t := selectors(service)
	return "sum(rate(" + b + "[" + window + "]))", "sum(rate(" + t + "[" + window + "]))"
}

// slothFile returns the rules that the program at path generates from a spec equal to ours.
func slothFile(path string, services []string) (engine.RuleFile, error) {
	var spec bytes.Buffer
	fmt.Fprintf(&spec, "version: prometheus/v1\nservice: %s\nslos:\n", slothService)
	for _, s := range services {
		bad, total := slothQueries(s, "{{.window}}")
		fmt.Fprintf(&spec, `  - name: %s
    objective: 99.9
    sli:
      events:
        error_query: %s
        total_query: %s
    alerting:
      name: SLOBudgetBurn
      page_alert: {labels: {severity: page}}
      ticket_alert: {labels: {severity: ticket}}
`, s, bad, total)
	}
	dir, err := os.MkdirTemp("", "plimsoll-bench-*")
	if err != nil {
		return engine.RuleFile{}, err
	}
	defer os.RemoveAll(dir)
	in, out := filepath.Join(dir, "spec.yaml"), filepath.Join(dir, "rules.yaml")
	if err := os.WriteFile(in, spec.Bytes(), 0o644); err != nil {
		return engine.RuleFile{}, err
	}
	if talk, err := exec.Command(path, "generate", "-i", in, "-o", out).CombinedOutput(); err != nil {
		return engine.RuleFile{}, fmt.Errorf("run %q generate: %w: %.300s", path, err, talk)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return engine.RuleFile{}, err
	}
	for _, s := range services {
		bad, total := slothQueries(s, "5m")
		if !bytes.Contains(text, []byte("("+bad+")")) || !bytes.Contains(text, []byte("("+total+")")) {
			return engine.RuleFile{}, fmt.Errorf("the rules of Sloth for %q do not contain %s", s, total)
		}
	}
	return engine.RuleFile{Name: "sloth.yaml", Content: text}, nil
}

// slothHistory records the 5m error ratio of the whole month, as Sloth's first rule would have at every tick.
func (m *month) slothHistory(ctx context.Context) error {
	for _, s := range m.services {
		bad, total := slothQueries(s, "5m")
		err := m.record(ctx, "slo:sli_error:ratio_rate5m", "("+bad+") / ("+total+")", map[string]string{
			"sloth_id": slothService + "-" + s, "sloth_service": slothService, "sloth_slo": s, "sloth_window": "5m",
		}, tick, 0)
		if err != nil {
			return err
		}
	}
	return nil
}

// pyrraGroups returns the rules of Pyrra's shape for an SLO of kind ratio over 30 days: the increase over the window
// by the labels that only the errors select, the burn rates of eight windows scaled from those for 28 days, four
// alerts and the alert of absence, with the intervals that Pyrra sets. They are written from its source
// (github.com/pyrra-dev/pyrra, slo/rules.go), not by its program.
func pyrraGroups(services []string) []ruleGroup {
	tiers := []struct {
		long, short, wait time.Duration // for 28 days
		factor            int
	}{
		{time.Hour, 5 * time.Minute, 2 * time.Minute, 14},
		{6 * time.Hour, 30 * time.Minute, 15 * time.Minute, 7},
		{24 * time.Hour, 2 * time.Hour, time.Hour, 2},
		{4 * 24 * time.Hour, 6 * time.Hour, 3 * time.Hour, 1},
	}
	scaled := func(d time.Duration) string { return promql.FormatDuration((d * 30 / 28).Round(time.Minute)) }
	var out []ruleGroup
	for _, s := range services {
		labels := map[string]string{"slo": s, "job": s}
		bad, total := selectors(s)
		burn := ruleGroup{Name: s, Interval: "30s"}
		for _, d := range []time.Duration{tiers[0].short, tiers[1].short, tiers[0].long, tiers[2].short, tiers[1].long, tiers[2].long, tiers[3].long} {
			w := scaled(d)
			burn.Rules = append(burn.Rules, rule{
				Record: "http_requests:burnrate" + w, Labels: labels,
				Expr: fmt.Sprintf("sum(rate(%s[%s])) / sum(rate(%s[%s]))", bad, w, total, w),
			})
		}
		for _, x := range tiers {
			above := fmt.Sprintf("{job=%q,slo=%q} > (%d * (1-%v))", s, s, x.factor, objective)
			burn.Rules = append(burn.Rules, rule{
				Alert: "ErrorBudgetBurn", For: scaled(x.wait),
				Expr:   "http_requests:burnrate" + scaled(x.short) + above + " and http_requests:burnrate" + scaled(x.long) + above,
				Labels: map[string]string{"slo": s, "job": s, "short": scaled(x.short), "long": scaled(x.long)},
			})
		}
		out = append(out, burn, ruleGroup{Name: s + "-increase", Interval: "150s", Rules: []rule{
			{Record: "http_requests:increase30d", Expr: "sum by (code) (increase(" + total + "[30d]))", Labels: labels},
			{Alert: "SLOMetricAbsent", Expr: "absent(" + total + ") == 1", For: "3m", Labels: labels},
		}})
	}
	return out
}

// workbookGroups returns the rules of The Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate
// Alerts". They have no budget.
func workbookGroups(services []string) []ruleGroup {
	var out []ruleGroup
	for _, s := range services {
		bad, total := selectors(s)
		g := ruleGroup{Name: s, Interval: "30s"}
		for _, w := range []string{"5m", "30m", "1h", "2h", "6h", "1d", "3d"} {
			g.Rules = append(g.Rules, rule{
				Record: "job:slo_errors_per_request:ratio_rate" + w,
				Expr:   fmt.Sprintf("sum by (job) (rate(%s[%s])) / sum by (job) (rate(%s[%s]))", bad, w, total, w),
			})
		}
		leg := func(long, short, factor string) string {
			above := fmt.Sprintf("{job=%q} > (%s*%.3f)", s, factor, 1-objective)
			return "(job:slo_errors_per_request:ratio_rate" + long + above + " and job:slo_errors_per_request:ratio_rate" + short + above + ")"
		}
		g.Rules = append(g.Rules,
			rule{Alert: "SLOBudgetBurn", Expr: leg("1h", "5m", "14.4") + " or " + leg("6h", "30m", "6"), Labels: map[string]string{"severity": "page"}},
			rule{Alert: "SLOBudgetBurn", Expr: leg("1d", "2h", "3") + " or " + leg("3d", "6h", "1"), Labels: map[string]string{"severity": "ticket"}})
		out = append(out, g)
	}
	return out
}
