package cost_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
)

// TestHostileRows: a row with nonsense costs that row at most, and what is wrong is told with line and column.
func TestHostileRows(t *testing.T) {
	good := line("1", 9, 1, "")
	f := func(row, wantProblem string, wantBad int) {
		t.Helper()
		b := cost.NewBook(now, cost.Options{})
		report, _, err := b.Load("a.csv", cost.FOCUS, strings.NewReader(head+good+row+"\n"+good), cost.ReadOptions{})
		if err != nil {
			t.Errorf("%.60q: %v", row, err)
			return
		}
		var got string
		if len(report.Problems) > 0 {
			p := report.Problems[0]
			got = fmt.Sprintf("%d %s %s", p.Line, p.Column, p.Trouble)
		}
		if got != wantProblem || report.Bad != wantBad || report.Rows != 3 {
			t.Errorf("%.60q: problem %q, %d of %d rows bad, want %q, %d of 3", row, got, report.Bad, report.Rows, wantProblem, wantBad)
		}
		if sum := accrued(b.Exact(now), "billed"); wantBad == 1 && sum.String() != "2" {
			t.Errorf("%.60q: accrued %s, want 2", row, sum)
		}
	}
	with := func(billed, effective, currency, start, tags string) string {
		return strings.Join([]string{billed, effective, currency, "2024-09-01", "2024-10-01", start, "2024-09-02", "Usage", "", "AWS", tags}, ",")
	}
	f(with("1e400", "1", "USD", "2024-09-01", ""), "3 billed amount", 1)
	f(with("NaN", "1", "USD", "2024-09-01", ""), "3 billed amount", 1)
	f(with("-Inf", "1", "USD", "2024-09-01", ""), "3 billed amount", 1)
	f(with("0x1p-2", "1", "USD", "2024-09-01", ""), "3 billed amount", 1)
	f(with(strings.Repeat("9", 10_000), "1", "USD", "2024-09-01", ""), "3 billed amount", 1)
	f(with("1", "1e999999999999", "USD", "2024-09-01", ""), "3 effective amount", 0)
	f(with("1", "1", "US", "2024-09-01", ""), "3 currency currency", 1)
	f(with("1", "1", "", "2024-09-01", ""), "3 currency currency", 1)
	f(with("1", "1", "USD", "9/1/24", ""), "3 charge time", 1)
	f(with("1", "1", "USD", "yesterday", ""), "3 charge time", 1)
	f(with("1", "1", "USD", "0001-01-01", ""), "3 charge time", 1)
	f(with("1", "1", "USD", "9999-12-31T23:59:59Z", ""), "3 charge time", 1)
	f(with("1", "1", "USD", "", ""), "3 charge time", 1)
	f(with("1", "1", "USD", "2024-09-03", ""), "3 period period", 1)
	f(with("1", "1", "USD", "2024-09-01", "[1]"), "3 tags tags", 0)
	f(with("1", "1", "USD", "2024-09-01", "{"), "3 tags tags", 0)
	f(with("1", "1", "USD", "2024-09-01", `"`+strings.Repeat("[", 10_000)+`"`), "3 tags tags", 0)
	f(with("1", "1", "USD", "2024-09-01", `"{"" env"":""dev""}"`), "3 tags tag_key", 0)
	f(with("1", "1", "USD", "2024-09-01", "")+",one,two", "3  width", 1)
	f("1,2", "3  width", 1)
	f(`1,"2"3,USD`, "3  syntax", 1)
	f(strings.Replace(with("1", "1", "USD", "2024-09-01", ""), "Usage", "Gift", 1), "3 category category", 0)
	f(with("", "", "USD", "2024-09-01", ""), "", 0)
}

// TestHostileText: what reaches labels is short, valid and on one line.
func TestHostileText(t *testing.T) {
	for _, value := range []string{strings.Repeat("x", 10_000), "a\nb\r\x00\x1b[31m", "caf\xe9\xff\xfe", "\xfe", "a\xff\xffb", strings.Repeat("é", 5_000), `"} 1` + "\n" + `cost_accrued{x="`} {
		tags, err := json.Marshal(map[string]string{"team": "VALUE", "env": "VALUE"})
		if err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\x00", `\u0000`, "\x1b", `\u001b`).Replace(value)
		w := csv.NewWriter(&file)
		record := []string{"1", "1", "USD", "2024-09-01", "2024-10-01", "2024-09-01", "2024-09-02", "Usage", "", value, strings.ReplaceAll(string(tags), "VALUE", quoted)}
		if err := w.WriteAll([][]string{strings.Split(strings.TrimSpace(head), ","), record}); err != nil {
			t.Fatal(err)
		}
		b := cost.NewBook(now, cost.Options{})
		if report, _, err := b.Load("a.csv", cost.FOCUS, &file, cost.ReadOptions{}); err != nil || report.Bad > 0 {
			t.Fatalf("%.40q: %+v, %v", value, report, err)
		}
		for _, family := range b.Exact(now).Families {
			for _, p := range family.Points {
				for _, a := range p.Attrs {
					if s := a.Text(); len(s) > event.MaxText || !utf8.ValidString(s) || strings.ContainsAny(s, "\n\r\x00\x1b") {
						t.Errorf("%.40q: %s{%s=%q}", value, family.Name, a.Name, s)
					}
				}
			}
		}
		exposition(t, b)
	}
}

