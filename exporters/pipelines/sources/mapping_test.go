package sources_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// runMapping maps all fields of a run.
func runMapping() sources.Mapping {
	return sources.Mapping{
		Source: "hammer", Fact: "run",
		Match: map[string]string{"/kind": "build"},
		Fields: map[string]string{
			"id": "/build/id", "status": "/build/status", "pipeline": "/build/pipeline~1name", "repository": "/repo", "time": "/build/times/1",
			"start": "/build/times/0", "duration": "/build/took", "attempt": "/build/try", "trigger": "=push", "ref": "/build/ref",
			"default_branch": "=main", "revision": "/build/sha",
		},
		Statuses: map[string]string{"Passed": "success", "timed out": "timeout", "broken": "error", "blocked": "waiting", "running": "executing", "true": "skip", "draft": "ignore"},
		Times:    []string{"unix_ms", "2006-01-02 15:04:05.000"},
		Unit:     "ms",
	}
}

const runBody = `{"kind":"build","repo":"acme/pay","secret":"do-not-show","build":{"id":9007199254740993,"status":" PASSED ","pipeline/name":"CI",
	"times":[1696406911000,"2023-10-04 08:21:31.500"],"took":390500,"try":2,"ref":"refs/heads/main","sha":"2f1d6f0c1f5b7d3c9d0a4ce0b7f2a6f1c3e5d7b9"}}`

