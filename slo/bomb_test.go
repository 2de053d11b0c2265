package slo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// Limits that every bomb stays below, in a process of its own.
const (
	bombCPU = time.Second
	bombMiB = 200
)

// fill returns unit repeated up to the allowed size.
func fill(unit string) func() string { return upTo(yamlsrc.MaxBytes, "", unit, "") }

// upTo returns head, at most n times unit as far as the allowed size goes, and
// tail.
func upTo(n int, head, unit, tail string) func() string {
	return func() string {
		return head + strings.Repeat(unit, min(n, (yamlsrc.MaxBytes-len(head)-len(tail))/len(unit))) + tail
	}
}

// bombs are files of at most the allowed size that try to take much time or
// memory.
func bombs() map[string]func() string {
	out := textBombs()
	maps.Copy(out, specBombs())
	return out
}

// textBombs are hard to parse.
func textBombs() map[string]func() string {
	return map[string]func() string{
		"equal keys":         fill("a: b\n"),
		"list items":         fill("- a\n"),
		"empty items":        fill("-\n"),
		"nested dashes":      fill("- "),
		"explicit keys":      fill("? a\n"),
		"question marks":     fill("? "),
		"colons":             fill(": "),
		"tabs":               fill("\t"),
		"spaces":             fill(" "),
		"line feeds":         fill("\n"),
		"comments":           fill("#\n"),
		"documents":          fill("---\n"),
		"full documents":     fill("---\na: b\n"),
		"document ends":      fill("a\n...\n"),
		"broken documents":   fill("--- [\n"),
		"directives":         fill("%YAML 1.1\n"),
		"brackets":           fill("["),
		"braces":             fill("{"),
		"flow list":          upTo(1<<30, "a: [", "a,", "]\n"),
		"flow mapping":       upTo(1<<30, "a: {", "b: c,", "}\n"),
		"flow below limit":   upTo(yamlsrc.MaxFlow-2, "a: [", "a,", "]\n"),
		"nested below limit": upTo(yamlsrc.MaxFlow-2, "a: ", "[", ""),
		"braces below limit": upTo(yamlsrc.MaxFlow-2, "a: ", "{", ""),
		"many flow lists":    fill("- [a, b]\n"),
		"quotes":             fill(`"`),
		"single quotes":      fill("'"),
		"open quote":         upTo(1<<30, "a: \"", "x ", "\n"),
		"huge scalar":        upTo(1<<30, "a: ", "x", "\n"),
		"huge literal":       upTo(1<<30, "a: |\n", " x\n", ""),
		"huge folded":        upTo(1<<30, "a: >\n", " x\n\n", ""),
		"escapes":            upTo(1<<30, "a: \"", `\x41`, "\"\n"),
		"long key":           upTo(1<<30, "", "k", ": v\n"),
		"long line":          upTo(1<<30, "", "k: v ", "\n"),
		"indentation":        func() string { return staircase(1900) },
		"anchors":            fill("- &a x\n"),
		"aliases":            upTo(1<<30, "- &a x\n", "- *a\n", ""),
		"unknown aliases":    fill("- *a\n"),
		"alias bomb":         aliasBomb,
		"merge bomb":         mergeBomb,
		"tags":               fill("- !!str x\n"),
		"long tag":           upTo(1<<30, "a: !", "x", " y\n"),
		"wide characters":    fill("決: 済\n"),
	}
}

