package rules

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// Limits that follow from the five minutes after which Prometheus forgets the last sample of a series.
const (
	maxTick   = 2 * time.Minute
	maxRare   = 2 * time.Minute // between two recordings of constants, so that one may be missed
	maxScrape = 2 * time.Minute // up to which a series is seen at every tick without looking back further
)

// clock is when and how far back the rules of a data source look.
type clock struct {
	tick   time.Duration // between two evaluations of increments
	slow   time.Duration // between two rollups: the largest multiple of tick up to 4 minutes
	rare   time.Duration // between two recordings of constants: up to four ticks and 2 minutes
	lag    time.Duration // of the rollups, so that every increment is there whatever the order of the groups
	memory time.Duration // how long a series may be missing and still be continued
	sight  time.Duration // range in which to look for the present value; 0 if an instant selector sees it
}

func newClock(s slo.DataSource) (clock, error) {
	tick, scrape := time.Duration(s.EvaluationInterval), time.Duration(s.ScrapeInterval)
	if tick <= 0 || tick > maxTick {
		return clock{}, fmt.Errorf("want an evaluation interval of at most %v, because Prometheus forgets recorded samples after 5m, have %v", maxTick, tick)
	}
	c := clock{tick: tick, slow: s.RollupEvery(), lag: s.RollupLag(), memory: max(10*time.Minute, 5*scrape, 5*time.Minute+5*tick)}
	c.rare = min(4*tick, maxRare/tick*tick)
	if scrape > maxScrape {
		c.sight = scrape * 5 / 2
	}
	return c, nil
}

// class is what SLOs have in common that share window and alert rules.
type class struct {
	source, profile, policy string
	window                  slo.Window
	shape                   shape
	within                  slo.Duration // of deadlines
	zero                    bool         // no error budget at all
	groupBy                 string       // sorted, joined by commas
	noData                  slo.NoData   // without TreatAs
	labels, annotations     string       // of the alerts
}

// shape is how increments of an SLI add up to windows.
type shape string

const (
	counts   shape = ""         // both increments are 0 or more
	deadline shape = "deadline" // bad increments may be negative; only sums over windows mean something
	spend    shape = "spend"    // bad is money and may be negative, total is the planned spending
)

// bundle is up to Options.GroupSize SLOs of one class, with everything their rules need.
type bundle struct {
	class
	opts    Options
	target  Target
	name    string
	source  slo.DataSource
	clock   clock
	prof    slo.AlertProfile
	pol     slo.BudgetPolicy
	tiers   []tier
	set     *slo.Set
	slos    []*slo.SLO
	groupBy []string
	extra   []string // labels, besides slo and groupBy, that published series take over from slo:info
	fastW   []time.Duration
	slowW   []time.Duration
	now     string // currentPeriod, for calendar windows

	adjusted map[string]*adjusted // by the name of the SLO; those of all SLOs of the bundle
}

