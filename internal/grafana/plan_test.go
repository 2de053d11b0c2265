package grafana_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/grafana"
	"github.com/plimsoll-slo/plimsoll/internal/output"
)

func TestLifeOfADashboard(t *testing.T) {
	f := newFake(t)
	c := f.client(t, grafana.Options{Token: "t"})
	f.noFolder = http.StatusNotFound // as older ones answer
	wantPlan(t, plan(t, c, boards("one", "a", "b"), grafana.PlanOptions{}), "create dashboards/a", "create dashboards/b", "create folders/slos")
	f.noFolder = http.StatusForbidden
	wantPlan(t, plan(t, c, boards("one", "a", "b"), grafana.PlanOptions{}), "create dashboards/a", "create dashboards/b", "create folders/slos")
	if got := f.changes(); len(got) > 0 {
		t.Errorf("a plan sent %q", got)
	}
	apply(t, c, boards("one", "b", "a"))
	want := []string{"POST /api/folders", "POST /api/dashboards/db", "POST /api/dashboards/db"}
	if got := f.changes(); !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
	if f.folders["slos"] != "SLOs" || f.boards["a"].folder != "slos" {
		t.Errorf("folders %v, a in %q", f.folders, f.boards["a"].folder)
	}

	apply(t, c, boards("one", "a", "b"))
	if got := f.changes(); len(got) > 0 {
		t.Errorf("the second apply sent %q", got)
	}
	p := plan(t, c, boards("two", "a"), grafana.PlanOptions{})
	wantPlan(t, p, "update dashboards/a", "remove dashboards/b no spec asks for it")
	if got, want := string(p.Changes[0].Diff()), "diff dashboards/a\n@ panels[id=1].title\n- \"one\"\n+ \"two\"\n"; got != want {
		t.Errorf("diff %q, want %q", got, want)
	}
	if err := p.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantPlan(t, plan(t, c, boards("two", "a"), grafana.PlanOptions{}), "unchanged dashboards/a")
	if got := f.header.Get("Authorization"); got != "Bearer t" {
		t.Errorf("Authorization %q", got)
	}
}

// edit changes a dashboard as somebody in Grafana does, who keeps what he does not see.
func (f *fake) edit(uid, title string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.boards[uid]
	b.body["panels"] = []any{map[string]any{"id": 1.0, "title": title}}
	b.version++
}

func TestDrift(t *testing.T) {
	f := newFake(t)
	c := f.client(t, grafana.Options{})
	apply(t, c, boards("one", "a", "b"))
	f.changes()
	f.edit("a", "mine")
	p := plan(t, c, boards("one", "a", "b"), grafana.PlanOptions{})
	edited := `conflict dashboards/a was edited in Grafana since plimsoll wrote it, last by "alice" at 2026-01-01T00:00:00Z`
	wantPlan(t, p, "unchanged dashboards/b", edited)
	var shown bytes.Buffer
	if err := p.WriteConflicts(&shown); err != nil {
		t.Fatal(err)
	}
	if want := "diff dashboards/a\n@ panels[id=1].title\n- \"mine\"\n+ \"one\"\n"; shown.String() != want {
		t.Errorf("shown %q, want %q", shown.String(), want)
	}
	var conflict *output.ConflictError
	if err := p.Apply(t.Context()); !errors.As(err, &conflict) || len(f.changes()) > 0 {
		t.Errorf("want a refusal before anything is sent, have %v", err)
	}

	f.boards["b"].folder = "elsewhere"
	p = plan(t, c, boards("one", "a", "b"), grafana.PlanOptions{})
	wantPlan(t, p, edited, `conflict dashboards/b was moved to folder "elsewhere" since plimsoll wrote it`)
	p = plan(t, c, boards("one", "a", "b"), grafana.PlanOptions{Force: true})
	wantPlan(t, p, "update dashboards/a", "update dashboards/b")
	if err := p.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantPlan(t, plan(t, c, boards("one", "a", "b"), grafana.PlanOptions{}), "unchanged dashboards/a", "unchanged dashboards/b")

	// An edit that makes what the specs now ask for is no trouble.
	f.edit("a", "two")
	wantPlan(t, plan(t, c, boards("two", "a"), grafana.PlanOptions{}), "update dashboards/a", "remove dashboards/b no spec asks for it")
}

