//go:build !linux

package main

import "errors"

func uncache(string) error { return nil }

func memory(int) (resident, data float64, err error) {
	return 0, 0, errors.New("memory is measured on Linux only")
}
