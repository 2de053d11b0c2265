package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/burnrate"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// alertRules returns the burn alerts that stand in one of the groups: one alert for each severity, whose labels are
// the same whichever tier fires, and one for each escalation.
func (b *bundle) alertRules(p pace) []Rule {
	var out []Rule
	for _, severity := range []string{slo.Page, slo.Ticket} {
		if paceOf(severity) != p {
			continue
		}
		if r, ok := b.severityAlert(severity); ok {
			out = append(out, r)
		}
	}
	for _, t := range b.tiers {
		if t.severity == slo.SeverityEscalation && paceOf(t.severity) == p {
			r := b.burnAlert(slo.AlertEscalation, t.severity, []tier{t}, []string{b.leg(t)})
			r.Labels[slo.LabelNotify] = escape(t.notify)
			out = append(out, r)
		}
	}
	return out
}

// severityAlert returns the burn alert of a severity. A page needs the second signal of its SLO, if that wants one; what
// is held back for it is a ticket.
func (b *bundle) severityAlert(severity string) (r Rule, ok bool) {
	some, tiers := b.alerting(severity), b.tiersOf(severity)
	var legs []string
	if len(some.slos) > 0 {
		legs = some.legs(tiers)
	}
	held := b.alerting(slo.Ticket).alerting(slo.Page)
	held.slos = slices.DeleteFunc(held.slos, func(x *slo.SLO) bool { return x.Alerting.PageWhen == "" })
	if severity == slo.Ticket && len(held.slos) > 0 {
		urgent := b.tiersOf(slo.Page)
		for i := range urgent {
			urgent[i].severity = slo.Ticket
		}
		for _, leg := range held.legs(urgent) {
			legs = append(legs, leg+"\nand on (slo)\n  "+held.match(seriesPageHeld))
		}
		tiers = append(tiers, urgent...)
	}
	if len(legs) == 0 {
		return Rule{}, false
	}
	r = some.burnAlert(slo.AlertBudgetBurn, severity, tiers, legs)
	if severity == slo.Page && slices.ContainsFunc(some.slos, func(x *slo.SLO) bool { return x.Alerting.PageWhen != "" }) {
		r.Expr = "(\n" + indent(r.Expr, 2) + "\n)\nunless on (slo)\n  " + some.match(seriesPageHeld)
	}
	return r, true
}

// tiersOf returns the tiers of a severity.
func (b *bundle) tiersOf(severity string) []tier {
	return slices.DeleteFunc(slices.Clone(b.tiers), func(t tier) bool { return t.severity != severity })
}

func (b *bundle) legs(tiers []tier) (legs []string) {
	for _, t := range tiers {
		legs = append(legs, b.leg(t))
	}
	return legs
}

// alerting returns b with only those SLOs that want alerts of the severity.
func (b *bundle) alerting(severity string) *bundle {
	out := *b
	out.slos = slices.DeleteFunc(slices.Clone(b.slos), func(x *slo.SLO) bool {
		return severity == slo.Page && !x.Alerting.Page || severity == slo.Ticket && !x.Alerting.Ticket
	})
	return &out
}

// burnAlert returns an alert that fires where one of the legs does and there is evidence; tiers are those of the legs.
func (b *bundle) burnAlert(name, severity string, tiers []tier, legs []string) Rule {
	parts := make([]string, len(legs))
	for i, leg := range legs {
		parts[i] = "(\n" + indent(leg, 2) + "\n)"
	}
	fires := union(parts)
	if e := b.evidence(tiers); e != "" {
		fires = "(\n" + indent(fires, 2) + "\n)\nand on (" + b.identity() + ", " + slo.LabelWindow + ")\n  " + e
	}
	return Rule{
		Alert: name, Expr: b.unlessMuted("max without (window) (\n" + indent(fires, 2) + "\n)"),
		Labels: b.alertLabels(severity), Annotations: b.burnAnnotations(tiers),
	}
}

// leg is the burn rate of the long window where the tier fires if there is evidence: together they are
// burnrate.Tier.Fires.
func (b *bundle) leg(t tier) string {
	on := "on (" + b.identity() + ")"
	above := " > " + b.limit(t)
	out := b.in(slo.SeriesBurnRate, t.Long) + above
	if t.Short != t.Long {
		out += "\nand " + on + "\n  " + b.in(slo.SeriesBurnRate, t.Short) + above
	}
	if t.Recovery == 0 {
		return out
	}
	out += "\nand " + on + "\n  (" + b.in(slo.SeriesBurnRate, t.Recovery) + above + "\n   or " + on + " " + b.firing(t.severity) + ")"
	if !b.zero && b.shape != spend {
		budget := b.match(slo.SeriesErrorBudget)
		half := "0.5 * clamp_max(" + number(t.factor) + " * " + budget + ", " + number(t.Cap) + ")"
		out += fmt.Sprintf("\nunless %s\n  sqrt(%s * on (slo) group_left () (%s))\n  - sqrt(%s) > %s", on,
			b.in(slo.SeriesEventsSum, t.Recovery), half, b.in(slo.SeriesBadSum, t.Recovery), number(burnrate.AnscombeC))
	}
	return out
}

