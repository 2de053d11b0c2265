package sources_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

// vocabulary has the values that attributes with a fixed set of words may have.
var vocabulary = map[string][]string{
	event.Result:          {"success", "failure", "error", "timeout", "cancellation", "skip"},
	event.TaskResult:      {"success", "failure", "error", "timeout", "cancellation", "skip"},
	event.RefKind:         {"default", "release", "change", "tag", "other"},
	event.Trigger:         {"push", "change", "schedule", "manual", "pipeline", "other"},
	event.Tier:            {"production", "staging", "testing", "development", "other"},
	event.DeploymentState: {"succeeded", "failed", "cancelled"},
	event.DeploymentKind:  {"deploy", "rollback", "redeploy"},
	event.Unmapped:        {"status", "conclusion", "clock", "type", "action", "id", "steps", "commits"},
}

var names = []string{
	event.RunQueued, event.RunStarted, event.RunFinished, event.TaskQueued, event.TaskStarted, event.TaskFinished, event.StepFinished,
	event.DeploymentStarted, event.DeploymentFinished, event.CommitPushed, event.Unused,
	event.IncidentOpened, event.IncidentAcknowledged, event.IncidentResolved, event.OnboardingRequested, event.OnboardingAbandoned,
}

// unlawful says what is wrong with an event, or nothing.
func unlawful(e event.Event) string {
	line, err := json.Marshal(e)
	switch {
	case err != nil:
		return err.Error()
	case len(line) > 8<<10:
		return "is too long"
	case !slices.Contains(names, e.Name):
		return "has an unknown name"
	case e.Source == "" || !e.Observed.Equal(observed):
		return "has no source or another time of receipt"
	case e.Name == event.Unused && e.Subject+e.Key != "":
		return "is unused but identified"
	case e.Name != event.Unused && (e.Subject == "" || !strings.HasPrefix(e.Key, e.Subject+"/")):
		return "has no key, or one that does not begin with its subject"
	case len(e.Key) > 1024 || strings.ContainsFunc(e.Key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "has an unsafe key"
	case e.Time.After(observed.Add(event.MaxSkew)) || e.Time.Year() < 1970:
		return "is of no believable time"
	}
	for _, a := range e.Attrs {
		text, isText := a.Value().(string)
		if isText && (text == "" || text != event.Clean(text)) {
			return "has an unsafe " + a.Name
		}
		if words := vocabulary[a.Name]; words != nil && !slices.Contains(words, text) {
			return "has an unknown word for " + a.Name
		}
		if n, ok := a.Value().(float64); ok && !(n >= 0 && n <= (366*24*time.Hour).Seconds()) {
			return "has an unbelievable " + a.Name
		}
	}
	return ""
}

func check(t testing.TB, what string, f fixture, body []byte) []event.Event {
	t.Helper()
	events, err := f.decode(f.header, body, observed)
	if (err == nil) == (len(events) == 0) {
		t.Errorf("%s %s: %d events and error %v", f.name, what, len(events), err)
	}
	if err != nil && (len(err.Error()) > 120 || strings.Contains(err.Error(), canary)) {
		t.Errorf("%s %s: the error quotes the body: %v", f.name, what, err)
	}
	for _, e := range events {
		if wrong := unlawful(e); wrong != "" {
			t.Errorf("%s %s: %v %s", f.name, what, e, wrong)
		}
	}
	return events
}

func everything(t testing.TB) []fixture {
	t.Helper()
	var all []fixture
	for _, kind := range sources.Kinds() {
		all = append(all, deliveries(t, kind)...)
	}
	return append(all, records(t, 5)...)
}

// TestDecodersArePure: the events of a delivery are lawful, the same each time, and the body is left as it was.
func TestDecodersArePure(t *testing.T) {
	for _, f := range everything(t) {
		body := bytes.Clone(f.body)
		first := exportertest.Lines(t, check(t, "as it is", f, body))
		clear(body) // a decoder keeps nothing of it
		second := exportertest.Lines(t, f.events(t))
		if diff := cmp.Diff(string(first), string(second)); diff != "" {
			t.Errorf("%s (-first +second):\n%s", f.name, diff)
		}
	}
}

func TestKinds(t *testing.T) {
	kinds := sources.Kinds()
	for i, kind := range kinds {
		if kind.Name != event.Word(kind.Name) || kind.Decode == nil || i > 0 && kinds[i-1].Name >= kind.Name {
			t.Errorf("kind %q is out of order or wrong", kind.Name)
		}
		for _, f := range deliveries(t, kind) {
			for _, e := range f.events(t) {
				if e.Source != kind.Name {
					t.Errorf("%s: source %q", f.name, e.Source)
				}
			}
		}
	}
}

// place is a value in a parsed fixture.
type place struct {
	path string // names with dots between; [] is an element
	leaf bool
	set  func(any)
	was  any
}

// places returns every value in v.
func places(path string, v any, set func(any)) []place {
	_, object := v.(map[string]any)
	_, list := v.([]any)
	all := []place{{path, !object && !list, set, v}}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(all, places(strings.TrimPrefix(path+"."+name, "."), v[name], func(x any) { v[name] = x })...)
		}
	case []any:
		for i := range v {
			all = append(all, places(path+"[]", v[i], func(x any) { v[i] = x })...)
		}
	}
	return all
}

// mutate calls do for every place of a fixture, once for each path that seen does not have, with a way to see the body
// with another value there.
func mutate(t *testing.T, f fixture, seen map[string]bool, do func(p place, with func(any) []byte)) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(f.body))
	d.UseNumber()
	var root any
	if err := d.Decode(&root); err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	for _, p := range places("", root, func(v any) { root = v }) {
		if seen[p.path] {
			continue
		}
		seen[p.path] = true
		do(p, func(v any) []byte {
			p.set(v)
			defer p.set(p.was)
			body, err := json.Marshal(root)
			if err != nil {
				t.Fatal(err)
			}
			return body
		})
	}
}

