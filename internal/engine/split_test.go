package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// elsewhere is the database of the raw series: another engine, which is away now and then.
type elsewhere struct {
	*Engine
	mu      sync.Mutex
	faults  *rand.Rand // nil: never away
	queries int
	away    int
	longest string
}

func (e *elsewhere) Query(ctx context.Context, expr string, ts time.Time) ([]store.Sample, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.faults != nil && e.faults.IntN(50) == 0 {
		e.away++
		return nil, fmt.Errorf("query: %w", store.ErrAway)
	}
	e.queries++
	if len(expr) > len(e.longest) {
		e.longest = expr
	}
	if strings.Contains(expr, "slo:") || strings.Contains(expr, "ALERTS") {
		return nil, fmt.Errorf("want a question about raw series only, have %s", expr)
	}
	points, err := e.Engine.Query(ctx, expr, ts)
	var out []store.Sample
	for _, p := range points {
		out = append(out, store.Sample{Labels: p.Labels, T: ts, V: p.V})
	}
	return out, err
}

// kinds returns the rules of an SLO of each kind.
func kinds(t testing.TB) []RuleFile {
	t.Helper()
	text, err := os.ReadFile("../realtest/testdata/kinds/slos.yaml")
	if err != nil {
		t.Fatal(err)
	}
	set, found := slo.Compile([]slo.File{{Name: "slos.yaml", Text: text}})
	if set == nil {
		t.Fatalf("compile: %v", found)
	}
	files, err := rules.Files(set, rules.Options{Target: rules.Prometheus})
	if err != nil {
		t.Fatal(err)
	}
	var out []RuleFile
	for _, f := range files {
		out = append(out, RuleFile{Name: f.Name, Content: f.Content})
	}
	return out
}

// kindsAt returns samples of every metric that the rules of kinds read: forty minutes that end badly.
func kindsAt(at time.Time) []store.Sample {
	m := at.Sub(t0).Minutes()
	bad := math.Floor(300 * math.Max(0, m-25))
	var out []store.Sample
	add := func(v float64, pairs ...string) {
		l := store.Labels{store.Name: pairs[0]}
		for i := 1; i < len(pairs); i += 2 {
			l[pairs[i]] = pairs[i+1]
		}
		out = append(out, store.Sample{Labels: l, T: at.Add(-7 * time.Second), V: v})
	}
	for _, instance := range []string{"one", "two"} {
		age := m
		if instance == "two" && m > 15 {
			age = m - 15 // it was restarted
		}
		all := math.Floor(600 * age)
		add(1, "up", "job", "api", "instance", instance)
		add(all-math.Min(bad, all), "http_requests_total", "job", "api", "instance", instance, "code", "200", "tenant", "a$1")
		add(math.Floor(all*0.9), "http_request_duration_seconds_bucket", "job", "api", "instance", instance, "le", "0.3")
		add(all, "http_request_duration_seconds_bucket", "job", "api", "instance", instance, "le", "+Inf")
		add(all, "http_request_duration_seconds_count", "job", "api", "instance", instance)
		if bad > 0 {
			add(math.Min(bad, all), "http_requests_total", "job", "api", "instance", instance, "code", "500", "tenant", "b")
		}
	}
	add(50+100*math.Max(0, math.Sin(m/12)), "queue_length", "queue", "mail")
	add(math.Floor(7*m), "jobs_started_total", "job", "batch")
	add(math.Floor(6*m), "jobs_finished_total", "job", "batch")
	add(float64(t0.Unix()), "backup_last_success_timestamp_seconds", "db", "main")
	add(2, "nodes_known", "node", "1")
	add(2-math.Floor(m/30), "agents_up", "node", "1")
	add(0.3*m, "cloud_cost_total", "account", "shop")
	add(1, "up", "job", "probe", "instance", "x")
	add(1, "probe_success", "job", "probe", "instance", "x")
	add(0.002+m/1000, "batch_error_ratio", "shard", "1")
	return out
}

// dump returns every sample that rules recorded.
func dump(t testing.TB, s *store.Store) map[string]uint64 {
	t.Helper()
	q, err := s.Queryable().Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	out := map[string]uint64{}
	set := q.Select(t.Context(), true, nil, labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, "slo:.*|ALERTS.*"))
	for set.Next() {
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			ms, v := it.At()
			out[fmt.Sprintf("%s %d", set.At().Labels(), ms)] = math.Float64bits(v)
		}
	}
	if set.Err() != nil {
		t.Fatal(set.Err())
	}
	return out
}

// TestSplitLaw evaluates the rules of every kind of SLO through forty minutes over one store, and over two: that of the raw
// series is another engine, asked by many groups at a time, and away now and then. Every sample that is recorded is the
// same, to the last bit.
func TestSplitLaw(t *testing.T) {
	for _, seed := range []uint64{1} { // 0 would be a database that is never away
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			one := newWorld(t, Options{}).engine
			far := &elsewhere{Engine: newWorld(t, Options{}).engine}
			if seed > 0 {
				far.faults = rand.New(rand.NewPCG(seed, seed))
			}
			two := newWorld(t, Options{Raw: far, Parallel: 4}).engine
			for _, e := range []*Engine{one, two} {
				// Without Warm, a fresh start writes no ALERTS in the second evaluation, unless that one is repeated.
				if err := errors.Join(e.Load(kinds(t)...), e.Warm(t.Context(), t0.Add(-time.Minute))); err != nil {
					t.Fatal(err)
				}
			}
			for at := t0; at.Before(minute(40)); at = at.Add(30 * time.Second) {
				for _, e := range []*Engine{one, far.Engine} {
					if err := e.store.Append(kindsAt(at)...); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := one.EvalAt(t.Context(), at); err != nil {
					t.Fatal(err)
				}
				evalUntilDone(t, two, at)
			}
			want, got := dump(t, one.store), dump(t, two.store)
			t.Logf("%d samples recorded, %d questions in %d ticks, %d times away; the longest has %d bytes",
				len(got), far.queries, 80, far.away, len(far.longest))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("recorded over two stores (-want +got):\n%s", diff)
			}
			if len(want) < 15_000 || seed > 0 && far.away < 20 {
				t.Errorf("want a story that records and fails, have %d samples and %d failures", len(want), far.away)
			}
		})
	}
}

// evalUntilDone evaluates a tick as a server does: again while the store of the raw series is away.
func evalUntilDone(t *testing.T, e *Engine, at time.Time) {
	t.Helper()
	for range 1000 {
		_, err := e.EvalAt(t.Context(), at)
		away := false
		for _, err := range joined(err) {
			switch {
			case errors.Is(err, store.ErrAway):
				away = true
			case !Rejected(err):
				t.Fatal(err)
			}
		}
		if !away {
			return
		}
		e.Rewind(at)
	}
	t.Fatal("the tick is never complete")
}

func joined(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	return nil
}
