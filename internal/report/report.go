// Package report tells what became of error budgets over a period, as Markdown, as one page of HTML, and as JSON: each
// budget, the incidents that spent it, what adjustments took out, the period before, and cost.
//
//	queries, err := report.Queries(set, options)
//	// ask a server with Prometheus' query API, put the answers into facts
//	r, err := report.Build(set, options, facts)
//	err = r.HTML(w)
//
// The numbers are sums of the recorded series that alerts and dashboards are made of (slo.SeriesEventsRollup and
// others), so that whoever asks the queries that are listed at the end of a report can work them out again. An SLO with
// a rolling window is reported over the period like any other: its budget is the part of the events of the period that
// its objective allows to be bad. For an SLO whose window is the calendar period itself that is what
// slo.SeriesBudgetRemaining says at the end of the period.
//
// What is compared is exact: a number read from a server is taken as the binary fraction that it is, and budgets are
// decimals. What is shown is rounded to the side that does not flatter: see [Percent].
package report

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// Version names the JSON form of a Report. It changes when a reader of the old form would misread the new one.
const Version = "plimsoll.dev/report/v1"

// Options say what a report is about.
type Options struct {
	Period Period
	Now    time.Time // of asking. Of a period that is not over, only what is known at Now is reported
	SLOs   []string  // nil means all
	// Heading is the first line; empty means "Error budgets".
	Heading string
	// Audience is executive, team or service, as in slo.Report; empty means team. Executives are not shown the details
	// of an SLO that was met.
	Audience  string
	Generator string // name and version of the program
}

// Verdict says whether an objective was met.
type Verdict string

// Verdicts, from bad to good. Without events nothing is met and nothing missed.
const (
	Missed       Verdict = "missed"
	NotEvaluated Verdict = "not-evaluated" // the rules were not evaluated at all
	NoTelemetry  Verdict = "no-telemetry"  // they were, but nothing was there to be measured
	NoTraffic    Verdict = "no-traffic"    // there was telemetry, and no events
	Met          Verdict = "met"
)

// Report is what became of budgets over a period. Ratios are fractions, lengths of time are seconds. Numbers that make
// no sense are null, never 0 and never NaN.
type Report struct {
	Version     string       `json:"version"`
	Digest      string       `json:"digest"` // sha256 of the rest of the report
	Heading     string       `json:"heading"`
	Audience    string       `json:"audience"`
	Generator   string       `json:"generator"`
	SetDigest   string       `json:"setDigest"`
	Period      Period       `json:"period"`
	Before      Period       `json:"before"` // what the changes are against
	Until       time.Time    `json:"until"`  // end of what is reported: that of the period when it was over
	Over        bool         `json:"over"`   // whether it was over
	Slot        float64      `json:"slotSeconds"`
	Tally       Tally        `json:"tally"`
	Teams       []Group      `json:"teams"`       // by name
	Services    []Group      `json:"services"`    // by name
	SLOs        []Row        `json:"slos"`        // by name and group
	Incidents   []Incident   `json:"incidents"`   // those that spent most of their budgets first
	Adjustments []Adjustment `json:"adjustments"` // by name
	Costs       []Cost       `json:"costs"`       // by currency and kind
	Queries     []Query      `json:"queries"`
}

// Tally counts SLOs by verdict. A grouped SLO counts once, with the worst verdict of its groups.
type Tally struct {
	SLOs         int `json:"slos"`
	Met          int `json:"met"`
	Missed       int `json:"missed"`
	NoTraffic    int `json:"noTraffic"`
	NoTelemetry  int `json:"noTelemetry"`
	NotEvaluated int `json:"notEvaluated"`
	Partly       int `json:"partly"` // of Met and Missed: with telemetry for less than Whole of the time
	Incidents    int `json:"incidents"`
}

// Group is the SLOs of a team or of a service.
type Group struct {
	Name string `json:"name"` // empty for SLOs without a team
	Tally
	Lowest *Lowest `json:"lowest"` // null if no budget is known
}

// Lowest is the SLO of which least is left.
type Lowest struct {
	SLO   string            `json:"slo"`
	Group map[string]string `json:"group,omitempty"`
	Left  float64           `json:"left"`
}