// TestHostileFiles: what is not the format is an error, without a word of what was read.
func TestHostileFiles(t *testing.T) {
	const canary = "s3cr3t-canary"
	for _, format := range cost.Formats() {
		for _, content := range []string{
			"", "\n\n", canary, `{"` + canary + `"`, `{"code":"` + canary + `"}`, `{"code":500,"message":"` + canary + `"}`,
			`{"code":200,"data":{"` + canary + `":1}}x`, `[1]`, canary + "," + canary + "\n1,2\n", "\x1f\x8b" + canary,
			`{"code":200,"data":[]}{"code":200}`,
		} {
			report, err := cost.Read(format, strings.NewReader(content), cost.ReadOptions{}, func(*cost.Row) {
				t.Errorf("%s: a row in %q", format, content)
			})
			if err == nil {
				t.Errorf("%s: no error for %q", format, content)
			} else if strings.Contains(err.Error(), canary) || strings.Contains(fmt.Sprint(report), canary) {
				t.Errorf("%s: the canary is in %v", format, err)
			}
		}
	}
	// Half a row at the end is half a file.
	whole := head + line("1", 9, 1, `{"env":"a"}`) + line("2", 9, 2, `{"env":"a"}`)
	for _, missing := range []int{3, 20, 60} {
		_, err := cost.Read(cost.FOCUS, strings.NewReader(whole[:len(whole)-missing]), cost.ReadOptions{}, func(*cost.Row) {})
		if err == nil || !strings.Contains(err.Error(), "ends within a record") {
			t.Errorf("without the last %d bytes: %v", missing, err)
		}
	}
	_, err := cost.Read(cost.FOCUS, strings.NewReader(head+line("1", 9, 1, "")), cost.ReadOptions{MaxBytes: 100}, func(*cost.Row) {})
	if err == nil {
		t.Error("no error for a file larger than allowed")
	}
	if _, err = cost.Read("other", strings.NewReader(head), cost.ReadOptions{}, func(*cost.Row) {}); err == nil {
		t.Error("no error for an unknown format")
	}
}

