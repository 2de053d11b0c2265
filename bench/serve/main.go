// Command serve measures plimsoll serve: time, CPU and memory to evaluate many SLOs, and how fast it starts with a
// month of data.
//
//	go run ./bench/serve -o bench/results/serve.txt
//
// The input is pre-aggregated, as the collector makes it: two counters for each SLO, one sample every 30 s.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/bench/program"
	"github.com/plimsoll-slo/plimsoll/internal/server"
	"github.com/plimsoll-slo/plimsoll/internal/store"
)

func main() {
	os.Exit(program.Run("serve", os.Args[1:], os.Stdout, os.Stderr, func(f *flag.FlagSet) func(io.Writer) error {
		slos := f.Int("slos", 10_000, "SLOs that are evaluated")
		ticks := f.Int("ticks", 20, "measured ticks of 30 s")
		month := f.Int("month-slos", 20, "SLOs of the store with a month of data; 0 leaves that out")
		return func(w io.Writer) error {
			fmt.Fprintf(w, "%s, %d CPUs, GOMAXPROCS %d\n\n", runtime.Version(), runtime.NumCPU(), runtime.GOMAXPROCS(0))
			if err := evaluate(w, *slos, *ticks); err != nil || *month <= 0 {
				return err
			}
			return startUp(w, *month)
		}
	}))
}

// writeSpecs writes n SLOs below dir.
func writeSpecs(dir string, n int) error {
	var b strings.Builder
	b.WriteString("apiVersion: plimsoll.dev/v1\nkind: Service\nmetadata: {name: shop}\nspec: {owner: {team: shop}}\n")
	for i := range n {
		fmt.Fprintf(&b, `---
apiVersion: plimsoll.dev/v1
kind: SLO
metadata: {name: slo-%05d}
spec:
  service: shop
  objective: {target: "99.9%%"}
  runbook: https://example.com/runbook
  sli:
    events:
      total: sli_events_total{sli="%05d"}
      bad: sli_bad_total{sli="%05d"}
`, i, i, i)
		if i%500 == 499 || i == n-1 {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("slos-%05d.yaml", i)), []byte(b.String()), 0o600); err != nil {
				return err
			}
			b.Reset()
		}
	}
	return nil
}

// start is when the measured time begins.
var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// counters are what the collector sends for each SLO.
func counters(i int, t time.Time) []store.Sample {
	since := t.Sub(start.Add(-40 * 24 * time.Hour)).Seconds()
	l := func(name string) store.Labels {
		return store.Labels{store.Name: name, "sli": fmt.Sprintf("%05d", i), "job": "shop", "instance": "collector"}
	}
	return []store.Sample{{Labels: l("sli_events_total"), T: t, V: since * 50}, {Labels: l("sli_bad_total"), T: t, V: float64(int(since * 0.02))}}
}

// evaluate feeds a server and measures its ticks. It reports the median and the slowest.
func evaluate(w io.Writer, slos, ticks int) error {
	dir, err := os.MkdirTemp("", "plimsoll-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeSpecs(dir, slos); err != nil {
		return err
	}
	before := resident()
	now := start
	began := time.Now()
	s, err := server.Open(context.Background(), server.Options{Specs: []string{dir}, Data: filepath.Join(dir, "data"), Now: func() time.Time { return now }})
	if err != nil {
		return err
	}
	defer s.Close()
	opened := time.Since(began)
	h := httptest.NewServer(s.Handler())
	defer h.Close()
	var wall, cpu []time.Duration
	for i := 1; i <= ticks+16; i++ {
		now = start.Add(time.Duration(i) * 30 * time.Second)
		if err := feed(h.URL, slos, now.Add(-15*time.Second)); err != nil {
			return err
		}
		c, t := program.CPU(), time.Now()
		s.Step(context.Background())
		if i > 16 { // from then on the shorter windows are full
			wall, cpu = append(wall, time.Since(t)), append(cpu, program.CPU()-c)
		}
	}
	slices.Sort(wall)
	slices.Sort(cpu)
	n := time.Duration(slos)
	fmt.Fprintf(w, "evaluation of %d SLOs, fed with %d series by remote write every 30 s, %d ticks, one in eight with the slow groups\n", slos, 2*slos, ticks)
	fmt.Fprintf(w, "  open with empty data:  %8.2f s\n", opened.Seconds())
	fmt.Fprintf(w, "  tick, median / worst:  %8.2f s / %.2f s wall, %.2f s / %.2f s CPU\n", wall[len(wall)/2].Seconds(), wall[len(wall)-1].Seconds(),
		cpu[len(cpu)/2].Seconds(), cpu[len(cpu)-1].Seconds())
	fmt.Fprintf(w, "  load of the machine:   %s, this program included, over the last 1, 5 and 15 minutes\n", load())
	fmt.Fprintf(w, "  CPU per SLO and tick:  %8.3f ms median\n", float64((cpu[len(cpu)/2]/n).Microseconds())/1000)
	runtime.GC()
	fmt.Fprintf(w, "  memory:                %8.1f MB resident, %.1f KB per SLO above the empty process\n\n", float64(resident())/1e6, float64(resident()-before)/1e3/float64(slos))
	return nil
}

// startUp fills a store with a month of what 45 series of each SLO would hold and measures how long it takes to open.
func startUp(w io.Writer, slos int) error {
	const perSLO, days = 45, 30
	dir, err := os.MkdirTemp("", "plimsoll-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeSpecs(dir, slos); err != nil {
		return err
	}
	st, err := store.Open(filepath.Join(dir, "data", "tsdb"), store.Options{Retention: 45 * 24 * time.Hour})
	if err != nil {
		return err
	}
	b := st.Batch()
	var series []*store.Series
	for i := range slos * perSLO {
		sr, err := st.Series(store.Labels{store.Name: fmt.Sprintf("slo:recorded%d", i%perSLO), "slo": fmt.Sprintf("slo-%05d", i/perSLO), "service": "shop"})
		if err != nil {
			return err
		}
		series = append(series, sr)
	}
	n := 0
	for t := start.Add(-days * 24 * time.Hour); t.Before(start); t = t.Add(30 * time.Second) {
		for i, sr := range series {
			if err := b.Add(sr, t, float64((n+i)%17)); err != nil {
				return err
			}
		}
		if n++; n%240 == 0 {
			if err := b.Commit(); err != nil {
				return err
			}
			if err := st.Compact(context.Background()); err != nil {
				return err
			}
		}
	}
	if err := b.Commit(); err != nil {
		return err
	}
	if err := st.Close(); err != nil {
		return err
	}
	began := time.Now()
	s, err := server.Open(context.Background(), server.Options{Specs: []string{dir}, Data: filepath.Join(dir, "data"), Now: func() time.Time { return start }})
	if err != nil {
		return err
	}
	took := time.Since(began)
	res := httptest.NewRecorder()
	s.Handler().ServeHTTP(res, httptest.NewRequest(http.MethodGet, "/-/healthy", nil))
	fmt.Fprintf(w, "start with a month of data: %d series, %d samples\n  open:                  %8.2f s, then /-/healthy answers %d\n",
		len(series), n*len(series), took.Seconds(), res.Code)
	return s.Close()
}

// load is the load average of the machine.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if f := strings.Fields(string(text)); err == nil && len(f) > 3 {
		return strings.Join(f[:3], ", ")
	}
	return "not known"
}

// resident is the memory of this process in bytes.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
