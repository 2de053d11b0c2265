package slo

import (
	"fmt"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/schema"
)

// slo builds an SLO from its document. What a default can fill stays zero.
func (r *reader) slo(d *document[sloSpec]) {
	s := &d.Spec
	x := SLO{
		Description: s.Description.V, Service: s.Service.V, Owner: owner(s.Owner), Runbook: s.Runbook.V, Links: labelMap(s.Links),
		Policy: s.Policy.V, DataSource: s.DataSource.V,
		Alerting: Alerting{
			Profile: s.Alerting.Profile.V, Page: boolOr(s.Alerting.Page, true), Ticket: boolOr(s.Alerting.Ticket, true),
			PageWhen: s.Alerting.PageWhen.canonical,
			Labels:   labelMap(s.Alerting.Labels), Annotations: labelMap(s.Alerting.Annotations),
		},
	}
	if s.Objective.Target.V != nil {
		x.Objective = decimal(s.Objective.Target.V)
		x.Budget = x.Objective.Complement()
	}
	x.Window = r.window(s.Objective.Window)
	x.EventsPerHour = optional(s.Events)
	if s.NoData != nil {
		x.NoData = NoData{Duration(s.NoData.After.V), s.NoData.TreatAs.V, s.NoData.Notify.V}
	}
	x.GroupBy = r.groupBy(s.GroupBy)
	for _, dep := range s.DependsOn {
		x.DependsOn = append(x.DependsOn, Dependency{dep.SLO.V, boolOr(dep.Critical, true)})
	}
	x.SLI.SLI = r.sli(&s.SLI, x.GroupBy)
	x.Budgeting = r.budgeting(s.Budgeting, x.SLI.SLI)
	r.sloPlaces(s)
	x.Meta = r.meta(d.Metadata)
	r.reservedAlertLabels(s.Alerting.Labels)
	if x.Name != "" && x.SLI.SLI != nil {
		r.part.slos = append(r.part.slos, x)
	}
}

func (r *reader) sloPlaces(s *sloSpec) {
	r.place("spec.service", s.Service.At)
	r.place("spec.objective", s.Objective.At)
	r.place("spec.objective.target", s.Objective.Target.At)
	if s.Objective.Window != nil {
		r.place("spec.objective.window", s.Objective.Window.At)
	}
	r.place("spec.sli", s.SLI.At)
	if s.Budgeting != nil {
		r.place("spec.budgeting", s.Budgeting.At)
	}
	if s.Events != nil {
		r.place("spec.eventsPerHour", s.Events.At)
	}
	if s.NoData != nil {
		r.place("spec.noData", s.NoData.At)
	}
	r.place("spec.alerting.profile", s.Alerting.Profile.At)
	r.place("spec.alerting.pageWhen", s.Alerting.PageWhen.At)
	r.place("spec.policy", s.Policy.At)
	r.place("spec.dataSource", s.DataSource.At)
	r.place("spec.description", s.Description.At)
	r.place("spec.runbook", s.Runbook.At)
	r.placeOwner(s.Owner)
	for i, dep := range s.DependsOn {
		r.place(fmt.Sprintf("spec.dependsOn[%d].slo", i), dep.SLO.At)
	}
	if c := s.SLI.Composite; c != nil {
		for i, m := range c.Members {
			r.place(fmt.Sprintf("spec.sli.composite.members[%d].slo", i), m.SLO.At)
		}
	}
}

// reservedAlertLabels reports labels that would change the identity of alerts.
func (r *reader) reservedAlertLabels(l schema.Labels) {
	for _, x := range l.V {
		switch x.Name {
		case LabelSLO, LabelSeverity, LabelWindow, LabelService, "alertname":
			r.add(x.Key.Error(diag.BadLabel, fmt.Sprintf("label %s is set by Plimsoll", x.Name), "choose another name"))
		}
	}
}

func (r *reader) placeOwner(o ownerSpec) {
	r.place("spec.owner.team", o.Team.At)
	r.place("spec.owner.page", o.Page.At)
	r.place("spec.owner.ticket", o.Ticket.At)
}

func owner(o ownerSpec) Owner { return Owner{o.Team.V, o.Page.V, o.Ticket.V} }

func boolOr(b *schema.Bool, def bool) bool {
	if b == nil {
		return def
	}
	return b.V
}

func optional(d *schema.Decimal) Decimal {
	if d == nil || d.V == nil {
		return ""
	}
	return decimal(d.V)
}

func durationOr(d *schema.Duration, def time.Duration) Duration {
	if d == nil || d.V == 0 {
		return Duration(def)
	}
	return Duration(d.V)
}

func (r *reader) window(w *windowSpec) Window {
	if w == nil {
		return Window{}
	}
	out := Window{Rolling: Duration(w.Rolling.V), Calendar: Period(w.Calendar.V), Zone: w.TimeZone.V}
	if out.Rolling > 0 && out.Calendar == "" && !w.TimeZone.At.IsZero() {
		r.add(w.TimeZone.At.Error(diag.WindowRange, "only a calendar window has a time zone", "remove timeZone, or write calendar: month"))
	}
	if out.Calendar != "" && out.Zone == "" {
		out.Zone = "UTC"
	}
	return out
}

func (r *reader) groupBy(labels []schema.LabelName) []string {
	var out []string
	seen := map[string]bool{}
	for _, l := range labels {
		switch {
		case seen[l.V]:
			r.add(l.At.Error(diag.DuplicateName, fmt.Sprintf("label %q is grouped by twice", l.V), "remove one of the two"))
		case l.V == LabelSLO || l.V == LabelSeverity || l.V == LabelWindow || l.V == "le":
			r.add(l.At.Error(diag.BadLabel, fmt.Sprintf("label %s is set by Plimsoll or belongs to the histogram", l.V), "group by another label"))
		case l.V != "":
			seen[l.V] = true
			out = append(out, l.V)
		}
	}
	return out
}

// budgeting fills in the method and reports one that does not fit.
func (r *reader) budgeting(b *budgetingSpec, sli SLI) Budgeting {
	if b == nil {
		return Budgeting{Method: Occurrences}
	}
	out := Budgeting{Method: b.Method.V}
	if out.Method != Occurrences && sli != nil && (sli.Kind() == "spend" || sli.Kind() == "composite") {
		r.add(b.Method.At.Error(diag.BudgetingMethod, fmt.Sprintf("an SLI of kind %s has no slices", sli.Kind()), "write method: occurrences, or leave budgeting out"))
	}
	switch out.Method {
	case Occurrences:
		if !b.Slice.At.IsZero() {
			r.add(b.Slice.At.Error(diag.BudgetingMethod, "occurrences has no slices", "remove slice, or write method: timeslices"))
		}
	case Timeslices, RatioTimeslices:
		out.Slice = durationOr(&b.Slice, time.Minute)
	}
	switch {
	case out.Method == Timeslices && b.SliceTarget.At.IsZero():
		r.add(b.At.Error(diag.BudgetingMethod, "timeslices needs a sliceTarget", `add the good ratio from which a slice is good, for example sliceTarget: "95%"`))
	case out.Method != Timeslices && !b.SliceTarget.At.IsZero():
		r.add(b.SliceTarget.At.Error(diag.BudgetingMethod, "only timeslices has a sliceTarget", "remove it, or write method: timeslices"))
	case b.SliceTarget.V != nil:
		out.SliceTarget = decimal(b.SliceTarget.V)
	}
	return out
}
