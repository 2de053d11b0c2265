package rules_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// TestScenarios plays every story in testdata/scenarios to the rules of its spec, on Prometheus' own rule engine, and
// compares the budget with the events of the story and the alerts with what the script wants. A script that begins
// with "slow" is left out by -short. It has three files.
//
// spec.yaml has an SLO for each job that the script asks about, of the same name, over http_requests_total{job,
// instance,code}. Its data source says how often targets are scraped and rules evaluated.
//
// story says what happens. Times are durations since the start, multiples of 5 s. Of the lines of a job that hold at a
// time and contradict each other, the last one counts.
//
//	start 2026-03-02T00:00:00Z         if not said; daily lines count from it
//	length 24h
//	job api pods 2 good 200 bad 500,503
//	0..24h api rate 100/s bad 0.02%    whole events, dealt out to pods and codes in turn; /s, /m or /h
//	daily 09:00..10:00 api rate 1/s    a period of each day
//	3h..4h api idle                    no events, the counters stay
//	3h api burst 5000                  bad events in one moment
//	3h api restart                     all pods: counters vanish and come back, from zero, with the first event
//	every 3h api roll                  the oldest pod ends, a new one (a new instance) takes its place
//	3h..4h api pods 0                  scaled; without pods there are no events
//	3h..4h api gone                    the targets are in nobody's service discovery: no up, staleness markers
//	3h..4h api unreachable             scrapes fail (up 0, staleness markers) while the pods go on counting
//	0..24h api flaky 20%               as many scrapes fail
//	3h..4h prometheus down             no scrape and no evaluation, and alert state is lost
//	3h..4h rules down                  no evaluation
//	0..24h rules miss 5%               as many evaluations are missed
//
// want says what comes out. Alerts that are not named must not fire.
//
//	at 24h api used 50%                   budget used at a time: of the window, as the events say (to 0.05 points),
//	                                      and as the rules say to 0.1 points, or 1 below a thousand bad events
//	at 24h api used 50% within 0.3        the rules are off by up to 0.3 points
//	at 24h api used 61.5% got 20.8%       the rules are known to be wrong
//	at 24h api used 13.5% since 20h       of the events since 20h, for calendar windows and young ledgers
//	page api 12h2m..12h15m within 1m      from when to when; end if it still fires at the end; ticket, nodata likewise
//	no page api                           nor ticket, nor nodata
//
// At every full hour the budget has a value (but for the first ten minutes of evaluation after a start or a gap), and no
// series that the rules record is NaN.
func TestScenarios(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/scenarios/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if testing.Short() && strings.HasPrefix(string(a.Comment), "slow") {
				t.Skip("slow") // -short
			}
			newScenario(t, a).play()
		})
	}
}

// scenario is one script being played.
type scenario struct {
	*world
	story          *story
	want           string
	scrape, tick   time.Duration
	alerts, claims []spell
	down           []time.Duration // ticks without evaluation
}

// spell is one alert from its beginning to its end, or the want of one.
type spell struct {
	kind, slo string
	from, to  time.Duration // to is endless if it does not end
	within    time.Duration
}

const endless = time.Duration(math.MaxInt64)

func newScenario(t *testing.T, a *txtar.Archive) *scenario {
	t.Helper()
	s := &scenario{}
	for _, f := range a.Files {
		text := string(f.Data)
		switch f.Name {
		case "spec.yaml":
			s.world = newWorld(t, text, rules.Options{})
		case "story":
			var err error
			if s.story, err = parseStory(text); err != nil {
				t.Fatal(err)
			}
		case "want":
			s.want = text
		}
	}
	if s.world == nil || s.story == nil || s.want == "" {
		t.Fatal("want spec.yaml, story and want")
	}
	s.scrape, s.tick = 30*time.Second, 30*time.Second
	if d, ok := s.set.DataSource(slo.DefaultName); ok {
		s.scrape, s.tick = time.Duration(d.ScrapeInterval), time.Duration(d.EvaluationInterval)
	}
	return s
}

