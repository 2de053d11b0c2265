package sources_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var observed = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

var plain = secrets.Naming{Plain: true}

// fixture is a delivery.
type fixture struct {
	kind, file string
}

func fixtures() []fixture {
	return []fixture{
		{"vault", "openbao-audit-first-60-lines.log"},
		{"vault", "vault-rotation.log"},
		{"secretsmanager", "secretsmanager-events.json"},
		{"secretsmanager", "rotation-events.json"},
		{"secretsmanager", "rotation-eventbridge.json"},
	}
}

func (f fixture) body(t testing.TB) []byte { return exportertest.Read(t, "testdata/"+f.file) }

func decoder(t testing.TB, kind string, naming secrets.Naming) source.Decoder {
	t.Helper()
	for _, k := range sources.Kinds(naming) {
		if k.Name == kind {
			return k.Decode
		}
	}
	t.Fatalf("no kind %s", kind)
	return nil
}

func decode(t testing.TB, f fixture, naming secrets.Naming) []event.Event {
	t.Helper()
	events, err := decoder(t, f.kind, naming)(http.Header{}, f.body(t), observed)
	if err != nil {
		t.Fatalf("%s: %v", f.file, err)
	}
	return events
}

func TestGolden(t *testing.T) {
	for _, f := range fixtures() {
		golden.Check(t, *update, "testdata/"+f.file+".golden", exportertest.Lines(t, decode(t, f, plain)))
	}
}

