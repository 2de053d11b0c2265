package cost_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

var update = flag.Bool("update", false, "rewrite golden files")

// fixture is a file of testdata and how it is read.
type fixture struct {
	file    string
	format  cost.Format
	options cost.ReadOptions
}

// fixtures returns every file of testdata but goldens.
func fixtures(t testing.TB) []fixture {
	t.Helper()
	var out []fixture
	add := func(format cost.Format, dir string, o cost.ReadOptions, names ...string) {
		for _, name := range names {
			out = append(out, fixture{path.Join("testdata", dir, name), format, o})
		}
	}
	add(cost.FOCUS, "focus", cost.ReadOptions{}, "focus_sample_first_500_rows.csv")
	entries, err := os.ReadDir("testdata/focus/scenarios")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		add(cost.FOCUS, "focus/scenarios", cost.ReadOptions{SlashDates: cost.MonthFirst, Currency: "USD"}, e.Name())
	}
	add(cost.CUR, "cur", cost.ReadOptions{}, "legacy.csv", "cur2.csv")
	add(cost.AzureActual, "azure", cost.ReadOptions{}, "actual.ea.csv", "actual.mca.csv")
	add(cost.AzureAmortized, "azure", cost.ReadOptions{}, "amortized.ea.csv")
	usd := cost.ReadOptions{Currency: "USD"}
	add(cost.OpenCostExport, "opencost", usd, "export-sample.csv")
	add(cost.OpenCostAllocation, "opencost", usd, "allocation-example-output.json", "idle.json")
	add(cost.OpenCostCloud, "opencost", usd, "cloudCost-example-output.json")
	return out
}

