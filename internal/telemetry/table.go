package telemetry

// overflow is the label of the series that take what a limit leaves out.
const overflow = "otel_metric_overflow"

// labelTeam is the label that says whose something is, where the exporter knows.
const labelTeam = "platform_team"

// counter, gauge and histogram are families with these labels.
func counter(name string, labels ...string) Family   { return Family{name, Counter, labels} }
func gauge(name string, labels ...string) Family     { return Family{name, Gauge, labels} }
func histogram(name string, labels ...string) Family { return Family{name, Histogram, labels} }

// pipelines is what exporters/pipelines declares.
func pipelines() Source {
	repo := func(more ...string) []string {
		return append([]string{"vcs_owner_name", "vcs_repository_name", "cicd_pipeline_name", overflow}, more...)
	}
	return Source{
		Name: Pipelines, Title: "Pipelines and deployments",
		Enable: "Run the receiver `platform_events` of the collector and let the CI and CD systems send it their webhooks.",
		Families: []Family{
			counter(RunOutcomes, repo("vcs_ref_kind", "cicd_pipeline_trigger", "platform_attempt", "platform_outcome", "cicd_pipeline_result")...),
			histogram(RunDuration, repo("cicd_pipeline_result", "cicd_pipeline_run_state")...),
			counter(RunFlaky, repo()...),
			counter(RunErrors, repo("error_type")...),
			histogram(TaskQueue, "platform_runner_pool", overflow),
			counter(Deployments, "service_name", "deployment_environment_name", "platform_environment_tier",
				"deployment_status", "platform_outcome", "platform_deployment_kind", overflow),
			histogram(LeadTime, "service_name", "deployment_environment_name", "platform_lead_from", overflow),
			counter(LeadTimeExcluded, "service_name", "deployment_environment_name", "platform_lead_reason", overflow),
			counter(EventsReceived, "platform_event_source", "platform_event_verdict", "platform_event_unmapped", overflow),
			gauge(RunActive, repo("cicd_pipeline_run_state")...),
			gauge(RunOldest, repo("cicd_pipeline_run_state")...),
		},
	}
}

// costs is what exporters/cost declares with its default rules: environment,
// team and service; and what its intake says of the files that it finds.
func costs() Source {
	allocated := func(more ...string) []string {
		return append([]string{"deployment_environment_name", labelTeam, "service_name", "cost_currency", overflow}, more...)
	}
	return Source{
		Name: Cost, Title: "Cost",
		Enable: "Give the cost receiver of the collector the exports of the cloud providers (FOCUS, CUR, Azure) or an OpenCost, and budgets.",
		Families: []Family{
			gauge(CostAccrued, allocated("cost_metric")...),
			gauge(CostSpend, allocated("cost_metric", "cost_period", "cost_charge_category")...),
			gauge(CostBudget, allocated("cost_budget_name", "cost_period")...),
			gauge(CostEnvironments),
			gauge(CostAge, "cost_provider"),
			counter(CostRows, "class", "tagged"),
			gauge(CostTroubles, "cost_trouble"),
			gauge(CostFiles, "cost_source", "cost_file_state"),
		},
	}
}

// logs and traces are what the collector makes of events, besides counting them.
func logs() Source {
	return Source{
		Name: Logs, Title: "Events as logs, and the audit trail",
		Enable: "Send the logs of the collector's event receivers to a Loki that is a data source of Grafana.",
	}
}

func traces() Source {
	return Source{
		Name: Traces, Title: "Traces of pipeline runs",
		Enable: "Send the traces of the receiver `platform_events` to a Tempo that is a data source of Grafana.",
	}
}

// platformAPI is what exporters/platformapi declares.
func platformAPI() Source {
	of := func(more ...string) []string { return append([]string{"service_name", overflow}, more...) }
	return Source{
		Name: PlatformAPI, Title: "Platform API",
		Enable: "Give the receiver `platform_events` of the collector the audit logs of the API servers, the access logs of the gateway, or CloudTrail.",
		Families: []Family{
			counter(APIRequests, of("http_request_method", "http_response_status_code", "platform_request_class", "platform_outcome", "platform_request_reason")...),
			histogram(APILatency, of("http_request_method", "http_route", "http_response_status_code", "platform_request_class")...),
			counter(PolicyEvaluations, of("policy_engine", "policy_decision", "policy_name", "k8s_namespace_name", "error_type")...),
			counter(Actions, of("platform_channel", "platform_target_kind", "k8s_namespace_name")...),
		},
	}
}

// storage is what a Prometheus server, and the store of plimsoll serve, say
// about themselves.
func storage() Source {
	return Source{
		Name: Storage, Title: "Storage and rules",
		Enable: "Let the Prometheus server scrape itself.",
		Families: []Family{
			gauge(HeadSeries),
			counter(SamplesAppended, "type"),
			counter(CompactionsFailed),
			counter(RuleFailures, "rule_group"),
			counter(RuleMissed, "rule_group"),
			gauge(RuleDuration, "rule_group"),
			gauge(RuleInterval, "rule_group"),
		},
	}
}

