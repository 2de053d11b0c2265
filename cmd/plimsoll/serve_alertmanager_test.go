package main

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plimsoll-slo/plimsoll/slo"
)

const ownConfig = `# of the user
route:
  receiver: nobody
receivers:
- name: nobody
`

// ownSpec is an SLO whose pages go to a receiver.
func ownSpec(t *testing.T, receiver string) *slo.Set {
	t.Helper()
	set, l := slo.Compile([]slo.File{{Name: "slo.yaml", Text: []byte(`apiVersion: plimsoll.dev/v1
kind: SLO
metadata: {name: shop}
spec:
  service: shop
  owner: {team: shop, page: ` + receiver + `}
  objective: {target: "99.9%"}
  sli: {events: {total: requests_total, bad: 'requests_total{code="500"}'}}
`)}})
	if set == nil {
		t.Fatal(l)
	}
	return set
}

// TestOwnConfig: Alertmanager gets the configuration of the user with the routes of the specs; what is wrong changes
// nothing.
func TestOwnConfig(t *testing.T) {
	user, dir := put(t, "alertmanager.yml", []byte(ownConfig+"- name: shop\n")), t.TempDir()
	f := serveFlags{own: ownFlags{path: os.Args[0], config: user, listen: "127.0.0.1:9093"}}
	f.server.Data, f.server.Registry = dir, prometheus.NewRegistry()
	if err := f.prepareOwn(slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if got := f.server.Alertmanagers; len(got) != 1 || got[0] != "http://127.0.0.1:9093" {
		t.Errorf("got Alertmanagers %q", got)
	}
	apply := func(what string, changes bool, problem string) string {
		t.Helper()
		changed, err := f.alerts.apply()
		if changed != changes || (err != nil) != (problem != "") || err != nil && !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: got changed %v, error %v; want %v and %q", what, changed, err, changes, problem)
		}
		text, err := os.ReadFile(f.alerts.file())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	f.server.Taken(ownSpec(t, "shop"))
	first := apply("at first", true, "")
	if !strings.HasPrefix(first, "# of the user\n") || !strings.Contains(first, "receiver: shop") || !strings.Contains(first, "plimsoll.tmpl") {
		t.Errorf("got configuration\n%s", first)
	}
	apply("again", false, "")
	f.server.Taken(ownSpec(t, "elsewhere"))
	if got := apply("a receiver that does not exist", false, "elsewhere"); got != first {
		t.Errorf("a wrong configuration was written:\n%s", got)
	}
	f.server.Taken(ownSpec(t, "shop"))
	const secret = "  webhook_configs: [{url_file: secret}]\n"
	if err := os.WriteFile(user, []byte(ownConfig+"- name: shop\n"+secret), 0o600); err != nil {
		t.Fatal(err)
	}
	apply("a relative path", false, `:7:32: want an absolute path, have "secret"`)
	if err := os.WriteFile(user, []byte(ownConfig+"- name: shop\n"+strings.Replace(secret, "secret", "/secret", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	apply("an absolute one", true, "")
	if info, err := os.Stat(f.alerts.file()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a file that nobody else reads: it may hold secrets", info, err)
	}
}

func TestOwnFlags(t *testing.T) {
	for want, f := range map[string]ownFlags{
		"":                    {listen: "127.0.0.1:9093"},
		"together":            {path: "alertmanager", listen: "127.0.0.1:9093"},
		"--alertmanager-exec": {config: "x", listen: "127.0.0.1:9093"},
		"loopback":            {path: "alertmanager", config: "x", listen: ":9093"},
	} {
		err := f.check()
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got error %v, want %q", f, err, want)
		}
	}
	stop, err := (*own)(nil).start(time.Second)
	if err != nil {
		t.Fatal(err)
	}
	stop()
}
