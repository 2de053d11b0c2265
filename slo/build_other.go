package slo

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/schema"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

func (r *reader) service(d *document[serviceSpec]) {
	s := &d.Spec
	x := service{
		Service: Service{
			Description: s.Description.V, Owner: owner(s.Owner), Runbook: s.Runbook.V, Links: labelMap(s.Links),
			DependsOn: names(s.DependsOn),
		},
		window:  r.window(s.Defaults.Window),
		profile: s.Defaults.Profile.V, policy: s.Defaults.Policy.V, dataSource: s.Defaults.DataSource.V,
		events: optional(s.Defaults.Events),
	}
	if n := s.Defaults.NoData; n != nil {
		x.noData = NoData{Duration(n.After.V), n.TreatAs.V, n.Notify.V}
	}
	if s.Defaults.Window != nil {
		r.place("spec.defaults.window", s.Defaults.Window.At)
	}
	r.placeOwner(s.Owner)
	r.place("spec.defaults.profile", s.Defaults.Profile.At)
	r.place("spec.defaults.policy", s.Defaults.Policy.At)
	r.place("spec.defaults.dataSource", s.Defaults.DataSource.At)
	for i, n := range s.DependsOn {
		r.place(fmt.Sprintf("spec.dependsOn[%d]", i), n.At)
	}
	x.Meta = r.meta(d.Metadata)
	if x.Name != "" {
		r.part.services = append(r.part.services, x)
	}
}

func names(in []schema.Name) []string {
	var out []string
	for _, n := range in {
		if n.V != "" {
			out = append(out, n.V)
		}
	}
	return out
}

func texts(in []schema.Text) []string {
	var out []string
	for _, n := range in {
		if n.V != "" {
			out = append(out, n.V)
		}
	}
	return out
}

func (r *reader) profile(d *document[profileSpec]) {
	s := &d.Spec
	x := AlertProfile{
		Description: s.Description.V, MaxErrorRatio: "0.5", QuickReset: durationOr(s.QuickReset, 10*time.Minute),
		Evidence: r.evidence(s.Evidence),
	}
	if s.MaxErrorRatio != nil && s.MaxErrorRatio.V != nil {
		x.MaxErrorRatio = decimal(s.MaxErrorRatio.V)
	}
	for i, t := range s.Tiers {
		x.Tiers = append(x.Tiers, r.tier(i, &t))
	}
	x.Meta = r.meta(d.Metadata)
	if x.Name != "" {
		r.part.profiles = append(r.part.profiles, x)
	}
}

func (r *reader) tier(i int, t *tierSpec) Tier {
	out := Tier{Severity: t.Severity.V, Long: Duration(t.Long.V), Short: Duration(t.Short.V), MinBurn: optional(t.MinBurn)}
	if t.Budget != nil && t.Budget.V != nil {
		out.BudgetShare = decimal(t.Budget.V)
	}
	if t.Burn != nil {
		if t.MinBurn != nil {
			r.add(t.MinBurn.At.Error(diag.OneOf, "burnRate already says how fast", "remove minBurnRate"))
		}
		out.MinBurn = optional(t.Burn)
	}
	if out.Short > out.Long && out.Long > 0 {
		r.add(t.Short.At.Error(diag.TierOrder, fmt.Sprintf("short %s is longer than long %s", out.Short, out.Long), "the short window ends the alert soon after the trouble: a twelfth of the long one is usual"))
	}
	r.place(fmt.Sprintf("spec.tiers[%d]", i), t.At)
	r.place(fmt.Sprintf("spec.tiers[%d].long", i), t.Long.At)
	r.place(fmt.Sprintf("spec.tiers[%d].short", i), t.Short.At)
	return out
}

