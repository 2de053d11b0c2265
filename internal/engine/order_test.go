package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// one returns the second group of an engine, with one rule.
func one(t *testing.T, rule string) *group {
	t.Helper()
	const others = `
groups:
- name: g
  rules:
  - {alert: Mine, expr: vector(1), labels: {slo: x}}
  - {record: "slo:a", expr: vector(1), labels: {slo: x}}
  - {record: "slo:b", expr: vector(1), labels: {slo: x}}
- name: h
  rules:
  - `
	return newWorld(t, Options{}, others+rule+"\n").engine.groups[1]
}

// touchedBy returns the SLOs that a rule touches.
func touchedBy(t *testing.T, rule string) string {
	t.Helper()
	g := one(t, rule)
	if g.all {
		return everything
	}
	return strings.Join(g.touched, " ")
}

const everything = "everything"

// TestTouchesLabelled: which SLOs a rule touches that says of which one its series are.
func TestTouchesLabelled(t *testing.T) {
	labelled := func(expr, want string) {
		t.Helper()
		if got := touchedBy(t, fmt.Sprintf("{record: 'slo:a', expr: '%s', labels: {slo: me}}", expr)); got != want {
			t.Errorf("%s: got %s, want %s", expr, got, want)
		}
	}
	labelled(`sum(up{job="api"})`, "me")
	labelled(`vector(1)`, "me")
	labelled(`sum(slo:b{slo="x"})`, "me x")
	labelled(`sum(slo:b{slo=~"x|y"}) or sum(slo:b{slo="z"})`, "me x y z")
	labelled(`sum({__name__=~"slo:a|slo:b",slo="x"})`, "me x")
	labelled(`sum({__name__=~"slo:.*",slo="x"})`, "me x")
	labelled(`sum(slo:b)`, everything)
	labelled(`sum(slo:b{slo=~"x.*"})`, everything)
	labelled(`sum(slo:b{slo!="x"})`, everything)
	labelled(`sum(slo:b{slo=""})`, everything)
	labelled(`sum(slo:b{slo=~"|x"})`, everything)
	labelled(`sum({__name__=~"slo:.*"})`, everything)
	labelled(`sum({job="api"})`, everything)
	labelled(`ALERTS{alertname="Mine",slo="x"}`, "me x")
	labelled(`ALERTS{alertname="Mine"}`, everything)
	labelled(`ALERTS`, everything)
	labelled(`ALERTS{alertname="Theirs"}`, "me")
}

// TestTouches: which SLOs a rule touches whose series have their labels from its expression.
func TestTouches(t *testing.T) {
	recording := func(expr, want string) {
		t.Helper()
		if got := touchedBy(t, fmt.Sprintf("{record: 'slo:a', expr: '%s'}", expr)); got != want {
			t.Errorf("%s: got %s, want %s", expr, got, want)
		}
	}
	recording(`slo:b{slo="x"}`, "x")
	recording(`-(slo:b{slo=~"x|y"} + 1 > 2)`, "x y")
	recording(`1 - slo:b{slo="x"}`, "x")
	recording(`up{slo="x"}`, "x")
	recording(`up`, everything)
	recording(`vector(1)`, everything)
	recording(`scalar(slo:b{slo="x"})`, everything)
	recording(`sum by (slo, window) (label_replace(sum_over_time(slo:b{slo="x"}[5m]), "window", "5m", "", ""))`, "x")
	recording(`sum without (window) (slo:b{slo="x"})`, "x")
	recording(`sum(slo:b{slo="x"})`, everything)
	recording(`sum by (job) (slo:b{slo="x"})`, everything)
	recording(`sum without (slo) (slo:b{slo="x"})`, everything)
	recording(`count_values("slo", slo:b{slo="x"})`, everything)
	recording(`max_over_time(slo:b{slo="x"}[5m:1m])`, "x")
	recording(`absent(slo:b{slo="x"})`, everything)
	recording(`label_replace(slo:b{slo="x"}, "slo", "y", "", "")`, everything)
	recording(`slo:b{slo="x"} * on (slo) group_left (team) slo:a{slo="y"}`, "x y")
	recording(`slo:b{slo="x"} * on (job) group_left (slo) up`, everything)
	recording(`up * on (job) group_right () slo:b{slo="x"}`, "x")
	recording(`up * on (job) group_left () slo:b{slo="x"}`, everything)
	recording(`slo:b{slo="x"} / on (slo) slo:a{slo="x"}`, "x")
	recording(`slo:b{slo="x"} / on (job) slo:a{slo="x"}`, everything)
	recording(`slo:b{slo="x"} / ignoring (job) slo:a{slo="x"}`, "x")
	recording(`slo:b{slo="x"} / ignoring (slo) slo:a{slo="x"}`, everything)
	recording(`slo:b{slo="x"} and on () up`, "x")
	recording(`slo:b{slo="x"} unless on () slo:a{slo="y"}`, "x y")
	recording(`slo:b{slo="x"} or slo:a{slo="y"}`, "x y")
	recording(`slo:b{slo="x"} or up`, everything)
	recording(`slo:b{slo="x"} or vector(0)`, everything)
}

