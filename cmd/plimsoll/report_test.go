package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/report"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// reportDay is the day whose recorded series reportData holds.
var reportDay = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// reportData writes what the rules of the quickstart would have recorded in a day: 600 events a minute, of which half
// failed from 10:00 to 10:20 with a page that lasted ten minutes more.
func reportData(t *testing.T, dir string) {
	t.Helper()
	s, err := store.Open(filepath.Join(dir, "tsdb"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const name = "checkout-availability"
	page := store.Labels{store.Name: "ALERTS", slo.LabelSLO: name, "alertname": slo.AlertBudgetBurn, "alertstate": "firing", slo.LabelSeverity: slo.Page}
	b := s.Batch()
	add := func(l store.Labels, at time.Time, v float64) {
		series, err := s.Series(l)
		if err == nil {
			err = b.Add(series, at, v)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	since := func(at time.Time) time.Duration { return at.Sub(reportDay) }
	for at := reportDay; since(at) <= 24*time.Hour+10*time.Minute; at = at.Add(30 * time.Second) {
		add(store.Labels{store.Name: slo.SeriesTelemetry, slo.LabelSLO: name}, at, slo.TelemetryThere)
		if d := since(at); d >= 10*time.Hour+2*time.Minute && d < 10*time.Hour+30*time.Minute {
			add(page, at, 1)
		}
		if since(at)%(4*time.Minute) != 0 {
			continue
		}
		bad := 0.0
		// A rollup tells of the four minutes that ended a minute before it.
		if d := since(at); d > 10*time.Hour && d <= 10*time.Hour+20*time.Minute {
			bad = 1200
		}
		add(store.Labels{store.Name: slo.SeriesEventsRollup, slo.LabelSLO: name}, at, 2400)
		add(store.Labels{store.Name: slo.SeriesBadRollup, slo.LabelSLO: name}, at, bad)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// reporting runs the command at a time.
func reporting(t *testing.T, now time.Time, f reportFlags, args ...string) (string, error) {
	t.Helper()
	var out, errs strings.Builder
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
	f.now = func() time.Time { return now }
	err := a.report(t.Context(), args, f)
	return out.String(), err
}

// TestReport asks plimsoll serve by its query API.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	reportData(t, dir)
	now := reportDay.Add(26 * time.Hour)
	const token = "0123456789abcdef0"
	f := serveFlags{tokens: put(t, "tokens", []byte("report:"+token+"\n"))}
	f.server.Data, f.server.Now = dir, func() time.Time { return now }
	url := "http://" + serving(t, f)
	secret := put(t, "token", []byte(token+"\n"))
	const specs = "../../examples/quickstart"

	out, err := reporting(t, now, reportFlags{url: url, access: accessFlags{tokenFile: secret}, period: "2026-01-05/2026-01-06", format: "json"}, specs)
	if err != nil {
		t.Fatal(err)
	}
	var r report.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	x := r.SLOs[0]
	// 360 rollups of 2400 events; a tenth of a percent of them may be bad, and five rollups have 1200 bad ones.
	if x.Events != 864_000 || x.Bad != 6000 || x.Allowed != 864 || x.Verdict != report.Missed || !r.Over || x.Telemetry != 1 {
		t.Errorf("have %+v", x)
	}
	if len(r.Incidents) != 1 || !r.Incidents[0].Paged || r.Incidents[0].Bad != 6000 || r.Incidents[0].Share != 1 || x.Elsewhere != 0 {
		t.Errorf("incidents %+v", r.Incidents)
	}
	file := filepath.Join(t.TempDir(), "report.html")
	if out, err = reporting(t, now, reportFlags{url: url, access: accessFlags{tokenFile: secret}, period: "2026-01-05/2026-01-06", file: file}, specs); err != nil || out != "" {
		t.Errorf("%v, and %q on standard output", err, out)
	}
	if b, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(b), "<!doctype html>") || !strings.Contains(string(b), r.Digest) {
		t.Errorf("the page does not show the digest of the JSON form: %v", err)
	}
	out, err = reporting(t, reportDay.Add(12*time.Hour+16*time.Minute), reportFlags{url: url, access: accessFlags{tokenFile: secret}, period: "week", current: true}, specs)
	if err != nil || !strings.Contains(out, "The period is not over: these are the numbers until 2026-01-05 12:00, 7% of it.") {
		t.Errorf("%v, %.300s", err, out)
	}
	if _, err = reporting(t, now, reportFlags{url: url, period: "2026-01"}, specs); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("without a token: %v", err)
	}
}

// TestReportRefusals: what is wrong is said, without secrets.
func TestReportRefusals(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "who is "+r.Header.Get("Authorization")+"?", http.StatusForbidden)
	}))
	defer s.Close()
	secret := put(t, "token", []byte("s3cret-s3cret\n"))
	now := reportDay.Add(26 * time.Hour)
	try := func(want string, f reportFlags, args ...string) {
		t.Helper()
		_, err := reporting(t, now, f, append(args, "../../examples/platform-team")...)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%+v: want an error with %q, have %v", f.period, want, err)
		}
	}
	try("403 Forbidden: who is Bearer ***?", reportFlags{url: s.URL, access: accessFlags{tokenFile: secret}})
	try(`want --format md, html or json, have "pdf"`, reportFlags{url: s.URL, format: "pdf"})
	try(`want a period such as month`, reportFlags{url: s.URL, period: "2026-13"})
	try(`load time zone "Mars/Olympus"`, reportFlags{url: s.URL, zone: "Mars/Olympus"})
	try(`there is no Report "platform-month"; did you mean "platform-monthly"?`, reportFlags{url: s.URL, name: "platform-month"})
	try("nothing is known yet", reportFlags{url: s.URL, period: "2027"})
	try("without user and password", reportFlags{url: "http://user:s3cret@127.0.0.1:1"})
}