// plan divides the SLOs of set into bundles, sorted by name.
func plan(set *slo.Set, o Options) ([]bundle, error) {
	switch o.Target {
	case "", Prometheus, PrometheusOperator, Mimir, VictoriaMetrics, VictoriaMetricsOperator:
	default:
		return nil, fmt.Errorf("target %q is not known", o.Target)
	}
	if o.GroupSize < 1 || o.QueryOffset < 0 {
		return nil, fmt.Errorf("want a group size of at least 1 and a query offset of at least 0, have %d and %v", o.GroupSize, o.QueryOffset)
	}
	classes := map[class][]*slo.SLO{}
	for i := range set.SLOs {
		x := &set.SLOs[i]
		if o.DataSource == "" || o.DataSource == x.DataSource {
			c := classOf(x)
			classes[c] = append(classes[c], x)
		}
	}
	var out []bundle
	schedules := map[string]schedule{}
	for c, members := range classes {
		proto, err := newBundle(set, o, c, members[0])
		if err != nil {
			return nil, err
		}
		n := (len(members) + o.GroupSize - 1) / o.GroupSize
		shards := make([][]*slo.SLO, n)
		for _, x := range members {
			s := shardOf("bundles", x.Name, n)
			shards[s] = append(shards[s], x)
		}
		for i, shard := range shards {
			if len(shard) > 0 {
				b := proto.with(shard, i+1)
				if err := b.readAdjustments(schedules); err != nil {
					return nil, fmt.Errorf("rules of %s: %w", b.name, err)
				}
				out = append(out, b)
			}
		}
	}
	slices.SortFunc(out, func(a, b bundle) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// shardOf gives each name one of n shards by rendezvous hashing: with one shard more, only the names that go to the
// new shard move. Equal names of different purposes go to shards that have nothing to do with each other.
func shardOf(purpose, name string, n int) int {
	h := fnv.New64a()
	h.Write([]byte(purpose + "/" + name))
	key := h.Sum64()
	best, at := uint64(0), 0
	for i := range uint64(n) {
		if sum := mixed(key + (i+1)*0x9e3779b97f4a7c15); sum > best {
			best, at = sum, int(i)
		}
	}
	return at
}

// mixed spreads every bit of x over all bits, which FNV does not do with the last ones: names that differ only in their
// end would all go to one shard. Source: the output function of SplitMix64 (Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", 2014).
func mixed(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func classOf(x *slo.SLO) class {
	c := class{
		source: x.DataSource, profile: x.Alerting.Profile, policy: x.Policy, window: x.Window,
		zero: x.Budget.Rat().Sign() == 0, groupBy: strings.Join(sorted(x.GroupBy), ","),
		noData: slo.NoData{After: x.NoData.After, Notify: x.NoData.Notify},
		labels: canonical(x.Alerting.Labels), annotations: canonical(x.Alerting.Annotations),
	}
	switch sli := x.SLI.SLI.(type) {
	case *slo.Deadline:
		c.shape, c.within = deadline, sli.Within
	case *slo.Spend:
		c.shape = spend
	}
	return c
}

// canonical returns equal texts for equal maps only.
func canonical(m map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "%q:%q,", k, m[k])
	}
	return b.String()
}

func sorted(in []string) []string { return slices.Sorted(slices.Values(in)) }

// newBundle returns the bundle of a class without SLOs; x is one of them.
func newBundle(set *slo.Set, o Options, c class, x *slo.SLO) (bundle, error) {
	b := bundle{class: c, opts: o, set: set, groupBy: sorted(x.GroupBy), source: slo.DataSource{
		Meta: slo.Meta{Name: c.source}, ScrapeInterval: slo.Duration(30 * time.Second), EvaluationInterval: slo.Duration(30 * time.Second),
	}}
	if s, ok := set.DataSource(c.source); ok {
		b.source = *s
	}
	prof, ok := set.Profile(c.profile)
	if !ok {
		return b, fmt.Errorf("rules of SLO %q: alert profile %q is not in the set", x.Name, c.profile)
	}
	b.prof = *prof
	if p, ok := set.Policy(c.policy); ok {
		b.pol = *p
	}
	b.target = o.Target
	if b.target == "" {
		b.target = Prometheus
		if b.source.Type == "victoriametrics" {
			b.target = VictoriaMetrics
		}
	}
	var err error
	if b.clock, err = newClock(b.source); err != nil {
		return b, fmt.Errorf("rules of data source %q: %w", c.source, err)
	}
	if err := b.check(x); err != nil {
		return b, fmt.Errorf("rules of SLO %q: %w", x.Name, err)
	}
	if b.tiers, err = b.makeTiers(); err != nil {
		return b, fmt.Errorf("rules of SLO %q: %w", x.Name, err)
	}
	b.chooseWindows()
	if b.window.Calendar != "" {
		b.now = b.currentPeriod()
	}
	return b, nil
}

// check refuses what no rule can do right.
func (b *bundle) check(x *slo.SLO) error {
	for _, l := range b.groupBy {
		if reserved(l) || l == "le" {
			return fmt.Errorf("label %q cannot be grouped by: the rules set it", l)
		}
	}
	if b.window.Calendar != "" {
		if _, err := time.LoadLocation(b.window.Zone); err != nil {
			return fmt.Errorf("load time zone %q: %w", b.window.Zone, err)
		}
	} else if b.window.Length() < time.Hour {
		return fmt.Errorf("want a window of at least 1h, have %s", b.window)
	}
	if b.shape == spend && b.zero {
		return fmt.Errorf("an SLI of kind spend needs an objective below 100%%")
	}
	return nil
}

// reserved tells whether the rules set this label, so that nothing a user writes may.
func reserved(label string) bool {
	switch label {
	case slo.LabelSLO, slo.LabelSeverity, slo.LabelWindow, labelPeriod, labelPiece, labelOutcome, slo.LabelReason, slo.LabelNotify, "alertname", "__name__":
		return true
	}
	return false
}

// with returns b with these SLOs as its shard n.
func (b bundle) with(slos []*slo.SLO, n int) bundle {
	b.slos = slos
	h := fnv.New32a()
	fmt.Fprintf(h, "%+v", b.class)
	parts := []string{cmp.Or(b.source.Name, "slo"), b.window.Rolling.String(), b.profile}
	if b.window.Calendar != "" {
		parts[1] = string(b.window.Calendar)
	}
	b.name = fmt.Sprintf("%s-%06x-%d", strings.Join(parts, "-"), h.Sum32()&0xffffff, n)
	extra := map[string]bool{}
	for _, x := range slos {
		for k := range b.seriesLabels(x) {
			extra[k] = k != slo.LabelSLO
		}
	}
	b.extra = nil
	for _, k := range slices.Sorted(maps.Keys(extra)) {
		if extra[k] {
			b.extra = append(b.extra, k)
		}
	}
	return b
}

// seriesLabels returns the static labels of the series of x: slo and those of SLO.SeriesLabels, without those that
// the rules set or that group x.
func (b *bundle) seriesLabels(x *slo.SLO) map[string]string {
	out := x.SeriesLabels()
	for k := range out {
		if reserved(k) || slices.Contains(b.groupBy, k) {
			delete(out, k)
		}
	}
	out[slo.LabelSLO] = x.Name
	return out
}
