package alertmanager_test

import (
	htmltemplate "html/template"
	"io"
	"strings"
	"testing"
	"text/template"

	"github.com/plimsoll-slo/plimsoll/rules/alertmanager"
)

// notice has the shape of the data of Alertmanager's templates.
type notice struct {
	Status                          string
	CommonLabels, CommonAnnotations map[string]string
	Alerts                          []noticeAlert
}

type noticeAlert struct {
	Status, GeneratorURL string
	Labels, Annotations  map[string]string
}

// TestTemplates executes the templates as text and as HTML; make check has the real Alertmanager do it.
func TestTemplates(t *testing.T) {
	funcs := map[string]any{"toUpper": strings.ToUpper}
	text := template.Must(template.New("").Option("missingkey=zero").Funcs(funcs).Parse(string(alertmanager.Templates())))
	html := htmltemplate.Must(htmltemplate.New("").Option("missingkey=zero").Funcs(funcs).Parse(string(alertmanager.Templates())))
	render := func(run func(io.Writer, string, any) error, name string, data notice) string {
		t.Helper()
		var b strings.Builder
		if err := run(&b, name, data); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	full := noticeAlert{
		Status: "firing", GeneratorURL: "http://prometheus.example/graph?a=1&b=2", Labels: map[string]string{"slo": "shop", "service": "web<b>"},
		Annotations: map[string]string{
			"summary": "shop <script>burns</script>", "description": "Much.", "burn_rate": "14.4", "tier": "1h and 5m above 14.4", "budget_left": "63%",
			"time_to_exhaustion": "2h", "events": "3 bad of 10 in 1h", "runbook_url": "javascript:alert(1)", "dashboard_url": "https://grafana.example/d/x",
		},
	}
	bare := noticeAlert{Status: "resolved", Labels: map[string]string{"alertname": "SLONoData", "slo": "shop"}}
	one := notice{"firing", map[string]string{"severity": "page"}, full.Annotations, []noticeAlert{full}}
	two := notice{Status: "resolved", Alerts: []noticeAlert{bare, full}}

	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	f(render(text.ExecuteTemplate, "plimsoll.title", one), "[PAGE] shop <script>burns</script>")
	f(render(text.ExecuteTemplate, "plimsoll.title", two), "[RESOLVED] SLOs: 2 alerts")
	f(render(text.ExecuteTemplate, "plimsoll.text", two), `Resolved: SLONoData shop

shop <script>burns</script>
Much.
Burn rate: 14.4 (1h and 5m above 14.4)
Budget left: 63%
Spent in: 2h
Events: 3 bad of 10 in 1h
Service: web<b>
Runbook: javascript:alert(1)
Dashboard: https://grafana.example/d/x
Query: http://prometheus.example/graph?a=1&b=2`)
	f(render(html.ExecuteTemplate, "plimsoll.html", one), `<h3>shop &lt;script&gt;burns&lt;/script&gt;</h3>
<p>Much.</p>
<table>
<tr><td>Burn rate</td><td>14.4</td></tr>
<tr><td>Over</td><td>1h and 5m above 14.4</td></tr>
<tr><td>Budget left</td><td>63%</td></tr>
<tr><td>Spent in</td><td>2h</td></tr>
<tr><td>Events</td><td>3 bad of 10 in 1h</td></tr>
<tr><td>Service</td><td>web&lt;b&gt;</td></tr>
</table>
<p>
<a href="#ZgotmplZ">Runbook</a>
<a href="https://grafana.example/d/x">Dashboard</a>
<a href="http://prometheus.example/graph?a=1&amp;b=2">Query</a>
</p>
`)
}
