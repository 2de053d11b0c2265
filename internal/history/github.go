package history

import (
	"compress/gzip"
	_ "embed" // the archive of incidents
	"fmt"
	"slices"
	"strings"
)

//go:embed github-status.jsonl.gz
var githubStatus string

// notComponent is no component: it is what is left of the line "Visit
// www.githubstatus.com for more information" of the page.
const notComponent = "Visit www"

// GitHub returns the 399 entries of the status page of GitHub from March 2022
// to December 2024. Origin and licence are in SOURCES.md.
func GitHub() ([]Incident, error) {
	z, err := gzip.NewReader(strings.NewReader(githubStatus))
	if err != nil {
		return nil, fmt.Errorf("open the incidents of GitHub: %w", err)
	}
	all, err := Load(z)
	if err != nil {
		return nil, fmt.Errorf("read the incidents of GitHub: %w", err)
	}
	for i, x := range all {
		all[i].Components = slices.DeleteFunc(x.Components, func(c string) bool { return c == notComponent })
	}
	return all, nil
}
