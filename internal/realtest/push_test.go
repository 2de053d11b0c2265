//go:build real

package realtest

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPush brings a namespace of a real Cortex through a life: new, the same again, changed, shrunk; with a group of
// somebody else in it, another namespace and another tenant, none of which is touched.
func TestPush(t *testing.T) {
	t.Parallel()
	db := cortex(t, "")
	theirs := "name: theirs\nrules: [{record: 'their:rule', expr: 'vector(1)'}]\n"
	db.postGroup("plimsoll", theirs)
	db.postGroup("other", "name: slo-requests\nrules: [{record: 'slo:mine', expr: 'vector(2)'}]\n")

	all := compile(t, "testdata/kinds/slos.yaml")
	n := len(generate(t, all, "mimir"))
	dir := t.TempDir()
	text, err := os.ReadFile("testdata/kinds/slos.yaml")
	if err != nil {
		t.Fatal(err)
	}
	changed := write(t, dir, "changed.yaml", strings.Replace(string(text), `target: "95%", window: {rolling: 7d}`, `target: "96%", window: {rolling: 7d}`, 1))
	few, err := filepath.Abs("testdata/live/slos.yaml")
	if err != nil {
		t.Fatal(err)
	}
	push := func(specs, want string, flags ...string) {
		t.Helper()
		args := append([]string{"push", "rules", "--ruler", db.url, "--api", "cortex", "--tenant", db.tenant, specs}, flags...)
		if out := mustOutput(t, "plimsoll", args...); !strings.HasSuffix(strings.TrimSpace(out), want) {
			t.Errorf("plimsoll %s: want %q, have %q", strings.Join(args, " "), want, out)
		}
	}
	push("testdata/kinds/slos.yaml", fmt.Sprintf("%d created, 0 updated, 0 removed, 0 unchanged, 1 kept", n))
	push("testdata/kinds/slos.yaml", fmt.Sprintf("0 to create, 0 to update, 0 to remove, %d unchanged, 1 kept", n), "--plan", "--exit-code")
	push(changed, fmt.Sprintf("0 created, 1 updated, 0 removed, %d unchanged, 1 kept", n-1))
	push(few, fmt.Sprintf("5 created, 0 updated, %d removed, 0 unchanged, 1 kept", n))
	push("testdata/kinds/slos.yaml", fmt.Sprintf("%d created, 0 updated, 0 removed, 0 unchanged", n), "--tenant", "second")

	if got := string(db.get("/api/v1/rules/plimsoll", nil)); !strings.Contains(got, "their:rule") || strings.Count(got, "- name:") != 6 {
		t.Errorf("want five groups of ours and theirs, have\n%s", got)
	}
	if got := string(db.get("/api/v1/rules/other", nil)); !strings.Contains(got, "slo:mine") {
		t.Errorf("want the other namespace as it was, have\n%s", got)
	}
	args := []string{"push", "rules", "--ruler", db.url, "--api", "cortex", few}
	if out, err := output(t, "plimsoll", args...); err == nil || !strings.Contains(out, "401 Unauthorized: no org id") {
		t.Errorf("without a tenant: want the words of Cortex, have %v %s", err, out)
	}
	args = []string{"push", "rules", "--ruler", db.url, "--tenant", db.tenant, few}
	if out, err := output(t, "plimsoll", args...); err == nil || !strings.Contains(out, "is this the config API of a ruler") {
		t.Errorf("at the path of Mimir: want an error that asks about the path, have %v %s", err, out)
	}
}

// postGroup puts a group of somebody else into a namespace.
func (d *database) postGroup(namespace, group string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url+"/api/v1/rules/"+namespace, bytes.NewReader([]byte(group)))
	if err != nil {
		d.t.Fatal(err)
	}
	d.do(req)
}
