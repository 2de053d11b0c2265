package sources_test

import (
	"bytes"
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
	event.IncidentOpened, event.IncidentAcknowledged, event.IncidentResolved, event.OnboardingRequested, event.OnboardingAbandoned, event.SecretLeaked,
}

// believable says what is wrong with a number of an event, or nothing.
func believable(e event.Event) string {
	for _, a := range e.Attrs {
		if n, ok := a.Value().(float64); ok && !(n >= 0 && n <= (366*24*time.Hour).Seconds()) {
			return "has an unbelievable " + a.Name
		}
	}
	return ""
}

func check(t testing.TB, what string, f fixture, body []byte) []event.Event {
	t.Helper()
	d := exportertest.Delivery{Name: f.name, Header: f.header, Decode: f.decode}
	return d.Lawful(t, what, body, observed, exportertest.Names(names...), exportertest.Words(vocabulary), believable)
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
		exportertest.Mutate(t, f.body, func(p exportertest.Place, with func(any) []byte) {
			if !p.Leaf {
				return
			}
			for _, planted := range []string{canary, "https://example.com/" + canary + "/x", "git@example.com:" + canary + "/x"} {
				events, _ := f.decode(f.header, with(planted), observed)
				out := string(exportertest.Lines(t, events))
				if strings.Contains(out, "hunter2") {
					meant[system+" "+p.Path] = true
				}
			}
		})
	}
	golden.Check(t, *update, "testdata/meant.golden", []byte(strings.Join(slices.Sorted(maps.Keys(meant)), "\n")+"\n"))
}

// hostile are values that no decoder may stumble over, wherever they are.
var hostile = append(exportertest.Hostile(), "success", "https://user:hunter2@example.com:99999/%zz?token=hunter2#x")

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
		exportertest.MutateNew(t, f.body, seen[kind], func(p exportertest.Place, with func(any) []byte) {
			unread := true // neither a text nor a number changes anything
			for _, value := range []any{"x", 17} {
				after := check(t, p.Path, f, with(value))
				unread = unread && string(exportertest.Lines(t, after)) == before
			}
			if unread {
				return
			}
			for _, value := range hostile {
				check(t, p.Path, f, with(value))
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
			body := exportertest.Parse(t, f.body).Everywhere(value)
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