// Row is one SLO, or one group of a grouped one.
type Row struct {
	SLO         string            `json:"slo"`
	Title       string            `json:"title"`
	Group       map[string]string `json:"group,omitempty"`
	Service     string            `json:"service"`
	Team        string            `json:"team,omitempty"`
	Kind        string            `json:"kind"`      // of the SLI
	Unit        string            `json:"unit"`      // what is counted: events, slices, or a currency
	Window      string            `json:"window"`    // of the SLO itself
	Objective   slo.Decimal       `json:"objective"` // fraction
	Verdict     Verdict           `json:"verdict"`
	Telemetry   float64           `json:"telemetry"` // part of the time in which it was there
	Evaluated   float64           `json:"evaluated"` // part of the time in which the rules ran
	Numbers                       // without what adjustments take out
	Raw         *Numbers          `json:"raw"`             // with it; null when nothing was taken out
	Previous    *Numbers          `json:"previous"`        // of the period before; null when nothing is known of it
	Before      float64           `json:"evaluatedBefore"` // part of the period before in which the rules ran
	TakenOut    []TakenOut        `json:"takenOut"`
	InIncidents float64           `json:"inIncidents"` // bad events in the incidents of the report
	Elsewhere   float64           `json:"elsewhere"`   // other bad events
	Trend       []Mark            `json:"trend"`
}

// Numbers are the budget of one SLO over a period, in units of the SLI. Bad things of a kind that can be taken back may
// be below 0.
type Numbers struct {
	Events   float64  `json:"events"`
	Bad      float64  `json:"bad"`
	SLI      *float64 `json:"sli"`     // good part; null without events, and for money
	Allowed  float64  `json:"allowed"` // how many may be bad
	Spent    *float64 `json:"spent"`   // bad by allowed; null where none is allowed
	Left     *float64 `json:"left"`    // 1 - Spent
	Minutes  *Minutes `json:"minutes"` // null where Spent is, and for money
	verdict  Verdict
	timeless bool
}

// Minutes is a budget as time of total outage at mean traffic, in seconds.
type Minutes struct {
	Allowed float64 `json:"allowedSeconds"`
	Spent   float64 `json:"spentSeconds"`
	Left    float64 `json:"leftSeconds"`
}

// Mark is what was left of the budget of the whole period at a time.
type Mark struct {
	At   time.Time `json:"at"`
	Left float64   `json:"left"`
}

// TakenOut is what adjustments took out of a row.
type TakenOut struct {
	Adjustments []string `json:"adjustments"`
	How         string   `json:"how"` // ahead: never counted; afterwards: counted and taken off
	Events      float64  `json:"events"`
	Bad         float64  `json:"bad"`
}

// Adjustment is one that overlaps the period and names an SLO of the report.
type Adjustment struct {
	Name        string    `json:"name"`
	Type        string    `json:"type"`
	Reason      string    `json:"reason"`
	Ticket      string    `json:"ticket,omitempty"`
	SLOs        []string  `json:"slos"`
	Occurrences int       `json:"occurrences"` // in the period
	First       time.Time `json:"first"`       // start of the first of them
	Last        time.Time `json:"last"`        // end of the last of them
}

// Incident is a stretch of time in which the budget of a row burned faster than it may, or a page or a ticket fired and
// events were bad. Stretches less than Gap apart are one.
type Incident struct {
	SLO     string            `json:"slo"`
	Group   map[string]string `json:"group,omitempty"`
	From    time.Time         `json:"from"` // exact to a slot
	To      time.Time         `json:"to"`
	Open    bool              `json:"open"` // went on at the end of what is reported
	Bad     float64           `json:"bad"`  // without what adjustments take out
	Taken   float64           `json:"takenOut"`
	Peak    float64           `json:"peak"`  // greatest bad part of a slot
	Spent   *float64          `json:"spent"` // part of the budget of the period; null where none is allowed
	Share   float64           `json:"share"` // part of what was spent
	Paged   bool              `json:"paged"`
	Ticket  bool              `json:"ticketed"`
	ordered float64
}

// Thresholds of reports.
const (
	Gap      = 30 * time.Minute
	Smallest = 0.01 // part of the budget from which a stretch is an incident although nobody was paged
	Whole    = 0.99 // part of the time with telemetry from which numbers count as complete
)

// Cost is money in one currency of one kind (cost.metric) over the period. Currencies and kinds are never added up.
type Cost struct {
	DataSource string     `json:"dataSource"`
	Currency   string     `json:"currency"`
	Kind       string     `json:"kind"`
	Amount     *float64   `json:"amount"` // null when it was not known what it was at the start of the period
	Previous   *float64   `json:"previous"`
	Teams      []TeamCost `json:"teams"` // by name
	Budgets    []Money    `json:"budgets"`
}

// TeamCost is the part of one team; without a name, of none.
type TeamCost struct {
	Team   string  `json:"team"`
	Amount float64 `json:"amount"`
}

// Money is a declared budget.
type Money struct {
	Name   string  `json:"name"`
	Amount float64 `json:"amount"`
}
