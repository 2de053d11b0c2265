//lint:file-ignore SA1019 as in lower.go

package dashboards

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboardv2"
	"github.com/grafana/grafana-foundation-sdk/go/dashboardv2beta1"

	"github.com/plimsoll-slo/plimsoll/internal/golden"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// byName returns the generated files by their names.
func byName(t *testing.T, o Options) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, f := range generate(t, testSet(), o) {
		out[f.Name] = f.Content
	}
	return out
}

// valueAt returns the value at a path of keys of a YAML document.
func valueAt(t *testing.T, content []byte, path ...string) yamlsrc.Value {
	t.Helper()
	docs, l := yamlsrc.Parse("generated.yaml", content)
	if l.Failed() || len(docs) != 1 {
		t.Fatalf("%d documents, %v", len(docs), l)
	}
	v := docs[0]
	for _, key := range path {
		fields, _ := v.Fields()
		var below yamlsrc.Value
		for _, f := range fields {
			if f.Name == key {
				below = f.Value
			}
		}
		v = below
	}
	return v
}

// Whatever the form, Grafana gets the bytes that the files have.
func TestFormsHoldTheSameJSON(t *testing.T) {
	files := byName(t, Options{})
	operator := byName(t, Options{Form: Operator})
	maps := byName(t, Options{Form: ConfigMaps})
	resources := byName(t, Options{Form: Resources})
	uids := map[string]bool{}
	for name, content := range files {
		uid, ok := strings.CutSuffix(strings.TrimPrefix(name, "dashboards/"), ".json")
		if !ok {
			continue
		}
		uids[uid] = true
		want := string(content)
		if got := valueAt(t, operator["operator/"+uid+".yaml"], "spec", "json").Text(); got != want {
			t.Errorf("%s differs for the operator:\n%s", uid, cmp.Diff(want, got))
		}
		if got := valueAt(t, maps["configmaps/"+uid+".yaml"], "data", uid+".json").Text(); got != want {
			t.Errorf("%s differs in the ConfigMap:\n%s", uid, cmp.Diff(want, got))
		}
		var resource, dashboard map[string]any
		if err := errors.Join(json.Unmarshal(resources["resources/"+uid+".json"], &resource), json.Unmarshal([]byte(want), &dashboard)); err != nil {
			t.Fatal(err)
		}
		delete(dashboard, "uid") // it is the name
		if !reflect.DeepEqual(resource["spec"], any(dashboard)) {
			t.Errorf("%s differs as a resource:\n%s", uid, cmp.Diff(dashboard, resource["spec"]))
		}
		delete(resource, "spec")
		head := map[string]any{
			"apiVersion": "dashboard.grafana.app/v1beta1", "kind": "Dashboard",
			"metadata": map[string]any{"name": uid, "annotations": map[string]any{"grafana.app/folder": "plimsoll"}},
		}
		if d := cmp.Diff(head, resource); d != "" {
			t.Errorf("%s (-want +got):\n%s", uid, d)
		}
	}
	all := map[string]bool{
		"plimsoll-debug": true, "plimsoll-executive": true, "plimsoll-oncall": true, "plimsoll-slo": true,
		"plimsoll-svc-checkout": true, "plimsoll-svc-payments": true, "plimsoll-svc-search": true,
	}
	if d := cmp.Diff(all, uids); d != "" {
		t.Errorf("dashboards (-want +got):\n%s", d)
	}
	if n := len(all); len(operator) != n+1 || len(maps) != n || len(resources) != n+1 { // two have a file for the folder
		t.Errorf("%d, %d and %d files of %d dashboards", len(operator), len(maps), len(resources), n)
	}
}

// Each form but the files, whose goldens are whole, has the start of a file that holds a dashboard, and what goes with
// it.
func TestFormHeads(t *testing.T) {
	var got strings.Builder
	for _, o := range []Options{
		{Form: Operator, Folder: `My "SLOs"`}, {Form: ConfigMaps, Folder: `My "SLOs"`}, {Form: Resources}, {Form: Operator, Schema: V2},
	} {
		for _, f := range generate(t, testSet(), o) {
			if strings.Contains(f.Name, "executive") || strings.Contains(f.Name, "oncall") {
				continue
			}
			got.WriteString("== " + f.Name + "\n")
			lines := strings.SplitAfterN(string(f.Content), "\n", 20)
			got.WriteString(strings.Join(lines[:min(len(lines), 19)], ""))
		}
	}
	golden.Check(t, *update, "testdata/golden/forms.txt", []byte(got.String()))
}

func TestGoldenV2(t *testing.T) {
	golden.Check(t, *update, "testdata/golden/plimsoll-slo.v2beta1.json", byName(t, Options{Form: Resources, Schema: V2Beta1})["resources/plimsoll-slo.json"])
}

