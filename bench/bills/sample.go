package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"slices"
	"time"

	library "github.com/parquet-go/parquet-go"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
)

// sample is a bill of a provider.
type sample struct {
	head, body []byte
	columns    []string
	records    [][]string
}

func readSample(path string) (*sample, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	records, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	at := bytes.IndexByte(content, '\n') + 1
	return &sample{content[:at], content[at:], records[0], records[1:]}, nil
}

func (s *sample) get(record []string, column string) string {
	return record[slices.Index(s.columns, column)]
}

// csv returns the bill as text.
func (s *sample) csv(times int) io.Reader { return repeated(s.head, s.body, times) }

// repeated returns a head, and a body over and over.
func repeated(head, body []byte, times int) io.Reader {
	parts := make([]io.Reader, 0, times+1)
	parts = append(parts, bytes.NewReader(head))
	for range times {
		parts = append(parts, bytes.NewReader(body))
	}
	return io.MultiReader(parts...)
}

// compressed returns the bill as it is read from a compressed file, of which each time over is a member.
func (s *sample) compressed(times int) (io.Reader, error) {
	member := func(text []byte) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, _ = w.Write(text) // a buffer takes everything
		_ = w.Close()
		return out.Bytes()
	}
	return gzip.NewReader(repeated(member(s.head), member(s.body), times))
}

// check compares what a book has billed with the sample, added up without the code that is measured.
func (s *sample) check(book *cost.Book, times int) error {
	want := map[string]*big.Rat{}
	for _, record := range s.records {
		amount, ok := new(big.Rat).SetString(s.get(record, "BilledCost"))
		if !ok {
			return fmt.Errorf("no amount: %q", s.get(record, "BilledCost"))
		}
		currency := s.get(record, "BillingCurrency")
		if want[currency] == nil {
			want[currency] = new(big.Rat)
		}
		want[currency].Add(want[currency], amount)
	}
	got := map[string]float64{}
	for _, f := range book.Read(time.Date(2024, 12, 1, 0, 0, 0, 0, time.UTC)).Families {
		for _, p := range f.Points {
			if f.Name == "cost.accrued" && p.Attrs.Text(cost.MetricName) == "billed" {
				got[p.Attrs.Text(cost.CurrencyName)] += p.Value
			}
		}
	}
	for currency, exact := range want {
		wanted, _ := exact.Mul(exact, big.NewRat(int64(times), 1)).Float64()
		if math.Abs(got[currency]-wanted) > 1e-9*math.Abs(wanted) {
			return fmt.Errorf("billed %v %s, want %v", got[currency], currency, wanted)
		}
	}
	return nil
}

// usage is a row of the sample in the types that exports have. Fields are in the order of their names, as in the schema.
type usage struct {
	BilledCost         float64           `parquet:"BilledCost"`
	BillingCurrency    string            `parquet:"BillingCurrency,dict"`
	BillingPeriodEnd   time.Time         `parquet:"BillingPeriodEnd,timestamp(millisecond)"`
	BillingPeriodStart time.Time         `parquet:"BillingPeriodStart,timestamp(millisecond)"`
	ChargeCategory     string            `parquet:"ChargeCategory,dict"`
	ChargePeriodEnd    time.Time         `parquet:"ChargePeriodEnd,timestamp(millisecond)"`
	ChargePeriodStart  time.Time         `parquet:"ChargePeriodStart,timestamp(millisecond)"`
	EffectiveCost      float64           `parquet:"EffectiveCost"`
	ListCost           float64           `parquet:"ListCost"`
	ProviderName       string            `parquet:"ProviderName,dict"`
	ServiceName        string            `parquet:"ServiceName,dict"`
	Tags               map[string]string `parquet:"Tags"`
}

// writeParquet writes the bill, compressed, in groups of a hundred thousand rows.
func (s *sample) writeParquet(out io.Writer, times int) error {
	rows, err := s.usages()
	if err != nil {
		return err
	}
	w := library.NewGenericWriter[usage](out, library.Compression(&library.Zstd), library.MaxRowsPerRowGroup(100_000))
	for range times {
		if _, err := w.Write(rows); err != nil {
			return err
		}
	}
	return w.Close()
}

func (s *sample) usages() (rows []usage, err error) {
	for _, record := range s.records {
		u := usage{
			BillingCurrency: s.get(record, "BillingCurrency"), ChargeCategory: s.get(record, "ChargeCategory"),
			ProviderName: s.get(record, "ProviderName"), ServiceName: s.get(record, "ServiceName"),
		}
		for column, at := range map[string]*time.Time{
			"BillingPeriodStart": &u.BillingPeriodStart, "BillingPeriodEnd": &u.BillingPeriodEnd,
			"ChargePeriodStart": &u.ChargePeriodStart, "ChargePeriodEnd": &u.ChargePeriodEnd,
		} {
			if *at, err = time.Parse(time.DateTime, s.get(record, column)); err != nil {
				return nil, err
			}
		}
		for column, n := range map[string]*float64{"BilledCost": &u.BilledCost, "EffectiveCost": &u.EffectiveCost, "ListCost": &u.ListCost} {
			if _, err := fmt.Sscan(s.get(record, column), n); err != nil {
				return nil, fmt.Errorf("read %s: %w", column, err)
			}
		}
		if tags := s.get(record, "Tags"); tags != "NULL" {
			if err := json.Unmarshal([]byte(tags), &u.Tags); err != nil {
				return nil, err
			}
		}
		rows = append(rows, u)
	}
	return rows, nil
}
