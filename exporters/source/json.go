package source

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// Unmarshal reads JSON leniently: a field of a type that was not expected stays zero and is reported as exact = false.
// The error for anything else says nothing about the content.
func Unmarshal(body []byte, v any) (exact bool, err error) {
	err = json.Unmarshal(body, v)
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &wrongType):
		return false, nil
	default:
		return false, errors.New("not valid JSON")
	}
}

// Stamp is a time as providers write it. Whatever can not be read is the zero time.
type Stamp struct{ time.Time }

// UnmarshalJSON reads a text as Parse does. It never fails.
func (s *Stamp) UnmarshalJSON(b []byte) error {
	text, err := strconv.Unquote(string(b))
	if err != nil {
		text = ""
	}
	s.Parse(text)
	return nil
}

// Parse reads RFC 3339 and GitLab's "2006-01-02 15:04:05 UTC" and "2006-01-02 15:04:05 +0200".
func (s *Stamp) Parse(text string) {
	s.Time = time.Time{}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05 UTC", "2006-01-02 15:04:05 -0700"} {
		t, err := time.Parse(layout, text)
		if t = t.UTC(); err == nil && t.Year() <= 9999 { // the end of year 9999 in the west is not
			s.Time = t
			return
		}
	}
}

// Inexact returns the word of event.Unmapped for a body with a field of an unexpected type.
func Inexact(exact bool) string {
	if exact {
		return ""
	}
	return "type"
}
