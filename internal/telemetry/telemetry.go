// Package telemetry is the table of the telemetry that Plimsoll knows: which
// systems can be watched, which series each gives, with which labels, and what
// has to be enabled for it.
//
// It is the one place where a dashboard takes the name of a metric from, and
// against which the closed world of package closed checks queries. What an
// exporter of this repository declares, a test compares with this table.
package telemetry

import "slices"

// Names of the sources: the values of spec.telemetry of a DataSource.
const (
	Pipelines   = "pipelines"
	PlatformAPI = "platformapi"
	Cost        = "cost"
	Secrets     = "secrets"
	Incidents   = "incidents"
	Policy      = "policy"
	Onboarding  = "onboarding"
	Coverage    = "coverage"
	Collector   = "collector"
	Kubernetes  = "kubernetes"
	Storage     = "storage"
	Logs        = "logs"   // in a Loki
	Traces      = "traces" // in a Tempo
)

// Source is one kind of telemetry that may be in use.
type Source struct {
	Name     string   // one of the constants
	Title    string   // for people
	Enable   string   // what to do to have it: one sentence of Markdown
	Families []Family // none of what Prometheus does not keep
}

// Kind is the kind of a metric.
type Kind int

// Kinds of metrics.
const (
	Counter Kind = iota
	Gauge
	Histogram // classic
)

// String returns the word for the kind.
func (k Kind) String() string { return [...]string{"counter", "gauge", "histogram"}[k] }

// Family is one metric as Prometheus stores it.
type Family struct {
	Name   string // of a histogram without _bucket, _count and _sum
	Kind   Kind
	Labels []string // of its own, besides those that scraping adds
}

// Series is one name that a selector can ask for.
type Series struct {
	Name   string
	Labels []string
}

// Series returns the names of f: one, or the parts of a histogram, of which the
// whole is one too, for servers that keep native histograms. The labels belong
// to the caller.
func (f Family) Series() []Series {
	if f.Kind != Histogram {
		return []Series{{f.Name, slices.Clone(f.Labels)}}
	}
	return []Series{
		{f.Name, slices.Clone(f.Labels)},
		{f.Name + "_bucket", append(slices.Clone(f.Labels), "le")},
		{f.Name + "_count", slices.Clone(f.Labels)},
		{f.Name + "_sum", slices.Clone(f.Labels)},
	}
}

// Sources returns the table, in the order in which dashboards show it. It
// belongs to the caller.
func Sources() []Source {
	return []Source{
		pipelines(), traces(), logs(), kubernetes(), platformAPI(), collectors(), storage(), policies(), secrets(), incidents(), onboarding(), coverage(), costs(),
	}
}

// Lookup returns the source of this name.
func Lookup(name string) (Source, bool) {
	for _, s := range Sources() {
		if s.Name == name {
			return s, true
		}
	}
	return Source{}, false
}

// Names returns the names of all sources, sorted.
func Names() []string {
	var out []string
	for _, s := range Sources() {
		out = append(out, s.Name)
	}
	slices.Sort(out)
	return out
}
