package slo

import (
	"fmt"
	"net/url"
	"regexp"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/schema"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// DefaultDashboardUID is what the uids of the dashboards start with when nobody says so.
const DefaultDashboardUID = "plimsoll"

// Grafana is where people look at the dashboards of a data source.
type Grafana struct {
	URL        string `json:"url"`                  // base, absolute, without credentials
	UID        string `json:"uid"`                  // what the uids of the dashboards start with
	DataSource string `json:"dataSource,omitempty"` // name or uid of the data source there; empty: Grafana chooses
}

// DetailUID returns the uid of the dashboard that shows a single SLO, of those whose uids begin with start.
func DetailUID(start string) string { return start + "-slo" }

// DashboardURL returns where people look at x, which is kept in d: its link called dashboard, else its generated
// dashboard in Grafana, else nothing.
func (d *DataSource) DashboardURL(x *SLO) string {
	if own := x.Links["dashboard"]; own != "" || d.Grafana == nil {
		return own
	}
	u, err := url.Parse(d.Grafana.URL)
	if err != nil {
		return "" // not of a set that was compiled
	}
	u = u.JoinPath("d", DetailUID(d.Grafana.UID))
	q := u.Query()
	q.Set("var-service", x.Service)
	q.Set("var-slo", x.Name)
	if d.Grafana.DataSource != "" {
		q.Set("var-datasource", d.Grafana.DataSource)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// dashboardUID is what the uids of dashboards may start with: Grafana allows 40 characters, and names follow.
var dashboardUID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,30}$`)

// CheckDashboardUID says what is wrong with the start of the uids of the dashboards.
func CheckDashboardUID(start string) error {
	if !dashboardUID.MatchString(start) {
		return fmt.Errorf("want a uid of 1 to 30 letters, digits, - and _, have %q", start)
	}
	return nil
}

// uidStart is a checked start of uids.
type uidStart struct{ schema.Text }

// Read implements schema.Reader.
func (u *uidStart) Read(v yamlsrc.Value, r schema.Rule) diag.List {
	if l := u.Text.Read(v, r); l != nil {
		return l
	}
	if err := CheckDashboardUID(u.V); err != nil {
		return diag.List{v.Error(diag.BadName, err.Error(), "it is what plimsoll apply --uid says; leave it out for "+DefaultDashboardUID)}
	}
	return nil
}

// Describe implements schema.Reader.
func (*uidStart) Describe(schema.Rule) map[string]any {
	return map[string]any{"type": "string", "pattern": dashboardUID.String()}
}

// grafana returns what a spec says of Grafana, or nil.
func (s *grafanaSpec) grafana() *Grafana {
	if s == nil || s.URL.V == "" {
		return nil
	}
	return &Grafana{URL: s.URL.V, UID: or(s.UID.V, DefaultDashboardUID), DataSource: s.DataSource.V}
}
