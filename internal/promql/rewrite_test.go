package promql_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/internal/promql"
)

func TestSelectors(t *testing.T) {
	q := `sum by (x) (rate(a:b{c="1", 'é' =~ "2|,}" ,}[5m] offset 1h)) / {__name__="m",__name__!~"n",x!=''} @ 5`
	got := mustParse(t, q).Selectors()
	at := func(text string) (off, length int) { return strings.Index(q, text), len(text) }
	matcher := func(name string, op promql.Op, value, text string) promql.Matcher {
		off, length := at(text)
		return promql.Matcher{Name: name, Op: op, Value: value, Off: off, Len: length}
	}
	want := []promql.Selector{
		{
			Name: "a:b", Range: 5 * time.Minute, Offset: time.Hour, Under: []string{"sum", "rate"},
			Matchers: []promql.Matcher{
				matcher("c", promql.Equal, "1", `c="1"`),
				matcher("é", promql.Regexp, "2|,}", `'é' =~ "2|,}"`),
			},
		},
		{
			Name: "m", HasAt: true,
			Matchers: []promql.Matcher{
				matcher("__name__", promql.NotRegexp, "n", `__name__!~"n"`),
				matcher("x", promql.NotEqual, "", `x!=''`),
			},
		},
	}
	want[0].Off, want[0].Len = at(`a:b{c="1", 'é' =~ "2|,}" ,}`)
	want[1].Off, want[1].Len = at(`{__name__="m",__name__!~"n",x!=''}`)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Selectors of %s (-want +got):\n%s", q, d)
	}
	if s := mustParse(t, `quantile(scalar(b), a)`).Selectors(); s[0].Name != "b" || s[1].Name != "a" {
		t.Errorf("selectors are not in order of offset: %+v", s)
	}
}

func TestSelector(t *testing.T) {
	f := func(q string, want bool) {
		t.Helper()
		if _, ok := mustParse(t, q).Selector(); ok != want {
			t.Errorf("Selector of %q: %v, want %v", q, ok, want)
		}
	}
	f(`a`, true)
	f(`((a{b="c"}))`, true)
	f(`a[5m]`, false)
	f(`a offset 5m`, false)
	f(`a @ start()`, false)
	f(`-a`, false)
	f(`sum(a)`, false)
	f(`1`, false)
}

func TestRate(t *testing.T) {
	f := func(q string, window time.Duration, want string) {
		t.Helper()
		e := mustParse(t, q)
		got := e.Rate(window).String()
		if got != want {
			t.Errorf("%q with rate over %v = %s, want %s", q, window, got, want)
		}
		if mustParse(t, got).String() != got || e.String() != mustParse(t, q).String() {
			t.Errorf("%q: the rewrite does not parse back or changed the original", q)
		}
	}
	f(`a`, 5*time.Minute-time.Millisecond, `rate(a[4m59s999ms])`)
	f(`sum by(x)(a{y="z"}) + sum(b)`, 30*24*time.Hour, `sum by (x) (rate(a{y="z"}[30d])) + sum(rate(b[30d]))`)
	f(`a offset 1w @ 3`, time.Hour, `rate(a[1h] @ 3.000 offset 1w)`)
	f(`a / rate(b[7m])`, time.Hour, `rate(a[1h]) / rate(b[7m])`)
	f(`max_over_time((-a)[1h:1m])`, time.Minute, `max_over_time((-rate(a[1m]))[1h:1m])`)
	f(`histogram_quantile(0.9, b) > 1`, time.Minute, `histogram_quantile(0.9, rate(b[1m])) > 1`)
	f(`1`, time.Minute, `1`)
}

func TestRatePanics(t *testing.T) {
	for _, window := range []time.Duration{0, -time.Second, time.Microsecond} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Rate(%v) does not panic", window)
				}
			}()
			mustParse(t, "a").Rate(window)
		}()
	}
}

func TestSum(t *testing.T) {
	if got, want := mustParse(t, `(a or b)`).Sum("x", "é.y").String(), `sum by (x, "é.y") (a or b)`; got != want {
		t.Errorf("Sum = %s, want %s", got, want)
	}
	if got, want := mustParse(t, `a`).Rate(time.Hour).Sum().String(), `sum(rate(a[1h]))`; got != want {
		t.Errorf("Sum = %s, want %s", got, want)
	}
}

