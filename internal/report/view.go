package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// view is a report in words: what Markdown and HTML have in common.
type view struct {
	*Report
	Name                  string // of the period
	Lines                 []string
	Warnings              []string
	Rows                  []rowView
	Details               []rowView
	Top                   []incidentView
	More                  int // incidents that are not in Top
	TeamRows, ServiceRows []groupView
	Money                 []costView
	Changes               []adjustmentView
	Definitions           []string
	clock                 clock
	titles                map[string]string
	incidents             map[string][]*Incident // by SLO
}

// topIncidents is how many incidents are listed for all SLOs together; each SLO lists its own as well.
const topIncidents = 20

type rowView struct {
	Row
	ID, Name, Verdict, Reached, Goal, Promise  string
	Spent, Left, Used, Change                  string
	Owner, Measured, Spark, Gone, Counted, Why string
	Beside                                     [][4]string // what, without adjustments, with, before
	List                                       []incidentView
	Bar                                        float64 // part of the budget left, 0 to 1
	Known                                      bool
}

type incidentView struct {
	Rank                                          int
	Name, From, Lasted, Bad, Peak, Spent, Of, Who string
}

type groupView struct{ Name, SLOs, Met, Missed, Unknown, Incidents, Lowest string }

type costView struct {
	Name    string
	Rows    [][2]string
	Unknown bool
}

type adjustmentView struct{ Name, Type, When, SLOs, Reason string }

func (r *Report) view() *view {
	v := &view{Report: r, Name: r.Period.String(), clock: clock{r.Period.location()}}
	v.head()
	v.titles, v.incidents = map[string]string{}, map[string][]*Incident{}
	for i := range r.SLOs {
		v.titles[r.SLOs[i].SLO] = r.SLOs[i].Title
	}
	for i := range r.Incidents {
		v.incidents[r.Incidents[i].SLO] = append(v.incidents[r.Incidents[i].SLO], &r.Incidents[i])
	}
	for i := range r.SLOs {
		row := v.row(&r.SLOs[i])
		v.Rows = append(v.Rows, row)
		if r.Audience != "executive" || r.SLOs[i].Verdict != Met {
			v.Details = append(v.Details, row)
		}
	}
	for i := range r.Incidents {
		if i < topIncidents {
			v.Top = append(v.Top, v.incident(i, &r.Incidents[i]))
		}
	}
	v.More = len(r.Incidents) - len(v.Top)
	v.TeamRows, v.ServiceRows = groupViews(r.Teams, "(no team)"), groupViews(r.Services, "")
	for _, c := range r.Costs {
		v.Money = append(v.Money, costOf(c))
	}
	for _, a := range r.Adjustments {
		v.Changes = append(v.Changes, v.adjustment(a))
	}
	v.Definitions = definitions(r)
	return v
}

// head says what the report is about and how complete it is.
func (v *view) head() {
	r := v.Report
	days := strings.TrimSuffix(round(decimal(r.Period.length().Hours()/24), 2, false), ".00")
	v.Lines = append(v.Lines, fmt.Sprintf("%s to %s, %s days; times are those of %s", v.clock.at(r.Period.From), v.clock.at(r.Period.To), days, r.Period.Zone))
	t := r.Tally
	v.Lines = append(v.Lines, fmt.Sprintf("%s: %d met, %d missed%s", plural(t.SLOs, "SLO"), t.Met, t.Missed, silentWords(t)))
	if !r.Over {
		part := Percent(float64(r.Until.Sub(r.Period.From))/float64(r.Period.length()), 0, false)
		v.Warnings = append(v.Warnings, fmt.Sprintf("The period is not over: these are the numbers until %s, %s of it. They will change.", v.clock.at(r.Until), part))
	}
	if t.Partly > 0 {
		v.Warnings = append(v.Warnings, fmt.Sprintf("%s had telemetry for less than %s of the time. What was not measured does not count.", plural(t.Partly, "SLO"), Percent(Whole, 0, false)))
	}
}

