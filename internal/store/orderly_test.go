package store

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
)

// TestOrderly: whoever recorded a series finds it at once, while others record new ones. (With the database alone, the
// race detector tells what is seen here only now and then.)
func TestOrderly(t *testing.T) {
	s := open(t, "", Options{})
	defer closeStore(t, s)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 150 {
				l := labels.FromStrings(Name, "slo:new", "slo", "all", "n", fmt.Sprint(g, "/", n))
				app := s.Results().Appender(context.Background())
				if _, err := app.Append(0, l, at(0).UnixMilli(), 1); err != nil {
					t.Error(err)
				}
				if err := app.Commit(); err != nil {
					t.Error(err)
				}
				q, err := s.Queryable().Querier(at(0).UnixMilli(), at(0).UnixMilli())
				if err != nil {
					t.Error(err)
					return
				}
				found := 0
				set := q.Select(context.Background(), false, nil,
					labels.MustNewMatcher(labels.MatchEqual, "slo", "all"), labels.MustNewMatcher(labels.MatchEqual, "n", l.Get("n")))
				for set.Next() {
					found++
				}
				if err := set.Err(); err != nil || found != 1 {
					t.Errorf("found %d series of %s, want 1: %v", found, l, err)
				}
				if err := q.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
