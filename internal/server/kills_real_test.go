//go:build real

package server

// kills is how often TestKill kills the server in make test-real.
const kills = 50