// secrets is what exporters/secrets declares.
func secrets() Source {
	of := func(more ...string) []string {
		return append([]string{"secret_store", "secret_kind", "secret_scope", "secret_owner", overflow}, more...)
	}
	return Source{
		Name: Secrets, Title: "Secrets",
		Enable: "Give the receiver `platform_events` of the collector the secret stores with their rotation policies and their audit logs.",
		Families: []Family{
			counter(RotationDue, of()...),
			counter(RotationOutcomes, of("platform_outcome", "secret_rotation_reason")...),
			counter(RotationAttempts, of("secret_rotation_result", "secret_rotation_trigger")...),
			histogram(Propagation, of()...),
			counter(SecretAccesses, "secret_store", "secret_scope", "secret_access_operation", "secret_access_outcome", "secret_principal_kind", overflow),
			counter(SecretLeaks, "secret_store", "secret_kind", "vcs_owner_name", "vcs_repository_name", overflow),
			counter(SecretPrincipals, "secret_store", "secret_principal_kind", "secret_principal_novelty", overflow),
			gauge(RotationTracked, of()...),
			gauge(RotationOverdue, of()...),
			gauge(RotationAge, of()...),
			gauge(RotationHeardAge, of()...),
			gauge(RotationOverdueAge, of("secret_name")...),
		},
	}
}

// incidents is what exporters/incidents declares.
func incidents() Source {
	of := func(more ...string) []string {
		return append([]string{"platform_event_source", "incident_severity", "service_name", labelTeam, overflow}, more...)
	}
	return Source{
		Name: Incidents, Title: "Incidents",
		Enable: "Let the incident management (Alertmanager, PagerDuty, CDEvents) send its webhooks to the receiver `platform_events` of the collector.",
		Families: []Family{
			counter(IncidentOpened, of("incident_recurrence")...),
			histogram(TimeToRestore, of()...),
			histogram(TimeToAck, of()...),
			counter(IncidentExcluded, of("incident_reason")...),
			gauge(IncidentOpen, of("incident_state")...),
			gauge(IncidentOldest, of()...),
		},
	}
}

// policies is what exporters/policy declares.
func policies() Source {
	return Source{
		Name: Policy, Title: "Policy decisions",
		Enable: "Give the receiver `platform_events` of the collector the events and reports of Gatekeeper or Kyverno.",
		Families: []Family{
			counter(PolicyDecisions, "policy_engine", "policy_name", "policy_decision", "k8s_namespace_name", overflow),
		},
	}
}

// onboarding is what exporters/onboarding declares.
func onboarding() Source {
	return Source{
		Name: Onboarding, Title: "Onboarding",
		Enable: "Let the portal or the ticket system tell the receiver `platform_events` of the collector when a team asks for a service.",
		Families: []Family{
			histogram(OnboardingDuration, labelTeam, overflow),
			counter(OnboardingRequests, labelTeam, overflow),
			counter(OnboardingOutcomes, labelTeam, "platform_onboarding_outcome", overflow),
			gauge(OnboardingOpen, labelTeam, overflow),
			gauge(OnboardingOldest, labelTeam, overflow),
		},
	}
}

// coverage is what exporters/coverage declares.
func coverage() Source {
	const signal = "platform_telemetry_signal"
	return Source{
		Name: Coverage, Title: "Telemetry coverage",
		Enable: "Give the connector `platform_coverage` of the collector an inventory of the services that are to send telemetry.",
		Families: []Family{
			gauge(ServiceCoverage, "service_name", labelTeam, signal, overflow),
			gauge(CoverageExpected, signal, overflow),
			gauge(CoverageCovered, signal, overflow),
			gauge(CoverageUnlisted, overflow),
		},
	}
}

// collectors is what an OpenTelemetry Collector says about itself where its
// reader leaves suffixes out, as the collector's examples of this repository do.
func collectors() Source {
	source := Source{
		Name: Collector, Title: "Collectors",
		Enable: "Scrape the collectors themselves (`service::telemetry::metrics`).",
	}
	for _, what := range Signals() {
		source.Families = append(source.Families,
			counter(ReceiverAccepted+what, "receiver", "transport"),
			counter(ReceiverRefused+what, "receiver", "transport"),
			counter(ExporterSent+what, "exporter"),
			counter(ExporterFailed+what, "exporter"))
	}
	source.Families = append(source.Families,
		gauge(QueueSize, "exporter", "data_type"),
		gauge(QueueCapacity, "exporter", "data_type"))
	return source
}

// Signals returns what the names of collectors' counters end in.
func Signals() []string { return []string{"metric_points", "log_records", "spans"} }

// kubernetes is what the API server, kube-state-metrics and the kubelets
// export, with a label that tells clusters apart.
func kubernetes() Source {
	of := func(labels ...string) []string { return append([]string{"cluster"}, labels...) }
	pod := of("namespace", "pod", "container", "uid", "node")
	request := of("verb", "group", "version", "resource", "subresource", "scope", "component")
	return Source{
		Name: Kubernetes, Title: "Clusters",
		Enable: "Scrape kube-state-metrics, the kubelets and the API servers of every cluster, and put the label `cluster` on their series.",
		Families: []Family{
			gauge(NodeAllocatable, of("node", "resource", "unit")...),
			counter(Restarts, pod...),
			gauge(LastTerminated, append(pod, "reason")...),
			gauge(PodPhase, of("namespace", "pod", "uid", "phase")...),
			counter(ContainerCPU, append(pod, "id", "image", "name", "cpu")...),
			gauge(ContainerMemory, append(pod, "id", "image", "name")...),
			counter(APIServerRequests, append(request, "code", "dry_run")...),
			histogram(APIServerLatency, request...),
		},
	}
}
