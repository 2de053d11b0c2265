package slo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/schema"
)

// linker joins the objects of all documents to a Set.
type linker struct {
	part
	set      *Set
	byName   map[string]*service
	sloNames []string
}

func (l *linker) link() *Set {
	l.set = &Set{Version: SetVersion}
	l.profiles = append(l.profiles, missing(l.profiles, defaultProfile())...)
	l.dataSources = append(l.dataSources, missing(l.dataSources, defaultDataSource())...)
	l.services = unique(l, "Service", l.services, func(x *service) *Meta { return &x.Meta })
	l.implicitServices()
	l.set.Services = make([]Service, 0, len(l.services))
	l.byName = make(map[string]*service, len(l.services))
	for i := range l.services {
		l.byName[l.services[i].Name] = &l.services[i]
		l.set.Services = append(l.set.Services, l.services[i].Service)
	}
	l.set.DataSources = unique(l, "DataSource", l.dataSources, func(x *DataSource) *Meta { return &x.Meta })
	l.set.Profiles = unique(l, "AlertProfile", l.profiles, func(x *AlertProfile) *Meta { return &x.Meta })
	l.set.Policies = unique(l, "BudgetPolicy", l.policies, func(x *BudgetPolicy) *Meta { return &x.Meta })
	l.set.SLOs = unique(l, "SLO", l.slos, func(x *SLO) *Meta { return &x.Meta })
	for i := range l.set.SLOs {
		x := &l.set.SLOs[i]
		l.sloNames = append(l.sloNames, x.Name)
		if s := l.byName[x.Service]; s != nil {
			x.fill(s)
		} else {
			x.fill(&service{})
		}
	}
	l.references()
	l.set.Adjustments = l.linkAdjustments()
	l.set.Reports = l.linkReports()
	l.checkSLOs()
	l.checkCycles()
	return l.set
}

// missing returns x unless have has an object of its name.
func missing[T any, P interface {
	*T
	meta() *Meta
}](have []T, x T) []T {
	for i := range have {
		if P(&have[i]).meta().Name == P(&x).meta().Name {
			return nil
		}
	}
	return []T{x}
}

func (p *AlertProfile) meta() *Meta { return &p.Meta }
func (d *DataSource) meta() *Meta   { return &d.Meta }

// unique sorts objects by name, and reports and drops those whose name is
// taken by an earlier place.
func unique[T any](l *linker, kind string, in []T, meta func(*T) *Meta) []T {
	slices.SortStableFunc(in, func(a, b T) int {
		x, y := meta(&a), meta(&b)
		if c := strings.Compare(x.Name, y.Name); c != 0 {
			return c
		}
		return x.At.Compare(y.At)
	})
	out := make([]T, 0, len(in))
	for i := range in {
		m := meta(&in[i])
		if n := len(out); n > 0 && meta(&out[n-1]).Name == m.Name {
			l.diags.Add(diag.Diag{
				Sev: diag.Error, Code: diag.DuplicateName, Pos: m.At,
				Msg: fmt.Sprintf("there is another %s %q", kind, m.Name), Hint: "rename one of the two",
				Related: &diag.Related{Pos: meta(&out[n-1]).At, Msg: "the other one"},
			})
			continue
		}
		out = append(out, in[i])
	}
	return out
}

// implicitServices makes services of names that SLOs use when no service is
// declared at all.
func (l *linker) implicitServices() {
	if len(l.services) > 0 || l.brokenKind("Service/") {
		return
	}
	seen := map[string]bool{}
	for i := range l.slos {
		x := &l.slos[i]
		if x.Service != "" && !seen[x.Service] {
			seen[x.Service] = true
			l.services = append(l.services, service{Service: Service{Meta: Meta{Name: x.Service, At: x.PlaceOf("spec.service")}}})
		}
	}
	slices.SortFunc(l.services, func(a, b service) int { return strings.Compare(a.Name, b.Name) })
}

// anyBroken reports whether an object of this kind has errors or a document
// could not be read.
func (l *linker) anyBroken(prefix string) bool {
	return len(l.unread) > 0 || l.brokenKind(prefix)
}

func (l *linker) brokenKind(prefix string) bool {
	for k := range l.broken {
		if strings.HasPrefix(k, prefix) {
			return true
		}
	}
	return false
}

