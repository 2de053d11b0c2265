// Package rules turns a slo.Set into recording and alert rules for Prometheus, Mimir, Cortex, Thanos and
// VictoriaMetrics.
//
//	files, err := rules.Files(set, rules.Options{})
//
// The rules have two layers. The first records, at every evaluation ("tick", 30 s), the exact increments of the events and
// of the bad events of each SLO since the tick before (slo.SeriesEventsIncrement and slo.SeriesBadIncrement), several
// plain SLOs in a group, any other in a group of its own. The second serves about 50 SLOs with one query each: it sums
// increments over windows, which weighs by traffic, and derives burn rates, the budget left, and the alerts. The constants
// of the SLOs are recorded more rarely.
//
// Windows above three hours read rollups of four minutes of increments; a missed rollup is caught up by the next. What no
// evaluation counted, because it was missed or the server was down, is found hourly from the counters themselves and
// joins the rollups: a repair.
//
// Why increments and not rate(): rate and increase drop the first value of every new series and extrapolate, and
// ratios of them cannot be averaged over time. Every series recorded here is a count or a quotient of counts, and
// none is ever NaN.
//
// Evaluation lags behind by Group.QueryOffset, so that samples that arrive late are counted.
package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// Target is the kind of server that evaluates the rules.
type Target string

// Targets. Prometheus is the form that Prometheus, Mimir, Cortex and Thanos load.
const (
	Prometheus              Target = "prometheus"               // rule files
	PrometheusOperator      Target = "prometheus-operator"      // PrometheusRule resources
	Mimir                   Target = "mimir"                    // rule files, the name of a file being the namespace
	VictoriaMetrics         Target = "victoriametrics"          // files for vmalert
	VictoriaMetricsOperator Target = "victoriametrics-operator" // VMRule resources
)

// Defaults of Options.
const (
	DefaultGroupSize   = 50
	DefaultQueryOffset = 15 * time.Second
)

// Options of Generate and Files. The zero value is what most people want.
type Options struct {
	Target Target // empty: VictoriaMetrics for data sources of that type, else Prometheus
	// DataSource restricts the output to SLOs of one data source. Empty means all; each has files of its own.
	DataSource string
	// GroupSize is how many SLOs share a set of window rules; 0 means DefaultGroupSize.
	GroupSize int
	// QueryOffset is how far evaluation lags behind. It must be at least the scrape timeout, or events of slow
	// scrapes are lost for ever. 0 means DefaultQueryOffset.
	QueryOffset time.Duration
	// SlothNames adds the series that Sloth records, so that dashboards made for Sloth go on working.
	SlothNames bool
	// Namespace is the namespace of the resources of the operators; empty leaves it out.
	Namespace string
	// Labels are the labels of the resources of the operators.
	Labels map[string]string
}

// Rule is a recording rule (Record is set) or an alert rule (Alert is set).
type Rule struct {
	Record, Alert, Expr string
	For, KeepFiringFor  time.Duration
	Labels, Annotations map[string]string
}

// Group is a rule group: rules that are evaluated one after the other at every Interval, as of QueryOffset ago.
type Group struct {
	File                  string // base name, without extension, of the file the group belongs to
	Name                  string // unique within File
	DataSource            string // name of the slo.DataSource that has the series
	Target                Target
	Interval, QueryOffset time.Duration
	Notes                 []string // comments for people who read the file
	Rules                 []Rule
}

// Generate returns the rule groups of set, those of one file together and in order of evaluation: first the constants,
// then the groups of the single SLOs, then those that read what they record. Equal sets and options give equal groups.
//
// Error: an SLO that cannot be turned into rules that are right, by name and with the reason.
func Generate(set *slo.Set, o Options) ([]Group, error) {
	bundles, err := plan(set, o.withDefaults())
	if err != nil {
		return nil, err
	}
	var out []Group
	for i := range bundles {
		groups, err := bundles[i].groups()
		if err != nil {
			return nil, err
		}
		out = append(out, groups...)
	}
	return out, nil
}

