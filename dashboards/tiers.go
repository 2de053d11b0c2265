package dashboards

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/burnrate"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// tier is an alert tier as it applies to one SLO: it fires while the burn rates
// over long and over short are above factor, or above the burn rate at which the
// error ratio is limit if that is less.
type tier struct {
	severity    string
	long, short string
	factor      string
	limit       string
}

// name returns the tier in words, for example "page, 1h and 5m".
func (t tier) name() string { return fmt.Sprintf("%s, %s and %s", t.severity, t.long, t.short) }

// tiersOf returns the tiers of p that alert for s: those of a severity that s
// wants, or all of them when it wants none, so that a silent SLO shows too.
// A window shorter than the time that a deadline gives says nothing about it.
func tiersOf(p *slo.AlertProfile, s *slo.SLO) []tier {
	var out []tier
	for _, t := range p.BurnTiers() {
		wanted := t.Severity == burnrate.Page && s.Alerting.Page || t.Severity == burnrate.Ticket && s.Alerting.Ticket
		if !wanted && (s.Alerting.Page || s.Alerting.Ticket) {
			continue
		}
		if d, ok := s.SLI.SLI.(*slo.Deadline); ok && t.Long < time.Duration(d.Within) {
			continue
		}
		out = append(out, tier{
			severity: string(t.Severity),
			long:     slo.Duration(t.Long).String(),
			short:    slo.Duration(t.Short).String(),
			factor:   number(t.Factor(s.Window.Length())),
			limit:    number(cmp.Or(t.Cap, burnrate.DefaultCap)),
		})
	}
	return out
}

// part is the SLOs that have something in common, key, and the matcher that
// selects their series among those of all SLOs; it is empty if key is common to
// all.
type part[K comparable] struct {
	key   K
	match string
}

// partition splits slos by key, in the order in which the keys first appear.
// SLOs for which key returns false are in no part. The largest part is selected
// by the names that are not in it: one exception costs one name, not all others.
func partition[K comparable](slos []slo.SLO, key func(int) (K, bool)) []part[K] {
	var keys []K
	in := map[K]int{} // number of members
	of := make([]*K, len(slos))
	for i := range slos {
		k, ok := key(i)
		if !ok {
			continue
		}
		if in[k]++; in[k] == 1 {
			keys = append(keys, k)
		}
		of[i] = &k
	}
	largest := 0
	for i, k := range keys {
		if in[k] > in[keys[largest]] {
			largest = i
		}
	}
	names := func(want bool, k K) string {
		var out []string
		for i := range slos {
			if (of[i] != nil && *of[i] == k) == want {
				out = append(out, regexp.QuoteMeta(slos[i].Name))
			}
		}
		return strconv.Quote(strings.Join(out, "|"))
	}
	var out []part[K]
	for i, k := range keys {
		p := part[K]{key: k}
		switch {
		case i != largest:
			p.match = slo.LabelSLO + "=~" + names(true, k)
		case in[k] < len(slos):
			p.match = slo.LabelSLO + "!~" + names(false, k)
		}
		out = append(out, p)
	}
	return out
}
