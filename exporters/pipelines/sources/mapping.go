package sources

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Mapping says how to read the deliveries of a system that there is no decoder for, each of which is one JSON document
// about one thing. docs/sources.md has an example.
type Mapping struct {
	// Source is the word that events of the system carry: lower-case letters, digits, _ and -.
	Source string `mapstructure:"source"`
	// Fact is what a delivery is about: run, task, deployment, commit, incident or onboarding.
	Fact string `mapstructure:"fact"`
	// Match are places and the text that must be there; a delivery where it is not is event.Unused.
	Match map[string]string `mapstructure:"match"`
	// Fields has, by name, where a fact's field is in the document: a JSON Pointer (RFC 6901), or = and a constant.
	// See mappingFields for the names.
	Fields map[string]string `mapstructure:"fields"`
	// Statuses has, for each status of the system, in any case, what it means: pending, waiting, executing, success,
	// failure, error, timeout, cancellation, skip, or ignore. A commit has none.
	Statuses map[string]string `mapstructure:"statuses"`
	// Times are the forms of times, tried in this order: rfc3339, unix, unix_ms, or a layout of Go's time package.
	// Without any, rfc3339.
	Times []string `mapstructure:"times"`
	// Unit is the unit of durations: s, ms or ns. Without it, s.
	Unit string `mapstructure:"unit"`
}

// mappingFields are the fields of each fact; those that are true must be mapped. repository is owner/name in one. attempt
// is a number, rollback true or false, trigger and tier one of their words, ref a branch or tag as git names it.
var mappingFields = map[string]map[string]bool{
	"run": {
		"id": true, "status": true, "pipeline": true, "repository": false, "time": false, "start": false, "duration": false,
		"attempt": false, "trigger": false, "ref": false, "default_branch": false, "revision": false,
	},
	"task": {
		"id": true, "status": true, "name": true, "run_id": false, "pipeline": false, "repository": false, "time": false,
		"start": false, "duration": false, "queued": false, "attempt": false, "error": false, "pool": false,
	},
	"deployment": {
		"id": true, "status": true, "environment": true, "service": false, "repository": false, "time": false, "start": false,
		"tier": false, "rollback": false, "revision": false,
	},
	"incident": {
		"id": true, "status": true, "key": false, "severity": false, "service": false, "team": false, "time": false, "start": false,
	},
	"onboarding": {"id": true, "status": true, "service": true, "team": false, "time": false},
	"commit":     {"revision": true, "repository": true, "base": false, "committed": false, "time": false},
}

var meanings = []string{
	"pending", "waiting", "executing", "success", "failure", "error", "timeout", "cancellation", "skip", "ignore",
}

// Check returns an error that lists everything that is wrong with the mapping, one a line, or nil.
func (m Mapping) Check() error {
	var wrong []error
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if m.Source == "" || m.Source != event.Word(m.Source) {
		add("source %q: want a word of at most 32 lower-case letters, digits, _ and -", m.Source)
	}
	for _, kind := range Kinds() {
		if m.Source == kind.Name {
			add("source %q: there is a decoder for it", m.Source)
		}
	}
	fields, known := mappingFields[m.Fact]
	if !known {
		add("fact %q: want one of %s", m.Fact, list(mappingFields))
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if fields[name] && m.Fields[name] == "" {
			add("fields: want %s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Fields)) {
		if _, found := fields[name]; known && !found {
			add("fields: %s is not a field of a %s; want some of %s", name, m.Fact, list(fields))
		}
		if _, err := parseValue(m.Fields[name]); err != nil {
			add("fields: %s: %q: %w", name, m.Fields[name], err)
		}
	}
	for _, place := range slices.Sorted(maps.Keys(m.Match)) {
		if _, err := parsePointer(place); err != nil {
			add("match: %q: %w", place, err)
		}
	}
	return errors.Join(append(wrong, m.validateWords()...)...)
}

func (m Mapping) validateWords() (wrong []error) {
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	folded := map[string]bool{}
	if (len(m.Statuses) == 0) != (m.Fact == "commit") {
		add("statuses: want at least one, but none for a commit")
	}
	for _, status := range slices.Sorted(maps.Keys(m.Statuses)) {
		if !slices.Contains(meanings, m.Statuses[status]) {
			add("statuses: %q: %q: want one of %s", status, m.Statuses[status], strings.Join(meanings, ", "))
		}
		if folded[fold(status)] {
			add("statuses: %q is there twice, in different case", status)
		}
		folded[fold(status)] = true
	}
	for _, form := range m.Times {
		if !slices.Contains([]string{"rfc3339", "unix", "unix_ms"}, form) && !strings.Contains(form, "2006") {
			add("times: %q: want rfc3339, unix, unix_ms, or a layout with the year 2006", form)
		}
	}
	if !slices.Contains([]string{"", "s", "ms", "ns"}, m.Unit) {
		add("unit %q: want s, ms or ns", m.Unit)
	}
	return wrong
}

func list[V any](words map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(words)), ", ")
}

func fold(status string) string { return strings.ToLower(strings.TrimSpace(status)) }

// value is a place or a constant.
type value struct {
	place    pointer // nil for a constant
	constant string
}

func parseValue(text string) (value, error) {
	if constant, found := strings.CutPrefix(text, "="); found {
		return value{constant: constant}, nil
	}
	place, err := parsePointer(text)
	if err != nil {
		return value{}, fmt.Errorf("%w, or = and a constant", err)
	}
	return value{place: place}, nil
}
