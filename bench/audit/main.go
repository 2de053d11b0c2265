// Command audit measures how many Kubernetes audit events a second are read from files, counted and kept, and what
// memory that takes however much there is to read.
//
//	go run ./bench/audit -o bench/results/audit.txt
//
// It generates audit logs from recorded events, at most 64 MiB each, and reads one after the other as the collector does: tailed,
// decoded, counted, and journaled with an fsync for each piece. Only reading is timed. In the end everything that was
// generated must be counted.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/plimsoll-slo/plimsoll/bench/program"
	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/ledger"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
	"github.com/plimsoll-slo/plimsoll/exporters/tail"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// fileBytes is the most that a generated file has.
const fileBytes = 64 << 20

// run returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	return program.Run("audit", args, stdout, stderr, func(f *flag.FlagSet) func(io.Writer) error {
		dir := f.String("dir", "", "directory on the disk to measure, by default that of temporary files")
		mib := f.Int64("mib", 5<<10, "how much is read, in MiB")
		recorded := f.String("events", "exporters/platformapi/sources/testdata/kubernetes_audit/apiserver.log.gz", "recorded audit events, compressed")
		return func(w io.Writer) error { return measure(w, *dir, *recorded, *mib<<20) }
	})
}

func measure(w io.Writer, parent, recorded string, size int64) (err error) {
	lines, err := readLines(recorded)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, "plimsoll-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintf(w, "audit: %s, %s/%s, GOMAXPROCS %d, %d MiB in files of %d MiB\n", runtime.Version(), runtime.GOOS, runtime.GOARCH,
		runtime.GOMAXPROCS(0), size>>20, min(size, fileBytes)>>20)
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Fprintf(w, "load of the machine at the start %s\n", bytes.Fields(load)[0])
	}
	l, err := ledger.Open(filepath.Join(dir, "ledger"), ledger.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	r, err := newReader(dir, l)
	if err != nil {
		return err
	}
	var read int64
	for n := 0; read < size; n++ {
		made, err := generate(filepath.Join(dir, fmt.Sprintf("audit-%d.log", n)), min(size, fileBytes), lines, &r.generated)
		if err != nil {
			return err
		}
		if err := r.file(); err != nil {
			return err
		}
		if read += made; n == 0 || n&(n+1) == 0 || read >= size {
			fmt.Fprintf(w, "after %5d MiB: resident at most %d MiB, Go heap %d MiB, ledger %d KiB\n", read>>20, program.Peak()>>20, program.Heap()>>20, directory(dir)>>10)
		}
	}
	return r.report(w, read)
}

// reader reads the files in a directory.
type reader struct {
	dir       string
	ledger    *ledger.Ledger
	counters  *counters.Counters
	tailer    *tail.Tailer
	decode    source.Decoder
	took, cpu time.Duration
	generated int64 // events that count
}

func newReader(dir string, l *ledger.Ledger) (*reader, error) {
	positions := tail.NewPositions()
	c, err := counters.Open(l, time.Now(), platformapi.New(platformapi.Options{}), positions)
	return &reader{
		dir: dir, ledger: l, counters: c, tailer: tail.New("audit", []string{filepath.Join(dir, "audit-*.log")}, nil, tail.Options{}),
		decode: sources.KubernetesAudit(sources.AuditOptions{}).Decode,
	}, err
}

// file reads what is there, and removes it.
func (r *reader) file() error {
	start, before := time.Now(), program.CPU()
	err := r.tailer.Poll(func(c tail.Chunk) error {
		now := time.Now()
		events, err := r.decode(http.Header{source.BatchHeader: {c.Key}}, c.Body, now)
		if err == nil {
			err = r.counters.Add(append(events, c.Event("kubernetes_audit", now))...)
		}
		if err == nil && r.ledger.Due() {
			err = r.counters.Compact()
		}
		return err
	})
	r.took += time.Since(start)
	r.cpu += program.CPU() - before
	paths, _ := filepath.Glob(filepath.Join(r.dir, "audit-*.log"))
	for _, path := range paths {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

func (r *reader) report(w io.Writer, read int64) error {
	s, err := r.counters.Read(time.Now(), 0)
	if err != nil {
		return err
	}
	var counted int64
	series := 0
	for _, f := range s.Families {
		for _, p := range f.Points {
			series++
			if f.Name == "platform.api.requests" {
				counted += int64(p.Count)
			}
		}
	}
	if counted != r.generated {
		return fmt.Errorf("counted %d requests of %d", counted, r.generated)
	}
	fmt.Fprintf(w, "requests %d, all counted once, in %d series\n", counted, series)
	fmt.Fprintf(w, "read events/s %.0f, MiB/s %.1f, cpu %s an event\n",
		float64(counted)/r.took.Seconds(), float64(read)/(1<<20)/r.took.Seconds(), (r.cpu / time.Duration(counted)).Round(100*time.Nanosecond))
	return nil
}

// readLines returns the events that count.
func readLines(path string) (lines [][]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	all, err := io.ReadAll(r)
	for line := range bytes.Lines(all) {
		if bytes.Contains(line, []byte(`"ResponseComplete"`)) {
			lines = append(lines, line)
		}
	}
	return lines, err
}

// generate writes a file of events, each with an id of its own, and returns its size.
func generate(path string, want int64, lines [][]byte, number *int64) (size int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriter(f)
	for size < want {
		line := lines[*number%int64(len(lines))]
		i := bytes.Index(line, []byte(`"auditID":"`)) + len(`"auditID":"`)
		id := strconv.FormatInt(1e12+*number, 10)
		for _, part := range [][]byte{line[:i], []byte(id), line[i+len(id):]} {
			n, _ := w.Write(part) // Flush reports it
			size += int64(n)
		}
		*number++
	}
	return size, errors.Join(w.Flush(), f.Close())
}

// directory returns the size of the ledger, in bytes.
func directory(dir string) (size int64) {
	paths, _ := filepath.Glob(filepath.Join(dir, "ledger", "*"))
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			size += info.Size()
		}
	}
	return size
}
