package promql_test

import (
	"testing"

	"github.com/plimsoll-slo/plimsoll/internal/promql"
)

func TestNonlinear(t *testing.T) {
	f := func(q, at string) {
		t.Helper()
		e, problems := promql.Parse(q)
		if problems != nil {
			t.Fatalf("%s: %v", q, problems)
		}
		p, ok := e.Nonlinear()
		if got := q[p.Off : p.Off+p.Len]; ok != (at != "") || got != at {
			t.Errorf("%s: got %q, %v, want %q", q, got, ok, at)
		}
	}
	f("a_total", "")
	f("sum(a_total) + sum(b_total) - c_total", "")
	f("a_total or vector(0)", "")
	f("a_total * 2", "")
	f("2 * (a_total + b_total) / 10", "")
	f("a_total unless on (job) b_total", "")
	f("a_total / b_total", "a_total / b_total")
	f("sum(a_total * b_total)", "a_total * b_total")
	f("a_total > 5", "a_total > 5")
	f("a_total + 5", "a_total + 5")
	f("2 / a_total", "2 / a_total")
	f("a_total ^ 2", "a_total ^ 2")
}
