package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/history"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// intro says what is played and what is assumed.
func (p *play) intro(incidents int) {
	fmt.Fprintf(p.opts.Out, `GitHub's public incident history (%d incidents), replayed through the generated
rules on a virtual clock, %s to %s.

Assumed: %s;
traffic of %s.

`, incidents, start.Format("2006-01-02"), p.end.Format("2006-01-02"), history.DefaultModel(), history.DefaultTraffic())
}

// tick tells what happened at one time.
func (p *play) tick(ctx context.Context, t time.Time, events []engine.Event) error {
	if p.opts.Progress != nil && t.Unix()%(6*3600) == 0 {
		done := float64(t.Sub(start)) / float64(p.opts.Length)
		fmt.Fprintf(p.opts.Progress, "\r%s  %3.0f%%  %s ", bar(done), max(0, done)*100, t.Format("2006-01-02"))
	}
	var alerts []engine.Alert
	for _, e := range events {
		if e.Alert.Name != slo.AlertBudgetBurn {
			continue
		}
		p.tell(e)
		alerts = append(alerts, e.Alert)
	}
	if p.opts.Notify != nil && len(alerts) > 0 {
		return p.opts.Notify(ctx, alerts)
	}
	return nil
}

// clearProgress removes the progress line.
func (p *play) clearProgress() {
	if p.opts.Progress != nil {
		fmt.Fprint(p.opts.Progress, "\r\x1b[K")
	}
}

func bar(done float64) string {
	const width = 30
	out := make([]byte, width)
	for i := range out {
		out[i] = ' '
		if float64(i) < done*width {
			out[i] = '='
		}
	}
	return "[" + string(out) + "]"
}

// tell writes one line for a page, a ticket, or the end of one.
func (p *play) tell(e engine.Event) {
	r := p.byName[e.Alert.Labels[slo.LabelSLO]]
	if r == nil {
		return
	}
	p.clearProgress()
	severity := e.Alert.Labels[slo.LabelSeverity]
	when := e.At.Format("Mon 01-02 15:04:05")
	if e.Kind == engine.Fired {
		if severity == slo.Page {
			r.Pages++
		} else {
			r.Tickets++
		}
		fmt.Fprintf(p.opts.Out, "%s  %-8s  %-15s %s\n", when, word(severity), r.Component, p.cause(r.Component, e.At, severity))
		return
	}
	lasted := slo.Duration(e.At.Sub(e.Alert.FiredAt).Round(time.Second))
	fmt.Fprintf(p.opts.Out, "%s  %-8s  %-15s the %s ends after %s\n", when, "resolved", r.Component, severity, lasted)
}

func word(severity string) string {
	if severity == slo.Page {
		return "PAGE"
	}
	return "ticket"
}

// cause names the incident that is going on, and how far into it the alert
// came.
func (p *play) cause(component string, at time.Time, severity string) string {
	var last *history.Incident
	incidents := p.history.Incidents(component)
	for i := range incidents {
		if in := &incidents[i]; !in.Start.After(at) && (last == nil || in.Start.After(last.Start)) {
			last = in
		}
	}
	if last == nil {
		return ""
	}
	if at.Before(last.End.Add(5*time.Minute)) && severity == slo.Page {
		return fmt.Sprintf("%s into %q (%s)", slo.Duration(at.Sub(last.Start).Round(time.Second)), short(last.Title), last.Impact)
	}
	return fmt.Sprintf("the budget burns, last by %q", short(last.Title))
}

// short cuts a title that would not fit a line.
func short(title string) string {
	const most = 44
	if len(title) <= most {
		return title
	}
	return title[:strings.LastIndexByte(title[:most], ' ')] + " ..."
}

// Table writes the results for people.
func Table(w io.Writer, results []Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SLO\tobjective\toutages\tpages\ttickets\tbad events\tbudget left\ttruth\terror")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d of %d\t%.2f%%\t%.2f%%\t%.2f points\n", r.SLO.Title(), r.SLO.Objective.Percent(), r.Outages, r.Pages, r.Tickets,
			r.Bad, r.Total, 100*r.BudgetLeft, 100*r.TruthLeft, 100*(r.BudgetLeft-r.TruthLeft))
	}
	return t.Flush()
}
