package poll_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/secrets/poll"
)

const policy = `
secrets:
  - {name: stripe-key, interval: 90d, window: 1d, grace: 7d, owner: payments, rotated: 2026-05-01}
  - {name: db, interval: 30d, read: db.json, rotated_at: /LastRotatedDate, refreshed_at: /pods/0/loaded}
  - {name: plain, interval: 1d12h, read: plain.txt, paused: true}
`

func TestPolicyFile(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "policy.yaml", policy)
	write(t, dir, "db.json", `{"Name": "hunter2", "LastRotatedDate": 1777593600.123, "SecretString": "hunter2", "pods": [{"loaded": "2026-05-01T00:05:00Z"}]}`)
	write(t, dir, "plain.txt", "2026-05-02T00:00:00Z\n")
	r := newRounds(t, poll.Config{Kind: poll.File, Path: path, Naming: plain})
	r.want(`rotation.observed file///secret/stripe-key active payments rotated 2026-05-01T00:00:00Z interval 2160h0m0s window 24h0m0s grace 168h0m0s
		rotation.observed file///secret/db active rotated 2026-05-01T00:00:00Z interval 720h0m0s refreshed 2026-05-01T00:05:00Z
		rotation.observed file///secret/plain paused rotated 2026-05-02T00:00:00Z interval 36h0m0s
		listed file/`)
	r.want("listed file/")
	write(t, dir, "db.json", `{"LastRotatedDate": "hunter2"}`)
	r.fails("", `db.json"/LastRotatedDate: want a time`)
	write(t, dir, "db.json", `{"LastRotatedDate": "hunter2`)
	r.fails("", `db.json" is not JSON`)
	write(t, dir, "db.json", `{"LastRotatedDate": null}`) // never rotated
	write(t, dir, "plain.txt", "hunter2")
	r.fails("rotation.observed file///secret/db active interval 720h0m0s", "plain.txt")
	write(t, dir, "policy.yaml", "secrets:\n  - {name: db, interval: 30d, rotated: 2026-06-01}\n")
	r.want(`rotation.observed file///secret/db active rotated 2026-06-01T00:00:00Z interval 720h0m0s
		removed file///secret/plain
		removed file///secret/stripe-key payments
		listed file/`)
	write(t, dir, "policy.yaml", "secrets: 7")
	r.fails("", "policy.yaml:1:10: error: want secrets to be a list, have a number [wrong-type]")
}

func TestPolicyFindings(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		_, list := poll.ReadPolicy("p.yaml", []byte(text))
		var got []string
		for _, d := range list {
			got = append(got, strings.TrimPrefix(d.String(), "p.yaml:"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	f(policy)
	f("", " error: want a field secrets, have an empty file [missing-field]")
	f("a: 1", `1:1: error: secrets is missing [missing-field]`, `1:1: error: unknown field "a" [unknown-field]`)
	f("secrets: []")
	f("secrets: [7]", "1:11: error: want an item of secrets to be a mapping, have a number [wrong-type]")
	f("secrets: [{name: x}]", "1:11: error: interval is missing [missing-field]")
	f("secrets: [{interval: 5}]", "1:11: error: name is missing [missing-field]", "1:22: error: interval: want a duration from 1s to 10 years [bad-duration]")
	f("secrets: [{name: x, interval: 900000d}]", "1:31: error: interval: want a duration from 1s to 10 years [bad-duration]")
	f("secrets: [{name: x, interval: 1d, rotated: yesterday, read: y, paused: maybe}]",
		"1:44: error: rotated is not a time [bad-time]", "1:61: error: want one of rotated and read, have both [one-of]",
		"1:72: error: want paused to be true or false, have a string [wrong-type]")
	f("secrets: [{name: x, interval: 1d, rotated_at: y}]",
		"1:47: error: rotated_at is a place in a file, and read is missing [missing-field]", "1:47: error: rotated_at is not a JSON Pointer [wrong-value]")
	f("secrets: [{name: x, interval: 1d}, {name: x, interval: 2d}]", "1:43: error: a secret of this name is there already [duplicate-name]")
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(policy))
	f.Add([]byte("secrets: [{name: x, interval: 1d, rotated: 2026-05-01, read: y}]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, list := poll.ReadPolicy("p.yaml", b)
		for _, e := range entries {
			if e.Name == "" || e.Interval <= 0 {
				t.Errorf("%+v is no entry", e)
			}
		}
		for _, d := range list {
			if d.Pos.File != "p.yaml" || d.Pos.Line > strings.Count(string(b), "\n")+1 {
				t.Errorf("%v is outside of the file", d)
			}
		}
	})
}
