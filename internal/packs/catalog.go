package packs

// All returns the packs by name.
func All() []Pack {
	return []Pack{
		{
			"pipelines", "Pipelines succeed, at the first attempt as well, and start soon",
			[]string{"M2", "F1"},
			"receiver platform_events with a CI system, docs/sources.md",
		},
		{
			"secrets", "Secrets are rotated and certificates renewed in time, and reach who uses them",
			[]string{"M11", "F7"},
			"receiver platform_events with rotation, docs/secrets.md; for logins that fail access logs, docs/platform-api.md",
		},
	}
}
