package slo

import "time"

// Names of the series that the rules record and that every other view reads:
// the contract between rules, dashboards, reports, gate and state. Each carries
// the label LabelSLO, the labels of SLO.SeriesLabels, and the group labels.
const (
	SeriesObjective       = "slo:objective:ratio"        // the objective
	SeriesErrorBudget     = "slo:error_budget:ratio"     // 1 - objective
	SeriesEventsIncrement = "slo:events:inc"             // events since the previous evaluation
	SeriesBadIncrement    = "slo:bad:inc"                // bad events since the previous evaluation
	SeriesEventsSum       = "slo:events:sum"             // events over LabelWindow
	SeriesBadSum          = "slo:bad:sum"                // bad events over LabelWindow
	SeriesBurnRate        = "slo:burn_rate:ratio"        // burn rate over LabelWindow
	SeriesBudgetRemaining = "slo:budget_remaining:ratio" // part of the budget left, at most 1, may be negative
	SeriesInfo            = "slo:info"                   // 1, with the descriptive labels
	SeriesTelemetry       = "slo:telemetry:state"        // one of the Telemetry constants; not for composites
)

// Series of SLOs that adjustments touch, besides those above, which are without
// what the adjustments take out.
const (
	SeriesAdjusted           = "slo:adjustment:active"          // 1 while time does not count, else 0
	SeriesMuted              = "slo:adjustment:muted"           // 1 while alerts are silent, else 0
	SeriesEventsRawSum       = "slo:events_raw:sum"             // SeriesEventsSum of the budget's window, with all events
	SeriesBadRawSum          = "slo:bad_raw:sum"                // SeriesBadSum of the budget's window, with all bad events
	SeriesBudgetRemainingRaw = "slo:budget_remaining_raw:ratio" // SeriesBudgetRemaining, as it were without adjustments
)

// Series of which the numbers of a past period are put together, besides SeriesTelemetry. They carry LabelSLO and the
// group labels only. Each sample holds what was counted in about DataSource.RollupEvery up to DataSource.RollupLag before
// it, and belongs to the period that holds the second before that.
const (
	SeriesEventsRollup         = "slo:events:rollup"          // events, less those that SeriesAdjusted masks
	SeriesBadRollup            = "slo:bad:rollup"             // bad events, less those that SeriesAdjusted masks
	SeriesEventsExcludedRollup = "slo:events_excluded:rollup" // events that SeriesAdjusted masks
	SeriesBadExcludedRollup    = "slo:bad_excluded:rollup"    // bad events that SeriesAdjusted masks
)

// Values of SeriesTelemetry.
const (
	TelemetryNone   = 0 // no series of the SLI, and no target that is scraped
	TelemetryTarget = 1 // targets are scraped, but have no series of the SLI
	TelemetryThere  = 2 // there are series of the SLI, whether or not there is traffic
)

// Names of labels and alerts that the rules set.
const (
	LabelSLO      = "slo"      // name of the SLO
	LabelService  = "service"  // name of its service
	LabelTeam     = "team"     // owner
	LabelSeverity = "severity" // Page or Ticket
	LabelWindow   = "window"   // length of a window, in Prometheus notation

	LabelReason = "reason" // of AlertNoData: ReasonNoTelemetry or ReasonMetricGone
	LabelNotify = "notify" // of AlertEscalation: the receiver

	SeverityEscalation = "escalation" // of AlertEscalation

	ReasonNoTelemetry = "no-telemetry"
	ReasonMetricGone  = "metric-gone" // the targets are scraped, but the metric has been away for long

	AlertBudgetBurn = "SLOBudgetBurn"
	AlertNoData     = "SLONoData"
	AlertEscalation = "SLOBudgetEscalation"
)

// Descriptive labels of SeriesInfo, besides those of SLO.SeriesLabels. Empty ones are absent.
const (
	LabelTitle        = "title"
	LabelObjective    = "objective"     // in percent, for example 99.9%
	LabelBudgetWindow = "budget_window" // Window.String
	LabelSLI          = "sli"           // kind
	LabelRunbook      = "runbook"
	LabelDashboard    = "dashboard" // DataSource.DashboardURL
)

// SeriesLabels returns the labels of the series of s besides LabelSLO: its own
// labels, and service and team. The map belongs to the caller.
func (s *SLO) SeriesLabels() map[string]string {
	out := map[string]string{LabelService: s.Service}
	if s.Owner.Team != "" {
		out[LabelTeam] = s.Owner.Team
	}
	for k, v := range s.Labels {
		out[k] = v
	}
	return out
}

// rollupMost is the longest time between two rollups: Prometheus forgets the last sample of a series after five minutes.
const rollupMost = 4 * time.Minute

// RollupEvery returns the time between two rollups: the largest multiple of the evaluation interval, which is above 0, up
// to 4 minutes.
func (d *DataSource) RollupEvery() time.Duration {
	tick := time.Duration(d.EvaluationInterval)
	return rollupMost / tick * tick
}

// RollupLag returns how far rollups lag behind, so that every increment is there whatever is evaluated first.
func (d *DataSource) RollupLag() time.Duration { return 2 * time.Duration(d.EvaluationInterval) }
