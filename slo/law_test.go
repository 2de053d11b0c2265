package slo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/internal/schema"
)

// specText draws the text of one spec document of every shape that the format
// allows: a name from names and any of the fields.
type specText struct {
	t        *rapid.T
	services []string
	slos     []string // SLOs that others may refer to: those drawn before
}

func (g *specText) pick(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(g.t, label)
}

func (g *specText) maybe(label, line string) string {
	if rapid.Bool().Draw(g.t, label) {
		return line
	}
	return ""
}

// sli draws an SLI of one of the variants.
func (g *specText) sli() string {
	variants := []string{
		"events:\n      bad: errors_total{job=\"a\"}\n      total: requests_total{job=\"a\"}",
		"events: {good: 'sum by (zone) (hits_total{code!~\"5..\"})', total: sum by (zone) (hits_total)}",
		"events:\n      bad: >-\n        sum by (zone) (errors_total)\n        + sum by (zone) (timeouts_total)\n      total: sum by (zone) (requests_total)",
		"latency: {histogram: 'http_request_duration_seconds{job=\"a\"}', threshold: 300ms}",
		"latency:\n      histogram: rpc_duration_seconds\n      threshold: 1s\n      boundary: \"1.0\"\n      buckets: [0.5, 1, 2.5]",
		"latency: {histogram: rpc_duration_seconds, native: true, threshold: 250ms}",
		"threshold: {metric: queue_length, op: \"<=\", value: 100.5}",
		"deadline: {started: jobs_started_total, finished: jobs_done_total, within: 30m}",
		"freshness: {timestamp: backup_last_success_timestamp_seconds, maxAge: 1d}",
		"coverage: {observed: sum(agents), expected: inventory_hosts}",
		"spend: {cost: cloud_cost, amount: 12000.50, currency: EUR}",
		"availability: {probe: up}",
		"raw: {errorRatio: job:errors:ratio5m}",
	}
	if len(g.slos) >= 2 {
		variants = append(variants, fmt.Sprintf("composite: {method: weighted, members: [{slo: %s, weight: 2}, {slo: %s}]}", g.slos[0], g.slos[1]))
	}
	return g.pick("sli", variants...)
}

func (g *specText) slo(name string) string {
	sli := g.sli()
	targets := []string{`"99.9%"`, "0.995", `"95%"`, `"99.95 %"`, `"100%"`}
	if strings.HasPrefix(sli, "spend") {
		targets = targets[:4] // money needs a budget
	}
	s := "apiVersion: plimsoll.dev/v1\nkind: SLO\nmetadata:\n  name: " + name + "\n" +
		g.maybe("display", "  displayName: \"Ünïcode — 名前\"\n") +
		g.maybe("labels", "  labels: {tier: gold, area: \"1\"}\n") +
		"spec:\n  service: " + g.pick("service", g.services...) + "\n" +
		g.maybe("description", "  description: |\n    Two\n    lines.\n") +
		"  owner: {team: payments" + g.maybe("page", ", page: oncall") + "}\n" +
		"  objective:\n    target: " + g.pick("target", targets...) + "\n" +
		g.maybe("window", "    window: "+g.pick("period", "{rolling: 28d}", "{rolling: 1w2d}", "{calendar: month}", "{calendar: quarter, timeZone: Europe/Berlin}")+"\n") +
		"  sli:\n    " + sli + "\n" +
		g.maybe("noData", "  noData: {after: 5m, treatAs: bad, notify: page}\n") +
		g.maybe("events", "  eventsPerHour: 123456.5\n") +
		g.maybe("alerting", "  alerting: {ticket: false, labels: {x: y}, annotations: {note: \"see # here\"}}\n") +
		g.maybe("links", "  links: {wiki: https://wiki/x}\n")
	if !strings.HasPrefix(sli, "spend") && !strings.HasPrefix(sli, "composite") {
		s += g.maybe("budgeting", "  budgeting: "+g.pick("method", "{method: occurrences}", "{method: ratioTimeslices, slice: 5m}", "{method: timeslices, sliceTarget: \"95%\"}")+"\n")
	}
	if len(g.slos) > 0 {
		s += g.maybe("dependsOn", "  dependsOn: [{slo: "+g.slos[len(g.slos)-1]+", critical: false}]\n")
	}
	return s
}

