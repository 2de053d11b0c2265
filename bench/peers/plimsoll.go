package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// selectors returns the bad and all events of a service.
func selectors(service string) (bad, total string) {
	return fmt.Sprintf("http_requests_total{job=%q,code=~\"5..\"}", service), fmt.Sprintf("http_requests_total{job=%q}", service)
}

// compile returns the set of one SLO a service.
func compile(services []string) (*slo.Set, error) {
	var b bytes.Buffer
	for _, s := range services {
		bad, total := selectors(s)
		fmt.Fprintf(&b, `---
apiVersion: plimsoll.dev/v1
kind: SLO
metadata: {name: %s}
spec:
  service: bench
  owner: {team: bench}
  objective: {target: "99.9%%", window: {rolling: 30d}}
  sli:
    events:
      bad: %s
      total: %s
`, s, bad, total)
	}
	set, found := slo.Compile([]slo.File{{Name: "bench.yaml", Text: b.Bytes()}})
	if set == nil {
		return nil, fmt.Errorf("compile the spec of Plimsoll: %v", found)
	}
	return set, nil
}

func plimsollGroups(services []string) ([]rules.Group, error) {
	set, err := compile(services)
	if err != nil {
		return nil, err
	}
	return rules.Generate(set, rules.Options{})
}

// plimsollFiles returns the rule files as users get them.
func plimsollFiles(services []string) ([]engine.RuleFile, error) {
	set, err := compile(services)
	if err != nil {
		return nil, err
	}
	files, err := rules.Files(set, rules.Options{})
	if err != nil {
		return nil, err
	}
	var out []engine.RuleFile
	for _, f := range files {
		out = append(out, engine.RuleFile{Name: f.Name, Content: f.Content})
	}
	return out, nil
}

// hourlyOf returns an engine that evaluates the repairs at every tick.
func hourlyOf(st *store.Store, services []string) (*engine.Engine, error) {
	groups, err := plimsollGroups(services)
	if err != nil {
		return nil, err
	}
	groups = slices.DeleteFunc(groups, func(g rules.Group) bool { return g.Interval != time.Hour })
	for i := range groups {
		groups[i].Interval = tick
	}
	file, err := historyFile(groups)
	if err != nil {
		return nil, err
	}
	return open(st, file)
}

// history returns the groups with the rules only that later evaluations depend on: those that record a series which
// some rule reads over a range or from the past, and those that these read. All others can be left out of a replay
// until the last evaluation, and nothing changes.
func history(groups []rules.Group) []rules.Group {
	var all []rules.Rule
	for _, g := range groups {
		all = append(all, g.Rules...)
	}
	needed := map[string]bool{}
	for _, name := range recorded(all) {
		past := regexp.MustCompile(`(^|[^\w:])` + regexp.QuoteMeta(name) + `(\{[^}]*\})?(\[| offset)`)
		for _, r := range all {
			needed[name] = needed[name] || past.MatchString(r.Expr)
		}
	}
	for grown := true; grown; {
		grown = false
		for _, r := range all {
			if !needed[r.Record] {
				continue
			}
			for _, name := range recorded(all) {
				if !needed[name] && reads(r.Expr, name) {
					needed[name], grown = true, true
				}
			}
		}
	}
	var out []rules.Group
	for _, g := range groups {
		var kept []rules.Rule
		for _, r := range g.Rules {
			if needed[r.Record] {
				kept = append(kept, r)
			}
		}
		if g.Rules = kept; len(kept) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// straight returns the groups with the state of telemetry as the raw series show it, before the events seen, which
// depend on what it was ticks before. The rules tell it from these events, so that it would have to be replayed tick by
// tick. It differs in the first tick of a series only, in which nothing is counted either way.
func straight(groups []rules.Group) []rules.Group {
	var out []rules.Group
	for _, g := range groups {
		var states, others []rules.Rule
		for _, r := range g.Rules {
			if r.Record == "slo:events:seen" {
				job := r.Labels[slo.LabelSLO]
				states = append(states, rules.Rule{Record: slo.SeriesTelemetry, Labels: r.Labels, Expr: fmt.Sprintf(
					"2 * group(http_requests_total{job=%q}) or group(up{job=%q} == 1) or vector(0)", job, job)})
			}
			if r.Record != slo.SeriesTelemetry {
				others = append(others, r)
			}
		}
		g.Rules = append(states, others...)
		out = append(out, g)
	}
	return out
}

// recorded returns the names that rules record, each once.
func recorded(all []rules.Rule) []string {
	var out []string
	seen := map[string]bool{"": true}
	for _, r := range all {
		if !seen[r.Record] {
			out = append(out, r.Record)
		}
		seen[r.Record] = true
	}
	return out
}

// reads reports whether an expression has the series name as a whole word.
func reads(expr, name string) bool {
	for at := 0; ; at += len(name) {
		i := strings.Index(expr[at:], name)
		if i < 0 {
			return false
		}
		at += i
		word := func(i int) bool {
			return i >= 0 && i < len(expr) && (expr[i] == '_' || expr[i] == ':' || expr[i] >= '0' && expr[i] <= '9' || expr[i]|0x20 >= 'a' && expr[i]|0x20 <= 'z')
		}
		if !word(at-1) && !word(at+len(name)) {
			return true
		}
	}
}

// ruleGroup is a group in the form of Prometheus, of which JSON is a notation.
type ruleGroup struct {
	Name     string `json:"name"`
	Interval string `json:"interval"`
	Offset   string `json:"query_offset,omitempty"`
	Rules    []rule `json:"rules"`
}

// rule is a recording or an alert rule.
type rule struct {
	Record string            `json:"record,omitempty"`
	Alert  string            `json:"alert,omitempty"`
	Expr   string            `json:"expr"`
	For    string            `json:"for,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

// ruleFile returns a file of groups.
func ruleFile(name string, groups []ruleGroup) (engine.RuleFile, error) {
	text, err := json.Marshal(map[string]any{"groups": groups})
	return engine.RuleFile{Name: name, Content: text}, err
}

// historyFile returns a file of groups of recording rules.
func historyFile(groups []rules.Group) (engine.RuleFile, error) {
	var out []ruleGroup
	for _, g := range groups {
		x := ruleGroup{Name: g.Name, Interval: seconds(g.Interval), Offset: seconds(g.QueryOffset)}
		for _, r := range g.Rules {
			x.Rules = append(x.Rules, rule{Record: r.Record, Expr: r.Expr, Labels: r.Labels})
		}
		out = append(out, x)
	}
	return ruleFile("history.yaml", out)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%ds", int(d.Seconds())) }
