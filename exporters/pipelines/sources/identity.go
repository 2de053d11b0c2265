package sources

import (
	"net/url"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// seconds returns a duration that a source gives as a number; ok is false if there is none or it is not believed.
func seconds(n *float64) (d time.Duration, ok bool) {
	if n == nil || !(*n >= 0) || *n > maxRunDuration.Seconds() {
		return 0, false
	}
	return time.Duration(*n * float64(time.Second)), true
}

// between returns the time from start to end; ok is false if one is missing or the clocks contradict each other.
func between(start, end time.Time) (d time.Duration, ok bool) {
	d = end.Sub(start)
	if start.IsZero() || end.IsZero() || d < 0 || d > maxRunDuration {
		return 0, false
	}
	return d, true
}

// latest returns the last of some times.
func latest(times ...source.Stamp) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t.Time
		}
	}
	return last
}

// repositoryOf returns owner and name of the repository at an address: https://host/owner/name.git, or
// git@host:owner/name.git as git writes it.
func repositoryOf(address string) (owner, name string) {
	path := ""
	u, err := url.Parse(address)
	user, after, scp := strings.Cut(address, ":")
	switch {
	case err == nil && u.Host != "":
		path = u.Path
	case scp && strings.Contains(user, "@") && !strings.ContainsAny(after, "@:"):
		path = after
	} // or it is no address, and might be a password
	return pipelines.Split(strings.TrimSuffix(strings.Trim(path, "/"), ".git"))
}

// tiers has the words by which people name environments, as whole words of a name.
func tiers(word string) string {
	switch strings.TrimRight(word, "0123456789") {
	case "production", "prod", "prd", "live":
		return pipelines.Production
	case "staging", "stage", "stg", "preprod", "preproduction", "uat":
		return pipelines.Staging
	case "testing", "test", "tst", "qa", "int", "integration":
		return pipelines.Testing
	case "development", "develop", "dev", "review", "preview", "sandbox":
		return pipelines.Development
	}
	return ""
}

// tierByName guesses the tier of an environment from the first of some names that has a word for one in it, such as
// "eu-prod-2"; "non-prod" and "pre-prod" are not production. If none has it the tier is not known.
func tierByName(names ...string) string {
	for _, name := range names {
		words := strings.FieldsFunc(strings.ToLower(event.Clean(name)), func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9')
		})
		for i, word := range words {
			tier := tiers(word)
			if tier == pipelines.Production && i > 0 && (words[i-1] == "non" || words[i-1] == "pre") {
				tier = pipelines.Staging
			}
			if tier != "" {
				return tier
			}
		}
	}
	return ""
}
