package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// setFile is the last set that was right, in the data directory: what a start with wrong specs goes on with.
const setFile = "set.json"

// ruleset is a compiled set with what its rules say about the schedule.
type ruleset struct {
	set     *slo.Set
	digests map[string]string // of the rules that record the increments and the constants, by SLO
	step    time.Duration     // between two ticks
	offset  time.Duration     // how far before its tick something is recorded, at most
	texts   string            // digest of the spec files
}

// newRuleset compiles the rules of set, as build writes them for Prometheus.
func newRuleset(set *slo.Set, texts string) (*ruleset, error) {
	groups, err := rules.Generate(set, ruleOptions())
	if err != nil {
		return nil, fmt.Errorf("generate rules: %w", err)
	}
	rs := &ruleset{set: set, digests: map[string]string{}, texts: texts}
	own := map[string][]rules.Rule{} // by SLO: its constants, and what counts its events
	for _, g := range groups {
		a, b := rs.step, g.Interval
		for b != 0 {
			a, b = b, a%b
		}
		rs.step, rs.offset = a, max(rs.offset, g.QueryOffset)
		if rules.KindOfGroup(g.Name) == "repair" {
			continue
		}
		for _, r := range g.Rules {
			if name := r.Labels[slo.LabelSLO]; name != "" {
				own[name] = append(own[name], r)
			}
		}
	}
	for name, list := range own {
		h := sha256.New()
		for _, r := range list {
			fmt.Fprintf(h, "%q %q\n", r.Record, r.Expr)
		}
		rs.digests[name] = hex.EncodeToString(h.Sum(nil)[:8])
	}
	if rs.step == 0 {
		rs.step = time.Minute
	}
	return rs, nil
}

func ruleOptions() rules.Options { return rules.Options{Target: rules.Prometheus} }

// names returns all SLOs, sorted.
func (rs *ruleset) names() []string {
	var out []string
	for i := range rs.set.SLOs {
		out = append(out, rs.set.SLOs[i].Name)
	}
	return out
}

// filesOf returns the rule files of the SLOs called names, which are sorted.
func (rs *ruleset) filesOf(names []string) ([]engine.RuleFile, error) {
	some := *rs.set
	some.SLOs = slices.DeleteFunc(slices.Clone(rs.set.SLOs), func(x slo.SLO) bool {
		_, wanted := slices.BinarySearch(names, x.Name)
		return !wanted
	})
	files, err := rules.Files(&some, ruleOptions())
	if err != nil {
		return nil, fmt.Errorf("generate rules: %w", err)
	}
	out := []engine.RuleFile{}
	for _, f := range files {
		out = append(out, engine.RuleFile{Name: f.Name, Content: f.Content})
	}
	return out, nil
}

// members returns the SLOs that a composite one is made of, or nothing.
func members(x *slo.SLO) []string {
	c, ok := x.SLI.SLI.(*slo.Composite)
	if !ok {
		return nil
	}
	var out []string
	for _, m := range c.Members {
		out = append(out, m.SLO)
	}
	return out
}

// complete returns those of names whose members are among names too.
func (rs *ruleset) complete(names []string) []string {
	for {
		rest := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			x, ok := rs.set.SLO(name)
			return !ok || slices.ContainsFunc(members(x), func(m string) bool { return !slices.Contains(names, m) })
		})
		if len(rest) == len(names) {
			return rest
		}
		names = rest
	}
}

