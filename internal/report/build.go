package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// Build makes the report of what the facts say. Set and options are those that the queries were made of. Equal input
// gives equal reports.
//
// Error: as of Queries; or an answer is missing, has another form than its query asks for, or holds a number that is
// not finite.
func Build(set *slo.Set, o Options, in Facts) (*Report, error) {
	p, err := newPlanner(set, o)
	if err != nil {
		return nil, err
	}
	if err := p.plan(); err != nil {
		return nil, err
	}
	f, err := p.gather(in)
	if err != nil {
		return nil, err
	}
	r := &Report{
		Version: Version, Heading: cmp.Or(o.Heading, "Error budgets"), Audience: cmp.Or(o.Audience, "team"), Generator: o.Generator,
		SetDigest: set.Digest, Period: utc(p.now.Period), Before: utc(p.before), Until: p.now.until.UTC(), Over: p.now.over(), Slot: p.now.fine.Seconds(),
		SLOs: []Row{}, Incidents: []Incident{}, Costs: f.accounts.costs(), Queries: p.out,
	}
	for _, x := range p.slos {
		rows, incidents := p.rows(f, x)
		r.SLOs = append(r.SLOs, rows...)
		r.Incidents = append(r.Incidents, incidents...)
	}
	sortIncidents(r.Incidents)
	if r.Adjustments, err = p.adjustments(); err != nil {
		return nil, err
	}
	r.tally()
	r.Digest = r.digest()
	return r, nil
}

func utc(p Period) Period {
	p.From, p.To = p.From.UTC(), p.To.UTC()
	return p
}

// rows returns the rows of x: one, or one for each of its groups.
func (p *planner) rows(f *facts, x *slo.SLO) ([]Row, []Incident) {
	some := slices.Clone(f.bySLO[x.Name])
	if len(some) == 0 {
		some = append(some, f.empty(x, p.source(x), nil))
	}
	slices.SortFunc(some, func(a, b *gathered) int { return compareGroups(a.group, b.group) })
	var rows []Row
	var incidents []Incident
	for _, g := range some {
		r, in := p.row(f, g)
		rows = append(rows, r)
		incidents = append(incidents, in...)
	}
	return rows, incidents
}

// adjustments lists those that overlap the period and name an SLO of the report.
func (p *planner) adjustments() ([]Adjustment, error) {
	out := []Adjustment{}
	for i := range p.set.Adjustments {
		a := &p.set.Adjustments[i]
		list, err := a.Occurrences(p.now.From, p.now.until)
		if err != nil {
			return nil, fmt.Errorf("adjustment %q: %w", a.Name, err)
		}
		var names []string
		for _, x := range p.slos {
			if _, ok := slices.BinarySearch(a.SLOs, x.Name); ok {
				names = append(names, x.Name)
			}
		}
		if len(list) == 0 || names == nil {
			continue
		}
		out = append(out, Adjustment{
			Name: a.Name, Type: a.Type, Reason: a.Reason, Ticket: a.Ticket, SLOs: names,
			Occurrences: len(list), First: list[0].From.UTC(), Last: list[len(list)-1].To.UTC(),
		})
	}
	return out, nil
}

// tally counts by verdict, in all and for each team and service.
func (r *Report) tally() {
	r.Tally = tallyOf(r.SLOs, len(r.Incidents))
	r.Teams = r.groups(func(x *Row) string { return x.Team })
	r.Services = r.groups(func(x *Row) string { return x.Service })
}

func (r *Report) groups(of func(*Row) string) []Group {
	rows, incidents := map[string][]Row{}, map[string]int{}
	var names []string
	groupOf := map[string]string{}
	for i := range r.SLOs {
		n := of(&r.SLOs[i])
		groupOf[r.SLOs[i].SLO] = n
		if rows[n] == nil {
			names = append(names, n)
		}
		rows[n] = append(rows[n], r.SLOs[i])
	}
	for i := range r.Incidents {
		incidents[groupOf[r.Incidents[i].SLO]]++
	}
	slices.Sort(names)
	out := []Group{}
	for _, n := range names {
		g := Group{Name: n, Tally: tallyOf(rows[n], incidents[n])}
		for _, x := range rows[n] {
			if x.Left != nil && measured(x.Verdict) && (g.Lowest == nil || *x.Left < g.Lowest.Left) {
				g.Lowest = &Lowest{x.SLO, x.Group, *x.Left}
			}
		}
		out = append(out, g)
	}
	return out
}

// measured tells whether a verdict is one about events.
func measured(v Verdict) bool { return v == Met || v == Missed }

func tallyOf(rows []Row, incidents int) Tally {
	t := Tally{Incidents: incidents}
	for i := 0; i < len(rows); {
		worst, partly := rows[i].Verdict, false
		name := rows[i].SLO
		for ; i < len(rows) && rows[i].SLO == name; i++ {
			if worse(rows[i].Verdict, worst) < 0 {
				worst = rows[i].Verdict
			}
			partly = partly || rows[i].Telemetry < Whole
		}
		t.SLOs++
		switch worst {
		case Met:
			t.Met++
		case Missed:
			t.Missed++
		case NoTraffic:
			t.NoTraffic++
		case NoTelemetry:
			t.NoTelemetry++
		default:
			t.NotEvaluated++
		}
		if measured(worst) && partly {
			t.Partly++
		}
	}
	return t
}

// JSON writes r, indented; equal reports give equal bytes.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// digest is the digest of what JSON writes with an empty digest, without the spaces and line breaks of its layout.
func (r *Report) digest() string {
	c := *r
	c.Digest = ""
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(c); err != nil {
		panic("report: does not encode: " + err.Error())
	}
	sum := sha256.Sum256(bytes.TrimSpace(b.Bytes()))
	return "sha256:" + hex.EncodeToString(sum[:])
}