// refer reports a name that no object of this kind has.
func (l *linker) refer(m *Meta, path, kind, name string, known []string) bool {
	if name == "" {
		return false
	}
	if _, ok := slices.BinarySearch(known, name); ok {
		return true
	}
	if l.broken[kind+"/"+name] || l.unread[name] {
		return false
	}
	d := diag.Diag{
		Sev: diag.Error, Code: diag.UnknownReference, Pos: m.PlaceOf(path),
		Msg: fmt.Sprintf("there is no %s %q", kind, name),
	}
	if s := schema.Closest(name, known); s != "" {
		d.Hint = fmt.Sprintf("did you mean %q?", s)
	} else {
		d.Hint = fmt.Sprintf("add a document of kind %s with this name", kind)
		if len(known) > 0 && len(known) <= 8 {
			d.Hint += ", or use one of: " + strings.Join(known, ", ")
		}
	}
	l.diags.Add(d)
	return false
}

func namesOf[T any](in []T, meta func(*T) *Meta) []string {
	out := make([]string, len(in))
	for i := range in {
		out[i] = meta(&in[i]).Name
	}
	return out
}

// references checks every name by which objects refer to each other.
func (l *linker) references() {
	services := namesOf(l.set.Services, func(x *Service) *Meta { return &x.Meta })
	profiles := namesOf(l.set.Profiles, func(x *AlertProfile) *Meta { return &x.Meta })
	policies := namesOf(l.set.Policies, func(x *BudgetPolicy) *Meta { return &x.Meta })
	sources := namesOf(l.set.DataSources, func(x *DataSource) *Meta { return &x.Meta })
	for i := range l.services {
		s := &l.services[i]
		for j, n := range s.DependsOn {
			l.refer(&s.Meta, fmt.Sprintf("spec.dependsOn[%d]", j), "Service", n, services)
		}
		l.refer(&s.Meta, "spec.defaults.profile", "AlertProfile", s.profile, profiles)
		l.refer(&s.Meta, "spec.defaults.policy", "BudgetPolicy", s.policy, policies)
		l.refer(&s.Meta, "spec.defaults.dataSource", "DataSource", s.dataSource, sources)
	}
	for i := range l.set.SLOs {
		x := &l.set.SLOs[i]
		l.refer(&x.Meta, "spec.service", "Service", x.Service, services)
		own := func(path, kind, name string, known []string) {
			if x.PlaceOf(path) != x.At { // said here, not inherited
				l.refer(&x.Meta, path, kind, name, known)
			}
		}
		own("spec.alerting.profile", "AlertProfile", x.Alerting.Profile, profiles)
		own("spec.policy", "BudgetPolicy", x.Policy, policies)
		own("spec.dataSource", "DataSource", x.DataSource, sources)
		for j, d := range x.DependsOn {
			l.refer(&x.Meta, fmt.Sprintf("spec.dependsOn[%d].slo", j), "SLO", d.SLO, l.sloNames)
		}
		if c, ok := x.SLI.SLI.(*Composite); ok {
			for j, m := range c.Members {
				l.refer(&x.Meta, fmt.Sprintf("spec.sli.composite.members[%d].slo", j), "SLO", m.SLO, l.sloNames)
			}
		}
	}
}

// resolve returns the names of the SLOs that sel picks, sorted.
func (l *linker) resolve(m *Meta, sel selector) []string {
	services := namesOf(l.set.Services, func(x *Service) *Meta { return &x.Meta })
	for i, n := range sel.names {
		l.refer(m, fmt.Sprintf("spec.slos.names[%d]", i), "SLO", n, l.sloNames)
	}
	for i, n := range sel.services {
		l.refer(m, fmt.Sprintf("spec.slos.services[%d]", i), "Service", n, services)
	}
	out := []string{}
	for i := range l.set.SLOs {
		if sel.picks(&l.set.SLOs[i]) {
			out = append(out, l.set.SLOs[i].Name)
		}
	}
	return out
}

func (s selector) picks(x *SLO) bool {
	if s.all || slices.Contains(s.names, x.Name) || slices.Contains(s.services, x.Service) {
		return true
	}
	for k, v := range s.labels {
		if x.Labels[k] != v {
			return false
		}
	}
	return len(s.labels) > 0
}

func (l *linker) linkReports() []Report {
	out := []Report{}
	for _, r := range unique(l, "Report", l.reports, func(x *report) *Meta { return &x.Meta }) {
		before := len(l.diags)
		r.SLOs = l.resolve(&r.Meta, r.sel)
		if len(r.SLOs) == 0 && len(l.diags) == before && !l.broken["Report/"+r.Name] && !l.anyBroken("SLO/") {
			l.add(diag.Warning, diag.UnknownReference, r.PlaceOf("spec.slos"), "name SLOs, services or labels that exist", "report %q is empty: no SLO fits", r.Name)
		}
		out = append(out, r.Report)
	}
	return out
}
