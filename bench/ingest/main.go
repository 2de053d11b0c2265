// Command ingest measures how many webhooks a second the collector's receiver takes when it answers only what is on
// disk, and how long an answer takes, with 1, 8 and 64 senders at a time.
//
//	go run ./bench/ingest -o bench/results/ingest.txt
//
// Everything is real: the receiver with its HTTP server on loopback, signed deliveries of the size that GitHub sends,
// the ledger with an fsync before each answer. The senders run in the same process, so what they cost, a signature and
// an HTTP request a delivery, is taken from the same cores.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/bench/program"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	return program.Run("ingest", args, stdout, stderr, func(f *flag.FlagSet) func(io.Writer) error {
		dir := f.String("dir", "", "directory on the disk to measure, by default that of temporary files")
		each := f.Duration("each", 5*time.Second, "how long each number of senders is measured")
		payload := f.String("payload", "exporters/pipelines/sources/testdata/github/completed.payload.json", "workflow_run delivery to vary")
		return func(w io.Writer) error { return measure(w, *dir, *payload, *each) }
	})
}

func measure(w io.Writer, parent, payload string, each time.Duration) error {
	body, err := os.ReadFile(payload)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, "plimsoll-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	sync, err := syncTimes(dir, 200)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "ingest: %s, %s/%s, GOMAXPROCS %d, senders in the same process, %v for each number of senders, deliveries of %d bytes\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), each, len(body))
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Fprintf(w, "load of the machine at the start %s\n", bytes.Fields(load)[0])
	}
	fmt.Fprintf(w, "fsync_of_100_bytes p50 %s p99 %s\n", milliseconds(quantile(sync, 0.5)), milliseconds(quantile(sync, 0.99)))
	for _, storage := range []string{"durable", "memory"} {
		for _, senders := range []int{1, 8, 64} {
			kept := ""
			if storage == "durable" {
				kept = filepath.Join(dir, fmt.Sprint("ledger", senders))
			}
			before := program.CPU()
			times, took, err := ingest(kept, body, senders, each)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%s_senders_%d deliveries/s %.0f, acknowledged after p50 %s p99 %s, cpu of both sides %s each, %d deliveries\n", storage, senders,
				float64(len(times))/took.Seconds(), milliseconds(quantile(times, 0.5)), milliseconds(quantile(times, 0.99)),
				milliseconds((program.CPU()-before)/time.Duration(max(len(times), 1))), len(times))
		}
	}
	return nil
}

// syncTimes returns how long the disk takes to keep 100 bytes at the end of a file, sorted.
func syncTimes(dir string, n int) ([]time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var times []time.Duration
	for range n {
		start := time.Now()
		if _, err := f.Write(make([]byte, 100)); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times, nil
}

// quantile returns the q-quantile of sorted times, by nearest rank; 0 of none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }
