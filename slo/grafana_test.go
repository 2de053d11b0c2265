package slo

import (
	"strings"
	"testing"
)

func TestDashboardURL(t *testing.T) {
	f := func(grafana, links, want string) {
		t.Helper()
		spec := source + grafana + "---\n" + minimalIn("main", links)
		set, l := Compile([]File{{Name: "a.yaml", Text: []byte(spec)}})
		if l.Failed() {
			t.Fatalf("%s: %v", spec, l)
		}
		d, _ := set.DataSource("main")
		x, _ := set.SLO("api")
		if got := d.DashboardURL(x); got != want {
			t.Errorf("%s%s: got %q, want %q", grafana, links, got, want)
		}
	}
	f("", "", "")
	f("", "{dashboard: https://here.example/d/1}", "https://here.example/d/1")
	f("  grafana: {url: https://g.example}\n", "", "https://g.example/d/plimsoll-slo?var-service=shop&var-slo=api")
	f("  grafana: {url: https://g.example/}\n", "{dashboard: https://here.example/d/1}", "https://here.example/d/1")
	f("  grafana: {url: https://g.example/in/a/path/, uid: shop, dataSource: Main store}\n", "",
		"https://g.example/in/a/path/d/shop-slo?var-datasource=Main+store&var-service=shop&var-slo=api")
	f("  grafana: {url: \"https://g.example/?orgId=3\"}\n", "", "https://g.example/d/plimsoll-slo?orgId=3&var-service=shop&var-slo=api")
}

// minimalIn is a smallest SLO in a data source.
func minimalIn(dataSource, links string) string {
	text := `apiVersion: plimsoll.dev/v1
kind: SLO
metadata: {name: api}
spec:
  service: shop
  dataSource: ` + dataSource + `
  objective: {target: "99%"}
  sli: {events: {bad: "bad_total", total: "all_total"}}
`
	if links != "" {
		text += "  links: " + links + "\n"
	}
	return text
}

func TestGrafanaRefused(t *testing.T) {
	f := func(grafana, want string) {
		t.Helper()
		_, l := Compile([]File{{Name: "a.yaml", Text: []byte(source + "  grafana: " + grafana + "\n")}})
		if len(l) != 1 || !strings.Contains(l[0].String(), want) {
			t.Errorf("%s: got %v, want %s", grafana, l, want)
		}
	}
	f("{uid: shop}", "[missing-field]")
	f("{url: grafana.example}", "a.yaml:6:18: error: want an absolute http or https URL [bad-url]")
	f("{url: https://me:pw@grafana.example}", "the URL carries credentials [bad-url]")
	f("{url: https://grafana.example, uid: a b}", "want a uid of 1 to 30 letters, digits, - and _, have \"a b\" [bad-name]")
}