func silentWords(t Tally) string {
	s := ""
	for _, x := range []struct {
		n int
		v Verdict
	}{{t.NoTraffic, NoTraffic}, {t.NoTelemetry, NoTelemetry}, {t.NotEvaluated, NotEvaluated}} {
		if x.n > 0 {
			s += fmt.Sprintf(", %d %s", x.n, verdictWords(x.v))
		}
	}
	return s
}

// row puts a row into words.
func (v *view) row(r *Row) rowView {
	out := rowView{
		Row: *r, ID: rowID(r), Name: r.Title, Verdict: verdictWords(r.Verdict), Goal: r.Objective.Percent(), Owner: r.Service, Promise: r.Objective.Percent() + " of the " + r.Unit,
		Reached: "-", Spent: "-", Left: "-", Used: "-", Change: "-", Known: measured(r.Verdict),
	}
	if len(r.Group) > 0 {
		out.Name += " (" + groupText(r.Group) + ")"
	}
	if r.Team != "" {
		out.Owner += ", " + r.Team
	}
	if r.Kind == "spend" {
		out.Goal, out.Promise = "a budget", "the budget"
	}
	out.Measured = fmt.Sprintf("telemetry %s of the time, rules ran %s", Percent(r.Telemetry, 1, false), Percent(r.Evaluated, 1, false))
	out.Counted = v.counted(r)
	out.Why = why(r)
	if !out.Known {
		return out
	}
	if r.Kind != "spend" && r.SLI != nil {
		out.Reached = reached(*r.SLI, r.Objective, r.Verdict)
	}
	if r.Numbers.Spent == nil {
		out.Left = "none allowed"
	} else {
		out.Spent, out.Left, out.Bar = spent(*r.Numbers.Spent), left(*r.Numbers.Left), min(max(*r.Numbers.Left, 0), 1)
		out.Change = change(r)
	}
	if m := r.Minutes; m != nil {
		out.Used = fmt.Sprintf("%s of %s", seconds(m.Spent, true), seconds(m.Allowed, false))
	}
	out.Spark = blocks(r.Trend)
	for _, m := range r.Trend {
		if m.Left < 0 {
			out.Gone = v.clock.at(m.At)
			break
		}
	}
	out.Beside = beside(r)
	for _, in := range v.incidents[r.SLO] {
		if compareGroups(in.Group, r.Group) == 0 {
			out.List = append(out.List, v.incident(len(out.List), in))
		}
	}
	return out
}

func rowID(r *Row) string {
	id := "slo-" + r.SLO
	for _, part := range strings.Fields(groupText(r.Group)) {
		id += "-" + fmt.Sprintf("%x", part)
	}
	return id
}

func change(r *Row) string {
	switch {
	case r.Previous == nil || r.Previous.Spent == nil:
		return "not known before"
	case r.Before < Whole:
		return fmt.Sprintf("only %s known before", Percent(r.Before, 1, false))
	case r.Previous.Events == 0:
		return "no events before"
	}
	return points(*r.Numbers.Spent - *r.Previous.Spent)
}

// counted says how many there were.
func (v *view) counted(r *Row) string {
	if r.Kind == "spend" {
		return fmt.Sprintf("%s %s spent of %s", money(r.Bad, true), r.Unit, money(r.Allowed, false))
	}
	return fmt.Sprintf("%s %s bad of %s; %s allowed", number(r.Bad, true), r.Unit, number(r.Events, false), number(r.Allowed, false))
}

// why says what a verdict without numbers means.
func why(r *Row) string {
	switch r.Verdict {
	case NoTraffic:
		return "There was telemetry, and nothing happened that could be good or bad. The objective was neither met nor missed."
	case NoTelemetry:
		return "The rules were evaluated, but there was nothing to measure: no series of the SLI. Whether the service worked is not known."
	case NotEvaluated:
		return "No rule of this SLO was evaluated in the period. Nothing is known."
	}
	return ""
}

