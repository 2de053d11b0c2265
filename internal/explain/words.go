package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// sliWords says what is good, one line a thing.
func sliWords(s slo.SLI) []string {
	switch s := s.(type) {
	case *slo.Events:
		part := "bad:   " + s.Bad
		if s.Good != "" {
			part = "good:  " + s.Good
		}
		return []string{"events, counted by counters", part, "total: " + s.Total}
	case *slo.Latency:
		kind := "classic histogram, boundary le=\"" + s.Boundary + "\""
		if s.Native {
			kind = "native histogram"
		}
		return []string{fmt.Sprintf("observations of at most %s are good (%s)", s.Threshold, kind), s.Histogram}
	case *slo.Threshold:
		return []string{fmt.Sprintf("good while the value is %s %s", s.Op, s.Value), s.Metric}
	case *slo.Deadline:
		return []string{fmt.Sprintf("good when finished within %s; what was started and never finished is bad", s.Within), "started:  " + s.Started, "finished: " + s.Finished}
	case *slo.Freshness:
		return []string{fmt.Sprintf("good while the last success is at most %s old", s.MaxAge), s.Timestamp}
	case *slo.Coverage:
		return []string{"observed as a part of expected", "observed: " + s.Observed, "expected: " + s.Expected}
	case *slo.Spend:
		return []string{fmt.Sprintf("spending %s %s within the window spends the budget", s.Amount, s.Currency), s.Cost}
	case *slo.Availability:
		return []string{"good while the probe says 1", s.Probe}
	case *slo.Raw:
		return []string{"error ratio of a query; every evaluation weighs the same", s.ErrorRatio}
	case *slo.Composite:
		return []string{compositeWords(s)}
	}
	return nil
}

func compositeWords(c *slo.Composite) string {
	var members []string
	for _, m := range c.Members {
		if c.Method == slo.Weighted {
			members = append(members, fmt.Sprintf("%s (weight %s)", m.SLO, m.Weight))
			continue
		}
		members = append(members, m.SLO)
	}
	how := map[string]string{
		slo.Serial: "the product of the good ratios of", slo.Worst: "the smallest good ratio of", slo.Weighted: "the weighted mean of the good ratios of",
	}[c.Method]
	return how + " " + strings.Join(members, ", ")
}

// policyWords says what a spent budget leads to.
func policyWords(set *slo.Set, x *slo.SLO) []string {
	p, ok := set.Policy(x.Policy)
	if !ok {
		return []string{}
	}
	out := []string{}
	for _, s := range p.States {
		line := fmt.Sprintf("below %s of the budget left: %s, action %s", s.Below.Percent(), s.Name, s.Action)
		if s.Recover != s.Below {
			line += fmt.Sprintf(", until %s is left again", s.Recover.Percent())
		}
		if len(s.Exempt) > 0 {
			line += fmt.Sprintf("; %s may pass", strings.Join(s.Exempt, ", "))
		}
		out = append(out, line)
	}
	for _, e := range p.Escalations {
		out = append(out, fmt.Sprintf("burning above %s for %s: tell %s", e.BurnRate, e.For, e.Notify))
	}
	return out
}

// adjustmentWords says what the adjustments of x do, one line each.
func adjustmentWords(set *slo.Set, x *slo.SLO) []string {
	var out []string
	for i := range set.Adjustments {
		a := &set.Adjustments[i]
		if !slices.Contains(a.SLOs, x.Name) {
			continue
		}
		line := a.Name + ": " + a.String()
		kind := x.SLI.Kind()
		switch {
		case a.BadEvents != "":
			line += fmt.Sprintf(", %s bad events are taken back", a.BadEvents)
		case kind == "deadline" || kind == "spend":
			line += ", which does not change the budget of an SLI of kind " + kind
		}
		if a.Mute {
			line += ", alerts are silent"
		}
		out = append(out, line)
	}
	return out
}

// notes says what the numbers assume.
func notes(x *slo.SLO) []string {
	out := []string{"Times assume steady traffic and a clean past; evaluation adds up to one interval, and 5m where a window over 3h decides."}
	if x.EventsPerHour == "" {
		out = append(out, "Declare eventsPerHour to see the budget in events and the expected false pages.")
	}
	if q := x.Alerting.PageWhen; q != "" && x.Alerting.Page {
		out = append(out, "Pages only while this query has a result, and opens a ticket instead while it has none: "+q)
	}
	if x.Window.Calendar != "" {
		out = append(out, "The length of a calendar window is its mean length.")
	}
	if x.Budget.Rat().Sign() == 0 {
		out = append(out, "An objective of 100% has no budget: any bad event alerts.")
	}
	return out
}
