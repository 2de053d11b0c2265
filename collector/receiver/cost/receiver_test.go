package cost_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/plimsoll-slo/plimsoll/collector/receiver/cost"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const sample = "../../../exporters/cost/testdata/focus/focus_sample_first_500_rows.csv"

// world is a receiver over a directory of bills. It is used in a bubble of synctest.
type world struct {
	t        *testing.T
	dir      string
	sink     *consumertest.MetricsSink
	logs     *observer.ObservedLogs
	receiver receiver.Metrics
	began    time.Time
}

// clock is the day after the last charge of the sample, and goes on with the bubble.
func (w *world) clock() time.Time {
	return time.Date(2024, 9, 30, 23, 0, 0, 0, time.UTC).Add(time.Since(w.began))
}

func newWorld(t *testing.T) *world {
	return &world{t: t, dir: t.TempDir(), began: time.Now()}
}

func (w *world) start(change func(*cost.Config)) {
	w.t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	w.sink, w.logs = new(consumertest.MetricsSink), logs
	factory := cost.NewFactory(w.clock, cost.Readers{})
	cfg := factory.CreateDefaultConfig().(*cost.Config)
	cfg.Sources = map[string]cost.SourceConfig{"focus": {Include: []string{filepath.Join(w.dir, "*.csv*")}}}
	cfg.Budgets = []cost.BudgetConfig{{Name: "dev", Match: map[string]string{"deployment.environment.name": "dev"}, Amount: "12000.10", Currency: "USD"}}
	if change != nil {
		change(cfg)
	}
	if err := cfg.Validate(); err != nil {
		w.t.Fatal(err)
	}
	set := receivertest.NewNopSettings(factory.Type())
	set.Logger = zap.New(core)
	var err error
	if w.receiver, err = factory.CreateMetrics(context.Background(), set, cfg, w.sink); err != nil {
		w.t.Fatal(err)
	}
	if err := w.receiver.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

func (w *world) stop() {
	w.t.Helper()
	if err := w.receiver.Shutdown(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// write writes a bill that was last changed long ago.
func (w *world) write(name string, content []byte) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		w.t.Fatal(err)
	}
	old := w.clock().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		w.t.Fatal(err)
	}
}

// after lets time pass.
func (w *world) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// values returns the values of the last metrics by name and one attribute.
func (w *world) values(name, attribute string) map[string]float64 {
	out := map[string]float64{}
	all := w.sink.AllMetrics()
	if len(all) == 0 {
		return out
	}
	for _, m := range all[len(all)-1].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if m.Name() == name {
			for _, p := range m.Gauge().DataPoints().All() {
				v, _ := p.Attributes().Get(attribute)
				out[v.AsString()] += p.DoubleValue()
			}
		}
	}
	return out
}

func (w *world) wantBilled(what string, want *big.Rat) {
	w.t.Helper()
	wanted, _ := want.Float64()
	if got, ok := w.values("cost.accrued", "cost.metric")["billed"]; !ok || math.Abs(got-wanted) > 1e-9*math.Abs(wanted) {
		w.t.Errorf("%s: billed %v (%t), want %v", what, got, ok, wanted)
	}
}

func (w *world) wantFiles(what string, read, failed, waiting float64) {
	w.t.Helper()
	got := w.values("cost.files", "cost.file.state")
	if got["read"] != read || got["failed"] != failed || got["waiting"] != waiting {
		w.t.Errorf("%s: files %v, want %v read, %v failed, %v waiting", what, got, read, failed, waiting)
	}
}

// bill returns the sample with only the rows that keep wants, and the exact sum of their column of billed cost.
func bill(t *testing.T, keep func(row int) bool) ([]byte, *big.Rat) {
	t.Helper()
	content, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := -1
	for i, name := range records[0] {
		if name == "BilledCost" {
			at = i
		}
	}
	var out bytes.Buffer
	w, sum := csv.NewWriter(&out), new(big.Rat)
	for i, record := range records {
		if i > 0 && !keep(i) {
			continue
		}
		if err := w.Write(record); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			n, ok := new(big.Rat).SetString(record[at])
			if !ok {
				t.Fatalf("row %d: billed cost %q", i, record[at])
			}
			sum.Add(sum, n)
		}
	}
	w.Flush()
	return out.Bytes(), sum
}

