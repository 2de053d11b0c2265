package telemetry

// Names are as Prometheus stores them; of histograms without _bucket, _count and
// _sum.

// Metrics of pipelines and deployments.
const (
	RunOutcomes      = "cicd_pipeline_run_outcomes_total"
	RunDuration      = "cicd_pipeline_run_duration_seconds"
	RunFlaky         = "cicd_pipeline_run_flaky_total"
	RunErrors        = "cicd_pipeline_run_errors_total"
	RunActive        = "cicd_pipeline_run_active"
	RunOldest        = "cicd_pipeline_run_oldest_seconds"
	TaskQueue        = "cicd_pipeline_task_queue_duration_seconds"
	Deployments      = "deployment_outcomes_total"
	LeadTime         = "deployment_lead_time_seconds"
	LeadTimeExcluded = "deployment_lead_time_excluded_total"
	EventsReceived   = "platform_events_received_total"
)

// Metrics of cost.
const (
	CostAccrued      = "cost_accrued"
	CostSpend        = "cost_spend"
	CostBudget       = "cost_budget"
	CostEnvironments = "cost_environments"
	CostAge          = "cost_data_age_seconds"
	CostRows         = "cost_rows_total"
	CostTroubles     = "cost_data_troubles"
	CostFiles        = "cost_files"
)

// Metrics of the platform API.
const (
	APIRequests       = "platform_api_requests_total"
	APILatency        = "http_server_request_duration_seconds" // of requests that count
	Actions           = "platform_actions_total"
	PolicyEvaluations = "policy_evaluations_total" // one for each request, by audit logs
)

// Metrics of what policy engines say of themselves, of onboarding and of coverage.
const (
	PolicyDecisions    = "policy_decisions_total"
	OnboardingDuration = "platform_onboarding_duration_seconds"
	OnboardingRequests = "platform_onboarding_requests_total"
	OnboardingOutcomes = "platform_onboarding_outcomes_total"
	OnboardingOpen     = "platform_onboarding_open"
	OnboardingOldest   = "platform_onboarding_oldest_seconds"
	ServiceCoverage    = "platform_telemetry_coverage"
	CoverageExpected   = "platform_telemetry_expected"
	CoverageCovered    = "platform_telemetry_covered"
	CoverageUnlisted   = "platform_telemetry_unlisted"
)

// Metrics of incidents.
const (
	IncidentOpened   = "incident_opened_total"
	TimeToRestore    = "incident_time_to_restore_seconds"
	TimeToAck        = "incident_time_to_ack_seconds"
	IncidentExcluded = "incident_excluded_total"
	IncidentOpen     = "incident_open"
	IncidentOldest   = "incident_oldest_seconds"
)

// Metrics of secrets.
const (
	RotationDue        = "secret_rotation_due_total"
	RotationOutcomes   = "secret_rotation_outcomes_total"
	RotationAttempts   = "secret_rotation_attempts_total"
	Propagation        = "secret_rotation_propagation_seconds"
	SecretAccesses     = "secret_accesses_total"
	SecretLeaks        = "secret_leaks_total"
	SecretPrincipals   = "secret_principals_total"
	RotationTracked    = "secret_rotation_tracked"
	RotationOverdue    = "secret_rotation_overdue"
	RotationAge        = "secret_rotation_age_seconds"
	RotationHeardAge   = "secret_rotation_telemetry_age_seconds"
	RotationOverdueAge = "secret_rotation_overdue_age_seconds"
)

// Metrics of clusters.
const (
	NodeAllocatable   = "kube_node_status_allocatable"
	Restarts          = "kube_pod_container_status_restarts_total"
	LastTerminated    = "kube_pod_container_status_last_terminated_reason"
	PodPhase          = "kube_pod_status_phase"
	ContainerCPU      = "container_cpu_usage_seconds_total"
	ContainerMemory   = "container_memory_working_set_bytes"
	APIServerRequests = "apiserver_request_total"
	APIServerLatency  = "apiserver_request_sli_duration_seconds"
)

// Metrics of collectors; those that end in an underscore go on with one of Signals.
const (
	ReceiverAccepted = "otelcol_receiver_accepted_"
	ReceiverRefused  = "otelcol_receiver_refused_"
	ExporterSent     = "otelcol_exporter_sent_"
	ExporterFailed   = "otelcol_exporter_send_failed_"
	QueueSize        = "otelcol_exporter_queue_size"
	QueueCapacity    = "otelcol_exporter_queue_capacity"
)

// Metrics of storage and rules.
const (
	HeadSeries        = "prometheus_tsdb_head_series"
	SamplesAppended   = "prometheus_tsdb_head_samples_appended_total"
	CompactionsFailed = "prometheus_tsdb_compactions_failed_total"
	RuleFailures      = "prometheus_rule_evaluation_failures_total"
	RuleMissed        = "prometheus_rule_group_iterations_missed_total"
	RuleDuration      = "prometheus_rule_group_last_duration_seconds"
	RuleInterval      = "prometheus_rule_group_interval_seconds"
)
