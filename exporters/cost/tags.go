package cost

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// maxTags is the most tags of a row that are read. AWS and Azure allow 50.
const maxTags = 256

var errTags = errors.New("tags are not an object of texts")

// tagObject reads tags written as a JSON object into the row. Numbers and truth values become texts, null is no tag,
// and anything else makes the row one without tags. A key given twice stays in twice.
func (r *reader) tagObject(text []byte) {
	if text == nil {
		return
	}
	tags, ok := r.known[string(text)]
	if !ok {
		var err error
		if tags, err = parseTags(text); err != nil {
			r.trouble("tags", BadTags)
			return
		}
		if len(text) <= 8*event.MaxText && len(r.known) < maxWords {
			r.known[string(text)] = tags
		}
	}
	for _, t := range tags {
		if t.Key != strings.TrimSpace(t.Key) {
			r.trouble("tags", DirtyTag)
		}
		r.row.Tags = append(r.row.Tags, Tag{userKey(t.Key), t.Value})
	}
}

// parseTags returns the members of a JSON object. Not as a map: the order decides between spellings of a key.
func parseTags(text []byte) (tags []Tag, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errTags
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, errTags
		}
		value, err := d.Token()
		if err != nil || len(tags) >= maxTags {
			return nil, errTags
		}
		switch v := value.(type) {
		case string:
			tags = append(tags, Tag{key.(string), v})
		case json.Number:
			tags = append(tags, Tag{key.(string), v.String()})
		case bool:
			tags = append(tags, Tag{key.(string), map[bool]string{true: "true", false: "false"}[v]})
		case json.Delim:
			return nil, errTags
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, errTags
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errTags
	}
	return tags, nil
}

// Rule is how rows are allocated to the values of one attribute, for example to environments.
type Rule struct {
	// Attribute is the name on the series: "deployment.environment.name".
	Attribute string
	// Keys are the tags to look at, best first. Case and the white space around a key do not matter; of two spellings
	// in one row the one written as here counts, otherwise the first of the row.
	Keys []string
	// Aliases turn values, in lower case, into others: prod to production.
	Aliases map[string]string
	// Default is the value of rows without such a tag. "unallocated".
	Default string
}

// Unallocated is the value of rows that no tag allocates.
const Unallocated = "unallocated"

// DefaultRules returns rules for environments, teams and services by the usual tags.
func DefaultRules() []Rule {
	return []Rule{
		{Attribute: Environment, Keys: []string{"environment", "env", "stage"}},
		{Attribute: Team, Keys: []string{"team", "owner"}},
		{Attribute: Service, Keys: []string{"service", "application", "app"}},
	}
}

// value returns the value for a row with these tags, and whether a tag gave it.
func (rule Rule) value(tags []Tag) (string, bool) {
	for _, key := range rule.Keys {
		at := slices.IndexFunc(tags, func(t Tag) bool { return t.Key == key && plain(t.Value) != "" })
		if at < 0 {
			at = slices.IndexFunc(tags, func(t Tag) bool {
				return strings.EqualFold(strings.TrimSpace(t.Key), key) && plain(t.Value) != ""
			})
		}
		if at < 0 {
			continue
		}
		value := plain(tags[at].Value)
		if alias, ok := rule.Aliases[value]; ok {
			value = alias
		}
		return value, true
	}
	if rule.Default != "" {
		return rule.Default, false
	}
	return Unallocated, false
}