func (o Options) withDefaults() Options {
	o.GroupSize = cmp.Or(o.GroupSize, DefaultGroupSize)
	o.QueryOffset = cmp.Or(o.QueryOffset, DefaultQueryOffset)
	return o
}

// groups returns the groups of b.
func (b *bundle) groups() ([]Group, error) {
	out := b.constantGroups()
	var plain []ledger
	for _, x := range b.slos {
		l, err := b.ledgerOf(x)
		if err != nil {
			return nil, fmt.Errorf("rules of SLO %q: %w", x.Name, err)
		}
		if l.plain {
			plain = append(plain, l)
			continue
		}
		g := b.group("slo-"+x.Name, b.clock.tick, l.rules)
		g.Notes = b.of(x).notes
		out = append(out, g)
	}
	out = append(out, b.sharedGroups(plain)...)
	repairs, err := b.repairRules()
	if err != nil {
		return nil, err
	}
	n := 0
	for part := range slices.Chunk(repairs, rulesAGroup) {
		out = append(out, b.group(numbered(b.name+"-repair", n), repairEvery, part))
		n++
	}
	quick, sums := b.fastRules(), b.slowRules()
	slowAlerts := slices.Concat(b.alertRules(slow), b.slothRules(slow))
	if b.chained() {
		sums = slices.Concat(sums, b.slowResults(), slowAlerts)
		slowAlerts = nil
	} else { // the sums are seen at the next evaluation only, which must not be a slow interval later
		quick = append(quick, b.slowResults()...)
	}
	quick = slices.Concat(quick, b.alertRules(fast), b.noDataRules(), b.slothRules(fast), slowAlerts)
	out = append(out, b.group(b.name+"-fast", b.clock.tick, quick))
	return append(out, b.group(b.name+"-slow", b.clock.slow, sums)), nil
}

// rulesAGroup is how many rules of many SLOs stand in one group: as many as Mimir takes if nobody told it otherwise.
const rulesAGroup = 20

// KindOfGroup returns what the group of a name does: "slo" counts the events of the SLO in its name, "events" those of
// several; "fast", "slow", "repair" and "constants" serve many SLOs. It is empty for a name that Generate gives to no group.
func KindOfGroup(name string) string {
	if strings.HasPrefix(name, "slo-") {
		return "slo"
	}
	for _, kind := range []string{"fast", "slow"} {
		if strings.HasSuffix(name, "-"+kind) {
			return kind
		}
	}
	for _, kind := range []string{"events", "repair", "constants"} { // see numbered
		if strings.HasSuffix(strings.TrimRight(name, "-0123456789"), "-"+kind) {
			return kind
		}
	}
	return ""
}

// numbered returns the name of the group n, from 0 on, of several.
func numbered(name string, n int) string {
	if n == 0 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, n+1)
}

func (b *bundle) group(name string, every time.Duration, rules []Rule) Group {
	if !b.chained() {
		for i := range rules {
			rules[i] = withoutTemplates(rules[i])
		}
	}
	return Group{
		File: b.name, Name: name, DataSource: b.source.Name, Target: b.target,
		Interval: every, QueryOffset: b.opts.QueryOffset, Rules: rules,
	}
}

// withoutTemplates moves labels of a recording rule that look like templates into its expression: vmalert reads the
// labels of recording rules as templates, but does not expand them.
func withoutTemplates(r Rule) Rule {
	if r.Record == "" {
		return r
	}
	for _, k := range slices.Sorted(maps.Keys(r.Labels)) {
		v := r.Labels[k]
		if !strings.Contains(v, "{{") {
			continue
		}
		r.Labels = clone(r.Labels)
		delete(r.Labels, k)
		r.Expr = "label_replace(\n" + indent(r.Expr, 2) + fmt.Sprintf(",\n  %q, %q, \"\", \"\")", k, strings.ReplaceAll(v, "$", "$$"))
	}
	return r
}
