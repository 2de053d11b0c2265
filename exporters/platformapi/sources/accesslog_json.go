package sources

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// text is a value of JSON that is a text or a number, as text.
type text string

// UnmarshalJSON reads a text or a number. It never fails: anything else is empty.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	switch {
	case len(b) > 0 && b[0] == '"' && json.Unmarshal(b, &s) == nil:
		*t = text(s)
	case len(b) > 0 && (b[0] == '-' || b[0] >= '0' && b[0] <= '9'):
		*t = text(b)
	default:
		*t = ""
	}
	return nil
}

// jsonLine has the fields that are read of an object, under the names by which nginx, Envoy, Istio and OpenTelemetry
// know them.
type jsonLine struct {
	Status         text `json:"status"`
	Response       text `json:"response"`
	ResponseCode   text `json:"response_code"`
	SemanticStatus text `json:"http.response.status_code"`

	TimeISO    text `json:"time_iso8601"`
	TimeLocal  text `json:"time_local"`
	Time       text `json:"time"`
	Timestamp  text `json:"timestamp"`
	AtStamp    text `json:"@timestamp"`
	Start      text `json:"start_time"`
	Seconds    text `json:"msec"`
	RequestMet text `json:"request_method"`
	Method     text `json:"method"`
	SemMethod  text `json:"http.request.method"`
	Request    text `json:"request"`
	RequestURI text `json:"request_uri"`
	URI        text `json:"uri"`
	Path       text `json:"path"`
	SemPath    text `json:"url.path"`

	RequestTime text `json:"request_time"` // seconds
	Duration    text `json:"duration"`     // Envoy: milliseconds
	DurationMS  text `json:"duration_ms"`
	SemDuration text `json:"http.server.request.duration"`

	HTTPAgent text `json:"http_user_agent"`
	UserAgent text `json:"user_agent"`
	Agent     text `json:"agent"`
	SemAgent  text `json:"user_agent.original"`

	Flags text `json:"response_flags"`
}

// jsonHit reads a line that is a JSON object. It needs a status.
func jsonHit(line []byte) (h hit, ok bool) {
	var l jsonLine
	if exact, err := source.Unmarshal(line, &l); err != nil || !exact {
		return hit{}, false
	}
	status, err := strconv.ParseUint(first(l.ResponseCode, l.Status, l.SemanticStatus, l.Response), 10, 16)
	if err != nil {
		return hit{}, false
	}
	h.status = int64(status)
	h.at = timeOf(first(l.TimeISO, l.Start, l.AtStamp, l.Timestamp, l.TimeLocal, l.Time, l.Seconds))
	h.method, h.path = first(l.RequestMet, l.Method, l.SemMethod), cutQuery(first(l.RequestURI, l.URI, l.Path, l.SemPath))
	if l.Request != "" && h.method == "" {
		h.method, h.path = requestLine(string(l.Request))
	}
	h.agent = first(l.HTTPAgent, l.UserAgent, l.Agent, l.SemAgent)
	h.flags = string(l.Flags)
	for _, d := range []struct {
		text text
		unit time.Duration
	}{{l.RequestTime, time.Second}, {l.SemDuration, time.Second}, {l.Duration, time.Millisecond}, {l.DurationMS, time.Millisecond}} {
		if n, err := strconv.ParseFloat(string(d.text), 64); err == nil && !h.timed {
			h.duration, h.timed = durationOf(n, d.unit)
		}
	}
	return h, true
}

// first returns the first text that says something; "-" is how servers write that there is nothing.
func first(texts ...text) string {
	for _, t := range texts {
		if t != "" && t != "-" {
			return string(t)
		}
	}
	return ""
}

// timeOf reads a time in one of the forms that servers write, or returns the zero time.
func timeOf(s string) time.Time {
	if seconds, err := strconv.ParseFloat(s, 64); err == nil {
		if !(seconds > 0 && seconds < 1e11) {
			return time.Time{}
		}
		return time.UnixMicro(int64(seconds * 1e6)).UTC()
	}
	var stamp source.Stamp
	if stamp.Parse(s); !stamp.IsZero() {
		return stamp.Time
	}
	at, err := time.Parse(logTime, strings.TrimSpace(s))
	if err != nil || at.Year() > 9999 {
		return time.Time{}
	}
	return at.UTC()
}
