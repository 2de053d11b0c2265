package sources_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

var update = flag.Bool("update", false, "write golden files")

// observed is after everything that was recorded.
var observed = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// fixture is a delivery or a piece of a file.
type fixture struct {
	name   string
	body   []byte
	decode source.Decoder
}

func (f fixture) events(t testing.TB) []event.Event {
	t.Helper()
	events, err := f.decode(http.Header{}, f.body, observed)
	if err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	return events
}

var (
	auditOptions = sources.AuditOptions{
		Service: "cluster-1", EmergencyGroups: []string{"break-glass"}, SyntheticAgents: []string{"prober/*"},
	}
	accessOptions = sources.AccessLogOptions{
		Service: "portal", Routes: []string{"/users", "/users/{id}", "/static/{path...}", "/presentations/{path...}", "/shop.Cart/{method}"},
	}
)

// unzipped returns the content of a file that is compressed.
func unzipped(t testing.TB, file string) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(exportertest.Read(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// webhookLists returns the bodies that the API server's webhook posted.
func webhookLists(t testing.TB) (bodies [][]byte) {
	t.Helper()
	for line := range bytes.Lines(unzipped(t, "testdata/kubernetes_audit/webhook.jsonl.gz")) {
		var delivery struct{ Body json.RawMessage }
		if err := json.Unmarshal(line, &delivery); err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, delivery.Body)
	}
	return bodies
}

func fixtures(t testing.TB) []fixture {
	t.Helper()
	audit, access := sources.KubernetesAudit(auditOptions).Decode, sources.AccessLog(accessOptions).Decode
	trail := sources.CloudTrail(sources.CloudTrailOptions{}).Decode
	all := []fixture{
		{"kubernetes_audit/apiserver.log", unzipped(t, "testdata/kubernetes_audit/apiserver.log.gz"), audit},
		{"kubernetes_audit/audit2rbac.log", exportertest.Read(t, "testdata/kubernetes_audit/audit2rbac.log"), audit},
		{"kubernetes_audit/hand.log", exportertest.Read(t, "testdata/kubernetes_audit/hand.log"), audit},
		{"access_log/apache.log", unzipped(t, "testdata/access_log/apache.log.gz"), access},
		{"access_log/combined.log", exportertest.Read(t, "testdata/access_log/combined.log"), access},
		{"access_log/nginx.jsonl", exportertest.Read(t, "testdata/access_log/nginx.jsonl"), access},
		{"access_log/envoy.jsonl", exportertest.Read(t, "testdata/access_log/envoy.jsonl"), access},
		{"cloudtrail/secretsmanager.json", unzipped(t, "testdata/cloudtrail/secretsmanager.json.gz"), trail},
		{"cloudtrail/hand.json", exportertest.Read(t, "testdata/cloudtrail/hand.json"), trail},
	}
	for i, body := range webhookLists(t) {
		all = append(all, fixture{fmt.Sprint("kubernetes_audit/webhook_", i), body, audit})
	}
	return all
}

// TestGolden: every recording and every line written by hand becomes these events.
func TestGolden(t *testing.T) {
	for _, f := range fixtures(t) {
		golden.Check(t, *update, "testdata/"+f.name+".golden", exportertest.Lines(t, f.events(t)))
	}
}

// kind returns the name of the kind that a fixture is of.
func (f fixture) kind() string {
	kind, _, _ := strings.Cut(f.name, "/")
	return kind
}
