//go:build !real

package ingest

// flood is how many series TestFlood sends; make test-real sends a million.
const flood = 200_000