func (r *reader) evidence(s *evidenceSpec) Evidence {
	if s == nil {
		return defaultEvidence()
	}
	out := Evidence{Test: s.Test.V}
	switch {
	case s.Test.V == "minBad" && s.MinBad == nil:
		r.add(s.At.Error(diag.MissingField, `evidence of test minBad has no field "minBad"`, "add the least number of bad events, for example minBad: 5"))
	case s.Test.V != "minBad" && s.MinBad != nil:
		r.add(s.MinBad.At.Error(diag.OneOf, fmt.Sprintf("test %s has no minBad", s.Test.V), "remove it, or write test: minBad"))
	case s.MinBad != nil && s.MinBad.V != nil:
		if !s.MinBad.V.IsInt() {
			r.add(s.MinBad.At.Error(diag.BadNumber, "want a whole number of events", ""))
			break
		}
		out.MinBad = int(s.MinBad.V.Num().Int64())
	}
	if s.Test.V == "sqrt" || s.Test.V == "poisson" {
		out.Significance = defaultEvidence().Significance
		if s.Significance != nil && s.Significance.V != nil {
			if s.Significance.V.Sign() == 0 || s.Significance.V.Cmp(big.NewRat(1, 2)) >= 0 {
				r.add(s.Significance.At.Error(diag.ObjectiveRange, "want a significance above 0% and below 50%", "1% is usual"))
			}
			out.Significance = decimal(s.Significance.V)
		}
	}
	return out
}

func (r *reader) policy(d *document[policySpec]) {
	s := &d.Spec
	x := BudgetPolicy{Description: s.Description.V, BreakGlass: BreakGlass{Reason: true}}
	if s.BreakGlass != nil {
		x.BreakGlass = BreakGlass{texts(s.BreakGlass.Approvers), boolOr(s.BreakGlass.Reason, true)}
	}
	for i, e := range s.Escalations {
		r.place(fmt.Sprintf("spec.escalations[%d].notify", i), e.Notify.At)
		x.Escalations = append(x.Escalations, Escalation{optional(&e.Burn), Duration(e.For.V), e.Notify.V})
	}
	r.states(s.States, &x)
	x.Meta = r.meta(d.Metadata)
	if x.Name != "" {
		r.part.policies = append(r.part.policies, x)
	}
}

// states reads the states and reports those that contradict each other.
func (r *reader) states(in []stateSpec, x *BudgetPolicy) {
	seen := map[string]bool{}
	var last *big.Rat
	for i, s := range in {
		if s.Below.V == nil {
			continue
		}
		if seen[s.Name.V] {
			r.add(s.Name.At.Error(diag.PolicyStates, fmt.Sprintf("state %q is there twice", s.Name.V), "rename one of the two"))
		}
		seen[s.Name.V] = true
		if last != nil && s.Below.V.Cmp(last) >= 0 {
			r.add(s.Below.At.Error(diag.PolicyStates, fmt.Sprintf("state %q can never hold: a state above it already begins at %s", s.Name.V, decimal(last).Percent()), "order the states from much budget left to little"))
		}
		last = s.Below.V
		out := State{Name: s.Name.V, Below: decimal(s.Below.V), Recover: decimal(s.Below.V), Action: s.Action.V, Exempt: texts(s.Exempt)}
		if s.Recover != nil && s.Recover.V != nil {
			if s.Recover.V.Cmp(s.Below.V) < 0 {
				r.add(s.Recover.At.Error(diag.PolicyStates, fmt.Sprintf("state %q ends below where it begins", s.Name.V), "recoverAbove is at least budgetBelow"))
			}
			out.Recover = decimal(s.Recover.V)
		}
		r.place(fmt.Sprintf("spec.states[%d]", i), s.At)
		x.States = append(x.States, out)
	}
}

func (r *reader) selector(s *selectorSpec) selector {
	if s.All != nil && !s.All.V {
		r.add(s.All.At.Error(diag.WrongValue, "all: false selects nothing", "remove it, or write all: true"))
	}
	for i, n := range s.Names {
		r.place(fmt.Sprintf("spec.slos.names[%d]", i), n.At)
	}
	for i, n := range s.Services {
		r.place(fmt.Sprintf("spec.slos.services[%d]", i), n.At)
	}
	r.place("spec.slos", s.At)
	return selector{names(s.Names), names(s.Services), labelMap(s.MatchLabels), boolOr(s.All, false)}
}