// documents draws a valid set of specs, one text for each document.
func documents(t *rapid.T) []string {
	g := &specText{t: t, services: []string{"shop", "search"}}
	var out []string
	for i, n := range g.services {
		depends := ""
		if i > 0 {
			depends = "\n  dependsOn: [shop]"
		}
		out = append(out, "apiVersion: plimsoll.dev/v1\nkind: Service\nmetadata: {name: "+n+"}\nspec:\n  owner: {team: "+n+"}"+depends+"\n")
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "SLOs") {
		name := fmt.Sprintf("slo-%d", i)
		out = append(out, g.slo(name))
		g.slos = append(g.slos, name)
	}
	others := []string{
		doc("AlertProfile", "quiet", "tiers: [{severity: ticket, long: 3d, short: 6h, budget: \"10%\"}, {severity: page, long: 1h, short: 5m, burnRate: 14.4}]"),
		doc("BudgetPolicy", "std", "states: [{name: careful, budgetBelow: \"25%\", action: review}, {name: freeze, budgetBelow: \"0%\", recoverAbove: \"5%\", action: freeze, exempt: [security]}]"),
		doc("Adjustment", "sunday", "{type: maintenance, slos: {all: true}, start: 2026-01-04T02:00:00+01:00, duration: 2h, recurrence: FREQ=WEEKLY;BYDAY=SU, timeZone: Europe/Berlin, reason: upgrade}"),
		doc("Adjustment", "test", "{type: correction, slos: {names: [slo-0]}, start: 2026-01-06T02:00:00Z, duration: 2h, badEvents: 12, reason: load test}"),
		doc("Report", "board", "{period: quarter, slos: {services: [shop, search]}}"),
		doc("DataSource", "metrics", "{type: mimir, url: https://mimir.example/prometheus, tenant: a, scrapeInterval: 15s, retention: 400d}"),
	}
	for _, o := range others {
		if rapid.Bool().Draw(t, "other") {
			out = append(out, o)
		}
	}
	return out
}

func doc(kind, name, spec string) string {
	return "apiVersion: plimsoll.dev/v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec:\n  " + spec + "\n"
}

// layout spreads documents over files in a drawn order.
func layout(t *rapid.T, docs []string) []File {
	var out []File
	for i, d := range rapid.Permutation(docs).Draw(t, "order") {
		if len(out) > 0 && rapid.Bool().Draw(t, "same file") {
			last := &out[len(out)-1]
			last.Text = append(last.Text, "---\n"+d...)
			continue
		}
		out = append(out, File{fmt.Sprintf("%c%d.yaml", 'a'+rapid.IntRange(0, 25).Draw(t, "letter"), i), []byte("# head\n" + d)})
	}
	return out
}

// tester is *testing.T, *testing.B or *rapid.T.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

func mustCompile(t tester, files []File) *Set {
	t.Helper()
	set, l := Compile(files)
	if l.Failed() {
		t.Fatalf("findings %v in\n%s", l, join(files))
	}
	return set
}

func join(files []File) string {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "== %s\n%s\n", f.Name, f.Text)
	}
	return b.String()
}

// meaning returns the JSON of set without places.
func meaning(t testing.TB, set *Set) string {
	t.Helper()
	b, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	var strip func(any)
	strip = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				strip(e)
			}
		case map[string]any:
			delete(v, "at")
			delete(v, "places")
			for _, e := range v {
				strip(e)
			}
		}
	}
	strip(v)
	if b, err = json.MarshalIndent(v, "", " "); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestLayoutLaw: neither the order of documents, nor how they are spread over
