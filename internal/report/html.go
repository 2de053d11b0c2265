package report

import (
	_ "embed"
	"fmt"
	"html"
	"html/template"
	"io"
	"strings"
)

//go:embed report.html.tmpl
var htmlText string

//go:embed report.css
var css string

var htmlTemplate = template.Must(template.New("html").Funcs(template.FuncMap{
	"css":   func() template.CSS { return template.CSS(css) },
	"chart": func(r rowView) template.HTML { return template.HTML(chart(r)) },
}).Parse(htmlText))

// HTML writes r as one page without scripts that needs nothing else: for screens, phones and A4, light and dark.
func (r *Report) HTML(w io.Writer) error { return htmlTemplate.Execute(w, r.view()) }

// Class is how a verdict looks. The word stands beside it, so that nobody needs to see the colour.
func (r rowView) Class() string {
	switch r.Row.Verdict {
	case Met, Missed:
		return string(r.Row.Verdict)
	}
	return "unknown"
}

// Mark is the sign in front of a verdict.
func (r rowView) Mark() string {
	switch r.Row.Verdict {
	case Met:
		return "✓"
	case Missed:
		return "✗"
	}
	return "–"
}

// Width is the length of the bar in percent.
func (r rowView) Width() string { return fmt.Sprintf("%.1f", 100*r.Bar) }

// Silent counts the SLOs that were neither met nor missed.
func (v *view) Silent() int { return v.Tally.NoTraffic + v.Tally.NoTelemetry + v.Tally.NotEvaluated }

// Detailed tells whether a row has details.
func (v *view) Detailed(r rowView) bool {
	return v.Audience != "executive" || r.Row.Verdict != Met
}

// Begin and End are what the axis of time says.
func (v *view) Begin() string { return v.clock.at(v.Period.From) }
func (v *view) End() string   { return v.clock.at(v.Until) }

// groupTable is what the table of teams or services needs.
type groupTable struct {
	Head   string
	Groups []groupView
}

// Table joins a head and rows for the template.
func (v *view) Table(head string, groups []groupView) groupTable { return groupTable{head, groups} }

// Size of a chart, in units of its own.
const (
	chartWide = 600.0
	chartHigh = 100.0
)

// chart draws what was left of a budget: full at the top, spent at the dashed line, a debt below it in a line of another
// colour and width. A debt of more than a budget is cut.
func chart(r rowView) string {
	low := 0.0
	for _, m := range r.Trend {
		low = min(low, m.Left)
	}
	low = max(low, -1)
	y := func(left float64) float64 { return 2 + (chartHigh-4)*(1-max(left, low))/(1-low) }
	x := func(i int) float64 { return chartWide * float64(i) / float64(len(r.Trend)) }
	var above, below strings.Builder
	fmt.Fprintf(&above, "M0 %.1f", y(1))
	last, debt := 1.0, false
	for i, m := range r.Trend {
		fmt.Fprintf(&above, "L%.1f %.1f", x(i+1), y(max(m.Left, 0)))
		if m.Left < 0 {
			if !debt {
				fmt.Fprintf(&below, "M%.1f %.1f", x(i), y(min(last, 0)))
				debt = true
			}
			fmt.Fprintf(&below, "L%.1f %.1f", x(i+1), y(m.Left))
		} else {
			debt = false
		}
		last = m.Left
	}
	label := html.EscapeString(fmt.Sprintf("Budget of %s left over the period: from 100%% to %s", r.Name, r.Left))
	area := fmt.Sprintf("%sL%.0f %.1fL0 %.1fZ", above.String(), chartWide, y(0), y(0))
	return fmt.Sprintf(`<svg class="trend" viewBox="0 0 %.0f %.0f" preserveAspectRatio="none" role="img" aria-label="%s"><path class="area" d="%s"/><line class="axis" x1="0" x2="%.0f" y1="%.1f" y2="%.1f"/><line class="zero" x1="0" x2="%.0f" y1="%.1f" y2="%.1f"/><path class="line" vector-effect="non-scaling-stroke" d="%s"/><path class="debt" vector-effect="non-scaling-stroke" d="%s"/></svg>`,
		chartWide, chartHigh, label, area, chartWide, y(1), y(1), chartWide, y(0), y(0), above.String(), below.String())
}