const canary = "hunter2 canary"

// TestMeant: the golden file is the list of every place of a delivery whose free text goes on. What is planted anywhere
// else is not in any event.
func TestMeant(t *testing.T) {
	meant := map[string]bool{}
	for _, f := range everything(t) {
		if strings.HasPrefix(f.name, "github/") {
			continue // has a test of its own
		}
		system, _, _ := strings.Cut(f.name, "/")
		mutate(t, f, map[string]bool{}, func(p place, with func(any) []byte) {
			if !p.leaf {
				return
			}
			for _, planted := range []string{canary, "https://example.com/" + canary + "/x", "git@example.com:" + canary + "/x"} {
				events, _ := f.decode(f.header, with(planted), observed)
				out := string(exportertest.Lines(t, events))
				if strings.Contains(out, "hunter2") {
					meant[system+" "+p.path] = true
				}
			}
		})
	}
	golden.Check(t, *update, "testdata/meant.golden", []byte(strings.Join(slices.Sorted(maps.Keys(meant)), "\n")+"\n"))
}

// hostile are values that no decoder may stumble over, wherever they are.
var hostile = []any{
	nil, "", " ", "\n\r\x00\x1b[31m", strings.Repeat("long ", 2000), strings.Repeat("é", 5000), "../../%2e%2e", "{{.}}", `"}`,
	json.RawMessage("\"\xff\xfe\x80\""), json.RawMessage(`"\ud800\udfff"`), 0, -1, 17, json.RawMessage("1e308"), json.RawMessage("-1e308"), json.RawMessage("1e999"),
	json.RawMessage("99999999999999999999999"), json.RawMessage("9223372036854775807"), true,
	[]any{},
	map[string]any{},
	[]any{nil, 1, "x", map[string]any{"id": []any{}}},
	"9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z", "2300-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "success", "https://user:hunter2@example.com:99999/%zz?token=hunter2#x",
	json.RawMessage(strings.Repeat("[", 200) + strings.Repeat("]", 200)), json.RawMessage(strings.Repeat(`{"data":`, 200) + "1" + strings.Repeat("}", 200)),
}

func TestHostileValues(t *testing.T) {
	seen := map[string]map[string]bool{}
	for _, f := range everything(t) {
		events := f.events(t)
		kind, _, _ := strings.Cut(f.name, "/")
		kind += events[0].Name
		if seen[kind] == nil {
			seen[kind] = map[string]bool{}
		}
		before := string(exportertest.Lines(t, events))
		mutate(t, f, seen[kind], func(p place, with func(any) []byte) {
			unread := true // neither a text nor a number changes anything
			for _, value := range []any{"x", 17} {
				after := check(t, p.path, f, with(value))
				unread = unread && string(exportertest.Lines(t, after)) == before
			}
			if unread {
				return
			}
			for _, value := range hostile {
				check(t, p.path, f, with(value))
			}
		})
		check(t, "cut", f, f.body[:len(f.body)/2])
		check(t, "nothing", f, nil)
		check(t, "too deep", f, []byte(strings.Repeat(`{"object_attributes":`, 20_000)))
	}
}

func FuzzKinds(f *testing.F) {
	kinds := sources.Kinds()
	for i, kind := range kinds {
		for _, one := range deliveries(f, kind) {
			f.Add(byte(i), one.body)
		}
	}
	for _, one := range records(f, 2) {
		f.Add(byte(len(kinds)), one.body)
	}
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		var decoders []fixture
		if int(which) < len(kinds) {
			kind := kinds[which]
			decoders = append(decoders, fixture{kind.Name, headerOf(t, kind.Name, body), nil, kind.Decode})
		} else {
			for name, decode := range histories {
				decoders = append(decoders, fixture{name, nil, nil, record(decode)})
			}
		}
		for _, one := range decoders {
			check(t, "", one, body)
		}
	})
}

// TestHostileEverywhere puts one value into every place at once.
func TestHostileEverywhere(t *testing.T) {
	for _, f := range everything(t) {
		for _, value := range hostile {
			var root any
			if err := json.Unmarshal(f.body, &root); err != nil {
				t.Fatal(err)
			}
			for _, p := range places("", root, func(v any) { root = v }) {
				if p.leaf {
					p.set(value)
				}
			}
			body, err := json.Marshal(root)
			if err != nil {
				t.Fatal(err)
			}
			if len(body) < 1<<17 { // else it is the size that is hostile
				check(t, "everywhere", f, body)
			}
		}
	}
}

// TestHostileHeaders: what stands in a header may be anything, too.
func TestHostileHeaders(t *testing.T) {
	for _, kind := range sources.Kinds() {
		for _, f := range deliveries(t, kind) {
			for _, name := range []string{"Ce-Id", "Ce-Source", "Ce-Type", "Ce-Time", "Content-Type", "X-Gitlab-Event", "X-GitHub-Event"} {
				for _, text := range []string{"", "\n\x00", "\xff\xfe", strings.Repeat("x", 10_000), "application/cloudevents+json", "Push Hook", "dev.cdevents.x.y", canary} {
					one := f
					one.header = f.header.Clone()
					one.header.Set(name, text)
					check(t, name, one, f.body)
				}
			}
		}
	}
}

func BenchmarkKinds(b *testing.B) {
	for _, kind := range sources.Kinds() {
		b.Run(kind.Name, func(b *testing.B) {
			all := deliveries(b, kind)
			size := 0
			for _, f := range all {
				size += len(f.body)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				for _, f := range all {
					if _, err := f.decode(f.header, f.body, observed); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(all)), "ns/delivery")
		})
	}
}
