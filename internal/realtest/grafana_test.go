//go:build grafana

package realtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/internal/grafana"
)

// grafanaServer is a real Grafana with a token for plimsoll.
type grafanaServer struct {
	*server
	token string // file
}

const grafanaPassword = "for-this-test-only"

// startGrafana starts the Grafana in GRAFANA_HOME, with an empty database, and with what provisioning holds: a directory
// in which Grafana looks for datasources/*.yaml and dashboards/*.yaml.
func startGrafana(t *testing.T, provisioning string) *grafanaServer {
	t.Helper()
	home := os.Getenv("GRAFANA_HOME")
	if home == "" {
		t.Fatal("want GRAFANA_HOME, the directory of a Grafana with bin/grafana, conf and public; run make test-grafana GRAFANA_HOME=...")
	}
	addr, dir := address(t), t.TempDir()
	ini := write(t, dir, "grafana.ini", fmt.Sprintf(`[paths]
data = %[1]s/data
logs = %[1]s/logs
plugins = %[1]s/plugins
provisioning = %[2]s
[server]
http_addr = 127.0.0.1
http_port = %[3]s
[security]
admin_password = %[4]s
[analytics]
reporting_enabled = false
check_for_updates = false
check_for_plugin_updates = false
[plugins]
preinstall_disabled = true
plugin_admin_enabled = false
[log]
mode = console
level = warn
`, dir, provisioning, addr[strings.LastIndex(addr, ":")+1:], grafanaPassword))
	s := &grafanaServer{server: start(t, filepath.Join(home, "bin", "grafana"), addr, "/api/health", "server", "--homepath", home, "--config", ini)}
	var account struct{ ID int }
	s.call(t, http.MethodPost, "/api/serviceaccounts", map[string]any{"name": "plimsoll", "role": "Editor"}, &account)
	var token struct{ Key string }
	s.call(t, http.MethodPost, fmt.Sprintf("/api/serviceaccounts/%d/tokens", account.ID), map[string]any{"name": "test"}, &token)
	s.token = write(t, dir, "token", token.Key+"\n")
	return s
}

// ask sends a request as the administrator and returns the status and the answer.
func (s *grafanaServer) ask(t *testing.T, method, path string, body any) (int, []byte) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth("admin", grafanaPassword)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, answer
}

// call is ask of a request that has to succeed.
func (s *grafanaServer) call(t *testing.T, method, path string, body, into any) {
	t.Helper()
	status, answer := s.ask(t, method, path, body)
	if status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			t.Fatal(err)
		}
	}
}

// found is a dashboard as Grafana returns it.
type found struct {
	Dashboard map[string]any
	Meta      struct {
		FolderUID   string `json:"folderUid"`
		Provisioned bool
	}
}

func (s *grafanaServer) dashboard(t *testing.T, uid string) found {
	t.Helper()
	var f found
	s.call(t, http.MethodGet, "/api/dashboards/uid/"+uid, nil, &f)
	return f
}

// save stores a dashboard as somebody does who may overwrite everything.
func (s *grafanaServer) save(t *testing.T, folder string, dashboard map[string]any) {
	t.Helper()
	s.call(t, http.MethodPost, "/api/dashboards/db", map[string]any{"dashboard": dashboard, "folderUid": folder, "overwrite": true}, nil)
}

// run runs plimsoll against the server. It fails unless the output holds want and the exit is as wanted.
func (s *grafanaServer) run(t *testing.T, ok bool, want, command string, args ...string) string {
	t.Helper()
	out, err := output(t, "plimsoll", append([]string{command, "--grafana", s.url, "--token-file", s.token}, args...)...)
	if (err == nil) != ok || !strings.Contains(out, want) {
		t.Fatalf("plimsoll %s %q: want success %v and %q, have %v and\n%s", command, args, ok, want, err, out)
	}
	return out
}

// shortSpec is a spec of one SLO, whose dashboards are small.
const shortSpec = "../../examples/quickstart"