// firing selects the alerts of a severity that fired at the evaluation before: the recovery window begins an alert
// only by burning itself, but ends one only by proving recovery.
func (b *bundle) firing(severity string) string {
	return b.match("ALERTS", equals("alertname", slo.AlertBudgetBurn), equals("alertstate", "firing"), equals(slo.LabelSeverity, severity))
}

// limit is the right side of a comparison with a burn rate: the factor of the tier, or, where that is more than the
// cap on error ratios allows, the burn rate of the cap.
func (b *bundle) limit(t tier) string {
	for _, x := range b.slos {
		if t.factor*x.Budget.Float() > t.Cap {
			return "on (slo) group_left () clamp_max(" + number(t.Cap) + " / " + b.match(slo.SeriesErrorBudget) + ", " + number(t.factor) + ")"
		}
	}
	return number(t.factor)
}

// in returns the selector of a series over the window w.
func (b *bundle) in(series string, w time.Duration) string {
	return b.match(series, inWindow(b.windowLabel(w)))
}

// windowLabel returns the value of LabelWindow under which a window is recorded.
func (b *bundle) windowLabel(w time.Duration) string {
	if b.window.Calendar == "" && w == b.window.Length() {
		return b.periodLabel()
	}
	return duration(w)
}

// evidence compares the bad events of the long windows of tiers with those that the budget allows, which are bad/burn,
// as package burnrate does, for all windows at once. Without a budget every bad event is evidence; money is never chance.
func (b *bundle) evidence(tiers []tier) string {
	var windows []string
	for _, t := range tiers {
		if w := b.windowLabel(t.Long); !slices.Contains(windows, w) {
			windows = append(windows, w)
		}
	}
	in := inWindow(windows[0])
	if len(windows) > 1 {
		in = slo.LabelWindow + "=~" + strconv.Quote(strings.Join(windows, "|"))
	}
	bad, burn := b.match(slo.SeriesBadSum, in), b.match(slo.SeriesBurnRate, in)
	e := b.prof.Evidence
	switch {
	case b.shape == spend:
		return ""
	case e.Test == "minBad":
		return fmt.Sprintf("%s >= %d", bad, e.MinBad)
	case b.zero:
		return ""
	case e.Test == "sqrt":
		return fmt.Sprintf("sqrt(%s)\n  * (1 - 1 / sqrt(%s)) > %s", bad, burn, quantile(e.Z()/2))
	case e.Test == "poisson":
		return fmt.Sprintf("clamp_min(1 - 1 / (9 * %s)\n    - %s / sqrt(%s), 0) ^ 3\n  * %s > 1", bad, quantile(e.Z()/3), bad, burn)
	}
	return ""
}

// alertLabels returns the labels of an alert besides those of its series.
func (b *bundle) alertLabels(severity string) map[string]string {
	out := map[string]string{}
	for k, v := range b.slos[0].Alerting.Labels {
		if !reserved(k) && !slices.Contains(b.groupBy, k) {
			out[k] = escape(v)
		}
	}
	out[slo.LabelSeverity] = severity
	return out
}

// escape makes text that Prometheus' templates leave as it is.
func escape(text string) string { return strings.ReplaceAll(text, "{{", `{{ "{{" }}`) }

// noDataRules tell of missing telemetry. No traffic is not missing telemetry: the counters are still there.
func (b *bundle) noDataRules() []Rule {
	if b.noData.Notify != slo.Page && b.noData.Notify != slo.Ticket {
		return nil
	}
	rule := func(state int, reason string, after time.Duration, summary, description string) Rule {
		r := Rule{
			Alert: slo.AlertNoData, Expr: b.unlessMuted(fmt.Sprintf("%s == %d", b.match(slo.SeriesTelemetry), state)), For: after,
			Labels: b.alertLabels(b.noData.Notify), Annotations: b.annotations(summary, description),
		}
		r.Labels[slo.LabelReason] = reason
		return r
	}
	after := time.Duration(cmp.Or(b.noData.After, slo.Duration(10*time.Minute)))
	return []Rule{
		rule(slo.TelemetryNone, slo.ReasonNoTelemetry, after,
			"No telemetry for {{ $labels.slo }}",
			"The series that SLO {{ $labels.slo }} is measured by have been away for more than "+duration(after)+
				", and no target that could have them is scraped. Whether the service works is not known."),
		rule(slo.TelemetryTarget, slo.ReasonMetricGone, max(after, metricGone),
			"The metric of {{ $labels.slo }} is gone",
			"The targets of SLO {{ $labels.slo }} are scraped, but have had no series of its SLI for more than "+
				duration(max(after, metricGone))+". There was no traffic at all, or the metric has another name now."),
	}
}

// metricGone is how long a target may be scraped without showing the metric. Counters appear with the first event
// after a restart, so that quiet services have none for hours.
const metricGone = 24 * time.Hour
