package secrets

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// familiar are those who are known to access secrets. Nobody is new as long as a store is: whoever accesses it then is
// learned.
type familiar struct {
	stores     *counters.Remembered[string, time.Time] // since when each is heard of
	principals *counters.Remembered[string, struct{}]  // by store and digest
}

// maxStores bounds the stores whose principals are known.
const maxStores = 100

// forgetting is how long somebody who accesses nothing stays known.
const forgetting = 90 * 24 * time.Hour

func newFamiliar(limit int) familiar {
	return familiar{counters.NewRemembered[string, time.Time](maxStores), counters.NewRemembered[string, struct{}](limit)}
}

func (f familiar) setLimit(limit int) { f.principals.SetLimit(limit) }

// meet notes who made an access, and counts it if that is the first time.
func (s *Secrets) meet(e event.Event, kind event.Attr) {
	who, store := e.Attrs.Text(event.Principal), e.Attrs.Text(event.SecretStore)
	if who == "" {
		return
	}
	series := func(novelty string) *metric.Series {
		return s.principals.At(s.revision, []event.Attr{event.String(event.SecretStore, store)},
			[]event.Attr{kind, event.String(event.PrincipalNovelty, novelty)})
	}
	novelty := series("new") // is there before the first one, so that it shows
	since, isNew := s.familiar.stores.Heard(store, e.Observed)
	if isNew {
		*since = e.Observed
	}
	s.familiar.principals.Forget(e.Observed.Add(-forgetting))
	if _, isNew := s.familiar.principals.Heard(store+"\x00"+who, e.Observed); !isNew {
		return
	}
	if e.Observed.Sub(*since) < s.options.Learn {
		novelty = series("learned")
	}
	novelty.Add(s.revision, 1)
}
