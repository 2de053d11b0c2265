package rules

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/burnrate"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// The telemetry in the tests of PromtoolTests has a sample a minute.
const (
	calmMinutes   = 30  // before the outage
	outageMinutes = 120 // within which a page must come
)

// PromtoolTests returns a file for `promtool test rules` for each SLO of set, sorted by name: examples of what the
// rules of Files mean, worked out from the SLO with package burnrate and not from the rules. Half an hour that spends
// half of the budget, or none of it, pages nobody and leaves as much budget as it should. The total outage after it
// pages at the minute at which a tier of the profile first fires, and not the minute before.
//
// The files belong into a folder of their own next to the rule files, which they name as ../NAME.yaml: so no pattern
// that loads rules finds them. The example series are made up from the matchers of the SLI. Of an SLO for which that
// cannot be done, or that is not counted in events as they come, the file has no tests and a comment that says why.
// Promtool evaluates all SLOs of a rule file for each test file: a test takes about a tenth of a second for each SLO.
//
// Error: as Files.
func PromtoolTests(set *slo.Set, o Options) ([]File, error) {
	bundles, err := plan(set, o.withDefaults())
	if err != nil {
		return nil, err
	}
	var out []File
	for i := range bundles {
		b := &bundles[i]
		groups, err := b.groups()
		if err != nil {
			return nil, err
		}
		for _, x := range b.slos {
			out = append(out, File{x.Name + ".test.yaml", b.promtoolTest(x, groups)})
		}
	}
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// promtoolTest returns the test file of x.
func (b *bundle) promtoolTest(x *slo.SLO, groups []Group) []byte {
	w := &writer{}
	w.line(0, Header)
	r, why := b.rehearse(x)
	if why != "" {
		w.line(0, "# SLO "+x.Name+" has no tests: "+why+".")
	}
	if kind := b.unreadable(); kind == "" {
		w.line(0, "rule_files:")
		w.line(1, "- ../"+b.name+".yaml")
		w.line(0, "group_eval_order:")
		for _, g := range groups {
			w.line(1, "- "+quote(g.Name))
		}
	}
	w.line(0, "evaluation_interval: "+duration(b.clock.tick))
	w.line(0, "fuzzy_compare: true")
	if why != "" {
		w.line(0, "tests: []")
		return []byte(w.String())
	}
	w.line(0, "tests:")
	w.rehearsal(b, x, r)
	return []byte(w.String())
}

// unreadable says why promtool cannot read the rules of b, if so.
func (b *bundle) unreadable() string {
	if _, kind := resource(b.target); kind != "" {
		return "promtool does not read resources of kind " + kind
	}
	if !b.chained() {
		return "its rules are for vmalert"
	}
	return ""
}

// rehearsal writes the test of x.
func (w *writer) rehearsal(b *bundle, x *slo.SLO, r rehearsal) {
	at, sharp, pages := b.firstPage(x.BurnBudget(), r)
	pages = pages && x.Alerting.Page && x.Alerting.PageWhen == ""
	minute := (at + time.Minute - 1).Truncate(time.Minute)
	name := fmt.Sprintf("%s: %d calm minutes and an outage", x.Name, calmMinutes)
	if pages {
		name += fmt.Sprintf(", which pages at minute %d", int(minute.Minutes()))
	} else {
		w.line(1, "# No outage pages: the SLO or its alert profile asks for no pages, or not within two hours, or for a second signal.")
	}
	w.line(1, "- name: "+quote(name))
	w.line(2, "interval: 1m")
	w.line(2, "input_series:")
	for _, i := range r.inputs {
		w.line(3, "- series: '"+strings.ReplaceAll(i.series, "'", "''")+"'")
		w.line(3, "  values: "+quote(i.values))
	}
	w.line(2, "promql_expr_test:")
	w.expect(pagesOf(x), calmMinutes*time.Minute/2)
	w.expect(pagesOf(x), calmMinutes*time.Minute)
	counted := !x.NoData.Counts() // else the first evaluation sees nothing and counts
	if counted {
		w.expect("min("+one(slo.SeriesBudgetRemaining, x)+")", calmMinutes*time.Minute, r.left)
	}
	if !pages {
		return
	}
	if before := minute - time.Minute; counted && sharp && before > calmMinutes*time.Minute {
		w.expect(pagesOf(x), before)
	}
	w.expect(pagesOf(x), minute, 1)
}

func pagesOf(x *slo.SLO) string {
	return fmt.Sprintf(`count(ALERTS{alertname=%q,alertstate="firing",%s=%q,%s=%q})`,
		slo.AlertBudgetBurn, slo.LabelSeverity, slo.Page, slo.LabelSLO, x.Name)
}

// expect writes that expr has these values, none of them labelled, at a time.
func (w *writer) expect(expr string, at time.Duration, values ...float64) {
	w.line(3, "- expr: '"+expr+"'")
	w.line(3, "  eval_time: "+duration(at))
	if len(values) == 0 {
		w.line(3, "  exp_samples: []")
		return
	}
	w.line(3, "  exp_samples:")
	for _, v := range values {
		w.line(4, "- {labels: '{}', value: "+strconv.FormatFloat(v, 'g', -1, 64)+"}")
	}
}

func (b *bundle) pageTiers() (out []burnrate.Tier) {
	for _, t := range b.tiers {
		if t.severity == slo.Page {
			out = append(out, t.Tier)
		}
	}
	return out
}

// firstPage returns the time that the rules see, Group.QueryOffset before they are evaluated, when the outage of r
// pages at the latest: when a tier fires on the counts of its windows, as package burnrate defines it, and a rollup has
// told if the tier looks back further than increments are summed up. sharp says that it does not page before.
func (b *bundle) firstPage(budget burnrate.Budget, r rehearsal) (at time.Duration, sharp, pages bool) {
	tick := b.clock.tick
	evidence := b.prof.BurnPolicy().Evidence
	sums := []burnrate.Count{{}} // since the start, after each tick
	count := func(w time.Duration) burnrate.Count {
		now := sums[len(sums)-1]
		then := sums[max(0, len(sums)-1-int(w/tick))]
		return burnrate.Count{Bad: now.Bad - then.Bad, Total: now.Total - then.Total}
	}
	told := time.Duration(math.MaxInt64) // when a rollup has told that a tier fires
	seen := time.Duration(0)
	for at := tick; at <= (calmMinutes+outageMinutes)*time.Minute; at += tick {
		now := at - b.opts.QueryOffset
		if now < 0 {
			continue
		}
		c := r.count(seen, now)
		last := sums[len(sums)-1]
		sums = append(sums, burnrate.Count{Bad: last.Bad + c.Bad, Total: last.Total + c.Total})
		for _, t := range b.pageTiers() {
			switch {
			case !t.Fires(budget, evidence, count(t.Long), count(t.Short), count(t.Recovery), false):
			case t.Long <= longestFast:
				return now, told == math.MaxInt64, true
			default:
				told = min(told, now+b.clock.lag+b.clock.slow+2*tick)
			}
		}
		if now >= told {
			return now, false, true
		}
		seen = now
	}
	return 0, false, false
}

// rehearsal is example telemetry of one SLO, with what it means.
type rehearsal struct {
	inputs []input
	count  func(seen, now time.Duration) burnrate.Count // events of a tick of the outage
	left   float64                                      // budget left before it
}

// input is one series of a promtool test, with its values in promtool's notation.
type input struct{ series, values string }

// rehearse returns example telemetry of x, or says why there is none.
func (b *bundle) rehearse(x *slo.SLO) (rehearsal, string) {
	switch {
	case b.unreadable() != "":
		return rehearsal{}, b.unreadable()
	case x.Budgeting.Sliced():
		return rehearsal{}, "time slices are judged as a whole when they end"
	}
	switch sli := x.SLI.SLI.(type) {
	case *slo.Events:
		return rehearseEvents(x, sli)
	case *slo.Latency:
		if sli.Native {
			return rehearsal{}, "native histograms have no short notation"
		}
		return rehearseLatency(x, sli)
	case *slo.Threshold:
		good, bad := sli.Value.Float(), sli.Value.Float()
		switch sli.Op {
		case "<":
			good--
		case "<=":
			bad++
		case ">":
			good++
		case ">=":
			bad--
		}
		return rehearseGauge(x, sli.Metric, good, bad)
	case *slo.Availability:
		return rehearseGauge(x, sli.Probe, 1, 0)
	case *slo.Freshness:
		return rehearseFreshness(x, sli)
	}
	return rehearsal{}, "an SLI of kind " + x.SLI.SLI.Kind() + " has no total outage that everybody would write down alike"
}

// calmTraffic returns the events of a minute, at least 60, and the bad ones that spend half of the budget.
func calmTraffic(x *slo.SLO) (events, bad int) {
	budget := x.Budget.Float()
	if budget == 0 {
		return 600, 0
	}
	n := int(math.Ceil(2/budget - 1e-9))
	k := (59 + n) / n
	return n * k, k
}

// counter is an input that grows by so many events a minute, before and during the outage.
func counter(series string, calm, outage int) input {
	return input{series, fmt.Sprintf("0+%dx%d %d+%dx%d", calm, calmMinutes, calm*calmMinutes+outage, outage, outageMinutes-1)}
}

// counted makes a rehearsal of counters.
func counted(x *slo.SLO, inputs ...input) rehearsal {
	n, bad := calmTraffic(x)
	left := 1.0
	if bad > 0 {
		left = 1 - float64(bad)/float64(n)/x.Budget.Float()
	}
	return rehearsal{inputs: inputs, left: left, count: func(seen, now time.Duration) burnrate.Count {
		from, to := math.Floor(seen.Minutes()), math.Floor(now.Minutes())
		down := max(to, calmMinutes) - max(from, calmMinutes)
		return burnrate.Count{Bad: float64(n)*down + float64(bad)*(to-from-down), Total: float64(n) * (to - from)}
	}}
}

func rehearseEvents(x *slo.SLO, sli *slo.Events) (rehearsal, string) {
	part := sli.Bad + sli.Good
	all, ok := onlySelector(sli.Total)
	some, ok2 := onlySelector(part)
	if !ok || !ok2 {
		return rehearsal{}, "its queries are more than one selector each"
	}
	n, bad := calmTraffic(x)
	if all.Name == some.Name { // good and bad are told apart by labels
		in, inOK := exampleSeries(x, some.Name, slices.Concat(all.Matchers, some.Matchers), nil)
		out, outOK := exampleOutside(x, all, some, sli.Good != "")
		if !inOK || !outOK {
			return rehearsal{}, "no values of labels were found that tell good from bad events"
		}
		if sli.Good != "" {
			in, out = out, in
		}
		return counted(x, counter(out, n-bad, 0), counter(in, bad, n)), ""
	}
	total, totalOK := exampleSeries(x, all.Name, all.Matchers, nil)
	other, otherOK := exampleSeries(x, some.Name, some.Matchers, nil)
	switch {
	case !totalOK || !otherOK:
		return rehearsal{}, "no values of labels were found that its selectors match"
	case sli.Good != "":
		return counted(x, counter(total, n, n), counter(other, n-bad, 0)), ""
	}
	return counted(x, counter(total, n, n), counter(other, bad, n)), ""
}

func rehearseLatency(x *slo.SLO, sli *slo.Latency) (rehearsal, string) {
	sel, ok := onlySelector(sli.Histogram)
	if !ok {
		return rehearsal{}, "its query is more than one selector"
	}
	count, ok := exampleSeries(x, sel.Name+"_count", sel.Matchers, nil)
	bucket, ok2 := exampleSeries(x, sel.Name+"_bucket", sel.Matchers, map[string]string{"le": sli.Boundary})
	if !ok || !ok2 {
		return rehearsal{}, "no values of labels were found that its selector matches"
	}
	n, bad := calmTraffic(x)
	return counted(x, counter(count, n, n), counter(bucket, n-bad, 0)), ""
}

// rehearseGauge is for SLIs that judge a value at every evaluation.
func rehearseGauge(x *slo.SLO, query string, good, bad float64) (rehearsal, string) {
	series, why := gaugeSeries(x, query)
	return rehearsal{
		left: 1,
		inputs: []input{{
			series: series,
			values: fmt.Sprintf("%s+0x%d %s+0x%d", number(good), calmMinutes, number(bad), outageMinutes-1),
		}},
		count: func(_, now time.Duration) burnrate.Count {
			return judged(now >= (calmMinutes+1)*time.Minute)
		},
	}, why
}

// rehearseFreshness makes the last success just old enough when the outage begins.
func rehearseFreshness(x *slo.SLO, sli *slo.Freshness) (rehearsal, string) {
	series, why := gaugeSeries(x, sli.Timestamp)
	last := calmMinutes*time.Minute - time.Duration(sli.MaxAge)
	return rehearsal{
		left: 1,
		inputs: []input{{
			series: series,
			values: fmt.Sprintf("%s+0x%d", number(last.Seconds()), calmMinutes+outageMinutes),
		}},
		count: func(_, now time.Duration) burnrate.Count { return judged(now > calmMinutes*time.Minute) },
	}, why
}

// judged is one event.
func judged(bad bool) burnrate.Count {
	if bad {
		return burnrate.Count{Bad: 1, Total: 1}
	}
	return burnrate.Count{Total: 1}
}

func gaugeSeries(x *slo.SLO, query string) (series, why string) {
	sel, ok := onlySelector(query)
	if !ok {
		return "", "its query is more than one selector"
	}
	if series, ok = exampleSeries(x, sel.Name, sel.Matchers, nil); !ok {
		return "", "no values of labels were found that its selector matches"
	}
	return series, ""
}

// seriesText writes a series in promtool's notation.
func seriesText(name string, labels map[string]string) string {
	var ls []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if labels[k] != "" {
			ls = append(ls, equals(k, labels[k]))
		}
	}
	return name + "{" + strings.Join(ls, ",") + "}"
}
