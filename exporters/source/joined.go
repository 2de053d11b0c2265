package source

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Joined returns the kinds of all domains sorted by name. Those with one name become one kind, whose decoders read each
// delivery one after the other: what any of them can use is not unused. They must have one signature.
func Joined(domains ...[]Kind) []Kind {
	kinds := slices.Concat(domains...)
	slices.SortStableFunc(kinds, func(a, b Kind) int { return cmp.Compare(a.Name, b.Name) })
	var joined []Kind
	for _, kind := range kinds {
		if last := len(joined) - 1; last >= 0 && joined[last].Name == kind.Name {
			joined[last].Decode = both(joined[last].Decode, kind.Decode)
			continue
		}
		joined = append(joined, kind)
	}
	return joined
}

// both reads with one decoder and then another. The error is that of the first if none can read the delivery.
func both(first, second Decoder) Decoder {
	return func(header http.Header, body []byte, observed time.Time) ([]event.Event, error) {
		a, err := first(header, body, observed)
		b, errToo := second(header, body, observed)
		switch {
		case errToo != nil:
			return a, err
		case err != nil:
			return b, nil
		}
		return merged(a, b), nil
	}
}

// merged returns the events of both. If both have one event for each part of the delivery, an unused part is the other's;
// otherwise only what is used counts, as long as there is something.
func merged(a, b []event.Event) []event.Event {
	unused := func(e event.Event) bool { return e.Name == event.Unused }
	if len(a) == len(b) {
		var all []event.Event
		for i := range a {
			if !unused(a[i]) || unused(b[i]) {
				all = append(all, a[i])
			}
			if !unused(b[i]) {
				all = append(all, b[i])
			}
		}
		return all
	}
	used := slices.DeleteFunc(slices.Concat(a, b), unused)
	if len(used) == 0 {
		return a
	}
	return used
}
