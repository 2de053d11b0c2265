//go:build !real

package collector_test

// kills is how often a test kills a collector; make test-real does it more often.
const kills = 3
