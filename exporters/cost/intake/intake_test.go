package intake_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/cost/intake"
	"github.com/plimsoll-slo/plimsoll/exporters/cost/parquet"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2024, 9, 30, 12, 0, 0, 0, time.UTC)

// sum adds up the points of a metric that have a value of an attribute.
func sum(s metric.Snapshot, name, attribute, value string) (total float64, points int) {
	for _, family := range s.Families {
		for _, p := range family.Points {
			if family.Name == name && p.Attrs.Text(attribute) == value {
				total += p.Value
				points++
			}
		}
	}
	return total, points
}

// openCost answers with a cost of 1.5 for each day it is asked for, and a tenth more as a restatement for each of times.
type openCost struct {
	*httptest.Server
	fail   string // a day that is not answered
	cost   string
	asked  []string
	tokens []string
}

func newOpenCost(t *testing.T) *openCost {
	o := &openCost{cost: "1.5"}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		from, to, _ := strings.Cut(req.FormValue("window"), ",")
		o.asked = append(o.asked, req.URL.Path+" "+from+" "+to+" "+req.FormValue("aggregate"))
		o.tokens = append(o.tokens, req.Header.Get("Authorization"))
		if o.fail != "" && strings.HasPrefix(from, o.fail) {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, `{"code":200,"data":[{"shop":{"properties":{"namespace":"shop"},"window":{"start":"`+from+`","end":"`+to+`"},"totalCost":`+o.cost+`}}]}`)
	}))
	t.Cleanup(o.Close)
	return o
}

// TestOpenCost: each day is asked for on its own and replaces itself; one that fails keeps what was known.
func TestOpenCost(t *testing.T) {
	server := newOpenCost(t)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cr3t-canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	options := intake.Options{Sources: []intake.Source{{
		Name: "cluster", Format: cost.OpenCostAllocation, Read: cost.ReadOptions{Currency: "USD"}, Every: time.Hour,
		API: &intake.API{BaseURL: server.URL + "/", TokenFile: token, Days: 3},
	}}}
	if err := options.Check(); err != nil {
		t.Fatal(err)
	}
	i, err := intake.Open(options, now)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	want := func(what string, at time.Time, wantSum float64, wantPoints int) {
		t.Helper()
		if got, points := sum(i.Read(at), "cost.accrued", cost.MetricName, "allocated"); got != wantSum || points != wantPoints {
			t.Errorf("%s: %v in %d series, want %v in %d", what, got, points, wantSum, wantPoints)
		}
	}
	server.fail = "2024-09-28"
	if err := i.Poll(t.Context(), now); err == nil || !strings.Contains(err.Error(), "2024-09-28") || strings.Contains(err.Error(), "canary") {
		t.Errorf("a day without an answer: %v", err)
	}
	want("a day is missing", now, 0, 0)
	if n, _ := sum(i.Read(now), "cost.files", intake.FileState, intake.Failed); n != 1 {
		t.Errorf("%v failed, want 1", n)
	}
	server.fail = ""
	if err := i.Poll(t.Context(), now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	want("three days", now, 4.5, 1)
	if got := server.asked[len(server.asked)-1]; got != "/allocation 2024-09-29T00:00:00Z 2024-09-30T00:00:00Z namespace" {
		t.Errorf("asked %q", got)
	}
	if got := server.tokens[0]; got != "Bearer s3cr3t-canary" {
		t.Errorf("token %q", got)
	}
	asked := len(server.asked)
	if err := i.Poll(t.Context(), now.Add(2*time.Minute)); err != nil || len(server.asked) != asked {
		t.Errorf("asked again before an hour was over: %v", err)
	}
	// A day later two days are restated, one is new, and one is too old to be asked for.
	server.cost = "2"
	if err := i.Poll(t.Context(), now.Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	want("restated", now, 1.5+3*2, 1)
	server.fail = "2024-09-30"
	if err := i.Poll(t.Context(), now.Add(26*time.Hour)); err == nil {
		t.Error("no error")
	}
	want("failed later", now, 7.5, 1)
}

// TestRedirect: a token does not follow a redirection.
func TestRedirect(t *testing.T) {
	other := newOpenCost(t)
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer server.Close()
	i, err := intake.Open(intake.Options{Sources: []intake.Source{{
		Name: "cluster", Format: cost.OpenCostAllocation, API: &intake.API{BaseURL: server.URL, Days: 1},
	}}}, now)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if err := i.Poll(t.Context(), now); err == nil || !strings.Contains(err.Error(), "status 302") || len(other.asked) > 0 {
		t.Errorf("%v, and asked %q", err, other.asked)
	}
}

// TestParquet: a Parquet file is told by its content, and read where the build can.
func TestParquet(t *testing.T) {
	const file = "../parquet/testdata/int32_decimal.parquet"
	options := intake.Options{Settle: -1, Sources: []intake.Source{{Name: "focus", Format: cost.FOCUS, Include: []string{file}}}}
	f := func(want string) {
		t.Helper()
		i, err := intake.Open(options, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := i.Poll(t.Context(), now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("this build does not read")
	opened := 0
	options.Parquet = func(in io.ReaderAt, size int64) (io.ReadCloser, error) {
		opened++
		return parquet.Open(in, size)
	}
	// It is a file of numbers and not a bill: that is said of its columns, so they were read.
	f("it has no column")
	if opened != 1 {
		t.Errorf("opened %d times, want once", opened)
	}
}

// TestTwoSources: a file that two sources match is read once.
func TestTwoSources(t *testing.T) {
	const file = "../testdata/azure/actual.ea.csv"
	i, err := intake.Open(intake.Options{Settle: -1, Sources: []intake.Source{
		{Name: "a", Format: cost.AzureActual, Include: []string{file, "../testdata/azure/actual.ea*"}},
		{Name: "b", Format: cost.AzureAmortized, Include: []string{file}},
	}}, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Poll(t.Context(), now); err == nil || !strings.Contains(err.Error(), `is of source "a" already`) {
		t.Errorf("%v", err)
	}
	if got := i.Missing(); len(got) != 1 || got[0] != "b" {
		t.Errorf("missing %q, want b", got)
	}
}
