package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// machine writes what the figures depend on.
func machine(w io.Writer) {
	fmt.Fprintf(w, "# machine: %s/%s, %d cores, %s; %s, GOMAXPROCS %d\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), cpuModel(), runtime.Version(), runtime.GOMAXPROCS(0))
	fmt.Fprintf(w, "# commit: %s\n", commit())
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "model not known"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "model not known"
}

// commit returns the commit that is checked out, and whether there is more than that.
func commit() string {
	git := func(args ...string) (string, error) {
		out, err := exec.Command("git", append([]string{"--no-optional-locks"}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	head, err := git("rev-parse", "--short=12", "HEAD")
	if err != nil {
		return "not known"
	}
	if changed, err := git("status", "--porcelain", "--", ".", ":!bench/results"); err != nil || changed != "" {
		return head + " with uncommitted changes"
	}
	return head
}

// report writes figures and remembers how they compare with what was wanted.
type report struct {
	w     io.Writer
	goals []string
}

// cost writes the cost of each set. turns are in the order of month.sets.
func (r *report) cost(m *month, turns [][]cost) {
	names := []string{"plimsoll", "sloth", "pyrra", "workbook"}
	fmt.Fprintf(r.w, "raw_series_per_service %.1f\nraw_wall_seconds %.0f\nhistory_wall_seconds %.0f\n",
		float64(m.live)/float64(len(m.services)), m.took.raw.Seconds(), m.took.history.Seconds())
	fmt.Fprintf(r.w, "\n# cost per SLO and 30 s at the end of the month, median of %d turns; pyrra is its shape, not its program; sloth at an evaluation interval of 30 s (its groups set none)\n", len(turns[0]))
	for i, t := range turns {
		c := median(t)
		fmt.Fprintf(r.w, "samples_%[1]s %.0[2]f\ncpu_us_%[1]s %.0[3]f\nallocs_%[1]s %.0[4]f\nalloc_kib_%[1]s %.0[5]f\n", names[i], c.samples, us(c), c.allocs, c.bytes/1024)
	}
	fmt.Fprintln(r.w, "\n# times the cost of plimsoll; _1m: Sloth evaluated every minute, Plimsoll every 30 s")
	least := map[string][2]float64{"sloth": {150, 30}, "pyrra": {300, 50}}
	for i := 1; i <= 3; i++ {
		name, goal := names[i], least[names[i]]
		samples, cpu := median(turns[i]).samples/median(turns[0]).samples, cpuRatio(turns[i], turns[0])
		r.atLeast("samples_ratio_"+name, samples, goal[0])
		r.atLeast("cpu_ratio_"+name, cpu, goal[1])
		if name == "sloth" {
			fmt.Fprintf(r.w, "samples_ratio_sloth_1m %.1f\ncpu_ratio_sloth_1m %.1f\n", samples/2, cpu/2)
		}
	}
}

// parts writes the cost by rule, and for more SLOs.
func (r *report) parts(parts []part, sizes []scaled) {
	fmt.Fprintln(r.w, "\n# where the time of plimsoll goes, per SLO and 30 s: wall time in the last turn, groups of one SLO (slo) and shared ones (fast, slow)")
	for _, p := range parts {
		fmt.Fprintf(r.w, "wall_us_plimsoll.%[1]s %.0[2]f\nsamples_plimsoll.%[1]s %.0[3]f\n", p.name, float64(p.wall.Nanoseconds())/1000, p.samples)
	}
	fmt.Fprintf(r.w, "\n# plimsoll for more SLOs, per SLO and 30 s: copies of one service, each with the last 20 minutes of raw series\n")
	for _, s := range sizes {
		fmt.Fprintf(r.w, "samples_plimsoll_%[1]d %.0[2]f\ncpu_us_plimsoll_%[1]d %.0[3]f\nallocs_plimsoll_%[1]d %.0[4]f\n", s.slos, s.samples, us(s.cost), s.allocs)
	}
}

// verdicts writes how the figures compare with the goals.
func (r *report) verdicts() {
	fmt.Fprintln(r.w, "\n# goals")
	for _, line := range r.goals {
		fmt.Fprintln(r.w, line)
	}
}

func us(c cost) float64 { return float64(c.cpu.Nanoseconds()) / 1000 }

// atLeast writes a figure. A wanted value of 0 is no goal.
func (r *report) atLeast(name string, have, want float64) {
	fmt.Fprintf(r.w, "%s %.1f\n", name, have)
	if want > 0 {
		r.judge(name, fmt.Sprintf("at least %g", want), have, have >= want)
	}
}

func (r *report) judge(name, want string, have float64, met bool) {
	verdict := "met"
	if !met {
		verdict = "missed"
	}
	r.goals = append(r.goals, fmt.Sprintf("goal %s %s: %s, %.3g", name, want, verdict, have))
}

// manyBad is how many bad events make a budget that is expected to be exact to a tenth of a point.
const manyBad = 1000

// exactness writes the budgets and the largest errors in points.
func (r *report) exactness(budgets []budget) {
	fmt.Fprintln(r.w, "\n# 30-day budget consumed, percent, and errors in points of budget; pyrra: increase over 30 days of raw samples, which is also what a plain 30-day query says")
	worst := map[string]float64{}
	nan := map[string]int{}
	for _, b := range budgets {
		class := "max"
		if b.bad <= manyBad {
			class = "lowtraffic"
		}
		fmt.Fprintf(r.w, "bad_events.%s %d\nbudget_truth_percent.%s %.2f\n", b.service, b.bad, b.service, 100*b.truth)
		for _, x := range []struct {
			name string
			v    float64
		}{{"plimsoll", b.plimsoll}, {"sloth", b.sloth}, {"pyrra", b.raw}} {
			diff := 100 * (x.v - b.truth)
			fmt.Fprintf(r.w, "budget_error_points_%s.%s %+.3f\n", x.name, b.service, diff)
			if math.IsNaN(diff) {
				nan[x.name]++
				continue
			}
			worst[x.name+class] = max(worst[x.name+class], math.Abs(diff))
		}
	}
	fmt.Fprintf(r.w, "\n# largest absolute errors: _max over services with more than %d bad events, _lowtraffic over the others, NaN left out and counted\n", manyBad)
	for _, name := range []string{"plimsoll", "sloth", "pyrra"} {
		prefix := "budget_error_points_"
		if name != "plimsoll" {
			prefix += name + "_"
		}
		for _, class := range []string{"max", "lowtraffic"} {
			v, known := worst[name+class]
			if !known {
				v = math.NaN()
			}
			fmt.Fprintf(r.w, "%s%s %.3f\n", prefix, class, v)
		}
		fmt.Fprintf(r.w, "%snan %d\n", prefix, nan[name])
	}
	r.judge("budget_error_points_max", "at most 0.1", worst["plimsollmax"], worst["plimsollmax"] <= .1 && nan["plimsoll"] == 0)
	r.judge("budget_error_points_lowtraffic", "at most 1", worst["plimsolllowtraffic"], worst["plimsolllowtraffic"] <= 1 && nan["plimsoll"] == 0)
}