// The SDK, which is generated from Grafana's schemas, knows every field of both later schemas and misses none.
func TestStrictSchemaV2(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	check := func(schema Schema, read func([]byte) error) {
		t.Helper()
		for name, content := range byName(t, Options{Form: Resources, Schema: schema}) {
			var r struct {
				APIVersion string `json:"apiVersion"`
				Spec       json.RawMessage
			}
			if err := json.Unmarshal(content, &r); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(name, "folder") {
				continue
			}
			if r.APIVersion != "dashboard.grafana.app/"+string(schema) {
				t.Errorf("%s is of %s", name, r.APIVersion)
			}
			if err := strict(read(r.Spec)); err != nil {
				t.Errorf("%s as %s: %v", name, schema, err)
			}
			wrong := bytes.Replace(r.Spec, []byte(`"cursorSync"`), []byte(`"cursorSink"`), 1)
			if err := strict(read(wrong)); err == nil {
				t.Error("the check does not find an unknown field")
			}
		}
	}
	check(V2Beta1, func(b []byte) error {
		var d dashboardv2beta1.Dashboard
		return errors.Join(strict(d.UnmarshalJSONStrict(b)), d.Validate())
	})
	check(V2, func(b []byte) error {
		var d dashboardv2.Dashboard
		return errors.Join(strict(d.UnmarshalJSONStrict(b)), d.Validate())
	})
}

// The later schemas show the same panels, with the same queries, ids and sizes, as the classic one.
func TestSchemasShowTheSame(t *testing.T) {
	classic := parse(t, generate(t, testSet(), Options{}))
	for uid, content := range byName(t, Options{Form: Resources, Schema: V2}) {
		if strings.Contains(uid, "folder") {
			continue
		}
		var r struct{ Spec dashboardv2.Dashboard }
		if err := json.Unmarshal(content, &r); err != nil {
			t.Fatal(err)
		}
		kind := strings.TrimSuffix(strings.TrimPrefix(uid, "resources/plimsoll-"), ".json")
		d, ok := classic[kind]
		if !ok {
			t.Fatalf("%s is no dashboard of the classic schema", uid)
		}
		if len(r.Spec.Elements) != len(d.all()) || len(r.Spec.Variables) != len(d.Templating.List) || len(r.Spec.Annotations) != len(d.Annotations.List) {
			t.Errorf("%s: %d panels of %d, %d variables of %d", uid, len(r.Spec.Elements), len(d.all()), len(r.Spec.Variables), len(d.Templating.List))
		}
		sizes := map[string][2]int64{}
		for _, row := range r.Spec.Layout.RowsLayoutKind.Spec.Rows {
			for _, item := range row.Spec.Layout.GridLayoutKind.Spec.Items {
				sizes[item.Spec.Element.Name] = [2]int64{item.Spec.Width, item.Spec.Height}
			}
		}
		panels := map[int]jsonPanel{}
		for _, p := range d.all() {
			panels[p.ID] = p
		}
		for name, e := range r.Spec.Elements {
			s := e.PanelKind.Spec
			p := panels[int(s.Id)]
			if s.Title != p.Title || s.VizConfig.Group != p.Type || sizes[name] != [2]int64{int64(p.GridPos.W), int64(p.GridPos.H)} {
				t.Errorf("%s: panel %q is not panel %q", uid, s.Title, p.Title)
			}
			for i, q := range s.Data.Spec.Queries {
				var spec map[string]any
				if err := translate(q.Spec.Query.Spec, &spec); err != nil {
					t.Fatal(err)
				}
				expr, _ := spec["expr"].(string)
				traces, _ := spec["query"].(string)
				want := p.Targets[i]
				if expr != want.Expr || traces != want.Query || expr+traces == "" || q.Spec.RefId != want.RefID || q.Spec.Query.Group != p.Datasource.Type {
					t.Errorf("%s: %q asks %s %.80q instead of %s %.80q", uid, s.Title, q.Spec.Query.Group, expr+traces, p.Datasource.Type, want.Expr+want.Query)
				}
			}
		}
	}
}

func TestFormRefuses(t *testing.T) {
	f := func(o Options, want string) {
		t.Helper()
		if _, err := Generate(testSet(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got error %v, want one with %q", o, err, want)
		}
	}
	f(Options{Form: "helm"}, `want one of the forms ["files" "resources" "operator" "configmaps"], have "helm"`)
	f(Options{Schema: "v3"}, `want one of the schemas`)
	f(Options{Schema: V2}, `want the form "resources" or "operator" for schema "v2"`)
	f(Options{Form: ConfigMaps, UID: "My_SLOs"}, `a name in Kubernetes`)
}

// A dashboard that is too large for Kubernetes is a finding, and still a file.
func TestTooLarge(t *testing.T) {
	b := lowered{uid: "big", json: bytes.Repeat([]byte("x"), maxObject+1)}
	for _, form := range []Form{Operator, ConfigMaps} {
		_, err := wrap([]lowered{b}, Options{UID: "u", Form: form, Schema: Classic})
		var large *TooLargeError
		if !errors.As(err, &large) {
			t.Fatalf("%s: %v", form, err)
		}
		want := string(form) + "/big.yaml: error: the dashboard has 1025 KiB, and an object of Kubernetes holds at most 1024 [object-size]"
		if got := large.Finding().String(); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	for _, form := range []Form{Files, ConfigMaps} {
		if _, err := wrap([]lowered{{uid: "big", json: b.json[:maxObject]}}, Options{UID: "u", Form: form, Schema: Classic}); err != nil {
			t.Errorf("%s: %v", form, err)
		}
	}
}