// What others own is never changed, whatever it looks like.
func TestForeign(t *testing.T) {
	f := newFake(t)
	c := f.client(t, grafana.Options{})
	apply(t, c, boards("one", "a"))
	mine := func(uid, in string, tags ...any) {
		f.boards[uid] = &board{folder: in, version: 3, body: map[string]any{"uid": uid, "title": "mine", "tags": tags}}
	}
	mine("b", "slos")                       // our uid, no tag
	mine("c", "slos", "slo", grafana.Tag)   // our uid, imported by hand
	mine("d", "slos", "slo", grafana.Tag)   // nobody asks for it
	mine("else", "other", "x", grafana.Tag) // another folder
	copied := *f.boards["a"]                // Save as
	f.boards["copy"] = &copied              //
	f.boards["file"] = &board{folder: "slos", files: true, body: f.boards["a"].body}

	ds := boards("one", "a", "b", "c", "file")
	keep := []string{
		"unchanged dashboards/a",
		"keep dashboards/copy no spec asks for it, but it was edited since plimsoll wrote it, or is a copy",
		"keep dashboards/d no spec asks for it, but it was not written by apply",
	}
	b := "conflict dashboards/b exists and is not ours: it has no tag of plimsoll"
	file := "conflict dashboards/file was provisioned from files, which Grafana does not let be changed"
	wantPlan(t, plan(t, c, ds, grafana.PlanOptions{}), append(slices.Clone(keep),
		b, "conflict dashboards/c was imported from a generated file, not written by apply", file)...)
	wantPlan(t, plan(t, c, ds, grafana.PlanOptions{Force: true}), append(slices.Insert(slices.Clone(keep), 1, "update dashboards/c"), b, file)...)
	f.boards["file2"] = &board{folder: "slos", files: true, body: f.boards["a"].body}
	wantPlan(t, plan(t, c, boards("one", "a"), grafana.PlanOptions{}), "unchanged dashboards/a",
		"keep dashboards/c no spec asks for it, but it was not written by apply", keep[1], keep[2],
		"keep dashboards/file no spec asks for it, but it was provisioned from files",
		"keep dashboards/file2 no spec asks for it, but it was provisioned from files")
}

