package dashboards

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// Matchers of every query: what the variables of the dashboard choose. The
// pattern of "all" is .*, which a missing label matches too.
const (
	chosen = slo.LabelSLO + `=~"$slo",` + slo.LabelService + `=~"$service",` + slo.LabelTeam + `=~"$team"`
	onlyIt = slo.LabelSLO + `="$slo"`

	ofServices = `service_name=~"$service"` // of telemetry
)

// bySLO are the labels of a row about one SLO. Groups of a grouped SLO are
// aggregated: the worst counts.
const bySLO = slo.LabelSLO + ", " + slo.LabelService + ", " + slo.LabelTeam

// view is what the dashboards of one set have in common.
type view struct {
	set   *slo.Set
	opts  Options
	tiers [][]tier // of each SLO
	step  string   // evaluation interval: no point is recorded more often

	inUse     map[string]bool // telemetry by name
	ofTeam    map[string]bool // metrics whose series say whose they are
	teamLabel bool            // all series say it
	services  []service       // by name
	longNames bool            // some service has a name that does not fit into a uid

	// The windows in which a page with room for two shows an SLO, those of its first and of its last tier, and
	// the first together with the length of the period that its budget is for.
	fast, slow []part[string]
	spending   []part[spending]
}

// spending is what the time until the budget is spent follows from.
type spending struct {
	window string
	period time.Duration
}

// newView collects what queries need to know about the SLOs of set.
func newView(set *slo.Set, o Options) (*view, error) {
	v := &view{set: set, opts: o, services: servicesOf(set), inUse: map[string]bool{}, ofTeam: map[string]bool{}}
	for _, d := range set.DataSources {
		for _, t := range d.Telemetry {
			v.inUse[t] = true
		}
		v.teamLabel = v.teamLabel || slices.Contains(d.Labels, labelPlatformTeam)
	}
	for _, s := range telemetry.Sources() {
		for _, f := range s.Families {
			v.ofTeam[f.Name] = slices.Contains(f.Labels, labelPlatformTeam)
		}
	}
	for _, s := range v.services {
		v.longNames = v.longNames || v.uidService(s.name) != v.opts.UID+"-svc-"+s.name
	}
	if err := v.readSLOs(); err != nil {
		return nil, err
	}
	step := 30 * time.Second
	for _, d := range set.DataSources {
		step = max(step, time.Duration(d.EvaluationInterval))
	}
	v.step = slo.Duration(step).String()
	return v, nil
}

// of returns the view of some of the SLOs of v.
func (v *view) of(slos []slo.SLO) (*view, error) {
	out := *v
	set := *v.set
	set.SLOs = slos
	out.set, out.tiers = &set, nil
	return &out, out.readSLOs()
}

// readSLOs fills in what follows from the SLOs.
func (v *view) readSLOs() error {
	set := v.set
	for i := range set.SLOs {
		s := &set.SLOs[i]
		p, ok := set.Profile(s.Alerting.Profile)
		if !ok {
			return fmt.Errorf("slo %q: want its alert profile %q in the set", s.Name, s.Alerting.Profile)
		}
		v.tiers = append(v.tiers, tiersOf(p, s))
	}
	v.fast = partition(set.SLOs, func(i int) (string, bool) { return v.firstTier(i).long, len(v.tiers[i]) > 0 })
	v.slow = partition(set.SLOs, func(i int) (string, bool) { return v.lastTier(i).long, len(v.tiers[i]) > 0 })
	v.spending = partition(set.SLOs, func(i int) (spending, bool) {
		return spending{v.firstTier(i).long, set.SLOs[i].Window.Length()}, len(v.tiers[i]) > 0
	})
	return nil
}

// firstTier returns the first tier of SLO number i, or the zero tier.
func (v *view) firstTier(i int) tier {
	if len(v.tiers[i]) == 0 {
		return tier{}
	}
	return v.tiers[i][0]
}

// lastTier returns the last tier of SLO number i, or the zero tier.
func (v *view) lastTier(i int) tier {
	if len(v.tiers[i]) == 0 {
		return tier{}
	}
	return v.tiers[i][len(v.tiers[i])-1]
}

// sel returns a selector of series name with those matchers that are not empty.
func sel(name string, matchers ...string) string {
	matchers = slices.DeleteFunc(matchers, func(m string) bool { return m == "" })
	if len(matchers) == 0 {
		return name
	}
	return name + "{" + strings.Join(matchers, ",") + "}"
}

// window returns the matcher of a window.
func window(w string) string { return slo.LabelWindow + "=" + strconv.Quote(w) }

// agg returns op by (by) (expr).
func agg(op, by, expr string) string { return op + " by (" + by + ") (" + expr + ")" }

