package slo

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/burnrate"
	"github.com/plimsoll-slo/plimsoll/internal/diag"
)

// minScrapes is how many scrape intervals a window must span: fewer samples
// leave the counts of the window to chance.
const minScrapes = 4

// checkSLOs reports what only an SLO with its defaults and references can tell.
func (l *linker) checkSLOs() {
	tiers := map[string][]burnrate.Tier{}
	for i := range l.set.Profiles {
		tiers[l.set.Profiles[i].Name] = l.set.Profiles[i].BurnTiers()
	}
	for i := range l.set.SLOs {
		x := &l.set.SLOs[i]
		if l.broken["SLO/"+x.Name] || l.broken["Service/"+x.Service] || l.unread[x.Service] {
			continue // some values are missing, so that findings may be follow-ons
		}
		source, _ := l.set.DataSource(x.DataSource)
		if l.broken["DataSource/"+x.DataSource] {
			source = nil
		}
		profile, _ := l.set.Profile(x.Alerting.Profile)
		if l.broken["AlertProfile/"+x.Alerting.Profile] {
			profile = nil
		}
		l.checkWindow(x, source)
		l.checkTraffic(x)
		l.checkOwner(x)
		l.checkSlice(x, source)
		l.checkRules(x, profile, source)
		if profile != nil && x.Objective != "" {
			l.checkTiers(x, profile, tiers[profile.Name], source)
		}
	}
	for i := range l.set.Profiles {
		if p := &l.set.Profiles[i]; !l.broken["AlertProfile/"+p.Name] {
			l.checkProfile(p)
		}
	}
}

