//go:build !real

package server

// kills is how often TestKill kills the server.
const kills = 5
