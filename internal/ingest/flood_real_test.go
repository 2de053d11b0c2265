//go:build real

package ingest

// flood is how many series TestFlood sends.
const flood = 1_000_000
