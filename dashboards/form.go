package dashboards

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// Form is the way in which dashboards reach Grafana. All forms hold the same JSON.
type Form string

// The forms.
const (
	Files      Form = "files"      // JSON files, and a provisioning file that names their directory
	Resources  Form = "resources"  // resources of Grafana's own API, 12 and later: for its command line tools and Git Sync
	Operator   Form = "operator"   // custom resources of grafana-operator
	ConfigMaps Form = "configmaps" // for the sidecar of the Helm chart
)

// Forms returns all forms, the default first.
func Forms() []Form { return []Form{Files, Resources, Operator, ConfigMaps} }

// Schema is a language in which Grafana describes dashboards.
type Schema string

// The schemas.
const (
	Classic Schema = "classic" // Grafana 10 and later
	V2Beta1 Schema = "v2beta1" // Grafana 12
	V2      Schema = "v2"      // Grafana 13
)

// Schemas returns all schemas, the default first.
func Schemas() []Schema { return []Schema{Classic, V2Beta1, V2} }

// maxObject is the most that a ConfigMap holds, in bytes. Source: Kubernetes documentation, ConfigMaps. Custom resources
// end where a request to etcd ends, at 1.5 MiB, of which Kubernetes needs some.
const maxObject = 1 << 20

// TooLargeError says that Kubernetes would refuse an object.
type TooLargeError struct {
	Name  string // of the file
	Bytes int    // of the dashboard
}

// Error says how large the dashboard is, and how large it may be.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s: the dashboard has %d KiB, and an object of Kubernetes holds at most %d", e.Name, (e.Bytes+1023)>>10, maxObject>>10)
}

// Finding is the error as a finding, at the file that is not generated.
func (e *TooLargeError) Finding() diag.Diag {
	return diag.Diag{
		Len: 1, Sev: diag.Error, Code: diag.ObjectSize, Pos: diag.Pos{File: e.Name},
		Msg:  strings.TrimPrefix(e.Error(), e.Name+": "),
		Hint: "build the specs of fewer teams at a time, each with its own --uid, or use --dashboards files",
	}
}

// lowered is a dashboard in one of the schemas.
type lowered struct {
	uid  string
	json []byte // classic: the dashboard; else the spec of a resource
}

// lowerTo returns d as JSON of a schema.
func lowerTo(d page, schema Schema) ([]byte, error) {
	if schema == Classic {
		return lower(d)
	}
	return lowerV2(d, schema)
}

// filled returns o with the defaults in place of zero values.
func (o Options) filled() Options {
	o.UID = cmp.Or(o.UID, slo.DefaultDashboardUID)
	o.Folder = cmp.Or(o.Folder, "SLOs")
	o.Path = cmp.Or(o.Path, "/var/lib/grafana/dashboards/plimsoll")
	o.Form = cmp.Or(o.Form, Files)
	o.Schema = cmp.Or(o.Schema, Classic)
	return o
}

