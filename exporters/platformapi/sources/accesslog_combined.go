package sources

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// logTime is the form of times in the common and the combined form.
const logTime = "02/Jan/2006:15:04:05 -0700"

// combined reads a line of the common or the combined form: host, identity, user, time in brackets, request in quotes,
// status, bytes, and perhaps referer, agent and a duration. A line that is cut off after the status is read as far.
func (a access) combined(line string) (h hit, ok bool) {
	before, rest, found := strings.Cut(line, " [")
	stamp, rest, closed := strings.Cut(rest, "] \"")
	if !found || !closed || strings.Count(before, " ") < 2 {
		return hit{}, false
	}
	at, err := time.Parse(logTime, stamp)
	if err != nil || at.Year() > 9999 {
		return hit{}, false
	}
	request, rest, closed := quoted(rest)
	fields := strings.Fields(rest)
	if !closed || len(fields) == 0 || len(fields[0]) != 3 {
		return hit{}, false
	}
	status, err := strconv.ParseUint(fields[0], 10, 16)
	if err != nil {
		return hit{}, false
	}
	h.at, h.status = at.UTC(), int64(status)
	h.method, h.path = requestLine(request)
	a.trailer(&h, rest)
	return h, true
}

// trailer reads what comes after the status: bytes, referer, agent and duration.
func (a access) trailer(h *hit, rest string) {
	_, rest, found := strings.Cut(rest, `"`)
	if !found {
		return
	}
	_, rest, _ = quoted(rest) // the referer
	_, rest, found = strings.Cut(rest, `"`)
	if found {
		h.agent, rest, found = quoted(rest)
	}
	if !found {
		return
	}
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return
	}
	h.duration, h.timed = a.duration(strings.Trim(fields[0], `"`))
}

// duration reads the number at the end of a line.
func (a access) duration(text string) (time.Duration, bool) {
	unit := time.Second
	switch a.options.DurationUnit {
	case "none":
		return 0, false
	case "ms":
		unit = time.Millisecond
	case "us":
		unit = time.Microsecond
	case "":
		if !strings.Contains(text, ".") {
			return 0, false
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, false
	}
	return durationOf(n, unit)
}

// durationOf returns a number of units; ok is false if it is no duration that a request can have.
func durationOf(n float64, unit time.Duration) (time.Duration, bool) {
	if !(n >= 0) || n*unit.Seconds() > (24*time.Hour).Seconds() {
		return 0, false
	}
	return time.Duration(math.Round(n * float64(unit))), true
}

// quoted returns a text up to the quote that ends it, which has no backslash before it, and what follows.
func quoted(text string) (inside, rest string, ok bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[:i], text[i+1:], true
		}
	}
	return "", "", false
}

// requestLine returns method and path of "GET /path?query HTTP/1.1". Of anything else, such as "-" or the bytes of
// another protocol, it returns what can not be a method, and no path.
func requestLine(request string) (method, path string) {
	method, rest, found := strings.Cut(request, " ")
	target, protocol, complete := strings.Cut(rest, " ")
	if !found || complete && !strings.HasPrefix(protocol, "HTTP/") {
		return "", ""
	}
	return method, cutQuery(target)
}
