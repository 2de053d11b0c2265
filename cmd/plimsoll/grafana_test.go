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

// emptyGrafana is a Grafana without anything that takes everything, and notes what came. What a real one does is tested
// by make test-grafana.
func emptyGrafana(t *testing.T) (url string, seen func() string) {
	t.Helper()
	var log []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log = append(log, fmt.Sprintf("%s %s %s\n", r.Method, r.URL.Path, r.Header.Get("Authorization")))
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"message":"not found"}`)
			return
		}
		fmt.Fprint(w, `{"status":"success"}`)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() string {
		out := strings.Join(log, "")
		log = nil
		return out
	}
}

func TestApply(t *testing.T) {
	url, seen := emptyGrafana(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	spec := "../../examples/quickstart/slo.yaml"
	do := func(code int, wantOut, wantErr string, args ...string) {
		t.Helper()
		var out, errs strings.Builder
		got := run(args, strings.NewReader(""), &out, &errs)
		if got != code || !strings.Contains(out.String(), wantOut) || !strings.Contains(errs.String(), wantErr) {
			t.Errorf("%q: want %d, %q and %q, have %d, %.500q and %.500q", args, code, wantOut, wantErr, got, out.String(), errs.String())
		}
		if strings.Contains(out.String()+errs.String(), "s3cret") {
			t.Errorf("%q repeats a secret: %s%s", args, out.String(), errs.String())
		}
	}
	token := file("token", "s3cret\n")

	do(exitChanged, `+  "title": "SLOs",`, "6 to create", "plan", "--grafana", url, "--exit-code", spec)
	if got := seen(); strings.Contains(got, "POST") {
		t.Errorf("plan sent %s", got)
	}
	do(0, `"path": "folders/plimsoll"`, "", "plan", "--grafana", url, "--format", "json", spec)
	seen()
	do(0, "6 created, 0 updated, 0 removed, 0 unchanged\n", "", "apply", "--grafana", url, "--token-file", token, spec)
	if got := seen(); strings.Count(got, "POST /api/dashboards/db Bearer s3cret\n") != 5 || !strings.Contains(got, "POST /api/folders Bearer s3cret\n") {
		t.Errorf("apply sent %s", got)
	}
	do(0, "6 created", "", "apply", "--grafana", url+"/sub/", "--basic-auth-file", file("basic", "u:s3cret"), "--uid", "shop", "--folder", "Shop", spec)
	if got := seen(); !strings.Contains(got, "GET /sub/api/folders/shop Basic dTpzM2NyZXQ=\n") {
		t.Errorf("apply sent %s", got)
	}

	do(exitUsage, "", `required flag(s) "grafana" not set`, "apply", spec)
	do(exitUsage, "", "at least one of the flags in the group [output grafana]", "plan", spec)
	do(exitUsage, "", "[grafana output] were all set", "plan", "--grafana", url, "-o", dir, spec)
	do(exitUsage, "", "[grafana target] were all set", "plan", "--grafana", url, "--target", "mimir", spec)
	do(exitUsage, "", "without user and password", "apply", "--grafana", "http://u:s3cret@g", spec)
	do(exitFindings, "", "no such file", "apply", "--grafana", url, "--token-file", dir+"/none", spec)
	do(exitFindings, "", "have no colon", "apply", "--grafana", url, "--basic-auth-file", token, spec)
	do(exitUsage, "", "1 to 30 letters", "apply", "--grafana", url, "--uid", "a b", spec)
	do(exitFindings, "", "no-specs", "apply", "--grafana", url, t.TempDir())
	if got := seen(); got != "" {
		t.Errorf("wrong commands sent %s", got)
	}
}
