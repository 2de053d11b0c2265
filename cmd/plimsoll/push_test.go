package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// acceptAll is a ruler with an empty namespace that takes everything, and notes what came.
func acceptAll(t *testing.T) (url string, seen func() string) {
	t.Helper()
	var log []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log = append(log, fmt.Sprintf("%s %s %s %s\n", r.Method, r.URL.Path, r.Header.Get("X-Scope-OrgID"), r.Header.Get("Authorization")))
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodGet {
			http.Error(w, "no rule groups found", http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() string {
		out := strings.Join(log, "")
		log = nil
		return out
	}
}

func TestPushRules(t *testing.T) {
	url, seen := acceptAll(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	source := file("source.yaml", "apiVersion: plimsoll.dev/v1\nkind: DataSource\nmetadata: {name: default}\nspec: {type: mimir, tenant: shop}\n")
	spec := "../../examples/quickstart/slo.yaml"
	push := func(code int, wantOut, wantErr string, args ...string) {
		t.Helper()
		var out, errs strings.Builder
		got := run(append([]string{"push", "rules", "--ruler", url}, args...), strings.NewReader(""), &out, &errs)
		if got != code || !strings.Contains(out.String(), wantOut) || !strings.Contains(errs.String(), wantErr) {
			t.Errorf("%q: want %d, %q and %q, have %d, %.500q and %.500q", args, code, wantOut, wantErr, got, out.String(), errs.String())
		}
		if strings.Contains(out.String()+errs.String(), "s3cret") {
			t.Errorf("%q repeats a secret: %s%s", args, out.String(), errs.String())
		}
	}
	want := func(want string) {
		t.Helper()
		if got := seen(); got != want {
			t.Errorf("want the requests\n%shave\n%s", want, got)
		}
	}
	mimir := "/prometheus/config/v1/rules/plimsoll"

	push(exitChanged, "\n+- record: slo:objective:ratio\n", "5 to create", "--plan", "--exit-code", spec)
	want("GET " + mimir + "  \n")
	push(0, `"action": "create"`, "", "--plan", "--format", "json", spec)
	seen()
	push(0, "5 created, 0 updated, 0 removed, 0 unchanged\n", "", "--token-file", file("token", "s3cret\n"), source, spec)
	want("GET " + mimir + " shop Bearer s3cret\n" + strings.Repeat("POST "+mimir+" shop Bearer s3cret\n", 5))
	push(0, "5 created", "", "--api", "cortex", "--tenant", "t", "--namespace", "n", "--basic-auth-file", file("basic", "u:s3cret"), spec)
	want("GET /api/v1/rules/n t Basic dTpzM2NyZXQ=\n" + strings.Repeat("POST /api/v1/rules/n t Basic dTpzM2NyZXQ=\n", 5))
	push(0, "5 created", "", "--api", "/x/rules", spec)
	seen()

	push(exitUsage, "", "want --api mimir", "--api", "loki", spec)
	push(exitUsage, "", "want --data-source", "--data-source", "none", spec)
	push(exitUsage, "", "about --plan", "--exit-code", spec)
	push(exitUsage, "", "without user and password", "--ruler", "http://u:s3cret@h", spec)
	push(exitFindings, "", "no such file", "--token-file", dir+"/none", spec)
	push(exitFindings, "", "want one line", "--token-file", file("two", "s3cret\ns3cret"), spec)
	push(exitFindings, "", "have no colon", "--basic-auth-file", file("token", "s3cret"), spec)
	push(exitFindings, "", "ask for no rules", source)
	push(exitFindings, "", "no-specs", t.TempDir())
	want("")
}
