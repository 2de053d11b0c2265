package explain

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// Text writes e for people.
func (e *Explanation) Text(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s\n", e.Title)
	if e.Description != "" {
		fmt.Fprintf(b, "  %s\n", e.Description)
	}
	fmt.Fprintf(b, "\nPromise    %s good, %s, for service %s%s\n", e.Objective.Percent(), e.Window, e.Service, e.team())
	for i, line := range e.SLI {
		fmt.Fprintf(b, "%-10s %s\n", first(i, "Measured"), line)
	}
	fmt.Fprintf(b, "Budget     %s\n", e.Budget.words())
	fmt.Fprintf(b, "No data    after %s: notify %s, counts as %s\n", e.NoData.After, e.NoData.Notify, e.NoData.TreatAs)
	for i, line := range e.Policy {
		fmt.Fprintf(b, "%-10s %s\n", first(i, "Policy"), line)
	}
	for i, line := range e.Adjustments {
		fmt.Fprintf(b, "%-10s %s\n", first(i, "Adjusted"), line)
	}
	e.tiersText(b)
	e.casesText(b)
	if e.FalsePages != nil {
		fmt.Fprintf(b, "\nFalse pages expected: %s a month (at most %s with 95%% confidence), for a healthy service\nthat burns at half of what it may, at %s events an hour.\n",
			number(e.FalsePages.PerMonth), number(e.FalsePages.AtMost), e.Budget.EventsPerHour)
	}
	fmt.Fprintln(b)
	for _, n := range e.Notes {
		fmt.Fprintf(b, "%s\n", n)
	}
	return b.Flush()
}

func first(i int, word string) string {
	if i == 0 {
		return word
	}
	return ""
}

func (e *Explanation) team() string {
	if e.Owner.Team == "" {
		return ""
	}
	return ", owned by " + e.Owner.Team
}

func (b Budget) words() string {
	s := fmt.Sprintf("%s bad; a total outage of %s spends it", b.Ratio.Percent(), human(b.Outage))
	if b.Ratio.Rat().Sign() == 0 {
		s = "none: any bad event is too many"
	}
	if b.EventsTotal > 0 {
		s += fmt.Sprintf("; %s of %s events", number(b.Events), number(b.EventsTotal))
	}
	return s
}

func (e *Explanation) tiersText(w io.Writer) {
	if len(e.Tiers) == 0 {
		fmt.Fprintf(w, "\nNobody is told when it burns.\n")
		return
	}
	fmt.Fprintf(w, "\nAlerts when over both windows the budget burns faster than\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  severity\tlong\tshort\tburn rate\terror ratio\tbudget spent in long\tbad events needed")
	for _, x := range e.Tiers {
		ratio := percent(x.ErrorRatio)
		if x.Capped {
			ratio += " (cap)"
		}
		needed := "-"
		if x.NeededBad > 0 {
			needed = number(x.NeededBad)
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.Severity, x.Long, x.Short, number(x.BurnRate), ratio, percent(x.Spent), needed)
	}
	t.Flush()
}

func (e *Explanation) casesText(w io.Writer) {
	fmt.Fprintf(w, "\nWhat happens when so many events are bad\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  error ratio\tpages after\tticket after\tpage ends after recovery\tfull budget is spent after")
	for _, c := range e.Cases {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", percent(c.ErrorRatio), never(c.Page), never(c.Ticket), never(c.Reset), never(c.Exhausted))
	}
	t.Flush()
}

func never(d *slo.Duration) string {
	if d == nil {
		return "never"
	}
	return human(*d)
}

// human writes a duration with its two greatest units.
func human(d slo.Duration) string {
	x := time.Duration(d)
	switch {
	case x == 0:
		return "0s"
	case x >= 24*time.Hour:
		x = x.Round(time.Hour)
	case x >= time.Hour:
		x = x.Round(time.Minute)
	}
	return slo.Duration(x).String()
}

func percent(f float64) string { return number(f*100) + "%" }

// number writes f with three significant digits, or all of them when it is a
// larger whole number.
func number(f float64) string {
	if f >= 1000 {
		return group(strconv.FormatFloat(f, 'f', 0, 64))
	}
	return strconv.FormatFloat(f, 'g', 3, 64)
}

func group(digits string) string {
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}
