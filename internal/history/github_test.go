package history_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/history"
)

// archive returns the text of the embedded file, read without the package.
func archive(t testing.TB) []byte {
	t.Helper()
	f, err := os.Open("github-status.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func github(t testing.TB) history.History {
	t.Helper()
	incidents, err := history.GitHub()
	if err != nil {
		t.Fatal(err)
	}
	return history.New(incidents, history.DefaultModel())
}

func TestArchiveIsTheOneNamed(t *testing.T) {
	sum := sha256.Sum256(archive(t))
	got := hex.EncodeToString(sum[:])
	sources, err := os.ReadFile("SOURCES.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(sources, []byte(got)) {
		t.Errorf("the archive has SHA-256 %s, which SOURCES.md does not name", got)
	}
}

// The text of the file is counted without decoding it.
func TestGitHubCountsAgreeWithTheText(t *testing.T) {
	text := string(archive(t))
	incidents, err := history.GitHub()
	if err != nil {
		t.Fatal(err)
	}
	impacts, components := map[string]int{}, map[string]int{}
	var inferred, retroactive int
	for _, x := range incidents {
		impacts[x.Impact]++
		for _, c := range x.Components {
			components[c]++
		}
		if x.Inferred {
			inferred++
		}
		if x.Retroactive {
			retroactive++
		}
	}
	same := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %d, the text has %d", what, got, want)
		}
	}
	same("entries", len(incidents), strings.Count(text, "\n"))
	same("entries", len(incidents), 399)
	for _, i := range []string{history.None, history.Minor, history.Major, history.Critical, history.Maintenance} {
		same(i, impacts[i], strings.Count(text, `"impact": "`+i+`"`))
	}
	same("inferred", inferred, strings.Count(text, `"components_source": `))
	same("retroactive", retroactive, strings.Count(text, `"status_sequence": ["Resolved"]`))
	lists := ""
	for l := range strings.Lines(text) {
		_, after, _ := strings.Cut(l, `"components": [`)
		list, _, _ := strings.Cut(after, "]")
		lists += list
	}
	for c, n := range components {
		same(c, n, strings.Count(lists, `"`+c+`"`))
	}
	same("components", len(components), 10)
	if components["Visit www"] != 0 {
		t.Error("the link of the status page counts as a component")
	}
}

func TestGitHubSummary(t *testing.T) {
	want := history.Summary{
		Entries: 399, Maintenance: 10, Retroactive: 4, Harmless: 12, Unattributed: 32, Counted: 341, Inferred: 16,
	}
	if d := gocmp.Diff(want, github(t).Summary()); d != "" {
		t.Errorf("summary (-want +got):\n%s", d)
	}
}

// raw is what the straight-line scan reads of a line.
type raw struct {
	Impact     string
	Components []string
	Start      time.Time `json:"downtime_start"`
	End        time.Time `json:"downtime_end"`
}

// grid marks each minute of each component with the worst of the incidents of
// the file: the definition, without sorting or merging.
func grid(t *testing.T, origin time.Time, minutes int) map[string][]int64 {
	t.Helper()
	out := map[string][]int64{}
	permille := map[string]int64{"minor": 50, "major": 300, "critical": 1000}
	for l := range bytes.Lines(archive(t)) {
		var x raw
		if err := json.Unmarshal(l, &x); err != nil {
			t.Fatal(err)
		}
		p := permille[x.Impact]
		for _, c := range x.Components {
			if p == 0 || c == "Visit www" {
				continue
			}
			if out[c] == nil {
				out[c] = make([]int64, minutes)
			}
			for at := x.Start; at.Before(x.End); at = at.Add(time.Minute) {
				i := int(at.Sub(origin) / time.Minute)
				out[c][i] = max(out[c][i], p)
			}
		}
	}
	return out
}

func TestGitHubAgreesWithMinuteGrid(t *testing.T) {
	origin, end := time.Date(2022, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	h := github(t)
	want := grid(t, origin, int(end.Sub(origin)/time.Minute))
	var order []string
	down := map[string]time.Duration{}
	for c, minutes := range want {
		order = append(order, c)
		for i, p := range minutes {
			at := origin.Add(time.Duration(i) * time.Minute)
			if got := h.ErrorRatio(c, at); got != float64(p)/1000 || h.Up(c, at) != (p == 0) {
				t.Fatalf("%s at %s: got error ratio %g, want %d/1000", c, at, got, p)
			}
			if p > 0 {
				down[c] += time.Minute
			}
		}
		if got := h.Downtime(c, origin, end); got != down[c] {
			t.Errorf("downtime of %s: got %v, want %v", c, got, down[c])
		}
	}
	slices.SortFunc(order, func(a, b string) int { return cmp.Or(cmp.Compare(down[b], down[a]), cmp.Compare(a, b)) })
	if d := gocmp.Diff(order, h.Components()); d != "" {
		t.Errorf("components by downtime (-want +got):\n%s", d)
	}
}

// A maintenance of two hours was announced two days before.
func TestMaintenanceStartsWithTheWork(t *testing.T) {
	l := github(t).Maintenances("Actions")
	if len(l) != 2 {
		t.Fatalf("got %d maintenances of Actions, want 2", len(l))
	}
	want := [2]string{"2022-04-08T23:01:00Z", "2022-04-09T01:00:00Z"}
	got := [2]string{l[1].Start.Format(time.RFC3339), l[1].End.Format(time.RFC3339)}
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func BenchmarkGitHub(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		incidents, err := history.GitHub()
		if err != nil {
			b.Fatal(err)
		}
		history.New(incidents, history.DefaultModel())
	}
}