func decoderOf(t testing.TB, m sources.Mapping) source.Decoder {
	t.Helper()
	d, err := m.Decoder()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mappedEvent(t testing.TB, m sources.Mapping, body string, values map[string]any) event.Event {
	t.Helper()
	changed, err := exportertest.Replace([]byte(body), values)
	if err != nil {
		t.Fatal(err)
	}
	events := check(t, "as it is", fixture{"mapping", nil, changed, decoderOf(t, m)}, changed)
	if len(events) != 1 {
		t.Fatalf("%v, want one event", events)
	}
	return events[0]
}

func TestMappingRun(t *testing.T) {
	got := string(exportertest.Lines(t, []event.Event{mappedEvent(t, runMapping(), runBody, nil)}))
	want := `{"name":"cicd.pipeline.run.finished","source":"hammer","subject":"js/hammer/run/9007199254740993","key":"js/hammer/run/9007199254740993/2/finished",` +
		`"time":"2023-10-04T08:21:31.5Z","observed":"2024-01-02T03:04:05Z","attributes":{"cicd.pipeline.name":"CI","cicd.pipeline.result":"success",` +
		`"cicd.pipeline.run.id":"9007199254740993","cicd.pipeline.trigger":"push","platform.run.attempt":2,"platform.run.duration":390.5,"vcs.owner.name":"acme",` +
		`"vcs.ref.head.revision":"2f1d6f0c1f5b7d3c9d0a4ce0b7f2a6f1c3e5d7b9","vcs.ref.kind":"default","vcs.repository.name":"pay"}}` + "\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMappingStatuses(t *testing.T) {
	f := func(status any, name, result, unmapped string, waiting bool) {
		t.Helper()
		e := mappedEvent(t, runMapping(), runBody, map[string]any{"build.status": status})
		got := []any{e.Name, e.Attrs.Text(event.Result), e.Attrs.Text(event.Unmapped), e.Attrs.True(event.Waiting)}
		if diff := cmp.Diff([]any{name, result, unmapped, waiting}, got); diff != "" {
			t.Errorf("%v: %s", status, diff)
		}
	}
	f("passed", event.RunFinished, "success", "", false)
	f("Timed Out", event.RunFinished, "timeout", "", false)
	f(true, event.RunFinished, "skip", "", false)
	f("blocked", event.RunQueued, "", "", true)
	f("running", event.RunStarted, "", "", false)
	f("draft", event.Unused, "", "", false)
	f("dream", event.RunQueued, "", "status", false)
	f(nil, event.RunQueued, "", "status", false)
	f([]any{"passed"}, event.RunQueued, "", "type", false)
}

func TestMappingFields(t *testing.T) {
	f := func(values map[string]any, name string, want any) {
		t.Helper()
		e := mappedEvent(t, runMapping(), runBody, values)
		var got any = e.Attrs.Text(name)
		if _, number := want.(float64); number {
			got, _ = e.Attrs.Number(name)
		}
		if got != want {
			t.Errorf("%v: %s = %v, want %v", values, name, got, want)
		}
	}
	f(map[string]any{"build.took": nil}, event.RunDuration, 780.5) // from start and time
	f(map[string]any{"build.took": "x"}, event.Unmapped, "type")
	f(map[string]any{"build.took": -1}, event.Unmapped, "type")
	f(map[string]any{"build.times": []any{}}, event.Unmapped, "clock")
	f(map[string]any{"build.times": []any{0, "yesterday"}}, event.Unmapped, "clock")
	f(map[string]any{"build.try": 0}, event.Unmapped, "type")
	f(map[string]any{"build.try": 99999999999}, event.Unmapped, "type")
	f(map[string]any{"build.ref": "refs/tags/v1"}, event.RefKind, "tag")
	f(map[string]any{"build.ref": "release/1"}, event.RefKind, "release")
	f(map[string]any{"build.ref": map[string]any{}}, event.Unmapped, "type")
	f(map[string]any{"kind": "deploy"}, event.Result, "")
	f(map[string]any{"repo": " a\n/b/c "}, event.RepositoryOwner, "a /b")
}

func TestMappingOtherFacts(t *testing.T) {
	task := sources.Mapping{
		Source: "hammer", Fact: "task", Times: []string{"unix"}, Statuses: map[string]string{"bad": "failure"},
		Fields: map[string]string{"id": "/0/id", "name": "/0/name", "status": "/0/status", "run_id": "=7", "time": "/0/end", "start": "/0/start", "queued": "/0/queued", "error": "/0/why", "pool": "=linux"},
	}
	events, err := decoderOf(t, task)(nil, []byte(`[{"id":"x/y","name":"test","status":"BAD","end":1696407691.25,"start":1696407600,"queued":2.5,"why":"oom_killed"}]`), observed)
	if err != nil || len(events) != 1 {
		t.Fatal(events, err)
	}
	got := append(pick(events[0], event.TaskName, event.TaskResult, event.RunID, event.ErrorType, event.RunnerPool, event.QueueDuration, event.RunDuration), events[0].Key)
	want := []any{"test", "failure", "7", "oom_killed", "linux", 2.5, 91.25, "js/hammer/task/x%2Fy/2023-10-04T08:21:31Z/finished"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	deployment := sources.Mapping{
		Source: "hammer", Fact: "deployment", Statuses: map[string]string{"done": "success", "gone": "cancellation", "bad": "timeout"},
		Fields: map[string]string{"id": "/id", "status": "/status", "environment": "/env", "repository": "=acme/pay", "tier": "/tier", "rollback": "/back"},
	}
	f := func(status, env, tier string, back bool, want ...any) {
		t.Helper()
		e := mappedEvent(t, deployment, `{"id":"1"}`, map[string]any{"status": status, "env": env, "tier": tier, "back": back})
		if diff := cmp.Diff(want, pick(e, event.DeploymentState, event.Environment, event.Tier, event.DeploymentKind, event.Service)); diff != "" {
			t.Error(diff)
		}
	}
	f("done", "eu-prod", "", false, "succeeded", "eu-prod", "production", "", "pay")
	f("gone", "eu-prod", "Staging", true, "cancelled", "eu-prod", "staging", "rollback", "pay")
	f("bad", "somewhere", "unheard of", false, "failed", "somewhere", "", "", "pay")
}

func TestMappingCommit(t *testing.T) {
	m := sources.Mapping{Source: "hammer", Fact: "commit", Fields: map[string]string{
		"revision": "/push/changes/0/new", "base": "/push/changes/0/old", "repository": "/repo", "committed": "/at",
	}}
	const old, id = "95790bf891e76fee5e1747ab589903a6a1f80f22", "da1560886d4f094c3e6c9ef40349f7d38b5d27d7"
	body := `{"repo":"acme/pay","at":"2023-10-04T08:15:00Z","push":{"changes":[{"old":"` + old + `","new":"` + id + `"}]}}`
	e := mappedEvent(t, m, body, nil)
	got := append(pick(e, event.Revision, event.BaseRevision, event.RepositoryOwner, event.Repository, event.Unmapped), e.Attrs.Integer(event.CommitTime), e.Subject)
	if diff := cmp.Diff([]any{id, old, "acme", "pay", "", int64(1696407300), "js/hammer/commit/acme%2Fpay/" + id}, got); diff != "" {
		t.Error(diff)
	}
	if events, err := decoderOf(t, m)(nil, []byte(`{"repo":"acme/pay","push":{"changes":[]}}`), observed); err == nil {
		t.Errorf("no commit id: %v", events)
	}
	f := fixture{"mapping", nil, []byte(body), decoderOf(t, m)}
	exportertest.Mutate(t, f.body, func(p exportertest.Place, with func(any) []byte) {
		for _, value := range hostile {
			check(t, p.Path, f, with(value))
		}
	})
}

func TestMappingCheck(t *testing.T) {
	err := sources.Mapping{
		Source: "Not a word", Fact: "run", Match: map[string]string{"kind": "x"},
		Fields:   map[string]string{"id": "id", "status": "/a~2", "colour": "/c", "time": ""},
		Statuses: map[string]string{"ok": "fine", "OK ": "success"}, Times: []string{"yesterday"}, Unit: "weeks",
	}.Check()
	want := []string{
		`source "Not a word": want a word of at most 32 lower-case letters, digits, _ and -`,
		`fields: want pipeline`,
		`fields: colour is not a field of a run; want some of attempt, default_branch, duration, id, pipeline, ref, repository, revision, start, status, time, trigger`,
		`fields: id: "id": want a JSON Pointer, which begins with /, or = and a constant`,
		`fields: status: "/a~2": want ~0 or ~1 wherever a JSON Pointer has ~, or = and a constant`,
		`fields: time: "": want a JSON Pointer, which begins with /, or = and a constant`,
		`match: "kind": want a JSON Pointer, which begins with /`,
		`statuses: "ok": "fine": want one of pending, waiting, executing, success, failure, error, timeout, cancellation, skip, ignore`,
		`statuses: "ok" is there twice, in different case`,
		`times: "yesterday": want rfc3339, unix, unix_ms, or a layout with the year 2006`,
		`unit "weeks": want s, ms or ns`,
	}
	var got []string
	if err != nil {
		got = strings.Split(err.Error(), "\n")
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	f := func(m sources.Mapping, want string) {
		t.Helper()
		if _, err := m.Decoder(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", m, err, want)
		}
	}
	f(sources.Mapping{}, `fact "": want one of commit, deployment, incident, onboarding, run, task`)
	f(sources.Mapping{Source: "github", Fact: "run"}, `source "github": there is a decoder for it`)
	f(sources.Mapping{}, "statuses: want at least one, but none for a commit")
	if err := runMapping().Check(); err != nil {
		t.Error(err)
	}
}

// TestMappingKeeps: what becomes of the mapping after it was compiled changes nothing.
func TestMappingKeeps(t *testing.T) {
	m := runMapping()
	d := decoderOf(t, m)
	clear(m.Fields)
	clear(m.Statuses)
	clear(m.Times)
	events, err := d(nil, []byte(runBody), observed)
	if err != nil || events[0].Attrs.Text(event.Result) != "success" {
		t.Error(events, err)
	}
}

func TestMappingHostile(t *testing.T) {
	m := runMapping()
	f := fixture{"mapping", nil, []byte(runBody), decoderOf(t, m)}
	exportertest.Mutate(t, f.body, func(p exportertest.Place, with func(any) []byte) {
		for _, value := range hostile {
			check(t, p.Path, f, with(value))
		}
	})
	for _, body := range []string{"", "{", "null", "17", `"x"`, "[]", runBody + runBody, runBody + "x", strings.Repeat("[", 20_000), strings.Repeat(`{"build":`, 20_000)} {
		events, err := f.decode(nil, []byte(body), observed)
		if err == nil && (len(events) != 1 || events[0].Name != event.Unused) {
			t.Errorf("%.40q: %v", body, events)
		}
	}
}

// TestPointers: the examples of RFC 6901, section 5, each under the mapping of an id.
func TestPointers(t *testing.T) {
	document := map[string]any{
		"foo": []any{"bar", "baz"}, "": "e0", "a/b": "e1", "c%d": "e2", "e^f": "e3", "g|h": "e4", "i\\j": "e5", "k\"l": "e6", " ": "e7", "m~n": "e8",
	}
	body, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"/foo/0": "bar", "/foo/1": "baz", "/": "e0", "/a~1b": "e1", "/c%d": "e2", "/e^f": "e3", "/g|h": "e4", `/i\j`: "e5", `/k"l`: "e6", "/ ": "e7", "/m~0n": "e8",
		"/foo/01": "", "/foo/2": "", "/foo/-": "", "/foo/x": "", "/foo": "", "/foo/0/x": "", "/none": "",
	}
	for _, place := range slices.Sorted(maps.Keys(want)) {
		m := sources.Mapping{Source: "rfc", Fact: "deployment", Statuses: map[string]string{"x": "success"}, Fields: map[string]string{"id": place, "status": "=x", "environment": "=y"}}
		events, err := decoderOf(t, m)(nil, body, observed)
		got := ""
		if err == nil {
			got = events[0].Attrs.Text(event.DeploymentID)
		}
		if got != want[place] {
			t.Errorf("%s: %q, want %q", place, got, want[place])
		}
	}
}

// TestMappingOfIncidentsAndOnboarding maps one delivery each in all its statuses.
func TestMappingOfIncidentsAndOnboarding(t *testing.T) {
	const body = `{"no":7,"state":"x","at":"2024-01-01T10:30:00Z","since":"2024-01-01T10:00:00Z","level":"P1","who":"payments","what":"pay","secret":"do-not-show"}`
	f := func(fact, meaning, name string, start bool) {
		t.Helper()
		unknown := sources.Mapping{
			Source: "desk", Fact: fact, Statuses: map[string]string{"y": meaning}, Fields: map[string]string{"id": "/no", "status": "/state", "service": "/what"},
		}
		if e := mappedEvent(t, unknown, body, nil); e.Name != event.Unused || e.Attrs.Text(event.Unmapped) != "status" {
			t.Errorf("%s: %v for a status that is not mapped", fact, e)
		}
		m := sources.Mapping{
			Source: "desk", Fact: fact, Statuses: map[string]string{"x": meaning},
			Fields: map[string]string{"id": "/no", "status": "/state", "service": "/what", "team": "/who", "time": "/at"},
		}
		if fact == "incident" {
			m.Fields["severity"], m.Fields["start"], m.Fields["key"] = "/level", "/since", "/what"
		}
		e := mappedEvent(t, m, body, nil)
		if e.Name != name || e.Attrs.Text(event.Service) != "pay" || e.Attrs.Text(event.Team) != "payments" || e.Start.IsZero() == start || e.Time.Minute() != 30 {
			t.Errorf("%s %s: %v, want %s", fact, meaning, e, name)
		}
		if fact == "incident" && (e.Attrs.Text(event.Severity) != "p1" || e.Attrs.Text(event.Fingerprint) == "") {
			t.Errorf("%s %s: %v has no severity or fingerprint", fact, meaning, e)
		}
	}
	f("incident", "executing", event.IncidentOpened, true)
	f("incident", "waiting", event.IncidentAcknowledged, true)
	f("incident", "success", event.IncidentResolved, true)
	f("incident", "cancellation", event.IncidentResolved, true)
	f("onboarding", "pending", event.OnboardingRequested, false)
	f("onboarding", "success", event.OnboardingRequested, false)
	f("onboarding", "failure", event.OnboardingAbandoned, false)
}
