package slo

import (
	"encoding/json"
	"fmt"
)

// SLI says what is good. It is one of Events, Latency, Threshold, Deadline,
// Freshness, Coverage, Spend, Availability, Raw and Composite. Queries are
// canonical PromQL without windows; a view puts the windows in.
type SLI interface {
	// Kind returns the name of the variant as it is written in a spec.
	Kind() string
	sli()
}

// Events counts events with counters. Exactly one of Good and Bad is set; each
// is a selector of a counter, or sums of them.
type Events struct {
	Good  string `json:"good,omitempty"`
	Bad   string `json:"bad,omitempty"`
	Total string `json:"total"`
}

// Latency counts the observations of a histogram. Good is at most Threshold.
type Latency struct {
	Histogram string   `json:"histogram"`          // selector of the base name, without _bucket
	Native    bool     `json:"native,omitempty"`   // native histogram; else classic with _bucket and _count
	Threshold Duration `json:"threshold"`          //
	Boundary  string   `json:"boundary,omitempty"` // value of the le label; classic only
}

// Threshold compares a gauge with a value at every evaluation. Good is when the
// comparison holds.
type Threshold struct {
	Metric string  `json:"metric"`
	Op     string  `json:"op"` // <, <=, > or >=
	Value  Decimal `json:"value"`
}

// Deadline counts things that must be finished within a time. A thing that was
// started more than Within ago and is not among the finished is bad.
type Deadline struct {
	Started  string   `json:"started"`  // counter of things that were started
	Finished string   `json:"finished"` // counter of things that were finished in time
	Within   Duration `json:"within"`
}

// Freshness is good while the time stamp of the last success is at most MaxAge
// old.
type Freshness struct {
	Timestamp string   `json:"timestamp"` // gauge in Unix seconds
	MaxAge    Duration `json:"maxAge"`
}

// Coverage is the part of what is expected that is observed.
type Coverage struct {
	Observed string `json:"observed"` // gauge
	Expected string `json:"expected"` // gauge
}

// Spend burns a budget of money: spending Amount within the window spends the
// error budget.
type Spend struct {
	Cost     string  `json:"cost"`     // cost accrued so far, may go down with credits
	Amount   Decimal `json:"amount"`   // budget of one window
	Currency string  `json:"currency"` // ISO 4217
}

// Availability is good while a probe says 1. With several series of the probe,
// each counts.
type Availability struct {
	Probe string `json:"probe"` // gauge of 0 and 1
}

// Raw takes the error ratio, between 0 and 1, from any query. Traffic is not
// known, so every evaluation weighs the same.
type Raw struct {
	ErrorRatio string `json:"errorRatio"`
}

// Composite combines other SLOs.
type Composite struct {
	Method  string   `json:"method"` // see the constants
	Members []Member `json:"members"`
}

// Ways in which a Composite combines the good ratios r of its members.
const (
	Serial   = "serial"   // the product of r: a request needs every member
	Worst    = "worst"    // the smallest r
	Weighted = "weighted" // the weighted mean of r
)

// Member is one SLO of a Composite.
type Member struct {
	SLO    string  `json:"slo"`
	Weight Decimal `json:"weight"`
}

// Kind implements SLI.
func (*Events) Kind() string { return "events" }

// Kind implements SLI.
func (*Latency) Kind() string { return "latency" }

// Kind implements SLI.
func (*Threshold) Kind() string { return "threshold" }

// Kind implements SLI.
func (*Deadline) Kind() string { return "deadline" }

// Kind implements SLI.
func (*Freshness) Kind() string { return "freshness" }

// Kind implements SLI.
func (*Coverage) Kind() string { return "coverage" }

// Kind implements SLI.
func (*Spend) Kind() string { return "spend" }

// Kind implements SLI.
func (*Availability) Kind() string { return "availability" }

// Kind implements SLI.
func (*Raw) Kind() string { return "raw" }

// Kind implements SLI.
func (*Composite) Kind() string { return "composite" }

func (*Events) sli()       {}
func (*Latency) sli()      {}
func (*Threshold) sli()    {}
func (*Deadline) sli()     {}
func (*Freshness) sli()    {}
func (*Coverage) sli()     {}
func (*Spend) sli()        {}
func (*Availability) sli() {}
func (*Raw) sli()          {}
func (*Composite) sli()    {}

// Indicator carries an SLI through JSON as {"<kind>": {...}}.
type Indicator struct{ SLI }

// MarshalJSON implements json.Marshaler.
func (x Indicator) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]SLI{x.Kind(): x.SLI})
}

// UnmarshalJSON implements json.Unmarshaler.
func (x *Indicator) UnmarshalJSON(b []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	for kind, body := range m {
		for _, v := range variants() {
			if v.Kind() == kind && len(m) == 1 {
				x.SLI = v
				return json.Unmarshal(body, v)
			}
		}
	}
	return fmt.Errorf("want one SLI of a known kind, have %d fields", len(m))
}

// variants returns an empty SLI of each kind.
func variants() []SLI {
	return []SLI{
		&Events{}, &Latency{}, &Threshold{}, &Deadline{}, &Freshness{},
		&Coverage{}, &Spend{}, &Availability{}, &Raw{}, &Composite{},
	}
}
