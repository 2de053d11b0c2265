package slo

import (
	"github.com/plimsoll-slo/plimsoll/internal/schema"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// sliSpec is a union: one field for each variant of SLI.
type sliSpec struct {
	Events       *eventsSpec       `spec:"events" oneof:"variant" doc:"Good or bad events of all events, counted by counters."`
	Latency      *latencySpec      `spec:"latency" oneof:"variant" doc:"Observations of a histogram that are fast enough."`
	Threshold    *thresholdSpec    `spec:"threshold" oneof:"variant" doc:"Time in which a gauge is on the right side of a value."`
	Deadline     *deadlineSpec     `spec:"deadline" oneof:"variant" doc:"Things that are finished in time; started and never finished is bad."`
	Freshness    *freshnessSpec    `spec:"freshness" oneof:"variant" doc:"Time in which the last success is not too old."`
	Coverage     *coverageSpec     `spec:"coverage" oneof:"variant" doc:"Part of what is expected that is observed."`
	Spend        *spendSpec        `spec:"spend" oneof:"variant" doc:"Money spent of a budget."`
	Availability *availabilitySpec `spec:"availability" oneof:"variant" doc:"Time in which a probe says 1."`
	Raw          *rawSpec          `spec:"raw" oneof:"variant" doc:"Any query for an error ratio."`
	Composite    *compositeSpec    `spec:"composite" oneof:"variant" doc:"Other SLOs taken together."`
	At           yamlsrc.Value
}

type eventsSpec struct {
	Good  query `spec:"good" oneof:"good or bad" doc:"Counter of good events, without a window."`
	Bad   query `spec:"bad" oneof:"good or bad" doc:"Counter of bad events, without a window."`
	Total query `spec:"total,required" doc:"Counter of all events, without a window."`
	At    yamlsrc.Value
}

type latencySpec struct {
	Histogram query            `spec:"histogram,required" doc:"Selector of the histogram by its base name, without _bucket, and without a window."`
	Native    *schema.Bool     `spec:"native" doc:"Whether it is a native histogram." default:"false"`
	Threshold schema.Duration  `spec:"threshold,required" min:"1ms" max:"30d" doc:"Longest time that is good."`
	Boundary  schema.Text      `spec:"boundary" doc:"Value of the le label at the threshold, as the series carry it." default:"the threshold in seconds"`
	Buckets   []schema.Decimal `spec:"buckets" doc:"Boundaries that the histogram has, in seconds: check then refuses a threshold that is not one of them."`
	At        yamlsrc.Value
}

type thresholdSpec struct {
	Metric query          `spec:"metric,required" doc:"Gauge to compare."`
	Op     schema.Text    `spec:"op,required" enum:"<|<=|>|>=" doc:"Comparison that holds when things are good."`
	Value  schema.Decimal `spec:"value,required" doc:"What to compare with."`
	At     yamlsrc.Value
}

type deadlineSpec struct {
	Started  query           `spec:"started,required" doc:"Counter of things that were started."`
	Finished query           `spec:"finished,required" doc:"Counter of things that were finished in time."`
	Within   schema.Duration `spec:"within,required" min:"1m" max:"90d" doc:"Time in which a thing must be finished."`
	At       yamlsrc.Value
}

type freshnessSpec struct {
	Timestamp query           `spec:"timestamp,required" doc:"Gauge with the Unix time of the last success, in seconds."`
	MaxAge    schema.Duration `spec:"maxAge,required" min:"1m" max:"366d" doc:"Greatest age that is good."`
	At        yamlsrc.Value
}

type coverageSpec struct {
	Observed query `spec:"observed,required" doc:"Gauge: how many are observed."`
	Expected query `spec:"expected,required" doc:"Gauge: how many there should be, from an inventory."`
	At       yamlsrc.Value
}

type spendSpec struct {
	Cost     query          `spec:"cost,required" doc:"Cost accrued so far; it may go down with credits."`
	Amount   schema.Decimal `spec:"amount,required" min:"0.01" doc:"Budget of one window."`
	Currency currency       `spec:"currency,required" doc:"ISO 4217 code, for example EUR."`
	At       yamlsrc.Value
}

type availabilitySpec struct {
	Probe query `spec:"probe,required" doc:"Gauge of 0 and 1, for example up or probe_success."`
	At    yamlsrc.Value
}

type rawSpec struct {
	ErrorRatio query `spec:"errorRatio,required" doc:"Query for the error ratio, between 0 and 1, with its own windows."`
	At         yamlsrc.Value
}

type compositeSpec struct {
	Method  schema.Text  `spec:"method,required" enum:"serial|worst|weighted" doc:"serial: the product of the good ratios. worst: the smallest. weighted: the weighted mean."`
	Members []memberSpec `spec:"members,required" doc:"SLOs that take part."`
	At      yamlsrc.Value
}

type memberSpec struct {
	SLO    schema.Name     `spec:"slo,required" ref:"SLO" doc:"Name of the SLO."`
	Weight *schema.Decimal `spec:"weight" min:"0.000001" doc:"Weight; only for weighted." default:"1"`
	At     yamlsrc.Value
}
