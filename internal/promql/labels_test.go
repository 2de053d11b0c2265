package promql

import (
	"strings"
	"testing"
)

// of knows the labels of three metrics.
func of(s Selector) LabelSet {
	switch s.Name {
	case "a":
		return NewLabelSet("x", "y")
	case "b":
		return NewLabelSet("x", "z")
	case "h_bucket":
		return NewLabelSet("x", "le")
	}
	return LabelSet{Any: true}
}

func TestCarries(t *testing.T) {
	f := func(q, want string) {
		t.Helper()
		e, problems := Parse(q)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		got := e.Carries(of)
		text := strings.Join(got.Names(), " ")
		if got.Any {
			text = strings.TrimSpace(text + " any")
		}
		if text != want {
			t.Errorf("%s carries %q, want %q", q, text, want)
		}
	}
	f(`a`, "x y")
	f(`a{y=""}`, "x")
	f(`rate(a[5m])`, "x y")
	f(`max_over_time(rate(a[5m])[1h:1m])`, "x y")
	f(`-(a)`, "x y")
	f(`sum(a)`, "")
	f(`sum by (x, z) (a)`, "x")
	f(`sum without (x) (a)`, "y")
	f(`topk(3, a)`, "x y")
	f(`topk by (x) (3, a)`, "x y")
	f(`count_values("v", a)`, "v")
	f(`a + b`, "x y")
	f(`a * on (x) b`, "x")
	f(`a * ignoring (y) b`, "x")
	f(`a * on (x) group_left (z) b`, "x y z")
	f(`a * on (x) group_right (y) b`, "x y z")
	f(`a and on (x) b`, "x y")
	f(`a unless b`, "x y")
	f(`a or b`, "x y z")
	f(`a > 1`, "x y")
	f(`1 + 2`, "")
	f(`vector(1)`, "")
	f(`label_replace(a, "w", "v", "", "")`, "w x y")
	f(`absent(a)`, "any")
	f(`other`, "any")
	f(`sum by (x) (other)`, "x")
	f(`histogram_quantile(0.9, h_bucket)`, "x")
	f(`scalar(a)`, "")
}

func TestLost(t *testing.T) {
	f := func(q, want string) {
		t.Helper()
		e, problems := Parse(q)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		var got []string
		for _, p := range e.Lost(of) {
			got = append(got, q[p.Off:p.Off+p.Len]+": "+p.Msg)
		}
		if text := strings.Join(got, "\n"); text != want {
			t.Errorf("%s:\ngot  %s\nwant %s", q, text, want)
		}
	}
	f(`sum by (x) (a)`, "")
	f(`sum without (q) (a)`, "")
	f(`sum by (y) (other)`, "")
	f(`sum by (x, yy) (a)`, `yy: no series under this aggregation has the label "yy"`)
	f(`sum(rate(a[5m])) by (z)`, `z: no series under this aggregation has the label "z"`)
	f(`sum by (z) (sum by (x) (a))`, `z: no series under this aggregation has the label "z"`)
	f(`a * on (z) group_left () b`, `z: no series to the left has the label "z"`)
	f(`a and on (y) (b)`, `y: no series to the right has the label "y"`)
	f(`sum by (q) (a) / on (q) sum by (x) (b)`, "q: no series under this aggregation has the label \"q\"\n"+
		"q: no series to the left has the label \"q\"\nq: no series to the right has the label \"q\"")
}