func TestPlanRefuses(t *testing.T) {
	f := newFake(t)
	c := f.client(t, grafana.Options{})
	refuse := func(want string, ds ...grafana.Dashboard) {
		t.Helper()
		if _, err := c.Plan(t.Context(), folder, ds, grafana.PlanOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
	refuse("no dashboards at all")
	refuse("a uid each", append(boards("x", "a"), boards("y", "a")...)...)
	refuse("read dashboard \"a\"", grafana.Dashboard{UID: "a", JSON: []byte("[]")})
	refuse("want the uid \"a\"", grafana.Dashboard{UID: "a", JSON: []byte(`{"uid": "b"}`)})
	refuse("want the tag", grafana.Dashboard{UID: "a", JSON: []byte(`{"uid": "a", "tags": ["slo"]}`)})
	// With force, all of ours go.
	apply(t, c, boards("x", "a"))
	wantPlan(t, plan(t, c, nil, grafana.PlanOptions{Force: true}), "remove dashboards/a no spec asks for it")
}

func TestNew(t *testing.T) {
	for base, want := range map[string]string{
		"grafana:3000":         "want the URL of a Grafana such as https://",
		"http://u:s3cret@g":    "without user and password",
		"http://g?token=s3ret": "without query",
	} {
		if _, err := grafana.New(base, grafana.Options{}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: want %q and no secret, have %v", base, want, err)
		}
	}
}

// waits collects the pauses between attempts.
type waits []time.Duration

func (w *waits) wait(_ context.Context, d time.Duration) error {
	*w = append(*w, d)
	return nil
}

// times answers the first n requests that match with a.
func times(n int, method, path string, a said) func(*http.Request) *said {
	return func(r *http.Request) *said {
		if n == 0 || r.Method != method || r.URL.Path != path {
			return nil
		}
		n--
		return &a
	}
}

// A change whose answer was lost is not made twice, and not taken for somebody else's.
func TestLostAnswers(t *testing.T) {
	f := newFake(t)
	var w waits
	c := f.client(t, grafana.Options{Wait: w.wait})
	lost := said{status: 502, body: "bad gateway"}
	f.after = times(1, http.MethodPost, "/api/folders", lost)
	apply(t, c, boards("one", "a"))
	f.after = times(1, http.MethodPost, "/api/dashboards/db", lost)
	apply(t, c, boards("two", "a"))
	f.after = times(1, http.MethodPost, "/api/dashboards/db", lost)
	apply(t, c, boards("two", "a", "b"))
	f.after = times(1, http.MethodDelete, "/api/dashboards/uid/b", lost)
	apply(t, c, boards("two", "a"))
	if len(w) != 4 {
		t.Errorf("want four pauses, have %v", w)
	}
	wantPlan(t, plan(t, c, boards("two", "a"), grafana.PlanOptions{}), "unchanged dashboards/a")
}

// A Grafana that breaks in the middle leaves whole dashboards; the error tells which, and the next plan carries on.
func TestHalfWay(t *testing.T) {
	f := newFake(t)
	c := f.client(t, grafana.Options{Attempts: 1})
	apply(t, c, boards("one", "z"))
	n := 0
	f.before = func(r *http.Request) *said {
		if r.Method == http.MethodPost {
			if n++; n == 2 {
				return &said{status: 500, body: `{"message":"database is locked"}`}
			}
		}
		return nil
	}
	err := plan(t, c, boards("one", "a", "b", "c"), grafana.PlanOptions{}).Apply(t.Context())
	want := `create dashboard "b", after 1 of 4 changes: POST ` + f.URL + `/api/dashboards/db: 500 Internal Server Error: {"message":"database is locked"}
done: create dashboard "a"
not done: create dashboard "b", create dashboard "c", delete dashboard "z"
plan and apply again to finish`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	f.before = nil
	wantPlan(t, plan(t, c, boards("one", "a", "b", "c"), grafana.PlanOptions{}),
		"unchanged dashboards/a", "create dashboards/b", "create dashboards/c", "remove dashboards/z no spec asks for it")
}

// What changes between plan and apply is not overwritten.
func TestRaces(t *testing.T) {
	f := newFake(t)
	c := f.client(t, grafana.Options{})
	apply(t, c, boards("one", "a", "b"))
	race := func(ds []grafana.Dashboard, meanwhile func()) {
		t.Helper()
		p := plan(t, c, ds, grafana.PlanOptions{})
		meanwhile()
		if err := p.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), "changed since the plan was made") {
			t.Errorf("want a refusal, have %v", err)
		}
	}
	race(boards("two", "a", "b"), func() { f.edit("a", "mine") })
	if got := f.boards["a"].body["panels"].([]any)[0].(map[string]any)["title"]; got != "mine" {
		t.Errorf("the edit was overwritten with %q", got)
	}
	race(boards("one", "b", "new"), func() { f.boards["new"] = &board{version: 9, body: map[string]any{}} })
	delete(f.boards, "new")
	f.edit("a", "one")
	race(boards("one", "b"), func() { f.edit("a", "mine") })
	if f.boards["a"] == nil {
		t.Error("an edited dashboard was deleted")
	}
	// One that is gone already is no trouble.
	f.edit("a", "one")
	p := plan(t, c, boards("one", "b"), grafana.PlanOptions{})
	delete(f.boards, "a")
	if err := p.Apply(t.Context()); err != nil {
		t.Error(err)
	}
}

// Errors tell what the server said, without secrets, and whether it is a Grafana at all.
func TestWords(t *testing.T) {
	f := newFake(t)
	c := f.client(t, grafana.Options{Token: "s3cret", Attempts: 1})
	words := func(a said, want string) {
		t.Helper()
		f.before = func(*http.Request) *said { return &a }
		_, err := c.Plan(t.Context(), folder, boards("x", "a"), grafana.PlanOptions{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%d %q: want %q and no secret, have %v", a.status, a.body, want, err)
		}
	}
	words(said{status: 401, body: `{"message":"Invalid API key s3cret"}`}, `look for folder "slos": GET `+f.URL+`/api/folders/slos: 401 Unauthorized: {"message":"Invalid API key ***"}`)
	words(said{status: 403, body: `{"message":"folders:read"}`}, "403 Forbidden")
	words(said{status: 404, body: "404 page not found"}, "is this the address of Grafana?")
	words(said{status: 200, body: "<html>log in</html>"}, "is this the address of Grafana?")
	words(said{status: 302, header: map[string]string{"Location": "http://127.0.0.1:1/login"}}, "302 Found")
}
