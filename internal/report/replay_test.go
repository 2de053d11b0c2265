package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
	"github.com/plimsoll-slo/plimsoll/internal/report"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

var update = flag.Bool("update", false, "rewrite the reports in testdata")

// gauge is one series of the raw data and its value at a time; false if there is no sample then.
type gauge struct {
	labels store.Labels
	at     func(time.Time) (float64, bool)
}

// play runs the rules of set on the virtual clock over raw data, sampled every minute. At half, if it is not zero, then is
// called.
func play(t testing.TB, set *slo.Set, from, half, to time.Time, raw []gauge, then func(*engine.Engine) error) *engine.Engine {
	t.Helper()
	db, err := store.Open("", store.Options{Replay: to.Sub(from) + time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	e, err := engine.Open(db, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files, err := rules.Files(set, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var load []engine.RuleFile
	for _, f := range files {
		load = append(load, engine.RuleFile{Name: f.Name, Content: f.Content})
	}
	if err := e.Load(load...); err != nil {
		t.Fatal(err)
	}
	series := make([]*store.Series, len(raw))
	for i, g := range raw {
		if series[i], err = db.Series(g.labels); err != nil {
			t.Fatal(err)
		}
	}
	fed := from
	feed := func(now time.Time) error {
		batch := db.Batch()
		for ; !fed.After(now); fed = fed.Add(time.Minute) {
			for i, g := range raw {
				if v, ok := g.at(fed); ok {
					if err := batch.Add(series[i], fed, v); err != nil {
						return err
					}
				}
			}
		}
		return batch.Commit()
	}
	if !half.IsZero() {
		if err := e.Run(t.Context(), engine.Replay{From: from, To: half, Feed: feed}); err != nil {
			t.Fatal(err)
		}
		if err := then(e); err != nil {
			t.Fatal(err)
		}
		from = half.Add(e.Step())
	}
	if err := e.Run(t.Context(), engine.Replay{From: from, To: to, Feed: feed}); err != nil {
		t.Fatal(err)
	}
	return e
}

// ask answers the queries of a report.
func ask(ctx context.Context, t testing.TB, e *engine.Engine, queries []report.Query) report.Facts {
	t.Helper()
	out := report.Facts{}
	for _, q := range queries {
		all := []report.Series{}
		if q.Step == 0 {
			points, err := e.Query(ctx, q.Expr, q.To)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range points {
				all = append(all, report.Series{Labels: p.Labels, Points: []report.Point{{T: q.To, V: p.V}}})
			}
		} else {
			series, err := e.QueryRange(ctx, q.Expr, q.From, q.To, q.Step)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range series {
				x := report.Series{Labels: s.Labels}
				for _, p := range s.Samples {
					x.Points = append(x.Points, report.Point(p))
				}
				all = append(all, x)
			}
		}
		out[q.ID] = all
	}
	return out
}

// compile compiles specs that have no errors.
func compile(t testing.TB, text string) *slo.Set {
	t.Helper()
	set, l := slo.Compile([]slo.File{{Name: "slo.yaml", Text: []byte(text)}})
	if set == nil || l.Failed() {
		t.Fatal(l)
	}
	return set
}

// encoded and recorded write and read what rules recorded.
func encoded(t testing.TB, f report.Facts) []byte {
	t.Helper()
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func recorded(t testing.TB, name string) report.Facts {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out report.Facts
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestGolden compares the forms of the reports of the month and of the week with the files in testdata.
func TestGolden(t *testing.T) {
	month, _ := monthReport(t)
	_, set := weekSets(t)
	week, err := report.Build(set, weekOptions(t), recorded(t, weekFacts))
	if err != nil {
		t.Fatal(err)
	}
	for base, r := range map[string]*report.Report{"may-2023": month, "week": week} {
		for end, write := range map[string]func(io.Writer) error{".md": r.Markdown, ".html": r.HTML, "-report.json": r.JSON} {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, *update, filepath.Join("testdata", base+end), b.Bytes())
			for _, word := range []string{"NaN", "Inf"} {
				if strings.Contains(b.String(), word) {
					t.Errorf("%s%s holds %s", base, end, word)
				}
			}
		}
	}
}
