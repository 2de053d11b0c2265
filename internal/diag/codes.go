package diag

import (
	"maps"
	"slices"
)

// Code names a kind of finding. It never changes its meaning, and has a page in
// docs/diag.
type Code string

// Codes about the text of a file.
const (
	FileRead          Code = "file-read"
	FileOutside       Code = "file-outside"
	NoSpecs           Code = "no-specs"
	YAMLSyntax        Code = "yaml-syntax"
	YAMLTab           Code = "yaml-tab"
	YAMLEncoding      Code = "yaml-encoding"
	YAMLLineBreak     Code = "yaml-line-break"
	YAMLByteOrderMark Code = "yaml-byte-order-mark"
	YAMLTooLarge      Code = "yaml-too-large"
	YAMLDepth         Code = "yaml-depth"
	YAMLAlias         Code = "yaml-alias"
	YAMLKey           Code = "yaml-key"
	DuplicateKey      Code = "duplicate-key"
	FormatUnsafe      Code = "format-unsafe"
)

// Codes about the shape of a document.
const (
	UnknownKind    Code = "unknown-kind"
	UnknownVersion Code = "unknown-version"
	UnknownField   Code = "unknown-field"
	MissingField   Code = "missing-field"
	WrongType      Code = "wrong-type"
	WrongValue     Code = "wrong-value"
	OneOf          Code = "one-of"
	BadName        Code = "bad-name"
	BadLabel       Code = "bad-label"
	BadDuration    Code = "bad-duration"
	BadNumber      Code = "bad-number"
	BadTime        Code = "bad-time"
	BadTimeZone    Code = "bad-time-zone"
	BadRecurrence  Code = "bad-recurrence"
	BadURL         Code = "bad-url"
	ObjectiveUnit  Code = "objective-unit"
	ObjectiveRange Code = "objective-range"
)

// Codes about queries.
const (
	PromQLSyntax      Code = "promql-syntax"
	PromQLPlaceholder Code = "promql-placeholder"
	PromQLType        Code = "promql-type"
	RangeInSelector   Code = "range-in-selector"
	OffsetInSelector  Code = "offset-in-selector"
	RateInSelector    Code = "rate-in-selector"
	GaugeAsCounter    Code = "gauge-as-counter"
	MatcherConflict   Code = "matcher-conflict"
	SameQuery         Code = "same-query"
	GroupLabelDropped Code = "group-label-dropped"
	MatcherRegexp     Code = "matcher-regexp"
	MatcherSubset     Code = "matcher-subset"
	CounterAsGauge    Code = "counter-as-gauge"
	HistogramName     Code = "histogram-name"
	HistogramBoundary Code = "histogram-boundary"
	SeriesUnknown     Code = "series-unknown"
	LabelUnknown      Code = "label-unknown"
)

// Codes about the meaning of the set as a whole.
const (
	DuplicateName       Code = "duplicate-name"
	UnknownReference    Code = "unknown-reference"
	DependencyCycle     Code = "dependency-cycle"
	TierUnreachable     Code = "tier-unreachable"
	TierOrder           Code = "tier-order"
	ShortWindow         Code = "short-window"
	WindowRetention     Code = "window-retention"
	WindowRange         Code = "window-range"
	BudgetBelowEvent    Code = "budget-below-event"
	BudgetingMethod     Code = "budgeting-method"
	PolicyStates        Code = "policy-states"
	AdjustmentOverlap   Code = "adjustment-overlap"
	AdjustmentNoTarget  Code = "adjustment-no-target"
	AdjustmentMutesOnly Code = "adjustment-mutes-only"
	CompositeMembership Code = "composite-membership"
	EngineSupport       Code = "engine-support"
	NoOwner             Code = "no-owner"
)

// Codes about the configuration of an Alertmanager.
const (
	ReceiverMissing    Code = "receiver-missing"
	AlertmanagerLayout Code = "alertmanager-layout"
)

// Codes about what is generated.
const (
	ObjectSize Code = "object-size"
)