// beside returns the numbers without what was taken out, with it, and of the period before.
func beside(r *Row) [][4]string {
	cell := func(n *Numbers, f func(*Numbers) string) string {
		if n == nil {
			return "-"
		}
		return f(n)
	}
	row := func(what string, f func(*Numbers) string) [4]string {
		return [4]string{what, cell(&r.Numbers, f), cell(r.Raw, f), cell(r.Previous, f)}
	}
	or := func(x *float64, f func(float64) string) string {
		if x == nil {
			return "-"
		}
		return f(*x)
	}
	if r.Kind == "spend" {
		return [][4]string{
			row("spent, "+r.Unit, func(n *Numbers) string { return money(n.Bad, true) }),
			row("budget, "+r.Unit, func(n *Numbers) string { return money(n.Allowed, false) }),
			row("budget left", func(n *Numbers) string { return or(n.Left, left) }),
		}
	}
	return [][4]string{
		row(r.Unit, func(n *Numbers) string { return number(n.Events, false) }),
		row("bad "+r.Unit, func(n *Numbers) string { return number(n.Bad, true) }),
		row("good part", func(n *Numbers) string {
			return or(n.SLI, func(f float64) string { return reached(f, r.Objective, n.verdict) })
		}),
		row("bad "+r.Unit+" allowed", func(n *Numbers) string { return number(n.Allowed, false) }),
		row("budget spent", func(n *Numbers) string { return or(n.Spent, spent) }),
		row("budget left", func(n *Numbers) string { return or(n.Left, left) }),
	}
}

// money writes an amount with two places.
func money(f float64, up bool) string { return round(decimal(f), 2, up) }

// incident puts an incident into words.
func (v *view) incident(i int, in *Incident) incidentView {
	out := incidentView{
		Rank: i + 1, Name: v.titles[in.SLO], From: v.clock.at(in.From), Lasted: seconds(in.To.Sub(in.From).Seconds(), true),
		Bad: number(in.Bad, true), Peak: Percent(in.Peak, 1, true), Spent: "none allowed", Of: Percent(in.Share, 1, false), Who: "nobody",
	}
	if len(in.Group) > 0 {
		out.Name += " (" + groupText(in.Group) + ")"
	}
	if in.Open {
		out.Lasted = "more than " + out.Lasted
	}
	if in.Spent != nil {
		out.Spent = spent(*in.Spent)
	}
	switch {
	case in.Paged && in.Ticket:
		out.Who = "page, ticket"
	case in.Paged:
		out.Who = "page"
	case in.Ticket:
		out.Who = "ticket"
	}
	return out
}

func groupViews(groups []Group, unnamed string) []groupView {
	var out []groupView
	for _, g := range groups {
		n := func(i int) string { return thousands(fmt.Sprint(i)) }
		x := groupView{
			Name: cmp.Or(g.Name, unnamed), SLOs: n(g.SLOs), Met: n(g.Met), Missed: n(g.Missed),
			Unknown: n(g.NoTraffic + g.NoTelemetry + g.NotEvaluated), Incidents: n(g.Tally.Incidents), Lowest: "-",
		}
		if l := g.Lowest; l != nil {
			x.Lowest = left(l.Left) + " of " + l.SLO
			if len(l.Group) > 0 {
				x.Lowest += " (" + groupText(l.Group) + ")"
			}
		}
		out = append(out, x)
	}
	return out
}

// costOf puts money into words. Amounts are rounded up, budgets down.
func costOf(c Cost) costView {
	out := costView{Name: fmt.Sprintf("%s, %s", c.Currency, c.Kind), Unknown: c.Amount == nil}
	if c.Amount == nil {
		return out
	}
	out.Rows = append(out.Rows, [2]string{"in the period", money(*c.Amount, true)})
	if c.Previous != nil {
		out.Rows = append(out.Rows, [2]string{"in the period before", money(*c.Previous, true)})
	}
	for _, b := range c.Budgets {
		out.Rows = append(out.Rows, [2]string{"budget " + b.Name, money(b.Amount, false)})
	}
	if len(c.Teams) > 1 || len(c.Teams) == 1 && c.Teams[0].Team != "" {
		for _, t := range c.Teams {
			out.Rows = append(out.Rows, [2]string{"of it, team " + cmp.Or(t.Team, "(none)"), money(t.Amount, true)})
		}
	}
	return out
}

