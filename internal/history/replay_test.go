package history_test

import (
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/internal/history"
)

func TestTrafficIsACosine(t *testing.T) {
	x := history.Traffic{Night: 1000, Peak: 3000}
	for hour := range 24 {
		want := 2000 - 1000*math.Cos(2*math.Pi*float64(hour-2)/24)
		if got := float64(x.PerSecond(hour)); math.Abs(got-want) > 2 {
			t.Errorf("hour %d: got %g requests a second, want %g", hour, got, want)
		}
	}
	var sum int64
	for hour := range 24 {
		sum += 3600 * history.DefaultTraffic().PerSecond(hour)
	}
	if sum != 5_184_000 {
		t.Errorf("got %d requests a day, want 5184000", sum)
	}
}

// simulate sends every request one by one and fails it as Replay documents.
func simulate(incidents []history.Incident, x history.Traffic, from, to time.Time) (bad, total int64) {
	m := map[string]int64{history.Minor: 50, history.Major: 300, history.Critical: 1000}
	start := incidents[0].Start
	for _, i := range incidents {
		if i.Start.Before(start) {
			start = i.Start
		}
	}
	if from.Before(start) {
		start = from
	}
	var before, n int64
	for s := start; s.Before(to); s = s.Add(time.Second) {
		var p int64
		for _, i := range incidents {
			if !s.Before(i.Start) && s.Before(i.End) {
				p = max(p, m[i.Impact])
			}
		}
		if p != before {
			before, n = p, 0
		}
		for range x.PerSecond(s.Hour()) {
			n++
			if s.Before(from) {
				continue
			}
			total++
			if n*p/1000 > (n-1)*p/1000 {
				bad++
			}
		}
	}
	return bad, total
}

func TestTruthAgreesWithEveryRequest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		second := rapid.IntRange(0, 4*3600)
		moment := func(label string) time.Time {
			return noon.Add(time.Duration(second.Draw(t, label)) * time.Second)
		}
		var incidents []history.Incident
		for range rapid.IntRange(1, 4).Draw(t, "incidents") {
			x := incident(rapid.SampledFrom([]string{"minor", "major", "critical", "none"}).Draw(t, "impact"), 0, 0, "api")
			x.Start = moment("start")
			x.End = x.Start.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "length")) * time.Second)
			incidents = append(incidents, x)
		}
		traffic := history.Traffic{Night: rapid.Int64Range(0, 3).Draw(t, "night"), Peak: rapid.Int64Range(3, 7).Draw(t, "peak")}
		h := history.New(incidents, history.DefaultModel())
		if len(h.Components()) == 0 {
			return // nothing but impact none
		}
		from := moment("from")
		to := from.Add(time.Duration(rapid.IntRange(1, 9000).Draw(t, "span")) * time.Second)
		wantBad, wantTotal := simulate(incidents, traffic, from, to)
		// The start of the replay must not matter to the truth.
		bad, total := h.Replay(traffic, moment("replay")).Truth("api", from, to)
		if bad != wantBad || total != wantTotal {
			t.Errorf("%v to %v: got %d bad of %d, want %d of %d", from, to, bad, total, wantBad, wantTotal)
		}
	})
}

// The counters of the samples differ by the truth of the time between them,
// and every second is in one interval only.
func TestSamplesDifferByTheTruth(t *testing.T) {
	h := github(t)
	from := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	to := from.AddDate(0, 0, 3)
	r := h.Replay(history.DefaultTraffic(), from)
	last := map[string]history.Sample{}
	var n int
	for s := range r.Samples(to, 97*time.Second) {
		n++
		old, ok := last[s.Component]
		if !ok {
			old = history.Sample{At: from}
			if s.Bad != 0 || s.Total != 0 || !s.At.Equal(from) {
				t.Errorf("the counters of %s start with %+v", s.Component, s)
			}
		}
		bad, total := r.Truth(s.Component, old.At, s.At)
		if s.Bad-old.Bad != bad || s.Total-old.Total != total || bad < 0 || bad > total {
			t.Errorf("%s at %s: counters rise by %d bad of %d, the truth is %d of %d", s.Component, s.At, s.Bad-old.Bad, s.Total-old.Total, bad, total)
		}
		last[s.Component] = s
	}
	if want := 10 * (1 + int(to.Sub(from)/(97*time.Second))); n != want {
		t.Errorf("got %d samples, want %d", n, want)
	}
}

func TestSamplesAreOrderedAndTheSameEachTime(t *testing.T) {
	from := time.Date(2024, 8, 28, 21, 0, 0, 0, time.UTC)
	run := func() []history.Sample {
		return slices.Collect(github(t).Replay(history.DefaultTraffic(), from).Samples(from.Add(4*time.Hour), time.Minute))
	}
	got := run()
	if d := gocmp.Diff(got, run()); d != "" {
		t.Errorf("a second run differs:\n%s", d)
	}
	if !slices.IsSortedFunc(got, func(a, b history.Sample) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		if a.Component < b.Component {
			return -1
		}
		return 1
	}) {
		t.Error("the samples are not in the order of time and name")
	}
	if len(got) != 10*241 || !got[len(got)-1].At.Equal(from.Add(4*time.Hour)) {
		t.Errorf("got %d samples, the last at %s", len(got), got[len(got)-1].At)
	}
	for s := range github(t).Replay(history.DefaultTraffic(), from).Samples(from.Add(time.Hour), time.Minute) {
		if s.At.After(from) {
			break // a consumer may stop early
		}
	}
}

// A minor incident of an hour at the peak: 5% of 100 requests a second.
func TestTruthByHand(t *testing.T) {
	h := history.New([]history.Incident{incident(history.Minor, 120, 180, "api")}, history.DefaultModel())
	r := h.Replay(history.DefaultTraffic(), noon)
	f := func(from, to int, wantBad, wantTotal int64) {
		t.Helper()
		if bad, total := r.Truth("api", at(from), at(to)); bad != wantBad || total != wantTotal {
			t.Errorf("minutes %d to %d: got %d bad of %d, want %d of %d", from, to, bad, total, wantBad, wantTotal)
		}
	}
	f(120, 180, 18_000, 360_000) // 14:00 to 15:00
	f(120, 121, 300, 6_000)
	f(0, 120, 0, 3600*(95+99))
	f(0, 240, 18_000, 3600*(95+99+100+99))
	f(180, 120, 0, 0)
	f(-60*24, 0, 0, 5_184_000)
	epoch := time.Unix(0, 0)
	if _, total := r.Truth("api", epoch.Add(-time.Hour), epoch.Add(time.Hour)); total != 3600*(32+25) {
		t.Errorf("the hours around 1970: got %d requests, want %d", total, 3600*(32+25))
	}
}

func BenchmarkSamples(b *testing.B) {
	from := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	r := github(b).Replay(history.DefaultTraffic(), from)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for range r.Samples(from.AddDate(0, 0, 7), time.Minute) {
			n++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/sample")
}