// titles says in a few words what each code is about.
func titles() map[Code]string {
	return map[Code]string{
		FileRead:            "a file cannot be read",
		FileOutside:         "a file leads out of the spec directory",
		NoSpecs:             "no spec was found",
		YAMLSyntax:          "the text is not YAML",
		YAMLTab:             "a tab is used as indentation",
		YAMLEncoding:        "the text is not clean UTF-8",
		YAMLLineBreak:       "a line break that editors do not agree on",
		YAMLByteOrderMark:   "the file starts with a byte order mark",
		YAMLTooLarge:        "a file or document is too large",
		YAMLDepth:           "a document nests too deeply",
		YAMLAlias:           "an alias is unknown, cyclic or expands too far",
		YAMLKey:             "a mapping key is not usable",
		DuplicateKey:        "a key is set twice",
		FormatUnsafe:        "formatting would change the meaning",
		UnknownKind:         "the kind does not exist",
		UnknownVersion:      "the apiVersion does not exist",
		UnknownField:        "the field does not exist",
		MissingField:        "a required field is missing",
		WrongType:           "a value has the wrong type",
		WrongValue:          "a value is not one of those allowed",
		OneOf:               "exactly one of several fields must be set",
		BadName:             "a name has the wrong form",
		BadLabel:            "a label has the wrong form",
		BadDuration:         "a duration has the wrong form or range",
		BadNumber:           "a number has the wrong form or range",
		BadTime:             "a time has the wrong form",
		BadTimeZone:         "a time zone does not exist",
		BadRecurrence:       "a recurrence rule is not valid",
		BadURL:              "a URL has the wrong form",
		ObjectiveUnit:       "an objective does not say its unit",
		ObjectiveRange:      "an objective is out of range",
		PromQLSyntax:        "a query is not PromQL",
		PromQLPlaceholder:   "a query has a window placeholder",
		PromQLType:          "a query has the wrong result type",
		RangeInSelector:     "a query has a range where Plimsoll puts one",
		OffsetInSelector:    "a query has an offset where Plimsoll puts one",
		RateInSelector:      "a query does more than count",
		GaugeAsCounter:      "a gauge is used as a counter",
		MatcherConflict:     "two selectors can never agree",
		SameQuery:           "two queries that must differ are equal",
		GroupLabelDropped:   "an aggregation drops a group label",
		MatcherRegexp:       "a matcher compares with a regular expression as text",
		MatcherSubset:       "some bad or good events are not among the total",
		CounterAsGauge:      "a counter is used as a gauge",
		HistogramName:       "a histogram is named by one of its parts",
		HistogramBoundary:   "a histogram has no such boundary",
		SeriesUnknown:       "a query reads a series that nothing gives",
		LabelUnknown:        "a query reads a label that its series do not have",
		DuplicateName:       "a name is used twice",
		UnknownReference:    "a reference leads nowhere",
		DependencyCycle:     "dependencies form a cycle",
		TierUnreachable:     "an alert tier can never fire",
		TierOrder:           "alert tiers contradict each other",
		ShortWindow:         "an alert window is too short for the scrape interval",
		WindowRetention:     "a window is longer than the data is kept",
		WindowRange:         "a window is out of range",
		BudgetBelowEvent:    "the budget is smaller than one event",
		BudgetingMethod:     "the budgeting method does not fit the SLI",
		PolicyStates:        "policy states contradict each other",
		AdjustmentOverlap:   "adjustments overlap",
		AdjustmentNoTarget:  "an adjustment touches no SLO",
		AdjustmentMutesOnly: "a maintenance takes nothing out of this budget",
		CompositeMembership: "a composite cannot have this member",
		EngineSupport:       "the rules cannot be evaluated there",
		NoOwner:             "nobody would be notified",
		ReceiverMissing:     "Alertmanager has no such receiver",
		AlertmanagerLayout:  "a configuration cannot be edited in place",
		ObjectSize:          "Kubernetes does not take an object of this size",
	}
}

// Title says in a few words what c is about. It is empty for a code that does
// not exist.
func (c Code) Title() string { return titles()[c] }

// Codes returns every code, sorted.
func Codes() []Code { return slices.Sorted(maps.Keys(titles())) }