func TestMapSelectors(t *testing.T) {
	f := func(q string, r promql.Rewrite, want string) {
		t.Helper()
		got, err := mustParse(t, q).MapSelectors(func(promql.Selector) promql.Rewrite { return r })
		if err != nil {
			if want == "" || !strings.Contains(err.Error(), want) {
				t.Errorf("%q with %+v: %v, want %q", q, r, err, want)
			}
			return
		}
		if got.String() != want {
			t.Errorf("%q with %+v = %s, want %s", q, r, got, want)
		}
		if again := mustParse(t, want); !cmp.Equal(again.Selectors(), got.Selectors()) {
			t.Errorf("%s: selectors %+v, after parsing again %+v", want, got.Selectors(), again.Selectors())
		}
	}
	m, x := time.Minute, promql.Matcher{Name: "x.y", Op: promql.NotRegexp, Value: "a\"b"}
	f(`sum(a)`, promql.Rewrite{}, `sum(a)`)
	f(`sum(a)`, promql.Rewrite{Func: "increase", Range: 5 * m, Offset: m}, `sum(increase(a[5m] offset 1m))`)
	f(`a offset 5m`, promql.Rewrite{Offset: -6 * m}, `a offset -1m`)
	f(`rate(a[5m])`, promql.Rewrite{Range: m, Add: []promql.Matcher{x, x}}, `rate(a{"x.y"!~"a\"b"}[1m])`)
	f(`a{"x.y"!~"a\"b"}`, promql.Rewrite{Add: []promql.Matcher{x}}, `a{"x.y"!~"a\"b"}`)
	f(`a`, promql.Rewrite{Func: "timestamp"}, `timestamp(a)`)
	f(`rate(a[5m])`, promql.Rewrite{Func: "rate", Range: m}, "rewrite selector a: want no range to put rate around it, have 5m")
	f(`a`, promql.Rewrite{Range: m}, "want a function with the range 1m")
	f(`a`, promql.Rewrite{Func: "rte", Range: m}, `want a function of one matrix, have "rte"`)
	f(`a`, promql.Rewrite{Func: "quantile_over_time", Range: m}, "want a function of one matrix")
	f(`a`, promql.Rewrite{Func: "rate"}, `want a function of one vector, have "rate"`)
	f(`a`, promql.Rewrite{Func: "rate", Range: -m}, "want a range")
	f(`a`, promql.Rewrite{Offset: 1}, "whole milliseconds")
	f(`a`, promql.Rewrite{Add: []promql.Matcher{{Name: "__name__", Value: "b"}}}, "want a valid matcher")
	f(`a`, promql.Rewrite{Add: []promql.Matcher{{Name: "b", Op: promql.Regexp, Value: "("}}}, "want a valid matcher")

	e, err := mustParse(t, `a{x="1"} / b`).MapSelectors(func(s promql.Selector) promql.Rewrite {
		return promql.Rewrite{Func: "rate", Range: time.Duration(len(s.Matchers)+1) * m}
	})
	if want := `rate(a{x="1"}[2m]) / rate(b[1m])`; err != nil || e.String() != want {
		t.Errorf("MapSelectors = %s, %v, want %s", e, err, want)
	}
}

func TestDurations(t *testing.T) {
	f := func(s string, want time.Duration, back string) {
		t.Helper()
		got, err := promql.ParseDuration(s)
		if err != nil || got != want || promql.FormatDuration(got) != back {
			t.Errorf("ParseDuration(%q) = %v, %v, prints as %s; want %v, %s", s, got, err, promql.FormatDuration(got), want, back)
		}
	}
	const day = 24 * time.Hour
	f("0", 0, "0s")
	f("90m", 90*time.Minute, "1h30m")
	f("30d", 30*day, "30d")
	f("4w", 28*day, "4w")
	f("1y", 365*day, "1y")
	f("4m59s999ms", 5*time.Minute-time.Millisecond, "4m59s999ms")
	for _, s := range []string{"", "5", "5x", "-5m", "1.5h", "1m1h", "300y", "5m "} {
		if d, err := promql.ParseDuration(s); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", s, d)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, 9_000_000_000_000).Draw(t, "ms")) * time.Millisecond
		if got, err := promql.ParseDuration(promql.FormatDuration(d)); err != nil || got != d {
			t.Fatalf("%v prints as %s, reads as %v, %v", d, promql.FormatDuration(d), got, err)
		}
	})
}

func TestNames(t *testing.T) {
	counters := "http_requests_total http_request_duration_seconds_bucket rpc_count a_sum http.server.requests.total http.server.request.duration_count"
	gauges := "up kube_pod_info kube_pod_status_phase kube_deployment_spec_replicas node_memory_MemFree_bytes process_start_time_seconds process_resident_memory_bytes" +
		" disk_used_ratio node_hwmon_temp_celsius job:http_errors:rate5m job:errors:ratio_rate1h system.cpu.utilization probe_success redis_up"
	neither := "http_request_duration_seconds http_requests total http.server.request.duration response_size_bytes kube_foo node_cpu request_time_seconds job:requests:sum_total lookup backup"
	for _, c := range strings.Fields(counters) {
		if !promql.CounterName(c) || promql.LooksLikeGauge(c) {
			t.Errorf("%s: counter %v, gauge %v, want a counter", c, promql.CounterName(c), promql.LooksLikeGauge(c))
		}
	}
	for _, g := range strings.Fields(gauges) {
		if promql.CounterName(g) || !promql.LooksLikeGauge(g) {
			t.Errorf("%s: counter %v, gauge %v, want a gauge", g, promql.CounterName(g), promql.LooksLikeGauge(g))
		}
	}
	for _, n := range strings.Fields(neither) {
		if promql.LooksLikeGauge(n) {
			t.Errorf("%s is taken for a gauge", n)
		}
	}
}
