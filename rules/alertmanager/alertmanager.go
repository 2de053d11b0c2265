// Package alertmanager turns a slo.Set into the parts of an Alertmanager configuration that follow from it: routes to
// the receivers of owners, inhibitions, mute time intervals and notification templates.
//
//	c, err := alertmanager.Generate(set, alertmanager.Options{})
//	for _, p := range c.Parts() { ... } // goes into the configuration at p.Path
//
// Receivers hold secrets and belong to whoever runs the Alertmanager: they are named here, never defined. Everything
// matches only on the alerts that package rules writes, so the rest of a configuration works on as it did.
package alertmanager

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// AnnotationObservability, set to "true" on a Service or an SLO, says that its pages mean that telemetry is lost: they
// silence the missing telemetry of everything else.
const AnnotationObservability = "inhibits_no_data"

// Options of Generate. The zero value fits one Alertmanager behind one Prometheus.
type Options struct {
	// Apart are labels that tell copies of the same SLO apart, such as the external label of a cluster. Alerts that
	// differ in them are grouped apart and never inhibit each other.
	Apart []string
}

// Config is what an Alertmanager has to know about a set.
type Config struct {
	Route       Route // comes first among the routes of the root; zero without SLOs
	Inhibitions []Inhibition
	Intervals   []Interval
	Notes       []string // about Intervals: which maintenance is muted by the rules alone, and why
	Receivers   []Reference
}

// Route is a node of the routing tree. Without Receiver it has that of the node above.
type Route struct {
	Notes    []string // comments
	Matchers []string
	Receiver string
	GroupBy  []string
	Mute     []string // names of Intervals
	Routes   []Route
}

// Inhibition silences alerts that match Target while one fires that matches Source and has the same values of Equal.
type Inhibition struct {
	Note           string
	Source, Target []string
	Equal          []string
}

// Reference is a receiver that a Route names, and where the specs name it first.
type Reference struct {
	Receiver string
	At       slo.Pos
}

// Generate returns what an Alertmanager has to know about set. Equal sets and options give equal results.
//
// Error: an annotation that is neither "true" nor "false".
func Generate(set *slo.Set, o Options) (Config, error) {
	g := generator{set: set, apart: slices.Compact(slices.Sorted(slices.Values(o.Apart)))}
	for i := range set.SLOs {
		x := &set.SLOs[i]
		g.slos = append(g.slos, x)
		g.byGroup = g.byGroup || slices.Contains(x.GroupBy, slo.LabelService)
	}
	if len(g.slos) == 0 {
		return Config{}, nil
	}
	var c Config
	var mutes map[string][]string
	c.Intervals, c.Notes, mutes = intervals(set)
	c.Route, c.Receivers = g.route(mutes)
	down, err := g.observability()
	if err != nil {
		return Config{}, err
	}
	c.Inhibitions = g.inhibitions(down)
	return c, nil
}

// generator is what the parts of Generate share.
type generator struct {
	set     *slo.Set
	slos    []*slo.SLO // sorted by name
	apart   []string
	byGroup bool // the label service is not the name of the service in alerts of some SLO
}

// selectors returns matchers that together select the alerts of some SLOs and of no other SLO of all: services whose
// SLOs are all among them, by name, so that an SLO more changes nothing; then the rest by their own names.
func (g *generator) selectors(some, all []*slo.SLO) []string {
	wanted, left := map[*slo.SLO]bool{}, map[string]int{}
	for _, x := range some {
		wanted[x] = true
	}
	for _, x := range all {
		if !wanted[x] {
			left[x.Service]++
		}
	}
	var services, names []string
	for _, x := range some {
		if left[x.Service] == 0 && !g.byGroup {
			services = append(services, x.Service)
		} else {
			names = append(names, x.Name)
		}
	}
	var out []string
	if len(services) > 0 {
		out = append(out, oneOf(slo.LabelService, services))
	}
	if len(names) > 0 {
		out = append(out, oneOf(slo.LabelSLO, names))
	}
	return out
}

// selector is selectors as one matcher.
func (g *generator) selector(some, all []*slo.SLO) string {
	if s := g.selectors(some, all); len(s) == 1 {
		return s[0]
	}
	return oneOf(slo.LabelSLO, names(some))
}

func names(slos []*slo.SLO) []string {
	var out []string
	for _, x := range slos {
		out = append(out, x.Name)
	}
	return out
}

// keep returns the SLOs that ok accepts.
func keep(slos []*slo.SLO, ok func(*slo.SLO) bool) []*slo.SLO {
	return slices.DeleteFunc(slices.Clone(slos), func(x *slo.SLO) bool { return !ok(x) })
}

// is, oneOf and noneOf are matchers.
func is(label, value string) string { return label + "=" + strconv.Quote(value) }

func oneOf(label string, values []string) string {
	values = slices.Compact(slices.Sorted(slices.Values(values)))
	if len(values) == 1 {
		return is(label, values[0])
	}
	return label + "=~" + strconv.Quote(alternatives(values))
}

func noneOf(label string, values []string) string {
	return label + "!~" + strconv.Quote(alternatives(values))
}

func alternatives(values []string) string {
	var out []string
	for _, v := range values {
		out = append(out, regexp.QuoteMeta(v))
	}
	return strings.Join(out, "|")
}

// observability returns the SLOs whose pages mean that telemetry is lost.
func (g *generator) observability() ([]*slo.SLO, error) {
	services := map[string]bool{}
	for i := range g.set.Services {
		yes, err := declared(&g.set.Services[i].Meta)
		if err != nil {
			return nil, err
		}
		services[g.set.Services[i].Name] = yes
	}
	var out []*slo.SLO
	for _, x := range g.slos {
		yes, err := declared(&x.Meta)
		if err != nil {
			return nil, err
		}
		if yes || services[x.Service] && x.Annotations[AnnotationObservability] == "" {
			out = append(out, x)
		}
	}
	return out, nil
}

func declared(m *slo.Meta) (bool, error) {
	switch v := m.Annotations[AnnotationObservability]; v {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, fmt.Errorf("%s: want annotation %s to be \"true\" or \"false\", have %q", m.At, AnnotationObservability, v)
	}
}