// A bundle from its first apply to the removal of a dashboard, beside what others own.
func TestGrafanaApply(t *testing.T) {
	s := startGrafana(t, t.TempDir())
	s.run(t, false, `"title": "SLOs"`, "plan", "--exit-code", shortSpec)
	s.run(t, true, "0 updated, 0 removed, 0 unchanged", "apply", shortSpec)
	if f := s.dashboard(t, "plimsoll-oncall"); f.Meta.FolderUID != "plimsoll" || f.Dashboard["title"] == "" {
		t.Errorf("on call is in folder %q and called %v", f.Meta.FolderUID, f.Dashboard["title"])
	}
	s.run(t, true, "0 created, 0 updated, 0 removed,", "apply", shortSpec)
	s.run(t, true, "0 to create, 0 to update, 0 to remove,", "plan", "--exit-code", shortSpec)

	// What others own is in the same folder, and stays: a dashboard, a copy of ours, and one with a uid of ours.
	foreign := map[string]any{"uid": "mine", "title": "Mine", "tags": []string{"slo"}}
	s.save(t, "plimsoll", foreign)
	foreign["uid"], foreign["title"] = "shop-oncall", "Also mine"
	s.save(t, "plimsoll", foreign)
	copied := s.dashboard(t, "plimsoll-slo").Dashboard
	delete(copied, "id")
	copied["uid"], copied["title"] = "copy", "A copy"
	s.save(t, "plimsoll", copied)
	before := s.versions(t, "mine", "shop-oncall", "copy")
	s.run(t, true, "1 kept", "apply", shortSpec)
	out := s.run(t, false, "dashboards/shop-oncall: exists and is not ours", "apply", "--uid", "shop", "--force", shortSpec)
	if status, _ := s.ask(t, http.MethodGet, "/api/folders/shop", nil); status == http.StatusOK || strings.Contains(out, "created") {
		t.Errorf("something was sent in spite of the conflict: %s", out)
	}

	// An edit is shown, refused, and overwritten on demand.
	edited := s.dashboard(t, "plimsoll-oncall").Dashboard
	edited["refresh"] = "7s"
	s.save(t, "plimsoll", edited)
	out = s.run(t, false, "was edited in Grafana", "plan", shortSpec)
	if !strings.Contains(out, "diff dashboards/plimsoll-oncall\n@ refresh\n- \"7s\"\n") {
		t.Errorf("the plan does not show the edit:\n%s", out)
	}
	s.run(t, false, "was edited in Grafana", "apply", shortSpec)
	if got := s.dashboard(t, "plimsoll-oncall").Dashboard["refresh"]; got != "7s" {
		t.Errorf("the edit was overwritten with %v", got)
	}
	s.run(t, true, "0 created, 1 updated, 0 removed", "apply", "--force", shortSpec)
	s.run(t, true, "0 created, 0 updated, 0 removed", "apply", shortSpec)
	moved := s.dashboard(t, "plimsoll-oncall").Dashboard
	s.save(t, "", moved)
	s.run(t, false, "was moved to folder", "apply", shortSpec)
	s.run(t, true, "1 updated", "apply", "--force", shortSpec)

	s.remove(t)
	if after := s.versions(t, "mine", "shop-oncall", "copy"); after != before {
		t.Errorf("what others own was touched: %s, was %s", after, before)
	}
}

// versions tells how often dashboards were saved.
func (s *grafanaServer) versions(t *testing.T, uids ...string) string {
	t.Helper()
	var out []string
	for _, uid := range uids {
		out = append(out, fmt.Sprint(uid, " ", s.dashboard(t, uid).Dashboard["version"]))
	}
	return strings.Join(out, ", ")
}

