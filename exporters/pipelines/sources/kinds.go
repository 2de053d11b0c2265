package sources

// Kind is a kind of system that sends deliveries.
type Kind struct {
	// Name is the word by which a configuration names it, and Source of its events.
	Name string
	// Decode reads a delivery.
	Decode Decoder
	// Signature tells whether a delivery is from who knows a secret; nil for a system that signs nothing, whose
	// deliveries need another proof, such as Bearer.
	Signature Authentic
}

// Kinds returns every kind of system there is a decoder for, sorted by name.
func Kinds() []Kind {
	return []Kind{
		{"argocd", ArgoCD, nil},
		{"azuredevops", AzureDevOps, nil},
		{"cdevents", CDEvents, nil},
		{"circleci", CircleCI, SignedByCircleCI},
		{"github", GitHub, signedByGitHub},
		{"gitlab", GitLab, SignedByGitLab},
		{"jenkins", Jenkins, nil},
		{"tekton", Tekton, nil},
	}
}