// TestFixturesAreAll keeps a file from lying in testdata without being read.
func TestFixturesAreAll(t *testing.T) {
	var have, want []string
	for _, f := range fixtures(t) {
		have = append(have, f.file)
	}
	for _, dir := range []string{"focus", "focus/scenarios", "cur", "azure", "opencost"} {
		entries, err := os.ReadDir("testdata/" + dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() {
				want = append(want, path.Join("testdata", dir, e.Name()))
			}
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("files that are there and files that are read (-there +read):\n%s", d)
	}
}

// rowText is a row as a line of a golden file.
func rowText(row *cost.Row) string {
	var b strings.Builder
	day := func(t time.Time) string { return strings.TrimSuffix(t.Format("2006-01-02T15:04"), "T00:00") }
	fmt.Fprintf(&b, "%d %s bill %s..%s charge %s..%s %s %s", row.Line, row.Provider, day(row.Billing.Start), day(row.Billing.End),
		day(row.Charge.Start), day(row.Charge.End), row.Category, row.Currency)
	for m, c := range row.Costs {
		if c.Known {
			fmt.Fprintf(&b, " %s=%s", cost.Metric(m), c)
		}
	}
	for _, tag := range row.Tags {
		fmt.Fprintf(&b, " %q=%q", tag.Key, tag.Value)
	}
	if row.Committed {
		b.WriteString(" committed")
	}
	if row.Correction {
		b.WriteString(" correction")
	}
	return b.String() + "\n"
}

func reportText(r cost.Report) string {
	text := fmt.Sprintf("rows %d bad %d ignored columns %d missing %v truncated %v\n", r.Rows, r.Bad, r.Ignored, r.Missing, r.Truncated)
	for _, p := range r.Problems {
		text += fmt.Sprintf("line %d column %q: %s\n", p.Line, p.Column, p.Trouble)
	}
	troubles, _ := json.Marshal(r.Troubles)
	return text + "troubles " + string(troubles) + "\n"
}

// TestGolden shows each row of every fixture.
func TestGolden(t *testing.T) {
	var all bytes.Buffer
	for _, f := range fixtures(t) {
		fmt.Fprintf(&all, "== %s (%s)\n", strings.TrimPrefix(f.file, "testdata/"), f.format)
		report, err := cost.Read(f.format, bytes.NewReader(exportertest.Read(t, f.file)), f.options, func(row *cost.Row) {
			all.WriteString(rowText(row))
		})
		if err != nil {
			t.Errorf("%s: %v", f.file, err)
		}
		all.WriteString(reportText(report))
	}
	golden.Check(t, *update, "testdata/rows.golden", all.Bytes())
}

// totals sums up what Read returns: by column, and by column and value of the tag environment.
func totals(t testing.TB, f fixture) map[string]*big.Rat {
	t.Helper()
	sums := map[string]*big.Rat{}
	_, err := cost.Read(f.format, bytes.NewReader(exportertest.Read(t, f.file)), f.options, func(row *cost.Row) {
		environment := ""
		for _, tag := range row.Tags {
			if tag.Key == "environment" {
				environment = tag.Value
			}
		}
		for m, c := range row.Costs {
			if c.Known {
				add(sums, cost.Metric(m).String(), rat(t, c.String()))
				add(sums, cost.Metric(m).String()+"/"+environment, rat(t, c.String()))
			}
		}
	})
	if err != nil {
		t.Fatalf("%s: %v", f.file, err)
	}
	return sums
}

func add(sums map[string]*big.Rat, key string, n *big.Rat) {
	if sums[key] == nil {
		sums[key] = new(big.Rat)
	}
	sums[key].Add(sums[key], n)
}

// focusTotals computes the sums of each column, and of each column and environment, in another way: encoding/csv and
// fractions.
func focusTotals(t testing.TB, f fixture) map[string]*big.Rat {
	t.Helper()
	sums := map[string]*big.Rat{}
	content := bytes.TrimPrefix(exportertest.Read(t, f.file), []byte("\xef\xbb\xbf"))
	records, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records[1:] {
		var tags struct{ Environment string }
		if at := slices.Index(records[0], "Tags"); at >= 0 && strings.HasPrefix(record[at], "{") {
			if err := json.Unmarshal([]byte(record[at]), &tags); err != nil {
				t.Fatal(err)
			}
		}
		for column, name := range map[string]string{"BilledCost": "billed", "EffectiveCost": "effective", "ListCost": "list"} {
			if at := slices.Index(records[0], column); at >= 0 {
				n := rat(t, strings.NewReplacer("$", "", ",", "", " ", "").Replace(record[at]))
				add(sums, name, n)
				add(sums, name+"/"+tags.Environment, n)
			}
		}
	}
	return sums
}

func TestFOCUSTotals(t *testing.T) {
	for _, f := range fixtures(t) {
		if f.format == cost.FOCUS {
			equalTotals(t, f.file, totals(t, f), focusTotals(t, f), new(big.Rat))
		}
	}
}

// equalTotals compares sums that may differ by less than an amount, or not at all if it is 0.
func equalTotals(t testing.TB, what string, got, want map[string]*big.Rat, most *big.Rat) {
	t.Helper()
	if len(want) == 0 || len(got) != len(want) {
		t.Errorf("%s: %d sums, want %d", what, len(got), len(want))
	}
	for key, n := range want {
		if got[key] == nil || got[key].Cmp(n) != 0 && new(big.Rat).Abs(new(big.Rat).Sub(got[key], n)).Cmp(most) >= 0 {
			t.Errorf("%s: %s is %v, want %s", what, key, got[key], n.FloatString(20))
		}
	}
}

// TestOpenCostTotals computes the sums of answers from their numbers as generic JSON.
func TestOpenCostTotals(t *testing.T) {
	for _, f := range fixtures(t) {
		if f.format != cost.OpenCostAllocation && f.format != cost.OpenCostCloud {
			continue
		}
		want := map[string]*big.Rat{}
		d := json.NewDecoder(bytes.NewReader(exportertest.Read(t, f.file)))
		d.UseNumber()
		var answer any
		if err := d.Decode(&answer); err != nil {
			t.Fatal(err)
		}
		var walk func(name string, v any)
		walk = func(name string, v any) {
			metric := map[string]string{
				"/totalCost": "allocated", "invoicedCost/cost": "billed", "amortizedNetCost/cost": "effective", "listCost/cost": "list",
			}
			switch v := v.(type) {
			case map[string]any:
				for key, value := range v {
					_, parent, _ := strings.Cut(name, "/")
					if key == "totalCost" {
						parent = ""
					}
					walk(parent+"/"+key, value)
				}
			case []any:
				for _, value := range v {
					walk("/", value)
				}
			case json.Number:
				if m := metric[name]; m != "" {
					add(want, m, rat(t, v.String()))
				}
			}
		}
		walk("/", answer)
		got := totals(t, f)
		for key := range got {
			if strings.Contains(key, "/") {
				delete(got, key)
			}
		}
		// Of the 43 decimals of one idle value the last 7 are dropped.
		equalTotals(t, f.file, got, want, rat(t, "1e-36"))
	}
}

// TestCURHeads reads the same lines under both styles of head.
func TestCURHeads(t *testing.T) {
	read := func(file string) (out string) {
		_, err := cost.Read(cost.CUR, bytes.NewReader(exportertest.Read(t, file)), cost.ReadOptions{}, func(row *cost.Row) {
			for i := range row.Tags {
				row.Tags[i].Key = strings.ToLower(row.Tags[i].Key)
			}
			out += rowText(row)
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if d := cmp.Diff(read("testdata/cur/legacy.csv"), read("testdata/cur/cur2.csv")); d != "" {
		t.Errorf("(-legacy +cur2):\n%s", d)
	}
}

func TestGzip(t *testing.T) {
	plain := exportertest.Read(t, "testdata/cur/legacy.csv")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want, err := cost.Read(cost.CUR, bytes.NewReader(plain), cost.ReadOptions{}, func(*cost.Row) {})
	if err != nil {
		t.Fatal(err)
	}
	got, err := cost.Read(cost.CUR, bytes.NewReader(packed.Bytes()), cost.ReadOptions{}, func(*cost.Row) {})
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v (-plain +gzip):\n%s", err, d)
	}
	// A file that is still being written must not count as a smaller one.
	for _, cut := range []int{1, 8, packed.Len() / 2} {
		if _, err := cost.Read(cost.CUR, bytes.NewReader(packed.Bytes()[:packed.Len()-cut]), cost.ReadOptions{}, func(*cost.Row) {}); err == nil {
			t.Errorf("no error with %d bytes missing", cut)
		}
	}
}
