package pipelines_test

import (
	"flag"
	"net/http"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

var update = flag.Bool("update", false, "rewrite golden files")

// observed is when the tests receive everything: after the last event of the fixtures.
var observed = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)

func delivery(kind string) http.Header {
	return http.Header{"X-Github-Event": {kind}, "Content-Type": {"application/json"}}
}

func decodeOne(t testing.TB, header http.Header, body []byte) event.Event {
	t.Helper()
	events, err := sources.GitHub(header, body, observed)
	if err != nil || len(events) != 1 {
		t.Fatalf("GitHub = %v, %v, want one event", events, err)
	}
	return events[0]
}