// TestTotals counts with the counters, and with a few lines of its own that read the files in another way.
func TestTotals(t *testing.T) {
	c := counters.New(observed, secrets.New(secrets.Options{}))
	want := map[string]uint64{}
	for _, f := range fixtures()[:3:3] { // those that were recorded
		events := decode(t, f, secrets.Naming{})
		for range 2 { // every delivery comes twice
			if err := c.Add(events...); err != nil {
				t.Fatal(err)
			}
		}
	}
	for line := range bytes.Lines(fixtures()[0].body(t)) {
		text := string(line)
		// A request of the key-value store, answered.
		if !strings.Contains(text, `"type":"response"`) || !strings.Contains(text, `"path":"kv/data/`) {
			continue
		}
		word := "read ok"
		switch {
		case strings.Contains(text, "permission denied"):
			word = "read denied"
		case strings.Contains(text, `"operation":"create"`) || strings.Contains(text, `"operation":"update"`):
			word = "write ok"
		}
		want["vault "+word]++
	}
	want["vault rotate ok"], want["vault rotate error"], want["vault rotate denied"] = 4, 1, 1 // of the file written by hand
	want["vault read ok"] += 2
	want["vault delete ok"] += 2
	want["vault write ok"]++
	text := string(fixtures()[2].body(t))
	want["aws read ok"] = uint64(strings.Count(text, `"eventName": "GetSecretValue"`))
	want["aws write ok"] = uint64(strings.Count(text, `"eventName": "PutSecretValue"`) + strings.Count(text, `"eventName": "CreateSecret"`))

	snapshot, err := c.Read(observed, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, f := range snapshot.Families {
		for _, p := range f.Points {
			if f.Name == "secret.accesses" {
				got[p.Attrs.Text(event.SecretStore)+" "+p.Attrs.Text(event.AccessOperation)+" "+p.Attrs.Text(event.AccessOutcome)] += p.Count
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRotationStory: what AWS told about one secret, counted. The rotation on 31 May failed, so that by its window of 3
// hours and its grace of a day it was bad; then rotation was switched off, and then the secret deleted.
func TestRotationStory(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	c := counters.New(now, secrets.New(secrets.Options{}))
	told := decode(t, fixtures()[3], plain)
	for now.Before(observed.AddDate(0, -5, 0)) {
		now = now.Add(5 * time.Minute)
		if _, err := c.Read(now, 0); err != nil {
			t.Fatal(err)
		}
		for len(told) > 0 && !told[0].Time.After(now) {
			told[0].Observed = now
			if err := c.Add(told[0]); err != nil {
				t.Fatal(err)
			}
			told = told[1:]
		}
	}
	snapshot, err := c.Read(now, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, f := range snapshot.Families {
		for _, p := range f.Points {
			if p.Count > 0 && strings.HasPrefix(f.Name, "secret.rotation") {
				got[strings.Join([]string{f.Name[16:], p.Attrs.Text(event.Outcome), p.Attrs.Text(event.RotationReason), p.Attrs.Text(event.RotationResult)}, " ")] += p.Count
			}
		}
	}
	want := map[string]uint64{
		"due   ": 1, "outcomes bad failed ": 1, "attempts   success": 1, "attempts   failure": 1, "attempts   abandoned": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// places calls each with every text of a JSON value, to be replaced.
func places(v any, path string, set func(any), each func(path, was string, set func(any))) {
	switch v := v.(type) {
	case string:
		each(path, v, set)
	case map[string]any:
		for name := range v {
			places(v[name], path+"."+name, func(x any) { v[name] = x }, each)
		}
	case []any:
		for i := range v {
			places(v[i], path+"[]", func(x any) { v[i] = x }, each)
		}
	}
}

// documents returns the JSON values of a delivery: lines, or one.
func documents(t testing.TB, f fixture) (all []any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(f.body(t)))
	for d.More() {
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

const canary = "hunter2 canary"

// TestCanary plants a secret in every text of every delivery, one after the other. It may come out only as the id of a
// request or record, a mount, or account and region, and as a name if names are shown.
func TestCanary(t *testing.T) {
	meant := map[string]bool{}
	for _, f := range fixtures() {
		run := decoder(t, f.kind, secrets.Naming{})
		for _, doc := range documents(t, f) {
			if _, file := doc.(map[string]any)["Records"]; file && f.file == "secretsmanager-events.json" {
				doc = map[string]any{"Records": doc.(map[string]any)["Records"].([]any)[:12]}
			}
			places(doc, "", func(any) {}, func(path, was string, set func(any)) {
				for _, planted := range []string{canary, was + canary} {
					set(planted)
					body, err := json.Marshal(doc)
					if err != nil {
						t.Fatal(err)
					}
					events, err := run(nil, body, observed)
					out := string(exportertest.Lines(t, events))
					if err != nil {
						out += err.Error()
					}
					if strings.Contains(out, "hunter2") {
						meant[f.kind+" "+path] = true
					}
				}
				set(was)
			})
		}
	}
	var got []string
	for place := range meant {
		got = append(got, place)
	}
	slices.Sort(got)
	golden.Check(t, *update, "testdata/meant.golden", []byte(strings.Join(got, "\n")+"\n"))
}

// lawful says what is wrong with the events of a delivery, or nothing.
func lawful(kind string, events []event.Event, err error) string {
	if (err == nil) == (len(events) == 0) {
		return "neither events nor an error, or both"
	}
	if err != nil && len(err.Error()) > 80 {
		return "a long error: " + err.Error()
	}
	for _, e := range events {
		unused := e.Name == event.Unused
		switch {
		case e.Source != kind || !e.Observed.Equal(observed) || e.Time.After(observed.Add(event.MaxSkew)):
			return e.Key + " has a wrong source or time"
		case !unused && (!strings.HasPrefix(e.Key, e.Subject+"/") || len(e.Key) > 1024):
			return e.Key + " is no key"
		case strings.ContainsFunc(e.Key, func(r rune) bool { return r <= ' ' || r > '~' }):
			return e.Key + " is an unsafe key"
		}
		for _, a := range e.Attrs {
			if text, ok := a.Value().(string); ok && text != event.Clean(text) {
				return "an unsafe " + a.Name
			}
		}
	}
	return ""
}

func FuzzKinds(f *testing.F) {
	for _, x := range fixtures() {
		body := x.body(f)
		f.Add(body[:min(len(body), 1<<12)])
		f.Add(body)
	}
	for _, text := range []string{"", "{}", "[]", "null", "[{}]", `{"Records":[null,1,{}]}`, "{\"type\":\"response\",\"request\":7}", "[[[["} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, kind := range sources.Kinds(plain) {
			events, err := kind.Decode(nil, body, observed)
			if wrong := lawful(kind.Name, events, err); wrong != "" {
				t.Errorf("%s: %s", kind.Name, wrong)
			}
		}
	})
}

func TestKinds(t *testing.T) {
	for _, f := range fixtures() {
		if wrong := lawful(f.kind, decode(t, f, plain), nil); wrong != "" {
			t.Errorf("%s: %s", f.file, wrong)
		}
		once, again := decode(t, f, plain), decode(t, f, plain)
		if diff := cmp.Diff(string(exportertest.Lines(t, once)), string(exportertest.Lines(t, again))); diff != "" {
			t.Errorf("%s (-first +second):\n%s", f.file, diff)
		}
	}
	for _, kind := range sources.Kinds(plain) {
		for _, body := range []string{"", "hello", "7"} {
			if events, err := kind.Decode(nil, []byte(body), observed); err == nil {
				t.Errorf("%s: %q gave %v, want an error", kind.Name, body, events)
			}
		}
	}
}

func BenchmarkKinds(b *testing.B) {
	for _, f := range []fixture{fixtures()[0], fixtures()[2]} {
		b.Run(f.kind, func(b *testing.B) {
			body, run := f.body(b), decoder(b, f.kind, secrets.Naming{})
			records := 60
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := run(nil, body, observed); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records), "ns/record")
		})
	}
}
