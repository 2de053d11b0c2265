package pipelines

import (
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// leads count how long changes took from commit to production.
type leads struct {
	revision uint64
	times    *metric.Table
	excluded *metric.Table
	waiting  []arrival // whose commits are not all known yet, in the order in which they were heard of
}

// arrival is a revision that went to production at a time.
type arrival struct {
	revision, subject string
	to                place
	at, heard         time.Time
	baseline          bool   // nothing is known to have been there before
	missing           string // the commit that would have to be known to go on
}

const (
	// leadSettled is the event that ends the wait for the commits of a deployment.
	leadSettled = event.LeadSettled
	// maxLead is the longest lead time that is believed.
	maxLead = 365 * 24 * time.Hour
	// maxArrivals is how many deployments wait for their commits at a time.
	maxArrivals = 1000
)

func newLeads(limit int) *leads {
	return &leads{
		times: metric.NewTable(metric.Family{
			Name: "deployment.lead_time", Unit: "s", Kind: metric.Histogram,
			From: "deployments, commits",
			Help: "Time between each commit being made and its first successful deployment to production.",
			Bounds: []float64{
				300, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, // 5 minutes to 12 hours
				86_400, 172_800, 345_600, 604_800, 1_209_600, 2_592_000, // 1 day to 30 days
			},
			Attributes: []string{event.Service, event.Environment, event.LeadFrom},
		}, limit),
		excluded: metric.NewTable(metric.Family{
			Name: "deployment.lead_time.excluded", Unit: "{change}", Kind: metric.Counter,
			From:       "deployments, commits",
			Help:       "Changes whose lead time is not known, since the clocks contradict each other or the commits were not heard of.",
			Attributes: []string{event.Service, event.Environment, event.LeadReason},
		}, limit),
	}
}

func (p place) attrs() []event.Attr {
	return []event.Attr{event.String(event.Service, p.service), event.String(event.Environment, p.environment)}
}

// at returns the series of a place, and makes it if it is new.
func (f *leads) at(p place) *metric.Series {
	return f.times.At(f.revision, p.attrs(), []event.Attr{event.String(event.LeadFrom, "commit")})
}

func (f *leads) exclude(p place, reason string) {
	f.excluded.At(f.revision, p.attrs(), []event.Attr{event.String(event.LeadReason, reason)}).Add(f.revision, 1)
}

// observe counts the lead time of a commit that was made at one time and arrived at another.
func (f *leads) observe(p place, made, arrived time.Time) {
	lead := arrived.Sub(made)
	if made.Unix() <= 0 || lead < 0 || lead > maxLead {
		f.exclude(p, "clock")
		return
	}
	f.at(p).Observe(f.revision, lead.Seconds())
}

// bring counts the commits that arrive with a release: those on the way back to one that had arrived before. Each is
// counted once for a target. If that way is not known to its end they are waited for, but with final set what is known
// is counted and the rest is unmatched. What was there before the first release that is heard of is not known: of that
// only the revision itself is taken for new.
func (f *deployments) bring(a arrival, final bool) {
	to := f.targets.Get(a.to)
	if to == nil {
		f.leads.exclude(a.to, "unmatched")
		return
	}
	line, missing := f.commits.line(a.revision, to.id, to.has)
	if a.baseline && len(line) > 0 {
		missing = ""
	}
	if missing != "" && !final {
		a.missing = missing
		f.wait(a)
		return
	}
	for i, c := range line {
		c.arrive(to.id)
		if i == 0 || !a.baseline {
			f.leads.observe(a.to, c.committed, a.at)
		}
	}
	if missing != "" {
		f.leads.exclude(a.to, "unmatched")
	}
}

// wait lets a release wait for its commits. If too many do, the first gives up.
func (f *deployments) wait(a arrival) {
	if len(f.leads.waiting) >= maxArrivals {
		first := f.leads.waiting[0]
		f.leads.waiting = slices.Delete(f.leads.waiting, 0, 1)
		f.bring(first, true)
	}
	f.leads.waiting = append(f.leads.waiting, a)
}

// arrived goes on with the releases that waited for a commit.
func (f *deployments) arrived(revision string) {
	var ready []arrival
	f.leads.waiting = slices.DeleteFunc(f.leads.waiting, func(a arrival) bool {
		if a.missing == revision {
			ready = append(ready, a)
		}
		return a.missing == revision
	})
	for _, a := range ready {
		f.bring(a, false)
	}
}

// giveUp ends the wait of one release.
func (f *deployments) giveUp(revision, subject string) {
	i := slices.IndexFunc(f.leads.waiting, func(a arrival) bool { return a.subject == subject && a.revision == revision })
	if i >= 0 {
		a := f.leads.waiting[i]
		f.leads.waiting = slices.Delete(f.leads.waiting, i, i+1)
		f.bring(a, true)
	}
}

// settled returns an event for each release that has waited long enough.
func (f *deployments) settled(now time.Time) (settled []event.Event) {
	for _, a := range f.leads.waiting {
		if !now.Before(a.heard.Add(f.options.Settle)) {
			settled = append(settled, event.Event{
				Name: leadSettled, Source: "plimsoll", Subject: a.subject, Key: a.subject + "/lead",
				Time: now, Observed: a.heard, Attrs: event.NewSet(event.String(event.Revision, a.revision)),
			})
		}
	}
	return settled
}