// specBombs are hard to compile.
func specBombs() map[string]func() string {
	spec := strings.TrimSuffix(minimal, "http_requests_total{job=\"checkout\"}\n")
	return map[string]func() string{
		"SLOs":               fill("---\n" + minimal),
		"wrong SLOs":         fill("---\n" + strings.ReplaceAll(minimal, ":  ", ": ") + "  oops: 1\n  owner: x\n"),
		"long query":         upTo(1<<30, spec, "a + ", "b\n"),
		"deep query":         upTo(1<<30, spec, "(", "\n"),
		"deep call":          upTo(1<<30, spec, "abs(", "\n"),
		"long matchers":      upTo(1<<30, spec+"x{", `a="b",`, "}\n"),
		"regular expression": func() string { return spec + `x{a=~"((((a{1,100}){1,100}){1,100}){1,100})"}` + "\n" },
		"many errors":        upTo(1<<30, "apiVersion: plimsoll.dev/v1\nkind: SLO\nmetadata:\n  name: x\nspec:\n", "  ? x\n", ""),
		"many labels": func() string {
			return numbered("apiVersion: plimsoll.dev/v1\nkind: SLO\nmetadata:\n  name: x\n  labels:\n", "    9%d: 1\n")
		},
		"many keys": func() string {
			return numbered("apiVersion: plimsoll.dev/v1\nkind: SLO\nmetadata:\n  name: x\nspec:\n", "  k%d: 1\n")
		},
		"many syntax errors": fill("---\na: b: c\n"),
		"recurrence": func() string {
			return minimal + "---\n" + doc("Adjustment", "a", "{type: maintenance, slos: {all: true}, start: 2026-01-01T00:00:00Z, duration: 1m, recurrence: FREQ=SECONDLY, reason: x}") +
				"---\n" + doc("Adjustment", "b", "{type: maintenance, slos: {all: true}, start: 2026-01-01T00:00:00Z, duration: 1m, recurrence: FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29, reason: x}")
		},
		"never recurs": func() string {
			s := minimal
			for i := range 1000 {
				s += "---\n" + doc("Adjustment", fmt.Sprintf("a%d", i), "{type: maintenance, slos: {all: true}, start: 2000-01-01T00:00:00Z, duration: 1m, recurrence: FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30, reason: x}")
			}
			return s
		},
		"long queries": func() string {
			query := strings.Repeat("a + ", maxQuery/4-1) + "b"
			s := ""
			for i := range (yamlsrc.MaxBytes - 1000) / (maxQuery + 400) {
				s += "---\n" + strings.ReplaceAll(spec+query+"\n", "checkout", fmt.Sprintf("c%d", i))
			}
			return s
		},
		"many adjustments": func() string {
			s := minimal
			for i := range 1000 {
				s += "---\n" + doc("Adjustment", fmt.Sprintf("a%d", i), fmt.Sprintf("{type: maintenance, slos: {all: true}, start: 2026-01-01T%02d:%02d:00Z, duration: 1m, recurrence: FREQ=DAILY, reason: x}", i/60, i%60))
			}
			return s
		},
	}
}

func staircase(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()[:min(b.Len(), yamlsrc.MaxBytes)]
}

func aliasBomb() string {
	s := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 100 {
		s += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 10))
	}
	return s
}

func mergeBomb() string {
	s := "a0: &a0 {x: 1}\n"
	for i := range 100 {
		s += fmt.Sprintf("a%d: &a%d {<<: [*a%d, *a%d]}\n", i+1, i+1, i, i)
	}
	return s
}

func numbered(head, line string) string {
	var b strings.Builder
	b.WriteString(head)
	for i := 0; b.Len() < yamlsrc.MaxBytes-40; i++ {
		fmt.Fprintf(&b, line, i)
	}
	return b.String()
}

// usage is what a bomb took: processor time and peak memory of a process.
type usage struct {
	CPU      time.Duration
	MiB      int
	Findings int
	First    string
}

// TestBombs runs each bomb in a process of its own and measures it.
func TestBombs(t *testing.T) {
	if name := os.Getenv("PLIMSOLL_BOMB"); name != "" {
		bombChild(t, name)
		return
	}
	if testing.Short() {
		t.Skip("starts many processes") // each takes a tenth of a second or more
	}
	for _, name := range slices.Sorted(maps.Keys(bombs())) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithTimeout(t.Context(), 10*bombCPU)
			defer stop()
			c := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestBombs$")
			c.Env = append(os.Environ(), "PLIMSOLL_BOMB="+name)
			var stderr bytes.Buffer
			c.Stderr = &stderr
			if out, err := c.Output(); err != nil {
				t.Fatalf("%v: %.500s %.2000s", err, out, stderr.String())
			}
			var u usage
			if err := json.Unmarshal(stderr.Bytes(), &u); err != nil {
				t.Fatal(err)
			}
			t.Logf("%v CPU, %d MiB, %d findings: %.100s", u.CPU.Round(time.Millisecond), u.MiB, u.Findings, u.First)
			if u.CPU > bombCPU || u.MiB > bombMiB {
				t.Errorf("took %v and %d MiB, want at most %v and %d MiB", u.CPU, u.MiB, bombCPU, bombMiB)
			}
		})
	}
}

func bombChild(t *testing.T, name string) {
	text := []byte(bombs()[name]())
	if len(text) > yamlsrc.MaxBytes {
		t.Fatalf("%s has %d bytes, more than a file may have", name, len(text))
	}
	start := cpuTime()
	_, l := Compile([]File{{"bomb.yaml", text}})
	u := usage{CPU: cpuTime() - start, MiB: peakMiB(t), Findings: len(l)}
	if len(l) > 0 {
		u.First = l[0].String()
	}
	if err := json.NewEncoder(os.Stderr).Encode(u); err != nil {
		t.Fatal(err)
	}
}

// peakMiB returns the peak resident memory of this process, 0 where the system
// does not say.
func peakMiB(t *testing.T) int {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}