// TestCanary plants a secret in every column that is not meant to be shown.
func TestCanary(t *testing.T) {
	const canary = "s3cr3t-canary"
	shown := map[string]bool{}
	for _, c := range strings.Split(strings.TrimSpace(head), ",") {
		shown[c] = true
	}
	shown["ListCost"] = true
	file := "testdata/focus/focus_sample_first_500_rows.csv"
	records, err := csv.NewReader(bytes.NewReader(exportertest.Read(t, file))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	planted := 0
	for _, record := range records[1:] {
		for i, column := range records[0] {
			if !shown[column] {
				record[i] = canary
				planted++
			}
		}
	}
	if planted < 10_000 {
		t.Fatalf("planted only %d canaries", planted)
	}
	// One in each way to be wrong, too.
	for i, column := range []string{"BilledCost", "EffectiveCost", "BillingCurrency", "ChargePeriodStart", "BillingPeriodEnd", "ChargeCategory", "ChargeClass", "Tags"} {
		for j, name := range records[0] {
			if name == column {
				records[i+1][j] = canary
			}
		}
	}
	var content bytes.Buffer
	if err := csv.NewWriter(&content).WriteAll(records); err != nil {
		t.Fatal(err)
	}
	b := cost.NewBook(now, cost.Options{})
	report, _, err := b.Load(file, cost.FOCUS, &content, cost.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := string(exposition(t, b)) + fmt.Sprint(report)
	if strings.Contains(out, canary) {
		t.Errorf("the canary is in\n%s", out)
	}
	if !strings.Contains(out, `class="ok"`) || report.Bad == 0 {
		t.Errorf("nothing was counted:\n%s", out)
	}
	for _, f := range []fixture{{"testdata/opencost/idle.json", cost.OpenCostAllocation, cost.ReadOptions{Currency: "USD"}}, {"testdata/opencost/cloudCost-example-output.json", cost.OpenCostCloud, cost.ReadOptions{Currency: "USD"}}} {
		planted, err := exportertest.Plant(exportertest.Read(t, f.file), canary)
		if err != nil {
			t.Fatal(err)
		}
		var rows int
		report, err := cost.Read(f.format, bytes.NewReader(planted), f.options, func(*cost.Row) { rows++ })
		if err != nil && strings.Contains(err.Error(), canary) || strings.Contains(fmt.Sprint(report), canary) || rows > 0 {
			t.Errorf("%s: %d rows, %+v, %v", f.file, rows, report, err)
		}
	}
}

// TestManyValues: a tag with a value of its own on each row takes bounded memory and few series.
func TestManyValues(t *testing.T) {
	b := cost.NewBook(now, cost.Options{MaxAllocations: 10, MaxCells: 1000})
	var lines []string
	for i := range 5_000 {
		lines = append(lines, line("0.1", 9, 1, fmt.Sprintf(`{"team":"t%d"}`, i)))
	}
	load(t, b, "a.csv", lines...)
	wantAccrued(t, b, "500")
	if n := strings.Count(text(b.Exact(now), "cost.accrued"), "billed"); n != 11 {
		t.Errorf("%d series, want 11", n)
	}
	// More currencies than there are cost their rows, more of everything the file.
	row := func(currency, provider string, day int) string {
		at := time.Date(1990, 1, 1+day, 0, 0, 0, 0, time.UTC).Format("2006-01-02")
		return fmt.Sprintf("0.1,0.1,%s,2024-09-01,2024-10-01,%s,%s,Usage,,%s,\n", currency, at, at, provider)
	}
	var currencies, cells strings.Builder
	for i := range 100 {
		currencies.WriteString(row(string([]byte{'X', 'A' + byte(i/26), 'A' + byte(i%26)}), "AWS", 0))
	}
	for i := range 1_001 {
		cells.WriteString(row("USD", fmt.Sprint("p", i), i))
	}
	report, _, err := b.Load("currencies.csv", cost.FOCUS, strings.NewReader(head+currencies.String()), cost.ReadOptions{})
	if err != nil || report.Bad != 68 || report.Troubles[cost.TooManyKinds] != 68 {
		t.Errorf("%+v, %v, want 68 bad rows", report, err)
	}
	if _, _, err = b.Load("cells.csv", cost.FOCUS, strings.NewReader(head+cells.String()), cost.ReadOptions{}); err == nil {
		t.Error("no error for more cells than allowed")
	}
}

// endless writes a file of rows without holding it.
type endless struct {
	left int
	rest []byte
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		if e.left--; e.left < 0 {
			return 0, fmt.Errorf("cut off")
		}
		e.rest = []byte(line("0.0000000123", 9, 1+e.left%28, `{"team":"a","env":"dev"}`))
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// TestBoundedMemory reads 20 MB and holds a small part of it.
func TestBoundedMemory(t *testing.T) {
	peak := func(rows int) (most uint64) {
		n := 0
		_, err := cost.Read(cost.FOCUS, &endless{left: rows, rest: []byte(head)}, cost.ReadOptions{}, func(*cost.Row) {
			if n++; n%20_000 == 0 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		})
		if err == nil || n != rows {
			t.Errorf("%d rows of a file that is cut off, error %v, want %d and an error", n, err, rows)
		}
		return most
	}
	small, large := peak(20_000), peak(120_000)
	if large > small+1<<20 {
		t.Errorf("heap of %d bytes after 20,000 rows and %d after 120,000", small, large)
	}
}

func FuzzRead(f *testing.F) {
	for i, x := range fixtures(f) {
		content := exportertest.Read(f, x.file)
		f.Add(i, content[:min(len(content), 4_000)])
	}
	f.Add(0, []byte(head+line("1", 9, 1, `{"team":"a"}`)))
	f.Fuzz(func(t *testing.T, format int, content []byte) {
		formats := cost.Formats()
		x := formats[uint(format)%uint(len(formats))]
		b := cost.NewBook(now, cost.Options{})
		o := cost.ReadOptions{Currency: "USD", SlashDates: cost.DayFirst, MaxBytes: 1 << 20}
		report, _, err := b.Load("a", x, bytes.NewReader(content), o)
		if err != nil {
			return
		}
		if report.Bad > report.Rows || report.Rows > bytes.Count(content, []byte("\n"))+bytes.Count(content, []byte(":"))+1 {
			t.Errorf("%d of %d rows bad", report.Bad, report.Rows)
		}
		first := text(b.Exact(now), "")
		exposition(t, b)
		if _, result, err := b.Load("a", x, bytes.NewReader(content), o); err != nil || result.Changed > 0 {
			t.Errorf("again: %+v, %v", result, err)
		}
		if d := cmp.Diff(first, text(b.Exact(now), "")); d != "" {
			t.Errorf("again (-first +second):\n%s", d)
		}
	})
}

// BenchmarkFOCUS reads the sample over and over as one file, into a book.
func BenchmarkFOCUS(b *testing.B) {
	sample := exportertest.Read(b, "testdata/focus/focus_sample_first_500_rows.csv")
	at := bytes.IndexByte(sample, '\n') + 1
	content := bytes.Clone(sample)
	for range 19 {
		content = append(content, sample[at:]...)
	}
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	rows := 0
	for b.Loop() {
		book := cost.NewBook(now, cost.Options{})
		report, _, err := book.Load("a.csv", cost.FOCUS, bytes.NewReader(content), cost.ReadOptions{})
		if err != nil || report.Rows != 10_000 {
			b.Fatalf("%d rows, %v", report.Rows, err)
		}
		rows += report.Rows
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
