package telemetry

// overflow is the label of the series that take what a limit leaves out.
const overflow = "otel_metric_overflow"

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
			counter("cicd_pipeline_run_outcomes_total", repo("vcs_ref_kind", "cicd_pipeline_trigger", "platform_attempt", "platform_outcome", "cicd_pipeline_result")...),
			histogram("cicd_pipeline_run_duration_seconds", repo("cicd_pipeline_result", "cicd_pipeline_run_state")...),
			counter("cicd_pipeline_run_flaky_total", repo()...),
			counter("cicd_pipeline_run_errors_total", repo("error_type")...),
			histogram("cicd_pipeline_task_queue_duration_seconds", "platform_runner_pool", overflow),
			counter("deployment_outcomes_total", "service_name", "deployment_environment_name", "platform_environment_tier",
				"deployment_status", "platform_outcome", "platform_deployment_kind", overflow),
			histogram("deployment_lead_time_seconds", "service_name", "deployment_environment_name", "platform_lead_from", overflow),
			counter("deployment_lead_time_excluded_total", "service_name", "deployment_environment_name", "platform_lead_reason", overflow),
			counter("platform_events_received_total", "platform_event_source", "platform_event_verdict", "platform_event_unmapped", overflow),
			gauge("cicd_pipeline_run_active", repo("cicd_pipeline_run_state")...),
			gauge("cicd_pipeline_run_oldest_seconds", repo("cicd_pipeline_run_state")...),
		},
	}
}

// costs is what exporters/cost declares with its default rules: environment,
// team and service.
func costs() Source {
	allocated := func(more ...string) []string {
		return append([]string{"deployment_environment_name", "platform_team", "service_name", "cost_currency", overflow}, more...)
	}
	return Source{
		Name: Cost, Title: "Cost",
		Enable: "Give the cost receiver of the collector the exports of the cloud providers (FOCUS, CUR, Azure) or an OpenCost, and budgets.",
		Families: []Family{
			gauge("cost_accrued", allocated("cost_metric")...),
			gauge("cost_spend", allocated("cost_metric", "cost_period", "cost_charge_category")...),
			gauge("cost_budget", allocated("cost_budget_name", "cost_period")...),
			gauge("cost_environments"),
			gauge("cost_data_age_seconds", "cost_provider"),
			counter("cost_rows_total", "class", "tagged"),
			gauge("cost_data_troubles", "cost_trouble"),
		},
	}
}

func platformAPI() Source {
	return Source{
		Name: PlatformAPI, Title: "Platform API",
		Enable: "Let the platform API export the OpenTelemetry metric `http.server.request.duration`, and give the collector its audit log.",
		Families: []Family{
			histogram("http_server_request_duration_seconds", "service_name", "http_request_method", "http_route", "http_response_status_code"),
			counter("platform_actions_total", "channel", "target_kind", "platform_team"),
		},
	}
}

func secrets() Source {
	of := func(more ...string) []string {
		return append([]string{"secret_store", "secret_kind", "platform_team"}, more...)
	}
	return Source{
		Name: Secrets, Title: "Secrets",
		Enable: "Give the collector the rotation policies of the secret stores and their audit logs.",
		Families: []Family{
			counter("secret_rotation_due_total", of()...),
			counter("secret_rotation_outcomes_total", of("outcome", "reason")...),
			gauge("secret_rotation_overdue", of()...),
			gauge("secret_rotation_last_success_timestamp_seconds", of()...),
			histogram("secret_rotation_propagation_seconds", of()...),
			counter("secret_accesses_total", "secret_store", "outcome", "principal_kind"),
		},
	}
}

func incidents() Source {
	return Source{
		Name: Incidents, Title: "Incidents",
		Enable: "Let the incident management (Alertmanager, PagerDuty, Opsgenie) send its webhooks to the collector.",
		Families: []Family{
			gauge("incident_open", "severity", "service_name"),
			counter("incident_opened_total", "severity", "service_name", "recurrence"),
			histogram("incident_time_to_restore_seconds", "severity", "service_name"),
		},
	}
}

func policies() Source {
	return Source{
		Name: Policy, Title: "Policy decisions",
		Enable: "Give the collector the audit log of the Kubernetes API server, or the metrics of the policy engine.",
		Families: []Family{
			counter("policy_evaluations_total", "policy_engine", "policy_outcome", "policy_name", "platform_team"),
		},
	}
}

func onboarding() Source {
	return Source{
		Name: Onboarding, Title: "Onboarding",
		Enable: "Let the portal or the ticket system tell the collector when a team asks for the platform.",
		Families: []Family{
			histogram("platform_onboarding_duration_seconds"),
			histogram("platform_onboarding_stage_duration_seconds", "stage"),
			gauge("platform_onboarding_open", "stage"),
		},
	}
}

func coverage() Source {
	return Source{
		Name: Coverage, Title: "Telemetry coverage",
		Enable:   "Give the collector an inventory of the services that are to send telemetry.",
		Families: []Family{gauge("platform_telemetry_coverage", "service_name", "signal")},
	}
}

// collectors is what an OpenTelemetry Collector says about itself where its
// reader leaves suffixes out, as the collector's examples of this repository do.
func collectors() Source {
	source := Source{
		Name: Collector, Title: "Collectors",
		Enable: "Scrape the collectors themselves (`service::telemetry::metrics`).",
	}
	for _, what := range []string{"metric_points", "log_records", "spans"} {
		source.Families = append(source.Families,
			counter("otelcol_receiver_accepted_"+what, "receiver", "transport"),
			counter("otelcol_receiver_refused_"+what, "receiver", "transport"),
			counter("otelcol_exporter_sent_"+what, "exporter"),
			counter("otelcol_exporter_send_failed_"+what, "exporter"))
	}
	source.Families = append(source.Families,
		gauge("otelcol_exporter_queue_size", "exporter", "data_type"),
		gauge("otelcol_exporter_queue_capacity", "exporter", "data_type"))
	return source
}

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
			gauge("kube_node_status_allocatable", of("node", "resource", "unit")...),
			counter("kube_pod_container_status_restarts_total", pod...),
			gauge("kube_pod_container_status_last_terminated_reason", append(pod, "reason")...),
			gauge("kube_pod_status_phase", of("namespace", "pod", "uid", "phase")...),
			counter("container_cpu_usage_seconds_total", append(pod, "id", "image", "name", "cpu")...),
			gauge("container_memory_working_set_bytes", append(pod, "id", "image", "name")...),
			counter("apiserver_request_total", append(request, "code", "dry_run")...),
			histogram("apiserver_request_sli_duration_seconds", request...),
		},
	}
}
