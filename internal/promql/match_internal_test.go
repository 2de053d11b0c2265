package promql

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// universe returns all strings of up to n of the characters a and b, and some others.
func universe(n int) []string {
	out := []string{""}
	for level := out; n > 0; n-- {
		var next []string
		for _, s := range level {
			next = append(next, s+"a", s+"b")
		}
		out, level = append(out, next...), next
	}
	return append(out, "c", "ac", "cb", "A", "aB", "\n", "a\nb", "é")
}

// regexps draws regular expressions over a and b, with few operators missing.
func regexps() *rapid.Generator[string] {
	atom := rapid.SampledFrom([]string{"a", "b", "ab", ".", "[ab]", "[^a]", "", "(?i:a)", "a|b", ".*", ".+", "b*", "\\w"})
	return rapid.Custom(func(t *rapid.T) string {
		s := atom.Draw(t, "atom")
		for range rapid.IntRange(0, 3).Draw(t, "steps") {
			switch rapid.IntRange(0, 6).Draw(t, "op") {
			case 0, 1:
				s += atom.Draw(t, "right")
			case 2:
				s += "|" + atom.Draw(t, "alt")
			case 3:
				s = "(" + s + ")*"
			case 4:
				s = "(?:" + s + ")?"
			case 5:
				s = "^" + s + "$"
			case 6:
				s = "(" + s + "){2}"
			}
		}
		return s
	})
}

func matchers(name string) *rapid.Generator[Matcher] {
	return rapid.Custom(func(t *rapid.T) Matcher {
		m := Matcher{Name: name, Op: rapid.SampledFrom([]Op{Equal, NotEqual, Regexp, NotRegexp}).Draw(t, "op")}
		if m.Op == Equal || m.Op == NotEqual {
			m.Value = rapid.SampledFrom([]string{"", "a", "b", "ab", "ba", "A"}).Draw(t, "value")
		} else {
			m.Value = regexps().Draw(t, "regexp")
		}
		return m
	})
}

func accepted(t *rapid.T, v string, ms []Matcher) bool {
	return !slices.ContainsFunc(ms, func(m Matcher) bool {
		c, err := m.compile()
		if err != nil {
			t.Fatalf("compile %s: %v", m, err)
		}
		return !c.Matches(v)
	})
}

// The automata agree with Prometheus' own matching of every short value, and so do the shortcuts with the automata.
func TestSatisfiableLaw(t *testing.T) {
	values := universe(6)
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.SliceOfN(matchers("x"), 1, 3).Draw(t, "matchers")
		found := slices.ContainsFunc(values, func(v string) bool { return accepted(t, v, ms) })
		got := satisfiable(ms...)
		if got == Unknown || found && got == No {
			t.Fatalf("satisfiable(%v) = %v, a short value was found: %v", ms, got, found)
		}
		text, exact := intersect(ms)
		if exact != got || exact == Yes && !accepted(t, text, ms) {
			t.Fatalf("satisfiable(%v) = %v, intersect says %v by %q", ms, got, exact, text)
		}
	})
}

func TestConflictAndSubsetLaw(t *testing.T) {
	values := universe(3)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) Selector {
			s := Selector{Name: "m"}
			s.Matchers = append(rapid.SliceOfN(matchers("x"), 0, 2).Draw(t, label), rapid.SliceOfN(matchers("y"), 0, 2).Draw(t, label)...)
			return s
		}
		a, b := draw("a"), draw("b")
		_, _, conflict := Conflict(a, b)
		subset := Subset(a, b)
		for _, x := range values {
			for _, y := range values {
				inA, inB := matches(t, a, x, y), matches(t, b, x, y)
				if conflict && inA && inB {
					t.Fatalf("Conflict(%v, %v), but both match x=%q y=%q", a.Matchers, b.Matchers, x, y)
				}
				if subset == Yes && inA && !inB {
					t.Fatalf("Subset(%v, %v), but x=%q y=%q is only in the first", a.Matchers, b.Matchers, x, y)
				}
			}
		}
		if subset == Unknown {
			t.Fatalf("Subset(%v, %v) is unknown", a.Matchers, b.Matchers)
		}
	})
}

