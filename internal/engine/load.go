package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// RuleFile is a rule file in memory. Name is the name that errors, alerts and Stats show; Content is the YAML
// exactly as it would stand on disk.
type RuleFile struct {
	Name    string
	Content []byte
}

// Load replaces the rules by those of the files, in this order. The first Load is the start of Prometheus: as there,
// ALERTS and ALERTS_FOR_STATE are written only after the second evaluation of a group, when alert state has been
// restored. Each later Load is a reload of its configuration: groups of the same file and name keep their state,
// and recorded series that no rule records any more are marked stale two intervals later.
//
// The files are judged by Prometheus' own parser with the features that are on by default. The error joins all
// errors of the first bad file and names file, group, rule and line; the rules then stay as they were.
func (e *Engine) Load(files ...RuleFile) error {
	fresh, err := e.build(files)
	if err != nil {
		return err
	}
	if e.files != nil {
		fresh = e.carryOver(fresh)
	}
	e.files, e.groups = append([]RuleFile{}, files...), fresh
	e.know()
	e.publish()
	return nil
}

// know notes what the present rules record, for the division of expressions.
func (e *Engine) know() {
	names := recordedBy(e.opts.Own, e.groups)
	e.recorded.Store(&names)
	e.divisions.Clear()
	for _, g := range e.groups {
		g.touched, g.all = e.touches(g, names)
	}
}

// Restart is a restart of Prometheus between two evaluations: what it held in memory is gone, the store stays.
// Alerts start again as pending; after two evaluations of the group the state of for comes back from
// ALERTS_FOR_STATE (for a `for` of at least Options.ForGracePeriod, and an outage of at most OutageTolerance).
// Alertmanager keeps what it knows, so an alert that is sent again in time gives no new event. It fails only
// if there are no rules.
func (e *Engine) Restart() error {
	if e.files == nil {
		return errors.New("restart: no rules loaded")
	}
	fresh, err := e.build(e.files)
	if err != nil {
		return err
	}
	e.groups, e.retired = fresh, nil
	e.know()
	e.publish()
	return nil
}

// build parses the files into groups that have never been evaluated, with the real Prometheus manager.
func (e *Engine) build(files []RuleFile) ([]*group, error) {
	l := &loader{parser: e.parser, logger: e.opts.Logger, files: map[string]RuleFile{}, order: map[string][]string{}}
	var names []string
	for _, f := range files {
		if _, twice := l.files[f.Name]; twice {
			return nil, fmt.Errorf("rule file %q is given twice", f.Name)
		}
		l.files[f.Name] = f
		names = append(names, f.Name)
	}
	m := rules.NewManager(&rules.ManagerOptions{
		NameValidationScheme:   model.UTF8Validation,
		ExternalURL:            e.external,
		QueryFunc:              e.instant,
		NotifyFunc:             e.notify,
		Context:                context.Background(),
		Appendable:             results{e.store.Results(), e},
		Queryable:              e.store.Queryable(),
		Logger:                 e.opts.Logger,
		OutageTolerance:        e.opts.OutageTolerance,
		ForGracePeriod:         e.opts.ForGracePeriod,
		ResendDelay:            e.opts.ResendDelay,
		GroupLoader:            l,
		DefaultRuleQueryOffset: func() time.Duration { return e.opts.QueryOffset },
		Parser:                 e.parser,
	})
	byKey, errs := m.LoadGroups(e.opts.Interval, labels.FromMap(e.opts.ExternalLabels), e.external.String(), nil, false, names...)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var groups []*group
	for _, file := range names {
		for _, name := range l.order[file] {
			groups = append(groups, newGroup(byKey[rules.GroupKey(file, name)]))
		}
	}
	return groups, nil
}

// loader feeds Prometheus' manager from memory.
type loader struct {
	parser parser.Parser
	logger *slog.Logger
	files  map[string]RuleFile
	order  map[string][]string // file name to its group names
}

// Load parses one file as rulefmt.ParseFile does.
func (l *loader) Load(name string, ignoreUnknown bool, scheme model.ValidationScheme) (*rulefmt.RuleGroups, []error) {
	groups, errs := rulefmt.Parse(l.files[name].Content, ignoreUnknown, scheme, l.parser, l.logger)
	// A syntax error comes twice, as rulefmt reads the YAML twice.
	errs = slices.CompactFunc(errs, func(a, b error) bool { return a.Error() == b.Error() })
	for i, err := range errs {
		errs[i] = fmt.Errorf("%s: %w", name, err)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	for _, g := range groups.Groups {
		l.order[name] = append(l.order[name], g.Name)
	}
	return groups, nil
}

// Parse parses an expression.
func (l *loader) Parse(query string) (parser.Expr, error) { return l.parser.ParseExpr(query) }

// retired is a group that a reload removed. Prometheus waits two intervals, so that renamed rules can take over
// their series, and then ends what is left with staleness markers at the time of the reload.
type retired struct {
	heir  *rules.Group // has no rules and owns the series of the removed group
	at    time.Time    // of the markers: just after the last evaluation before the reload
	sweep time.Time    // when the markers are written
}

// carryOver gives the state of the present groups to their successors in fresh, as rules.Manager.Update does.
func (e *Engine) carryOver(fresh []*group) []*group {
	old := map[string]*group{}
	for _, g := range e.groups {
		old[g.key()] = g
	}
	for i, g := range fresh {
		was := old[g.key()]
		delete(old, g.key())
		g.started()
		switch {
		case was == nil:
		case was.Equals(g.Group):
			fresh[i] = was
		default:
			g.CopyState(was.Group)
			g.changed = true
		}
	}
	for _, g := range e.groups {
		if old[g.key()] == nil {
			continue
		}
		heir := rules.NewGroup(rules.GroupOptions{
			Name: g.Name(), File: g.File(), Interval: g.Interval(), QueryOffset: new(g.QueryOffset()),
			Opts: &rules.ManagerOptions{Appendable: results{e.store.Results(), e}, Context: context.Background(), Logger: e.opts.Logger},
		})
		heir.CopyState(g.Group)
		e.retired = append(e.retired, retired{
			heir: heir, at: e.last.Add(time.Millisecond), sweep: e.last.Add(2 * g.Interval()),
		})
	}
	return fresh
}

// sweepRetired writes the staleness markers that are due at ts.
func (e *Engine) sweepRetired(ctx context.Context, ts time.Time) {
	var rest []retired
	for _, r := range e.retired {
		if ts.Before(r.sweep) {
			rest = append(rest, r)
			continue
		}
		r.heir.Eval(ctx, r.at)
	}
	e.retired = rest
}
