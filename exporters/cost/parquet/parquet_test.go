package parquet_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	library "github.com/parquet-go/parquet-go"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/cost/parquet"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

var update = flag.Bool("update", false, "rewrite golden files")

// focusRow is a row of the FOCUS sample in the types that exports use. Its fields are in the order of their names, as in
// the schema.
type focusRow struct {
	BilledCost         [16]byte          `parquet:"BilledCost,decimal(11:38)"`
	BillingCurrency    string            `parquet:"BillingCurrency,dict"`
	BillingPeriodEnd   time.Time         `parquet:"BillingPeriodEnd,timestamp(millisecond)"`
	BillingPeriodStart time.Time         `parquet:"BillingPeriodStart,timestamp(millisecond)"`
	ChargeCategory     string            `parquet:"ChargeCategory,dict"`
	ChargeClass        *string           `parquet:"ChargeClass,optional"`
	ChargePeriodEnd    time.Time         `parquet:"ChargePeriodEnd,timestamp(nanosecond)"`
	ChargePeriodStart  time.Time         `parquet:"ChargePeriodStart,timestamp(microsecond)"`
	EffectiveCost      float64           `parquet:"EffectiveCost"`
	ListCost           float64           `parquet:"ListCost"`
	Meters             []string          `parquet:"Meters,list"`
	ProviderName       string            `parquet:"ProviderName,zstd"`
	Tags               map[string]string `parquet:"Tags"`
}

// sample returns the FOCUS sample as CSV and as rows.
func sample(t *testing.T) ([]byte, []focusRow) {
	t.Helper()
	content, err := os.ReadFile("../testdata/focus/focus_sample_first_500_rows.csv")
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]int{}
	for i, name := range records[0] {
		places[name] = i
	}
	var rows []focusRow
	for _, record := range records[1:] {
		get := func(name string) string { return record[places[name]] }
		at := func(name string) time.Time {
			v, err := time.Parse(time.DateTime, get(name))
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		number := func(name string) float64 {
			v, err := strconv.ParseFloat(get(name), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		row := focusRow{
			BilledCost: fixed(t, get("BilledCost"), 11), EffectiveCost: number("EffectiveCost"), ListCost: number("ListCost"),
			BillingCurrency: get("BillingCurrency"), ChargeCategory: get("ChargeCategory"), ProviderName: get("ProviderName"),
			BillingPeriodStart: at("BillingPeriodStart"), BillingPeriodEnd: at("BillingPeriodEnd"),
			ChargePeriodStart: at("ChargePeriodStart"), ChargePeriodEnd: at("ChargePeriodEnd"), Meters: []string{"a", "b"},
		}
		if tags := get("Tags"); tags != "NULL" {
			if err := json.Unmarshal([]byte(tags), &row.Tags); err != nil {
				t.Fatal(err)
			}
		}
		rows = append(rows, row)
	}
	return content, rows
}

// fixed returns a decimal as 16 bytes of two's complement.
func fixed(t *testing.T, text string, scale int64) (out [16]byte) {
	t.Helper()
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("no number: %q", text)
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(scale), nil)))
	n := new(big.Int).Set(r.Num())
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	n.FillBytes(out[:])
	return out
}

func write[T any](t testing.TB, rows []T, options ...library.WriterOption) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := library.Write(&out, rows, options...); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func read(content []byte) (string, error) {
	c, err := parquet.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(c)
	if closed := c.Close(); err == nil {
		err = closed
	}
	return string(text), err
}

// rows returns what cost reads of a text, without lines and the order of tags.
func rows(t *testing.T, text string) (out []string) {
	t.Helper()
	report, err := cost.Read(cost.FOCUS, strings.NewReader(text), cost.ReadOptions{}, func(row *cost.Row) {
		tags := map[string]string{}
		for _, tag := range row.Tags {
			tags[tag.Key] = tag.Value
		}
		out = append(out, fmt.Sprint(row.Provider, row.Billing, row.Charge, row.Currency, row.Category, row.Costs, tags))
	})
	if err != nil || report.Bad > 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	return out
}

