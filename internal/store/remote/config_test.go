package remote

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestRead(t *testing.T) {
	o, found := Read("/etc/plimsoll/store.yaml", []byte(`
type: mimir
url: https://mimir.example.com/prometheus
tenant: shop
remoteWrite: "2.0"
bearerTokenFile: token
headers:
- {name: X-Team, value: sre}
- {name: X-Key, valueFile: /run/key}
tls: {caFile: ca.pem, serverName: mimir}
timeout: 10s
attempts: 5
concurrency: 32
backfill: 30d
`))
	if len(found) > 0 {
		t.Fatal(found)
	}
	want := Options{
		Type: Mimir, URL: "https://mimir.example.com/prometheus", Tenant: "shop", Version: V2, BearerTokenFile: "/etc/plimsoll/token",
		Headers: map[string]string{"X-Team": "sre"}, HeaderFiles: map[string]string{"X-Key": "/run/key"},
		CAFile: "/etc/plimsoll/ca.pem", ServerName: "mimir", Timeout: 10 * time.Second, Attempts: 5, Concurrency: 32, Backfill: 30 * 24 * time.Hour,
	}
	if diff := cmp.Diff(want, o, cmpopts.IgnoreFields(Options{}, "Wait", "Now", "Logger", "Registerer")); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	if got := want.writeURL(); got != "https://mimir.example.com/api/v1/push" {
		t.Errorf("want the path of Mimir beside that of queries, have %s", got)
	}
}

// Everything that is wrong with a file has a place and a code.
func TestReadWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "want one document",
		"type: influx\nurl: x": "store.yaml:1:7: error: ",
		"type: mimir\nurl: http://me:pw@host/x\n": "store.yaml:2:6: error: want none with user and password, have some for host",
		"type: mimir":                                   "[missing-field]",
		"type: mimir\nurl: http://h\ntoken: abc":        "[unknown-field]",
		"type: mimir\nurl: http://h\ntls: {keyFile: k}": "want certFile and keyFile, have one of them",
		"type: thanos\nurl: http://h":                   "needs writeURL",
		"type: mimir\nurl: http://h\nbearerTokenFile: a\nbasicAuth: {user: u, passwordFile: p}": "have both",
		"type: mimir\nurl: http://h\nheaders: [{name: Authorization, value: Bearer x}]":         "is set by other fields",
		"type: mimir\nurl: http://h\nattempts: 99":                                              "99 is more than 10",
		"type: mimir\nurl: http://h\n---\ntype: mimir\nurl: http://h":                           "want one document, have 2",
	} {
		_, found := Read("store.yaml", []byte(text))
		var all []string
		for _, d := range found {
			all = append(all, d.String())
		}
		if got := strings.Join(all, "\n"); !found.Failed() || !strings.Contains(got, want) || strings.Contains(got, "pw") {
			t.Errorf("%q: want %q, have %q", text, want, got)
		}
	}
}