// add appends a finding; Compile fills in how long the underline is.
func (l *linker) add(sev diag.Severity, code diag.Code, at Pos, hint, format string, args ...any) {
	l.diags.Add(diag.Diag{Sev: sev, Code: code, Pos: at, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

func (l *linker) checkWindow(x *SLO, source *DataSource) {
	at := x.PlaceOf("spec.objective.window")
	if at == x.PlaceOf("spec.objective") { // a default
		at = x.At
	}
	if source != nil && source.Retention > 0 && time.Duration(source.Retention) < x.Window.Length() {
		l.add(diag.Error, diag.WindowRetention, at, fmt.Sprintf("shorten the window, or keep data longer than %s", source.Retention),
			"the window of SLO %q (%s) is longer than data source %q keeps samples (%s)", x.Name, x.Window, source.Name, source.Retention)
	}
}

// checkTraffic reports a budget of less than one event.
func (l *linker) checkTraffic(x *SLO) {
	perHour := x.EventsPerHour.Rat()
	if x.EventsPerHour == "" || perHour.Sign() <= 0 || x.Budget.Rat().Sign() == 0 {
		return
	}
	hours := big.NewRat(int64(x.Window.Length()/time.Second), 3600)
	budget := new(big.Rat).Mul(new(big.Rat).Mul(perHour, hours), x.Budget.Rat())
	if budget.Cmp(big.NewRat(1, 1)) < 0 {
		f, _ := budget.Float64()
		l.add(diag.Warning, diag.BudgetBelowEvent, x.PlaceOf("spec.objective.target"), "lower the objective, or lengthen the window",
			"at eventsPerHour: %s the budget of SLO %q is %.2g events: the first bad event spends all of it", x.EventsPerHour, x.Name, f)
	}
}

func (l *linker) checkOwner(x *SLO) {
	if x.Owner != (Owner{}) || !x.Alerting.Page && !x.Alerting.Ticket {
		return
	}
	l.add(diag.Warning, diag.NoOwner, x.At, "add owner: {team: ...} to the SLO or to its service",
		"SLO %q has no owner: alerts go to the default receiver", x.Name)
}

func (l *linker) checkSlice(x *SLO, source *DataSource) {
	if source == nil || x.Budgeting.Slice == 0 {
		return
	}
	if least := 2 * source.EvaluationInterval; x.Budgeting.Slice < least || x.Budgeting.Slice%source.EvaluationInterval != 0 {
		l.add(diag.Error, diag.BudgetingMethod, x.PlaceOf("spec.budgeting"), "use a multiple of the evaluation interval, at least twice as long",
			"a slice of %s does not fit evaluations every %s", x.Budgeting.Slice, source.EvaluationInterval)
	}
}

// checkRules reports what no rule can do right.
func (l *linker) checkRules(x *SLO, profile *AlertProfile, source *DataSource) {
	if len(x.GroupBy) > 0 && x.NoData.TreatAs != "unknown" {
		l.add(diag.Error, diag.EngineSupport, x.PlaceOf("spec.noData"), "write treatAs: unknown, or leave groupBy out",
			"missing telemetry of a grouped SLO cannot count as %s: which groups are missing is not known", x.NoData.TreatAs)
	}
	switch sli := x.SLI.SLI.(type) {
	case *Spend:
		if x.Objective != "" && x.Budget.Rat().Sign() == 0 {
			l.add(diag.Error, diag.ObjectiveRange, x.PlaceOf("spec.objective.target"), `write "99%": how much may be spent, amount says`,
				"an SLI of kind spend needs an objective below 100%%")
		}
	case *Latency:
		if sli.Native && source != nil && source.Type == "victoriametrics" {
			l.add(diag.Error, diag.EngineSupport, x.PlaceOf("spec.sli"), "use a classic histogram, or an SLI of kind events",
				"VictoriaMetrics, data source %q, has no native histograms", source.Name)
		}
	case *Deadline:
		if profile != nil && !slices.ContainsFunc(profile.Tiers, func(t Tier) bool { return t.Long >= sli.Within }) {
			l.add(diag.Error, diag.TierUnreachable, x.PlaceOf("spec.sli"), "add a tier whose long window is at least as long as within",
				"no tier of profile %q looks back as far as the deadline of %s", profile.Name, sli.Within)
		}
	case *Composite:
		l.checkMembers(x, sli)
	}
}

// checkMembers reports members of a composite that its rule cannot read.
func (l *linker) checkMembers(x *SLO, c *Composite) {
	for i, m := range c.Members {
		member, ok := l.set.SLO(m.SLO)
		if !ok {
			continue
		}
		at := x.PlaceOf(fmt.Sprintf("spec.sli.composite.members[%d].slo", i))
		if member.DataSource != x.DataSource {
			l.add(diag.Error, diag.CompositeMembership, at, "rules read one data source: record the member there, or leave it out",
				"member %q is in data source %q, the composite in %q", m.SLO, member.DataSource, x.DataSource)
		}
		for _, g := range x.GroupBy {
			if !slices.Contains(member.GroupBy, g) {
				l.add(diag.Error, diag.CompositeMembership, at, fmt.Sprintf("add groupBy: [%s] to the member", g), "member %q is not grouped by %q", m.SLO, g)
			}
		}
	}
}

// checkTiers reports tiers that cannot work for this SLO.
func (l *linker) checkTiers(x *SLO, p *AlertProfile, tiers []burnrate.Tier, source *DataSource) {
	budget := x.BurnBudget()
	for i, t := range tiers {
		if (t.Severity == Page && !x.Alerting.Page) || (t.Severity == Ticket && !x.Alerting.Ticket) {
			continue
		}
		if !t.Reachable(budget) {
			at := x.PlaceOf("spec.objective.target")
			l.add(diag.Error, diag.TierUnreachable, at, "lower maxErrorRatio of the profile, use a lower burn rate, or raise the objective",
				"the %s tier %s/%s of profile %q needs burn rate %.4g, but at objective %s a total outage burns at %.4g: it can never fire",
				t.Severity, Duration(t.Long), Duration(t.Short), p.Name, t.Factor(budget.Period), x.Objective.Percent(), budget.MaxBurn())
		}
		if source != nil && t.Short < minScrapes*time.Duration(source.ScrapeInterval) {
			l.shortWindow(p, i, source)
		}
	}
}

// shortWindow reports a short window at its tier, or, for the built-in
// profile, at the scrape interval.
func (l *linker) shortWindow(p *AlertProfile, i int, source *DataSource) {
	at := p.PlaceOf(fmt.Sprintf("spec.tiers[%d].short", i))
	if p.At == builtinPos() {
		at = source.PlaceOf("spec.scrapeInterval")
	}
	l.add(diag.Error, diag.ShortWindow, at, fmt.Sprintf("use at least %s, or scrape more often", Duration(minScrapes*time.Duration(source.ScrapeInterval))),
		"a window of %s in profile %q spans less than %d scrapes of data source %q (every %s)", p.Tiers[i].Short, p.Name, minScrapes, source.Name, source.ScrapeInterval)
}

// checkProfile reports tiers that another tier makes useless: one of the same
// severity that asks for less in less time.
func (l *linker) checkProfile(p *AlertProfile) {
	for i, t := range p.Tiers {
		for j, u := range p.Tiers {
			if i == j || t.Severity != u.Severity || t.Long == 0 || u.Long == 0 {
				continue
			}
			same := t.Long == u.Long && t.Short == u.Short
			if same && j < i {
				l.add(diag.Error, diag.TierOrder, p.PlaceOf(fmt.Sprintf("spec.tiers[%d]", i)), "remove one of the two",
					"two %s tiers of profile %q have the windows %s and %s", t.Severity, p.Name, t.Long, t.Short)
			}
			if u.Long < t.Long && u.Short <= t.Short && fixedBurn(u) > 0 && fixedBurn(t) >= fixedBurn(u) {
				l.add(diag.Warning, diag.TierOrder, p.PlaceOf(fmt.Sprintf("spec.tiers[%d]", i)), "give the longer tier a lower burn rate",
					"the %s tier %s/%s of profile %q never fires before the tier %s/%s, which asks for less", t.Severity, t.Long, t.Short, p.Name, u.Long, u.Short)
			}
		}
	}
}

// fixedBurn returns the burn rate of a tier that has no budget share, else 0.
func fixedBurn(t Tier) float64 {
	if t.BudgetShare != "" {
		return 0
	}
	return t.MinBurn.Float()
}

// checkCycles reports SLOs and services that depend on themselves.
func (l *linker) checkCycles() {
	services := graph{kind: "Service", next: map[string][]edge{}}
	for i := range l.set.Services {
		s := &l.set.Services[i]
		for j, n := range s.DependsOn {
			services.add(s.Name, n, &s.Meta, fmt.Sprintf("spec.dependsOn[%d]", j))
		}
	}
	services.report(l)
	slos := graph{kind: "SLO", next: map[string][]edge{}}
	for i := range l.set.SLOs {
		x := &l.set.SLOs[i]
		for j, d := range x.DependsOn {
			slos.add(x.Name, d.SLO, &x.Meta, fmt.Sprintf("spec.dependsOn[%d].slo", j))
		}
		if c, ok := x.SLI.SLI.(*Composite); ok {
			for j, m := range c.Members {
				slos.add(x.Name, m.SLO, &x.Meta, fmt.Sprintf("spec.sli.composite.members[%d].slo", j))
			}
		}
	}
	slos.report(l)
}

// graph is who depends on whom.
type graph struct {
	kind  string
	names []string // that depend on something, sorted
	next  map[string][]edge
}

// edge is a dependency and where it is written.
type edge struct {
	to   string
	meta *Meta
	path string
}

func (g *graph) add(from, to string, m *Meta, path string) {
	if g.next[from] == nil {
		g.names = append(g.names, from)
	}
	g.next[from] = append(g.next[from], edge{to, m, path})
}

// report reports each cycle once, at the dependency of its first name.
func (g *graph) report(l *linker) {
	state := map[string]int{} // 0 new, 1 on the path, 2 done
	var path []edge           // edges from the start to the present name
	var walk func(string)
	walk = func(n string) {
		state[n] = 1
		for _, e := range g.next[n] {
			path = append(path, e)
			switch state[e.to] {
			case 0:
				walk(e.to)
			case 1:
				g.cycle(l, path)
			}
			path = path[:len(path)-1]
		}
		state[n] = 2
	}
	for _, n := range g.names {
		if state[n] == 0 {
			walk(n)
		}
	}
}

// cycle reports the cycle that the last edge of path closes.
func (g *graph) cycle(l *linker, path []edge) {
	first := path[len(path)-1].to
	from := len(path) - 1
	for from > 0 && path[from-1].to != first {
		from--
	}
	words := []string{first}
	for _, e := range path[from:] {
		words = append(words, e.to)
	}
	l.add(diag.Error, diag.DependencyCycle, path[from].meta.PlaceOf(path[from].path), "remove one of the dependencies",
		"%s %q depends on itself: %s", g.kind, first, strings.Join(words, " -> "))
}
