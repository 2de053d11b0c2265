package slo

import "time"

// Owner says who is told.
type Owner struct {
	Team   string `json:"team,omitempty"`
	Page   string `json:"page,omitempty"`   // receiver of pages
	Ticket string `json:"ticket,omitempty"` // receiver of tickets
}

// Service is what an SLO promises for. Its defaults have already gone into the
// SLOs.
type Service struct {
	Meta
	Description string            `json:"description,omitempty"`
	Owner       Owner             `json:"owner"`
	Runbook     string            `json:"runbook,omitempty"`
	Links       map[string]string `json:"links,omitempty"`
	DependsOn   []string          `json:"dependsOn,omitempty"` // names of services
}

// SLO is one promise. The error budget is Budget of the events (or time) of
// each Window.
type SLO struct {
	Meta
	Description   string            `json:"description,omitempty"`
	Service       string            `json:"service"`
	Owner         Owner             `json:"owner"`
	Runbook       string            `json:"runbook,omitempty"`
	Links         map[string]string `json:"links,omitempty"`
	Objective     Decimal           `json:"objective"` // fraction in (0, 1]
	Budget        Decimal           `json:"budget"`    // 1 - Objective, exact
	Window        Window            `json:"window"`
	Budgeting     Budgeting         `json:"budgeting"`
	SLI           Indicator         `json:"sli"`
	GroupBy       []string          `json:"groupBy,omitempty"` // one SLO per value of these labels
	NoData        NoData            `json:"noData"`
	EventsPerHour Decimal           `json:"eventsPerHour,omitempty"` // declared traffic; empty when unknown
	Alerting      Alerting          `json:"alerting"`
	Policy        string            `json:"policy,omitempty"`
	DependsOn     []Dependency      `json:"dependsOn,omitempty"`
	DataSource    string            `json:"dataSource"`
}

// Methods of budgeting.
const (
	Occurrences     = "occurrences"     // good events of all events
	Timeslices      = "timeslices"      // good slices of all slices
	RatioTimeslices = "ratioTimeslices" // mean of the good ratios of the slices
)

// Budgeting says how the budget is counted. A slice is good when its good ratio
// is at least SliceTarget.
type Budgeting struct {
	Method      string   `json:"method"`
	Slice       Duration `json:"slice,omitempty"`
	SliceTarget Decimal  `json:"sliceTarget,omitempty"`
}

// Sliced reports whether slices of time are judged, and not events.
func (b Budgeting) Sliced() bool { return b.Slice > 0 && b.Method != Occurrences }

// NoData says what missing telemetry means: after After without data somebody
// is told, and the time counts as TreatAs: unknown (the budget stands still),
// good or bad.
type NoData struct {
	After   Duration `json:"after"`
	TreatAs string   `json:"treatAs"`
	Notify  string   `json:"notify"` // page, ticket or none
}

// Counts reports whether the time without telemetry counts, as good or as bad.
func (n NoData) Counts() bool { return n.TreatAs != "" && n.TreatAs != "unknown" }

