// Package sources reads what the servers of a platform write down about their requests: audit events of Kubernetes,
// access logs of web servers and proxies, and CloudTrail. Decoders are pure functions. They read the fields that they
// name and nothing else: what was in a request or an answer, where it came from and any query string stays behind.
package sources

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// Kinds returns every kind of system there is a decoder for, with the options that count by default, sorted by name.
func Kinds() []source.Kind {
	return []source.Kind{AccessLog(AccessLogOptions{}), CloudTrail(CloudTrailOptions{}), KubernetesAudit(AuditOptions{})}
}

// other stands for a name that can not be one.
const other = "other"

// elements hands on the elements of a JSON array one at a time, so that a long list of nothing takes no memory. A field of
// a type that was not expected stays zero. Anything but an array has no elements.
type elements[T any] struct {
	each  func(*T)
	found bool // there is an array
}

// UnmarshalJSON reads an array.
func (e *elements[T]) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if first, err := d.Token(); err != nil || first != json.Delim('[') {
		return nil
	}
	e.found = true
	for d.More() {
		var element T
		var wrongType *json.UnmarshalTypeError
		if err := d.Decode(&element); err != nil && !errors.As(err, &wrongType) {
			return err
		}
		e.each(&element)
	}
	return nil
}

// label returns the text if it can be the name of a resource, a namespace or a policy, "" for nothing, and other for
// anything else.
func label(text string) string {
	if len(text) > event.MaxText {
		return other
	}
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("-._:/", c) < 0 {
			return other
		}
	}
	return text
}

// hashed returns a digest of what names something.
func hashed(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return "~" + hex.EncodeToString(sum[:16])
}

// matches tells whether a text is of one of the patterns, in which * stands for any text.
func matches(text string, patterns []string) bool {
	for _, pattern := range patterns {
		if matchOne(text, pattern) {
			return true
		}
	}
	return false
}

func matchOne(text, pattern string) bool {
	head, rest, found := strings.Cut(pattern, "*")
	if !found {
		return text == pattern
	}
	text, ok := strings.CutPrefix(text, head)
	for ok {
		part, more, found := strings.Cut(rest, "*")
		if !found {
			return strings.HasSuffix(text, part)
		}
		_, text, ok = strings.Cut(text, part)
		rest = more
	}
	return false
}

// orDefault returns the patterns, or if there are none, those of the default.
func orDefault(patterns []string, by ...string) []string {
	if len(patterns) == 0 {
		return by
	}
	return patterns
}