// A selector is a subset of itself and of itself with matchers dropped, and not of its own negation.
func TestSubsetLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Selector{Name: "m", Matchers: rapid.SliceOfN(matchers("x"), 1, 3).Draw(t, "matchers")}
		b := Selector{Name: "m", Matchers: a.Matchers[1:]}
		if Subset(a, a) != Yes || Subset(a, b) != Yes {
			t.Fatalf("%v is no subset of %v", a.Matchers, b.Matchers)
		}
		inv := Selector{Name: "m", Matchers: []Matcher{a.Matchers[0].inverse()}}
		want := No
		if satisfiable(a.Matchers...) == No {
			want = Yes
		}
		if got := Subset(a, inv); got != want {
			t.Fatalf("Subset(%v, %v) = %v, want %v", a.Matchers, inv.Matchers, got, want)
		}
	})
}

func matches(t *rapid.T, s Selector, x, y string) bool {
	for _, m := range s.Matchers {
		if !accepted(t, map[string]string{"x": x, "y": y}[m.Name], []Matcher{m}) {
			return false
		}
	}
	return true
}

func TestConflict(t *testing.T) {
	f := func(a, b, want string) {
		t.Helper()
		ma, mb, ok := Conflict(selector(t, a), selector(t, b))
		got := ""
		if ok {
			got = fmt.Sprintf("%s against %s", ma, mb)
		}
		if got != want {
			t.Errorf("Conflict(%s, %s) = %q, want %q", a, b, got, want)
		}
	}
	f(`m{code="500"}`, `m{code="200"}`, `code="500" against code="200"`)
	f(`m{code="500"}`, `m{code=~"2.."}`, `code="500" against code=~"2.."`)
	f(`m{code=~"5.."}`, `m{code!~"5..|429"}`, `code=~"5.." against code!~"5..|429"`)
	f(`m{code=~"5.*"}`, `m{code=~"[23].."}`, `code=~"5.*" against code=~"[23].."`)
	f(`m{code=~"2..|404"}`, `m{code=~"4.."}`, "")
	f(`m{code="500"}`, `m{job="x"}`, "")
	f(`m{code=""}`, `m{code=~".+"}`, `code="" against code=~".+"`)
	f(`m{x=~"\\ba"}`, `m{x=~"\\bb"}`, "") // word boundaries are not decided
	f(`m{x=~"^a"}`, `m{x=~"b$"}`, `x=~"^a" against x=~"b$"`)
}

func TestSubset(t *testing.T) {
	f := func(a, b string, want Answer) {
		t.Helper()
		if got := Subset(selector(t, a), selector(t, b)); got != want {
			t.Errorf("Subset(%s, %s) = %v, want %v", a, b, got, want)
		}
	}
	f(`m{code!~"5.."}`, `m`, Yes)
	f(`m{code!~"5.."}`, `m{code=~".*"}`, Yes)
	f(`m`, `m{code!~"5.."}`, No)
	f(`m{code=~"20[014]"}`, `m{code=~"2.."}`, Yes)
	f(`m{code=~"2.."}`, `m{code=~"2.*"}`, Yes)
	f(`m{code=~"2.*"}`, `m{code=~"2.."}`, No)
	f(`m{code=~"2..",job="a"}`, `m{code!~"5..",job=~"a|b"}`, Yes)
	f(`m{code="200"}`, `m{code!~"5..",job="a"}`, No)
	f(`m{x="1",x="2"}`, `n`, Yes)
	f(`m`, `n`, No)
	f(`{__name__=~"m|n",x="1"}`, `{__name__!="o",x=~".+"}`, Yes)
	f(`m{x=~"\\ba"}`, `m{x=~"a.*|b"}`, Unknown)
	f(`m{x=~"(a|b)*a(a|b){30}"}`, `m{x=~"(a|b)*b(a|b){30}"}`, Unknown) // too large to decide
	f(`m{x=~"`+strings.Repeat("a|b|", 2000)+`c"}`, `m{x=~"[abc]"}`, Yes)
}

func selector(t *testing.T, q string) Selector {
	t.Helper()
	e, problems := Parse(q)
	if problems != nil {
		t.Fatalf("Parse(%q): %v", q, problems)
	}
	s, ok := e.Selector()
	if !ok {
		t.Fatalf("%q is no plain selector", q)
	}
	return s
}

func TestMatcherString(t *testing.T) {
	for _, m := range []Matcher{{Name: "a", Op: Equal, Value: `x"\`}, {Name: "a.b", Op: NotRegexp, Value: "é\n"}, {Name: "1a", Op: Regexp}} {
		want, err := m.compile()
		if err != nil {
			t.Fatal(err)
		}
		if got := m.String(); got != want.String() {
			t.Errorf("%+v prints as %s, Prometheus prints %s", m, got, want)
		}
	}
}
