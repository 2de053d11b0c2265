package promql_test

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/promql"
)

func mustParse(t testing.TB, q string) promql.Expr {
	t.Helper()
	e, problems := promql.Parse(q)
	if problems != nil {
		t.Fatalf("Parse(%q): %v", q, problems)
	}
	return e
}

func TestProblems(t *testing.T) {
	f := func(q, marked, msg, hint string) {
		t.Helper()
		_, ps := promql.Parse(q)
		var got []string
		for _, p := range ps {
			got = append(got, q[p.Off:p.Off+p.Len], p.Msg, p.Hint)
		}
		if want := []string{marked, msg, hint}; !cmp.Equal(got, want) {
			t.Errorf("Parse(%q):\n got %q\nwant %q", q, got, want)
		}
	}
	const window = "write the selector without a window: Plimsoll puts the windows in"
	f("", "", "no expression found in input", "write a selector such as http_requests_total")
	f(`sum(a`, "(", `this "(" is never closed`, `add the closing ")"`)
	f(`(a) + sum(rate(a[5m])`, "(", `this "(" is never closed`, `add the closing ")"`)
	f(`sum(a))`, ")", `unexpected right parenthesis ')'`, `remove it, or add the "(" that it closes`)
	f(`a{b="c"`, "{", `this "{" is never closed`, `add the closing "}"`)
	f(`a{b="c`, `"c`, "unterminated quoted string", "add the closing quote")
	f("a{b=\"c\n}", `"c`, "unterminated quoted string", "add the closing quote")
	f(`a => 5`, "=", `unexpected "="`, "write >= for greater or equal")
	f(`a = 5`, "=", `unexpected "="`, "write == to compare")
	f(`a <> 5`, ">", `unexpected ">"`, "write != for not equal")
	f(`a && b`, "&", `unexpected character: '&'`, "write and instead of &&")
	f(`a || b`, "|", `unexpected character: '|'`, "write or instead of ||")
	f(`a{b=="c"}`, "=", `want string in label matching, have "="`, "write a single = inside braces")
	f(`a{b~="c"}`, "~", `unexpected character inside braces: '~'`, "write =~ to match a regular expression, !~ for the opposite")
	f(`a{b=500}`, "500", `unexpected character inside braces: '5'`, `put the value in quotes: "500"`)
	f(`a{b=GET}`, "GET", `want string in label matching, have identifier "GET"`, `put the value in quotes: "GET"`)
	f(`a{b=“c”}`, "“", `unexpected character inside braces: '“'`, `use plain quotes: "`)
	f(`a{b=~"("}`, `b=~"("`, "bad regular expression: missing closing ): `(`", "")
	f(`a{b="c" d="e"}`, "d", `want "," or "}" in label matching, have identifier "d"`, "")
	f(`a[5x]`, "5x", `bad number or duration syntax: "5"`, "write a duration as 30s, 5m, 1h or 7d")
	f(`rate(a)`, "a", `want range vector in call to function "rate", have instant vector`,
		"write the selector without the function: Plimsoll adds it together with the windows")
	f(`avg_over_time(a)`, "a", `want range vector in call to function "avg_over_time", have instant vector`,
		"give the selector a range, as in [5m]")
	f(`sum(a[5m])`, "a[5m]", "want instant vector in aggregation expression, have range vector", window)
	f(`topk(a)`, "topk(a)", "want 2 argument(s) in the aggregation, have 1", "")
	f(`1 == 1`, "=", "comparisons between scalars must use BOOL modifier", "write bool after the operator, as in == bool")
	f(`rat(a[5m])`, "rat", `unknown function with name "rat"`, "did you mean rate?")
	f(`histogram_quantile(a)`, "histogram_quantile(a)", `want 2 argument(s) in call to "histogram_quantile", have 1`, "")
	f(`sum by code (a)`, "code", `want "(" in grouping opts, have identifier "code"`,
		"put the labels in parentheses, as in by (code)")
	f(`{}`, "{}", "vector selector must contain at least one non-empty matcher",
		"name a metric, or match at least one label that must not be empty")
	f(`rate(a[$__rate_interval])`, "[$__rate_interval]", `"$__rate_interval" is a template variable, not PromQL`, window)
	f(`rate(a[{{.window}}])`, "[{{.window}}]", `"{{.window}}" is a template variable, not PromQL`, window)
	f(`rate(a[ ${w} ])`, "[ ${w} ]", `"${w}" is a template variable, not PromQL`, window)
	f(`rate(a[window])`, "[window]", `want a duration in brackets, have "window"`, window)
	f(`a{b="$x", job=$job}`, "$job", `"$job" is a template variable, not PromQL`,
		"write the value itself: Plimsoll fills no template variables")
}