// TestTouchesAlert: which SLOs an alert touches, with what its templates ask for.
func TestTouchesAlert(t *testing.T) {
	f := func(rule, want string) {
		t.Helper()
		if got := touchedBy(t, rule); got != want {
			t.Errorf("%s: got %s, want %s", rule, got, want)
		}
	}
	alert := func(text, want string) {
		t.Helper()
		f(`{alert: A, expr: 'slo:b{slo=~"x|y"} > 1', annotations: {a: "`+strings.ReplaceAll(text, `"`, `\"`)+`"}}`, want)
	}
	alert("{{ $labels.slo }} at {{ $value }}", "x y")
	alert("{{ range query (printf `slo:a{slo=%q} * %f` $labels.slo $value) }}{{ .Value }}{{ end }}", "x y")
	alert("{{ range query (printf `slo:a{slo=%q,team=%q}` $labels.slo $labels.team_2) }}{{ .Value }}{{ end }}", "x y")
	alert("{{ range query (printf `slo:a{slo=\"z\"}`) }}{{ .Value }}{{ end }}", "x y z")
	alert("{{ range query (printf `slo:a`) }}{{ .Value }}{{ end }}", everything)
	alert("{{ range query (printf `slo:a{slo=%q}` $labels.team) }}{{ .Value }}{{ end }}", everything)
	alert("{{ range query (printf `slo:a{slo=%s}` $labels.slo) }}{{ .Value }}{{ end }}", everything)
	alert("{{ range query (printf `slo:a{slo=%q}` $value) }}{{ .Value }}{{ end }}", everything)
	alert("{{ $labels := .Else }}{{ range query (printf `slo:a{slo=%q}` $labels.slo) }}{{ .Value }}{{ end }}", everything)
	alert("{{ \"slo:a\" | query }}", everything)
	alert("{{ query \"up\" }}", everything)
	f(`{alert: A, expr: 'slo:b{slo="x"} > 1', labels: {slo: "{{ $labels.other }}"}}`, everything)
	f(`{alert: A, expr: 'up > 1', labels: {slo: me}}`, "me")
	f("{alert: A, expr: 'up > 1', labels: {slo: me}, annotations: {a: '{{ query (printf `slo:a{slo=%q}` $labels.slo) }}'}}", everything)
}

// TestGenerated: of the rules that are generated for SLOs of every kind it can be said what each group touches.
func TestGenerated(t *testing.T) {
	w := newWorld(t, Options{})
	if err := w.engine.Load(kinds(t)...); err != nil {
		t.Fatal(err)
	}
	for _, g := range w.engine.groups {
		if g.all || len(g.touched) == 0 {
			t.Errorf("%s %s touches everything", g.File(), g.Name())
		}
	}
}

// pair is two engines over the same samples, of which the second evaluates groups at the same time.
type pair struct {
	engines [2]*Engine
	told    [2][]string
}

func newPair(t *testing.T) *pair {
	p := &pair{}
	for i := range p.engines {
		p.engines[i] = newWorld(t, Options{
			Parallel: 1 + 3*i,
			Notify: func(_ context.Context, alerts []Alert) {
				for _, a := range alerts {
					p.told[i] = append(p.told[i], fmt.Sprint(a))
				}
			},
		}).engine
	}
	return p
}

