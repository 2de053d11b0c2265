// Command compile measures how long compiling specs takes, beside Sloth on
// equal input: whole processes, CPU time and peak memory, the two programs in
// turn, several runs each.
//
//	go run ./bench/compile -plimsoll bin/plimsoll -sloth bin/sloth -o bench/results/compile.txt
//
// Equal input means the same SLOs in each program's own format: events SLOs on
// one counter, 99.9% over 30 days, ten a file.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/plimsoll-slo/plimsoll/bench/program"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	return program.Run("compile", args, stdout, stderr, func(f *flag.FlagSet) func(io.Writer) error {
		plimsoll := f.String("plimsoll", "bin/plimsoll", "the program to measure")
		sloth := f.String("sloth", "bin/sloth", "Sloth, to compare with")
		runs := f.Int("runs", 5, "runs of each program")
		return func(w io.Writer) error { return measure(w, *plimsoll, *sloth, *runs) }
	})
}

// cost is what one run of a program took.
type cost struct {
	cpu, wall time.Duration
	rss       int64 // KiB
}

func measure(w io.Writer, plimsoll, sloth string, runs int) error {
	dir, err := os.MkdirTemp("", "plimsoll-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintf(w, "compile: %s, %s/%s, GOMAXPROCS %d, minimum of %d runs, whole processes\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), runs)
	for _, c := range []struct{ slos, perFile int }{{1, 1}, {100, 10}, {1000, 10}, {10000, 10}} {
		ours, theirs := filepath.Join(dir, fmt.Sprint("plimsoll", c.slos)), filepath.Join(dir, fmt.Sprint("sloth", c.slos))
		if err := errors.Join(write(ours, c.slos, c.perFile, plimsollSpec), write(theirs, c.slos, c.perFile, slothSpec)); err != nil {
			return err
		}
		a, b, err := alternate(runs, []string{plimsoll, "check", ours}, []string{sloth, "validate", "-i", theirs})
		if err != nil {
			return err
		}
		key := fmt.Sprint(c.slos)
		line(w, "plimsoll_check_"+key, a)
		line(w, "sloth_validate_"+key, b)
		fmt.Fprintf(w, "cpu_ratio_%s %.2f\nrss_ratio_%s %.2f\n", key, float64(b.cpu)/float64(a.cpu), key, float64(b.rss)/float64(a.rss))
	}
	return nil
}

func line(w io.Writer, name string, c cost) {
	fmt.Fprintf(w, "%s cpu %.0f ms, wall %.0f ms, peak RSS %.1f MiB\n", name, ms(c.cpu), ms(c.wall), float64(c.rss)/1024)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// alternate runs a and b in turn and returns the least cost of each.
func alternate(runs int, a, b []string) (cost, cost, error) {
	var as, bs []cost
	for range runs {
		x, errA := once(a)
		y, errB := once(b)
		if err := errors.Join(errA, errB); err != nil {
			return cost{}, cost{}, err
		}
		as, bs = append(as, x), append(bs, y)
	}
	return least(as), least(bs), nil
}

func least(cs []cost) cost {
	return slices.MinFunc(cs, func(x, y cost) int { return int(x.cpu - y.cpu) })
}

// once runs a command and returns what it took.
func once(args []string) (cost, error) {
	cmd := exec.Command(args[0], args[1:]...)
	var talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &talk, &talk
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return cost{}, fmt.Errorf("run %q: %w: %.300s", args, err, talk.Bytes())
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return cost{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), wall: time.Since(start), rss: usage.Maxrss}, nil
}

// write writes n SLOs into files of perFile each.
func write(dir string, n, perFile int, spec func(first, count int) []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for first := 0; first < n; first += perFile {
		name := filepath.Join(dir, fmt.Sprintf("service-%05d.yaml", first/perFile))
		if err := os.WriteFile(name, spec(first, min(perFile, n-first)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func plimsollSpec(first, count int) []byte {
	var b bytes.Buffer
	for i := first; i < first+count; i++ {
		if i > first {
			b.WriteString("---\n")
		}
		fmt.Fprintf(&b, `apiVersion: plimsoll.dev/v1
kind: SLO
metadata:
  name: slo-%05[1]d
  labels:
    tier: critical
spec:
  description: 99.9%% of requests are answered without a server error.
  service: service-%05[2]d
  owner:
    team: team-a
  objective:
    target: "99.9%%"
    window:
      rolling: 30d
  sli:
    events:
      bad: http_requests_total{job="service-%05[2]d",handler="/h%[1]d",code=~"5.."}
      total: http_requests_total{job="service-%05[2]d",handler="/h%[1]d"}
`, i, first/max(count, 1))
	}
	return b.Bytes()
}

func slothSpec(first, count int) []byte {
	var b bytes.Buffer
	service := first / max(count, 1)
	fmt.Fprintf(&b, "version: \"prometheus/v1\"\nservice: \"service-%05d\"\nlabels:\n  owner: team-a\nslos:\n", service)
	for i := first; i < first+count; i++ {
		fmt.Fprintf(&b, `  - name: slo-%05[1]d
    objective: 99.9
    description: 99.9%% of requests are answered without a server error.
    labels:
      tier: critical
    sli:
      events:
        error_query: sum(rate(http_requests_total{job="service-%05[2]d",handler="/h%[1]d",code=~"5.."}[{{.window}}]))
        total_query: sum(rate(http_requests_total{job="service-%05[2]d",handler="/h%[1]d"}[{{.window}}]))
    alerting:
      name: Slo%05[1]d
      page_alert:
        labels:
          severity: page
      ticket_alert:
        labels:
          severity: ticket
`, i, service)
	}
	return b.Bytes()
}
