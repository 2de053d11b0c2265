package web

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/notify"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// State is what the server is doing, as of the last tick.
type State struct {
	Set           *slo.Set
	Evaluated     []string // SLOs in the schedule, sorted; the past of the others is still being evaluated
	LastTick      time.Time
	Step          time.Duration
	CatchingUp    bool
	Alerts        []engine.Alert
	SpecsLoadedAt time.Time
	SpecProblems  []string // why the specs on disk are not the ones in use; empty if they are
	FailingRules  []string // rules whose last evaluation failed, sorted
	Backfill      *Backfill
	Alertmanagers []notify.Status
	Sources       int // senders of the last hours
	Series        int // in the head of the store
	Store         *RemoteStore
}

// RemoteStore is a store of others that has the series.
type RemoteStore struct {
	Name      string    `json:"name"`
	WrittenTo time.Time `json:"writtenTo"` // it has everything that was recorded up to then
	Problems  []string  `json:"problems,omitempty"`
}

// Backfill is the evaluation of the past of new SLOs.
type Backfill struct {
	SLOs []string  `json:"slos"`
	From time.Time `json:"from,omitzero"`
	At   time.Time `json:"at"`
	To   time.Time `json:"to"`
}

// Limits of the state API.
const (
	defaultPage = 100
	maxPage     = 1000
	maxPoints   = 11_000
)

//go:embed openapi.yaml
var openAPI []byte

// stateAPI serves the state of SLOs below /plimsoll/v1.
func stateAPI(mux *http.ServeMux, b Backend, l limited) {
	a := api{b}
	handle := func(path string, f func(*http.Request) (any, error)) {
		mux.Handle("GET /plimsoll/v1/"+path, l.pass(answer(f)))
	}
	handle("status", a.status)
	handle("slos", a.slos)
	handle("slos/{name}", a.slo)
	handle("slos/{name}/history", a.history)
	handle("alerts", a.alerts)
	mux.HandleFunc("GET /plimsoll/v1/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(openAPI)
	})
}

// problem is an error with its HTTP status.
type problem struct {
	code int
	text string
}

// Error implements error.
func (p *problem) Error() string { return p.text }

func bad(format string, args ...any) error {
	return &problem{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// answer writes what f returns as JSON.
func answer(f func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		code := http.StatusOK
		if err != nil {
			code = http.StatusInternalServerError
			if p, ok := errors.AsType[*problem](err); ok {
				code = p.code
			}
			v = map[string]string{"error": err.Error()}
		}
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write(append(text, '\n'))
	})
}

type api struct{ b Backend }

// number is a float that JSON can hold: NaN and infinities are null.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(n), 'g', -1, 64), nil
}

// sloState is one SLO in the list.
type sloState struct {
	Name      string  `json:"name"`
	Title     string  `json:"title"`
	Service   string  `json:"service"`
	Team      string  `json:"team,omitempty"`
	SLI       string  `json:"sli"`
	Objective string  `json:"objective"`
	Window    string  `json:"window"`
	Evaluated bool    `json:"evaluated"`
	Groups    []group `json:"groups"`
	Alerts    []alert `json:"alerts"`
}

// group is the state of one group of an SLO; one that is not grouped has one without labels.
type group struct {
	Labels          map[string]string `json:"labels,omitempty"`
	BudgetRemaining number            `json:"budgetRemaining"`
	Events          *number           `json:"events,omitempty"`
	Bad             *number           `json:"bad,omitempty"`
	Telemetry       string            `json:"telemetry,omitempty"`
	BurnRates       []burn            `json:"burnRates,omitempty"`
}

type burn struct {
	Window string `json:"window"`
	Rate   number `json:"rate"`
}