func TestProblemsAll(t *testing.T) {
	q := `sum by(x)(a{c=d}) / sum by(x)(b{e=f})`
	_, ps := promql.Parse(q)
	if len(ps) != 2 || q[ps[0].Off:ps[0].Off+ps[0].Len] != "d" || q[ps[1].Off:ps[1].Off+ps[1].Len] != "f" {
		t.Errorf("Parse(%q): want problems at d and f, have %+v", q, ps)
	}
}

func TestLint(t *testing.T) {
	f := func(q string, want ...string) {
		t.Helper()
		var got []string
		for _, p := range mustParse(t, q).Lint() {
			got = append(got, q[p.Off:p.Off+p.Len]+": "+p.Hint)
		}
		if !cmp.Equal(got, want) {
			t.Errorf("Lint(%q) = %q, want %q", q, got, want)
		}
	}
	f(`a{code=~"5..", path="/x"}`)
	f(`a{path=~"^/a.*$"}`)
	f(`a{code="5.*", m!="GET|PUT"} / b{code="5.."}`,
		`code="5.*": write =~ to match a regular expression`,
		`m!="GET|PUT": write !~ to match a regular expression`,
		`code="5..": write =~ to match a regular expression`)
	f(`a{job=~"$job"}`, `job=~"$job": write the value itself: Plimsoll fills no template variables`)
}

func TestExpr(t *testing.T) {
	f := func(q, text string, typ promql.Type) {
		t.Helper()
		e := mustParse(t, q)
		if e.String() != text || e.Type() != typ {
			t.Errorf("Parse(%q) = %s of type %s, want %s of type %s", q, e, e.Type(), text, typ)
		}
	}
	f(` a{ y = 'z', x="1" , } # c`, `a{x="1",y="z"}`, promql.Vector)
	f(`a[90m]`, `a[1h30m]`, promql.Matrix)
	f(`1 + 2`, `1 + 2`, promql.Scalar)
	f(`"x"`, `"x"`, promql.String)
	var zero promql.Expr
	if zero.String() != "" || zero.Type() != "" || zero.Selectors() != nil || zero.KeepsLabels("x") != promql.Unknown {
		t.Error("the zero Expr is not empty")
	}
	if _, ok := zero.Selector(); ok {
		t.Error("the zero Expr is a selector")
	}
}

func TestAggregation(t *testing.T) {
	f := func(q string, want promql.Aggregation, wantOK bool) {
		t.Helper()
		if got, ok := mustParse(t, q).Aggregation(); ok != wantOK || !cmp.Equal(got, want) {
			t.Errorf("Aggregation of %q = %+v, %v, want %+v, %v", q, got, ok, want, wantOK)
		}
	}
	f(`(sum by (a, b) (x))`, promql.Aggregation{Op: "sum", Labels: []string{"a", "b"}}, true)
	f(`max without (a) (x)`, promql.Aggregation{Op: "max", Labels: []string{"a"}, Without: true}, true)
	f(`sum(x) + sum(y)`, promql.Aggregation{}, false)
}

func FuzzParse(f *testing.F) {
	for _, q := range []string{
		`sum by (a) (rate(http_requests_total{code=~"5..",job!="x"}[5m] offset 1h)) / ignoring(c) group_left(d) b @ 12.5`,
		`max_over_time(sum(a{})[1h:5m] @ end() offset -3m) or -vector(1) ^ 2`, `{"a.b", "é"='x'} == bool 0x1F`, "a{b=`c`} # x\n+ 1e3",
		`a{b=`, `sum(rate(a[5m]) by (x)`, `a => {{.w}}`, "\xff{", `quantile(scalar(b), a) unless on() topk(3, c)`, `count_values("x", 5m + a)`,
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		e, problems := promql.Parse(q)
		if problems != nil {
			checkProblems(t, q, problems)
			return
		}
		text := e.String()
		again, problems := promql.Parse(text)
		if problems != nil || again.String() != text {
			t.Fatalf("%q prints as %q, which parses as %q %v", q, text, again, problems)
		}
		for _, s := range e.Selectors() {
			checkSelector(t, q, s)
		}
		e.Lint()
		e.KeepsLabels("a", "__name__")
		if e.Type() == promql.Vector {
			mustParse(t, e.Rate(5*time.Minute).Sum("x").String())
		}
	})
}