// Check says what is wrong with o: the UID is not a uid of at most 30 letters, digits, - and _, or the form does not go
// with the uid or the schema.
func (o Options) Check() error {
	o = o.filled()
	if err := slo.CheckDashboardUID(o.UID); err != nil {
		return err
	}
	switch {
	case !slices.Contains(Forms(), o.Form):
		return fmt.Errorf("want one of the forms %q, have %q", Forms(), o.Form)
	case !slices.Contains(Schemas(), o.Schema):
		return fmt.Errorf("want one of the schemas %q, have %q", Schemas(), o.Schema)
	case o.Schema != Classic && o.Form != Resources && o.Form != Operator:
		return fmt.Errorf("want the form %q or %q for schema %q, which Grafana does not load as %s", Resources, Operator, o.Schema, o.Form)
	case (o.Form == Operator || o.Form == ConfigMaps) && !regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`).MatchString(o.UID):
		return fmt.Errorf("want a uid that can be a name in Kubernetes, of a-z, 0-9 and -, have %q", o.UID)
	}
	return nil
}

// wrap returns dashboards in the form of o, each in a file of its own, and the file that goes with them.
func wrap(boards []lowered, o Options) ([]File, error) {
	var out []File
	for _, b := range boards {
		f, err := wrapOne(b, o)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	switch o.Form {
	case Files:
		out = append(out, provider(o))
	case Resources:
		f, err := resource("resources/folder-"+o.UID+".json", "folder.grafana.app/v1beta1", "Folder",
			map[string]any{"name": o.UID}, map[string]any{"title": o.Folder})
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	case Operator:
		out = append(out, operatorFolder(o))
	case ConfigMaps: // the sidecar makes the folder
	}
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func wrapOne(b lowered, o Options) (File, error) {
	switch o.Form {
	case Resources:
		return resourceOf(b, o)
	case Operator:
		return operator(b, o)
	case ConfigMaps:
		return configMap(b, o)
	case Files:
	}
	return File{Name: "dashboards/" + b.uid + ".json", Content: b.json}, nil
}

// resourceOf returns a dashboard as a resource of Grafana's own API.
func resourceOf(b lowered, o Options) (File, error) {
	in := json.NewDecoder(bytes.NewReader(b.json))
	in.UseNumber()
	var spec map[string]any
	if err := in.Decode(&spec); err != nil {
		return File{}, fmt.Errorf("dashboard %s: %w", b.uid, err)
	}
	version := "v1beta1" // the classic schema
	if o.Schema != Classic {
		version = string(o.Schema)
	}
	delete(spec, "uid") // it is the name
	metadata := map[string]any{"name": b.uid, "annotations": map[string]any{"grafana.app/folder": o.UID}}
	return resource("resources/"+b.uid+".json", "dashboard.grafana.app/"+version, "Dashboard", metadata, spec)
}

func resource(name, apiVersion, kind string, metadata, spec map[string]any) (File, error) {
	content, err := encode(map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": metadata, "spec": spec})
	return File{Name: name, Content: content}, err
}

// operatorHead is how every resource for grafana-operator begins, up to the first fields of its spec.
const operatorHead = `%sapiVersion: grafana.integreatly.org/v1beta1
kind: %s
metadata:
  name: %s
spec:
  instanceSelector:
    matchLabels:
      dashboards: grafana
`

// operatorFolder returns the folder for grafana-operator.
func operatorFolder(o Options) File {
	return File{
		Name:    "operator/folder-" + o.UID + ".yaml",
		Content: fmt.Appendf(nil, operatorHead+"  uid: %[3]s\n  title: %[4]s\n", generated, "GrafanaFolder", o.UID, strconv.Quote(o.Folder)),
	}
}

// operator returns a dashboard for grafana-operator: a GrafanaDashboard, which takes the classic schema only, or a
// GrafanaManifest, which takes any resource.
// Source: grafana-operator documentation, Dashboards and GrafanaManifest.
func operator(b lowered, o Options) (File, error) {
	f := File{Name: "operator/" + b.uid + ".yaml"}
	if len(b.json) > maxObject {
		return f, &TooLargeError{f.Name, len(b.json)}
	}
	if o.Schema == Classic {
		f.Content = fmt.Appendf(nil, operatorHead+"  folderUID: %s\n  json: |\n", generated, "GrafanaDashboard", b.uid, o.UID)
		f.Content = append(f.Content, indent(b.json, "    ")...)
		return f, nil
	}
	r, err := resourceOf(b, o)
	if err != nil {
		return f, err
	}
	// A YAML document may be JSON from here on.
	f.Content = fmt.Appendf(nil, operatorHead+"  template:\n", generated, "GrafanaManifest", b.uid)
	f.Content = append(f.Content, indent(r.Content, "    ")...)
	return f, nil
}

// configMap returns a dashboard for the sidecar. Its folder annotation works where the chart sets folderAnnotation.
// Source: documentation of the Grafana Helm chart, Sidecar for dashboards.
func configMap(b lowered, o Options) (File, error) {
	f := File{Name: "configmaps/" + b.uid + ".yaml"}
	if len(b.json) > maxObject {
		return f, &TooLargeError{f.Name, len(b.json)}
	}
	f.Content = fmt.Appendf(nil, `%sapiVersion: v1
kind: ConfigMap
metadata:
  name: %s
  labels:
    grafana_dashboard: "1"
  annotations:
    grafana_folder: %s
data:
  %[2]s.json: |
`, generated, b.uid, strconv.Quote(o.Folder))
	f.Content = append(f.Content, indent(b.json, "    ")...)
	return f, nil
}

// indent puts a prefix in front of every line.
func indent(text []byte, prefix string) []byte {
	var out []byte
	for line := range bytes.Lines(text) {
		out = append(append(out, prefix...), line...)
	}
	return out
}