// remove applies a bundle that has one dashboard only.
func (s *grafanaServer) remove(t *testing.T) {
	t.Helper()
	secret, err := os.ReadFile(s.token)
	if err != nil {
		t.Fatal(err)
	}
	c, err := grafana.New(s.url, grafana.Options{Token: strings.TrimSpace(string(secret))})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mustOutput(t, "plimsoll", "build", "-o", dir, shortSpec)
	content, err := os.ReadFile(filepath.Join(dir, "grafana", "dashboards", "plimsoll-oncall.json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Plan(t.Context(), grafana.Folder{UID: "plimsoll"}, []grafana.Dashboard{{UID: "plimsoll-oncall", JSON: content}}, grafana.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[string]int{"plimsoll-oncall": http.StatusOK, "plimsoll-slo": http.StatusNotFound, "plimsoll-executive": http.StatusNotFound} {
		if got, _ := s.ask(t, http.MethodGet, "/api/dashboards/uid/"+uid, nil); got != want {
			t.Errorf("%s: %d, want %d", uid, got, want)
		}
	}
}

// Grafana loads the files that its provisioning file names, does not complain, and apply leaves them alone.
func TestGrafanaFiles(t *testing.T) {
	dir := t.TempDir()
	mustOutput(t, "plimsoll", "build", "-o", dir, shortSpec)
	text, err := os.ReadFile(filepath.Join(dir, "grafana", "provisioning", "plimsoll.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	provisioning := filepath.Join(dir, "for-grafana")
	if err := os.MkdirAll(filepath.Join(provisioning, "dashboards"), 0o700); err != nil {
		t.Fatal(err)
	}
	const asBuilt = "/var/lib/grafana/dashboards/plimsoll"
	if !bytes.Contains(text, []byte(asBuilt)) {
		t.Fatalf("the provisioning file does not name %s:\n%s", asBuilt, text)
	}
	write(t, filepath.Join(provisioning, "dashboards"), "plimsoll.yaml",
		strings.ReplaceAll(string(text), asBuilt, filepath.Join(dir, "grafana", "dashboards")))
	s := startGrafana(t, provisioning)
	s.await("Grafana has read the files", startWithin, func() bool {
		status, _ := s.ask(t, http.MethodGet, "/api/dashboards/uid/plimsoll-slo", nil)
		return status == http.StatusOK
	})
	for _, uid := range []string{"plimsoll-executive", "plimsoll-oncall", "plimsoll-slo"} {
		if f := s.dashboard(t, uid); !f.Meta.Provisioned || f.Meta.FolderUID != "plimsoll" {
			t.Errorf("%s: provisioned %v, in folder %q", uid, f.Meta.Provisioned, f.Meta.FolderUID)
		}
	}
	if log := s.log.tail(1000); strings.Contains(log, "provisioning.dashboard") {
		t.Errorf("Grafana complains about the files:\n%s", log)
	}
	s.run(t, false, "was provisioned from files", "apply", "--force", shortSpec)
}

// Grafana's own schemas accept the resources in each schema that it knows, and its conversions between the schemas
// succeed.
func TestGrafanaSchemas(t *testing.T) {
	s := startGrafana(t, t.TempDir())
	var group struct{ Versions []struct{ Version string } }
	s.call(t, http.MethodGet, "/apis/dashboard.grafana.app", nil, &group)
	known := map[string]bool{}
	for _, v := range group.Versions {
		known[v.Version] = true
	}
	tried := 0
	for schema, version := range map[string]string{"classic": "v1beta1", "v2beta1": "v2beta1", "v2": "v2"} {
		if !known[version] {
			t.Logf("this Grafana does not have %s: it is not tried", version)
			continue
		}
		tried++
		dir := t.TempDir()
		uid := "p" + schema
		mustOutput(t, "plimsoll", "build", "--dashboards", "resources", "--schema", schema, "--uid", uid, "-o", dir, "../../examples/platform-team")
		s.create(t, "folder.grafana.app", "v1beta1", "folders", filepath.Join(dir, "grafana", "resources", "folder-"+uid+".json"))
		files, err := filepath.Glob(filepath.Join(dir, "grafana", "resources", uid+"-*.json"))
		if err != nil || len(files) < 3 {
			t.Fatalf("%d resources, %v", len(files), err)
		}
		for _, f := range files {
			s.create(t, "dashboard.grafana.app", version, "dashboards", f)
			for other := range known {
				s.converted(t, other, strings.TrimSuffix(filepath.Base(f), ".json"))
			}
		}
	}
	if tried < 2 {
		t.Errorf("%d schemas were tried; want a Grafana of version 12 or later", tried)
	}
}

// create posts a resource, and wants it to be accepted under strict validation.
func (s *grafanaServer) create(t *testing.T, group, version, kind, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	path := "/apis/" + group + "/" + version + "/namespaces/default/" + kind + "?fieldValidation=Strict"
	if status, answer := s.ask(t, http.MethodPost, path, json.RawMessage(text)); status != http.StatusCreated {
		t.Errorf("%s as %s: %d %.500s", filepath.Base(file), version, status, answer)
	}
}

// converted wants Grafana to return a dashboard in a version.
func (s *grafanaServer) converted(t *testing.T, version, uid string) {
	t.Helper()
	var got struct {
		Status struct {
			Conversion struct {
				Failed bool
				Error  string
			}
		}
	}
	s.call(t, http.MethodGet, "/apis/dashboard.grafana.app/"+version+"/namespaces/default/dashboards/"+uid, nil, &got)
	if got.Status.Conversion.Failed {
		t.Errorf("%s cannot be converted to %s: %s", uid, version, got.Status.Conversion.Error)
	}
}