// play runs the story and checks what is wanted.
func (s *scenario) play() {
	s.t.Helper()
	rng := rand.New(rand.NewPCG(3, 5))
	evaluated, restart := false, false
	for at := time.Duration(0); at <= s.story.length; at += beat {
		_, down := last(s.story.server, at, "prometheus down")
		var samples []sample
		for _, j := range s.story.jobs {
			if at > 0 {
				j.happen(at - beat)
			}
			got := j.scrape(at, s.scrape)
			if !down {
				samples = append(samples, got...)
			}
		}
		if err := s.put(s.story.start.Add(at), samples...); err != nil {
			s.t.Fatal(err)
		}
		if at%s.tick != 0 {
			continue
		}
		_, off := last(s.story.server, at, "rules down")
		if l, ok := last(s.story.server, at, "rules miss"); ok {
			share, _ := percent(l.args[0])
			off = off || rng.Float64() < share
		}
		restart = restart || down && evaluated
		if off || down {
			s.down = append(s.down, at)
			continue
		}
		s.evaluate(at, restart)
		evaluated, restart = true, false
	}
	s.check()
}

func (s *scenario) evaluate(at time.Duration, restart bool) {
	s.t.Helper()
	if restart {
		if err := s.engine.Restart(); err != nil {
			s.t.Fatal(err)
		}
	}
	events, err := s.engine.EvalAt(context.Background(), s.story.start.Add(at))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range events {
		when := e.At.Sub(s.story.start)
		kind, name := e.Alert.Labels["severity"], e.Alert.Labels["slo"]
		if e.Alert.Name == slo.AlertNoData {
			kind = "nodata"
		}
		if e.Kind == engine.Fired {
			s.alerts = append(s.alerts, spell{kind: kind, slo: name, from: when, to: endless})
			continue
		}
		for i, a := range s.alerts {
			if a.kind == kind && a.slo == name && a.to == endless {
				s.alerts[i].to = when
			}
		}
	}
	if at%time.Hour == 0 {
		s.alive(at)
	}
}

// alive checks that there is a budget, and that nothing is NaN.
func (s *scenario) alive(at time.Duration) {
	s.t.Helper()
	got, err := s.engine.Query(context.Background(), `{__name__=~"slo:.*"}`, s.story.start.Add(at))
	if err != nil {
		s.t.Fatal(err)
	}
	budgets := 0
	for _, p := range got {
		if math.IsNaN(p.V) {
			s.t.Errorf("%v is NaN at %v", p.Labels, at)
		}
		if p.Labels["__name__"] == slo.SeriesBudgetRemaining {
			budgets++
		}
	}
	fresh := at < 10*time.Minute
	for d := at - 10*time.Minute; d < at && !fresh; d += s.tick {
		fresh = slices.Contains(s.down, d.Truncate(s.tick))
	}
	if want := len(s.set.SLOs); budgets != want && !fresh {
		s.t.Errorf("%d of %d SLOs have a budget at %v", budgets, want, at)
	}
}

// check judges the wants.
func (s *scenario) check() {
	s.t.Helper()
	for i, l := range strings.Split(s.want, "\n") {
		l, _, _ = strings.Cut(l, "#")
		f := strings.Fields(l)
		if len(f) == 0 {
			continue
		}
		if err := s.wanted(f); err != nil {
			s.t.Errorf("want line %d %q: %v", i+1, strings.TrimSpace(l), err)
		}
	}
	for _, a := range s.alerts {
		if !slices.ContainsFunc(s.claims, a.like) {
			s.t.Errorf("not wanted: %s", a)
		}
	}
	for _, c := range s.claims {
		if !slices.ContainsFunc(s.alerts, c.like) {
			s.t.Errorf("missing: %s; got %v", c, s.alerts)
		}
	}
}

