package dashboards

import (
	"fmt"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// Rows that need telemetry, and the text that says what is left out.

// uses tells whether this telemetry is in use.
func (v *view) uses(source string) bool { return v.inUse[source] }

// section adds a row to d if the telemetry that it reads is in use, and notes it
// as missing otherwise.
func (v *view) section(d *page, source string, r row) {
	if v.uses(source) {
		d.rows = append(d.rows, r)
		return
	}
	s, ok := telemetry.Lookup(source)
	if !ok {
		panic("dashboards: there is no telemetry " + source)
	}
	for _, m := range d.missing {
		if m.Name == source {
			return
		}
	}
	d.missing = append(d.missing, s)
}

// leftOut ends d with what to enable for the rows that it does not have.
func leftOut(d *page) {
	if len(d.missing) == 0 {
		return
	}
	var b strings.Builder
	b.WriteString("Panels whose telemetry is not in use are left out. When it is there, name it under `telemetry` in the " +
		"DataSource of your specs and generate the dashboards again.\n\n| Not shown | `telemetry` | To have it |\n|---|---|---|\n")
	for _, s := range d.missing {
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", s.Title, s.Name, s.Enable)
	}
	d.rows = append(d.rows, row{id: 90, title: "Not shown here", panels: []panel{{
		kind: textKind, title: "What to enable", w: width, h: min(5+len(d.missing), 20), markdown: b.String(),
		description: "Telemetry that Plimsoll knows and that no data source of the specs names.",
	}}})
}

// mine returns the matcher that keeps the series of a metric to the chosen
// teams, or "" if its series do not say whose they are.
func (v *view) mine(metric string) string {
	if v.teamLabel || v.ofTeam[metric] {
		return labelPlatformTeam + `=~"$` + slo.LabelTeam + `"`
	}
	return ""
}

// labelPlatformTeam is the label of telemetry that says whose it is.
const labelPlatformTeam = "platform_team"

// figure is a number.
func figure(title, description, noValue, expr string, u unit, colors []threshold) panel {
	return panel{
		kind: statKind, title: title, description: description, w: 6, h: 4, unit: u, thresholds: colors,
		queries: []query{{expr: expr, legend: title, instant: true}}, noValue: noValue,
	}
}

// chart is lines over time.
func chart(title, description, noValue string, u unit, queries ...query) panel {
	return panel{
		kind: seriesKind, title: title, description: description, w: 12, h: 8, unit: u, noValue: noValue, min: new(0.0),
		thresholds: uncolored(), queries: queries,
	}
}

// bars is bars, one for each series at the end of the time range.
func bars(title, description, noValue string, u unit, q query) panel {
	q.instant = true
	return panel{
		kind: gaugesKind, title: title, description: description, w: 8, h: 8, unit: u, noValue: noValue, min: new(0.0),
		thresholds: uncolored(), queries: []query{q},
	}
}

// list is a table of the labels of one query and its value.
func list(title, description, noValue, expr string, value column, labels ...column) panel {
	value.of = "A"
	if value.unit == count { // increases are estimates, seldom whole
		expr = "round(" + expr + ")"
	}
	return panel{
		kind: tableKind, title: title, description: description, w: 12, h: 8, unit: plain, noValue: noValue,
		queries: []query{{expr: expr, instant: true}}, columns: append(labels, value), sortBy: value.title, mostFirst: true,
	}
}

// sized returns p with another size.
func (p panel) sized(w, h int) panel {
	p.w, p.h = w, h
	return p
}

// colored returns p with thresholds, drawn as lines where p is lines.
func (p panel) colored(colors []threshold) panel {
	p.thresholds, p.lines = colors, p.kind == seriesKind
	return p
}

// most is how many lines a picture has at most for each of its queries.
const most = 10

// top keeps the n series of expr that come highest (topk) or lowest (bottomk) in
// the time range. topk alone chooses anew at every step, so that a picture of a
// day may have hundreds of lines.
func top(op string, n int, expr string) string {
	over := map[string]string{"topk": "max_over_time", "bottomk": "min_over_time"}[op]
	return fmt.Sprintf("(%s) and %s(%d, %s((%s)[$__range:$__interval] @ end()))", expr, op, n, over, expr)
}

// perSecond returns the rate of a counter.
func perSecond(metric string, matchers ...string) string {
	return "rate(" + sel(metric, matchers...) + "[$__rate_interval])"
}

// inRange returns the increase of a counter in the time range of the page.
func inRange(metric string, matchers ...string) string { return grown("$__range", metric, matchers...) }

// grown returns the increase of a counter over a window, with the first value of
// series that began in it: increase alone never counts the first failure of a
// service. A series began if the metric was there before the window and the
// series was not for an hour; of a metric that was not there nothing is known.
func grown(window, metric string, matchers ...string) string {
	it := sel(metric, matchers...)
	rise := "increase(" + it + "[" + window + "])"
	born := fmt.Sprintf("(min_over_time(%s[%s]) unless last_over_time(%s[1h] offset %s) and on () group(%s offset %s))", it, window, it, window, metric, window)
	return fmt.Sprintf("((%s or 0 * %s) + (%s or 0 * %s))", rise, born, born, rise)
}

// quantiles returns a query for each of these quantiles of a histogram.
func quantiles(metric string, matchers []string, qs ...float64) []query {
	var out []query
	for _, q := range qs {
		out = append(out, query{expr: quantile(q, "le", perSecond(metric+"_bucket", matchers...)), legend: "p" + number(100*q)})
	}
	return out
}

// quantile returns a quantile of rates of buckets, by labels, of which one is le.
// Where nothing happened it has no value; histogram_quantile alone says NaN.
func quantile(q float64, by, rates string) string {
	return "histogram_quantile(" + number(q) + ", " + agg("sum", by, rates) + ") >= 0"
}
