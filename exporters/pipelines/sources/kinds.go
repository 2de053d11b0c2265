package sources

import "github.com/plimsoll-slo/plimsoll/exporters/source"

// Kinds returns every kind of system there is a decoder for, sorted by name.
func Kinds() []source.Kind {
	return []source.Kind{
		{Name: "argocd", Decode: ArgoCD},
		{Name: "azuredevops", Decode: AzureDevOps},
		{Name: "cdevents", Decode: CDEvents},
		{Name: "circleci", Decode: CircleCI, Signature: source.SignedByCircleCI},
		{Name: "github", Decode: GitHub, Signature: source.SignedByGitHub},
		{Name: "gitlab", Decode: GitLab, Signature: source.SignedByGitLab},
		{Name: "jenkins", Decode: Jenkins},
		{Name: "tekton", Decode: Tekton},
	}
}