// withMembers returns names and the members of the composites among them.
func (rs *ruleset) withMembers(names []string) []string {
	out := slices.Clone(names)
	for i := 0; i < len(out); i++ {
		x, ok := rs.set.SLO(out[i])
		if !ok {
			continue
		}
		for _, m := range members(x) {
			if !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	slices.Sort(out)
	return out
}

// longest returns the longest budget window of the SLOs called names.
func (rs *ruleset) longest(names []string) time.Duration {
	var out time.Duration
	for _, name := range names {
		if x, ok := rs.set.SLO(name); ok {
			out = max(out, x.Window.Length())
		}
	}
	return out
}

// SpecError is the answer to specs that are wrong.
type SpecError struct {
	Findings slo.Findings
	Files    []slo.File
}

// Error tells how many findings there are, and the first.
func (e *SpecError) Error() string {
	errs, _, _ := e.Findings.Count()
	for _, d := range e.Findings {
		if strings.Contains(d.String(), ": error: ") {
			return fmt.Sprintf("specs have %d errors, the first: %s", errs, d)
		}
	}
	return "specs are wrong"
}

// readSpecs reads and compiles the specs. It returns nil if their text has the digest known.
func (o Options) readSpecs(known string) (*ruleset, error) {
	files, findings := slo.ReadFiles(o.Specs...)
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%q %d\n%s", f.Name, len(f.Text), f.Text)
	}
	fmt.Fprint(h, findings)
	texts := hex.EncodeToString(h.Sum(nil))
	if texts == known {
		return nil, nil
	}
	set, more := slo.Compile(files)
	findings = append(findings, more...)
	findings.Sort()
	if findings.Failed() {
		return &ruleset{texts: texts}, &SpecError{findings, files}
	}
	var err error
	if o.SelfSLOs {
		if set, err = withSelf(set); err != nil {
			return &ruleset{texts: texts}, err
		}
	}
	rs, err := newRuleset(set, texts)
	if err != nil {
		return &ruleset{texts: texts}, err
	}
	return rs, nil
}

// firstRules returns the rules to start with.
func (s *Server) firstRules() (*ruleset, error) {
	rs, err := s.opts.readSpecs("")
	if err == nil {
		s.accepted(rs)
		return rs, nil
	}
	f, openErr := os.Open(filepath.Join(s.opts.Data, setFile))
	if openErr != nil {
		return nil, err
	}
	defer f.Close()
	set, readErr := slo.Read(f)
	if readErr != nil {
		return nil, errors.Join(err, readErr)
	}
	s.refused(rs, err)
	old, oldErr := newRuleset(set, "")
	if oldErr != nil {
		return nil, errors.Join(err, oldErr)
	}
	return old, nil
}

// accepted notes that rs is what the specs say now, and keeps it for a start with wrong specs.
func (s *Server) accepted(rs *ruleset) {
	now := s.opts.Now().UTC()
	s.metrics.specsOK.Set(1)
	s.metrics.specsTime.Set(float64(now.Unix()))
	s.metrics.reloads.WithLabelValues("ok").Inc()
	s.mu.Lock()
	s.view.specs = specsView{seen: rs.texts, loadedAt: now}
	s.mu.Unlock()
	var b strings.Builder
	if _, err := rs.set.WriteTo(&b); err != nil {
		s.log.Error("keep the set for the next start", "err", err)
		return
	}
	if err := replaceFile(filepath.Join(s.opts.Data, setFile), []byte(b.String())); err != nil {
		s.log.Error("keep the set for the next start", "err", err)
	}
}

// refused notes that the specs on disk are wrong.
func (s *Server) refused(rs *ruleset, err error) {
	s.metrics.specsOK.Set(0)
	s.metrics.reloads.WithLabelValues("refused").Inc()
	s.log.Error("the specs are wrong, the last good ones stay", "err", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.specs.seen, s.view.specs.problems = rs.texts, []string{err.Error()}
	if e, ok := errors.AsType[*SpecError](err); ok {
		s.view.specs.problems = nil
		for _, d := range e.Findings {
			s.view.specs.problems = append(s.view.specs.problems, d.String())
		}
	}
}

// reading is what became of a look at the specs.
type reading struct {
	rs     *ruleset // nil: they have not changed
	err    error
	forced bool // say so in the log even if nothing changed
}

// reloadNow takes over changed specs.
func (s *Server) reloadNow(ctx context.Context, forced bool) { s.apply(ctx, s.read(forced)) }

// read looks at the scrape configuration and reads and compiles changed specs. It may run beside the schedule: the specs
// of thousands of SLOs take seconds.
func (s *Server) read(forced bool) reading {
	if s.scraper != nil {
		s.scraper.Reload()
	}
	s.mu.Lock()
	seen := s.view.specs.seen
	s.mu.Unlock()
	rs, err := s.opts.readSpecs(seen)
	return reading{rs, err, forced}
}

// apply takes over specs that were read.
func (s *Server) apply(ctx context.Context, r reading) {
	switch {
	case r.err != nil:
		s.refused(r.rs, r.err)
	case r.rs == nil:
		if r.forced {
			s.log.Info("the specs have not changed")
		}
	default:
		if err := s.take(ctx, r.rs); err != nil {
			s.refused(r.rs, err)
		}
	}
	s.show()
}

// take makes rs the set that is evaluated: SLOs whose past is known from the next tick on, others once it is evaluated.
func (s *Server) take(ctx context.Context, rs *ruleset) error {
	was, step := s.live, s.step()
	s.live = rs
	if err := s.load(ctx, s.ledger.known(rs), s.next.Add(-step)); err != nil {
		s.live = was
		return err
	}
	if rs.step != step {
		s.next = s.next.Add(-step).Truncate(rs.step).Add(rs.step)
	}
	s.accepted(rs)
	s.taken()
	s.log.Info("specs loaded", "slos", len(rs.set.SLOs), "digest", rs.set.Digest)
	s.startFill(rs)
	return nil
}
