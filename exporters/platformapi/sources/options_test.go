package sources_test

import (
	"fmt"
	"testing"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi/sources"
)

// read returns the one event that a line of an access log becomes.
func read(t *testing.T, o sources.AccessLogOptions, line string) event.Event {
	t.Helper()
	events, err := sources.AccessLog(o).Decode(nil, []byte(line), observed)
	if err != nil || len(events) != 1 {
		t.Fatal(events, err)
	}
	return events[0]
}

func TestPatterns(t *testing.T) {
	f := func(pattern, path string, want bool) {
		t.Helper()
		line := fmt.Sprintf(`192.0.2.1 - - [04/May/2026:11:00:00 +0000] "GET %s HTTP/1.1" 200 5`, path)
		e := read(t, sources.AccessLogOptions{HealthPaths: []string{pattern}}, line)
		if got := e.Attrs.Text(event.RequestReason) == "health"; got != want {
			t.Errorf("%q of %q: got %v, want %v", path, pattern, got, want)
		}
	}
	f("/a", "/a", true)
	f("/a", "/a/b", false)
	f("/a/*", "/a/b/c", true)
	f("/a/*", "/a", false)
	f("*", "/anything", true)
	f("*a*b*", "/xaxbx", true)
	f("*a*b*", "/xbxax", false)
	f("/a*a", "/a", false)
	f("/a*a", "/aa", true)
	f("/a*b*b", "/axbb", true)
	f("/a*b*b", "/axb", false)
}

func TestRoutes(t *testing.T) {
	o := sources.AccessLogOptions{Routes: []string{"/", "/users/me", "/users/{id}", "/files/{path...}", "/a/{b}/c"}}
	f := func(path, want string) {
		t.Helper()
		line := fmt.Sprintf(`192.0.2.1 - - [04/May/2026:11:00:00 +0000] "GET %s HTTP/1.1" 200 5`, path)
		if got := read(t, o, line).Attrs.Text(event.Route); got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
	f("/", "/")
	f("/?x=/users/me", "/")
	f("/users/me", "/users/me")
	f("/users/17", "/users/{id}")
	f("/users/17;jsessionid=1", "/users/{id}")
	f("/users/", "")
	f("/users", "")
	f("/users/17/x", "")
	f("/files/a/b/c", "/files/{path...}")
	f("/files", "")
	f("/a/x/c", "/a/{b}/c")
	f("/a/x/d", "")
	f("https://example.com/users/1", "/users/{id}")
}

func TestDurationUnit(t *testing.T) {
	f := func(unit, text string, want float64) {
		t.Helper()
		line := fmt.Sprintf(`192.0.2.1 - - [04/May/2026:11:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-" %s`, text)
		got, ok := read(t, sources.AccessLogOptions{DurationUnit: unit}, line).Attrs.Number(event.RequestSeconds)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q as %q: got %v %v, want %v", text, unit, got, ok, want)
		}
	}
	f("", "0.5", 0.5)
	f("", "500000", -1) // nobody knows of what
	f("s", "2", 2)
	f("ms", "500", 0.5)
	f("us", "500000", 0.5)
	f("us", `"500000"`, 0.5)
	f("none", "0.5", -1)
	f("s", "-1", -1)
	f("s", "NaN", -1)
	f("s", "1e300", -1)
	f("s", "x", -1)
	for _, o := range []sources.AccessLogOptions{{DurationUnit: "h"}, {Routes: []string{"x"}}, {Routes: []string{"/a?b"}}} {
		if o.Check() == nil {
			t.Errorf("%v is taken", o)
		}
	}
}
