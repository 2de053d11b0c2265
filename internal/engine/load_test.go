package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLoadErrors(t *testing.T) {
	w := newWorld(t, Options{}, errorRules("2m"))
	f := func(content string, want ...string) {
		t.Helper()
		err := w.engine.Load(ruleFiles(errorRules("1m"), content)...)
		if err == nil {
			t.Errorf("%s: got no error", content)
			return
		}
		for _, s := range append(want, "rules1.yaml: ") {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: got error %v, want %q in it", content, err, s)
			}
		}
	}
	f(`groups: [{name: broken, rules: [{record: a, expr: "sum("}, {alert: B, expr: ")"}]}]`,
		`group "broken", rule 1, "a"`, `group "broken", rule 2, "B"`, "could not parse expression")
	f(`groups: [{name: broken, rules: [{alert: A, expr: up, annotations: {x: "{{ $nope }}"}}]}]`, `group "broken", rule 1, "A"`, "$nope")
	f(`groups: [{name: twice}, {name: twice}]`, `"twice" is repeated`)
	f("groups:\n- name: a\n  rulez: []", "line 3", "rulez")
	f(`groups: [{name: a, interval: soon}]`, `"soon"`)
	f(`groups: [{name: a, rules: [{record: r, expr: "mad_over_time(up[5m])"}]}]`, `group "a"`, "not enabled")

	// Prometheus reads the YAML twice; a syntax error is reported once.
	if err := w.engine.Load(ruleFiles("groups: [{")...); err == nil || strings.Count(err.Error(), "rules0.yaml") != 1 {
		t.Errorf("syntax error: got %v", err)
	}
	same := RuleFile{Name: "same.yaml", Content: []byte("groups: []")}
	if err := w.engine.Load(same, same); err == nil || !strings.Contains(err.Error(), `"same.yaml"`) {
		t.Errorf("a file given twice: got error %v", err)
	}
	// The rules loaded first are still there.
	if s := w.engine.Stats(); len(s) != 2 || s[1].Rule != "HighErrors" {
		t.Errorf("after bad loads: got %+v", s)
	}
}

// A reload at minute 12, while an alert with `for: 2m` has been pending since 11: an unchanged or changed group keeps
// its alerts; a series that is no longer recorded ends two intervals later, one that a new rule took over does not.
func TestReload(t *testing.T) {
	extra := "- {name: extra, interval: 1m, rules: [{record: old, expr: vector(1)}, {record: moved, expr: vector(1)}]}\n"
	moved := "- {name: fresh, interval: 1m, rules: [{record: moved, expr: vector(2)}]}\n"
	f := func(wait string, want string) {
		t.Helper()
		w := newWorld(t, Options{}, errorRules("2m")+extra)
		w.run(20, Replay{Feed: w.errorsBetween(10, 60), OnTick: func(at time.Time, _ []Event) error {
			switch at {
			case minute(12):
				w.load(errorRules(wait) + moved)
			case minute(13):
				if w.query("old", 13) == "" || w.query("ALERTS", 13) == "" {
					t.Error("minute 13: want the old series still there, and ALERTS written without waiting for a restore")
				}
			case minute(14):
				if got := w.query("old", 14); got != "" {
					t.Errorf("minute 14: got %q, want the old series gone", got)
				}
			}
			return nil
		}})
		w.wantEvents(want)
		if got := w.query("moved", 15); !strings.HasSuffix(got, " 2") {
			t.Errorf("moved at minute 15: got %q, want 2", got)
		}
	}
	f("2m", "13 fired")
	f("5m", "16 fired")
}

func TestRuleErrors(t *testing.T) {
	w := newWorld(t, Options{}, `groups:
- name: g
  interval: 1m
  limit: 1
  rules:
  - {record: many, expr: '{job="api"}'}
  - {record: fine, expr: vector(1)}`)
	w.put(w.bad, minute(0), 1)
	w.put(w.all, minute(0), 1)
	_, err := w.engine.EvalAt(context.Background(), minute(0))
	re, ok := errors.AsType[*RuleError](err)
	if !ok || re.Rule != "many" || re.Group != "g" || re.File != "rules0.yaml" {
		t.Fatalf("got error %v, want a RuleError of rule many", err)
	}
	want := `rules0.yaml: group "g", rule "many" at 2026-03-01T12:00:00Z: vector contains metrics with the same labelset after applying rule labels`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	if got := w.query("fine", 0); got != "fine 1" {
		t.Errorf("the rule after it: got %q, want %q", got, "fine 1")
	}
	if s := w.engine.Stats(); s[0].Failures != 1 || s[1].Failures != 0 {
		t.Errorf("failures: got %+v", s)
	}
}

func TestMisuse(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, Options{})
	if err := w.engine.Restart(); err == nil {
		t.Error("restart without rules: got no error")
	}
	if _, err := Open(w.store, Options{ExternalURL: "http://a b"}); err == nil {
		t.Error("bad external URL: got no error")
	}
	w.load(errorRules("2m"))
	if _, err := w.engine.EvalAt(ctx, minute(1)); err != nil {
		t.Fatal(err)
	}
	f := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
	_, err := w.engine.EvalAt(ctx, minute(1))
	f("want a time after the last evaluation at 2026-03-01T12:01:00Z", err)
	f("multiple of a step", w.engine.Run(ctx, Replay{From: minute(2.5), To: minute(3)}))
	f(`step 7s and group "record" of rules0.yaml`, w.engine.Run(ctx, Replay{From: time.Unix(0, 0), To: minute(3), Step: 7 * time.Second}))
	boom := errors.New("boom")
	err = w.engine.Run(ctx, Replay{From: minute(2), To: minute(3), Feed: func(time.Time) error { return boom }})
	f("feed at 2026-03-01T12:02:00Z: boom", err)
	done, cancel := context.WithCancel(ctx)
	cancel()
	f("context canceled", w.engine.Run(done, Replay{From: minute(2), To: minute(3)}))
}