func zipped(t *testing.T, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestBills: files come, are restated, break and are repaired.
func TestBills(t *testing.T) {
	whole, wholeSum := bill(t, func(int) bool { return true })
	odd, oddSum := bill(t, func(row int) bool { return row%2 == 1 })
	even, evenSum := bill(t, func(row int) bool { return row%2 == 0 })
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.write("a.csv", odd)
		w.write("b.csv.gz", zipped(t, even))
		w.start(nil)
		defer w.stop()
		w.wantBilled("two halves", wholeSum)
		w.wantFiles("two halves", 2, 0, 0)
		if got := w.values("cost.budget", "cost.budget.name")["dev"]; got != 12000.1 {
			t.Errorf("budget %v, want 12000.1", got)
		}
		// Restated: half of it is taken back.
		w.write("b.csv.gz", zipped(t, []byte(strings.SplitAfter(string(even), "\n")[0])))
		w.after(time.Minute)
		w.wantBilled("restated", oddSum)
		// Broken, in three ways: what was known counts on.
		small := zipped(t, even)
		for i, content := range [][]byte{small[:len(small)/2], whole[:len(whole)-300], []byte("a,b\n1,2\n")} {
			w.write("b.csv.gz", content)
			w.after(time.Minute)
			what := fmt.Sprint("broken ", i)
			w.wantBilled(what, oddSum)
			w.wantFiles(what, 1, 1, 0)
			w.after(3 * time.Minute)
			if n := w.logs.FilterMessageSnippet("not every bill is read").Len(); n != i+1 {
				t.Errorf("%s: logged %d times, want once each", what, n)
			}
		}
		// Repaired.
		w.write("b.csv.gz", even)
		w.after(time.Minute)
		w.wantBilled("repaired", new(big.Rat).Add(oddSum, evenSum))
		w.wantFiles("repaired", 2, 0, 0)
		// A bill that goes away, as into an archive, was spent all the same.
		if err := os.Remove(filepath.Join(w.dir, "a.csv")); err != nil {
			t.Fatal(err)
		}
		w.after(time.Minute)
		w.wantBilled("archived", wholeSum)
	})
}

// TestBeingWritten: a file is read when it has not changed for a while, also if its time is not ours.
func TestBeingWritten(t *testing.T) {
	odd, oddSum := bill(t, func(row int) bool { return row%2 == 1 })
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.write("a.csv", odd[:len(odd)/2])
		later := w.clock().Add(24 * time.Hour)
		if err := os.Chtimes(filepath.Join(w.dir, "a.csv"), later, later); err != nil {
			t.Fatal(err)
		}
		w.start(func(c *cost.Config) { c.Interval, c.Settle = 20*time.Second, 30*time.Second })
		defer w.stop()
		w.wantFiles("half of it", 0, 0, 1)
		w.write("a.csv", odd)
		later = later.Add(time.Second)
		if err := os.Chtimes(filepath.Join(w.dir, "a.csv"), later, later); err != nil {
			t.Fatal(err)
		}
		w.after(40 * time.Second)
		w.wantFiles("all of it", 0, 0, 1)
		if got := w.values("cost.accrued", "cost.metric"); len(got) > 0 {
			t.Errorf("costs of a file that is being written: %v", got)
		}
		w.after(20 * time.Second)
		w.wantFiles("settled", 1, 0, 0)
		w.wantBilled("settled", oddSum)
	})
}

// TestFirstPass: nothing is said of costs before each source was read once; after a restart with storage it is known.
func TestFirstPass(t *testing.T) {
	odd, oddSum := bill(t, func(row int) bool { return row%2 == 1 })
	even, evenSum := bill(t, func(row int) bool { return row%2 == 0 })
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		storage := filepath.Join(w.dir, "made", "state")
		config := func(c *cost.Config) {
			c.Storage.Directory = storage
			c.Sources["late"] = cost.SourceConfig{Kind: "focus", Include: []string{filepath.Join(w.dir, "late", "*")}}
		}
		if err := os.Mkdir(filepath.Join(w.dir, "late"), 0o700); err != nil {
			t.Fatal(err)
		}
		w.write("a.csv", odd)
		w.start(config)
		w.after(5 * time.Minute)
		if got := w.values("cost.accrued", "cost.metric"); len(got) > 0 {
			t.Errorf("costs although a source is missing: %v", got)
		}
		w.wantFiles("missing", 1, 1, 0)
		if n := w.logs.FilterMessageSnippet("until each source was read once").Len(); n != 1 {
			t.Errorf("logged %d times what is missing, want once", n)
		}
		w.write("late/b.csv", even)
		w.after(time.Minute)
		total := new(big.Rat).Add(oddSum, evenSum)
		w.wantBilled("all there", total)
		w.stop()
		// Restarted with a broken file in place of a good one: what it said counts on.
		w.write("late/b.csv", even[:len(even)/2])
		for restart := range 2 {
			w.start(config)
			w.wantBilled(fmt.Sprint("restart ", restart), total)
			w.wantFiles("restart", 1, 1, 0)
			w.stop()
		}
		w.start(func(c *cost.Config) { config(c); c.Storage.Directory = "" })
		w.after(time.Minute)
		if got := w.values("cost.accrued", "cost.metric"); len(got) > 0 {
			t.Errorf("costs without storage and with a file that was never read: %v", got)
		}
		w.stop()
	})
}

// TestStorageBroken: a book that can not be restored is not begun anew in silence.
func TestStorageBroken(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "costs.gob"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	factory := cost.NewFactory(time.Now, cost.Readers{})
	cfg := factory.CreateDefaultConfig().(*cost.Config)
	cfg.Sources = map[string]cost.SourceConfig{"focus": {Include: []string{sample}}}
	cfg.Storage.Directory = dir
	r, err := factory.CreateMetrics(t.Context(), receivertest.NewNopSettings(factory.Type()), cfg, consumertest.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), componenttest.NewNopHost()); err == nil || !strings.Contains(err.Error(), "take it away") {
		t.Errorf("started: %v", err)
	}
	if err := r.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
