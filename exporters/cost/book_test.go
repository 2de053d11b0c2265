package cost_test

import (
	"bytes"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

// now is when most tests read: the day after the last charge of the FOCUS sample, in its billing period.
var now = time.Date(2024, 9, 30, 23, 59, 0, 0, time.UTC)

const head = "BilledCost,EffectiveCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ChargeClass,ProviderName,Tags\n"

// line is a row of FOCUS for one day in September 2024, or in another month by its number.
func line(billed string, month, day int, tags string) string {
	start := time.Date(2024, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	bill := time.Date(2024, time.Month(month), 1, 0, 0, 0, 0, time.UTC)
	f := func(t time.Time) string { return t.Format(time.RFC3339) }
	return fmt.Sprintf("%s,%s,USD,%s,%s,%s,%s,Usage,,AWS,\"%s\"\n", billed, billed, f(bill), f(bill.AddDate(0, 1, 0)),
		f(start), f(start.AddDate(0, 0, 1)), strings.ReplaceAll(tags, `"`, `""`))
}

// load puts a file of FOCUS into the book.
func load(t testing.TB, b *cost.Book, name string, lines ...string) cost.Result {
	t.Helper()
	_, result, err := b.Load(name, cost.FOCUS, strings.NewReader(head+strings.Join(lines, "")), cost.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// text writes a snapshot, one point a line. Only families whose name begins so are written.
func text(s cost.Exact, families string) string {
	var b strings.Builder
	for _, family := range s.Families {
		if !strings.HasPrefix(family.Name, families) {
			continue
		}
		for _, p := range family.Points {
			b.WriteString(family.Name + "{")
			for i, a := range p.Attrs {
				if i > 0 {
					b.WriteString(",")
				}
				b.WriteString(a.Name + "=" + a.Text())
			}
			b.WriteString("} " + p.Value.String() + "\n")
		}
	}
	return b.String()
}

// accrued returns the sum of cost.accrued over all allocations.
func accrued(s cost.Exact, metric string) cost.Amount {
	var sum cost.Amount
	for _, family := range s.Families {
		for _, p := range family.Points {
			if family.Name == "cost.accrued" && p.Attrs.Text(cost.MetricName) == metric {
				sum = sum.Plus(p.Value)
			}
		}
	}
	return sum
}

func wantAccrued(t *testing.T, b *cost.Book, want string) {
	t.Helper()
	if got := accrued(b.Exact(now), "billed"); got.String() != want {
		t.Errorf("accrued %s, want %s", got, want)
	}
}

// fixtureBook returns an empty book without a rule for services, of which the sample has a hundred.
func fixtureBook() *cost.Book {
	return cost.NewBook(now, cost.Options{
		Rules: []cost.Rule{{Attribute: cost.Environment, Keys: []string{"environment", "env"}}, {Attribute: cost.Team, Keys: []string{"team"}}},
		Budgets: []cost.Budget{
			{Name: "dev", Match: map[string]string{cost.Environment: "dev"}, Amount: cost.Whole(12_000), Currency: "USD"},
		},
	})
}

// TestBookFixtures puts every fixture into one book.
func TestBookFixtures(t *testing.T) {
	b := fixtureBook()
	for _, f := range fixtures(t) {
		if _, _, err := b.Load(f.file, f.format, bytes.NewReader(exportertest.Read(t, f.file)), f.options); err != nil {
			t.Fatal(err)
		}
	}
	s := b.Exact(now)
	golden.Check(t, *update, "testdata/book.golden", []byte(text(s, "")))
	for _, f := range fixtures(t) {
		_, result, err := b.Load(f.file, f.format, bytes.NewReader(exportertest.Read(t, f.file)), f.options)
		if err != nil || result.Changed > 0 {
			t.Errorf("again: %+v, %v", result, err)
		}
	}
	if d := cmp.Diff(text(s, ""), text(b.Exact(now), "")); d != "" {
		t.Errorf("reading all again changed (-first +second):\n%s", d)
	}
}

// TestBookEnvironments compares the sums of environments of the sample with those computed by encoding/csv and fractions.
func TestBookEnvironments(t *testing.T) {
	f := fixtures(t)[0]
	b := fixtureBook()
	if _, _, err := b.Load(f.file, f.format, bytes.NewReader(exportertest.Read(t, f.file)), f.options); err != nil {
		t.Fatal(err)
	}
	got := map[string]*big.Rat{}
	for _, family := range b.Exact(now).Families {
		for _, p := range family.Points {
			if family.Name == "cost.accrued" {
				environment := strings.Replace(p.Attrs.Text(cost.Environment), cost.Unallocated, "", 1)
				add(got, p.Attrs.Text(cost.MetricName)+"/"+environment, rat(t, p.Value.String()))
			}
		}
	}
	want := focusTotals(t, f)
	for key := range want {
		if !strings.Contains(key, "/") || strings.HasPrefix(key, "effective") {
			delete(want, key)
		}
	}
	equalTotals(t, f.file, got, want, new(big.Rat))
}

// TestBookTotals compares the book with the sums of the columns, computed by fractions.
func TestBookTotals(t *testing.T) {
	for _, f := range fixtures(t) {
		b := cost.NewBook(now, cost.Options{})
		report, _, err := b.Load(f.file, f.format, bytes.NewReader(exportertest.Read(t, f.file)), f.options)
		if err != nil {
			t.Fatal(err)
		}
		s := b.Exact(now)
		want := totals(t, f)
		for _, metric := range []string{"billed", "effective", "list", "allocated"} {
			n := want[metric]
			if n == nil || metric == "effective" && len(report.Truncated) > 0 {
				n = new(big.Rat)
			}
			if got := rat(t, accrued(s, metric).String()); got.Cmp(n) != 0 {
				t.Errorf("%s: %s is %s, want %s", f.file, metric, got.FloatString(20), n.FloatString(20))
			}
		}
	}
}

func TestTruncated(t *testing.T) {
	b := cost.NewBook(now, cost.Options{})
	file := "testdata/focus/focus_sample_first_500_rows.csv"
	report, _, err := b.Load(file, cost.FOCUS, bytes.NewReader(exportertest.Read(t, file)), cost.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"aws"}, report.Truncated); d != "" {
		t.Error(d)
	}
	if s := text(b.Exact(now), "cost.accrued"); strings.Contains(s, "effective") || !strings.Contains(s, "billed") {
		t.Errorf("effective cost without decimals counts:\n%s", s)
	}
	// Effective cost with its decimals is fine.
	var lines []string
	for i := range 30 {
		lines = append(lines, line(fmt.Sprintf("0.%02d", i+1), 9, 1, ""))
	}
	report, _, err = b.Load("good", cost.FOCUS, strings.NewReader(head+strings.Join(lines, "")), cost.ReadOptions{})
	if err != nil || len(report.Truncated) > 0 {
		t.Errorf("truncated %v, %v", report.Truncated, err)
	}
}

func TestRestated(t *testing.T) {
	b := cost.NewBook(now, cost.Options{})
	load(t, b, "a.csv", line("10", 8, 1, ""), line("5", 9, 1, ""))
	load(t, b, "b.csv", line("1", 9, 2, ""))
	wantAccrued(t, b, "16")
	// Restated, with a credit; August is not in it any more.
	load(t, b, "a.csv", line("7", 9, 1, ""), line("-3.5", 9, 3, ""))
	wantAccrued(t, b, "4.5")
	if got := load(t, b, "a.csv", line("7", 9, 1, ""), line("-3.5", 9, 3, "")); got.Unchanged != 1 || got.Changed != 0 {
		t.Errorf("the same again: %+v", got)
	}
	// Nothing any more: what was spent before is taken back, and the series stay.
	load(t, b, "a.csv")
	wantAccrued(t, b, "1")
	load(t, b, "b.csv")
	if got := text(b.Exact(now), "cost.accrued"); strings.Count(got, "} 0\n") != 2 {
		t.Errorf("want the series at 0, have\n%s", got)
	}
}

func TestSince(t *testing.T) {
	b := cost.NewBook(now, cost.Options{Since: time.Date(2024, 9, 1, 0, 0, 0, 0, time.UTC)})
	load(t, b, "a.csv", line("10", 8, 31, ""), line("5", 9, 1, ""))
	wantAccrued(t, b, "5")
}

func TestCopies(t *testing.T) {
	b := cost.NewBook(now, cost.Options{})
	a := line("7", 9, 1, "")
	load(t, b, "a.csv", a)
	load(t, b, "copy of a.csv", a)
	wantAccrued(t, b, "7")
	if got := text(b.Exact(now), "cost.rows"); !strings.Contains(got, "{class=duplicate,tagged=false} 1\n") {
		t.Errorf("no duplicate in\n%s", got)
	}
	// The copy is all there is when the first becomes another.
	load(t, b, "a.csv", line("1", 9, 1, ""))
	wantAccrued(t, b, "8")
	load(t, b, "copy of a.csv", line("1", 9, 1, ""))
	wantAccrued(t, b, "1")
}

// TestSameBytes: without reservations, Azure's two data sets are equal files that mean different things.
func TestSameBytes(t *testing.T) {
	b := cost.NewBook(now, cost.Options{})
	for _, format := range []cost.Format{cost.AzureActual, cost.AzureAmortized} {
		content := exportertest.Read(t, "testdata/azure/amortized.ea.csv")
		if _, result, err := b.Load(string(format), format, bytes.NewReader(content), cost.ReadOptions{}); err != nil || result.Changed != 1 {
			t.Fatalf("%s: %+v, %v", format, result, err)
		}
	}
	s := b.Exact(now)
	if billed, effective := accrued(s, "billed"), accrued(s, "effective"); !billed.Equal(effective) || billed.Sign() == 0 {
		t.Errorf("billed %s, effective %s, want the same", billed, effective)
	}
	if rows := text(s, "cost.rows"); strings.Contains(rows, "duplicate") {
		t.Errorf("a duplicate in\n%s", rows)
	}
}

// deliver commits files of FOCUS as one version.
func deliver(t testing.TB, b *cost.Book, source, version string, files ...string) cost.Result {
	t.Helper()
	d := b.Begin(source, version)
	for i, file := range files {
		if _, err := d.Read(fmt.Sprint(i), cost.FOCUS, strings.NewReader(head+file), cost.ReadOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	result, err := d.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestVersions(t *testing.T) {
	b := cost.NewBook(now, cost.Options{})
	deliver(t, b, "aws", "2024-09-30", line("10", 8, 1, ""), line("1", 9, 1, ""), line("2", 9, 2, ""))
	wantAccrued(t, b, "13")
	// A newer version has September only, in fewer files. August stays.
	deliver(t, b, "aws", "2024-10-01", line("4", 9, 1, ""))
	wantAccrued(t, b, "14")
	// An older one comes late.
	if got := deliver(t, b, "aws", "2024-09-29", line("100", 9, 1, ""), line("9", 7, 1, "")); got.Superseded != 1 || got.Changed != 1 {
		t.Errorf("late: %+v", got)
	}
	wantAccrued(t, b, "23")
	// Equal parts of one version are meant.
	deliver(t, b, "aws", "2024-10-02", line("4", 9, 1, ""), line("4", 9, 1, ""))
	wantAccrued(t, b, "27")
	// Another account with the same numbers cannot be told from a copy; it counts once.
	deliver(t, b, "copy", "1", line("4", 9, 1, ""))
	wantAccrued(t, b, "27")
}

func TestBrokenDelivery(t *testing.T) {
	b := cost.NewBook(now, cost.Options{})
	load(t, b, "a.csv", line("7", 9, 1, ""))
	d := b.Begin("a.csv", "")
	if _, err := d.Read("", cost.FOCUS, strings.NewReader("A,B\n1,2\n"), cost.ReadOptions{}); err == nil {
		t.Error("no error for a file of another kind")
	}
	if _, err := d.Commit(); err == nil {
		t.Error("no error for a broken delivery")
	}
	wantAccrued(t, b, "7")
}

func TestCurrencies(t *testing.T) {
	b := cost.NewBook(now, cost.Options{})
	load(t, b, "a.csv", line("7", 9, 1, ""), strings.Replace(line("5", 9, 1, ""), "USD", "EUR", 1), strings.Replace(line("3", 9, 1, ""), "USD", "dollar", 1))
	got := text(b.Exact(now), "cost.accrued")
	for _, want := range []string{"cost.currency=USD,cost.metric=billed,deployment.environment.name=unallocated,platform.team=unallocated,service.name=unallocated} 7\n", "cost.currency=EUR,cost.metric=billed,deployment.environment.name=unallocated,platform.team=unallocated,service.name=unallocated} 5\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Count(got, "\n") != 4 {
		t.Errorf("want billed and effective of two currencies, have\n%s", got)
	}
	if got := text(b.Exact(now), "cost.data.troubles"); got != "cost.data.troubles{cost.trouble=currency} 1\n" {
		t.Errorf("troubles %s", got)
	}
}

func TestAllocation(t *testing.T) {
	rules := []cost.Rule{
		{Attribute: cost.Environment, Keys: []string{"environment", "env"}, Aliases: map[string]string{"prod": "production"}},
		{Attribute: cost.Team, Keys: []string{"team"}, Default: "nobody"},
	}
	f := func(tags, want string) {
		t.Helper()
		b := cost.NewBook(now, cost.Options{Rules: rules})
		load(t, b, "a.csv", line("1", 9, 1, tags))
		got := text(b.Exact(now), "cost.accrued")
		if !strings.Contains(got, "cost.metric=billed,"+want+"} 1\n") {
			t.Errorf("%s: want %s in\n%s", tags, want, got)
		}
	}
	const environment, team = "deployment.environment.name=", ",platform.team="
	f(``, environment+"unallocated"+team+"nobody")
	f(`{"env":"Prod","team":" Checkout "}`, environment+"production"+team+"checkout")
	f(`{" env":"dev"}`, environment+"dev"+team+"nobody")
	f(`{"ENV ":"dev","env":"test"}`, environment+"test"+team+"nobody")
	f(`{"ENV ":"dev","Env":"test"}`, environment+"dev"+team+"nobody")
	f(`{"env":"dev","Environment":"stage"}`, environment+"stage"+team+"nobody")
	f(`{"environment":"","env":"dev"}`, environment+"dev"+team+"nobody")
	f(`{"environment":null,"team":7}`, environment+"unallocated"+team+"7")
	f(`{"environment":{"a":"b"}}`, environment+"unallocated"+team+"nobody")
	f(`not json`, environment+"unallocated"+team+"nobody")
	f(`{"team":"a\nb"}`, environment+"unallocated"+team+"a b")
	f(`{"team":"`+strings.Repeat("x", 10_000)+`"}`, environment+"unallocated"+team+strings.Repeat("x", event.MaxText))
}

func TestOverflow(t *testing.T) {
	b := cost.NewBook(now, cost.Options{MaxAllocations: 2})
	var lines []string
	for i := range 100 {
		lines = append(lines, line("1", 9, 1, fmt.Sprintf(`{"team":"t%02d"}`, i)))
	}
	load(t, b, "a.csv", lines...)
	wantAccrued(t, b, "100")
	if got := text(b.Exact(now), "cost.accrued"); strings.Count(got, "billed") != 3 || !strings.Contains(got, "cost.metric=billed,otel.metric.overflow=true} 98\n") {
		t.Errorf("have\n%s", got)
	}
	// What has a series keeps it, whatever comes before it in order.
	load(t, b, "b.csv", line("1", 9, 1, `{"team":"a"}`))
	if got := text(b.Exact(now), "cost.accrued"); !strings.Contains(got, "platform.team=t01") || !strings.Contains(got, "billed,otel.metric.overflow=true} 99\n") {
		t.Errorf("have\n%s", got)
	}
}

// TestSpend checks the periods: the month by bill, the others by day and up to the last whole day of data.
func TestSpend(t *testing.T) {
	b := cost.NewBook(now, cost.Options{Rules: []cost.Rule{{Attribute: cost.Environment, Keys: []string{"env"}}}})
	correction := "-100,-100,USD,2024-09-01,2024-10-01,2024-08-20,2024-08-21,Adjustment,Correction,AWS,\n"
	load(t, b, "a.csv", line("1", 8, 15, ""), line("2", 9, 10, ""), line("4", 9, 19, ""), line("8", 9, 20, ""), correction)
	at := time.Date(2024, 9, 21, 6, 0, 0, 0, time.UTC)
	f := func(at time.Time, want ...string) {
		t.Helper()
		var got []string
		for _, l := range strings.Split(text(b.Exact(at), "cost.spend"), "\n") {
			if strings.Contains(l, "billed") {
				_, category, _ := strings.Cut(l, "cost.charge_category=")
				category, _, _ = strings.Cut(category, ",")
				_, period, _ := strings.Cut(l, "cost.period=")
				period, value, _ := strings.Cut(period, ",")
				got = append(got, category+" "+period+value[strings.LastIndex(value, " "):])
			}
		}
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("at %v (-want +got):\n%s", at, d)
		}
	}
	f(at, "adjustment mtd -100", "usage last_day 8", "usage mtd 14", "usage trailing_30d 14", "usage trailing_7d 12")
	// Data that stopped: the last day of then is not the last day of now.
	f(at.AddDate(0, 0, 8), "adjustment mtd -100", "usage mtd 14")
	f(at.AddDate(0, 1, 0))
	if got := text(b.Exact(at), "cost.data.age"); got != "cost.data.age{cost.provider=aws} 21600\n" {
		t.Errorf("age %s, want 6 h", got)
	}
}

// TestLaws: files in any order, read twice, or cut in two give the same totals and series.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.Custom(func(t *rapid.T) string {
			return line(rapid.StringMatching(`-?[0-9]{1,9}\.[0-9]{1,15}`).Draw(t, "billed"), rapid.IntRange(7, 9).Draw(t, "month"), rapid.IntRange(1, 28).Draw(t, "day"),
				rapid.SampledFrom([]string{"", `{"env":"dev"}`, `{" Env":"DEV "}`, `{"team":"x","environment":"prod"}`}).Draw(t, "tags"))
		})
		files := rapid.SliceOfN(rapid.SliceOfN(row, 0, 8), 1, 5).Draw(t, "files")
		want := new(big.Rat)
		distinct := map[string]bool{}
		straight := cost.NewBook(now, cost.Options{})
		order := rapid.Permutation(indices(len(files))).Draw(t, "order")
		for i, file := range files {
			d := straight.Begin(fmt.Sprint(i), "v")
			readInto(t, d, "", file)
			commit(t, d)
			if distinct[strings.Join(file, "")] {
				continue
			}
			distinct[strings.Join(file, "")] = true
			for _, l := range file {
				amount, _, _ := strings.Cut(l, ",")
				want.Add(want, rat(t, amount))
			}
		}
		shuffled := cost.NewBook(now, cost.Options{})
		for _, i := range append(order, order...) {
			d := shuffled.Begin(fmt.Sprint(i), "v")
			readInto(t, d, "", files[i])
			commit(t, d)
		}
		if got := rat(t, accrued(straight.Exact(now), "billed").String()); got.Cmp(want) != 0 {
			t.Fatalf("accrued %s, want %s", got.FloatString(20), want.FloatString(20))
		}
		for _, family := range []string{"cost.accrued", "cost.spend", "cost.data", "cost.environments"} {
			if d := cmp.Diff(text(straight.Exact(now), family), text(shuffled.Exact(now), family)); d != "" {
				t.Fatalf("order matters (-straight +shuffled):\n%s", d)
			}
		}
		one, two := cost.NewBook(now, cost.Options{}), cost.NewBook(now, cost.Options{})
		file := files[0]
		cut := rapid.IntRange(0, len(file)).Draw(t, "cut")
		d := one.Begin("s", "v")
		readInto(t, d, "", file)
		commit(t, d)
		d = two.Begin("s", "v")
		readInto(t, d, "1", file[:cut])
		readInto(t, d, "2", file[cut:])
		commit(t, d)
		if d := cmp.Diff(text(one.Exact(now), ""), text(two.Exact(now), "")); d != "" {
			t.Fatalf("cut at %d (-one +two):\n%s", cut, d)
		}
	})
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func readInto(t *rapid.T, d *cost.Delivery, part string, lines []string) {
	if _, err := d.Read(part, cost.FOCUS, strings.NewReader(head+strings.Join(lines, "")), cost.ReadOptions{}); err != nil {
		t.Fatal(err)
	}
}

func commit(t *rapid.T, d *cost.Delivery) {
	if _, err := d.Commit(); err != nil {
		t.Fatal(err)
	}
}

// TestConcurrent is for the race detector: deliveries, readings and saving at the same time.
func TestConcurrent(t *testing.T) {
	b := cost.NewBook(now, cost.Options{})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			load(t, b, fmt.Sprint(i), line(fmt.Sprint(i), 9, i+1, ""))
			b.Exact(now)
			if err := b.Save(io.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	wantAccrued(t, b, "28")
}
