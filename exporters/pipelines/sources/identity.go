package sources

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
)

// ident returns what identifies a thing as one segment of a Subject: the text itself with / and % escaped, or, if it
// is long, not clean or might be an address with a password in it, half of its SHA-256. Different texts give different
// segments.
func ident(text string) string {
	if len(text) <= event.MaxText && text == event.Clean(text) && !strings.ContainsAny(text, "@?#") {
		return url.PathEscape(text)
	}
	sum := sha256.Sum256([]byte(text))
	return "~" + hex.EncodeToString(sum[:16])
}

// origin returns the origin of a fact that happened at the given time; a time that can not be is replaced.
func origin(source, subject, key string, at, observed time.Time) pipelines.Origin {
	o := pipelines.Origin{Source: source, Subject: subject, Key: subject + "/" + key, Observed: observed}
	var ok bool
	if o.Time, ok = event.Clamp(at, observed); !ok {
		o.Unmapped = "clock"
	}
	return o
}

// began returns a time that something is said to have begun, or the zero time if that can not be.
func began(start, observed time.Time) time.Time {
	at, ok := event.Clamp(start, observed)
	if !ok {
		return time.Time{}
	}
	return at
}

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
func latest(times ...stamp) (last time.Time) {
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