// TestFOCUS reads the sample from Parquet, in several row groups, and from CSV.
func TestFOCUS(t *testing.T) {
	content, typed := sample(t)
	text, err := read(write(t, typed, library.MaxRowsPerRowGroup(130), library.Compression(&library.Snappy)))
	if err != nil {
		t.Fatal(err)
	}
	want := rows(t, string(content))
	if d := cmp.Diff(want, rows(t, text)); d != "" || len(want) != 500 {
		t.Errorf("%d rows (-CSV +Parquet):\n%s", len(want), d)
	}
	if strings.Contains(text, "Meters") {
		t.Error("a list is a column")
	}
}

func TestTypes(t *testing.T) {
	type row struct {
		A int32     `parquet:"a,decimal(2:9)"`
		B int64     `parquet:"b,decimal(4:18)"`
		C float64   `parquet:"c"`
		D float32   `parquet:"d"`
		E bool      `parquet:"e"`
		F *int64    `parquet:"f,optional"`
		G int32     `parquet:"g,date"`
		H string    `parquet:"h"`
		I time.Time `parquet:"i,timestamp(microsecond:local)"`
		J struct {
			K string `parquet:"k"`
		} `parquet:"j"`
		L string `parquet:"l"`
	}
	seven := int64(7)
	at := time.Date(2024, 9, 1, 2, 3, 4, 500_000_000, time.UTC)
	got, err := read(write(t, []row{
		{A: -1250, B: 12_345, C: 0.1, D: 0.1, E: true, F: &seven, G: 19_967, H: "a,\"b\"\nc", I: at, L: "end"},
		{C: 1.2345678901234567e-30, D: 1e20, H: "", I: at.Truncate(time.Second), L: "end"},
		{C: math.NaN(), I: at, L: "end"},
	}))
	want := "a,b,c,d,e,f,g,h,i,l\n" +
		"-1250e-2,12345e-4,0.1,0.1,true,7,2024-09-01,\"a,\"\"b\"\"\nc\",2024-09-01T02:03:04.5,end\n" +
		"0e-2,0e-4,0.000000000000000000000000000001234567,1e+20,false,,1970-01-01,,2024-09-01T02:03:04,end\n" +
		"0e-2,0e-4,NaN,0,false,,1970-01-01,,2024-09-01T02:03:04.5,end\n"
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// TestBroken cuts and changes a file at many places: errors or wrong values, but no panic, and no end before the end.
func TestBroken(t *testing.T) {
	_, typed := sample(t)
	content := write(t, typed[:100])
	for cut := 0; cut < len(content); cut += 97 {
		if _, err := read(content[:cut]); err == nil {
			t.Errorf("no error for the first %d of %d bytes", cut, len(content))
		}
	}
	failed := 0
	for at := 0; at < len(content); at += 13 {
		changed := bytes.Clone(content)
		changed[at] ^= 0xff
		if _, err := read(changed); err != nil {
			failed++
		}
	}
	if failed == 0 {
		t.Error("no change was noticed")
	}
	for _, other := range []string{"", "PAR1", "PAR1\x00\x00\x00\x00PAR1", strings.Repeat("BilledCost,1\n", 100)} {
		if _, err := read([]byte(other)); err == nil {
			t.Errorf("no error for %.20q", other)
		}
	}
}

// TestOthers reads files of other writers.
func TestOthers(t *testing.T) {
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".parquet") {
			continue
		}
		text, err := read(exportertest.Read(t, "testdata/"+e.Name()))
		if err != nil {
			t.Errorf("%s: %v", e.Name(), err)
		}
		fmt.Fprintf(&all, "== %s\n%s", e.Name(), text)
	}
	golden.Check(t, *update, "testdata/others.golden", all.Bytes())
}

// TestDecimals: the files of decimals hold 1 to 24 with two decimals, whatever the physical type.
func TestDecimals(t *testing.T) {
	for _, name := range []string{"int32_decimal", "int64_decimal", "fixed_length_decimal", "fixed_length_decimal_legacy", "byte_array_decimal"} {
		text, err := read(exportertest.Read(t, "testdata/"+name+".parquet"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(text), "\n")
		if len(lines) != 25 {
			t.Errorf("%s: %d lines, want 25", name, len(lines))
		}
		for i, line := range lines[1:] {
			if got, err := cost.ParseAmount(line); err != nil || !got.Equal(cost.Whole(int64(i+1))) {
				t.Errorf("%s: line %d is %s, %v", name, i+1, got, err)
			}
		}
	}
}
