package slo

import (
	"github.com/plimsoll-slo/plimsoll/internal/schema"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

type profileSpec struct {
	Description   schema.Text      `spec:"description" doc:"When to use the profile."`
	Tiers         []tierSpec       `spec:"tiers,required" doc:"Conditions, any of which alerts."`
	Evidence      *evidenceSpec    `spec:"evidence" doc:"Test that a few bad events at low traffic do not pass."`
	MaxErrorRatio *schema.Share    `spec:"maxErrorRatio" doc:"No tier asks for a larger error ratio than this, so that low objectives can alert." default:"50%"`
	QuickReset    *schema.Duration `spec:"quickReset" min:"1m" max:"6h" doc:"When this much time proves recovery, long tiers fall silent." default:"10m"`
	At            yamlsrc.Value
}

type tierSpec struct {
	Severity schema.Text     `spec:"severity,required" enum:"page|ticket" doc:"Who is told."`
	Long     schema.Duration `spec:"long,required" min:"1m" max:"90d" doc:"Window in which the budget is spent."`
	Short    schema.Duration `spec:"short,required" min:"30s" max:"30d" doc:"Window that must still burn, so that the alert ends soon after the trouble."`
	Budget   *schema.Share   `spec:"budget" oneof:"rate" doc:"Share of the whole budget spent within long."`
	Burn     *schema.Decimal `spec:"burnRate" oneof:"rate" min:"0.01" doc:"Burn rate, instead of a share."`
	MinBurn  *schema.Decimal `spec:"minBurnRate" min:"0" doc:"Burn rate below which the tier never alerts."`
	At       yamlsrc.Value
}

type evidenceSpec struct {
	Test         schema.Text     `spec:"test,required" enum:"sqrt|poisson|minBad|none" doc:"sqrt: difference of square roots. poisson: lower bound of a Poisson mean. minBad: a least number of bad events."`
	Significance *schema.Share   `spec:"significance" doc:"Probability of a false alarm per test and tier." default:"1%"`
	MinBad       *schema.Decimal `spec:"minBad" min:"1" max:"1000000" doc:"Least number of bad events; only for minBad."`
	At           yamlsrc.Value
}

type policySpec struct {
	Description schema.Text      `spec:"description" doc:"What the policy is for."`
	States      []stateSpec      `spec:"states,required" doc:"What follows from how little budget is left, from much to little."`
	Escalations []escalationSpec `spec:"escalations" doc:"Who else is told about burning."`
	BreakGlass  *breakGlassSpec  `spec:"breakGlass" doc:"Who may release in a freeze."`
	At          yamlsrc.Value
}

type stateSpec struct {
	Name    schema.Name   `spec:"name,required" doc:"Name of the state."`
	Below   schema.Share  `spec:"budgetBelow,required" doc:"The state holds while less than this part of the budget is left; 0% means that it is spent."`
	Recover *schema.Share `spec:"recoverAbove" doc:"The state ends when at least this part is left." default:"budgetBelow"`
	Action  schema.Text   `spec:"action,required" enum:"none|review|slow|freeze" doc:"What happens to releases."`
	Exempt  []schema.Text `spec:"exempt" doc:"Kinds of change that may pass, for example security."`
	At      yamlsrc.Value
}

type escalationSpec struct {
	Burn   schema.Decimal  `spec:"burnRateAbove,required" min:"0.01" doc:"Burn rate."`
	For    schema.Duration `spec:"for,required" min:"1m" max:"30d" doc:"Window in which it burns."`
	Notify schema.Text     `spec:"notify,required" doc:"Alertmanager receiver."`
	At     yamlsrc.Value
}

type breakGlassSpec struct {
	Approvers []schema.Text `spec:"approvers" doc:"People or groups who may approve."`
	Reason    *schema.Bool  `spec:"requireReason" doc:"Whether a reason must be given." default:"true"`
	At        yamlsrc.Value
}

type selectorSpec struct {
	Names       []schema.Name `spec:"names" ref:"SLO" anyof:"selector" doc:"SLOs by name."`
	Services    []schema.Name `spec:"services" ref:"Service" anyof:"selector" doc:"All SLOs of these services."`
	MatchLabels schema.Labels `spec:"matchLabels" anyof:"selector" doc:"All SLOs with these labels."`
	All         *schema.Bool  `spec:"all" anyof:"selector" doc:"All SLOs."`
	At          yamlsrc.Value
}

type adjustmentSpec struct {
	Description schema.Text     `spec:"description" doc:"What happens."`
	Type        schema.Text     `spec:"type,required" enum:"maintenance|correction" doc:"maintenance: the time does not count. correction: bad events that were not bad are taken back."`
	SLOs        selectorSpec    `spec:"slos,required" doc:"SLOs that are adjusted: those that any of the fields names."`
	Start       schema.Time     `spec:"start,required" doc:"Start of the first occurrence."`
	Duration    schema.Duration `spec:"duration,required" min:"1m" max:"90d" doc:"Length of each occurrence."`
	Recurrence  recurrence      `spec:"recurrence" doc:"RFC 5545 recurrence rule, for example FREQ=WEEKLY;BYDAY=SU."`
	TimeZone    zone            `spec:"timeZone" doc:"IANA time zone in which it recurs." default:"UTC"`
	BadEvents   *schema.Decimal `spec:"badEvents" min:"0.000001" doc:"A correction: number of bad events taken back."`
	Mute        *schema.Bool    `spec:"mute" doc:"Whether alerts are silent meanwhile." default:"true for maintenance"`
	Reason      schema.Text     `spec:"reason,required" doc:"Why; it appears in every report."`
	Ticket      schema.Text     `spec:"ticket" doc:"Change or incident record."`
	At          yamlsrc.Value
}

type reportSpec struct {
	Heading  schema.Text  `spec:"title" doc:"Heading of the report." default:"the name"`
	Period   schema.Text  `spec:"period,required" enum:"week|month|quarter|year" doc:"Period that the report covers."`
	TimeZone zone         `spec:"timeZone" doc:"IANA time zone of the period." default:"UTC"`
	Audience schema.Text  `spec:"audience" enum:"executive|team|service" doc:"Who reads it." default:"executive"`
	SLOs     selectorSpec `spec:"slos,required" doc:"SLOs in the report: those that any of the fields names."`
	At       yamlsrc.Value
}

type dataSourceSpec struct {
	Type       schema.Text      `spec:"type,required" enum:"prometheus|mimir|cortex|thanos|victoriametrics|plimsoll" doc:"Kind of server."`
	URL        webURL           `spec:"url" doc:"Base URL, without credentials."`
	Tenant     schema.Text      `spec:"tenant" doc:"Tenant of a shared server."`
	Scrape     *schema.Duration `spec:"scrapeInterval" min:"1s" max:"1d" doc:"Time between two samples of a series." default:"30s"`
	Evaluation *schema.Duration `spec:"evaluationInterval" min:"5s" max:"2m" doc:"Time between two evaluations of the rules; recorded samples are forgotten after five minutes." default:"30s"`
	Retention  *schema.Duration `spec:"retention" min:"1h" doc:"How long samples are kept; check then refuses longer windows."`
	TokenFile  schema.Text      `spec:"bearerTokenFile" doc:"File with the bearer token. A token itself never stands in a spec."`

	Telemetry []schema.Text      `spec:"telemetry" enum:"collector|cost|coverage|incidents|kubernetes|logs|onboarding|pipelines|platformapi|policy|secrets|storage|traces" doc:"Telemetry that is kept here: dashboards have panels for it, and check --closed knows its series."`
	Labels    []schema.LabelName `spec:"labels" doc:"Labels that scraping, relabelling or a collector puts on series, besides job and instance; for check --closed."`
	Series    []seriesSpec       `spec:"series" doc:"Further series that queries may read; for check --closed."`
	Grafana   *grafanaSpec       `spec:"grafana" doc:"Where people look at the dashboards: alerts link to that of their SLO."`
	At        yamlsrc.Value
}

type grafanaSpec struct {
	URL        webURL      `spec:"url,required" doc:"Base URL of Grafana, without credentials."`
	UID        uidStart    `spec:"uid" doc:"What the uids of the dashboards start with: build and apply use it unless --uid says the same." default:"plimsoll"`
	DataSource schema.Text `spec:"dataSource" doc:"Name or uid of this data source in Grafana." default:"what Grafana chooses"`
	At         yamlsrc.Value
}

type seriesSpec struct {
	Name   metricName         `spec:"name,required" doc:"Name of the metric."`
	Type   schema.Text        `spec:"type" enum:"plain|histogram" doc:"plain: one series of this name. histogram: with _bucket, _count and _sum as well." default:"plain"`
	Labels []schema.LabelName `spec:"labels" doc:"Its labels, besides those of the data source."`
	At     yamlsrc.Value
}