// files, nor the number of processors changes the meaning of a set.
func TestLayoutLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		docs := documents(t)
		a := mustCompile(t, layout(t, docs))
		files := layout(t, docs)
		b := mustCompile(t, files)
		if a.Digest != b.Digest {
			t.Fatalf("digests differ: %s", cmp.Diff(a, b))
		}
		old := runtime.GOMAXPROCS(1)
		c, _ := Compile(files)
		runtime.GOMAXPROCS(4)
		d, _ := Compile(files)
		runtime.GOMAXPROCS(old)
		var x, y bytes.Buffer
		if _, err := c.WriteTo(&x); err != nil {
			t.Fatal(err)
		}
		if _, err := d.WriteTo(&y); err != nil {
			t.Fatal(err)
		}
		if x.String() != y.String() {
			t.Fatalf("one and four processors differ: %s", cmp.Diff(x.String(), y.String()))
		}
	})
}

// TestMeaningLaw compares the sets themselves, not only their digests.
func TestMeaningLaw(t *testing.T) {
	docs := rapid.Custom(documents).Example(7)
	one := []File{{"all.yaml", []byte(strings.Join(docs, "---\n"))}}
	var many []File
	for i, d := range docs {
		many = append(many, File{fmt.Sprintf("f%02d.yaml", len(docs)-i), []byte("\n\n" + d)})
	}
	if d := cmp.Diff(meaning(t, mustCompile(t, one)), meaning(t, mustCompile(t, many))); d != "" {
		t.Errorf("one file and many differ:\n%s", d)
	}
}

// TestSetJSONLaw: what WriteTo writes, Read reads back as it was.
func TestSetJSONLaw(t *testing.T) {
	seen := map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		set := mustCompile(t, layout(t, documents(t)))
		for _, x := range set.SLOs {
			seen[x.SLI.Kind()] = true
		}
		var b bytes.Buffer
		if _, err := set.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		back, err := Read(&b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(set, back); d != "" {
			t.Fatalf("read back differs:\n%s", d)
		}
	})
	for _, v := range variants() {
		if !seen[v.Kind()] {
			t.Errorf("no set had an SLI of kind %s", v.Kind())
		}
	}
}

// TestDecimalLaw: percentages and fractions of the same value are the same
// Decimal, and a Decimal prints to itself.
func TestDecimalLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 99_999_999).Draw(t, "n")
		fraction := fmt.Sprintf("0.%08d", n)
		percent := fmt.Sprintf("%d.%06d%%", n/1_000_000, n%1_000_000)
		read := func(text string) Decimal {
			set := mustCompile(t, []File{{"f.yaml", []byte(strings.Replace(minimal, `"99.9%"`, `"`+text+`"`, 1))}})
			return set.SLOs[0].Objective
		}
		a, b := read(fraction), read(percent)
		if a != b {
			t.Fatalf("%s is %s, %s is %s", fraction, a, percent, b)
		}
		if want := strings.TrimRight(fraction, "0"); string(a) != want {
			t.Fatalf("got %s, want %s", a, want)
		}
		if c := a.Complement().Complement(); c != a {
			t.Fatalf("twice the complement of %s is %s", a, c)
		}
	})
}

// TestClosestLaw: one edit of a long enough word is found again.
func TestClosestLaw(t *testing.T) {
	words := []string{"objective", "dependsOn", "eventsPerHour", "maxErrorRatio", "budgeting"}
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.SampledFrom(words).Draw(t, "word")
		i := rapid.IntRange(0, len(w)-1).Draw(t, "place")
		broken := rapid.SampledFrom([]string{w[:i] + w[i+1:], w[:i] + "x" + w[i:], w[:i] + "x" + w[i+1:], strings.ToUpper(w), strings.ReplaceAll(w, "O", "_o")}).Draw(t, "edit")
		if got := schema.Closest(broken, words); got != w {
			t.Fatalf("closest to %q is %q, want %q", broken, got, w)
		}
	})
}
