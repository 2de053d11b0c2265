package packs

// All returns the packs by name.
func All() []Pack {
	return []Pack{
		{
			"capacity", "Nodes, pods and autoscalers have room",
			[]string{"F5"},
			"kube-state-metrics and kube-apiserver, scraped",
		},
		{
			"cost", "Environments cost what was agreed, and it is known for whom",
			[]string{"M10", "F6"},
			"bills read by the cost exporter, docs/cost.md",
		},
		{
			"deployments", "Changes come to production, and soon",
			[]string{"M3"},
			"receiver platform_events with deployments and commits, docs/sources.md",
		},
		{
			"incidents", "Incidents are short, end, and do not come back",
			[]string{"M4", "M12"},
			"receiver platform_events with Alertmanager or PagerDuty, docs/incidents.md",
		},
		{
			"onboarding", "New services come to production within a week",
			[]string{"M6"},
			"receiver platform_events with requests and deployments, docs/onboarding.md",
		},
		{
			"pipelines", "Pipelines succeed, at the first attempt as well, and start soon",
			[]string{"M2", "F1"},
			"receiver platform_events with a CI system, docs/sources.md",
		},
		{
			"platform-api", "The Kubernetes API answers, quickly",
			[]string{"M1"},
			"kube-apiserver, scraped",
		},
		{
			"policy", "Policies stop what they should, seldom, and their engine works",
			[]string{"M8", "F4"},
			"audit logs of Kubernetes, docs/platform-api.md",
		},
		{
			"portal", "The developer portal answers, quickly",
			[]string{"M1"},
			"durations of HTTP requests by OpenTelemetry or access logs, docs/platform-api.md",
		},
		{
			"secrets", "Secrets are rotated and certificates renewed in time, and reach who uses them",
			[]string{"M11", "F7"},
			"receiver platform_events with rotation, docs/secrets.md; for logins that fail access logs, docs/platform-api.md",
		},
		{
			"secrets-audit", "Who reads secrets is audited, and nobody does who should not",
			[]string{"F2"},
			"audit logs of Vault, OpenBao or Secrets Manager, docs/secrets.md; for silence the metrics of the store, scraped; for leaks the webhook of GitHub, docs/sources.md",
		},
		{
			"self-service", "Changes go through the platform, and not around it",
			[]string{"M7"},
			"audit logs of Kubernetes or CloudTrail, docs/platform-api.md",
		},
		{
			"telemetry", "Services send telemetry, and it arrives",
			[]string{"M9", "F3"},
			"connector platform_coverage, docs/coverage.md, and the collectors, scraped",
		},
	}
}