// Alerting says how burning is told.
type Alerting struct {
	Profile     string            `json:"profile"`
	Page        bool              `json:"page"`
	Ticket      bool              `json:"ticket"`
	PageWhen    string            `json:"pageWhen,omitempty"` // PromQL; without a result, what would page is a ticket
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Dependency is an SLO of something that this one needs.
type Dependency struct {
	SLO      string `json:"slo"`
	Critical bool   `json:"critical"`
}

// AlertProfile is a set of alert tiers and the tests that keep them honest.
type AlertProfile struct {
	Meta
	Description   string   `json:"description,omitempty"`
	Tiers         []Tier   `json:"tiers"`         // in the order of severity and length
	Evidence      Evidence `json:"evidence"`      //
	MaxErrorRatio Decimal  `json:"maxErrorRatio"` // no tier asks for more errors than this
	QuickReset    Duration `json:"quickReset"`    // recovery window; 0 turns it off
}

// Severities of alerts.
const (
	Page   = "page"
	Ticket = "ticket"
)

// Tier is one condition of an alert: over Long and over Short the budget burns
// at least at the rate that spends BudgetShare of it within Long, and at least
// at MinBurn.
type Tier struct {
	Severity    string   `json:"severity"`
	Long        Duration `json:"long"`
	Short       Duration `json:"short"`
	BudgetShare Decimal  `json:"budgetShare"`       // of the whole budget, within Long
	MinBurn     Decimal  `json:"minBurn,omitempty"` // burn rate
}

// Evidence is the test that a few bad events at low traffic do not pass.
type Evidence struct {
	Test         string  `json:"test"`                   // sqrt, poisson, minBad or none
	Significance Decimal `json:"significance,omitempty"` // probability of a false alarm per test
	MinBad       int     `json:"minBad,omitempty"`       // for minBad
}

// BudgetPolicy says what follows from a spent budget.
type BudgetPolicy struct {
	Meta
	Description string       `json:"description,omitempty"`
	States      []State      `json:"states"` // from much budget left to little
	Escalations []Escalation `json:"escalations,omitempty"`
	BreakGlass  BreakGlass   `json:"breakGlass"`
}

// State holds while the budget left is below Below. It is left again when the
// budget left is at least Recover.
type State struct {
	Name    string   `json:"name"`
	Below   Decimal  `json:"below"` // part of the budget left, may be 0
	Recover Decimal  `json:"recover"`
	Action  string   `json:"action"` // none, review, slow or freeze
	Exempt  []string `json:"exempt,omitempty"`
}

// Escalation tells Notify when the budget burns above BurnRate for For.
type Escalation struct {
	BurnRate Decimal  `json:"burnRate"`
	For      Duration `json:"for"`
	Notify   string   `json:"notify"`
}

// BreakGlass says who may release in a freeze.
type BreakGlass struct {
	Approvers []string `json:"approvers,omitempty"`
	Reason    bool     `json:"reason"` // a reason must be given
}

// Adjustment takes time or events out of budgets.
type Adjustment struct {
	Meta
	Description string    `json:"description,omitempty"`
	Type        string    `json:"type"` // maintenance or correction
	SLOs        []string  `json:"slos"` // resolved, sorted
	Start       time.Time `json:"start"`
	Duration    Duration  `json:"duration"`
	Recurrence  string    `json:"recurrence,omitempty"` // RFC 5545 RRULE
	Zone        string    `json:"timeZone"`
	BadEvents   Decimal   `json:"badEvents,omitempty"` // a correction: bad events that were not bad
	Mute        bool      `json:"mute"`                // alerts stay silent meanwhile
	Reason      string    `json:"reason"`
	Ticket      string    `json:"ticket,omitempty"`
}

// Report is a page for people who do not look at dashboards.
type Report struct {
	Meta
	Heading  string   `json:"heading"`
	Period   Period   `json:"period"`
	Zone     string   `json:"timeZone"`
	Audience string   `json:"audience"` // executive, team or service
	SLOs     []string `json:"slos"`     // resolved, sorted
}

// DataSource is where the series are and how they get there.
type DataSource struct {
	Meta
	Type               string   `json:"type"`
	URL                string   `json:"url,omitempty"`
	Tenant             string   `json:"tenant,omitempty"`
	ScrapeInterval     Duration `json:"scrapeInterval"`
	EvaluationInterval Duration `json:"evaluationInterval"`
	Retention          Duration `json:"retention,omitempty"` // 0 when not declared
	BearerTokenFile    string   `json:"bearerTokenFile,omitempty"`

	Telemetry []string         `json:"telemetry,omitempty"` // what is in use, sorted: names of package telemetry
	Labels    []string         `json:"labels,omitempty"`    // that any series may carry besides job and instance, sorted
	Series    []ExternalSeries `json:"series,omitempty"`    // that queries may read besides those of Telemetry, by name
	Grafana   *Grafana         `json:"grafana,omitempty"`   // nil when not declared
}

// ExternalSeries is a metric of somebody else.
type ExternalSeries struct {
	Name      string   `json:"name"`
	Histogram bool     `json:"histogram,omitempty"` // with _bucket, _count and _sum
	Labels    []string `json:"labels,omitempty"`    // sorted
}