func (v *view) adjustment(a Adjustment) adjustmentView {
	when := fmt.Sprintf("%s to %s", v.clock.at(a.First), v.clock.at(a.Last))
	if a.Occurrences > 1 {
		when = fmt.Sprintf("%d times, %s", a.Occurrences, when)
	}
	reason := a.Reason
	if a.Ticket != "" {
		reason += " (" + a.Ticket + ")"
	}
	return adjustmentView{a.Name, a.Type, when, strings.Join(a.SLOs, ", "), reason}
}

// definitions say what the words and numbers of a report mean.
func definitions(r *Report) []string {
	slot := seconds(r.Slot, false)
	return []string{
		"Numbers are sums of the series that the rules record every few minutes, the same that alerts and dashboards are made of. What the rules count at the turn of a period may belong to the other period: a few minutes at each end.",
		"Budget: the part of all events of the period that the objective allows to be bad, whatever the window of the SLO itself is. Spent: bad events by allowed ones. Left: the rest; below 0 the objective was missed. A budget of money is that of its window, for a period of another length in proportion.",
		"As outage: how long a total outage at mean traffic would have taken to spend as much.",
		"Rounding never flatters: good parts, budgets and what is left are rounded down, bad events, spent parts and costs up. Verdicts are taken before rounding. 100% is shown only when nothing at all was bad.",
		"No traffic: there was telemetry, and no event. No telemetry: the rules were evaluated, and found no series of the SLI. Not evaluated: nothing is known. None of them is met or missed, and none counts as 100%.",
		fmt.Sprintf("Incident: a stretch of slots of %s in which the budget burned faster than it may, or a page or a ticket fired while events were bad; stretches less than %s apart are one. Listed are those with a page, and those that spent at least %s of the budget. What they spent is exact: the sum of their bad events. What other times spent is given with each SLO. Money has no incidents: it is spent when a bill comes.",
			slot, seconds(Gap.Seconds(), false), Percent(Smallest, 0, false)),
		fmt.Sprintf("Telemetry was looked for every %s. A composite counts as measured while its rules ran.", seconds(unit.Seconds(), false)),
		fmt.Sprintf("The period before is %s to %s (UTC). Objectives, owners and adjustments are those of the specs now.", r.Before.From.Format(minuteLayout), r.Before.To.Format(minuteLayout)),
	}
}

// took puts what was taken out into words.
func (r rowView) Took() []string {
	var out []string
	for _, t := range r.TakenOut {
		how := "never counted, because it was declared ahead"
		if t.How == "afterwards" {
			how = "taken off afterwards"
		}
		out = append(out, fmt.Sprintf("%s: %s %s, of them %s bad; %s", strings.Join(t.Adjustments, ", "), number(t.Events, false), r.Unit, number(t.Bad, false), how))
	}
	return out
}

// Rest says what was spent outside of incidents.
func (r rowView) Rest() string {
	if r.Bad == 0 || r.Kind == "spend" {
		return ""
	}
	return fmt.Sprintf("%s bad %s in incidents, %s at other times", number(r.InIncidents, true), r.Unit, number(r.Elsewhere, true))
}

// Steps writes the step of a query.
func (q Query) Steps() string {
	at := func(t time.Time) string { return t.Format("2006-01-02T15:04:05.999Z07:00") }
	if q.Step == 0 {
		return "at " + at(q.To)
	}
	return fmt.Sprintf("from %s to %s every %s", at(q.From), at(q.To), q.StepText)
}
