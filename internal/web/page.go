package web

import (
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

// pageTemplate is the status page. It has no script.
var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Plimsoll</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1b1f24; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #d6d9dd; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } .bad { color: #a3121f; font-weight: 600; }
@media (prefers-color-scheme: dark) { body { background: #14171a; color: #e6e8ea; } .bad { color: #ff8f8f; } th, td { border-color: #3a3f45; } a { color: #8ab8ff; } }
</style></head><body>
<h1>Plimsoll</h1>
{{range .Problems}}<p class="bad" role="alert">{{.}}</p>{{end}}
<p>{{.Summary}}</p>
{{if .Page.SLOs}}<table>
<caption>SLOs as of {{.AsOf}}</caption>
<thead><tr><th scope="col">SLO</th><th scope="col">Service</th><th scope="col">Objective</th><th scope="col">Window</th><th scope="col" class="n">Budget left</th><th scope="col">Alerts</th></tr></thead>
<tbody>{{range .Page.SLOs}}<tr><td><a href="plimsoll/v1/slos/{{.Name}}">{{.Title}}</a></td><td>{{.Service}}</td><td>{{.Objective}}</td><td>{{.Window}}</td><td class="n">{{.Left}}</td><td>{{.Alerts}}</td></tr>
{{end}}</tbody></table>{{end}}
{{if .Page.Next}}<p><a href="?page_token={{.Page.Next}}">next page</a></p>{{end}}
<p><a href="plimsoll/v1/status">status</a> · <a href="plimsoll/v1/slos">SLOs</a> · <a href="plimsoll/v1/alerts">alerts</a> · <a href="plimsoll/v1/openapi.yaml">OpenAPI</a> · <a href="metrics">metrics</a></p>
</body></html>
`))

// row is an SLO on the status page.
type row struct{ Name, Title, Service, Objective, Window, Left, Alerts string }

// page serves the status page.
func page(b Backend, o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := b.State()
		data := struct {
			Problems      []string
			Summary, AsOf string
			Page          struct {
				SLOs []row
				Next string
			}
		}{Summary: fmt.Sprintf("Plimsoll %s evaluates %d of %d SLOs every %v from %d series.", o.Version, len(s.Evaluated), len(s.Set.SLOs), s.Step, s.Series)}
		data.Problems = problems(s)
		data.AsOf = s.LastTick.UTC().Format("2006-01-02 15:04:05 MST")
		v, err := api{b}.slos(r)
		if err != nil {
			data.Problems = append(data.Problems, err.Error())
		} else {
			m := v.(map[string]any)
			data.Page.Next = m["nextPageToken"].(string)
			for _, x := range m["slos"].([]*sloState) {
				data.Page.SLOs = append(data.Page.SLOs, rowOf(x))
			}
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if err := pageTemplate.Execute(w, data); err != nil {
			b.Logger.Error("status page", "err", err)
		}
	})
}

// problems says what somebody should look at.
func problems(s State) []string {
	var out []string
	for _, p := range s.SpecProblems {
		out = append(out, "The specs on disk are wrong, the last good ones are in use: "+p)
	}
	if s.CatchingUp {
		out = append(out, "Missed ticks are being evaluated; alerts wait until that is done.")
	}
	if s.Store != nil {
		for _, p := range s.Store.Problems {
			out = append(out, "The store is in trouble: "+p)
		}
	}
	for _, a := range s.Alertmanagers {
		if a.Failing {
			out = append(out, fmt.Sprintf("Alertmanager %s cannot be reached, %d alerts wait: %s", a.URL, a.Waiting, a.LastError))
		}
	}
	for _, f := range s.FailingRules {
		out = append(out, "A rule fails: "+f)
	}
	if f := s.Backfill; f != nil {
		out = append(out, fmt.Sprintf("The past of %d new SLOs is being evaluated, now at %s.", len(f.SLOs), f.At.UTC().Format("2006-01-02 15:04 MST")))
	}
	return out
}

func rowOf(x *sloState) row {
	r := row{Name: x.Name, Title: x.Title, Service: x.Service, Objective: x.Objective, Window: x.Window, Left: "not known"}
	if n := len(x.Groups); n > 0 {
		worst := x.Groups[0].BudgetRemaining
		for _, g := range x.Groups {
			worst = min(worst, g.BudgetRemaining)
		}
		r.Left = fmt.Sprintf("%.1f%%", 100*float64(worst))
	}
	var alerts []string
	for _, a := range x.Alerts {
		alerts = append(alerts, a.Severity+" "+string(a.State))
	}
	r.Alerts = strings.Join(alerts, ", ")
	return r
}
