package rules

import (
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// slothWindows are the windows for which Sloth records error ratios, besides that of the budget.
func slothWindows() []time.Duration {
	const m, h = time.Minute, time.Hour
	return []time.Duration{5 * m, 30 * m, h, 2 * h, 6 * h, 24 * h, 72 * h}
}

// slothLabels are the labels by which Sloth's dashboards find an SLO.
func slothLabels() []string { return []string{"sloth_id", "sloth_service", "sloth_slo"} }

// withSloth returns labels and those of Sloth, if they are wanted. Sloth calls an SLO by its service and its name.
func (b *bundle) withSloth(x *slo.SLO, labels map[string]string) map[string]string {
	if !b.opts.SlothNames {
		return labels
	}
	out := clone(labels)
	out["sloth_id"], out["sloth_service"], out["sloth_slo"] = x.Service+"-"+x.Name, x.Service, x.Name
	return out
}

// slothRules record what Sloth records, under Sloth's names and labels and, beyond those, our own. The values are
// ours: the ratio of the 30 days is weighted by traffic, and there is none without traffic, where Sloth has NaN.
// Source: Sloth v0.16, the default SLO plugins.
func (b *bundle) slothRules(p pace) []Rule {
	if !b.opts.SlothNames {
		return nil
	}
	named := func(expr string) string {
		return expr + "\n* on (slo) group_left (" + strings.Join(slothLabels(), ", ") + ")\n  " + b.match(slo.SeriesInfo)
	}
	ratio := func(window string) Rule {
		in := inWindow(window)
		return Rule{
			Record: "slo:sli_error:ratio_rate" + window, Labels: map[string]string{"sloth_window": window},
			Expr: named(b.match(slo.SeriesBadSum, in) + "\n/ (" + b.match(slo.SeriesEventsSum, in) + " > 0)"),
		}
	}
	var out []Rule
	for _, w := range slothWindows() {
		if p == fast && slices.Contains(b.fastW, w) || p == slow && slices.Contains(b.slowW, w) {
			out = append(out, ratio(duration(w)))
		}
	}
	if p == fast {
		return append(out, Rule{Record: "slo:current_burn_rate:ratio", Expr: named(b.in(slo.SeriesBurnRate, slothWindows()[0]))})
	}
	info := b.match(slo.SeriesInfo)
	days := number(b.window.Length().Hours() / 24)
	return append(out, ratio(b.periodLabel()),
		Rule{Record: "slo:period_burn_rate:ratio", Expr: named(b.match(slo.SeriesBurnRate, inWindow(b.periodLabel())))},
		Rule{Record: "slo:period_error_budget_remaining:ratio", Expr: named(b.match(slo.SeriesBudgetRemaining))},
		Rule{Record: "slo:time_period:days", Expr: days + " * " + info},
		Rule{Record: "sloth_slo_info", Expr: info, Labels: map[string]string{"sloth_mode": "plimsoll", "sloth_spec": slo.APIVersion}})
}
