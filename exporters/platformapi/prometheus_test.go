package platformapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

var update = flag.Bool("update", false, "write golden files")

// recorded returns counters that have read the recorded audit events and the logs written by hand.
func recorded(t *testing.T) *counters.Counters {
	t.Helper()
	const dir = "sources/testdata/"
	c := counters.New(t0, platformapi.New(platformapi.Options{}))
	add := func(kind source.Kind, body []byte) {
		t.Helper()
		events, err := kind.Decode(http.Header{}, body, t0.AddDate(1, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Add(events...); err != nil {
			t.Fatal(err)
		}
	}
	audit := sources.KubernetesAudit(sources.AuditOptions{Service: "cluster-1"})
	f, err := os.Open(dir + "kubernetes_audit/webhook.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lists, err := io.ReadAll(unzip)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(lists) {
		var delivery struct{ Body json.RawMessage }
		if err := json.Unmarshal(line, &delivery); err != nil {
			t.Fatal(err)
		}
		add(audit, delivery.Body)
	}
	add(audit, exportertest.Read(t, dir+"kubernetes_audit/hand.log"))
	access := sources.AccessLog(sources.AccessLogOptions{Service: "portal", Routes: []string{"/users/{id}"}})
	add(access, exportertest.Read(t, dir+"access_log/combined.log"))
	add(sources.CloudTrail(sources.CloudTrailOptions{}), exportertest.Read(t, dir+"cloudtrail/hand.json"))
	return c
}

// TestCollector: this is what Prometheus sees of the recordings.
func TestCollector(t *testing.T) {
	s := read(t, recorded(t))
	collector := metric.Collector(func() metric.Snapshot { return s })
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "http_") {
			continue // long, and its counts are those of the requests
		}
		if _, err := expfmt.MetricFamilyToText(&b, family); err != nil {
			t.Fatal(err)
		}
	}
	golden.Check(t, *update, "testdata/recorded.prom", b.Bytes())
	if problems, err := testutil.CollectAndLint(collector); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
}