func (r *reader) adjustment(d *document[adjustmentSpec]) {
	s := &d.Spec
	x := adjustment{Adjustment: Adjustment{
		Description: s.Description.V, Type: s.Type.V, Start: s.Start.V, Duration: Duration(s.Duration.V),
		Recurrence: s.Recurrence.V, Zone: s.TimeZone.V, BadEvents: optional(s.BadEvents),
		Mute: boolOr(s.Mute, s.Type.V == "maintenance"), Reason: s.Reason.V, Ticket: s.Ticket.V,
	}, rule: s.Recurrence}
	if x.Zone == "" {
		x.Zone = "UTC"
	}
	switch {
	case x.Type == "correction" && s.BadEvents == nil:
		r.add(s.At.Error(diag.MissingField, `a correction has no field "badEvents"`, "add the number of bad events that are taken back"))
	case x.Type == "maintenance" && s.BadEvents != nil:
		r.add(s.BadEvents.At.Error(diag.OneOf, "maintenance takes time out, not events", "remove badEvents, or write type: correction"))
	case x.Type == "correction" && x.Recurrence != "":
		r.add(s.Recurrence.At.Error(diag.BadRecurrence, "a correction happens once", "remove recurrence"))
	}
	x.sel = r.selector(&s.SLOs)
	r.place("spec.start", s.Start.At)
	r.place("spec.duration", s.Duration.At)
	x.Meta = r.meta(d.Metadata)
	if x.Name != "" && !x.Start.IsZero() && x.Duration > 0 {
		r.part.adjustments = append(r.part.adjustments, x)
	}
}

func (r *reader) report(d *document[reportSpec]) {
	s := &d.Spec
	x := report{Report: Report{Heading: s.Heading.V, Period: Period(s.Period.V), Zone: s.TimeZone.V, Audience: s.Audience.V}}
	if x.Zone == "" {
		x.Zone = "UTC"
	}
	if x.Audience == "" {
		x.Audience = "executive"
	}
	x.sel = r.selector(&s.SLOs)
	x.Meta = r.meta(d.Metadata)
	if x.Heading == "" {
		x.Heading = x.Title()
	}
	if x.Name != "" {
		r.part.reports = append(r.part.reports, x)
	}
}

func (r *reader) dataSource(d *document[dataSourceSpec]) {
	s := &d.Spec
	x := DataSource{
		Type: s.Type.V, URL: s.URL.V, Tenant: s.Tenant.V, BearerTokenFile: s.TokenFile.V,
		ScrapeInterval: durationOr(s.Scrape, 30*time.Second), EvaluationInterval: durationOr(s.Evaluation, 30*time.Second),
		Retention: durationOr(s.Retention, 0), Grafana: s.Grafana.grafana(),
	}
	r.place("spec.type", s.Type.At)
	if s.Scrape != nil {
		r.place("spec.scrapeInterval", s.Scrape.At)
	}
	r.contents(s, &x)
	x.Meta = r.meta(d.Metadata)
	if x.Name != "" {
		r.part.dataSources = append(r.part.dataSources, x)
	}
}

// contents reads what is kept in a data source.
func (r *reader) contents(s *dataSourceSpec, x *DataSource) {
	once := map[string]bool{}
	for _, t := range s.Telemetry {
		r.once(once, t.V, t.At)
		x.Telemetry = append(x.Telemetry, t.V)
	}
	x.Labels = labelNames(s.Labels)
	once = map[string]bool{}
	for _, e := range s.Series {
		r.once(once, e.Name.V, e.Name.At)
		x.Series = append(x.Series, ExternalSeries{Name: e.Name.V, Histogram: e.Type.V == "histogram", Labels: labelNames(e.Labels)})
	}
	slices.Sort(x.Telemetry)
	slices.SortStableFunc(x.Series, func(a, b ExternalSeries) int { return strings.Compare(a.Name, b.Name) })
}

// once reports a name of a list that is in seen.
func (r *reader) once(seen map[string]bool, name string, at yamlsrc.Value) {
	if seen[name] && name != "" {
		r.add(at.Error(diag.DuplicateName, fmt.Sprintf("%q is in the list twice", name), "remove one of the two"))
	}
	seen[name] = true
}

// labelNames returns the names, each once, sorted.
func labelNames(in []schema.LabelName) []string {
	var out []string
	for _, l := range in {
		out = append(out, l.V)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