func (s *scenario) wanted(f []string) error {
	switch {
	case f[0] == "at" && len(f) >= 5 && f[3] == "used":
		return s.budget(f)
	case f[0] == "no" && len(f) == 3:
		for _, a := range s.alerts {
			if a.kind == f[1] && a.slo == f[2] {
				return fmt.Errorf("got %s", a)
			}
		}
		return nil
	case slices.Contains([]string{"page", "ticket", "nodata"}, f[0]) && len(f) >= 3:
		return s.claim(f)
	}
	return errors.New("not understood")
}

func (s *scenario) claim(f []string) (err error) {
	c := spell{kind: f[0], slo: f[1], to: endless}
	from, to, _ := strings.Cut(f[2], "..")
	if c.from, err = promql.ParseDuration(from); err != nil {
		return err
	}
	if to != "end" {
		if c.to, err = promql.ParseDuration(to); err != nil {
			return err
		}
	}
	if len(f) == 5 && f[3] == "within" {
		c.within, err = promql.ParseDuration(f[4])
	}
	s.claims = append(s.claims, c)
	return err
}

// like tells whether two spells are the same within what either allows.
func (a spell) like(b spell) bool {
	within := max(a.within, b.within)
	return a.kind == b.kind && a.slo == b.slo && (a.from-b.from).Abs() <= within && (a.to-b.to).Abs() <= within
}

func (a spell) String() string {
	to := "end"
	if a.to != endless {
		to = promql.FormatDuration(a.to)
	}
	return fmt.Sprintf("%s %s %s..%s", a.kind, a.slo, promql.FormatDuration(a.from), to)
}

// budget judges "at 24h api used 50% since 3h got 20% within 0.3".
func (s *scenario) budget(f []string) error {
	at, err := promql.ParseDuration(f[1])
	if err != nil {
		return err
	}
	x, ok := s.set.SLO(f[2])
	i := slices.IndexFunc(s.story.jobs, func(j *job) bool { return j.name == f[2] })
	if !ok || i < 0 {
		return errors.New("no such SLO and job")
	}
	written, err := percent(f[4])
	known, since, within := math.NaN(), max(0, at-x.Window.Length()), 0.0
	for i := 5; i+1 < len(f) && err == nil; i += 2 {
		switch f[i] {
		case "got":
			known, err = percent(f[i+1])
		case "since":
			since, err = promql.ParseDuration(f[i+1])
		case "within":
			within, err = strconv.ParseFloat(f[i+1], 64)
		default:
			err = fmt.Errorf("%q is not understood", f[i])
		}
	}
	if err != nil {
		return err
	}
	events := s.story.jobs[i].between(since, at)
	truth := events.bad / events.all / x.Budget.Float()
	left, err := s.engine.Query(context.Background(), slo.SeriesBudgetRemaining+`{slo="`+x.Name+`"}`, s.story.start.Add(at))
	if err != nil || len(left) != 1 {
		return fmt.Errorf("budget left: %v %w", left, err)
	}
	got := 1 - left[0].V
	s.t.Logf("%-22s at %-6s %-8s events %9.0f bad %7.0f  truth %8.3f%%  got %8.3f%%  error %+.3f",
		strings.TrimPrefix(s.t.Name(), "TestScenarios/"), f[1], x.Name, events.all, events.bad, truth*100, got*100, (got-truth)*100)
	return judge(written, truth, known, got, within, events.bad)
}

// judge compares what is written with the truth, and what the rules say with either.
func judge(written, truth, known, got, within, bad float64) error {
	if !(math.Abs(written-truth) <= 0.0005) {
		return fmt.Errorf("the events say %.3f%%", truth*100)
	}
	if within == 0 {
		within = 0.1
		if bad <= 1000 {
			within = 1
		}
	}
	if math.IsNaN(known) {
		known = truth
	}
	if !(math.Abs(got-known) <= within/100) {
		return fmt.Errorf("the rules say %.3f%%, want %.3f%% within %v points", got*100, known*100, within)
	}
	return nil
}
