package secrets_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
)

// TestNewPrincipals: who accesses a store in its first week is learned, who comes later is new, once, also over restarts;
// who was away for long is new again. Each store learns for itself, and nobody who is not named is anybody.
func TestNewPrincipals(t *testing.T) {
	j := &exportertest.Journal{}
	open := func() *counters.Counters {
		c, err := counters.Open(j, t0, secrets.New(secrets.Options{MaxPrincipals: 3}))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c, n := open(), 0
	access := func(days float64, store, who string) {
		t.Helper()
		n++
		s := secrets.Secret{Store: store, Kind: "kv", Name: "db"}
		o := event.NewOrigin(store, secrets.Subject(store, "", "", "kv", "db"), fmt.Sprint("access/", n), at(24*days), at(24*days))
		err := c.Add(secrets.Access{Origin: o, Secret: s, Operation: "read", Outcome: "denied", Principal: "user", Who: who}.Event())
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(days float64, want map[string]uint64) {
		t.Helper()
		s, err := c.Read(at(24*days), 0)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]uint64{}
		for _, f := range s.Families {
			for _, p := range f.Points {
				if f.Name == "secret.principals" {
					got[p.Attrs.Text(event.SecretStore)+" "+p.Attrs.Text(event.PrincipalNovelty)] += p.Count
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after %v days (-want +got):\n%s", days, diff)
		}
	}
	access(0, "vault", "ann")
	access(6.9, "vault", "bob")
	access(6.9, "vault", "")
	want(7, map[string]uint64{"vault learned": 2, "vault new": 0})
	access(8, "vault", "eve")
	access(8.1, "vault", "eve")
	access(8.1, "aws", "eve")
	access(8.2, "vault", "bob")
	want(9, map[string]uint64{"vault learned": 2, "vault new": 1, "aws learned": 1, "aws new": 0})
	if err := c.Compact(); err != nil {
		t.Fatal(err)
	}
	c = open()
	access(10, "vault", "eve")
	access(10, "vault", "bob")
	want(11, map[string]uint64{"vault learned": 2, "vault new": 1, "aws learned": 1, "aws new": 0})
	access(12, "vault", "ann") // of three the one not heard of for longest made room
	want(13, map[string]uint64{"vault learned": 2, "vault new": 2, "aws learned": 1, "aws new": 0})
	access(110, "vault", "bob")
	want(111, map[string]uint64{"vault learned": 2, "vault new": 3, "aws learned": 1, "aws new": 0})
}
