package slo

import (
	"github.com/plimsoll-slo/plimsoll/internal/schema"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// The types below are what people write, as opposed to what it means. Their
// tags are the definition of the format: reader, JSON Schema and reference
// page come from them.

type document[S any] struct {
	APIVersion schema.Text `spec:"apiVersion,required" enum:"plimsoll.dev/v1" doc:"Version of the format."`
	Kind       schema.Text `spec:"kind,required" doc:"Kind of the object."`
	Metadata   metadata    `spec:"metadata,required" doc:"Name and labels."`
	Spec       S           `spec:"spec,required" doc:"What the object says."`
	At         yamlsrc.Value
}

type metadata struct {
	Name        schema.Name   `spec:"name,required" doc:"Name, unique among the objects of a kind. It becomes the label slo of every series."`
	DisplayName schema.Text   `spec:"displayName" doc:"Name for people."`
	Labels      schema.Labels `spec:"labels" doc:"Labels of the recorded series and alerts."`
	Annotations schema.Labels `spec:"annotations" doc:"Notes that no series carries."`
	At          yamlsrc.Value
}

type ownerSpec struct {
	Team   schema.Text `spec:"team" doc:"Team that owns the object. It becomes the label team."`
	Page   schema.Text `spec:"page" doc:"Alertmanager receiver of pages."`
	Ticket schema.Text `spec:"ticket" doc:"Alertmanager receiver of tickets."`
	At     yamlsrc.Value
}

type windowSpec struct {
	Rolling  schema.Duration `spec:"rolling" oneof:"window" min:"1h" max:"366d" doc:"Length of a window that ends now."`
	Calendar schema.Text     `spec:"calendar" oneof:"window" enum:"week|month|quarter|year" doc:"Calendar period that starts with a full budget. A week starts on Monday."`
	TimeZone zone            `spec:"timeZone" doc:"IANA time zone of a calendar period." default:"UTC"`
	At       yamlsrc.Value
}

type defaultsSpec struct {
	Window     *windowSpec     `spec:"window" doc:"Window of the SLOs that have none."`
	Profile    schema.Name     `spec:"profile" ref:"AlertProfile" doc:"Alert profile of the SLOs that have none."`
	Policy     schema.Name     `spec:"policy" ref:"BudgetPolicy" doc:"Budget policy of the SLOs that have none."`
	DataSource schema.Name     `spec:"dataSource" ref:"DataSource" doc:"Data source of the SLOs that have none."`
	NoData     *noDataSpec     `spec:"noData" doc:"What missing telemetry means for the SLOs that do not say."`
	Events     *schema.Decimal `spec:"eventsPerHour" min:"0" doc:"Expected traffic of the SLOs that do not say, in events an hour."`
	At         yamlsrc.Value
}

type serviceSpec struct {
	Description schema.Text   `spec:"description" doc:"What the service does."`
	Owner       ownerSpec     `spec:"owner" doc:"Who is told, unless an SLO says otherwise."`
	Runbook     schema.Text   `spec:"runbook" doc:"URL or path of the runbook, unless an SLO says otherwise."`
	Links       schema.Labels `spec:"links" doc:"Further URLs by name."`
	DependsOn   []schema.Name `spec:"dependsOn" ref:"Service" doc:"Services that this one needs."`
	Defaults    defaultsSpec  `spec:"defaults" doc:"Values for the SLOs of the service."`
	At          yamlsrc.Value
}

type objectiveSpec struct {
	Target share       `spec:"target,required" doc:"Part of the events or of the time that must be good: \"99.9%\" or 0.999. 100% is allowed: any bad event alerts."`
	Window *windowSpec `spec:"window" doc:"Period over which the budget is counted." default:"rolling: 30d"`
	At     yamlsrc.Value
}

type budgetingSpec struct {
	Method      schema.Text     `spec:"method,required" enum:"occurrences|timeslices|ratioTimeslices" doc:"occurrences: good events of all events. timeslices: good slices of all slices. ratioTimeslices: mean of the good ratios of the slices."`
	Slice       schema.Duration `spec:"slice" min:"30s" max:"1d" doc:"Length of a slice." default:"1m"`
	SliceTarget schema.Share    `spec:"sliceTarget" doc:"Good ratio from which a slice is good; only for timeslices."`
	At          yamlsrc.Value
}

type noDataSpec struct {
	After   schema.Duration `spec:"after" min:"1m" max:"7d" doc:"Time without telemetry after which somebody is told." default:"10m"`
	TreatAs schema.Text     `spec:"treatAs" enum:"unknown|good|bad" doc:"What time without telemetry counts as. unknown: the budget stands still." default:"unknown"`
	Notify  schema.Text     `spec:"notify" enum:"page|ticket|none" doc:"Who is told." default:"ticket"`
	At      yamlsrc.Value
}

type alertingSpec struct {
	Profile     schema.Name   `spec:"profile" ref:"AlertProfile" doc:"Alert profile." default:"default"`
	Page        *schema.Bool  `spec:"page" doc:"Whether fast burning pages." default:"true"`
	Ticket      *schema.Bool  `spec:"ticket" doc:"Whether slow burning opens tickets." default:"true"`
	PageWhen    query         `spec:"pageWhen" doc:"Query that must have a result for a page: a second signal that agrees, such as several teams that are affected. While it has none, what would page is a ticket."`
	Labels      schema.Labels `spec:"labels" doc:"Labels added to the alerts."`
	Annotations schema.Labels `spec:"annotations" doc:"Annotations added to the alerts."`
	At          yamlsrc.Value
}

type dependencySpec struct {
	SLO      schema.Name  `spec:"slo,required" ref:"SLO" doc:"Name of the SLO that this one needs."`
	Critical *schema.Bool `spec:"critical" doc:"Whether this one fails when that one fails." default:"true"`
	At       yamlsrc.Value
}

type sloSpec struct {
	Description schema.Text        `spec:"description" doc:"The promise in one sentence."`
	Service     schema.Name        `spec:"service,required" ref:"Service" doc:"Service that the promise is for. When any Service is declared in the directory, this one must be."`
	Owner       ownerSpec          `spec:"owner" doc:"Who is told." default:"that of the service"`
	Runbook     schema.Text        `spec:"runbook" doc:"URL or path of the runbook." default:"that of the service"`
	Links       schema.Labels      `spec:"links" doc:"Further URLs by name."`
	Objective   objectiveSpec      `spec:"objective,required" doc:"How good, over which period."`
	SLI         sliSpec            `spec:"sli,required" doc:"What is good. Exactly one variant."`
	Budgeting   *budgetingSpec     `spec:"budgeting" doc:"How the budget is counted." default:"what fits the SLI"`
	GroupBy     []schema.LabelName `spec:"groupBy" doc:"Labels of the SLI: each of their values gets a budget and alerts of its own."`
	NoData      *noDataSpec        `spec:"noData" doc:"What missing telemetry means."`
	Events      *schema.Decimal    `spec:"eventsPerHour" min:"0" doc:"Expected traffic in events an hour: lets check and explain judge whether the alerts fit."`
	Alerting    alertingSpec       `spec:"alerting" doc:"How burning is told."`
	Policy      schema.Name        `spec:"policy" ref:"BudgetPolicy" doc:"Budget policy."`
	DependsOn   []dependencySpec   `spec:"dependsOn" doc:"SLOs that this one needs."`
	DataSource  schema.Name        `spec:"dataSource" ref:"DataSource" doc:"Where the series are." default:"default"`
	At          yamlsrc.Value
}
