package rules

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// Series that only the rules themselves read, besides those of package slo.
const (
	seriesGoodIncrement = "slo:good:inc"         // good events of one tick, where they are not told from what was seen
	seriesEventsSeen    = "slo:events:seen"      // events of one tick by labelOutcome, absent without telemetry
	seriesPageHeld      = "slo:page:held"        // 1 while what would page is a ticket, because no second signal agrees
	seriesRawEvents     = "slo:slice_events:inc" // events of one tick, for budgets of time slices
	seriesRawBad        = "slo:slice_bad:inc"
	seriesEventsRollup  = "slo:events:rollup" // events of one slow interval
	seriesBadRollup     = "slo:bad:rollup"
	seriesAmount        = "slo:spend_budget:amount" // money of one window
)

// Labels that only the rules themselves use.
const (
	labelPeriod = "period" // index of a calendar period
	labelPiece  = "piece"  // tells parts of one sum apart

	// labelOutcome says what an element of seriesEventsSeen is; it is not there on events of which nothing else is known
	// than that they were seen.
	labelOutcome = "slo_outcome"
)

// Values of labelOutcome.
const (
	outcomeBad       = "bad"        // bad events
	outcomeBadApart  = "bad-apart"  // bad events that are among the others as well
	outcomeGoodApart = "good-apart" // good events that are among the others as well, with a minus
	outcomeUp        = "up"         // 0, there while a target can be reached
)

// Matchers of labelOutcome.
const (
	ofEvents   = labelOutcome + `!~"up|.+-apart"`   // each event once
	ofBad      = labelOutcome + `=~"bad|bad-apart"` // each bad event once
	ofLessGood = labelOutcome + `!="up"`            // where good events are counted apart: events less these
)

// match returns the selector of a recorded series for the SLOs of b.
func (b *bundle) match(series string, more ...string) string {
	return series + "{" + strings.Join(append([]string{b.slosMatcher()}, more...), ",") + "}"
}

func (b *bundle) slosMatcher() string {
	if len(b.slos) == 1 {
		return equals(slo.LabelSLO, b.slos[0].Name)
	}
	names := make([]string, len(b.slos))
	for i, x := range b.slos {
		names[i] = regexp.QuoteMeta(x.Name)
	}
	return slo.LabelSLO + "=~" + strconv.Quote(strings.Join(names, "|"))
}

// one returns the selector of a recorded series for one SLO.
func one(series string, x *slo.SLO) string {
	return series + "{" + equals(slo.LabelSLO, x.Name) + "}"
}

// thisTick returns what was recorded under a name at this very tick, as an operand. Without a range a value of minutes ago
// would be taken for it if the server was restarted just when the series ended.
func (b *bundle) thisTick(series string, matchers ...string) string {
	return "last_over_time(" + series + "{" + strings.Join(matchers, ",") + "}" + span(b.clock.tick) + ")"
}

func equals(label, value string) string { return label + "=" + strconv.Quote(value) }

func inWindow(label string) string { return equals(slo.LabelWindow, label) }

// identity returns the labels that tell the series of a bundle apart: slo and the group labels.
func (b *bundle) identity() string {
	return strings.Join(append([]string{slo.LabelSLO}, b.groupBy...), ", ")
}

// by returns "sum by (tenant) " or "sum ".
func (b *bundle) by(op string) string {
	if len(b.groupBy) == 0 {
		return op + " "
	}
	return op + " by (" + strings.Join(b.groupBy, ", ") + ") "
}

// describe multiplies expr, which has the labels of identity, by slo:info, to give it the labels of the contract.
func (b *bundle) describe(expr string) string {
	return fmt.Sprintf("%s\n* on (%s) group_left (%s)\n  %s", expr, slo.LabelSLO, strings.Join(b.extra, ", "), b.match(slo.SeriesInfo))
}

// span writes a range that holds exactly length/tick samples, whether a server counts the left end or not.
func span(length time.Duration) string {
	return "[" + duration(length-time.Millisecond) + "]"
}

func duration(d time.Duration) string { return promql.FormatDuration(d) }

// number writes f in PromQL, rounded to 12 digits.
func number(f float64) string { return strconv.FormatFloat(f, 'g', 12, 64) }

// quantile writes f in PromQL, rounded to 6 digits.
func quantile(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }

// literal writes d in PromQL.
func literal(d slo.Decimal) string {
	if d == "" {
		return "0"
	}
	return string(d)
}

// indent shifts every line of s to the right by n spaces.
func indent(s string, n int) string {
	pad := strings.Repeat(" ", n)
	return pad + strings.ReplaceAll(s, "\n", "\n"+pad)
}

// flat is how many expressions a union joins one after the other.
const flat = 12

// union joins expressions by or, one a line; many of them as a tree, because the cost of a part grows with its depth.
func union(parts []string) string {
	if len(parts) <= flat {
		return strings.Join(parts, "\nor\n")
	}
	n := len(parts) / 2
	return "(\n" + indent(union(parts[:n]), 2) + "\n)\nor\n(\n" + indent(union(parts[n:]), 2) + "\n)"
}

// tag gives expr a label.
func tag(expr, label, value string) string {
	return fmt.Sprintf(`label_replace(%s, %q, %q, "", "")`, expr, label, value)
}

func clone(m map[string]string) map[string]string {
	out := make(map[string]string, len(m)+2)
	for k, v := range m {
		out[k] = v
	}
	return out
}
