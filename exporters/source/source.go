// Package source has what decoders of all domains share: the forms of a decoder and of a kind of system, the proofs that
// a delivery is authentic, and lenient reading of JSON and CloudEvents.
package source

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Decoder returns the events of one delivery: header is the request's, body its raw body, observed when it came. The
// error is for a body that can not be read as what it claims to be; it does not quote the body. A decoder neither
// checks a signature nor keeps body.
type Decoder func(header http.Header, body []byte, observed time.Time) ([]event.Event, error)

// Kind is a kind of system that sends deliveries.
type Kind struct {
	// Name is the word by which a configuration names it, and Source of its events.
	Name string
	// Decode reads a delivery.
	Decode Decoder
	// Signature tells whether a delivery is from who knows a secret; nil for a system that signs nothing, whose
	// deliveries need another proof, such as Bearer.
	Signature Authentic
	// Frame says whether and how Decode reads files as well.
	Frame Frame
}

// Frame is what a decoder reads of a file at a time.
type Frame int

// The frames.
const (
	// NoFrame is for a kind that only comes in deliveries.
	NoFrame Frame = iota
	// Lines is for files that grow by lines. Decode takes any number of whole lines.
	Lines
	// Document is for files that are one JSON document and do not change.
	Document
)

// BatchHeader is the header by which a sender says which batch a delivery is, where the content does not say so: equal
// batches with different keys are different ones. What is read from a file has it, too.
const BatchHeader = "Idempotency-Key"

// Ident returns what identifies a thing as one segment of a Subject: the text itself with / and % escaped, or, if it
// is long, not clean or might be an address with a password in it, half of its SHA-256. Different texts give different
// segments.
func Ident(text string) string {
	if len(text) <= event.MaxText && text == event.Clean(text) && !strings.ContainsAny(text, "@?#") {
		return url.PathEscape(text)
	}
	sum := sha256.Sum256([]byte(text))
	return "~" + hex.EncodeToString(sum[:16])
}

// Began returns a time that something is said to have begun, or the zero time if that can not be.
func Began(start, observed time.Time) time.Time {
	at, ok := event.Clamp(start, observed)
	if !ok {
		return time.Time{}
	}
	return at
}