func checkProblems(t *testing.T, q string, ps []promql.Problem) {
	t.Helper()
	if len(ps) == 0 {
		t.Fatalf("Parse(%q): an empty list instead of nil", q)
	}
	for _, p := range ps {
		if p.Off < 0 || p.Len < 0 || p.Off+p.Len > len(q) || p.Len == 0 && p.Off < len(q) || p.Msg == "" {
			t.Fatalf("Parse(%q): bad problem %+v", q, p)
		}
		if utf8.ValidString(q) && !utf8.ValidString(q[p.Off:p.Off+p.Len]) {
			t.Fatalf("Parse(%q): problem splits a character: %+v", q, p)
		}
	}
}

// checkSelector parses the places of s and its matchers on their own.
func checkSelector(t *testing.T, q string, s promql.Selector) {
	t.Helper()
	one, ok := mustParse(t, q[s.Off:s.Off+s.Len]).Selector()
	if !ok || one.Name != s.Name || len(one.Matchers) != len(s.Matchers) {
		t.Fatalf("selector %q of %q parses as %+v, want %+v", q[s.Off:s.Off+s.Len], q, one, s)
	}
	for _, m := range s.Matchers {
		alone := mustParse(t, "m{"+q[m.Off:m.Off+m.Len]+"\n}").Selectors()[0].Matchers
		if m.Name == "__name__" {
			continue // is the name when alone
		}
		if len(alone) != 1 || alone[0].Name != m.Name || alone[0].Op != m.Op || alone[0].Value != m.Value {
			t.Fatalf("matcher %q of %q parses as %+v, want %+v", q[m.Off:m.Off+m.Len], q, alone, m)
		}
	}
}

func TestCheckVictoria(t *testing.T) {
	if err := promql.CheckVictoria(`sum by (a) (rate(x{b="c"}[4m59s999ms]))`); err != nil {
		t.Error(err)
	}
	if err := promql.CheckVictoria(`sum(`); err == nil || !strings.Contains(err.Error(), `"sum("`) {
		t.Errorf("CheckVictoria of an unclosed parenthesis: %v", err)
	}
}

// TestQuiet runs this test binary anew: importing the package must print nothing and start no goroutine.
func TestQuiet(t *testing.T) {
	if os.Getenv("PROMQL_QUIET") != "" {
		if n := runtime.NumGoroutine(); n != 2 { // main and this test
			t.Errorf("want 2 goroutines, have %d", n)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestQuiet$")
	cmd.Env = append(os.Environ(), "PROMQL_QUIET=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil || strings.SplitN(out.String(), "\n", 2)[0] != "PASS" {
		t.Errorf("%v: %s", err, out.String())
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		promql.Parse(`http_requests_total{job="checkout",code!~"5..",handler="/api/v1/orders"}`)
	}
}

func BenchmarkRateSumString(b *testing.B) {
	e := mustParse(b, `http_requests_total{job="checkout",code!~"5..",handler="/api/v1/orders"}`)
	b.ReportAllocs()
	for b.Loop() {
		_ = e.Rate(5 * time.Minute).Sum("job").String()
	}
}

func BenchmarkSelectors(b *testing.B) {
	e := mustParse(b, `http_requests_total{job="checkout",code!~"5..",handler="/api/v1/orders"}`)
	b.ReportAllocs()
	for b.Loop() {
		e.Selectors()
	}
}

func BenchmarkSubset(b *testing.B) {
	good := mustParse(b, `http_requests_total{job="checkout",code!~"5..|429"}`).Selectors()[0]
	total := mustParse(b, `http_requests_total{job=~"check.*"}`).Selectors()[0]
	b.ReportAllocs()
	for b.Loop() {
		if promql.Subset(good, total) != promql.Yes {
			b.Fatal("want yes")
		}
	}
}
