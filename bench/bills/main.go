// Command bills measures how many rows of a bill are read a second, as CSV, compressed CSV and Parquet, and what memory
// that takes however much there is to read.
//
//	go run ./bench/bills -o bench/results/bills.txt
//
// The bill is FOCUS' sample over and over, as one file. As CSV it is made while it is read, so that nothing of it is
// stored; as Parquet it is written to a file first, which is not timed. In the end the costs of each currency must be
// those of the sample times how often it was read, added up here by themselves.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/plimsoll-slo/plimsoll/bench/program"
	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/cost/parquet"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	return program.Run("bills", args, stdout, stderr, func(f *flag.FlagSet) func(io.Writer) error {
		dir := f.String("dir", "", "directory for the Parquet file, by default that of temporary files")
		mib := f.Int64("mib", 5<<10, "how much CSV is read, in MiB; a tenth of it compressed")
		rows := f.Int("rows", 1_000_000, "how many rows of Parquet are read")
		recorded := f.String("sample", "exporters/cost/testdata/focus/focus_sample_first_500_rows.csv", "a bill in FOCUS' form")
		return func(w io.Writer) error { return measure(w, *dir, *recorded, *mib<<20, *rows) }
	})
}

func measure(w io.Writer, dir, recorded string, size int64, rows int) error {
	s, err := readSample(recorded)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "bills: %s, %s/%s, GOMAXPROCS %d, FOCUS' sample of %d rows over and over\n", runtime.Version(), runtime.GOOS, runtime.GOARCH,
		runtime.GOMAXPROCS(0), len(s.records))
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Fprintf(w, "load of the machine at the start %s\n", bytes.Fields(load)[0])
	}
	times := max(1, int(size/int64(len(s.body))))
	if err := s.load(w, "csv", times, &watched{Reader: s.csv(times), w: w}); err != nil {
		return err
	}
	times = max(1, times/10)
	compressed, err := s.compressed(times)
	if err != nil {
		return err
	}
	if err := s.load(w, "csv.gz", times, compressed); err != nil {
		return err
	}
	return s.parquet(w, dir, max(1, rows/len(s.records)))
}

// parquet writes the bill to a file, and reads it.
func (s *sample) parquet(w io.Writer, dir string, times int) (err error) {
	f, err := os.CreateTemp(dir, "plimsoll-bench-*.parquet")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := s.writeParquet(f, times); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "parquet: a file of %d MiB\n", info.Size()>>20)
	text, err := parquet.Open(f, info.Size())
	if err != nil {
		return err
	}
	if err := s.load(w, "parquet", times, text); err != nil {
		return err
	}
	return text.Close()
}

// load reads a bill that is the sample some times over, and checks what it adds up to.
func (s *sample) load(w io.Writer, form string, times int, bill io.Reader) error {
	book := cost.NewBook(time.Date(2024, 9, 1, 0, 0, 0, 0, time.UTC), cost.Options{})
	start, before := time.Now(), program.CPU()
	report, _, err := book.Load("bill", cost.FOCUS, bill, cost.ReadOptions{})
	if err != nil {
		return err
	}
	took, cpu := time.Since(start), program.CPU()-before
	if want := times * len(s.records); report.Rows != want || report.Bad > 0 {
		return fmt.Errorf("%s: read %d rows, %d bad, want %d", form, report.Rows, report.Bad, want)
	}
	if err := s.check(book, times); err != nil {
		return fmt.Errorf("%s: %w", form, err)
	}
	fmt.Fprintf(w, "%s: %d rows, sums as they must be, rows/s %.0f, cpu %s a row, resident at most %d MiB, Go heap %d MiB\n", form, report.Rows,
		float64(report.Rows)/took.Seconds(), (cpu / time.Duration(report.Rows)).Round(100*time.Nanosecond), program.Peak()>>20, program.Heap()>>20)
	return nil
}

// watched says what memory was taken after 64 MiB, and each time twice as much was read.
type watched struct {
	io.Reader
	w          io.Writer
	read, next int64
}

func (r *watched) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if r.read += int64(n); r.next == 0 {
		r.next = 64 << 20
	}
	if r.read >= r.next {
		fmt.Fprintf(r.w, "csv: after %5d MiB: resident at most %d MiB, Go heap %d MiB\n", r.read>>20, program.Peak()>>20, program.Heap()>>20)
		r.next *= 2
	}
	return n, err
}
