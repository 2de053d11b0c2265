package sources_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

// fixture is a delivery or a record of testdata.
type fixture struct {
	name   string
	header http.Header
	body   []byte
	decode source.Decoder
}

func (f fixture) events(t testing.TB) []event.Event {
	t.Helper()
	events, err := f.decode(f.header, f.body, observed)
	if err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	return events
}

// record makes a decoder of one for records, which have no header.
func record(decode func([]byte, time.Time) ([]event.Event, error)) source.Decoder {
	return func(_ http.Header, body []byte, observed time.Time) ([]event.Event, error) {
		return decode(body, observed)
	}
}

// histories are the tables of REST records, by file name, with the decoder of one record.
var histories = map[string]func([]byte, time.Time) ([]event.Event, error){
	"gitlab/pipelines":           sources.GitLabPipeline,
	"gitlab/pipeline_details":    sources.GitLabPipeline,
	"gitlab/jobs":                sources.GitLabJob,
	"gitlab/bridges":             sources.GitLabJob,
	"gitlab/deployments":         sources.GitLabDeployment,
	"jenkins/builds":             sources.JenkinsBuild,
	"jenkins/builds_multibranch": sources.JenkinsBuild,
	"jenkins/stages":             sources.JenkinsStage,
	"circleci/jobs":              sources.CircleCIJob,
	"circleci/workflows":         sources.CircleCIWorkflow,
}

// deliveries returns the webhook bodies of one kind of system.
func deliveries(t testing.TB, kind source.Kind) []fixture {
	t.Helper()
	files, err := filepath.Glob("testdata/" + kind.Name + "/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no payloads of %s: %v", kind.Name, err)
	}
	var all []fixture
	for _, file := range files {
		body := exportertest.Read(t, file)
		all = append(all, fixture{strings.TrimPrefix(file, "testdata/"), headerOf(t, kind.Name, body), body, kind.Decode})
	}
	return all
}

// headerOf returns the header a delivery would come with.
func headerOf(t testing.TB, kind string, body []byte) http.Header {
	t.Helper()
	header := http.Header{"Content-Type": {"application/json"}}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return header
	}
	switch kind {
	case "github":
		header.Set("X-GitHub-Event", "push")
		for _, name := range []string{"workflow_run", "deployment", "deployment_status", "workflow_job"} {
			if fields[name] != nil {
				header.Set("X-GitHub-Event", name)
			}
		}
		if fields["alert"] != nil {
			header.Set("X-GitHub-Event", "secret_scanning_alert")
		}
	}
	return header
}

// records returns at most n records of each history.
func records(t testing.TB, n int) []fixture {
	t.Helper()
	var all []fixture
	for name, decode := range histories {
		rows, err := csv.NewReader(bytes.NewReader(exportertest.Read(t, "testdata/"+name+".csv"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		data := slices.Index(rows[0], "data")
		for _, row := range rows[1:min(n+1, len(rows))] {
			all = append(all, fixture{name, http.Header{}, []byte(row[data]), record(decode)})
		}
	}
	slices.SortStableFunc(all, func(a, b fixture) int { return strings.Compare(a.name, b.name) })
	return all
}

func TestGoldenDeliveries(t *testing.T) {
	for _, kind := range sources.Kinds() {
		if kind.Name == "github" {
			continue // TestDecodeGitHubPayloads
		}
		var lines []byte
		for _, f := range deliveries(t, kind) {
			lines = append(append(lines, "# "+f.name+"\n"...), exportertest.Lines(t, f.events(t))...)
		}
		golden.Check(t, *update, "testdata/"+kind.Name+".golden", lines)
	}
}

// collected is when the histories were all there.
var collected = time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)

func TestGoldenHistories(t *testing.T) {
	for name, decode := range histories {
		events, err := sources.History(exportertest.Read(t, "testdata/"+name+".csv"), collected, decode)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		golden.Check(t, *update, "testdata/"+strings.ReplaceAll(name, "/", "_")+".golden", exportertest.Lines(t, events))
	}
}
