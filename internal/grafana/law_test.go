package grafana_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/internal/grafana"
	"github.com/plimsoll-slo/plimsoll/internal/output"
)

// Whatever people do in Grafana between applies: what others own never changes, an apply that is refused changes
// nothing, and after one that succeeds the next plan has nothing to do.
func TestLaw(t *testing.T) {
	f := newFake(t)
	c := f.client(t, grafana.Options{})
	rapid.Check(t, func(rt *rapid.T) {
		f.folders, f.boards = map[string]string{}, map[string]*board{}
		uid := rapid.SampledFrom([]string{"a", "b", "c"})
		text := rapid.SampledFrom([]string{"one", "two"})
		foreign := map[string]string{} // content by uid
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			switch u := uid.Draw(rt, "uid"); rapid.SampledFrom([]string{"apply", "edit", "foreign", "copy"}).Draw(rt, "step") {
			case "edit":
				if f.boards[u] != nil && foreign[u] == "" {
					f.edit(u, text.Draw(rt, "edit"))
				}
			case "foreign":
				f.boards[u] = &board{folder: "slos", version: 1, body: map[string]any{"title": text.Draw(rt, "foreign")}}
				foreign[u] = content(rt, f, u)
			case "copy":
				if f.boards[u] != nil && foreign[u] == "" {
					copied := *f.boards[u]
					copied.body = maps.Clone(copied.body)
					copied.body["uid"] = "copy of " + u
					f.boards["copy of "+u] = &copied
					foreign["copy of "+u] = content(rt, f, "copy of "+u)
				}
			default:
				uids := slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(uid, 1, 3).Draw(rt, "uids"))))
				applyLaw(t, rt, c, f, boards(text.Draw(rt, "title"), uids...), rapid.Bool().Draw(rt, "force"))
			}
			for u, want := range foreign {
				if got := content(rt, f, u); got != want {
					rt.Fatalf("%s of somebody else became %s, was %s", u, got, want)
				}
			}
		}
	})
}

// content returns everything about a dashboard.
func content(rt *rapid.T, f *fake, uid string) string {
	b := f.boards[uid]
	if b == nil {
		return "nothing"
	}
	raw, err := json.Marshal([]any{b.body, b.version, b.folder})
	if err != nil {
		rt.Fatal(err)
	}
	return string(raw)
}

func applyLaw(t *testing.T, rt *rapid.T, c *grafana.Client, f *fake, ds []grafana.Dashboard, force bool) {
	p, err := c.Plan(t.Context(), folder, ds, grafana.PlanOptions{Force: force})
	if err != nil {
		rt.Fatal(err)
	}
	f.changes()
	var conflict *output.ConflictError
	err = p.Apply(t.Context())
	sent := f.changes()
	switch {
	case errors.As(err, &conflict):
		if len(sent) > 0 {
			rt.Fatalf("refused, but sent %q", sent)
		}
		return
	case err != nil:
		rt.Fatal(err)
	}
	again, err := c.Plan(t.Context(), folder, ds, grafana.PlanOptions{})
	if err != nil {
		rt.Fatal(err)
	}
	if again.Changed() || len(again.Conflicts) > 0 {
		rt.Fatalf("after an apply: %s", again.Summary())
	}
}
