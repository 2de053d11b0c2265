// Package sources reads what CI and CD systems send and keep: one decoder for each form of delivery or record, each a
// pure function to the facts of package pipelines, as events. A decoder copies the fields it names and nothing else, so
// that no e-mail address, commit message or log line can travel with them. What it does not understand it says in
// event.Unmapped, and what it does not use is one event.Unused.
package sources

import (
	"net/http"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Decoder returns the events of one delivery: header is the request's, body its raw body, observed when it came. The
// error is for a body that can not be read as what it claims to be; it does not quote the body. A decoder neither
// checks a signature nor keeps body.
type Decoder func(header http.Header, body []byte, observed time.Time) ([]event.Event, error)
