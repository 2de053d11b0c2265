package pipelines_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
)

// shown is a metric as Prometheus stores it: the labels of its series, and of a histogram the bounds in seconds.
type shown struct {
	series []map[string]string
	bounds map[float64]bool
}

// stored returns every metric of the exposition of the fixtures by the name that queries use.
func stored(t *testing.T) map[string]shown {
	t.Helper()
	c := realDeliveries(t)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metric.Collector(func() metric.Snapshot { return whole(c) }))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]shown{}
	for _, f := range families {
		s := shown{bounds: map[float64]bool{}}
		for _, m := range f.Metric {
			s.series = append(s.series, labelsOf(m))
			for _, bucket := range m.GetHistogram().GetBucket() {
				s.bounds[bucket.GetUpperBound()] = true
			}
		}
		all[f.GetName()] = s
	}
	return all
}

func labelsOf(m *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, l := range m.Label {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}

func matches(t *testing.T, matchers []promql.Matcher, labels map[string]string) bool {
	t.Helper()
	for _, m := range matchers {
		is := m.Value == labels[m.Name]
		if m.Op == promql.Regexp || m.Op == promql.NotRegexp {
			is = regexp.MustCompile("^(?:" + m.Value + ")$").MatchString(labels[m.Name])
		}
		if is != (m.Op == promql.Equal || m.Op == promql.Regexp) {
			return false
		}
	}
	return true
}

// TestExamples: every selector of the platform team's SLOs about pipelines and deployments finds series in the
// exposition of the fixtures, and every threshold of a histogram is one of its bounds.
func TestExamples(t *testing.T) {
	metrics := stored(t)
	selector := regexp.MustCompile(`(?:good|total|histogram): ((?:cicd|deployment)_\w+(?:\{.*\})?)`)
	threshold := regexp.MustCompile(`threshold: (\w+)`)
	found := 0
	for _, file := range []string{"pipelines", "deployments"} {
		for _, document := range strings.Split(string(exportertest.Read(t, "../../examples/platform-team/slos/"+file+".yaml")), "\n---\n") {
			for _, m := range selector.FindAllStringSubmatch(document, -1) {
				found++
				e, problems := promql.Parse(m[1])
				s, ok := e.Selector()
				if len(problems) > 0 || !ok {
					t.Errorf("%s: %v", m[1], problems)
					continue
				}
				metric, any := metrics[s.Name], false
				for _, labels := range metric.series {
					any = any || matches(t, s.Matchers, labels)
				}
				if !any {
					t.Errorf("%s finds nothing in %d series", m[1], len(metric.series))
				}
				if limit := threshold.FindStringSubmatch(document); limit != nil {
					d, err := time.ParseDuration(limit[1])
					if err != nil || !metric.bounds[d.Seconds()] {
						t.Errorf("%s: %s is no bound of the histogram, %v", m[1], limit[1], err)
					}
				}
			}
		}
	}
	if found != 10 {
		t.Errorf("looked at %d selectors, want 10", found)
	}
}
