// Package realtest proves on the real programs what the rest of the repository proves on their libraries: that
// Prometheus, VictoriaMetrics with vmalert, and Alertmanager take what plimsoll writes, and make of it what
// package engine makes of it. It has tests only, behind the build tag real: make test-real builds the programs from
// the modules in tools and runs the tests on loopback. PostgreSQL, of which a Vault rotates a password, is the
// machine's. Each server has a directory of its own and ends with its test.
package realtest
