package dashboards

import (
	"bytes"
	"encoding/json"
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/internal/golden"
	"github.com/plimsoll-slo/plimsoll/internal/output"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
	"github.com/plimsoll-slo/plimsoll/slo"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestGolden(t *testing.T) {
	var names []string
	for _, f := range generate(t, testSet(), Options{}) {
		names = append(names, f.Name)
		golden.Check(t, *update, filepath.Join("testdata", "golden", filepath.FromSlash(f.Name)), f.Content)
	}
	if !slices.IsSorted(names) {
		t.Errorf("files %q are not sorted", names)
	}
}

func TestGenerateRefuses(t *testing.T) {
	f := func(set *slo.Set, o Options, want string) {
		t.Helper()
		if _, err := Generate(set, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
	f(testSet(), Options{UID: "a b"}, `have "a b"`)
	f(testSet(), Options{UID: strings.Repeat("x", 31)}, "1 to 30 letters")
	lost := testSet()
	lost.SLOs[2].Alerting.Profile = "gone"
	f(lost, Options{}, `slo "pay-availability": want its alert profile "gone"`)
}

func TestNoSLOsNoFiles(t *testing.T) {
	if files := generate(t, &slo.Set{}, Options{}); len(files) != 0 {
		t.Errorf("got %d files, want none", len(files))
	}
}

// Whatever the set: equal sets give equal bytes, the set is left as it was, and
// places of values in the specs do not matter.
func TestEqualSetsGiveEqualBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := testSet()
		set.SLOs = drawSLOs(t)
		before, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		var copied slo.Set
		if err := json.Unmarshal(before, &copied); err != nil {
			t.Fatal(err)
		}
		for i := range copied.SLOs {
			copied.SLOs[i].At = slo.Pos{File: "moved.yaml", Line: i + 1}
		}
		a, errA := Generate(set, Options{})
		b, errB := Generate(&copied, Options{})
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if !slices.EqualFunc(a, b, func(a, b File) bool { return a.Name == b.Name && bytes.Equal(a.Content, b.Content) }) {
			t.Fatal("equal sets gave different files")
		}
		after, err := json.Marshal(set)
		if err != nil || !bytes.Equal(before, after) {
			t.Fatalf("the set was changed: %v", err)
		}
	})
}

// drawSLOs draws SLOs in the order of their names.
func drawSLOs(t *rapid.T) []slo.SLO {
	names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z][a-z0-9-]{0,8}`), 1, 6, rapid.ID).Draw(t, "names")
	slices.Sort(names)
	var out []slo.SLO
	for _, n := range names {
		s := testSLO(n, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "service"), rapid.SampledFrom([]string{"", "x"}).Draw(t, "team"), "0.99")
		s.Window.Rolling = rapid.SampledFrom([]slo.Duration{7 * day, 28 * day, 30 * day}).Draw(t, "window")
		s.Alerting.Profile = rapid.SampledFrom([]string{"calm", "default"}).Draw(t, "profile")
		s.Alerting.Page, s.Alerting.Ticket = rapid.Bool().Draw(t, "page"), rapid.Bool().Draw(t, "ticket")
		out = append(out, s)
	}
	return out
}

func TestProvider(t *testing.T) {
	files := generate(t, testSet(), Options{UID: "acme", Folder: `The "SLOs": #1`, Path: "/srv/d"})
	f := files[len(files)-1]
	if f.Name != "provisioning/acme.yaml" || !bytes.HasPrefix(f.Content, []byte(output.Header+"\n")) {
		t.Fatalf("file %s starts with %.50q", f.Name, f.Content)
	}
	docs, problems := yamlsrc.Parse(f.Name, f.Content)
	if len(problems) > 0 || len(docs) != 1 {
		t.Fatalf("%d documents, %v", len(docs), problems)
	}
	if !strings.Contains(string(f.Content), `folder: "The \"SLOs\": #1"`) || !strings.Contains(string(f.Content), `path: "/srv/d"`) {
		t.Errorf("options are missing:\n%s", f.Content)
	}
}

// The tiers of the SRE Workbook, ch. 5, table 5-8, for 30 days, and those of SLOs
// that want only some of them.
func TestTiers(t *testing.T) {
	f := func(change func(s *slo.SLO), want ...string) {
		t.Helper()
		p, s := workbook(), testSLO("a", "b", "c", "0.999")
		change(&s)
		var got []string
		for _, t := range tiersOf(&p, &s) {
			got = append(got, t.name()+" above "+t.factor+", at most "+t.limit)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("tiers (-want +got):\n%s", diff)
		}
	}
	page1, page2 := "page, 1h and 5m above 14.4, at most 0.5", "page, 6h and 30m above 6, at most 0.5"
	ticket := "ticket, 3d and 6h above 1, at most 0.5"
	f(func(*slo.SLO) {}, page1, page2, ticket)
	f(func(s *slo.SLO) { s.Alerting.Ticket = false }, page1, page2)
	f(func(s *slo.SLO) { s.Alerting.Page = false }, ticket)
	f(func(s *slo.SLO) { s.Alerting.Page, s.Alerting.Ticket = false, false }, page1, page2, ticket)
	f(func(s *slo.SLO) { s.SLI.SLI = &slo.Deadline{Within: 2 * hour} }, page2, ticket)
	f(func(s *slo.SLO) { s.Window.Rolling = 28 * day; s.Alerting.Ticket = false },
		"page, 1h and 5m above 13.44, at most 0.5", "page, 6h and 30m above 5.6, at most 0.5")
}

// Every part of a partition selects its SLOs and no others.
func TestPartition(t *testing.T) {
	slos := testSet().SLOs
	f := func(keys string, want ...string) {
		t.Helper()
		var got []string
		for _, p := range partition(slos, func(i int) (byte, bool) { return keys[i], keys[i] != '-' }) {
			got = append(got, string(p.key)+" "+p.match)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", keys, diff)
		}
	}
	f("aaaaaa", "a ")
	f("aaabaa", `a slo!~"pay-by-region"`, `b slo=~"pay-by-region"`)
	f("a-aaaa", `a slo!~"checkout-latency"`)
	f("ab----", `a slo!~"checkout-latency|pay-availability|pay-by-region|search-availability|search-fresh"`, `b slo=~"checkout-latency"`)
}
