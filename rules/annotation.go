package rules

import (
	"fmt"
	"strings"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// annotations returns the annotations that every alert has. Summary and description are templates.
func (b *bundle) annotations(summary, description string) map[string]string {
	out := map[string]string{}
	for k, v := range b.slos[0].Alerting.Annotations {
		out[k] = escape(v)
	}
	out["summary"] = summary
	out["description"] = description
	out["runbook_url"] = askInfo("{{ .Labels." + slo.LabelRunbook + " }}")
	out["dashboard_url"] = askInfo("{{ .Labels." + slo.LabelDashboard + " }}")
	return out
}

// burnAnnotations returns the annotations of a burn alert. They are filled in by queries when it fires, so that what
// changes is never part of the alert's identity.
func (b *bundle) burnAnnotations(tiers []tier) map[string]string {
	out := b.annotations(
		"{{ $labels.slo }} burns its error budget {{ printf \"%.3g\" $value }} times as fast as it may"+b.groupText(),
		askInfo("{{ .Labels.title }} ({{ .Labels.objective }} over {{ .Labels.budget_window }})")+
			" burns its error budget {{ printf \"%.3g\" $value }} times as fast as it may.")
	if b.zero {
		out["summary"] = "{{ $labels.slo }} has bad events, and its objective is 100%" + b.groupText()
	}
	var windows, names []string
	for _, t := range tiers {
		w := b.windowLabel(t.Long)
		windows = append(windows, w)
		both := w
		if t.Short != t.Long {
			both += " and " + b.windowLabel(t.Short)
		}
		names = append(names, fmt.Sprintf("{{ if eq .Labels.window %q }}%s above %s{{ end }}", w, both, number(t.factor)))
	}
	in := "window=~\"" + strings.Join(windows, "|") + "\""
	out["tier"] = b.ask(slo.SeriesBurnRate, in, "{{ if eq .Value $value }}"+strings.Join(names, "")+"{{ end }}")
	out["burn_rate"] = `{{ printf "%.3g" $value }}`
	out["events"] = b.ask(slo.SeriesBadSum, inWindow(windows[0]), `{{ printf "%.0f" .Value }}`) + " bad of " +
		b.ask(slo.SeriesEventsSum, inWindow(windows[0]), `{{ printf "%.0f" .Value }}`) + " in " + windows[0]
	out["budget_left"] = b.ask(slo.SeriesBudgetRemaining, "", "{{ .Value | humanizePercentage }}")
	if !b.zero {
		out["time_to_exhaustion"] = b.exhaustion()
	}
	return out
}

// exhaustion is the budget left times the window over the burn rate.
func (b *bundle) exhaustion() string {
	return "{{ range query (printf `clamp_min(" + slo.SeriesBudgetRemaining + "{" + b.identityFormat() + "}, 0) * " +
		number(b.window.Length().Seconds()) + " / %f`" + b.identityArgs() + " $value) }}{{ if gt .Value 0.0 }}{{ .Value | humanizeDuration }}{{ else }}spent{{ end }}{{ end }}"
}

// ask is a template that queries a series of the alert's SLO and shows what each of its elements looks like.
func (b *bundle) ask(series, more, show string) string {
	if more != "" {
		more = "," + more
	}
	return "{{ range query (printf `" + series + "{" + b.identityFormat() + more + "}`" + b.identityArgs() + ") }}" + show + "{{ end }}"
}

// askInfo is a template that shows something of slo:info of the alert's SLO.
func askInfo(show string) string {
	return "{{ range query (printf `" + slo.SeriesInfo + "{slo=%q}` $labels.slo) }}" + show + "{{ end }}"
}

// identityFormat and identityArgs select the alert's own series in a printf.
func (b *bundle) identityFormat() string {
	out := "slo=%q"
	for _, l := range b.groupBy {
		out += "," + l + "=%q"
	}
	return out
}

func (b *bundle) identityArgs() string {
	out := " $labels.slo"
	for _, l := range b.groupBy {
		out += " $labels." + l
	}
	return out
}

// groupText names the group in a summary.
func (b *bundle) groupText() string {
	var out []string
	for _, l := range b.groupBy {
		out = append(out, l+" {{ $labels."+l+" }}")
	}
	if out == nil {
		return ""
	}
	return " (" + strings.Join(out, ", ") + ")"
}