// tick evaluates at a time and compares the events.
func (p *pair) tick(t rapid.TB, at time.Time) (events int) {
	var got [2][]Event
	for i, e := range p.engines {
		var err error
		if got[i], err = e.EvalAt(context.Background(), at); err != nil && !Rejected(err) {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(got[0], got[1]); diff != "" {
		t.Fatalf("events at %s (-one after the other +at the same time):\n%s", stamp(at), diff)
	}
	return len(got[0])
}

func (p *pair) load(t rapid.TB, files []RuleFile) {
	for _, e := range p.engines {
		if err := e.Load(files...); err != nil {
			t.Fatal(err)
		}
	}
}

// compare compares what was recorded and sent.
func (p *pair) compare(t *testing.T) int {
	want, got := dump(t, p.engines[0].store), dump(t, p.engines[1].store)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("recorded (-one after the other +at the same time):\n%s", diff)
	}
	if diff := cmp.Diff(p.told[0], p.told[1]); diff != "" {
		t.Fatalf("sent (-one after the other +at the same time):\n%s", diff)
	}
	return len(want)
}

// TestParallelKinds evaluates the rules of every kind of SLO through half an hour, one group after the other and many at
// a time: the same is recorded, to the last bit, and sent in the same order.
func TestParallelKinds(t *testing.T) {
	p := newPair(t)
	p.load(t, kinds(t))
	for _, e := range p.engines {
		if err := e.Warm(t.Context(), t0.Add(-time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	events := 0
	for at := t0; at.Before(minute(32)); at = at.Add(30 * time.Second) {
		for _, e := range p.engines {
			if err := e.store.Append(kindsAt(at)...); err != nil {
				t.Fatal(err)
			}
		}
		events += p.tick(t, at)
	}
	if n := p.compare(t); n < 12_000 || events < 3 || len(p.told[0]) < 3 {
		t.Errorf("want a story, have %d samples, %d events and %d sends", n, events, len(p.told[0]))
	}
}

// drawFiles draws rule files whose groups read what others record, in every way.
func drawFiles(t *rapid.T) []RuleFile {
	slos := rapid.SampledFrom([]string{"x", "y", "z"})
	reads := rapid.Custom(func(t *rapid.T) string {
		a, b := slos.Draw(t, "a"), slos.Draw(t, "b")
		return rapid.SampledFrom([]string{
			`vector(1)`, fmt.Sprintf(`slo:a{slo="%s"}`, a), fmt.Sprintf(`slo:b{slo=~"%s|%s"}`, a, b), fmt.Sprintf(`{__name__=~"slo:a|slo:b",slo="%s"}`, a),
			`slo:a`, fmt.Sprintf(`ALERTS{alertname="A",slo="%s"}`, a), fmt.Sprintf(`slo:b{slo="%s"} offset 1m`, a),
		}).Draw(t, "read")
	})
	var out []RuleFile
	for f := range rapid.IntRange(1, 3).Draw(t, "files") {
		var b strings.Builder
		b.WriteString("groups:\n")
		for g := range rapid.IntRange(1, 4).Draw(t, "groups") {
			fmt.Fprintf(&b, "- name: g%d\n  interval: %s\n  rules:\n", g, rapid.SampledFrom([]string{"1m", "2m"}).Draw(t, "interval"))
			for range rapid.IntRange(1, 3).Draw(t, "rules") {
				kind := rapid.IntRange(0, 3).Draw(t, "kind")
				name := rapid.SampledFrom([]string{"slo:a", "slo:b"}).Draw(t, "name")
				switch read := reads.Draw(t, "expr"); kind {
				case 0, 1:
					fmt.Fprintf(&b, "  - {record: '%s', expr: 'sum(%s) * 1.1 + 1', labels: {slo: %s}}\n", name, read, slos.Draw(t, "of"))
				case 2:
					fmt.Fprintf(&b, "  - {record: '%s', expr: 'sum by (slo) (%s) * 1.1 + 1', labels: {file: f%dg%d}}\n", name, read, f, g)
				case 3:
					fmt.Fprintf(&b, "  - {alert: A, expr: 'sum by (slo) (%s) > 3', labels: {file: f%dg%d}, annotations: {a: '{{ range query (printf `slo:a{slo=%%q}` $labels.slo) }}{{ .Value }}{{ end }}'}}\n", read, f, g)
				}
			}
		}
		out = append(out, RuleFile{Name: fmt.Sprintf("f%d", f), Content: []byte(b.String())})
	}
	return out
}

// TestParallelLaw: what is recorded and sent does not depend on how many groups are evaluated at the same time, whatever
// they read of each other, also when rules change in between.
func TestParallelLaw(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := newPair(t)
		for i := range 12 {
			if i%6 == 0 {
				p.load(r, drawFiles(r))
			}
			p.tick(r, minute(float64(i)))
		}
		p.compare(t)
	})
}

// TestOrderEnds: a tick whose context ends is left, and what was evaluated is told.
func TestOrderEnds(t *testing.T) {
	w := newWorld(t, Options{Parallel: 4})
	if err := w.engine.Load(kinds(t)...); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.engine.EvalAt(ctx, t0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the context", err)
	}
	if n := len(dump(t, w.store)); n != 0 || w.engine.Evaluations() != 0 {
		t.Errorf("recorded %d samples in %d evaluations", n, w.engine.Evaluations())
	}
}

// TestOrder: groups wait for the last ones before them that touch the same, and no others.
func TestOrder(t *testing.T) {
	touch := func(slos ...string) *group { return &group{touched: slos} }
	due := []*group{touch("x"), touch("y"), touch("x", "y"), {all: true}, touch("x"), touch("y"), touch("x"), {changed: true}, touch("z")}
	o := orderOf(due)
	var got []string
	for i, next := range o.next {
		for _, j := range next {
			got = append(got, fmt.Sprintf("%d-%d", i, j))
		}
	}
	slices.Sort(got)
	want := []string{"0-2", "0-3", "1-2", "1-3", "2-3", "3-4", "3-5", "3-6", "3-7", "4-6", "4-7", "5-7", "6-7", "7-8"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who waits for whom (-want +got):\n%s", diff)
	}
	orderOf(nil).run(4, func(int) { t.Error("there is nothing to do") })
}