// or joins one expression per part.
func or[K comparable](parts []part[K], expr func(k K, match string) string) string {
	var out []string
	for _, p := range parts {
		out = append(out, expr(p.key, p.match))
	}
	return strings.Join(out, " or ")
}

// budgetLeft returns the part of the budget left of each chosen SLO.
func budgetLeft(filter string) string {
	return agg("min", bySLO, sel(slo.SeriesBudgetRemaining, filter))
}

// burnFast returns the burn rate of each chosen SLO over its fast window.
func (v *view) burnFast(filter string) string { return burnOver(v.fast, filter) }

// burnSlow returns the burn rate of each chosen SLO over its slow window.
func (v *view) burnSlow(filter string) string { return burnOver(v.slow, filter) }

func burnOver(windows []part[string], filter string) string {
	return or(windows, func(w, match string) string {
		return agg("max", bySLO, sel(slo.SeriesBurnRate, filter, window(w), match))
	})
}

// exhaustion returns the seconds until the budget of each chosen SLO is spent,
// if it goes on burning as over its fast window; 0 when it is spent. An SLO
// that does not burn has no value. Errors that leave a rolling window meanwhile
// are not counted, so it is the earliest time.
func (v *view) exhaustion(filter string) string {
	return or(v.spending, func(s spending, match string) string {
		left := agg("min", bySLO, sel(slo.SeriesBudgetRemaining, filter, match))
		burn := agg("max", bySLO, sel(slo.SeriesBurnRate, filter, window(s.window), match))
		return fmt.Sprintf("clamp_min(%s, 0) * %s / (%s > 0)", left, number(s.period.Seconds()), burn)
	})
}

// threshold returns the burn rate from which tier number n of each chosen SLO
// fires.
func (v *view) threshold(n int, filter string) string {
	return or(v.tier(n), func(t tier, match string) string { return t.threshold(filter, match) })
}

// threshold returns the burn rate from which t fires.
func (t tier) threshold(filter, match string) string {
	budget := agg("min", bySLO, sel(slo.SeriesErrorBudget, filter, match))
	return fmt.Sprintf("clamp_max(%s / %s, %s)", t.limit, budget, t.factor)
}

// burn returns the burn rate over the long or short windows of tier number n of
// each chosen SLO.
func (v *view) burn(n int, of func(tier) string, filter string) string {
	return or(v.tier(n), func(t tier, match string) string {
		return agg("max", bySLO+", "+slo.LabelWindow, sel(slo.SeriesBurnRate, filter, window(of(t)), match))
	})
}

// burnShare is burn in multiples of the threshold: 1 is enough to fire.
func (v *view) burnShare(n int, of func(tier) string, filter string) string {
	return or(v.tier(n), func(t tier, match string) string {
		burn := agg("max", bySLO+", "+slo.LabelWindow, sel(slo.SeriesBurnRate, filter, window(of(t)), match))
		return fmt.Sprintf("%s / on (%s) group_left () %s", burn, bySLO, t.threshold(filter, match))
	})
}

func long(t tier) string  { return t.long }
func short(t tier) string { return t.short }

// tier returns the SLOs by their tier number n, from 0.
func (v *view) tier(n int) []part[tier] {
	return partition(v.set.SLOs, func(i int) (tier, bool) {
		if n >= len(v.tiers[i]) {
			return tier{}, false
		}
		return v.tiers[i][n], true
	})
}

// mostTiers returns the number of tiers of the SLO that has most.
func (v *view) mostTiers() int {
	n := 0
	for _, t := range v.tiers {
		n = max(n, len(t))
	}
	return n
}

// tierName returns what tier number n is called: its windows and severity, as
// far as the SLOs agree.
func (v *view) tierName(n int) string {
	var names []string
	for _, p := range v.tier(n) {
		if name := p.key.name(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > 2 {
		return fmt.Sprintf("tier %d", n+1)
	}
	return fmt.Sprintf("tier %d (%s)", n+1, strings.Join(names, "; or "))
}

// alerts returns the firing alerts of the rules with these further matchers.
func alerts(matchers ...string) string {
	names := strconv.Quote(slo.AlertBudgetBurn + "|" + slo.AlertNoData)
	return sel("ALERTS", append([]string{`alertstate="firing"`, "alertname=~" + names}, matchers...)...)
}

// severity returns the matcher of a severity.
func severity(s string) string { return slo.LabelSeverity + "=" + strconv.Quote(s) }

// number writes x in PromQL, rounded to 12 digits.
func number(x float64) string { return strconv.FormatFloat(x, 'g', 12, 64) }
