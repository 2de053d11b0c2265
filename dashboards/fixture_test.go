package dashboards

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
	"github.com/plimsoll-slo/plimsoll/slo"
)

const hour, day = slo.Duration(time.Hour), 24 * slo.Duration(time.Hour)

// workbook is the profile of the SRE Workbook, ch. 5, table 5-8.
func workbook() slo.AlertProfile {
	return slo.AlertProfile{
		Meta:          slo.Meta{Name: "default"},
		MaxErrorRatio: "0.5",
		Tiers: []slo.Tier{
			{Severity: slo.Page, Long: hour, Short: hour / 12, BudgetShare: "0.02"},
			{Severity: slo.Page, Long: 6 * hour, Short: hour / 2, BudgetShare: "0.05"},
			{Severity: slo.Ticket, Long: 3 * day, Short: 6 * hour, BudgetShare: "0.1"},
		},
	}
}

// testSLO returns an SLO over 30 days with both severities of the workbook.
func testSLO(name, service, team string, objective slo.Decimal) slo.SLO {
	return slo.SLO{
		Meta: slo.Meta{Name: name}, Service: service, Owner: slo.Owner{Team: team}, Objective: objective, DataSource: "main",
		Budgeting: slo.Budgeting{Method: slo.Occurrences}, NoData: slo.NoData{After: 10 * hour / 60, TreatAs: "unknown", Notify: slo.Ticket},
		Budget: objective.Complement(), Window: slo.Window{Rolling: 30 * day},
		Runbook:  "https://runbooks.example/" + service + "?slo=" + name,
		SLI:      slo.Indicator{SLI: &slo.Events{Good: "good_total", Total: "all_total"}},
		Alerting: slo.Alerting{Profile: "default", Page: true, Ticket: true},
	}
}

// testSet is six SLOs of three services and two teams: four as usual, one with
// groups and a calendar window, and one that only tickets, on its own profile.
func testSet() *slo.Set {
	calm := slo.AlertProfile{
		Meta: slo.Meta{Name: "calm"}, MaxErrorRatio: "0.5",
		Tiers: []slo.Tier{
			{Severity: slo.Page, Long: hour, Short: hour / 12, BudgetShare: "0.05"},
			{Severity: slo.Ticket, Long: day, Short: 2 * hour, BudgetShare: "0.1", MinBurn: "1.5"},
		},
	}
	grouped := testSLO("pay-by-region", "payments", "money", "0.99")
	grouped.Window = slo.Window{Calendar: slo.Month, Zone: "Europe/Berlin"}
	grouped.GroupBy = []string{"region"}
	quiet := testSLO("search-fresh", "search", "shop", "0.95")
	quiet.Window = slo.Window{Rolling: 7 * day}
	quiet.Alerting = slo.Alerting{Profile: "calm", Ticket: true}
	quiet.Runbook = ""
	quiet.DisplayName = "Search | fresh [index] for $5"
	careful := slo.BudgetPolicy{Meta: slo.Meta{Name: "careful"}, States: []slo.State{
		{Name: "slow", Below: "0.25", Action: "slow"}, {Name: "frozen", Below: "0", Action: "freeze"},
	}}
	set := &slo.Set{
		Version: slo.SetVersion,
		DataSources: []slo.DataSource{{
			Meta: slo.Meta{Name: "main"}, ScrapeInterval: hour / 120, EvaluationInterval: hour / 120,
			Series: []slo.ExternalSeries{{Name: "good_total", Labels: []string{"region"}}, {Name: "all_total", Labels: []string{"region"}}}, Telemetry: telemetry.Names(),
		}},
		Profiles: []slo.AlertProfile{calm, workbook()},
		Policies: []slo.BudgetPolicy{careful},
		Services: []slo.Service{
			{
				Meta: slo.Meta{Name: "checkout", DisplayName: "Checkout | $shop"}, Description: "Takes orders.", Owner: slo.Owner{Team: "shop"},
				Runbook: "https://runbooks.example/checkout", Links: map[string]string{"code": "https://code.example/checkout"},
				DependsOn: []string{"payments"},
			},
			{Meta: slo.Meta{Name: "payments"}},
		},
		Adjustments: []slo.Adjustment{{
			Meta: slo.Meta{Name: "sundays"}, Type: "maintenance", SLOs: []string{"pay-availability"},
			Start: time.Date(2026, 2, 1, 2, 0, 0, 0, time.UTC), Duration: hour, Recurrence: "FREQ=WEEKLY;BYDAY=SU", Zone: "UTC",
		}},
		SLOs: []slo.SLO{
			testSLO("checkout-availability", "checkout", "shop", "0.999"),
			testSLO("checkout-latency", "checkout", "shop", "0.99"),
			testSLO("pay-availability", "payments", "money", "0.9995"),
			grouped,
			testSLO("search-availability", "search", "shop", "0.995"),
			quiet,
		},
	}
	for i := range set.SLOs {
		set.SLOs[i].Policy = "careful"
	}
	return set
}

