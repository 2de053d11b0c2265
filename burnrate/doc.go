// Package burnrate is the arithmetic of error budgets and of burn-rate alerts on several windows.
//
// A Budget is an error ratio allowed over a period: 99.9 % over 30 days allows 0.001. A burn rate is an
// error ratio divided by that allowance: burn 1 spends the budget in exactly one period. A Tier is one leg
// of an alert: it fires while both of its windows burn faster than its factor. A Policy is a list of
// tiers plus an Evidence test, which keeps a handful of events from paging anybody.
//
// The same condition is given four times, and the tests hold the four together: as closed forms
// (DetectionTime, ResetTime, Tier.Detect, ...), as a predicate on counts (Tier.Fires), as a streaming
// evaluator (Evaluator, on a Tracker) and as a simulation on generated traffic (Scenario.Run,
// ExpectedFalsePages).
//
// # Units and special values
//
// Times are time.Duration, ratios and shares are fractions (0.02, not 2 %), burn rates are plain numbers.
// Functions take the budget ratio, not the objective: 1-0.999 in binary is 0.0010000000000000009. Callers
// who hold an exact decimal subtract there; ForObjective does it for a float64.
//
// A budget of zero (objective 100 %) is allowed everywhere: the threshold is 0, so any bad event fires,
// the burn rate of no bad events is 0 and of any bad event +Inf. No events at all burn 0: "no traffic" is
// for the caller to tell from Count.Total. NaN in gives NaN out; a NaN never fires and is never evidence.
// Functions that return a time and a bool return false for "never", which includes NaN arguments and
// times beyond the 292 years of a time.Duration.
//
// Nothing here reads a clock, a file or a global random source. All functions are safe for concurrent
// use; a Tracker or an Evaluator belongs to one goroutine at a time.
//
// Sources: The Site Reliability Workbook, chapter 5, "Alerting on SLOs" (named "Workbook ch. 5" below);
// others are named where they are used.
package burnrate
