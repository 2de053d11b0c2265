//go:build real

package collector_test

// kills is how often a test kills a collector.
const kills = 25