// without is the test set of people who have SLOs and no other telemetry.
func without() *slo.Set {
	set := testSet()
	set.DataSources[0].Telemetry = nil
	return set
}

// manySLOs is a set of n SLOs, of which one in ten is on another window.
func manySLOs(n int) *slo.Set {
	set := testSet()
	set.SLOs = nil
	for i := range n {
		s := testSLO(fmt.Sprintf("slo-%05d", i), fmt.Sprintf("service-%03d", i/5), fmt.Sprintf("team-%02d", i/50), "0.999")
		if i%10 == 9 {
			s.Window.Rolling = 28 * day
		}
		set.SLOs = append(set.SLOs, s)
	}
	return set
}

func generate(t testing.TB, set *slo.Set, o Options) []File {
	t.Helper()
	files, err := Generate(set, o)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// What the tests read of the generated JSON: Grafana's field names, not ours.
type (
	jsonDashboard struct {
		UID         string
		Title       string
		Description string
		Tags        []string
		Editable    *bool
		Time        struct{ From, To string }
		Refresh     string
		Panels      []jsonPanel
		Links       []jsonLink
		Templating  struct{ List []jsonVariable }
		Annotations struct{ List []jsonAnnotation }
		raw         []byte
	}
	jsonPanel struct {
		ID                       int
		Type, Title, Description string
		GridPos                  struct{ X, Y, W, H int }
		Datasource               struct{ Type string }
		Targets                  []jsonTarget
		FieldConfig              struct {
			Defaults struct {
				Unit, NoValue string
				Links         []jsonLink
				Thresholds    struct{ Steps []jsonStep }
				DisplayName   string
				Mappings      []struct {
					Type    string
					Options struct {
						Match  string
						Result struct{ Text, Color string }
					}
				}
			}
			Overrides []struct {
				Matcher    struct{ ID, Options string }
				Properties []struct {
					ID    string
					Value any
				}
			}
		}
		Transformations []struct {
			ID      string
			Options struct {
				ExcludeByName map[string]bool
				IndexByName   map[string]int
				RenameByName  map[string]string
			}
		}
		Options   struct{ Content string }
		Collapsed bool
		Panels    []jsonPanel
	}
	jsonTarget struct {
		Expr, LegendFormat, RefID, Format string
		Query                             string // TraceQL
		Instant, Range                    bool
	}
	jsonLink struct{ URL, Title string }
	jsonStep struct {
		Value *float64
		Color string
	}
	jsonVariable struct {
		Name, Type, Label, Description, AllValue string
		Definition                               string
		Multi, IncludeAll                        bool
	}
	jsonAnnotation struct {
		Name, Expr, TitleFormat, TextFormat string
		Enable                              bool
	}
)

// parse returns the dashboards among files by their kind: debug, executive, oncall, slo, and svc-NAME of services.
func parse(t testing.TB, files []File) map[string]jsonDashboard {
	t.Helper()
	out := map[string]jsonDashboard{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name, ".json") {
			continue
		}
		d := jsonDashboard{raw: f.Content}
		if err := json.Unmarshal(f.Content, &d); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		out[strings.TrimPrefix(d.UID, "plimsoll-")] = d
	}
	if len(out) < 5 {
		t.Fatalf("got %d dashboards, want four and one for each service", len(out))
	}
	return out
}

// all returns the panels of d, those in collapsed rows included, without the rows.
func (d jsonDashboard) all() []jsonPanel {
	var out []jsonPanel
	for _, p := range d.Panels {
		if p.Type != "row" {
			out = append(out, p)
		}
		out = append(out, p.Panels...)
	}
	return out
}

// prometheus returns the panels of d that ask a Prometheus.
func (d jsonDashboard) prometheus() []jsonPanel {
	return slices.DeleteFunc(d.all(), func(p jsonPanel) bool { return p.Datasource.Type != "" && p.Datasource.Type != "prometheus" })
}

// choose puts values in the place of variables, as Grafana does before it
// queries. Names are longest first, since $__interval is not $__interval_ms.
func choose(expr string, values map[string]string) string {
	names := []string{}
	for n := range values {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	for _, n := range names {
		expr = strings.ReplaceAll(strings.ReplaceAll(expr, "${"+n+"}", values[n]), "$"+n, values[n])
	}
	return expr
}

// everything is the choice of all teams, services and SLOs.
func everything() map[string]string {
	return map[string]string{
		"team": ".*", "service": ".*", "slo": ".*", "cluster": ".*", "__interval": "1m", "__rate_interval": "4m", "__range": "2h",
	}
}
