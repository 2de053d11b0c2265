package engine

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// asked is a database of raw series that notes what it is asked.
type asked []string

func (a *asked) Query(_ context.Context, expr string, _ time.Time) ([]store.Sample, error) {
	*a = append(*a, expr)
	return nil, nil
}

// What is recorded is evaluated in the store, what is raw is asked as it stands, and of what is both the recorded parts
// are put in as constants.
func TestDivide(t *testing.T) {
	const mine = `
groups:
- name: g
  rules:
  - {record: "slo:a", expr: vector(1)}
  - {record: "slo:b", expr: vector(1)}
  - {record: "slo:c", expr: vector(1)}
  - {alert: Mine, expr: vector(1)}
`
	var a asked
	w := newWorld(t, Options{Raw: &a}, mine)
	err := w.store.Append(
		store.Sample{Labels: store.Labels{store.Name: "slo:a", "slo": "x", "price": "5$ \"net\""}, T: t0, V: 0.1},
		store.Sample{Labels: store.Labels{store.Name: "slo:b", "slo": "x"}, T: t0, V: -1e-7},
		store.Sample{Labels: store.Labels{store.Name: "slo:b", "slo": "y"}, T: t0, V: 3},
		store.Sample{Labels: store.Labels{store.Name: "slo:c", "slo": "y"}, T: t0, V: 3},
	)
	if err != nil {
		t.Fatal(err)
	}
	const (
		elementA = `label_replace(label_replace(vector(0.1), "price", "5$$ \"net\"", "", ""), "slo", "x", "", "")`
		elementB = `label_replace(vector(-1e-07), "slo", "x", "", "") or label_replace(vector(3), "slo", "y", "", "")`
	)
	for expr, want := range map[string]string{
		`up`:                             `up`,
		`slo:a`:                          "",
		`vector(1)`:                      "",
		`sum({__name__=~"slo:a|slo:b"})`: "",
		`sum_over_time({__name__=~"slo:.+"}[5m])`:   `sum_over_time({__name__=~"slo:.+"}[5m])`,
		`ALERTS{alertname="Mine"}`:                  "",
		`ALERTS{alertname="Theirs"}`:                `ALERTS{alertname="Theirs"}`,
		`up and on () slo:a`:                        `up and on () (vector(1))`,
		`up and on () (slo:a > 1)`:                  `up and on () (vector(0) > 1)`,
		`up unless on (slo) slo:b`:                  `up unless on (slo) (label_replace(vector(1), "slo", "x", "", "") or label_replace(vector(1), "slo", "y", "", ""))`,
		`up * on (slo) group_left () slo:a`:         `up * on (slo) group_left () (` + elementA + `)`,
		`sum(up) + sum(sum_over_time(slo:b[5m]))`:   `sum(up) + (vector(2.9999999))`,
		`up > scalar(slo:a)`:                        `up > (0.1)`,
		`up or slo:b offset 0s`:                     `up or (` + elementB + `)`,
		`up and on () (up and on () (slo:a))`:       `up and on () (up and on () (vector(1)))`,
		`(up and on (slo) slo:b) and on () slo:a`:   `(up and on (slo) (label_replace(vector(1), "slo", "x", "", "") or label_replace(vector(1), "slo", "y", "", ""))) and on () (vector(1))`,
		`label_replace(up, "a", "$1", "b", "(.*)")`: `label_replace(up, "a", "$1", "b", "(.*)")`,
	} {
		a = nil
		if _, err := w.engine.Query(t.Context(), expr, t0); err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if diff := cmp.Diff(want, strings.Join(a, "; ")); diff != "" {
			t.Errorf("%s: asked (-want +got):\n%s", expr, diff)
		}
	}
	for expr, want := range map[string]string{
		`max_over_time((up and on () slo:a)[5m:1m])`: "a subquery mixes recorded series with others",
		`quantile_over_time(scalar(up), slo:a[5m])`:  "takes a range of recorded series together with others",
		`up or {__name__=~"slo:b|slo:c"}`:            `it has two elements`,
	} {
		if _, err := w.engine.Query(t.Context(), expr, t0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, have %v", expr, want, err)
		}
	}
}

// Reach is how far back rules look at what they record, RawSelectors what else they read.
func TestReach(t *testing.T) {
	var a asked
	w := newWorld(t, Options{Raw: &a}, `
groups:
- name: g
  rules:
  - {record: "slo:a", expr: 'up{job="x"} offset 5m'}
  - {record: "slo:b", expr: 'sum_over_time(slo:a[1h] offset 10m) + max_over_time(slo:a[2h:1m])'}
  - {alert: Mine, expr: 'slo:b > 1 and other > 1'}
`)
	all, alerts := w.engine.Reach()
	const look = 5 * time.Minute
	want := map[string]time.Duration{"slo:a": look + 2*time.Hour, "slo:b": look, "ALERTS": 0, "ALERTS_FOR_STATE": 0}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("reach (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]time.Duration{"slo:b": look}, alerts); diff != "" {
		t.Errorf("reach of alerts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{`other`, `up{job="x"}`}, w.engine.RawSelectors()); diff != "" {
		t.Errorf("raw selectors (-want +got):\n%s", diff)
	}
}