type alert struct {
	Name        string            `json:"name"`
	SLO         string            `json:"slo,omitempty"`
	Severity    string            `json:"severity,omitempty"`
	State       engine.State      `json:"state"`
	Since       time.Time         `json:"since"`
	FiredAt     time.Time         `json:"firedAt,omitzero"`
	Value       number            `json:"value"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// tier is a condition of the alerts of an SLO.
type tier struct {
	Severity string `json:"severity"`
	Long     string `json:"long"`
	Short    string `json:"short"`
	BurnRate number `json:"burnRate"`
}

func (a api) status(*http.Request) (any, error) {
	s := a.b.State()
	now := a.b.Now().UTC()
	return map[string]any{
		"now": now, "lastTick": s.LastTick, "lagSeconds": number(now.Sub(s.LastTick).Seconds()), "stepSeconds": number(s.Step.Seconds()),
		"catchingUp": s.CatchingUp, "slos": len(s.Set.SLOs), "evaluated": len(s.Evaluated), "setDigest": s.Set.Digest,
		"specs":        map[string]any{"ok": len(s.SpecProblems) == 0, "loadedAt": s.SpecsLoadedAt, "problems": orEmpty(s.SpecProblems)},
		"failingRules": orEmpty(s.FailingRules), "backfill": s.Backfill, "alertmanagers": s.Alertmanagers, "sources": s.Sources, "series": s.Series, "store": s.Store,
	}, nil
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// slos lists SLOs by name. The token of a page is the name of its last SLO.
func (a api) slos(r *http.Request) (any, error) {
	s := a.b.State()
	q := r.URL.Query()
	size, err := pageSize(q.Get("page_size"))
	if err != nil {
		return nil, err
	}
	var some []*slo.SLO
	total, more := 0, false
	for i := range s.Set.SLOs {
		x := &s.Set.SLOs[i]
		if v := q.Get("service"); v != "" && v != x.Service {
			continue
		}
		if v := q.Get("team"); v != "" && v != x.Owner.Team {
			continue
		}
		total++
		if x.Name <= q.Get("page_token") {
			continue
		}
		if more = len(some) == size; !more {
			some = append(some, x)
		}
	}
	list, err := a.describe(r.Context(), s, some, false)
	if err != nil {
		return nil, err
	}
	next := ""
	if more {
		next = some[len(some)-1].Name
	}
	return map[string]any{"asOf": s.LastTick, "total": total, "slos": list, "nextPageToken": next}, nil
}

func pageSize(text string) (int, error) {
	if text == "" {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPage {
		return 0, bad("want a page_size from 1 to %d, have %q", maxPage, text)
	}
	return n, nil
}

// find returns the SLO that a request names.
func (a api) find(r *http.Request) (State, *slo.SLO, error) {
	s := a.b.State()
	x, ok := s.Set.SLO(r.PathValue("name"))
	if !ok {
		return s, nil, &problem{http.StatusNotFound, fmt.Sprintf("there is no SLO %q", r.PathValue("name"))}
	}
	return s, x, nil
}

func (a api) slo(r *http.Request) (any, error) {
	s, x, err := a.find(r)
	if err != nil {
		return nil, err
	}
	list, err := a.describe(r.Context(), s, []*slo.SLO{x}, true)
	if err != nil {
		return nil, err
	}
	tiers := []tier{}
	if p, ok := s.Set.Profile(x.Alerting.Profile); ok {
		for _, t := range p.BurnTiers() {
			tiers = append(tiers, tier{string(t.Severity), t.Long.String(), t.Short.String(), number(t.Factor(x.Window.Length()))})
		}
	}
	return map[string]any{"asOf": s.LastTick, "slo": list[0], "tiers": tiers, "spec": x}, nil
}

// describe returns the states of SLOs; with says whether burn rates are wanted.
func (a api) describe(ctx context.Context, s State, some []*slo.SLO, with bool) ([]*sloState, error) {
	out := []*sloState{}
	byName := map[string]*sloState{}
	var names []string
	for _, x := range some {
		_, evaluated := slices.BinarySearch(s.Evaluated, x.Name)
		o := &sloState{
			Name: x.Name, Title: x.Title(), Service: x.Service, Team: x.Owner.Team, SLI: x.SLI.SLI.Kind(), Objective: x.Objective.Percent(),
			Window: x.Window.String(), Evaluated: evaluated, Groups: []group{}, Alerts: alertsOf(s.Alerts, x.Name),
		}
		out = append(out, o)
		byName[x.Name] = o
		names = append(names, regexp.QuoteMeta(x.Name))
	}
	if len(names) == 0 {
		return out, nil
	}
	by := slo.LabelSLO + "=~" + strconv.Quote(strings.Join(names, "|"))
	if err := a.fillGroups(ctx, s, by, byName, some); err != nil {
		return nil, err
	}
	if with {
		return out, a.fillBurn(ctx, s, by, byName, some)
	}
	return out, nil
}

// fillGroups adds what is left of the budgets, and the telemetry.
func (a api) fillGroups(ctx context.Context, s State, by string, byName map[string]*sloState, some []*slo.SLO) error {
	left, err := a.query(ctx, s, slo.SeriesBudgetRemaining+"{"+by+"}")
	if err != nil {
		return err
	}
	telemetry, err := a.query(ctx, s, slo.SeriesTelemetry+"{"+by+"}")
	if err != nil {
		return err
	}
	words := map[string]string{}
	for _, p := range telemetry {
		if i := int(p.V); i >= 0 && i <= 2 {
			words[p.Labels[slo.LabelSLO]] = []string{"none", "targets without the metric", "there"}[i]
		}
	}
	groupBy := groupsOf(some)
	for _, p := range left {
		name := p.Labels[slo.LabelSLO]
		o := byName[name]
		o.Groups = append(o.Groups, group{Labels: pick(p.Labels, groupBy[name]), BudgetRemaining: number(p.V), Telemetry: words[name]})
	}
	return nil
}

func groupsOf(some []*slo.SLO) map[string][]string {
	out := map[string][]string{}
	for _, x := range some {
		out[x.Name] = x.GroupBy
	}
	return out
}

// pick returns the labels called names.
func pick(l store.Labels, names []string) map[string]string {
	out := map[string]string{}
	for _, n := range names {
		out[n] = l[n]
	}
	return out
}

// fillBurn adds burn rates and counts of the budget window.
func (a api) fillBurn(ctx context.Context, s State, by string, byName map[string]*sloState, some []*slo.SLO) error {
	groupBy := groupsOf(some)
	each := func(series string, f func(g *group, window string, v number)) error {
		points, err := a.query(ctx, s, series+"{"+by+"}")
		for _, p := range points {
			name := p.Labels[slo.LabelSLO]
			for i := range byName[name].Groups {
				if g := &byName[name].Groups[i]; maps.Equal(g.Labels, pick(p.Labels, groupBy[name])) {
					f(g, p.Labels[slo.LabelWindow], number(p.V))
				}
			}
		}
		return err
	}
	whole := some[0].Window.Rolling.String()
	if c := some[0].Window.Calendar; c != "" {
		whole = string(c)
	}
	err := errors.Join(
		each(slo.SeriesBurnRate, func(g *group, w string, v number) { g.BurnRates = append(g.BurnRates, burn{w, v}) }),
		each(slo.SeriesEventsSum, func(g *group, w string, v number) {
			if w == whole {
				g.Events = &v
			}
		}),
		each(slo.SeriesBadSum, func(g *group, w string, v number) {
			if w == whole {
				g.Bad = &v
			}
		}),
	)
	return err
}

// query evaluates at the last tick, as the rules saw it.
func (a api) query(ctx context.Context, s State, expr string) ([]engine.Point, error) {
	return a.b.Engine.Query(ctx, expr, s.LastTick)
}

func alertsOf(all []engine.Alert, name string) []alert {
	out := []alert{}
	for _, x := range all {
		if (name == "" || x.Labels[slo.LabelSLO] == name) && x.State != engine.Inactive {
			out = append(out, alert{
				x.Name, x.Labels[slo.LabelSLO], x.Labels[slo.LabelSeverity], x.State, x.ActiveAt, x.FiredAt, number(x.Value), x.Labels, x.Annotations,
			})
		}
	}
	return out
}

// alerts lists the active alerts in the order of their labels. The token of a page is how many came before it.
func (a api) alerts(r *http.Request) (any, error) {
	s := a.b.State()
	size, err := pageSize(r.URL.Query().Get("page_size"))
	if err != nil {
		return nil, err
	}
	all := alertsOf(s.Alerts, "")
	from := 0
	if t := r.URL.Query().Get("page_token"); t != "" {
		if from, err = strconv.Atoi(t); err != nil || from < 0 || from > len(all) {
			return nil, bad("the page_token is not one of this API")
		}
	}
	slices.SortStableFunc(all, func(x, y alert) int {
		return strings.Compare(store.Labels(x.Labels).String(), store.Labels(y.Labels).String())
	})
	to, next := min(from+size, len(all)), ""
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return map[string]any{"asOf": s.LastTick, "total": len(all), "alerts": all[from:to], "nextPageToken": next}, nil
}

// history returns what was left of the budget over time.
func (a api) history(r *http.Request) (any, error) {
	s, x, err := a.find(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	to, err := timeOf(q.Get("to"), s.LastTick)
	if err != nil {
		return nil, err
	}
	from, err := timeOf(q.Get("from"), to.Add(-24*time.Hour))
	if err != nil {
		return nil, err
	}
	step := max(to.Sub(from)/500, s.Step).Round(s.Step)
	if t := q.Get("step"); t != "" {
		if step, err = time.ParseDuration(t); err != nil || step < time.Second {
			return nil, bad("want a step of a second or more such as 5m, have %q", t)
		}
	}
	if to.Before(from) || to.Sub(from)/step > maxPoints {
		return nil, bad("want from before to and at most %d points", maxPoints)
	}
	series, err := a.b.Engine.QueryRange(r.Context(), slo.SeriesBudgetRemaining+"{"+slo.LabelSLO+"="+strconv.Quote(x.Name)+"}", from, to, step)
	if err != nil {
		return nil, err
	}
	type line struct {
		Labels map[string]string `json:"labels,omitempty"`
		Points [][2]number       `json:"budgetRemaining"` // seconds since 1970, part left
	}
	lines := []line{}
	for _, l := range series {
		o := line{Labels: pick(l.Labels, x.GroupBy), Points: [][2]number{}}
		for _, p := range l.Samples {
			o.Points = append(o.Points, [2]number{number(float64(p.T.UnixMilli()) / 1000), number(p.V)})
		}
		lines = append(lines, o)
	}
	return map[string]any{"slo": x.Name, "from": from, "to": to, "stepSeconds": number(step.Seconds()), "groups": lines}, nil
}

// timeOf reads RFC 3339 or seconds since 1970.
func timeOf(text string, without time.Time) (time.Time, error) {
	if text == "" {
		return without, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && f > 0 && f < 1e11 {
		return time.UnixMilli(int64(f * 1000)).UTC(), nil
	}
	return time.Time{}, bad("want a time such as 2026-01-31T10:00:00Z or seconds since 1970, have %q", text)
}
