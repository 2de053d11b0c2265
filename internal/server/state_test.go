package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestStateAPI: pages hold every SLO once, in order; the state is that of the rules; mistakes are answered as such.
func TestStateAPI(t *testing.T) {
	w := newWorld(t, Options{})
	w.close()
	text := service
	var names []string
	for i := range 7 {
		names = append(names, fmt.Sprintf("slo-%d", i))
		text += "---\n" + spec(names[i], "99.9%")
	}
	w.specs(text)
	w.open()
	w.live(start.Add(38 * time.Minute))
	var got []string
	for token, pages := "", 0; ; pages++ {
		var page struct {
			Total         int
			NextPageToken string
			SLOs          []struct {
				Name   string
				Alerts []struct{ Severity, State string }
				Groups []struct {
					BudgetRemaining float64
					Telemetry       string
				}
			}
		}
		w.get("/plimsoll/v1/slos?page_size=3&service=shop&page_token="+token, &page)
		for _, x := range page.SLOs {
			got = append(got, x.Name)
			if len(x.Groups) != 1 || x.Groups[0].Telemetry != "there" || x.Groups[0].BudgetRemaining >= 0 {
				t.Errorf("%s: got groups %+v, want one with telemetry and an overspent budget", x.Name, x.Groups)
			}
			if len(x.Alerts) == 0 || x.Alerts[0].State != "firing" {
				t.Errorf("%s: got alerts %+v, want one that fires", x.Name, x.Alerts)
			}
		}
		if page.Total != 7 || pages > 3 {
			t.Fatalf("page %d: got a total of %d, want 7 in three pages", pages, page.Total)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	if diff := cmp.Diff(names, got); diff != "" {
		t.Errorf("SLOs (-want +got):\n%s", diff)
	}
	w.checkOne()
	for path, want := range map[string]int{
		"slos?page_size=0": 400, "slos?page_size=x": 400, "slos/none": 404, "slos/none/history": 404, "slos/slo-1/history?step=1": 400,
		"slos/slo-1/history?from=yesterday": 400, "slos/slo-1/history?from=1&to=2000000000&step=1s": 400, "alerts?page_token=x": 400, "none": 404,
	} {
		res, err := http.Get(w.http.URL + "/plimsoll/v1/" + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: got status %d, want %d", path, res.StatusCode, want)
		}
	}
}

// checkOne compares the state of one SLO with what its rules recorded: from minute 30 on half of the requests failed.
func (w *world) checkOne() {
	w.t.Helper()
	var one struct {
		SLO struct {
			Groups []struct {
				Events, Bad float64
				BurnRates   []struct {
					Window string
					Rate   float64
				}
			}
		}
		Tiers []struct{ Severity, Long string }
	}
	w.get("/plimsoll/v1/slos/slo-1", &one)
	g := one.SLO.Groups[0]
	// Sums over the window of the budget come every four minutes and a minute late: the last, at minute 36, knows what
	// was scraped by 34:45. The first sample was scraped at 0:15.
	if bad, events := 5.0*(4*60+45), 10.0*(34*60+30); g.Bad != bad || g.Events != events {
		w.t.Errorf("got %v bad of %v events, want %v of %v", g.Bad, g.Events, bad, events)
	}
	i := slices.IndexFunc(g.BurnRates, func(b struct {
		Window string
		Rate   float64
	},
	) bool {
		return b.Window == "5m"
	})
	if i < 0 || g.BurnRates[i].Rate < 499 || g.BurnRates[i].Rate > 501 {
		w.t.Errorf("got burn rates %+v, want 500 over 5m", g.BurnRates)
	}
	if len(one.Tiers) != 5 || one.Tiers[0].Severity != "page" {
		w.t.Errorf("got tiers %+v", one.Tiers)
	}
	var history struct {
		Groups []struct{ BudgetRemaining [][2]float64 }
	}
	w.get("/plimsoll/v1/slos/slo-1/history?step=1m", &history)
	if len(history.Groups) != 1 || len(history.Groups[0].BudgetRemaining) < 30 {
		w.t.Fatalf("got history %+v", history)
	}
	line := history.Groups[0].BudgetRemaining
	if first, last := line[0][1], line[len(line)-1][1]; first != 1 || last >= first {
		w.t.Errorf("got %v left at first and %v at last", first, last)
	}
}

// TestOpenAPI: every path that is described is answered, and every field of an answer is described.
func TestOpenAPI(t *testing.T) {
	w := newWorld(t, Options{})
	w.live(start.Add(38 * time.Minute))
	res, err := http.Get(w.http.URL + "/plimsoll/v1/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	onDisk, err := os.ReadFile("../web/openapi.yaml")
	if err != nil || string(onDisk) != string(text) {
		t.Fatalf("the file that is served is not internal/web/openapi.yaml: %v", err)
	}
	paths := 0
	for line := range strings.Lines(string(text)) {
		path, ok := strings.CutPrefix(strings.TrimSuffix(line, ":\n"), "  /")
		if !ok {
			continue
		}
		paths++
		var answer any
		w.get("/plimsoll/v1/"+strings.ReplaceAll(path, "{name}", "shop-requests"), &answer)
		var walk func(v any)
		walk = func(v any) {
			switch x := v.(type) {
			case map[string]any:
				for k, below := range x {
					if k == "spec" || k == "labels" || k == "annotations" {
						continue
					}
					if !strings.Contains(string(text), " "+k+":") && !strings.Contains(string(text), "{"+k+":") {
						t.Errorf("%s: field %q is not described", path, k)
					}
					walk(below)
				}
			case []any:
				for _, below := range x {
					walk(below)
				}
			}
		}
		walk(answer)
		if again, err := json.Marshal(answer); err != nil || len(again) < 20 {
			t.Errorf("%s: got %s", path, again)
		}
	}
	if paths != 5 {
		t.Errorf("got %d paths, want 5", paths)
	}
}
